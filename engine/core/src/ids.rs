//! Ids without a clock and without randomness: UUIDv7 from an instant, a seed and a counter.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// A source of ids for one stimulus: ordered by time, and within it by the order of asking.
///
/// The same instant and seed give the same ids, so that deciding again (with more facts, or replayed) names the same
/// things.
#[derive(Debug, Clone)]
pub struct Ids {
    milliseconds: u64,
    seed: u64,
    counter: u64,
}

impl Ids {
    /// Starts over; two stimuli must not share both instant and seed.
    pub fn new(at: DateTime<Utc>, seed: u64) -> Self {
        Self { milliseconds: u64::try_from(at.timestamp_millis()).unwrap_or(0), seed, counter: 0 }
    }

    /// The id of something that is known by a name: the same name gives the same id.
    pub fn named(at: DateTime<Utc>, name: &str) -> Uuid {
        Self::new(at, seed_of(name)).next()
    }

    /// The next id.
    #[expect(clippy::should_implement_trait, reason = "a source of ids never ends, so it is no iterator")]
    pub fn next(&mut self) -> Uuid {
        self.counter += 1;
        let mut bytes = [0; 10];
        let digest = Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.milliseconds.to_be_bytes())
            .chain_update(self.counter.to_be_bytes())
            .finalize();
        // 12 bits of counter in front keep the order of ids made within one millisecond.
        bytes[0] = (self.counter >> 8) as u8 & 0x0f;
        bytes[1] = self.counter as u8;
        bytes[2..].copy_from_slice(&digest[..8]);
        Builder::from_unix_timestamp_millis(self.milliseconds, &bytes).into_uuid()
    }
}

/// The seed for something that is known by a name.
pub fn seed_of(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    let mut seed = [0; 8];
    seed.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_version_seven_and_repeatable() {
        let at = DateTime::from_timestamp_millis(1_767_574_800_123).unwrap();
        let mut ids = Ids::new(at, 7);
        let made: Vec<Uuid> = (0..300).map(|_| ids.next()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(Ids::new(at, 7).next(), made[0]);
        assert_ne!(Ids::new(at, 8).next(), made[0]);
        let later = DateTime::from_timestamp_millis(1_767_574_800_124).unwrap();
        assert!(Ids::new(later, 0).next() > made[299]);
    }
}
