//! What people wait for, over many records: a page of 50 of a list, filtered and sorted, beside the raw query in the same
//! process; the rules while one types; the search. On both stores, with the shipped pack. Quote the ratios; absolute
//! numbers are those of one machine. `ROWS=100000 cargo bench -p formwork-tests --bench lists` for a smaller table.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use rusqlite::types::Value as Sql;
use serde_json::json;
use sqlx::{Connection, Executor};
use tempfile::TempDir;
use uuid::Uuid;

use formwork_runtime::{Channels, Clock};
use formwork_store::{PostgresStore, SqliteStore, postgres, sqlite};
use formwork_tests::hosts::database;
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

/// Tickets, unless `ROWS` says otherwise.
const ROWS: i64 = 1_000_000;
/// Times each question is asked, one after another.
const TIMES: usize = 60;
/// Between two tickets.
const GAP_SECONDS: i64 = 60;

/// A list: its name, who asks, the address, and the same by hand: the condition and the order.
const LISTS: [(&str, Who, &str, &str, &str); 6] = [
    (
        "open, by promise",
        Who::Lead,
        "view=open",
        "state <> 'closed'",
        "resolve_by ASC NULLS LAST, occurred_at DESC NULLS LAST",
    ),
    ("all, newest first", Who::Lead, "view=all", "true", "occurred_at DESC NULLS LAST"),
    (
        "urgent baggage, newest first",
        Who::Lead,
        "view=all&filter=category%20%3D%3D%20'baggage'%20and%20priority%20in%20%5B'P1'%2C'P2'%5D",
        "category = 'baggage' AND priority IN ('P1', 'P2')",
        "occurred_at DESC NULLS LAST",
    ),
    (
        "critical and closed, by promise",
        Who::Lead,
        "view=all&sort=-resolve_by&filter=priority%20%3D%3D%20'P1'%20and%20state%20%3D%3D%20'closed'",
        "priority = 'P1' AND state = 'closed'",
        "resolve_by DESC NULLS LAST",
    ),
    (
        "one queue's, as its agent",
        Who::Agent,
        "view=all",
        "(queue IN ('ground') OR created_by = id)",
        "occurred_at DESC NULLS LAST",
    ),
    (
        "what nobody filed",
        Who::Lead,
        "view=all&filter=airline%20%3D%3D%20'none'",
        "airline = 'none'",
        "occurred_at DESC NULLS LAST",
    ),
];

#[derive(Debug, Clone, Copy)]
enum Who {
    Lead,
    Agent,
}

#[tokio::main]
async fn main() {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS);
    println!("{rows} tickets, {TIMES} times each; p50 / p95 in ms\n");
    println!("| store | what | raw: page and count | API | page | API p95 over raw p95 |");
    println!("|---|---|---|---|---|---|");
    let folder = TempDir::new().expect("a scratch folder");
    let store = SqliteStore::open(folder.path(), sqlite::Options::default()).expect("the store opens");
    let start = Clock::System;
    let server =
        TestServer::start(std::sync::Arc::new(store), &shipped("definitions/crm"), start, Channels::pretending()).await;
    measure("sqlite", &server, &Raw::Sqlite(folder.path()), rows).await;
    drop(server);
    let url = database().await;
    let store = PostgresStore::open(&url, postgres::Options::default()).await.expect("the store opens");
    let server = TestServer::start(
        std::sync::Arc::new(store),
        &shipped("definitions/crm"),
        Clock::System,
        Channels::pretending(),
    )
    .await;
    measure("postgresql", &server, &Raw::Postgres(&url), rows).await;
}

/// Where the raw queries go.
enum Raw<'a> {
    Sqlite(&'a Path),
    Postgres(&'a str),
}

async fn measure(store: &str, server: &TestServer, raw: &Raw<'_>, rows: i64) {
    let lead = server.user("lea", &["team_lead"], &[]).await;
    let agent = server.user("ana", &["agent"], &["ground"]).await;
    let ticket =
        json!({"subject": "Lost bag", "body": "It was not on the belt.", "category": "information", "channel": "call"});
    let (status, filed) = lead.call(Method::POST, "/api/records/ticket", ticket).await;
    assert_eq!(status, 201, "{filed}");
    let template: Uuid = filed["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let begun = Instant::now();
    raw.fill(template, rows).await;
    eprintln!("{store}: filled in {:.0} s", begun.elapsed().as_secs_f64());
    for (name, who, address, condition, order) in LISTS {
        let by_hand = raw.times(condition, order).await;
        let client = match who {
            Who::Lead => &lead,
            Who::Agent => &agent,
        };
        let api = times(client, Method::GET, &format!("/api/records/ticket?{address}"), None).await;
        let page = times(client, Method::GET, &format!("/records/ticket?{address}"), None).await;
        let ratio = part(&api, 0.95) / part(&by_hand, 0.95);
        println!("| {store} | {name} | {} | {} | {} | {ratio:.1} |", both(&by_hand), both(&api), both(&page));
    }
    let typed = json!({"values": {"subject": "Lost", "category": "baggage", "items": [{"claimed": "1200.00"}]}, "changed": "/category", "seq": 1});
    let evaluate = times(&lead, Method::POST, "/api/forms/ticket/evaluate", Some(&typed)).await;
    println!("| {store} | evaluate while one types | | {} | | |", both(&evaluate));
    for (name, text) in
        [("search for a number", &*filed["no"].to_string()), ("search for what is not there", "\"zzzz\"")]
    {
        let text = text.trim_matches('"');
        let found = times(&lead, Method::GET, &format!("/api/search?q={text}"), None).await;
        println!("| {store} | {name} | | {} | | |", both(&found));
    }
}

/// How long the answers took, sorted.
async fn times(client: &Client, method: Method, path: &str, body: Option<&serde_json::Value>) -> Vec<Duration> {
    let mut times = Vec::with_capacity(TIMES);
    while times.len() < TIMES && times.iter().sum::<Duration>() < Duration::from_secs(20) {
        let request = client.request(method.clone(), path);
        let request = body.map_or(client.request(method.clone(), path), |body| request.json(body));
        let sent = Instant::now();
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        // A question may be given up: that is an answer, too, and took its time.
        assert!(status == 200 || text.contains("too_slow"), "{path}: {status} {text}");
        times.push(sent.elapsed());
    }
    times.sort();
    times
}

fn part(times: &[Duration], part: f64) -> f64 {
    times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1_000.0
}

fn both(times: &[Duration]) -> String {
    format!("{:.1} / {:.1}", part(times, 0.5), part(times, 0.95))
}

/// A ticket made of its number: what differs from the template.
struct Row {
    number: i64,
    occurred: i64,
}

impl Row {
    const CATEGORIES: [&'static str; 6] = ["delay", "baggage", "refund", "miles", "complaint", "information"];
    const QUEUES: [&'static str; 7] =
        ["triage", "delay_desk", "baggage_desk", "refund_desk", "ffp_desk", "complaint_desk", "ground"];

    /// Ids are made of the time, as the engine makes them.
    fn id(&self) -> Uuid {
        let milliseconds = u128::try_from(self.occurred / 1_000).expect("after 1970");
        Uuid::from_u128(milliseconds << 80 | 7 << 76 | 2 << 62 | u128::try_from(self.number).expect("a number"))
    }

    fn state(&self) -> &'static str {
        if self.number % 25 == 0 { "routed" } else { "closed" }
    }

    fn priority(&self) -> &'static str {
        match self.number % 49 {
            0 => "P1",
            1..10 => "P2",
            10..40 => "P3",
            _ => "P4",
        }
    }
}

impl Raw<'_> {
    /// Copies the template so many times, at a minute's distance up to now.
    async fn fill(&self, template: Uuid, rows: i64) {
        let now = chrono::Utc::now().timestamp_micros();
        match self {
            Self::Sqlite(folder) => {
                let mut connection = Self::sqlite(folder);
                let columns: Vec<String> = {
                    let mut names =
                        connection.prepare("SELECT name FROM pragma_table_info('crm_ticket')").expect("SQL");
                    names.query_map([], |row| row.get(0)).expect("columns").collect::<Result<_, _>>().expect("names")
                };
                let taken = columns.iter().map(|name| match Self::place(name) {
                    Some(place) => format!("?{place}"),
                    None => format!("\"{name}\""),
                });
                let (taken, named) = (taken.collect::<Vec<_>>().join(", "), columns.join("\", \""));
                let sql = format!("INSERT INTO crm_ticket (\"{named}\") SELECT {taken} FROM crm_ticket WHERE id = ?9");
                let transaction = connection.transaction().expect("a transaction");
                let mut insert = transaction.prepare(&sql).expect("SQL");
                for number in 1..=rows {
                    let row = Row { number, occurred: now - (rows - number) * GAP_SECONDS * 1_000_000 };
                    let category = Row::CATEGORIES[usize::try_from(number).expect("small") % Row::CATEGORIES.len()];
                    let queue = Row::QUEUES[usize::try_from(number).expect("small") % Row::QUEUES.len()];
                    let text = |text: &str| Sql::Text(text.to_owned());
                    let values = [
                        Sql::Blob(row.id().as_bytes().to_vec()),
                        text(&format!("B{number}")),
                        Sql::Integer(row.occurred),
                        Sql::Integer(row.occurred + 12 * 3_600_000_000),
                        text(row.state()),
                        text(row.priority()),
                        text(category),
                        text(queue),
                        Sql::Blob(template.as_bytes().to_vec()),
                    ];
                    insert.execute(rusqlite::params_from_iter(values)).expect("a row");
                }
                drop(insert);
                transaction.commit().expect("a commit");
            }
            Self::Postgres(url) => {
                let mut connection = sqlx::PgConnection::connect(url).await.expect("a connection");
                let names = "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns \
                             WHERE table_name = 'crm_ticket'";
                let names: String = sqlx::query_scalar(names).fetch_one(&mut connection).await.expect("columns");
                let at = format!(
                    "(to_timestamp({now}::numeric / 1000000) - (({rows} - n) * {GAP_SECONDS}) * interval '1 s')"
                );
                let choose = |of: &[&str]| format!("(ARRAY['{}'])[1 + n % {}]", of.join("','"), of.len());
                let taken = names.split(',').map(|name| match name {
                    "id" => format!(
                        "(lpad(to_hex(floor(extract(epoch from {at}) * 1000)::bigint), 12, '0') || '70008' || \
                         lpad(to_hex(n), 15, '0'))::uuid"
                    ),
                    "no" => "'B' || n".to_owned(),
                    "created_at" | "updated_at" | "occurred_at" => at.clone(),
                    "resolve_by" => format!("{at} + interval '12 h'"),
                    "state" => "CASE WHEN n % 25 = 0 THEN 'routed' ELSE 'closed' END".to_owned(),
                    "priority" => {
                        "CASE WHEN n % 49 = 0 THEN 'P1' WHEN n % 49 < 10 THEN 'P2' WHEN n % 49 < 40 THEN 'P3' ELSE 'P4' END"
                            .to_owned()
                    }
                    "category" => choose(&Row::CATEGORIES),
                    "queue" => choose(&Row::QUEUES),
                    name => format!("\"{name}\""),
                });
                let (taken, named) = (taken.collect::<Vec<_>>().join(", "), names.replace(',', "\", \""));
                let sql = format!(
                    "INSERT INTO crm_ticket (\"{named}\") SELECT {taken} FROM crm_ticket, generate_series(1, {rows}) AS n \
                     WHERE id = '{template}'"
                );
                connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("rows");
                // What the server does by itself after a while.
                connection.execute("VACUUM ANALYZE crm_ticket").await.expect("statistics");
            }
        }
    }

    /// Which value a column of a copy takes; none for the template's.
    fn place(column: &str) -> Option<usize> {
        Some(match column {
            "id" => 1,
            "no" => 2,
            "created_at" | "updated_at" | "occurred_at" => 3,
            "resolve_by" => 4,
            "state" => 5,
            "priority" => 6,
            "category" => 7,
            "queue" => 8,
            _ => return None,
        })
    }

    fn sqlite(folder: &Path) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(folder.join("formwork.sqlite")).expect("the database opens");
        connection.busy_timeout(Duration::from_secs(60)).expect("a time-out");
        connection
    }

    /// A page of 51 and the count up to its limit, as the list asks them.
    async fn times(&self, condition: &str, order: &str) -> Vec<Duration> {
        let page = format!("SELECT * FROM crm_ticket WHERE {condition} ORDER BY {order}, id LIMIT 51");
        let count = format!("SELECT count(*) FROM (SELECT 1 FROM crm_ticket WHERE {condition} LIMIT 10001) AS counted");
        let mut times = Vec::with_capacity(TIMES);
        match self {
            Self::Sqlite(folder) => {
                let connection = Self::sqlite(folder);
                while times.len() < TIMES && times.iter().sum::<Duration>() < Duration::from_secs(20) {
                    let sent = Instant::now();
                    for sql in [&page, &count] {
                        let mut statement = connection.prepare_cached(sql).expect("SQL");
                        let width = statement.column_count();
                        let mut rows = statement.query([]).expect("rows");
                        while let Some(row) = rows.next().expect("a row") {
                            (0..width).for_each(|at| drop(row.get::<_, Sql>(at)));
                        }
                    }
                    times.push(sent.elapsed());
                }
            }
            Self::Postgres(url) => {
                let mut connection = sqlx::PgConnection::connect(url).await.expect("a connection");
                while times.len() < TIMES && times.iter().sum::<Duration>() < Duration::from_secs(20) {
                    let sent = Instant::now();
                    for sql in [&page, &count] {
                        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).fetch_all(&mut connection).await;
                        rows.expect("rows");
                    }
                    times.push(sent.elapsed());
                }
            }
        }
        times.sort();
        times
    }
}
