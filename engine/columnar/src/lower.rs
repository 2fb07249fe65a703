//! Expressions of the language as expressions of the engine, for what both mean exactly the same; everything else is left
//! to the core, row by row.
//!
//! The rules are those of reports.md §4: equality is null-safe, numbers are integers of 128 bits, nothing is divided or
//! rounded, text is never a pattern, and arithmetic is lowered only where the data at hand cannot overflow 62 bits.

use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{BinaryOp, FieldPath, Function, Root, UnaryOp};
use formwork_report::number::power_of_ten;
use formwork_report::rows::Rows;
use formwork_report::virtuals::definition;
use formwork_report::{Fault, scale};
use polars::prelude::{DataType, Expr, NULL, Scalar, col, lit, when};

use crate::column::{Held, days_of_date, id_units, micros};
use crate::working::{Found, Working};

/// Results of arithmetic need at most so many bits: far from every limit of the core and the engine.
const BITS_MAX: u32 = 62;
/// Aligned numbers that are only compared or chosen among need at most so many.
const ALIGNED_BITS_MAX: u32 = 120;

/// A lowered expression.
#[derive(Clone)]
pub(crate) struct Lowered {
    pub(crate) expr: Expr,
    pub(crate) shape: Shape,
}

/// What a lowered expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Always null.
    Null,
    /// True, false or null.
    Boolean,
    /// A 128-bit integer of `10^-places`, within that many bits.
    Number { places: u8, bits: u32, decimal: bool },
    /// Text.
    Text,
    /// Days.
    Date,
    /// Microseconds.
    Instant,
    /// A 128-bit id.
    Id,
}

/// Lowers a bound expression over the rows at hand; none where the engine cannot do it.
///
/// # Errors
/// [`Fault`] from gathering a column over a link.
pub(crate) fn lower(
    ir: &Ir,
    rows: &Rows,
    working: &mut Working,
    pack: &formwork_model::Pack,
) -> Result<Option<Lowered>, Fault> {
    Lowering { rows, working, pack }.lower(ir)
}

struct Lowering<'l, 'w> {
    rows: &'l Rows<'l>,
    working: &'l mut Working<'w>,
    pack: &'l formwork_model::Pack,
}

/// A lowered expression, or none.
type Maybe = Result<Option<Lowered>, Fault>;

impl Lowering<'_, '_> {
    fn lower(&mut self, ir: &Ir) -> Maybe {
        match ir {
            Ir::Literal(value) => Ok(literal(value)),
            Ir::Field(path) => self.field(path),
            Ir::Unary(op, operand) => {
                let Some(operand) = self.lower(operand)? else { return Ok(None) };
                Ok(unary(*op, operand))
            }
            Ir::Binary(op, left, right) => {
                let (Some(left), Some(right)) = (self.lower(left)?, self.lower(right)?) else { return Ok(None) };
                Ok(binary(*op, left, right))
            }
            Ir::In(item, members) => {
                let Some(item) = self.lower(item)? else { return Ok(None) };
                let Some(members) = self.all(members)? else { return Ok(None) };
                Ok(any_equal(&item, members))
            }
            Ir::InList(item, list) => {
                let Some(item) = self.lower(item)? else { return Ok(None) };
                match &**list {
                    Ir::Literal(Value::List(members)) => {
                        let members: Option<Vec<Lowered>> = members.iter().map(literal).collect();
                        Ok(members.and_then(|members| any_equal(&item, members)))
                    }
                    Ir::Literal(_) => Ok(Some(boolean(lit(false)))),
                    _ => Ok(None),
                }
            }
            Ir::Call(function, arguments) => {
                let Some(arguments) = self.all(arguments)? else { return Ok(None) };
                Ok(call(*function, arguments))
            }
            Ir::Name(_) | Ir::List(_) | Ir::Fold(..) => Ok(None),
        }
    }

    fn all(&mut self, items: &[Ir]) -> Result<Option<Vec<Lowered>>, Fault> {
        let mut lowered = Vec::with_capacity(items.len());
        for item in items {
            match self.lower(item)? {
                Some(item) => lowered.push(item),
                None => return Ok(None),
            }
        }
        Ok(Some(lowered))
    }

    fn field(&mut self, path: &FieldPath) -> Maybe {
        if path.root != Root::Frame(0) {
            return Ok(None);
        }
        if let Some(column) = self.working.column(path)? {
            return self.column(&column).map(Some);
        }
        // A computed field of the row itself is its expression; one behind a link is left to the core.
        match definition(self.pack, &path.field) {
            Some(defined) if path.hops.is_empty() && defined.table.table.is_none() => {
                let bound = self.rows.bound(&defined.ir)?;
                let computed = self.lower(&bound)?;
                Ok(computed.and_then(|computed| fitted(computed, &defined.ty)))
            }
            _ => Ok(None),
        }
    }

    fn column(&self, found: &Found) -> Result<Lowered, Fault> {
        let expr = col(found.name.as_str());
        Ok(match found.held {
            Held::Boolean => boolean(expr),
            Held::Number(places) => {
                let bits = self.working.bits(&found.name)?;
                let shape = Shape::Number { places, bits, decimal: found.decimal };
                Lowered { expr: expr.cast(DataType::Int128), shape }
            }
            Held::Text => Lowered { expr, shape: Shape::Text },
            Held::Date => Lowered { expr, shape: Shape::Date },
            Held::Instant => Lowered { expr, shape: Shape::Instant },
            Held::Id => Lowered { expr, shape: Shape::Id },
        })
    }
}

/// A constant.
fn literal(value: &Value) -> Option<Lowered> {
    let number = |units: i128, places: u8, decimal: bool| {
        let bits = u128::BITS - units.unsigned_abs().leading_zeros();
        Lowered { expr: typed_lit(units), shape: Shape::Number { places, bits, decimal } }
    };
    Some(match value {
        Value::Null => Lowered { expr: lit(NULL), shape: Shape::Null },
        Value::Boolean(flag) => boolean(lit(*flag)),
        Value::Integer(units) => number(i128::from(*units), 0, false),
        Value::Decimal(decimal) => {
            let decimal = decimal.normalize();
            number(decimal.mantissa(), u8::try_from(decimal.scale()).ok()?, true)
        }
        Value::Text(text) => Lowered { expr: lit(text.as_str()), shape: Shape::Text },
        Value::Date(date) => Lowered { expr: typed_lit(days_of_date(*date)), shape: Shape::Date },
        Value::DateTime(at) => Lowered { expr: typed_lit(micros(*at)), shape: Shape::Instant },
        Value::Id(id) => Lowered { expr: typed_lit(id_units(*id)), shape: Shape::Id },
        Value::Duration(_) | Value::List(_) | Value::Rows(_) => return None,
    })
}

fn boolean(expr: Expr) -> Lowered {
    Lowered { expr, shape: Shape::Boolean }
}

fn unary(op: UnaryOp, operand: Lowered) -> Option<Lowered> {
    match (op, operand.shape) {
        (_, Shape::Null) => Some(operand),
        (UnaryOp::Not, Shape::Boolean) => Some(boolean(operand.expr.not())),
        (UnaryOp::Negate, Shape::Number { bits, .. }) if bits <= BITS_MAX => {
            Some(Lowered { expr: typed_lit(0_i128) - operand.expr, shape: operand.shape })
        }
        _ => None,
    }
}

fn binary(op: BinaryOp, left: Lowered, right: Lowered) -> Option<Lowered> {
    use BinaryOp as B;
    match op {
        // The engine's `and` and `or` are three-valued.
        B::And => Some(boolean(condition(left)?.and(condition(right)?))),
        B::Or => Some(boolean(condition(left)?.or(condition(right)?))),
        B::Equal => equal(&left, &right).map(boolean),
        B::NotEqual => equal(&left, &right).map(|equal| boolean(equal.not())),
        B::Less | B::LessEqual | B::Greater | B::GreaterEqual => ordered(op, left, right),
        B::Add | B::Subtract | B::Multiply => arithmetic(op, left, right),
        B::Coalesce => {
            let [left, right] = unified([left, right])?;
            Some(Lowered { expr: when(left.expr.clone().is_null()).then(right.expr).otherwise(left.expr), ..right })
        }
        // Division and modulo are the core's: quotients have places, zero has rules.
        B::Divide | B::Modulo => None,
    }
}

fn condition(lowered: Lowered) -> Option<Expr> {
    match lowered.shape {
        Shape::Boolean => Some(lowered.expr),
        Shape::Null => Some(lit(NULL).cast(DataType::Boolean)),
        _ => None,
    }
}

/// Null-safe equality: true or false, never null.
fn equal(left: &Lowered, right: &Lowered) -> Option<Expr> {
    match (left.shape, right.shape) {
        (Shape::Null, Shape::Null) => Some(lit(true)),
        (Shape::Null, _) => Some(right.expr.clone().is_null()),
        (_, Shape::Null) => Some(left.expr.clone().is_null()),
        _ => {
            let [left, right] = unified([left.clone(), right.clone()])?;
            Some(left.expr.eq_missing(right.expr))
        }
    }
}

fn any_equal(item: &Lowered, members: Vec<Lowered>) -> Option<Lowered> {
    let mut found = lit(false);
    for member in members {
        found = found.or(equal(item, &member)?);
    }
    Some(boolean(found))
}

/// Order of numbers, text by code point, times; null on null.
fn ordered(op: BinaryOp, left: Lowered, right: Lowered) -> Option<Lowered> {
    let [left, right] = unified([left, right])?;
    match left.shape {
        Shape::Null => return Some(left),
        Shape::Boolean | Shape::Id => return None,
        _ => {}
    }
    Some(boolean(match op {
        BinaryOp::Less => left.expr.lt(right.expr),
        BinaryOp::LessEqual => left.expr.lt_eq(right.expr),
        BinaryOp::Greater => left.expr.gt(right.expr),
        _ => left.expr.gt_eq(right.expr),
    }))
}

fn arithmetic(op: BinaryOp, left: Lowered, right: Lowered) -> Option<Lowered> {
    let Shape::Number { .. } = left.shape else { return None };
    let Shape::Number { .. } = right.shape else { return None };
    if op == BinaryOp::Multiply {
        let (Shape::Number { places: p, bits: b, decimal: d }, Shape::Number { places: q, bits: c, decimal: e }) =
            (left.shape, right.shape)
        else {
            return None;
        };
        let shape = Shape::Number { places: p.checked_add(q)?, bits: b + c, decimal: d || e };
        return (b + c <= BITS_MAX).then(|| Lowered { expr: left.expr * right.expr, shape });
    }
    let [left, right] = unified([left, right])?;
    let Shape::Number { places, bits, decimal } = left.shape else { return None };
    let shape = Shape::Number { places, bits: bits + 1, decimal };
    let expr = if op == BinaryOp::Add { left.expr + right.expr } else { left.expr - right.expr };
    (bits < BITS_MAX).then_some(Lowered { expr, shape })
}

fn call(function: Function, arguments: Vec<Lowered>) -> Option<Lowered> {
    let of_text = |lowered: &Lowered| lowered.shape == Shape::Text;
    match (function, arguments.as_slice()) {
        (Function::When, _) => chosen(arguments),
        (Function::Coalesce, _) => {
            let mut items = unified_all(arguments)?.into_iter().rev();
            let last = items.next()?;
            let expr = items.fold(last.expr.clone(), |rest, item| {
                when(item.expr.clone().is_null()).then(rest).otherwise(item.expr)
            });
            Some(Lowered { expr, ..last })
        }
        (Function::Len, [text]) if of_text(text) => {
            let expr = text.expr.clone().str().len_chars().cast(DataType::Int128);
            Some(Lowered { expr, shape: Shape::Number { places: 0, bits: 32, decimal: false } })
        }
        (Function::StartsWith, [text, start]) if of_text(text) && of_text(start) => {
            Some(boolean(text.expr.clone().str().starts_with(start.expr.clone())))
        }
        (Function::EndsWith, [text, end]) if of_text(text) && of_text(end) => {
            Some(boolean(text.expr.clone().str().ends_with(end.expr.clone())))
        }
        (Function::Abs, [Lowered { expr, shape: shape @ Shape::Number { bits, .. } }]) if *bits <= BITS_MAX => {
            let negative = expr.clone().lt(typed_lit(0_i128));
            let expr = when(negative).then(typed_lit(0_i128) - expr.clone()).otherwise(expr.clone());
            Some(Lowered { expr, shape: *shape })
        }
        (Function::DaysBetween, [from, to]) if from.shape == Shape::Date && to.shape == Shape::Date => {
            let days = |lowered: &Lowered| lowered.expr.clone().cast(DataType::Int128);
            let shape = Shape::Number { places: 0, bits: 33, decimal: false };
            Some(Lowered { expr: days(to) - days(from), shape })
        }
        _ => None,
    }
}

/// `when(c1, v1, …, otherwise)`: a condition that is null counts as false.
fn chosen(arguments: Vec<Lowered>) -> Option<Lowered> {
    let count = arguments.len();
    let is_value = |index: usize| index % 2 == 1 || index + 1 == count;
    let (values, conditions): (Vec<_>, Vec<_>) =
        arguments.into_iter().enumerate().partition(|(index, _)| is_value(*index));
    let mut values = unified_all(values.into_iter().map(|(_, value)| value).collect())?;
    let otherwise = values.pop()?;
    let conditions: Option<Vec<Expr>> = conditions.into_iter().map(|(_, lowered)| condition(lowered)).collect();
    let pairs = conditions?.into_iter().zip(values).rev();
    let expr = pairs.fold(otherwise.expr.clone(), |rest, (condition, value)| {
        when(condition.fill_null(lit(false))).then(value.expr).otherwise(rest)
    });
    Some(Lowered { expr, ..otherwise })
}

fn unified<const N: usize>(items: [Lowered; N]) -> Option<[Lowered; N]> {
    unified_all(items.into()).and_then(|items| items.try_into().ok())
}

/// The same values in one shape: numbers with the same places, null in the type of the others.
fn unified_all(items: Vec<Lowered>) -> Option<Vec<Lowered>> {
    let mut shape = Shape::Null;
    for item in &items {
        shape = joined(shape, item.shape)?;
    }
    items.into_iter().map(|item| aligned(item, shape)).collect()
}

/// The shape that holds both.
fn joined(left: Shape, right: Shape) -> Option<Shape> {
    match (left, right) {
        (Shape::Null, other) | (other, Shape::Null) => Some(other),
        (Shape::Number { places: p, bits: b, decimal: d }, Shape::Number { places: q, bits: c, decimal: e }) => {
            let places = p.max(q);
            let bits = (b + bits_of_places(places - p)).max(c + bits_of_places(places - q));
            (bits <= ALIGNED_BITS_MAX).then_some(Shape::Number { places, bits, decimal: d || e })
        }
        (left, right) => (left == right).then_some(left),
    }
}

fn aligned(item: Lowered, shape: Shape) -> Option<Lowered> {
    let expr = match (item.shape, shape) {
        (Shape::Number { places: from, .. }, Shape::Number { places: to, .. }) if from < to => {
            item.expr * typed_lit(power_of_ten(u32::from(to - from)).ok()?)
        }
        (Shape::Null, Shape::Null) => item.expr,
        (Shape::Null, shape) => lit(NULL).cast(data_type(shape)),
        _ => item.expr,
    };
    Some(Lowered { expr, shape })
}

/// A computed value as its field would store it, where that rounds nothing.
fn fitted(computed: Lowered, ty: &formwork_model::expr::Type) -> Option<Lowered> {
    use formwork_model::expr::Type;
    let (Type::Decimal { .. } | Type::Money, Shape::Number { .. }) = (ty, computed.shape) else {
        return Some(computed);
    };
    let places = scale::places_of_type(ty);
    let target = joined(computed.shape, Shape::Number { places, bits: 0, decimal: true })?;
    match target {
        Shape::Number { places: found, bits, .. } if found == places && bits <= BITS_MAX => aligned(computed, target),
        _ => None,
    }
}

/// Bits that ten to that power adds at most.
fn bits_of_places(places: u8) -> u32 {
    // log2(10) is below 10/3.
    (u32::from(places) * 10).div_ceil(3)
}

/// A constant of exactly that type: a plain literal would take whatever type is near.
pub(crate) fn typed_lit(constant: impl Into<Scalar>) -> Expr {
    lit(constant.into())
}

/// The engine's type of a shape.
pub(crate) fn data_type(shape: Shape) -> DataType {
    match shape {
        Shape::Null | Shape::Boolean => DataType::Boolean,
        Shape::Number { .. } | Shape::Id => DataType::Int128,
        Shape::Text => DataType::String,
        Shape::Date => DataType::Int32,
        Shape::Instant => DataType::Int64,
    }
}
