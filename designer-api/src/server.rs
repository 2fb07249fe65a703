//! The router and its layers: one server for the API and the pages.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use formwork_runtime::Engine;

use crate::meters::{Meters, measured};
use crate::strangers::Strangers;
use crate::view::templates::Templates;
use crate::{api, assets, pages};

/// What every handler sees.
pub struct Server {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The pages' templates.
    pub templates: Templates,
    /// Users to be offered on the log-in page of a demonstration: (login, name).
    pub demo_users: Vec<(String, String)>,
    /// What is told to monitoring.
    pub meters: Meters,
    /// What holds back people who are not logged in.
    pub strangers: Strangers,
    /// Whether time moves only when somebody moves it.
    pub virtual_clock: bool,
}

/// A request that takes longer is given up.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// The content security policy of every answer (ui.md §1.1): nothing inline, nothing foreign.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'self'";

/// All routes.
pub fn router(server: Arc<Server>) -> Router {
    let fixed = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    Router::new()
        .merge(pages::routes(&server))
        .merge(assets::routes())
        .layer(DefaultBodyLimit::max(api::BODY_BYTES_MAX))
        .merge(api::routes(&server))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::GATEWAY_TIMEOUT, REQUEST_MAX))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(api::problem::as_problem))
        .layer(fixed("content-security-policy", POLICY))
        .layer(fixed("x-content-type-options", "nosniff"))
        .layer(fixed("referrer-policy", "same-origin"))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ))
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(server.clone(), measured))
        .with_state(server)
}
