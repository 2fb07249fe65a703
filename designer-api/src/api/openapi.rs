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
            let schema = |operation: &str| server.engine.form_schema(pack, &viewer, key, operation);
            let label = form.label.get(&caller.language);
            paths.extend(form_paths(key, label, &schema("read")?, &schema("create")?, &schema("update")?));
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

/// The paths of one form.
fn form_paths(form: &str, label: &str, read: &Value, create: &Value, update: &Value) -> Map<String, Value> {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}});
    let query = |name: &str, ty: &str| json!({"name": name, "in": "query", "schema": {"type": ty}});
    let list = json!({
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": read},
            "next": {"type": ["string", "null"]},
            "total": {"type": "object", "properties": {"value": {"type": "integer"}, "exact": {"type": "boolean"}}},
        },
    });
    let mut paths = Map::new();
    paths.insert(
        format!("/api/records/{form}"),
        json!({
            "get": {
                "summary": format!("List: {label}"),
                "parameters": [
                    query("view", "string"), query("filter", "string"), query("sort", "string"),
                    query("fields", "string"), query("limit", "integer"), query("after", "string"), query("q", "string"),
                ],
                "responses": answers("200", &list),
            },
            "post": {
                "summary": format!("File: {label}"),
                "requestBody": body(create),
                "responses": answers("201", read),
            },
        }),
    );
    paths.insert(
        format!("/api/records/{form}/{{id}}"),
        json!({
            "parameters": [id],
            "get": {"summary": format!("Read: {label}"), "responses": answers("200", read)},
            "patch": {
                "summary": format!("Change: {label}"),
                "requestBody": body(update),
                "responses": answers("200", read),
            },
            "delete": {"summary": format!("Delete: {label}"), "responses": answers("204", &Value::Null)},
        }),
    );
    paths
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
pub const FIXED: [(&str, &str, &str); 24] = [
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
    ("/api/tasks/{id}/{verb}", "post", "claim, release, complete, transfer, comment"),
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
