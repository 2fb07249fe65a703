//! What the records that are there already get: defaults of fields that became required, and stored computed values.

use sea_query::{Expr, PostgresQueryBuilder, Query, SqliteQueryBuilder};

use formwork_model::Pack;
use formwork_model::pack::Setting;
use formwork_model::pack::form::{Field, Form};

use super::PlannedStep;
use super::forms::Added;
use crate::Fault;
use crate::dialect::{ColumnKind, Dialect};
use crate::layout::PackLayout;
use crate::lower::{Lowering, ROOT, identifier, timeless};
use crate::names::quote;

/// One step for each column that is filled.
pub(super) fn steps(
    dialect: Dialect,
    deployed: Option<&Pack>,
    wanted: &Pack,
    layout: &PackLayout,
    added: &Added,
) -> Result<Vec<PlannedStep>, Fault> {
    let mut steps = Vec::new();
    for form in wanted.forms().values() {
        let former = |pack: &'_ Pack| form.was.iter().any(|was| pack.forms().contains_key(was));
        let before = deployed.and_then(|pack| pack.forms().get(&form.key));
        if before.is_none() && !deployed.is_some_and(former) {
            // A new form has no records.
            continue;
        }
        let of_form = layout.form(&form.key)?;
        for column in &of_form.columns {
            let field = &form.fields[column.position];
            let new = added.contains(&(form.key.to_string(), String::new(), field.key.to_string()));
            let at = format!("forms/{}/fields/{}", form.key, field.key);
            let value = if changed_compute(field, before, new) {
                computed(dialect, wanted, layout, field, column.kind)
            } else if new && field.required {
                literal_default(dialect, field, column.kind)
            } else {
                None
            };
            steps.extend(value.map(|value| fill(dialect, at, &of_form.table, &column.name, value)));
        }
        for child in &of_form.children {
            let table = &form.fields[child.position];
            for column in &child.columns {
                let field = &table.kind.rows()[column.position];
                let key = (form.key.to_string(), table.key.to_string(), field.key.to_string());
                if !(added.contains(&key) && field.required) {
                    continue;
                }
                let at = format!("forms/{}/fields/{}/fields/{}", form.key, table.key, field.key);
                let value = literal_default(dialect, field, column.kind);
                steps.extend(value.map(|value| fill(dialect, at, &child.table, &column.name, value)));
            }
        }
    }
    Ok(steps)
}

/// Whether the stored computed value of every record may be another one now. A form that is new has no records.
fn changed_compute(field: &Field, before: Option<&std::sync::Arc<Form>>, new: bool) -> bool {
    let Some(compute) = &field.compute else { return false };
    let Some((_, old)) = before.and_then(|form| form.field(&field.key)) else { return before.is_some() && new };
    old.compute.as_ref().is_none_or(|old| old.expr.source != compute.expr.source || !old.stored)
}

/// The computed value in SQL; what does not lower is computed when the record is saved next.
fn computed(dialect: Dialect, pack: &Pack, layout: &PackLayout, field: &Field, kind: ColumnKind) -> Option<Expr> {
    let compute = field.compute.as_ref()?;
    let timeless = timeless(pack, &compute.expr.ir)?;
    Lowering::new(dialect, pack, layout).value(&timeless, kind).ok()
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
    PlannedStep { at, sql: vec![sql], count: Some(format!("SELECT count(*) FROM {}", quote(table))) }
}
