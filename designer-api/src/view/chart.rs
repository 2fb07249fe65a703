//! The picture of a report: what the island `fw-chart` draws. Every word and number of it is written here.

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value as Json;

use super::cell::{Cell, plain};
use super::format::Local;

/// Colours one can still tell apart (web/css/tokens.css).
const SERIES_MAX: usize = 8;
/// Places along an axis: of horizontal bars as many as one reads, else as many as there are pixels for.
const BARS_MAX: usize = 30;
const PLACES_MAX: usize = 400;
/// Milliseconds of an hour.
const HOUR_MS: Decimal = Decimal::from_parts(3_600_000, 0, 0, false, 0);

/// A picture (templates/parts/charts.html, web/src/islands/chart/options.ts).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Chart {
    mark: &'static str,
    /// How high it is: `s` `m` `l` `x`.
    size: &'static str,
    /// Its words for who does not see it.
    label: String,
    /// What is left out, "" where nothing is.
    note: String,
    /// The places along the axis, or the slices.
    x: Vec<String>,
    /// The same as short as an axis has room for.
    ticks: Vec<String>,
    axes: Vec<Axis>,
    series: Vec<Series>,
    goal: Option<Goal>,
}

/// An axis of numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Axis {
    /// `number` `percent` `money` `hours`.
    format: &'static str,
    whole: bool,
    currency: String,
}

/// Numbers of one colour, one a place.
#[derive(Debug, Clone, Serialize)]
struct Series {
    label: String,
    axis: usize,
    /// `bar` `line` `area` `pie`.
    kind: &'static str,
    values: Vec<Option<String>>,
    texts: Vec<String>,
    /// Where a number leads to, "" where nowhere.
    hrefs: Vec<String>,
    /// Whether the number may still grow.
    open: Vec<bool>,
}

/// A line across the picture.
#[derive(Debug, Clone, Serialize)]
struct Goal {
    value: String,
    text: String,
}

/// The rows of a report as they are read and as they are written.
pub(crate) struct Rows<'a> {
    /// The JSON of the report.
    pub(crate) body: &'a Json,
    /// Its rows in words.
    pub(crate) cells: &'a [Vec<Cell>],
    /// What the table says in a sentence.
    pub(crate) sentence: &'a str,
    pub(crate) currency: &'a str,
    pub(crate) local: &'a Local,
    /// A number in the words of a format.
    pub(crate) number: &'a dyn Fn(&Json, &str) -> String,
}

/// The picture of a report that has one, where there is something to see: the reader may see its numbers, there is more
/// than one place to compare, and of a pie nothing is negative.
pub(crate) fn chart(rows: &Rows<'_>, title: &str) -> Option<Chart> {
    let visual = rows.body.get("visual")?;
    let columns: Vec<&Json> = rows.body["columns"].as_array()?.iter().collect();
    let position = |key: &Json| columns.iter().position(|column| column["key"] == *key);
    let shown = |index: &usize| columns[*index]["state"] != "hidden";
    let y: Vec<usize> = visual["y"].as_array()?.iter().filter_map(position).filter(shown).collect();
    let drawn = Drawn { rows, columns: &columns, x: position(&visual["x"])?, y };
    let mark = visual["mark"].as_str()?;
    let places = drawn.places(matches!(mark, "line" | "area" | "combo"));
    let mut series = match visual.get("color").and_then(position) {
        Some(color) => drawn.coloured(color, &places),
        None => drawn.measured(&places),
    };
    let mark = match mark {
        "pie" if !is_whole(&series) => return None,
        "pie" if places.len() > SERIES_MAX => "bar",
        "line" => "line",
        "area" => "area",
        "bar" => "bar",
        "column" => "column",
        "stacked" => "stacked",
        "combo" => "combo",
        _ => "pie",
    };
    if series.is_empty() || places.len() < 2 {
        return None;
    }
    let mut note = Vec::new();
    let cut = |key: &str, shown: usize, of: usize| {
        rows.local.say(key, &[("n", &shown.to_string()), ("total", &of.to_string())])
    };
    if series.len() > SERIES_MAX {
        note.push(cut("chart.series_cut", SERIES_MAX, series.len()));
        series.truncate(SERIES_MAX);
    }
    let most = if mark == "bar" { BARS_MAX } else { PLACES_MAX };
    if places.len() > most {
        note.push(cut("chart.places_cut", most, places.len()));
        series.iter_mut().for_each(|one| one.cut(most));
    }
    let x: Vec<String> = places.iter().take(most).map(|place| place.text.clone()).collect();
    let ticks = places.iter().take(most).map(|place| drawn.tick(place)).collect();
    let axes = drawn.axes(&mut series, mark);
    let goal = visual["goal"].as_str().map(|goal| drawn.goal(goal));
    let label = rows.local.say(&format!("chart.mark.{mark}"), &[("title", title)]);
    let label = if rows.sentence.is_empty() { label } else { format!("{label} {}", rows.sentence) };
    let size = size(mark, x.len(), series.len());
    Some(Chart { mark, size, label, note: note.join(" "), x, ticks, axes, series, goal })
}

/// How high a picture stands: bars grow with their number, the others do not.
fn size(mark: &str, places: usize, series: usize) -> &'static str {
    match (mark, places * series) {
        ("bar", 0..=4) => "s",
        ("bar", 5..=10) => "m",
        ("bar", 11..=20) => "l",
        ("bar", _) => "x",
        _ => "m",
    }
}

/// Whether slices can stand for the numbers.
fn is_whole(series: &[Series]) -> bool {
    let values: Vec<Decimal> = series
        .iter()
        .flat_map(|one| &one.values)
        .filter_map(|value| value.as_deref().unwrap_or("0").parse().ok())
        .collect();
    values.iter().all(|value| !value.is_sign_negative()) && values.iter().any(|value| !value.is_zero())
}

impl Series {
    fn cut(&mut self, most: usize) {
        self.values.truncate(most);
        self.texts.truncate(most);
        self.hrefs.truncate(most);
        self.open.truncate(most);
    }
}

/// A place along the axis: its value, and how it is written.
struct Place {
    value: Json,
    text: String,
}

struct Drawn<'a> {
    rows: &'a Rows<'a>,
    columns: &'a [&'a Json],
    x: usize,
    y: Vec<usize>,
}

impl Drawn<'_> {
    /// The places in the order of the rows; where a line follows them, in their own.
    fn places(&self, ordered: bool) -> Vec<Place> {
        let mut places = self.distinct(self.x);
        let rank = |value: &Json| match self.columns[self.x]["type"].as_str() {
            Some("date" | "datetime") => (plain(value), Decimal::ZERO),
            Some("class") | None => Default::default(),
            Some(_) => (String::new(), plain(value).parse().unwrap_or(Decimal::MAX)),
        };
        if ordered {
            places.sort_by_key(|place| rank(&place.value));
        }
        places
    }

    /// A day without its year: the range beside the picture says it.
    fn tick(&self, place: &Place) -> String {
        let is_day = matches!(self.columns[self.x]["grain"].as_str(), Some("day" | "week"));
        let date = is_day.then(|| plain(&place.value).parse().ok()).flatten();
        date.map_or_else(|| place.text.clone(), |date| self.rows.local.day(date))
    }

    fn distinct(&self, column: usize) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for (index, row) in self.values().enumerate() {
            let value = &row[column];
            if !places.iter().any(|place| place.value == *value) {
                places.push(Place { value: value.clone(), text: self.text(index, column) });
            }
        }
        places
    }

    /// One series a metric.
    fn measured(&self, places: &[Place]) -> Vec<Series> {
        let series = |column: &usize| {
            let label = plain(&self.columns[*column]["label"]);
            self.series(label, places, *column, |_| true)
        };
        self.y.iter().map(series).collect()
    }

    /// One series a key, those of a choice in its order: a colour stays where it is when the numbers change.
    fn coloured(&self, color: usize, places: &[Place]) -> Vec<Series> {
        let Some(y) = self.y.first() else { return Vec::new() };
        let mut keys = self.distinct(color);
        if let Some(options) = self.columns[color]["options"].as_object() {
            let order: Vec<&str> = options.keys().map(String::as_str).collect();
            keys.sort_by_key(|key| order.iter().position(|one| key.value == **one).unwrap_or(order.len()));
        }
        keys.iter().map(|key| self.series(key.text.clone(), places, *y, |row| row[color] == key.value)).collect()
    }

    fn series(&self, label: String, places: &[Place], column: usize, of: impl Fn(&Json) -> bool) -> Series {
        let count = places.len();
        let mut series = Series {
            label,
            axis: 0,
            kind: "bar",
            values: vec![None; count],
            texts: vec!["–".to_owned(); count],
            hrefs: vec![String::new(); count],
            open: vec![false; count],
        };
        let keys = self.columns.iter().take_while(|column| column.get("format").is_none()).count();
        for (index, row) in self.values().enumerate().filter(|(_, row)| of(row)) {
            let Some(at) = places.iter().position(|place| place.value == row[self.x]) else { continue };
            series.values[at] = row[column].as_str().map(|value| drawn(value, self.format(column)));
            series.texts[at] = self.text(index, column);
            series.hrefs[at] = self.rows.cells[index][column].href.clone();
            series.open[at] = self.rows.body["states"][index][column.saturating_sub(keys)] == "provisional";
        }
        series
    }

    /// The axes, and which series stands on which and how.
    fn axes(&self, series: &mut [Series], mark: &str) -> Vec<Axis> {
        let axis = |column: usize| {
            let format = self.format(column);
            let name = match format.split(':').next() {
                Some("percent") => "percent",
                Some("money") => "money",
                Some("duration") => "hours",
                _ => "number",
            };
            Axis { format: name, whole: format == "integer", currency: self.rows.currency.to_owned() }
        };
        let kind = match mark {
            "line" => "line",
            "area" => "area",
            "pie" => "pie",
            _ => "bar",
        };
        series.iter_mut().for_each(|one| one.kind = kind);
        let left = axis(self.y[0]);
        if mark != "combo" || series.len() < 2 {
            return vec![left];
        }
        for one in &mut series[1..] {
            (one.axis, one.kind) = (1, "line");
            one.label = self.rows.local.say("chart.right", &[("label", &one.label)]);
        }
        vec![left, axis(self.y[1])]
    }

    fn goal(&self, value: &str) -> Goal {
        let format = self.format(self.y[0]);
        let number = (self.rows.number)(&Json::String(value.to_owned()), format);
        Goal { value: drawn(value, format), text: self.rows.local.say("chart.goal", &[("value", &number)]) }
    }

    fn format(&self, column: usize) -> &str {
        self.columns[column]["format"].as_str().unwrap_or_default()
    }

    fn values(&self) -> impl Iterator<Item = &Json> {
        self.rows.body["rows"].as_array().into_iter().flatten()
    }

    fn text(&self, row: usize, column: usize) -> String {
        self.rows.cells.get(row).and_then(|cells| cells.get(column)).map(|cell| cell.text.clone()).unwrap_or_default()
    }
}
/// A number as it is drawn: durations in hours, so that their axis has round ones.
fn drawn(value: &str, format: &str) -> String {
    match (format, value.parse::<Decimal>()) {
        ("duration", Ok(milliseconds)) => (milliseconds / HOUR_MS).round_dp(4).normalize().to_string(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_drawn_in_hours() {
        assert_eq!(drawn("5400000", "duration"), "1.5");
        assert_eq!(drawn("1000", "duration"), "0.0003");
        assert_eq!(drawn("5400000", "integer"), "5400000");
    }
}
