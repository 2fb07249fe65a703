//! Rows of imports: expressions become the values a caller would send.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use formwork_model::expr::Ir;
use formwork_model::expr::ir::{Function, Name};
use formwork_model::pack::calendar::Calendar;
use formwork_model::pack::form::{Field, Form};
use formwork_model::pack::material::{Feed, Import, OnError};
use formwork_model::{Pack, Value};

use crate::cells;
use crate::eval::{Environment, Names, Nothing, evaluate, evaluate_expr, holds};
use crate::messages::{message, wanted};
use crate::rejection::FieldError;
use crate::stimulus::Feeding;
use crate::viewer::Viewer;
use crate::wire;

/// A row of a file, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedRow {
    /// The values of the upsert keys as one text: equal for rows of the same records. None where every row is new.
    pub key: Option<String>,
    /// What it says of each form. A cell that does not fit is left out.
    pub entries: Vec<Feeding>,
    /// The cells that do not fit.
    pub bad: Vec<BadCell>,
}

/// A cell that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct BadCell {
    /// What is wrong, with the field as pointer; below its form where the row feeds several.
    pub error: FieldError,
    /// What the file holds.
    pub value: String,
}

/// Maps a row: none when the definition leaves it out. Empty cells are null. A row without a value in an upsert key is
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
    let mut mapped = MappedRow { key: None, entries: Vec::new(), bad: Vec::new() };
    let (mut places, mut keyless) = (Vec::new(), false);
    for feed in &import.into {
        let form = pack.form(&feed.form);
        let mapping = Mapping { pack, import, feed, form, language, names: &names, environment: &environment };
        if let Some(filter) = &feed.filter {
            match holds(filter, &environment) {
                Ok(true) => {}
                Ok(false) => {
                    places.push(None);
                    continue;
                }
                Err(_) => {
                    let message = message(language, "overflow", form.label.get(language), "");
                    let error = FieldError { code: "overflow".to_owned(), pointer: String::new(), message, hint: None };
                    return Err(vec![BadCell { error, value: names.cells(&filter.ir) }]);
                }
            }
        }
        let values = mapping.values(&mut mapped.bad);
        match mapping.key(&values, &mut mapped.bad) {
            Some(key) if feed.upsert.is_empty() => drop(key),
            Some(key) => {
                let known = mapped.key.get_or_insert_default();
                known.push_str(&format!("{}\u{1f}{key}\u{1e}", feed.form));
            }
            None => keyless = true,
        }
        places.push(Some(mapped.entries.len()));
        // The place among the entries; a form the row leaves out is linked to by nobody.
        let linked = feed
            .links
            .iter()
            .filter_map(|(field, to)| Some((form.fields[*field].key.clone(), places.get(*to).copied().flatten()?)));
        let links = linked.collect();
        mapped.entries.push(Feeding { form: feed.form.clone(), by: feed.upsert.clone(), values, links });
    }
    if keyless || (!mapped.bad.is_empty() && import.on_error == OnError::Reject) {
        return Err(mapped.bad);
    }
    Ok((!mapped.entries.is_empty()).then_some(mapped))
}

/// A row on its way into one form.
struct Mapping<'a> {
    pack: &'a Pack,
    import: &'a Import,
    feed: &'a Feed,
    form: &'a Form,
    language: &'a str,
    names: &'a Columns<'a>,
    environment: &'a Environment<'a>,
}

impl Mapping<'_> {
    fn bad(&self, field: &Field, code: &str, limit: &str, value: String) -> BadCell {
        let message = message(self.language, code, field.label.get(self.language), limit);
        let pointer = match self.import.into.len() {
            1 => format!("/{}", field.key),
            _ => format!("/{}/{}", self.form.key, field.key),
        };
        BadCell { error: FieldError { code: code.to_owned(), pointer, message, hint: None }, value }
    }

    fn values(&self, bad: &mut Vec<BadCell>) -> Map<String, Json> {
        let mut values = Map::new();
        for (index, expr) in &self.feed.columns {
            let field = &self.form.fields[*index];
            match evaluate_expr(expr, self.environment) {
                Ok(Value::Null) => match unconverted(&expr.ir, self.environment, self.names) {
                    Some(cell) => {
                        bad.push(self.bad(field, "wrong_type", wanted(self.language, field.kind.name()), cell));
                    }
                    None => {
                        values.insert(field.key.to_string(), Json::Null);
                    }
                },
                Ok(Value::Text(cell)) if self.import.is_by_hand => {
                    values.insert(field.key.to_string(), cells::read(self.pack, field, &cell));
                }
                Ok(value) => {
                    values.insert(field.key.to_string(), wire::render(&value, &expr.ty));
                }
                Err(_) => bad.push(self.bad(field, "overflow", "", self.names.cells(&expr.ir))),
            }
        }
        values
    }

    /// The key of the record as one text; none where a part of it is missing. A link to a record of the same row is as
    /// good as that record's own key.
    fn key(&self, values: &Map<String, Json>, bad: &mut Vec<BadCell>) -> Option<String> {
        let (mut key, mut keyless) = (Vec::new(), false);
        for index in self.feed.upsert.iter().filter(|index| !self.feed.links.contains_key(*index)) {
            let field = &self.form.fields[*index];
            match values.get(&*field.key) {
                Some(value) if !value.is_null() => {
                    key.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                }
                found => {
                    keyless = true;
                    // A key that is there but does not fit has been told already.
                    if found.is_some() {
                        bad.push(self.bad(field, "required", "", String::new()));
                    }
                }
            }
        }
        (!keyless).then(|| key.join("\u{1f}"))
    }
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

/// Whether a cell is a value of the field, as far as can be told without looking anything up.
pub fn cell_fits(pack: &Pack, field: &Field, cell: &str) -> bool {
    cells::fits(pack, field, cell)
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
