//! Imports and seed rows.

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::{Kind, import as import_author};
use crate::expr::ir::{BinaryOp, Function};
use crate::expr::{Expr, Ir, Position, Scope, Type};
use crate::pack::form::{Field, Form};
use crate::pack::material::{Encoding, Feed, Import, OnError, Seed};
use crate::value::Value;

use super::context::Context;
use super::form::position;
use super::literal;
use super::load::Document;

/// Compiles an import; nothing where none of its forms is known.
pub(super) fn import(
    context: &Context<'_>,
    document: &Document<import_author::Import>,
    forms: &IndexMap<Key, Form>,
) -> Option<Import> {
    let author = &document.body;
    let at = &document.at;
    let label = context.text(&author.label, &at.key("label"));
    let mut into: Vec<Feed> = Vec::new();
    for (form, fed) in &author.into {
        let at_into = at.key("into").key(form);
        if context.refers(Kind::Form, form, &at_into)
            && let Some(form) = forms.get(form.as_str())
        {
            let feed = feed(context, form, fed, &into, &at_into);
            into.push(feed);
        }
    }
    (!into.is_empty()).then(|| Import {
        key: document.key.clone(),
        label,
        encoding: author.encoding.map(|encoding| match encoding {
            import_author::Encoding::Utf8 => Encoding::Utf8,
            import_author::Encoding::Gb18030 => Encoding::Gb18030,
        }),
        delimiter: author.delimiter.as_deref().and_then(|text| delimiter(context, text, &at.key("delimiter"))),
        into,
        on_error: match author.on_error {
            import_author::OnErrorWord::Reject => OnError::Reject,
            import_author::OnErrorWord::Null => OnError::Null,
        },
        starts: author.starts,
        notify: author.notify,
        is_by_hand: false,
    })
}

/// Compiles what a row becomes in one form; `before` are the forms fed before it.
fn feed(context: &Context<'_>, form: &Form, author: &import_author::Into, before: &[Feed], at: &At) -> Feed {
    let upsert = upsert_key(context, form, &author.key, &at.key("key"));
    let scope = Scope::new(Position::Column, context.shapes);
    let mut columns = IndexMap::new();
    for (name, formula) in &author.columns {
        let at = at.key("columns").key(name);
        let Some((position, field)) = writable(context, form, name, &at) else { continue };
        let Some(expr) = context.check(formula, &scope, None, &at) else { continue };
        fits(context, &expr, field, &at);
        columns.insert(position, expr);
    }
    let mut links = IndexMap::new();
    for (name, to) in &author.links {
        let at = at.key("links").key(name);
        let Some((position, field)) = writable(context, form, name, &at) else { continue };
        let place = before.iter().position(|feed| *feed.form == **to);
        match place {
            _ if author.columns.get(name).is_some() => {
                context.error_at_key("FW0403", &at, format!("`{name}` has a column already"), None);
            }
            Some(place) if *field.ty() == Type::Link(before[place].form.clone()) => {
                links.insert(position, place);
            }
            Some(_) => context.error("FW0402", &at, format!("`{name}` holds {}, this is link({to})", field.ty())),
            None => {
                let hint = Some("links lead to forms that stand before in `into`".to_owned());
                context.error_hint("FW0403", &at, format!("`{to}` is not fed before `{}`", form.key), hint);
            }
        }
    }
    for (index, position) in upsert.iter().enumerate() {
        let key = &form.fields[*position].key;
        let is_filled = columns.contains_key(position) || links.contains_key(position);
        if !is_filled && author.columns.get(&**key).is_none() && author.links.get(&**key).is_none() {
            context.error("FW0403", &at.key("key").index(index), format!("the key `{key}` has no column"));
        }
    }
    let filter = context.condition(author.filter.as_ref(), &scope, &at.key("where"));
    Feed { form: form.key.clone(), upsert, columns, links, filter }
}

/// What tells records apart must be unique, or a repeated import would not find them.
fn upsert_key(context: &Context<'_>, form: &Form, keys: &[String], at: &At) -> Vec<usize> {
    let mut positions = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        positions.extend(position(context, &form.key, &form.fields, key, &at.index(index)));
    }
    let same =
        |fields: &[usize]| fields.len() == positions.len() && fields.iter().all(|field| positions.contains(field));
    let is_unique =
        same(&form.natural_key) || form.uniques.values().any(|unique| unique.filter.is_none() && same(&unique.fields));
    if !is_unique && positions.len() == keys.len() {
        let message = format!("{} is no `unique` and no `naturalKey` of `{}`", keys.join(", "), form.key);
        context.error("FW0403", at, message);
    }
    positions
}

/// A text is read as the field's type when a row comes in; every other type must be the field's already.
fn fits(context: &Context<'_>, expr: &Expr, field: &Field, at: &At) {
    let wanted = field.ty();
    let fits = matches!(expr.ty, Type::Null | Type::Text)
        || expr.ty == *wanted
        || *wanted == Type::Null
        || (expr.ty.is_numeric() && wanted.is_numeric() && (*wanted != Type::Integer || expr.ty == Type::Integer));
    if !fits {
        context.error("FW0402", at, format!("`{}` holds {wanted}, this is {}", field.key, expr.ty));
    }
    if expr.ty == Type::Text && matches!(wanted, Type::Choice(_) | Type::Queue) {
        for word in constants(&expr.ir) {
            context.literal(&word.into(), wanted, at);
        }
    }
}

/// The constant texts that an expression may come to.
pub(super) fn constants(ir: &Ir) -> Vec<&str> {
    match ir {
        Ir::Literal(Value::Text(text)) => vec![text],
        Ir::Literal(Value::List(items)) => items.iter().filter_map(Value::as_text).collect(),
        Ir::List(items) => items.iter().flat_map(constants).collect(),
        Ir::Call(Function::Pick, arguments) => arguments.first().map(constants).unwrap_or_default(),
        Ir::Binary(BinaryOp::Coalesce, a, b) => [constants(a), constants(b)].concat(),
        Ir::Call(Function::Coalesce, arguments) => arguments.iter().flat_map(constants).collect(),
        Ir::Call(Function::When, arguments) => {
            let results = arguments.iter().skip(1).step_by(2).chain(arguments.last());
            results.flat_map(constants).collect()
        }
        _ => Vec::new(),
    }
}

fn delimiter(context: &Context<'_>, text: &str, at: &At) -> Option<u8> {
    match text.as_bytes() {
        [byte] if *byte != b'"' && *byte != b'\n' && *byte != b'\r' => Some(*byte),
        _ => {
            context.error("FW0408", at, format!("`{text}` cannot stand between columns"));
            None
        }
    }
}

/// A field that may be given a value from outside.
pub(super) fn writable<'f>(context: &Context<'_>, form: &'f Form, name: &str, at: &At) -> Option<(usize, &'f Field)> {
    let position = position(context, &form.key, &form.fields, name, at)?;
    let field = &form.fields[position];
    if field.is_derived() || matches!(field.ty(), Type::Rows(_)) {
        let why = if field.is_derived() { "follows from other values" } else { "holds rows" };
        context.error_at_key("FW0403", at, format!("`{name}` {why}"), None);
        return None;
    }
    Some((position, field))
}

/// Seed rows: known fields, literals of their types, and a natural key to find them by.
pub(super) fn seeds(context: &Context<'_>, forms: &IndexMap<Key, Form>) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (key, document) in &context.documents.seeds {
        let at = &document.at;
        if !context.refers(Kind::Form, key, at) {
            continue;
        }
        let Some(form) = forms.get(key) else { continue };
        if form.natural_key.is_empty() {
            let hint = Some(format!("give `forms/{key}.json` a `naturalKey`"));
            context.error_hint("FW0414", at, "rows can only be found again by a natural key", hint);
        }
        for (index, row) in document.body.iter().enumerate() {
            seed_row(context, form, row, &at.index(index));
        }
        seeds.push(Seed { form: key.clone(), rows: document.body.clone() });
    }
    seeds
}

fn seed_row(context: &Context<'_>, form: &Form, row: &serde_json::Map<String, serde_json::Value>, at: &At) {
    for position in &form.natural_key {
        let key = &form.fields[*position].key;
        if row.get(&**key).is_none_or(serde_json::Value::is_null) {
            context.error("FW0414", at, format!("the row has no `{key}`"));
        }
    }
    for (name, value) in row {
        let at = at.key(name);
        let Some((_, field)) = writable_or_rows(context, form, name, &at) else { continue };
        // Links are written as the natural key of their record, rows as lists: both are read when they are stored.
        if !matches!(field.ty(), Type::Link(_) | Type::User | Type::Rows(_))
            && let Err(misfit) = literal::parse(value, field.ty(), context.shapes)
        {
            context.error_hint("FW0402", &at, misfit.message, misfit.hint);
        }
    }
}

fn writable_or_rows<'f>(context: &Context<'_>, form: &'f Form, name: &str, at: &At) -> Option<(usize, &'f Field)> {
    match form.field(name) {
        Some((position, field)) if matches!(field.ty(), Type::Rows(_)) && !field.is_derived() => {
            Some((position, field))
        }
        _ => writable(context, form, name, at),
    }
}
