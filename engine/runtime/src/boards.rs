//! Boards: their tiles, and the page of a record that some of them are.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_core::access::{Around, Narrowed, narrowed};
use formwork_core::facts::BoxPage;
use formwork_core::{Act, Rejection, RejectionKind, Viewer, questions};
use formwork_model::pack::analytics::{Board, Tile, TileFilter, TileKind};
use formwork_model::{Key, Pack};
use formwork_report::api;
use formwork_store::Failure;

use crate::Engine;
use crate::analytics::{Ask, drill, explain, failed, refused};
use crate::questions::ListRequest;
use crate::timeline::TimelineRequest;

/// Tasks of a tile.
const TASKS: u32 = 20;

impl Engine {
    /// A board: every tile, each with its own state; one that fails does not take the others with it. A board `for` a
    /// form is about one record; whoever may not read that is told that there is none.
    pub async fn board(&self, pack: &Arc<Pack>, viewer: &Viewer, board: &Key, ask: &Ask) -> Result<Json, Failure> {
        let definition = pack.boards().get(board).filter(|board| may_open(board, viewer)).cloned();
        let Some(definition) = definition else {
            return Err(rejected(RejectionKind::NotFound, "FW1001", format!("there is no board `{board}`")));
        };
        let about = self.about(pack, viewer, &definition, ask.record).await?;
        let opened = Opened { pack, viewer, board: &definition, about, ask };
        let mut tiles = Map::new();
        for (key, tile) in &definition.tiles {
            let mut body = match self.tile(&opened, key, tile).await {
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
        let mut body = json!({"board": &**board, "label": label});
        if let Some((around, answer)) = &opened.about {
            body["record"] = json!({"form": definition.of, "id": around.id(), "title": answer["title"]});
        }
        body["tiles"] = Json::Object(tiles);
        Ok(body)
    }

    /// Accepts or dismisses what a tile of a board suggests about a record.
    pub async fn judge(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        (form, id): (&Key, Uuid),
        judging: Judging<'_>,
        key: Option<(String, String)>,
    ) -> Result<(), Failure> {
        let board = pack.boards().get(judging.board).filter(|board| board.of.as_ref() == Some(form));
        let board = board.filter(|board| may_open(board, viewer));
        let Some(TileKind::Rules { decision, .. }) =
            board.and_then(|board| board.tiles.get(judging.tile)).map(|tile| &tile.kind)
        else {
            let title = "nothing is suggested there".to_owned();
            return Err(rejected(RejectionKind::NotFound, "suggestion_not_found", title));
        };
        let act = Act::Judge {
            form: form.clone(),
            id,
            decision: decision.clone(),
            rule: Key::from(judging.rule),
            is_accepted: judging.is_accepted,
        };
        self.submit(pack, viewer.clone(), act, key).await.map(drop)
    }

    /// What the board tells about its record.
    async fn about(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        board: &Board,
        record: Option<Uuid>,
    ) -> Result<Option<(Around, Json)>, Failure> {
        let malformed = |title: String| rejected(RejectionKind::Malformed, "FW1003", title);
        match (&board.of, record) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(malformed(format!("the board `{}` is not about a record", board.key))),
            (Some(form), None) => {
                Err(malformed(format!("the board `{}` is about a record of `{form}`: add `record=<id>`", board.key)))
            }
            (Some(form), Some(id)) => {
                let (p, v, b, at) = (pack.clone(), viewer.clone(), board.clone(), self.clock().now());
                let question = Box::new(move |facts: &_| questions::board(&p, &v, &b, id, at, facts));
                let answer = self.ask(pack, question).await?;
                Ok(Some((Around::of(form, id, &answer), answer)))
            }
        }
    }

    async fn tile(&self, opened: &Opened<'_>, key: &Key, tile: &Tile) -> Result<Json, Failure> {
        let Opened { pack, viewer, ask, .. } = *opened;
        match &tile.kind {
            TileKind::Metric { filter, .. } | TileKind::Report { filter, .. } => {
                let Ok(narrowed) = opened.narrowed(filter.as_ref()) else { return Ok(hidden(tile)) };
                let plan = formwork_report::tile(pack, &opened.board.key, key, ask.range()?, narrowed.as_ref());
                let Some(plan) = plan.map_err(refused)? else { return Ok(failed_tile(tile)) };
                let (table, explained) = self.answer(plan, viewer, ask).await?;
                let titles = self.titles(pack, viewer, &table).await?;
                let mut body = match &tile.kind {
                    TileKind::Metric { .. } => api::metric_tile(&table, &viewer.language),
                    _ => api::report_tile(&table, &viewer.language, &titles),
                }
                .map_err(failed)?;
                explain(&mut body, explained);
                if let (TileKind::Report { report, filter: None, .. }, true) = (&tile.kind, ask.drill) {
                    drill(pack, viewer, report, &table, &mut body);
                }
                Ok(body)
            }
            TileKind::List { form, view, filter, limit } => {
                let Ok(narrowed) = opened.narrowed(filter.as_ref()) else { return Ok(hidden(tile)) };
                let source = narrowed.as_ref().map(|narrowed| json!(narrowed.source()));
                let view_key = Some(view.to_string());
                let request = ListRequest { view: view_key, limit: *limit, narrowed, ..ListRequest::default() };
                let mut body = self.list_with_clocks(pack, viewer, form, request).await?;
                body["kind"] = json!("list");
                body["state"] = json!("ok");
                body["form"] = json!(&**form);
                body["view"] = json!(&**view);
                body["filter"] = source.unwrap_or_default();
                Ok(body)
            }
            TileKind::Text { text } => Ok(json!({"kind": "text", "state": "ok", "text": text.get(&viewer.language)})),
            TileKind::Tasks { tasks } => {
                let user = match viewer.user {
                    Some(user) => self.store().user(user).await?,
                    None => None,
                };
                let page = BoxPage::first(*tasks, TASKS);
                let mut body = self.tasks_with_clocks(user.as_ref(), &viewer.language, page).await?;
                body["kind"] = json!("tasks");
                body["state"] = json!("ok");
                Ok(body)
            }
            TileKind::Timeline { sources, limit } => {
                let Some((about, _)) = &opened.about else { return Ok(failed_tile(tile)) };
                let Some(form) = &opened.board.of else { return Ok(failed_tile(tile)) };
                let sources = Some(sources.clone());
                let (kinds, after) = ask.timelines.get(&**key).cloned().unwrap_or_default();
                let request = TimelineRequest { sources, kinds, limit: *limit, after };
                let mut body = self.timeline(pack, viewer, form, about.id(), request).await?;
                body["kind"] = json!("timeline");
                body["state"] = json!("ok");
                Ok(body)
            }
            TileKind::Record { .. } | TileKind::Rules { .. } | TileKind::Form(_) => {
                let told = opened.about.as_ref().and_then(|(_, answer)| answer["tiles"].get(&**key)).cloned();
                let Some(mut body) = told else { return Ok(failed_tile(tile)) };
                body["kind"] = json!(kind_of(tile));
                Ok(body)
            }
            _ => Ok(failed_tile(tile)),
        }
    }
}

/// What somebody makes of a suggestion.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// The board that shows it.
    pub board: &'a str,
    /// Its tile.
    pub tile: &'a str,
    /// The rule that hit.
    pub rule: &'a str,
    /// Accepted, or else dismissed.
    pub is_accepted: bool,
}

/// A board while its tiles are gathered.
struct Opened<'a> {
    pack: &'a Arc<Pack>,
    viewer: &'a Viewer,
    board: &'a Board,
    /// Its record and what is told of it.
    about: Option<(Around, Json)>,
    ask: &'a Ask,
}

/// A tile whose condition reads what the viewer does not.
struct NotForThem;

impl Opened<'_> {
    fn narrowed(&self, filter: Option<&TileFilter>) -> Result<Option<Narrowed>, NotForThem> {
        let Some(filter) = filter else { return Ok(None) };
        let around = self.about.as_ref().map(|(around, _)| around);
        narrowed(self.pack, self.viewer, filter, around).map(Some).ok_or(NotForThem)
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

/// The first board that is the page of a form's records for this viewer.
pub fn page_of(pack: &Pack, viewer: &Viewer, form: &Key) -> Option<Key> {
    let mut boards = pack.boards().iter().filter(|(_, board)| board.of.as_ref() == Some(form));
    boards.find(|(_, board)| may_open(board, viewer)).map(|(key, _)| key.clone())
}

fn kind_of(tile: &Tile) -> &'static str {
    match tile.kind {
        TileKind::Metric { .. } => "metric",
        TileKind::Report { .. } => "report",
        TileKind::List { .. } => "list",
        TileKind::Text { .. } => "text",
        TileKind::Tasks { .. } => "tasks",
        TileKind::Record { .. } => "record",
        TileKind::Timeline { .. } => "timeline",
        TileKind::Rules { .. } => "rules",
        TileKind::Form(_) => "form",
        _ => "unknown",
    }
}

fn hidden(tile: &Tile) -> Json {
    json!({"kind": kind_of(tile), "state": "hidden"})
}

fn failed_tile(tile: &Tile) -> Json {
    json!({"kind": kind_of(tile), "state": "failed"})
}

fn rejected(kind: RejectionKind, code: &str, title: String) -> Failure {
    Failure::Rejected(Box::new(Rejection::new(kind, code, title)))
}
