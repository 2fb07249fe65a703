//! Child tables: rows with fields of their own.

use crate::diagnostic::At;
use crate::documents::fields as author;
use crate::expr::{TableRef, Type};
use crate::pack::form::{Field, FieldKind};

use super::field::Table;
use super::order;

/// Compiles the field `key` of type `table`.
pub(super) fn compile(table: &Table<'_, '_>, key: &str, rows: &author::Table, at: &At) -> FieldKind {
    let reference = TableRef { form: table.reference.form.clone(), table: Some(key.into()) };
    let child = Table { context: table.context, document: table.document, reference: reference.clone() };
    let at_fields = at.key("fields");
    let fields: Vec<Field> =
        rows.fields.iter().filter_map(|(key, field)| child.field(key, field, &at_fields.key(key))).collect();
    let mut uniques = indexmap::IndexMap::new();
    for (name, keys) in &rows.unique {
        let at = at.key("unique").key(name);
        let mut positions = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            match fields.iter().position(|field| &*field.key == key.as_str()) {
                Some(position) => positions.push(position),
                None if rows.fields.contains_key(key) => {}
                None => {
                    let known = fields.iter().map(|field| &*field.key);
                    table.context.unknown("FW0401", &at.index(index), "field of the rows", key, known);
                }
            }
        }
        uniques.insert(name.as_str().into(), positions);
    }
    FieldKind::Table {
        compute_order: order::rows_order(table.context, &reference, &fields, &at_fields),
        ty: Type::Rows(reference),
        fields,
        max_rows: rows.max_rows,
        uniques,
    }
}
