//! Running clocks whose calendar has another version now: the statements, the same on both engines.

use uuid::Uuid;

use formwork_core::clock::Clock;
use formwork_model::Key;

use crate::Fault;
use crate::codec::{self, CLOCK, Reader};
use crate::dialect::{ColumnKind, bind_id};
use crate::engine::{Command, Engine};
use crate::people::text;
use crate::statement::{Select, equals_each};

/// What still counts by another version of the calendars: of which calendar, and which version.
const OPEN: &str = "stopped_at IS NULL AND calendar IS NOT NULL";

/// The clocks of a form, of these records or of all.
pub(crate) async fn all(
    engine: &impl Engine,
    pack: &str,
    form: &str,
    records: Option<&[Uuid]>,
) -> Result<Vec<Clock>, Fault> {
    let sql = format!("SELECT {} FROM fw_clock WHERE pack = $1 AND form = $2", CLOCK.columns);
    let params = vec![text(pack), text(form)];
    let select = match records {
        None => Select::new(sql, params, CLOCK.kinds),
        Some(records) => {
            let sql = format!("{sql} AND record {}", equals_each(engine.dialect(), 3));
            Select::new(sql, params, CLOCK.kinds).each(records.to_vec())
        }
    };
    engine.rows(select).await?.into_iter().map(codec::clock).collect()
}

pub(crate) async fn calendars_counted(engine: &impl Engine, pack: &str) -> Result<Vec<(Key, String)>, Fault> {
    let sql = format!("SELECT DISTINCT calendar, calendar_version FROM fw_clock WHERE {OPEN} AND pack = $1");
    let rows = engine.rows(Select::new(sql, vec![text(pack)], [ColumnKind::Text, ColumnKind::Text])).await?;
    let counted = |row| {
        let mut row = Reader::new(row);
        Ok((row.key()?, row.text()?))
    };
    rows.into_iter().map(counted).collect()
}

pub(crate) async fn move_calendar(
    engine: &impl Engine,
    pack: &str,
    calendar: &str,
    from: &str,
    to: &str,
) -> Result<(), Fault> {
    let sql = format!(
        "UPDATE fw_clock SET calendar_version = $1 WHERE {OPEN} AND pack = $2 AND calendar = $3 AND calendar_version = $4"
    );
    engine.change(vec![Command::new(sql, vec![text(to), text(pack), text(calendar), text(from)])]).await?;
    Ok(())
}

pub(crate) async fn clocks_counted_by(
    engine: &impl Engine,
    pack: &str,
    calendar: &str,
    version: &str,
    after: Uuid,
    limit: u32,
) -> Result<Vec<(Uuid, Key, Uuid)>, Fault> {
    let sql = format!(
        "SELECT id, form, record FROM fw_clock WHERE {OPEN} AND pack = $1 AND calendar = $2 AND calendar_version = $3 \
         AND id > $4 ORDER BY id LIMIT {limit}"
    );
    let params = vec![text(pack), text(calendar), text(version), bind_id(engine.dialect(), after)];
    let rows = engine.rows(Select::new(sql, params, [ColumnKind::Id, ColumnKind::Text, ColumnKind::Id])).await?;
    let found = |row| {
        let mut row = Reader::new(row);
        Ok((row.id()?, row.key()?, row.id()?))
    };
    rows.into_iter().map(found).collect()
}
