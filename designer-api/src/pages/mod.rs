//! The pages people see. Handlers gather and templates draw: a handler calls the engine, builds one view struct and names
//! a template. Nothing here decides what a viewer may see; that is the engine's projection.

mod about;
mod admin;
mod arranged;
mod boards;
mod boxes;
mod cleared;
mod edit;
mod errors;
mod home;
mod imports;
mod inbox;
mod linked;
mod list;
mod many;
mod me;
mod notices;
mod people;
mod public;
mod record;
mod reports;
mod saving;
mod search;
mod selection;
mod shell;
mod strangers;
mod tabs;
mod tiles;
mod track;
mod undoing;
mod verbs;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::server::Server;

/// All pages, and the page for addresses where nothing is.
pub fn routes(server: &Arc<Server>) -> Router<Arc<Server>> {
    Router::new()
        .merge(public::routes())
        .merge(track::routes())
        .merge(strangers::routes())
        .merge(home::routes())
        .merge(list::routes())
        .merge(arranged::routes())
        .merge(search::routes())
        .merge(selection::routes())
        .merge(undoing::routes())
        .merge(record::routes())
        .merge(edit::routes())
        .merge(inbox::routes())
        .merge(verbs::routes())
        .merge(many::routes())
        .merge(notices::routes())
        .merge(boards::routes())
        .merge(reports::routes())
        .merge(imports::routes())
        .merge(me::routes())
        .merge(admin::routes())
        .fallback(errors::nothing_here)
        .layer(from_fn_with_state(server.clone(), errors::drawn))
}
