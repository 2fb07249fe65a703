//! The columnar copy of the records, and the executor over it. Nothing else in the workspace knows the engine.
//!
//! ```text
//! feed (scan, changes, records) ─► Frames (one per form) ─► Columnar: Executor ─► Partials
//! ```
//! The copy is never the truth and may be dropped at any time. There is no runtime inside: calls block.

mod branch;
mod column;
mod executor;
mod frame;
mod keys;
mod layout;
mod lower;
mod replica;
mod working;

pub use executor::{BranchTrace, Columnar};
pub use frame::Frame;
pub use replica::{FeedChange, FeedError, Frames, ReplicaFeed};

/// An error of the engine as ours.
fn engine(error: polars::prelude::PolarsError) -> formwork_report::Fault {
    formwork_report::Fault::Engine(error.to_string())
}
