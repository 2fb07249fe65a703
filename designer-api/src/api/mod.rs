//! The JSON API, one file per group of rows in the API's table. Handlers parse, call the engine and answer; nothing is
//! decided here.

pub mod analytics;
pub mod forms;
pub mod health;
pub mod imports;
pub mod instances;
pub mod messages;
pub mod openapi;
pub mod packs;
pub mod problem;
pub mod records;
pub mod sessions;
pub mod tasks;

use std::sync::Arc;

use axum::Router;

use crate::server::Server;

/// All routes of the API but those with bodies of their own size.
pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .merge(health::routes())
        .merge(sessions::routes())
        .merge(forms::routes())
        .merge(records::routes())
        .merge(tasks::routes())
        .merge(messages::routes())
        .merge(instances::routes())
        .merge(analytics::routes())
        .merge(packs::routes())
        .merge(openapi::routes())
}
