//! Numbers: metrics, reports and boards, as a viewer may see them.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::pack::analytics::{Board, Range, Tile, TileKind};
use formwork_model::{Key, Pack};
use formwork_report::api::Titles;
use formwork_report::plan::Open;
use formwork_report::{Plan, Refusal, Table, api, csv};
use formwork_store::{Failure, Fault};

use crate::Engine;
use crate::questions::ListRequest;

/// What the reader asks beside the question itself.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Instead of the definition's own range.
    pub range: Option<String>,
    /// Show the plan beside the answer.
    pub explain: bool,
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

    /// A board: every tile, each with its own state; one that fails does not take the others with it.
    pub async fn board(&self, pack: &Arc<Pack>, viewer: &Viewer, board: &Key, ask: &Ask) -> Result<Json, Failure> {
        let definition = pack.boards().get(board).filter(|board| may_open(board, viewer)).cloned();
        let Some(definition) = definition else {
            let title = format!("there is no board `{board}`");
            return Err(Failure::Rejected(Box::new(Rejection::new(RejectionKind::NotFound, "FW1001", title))));
        };
        let mut tiles = Map::new();
        for (key, tile) in &definition.tiles {
            let mut body = match self.tile(pack, viewer, &definition, key, tile, ask).await {
                Ok(body) => body,
                Err(Failure::Rejected(rejection)) => {
                    json!({"kind": kind_of(tile), "state": "refused", "code": rejection.code, "title": rejection.title})
                }
                Err(failure) => {
                    tracing::error!(board = %board, tile = %key, error = ?failure, "a tile failed");
                    json!({"kind": kind_of(tile), "state": "failed"})
                }
            };
            body["width"] = json!(tile.width);
            if let Some(label) = &tile.label {
                body["label"] = json!(label.get(&viewer.language));
            }
            tiles.insert(key.to_string(), body);
        }
        let label = definition.label.get(&viewer.language);
        Ok(json!({"board": &**board, "label": label, "tiles": tiles}))
    }

    async fn tile(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        board: &Board,
        key: &Key,
        tile: &Tile,
        ask: &Ask,
    ) -> Result<Json, Failure> {
        match &tile.kind {
            TileKind::Metric { .. } | TileKind::Report { .. } => {
                let plan = formwork_report::tile(pack, &board.key, key, ask.range()?).map_err(refused)?;
                let Some(plan) = plan else { return Ok(json!({"kind": kind_of(tile), "state": "failed"})) };
                let (table, explained) = self.answer(plan, viewer, ask).await?;
                let titles = self.titles(pack, viewer, &table).await?;
                let mut body = match &tile.kind {
                    TileKind::Metric { .. } => api::metric_tile(&table, &viewer.language),
                    _ => api::report_tile(&table, &viewer.language, &titles),
                }
                .map_err(failed)?;
                explain(&mut body, explained);
                Ok(body)
            }
            TileKind::List { form, view, filter, limit } => {
                let request = ListRequest {
                    view: Some(view.to_string()),
                    filter: filter.as_ref().map(|filter| filter.source.clone()),
                    limit: *limit,
                    ..ListRequest::default()
                };
                let mut body = self.list(pack, viewer, form, request).await?;
                body["kind"] = json!("list");
                body["state"] = json!("ok");
                body["form"] = json!(&**form);
                body["view"] = json!(&**view);
                Ok(body)
            }
            TileKind::Text { text } => Ok(json!({"kind": "text", "state": "ok", "text": text.get(&viewer.language)})),
            TileKind::Tasks { tasks } => {
                let user = match viewer.user {
                    Some(user) => self.store().user(user).await?,
                    None => None,
                };
                let mut body = self.tasks(user.as_ref(), &viewer.language, *tasks, 20, None).await?;
                body["kind"] = json!("tasks");
                body["state"] = json!("ok");
                Ok(body)
            }
            _ => Ok(json!({"kind": kind_of(tile), "state": "failed"})),
        }
    }

    /// Polices, runs and finishes a plan. With `explain` the executor's account of it comes along.
    async fn answer(&self, plan: Plan<Open>, viewer: &Viewer, ask: &Ask) -> Result<(Table, Option<Json>), Failure> {
        let plan = Arc::new(plan.police(viewer).map_err(|denied| refused(Refusal::Denied(denied)))?);
        let now = self.clock().now();
        let partials = self.run_plan(&plan, now).await?;
        let table = formwork_report::finish(&plan, &partials).map_err(failed)?;
        let explained = if ask.explain { Some(self.explain_plan(&plan, now).await?) } else { None };
        Ok((table, explained))
    }

    /// Titles of the records a table's rows name, as far as the viewer may read them.
    async fn titles(&self, pack: &Arc<Pack>, viewer: &Viewer, table: &Table) -> Result<Titles, Failure> {
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
    fn range(&self) -> Result<Option<Range>, Failure> {
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

/// Whether the viewer may open the board: everybody who is logged in, unless it names roles.
pub fn may_open(board: &Board, viewer: &Viewer) -> bool {
    match viewer.kind {
        formwork_core::ViewerKind::System => true,
        formwork_core::ViewerKind::Public => board.roles.iter().any(|role| viewer.has_role(role)),
        formwork_core::ViewerKind::Person => {
            board.roles.is_empty() || board.roles.iter().any(|role| viewer.has_role(role))
        }
    }
}

fn kind_of(tile: &Tile) -> &'static str {
    match tile.kind {
        TileKind::Metric { .. } => "metric",
        TileKind::Report { .. } => "report",
        TileKind::List { .. } => "list",
        TileKind::Text { .. } => "text",
        TileKind::Tasks { .. } => "tasks",
        _ => "unknown",
    }
}

fn explain(body: &mut Json, explained: Option<Json>) {
    if let Some(explained) = explained {
        body["explain"] = explained;
    }
}

fn refused(refusal: Refusal) -> Failure {
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
