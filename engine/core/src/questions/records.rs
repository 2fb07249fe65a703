//! Records: a page of them, one of them, a form being filled in.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::Form;
use formwork_model::{Key, Pack};

use super::tasks::PinnedPacks;
use crate::Stop;
use crate::access::{ListRequest, Presenter, Projection, TaskGrants, check_fields, cursor_after, not_for, query};
use crate::facts::{Facts, Need};
use crate::form::evaluate_form;
use crate::instance::TaskStatus;
use crate::messages::message;
use crate::record::Record;
use crate::rejection::{Rejection, RejectionKind};
use crate::scene::{Completed, Context};
use crate::viewer::{Viewer, ViewerKind};

/// A page: `{"items": [body …], "next": cursor | null, "total": {"value", "exact"} | null}`; the total is counted for
/// the first page. Each item also has `title`, unless the form has a field of that name.
pub fn list(
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    request: &ListRequest,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let projection = existing(pack, viewer, form)?;
    check_fields(&projection, request.fields.as_deref())?;
    let query = query(pack, form, viewer, request, at)?;
    let known = facts.pages.iter().find(|(asked, _)| **asked == query).map(|(_, page)| page);
    let Some(page) = known else { return Err(Stop::Need(vec![Need::Page(Arc::new(query))])) };
    let columns = columns(projection.form(), request);
    let kept = Completed::default();
    let mut presenter = Presenter::new(Context::new(pack, facts, at, viewer, &kept));
    let mut items = Vec::with_capacity(page.records.len());
    for record in &page.records {
        let mut body = presenter.body(&projection, record, columns.as_deref(), false)?;
        add_title(&mut presenter, &projection, record, &mut body)?;
        items.push(Json::Object(body));
    }
    presenter.finish()?;
    let next = page.records.last().filter(|_| page.more).map(|record| cursor_after(record, query.sort()));
    let total = page.total.map(|(value, exact)| json!({"value": value, "exact": exact}));
    Ok(json!({"items": items, "next": next, "total": total}))
}

/// The body of one record, with `title` (unless it is a field) and `_may`: `{"update", "delete"}`. `fields`: only
/// these, where named.
pub fn record(
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    id: Uuid,
    fields: Option<&[String]>,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let projection = existing(pack, viewer, form)?;
    check_fields(&projection, fields)?;
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    let (stored, full) = readable(context, &projection, id)?;
    let mut presenter = Presenter::new(context);
    let mut body = presenter.body(&projection, stored, fields, true)?;
    add_title(&mut presenter, &projection, stored, &mut body)?;
    let update = projection.updates(context, full);
    let update = presenter.gather(update)?;
    let delete = projection.deletes(context, full);
    let delete = presenter.gather(delete)?;
    presenter.finish()?;
    body.insert("_may".to_owned(), json!({"update": update, "delete": delete}));
    Ok(Json::Object(body))
}

/// [`evaluate_form`] for a new record, or the record `id`, or inside an open task that the viewer holds: with the
/// grants of the step as the task's instance has it. The answer says whether
/// the record has moved on from the version the form was drawn with: `stale`.
pub fn evaluate(
    pack: &Arc<Pack>,
    packs: &PinnedPacks,
    viewer: &Viewer,
    form: &Key,
    filled: &Filled,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let own = existing(pack, viewer, form)?;
    let Filled { id, task, values, version } = filled;
    let grants = task.map(|task| grants(pack, packs, viewer, form, *id, task, facts)).transpose()?.flatten();
    let projection = match &grants {
        Some(grants) => Projection::new(pack, form, viewer, Some(grants)),
        None => own,
    };
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    let stored = match id {
        Some(id) => Some(readable(context, &projection, *id)?.0),
        None if projection.can_create() => None,
        None => return Err(Box::new(not_for(viewer)).into()),
    };
    let is_stale = version.zip(stored).is_some_and(|(version, stored)| version != stored.version);
    let mut answer = evaluate_form(pack, form, viewer, values, stored, grants.as_ref(), at, facts)?;
    answer["stale"] = json!(is_stale);
    Ok(answer)
}

/// A form as somebody has filled it in so far.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// The record that is edited; none for a new one.
    pub id: Option<Uuid>,
    /// The version of it that the form was drawn with.
    pub version: Option<i64>,
    /// The task it is edited in.
    pub task: Option<Uuid>,
    /// What was typed.
    pub values: Map<String, Json>,
}

/// The projection of a form the viewer may know of.
pub(super) fn existing(pack: &Arc<Pack>, viewer: &Viewer, form: &Key) -> Result<Projection, Stop> {
    let found = pack.forms().contains_key(form).then(|| Projection::new(pack, form, viewer, None));
    match found.filter(Projection::exists) {
        Some(projection) => Ok(projection),
        None if viewer.kind == ViewerKind::Public => Err(Box::new(not_for(viewer)).into()),
        None => Err(not_found(viewer, "form_not_found").into()),
    }
}

/// A record the viewer reads, as stored and completed. Whoever may not read it is told that it does not exist.
pub(super) fn readable<'a>(
    context: Context<'a>,
    projection: &Projection,
    id: Uuid,
) -> Result<(&'a Record, &'a Record), Stop> {
    let form = &projection.form().key;
    if !projection.can_read() && !projection.is_by_task() {
        return Err(Box::new(not_for(context.viewer)).into());
    }
    let stored = context.stored(form, id)?;
    let full = context.record(form, id)?;
    match (stored, full) {
        (Some(stored), Some(full)) if projection.reads(context, full)? => Ok((stored, full)),
        _ => Err(not_found(context.viewer, "record_not_found").into()),
    }
}

pub(super) fn not_found(viewer: &Viewer, code: &str) -> Box<Rejection> {
    Box::new(Rejection::new(RejectionKind::NotFound, code, message(&viewer.language, code, "", "")))
}

fn grants(
    pack: &Arc<Pack>,
    packs: &PinnedPacks,
    viewer: &Viewer,
    form: &Key,
    record: Option<Uuid>,
    task: Uuid,
    facts: &Facts,
) -> Result<Option<TaskGrants>, Stop> {
    let Some(found) = facts.tasks.get(&task) else { return Err(Stop::Need(vec![Need::Task(task)])) };
    let Some(task) = found else { return Ok(None) };
    let is_held = task.status == TaskStatus::Open && task.assignee.is_some() && task.assignee == viewer.user;
    let is_here = task.record.as_ref().is_some_and(|(of, id)| of == form && Some(*id) == record);
    let pinned = packs.get(&task.pack_hash).unwrap_or(pack);
    Ok((is_held && is_here).then(|| TaskGrants::of_task(pinned, task)).flatten())
}

/// The fields a list shows: those asked for, else the columns of the view, else all.
fn columns(form: &Form, request: &ListRequest) -> Option<Vec<String>> {
    if let Some(fields) = &request.fields {
        return Some(fields.clone());
    }
    let view = form.views.get(request.view.as_deref()?)?;
    Some(view.columns.iter().map(|column| column.key.to_string()).collect())
}

fn add_title(
    presenter: &mut Presenter<'_>,
    projection: &Projection,
    record: &Record,
    body: &mut Map<String, Json>,
) -> Result<(), Stop> {
    if projection.form().field("title").is_none() {
        let title = presenter.title_of_stored(projection, record)?;
        body.insert("title".to_owned(), json!(title));
    }
    Ok(())
}
