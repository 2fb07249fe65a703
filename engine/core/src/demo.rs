//! Demo recipes: what is filed when, with which values, and what people do with it afterwards.
//!
//! Everything follows from the recipe, the number of the row and the day: the same day gives the same bytes.

use std::cell::Cell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use formwork_model::expr::Expr;
use formwork_model::expr::ir::Name;
use formwork_model::pack::calendar::Calendar;
use formwork_model::pack::material::{Deed, Demo};
use formwork_model::{Key, Pack, Value};

use crate::eval::time::{add_to_instant, start_of_instant};
use crate::eval::{Environment, Names, Nothing, evaluate_expr};
use crate::ids::{Ids, seed_of};
use crate::viewer::Viewer;
use crate::wire;

/// What there is to refer to.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    /// Of each form, the record of every row of the recipes so far; none where the row was left out.
    rows: HashMap<Key, Vec<Option<Uuid>>>,
    /// Records by form and natural key.
    keyed: HashMap<(Key, String), Uuid>,
}

impl Drawn {
    /// A recipe has filed its rows, in their order; none where a row was left out.
    pub fn add(&mut self, form: &Key, rows: impl IntoIterator<Item = Option<Uuid>>) {
        self.rows.entry(form.clone()).or_default().extend(rows);
    }

    /// The record is known by that natural key.
    pub fn put_key(&mut self, form: &Key, key: String, id: Uuid) {
        self.keyed.insert((form.clone(), key), id);
    }
}

/// The midnight, in the zone of the pack, with which the day of `now` began: `as_of`.
pub fn day(pack: &Pack, now: DateTime<Utc>) -> DateTime<Utc> {
    start_of_instant("day", now, *pack.timezone()).unwrap_or(now)
}

/// A row of a recipe on a day.
#[derive(Debug, Clone, Copy)]
pub struct DemoRow<'a> {
    /// The pack.
    pub pack: &'a Pack,
    /// The recipe.
    pub demo: &'a Demo,
    /// Number of the row, from 0.
    pub index: u32,
    /// Where the day began, see [`day`].
    pub as_of: DateTime<Utc>,
}

impl DemoRow<'_> {
    /// When it is filed.
    pub fn at(&self, drawn: &Drawn) -> Result<DateTime<Utc>, String> {
        let Some(expr) = &self.demo.at else { return Ok(self.as_of) };
        match self.value(expr, "at", self.as_of, drawn)?.0 {
            Value::DateTime(at) => Ok(at),
            _ => Err("`at` is null".to_owned()),
        }
    }

    /// The values that are filed at that instant; none where it refers to a row that was left out.
    pub fn values(&self, at: DateTime<Utc>, drawn: &Drawn) -> Result<Option<Map<String, Json>>, String> {
        self.written(self.demo.fields.iter(), at, drawn)
    }

    /// When the deed is done, where the one before it was done at `before`; none where it is not done at all.
    pub fn done_at(&self, deed: &Deed, before: DateTime<Utc>, drawn: &Drawn) -> Result<Option<DateTime<Utc>>, String> {
        if let Some(when) = &deed.when
            && !self.value(when, &deed.key, before, drawn)?.0.is_true()
        {
            return Ok(None);
        }
        match self.value(&deed.after, &deed.key, before, drawn)?.0 {
            Value::Duration(after) => match add_to_instant(before, &after, *self.pack.timezone()) {
                Some(at) if at >= before => Ok(Some(at)),
                _ => Err(format!("`{}` would be done before what came before it", deed.key)),
            },
            _ => Err(format!("`after` of `{}` is null", deed.key)),
        }
    }

    /// What the deed writes; none where it refers to a row that was left out.
    pub fn deed_values(
        &self,
        deed: &Deed,
        at: DateTime<Utc>,
        drawn: &Drawn,
    ) -> Result<Option<Map<String, Json>>, String> {
        self.written(deed.fields.iter(), at, drawn)
    }

    /// The seed of the ids made when it is filed (part 0) and by its deeds (from 1).
    pub fn seed(&self, part: u64) -> u64 {
        seed_of(&format!("demo {} {} {} {part}", self.pack.key(), self.demo.key, self.index))
    }

    /// The id of the record that is filed at that instant.
    pub fn id(&self, at: DateTime<Utc>) -> Uuid {
        Ids::new(at, self.seed(0)).next()
    }

    fn written<'e>(
        &self,
        fields: impl Iterator<Item = (&'e usize, &'e Expr)>,
        at: DateTime<Utc>,
        drawn: &Drawn,
    ) -> Result<Option<Map<String, Json>>, String> {
        let form = self.pack.form(&self.demo.form);
        let mut values = Map::new();
        for (position, expr) in fields {
            let field = &form.fields[*position].key;
            let (value, is_early) = self.value(expr, field, at, drawn)?;
            if is_early {
                return Ok(None);
            }
            values.insert(field.to_string(), wire::render(&value, &expr.ty));
        }
        Ok(Some(values))
    }

    /// The value, and whether it refers to a row that was left out.
    fn value(&self, expr: &Expr, what: &str, at: DateTime<Utc>, drawn: &Drawn) -> Result<(Value, bool), String> {
        let viewer = Viewer::system(self.pack.languages().first().map_or("en", String::as_str));
        let names = RecipeNames { row: self, drawn, is_early: Cell::new(false) };
        let environment = Environment::new(at, *self.pack.timezone(), &viewer, &names, &Nothing);
        let value = evaluate_expr(expr, &environment).map_err(|error| format!("`{what}`: {error:?}"))?;
        Ok((value, names.is_early.get()))
    }
}

/// `i`, `as_of`, `rng` and `ref` of a recipe.
struct RecipeNames<'a> {
    row: &'a DemoRow<'a>,
    drawn: &'a Drawn,
    is_early: Cell<bool>,
}

impl Names for RecipeNames<'_> {
    fn value(&self, name: &Name) -> Option<Value> {
        match name {
            Name::Index => Some(Value::Integer(i64::from(self.row.index))),
            Name::AsOf => Some(Value::DateTime(self.row.as_of)),
            name => self.row.pack.value(name),
        }
    }

    fn calendar(&self, key: &str) -> Option<&Calendar> {
        self.row.pack.calendar(key)
    }

    /// The first eight bytes of SHA-256 over (seed, row, place), modulo the bound.
    fn random(&self, place: i64, below: i64) -> Option<i64> {
        let digest = Sha256::new()
            .chain_update(self.row.demo.seed.to_be_bytes())
            .chain_update(self.row.index.to_be_bytes())
            .chain_update(place.to_be_bytes())
            .finalize();
        let drawn = u64::from_be_bytes(digest[..8].try_into().ok()?);
        i64::try_from(drawn % u64::try_from(below).ok()?).ok()
    }

    /// Counts on from the start when there are fewer records; null when there are none.
    fn reference(&self, form: &str, which: &Value) -> Option<Value> {
        let found = match which {
            Value::Integer(k) => {
                let Some(rows) = self.drawn.rows.get(form).filter(|rows| !rows.is_empty()) else {
                    return Some(Value::Null);
                };
                let row = rows[k.rem_euclid(rows.len() as i64) as usize];
                self.is_early.set(self.is_early.get() || row.is_none());
                row
            }
            Value::Text(key) => self.drawn.keyed.get(&(Key::from(form), key.clone())).copied(),
            _ => return None,
        };
        Some(found.map_or(Value::Null, Value::Id))
    }
}
