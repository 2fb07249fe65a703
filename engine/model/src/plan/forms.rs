//! Changes of forms: tables, columns, options, uniqueness, indexes.

use crate::expr::Type;
use crate::pack::Pack;
use crate::pack::form::{Field, FieldKind, Form, FormKind, SortKey};

use super::renames::Options;
use super::{Blocked, ChangeClass, Plan, former_fields, former_form, renamed_options};

/// Adds the changes of all forms.
pub(super) fn compare(deployed: Option<&Pack>, wanted: &Pack, plan: &mut Plan) {
    for form in wanted.forms().values() {
        let at = format!("forms/{}", form.key);
        let Some(before) = deployed.and_then(|deployed| former_form(deployed, wanted, form)) else {
            plan.push(ChangeClass::Add, at, None);
            continue;
        };
        if before.key != form.key {
            plan.push(ChangeClass::Rename, at.clone(), Some(format!("was `{}`", before.key)));
        }
        if before.kind != form.kind {
            let (class, detail) = match form.kind {
                FormKind::Log => (ChangeClass::Add, "entries are only added from now on"),
                FormKind::Table => (ChangeClass::Drop, "records can be changed and deleted from now on"),
            };
            plan.push(class, format!("{at}/kind"), Some(detail.to_owned()));
        }
        fields(&before.fields, &form.fields, &at, plan);
        constraints(before, form, &at, plan);
    }
    for form in deployed.into_iter().flat_map(|deployed| deployed.forms().values()) {
        let mut formers = wanted.forms().values().filter_map(|other| former_form(deployed?, wanted, other));
        if formers.all(|former| former.key != form.key) {
            plan.push(ChangeClass::Hide, format!("forms/{}", form.key), None);
        }
    }
}

fn fields(before: &[Field], wanted: &[Field], at: &str, plan: &mut Plan) {
    let formers = former_fields(before, wanted);
    for (field, former) in wanted.iter().zip(&formers) {
        let at = format!("{at}/fields/{}", field.key);
        match former.map(|former| &before[former]) {
            None => added(field, at, plan),
            Some(before) => {
                if before.key != field.key {
                    plan.push(ChangeClass::Rename, at.clone(), Some(format!("was `{}`", before.key)));
                }
                changed(before, field, &at, plan);
            }
        }
    }
    for (position, gone) in before.iter().enumerate() {
        if !formers.contains(&Some(position)) {
            plan.push(ChangeClass::Hide, format!("{at}/fields/{}", gone.key), None);
        }
    }
}

fn added(field: &Field, at: String, plan: &mut Plan) {
    plan.push(ChangeClass::Add, at.clone(), None);
    if fills_itself(field) {
        plan.push(ChangeClass::Backfill, at, None);
    }
}

/// Whether a new column gets its values from others: a stored computed field, a snapshot.
fn fills_itself(field: &Field) -> bool {
    let follows = field.compute.is_some() || matches!(field.kind, FieldKind::Lookup { .. });
    follows && field.is_stored()
}

fn changed(before: &Field, field: &Field, at: &str, plan: &mut Plan) {
    match (&before.kind, &field.kind) {
        (FieldKind::Table { fields: old, .. }, FieldKind::Table { fields: new, .. }) => {
            return fields(old, new, at, plan);
        }
        (FieldKind::Choice { options: old, .. }, FieldKind::Choice { options: new, .. }) => {
            options(old, new, at, plan);
        }
        _ => {}
    }
    if !before.is_stored() && field.is_stored() {
        return added(field, at.to_owned(), plan);
    }
    if before.is_stored() && !field.is_stored() {
        return plan.push(ChangeClass::Hide, at.to_owned(), Some("computed on reading from now on".to_owned()));
    }
    if type_word(before) != type_word(field) {
        convert(before, field, at, plan);
    }
    if field.is_stored() && field.compute.is_some() && recomputed(before, field) {
        plan.push(ChangeClass::Backfill, at.to_owned(), Some("computed differently".to_owned()));
    }
}

/// Whether the stored computed value may be another one now.
pub fn recomputed(before: &Field, field: &Field) -> bool {
    let formula = |field: &Field| field.compute.as_ref().map(|compute| compute.expr.source.clone());
    !before.is_stored() || formula(before) != formula(field) || before.ty() != field.ty()
}

fn convert(before: &Field, field: &Field, at: &str, plan: &mut Plan) {
    let detail = format!("{} → {}", type_word(before), type_word(field));
    if convertible(before.ty(), field.ty()) {
        plan.push(ChangeClass::Convert, at.to_owned(), Some(detail));
    } else {
        plan.blocked.push(Blocked {
            at: at.to_owned(),
            message: format!("stored values cannot be converted: {detail}"),
            hint: "give the field another key, without `was`: the old one is hidden and keeps its data".to_owned(),
        });
    }
}

/// The type as far as it decides how a value is stored.
fn type_word(field: &Field) -> String {
    match (&field.kind, field.ty()) {
        (FieldKind::Lookup { .. }, Type::Link(to)) | (FieldKind::Link { .. }, Type::Link(to)) => {
            format!("link to {to}")
        }
        (_, Type::Decimal { scale }) => format!("decimal of {scale} places"),
        (FieldKind::Lookup { .. }, ty) => ty.to_string(),
        // One line, several lines, an address: text, whatever its rules.
        (kind, Type::Text) if !matches!(kind, FieldKind::Series { .. }) => "text".to_owned(),
        (kind, _) => kind.name().to_owned(),
    }
}

/// Whether every stored value can be said in the other type without loss. Where that depends on the values (an option
/// that is none, a number too great for its column) the store counts those that do not fit, and blocks the plan.
pub fn convertible(from: &Type, to: &Type) -> bool {
    let textual = |ty: &Type| matches!(ty, Type::Text | Type::Choice(_) | Type::Queue);
    let scale = |ty: &Type| match ty {
        Type::Integer => Some(0),
        Type::Decimal { scale } => Some(*scale),
        Type::Money => Some(2),
        _ => None,
    };
    match (scale(from), scale(to)) {
        (Some(_), Some(_)) if *to == Type::Integer => *from == Type::Integer,
        (Some(from), Some(to)) => from <= to,
        (Some(_), None) => *to == Type::Text,
        _ => (textual(from) && textual(to)) || (matches!(from, Type::Boolean | Type::Date) && *to == Type::Text),
    }
}

fn options(before: &Options, wanted: &Options, at: &str, plan: &mut Plan) {
    let renamed = renamed_options(before, wanted);
    for key in wanted.keys().filter(|key| !before.contains_key(*key)) {
        let at = format!("{at}/options/{key}");
        match renamed.iter().find(|(_, new)| *new == key) {
            Some((old, _)) => plan.push(ChangeClass::Rename, at, Some(format!("was `{old}`"))),
            None => plan.push(ChangeClass::Add, at, None),
        }
    }
    for key in before.keys() {
        if !wanted.contains_key(key) && renamed.iter().all(|(old, _)| *old != key) {
            plan.push(ChangeClass::Hide, format!("{at}/options/{key}"), None);
        }
    }
}

/// Uniqueness and indexes hold no data: they are made and dropped. A changed one is both.
fn constraints(before: &Form, wanted: &Form, at: &str, plan: &mut Plan) {
    let described = |form: &Form| -> Vec<(String, String)> {
        let names = |positions: &[usize]| -> String {
            let keys: Vec<&str> = positions.iter().map(|position| &*form.fields[*position].key).collect();
            keys.join(",")
        };
        let mut described = Vec::new();
        if !form.natural_key.is_empty() {
            described.push((format!("{at}/naturalKey"), names(&form.natural_key)));
        }
        for (key, unique) in &form.uniques {
            let condition = unique.filter.as_ref().map_or("", |filter| &filter.source);
            described.push((format!("{at}/unique/{key}"), format!("{} where {condition}", names(&unique.fields))));
        }
        for index in &form.indexes {
            let words: Vec<String> = index.iter().map(sort_word).collect();
            described.push((format!("{at}/indexes/{}", words.join(",")), String::new()));
        }
        described
    };
    let (old, new) = (described(before), described(wanted));
    for (at, _) in old.iter().filter(|entry| !new.contains(entry)) {
        plan.push(ChangeClass::Drop, at.clone(), None);
    }
    for (at, _) in new.iter().filter(|entry| !old.contains(entry)) {
        plan.push(ChangeClass::Add, at.clone(), None);
    }
}

fn sort_word(key: &SortKey) -> String {
    format!("{}{}", if key.descending { "-" } else { "" }, key.key)
}
