//! Executes a checked pack, and does no IO: values, time and seeds in; decisions and effects out.
//!
//! ```text
//! Stimulus + Facts ─► decide ─► ChangeSet            (the store writes it in one transaction)
//!                       │  └──► Rejection            (the caller is refused)
//!                       └─────► Need                 (the driver loads it into Facts and calls again)
//! question + Facts ─► JSON, through the one projection (access)
//! ```

pub mod access;
mod acts;
pub mod calendar;
mod cells;
pub mod change;
pub mod clock;
pub mod decide;
mod decision;
pub mod demo;
mod diff;
pub mod eval;
pub mod facts;
pub mod feed;
pub mod form;
pub mod ids;
pub mod instance;
pub mod material;
pub mod messages;
pub mod notice;
mod patterns;
pub mod questions;
pub mod read;
pub mod record;
pub mod rejection;
mod scene;
pub mod stimulus;
pub mod trace;
mod turn;
pub mod viewer;
pub mod wire;
mod work;
mod workflow;

pub use access::{ListRequest, Projection};
pub use change::ChangeSet;
pub use decide::decide;
pub use facts::{Facts, Need};
pub use form::evaluate_form;
pub use record::Record;
pub use rejection::{FieldError, Rejection, RejectionKind};
pub use stimulus::{Act, Stimulus};
pub use viewer::{Viewer, ViewerKind};

use eval::TooMany;

/// Why a pure function of the core came to no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// It lacks these facts: load them and call again.
    Need(Vec<Need>),
    /// The caller is refused.
    Reject(Box<Rejection>),
    /// A number or a time became too large: an error of the field or the step it was for. Where nothing is to be said at a
    /// field or a step, the transaction rolls back.
    Overflow(String),
    /// A look-up found more records than it may: an error of the field or the step it was for, else the caller is
    /// refused.
    TooMany(TooMany),
    /// A defect of ours, or an expression without an end in sight. The transaction rolls back.
    Fault(String),
}

impl From<Box<Rejection>> for Stop {
    fn from(rejection: Box<Rejection>) -> Self {
        Stop::Reject(rejection)
    }
}
