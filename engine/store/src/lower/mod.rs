//! Lowers checked expressions to SQL for both engines: the only place where an expression becomes SQL.
//!
//! Values are bound, never spliced. The result agrees with the evaluation in Rust to the last null: `==`, `!=` and `in`
//! are null-safe, everything else is three-valued, text compares by code point, numbers are exact. What cannot be said
//! that way in SQL is [`Unsupported`], never approximated.
//!
//! What reads no row (`now`, `user.queues`, `today - days(30)`) was computed before by [`formwork_core::eval::bind`]; here
//! it is a literal.

mod compare;
mod functions;
mod numeric;
mod rounding;
mod rows;
#[cfg(test)]
mod tests;
mod text;

use chrono::DateTime;
use formwork_core::Viewer;
use formwork_core::eval::{Environment, Nothing, bind};
use sea_query::{DynIden, Expr, IntoIden, SelectStatement};

use formwork_model::expr::Ir;
use formwork_model::expr::ir::{BinaryOp, Name, UnaryOp};
use formwork_model::{Pack, Value};

use crate::dialect::{Bound, ColumnKind, Dialect, Unfit};
use crate::layout::PackLayout;

/// What an expression holds that has no exact counterpart in SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not lower to SQL")]
pub struct Unsupported(pub String);

/// Lowers expressions over the tables of one pack.
pub(crate) struct Lowering<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) pack: &'a Pack,
    pub(crate) layout: &'a PackLayout,
    /// Aliases of the rows in scope, innermost first.
    frames: Vec<String>,
    aliases: u32,
}

/// A lowered node.
#[derive(Debug, Clone)]
enum Operand {
    /// Known now.
    Constant(Value),
    /// Known to the database.
    Sql(Sql),
}

/// An SQL expression and what is known of its result.
#[derive(Debug, Clone)]
struct Sql {
    expr: Expr,
    kind: ColumnKind,
    /// Whether it may be null.
    nullable: bool,
    /// Numbers: no value is greater, in units of the last place.
    magnitude: i128,
    /// SQLite: arithmetic that turns into a float where it overflows, not guarded yet.
    unguarded: bool,
}

type Lowered<T> = Result<T, Unsupported>;

/// The alias of the outermost row.
pub(crate) const ROOT: &str = "t0";

impl<'a> Lowering<'a> {
    /// Bound expressions over the records of one form; frame 0 is the alias [`ROOT`].
    pub(crate) fn new(dialect: Dialect, pack: &'a Pack, layout: &'a PackLayout) -> Self {
        Self { dialect, pack, layout, frames: vec![ROOT.to_owned()], aliases: 0 }
    }

    /// The expression as a condition: true for exactly the rows where it is true (null counts as false).
    pub(crate) fn condition(&mut self, ir: &Ir) -> Lowered<Expr> {
        match ir {
            Ir::Binary(BinaryOp::And, left, right) => {
                let parts = [self.condition(left)?, self.condition(right)?];
                Ok(self.template("(? AND ?)", parts))
            }
            Ir::Binary(BinaryOp::Or, left, right) => {
                let parts = [self.condition(left)?, self.condition(right)?];
                Ok(self.template("(? OR ?)", parts))
            }
            Ir::Literal(value) => Ok(truth(value.is_true())),
            _ => self.leaf_condition(ir),
        }
    }

    /// The expression as a value of that kind.
    pub(crate) fn value(&mut self, ir: &Ir, kind: ColumnKind) -> Lowered<Expr> {
        let operand = self.operand(ir)?;
        Ok(self.of_kind(operand, kind)?.expr)
    }

    fn leaf_condition(&mut self, ir: &Ir) -> Lowered<Expr> {
        match ir {
            Ir::Binary(op @ (BinaryOp::Equal | BinaryOp::NotEqual), left, right) => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                self.equal(*op == BinaryOp::Equal, left, right, true)
            }
            Ir::In(item, members) => {
                let members = members.iter().map(|member| self.operand(member)).collect::<Lowered<Vec<_>>>()?;
                let item = self.operand(item)?;
                self.member(item, members, true)
            }
            Ir::InList(item, list) => {
                let members = self.list(list)?;
                let item = self.operand(item)?;
                self.member(item, members, true)
            }
            _ => {
                let operand = self.operand(ir)?;
                Ok(self.of_kind(operand, ColumnKind::Boolean)?.expr)
            }
        }
    }

    /// The expression with its nulls: what stands below `not`, in arithmetic, in arguments.
    fn operand(&mut self, ir: &Ir) -> Lowered<Operand> {
        match ir {
            Ir::Literal(value) => Ok(Operand::Constant(value.clone())),
            Ir::Name(name) => Err(Unsupported(format!("`{name:?}`, which is bound before,"))),
            Ir::Field(path) => self.field(path),
            Ir::Unary(UnaryOp::Not, of) => {
                let of = self.operand(of)?;
                let of = self.of_kind(of, ColumnKind::Boolean)?;
                Ok(self.boolean("(NOT ?)", [of.expr], of.nullable))
            }
            Ir::Unary(UnaryOp::Negate, of) => {
                let of = self.operand(of)?;
                self.negate(of)
            }
            Ir::Binary(op, left, right) => self.binary(*op, left, right),
            Ir::In(item, members) => {
                let members = members.iter().map(|member| self.operand(member)).collect::<Lowered<Vec<_>>>()?;
                let item = self.operand(item)?;
                let expr = self.member(item, members, false)?;
                Ok(Operand::Sql(Sql::boolean(expr, false)))
            }
            Ir::InList(item, list) => {
                let members = self.list(list)?;
                let item = self.operand(item)?;
                let expr = self.member(item, members, false)?;
                Ok(Operand::Sql(Sql::boolean(expr, false)))
            }
            Ir::List(_) => Err(Unsupported("a list".to_owned())),
            Ir::Call(function, arguments) => self.call(*function, arguments),
            Ir::Fold(fold, rows, each) => self.rows(*fold, rows, each.as_deref()),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Ir, right: &Ir) -> Lowered<Operand> {
        let (left, right) = (self.operand(left)?, self.operand(right)?);
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let left = self.of_kind(left, ColumnKind::Boolean)?;
                let right = self.of_kind(right, ColumnKind::Boolean)?;
                let text = if op == BinaryOp::And { "(? AND ?)" } else { "(? OR ?)" };
                Ok(self.boolean(text, [left.expr, right.expr], left.nullable || right.nullable))
            }
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let expr = self.equal(op == BinaryOp::Equal, left, right, false)?;
                Ok(Operand::Sql(Sql::boolean(expr, false)))
            }
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                self.ordered(op, left, right)
            }
            BinaryOp::Coalesce => self.coalesce(vec![left, right]),
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => {
                self.arithmetic(op, left, right)
            }
        }
    }

    /// The members of a list that is known now.
    fn list(&mut self, ir: &Ir) -> Lowered<Vec<Operand>> {
        match ir {
            Ir::Literal(Value::List(members)) => Ok(members.iter().cloned().map(Operand::Constant).collect()),
            Ir::Literal(Value::Null) => Ok(Vec::new()),
            Ir::List(members) => members.iter().map(|member| self.operand(member)).collect(),
            _ => Err(Unsupported("membership in a stored list".to_owned())),
        }
    }

    /// The operand as SQL of that kind; decimals of another scale are brought to it.
    fn of_kind(&self, operand: Operand, kind: ColumnKind) -> Lowered<Sql> {
        match operand {
            Operand::Constant(value) => self.constant(&value, kind),
            Operand::Sql(sql) if sql.kind == kind => Ok(self.guarded(sql)),
            Operand::Sql(sql) => self.rescale(sql, kind),
        }
    }

    fn constant(&self, value: &Value, kind: ColumnKind) -> Lowered<Sql> {
        let magnitude = match value {
            Value::Null => 0,
            _ => numeric::units_magnitude(value, kind),
        };
        let expr = if kind == ColumnKind::Boolean && !value.is_null() {
            truth(value.is_true())
        } else {
            self.typed(Expr::val(self.bound(value, kind)?), kind)
        };
        Ok(Sql { expr, kind, nullable: value.is_null(), magnitude, unguarded: false })
    }

    /// A bound value whose type stands in the text, where PostgreSQL would have to guess it: the driver keeps prepared
    /// statements by their text, and the same text must not be asked with other types.
    fn typed(&self, value: Expr, kind: ColumnKind) -> Expr {
        if self.dialect == Dialect::Sqlite {
            return value;
        }
        let text = match kind {
            ColumnKind::Text => r#"CAST(? AS text) COLLATE "C""#,
            ColumnKind::Integer => "CAST(? AS bigint)",
            ColumnKind::Decimal(_) => "CAST(? AS numeric)",
            ColumnKind::Boolean => "CAST(? AS boolean)",
            ColumnKind::Date => "CAST(? AS date)",
            ColumnKind::DateTime => "CAST(? AS timestamptz)",
            ColumnKind::Id => "CAST(? AS uuid)",
            ColumnKind::Json => "CAST(? AS json)",
        };
        self.template(text, [value])
    }

    fn bound(&self, value: &Value, kind: ColumnKind) -> Lowered<Bound> {
        // Constants may be greater than what a column holds, as long as the engine counts that far.
        if let (Some(number), Some(scale)) = (numeric::number(value), numeric::scale(kind)) {
            return numeric::bind(self.dialect, number, scale, kind);
        }
        kind.bind(self.dialect, value).map_err(|unfit| {
            Unsupported(match unfit {
                Unfit::OutOfRange => "a number beyond the range of its column".to_owned(),
                Unfit::ControlCharacter => "text with U+0000".to_owned(),
                Unfit::WrongType => format!("`{value:?}` as {}", kind.word()),
            })
        })
    }

    // --- text of SQL -----------------------------------------------------------------------------------------------

    /// SQL text with `?` where the expressions go. The text is ours; it holds no name and no value of anybody else.
    fn template<const N: usize>(&self, text: &'static str, parts: [Expr; N]) -> Expr {
        template(self.dialect, text, parts.into())
    }

    fn boolean<const N: usize>(&self, text: &'static str, parts: [Expr; N], nullable: bool) -> Operand {
        Operand::Sql(Sql::boolean(self.template(text, parts), nullable))
    }

    /// A correlated scalar subquery, in parentheses.
    fn subquery(select: SelectStatement) -> Expr {
        Expr::SubQuery(None, Box::new(select.into()))
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    fn frame(&self, frame: u8) -> Lowered<&str> {
        self.frames
            .get(usize::from(frame))
            .map(String::as_str)
            .ok_or_else(|| Unsupported("a row that is not in scope".to_owned()))
    }
}

impl Sql {
    fn boolean(expr: Expr, nullable: bool) -> Self {
        Self { expr, kind: ColumnKind::Boolean, nullable, magnitude: 1, unguarded: false }
    }
}

/// The expression with its settings and constants computed: what holds on any day and for anybody. None where it reads
/// the time, the user or anything else outside the record.
pub(crate) fn timeless(pack: &Pack, ir: &Ir) -> Option<Ir> {
    let mut outside = false;
    ir.walk(&mut |node| outside |= matches!(node, Ir::Name(name) if !matches!(name, Name::Setting(_))));
    let (nobody, never) = (Viewer::system("en"), DateTime::UNIX_EPOCH);
    let environment = Environment::new(never, *pack.timezone(), &nobody, pack, &Nothing);
    if outside { None } else { bind(ir, &environment).ok() }
}

/// `"alias"."column"`.
pub(crate) fn column(alias: &str, name: &str) -> Expr {
    Expr::col((identifier(alias), identifier(name)))
}

/// A quoted name.
pub(crate) fn identifier(name: &str) -> DynIden {
    sea_query::Alias::new(name).into_iden()
}

/// `TRUE` or `FALSE`.
pub(crate) fn truth(truth: bool) -> Expr {
    Expr::cust(if truth { "TRUE" } else { "FALSE" })
}

/// SQL text with `?` where the expressions go.
pub(crate) fn template(dialect: Dialect, text: &'static str, parts: Vec<Expr>) -> Expr {
    match dialect {
        Dialect::Sqlite => Expr::cust_with_exprs(text, parts),
        Dialect::Postgres => {
            let mut numbered = String::with_capacity(text.len() + 8);
            let mut number = 0;
            for character in text.chars() {
                if character == '?' {
                    number += 1;
                    numbered.push_str(&format!("${number}"));
                } else {
                    numbered.push(character);
                }
            }
            Expr::cust_with_exprs(numbered, parts)
        }
    }
}
