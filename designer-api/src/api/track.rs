//! `GET /api/public/track?form=…`: how far something is, for whoever knows it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use uuid::Uuid;

use formwork_core::wire::folded;
use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::Pack;
use formwork_model::pack::form::Form;
use formwork_model::pack::public::Track;
use formwork_store::Failure;

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::{Address, Caller};

/// Wrong answers are not given sooner than this after the question: how long one takes tells nothing.
const WRONG_AFTER: Duration = Duration::from_millis(300);

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/public/track", get(track))
}

/// How the records of a form are followed, if they are.
pub(crate) fn followed(form: &Form) -> Option<&Track> {
    form.track()
}

/// What the sender keeps: the value that finds the record, where it is followed; else "".
pub(crate) async fn reference(server: &Server, pack: &Arc<Pack>, form: &Form, id: Uuid) -> Result<String, Failure> {
    let Some(proof) = form.track().and_then(|track| track.by.first()) else { return Ok(String::new()) };
    let key = proof.key(form).clone();
    let (system, fields) = (Viewer::system("en"), Some(vec![key.to_string()]));
    let record = server.engine.record_with(pack, &system, &form.key, id, fields).await?;
    Ok(record[&*key].as_str().unwrap_or_default().to_owned())
}

/// What somebody asks who is not logged in.
pub(crate) struct Asked<'a> {
    pub(crate) pack: &'a Arc<Pack>,
    pub(crate) form: &'a Form,
    /// In the order of the form.
    pub(crate) proofs: &'a [String],
    pub(crate) from: Option<IpAddr>,
}

/// What they are told, as [`formwork_core::questions::track`] says it; none where they know nothing, or guessed too often.
pub(crate) async fn told(server: &Server, asked: &Asked<'_>, language: &str) -> Result<Option<Value>, Failure> {
    let since = tokio::time::Instant::now();
    let (strangers, now) = (&server.strangers, server.engine.clock().now());
    strangers.may_try(asked.from, now)?;
    let (pack, form) = (asked.pack.key(), asked.form);
    let reference = &asked.proofs.first().map(|proof| folded(proof)).unwrap_or_default();
    let found = server.engine.track(asked.pack, &form.key, asked.proofs.to_vec(), language).await?;
    if !found.is_null() && !strangers.is_locked(pack, form, reference, now) {
        return Ok(Some(found));
    }
    strangers.wrong(pack, &form.key, reference, now);
    tokio::time::sleep_until(since + WRONG_AFTER).await;
    Ok(None)
}

async fn track(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Address(from): Address,
    Query(given): Query<Vec<(String, String)>>,
) -> Answer<Json<Value>> {
    let value = |key: &str| given.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    let unknown = || {
        let title = "nothing fits what you know of it";
        Problem::from(Rejection::new(RejectionKind::NotFound, "not_tracked", title))
    };
    let since = tokio::time::Instant::now();
    let named = value("form").and_then(|form| server.engine.deployed().form(&form).ok());
    let Some((pack, form)) = named.map(|(pack, key)| (pack.clone(), pack.form(&key).clone())) else {
        tokio::time::sleep_until(since + WRONG_AFTER).await;
        return Err(unknown());
    };
    let by = followed(&form).map(|track| track.by.as_slice()).unwrap_or_default();
    let proofs: Vec<String> = by.iter().map(|proof| value(proof.key(&form)).unwrap_or_default()).collect();
    let asked = Asked { pack: &pack, form: &form, proofs: &proofs, from };
    told(&server, &asked, &caller.language).await?.map(Json).ok_or_else(unknown)
}
