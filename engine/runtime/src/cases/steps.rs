//! A step: its act, what came due with it, what it expects, and what the transcript says of all that.

use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::case::{Actor, CaseStep};
use formwork_store::Fault;

use super::words::{told, wrapped};
use super::world::World;

/// What an act was about and came to.
pub(super) struct Acted {
    /// The record it was about.
    pub(super) record: Option<(Key, Uuid)>,
    /// What it showed, or why it was refused.
    pub(super) outcome: Result<serde_json::Value, formwork_store::Failure>,
}

impl World<'_> {
    /// Plays a step: its act (if any), then what it expects. A fault is what no step can expect: a task nobody ever made.
    pub(super) async fn play(&mut self, number: usize, step: &CaseStep) -> Result<(), Fault> {
        let viewer = self.viewer(&step.actor);
        let who = match &step.actor {
            Actor::System => "system",
            Actor::Public => "public",
            Actor::User(name) => name,
        };
        let acted = match &step.verb {
            None => None,
            Some(verb) => {
                let started = format!("{}  {who} ", self.local_time());
                self.cover_values(&viewer, verb);
                let (said, acted) = self.act(&viewer, verb).await?;
                let came_of = match &acted.outcome {
                    Ok(shown) => self.shown(verb, shown),
                    Err(failure) => format!(": refused, {}", told(failure)),
                };
                self.transcript.extend(wrapped(&format!("{started}{said}{came_of}")));
                Some(acted)
            }
        };
        // What came due at this very instant is done before anybody looks.
        self.engine.advance_to(self.engine.clock().now()).await?;
        self.tell_messages().await?;
        let wrong = self.check(&viewer, step, acted.as_ref()).await?;
        self.failures.extend(wrong.into_iter().map(|wrong| format!("step {number}: {wrong}")));
        Ok(())
    }

    /// A line below an act.
    pub(super) fn note(&mut self, line: &str) {
        self.transcript.extend(wrapped(&format!("                  {line}")));
    }

    fn local_time(&self) -> String {
        self.engine.clock().now().with_timezone(self.pack.timezone()).format("%Y-%m-%d %H:%M").to_string()
    }
}
