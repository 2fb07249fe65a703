//! Reading, as a viewer: every answer is JSON made by a pure function of the core over one snapshot.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::questions;
use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::pack::analytics::TaskBox;
use formwork_model::{Key, Pack};
use formwork_store::{Failure, User};

use crate::Engine;

pub use formwork_core::access::ListRequest;

impl Engine {
    /// A page of records: `{"items": [record …], "next": cursor | null, "total": {"value", "exact"}}`. Links in records
    /// are `{"id", "title"}`, masked values are masked text, fields at level `none` are absent. Every item also carries
    /// `title`, the text that names the record to this viewer.
    pub async fn list(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        request: ListRequest,
    ) -> Result<Json, Failure> {
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        self.ask(pack, Box::new(move |facts| questions::list(&p, &v, &f, &request, at, facts))).await
    }

    /// One record as the viewer sees it; 404 where they may not read it.
    pub async fn record(&self, pack: &Arc<Pack>, viewer: &Viewer, form: &Key, id: Uuid) -> Result<Json, Failure> {
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        self.ask(pack, Box::new(move |facts| questions::record(&p, &v, &f, id, at, facts))).await
    }

    /// The history of a record, newest first: `{"items": [{"seq", "at", "kind", "actor": {"id", "name"} | null,
    /// "actor_kind", "step", "data"}], "next": seq | null}`; diffs hold only what the viewer may read, masked where they
    /// see it masked.
    pub async fn history(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        id: Uuid,
        before: Option<i64>,
    ) -> Result<Json, Failure> {
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        self.ask(pack, Box::new(move |facts| questions::history(&p, &v, &f, id, before, at, facts))).await
    }

    /// Pointers of the fields that changed since that version, as far as the viewer may read them.
    pub async fn changed_since(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        id: Uuid,
        version: i64,
    ) -> Result<Json, Failure> {
        let history = self.history(pack, viewer, form, id, None).await?;
        let newer = history["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|event| event["data"]["version"].as_i64().is_some_and(|changed| changed > version));
        let mut pointers: Vec<Json> = Vec::new();
        for operation in newer.flat_map(|event| event["data"]["diff"].as_array().into_iter().flatten()) {
            if !pointers.contains(&operation["path"]) {
                pointers.push(operation["path"].clone());
            }
        }
        Ok(Json::Array(pointers))
    }

    /// A form while it is filled in: `{"fields": {"<pointer>": {"visible", "required", "readonly", "value", "options",
    /// "errors"}}}`. `id`: the record that is edited; `task`: the task it is edited in.
    pub async fn evaluate(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        id: Option<Uuid>,
        task: Option<Uuid>,
        values: Map<String, Json>,
    ) -> Result<Json, Failure> {
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        self.ask(pack, Box::new(move |facts| questions::evaluate(&p, &v, &f, id, task, &values, at, facts))).await
    }

    /// What this viewer may see of a form: `{"key", "pack", "label", "create", "fields": [{"key", "label", "type",
    /// "level", "options"?}], "views": [{"key", "label"}]}`; none where they may neither read nor create.
    pub fn form(&self, pack: &Arc<Pack>, viewer: &Viewer, form: &Key) -> Option<Json> {
        questions::form(pack, viewer, form)
    }

    /// The form's JSON Schema 2020-12 for this viewer and `read`, `create` or `update`.
    pub fn form_schema(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        operation: &str,
    ) -> Result<Json, Rejection> {
        questions::form_schema(pack, viewer, form, operation)
    }

    /// A box of the inbox over all packs: `{"items": [task …], "next": id | null}` with tasks as in `api.md`.
    pub async fn tasks(
        &self,
        user: Option<&User>,
        language: &str,
        tasks: TaskBox,
        limit: u32,
        after: Option<Uuid>,
    ) -> Result<Json, Failure> {
        let mut items: Vec<Json> = Vec::new();
        let mut next = Json::Null;
        for pack in &self.deployed().packs {
            let (p, v, packs) = (pack.clone(), self.viewer(pack, user, language), self.deployed().by_hash.clone());
            let at = self.clock().now();
            let page = self
                .ask(
                    pack,
                    Box::new(move |facts| questions::tasks(&p, &packs.by_hash, &v, tasks, limit, after, at, facts)),
                )
                .await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            if !page["next"].is_null() {
                next = page["next"].clone();
            }
        }
        Ok(serde_json::json!({"items": items, "next": next}))
    }

    /// One task with its form: the task of `api.md` and `"fields": [{"key", "level"}]`, `"instructions"`, `"record"`
    /// with its values as the holder sees them. Also the pack it is of.
    pub async fn task(&self, user: Option<&User>, language: &str, id: Uuid) -> Result<(Arc<Pack>, Json), Failure> {
        for pack in &self.deployed().packs {
            let (p, v, packs) = (pack.clone(), self.viewer(pack, user, language), self.deployed().by_hash.clone());
            let at = self.clock().now();
            let question = Box::new(move |facts: &_| questions::task(&p, &packs.by_hash, &v, id, at, facts));
            match self.ask(pack, question).await {
                Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::NotFound => {}
                answer => return Ok((pack.clone(), answer?)),
            }
        }
        let unknown = Rejection::new(RejectionKind::NotFound, "task_not_found", "there is no such task");
        Err(Failure::Rejected(Box::new(unknown)))
    }

    /// The pack of a task this user may know of.
    pub async fn pack_of_task(&self, user: Option<&User>, language: &str, id: Uuid) -> Result<Arc<Pack>, Failure> {
        Ok(self.task(user, language, id).await?.0)
    }

    /// The tasks of a record, newest first: `{"items": [task …]}`; tasks are those of `api.md` with `"state"`.
    pub async fn record_tasks(&self, pack: &Arc<Pack>, viewer: &Viewer, form: &Key, id: Uuid) -> Result<Json, Failure> {
        let (p, v, f, packs) = (pack.clone(), viewer.clone(), form.clone(), self.deployed().by_hash.clone());
        let at = self.clock().now();
        self.ask(pack, Box::new(move |facts| questions::record_tasks(&p, &packs.by_hash, &v, &f, id, at, facts))).await
    }
}
