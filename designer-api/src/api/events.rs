//! What changes, told as it happens: server-sent events that name kinds of things and nothing else. Whoever hears of one
//! reads it again, by the ways everybody reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::get;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::json;

use formwork_runtime::live::{Heard, Listener, News};

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::{Caller, Credential, Watcher};

/// At least so often something is sent, so that everybody on the way knows the connection lives.
const BEAT: Duration = Duration::from_secs(15);
/// Milliseconds after which a browser connects again.
const RETRY_MS: u32 = 2_000;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/events", get(events))
}

/// Since when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// What was told or shown before is not told again: milliseconds, as the ids of events are.
    since: Option<i64>,
}

async fn events(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Answer {
    let person = caller.require_user()?.id;
    let credential = Credential::of(&headers).ok_or_else(Problem::unauthenticated)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let since = last.or(query.since).and_then(DateTime::from_timestamp_millis);
    let listener = server.engine.listen(person, since).await?;
    let first = Bytes::from(format!("retry: {RETRY_MS}\nid: {}\n\n", place()));
    let telling = Telling { server, credential, listener, beaten: Instant::now() };
    let rest = stream::unfold(telling, |mut telling| async move { Some((telling.next().await?, telling)) });
    let body = Body::from_stream(stream::once(async { first }).chain(rest).map(Ok::<_, std::convert::Infallible>));
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store"), (unbuffered, "no")];
    Ok((headers, body).into_response())
}

/// One connection.
struct Telling {
    server: Arc<Server>,
    credential: Credential,
    listener: Listener,
    beaten: Instant,
}

impl Telling {
    /// The next words; none where nothing more is to be told: the caller is nobody any more, or the server stops. What
    /// fails ends the connection too; whoever connects again is told what they missed.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.listener.next().await {
                Heard::Over => return None,
                Heard::Check => {
                    self.watcher().await?;
                    if self.beaten.elapsed() >= BEAT {
                        self.beaten = Instant::now();
                        return Some(Bytes::from(format!("id: {}\n\n", place())));
                    }
                }
                Heard::Touched(missed) => {
                    let watcher = self.watcher().await?;
                    let place = place();
                    let mut news = self.server.engine.news(&watcher.user, &missed).await.ok()?;
                    news.tasks &= watcher.tasks;
                    if !news.is_empty() {
                        return Some(event(place, &news));
                    }
                }
            }
        }
    }

    async fn watcher(&self) -> Option<Watcher> {
        self.credential.watcher(&self.server.engine).await.ok().flatten()
    }
}

fn event(place: i64, news: &News) -> Bytes {
    let mut told = match news.all {
        true => json!({"all": true}),
        false => json!({"tasks": news.tasks, "records": news.forms}),
    };
    if news.notices {
        told["notices"] = json!(true);
    }
    Bytes::from(format!("id: {place}\nevent: changed\ndata: {told}\n\n"))
}

/// Where one is in what was told: a moment, so that it says nothing of what others did.
fn place() -> i64 {
    Utc::now().timestamp_millis()
}
