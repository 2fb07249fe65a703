//! Rows of the system tables, and what they hold in the core's words.

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::change::{Event, OutboxMessage, Reply, Written};
use formwork_core::clock::{Clock, ClockState, Edge, Segment};
use formwork_core::facts::UserFacts;
use formwork_core::instance::{Instance, InstanceStatus, Pool, State, Subscription, Task, TaskStatus, TimerRow};
use formwork_model::{Key, Value};

use crate::dialect::ColumnKind::{self, Boolean, DateTime as Time, Id, Integer, Json as Document, Text};
use crate::dialect::Dialect;
use crate::statement::Row;
use crate::{Deployment, Fault, User};

/// A selection of columns of a system table.
pub(crate) struct Selection {
    pub(crate) columns: &'static str,
    pub(crate) kinds: &'static [ColumnKind],
}

pub(crate) const INSTANCE: Selection = Selection {
    columns: "id, workflow, pack_hash, form, record, start_key, status, started_at, started_by, revision, state",
    kinds: &[Id, Text, Text, Text, Id, Text, Text, Time, Id, Integer, Document],
};

/// The columns of a task itself.
const TASK: &str = "id, instance, workflow, pack_hash, activation, step, form, record, pool_kind, pool_key, assignee, owner, \
              starter, barred, signer, status, created_at, due_at, closed_at, closed_by, outcome";

/// The kinds of [`task_columns`].
pub(crate) const TASK_KINDS: &[ColumnKind] = &[
    Id, Id, Text, Text, Integer, Text, Text, Id, Text, Text, Id, Id, Id, Text, Text, Text, Time, Time, Time, Id, Text,
    Text,
];

/// The columns of a task in the table of that name: its own, and who has a copy of it or reminded of it, as
/// `kind:person:microseconds` apart by spaces.
pub(crate) fn task_columns(dialect: Dialect, table: &str) -> String {
    let own: Vec<String> = TASK.split(',').map(|name| format!("{table}.{}", name.trim())).collect();
    let people = match dialect {
        Dialect::Sqlite => "group_concat(kind || ':' || lower(hex(person)) || ':' || at, ' ' ORDER BY at, person)",
        Dialect::Postgres => {
            "string_agg(kind || ':' || person || ':' || (extract(epoch FROM at) * 1000000)::bigint, ' ' ORDER BY at, person)"
        }
    };
    format!("{}, (SELECT {people} FROM fw_task_person WHERE task = {table}.id)", own.join(", "))
}

pub(crate) const TIMER: Selection =
    Selection { columns: "id, instance, pack, activation, event, due_at", kinds: &[Id, Id, Text, Integer, Text, Time] };

pub(crate) const CLOCK: Selection = Selection {
    columns: "id, instance, workflow, form, record, sla, cycle, state, budget_text, budget, edge, calendar, calendar_version, \
              consumed, paused, closed, started_at, since, runs, due_at, next_rung_at, stopped_at, breached_at, detected_at, \
              fired, armed, split, provisional, segments",
    kinds: &[
        Id, Id, Text, Text, Id, Text, Integer, Text, Text, Integer, Text, Text, Text, Integer, Integer, Integer, Time,
        Time, Boolean, Time, Time, Time, Time, Time, Document, Boolean, Text, Boolean, Integer,
    ],
};

pub(crate) const SEGMENT: Selection = Selection {
    columns: "clock, number, kind, from_at, to_at, consumed, calendar_version, cause, actor, split",
    kinds: &[Id, Integer, Text, Time, Time, Integer, Text, Text, Id, Text],
};

pub(crate) const SUBSCRIPTION: Selection = Selection {
    columns: "id, instance, pack, activation, event, name, message_key",
    kinds: &[Id, Id, Text, Integer, Text, Text, Text],
};

pub(crate) const EVENT: Selection = Selection {
    columns: "number, at, form, record, instance, kind, step, activation, actor, actor_kind, data",
    kinds: &[Integer, Time, Text, Id, Id, Text, Text, Integer, Id, Text, Document],
};

pub(crate) const USER: Selection = Selection {
    columns: "id, login, password_hash, name, active, roles, queues, team, leads, language, theme, password_until, revision",
    kinds: &[Id, Text, Text, Text, ColumnKind::Boolean, Document, Document, Text, Document, Text, Text, Time, Integer],
};

pub(crate) const MESSAGE: Selection = Selection {
    columns: "message_key, pack, channel, template, address, subject, body, instance, form, record, created_at, state, \
              attempts, epoch, reason",
    kinds: &[Text, Text, Text, Text, Text, Text, Text, Id, Text, Id, Time, Text, Integer, Integer, Text],
};

pub(crate) const IMPORT: Selection = Selection {
    columns: "id, owner, pack, form, name, size, state, settings, counts, problem, created_at, updated_at, epoch",
    kinds: &[Id, Id, Text, Text, Text, Integer, Text, Document, Document, Text, Time, Time, Integer],
};

pub(crate) const IMPORT_ROW: Selection =
    Selection { columns: "row, line, outcome, records, errors", kinds: &[Integer, Integer, Text, Document, Document] };

pub(crate) const DEPLOYMENT: Selection =
    Selection { columns: "number, pack, version, hash, at", kinds: &[Integer, Text, Text, Text, Time] };

/// Takes the values of a row one after another.
pub(crate) struct Reader(std::vec::IntoIter<Value>);

impl Reader {
    pub(crate) fn new(row: Row) -> Self {
        Self(row.into_iter())
    }

    pub(crate) fn value(&mut self) -> Value {
        self.0.next().unwrap_or_default()
    }

    pub(crate) fn rest(self) -> impl Iterator<Item = Value> {
        self.0
    }

    pub(crate) fn id(&mut self) -> Result<Uuid, Fault> {
        self.maybe_id()?.ok_or_else(|| unexpected("an id", &Value::Null))
    }

    pub(crate) fn maybe_id(&mut self) -> Result<Option<Uuid>, Fault> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Id(id) => Ok(Some(id)),
            other => Err(unexpected("an id", &other)),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, Fault> {
        self.maybe_text()?.ok_or_else(|| unexpected("text", &Value::Null))
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, Fault> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(unexpected("text", &other)),
        }
    }

    pub(crate) fn key(&mut self) -> Result<Key, Fault> {
        Ok(self.text()?.into())
    }

    pub(crate) fn integer(&mut self) -> Result<i64, Fault> {
        self.maybe_integer()?.ok_or_else(|| unexpected("an integer", &Value::Null))
    }

    pub(crate) fn maybe_integer(&mut self) -> Result<Option<i64>, Fault> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(number)),
            other => Err(unexpected("an integer", &other)),
        }
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.value() {
            Value::Boolean(truth) => Ok(truth),
            other => Err(unexpected("a boolean", &other)),
        }
    }

    pub(crate) fn time(&mut self) -> Result<DateTime<Utc>, Fault> {
        self.maybe_time()?.ok_or_else(|| unexpected("an instant", &Value::Null))
    }

    pub(crate) fn maybe_time(&mut self) -> Result<Option<DateTime<Utc>>, Fault> {
        match self.value() {
            Value::Null => Ok(None),
            Value::DateTime(at) => Ok(Some(at)),
            other => Err(unexpected("an instant", &other)),
        }
    }

    pub(crate) fn document<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Fault> {
        serde_json::from_str(&self.text()?).map_err(|error| Fault::of("reading a stored document", error))
    }

    pub(crate) fn record(&mut self) -> Result<Option<(Key, Uuid)>, Fault> {
        let (form, id) = (self.maybe_text()?, self.maybe_id()?);
        Ok(form.zip(id).map(|(form, id)| (form.into(), id)))
    }
}

pub(crate) fn instance(row: Row) -> Result<Instance, Fault> {
    let mut row = Reader::new(row);
    Ok(Instance {
        id: row.id()?,
        workflow: row.key()?,
        pack_hash: row.text()?,
        record: row.record()?,
        key: row.text()?,
        status: status_of(&row.text()?)?,
        started_at: row.time()?,
        started_by: row.maybe_id()?,
        revision: row.integer()?,
        state: row.document::<State>()?,
    })
}

pub(crate) fn task(row: Row) -> Result<Task, Fault> {
    let mut row = Reader::new(row);
    let mut task = Task {
        id: row.id()?,
        instance: row.id()?,
        workflow: row.key()?,
        pack_hash: row.text()?,
        activation: number(row.integer()?),
        step: row.key()?,
        record: row.record()?,
        pool: pool_of(&row.text()?, row.maybe_text()?)?,
        assignee: row.maybe_id()?,
        owner: row.maybe_id()?,
        starter: row.maybe_id()?,
        barred: {
            let ids = row.text()?;
            let ids: Result<_, _> = ids.split_whitespace().map(str::parse::<Uuid>).collect();
            ids.map_err(|error| Fault::of("reading who is barred from a task", error))?
        },
        signer: row.maybe_text()?.map(Key::from),
        status: task_status_of(&row.text()?)?,
        created_at: row.time()?,
        due_at: row.maybe_time()?,
        closed: {
            let (at, by) = (row.maybe_time()?, row.maybe_id()?);
            at.map(|at| (at, by))
        },
        outcome: row.maybe_text()?,
        copies: Vec::new(),
        reminders: Vec::new(),
    };
    for person in row.maybe_text()?.unwrap_or_default().split(' ').filter(|person| !person.is_empty()) {
        let (kind, id, at) = person_of(person).ok_or_else(|| Fault::new("a person at a task cannot be read"))?;
        match kind {
            COPY => task.copies.push((id, at)),
            _ => task.reminders.push((id, at)),
        }
    }
    Ok(task)
}

/// Somebody has a copy of a task.
pub(crate) const COPY: &str = "copy";
/// Somebody reminded of a task.
pub(crate) const REMINDER: &str = "reminder";

fn person_of(text: &str) -> Option<(&str, Uuid, DateTime<Utc>)> {
    let mut parts = text.split(':');
    let (kind, id, at) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((kind, id, DateTime::from_timestamp_micros(at)?))
}

pub(crate) fn timer(row: Row) -> Result<TimerRow, Fault> {
    let mut row = Reader::new(row);
    Ok(TimerRow {
        id: row.id()?,
        instance: row.id()?,
        pack: row.key()?,
        activation: number(row.integer()?),
        event: row.key()?,
        due_at: row.time()?,
    })
}

pub(crate) fn clock(row: Row) -> Result<Clock, Fault> {
    let mut row = Reader::new(row);
    Ok(Clock {
        id: row.id()?,
        instance: row.id()?,
        workflow: row.key()?,
        record: (row.key()?, row.id()?),
        sla: row.key()?,
        cycle: small(row.integer()?),
        state: word(row.text()?, ClockState::named)?,
        budget_text: row.maybe_text()?,
        budget_ms: row.integer()?,
        edge: word(row.text()?, Edge::named)?,
        calendar: row.maybe_text()?.map(Key::from),
        calendar_version: row.text()?,
        consumed_ms: row.integer()?,
        paused_ms: row.integer()?,
        closed_ms: row.integer()?,
        started_at: row.time()?,
        since: row.time()?,
        runs: row.boolean()?,
        due_at: row.maybe_time()?,
        next_rung_at: row.maybe_time()?,
        stopped_at: row.maybe_time()?,
        breached_at: row.maybe_time()?,
        detected_at: row.maybe_time()?,
        fired: row.document()?,
        armed: row.boolean()?,
        split: row.maybe_text()?,
        provisional: row.boolean()?,
        segments: small(row.integer()?),
    })
}

pub(crate) fn segment(row: Row) -> Result<Segment, Fault> {
    let mut row = Reader::new(row);
    Ok(Segment {
        clock: row.id()?,
        number: small(row.integer()?),
        kind: word(row.text()?, |kind| ["run", "pause", "closed"].into_iter().find(|known| *known == kind))?,
        from: row.time()?,
        to: row.time()?,
        consumed_ms: row.integer()?,
        calendar_version: row.text()?,
        cause: word(row.text()?, Segment::cause_named)?,
        actor: row.maybe_id()?,
        split: row.maybe_text()?,
    })
}

fn word<T>(text: String, named: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
    named(&text).ok_or_else(|| Fault::new(format!("`{text}` is no word of a clock")))
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

pub(crate) fn event(row: Row) -> Result<(i64, Event), Fault> {
    let mut row = Reader::new(row);
    let seq = row.integer()?;
    let event = Event {
        at: row.time()?,
        record: row.record()?,
        instance: row.maybe_id()?,
        kind: row.text()?,
        step: {
            let (step, activation) = (row.maybe_text()?, row.maybe_integer()?);
            step.zip(activation).map(|(step, activation)| (step.into(), number(activation)))
        },
        actor: row.maybe_id()?,
        actor_kind: row.text()?,
        data: row.document()?,
    };
    Ok((seq, event))
}

pub(crate) fn subscription(row: Row) -> Result<Subscription, Fault> {
    let mut row = Reader::new(row);
    Ok(Subscription {
        id: row.id()?,
        instance: row.id()?,
        pack: row.key()?,
        activation: number(row.integer()?),
        event: row.key()?,
        name: row.key()?,
        key: row.text()?,
    })
}

pub(crate) fn user(row: Row) -> Result<User, Fault> {
    let mut row = Reader::new(row);
    let (id, login, password_hash) = (row.id()?, row.text()?, row.text()?);
    let facts = UserFacts {
        name: row.text()?,
        active: row.boolean()?,
        roles: keys(row.document()?),
        queues: keys(row.document()?),
        team: row.maybe_text()?.map(Key::from),
        leads: keys(row.document()?),
    };
    let (language, theme) = (row.text()?, row.text()?);
    let (password_until, revision) = (row.maybe_time()?, row.integer()?);
    Ok(User { id, login, password_hash, facts, language, theme, password_until, revision })
}

/// A message and where it stands: (message, state, attempts, epoch, reason).
pub(crate) fn message(row: Row) -> Result<(OutboxMessage, String, i32, i64, Option<String>), Fault> {
    let mut row = Reader::new(row);
    let message = OutboxMessage {
        key: row.text()?,
        pack: row.key()?,
        channel: row.key()?,
        template: row.key()?,
        to: row.text()?,
        subject: row.maybe_text()?,
        body: row.text()?,
        instance: row.id()?,
        record: row.record()?,
        created_at: row.time()?,
    };
    let (state, attempts) = (row.text()?, i32::try_from(row.integer()?).unwrap_or(i32::MAX));
    Ok((message, state, attempts, row.integer()?, row.maybe_text()?))
}

pub(crate) fn deployment(row: Row) -> Result<Deployment, Fault> {
    let mut row = Reader::new(row);
    Ok(Deployment {
        number: row.integer()?,
        pack: row.key()?,
        version: row.text()?,
        hash: row.text()?,
        at: row.time()?,
        files: Vec::new(),
    })
}

pub(crate) fn status_word(status: InstanceStatus) -> &'static str {
    match status {
        InstanceStatus::Running => "running",
        InstanceStatus::Completed => "completed",
        InstanceStatus::Failed => "failed",
        InstanceStatus::Cancelled => "cancelled",
        InstanceStatus::Withdrawn => "withdrawn",
    }
}

pub(crate) fn task_status_word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Open => "open",
        TaskStatus::Done => "done",
        TaskStatus::Cancelled => "cancelled",
    }
}

pub(crate) fn pool_words(pool: &Pool) -> (&'static str, Option<&Key>) {
    match pool {
        Pool::Queue(key) => ("queue", Some(key)),
        Pool::Role(key) => ("role", Some(key)),
        Pool::Team(key) => ("team", Some(key)),
        Pool::Person => ("person", None),
    }
}

/// The reply as it is kept for a repeated request.
pub(crate) fn reply_document(reply: &Reply) -> Json {
    match reply {
        Reply::Nothing => json!({"is": "nothing"}),
        Reply::Record { form, id, version, outcome } => {
            let outcome = match outcome {
                Written::Created => "created",
                Written::Updated => "updated",
                Written::Unchanged => "unchanged",
            };
            json!({"is": "record", "form": &**form, "id": id, "version": version, "outcome": outcome})
        }
        Reply::Fed(records) => json!({"is": "fed", "records": records}),
        Reply::Deleted => json!({"is": "deleted"}),
        Reply::Task { id, state } => json!({"is": "task", "id": id, "state": state}),
        Reply::Instance(id) => json!({"is": "instance", "id": id}),
        Reply::Message(taken) => json!({"is": "message", "taken": taken}),
        Reply::Gone => json!({"is": "gone"}),
    }
}

/// The reply kept as that document.
pub(crate) fn reply_of(document: &Json) -> Result<Reply, Fault> {
    let unreadable = || Fault::new("a stored reply cannot be read");
    let text = |key: &str| document[key].as_str().ok_or_else(unreadable);
    let id = || text("id")?.parse::<Uuid>().map_err(|error| Fault::of("reading a stored reply", error));
    Ok(match text("is")? {
        "nothing" => Reply::Nothing,
        "record" => Reply::Record {
            form: text("form")?.into(),
            id: id()?,
            version: document["version"].as_i64().ok_or_else(unreadable)?,
            outcome: match text("outcome")? {
                "created" => Written::Created,
                "updated" => Written::Updated,
                _ => Written::Unchanged,
            },
        },
        "fed" => {
            let records = serde_json::from_value(document["records"].clone());
            Reply::Fed(records.map_err(|error| Fault::of("reading a stored reply", error))?)
        }
        "deleted" => Reply::Deleted,
        "task" => Reply::Task {
            id: id()?,
            state: match text("state")? {
                "done" => "done",
                "cancelled" => "cancelled",
                _ => "open",
            },
        },
        "instance" => Reply::Instance(id()?),
        "message" => Reply::Message(document["taken"].as_u64().and_then(|taken| u32::try_from(taken).ok())),
        "gone" => Reply::Gone,
        _ => return Err(unreadable()),
    })
}

fn status_of(word: &str) -> Result<InstanceStatus, Fault> {
    Ok(match word {
        "running" => InstanceStatus::Running,
        "completed" => InstanceStatus::Completed,
        "failed" => InstanceStatus::Failed,
        "cancelled" => InstanceStatus::Cancelled,
        "withdrawn" => InstanceStatus::Withdrawn,
        _ => return Err(Fault::new(format!("unknown instance status `{word}`"))),
    })
}

fn task_status_of(word: &str) -> Result<TaskStatus, Fault> {
    Ok(match word {
        "open" => TaskStatus::Open,
        "done" => TaskStatus::Done,
        "cancelled" => TaskStatus::Cancelled,
        _ => return Err(Fault::new(format!("unknown task status `{word}`"))),
    })
}

fn pool_of(kind: &str, key: Option<String>) -> Result<Pool, Fault> {
    Ok(match (kind, key) {
        ("queue", Some(key)) => Pool::Queue(key.into()),
        ("role", Some(key)) => Pool::Role(key.into()),
        ("team", Some(key)) => Pool::Team(key.into()),
        ("person", _) => Pool::Person,
        _ => return Err(Fault::new(format!("unknown pool `{kind}`"))),
    })
}

fn keys(texts: Vec<String>) -> Vec<Key> {
    texts.into_iter().map(Key::from).collect()
}

fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

fn unexpected(wanted: &str, found: &Value) -> Fault {
    Fault::new(format!("a system row holds {found:?} instead of {wanted}"))
}
