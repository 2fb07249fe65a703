//! Exact numbers: a fraction of two integers, until it is written.

use std::cmp::Ordering;

use crate::fault::Fault;

/// An exact rational number, reduced, with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    numerator: i128,
    denominator: i128,
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// `units / 10^scale`.
    ///
    /// # Errors
    /// [`Fault::Overflow`].
    pub fn of_units(units: i128, scale: u8) -> Result<Self, Fault> {
        Self::new(units, power_of_ten(u32::from(scale))?)
    }

    /// A count.
    pub fn of_count(count: u64) -> Self {
        Self { numerator: i128::from(count), denominator: 1 }
    }

    /// The quotient; none where the divisor is zero.
    ///
    /// # Errors
    /// [`Fault::Overflow`].
    pub fn over(self, divisor: Self) -> Result<Option<Self>, Fault> {
        if divisor.numerator == 0 {
            return Ok(None);
        }
        // Crosswise reduction keeps the products small.
        let (left, right) = (common(self.numerator, divisor.numerator), common(self.denominator, divisor.denominator));
        let numerator = multiply(self.numerator / left, divisor.denominator / right)?;
        let denominator = multiply(self.denominator / right, divisor.numerator / left)?;
        Self::new(numerator, denominator).map(Some)
    }

    /// The product.
    ///
    /// # Errors
    /// [`Fault::Overflow`].
    pub fn times(self, other: Self) -> Result<Self, Fault> {
        // Crosswise reduction keeps the products small.
        let (left, right) = (common(self.numerator, other.denominator), common(other.numerator, self.denominator));
        let numerator = multiply(self.numerator / left, other.numerator / right)?;
        Self::new(numerator, multiply(self.denominator / right, other.denominator / left)?)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Fault::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, Fault> {
        let negated = other.numerator.checked_neg().ok_or(Fault::Overflow)?;
        self.minus(Self { numerator: negated, ..other })
    }

    /// The difference.
    ///
    /// # Errors
    /// [`Fault::Overflow`].
    pub fn minus(self, other: Self) -> Result<Self, Fault> {
        let shared = common(self.denominator, other.denominator);
        let left = multiply(self.numerator, other.denominator / shared)?;
        let right = multiply(other.numerator, self.denominator / shared)?;
        let numerator = left.checked_sub(right).ok_or(Fault::Overflow)?;
        Self::new(numerator, multiply(self.denominator, other.denominator / shared)?)
    }

    /// The number as an integer of `10^-places`, rounded half away from zero: the only rounding there is.
    ///
    /// # Errors
    /// [`Fault::Overflow`].
    pub fn round(self, places: u8) -> Result<i128, Fault> {
        let power = power_of_ten(u32::from(places))?;
        let (whole, rest) = (self.numerator / self.denominator, self.numerator % self.denominator);
        let scaled = multiply(rest, power)?;
        let (fraction, left) = (scaled / self.denominator, scaled % self.denominator);
        // `left` is below the denominator, so half of the latter is compared without doubling.
        let up = left.unsigned_abs() >= self.denominator.unsigned_abs().div_ceil(2);
        let units = multiply(whole, power)?.checked_add(fraction).ok_or(Fault::Overflow)?;
        units.checked_add(if up { self.numerator.signum() } else { 0 }).ok_or(Fault::Overflow)
    }

    /// Less than, equal to or greater than zero.
    pub fn signum(self) -> i128 {
        self.numerator.signum()
    }

    fn new(numerator: i128, denominator: i128) -> Result<Self, Fault> {
        let shared = common(numerator, denominator) * denominator.signum();
        Ok(Self { numerator: numerator / shared, denominator: denominator / shared })
    }
}

impl Ord for Number {
    /// Compares whole parts and then, upside down, what is left: Euclid's algorithm, which needs no product.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.numerator, self.denominator);
        let (mut c, mut d) = (other.numerator, other.denominator);
        let mut turned = false;
        loop {
            let whole = a.div_euclid(b).cmp(&c.div_euclid(d));
            let (left, right) = (a.rem_euclid(b), c.rem_euclid(d));
            let order = match (whole, left, right) {
                (Ordering::Equal, 0, 0) => Ordering::Equal,
                (Ordering::Equal, 0, _) => Ordering::Less,
                (Ordering::Equal, _, 0) => Ordering::Greater,
                (Ordering::Equal, ..) => {
                    (a, b, c, d) = (b, left, d, right);
                    turned = !turned;
                    continue;
                }
                (unequal, ..) => unequal,
            };
            return if turned { order.reverse() } else { order };
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `10^exponent`.
///
/// # Errors
/// [`Fault::Overflow`] above 38.
pub fn power_of_ten(exponent: u32) -> Result<i128, Fault> {
    10_i128.checked_pow(exponent).ok_or(Fault::Overflow)
}

fn multiply(a: i128, b: i128) -> Result<i128, Fault> {
    a.checked_mul(b).ok_or(Fault::Overflow)
}

/// The greatest common divisor, at least 1.
fn common(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i128::try_from(a).unwrap_or(1).max(1)
}
