//! Timers, messages and schedules: the statements, the same on both engines.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_core::change::OutboxMessage;
use formwork_model::Key;

use crate::codec::{self, MESSAGE, Reader};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::people::text;
use crate::statement::{Select, equals_each};
use crate::{ClaimedMessage, Delivery, DueTimer, Fault, Waiting, WaitsFor};

pub(crate) async fn due_timers(
    engine: &impl Engine,
    at: DateTime<Utc>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: u32,
) -> Result<Vec<DueTimer>, Fault> {
    let dialect = engine.dialect();
    let mut params = vec![bind_instant(dialect, at)];
    let mut behind = "";
    if let Some((due_at, id)) = after {
        params.extend([bind_instant(dialect, due_at), bind_id(dialect, id)]);
        behind = " AND (due_at, id) > ($2, $3)";
    }
    let sql =
        format!("SELECT id, pack, due_at FROM fw_timer WHERE due_at <= $1{behind} ORDER BY due_at, id LIMIT {limit}");
    let kinds = [ColumnKind::Id, ColumnKind::Text, ColumnKind::DateTime];
    let rows = engine.rows(Select::new(sql, params, kinds)).await?;
    let timer = |row| {
        let mut row = Reader::new(row);
        Ok(DueTimer { id: row.id()?, pack: row.key()?, due_at: row.time()? })
    };
    rows.into_iter().map(timer).collect()
}

pub(crate) async fn waiting_on(engine: &impl Engine, records: &[Uuid]) -> Result<Vec<Waiting>, Fault> {
    let equals = equals_each(engine.dialect(), 1);
    let sql = format!("SELECT id, record, step FROM fw_task WHERE status = 'open' AND record {equals} ORDER BY id");
    let kinds = [ColumnKind::Id, ColumnKind::Id, ColumnKind::Text];
    let tasks = engine.rows(Select::new(sql, Vec::new(), kinds).each(records.to_vec())).await?;
    let sql = format!(
        "SELECT t.id, i.record, t.due_at FROM fw_instance i JOIN fw_timer t ON t.instance = i.id \
         WHERE i.record {equals} ORDER BY t.due_at, t.id"
    );
    let kinds = [ColumnKind::Id, ColumnKind::Id, ColumnKind::DateTime];
    let timers = engine.rows(Select::new(sql, Vec::new(), kinds).each(records.to_vec())).await?;
    let task = |row| {
        let mut row = Reader::new(row);
        Ok(Waiting { id: row.id()?, record: row.id()?, what: WaitsFor::Task(row.key()?) })
    };
    let timer = |row| {
        let mut row = Reader::new(row);
        Ok(Waiting { id: row.id()?, record: row.id()?, what: WaitsFor::Timer(row.time()?) })
    };
    tasks.into_iter().map(task).chain(timers.into_iter().map(timer)).collect()
}

pub(crate) async fn demo_begun(engine: &impl Engine, pack: &str) -> Result<Option<DateTime<Utc>>, Fault> {
    let sql = "SELECT value FROM fw_meta WHERE name = $1".to_owned();
    let select = Select::new(sql, vec![demo_of(pack)], [ColumnKind::Integer]);
    let value = engine.rows(select).await?.into_iter().next().map(|row| Reader::new(row).integer()).transpose()?;
    Ok(value.and_then(DateTime::from_timestamp_millis))
}

pub(crate) async fn set_demo_begun(engine: &impl Engine, pack: &str, day: Option<DateTime<Utc>>) -> Result<(), Fault> {
    let mut commands = vec![Command::new("DELETE FROM fw_meta WHERE name = $1", vec![demo_of(pack)])];
    commands.extend(day.map(|day| {
        let params = vec![demo_of(pack), Bound::BigInt(Some(day.timestamp_millis()))];
        Command::new("INSERT INTO fw_meta (name, value) VALUES ($1, $2)", params)
    }));
    engine.change(commands).await.map(drop)
}

fn demo_of(pack: &str) -> Bound {
    Bound::String(Some(format!("demo {pack}")))
}

pub(crate) async fn next_due(engine: &impl Engine, at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Fault> {
    let sql = "SELECT min(due_at) FROM (SELECT min(due_at) AS due_at FROM fw_timer WHERE due_at > $1 UNION ALL \
               SELECT min(next_at) FROM fw_outbox WHERE state IN ('pending', 'leased') AND next_at > $1) AS due";
    let params = vec![bind_instant(engine.dialect(), at)];
    let rows = engine.rows(Select::new(sql.to_owned(), params, [ColumnKind::DateTime])).await?;
    rows.into_iter().next().map_or(Ok(None), |row| Reader::new(row).maybe_time())
}

pub(crate) async fn due_channels(engine: &impl Engine, at: DateTime<Utc>) -> Result<Vec<Key>, Fault> {
    let sql = "SELECT DISTINCT channel FROM fw_outbox WHERE state IN ('pending', 'leased') AND next_at <= $1 \
               ORDER BY channel";
    let params = vec![bind_instant(engine.dialect(), at)];
    let rows = engine.rows(Select::new(sql.to_owned(), params, [ColumnKind::Text])).await?;
    rows.into_iter().map(|row| Reader::new(row).key()).collect()
}

/// A leased message is due again when its lease ends: so `next_at` is the one thing to look at.
pub(crate) async fn claim_messages(
    engine: &impl Engine,
    channel: &str,
    at: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ClaimedMessage>, Fault> {
    let dialect = engine.dialect();
    let lock = if dialect == Dialect::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE fw_outbox SET state = 'leased', epoch = epoch + 1, attempts = attempts + 1, next_at = $1 \
         WHERE message_key IN (SELECT message_key FROM fw_outbox WHERE state IN ('pending', 'leased') \
         AND channel = $2 AND next_at <= $3 ORDER BY next_at, message_key LIMIT {limit}{lock}) RETURNING {}",
        MESSAGE.columns
    );
    let params = vec![bind_instant(dialect, lease_until), text(channel), bind_instant(dialect, at)];
    let rows = engine.change_rows(Select::new(sql, params, MESSAGE.kinds)).await?;
    let claimed = rows.into_iter().map(|row| {
        let (message, _, attempts, epoch, _) = codec::message(row)?;
        Ok(ClaimedMessage { key: message.key.clone(), epoch, attempts: attempts - 1, message })
    });
    let mut claimed = claimed.collect::<Result<Vec<_>, Fault>>()?;
    claimed.sort_by(|one, other| (one.message.created_at, &one.key).cmp(&(other.message.created_at, &other.key)));
    Ok(claimed)
}

pub(crate) async fn settle_message(
    engine: &impl Engine,
    key: &str,
    epoch: i64,
    delivery: &Delivery,
    at: DateTime<Utc>,
) -> Result<bool, Fault> {
    let dialect = engine.dialect();
    let (set, mut params) = match delivery {
        Delivery::Sent => ("state = 'sent', reason = NULL, settled_at = $1", vec![bind_instant(dialect, at)]),
        Delivery::Retry { at, reason } => {
            ("state = 'pending', next_at = $1, reason = $2", vec![bind_instant(dialect, *at), text(reason)])
        }
        Delivery::Failed { reason } => {
            ("state = 'failed', settled_at = $1, reason = $2", vec![bind_instant(dialect, at), text(reason)])
        }
    };
    let next = params.len() + 1;
    params.extend([text(key), Bound::BigInt(Some(epoch))]);
    let sql = format!(
        "UPDATE fw_outbox SET {set} WHERE message_key = ${next} AND epoch = ${} AND state = 'leased'",
        next + 1
    );
    Ok(engine.change(vec![Command::new(sql, params)]).await? == [1])
}

pub(crate) async fn messages(
    engine: &impl Engine,
    limit: u32,
) -> Result<Vec<(OutboxMessage, String, i32, Option<String>)>, Fault> {
    let sql =
        format!("SELECT {} FROM fw_outbox ORDER BY created_at DESC, message_key DESC LIMIT {limit}", MESSAGE.columns);
    let rows = engine.rows(Select::new(sql, Vec::new(), MESSAGE.kinds)).await?;
    let message =
        |row| codec::message(row).map(|(message, state, attempts, _, reason)| (message, state, attempts, reason));
    rows.into_iter().map(message).collect()
}

pub(crate) async fn move_schedule(
    engine: &impl Engine,
    pack: &str,
    workflow: &str,
    start: &str,
    from: Option<DateTime<Utc>>,
    to: DateTime<Utc>,
) -> Result<bool, Fault> {
    let dialect = engine.dialect();
    let command = match from {
        None => {
            let sql = "INSERT INTO fw_schedule (pack, workflow, start, ran_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT DO NOTHING";
            Command::new(sql, vec![text(pack), text(workflow), text(start), bind_instant(dialect, to)])
        }
        Some(from) => {
            let sql = "UPDATE fw_schedule SET ran_at = $1 \
                       WHERE pack = $2 AND workflow = $3 AND start = $4 AND ran_at = $5";
            let keys = [text(pack), text(workflow), text(start)];
            let mut params = vec![bind_instant(dialect, to)];
            params.extend(keys);
            params.push(bind_instant(dialect, from));
            Command::new(sql, params)
        }
    };
    Ok(engine.change(vec![command]).await? == [1])
}

pub(crate) async fn schedule(
    engine: &impl Engine,
    pack: &str,
    workflow: &str,
    start: &str,
) -> Result<Option<DateTime<Utc>>, Fault> {
    let sql = "SELECT ran_at FROM fw_schedule WHERE pack = $1 AND workflow = $2 AND start = $3".to_owned();
    let select = Select::new(sql, vec![text(pack), text(workflow), text(start)], [ColumnKind::DateTime]);
    engine.rows(select).await?.into_iter().next().map(|row| Reader::new(row).time()).transpose()
}
