//! The one projection: levels by role, rows by condition, masks everywhere, and nothing known of what is not shown.

mod support;

use formwork_core::access::ListRequest;
use formwork_core::questions;
use formwork_core::{Act, Rejection, RejectionKind, Viewer};
use serde_json::{Value as Json, json};
use support::World;
use support::desk::files;
use uuid::Uuid;

struct Desk {
    world: World,
    agent: Viewer,
    lead: Viewer,
    analyst: Viewer,
    stranger: Viewer,
    ticket: Uuid,
}

fn desk() -> Desk {
    let mut world = World::new(&files());
    let agent = world.person("agent", &["agent"], &["a"]);
    let lead = world.person("lead", &["lead"], &[]);
    let analyst = world.person("analyst", &["analyst"], &[]);
    let stranger = world.person("stranger", &["stranger"], &[]);
    let person = world.create(&agent, "person", json!({"name": "Ann", "tier": "gold"})).unwrap();
    let values = json!({"subject": "Lost", "phone": "13812345678", "amount": "10.00", "person": person, "queue": "a",
        "notes": [{"text": "t", "inner": "hidden words"}]});
    let ticket = world.create(&lead, "ticket", values).unwrap();
    Desk { world, agent, lead, analyst, stranger, ticket }
}

fn list(desk: &mut Desk, viewer: &Viewer, request: &ListRequest) -> Result<Json, Rejection> {
    let (pack, at) = (desk.world.pack.clone(), desk.world.at);
    desk.world.ask(|facts| questions::list(&pack, viewer, &"ticket".into(), request, at, facts))
}

#[test]
fn each_role_sees_its_levels() {
    let mut desk = desk();
    let (agent, lead, analyst) = (desk.agent.clone(), desk.lead.clone(), desk.analyst.clone());
    let id = desk.ticket;
    // Field by field: what the agent, the lead (who is an agent, too) and the analyst see. Absent is "absent".
    let rows = [
        ("subject", json!("Lost"), json!("Lost"), json!("Lost")),
        ("phone", json!("138****5678"), json!("+8613812345678"), json!("absent")),
        ("amount", json!("10.00"), json!("10.00"), json!("absent")),
        // Computed from the amount, so at most as visible as that.
        ("doubled", json!("20.00"), json!("20.00"), json!("absent")),
        ("state", json!("open"), json!("open"), json!("open")),
    ];
    for (field, of_agent, of_lead, of_analyst) in rows {
        for (viewer, expected) in [(&agent, of_agent), (&lead, of_lead), (&analyst, of_analyst)] {
            let body = desk.world.read(viewer, "ticket", id).unwrap();
            let seen = body.get(field).cloned().unwrap_or(json!("absent"));
            assert_eq!(seen, expected, "{field} for {:?}", viewer.roles);
        }
    }
    let body = desk.world.read(&agent, "ticket", id).unwrap();
    assert_eq!(body["notes"][0]["inner"], "****");
    assert_eq!(body["person"]["title"], "Ann");
    assert_eq!(body["_may"], json!({"update": true, "delete": false}));
    let body = desk.world.read(&analyst, "ticket", id).unwrap();
    assert_eq!(body["notes"][0].get("inner"), None);
    // The title of a person is a masked field for analysts: they do not see it through the link either.
    assert_eq!(body["person"]["title"], Json::Null);
}

#[test]
fn rows_outside_the_condition_do_not_exist() {
    let mut desk = desk();
    let (agent, lead, stranger) = (desk.agent.clone(), desk.lead.clone(), desk.stranger.clone());
    let other = desk.world.create(&lead, "ticket", json!({"subject": "Other", "queue": "b"})).unwrap();
    let own = desk.world.create(&agent, "ticket", json!({"subject": "Own", "queue": "b"})).unwrap();
    assert_eq!(desk.world.read(&agent, "ticket", other).unwrap_err().kind, RejectionKind::NotFound);
    assert!(desk.world.read(&agent, "ticket", own).is_ok());
    assert_eq!(desk.world.read(&stranger, "ticket", own).unwrap_err().kind, RejectionKind::NotFound);
    assert_eq!(desk.world.read(&Viewer::public("en"), "ticket", own).unwrap_err().kind, RejectionKind::Unauthenticated);
    let seen = list(&mut desk, &agent, &ListRequest::default()).unwrap();
    let mut subjects: Vec<&str> =
        seen["items"].as_array().unwrap().iter().map(|item| item["subject"].as_str().unwrap()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["Lost", "Own"]);
    assert_eq!(seen["total"], json!({"value": 2, "exact": true}));
    assert_eq!(list(&mut desk, &lead, &ListRequest::default()).unwrap()["total"]["value"], 3);
}

#[test]
fn writing_needs_the_level_and_refusals_change_nothing() {
    let mut desk = desk();
    let (agent, analyst, public) = (desk.agent.clone(), desk.analyst.clone(), Viewer::public("en"));
    let id = desk.ticket;
    let before = desk.world.stored.clone();
    for (patch, code) in [
        (json!({"amount": "1.00"}), "not_writable"),
        (json!({"phone": "138****5678"}), "not_writable"),
        (json!({"doubled": "1.00"}), "not_writable"),
        (json!({"notes": [{"inner": "x"}]}), "not_writable"),
    ] {
        let rejection = desk.world.update(&agent, "ticket", id, patch.clone()).unwrap_err();
        assert_eq!(rejection.errors[0].code, code, "{patch}");
        assert!(!format!("{rejection:?}").contains("1381234"), "no masked value in a message");
    }
    // Hidden fields are unknown fields: the same words for both.
    let hidden = desk.world.create(&public, "ticket", json!({"subject": "x", "amount": "1.00"})).unwrap_err();
    let unknown = desk.world.create(&public, "ticket", json!({"subject": "x", "amounts": "1.00"})).unwrap_err();
    assert_eq!(hidden.errors[0].code, "unknown_field");
    assert_eq!(hidden.errors[0].message.replace("amount", ""), unknown.errors[0].message.replace("amounts", ""));
    let refused = desk.world.update(&analyst, "ticket", id, json!({"subject": "x"})).unwrap_err();
    assert_eq!(refused.kind, RejectionKind::Forbidden);
    let refused = desk.world.create(&analyst, "ticket", json!({"subject": "x"})).unwrap_err();
    assert_eq!(refused.kind, RejectionKind::Forbidden);
    let delete = Act::Delete { form: "ticket".into(), id, expected_version: None };
    assert_eq!(desk.world.submit(&agent, delete).unwrap_err().kind, RejectionKind::Forbidden);
    assert_eq!(desk.world.stored, before);
}

#[test]
fn the_row_rule_of_updates_holds_before_and_after() {
    let mut desk = desk();
    let (agent, lead) = (desk.agent.clone(), desk.lead.clone());
    let id = desk.ticket;
    let before = desk.world.stored.clone();
    // After: the agent may not close.
    assert_eq!(
        desk.world.update(&agent, "ticket", id, json!({"state": "closed"})).unwrap_err().kind,
        RejectionKind::Forbidden
    );
    assert_eq!(desk.world.stored, before);
    desk.world.update(&lead, "ticket", id, json!({"state": "closed"})).unwrap();
    // Before: nor open again.
    let before = desk.world.stored.clone();
    assert_eq!(
        desk.world.update(&agent, "ticket", id, json!({"state": "open"})).unwrap_err().kind,
        RejectionKind::Forbidden
    );
    assert_eq!(desk.world.stored, before);
}

#[test]
fn what_is_masked_or_hidden_is_neither_filtered_nor_sorted_by() {
    let mut desk = desk();
    let (agent, lead, analyst) = (desk.agent.clone(), desk.lead.clone(), desk.analyst.clone());
    let filter = |text: &str| ListRequest { filter: Some(text.to_owned()), ..ListRequest::default() };
    let sort = |key: &str| ListRequest { sort: Some(vec![key.to_owned()]), ..ListRequest::default() };
    for (viewer, request, allowed) in [
        (&lead, filter("phone == '+8613812345678'"), true),
        (&agent, filter("phone == '+8613812345678'"), false),
        (&agent, filter("amount > 5"), true),
        (&agent, filter("person.tier == 'gold'"), true),
        (&analyst, filter("amount > 5"), false),
        (&analyst, filter("person.name == 'Ann'"), false),
        (&analyst, filter("any(notes, inner != null)"), false),
        (&lead, filter("nothing == 1"), false),
        (&lead, filter("state == 'opened'"), false),
        (&lead, filter("lower(subject) == 'lost'"), false),
        (&agent, sort("-phone"), false),
        (&agent, sort("-amount"), true),
        (&analyst, sort("amount"), false),
        (&lead, sort("doubled"), false),
    ] {
        let answer = list(&mut desk, viewer, &request);
        match answer {
            Ok(seen) => assert!(allowed && seen["items"].as_array().unwrap().len() == 1, "{request:?}"),
            Err(rejection) => {
                assert!(!allowed, "{request:?}: {rejection:?}");
                assert_eq!(rejection.kind, RejectionKind::Malformed);
            }
        }
    }
}

#[test]
fn views_choose_columns_and_pages_follow_each_other() {
    let mut desk = desk();
    let (lead, analyst) = (desk.lead.clone(), desk.analyst.clone());
    for amount in [3, 1, 2] {
        desk.world.create(&lead, "ticket", json!({"subject": format!("T{amount}"), "amount": amount})).unwrap();
    }
    desk.world.create(&lead, "ticket", json!({"subject": "done", "state": "closed"})).unwrap();
    let mut request = ListRequest { view: Some("open".into()), limit: 3, ..ListRequest::default() };
    let first = list(&mut desk, &lead, &request).unwrap();
    let subjects = |page: &Json| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["subject"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(&first), ["T1", "T2", "T3"]);
    assert_eq!(first["total"]["value"], 4);
    let keys: Vec<&String> = first["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "version", "subject", "phone", "amount", "title"]);
    request.after = first["next"].as_str().map(str::to_owned);
    let second = list(&mut desk, &lead, &request).unwrap();
    assert_eq!((subjects(&second), &second["next"]), (vec!["Lost".to_owned()], &Json::Null));
    // The analyst sees no amounts: the view does not sort by them, and has no such column.
    request.after = None;
    let seen = list(&mut desk, &analyst, &request).unwrap();
    let keys: Vec<&String> = seen["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "version", "subject", "title"]);
    request.after = Some("bm9uc2Vuc2U".into());
    assert_eq!(list(&mut desk, &lead, &request).unwrap_err().kind, RejectionKind::Malformed);
    let found = ListRequest { q: Some("T2".into()), ..ListRequest::default() };
    assert_eq!(subjects(&list(&mut desk, &lead, &found).unwrap()), ["T2"]);
}

#[test]
fn history_is_filtered_and_masked() {
    let mut desk = desk();
    let (agent, lead, analyst) = (desk.agent.clone(), desk.lead.clone(), desk.analyst.clone());
    let id = desk.ticket;
    desk.world.update(&lead, "ticket", id, json!({"phone": "13900001111", "amount": "12.00"})).unwrap();
    desk.world.update(&lead, "ticket", id, json!({"amount": "13.00"})).unwrap();
    let (pack, at) = (desk.world.pack.clone(), desk.world.at);
    let mut history = |viewer: &Viewer| {
        desk.world.ask(|facts| questions::history(&pack, viewer, &"ticket".into(), id, None, at, facts)).unwrap()
    };
    let of_agent = history(&agent);
    assert_eq!(of_agent["items"].as_array().unwrap().len(), 3);
    assert_eq!(
        of_agent["items"][1]["data"]["diff"][0],
        json!({"op": "replace", "path": "/phone", "value": "139****1111", "old": "138****5678"})
    );
    assert_eq!(of_agent["items"][1]["actor"]["name"], "lead");
    // For the analyst nothing changed but the creation, and that without phone, amount and inner words.
    let of_analyst = history(&analyst);
    assert_eq!(of_analyst["items"].as_array().unwrap().len(), 1);
    let told = of_analyst.to_string();
    assert!(
        told.contains("Lost") && !told.contains("138") && !told.contains("10.00") && !told.contains("hidden words"),
        "{told}"
    );
}

#[test]
fn schemas_and_forms_hold_only_what_the_viewer_may_know_of() {
    let desk = desk();
    let pack = &desk.world.pack;
    let schema = questions::form_schema(pack, &Viewer::public("en"), &"ticket".into(), "create").unwrap();
    let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["subject", "phone", "person"]);
    assert!(questions::form_schema(pack, &Viewer::public("en"), &"ticket".into(), "read").is_err());
    let schema = questions::form_schema(pack, &desk.agent, &"ticket".into(), "update").unwrap();
    assert_eq!(schema["properties"].get("amount"), None);
    assert_eq!(questions::form(pack, &desk.stranger, &"ticket".into()), None);
    let form = questions::form(pack, &desk.analyst, &"ticket".into()).unwrap();
    let keys: Vec<&str> =
        form["fields"].as_array().unwrap().iter().map(|field| field["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["subject", "person", "queue", "state", "notes"]);
}

#[test]
fn a_link_to_what_one_cannot_read_is_a_link_to_nothing() {
    let mut desk = desk();
    let public = Viewer::public("en");
    let person = desk.world.stored.records.keys().find(|(form, _)| &**form == "person").unwrap().1;
    let linked = json!({"subject": "x", "person": person});
    let before = desk.world.stored.clone();
    let rejection = desk.world.create(&public, "ticket", linked.clone()).unwrap_err();
    let nobody = json!({"subject": "x", "person": Uuid::nil()});
    assert_eq!(rejection.errors, desk.world.create(&public, "ticket", nobody).unwrap_err().errors);
    assert_eq!((rejection.errors[0].code.as_str(), rejection.errors[0].pointer.as_str()), ("not_found", "/person"));
    assert_eq!(desk.world.stored, before);
    assert!(desk.world.create(&desk.agent.clone(), "ticket", linked).is_ok());
}

#[test]
fn no_message_about_a_filter_names_what_is_hidden() {
    let mut desk = desk();
    let (agent, analyst) = (desk.agent.clone(), desk.analyst.clone());
    let mut refusal = |viewer: &Viewer, filter: &str| {
        let request = ListRequest { filter: Some(filter.to_owned()), ..ListRequest::default() };
        format!("{:?}", list(&mut desk, viewer, &request).unwrap_err().errors)
    };
    for (viewer, filter, hidden, nothing) in [
        // A wrong type, a near miss and a wrong option are told like any unknown word.
        (&analyst, "amount == 'x'", "amount", "nowhere"),
        (&analyst, "amoun > 5", "amount", "nowhere"),
        (&agent, "phone > 5", "phone", "nowhere"),
        (&analyst, "any(notes, inner > 5)", "inner", "nowhere"),
    ] {
        let told = refusal(viewer, filter);
        let unknown = refusal(
            viewer,
            &filter
                .replace("amount", nothing)
                .replace("amoun", nothing)
                .replace("phone", nothing)
                .replace("inner", nothing),
        );
        let blank = |text: &str| {
            ["amount", "amoun", "phone", "inner", nothing]
                .iter()
                .fold(text.to_owned(), |text, word| text.replace(word, "…"))
        };
        assert_eq!(blank(&told), blank(&unknown), "{filter}");
        assert!(!told.contains(hidden) || filter.contains(hidden), "{filter}: {told}");
    }
}

#[test]
fn words_are_found_whatever_their_case() {
    let mut desk = desk();
    let lead = desk.lead.clone();
    desk.world.create(&lead, "ticket", json!({"subject": "Lost BAG 行李"})).unwrap();
    for (words, expected) in [("bag", 1), ("Bag 行", 1), ("行李", 1), ("LOST", 2), ("bags", 0)] {
        let found = ListRequest { q: Some(words.into()), ..ListRequest::default() };
        assert_eq!(list(&mut desk, &lead, &found).unwrap()["total"]["value"], expected, "{words}");
    }
}

#[test]
fn fields_and_pages_are_those_of_the_list() {
    let mut desk = desk();
    let (lead, analyst) = (desk.lead.clone(), desk.analyst.clone());
    desk.world.create(&lead, "ticket", json!({"subject": "Two"})).unwrap();
    let fields = |names: &[&str]| ListRequest {
        fields: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..ListRequest::default()
    };
    let keys = |page: Json| page["items"][0].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(list(&mut desk, &lead, &fields(&["subject", "created_at"])).unwrap()),
        ["id", "version", "created_at", "subject", "title"]
    );
    for (viewer, name) in [(&lead, "subjec"), (&analyst, "amount"), (&analyst, "phone")] {
        let refused = list(&mut desk, viewer, &fields(&[name])).unwrap_err();
        assert_eq!((refused.kind, refused.errors[0].pointer.as_str()), (RejectionKind::Malformed, "/fields"), "{name}");
    }
    let sorted = |sort: &str, after: Option<String>| ListRequest {
        sort: Some(vec![sort.to_owned()]),
        limit: 1,
        after,
        ..ListRequest::default()
    };
    let first = list(&mut desk, &lead, &sorted("subject", None)).unwrap();
    let next = first["next"].as_str().map(str::to_owned);
    assert!(next.is_some() && list(&mut desk, &lead, &sorted("subject", next.clone())).is_ok());
    for other in ["-subject", "created_at"] {
        let refused = list(&mut desk, &lead, &sorted(other, next.clone())).unwrap_err();
        assert_eq!((refused.kind, refused.errors[0].code.as_str()), (RejectionKind::Malformed, "after"), "{other}");
    }
}

#[test]
fn a_row_that_is_not_there_is_not_made_up() {
    let mut desk = desk();
    let lead = desk.lead.clone();
    let id = desk.ticket;
    let strange = Uuid::from_u128(9).to_string();
    for patch in [json!({"notes": {&strange: {"text": "x"}}}), json!({"notes": {&strange: null}})] {
        let refused = desk.world.update(&lead, "ticket", id, patch.clone()).unwrap_err();
        assert_eq!(refused.errors[0].code, "unknown_row", "{patch}");
    }
    desk.world.update(&lead, "ticket", id, json!({"notes": {"new-1": {"text": "x"}}})).unwrap();
    assert_eq!(desk.world.read(&lead, "ticket", id).unwrap()["notes"].as_array().unwrap().len(), 2);
}
