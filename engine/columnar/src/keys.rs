//! What rows are grouped by: buckets and classes are searched in edges, and grouped columns become keys again.

use chrono::DateTime;
use formwork_model::Value;
use formwork_model::expr::Type;
use formwork_report::buckets::Buckets;
use formwork_report::number::power_of_ten;
use formwork_report::partial::DimensionKey;
use formwork_report::{Fault, scale};
use polars::prelude::{DataType, IntoSeries, NewChunkedArray, Series, UInt32Chunked};
use rust_decimal::Decimal;

use crate::column::{date_of_days, days_of_date, id_of_units, micros};
use crate::engine;
use crate::lower::Shape;

/// The name of the column of buckets.
pub(crate) const BUCKET: &str = "bucket";

/// How a key column is decoded.
pub(crate) enum KeyColumn {
    /// As its shape says.
    Plain(Shape),
    /// A class between edges.
    Class,
    /// A code into this dictionary.
    Code(Vec<DimensionKey>),
}

impl KeyColumn {
    /// The key in a row of the grouped column.
    pub(crate) fn decode(&self, column: &Series, row: usize, ty: &Type) -> Result<DimensionKey, Fault> {
        let shape = match self {
            KeyColumn::Code(dictionary) => {
                let code = column.u32().map_err(engine)?.get(row).unwrap_or(u32::MAX) as usize;
                return dictionary.get(code).cloned().ok_or_else(|| Fault::Engine("an unknown code".to_owned()));
            }
            KeyColumn::Class => {
                let class = column.u32().map_err(engine)?.get(row);
                return Ok(class.map_or(DimensionKey::Null, |class| DimensionKey::Class(class as usize)));
            }
            KeyColumn::Plain(shape) => *shape,
        };
        let found = match shape {
            Shape::Null => None,
            Shape::Boolean => column.bool().map_err(engine)?.get(row).map(DimensionKey::Boolean),
            Shape::Text => column.str().map_err(engine)?.get(row).map(|text| DimensionKey::Text(text.to_owned())),
            Shape::Date => column.i32().map_err(engine)?.get(row).and_then(date_of_days).map(DimensionKey::Date),
            Shape::Instant => {
                let at = column.i64().map_err(engine)?.get(row);
                at.and_then(DateTime::from_timestamp_micros).map(DimensionKey::DateTime)
            }
            Shape::Id => column.i128().map_err(engine)?.get(row).map(|units| DimensionKey::Id(id_of_units(units))),
            Shape::Number { places, .. } => {
                let units = column.i128().map_err(engine)?.get(row);
                units.map(|units| number_key(units, places, ty)).transpose()?
            }
        };
        Ok(found.unwrap_or(DimensionKey::Null))
    }
}

/// The bucket of each time: edges are searched, dates are not truncated.
pub(crate) fn bucket_column(times: &Series, shape: Shape, buckets: &Buckets) -> Result<Series, Fault> {
    let find = |edges: &[i64], at: i64| {
        let after = edges.partition_point(|edge| *edge <= at);
        (after > 0 && after < edges.len()).then(|| u32::try_from(after - 1).unwrap_or(u32::MAX))
    };
    let edges: Vec<i64> = match shape {
        Shape::Date => buckets.date_edges().iter().map(|edge| i64::from(days_of_date(*edge))).collect(),
        _ => buckets.edges().iter().map(|edge| micros(*edge)).collect(),
    };
    let times = times.cast(&DataType::Int64).map_err(engine)?;
    let found = times.i64().map_err(engine)?.iter().map(|at| at.and_then(|at| find(&edges, at)));
    Ok(UInt32Chunked::from_iter_options(BUCKET.into(), found).into_series())
}

/// The class of each number: how many edges are not above it.
pub(crate) fn class_column(numbers: &Series, places: u8, edges: &[Decimal], name: &str) -> Result<Series, Fault> {
    let most = edges.iter().map(|edge| u8::try_from(edge.scale()).unwrap_or(u8::MAX)).max().unwrap_or(0).max(places);
    let units = |edge: &Decimal| Ok(scale::units(&Value::Decimal(*edge), most)?.unwrap_or_default());
    let edges = edges.iter().map(units).collect::<Result<Vec<i128>, Fault>>()?;
    let power = power_of_ten(u32::from(most - places))?;
    let class = |number: i128| {
        let number = number.checked_mul(power).ok_or(Fault::Overflow)?;
        Ok(u32::try_from(edges.partition_point(|edge| *edge <= number)).unwrap_or(u32::MAX))
    };
    let numbers = numbers.i128().map_err(engine)?.iter();
    let classes = numbers.map(|number| number.map(class).transpose()).collect::<Result<Vec<_>, Fault>>()?;
    Ok(UInt32Chunked::from_iter_options(name.into(), classes.into_iter()).into_series())
}

fn number_key(units: i128, places: u8, ty: &Type) -> Result<DimensionKey, Fault> {
    match ty {
        Type::Integer => i64::try_from(units).map(DimensionKey::Integer).map_err(|_| Fault::Overflow),
        _ => Ok(DimensionKey::Decimal(scale::decimal(units, places).ok_or(Fault::Overflow)?.normalize())),
    }
}
