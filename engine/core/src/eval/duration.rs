//! Arithmetic on durations: their parts are kept apart, and only a comparison or a quotient asks how long they are.

use formwork_model::Value;
use formwork_model::expr::ir::BinaryOp;
use formwork_model::value::Duration;
use rust_decimal::Decimal;

use super::EvalError;
use super::number::{Number, arithmetic};

/// How often the one goes into the other: decimal, 12 places; null by zero.
pub(super) fn quotient(a: &Duration, b: &Duration) -> Result<Value, EvalError> {
    let number = |duration: &Duration| Decimal::try_from_i128_with_scale(duration.length(), 0).map(Number::Decimal);
    let (a, b) = number(a).ok().zip(number(b).ok()).ok_or(EvalError::Overflow)?;
    Ok(arithmetic(BinaryOp::Divide, a, b)?.map_or(Value::Null, Number::value))
}

pub(super) fn negated(duration: &Duration) -> Result<Duration, EvalError> {
    let negated = || {
        Some(Duration {
            months: duration.months.checked_neg()?,
            days: duration.days.checked_neg()?,
            milliseconds: duration.milliseconds.checked_neg()?,
        })
    };
    negated().ok_or(EvalError::Overflow)
}

pub(super) fn sum(a: &Duration, b: &Duration) -> Option<Duration> {
    Some(Duration {
        months: a.months.checked_add(b.months)?,
        days: a.days.checked_add(b.days)?,
        milliseconds: a.milliseconds.checked_add(b.milliseconds)?,
    })
}
