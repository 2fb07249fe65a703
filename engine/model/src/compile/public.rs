//! `public` of a form: what strangers may send, and how they follow it.

use crate::Key;
use crate::diagnostic::At;
use crate::documents::common::Formula;
use crate::documents::public as author;
use crate::expr::ir::{FieldPath, Function, Ir, Slot};
use crate::expr::{Position, Type};
use crate::pack::form::{FieldKind, Form};
use crate::pack::public::{Proof, Public, Rate, Track};
use crate::value::Value;

use super::context::Context;
use super::form::position;

/// The role of people who are not logged in.
const PUBLIC: &str = "public";

/// Compiles `public`; what is wrong is reported and left out.
pub(super) fn compile(context: &Context<'_>, form: &Form, author: &author::Public, at: &At) -> Public {
    let files = form.access.get(PUBLIC).is_some_and(|access| access.create);
    if author.form && !files {
        let hint = "give the role `public` the right `create`, and the fields it writes".to_owned();
        context.error_at_key("FW0318", &at.key("form"), "nobody who is not logged in may file this form", hint);
    }
    for (key, is_given) in [("thanks", author.thanks.is_some()), ("limit", author.limit.is_some())] {
        if is_given && !author.form {
            context.error_at_key("FW0405", &at.key(key), format!("`{key}` belongs to a `form` that is sent"), None);
        }
    }
    Public {
        form: author.form,
        thanks: author.thanks.as_ref().map(|text| context.text(text, &at.key("thanks"))),
        limit: author.limit.as_deref().and_then(rate),
        track: author.track.as_ref().and_then(|author| track(context, form, author, &at.key("track"))),
    }
}

fn track(context: &Context<'_>, form: &Form, author: &author::Track, at: &At) -> Option<Track> {
    let by = author.by.iter().enumerate();
    let by: Vec<Option<Proof>> =
        by.map(|(index, formula)| proof(context, form, formula, &at.key("by").index(index))).collect();
    if let Some(Some(first)) = by.first()
        && !(first.last.is_none() && is_unique(form, first.field))
    {
        let hint = "a series, or a field that is `unique` by itself".to_owned();
        let message = "the first proof finds the record: no two may share it";
        context.error_hint("FW0318", &at.key("by").index(0), message, Some(hint));
    }
    let show = author.show.iter().enumerate();
    let show = show
        .filter_map(|(index, key)| position(context, &form.key, &form.fields, key, &at.key("show").index(index)))
        .collect();
    Some(Track { by: by.into_iter().collect::<Option<_>>()?, show, lock: author.lock.as_deref().and_then(rate) })
}

/// A field of text, or the `last(field, n)` of one.
fn proof(context: &Context<'_>, form: &Form, formula: &Formula, at: &At) -> Option<Proof> {
    let scope = context.scope(Position::Proof, &form.key);
    let expr = context.check(formula, &scope, Some(&Type::Text), at)?;
    let own = |path: &FieldPath| match path.field.slot {
        Slot::Field(field) if path.hops.is_empty() => Some(field),
        _ => None,
    };
    let found = match &expr.ir {
        Ir::Field(path) => own(path).map(|field| Proof { field, last: None }),
        Ir::Call(Function::Last, given) => match given.as_slice() {
            [Ir::Field(path), Ir::Literal(Value::Integer(count))] => {
                let last = u32::try_from(*count).ok().filter(|count| *count > 0);
                own(path).zip(last).map(|(field, last)| Proof { field, last: Some(last) })
            }
            _ => None,
        },
        _ => None,
    };
    if found.is_none() {
        context.error("FW0318", at, "a proof is a field of text, or the `last(field, n)` of one");
    }
    found
}

fn is_unique(form: &Form, field: usize) -> bool {
    let alone = |fields: &[usize]| *fields == [field];
    matches!(form.fields[field].kind, FieldKind::Series { .. })
        || alone(&form.natural_key)
        || form.uniques.values().any(|unique| unique.filter.is_none() && alone(&unique.fields))
}

/// `10/h`, with or without ` per address`: the schema has looked at its form.
fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split(' ').next()?.split_once('/')?;
    let seconds = match unit {
        "min" => 60,
        "h" => 3_600,
        _ => 86_400,
    };
    Some(Rate { count: count.parse().ok()?, seconds })
}

/// The key of a proof on pages and in queries: its field.
impl Proof {
    /// The field's key.
    pub fn key(self, form: &Form) -> &Key {
        &form.fields[self.field].key
    }
}
