//! JSON bodies of metrics, reports and tiles, as `api.md` fixes them. Numbers are strings.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use formwork_model::expr::Type;
use formwork_model::pack::analytics::{Grain, Visual};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::cell::Cell;
use crate::fault::Fault;
use crate::format;
use crate::partial::DimensionKey;
use crate::table::{Comparison, KeyColumn, KeyKind, NumberColumn, Row, RowKey, Table};

/// Titles of linked records and names of users, by id; an id that is absent has no title the reader may see.
pub type Titles = HashMap<Uuid, String>;

/// `GET /api/metrics/{m}`.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn metric(table: &Table, language: &str) -> Result<Json, Fault> {
    let mut body = Map::new();
    body.insert("metric".to_owned(), json!(&*table.key));
    body.insert("label".to_owned(), json!(table.label.get(language)));
    if let Some(column) = table.metrics.first() {
        body.insert("format".to_owned(), json!(format::name(column.format)));
        write_cell(&mut body, &table.metric_cell(), column)?;
        if let Some(comparison) = &table.previous {
            body.insert("previous".to_owned(), previous(comparison, column)?);
        }
    }
    write_context(&mut body, table);
    Ok(Json::Object(body))
}

/// `GET /api/reports/{r}`.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn report(table: &Table, language: &str, titles: &Titles) -> Result<Json, Fault> {
    let keys = table.by.iter().map(|column| key_column(column, language));
    let numbers = table.metrics.iter().map(|column| number_column(column, language));
    let rows = table.rows.iter().map(|row| row_values(table, row, titles)).collect::<Result<Vec<_>, _>>()?;
    let mut body = Map::new();
    body.insert("report".to_owned(), json!(&*table.key));
    body.insert("label".to_owned(), json!(table.label.get(language)));
    body.insert("columns".to_owned(), keys.chain(numbers).collect());
    body.insert("rows".to_owned(), json!(rows));
    body.insert("states".to_owned(), table.rows.iter().map(|row| states(&row.cells)).collect());
    body.insert("n".to_owned(), table.rows.iter().map(|row| bases(&row.cells)).collect());
    if let Some(cells) = &table.total {
        let total = json!({"values": values(table, cells)?, "states": states(cells), "n": bases(cells)});
        body.insert("total".to_owned(), total);
    }
    body.insert("truncated".to_owned(), json!(table.truncated()));
    body.insert("row_count".to_owned(), json!(table.row_count));
    if let Some(visual) = &table.visual {
        body.insert("visual".to_owned(), picture(visual));
    }
    write_context(&mut body, table);
    Ok(Json::Object(body))
}

/// A tile of `GET /api/boards/{b}` that shows a metric: the metric's body with its kind.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn metric_tile(table: &Table, language: &str) -> Result<Json, Fault> {
    Ok(with_kind("metric", metric(table, language)?))
}

/// A tile that shows a report: the report's body with its kind, and `hidden` as its state if the viewer may see none of
/// its numbers.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn report_tile(table: &Table, language: &str, titles: &Titles) -> Result<Json, Fault> {
    let hidden = table.metrics.iter().all(|column| column.hidden);
    let mut body = with_kind("report", report(table, language, titles)?);
    body["state"] = json!(if hidden { "hidden" } else { "ok" });
    Ok(body)
}

/// The text of a row's key: a local date (for hours a local time), the key of a choice, a class.
pub fn key_text(key: &RowKey, column: &KeyColumn) -> Option<String> {
    match (key, &column.kind) {
        (RowKey::Time(start), KeyKind::Time(grain)) => Some(time_text(*start, *grain)),
        (RowKey::Time(start), _) => Some(start.to_string()),
        (RowKey::Value(value), KeyKind::Class(edges)) => match value {
            DimensionKey::Class(class) => Some(DimensionKey::class_text(*class, edges)),
            other => dimension_text(other),
        },
        (RowKey::Value(value), _) => dimension_text(value),
    }
}

/// RFC 3339 in UTC.
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn with_kind(kind: &str, body: Json) -> Json {
    let mut tile = Map::new();
    tile.insert("kind".to_owned(), json!(kind));
    if let Json::Object(body) = body {
        tile.extend(body);
    }
    Json::Object(tile)
}

/// Range, zone and freshness: printed beside every answer.
fn write_context(body: &mut Map<String, Json>, table: &Table) {
    body.insert("range".to_owned(), json!(table.range));
    body.insert("from".to_owned(), json!(table.from.map(instant)));
    body.insert("to".to_owned(), json!(table.to.map(instant)));
    body.insert("zone".to_owned(), json!(table.zone.name()));
    body.insert("as_of".to_owned(), json!(instant(table.as_of)));
    body.insert("as_of_seq".to_owned(), json!(table.as_of_seq));
}

fn write_cell(body: &mut Map<String, Json>, cell: &Cell, column: &NumberColumn) -> Result<(), Fault> {
    body.insert("state".to_owned(), json!(cell.state.word()));
    body.insert("value".to_owned(), json!(plain(cell, column)?));
    let shown = cell.value.map(|value| format::shown(value, column.format)).transpose()?;
    body.insert("text".to_owned(), json!(shown));
    body.insert("n".to_owned(), json!(cell.n));
    if let Some((above, below)) = cell.parts {
        // Parts of a ratio are counts or sums: four places hold every stored amount that is not a long decimal.
        body.insert("num".to_owned(), json!(part(above)?));
        body.insert("den".to_owned(), json!(part(below)?));
    }
    Ok(())
}

fn previous(comparison: &Comparison, column: &NumberColumn) -> Result<Json, Fault> {
    let mut body = Map::new();
    write_cell(&mut body, &comparison.cell, column)?;
    let delta = comparison.delta.map(|delta| format::plain(delta, column.format)).transpose()?;
    let relative = comparison.relative.map(|relative| format::fraction(relative, 4)).transpose()?;
    body.insert("delta".to_owned(), json!(delta));
    body.insert("relative".to_owned(), json!(relative));
    body.insert("verdict".to_owned(), json!(comparison.verdict.word()));
    Ok(Json::Object(body))
}

fn part(number: crate::number::Number) -> Result<String, Fault> {
    let text = format::fraction(number, 12)?;
    Ok(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

fn key_column(column: &KeyColumn, language: &str) -> Json {
    let ty = match &column.kind {
        KeyKind::Time(Grain::Hour) => "datetime".to_owned(),
        KeyKind::Time(_) => "date".to_owned(),
        KeyKind::Class(_) => "class".to_owned(),
        KeyKind::Value(Type::Link(_)) => "link".to_owned(),
        KeyKind::Value(Type::User) => "user".to_owned(),
        KeyKind::Value(Type::Queue) => "queue".to_owned(),
        KeyKind::Value(ty) => ty.to_string(),
    };
    let mut body = json!({"key": &*column.key, "type": ty, "label": column.label.get(language)});
    match &column.kind {
        KeyKind::Time(grain) => body["grain"] = json!(grain.word()),
        KeyKind::Value(Type::Link(form)) => body["form"] = json!(&**form),
        _ => {}
    }
    if !column.options.is_empty() {
        let options: Map<String, Json> =
            column.options.iter().map(|(key, label)| (key.to_string(), json!(label.get(language)))).collect();
        body["options"] = Json::Object(options);
    }
    body
}

fn number_column(column: &NumberColumn, language: &str) -> Json {
    let format = format::name(column.format);
    let ty = format.split(':').next().unwrap_or_default();
    let mut body = json!({"key": &*column.key, "type": ty, "label": column.label.get(language), "format": format});
    if column.hidden {
        body["state"] = json!("hidden");
    }
    body
}

/// The picture as definitions write it.
fn picture(visual: &Visual) -> Json {
    let mut body = json!({"mark": visual.mark.word(), "x": visual.x, "y": visual.y});
    if let Some(color) = &visual.color {
        body["color"] = json!(color);
    }
    if let Some(goal) = visual.goal {
        body["goal"] = json!(goal.to_string());
    }
    body
}

fn row_values(table: &Table, row: &Row, titles: &Titles) -> Result<Json, Fault> {
    let keys = row.keys.iter().zip(&table.by).map(|(key, column)| key_value(key, column, titles));
    Ok(keys.chain(values(table, &row.cells)?).collect())
}

fn key_value(key: &RowKey, column: &KeyColumn, titles: &Titles) -> Json {
    match key {
        RowKey::Value(DimensionKey::Id(id)) => json!({"id": id, "title": titles.get(id)}),
        RowKey::Value(DimensionKey::Other) => json!({"other": true}),
        RowKey::Value(DimensionKey::Boolean(flag)) => json!(flag),
        _ => json!(key_text(key, column)),
    }
}

fn values(table: &Table, cells: &[Cell]) -> Result<Vec<Json>, Fault> {
    let numbers = cells.iter().zip(&table.metrics).map(|(cell, column)| Ok(json!(plain(cell, column)?)));
    numbers.collect()
}

fn states(cells: &[Cell]) -> Json {
    cells.iter().map(|cell| json!(cell.state.word())).collect()
}

fn bases(cells: &[Cell]) -> Json {
    cells.iter().map(|cell| json!(cell.n)).collect()
}

fn plain(cell: &Cell, column: &NumberColumn) -> Result<Option<String>, Fault> {
    cell.value.map(|value| format::plain(value, column.format)).transpose()
}

fn time_text(start: NaiveDateTime, grain: Grain) -> String {
    match grain {
        Grain::Hour => start.format("%Y-%m-%dT%H:%M").to_string(),
        _ => start.date().to_string(),
    }
}

fn dimension_text(value: &DimensionKey) -> Option<String> {
    Some(match value {
        DimensionKey::Null | DimensionKey::Other => return None,
        DimensionKey::Class(class) => class.to_string(),
        DimensionKey::Boolean(flag) => flag.to_string(),
        DimensionKey::Integer(number) => number.to_string(),
        DimensionKey::Decimal(number) => number.to_string(),
        DimensionKey::Date(date) => date.to_string(),
        DimensionKey::DateTime(at) => instant(*at),
        DimensionKey::Text(text) => text.clone(),
        DimensionKey::Id(id) => id.to_string(),
    })
}
