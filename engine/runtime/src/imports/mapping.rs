//! Columns to fields by hand: guessed from names and samples, checked, made into an import like one of a pack.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use formwork_core::material::cell_fits;
use formwork_core::{Projection, Viewer};
use formwork_model::expr::ir::Name;
use formwork_model::expr::{Expr, Ir, Type};
use formwork_model::pack::form::{Field, FieldKind, Form, Level};
use formwork_model::pack::material::{Feed, Import, OnError};
use formwork_model::{Key, Pack};

use super::{ImportError, Sheet};

/// Rows whose cells are looked at.
const SAMPLES: usize = 50;

/// Which column goes into which field of one form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// Field → column.
    pub columns: IndexMap<String, String>,
    /// Fields that find a record that is there already, a unique of the form; empty where every row is new.
    #[serde(default)]
    pub key: Vec<String>,
    /// Whether workflows start for new records.
    #[serde(default)]
    pub starts: bool,
}

/// What may be told records apart by: the natural key and the uniques of the form.
pub fn keys_of(form: &Form) -> Vec<Vec<usize>> {
    let natural = std::iter::once(&form.natural_key).filter(|key| !key.is_empty());
    let uniques = form.uniques.values().filter(|unique| unique.filter.is_none()).map(|unique| &unique.fields);
    let mut keys: Vec<Vec<usize>> = Vec::new();
    for key in natural.chain(uniques) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

impl Mapping {
    /// The likeliest mapping: as it was the last time, else by key and label, else by what the cells hold.
    pub fn guess(pack: &Arc<Pack>, viewer: &Viewer, form: &Key, sheet: &Sheet<'_>, earlier: Option<&Self>) -> Self {
        let projection = Projection::new(pack, form, viewer, None);
        let form = projection.form();
        let samples = sheet.sample(SAMPLES);
        let mut mapping = Self { starts: earlier.is_some_and(|earlier| earlier.starts), ..Self::default() };
        let mut free: Vec<usize> = (0..sheet.header.len()).collect();
        let fields: Vec<&Field> = targets(&projection).map(|(_, field)| field).collect();
        let mut ways: Vec<Box<dyn Fn(&Field, usize) -> bool + '_>> = Vec::new();
        ways.push(Box::new(|field, column| {
            earlier.and_then(|earlier| earlier.columns.get(&*field.key)) == Some(&sheet.header[column])
        }));
        ways.push(Box::new(|field, column| is_named(field, &sheet.header[column])));
        ways.push(Box::new(|field, column| {
            let mut cells = samples.iter().map(|row| row[column].trim()).filter(|cell| !cell.is_empty()).peekable();
            let tells = matches!(
                field.kind,
                FieldKind::Email | FieldKind::Phone { .. } | FieldKind::Choice { .. } | FieldKind::Boolean
            );
            tells && cells.peek().is_some() && cells.all(|cell| cell_fits(pack, field, cell))
        }));
        for way in &ways {
            for field in &fields {
                if mapping.columns.contains_key(&*field.key) {
                    continue;
                }
                if let Some(place) = free.iter().position(|&column| way(field, column)) {
                    mapping.columns.insert(field.key.to_string(), sheet.header[free.remove(place)].clone());
                }
            }
        }
        let keys = keys_of(form).into_iter().map(|key| key.iter().map(|&at| form.fields[at].key.to_string()).collect());
        let keys: Vec<Vec<String>> = keys.collect();
        let is_mapped = |key: &Vec<String>| key.iter().all(|field| mapping.columns.contains_key(field));
        // That every row is new was said of the same columns, or it was not said of these.
        let before = earlier.filter(|earlier| !earlier.key.is_empty() || earlier.columns == mapping.columns);
        let before = before.map(|earlier| earlier.key.clone()).filter(|key| key.is_empty() || keys.contains(key));
        let found = before.filter(is_mapped).or_else(|| keys.into_iter().find(is_mapped));
        mapping.key = found.unwrap_or_default();
        mapping
    }

    /// As an import; the viewer may write every field of it.
    pub fn import(&self, pack: &Arc<Pack>, viewer: &Viewer, form: &Key) -> Result<Import, ImportError> {
        let projection = Projection::new(pack, form, viewer, None);
        let shape = projection.form();
        let place = |name: &str| {
            let found = targets(&projection).find(|(_, field)| *field.key == *name).map(|(place, _)| place);
            found.ok_or_else(|| ImportError::Mapping(format!("`{name}` is no field you may fill in")))
        };
        let mut columns = IndexMap::new();
        let mut taken = HashSet::new();
        for (field, column) in &self.columns {
            if !taken.insert(column) {
                return Err(ImportError::Mapping(format!("the column `{column}` is used twice")));
            }
            let ir = Ir::Name(Name::Column(column.clone()));
            columns.insert(place(field)?, Expr { source: format!("row['{column}']"), ty: Type::Text, ir });
        }
        if columns.is_empty() {
            return Err(ImportError::Mapping("no column goes into a field".to_owned()));
        }
        let key = self.key.iter().map(|field| place(field)).collect::<Result<Vec<usize>, _>>()?;
        let is_key = |known: &Vec<usize>| known.len() == key.len() && known.iter().all(|at| key.contains(at));
        let upsert = match keys_of(shape).into_iter().find(is_key) {
            _ if key.is_empty() => Vec::new(),
            Some(known) => known,
            None => return Err(ImportError::Mapping(format!("{} is no key of the form", self.key.join(", ")))),
        };
        if let Some(&missing) = upsert.iter().find(|at| !columns.contains_key(*at)) {
            let field = &shape.fields[missing].key;
            return Err(ImportError::Mapping(format!("the key `{field}` has no column")));
        }
        Ok(Import {
            key: form.clone(),
            label: shape.label.clone(),
            encoding: None,
            delimiter: None,
            into: vec![Feed { form: form.clone(), upsert, columns, links: IndexMap::new(), filter: None }],
            on_error: OnError::Reject,
            starts: self.starts,
            notify: false,
            is_by_hand: true,
        })
    }
}

/// The fields a file may fill in, by position: those the viewer may write, and numbers of the system that a record may
/// be found by.
pub(super) fn targets(projection: &Projection) -> impl Iterator<Item = (usize, &Field)> {
    let keys: HashSet<usize> = keys_of(projection.form()).into_iter().flatten().collect();
    projection.form().fields.iter().enumerate().filter(move |(position, field)| {
        let level = projection.levels().field(*position);
        match field.kind {
            FieldKind::Table { .. } | FieldKind::Backlink { .. } => false,
            FieldKind::Series { .. } => keys.contains(position) && level >= Level::Read,
            _ => level == Level::Write && !field.is_derived() && !field.read_only,
        }
    })
}

/// The fields a file may fill in, for whoever chooses.
pub fn targets_of(pack: &Arc<Pack>, viewer: &Viewer, form: &Key) -> Vec<Field> {
    let projection = Projection::new(pack, form, viewer, None);
    targets(&projection).map(|(_, field)| field.clone()).collect()
}

/// Refuses a file that lacks a column which the import reads.
pub(super) fn complete(import: &Import, header: &[String]) -> Result<(), ImportError> {
    let missing = import.columns_read().into_iter().filter(|column| !header.contains(column));
    let missing: Vec<String> = missing.map(|column| format!("`{column}`")).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(ImportError::MissingColumns { missing: missing.join(", "), header: header.join(", ") }),
    }
}

/// Whether a column is named like the field, in any language; case, spaces and marks aside.
fn is_named(field: &Field, column: &str) -> bool {
    let bare = |text: &str| -> String { text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    let column = bare(column);
    !column.is_empty() && std::iter::once(&*field.key).chain(field.label.all()).any(|name| bare(name) == column)
}
