//! From text to a checked [`Pack`], and nothing else: no clock, no files, no network.
//!
//! ```text
//! files ─► tree (places) ─► schema (structure) ─► documents (typed) ─► compile (resolve, check) ─► Pack
//!                                                                            │
//!                                              diagnostics, all of them, from every stage
//! ```

pub mod codes;
mod compile;
pub mod diagnostic;
pub mod documents;
pub mod expr;
pub mod fmt;
pub mod pack;
pub mod plan;
pub mod schema;
pub mod script;
pub mod source;
mod structure;
pub mod suggest;
pub mod text;
pub mod tree;
pub mod value;

pub use codes::explain;
pub use compile::compile;
pub use diagnostic::{Diagnostic, Severity};
pub use documents::Kind;
pub use pack::Pack;
pub use plan::{Plan, plan};
pub use schema::schema;
pub use source::SourceMap;
pub use text::Text;
pub use value::Value;

/// A stable id in a definition: `[a-z][a-z0-9_]{0,47}`.
pub type Key = std::sync::Arc<str>;
