//! The last change of a record is taken back by a change: within the rights of whoever does it, and only while nothing
//! came after it.

mod support;

use formwork_core::change::Reply;
use formwork_core::{Act, Rejection, RejectionKind, Viewer};
use serde_json::json;
use support::World;
use support::desk::files;
use uuid::Uuid;

fn undo(world: &mut World, actor: &Viewer, id: Uuid, expected_version: Option<i64>) -> Result<Reply, Rejection> {
    world.submit(actor, Act::Undo { form: "ticket".into(), id, expected_version })
}

#[test]
fn an_edit_is_taken_back_with_its_rows_and_what_follows_from_it() {
    let mut world = World::new(&files());
    let lead = world.person("lea", &["lead"], &["a"]);
    let values = json!({"subject": "Lost", "amount": "5.00", "notes": [{"text": "one"}, {"text": "two"}]});
    let id = world.create(&lead, "ticket", values).unwrap();
    let rows = world.read(&lead, "ticket", id).unwrap()["notes"].clone();
    let second = rows[1]["id"].as_str().unwrap().to_owned();
    let patch =
        json!({"subject": "Found", "amount": "7.00", "notes": [{"id": second, "text": "2"}, {"text": "three"}]});
    world.update(&lead, "ticket", id, patch).unwrap();
    undo(&mut world, &lead, id, Some(2)).unwrap();
    let now = world.read(&lead, "ticket", id).unwrap();
    assert_eq!((&now["subject"], &now["amount"], &now["doubled"]), (&json!("Lost"), &json!("5.00"), &json!("10.00")));
    let mut texts: Vec<_> = now["notes"].as_array().unwrap().iter().map(|row| row["text"].clone()).collect();
    texts.sort_by_key(|text| text.to_string());
    assert_eq!(texts, [json!("one"), json!("two")]);
    assert_eq!(now["version"], 3, "a change is undone by a change");
    // What was undone can be undone.
    undo(&mut world, &lead, id, None).unwrap();
    assert_eq!(world.read(&lead, "ticket", id).unwrap()["subject"], "Found");
}

#[test]
fn what_moved_on_is_not_undone() {
    let mut world = World::new(&files());
    let lead = world.person("lea", &["lead"], &["a"]);
    let id = world.create(&lead, "ticket", json!({"subject": "Lost"})).unwrap();
    assert_eq!(undo(&mut world, &lead, id, Some(1)).unwrap_err().kind, RejectionKind::Conflict);
    world.update(&lead, "ticket", id, json!({"subject": "Found"})).unwrap();
    world.update(&lead, "ticket", id, json!({"subject": "Kept"})).unwrap();
    assert_eq!(undo(&mut world, &lead, id, Some(2)).unwrap_err().kind, RejectionKind::Stale);
    assert_eq!(world.read(&lead, "ticket", id).unwrap()["subject"], "Kept");
}

#[test]
fn nobody_writes_by_undoing_what_they_may_not_write() {
    let mut world = World::new(&files());
    let (lead, agent) = (world.person("lea", &["lead"], &["a"]), world.person("ann", &["agent"], &["a"]));
    let values = json!({"subject": "Lost", "amount": "5.00", "queue": "a"});
    let id = world.create(&lead, "ticket", values).unwrap();
    world.update(&lead, "ticket", id, json!({"amount": "7.00"})).unwrap();
    // An agent reads the amount and does not write it.
    assert_eq!(undo(&mut world, &agent, id, None).unwrap_err().kind, RejectionKind::Conflict);
    world.update(&lead, "ticket", id, json!({"queue": "b"})).unwrap();
    let unread = undo(&mut world, &agent, id, None).unwrap_err();
    let unknown = undo(&mut world, &agent, Uuid::from_u128(7), None).unwrap_err();
    assert_eq!((unread.kind, unread.title.as_str()), (RejectionKind::NotFound, unknown.title.as_str()));
    assert_eq!(world.read(&lead, "ticket", id).unwrap()["amount"], "7.00");
}

#[test]
fn a_deleted_record_comes_back_for_whoever_may_delete_it() {
    let mut world = World::new(&files());
    let (lead, agent) = (world.person("lea", &["lead"], &["a"]), world.person("ann", &["agent"], &["a"]));
    let values = json!({"subject": "Lost", "phone": "+8613800001234", "queue": "a", "notes": [{"text": "one"}]});
    let id = world.create(&lead, "ticket", values).unwrap();
    let before = world.read(&lead, "ticket", id).unwrap();
    world.submit(&lead, Act::Delete { form: "ticket".into(), id, expected_version: None }).unwrap();
    assert_eq!(undo(&mut world, &agent, id, None).unwrap_err().kind, RejectionKind::NotFound);
    undo(&mut world, &lead, id, Some(1)).unwrap();
    let after = world.read(&lead, "ticket", id).unwrap();
    for key in ["id", "subject", "phone", "queue", "state", "created_at", "created_by"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!((&after["notes"][0]["text"], &after["version"]), (&json!("one"), &json!(2)));
    assert_eq!(undo(&mut world, &lead, id, None).unwrap_err().kind, RejectionKind::Conflict);
}
