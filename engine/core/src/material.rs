//! Rows of imports and of demo recipes: expressions become the values a caller would send.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use formwork_model::expr::ir::Name;
use formwork_model::pack::material::{Demo, Import};
use formwork_model::{Key, Pack, Value};

use crate::eval::{Environment, EvalError, Names, Nothing, evaluate_expr, holds};
use crate::rejection::FieldError;
use crate::viewer::Viewer;
use crate::wire;

/// A row of a file, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedRow {
    /// The values of the upsert key as one text: equal for rows of the same record.
    pub key: String,
    /// Values by field, as on the wire.
    pub values: Map<String, Json>,
}

/// A cell that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct BadCell {
    /// What is wrong, with the field as pointer.
    pub error: FieldError,
    /// What the file holds or the expression gave.
    pub value: String,
}

/// Maps a row: none when the definition leaves it out. Empty cells are null. A row without a value in its upsert key is
/// refused: it could never be found again.
pub fn import_row(
    pack: &Pack,
    import: &Import,
    columns: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<Option<MappedRow>, Vec<BadCell>> {
    let viewer = Viewer::system(language(pack));
    let names = Columns { pack, columns };
    let environment = Environment::new(now, *pack.timezone(), &viewer, &names, &Nothing);
    if let Some(filter) = &import.filter
        && !holds(filter, &environment).map_err(|error| vec![unfit("", error)])?
    {
        return Ok(None);
    }
    let form = pack.form(&import.form);
    let (mut values, mut bad) = (Map::new(), Vec::new());
    for (index, expr) in &import.columns {
        let field = &form.fields[*index];
        match evaluate_expr(expr, &environment) {
            Ok(value) => {
                values.insert(field.key.to_string(), wire::render(&value, &expr.ty));
            }
            Err(error) => bad.push(unfit(&field.key, error)),
        }
    }
    let mut key = Vec::new();
    for index in &import.upsert {
        let field = &form.fields[*index].key;
        match values.get(&**field) {
            Some(value) if !value.is_null() => {
                key.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            _ => bad.push(BadCell { error: no_key(field), value: String::new() }),
        }
    }
    if bad.is_empty() { Ok(Some(MappedRow { key: key.join("\u{1f}"), values })) } else { Err(bad) }
}

/// What earlier recipes made.
#[derive(Debug, Clone, Copy)]
pub struct Drawn<'a> {
    /// Records by form, in the order they were made: `ref('form', k)`.
    pub records: &'a HashMap<Key, Vec<Uuid>>,
}

/// The values of row `index` of a recipe. `as_of` is now.
pub fn demo_row(
    pack: &Pack,
    demo: &Demo,
    index: u32,
    now: DateTime<Utc>,
    drawn: &Drawn,
) -> Result<Map<String, Json>, String> {
    let viewer = Viewer::system(language(pack));
    let names = Recipe { pack, seed: demo.seed, index, now, drawn };
    let environment = Environment::new(now, *pack.timezone(), &viewer, &names, &Nothing);
    let form = pack.form(&demo.form);
    let mut values = Map::new();
    for (index, expr) in &demo.fields {
        let field = &form.fields[*index].key;
        let value = evaluate_expr(expr, &environment).map_err(|error| format!("`{field}`: {error:?}"))?;
        values.insert(field.to_string(), wire::render(&value, &expr.ty));
    }
    Ok(values)
}

/// `row.x` of an import.
struct Columns<'a> {
    pack: &'a Pack,
    columns: &'a [(String, String)],
}

impl Names for Columns<'_> {
    fn value(&self, name: &Name) -> Option<Value> {
        let Name::Column(column) = name else { return self.pack.value(name) };
        let cell = self.columns.iter().find(|(header, _)| header == column).map(|(_, cell)| cell);
        Some(cell.filter(|cell| !cell.is_empty()).map_or(Value::Null, |cell| Value::Text(cell.clone())))
    }
}

/// `i`, `as_of`, `rng` and `ref` of a recipe.
struct Recipe<'a> {
    pack: &'a Pack,
    seed: u64,
    index: u32,
    now: DateTime<Utc>,
    drawn: &'a Drawn<'a>,
}

impl Names for Recipe<'_> {
    fn value(&self, name: &Name) -> Option<Value> {
        match name {
            Name::Index => Some(Value::Integer(i64::from(self.index))),
            Name::AsOf => Some(Value::DateTime(self.now)),
            name => self.pack.value(name),
        }
    }

    /// The first eight bytes of SHA-256 over (seed, row, place), modulo the bound.
    fn random(&self, place: i64, below: i64) -> Option<i64> {
        let digest = Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.index.to_be_bytes())
            .chain_update(place.to_be_bytes())
            .finalize();
        let drawn = u64::from_be_bytes(digest[..8].try_into().ok()?);
        i64::try_from(drawn % u64::try_from(below).ok()?).ok()
    }

    /// Counts on from the start when there are fewer records; null when there are none.
    fn reference(&self, form: &str, k: i64) -> Option<Value> {
        let made = self.drawn.records.get(form).filter(|made| !made.is_empty());
        Some(made.map_or(Value::Null, |made| Value::Id(made[k.rem_euclid(made.len() as i64) as usize])))
    }
}

fn unfit(field: &str, error: EvalError) -> BadCell {
    let message = match error {
        EvalError::Overflow => "a number or a time is too large".to_owned(),
        other => format!("{other:?}"),
    };
    let pointer = if field.is_empty() { String::new() } else { format!("/{field}") };
    BadCell { error: FieldError { code: "unfit".to_owned(), pointer, message, hint: None }, value: String::new() }
}

fn no_key(field: &str) -> FieldError {
    FieldError {
        code: "required".to_owned(),
        pointer: format!("/{field}"),
        message: "the upsert key holds no value".to_owned(),
        hint: None,
    }
}

fn language(pack: &Pack) -> &str {
    pack.languages().first().map_or("en", String::as_str)
}
