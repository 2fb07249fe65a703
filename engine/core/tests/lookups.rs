//! Look-ups: what they find, what is said where they find too much, and what they never show.

mod support;

use formwork_core::eval::{Environment, EvalError, FOUND_MAX, Find, Nothing, TooMany, evaluate};
use formwork_core::instance::InstanceStatus;
use formwork_core::{Facts, Record, Rejection, RejectionKind, Viewer, questions};
use formwork_model::Value;
use formwork_model::expr::{Ir, Position, Scope, check};
use serde_json::{Value as Json, json};
use support::{World, instant};
use uuid::Uuid;

/// Parcels whose price is looked up in a tariff, and a hall that takes two of a day.
fn files() -> Vec<(&'static str, Json)> {
    let all =
        json!({"clerk": {"read": true, "create": true, "update": true, "delete": true, "fields": {"*": "write"}}});
    vec![
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Parcels", "languages": ["en"], "timezone": "Asia/Shanghai",
                "roles": {"clerk": {"title": "Clerk"}, "guest": {"title": "Guest"}}}),
        ),
        (
            "forms/area.json",
            json!({"label": "Area", "title": "name", "fields": {"name": {"type": "text"}, "far": {"type": "boolean"}}, "access": all}),
        ),
        (
            "forms/tariff.json",
            json!({"label": {"en": "Tariff", "zh-CN": "资费"}, "title": "zone",
                "fields": {"zone": {"type": "text"}, "least": {"type": "integer"}, "price": {"type": "money"},
                    "area": {"type": "link", "to": "area"}},
                "access": {"clerk": all["clerk"], "guest": {"read": "created_by == user.id", "create": true, "fields": {"*": "write"}}}}),
        ),
        (
            "forms/parcel.json",
            json!({"label": "Parcel", "title": "zone", "fields": {
                    "zone": {"type": "text"}, "weight": {"type": "integer"}, "day": {"type": "date"},
                    "price": {"type": "money", "stored": true,
                        "compute": "lookup(tariff, it.price, it.zone == lower(zone) and it.least <= weight)"},
                    "steps": {"type": "integer", "stored": true, "compute": "count(lookup_all(tariff, it.id, it.zone == zone))"},
                    "near": {"type": "integer", "stored": true,
                        "compute": "sum(lookup_all(tariff, it.least, it.zone == zone and not (it.area.far ?? false)))"},
                    "names": {"type": "text", "stored": true, "compute": "join(lookup_all(tariff, it.area.name, it.zone == zone), '+')"},
                    "first_step": {"type": "integer", "default": "=min(lookup_all(tariff, it.least, it.zone == zone))"},
                    "lines": {"type": "table", "fields": {"zone": {"type": "text"},
                        "price": {"type": "money", "stored": true,
                            "compute": "lookup(tariff, it.price, it.zone == zone and it.least == parent.weight)"}}}},
                "rules": {"hall": {"check": "count(lookup_all(parcel, it.id, it.day == day and it.id != id)) < 2 or day == null",
                    "at": "day", "message": "the hall is full"}},
                "access": {"clerk": all["clerk"], "guest": {"read": true, "create": true, "fields": {"*": "write"}}}}),
        ),
    ]
}

fn world() -> (World, Viewer) {
    let mut world = World::new(&files());
    let clerk = world.person("clerk", &["clerk"], &[]);
    (world, clerk)
}

/// A tariff; `price` per step.
fn tariff(world: &mut World, by: &Viewer, zone: &str, least: i64, price: &str, area: Option<Uuid>) -> Uuid {
    world.create(by, "tariff", json!({"zone": zone, "least": least, "price": price, "area": area})).unwrap()
}

fn places(rejection: &Rejection) -> Vec<(&str, &str)> {
    rejection.errors.iter().map(|error| (error.code.as_str(), error.pointer.as_str())).collect()
}

#[test]
fn a_record_is_filled_from_others_that_fit() {
    let (mut world, clerk) = world();
    let [near, far] = [("Near", false), ("Far", true)]
        .map(|(name, far)| world.create(&clerk, "area", json!({"name": name, "far": far})).unwrap());
    tariff(&mut world, &clerk, "a", 5, "10.00", Some(near));
    tariff(&mut world, &clerk, "a", 50, "8.50", Some(far));
    tariff(&mut world, &clerk, "a", 7, "1.00", None);
    tariff(&mut world, &clerk, "b", 1, "99.00", None);
    let id = world
        .create(&clerk, "parcel", json!({"zone": "a", "weight": 5, "lines": [{"zone": "b"}, {"zone": "a"}, {}]}))
        .unwrap();
    assert!(world.rounds <= 6, "{} round trips", world.rounds);
    let body = world.read(&clerk, "parcel", id).unwrap();
    let lines: Vec<&Json> = body["lines"].as_array().unwrap().iter().map(|line| &line["price"]).collect();
    assert_eq!(
        (&body["price"], &body["steps"], &body["near"], &body["names"], &body["first_step"], lines),
        // Of three in zone a only the first has 5 as its least, and the second lies far away.
        (
            &json!("10.00"),
            &json!(3),
            &json!(12),
            &json!("Near+Far"),
            &json!(5),
            vec![&Json::Null, &json!("10.00"), &Json::Null]
        )
    );
    // Nothing fits: null, and nothing is counted.
    let id = world.create(&clerk, "parcel", json!({"zone": "c", "weight": 5})).unwrap();
    let body = world.read(&clerk, "parcel", id).unwrap();
    assert_eq!(
        (&body["price"], &body["steps"], &body["names"], &body["first_step"]),
        (&Json::Null, &json!(0), &json!(""), &Json::Null)
    );
    // It is computed when the record is saved, not when the tariff is.
    tariff(&mut world, &clerk, "c", 1, "2.00", None);
    assert_eq!(world.read(&clerk, "parcel", id).unwrap()["price"], Json::Null);
    world.update(&clerk, "parcel", id, json!({"weight": 6})).unwrap();
    assert_eq!(world.read(&clerk, "parcel", id).unwrap()["price"], "2.00");
}

#[test]
fn more_than_one_is_an_error_that_names_the_form() {
    let (mut world, mut clerk) = world();
    tariff(&mut world, &clerk, "a", 5, "10.00", None);
    tariff(&mut world, &clerk, "a", 7, "8.50", None);
    let refused = world.create(&clerk, "parcel", json!({"zone": "a", "weight": 9})).unwrap_err();
    assert_eq!((refused.kind, places(&refused)), (RejectionKind::Invalid, vec![("lookup_ambiguous", "/price")]));
    assert_eq!(refused.errors[0].message, "more than one record of Tariff matches, and there should be one");
    clerk.language = "zh-CN".to_owned();
    let refused = world.create(&clerk, "parcel", json!({"zone": "a", "weight": 9})).unwrap_err();
    assert_eq!(refused.errors[0].message, "“资费”中有多条记录符合条件，只应有一条");
}

#[test]
fn a_rule_counts_what_is_stored() {
    let (mut world, clerk) = world();
    let filed: Vec<_> = (0..3).map(|_| world.create(&clerk, "parcel", json!({"day": "2026-02-01"}))).collect();
    assert_eq!(places(filed[2].as_ref().unwrap_err()), [("hall", "/day")]);
    // The record itself does not count, and a day is free again when one has left it.
    let first = *filed[0].as_ref().unwrap();
    world.update(&clerk, "parcel", first, json!({"weight": 3})).unwrap();
    world.update(&clerk, "parcel", first, json!({"day": "2026-02-02"})).unwrap();
    world.create(&clerk, "parcel", json!({"day": "2026-02-01"})).unwrap();
    assert!(world.update(&clerk, "parcel", first, json!({"day": "2026-02-01"})).is_err());
}

#[test]
fn ten_thousand_are_found_and_one_more_is_an_error() {
    let pack = support::pack(&files());
    let (viewer, at) = (Viewer::system("en"), instant("2026-01-05T01:00:00Z"));
    let shapes = formwork_core::access::shapes(&pack, &viewer);
    let scope = Scope::new(Position::Output, &shapes);
    let count = |source: &str, records: u32| {
        let expr = check(source, &scope, None).unwrap();
        let find = |most| Find { form: "area".into(), condition: Ir::Literal(Value::Boolean(true)), most };
        let find = find(if source.starts_with("lookup(") { 1 } else { FOUND_MAX });
        let record = |id: u32| Record {
            id: Uuid::from_u128(u128::from(id)),
            version: 1,
            created_at: at,
            created_by: None,
            updated_at: at,
            updated_by: None,
            values: vec![Value::Text(id.to_string()), Value::Null],
        };
        let mut facts = Facts::default();
        facts.add_found(find, (0..records).map(record).collect());
        evaluate(&expr.ir, &Environment::new(at, *pack.timezone(), &viewer, &Nothing, &facts))
    };
    let too_many = |most| Err(EvalError::TooMany(TooMany { form: "area".into(), most }));
    assert_eq!(count("count(lookup_all(area, it.far, true))", FOUND_MAX), Ok(Value::Integer(10_000)));
    assert_eq!(count("count(lookup_all(area, it.far, true))", FOUND_MAX + 1), too_many(FOUND_MAX));
    assert_eq!(count("lookup(area, it.name, true)", 1), Ok(Value::Text("0".to_owned())));
    assert_eq!(count("lookup(area, it.name, true)", 2), too_many(1));
    assert_eq!(
        count("lookup_all(area, it.name, true)", 2),
        Ok(Value::List(vec![Value::Text("0".to_owned()), Value::Text("1".to_owned())]))
    );
    // What is decided without the records asks for none.
    assert_eq!(count("count(lookup_all(area, it.far, it.name == 'x' and false))", 0), Ok(Value::Integer(0)));
}

/// A form is filled in by somebody who reads only their own tariffs.
#[test]
fn what_one_does_not_read_is_not_found_while_a_form_is_filled_in() {
    let (mut world, clerk) = world();
    let guest = world.person("guest", &["guest"], &[]);
    tariff(&mut world, &clerk, "a", 5, "10.00", None);
    let (pack, packs, at) = (world.pack.clone(), world.packs.clone(), world.at);
    let mut first_step = |viewer: &Viewer| {
        let values = json!({"zone": "a", "weight": 9}).as_object().unwrap().clone();
        let filled = questions::Filled { values, ..questions::Filled::default() };
        let form = "parcel".into();
        let answer = world.ask(|facts| questions::evaluate(&pack, &packs, viewer, &form, &filled, at, facts)).unwrap();
        answer["fields"]["/first_step"]["value"].clone()
    };
    assert_eq!((first_step(&clerk), first_step(&guest)), (json!(5), Json::Null));
}

/// What a workflow looks up, which step comes after, and how a decision decides.
fn with_workflow(version: &str, tariff_fields: Json) -> Vec<(&'static str, Json)> {
    let mut files = files();
    files[0].1["version"] = json!(version);
    files[2].1["fields"] = tariff_fields;
    files[3].1 = json!({"label": "Parcel", "title": "zone", "fields": {
            "zone": {"type": "text"}, "price": {"type": "money"}, "class": {"type": "text"}, "asked": {"type": "boolean"}},
        "access": files[3].1["access"]});
    files.push((
        "decisions/class.json",
        json!({"label": "Class", "for": "parcel", "hit": "first",
            "inputs": {"dearest": "max(lookup_all(tariff, it.price, it.zone == zone))"},
            "outputs": {"class": "text"},
            "rules": {"dear": {"if": ["> 9"], "then": ["lookup(tariff, it.zone, it.price == dearest)"]},
                "else": {"if": ["-"], "then": ["'cheap'"]}}}),
    ));
    files.push((
        "workflows/price.json",
        json!({"label": "Price", "for": "parcel", "start": {"filed": {"on": "created", "next": "wait"}}, "steps": {
            "wait": {"type": "wait", "events": {"later": {"after": "PT1H", "next": "class"}}},
            "class": {"type": "decision", "decision": "class", "set": {"class": "=step.class.class"}, "next": "price"},
            "price": {"type": "set", "set": {"price": "=lookup(tariff, it.price, it.zone == record.zone)"}, "next": "which"},
            "which": {"type": "choice", "branches": {"dear": {
                "if": "any(lookup_all(tariff, it.price > record.price - 1, it.zone == record.zone))", "next": "ask"}},
                "else": "end"},
            "ask": {"type": "set", "set": {"asked": true}, "next": "end"}}}),
    ));
    files
}

fn tariff_fields() -> Json {
    files()[2].1["fields"].clone()
}

fn hours_later(world: &mut World) -> InstanceStatus {
    world.advance_to(world.at + chrono::TimeDelta::hours(2));
    world.stored.instances.values().last().unwrap().status
}

#[test]
fn a_workflow_and_its_decision_look_things_up() {
    let mut world = World::new(&with_workflow("1.0.0", tariff_fields()));
    let clerk = world.person("clerk", &["clerk"], &[]);
    tariff(&mut world, &clerk, "a", 5, "10.00", None);
    let id = world.create(&clerk, "parcel", json!({"zone": "a"})).unwrap();
    assert_eq!(hours_later(&mut world), InstanceStatus::Completed);
    let body = world.read(&clerk, "parcel", id).unwrap();
    assert_eq!((&body["price"], &body["class"], &body["asked"]), (&json!("10.00"), &json!("a"), &json!(true)));
}

#[test]
fn a_step_that_finds_two_is_an_incident_that_names_the_form() {
    let mut world = World::new(&with_workflow("1.0.0", tariff_fields()));
    let clerk = world.person("clerk", &["clerk"], &[]);
    tariff(&mut world, &clerk, "a", 5, "1.00", None);
    tariff(&mut world, &clerk, "a", 6, "2.00", None);
    world.create(&clerk, "parcel", json!({"zone": "a"})).unwrap();
    assert_eq!(hours_later(&mut world), InstanceStatus::Failed);
    let incident = &world.stored.incidents[0];
    assert_eq!((&*incident.step, incident.code), ("price", "lookup_ambiguous"));
    assert!(incident.message.contains("`tariff`"), "{}", incident.message);
}

/// The instance goes on with the condition of its own pack, over records that are laid out anew.
#[test]
fn an_older_workflow_looks_into_forms_as_they_are_now() {
    let mut world = World::new(&with_workflow("1.0.0", tariff_fields()));
    let clerk = world.person("clerk", &["clerk"], &[]);
    tariff(&mut world, &clerk, "a", 5, "10.00", None);
    tariff(&mut world, &clerk, "b", 5, "20.00", None);
    let id = world.create(&clerk, "parcel", json!({"zone": "a"})).unwrap();
    let moved = json!({"note": {"type": "text"}, "price": {"type": "money"}, "least": {"type": "integer"}, "zone": {"type": "text"}});
    world.deploy(&with_workflow("2.0.0", moved));
    assert_eq!(hours_later(&mut world), InstanceStatus::Completed);
    let body = world.read(&clerk, "parcel", id).unwrap();
    assert_eq!((&body["price"], &body["class"]), (&json!("10.00"), &json!("a")));
}
