//! Work between people: signatures that decide, four eyes, what if nobody is there, delegation, return, withdrawal; and
//! every refusal of these verbs, with proof that it changed nothing.

mod support;

use chrono::TimeDelta;
use formwork_core::change::Reply;
use formwork_core::instance::{InstanceStatus, Task, TaskStatus};
use formwork_core::questions::{self, PinnedPacks};
use formwork_core::stimulus::Verb;
use formwork_core::{Rejection, Viewer};
use formwork_model::pack::workflow::Resume;
use serde_json::{Value as Json, json};
use support::{World, object};
use uuid::Uuid;

struct Desk {
    world: World,
    ana: Viewer,
    bob: Viewer,
    lea: Viewer,
    note: Uuid,
}

/// A note filed by ana, whose boss is lea, runs these steps from `first`.
fn filed(steps: Json, withdraw: Json) -> Desk {
    let mut flow = json!({"label": "Flow", "for": "note",
        "start": {"filed": {"on": "created", "next": "first"}}, "steps": steps});
    if !withdraw.is_null() {
        flow["withdraw"] = withdraw;
    }
    let mut world = World::new(&[
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "Notes", "languages": ["en"], "timezone": "Asia/Shanghai",
                "roles": {"agent": {"title": "A"}, "lead": {"title": "L"}},
                "queues": {"desk": {"title": "Desk", "lead": "lead"}}}),
        ),
        (
            "forms/note.json",
            json!({"label": "Note", "title": "text",
                "fields": {"text": {"type": "text"}, "n": {"type": "integer"}, "boss": {"type": "user"}},
                "rules": {"small": {"check": "(n ?? 0) < 100", "at": "n", "message": "too many"}},
                "access": {"agent": {"read": true, "create": true, "fields": {"*": "write", "n": "read"}},
                           "lead": {"read": true, "fields": {"*": "read"}}}}),
        ),
        ("workflows/flow.json", flow),
    ]);
    let ana = world.person("ana", &["agent"], &["desk"]);
    let bob = world.person("bob", &["agent"], &["desk"]);
    let lea = world.person("lea", &["lead"], &[]);
    let values = json!({"text": "a", "boss": lea.user});
    let note = world.create(&ana, "note", values).unwrap();
    Desk { world, ana, bob, lea, note }
}

fn signed_by(who: Json, mode: &str, veto: bool) -> Json {
    json!({"first": {"type": "approval", "who": who, "mode": mode, "veto": veto,
            "outcomes": {"approved": {"set": {"n": 1}, "next": "end"}, "rejected": {"set": {"n": 2}, "next": "end"}}}})
}

fn both() -> Json {
    json!({"line": {"user": "=record.boss"}, "desk": {"role": "agent"}})
}

impl Desk {
    fn task(&self, signer: &str) -> Task {
        let found = self.world.stored.tasks.values().find(|task| task.signer.as_deref() == Some(signer));
        found.expect("a task for the signer").clone()
    }

    fn act(&mut self, who: &Viewer, task: Uuid, verb: Verb) -> Result<Reply, Rejection> {
        self.world.task_act(&who.clone(), task, verb)
    }

    /// The task as somebody is told of it.
    fn told(&mut self, who: &Viewer, task: Uuid) -> Result<Json, Rejection> {
        let (pack, at) = (self.world.pack.clone(), self.world.at);
        self.world.ask(|facts| questions::task(&pack, &PinnedPacks::new(), who, task, at, facts))
    }

    /// The code of a refusal that left everything as it was.
    fn refused(&mut self, who: &Viewer, task: Uuid, verb: Verb) -> String {
        let before = self.world.stored.clone();
        let rejection = self.act(who, task, verb).expect_err("a refusal");
        assert_eq!(self.world.stored, before, "`{}` changed something", rejection.code);
        rejection.code
    }

    fn complete(&mut self, who: &Viewer, task: Uuid, outcome: &str) -> Result<Reply, Rejection> {
        self.world.complete(&who.clone(), task, outcome, json!({}))
    }

    fn status(&self) -> InstanceStatus {
        self.world.stored.instances.values().next().unwrap().status
    }

    fn n(&self) -> Json {
        self.world.value("note", self.note, "n")
    }

    fn is_over(&self) -> bool {
        let open = self.world.stored.tasks.values().any(|task| task.status == TaskStatus::Open);
        let instance = self.world.stored.instances.values().next().unwrap();
        !open && instance.state.tokens.is_empty() && instance.state.rounds.is_empty()
    }
}

fn delegate(to: &Viewer) -> Verb {
    Verb::Delegate { user: to.user.unwrap() }
}

fn resolve(fields: Json) -> Verb {
    Verb::Resolve { fields: object(fields), expected_version: None }
}

fn send_back(to: Option<&str>, reason: &str) -> Verb {
    Verb::Return { to: to.map(Into::into), resume: None, reason: reason.to_owned() }
}

fn complete(outcome: &str) -> Verb {
    Verb::Complete { outcome: outcome.to_owned(), fields: object(json!({})), expected_version: None }
}

#[test]
fn all_sign_or_the_first_no_decides() {
    let mut desk = filed(signed_by(both(), "all", true), Json::Null);
    let (ana, lea) = (desk.ana.clone(), desk.lea.clone());
    let (line, pool) = (desk.task("line"), desk.task("desk"));
    assert_eq!((line.assignee, pool.assignee), (lea.user, None), "a person holds theirs at once, a role's is claimed");
    desk.act(&ana, pool.id, Verb::Claim).unwrap();
    desk.complete(&ana, pool.id, "approved").unwrap();
    assert_eq!((desk.n(), desk.status()), (Json::Null, InstanceStatus::Running), "one of two");
    desk.complete(&lea, line.id, "approved").unwrap();
    assert_eq!((desk.n(), desk.status()), (json!(1), InstanceStatus::Completed));
    assert!(desk.is_over());

    let mut desk = filed(signed_by(both(), "all", true), Json::Null);
    let line = desk.task("line").id;
    desk.complete(&lea, line, "rejected").unwrap();
    assert_eq!((desk.n(), desk.status()), (json!(2), InstanceStatus::Completed));
    let pool = desk.task("desk");
    assert_eq!(pool.status, TaskStatus::Cancelled, "nobody is asked any more");
    let cancelled = desk.world.stored.events.iter().find(|event| event.kind == "task.cancelled").unwrap();
    assert_eq!(cancelled.data["reason"], "decided");
    assert_eq!(desk.refused(&ana, pool.id, Verb::Claim), "task_closed");
}

#[test]
fn without_veto_all_have_to_act_and_any_needs_one() {
    let mut desk = filed(signed_by(both(), "all", false), Json::Null);
    let (ana, lea) = (desk.ana.clone(), desk.lea.clone());
    let (line, pool) = (desk.task("line").id, desk.task("desk").id);
    desk.complete(&lea, line, "rejected").unwrap();
    assert_eq!(desk.status(), InstanceStatus::Running, "the other may still say something");
    desk.act(&ana, pool, Verb::Claim).unwrap();
    desk.complete(&ana, pool, "approved").unwrap();
    assert_eq!(desk.n(), json!(2));

    let mut desk = filed(signed_by(both(), "any", false), Json::Null);
    let line = desk.task("line").id;
    desk.complete(&lea, line, "rejected").unwrap();
    assert_eq!(desk.status(), InstanceStatus::Running);
    let pool = desk.task("desk").id;
    desk.act(&ana, pool, Verb::Claim).unwrap();
    desk.complete(&ana, pool, "approved").unwrap();
    assert_eq!((desk.n(), desk.is_over()), (json!(1), true));
}

#[test]
fn where_nobody_can_sign_the_policy_says_what_happens() {
    let who = |empty: Json| json!({"line": {"user": "=step.first.actor", "ifEmpty": empty}, "desk": {"role": "agent"}});
    let desk = filed(signed_by(who(json!("incident")), "all", true), Json::Null);
    assert_eq!((desk.status(), desk.world.stored.incidents[0].code), (InstanceStatus::Failed, "empty_assignee"));

    let mut desk = filed(signed_by(who(json!("skip")), "all", true), Json::Null);
    assert!(desk.world.kinds().contains(&"signature.skipped"), "it is recorded");
    let ana = desk.ana.clone();
    let pool = desk.task("desk").id;
    desk.act(&ana, pool, Verb::Claim).unwrap();
    desk.complete(&ana, pool, "approved").unwrap();
    assert_eq!(desk.n(), json!(1));

    let desk = filed(signed_by(who(json!({"role": "lead"})), "all", true), Json::Null);
    assert_eq!(desk.task("line").pool, formwork_core::instance::Pool::Role("lead".into()));

    let nobody = json!({"line": {"user": "=step.first.actor", "ifEmpty": "skip"}});
    let desk = filed(signed_by(nobody, "all", true), Json::Null);
    assert_eq!((desk.n(), desk.status()), (json!(1), InstanceStatus::Completed), "approved by policy");

    // Somebody who has left is nobody.
    let mut steps = signed_by(both(), "all", true);
    steps["sign"] = steps["first"].take();
    steps["first"] = json!({"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "sign"}});
    let mut desk = filed(steps, Json::Null);
    let (lea, ana) = (desk.lea.user.unwrap(), desk.ana.clone());
    let first = desk.world.open_task("first").id;
    desk.act(&ana, first, Verb::Claim).unwrap();
    desk.world.users.get_mut(&lea).unwrap().active = false;
    desk.complete(&ana, first, "done").unwrap();
    assert_eq!(desk.world.stored.incidents[0].code, "empty_assignee");
}

#[test]
fn four_eyes_keep_away_whoever_did_the_work() {
    let mut desk = filed(
        json!({
            "first": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "check"}},
            "check": {"type": "user", "assign": {"role": "agent"}, "not": ["=step.first.actor"],
                "verbs": ["transfer", "delegate"], "outcomes": {"ok": "end"}}}),
        Json::Null,
    );
    let (ana, bob) = (desk.ana.clone(), desk.bob.clone());
    let first = desk.world.open_task("first").id;
    desk.act(&ana, first, Verb::Claim).unwrap();
    desk.complete(&ana, first, "done").unwrap();
    let check = desk.world.open_task("check").id;
    assert_eq!(desk.refused(&ana, check, Verb::Claim), "four_eyes");
    desk.act(&bob, check, Verb::Claim).unwrap();
    assert_eq!(desk.refused(&bob, check, Verb::Transfer { user: ana.user, queue: None }), "four_eyes");
    assert_eq!(desk.refused(&bob, check, delegate(&ana)), "four_eyes");
    // Whatever way it came to them, they cannot complete it.
    desk.world.stored.tasks.get_mut(&check).unwrap().assignee = ana.user;
    assert_eq!(desk.refused(&ana, check, complete("ok")), "four_eyes");
    desk.world.stored.tasks.get_mut(&check).unwrap().assignee = bob.user;
    desk.complete(&bob, check, "ok").unwrap();
    assert!(desk.is_over());
}

fn worked_on() -> Json {
    json!({"first": {"type": "user", "assign": {"queue": "desk"}, "fields": {"n": "write", "*": "read"}, "verbs": ["delegate"],
        "outcomes": {"done": "end"}}})
}

#[test]
fn a_delegated_task_comes_back_with_what_was_filled_in() {
    let mut desk = filed(worked_on(), Json::Null);
    let (ana, bob, lea) = (desk.ana.clone(), desk.bob.clone(), desk.lea.clone());
    let task = desk.world.open_task("first").id;
    assert_eq!(desk.refused(&ana, task, delegate(&bob)), "not_your_task");
    assert_eq!(desk.refused(&ana, task, resolve(json!({}))), "not_delegated");
    desk.act(&ana, task, Verb::Claim).unwrap();
    assert_eq!(desk.refused(&ana, task, delegate(&ana)), "to_self");
    assert_eq!(desk.refused(&ana, task, delegate(&lea)), "not_eligible");
    assert_eq!(desk.refused(&ana, task, Verb::Delegate { user: Uuid::nil() }), "target_absent");
    assert_eq!(desk.refused(&ana, task, Verb::Transfer { user: bob.user, queue: None }), "verb_not_allowed");
    desk.act(&ana, task, delegate(&bob)).unwrap();

    assert_eq!(desk.refused(&ana, task, complete("done")), "delegated_out");
    assert_eq!(desk.refused(&bob, task, complete("done")), "not_your_task");
    assert_eq!(desk.refused(&bob, task, delegate(&ana)), "already_delegated");
    assert_eq!(desk.refused(&bob, task, Verb::Release), "not_your_task");
    assert_eq!(desk.refused(&ana, task, resolve(json!({}))), "not_delegated");
    assert_eq!(desk.refused(&bob, task, resolve(json!({"text": "mine"}))), "field_not_writable");
    assert_eq!(desk.refused(&bob, task, resolve(json!({"n": 100}))), "FW1004", "rules hold for delegates, too");
    desk.act(&bob, task, resolve(json!({"n": 5}))).unwrap();
    assert_eq!((desk.n(), desk.world.stored.tasks[&task].assignee), (json!(5), ana.user));
    desk.complete(&ana, task, "done").unwrap();
    assert!(desk.is_over());
}

#[test]
fn a_task_goes_back_and_everything_between_runs_again() {
    let mut desk = filed(
        json!({
            "first": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "count"}},
            "count": {"type": "set", "set": {"n": "=(record.n ?? 0) + 1"}, "next": "sign"},
            "other": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "sign", "skip": "end"}},
            "choose": {"type": "choice", "branches": {"never": {"if": "record.n > 50", "next": "other"}}, "else": "end"},
            "sign": {"type": "approval", "who": both(), "verbs": ["return"], "return": {"to": ["first", "other"]},
                "outcomes": {"approved": "choose", "rejected": "end"}}}),
        Json::Null,
    );
    let (ana, lea) = (desk.ana.clone(), desk.lea.clone());
    let first = desk.world.open_task("first").id;
    desk.act(&ana, first, Verb::Claim).unwrap();
    assert_eq!(desk.refused(&ana, first, send_back(None, "no")), "verb_not_allowed");
    desk.complete(&ana, first, "done").unwrap();
    let (line, pool) = (desk.task("line").id, desk.task("desk").id);
    desk.act(&ana, pool, Verb::Claim).unwrap();
    desk.complete(&ana, pool, "approved").unwrap();
    assert_eq!(desk.refused(&ana, line, send_back(None, "no")), "not_your_task");
    assert_eq!(desk.refused(&lea, line, send_back(None, "  ")), "reason_required");
    assert_eq!(desk.refused(&lea, line, send_back(Some("count"), "no")), "return_target_invalid");
    assert_eq!(desk.refused(&lea, line, send_back(Some("other"), "no")), "return_target_invalid", "never visited");
    desk.act(&lea, line, send_back(Some("first"), "the amount is wrong")).unwrap();
    let returned = desk.world.stored.events.iter().find(|event| event.kind == "task.returned").unwrap();
    assert_eq!((&returned.data["to"], &returned.data["reason"]), (&json!("first"), &json!("the amount is wrong")));
    let again = desk.world.open_task("first").id;
    desk.act(&ana, again, Verb::Claim).unwrap();
    desk.complete(&ana, again, "done").unwrap();
    assert_eq!(desk.n(), json!(2), "what stands between ran again");
    let open = desk.world.stored.tasks.values().filter(|task| task.status == TaskStatus::Open).count();
    assert_eq!(open, 2, "earlier signatures are void: both sign again");
}

#[test]
fn a_return_out_of_a_block_ends_the_block() {
    let mut desk = filed(
        json!({
            "first": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "both"}},
            "both": {"type": "parallel", "branches": {"a": "one", "b": "two"}, "next": "end"},
            "one": {"type": "user", "assign": {"queue": "desk"}, "verbs": ["return"], "return": {"to": ["first"]}, "outcomes": {"done": "join"}},
            "two": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "join"}}}),
        Json::Null,
    );
    let ana = desk.ana.clone();
    let first = desk.world.open_task("first").id;
    desk.act(&ana, first, Verb::Claim).unwrap();
    desk.complete(&ana, first, "done").unwrap();
    let one = desk.world.open_task("one").id;
    desk.act(&ana, one, Verb::Claim).unwrap();
    desk.act(&ana, one, send_back(None, "not yet")).unwrap();
    let open: Vec<_> = desk.world.stored.tasks.values().filter(|task| task.status == TaskStatus::Open).collect();
    assert_eq!(open.iter().map(|task| &*task.step).collect::<Vec<_>>(), ["first"]);
    let instance = desk.world.stored.instances.values().next().unwrap();
    assert_eq!((instance.state.tokens.len(), instance.state.blocks.len()), (1, 0));
}

#[test]
fn whoever_started_it_takes_it_back_until_somebody_decides() {
    let steps = json!({
        "first": {"type": "user", "assign": {"role": "lead"}, "outcomes": {"yes": "second"}},
        "second": {"type": "user", "assign": {"role": "lead"}, "outcomes": {"yes": "end"}}});
    let mut desk = filed(steps.clone(), Json::Null);
    let (ana, bob, lea) = (desk.ana.clone(), desk.bob.clone(), desk.lea.clone());
    let task = desk.world.open_task("first").id;
    assert_eq!(desk.refused(&ana, task, Verb::Withdraw), "withdraw_off");

    let rule = json!({"until": "first_decision", "set": {"n": 7}});
    let mut desk = filed(steps.clone(), rule.clone());
    let task = desk.world.open_task("first").id;
    assert_eq!(desk.refused(&bob, task, Verb::Withdraw), "not_starter");
    desk.act(&ana, task, Verb::Withdraw).unwrap();
    assert_eq!((desk.n(), desk.status(), desk.is_over()), (json!(7), InstanceStatus::Withdrawn, true));
    assert_eq!(desk.refused(&ana, task, Verb::Withdraw), "task_closed");

    let mut desk = filed(steps, rule);
    let task = desk.world.open_task("first").id;
    desk.act(&lea, task, Verb::Claim).unwrap();
    desk.complete(&lea, task, "yes").unwrap();
    let second = desk.world.open_task("second").id;
    assert_eq!(desk.refused(&ana, second, Verb::Withdraw), "withdraw_too_late");
}

#[test]
fn a_copy_is_read_and_kept_and_reminds() {
    let mut desk = filed(
        json!({"first": {"type": "user", "assign": {"queue": "desk"}, "fields": {"n": "write", "*": "read"},
            "outcomes": {"done": "end"}}}),
        Json::Null,
    );
    let (ana, bob) = (desk.ana.clone(), desk.bob.clone());
    // No role of the pack: they read no record.
    let eve = desk.world.person("eve", &[], &[]);
    let copy = |who: &Viewer| Verb::Cc { users: vec![who.user.unwrap()] };
    let task = desk.world.open_task("first").id;
    assert_eq!(desk.refused(&eve, task, Verb::Remind), "task_not_found");
    assert!(desk.told(&eve, task).is_err(), "they may not know of it");
    assert_eq!(desk.refused(&ana, task, Verb::Cc { users: vec![] }), "target_absent");
    assert_eq!(desk.refused(&ana, task, Verb::Cc { users: vec![Uuid::nil()] }), "target_absent");
    let many = (0..51).map(|n| desk.world.person(&format!("p{n}"), &[], &[]).user.unwrap()).collect();
    assert_eq!(desk.refused(&ana, task, Verb::Cc { users: many }), "cc_limit");
    desk.act(&ana, task, copy(&eve)).unwrap();
    desk.act(&ana, task, copy(&eve)).unwrap();
    assert_eq!(desk.world.stored.tasks[&task].copies.len(), 1, "once is enough");

    let told = desk.told(&eve, task).unwrap();
    assert_eq!(told["verbs"], json!(["remind", "comment"]));
    let values = told["record"]["values"].as_object().unwrap();
    assert_eq!(values.get("n"), Some(&Json::Null), "the step names `n`");
    assert_eq!(values.get("text"), None, "`*` grants nothing");
    assert_eq!(desk.refused(&eve, task, copy(&bob)), "cc_not_allowed");
    assert_eq!(desk.refused(&eve, task, Verb::Claim), "not_candidate");

    desk.act(&eve, task, Verb::Remind).unwrap();
    assert_eq!(desk.refused(&eve, task, Verb::Remind), "remind_too_soon");
    desk.world.at += TimeDelta::minutes(59);
    assert_eq!(desk.refused(&eve, task, Verb::Remind), "remind_too_soon");
    desk.world.at += TimeDelta::minutes(1);
    desk.act(&eve, task, Verb::Remind).unwrap();
    assert_eq!(desk.world.stored.tasks[&task].reminders.len(), 1, "the last of each person");
    assert_eq!(
        desk.refused(&bob, task, Verb::Remind),
        "not_your_task",
        "neither started it, nor leads, nor has a copy"
    );

    desk.act(&ana, task, Verb::Claim).unwrap();
    assert_eq!(desk.refused(&ana, task, Verb::Remind), "nobody_to_remind");
    desk.complete(&ana, task, "done").unwrap();
    assert_eq!(desk.refused(&eve, task, Verb::Remind), "task_closed");
    let told = desk.told(&eve, task).unwrap();
    assert_eq!(told["record"]["values"]["version"], 1, "a copy stays when the task is done");
}

#[test]
fn a_step_may_give_no_copies() {
    let mut desk = filed(worked_on(), Json::Null);
    let (ana, bob) = (desk.ana.clone(), desk.bob.clone());
    let task = desk.world.open_task("first").id;
    assert_eq!(desk.refused(&ana, task, Verb::Cc { users: vec![bob.user.unwrap()] }), "cc_not_allowed");
}

#[test]
fn a_returned_task_comes_straight_back() {
    let mut desk = filed(
        json!({
            "first": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "count"}},
            "count": {"type": "set", "set": {"n": "=(record.n ?? 0) + 1"}, "next": "sign"},
            "sign": {"type": "approval", "who": both(), "verbs": ["return"],
                "return": {"to": ["first"], "resume": ["back_to_me"]},
                "outcomes": {"approved": "end", "rejected": "end"}}}),
        Json::Null,
    );
    let (ana, lea) = (desk.ana.clone(), desk.lea.clone());
    let first = desk.world.open_task("first").id;
    desk.act(&ana, first, Verb::Claim).unwrap();
    desk.complete(&ana, first, "done").unwrap();
    let (line, pool) = (desk.task("line").id, desk.task("desk").id);
    desk.act(&ana, pool, Verb::Claim).unwrap();
    desk.complete(&ana, pool, "approved").unwrap();
    let again = |resume| Verb::Return { to: None, resume, reason: "one more look".to_owned() };
    assert_eq!(desk.refused(&lea, line, again(Some(Resume::Rerun))), "resume_not_allowed");
    // Twice in a row: each time the signature that was given stays, and only lea signs again.
    for _ in 0..2 {
        let line = desk.world.open_task("sign").id;
        desk.act(&lea, line, again(None)).unwrap();
        let first = desk.world.open_task("first").id;
        desk.act(&ana, first, Verb::Claim).unwrap();
        desk.complete(&ana, first, "done").unwrap();
    }
    assert_eq!(desk.n(), json!(1), "what stands between did not run again");
    let open: Vec<_> = desk.world.stored.tasks.values().filter(|task| task.status == TaskStatus::Open).collect();
    assert_eq!(open.iter().map(|task| task.signer.as_deref()).collect::<Vec<_>>(), [Some("line")]);
    let line = open[0].id;
    desk.complete(&lea, line, "approved").unwrap();
    assert!(desk.is_over());
    assert!(desk.world.stored.instances.values().all(|instance| instance.state.returns.is_empty()));
}

#[test]
fn a_way_back_leads_to_the_one_before() {
    let task = |to: &str, next: &str| {
        json!({"type": "user", "assign": {"queue": "desk"}, "verbs": ["return"],
            "return": {"to": [to], "resume": ["back_to_me", "rerun"]}, "outcomes": {"done": next, "skip": "between"}})
    };
    let mut desk = filed(
        json!({"first": {"type": "user", "assign": {"queue": "desk"}, "outcomes": {"done": "second"}},
            "second": task("first", "third"), "between": {"type": "set", "set": {"n": 9}, "next": "end"},
            "third": task("second", "between")}),
        Json::Null,
    );
    let ana = desk.ana.clone();
    let step = |desk: &mut Desk, step: &str, back: bool| {
        let task = desk.world.open_task(step).id;
        desk.act(&ana, task, Verb::Claim).unwrap();
        match back {
            true => desk.act(&ana, task, send_back(None, "look again")).map(|_| ()).unwrap(),
            false => desk.complete(&ana, task, "done").map(|_| ()).unwrap(),
        }
    };
    // third → second → first, and up again the same way.
    for (name, back) in [("first", false), ("second", false), ("third", true), ("second", true), ("first", false)] {
        step(&mut desk, name, back);
    }
    let second = desk.world.open_task("second").id;
    desk.act(&ana, second, Verb::Claim).unwrap();
    desk.complete(&ana, second, "skip").unwrap();
    step(&mut desk, "third", false);
    assert!(desk.is_over());
}

#[test]
fn it_can_be_taken_back_before_a_step() {
    let steps = json!({
        "first": {"type": "user", "assign": {"role": "lead"}, "outcomes": {"yes": "second"}},
        "second": {"type": "user", "assign": {"role": "lead"}, "outcomes": {"yes": "third"}},
        "third": {"type": "user", "assign": {"role": "lead"}, "outcomes": {"yes": "end"}}});
    let rule = json!({"until": {"before": "third"}});
    for (done, refusal) in [(0, None), (1, None), (2, Some("withdraw_too_late"))] {
        let mut desk = filed(steps.clone(), rule.clone());
        let (ana, lea) = (desk.ana.clone(), desk.lea.clone());
        for step in ["first", "second"].into_iter().take(done) {
            let task = desk.world.open_task(step).id;
            desk.act(&lea, task, Verb::Claim).unwrap();
            desk.complete(&lea, task, "yes").unwrap();
        }
        let open = desk.world.open_task(["first", "second", "third"][done]).id;
        match refusal {
            Some(code) => assert_eq!(desk.refused(&ana, open, Verb::Withdraw), code),
            None => assert!(desk.act(&ana, open, Verb::Withdraw).is_ok()),
        }
    }
}
