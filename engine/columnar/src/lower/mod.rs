//! Expressions of the language as expressions of the engine, for what both mean exactly the same; everything else is left
//! to the core, row by row.
//!
//! The rules are those of reports.md §4: equality is null-safe, numbers are integers of 128 bits, text is never a pattern,
//! arithmetic is lowered only where the data at hand cannot overflow, and what the engine would divide, round or truncate
//! by rules of its own is computed by ours, value by value.

mod functions;
mod kernel;
mod numeric;
#[cfg(test)]
mod tests;

use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{BinaryOp, FieldPath, Root, UnaryOp};
use formwork_report::rows::Rows;
use formwork_report::virtuals::definition;
use formwork_report::{Fault, scale};
use polars::prelude::{DataType, Expr, NULL, Scalar, col, lit};

use crate::column::{Held, days_of_date, id_units, micros};
use crate::working::{Found, Working};

use numeric::{arithmetic, negated, places_shape};

/// A lowered expression.
#[derive(Clone)]
pub(crate) struct Lowered {
    pub(crate) expr: Expr,
    pub(crate) shape: Shape,
    /// The value of a constant: literal arguments say how to read the others.
    constant: Option<Value>,
}

impl Lowered {
    fn new(expr: Expr, shape: Shape) -> Self {
        Self { expr, shape, constant: None }
    }
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

/// Why an expression is left to the core.
#[derive(Debug)]
enum Left {
    /// The engine has nothing that means the same.
    Unknown,
    /// The numbers at hand are so large that the result might overflow.
    Wide,
    /// Reading a column failed.
    Fault(Fault),
}

impl From<Fault> for Left {
    fn from(fault: Fault) -> Self {
        Left::Fault(fault)
    }
}

type Maybe<T = Lowered> = Result<T, Left>;

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
    match (Lowering { rows, working, pack }).lower(ir) {
        Ok(lowered) => Ok(Some(lowered)),
        Err(Left::Unknown | Left::Wide) => Ok(None),
        Err(Left::Fault(fault)) => Err(fault),
    }
}

struct Lowering<'l, 'w> {
    rows: &'l Rows<'l>,
    working: &'l mut Working<'w>,
    pack: &'l formwork_model::Pack,
}

impl Lowering<'_, '_> {
    fn lower(&mut self, ir: &Ir) -> Maybe {
        match ir {
            Ir::Literal(value) => literal(value),
            Ir::Field(path) => self.field(path),
            Ir::Unary(op, operand) => unary(*op, self.lower(operand)?),
            Ir::Binary(op, left, right) => binary(*op, self.lower(left)?, self.lower(right)?),
            Ir::In(item, members) => {
                let item = self.lower(item)?;
                any_equal(&item, self.all(members)?)
            }
            Ir::InList(item, list) => {
                let item = self.lower(item)?;
                match &**list {
                    Ir::Literal(Value::List(members)) => {
                        any_equal(&item, members.iter().map(literal).collect::<Maybe<_>>()?)
                    }
                    Ir::Literal(_) => Ok(boolean(lit(false))),
                    _ => Err(Left::Unknown),
                }
            }
            Ir::Call(function, arguments) => {
                let arguments = self.all(arguments)?;
                functions::call(*function, arguments, *self.pack.timezone())
            }
            Ir::Name(_) | Ir::List(_) | Ir::Fold(..) => Err(Left::Unknown),
        }
    }

    fn all(&mut self, items: &[Ir]) -> Maybe<Vec<Lowered>> {
        items.iter().map(|item| self.lower(item)).collect()
    }

    fn field(&mut self, path: &FieldPath) -> Maybe {
        if path.root != Root::Frame(0) {
            return Err(Left::Unknown);
        }
        if let Some(column) = self.working.column(path)? {
            return Ok(self.column(&column)?);
        }
        // A computed field of the row itself is its expression; one behind a link is left to the core.
        match definition(self.pack, &path.field) {
            Some(defined) if path.hops.is_empty() && defined.table.table.is_none() => {
                let bound = self.rows.bound(&defined.ir)?;
                let computed = self.lower(&bound)?;
                fitted(computed, &defined.ty)
            }
            _ => Err(Left::Unknown),
        }
    }

    fn column(&self, found: &Found) -> Result<Lowered, Fault> {
        let expr = col(found.name.as_str());
        Ok(match found.held {
            Held::Boolean => boolean(expr),
            Held::Number(places) => {
                let bits = self.working.bits(&found.name)?;
                let shape = Shape::Number { places, bits, decimal: found.decimal };
                Lowered { expr: expr.cast(DataType::Int128), shape, constant: None }
            }
            Held::Text => Lowered::new(expr, Shape::Text),
            Held::Date => Lowered::new(expr, Shape::Date),
            Held::Instant => Lowered::new(expr, Shape::Instant),
            Held::Id => Lowered::new(expr, Shape::Id),
        })
    }
}

/// A constant.
fn literal(value: &Value) -> Maybe {
    let number = |units: i128, places: u8, decimal: bool| {
        let bits = u128::BITS - units.unsigned_abs().leading_zeros();
        (typed_lit(units), Shape::Number { places, bits, decimal })
    };
    let (expr, shape) = match value {
        Value::Null => (lit(NULL), Shape::Null),
        Value::Boolean(flag) => (lit(*flag), Shape::Boolean),
        Value::Integer(units) => number(i128::from(*units), 0, false),
        Value::Decimal(decimal) => {
            let decimal = decimal.normalize();
            number(decimal.mantissa(), u8::try_from(decimal.scale()).map_err(|_| Left::Unknown)?, true)
        }
        Value::Text(text) => (lit(text.as_str()), Shape::Text),
        Value::Date(date) => (typed_lit(days_of_date(*date)), Shape::Date),
        Value::DateTime(at) => (typed_lit(micros(*at)), Shape::Instant),
        Value::Id(id) => (typed_lit(id_units(*id)), Shape::Id),
        Value::Duration(_) | Value::List(_) | Value::Rows(_) => return Err(Left::Unknown),
    };
    Ok(Lowered { expr, shape, constant: Some(value.clone()) })
}

fn boolean(expr: Expr) -> Lowered {
    Lowered::new(expr, Shape::Boolean)
}

fn unary(op: UnaryOp, operand: Lowered) -> Maybe {
    match (op, operand.shape) {
        (_, Shape::Null) => Ok(operand),
        (UnaryOp::Not, Shape::Boolean) => Ok(boolean(operand.expr.not())),
        (UnaryOp::Negate, Shape::Number { .. }) => negated(operand),
        _ => Err(Left::Unknown),
    }
}

fn binary(op: BinaryOp, left: Lowered, right: Lowered) -> Maybe {
    use BinaryOp as B;
    match op {
        // The engine's `and` and `or` are three-valued.
        B::And => Ok(boolean(condition(left)?.and(condition(right)?))),
        B::Or => Ok(boolean(condition(left)?.or(condition(right)?))),
        B::Equal => equal(&left, &right).map(boolean),
        B::NotEqual => equal(&left, &right).map(|equal| boolean(equal.not())),
        B::Less | B::LessEqual | B::Greater | B::GreaterEqual => ordered(op, left, right),
        B::Coalesce => functions::coalesced(vec![left, right]),
        B::Add if left.shape == Shape::Text && right.shape == Shape::Text => {
            Ok(Lowered::new(left.expr + right.expr, Shape::Text))
        }
        B::Add | B::Subtract | B::Multiply | B::Divide | B::Modulo => match (left.shape, right.shape) {
            (Shape::Null, _) => Ok(left),
            (_, Shape::Null) => Ok(right),
            _ => arithmetic(op, left, right),
        },
    }
}

fn condition(lowered: Lowered) -> Maybe<Expr> {
    match lowered.shape {
        Shape::Boolean => Ok(lowered.expr),
        Shape::Null => Ok(lit(NULL).cast(DataType::Boolean)),
        _ => Err(Left::Unknown),
    }
}

/// Null-safe equality: true or false, never null.
fn equal(left: &Lowered, right: &Lowered) -> Maybe<Expr> {
    match (left.shape, right.shape) {
        (Shape::Null, Shape::Null) => Ok(lit(true)),
        (Shape::Null, _) => Ok(right.expr.clone().is_null()),
        (_, Shape::Null) => Ok(left.expr.clone().is_null()),
        _ => {
            let [left, right] = unified([left.clone(), right.clone()])?;
            Ok(left.expr.eq_missing(right.expr))
        }
    }
}

fn any_equal(item: &Lowered, members: Vec<Lowered>) -> Maybe {
    let mut found = lit(false);
    for member in members {
        found = found.or(equal(item, &member)?);
    }
    Ok(boolean(found))
}

/// Order of numbers, text by code point, times; null on null.
fn ordered(op: BinaryOp, left: Lowered, right: Lowered) -> Maybe {
    if left.shape == Shape::Null || right.shape == Shape::Null {
        return Ok(Lowered::new(lit(NULL), Shape::Null));
    }
    let [left, right] = unified([left, right])?;
    if matches!(left.shape, Shape::Boolean | Shape::Id) {
        return Err(Left::Unknown);
    }
    Ok(boolean(match op {
        BinaryOp::Less => left.expr.lt(right.expr),
        BinaryOp::LessEqual => left.expr.lt_eq(right.expr),
        BinaryOp::Greater => left.expr.gt(right.expr),
        _ => left.expr.gt_eq(right.expr),
    }))
}

fn unified<const N: usize>(items: [Lowered; N]) -> Maybe<[Lowered; N]> {
    unified_all(items.into())?.try_into().map_err(|_| Left::Unknown)
}

/// The same values in one shape: numbers with the same places, null in the type of the others.
fn unified_all(items: Vec<Lowered>) -> Maybe<Vec<Lowered>> {
    let mut shape = Shape::Null;
    for item in &items {
        shape = joined(shape, item.shape)?;
    }
    items.into_iter().map(|item| aligned(item, shape)).collect()
}

/// The shape that holds both.
fn joined(left: Shape, right: Shape) -> Maybe<Shape> {
    match (left, right) {
        (Shape::Null, other) | (other, Shape::Null) => Ok(other),
        (left @ Shape::Number { .. }, right @ Shape::Number { .. }) => numeric::joined(left, right),
        (left, right) if left == right => Ok(left),
        _ => Err(Left::Unknown),
    }
}

fn aligned(item: Lowered, shape: Shape) -> Maybe {
    let expr = match (item.shape, shape) {
        (Shape::Number { places: from, .. }, Shape::Number { places: to, .. }) if from < to => {
            item.expr * typed_lit(numeric::power(to - from)?)
        }
        (Shape::Null, Shape::Null) => item.expr,
        (Shape::Null, shape) => lit(NULL).cast(data_type(shape)),
        _ => item.expr,
    };
    Ok(Lowered { expr, shape, constant: item.constant })
}

/// A computed value as its field would store it, where that rounds nothing.
fn fitted(computed: Lowered, ty: &formwork_model::expr::Type) -> Maybe {
    use formwork_model::expr::Type;
    let (Type::Decimal { .. } | Type::Money, Shape::Number { .. }) = (ty, computed.shape) else {
        return Ok(computed);
    };
    let places = scale::places_of_type(ty);
    let target = joined(computed.shape, places_shape(places))?;
    match target {
        // What is stored has 64 bits.
        Shape::Number { places: found, bits, .. } if found == places && bits <= 62 => aligned(computed, target),
        _ => Err(Left::Unknown),
    }
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
