//! Time: the system's, or a virtual one for demonstrations and tests.

use std::sync::Mutex;

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// Where now comes from.
#[derive(Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Stands still until it is moved.
    Virtual(Mutex<DateTime<Utc>>),
}

impl Clock {
    /// A virtual clock standing at `at`.
    pub fn standing_at(at: DateTime<Utc>) -> Self {
        Clock::Virtual(Mutex::new(at.trunc_subsecs(6)))
    }

    /// Now, in whole microseconds: what both stores keep.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::System => Utc::now().trunc_subsecs(6),
            Clock::Virtual(at) => *at.lock().expect("no holder of the clock panics"),
        }
    }

    /// Moves a virtual clock to `at`; never backwards. False for the system's clock.
    pub fn move_to(&self, at: DateTime<Utc>) -> bool {
        match self {
            Clock::System => false,
            Clock::Virtual(now) => {
                let mut now = now.lock().expect("no holder of the clock panics");
                *now = (*now).max(at.trunc_subsecs(6));
                true
            }
        }
    }

    /// Whether time moves only when somebody moves it.
    pub fn is_virtual(&self) -> bool {
        matches!(self, Clock::Virtual(_))
    }

    /// How long to wait until `at`; none when it is past.
    pub fn until(&self, at: DateTime<Utc>) -> std::time::Duration {
        (at - self.now()).max(Duration::zero()).to_std().unwrap_or_default()
    }
}
