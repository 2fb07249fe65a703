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
    /// The encoding of its files; told from their bytes where absent.
    pub encoding: Option<Encoding>,
    /// Between columns; told from the first lines where absent.
    pub delimiter: Option<u8>,
    /// The forms fed by each row, in this order; at least one.
    pub into: Vec<Feed>,
    /// What a value that does not fit does.
    pub on_error: OnError,
    /// Whether workflows start.
    pub starts: bool,
    /// Whether messages leave.
    pub notify: bool,
    /// Whether cells are read as people write them: labels of options, dates with slashes, thousands apart.
    pub is_by_hand: bool,
}

/// How a row becomes a record of one form.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The form.
    pub form: Key,
    /// Positions of the fields that tell whether the record is there already, a unique of the form; none where every row
    /// is a new record.
    pub upsert: Vec<usize>,
    /// Field position → expression over `row`.
    pub columns: IndexMap<usize, Expr>,
    /// Link field position → place in [`Import::into`] of a feed before this one.
    pub links: IndexMap<usize, usize>,
    /// Which rows; all where absent.
    pub filter: Option<Expr>,
}

/// Encodings of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// GB18030, and with it GBK and GB 2312.
    Gb18030,
}

impl Import {
    /// The columns it reads: a file without one of them is another file.
    pub fn columns_read(&self) -> BTreeSet<String> {
        let mut columns = BTreeSet::new();
        for expr in self.into.iter().flat_map(|feed| feed.columns.values().chain(&feed.filter)) {
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
    /// When the record is filed; at `as_of` where absent.
    pub at: Option<Expr>,
    /// Field position → expression over `i`, `rng(n)`, `ref('form', k)`, `as_of`.
    pub fields: IndexMap<usize, Expr>,
    /// What people do with its tasks, one after another.
    pub then: Vec<Deed>,
}

/// What somebody does with a task of a generated record.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Its key.
    pub key: Key,
    /// Whether it is done at all.
    pub when: Option<Expr>,
    /// How long after what came before.
    pub after: Expr,
    /// The role of the user who does it.
    pub by: Key,
    /// The step.
    pub step: Key,
    /// The way out; the task is only claimed where absent.
    pub outcome: Option<Key>,
    /// Field position → expression, written on the way out.
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
