//! How large a number can become: arithmetic runs in a database only where it is proven that nothing overflows there.
//!
//! SQLite counts in 64 bits, decimals in units of their last place, and turns an integer that overflows into a float
//! without a word. One row that overflows would spoil every list it might be in.

use rust_decimal::Decimal;

use super::ir::{BinaryOp, Fold, Function, Ir, Name, Slot};
use super::scope::Shapes;
use super::types::Type;
use super::walk::scale;
use crate::value::Value;

/// Largest magnitude of a stored decimal, in units of its last place.
pub const DECIMAL_UNITS_MAX: i128 = 1_000_000_000_000_000_000;

/// What is taken of a number that is known only when the expression runs and reads no row: a setting.
const FREE_MAX: i128 = 1_000_000_000_000;
/// More rows than a fold ever counts.
const ROWS_MAX: i128 = 1 << 40;
/// More versions than a record ever has.
const VERSIONS_MAX: i128 = 1 << 40;
/// More code points than a text has, and more days than the calendar.
const LENGTH_MAX: i128 = 1 << 31;

/// The greatest magnitude of a number, in units of its last place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The magnitude.
    pub units: i128,
    /// Places after the point.
    pub places: u8,
}

impl Bound {
    /// The same number in units of a place further behind; nothing where that leaves 64 bits.
    fn at(self, places: u8) -> Option<i128> {
        let more = u32::from(places.checked_sub(self.places)?);
        fits(self.units.checked_mul(10_i128.checked_pow(more)?)?)
    }
}

/// The bound of a field with these limits: what it may hold is known only where both are given.
pub fn of_limits(min: Option<Decimal>, max: Option<Decimal>, places: u8) -> Option<i128> {
    let units = |limit: Decimal| {
        let limit = limit.normalize();
        let more = u32::from(places).checked_sub(limit.scale())?;
        limit.mantissa().checked_abs()?.checked_mul(10_i128.checked_pow(more)?)
    };
    Some(units(min?)?.max(units(max?)?))
}

/// How large the value of the part can become; nothing where nothing bounds it or some part of it may leave 64 bits.
pub(crate) fn bound(ir: &Ir, shapes: &Shapes) -> Option<Bound> {
    let of = |ir: &Ir| bound(ir, shapes);
    let whole = |units| Some(Bound { units, places: 0 });
    match ir {
        Ir::Literal(Value::Integer(number)) => whole(fits(i128::from(*number).abs())?),
        Ir::Literal(Value::Decimal(number)) => {
            let number = number.normalize();
            Some(Bound { units: fits(number.mantissa().abs())?, places: u8::try_from(number.scale()).ok()? })
        }
        Ir::Literal(_) => whole(0),
        Ir::Field(path) => {
            if path.field.slot == Slot::Version {
                return whole(VERSIONS_MAX);
            }
            let field = shapes.tables.get(&path.field.table)?.fields.get(&path.field.key)?;
            let unlimited = matches!(path.ty, Type::Decimal { .. } | Type::Money).then_some(DECIMAL_UNITS_MAX);
            Some(Bound { units: field.bound.or(unlimited)?, places: scale(&path.ty) })
        }
        Ir::Name(Name::Setting(key)) => {
            Some(Bound { units: FREE_MAX, places: shapes.settings.get(key).map_or(0, scale) })
        }
        Ir::Name(_) => whole(FREE_MAX),
        Ir::Unary(_, a) => of(a),
        Ir::Binary(BinaryOp::Coalesce, a, b) => largest(&[of(a)?, of(b)?]),
        Ir::Binary(op, a, b) => arithmetic(*op, of(a)?, of(b)?),
        Ir::Call(Function::When, parts) => {
            let values = parts.iter().skip(1).step_by(2).chain(parts.last());
            largest(&values.map(of).collect::<Option<Vec<_>>>()?)
        }
        Ir::Call(Function::Coalesce | Function::Least | Function::Greatest | Function::Clamp, parts) => {
            largest(&parts.iter().map(of).collect::<Option<Vec<_>>>()?)
        }
        Ir::Call(Function::Len | Function::DaysBetween, _) => whole(LENGTH_MAX),
        Ir::Call(Function::Abs | Function::Round, parts) => of(parts.first()?),
        Ir::Call(Function::Floor | Function::Ceil, parts) => {
            let of = of(parts.first()?)?;
            whole(of.units / 10_i128.pow(u32::from(of.places)) + 1)
        }
        Ir::Call(..) if ir.is_row_free() => whole(FREE_MAX),
        Ir::Fold(Fold::Count, ..) => whole(ROWS_MAX),
        Ir::Fold(Fold::Min | Fold::Max, _, Some(each)) => of(each),
        // The database says so itself where a sum leaves 64 bits.
        Ir::Fold(Fold::Sum, _, Some(each)) => Some(Bound { units: DECIMAL_UNITS_MAX, places: scale(&each.ty()) }),
        _ => None,
    }
}

/// Whether one of several values can be chosen in the database: those with fewer places than others are brought to theirs.
/// Nothing where the part is no choice.
pub(crate) fn aligns(ir: &Ir, shapes: &Shapes) -> Option<bool> {
    let values: Vec<&Ir> = match ir {
        Ir::Binary(BinaryOp::Coalesce, a, b) => vec![a, b],
        Ir::Call(Function::When, parts) => parts.iter().skip(1).step_by(2).chain(parts.last()).collect(),
        Ir::Call(Function::Coalesce | Function::Least | Function::Greatest | Function::Clamp, parts) => {
            parts.iter().collect()
        }
        _ => return None,
    };
    let places = |ir: &Ir| match ir {
        Ir::Literal(Value::Decimal(number)) => u8::try_from(number.normalize().scale()).unwrap_or(u8::MAX),
        other => scale(&other.ty()),
    };
    let most = values.iter().map(|value| places(value)).max().unwrap_or(0);
    let fits = |value: &&Ir| match value {
        Ir::Literal(_) => bound(value, shapes).is_some_and(|bound| bound.at(most).is_some()),
        value => places(value) == most || bound(value, shapes).is_some_and(|bound| bound.at(most).is_some()),
    };
    Some(values.iter().all(fits))
}

fn arithmetic(op: BinaryOp, a: Bound, b: Bound) -> Option<Bound> {
    if op == BinaryOp::Multiply {
        return Some(Bound { units: fits(a.units.checked_mul(b.units)?)?, places: a.places.checked_add(b.places)? });
    }
    let places = a.places.max(b.places);
    let (a, b) = (a.at(places)?, b.at(places)?);
    match op {
        BinaryOp::Add | BinaryOp::Subtract => Some(Bound { units: fits(a + b)?, places }),
        BinaryOp::Modulo => Some(Bound { units: b, places }),
        _ => None,
    }
}

/// The bound of a number that is one of these.
fn largest(bounds: &[Bound]) -> Option<Bound> {
    let places = bounds.iter().map(|bound| bound.places).max()?;
    let units = bounds.iter().map(|bound| bound.at(places)).collect::<Option<Vec<_>>>()?.into_iter().max()?;
    Some(Bound { units, places })
}

fn fits(units: i128) -> Option<i128> {
    (units <= i128::from(i64::MAX)).then_some(units)
}
