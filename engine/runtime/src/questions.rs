//! Reading, as a viewer: every answer is JSON made by a pure function of the core over one snapshot.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::facts::BoxPage;
use formwork_core::questions;
use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::pack::analytics::TaskBox;
use formwork_model::{Key, Pack};
use formwork_store::{Failure, User};

use crate::Engine;

pub use formwork_core::access::ListRequest;
pub use formwork_core::questions::Filled;

/// Most pages of a history looked through for one answer.
const HISTORY_PAGES_MAX: usize = 100;
/// Comments after which no further page is looked through.
const COMMENTS_WANTED: usize = 50;
/// Longest wait for a change to arrive.
const CATCH_UP_MAX: Duration = Duration::from_secs(3);
/// How long to wait before looking again.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(20);

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
        self.record_with(pack, viewer, form, id, None).await
    }

    /// The same with these fields only, where they are named.
    pub async fn record_with(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        id: Uuid,
        fields: Option<Vec<String>>,
    ) -> Result<Json, Failure> {
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        self.ask(pack, Box::new(move |facts| questions::record(&p, &v, &f, id, fields.as_deref(), at, facts))).await
    }

    /// Waits until readers see that change, the number a caller was told with what they wrote; refused as late where
    /// that takes long.
    pub async fn caught_up(&self, min_seq: Option<i64>) -> Result<(), Failure> {
        let Some(wanted) = min_seq else { return Ok(()) };
        let late = tokio::time::Instant::now() + CATCH_UP_MAX;
        while self.store().seq().await? < wanted {
            if tokio::time::Instant::now() >= late {
                let title = format!("the change {wanted} has not arrived yet");
                return Err(Failure::Rejected(Box::new(Rejection::new(RejectionKind::Late, "incomplete", title))));
            }
            tokio::time::sleep(CATCH_UP_PAUSE).await;
        }
        Ok(())
    }

    /// A record as whoever follows it without logging in sees it; null where what they know of it fits none.
    pub async fn track(
        &self,
        pack: &Arc<Pack>,
        form: &Key,
        proofs: Vec<String>,
        language: &str,
    ) -> Result<Json, Failure> {
        let (p, f, at) = (pack.clone(), form.clone(), self.clock().now());
        let viewer = Viewer::public(language);
        self.ask(pack, Box::new(move |facts| questions::track(&p, &viewer, &f, &proofs, at, facts))).await
    }

    /// The clocks of a record as they stand now: see [`questions::record_clocks`].
    pub async fn clocks(&self, pack: &Arc<Pack>, viewer: &Viewer, form: &Key, id: Uuid) -> Result<Json, Failure> {
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        let packs = self.deployed().by_hash.clone();
        let question = move |facts: &_| questions::record_clocks(&p, &packs.by_hash, &v, &f, id, at, facts);
        self.ask(pack, Box::new(question)).await
    }

    /// [`Self::list`], where each record whose clock is still to be stopped has it as `_clock`: what is due first.
    pub async fn list_with_clocks(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        request: ListRequest,
    ) -> Result<Json, Failure> {
        let mut page = self.list(pack, viewer, form, request).await?;
        let items = page["items"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
        let ids = items.iter().filter_map(|item| id_of(&item["id"])).collect();
        let clocks = self.open_clocks(pack, viewer, form, ids).await?;
        for item in items {
            if let Some(clock) = first_of(&clocks, &item["id"]) {
                item["_clock"] = clock;
            }
        }
        Ok(page)
    }

    /// [`Self::tasks`], where each open task has as `clock` the one of its record that is due first, or null.
    pub async fn tasks_with_clocks(&self, user: Option<&User>, language: &str, page: BoxPage) -> Result<Json, Failure> {
        let mut found = self.tasks(user, language, page).await?;
        let items = found["items"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
        items.iter_mut().for_each(|item| item["clock"] = Json::Null);
        for pack in &self.deployed().packs {
            let viewer = self.viewer(pack, user, language);
            let mut records: BTreeMap<Key, Vec<Uuid>> = BTreeMap::new();
            let own = |item: &Json| item["pack"] == json!(pack.key()) && item["state"] == "open";
            for item in items.iter().filter(|item| own(item)) {
                let record = &item["record"];
                if let (Some(form), Some(id)) = (record["form"].as_str(), id_of(&record["id"])) {
                    records.entry(form.into()).or_default().push(id);
                }
            }
            for (form, mut ids) in records {
                ids.sort_unstable();
                ids.dedup();
                let clocks = self.open_clocks(pack, &viewer, &form, ids).await?;
                for item in items.iter_mut().filter(|item| own(item) && item["record"]["form"] == json!(form)) {
                    item["clock"] = first_of(&clocks, &item["record"]["id"]).unwrap_or_default();
                }
            }
        }
        Ok(found)
    }

    /// The clocks that are still to be stopped of many records: see [`questions::open_clocks`].
    async fn open_clocks(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        ids: Vec<Uuid>,
    ) -> Result<Json, Failure> {
        if ids.is_empty() || !has_clocks(pack, form) {
            return Ok(json!({}));
        }
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        let packs = self.deployed().by_hash.clone();
        let question = move |facts: &_| questions::open_clocks(&p, &packs.by_hash, &v, &f, &ids, at, facts);
        self.ask(pack, Box::new(question)).await
    }

    /// What was said about a record, newest first: `{"items": [{"seq", "at", "actor": {"id", "name"} | null, "text",
    /// "public"}], "next": seq | null}`.
    pub async fn comments(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        id: Uuid,
        before: Option<i64>,
    ) -> Result<Json, Failure> {
        let (mut items, mut before) = (Vec::new(), before);
        for _ in 0..HISTORY_PAGES_MAX {
            let page = self.history(pack, viewer, form, id, before).await?;
            let said = page["items"].as_array().into_iter().flatten().filter(|event| event["kind"] == "comment");
            items.extend(said.map(|event| {
                let is_public = event["data"]["public"] == true;
                let (actor, text) = (&event["actor"], &event["data"]["text"]);
                json!({"seq": event["seq"], "at": event["at"], "actor": actor, "text": text, "public": is_public})
            }));
            before = page["next"].as_i64();
            if before.is_none() || items.len() >= COMMENTS_WANTED {
                break;
            }
        }
        Ok(json!({"items": items, "next": before}))
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
        let (mut pointers, mut before): (Vec<Json>, _) = (Vec::new(), None);
        for _ in 0..HISTORY_PAGES_MAX {
            let page = self.history(pack, viewer, form, id, before).await?;
            let mut is_reached = false;
            for event in page["items"].as_array().into_iter().flatten() {
                let Some(changed) = event["data"]["version"].as_i64() else { continue };
                is_reached |= changed <= version;
                for operation in event["data"]["diff"].as_array().into_iter().flatten().filter(|_| changed > version) {
                    if !pointers.contains(&operation["path"]) {
                        pointers.push(operation["path"].clone());
                    }
                }
            }
            before = page["next"].as_i64();
            if is_reached || before.is_none() {
                break;
            }
        }
        Ok(Json::Array(pointers))
    }

    /// A form while it is filled in: `{"fields": {"<pointer>": {"visible", "required", "readonly", "value", "options",
    /// "errors"}}, "stale"}`.
    pub async fn evaluate(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        filled: Filled,
    ) -> Result<Json, Failure> {
        let (p, v, f, at) = (pack.clone(), viewer.clone(), form.clone(), self.clock().now());
        let packs = self.deployed().by_hash.clone();
        let question = move |facts: &_| questions::evaluate(&p, &packs.by_hash, &v, &f, &filled, at, facts);
        self.ask(pack, Box::new(question)).await
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

    /// A box of the inbox over all packs: `{"items": [task …], "next": id | null}` with tasks as in `api.md`. What is due
    /// first comes first, whatever pack it is of; of what is done, the newest.
    pub async fn tasks(&self, user: Option<&User>, language: &str, page: BoxPage) -> Result<Json, Failure> {
        let (tasks, limit) = (page.tasks, page.limit);
        let mut items: Vec<Json> = Vec::new();
        let mut more = false;
        for pack in &self.deployed().packs {
            let (p, v, packs) = (pack.clone(), self.viewer(pack, user, language), self.deployed().by_hash.clone());
            let at = self.clock().now();
            let asked = page.clone();
            let question =
                Box::new(move |facts: &_| questions::tasks(&p, &packs.by_hash, &v, asked.clone(), at, facts));
            let found = self.ask(pack, question).await?;
            items.extend(found["items"].as_array().cloned().unwrap_or_default());
            more |= !found["next"].is_null();
        }
        // Each page starts behind the same task in the same order, so the first of all are among the first of each.
        items.sort_by_cached_key(|task| place(tasks, task));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        more |= items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|task| task["id"].clone());
        Ok(json!({"items": items, "next": next}))
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

/// Where a task stands in its box: the order of the store (`engine/store/src/load/tasks.rs`).
fn place(tasks: TaskBox, task: &Json) -> (bool, Option<DateTime<Utc>>, Option<Reverse<DateTime<Utc>>>, String) {
    let at = |key: &str| task[key].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (due, closed) = match tasks {
        TaskBox::Done => (None, at("closed_at").map(Reverse)),
        _ => (at("due_at"), None),
    };
    (due.is_none(), due, closed, task["id"].as_str().unwrap_or_default().to_owned())
}

fn id_of(id: &Json) -> Option<Uuid> {
    id.as_str()?.parse().ok()
}

/// The first clock of a record.
fn first_of(clocks: &Json, id: &Json) -> Option<Json> {
    clocks.get(id.as_str()?)?.get(0).cloned()
}

/// Whether a workflow keeps clocks of records of the form.
fn has_clocks(pack: &Pack, form: &Key) -> bool {
    pack.workflows().values().any(|workflow| !workflow.sla.is_empty() && workflow.form.as_ref() == Some(form))
}
