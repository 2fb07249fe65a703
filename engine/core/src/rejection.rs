//! Why a caller is refused.

use serde::Serialize;

/// A refusal, seen by the caller as 4xx problem+json. Values in messages are never those of masked fields.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {title}")]
pub struct Rejection {
    /// What kind of refusal; `designer-api` maps it to a status.
    pub kind: RejectionKind,
    /// Stable: `FW1004`, or a verb's refusal such as `already_claimed`.
    pub code: String,
    /// One sentence.
    pub title: String,
    /// One entry per place.
    pub errors: Vec<FieldError>,
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionKind {
    /// The request cannot be understood.
    Malformed,
    /// Nobody is logged in, and somebody must be.
    Unauthenticated,
    /// This viewer may not.
    Forbidden,
    /// No such thing, or none this viewer may know of.
    NotFound,
    /// The state of things forbids it (claimed already, closed already).
    Conflict,
    /// The record has moved on since the caller read it.
    Stale,
    /// The values are not valid.
    Invalid,
    /// Too much at once.
    Busy,
    /// What was asked for has not arrived yet.
    Late,
}

/// An error at a place of the submitted body.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldError {
    /// `required`, `too_long`, `pattern`, `unknown_field`, `wrong_type`, `not_writable`, `unique` or the key of a rule.
    pub code: String,
    /// RFC 6901, into the submitted body; empty for the whole.
    pub pointer: String,
    /// In the caller's language.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Rejection {
    /// A refusal without places.
    pub fn new(kind: RejectionKind, code: impl Into<String>, title: impl Into<String>) -> Self {
        Self { kind, code: code.into(), title: title.into(), errors: Vec::new() }
    }
}
