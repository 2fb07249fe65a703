//! Boards that are the page of a record, over HTTP and on both stores: what they count, and what they must not tell.

use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

/// The guarded pack with a board for persons. A lead reads persons without their tier, and tickets of their own queues.
fn with_a_board() -> Bundle {
    let mut bundle = packs::guarded();
    for (path, text) in &mut bundle.files {
        let (from, to) = match path.as_str() {
            "forms/person.json" => {
                (r#""access": {"#, r#""access": {"lead": {"read": true, "fields": {"*": "read", "tier": "none"}}, "#)
            }
            "forms/ticket.json" => (r#""lead": {"read": true,"#, r#""lead": {"read": "queue in user.queues","#),
            _ => continue,
        };
        assert!(text.contains(from), "{path}");
        *text = text.replace(from, to);
        if path == "forms/ticket.json" {
            let views = r#""views": {"all": {"type": "list", "columns": ["subject", "queue"]}}, "unique": {"#;
            *text = text.replace(r#""unique": {"#, views);
        }
    }
    let board = r#"{"label": "Page of a person", "for": "person", "roles": ["agent", "lead"], "tiles": {
        "who": {"type": "record", "fields": ["name", "tier"]},
        "count": {"type": "metric", "metric": "tickets", "where": "person == record.id"},
        "by_queue": {"type": "report", "report": "by_queue", "where": "person == record.id"},
        "list": {"type": "list", "form": "ticket", "view": "all", "where": "person == record.id"},
        "same": {"type": "list", "form": "ticket", "view": "all", "where": "subject == record.tier"},
        "path": {"type": "timeline", "sources": {"ticket": "person"}, "limit": 2},
        "next": {"type": "rules", "decision": "next", "actions": {
            "gold": {"label": "Send a card", "reason": "Of gold", "form": "ticket", "set": {"person": "=record.id", "subject": "Card"}},
            "busy": {"label": "Call", "reason": "Two tickets"}}},
        "asked": {"type": "rules", "decision": "asked", "actions": {"busy": {"label": "Visit", "reason": "Two tickets"}}},
        "new": {"type": "form", "form": "ticket", "set": {"person": "=record.id", "subject": "=record.tier"}}}}"#;
    let report =
        r#"{"label": "By queue", "metrics": ["tickets"], "by": {"queue": {"dimension": "queue"}}, "sort": ["queue"]}"#;
    let decision = r#"{"label": "Next", "for": "person", "hit": "collect",
        "inputs": {"tier": "tier", "tickets": "count(tickets)"}, "outputs": {"weight": "integer"},
        "rules": {"gold": {"if": ["'gold'", "-"], "then": ["1"]}, "busy": {"if": ["-", ">= 2"], "then": ["2"]}}}"#;
    // The same count by a look-up, which finds what the reader reads.
    let asked = r#"{"label": "Asked", "for": "person", "hit": "collect",
        "inputs": {"tickets": "count(lookup_all(ticket, it.id, it.person == id))"}, "outputs": {"weight": "integer"},
        "rules": {"busy": {"if": [">= 2"], "then": ["2"]}}}"#;
    for (path, text) in [
        ("boards/person_page.json", board),
        ("reports/by_queue.json", report),
        ("decisions/next.json", decision),
        ("decisions/asked.json", asked),
    ] {
        bundle.files.push((path.to_owned(), text.to_owned()));
    }
    bundle
}

async fn file(client: &Client, form: &str, values: Json) -> String {
    let (status, body) = client.call(Method::POST, &format!("/api/records/{form}"), values).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

async fn text(client: &Client, path: &str) -> (u16, String) {
    let answer = client.request(Method::GET, path).send().await.expect("the server answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// Two persons; the first has two tickets, one of them in a queue that the lead does not serve.
async fn scene(host: &dyn Host) -> (TestServer, Client, Client, String) {
    scene_with(host, |_| ()).await
}

/// The same with some files changed.
async fn scene_with(
    host: &dyn Host,
    change: impl Fn(&mut Vec<(String, String)>),
) -> (TestServer, Client, Client, String) {
    let store = host.open("boards").await.expect("the store opens");
    let mut bundle = with_a_board();
    change(&mut bundle.files);
    let server = TestServer::start(store, &bundle, Clock::System, Channels::default()).await;
    let cat = server.user("cat", &["agent"], &["a", "b"]).await;
    let lea = server.user("lea", &["lead"], &["a"]).await;
    let person = file(&cat, "person", json!({"name": "Wang", "tier": "gold"})).await;
    let other = file(&cat, "person", json!({"name": "Li", "tier": "gold"})).await;
    for (subject, queue, of) in [("Lost", "a", &person), ("Late", "b", &person), ("Elsewhere", "a", &other)] {
        file(&cat, "ticket", json!({"subject": subject, "queue": queue, "person": of})).await;
    }
    (server, cat, lea, person)
}

async fn a_board_is_about_its_record(host: &dyn Host) {
    let (_server, cat, _, person) = scene(host).await;
    let (status, body) = cat.get(&format!("/api/boards/person_page?record={person}")).await;
    assert_eq!(status, 200, "{body}");
    let tiles = &body["tiles"];
    assert_eq!(body["record"], json!({"form": "person", "id": person, "title": "Wang"}));
    assert_eq!(tiles["who"]["fields"][1]["value"], "gold", "{body}");
    assert_eq!(tiles["count"]["value"], "2", "{body}");
    assert_eq!(tiles["by_queue"]["rows"], json!([["a", "1"], ["b", "1"]]), "{body}");
    assert_eq!(tiles["list"]["total"]["value"], 2, "{body}");
    assert_eq!(tiles["same"]["total"]["value"], 0, "{body}");
    let proposed: Vec<&Json> = tiles["next"]["items"].as_array().expect("items").iter().map(|i| &i["rule"]).collect();
    assert_eq!(proposed, ["gold", "busy"]);
    assert_eq!(tiles["next"]["items"][0]["values"], json!({"person": person, "subject": "Card"}));
    assert_eq!(
        (&tiles["asked"]["state"], &tiles["asked"]["items"][0]["rule"]),
        (&json!("ok"), &json!("busy")),
        "{body}"
    );
    assert_eq!(tiles["new"]["values"], json!({"person": person, "subject": "gold"}));

    // The condition of the list, as a caller writes it, finds the same rows.
    let filter = tiles["list"]["filter"].as_str().expect("a filter").replace(' ', "%20").replace('=', "%3D");
    let (status, listed) = cat.get(&format!("/api/records/ticket?filter={filter}")).await;
    assert_eq!((status, &listed["total"]["value"]), (200, &json!(2)), "{listed}");

    // Two tickets and the person's own beginning, newest first, two to a page.
    let path = format!("/api/records/person/{person}/timeline?limit=2");
    let (_, first) = cat.get(&path).await;
    let titles: Vec<&Json> =
        first["items"].as_array().expect("items").iter().map(|item| &item["record"]["title"]).collect();
    assert_eq!(titles, ["Late", "Lost"], "{first}");
    let (_, rest) = cat.get(&format!("{path}&after={}", first["next"].as_str().expect("more"))).await;
    assert_eq!(rest["items"][0]["event"], "record.created", "{rest}");
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Json::Null), "{rest}");
    let (_, alone) = cat.get(&format!("/api/records/person/{person}/timeline?kinds=change")).await;
    assert_eq!(alone["items"].as_array().map(Vec::len), Some(1), "{alone}");

    let (status, page) = text(&cat, &format!("/records/person/{person}")).await;
    assert_eq!(status, 200);
    assert!(page.contains("id=\"tile-path\"") && page.contains("Send a card") && !page.contains("Elsewhere"), "{page}");
    let (status, page) = text(&cat, &format!("/records/person/{person}?page=fields")).await;
    assert!(status == 200 && !page.contains("id=\"tile-path\"") && page.contains("Wang"));
    let (status, page) = text(&cat, &format!("/records/ticket/new?%2Fsubject=Card&%2Fperson={person}")).await;
    assert!(status == 200 && page.contains("value=\"Card\"") && page.contains(&person), "{page}");
}

async fn a_board_tells_no_more_than_its_reader_reads(host: &dyn Host) {
    let (server, _, lea, person) = scene(host).await;
    let (status, body) = lea.get(&format!("/api/boards/person_page?record={person}")).await;
    assert_eq!(status, 200, "{body}");
    let tiles = &body["tiles"];
    assert_eq!((&tiles["count"]["value"], &tiles["list"]["total"]["value"]), (&json!("1"), &json!(1)), "{body}");
    // What rests on the tier is not for her: a condition, a decision, a preset.
    for hidden in ["same", "next"] {
        assert_eq!(tiles[hidden]["state"], "hidden", "{body}");
    }
    assert_eq!((&tiles["asked"]["state"], &tiles["asked"]["items"]), (&json!("ok"), &json!([])), "one ticket: {body}");
    assert_eq!(tiles["new"]["values"], json!({"person": person}));
    let (_, page) = text(&lea, &format!("/records/person/{person}")).await;
    let (_, timeline) = lea.get(&format!("/api/records/person/{person}/timeline")).await;
    for told in [body.to_string(), page, timeline.to_string()] {
        assert!(told.contains("Lost"), "{told}");
        for secret in ["gold", "Late", "Send a card"] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
    }

    // A record one may not read is one that never was.
    let ben = server.user("ben", &["agent"], &["a"]).await;
    let unknown = "00000000-0000-7000-8000-000000000000";
    for path in ["/api/boards/person_page?record=", "/records/person/"] {
        let (status, mine) = text(&ben, &format!("{path}{person}")).await;
        let (_, nobodys) = text(&ben, &format!("{path}{unknown}")).await;
        let same = |text: String, id: &str| text.replace(id, "").split("trace").next().unwrap_or_default().len();
        assert_eq!(status, 404, "{mine}");
        assert_eq!(same(mine, &person), same(nobodys, unknown));
    }
    for (path, expected) in [
        ("/api/boards/person_page".to_owned(), 400),
        (format!("/api/reports/by_queue?record={person}"), 400),
        (format!("/api/records/person/{person}/timeline?kinds=all"), 404),
    ] {
        let (status, body) = ben.get(&path).await;
        assert!(status == expected || status == 400, "{path}: {status} {body}");
    }
}

/// What is hidden from a reader is in no picture of theirs either.
async fn a_picture_shows_no_more_than_its_reader_reads(host: &dyn Host) {
    let (server, cat, _, _) = scene_with(host, |files| {
        files.push((
            "metrics/uncoded.json".to_owned(),
            r#"{"label": "Without a code", "type": "count", "dataset": "tickets", "where": "code == null"}"#.to_owned(),
        ));
        for (path, text) in files {
            if path == "reports/by_queue.json" {
                *text = text.replace(
                    r#"["tickets"], "by""#,
                    r#"["tickets", "uncoded"], "visual": {"mark": "column", "x": "queue", "y": ["tickets", "uncoded"]}, "by""#,
                );
            }
        }
    })
    .await;
    let mia = server.user("mia", &["lead"], &["a", "b"]).await;
    let picture = |page: &str| -> Json {
        let chart = page.split("<fw-chart").nth(1).unwrap_or_default();
        let script = chart.split("json\">").nth(1).and_then(|rest| rest.split("</script>").next());
        serde_json::from_str(script.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {page}"))
    };
    let (_, page) = text(&mia, "/reports/by_queue").await;
    let series = &picture(&page)["series"];
    assert_eq!((&series[0]["values"], &series[1]["values"]), (&json!(["2", "1"]), &json!(["2", "1"])), "{series}");
    // An agent does not know of codes.
    let (_, page) = text(&cat, "/reports/by_queue").await;
    let series = &picture(&page)["series"];
    assert_eq!(series.as_array().map(Vec::len), Some(1), "{series}");
    assert_eq!((&series[0]["label"], &series[0]["values"]), (&json!("Tickets"), &json!(["2", "1"])));
}

/// A number leads to the very records it counts, and to none where its reader may not ask for them.
async fn a_number_leads_to_its_records(host: &dyn Host) {
    let (server, cat, _, _) = scene_with(host, |files| {
        files.push((
            "metrics/uncoded.json".to_owned(),
            r#"{"label": "Without a code", "type": "count", "dataset": "tickets", "where": "code == null"}"#.to_owned(),
        ));
        for (path, text) in files {
            if path == "reports/by_queue.json" {
                *text = text.replace(
                    r#"["tickets"], "by": {"#,
                    r#"["tickets", "uncoded"], "drill": {"open": {"form": "ticket", "view": "all"}}, "by": {"day": {"grain": "day"}, "#,
                );
            }
        }
    })
    .await;
    let mia = server.user("mia", &["lead"], &["a", "b"]).await;
    for (reader, columns) in [(&cat, 1), (&mia, 2)] {
        for range in ["past%207%20days", "all"] {
            let (_, page) = text(reader, &format!("/reports/by_queue?range={range}")).await;
            let html = Html::parse_document(&page);
            let anchors = Selector::parse("td.n > a").expect("a selector");
            // Numbers of the day that still runs say so.
            let number = |text: String| text.strip_suffix(" (so far)").unwrap_or(&text).to_owned();
            let links: Vec<(String, String)> = html
                .select(&anchors)
                .map(|link| (link.attr("href").unwrap_or_default().to_owned(), number(link.text().collect())))
                .filter(|(_, number)| number != "0")
                .collect();
            drop(html);
            let counted: Vec<&str> = links.iter().map(|(_, number)| number.as_str()).collect();
            assert_eq!(counted, if columns == 2 { vec!["2", "2", "1", "1"] } else { vec!["2", "1"] }, "{page}");
            for (href, number) in links {
                let (status, listed) = reader.get(&format!("/api{href}")).await;
                assert_eq!(status, 200, "{href}: {listed}");
                assert_eq!(listed["total"]["value"].to_string(), number, "{href}");
            }
        }
    }
}

/// A suggestion is accepted or dismissed once, whoever does it; the history tells who, and only those who are shown it.
async fn a_suggestion_is_judged_once(host: &dyn Host) {
    let (server, cat, lea, person) = scene(host).await;
    let judge = |client: Client, tile: &'static str, rule: &'static str, verdict: &'static str| {
        let path = format!("/api/records/person/{person}/suggestions");
        let body = json!({"board": "person_page", "tile": tile, "rule": rule, "verdict": verdict});
        async move { client.call(Method::POST, &path, body).await }
    };
    let proposed = |client: Client| {
        let path = format!("/api/boards/person_page?record={person}");
        async move {
            let (_, body) = client.get(&path).await;
            let rules = |tile: &str| -> Vec<String> {
                let items = body["tiles"][tile]["items"].as_array().into_iter().flatten();
                items.map(|item| item["rule"].as_str().unwrap_or_default().to_owned()).collect()
            };
            (rules("next"), rules("asked"))
        }
    };
    // Not for those who are not shown it, and not where nothing hits.
    let ben = server.user("ben", &["agent"], &["a"]).await;
    for (client, tile, rule) in [
        (&lea, "next", "gold"),
        (&lea, "asked", "busy"),
        (&ben, "next", "gold"),
        (&cat, "next", "no"),
        (&cat, "who", "gold"),
    ] {
        let (status, body) = judge(client.clone(), tile, rule, "accepted").await;
        assert_eq!(status, 404, "{tile} {rule}: {body}");
    }
    assert_eq!(judge(server.anonymous(), "next", "gold", "accepted").await.0, 401);
    assert_eq!(proposed(cat.clone()).await.0, ["gold", "busy"], "nothing of it happened");

    // Of two at once, one does it.
    let (one, two) =
        tokio::join!(judge(cat.clone(), "next", "gold", "accepted"), judge(cat.clone(), "next", "gold", "dismissed"));
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409], "{one:?} {two:?}");
    // The same rule of another decision is another suggestion.
    assert_eq!(proposed(cat.clone()).await, (vec!["busy".to_owned()], vec!["busy".to_owned()]));

    // By the page, as without scripts.
    let of_tile = |page: &str| {
        page.split("id=\"tile-next\"")
            .nth(1)
            .and_then(|rest| rest.split("</section>").next())
            .unwrap_or_default()
            .to_owned()
    };
    let (_, page) = text(&cat, &format!("/records/person/{person}")).await;
    let form = of_tile(&page);
    assert!(form.contains(&format!("{person}&#x2f;suggestions")) && !form.contains("Send a card"), "{form}");
    let sent = cat.request(Method::POST, &format!("/records/person/{person}/suggestions"));
    let sent = sent
        .header("origin", format!("http://{}", cat.host()))
        .header("content-type", "application/x-www-form-urlencoded");
    let answer =
        sent.body("_board=person_page&_tile=next&_rule=busy&_verdict=dismissed").send().await.expect("answered");
    assert_eq!(answer.status(), 303);
    let (_, page) = text(&cat, &format!("/records/person/{person}")).await;
    assert!(!of_tile(&page).contains("Call"), "{page}");
    assert_eq!(proposed(cat.clone()).await, (Vec::new(), vec!["busy".to_owned()]));

    // Who did it stands in the history of those who are shown suggestions, and in nobody else's.
    let path = format!("/api/records/person/{person}/history");
    let (_, mine) = cat.get(&path).await;
    let judged: Vec<(&Json, &Json)> = mine["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|event| event["kind"].as_str().is_some_and(|kind| kind.starts_with("suggestion.")))
        .map(|event| (&event["data"]["rule"], &event["actor"]["name"]))
        .collect();
    assert_eq!(judged, [(&json!("busy"), &json!("cat")), (&json!("gold"), &json!("cat"))], "{mine}");
    let (_, page) = text(&cat, &format!("/records/person/{person}?page=fields&tab=timeline")).await;
    assert!(page.contains("the suggestion “Call”"), "{page}");
    for path in
        [path, format!("/api/records/person/{person}/timeline"), format!("/records/person/{person}?page=fields")]
    {
        let (status, told) = text(&lea, &path).await;
        assert!(status == 200 && !told.contains("suggestion") && !told.contains("Send a card"), "{told}");
    }
    assert_eq!(judge(lea.clone(), "next", "gold", "dismissed").await.0, 404, "nor what became of it");
}

on_both_stores!(
    a_suggestion_is_judged_once,
    a_number_leads_to_its_records,
    a_board_is_about_its_record,
    a_board_tells_no_more_than_its_reader_reads,
    a_picture_shows_no_more_than_its_reader_reads,
);
