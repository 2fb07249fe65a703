//! Refusals and faults as RFC 9457 problem+json.

use axum::Json;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::error;
use uuid::Uuid;

use formwork_core::{Rejection, RejectionKind};
use formwork_store::{Failure, Fault};

/// Most bytes of what an extractor says.
const SAID_MAX: usize = 2_000;

/// What a handler fails with.
#[derive(Debug)]
pub struct Problem(pub Failure);

/// What handlers answer with.
pub type Answer<T = Response> = Result<T, Problem>;

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self(fault.into())
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        Self(Failure::Rejected(Box::new(rejection)))
    }
}

impl Problem {
    /// The request cannot be understood.
    pub fn malformed(title: impl Into<String>) -> Self {
        Rejection::new(RejectionKind::Malformed, "FW1000", title).into()
    }

    /// There is no such thing, or none this viewer may know of.
    pub fn not_found(kind: &str, key: &str) -> Self {
        Rejection::new(RejectionKind::NotFound, "FW1001", format!("there is no {kind} `{key}`")).into()
    }

    /// Somebody must be logged in.
    pub fn unauthenticated() -> Self {
        Rejection::new(RejectionKind::Unauthenticated, "FW1010", "log in first").into()
    }

    /// This viewer may not; `needs` says what would let them.
    pub fn forbidden(needs: &str) -> Self {
        Rejection::new(RejectionKind::Forbidden, "forbidden", format!("this needs {needs}")).into()
    }

    /// The status this is answered with.
    pub fn status(&self) -> StatusCode {
        match &self.0 {
            Failure::Rejected(rejection) => status_of(rejection.kind),
            Failure::Busy(_) | Failure::Outdated => StatusCode::TOO_MANY_REQUESTS,
            Failure::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body and a trace id; a fault is logged under it, once, and never shown.
    pub fn body(&self) -> (serde_json::Value, String) {
        let trace_id = Uuid::now_v7().simple().to_string();
        let status = self.status().as_u16();
        let body = match &self.0 {
            Failure::Rejected(rejection) => json!({
                "type": format!("/problems/{}", rejection.code),
                "title": rejection.title,
                "status": status,
                "code": rejection.code,
                "trace_id": trace_id,
                "errors": rejection.errors,
            }),
            Failure::Busy(_) | Failure::Outdated => json!({
                "type": "/problems/busy",
                "title": "too much at once, try again in a moment",
                "status": status,
                "code": "busy",
                "trace_id": trace_id,
                "errors": [],
            }),
            Failure::Fault(fault) => {
                error!(trace_id, error = ?fault, "a request failed");
                json!({
                    "type": "/problems/fault",
                    "title": "something went wrong on our side; quote the trace id when you report it",
                    "status": status,
                    "code": "fault",
                    "trace_id": trace_id,
                    "errors": [],
                })
            }
        };
        (body, trace_id)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (body, _) = self.body();
        problem(
            self.status(),
            body,
            match self.0 {
                Failure::Busy(seconds) => Some(seconds),
                Failure::Outdated => Some(1),
                Failure::Rejected(rejection) if rejection.kind == RejectionKind::Late => Some(1),
                _ => None,
            },
        )
    }
}

/// A problem document with its media type.
pub fn problem(status: StatusCode, body: serde_json::Value, retry_after: Option<u32>) -> Response {
    let mut response = (status, Json(body)).into_response();
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(HeaderName::from_static("retry-after"), HeaderValue::from(seconds));
    }
    response
}

/// 413.
pub(crate) fn too_large() -> Response {
    StatusCode::PAYLOAD_TOO_LARGE.into_response()
}

/// The layer around everything: what the framework refuses by itself under `/api/` (an address, a method, a parameter, a
/// body it cannot read or that is too large, a request that takes too long) is a problem document, too.
pub async fn as_problem(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let status = response.status();
    let told = response.headers().get(header::CONTENT_TYPE).is_some_and(|ty| ty == "application/problem+json");
    if !is_api || told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (code, title) = match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => ("FW1000", "the request cannot be understood"),
        StatusCode::NOT_FOUND => ("FW1001", "there is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this address does not take that method"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "the body has another type than is taken"),
        StatusCode::GATEWAY_TIMEOUT => ("timeout", "the request took too long and was given up"),
        _ if status.is_client_error() => ("refused", "the request is refused"),
        _ => ("fault", "something went wrong on our side"),
    };
    let (parts, body) = response.into_parts();
    let is_text = parts.headers.get(header::CONTENT_TYPE).is_some_and(|ty| ty.as_bytes().starts_with(b"text/plain"));
    // What an extractor says of the caller's own request; never what a handler that panicked says.
    let said = if is_text && status.is_client_error() {
        to_bytes(body, SAID_MAX).await.unwrap_or_default()
    } else {
        Bytes::new()
    };
    let said = String::from_utf8_lossy(&said).into_owned();
    let body = json!({
        "type": format!("/problems/{code}"),
        "title": if said.is_empty() { title } else { &said },
        "status": status.as_u16(),
        "code": code,
        "trace_id": Uuid::now_v7().simple().to_string(),
        "errors": [],
    });
    let mut response = problem(status, body, None);
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // What is left of the body is not read: the next request needs another connection, and is told so.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn status_of(kind: RejectionKind) -> StatusCode {
    match kind {
        RejectionKind::Malformed => StatusCode::BAD_REQUEST,
        RejectionKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        RejectionKind::Forbidden => StatusCode::FORBIDDEN,
        RejectionKind::NotFound => StatusCode::NOT_FOUND,
        RejectionKind::Conflict => StatusCode::CONFLICT,
        RejectionKind::Stale => StatusCode::PRECONDITION_FAILED,
        RejectionKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        RejectionKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        RejectionKind::Late => StatusCode::SERVICE_UNAVAILABLE,
    }
}
