//! Instances that stand still, and how an administrator helps them on.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::Act;
use formwork_core::stimulus::InstanceVerb;
use formwork_core::wire::instant_text;
use formwork_model::Key;
use formwork_runtime::Engine;
use formwork_store::{Fault, StoppedInstance};

use super::once::Once;
use super::problem::{Answer, Problem};
use super::request::parse;
use crate::server::Server;
use crate::session::Caller;

/// Most instances of one answer.
const LIMIT: u32 = 200;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/admin/incidents", get(incidents)).route("/api/instances/{id}/{verb}", post(act))
}

/// What stands still, the newest first. Nothing of the record is told: an administrator may not read it.
async fn incidents(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    caller.require_role(&["admin"])?;
    let stopped = stopped(&server.engine).await?;
    let items: Vec<Value> = stopped
        .into_iter()
        .map(|stopped| {
            let record = stopped.record.map(|(form, id)| json!({"form": form, "id": id}));
            json!({
                "instance": stopped.instance, "pack": stopped.pack, "workflow": stopped.workflow, "record": record,
                "step": stopped.step, "code": stopped.code, "message": stopped.message, "at": instant_text(stopped.at),
            })
        })
        .collect();
    Ok(Json(json!({"items": items, "next": null})))
}

/// What stands still.
pub(crate) async fn stopped(engine: &Engine) -> Result<Vec<StoppedInstance>, Fault> {
    engine.store().stopped_instances(LIMIT).await
}

/// Why, and for `jump` where to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Help {
    reason: String,
    #[serde(default)]
    to: Option<String>,
}

async fn act(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((id, verb)): Path<(Uuid, String)>,
    Once(request): Once,
    body: Bytes,
) -> Answer<Json<Value>> {
    caller.require_role(&["admin"])?;
    let sent: Help = parse(&body)?;
    let verb = match (verb.as_str(), sent.to) {
        ("retry", None) => InstanceVerb::Retry,
        ("cancel", None) => InstanceVerb::Cancel,
        ("jump", Some(to)) => InstanceVerb::Jump { to: Key::from(to) },
        ("jump", None) => return Err(Problem::malformed("a jump says where `to`")),
        ("retry" | "cancel", Some(_)) => return Err(Problem::malformed("only a jump has a `to`")),
        _ => return Err(Problem::not_found("verb", &verb)),
    };
    let deployed = server.engine.deployed();
    let key = server.engine.store().pack_of_instance(id).await?;
    let pack = deployed.packs.iter().find(|pack| Some(pack.key()) == key.as_ref());
    let pack = pack.ok_or_else(|| Problem::not_found("instance", &id.to_string()))?;
    let viewer = caller.viewer(&server.engine, pack);
    let word = match &verb {
        InstanceVerb::Retry => "retry",
        InstanceVerb::Cancel => "cancel",
        InstanceVerb::Jump { .. } => "jump",
    };
    let act = Act::Instance { id, verb, reason: sent.reason.clone() };
    let committed = server.engine.submit(pack, viewer, act, request).await?;
    if !committed.replayed {
        server.engine.tell_helped(&caller.by()?, word, id, &sent.reason).await?;
    }
    Ok(Json(json!({"instance": {"id": id}, "seq": committed.seq})))
}
