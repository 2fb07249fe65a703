//! The one set of rules of a form: what creating, changing, importing, workflows and typing all go through.
//!
//! ```text
//! Session: defaults ─► incoming ─► derive (numbers, look-ups, computed) ─► check (visibility, clearing, required,
//!          limits, links, rules, unique) ─► RecordChange
//! evaluate: the same session, answered field by field while somebody types
//! ```

mod check;
mod derive;
mod evaluate;
mod incoming;
mod links;
mod rows;
mod session;
mod uniques;

pub(crate) use derive::completed;
pub use evaluate::evaluate_form;
pub(crate) use session::{Session, gather, invalid};
pub use uniques::not_unique;
