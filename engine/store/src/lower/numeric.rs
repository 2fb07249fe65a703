//! Numbers: exact on both engines.
//!
//! SQLite holds decimals as units of their last place, and turns an integer that overflows into a float without a word.
//! So comparisons across scales never multiply, sums are guarded by the type of their result where their bounds do not
//! prove that they fit, and so are products.

use rust_decimal::Decimal;

use formwork_model::Value;
use formwork_model::expr::ir::BinaryOp;

use super::{Lowered, Lowering, Operand, Sql, Unsupported};
use crate::dialect::{Bound, ColumnKind, DECIMAL_UNITS_MAX, Dialect};
use sea_query::Expr;

/// Where a constant lies among the units of a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threshold {
    /// On this unit.
    At(i64),
    /// Between this unit and the next.
    Above(i64),
    /// Below this unit, which is the least there is.
    Below(i64),
}

/// The greatest magnitude 64 bits hold.
const UNITS_MAX: i128 = i64::MAX as i128;

impl Lowering<'_> {
    pub(super) fn arithmetic(&mut self, op: BinaryOp, left: Operand, right: Operand) -> Lowered<Operand> {
        if is_null(&left) || is_null(&right) {
            return Ok(Operand::Constant(Value::Null));
        }
        match op {
            BinaryOp::Add | BinaryOp::Subtract => {}
            BinaryOp::Multiply => return self.product(left, right),
            BinaryOp::Modulo => return self.modulo(left, right),
            _ => return Err(Unsupported(format!("`{op:?}` on fields"))),
        }
        let (left_kind, right_kind) = (kind_of(&left), kind_of(&right));
        match (left_kind, right_kind) {
            (Some(ColumnKind::Text), Some(ColumnKind::Text)) if op == BinaryOp::Add => {
                let (left, right) = (self.of_kind(left, ColumnKind::Text)?, self.of_kind(right, ColumnKind::Text)?);
                let nullable = left.nullable || right.nullable;
                let expr = self.template("(? || ?)", [left.expr, right.expr]);
                Ok(Operand::Sql(Sql { expr, kind: ColumnKind::Text, nullable, magnitude: 0, unguarded: false }))
            }
            (Some(left_kind), Some(right_kind)) => {
                let (Some(left_scale), Some(right_scale)) = (scale(left_kind), scale(right_kind)) else {
                    return Err(Unsupported(format!("`{op:?}` of {} and {}", left_kind.word(), right_kind.word())));
                };
                self.sum(op, left, right, left_scale.max(right_scale))
            }
            _ => Err(Unsupported(format!("`{op:?}` of these values"))),
        }
    }

    fn sum(&mut self, op: BinaryOp, left: Operand, right: Operand, scale: u8) -> Lowered<Operand> {
        let kind = match (kind_of(&left), kind_of(&right)) {
            (Some(ColumnKind::Integer), Some(ColumnKind::Integer)) => ColumnKind::Integer,
            _ => ColumnKind::Decimal(scale),
        };
        let (left, right) = (self.open(left, kind)?, self.open(right, kind)?);
        let magnitude = left.magnitude.saturating_add(right.magnitude);
        let unguarded = left.unguarded || right.unguarded || magnitude > UNITS_MAX;
        let nullable = left.nullable || right.nullable;
        let text = if op == BinaryOp::Add { "(? + ?)" } else { "(? - ?)" };
        let expr = self.template(text, [left.expr, right.expr]);
        Ok(Operand::Sql(Sql { expr, kind, nullable, magnitude, unguarded }))
    }

    pub(super) fn negate(&mut self, of: Operand) -> Lowered<Operand> {
        match of {
            Operand::Constant(Value::Null) => Ok(Operand::Constant(Value::Null)),
            Operand::Sql(sql) if scale(sql.kind).is_some() => {
                let unguarded = sql.unguarded || sql.magnitude >= UNITS_MAX;
                let expr = self.template("(- ?)", [sql.expr]);
                Ok(Operand::Sql(Sql { expr, unguarded, ..sql }))
            }
            _ => Err(Unsupported("`-` of this value".to_owned())),
        }
    }

    /// The operand for arithmetic: of that kind, not guarded yet.
    fn open(&self, operand: Operand, kind: ColumnKind) -> Lowered<Sql> {
        match operand {
            Operand::Sql(sql) if sql.kind == kind => Ok(sql),
            Operand::Sql(sql) => self.scaled(sql, kind),
            Operand::Constant(value) => self.constant(&value, kind),
        }
    }

    /// The number brought to the scale of another kind.
    pub(super) fn rescale(&self, sql: Sql, kind: ColumnKind) -> Lowered<Sql> {
        let scaled = self.scaled(sql, kind)?;
        Ok(self.guarded(scaled))
    }

    fn scaled(&self, sql: Sql, kind: ColumnKind) -> Lowered<Sql> {
        let (Some(from), Some(to)) = (scale(sql.kind), scale(kind)) else {
            return Err(Unsupported(format!("{} as {}", sql.kind.word(), kind.word())));
        };
        if from > to {
            return Err(Unsupported("rounding".to_owned()));
        }
        if from == to || self.dialect == Dialect::Postgres {
            return Ok(Sql { kind, ..sql });
        }
        let factor = factor(from, to)?;
        let magnitude = sql.magnitude.saturating_mul(i128::from(factor));
        let unguarded = sql.unguarded || magnitude > UNITS_MAX;
        let expr = self.template("(? * ?)", [sql.expr, Expr::val(Bound::BigInt(Some(factor)))]);
        Ok(Sql { expr, kind, nullable: sql.nullable, magnitude, unguarded })
    }

    /// SQLite: an overflow is an error, as it is everywhere else, and not a float. The second operand of `|` depends on
    /// the row, so that SQLite does not compute the error once and for all.
    pub(super) fn guarded(&self, sql: Sql) -> Sql {
        if !sql.unguarded || self.dialect == Dialect::Postgres {
            return Sql { unguarded: false, ..sql };
        }
        let expr = self.template(
            "(CASE WHEN typeof(?) = 'real' THEN abs(-9223372036854775808 | (typeof(?) <> 'real')) ELSE ? END)",
            [sql.expr.clone(), sql.expr.clone(), sql.expr],
        );
        Sql { expr, unguarded: false, magnitude: sql.magnitude.min(UNITS_MAX), ..sql }
    }
}

/// What a unit of the coarser scale is in units of the finer one.
pub(super) fn factor(one: u8, other: u8) -> Lowered<i64> {
    let places = u32::from(one.abs_diff(other));
    10_i64.checked_pow(places).ok_or_else(|| Unsupported(format!("a number with {places} places more than another")))
}

/// Where the number lies among units of that scale.
pub(super) fn threshold(number: Decimal, scale: u8) -> Threshold {
    let (mantissa, places) = (number.mantissa(), number.scale());
    let (units, rest) = if places <= u32::from(scale) {
        (mantissa.saturating_mul(10_i128.pow(u32::from(scale) - places)), 0)
    } else {
        let divisor = 10_i128.pow(places - u32::from(scale));
        (mantissa.div_euclid(divisor), mantissa.rem_euclid(divisor))
    };
    match i64::try_from(units) {
        Ok(units) if rest == 0 => Threshold::At(units),
        Ok(units) => Threshold::Above(units),
        Err(_) if units > 0 => Threshold::Above(i64::MAX),
        Err(_) => Threshold::Below(i64::MIN),
    }
}

/// A constant of that kind.
pub(super) fn bind(dialect: Dialect, number: Decimal, scale: u8, kind: ColumnKind) -> Lowered<Bound> {
    match (dialect, kind, threshold(number, scale)) {
        (Dialect::Postgres, ColumnKind::Decimal(_), _) => Ok(Bound::Decimal(Some(number))),
        (_, _, Threshold::At(units)) => Ok(Bound::BigInt(Some(units))),
        _ => Err(Unsupported(format!("the number {number} beside numbers of {scale} places"))),
    }
}

/// The number a constant is, if it is one.
pub(super) fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        _ => None,
    }
}

/// Places of a numeric kind; integers have none.
pub(super) fn scale(kind: ColumnKind) -> Option<u8> {
    match kind {
        ColumnKind::Integer => Some(0),
        ColumnKind::Decimal(scale) => Some(scale),
        _ => None,
    }
}

/// The kind a value or expression has by itself.
pub(super) fn kind_of(operand: &Operand) -> Option<ColumnKind> {
    match operand {
        Operand::Sql(sql) => Some(sql.kind),
        Operand::Constant(value) => match value {
            Value::Boolean(_) => Some(ColumnKind::Boolean),
            Value::Integer(_) => Some(ColumnKind::Integer),
            Value::Decimal(number) => Some(ColumnKind::Decimal(u8::try_from(number.normalize().scale()).unwrap_or(28))),
            Value::Text(_) => Some(ColumnKind::Text),
            Value::Date(_) => Some(ColumnKind::Date),
            Value::DateTime(_) => Some(ColumnKind::DateTime),
            Value::Id(_) => Some(ColumnKind::Id),
            Value::Null | Value::Duration(_) | Value::List(_) | Value::Rows(_) => None,
        },
    }
}

/// Magnitude of a constant in units of a kind.
pub(super) fn units_magnitude(value: &Value, kind: ColumnKind) -> i128 {
    match (number(value), scale(kind)) {
        (Some(number), Some(scale)) => match threshold(number, scale) {
            Threshold::At(units) | Threshold::Above(units) | Threshold::Below(units) => i128::from(units).abs() + 1,
        },
        _ => 0,
    }
}

/// Magnitude of a column without bounds.
pub(super) fn column_magnitude(kind: ColumnKind) -> i128 {
    match kind {
        ColumnKind::Decimal(_) => DECIMAL_UNITS_MAX,
        _ => UNITS_MAX + 1,
    }
}

fn is_null(operand: &Operand) -> bool {
    matches!(operand, Operand::Constant(Value::Null))
}
