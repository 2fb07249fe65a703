//! Statements as both engines run them: shared code makes them, each engine only executes.

use std::sync::Arc;

use uuid::Uuid;

use formwork_model::Value;

use crate::dialect::{Bound, ColumnKind, Dialect};
use crate::names::quote;

/// A row of an answer; the values have the kinds of the select.
pub(crate) type Row = Vec<Value>;

/// A query.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    /// With `$1`, `$2` … in the order of their first mention, which both engines read.
    pub(crate) sql: String,
    pub(crate) params: Vec<Bound>,
    /// Ids for the last parameter: an array on PostgreSQL; one run of the query for each on SQLite.
    pub(crate) each: Option<Vec<Uuid>>,
    /// What the columns hold.
    pub(crate) kinds: Arc<[ColumnKind]>,
}

impl Select {
    pub(crate) fn new(sql: String, params: Vec<Bound>, kinds: impl Into<Arc<[ColumnKind]>>) -> Self {
        Self { sql, params, each: None, kinds: kinds.into() }
    }

    pub(crate) fn each(mut self, ids: Vec<Uuid>) -> Self {
        self.each = Some(ids);
        self
    }
}

/// `= $n`, or `= ANY($n)` where the engine takes all ids at once.
pub(crate) fn equals_each(dialect: Dialect, number: usize) -> String {
    match dialect {
        Dialect::Sqlite => format!("= ${number}"),
        Dialect::Postgres => format!("= ANY(${number})"),
    }
}

/// What is done to the rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Insert,
    /// Inserts, or replaces the row with the same keys.
    Upsert,
    /// Finds the row by its keys, sets the other columns.
    Update,
    /// Finds the row by its keys.
    Delete,
}

/// The same change of several rows of one table: a prepared statement run row by row on SQLite, one statement over
/// arrays on PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) action: Action,
    pub(crate) table: String,
    pub(crate) columns: Vec<(String, ColumnKind)>,
    /// How many of the columns, from the first, find the row.
    pub(crate) keys: usize,
    /// Values in the order of the columns.
    pub(crate) rows: Vec<Vec<Bound>>,
}

impl Batch {
    pub(crate) fn new(action: Action, table: &str, keys: usize, columns: &[(&str, ColumnKind)]) -> Self {
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Self { action, table: table.to_owned(), columns, keys, rows: Vec::new() }
    }

    /// The statement for one row, with `$1` … in the order of the columns.
    pub(crate) fn row_sql(&self) -> String {
        let table = quote(&self.table);
        let parameter = |index: usize| format!("${}", index + 1);
        match self.action {
            Action::Insert | Action::Upsert => {
                let values = (0..self.columns.len()).map(parameter).collect::<Vec<_>>().join(", ");
                format!("INSERT INTO {table} ({}) VALUES ({values}){}", self.names(), self.conflict())
            }
            Action::Update => {
                // SQLite numbers `$n` by first mention, so the keys come last in the text and are bound last.
                let set = self.columns[self.keys..].iter().enumerate();
                let set = set.map(|(index, (name, _))| format!("{} = {}", quote(name), parameter(index)));
                let set = set.collect::<Vec<_>>().join(", ");
                format!("UPDATE {table} SET {set} WHERE {}", self.key_condition(self.columns.len() - self.keys))
            }
            Action::Delete => format!("DELETE FROM {table} WHERE {}", self.key_condition(0)),
        }
    }

    /// The values of a row in the order [`Batch::row_sql`] mentions them.
    pub(crate) fn row_order(&self) -> Vec<usize> {
        match self.action {
            Action::Update => (self.keys..self.columns.len()).chain(0..self.keys).collect(),
            _ => (0..self.columns.len()).collect(),
        }
    }

    /// The statement over arrays, one per column, numbered after `first`.
    pub(crate) fn array_sql(&self, first: usize) -> String {
        let table = quote(&self.table);
        let arrays = self.columns.iter().enumerate().map(|(index, (_, kind))| {
            let element = if *kind == ColumnKind::Json { "text" } else { kind.cast_type() };
            format!("${}::{element}[]", first + index + 1)
        });
        let arrays = arrays.collect::<Vec<_>>().join(", ");
        let aliases = (0..self.columns.len()).map(|index| format!("c{index}")).collect::<Vec<_>>().join(", ");
        let source = format!("UNNEST({arrays}) AS v ({aliases})");
        let value = |index: usize| match self.columns[index].1 {
            ColumnKind::Json => format!("v.c{index}::json"),
            _ => format!("v.c{index}"),
        };
        let keys = || {
            let keys = self.columns[..self.keys].iter().enumerate();
            keys.map(|(index, (name, _))| format!("{table}.{} = v.c{index}", quote(name))).collect::<Vec<_>>()
        };
        match self.action {
            Action::Insert | Action::Upsert => {
                let values = (0..self.columns.len()).map(value).collect::<Vec<_>>().join(", ");
                format!("INSERT INTO {table} ({}) SELECT {values} FROM {source}{}", self.names(), self.conflict())
            }
            Action::Update => {
                let set = self.columns[self.keys..].iter().enumerate();
                let set = set.map(|(index, (name, _))| format!("{} = {}", quote(name), value(self.keys + index)));
                let set = set.collect::<Vec<_>>().join(", ");
                format!("UPDATE {table} SET {set} FROM {source} WHERE {}", keys().join(" AND "))
            }
            Action::Delete => format!("DELETE FROM {table} USING {source} WHERE {}", keys().join(" AND ")),
        }
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| quote(name)).collect::<Vec<_>>().join(", ")
    }

    fn conflict(&self) -> String {
        if self.action != Action::Upsert {
            return String::new();
        }
        let keys = self.columns[..self.keys].iter().map(|(name, _)| quote(name)).collect::<Vec<_>>().join(", ");
        let set = self.columns[self.keys..].iter().map(|(name, _)| format!("{0} = excluded.{0}", quote(name)));
        format!(" ON CONFLICT ({keys}) DO UPDATE SET {}", set.collect::<Vec<_>>().join(", "))
    }

    fn key_condition(&self, first: usize) -> String {
        let keys = self.columns[..self.keys].iter().enumerate();
        let keys = keys.map(|(index, (name, _))| format!("{} = ${}", quote(name), first + index + 1));
        keys.collect::<Vec<_>>().join(" AND ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(action: Action) -> Batch {
        Batch::new(action, "t", 1, &[("id", ColumnKind::Id), ("a", ColumnKind::Text), ("b", ColumnKind::Json)])
    }

    #[test]
    fn one_row() {
        let upsert = r#"INSERT INTO "t" ("id", "a", "b") VALUES ($1, $2, $3) ON CONFLICT ("id") DO UPDATE SET "a" = excluded."a", "b" = excluded."b""#;
        assert_eq!(batch(Action::Upsert).row_sql(), upsert);
        assert_eq!(batch(Action::Update).row_sql(), r#"UPDATE "t" SET "a" = $1, "b" = $2 WHERE "id" = $3"#);
        assert_eq!(batch(Action::Update).row_order(), [1, 2, 0]);
        assert_eq!(batch(Action::Delete).row_sql(), r#"DELETE FROM "t" WHERE "id" = $1"#);
    }

    #[test]
    fn many_rows() {
        let source = "UNNEST($3::uuid[], $4::text[], $5::text[]) AS v (c0, c1, c2)";
        let insert = format!(r#"INSERT INTO "t" ("id", "a", "b") SELECT v.c0, v.c1, v.c2::json FROM {source}"#);
        assert_eq!(batch(Action::Insert).array_sql(2), insert);
        let update = format!(r#"UPDATE "t" SET "a" = v.c1, "b" = v.c2::json FROM {source} WHERE "t"."id" = v.c0"#);
        assert_eq!(batch(Action::Update).array_sql(2), update);
        let delete = format!(r#"DELETE FROM "t" USING {source} WHERE "t"."id" = v.c0"#);
        assert_eq!(batch(Action::Delete).array_sql(2), delete);
    }
}
