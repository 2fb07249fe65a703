//! Formulas of metrics.

use crate::Key;
use crate::documents::metrics::{Calculated, Metric, MetricOptions};
use crate::expr::ir::{BinaryOp, Name, UnaryOp};
use crate::expr::{Ir, Position, Scope};
use crate::pack::analytics::{Calculation, Operation};
use crate::value::Value;

use super::context::{Context, words};
use super::load::Document;

/// Compiles a formula; nothing where it is wrong.
pub(super) fn compile(context: &Context<'_>, document: &Document<Metric>, formula: &Calculated) -> Option<Calculation> {
    let (common, at) = (&document.body.common, &document.at);
    let taken =
        [("dataset", common.dataset.is_some()), ("time", common.time.is_some()), ("where", common.filter.is_some())];
    for (key, _) in taken.into_iter().filter(|(_, given)| *given) {
        let hint = "say it of the metrics it is made of".to_owned();
        context.error_hint("FW0405", &at.key(key), format!("a formula has no `{key}`"), hint);
    }
    let at = at.key("compute");
    let metrics = || context.documents.metrics.keys().cloned();
    let scope = Scope::new(Position::Formula, context.shapes).metrics(metrics());
    let expr = context.check(&formula.compute, &scope, None, &at)?;
    let Some(calculation) = calculation(&expr.ir) else {
        let hint = "a formula is made of metrics, numbers, `+ - * /` and `??`".to_owned();
        context.error_hint("FW0403", &at, "this cannot be calculated from finished numbers", hint);
        return None;
    };
    if let Some(round) = round(context, &document.key) {
        let path: Vec<String> = round.iter().map(|metric| format!("`{metric}`")).collect();
        context.error("FW0405", &at, format!("the metric is made of itself: {}", path.join(" → ")));
        return None;
    }
    Some(calculation)
}

/// The metrics of that key that count rows, as far as the documents tell.
pub(super) fn counted(context: &Context<'_>, metric: &Key) -> Vec<Key> {
    let mut found = Vec::new();
    let mut seen = vec![metric.clone()];
    let mut next = 0;
    while let Some(metric) = seen.get(next).cloned() {
        next += 1;
        match named(context, &metric) {
            None => found.push(metric),
            Some(named) => named.into_iter().for_each(|key| {
                if !seen.contains(&key) {
                    seen.push(key);
                }
            }),
        }
    }
    found
}

/// The metrics a formula names; none for a metric that is no formula.
fn named(context: &Context<'_>, metric: &Key) -> Option<Vec<Key>> {
    let MetricOptions::Calculated(formula) = &context.documents.metrics.get(metric)?.body.options else { return None };
    let metrics = words(&formula.compute.0).filter_map(|word| context.documents.metrics.get_key_value(word));
    Some(metrics.map(|(key, _)| key.clone()).collect())
}

/// The way from a metric back to itself.
fn round(context: &Context<'_>, metric: &Key) -> Option<Vec<Key>> {
    let mut ways = vec![vec![metric.clone()]];
    let mut seen = Vec::new();
    while let Some(way) = ways.pop() {
        for key in way.last().and_then(|last| named(context, last)).unwrap_or_default() {
            let further = [way.clone(), vec![key.clone()]].concat();
            if key == *metric {
                return Some(further);
            }
            if !seen.contains(&key) {
                seen.push(key);
                ways.push(further);
            }
        }
    }
    None
}

fn calculation(ir: &Ir) -> Option<Calculation> {
    Some(match ir {
        Ir::Literal(Value::Integer(number)) => Calculation::Number((*number).into()),
        Ir::Literal(Value::Decimal(number)) => Calculation::Number(*number),
        Ir::Name(Name::Input(metric)) => Calculation::Metric(metric.clone()),
        Ir::Unary(UnaryOp::Negate, of) => Calculation::Negate(Box::new(calculation(of)?)),
        Ir::Binary(op, left, right) => {
            let operation = match op {
                BinaryOp::Add => Operation::Add,
                BinaryOp::Subtract => Operation::Subtract,
                BinaryOp::Multiply => Operation::Multiply,
                BinaryOp::Divide => Operation::Divide,
                BinaryOp::Coalesce => Operation::Else,
                _ => return None,
            };
            Calculation::Binary(operation, Box::new(calculation(left)?), Box::new(calculation(right)?))
        }
        _ => return None,
    })
}
