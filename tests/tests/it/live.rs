//! Live pages: who watches hears which kinds of things changed, soon, and only of what is theirs to see.

use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::{Method, Response};
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

/// From a commit to those who watch.
const SOON: Duration = Duration::from_secs(2);
/// Longer than a listener waits before it looks: whatever would be told was told by then.
const LOOKED: Duration = Duration::from_millis(1_200);
/// Until it is noticed that somebody may listen no longer.
const NOTICED: Duration = Duration::from_secs(8);
/// Connections one person may have.
const OF_ONE: usize = 24;

/// A connection to `/api/events`.
struct Ears {
    response: Response,
    text: String,
}

/// What an event said, and its id.
#[derive(Debug)]
struct Said {
    id: i64,
    what: Json,
}

impl Ears {
    async fn open(client: &Client) -> Self {
        Self::of(client.request(Method::GET, "/api/events").send().await.expect("an answer"))
    }

    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(response.headers().get("content-encoding").is_none(), "what is packed comes late");
        Self { response, text: String::new() }
    }

    /// The next event; none where none comes in time, an error where the stream ends.
    async fn hear(&mut self, within: Duration) -> Result<Option<Said>, Ended> {
        let until = tokio::time::Instant::now() + within;
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let value = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let Some(data) = value("data: ") {
                    assert_eq!(value("event: ").as_deref(), Some("changed"));
                    let id = value("id: ").and_then(|id| id.parse().ok()).expect("an event has an id");
                    return Ok(Some(Said { id, what: serde_json::from_str(&data).expect("JSON") }));
                }
            }
            match tokio::time::timeout_at(until, self.response.chunk()).await {
                Err(_) => return Ok(None),
                Ok(Ok(Some(bytes))) => self.text.push_str(std::str::from_utf8(&bytes).expect("UTF-8")),
                Ok(Ok(None) | Err(_)) => return Err(Ended),
            }
        }
    }

    async fn must_hear(&mut self, what: Json) -> Said {
        let said =
            self.hear(SOON).await.expect("the stream lasts").unwrap_or_else(|| panic!("{what} within two seconds"));
        assert_eq!(said.what, what);
        said
    }

    async fn must_not_hear(&mut self) {
        let said = self.hear(LOOKED).await.expect("the stream lasts");
        assert!(said.is_none(), "nothing of it is theirs to know: {said:?}");
    }

    async fn must_end(&mut self) {
        let since = Instant::now();
        while since.elapsed() < NOTICED {
            match self.hear(NOTICED).await {
                Err(Ended) => return,
                Ok(said) => assert!(said.is_none(), "who may not listen is told nothing: {said:?}"),
            }
        }
        panic!("the stream must end");
    }
}

#[derive(Debug)]
struct Ended;

fn tickets(tasks: bool) -> Json {
    json!({"tasks": tasks, "records": ["guarded.ticket"]})
}

async fn guarded(host: &dyn Host) -> TestServer {
    let store = host.open("live").await.expect("the store opens");
    TestServer::start(store, &packs::guarded(), Clock::System, Channels::default()).await
}

async fn file(client: &Client, form: &str, values: Json) -> String {
    let (status, body) = client.call(Method::POST, &format!("/api/records/{form}"), values).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

/// The task of a ticket that waits for its queue.
async fn waiting(client: &Client, ticket: &str) -> String {
    let (_, tasks) = client.get("/api/tasks?box=claimable&limit=200").await;
    let task = tasks["items"].as_array().expect("tasks").iter().find(|task| task["record"]["id"] == ticket).cloned();
    task.expect("its task")["id"].as_str().expect("an id").to_owned()
}

async fn a_queue_hears_of_its_own(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let abe = server.user("abe", &["agent"], &["a"]).await;
    let ben = server.user("ben", &["agent"], &["b"]).await;
    let lee = server.user("lee", &["lead"], &[]).await;
    let (mut of_abe, mut of_ben, mut of_lee) = (Ears::open(&abe).await, Ears::open(&ben).await, Ears::open(&lee).await);

    let ticket = file(&ann, "ticket", json!({"subject": "Lost"})).await;
    of_abe.must_hear(tickets(true)).await;
    // A lead reads all tickets, and the tasks of the queue they lead.
    of_lee.must_hear(tickets(true)).await;
    of_ben.must_not_hear().await;

    let task = waiting(&ann, &ticket).await;
    let (status, body) = ann.call(Method::POST, &format!("/api/tasks/{task}/claim"), json!({})).await;
    assert_eq!(status, 200, "{body}");
    // A claim changes no record: only boxes move.
    of_abe.must_hear(json!({"tasks": true, "records": []})).await;
    of_lee.must_hear(json!({"tasks": true, "records": []})).await;
    of_ben.must_not_hear().await;

    let (status, body) = ann.call(Method::POST, &format!("/api/tasks/{task}/transfer"), json!({"queue": "b"})).await;
    assert_eq!(status, 200, "{body}");
    of_ben.must_hear(json!({"tasks": true, "records": []})).await;
    // They saw it before: it is gone from their boxes.
    of_abe.must_hear(json!({"tasks": true, "records": []})).await;

    // What is theirs is told to Ben, and at that time: nothing of what came before was kept back for him.
    let filed = Utc::now().timestamp_millis();
    file(&ben, "ticket", json!({"subject": "Late", "queue": "b"})).await;
    let said = of_ben.must_hear(tickets(true)).await;
    assert!(said.id >= filed, "{said:?} comes before {filed}");
    of_abe.must_not_hear().await;
}

async fn who_saw_it_before_hears_that_it_went(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let both = server.user("both", &["agent"], &["a", "b"]).await;
    let ben = server.user("ben", &["agent"], &["b"]).await;
    let ticket = file(&both, "ticket", json!({"subject": "Lost"})).await;
    let (mut of_ann, mut of_ben) = (Ears::open(&ann).await, Ears::open(&ben).await);
    let path = format!("/api/records/ticket/{ticket}");
    let records = json!({"tasks": false, "records": ["guarded.ticket"]});

    assert_eq!(both.call(Method::PATCH, &path, json!({"queue": "b"})).await.0, 200);
    of_ann.must_hear(records.clone()).await;
    of_ben.must_hear(records.clone()).await;
    assert_eq!(both.call(Method::PATCH, &path, json!({"subject": "Found"})).await.0, 200);
    of_ben.must_hear(records.clone()).await;
    of_ann.must_not_hear().await;
    let version = both.get(&path).await.1["version"].clone();
    let delete = both.request(Method::DELETE, &path).header("if-match", format!("\"{version}\"")).send().await;
    assert_eq!(delete.expect("an answer").status(), 204);
    // Its task ends with it, in the queue it waited in.
    of_ben.must_hear(records).await;
    of_ann.must_hear(json!({"tasks": true, "records": []})).await;
}

async fn of_a_form_one_does_not_read_nothing_is_heard(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let abe = server.user("abe", &["agent"], &["a"]).await;
    let lee = server.user("lee", &["lead"], &[]).await;
    let nobody = server.user("nobody", &[], &[]).await;
    let mut of_ann = Ears::open(&ann).await;
    let mut others = [Ears::open(&abe).await, Ears::open(&lee).await, Ears::open(&nobody).await];
    let person = file(&ann, "person", json!({"name": "Wang"})).await;
    of_ann.must_hear(json!({"tasks": false, "records": ["guarded.person"]})).await;
    let path = format!("/api/records/person/{person}");
    assert_eq!(ann.call(Method::PATCH, &path, json!({"tier": "gold"})).await.0, 200);
    of_ann.must_hear(json!({"tasks": false, "records": ["guarded.person"]})).await;
    for other in &mut others {
        other.must_not_hear().await;
    }
}

async fn a_token_hears_what_its_scopes_say(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let listen = async |scopes: &[&str]| {
        let token = server.token("ann", scopes, None).await;
        let request = server.anonymous().request(Method::GET, "/api/events").bearer_auth(token);
        request.send().await.expect("an answer")
    };
    assert_eq!(listen(&["tasks", "reports"]).await.status(), 403);
    assert_eq!(server.anonymous().get("/api/events").await.0, 401);
    let (mut reads, mut works) =
        (Ears::of(listen(&["records:read"]).await), Ears::of(listen(&["records:read", "tasks"]).await));
    let ticket = file(&ann, "ticket", json!({"subject": "Lost"})).await;
    reads.must_hear(tickets(false)).await;
    works.must_hear(tickets(true)).await;
    let task = waiting(&ann, &ticket).await;
    assert_eq!(ann.call(Method::POST, &format!("/api/tasks/{task}/claim"), json!({})).await.0, 200);
    works.must_hear(json!({"tasks": true, "records": []})).await;
    reads.must_not_hear().await;
}

async fn who_may_listen_no_longer_is_told_nothing(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let abe = server.user("abe", &["agent"], &["a"]).await;
    let ada = server.user("ada", &["agent"], &["a"]).await;
    let mut of_ann = Ears::open(&ann).await;
    let mut of_abe = Ears::open(&abe).await;
    assert_eq!(ann.send(Method::DELETE, "/api/session", Json::Null).await.status(), 204);
    // Long before anybody looks by themselves.
    let ended = of_ann.hear(SOON).await;
    assert!(ended.is_err(), "the session is over: {ended:?}");
    assert_eq!(ann.get("/api/events").await.0, 401);

    let mut user = server.engine.store().user_by_login("abe").await.expect("users").expect("Abe");
    user.facts.active = false;
    server.engine.store().put_user(&user).await.expect("a user is changed");
    file(&ada, "ticket", json!({"subject": "Lost"})).await;
    of_abe.must_end().await;
}

async fn who_serves_another_queue_now_hears_of_that(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a", "b"]).await;
    let abe = server.user("abe", &["agent"], &["a"]).await;
    let mut of_abe = Ears::open(&abe).await;
    let mut user = server.engine.store().user_by_login("abe").await.expect("users").expect("Abe");
    user.facts.queues = vec!["b".into()];
    server.engine.store().put_user(&user).await.expect("a user is changed");
    file(&ann, "ticket", json!({"subject": "Lost", "queue": "a"})).await;
    of_abe.must_not_hear().await;
    file(&ann, "ticket", json!({"subject": "Late", "queue": "b"})).await;
    of_abe.must_hear(tickets(true)).await;
}

async fn who_comes_back_hears_what_they_missed(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let abe = server.user("abe", &["agent"], &["a"]).await;
    let ben = server.user("ben", &["agent"], &["b"]).await;
    let from = |client: &Client, id: i64| {
        client.request(Method::GET, "/api/events").header("last-event-id", id.to_string()).send()
    };
    // Somebody listens all the while, so that what happens is remembered.
    let mut of_ann = Ears::open(&ann).await;
    let before = Utc::now().timestamp_millis() + 4_000;
    file(&ann, "ticket", json!({"subject": "Lost"})).await;
    of_ann.must_hear(tickets(true)).await;
    // Nothing is told twice to who has seen it, with some slack for clocks.
    let mut again = Ears::of(from(&abe, before).await.expect("an answer"));
    again.must_not_hear().await;

    let last = Utc::now().timestamp_millis();
    file(&ann, "ticket", json!({"subject": "Late"})).await;
    of_ann.must_hear(tickets(true)).await;
    again.must_hear(tickets(true)).await;
    drop(again);
    let mut again = Ears::of(from(&abe, last).await.expect("an answer"));
    again.must_hear(tickets(true)).await;
    // The same past holds nothing for others.
    let mut of_ben = Ears::of(from(&ben, last).await.expect("an answer"));
    of_ben.must_not_hear().await;
    // Whoever was away for longer than is remembered looks at everything.
    let mut late = Ears::of(from(&ben, 1_000).await.expect("an answer"));
    late.must_hear(json!({"all": true})).await;
}

async fn one_person_has_so_many_connections(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let abe = server.user("abe", &["agent"], &["a"]).await;
    let mut open = Vec::new();
    for _ in 0..OF_ONE {
        open.push(Ears::open(&ann).await);
    }
    let refused = ann.request(Method::GET, "/api/events").send().await.expect("an answer");
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let mut of_abe = Ears::open(&abe).await;
    open.truncate(OF_ONE - 1);
    let since = Instant::now();
    while ann.request(Method::GET, "/api/events").send().await.expect("an answer").status() != 200 {
        assert!(since.elapsed() < NOTICED, "a connection that was closed makes room");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    server.engine.stop_live();
    of_abe.must_end().await;
    assert_eq!(abe.get("/api/events").await.0, 429, "a server that stops takes no more");
}

on_both_stores!(
    a_queue_hears_of_its_own,
    who_saw_it_before_hears_that_it_went,
    of_a_form_one_does_not_read_nothing_is_heard,
    a_token_hears_what_its_scopes_say,
    who_may_listen_no_longer_is_told_nothing,
    who_serves_another_queue_now_hears_of_that,
    who_comes_back_hears_what_they_missed,
    one_person_has_so_many_connections,
);

/// What one node commits is heard at the other.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_node_hears_it_soon() {
    let host = Postgres::default();
    let (one, two) = (guarded(&host).await, guarded(&host).await);
    let ann = one.user("ann", &["agent"], &["a"]).await;
    let there = async |login: &str, queue: &str| {
        let mut client = two.anonymous();
        client.cookie = one.user(login, &["agent"], &[queue]).await.cookie;
        Ears::open(&client).await
    };
    let (mut of_abe, mut of_ben) = (there("abe", "a").await, there("ben", "b").await);
    let ticket = file(&ann, "ticket", json!({"subject": "Lost"})).await;
    of_abe.must_hear(tickets(true)).await;
    let task = waiting(&ann, &ticket).await;
    assert_eq!(ann.call(Method::POST, &format!("/api/tasks/{task}/claim"), json!({})).await.0, 200);
    of_abe.must_hear(json!({"tasks": true, "records": []})).await;
    of_ben.must_not_hear().await;
}
