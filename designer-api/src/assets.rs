//! Files of the pages: style sheets as written, scripts as bundled. They live in the binary; a changed file has another
//! address, so that browsers may keep them for a year.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::server::Server;

/// Bundled scripts; absent when cargo ran without npm, then pages work as plain forms.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
#[exclude = "*.map"]
struct Scripts;

/// Style sheets and the icon sprite.
#[derive(RustEmbed)]
#[folder = "web"]
#[include = "css/*.css"]
#[include = "*.svg"]
struct Styles;

/// The order matters: later sheets build on earlier ones.
const SHEETS: [&str; 5] = ["tokens", "base", "components", "pages", "print"];

pub(crate) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/assets/{*name}", get(asset))
}

/// The address of an asset: `/assets/<name>?v=<hash>`.
pub(crate) fn address(name: &str) -> String {
    match file(name) {
        Some(file) => format!("/assets/{name}?v={}", file.version),
        None => format!("/assets/{name}"),
    }
}

async fn asset(Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let Some(file) = file(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let fresh = query.as_deref() == Some(&format!("v={}", file.version));
    // A chunk is named by its content already.
    let cache = if fresh || name.contains('-') { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, file.media_type), (header::CACHE_CONTROL, cache)], file.bytes.clone()).into_response()
}

#[derive(Debug)]
struct File {
    bytes: axum::body::Bytes,
    version: String,
    media_type: &'static str,
}

fn file(name: &str) -> Option<&'static File> {
    static FILES: OnceLock<HashMap<String, File>> = OnceLock::new();
    FILES.get_or_init(all).get(name)
}

fn all() -> HashMap<String, File> {
    let mut files = HashMap::new();
    let sheets = SHEETS.iter().filter_map(|sheet| Styles::get(&format!("css/{sheet}.css")));
    let css: Vec<u8> = sheets.flat_map(|sheet| sheet.data.to_vec()).collect();
    files.insert("app.css".to_owned(), entry("app.css", css));
    for name in Styles::iter().filter(|name| name.ends_with(".svg")) {
        if let Some(file) = Styles::get(&name) {
            files.insert(name.to_string(), entry(&name, file.data.to_vec()));
        }
    }
    for name in Scripts::iter() {
        if let Some(file) = Scripts::get(&name) {
            files.insert(name.to_string(), entry(&name, file.data.to_vec()));
        }
    }
    files
}

fn entry(name: &str, bytes: Vec<u8>) -> File {
    let version = Sha256::digest(&bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let media_type = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    File { bytes: bytes.into(), version, media_type }
}
