//! Pure questions: what a viewer reads. Each is called with ever more facts until it answers (the store's `ask`).
//!
//! Every answer goes through the one projection; there is no function here without a viewer.

mod board;
mod clocks;
mod forms;
mod history;
mod noticed;
mod records;
mod schema;
mod tasks;
mod track;

pub use board::board;
pub(crate) use board::{judged, proposed};
pub use clocks::{open_clocks, record_clocks};
pub use forms::{form, forms};
pub use history::history;
pub use noticed::{Touched, noticed};
pub use records::{Filled, evaluate, list, record};
pub use schema::form_schema;
pub use tasks::{PinnedPacks, record_tasks, task, tasks};
pub(crate) use track::proven;
pub use track::track;
