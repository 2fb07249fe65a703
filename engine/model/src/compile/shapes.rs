//! What expressions may name, made from the documents before any expression is checked.

use std::collections::HashSet;

use crate::documents::Kind;
use crate::documents::common::{Exact, Keyed};
use crate::documents::fields::{Field, FieldOptions, Snapshot};
use crate::documents::pack::SettingType;
use crate::expr::bounds::of_limits;
use crate::expr::ir::Slot;
use crate::expr::scope::{FieldShape, Shapes, TableShape};
use crate::expr::types::{TableRef, Type};
use crate::tree::unescape;
use crate::{Key, documents::form};

use super::load::{Document, Documents};
use super::{clocks, literal};

/// Places of decimals that are no field: settings, variables, outputs.
pub(crate) const FREE_SCALE: u8 = 9;

/// The shapes of a pack.
pub(crate) fn build(documents: &Documents) -> Shapes {
    let mut shapes = Shapes::default();
    if let Some(pack) = &documents.pack {
        shapes.queues = pack.body.queues.keys().map(|key| Key::from(key.as_str())).collect();
        shapes.roles = pack.body.roles.keys().map(|key| Key::from(key.as_str())).collect();
        for (key, setting) in &pack.body.settings {
            shapes.settings.insert(key.as_str().into(), setting_type(setting.kind));
        }
    }
    // A calendar that cannot be read is there all the same.
    let broken = documents.broken.iter().filter(|(kind, _)| *kind == Kind::Calendar);
    let broken = broken.map(|(_, key)| Key::from(key.as_str()));
    shapes.calendars = documents.calendars.keys().cloned().chain(broken).collect();
    for document in documents.forms.values() {
        add_form(document, documents, &mut shapes);
    }
    shapes
        .tables
        .extend(documents.forms.keys().filter_map(|form| Some(clocks::shape(&clocks::form(documents, form)?))));
    shapes
}

/// The type of a setting.
pub(crate) fn setting_type(kind: SettingType) -> Type {
    match kind {
        SettingType::Integer => Type::Integer,
        SettingType::Decimal => Type::Decimal { scale: FREE_SCALE },
        SettingType::Text => Type::Text,
        SettingType::Boolean => Type::Boolean,
    }
}

fn add_form(document: &Document<form::Form>, documents: &Documents, shapes: &mut Shapes) {
    let form = &document.key;
    let mut table = TableShape::default();
    for (key, field) in &document.body.fields {
        let shape = FieldShape {
            slot: Slot::Field(table.fields.len()),
            ty: field_type(form, key, field, documents, &mut HashSet::new()),
            backlink: match &field.options {
                FieldOptions::Backlink(backlink) => backlink.from.split_once('.').map(|(_, link)| Key::from(link)),
                _ => None,
            },
            stored: is_stored(field),
            bound: bound(field),
        };
        table.fields.insert(key.as_str().into(), shape);
        if let FieldOptions::Table(rows) = &field.options {
            let prefix = format!("/fields/{key}/fields/");
            let reference = TableRef { form: form.clone(), table: Some(key.as_str().into()) };
            shapes.tables.insert(reference, rows_shape(form, &rows.fields, &prefix, document, documents));
        }
    }
    add_cut(&mut table, "/fields/", document);
    shapes.tables.insert(TableRef::form(form), table);
}

fn rows_shape(
    form: &Key,
    fields: &Keyed<Field>,
    prefix: &str,
    document: &Document<form::Form>,
    documents: &Documents,
) -> TableShape {
    let mut table = TableShape::default();
    for (key, field) in fields {
        let shape = FieldShape {
            slot: Slot::Field(table.fields.len()),
            ty: field_type(form, key, field, documents, &mut HashSet::new()),
            backlink: None,
            stored: is_stored(field),
            bound: bound(field),
        };
        table.fields.insert(key.as_str().into(), shape);
    }
    add_cut(&mut table, prefix, document);
    table
}

/// Fields that were cut out keep their names with a type that agrees with everything, so that their uses are no errors.
fn add_cut(table: &mut TableShape, prefix: &str, document: &Document<form::Form>) {
    for pointer in &document.cut {
        let Some(key) = pointer.strip_prefix(prefix).filter(|rest| !rest.contains('/')) else { continue };
        let slot = Slot::Field(table.fields.len());
        let shape = FieldShape { slot, ty: Type::Null, backlink: None, stored: true, bound: None };
        table.fields.insert(unescape(key).as_str().into(), shape);
    }
}

/// The bound of a number by its limits; what is computed is not held to them.
fn bound(field: &Field) -> Option<i128> {
    let exact = |limit: &Option<Exact>| limit.as_ref().and_then(|limit| literal::exact(&limit.0));
    match &field.options {
        _ if field.common.compute.is_some() => None,
        FieldOptions::Integer(integer) => of_limits(integer.min.map(Into::into), integer.max.map(Into::into), 0),
        FieldOptions::Decimal(decimal) => of_limits(exact(&decimal.min), exact(&decimal.max), decimal.scale),
        FieldOptions::Money(money) => of_limits(exact(&money.min), exact(&money.max), 2),
        _ => None,
    }
}

fn is_stored(field: &Field) -> bool {
    match &field.options {
        FieldOptions::Backlink(_) => false,
        FieldOptions::Lookup(lookup) => !matches!(lookup.snapshot, Snapshot::Live),
        _ => field.common.compute.is_none() || field.common.stored == Some(true),
    }
}

/// The type of a field in expressions. A lookup has that of the field it looks up; `seen` stops lookups that go round.
fn field_type(form: &Key, key: &str, field: &Field, documents: &Documents, seen: &mut HashSet<(Key, String)>) -> Type {
    match &field.options {
        FieldOptions::Text(_)
        | FieldOptions::LongText(_)
        | FieldOptions::Email(_)
        | FieldOptions::Phone(_)
        | FieldOptions::Series(_) => Type::Text,
        FieldOptions::Integer(_) => Type::Integer,
        FieldOptions::Decimal(decimal) => Type::Decimal { scale: decimal.scale },
        FieldOptions::Money(_) => Type::Money,
        FieldOptions::Boolean(_) => Type::Boolean,
        FieldOptions::Date(_) => Type::Date,
        FieldOptions::Datetime(_) => Type::DateTime,
        FieldOptions::Choice(choice) => {
            Type::Choice(choice.options.keys().map(|key| Key::from(key.as_str())).collect())
        }
        FieldOptions::Link(link) => Type::Link(link.to.as_str().into()),
        FieldOptions::Queue(_) => Type::Queue,
        FieldOptions::User(_) => Type::User,
        FieldOptions::Table(_) => Type::Rows(TableRef { form: form.clone(), table: Some(key.into()) }),
        FieldOptions::Backlink(backlink) => {
            let other = backlink.from.split_once('.').map_or(backlink.from.as_str(), |(other, _)| other);
            Type::Rows(TableRef::form(&other.into()))
        }
        FieldOptions::Lookup(lookup) => {
            if !seen.insert((form.clone(), key.to_owned())) {
                return Type::Null;
            }
            let via = documents.forms.get(form).and_then(|form| form.body.fields.get(&lookup.via));
            let Some(FieldOptions::Link(link)) = via.map(|via| &via.options) else { return Type::Null };
            let Some(target) = documents.forms.get(link.to.as_str()) else { return Type::Null };
            match target.body.fields.get(&lookup.field) {
                Some(field) => field_type(&target.key, &lookup.field, field, documents, seen),
                None => looked_up_type(&lookup.field, &target.key).unwrap_or(Type::Null),
            }
        }
    }
}

/// The type of a field every record of that form has, looked up; its id is the link itself.
pub(crate) fn looked_up_type(key: &str, form: &Key) -> Option<Type> {
    Slot::of_system(key, form).filter(|(slot, _)| *slot != Slot::Id).map(|(_, ty)| ty)
}
