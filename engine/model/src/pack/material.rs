//! What a pack carries beside its application: templates, scripts, imports, demo recipes and seed rows.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::expr::ir::Name;
use crate::expr::{Expr, Ir};
use crate::{Key, Text};

/// A message template, one text per language.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its key.
    pub key: Key,
    /// minijinja source by language; the first line may be `Subject: …`.
    pub texts: IndexMap<String, String>,
}

impl Template {
    /// The text in a language: `zh` finds `zh-CN`; else that of the pack's first.
    pub fn text(&self, language: &str) -> &str {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let close = || self.texts.iter().find(|(tag, _)| primary(tag) == primary(language)).map(|(_, text)| text);
        let text = self.texts.get(language).or_else(close).or_else(|| self.texts.values().next());
        text.map(String::as_str).unwrap_or_default()
    }
}

/// How a file becomes records.
#[derive(Debug, Clone)]
pub struct Import {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// Between columns.
    pub delimiter: u8,
    /// The form fed by each row.
    pub form: Key,
    /// Positions of the fields that tell whether the record is there already; a unique of the form.
    pub upsert: Vec<usize>,
    /// Field position → expression over `row`.
    pub columns: IndexMap<usize, Expr>,
    /// Which rows; all where absent.
    pub filter: Option<Expr>,
    /// What a value that does not fit does.
    pub on_error: OnError,
    /// Whether workflows start.
    pub starts: bool,
    /// Whether messages leave.
    pub notify: bool,
}

impl Import {
    /// The columns it reads: a file without one of them is another file.
    pub fn columns_read(&self) -> BTreeSet<String> {
        let mut columns = BTreeSet::new();
        for expr in self.columns.values().chain(&self.filter) {
            expr.ir.walk(&mut |node| {
                if let Ir::Name(Name::Column(column)) = node {
                    columns.insert(column.to_string());
                }
            });
        }
        columns
    }
}

/// What a bad cell does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The row is refused and reported.
    Reject,
    /// The field is left empty and reported.
    Null,
}

/// Generated records for demonstrations.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Its key.
    pub key: Key,
    /// Recipes run in this order.
    pub order: u32,
    /// The form.
    pub form: Key,
    /// How many.
    pub count: u32,
    /// Seed of `rng`.
    pub seed: u64,
    /// Field position → expression over `i`, `rng(n)`, `ref('form', k)`, `as_of`.
    pub fields: IndexMap<usize, Expr>,
}

/// Seed rows of a form, upserted by its natural key at deploy.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The form.
    pub form: Key,
    /// The rows as written.
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
}
