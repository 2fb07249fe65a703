//! Tasks as the inbox and the record page draw them (templates/parts/work.html).

use chrono::{Datelike, Days};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::cell::{Scribe, plain, title};
use super::clock::{Countdown, countdown};
use super::field::{Choice, Correction, Field};
use super::format::{Due, Local, Time, parse_instant};
use super::history::Event;

/// A line of a box.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    id: String,
    href: String,
    title: String,
    record: String,
    queue: String,
    at: Time,
    due: Option<Due>,
    clock: Option<Countdown>,
    reminded: bool,
    active: bool,
}

/// Lines under one heading.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    label: String,
    tone: &'static str,
    count: usize,
    lines: Vec<Line>,
}

/// A task to read and to act on.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) record: RecordLink,
    pub(crate) why: String,
    pub(crate) who: String,
    pub(crate) due: Option<Due>,
    pub(crate) tone: &'static str,
    pub(crate) notice: String,
    pub(crate) reminders: Vec<Reminder>,
    pub(crate) copies: Vec<String>,
    pub(crate) instructions: Vec<String>,
    pub(crate) facts: Vec<Field>,
    pub(crate) action: String,
    pub(crate) evaluate: String,
    pub(crate) errors: Vec<Correction>,
    pub(crate) rows: Vec<Vec<Field>>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) claim: String,
    pub(crate) verbs: Vec<Verb>,
    pub(crate) comment: String,
    pub(crate) activity: Vec<Event>,
    pub(crate) back: String,
    /// How it stands, as the scripts make it of what the API tells: another mark is another state.
    pub(crate) mark: String,
}

/// Somebody reminded of a task.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reminder {
    text: String,
    at: Time,
}

/// What a task is about.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RecordLink {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) href: String,
    pub(crate) form: String,
}

/// A way out.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Outcome {
    key: String,
    label: String,
    ask: String,
    primary: bool,
    danger: bool,
}

/// Something else to do with it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verb {
    key: &'static str,
    label: String,
    help: String,
    action: String,
    rows: Vec<Vec<Field>>,
    submit: String,
}

/// A task's line; `href` is where it opens.
pub(crate) fn line(task: &Json, href: String, active: bool, scribe: Scribe<'_>) -> Line {
    let local = scribe.local;
    Line {
        id: plain(&task["id"]),
        href,
        title: plain(&task["label"]),
        record: title(&task["record"]),
        queue: task["queue"].as_str().map(|queue| scribe.queue(queue)).unwrap_or_default(),
        at: local.time(instant(task, "closed_at").or_else(|| instant(task, "created_at")).unwrap_or(local.now)),
        due: due(task, local),
        clock: task["clock"].is_object().then(|| countdown(&task["clock"], local)),
        reminded: task["state"] == "open" && task["reminders"].as_array().is_some_and(|made| !made.is_empty()),
        active,
    }
}

/// Lines by how soon they are due: overdue, today, later. Closed tasks stand in one group.
pub(crate) fn groups(tasks: &[(Json, Line)], local: &Local, closed: bool) -> Vec<Group> {
    let today = local.now.with_timezone(&local.zone).date_naive();
    let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
    let rank = |task: &Json| match instant(task, "due_at") {
        _ if closed => 3,
        Some(due) if due < local.now => 0,
        Some(due) if due.with_timezone(&local.zone).date_naive().num_days_from_ce() < tomorrow.num_days_from_ce() => 1,
        _ => 2,
    };
    let headings = [("inbox.overdue", "bad"), ("inbox.today", ""), ("inbox.later", ""), ("inbox.closed", "")];
    let groups = headings.into_iter().enumerate().map(|(wanted, (label, tone))| {
        let lines: Vec<Line> =
            tasks.iter().filter(|(task, _)| rank(task) == wanted).map(|(_, line)| line.clone()).collect();
        Group { label: local.say(label, &[]), tone, count: lines.len(), lines }
    });
    groups.filter(|group| group.count > 0).collect()
}

/// What every drawing of a task has; its form, facts and history come with the page.
pub(crate) fn task(
    task: &Json,
    record_href: String,
    me: Option<Uuid>,
    people: &[(String, String)],
    scribe: Scribe<'_>,
) -> Task {
    let local = scribe.local;
    let id = plain(&task["id"]);
    let action = |verb: &str| format!("/tasks/{id}/{verb}");
    let offers = |verb: &str| task["verbs"].as_array().is_some_and(|verbs| verbs.iter().any(|one| one == verb));
    let is_mine = me.is_some_and(|me| task["assignee"]["id"] == me.to_string());
    Task {
        title: plain(&task["label"]),
        mark: format!("{} {}", plain(&task["state"]), plain(&task["assignee"]["id"])),
        version: task["record"]["values"]["version"].as_i64().map(|version| version.to_string()).unwrap_or_default(),
        record: RecordLink {
            id: plain(&task["record"]["id"]),
            title: task["record"]["title"].as_str().map_or_else(|| local.say("task.record", &[]), str::to_owned),
            href: record_href,
            form: plain(&task["record"]["form"]),
        },
        why: why(task, is_mine, scribe),
        who: if is_mine { String::new() } else { title(&task["assignee"]) },
        due: due(task, local),
        reminders: reminders(task, local),
        copies: task["copies"].as_array().into_iter().flatten().map(title).collect(),
        instructions: paragraphs(task["instructions"].as_str().unwrap_or_default()),
        outcomes: match (offers("complete"), offers("resolve")) {
            (true, _) => outcomes(task),
            (_, true) => vec![resolved(local)],
            _ => Vec::new(),
        },
        claim: if offers("claim") { action("claim") } else { String::new() },
        comment: if offers("comment") { action("comment") } else { String::new() },
        verbs: [
            offers("release").then(|| button("release", &id, ("task.release", "task.release.help"), local)),
            offers("transfer").then(|| transfer(&id, people, scribe)),
            offers("delegate").then(|| delegate(&id, people, local)),
            offers("return").then(|| send_back(task, &id, scribe)),
            offers("cc").then(|| cc(&id, people, local)),
            offers("remind").then(|| button("remind", &id, ("task.remind", "task.remind.help"), local)),
            offers("withdraw").then(|| button("withdraw", &id, ("task.withdraw", "task.withdraw.help"), local)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        action: action(if offers("resolve") { "resolve" } else { "complete" }),
        id,
        ..Task::default()
    }
}

/// Text as paragraphs.
pub(crate) fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n").map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn instant(task: &Json, key: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    parse_instant(task[key].as_str()?)
}

fn due(task: &Json, local: &Local) -> Option<Due> {
    let is_open = task["state"] == "open";
    instant(task, "due_at").filter(|_| is_open).map(|due| local.due(due))
}

/// Who reminded of an open task, the latest last.
fn reminders(task: &Json, local: &Local) -> Vec<Reminder> {
    let made = task["reminders"].as_array().into_iter().flatten().filter(|_| task["state"] == "open");
    let said = made.filter_map(|one| {
        let text = local.say("task.reminded", &[("name", &title(&one["by"]))]);
        Some(Reminder { text, at: local.time(instant(one, "at")?) })
    });
    said.collect()
}

fn why(task: &Json, is_mine: bool, scribe: Scribe<'_>) -> String {
    let local = scribe.local;
    if task["state"] != "open" {
        let outcome = task["outcome"].as_str().unwrap_or_default();
        let mut outcomes = task["outcomes"].as_array().into_iter().flatten();
        let label =
            outcomes.find(|one| one["key"] == outcome).map_or_else(|| outcome.to_owned(), |one| plain(&one["label"]));
        return local.say("task.why.closed", &[("outcome", &label)]);
    }
    let role = |role: &str| {
        let found = scribe.pack.roles().get(role);
        found.map_or_else(|| role.to_owned(), |role| role.title.get(&local.language).to_owned())
    };
    if is_mine && task["owner"].is_object() {
        return local.say("task.why.owner", &[("name", &title(&task["owner"]))]);
    }
    if let Some(team) = task["team"]["name"].as_str() {
        return local.say("task.why.team", &[("team", team)]);
    }
    match (task["queue"].as_str(), task["role"].as_str()) {
        (Some(queue), _) => local.say("task.why.queue", &[("queue", &scribe.queue(queue))]),
        (None, Some(wanted)) => local.say("task.why.role", &[("role", &role(wanted))]),
        (None, None) if is_mine => local.say("task.why.mine", &[]),
        (None, None) => String::new(),
    }
}

fn outcomes(task: &Json) -> Vec<Outcome> {
    let outcomes = task["outcomes"].as_array().into_iter().flatten().enumerate();
    outcomes
        .map(|(index, outcome)| Outcome {
            key: plain(&outcome["key"]),
            label: plain(&outcome["label"]),
            ask: outcome["confirm"].as_str().unwrap_or_default().to_owned(),
            primary: index == 0,
            // What asks before is what one does not do by mistake.
            danger: index > 0 && outcome["confirm"].is_string(),
        })
        .collect()
}

/// The way out of a task that somebody else delegated: what was filled in is kept, and it goes back.
fn resolved(local: &Local) -> Outcome {
    let label = local.say("task.resolve", &[]);
    Outcome { key: "resolve".to_owned(), label, primary: true, ..Outcome::default() }
}

/// A verb that needs nothing more.
fn button(key: &'static str, id: &str, words: (&str, &str), local: &Local) -> Verb {
    panel(key, id, words, Vec::new(), local)
}

/// A verb with what it asks for; `words` are the keys of its label and of what it means.
fn panel(key: &'static str, id: &str, words: (&str, &str), rows: Vec<Vec<Field>>, local: &Local) -> Verb {
    let label = local.say(words.0, &[]);
    Verb {
        key,
        help: local.say(words.1, &[]),
        action: format!("/tasks/{id}/{key}"),
        submit: if rows.is_empty() { String::new() } else { label.clone() },
        rows,
        label,
    }
}

/// One of several, under `/name`.
fn choice(verb: &str, id: &str, name: &str, label: String, options: Vec<Choice>) -> Field {
    Field {
        kind: "choice",
        id: format!("{verb}-{id}-{name}"),
        pointer: format!("/{name}"),
        label,
        visible: true,
        options,
        ..Field::default()
    }
}

fn persons(people: &[(String, String)]) -> Vec<Choice> {
    people.iter().map(|(id, name)| Choice { value: id.clone(), label: name.clone(), selected: false }).collect()
}

/// To a person who works on it and gives it back.
fn delegate(id: &str, people: &[(String, String)], local: &Local) -> Verb {
    let mut user = choice("delegate", id, "user", local.say("task.delegate.user", &[]), persons(people));
    user.required = true;
    panel("delegate", id, ("task.delegate", "task.delegate.help"), vec![vec![user]], local)
}

/// Back to an earlier step, with a reason.
fn send_back(task: &Json, id: &str, scribe: Scribe<'_>) -> Verb {
    let local = scribe.local;
    let workflow = task["workflow"].as_str().and_then(|workflow| scribe.pack.workflows().get(workflow));
    let steps = task["return_to"].as_array().into_iter().flatten().filter_map(Json::as_str).enumerate();
    let steps = steps.map(|(index, step)| {
        let node = workflow.and_then(|workflow| workflow.graph.nodes.get(step));
        let label = node.map_or_else(|| step.to_owned(), |node| node.label.get(&local.language).to_owned());
        Choice { value: step.to_owned(), label, selected: index == 0 }
    });
    let to = choice("return", id, "to", local.say("task.return.to", &[]), steps.collect());
    let reason = Field {
        kind: "long_text",
        id: format!("return-{id}-reason"),
        pointer: "/reason".to_owned(),
        label: local.say("task.return.reason", &[]),
        visible: true,
        required: true,
        ..Field::default()
    };
    let mut rows = vec![vec![to], vec![reason]];
    let ways: Vec<&str> = task["resume"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if ways.len() > 1 {
        let choices = ways.iter().enumerate().map(|(index, way)| Choice {
            value: (*way).to_owned(),
            label: local.say(&format!("task.resume.{way}"), &[]),
            selected: index == 0,
        });
        rows.insert(1, vec![choice("return", id, "resume", local.say("task.return.resume", &[]), choices.collect())]);
    }
    panel("return", id, ("task.return", "task.return.help"), rows, local)
}

/// A copy to a person, to read.
fn cc(id: &str, people: &[(String, String)], local: &Local) -> Verb {
    let user = choice("cc", id, "user", local.say("task.cc.user", &[]), persons(people));
    panel("cc", id, ("task.cc", "task.cc.help"), vec![vec![user]], local)
}

/// To another queue or person, for good.
fn transfer(id: &str, people: &[(String, String)], scribe: Scribe<'_>) -> Verb {
    let local = scribe.local;
    let queues = scribe.pack.queues().iter().map(|(key, queue)| Choice {
        value: key.to_string(),
        label: queue.title.get(&local.language).to_owned(),
        selected: false,
    });
    let queue = choice("transfer", id, "queue", local.say("task.transfer.queue", &[]), queues.collect());
    let user = choice("transfer", id, "user", local.say("task.transfer.user", &[]), persons(people));
    panel("transfer", id, ("task.transfer", "task.transfer.help"), vec![vec![queue], vec![user]], local)
}
