//! Packs as zip archives: what one server gives, another takes, byte for byte; and what no server takes.

use std::io::{Cursor, Write};

use reqwest::Method;
use serde_json::{Value as Json, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use formwork_runtime::archive;
use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

const ZIP: &str = "application/zip";

/// An archive of these entries, as they are named.
fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).expect("an entry begins");
        writer.write_all(bytes).expect("it is written");
    }
    writer.finish().expect("the archive is whole").into_inner()
}

fn refusal(entries: &[(&str, &[u8])]) -> String {
    archive::read(&zipped(entries)).expect_err("refused").to_string()
}

async fn exported(client: &Client, pack: &str) -> Vec<u8> {
    let path = format!("/api/packs/{pack}");
    let answer = client.request(Method::GET, &path).header("accept", ZIP).send().await.expect("the server answers");
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &ZIP.parse().unwrap()));
    assert!(answer.headers()["content-disposition"].to_str().unwrap().contains(pack));
    answer.bytes().await.expect("a body").to_vec()
}

async fn send(client: &Client, path: &str, archive: Vec<u8>) -> (u16, Json) {
    let request = client.request(Method::POST, path).header("content-type", ZIP).body(archive);
    let answer = request.send().await.expect("the server answers");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Json::Null))
}

async fn a_pack_travels_from_one_server_to_another(host: &dyn Host) {
    let serve = async |name, bundle| {
        let store = host.open(name).await.expect("the store opens");
        let server = TestServer::start(store, bundle, Clock::System, Channels::default()).await;
        let publisher = server.user("pub", &["publisher"], &[]).await;
        (server, publisher)
    };
    let bundle = packs::waiting();
    let (_from, giver) = serve("giver", &bundle).await;
    let archive = exported(&giver, "waiting").await;
    let mut files = bundle.files.clone();
    files.sort();
    assert_eq!(archive::read(&archive).expect("a pack"), files, "the author's bytes");

    let (_to, taker) = serve("taker", &packs::shipped("examples/hello")).await;
    let (status, checked) = send(&taker, "/api/packs/waiting/check", archive.clone()).await;
    assert_eq!((status, &checked["ok"]), (200, &json!(true)), "{checked}");
    let (status, plan) = send(&taker, "/api/packs/waiting/plan", archive.clone()).await;
    assert_eq!(status, 200, "{plan}");
    assert!(!plan["changes"].as_array().expect("changes").is_empty(), "everything is new there");
    let (status, stale) = send(&taker, "/api/packs/waiting/deploy?plan=another", archive.clone()).await;
    assert_eq!((status, &stale["code"]), (409, &json!("plan_stale")), "{stale}");
    let deploy = format!("/api/packs/waiting/deploy?plan={}", plan["hash"].as_str().expect("a hash"));
    let (status, done) = send(&taker, &deploy, archive.clone()).await;
    assert_eq!(status, 200, "{done}");

    let (_, there) = giver.get("/api/packs/waiting").await;
    let (_, here) = taker.get("/api/packs/waiting").await;
    assert_eq!(there["hash"], here["hash"]);
    assert_eq!(exported(&taker, "waiting").await, archive, "and so on to the next");
    let (_, again) = send(&taker, "/api/packs/waiting/plan", archive).await;
    assert_eq!((&again["changes"], &again["access"]), (&json!([]), &json!([])), "no change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_travels_on_sqlite() {
    a_pack_travels_from_one_server_to_another(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_travels_on_postgres() {
    a_pack_travels_from_one_server_to_another(&Postgres::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_are_for_those_who_deploy_and_errors_name_the_entry() {
    let host = Sqlite::default();
    let store = host.open("refused").await.expect("the store opens");
    let server = TestServer::start(store, &packs::waiting(), Clock::System, Channels::default()).await;
    let (anybody, designer) = (server.anonymous(), server.user("des", &["designer"], &[]).await);
    let good = exported(&designer, "waiting").await;
    let path = "/api/packs/waiting/check";
    assert_eq!(send(&anybody, path, good.clone()).await.0, 401);
    assert_eq!(anybody.get("/api/packs/waiting").await.0, 401);
    assert_eq!(designer.get("/api/packs/nothing").await.0, 404);
    assert_eq!(send(&designer, "/api/packs/waiting/deploy?plan=x", good).await.0, 403, "a designer does not deploy");

    let evil = zipped(&[("pack.json", b"{}"), ("forms/../../etc/cron.json", b"{}")]);
    let (status, refused) = send(&designer, path, evil).await;
    assert_eq!((status, &refused["code"]), (400, &json!("archive_refused")), "{refused}");
    assert_eq!(refused["errors"][0]["pointer"], "/files/forms~1..~1..~1etc~1cron.json");
    let (status, refused) = send(&designer, path, b"no archive at all".to_vec()).await;
    assert_eq!((status, &refused["code"]), (400, &json!("archive_refused")), "{refused}");
}

#[test]
fn a_folder_that_was_packed_whole_is_read_without_its_name_and_without_what_stands_beside() {
    let files = archive::read(&zipped(&[
        ("desk/pack.json", b"{}"),
        ("desk/README.md", b"# Desk"),
        ("desk/forms/.hidden.json", b"{}"),
        ("desk/forms/note.json", "{\"label\": \"单\"}".as_bytes()),
        ("__MACOSX/desk/._pack.json", b"\xff\x00"),
    ]));
    let expected = [("forms/note.json", "{\"label\": \"单\"}"), ("pack.json", "{}")];
    assert_eq!(files.expect("a pack"), expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    assert!(refusal(&[("a/pack.json", b"{}"), ("b/pack.json", b"{}")]).contains("holds no `pack.json`"));
    assert!(refusal(&[("a/b/pack.json", b"{}")]).contains("holds no `pack.json`"));
}

#[test]
fn no_path_leads_out_of_the_folder() {
    for name in ["../x.json", "/etc/passwd", "forms/../../x", "C:/x.json", "forms\\x.json", "forms/./x.json"] {
        let told = refusal(&[("pack.json", b"{}"), (name, b"{}")]);
        assert!(told.contains("leads out") && told.contains(name), "{name}: {told}");
    }
    assert!(refusal(&[("pack.json", b"{}"), ("a/b/c/d/e/f/g/h/i", b"")]).contains("too deep"));
}

#[test]
fn a_link_and_bytes_that_are_no_text_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("pack.json", SimpleFileOptions::default()).expect("an entry begins");
    writer.add_symlink("forms/note.json", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    let archive = writer.finish().expect("the archive is whole").into_inner();
    let told = archive::read(&archive).expect_err("refused").to_string();
    assert_eq!(told, "entry `forms/note.json`: it is no ordinary file");
    assert!(refusal(&[("pack.json", b"\xff\xfe")]).contains("`pack.json`: it is not UTF-8 text"));
}

#[test]
fn bombs_are_refused_while_they_inflate() {
    let blank = vec![b' '; (1 << 20) + 1];
    let told = refusal(&[("pack.json", b"{}"), ("forms/note.json", &blank)]);
    assert_eq!(told, "entry `forms/note.json`: it is larger than 1024 KiB");

    let names: Vec<String> = (0..33).map(|number| format!("data/f{number}.json")).collect();
    let mut entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &blank[..1 << 20])).collect();
    entries.push(("pack.json", b"{}"));
    let archive = zipped(&entries);
    assert!(archive.len() < 100_000, "small on the wire: {}", archive.len());
    assert_eq!(archive::read(&archive).expect_err("refused").to_string(), "the archive inflates to more than 32 MiB");

    let names: Vec<String> = (0..2_001).map(|number| format!("data/f{number}.json")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(refusal(&many).contains("2001 entries"));

    // What an archive claims of a size is not believed: the entry's 32-bit size is rewritten to 1.
    let mut lying = zipped(&[("pack.json", &blank)]);
    let claimed = u32::try_from(blank.len()).unwrap().to_le_bytes();
    let places: Vec<usize> = (0..lying.len() - 4).filter(|place| lying[*place..*place + 4] == claimed).collect();
    assert!(!places.is_empty());
    for place in places {
        lying[place..place + 4].copy_from_slice(&1u32.to_le_bytes());
    }
    assert!(archive::read(&lying).is_err());
}
