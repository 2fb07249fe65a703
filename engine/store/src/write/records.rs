//! Records and their child rows.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use formwork_core::Record;
use formwork_core::change::RecordChange;
use formwork_model::Value;
use formwork_model::value::Row;

use super::{Batches, unfit};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, bind_instant};
use crate::layout::{ChildLayout, Column, FormLayout, PackLayout};
use crate::statement::Action;
use crate::{Failure, Fault};

pub(super) fn write(batches: &mut Batches, layout: &PackLayout, changes: &[RecordChange]) -> Result<(), Failure> {
    for change in changes {
        let form = layout.form(&change.form)?;
        for child in &form.children {
            remove_rows(batches, child, change);
        }
    }
    batches.barrier();
    for change in created_in_order(changes) {
        if let Some(after) = &change.after {
            insert(batches, layout.form(&change.form)?, after)?;
        }
        // Each record may link to the one before it: SQLite checks foreign keys row by row.
        if batches.dialect == Dialect::Sqlite {
            batches.barrier();
        }
    }
    batches.barrier();
    for change in changes {
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            update(batches, layout.form(&change.form)?, before, after)?;
        }
    }
    batches.barrier();
    for change in changes {
        let form = layout.form(&change.form)?;
        for child in &form.children {
            write_rows(batches, child, change)?;
        }
    }
    batches.barrier();
    for change in changes.iter().filter(|change| change.after.is_none()) {
        let form = layout.form(&change.form)?;
        let row = vec![bind_id(batches.dialect, change.id())];
        batches.add(Action::Delete, &form.table, 1, &[("id", ColumnKind::Id)], row);
    }
    batches.barrier();
    Ok(())
}

/// New records, each after the new ones it links to (in the given order where links go round).
fn created_in_order(changes: &[RecordChange]) -> Vec<&RecordChange> {
    let mut waiting: Vec<&RecordChange> = changes.iter().filter(|change| change.before.is_none()).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let missing: HashSet<Uuid> = waiting.iter().map(|change| change.id()).collect();
        let links_ahead = |change: &RecordChange| {
            let values = change.after.iter().flat_map(|record| &record.values);
            values.filter_map(Value::as_id).any(|id| id != change.id() && missing.contains(&id))
        };
        let (blocked, free): (Vec<_>, Vec<_>) = waiting.iter().partition(|change| links_ahead(change));
        if free.is_empty() {
            ordered.extend(blocked);
            break;
        }
        ordered.extend(free);
        waiting = blocked;
    }
    ordered
}

fn insert(batches: &mut Batches, form: &FormLayout, after: &Record) -> Result<(), Failure> {
    let dialect = batches.dialect;
    let mut columns = vec![("id", ColumnKind::Id), ("version", ColumnKind::Integer)];
    let mut row = vec![bind_id(dialect, after.id), Bound::BigInt(Some(after.version))];
    columns.extend([("created_at", ColumnKind::DateTime), ("created_by", ColumnKind::Id)]);
    row.extend([bind_instant(dialect, after.created_at), maybe_id(dialect, after.created_by)]);
    columns.extend([("updated_at", ColumnKind::DateTime), ("updated_by", ColumnKind::Id)]);
    row.extend([bind_instant(dialect, after.updated_at), maybe_id(dialect, after.updated_by)]);
    for column in &form.columns {
        columns.push((&column.name, column.kind));
        row.push(bind(dialect, column, &after.values)?);
    }
    batches.add(Action::Insert, &form.table, 1, &columns, row);
    Ok(())
}

/// Only what changed: an index is not touched for the sake of a column that stays.
fn update(batches: &mut Batches, form: &FormLayout, before: &Record, after: &Record) -> Result<(), Failure> {
    let dialect = batches.dialect;
    let mut columns = vec![("id", ColumnKind::Id), ("version", ColumnKind::Integer)];
    let mut row = vec![bind_id(dialect, after.id), Bound::BigInt(Some(after.version))];
    columns.extend([("updated_at", ColumnKind::DateTime), ("updated_by", ColumnKind::Id)]);
    row.extend([bind_instant(dialect, after.updated_at), maybe_id(dialect, after.updated_by)]);
    for column in &form.columns {
        if before.values.get(column.position) != after.values.get(column.position) {
            columns.push((&column.name, column.kind));
            row.push(bind(dialect, column, &after.values)?);
        }
    }
    batches.add(Action::Update, &form.table, 1, &columns, row);
    Ok(())
}

fn remove_rows(batches: &mut Batches, child: &ChildLayout, change: &RecordChange) {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return };
    let kept: HashSet<Uuid> = rows(after, child).iter().map(|row| row.id).collect();
    for row in rows(before, child).iter().filter(|row| !kept.contains(&row.id)) {
        let row = vec![bind_id(batches.dialect, row.id)];
        batches.add(Action::Delete, &child.table, 1, &[("id", ColumnKind::Id)], row);
    }
}

fn write_rows(batches: &mut Batches, child: &ChildLayout, change: &RecordChange) -> Result<(), Failure> {
    let Some(after) = &change.after else { return Ok(()) };
    let before: HashMap<Uuid, (usize, &Row)> = match &change.before {
        Some(before) => rows(before, child).iter().enumerate().map(|(place, row)| (row.id, (place, row))).collect(),
        None => HashMap::new(),
    };
    let dialect = batches.dialect;
    for (place, row) in rows(after, child).iter().enumerate() {
        let known = before.get(&row.id);
        if known.is_some_and(|(old_place, old)| *old_place == place && old.values == row.values) {
            continue;
        }
        let position = i64::try_from(place).map_err(|error| Fault::of("numbering child rows", error))?;
        let mut columns = vec![("id", ColumnKind::Id), ("record", ColumnKind::Id), ("position", ColumnKind::Integer)];
        let mut bound = vec![bind_id(dialect, row.id), bind_id(dialect, after.id), Bound::BigInt(Some(position))];
        for column in &child.columns {
            columns.push((&column.name, column.kind));
            bound.push(bind(dialect, column, &row.values)?);
        }
        let action = if known.is_some() { Action::Update } else { Action::Insert };
        batches.add(action, &child.table, 1, &columns, bound);
    }
    Ok(())
}

fn rows<'a>(record: &'a Record, child: &ChildLayout) -> &'a [Row] {
    record.values.get(child.position).map(Value::rows).unwrap_or_default()
}

fn bind(dialect: Dialect, column: &Column, values: &[Value]) -> Result<Bound, Failure> {
    let value = values.get(column.position).unwrap_or(&Value::Null);
    column.kind.bind(dialect, value).map_err(|reason| unfit(&column.name, reason))
}

fn maybe_id(dialect: Dialect, id: Option<Uuid>) -> Bound {
    id.map_or_else(|| ColumnKind::Id.null(dialect), |id| bind_id(dialect, id))
}
