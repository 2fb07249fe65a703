//! What a viewer does not see shows nowhere: not through links, filters, refusals, schemas or forms.

mod support;

use formwork_core::access::ListRequest;
use formwork_core::stimulus::Verb;
use formwork_core::{Rejection, RejectionKind, Viewer, questions};
use serde_json::{Value as Json, json};
use support::World;
use support::desk::files;
use uuid::Uuid;

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
    let (pack, packs, at) = (world.pack.clone(), world.packs.clone(), world.at);
    let mut typed = |person: Uuid| {
        let values = json!({"subject": "x", "person": person}).as_object().unwrap().clone();
        let filled = questions::Filled { values, ..questions::Filled::default() };
        let form = "ticket".into();
        let answer = world.ask(|facts| questions::evaluate(&pack, &packs, &ben, &form, &filled, at, facts)).unwrap();
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
                "public": {"read": "created_by == user.id", "create": true, "fields": {"*": "write"}},
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
    let filled = questions::Filled { values, ..questions::Filled::default() };
    let packs = world.packs.clone();
    let answer =
        world.ask(|facts| questions::evaluate(&pack, &packs, &agent, &"case".into(), &filled, at, facts)).unwrap();
    assert!(answer["fields"].get("/grade").is_none() && answer["fields"].get("/code").is_none(), "{answer}");
    assert!(answer["fields"][""]["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{answer}");
    let schema = |viewer: &Viewer| questions::form_schema(&pack, viewer, &"case".into(), "create").unwrap().to_string();
    assert!(schema(&lead).contains("grade == 'x'") && schema(&lead).contains("grade != 'y'"));
    assert!(!schema(&agent).contains("grade"), "{}", schema(&agent));
    assert!(schema(&agent).contains("subject == 'x'"));
}

#[test]
fn nobody_in_particular_has_no_records_of_their_own() {
    let mut world = secretive();
    let (agent, public) = (world.person("agent", &["agent"], &[]), Viewer::public("en"));
    let filed = world.create(&public, "case", json!({"grade": "a"})).unwrap();
    assert!(world.read(&agent, "case", filed).is_ok());
    assert_eq!(world.read(&public, "case", filed).unwrap_err().kind, RejectionKind::NotFound);
    let (pack, at) = (world.pack.clone(), world.at);
    let all = ListRequest::default();
    let seen = world.ask(|facts| questions::list(&pack, &public, &"case".into(), &all, at, facts)).unwrap();
    assert_eq!(seen["total"]["value"], 0);
}

#[test]
fn a_form_in_a_task_is_that_of_the_step_the_task_was_made_by() {
    let files = |level: &str| {
        let grants = json!({"amount": level});
        vec![
            (
                "pack.json",
                json!({"version": "1.0.0", "title": "Desk", "languages": ["en"], "timezone": "UTC",
                "roles": {"agent": {"title": "A"}}, "queues": {"a": {"title": "A"}}}),
            ),
            (
                "forms/case.json",
                json!({"label": "Case", "fields": {"amount": {"type": "integer"}},
                "access": {"agent": {"read": true, "create": true, "fields": {"*": "read"}}}}),
            ),
            (
                "workflows/handling.json",
                json!({"label": "Handling", "for": "case", "start": {"filed": {"on": "created", "next": "look"}},
                "steps": {"look": {"type": "user", "assign": {"queue": "a"}, "fields": grants, "outcomes": {"done": "finish"}},
                          "finish": {"type": "end", "outcome": "done"}}}),
            ),
        ]
    };
    let mut world = World::new(&files("write"));
    let ann = world.person("ann", &["agent"], &["a"]);
    let case = world.create(&ann, "case", json!({})).unwrap();
    let task = world.open_task("look").id;
    world.task_act(&ann, task, Verb::Claim).unwrap();
    let is_locked = |world: &mut World, task: Option<Uuid>| {
        let (pack, packs, at) = (world.pack.clone(), world.packs.clone(), world.at);
        let filled = questions::Filled { id: Some(case), task, ..questions::Filled::default() };
        let form = "case".into();
        let answer = world.ask(|facts| questions::evaluate(&pack, &packs, &ann, &form, &filled, at, facts)).unwrap();
        answer["fields"]["/amount"]["readonly"].clone()
    };
    assert_eq!((is_locked(&mut world, None), is_locked(&mut world, Some(task))), (json!(true), json!(false)));
    // A newer version of the pack grants less; the task goes on as it began.
    world.deploy(&files("read"));
    assert_eq!(is_locked(&mut world, Some(task)), json!(false));
}
