//! Comparison and membership.

use sea_query::Expr;

use formwork_model::Value;
use formwork_model::expr::ir::BinaryOp;

use super::numeric::{Threshold, factor, kind_of, number, scale, threshold};
use super::{Lowered, Lowering, Operand, Sql, Unsupported, truth};
use crate::dialect::{Bound, ColumnKind, Dialect};

impl Lowering<'_> {
    /// Null-safe equality: never null. In a `filter`, where null counts as false, the plain operator is used wherever it
    /// says the same, because indexes know only that one.
    pub(super) fn equal(&mut self, equal: bool, left: Operand, right: Operand, filter: bool) -> Lowered<Expr> {
        match (left, right) {
            (Operand::Constant(left), Operand::Constant(right)) => {
                let same = match (number(&left), number(&right)) {
                    (Some(left), Some(right)) => left == right,
                    _ => left == right,
                };
                Ok(truth(same == equal))
            }
            (Operand::Sql(sql), Operand::Constant(value)) | (Operand::Constant(value), Operand::Sql(sql)) => {
                self.equal_constant(equal, sql, &value, filter)
            }
            (Operand::Sql(left), Operand::Sql(right)) => self.equal_columns(equal, left, right, filter),
        }
    }

    fn equal_constant(&mut self, equal: bool, sql: Sql, value: &Value, filter: bool) -> Lowered<Expr> {
        if value.is_null() {
            return Ok(self.template(if equal { "(? IS NULL)" } else { "(? IS NOT NULL)" }, [sql.expr]));
        }
        let Some(constant) = self.same_unit(&sql, value)? else { return Ok(truth(!equal)) };
        let plain = !sql.nullable || (filter && equal);
        let sql = self.guarded(sql);
        Ok(self.template(self.equality(equal, plain), [sql.expr, constant]))
    }

    /// The constant as bound beside the column; none where no value of the column equals it.
    fn same_unit(&self, sql: &Sql, value: &Value) -> Lowered<Option<Expr>> {
        match (number(value), scale(sql.kind)) {
            (Some(number), Some(_)) if self.dialect == Dialect::Postgres && sql.kind != ColumnKind::Integer => {
                Ok(Some(Expr::val(Bound::Decimal(Some(number)))))
            }
            (Some(number), Some(scale)) => Ok(match threshold(number, scale) {
                Threshold::At(units) => Some(Expr::val(Bound::BigInt(Some(units)))),
                Threshold::Above(_) | Threshold::Below(_) => None,
            }),
            _ => Ok(Some(self.beside(value, sql.kind)?)),
        }
    }

    /// A constant beside a column, which says its type.
    fn beside(&self, value: &Value, kind: ColumnKind) -> Lowered<Expr> {
        match kind {
            ColumnKind::Boolean => Ok(self.constant(value, kind)?.expr),
            _ => Ok(Expr::val(self.bound(value, kind)?)),
        }
    }

    fn equal_columns(&mut self, equal: bool, left: Sql, right: Sql, filter: bool) -> Lowered<Expr> {
        let (left, right) = (self.guarded(left), self.guarded(right));
        let plain = (!left.nullable && !right.nullable) || (filter && equal && !(left.nullable && right.nullable));
        match (scale(left.kind), scale(right.kind)) {
            (Some(left_scale), Some(right_scale)) if left_scale != right_scale && self.dialect == Dialect::Sqlite => {
                let (coarse, fine) = if left_scale < right_scale { (left, right) } else { (right, left) };
                let factor = factor(left_scale, right_scale)?;
                let factor = || Expr::val(Bound::BigInt(Some(factor)));
                let parts = [fine.expr.clone(), factor(), coarse.expr, fine.expr, factor()];
                Ok(if equal {
                    self.template("(((? / ?) IS ?) AND coalesce(? % ?, 0) = 0)", parts)
                } else {
                    self.template("(NOT (((? / ?) IS ?) AND coalesce(? % ?, 0) = 0))", parts)
                })
            }
            (None, None) if left.kind != right.kind => {
                Err(Unsupported(format!("comparing {} with {}", left.kind.word(), right.kind.word())))
            }
            _ => Ok(self.template(self.equality(equal, plain), [left.expr, right.expr])),
        }
    }

    fn equality(&self, equal: bool, plain: bool) -> &'static str {
        match (equal, plain, self.dialect) {
            (true, true, _) => "(? = ?)",
            (false, true, _) => "(? <> ?)",
            (true, false, Dialect::Sqlite) => "(? IS ?)",
            (false, false, Dialect::Sqlite) => "(? IS NOT ?)",
            (true, false, Dialect::Postgres) => "(? IS NOT DISTINCT FROM ?)",
            (false, false, Dialect::Postgres) => "(? IS DISTINCT FROM ?)",
        }
    }

    /// `< <= > >=`: null on null.
    pub(super) fn ordered(&mut self, op: BinaryOp, left: Operand, right: Operand) -> Lowered<Operand> {
        match (left, right) {
            (Operand::Constant(Value::Null), _) | (_, Operand::Constant(Value::Null)) => {
                Ok(Operand::Constant(Value::Null))
            }
            (Operand::Constant(left), Operand::Constant(right)) => {
                let kind = kind_of(&Operand::Constant(left.clone()));
                let kind = kind.ok_or_else(|| Unsupported(format!("comparing `{left:?}`")))?;
                let left = self.constant(&left, kind)?;
                self.ordered(op, Operand::Sql(left), Operand::Constant(right))
            }
            (Operand::Constant(value), Operand::Sql(sql)) => self.ordered_constant(mirror(op), sql, &value),
            (Operand::Sql(sql), Operand::Constant(value)) => self.ordered_constant(op, sql, &value),
            (Operand::Sql(left), Operand::Sql(right)) => self.ordered_columns(op, left, right),
        }
    }

    fn ordered_constant(&mut self, op: BinaryOp, sql: Sql, value: &Value) -> Lowered<Operand> {
        let (op, constant) = match (number(value), scale(sql.kind)) {
            (Some(number), Some(scale)) if self.dialect == Dialect::Sqlite || sql.kind == ColumnKind::Integer => {
                let (op, units) = beside(op, threshold(number, scale));
                (op, Expr::val(Bound::BigInt(Some(units))))
            }
            (Some(number), Some(_)) => (op, Expr::val(Bound::Decimal(Some(number)))),
            _ => (op, self.beside(value, sql.kind)?),
        };
        let sql = self.guarded(sql);
        Ok(self.boolean(operator(op), [sql.expr, constant], sql.nullable))
    }

    fn ordered_columns(&mut self, op: BinaryOp, left: Sql, right: Sql) -> Lowered<Operand> {
        let (left, right) = (self.guarded(left), self.guarded(right));
        let nullable = left.nullable || right.nullable;
        match (scale(left.kind), scale(right.kind)) {
            (Some(left_scale), Some(right_scale)) if left_scale < right_scale && self.dialect == Dialect::Sqlite => {
                let factor = factor(left_scale, right_scale)?;
                Ok(self.coarse_with_fine(op, left, right, factor, nullable))
            }
            (Some(left_scale), Some(right_scale)) if left_scale > right_scale && self.dialect == Dialect::Sqlite => {
                let factor = factor(left_scale, right_scale)?;
                Ok(self.coarse_with_fine(mirror(op), right, left, factor, nullable))
            }
            (None, None) if left.kind != right.kind => {
                Err(Unsupported(format!("comparing {} with {}", left.kind.word(), right.kind.word())))
            }
            _ => Ok(self.boolean(operator(op), [left.expr, right.expr], nullable)),
        }
    }

    /// `coarse * factor op fine` without the product: `≤` and `>` against the floor of the quotient, `<` and `≥` against
    /// its ceiling.
    fn coarse_with_fine(&self, op: BinaryOp, coarse: Sql, fine: Sql, factor: i64, nullable: bool) -> Operand {
        let factor = || Expr::val(Bound::BigInt(Some(factor)));
        let text = match op {
            BinaryOp::LessEqual => "(? <= (? / ?) - ((? % ?) < 0))",
            BinaryOp::Greater => "(? > (? / ?) - ((? % ?) < 0))",
            BinaryOp::Less => "(? < (? / ?) + ((? % ?) > 0))",
            _ => "(? >= (? / ?) + ((? % ?) > 0))",
        };
        let parts = [coarse.expr, fine.expr.clone(), factor(), fine.expr, factor()];
        self.boolean(text, parts, nullable)
    }

    /// Null-safe membership: never null.
    pub(super) fn member(&mut self, item: Operand, members: Vec<Operand>, filter: bool) -> Lowered<Expr> {
        let Operand::Sql(sql) = item else {
            let parts = members.into_iter().map(|member| self.equal(true, item.clone(), member, filter));
            let parts = parts.collect::<Lowered<Vec<_>>>()?;
            return Ok(self.any(parts));
        };
        let sql = self.guarded(sql);
        let (mut constants, mut parts) = (Vec::new(), Vec::new());
        for member in members {
            match member {
                Operand::Constant(value) if !value.is_null() => constants.extend(self.same_unit(&sql, &value)?),
                member => parts.push(self.equal(true, Operand::Sql(sql.clone()), member, filter)?),
            }
        }
        if !constants.is_empty() {
            let list = self.comma_list(constants);
            let text = if filter || !sql.nullable { "(? IN (?))" } else { "coalesce(? IN (?), FALSE)" };
            parts.insert(0, self.template(text, [sql.expr, list]));
        }
        Ok(self.any(parts))
    }

    fn any(&self, parts: Vec<Expr>) -> Expr {
        parts.into_iter().reduce(|left, right| self.template("(? OR ?)", [left, right])).unwrap_or_else(|| truth(false))
    }

    pub(super) fn comma_list(&self, parts: Vec<Expr>) -> Expr {
        let joined = parts.into_iter().reduce(|left, right| self.template("?, ?", [left, right]));
        joined.unwrap_or_else(|| Expr::cust("NULL"))
    }
}

/// The comparison against whole units that says the same as the one against the constant.
fn beside(op: BinaryOp, threshold: Threshold) -> (BinaryOp, i64) {
    let upward = matches!(op, BinaryOp::Greater | BinaryOp::GreaterEqual);
    match threshold {
        Threshold::At(units) => (op, units),
        Threshold::Above(units) => (if upward { BinaryOp::Greater } else { BinaryOp::LessEqual }, units),
        Threshold::Below(units) => (if upward { BinaryOp::GreaterEqual } else { BinaryOp::Less }, units),
    }
}

fn mirror(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

pub(super) fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Less => "(? < ?)",
        BinaryOp::LessEqual => "(? <= ?)",
        BinaryOp::Greater => "(? > ?)",
        _ => "(? >= ?)",
    }
}
