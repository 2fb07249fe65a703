//! Files become records: a dirty file of posts, twice, on both stores; and the same with workflows started.

use std::collections::HashMap;
use std::io::Write;

use chrono::{TimeZone, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use formwork_core::change::Event;
use formwork_core::{Record, Viewer};
use formwork_model::Key;
use formwork_runtime::analytics::Ask;
use formwork_runtime::cases::Host;
use formwork_runtime::imports::Imported;
use formwork_runtime::questions::ListRequest;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs::shipped;
use formwork_tests::server::TestServer;

/// A file as people upload them: repeated ids, text of several lines, formulas, markup, Chinese, emoji, a ragged row.
/// Row `n` has the id `n / 10 * 9 + …`: every tenth repeats the id before it.
fn dirty_file(rows: usize) -> (Vec<u8>, Expected) {
    let reasons = ["Late Flight", "Lost Luggage", "", "Can't Tell", "Flight Booking Problems"];
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["tweet_id", "airline_sentiment", "negativereason", "airline", "text", "tweet_created"])
        .expect("memory");
    let mut expected = Expected::default();
    let mut last = 0;
    for row in 0..rows {
        let repeated = row % 10 == 9;
        let id = if repeated { last } else { 10_000 + row };
        last = id;
        let reason = reasons[row % reasons.len()];
        let text = match row % 4 {
            0 => "=cmd|' /C calc'!A0 +1-1@x".to_owned(),
            1 => format!("two\nlines, \"quoted\", <b>&amp;</b> {row}"),
            2 => format!("行李未到，请尽快处理 😀 {row}"),
            _ => format!("plain {row}"),
        };
        let created = format!("2015-02-2{} 11:35:52 -0800", row % 5);
        let sentiment = if reason.is_empty() { "neutral" } else { "negative" };
        writer.write_record([&id.to_string(), sentiment, reason, "United", &text, &created]).expect("memory");
        if repeated {
            expected.repeated += 1;
        } else {
            expected.created += 1;
            *expected.by_reason.entry(reason).or_default() += 1;
        }
    }
    let mut bytes = writer.into_inner().expect("memory");
    bytes.extend_from_slice(b"99999,negative,too,short\n");
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&bytes).expect("memory");
    (gz.finish().expect("memory"), expected)
}

/// Counted while the file was written, without the engine.
#[derive(Default)]
struct Expected {
    created: u64,
    repeated: u64,
    by_reason: HashMap<&'static str, u64>,
}

async fn crm(host: &dyn Host) -> TestServer {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("imports").await.expect("the store opens");
    TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::default()).await
}

async fn import(server: &TestServer, name: &str, file: &[u8]) -> Imported {
    let pack = server.engine.deployed().packs[0].clone();
    server.engine.import(&pack, name, file, "en", &|_| ()).await.expect("the file is imported")
}

async fn count(server: &TestServer, filter: &str) -> u64 {
    let pack = server.engine.deployed().packs[0].clone();
    let request = ListRequest { filter: Some(filter.to_owned()), limit: 1, ..ListRequest::default() };
    let page = server.engine.list(&pack, &Viewer::system("en"), &Key::from("ticket"), request).await.expect("a page");
    page["total"]["value"].as_u64().expect("a total")
}

async fn the_first_of_a_repeated_id_wins_and_a_second_run_changes_nothing(host: &dyn Host) {
    let server = crm(host).await;
    let (file, expected) = dirty_file(1_000);
    let first = import(&server, "tweets", &file).await;
    assert_eq!(
        (first.read, first.created, first.updated),
        (1_001, expected.created, 0),
        "{:?}",
        &first.errors[..first.errors.len().min(5)]
    );
    assert_eq!(first.rejected, expected.repeated + 1);
    let repeated: Vec<_> = first.errors.iter().filter(|error| error.code == "repeated").collect();
    assert_eq!(repeated.len() as u64, expected.repeated);
    assert!(first.errors.iter().any(|error| error.code == "ragged"));
    // Row 10 of the file (the first repeated one) starts in line 13: the rows 2, 6 and 10 before it have two lines each.
    assert_eq!(repeated[0].line, 13, "{:?}", repeated[0]);

    assert_eq!(count(&server, "category == 'delay'").await, expected.by_reason["Late Flight"]);
    assert_eq!(count(&server, "category == 'baggage'").await, expected.by_reason["Lost Luggage"]);
    assert_eq!(count(&server, "starts_with(body, '=cmd|')").await, 250, "a formula is text");
    assert_eq!(count(&server, "queue != null").await, 0, "no workflow starts");
    assert!(server.engine.store().messages(10).await.expect("messages").is_empty(), "no message leaves");

    let before = written(&server).await;
    assert_eq!(before.0.len() as u64, expected.created);
    let second = import(&server, "tweets", &file).await;
    assert_eq!((second.created, second.updated, second.unchanged), (0, 0, expected.created));
    assert!(written(&server).await == before, "nothing was written");
}

/// Every ticket, and the history of everything. Not `seq()`: that number waits for the oldest transaction of the whole
/// database server, so it moves later than what it counts.
async fn written(server: &TestServer) -> (Vec<Record>, Vec<(i64, Event)>) {
    let pack = server.engine.deployed().packs[0].clone();
    let store = server.engine.store();
    let (_, records) = store.scan(&pack, "ticket").await.expect("the tickets");
    (records, store.events(0, 100_000).await.expect("the history"))
}

async fn workflows_start_where_the_import_says_so(host: &dyn Host) {
    let server = crm(host).await;
    let (file, expected) = dirty_file(500);
    let done = import(&server, "tweets_live", &file).await;
    assert_eq!(done.created, expected.created);
    assert_eq!(count(&server, "queue != null").await, expected.created, "each has a queue");
    assert!(server.engine.store().messages(10).await.expect("messages").is_empty(), "the import sends nothing");

    let pack = server.engine.deployed().packs[0].clone();
    let ask = Ask { range: Some("all".to_owned()), ..Ask::default() };
    let report = server
        .engine
        .report(&pack, &Viewer::system("en"), &Key::from("tickets_by_category"), &ask)
        .await
        .expect("a report");
    let on_the_board = |category: &str| -> u64 {
        let row = report["rows"].as_array().into_iter().flatten().find(|row| row[0] == category);
        row.and_then(|row| row[1].as_str()?.parse().ok()).unwrap_or(0)
    };
    assert_eq!(on_the_board("delay"), expected.by_reason["Late Flight"], "{report}");
    assert_eq!(on_the_board("baggage"), expected.by_reason["Lost Luggage"]);
    let other = expected.by_reason["Flight Booking Problems"] + expected.by_reason["Can't Tell"];
    assert_eq!(on_the_board("other"), other);
}

const HEADER: &str = "tweet_id,airline_sentiment,negativereason,airline,text,tweet_created\n";

async fn bad_rows_are_told_with_line_cell_and_reason(host: &dyn Host) {
    let server = crm(host).await;
    // Line 3: Excel made a number of the date. Lines 4 and 5: the first is refused by a rule, so the second counts.
    let file = format!(
        "{HEADER}1,neutral,,United,fine,2015-02-24 11:35:52 -0800\n2,neutral,,United,bad date,42059.4832407407\n\
         3,furious,,United,no such option,2015-02-24 11:35:52 -0800\n3,neutral,,United,good,2015-02-24 11:35:52 -0800\n\
         3,neutral,,United,too late,2015-02-24 11:35:52 -0800\n,neutral,,United,no key,2015-02-24 11:35:52 -0800\n"
    );
    let done = import(&server, "tweets", file.as_bytes()).await;
    let told: Vec<_> = done
        .errors
        .iter()
        .map(|error| (error.line, error.code.as_str(), error.pointer.as_str(), error.value.as_str()))
        .collect();
    let expected = [
        (3, "wrong_type", "/occurred_at", "42059.4832407407"),
        (4, "unknown_option", "/sentiment", "furious"),
        (6, "repeated", "", "3"),
        (7, "required", "/origin_key", ""),
    ];
    assert_eq!(told, expected, "{:?}", done.errors);
    assert!(done.errors.iter().all(|error| error.message.is_ascii()), "in one language: {:?}", done.errors);
    assert_eq!((done.read, done.created, done.rejected), (6, 2, 4));
    assert_eq!(count(&server, "body == 'good'").await, 1, "the refused row does not stand for its key");

    let excel = format!("{HEADER}2,neutral,,United,from Excel,42059.4832407407\n");
    assert_eq!(import(&server, "tweets_excel", excel.as_bytes()).await.created, 1);
    assert_eq!(count(&server, "occurred_at == datetime('2015-02-24T19:35:00Z')").await, 1, "11:35 in San Francisco");

    let pack = server.engine.deployed().packs[0].clone();
    let other = server.engine.import(&pack, "tweets", b"id,text\n1,x\n", "en", &|_| ()).await;
    let told = other.expect_err("another kind of file").to_string();
    assert!(told.contains("has no column `airline`, `airline_sentiment`, `negativereason`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_on_sqlite() {
    the_first_of_a_repeated_id_wins_and_a_second_run_changes_nothing(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_on_postgres() {
    the_first_of_a_repeated_id_wins_and_a_second_run_changes_nothing(&Postgres::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn started_on_sqlite() {
    workflows_start_where_the_import_says_so(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn started_on_postgres() {
    workflows_start_where_the_import_says_so(&Postgres::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_on_sqlite() {
    bad_rows_are_told_with_line_cell_and_reason(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_on_postgres() {
    bad_rows_are_told_with_line_cell_and_reason(&Postgres::default()).await;
}
