//! What failed waits before it is tried again, longer each time.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, Duration, Utc};

/// The first wait and the longest (workflow.md §4).
const FIRST: Duration = Duration::seconds(5);
const CAP: Duration = Duration::hours(1);

/// Rows that failed: attempts, and when the next is due. This node's memory only: after a restart each is tried anew.
#[derive(Debug)]
pub(super) struct Failing<K> {
    rows: HashMap<K, (u32, DateTime<Utc>)>,
}

impl<K> Default for Failing<K> {
    fn default() -> Self {
        Self { rows: HashMap::new() }
    }
}

impl<K: Eq + Hash> Failing<K> {
    /// Whether this row is to be left alone at `now`.
    pub(super) fn waits(&self, key: &K, now: DateTime<Utc>) -> bool {
        self.rows.get(key).is_some_and(|(_, again)| now < *again)
    }

    /// Counts a failure: how many it has had.
    pub(super) fn failed(&mut self, key: K, now: DateTime<Utc>) -> u32 {
        let (attempts, again) = self.rows.entry(key).or_insert((0, now));
        *again = now + wait_before_retry(*attempts);
        *attempts += 1;
        *attempts
    }

    /// Failures so far.
    pub(super) fn attempts(&self, key: &K) -> u32 {
        self.rows.get(key).map_or(0, |(attempts, _)| *attempts)
    }

    /// It is done.
    pub(super) fn done(&mut self, key: &K) {
        self.rows.remove(key);
    }

    /// Forgets the rows that are gone.
    pub(super) fn keep(&mut self, is_there: impl Fn(&K) -> bool) {
        self.rows.retain(|key, _| is_there(key));
    }
}

/// 5 s, doubled each time up to an hour, ±20 % so that a crowd does not come back at once.
pub(super) fn wait_before_retry(attempts: u32) -> Duration {
    let millis = (FIRST * 2_i32.pow(attempts.min(16))).min(CAP).num_milliseconds();
    Duration::milliseconds(millis * (80 + i64::from(rand::random::<u8>() % 41)) / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_longer_each_time() {
        for (attempts, low, high) in [(0, 4_000, 6_000), (3, 32_000, 48_000), (15, 2_880_000, 4_320_000)] {
            let wait = wait_before_retry(attempts).num_milliseconds();
            assert!((low..=high).contains(&wait), "attempt {attempts}: {wait} ms");
        }
    }

    #[test]
    fn a_row_that_failed_is_left_alone_until_its_wait_is_over() {
        let (mut failing, now) = (Failing::default(), Utc::now());
        assert!(!failing.waits(&1, now));
        assert_eq!((failing.failed(1, now), failing.failed(1, now)), (1, 2));
        assert!(failing.waits(&1, now + Duration::seconds(7)), "the second wait is at least 8 s");
        assert!(!failing.waits(&1, now + Duration::seconds(13)), "and at most 12 s");
        failing.done(&1);
        assert!(!failing.waits(&1, now));
    }
}
