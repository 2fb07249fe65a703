//! 256-bit unsigned integers: just enough for exact products and quotients of decimals (96-bit mantissas).

/// Little-endian 32-bit digits.
#[derive(Clone, Copy)]
pub(super) struct Wide([u32; 8]);

impl Wide {
    pub(super) fn new(number: u128) -> Self {
        let mut digits = [0; 8];
        for (index, digit) in digits.iter_mut().take(4).enumerate() {
            *digit = (number >> (32 * index)) as u32;
        }
        Self(digits)
    }

    /// The product of two numbers below 2^96.
    pub(super) fn product(a: u128, b: u128) -> Self {
        let (a, b) = (Self::new(a).0, Self::new(b).0);
        let mut digits = [0_u32; 8];
        for i in 0..4 {
            let mut carry = 0_u64;
            for j in 0..4 {
                let sum = u64::from(a[i]) * u64::from(b[j]) + u64::from(digits[i + j]) + carry;
                digits[i + j] = sum as u32;
                carry = sum >> 32;
            }
            if i + 4 < 8 {
                digits[i + 4] = carry as u32;
            }
        }
        Self(digits)
    }

    /// Times ten; the caller knows that there is room.
    pub(super) fn times_ten(mut self) -> Self {
        let mut carry = 0_u64;
        for digit in &mut self.0 {
            let product = u64::from(*digit) * 10 + carry;
            *digit = product as u32;
            carry = product >> 32;
        }
        self
    }

    /// Without its last decimal digit, and that digit.
    pub(super) fn without_last_digit(mut self) -> (Self, u32) {
        let mut rest = 0_u64;
        for digit in self.0.iter_mut().rev() {
            let part = (rest << 32) | u64::from(*digit);
            *digit = (part / 10) as u32;
            rest = part % 10;
        }
        (self, rest as u32)
    }

    /// Quotient and remainder by a divisor below 2^127, bit by bit.
    pub(super) fn divided_by(self, divisor: u128) -> (Self, u128) {
        let mut quotient = [0_u32; 8];
        let mut rest = 0_u128;
        for bit in (0..256).rev() {
            let (digit, shift) = (bit / 32, bit % 32);
            rest = (rest << 1) | u128::from((self.0[digit] >> shift) & 1);
            if rest >= divisor {
                rest -= divisor;
                quotient[digit] |= 1 << shift;
            }
        }
        (Self(quotient), rest)
    }

    /// The number, if it fits.
    pub(super) fn narrow(self) -> Option<u128> {
        let high = self.0[4..].iter().all(|digit| *digit == 0);
        high.then(|| self.0[..4].iter().rev().fold(0, |number, digit| (number << 32) | u128::from(*digit)))
    }
}
