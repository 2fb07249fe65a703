//! The timeline of a record: what happened to it, and the records that came to link to it, newest first.
//!
//! Each source is read through its own question (history, list) and keeps its own place, so a page never reads more of
//! any of them than it shows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::access::cursor_behind;
use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::expr::Type;
use formwork_model::pack::form::{FieldKind, Form};
use formwork_model::{Key, Pack};
use formwork_store::Failure;

use crate::Engine;
use crate::questions::ListRequest;

/// Most items of a page.
pub const LIMIT_MAX: u32 = 50;
/// Items of a page where nothing is said.
const LIMIT_DEFAULT: u32 = 20;
/// Pages of a history looked through for one page of the timeline.
const HISTORY_PAGES_MAX: usize = 10;
/// Kinds of items, beside `record`: what may be asked for.
pub const KINDS: [&str; 6] = ["comment", "change", "task", "message", "process", "record"];

/// Which part of a timeline is wanted.
#[derive(Debug, Clone, Default)]
pub struct TimelineRequest {
    /// Forms whose records appear, each with its link; where absent, those of the form's backlinks.
    pub sources: Option<IndexMap<Key, Key>>,
    /// Only these of [`KINDS`]; all where empty.
    pub kinds: Vec<String>,
    /// Most items, 1–50; 20 where 0.
    pub limit: u32,
    /// `next` of the page before.
    pub after: Option<String>,
}

impl Engine {
    /// A page: `{"items": [item …], "next": cursor | null}`. An item is an event of the record's history with the `kind`
    /// of [`KINDS`] and the event's own as `event`, or a record that links to it: `{"at", "kind": "record", "form",
    /// "record": {"id", "title"}, "actor"}`. What the viewer may not read is not there.
    pub async fn timeline(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        id: Uuid,
        request: TimelineRequest,
    ) -> Result<Json, Failure> {
        if let Some(kind) = request.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            let title = format!("`{kind}` is no kind of the timeline: it has {}", KINDS.join(", "));
            return Err(malformed(title));
        }
        let mut place = Place::parse(request.after.as_deref())?;
        let limit = if request.limit == 0 { LIMIT_DEFAULT } else { request.limit.min(LIMIT_MAX) } as usize;
        let wanted = |kind: &str| request.kinds.is_empty() || request.kinds.iter().any(|wanted| wanted == kind);
        // Also where no event is wanted: it tells whether the record may be read.
        let mut items = self.events(pack, viewer, form, id, &place, limit, &wanted).await?;
        if wanted("record") {
            let sources = request.sources.unwrap_or_else(|| backlinks(pack.form(form)));
            for (of, link) in &sources {
                items.extend(self.linked(pack, viewer, of, link, id, &place, limit).await?);
            }
        }
        // Of one instant, events come in their order and before records that were filed then.
        items.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| b.seq.cmp(&a.seq)));
        let more = items.len() > limit;
        items.truncate(limit);
        items.iter().for_each(|item| place.pass(item));
        let next = more.then(|| place.text());
        Ok(json!({"items": items.into_iter().map(|item| item.body).collect::<Vec<_>>(), "next": next}))
    }

    /// Up to one event more than fits, so that it is known whether there is more.
    #[expect(clippy::too_many_arguments, reason = "the record, the reader and the page")]
    async fn events(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        id: Uuid,
        place: &Place,
        limit: usize,
        wanted: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Vec<Item>, Failure> {
        let (mut items, mut before) = (Vec::new(), place.history);
        for _ in 0..HISTORY_PAGES_MAX {
            let mut page = self.history(pack, viewer, form, id, before).await?;
            let events = page["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            items.extend(events.into_iter().filter_map(item_of_event).filter(|item| wanted(kind_of(item))));
            before = page["next"].as_i64();
            if before.is_none() || items.len() > limit {
                break;
            }
        }
        items.truncate(limit + 1);
        Ok(items)
    }

    /// Records that link here, newest first; none where the viewer does not read the form or where its link leads.
    #[expect(clippy::too_many_arguments, reason = "the record, the reader and the page")]
    async fn linked(
        &self,
        pack: &Arc<Pack>,
        viewer: &Viewer,
        of: &Key,
        link: &Key,
        to: Uuid,
        place: &Place,
        limit: usize,
    ) -> Result<Vec<Item>, Failure> {
        let request = ListRequest {
            filter: Some(format!("{link} == '{to}'")),
            sort: Some(vec!["-created_at".to_owned()]),
            fields: Some(vec!["created_at".to_owned(), "created_by".to_owned()]),
            limit: u32::try_from(limit + 1).unwrap_or(LIMIT_MAX),
            after: place.sources.get(of).map(|(at, id)| cursor_behind(*at, *id)),
            ..ListRequest::default()
        };
        let page = match self.list(pack, viewer, of, request).await {
            Ok(page) => page,
            Err(Failure::Rejected(_)) => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        Ok(page["items"].as_array().into_iter().flatten().filter_map(|record| item_of_record(of, record)).collect())
    }
}

/// An item with what it is sorted and passed by.
struct Item {
    at: DateTime<Utc>,
    /// Of an event.
    seq: Option<i64>,
    /// Of a record.
    record: Option<(Key, Uuid)>,
    body: Json,
}

fn kind_of(item: &Item) -> &str {
    item.body["kind"].as_str().unwrap_or_default()
}

fn item_of_event(mut event: Json) -> Option<Item> {
    let name = event["kind"].as_str()?.to_owned();
    let kind = match name.as_str() {
        "comment" => "comment",
        "record.created" | "record.updated" | "suggestion.accepted" | "suggestion.dismissed" => "change",
        "message.stored" => "message",
        "task.claimed" | "task.released" | "task.transferred" | "task.completed" | "task.delegated"
        | "task.resolved" | "task.returned" => "task",
        "instance.started" | "instance.completed" | "instance.cancelled" | "instance.withdrawn"
        | "instance.retried" | "instance.jumped" | "message.received" | "incident.opened" => "process",
        name if name.starts_with("clock.") => "process",
        _ => return None,
    };
    event["kind"] = json!(kind);
    event["event"] = json!(name);
    Some(Item { at: instant(&event["at"])?, seq: event["seq"].as_i64(), record: None, body: event })
}

fn item_of_record(form: &Key, record: &Json) -> Option<Item> {
    let id: Uuid = record["id"].as_str()?.parse().ok()?;
    let actor = match record["created_by"]["id"].is_null() {
        true => Json::Null,
        false => json!({"id": record["created_by"]["id"], "name": record["created_by"]["title"]}),
    };
    let body = json!({
        "at": record["created_at"],
        "kind": "record",
        "form": form,
        "record": {"id": id, "title": record["title"]},
        "actor": actor,
    });
    Some(Item { at: instant(&record["created_at"])?, seq: None, record: Some((form.clone(), id)), body })
}

fn instant(text: &Json) -> Option<DateTime<Utc>> {
    text.as_str()?.parse().ok()
}

/// The forms whose backlinks the form declares, each with the link.
fn backlinks(form: &Form) -> IndexMap<Key, Key> {
    let found = form.fields.iter().filter_map(|field| match &field.kind {
        FieldKind::Backlink { ty: Type::Rows(table), link } => Some((table.form.clone(), link.clone())),
        _ => None,
    });
    found.collect()
}

/// How far each source was read.
#[derive(Debug, Default)]
struct Place {
    history: Option<i64>,
    sources: IndexMap<Key, (DateTime<Utc>, Uuid)>,
}

impl Place {
    /// `812~ticket:1767571200000000:0199…`.
    fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text else { return Ok(Self::default()) };
        Self::read(text).ok_or_else(|| malformed("`after` is no page of this timeline".to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        let history = match parts.next()? {
            "" => None,
            seq => Some(seq.parse().ok()?),
        };
        let mut sources = IndexMap::new();
        for part in parts {
            let mut words = part.split(':');
            let form = Key::from(words.next()?);
            let at = DateTime::from_timestamp_micros(words.next()?.parse().ok()?)?;
            sources.insert(form, (at, words.next()?.parse().ok()?));
        }
        Some(Self { history, sources })
    }

    fn pass(&mut self, item: &Item) {
        if let Some(seq) = item.seq {
            self.history = Some(seq);
        }
        if let Some((form, id)) = &item.record {
            self.sources.insert(form.clone(), (item.at, *id));
        }
    }

    fn text(&self) -> String {
        let mut text = self.history.map(|seq| seq.to_string()).unwrap_or_default();
        for (form, (at, id)) in &self.sources {
            text.push_str(&format!("~{form}:{}:{id}", at.timestamp_micros()));
        }
        text
    }
}

fn malformed(title: String) -> Failure {
    Failure::Rejected(Box::new(Rejection::new(RejectionKind::Malformed, "FW1003", title)))
}
