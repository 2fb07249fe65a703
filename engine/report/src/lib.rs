//! Reports, and nothing else: no clock, no files, no engine. Plans, their policy, and what is made of the answers.
//!
//! ```text
//! metric, report, tile ─► Plan<Open> ─ police ─► Plan<Policed> ─ Executor::run ─► Partials ─ finish ─► Table ─► api, csv
//!                                      viewer                    (columnar, or the reference interpreter)
//! ```
//! Executors return partial aggregates only; ratios, totals, comparison, sorting and formatting run here, once. Time zones
//! are resolved to UTC edges before an executor runs. A plan with the viewer's predicate runs,
//!
//! ```
//! use formwork_report::{Budget, Executor, Plan, plan::Policed};
//! fn run(executor: &dyn Executor, plan: &Plan<Policed>) {
//!     let _ = executor.run(plan, Default::default(), &Budget::default());
//! }
//! ```
//!
//! and one without it does not compile:
//!
//! ```compile_fail,E0308
//! use formwork_report::{Budget, Executor, Plan, plan::Open};
//! fn run(executor: &dyn Executor, plan: &Plan<Open>) {
//!     let _ = executor.run(plan, Default::default(), &Budget::default());
//! }
//! ```

pub mod api;
pub mod buckets;
mod build;
mod calculate;
pub mod cell;
mod civil;
pub mod clocks;
pub mod csv;
pub mod drill;
pub mod fault;
mod finish;
pub mod format;
pub mod interpret;
pub mod number;
pub mod partial;
pub mod plan;
mod police;
pub mod range;
mod rank;
pub mod reads;
pub mod rows;
pub mod scale;
pub mod table;
pub mod virtuals;
mod words;

pub use build::{metric, report, tile};
pub use cell::{Cell, State};
pub use fault::{Denied, Fault, Refusal};
pub use finish::finish;
pub use interpret::Interpreter;
pub use partial::{Budget, Executor, Partials};
pub use plan::Plan;
pub use rank::answer;
pub use table::Table;
