//! What the records that are there already get: defaults of fields that became required, stored computed values, and
//! what a stored look-up finds now.

use sea_query::{Expr, PostgresQueryBuilder, Query, SqliteQueryBuilder};

use formwork_model::expr::ir::{FieldPath, FieldRef, Root, Slot};
use formwork_model::expr::{Ir, TableRef, Type};
use formwork_model::pack::Setting;
use formwork_model::pack::form::{Field, FieldKind, Form};
use formwork_model::plan::{ChangeClass, former_fields, former_form, recomputed};
use formwork_model::{Key, Pack};

use super::PlannedStep;
use super::forms::Added;
use crate::Fault;
use crate::dialect::{ColumnKind, Dialect};
use crate::layout::PackLayout;
use crate::lower::{Lowering, ROOT, identifier, timeless};
use crate::names::quote;

/// One step for each column that is filled. `later`: stored values that SQL cannot say.
pub(super) fn steps(
    dialect: Dialect,
    deployed: Option<&Pack>,
    wanted: &Pack,
    layout: &PackLayout,
    added: &Added,
    later: &mut Vec<String>,
) -> Result<Vec<PlannedStep>, Fault> {
    let mut steps = Vec::new();
    for form in wanted.forms().values() {
        let Some(before) = deployed.and_then(|deployed| former_form(deployed, wanted, form)) else {
            // A new form has no records.
            continue;
        };
        let formers = former_fields(&before.fields, &form.fields);
        let of_form = layout.form(&form.key)?;
        for column in &of_form.columns {
            let field = &form.fields[column.position];
            let new = added.contains(&(form.key.to_string(), String::new(), field.key.to_string()));
            let at = format!("forms/{}/fields/{}", form.key, field.key);
            let old = formers[column.position].map(|former| &before.fields[former]);
            if let Some(ir) = fills_itself(wanted, form, field, old) {
                match lowered(dialect, wanted, layout, &ir, column.kind) {
                    Some(value) => steps.push(fill(dialect, at, &of_form.table, &column.name, value)),
                    None => later.push(at),
                }
            } else if new && field.required {
                let value = literal_default(dialect, field, column.kind);
                steps.extend(value.map(|value| fill(dialect, at, &of_form.table, &column.name, value)));
            }
        }
        for child in &of_form.children {
            let table = &form.fields[child.position];
            let old_table = formers[child.position].map(|former| &before.fields[former]);
            for column in &child.columns {
                let field = &table.kind.rows()[column.position];
                let key = (form.key.to_string(), table.key.to_string(), field.key.to_string());
                let at = format!("forms/{}/fields/{}/fields/{}", form.key, table.key, field.key);
                if let (true, Some(old_table)) = (field.is_derived(), old_table) {
                    // Computed with the record around the row, which no statement has at hand.
                    let rows = old_table.kind.rows();
                    let old = former_fields(rows, table.kind.rows())[column.position].map(|former| &rows[former]);
                    let looked_up = matches!(field.kind, FieldKind::Lookup { .. });
                    if changed(old, field) || (looked_up && old.is_none_or(|old| !old.is_stored())) {
                        later.push(at);
                    }
                } else if added.contains(&key) && field.required {
                    let value = literal_default(dialect, field, column.kind);
                    steps.extend(value.map(|value| fill(dialect, at, &child.table, &column.name, value)));
                }
            }
        }
    }
    Ok(steps)
}

/// Whether the stored computed value of every record may be another one now.
fn changed(old: Option<&Field>, field: &Field) -> bool {
    field.compute.is_some() && old.is_none_or(|old| recomputed(old, field))
}

/// What fills a column of its own accord: the formula, if it is new or another one; what a new look-up finds.
fn fills_itself(pack: &Pack, form: &Form, field: &Field, old: Option<&Field>) -> Option<Ir> {
    if changed(old, field) {
        return field.compute.as_ref().map(|compute| compute.expr.ir.clone());
    }
    let FieldKind::Lookup { via, field: key, ty, .. } = &field.kind else { return None };
    if old.is_some_and(Field::is_stored) {
        return None;
    }
    let link = &form.fields[*via];
    let Type::Link(to) = link.ty() else { return None };
    let (position, _) = pack.form(to).field(key)?;
    let reference = |form: &Key, key: &Key, position| FieldRef {
        table: TableRef::form(form),
        key: key.clone(),
        slot: Slot::Field(position),
    };
    Some(Ir::Field(FieldPath {
        root: Root::Frame(0),
        hops: vec![reference(&form.key, &link.key, *via)],
        field: reference(to, key, position),
        ty: ty.clone(),
    }))
}

/// The value in SQL, if it has an exact counterpart that holds on any day and for anybody.
fn lowered(dialect: Dialect, pack: &Pack, layout: &PackLayout, ir: &Ir, kind: ColumnKind) -> Option<Expr> {
    Lowering::new(dialect, pack, layout).value(&timeless(pack, ir)?, kind).ok()
}

fn literal_default(dialect: Dialect, field: &Field, kind: ColumnKind) -> Option<Expr> {
    match field.default.as_ref()? {
        Setting::Literal(value) if !value.is_null() => kind.bind(dialect, value).ok().map(Expr::val),
        _ => None,
    }
}

fn fill(dialect: Dialect, at: String, table: &str, column: &str, value: Expr) -> PlannedStep {
    // The alias is what the value's columns are written with.
    let select = Query::select().expr(value).from_as(identifier(table), identifier(ROOT)).to_owned();
    let text = match dialect {
        Dialect::Sqlite => select.to_string(SqliteQueryBuilder),
        Dialect::Postgres => select.to_string(PostgresQueryBuilder),
    };
    let from = format!(" FROM {} AS {}", quote(table), quote(ROOT));
    let value = text.strip_prefix("SELECT ").unwrap_or(&text);
    let value = value.strip_suffix(&from).unwrap_or(value);
    let sql = format!("UPDATE {} AS {} SET {} = {value}", quote(table), quote(ROOT), quote(column));
    PlannedStep::new(ChangeClass::Backfill, at, vec![sql]).of_all(table)
}
