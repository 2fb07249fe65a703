//! From a caller's list request to a [`Query`] bound to the viewer.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use formwork_model::expr::ir::{BinaryOp, Slot};
use formwork_model::expr::{Ir, Names, Position, Scope, TableRef, Type, check};
use formwork_model::pack::form::{Field, Form, Level, SortKey, View};
use formwork_model::{Key, Pack, Value};

use super::around::Narrowed;
use super::hops::within_rights;
use super::{Projection, shapes};
use crate::Stop;
use crate::eval::{Environment, Nothing, bind};
use crate::messages::message;
use crate::read::{Cursor, Query, Search};
use crate::record::Record;
use crate::rejection::{FieldError, Rejection, RejectionKind};
use crate::viewer::{Viewer, ViewerKind};

/// Most rows of a page.
pub const LIMIT_MAX: u32 = 200;
/// Rows of a page where nothing is said.
const LIMIT_DEFAULT: u32 = 50;
/// Longest filter a caller may write, in bytes.
const FILTER_MAX: usize = 4_000;
/// Most keys to sort by.
const SORT_MAX: usize = 4;

/// What a caller wants to see of a form's records.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct ListRequest {
    /// A view of the form: its filter, sort and columns.
    pub view: Option<String>,
    /// A condition in the expression language, over the form's fields.
    pub filter: Option<String>,
    /// Fields to sort by, `-` in front for descending; the view's where absent, else newest first.
    pub sort: Option<Vec<String>>,
    /// Fields wanted; the view's columns, else all, where absent.
    pub fields: Option<Vec<String>>,
    /// Most rows, 1–200; 50 where 0.
    pub limit: u32,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Text that some readable text field must contain; A to Z are the same as a to z.
    pub q: Option<String>,
    /// What a board's tile is narrowed by, beside the filter.
    #[serde(skip)]
    pub narrowed: Option<Narrowed>,
}

/// The query of a request. It refuses unknown fields and those the viewer may not read in full: what is masked or hidden
/// cannot be filtered or sorted by.
pub fn query(
    pack: &Arc<Pack>,
    form: &Key,
    viewer: &Viewer,
    request: &ListRequest,
    at: DateTime<Utc>,
) -> Result<Query, Box<Rejection>> {
    let asker = Asker { pack, viewer, projection: Projection::new(pack, form, viewer, None) };
    let form = asker.projection.form().clone();
    if !asker.projection.can_read() {
        return Err(Box::new(not_for(viewer)));
    }
    let view = request.view.as_deref().map(|view| asker.view(&form, view)).transpose()?;
    let mut predicate = asker.projection.row_predicate();
    if let Some(filter) = view.and_then(|view| view.filter.as_ref()) {
        predicate = and(predicate, filter.ir.clone());
    }
    if let Some(filter) = request.filter.as_deref().filter(|filter| !filter.trim().is_empty()) {
        predicate = and(predicate, asker.filter(&form, filter)?);
    }
    if let Some(narrowed) = request.narrowed.as_ref() {
        if narrowed.form != form.key {
            return Err(asker.refusal("filter", "/filter", "the condition is over another form".to_owned(), None));
        }
        predicate = and(predicate, asker.in_rights(&narrowed.ir)?);
    }
    let search = request.q.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let search = search.map(|text| asker.search(&form, text));
    let sort = asker.sort(&form, view, request.sort.as_deref())?;
    let after = request.after.as_deref().map(|after| asker.cursor(after, &sort)).transpose()?;
    let limit = if request.limit == 0 { LIMIT_DEFAULT } else { request.limit.min(LIMIT_MAX) };
    let count = after.is_none();
    let predicate = bound_for(pack, viewer, at, &predicate)
        .map_err(|_| asker.refusal("filter", "/filter", "the filter is out of range".to_owned(), None))?;
    Ok(Query { form: form.key.clone(), viewer: viewer.clone(), predicate, search, sort, limit, after, count })
}

/// The predicate with everything that reads no row replaced by its value: `user.id`, `now`, `settings.x`.
pub(crate) fn bound_for(pack: &Pack, viewer: &Viewer, at: DateTime<Utc>, predicate: &Ir) -> Result<Ir, Stop> {
    Ok(bind(predicate, &Environment::new(at, *pack.timezone(), viewer, pack, &Nothing))?)
}

/// The cursor behind this record, as text for the caller.
pub(crate) fn cursor_after(record: &Record, sort: &[SortKey]) -> String {
    let values: Vec<Value> = sort.iter().map(|key| record.get(key.slot)).collect();
    let text = serde_json::to_vec(&Written { s: in_words(sort), v: values, i: record.id }).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(text)
}

/// The cursor behind a record of that age, in a list of the newest first: for callers who stop within a page.
pub fn cursor_behind(created_at: DateTime<Utc>, id: Uuid) -> String {
    let written = Written { s: "-created_at".to_owned(), v: vec![Value::DateTime(created_at)], i: id };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&written).unwrap_or_default())
}

/// A cursor as text: the order it is of, the values there, the record.
#[derive(Serialize, Deserialize)]
struct Written {
    s: String,
    v: Vec<Value>,
    i: Uuid,
}

/// The order as a caller writes it.
fn in_words(sort: &[SortKey]) -> String {
    let words = sort.iter().map(|key| format!("{}{}", if key.descending { "-" } else { "" }, key.key));
    words.collect::<Vec<_>>().join(",")
}

/// Refuses the name of a field that is none, or none this viewer may know of.
pub(crate) fn check_fields(projection: &Projection, fields: Option<&[String]>) -> Result<(), Box<Rejection>> {
    let (form, levels) = (projection.form(), projection.levels());
    let known = |name: &String| match form.field(name) {
        Some((position, _)) => levels.field(position) > Level::None,
        None => name == "title" || Slot::SYSTEM.contains(&name.as_str()),
    };
    match fields.into_iter().flatten().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => {
            let text = message(&projection.viewer().language, "unknown_field", name, "");
            Err(malformed(projection.viewer(), "fields", "/fields", text, None))
        }
    }
}

fn malformed(viewer: &Viewer, code: &str, pointer: &str, text: String, hint: Option<String>) -> Box<Rejection> {
    let title = message(&viewer.language, "malformed", "", "");
    let mut rejection = Rejection::new(RejectionKind::Malformed, "FW1002", title);
    rejection.errors = vec![FieldError { code: code.to_owned(), pointer: pointer.to_owned(), message: text, hint }];
    Box::new(rejection)
}

pub(crate) fn not_for(viewer: &Viewer) -> Rejection {
    let (kind, code) = match viewer.kind {
        ViewerKind::Public => (RejectionKind::Unauthenticated, "unauthenticated"),
        _ => (RejectionKind::Forbidden, "forbidden"),
    };
    Rejection::new(kind, code, message(&viewer.language, code, "", ""))
}

struct Asker<'a> {
    pack: &'a Arc<Pack>,
    viewer: &'a Viewer,
    projection: Projection,
}

impl Asker<'_> {
    fn view<'f>(&self, form: &'f Form, view: &str) -> Result<&'f View, Box<Rejection>> {
        let found = form.views.get(view);
        found.ok_or_else(|| self.refusal("unknown_view", "/view", format!("there is no view `{view}`"), None))
    }

    fn filter(&self, form: &Form, source: &str) -> Result<Ir, Box<Rejection>> {
        let refuse = |message: String, hint| self.refusal("filter", "/filter", message, hint);
        if source.len() > FILTER_MAX {
            return Err(refuse(format!("a filter may have at most {FILTER_MAX} bytes"), None));
        }
        let shapes = shapes(self.pack, self.viewer);
        let scope = Scope::new(Position::Request, &shapes).row(Names::Fields, TableRef::form(&form.key));
        let expr = check(source, &scope, Some(&Type::Boolean)).map_err(|problems| {
            let first = problems.first();
            let text = first.map_or_else(String::new, |problem| problem.message.clone());
            refuse(text, first.and_then(|problem| problem.hint.clone()))
        })?;
        self.in_rights(&expr.ir)
    }

    /// The condition as it may be asked: of rows that links lead to, only those the viewer reads.
    fn in_rights(&self, ir: &Ir) -> Result<Ir, Box<Rejection>> {
        within_rights(self.pack, self.viewer, ir).map_err(|form| {
            self.refusal("filter", "/filter", format!("`{form}` can be filtered in its own list only"), None)
        })
    }

    /// Some text field the viewer may read contains the text.
    fn search(&self, form: &Form, text: &str) -> Search {
        let searched = |(position, field): &(usize, &Field)| {
            *field.ty() == Type::Text && field.is_stored() && self.projection.levels().field(*position) >= Level::Read
        };
        let fields = form.fields.iter().enumerate().filter(searched).map(|(position, _)| position);
        Search { fields: fields.collect(), text: text.to_ascii_lowercase() }
    }

    fn sort(&self, form: &Form, view: Option<&View>, keys: Option<&[String]>) -> Result<Vec<SortKey>, Box<Rejection>> {
        if let Some(keys) = keys.filter(|keys| !keys.is_empty()) {
            if keys.len() > SORT_MAX {
                return Err(self.refusal("sort", "/sort", format!("at most {SORT_MAX} fields to sort by"), None));
            }
            return keys.iter().map(|key| self.sort_key(form, key)).collect();
        }
        // What a view sorts by and this viewer may not see is left out.
        let of_view = view.map(|view| view.sort.clone()).unwrap_or_default();
        let visible = |key: &SortKey| self.slot_level(key.slot) >= Level::Read;
        let sort: Vec<SortKey> = of_view.into_iter().filter(visible).collect();
        if !sort.is_empty() {
            return Ok(sort);
        }
        Ok(vec![SortKey { key: "created_at".into(), slot: Slot::CreatedAt, descending: true }])
    }

    fn sort_key(&self, form: &Form, text: &str) -> Result<SortKey, Box<Rejection>> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let unknown = || self.refusal("sort", "/sort", format!("cannot sort by `{name}`"), None);
        let slot = match form.field(name) {
            Some((position, field)) if field.is_stored() && !matches!(field.ty(), Type::Rows(_)) => {
                Slot::Field(position)
            }
            Some(_) => return Err(unknown()),
            None => Slot::of_system(name, &form.key).ok_or_else(unknown)?.0,
        };
        if self.slot_level(slot) < Level::Read {
            return Err(unknown());
        }
        Ok(SortKey { key: name.into(), slot, descending })
    }

    fn slot_level(&self, slot: Slot) -> Level {
        match slot {
            Slot::Field(position) => self.projection.levels().field(position),
            _ => Level::Read,
        }
    }

    fn cursor(&self, text: &str, sort: &[SortKey]) -> Result<Cursor, Box<Rejection>> {
        let written =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice::<Written>(&bytes).ok());
        match written {
            Some(written) if written.v.len() == sort.len() && written.s == in_words(sort) => {
                Ok(Cursor { values: written.v, id: written.i })
            }
            _ => Err(self.refusal("after", "/after", "this is no page of this list".to_owned(), None)),
        }
    }

    fn refusal(&self, code: &str, pointer: &str, text: String, hint: Option<String>) -> Box<Rejection> {
        malformed(self.viewer, code, pointer, text, hint)
    }
}

pub(crate) fn and(a: Ir, b: Ir) -> Ir {
    match (&a, &b) {
        (Ir::Literal(Value::Boolean(true)), _) => b,
        (_, Ir::Literal(Value::Boolean(true))) => a,
        _ => Ir::Binary(BinaryOp::And, Box::new(a), Box::new(b)),
    }
}
