//! A page of records: the predicate lowered, keyset paging, and a count that stops at its limit.

use std::sync::Arc;

use sea_query::{Expr, NullOrdering, Order, PostgresQueryBuilder, Query as Sql, SelectStatement, SqliteQueryBuilder};
use uuid::Uuid;

use formwork_core::read::{Cursor, Query, Search};
use formwork_core::{FieldError, Rejection, RejectionKind};
use formwork_model::expr::Ir;
use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::SortKey;
use formwork_model::{Key, Pack, Value};

use super::records::{COUNT, RecordLoad, Target};
use super::{Context, Load};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id};
use crate::layout::{Column, FormLayout, PackLayout};
use crate::lower::{Lowering, ROOT, Unsupported, column, identifier, template, timeless, truth};
use crate::statement::Select;
use crate::{Failure, Fault};

/// Counts are exact up to here.
pub(super) const COUNT_MAX: u64 = 10_000;

/// Loads a page.
pub(super) fn load(context: &Context, query: &Arc<Query>) -> Result<Load, Failure> {
    let layout = context.layout.form(query.form())?.clone();
    let lowered = Lowering::new(context.dialect, &context.pack, &context.layout).condition(query.predicate());
    let mut condition = lowered.map_err(|unsupported| refusal(&unsupported))?;
    if let Some(search) = query.search() {
        let found = searched(context.dialect, &layout, search);
        condition = template(context.dialect, "(? AND ?)", vec![condition, found]);
    }
    let mut page = from(&layout);
    page.expr(Expr::cust(layout.selection.clone())).and_where(condition.clone());
    let order = PageOrder::new(context.dialect, &layout, query.sort())?;
    if let Some(cursor) = query.after() {
        page.and_where(order.after(cursor)?);
    }
    order.apply(&mut page);
    page.limit(u64::from(query.limit()) + 1);
    let main = select(context.dialect, page, layout.kinds.clone());
    let count = query.count().then(|| {
        let mut counted = from(&layout);
        counted.expr(Expr::cust("1")).and_where(condition).limit(COUNT_MAX + 1);
        let mut count = Sql::select();
        count.expr(Expr::cust("count(*)")).from_subquery(counted, identifier("counted"));
        select(context.dialect, count, COUNT)
    });
    Ok(RecordLoad::of(context.dialect, layout, main, Target::Page { query: query.clone(), count }))
}

/// The ids of the records for which the bound expression is true, in id order after `after`.
pub(crate) fn ids(
    dialect: Dialect,
    pack: &Pack,
    layout: &PackLayout,
    form: &Key,
    filter: Option<&Ir>,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Select, Fault> {
    let table = layout.form(form)?;
    let mut ids = from(table);
    ids.expr(column(ROOT, "id"));
    if let Some(filter) = filter {
        ids.and_where(condition(dialect, pack, layout, form, filter)?);
    }
    if let Some(after) = after {
        let parts = vec![column(ROOT, "id"), Expr::val(bind_id(dialect, after))];
        ids.and_where(template(dialect, "(? > ?)", parts));
    }
    ids.order_by_expr(column(ROOT, "id"), Order::Asc).limit(u64::from(limit));
    Ok(select(dialect, ids, [ColumnKind::Id]))
}

/// The id of the record that holds exactly these values and for which the unique's filter is true.
pub(super) fn unique(
    context: &Context,
    form: &Key,
    fields: &[usize],
    values: &[Value],
    unique: Option<&Key>,
) -> Result<Select, Fault> {
    let layout = context.layout.form(form)?;
    let mut ids = from(layout);
    ids.expr(column(ROOT, "id")).limit(1);
    for (&position, value) in fields.iter().zip(values) {
        let stored = layout.column(position);
        let stored = stored.ok_or_else(|| Fault::new(format!("a unique of `{form}` has a field without column")))?;
        // A value that no column holds equals nothing.
        let same = match stored.kind.bind(context.dialect, value) {
            Ok(value) => template(context.dialect, "(? = ?)", vec![column(ROOT, &stored.name), Expr::val(value)]),
            Err(_) => truth(false),
        };
        ids.and_where(same);
    }
    let filter = unique.and_then(|key| context.pack.form(form).uniques.get(key)).and_then(|of| of.filter.as_ref());
    if let Some(filter) = filter {
        let filter = timeless(&context.pack, &filter.ir);
        let filter = filter.ok_or_else(|| Fault::new(format!("a unique of `{form}` reads more than the row")))?;
        ids.and_where(condition(context.dialect, &context.pack, &context.layout, form, &filter)?);
    }
    Ok(select(context.dialect, ids, [ColumnKind::Id]))
}

/// The column of a slot.
pub(crate) fn column_of(layout: &FormLayout, slot: Slot) -> Option<&str> {
    Some(match slot {
        Slot::Field(position) => &layout.column(position)?.name,
        Slot::Id => "id",
        Slot::Version => "version",
        Slot::CreatedAt => "created_at",
        Slot::CreatedBy => "created_by",
        Slot::UpdatedAt => "updated_at",
        Slot::UpdatedBy => "updated_by",
    })
}

/// A condition of the pack's own: the checker let nothing through that does not lower, so anything else is a defect.
fn condition(dialect: Dialect, pack: &Pack, layout: &PackLayout, form: &Key, ir: &Ir) -> Result<Expr, Fault> {
    let lowered = Lowering::new(dialect, pack, layout).condition(ir);
    lowered.map_err(|unsupported| Fault::of(format!("lowering a condition over `{form}`"), unsupported))
}

/// What the caller is told whose own filter cannot run, for instance for a number with too many places.
fn refusal(unsupported: &Unsupported) -> Failure {
    let mut rejection = Rejection::new(RejectionKind::Invalid, "filter", "the filter cannot run in the database");
    rejection.errors.push(FieldError {
        code: "filter".to_owned(),
        pointer: "/filter".to_owned(),
        message: unsupported.to_string(),
        hint: None,
    });
    Failure::Rejected(Box::new(rejection))
}

/// Some of the fields contains the text, whether its Latin letters are large or small. Both engines fold A to Z here and
/// nothing else: SQLite always, PostgreSQL in the collation `C`.
fn searched(dialect: Dialect, layout: &FormLayout, search: &Search) -> Expr {
    let contains = match dialect {
        Dialect::Sqlite => "(instr(lower(?), ?) > 0)",
        Dialect::Postgres => "(strpos(lower(? COLLATE \"C\"), ?) > 0)",
    };
    let columns = search.fields.iter().filter_map(|position| layout.column(*position));
    let one = |stored: &Column| {
        let text = Expr::val(Bound::String(Some(search.text.clone())));
        template(dialect, contains, vec![column(ROOT, &stored.name), text])
    };
    columns.map(one).reduce(|a, b| template(dialect, "(? OR ?)", vec![a, b])).unwrap_or_else(|| truth(false))
}

pub(super) fn from(layout: &FormLayout) -> SelectStatement {
    Sql::select().from_as(identifier(&layout.table), identifier(ROOT)).to_owned()
}

/// The statement as text and values.
pub(super) fn select(dialect: Dialect, statement: SelectStatement, kinds: impl Into<Arc<[ColumnKind]>>) -> Select {
    let (sql, values) = match dialect {
        Dialect::Sqlite => statement.build(SqliteQueryBuilder),
        Dialect::Postgres => statement.build(PostgresQueryBuilder),
    };
    Select::new(sql, values.0, kinds)
}

/// The order of a page: the sort keys with nulls last, then the id.
struct PageOrder {
    dialect: Dialect,
    keys: Vec<Ordered>,
}

struct Ordered {
    column: Expr,
    kind: ColumnKind,
    nullable: bool,
    descending: bool,
}

impl PageOrder {
    fn new(dialect: Dialect, layout: &FormLayout, sort: &[SortKey]) -> Result<Self, Fault> {
        let keys = sort.iter().map(|key| {
            let name = column_of(layout, key.slot);
            let name = name.ok_or_else(|| Fault::new(format!("`{}` has no column to sort by", key.key)))?;
            let (kind, nullable) = match key.slot {
                Slot::Field(position) => (layout.column(position).map_or(ColumnKind::Text, |column| column.kind), true),
                Slot::Id => (ColumnKind::Id, false),
                Slot::Version => (ColumnKind::Integer, false),
                Slot::CreatedAt | Slot::UpdatedAt => (ColumnKind::DateTime, false),
                Slot::CreatedBy | Slot::UpdatedBy => (ColumnKind::Id, true),
            };
            Ok(Ordered { column: column(ROOT, name), kind, nullable, descending: key.descending })
        });
        Ok(Self { dialect, keys: keys.collect::<Result<_, Fault>>()? })
    }

    fn apply(&self, page: &mut SelectStatement) {
        for key in &self.keys {
            let order = if key.descending { Order::Desc } else { Order::Asc };
            if key.nullable {
                page.order_by_expr_with_nulls(key.column.clone(), order, NullOrdering::Last);
            } else {
                page.order_by_expr(key.column.clone(), order);
            }
        }
        page.order_by_expr(column(ROOT, "id"), Order::Asc);
    }

    /// The rows behind the cursor: those behind it in the first key, or equal there and behind it in the next, and so
    /// on. The first key bounds the whole, so that an index on it can start there.
    fn after(&self, cursor: &Cursor) -> Result<Expr, Failure> {
        let last =
            template(self.dialect, "(? > ?)", vec![column(ROOT, "id"), Expr::val(bind_id(self.dialect, cursor.id))]);
        let mut behind = last;
        for (key, value) in self.keys.iter().zip(&cursor.values).rev() {
            let (beyond, same) = (self.beyond(key, value)?, self.same(key, value)?);
            let deeper = template(self.dialect, "(? AND ?)", vec![same, behind]);
            behind = match beyond {
                Some(beyond) => template(self.dialect, "(? OR ?)", vec![beyond, deeper]),
                None => deeper,
            };
        }
        let bound = match (self.keys.first(), cursor.values.first()) {
            (Some(key), Some(value)) if !key.nullable => Some(self.from(key, value)?),
            _ => None,
        };
        Ok(match bound {
            Some(bound) => template(self.dialect, "(? AND ?)", vec![bound, behind]),
            None => behind,
        })
    }

    /// Strictly behind; nothing is behind null.
    fn beyond(&self, key: &Ordered, value: &Value) -> Result<Option<Expr>, Failure> {
        if value.is_null() {
            return Ok(None);
        }
        let bound = Expr::val(self.bind(key, value)?);
        let text = match (key.descending, key.nullable) {
            (false, false) => "(? > ?)",
            (true, false) => "(? < ?)",
            (false, true) => "(? > ? OR ? IS NULL)",
            (true, true) => "(? < ? OR ? IS NULL)",
        };
        let mut parts = vec![key.column.clone(), bound];
        if key.nullable {
            parts.push(key.column.clone());
        }
        Ok(Some(template(self.dialect, text, parts)))
    }

    fn same(&self, key: &Ordered, value: &Value) -> Result<Expr, Failure> {
        if value.is_null() {
            return Ok(template(self.dialect, "(? IS NULL)", vec![key.column.clone()]));
        }
        let bound = Expr::val(self.bind(key, value)?);
        Ok(template(self.dialect, "(? = ?)", vec![key.column.clone(), bound]))
    }

    fn from(&self, key: &Ordered, value: &Value) -> Result<Expr, Failure> {
        let bound = Expr::val(self.bind(key, value)?);
        let text = if key.descending { "(? <= ?)" } else { "(? >= ?)" };
        Ok(template(self.dialect, text, vec![key.column.clone(), bound]))
    }

    /// The cursor came from outside: what does not fit its column is the caller's.
    fn bind(&self, key: &Ordered, value: &Value) -> Result<Bound, Failure> {
        key.kind.bind(self.dialect, value).map_err(|_| {
            let rejection = Rejection::new(RejectionKind::Malformed, "FW1002", "this is no page of this list");
            Failure::Rejected(Box::new(rejection))
        })
    }
}
