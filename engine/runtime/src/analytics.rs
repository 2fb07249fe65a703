//! Numbers: metrics, reports and boards, as a viewer may see them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::access::narrowed;
use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::expr::{Expr, Ir, Type};
use formwork_model::pack::analytics::{Range, TileFilter};
use formwork_model::{Key, Pack, Value};
use formwork_report::api::Titles;
use formwork_report::plan::Open;
use formwork_report::{Plan, Refusal, Table, api, csv};
use formwork_store::{Failure, Fault};

use crate::Engine;

/// What the reader asks beside the question itself.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Instead of the definition's own range.
    pub range: Option<String>,
    /// Show the plan beside the answer.
    pub explain: bool,
    /// Tell of each number of a report which records it counts.
    pub drill: bool,
    /// The record of a board `for` a form.
    pub record: Option<Uuid>,
    /// Of timelines by tile: the kinds wanted, and where the page starts.
    pub timelines: HashMap<String, (Vec<String>, Option<String>)>,
}

impl Engine {
    /// A metric over a range, all of time where none is given: the body of `GET /api/metrics/{m}`.
    pub async fn metric(&self, pack: &Arc<Pack>, viewer: &Viewer, metric: &Key, ask: &Ask) -> Result<Json, Failure> {
        let range = ask.range()?.unwrap_or(Range::All);
        let plan = formwork_report::metric(pack, metric, range).map_err(refused)?;
        let (table, explained) = self.answer(plan, viewer, ask).await?;
        let mut body = api::metric(&table, &viewer.language).map_err(failed)?;
        explain(&mut body, explained);
        Ok(body)
    }

    /// A report: the body of `GET /api/reports/{r}`.
    pub async fn report(&self, pack: &Arc<Pack>, viewer: &Viewer, report: &Key, ask: &Ask) -> Result<Json, Failure> {
        let plan = formwork_report::report(pack, report, ask.range()?).map_err(refused)?;
        let (table, explained) = self.answer(plan, viewer, ask).await?;
        let titles = self.titles(pack, viewer, &table).await?;
        let mut body = api::report(&table, &viewer.language, &titles).map_err(failed)?;
        explain(&mut body, explained);
        if ask.drill {
            drill(pack, viewer, report, &table, &mut body);
        }
        Ok(body)
    }

    /// A report as CSV for spreadsheets: with a byte order mark, formulas disarmed.
    pub async fn report_csv(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        report: &Key,
        ask: &Ask,
    ) -> Result<String, Failure> {
        let plan = formwork_report::report(pack, report, ask.range()?).map_err(refused)?;
        let (table, _) = self.answer(plan, viewer, ask).await?;
        let titles = self.titles(pack, viewer, &table).await?;
        csv::write(&table, &viewer.language, &titles, csv::Options::default()).map_err(failed)
    }

    /// Polices, runs and finishes a plan. With `explain` the executor's account of it comes along.
    pub(crate) async fn answer(
        &self,
        plan: Plan<Open>,
        viewer: &Viewer,
        ask: &Ask,
    ) -> Result<(Table, Option<Json>), Failure> {
        let plan = plan.police(viewer).map_err(|denied| refused(Refusal::Denied(denied)))?;
        let now = self.clock().now();
        let mut ranked = Vec::new();
        for ranking in plan.rankings() {
            let ranking = Arc::new(ranking.clone());
            let partials = self.run_plan(&ranking, now).await?;
            ranked.push(formwork_report::finish(&ranking, &partials).map_err(failed)?);
        }
        let plan = Arc::new(plan.ranked(&ranked));
        let partials = self.run_plan(&plan, now).await?;
        let table = formwork_report::finish(&plan, &partials).map_err(failed)?;
        let explained = if ask.explain { Some(self.explain_plan(&plan, now).await?) } else { None };
        Ok((table, explained))
    }

    /// Titles of the records a table's rows name, as far as the viewer may read them.
    pub(crate) async fn titles(&self, pack: &Arc<Pack>, viewer: &Viewer, table: &Table) -> Result<Titles, Failure> {
        let mut titles = Titles::new();
        for (form, id) in table.links() {
            match self.record(pack, viewer, &form, id).await {
                Ok(record) => {
                    titles.insert(id, record["title"].as_str().unwrap_or_default().to_owned());
                }
                Err(Failure::Rejected(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(titles)
    }
}

impl Ask {
    pub(crate) fn range(&self) -> Result<Option<Range>, Failure> {
        let Some(text) = &self.range else { return Ok(None) };
        let range = Range::parse(text).ok_or_else(|| {
            let title = format!(
                "`range` is for example `last 13 weeks`, `this month`, `2026-01-01..2026-03-31` or `all`, not `{text}`"
            );
            Failure::Rejected(Box::new(Rejection::new(RejectionKind::Malformed, "FW1003", title)))
        })?;
        Ok(Some(range))
    }
}

pub(crate) fn explain(body: &mut Json, explained: Option<Json>) {
    if let Some(mut explained) = explained {
        // How many rows there are in all is nothing for whoever reads some of them only.
        for branch in explained["branches"].as_array_mut().into_iter().flatten() {
            branch.as_object_mut().map(|branch| branch.shift_remove("rows_scanned"));
        }
        body["explain"] = explained;
    }
}

/// `"drill": {"form", "view", "rows": [[condition]]}`: which records each number counts, where the report says where they
/// are shown and the viewer may ask for them; a column they may not ask for has none.
pub(crate) fn drill(pack: &Arc<Pack>, viewer: &Viewer, report: &Key, table: &Table, body: &mut Json) {
    let Some(report) = pack.reports().get(report) else { return };
    let Some(opens) = &report.drill else { return };
    let mut rows = formwork_report::drill::conditions(pack, report, table);
    for column in 0..report.metrics.len() {
        // Rows differ by literals alone, so one tells of all.
        let first = rows.iter().find_map(|row| row[column].clone());
        let hidden = table.metrics.get(column).is_none_or(|column| column.hidden);
        if hidden || !first.is_some_and(|source| may_ask(pack, viewer, &opens.form, source)) {
            rows.iter_mut().for_each(|row| row[column] = None);
        }
    }
    body["drill"] = json!({"form": opens.form, "view": opens.view, "rows": rows});
}

/// Whether the viewer may narrow a list by that condition.
fn may_ask(pack: &Arc<Pack>, viewer: &Viewer, form: &Key, source: String) -> bool {
    let expr = Expr { source, ty: Type::Boolean, ir: Ir::Literal(Value::Boolean(true)) };
    narrowed(pack, viewer, &TileFilter { form: form.clone(), expr }, None).is_some()
}

pub(crate) fn refused(refusal: Refusal) -> Failure {
    let kind = match &refusal {
        Refusal::Unknown { .. } => RejectionKind::NotFound,
        Refusal::Denied(_) => RejectionKind::Forbidden,
        _ => RejectionKind::Invalid,
    };
    Failure::Rejected(Box::new(Rejection::new(kind, "FW1030", refusal.to_string())))
}

/// A plan that failed: a refusal the reader can do something about, or a fault of ours.
pub(crate) fn failed(error: formwork_report::Fault) -> Failure {
    match error {
        formwork_report::Fault::Refused(refusal) => refused(refusal),
        error => Failure::Fault(Fault { context: "a number".to_owned(), source: Some(Box::new(error)) }),
    }
}
