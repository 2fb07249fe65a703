//! Demonstrations: the same day gives the same bytes on both stores, everything stands at its own instant, and no rule is
//! passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use formwork_core::Record;
use formwork_core::change::Event;
use formwork_model::Value;
use formwork_runtime::cases::Host;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::{Store, WaitsFor};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs::{made, shipped};
use uuid::Uuid;

/// Half past ten in Shanghai; the day began at 16:00 of the day before.
fn now() -> DateTime<Utc> {
    "2026-03-10T02:30:00Z".parse().expect("an instant")
}

fn as_of() -> DateTime<Utc> {
    "2026-03-09T16:00:00Z".parse().expect("an instant")
}

/// Requests that somebody takes and answers, some too late, and notes about them.
fn desk(then: &str) -> Bundle {
    let requests = format!(
        r#"{{"order": 1, "form": "request", "count": 48, "seed": 5,
             "at": "as_of - days(3) + hours(2 * i) + minutes(rng(60))",
             "fields": {{"what": "pick(['行李未到', 'Lost bag'], i) + ' ' + text(i)",
                         "kind": "ref('kind', pick(['plain', 'fancy'], i))"}},
             "then": {then}}}"#
    );
    made(
        "desk",
        &[
            (
                "pack.json",
                r#"{"version": "1.0.0", "title": "Desk", "languages": ["en"], "timezone": "Asia/Shanghai",
                    "roles": {"clerk": {"title": "Clerk"}}, "queues": {"desk": {"title": "Desk"}}}"#,
            ),
            (
                "forms/kind.json",
                r#"{"label": "Kind", "naturalKey": ["code"], "fields": {"code": {"type": "text", "required": true}}}"#,
            ),
            ("data/kind.json", r#"[{"code": "plain"}, {"code": "fancy"}]"#),
            (
                "forms/request.json",
                r#"{"label": "Request", "title": "what",
                    "fields": {"no": {"type": "series", "pattern": "R{yyyy}{MM}{dd}-{seq:3}", "reset": "day"},
                               "what": {"type": "text", "required": true}, "kind": {"type": "link", "to": "kind"},
                               "answer": {"type": "text"}, "closed_at": {"type": "datetime"},
                               "late": {"type": "boolean", "default": false},
                               "priority": {"type": "choice", "options": {"normal": {}, "high": {}}, "default": "normal"},
                               "state": {"type": "choice", "options": {"new": {}, "done": {}}, "default": "new"}},
                    "access": {"clerk": {"read": true, "create": true, "fields": {"*": "read"}}}}"#,
            ),
            (
                "forms/note.json",
                r#"{"label": "Note", "fields": {"request": {"type": "link", "to": "request", "required": true}},
                    "access": {"clerk": {"read": true, "fields": {"*": "read"}}}}"#,
            ),
            (
                "workflows/handling.json",
                r#"{"label": "Handling", "for": "request",
                    "start": {"filed": {"on": "created", "next": "look"}},
                    "sla": {"answer": {"label": "Answer", "startIf": "true", "stopIf": "record.closed_at != null", "budget": "PT3H",
                                       "rungs": {"breach": {"at": "100%", "do": "missed"}}}},
                    "steps": {
                      "missed": {"type": "set", "set": {"late": true}, "next": "finish"},
                      "look": {"type": "user", "assign": {"queue": "desk"}, "fields": {"answer": "write"}, "due": {"after": "PT4H"},
                               "boundary": {"alarm": {"after": "PT2H", "interrupt": false, "set": {"priority": "high"}, "next": "finish"}},
                               "outcomes": {"done": {"set": {"state": "done", "closed_at": "=now"}, "next": "pause"}}},
                      "pause": {"type": "wait", "events": {"quiet": {"after": "P1D", "next": "finish"}}},
                      "finish": {"type": "end", "outcome": "done"}}}"#,
            ),
            ("demo/requests.json", &requests),
            (
                "demo/notes.json",
                r#"{"order": 2, "form": "note", "count": 48, "seed": 1, "at": "as_of - days(3) + hours(2 * i)",
                    "fields": {"request": "ref('request', i)"}}"#,
            ),
        ],
    )
}

/// Taken after twenty minutes; three of four are answered one, two or three hours later.
const THEN: &str = r#"{"taken": {"after": "minutes(20)", "by": "clerk", "step": "look"},
    "answered": {"when": "i % 4 != 3", "after": "hours(1 + i % 3)", "by": "clerk", "step": "look",
                 "outcome": "done", "fields": {"answer": "'Answer ' + text(i)"}}}"#;

async fn loaded(host: &dyn Host, name: &str, bundle: &Bundle, at: DateTime<Utc>) -> (Arc<Engine>, u64) {
    let environment = Environment {
        clock: Clock::standing_at(at),
        channels: Channels::pretending(),
        message_file: host.message_file(name),
        seeds: Seeds::Random,
        replica_bytes_max: 64 << 20,
    };
    let engine = Engine::start(host.open(name).await.expect("a store"), environment).await.expect("an engine");
    engine.deploy_if_safe(bundle).await.expect("the pack is deployed");
    engine.add_demo_users().await.expect("users");
    let made = engine.load_demo_records().await.expect("the demonstration is loaded");
    (engine, made)
}

async fn events(store: &dyn Store) -> Vec<(i64, Event)> {
    store.events(0, 1_000_000).await.expect("events")
}

async fn records(engine: &Engine, form: &str) -> Vec<Record> {
    let mut records = engine.store().scan(&engine.deployed().packs[0], form).await.expect("records").1;
    records.sort_by_key(|record| record.id);
    records
}

/// All there is, table by table: records with their ids, history, tasks and timers, users.
async fn everything(engine: &Engine) -> BTreeMap<String, Vec<String>> {
    let (store, mut all) = (engine.store(), BTreeMap::new());
    let pack = engine.deployed().packs[0].clone();
    let mut ids = Vec::new();
    for form in pack.forms().keys() {
        let records = records(engine, form).await;
        ids.extend(records.iter().map(|record| record.id));
        all.insert(format!("form {form}"), records.iter().map(|record| format!("{record:?}")).collect());
    }
    let events = events(store).await;
    all.insert("events".to_owned(), events.iter().map(|event| format!("{event:?}")).collect());
    let waiting = store.waiting_on(&ids).await.expect("what waits");
    let mut waiting: Vec<String> = waiting.iter().map(|waiting| format!("{waiting:?}")).collect();
    waiting.sort();
    all.insert("waiting".to_owned(), waiting);
    let users = store.users().await.expect("users");
    all.insert(
        "users".to_owned(),
        users.iter().map(|user| format!("{} {} {:?}", user.id, user.login, user.facts)).collect(),
    );
    all
}

#[tokio::test]
async fn the_same_day_gives_the_same_bytes_on_both_stores() {
    let (sqlite, postgres) = (Sqlite::default(), Postgres::default());
    let mut first = None;
    for (host, name) in [(&sqlite as &dyn Host, "one"), (&sqlite, "two"), (&postgres, "one"), (&postgres, "two")] {
        let (engine, made) = loaded(host, name, &desk(THEN), now()).await;
        assert!(made > 70, "{made} records");
        let found = everything(&engine).await;
        assert!(found.values().all(|rows| !rows.is_empty()), "every table holds something");
        match &first {
            None => first = Some(found),
            Some(first) => {
                for (table, rows) in first {
                    let other = &found[table];
                    assert_eq!(rows.len(), other.len(), "{table} of {}", engine.store().engine());
                    for (one, other) in rows.iter().zip(other) {
                        assert_eq!(one, other, "{table} of {}", engine.store().engine());
                    }
                }
            }
        }
        // A second start makes nothing anew.
        assert_eq!(engine.load_demo_records().await.expect("loaded"), 0);
        engine.store().close().await;
    }
}

/// A load is cut short in the middle of the deeds, and in the middle of the filing; the next start carries it on, and what
/// comes of it is what would have come of it in one go.
#[tokio::test]
async fn what_was_cut_short_is_carried_on() {
    let cut = r#"{"taken": {"after": "minutes(20)", "by": "clerk", "step": "look"},
        "answered": {"when": "i % 4 != 3", "after": "hours(1 + i % 3)", "by": "clerk", "step": "look",
                     "outcome": "done", "fields": {"answer": "'Answer ' + text(i)"}},
        "torn": {"when": "i == 20", "after": "hours(1)", "by": "clerk", "step": "look"}}"#;
    let mut torn_note = desk(THEN);
    for (path, text) in &mut torn_note.files {
        if path == "demo/notes.json" {
            *text = text.replace("ref('request', i)", "when(i == 30, null, ref('request', i))");
        }
    }
    let (sqlite, postgres) = (Sqlite::default(), Postgres::default());
    let whole = |found: BTreeMap<String, Vec<String>>| {
        // Numbers of events follow the order of transactions, which a cut changes.
        let unnumbered = |rows: Vec<String>| {
            let mut rows: Vec<String> =
                rows.into_iter().map(|row| row[row.find(' ').unwrap_or(0)..].to_owned()).collect();
            rows.sort();
            rows
        };
        found
            .into_iter()
            .map(|(table, rows)| if table == "events" { (table, unnumbered(rows)) } else { (table, rows) })
            .collect::<BTreeMap<_, _>>()
    };
    let (in_one_go, all) = loaded(&sqlite, "whole", &desk(THEN), now()).await;
    let expected = whole(everything(&in_one_go).await);
    for (bundle, part) in [(desk(cut), "row 20"), (torn_note, "row 30")] {
        for host in [&sqlite as &dyn Host, &postgres] {
            let name = format!("cut {part}").replace(' ', "_");
            let environment = || Environment {
                clock: Clock::standing_at(now()),
                channels: Channels::pretending(),
                message_file: host.message_file(&name),
                seeds: Seeds::Random,
                replica_bytes_max: 64 << 20,
            };
            let engine =
                Engine::start(host.open(&name).await.expect("a store"), environment()).await.expect("an engine");
            engine.deploy_if_safe(&bundle).await.expect("the pack is deployed");
            engine.add_demo_users().await.expect("users");
            let fault = engine.load_demo_records().await.expect_err("it is cut short");
            assert!(fault.to_string().contains(part), "{fault}");
            let before = records(&engine, "request").await.len() as u64;
            assert!(before > 40, "{before} requests are there already");
            // The recipes are whole again.
            engine.deploy_if_safe(&desk(THEN)).await.expect("the pack is deployed");
            let made = engine.load_demo_records().await.expect("it is carried on");
            assert!(made < all, "{made} of {all} were made anew");
            let found = whole(everything(&engine).await);
            for (table, rows) in &expected {
                assert_eq!(rows.len(), found[table].len(), "{part}: {table} of {}", engine.store().engine());
                for (one, other) in rows.iter().zip(&found[table]) {
                    assert_eq!(one, other, "{part}: {table} of {}", engine.store().engine());
                }
            }
            assert_eq!(engine.load_demo_records().await.expect("loaded"), 0, "and that is that");
        }
    }
}

#[tokio::test]
async fn everything_stands_at_its_own_instant() {
    let host = Sqlite::default();
    let (engine, _) = loaded(&host, "desk", &desk(THEN), now()).await;
    let pack = engine.deployed().packs[0].clone();
    let place = |key: &str| pack.form("request").field(key).expect("a field").0;
    let requests = records(&engine, "request").await;
    assert!(requests.iter().all(|request| request.created_at <= now()));
    let begin = as_of() - Duration::days(3);
    for request in &requests {
        let number = request.values[place("what")].as_text().and_then(|what| what.rsplit(' ').next()?.parse().ok());
        let i: i64 = number.expect("the number of the row");
        let due = begin + Duration::hours(2 * i);
        assert!((due..due + Duration::hours(1)).contains(&request.created_at), "row {i}: {}", request.created_at);
        // Answered when its time has come, and loud before where that took more than two hours.
        let answered = request.created_at + Duration::minutes(20) + Duration::hours(1 + i % 3);
        let is_done = i % 4 != 3 && answered <= now();
        assert_eq!(request.values[place("state")].as_text(), Some(if is_done { "done" } else { "new" }), "row {i}");
        let closed = if is_done { Value::DateTime(answered) } else { Value::Null };
        assert_eq!(request.values[place("closed_at")], closed, "row {i}");
        let alarm = request.created_at + Duration::hours(2);
        let is_loud = alarm <= now() && (i % 4 == 3 || answered > alarm);
        // The rung of its clock was reached at its own instant, too, and not before.
        let promised = request.created_at + Duration::hours(3);
        let is_late = promised <= now() && (i % 4 == 3 || answered > promised);
        assert_eq!(request.values[place("late")], Value::Boolean(is_late), "row {i}");
        let priority = request.values[place("priority")].as_text();
        assert_eq!(priority, Some(if is_loud { "high" } else { "normal" }), "row {i}");
    }
    // What is still to come is left out, and what refers to it.
    let filed = |at: DateTime<Utc>| requests.iter().filter(|request| request.created_at <= at).count();
    assert!(filed(now()) < 48 && filed(as_of()) < filed(now()), "some were filed today, some are still to come");
    assert_eq!(records(&engine, "note").await.len(), requests.len());
    // Running numbers follow time within their day.
    let mut numbered: Vec<(&str, DateTime<Utc>)> = requests
        .iter()
        .map(|request| (request.values[place("no")].as_text().expect("a number"), request.created_at))
        .collect();
    numbered.sort_unstable();
    assert!(numbered.windows(2).all(|pair| pair[0].1 < pair[1].1), "{numbered:?}");
    // History and what waits stand in the past and the future they belong to.
    let events = events(engine.store()).await;
    let kinds: BTreeSet<&str> = events.iter().map(|(_, event)| event.kind.as_str()).collect();
    for kind in ["task.claimed", "task.completed", "timer.fired", "record.updated"] {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
    let of_requests: BTreeSet<Uuid> = requests.iter().map(|request| request.id).collect();
    let own = events.iter().filter(|(_, event)| event.record.as_ref().is_some_and(|(_, id)| of_requests.contains(id)));
    let mut last: BTreeMap<Uuid, DateTime<Utc>> = BTreeMap::new();
    for (_, event) in own {
        let id = event.record.as_ref().map(|(_, id)| *id).expect("a record");
        let before = last.insert(id, event.at);
        assert!(event.at <= now() && before.is_none_or(|before| before <= event.at), "{event:?} after {before:?}");
    }
    let ids: Vec<Uuid> = of_requests.into_iter().collect();
    let waiting = engine.store().waiting_on(&ids).await.expect("what waits");
    assert!(waiting.iter().any(|waiting| matches!(waiting.what, WaitsFor::Task(_))));
    for waiting in &waiting {
        if let WaitsFor::Timer(due) = waiting.what {
            assert!(due > now(), "what came due has fired");
        }
    }
}

#[tokio::test]
async fn later_the_same_day_more_has_happened_and_nothing_else() {
    let host = Sqlite::default();
    let (early, _) = loaded(&host, "early", &desk(THEN), now()).await;
    let (late, _) = loaded(&host, "late", &desk(THEN), now() + Duration::hours(6)).await;
    let ids = |records: Vec<Record>| {
        records.into_iter().map(|record| (record.id, record.created_at)).collect::<BTreeSet<_>>()
    };
    let (before, after) = (ids(records(&early, "request").await), ids(records(&late, "request").await));
    assert!(before.is_subset(&after) && before.len() < after.len(), "{} and {}", before.len(), after.len());
}

#[tokio::test]
async fn a_deed_that_a_rule_refuses_is_told_with_its_row() {
    for (then, part) in [
        (
            r#"{"twice": {"after": "hours(1)", "by": "clerk", "step": "look", "outcome": "done"},
             "again": {"after": "hours(1)", "by": "clerk", "step": "look", "outcome": "done"}}"#,
            "row 0 of the demo recipe `requests`: `again` finds no open task of `look`",
        ),
        (
            r#"{"back": {"after": "hours(0 - 1)", "by": "clerk", "step": "look"}}"#,
            "row 0 of the demo recipe `requests`: `back` would be done before what came before it",
        ),
    ] {
        let host = Sqlite::default();
        let environment = Environment {
            clock: Clock::standing_at(now()),
            channels: Channels::pretending(),
            message_file: host.message_file("refused"),
            seeds: Seeds::Random,
            replica_bytes_max: 64 << 20,
        };
        let engine = Engine::start(host.open("refused").await.expect("a store"), environment).await.expect("an engine");
        engine.deploy_if_safe(&desk(then)).await.expect("the pack is deployed");
        let fault = engine.load_demo_records().await.expect_err("nobody is there");
        assert_eq!(fault.to_string(), "the demo recipe `requests` needs a user `clerk`");
        engine.add_demo_users().await.expect("users");
        let fault = engine.load_demo_records().await.expect_err("a refusal");
        assert_eq!(fault.to_string(), part);
    }
}

/// The acceptance figures of the shipped pack; it takes some seconds.
#[tokio::test]
async fn the_shipped_demonstration_is_a_service_desk_up_to_today() {
    let host = Sqlite::default();
    let (engine, made) = loaded(&host, "crm", &shipped("definitions/crm"), now()).await;
    let pack = engine.deployed().packs[0].clone();
    let mut counts = BTreeMap::new();
    for form in pack.forms().keys() {
        counts.insert(form.to_string(), records(&engine, form).await.len());
    }
    assert_eq!(counts["customer"], 2_000, "{counts:?}");
    assert!((2_900..=3_000).contains(&counts["ticket"]), "but for those of later today: {counts:?}");
    for form in ["complaint", "customer_tag", "interaction", "identity", "preference", "consent", "member"] {
        assert!(counts[form] >= 140, "{counts:?}");
    }
    assert!(made > 9_000, "{made}");
    let place = |key: &str| pack.form("ticket").field(key).expect("a field").0;
    let tickets = records(&engine, "ticket").await;
    let of = |key: &str, value: &str| {
        let place = place(key);
        tickets.iter().filter(|ticket| ticket.values[place].as_text() == Some(value)).count()
    };
    let open = tickets.len() - of("state", "closed");
    assert!((40..=300).contains(&open), "{open} open");
    let late = |ticket: &&Record| {
        ticket.values[place("state")].as_text() != Some("closed")
            && matches!(ticket.values[place("resolve_by")], Value::DateTime(by) if by < now())
    };
    let late = tickets.iter().filter(late).count();
    assert!(late > 5 && late < open, "{late} of {open} are late");
    assert!(of("category", "delay") > of("category", "privacy") && of("category", "privacy") > 10);
    assert!(tickets.iter().all(|ticket| ticket.created_at <= now() && ticket.updated_at <= now()));
    assert!(engine.store().stopped_instances(10).await.expect("instances").is_empty());
}
