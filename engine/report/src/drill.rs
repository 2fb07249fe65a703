//! From a number to its records: the condition of a cell, in the expression language.
//!
//! ```text
//! dataset.where and metric.where  and  time in the row's bucket and the range  and  dimension == the row's key
//! ```

use chrono::{DateTime, Utc};
use formwork_model::Pack;
use formwork_model::expr::Type;
use formwork_model::pack::analytics::{By, Measure, Report};

use crate::api::instant;
use crate::civil;
use crate::partial::DimensionKey;
use crate::table::{KeyColumn, KeyKind, Row, RowKey, Table};

/// The conditions of a report's cells: one a metric in each row; none where a key has no literal. A ratio leads to the
/// records it is a share of.
pub fn conditions(pack: &Pack, report: &Report, table: &Table) -> Vec<Vec<Option<String>>> {
    let row = |row: &Row| report.metrics.iter().map(|metric| condition(pack, report, table, row, metric)).collect();
    table.rows.iter().map(row).collect()
}

fn condition(pack: &Pack, report: &Report, table: &Table, row: &Row, metric: &str) -> Option<String> {
    let metric = pack.metrics().get(metric)?;
    // A formula is of no records of its own.
    let source = metric.source.as_ref()?;
    let dataset = pack.datasets().get(&source.dataset)?;
    let aggregate = match &metric.measure {
        Measure::Single(aggregate) => aggregate,
        Measure::Ratio { den, .. } => den,
        Measure::Formula(_) => return None,
    };
    let filters = [&dataset.filter, &aggregate.filter].into_iter().flatten();
    let mut parts: Vec<String> = filters.map(|filter| format!("({})", filter.source)).collect();
    let time = dataset.times.get(&source.time)?;
    parts.extend(within(&time.source, time.ty == Type::Date, table, row));
    for (key, column) in row.keys.iter().zip(&table.by) {
        let (RowKey::Value(value), Some(By::Dimension(dimension))) = (key, report.by.get(&column.key)) else {
            continue;
        };
        parts.push(equals(&dataset.dimensions.get(dimension)?.expr.source, value, column)?);
    }
    Some(parts.join(" and "))
}

/// The time of the row: its bucket, as far as the range reaches. A record without a time is in no bucket.
fn within(time: &str, is_date: bool, table: &Table, row: &Row) -> Vec<String> {
    let (mut from, mut to) = (table.from, table.to);
    for (key, column) in row.keys.iter().zip(&table.by) {
        if let (RowKey::Time(start), KeyKind::Time(grain)) = (key, &column.kind) {
            let first = civil::first_instant(table.zone, *start);
            from = Some(from.map_or(first, |from| from.max(first)));
            if let Some(next) = civil::step(*start, *grain, 1) {
                let next = civil::first_instant(table.zone, next);
                to = Some(to.map_or(next, |to| to.min(next)));
            }
        }
    }
    let literal = |at: DateTime<Utc>| match is_date {
        true => format!("date('{}')", civil::first_date(civil::local(table.zone, at))),
        false => format!("datetime('{}')", instant(at)),
    };
    let ends = [from.map(|at| format!("{time} >= {}", literal(at))), to.map(|at| format!("{time} < {}", literal(at)))];
    let ends: Vec<String> = ends.into_iter().flatten().collect();
    if ends.is_empty() { vec![format!("{time} != null")] } else { ends }
}

fn equals(source: &str, value: &DimensionKey, column: &KeyColumn) -> Option<String> {
    let is_plain = source.chars().all(|one| one.is_alphanumeric() || matches!(one, '_' | '.'));
    let source = if is_plain { source.to_owned() } else { format!("({source})") };
    if let (DimensionKey::Class(class), KeyKind::Class(edges)) = (value, &column.kind) {
        let lower = class.checked_sub(1).and_then(|index| edges.get(index)).map(|edge| format!("{source} >= {edge}"));
        let upper = edges.get(*class).map(|edge| format!("{source} < {edge}"));
        let ends: Vec<String> = [lower, upper].into_iter().flatten().collect();
        return Some(ends.join(" and "));
    }
    let literal = match value {
        DimensionKey::Null => "null".to_owned(),
        DimensionKey::Boolean(flag) => flag.to_string(),
        DimensionKey::Integer(number) => number.to_string(),
        DimensionKey::Decimal(number) => number.to_string(),
        DimensionKey::Date(date) => format!("date('{date}')"),
        DimensionKey::DateTime(at) => format!("datetime('{}')", instant(*at)),
        DimensionKey::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        DimensionKey::Id(id) if matches!(column.kind, KeyKind::Value(Type::Link(_))) => format!("'{id}'"),
        DimensionKey::Id(_) | DimensionKey::Class(_) | DimensionKey::Other => return None,
    };
    Some(format!("{source} == {literal}"))
}
