//! What look-ups found still holds: asked again behind locks under which no record can join or leave it.
//!
//! A look-up reads by a condition, and a lock on the rows it found keeps no new row away. So before anything is written
//! the tables it read are locked until the commit, and the same question is asked again: where the answer is another one,
//! the stimulus is played again.
//!
//! | table | mode | keeps away |
//! |---|---|---|
//! | looked into only | `SHARE` | writers; others that look into it go on |
//! | looked into and written | `SHARE ROW EXCLUSIVE` | writers, and others that look into it and write |
//! | written only | `ROW EXCLUSIVE`, which writing takes anyway | nobody; taken here so that all are taken in one order |
//!
//! Writers take no further lock for this: every `INSERT`, `UPDATE` and `DELETE` conflicts with `SHARE`. The locks are held
//! for the one statement that writes.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use formwork_core::Facts;
use formwork_core::change::ChangeSet;
use formwork_core::eval::Find;
use formwork_core::facts::Need;
use formwork_model::{Key, Value};

use super::run::{self, Counter};
use super::submit::Broke;
use crate::load::{Context, found, loads};
use crate::names::quote;
use crate::statement::Row;

/// Locks what was looked into, and says whether every look-up still finds the same records in the same versions.
pub(super) async fn still_found(
    connection: &mut PgConnection,
    counter: &Counter,
    context: &Context,
    facts: &Facts,
    changes: &ChangeSet,
) -> Result<bool, Broke> {
    if facts.found.is_empty() {
        return Ok(true);
    }
    let locks = locks(context, facts, changes)?;
    counter.count();
    sqlx::raw_sql(AssertSqlSafe(locks)).execute(&mut *connection).await?;
    for (find, ids) in &facts.found {
        let rows = run::select(connection, counter, &found::versions(context, find)?).await?;
        if !is_same(facts, find, ids.as_deref(), &rows) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether every record that was found by a key and then locked still holds the key: what finds it takes no lock.
pub(super) async fn still_held(
    connection: &mut PgConnection,
    counter: &Counter,
    context: &Context,
    facts: &Facts,
) -> Result<bool, Broke> {
    for (need, found) in &facts.uniques {
        let (Need::Unique { form, fields, values, .. }, Some(id)) = (need, found) else { continue };
        let Some(Some(record)) = facts.records.get(&(form.clone(), *id)) else { continue };
        if fields.iter().zip(values).all(|(field, value)| record.values[*field] == *value) {
            continue;
        }
        // Perhaps the same in another spelling: the database knows.
        let mut again = Facts::default();
        let (loads, _) = loads(context, std::slice::from_ref(need))?;
        for mut load in loads {
            run::load(connection, counter, &mut load).await?;
            load.finish(&mut again)?;
        }
        if again.unique(need) != Some(*found) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The statements that lock, in the order of the tables' names.
fn locks(context: &Context, facts: &Facts, changes: &ChangeSet) -> Result<String, Broke> {
    /// Whether it is looked into, and whether it is written.
    type Use = (bool, bool);
    let mut tables: BTreeMap<&str, Use> = BTreeMap::new();
    let looked: Vec<Key> = facts.found.iter().flat_map(|(find, _)| found::forms(find)).collect();
    for form in &looked {
        tables.entry(&context.layout.form(form)?.table).or_default().0 = true;
    }
    for change in &changes.records {
        tables.entry(&context.layout.form(&change.form)?.table).or_default().1 = true;
    }
    let lock = |(table, (looked, written)): (&str, Use)| {
        let mode = match (looked, written) {
            (true, true) => "SHARE ROW EXCLUSIVE",
            (true, false) => "SHARE",
            (false, _) => "ROW EXCLUSIVE",
        };
        format!("LOCK TABLE {} IN {mode} MODE", quote(table))
    };
    Ok(tables.into_iter().map(lock).collect::<Vec<_>>().join("; "))
}

/// Whether the rows, of id and version, are what was found.
fn is_same(facts: &Facts, find: &Find, ids: Option<&[Uuid]>, rows: &[Row]) -> bool {
    let Some(ids) = ids else { return rows.len() > find.most as usize };
    let version = |id: &Uuid| {
        let record = facts.records.get(&(find.form.clone(), *id));
        record.and_then(|record| record.as_ref()).map(|record| record.version)
    };
    rows.len() == ids.len()
        && rows.iter().zip(ids).all(|(row, id)| {
            row.first() == Some(&Value::Id(*id)) && row.get(1) == version(id).map(Value::Integer).as_ref()
        })
}
