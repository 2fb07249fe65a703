//! The one driver's arithmetic, shared by both engines: call the core, see what it lacks, load it, call again.

use std::sync::Arc;

use formwork_core::facts::Need;
use formwork_core::{ChangeSet, Facts, Stop};

use crate::{Failure, Fault, Submission};

/// Decides a submission with what is known: [`formwork_core::decide`], unless a test brings its own.
pub type Decider = Arc<dyn Fn(&Submission, &Facts) -> Result<ChangeSet, Stop> + Send + Sync>;

/// Most times the core may ask for more within one transaction or question.
const ROUNDS_MAX: u32 = 500;

/// The core's own decider.
pub(crate) fn core() -> Decider {
    Arc::new(|submission, facts| {
        formwork_core::decide(&submission.pack, &submission.packs.by_hash, &submission.stimulus, facts)
    })
}

/// Counts the rounds of a conversation with the core and tells answers from needs.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    made: u32,
}

/// What the core said.
#[derive(Debug)]
pub(crate) enum Said<T> {
    /// Done.
    Answer(T),
    /// Load these and call again.
    Load(Vec<Need>),
}

impl Rounds {
    /// Sorts the core's word; a core that asks for ever is a fault.
    pub(crate) fn sort<T>(&mut self, said: Result<T, Stop>) -> Result<Said<T>, Failure> {
        match said {
            Ok(answer) => Ok(Said::Answer(answer)),
            Err(Stop::Reject(rejection)) => Err(Failure::Rejected(rejection)),
            Err(Stop::Fault(message) | Stop::Overflow(message)) => Err(Fault::new(message).into()),
            Err(Stop::TooMany(too_many)) => {
                Err(Fault::new(format!("a look-up into `{}` found too much", too_many.form)).into())
            }
            Err(Stop::Need(needs)) => {
                self.made += 1;
                if needs.is_empty() || self.made > ROUNDS_MAX {
                    return Err(Fault::new(format!("the core still asks after {ROUNDS_MAX} rounds: {needs:?}")).into());
                }
                Ok(Said::Load(needs))
            }
        }
    }
}
