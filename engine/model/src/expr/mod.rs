//! The expression language: text → tokens → tree with places → checked, typed IR.
//!
//! ```text
//! text ─► lexer ─► parser ─► ast ─► check (scope, functions) ─► Expr { ty, ir } ─► core::eval │ SQL │ polars
//!            └────────┴──────────────► Problem, all of them, with places and hints
//! ```

pub mod ast;
pub mod bounds;
mod cell;
mod check;
pub mod duration;
pub mod functions;
pub mod ir;
mod lexer;
pub mod parser;
pub mod position;
pub mod problem;
pub mod scope;
pub mod times;
pub mod types;
pub mod walk;

#[cfg(test)]
mod tests;

pub use cell::check_cell;
pub use check::check;
pub use ir::{Expr, Ir};
pub use position::{Names, Position};
pub use problem::Problem;
pub use scope::{Scope, Shapes};
pub use types::{TableRef, Type};
pub use walk::{Reference, references};
