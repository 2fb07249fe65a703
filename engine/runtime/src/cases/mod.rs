//! Cases: a pack's own tests, played on a virtual clock against a real store.
//!
//! ```text
//! cases/complaint.json ─► World (engine over an empty store, clock of `given`) ─► steps ─► transcript, failures
//! ```
//! A transcript is what a person would write down while playing: who did what, what came of it, what left the house.

mod expect;
mod steps;
mod world;

use std::sync::Arc;

use formwork_model::Pack;
use formwork_model::pack::material::Case;
use formwork_store::Fault;

pub(crate) use world::told;
pub use world::{Host, World};

/// How a case went.
#[derive(Debug, Clone)]
pub struct Played {
    /// The case's key.
    pub case: String,
    /// One line per act and expectation.
    pub transcript: Vec<String>,
    /// What was not as expected; the case passed when there is nothing here.
    pub failures: Vec<String>,
}

/// Plays one case over a fresh store that `host` gives.
pub async fn play(host: &dyn Host, pack: &Arc<Pack>, files: &[(String, String)], case: &Case) -> Result<Played, Fault> {
    let mut world = World::begin(host, pack, files, case).await?;
    for (index, step) in world.steps().into_iter().enumerate() {
        world.play(index + 1, &step).await?;
        if !world.failures.is_empty() {
            // What follows a failed step tells nothing more.
            break;
        }
    }
    Ok(Played { case: case.key.to_string(), transcript: world.transcript, failures: world.failures })
}
