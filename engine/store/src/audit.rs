//! The audit log: what people did beside the records, and who was refused. Rows are only added.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::Fault;
use crate::codec::{Reader, Selection};
use crate::dialect::ColumnKind::{DateTime as Time, Id, Integer, Json as Document, Text};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::people::{dialect_cast, text};
use crate::statement::{Row, Select};

/// Something that is to be told later: who did what to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// When.
    pub at: DateTime<Utc>,
    /// The user, if it was one.
    pub actor: Option<Uuid>,
    /// Their login; what was typed where nobody has it; `command line`.
    pub who: String,
    /// `session.opened`, `user.added`, `pack.deployed` …
    pub kind: String,
    /// Whom or what it was done to: a login, a pack, a message; empty where it is the actor.
    pub subject: String,
    /// The address it came from.
    pub address: Option<String>,
    /// What else is to be known; never a password or a secret.
    pub data: Json,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    /// Counted upwards.
    pub number: i64,
    /// What is told.
    pub audit: Audit,
}

/// Which rows are wanted; what is none or empty narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Part of a login or of what it was done to.
    pub text: String,
    /// The kind, or all that begin with it where it ends with a dot.
    pub kind: String,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

const AUDIT: Selection = Selection {
    columns: "number, at, actor, who, kind, subject, address, data",
    kinds: &[Integer, Time, Id, Text, Text, Text, Text, Document],
};

/// The command that adds a row.
pub(crate) fn note(dialect: Dialect, audit: &Audit) -> Command {
    let sql = format!(
        "INSERT INTO fw_audit (at, actor, who, kind, subject, address, data) VALUES ($1, $2, $3, $4, $5, $6, $7{})",
        dialect_cast(dialect, "json")
    );
    let params = vec![
        bind_instant(dialect, audit.at),
        audit.actor.map_or_else(|| ColumnKind::Id.null(dialect), |id| bind_id(dialect, id)),
        text(&plain(&audit.who)),
        text(&audit.kind),
        text(&plain(&audit.subject)),
        Bound::String(audit.address.clone()),
        text(&audit.data.to_string()),
    ];
    Command::new(sql, params)
}

/// What strangers typed is kept without what no store takes.
fn plain(typed: &str) -> String {
    typed.replace('\0', "")
}

/// The newest rows before a number.
pub(crate) async fn rows(
    engine: &impl Engine,
    filter: &AuditFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Audited>, Fault> {
    let dialect = engine.dialect();
    let (mut conditions, mut params) = (Vec::new(), Vec::new());
    let mut add = |condition: &str, bound: Bound| {
        params.push(bound);
        conditions.push(condition.replace('?', &format!("${}", params.len())));
    };
    if let Some(before) = before {
        add("number < ?", Bound::BigInt(Some(before)));
    }
    if !filter.text.is_empty() {
        let pattern = containing(&filter.text.to_lowercase());
        add("(lower(who) LIKE ? ESCAPE '\\' OR lower(subject) LIKE ? ESCAPE '\\')", text(&pattern));
    }
    match filter.kind.strip_suffix('.') {
        Some(_) => add("kind LIKE ? ESCAPE '\\'", text(&format!("{}%", escaped(&filter.kind)))),
        None if !filter.kind.is_empty() => add("kind = ?", text(&filter.kind)),
        None => {}
    }
    if let Some(from) = filter.from {
        add("at >= ?", bind_instant(dialect, from));
    }
    if let Some(to) = filter.to {
        add("at < ?", bind_instant(dialect, to));
    }
    let condition = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let sql = format!("SELECT {} FROM fw_audit{condition} ORDER BY number DESC LIMIT {limit}", AUDIT.columns);
    engine.rows(Select::new(sql, params, AUDIT.kinds)).await?.into_iter().map(audited).collect()
}

/// A pattern for what contains a text.
pub(crate) fn containing(part: &str) -> String {
    format!("%{}%", escaped(part))
}

fn escaped(part: &str) -> String {
    part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn audited(row: Row) -> Result<Audited, Fault> {
    let mut row = Reader::new(row);
    let number = row.integer()?;
    let audit = Audit {
        at: row.time()?,
        actor: row.maybe_id()?,
        who: row.text()?,
        kind: row.text()?,
        subject: row.text()?,
        address: row.maybe_text()?,
        data: row.document()?,
    };
    Ok(Audited { number, audit })
}
