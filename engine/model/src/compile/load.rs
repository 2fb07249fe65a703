//! From texts to typed documents: which file is what, its tree, its structure, its document.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::diagnostic::{At, Problems};
use crate::documents::common::KEY_PATTERN;
use crate::documents::{
    Kind, board, calendar, case, dataset, decision, demo, form, import, metrics, pack, report, workflow,
};
use crate::source::{DEPTH_MAX, FILE_BYTES_MAX, FILES_MAX, SourceMap};
use crate::structure;
use crate::tree::{self, Node, TreeError};
use crate::{Key, structure::Structured};

/// A document, its key and its place.
#[derive(Debug)]
pub(crate) struct Document<T> {
    pub(crate) key: Key,
    pub(crate) at: At,
    pub(crate) body: T,
    /// Pointers of entries that were wrong and cut out: names of which nothing more is known.
    pub(crate) cut: BTreeSet<String>,
}

impl<T> Document<T> {
    /// Whether something was cut out of the entry here: what it lacks was there, and is reported.
    pub(crate) fn is_cut_in(&self, at: &At) -> bool {
        let inside = format!("{}/", at.pointer);
        self.cut.iter().any(|pointer| pointer.starts_with(&inside))
    }
}

/// Documents of one kind by key, in the order of their files.
pub(crate) type Folder<T> = IndexMap<Key, Document<T>>;

/// Everything a pack's author wrote, typed.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) pack: Option<Document<pack::Pack>>,
    pub(crate) forms: Folder<form::Form>,
    pub(crate) workflows: Folder<workflow::Workflow>,
    pub(crate) calendars: Folder<calendar::Calendar>,
    pub(crate) decisions: Folder<decision::Decision>,
    pub(crate) datasets: Folder<dataset::Dataset>,
    pub(crate) metrics: Folder<metrics::Metric>,
    pub(crate) reports: Folder<report::Report>,
    pub(crate) boards: Folder<board::Board>,
    pub(crate) imports: Folder<import::Import>,
    pub(crate) demos: Folder<demo::Demo>,
    pub(crate) cases: Folder<case::Case>,
    /// Template key → language → text.
    pub(crate) templates: IndexMap<Key, IndexMap<String, String>>,
    pub(crate) scripts: IndexMap<Key, String>,
    /// Form key → rows.
    pub(crate) seeds: Folder<Vec<Map<String, Value>>>,
    /// Documents that exist but cannot be read: a reference to one of them is no mistake.
    pub(crate) broken: HashSet<(Kind, String)>,
    pub(crate) trees: HashMap<String, Node>,
}

/// Reads every file.
pub(crate) fn load(sources: &SourceMap, problems: &mut Problems) -> Documents {
    let mut documents = Documents::default();
    if sources.len() > FILES_MAX {
        let message = format!("a pack has at most {FILES_MAX} files, this one has {}", sources.len());
        problems.error("FW0103", &At::file("pack.json"), message, None);
        return documents;
    }
    for (path, text) in sources.iter() {
        load_file(path, text, &mut documents, problems);
    }
    if sources.get("pack.json").is_none() {
        problems.error("FW0104", &At::file("pack.json"), "`pack.json` is missing", None);
    }
    documents
}

fn load_file(path: &str, text: &str, documents: &mut Documents, problems: &mut Problems) {
    let at = At::file(path);
    if text.len() > FILE_BYTES_MAX {
        let message = format!("a file has at most {FILE_BYTES_MAX} bytes, this one has {}", text.len());
        problems.error("FW0103", &at, message, None);
        return;
    }
    let (folder, name) = path.split_once('/').unwrap_or(("", path));
    match (folder, name.rsplit_once('.')) {
        ("", _) if name == "pack.json" => load_document(Kind::Pack, "pack", text, &at, documents, problems),
        ("data", Some((key, "json"))) => load_seed(key, text, &at, documents, problems),
        ("templates", Some((stem, "txt"))) => match stem.split_once('.') {
            Some((key, language)) if is_key(key) => {
                documents.templates.entry(key.into()).or_default().insert(language.to_owned(), text.to_owned());
            }
            _ => unexpected(&at, "a template is `templates/<key>.<language>.txt`", problems),
        },
        ("scripts", Some((key, "rhai"))) if is_key(key) => {
            documents.scripts.insert(key.into(), text.to_owned());
        }
        (folder, Some((key, "json"))) => match Kind::of_folder(folder) {
            Some(kind) if is_key(key) => load_document(kind, key, text, &at, documents, problems),
            Some(_) => {
                let hint = format!("a file name must match `{KEY_PATTERN}`");
                problems.error("FW0105", &at, format!("`{key}` is no key"), Some(hint));
            }
            None => unexpected(&at, &folders_hint(folder), problems),
        },
        (_, Some((_, "rhai" | "txt"))) => unexpected(&at, &folders_hint(folder), problems),
        // Read-me files, pictures and samples may stand beside the definitions.
        _ => {}
    }
}

fn unexpected(at: &At, hint: &str, problems: &mut Problems) {
    problems.error("FW0104", at, format!("`{}` is no file of a pack", at.file), Some(hint.to_owned()));
}

fn folders_hint(folder: &str) -> String {
    let folders = || Kind::ALL.iter().filter_map(|kind| kind.folder()).chain(["data", "templates", "scripts"]);
    structure::did_you_mean(folder, folders())
        .unwrap_or_else(|| format!("the folders are {}", folders().collect::<Vec<_>>().join(", ")))
}

pub(super) fn is_key(word: &str) -> bool {
    let mut characters = word.chars();
    word.len() <= 48
        && characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|other| other.is_ascii_lowercase() || other.is_ascii_digit() || other == '_')
}

fn load_document(kind: Kind, key: &str, text: &str, at: &At, documents: &mut Documents, problems: &mut Problems) {
    let known = read(kind, key, text, at, documents, problems).is_some();
    if !known {
        documents.broken.insert((kind, key.to_owned()));
    }
}

fn read(kind: Kind, key: &str, text: &str, at: &At, documents: &mut Documents, problems: &mut Problems) -> Option<()> {
    let value = read_tree(text, at, documents, problems)?;
    let mut structured = structure::check(kind, value, at, problems);
    if let Some(Value::Object(root)) = &mut structured.value {
        root.shift_remove("$schema");
    }
    let key: Key = key.into();
    match kind {
        Kind::Pack => documents.pack = Some(decode(key, at, structured, problems)?),
        Kind::Form => insert(&mut documents.forms, decode(key, at, structured, problems)?),
        Kind::Workflow => insert(&mut documents.workflows, decode(key, at, structured, problems)?),
        Kind::Calendar => insert(&mut documents.calendars, decode(key, at, structured, problems)?),
        Kind::Decision => insert(&mut documents.decisions, decode(key, at, structured, problems)?),
        Kind::Dataset => insert(&mut documents.datasets, decode(key, at, structured, problems)?),
        Kind::Metric => insert(&mut documents.metrics, decode(key, at, structured, problems)?),
        Kind::Report => insert(&mut documents.reports, decode(key, at, structured, problems)?),
        Kind::Board => insert(&mut documents.boards, decode(key, at, structured, problems)?),
        Kind::Import => insert(&mut documents.imports, decode(key, at, structured, problems)?),
        Kind::Demo => insert(&mut documents.demos, decode(key, at, structured, problems)?),
        Kind::Case => insert(&mut documents.cases, decode(key, at, structured, problems)?),
    }
    Some(())
}

fn insert<T>(folder: &mut Folder<T>, document: Document<T>) {
    folder.insert(document.key.clone(), document);
}

fn decode<T: DeserializeOwned>(
    key: Key,
    at: &At,
    structured: Structured,
    problems: &mut Problems,
) -> Option<Document<T>> {
    match serde_json::from_value(structured.value?) {
        Ok(body) => Some(Document { key, at: at.clone(), body, cut: structured.cut }),
        Err(error) => {
            // The schema and the types come from one source, so this is a number out of its range at most.
            problems.error("FW0116", at, error.to_string(), None);
            None
        }
    }
}

fn read_tree(text: &str, at: &At, documents: &mut Documents, problems: &mut Problems) -> Option<Value> {
    let (tree, errors) = tree::parse(text);
    for error in errors {
        match error {
            TreeError::Syntax { span, message } => problems.error_at_bytes("FW0101", at, span, message),
            TreeError::DuplicateKey { span, key } => {
                problems.error_at_bytes("FW0102", at, span, format!("`{key}` is there twice in one object"));
            }
            TreeError::TooDeep { span } => {
                problems.error_at_bytes("FW0103", at, span, format!("nested deeper than {DEPTH_MAX} levels"));
            }
        }
    }
    let tree = tree?;
    let value = tree.to_json();
    documents.trees.insert(at.file.to_string(), tree);
    Some(value)
}

fn load_seed(key: &str, text: &str, at: &At, documents: &mut Documents, problems: &mut Problems) {
    let Some(value) = read_tree(text, at, documents, problems) else { return };
    let Value::Array(items) = value else {
        problems.error("FW0112", at, "expected a list of rows `[{…}]`", None);
        return;
    };
    let mut body = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Value::Object(row) => body.push(row),
            _ => problems.error("FW0112", &at.index(index), "expected a row `{…}`", None),
        }
    }
    let key: Key = Arc::from(key);
    documents.seeds.insert(key.clone(), Document { key, at: at.clone(), body, cut: BTreeSet::new() });
}
