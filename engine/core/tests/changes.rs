//! What may change at all: the entries of a log never, the options of a choice as their transitions say. On every path.

mod support;

use formwork_core::questions::{Filled, evaluate};
use formwork_core::stimulus::{Effects, Verb};
use formwork_core::{Act, Rejection, RejectionKind, Viewer};
use serde_json::{Value as Json, json};
use support::{World, object};
use uuid::Uuid;

fn world() -> (World, Viewer) {
    let mut world = World::new(&[
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Shop", "languages": ["en"], "timezone": "UTC",
            "roles": {"clerk": {"title": "Clerk"}}, "queues": {"desk": {"title": "Desk"}}}),
        ),
        (
            "forms/client.json",
            json!({"label": "Client", "fields": {"name": {"type": "text"}, "calls": {"type": "backlink", "from": "call.client"}},
            "access": {"clerk": {"read": true, "create": true, "update": true, "delete": true, "fields": {"*": "write"}}}}),
        ),
        (
            "forms/call.json",
            json!({"kind": "log", "label": "Call",
            "fields": {"key": {"type": "text"}, "client": {"type": "link", "to": "client"}, "said": {"type": "text", "required": true}},
            "unique": {"key": {"fields": ["key"]}},
            "access": {"clerk": {"read": true, "create": true, "fields": {"*": "write"}}}}),
        ),
        (
            "forms/order.json",
            json!({"label": "Order", "fields": {
                "state": {"type": "choice", "default": "open", "options": {"open": {}, "paid": {}, "sent": {}, "void": {}},
                          "transitions": {"open": ["paid", "void"], "paid": ["sent"]}},
                "lines": {"type": "table", "fields": {"what": {"type": "text"},
                    "step": {"type": "choice", "options": {"a": {}, "b": {}}, "transitions": {"a": ["b"]}}}}},
            "access": {"clerk": {"read": true, "create": true, "update": true, "fields": {"*": "write"}}}}),
        ),
        (
            "workflows/sending.json",
            json!({"label": "Sending", "for": "order", "start": {"made": {"on": "created", "next": "look"}},
            "steps": {"look": {"type": "user", "assign": {"queue": "desk"},
                "outcomes": {"send": {"set": {"state": "sent"}, "next": "end"}, "pay": {"set": {"state": "paid"}, "next": "end"}}}}}),
        ),
    ]);
    let clerk = world.person("clerk", &["clerk"], &["desk"]);
    (world, clerk)
}

/// Codes and places of a refusal; the world is as it was before.
fn refused<T: std::fmt::Debug>(
    world: &mut World,
    act: impl FnOnce(&mut World) -> Result<T, Rejection>,
) -> (RejectionKind, Vec<(String, String)>) {
    let before = world.stored.records.clone();
    let rejection = act(world).unwrap_err();
    assert_eq!(world.stored.records, before, "a refusal changes nothing");
    let places = rejection.errors.into_iter().map(|error| (error.code, error.pointer)).collect::<Vec<_>>();
    let own = vec![(rejection.code, String::new())];
    (rejection.kind, if places.is_empty() { own } else { places })
}

fn logged() -> (RejectionKind, Vec<(String, String)>) {
    (RejectionKind::Conflict, vec![("append_only".to_owned(), String::new())])
}

#[test]
fn entries_of_a_log_are_added_and_never_changed_or_deleted_by_anybody() {
    let (mut world, clerk) = world();
    let id = world.create(&clerk, "call", json!({"key": "k", "said": "Hello"})).unwrap();
    for actor in [&clerk, &Viewer::system("en")] {
        let changed = refused(&mut world, |world| world.update(actor, "call", id, json!({"said": "Goodbye"})));
        assert_eq!(changed, logged());
        let delete = Act::Delete { form: "call".into(), id, expected_version: None };
        assert_eq!(refused(&mut world, |world| world.submit(actor, delete)), logged());
    }
}

#[test]
fn a_file_read_twice_adds_nothing_to_a_log_and_a_changed_row_is_refused() {
    let (mut world, clerk) = world();
    let upsert = |said: &str| Act::Upsert {
        form: "call".into(),
        by: vec![0],
        values: object(json!({"key": "k", "said": said})),
        effects: Effects::NONE,
    };
    let system = Viewer::system("en");
    world.submit(&system, upsert("Hello")).unwrap();
    world.submit(&system, upsert("Hello")).unwrap();
    assert_eq!(world.stored.records.len(), 1);
    assert_eq!(refused(&mut world, |world| world.submit(&system, upsert("Goodbye"))), logged());
    let by_a_person = refused(&mut world, |world| world.submit(&clerk, upsert("Goodbye")));
    assert_eq!(by_a_person.0, RejectionKind::Forbidden);
}

#[test]
fn what_a_log_refers_to_stays() {
    let (mut world, clerk) = world();
    let client = world.create(&clerk, "client", json!({"name": "Ann"})).unwrap();
    world.create(&clerk, "call", json!({"client": client, "said": "Hello"})).unwrap();
    let delete = Act::Delete { form: "client".into(), id: client, expected_version: None };
    let (kind, places) = refused(&mut world, |world| world.submit(&clerk, delete));
    assert_eq!((kind, places[0].0.as_str()), (RejectionKind::Conflict, "linked"));
}

fn order(world: &mut World, clerk: &Viewer, state: &str) -> Uuid {
    world.create(clerk, "order", json!({"state": state})).unwrap()
}

#[test]
fn an_option_changes_only_as_its_transitions_say() {
    let (mut world, clerk) = world();
    let states = ["open", "paid", "sent", "void"];
    for from in states {
        for to in states {
            let id = order(&mut world, &clerk, from);
            let allowed = from == to || [("open", "paid"), ("open", "void"), ("paid", "sent")].contains(&(from, to));
            for actor in [&clerk, &Viewer::system("en")] {
                let result = world.update(actor, "order", id, json!({"state": to}));
                assert_eq!(result.is_ok(), allowed || world.value("order", id, "state") == to, "{from} → {to}");
            }
        }
    }
    let id = order(&mut world, &clerk, "open");
    let transition = |at: &str| (RejectionKind::Invalid, vec![("transition".to_owned(), at.to_owned())]);
    let emptied = refused(&mut world, |world| world.update(&clerk, "order", id, json!({"state": null})));
    assert_eq!(emptied, transition("/state"));
    let chinese = Viewer { language: "zh-CN".to_owned(), ..clerk };
    let told = world.update(&chinese, "order", id, json!({"state": "sent"})).unwrap_err();
    assert_eq!(told.errors[0].message, "state不能改为“sent”");
}

#[test]
fn a_step_of_a_workflow_keeps_to_the_transitions() {
    let (mut world, clerk) = world();
    let id = order(&mut world, &clerk, "open");
    let task = world.open_task("look").id;
    world.task_act(&clerk, task, Verb::Claim).unwrap();
    let (kind, places) = refused(&mut world, |world| world.complete(&clerk, task, "send", json!({})));
    assert_eq!((kind, places[0].0.as_str()), (RejectionKind::Invalid, "transition"));
    world.complete(&clerk, task, "pay", json!({})).unwrap();
    assert_eq!(world.value("order", id, "state"), "paid");
}

#[test]
fn options_of_rows_have_transitions_too() {
    let (mut world, clerk) = world();
    let id = world.create(&clerk, "order", json!({"lines": [{"what": "Desk", "step": "b"}]})).unwrap();
    let row = world.read(&clerk, "order", id).unwrap()["lines"][0]["id"].clone();
    let back = json!({"lines": [{"id": row, "step": "a"}]});
    let (_, places) = refused(&mut world, |world| world.update(&clerk, "order", id, back));
    assert_eq!(places[0].0, "transition");
}

#[test]
fn only_what_may_come_next_is_offered() {
    let (mut world, clerk) = world();
    let id = order(&mut world, &clerk, "paid");
    let (pack, packs, at) = (world.pack.clone(), world.packs.clone(), world.at);
    let offered = |world: &mut World, id: Option<Uuid>| -> Vec<Json> {
        let filled = Filled { id, ..Filled::default() };
        let state = world.ask(|facts| evaluate(&pack, &packs, &clerk, &"order".into(), &filled, at, facts)).unwrap();
        let options = state["fields"]["/state"]["options"].as_array().expect("options").iter();
        options.map(|option| option["value"].clone()).collect()
    };
    assert_eq!(offered(&mut world, Some(id)), ["paid", "sent"]);
    assert_eq!(offered(&mut world, None), ["open", "paid", "sent", "void"]);
}
