//! OpenAPI 3.1 of this deployment: one path per form the caller may see, typed by the forms' JSON Schemas.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Method;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::problem::Answer;
use crate::server::Server;
use crate::session::{Caller, SCOPES, scope_of};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/openapi.json", get(document))
}

async fn document(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    let mut paths = fixed_paths();
    let deployed = server.engine.deployed();
    for pack in &deployed.packs {
        let viewer = caller.viewer(&server.engine, pack);
        for (key, form) in pack.forms() {
            let Some(seen) = server.engine.form(pack, &viewer, key) else { continue };
            // Where two packs have a form of that name, each is addressed with its pack.
            let is_only = deployed.packs.iter().filter(|pack| pack.forms().contains_key(key)).count() == 1;
            let address = if is_only { key.to_string() } else { format!("{}.{key}", pack.key()) };
            // What the caller may not do has no schema, and what has no schema is not described.
            let schema = |operation: &str| server.engine.form_schema(pack, &viewer, key, operation).ok();
            let form = OfForm {
                label: form.label.get(&caller.language),
                read: schema("read"),
                create: schema("create"),
                update: schema("update"),
                deletes: seen["delete"] == true,
            };
            paths.extend(form.paths(&address));
        }
    }
    for (path, item) in &mut paths {
        add_security(path, item);
    }
    let scopes: Map<String, Value> = SCOPES.iter().map(|(key, what)| ((*key).to_owned(), json!(what))).collect();
    Ok(Json(json!({
        "openapi": "3.1.0",
        "info": {"title": "Formwork", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": crate::session::COOKIE},
                "token": {"type": "http", "scheme": "bearer", "description": "An API token with scopes", "x-formwork-scopes": scopes},
            },
            "schemas": {"Problem": problem_schema()},
        },
    })))
}

/// A session does all its user may; a token names the scope that an operation needs.
fn add_security(path: &str, item: &mut Value) {
    for (method, operation) in item.as_object_mut().into_iter().flatten() {
        let Some(Ok(method)) = operation.is_object().then(|| method.to_uppercase().parse::<Method>()) else { continue };
        let Ok(scope) = scope_of(&method, path) else { continue };
        let token = json!({"token": scope.into_iter().collect::<Vec<_>>()});
        operation["security"] = json!([{"session": []}, token]);
    }
}

/// What the caller may do with a form.
struct OfForm<'a> {
    label: &'a str,
    read: Option<Value>,
    create: Option<Value>,
    update: Option<Value>,
    deletes: bool,
}

impl OfForm<'_> {
    /// Its paths: those the caller has a schema for.
    fn paths(self, address: &str) -> Map<String, Value> {
        let (label, seen) = (self.label, self.read.clone().unwrap_or_else(|| json!({"type": "object"})));
        let (mut many, mut one) = (Map::new(), Map::new());
        let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}});
        one.insert("parameters".to_owned(), json!([id]));
        if self.read.is_some() {
            many.insert("get".to_owned(), list_of(label, &seen));
            let summary = format!("Read: {label}");
            let parameters = [query("fields", "string"), query("min_seq", "integer")];
            let read = json!({"summary": summary, "parameters": parameters, "responses": answers("200", &seen)});
            one.insert("get".to_owned(), read);
        }
        if let Some(create) = self.create {
            let mut post = json!({"summary": format!("File: {label}"), "requestBody": body(&create)});
            post["parameters"] = json!([header("Idempotency-Key", ONCE)]);
            post["responses"] = answers("201", &seen);
            many.insert("post".to_owned(), post);
        }
        if let Some(update) = self.update {
            let mut patch = changing(format!("Change: {label}"), answers("200", &seen));
            patch["requestBody"] = body(&update);
            patch["requestBody"]["content"]["application/json-patch+json"] = json!({"schema": {"type": "array"}});
            one.insert("patch".to_owned(), patch);
        }
        if self.deletes {
            let delete = changing(format!("Delete: {label}"), answers("204", &Value::Null));
            one.insert("delete".to_owned(), delete);
        }
        let mut paths = Map::new();
        paths.insert(format!("/api/records/{address}"), Value::Object(many));
        paths.insert(format!("/api/records/{address}/{{id}}"), Value::Object(one));
        paths
    }
}

/// What `Idempotency-Key` does.
const ONCE: &str = "The same key with the same request gets the same answer; for those who are logged in";
/// Where a key is of use beside the records of a form.
const ONCE_IN: [&str; 6] =
    ["/api/records/", "/api/tasks/", "/api/workflows/", "/api/imports/", "/api/instances/", "/api/messages/"];
/// What `Last-Event-ID` does.
const LAST_EVENT: &str = "The id of the last event heard: what came after it is told first";
/// What `If-Match` does.
const IF_MATCH: &str = "The version this change is made to, for example \"3\"; 412 where the record has moved on";

/// An operation on a record that may have moved on.
fn changing(summary: String, mut answers: Value) -> Value {
    let both = json!({"allOf": [
        {"$ref": "#/components/schemas/Problem"},
        {"type": "object", "properties": {"current": {"type": ["object", "null"]}, "changed": {"type": "array", "items": {"type": "string"}}}},
    ]});
    answers["412"] = json!({"description": "both sides", "content": {"application/problem+json": {"schema": both}}});
    let parameters = [header("If-Match", IF_MATCH), header("Idempotency-Key", ONCE)];
    json!({"summary": summary, "parameters": parameters, "responses": answers})
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}})
}

fn query(name: &str, ty: &str) -> Value {
    let described = QUERY.iter().find(|(known, _)| *known == name).map(|(_, description)| *description);
    json!({"name": name, "in": "query", "description": described, "schema": {"type": ty}})
}

/// What the parameters of queries mean.
const QUERY: [(&str, &str); 16] = [
    ("view", "A view of the form: its filter, sort and columns"),
    ("filter", "A condition in the expression language"),
    ("sort", "Fields, separated by commas; - in front for descending"),
    ("fields", "Fields wanted, separated by commas"),
    ("limit", "Most items, 1 to 200"),
    ("after", "next of the page before"),
    ("box", "mine (where left out), claimable, team, cc, done, started"),
    ("queue", "Only tasks of this queue"),
    ("workflow", "Only tasks of this workflow"),
    ("q", "Text that some readable text field must contain"),
    ("min_seq", "The answer holds at least that change; 503 where it has not arrived"),
    (
        "range",
        "last 13 weeks, this month, past 24 hours, all, 2026-01-01..2026-01-31 (both days included) or \
               2026-01-01/2026-02-01 (the second day left out)",
    ),
    ("format", "json; for reports also csv"),
    ("explain", "1 for the plan beside the answer"),
    ("plan", "The hash of the plan you looked at, where the body is an archive"),
    ("since", "What was told or shown until then is not told again: milliseconds, as the ids of events are"),
];

fn list_of(label: &str, record: &Value) -> Value {
    let texts = ["view", "filter", "sort", "fields", "after", "q"];
    let numbers = ["limit", "min_seq"].map(|name| query(name, "integer"));
    let parameters = texts.iter().map(|name| query(name, "string")).chain(numbers);
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
        if path.starts_with("/api/metrics") || path.starts_with("/api/reports") || path.starts_with("/api/boards") {
            let texts = ["range", "format"].map(|name| query(name, "string"));
            let numbers = ["explain", "min_seq"].map(|name| query(name, "integer"));
            entry[method]["parameters"] = texts.into_iter().chain(numbers).collect();
        } else if (path, method) == ("/api/tasks", "get") {
            let texts = ["box", "queue", "workflow", "after"].map(|name| query(name, "string"));
            entry[method]["parameters"] = texts.into_iter().chain([query("limit", "integer")]).collect();
        } else if (path, method) == ("/api/notices", "get") {
            entry[method]["parameters"] = json!([query("after", "integer")]);
        } else if method == "post" && ONCE_IN.iter().any(|area| path.starts_with(area)) {
            entry[method]["parameters"] = json!([header("Idempotency-Key", ONCE)]);
        } else if path == "/api/events" {
            entry[method]["parameters"] = json!([query("since", "integer"), header("Last-Event-ID", LAST_EVENT)]);
            entry[method]["responses"]["200"]["content"] = json!({"text/event-stream": {"schema": {"type": "string"}}});
        } else if path.starts_with("/api/packs/") {
            of_pack(path, method, &mut entry[method]);
        }
    };
    for (path, method, summary) in FIXED {
        add(path, method, summary);
    }
    paths
}

/// Packs travel as JSON or as an archive.
fn of_pack(path: &str, method: &str, operation: &mut Value) {
    let archive = json!({"schema": {"type": "string", "contentMediaType": "application/zip"}});
    if method == "get" {
        operation["responses"]["200"]["content"]["application/zip"] = archive;
        return;
    }
    let files = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let properties = json!({"files": files, "plan": {"type": "string"}});
    operation["requestBody"] = body(&json!({"type": "object", "properties": properties}));
    operation["requestBody"]["content"]["application/zip"] = archive;
    if path.ends_with("/deploy") {
        operation["parameters"] = json!([query("plan", "string")]);
    }
}

/// Path, method, what it does.
pub const FIXED: &[(&str, &str, &str)] = &[
    ("/healthz", "get", "The process lives"),
    ("/readyz", "get", "The process can serve, and how late the first timer is"),
    ("/metrics", "get", "What monitoring reads, as OpenMetrics text; for administrators"),
    ("/api/session", "post", "Log in"),
    ("/api/session", "get", "Who am I"),
    ("/api/session", "delete", "Log out"),
    ("/api/forms", "get", "The forms I may see"),
    ("/api/forms/{form}", "get", "One form"),
    ("/api/forms/{form}/schema", "get", "Its JSON Schema for my role and an operation"),
    ("/api/forms/{form}/evaluate", "post", "Its rules while one types"),
    ("/api/records/{form}/bulk", "post", "File, change or delete many records, with a result for each"),
    ("/api/records/{form}/{id}/undo", "post", "Take the last change of a record back"),
    ("/api/records/{form}/{id}/suggestions", "post", "Accept or dismiss what a board suggests about a record, once"),
    ("/api/tasks/batch", "post", "Claim, release, remind of or transfer many tasks, with a result for each"),
    ("/api/notices", "get", "What concerns me, the newest first, and how much of it I have not read"),
    ("/api/notices/read", "post", "I have read a notice, or all up to one"),
    ("/api/undo/{token}", "post", "Take back what one request did to many"),
    ("/api/records/{form}/{id}/draft", "get", "My draft of a record, or of a new one"),
    ("/api/records/{form}/{id}/draft", "put", "Keep what I typed so far"),
    ("/api/records/{form}/{id}/draft", "delete", "Forget my draft"),
    ("/api/events", "get", "What changes that I may see, as it happens: kinds of things, no records and no values"),
    ("/api/search", "get", "What matches a text, over all I may read"),
    ("/api/me/views", "get", "My saved views of a form, and those shared with me"),
    ("/api/me/views", "post", "Save a view"),
    ("/api/me/views/{view}", "put", "Save my view anew"),
    ("/api/me/views/{view}", "delete", "Forget my view"),
    ("/api/me", "get", "Who I am, and how I like it"),
    ("/api/me", "patch", "My language and appearance"),
    ("/api/me/password", "put", "Choose another password: {old, new}; my other sessions end"),
    ("/api/me/sessions", "get", "Where I am logged in"),
    ("/api/me/sessions", "delete", "Log me out everywhere else"),
    ("/api/me/sessions/{session}", "delete", "Log me out there"),
    ("/api/me/tokens", "get", "My API tokens"),
    ("/api/me/tokens", "post", "Make an API token: {name, scopes, until}; its secret is told once"),
    ("/api/me/tokens/{token}", "delete", "Revoke my token"),
    ("/api/admin/users", "get", "Users: q, role, queue, team, active, after, limit"),
    (
        "/api/admin/users",
        "post",
        "Add a user: {login, name, roles, queues, language}; a password for one log-in is told once",
    ),
    ("/api/admin/users/{user}", "get", "One user"),
    ("/api/admin/users/{user}", "patch", "Change name, roles, queues, language, or whether they may log in (active)"),
    (
        "/api/admin/users/{user}/password",
        "post",
        "Give another password for one log-in, told once; all their sessions end",
    ),
    ("/api/admin/users/{user}/sessions", "get", "Where they are logged in"),
    ("/api/admin/users/{user}/sessions", "delete", "Log them out everywhere"),
    ("/api/admin/users/{user}/tokens", "get", "Their API tokens"),
    ("/api/admin/users/{user}/tokens/{token}", "delete", "Revoke one of their tokens"),
    ("/api/admin/roles", "get", "Roles that users can be given"),
    ("/api/admin/queues", "get", "Queues and who serves them"),
    ("/api/admin/queues/{queue}/members/{user}", "put", "Take a user into a queue"),
    ("/api/admin/queues/{queue}/members/{user}", "delete", "Take a user out of a queue"),
    ("/api/admin/teams", "get", "Teams, who is of them and who leads them"),
    ("/api/admin/teams", "post", "Add a team: {key, name}"),
    ("/api/admin/teams/{team}", "patch", "Call a team something else: {name}"),
    ("/api/admin/teams/{team}", "delete", "Remove a team that nobody is of and no open task waits for"),
    (
        "/api/admin/teams/{team}/members/{user}",
        "put",
        "Make a user a member of a team, which is the only one they are of, its lead, or both: {member, lead}",
    ),
    ("/api/admin/teams/{team}/members/{user}", "delete", "Take a user out of a team, also as its lead"),
    ("/api/exports/{form}", "get", "The rows of a list as a file, all of them"),
    ("/api/records/{form}/{id}/history", "get", "The history of a record"),
    ("/api/records/{form}/{id}/clocks", "get", "How much time is left on the clocks of a record"),
    ("/api/records/{form}/{id}/timeline", "get", "What happened to a record and what came to link to it"),
    ("/api/records/{form}/{id}/comments", "get", "What was said about a record"),
    ("/api/records/{form}/{id}/comments", "post", "Comment on a record"),
    (
        "/api/public/track",
        "get",
        "How far something is, for whoever knows it: no log-in, the proofs of the form as parameters",
    ),
    ("/api/tasks", "get", "A box of my inbox: mine, claimable, team (queues and teams I lead), cc, done, started"),
    ("/api/tasks/{id}", "get", "One task with its form"),
    ("/api/admin/incidents", "get", "Instances that stand still"),
    (
        "/api/admin/audit",
        "get",
        "The audit log, for auditors: q, kind (one, or all that begin with it where it ends with a dot), from, to, before, \
         limit, format=csv",
    ),
    ("/api/admin/outbox", "get", "Messages on their way, without whom they are for: state, channel, after, limit"),
    ("/api/admin/outbox/resend", "post", "Send a message again that failed: {key}"),
    ("/api/admin/jobs", "get", "Imports of everybody: after, limit"),
    ("/api/instances/{id}/{verb}", "post", "An administrator's help: retry, jump, cancel"),
    ("/api/messages/{name}", "post", "An event from outside: whoever waits for it goes on"),
    (
        "/api/tasks/{id}/{verb}",
        "post",
        "claim, release, complete, transfer, delegate, resolve, return, cc, remind, withdraw, comment",
    ),
    ("/api/workflows/{workflow}/start", "post", "Start a workflow by hand"),
    ("/api/metrics/{metric}", "get", "A metric"),
    ("/api/reports/{report}", "get", "A report"),
    ("/api/boards/{board}", "get", "A board"),
    ("/api/packs", "get", "Deployed packs"),
    ("/api/packs/{pack}", "get", "One deployed pack; as a zip archive, its files as they were deployed"),
    ("/api/packs/{pack}/check", "post", "Check a pack"),
    ("/api/packs/{pack}/plan", "post", "What deploying it would change"),
    ("/api/packs/{pack}/deploy", "post", "Deploy what the plan says"),
    ("/api/imports/{import}", "post", "Import a file into a form, or by an import definition"),
    ("/api/imports/{import}", "get", "How far an import is"),
    ("/api/imports/{import}/errors.csv", "get", "The rows it refused"),
    ("/api/imports/{import}/{verb}", "post", "Check, run, cancel or undo an import"),
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
