//! Rows of imports and of demo recipes: expressions become the values a caller would send.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use formwork_model::expr::Ir;
use formwork_model::expr::ir::{Function, Name};
use formwork_model::pack::calendar::Calendar;
use formwork_model::pack::material::{Demo, Import, OnError};
use formwork_model::{Key, Pack, Value};

use crate::eval::{Environment, Names, Nothing, evaluate, evaluate_expr, holds};
use crate::messages::{message, wanted};
use crate::rejection::FieldError;
use crate::viewer::Viewer;
use crate::wire;

/// A row of a file, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedRow {
    /// The values of the upsert key as one text: equal for rows of the same record.
    pub key: String,
    /// Values by field, as on the wire. A cell that does not fit is left out.
    pub values: Map<String, Json>,
    /// The cells that do not fit.
    pub bad: Vec<BadCell>,
}

/// A cell that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct BadCell {
    /// What is wrong, with the field as pointer.
    pub error: FieldError,
    /// What the file holds.
    pub value: String,
}

/// Maps a row: none when the definition leaves it out. Empty cells are null. A row without a value in its upsert key is
/// refused: it could never be found again.
pub fn import_row(
    pack: &Pack,
    import: &Import,
    columns: &[(String, String)],
    now: DateTime<Utc>,
    language: &str,
) -> Result<Option<MappedRow>, Vec<BadCell>> {
    let viewer = Viewer::system(language);
    let names = Columns { pack, columns };
    let environment = Environment::new(now, *pack.timezone(), &viewer, &names, &Nothing);
    let form = pack.form(&import.form);
    if let Some(filter) = &import.filter {
        match holds(filter, &environment) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) => {
                let message = message(language, "overflow", form.label.get(language), "");
                let error = FieldError { code: "overflow".to_owned(), pointer: String::new(), message, hint: None };
                return Err(vec![BadCell { error, value: names.cells(&filter.ir) }]);
            }
        }
    }
    let (mut values, mut bad) = (Map::new(), Vec::new());
    for (index, expr) in &import.columns {
        let field = &form.fields[*index];
        let misfit = |code: &str, limit: &str, value: String| {
            let message = message(language, code, field.label.get(language), limit);
            let pointer = format!("/{}", field.key);
            BadCell { error: FieldError { code: code.to_owned(), pointer, message, hint: None }, value }
        };
        match evaluate_expr(expr, &environment) {
            Ok(Value::Null) => match unconverted(&expr.ir, &environment, &names) {
                Some(cell) => bad.push(misfit("wrong_type", wanted(language, field.kind.name()), cell)),
                None => {
                    values.insert(field.key.to_string(), Json::Null);
                }
            },
            Ok(value) => {
                values.insert(field.key.to_string(), wire::render(&value, &expr.ty));
            }
            Err(_) => bad.push(misfit("overflow", "", names.cells(&expr.ir))),
        }
    }
    let (mut key, mut keyless) = (Vec::new(), false);
    for index in &import.upsert {
        let field = &form.fields[*index];
        match values.get(&*field.key) {
            Some(value) if !value.is_null() => {
                key.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            found => {
                keyless = true;
                // A key that is there but does not fit has been told already.
                if found.is_some() {
                    let message = message(language, "required", field.label.get(language), "");
                    let pointer = format!("/{}", field.key);
                    let error = FieldError { code: "required".to_owned(), pointer, message, hint: None };
                    bad.push(BadCell { error, value: String::new() });
                }
            }
        }
    }
    if keyless || (!bad.is_empty() && import.on_error == OnError::Reject) {
        return Err(bad);
    }
    Ok(Some(MappedRow { key: key.join("\u{1f}"), values, bad }))
}

/// The text of a filled cell that a conversion makes nothing of: why the whole is null.
fn unconverted(ir: &Ir, environment: &Environment, names: &Columns) -> Option<String> {
    let mut found = None;
    ir.walk(&mut |node| {
        if let Ir::Call(Function::Number | Function::Date | Function::Datetime, arguments) = node
            && found.is_none()
            && evaluate(node, environment) == Ok(Value::Null)
        {
            found = arguments.first().map(|argument| names.cells(argument)).filter(|cells| !cells.is_empty());
        }
    });
    found
}

fn columns_of(ir: &Ir) -> Vec<String> {
    let mut columns = Vec::new();
    ir.walk(&mut |node| {
        if let Ir::Name(Name::Column(column)) = node {
            columns.push(column.clone());
        }
    });
    columns
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

impl Columns<'_> {
    fn cell(&self, column: &str) -> Option<&str> {
        self.columns.iter().find(|(header, _)| header == column).map(|(_, cell)| cell.as_str())
    }

    /// The cells an expression reads, as they stand in the file.
    fn cells(&self, ir: &Ir) -> String {
        let columns = columns_of(ir);
        let cells = columns.iter().filter_map(|column| self.cell(column)).filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>().join(" ")
    }
}

impl Names for Columns<'_> {
    fn value(&self, name: &Name) -> Option<Value> {
        let Name::Column(column) = name else { return self.pack.value(name) };
        let cell = self.cell(column).filter(|cell| !cell.is_empty());
        Some(cell.map_or(Value::Null, |cell| Value::Text(cell.to_owned())))
    }

    fn calendar(&self, key: &str) -> Option<&Calendar> {
        self.pack.calendar(key)
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

    fn calendar(&self, key: &str) -> Option<&Calendar> {
        self.pack.calendar(key)
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

fn language(pack: &Pack) -> &str {
    pack.languages().first().map_or("en", String::as_str)
}
