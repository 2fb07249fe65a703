//! A change set as batches of rows, in an order that satisfies the foreign keys.
//!
//! ```text
//! child rows removed ─► records created ─► records changed ─► child rows written ─► records deleted ─► the rest
//! ```

mod records;
pub(crate) mod request;
mod system;
pub(crate) mod violation;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use formwork_core::change::ChangeSet;
use formwork_core::{Rejection, RejectionKind, Stimulus};

use crate::dialect::{Bound, ColumnKind, Dialect, Unfit};
use crate::layout::PackLayout;
use crate::statement::{Action, Batch};
use crate::{Failure, Fault};

/// Everything the change set writes. The rows of one batch are alike; batches run in this order.
pub(crate) fn batches(
    dialect: Dialect,
    pack: &str,
    layout: &PackLayout,
    changes: &ChangeSet,
    at: DateTime<Utc>,
) -> Result<Vec<Batch>, Failure> {
    let mut batches = Batches { dialect, list: Vec::new(), places: HashMap::new() };
    records::write(&mut batches, layout, &changes.records)?;
    system::write(&mut batches, pack, changes, at)?;
    Ok(batches.list)
}

/// The row that keeps the reply for a repeated request; without `seq` the engine fills in its own.
pub(crate) fn request_row(
    dialect: Dialect,
    stimulus: &Stimulus,
    (key, hash): &(String, String),
    reply: &formwork_core::change::Reply,
    seq: Option<i64>,
) -> Result<Batch, Failure> {
    let mut batches = Batches { dialect, list: Vec::new(), places: HashMap::new() };
    system::request(&mut batches, stimulus, key, hash, reply, seq)?;
    batches.list.pop().ok_or_else(|| Fault::new("a request without row").into())
}

/// Who a request is told apart by.
pub(crate) fn request_actor(stimulus: &Stimulus) -> String {
    match stimulus.actor.user {
        Some(user) => user.to_string(),
        None => format!("{:?}", stimulus.actor.kind).to_lowercase(),
    }
}

/// Collects rows into batches: rows of the same statement that follow one another share one.
struct Batches {
    dialect: Dialect,
    list: Vec<Batch>,
    /// Statement → place in the list, since the last barrier.
    places: HashMap<String, usize>,
}

impl Batches {
    /// Adds a row; its values stand in the order of the columns.
    fn add(&mut self, action: Action, table: &str, keys: usize, columns: &[(&str, ColumnKind)], row: Vec<Bound>) {
        let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
        let statement = format!("{action:?} {table} {names}");
        let place = *self.places.entry(statement).or_insert_with(|| {
            self.list.push(Batch::new(action, table, keys, columns));
            self.list.len() - 1
        });
        self.list[place].rows.push(row);
    }

    /// What comes after runs after.
    fn barrier(&mut self) {
        self.places.clear();
    }
}

/// A value that does not fit its column: the caller's, unless it is of another type.
fn unfit(field: &str, unfit: Unfit) -> Failure {
    let (code, title) = match unfit {
        Unfit::OutOfRange => ("out_of_range", "the number is beyond what can be stored exactly"),
        Unfit::ControlCharacter => ("control_character", "text must not hold the character U+0000"),
        Unfit::WrongType => return Fault::new(format!("the value of `{field}` is of another type")).into(),
    };
    let mut rejection = Rejection::new(RejectionKind::Invalid, code, title);
    rejection.errors.push(formwork_core::FieldError {
        code: code.to_owned(),
        pointer: format!("/{field}"),
        message: title.to_owned(),
        hint: None,
    });
    Failure::Rejected(Box::new(rejection))
}
