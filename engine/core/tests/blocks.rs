//! Tokens side by side: blocks and their joins, events at a boundary, messages, and how what is not needed any more ends. What is
//! expected was worked out by hand: `+a` a token entered the step, `-a` it left, `×a` it was cancelled there.

mod support;

use formwork_core::change::Reply;
use formwork_core::instance::{InstanceStatus, TaskStatus};
use formwork_core::stimulus::InstanceVerb;
use formwork_core::{Act, Viewer};
use serde_json::{Value as Json, json};
use support::{World, instant, object};
use uuid::Uuid;

/// A world in which a filed note runs these steps, from `first`.
fn filed(steps: Json) -> (World, Viewer, Uuid) {
    let mut world = World::new(&[
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Notes", "languages": ["en"], "timezone": "Asia/Shanghai",
                "roles": {"agent": {"title": "A"}, "bot": {"title": "B"}},
                "messages": {"customer.replied": {"from": ["bot"], "data": {"text": "text", "stars": "integer"}}}}),
        ),
        (
            "forms/note.json",
            json!({"label": "Note", "title": "text", "fields": {"text": {"type": "text"}, "n": {"type": "integer"}, "who": {"type": "user"}},
                "rules": {"small": {"check": "(n ?? 0) < 100", "at": "n", "message": "too many"}},
                "access": {"agent": {"read": true, "create": true, "update": true, "delete": true, "fields": {"*": "write"}}}}),
        ),
        (
            "workflows/flow.json",
            json!({"label": "Flow", "for": "note", "start": {"filed": {"on": "created", "next": "first"}}, "steps": steps}),
        ),
    ]);
    let ana = world.person("ana", &["agent"], &[]);
    let note = world.create(&ana, "note", json!({"text": "a"})).unwrap();
    (world, ana, note)
}

fn task(next: &str) -> Json {
    json!({"type": "user", "assign": {"role": "agent"}, "outcomes": {"done": next}})
}

fn mark(n: i64, next: Json) -> Json {
    json!({"type": "set", "set": {"n": n}, "next": next})
}

/// Does the open task of a step.
fn done(world: &mut World, ana: &Viewer, step: &str) {
    let task = world.open_task(step).id;
    world.task_act(ana, task, formwork_core::stimulus::Verb::Claim).unwrap();
    world.complete(ana, task, "done", json!({})).unwrap();
}

fn trail(world: &World) -> String {
    let step = |event: &formwork_core::change::Event| {
        let sign = match event.kind.as_str() {
            "step.entered" => "+",
            "step.left" => "-",
            "step.cancelled" => "×",
            _ => return None,
        };
        event.step.as_ref().map(|(step, _)| format!("{sign}{step}"))
    };
    world.stored.events.iter().filter_map(step).collect::<Vec<_>>().join(" ")
}

fn status(world: &World) -> InstanceStatus {
    world.stored.instances.values().next().unwrap().status
}

/// Nothing is left that waits: no token, block, timer or open task.
fn is_over(world: &World) -> bool {
    let instance = world.stored.instances.values().next().unwrap();
    let open = world.stored.tasks.values().any(|task| task.status == TaskStatus::Open);
    instance.state.tokens.is_empty() && instance.state.blocks.is_empty() && world.stored.timers.is_empty() && !open
}

#[test]
fn all_branches_join_once() {
    let (mut world, ana, note) = filed(json!({
        "first": {"type": "parallel", "branches": {"a": "quick", "b": "pay", "c": "write"}, "next": "after"},
        "quick": mark(1, json!("join")),
        "pay": task("join"),
        "write": task("end"),
        "after": mark(9, json!("end"))}));
    assert_eq!(trail(&world), "+first +quick +pay +write -quick", "the quick branch does not close the block");
    done(&mut world, &ana, "write");
    assert_eq!(world.value("note", note, "n"), json!(1), "one branch is still at work");
    done(&mut world, &ana, "pay");
    assert_eq!(trail(&world), "+first +quick +pay +write -quick -write -pay -first +after -after");
    assert_eq!((world.value("note", note, "n"), status(&world)), (json!(9), InstanceStatus::Completed));
    assert!(is_over(&world));
}

#[test]
fn a_block_of_quick_branches_is_over_at_once() {
    let (world, ..) = filed(json!({
        "first": {"type": "parallel", "branches": {"a": "one", "b": "two"}, "next": "end"},
        "one": mark(1, json!("join")),
        "two": mark(2, json!("end"))}));
    assert_eq!(trail(&world), "+first +one +two -one -two -first");
    assert_eq!(status(&world), InstanceStatus::Completed);
}

#[test]
fn any_branch_ends_the_others() {
    let steps = json!({
        "first": {"type": "parallel", "join": "any", "branches": {"a": "one", "b": "two"}, "next": "after"},
        "one": task("join"),
        "two": {"type": "wait", "events": {"day": {"after": "P1D", "next": "join"}}},
        "after": mark(9, json!("end"))});
    let (mut world, ana, _) = filed(steps.clone());
    done(&mut world, &ana, "one");
    assert_eq!(trail(&world), "+first +one +two -one ×two -first +after -after");
    assert!(is_over(&world), "the timer of the other branch is gone");

    let (mut world, ..) = filed(steps);
    let at = world.at + chrono::TimeDelta::days(1);
    world.advance_to(at);
    assert_eq!(trail(&world), "+first +one +two -two ×one -first +after -after");
    assert_eq!(world.stored.tasks.values().next().unwrap().status, TaskStatus::Cancelled);
    assert!(is_over(&world));
}

#[test]
fn a_branch_that_arrives_before_another_has_begun_ends_it() {
    let (world, ..) = filed(json!({
        "first": {"type": "parallel", "join": "any", "branches": {"a": "one", "b": "two"}, "next": "end"},
        "one": mark(1, json!("join")),
        "two": task("join")}));
    assert_eq!(trail(&world), "+first +one +two -one ×two -first");
    assert!(world.stored.tasks.is_empty(), "no task was opened for nobody");
}

#[test]
fn so_many_of_the_branches_are_enough() {
    let (mut world, ana, _) = filed(json!({
        "first": {"type": "parallel", "join": {"need": 2}, "branches": {"a": "one", "b": "two", "c": "three"}, "next": "end"},
        "one": task("join"), "two": task("join"), "three": task("join")}));
    done(&mut world, &ana, "two");
    assert_eq!(status(&world), InstanceStatus::Running);
    done(&mut world, &ana, "one");
    assert_eq!(trail(&world), "+first +one +two +three -two -one ×three -first");
    assert!(is_over(&world));
}

#[test]
fn branches_that_end_without_joining_close_the_block_all_the_same() {
    let (mut world, ana, _) = filed(json!({
        "first": {"type": "parallel", "join": {"need": 2}, "branches": {"a": "one", "b": "two"}, "next": "end"},
        "one": task("end"), "two": task("join")}));
    done(&mut world, &ana, "one");
    done(&mut world, &ana, "two");
    assert_eq!(status(&world), InstanceStatus::Completed, "one arrived, but nobody else can");
}

#[test]
fn blocks_nest() {
    let (mut world, ana, _) = filed(json!({
        "first": {"type": "parallel", "branches": {"a": "inner", "b": "one"}, "next": "end"},
        "inner": {"type": "parallel", "branches": {"c": "two", "d": "three"}, "next": "four"},
        "one": task("join"), "two": task("join"), "three": task("join"), "four": task("join")}));
    for step in ["two", "one", "three"] {
        done(&mut world, &ana, step);
    }
    assert_eq!(trail(&world), "+first +inner +one +two +three -two -one -three -inner +four");
    done(&mut world, &ana, "four");
    assert_eq!(status(&world), InstanceStatus::Completed);
    assert!(is_over(&world));
}

#[test]
fn leaving_gives_up_every_block_around() {
    let (mut world, ana, _) = filed(json!({
        "first": {"type": "parallel", "branches": {"a": "inner", "b": "one"}, "next": "end"},
        "inner": {"type": "parallel", "branches": {"c": "two", "d": "three"}, "next": "join"},
        "one": task("join"), "three": task("join"),
        "two": {"type": "user", "assign": {"role": "agent"}, "outcomes": {"done": {"next": {"leave": "outside"}}}},
        "outside": task("end")}));
    done(&mut world, &ana, "two");
    assert_eq!(trail(&world), "+first +inner +one +two +three -two ×three ×inner ×one ×first +outside");
    done(&mut world, &ana, "outside");
    assert_eq!(status(&world), InstanceStatus::Completed);
    assert!(is_over(&world));
}

#[test]
fn an_event_at_the_boundary_ends_the_step() {
    let steps = json!({
        "first": {"type": "user", "assign": {"role": "agent"}, "outcomes": {"done": "end"},
            "boundary": {"late": {"after": "PT2H", "set": {"n": 7}, "next": "second"}}},
        "second": task("end")});
    let (mut world, ana, note) = filed(steps.clone());
    world.advance_to(instant("2026-01-05T02:59:59Z"));
    assert_eq!(trail(&world), "+first");
    world.advance_to(instant("2026-01-05T03:00:00Z"));
    assert_eq!((trail(&world).as_str(), world.value("note", note, "n")), ("+first -first +second", json!(7)));
    let first = world.stored.tasks.values().find(|task| &*task.step == "first").unwrap().clone();
    assert_eq!(first.status, TaskStatus::Cancelled);
    let late = world.complete(&ana, first.id, "done", json!({})).unwrap_err();
    assert_eq!(late.code, "task_closed");
    done(&mut world, &ana, "second");
    assert!(is_over(&world));

    let (mut world, ana, _) = filed(steps);
    done(&mut world, &ana, "first");
    assert!(is_over(&world), "whoever is in time is not bothered later");
}

#[test]
fn an_event_at_the_boundary_may_leave_the_step_alone() {
    let (mut world, ana, note) = filed(json!({
        "first": {"type": "user", "assign": {"role": "agent"}, "outcomes": {"done": "end"},
            "boundary": {"nudge": {"after": "PT2H", "interrupt": false, "next": "note"}}},
        "note": mark(3, json!("end"))}));
    world.advance_to(instant("2026-01-06T01:00:00Z"));
    assert_eq!((trail(&world).as_str(), world.value("note", note, "n")), ("+first +note -note", json!(3)));
    assert_eq!(status(&world), InstanceStatus::Running, "the task is still to be done");
    done(&mut world, &ana, "first");
    assert!(is_over(&world));
}

#[test]
fn a_boundary_around_a_block_ends_all_of_it() {
    let (mut world, ..) = filed(json!({
        "first": {"type": "parallel", "branches": {"a": "one", "b": "two"}, "next": "end",
            "boundary": {"late": {"after": "P1D", "next": "after"}}},
        "one": task("join"),
        "two": {"type": "wait", "events": {"week": {"after": "P7D", "next": "join"}}},
        "after": mark(5, json!("end"))}));
    let at = world.at + chrono::TimeDelta::days(1);
    world.advance_to(at);
    assert_eq!(trail(&world), "+first +one +two ×one ×two -first +after -after");
    assert!(is_over(&world));
}

#[test]
fn a_second_token_in_a_block_is_waited_for() {
    let (mut world, ana, _) = filed(json!({
        "first": {"type": "parallel", "branches": {"a": "one", "b": "two"}, "next": "end"},
        "one": {"type": "user", "assign": {"role": "agent"}, "outcomes": {"done": "join"},
            "boundary": {"nudge": {"after": "PT1H", "interrupt": false, "next": "extra"}}},
        "two": mark(1, json!("join")), "extra": task("join")}));
    world.advance_to(instant("2026-01-05T02:00:00Z"));
    done(&mut world, &ana, "one");
    assert_eq!(trail(&world), "+first +one +two -two +extra -one");
    done(&mut world, &ana, "extra");
    assert_eq!(status(&world), InstanceStatus::Completed);
}

#[test]
fn deleting_the_record_ends_what_waits_for_a_point_in_time() {
    let (mut world, ana, note) = filed(json!({
        "first": {"type": "parallel", "branches": {"a": "one", "b": "two"}, "next": "end"},
        "one": task("join"), "two": {"type": "wait", "events": {"day": {"after": "P1D", "next": "join"}}}}));
    world.submit(&ana, Act::Delete { form: "note".into(), id: note, expected_version: None }).unwrap();
    assert_eq!(
        (trail(&world).as_str(), status(&world)),
        ("+first +one +two ×one ×two ×first", InstanceStatus::Cancelled)
    );
    assert!(is_over(&world));
}

/// A message about the note, by whoever may send it.
fn reply(world: &mut World, note: Uuid, id: Option<&str>, data: Json) -> Result<Reply, formwork_core::Rejection> {
    let bot = world.person("bot", &["bot"], &[]);
    let (key, id) = (note.to_string(), id.map(str::to_owned));
    world.submit(&bot, Act::Message { name: "customer.replied".into(), key, id, data: object(data) })
}

fn asked() -> Json {
    json!({
        "first": {"type": "wait", "events": {
            "replied": {"message": "customer.replied", "key": "record.id", "if": "event.stars != 1",
                "set": {"text": "=event.text", "n": "=event.stars"}, "next": "second"},
            "silence": {"after": "P7D", "next": "end"}}},
        "second": task("end")})
}

#[test]
fn a_message_moves_on_who_waits_for_it_and_what_it_carries_is_taken() {
    let (mut world, _, note) = filed(asked());
    let stranger = reply(&mut world, Uuid::nil(), None, json!({})).unwrap();
    assert_eq!(stranger, Reply::Message(Some(0)), "nobody waits for another key");
    let unwanted = reply(&mut world, note, None, json!({"stars": 1})).unwrap();
    assert_eq!((unwanted, trail(&world).as_str()), (Reply::Message(Some(0)), "+first"));
    let taken = reply(&mut world, note, Some("m1"), json!({"text": "hello", "stars": 5})).unwrap();
    assert_eq!((taken, trail(&world).as_str()), (Reply::Message(Some(1)), "+first -first +second"));
    assert_eq!((world.value("note", note, "text"), world.value("note", note, "n")), (json!("hello"), json!(5)));
    assert!(world.stored.subscriptions.is_empty() && world.stored.timers.is_empty(), "nothing waits any more");
}

#[test]
fn a_message_is_taken_in_once() {
    let (mut world, ana, note) = filed(json!({
        "first": {"type": "user", "assign": {"role": "agent"}, "outcomes": {"done": "end"},
            "boundary": {"chased": {"message": "customer.replied", "key": "record.id", "interrupt": false, "set": {"n": "=(record.n ?? 0) + 1"}, "next": "end"}}}}));
    assert_eq!(reply(&mut world, note, Some("m1"), json!({})).unwrap(), Reply::Message(Some(1)));
    let before = world.stored.clone();
    assert_eq!(reply(&mut world, note, Some("m1"), json!({})).unwrap(), Reply::Message(None));
    assert_eq!(world.stored, before);
    assert_eq!(reply(&mut world, note, Some("m2"), json!({})).unwrap(), Reply::Message(Some(1)), "it waits for more");
    assert_eq!(world.value("note", note, "n"), json!(2));
    done(&mut world, &ana, "first");
    assert!(is_over(&world) && world.stored.subscriptions.is_empty());
    assert_eq!(reply(&mut world, note, Some("m3"), json!({})).unwrap(), Reply::Message(Some(0)));
}

#[test]
fn a_message_is_refused_to_strangers_with_unknown_contents_and_where_a_rule_breaks() {
    let (mut world, ana, note) = filed(asked());
    let before = world.stored.clone();
    let act = |name: &str| Act::Message { name: name.into(), key: note.to_string(), id: None, data: object(json!({})) };
    // Who may not send it learns no more than who names one that is not.
    assert_eq!(world.submit(&ana, act("customer.replied")).unwrap_err().code, "message_not_found");
    assert_eq!(world.submit(&ana, act("customer.left")).unwrap_err().code, "message_not_found");
    let rejection = reply(&mut world, note, None, json!({"stars": "many", "mood": "bad"})).unwrap_err();
    let told: Vec<_> = rejection.errors.iter().map(|error| (error.code.as_str(), error.pointer.as_str())).collect();
    assert_eq!(told, [("unknown_field", "/data/mood"), ("wrong_type", "/data/stars")]);
    let rejection = reply(&mut world, note, Some("m1"), json!({"stars": 100})).unwrap_err();
    assert_eq!(rejection.errors[0].code, "small");
    assert_eq!(world.stored, before, "nothing of it happened");
    assert_eq!(reply(&mut world, note, Some("m1"), json!({"stars": 9})).unwrap(), Reply::Message(Some(1)));
}

/// An administrator's act on the only instance.
fn help(world: &mut World, who: &[&str], verb: InstanceVerb, reason: &str) -> Result<Reply, formwork_core::Rejection> {
    let helper = world.person("helper", who, &[]);
    let id = *world.stored.instances.keys().next().unwrap();
    world.submit(&helper, Act::Instance { id, verb, reason: reason.to_owned() })
}

fn stopped() -> (World, Viewer, Uuid) {
    // Nobody is named who could do the first branch.
    filed(json!({
        "first": {"type": "parallel", "branches": {"a": "one", "b": "two"}, "next": "after"},
        "one": {"type": "user", "assign": {"user": "=record.who"}, "outcomes": {"done": "join"}},
        "two": mark(2, json!("join")),
        "after": mark(9, json!("end"))}))
}

#[test]
fn what_an_incident_stopped_is_retried_as_a_whole() {
    let (mut world, ana, note) = stopped();
    assert_eq!((status(&world), trail(&world).as_str()), (InstanceStatus::Failed, "+first +one +two"));
    let before = world.stored.clone();
    let refused = |world: &mut World, who: &[&str], verb, reason| help(world, who, verb, reason).unwrap_err().code;
    assert_eq!(refused(&mut world, &["agent"], InstanceVerb::Retry, "why"), "instance_not_found");
    assert_eq!(refused(&mut world, &["admin"], InstanceVerb::Retry, " "), "reason_required");
    let nowhere = InstanceVerb::Jump { to: "nowhere".into() };
    assert_eq!(refused(&mut world, &["admin"], nowhere, "why"), "jump_target_invalid");
    assert_eq!(world.stored, before);

    help(&mut world, &["admin"], InstanceVerb::Retry, "once more").unwrap();
    assert_eq!((status(&world), world.stored.incidents.len()), (InstanceStatus::Failed, 2), "nothing has changed yet");
    world.update(&ana, "note", note, json!({"who": ana.user})).unwrap();
    help(&mut world, &["admin"], InstanceVerb::Retry, "somebody is there now").unwrap();
    assert_eq!((status(&world), trail(&world).as_str()), (InstanceStatus::Running, "+first +one +two -two"));
    let task = world.open_task("one").id;
    world.complete(&ana, task, "done", json!({})).unwrap();
    assert_eq!(world.value("note", note, "n"), json!(9));
    assert!(is_over(&world));
    assert_eq!(refused(&mut world, &["admin"], InstanceVerb::Retry, "why"), "instance_runs");
}

#[test]
fn an_administrator_jumps_over_what_cannot_go_on_or_ends_it() {
    let (mut world, _, note) = stopped();
    help(&mut world, &["admin"], InstanceVerb::Jump { to: "after".into() }, "nobody will come").unwrap();
    assert_eq!(trail(&world), "+first +one +two ×one ×two ×first +after -after");
    assert_eq!((world.value("note", note, "n"), status(&world)), (json!(9), InstanceStatus::Completed));
    assert!(is_over(&world));

    let (mut world, ..) = stopped();
    help(&mut world, &["admin"], InstanceVerb::Cancel, "filed twice").unwrap();
    assert_eq!(status(&world), InstanceStatus::Cancelled);
    assert!(is_over(&world));
    let reason = world.stored.events.iter().find(|event| event.kind == "instance.cancelled").unwrap();
    assert_eq!(reason.data["reason"], "filed twice");
}

#[test]
fn an_event_that_broke_a_rule_fires_when_it_is_retried() {
    let (mut world, ana, note) = filed(json!({
        "first": {"type": "wait", "events": {"day": {"after": "P1D", "set": {"n": "=(record.n ?? 0) + 50"}, "next": "end"}}}}));
    world.update(&ana, "note", note, json!({"n": 60})).unwrap();
    let at = world.at + chrono::TimeDelta::days(1);
    world.advance_to(at);
    assert_eq!((status(&world), world.stored.incidents[0].code), (InstanceStatus::Failed, "rule_broken"));
    assert!(world.stored.timers.is_empty(), "it does not fire over and over");
    world.update(&ana, "note", note, json!({"n": 1})).unwrap();
    help(&mut world, &["admin"], InstanceVerb::Retry, "corrected").unwrap();
    // A day after it was entered: at once.
    let now = world.at;
    world.advance_to(now);
    assert_eq!((world.value("note", note, "n"), status(&world)), (json!(51), InstanceStatus::Completed));
}

#[test]
fn a_timer_that_comes_too_late_does_nothing_and_is_gone() {
    let (mut world, ana, _) = filed(json!({
        "first": {"type": "user", "assign": {"role": "agent"}, "outcomes": {"done": "second"},
            "boundary": {"late": {"after": "PT2H", "set": {"n": 7}, "next": "end"}}},
        "second": task("end")}));
    // As if another node had read the timer just before the task was done.
    let stale = world.stored.timers.values().next().unwrap().clone();
    done(&mut world, &ana, "first");
    world.stored.timers.insert(stale.id, stale.clone());
    let before = (trail(&world), world.stored.records.clone());
    world.advance_to(stale.due_at);
    assert!(world.stored.timers.is_empty());
    assert_eq!((trail(&world), world.stored.records.clone()), before);
}
