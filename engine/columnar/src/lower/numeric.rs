//! Numbers: integers of `10^-places` in 128 bits, lowered only where the largest at hand show that nothing overflows, in
//! the engine or in the core.

use formwork_model::expr::ir::BinaryOp;
use formwork_report::number::power_of_ten;
use polars::prelude::Expr;

use super::kernel::numbers;
use super::{Left, Lowered, Maybe, Shape, typed_lit, unified};

/// Integers of the core have 64 bits.
const INTEGER_BITS_MAX: u32 = 62;
/// Decimals of the core are exact up to 28 digits.
const DECIMAL_BITS_MAX: u32 = 92;
/// Most places a decimal of the core has.
const PLACES_MAX: u8 = 28;
/// Aligned numbers that are only compared or chosen among need at most so many.
const ALIGNED_BITS_MAX: u32 = 120;
/// Places of a quotient.
const QUOTIENT_PLACES: u8 = 12;
/// Microseconds of an hour.
const HOUR: i128 = 3_600_000_000;

/// A number with these places, and nothing in it.
pub(super) fn places_shape(places: u8) -> Shape {
    Shape::Number { places, bits: 0, decimal: true }
}

/// The shape that holds both numbers.
pub(super) fn joined(left: Shape, right: Shape) -> Maybe<Shape> {
    let (left, right) = (parts(left)?, parts(right)?);
    let places = left.places.max(right.places);
    let bits =
        (left.bits + bits_of_places(places - left.places)).max(right.bits + bits_of_places(places - right.places));
    let shape = Shape::Number { places, bits, decimal: left.decimal || right.decimal };
    if bits <= ALIGNED_BITS_MAX { Ok(shape) } else { Err(Left::Wide) }
}

pub(super) fn negated(of: Lowered) -> Maybe {
    let shape = checked(of.shape)?;
    Ok(Lowered::new(typed_lit(0_i128) - of.expr, shape))
}

pub(super) fn arithmetic(op: BinaryOp, left: Lowered, right: Lowered) -> Maybe {
    match op {
        BinaryOp::Multiply => product(left, right),
        BinaryOp::Divide => quotient(left, right),
        BinaryOp::Modulo => {
            let [left, right] = unified([left, right])?;
            // The rest is smaller than the divisor.
            let shape = checked(left.shape)?;
            Ok(Lowered::new(numbers([left.expr, right.expr], |[a, b]| (b != 0).then(|| floor_modulo(a, b))), shape))
        }
        _ => {
            let [left, right] = unified([left, right])?;
            let shape = parts(left.shape)?;
            let shape = checked(Shape::Number { bits: shape.bits + 1, places: shape.places, decimal: shape.decimal })?;
            let expr = if op == BinaryOp::Add { left.expr + right.expr } else { left.expr - right.expr };
            Ok(Lowered::new(expr, shape))
        }
    }
}

fn product(left: Lowered, right: Lowered) -> Maybe {
    let (a, b) = (parts(left.shape)?, parts(right.shape)?);
    let shape = Shape::Number { places: a.places + b.places, bits: a.bits + b.bits, decimal: a.decimal || b.decimal };
    Ok(Lowered::new(left.expr * right.expr, checked(shape)?))
}

/// Decimal with 12 places, half away from zero; by zero null.
fn quotient(left: Lowered, right: Lowered) -> Maybe {
    let (a, b) = (parts(left.shape)?, parts(right.shape)?);
    let (up, down) =
        ((QUOTIENT_PLACES + b.places).saturating_sub(a.places), a.places.saturating_sub(QUOTIENT_PLACES + b.places));
    if b.bits + bits_of_places(down) > ALIGNED_BITS_MAX {
        return Err(Left::Wide);
    }
    let bits = a.bits + bits_of_places(up) + 1;
    let shape = checked(Shape::Number { places: QUOTIENT_PLACES, bits, decimal: true })?;
    let (up, down) = (power(up)?, power(down)?);
    Ok(Lowered::new(numbers([left.expr, right.expr], move |[a, b]| divided(a * up, b * down)), shape))
}

/// `abs(x)`.
pub(super) fn absolute(of: Lowered) -> Maybe {
    let shape = checked(of.shape)?;
    Ok(Lowered::new(numbers([of.expr], |[x]| Some(x.abs())), shape))
}

/// `round(x, places)`, half away from zero.
pub(super) fn rounded(of: Lowered, places: u8) -> Maybe {
    let found = parts(of.shape)?;
    if places >= found.places {
        return Ok(Lowered { constant: None, ..of });
    }
    let unit = power(found.places - places)?;
    let shape = checked(Shape::Number { places, bits: found.bits, decimal: found.decimal })?;
    Ok(Lowered::new(numbers([of.expr], move |[x]| divided(x, unit)), shape))
}

/// `floor(x)` and, upwards, `ceil(x)`.
pub(super) fn whole(of: Lowered, upwards: bool) -> Maybe {
    let found = parts(of.shape)?;
    let unit = power(found.places)?;
    // Ten to the n has at least 3n bits.
    let bits = (found.bits + 1).saturating_sub(u32::from(found.places) * 3).max(1);
    let shape = checked(Shape::Number { places: 0, bits, decimal: false })?;
    let kernel = move |[x]: [i128; 1]| Some(if upwards { -(-x).div_euclid(unit) } else { x.div_euclid(unit) });
    Ok(Lowered::new(numbers([of.expr], kernel), shape))
}

/// `clamp(x, low, high)`: `low` wins where they cross.
pub(super) fn clamped(items: [Lowered; 3]) -> Maybe {
    let [x, low, high] = unified(items)?;
    let kernel = |[x, low, high]: [i128; 3]| Some(x.min(high).max(low));
    Ok(Lowered::new(numbers([x.expr, low.expr, high.expr], kernel), x.shape))
}

/// `hours_between(a, b)` of microseconds.
pub(super) fn hours_between(from: Expr, to: Expr) -> Maybe {
    let power = power(QUOTIENT_PLACES)?;
    // Sixty-four bits of microseconds, times ten to the twelfth, by nearly two to the thirty-second.
    let shape = Shape::Number { places: QUOTIENT_PLACES, bits: 75, decimal: true };
    Ok(Lowered::new(numbers([from, to], move |[from, to]| divided((to - from) * power, HOUR)), shape))
}

/// A number that the core would compute exactly too.
pub(super) fn checked(shape: Shape) -> Maybe<Shape> {
    let found = parts(shape)?;
    let most = if found.decimal { DECIMAL_BITS_MAX } else { INTEGER_BITS_MAX };
    if found.bits <= most && found.places <= PLACES_MAX { Ok(shape) } else { Err(Left::Wide) }
}

/// Ten to that power.
pub(super) fn power(places: u8) -> Maybe<i128> {
    power_of_ten(u32::from(places)).map_err(|_| Left::Wide)
}

struct Parts {
    places: u8,
    bits: u32,
    decimal: bool,
}

fn parts(shape: Shape) -> Maybe<Parts> {
    match shape {
        Shape::Number { places, bits, decimal } => Ok(Parts { places, bits, decimal }),
        _ => Err(Left::Unknown),
    }
}

/// Bits that ten to that power adds at most.
fn bits_of_places(places: u8) -> u32 {
    // log2(10) is below 10/3.
    (u32::from(places) * 10).div_ceil(3)
}

/// The quotient to the nearest whole, half away from zero; nothing by zero.
fn divided(a: i128, b: i128) -> Option<i128> {
    let (whole, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let up = rest.unsigned_abs() >= b.unsigned_abs() - rest.unsigned_abs();
    let away = if (a < 0) == (b < 0) { 1 } else { -1 };
    Some(whole + if up { away } else { 0 })
}

/// The rest with the sign of the divisor.
fn floor_modulo(a: i128, b: i128) -> i128 {
    let rest = a % b;
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}
