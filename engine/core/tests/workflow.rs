//! Workflows from start to rest: tasks and every refusal of their verbs, timers, decisions, scripts, messages, incidents.

mod support;

use chrono::{DateTime, Utc};
use formwork_core::change::Reply;
use formwork_core::facts::BoxPage;
use formwork_core::instance::{InstanceStatus, TaskStatus};
use formwork_core::questions;
use formwork_core::stimulus::{Effects, Verb};
use formwork_core::{Act, RejectionKind, Viewer};
use formwork_model::Key;
use formwork_model::pack::analytics::TaskBox;
use serde_json::{Value as Json, json};
use support::{World, instant, object};
use uuid::Uuid;

fn form() -> Json {
    json!({"label": "Claim", "title": "subject",
        "fields": {
            "subject": {"type": "text", "required": true},
            "phone": {"type": "phone"},
            "kind": {"type": "choice", "options": {"bag": {}, "delay": {}, "other": {}, "odd": {}}},
            "amount": {"type": "money", "min": 0},
            "fee": {"type": "money"},
            "paid": {"type": "money"},
            "queue": {"type": "queue"}, "priority": {"type": "choice", "options": {"high": {}, "low": {}}},
            "resolve_by": {"type": "datetime"},
            "state": {"type": "choice", "options": {"new": {}, "open": {}, "closed": {}}, "default": "new"},
            "closed_at": {"type": "datetime"}},
        "rules": {"paid_le_amount": {"check": "(paid ?? 0) <= (amount ?? 0)", "at": "paid", "message": "too much"}},
        "access": {
            "agent": {"read": true, "create": true, "update": true, "delete": true, "fields": {"*": "write", "paid": "read", "state": "read"}},
            "lead": {"read": true, "fields": {"*": "read"}},
            "public": {"create": true, "fields": {"*": "none", "subject": "write", "phone": "write", "kind": "write", "amount": "write"}}}})
}

fn workflow() -> Json {
    json!({"label": "Handling", "for": "claim", "vars": {"rounds": {"type": "integer", "default": 0}},
        "start": {"filed": {"on": "created", "when": "record.kind != null", "next": "route"},
                  "by_hand": {"manual": ["lead"], "next": "handle"}},
        "steps": {
            "route": {"type": "decision", "decision": "routing",
                "set": {"queue": "=step.route.queue", "priority": "=step.route.priority", "resolve_by": "=now + step.route.within"}, "next": "ack"},
            "ack": {"type": "notify", "to": "=record.phone", "channels": ["sms"], "template": "ack", "data": {"subject": "=record.subject", "amount": "=record.amount", "due": "=record.resolve_by", "closed_at": "=record.closed_at"}, "next": "price"},
            "price": {"type": "script", "script": "fee", "in": {"amount": "=record.amount ?? 0"}, "out": {"fee": "money"},
                "set": {"fee": "=step.price.fee"}, "next": "handle"},
            "handle": {"type": "user", "label": {"en": "Handle"}, "assign": {"queue": "=record.queue ?? 'desk'"}, "due": {"after": "P1D"},
                "fields": {"paid": "write", "*": "read"},
                "outcomes": {
                    "settle": {"label": "Settle", "required": ["paid"], "set": {"state": "open"}, "next": "size"},
                    "wait": {"label": "Wait", "set": {"vars.rounds": "=vars.rounds + 1"}, "next": "pause"},
                    "overpay": {"label": "Overpay", "set": {"paid": "=(record.amount ?? 0) + 1"}, "next": "end"}}},
            "pause": {"type": "wait", "events": {
                "silence": {"after": "P1M", "next": "handle"},
                "deadline": {"until": "=record.resolve_by + days(90)", "set": {"paid": "=(record.amount ?? 0) + 1"}, "next": "close"}}},
            "size": {"type": "choice", "branches": {"large": {"if": "record.paid > 400", "next": "approve"}}, "else": "close"},
            "approve": {"type": "user", "assign": {"role": "lead"}, "outcomes": {"yes": "close", "no": "handle"}},
            "close": {"type": "set", "set": {"state": "closed", "closed_at": "=now"}, "next": "done"},
            "done": {"type": "end", "outcome": "closed"}}})
}

fn decision() -> Json {
    json!({"label": "Routing", "for": "claim", "hit": "first",
        "inputs": {"kind": "kind", "amount": "amount"},
        "outputs": {"queue": "claim.queue", "priority": "claim.priority", "within": "duration"},
        "rules": {
            "big_bag": {"if": ["'bag'", ">= 5000"], "then": ["'bags'", "'high'", "hours(6)"]},
            "bag": {"if": ["'bag'", "-"], "then": ["'bags'", "'low'", "days(2)"]},
            "rest": {"if": ["'delay','other'", "-"], "then": ["'desk'", "'low'", "days(3)"]}}})
}

fn files_with(workflow: Json, decision: Json) -> Vec<(&'static str, Json)> {
    vec![
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Claims", "languages": ["en"], "timezone": "Asia/Shanghai",
            "roles": {"agent": {"title": "A"}, "lead": {"title": "L"}},
            "queues": {"bags": {"title": "Bags", "lead": "lead"}, "desk": {"title": "Desk"}},
            "channels": {"sms": {"type": "file"}}}),
        ),
        ("forms/claim.json", form()),
        ("workflows/handling.json", workflow),
        ("decisions/routing.json", decision),
        ("scripts/fee.rhai", json!("let rate = parse_decimal(\"0.015\");\n#{ fee: amount * rate }\n")),
        (
            "templates/ack.en.txt",
            json!(
                "Subject: {{ data.subject }}\n{% if data.amount %}{{ data.amount }} by {{ data.due | local }}{% endif %} {{ data.closed_at }}"
            ),
        ),
    ]
}

struct Claims {
    world: World,
    ana: Viewer,
    bob: Viewer,
    lea: Viewer,
    claim: Uuid,
}

fn claims_with(workflow: Json, decision: Json, values: Json) -> Claims {
    let mut world = World::new(&files_with(workflow, decision));
    let ana = world.person("ana", &["agent"], &["bags"]);
    let bob = world.person("bob", &["agent"], &["bags", "desk"]);
    let lea = world.person("lea", &["lead"], &[]);
    let claim = world.create(&Viewer::public("en"), "claim", values).unwrap();
    Claims { world, ana, bob, lea, claim }
}

fn claims() -> Claims {
    let values = json!({"subject": "Lost bag", "phone": "13812345678", "kind": "bag", "amount": "6000.00"});
    claims_with(workflow(), decision(), values)
}

/// A workflow with other steps, behind the same start.
fn steps(steps: Json) -> Json {
    let mut workflow = workflow();
    workflow["start"] = json!({"filed": {"on": "created", "when": "record.kind != null", "next": "first"}});
    workflow["steps"] = steps;
    workflow
}

impl Claims {
    fn value(&self, field: &str) -> Json {
        self.world.value("claim", self.claim, field)
    }

    fn status(&self) -> InstanceStatus {
        self.world.stored.instances.values().next().unwrap().status
    }

    fn claimed(&mut self) -> Uuid {
        let task = self.world.open_task("handle").id;
        let ana = self.ana.clone();
        self.world.task_act(&ana, task, Verb::Claim).unwrap();
        task
    }
}

fn at(text: &str) -> DateTime<Utc> {
    instant(text)
}

#[test]
fn a_claim_is_routed_acknowledged_priced_and_waits_for_a_person() {
    let claims = claims();
    // Filed at 01:00 UTC; `big_bag` gives six hours.
    for (field, expected) in [
        ("queue", json!("bags")),
        ("priority", json!("high")),
        ("resolve_by", json!("2026-01-05T07:00:00Z")),
        ("fee", json!("90.00")), // 6000 × 0.015
        ("state", json!("new")),
    ] {
        assert_eq!(claims.value(field), expected, "{field}");
    }
    let record = &claims.world.stored.records[&("claim".into(), claims.claim)];
    assert_eq!(record.version, 1, "one stimulus makes one version");
    let task = claims.world.open_task("handle");
    assert_eq!(task.due_at, Some(at("2026-01-06T01:00:00Z")));
    let message = &claims.world.stored.outbox[0];
    let instance = claims.world.stored.instances.values().next().unwrap();
    assert_eq!(message.key, format!("{}:ack:2", instance.id));
    assert_eq!((message.to.as_str(), message.subject.as_deref()), ("+8613812345678", Some("Lost bag")));
    assert_eq!(message.body, "6000.00 by 2026-01-05 15:00 ");
    assert_eq!(
        claims.world.kinds(),
        [
            "record.created",
            "instance.started",
            "step.entered",
            "step.left",
            "step.entered",
            "message.stored",
            "step.left",
            "step.entered",
            "step.left",
            "step.entered",
            "task.created",
        ]
    );
    let decided = claims.world.stored.events.iter().find(|event| event.kind == "step.left").unwrap();
    assert_eq!(
        decided.data["decision"],
        json!({"key": "routing", "rule": "big_bag",
        "inputs": {"kind": "bag", "amount": "6000.00"}, "outputs": {"queue": "bags", "priority": "high", "within": "PT6H"}})
    );
}

#[test]
fn a_task_is_claimed_done_and_approved_to_the_end() {
    let mut claims = claims();
    let task = claims.claimed();
    let (ana, lea) = (claims.ana.clone(), claims.lea.clone());
    let reply = claims.world.complete(&ana, task, "settle", json!({"paid": "500.00"})).unwrap();
    assert_eq!(reply, Reply::Task { id: task, state: "done" });
    assert_eq!((claims.value("paid"), claims.value("state")), (json!("500.00"), json!("open")));
    let approve = claims.world.open_task("approve").id;
    claims.world.task_act(&lea, approve, Verb::Claim).unwrap();
    claims.world.complete(&lea, approve, "yes", json!({})).unwrap();
    assert_eq!((claims.value("state"), claims.value("closed_at")), (json!("closed"), json!("2026-01-05T01:00:00Z")));
    assert_eq!(claims.status(), InstanceStatus::Completed);
    let ended = claims.world.stored.events.iter().find(|event| event.kind == "instance.completed").unwrap();
    assert_eq!(ended.data, json!({"outcome": "closed"}));
    let instance = claims.world.stored.instances.values().next().unwrap();
    assert_eq!(instance.state.steps["handle"].actor, ana.user);
    assert_eq!(instance.state.steps["size"].outcome.as_deref(), Some("large"));
    assert!(instance.state.tokens.is_empty());
}

#[test]
fn every_refusal_of_a_verb_has_its_code_and_no_effect() {
    let complete = |outcome: &str, fields: Json| Verb::Complete {
        outcome: outcome.to_owned(),
        fields: object(fields),
        expected_version: None,
    };
    let to_user = |user: &Viewer| Verb::Transfer { user: user.user, queue: None };
    let to_queue = |queue: &str| Verb::Transfer { user: None, queue: Some(queue.into()) };
    let mut claims = claims();
    let (ana, bob, lea) = (claims.ana.clone(), claims.bob.clone(), claims.lea.clone());
    let zoe = claims.world.person("zoe", &[], &[]);
    let desk = claims.world.person("dan", &["agent"], &["desk"]);
    let gone = claims.world.person("gus", &["agent"], &["bags"]);
    claims.world.users.get_mut(&gone.user.unwrap()).unwrap().active = false;
    let task = claims.world.open_task("handle").id;
    let refused = |claims: &mut Claims, who: &Viewer, task: Uuid, verb: Verb, code: &str| {
        let before = claims.world.stored.clone();
        let rejection = claims.world.task_act(who, task, verb.clone()).expect_err(code);
        assert_eq!(rejection.code, code, "{verb:?}");
        assert_eq!(claims.world.stored, before, "{code} has no effect");
        rejection
    };
    // Not claimed yet.
    refused(&mut claims, &ana, Uuid::nil(), Verb::Claim, "task_not_found");
    refused(&mut claims, &zoe, task, Verb::Claim, "task_not_found");
    refused(&mut claims, &zoe, task, Verb::Comment { text: "x".into() }, "task_not_found");
    refused(&mut claims, &desk, task, Verb::Claim, "not_candidate");
    refused(&mut claims, &ana, task, Verb::Release, "not_claimed");
    refused(&mut claims, &ana, task, complete("settle", json!({"paid": "1"})), "not_your_task");
    refused(&mut claims, &bob, task, to_user(&ana), "not_your_task");
    refused(&mut claims, &lea, task, to_queue("bags"), "same_target");
    claims.claimed();
    // Held by ana.
    refused(&mut claims, &bob, task, Verb::Claim, "already_claimed");
    refused(&mut claims, &bob, task, Verb::Release, "not_your_task");
    refused(&mut claims, &bob, task, complete("settle", json!({})), "not_your_task");
    refused(&mut claims, &ana, task, complete("nothing", json!({})), "unknown_outcome");
    let missing = refused(&mut claims, &ana, task, complete("settle", json!({})), "required_missing");
    assert_eq!(missing.errors[0].pointer, "/paid");
    let closed =
        refused(&mut claims, &ana, task, complete("settle", json!({"paid": "1", "amount": "9"})), "field_not_writable");
    assert_eq!(closed.errors[0].pointer, "/amount");
    let stale = Verb::Complete { outcome: "wait".into(), fields: object(json!({})), expected_version: Some(7) };
    assert_eq!(refused(&mut claims, &ana, task, stale, "conflict").kind, RejectionKind::Stale);
    let broken = refused(&mut claims, &ana, task, complete("settle", json!({"paid": "7000"})), "FW1004");
    assert_eq!((broken.errors[0].code.as_str(), broken.errors[0].pointer.as_str()), ("paid_le_amount", "/paid"));
    // A `set` of the workflow that breaks a rule refuses the person behind it.
    let broken = refused(&mut claims, &ana, task, complete("overpay", json!({})), "FW1004");
    assert_eq!(broken.errors[0].code, "paid_le_amount");
    refused(&mut claims, &ana, task, to_user(&ana), "to_self");
    refused(&mut claims, &lea, task, to_user(&ana), "same_target");
    refused(&mut claims, &ana, task, to_user(&desk), "not_eligible");
    refused(&mut claims, &ana, task, to_user(&gone), "target_absent");
    refused(&mut claims, &ana, task, to_queue("nowhere"), "target_absent");
    refused(&mut claims, &ana, task, Verb::Comment { text: "  ".into() }, "comment_empty");
    claims.world.complete(&ana, task, "settle", json!({"paid": "1.00"})).unwrap();
    // Closed.
    for verb in [Verb::Claim, Verb::Release, complete("settle", json!({})), to_user(&bob)] {
        refused(&mut claims, &ana, task, verb, "task_closed");
    }
}

#[test]
fn tasks_go_back_and_from_hand_to_hand() {
    let mut claims = claims();
    let (ana, bob, lea) = (claims.ana.clone(), claims.bob.clone(), claims.lea.clone());
    let task = claims.claimed();
    claims.world.task_act(&ana, task, Verb::Release).unwrap();
    assert_eq!(claims.world.open_task("handle").assignee, None);
    claims.world.task_act(&ana, task, Verb::Claim).unwrap();
    claims.world.task_act(&ana, task, Verb::Transfer { user: bob.user, queue: None }).unwrap();
    assert_eq!(claims.world.open_task("handle").assignee, bob.user);
    claims.world.task_act(&lea, task, Verb::Transfer { user: None, queue: Some("desk".into()) }).unwrap();
    claims.world.task_act(&bob, task, Verb::Comment { text: " hello ".into() }).unwrap();
    let comment = claims.world.stored.events.last().unwrap();
    assert_eq!((comment.kind.as_str(), &comment.data["text"]), ("comment", &json!("hello")));
    assert_eq!(claims.world.task_act(&ana, task, Verb::Claim).unwrap_err().code, "not_candidate");
    claims.world.task_act(&bob, task, Verb::Claim).unwrap();
}

#[test]
fn a_task_grants_its_fields_and_is_told_to_those_it_concerns() {
    let mut claims = claims();
    let task = claims.claimed();
    let (ana, bob) = (claims.ana.clone(), claims.bob.clone());
    let (pack, packs, now) = (claims.world.pack.clone(), claims.world.packs.clone(), claims.world.at);
    // The role only reads `paid`; the holder of the task writes it, and nothing else.
    let direct = claims.world.update(&ana, "claim", claims.claim, json!({"paid": "1.00"})).unwrap_err();
    assert_eq!(direct.errors[0].code, "not_writable");
    let told = claims.world.ask(|facts| questions::task(&pack, &packs, &ana, task, now, facts)).unwrap();
    let level = |key: &str| {
        told["fields"].as_array().unwrap().iter().find(|field| field["key"] == key).unwrap()["level"].clone()
    };
    assert_eq!((level("paid"), level("amount")), (json!("write"), json!("read")));
    assert_eq!(told["record"]["title"], "Lost bag");
    assert_eq!(told["record"]["values"]["amount"], "6000.00");
    assert_eq!(told["verbs"], json!(["complete", "release", "transfer", "cc", "comment"]));
    assert_eq!(told["outcomes"][0], json!({"key": "settle", "label": "Settle", "confirm": null}));
    let box_of = |claims: &mut Claims, who: &Viewer, tasks: TaskBox| -> usize {
        let page = claims
            .world
            .ask(|facts| questions::tasks(&pack, &packs, who, BoxPage::first(tasks, 10), now, facts))
            .unwrap();
        page["items"].as_array().unwrap().len()
    };
    // Who leads the queue sees what is going on in it; who serves it sees what they may claim.
    let lea = claims.lea.clone();
    for (who, mine, claimable, team) in [(&ana, 1, 0, 0), (&bob, 0, 0, 0), (&lea, 0, 0, 1)] {
        let found = [TaskBox::Mine, TaskBox::Claimable, TaskBox::Team].map(|tasks| box_of(&mut claims, who, tasks));
        assert_eq!(found, [mine, claimable, team], "{:?}", who.user);
    }
    let claim = claims.claim;
    let of_record = claims
        .world
        .ask(|facts| questions::record_tasks(&pack, &packs, &bob, &"claim".into(), claim, now, facts))
        .unwrap();
    assert_eq!(of_record["items"][0]["assignee"]["title"], "ana");
    assert_eq!(of_record["items"][0]["state"], "open");
}

#[test]
fn timers_fire_once_at_their_time_and_the_first_wins() {
    let mut claims = claims();
    let ana = claims.ana.clone();
    let task = claims.claimed();
    claims.world.complete(&ana, task, "wait", json!({})).unwrap();
    // A month, civil: 5 January 09:00 in Shanghai + P1M; and 90 days after 5 January 15:00.
    let mut due: Vec<_> =
        claims.world.stored.timers.values().map(|timer| (timer.event.to_string(), timer.due_at)).collect();
    due.sort();
    assert_eq!(due, [("deadline".into(), at("2026-04-05T07:00:00Z")), ("silence".into(), at("2026-02-05T01:00:00Z"))]);
    let silence = claims.world.stored.timers.values().find(|timer| &*timer.event == "silence").unwrap().id;
    let before = claims.world.stored.clone();
    assert_eq!(claims.world.submit(&Viewer::system("en"), Act::Timer { id: silence }).unwrap(), Reply::Gone);
    assert_eq!(claims.world.stored, before, "no timer fires early");
    claims.world.advance_to(at("2026-02-05T01:00:00Z"));
    assert!(claims.world.stored.timers.is_empty(), "the other event is disarmed");
    assert_eq!(claims.world.open_task("handle").created_at, at("2026-02-05T01:00:00Z"));
    // Late: the timer is gone, and nothing happens.
    let before = claims.world.stored.clone();
    assert_eq!(claims.world.submit(&Viewer::system("en"), Act::Timer { id: silence }).unwrap(), Reply::Gone);
    assert_eq!(claims.world.stored, before);
    let instance = claims.world.stored.instances.values().next().unwrap();
    assert_eq!(
        (instance.state.steps["handle"].count, &instance.state.vars["rounds"]),
        (2, &formwork_model::Value::Integer(1))
    );
}

#[test]
fn a_rule_broken_with_nobody_behind_it_undoes_all_and_opens_an_incident() {
    let mut claims = claims();
    let ana = claims.ana.clone();
    let task = claims.claimed();
    claims.world.complete(&ana, task, "wait", json!({})).unwrap();
    claims.world.stored.timers.retain(|_, timer| &*timer.event == "deadline");
    let record = claims.world.stored.records.clone();
    claims.world.advance_to(at("2026-04-05T07:00:00Z"));
    assert_eq!(claims.world.stored.records, record, "the record is as it was");
    assert_eq!(claims.status(), InstanceStatus::Failed);
    let incident = &claims.world.stored.incidents[0];
    assert_eq!((incident.code, &*incident.step), ("rule_broken", "pause"));
    assert!(incident.message.contains("paid_le_amount"), "{}", incident.message);
    assert!(!claims.world.kinds().contains(&"timer.fired"));
    // The token stands where it stood.
    let instance = claims.world.stored.instances.values().next().unwrap();
    assert_eq!(instance.state.tokens.iter().map(|token| &*token.step).collect::<Vec<_>>(), ["pause"]);
}

#[test]
fn what_cannot_go_on_is_an_incident_and_the_record_stays() {
    let forever = json!({"first": {"type": "set", "set": {"vars.rounds": "=vars.rounds + 1"}, "next": "pause"},
        "pause": {"type": "wait", "events": {"e": {"after": "PT1H", "next": "first"}, "stop": {"after": "P1D", "next": "end"}}}});
    let cases = [
        ("no_rule", workflow(), "odd", "route"),
        (
            "empty_assignee",
            steps(
                json!({"first": {"type": "user", "assign": {"queue": "=record.queue"}, "outcomes": {"done": "end"}}}),
            ),
            "bag",
            "first",
        ),
        (
            "script_failed",
            steps(
                json!({"first": {"type": "script", "script": "fee", "in": {"amount": "=record.amount"}, "out": {"fee": "boolean"}, "next": "end"}}),
            ),
            "bag",
            "first",
        ),
        (
            "timer_horizon",
            steps(json!({"first": {"type": "wait", "events": {"e": {"after": "P20Y", "next": "end"}}}})),
            "bag",
            "first",
        ),
    ];
    for (code, workflow, kind, step) in cases {
        let claims = claims_with(workflow, decision(), json!({"subject": "a", "kind": kind, "amount": "1.00"}));
        let incident = &claims.world.stored.incidents[0];
        assert_eq!((incident.code, &*incident.step), (code, step), "{}", incident.message);
        assert_eq!(claims.status(), InstanceStatus::Failed, "{code}");
        assert_eq!(claims.value("subject"), "a");
        assert_eq!(claims.world.kinds().last(), Some(&"incident.opened"));
    }
    let mut claims = claims_with(steps(forever), decision(), json!({"subject": "a", "kind": "bag"}));
    claims.world.advance_to(at("2026-01-05T04:30:00Z"));
    let instance = claims.world.stored.instances.values().next().unwrap();
    assert_eq!(instance.state.vars["rounds"], formwork_model::Value::Integer(4), "now and after 1, 2, 3 hours");
}

#[test]
fn a_task_of_an_instance_that_stands_still_is_refused() {
    let mut claims = claims();
    let task = claims.claimed();
    claims.world.stored.instances.values_mut().next().unwrap().status = InstanceStatus::Failed;
    let ana = claims.ana.clone();
    let rejection = claims.world.complete(&ana, task, "wait", json!({})).unwrap_err();
    assert_eq!(rejection.code, "instance_suspended");
}

#[test]
fn decisions_that_must_agree_do_or_are_incidents() {
    let rules = |hit: &str, second: &str| {
        json!({"label": "Routing", "for": "claim", "hit": hit,
            "inputs": {"kind": "kind", "amount": "amount"},
            "outputs": {"queue": "claim.queue", "priority": "claim.priority", "within": "duration"},
            "rules": {"a": {"if": ["'bag'", "-"], "then": ["'bags'", "'low'", "hours(1)"]},
                      "b": {"if": ["-", "? > 100"], "then": [second, "'low'", "hours(1)"]}}})
    };
    for (hit, second, amount, expected) in [
        ("any", "'bags'", "200", Ok("bags")),
        ("any", "'desk'", "200", Err("ambiguous_rules")),
        ("any", "'desk'", "50", Ok("bags")),
        ("first", "'desk'", "200", Ok("bags")),
    ] {
        let claims =
            claims_with(workflow(), rules(hit, second), json!({"subject": "a", "kind": "bag", "amount": amount}));
        let queue = claims.value("queue");
        let found = match claims.world.stored.incidents.first() {
            Some(incident) => Err(incident.code),
            None => Ok(queue.as_str().unwrap()),
        };
        assert_eq!(found, expected, "{hit} {second} {amount}");
    }
}

#[test]
fn one_start_key_starts_one_instance() {
    let mut claims = claims();
    let (ana, lea, claim) = (claims.ana.clone(), claims.lea.clone(), claims.claim);
    let start = |key: &str| Act::Start { workflow: "handling".into(), record: Some(claim), key: key.to_owned() };
    assert_eq!(claims.world.submit(&ana, start("k")).unwrap_err().kind, RejectionKind::Forbidden);
    let first = claims.world.submit(&lea, start("k")).unwrap();
    let before = claims.world.stored.clone();
    assert_eq!(claims.world.submit(&lea, start("k")).unwrap(), first);
    assert_eq!(claims.world.stored, before);
    assert_ne!(claims.world.submit(&lea, start("other")).unwrap(), first);
    assert_eq!(claims.world.stored.instances.len(), 3);
}

#[test]
fn schedules_start_once_per_instant_and_row() {
    let workflow = json!({"label": "Reminder", "for": "claim",
        "start": {"nightly": {"schedule": "0 2 * * *", "each": {"form": "claim", "where": "it.state == 'new'"}, "next": "mark"}},
        "steps": {"mark": {"type": "set", "set": {"priority": "low"}, "next": "end"}}});
    let mut claims = claims_with(workflow, decision(), json!({"subject": "a", "kind": "bag"}));
    let system = Viewer::system("en");
    let scheduled = |due_at: &str, row: Uuid| Act::Scheduled {
        workflow: "handling".into(),
        start: "nightly".into(),
        due_at: at(due_at),
        row: Some(row),
    };
    let claim = claims.claim;
    let first = claims.world.submit(&system, scheduled("2026-01-05T18:00:00Z", claim)).unwrap();
    assert_eq!(claims.value("priority"), "low");
    let before = claims.world.stored.clone();
    assert_eq!(claims.world.submit(&system, scheduled("2026-01-05T18:00:00Z", claim)).unwrap(), first);
    assert_eq!(claims.world.submit(&system, scheduled("2026-01-05T18:00:00Z", Uuid::nil())).unwrap(), Reply::Gone);
    assert_eq!(claims.world.stored, before);
    assert_ne!(claims.world.submit(&system, scheduled("2026-01-06T18:00:00Z", claim)).unwrap(), first);
}

#[test]
fn imports_start_and_send_nothing_unless_they_say_so() {
    let mut claims = claims();
    let system = Viewer::system("en");
    let create = |effects: Effects| Act::Create {
        form: "claim".into(),
        effects,
        values: object(json!({"subject": "b", "kind": "bag", "phone": "13812345678", "amount": 1})),
    };
    claims.world.submit(&system, create(Effects::NONE)).unwrap();
    assert_eq!((claims.world.stored.instances.len(), claims.world.stored.outbox.len()), (1, 1));
    claims.world.submit(&system, create(Effects { starts: true, notify: false })).unwrap();
    assert_eq!((claims.world.stored.instances.len(), claims.world.stored.outbox.len()), (2, 1));
    assert!(claims.world.kinds().contains(&"message.skipped"));
}

#[test]
fn instances_stay_with_their_version_while_forms_move_on() {
    let mut claims = claims();
    let task = claims.claimed();
    let ana = claims.ana.clone();
    // The next version puts a field in front and ends its task otherwise.
    let mut next_form = form();
    let mut fields = serde_json::Map::from_iter([("note".to_owned(), json!({"type": "text"}))]);
    fields.extend(next_form["fields"].as_object().unwrap().clone());
    next_form["fields"] = Json::Object(fields);
    let mut next = workflow();
    next["steps"]["handle"]["outcomes"] = json!({"other": "end"});
    next["steps"]["size"] =
        json!({"type": "choice", "branches": {"never": {"if": "false", "next": "approve"}}, "else": "handle"});
    next["steps"]["handle"]["outcomes"]["settle"] = json!("size");
    next["steps"]["handle"]["outcomes"]["wait"] = json!("pause");
    let mut files = files_with(next, decision());
    files[1].1 = next_form;
    claims.world.deploy(&files);
    claims.world.complete(&ana, task, "settle", json!({"paid": "500.00"})).unwrap();
    assert_eq!((claims.value("paid"), claims.value("state")), (json!("500.00"), json!("open")));
    assert_eq!(claims.world.open_task("approve").record, Some((Key::from("claim"), claims.claim)));
}

#[test]
fn deleting_a_record_ends_its_work() {
    let mut claims = claims();
    let ana = claims.ana.clone();
    let delete = Act::Delete { form: "claim".into(), id: claims.claim, expected_version: Some(1) };
    assert_eq!(claims.world.submit(&ana, delete).unwrap(), Reply::Deleted);
    assert_eq!(claims.status(), InstanceStatus::Cancelled);
    assert_eq!(claims.world.stored.tasks.values().next().unwrap().status, TaskStatus::Cancelled);
}
