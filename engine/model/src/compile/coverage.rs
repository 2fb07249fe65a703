//! Which cases a decision table leaves out, and which two rules claim the same one.
//!
//! Every input is tried at a few telling values: each option of a choice, both booleans, and for numbers each limit
//! that a cell names with a value on either side. Tables with cells that say more than that are not looked at.

use rust_decimal::Decimal;

use crate::diagnostic::At;
use crate::expr::ir::{BinaryOp, Name, UnaryOp};
use crate::expr::{Ir, Type};
use crate::pack::decision::{Cell, Decision, Hit};
use crate::value::Value;

use super::context::Context;

/// Most combinations tried; a larger table is not looked at.
const COMBINATIONS_MAX: usize = 50_000;

/// Warns about the first case without a rule, and refuses the first one with two in a table that must have one.
pub(super) fn check(context: &Context<'_>, decision: &Decision, at: &At) {
    let Some(samples) = samples(decision) else { return };
    let combinations = samples.iter().try_fold(1usize, |product, values| product.checked_mul(values.len()));
    if combinations.is_none_or(|combinations| combinations > COMBINATIONS_MAX) {
        return;
    }
    let mut said_gap = false;
    let mut chosen = vec![0; samples.len()];
    loop {
        let case: Vec<&Value> = samples.iter().zip(&chosen).map(|(values, index)| &values[*index]).collect();
        let Some(hits) = hits(decision, &case) else { return };
        if hits.is_empty() && !said_gap {
            said_gap = true;
            let hint =
                Some("add a rule whose cells are all `-`, or a `none` to the steps that use the table".to_owned());
            let message = format!("no rule matches {}", words(decision, &case));
            context.warning("FW0503", &at.key("rules"), message, hint);
        }
        if decision.hit == Hit::Unique && hits.len() > 1 {
            let keys: Vec<&str> =
                hits.iter().filter_map(|index| decision.rules.get_index(*index)).map(|(key, _)| &**key).collect();
            let message = format!("`{}` and `{}` both match {}", keys[0], keys[1], words(decision, &case));
            return context.error_at_key("FW0504", &at.key("rules").key(keys[1]), message, None);
        }
        if !advance(&mut chosen, &samples) {
            return;
        }
    }
}

/// The next combination; false after the last one.
fn advance(chosen: &mut [usize], samples: &[Vec<Value>]) -> bool {
    for (index, values) in chosen.iter_mut().zip(samples).rev() {
        *index += 1;
        if *index < values.len() {
            return true;
        }
        *index = 0;
    }
    false
}

/// Values to try for each input; none where an input cannot be tried.
fn samples(decision: &Decision) -> Option<Vec<Vec<Value>>> {
    let columns = decision.inputs.values().enumerate();
    columns.map(|(index, input)| column_samples(decision, index, &input.ty)).collect()
}

fn column_samples(decision: &Decision, index: usize, ty: &Type) -> Option<Vec<Value>> {
    let mut limits = Vec::new();
    let mut tested = false;
    for rule in decision.rules.values() {
        if let Cell::Test(expr) = rule.cells.get(index)? {
            tested = true;
            expr.ir.walk(&mut |node| {
                if let Ir::Literal(value) = node {
                    limits.extend(number(value));
                }
            });
        }
    }
    Some(match ty {
        // Nobody looks at it: any one value stands for all.
        _ if !tested => vec![Value::Null],
        Type::Choice(keys) => keys.iter().map(|key| Value::Text(key.to_string())).collect(),
        Type::Boolean => vec![Value::Boolean(false), Value::Boolean(true)],
        ty if ty.is_numeric() => around(limits),
        _ => return None,
    })
}

/// Each limit, and a value below, between and above them.
fn around(mut limits: Vec<Decimal>) -> Vec<Value> {
    limits.sort();
    limits.dedup();
    let mut values = Vec::new();
    if let (Some(first), Some(last)) = (limits.first().copied(), limits.last().copied()) {
        values.push(first - Decimal::ONE);
        for pair in limits.windows(2) {
            values.push(pair[0]);
            values.push((pair[0] + pair[1]) / Decimal::TWO);
        }
        values.extend([last, last + Decimal::ONE]);
    }
    values.into_iter().map(Value::Decimal).collect()
}

/// Positions of the rules that match; none where a cell says more than is understood here.
fn hits(decision: &Decision, case: &[&Value]) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for (index, rule) in decision.rules.values().enumerate() {
        let mut matches = true;
        for (cell, value) in rule.cells.iter().zip(case) {
            if let Cell::Test(expr) = cell {
                matches &= holds(&expr.ir, value)?;
            }
        }
        if matches {
            found.push(index);
        }
    }
    Some(found)
}

fn holds(ir: &Ir, cell: &Value) -> Option<bool> {
    Some(match ir {
        Ir::Literal(Value::Boolean(flag)) => *flag,
        Ir::Name(Name::Cell) => cell.is_true(),
        Ir::Unary(UnaryOp::Not, inner) => !holds(inner, cell)?,
        Ir::Binary(BinaryOp::And, a, b) => holds(a, cell)? && holds(b, cell)?,
        Ir::Binary(BinaryOp::Or, a, b) => holds(a, cell)? || holds(b, cell)?,
        Ir::Binary(op, a, b) => compare(*op, operand(a, cell)?, operand(b, cell)?)?,
        Ir::In(value, members) => {
            let value = operand(value, cell)?;
            let mut found = false;
            for member in members {
                found |= compare(BinaryOp::Equal, value, operand(member, cell)?)?;
            }
            found
        }
        _ => return None,
    })
}

fn operand<'a>(ir: &'a Ir, cell: &'a Value) -> Option<&'a Value> {
    match ir {
        Ir::Literal(value) => Some(value),
        Ir::Name(Name::Cell) => Some(cell),
        _ => None,
    }
}

fn compare(op: BinaryOp, a: &Value, b: &Value) -> Option<bool> {
    if a.is_null() || b.is_null() {
        return match op {
            BinaryOp::Equal => Some(a.is_null() && b.is_null()),
            BinaryOp::NotEqual => Some(a.is_null() != b.is_null()),
            _ => Some(false),
        };
    }
    let order = match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => match (a, b) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            _ => return None,
        },
    };
    Some(match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        BinaryOp::GreaterEqual => order.is_ge(),
        _ => return None,
    })
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(whole) => Some(Decimal::from(*whole)),
        Value::Decimal(exact) => Some(*exact),
        _ => None,
    }
}

/// `category = 'late', amount = 4`, inputs nobody tests left out.
fn words(decision: &Decision, case: &[&Value]) -> String {
    let parts: Vec<String> = decision
        .inputs
        .keys()
        .zip(case)
        .filter_map(|(key, value)| {
            let word = match value {
                Value::Text(text) => format!("'{text}'"),
                Value::Boolean(flag) => flag.to_string(),
                Value::Decimal(exact) => exact.normalize().to_string(),
                _ => return None,
            };
            Some(format!("{key} = {word}"))
        })
        .collect();
    parts.join(", ")
}
