//! What may be asked of the records, already bound to a viewer.
//!
//! A [`Query`] can only be made by [`crate::access`] from a viewer: its predicate holds the viewer's row condition, its
//! filter and sort were checked against the levels of the fields. The store runs queries and nothing else, so there is
//! no way to read records past the projection.

use uuid::Uuid;

use formwork_model::Key;
use formwork_model::expr::Ir;
use formwork_model::pack::form::SortKey;

use crate::viewer::Viewer;

/// A question about the records of one form, bound to a viewer.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub(crate) form: Key,
    pub(crate) viewer: Viewer,
    pub(crate) predicate: Ir,
    pub(crate) search: Option<Search>,
    pub(crate) sort: Vec<SortKey>,
    pub(crate) limit: u32,
    pub(crate) after: Option<Cursor>,
    pub(crate) count: bool,
}

/// Words looked for in some field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Text fields by position: those the viewer reads.
    pub fields: Vec<usize>,
    /// What one of them must contain, with `A` to `Z` made small; so are those of the field. Other letters stand for
    /// themselves: that is the same on every engine.
    pub text: String,
}

/// Where the page before ended: the sort values and the id of its last row, as text the caller hands back.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// One value per sort key.
    pub values: Vec<formwork_model::Value>,
    /// Tie-breaker.
    pub id: Uuid,
}

impl Query {
    /// The form.
    pub fn form(&self) -> &Key {
        &self.form
    }

    /// For whom; the predicate holds what they may read.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Row condition and filter in one; over frame 0, and bound: no name is left in it (see [`crate::eval::bind`]).
    pub fn predicate(&self) -> &Ir {
        &self.predicate
    }

    /// What some field must contain besides.
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Order; the id is always the last key, ascending.
    pub fn sort(&self) -> &[SortKey] {
        &self.sort
    }

    /// Most rows of the page.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Rows after this one.
    pub fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }

    /// Whether the total is wanted (exact up to 10,000, then an estimate).
    pub fn count(&self) -> bool {
        self.count
    }
}
