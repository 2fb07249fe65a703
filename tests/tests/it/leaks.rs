//! As an agent of one queue nothing of another queue's tickets can be had: by no address, no text and no number. What the
//! stranger is told is the same whether the ticket is there or not, and no byte of it is the ticket's; who may see it sees
//! it at the same addresses. Over HTTP, with the shipped pack, on both stores.

use std::time::Duration;

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

/// Stands in every text of the ticket and in nothing else.
const MARKER: &str = "Zq7xMarker";
/// Its amount of money, and in nothing else either.
const AMOUNT: &str = "731.37";

/// What a question shows to whoever may see the ticket.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shows {
    /// A text, a number or an id of it.
    It,
    /// Only that something is otherwise than without it.
    Change,
    /// Nothing to anybody: the address is asked because of what a refusal might say.
    Nothing,
}

/// The ticket of the other queue.
struct Hidden {
    id: String,
    no: String,
    task: String,
    instance: String,
}

impl Hidden {
    /// What must not be in an answer.
    fn marks(&self) -> [&str; 6] {
        [MARKER, AMOUNT, &self.id, &self.no, &self.task, &self.instance]
    }
}

/// Every address that lists, counts, draws or shows, without naming the ticket.
fn questions(customer: &str) -> Vec<(String, Shows)> {
    use Shows::{Change, It, Nothing};
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let mut paths: Vec<(String, Shows)> = Vec::new();
    for view in ["", "?view=all", "?view=open", "?view=mine", "?view=all&sort=-subject", "?fields=subject,body"] {
        paths.push((format!("/api/records/ticket{view}"), It));
        paths.push((format!("/api/exports/ticket{view}"), It));
    }
    for filter in [
        format!("subject == '{MARKER} subject'"),
        format!("starts_with(body, '{MARKER}')"),
        "queue == 'baggage_desk'".to_owned(),
        "count(items, claimed > 700) > 0".to_owned(),
        "claimed_total > 700".to_owned(),
    ] {
        paths.push((format!("/api/records/ticket?filter={}", escaped(&filter)), It));
        paths.push((format!("/api/exports/ticket?filter={}", escaped(&filter)), It));
    }
    // What the customer, whom both may read, says about it.
    for filter in ["count(tickets) > 0", "any(tickets, claimed_total > 700)", "sum(tickets, claimed_total) > 700"] {
        paths.push((format!("/api/records/customer?filter={}", escaped(filter)), Change));
    }
    for path in ["", "/timeline"] {
        paths.push((format!("/api/records/customer/{customer}{path}"), It));
    }
    for (path, shows) in [
        ("/api/records/ticket?q=Zq7xMarker", It),
        ("/api/search?q=Zq7xMarker", It),
        ("/api/search?q=zq7x", It),
        ("/api/tasks?box=claimable&limit=200", It),
        ("/api/tasks?box=claimable&queue=baggage_desk", It),
        ("/api/tasks?box=claimable&workflow=ticket_intake", It),
        ("/api/tasks?box=team", Nothing),
        ("/api/tasks?box=cc", Nothing),
        ("/api/tasks?box=done", Nothing),
        ("/api/tasks?box=started", Nothing),
        ("/api/metrics/tickets?range=all", Change),
        ("/api/metrics/tickets_open", Change),
        ("/api/metrics/tickets?range=all&explain=1", Change),
        ("/api/reports/tickets_by_queue?range=all", Change),
        ("/api/reports/tickets_by_category?range=all", Change),
        ("/api/reports/tickets_by_channel?range=all", Change),
        ("/api/reports/tickets_by_week?range=all", Change),
        ("/api/reports/tickets_by_queue?range=all&format=csv", Change),
        ("/api/boards/service_desk", Change),
        ("/api/boards/agent_desk", It),
        ("/api/me/views?form=ticket", Nothing),
        ("/api/records/subcategory", Nothing),
        ("/api/forms/ticket", Nothing),
        ("/records/ticket?view=all", It),
        ("/records/ticket?view=all&q=Zq7xMarker", Change),
        ("/records/ticket?view=all&f.queue=baggage_desk", It),
        ("/records/customer", Change),
        ("/search?q=zq7x", It),
        ("/home", Nothing),
        ("/inbox?box=claimable", It),
        ("/inbox?box=claimable&f.queue=baggage_desk", It),
        ("/boards/service_desk", Change),
        ("/boards/agent_desk", It),
        ("/reports/tickets_by_queue?range=all", Change),
        ("/reports/tickets_by_category?range=all", Change),
    ] {
        paths.push((path.to_owned(), shows));
    }
    for path in ["/api/boards/customer_360?record=", "/boards/customer_360?record=", "/records/customer/"] {
        paths.push((format!("{path}{customer}"), It));
    }
    paths.push((format!("/records/customer/{customer}?page=fields"), It));
    paths
}

/// What names the ticket, its task and what hangs on them; asked of ids that are nobody's, too.
fn named(customer: &str, [ticket, task, instance]: [&str; 3]) -> Vec<(Method, String, Json)> {
    let get = |path: String| (Method::GET, path, Json::Null);
    let post = |path: String, body: Json| (Method::POST, path, body);
    let mut asked = vec![
        get(format!("/records/ticket/{ticket}")),
        get(format!("/records/ticket/{ticket}/edit")),
        get(format!("/inbox?box=claimable&task={task}")),
        get(format!("/api/tasks/{task}")),
        get(format!("/api/search?q={ticket}")),
        get(format!("/api/records/ticket?filter=id%20%3D%3D%20'{ticket}'")),
        get(format!("/api/records/customer?filter=any(tickets%2C%20id%20%3D%3D%20'{ticket}')")),
        (Method::PATCH, format!("/api/records/ticket/{ticket}"), json!({"subject": "Mine"})),
        (Method::DELETE, format!("/api/records/ticket/{ticket}"), Json::Null),
        post(format!("/api/records/ticket/{ticket}/comments"), json!({"text": "Hello"})),
        post(format!("/api/records/ticket/{ticket}/undo"), Json::Null),
        post("/api/records/ticket/bulk".to_owned(), json!({"ids": [ticket], "patch": {"subject": "Mine"}})),
        post("/api/records/ticket/bulk".to_owned(), json!({"ids": [ticket], "delete": true})),
        post("/api/workflows/ticket_intake/start".to_owned(), json!({"record": ticket})),
        // As what something else links to.
        post(
            "/api/records/ticket".to_owned(),
            json!({"subject": "Of it", "category": "refund", "parent_ticket": ticket}),
        ),
        post("/api/records/interaction".to_owned(), json!({"customer": customer, "ticket": ticket})),
        post("/api/records/complaint".to_owned(), json!({"ticket": ticket})),
        post("/api/forms/complaint/evaluate".to_owned(), json!({"values": {"ticket": ticket}, "changed": ["ticket"]})),
        post("/api/forms/ticket/evaluate".to_owned(), json!({"id": ticket, "values": {}, "changed": []})),
        post(format!("/api/instances/{instance}/cancel"), json!({})),
    ];
    for part in ["", "/history", "/timeline", "/comments", "/clocks", "/draft"] {
        asked.push(get(format!("/api/records/ticket/{ticket}{part}")));
    }
    for (verb, body) in [
        ("claim", json!({})),
        ("release", json!({})),
        ("complete", json!({"outcome": "reply"})),
        ("transfer", json!({"queue": "refund_desk"})),
        ("comment", json!({"text": "Hello"})),
        ("remind", json!({})),
        ("cc", json!({"users": []})),
    ] {
        asked.push(post(format!("/api/tasks/{task}/{verb}"), body));
    }
    asked
}

async fn ask(client: &Client, method: &Method, path: &str, body: &Json) -> (u16, String) {
    let request = client.request(method.clone(), path);
    let request = if body.is_null() { request } else { request.json(body) };
    let answer = request.send().await.expect("the server answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// The answer without what differs each time: traces, keys of forms, the number of the last change.
fn steady(text: &str) -> String {
    let ends = |c: char| matches!(c, '"' | ',' | '}' | '&');
    let mut steady = text.to_owned();
    for before in ["\"trace_id\":\"", "\"as_of_seq\":", "\"seq\":", "name=\"_key\" value=\"", "data-at=\""] {
        let parts: Vec<&str> = steady.split(before).collect();
        let kept = parts.iter().enumerate().map(|(at, part)| match at {
            0 => *part,
            _ => part.find(ends).map_or(*part, |end| &part[end..]),
        });
        steady = kept.collect::<Vec<_>>().join(before);
    }
    steady
}

async fn all(client: &Client, questions: &[(String, Shows)]) -> Vec<(u16, String)> {
    let mut answers = Vec::with_capacity(questions.len());
    for (path, _) in questions {
        let (status, text) = ask(client, &Method::GET, path, &Json::Null).await;
        answers.push((status, steady(&text)));
    }
    answers
}

async fn done(client: &Client, path: &str, body: Json) -> Json {
    let (status, told) = client.call(Method::POST, path, body).await;
    assert!(status < 300, "{path}: {status} {told}");
    told
}

fn text_of(json: &Json, pointer: &str) -> String {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_else(|| panic!("{pointer} of {json}")).to_owned()
}

/// A ticket of the baggage desk about a customer, with everything that hangs on one.
async fn plant(owner: &Client, customer: &str) -> Hidden {
    let ticket = json!({
        "subject": format!("{MARKER} subject"), "body": format!("{MARKER} body"), "airline": format!("{MARKER} air"),
        "category": "baggage", "flight_no": "FW1881", "channel": "call", "customer": customer,
        "items": [{"bag_tag": "0123456789", "claimed": AMOUNT}],
    });
    let filed = done(owner, "/api/records/ticket", ticket).await;
    let id = text_of(&filed, "/id");
    done(owner, &format!("/api/records/ticket/{id}/comments"), json!({"text": format!("{MARKER} comment")})).await;
    let (_, tasks) = owner.get("/api/tasks?box=claimable&limit=200").await;
    let task = tasks["items"].as_array().expect("tasks").iter().find(|task| task["record"]["id"] == id).cloned();
    let task = text_of(&task.expect("its task"), "/id");
    let (_, history) = owner.get(&format!("/api/records/ticket/{id}/history")).await;
    let items = history["items"].as_array().expect("items");
    let instance = items.iter().find_map(|item| item["instance"].as_str()).expect("an instance").to_owned();
    Hidden { no: text_of(&filed, "/no"), id, task, instance }
}

async fn nothing_of_another_queue_can_be_had(host: &dyn Host) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("leaks").await.expect("the store opens");
    let server =
        TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::default()).await;
    let lead = server.user("lea", &["team_lead"], &[]).await;
    let owner = server.user("ana", &["agent"], &["baggage_desk"]).await;
    let stranger = server.user("ben", &["agent"], &["refund_desk"]).await;
    let customer = json!({"name_zh": "王芳", "phone": "13800138000", "email": "fang.wang@example.com"});
    let customer = text_of(&done(&lead, "/api/records/customer", customer).await, "/id");
    // Something of their own, so that no answer is empty for want of anything.
    for client in [&owner, &stranger] {
        let mine = json!({"subject": "Mine", "category": "information", "channel": "call"});
        done(client, "/api/records/ticket", mine).await;
    }
    let questions = questions(&customer);
    let (before, owned_before) = (all(&stranger, &questions).await, all(&owner, &questions).await);
    let mut heard = stranger.request(Method::GET, "/api/events").send().await.expect("an answer");
    let mut heard_by_owner = owner.request(Method::GET, "/api/events").send().await.expect("an answer");

    let hidden = plant(&owner, &customer).await;
    let (after, owned_after) = (all(&stranger, &questions).await, all(&owner, &questions).await);
    let mut wrong = Vec::new();
    for (at, (path, shows)) in questions.iter().enumerate() {
        let (status, text) = &after[at];
        assert_eq!(*status, 200, "{path}: {text}");
        // A page repeats what was searched for.
        let marks = hidden.marks().into_iter().filter(|mark| !path.contains(mark));
        let found = marks.filter(|mark| text.contains(mark)).collect::<Vec<_>>();
        if !found.is_empty() {
            wrong.push(format!("{path} tells the stranger {found:?}"));
        } else if before[at] != after[at] {
            wrong.push(format!("{path} is otherwise for the stranger: {}", difference(&before[at].1, text)));
        }
        // Whoever may see it does: the question is one that would have told.
        let (status, text) = &owned_after[at];
        assert_eq!(*status, 200, "{path}: {text}");
        let told = match shows {
            Shows::It => hidden.marks().into_iter().any(|mark| text.contains(mark)),
            Shows::Change => owned_before[at] != owned_after[at],
            Shows::Nothing => true,
        };
        if !told {
            wrong.push(format!("{path} does not tell the owner"));
        }
    }

    // What is asked of the ticket is answered as what is asked of nothing.
    let nobody = [(); 3].map(|()| Uuid::now_v7().to_string());
    let asked = named(&customer, [&hidden.id, &hidden.task, &hidden.instance]);
    let (mut of_nothing, mut shown) = (named(&customer, [&nobody[0], &nobody[1], &nobody[2]]).into_iter(), 0);
    for (method, path, body) in &asked {
        let (status, text) = ask(&stranger, method, path, body).await;
        let (_, other, other_body) = of_nothing.next().expect("as many");
        let (expected, expected_text) = ask(&stranger, method, &other, &other_body).await;
        let unnamed =
            |text: &str, names: [&str; 3]| names.into_iter().fold(steady(text), |text, name| text.replace(name, "…"));
        let text = unnamed(&text, [&hidden.id, &hidden.task, &hidden.instance]);
        let expected_text = unnamed(&expected_text, [&nobody[0], &nobody[1], &nobody[2]]);
        if (status, &text) != (expected, &expected_text) {
            wrong.push(format!(
                "{method} {path}: {status}, of nothing {expected}: {}",
                difference(&expected_text, &text)
            ));
        }
        if [MARKER, AMOUNT, &hidden.no].iter().any(|mark| text.contains(mark)) {
            wrong.push(format!("{method} {path} tells the stranger of it: {text}"));
        }
        if *method == Method::GET {
            let (status, text) = ask(&owner, method, path, body).await;
            shown += u32::from(status == 200 && hidden.marks().iter().any(|mark| text.contains(mark)));
        }
    }
    assert!(shown >= 9, "the owner sees it at these addresses: {shown}");

    // A contact that both may read leads to the ticket: the link is there, and nothing of where it leads.
    let contact = json!({"touchpoint": "call", "channel": "call", "customer": customer, "ticket": hidden.id});
    done(&owner, "/api/records/interaction", contact).await;
    for (path, shows) in [
        ("/api/records/interaction", Shows::It),
        ("/api/exports/interaction", Shows::It),
        ("/records/interaction", Shows::It),
        ("/api/records/interaction?filter=ticket.claimed_total%20%3E%20700", Shows::Change),
        ("/api/records/interaction?filter=starts_with(ticket.subject%2C%20'Zq7x')", Shows::Change),
    ] {
        let (_, text) = ask(&stranger, &Method::GET, path, &Json::Null).await;
        let (_, owned) = ask(&owner, &Method::GET, path, &Json::Null).await;
        let marks = [MARKER, AMOUNT, &hidden.no];
        let is_told = |text: &str| match shows {
            Shows::Change => text.contains("\"items\":[{"),
            _ => marks.iter().any(|mark| text.contains(mark)),
        };
        if is_told(&text) || !is_told(&owned) {
            wrong.push(format!("{path} tells the stranger {text}, the owner {owned}"));
        }
    }

    // Two open tickets of one customer, flight and category may not be: whoever hits that is not told what is there.
    let same = json!({"subject": "Same", "category": "baggage", "flight_no": "FW1881", "channel": "call",
                      "customer": customer, "items": [{"bag_tag": "0123456780", "claimed": "1.00"}]});
    let (status, told) = ask(&stranger, &Method::POST, "/api/records/ticket", &same).await;
    assert_eq!(status, 422, "{told}");
    for mark in hidden.marks() {
        assert!(!told.contains(mark), "{told}");
    }

    wrong.extend(imported(&server, &stranger, &hidden, &customer).await);
    let hearing = hear(&mut heard).await;
    assert!(hear(&mut heard_by_owner).await.contains("crm.ticket"), "the owner hears of it");
    if hearing.contains("\"tasks\":true") || hearing.contains("crm.ticket") {
        wrong.push(format!("the stranger hears {hearing}"));
    }
    assert!(wrong.is_empty(), "{} leaks:\n{}", wrong.len(), wrong.join("\n"));
}

/// A file whose rows name the ticket: what the job and its errors say.
async fn imported(server: &TestServer, stranger: &Client, hidden: &Hidden, customer: &str) -> Vec<String> {
    let Hidden { id, no, .. } = hidden;
    let file = format!(
        "subject,category,channel,flight_no,customer,parent_ticket\nA,baggage,call,FW1881,{customer},\nB,refund,call,,,{id}\n"
    );
    let request = stranger.request(Method::POST, "/api/imports/ticket").body(file);
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let begun: Json = answer.json().await.expect("JSON");
    assert_eq!(status, 202, "{begun}");
    let path = format!("/api/imports/{}", text_of(&begun, "/id"));
    server.engine.run_due().await.expect("due work");
    let (_, job) = stranger.get(&path).await;
    let (_, errors) = ask(stranger, &Method::GET, &format!("{path}/errors.csv"), &Json::Null).await;
    assert_eq!(errors.lines().count(), 3, "a head and both rows: {errors} {job}");
    // The id is what the file itself says.
    let told = format!("{job}{}", errors.replace(id.as_str(), "…"));
    let found = [MARKER, AMOUNT, no].into_iter().filter(|mark| told.contains(mark));
    found.map(|mark| format!("the import tells `{mark}`: {told}")).collect()
}

/// What was said until longer than a listener waits before it looks.
async fn hear(response: &mut reqwest::Response) -> String {
    let (mut text, until) = (String::new(), tokio::time::Instant::now() + Duration::from_millis(1_500));
    while let Ok(Ok(Some(bytes))) = tokio::time::timeout_at(until, response.chunk()).await {
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    text
}

/// Where two answers part.
fn difference(expected: &str, text: &str) -> String {
    let at = expected.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| {
        let bytes = &text.as_bytes()[at.saturating_sub(60).min(text.len())..(at + 120).min(text.len())];
        String::from_utf8_lossy(bytes).into_owned()
    };
    format!("`{}` became `{}`", part(expected), part(text))
}

on_both_stores!(nothing_of_another_queue_can_be_had);
