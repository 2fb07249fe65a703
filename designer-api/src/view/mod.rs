//! From what the engine answers to what templates draw: one serialisable struct per page, texts and numbers already in
//! the reader's language.
//!
//! ```text
//! engine's JSON ─► cell, field, form, task, history ─► a page's view ─► templates ─► HTML
//! query, posted form ─► filters, posted ─► what the engine is asked or told
//! ```

pub mod templates;

pub(crate) mod cell;
pub(crate) mod chart;
pub(crate) mod clock;
pub(crate) mod columns;
pub(crate) mod control;
pub(crate) mod field;
pub(crate) mod filters;
pub(crate) mod form;
pub(crate) mod format;
pub(crate) mod history;
pub(crate) mod nav;
pub(crate) mod numbers;
pub(crate) mod people;
pub(crate) mod posted;
pub(crate) mod query;
pub(crate) mod related;
pub(crate) mod seen;
pub(crate) mod task;
