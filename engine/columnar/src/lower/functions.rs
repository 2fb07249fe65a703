//! The scalar functions that the engine, or a computation value by value on its columns, can do
//! (`formwork_model::expr::functions` has the table).

use chrono::DateTime;
use chrono_tz::Tz;
use formwork_core::eval::time::{start_of_date, start_of_instant};
use formwork_model::Value;
use formwork_model::expr::ir::Function;
use polars::prelude::{DataType, Expr, lit, when};

use super::{Left, Lowered, Maybe, Shape, boolean, condition, data_type, kernel, numeric, unified_all};
use crate::column::{date_of_days, days_of_date, micros};

pub(super) fn call(function: Function, arguments: Vec<Lowered>, zone: Tz) -> Maybe {
    use Function as F;
    match function {
        F::When => return chosen(arguments),
        F::Coalesce => return coalesced(arguments),
        F::Least | F::Greatest => return extreme(function == F::Least, arguments),
        _ => {}
    }
    if arguments.iter().any(|argument| argument.shape == Shape::Null) {
        return super::literal(&Value::Null);
    }
    let shapes: Vec<Shape> = arguments.iter().map(|argument| argument.shape).collect();
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().ok_or(Left::Unknown);
    match (function, shapes.as_slice()) {
        (F::Len, [Shape::Text]) => {
            let expr = next()?.expr.str().len_chars().cast(DataType::Int128);
            Ok(Lowered::new(expr, Shape::Number { places: 0, bits: 32, decimal: false }))
        }
        (F::StartsWith, [Shape::Text, Shape::Text]) => Ok(boolean(next()?.expr.str().starts_with(next()?.expr))),
        (F::EndsWith, [Shape::Text, Shape::Text]) => Ok(boolean(next()?.expr.str().ends_with(next()?.expr))),
        (F::Contains, [Shape::Text, Shape::Text]) => Ok(boolean(kernel::contains(next()?.expr, next()?.expr))),
        (F::Abs, [Shape::Number { .. }]) => numeric::absolute(next()?),
        (F::Floor, [Shape::Number { .. }]) => numeric::whole(next()?, false),
        (F::Ceil, [Shape::Number { .. }]) => numeric::whole(next()?, true),
        (F::Round, [Shape::Number { .. }]) => numeric::rounded(next()?, 0),
        (F::Round, [Shape::Number { .. }, _]) => {
            let number = next()?;
            match next()?.constant {
                Some(Value::Integer(places)) => {
                    numeric::rounded(number, u8::try_from(places).map_err(|_| Left::Unknown)?)
                }
                _ => Err(Left::Unknown),
            }
        }
        (F::Clamp, [_, _, _]) => numeric::clamped([next()?, next()?, next()?]),
        (F::DaysBetween, [Shape::Date, Shape::Date]) => {
            let days = |lowered: Lowered| lowered.expr.cast(DataType::Int128);
            let (from, to) = (days(next()?), days(next()?));
            Ok(Lowered::new(to - from, Shape::Number { places: 0, bits: 33, decimal: false }))
        }
        (F::HoursBetween, [Shape::Instant, Shape::Instant]) => numeric::hours_between(next()?.expr, next()?.expr),
        (F::StartOf, [Shape::Text, of @ (Shape::Date | Shape::Instant)]) => match next()?.constant {
            Some(Value::Text(unit)) => Ok(Lowered::new(start_of(unit, next()?.expr, *of, zone), *of)),
            _ => Err(Left::Unknown),
        },
        _ => Err(Left::Unknown),
    }
}

fn start_of(unit: String, of: Expr, shape: Shape, zone: Tz) -> Expr {
    if shape == Shape::Instant {
        return kernel::instants(of, move |at| {
            start_of_instant(&unit, DateTime::from_timestamp_micros(at)?, zone).map(micros)
        });
    }
    // A date is the start of every shorter unit in it.
    if matches!(unit.as_str(), "minute" | "hour") {
        return of;
    }
    kernel::dates(of, move |days| start_of_date(&unit, date_of_days(days)?).map(days_of_date))
}

/// `a ?? b`, `coalesce(a, b, …)`.
pub(super) fn coalesced(arguments: Vec<Lowered>) -> Maybe {
    let mut items = unified_all(arguments)?.into_iter().rev();
    let last = items.next().ok_or(Left::Unknown)?;
    let shape = last.shape;
    let expr = items.fold(last.expr, |rest, item| when(item.expr.clone().is_null()).then(rest).otherwise(item.expr));
    Ok(Lowered::new(expr, shape))
}

/// The least or greatest that is not null.
fn extreme(least: bool, arguments: Vec<Lowered>) -> Maybe {
    let items = unified_all(arguments)?;
    let shape = items.first().ok_or(Left::Unknown)?.shape;
    let items: Vec<Expr> = items.into_iter().map(|item| item.expr).collect();
    let expr = match shape {
        Shape::Null => return super::literal(&Value::Null),
        Shape::Boolean | Shape::Id => return Err(Left::Unknown),
        Shape::Text => kernel::extreme_text(items, least),
        Shape::Number { .. } | Shape::Date | Shape::Instant => {
            kernel::extreme_number(items, least).cast(data_type(shape))
        }
    };
    Ok(Lowered::new(expr, shape))
}

/// `when(c1, v1, …, otherwise)`: a condition that is null counts as false.
fn chosen(arguments: Vec<Lowered>) -> Maybe {
    let count = arguments.len();
    let is_value = |index: usize| index % 2 == 1 || index + 1 == count;
    let (values, conditions): (Vec<_>, Vec<_>) =
        arguments.into_iter().enumerate().partition(|(index, _)| is_value(*index));
    let mut values = unified_all(values.into_iter().map(|(_, value)| value).collect())?;
    let otherwise = values.pop().ok_or(Left::Unknown)?;
    let shape = otherwise.shape;
    let conditions = conditions.into_iter().map(|(_, lowered)| condition(lowered)).collect::<Maybe<Vec<Expr>>>()?;
    let pairs = conditions.into_iter().zip(values).rev();
    let expr = pairs.fold(otherwise.expr, |rest, (condition, value)| {
        when(condition.fill_null(lit(false))).then(value.expr).otherwise(rest)
    });
    Ok(Lowered::new(expr, shape))
}
