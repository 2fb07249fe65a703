//! The real files, imported on both stores, beside counts made from the files alone: `make acceptance DATA=../shared/data`.
//! A file that is not there is an error, never a pass.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use chrono::{TimeZone, Utc};
use csv::ByteRecord;
use flate2::read::GzDecoder;

use formwork_core::Viewer;
use formwork_model::Key;
use formwork_runtime::analytics::Ask;
use formwork_runtime::cases::Host;
use formwork_runtime::imports::Imported;
use formwork_runtime::{Channels, Clock, Engine};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs::shipped;
use formwork_tests::server::TestServer;

/// Rows whose workflows are started.
const LIVE: usize = 500;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(folder) = std::env::args().nth(1) else { bail!("say where the data is: `make acceptance DATA=FOLDER`") };
    let data = Path::new(&folder);
    let folder = data.join("tweets");
    for (name, host) in [("sqlite", &Sqlite::default() as &dyn Host), ("postgres", &Postgres::default())] {
        println!("{name}");
        let posts = Posts::read(&folder.join("tweets_airline_2015.csv.gz"))?;
        twice(host, "tweets", &posts).await?;
        twice(host, "tweets_excel", &Posts::read(&folder.join("Tweets_excel_mangled.csv.gz"))?).await?;
        live(host, &posts).await?;
        members(host, &data.join("ffp/air_data_first1919.csv")).await?;
        hostile(host, &data.join("naughty-strings/blns.json")).await?;
    }
    println!("all as counted");
    Ok(())
}

/// A file of posts, and what counting its bytes says.
struct Posts {
    file: Vec<u8>,
    headers: ByteRecord,
    rows: Vec<ByteRecord>,
}

impl Posts {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let file = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let mut text = Vec::new();
        GzDecoder::new(file.as_slice()).read_to_end(&mut text)?;
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let headers = reader.byte_headers()?.clone();
        let rows = reader.into_byte_records().collect::<Result<_, _>>()?;
        Ok(Self { file, headers, rows })
    }

    fn cell<'r>(&self, row: &'r ByteRecord, column: &str) -> &'r [u8] {
        let place = self.headers.iter().position(|header| header == column.as_bytes()).expect("a column of the file");
        &row[place]
    }

    /// Rows read, ids that are new, ids seen before, rows that are not UTF-8.
    fn counted(&self) -> (u64, u64, u64, u64) {
        let (mut ids, mut repeated, mut broken) = (HashSet::new(), 0, 0);
        for row in &self.rows {
            if row.iter().any(|cell| std::str::from_utf8(cell).is_err()) {
                broken += 1;
            } else if !ids.insert(self.cell(row, "tweet_id").to_vec()) {
                repeated += 1;
            }
        }
        (self.rows.len() as u64, ids.len() as u64, repeated, broken)
    }
}

async fn server(host: &dyn Host, name: &str) -> anyhow::Result<TestServer> {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().context("an instant")?;
    let store = host.open(name).await?;
    Ok(TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::pretending()).await)
}

async fn import(engine: &Arc<Engine>, name: &str, file: &[u8]) -> anyhow::Result<Imported> {
    let pack = engine.deployed().packs[0].clone();
    Ok(engine.import(&pack, name, file, "en", &|_| ()).await?)
}

/// Reads the whole file, twice: the second run changes nothing.
async fn twice(host: &dyn Host, name: &str, posts: &Posts) -> anyhow::Result<()> {
    let server = server(host, name).await?;
    let (read, new, repeated, broken) = posts.counted();
    let told = |done: &Imported, code: &str| done.errors.iter().filter(|error| error.code == code).count() as u64;
    let first = import(&server.engine, name, &posts.file).await?;
    println!(
        "  {name}: {} read, {} created, {} repeated, {} not UTF-8, {} rejected in all",
        first.read,
        first.created,
        told(&first, "repeated"),
        told(&first, "encoding"),
        first.rejected
    );
    let found = (first.read, first.created, told(&first, "repeated"), told(&first, "encoding"));
    ensure!(found == (read, new, repeated, broken), "counted {:?}, told {found:?}", (read, new, repeated, broken));
    ensure!(first.rejected == repeated + broken, "no row is refused for another reason: {:?}", first.errors);
    let second = import(&server.engine, name, &posts.file).await?;
    println!("    again: {} created, {} updated, {} unchanged", second.created, second.updated, second.unchanged);
    ensure!((second.created, second.updated, second.unchanged) == (0, 0, new), "the second run changes nothing");
    Ok(())
}

/// Starts workflows for the first rows: each is routed, and the board counts as the file does.
async fn live(host: &dyn Host, posts: &Posts) -> anyhow::Result<()> {
    let server = server(host, "live").await?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_byte_record(&posts.headers)?;
    let (mut ids, mut by_queue) = (HashSet::new(), BTreeMap::<String, u64>::new());
    for row in posts.rows.iter().take(LIVE) {
        writer.write_byte_record(row)?;
        if ids.insert(posts.cell(row, "tweet_id").to_vec()) {
            // What the decision table says of posts, told once more by hand.
            let queue = match posts.cell(row, "negativereason") {
                b"Late Flight" | b"Cancelled Flight" => "delay_desk",
                b"Lost Luggage" | b"Damaged Luggage" => "baggage_desk",
                b"Customer Service Issue" | b"Flight Attendant Complaints" | b"Bad Flight" | b"longlines" => {
                    "complaint_desk"
                }
                _ => "triage",
            };
            *by_queue.entry(queue.to_owned()).or_default() += 1;
        }
    }
    let done = import(&server.engine, "tweets_live", &writer.into_inner()?).await?;
    ensure!(done.created == ids.len() as u64, "{} of {} created: {:?}", done.created, ids.len(), done.errors);

    let pack = server.engine.deployed().packs[0].clone();
    // The posts are of 2015, and the board shows what it is asked for.
    let ask = Ask { range: Some("all".to_owned()), ..Ask::default() };
    let report = server.engine.report(&pack, &Viewer::system("en"), &Key::from("tickets_by_queue"), &ask).await?;
    let mut shown = BTreeMap::new();
    for row in report["rows"].as_array().into_iter().flatten() {
        let queue = row[0].as_str().unwrap_or("without a queue").to_owned();
        shown.insert(queue, row[1].as_str().and_then(|count| count.parse().ok()).unwrap_or(0));
    }
    println!("  tweets_live: {} started, {shown:?}", done.created);
    ensure!(shown == by_queue, "counted {by_queue:?}, shown {shown:?}");
    Ok(())
}

/// The members' file feeds customers and members; in UTF-8 and in GB18030 it holds the same.
async fn members(host: &dyn Host, path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let text = String::from_utf8(bytes.clone())?;
    let text = text.trim_start_matches('\u{feff}');
    // Counted by hand: rows cut off, and days that no calendar has.
    let width = text.lines().next().map_or(0, |header| header.split(',').count());
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let ragged = rows.iter().filter(|row| row.len() != width).count() as u64;
    let impossible = rows.iter().filter(|row| row.len() == width && row[18].starts_with("2014/2/29")).count() as u64;
    let good = rows.len() as u64 - ragged - impossible;

    let server = server(host, "members").await?;
    let first = import(&server.engine, "ffp_members", &bytes).await?;
    println!("  ffp_members: {} read, {} created, {} rejected", first.read, first.created, first.rejected);
    ensure!((first.read, first.created, first.rejected) == (rows.len() as u64, good, ragged + impossible), "{first:?}");
    let told = |code: &str, pointer: &str| {
        first.errors.iter().filter(|error| error.code == code && error.pointer == pointer && error.line > 1).count()
            as u64
    };
    ensure!(
        (told("ragged", ""), told("wrong_type", "/customer/last_flown_on")) == (ragged, impossible),
        "{:?}",
        first.errors
    );
    ensure!(first.errors.len() as u64 == ragged + impossible, "no other reason: {:?}", first.errors);

    let (gb18030, ..) = encoding_rs::GB18030.encode(text);
    let again = import(&server.engine, "ffp_members", &gb18030).await?;
    println!("    in GB18030: {} unchanged, {} rejected", again.unchanged, again.rejected);
    ensure!((again.unchanged, again.updated, again.created) == (good, 0, 0), "the same records: {again:?}");
    Ok(())
}

/// Every hostile string, through fields of one line and of several, in and out again: unchanged.
async fn hostile(host: &dyn Host, path: &Path) -> anyhow::Result<()> {
    let file = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let texts: Vec<String> = serde_json::from_slice(&file)?;
    // Blanks alone are no value, and one line holds 140 characters.
    let kept = |text: &&String| !text.trim().is_empty() && !text.contains('\0');
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["tweet_id", "airline_sentiment", "negativereason", "airline", "text", "tweet_created"])?;
    let texts: Vec<&String> = texts.iter().filter(kept).collect();
    for (number, text) in texts.iter().enumerate() {
        let id = format!("hostile-{number}");
        writer.write_record([&id, "neutral", "", text, text, "2015-02-24 11:35:52 -0800"])?;
    }
    let server = server(host, "hostile").await?;
    let done = import(&server.engine, "tweets", &writer.into_inner()?).await?;
    // The airline's name is a field of limited length.
    let too_long = done.errors.iter().filter(|error| error.code == "too_long").count();
    ensure!(done.created as usize + too_long == texts.len(), "{:?}", done.errors);
    let pack = server.engine.deployed().packs[0].clone();
    let form = pack.form("ticket");
    let place = |key: &str| form.field(key).map(|(place, _)| place).context("a field");
    let (key, line, body) = (place("origin_key")?, place("airline")?, place("body")?);
    let (_, records) = server.engine.store().scan(&pack, "ticket").await?;
    for record in &records {
        let text = |place: usize| record.values[place].as_text().unwrap_or_default().to_owned();
        let number: usize = text(key).trim_start_matches("hostile-").parse()?;
        ensure!(
            text(line) == **texts[number] && text(body) == **texts[number],
            "{:?} came back changed",
            texts[number]
        );
    }
    println!("  hostile: {} texts in and out, {too_long} too long for one line", records.len());
    Ok(())
}
