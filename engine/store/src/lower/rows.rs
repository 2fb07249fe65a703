//! Fields, links followed, and functions over rows: columns and correlated subqueries.

use sea_query::{Expr, Query};

use formwork_model::expr::Ir;
use formwork_model::expr::ir::{FieldPath, FieldRef, Fold, Root, Rows, Slot};
use formwork_model::{Key, Value};

use super::numeric::column_magnitude;
use super::{Lowered, Lowering, Operand, Sql, Unsupported, column, identifier, truth};
use crate::dialect::{ColumnKind, Dialect};
use crate::layout::FormLayout;

/// The values of the rows, before they are aggregated.
const VALUES: &str = "v";
/// Their column.
const VALUE: &str = "x";

/// What is selected of the rows.
enum Selected {
    /// This.
    Plain(Expr),
    /// A value of each row, and the aggregate of the values.
    Aggregate(Expr, Expr),
}

impl Lowering<'_> {
    pub(super) fn field(&mut self, path: &FieldPath) -> Lowered<Operand> {
        let Root::Frame(frame) = path.root else {
            return Err(Unsupported(format!("`old.{}`", path.field.key)));
        };
        let alias = self.frame(frame)?.to_owned();
        self.reach(&alias, &path.hops, &path.field).map(Operand::Sql)
    }

    /// The field of the row with that alias, over the links still to follow.
    fn reach(&mut self, alias: &str, hops: &[FieldRef], field: &FieldRef) -> Lowered<Sql> {
        let Some((hop, rest)) = hops.split_first() else { return self.own(alias, field) };
        let link = self.own(alias, hop)?;
        let next = rest.first().unwrap_or(field);
        let table = self.form_layout(&next.table.form)?.table.clone();
        let inner = self.alias();
        let value = self.reach(&inner, rest, field)?;
        let found = self.template("(? = ?)", [column(&inner, "id"), link.expr]);
        let select = Query::select()
            .expr(value.expr)
            .from_as(identifier(&table), identifier(&inner))
            .and_where(found)
            .to_owned();
        Ok(Sql { expr: Self::subquery(select), nullable: true, ..value })
    }

    /// A column of the row with that alias.
    fn own(&self, alias: &str, field: &FieldRef) -> Lowered<Sql> {
        let (name, kind, nullable) = match field.slot {
            Slot::Id => ("id", ColumnKind::Id, false),
            Slot::Version => ("version", ColumnKind::Integer, false),
            Slot::CreatedAt => ("created_at", ColumnKind::DateTime, false),
            Slot::CreatedBy => ("created_by", ColumnKind::Id, true),
            Slot::UpdatedAt => ("updated_at", ColumnKind::DateTime, false),
            Slot::UpdatedBy => ("updated_by", ColumnKind::Id, true),
            Slot::Field(position) => {
                let layout = self.form_layout(&field.table.form)?;
                let stored = match &field.table.table {
                    None => layout.column(position),
                    Some(child) => {
                        let at = self.pack.form(&field.table.form).field(child).map(|(at, _)| at);
                        at.and_then(|at| layout.child(at)).and_then(|child| child.column(position))
                    }
                };
                let stored = stored.ok_or_else(|| Unsupported(format!("`{}`, which is not stored,", field.key)))?;
                (stored.name.as_str(), stored.kind, true)
            }
        };
        let magnitude = self.limit(field).unwrap_or_else(|| column_magnitude(kind));
        Ok(Sql { expr: column(alias, name), kind, nullable, magnitude, unguarded: false })
    }

    /// The greatest magnitude that the limits of the field allow.
    fn limit(&self, field: &FieldRef) -> Option<i128> {
        let Slot::Field(position) = field.slot else { return None };
        let form = self.pack.form(&field.table.form);
        match &field.table.table {
            None => form.fields.get(position)?.bound(),
            Some(child) => form.field(child)?.1.kind.rows().get(position)?.bound(),
        }
    }

    pub(super) fn rows(&mut self, fold: Fold, rows: &Rows, each: Option<&Ir>) -> Lowered<Operand> {
        let alias = self.alias();
        let (table, belongs) = self.source(rows, &alias)?;
        self.frames.insert(0, alias.clone());
        let folded = self.fold(fold, each);
        self.frames.remove(0);
        let (result, filter, mut sql) = folded?;
        let mut select = Query::select();
        select.from_as(identifier(&table), identifier(&alias)).and_where(belongs);
        if let Some(filter) = filter {
            select.and_where(filter);
        }
        match result {
            Selected::Plain(expr) => select.expr(expr),
            // An aggregate of nothing but columns of an outer row would belong to the outer query: the value is selected
            // first, row by row, and aggregated then.
            Selected::Aggregate(value, aggregate) => {
                select.expr_as(value, identifier(VALUE));
                let values = std::mem::replace(&mut select, Query::select());
                select.expr(aggregate).from_subquery(values, identifier(VALUES))
            }
        };
        sql.expr = match fold {
            Fold::Any => self.template("(EXISTS ?)", [Expr::SubQuery(None, Box::new(select.into()))]),
            Fold::All => self.template("(NOT EXISTS ?)", [Expr::SubQuery(None, Box::new(select.into()))]),
            _ => Self::subquery(select),
        };
        Ok(Operand::Sql(sql))
    }

    /// What is selected, which rows, and what is known of the result.
    fn fold(&mut self, fold: Fold, each: Option<&Ir>) -> Lowered<(Selected, Option<Expr>, Sql)> {
        let count =
            |expr: Expr| Sql { expr, kind: ColumnKind::Integer, nullable: false, magnitude: 1 << 62, unguarded: false };
        let one = || Expr::cust("1");
        match (fold, each) {
            (Fold::Count, each) => {
                let filter = each.map(|each| self.condition(each)).transpose()?;
                Ok((Selected::Plain(Expr::cust("count(*)")), filter, count(one())))
            }
            (Fold::Any, each) => {
                let filter = each.map(|each| self.condition(each)).transpose()?;
                Ok((Selected::Plain(one()), filter, Sql::boolean(one(), false)))
            }
            (Fold::All, Some(each)) => {
                let each = self.condition(each)?;
                let broken = self.template("(? IS NOT TRUE)", [each]);
                Ok((Selected::Plain(one()), Some(broken), Sql::boolean(one(), false)))
            }
            (Fold::All, None) => Ok((Selected::Plain(one()), Some(truth(false)), Sql::boolean(one(), false))),
            (Fold::Sum | Fold::Min | Fold::Max, Some(each)) => self.aggregate(fold, each),
            _ => Err(Unsupported(format!("`{fold:?}` of rows"))),
        }
    }

    fn aggregate(&mut self, fold: Fold, each: &Ir) -> Lowered<(Selected, Option<Expr>, Sql)> {
        let sql = match self.operand(each)? {
            Operand::Sql(sql) => self.guarded(sql),
            Operand::Constant(value) => {
                let kind = super::numeric::kind_of(&Operand::Constant(value.clone()));
                self.constant(&value, kind.unwrap_or(ColumnKind::Integer))?
            }
        };
        let kind = sql.kind;
        let value = column(VALUES, VALUE);
        let expr = match (fold, self.dialect) {
            (Fold::Sum, _) => {
                let nothing = self.constant(&Value::Integer(0), kind)?.expr;
                // SQLite's sum of integers is an error on overflow, as it should be.
                self.template("coalesce(sum(?), ?)", [value, nothing])
            }
            (Fold::Min, _) => self.template("min(?)", [value]),
            _ => self.template("max(?)", [value]),
        };
        // PostgreSQL widens sums of integers; the result is bounded by 64 bits like everywhere else.
        let expr = match (fold, kind, self.dialect) {
            (Fold::Sum, ColumnKind::Integer, Dialect::Postgres) => self.template("CAST(? AS bigint)", [expr]),
            _ => expr,
        };
        let result = Sql {
            expr: Expr::cust("NULL"),
            kind,
            nullable: fold != Fold::Sum,
            magnitude: column_magnitude(ColumnKind::Integer),
            unguarded: false,
        };
        Ok((Selected::Aggregate(sql.expr, expr), None, result))
    }

    /// The table of the rows, and the condition that ties them to the record.
    fn source(&self, rows: &Rows, alias: &str) -> Lowered<(String, Expr)> {
        match rows {
            Rows::Table { frame, field } => {
                let record = self.frame(*frame)?.to_owned();
                let Slot::Field(position) = field.slot else { return Err(not_rows(&field.key)) };
                let child = self.form_layout(&field.table.form)?.child(position).ok_or_else(|| not_rows(&field.key))?;
                let belongs = self.template("(? = ?)", [column(alias, "record"), column(&record, "id")]);
                Ok((child.table.clone(), belongs))
            }
            Rows::Backlink { frame, link } => {
                let record = self.frame(*frame)?.to_owned();
                let table = self.form_layout(&link.table.form)?.table.clone();
                let link_column = self.own(alias, link)?.expr;
                let belongs = self.template("(? = ?)", [link_column, column(&record, "id")]);
                Ok((table, belongs))
            }
            Rows::Found { id, .. } => Err(Unsupported(format!("a look-up into `{}`", id.table.form))),
            Rows::Filtered(..) | Rows::Taken(..) => Err(Unsupported("a choice of rows".to_owned())),
        }
    }

    fn form_layout(&self, form: &str) -> Lowered<&FormLayout> {
        let layout = self.layout.forms.get(form);
        layout.map(|layout| &**layout).ok_or_else(|| Unsupported(format!("the form `{form}`, which is not deployed,")))
    }
}

fn not_rows(field: &Key) -> Unsupported {
    Unsupported(format!("`{field}`, which holds no rows,"))
}
