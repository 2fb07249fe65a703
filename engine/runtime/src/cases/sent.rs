//! Messages: each stands in the transcript once, and an expectation names all that were stored since the last one.

use serde_json::json;
use uuid::Uuid;

use formwork_core::change::OutboxMessage;
use formwork_model::Key;
use formwork_model::pack::case::ExpectedMessage;
use formwork_store::Fault;

use super::words::clipped;
use super::world::World;

/// Most messages of a case.
const MESSAGES_MAX: u32 = 10_000;

impl World<'_> {
    /// Says which messages were stored since this was last called.
    pub(super) async fn tell_messages(&mut self) -> Result<(), Fault> {
        for (message, state) in self.messages().await? {
            if self.told.insert(message.key.clone()) {
                let text = message.subject.as_deref().unwrap_or(&message.body);
                let line = format!(
                    "{} by {} to {} ({state}): {}",
                    message.template,
                    message.channel,
                    message.to,
                    clipped(text)
                );
                self.note(&format!("message {line}"));
            }
        }
        Ok(())
    }

    /// What is wrong if these are not exactly the messages (about the record, if one is meant) since the last asking.
    pub(super) async fn sent_differs(
        &mut self,
        record: Option<&(Key, Uuid)>,
        expected: &[ExpectedMessage],
    ) -> Result<Option<String>, Fault> {
        let mut found = self.messages().await?;
        found.retain(|(message, _)| record.is_none_or(|record| message.record.as_ref() == Some(record)));
        found.retain(|(message, _)| self.asked.insert(message.key.clone()));
        let found: Vec<OutboxMessage> = found.into_iter().map(|(message, _)| message).collect();
        if found.len() == expected.len() && pairs_up(expected, &found.iter().collect::<Vec<_>>()) {
            let words: Vec<&str> = expected.iter().map(|message| &*message.template).collect();
            self.note(&format!("sent {}", if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }));
            return Ok(None);
        }
        let wanted: Vec<String> = expected.iter().map(|message| told(&message.template, message)).collect();
        let found: Vec<String> = found
            .iter()
            .map(|message| format!("`{}` by {} to {}", message.template, message.channel, message.to))
            .collect();
        let list = |words: Vec<String>| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
        Ok(Some(format!("sent {} instead of {}", list(found), list(wanted))))
    }

    /// All messages with their states, in the order they were stored.
    async fn messages(&self) -> Result<Vec<(OutboxMessage, String)>, Fault> {
        let messages = self.engine.store().messages(MESSAGES_MAX).await?;
        let mut messages: Vec<_> = messages.into_iter().map(|(message, state, ..)| (message, state)).collect();
        messages.sort_by(|(a, _), (b, _)| (a.created_at, &a.key).cmp(&(b.created_at, &b.key)));
        Ok(messages)
    }
}

/// Whether each expectation can be given a message of its own.
fn pairs_up(expected: &[ExpectedMessage], found: &[&OutboxMessage]) -> bool {
    let Some((first, others)) = expected.split_first() else { return true };
    (0..found.len()).any(|index| {
        let mut rest = found.to_vec();
        fits(first, rest.remove(index)) && pairs_up(others, &rest)
    })
}

fn fits(expected: &ExpectedMessage, message: &OutboxMessage) -> bool {
    expected.template == message.template
        && expected.channel.as_ref().is_none_or(|channel| *channel == message.channel)
        && expected.to.as_ref().is_none_or(|to| *to == message.to)
        && expected.contains.as_ref().is_none_or(|part| message.body.contains(part.as_str()))
}

fn told(template: &Key, message: &ExpectedMessage) -> String {
    let mut words = format!("`{template}`");
    for (word, part) in [("by", message.channel.as_deref()), ("to", message.to.as_deref())] {
        words.extend(part.map(|part| format!(" {word} {part}")));
    }
    words.extend(message.contains.as_ref().map(|part| format!(" with {}", json!(part))));
    words
}
