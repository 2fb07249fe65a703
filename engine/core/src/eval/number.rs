//! Exact numbers: checked 64-bit integers and decimals of 28 digits. No float anywhere.
//!
//! Quotients have 12 places, rounded half away from zero. Sums and products are exact as long as they fit 28 digits;
//! beyond that they are rounded to 12 places in the same way, and what does not fit then is an overflow.

use std::cmp::Ordering;

use formwork_model::Value;
use formwork_model::expr::ir::BinaryOp;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::EvalError;
use super::wide::Wide;

/// Places of a quotient.
pub(super) const QUOTIENT_PLACES: u32 = 12;
const MANTISSA_MAX: u128 = (1 << 96) - 1;
const PLACES_MAX: u32 = 28;

/// A number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i64),
    Decimal(Decimal),
}

impl Number {
    /// The number, if the value is one.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(Number::Integer(*number)),
            Value::Decimal(number) => Some(Number::Decimal(*number)),
            _ => None,
        }
    }

    pub(super) fn value(self) -> Value {
        match self {
            Number::Integer(number) => Value::Integer(number),
            Number::Decimal(number) => Value::Decimal(number),
        }
    }

    pub(super) fn decimal(self) -> Decimal {
        match self {
            Number::Integer(number) => Decimal::from(number),
            Number::Decimal(number) => number,
        }
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
            (a, b) => a.decimal().cmp(&b.decimal()),
        }
    }

    pub(super) fn negated(self) -> Result<Self, EvalError> {
        Ok(match self {
            Number::Integer(number) => Number::Integer(number.checked_neg().ok_or(EvalError::Overflow)?),
            // Not `-0`: it would show.
            Number::Decimal(number) if number.is_zero() => Number::Decimal(number.abs()),
            Number::Decimal(number) => Number::Decimal(-number),
        })
    }

    pub(super) fn absolute(self) -> Result<Self, EvalError> {
        match self {
            Number::Integer(number) => Ok(Number::Integer(number.checked_abs().ok_or(EvalError::Overflow)?)),
            Number::Decimal(number) => Ok(Number::Decimal(number.abs())),
        }
    }

    /// Rounded half away from zero.
    pub(super) fn rounded(self, places: u32) -> Self {
        match self {
            Number::Integer(_) => self,
            Number::Decimal(number) => {
                let rounded = number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
                Number::Decimal(if rounded.is_zero() { rounded.abs() } else { rounded })
            }
        }
    }

    /// The greatest integer not above.
    pub(super) fn floor(self) -> Result<Self, EvalError> {
        self.decimal().floor().to_i64().map(Number::Integer).ok_or(EvalError::Overflow)
    }

    /// The least integer not below.
    pub(super) fn ceiling(self) -> Result<Self, EvalError> {
        self.decimal().ceil().to_i64().map(Number::Integer).ok_or(EvalError::Overflow)
    }
}

/// `a op b`; nothing for a quotient by zero.
pub(super) fn arithmetic(op: BinaryOp, a: Number, b: Number) -> Result<Option<Number>, EvalError> {
    use BinaryOp as B;
    use Number::{Decimal as D, Integer as I};
    let found = match (op, a, b) {
        (B::Divide, ..) if b.decimal().is_zero() => return Ok(None),
        (B::Modulo, ..) if b.decimal().is_zero() => return Ok(None),
        (B::Divide, a, b) => quotient(a.decimal(), b.decimal()).map(D),
        (B::Add, I(a), I(b)) => a.checked_add(b).map(I),
        (B::Subtract, I(a), I(b)) => a.checked_sub(b).map(I),
        (B::Multiply, I(a), I(b)) => a.checked_mul(b).map(I),
        // In 128 bits nothing can overflow, and the result is below `b`.
        (B::Modulo, I(a), I(b)) => Some(I(floor_modulo(i128::from(a), i128::from(b)) as i64)),
        (B::Add, a, b) => sum(a.decimal(), b.decimal()).map(D),
        (B::Subtract, a, b) => sum(a.decimal(), -b.decimal()).map(D),
        (B::Multiply, a, b) => product(a.decimal(), b.decimal()).map(D),
        (B::Modulo, a, b) => modulo(a.decimal(), b.decimal()).map(D),
        _ => return Err(EvalError::Defect(format!("{op:?} is no arithmetic"))),
    };
    found.map(Some).ok_or(EvalError::Overflow)
}

fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let exact = |a: Decimal, b: Decimal| {
        let places = a.scale().max(b.scale());
        let sum = aligned(a, places)?.checked_add(aligned(b, places)?)?;
        fit(sum < 0, Wide::new(sum.unsigned_abs()), places)
    };
    let round =
        |number: Decimal| number.round_dp_with_strategy(QUOTIENT_PLACES, RoundingStrategy::MidpointAwayFromZero);
    exact(a, b).or_else(|| exact(a.normalize(), b.normalize())).or_else(|| exact(round(a), round(b)))
}

fn modulo(a: Decimal, b: Decimal) -> Option<Decimal> {
    let places = a.scale().max(b.scale());
    let rest = floor_modulo(aligned(a, places)?, aligned(b, places)?);
    fit(rest < 0, Wide::new(rest.unsigned_abs()), places)
}

/// The rest of a division whose quotient is rounded down: it has the sign of the divisor.
fn floor_modulo(a: i128, b: i128) -> i128 {
    let rest = a % b;
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let negative = a.is_sign_negative() != b.is_sign_negative();
    let product = Wide::product(a.mantissa().unsigned_abs(), b.mantissa().unsigned_abs());
    fit(negative, product, a.scale() + b.scale())
}

/// `a / b` with 12 places, half away from zero.
fn quotient(a: Decimal, b: Decimal) -> Option<Decimal> {
    let negative = a.is_sign_negative() != b.is_sign_negative();
    let (dividend, mut divisor) = (a.mantissa().unsigned_abs(), b.mantissa().unsigned_abs());
    let mut wide = Wide::new(dividend);
    let more_places = (QUOTIENT_PLACES + b.scale()).checked_sub(a.scale());
    match more_places {
        Some(places) => (0..places).for_each(|_| wide = wide.times_ten()),
        None => {
            let fewer = a.scale() - QUOTIENT_PLACES - b.scale();
            match 10_u128.checked_pow(fewer).and_then(|power| divisor.checked_mul(power)) {
                Some(product) if product < 1 << 126 => divisor = product,
                // More than twice any dividend: less than half of the last place.
                _ => return Some(Decimal::ZERO),
            }
        }
    }
    let (quotient, rest) = wide.divided_by(divisor);
    let mut mantissa = quotient.narrow()?.checked_add(u128::from(rest * 2 >= divisor))?;
    let mut places = QUOTIENT_PLACES;
    // A large quotient fits where its last places are zeros.
    while mantissa > MANTISSA_MAX && places > 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        places -= 1;
    }
    signed(negative, mantissa, places)
}

/// The mantissa at so many places.
fn aligned(number: Decimal, places: u32) -> Option<i128> {
    number.mantissa().checked_mul(10_i128.checked_pow(places - number.scale())?)
}

/// The decimal, exact if it fits without its last zeros, else rounded half away from zero to 12 places.
fn fit(negative: bool, mantissa: Wide, places: u32) -> Option<Decimal> {
    let (mut exact, mut exact_places) = (mantissa, places);
    loop {
        if let Some(narrow) = exact.narrow().filter(|narrow| *narrow <= MANTISSA_MAX && exact_places <= PLACES_MAX) {
            return signed(negative, narrow, exact_places);
        }
        let (rest, last) = exact.without_last_digit();
        if last != 0 || exact_places == 0 {
            break;
        }
        (exact, exact_places) = (rest, exact_places - 1);
    }
    let (mut rounded, mut last) = (mantissa, 0);
    for _ in QUOTIENT_PLACES..places {
        (rounded, last) = rounded.without_last_digit();
    }
    signed(negative, rounded.narrow()?.checked_add(u128::from(last >= 5))?, places.min(QUOTIENT_PLACES))
}

fn signed(negative: bool, mantissa: u128, places: u32) -> Option<Decimal> {
    // There is no `-0`: it would show.
    let negative = negative && mantissa != 0;
    if mantissa > MANTISSA_MAX {
        return None;
    }
    let mantissa = mantissa as i128;
    Decimal::try_from_i128_with_scale(if negative { -mantissa } else { mantissa }, places).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Number {
        Number::Decimal(Decimal::from_str_exact(text).unwrap())
    }

    fn shown(result: Result<Option<Number>, EvalError>) -> String {
        match result {
            Ok(Some(number)) => number.decimal().normalize().to_string(),
            Ok(None) => "null".to_owned(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn decimals_are_exact() {
        use BinaryOp::{Add, Divide, Modulo, Multiply, Subtract};
        let big = "79228162514264337593543950335"; // 2^96 − 1
        for (a, op, b, expected) in [
            ("0.1", Add, "0.2", "0.3"),
            ("1.00", Subtract, "1", "0"),
            ("1.005", Multiply, "1.005", "1.010025"),
            ("1", Divide, "3", "0.333333333333"),
            ("2", Divide, "3", "0.666666666667"),
            ("-2", Divide, "3", "-0.666666666667"),
            ("1", Divide, "2000000000000", "0.000000000001"),
            ("-1", Divide, "2000000000000", "-0.000000000001"),
            ("1", Divide, "2000000000001", "0"),
            ("1", Divide, "0.00", "null"),
            ("5", Modulo, "0", "null"),
            ("7.5", Modulo, "2", "1.5"),
            ("-7.5", Modulo, "2", "0.5"),
            ("7.5", Modulo, "-2", "-0.5"),
            ("-6", Modulo, "2", "0"),
            (big, Add, "1", "Overflow"),
            (big, Divide, "0.1", "Overflow"),
            (big, Multiply, "2", "Overflow"),
            // 0.333333333333² = 0.111111111110888888888889 exactly: 24 places fit.
            ("0.333333333333", Multiply, "0.333333333333", "0.111111111110888888888889"),
            // 1234567890123456.333333333333 × 1.333333333333 has 40 digits: 12 places are kept.
            ("1234567890123456.333333333333", Multiply, "1.333333333333", "1646090520164196.921814403292"),
            // 800000 and 24 places are 30 digits; without the last zeros they fit.
            ("800000", Add, "0.100000000000000000000000", "800000.1"),
            // 28 places: the quotient by 1 is cut to 12.
            ("0.0000000000005000000000000000", Divide, "1", "0.000000000001"),
            ("0.0000000000004999999999999999", Divide, "1", "0"),
        ] {
            assert_eq!(shown(arithmetic(op, decimal(a), decimal(b))), expected, "{a} {op:?} {b}");
        }
    }

    #[test]
    fn integers_are_checked() {
        use BinaryOp::{Add, Divide, Modulo, Multiply, Subtract};
        let integer = Number::Integer;
        for (a, op, b, expected) in [
            (i64::MAX, Add, 1, "Overflow"),
            (i64::MIN, Subtract, 1, "Overflow"),
            (i64::MAX, Multiply, 2, "Overflow"),
            (i64::MIN, Modulo, -1, "0"),
            (-7, Modulo, 3, "2"),
            (7, Modulo, -3, "-2"),
            (7, Divide, 2, "3.5"),
            (i64::MIN, Divide, -1, "9223372036854775808"),
            (1, Divide, 0, "null"),
        ] {
            assert_eq!(shown(arithmetic(op, integer(a), integer(b))), expected, "{a} {op:?} {b}");
        }
        assert_eq!(integer(i64::MIN).negated().unwrap_err(), EvalError::Overflow);
    }

    #[test]
    fn rounding_mirrors() {
        for (number, places, expected) in
            [("2.5", 0, "3"), ("-2.5", 0, "-3"), ("0.5", 0, "1"), ("-0.4", 0, "0"), ("1.005", 2, "1.01")]
        {
            assert_eq!(decimal(number).rounded(places).decimal().to_string(), expected, "{number}");
        }
    }
}
