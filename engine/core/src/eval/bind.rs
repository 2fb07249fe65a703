//! Computing what does not depend on the row, before a back end sees the expression.

use std::borrow::Cow;

use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{BinaryOp, Function};

use super::rows::RowView;
use super::run::{Evaluator, Frame};
use super::{Environment, EvalError, evaluate};

/// The same expression with every part that reads nothing of a row replaced by its value: `now`, `user.id`,
/// `settings.x`, `today - days(30)`. What is left are fields, literals and operators on them, so that a lowering needs
/// no clock, no zone and no user. Conditions that are decided by it are cut away.
pub fn bind(ir: &Ir, environment: &Environment) -> Result<Ir, EvalError> {
    rebuilt(ir, 0, &|ir, _| ir.is_row_free().then(|| evaluate(ir, environment)))
}

impl<'a> Evaluator<'a> {
    /// The condition of a look-up with everything that does not read the record looked at replaced by its value.
    pub(super) fn bound(&self, condition: &'a Ir, frame: Option<&Frame<'_, 'a>>) -> Result<Ir, EvalError> {
        rebuilt(condition, 1, &|ir, inner| (!ir.reads_row(inner)).then(|| self.behind(ir, inner, frame)))
    }

    /// The value of a part that stands behind so many rows and reads none of them.
    fn behind(&self, ir: &'a Ir, rows: u8, frame: Option<&Frame<'_, 'a>>) -> Result<Value, EvalError> {
        match rows {
            0 => self.value(ir, frame).map(Cow::into_owned),
            _ => self.behind(ir, rows - 1, Some(&Frame { row: RowView::NOTHING, outer: frame })),
        }
    }
}

/// The same expression with the parts that are known replaced by their values; parts are asked for from the top, with
/// how many rows were pushed around them.
fn rebuilt<'a>(
    ir: &'a Ir,
    rows: u8,
    known: &dyn Fn(&'a Ir, u8) -> Option<Result<Value, EvalError>>,
) -> Result<Ir, EvalError> {
    if let Some(value) = known(ir, rows) {
        return value.map(Ir::Literal);
    }
    let all = |list: &'a [Ir]| list.iter().map(|item| rebuilt(item, rows, known)).collect::<Result<Vec<_>, _>>();
    let one = |ir: &'a Ir| rebuilt(ir, rows, known).map(Box::new);
    Ok(match ir {
        Ir::Literal(_) | Ir::Field(_) | Ir::Name(_) => ir.clone(),
        Ir::Unary(op, a) => Ir::Unary(*op, one(a)?),
        Ir::Binary(op, a, b) => simplified(*op, rebuilt(a, rows, known)?, rebuilt(b, rows, known)?),
        Ir::In(a, list) => Ir::In(one(a)?, all(list)?),
        Ir::InList(a, list) => Ir::InList(one(a)?, one(list)?),
        Ir::List(list) => Ir::List(all(list)?),
        // The literal arguments of these functions say how to read the others and stay as they are.
        Ir::Call(function @ Function::Rng, arguments) => Ir::Call(*function, arguments.clone()),
        Ir::Call(function, arguments) => Ir::Call(*function, all(arguments)?),
        Ir::Fold(fold, of, each) => {
            let each = each.as_ref().map(|each| rebuilt(each, rows + 1, known).map(Box::new)).transpose()?;
            Ir::Fold(*fold, of.map(&mut |each| rebuilt(each, rows + 1, known))?, each)
        }
    })
}

/// `true and x` is `x`, `true or x` is true, and so on; both sides are conditions.
fn simplified(op: BinaryOp, a: Ir, b: Ir) -> Ir {
    let literal = |ir: &Ir| match ir {
        Ir::Literal(Value::Boolean(value)) => Some(*value),
        _ => None,
    };
    let decides = match op {
        BinaryOp::And => false,
        BinaryOp::Or => true,
        _ => return Ir::Binary(op, Box::new(a), Box::new(b)),
    };
    match (literal(&a), literal(&b)) {
        (Some(a), _) | (_, Some(a)) if a == decides => Ir::Literal(Value::Boolean(decides)),
        (Some(_), _) => b,
        (_, Some(_)) => a,
        _ => Ir::Binary(op, Box::new(a), Box::new(b)),
    }
}
