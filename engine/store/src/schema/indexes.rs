//! Indexes: those asked for, those of uniques, and the default ones.

use std::collections::HashSet;
use std::fmt::Write as _;

use sea_query::{PostgresQueryBuilder, Query, SqliteQueryBuilder};

use formwork_model::Pack;
use formwork_model::expr::Ir;
use formwork_model::pack::form::{FieldKind, Form, SortKey};

use super::PlannedStep;
use crate::Fault;
use crate::catalogue::{Catalogue, IndexEntry};
use crate::dialect::Dialect;
use crate::layout::{FormLayout, PackLayout};
use crate::lower::{Lowering, ROOT, timeless};
use crate::names::{allot, quote};

/// The statements that drop what is no longer wanted and make what is new.
pub(super) fn steps(
    dialect: Dialect,
    wanted: &Pack,
    layout: &PackLayout,
    catalogue: &mut Catalogue,
) -> Result<Vec<PlannedStep>, Fault> {
    let mut plan = Vec::new();
    let mut made: Vec<IndexEntry> = Vec::new();
    for form in wanted.forms().values() {
        let definitions = of_form(dialect, wanted, layout, form)?;
        let mut step = PlannedStep::new(format!("forms/{}/indexes", form.key), Vec::new());
        for (name, definition) in definitions {
            if !catalogue.indexes.iter().any(|index| index.name == name && index.definition == definition) {
                step.sql.push(format!("DROP INDEX IF EXISTS {}", quote(&name)));
                step.sql.push(definition.clone());
            }
            made.push(IndexEntry { pack: wanted.key().to_string(), name, definition });
        }
        if !step.sql.is_empty() {
            plan.push(step);
        }
    }
    let left = catalogue.indexes.iter().filter(|index| index.pack == **wanted.key());
    let left = left.filter(|index| !made.iter().any(|other| other.name == index.name));
    let drops: Vec<String> = left.map(|index| format!("DROP INDEX IF EXISTS {}", quote(&index.name))).collect();
    if !drops.is_empty() {
        plan.insert(0, PlannedStep::new("indexes".to_owned(), drops));
    }
    catalogue.indexes.retain(|index| index.pack != **wanted.key());
    catalogue.indexes.append(&mut made);
    Ok(plan)
}

/// The name of the index of a unique: a violation names it. Three underscores keep it apart from tables.
pub(crate) fn unique_index_name(table: &str, unique: &str) -> String {
    allot(&format!("{table}___{unique}"), &mut HashSet::new())
}

/// (name, statement) of every index of a form.
fn of_form(dialect: Dialect, pack: &Pack, layout: &PackLayout, form: &Form) -> Result<Vec<(String, String)>, Fault> {
    let of_form = layout.form(&form.key)?;
    let table = &of_form.table;
    let mut indexes = Vec::new();
    let mut add = |name: String, unique: bool, columns: String, filter: Option<String>| {
        let unique = if unique { "UNIQUE " } else { "" };
        let mut sql = format!("CREATE {unique}INDEX {} ON {} ({columns})", quote(&name), quote(table));
        if let Some(filter) = filter {
            let _ = write!(sql, " WHERE {filter}");
        }
        indexes.push((name, sql));
    };
    add(index_name(table, "ix_created_at"), false, r#""created_at" DESC, "id""#.to_owned(), None);
    for (position, field) in form.fields.iter().enumerate() {
        if let (FieldKind::Link { .. }, Some(column)) = (&field.kind, of_form.column(position)) {
            add(index_name(table, &format!("ix_link_{}", column.name)), false, quote(&column.name), None);
        }
    }
    for keys in &form.indexes {
        if let Some((word, columns)) = asked_for(dialect, of_form, keys) {
            add(index_name(table, &format!("ix_{word}")), false, columns, None);
        }
    }
    let natural = (!form.natural_key.is_empty()).then_some(("natural_key", &form.natural_key, None));
    let declared = form.uniques.iter().map(|(key, unique)| (&**key, &unique.fields, unique.filter.as_ref()));
    for (key, fields, filter) in natural.into_iter().chain(declared) {
        let columns: Option<Vec<String>> =
            fields.iter().map(|&at| of_form.column(at).map(|column| quote(&column.name))).collect();
        let Some(columns) = columns else { continue };
        let filter = filter.map(|filter| partial(dialect, pack, layout, &filter.ir)).transpose()?;
        add(unique_index_name(table, key), true, columns.join(", "), filter);
    }
    for child in &of_form.children {
        let name = index_name(&child.table, "ix_record");
        let sql = format!(r#"CREATE INDEX {} ON {} ("record", "position")"#, quote(&name), quote(&child.table));
        indexes.push((name, sql));
    }
    let mut seen = HashSet::new();
    indexes.retain(|(name, _)| seen.insert(name.clone()));
    Ok(indexes)
}

fn asked_for(dialect: Dialect, layout: &FormLayout, keys: &[SortKey]) -> Option<(String, String)> {
    let (mut word, mut columns) = (Vec::new(), Vec::new());
    for key in keys {
        let name = crate::load::page::column_of(layout, key.slot)?;
        let order = match (key.descending, dialect) {
            (false, _) => "",
            (true, Dialect::Sqlite) => " DESC",
            (true, Dialect::Postgres) => " DESC NULLS LAST",
        };
        word.push(if key.descending { format!("{name}_desc") } else { name.to_owned() });
        columns.push(format!("{}{order}", quote(name)));
    }
    Some((word.join("_"), columns.join(", ")))
}

/// The filter of a partial index, with its constants written out. The checker has seen that it reads nothing but the row.
fn partial(dialect: Dialect, pack: &Pack, layout: &PackLayout, filter: &Ir) -> Result<String, Fault> {
    let timeless =
        timeless(pack, filter).ok_or_else(|| Fault::new("a unique whose condition reads more than the row"))?;
    let condition = Lowering::new(dialect, pack, layout).condition(&timeless);
    let condition = condition.map_err(|unsupported| Fault::of("lowering the condition of a unique", unsupported))?;
    let select = Query::select().expr(condition).to_owned();
    let text = match dialect {
        Dialect::Sqlite => select.to_string(SqliteQueryBuilder),
        Dialect::Postgres => select.to_string(PostgresQueryBuilder),
    };
    // In an index the columns stand alone.
    let text = text.replace(&format!("{}.", quote(ROOT)), "");
    Ok(text.strip_prefix("SELECT ").unwrap_or(&text).to_owned())
}

fn index_name(table: &str, rest: &str) -> String {
    allot(&format!("{table}___{rest}"), &mut HashSet::new())
}
