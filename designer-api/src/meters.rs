//! What a monitoring system reads: requests as they were answered, and what is open, late or broken.
//!
//! The text is that of OpenMetrics 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), which Prometheus reads.
//! Labels are routes and states, never ids, people or values: how many series there are is known beforehand.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use formwork_store::Backlog;

use crate::server::Server;

/// Upper bounds of the times told, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// The route of what led nowhere: every wrong address is one series.
const NOWHERE: &str = "none";

/// See the module.
#[derive(Debug)]
pub struct Meters {
    answered: Family<Answered, Counter>,
    taken: Family<Asked, Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: String,
    route: String,
}

impl Default for Meters {
    fn default() -> Self {
        Self { answered: Family::default(), taken: Family::new_with_constructor(|| Histogram::new(SECONDS)) }
    }
}

impl Meters {
    /// Everything, as text.
    pub fn told(&self, backlog: &Backlog, seq: i64, now: DateTime<Utc>) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("formwork");
        registry.register("http_requests", "Requests answered", self.answered.clone());
        let taken = "Time from a request to the head of its answer";
        registry.register_with_unit("http_request_duration", taken, Unit::Seconds, self.taken.clone());
        let late = backlog.late_since.map_or(0, |since| (now - since).num_milliseconds());
        let late = ConstGauge::new(std::time::Duration::from_millis(late.unsigned_abs()).as_secs_f64());
        registry.register_with_unit("timer_lag", "How late the first timer is that has not fired", Unit::Seconds, late);
        let counted = [
            ("change_seq", "Number of the newest change everybody sees", seq),
            ("open_tasks", "Tasks nobody has done yet", backlog.open_tasks),
            ("running_instances", "Workflow instances on their way", backlog.running_instances),
            ("stopped_instances", "Workflow instances that stand still over an incident", backlog.stopped_instances),
            ("late_timers", "Timers that are due and have not fired", backlog.late_timers),
            ("waiting_messages", "Messages that are to be sent", backlog.waiting_messages),
            ("failed_messages", "Messages given up", backlog.failed_messages),
            ("open_imports", "Imports that have not ended", backlog.open_imports),
        ];
        for (name, help, value) in counted {
            registry.register(name, help, ConstGauge::new(value));
        }
        let mut told = String::new();
        text::encode(&mut told, &registry)?;
        Ok(told)
    }
}

/// Counts a request once it is answered.
pub(crate) async fn measured(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or(NOWHERE, MatchedPath::as_str).to_owned();
    let (method, began) = (method(&request), Instant::now());
    let response = next.run(request).await;
    let meters = &server.meters;
    let asked = Asked { method: method.clone(), route: route.clone() };
    meters.taken.get_or_create(&asked).observe(began.elapsed().as_secs_f64());
    meters.answered.get_or_create(&Answered { method, route, status: response.status().as_u16() }).inc();
    response
}

/// The method, if it is one that is ever answered: others can be made up without end.
fn method(request: &Request) -> String {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| request.method() == known).unwrap_or("other").to_owned()
}
