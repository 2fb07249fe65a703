//! What of a change concerns a viewer: kinds of things, never which.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::expr::Ir;
use formwork_model::{Key, Pack, Value};

use super::records::readable;
use crate::Stop;
use crate::access::Projection;
use crate::facts::{Facts, Need};
use crate::form::completed;
use crate::scene::{Completed, Context};
use crate::trace::{Former, Hands};
use crate::viewer::Viewer;
use crate::work::knows_of;

/// What was touched in a pack since somebody looked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Touched {
    /// Records that were created, changed or deleted, by form.
    pub records: BTreeMap<Key, Vec<Uuid>>,
    /// Records as they were before somebody may have lost sight of them, by form.
    pub left: BTreeMap<Key, Vec<Former>>,
    /// Tasks that are new or were changed, and in whose hands they were before, where that changed.
    pub tasks: Vec<(Uuid, Option<Hands>)>,
    /// Whom something concerns that is none of these.
    pub people: Vec<Uuid>,
}

/// Which kinds of things changed for this viewer: `{"tasks": bool, "forms": [key …]}`. A form is named where they read
/// one of its touched records as it is now, or did as it was; tasks count where they know of one now, or did. Of a form
/// they may not read, and of records that were never theirs to see, nothing is said.
pub fn noticed(
    pack: &Arc<Pack>,
    viewer: &Viewer,
    touched: &Touched,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let kept = Completed::default();
    let mut eyes = Eyes { context: Context::new(pack, facts, at, viewer, &kept), needs: Vec::new() };
    let tasks = touched.tasks.iter().any(|(id, before)| eyes.any(|context| concerns(context, *id, before.as_ref())));
    let mut forms: Vec<&Key> = Vec::new();
    let named = touched.records.keys().chain(touched.left.keys());
    for form in named.filter(|form| pack.forms().contains_key(*form)) {
        if !forms.contains(&form) && eyes.see(form, touched) {
            forms.push(form);
        }
    }
    match eyes.needs {
        // Everything that is missing is asked for at once.
        needs if !needs.is_empty() => Err(Stop::Need(needs)),
        _ => Ok(json!({"tasks": tasks, "forms": forms})),
    }
}

/// Looks, and gathers what is missing to look.
struct Eyes<'a> {
    context: Context<'a>,
    needs: Vec<Need>,
}

impl<'a> Eyes<'a> {
    /// Whether it is so; a question that cannot be answered, or not yet, is none.
    fn any(&mut self, look: impl FnOnce(Context<'a>) -> Result<bool, Stop>) -> bool {
        match look(self.context) {
            Ok(seen) => seen,
            Err(Stop::Need(needs)) => {
                let new: Vec<Need> = needs.into_iter().filter(|need| !self.needs.contains(need)).collect();
                self.needs.extend(new);
                false
            }
            // What cannot be computed lets nobody in.
            Err(_) => false,
        }
    }

    fn see(&mut self, form: &Key, touched: &Touched) -> bool {
        let projection = Projection::new(self.context.pack, form, self.context.viewer, None);
        match projection.row_predicate() {
            Ir::Literal(Value::Boolean(all)) => return all,
            _ if !projection.can_read() => return false,
            _ => {}
        }
        let is = touched.records.get(form).into_iter().flatten();
        let was = touched.left.get(form).into_iter().flatten();
        let before = self.needs.len();
        let seen = is.clone().any(|id| self.any(|context| readable(context, &projection, *id).map(|_| true)))
            || was.clone().any(|former| self.any(|context| read(context, &projection, former)));
        if seen {
            // One that is seen is enough: the others need not be looked at.
            self.needs.truncate(before);
        }
        seen
    }
}

/// Whether the viewer knows of the task, or did.
fn concerns(context: Context<'_>, id: Uuid, before: Option<&Hands>) -> Result<bool, Stop> {
    let Some(task) = context.facts.tasks.get(&id) else { return Err(Stop::Need(vec![Need::Task(id)])) };
    let Some(task) = task else { return Ok(false) };
    let (pack, viewer) = (context.pack, context.viewer);
    let did = before.is_some_and(|hands| knows_of(pack, viewer, &hands.holding(task)));
    Ok(pack.workflows().contains_key(&task.workflow) && (did || knows_of(pack, viewer, task)))
}

/// Whether the viewer read the record as it was.
fn read(context: Context<'_>, projection: &Projection, former: &Former) -> Result<bool, Stop> {
    let form = projection.form();
    let whole = context.as_it_is();
    projection.reads(whole, &completed(whole, form, &former.record(form))?)
}
