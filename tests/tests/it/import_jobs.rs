//! Imports that are kept: looked at, run, taken back, over HTTP and on both stores; one row feeds several forms.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_core::Viewer;
use formwork_model::Key;
use formwork_runtime::cases::Host;
use formwork_runtime::questions::ListRequest;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

const HEADER: &str = "MEMBER_NO,GENDER,FFP_TIER,LAST_FLIGHT_DATE,FFP_DATE,FLIGHT_COUNT,SEG_KM_SUM,Points_Sum\n";

async fn crm(host: &dyn Host) -> TestServer {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("import_jobs").await.expect("the store opens");
    TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::pretending()).await
}

async fn records(server: &TestServer, form: &str) -> Vec<Json> {
    let pack = server.engine.deployed().packs[0].clone();
    let request = ListRequest { limit: 200, ..ListRequest::default() };
    let page = server.engine.list(&pack, &Viewer::system("en"), &Key::from(form), request).await.expect("a page");
    page["items"].as_array().expect("a list").clone()
}

/// Sends a file, has it worked on, and tells what became of it.
async fn send(server: &TestServer, client: &Client, path: &str, file: Vec<u8>) -> (u16, Json) {
    let sent = client.request(Method::POST, path).body(file).send().await.expect("the server answers");
    let status = sent.status().as_u16();
    let told: Json = sent.json().await.expect("JSON");
    if status != 202 {
        return (status, told);
    }
    server.engine.run_due().await.expect("due work");
    let id = told["id"].as_str().expect("an id");
    let (_, job) = client.get(&format!("/api/imports/{id}")).await;
    (status, job)
}

async fn act(server: &TestServer, client: &Client, job: &Json, verb: &str) -> (u16, Json) {
    let path = format!("/api/imports/{}", job["id"].as_str().expect("an id"));
    let (status, told) = client.call(Method::POST, &format!("{path}/{verb}"), json!({})).await;
    if status != 202 {
        return (status, told);
    }
    server.engine.run_due().await.expect("due work");
    (status, client.get(&path).await.1)
}

async fn errors(client: &Client, job: &Json) -> String {
    let answer = client.request(Method::GET, job["errors"].as_str().expect("a path")).send().await;
    answer.expect("the server answers").text().await.expect("text")
}

fn numbers(job: &Json) -> [u64; 6] {
    ["read", "created", "updated", "unchanged", "skipped", "rejected"]
        .map(|word| job[word].as_u64().unwrap_or_else(|| panic!("no {word} in {job}")))
}

/// Two good rows; a date that is none, a number below its limit (of the second form), a row cut off.
fn file() -> String {
    format!(
        "{HEADER}54993,男,6,2014/03/31,2006/11/02,210,580717,619760\n\
         28065,女,5,2014/2/29  0:00:00,2007/02/19,140,293678,415768\n\
         55106,男,4,2014/03/26,2007/02/01,-1,283712,406361\n\
         21189,男,5,2013/12/26,2008/08/22,23,281336,372204\n\
         39546,男,6,2014/03/2\n"
    )
}

async fn a_row_feeds_several_forms_whole_or_not_at_all(host: &dyn Host) {
    let server = crm(host).await;
    let lead = server.user("lead", &["team_lead"], &[]).await;

    let (status, checked) = send(&server, &lead, "/api/imports/ffp_members?dry_run=true", file().into()).await;
    assert_eq!((status, &checked["state"]), (202, &json!("checked")), "{checked}");
    assert_eq!(numbers(&checked), [5, 2, 0, 0, 0, 3]);
    assert_eq!(records(&server, "customer").await.len() + records(&server, "member").await.len(), 0, "only looked at");

    let (_, done) = act(&server, &lead, &checked, "run").await;
    assert_eq!((&done["state"], numbers(&done)), (&json!("done"), [5, 2, 0, 0, 0, 3]), "{done}");
    let (customers, members) = (records(&server, "customer").await, records(&server, "member").await);
    assert_eq!((customers.len(), members.len()), (2, 2), "a refused row leaves nothing behind");
    let member = members.iter().find(|member| member["member_no"] == "0000054993").expect("the first row's member");
    let customer = customers.iter().find(|customer| customer["source_key"] == "ffp:54993").expect("and customer");
    assert_eq!(member["customer"]["id"], customer["id"], "the second form links to the first");
    assert_eq!(
        (&customer["gender"], &customer["tier"], &member["joined_on"]),
        (&json!("m"), &json!("platinum"), &json!("2006-11-02"))
    );

    let told = errors(&lead, &done).await;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "line,code,pointer,value,message");
    assert!(lines[1].starts_with("3,wrong_type,/customer/last_flown_on,2014/2/29  0:00:00,"), "{told}");
    assert!(lines[2].starts_with("4,too_small,/member/flight_count,'-1,"), "{told}");
    assert!(lines[3].starts_with("6,ragged,,,"), "{told}");
    assert_eq!(lines.len(), 4);

    // The same file in another encoding holds the same.
    let gb18030 = encoding_rs::GB18030.encode(&file()).0.into_owned();
    let (_, again) = send(&server, &lead, "/api/imports/ffp_members", gb18030).await;
    assert_eq!((numbers(&again), &again["encoding"]), ([5, 0, 0, 2, 0, 3], &json!("gb18030")), "{again}");
}

async fn an_import_is_taken_back_as_far_as_nothing_was_changed_since(host: &dyn Host) {
    let server = crm(host).await;
    let lead = server.user("lead", &["team_lead"], &[]).await;
    let rows = "code,name_zh,gender\nnew-1,王芳,女\nnew-2,李强,Male\n";
    let (_, first) = send(&server, &lead, "/api/imports/customer?map=%7B%22source_key%22:%22code%22,%22name_zh%22:%22name_zh%22,%22gender%22:%22gender%22%7D&key=source_key", rows.into()).await;
    assert_eq!((numbers(&first), &first["state"]), ([2, 2, 0, 0, 0, 0], &json!("done")), "{first}");
    // The second file changes one and adds one. Its mapping is remembered.
    let rows = "code,name_zh,gender\nnew-1,王芳芳,女\nnew-3,赵敏,\n";
    let (_, second) = send(&server, &lead, "/api/imports/customer", rows.into()).await;
    assert_eq!(numbers(&second), [2, 1, 1, 0, 0, 0], "{second}");
    assert_eq!(second["mapping"]["key"], json!(["source_key"]));
    let named = |records: Vec<Json>, key: &str| -> Option<String> {
        let found = records.into_iter().find(|record| record["source_key"] == key)?;
        found["name_zh"].as_str().map(str::to_owned)
    };
    let (status, undone) = act(&server, &lead, &second, "undo").await;
    assert_eq!(
        (status, &undone["state"], &undone["undo"]),
        (202, &json!("undone"), &json!({"undone": 2, "left": 0})),
        "{undone}"
    );
    assert_eq!(named(records(&server, "customer").await, "new-1").as_deref(), Some("王芳"), "restored");
    assert_eq!(named(records(&server, "customer").await, "new-3"), None, "deleted");

    // The first import's record was changed since, by the second and its undo; the other is as it was.
    let (_, undone) = act(&server, &lead, &first, "undo").await;
    assert_eq!(undone["undo"], json!({"undone": 1, "left": 1}), "{undone}");
    let told = errors(&lead, &undone).await;
    assert!(told.contains("\r\n2,conflict,,customer/"), "{told}");
    assert_eq!(records(&server, "customer").await.len(), 1);
    let (status, _) = act(&server, &lead, &undone, "undo").await;
    assert_eq!(status, 409, "once is enough");
}

async fn rights_and_steps_hold(host: &dyn Host) {
    let server = crm(host).await;
    let agent = server.user("agent", &["agent"], &[]).await;
    let (status, told) = send(&server, &agent, "/api/imports/member", "member_no\n0000000001\n".into()).await;
    assert_eq!((status, &told["code"]), (403, &json!("import_forbidden")), "agents file no members");
    let (status, _) = send(&server, &agent, "/api/imports/ffp_members", file().into()).await;
    assert_eq!(status, 403, "nor by a definition that feeds them");
    // Fields the role may not write are refused row by row, as everywhere.
    let (_, done) = send(&server, &agent, "/api/imports/customer", "name_zh,性别\n王芳,女\n".into()).await;
    assert_eq!(numbers(&done), [1, 1, 0, 0, 0, 0], "{done}");
    let mapped = "/api/imports/customer?map=%7B%22vip%22:%22vip%22%7D";
    let (status, told) = send(&server, &agent, mapped, "vip\n1\n".into()).await;
    assert_eq!((status, &told["code"]), (422, &json!("import_mapping")), "{told}");

    let other = server.user("other", &["team_lead"], &[]).await;
    let (status, _) = other.get(&format!("/api/imports/{}", done["id"].as_str().expect("an id"))).await;
    assert_eq!(status, 404, "another's import does not exist");
    assert_eq!(act(&server, &agent, &done, "run").await.0, 409, "it is done");
    let workbook = send(&server, &agent, "/api/imports/customer", b"PK\x03\x04".to_vec()).await;
    assert_eq!((workbook.0, &workbook.1["code"]), (422, &json!("import_no_text")));

    // A record is found by its running number, which nobody may write.
    let code = records(&server, "customer").await[0]["code"].as_str().expect("a number").to_owned();
    let file = format!("Customer number,Chinese name\n{code},王芳芳\n");
    let (_, updated) = send(&server, &agent, "/api/imports/customer", file.into()).await;
    assert_eq!((numbers(&updated), &updated["mapping"]["key"]), ([1, 0, 1, 0, 0, 0], &json!(["code"])), "{updated}");
}

/// Texts that break careless programs come back as they went in.
async fn hostile_texts_come_back_unchanged(host: &dyn Host) {
    let texts = [
        "'; DROP TABLE fw_user; --",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "\u{feff}starts with a mark",
        "\u{202e}turned round\u{202c}",
        "á é ñ \u{301} ﷽ 田中さん",
        "👩‍👩‍👧‍👦 🇨🇳 😀",
        "line one\nline two\r\nline three",
        "\"quoted\", and, commas; 'too'",
        "{{ 7 * 7 }} ${7*7} %s %n",
        "\\0 \\x00 \\u0000 ../../etc/passwd",
        "\u{1}\u{7f}\u{85}\u{a0}\u{2028} end",
    ];
    let server = crm(host).await;
    let lead = server.user("lead", &["team_lead"], &[]).await;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["subject", "body", "category"]).expect("memory");
    for text in texts {
        writer.write_record([text, text, "其他"]).expect("memory");
    }
    let file = writer.into_inner().expect("memory");
    let map =
        "/api/imports/ticket?map=%7B%22subject%22:%22subject%22,%22body%22:%22body%22,%22category%22:%22category%22%7D";
    let (_, done) = send(&server, &lead, map, file).await;
    assert_eq!(numbers(&done)[..2], [12, 12], "{}", errors(&lead, &done).await);
    let found = records(&server, "ticket").await;
    for text in texts {
        let holds = found.iter().filter(|record| record["subject"] == text && record["body"] == text).count();
        assert_eq!(holds, 1, "{text:?}");
    }
}

macro_rules! on_both {
    ($($name:ident: $test:ident),* $(,)?) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                $test(&Sqlite::default()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                $test(&Postgres::default()).await;
            }
        }
    )*};
}

on_both! {
    several: a_row_feeds_several_forms_whole_or_not_at_all,
    undo: an_import_is_taken_back_as_far_as_nothing_was_changed_since,
    rights: rights_and_steps_hold,
    hostile: hostile_texts_come_back_unchanged,
}
