//! A constraint of the database that was violated, in the caller's words. The core checks first; this is the last guard.

use std::sync::Arc;

use formwork_core::form::not_unique;
use formwork_core::messages::message;
use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::Pack;
use formwork_model::pack::form::{FieldKind, Form};

use crate::layout::{FormLayout, PackLayout};
use crate::schema::{series_index_name, unique_index_name};

/// What was violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A unique index, by its name.
    UniqueIndex(String),
    /// A unique index, by the columns in it: `crm_ticket.no`.
    UniqueColumns(Vec<String>),
    /// A foreign key.
    Link,
}

impl Violation {
    /// The violation a message of SQLite is about.
    pub(crate) fn of_sqlite(message: &str) -> Option<Self> {
        if message.starts_with("FOREIGN KEY constraint failed") {
            return Some(Self::Link);
        }
        let what = message.strip_prefix("UNIQUE constraint failed: ")?;
        Some(match what.strip_prefix("index '").and_then(|name| name.strip_suffix('\'')) {
            Some(name) => Self::UniqueIndex(name.to_owned()),
            None => Self::UniqueColumns(what.split(", ").map(str::to_owned).collect()),
        })
    }

    /// The refusal; none where the constraint is one of ours and the violation a defect.
    pub(crate) fn rejection(&self, pack: &Arc<Pack>, layout: &PackLayout, actor: &Viewer) -> Option<Rejection> {
        if *self == Self::Link {
            let title = message(&actor.language, "link_broken", "", "");
            return Some(Rejection::new(RejectionKind::Conflict, "linked", title));
        }
        pack.forms().values().find_map(|form| {
            let fields = self.fields(form, layout.forms.get(&form.key)?)?;
            Some(not_unique(pack, &form.key, &fields, actor))
        })
    }

    /// Whether it is a number of a series that is there already.
    pub(crate) fn is_of_series(&self, pack: &Pack, layout: &PackLayout) -> bool {
        pack.forms().values().any(|form| {
            let fields = layout.forms.get(&form.key).and_then(|of_form| self.fields(form, of_form));
            fields
                .is_some_and(|fields| fields.iter().any(|&at| matches!(form.fields[at].kind, FieldKind::Series { .. })))
        })
    }

    /// The fields of the form that were to be unique.
    fn fields(&self, form: &Form, of_form: &FormLayout) -> Option<Vec<usize>> {
        let table = &of_form.table;
        let natural = (unique_index_name(table, "natural_key"), form.natural_key.clone());
        let declared = form.uniques.iter().map(|(key, unique)| (unique_index_name(table, key), unique.fields.clone()));
        let series = of_form.columns.iter().filter_map(|column| {
            let is_series = matches!(form.fields[column.position].kind, FieldKind::Series { .. });
            is_series.then(|| (series_index_name(table, &column.name), vec![column.position]))
        });
        let mut indexes = std::iter::once(natural).chain(declared).chain(series);
        let (_, fields) = indexes.find(|(index, fields)| match self {
            Self::UniqueIndex(name) => name == index,
            Self::UniqueColumns(columns) => {
                let own = fields.iter().filter_map(|&at| of_form.column(at));
                let own: Vec<String> = own.map(|column| format!("{}.{}", of_form.table, column.name)).collect();
                !own.is_empty() && own == *columns
            }
            Self::Link => false,
        })?;
        Some(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_sqlite_are_understood() {
        let columns = Violation::UniqueColumns(vec!["t.a".to_owned(), "t.b".to_owned()]);
        assert_eq!(Violation::of_sqlite("UNIQUE constraint failed: t.a, t.b"), Some(columns));
        let index = Violation::UniqueIndex("t___x".to_owned());
        assert_eq!(Violation::of_sqlite("UNIQUE constraint failed: index 't___x'"), Some(index));
        assert_eq!(Violation::of_sqlite("FOREIGN KEY constraint failed"), Some(Violation::Link));
        assert_eq!(Violation::of_sqlite("disk I/O error"), None);
    }
}
