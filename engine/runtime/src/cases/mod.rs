//! Cases: a pack's own tests, played on a virtual clock against a real store.
//!
//! ```text
//! cases/complaint.json ─► pack::Case ─► World (engine over an empty store, clock of `given`)
//!                                          └─► steps ─► transcript, failures, coverage
//! ```
//! A transcript is what a person would write down while playing: who did what with which values, what they were shown,
//! what left the house. It is the thing to review: an expectation says one sentence, the transcript says the rest.

mod acts;
mod clocks;
mod coverage;
mod expect;
mod sent;
mod steps;
mod words;
mod world;

use std::sync::Arc;

use formwork_model::Pack;
use formwork_model::pack::case::Case;
use formwork_store::Fault;

pub use coverage::Coverage;
pub(crate) use words::told;
pub use world::{Host, World};

/// How a case went.
#[derive(Debug, Clone)]
pub struct Played {
    /// The case's key.
    pub case: String,
    /// Acts, what came of them, and expectations met.
    pub transcript: Vec<String>,
    /// What was not as expected; the case passed when there is nothing here.
    pub failures: Vec<String>,
    /// What of the pack it went through.
    pub coverage: Coverage,
}

/// Plays one case over a fresh store that `host` gives.
pub async fn play(host: &dyn Host, pack: &Arc<Pack>, files: &[(String, String)], case: &Case) -> Result<Played, Fault> {
    let mut world = World::begin(host, pack, files, case).await?;
    for (index, step) in case.steps.iter().enumerate() {
        // What follows a failed step tells nothing more.
        if !world.failures.is_empty() {
            break;
        }
        let number = index + 1;
        if let Err(fault) = world.play(number, step).await {
            world.failures.push(format!("step {number}: {fault}"));
        }
    }
    world.cover_events().await?;
    Ok(Played {
        case: case.key.to_string(),
        transcript: world.transcript,
        failures: world.failures,
        coverage: world.coverage,
    })
}
