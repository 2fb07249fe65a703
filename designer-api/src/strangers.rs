//! What holds back people who are not logged in: how much an address may send, how often somebody may guess, and the
//! work a browser proves to have done. Kept in memory, by each node for itself.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use formwork_model::Key;
use formwork_model::pack::form::Form;
use formwork_model::pack::public::Rate;
use formwork_store::Failure;

/// Keys a tally remembers; beyond them nobody new is let in until old ones have passed.
const KEYS_MAX: usize = 50_000;
/// How often an address may try to follow records.
const TRIES: Rate = Rate { count: 60, seconds: 3_600 };
/// How many an address may send where its form says nothing.
const SENT: Rate = Rate { count: 60, seconds: 3_600 };
/// Of its limit an address may send only this part without proof of work.
const UNPROVEN_PART: u32 = 4;
/// Leading bits of a proof that are zero: about 16,000 hashes, a third of a second in a browser.
const WORK_BITS: u32 = 14;
/// How long work counts, from the minute it is bound to.
const WORK_MINUTES: i64 = 24 * 60;

/// See the module.
#[derive(Default)]
pub struct Strangers {
    sent: Tally<(Key, Key, Option<IpAddr>)>,
    /// Of these, without proof of work.
    unproven: Tally<(Key, Key, Option<IpAddr>)>,
    tried: Tally<Option<IpAddr>>,
    wrong: Tally<(Key, Key, String)>,
}

impl Strangers {
    /// Lets an address send a record of a form, or says in how many seconds it may again.
    pub fn may_send(
        &self,
        (pack, form): (&Key, &Form),
        address: Option<IpAddr>,
        has_worked: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let rate = form.public.as_ref().and_then(|public| public.limit).unwrap_or(SENT);
        self.may(&(pack.clone(), form.key.clone(), address), rate, has_worked, now)
    }

    fn may(
        &self,
        place: &(Key, Key, Option<IpAddr>),
        rate: Rate,
        has_worked: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        if !has_worked {
            let part = Rate { count: (rate.count / UNPROVEN_PART).max(1), ..rate };
            self.unproven.passes(place, part, now)?;
        }
        self.sent.passes(place, rate, now)
    }

    /// A record was sent.
    pub fn sent(&self, pack: &Key, form: &Key, address: Option<IpAddr>, has_worked: bool, now: DateTime<Utc>) {
        let place = (pack.clone(), form.clone(), address);
        if !has_worked {
            self.unproven.count(place.clone(), now);
        }
        self.sent.count(place, now);
    }

    /// Lets an address try to follow a record, and counts it.
    pub fn may_try(&self, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<(), Failure> {
        self.tried.passes(&address, TRIES, now)?;
        self.tried.count(address, now);
        Ok(())
    }

    /// Whether a reference was guessed at so often that it is closed for a while.
    pub fn is_locked(&self, pack: &Key, form: &Form, reference: &str, now: DateTime<Utc>) -> bool {
        let lock = form.track().and_then(|track| track.lock);
        let place = (pack.clone(), form.key.clone(), reference.to_owned());
        lock.is_some_and(|lock| self.wrong.passes(&place, lock, now).is_err())
    }

    /// Somebody guessed wrong.
    pub fn wrong(&self, pack: &Key, form: &Key, reference: &str, now: DateTime<Utc>) {
        self.wrong.count((pack.clone(), form.clone(), reference.to_owned()), now);
    }
}

/// What a browser works on while a form is filled in; bound to the form's idempotency key, so that it counts once.
pub fn challenge(path: &str, key: &str, now: DateTime<Utc>) -> String {
    format!("{path}:{}:{key}", now.timestamp() / 60)
}

/// Whether the nonce is work on a challenge of this form and key, made not too long ago.
pub fn has_worked(path: &str, key: &str, challenge: &str, nonce: &str, now: DateTime<Utc>) -> bool {
    let minute =
        challenge.strip_prefix(path).and_then(|rest| rest.strip_prefix(':')?.strip_suffix(key)?.strip_suffix(':'));
    let age = minute.and_then(|minute| minute.parse::<i64>().ok()).map(|minute| now.timestamp() / 60 - minute);
    if !age.is_some_and(|age| (0..=WORK_MINUTES).contains(&age)) || nonce.len() > 32 {
        return false;
    }
    let hash = Sha256::digest(format!("{challenge}:{nonce}"));
    let start = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    start.leading_zeros() >= WORK_BITS
}

/// When something happened, by key, as long as it counts.
struct Tally<K>(Mutex<HashMap<K, VecDeque<DateTime<Utc>>>>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq> Tally<K> {
    /// Whether one more is within the rate; else in how many seconds it will be.
    fn passes(&self, key: &K, rate: Rate, now: DateTime<Utc>) -> Result<(), Failure> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now - TimeDelta::seconds(rate.seconds.into());
        if counted.len() >= KEYS_MAX && !counted.contains_key(key) {
            counted.retain(|_, times| times.back().is_some_and(|last| *last > since));
            if counted.len() >= KEYS_MAX {
                return Err(Failure::Busy(60));
            }
        }
        let Some(times) = counted.get_mut(key) else { return Ok(()) };
        while times.front().is_some_and(|first| *first <= since) {
            times.pop_front();
        }
        if times.is_empty() {
            counted.remove(key);
            return Ok(());
        }
        let many = usize::try_from(rate.count).unwrap_or(usize::MAX);
        if times.len() < many {
            return Ok(());
        }
        let again = times[times.len() - many] + TimeDelta::seconds(rate.seconds.into());
        Err(Failure::Busy(u32::try_from((again - now).num_seconds().max(1)).unwrap_or(u32::MAX)))
    }

    fn count(&self, key: K, now: DateTime<Utc>) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.entry(key).or_default().push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn so_many_in_a_while_and_no_more() {
        let (tally, rate) = (Tally::default(), Rate { count: 2, seconds: 60 });
        let passes = |now| match tally.passes(&"a", rate, at(now)) {
            Ok(()) => 0,
            Err(Failure::Busy(wait)) => wait,
            Err(other) => panic!("{other:?}"),
        };
        for (now, expected) in [(0, 0), (20, 0), (30, 30), (59, 1), (60, 0), (61, 19)] {
            assert_eq!(passes(now), expected, "at {now}");
            if expected == 0 {
                tally.count("a", at(now));
            }
        }
        assert!(tally.passes(&"b", rate, at(61)).is_ok(), "somebody else");
    }

    #[test]
    fn who_works_leaves_room_for_who_cannot() {
        let strangers = Strangers::default();
        let (pack, form) = (Key::from("crm"), Key::from("note"));
        let rate = Rate { count: 8, seconds: 3_600 };
        let may = |has_worked| strangers.may(&(pack.clone(), form.clone(), None), rate, has_worked, at(0)).is_ok();
        // Two of eight without proof, whoever else sends from the address.
        (0..4).for_each(|_| strangers.sent(&pack, &form, None, true, at(0)));
        assert!(may(false));
        (0..2).for_each(|_| strangers.sent(&pack, &form, None, false, at(0)));
        assert!(!may(false) && may(true), "six of eight");
        (0..2).for_each(|_| strangers.sent(&pack, &form, None, true, at(0)));
        assert!(!may(true), "eight of eight");
    }

    #[test]
    fn work_is_bound_to_a_form_a_key_and_a_time() {
        let given = challenge("/p/note", "key-1", at(0));
        let found = (0_u32..).map(|nonce| nonce.to_string());
        let nonce = found.into_iter().find(|nonce| has_worked("/p/note", "key-1", &given, nonce, at(0))).unwrap();
        assert!(has_worked("/p/note", "key-1", &given, &nonce, at(86_400)), "a day later");
        assert!(!has_worked("/p/note", "key-1", &given, &nonce, at(86_460)), "too late");
        assert!(!has_worked("/p/note", "key-1", &given, &nonce, at(-60)), "from the future");
        assert!(!has_worked("/p/note", "key-2", &given, &nonce, at(0)), "another key");
        assert!(!has_worked("/p/other", "key-1", &given, &nonce, at(0)), "another form");
        assert!(!has_worked("/p/note", "key-1", &given, "no work", at(0)));
    }
}
