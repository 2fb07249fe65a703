//! Checked decision tables.

use indexmap::IndexMap;

use crate::expr::{Expr, Type};
use crate::{Key, Text};

/// A checked decision table.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// The form its inputs read.
    pub form: Key,
    /// Which of the rules that match counts.
    pub hit: Hit,
    /// Inputs over the form, in the order of the cells.
    pub inputs: IndexMap<Key, Expr>,
    /// Outputs and their types, in the order of `then`.
    pub outputs: IndexMap<Key, Type>,
    /// The rules in file order.
    pub rules: IndexMap<Key, DecisionRule>,
}

/// Hit policies (DMN 1.4 §8.2.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// The first that matches, in file order.
    First,
    /// At most one matches; two are an error.
    Unique,
    /// All that match agree; otherwise an error.
    Any,
    /// All that match count.
    Collect,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct DecisionRule {
    /// One cell per input.
    pub cells: Vec<Cell>,
    /// One value per output; may name inputs.
    pub outputs: Vec<Expr>,
}

/// A cell: `-` or a condition in which [`crate::expr::ir::Name::Cell`] is the input.
#[derive(Debug, Clone)]
pub enum Cell {
    /// Matches everything.
    Any,
    /// Matches where true.
    Test(Expr),
}
