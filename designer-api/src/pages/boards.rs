//! `/boards/{board}`: tiles over one range, or about one record.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use uuid::Uuid;

use formwork_model::pack::analytics::TileKind;
use formwork_model::{Key, Pack};
use formwork_runtime::analytics::Ask;

use super::errors::Refusal;
use super::record::title_of;
use super::shell::Page;
use super::tiles::{Gatherer, Tile};
use super::visit::Visit;
use crate::server::Server;
use crate::view::cell::plain;
use crate::view::field::Link;
use crate::view::filters::Bar;
use crate::view::format::Time;
use crate::view::numbers::{as_of, range_bar, range_text};
use crate::view::query::{Pairs, first};
use crate::view::seen::Seen;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/boards/{board}", get(board))
}

/// What a board shows (templates/pages/boards/board.html).
#[derive(Debug, Serialize)]
struct BoardView {
    bar: Bar,
    as_of: Option<Time>,
    tiles: Vec<Tile>,
    about: Option<About>,
    watch: Option<Watch>,
}

/// The record a board is about, as its page is told that it changed.
#[derive(Debug, Serialize)]
struct Watch {
    topic: String,
    href: String,
    version: String,
}

/// What may be done with the record a board is about.
#[derive(Debug, Serialize)]
struct About {
    edit: Option<Link>,
    all: Link,
}

async fn board(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let deployed = visit.engine().deployed();
    let known = |pack: &Pack, key: &str| pack.boards().get_key_value(key).map(|(key, _)| key.clone());
    let (pack, key) = deployed.find(&name, "board", known)?;
    let pairs = visit.pairs();
    let record = first(&pairs, "record").map(str::parse::<Uuid>).transpose();
    let record = record.map_err(|_| crate::api::problem::Problem::malformed("`record` is the id of a record"))?;
    open(&visit, &pack, &key, record).await
}

/// A board, or the page of a record that it is.
pub(super) async fn open(
    visit: &Visit,
    pack: &Arc<Pack>,
    key: &Key,
    record: Option<Uuid>,
) -> Result<Response, Refusal> {
    let viewer = visit.viewer(pack);
    let pairs = visit.pairs();
    let range = first(&pairs, "range").map(str::to_owned);
    let timelines = timelines(pack, key, &pairs);
    let ask = Ask { range: range.clone(), record, timelines, drill: true, ..Ask::default() };
    let answer = visit.engine().board(pack, &viewer, key, &ask).await?;
    let definition = &pack.boards()[key];
    let local = visit.local(pack);
    let scribe = visit.scribe(pack, &viewer, &local);
    let about = match (&definition.of, record) {
        (Some(form), Some(id)) => Some((Seen::new(pack, form, &viewer), id)),
        _ => None,
    };
    let gatherer = Gatherer {
        scribe,
        pack,
        viewer: &viewer,
        board: definition,
        range: range.as_deref(),
        about: about.as_ref().map(|(seen, id)| (seen, *id)),
        path: visit.uri.path(),
        pairs: &pairs,
    };
    let bodies = || answer["tiles"].as_object().into_iter().flatten();
    let tiles: Vec<Tile> = bodies().map(|(key, body)| gatherer.tile(key, body)).collect();
    let bar = match &definition.range {
        Some(own) => range_bar(visit.uri.path(), &pairs, &range_text(own), &local),
        None => Bar::default(),
    };
    let oldest = bodies().map(|(_, body)| body).find(|body| body["as_of"].is_string());
    let mut page = Page { title: definition.label.get(&local.language).to_owned(), wide: true, ..Page::default() };
    let mut view = BoardView { bar, as_of: oldest.map(|body| as_of(body, &local)), tiles, about: None, watch: None };
    if let Some((seen, id)) = &about {
        let path = format!("{}/{id}", seen.path(visit.engine()));
        let record = visit.engine().record(pack, &viewer, &seen.form.key, *id).await?;
        let label = seen.form.label.get(&local.language).to_owned();
        page.title = title_of(&record);
        page.breadcrumb = vec![Link { label, href: seen.path(visit.engine()) }];
        let may_update = record["_may"]["update"] == true;
        let edit = may_update.then(|| Link { label: visit.say("record.edit", &[]), href: format!("{path}/edit") });
        let all = Link { label: visit.say("record.all", &[]), href: format!("{path}?page=fields") };
        view.about = Some(About { edit, all });
        let href = format!("/api{path}?fields=version");
        view.watch = Some(Watch { topic: seen.topic(), href, version: plain(&record["version"]) });
    }
    Ok(visit.draw("pages/boards/board.html", page, "board", view).await?)
}

/// What the address says of timelines: `<tile>.kind=comment`, `<tile>.after=…`.
fn timelines(pack: &Pack, board: &Key, pairs: &Pairs) -> HashMap<String, (Vec<String>, Option<String>)> {
    let tiles = pack.boards()[board].tiles.iter();
    let timelines = tiles.filter(|(_, tile)| matches!(tile.kind, TileKind::Timeline { .. }));
    let asked = timelines.map(|(key, _)| {
        let kind = first(pairs, &format!("{key}.kind")).map(str::to_owned);
        let after = first(pairs, &format!("{key}.after")).map(str::to_owned);
        (key.to_string(), (kind.into_iter().collect(), after))
    });
    asked.collect()
}
