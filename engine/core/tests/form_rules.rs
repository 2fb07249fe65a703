//! The one set of rules of a form: each rule, its refusal, and the proof that a refusal changes nothing.

mod support;

use formwork_core::change::{Reply, Written};
use formwork_core::questions::Filled;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, Rejection, RejectionKind, Viewer};
use serde_json::{Value as Json, json};
use support::{World, object};
use uuid::Uuid;

fn files() -> Vec<(&'static str, Json)> {
    vec![
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Orders", "languages": ["en"], "timezone": "Asia/Shanghai",
            "roles": {"clerk": {"title": "Clerk"}}, "queues": {"desk": {"title": "Desk"}}}),
        ),
        (
            "forms/client.json",
            json!({"label": "Client", "title": "name", "naturalKey": ["code"],
            "fields": {"code": {"type": "text"}, "name": {"type": "text"}, "tier": {"type": "choice", "options": {"gold": {}, "plain": {}}},
                "orders": {"type": "backlink", "from": "order.client"}},
            "access": {"clerk": {"read": true, "create": true, "update": true, "delete": true, "fields": {"*": "write"}}}}),
        ),
        (
            "forms/order.json",
            json!({"label": "Order", "title": "no + ' ' + subject",
            "fields": {
                "no": {"type": "series", "pattern": "OR{yyyy}{MM}{dd}-{seq:4}", "reset": "day"},
                "subject": {"type": "text", "max": 10, "required": true, "label": {"en": "Subject", "zh-CN": "主题"}},
                "kind": {"type": "choice", "options": {"sale": {}, "rental": {}}, "default": "sale"},
                "client": {"type": "link", "to": "client"},
                "tier": {"type": "lookup", "via": "client", "field": "tier", "snapshot": "on_create"},
                "tier_now": {"type": "lookup", "via": "client", "field": "tier"},
                "until": {"type": "date", "visibleIf": "kind == 'rental'", "requiredIf": "kind == 'rental'"},
                "code": {"type": "text", "pattern": "[A-Z]{2}[0-9]+"},
                "phone": {"type": "phone"}, "email": {"type": "email"},
                "quantity": {"type": "integer", "min": 1, "max": 9},
                "weight": {"type": "decimal", "scale": 3},
                "items": {"type": "table", "maxRows": 3, "unique": {"tag": ["tag"]}, "fields": {
                    "tag": {"type": "text"}, "count": {"type": "integer", "default": 1},
                    "price": {"type": "money", "min": 0, "required": true},
                    "sum": {"type": "money", "compute": "price * count"}}},
                "total": {"type": "money", "compute": "sum(items, sum)", "stored": true},
                "discount": {"type": "money", "readOnlyIf": "state == 'closed'"},
                "net": {"type": "money", "compute": "total - (discount ?? 0)"},
                "state": {"type": "choice", "options": {"new": {}, "closed": {}}, "default": "new"},
                "seen_at": {"type": "datetime"},
                "credit": {"type": "money", "default": "= when(subject == 'huge', number('99999999999999999'), null)"},
                "secret": {"type": "text", "readOnly": true}},
            "rules": {"discount_le_total": {"check": "(discount ?? 0) <= total", "at": "discount", "message": {"en": "too much", "zh-CN": "过多"}}},
            "unique": {"one_open": {"fields": ["client", "subject"], "where": "state != 'closed'"}},
            "access": {"clerk": {"read": true, "create": true, "update": true, "delete": true, "fields": {"*": "write"}}}}),
        ),
    ]
}

fn world() -> (World, Viewer) {
    let mut world = World::new(&files());
    let clerk = world.person("clerk", &["clerk"], &[]);
    (world, clerk)
}

fn places(rejection: &Rejection) -> Vec<(&str, &str)> {
    rejection.errors.iter().map(|error| (error.code.as_str(), error.pointer.as_str())).collect()
}

#[test]
fn a_new_record_has_defaults_numbers_and_computed_values() {
    let (mut world, clerk) = world();
    let id = world
        .create(&clerk, "order", json!({"subject": "Desks", "items": [{"price": "10.50", "count": 2}, {"price": 3}]}))
        .unwrap();
    assert!(world.rounds <= 3, "{} round trips", world.rounds);
    let body = world.read(&clerk, "order", id).unwrap();
    for (field, expected) in [
        ("no", json!("OR20260105-0001")),
        ("kind", json!("sale")),
        ("state", json!("new")),
        ("total", json!("24.00")),
        ("net", json!("24.00")),
        ("version", json!(1)),
        ("created_at", json!("2026-01-05T01:00:00Z")),
        ("title", json!("OR20260105-0001 Desks")),
    ] {
        assert_eq!(body[field], expected, "{field}");
    }
    assert_eq!(body["items"][0]["sum"], "21.00");
    assert_eq!(body["items"][1]["count"], 1);
    assert_eq!(body["created_by"]["title"], "clerk");
    let second = world.create(&clerk, "order", json!({"subject": "Chairs"})).unwrap();
    assert_eq!(world.value("order", second, "no"), "OR20260105-0002");
}

#[test]
fn a_local_time_that_does_not_exist_is_the_first_instant_after_the_gap() {
    let (mut world, clerk) = world();
    // Clocks in Shanghai went from 02:00 to 03:00 on 4 May 1986, and back from 02:00 to 01:00 on 15 September 1991.
    for (written, expected) in
        [("1986-05-04T02:30", "1986-05-03T18:00:00Z"), ("1991-09-15T01:30", "1991-09-14T16:30:00Z")]
    {
        let id = world.create(&clerk, "order", json!({"subject": "a", "seen_at": written})).unwrap();
        assert_eq!(world.read(&clerk, "order", id).unwrap()["seen_at"], expected, "{written}");
    }
}

#[test]
fn every_refusal_names_its_place_and_changes_nothing() {
    let cases = [
        (json!({}), vec![("required", "/subject")]),
        (json!({"subject": "  "}), vec![("required", "/subject")]),
        (json!({"subject": "12345678901"}), vec![("too_long", "/subject")]),
        (json!({"subject": "a", "nothing": 1}), vec![("unknown_field", "/nothing")]),
        (json!({"subject": "a", "version": 7}), vec![("not_writable", "/version")]),
        (json!({"subject": 5}), vec![("wrong_type", "/subject")]),
        (json!({"subject": "a\0b"}), vec![("null_character", "/subject")]),
        (json!({"subject": "a", "total": "5.00"}), vec![("not_writable", "/total")]),
        (json!({"subject": "a", "no": "OR1"}), vec![("not_writable", "/no")]),
        (json!({"subject": "a", "tier": "gold"}), vec![("not_writable", "/tier")]),
        (json!({"subject": "a", "secret": "x"}), vec![("not_writable", "/secret")]),
        (json!({"subject": "a", "kind": "gift"}), vec![("unknown_option", "/kind")]),
        (json!({"subject": "huge"}), vec![("overflow", "/credit")]),
        (json!({"subject": "a", "kind": "rental"}), vec![("required", "/until")]),
        (json!({"subject": "a", "kind": "rental", "until": "2026-02-30"}), vec![("wrong_type", "/until")]),
        (json!({"subject": "a", "code": "ab1"}), vec![("pattern", "/code")]),
        (json!({"subject": "a", "code": "AB1x"}), vec![("pattern", "/code")]),
        (json!({"subject": "a", "phone": "12345"}), vec![("phone", "/phone")]),
        (json!({"subject": "a", "email": "nobody"}), vec![("email", "/email")]),
        (json!({"subject": "a", "quantity": 0}), vec![("too_small", "/quantity")]),
        (json!({"subject": "a", "quantity": 10}), vec![("too_large", "/quantity")]),
        (json!({"subject": "a", "quantity": 1.5}), vec![("wrong_type", "/quantity")]),
        (json!({"subject": "a", "weight": "1.2345"}), vec![("too_precise", "/weight")]),
        (json!({"subject": "a", "weight": "1e3"}), vec![("wrong_type", "/weight")]),
        (json!({"subject": "a", "client": Uuid::nil()}), vec![("not_found", "/client")]),
        (json!({"subject": "a", "client": {"key": {"code": "none"}}}), vec![("not_found", "/client")]),
        (json!({"subject": "a", "discount": "1.00"}), vec![("discount_le_total", "/discount")]),
        (json!({"subject": "a", "items": [{"tag": "x"}]}), vec![("required", "/items/0/price")]),
        (
            json!({"subject": "a", "items": [{"price": -1}]}),
            vec![("too_small", "/items/0/price"), ("discount_le_total", "/discount")],
        ),
        (json!({"subject": "a", "items": [{"price": 1, "sum": 1}]}), vec![("not_writable", "/items/0/sum")]),
        (json!({"subject": "a", "items": [{"price": 1, "colour": 1}]}), vec![("unknown_field", "/items/0/colour")]),
        (
            json!({"subject": "a", "items": [{"price": 1, "tag": "x"}, {"price": 1, "tag": "x"}]}),
            vec![("unique", "/items/1/tag")],
        ),
        (
            json!({"subject": "a", "items": [{"price": 1}, {"price": 1}, {"price": 1}, {"price": 1}]}),
            vec![("too_many_rows", "/items")],
        ),
        (json!({"subject": "a", "items": "none"}), vec![("wrong_type", "/items")]),
        (
            json!({"code": "x", "quantity": 0}),
            vec![("required", "/subject"), ("pattern", "/code"), ("too_small", "/quantity")],
        ),
    ];
    let (mut world, clerk) = world();
    let before = world.stored.clone();
    for (values, expected) in cases {
        let rejection = world.create(&clerk, "order", values.clone()).unwrap_err();
        assert_eq!(rejection.kind, RejectionKind::Invalid, "{values}");
        assert_eq!(rejection.code, "FW1004");
        assert_eq!(places(&rejection), expected, "{values}");
        assert_eq!(world.stored, before, "{values}");
    }
}

#[test]
fn messages_are_in_the_language_of_the_caller() {
    let (mut world, mut clerk) = world();
    clerk.language = "zh-CN".into();
    let rejection = world.create(&clerk, "order", json!({})).unwrap_err();
    assert_eq!(rejection.errors[0].message, "请填写主题");
}

#[test]
fn values_are_normalised() {
    let (mut world, clerk) = world();
    let values = json!({"subject": "a", "code": "ＡＢ１２", "phone": "138 1234-5678", "email": "Ann@Example.COM",
        "quantity": "３", "weight": 0.1});
    let id = world.create(&clerk, "order", values).unwrap();
    for (field, expected) in [
        ("code", json!("AB12")),
        ("phone", json!("+8613812345678")),
        ("email", json!("ann@example.com")),
        ("quantity", json!(3)),
        ("weight", json!("0.100")),
    ] {
        assert_eq!(world.value("order", id, field), expected, "{field}");
    }
}

#[test]
fn hidden_fields_are_cleared_and_never_validated() {
    let (mut world, clerk) = world();
    let id = world.create(&clerk, "order", json!({"subject": "a", "kind": "rental", "until": "2026-03-01"})).unwrap();
    assert_eq!(world.value("order", id, "until"), "2026-03-01");
    world.update(&clerk, "order", id, json!({"kind": "sale"})).unwrap();
    assert_eq!(world.value("order", id, "until"), Json::Null);
    // Hidden from the start: not required, and what is sent for it goes.
    let id = world.create(&clerk, "order", json!({"subject": "b", "until": "2026-03-01"})).unwrap();
    assert_eq!(world.value("order", id, "until"), Json::Null);
}

#[test]
fn what_is_read_only_now_cannot_be_unlocked_by_the_same_patch() {
    let (mut world, clerk) = world();
    let id =
        world.create(&clerk, "order", json!({"subject": "a", "items": [{"price": 9}], "state": "closed"})).unwrap();
    let before = world.stored.clone();
    let rejection = world.update(&clerk, "order", id, json!({"state": "new", "discount": "1.00"})).unwrap_err();
    assert_eq!(places(&rejection), [("not_writable", "/discount")]);
    assert_eq!(world.stored, before);
    world.update(&clerk, "order", id, json!({"state": "new"})).unwrap();
    world.update(&clerk, "order", id, json!({"discount": "1.00"})).unwrap();
    assert_eq!(world.read(&clerk, "order", id).unwrap()["net"], "8.00");
}

#[test]
fn rows_are_patched_by_id() {
    let (mut world, clerk) = world();
    let values = json!({"subject": "a", "items": [{"tag": "x", "price": 1}, {"tag": "y", "price": 2}]});
    let id = world.create(&clerk, "order", values).unwrap();
    let items = world.read(&clerk, "order", id).unwrap()["items"].clone();
    let (x, y) = (items[0]["id"].as_str().unwrap().to_owned(), items[1]["id"].as_str().unwrap().to_owned());
    // As a list: known rows keep what is not said, rows left out go, others are new.
    world.update(&clerk, "order", id, json!({"items": [{"id": y, "price": 5}, {"price": 7}]})).unwrap();
    let items = world.read(&clerk, "order", id).unwrap()["items"].clone();
    assert_eq!((&items[0]["id"], &items[0]["tag"], &items[0]["price"]), (&json!(y), &json!("y"), &json!("5.00")));
    assert_eq!(items[1]["price"], "7.00");
    assert_eq!(items.as_array().unwrap().len(), 2);
    // As a map by id: a merge patch.
    let patch = json!({"items": {(y.clone()): {"count": 3}, "new": {"price": 1}}});
    world.update(&clerk, "order", id, patch).unwrap();
    let body = world.read(&clerk, "order", id).unwrap();
    assert_eq!(body["total"], "23.00"); // 3 × 5 + 7 + 1
    world.update(&clerk, "order", id, json!({"items": {(y.clone()): null}})).unwrap();
    assert_eq!(world.read(&clerk, "order", id).unwrap()["total"], "8.00");
    // A row that is none of this record.
    let rejection = world.update(&clerk, "order", id, json!({"items": [{"id": x, "price": 5}]})).unwrap_err();
    assert_eq!(places(&rejection), [("unknown_row", "/items/0/id")]);
    let rejection = world.update(&clerk, "order", id, json!({"items": {"new": {"count": 1}}})).unwrap_err();
    assert_eq!(places(&rejection), [("required", "/items/new/price")]);
}

#[test]
fn links_are_found_by_natural_key_and_snapshots_keep_their_moment() {
    let (mut world, clerk) = world();
    let client = world.create(&clerk, "client", json!({"code": "C1", "name": "Ann", "tier": "gold"})).unwrap();
    let id = world.create(&clerk, "order", json!({"subject": "a", "client": {"key": {"code": "C1"}}})).unwrap();
    let short = world.create(&clerk, "order", json!({"subject": "b", "client": "C1"})).unwrap();
    assert_eq!(world.value("order", short, "client"), json!(client.to_string()));
    world.update(&clerk, "client", client, json!({"tier": "plain"})).unwrap();
    world.update(&clerk, "order", id, json!({"quantity": 2})).unwrap();
    let body = world.read(&clerk, "order", id).unwrap();
    assert_eq!(body["client"], json!({"id": client, "title": "Ann"}));
    assert_eq!((&body["tier"], &body["tier_now"]), (&json!("gold"), &json!("plain")));
    let orders = world.read(&clerk, "client", client).unwrap()["orders"].clone();
    assert_eq!(orders.as_array().unwrap().len(), 2);
}

#[test]
fn uniqueness_counts_only_where_its_condition_holds() {
    let (mut world, clerk) = world();
    world.create(&clerk, "client", json!({"code": "C1"})).unwrap();
    let rejection = world.create(&clerk, "client", json!({"code": "C1"})).unwrap_err();
    assert_eq!(places(&rejection), [("unique", "/code")]);
    let first = world.create(&clerk, "order", json!({"subject": "a", "client": "C1"})).unwrap();
    let rejection = world.create(&clerk, "order", json!({"subject": "a", "client": "C1"})).unwrap_err();
    assert_eq!(places(&rejection), [("unique", "/client")]);
    world.update(&clerk, "order", first, json!({"state": "closed"})).unwrap();
    world.create(&clerk, "order", json!({"subject": "a", "client": "C1"})).unwrap();
    // Opening the first again would make two.
    let rejection = world.update(&clerk, "order", first, json!({"state": "new"})).unwrap_err();
    assert_eq!(places(&rejection), [("unique", "/client")]);
    // Nulls are distinct.
    world.create(&clerk, "order", json!({"subject": "n"})).unwrap();
    world.create(&clerk, "order", json!({"subject": "n"})).unwrap();
}

#[test]
fn an_update_makes_one_version_and_one_diff_or_nothing() {
    let (mut world, clerk) = world();
    let id = world.create(&clerk, "order", json!({"subject": "a", "items": [{"price": 1}]})).unwrap();
    let reply = world.update(&clerk, "order", id, json!({"subject": "a"})).unwrap();
    assert_eq!(reply, Reply::Record { form: "order".into(), id, version: 1, outcome: Written::Unchanged });
    assert_eq!(world.kinds(), ["record.created"]);
    world.update(&clerk, "order", id, json!({"subject": "b", "quantity": 2})).unwrap();
    let event = world.stored.events.last().unwrap();
    assert_eq!(
        event.data,
        json!({"version": 2, "diff": [
        {"op": "replace", "path": "/subject", "value": "b", "old": "a"},
        {"op": "add", "path": "/quantity", "value": 2, "old": null}]})
    );
    let act =
        Act::Update { form: "order".into(), id, expected_version: Some(1), patch: object(json!({"subject": "c"})) };
    let before = world.stored.clone();
    let rejection = world.submit(&clerk, act).unwrap_err();
    assert_eq!((rejection.kind, rejection.code.as_str()), (RejectionKind::Stale, "conflict"));
    assert_eq!(world.stored, before);
}

#[test]
fn deleting_is_refused_while_records_link_here() {
    let (mut world, clerk) = world();
    let client = world.create(&clerk, "client", json!({"code": "C1"})).unwrap();
    let order = world.create(&clerk, "order", json!({"subject": "a", "client": "C1"})).unwrap();
    let delete = |form: &str, id| Act::Delete { form: form.into(), id, expected_version: None };
    let before = world.stored.clone();
    let rejection = world.submit(&clerk, delete("client", client)).unwrap_err();
    assert_eq!((rejection.kind, rejection.code.as_str()), (RejectionKind::Conflict, "linked"));
    assert_eq!(world.stored, before);
    assert_eq!(world.submit(&clerk, delete("order", order)).unwrap(), Reply::Deleted);
    assert_eq!(world.submit(&clerk, delete("client", client)).unwrap(), Reply::Deleted);
    assert!(world.stored.records.is_empty());
    assert_eq!(world.read(&clerk, "order", order).unwrap_err().kind, RejectionKind::NotFound);
}

#[test]
fn an_upsert_creates_updates_or_finds_unchanged() {
    let (mut world, _) = world();
    let system = Viewer::system("en");
    let upsert = |values: Json| Act::Upsert {
        form: "client".into(),
        by: vec![0],
        values: object(values),
        effects: Effects::NONE,
    };
    let outcomes: Vec<Written> = [
        json!({"code": "C1", "name": "Ann"}),
        json!({"code": "C1", "name": "Ann"}),
        json!({"code": "C1", "name": "Bob"}),
    ]
    .into_iter()
    .map(|values| match world.submit(&system, upsert(values)).unwrap() {
        Reply::Record { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    })
    .collect();
    assert_eq!(outcomes, [Written::Created, Written::Unchanged, Written::Updated]);
    assert_eq!(world.stored.records.len(), 1);
}

#[test]
fn evaluating_answers_field_by_field_and_stores_nothing() {
    let (mut world, clerk) = world();
    world.create(&clerk, "client", json!({"code": "C1", "name": "Ann"})).unwrap();
    let before = world.stored.clone();
    let (pack, packs, at) = (world.pack.clone(), world.packs.clone(), world.at);
    let values = object(json!({"kind": "rental", "quantity": 0, "items": [{"price": "2.00"}]}));
    let filled = Filled { values, ..Filled::default() };
    let answer = world
        .ask(|facts| formwork_core::questions::evaluate(&pack, &packs, &clerk, &"order".into(), &filled, at, facts))
        .unwrap();
    assert_eq!(world.stored, before);
    let field = |pointer: &str| answer["fields"][pointer].clone();
    assert_eq!((&field("/until")["visible"], &field("/until")["required"]), (&json!(true), &json!(true)));
    assert_eq!(field("/until")["errors"][0]["code"], "required");
    assert_eq!(field("/quantity")["errors"][0]["code"], "too_small");
    assert_eq!((&field("/total")["value"], &field("/total")["readonly"]), (&json!("2.00"), &json!(true)));
    assert_eq!(field("/items/0/sum")["value"], "2.00");
    assert_eq!(field("/state")["options"][1]["value"], "closed");
    assert_eq!(field("/client")["options"][0]["label"], "Ann");
    let filled = Filled { values: object(json!({"kind": "sale"})), ..Filled::default() };
    let answer = world
        .ask(|facts| formwork_core::questions::evaluate(&pack, &packs, &clerk, &"order".into(), &filled, at, facts))
        .unwrap();
    assert_eq!(answer["fields"]["/until"]["visible"], false);
    assert_eq!(answer["fields"]["/until"]["errors"], json!([]));

    // A form that was drawn with an older version of its record is told so, and answered all the same.
    let order = world.create(&clerk, "order", json!({"kind": "sale", "subject": "s"})).unwrap();
    let mut stale = |version| {
        let filled = Filled { id: Some(order), version, ..Filled::default() };
        world
            .ask(|facts| formwork_core::questions::evaluate(&pack, &packs, &clerk, &"order".into(), &filled, at, facts))
            .unwrap()["stale"]
            .clone()
    };
    assert_eq!([stale(None), stale(Some(1)), stale(Some(7))], [json!(false), json!(false), json!(true)]);
}
