//! Products, rests and rounding.

use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::Function;
use sea_query::Expr;

use super::functions::common_kind;
use super::numeric::{factor, kind_of, scale};
use super::{Lowered, Lowering, Operand, Sql, Unsupported};
use crate::dialect::{Bound, ColumnKind, Dialect};

impl Lowering<'_> {
    /// The checker has proven that it fits 64 bits as long as the fields keep their limits.
    pub(super) fn product(&mut self, left: Operand, right: Operand) -> Lowered<Operand> {
        let (Some(one), Some(other)) = (kind_of(&left), kind_of(&right)) else { return Err(no_number()) };
        let (Some(one_scale), Some(other_scale)) = (scale(one), scale(other)) else { return Err(no_number()) };
        let kind = match (one, other) {
            (ColumnKind::Integer, ColumnKind::Integer) => ColumnKind::Integer,
            _ => ColumnKind::Decimal(one_scale + other_scale),
        };
        let (left, right) = (self.of_kind(left, one)?, self.of_kind(right, other)?);
        let magnitude = left.magnitude.saturating_mul(right.magnitude);
        let nullable = left.nullable || right.nullable;
        let expr = self.template("(? * ?)", [left.expr, right.expr]);
        let unguarded = magnitude > i128::from(i64::MAX);
        Ok(Operand::Sql(Sql { expr, kind, nullable, magnitude, unguarded }))
    }

    /// The rest has the sign of the divisor; by zero null.
    pub(super) fn modulo(&mut self, left: Operand, right: Operand) -> Lowered<Operand> {
        let kind = common_kind(&[left.clone(), right.clone()])?.filter(|kind| scale(*kind).is_some());
        let kind = kind.ok_or_else(no_number)?;
        let (left, right) = (self.of_kind(left, kind)?, self.of_kind(right, kind)?);
        let (a, b) = (|| left.expr.clone(), || right.expr.clone());
        let rest = || self.template("(? % nullif(?, 0))", [a(), b()]);
        let expr = self.template(
            "(? + CASE WHEN ? <> 0 AND (? < 0) <> (? < 0) THEN ? ELSE 0 END)",
            [rest(), rest(), rest(), b(), b()],
        );
        Ok(Operand::Sql(Sql { expr, kind, nullable: true, magnitude: right.magnitude, unguarded: false }))
    }

    /// `round` half away from zero, `floor`, `ceil`.
    pub(super) fn rounded(&mut self, function: Function, number: &Ir, places: Option<&Ir>) -> Lowered<Operand> {
        let number = match self.operand(number)? {
            Operand::Sql(sql) if scale(sql.kind).is_some() => self.guarded(sql),
            Operand::Constant(Value::Null) => return Ok(Operand::Constant(Value::Null)),
            _ => return Err(no_number()),
        };
        let from = scale(number.kind).unwrap_or_default();
        let to = match places {
            Some(Ir::Literal(Value::Integer(places))) => u8::try_from(*places).unwrap_or(u8::MAX),
            _ => 0,
        };
        let kind = match function {
            Function::Round if number.kind == ColumnKind::Integer || to >= from => return Ok(Operand::Sql(number)),
            Function::Round => ColumnKind::Decimal(to),
            _ => ColumnKind::Integer,
        };
        let expr = match self.dialect {
            Dialect::Sqlite => self.rounded_units(function, number.expr, factor(from, to)?),
            Dialect::Postgres => match function {
                Function::Round => {
                    let places = Expr::cust(to.to_string());
                    self.template("round(CAST(? AS numeric), ?)", [number.expr, places])
                }
                Function::Floor => self.template("CAST(floor(CAST(? AS numeric)) AS bigint)", [number.expr]),
                _ => self.template("CAST(ceil(CAST(? AS numeric)) AS bigint)", [number.expr]),
            },
        };
        Ok(Operand::Sql(Sql { expr, kind, ..number }))
    }

    /// Without a sum that might overflow: the quotient, and one more where the rest says so.
    fn rounded_units(&self, function: Function, units: Expr, factor: i64) -> Expr {
        let bound = |number: i64| Expr::val(Bound::BigInt(Some(number)));
        let (a, f) = (|| units.clone(), || bound(factor));
        match function {
            Function::Round => {
                let half = || bound(factor / 2);
                self.template("(? / ? + (? % ? >= ?) - (? % ? <= -?))", [a(), f(), a(), f(), half(), a(), f(), half()])
            }
            Function::Floor => self.template("(? / ? - (? % ? < 0))", [a(), f(), a(), f()]),
            _ => self.template("(? / ? + (? % ? > 0))", [a(), f(), a(), f()]),
        }
    }

    /// `clamp(x, low, high)`: `low` wins where they cross.
    pub(super) fn clamp(&mut self, arguments: &[Ir]) -> Lowered<Operand> {
        let operands = arguments.iter().map(|argument| self.operand(argument)).collect::<Lowered<Vec<_>>>()?;
        let Some(kind) = common_kind(&operands)? else { return Ok(Operand::Constant(Value::Null)) };
        let parts = operands.into_iter().map(|operand| self.of_kind(operand, kind)).collect::<Lowered<Vec<_>>>()?;
        let nullable = parts.iter().any(|part| part.nullable);
        let magnitude = parts.iter().map(|part| part.magnitude).max().unwrap_or_default();
        let [x, low, high]: [Sql; 3] = parts.try_into().map_err(|_| no_number())?;
        let expr = match self.dialect {
            Dialect::Sqlite => self.template("max(?, min(?, ?))", [low.expr, x.expr, high.expr]),
            Dialect::Postgres => {
                let parts = [x.expr.clone(), low.expr.clone(), high.expr.clone(), low.expr, x.expr, high.expr];
                self.template(
                    "(CASE WHEN ? IS NOT NULL AND ? IS NOT NULL AND ? IS NOT NULL THEN GREATEST(?, LEAST(?, ?)) END)",
                    parts,
                )
            }
        };
        Ok(Operand::Sql(Sql { expr, kind, nullable, magnitude, unguarded: false }))
    }
}

fn no_number() -> Unsupported {
    Unsupported("arithmetic on what is no number".to_owned())
}
