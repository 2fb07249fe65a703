//! Stored values in another type: only what loses nothing. The plan blocks the rest
//! ([`formwork_model::plan::convertible`]); a test holds the two together.

use formwork_model::Pack;
use formwork_model::expr::Type;

use super::pairs::pairs;
use super::{Check, literal};
use crate::catalogue::Catalogue;
use crate::dialect::{ColumnKind, DECIMAL_UNITS_MAX, Dialect};
use crate::names::quote;

/// The old column as a value of the new kind; none where something would be lost.
pub(super) fn converted(dialect: Dialect, column: &str, from: ColumnKind, to: ColumnKind) -> Option<String> {
    if from == to {
        return Some(column.to_owned());
    }
    let scale = |kind: ColumnKind| match kind {
        ColumnKind::Integer => Some(0),
        ColumnKind::Decimal(scale) => Some(scale),
        _ => None,
    };
    Some(match (from, to, dialect) {
        (_, ColumnKind::Decimal(new), _) => {
            let old = scale(from).filter(|old| *old <= new)?;
            match dialect {
                Dialect::Postgres => column.to_owned(),
                Dialect::Sqlite => format!("{column} * {}", 10_i64.pow(u32::from(new - old))),
            }
        }
        (ColumnKind::Integer, ColumnKind::Text, Dialect::Sqlite) => format!("CAST({column} AS TEXT)"),
        // Units of the last place, at least one digit before the point.
        (ColumnKind::Decimal(0), ColumnKind::Text, Dialect::Sqlite) => format!("CAST({column} AS TEXT)"),
        (ColumnKind::Decimal(scale), ColumnKind::Text, Dialect::Sqlite) => {
            let unit = 10_i64.pow(u32::from(scale));
            format!(
                "CASE WHEN {column} < 0 THEN '-' ELSE '' END || (abs({column}) / {unit}) || '.' || \
                 substr('{}' || (abs({column}) % {unit}), -{scale})",
                "0".repeat(usize::from(scale))
            )
        }
        (ColumnKind::Boolean, ColumnKind::Text, Dialect::Sqlite) => {
            format!("CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END")
        }
        // Days since 1970-01-01.
        (ColumnKind::Date, ColumnKind::Text, Dialect::Sqlite) => format!("date({column} * 86400, 'unixepoch')"),
        (ColumnKind::Date, ColumnKind::Text, Dialect::Postgres) => format!("to_char({column}, 'YYYY-MM-DD')"),
        (ColumnKind::Integer | ColumnKind::Decimal(_) | ColumnKind::Boolean, ColumnKind::Text, Dialect::Postgres) => {
            format!("{column}::text")
        }
        _ => return None,
    })
}

/// What converting depends on: texts that are to be keys, numbers beyond what the new column holds.
pub(super) fn checks(dialect: Dialect, deployed: Option<&Pack>, wanted: &Pack, actual: &Catalogue) -> Vec<Check> {
    let mut checks = Vec::new();
    for (old, new) in pairs(deployed, wanted) {
        let (form, child) = (&old.form.key, old.child_key());
        let table = actual.table(wanted.key(), form, child);
        let (Some(table), Some(entry)) = (table, actual.column(wanted.key(), form, child, &old.field.key)) else {
            continue;
        };
        if !new.field.is_stored() {
            continue;
        }
        let column = quote(&entry.name);
        let key_list = |keys: &mut dyn Iterator<Item = &formwork_model::Key>| {
            let keys: Vec<String> = keys.map(|key| literal(key)).collect();
            format!("{column} NOT IN ({})", keys.join(", "))
        };
        let (misfit, message, hint) = match (old.field.ty(), new.field.ty()) {
            (Type::Text | Type::Queue, Type::Choice(keys)) => {
                let hint = "add the missing options, or give the field another key";
                (key_list(&mut keys.iter()), "records hold text that is no option", hint)
            }
            (Type::Text | Type::Choice(_), Type::Queue) => {
                let hint = "add the missing queues, or give the field another key";
                (key_list(&mut wanted.queues().keys()), "records hold text that is no queue", hint)
            }
            (from, to) => {
                let kinds = (ColumnKind::of_type(from), ColumnKind::of_type(to));
                let (Some(from), Some(ColumnKind::Decimal(scale))) = kinds else { continue };
                if from == ColumnKind::Decimal(scale)
                    || converted(dialect, &column, from, ColumnKind::Decimal(scale)).is_none()
                {
                    continue;
                }
                let places = match (from, dialect) {
                    (ColumnKind::Decimal(old), Dialect::Sqlite) => scale - old,
                    _ => scale,
                };
                let most = DECIMAL_UNITS_MAX / 10_i128.pow(u32::from(places));
                let hint = "take fewer places, or give the field another key";
                // Not `abs`: the least integer has none.
                let misfit = format!("({column} > {most} OR {column} < -{most})");
                (misfit, "records hold a number too great for so many places", hint)
            }
        };
        let count = format!("SELECT count(*) FROM {} WHERE {misfit}", quote(&table.name));
        checks.push(Check { at: new.at(), count, message, hint });
    }
    checks
}

#[cfg(test)]
mod tests {
    use formwork_model::plan::convertible;

    use super::*;

    /// The plan promises what is done here, and nothing else.
    #[test]
    fn the_plan_and_the_statements_agree() {
        let types = [
            Type::Text,
            Type::Integer,
            Type::Decimal { scale: 0 },
            Type::Decimal { scale: 1 },
            Type::Decimal { scale: 9 },
            Type::Money,
            Type::Boolean,
            Type::Date,
            Type::DateTime,
        ];
        for (from, to) in types.iter().flat_map(|from| types.iter().map(move |to| (from, to))) {
            let (Some(old), Some(new)) = (ColumnKind::of_type(from), ColumnKind::of_type(to)) else { unreachable!() };
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                let done = converted(dialect, "c", old, new).is_some();
                assert_eq!(done, from == to || convertible(from, to), "{from} → {to}");
            }
        }
    }
}
