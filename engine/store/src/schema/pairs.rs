//! Fields that live on: as they were deployed, and as they are wanted.

use formwork_model::Pack;
use formwork_model::pack::form::{Field, Form};
use formwork_model::plan::{former_fields, former_form};

/// A field and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) form: &'a Form,
    /// The table field, for a field of child rows.
    pub(super) child: Option<&'a Field>,
    pub(super) field: &'a Field,
}

impl<'a> Spot<'a> {
    /// The fields beside it, itself among them.
    pub(super) fn siblings(&self) -> &'a [Field] {
        self.child.map_or(&self.form.fields, |table| table.kind.rows())
    }

    pub(super) fn child_key(&self) -> &'a str {
        self.child.map_or("", |table| &table.key)
    }

    /// `forms/ticket/fields/items/fields/claimed`.
    pub(super) fn at(&self) -> String {
        let child = self.child.map(|table| format!("/fields/{}", table.key)).unwrap_or_default();
        format!("forms/{}{child}/fields/{}", self.form.key, self.field.key)
    }
}

/// (before, after) of every field that lives on, fields of child rows included.
pub(super) fn pairs<'a>(deployed: Option<&'a Pack>, wanted: &'a Pack) -> Vec<(Spot<'a>, Spot<'a>)> {
    let Some(deployed) = deployed else { return Vec::new() };
    let mut found = Vec::new();
    for form in wanted.forms().values() {
        let Some(before) = former_form(deployed, wanted, form) else { continue };
        for (old, new) in beside(&before.fields, &form.fields) {
            found.push((Spot { form: before, child: None, field: old }, Spot { form, child: None, field: new }));
            for (old_row, new_row) in beside(old.kind.rows(), new.kind.rows()) {
                found.push((
                    Spot { form: before, child: Some(old), field: old_row },
                    Spot { form, child: Some(new), field: new_row },
                ));
            }
        }
    }
    found
}

fn beside<'a>(before: &'a [Field], wanted: &'a [Field]) -> Vec<(&'a Field, &'a Field)> {
    let formers = former_fields(before, wanted).into_iter().zip(wanted);
    formers.filter_map(|(former, field)| Some((&before[former?], field))).collect()
}
