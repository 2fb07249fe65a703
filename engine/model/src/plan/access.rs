//! The permission diff: what each role may do now and then.

use std::collections::BTreeSet;

use crate::Key;
use crate::pack::Pack;
use crate::pack::form::{Access, Condition, Form, Level};

use super::AccessChange;
use super::{former_fields, former_form};

/// Every level and row condition that differs, by form, role and field in the order of the wanted pack.
pub(super) fn compare(deployed: Option<&Pack>, wanted: &Pack) -> Vec<AccessChange> {
    let mut changes = Vec::new();
    for form in wanted.forms().values() {
        let before = deployed.and_then(|deployed| former_form(deployed, wanted, form));
        let public = Key::from("public");
        let roles = form.access.keys().chain(before.into_iter().flat_map(|before| before.access.keys()));
        let roles = roles.chain([&public]);
        let mut seen = BTreeSet::new();
        for role in roles.filter(|role| seen.insert((*role).clone())) {
            operations(before, form, role, &mut changes);
            levels(before, form, role, &mut changes);
        }
    }
    for form in deployed.into_iter().flat_map(|deployed| deployed.forms().values()) {
        let mut formers = wanted.forms().values().filter_map(|other| former_form(deployed?, wanted, other));
        if formers.all(|former| former.key != form.key) {
            form.access.keys().for_each(|role| gone(form, role, &mut changes));
        }
    }
    changes
}

fn operations(before: Option<&Form>, form: &Form, role: &Key, changes: &mut Vec<AccessChange>) {
    let old = words(before.and_then(|before| before.access.get(role)));
    let new = words(form.access.get(role));
    for ((operation, from), (_, to)) in old.into_iter().zip(new) {
        push(changes, role, &form.key, Subject::Operation(operation), from, to);
    }
}

/// `read`, `create`, `update` and `delete` in words.
fn words(access: Option<&Access>) -> [(&'static str, String); 4] {
    let word = |condition: Option<&Condition>| match condition {
        None | Some(Condition::Never) => "never".to_owned(),
        Some(Condition::Always) => "always".to_owned(),
        Some(Condition::When(expr)) => expr.source.clone(),
    };
    let create = access.is_some_and(|access| access.create);
    [
        ("read", word(access.map(|access| &access.read))),
        ("create", if create { "always" } else { "never" }.to_owned()),
        ("update", word(access.map(|access| &access.update))),
        ("delete", word(access.map(|access| &access.delete))),
    ]
}

fn levels(before: Option<&Form>, form: &Form, role: &Key, changes: &mut Vec<AccessChange>) {
    let old = before.map(|before| before.fields.as_slice()).unwrap_or_default();
    let formers = former_fields(old, &form.fields);
    for (position, field) in form.fields.iter().enumerate() {
        let to = level(form, role, position, None);
        let former = before.and_then(|before| Some((before, formers[position]?)));
        let from = former.map_or(Level::None, |(before, at)| level(before, role, at, None));
        push_level(changes, role, &form.key, field.key.to_string(), from, to);
        let old_rows = former.map(|(before, at)| before.fields[at].kind.rows()).unwrap_or_default();
        let former_rows = former_fields(old_rows, field.kind.rows());
        for (row, child) in field.kind.rows().iter().enumerate() {
            let to = level(form, role, position, Some(row));
            let from = former.map_or(Level::None, |(before, at)| {
                former_rows[row].map_or(Level::None, |row| level(before, role, at, Some(row)))
            });
            push_level(changes, role, &form.key, format!("{}.{}", field.key, child.key), from, to);
        }
    }
    let Some(before) = before else { return };
    for (position, field) in before.fields.iter().enumerate() {
        let Some(wanted) = formers.iter().position(|former| *former == Some(position)) else {
            let from = level(before, role, position, None);
            push_level(changes, role, &form.key, field.key.to_string(), from, Level::None);
            continue;
        };
        let former_rows = former_fields(field.kind.rows(), form.fields[wanted].kind.rows());
        for (row, child) in field.kind.rows().iter().enumerate() {
            if !former_rows.contains(&Some(row)) {
                let from = level(before, role, position, Some(row));
                push_level(changes, role, &form.key, format!("{}.{}", field.key, child.key), from, Level::None);
            }
        }
    }
}

fn level(form: &Form, role: &Key, position: usize, row: Option<usize>) -> Level {
    let found = form.access.get(role).and_then(|access| match row {
        None => access.levels.get(position),
        Some(row) => access.row_levels.get(&position).and_then(|levels| levels.get(row)),
    });
    let own = found.copied().unwrap_or(Level::None);
    // Whoever follows a record without logging in reads what its form shows them.
    let track = form.track().filter(|_| &**role == "public");
    if track.is_some_and(|track| track.show.contains(&position)) { own.max(Level::Read) } else { own }
}

fn gone(form: &Form, role: &Key, changes: &mut Vec<AccessChange>) {
    for (operation, from) in words(form.access.get(role)) {
        push(changes, role, &form.key, Subject::Operation(operation), from, "never".to_owned());
    }
    for (position, field) in form.fields.iter().enumerate() {
        push_level(changes, role, &form.key, field.key.to_string(), level(form, role, position, None), Level::None);
    }
}

enum Subject {
    Field(String),
    Operation(&'static str),
}

fn push_level(changes: &mut Vec<AccessChange>, role: &Key, form: &Key, field: String, from: Level, to: Level) {
    push(changes, role, form, Subject::Field(field), from.word().to_owned(), to.word().to_owned());
}

fn push(changes: &mut Vec<AccessChange>, role: &Key, form: &Key, subject: Subject, from: String, to: String) {
    if from == to {
        return;
    }
    let (field, operation) = match subject {
        Subject::Field(field) => (Some(field), None),
        Subject::Operation(operation) => (None, Some(operation)),
    };
    changes.push(AccessChange { role: role.to_string(), form: form.to_string(), field, operation, from, to });
}
