//! The JSON API, one file per group of rows in the API's table. Handlers parse, call the engine and answer; nothing is
//! decided here.

pub mod analytics;
pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod drafts;
mod events;
mod exports;
pub mod forms;
pub mod health;
pub mod imports;
pub mod instances;
pub(crate) mod me;
pub mod messages;
mod notices;
mod once;
pub mod openapi;
pub(crate) mod operations;
pub mod packs;
mod patch;
pub(crate) mod people;
pub mod problem;
pub mod records;
mod request;
pub(crate) mod search;
pub mod sessions;
mod suggestions;
pub mod tasks;
mod teams;
mod timeline;
pub mod track;
pub(crate) mod undo;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::server::Server;

/// Most bytes of a request body, imports excepted.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// All routes of the API.
pub fn routes(server: &Arc<Server>) -> Router<Arc<Server>> {
    let sized = |routes: Router<Arc<Server>>, most: usize| {
        let once = from_fn_with_state((server.clone(), most), once::once);
        routes.layer(once).layer(DefaultBodyLimit::max(most))
    };
    let ordinary = Router::new()
        .merge(health::routes())
        .merge(sessions::routes())
        .merge(forms::routes())
        .merge(records::routes())
        .merge(bulk::routes())
        .merge(undo::routes())
        .merge(events::routes())
        .merge(exports::routes())
        .merge(views::routes())
        .merge(drafts::routes())
        .merge(search::routes())
        .merge(timeline::routes())
        .merge(suggestions::routes())
        .merge(tasks::routes())
        .merge(batch::routes())
        .merge(notices::routes())
        .merge(track::routes())
        .merge(messages::routes())
        .merge(instances::routes())
        .merge(operations::routes())
        .merge(teams::routes())
        .merge(analytics::routes())
        .merge(packs::routes())
        .merge(openapi::routes());
    // Answers with secrets in them are never kept to be told again.
    let secret = Router::new().merge(people::routes()).merge(me::routes()).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    sized(ordinary, BODY_BYTES_MAX).merge(secret).merge(sized(imports::routes(), imports::BODY_BYTES_MAX))
}
