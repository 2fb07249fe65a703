//! Fractions of 128-bit integers: slow, simple and exact, until they do not fit.

use std::cmp::Ordering;

/// A fraction in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub above: i128,
    /// Below the line, positive.
    pub below: i128,
}

impl Ratio {
    /// `above / below`; nothing for a zero `below` or where the sign cannot be moved.
    pub fn new(above: i128, below: i128) -> Option<Self> {
        let divisor = gcd(above.checked_abs()?, below.checked_abs()?);
        if below == 0 {
            return None;
        }
        let sign = below.signum();
        Some(Self { above: above / divisor * sign, below: below / divisor * sign })
    }

    /// A whole number.
    pub fn whole(number: i128) -> Self {
        Self { above: number, below: 1 }
    }

    /// The number a text such as `-12.50` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{places}");
        if whole.is_empty() || (digits.contains('.') && places.is_empty()) || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Self::new(sign * all.parse::<i128>().ok()?, 10_i128.checked_pow(places.len() as u32)?)
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        let left = self.above.checked_mul(other.below)?;
        let right = other.above.checked_mul(self.below)?;
        Self::new(left.checked_add(right)?, self.below.checked_mul(other.below)?)
    }

    /// The number with the other sign.
    pub fn negative(self) -> Self {
        Self { above: -self.above, ..self }
    }

    /// The product.
    pub fn times(self, other: Self) -> Option<Self> {
        Self::new(self.above.checked_mul(other.above)?, self.below.checked_mul(other.below)?)
    }

    /// The quotient; nothing by zero.
    pub fn over(self, other: Self) -> Option<Self> {
        Self::new(self.above.checked_mul(other.below)?, self.below.checked_mul(other.above)?)
    }

    /// The order.
    pub fn order(self, other: Self) -> Option<Ordering> {
        Some(self.plus(other.negative())?.above.cmp(&0))
    }

    /// The greatest whole number that is not above.
    pub fn floor(self) -> i128 {
        self.above.div_euclid(self.below)
    }

    /// Rounded to so many places, halves away from zero.
    pub fn rounded(self, places: u32) -> Option<Self> {
        let power = 10_i128.checked_pow(places)?;
        let sign = self.above.signum();
        let doubled = self.above.checked_abs()?.checked_mul(power)?.checked_mul(2)?.checked_add(self.below)?;
        Self::new(sign * doubled.div_euclid(self.below.checked_mul(2)?), power)
    }

    /// The decimal digits, without needless zeros; the number must be a decimal fraction.
    pub fn digits(self) -> Option<String> {
        let mut places = 0_u32;
        let mut power = 1_i128;
        while power % self.below != 0 {
            places += 1;
            power = power.checked_mul(10)?;
        }
        let mantissa = self.above.checked_mul(power / self.below)?;
        let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = places as usize + 1);
        let (whole, rest) = digits.split_at(digits.len() - places as usize);
        let sign = if mantissa < 0 { "-" } else { "" };
        Some(if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") })
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}
