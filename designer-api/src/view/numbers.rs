//! Metrics, reports and tiles as tables and figures.

use std::sync::Arc;

use formwork_model::Pack;
use formwork_model::pack::analytics::{Grain, Range};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde_json::Value as Json;

use super::cell::{Cell, Scribe, plain, title};
use super::chart::{self, Chart};
use super::clock::span;
use super::field::{Choice, Column, Table, TableRow};
use super::filters::{Bar, Filter, carried};
use super::format::{Local, Time, parse_instant};
use super::query::{Pairs, address, changed, first};

/// Ranges offered beside the definition's own.
const RANGES: [&str; 7] =
    ["past 7 days", "past 30 days", "past 90 days", "this month", "last 13 weeks", "this year", "all"];

/// The difference to the range before (templates/tiles/metric.html).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Delta {
    text: String,
    label: String,
    direction: &'static str,
    tone: &'static str,
}

/// A figure.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) value: String,
    pub(crate) exact: String,
    pub(crate) n: String,
    pub(crate) delta: Option<Delta>,
}

/// A report's rows, ready to draw.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Sheet {
    pub(crate) table: Table,
    pub(crate) totals: Vec<Cell>,
    pub(crate) sentence: String,
    pub(crate) truncated: bool,
    pub(crate) chart: Option<Chart>,
}

/// The figure of a metric's JSON.
pub(crate) fn figure(body: &Json, pack: &Arc<Pack>, local: &Local) -> Figure {
    let format = body["format"].as_str().unwrap_or("integer");
    let shown = |value: &Json| number(value, format, pack, local);
    let n = body["n"].as_i64().filter(|_| format != "integer");
    let n = n.map(|n| local.say("metric.n", &[("n", &local.number(&n.to_string()))]));
    let state = state_word(body["state"].as_str().unwrap_or_default(), local);
    let beside: Vec<String> = state.into_iter().chain(n).collect();
    Figure {
        value: shown(&body["value"]),
        exact: shown(&body["value"]),
        n: beside.join(" · "),
        delta: body.get("previous").and_then(|previous| delta(previous, local)),
    }
}

fn delta(previous: &Json, local: &Local) -> Option<Delta> {
    let change: Decimal = previous["delta"].as_str()?.parse().ok()?;
    let relative: Decimal = previous["relative"].as_str()?.parse().ok()?;
    let direction = match change {
        _ if change.is_zero() => "flat",
        _ if change.is_sign_negative() => "down",
        _ => "up",
    };
    let tone = match previous["verdict"].as_str() {
        Some("better") => "ok",
        Some("worse") => "bad",
        _ => "",
    };
    let percent = (relative.abs() * Decimal::ONE_HUNDRED).round_dp(1).normalize();
    Some(Delta { text: format!("{percent}%"), label: local.say("metric.before", &[]), direction, tone })
}

/// The sheet of a report's JSON; its picture is called `title`.
pub(crate) fn sheet(body: &Json, title: &str, scribe: Scribe<'_>) -> Sheet {
    let columns: Vec<&Json> = body["columns"].as_array().into_iter().flatten().collect();
    let keys = columns.iter().take_while(|column| column.get("format").is_none()).count();
    let cells = |values: &Json, states: &Json| -> Vec<Cell> {
        let values = values.as_array().into_iter().flatten().zip(&columns).enumerate();
        let states = |index: usize| index.checked_sub(keys).and_then(|index| states[index].as_str()).unwrap_or("ok");
        values.map(|(index, (value, column))| cell(value, column, states(index), scribe)).collect()
    };
    let mut rows: Vec<Vec<Cell>> = body["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, row)| cells(row, &body["states"][index]))
        .collect();
    lead(&mut rows, body, keys, scribe);
    let sentence = sentence(&rows, &columns, body, keys, scribe.local);
    let chart = chart::chart(
        &chart::Rows {
            body,
            cells: &rows,
            sentence: &sentence,
            currency: scribe.pack.currency(),
            local: scribe.local,
            number: &|value, format| number(value, format, scribe.pack, scribe.local),
        },
        title,
    );
    Sheet {
        sentence,
        chart,
        totals: totals(&body["total"], &columns, keys, scribe),
        truncated: body["truncated"].as_bool().unwrap_or(false),
        table: Table {
            columns: columns.iter().map(|column| heading(column)).collect(),
            rows: rows
                .into_iter()
                .map(|cells| TableRow { id: String::new(), href: String::new(), cells, clock: None })
                .collect(),
            more: None,
        },
    }
}

/// Numbers lead to the records they count.
fn lead(rows: &mut [Vec<Cell>], body: &Json, keys: usize, scribe: Scribe<'_>) {
    let drill = &body["drill"];
    let form = drill["form"].as_str().and_then(|form| scribe.pack.forms().get_key_value(form));
    let Some(path) = form.and_then(|(form, _)| scribe.records(form)) else { return };
    let view = plain(&drill["view"]);
    for (row, conditions) in rows.iter_mut().zip(drill["rows"].as_array().into_iter().flatten()) {
        for (cell, condition) in row.iter_mut().skip(keys).zip(conditions.as_array().into_iter().flatten()) {
            if let Some(condition) = condition.as_str() {
                cell.href = address(&path, [("view", view.as_str()), ("filter", condition)]);
            }
        }
    }
}

/// The time an answer stands for.
pub(crate) fn as_of(body: &Json, local: &Local) -> Time {
    local.as_of(body["as_of"].as_str().and_then(parse_instant).unwrap_or(local.now))
}

fn heading(column: &Json) -> Column {
    Column {
        key: plain(&column["key"]),
        label: plain(&column["label"]),
        number: column.get("format").is_some(),
        ..Column::default()
    }
}

fn cell(value: &Json, column: &Json, state: &str, scribe: Scribe<'_>) -> Cell {
    let local = scribe.local;
    if let Some(format) = column["format"].as_str() {
        let word = state_word(state, local);
        return Cell::text(match (word, value.is_null()) {
            (Some(word), true) => word,
            (None, true) => "–".to_owned(),
            (Some(word), false) => format!("{} {word}", number(value, format, scribe.pack, local)),
            (None, false) => number(value, format, scribe.pack, local),
        });
    }
    if value.is_null() {
        return Cell::text(local.say("number.null", &[]));
    }
    if value["other"] == true {
        return Cell::text(local.say("number.other", &[]));
    }
    let text = plain(value);
    match column["type"].as_str().unwrap_or_default() {
        "date" => Cell { kind: "date", iso: text.clone(), ..Cell::text(bucket(&text, &column["grain"], local)) },
        "queue" => Cell::text(scribe.queue(&text)),
        "boolean" => Cell::text(local.say(if text == "true" { "field.yes" } else { "field.no" }, &[])),
        "link" | "user" => Cell::text(match title(value) {
            title if title.is_empty() => local.say("field.unreadable", &[]),
            title => title,
        }),
        _ => Cell::text(column["options"][&text].as_str().unwrap_or(&text)),
    }
}

fn totals(total: &Json, columns: &[&Json], keys: usize, scribe: Scribe<'_>) -> Vec<Cell> {
    let Some(values) = total["values"].as_array() else { return Vec::new() };
    let mut cells = vec![Cell::text(""); keys];
    if let Some(first) = cells.first_mut() {
        first.text = scribe.local.say("report.total", &[]);
    }
    let numbers = values.iter().zip(&columns[keys..]).enumerate();
    let state = |index: usize| total["states"][index].as_str().unwrap_or("ok");
    cells.extend(numbers.map(|(index, (value, column))| cell(value, column, state(index), scribe)));
    cells
}

/// The start of a bucket, as coarse as the bucket.
fn bucket(text: &str, grain: &Json, local: &Local) -> String {
    let Ok(date) = text.parse::<chrono::NaiveDate>() else { return text.to_owned() };
    match grain.as_str() {
        Some("year") => date.format("%Y").to_string(),
        Some("quarter") => format!("{} Q{}", date.format("%Y"), chrono::Datelike::month0(&date) / 3 + 1),
        Some("month") => date.format("%Y-%m").to_string(),
        _ => local.date(date),
    }
}

/// The highest and the lowest row of the first number, where there are enough rows to lose sight of them.
fn sentence(rows: &[Vec<Cell>], columns: &[&Json], body: &Json, keys: usize, local: &Local) -> String {
    let value = |index: usize| body["rows"][index][keys].as_str().and_then(|text| text.parse::<Decimal>().ok());
    let mut known: Vec<(Decimal, usize)> = (0..rows.len()).filter_map(|index| Some((value(index)?, index))).collect();
    known.sort_by_key(|(value, _)| *value);
    let (Some((low, at_low)), Some((high, at_high))) = (known.first(), known.last()) else { return String::new() };
    if known.len() < 3 || low == high || keys != 1 {
        return String::new();
    }
    let shown = |index: usize, place: usize| rows[index].get(place).map_or("", |cell| cell.text.as_str());
    let metric = columns.get(keys).map(|column| plain(&column["label"])).unwrap_or_default();
    local.say(
        "report.sentence",
        &[
            ("metric", &metric),
            ("high", shown(*at_high, keys)),
            ("high_at", shown(*at_high, 0)),
            ("low", shown(*at_low, keys)),
            ("low_at", shown(*at_low, 0)),
        ],
    )
}

/// A plain number in the words of its format.
fn number(value: &Json, format: &str, pack: &Pack, local: &Local) -> String {
    if value.is_null() {
        return "–".to_owned();
    }
    let text = plain(value);
    let (name, places) = format.split_once(':').unwrap_or((format, "0"));
    match (name, text.parse::<Decimal>()) {
        ("percent", Ok(share)) => {
            let places = places.parse().unwrap_or(0);
            format!("{}%", local.number(&format!("{:.*}", places, share * Decimal::ONE_HUNDRED)))
        }
        ("money", _) => local.money(&text, pack.currency()),
        ("duration", Ok(milliseconds)) => duration(milliseconds, local),
        _ => local.number(&text),
    }
}

/// Whole minutes, as on clocks; seconds below one.
fn duration(milliseconds: Decimal, local: &Local) -> String {
    let milliseconds = milliseconds.to_i64().unwrap_or(i64::MAX);
    match milliseconds {
        0..60_000 => local.say("number.second", &[("n", &(milliseconds / 1_000).to_string())]),
        _ => span(milliseconds, local),
    }
}

/// What a number is beside itself; nothing for an ordinary one.
fn state_word(state: &str, local: &Local) -> Option<String> {
    let key = match state {
        "hidden" => "number.hidden",
        "no_data" => "number.no_data",
        "suppressed" => "number.suppressed",
        "provisional" => "number.provisional",
        _ => return None,
    };
    Some(local.say(key, &[]))
}

/// The bar of a page whose only parameter is its range; `own` is the definition's.
pub(crate) fn range_bar(path: &str, pairs: &Pairs, own: &str, local: &Local) -> Bar {
    let chosen = first(pairs, "range").unwrap_or(own);
    let mut offered: Vec<&str> = RANGES.to_vec();
    for range in [own, chosen] {
        if !offered.contains(&range) {
            offered.insert(0, range);
        }
    }
    let option =
        |range: &str| Choice { value: range.to_owned(), label: range_words(range, local), selected: range == chosen };
    let filter = Filter {
        key: "range".to_owned(),
        kind: "range",
        label: local.say("range.label", &[]),
        name: "range".to_owned(),
        options: offered.into_iter().map(option).collect(),
        active: chosen != own,
        text: range_words(chosen, local),
        clear: changed(path, pairs, |name| name == "range", &[]),
        ..Filter::default()
    };
    Bar { action: path.to_owned(), hidden: carried(pairs, &["sort"]), filters: vec![filter], ..Bar::default() }
}

/// A range as it is written.
pub(crate) fn range_text(range: &Range) -> String {
    let units = |count: &u32, grain: &Grain| format!("{count} {}s", grain.word());
    match range {
        Range::Last(count, grain) => format!("last {}", units(count, grain)),
        Range::Past(count, grain) => format!("past {}", units(count, grain)),
        Range::This(grain) => format!("this {}", grain.word()),
        Range::Dates(from, to) => format!("{from}..{to}"),
        Range::All => "all".to_owned(),
    }
}

/// `past 90 days` in words; dates stay as they are.
fn range_words(range: &str, local: &Local) -> String {
    let words: Vec<&str> = range.split(' ').collect();
    match words.as_slice() {
        ["all"] => local.say("range.all", &[]),
        ["this", unit] => local.say(&format!("range.this.{}", unit.trim_end_matches('s')), &[]),
        [kind @ ("last" | "past"), n, unit] => {
            local.say(&format!("range.{kind}.{}", unit.trim_end_matches('s')), &[("n", n)])
        }
        _ => range.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_they_are_read() {
        for text in ["last 13 weeks", "past 24 hours", "this month", "2026-01-01..2026-03-31", "all"] {
            assert_eq!(range_text(&Range::parse(text).unwrap()), text);
        }
    }
}
