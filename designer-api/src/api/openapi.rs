//! OpenAPI 3.1 of this deployment: one path per form the caller may see, typed by the forms' JSON Schemas.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::problem::Answer;
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/openapi.json", get(document))
}

async fn document(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    let mut paths = fixed_paths();
    for pack in &server.engine.deployed().packs {
        let viewer = caller.viewer(&server.engine, pack);
        for (key, form) in pack.forms() {
            if server.engine.form(pack, &viewer, key).is_none() {
                continue;
            }
            // What the caller may not do has no schema, and what has no schema is not described.
            let schema = |operation: &str| server.engine.form_schema(pack, &viewer, key, operation).ok();
            let label = form.label.get(&caller.language);
            paths.extend(form_paths(key, label, schema("read"), schema("create"), schema("update")));
        }
    }
    Ok(Json(json!({
        "openapi": "3.1.0",
        "info": {"title": "Formwork", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": crate::session::COOKIE},
                "token": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Problem": problem_schema()},
        },
        "security": [{"session": []}, {"token": []}],
    })))
}

/// The paths of one form: those the caller has a schema for.
fn form_paths(
    form: &str,
    label: &str,
    read: Option<Value>,
    create: Option<Value>,
    update: Option<Value>,
) -> Map<String, Value> {
    let seen = read.clone().unwrap_or_else(|| json!({"type": "object"}));
    let (mut many, mut one) = (Map::new(), Map::new());
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}});
    one.insert("parameters".to_owned(), json!([id]));
    if read.is_some() {
        many.insert("get".to_owned(), list_of(label, &seen));
        let summary = format!("Read: {label}");
        one.insert("get".to_owned(), json!({"summary": summary, "responses": answers("200", &seen)}));
    }
    if let Some(create) = create {
        let (summary, answers) = (format!("File: {label}"), answers("201", &seen));
        many.insert("post".to_owned(), json!({"summary": summary, "requestBody": body(&create), "responses": answers}));
    }
    if let Some(update) = update {
        let (summary, answers) = (format!("Change: {label}"), answers("200", &seen));
        one.insert("patch".to_owned(), json!({"summary": summary, "requestBody": body(&update), "responses": answers}));
    }
    let summary = format!("Delete: {label}");
    one.insert("delete".to_owned(), json!({"summary": summary, "responses": answers("204", &Value::Null)}));
    let mut paths = Map::new();
    paths.insert(format!("/api/records/{form}"), Value::Object(many));
    paths.insert(format!("/api/records/{form}/{{id}}"), Value::Object(one));
    paths
}

fn list_of(label: &str, record: &Value) -> Value {
    let texts = ["view", "filter", "sort", "fields", "after", "q"];
    let query = |name: &str, ty: &str| json!({"name": name, "in": "query", "schema": {"type": ty}});
    let parameters = texts.iter().map(|name| query(name, "string")).chain([query("limit", "integer")]);
    let list = json!({
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": record},
            "next": {"type": ["string", "null"]},
            "total": {"type": "object", "properties": {"value": {"type": "integer"}, "exact": {"type": "boolean"}}},
        },
    });
    json!({
        "summary": format!("List: {label}"),
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": answers("200", &list),
    })
}

/// Paths that every deployment has.
fn fixed_paths() -> Map<String, Value> {
    let object = json!({"type": "object"});
    let mut paths = Map::new();
    let mut add = |path: &str, method: &str, summary: &str| {
        let entry = paths.entry(path.to_owned()).or_insert_with(|| {
            let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let parameters: Vec<Value> = names
                .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
                .collect();
            json!({"parameters": parameters})
        });
        entry[method] = json!({"summary": summary, "responses": answers("200", &object)});
    };
    for (path, method, summary) in FIXED {
        add(path, method, summary);
    }
    paths
}

/// Path, method, what it does. A test compares this table with the router.
pub const FIXED: [(&str, &str, &str); 27] = [
    ("/healthz", "get", "The process lives"),
    ("/readyz", "get", "The process can serve"),
    ("/api/session", "post", "Log in"),
    ("/api/session", "get", "Who am I"),
    ("/api/session", "delete", "Log out"),
    ("/api/forms", "get", "The forms I may see"),
    ("/api/forms/{form}", "get", "One form"),
    ("/api/forms/{form}/schema", "get", "Its JSON Schema for my role and an operation"),
    ("/api/forms/{form}/evaluate", "post", "Its rules while one types"),
    ("/api/records/{form}/bulk", "post", "File many records, with a result for each"),
    ("/api/records/{form}/{id}/history", "get", "The history of a record"),
    ("/api/records/{form}/{id}/comments", "post", "Comment on a record"),
    ("/api/tasks", "get", "A box of my inbox: mine, claimable, team, done"),
    ("/api/tasks/{id}", "get", "One task with its form"),
    ("/api/admin/incidents", "get", "Instances that stand still"),
    ("/api/instances/{id}/{verb}", "post", "An administrator's help: retry, jump, cancel"),
    ("/api/messages/{name}", "post", "An event from outside: whoever waits for it goes on"),
    (
        "/api/tasks/{id}/{verb}",
        "post",
        "claim, release, complete, transfer, delegate, resolve, return, withdraw, comment",
    ),
    ("/api/workflows/{workflow}/start", "post", "Start a workflow by hand"),
    ("/api/metrics/{metric}", "get", "A metric"),
    ("/api/reports/{report}", "get", "A report"),
    ("/api/boards/{board}", "get", "A board"),
    ("/api/packs", "get", "Deployed packs"),
    ("/api/packs/{pack}/check", "post", "Check a pack"),
    ("/api/packs/{pack}/plan", "post", "What deploying it would change"),
    ("/api/packs/{pack}/deploy", "post", "Deploy what the plan says"),
    ("/api/imports/{import}", "post", "Import a file"),
];

fn body(schema: &Value) -> Value {
    json!({"required": true, "content": {"application/json": {"schema": schema}}})
}

fn answers(status: &str, schema: &Value) -> Value {
    let mut answers = Map::new();
    let mut well = json!({"description": "done"});
    if !schema.is_null() {
        well["content"] = json!({"application/json": {"schema": schema}});
    }
    answers.insert(status.to_owned(), well);
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    let problem = json!({"description": "refused", "content": {"application/problem+json": {"schema": problem}}});
    answers.insert("4XX".to_owned(), problem);
    Value::Object(answers)
}

/// RFC 9457, with our members.
fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "trace_id", "errors"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "trace_id": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "code": {"type": "string"},
                        "pointer": {"type": "string"},
                        "message": {"type": "string"},
                        "hint": {"type": ["string", "null"]},
                    },
                },
            },
        },
    })
}
