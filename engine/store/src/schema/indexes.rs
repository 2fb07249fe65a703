//! Indexes: those asked for, those of uniques, and the default ones.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use sea_query::{PostgresQueryBuilder, Query, SqliteQueryBuilder};

use formwork_model::Pack;
use formwork_model::expr::Ir;
use formwork_model::pack::form::{FieldKind, Form, SortKey};
use formwork_model::plan::ChangeClass;

use super::{Check, PlannedStep};
use crate::Fault;
use crate::catalogue::{Catalogue, IndexEntry};
use crate::dialect::Dialect;
use crate::layout::{FormLayout, PackLayout};
use crate::lower::{Lowering, ROOT, timeless};
use crate::names::{allot, quote};

/// The statements that drop what is no longer wanted and make what is new. `checks`: records that a new unique forbids.
pub(super) fn steps(
    dialect: Dialect,
    deployed: Option<&Pack>,
    wanted: &Pack,
    layout: &PackLayout,
    catalogue: &mut Catalogue,
    checks: &mut Vec<Check>,
) -> Result<Vec<PlannedStep>, Fault> {
    let mut plan = Vec::new();
    let mut made: Vec<IndexEntry> = Vec::new();
    for form in wanted.forms().values() {
        let of_form = layout.form(&form.key)?;
        for index in of_form_indexes(dialect, wanted, layout, form)? {
            let stands = catalogue.indexes.iter().find(|entry| entry.name == index.name);
            if stands.is_none_or(|entry| entry.definition != index.definition) {
                let drop = stands.map(|_| format!("DROP INDEX IF EXISTS {}", quote(&index.name)));
                let sql = drop.into_iter().chain([index.definition.clone()]).collect();
                plan.push(PlannedStep::new(ChangeClass::Add, index.at.clone(), sql));
                checks.extend(index.twins(&of_form.table, deployed.is_some()));
            }
            made.push(IndexEntry { pack: wanted.key().to_string(), name: index.name, definition: index.definition });
        }
    }
    let left = catalogue.indexes.iter().filter(|index| index.pack == **wanted.key());
    let left = left.filter(|index| !made.iter().any(|other| other.name == index.name));
    let former = former_places(dialect, deployed, catalogue);
    let drops = left.map(|index| {
        let at = former.get(&index.name).cloned().unwrap_or_else(|| "indexes".to_owned());
        PlannedStep::new(ChangeClass::Drop, at, vec![format!("DROP INDEX IF EXISTS {}", quote(&index.name))])
    });
    let mut steps: Vec<PlannedStep> = drops.collect();
    steps.append(&mut plan);
    catalogue.indexes.retain(|index| index.pack != **wanted.key());
    catalogue.indexes.append(&mut made);
    Ok(steps)
}

/// Where the deployed pack asked for its indexes, by their names.
fn former_places(dialect: Dialect, deployed: Option<&Pack>, catalogue: &Catalogue) -> HashMap<String, String> {
    let mut places = HashMap::new();
    let Some(deployed) = deployed else { return places };
    let Ok(layout) = PackLayout::new(deployed, catalogue) else { return places };
    for form in deployed.forms().values() {
        let indexes = of_form_indexes(dialect, deployed, &layout, form).unwrap_or_default();
        places.extend(indexes.into_iter().map(|index| (index.name, index.at)));
    }
    places
}

/// An index of a form.
struct Index {
    name: String,
    /// `forms/ticket/unique/no`; `forms/ticket/indexes` for those nobody asked for.
    at: String,
    definition: String,
    /// The columns and the condition, if they must be unique.
    unique: Option<(Vec<String>, Option<String>)>,
}

impl Index {
    /// How many records hold what another one holds, too.
    fn twins(&self, table: &str, may_have_records: bool) -> Option<Check> {
        let (columns, filter) = self.unique.as_ref().filter(|_| may_have_records)?;
        let mut condition: Vec<String> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
        condition.extend(filter.iter().map(|filter| format!("({filter})")));
        let count = format!(
            "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM (SELECT count(*) AS n FROM {} WHERE {} GROUP BY {} \
             HAVING count(*) > 1) AS twins",
            quote(table),
            condition.join(" AND "),
            columns.join(", ")
        );
        let (message, hint) = ("records hold what another one holds, too", "change them first, or narrow the unique");
        Some(Check { at: self.at.clone(), count, message, hint })
    }
}

/// The name of the index of a unique: a violation names it. Three underscores keep it apart from tables.
pub(crate) fn unique_index_name(table: &str, unique: &str) -> String {
    allot(&format!("{table}___{unique}"), &mut HashSet::new())
}

/// Every index of a form.
fn of_form_indexes(dialect: Dialect, pack: &Pack, layout: &PackLayout, form: &Form) -> Result<Vec<Index>, Fault> {
    let of_form = layout.form(&form.key)?;
    let table = &of_form.table;
    let here = format!("forms/{}", form.key);
    let mut indexes = Vec::new();
    let plain = |name: String, at: String, columns: &str| {
        let definition = format!("CREATE INDEX {} ON {} ({columns})", quote(&name), quote(table));
        Index { name, at, definition, unique: None }
    };
    let unique = |name: String, at: String, columns: Vec<String>, filter: Option<String>| {
        let mut definition =
            format!("CREATE UNIQUE INDEX {} ON {} ({})", quote(&name), quote(table), columns.join(", "));
        if let Some(filter) = &filter {
            let _ = write!(definition, " WHERE {filter}");
        }
        Index { name, at, definition, unique: Some((columns, filter)) }
    };
    let unasked = format!("{here}/indexes");
    indexes.push(plain(index_name(table, "ix_created_at"), unasked.clone(), r#""created_at" DESC, "id""#));
    for (position, field) in form.fields.iter().enumerate() {
        let Some(column) = of_form.column(position) else { continue };
        match &field.kind {
            FieldKind::Link { .. } => {
                let name = index_name(table, &format!("ix_link_{}", column.name));
                indexes.push(plain(name, unasked.clone(), &quote(&column.name)));
            }
            // A number is given once, whatever goes wrong.
            FieldKind::Series { .. } => {
                let (name, at) = (series_index_name(table, &column.name), format!("{here}/fields/{}", field.key));
                indexes.push(unique(name, at, vec![quote(&column.name)], None));
            }
            _ => {}
        }
    }
    for keys in &form.indexes {
        if let Some((word, columns)) = asked_for(dialect, of_form, keys) {
            let asked = keys.iter().map(|key| format!("{}{}", if key.descending { "-" } else { "" }, key.key));
            let at = format!("{here}/indexes/{}", asked.collect::<Vec<_>>().join(","));
            indexes.push(plain(index_name(table, &format!("ix_{word}")), at, &columns));
        }
    }
    let natural = (!form.natural_key.is_empty()).then_some(("natural_key", &form.natural_key, None));
    let declared = form.uniques.iter().map(|(key, unique)| (&**key, &unique.fields, unique.filter.as_ref()));
    for (key, fields, filter) in natural.into_iter().chain(declared) {
        let columns: Option<Vec<String>> =
            fields.iter().map(|&at| of_form.column(at).map(|column| quote(&column.name))).collect();
        let Some(columns) = columns else { continue };
        let filter = filter.map(|filter| partial(dialect, pack, layout, &filter.ir)).transpose()?;
        let at = if key == "natural_key" { format!("{here}/naturalKey") } else { format!("{here}/unique/{key}") };
        indexes.push(unique(unique_index_name(table, key), at, columns, filter));
    }
    for child in &of_form.children {
        let name = index_name(&child.table, "ix_record");
        let definition = format!(r#"CREATE INDEX {} ON {} ("record", "position")"#, quote(&name), quote(&child.table));
        indexes.push(Index { name, at: unasked.clone(), definition, unique: None });
    }
    let mut seen = HashSet::new();
    indexes.retain(|index| seen.insert(index.name.clone()));
    Ok(indexes)
}

/// The name of the unique index over a series.
pub(crate) fn series_index_name(table: &str, column: &str) -> String {
    // The key of a unique never starts with an underscore.
    index_name(table, &format!("_series_{column}"))
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
