//! The one projection: levels by role, rows by condition, masks everywhere, and nothing known of what is not shown.

mod support;

use formwork_core::access::ListRequest;
use formwork_core::questions;
use formwork_core::{Act, Rejection, RejectionKind, Viewer};
use serde_json::{Value as Json, json};
use support::World;
use uuid::Uuid;

fn files() -> Vec<(&'static str, Json)> {
    vec![
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Desk", "languages": ["en"], "timezone": "Asia/Shanghai",
            "roles": {"agent": {"title": "A"}, "lead": {"title": "L", "includes": ["agent"]}, "analyst": {"title": "N"}, "stranger": {"title": "S"}},
            "queues": {"a": {"title": "A"}, "b": {"title": "B"}}}),
        ),
        (
            "forms/person.json",
            json!({"label": "Person", "title": "name",
            "fields": {"name": {"type": "text", "tags": ["pii"]}, "tier": {"type": "text"}},
            "access": {"agent": {"read": true, "create": true, "fields": {"*": "write"}},
                       "analyst": {"read": true, "fields": {"*": "read", "#pii": "mask"}}}}),
        ),
        (
            "forms/ticket.json",
            json!({"label": "Ticket", "title": "subject",
            "fields": {
                "subject": {"type": "text"},
                "phone": {"type": "phone", "tags": ["pii"], "mask": {"keepFirst": 3, "keepLast": 4}},
                "amount": {"type": "money"},
                "doubled": {"type": "money", "compute": "amount * 2"},
                "person": {"type": "link", "to": "person"},
                "queue": {"type": "queue"},
                "state": {"type": "choice", "options": {"open": {}, "closed": {}}, "default": "open"},
                "notes": {"type": "table", "fields": {"text": {"type": "text"}, "inner": {"type": "text", "tags": ["pii"]}}}},
            "access": {
                "agent": {"read": "queue in user.queues or created_by == user.id", "create": true, "update": "state != 'closed'",
                          "fields": {"*": "write", "#pii": "mask", "amount": "read"}},
                "lead": {"read": true, "update": true, "delete": true, "fields": {"*": "write"}},
                "analyst": {"read": true, "fields": {"*": "read", "#pii": "none", "amount": "none"}},
                "public": {"create": true, "fields": {"*": "none", "subject": "write", "phone": "write", "person": "write"}}},
            "views": {"open": {"type": "list", "columns": ["subject", "phone", "amount"], "where": "state == 'open'", "sort": ["amount"]}}}),
        ),
    ]
}

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

/// A desk whose people may not be read by everybody: agents read their own people, analysts those of tier `gold`.
fn guarded() -> Vec<(&'static str, Json)> {
    let mut files = files();
    for (path, file) in &mut files {
        match *path {
            "forms/person.json" => {
                file["fields"]["tickets"] = json!({"type": "backlink", "from": "ticket.person"});
                file["fields"]["worth"] = json!({"type": "money", "compute": "sum(tickets, amount)"});
                file["access"] = json!({
                    "agent": {"read": "created_by == user.id", "create": true, "fields": {"*": "write"}},
                    "analyst": {"read": "tier == 'gold'", "fields": {"*": "read"}}});
            }
            "forms/ticket.json" => {
                file["fields"]["tier"] = json!({"type": "lookup", "via": "person", "field": "tier"});
                file["fields"]["shout"] = json!({"type": "text", "compute": "upper(person.tier)"});
                file["fields"]["taken"] =
                    json!({"type": "lookup", "via": "person", "field": "tier", "snapshot": "on_create"});
                file["access"]["analyst"]["fields"] = json!({"*": "read"});
            }
            _ => {}
        }
    }
    files
}

#[test]
fn nothing_shows_through_a_link_of_a_row_one_does_not_read() {
    let mut world = World::new(&guarded());
    let (ann, ben) = (world.person("ann", &["agent"], &["a"]), world.person("ben", &["agent"], &["a"]));
    let anns = world.create(&ann, "person", json!({"name": "Ann's", "tier": "gold"})).unwrap();
    let values = json!({"subject": "Lost", "person": anns, "queue": "a"});
    let ticket = world.create(&ann, "ticket", values).unwrap();
    let seen = world.read(&ann, "ticket", ticket).unwrap();
    assert_eq!(
        (&seen["tier"], &seen["shout"], &seen["person"]["title"]),
        (&json!("gold"), &json!("GOLD"), &json!("Ann's"))
    );
    let seen = world.read(&ben, "ticket", ticket).unwrap();
    assert_eq!((&seen["tier"], &seen["shout"], &seen["person"]["title"]), (&Json::Null, &Json::Null, &Json::Null));
    // A snapshot is the ticket's own value since it was taken.
    assert_eq!(seen["taken"], "gold");

    // While a form is filled in, a link to somebody else's person shows no more than a link to nobody.
    let (pack, at) = (world.pack.clone(), world.at);
    let mut typed = |person: Uuid| {
        let values = json!({"subject": "x", "person": person}).as_object().unwrap().clone();
        let form = "ticket".into();
        let answer =
            world.ask(|facts| questions::evaluate(&pack, &ben, &form, None, None, &values, at, facts)).unwrap();
        let fields = &answer["fields"];
        (
            fields["/person"]["errors"].clone(),
            fields["/tier"].clone(),
            fields["/shout"].clone(),
            fields["/taken"].clone(),
        )
    };
    assert_eq!(typed(anns), typed(Uuid::nil()));
}

#[test]
fn a_filter_sees_over_links_only_what_one_reads() {
    let mut world = World::new(&guarded());
    let ann = world.person("ann", &["agent"], &["a"]);
    let ben = world.person("ben", &["agent"], &["a"]);
    let nell = world.person("nell", &["analyst"], &[]);
    let lead = world.person("lead", &["lead"], &[]);
    let anns = world.create(&ann, "person", json!({"name": "Gold", "tier": "gold"})).unwrap();
    let bens = world.create(&ben, "person", json!({"name": "Tin", "tier": "tin"})).unwrap();
    for (who, person, amount) in [(&ann, anns, 10), (&ben, bens, 20)] {
        world.create(who, "ticket", json!({"subject": "T", "person": person, "queue": "a"})).unwrap();
        let last =
            *world.stored.records.keys().filter(|(form, _)| &**form == "ticket").map(|(_, id)| id).max().unwrap();
        world.update(&lead, "ticket", last, json!({"amount": amount})).unwrap();
    }
    let mut count = |form: &str, viewer: &Viewer, filter: &str| {
        let request = ListRequest { filter: Some(filter.to_owned()), ..ListRequest::default() };
        let (pack, at) = (world.pack.clone(), world.at);
        let answer = world.ask(|facts| questions::list(&pack, viewer, &form.into(), &request, at, facts));
        answer.map(|page| page["total"]["value"].as_u64().unwrap()).map_err(|rejection| rejection.kind)
    };
    for (viewer, filter, expected) in [
        // Each agent reads both tickets, but only their own person.
        (&ann, "person.tier == 'gold'", 1),
        (&ben, "person.tier == 'gold'", 0),
        (&ben, "person.tier == 'tin'", 1),
        (&ben, "person.tier == null", 1),
        (&ben, "not (person.tier == 'gold')", 2),
        (&ben, "person.name in ['Gold', 'Tin']", 1),
        (&ben, "person.created_by == person.created_by and person.created_at != null", 1),
        (&nell, "person.tier == 'gold'", 1),
        (&nell, "person.tier == 'tin'", 0),
    ] {
        assert_eq!(count("ticket", viewer, filter), Ok(expected), "{filter} for {:?}", viewer.roles);
    }
    // Backlinks: the lead reads every ticket but no person; the agent reads tickets of queue a.
    for (viewer, filter, expected) in [
        (&ann, "any(tickets, amount == 10)", Ok(1)),
        (&ann, "count(tickets) == 1", Ok(1)),
        (&ann, "sum(tickets, amount) == 10", Ok(1)),
        (&ann, "all(tickets, amount == 10)", Ok(1)),
        (&ben, "any(tickets, amount == 10)", Ok(0)),
        (&nell, "any(tickets, amount == 10)", Ok(1)),
    ] {
        assert_eq!(count("person", viewer, filter), expected, "{filter} for {:?}", viewer.roles);
    }
}

#[test]
fn a_backlink_counts_only_rows_one_reads() {
    let mut world = World::new(&guarded());
    let ann = world.person("ann", &["agent"], &["a"]);
    let lead = world.person("lead", &["lead"], &[]);
    let person = world.create(&ann, "person", json!({"name": "Gold", "tier": "gold"})).unwrap();
    for (queue, amount) in [("a", 1), ("b", 2), ("b", 4)] {
        let ticket = json!({"subject": "T", "queue": queue, "amount": amount});
        let ticket = world.create(&lead, "ticket", ticket).unwrap();
        // Linked behind the lead's back: they do not read the person.
        let key = ("ticket".into(), ticket);
        let (place, _) = world.pack.form("ticket").field("person").unwrap();
        world.stored.records.get_mut(&key).unwrap().values[place] = formwork_model::Value::Id(person);
    }
    assert_eq!(world.read(&ann, "person", person).unwrap()["worth"], "1.00", "the agent reads queue a only");
    let (pack, at) = (world.pack.clone(), world.at);
    let mut count = |filter: &str| {
        let request = ListRequest { filter: Some(filter.to_owned()), ..ListRequest::default() };
        world.ask(|facts| questions::list(&pack, &ann, &"person".into(), &request, at, facts)).unwrap()["total"]["value"].clone()
    };
    for (filter, expected) in [
        ("count(tickets) == 1", 1),
        ("count(tickets) == 3", 0),
        ("sum(tickets, amount) == 1", 1),
        ("max(tickets, amount) == 1", 1),
        ("all(tickets, amount == 1)", 1),
        ("any(tickets, amount > 1)", 0),
        ("count(tickets, amount > 0) == 1", 1),
    ] {
        assert_eq!(count(filter), expected, "{filter}");
    }
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

/// A form whose writers may not know of everything that is asked of their records.
fn secretive() -> World {
    World::new(&[
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Desk", "languages": ["en"], "timezone": "UTC",
            "roles": {"agent": {"title": "A"}, "lead": {"title": "L"}}}),
        ),
        (
            "forms/case.json",
            json!({"label": "Case", "fields": {
                "subject": {"type": "text", "requiredIf": "grade == 'x'", "visibleIf": "grade != 'y'"},
                "note": {"type": "text", "requiredIf": "subject == 'x'"},
                "grade": {"type": "text", "label": "Grade", "required": true},
                "code": {"type": "text", "label": "Code", "default": "c"},
                "rows": {"type": "table", "fields": {"what": {"type": "text"}, "price": {"type": "integer", "label": "Price", "required": true, "tags": ["inner"]}}}},
            "unique": {"one": {"fields": ["code"]}, "two": {"fields": ["code", "note"]}},
            "rules": {"graded": {"check": "len(grade) < 3", "at": "grade", "message": "too long"}},
            "access": {
                "agent": {"read": true, "create": true, "update": true, "fields": {"*": "write", "grade": "none", "code": "none", "#inner": "none"}},
                "lead": {"read": true, "create": true, "update": true, "fields": {"*": "write"}}}}),
        ),
    ])
}

#[test]
fn what_a_writer_may_not_know_of_is_refused_without_its_name() {
    let mut world = secretive();
    let (agent, lead) = (world.person("agent", &["agent"], &[]), world.person("lead", &["lead"], &[]));
    world.create(&lead, "case", json!({"grade": "a", "note": "n"})).unwrap();
    let told = |rejection: Rejection| -> Vec<(String, String)> {
        assert!(
            !format!("{rejection:?}").contains("Grade") && !format!("{rejection:?}").contains("Code"),
            "{rejection:?}"
        );
        assert!(!format!("{rejection:?}").contains("Price"), "{rejection:?}");
        rejection.errors.into_iter().map(|error| (error.code, error.pointer)).collect()
    };
    let pair = |code: &str, pointer: &str| (code.to_owned(), pointer.to_owned());
    let refused = told(world.create(&agent, "case", json!({"rows": [{"what": "w"}], "note": "n"})).unwrap_err());
    for expected in [pair("required", ""), pair("unique", ""), pair("unique", "/note")] {
        assert!(refused.contains(&expected), "{expected:?} is missing: {refused:?}");
    }
    assert_eq!(refused.iter().filter(|error| **error == pair("required", "")).count(), 2, "grade, and a price");
    let long = world.create(&lead, "case", json!({"grade": "abc", "code": "d"})).unwrap_err();
    assert_eq!(long.errors[0].pointer, "/grade");
    let graded = world.create(&lead, "case", json!({"grade": "ab", "code": "e"})).unwrap();
    let (place, _) = world.pack.form("case").field("grade").unwrap();
    world.stored.records.get_mut(&("case".into(), graded)).unwrap().values[place] =
        formwork_model::Value::Text("abc".to_owned());
    let refused = world.update(&agent, "case", graded, json!({"note": "m"})).unwrap_err();
    assert_eq!(refused.errors[0].message, "too long", "the author's sentence is for everybody");
    assert_eq!(told(refused), [pair("graded", "")]);

    // While one types, the same; and the schema is silent about conditions over what one may not know of.
    let (pack, at) = (world.pack.clone(), world.at);
    let values = json!({"note": "n"}).as_object().unwrap().clone();
    let answer =
        world.ask(|facts| questions::evaluate(&pack, &agent, &"case".into(), None, None, &values, at, facts)).unwrap();
    assert!(answer["fields"].get("/grade").is_none() && answer["fields"].get("/code").is_none(), "{answer}");
    assert!(answer["fields"][""]["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{answer}");
    let schema = |viewer: &Viewer| questions::form_schema(&pack, viewer, &"case".into(), "create").unwrap().to_string();
    assert!(schema(&lead).contains("grade == 'x'") && schema(&lead).contains("grade != 'y'"));
    assert!(!schema(&agent).contains("grade"), "{}", schema(&agent));
    assert!(schema(&agent).contains("subject == 'x'"));
}
