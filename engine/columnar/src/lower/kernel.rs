//! What is computed value by value on columns, by rules of ours; null where an argument is null.

use polars::prelude::{
    BooleanChunked, Column, DataType, Expr, Field, Int32Chunked, Int64Chunked, Int128Chunked, IntoSeries,
    NewChunkedArray, PolarsResult, Schema, StringChunked, map_multiple,
};

/// A function of numbers.
pub(super) fn numbers<const N: usize>(
    arguments: [Expr; N],
    each: impl Fn([i128; N]) -> Option<i128> + Send + Sync + 'static,
) -> Expr {
    let kernel = move |columns: &mut [Column]| {
        let held =
            columns.iter().map(|column| column.as_materialized_series().i128()).collect::<PolarsResult<Vec<_>>>()?;
        let value = |row: usize| {
            let mut values = [0; N];
            for (value, column) in values.iter_mut().zip(&held) {
                *value = column.get(place(column.len(), row))?;
            }
            each(values)
        };
        let found = Int128Chunked::from_iter_options(name(columns), (0..height(columns)).map(value));
        Ok(found.into_series().into())
    };
    map_multiple(kernel, arguments.map(|argument| argument.cast(DataType::Int128)), typed(DataType::Int128))
}

/// The least or greatest number that is not null.
pub(super) fn extreme_number(arguments: Vec<Expr>, least: bool) -> Expr {
    let kernel = move |columns: &mut [Column]| {
        let held =
            columns.iter().map(|column| column.as_materialized_series().i128()).collect::<PolarsResult<Vec<_>>>()?;
        let value = |row: usize| {
            let values = held.iter().filter_map(|column| column.get(place(column.len(), row)));
            if least { values.min() } else { values.max() }
        };
        let found = Int128Chunked::from_iter_options(name(columns), (0..height(columns)).map(value));
        Ok(found.into_series().into())
    };
    let arguments: Vec<Expr> = arguments.into_iter().map(|argument| argument.cast(DataType::Int128)).collect();
    map_multiple(kernel, arguments, typed(DataType::Int128))
}

/// The least or greatest text that is not null, by code point.
pub(super) fn extreme_text(arguments: Vec<Expr>, least: bool) -> Expr {
    let kernel = move |columns: &mut [Column]| {
        let held =
            columns.iter().map(|column| column.as_materialized_series().str()).collect::<PolarsResult<Vec<_>>>()?;
        let value = |row: usize| {
            let values = held.iter().filter_map(|column| column.get(place(column.len(), row)));
            if least { values.min() } else { values.max() }
        };
        let found = StringChunked::from_iter_options(name(columns), (0..height(columns)).map(value));
        Ok(found.into_series().into())
    };
    map_multiple(kernel, arguments, typed(DataType::String))
}

/// Whether the part occurs in the text, letter by letter.
pub(super) fn contains(text: Expr, part: Expr) -> Expr {
    let kernel = |columns: &mut [Column]| {
        let text = columns[0].as_materialized_series().str()?;
        let part = columns[1].as_materialized_series().str()?;
        let value = |row: usize| Some(text.get(place(text.len(), row))?.contains(part.get(place(part.len(), row))?));
        let found = BooleanChunked::from_iter_options(name(columns), (0..height(columns)).map(value));
        Ok(found.into_series().into())
    };
    map_multiple(kernel, [text, part], typed(DataType::Boolean))
}

/// A function of dates, in days since 1970.
pub(super) fn dates(of: Expr, each: impl Fn(i32) -> Option<i32> + Send + Sync + 'static) -> Expr {
    let kernel = move |columns: &mut [Column]| {
        let days = columns[0].as_materialized_series().i32()?;
        let found = Int32Chunked::from_iter_options(name(columns), days.iter().map(|days| each(days?)));
        Ok(found.into_series().into())
    };
    map_multiple(kernel, [of], typed(DataType::Int32))
}

/// A function of instants, in microseconds since 1970.
pub(super) fn instants(of: Expr, each: impl Fn(i64) -> Option<i64> + Send + Sync + 'static) -> Expr {
    let kernel = move |columns: &mut [Column]| {
        let at = columns[0].as_materialized_series().i64()?;
        let found = Int64Chunked::from_iter_options(name(columns), at.iter().map(|at| each(at?)));
        Ok(found.into_series().into())
    };
    map_multiple(kernel, [of], typed(DataType::Int64))
}

fn typed(ty: DataType) -> impl Fn(&Schema, &[Field]) -> PolarsResult<Field> + Send + Sync + 'static {
    move |_, fields| Ok(Field::new(fields[0].name().clone(), ty.clone()))
}

/// A constant is a column of one value.
fn place(length: usize, row: usize) -> usize {
    if length == 1 { 0 } else { row }
}

fn height(columns: &[Column]) -> usize {
    let shortest = columns.iter().map(Column::len).filter(|length| *length != 1).min();
    shortest.unwrap_or(1)
}

fn name(columns: &[Column]) -> polars::prelude::PlSmallStr {
    columns[0].name().clone()
}
