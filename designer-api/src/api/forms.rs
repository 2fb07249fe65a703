//! What this user may see of the forms: overview, JSON Schema, and the rules while one types.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use formwork_runtime::questions::Filled;

use super::problem::Answer;
use crate::server::Server;
use crate::session::Caller;
use crate::view::cell::Scribe;
use crate::view::control::add_texts;
use crate::view::format::Local;
use crate::view::seen::Seen;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/forms", get(all))
        .route("/api/forms/{form}", get(one))
        .route("/api/forms/{form}/schema", get(schema))
        .route("/api/forms/{form}/evaluate", post(evaluate))
}

async fn all(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    let mut items = Vec::new();
    for pack in &server.engine.deployed().packs {
        let viewer = caller.viewer(&server.engine, pack);
        for form in pack.forms().keys() {
            items.extend(server.engine.form(pack, &viewer, form));
        }
    }
    Ok(Json(json!({"items": items})))
}

async fn one(State(server): State<Arc<Server>>, caller: Caller, Path(form): Path<String>) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let seen = server.engine.form(&pack, &viewer, &form);
    Ok(Json(seen.ok_or_else(|| super::problem::Problem::not_found("form", &form))?))
}

/// For which operation a schema is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaOf {
    #[serde(default = "SchemaOf::create")]
    operation: String,
}

impl SchemaOf {
    fn create() -> String {
        "create".to_owned()
    }
}

async fn schema(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(form): Path<String>,
    Query(wanted): Query<SchemaOf>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    Ok(Json(server.engine.form_schema(&pack, &viewer, &form, &wanted.operation)?))
}

/// A form while it is filled in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filling {
    values: Map<String, Value>,
    /// Pointer of the field typed in last. The answer is for the whole form, so it does not depend on it; it is in the
    /// protocol so that a server may answer with less.
    #[serde(default)]
    #[expect(dead_code, reason = "see above")]
    changed: Option<String>,
    /// The caller's number of the request, given back.
    #[serde(default)]
    seq: Value,
    /// The record that is edited; none for a new one.
    #[serde(default)]
    id: Option<Uuid>,
    /// The version of it that the form was drawn with.
    #[serde(default)]
    version: Option<i64>,
    /// The task it is edited in.
    #[serde(default)]
    task: Option<Uuid>,
}

async fn evaluate(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(form): Path<String>,
    Json(filling): Json<Filling>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let Filling { values, seq, id, version, task, .. } = filling;
    let filled = Filled { id, version, task, values };
    let mut answer = server.engine.evaluate(&pack, &viewer, &form, filled).await?;
    if let Some(fields) = answer["fields"].as_object_mut() {
        let local =
            Local { language: caller.language.clone(), zone: *pack.timezone(), now: server.engine.clock().now() };
        let scribe = Scribe { engine: &server.engine, pack: &pack, viewer: &viewer, local: &local };
        add_texts(fields, &Seen::new(&pack, &form, &viewer), scribe);
    }
    answer["seq"] = seq;
    Ok(Json(answer))
}
