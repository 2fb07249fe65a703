//! Places after the point: a sum is an integer of `10^-places`, so that adding is exact and order does not matter.

use formwork_model::Value;
use formwork_model::expr::ir::{BinaryOp, Fold, Function};
use formwork_model::expr::{Ir, Type};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::fault::Fault;
use crate::number::power_of_ten;

/// Places of a quotient, and of values whose places are not known before they are computed.
const QUOTIENT_PLACES: u8 = 12;
/// Most places of a sum: 18 of the 38 digits of an `i128`.
const PLACES_MAX: u8 = 18;

/// The most places a value of the expression has.
pub fn places(ir: &Ir) -> u8 {
    let most = |items: &[Ir]| items.iter().map(places).max().unwrap_or(0);
    let found = match ir {
        Ir::Literal(Value::Decimal(number)) => u8::try_from(number.scale()).unwrap_or(PLACES_MAX),
        Ir::Literal(_) => 0,
        Ir::Field(path) => places_of_type(&path.ty),
        Ir::Unary(_, operand) => places(operand),
        Ir::Binary(BinaryOp::Multiply, left, right) => places(left).saturating_add(places(right)),
        Ir::Binary(BinaryOp::Divide, ..) => QUOTIENT_PLACES,
        Ir::Binary(_, left, right) => places(left).max(places(right)),
        Ir::Call(function, operands) => match function {
            Function::Abs | Function::Clamp | Function::Least | Function::Greatest | Function::Coalesce => {
                most(operands)
            }
            Function::When => places_of_when(operands),
            Function::Round => operands.first().map_or(0, places),
            Function::Number | Function::HoursBetween => QUOTIENT_PLACES,
            _ => 0,
        },
        Ir::Fold(Fold::Avg | Fold::Median, ..) => QUOTIENT_PLACES,
        Ir::Fold(Fold::Sum | Fold::Min | Fold::Max | Fold::First, _, Some(each)) => places(each),
        Ir::Fold(..) => 0,
        Ir::Name(_) => QUOTIENT_PLACES,
        Ir::In(..) | Ir::InList(..) | Ir::List(_) => 0,
    };
    found.min(PLACES_MAX)
}

/// The places of a stored number.
pub fn places_of_type(ty: &Type) -> u8 {
    match ty {
        Type::Money => 2,
        Type::Decimal { scale } => *scale,
        _ => 0,
    }
}

/// A number as an integer of `10^-places`; none for null. A value with more places is rounded half away from zero, as it
/// would be if it were stored.
///
/// # Errors
/// [`Fault::Overflow`]; [`Fault::Evaluation`] for a value that is no number.
pub fn units(value: &Value, places: u8) -> Result<Option<i128>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Integer(number) => scaled(i128::from(*number), u32::from(places)).map(Some),
        Value::Decimal(number) => {
            let places = u32::from(places);
            let fitting = match number.scale() > places {
                true => number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero),
                false => *number,
            };
            scaled(fitting.mantissa(), places - fitting.scale().min(places)).map(Some)
        }
        _ => Err(Fault::Evaluation("what is summed is no number".to_owned())),
    }
}

/// A computed value as its field would store it: integers become decimals, decimals get the field's places.
///
/// # Errors
/// [`Fault::Overflow`] beyond what can be stored.
pub fn fitted(value: Value, ty: &Type) -> Result<Value, Fault> {
    match (&value, ty) {
        (Value::Integer(_) | Value::Decimal(_), Type::Decimal { .. } | Type::Money) => {
            let places = places_of_type(ty);
            let stored = units(&value, places)?.filter(|units| i64::try_from(*units).is_ok());
            let number = stored.and_then(|units| decimal(units, places)).ok_or(Fault::Overflow)?;
            Ok(Value::Decimal(number.normalize()))
        }
        _ => Ok(value),
    }
}

/// The decimal of an integer of `10^-places`; none beyond 96 bits.
pub fn decimal(units: i128, places: u8) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(units, u32::from(places)).ok()
}

fn scaled(number: i128, places: u32) -> Result<i128, Fault> {
    number.checked_mul(power_of_ten(places)?).ok_or(Fault::Overflow)
}

/// The values of `when(c1, v1, c2, v2, …, otherwise)`.
fn places_of_when(operands: &[Ir]) -> u8 {
    let last = operands.len().saturating_sub(1);
    let values = operands.iter().enumerate().filter(|(index, _)| index % 2 == 1 || *index == last);
    values.map(|(_, value)| places(value)).max().unwrap_or(0)
}
