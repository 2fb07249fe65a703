//! Records: what is written is what is read, and the constraints of the database are the last guard.

use std::sync::Arc;

use chrono::{NaiveDate, TimeZone, Utc};
use formwork_core::change::{ChangeSet, RecordChange, Reply, Written};
use formwork_core::facts::Need;
use formwork_core::{RejectionKind, Stop, Viewer};
use formwork_model::Value;
use formwork_model::value::Row;
use formwork_store::{Audit, AuditFilter, Failure, Session, Token, UserFilter};
use uuid::Uuid;

use crate::forms::everything;
use crate::world::{World, at, changes, created, new_record, text, value};

crate::on_both!(super::everything();
    every_type_is_read_as_it_was_written,
    text_is_stored_as_it_is,
    numbers_beyond_what_is_exact_are_refused,
    child_rows_are_added_changed_moved_and_removed,
    records_that_link_to_each_other_are_created_together,
    uniques_are_guarded_by_the_database,
    a_restricted_link_holds_the_record,
    an_equal_request_gets_the_stored_reply,
    a_refusal_leaves_nothing,
    series_count_without_gaps_where_one_node_works,
    an_answer_is_kept_beside_its_request,
    users_sessions_and_tokens,
);

fn every_value() -> Vec<(&'static str, Value)> {
    vec![
        ("name", text("名称 😀")),
        ("notes", text("line\nline")),
        ("count", Value::Integer(i64::MIN)),
        ("ratio", Value::Decimal("-0.125".parse().unwrap())),
        ("price", Value::Decimal("9999999999999999.99".parse().unwrap())),
        ("open", Value::Boolean(false)),
        ("day", Value::Date(NaiveDate::from_ymd_opt(1969, 12, 31).unwrap())),
        ("seen", Value::DateTime(Utc.timestamp_micros(1_234_567_890_123_456).unwrap())),
        ("state", text("new")),
        ("site", Value::Id(Uuid::from_u128(1))),
        ("mail", text("a@example.com")),
        ("phone", text("+8613800000000")),
        ("queue", text("north")),
        ("owner", Value::Id(Uuid::from_u128(77))),
        ("total", Value::Decimal("1.50".parse().unwrap())),
        (
            "items",
            Value::Rows(vec![Row {
                id: Uuid::from_u128(500),
                values: vec![text("x"), Value::Decimal("1.50".parse().unwrap()), Value::Null],
            }]),
        ),
    ]
}

async fn every_type_is_read_as_it_was_written(world: Arc<World>) {
    let pack = world.pack();
    world.create("site", vec![new_record(&pack, "site", 1, &[("name", text("s"))])]).await;
    let mut thing = new_record(&pack, "thing", 2, &every_value());
    thing.created_by = Some(Uuid::from_u128(9));
    let empty = new_record(&pack, "thing", 3, &[]);
    world.create("thing", vec![thing.clone(), empty.clone()]).await;

    assert_eq!(world.get("thing", thing.id).await, Some(thing.clone()));
    assert_eq!(world.get("thing", empty.id).await, Some(empty.clone()), "nulls stay nulls");
    assert_eq!(world.get("thing", Uuid::from_u128(4)).await, None);

    let (_, scanned) = world.store.scan(&pack, "thing").await.unwrap();
    assert_eq!(scanned, [thing.clone(), empty.clone()]);
    let picked = world.store.records(&pack, "thing", &[Uuid::from_u128(8), empty.id]).await.unwrap();
    assert_eq!(picked, std::slice::from_ref(&empty));

    world.update("thing", empty.id, |record| record.values = Vec::from_iter(record.values.drain(..))).await.unwrap();
    let touched = world.get("thing", empty.id).await.unwrap();
    assert_eq!((touched.version, touched.values), (2, empty.values));

    world.delete("thing", thing.id).await.unwrap();
    assert_eq!(world.get("thing", thing.id).await, None);
    assert_eq!(world.store.scan(&pack, "thing").await.unwrap().1.len(), 1);
}

async fn text_is_stored_as_it_is(world: Arc<World>) {
    let pack = world.pack();
    let naughty = [
        "",
        " ",
        "'; DROP TABLE lab_thing; --",
        "\"quoted\" \\ back",
        "%_like_%",
        "$1 ? :x @y",
        "a\u{301} é",
        "\u{202e}txet",
        "👩‍👩‍👧‍👦🇨🇳",
        "龘龘龘",
        "\u{feff}bom",
        "nul\u{1}",
        "\r\n\t",
    ];
    for (number, name) in naughty.iter().enumerate() {
        let thing = new_record(&pack, "thing", 10 + number as u128, &[("name", text(name)), ("order", text(name))]);
        world.create("thing", vec![thing.clone()]).await;
        let read = world.get("thing", thing.id).await.unwrap();
        assert_eq!(value(&pack, "thing", &read, "name"), &text(name));
    }
    let id = Uuid::from_u128(10);
    let refused = world.update("thing", id, |record| record.values[0] = text("a\0b")).await.unwrap_err();
    let Failure::Rejected(rejection) = refused else { panic!("{refused:?}") };
    assert_eq!((rejection.kind, rejection.code.as_str()), (RejectionKind::Invalid, "control_character"));
    assert_eq!(rejection.errors[0].pointer, "/name");
}

async fn numbers_beyond_what_is_exact_are_refused(world: Arc<World>) {
    let pack = world.pack();
    for number in ["10000000000000000.01", "-10000000000000000.01", "79228162514264337593543950335"] {
        let price = Value::Decimal(number.parse().unwrap());
        let thing = new_record(&pack, "thing", 2, &[("price", price)]);
        let refused = world.run(move |_| Ok(created("thing", std::slice::from_ref(&thing)))).await.unwrap_err();
        let Failure::Rejected(rejection) = refused else { panic!("{number}: {refused:?}") };
        assert_eq!((rejection.code.as_str(), rejection.errors[0].pointer.as_str()), ("out_of_range", "/price"));
    }
}

async fn child_rows_are_added_changed_moved_and_removed(world: Arc<World>) {
    let pack = world.pack();
    let row = |id: u128, label: &str| Row {
        id: Uuid::from_u128(id),
        values: vec![text(label), Value::Null, Value::Boolean(true)],
    };
    let items = pack.form("thing").field("items").unwrap().0;
    let first = Value::Rows(vec![row(101, "a"), row(102, "b"), row(103, "c")]);
    world.create("thing", vec![new_record(&pack, "thing", 2, &[("items", first)])]).await;

    let next = Value::Rows(vec![row(103, "c"), row(104, "new"), row(101, "changed")]);
    let wanted = next.clone();
    world.update("thing", Uuid::from_u128(2), move |record| record.values[items] = next.clone()).await.unwrap();
    let read = world.get("thing", Uuid::from_u128(2)).await.unwrap();
    assert_eq!(read.values[items], wanted);

    let gone = Value::Rows(Vec::new());
    world.update("thing", Uuid::from_u128(2), move |record| record.values[items] = gone.clone()).await.unwrap();
    assert_eq!(world.get("thing", Uuid::from_u128(2)).await.unwrap().values[items], Value::Rows(Vec::new()));
}

async fn records_that_link_to_each_other_are_created_together(world: Arc<World>) {
    let pack = world.pack();
    let thing = new_record(&pack, "thing", 2, &[("site", Value::Id(Uuid::from_u128(1)))]);
    let site = new_record(&pack, "site", 1, &[("name", text("s"))]);
    let visit = new_record(&pack, "visit", 3, &[("thing", Value::Id(thing.id))]);
    let created = |form: &str, after: &formwork_core::Record| RecordChange {
        form: form.into(),
        before: None,
        after: Some(after.clone()),
    };
    // The one that links comes first: the store finds the order.
    let records = vec![created("visit", &visit), created("thing", &thing), created("site", &site)];
    world.run(move |_| Ok(ChangeSet { records: records.clone(), ..Default::default() })).await.unwrap();

    let found = world.run(|facts| {
        let key = ("visit".into(), "thing".into(), Uuid::from_u128(2));
        let Some(visits) = facts.backlinks.get(&key) else {
            return Err(Stop::Need(vec![Need::Backlinks { form: key.0, link: key.1, to: key.2 }]));
        };
        assert_eq!(visits.iter().map(|visit| visit.id).collect::<Vec<_>>(), [Uuid::from_u128(3)]);
        Ok(ChangeSet::default())
    });
    found.await.unwrap();
}

async fn uniques_are_guarded_by_the_database(world: Arc<World>) {
    let pack = world.pack();
    let site = ("site", Value::Id(Uuid::from_u128(1)));
    world.create("site", vec![new_record(&pack, "site", 1, &[("name", text("s"))])]).await;
    let thing = |id: u128, state: &str, order: Value| {
        new_record(&pack, "thing", id, &[("name", text("n")), site.clone(), ("state", text(state)), ("order", order)])
    };
    world.create("thing", vec![thing(2, "new", text("A")), thing(3, "done", Value::Null)]).await;

    // The filter leaves closed ones out, and nulls are distinct.
    world.create("thing", vec![thing(4, "done", Value::Null)]).await;

    let fifth = thing(5, "new", text("B"));
    for (actor, again, pointer) in [
        (Viewer::system("en"), fifth.clone(), "/name"),
        (Viewer::system("en"), thing(6, "done", text("A")), "/order"),
        // Who may not know of the fields is not told their names.
        (Viewer::public("zh-CN"), fifth, ""),
    ] {
        let is_chinese = actor.language == "zh-CN";
        let plan = move |_: &formwork_core::Facts| Ok(created("thing", std::slice::from_ref(&again)));
        let refused = world.run_by(actor, plan).await.unwrap_err();
        let Failure::Rejected(rejection) = refused else { panic!("{refused:?}") };
        assert_eq!((rejection.kind, rejection.code.as_str()), (RejectionKind::Invalid, "FW1004"));
        let told: Vec<_> = rejection.errors.iter().map(|error| (error.code.as_str(), error.pointer.as_str())).collect();
        assert_eq!(told, [("unique", pointer)]);
        assert_eq!(rejection.errors[0].message.is_ascii(), !is_chinese, "{rejection:?}");
    }
    let found = |values: Vec<Value>, fields: Vec<&'static str>, unique: &'static str, expected: Option<u128>| {
        let fields = fields.iter().map(|key| pack.form("thing").field(key).unwrap().0).collect::<Vec<_>>();
        let need = Need::Unique { form: "thing".into(), fields, values, unique: Some(unique.into()) };
        world.run(move |facts| match facts.uniques.iter().find(|(asked, _)| *asked == need) {
            None => Err(Stop::Need(vec![need.clone()])),
            Some((_, found)) => {
                assert_eq!(*found, expected.map(Uuid::from_u128), "{need:?}");
                Ok(ChangeSet::default())
            }
        })
    };
    let few = [("mail", text("a@b.c")), ("count", Value::Integer(1))];
    world.create("thing", vec![new_record(&pack, "thing", 7, &few)]).await;
    let (again, many) = (new_record(&pack, "thing", 8, &few), [few[0].clone(), ("count", Value::Integer(2))]);
    assert!(
        world.run(move |_| Ok(created("thing", std::slice::from_ref(&again)))).await.is_err(),
        "settings.limit is 3"
    );
    world.create("thing", vec![new_record(&pack, "thing", 9, &many)]).await;
    found(vec![text("a@b.c")], vec!["mail"], "mail_of_few", Some(7)).await.unwrap();
    found(vec![text("A")], vec!["order"], "order", Some(2)).await.unwrap();
    found(vec![text("a")], vec!["order"], "order", None).await.unwrap();
    found(vec![text("n"), site.1.clone()], vec!["name", "site"], "one_open", Some(2)).await.unwrap();
}

async fn a_restricted_link_holds_the_record(world: Arc<World>) {
    let pack = world.pack();
    world.create("site", vec![new_record(&pack, "site", 1, &[("name", text("s"))])]).await;
    world.create("thing", vec![new_record(&pack, "thing", 2, &[("site", Value::Id(Uuid::from_u128(1)))])]).await;
    let refused = world.delete("site", Uuid::from_u128(1)).await.unwrap_err();
    let Failure::Rejected(rejection) = refused else { panic!("{refused:?}") };
    assert_eq!((rejection.kind, rejection.code.as_str()), (RejectionKind::Conflict, "linked"));
    assert!(world.get("site", Uuid::from_u128(1)).await.is_some());
}

async fn an_equal_request_gets_the_stored_reply(world: Arc<World>) {
    let pack = world.pack();
    let create = |id: u128| {
        let site = new_record(&pack, "site", id, &[("name", text("s"))]);
        move |_: &formwork_core::Facts| {
            let mut changes = created("site", std::slice::from_ref(&site));
            changes.reply = Reply::Record { form: "site".into(), id: site.id, version: 1, outcome: Written::Created };
            Ok(changes)
        }
    };
    let first = world.run_as(Some(("key", "hash")), create(1)).await.unwrap();
    assert!(!first.replayed && first.seq > 0);
    let again = world.run_as(Some(("key", "hash")), create(2)).await.unwrap();
    assert_eq!((again.reply, again.seq, again.replayed), (first.reply, first.seq, true));
    assert_eq!(world.get("site", Uuid::from_u128(2)).await, None, "nothing was done twice");
    let other = world.run_as(Some(("key", "other")), create(3)).await.unwrap_err();
    let Failure::Rejected(rejection) = other else { panic!("{other:?}") };
    assert_eq!(rejection.code, "idempotency_key_reused");
}

async fn a_refusal_leaves_nothing(world: Arc<World>) {
    let pack = world.pack();
    let (one, two) = (new_record(&pack, "site", 1, &[]), new_record(&pack, "thing", 2, &[("order", text("x"))]));
    let before = world.create("thing", vec![new_record(&pack, "thing", 3, &[("order", text("x"))])]).await.seq;
    world.seen(before).await;
    let refused = world.run(move |_| {
        let mut all = created("site", std::slice::from_ref(&one));
        all.records.extend(changes("thing", None, Some(two.clone())).records);
        Ok(all)
    });
    assert!(matches!(refused.await, Err(Failure::Rejected(_))));
    assert_eq!(world.get("site", Uuid::from_u128(1)).await, None);
    assert_eq!(world.store.seq().await.unwrap(), before);
}

async fn series_count_without_gaps_where_one_node_works(world: Arc<World>) {
    let next = |refuse: bool| {
        world.run(move |facts| {
            let key = ("thing".into(), "order".into(), "2026".to_owned());
            let Some(number) = facts.series.get(&key) else {
                return Err(Stop::Need(vec![Need::Series { form: key.0, field: key.1, period: key.2 }]));
            };
            if refuse {
                let title = "no";
                return Err(Stop::Reject(Box::new(formwork_core::Rejection::new(RejectionKind::Invalid, "no", title))));
            }
            Ok(ChangeSet { reply: Reply::Instance(Uuid::from_u128(*number as u128)), ..Default::default() })
        })
    };
    for expected in 1..=40_u128 {
        if expected % 7 == 0 {
            assert!(next(true).await.is_err());
        }
        assert_eq!(next(false).await.unwrap().reply, Reply::Instance(Uuid::from_u128(expected)));
    }
}

async fn an_answer_is_kept_beside_its_request(world: Arc<World>) {
    let (store, who) = (&world.store, Uuid::from_u128(7));
    assert_eq!(store.answer_of(who, "k").await.unwrap(), None);
    let answer = serde_json::json!({"status": 202, "body": {"id": "王"}});
    store.keep_answer(who, "k", "h", &answer, at(1)).await.unwrap();
    assert_eq!(store.answer_of(who, "k").await.unwrap(), Some(("h".to_owned(), Some(answer.clone()))));
    assert_eq!(store.answer_of(Uuid::from_u128(8), "k").await.unwrap(), None, "a key is each user's own");
    // Another request's answer does not take its place.
    store.keep_answer(who, "k", "other", &serde_json::json!({}), at(1)).await.unwrap();
    assert_eq!(store.answer_of(who, "k").await.unwrap(), Some(("h".to_owned(), Some(answer))));
}

/// A row of the audit log.
pub(crate) fn audit() -> Audit {
    let (who, kind) = ("wang".to_owned(), "session.opened".to_owned());
    Audit { at: at(1), actor: None, who, kind, subject: String::new(), address: None, data: serde_json::json!({}) }
}

async fn users_sessions_and_tokens(world: Arc<World>) {
    use formwork_core::facts::UserFacts;
    let store = &world.store;
    let facts = UserFacts {
        name: "王".to_owned(),
        active: true,
        roles: vec!["agent".into()],
        queues: vec!["north".into(), "south".into()],
        ..UserFacts::default()
    };
    let mut user = formwork_store::User {
        id: Uuid::from_u128(7),
        login: "wang".to_owned(),
        password_hash: "$argon2id$".to_owned(),
        facts,
        language: "zh-CN".to_owned(),
        theme: "dark".to_owned(),
        password_until: Some(at(50)),
        revision: 3,
    };
    store.put_user(&user).await.unwrap();
    assert_eq!(store.user_by_login("wang").await.unwrap(), Some(user.clone()));
    store.put_settings(user.id, Some("en"), None).await.unwrap();
    store.put_settings(user.id, None, Some("light")).await.unwrap();
    (user.language, user.theme) = ("en".to_owned(), "light".to_owned());
    assert_eq!(store.user(user.id).await.unwrap(), Some(user.clone()));
    let other = formwork_store::User { id: Uuid::from_u128(8), ..user.clone() };
    store.put_user(&other).await.unwrap();
    assert_eq!(store.users().await.unwrap(), [user.clone()], "a login keeps its id");

    let until = |until| Session { id: String::new(), started_at: Some(at(1)), until, address: None, agent: None };
    store.put_session("hash", user.id, &until(at(100)), &audit()).await.unwrap();
    assert_eq!(store.session("hash", at(99)).await.unwrap(), Some(user.clone()));
    assert_eq!(store.session("hash", at(100)).await.unwrap(), None, "it is over");
    assert_eq!(store.end_sessions(user.id, Some("hash"), None, &audit()).await.unwrap(), 1);
    assert_eq!(store.session("hash", at(1)).await.unwrap(), None);
    store.put_session("again", user.id, &until(at(100)), &audit()).await.unwrap();
    store.put_session("other", user.id, &until(at(101)), &audit()).await.unwrap();
    let ids: Vec<String> = store.sessions_of(user.id, at(1)).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(ids, ["other", "again"], "the newest first");
    assert_eq!(store.end_sessions(user.id, None, Some("again"), &audit()).await.unwrap(), 1, "all but this one");

    let scopes = vec!["read".to_owned()];
    let token = |until| Token {
        id: String::new(),
        name: "ci".to_owned(),
        scopes: scopes.clone(),
        created_at: Some(at(1)),
        until,
    };
    store.put_token("token", user.id, &token(None), &audit()).await.unwrap();
    store.put_token("short", user.id, &token(Some(at(5))), &audit()).await.unwrap();
    let known = Some((user.clone(), scopes.clone()));
    assert_eq!(store.token("token", at(900)).await.unwrap(), known);
    assert_eq!(store.token("short", at(4)).await.unwrap(), known);
    assert_eq!(store.token("short", at(5)).await.unwrap(), None, "a token that has ended");
    assert_eq!(store.token("else", at(1)).await.unwrap(), None);
    assert_eq!(store.tokens_of(user.id, at(5)).await.unwrap().len(), 1, "the one that has not ended");
    assert!(!store.revoke_token(Uuid::from_u128(9), "short", &audit()).await.unwrap(), "somebody else's");
    assert!(store.revoke_token(user.id, "short", &audit()).await.unwrap());

    // What somebody else changed meanwhile is not written over, and not told.
    let told = store.audited(&AuditFilter::default(), None, 100).await.unwrap().len();
    let stale = formwork_store::User { revision: 2, ..user.clone() };
    assert!(!store.change_user(&stale, None, &audit()).await.unwrap());
    assert_eq!(store.audited(&AuditFilter::default(), None, 100).await.unwrap().len(), told);
    assert!(!store.add_user(&user, &audit()).await.unwrap(), "a login is one user's");
    assert_eq!(store.audited(&AuditFilter::default(), None, 100).await.unwrap().len(), told);
    user.facts.queues = vec!["north".into()];
    assert!(store.change_user(&user, None, &audit()).await.unwrap());
    user.revision += 1;
    let of = |queue: &str| UserFilter { queue: Some(queue.into()), ..UserFilter::default() };
    assert_eq!(store.find_users(&of("north"), None, 9).await.unwrap(), [user.clone()]);
    assert_eq!(store.find_users(&of("south"), None, 9).await.unwrap(), []);
    assert_eq!(store.find_users(&of("nort_"), None, 9).await.unwrap(), [], "an underscore is an underscore");
    let named = |text: &str| UserFilter { text: text.to_owned(), ..UserFilter::default() };
    assert_eq!(store.find_users(&named("王"), None, 9).await.unwrap(), [user.clone()]);
    assert_eq!(store.find_users(&named("WAN"), None, 9).await.unwrap(), [user.clone()]);
    assert_eq!(store.find_users(&named("%"), None, 9).await.unwrap(), []);
    assert_eq!(store.find_users(&named(""), Some("wang"), 9).await.unwrap(), [], "after the last");

    // Somebody who is not active any more is nobody, whatever they still hold.
    user.facts.active = false;
    store.put_user(&user).await.unwrap();
    assert_eq!(store.session("again", at(1)).await.unwrap(), None);
    assert_eq!(store.token("token", at(1)).await.unwrap(), None);
    user.facts.active = true;
    store.put_user(&user).await.unwrap();
    assert_eq!(store.session("again", at(1)).await.unwrap(), Some(user.clone()));

    let asked = world.run(move |facts| match facts.users.get(&user.id) {
        None => Err(Stop::Need(vec![Need::User(user.id), Need::User(Uuid::nil())])),
        Some(found) => {
            assert_eq!(found.as_ref(), Some(&user.facts));
            assert_eq!(facts.users[&Uuid::nil()], None);
            Ok(ChangeSet::default())
        }
    });
    asked.await.unwrap();
}
