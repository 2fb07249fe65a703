//! How messages leave the house: a file sink and a signed webhook.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use tokio::io::AsyncWriteExt;

use formwork_core::change::OutboxMessage;
use formwork_model::pack::ChannelKind;
use formwork_model::{Key, Pack};

/// How long the other side may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses and secrets of the environment; never in a pack.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "HashMap<String, Webhook>")]
pub struct Channels {
    /// By channel key.
    pub webhooks: HashMap<String, Webhook>,
    /// What becomes of messages of a webhook without an address: with `true` they are written to the message file and
    /// count as sent, in demonstrations and cases; else they fail.
    pub pretend: bool,
}

impl From<HashMap<String, Webhook>> for Channels {
    fn from(webhooks: HashMap<String, Webhook>) -> Self {
        Self { webhooks, pretend: false }
    }
}

impl Channels {
    /// No addresses: every message is written to the message file.
    pub fn pretending() -> Self {
        Self { pretend: true, ..Self::default() }
    }

    /// Webhook channels of the pack whose messages cannot leave.
    pub fn without_address<'a>(&'a self, pack: &'a Pack) -> impl Iterator<Item = &'a Key> {
        let webhooks = pack.channels().iter().filter(|(_, channel)| channel.kind == ChannelKind::Webhook);
        webhooks.map(|(key, _)| key).filter(|key| !self.pretend && !self.webhooks.contains_key(&***key))
    }
}

/// Where a webhook channel posts to.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Address.
    pub url: String,
    /// Key of the signature.
    pub secret: String,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Sends messages.
#[derive(Debug)]
pub struct Sender {
    channels: Channels,
    sink: PathBuf,
    client: reqwest::Client,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What happened.
    pub reason: String,
    /// Whether trying again may help: time-outs, 408, 425, 429 and 5xx.
    pub passing: bool,
    /// How long the other side asked to wait.
    pub retry_after: Option<Duration>,
}

impl Sender {
    /// A sender that writes file messages as lines to `sink`.
    pub fn new(channels: Channels, sink: PathBuf) -> Self {
        // The process may have chosen a provider already; whoever was first wins.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client without extra roots can be built");
        Self { channels, sink, client }
    }

    /// Where messages go.
    pub fn channels(&self) -> &Channels {
        &self.channels
    }

    /// Sends one message under its key.
    pub async fn send(&self, pack: &Pack, message: &OutboxMessage, key: &str) -> Result<(), Refused> {
        let never = |reason| Err(Refused { reason, passing: false, retry_after: None });
        let channel = &message.channel;
        match (pack.channels().get(channel).map(|channel| channel.kind), self.channels.webhooks.get(&**channel)) {
            (Some(ChannelKind::Webhook), Some(webhook)) => self.post(webhook, message, key).await,
            (Some(ChannelKind::Webhook), None) if !self.channels.pretend => {
                never(format!("channel `{channel}` has no address in the environment"))
            }
            (Some(_), _) => self.append(message, key).await,
            (None, _) => never(format!("channel `{channel}` is no longer part of the pack")),
        }
    }

    async fn post(&self, webhook: &Webhook, message: &OutboxMessage, key: &str) -> Result<(), Refused> {
        let body = body_of(message, key).to_string();
        let answer = self
            .client
            .post(&webhook.url)
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .header("x-formwork-signature", format!("sha256={}", signature(&webhook.secret, body.as_bytes())))
            .body(body)
            .send()
            .await;
        let answer = answer.map_err(|error| Refused {
            reason: format!("no answer: {}", error.without_url()),
            passing: true,
            retry_after: None,
        })?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let retry_after = answer
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        Err(Refused {
            reason: format!("answered {status}"),
            passing: matches!(status, 408 | 425 | 429) || status >= 500,
            retry_after,
        })
    }

    /// One JSON line per message. The file is synced, because the outbox row is settled afterwards.
    async fn append(&self, message: &OutboxMessage, key: &str) -> Result<(), Refused> {
        let line = format!("{}\n", body_of(message, key));
        let write = async {
            let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(&self.sink).await?;
            file.write_all(line.as_bytes()).await?;
            file.sync_data().await
        };
        write.await.map_err(|error| Refused {
            reason: format!("cannot write the message file: {error}"),
            passing: true,
            retry_after: None,
        })
    }
}

/// What a receiver gets.
fn body_of(message: &OutboxMessage, key: &str) -> serde_json::Value {
    json!({
        "key": key,
        "channel": &*message.channel,
        "template": &*message.template,
        "to": message.to,
        "subject": message.subject,
        "body": message.body,
        "record": message.record.as_ref().map(|(form, id)| json!({"form": &**form, "id": id})),
        "created_at": message.created_at.to_rfc3339(),
    })
}

/// HMAC-SHA256 of the body (RFC 2104), hexadecimal.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_written_by_their_keys() {
        let written = r#"{"sms": {"url": "https://sms.example/in", "secret": "s"}}"#;
        let channels: Channels = serde_json::from_str(written).expect("addresses");
        assert_eq!(channels.webhooks["sms"].url, "https://sms.example/in");
        let mistyped = r#"{"sms": {"uri": "https://sms.example/in", "secret": "s"}}"#;
        assert!(serde_json::from_str::<Channels>(mistyped).is_err(), "a mistyped key is no address");
    }

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // RFC 4231, test case 2.
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
