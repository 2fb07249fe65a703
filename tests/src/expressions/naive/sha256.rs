//! SHA-256 from the text of FIPS 180-4, constants and all: the first 32 bits of the fractional parts of the roots of primes.

use std::sync::LazyLock;

/// The digest, in words of 32 bits.
pub(super) fn sha256(message: &[u8]) -> [u32; 8] {
    static PRIMES: LazyLock<Vec<u32>> = LazyLock::new(primes);
    static START: LazyLock<[u32; 8]> = LazyLock::new(|| std::array::from_fn(|index| fraction(PRIMES[index], 2)));
    static CONSTANTS: LazyLock<Vec<u32>> = LazyLock::new(|| PRIMES.iter().map(|prime| fraction(*prime, 3)).collect());
    let (mut state, constants) = (*START, &*CONSTANTS);
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|bytes| bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        for t in 16..64 {
            let (a, b) = (words[t - 15], words[t - 2]);
            let small0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let small1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            words.push(words[t - 16].wrapping_add(small0).wrapping_add(words[t - 7]).wrapping_add(small1));
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for t in 0..64 {
            let big1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let chosen = (e & f) ^ (!e & g);
            let first = h.wrapping_add(big1).wrapping_add(chosen).wrapping_add(constants[t]).wrapping_add(words[t]);
            let big0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            let second = big0.wrapping_add(majority);
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(first), c, b, a, first.wrapping_add(second));
        }
        for (word, more) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *word = word.wrapping_add(more);
        }
    }
    state
}

/// The first 64 primes.
fn primes() -> Vec<u32> {
    (2..).filter(|number: &u32| (2..*number).all(|other| !number.is_multiple_of(other))).take(64).collect()
}

/// The first 32 bits behind the point of a root: the greatest whole number whose power is not above the prime, both in
/// units of 2⁻³².
fn fraction(prime: u32, root: u32) -> u32 {
    let (mut low, mut high) = (0_u128, 1 << 36);
    while high - low > 1 {
        let middle = (low + high) / 2;
        // For the third root the power has 108 bits, and the prime is moved by 96.
        let fits = middle.pow(root) <= u128::from(prime) << (32 * root);
        (low, high) = if fits { (middle, high) } else { (low, middle) };
    }
    low as u32
}
