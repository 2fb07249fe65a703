//! The gate before passwords: how often somebody may try, and how many are hashed at once.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;

use formwork_store::{Failure, Fault};

/// Tries for one login: so many at once, and one more each so many seconds.
const BY_LOGIN: (u32, u64) = (10, 6);
/// Tries from one address, behind which many people may sit.
const BY_ADDRESS: (u32, u64) = (120, 1);
/// Keys remembered before those that have recovered are forgotten.
const KEYS_MAX: usize = 10_000;
/// Passwords hashed at once: each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 4;
/// Longest wait for a turn to hash.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Limits of logging in, per process.
pub(crate) struct Gate {
    by_login: DefaultKeyedRateLimiter<String>,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    hashing: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            by_login: RateLimiter::keyed(quota(BY_LOGIN)),
            by_address: RateLimiter::keyed(quota(BY_ADDRESS)),
            hashing: Semaphore::new(HASHES_AT_ONCE),
        }
    }

    /// Lets a try through, or says in how many seconds to come back. Logins that nobody has are counted like others.
    pub(crate) fn admit(&self, login: &str, address: Option<IpAddr>) -> Result<(), Failure> {
        if let Some(address) = address {
            passed(&self.by_address, &address)?;
        }
        passed(&self.by_login, &login.to_owned())
    }

    /// Runs work on a password when it is its turn, never on a thread that serves requests.
    pub(crate) async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = tokio::time::timeout(WAIT_MAX, self.hashing.acquire()).await.map_err(|_| Failure::Busy(1))?;
        let _turn = turn.map_err(|error| Fault::of("waiting for a turn", error))?;
        let done = tokio::task::spawn_blocking(work).await;
        Ok(done.map_err(|error| Fault::of("a blocking task", error))??)
    }
}

fn quota((burst, seconds): (u32, u64)) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(Duration::from_secs(seconds)).unwrap_or(Quota::per_second(burst)).allow_burst(burst)
}

fn passed<K: Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), Failure> {
    if limiter.len() > KEYS_MAX {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|refused| {
        let wait = refused.wait_time_from(DefaultClock::default().now());
        Failure::Busy(u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_tried_so_often_and_no_more() {
        let gate = Gate::new();
        let address = Some(IpAddr::from([127, 0, 0, 1]));
        for _ in 0..BY_LOGIN.0 {
            gate.admit("ann", address).expect("within the limit");
        }
        let Err(Failure::Busy(seconds)) = gate.admit("ann", address) else { panic!("one too many") };
        assert!((1..=7).contains(&seconds), "{seconds}");
        gate.admit("ben", address).expect("somebody else");
    }

    #[test]
    fn an_address_tries_so_many_logins_and_no_more() {
        let gate = Gate::new();
        let address = Some(IpAddr::from([127, 0, 0, 1]));
        let refused = (0..200).find(|number| gate.admit(&format!("user{number}"), address).is_err());
        assert!(refused.is_some_and(|number| number >= BY_ADDRESS.0), "{refused:?}");
        gate.admit("ann", Some(IpAddr::from([10, 0, 0, 1]))).expect("another address");
    }
}
