//! Computing what does not depend on the row, before a back end sees the expression.

use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{BinaryOp, Function};

use super::{Environment, EvalError, evaluate};

/// The same expression with every part that reads nothing of a row replaced by its value: `now`, `user.id`,
/// `settings.x`, `today - days(30)`. What is left are fields, literals and operators on them, so that a lowering needs
/// no clock, no zone and no user. Conditions that are decided by it are cut away.
pub fn bind(ir: &Ir, environment: &Environment) -> Result<Ir, EvalError> {
    if ir.is_row_free() {
        return evaluate(ir, environment).map(Ir::Literal);
    }
    let all = |list: &[Ir]| list.iter().map(|item| bind(item, environment)).collect::<Result<Vec<Ir>, EvalError>>();
    let one = |ir: &Ir| bind(ir, environment).map(Box::new);
    Ok(match ir {
        Ir::Literal(_) | Ir::Field(_) | Ir::Name(_) => ir.clone(),
        Ir::Unary(op, a) => Ir::Unary(*op, one(a)?),
        Ir::Binary(op, a, b) => simplified(*op, bind(a, environment)?, bind(b, environment)?),
        Ir::In(a, list) => Ir::In(one(a)?, all(list)?),
        Ir::InList(a, list) => Ir::InList(one(a)?, one(list)?),
        Ir::List(list) => Ir::List(all(list)?),
        // The literal arguments of these functions say how to read the others and stay as they are.
        Ir::Call(function @ Function::Rng, arguments) => Ir::Call(*function, arguments.clone()),
        Ir::Call(function, arguments) => Ir::Call(*function, all(arguments)?),
        Ir::Fold(fold, rows, each) => {
            let each = each.as_ref().map(|each| one(each)).transpose()?;
            Ir::Fold(*fold, rows.map(&mut |each| bind(each, environment))?, each)
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
