//! `/reports/{report}`: a report over a range.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use formwork_model::Pack;
use formwork_runtime::analytics::Ask;

use super::errors::Refusal;
use super::shell::Page;
use super::visit::Visit;
use crate::server::Server;
use crate::view::cell::Cell;
use crate::view::chart::Chart;
use crate::view::field::{Link, Table};
use crate::view::filters::Bar;
use crate::view::format::Time;
use crate::view::numbers::{Sheet, as_of, range_bar, range_text, sheet};
use crate::view::query::{address, first};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/reports/{report}", get(report))
}

/// What a report shows (templates/pages/reports/report.html).
#[derive(Debug, Serialize)]
struct ReportView {
    bar: Bar,
    sentence: String,
    chart: Option<Chart>,
    table: Table,
    totals: Vec<Cell>,
    truncated: bool,
    as_of: Time,
    zone: String,
    exports: Vec<Link>,
    empty: String,
}

async fn report(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let deployed = visit.engine().deployed();
    let known = |pack: &Pack, key: &str| pack.reports().get_key_value(key).map(|(key, _)| key.clone());
    let (pack, key) = deployed.find(&name, "report", known)?;
    let viewer = visit.viewer(&pack);
    let pairs = visit.pairs();
    let range = first(&pairs, "range").map(str::to_owned);
    let ask = Ask { range: range.clone(), drill: true, ..Ask::default() };
    let answer = visit.engine().report(&pack, &viewer, &key, &ask).await?;
    let definition = &pack.reports()[&key];
    let local = visit.local(&pack);
    let title = definition.label.get(&local.language);
    let Sheet { table, totals, sentence, truncated, chart } =
        sheet(&answer, title, visit.scribe(&pack, &viewer, &local));
    let path = visit.uri.path();
    let csv = [("format", "csv")].into_iter().chain(range.as_deref().map(|range| ("range", range)));
    let view = ReportView {
        bar: range_bar(path, &pairs, &range_text(&definition.range), &local),
        sentence,
        chart,
        table,
        totals,
        truncated,
        as_of: as_of(&answer, &local),
        zone: local.zone.name().to_owned(),
        exports: vec![Link { label: "CSV".to_owned(), href: address(&format!("/api{path}"), csv) }],
        empty: visit.say("report.empty.text", &[]),
    };
    let page = Page { title: title.to_owned(), wide: true, ..Page::default() };
    Ok(visit.draw("pages/reports/report.html", page, "report", view).await?)
}
