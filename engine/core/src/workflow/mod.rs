//! The executor: it knows the graph of a workflow and nothing of the file it came from.
//!
//! ```text
//! start / task done / timer / message ─► Run: enter a step ─► act ─► leave it (outputs, set) ─► enter the next … until
//!                                                 │             every token rests: at a task, an event, or a join
//!                                                 └─► incident: the instance stands still for an administrator
//! ```
//! Tokens side by side are in `blocks.rs`, what they wait for in `tasks.rs` (people) and `waits.rs` (time, messages). How
//! long it all may take is measured in `clocks.rs`.
//! A run changes the instance and the session of its record; the act that made the run checks and writes both.

mod actions;
mod blocks;
mod clocks;
mod notify;
mod run;
mod script;
mod start;
mod tasks;
mod waits;

pub(crate) use clocks::{CLOCK, give_up, tend};
pub(crate) use run::{Halt, Run, open_incident};
pub(crate) use start::{begin, existing_start, start_created, start_key};
