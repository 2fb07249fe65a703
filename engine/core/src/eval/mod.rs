//! Evaluating checked expressions on records: pure, exact, bounded.
//!
//! ```text
//! Ir + Environment { now, zone, viewer, rows, old, names, records } ─► Value
//!                                                                  └─► EvalError::Missing ─► load, evaluate again
//! ```
//! The semantics are those of `definitions.md` §2: null-safe `==`, `!=` and `in`; three-valued `and` and `or`; every other
//! operator and function on null gives null; a condition that is null counts as false where it is used
//! ([`Value::is_true`]).

mod bind;
mod call;
mod duration;
mod find;
mod fold;
mod number;
mod rows;
mod run;
pub mod time;
mod wide;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use formwork_model::Value;
use formwork_model::expr::{Expr, Ir, Type};

use crate::Stop;
use crate::facts::Need;
use crate::viewer::Viewer;

pub use bind::bind;
pub use find::{FOUND_MAX, Find, TooMany};
pub use rows::{Missing, Names, Nothing, Records, RowView};

/// Most nodes evaluated in one call; a fold counts its expression once per row.
pub const COST_MAX: u32 = 1_000_000;

/// What an expression is evaluated in.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The instant of the stimulus.
    pub now: DateTime<Utc>,
    /// The pack's zone.
    pub zone: Tz,
    /// Who acts.
    pub viewer: &'a Viewer,
    /// The rows in scope, innermost first, as the scope's frames say.
    pub rows: &'a [RowView<'a>],
    /// The stored record (`old.x`); none while it is being created.
    pub old: Option<RowView<'a>>,
    /// The input of a decision cell.
    pub cell: Option<&'a Value>,
    /// Settings, variables, outputs, inputs, columns.
    pub names: &'a dyn Names,
    /// Where links and backlinks lead.
    pub records: &'a dyn Records,
}

impl<'a> Environment<'a> {
    /// An environment without rows.
    pub fn new(
        now: DateTime<Utc>,
        zone: Tz,
        viewer: &'a Viewer,
        names: &'a dyn Names,
        records: &'a dyn Records,
    ) -> Self {
        Self { now, zone, viewer, rows: &[], old: None, cell: None, names, records }
    }

    /// The same with these rows, innermost first.
    pub fn with_rows(self, rows: &'a [RowView<'a>]) -> Self {
        Self { rows, ..self }
    }

    /// The same with these stored values.
    pub fn with_old(self, old: Option<RowView<'a>>) -> Self {
        Self { old, ..self }
    }

    /// The same with this input of a decision cell.
    pub fn with_cell(self, cell: &'a Value) -> Self {
        Self { cell: Some(cell), ..self }
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq)]
pub enum EvalError {
    /// These records are not at hand: load them and evaluate again.
    Missing(Vec<Missing>),
    /// A number or a time is beyond what can be held.
    Overflow,
    /// A look-up found more than it may.
    TooMany(TooMany),
    /// More than [`COST_MAX`] nodes were evaluated.
    Cost,
    /// The expression does not fit the environment or its own types: a defect of ours.
    Defect(String),
}

impl From<EvalError> for Stop {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Missing(missing) => Stop::Need(missing.into_iter().map(Need::from).collect()),
            EvalError::Overflow => Stop::Overflow("a number or a time is too large".to_owned()),
            EvalError::TooMany(too_many) => Stop::TooMany(too_many),
            EvalError::Cost => Stop::Fault("an expression takes too many steps".to_owned()),
            EvalError::Defect(message) => Stop::Fault(message),
        }
    }
}

/// The value of a checked tree.
pub fn evaluate(ir: &Ir, environment: &Environment) -> Result<Value, EvalError> {
    run::Evaluator::new(environment).top(ir)
}

/// The value of an expression in its type: where it is decimal or money, an integer becomes a decimal.
pub fn evaluate_expr(expr: &Expr, environment: &Environment) -> Result<Value, EvalError> {
    Ok(match (evaluate(&expr.ir, environment)?, &expr.ty) {
        (Value::Integer(number), Type::Decimal { .. } | Type::Money) => Value::Decimal(number.into()),
        (value, _) => value,
    })
}

/// Whether a condition holds; null counts as false.
pub fn holds(expr: &Expr, environment: &Environment) -> Result<bool, EvalError> {
    evaluate(&expr.ir, environment).map(|value| value.is_true())
}
