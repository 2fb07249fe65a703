//! Instances that stand still, for administrators.

use formwork_model::Key;
use uuid::Uuid;

use crate::codec::Reader;
use crate::dialect::{ColumnKind, bind_id};
use crate::engine::Engine;
use crate::statement::Select;
use crate::{Fault, StoppedInstance};

use ColumnKind::{DateTime as Time, Id, Text};

/// Instances that stand still with their newest incident, the newest first.
pub(crate) async fn stopped(engine: &impl Engine, limit: u32) -> Result<Vec<StoppedInstance>, Fault> {
    let sql = format!(
        "SELECT i.id, i.pack, i.workflow, i.form, i.record, n.step, n.code, n.message, n.at \
         FROM fw_instance i JOIN fw_incident n ON n.instance = i.id \
         WHERE i.status = 'failed' AND n.number = (SELECT max(m.number) FROM fw_incident m WHERE m.instance = i.id) \
         ORDER BY n.number DESC LIMIT {limit}"
    );
    let rows = engine.rows(Select::new(sql, Vec::new(), [Id, Text, Text, Text, Id, Text, Text, Text, Time])).await?;
    let stopped = |row| {
        let mut row = Reader::new(row);
        Ok(StoppedInstance {
            instance: row.id()?,
            pack: row.key()?,
            workflow: row.key()?,
            record: row.record()?,
            step: row.key()?,
            code: row.text()?,
            message: row.text()?,
            at: row.time()?,
        })
    };
    rows.into_iter().map(stopped).collect()
}

/// The pack an instance is of; none where there is no such instance.
pub(crate) async fn pack_of(engine: &impl Engine, id: Uuid) -> Result<Option<Key>, Fault> {
    let sql = "SELECT pack FROM fw_instance WHERE id = $1".to_owned();
    let rows = engine.rows(Select::new(sql, vec![bind_id(engine.dialect(), id)], [Text])).await?;
    rows.into_iter().next().map(|row| Reader::new(row).key()).transpose()
}
