//! What workflows leave in the store: instances, tasks, timers, messages, history.

use std::sync::Arc;

use formwork_core::change::{ChangeSet, Event, Incident, OutboxMessage};
use formwork_core::facts::{BoxPage, Need, TaskQuery};
use formwork_core::instance::{Instance, InstanceStatus, Pool, State, Subscription, Task, TaskStatus, TimerRow, Token};
use formwork_core::{Facts, Stop, Viewer};
use formwork_model::pack::analytics::TaskBox;
use formwork_store::Delivery;
use serde_json::json;
use uuid::Uuid;

use crate::forms::everything;
use crate::world::{World, at, deploy, pack_of};

crate::on_both!(super::everything();
    instances_tasks_and_timers_are_read_as_written,
    a_start_key_starts_once,
    who_waits_for_a_message_is_found_by_its_key,
    boxes_hold_what_is_due_first,
    a_message_is_leased_settled_and_tried_again,
    schedules_move_only_forward_from_where_they_were,
    history_is_kept_in_order,
);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn instance() -> Instance {
    let state = State {
        format: 1,
        tokens: vec![Token { activation: 3, step: "wait".into(), block: 0 }],
        next_activation: 4,
        ..Default::default()
    };
    Instance {
        id: id(1),
        workflow: "flow".into(),
        pack_hash: "hash".to_owned(),
        record: Some(("thing".into(), id(2))),
        key: "k".to_owned(),
        status: InstanceStatus::Running,
        started_at: at(1),
        started_by: None,
        revision: 1,
        state,
    }
}

fn task(number: u128, pool: Pool) -> Task {
    Task {
        id: id(number),
        instance: id(1),
        workflow: "flow".into(),
        pack_hash: "hash".to_owned(),
        activation: 3,
        step: "handle".into(),
        record: Some(("thing".into(), id(2))),
        pool,
        assignee: None,
        owner: None,
        starter: Some(id(6)),
        barred: Vec::new(),
        signer: None,
        status: TaskStatus::Open,
        created_at: at(1),
        due_at: None,
        closed: None,
        outcome: None,
        copies: Vec::new(),
        reminders: Vec::new(),
    }
}

fn timer(number: u128, due: i64) -> TimerRow {
    TimerRow {
        id: id(number),
        instance: id(1),
        pack: "lab".into(),
        activation: 3,
        event: "late".into(),
        due_at: at(due),
    }
}

fn message(key: &str, created: i64) -> OutboxMessage {
    OutboxMessage {
        key: key.to_owned(),
        pack: "lab".into(),
        channel: "mail".into(),
        template: "hello".into(),
        to: "a@example.com".to_owned(),
        subject: Some("你好".to_owned()),
        body: "text".to_owned(),
        instance: id(1),
        record: None,
        created_at: at(created),
    }
}

/// The answer to needs that are told apart by `known`.
async fn asked<T: Clone + Send + Sync + 'static>(
    world: &World,
    needs: Vec<Need>,
    known: impl Fn(&Facts) -> Option<T> + Send + Sync + 'static,
) -> T {
    let found = Arc::new(std::sync::Mutex::new(None));
    let kept = found.clone();
    let plan = move |facts: &Facts| {
        let Some(answer) = known(facts) else { return Err(Stop::Need(needs.clone())) };
        *kept.lock().unwrap() = Some(answer);
        Ok(ChangeSet::default())
    };
    world.run(plan).await.unwrap();
    let answer = found.lock().unwrap().clone();
    answer.unwrap()
}

async fn write(world: &World, changes: ChangeSet) {
    world.run(move |_| Ok(changes.clone())).await.unwrap();
}

async fn instances_tasks_and_timers_are_read_as_written(world: Arc<World>) {
    let (mut first, mut handle) = (instance(), task(5, Pool::Queue("north".into())));
    let changes = ChangeSet {
        instances: vec![first.clone()],
        tasks: vec![handle.clone()],
        timers_set: vec![timer(8, 10), timer(9, 5)],
        ..Default::default()
    };
    write(&world, changes).await;
    let needs = vec![Need::Instance(id(1)), Need::Task(id(5)), Need::Timer(id(8)), Need::Instance(id(99))];
    let all = |facts: &Facts| {
        let instance = facts.instances.get(&id(1))?.clone();
        Some((instance, facts.tasks[&id(5)].clone(), facts.timers[&id(8)].clone(), facts.instances[&id(99)].clone()))
    };
    let found = asked(&world, needs.clone(), all).await;
    assert_eq!(found, (Some(first.clone()), Some(handle.clone()), Some(timer(8, 10)), None));

    let of_record = vec![Need::RecordInstances("thing".into(), id(2))];
    let live = |facts: &Facts| facts.record_instances.get(&("thing".into(), id(2))).cloned();
    assert_eq!(asked(&world, of_record.clone(), live).await, [first.clone()]);

    (first.revision, first.status) = (2, InstanceStatus::Completed);
    handle.assignee = Some(id(7));
    (handle.status, handle.closed, handle.outcome) =
        (TaskStatus::Done, Some((at(3), Some(id(7)))), Some("ok".to_owned()));
    (handle.barred, handle.signer, handle.owner) = (vec![id(9), id(7)], Some("desk".into()), Some(id(5)));
    let changes = ChangeSet {
        instances: vec![first.clone()],
        tasks: vec![handle.clone(), task(6, Pool::Person)],
        // One of them is not there: it fired, and its step ends it once more.
        timers_removed: vec![id(8), id(88)],
        incidents: vec![Incident {
            instance: id(1),
            step: "wait".into(),
            code: "runaway",
            message: "x".to_owned(),
            at: at(3),
        }],
        ..Default::default()
    };
    write(&world, changes).await;
    assert_eq!(asked(&world, needs, all).await, (Some(first), Some(handle.clone()), None, None));
    assert_eq!(asked(&world, of_record, live).await, [], "one that is over is not asked for");
    let open = asked(&world, vec![Need::OpenTasks(id(1))], |facts| facts.open_tasks.get(&id(1)).cloned()).await;
    assert_eq!(open, [task(6, Pool::Person)]);
    let of_record = vec![Need::RecordTasks("thing".into(), id(2))];
    let tasks = asked(&world, of_record, |facts| facts.record_tasks.get(&("thing".into(), id(2))).cloned()).await;
    assert_eq!(tasks, [task(6, Pool::Person), handle], "open ones first");

    assert_eq!(world.store.due_timers(at(4), None, 9).await.unwrap(), []);
    let due = world.store.due_timers(at(5), None, 9).await.unwrap();
    assert_eq!(due.iter().map(|timer| (timer.id, timer.due_at)).collect::<Vec<_>>(), [(id(9), at(5))]);
    assert_eq!(world.store.next_due(at(4)).await.unwrap(), Some(at(5)));
    assert_eq!(world.store.next_due(at(5)).await.unwrap(), None, "what is due already is no reason to wake up");

    let timers_set = vec![timer(21, 5), timer(20, 5), timer(22, 6), timer(23, 7)];
    write(&world, ChangeSet { timers_set, ..Default::default() }).await;
    let (mut walked, mut after) = (Vec::new(), None);
    while let Some(timer) = world.store.due_timers(at(6), after, 1).await.unwrap().first() {
        walked.push(timer.id.as_u128());
        after = Some((timer.due_at, timer.id));
    }
    assert_eq!(walked, [9, 20, 21, 22], "in due order, each once");
}

async fn a_start_key_starts_once(world: Arc<World>) {
    let needs = vec![Need::StartKey("flow".into(), "k".to_owned())];
    let known = |facts: &Facts| facts.start_keys.get(&("flow".into(), "k".to_owned())).copied();
    assert_eq!(asked(&world, needs.clone(), known).await, None);
    let changes =
        |instance| ChangeSet { start_keys: vec![("flow".into(), "k".to_owned(), instance)], ..Default::default() };
    write(&world, changes(id(1))).await;
    assert_eq!(asked(&world, needs.clone(), known).await, Some(id(1)));
    let again = world.run(move |_| Ok(changes(id(2)))).await;
    assert!(again.is_err(), "{again:?}");

    // Another pack may have a workflow of the same key.
    let other = Arc::new(pack_of("other", everything()));
    deploy(&*world.store, None, &other, &[], at(1)).await.unwrap();
    *world.pack.lock().unwrap() = other;
    assert_eq!(asked(&world, needs.clone(), known).await, None);
    write(&world, changes(id(3))).await;
    assert_eq!(asked(&world, needs, known).await, Some(id(3)));
}

async fn who_waits_for_a_message_is_found_by_its_key(world: Arc<World>) {
    let waiting = |number: u128, activation: u64, key: &str| Subscription {
        id: id(number),
        instance: id(number % 10),
        pack: "lab".into(),
        activation,
        event: "reply".into(),
        name: "customer.replied".into(),
        key: key.to_owned(),
    };
    let (first, second, other) = (waiting(31, 4, "行李"), waiting(41, 2, "行李"), waiting(52, 1, "bag"));
    let subscriptions_set = vec![first.clone(), second.clone(), other.clone()];
    let messages = vec![("customer.replied".into(), "m1".to_owned(), at(3))];
    write(&world, ChangeSet { subscriptions_set, messages: messages.clone(), ..Default::default() }).await;
    let place = ("customer.replied".into(), "行李".to_owned());
    let needs = vec![
        Need::Subscriptions { name: "customer.replied".into(), key: "行李".to_owned() },
        Need::Message("customer.replied".into(), "m1".to_owned()),
        Need::Message("customer.replied".into(), "m2".to_owned()),
    ];
    let known = move |facts: &Facts| {
        let taken = |id: &str| facts.messages.get(&("customer.replied".into(), id.to_owned())).copied();
        Some((facts.subscriptions.get(&place)?.clone(), taken("m1"), taken("m2")))
    };
    // The longest waiting of an instance comes first.
    let found = asked(&world, needs.clone(), known.clone()).await;
    assert_eq!(found, (vec![second.clone(), first.clone()], Some(true), Some(false)));
    write(&world, ChangeSet { subscriptions_removed: vec![id(41)], ..Default::default() }).await;
    assert_eq!(asked(&world, needs, known).await.0, [first]);
    let again = world.run(move |_| Ok(ChangeSet { messages: messages.clone(), ..Default::default() })).await;
    assert!(again.is_err(), "{again:?}");
}

async fn boxes_hold_what_is_due_first(world: Arc<World>) {
    let mut tasks = vec![
        task(11, Pool::Queue("north".into())),
        task(12, Pool::Queue("north".into())),
        task(13, Pool::Queue("south".into())),
        task(14, Pool::Role("agent".into())),
        task(15, Pool::Queue("north".into())),
        task(16, Pool::Person),
    ];
    tasks[0].due_at = Some(at(50));
    tasks[1].due_at = Some(at(40));
    tasks[3].due_at = Some(at(50));
    tasks[3].workflow = "other".into();
    tasks[4].assignee = Some(id(8));
    // Four eyes keep the viewer from the third task of the role.
    let mut barred = task(18, Pool::Role("agent".into()));
    (barred.barred, barred.signer, barred.owner) = (vec![id(9), id(7)], Some("desk".into()), Some(id(5)));
    tasks.push(barred);
    tasks[5].assignee = Some(id(7));
    let mut done = task(17, Pool::Person);
    (done.status, done.closed) = (TaskStatus::Done, Some((at(9), Some(id(7)))));
    // Of the queue south: the viewer has a copy, and has reminded of it.
    tasks[2].copies = vec![(id(7), at(3)), (id(9), at(4))];
    tasks[2].reminders = vec![(id(7), at(5))];
    tasks[3].starter = Some(id(7));
    tasks.push(done);
    // The viewer is of the team crew and leads the team watch.
    tasks.extend([task(19, Pool::Team("crew".into())), task(20, Pool::Team("watch".into()))]);
    tasks.push(task(21, Pool::Team("queue".into())));
    write(&world, ChangeSet { tasks, ..Default::default() }).await;

    let pack = world.pack();
    let viewer = Viewer::person(&pack, id(7), &["agent".into()], vec!["north".into()], "en");
    let viewer = Viewer { team: Some("crew".into()), leads: vec!["watch".into()], ..viewer };
    let cases: [(TaskBox, Option<&str>, Option<&str>, &[u128]); 10] = [
        (TaskBox::Cc, None, None, &[13]),
        (TaskBox::Started, None, None, &[14]),
        (TaskBox::Mine, None, None, &[16]),
        (TaskBox::Claimable, None, None, &[12, 11, 14, 19]),
        (TaskBox::Claimable, Some("north"), None, &[12, 11]),
        (TaskBox::Claimable, None, Some("other"), &[14]),
        (TaskBox::Claimable, Some("north"), Some("other"), &[]),
        // A queue one does not serve is no way in.
        (TaskBox::Claimable, Some("south"), None, &[]),
        // They serve north, and lead south and watch.
        (TaskBox::Team, None, None, &[13, 20]),
        (TaskBox::Done, None, None, &[17]),
    ];
    for (tasks, queue, workflow, expected) in cases {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = BoxPage {
                queue: queue.map(Into::into),
                workflow: workflow.map(Into::into),
                after,
                ..BoxPage::first(tasks, 1)
            };
            let query = TaskQuery { pack: "lab".into(), viewer: viewer.clone(), page };
            let needs = vec![Need::Tasks(query)];
            let page =
                asked(&world, needs, |facts| facts.task_pages.first().map(|(_, page, more)| (page.clone(), *more)));
            let (page, more) = page.await;
            for task in page.iter().filter(|task| task.id == id(13)) {
                assert_eq!(task.copies, [(id(7), at(3)), (id(9), at(4))]);
                assert_eq!(task.reminders, [(id(7), at(5))]);
            }
            found.extend(page.iter().map(|task| task.id.as_u128()));
            after = page.last().map(|task| task.id);
            if !more {
                break;
            }
        }
        assert_eq!(found, expected, "{tasks:?} {queue:?} {workflow:?}");
    }
}

async fn a_message_is_leased_settled_and_tried_again(world: Arc<World>) {
    let other = OutboxMessage { channel: "sms".into(), ..message("three", 12) };
    let outbox = vec![message("one", 10), message("two", 20), other];
    write(&world, ChangeSet { outbox, ..Default::default() }).await;
    let store = &world.store;
    assert_eq!(store.claim_messages("mail", at(9), at(100), 9).await.unwrap(), [], "not due yet");
    let first = store.claim_messages("mail", at(15), at(100), 9).await.unwrap();
    assert_eq!(first.iter().map(|claim| (claim.key.as_str(), claim.attempts)).collect::<Vec<_>>(), [("one", 0)]);
    assert_eq!(first[0].message, message("one", 10));
    assert_eq!(store.next_due(at(15)).await.unwrap(), Some(at(20)));
    assert_eq!(store.due_channels(at(15)).await.unwrap(), ["sms".into()], "the other one's message is leased");
    assert_eq!(store.due_channels(at(20)).await.unwrap(), ["mail".into(), "sms".into()]);
    let of_another = store.claim_messages("sms", at(15), at(100), 9).await.unwrap();
    assert_eq!(of_another.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>(), ["three"]);
    assert!(store.settle_message("three", of_another[0].epoch, &Delivery::Sent, at(16)).await.unwrap());
    let second = store.claim_messages("mail", at(30), at(100), 9).await.unwrap();
    assert_eq!(second.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>(), ["two"], "the other is leased");

    let retry = Delivery::Retry { at: at(60), reason: "503".to_owned() };
    assert!(store.settle_message("two", second[0].epoch, &retry, at(31)).await.unwrap());
    assert!(!store.settle_message("two", second[0].epoch, &Delivery::Sent, at(32)).await.unwrap(), "settled already");
    let again = store.claim_messages("mail", at(60), at(110), 9).await.unwrap();
    assert_eq!((again[0].key.as_str(), again[0].attempts), ("two", 1));
    assert!(store.settle_message("two", again[0].epoch, &Delivery::Sent, at(61)).await.unwrap());

    // The lease of the first ran out: somebody else takes it, and its first holder comes too late.
    let taken = store.claim_messages("mail", at(100), at(200), 9).await.unwrap();
    assert_eq!((taken[0].key.as_str(), taken[0].attempts), ("one", 1));
    assert!(!store.settle_message("one", first[0].epoch, &Delivery::Sent, at(101)).await.unwrap());
    let failed = Delivery::Failed { reason: "gone".to_owned() };
    assert!(store.settle_message("one", taken[0].epoch, &failed, at(101)).await.unwrap());
    let left: Vec<_> = store.messages(9).await.unwrap();
    let left: Vec<_> = left
        .iter()
        .map(|(message, state, tries, why)| (message.key.as_str(), state.as_str(), *tries, why.as_deref()))
        .collect();
    assert_eq!(left, [("two", "sent", 2, None), ("three", "sent", 1, None), ("one", "failed", 2, Some("gone"))]);
    assert_eq!(store.next_due(at(0)).await.unwrap(), None);
}

async fn schedules_move_only_forward_from_where_they_were(world: Arc<World>) {
    let store = &world.store;
    assert_eq!(store.schedule("lab", "flow", "nightly").await.unwrap(), None);
    assert!(store.move_schedule("lab", "flow", "nightly", None, at(1)).await.unwrap());
    assert!(!store.move_schedule("lab", "flow", "nightly", None, at(2)).await.unwrap(), "another node was first");
    assert!(store.move_schedule("lab", "flow", "nightly", Some(at(1)), at(2)).await.unwrap());
    assert!(!store.move_schedule("lab", "flow", "nightly", Some(at(1)), at(3)).await.unwrap());
    assert_eq!(store.schedule("lab", "flow", "nightly").await.unwrap(), Some(at(2)));
    assert_eq!(store.schedule("other", "flow", "nightly").await.unwrap(), None, "another pack has its own");
    assert!(store.move_schedule("other", "flow", "nightly", None, at(9)).await.unwrap());
    assert_eq!(store.schedule("lab", "flow", "nightly").await.unwrap(), Some(at(2)));
}

async fn history_is_kept_in_order(world: Arc<World>) {
    let event = |number: i64| Event {
        at: at(number),
        record: Some(("thing".into(), id(2))),
        instance: (number == 2).then(|| id(1)),
        kind: "comment".to_owned(),
        step: (number == 2).then(|| ("wait".into(), 3)),
        actor: None,
        actor_kind: "system".to_owned(),
        data: json!({"z": number, "a": "名\u{0}称"}),
    };
    for number in 1..=3 {
        write(&world, ChangeSet { events: vec![event(number)], ..Default::default() }).await;
    }
    let all = world.store.events(0, 9).await.unwrap();
    assert_eq!(all.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), [event(1), event(2), event(3)]);
    assert_eq!(all[0].1.data.to_string(), r#"{"z":1,"a":"名\u0000称"}"#, "keys keep their order");
    assert_eq!(world.store.events(all[1].0, 9).await.unwrap().len(), 1);
    let page = |before| {
        let needs = vec![Need::Events { form: "thing".into(), id: id(2), before, limit: 2 }];
        asked(&world, needs, move |facts| facts.events.get(&("thing".into(), id(2), before)).cloned())
    };
    let newest = page(None).await;
    assert_eq!(newest.iter().map(|(_, event)| event.at).collect::<Vec<_>>(), [at(3), at(2)]);
    assert_eq!(page(Some(newest[1].0)).await.iter().map(|(_, event)| event.at).collect::<Vec<_>>(), [at(1)]);
}
