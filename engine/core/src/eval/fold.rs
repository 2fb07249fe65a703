//! List functions: over the rows of a child table, over the records that link here, or over those a look-up finds.

use std::borrow::Cow;

use formwork_model::Value;
use formwork_model::expr::Type;
use formwork_model::expr::ir::{BinaryOp, Fold, Ir, Rows};
use rust_decimal::Decimal;

use super::EvalError;
use super::number::{Number, arithmetic};
use super::rows::RowView;
use super::run::{Evaluator, Found, Frame, compare, owned, truth};

impl<'a> Evaluator<'a> {
    pub(super) fn fold(
        &self,
        fold: Fold,
        rows: &'a Rows,
        each: Option<&'a Ir>,
        frame: Option<&Frame<'_, 'a>>,
    ) -> Found<'a> {
        let rows = match rows {
            Rows::Found { id, condition } => self.found(fold, id, condition, frame)?,
            rows => self.rows(rows, frame)?,
        };
        owned(self.each(fold, each, rows, frame)?.finish(fold, each)?)
    }

    /// The rows, in their order.
    fn rows(&self, rows: &'a Rows, frame: Option<&Frame<'_, 'a>>) -> Result<Vec<RowView<'a>>, EvalError> {
        match rows {
            Rows::Table { frame: index, field } => match self.row(frame, *index)?.get(field.slot) {
                Some(Cow::Borrowed(value)) => Ok(value.rows().iter().map(RowView::from).collect()),
                _ => Err(EvalError::Defect(format!("the row has no `{}`", field.key))),
            },
            Rows::Backlink { frame: index, link } => {
                let records = self.environment.records.backlink(link, self.row(frame, *index)?.id());
                let records = records.map_err(|missing| EvalError::Missing(vec![missing]))?;
                Ok(records.iter().map(|record| RowView::from(&**record)).collect())
            }
            Rows::Found { id, condition } => self.found(Fold::List, id, condition, frame),
            Rows::Filtered(rows, condition) => {
                let rows = self.rows(rows, frame)?;
                let held = self.in_each(condition, &rows, frame)?;
                Ok(rows.into_iter().zip(held).filter(|(_, held)| held.is_true()).map(|(row, _)| row).collect())
            }
            Rows::Taken(rows, count, order) => {
                let rows = self.rows(rows, frame)?;
                let keys = self.in_each(order, &rows, frame)?;
                let mut keyed: Vec<_> = keys.into_iter().zip(rows).collect();
                let mut unfit = None;
                keyed.sort_by(|(a, _), (b, _)| match (a.is_null(), b.is_null()) {
                    (false, false) => compare(a, b).unwrap_or_else(|error| {
                        unfit = Some(error);
                        std::cmp::Ordering::Equal
                    }),
                    (a, b) => a.cmp(&b),
                });
                keyed.truncate(*count as usize);
                unfit.map_or(Ok(keyed.into_iter().map(|(_, row)| row).collect()), Err)
            }
        }
    }

    /// The value of an expression in each of the rows. Records that are missing are gathered over all rows, to be loaded
    /// at once.
    fn in_each(
        &self,
        each: &'a Ir,
        rows: &[RowView<'a>],
        outer: Option<&Frame<'_, 'a>>,
    ) -> Result<Vec<Cow<'a, Value>>, EvalError> {
        let mut values = Vec::with_capacity(rows.len());
        let mut missing = Vec::new();
        for row in rows {
            match self.value(each, Some(&Frame { row: *row, outer })) {
                Ok(value) => values.push(value),
                Err(EvalError::Missing(more)) => missing.extend(more),
                Err(error) => return Err(error),
            }
        }
        if missing.is_empty() { Ok(values) } else { Err(EvalError::Missing(missing)) }
    }

    /// Takes the rows one by one.
    fn each(
        &self,
        fold: Fold,
        each: Option<&'a Ir>,
        rows: Vec<RowView<'a>>,
        outer: Option<&Frame<'_, 'a>>,
    ) -> Result<Gathered, EvalError> {
        let mut gathered = Gathered::default();
        match each {
            None => gathered.count = rows.len() as i64,
            Some(each) => {
                for value in self.in_each(each, &rows, outer)? {
                    gathered.add(fold, &value)?;
                }
            }
        }
        Ok(gathered)
    }
}

/// What is kept over the rows.
#[derive(Default)]
struct Gathered {
    /// Rows for which the condition was true; for other folds, values that are not null.
    count: i64,
    /// Rows for which the condition was not true.
    others: i64,
    /// Integers are summed in 128 bits, so that only the result has to fit.
    integers: i128,
    decimals: Option<Decimal>,
    best: Option<Value>,
    /// For the median: the numbers.
    numbers: Vec<Number>,
    /// For `join`: the texts, and what goes between.
    joined: Option<String>,
    /// For a look-up of all: the values.
    list: Vec<Value>,
}

impl Gathered {
    fn add(&mut self, fold: Fold, value: &Value) -> Result<(), EvalError> {
        if matches!(fold, Fold::Count | Fold::Any | Fold::All) {
            let counter = if truth(value)? == Some(true) { &mut self.count } else { &mut self.others };
            *counter += 1;
            return Ok(());
        }
        match fold {
            Fold::First | Fold::Only => {
                self.best.get_or_insert_with(|| value.clone());
                return Ok(());
            }
            Fold::List => {
                self.list.push(value.clone());
                return Ok(());
            }
            _ => {}
        }
        if let (Fold::Join, Value::List(pair)) = (fold, value) {
            if let [Value::Text(text), Value::Text(between)] = pair.as_slice() {
                self.joined = Some(match self.joined.take() {
                    Some(before) => before + between.as_str() + text.as_str(),
                    None => text.clone(),
                });
            }
            return Ok(());
        }
        if value.is_null() {
            return Ok(());
        }
        self.count += 1;
        match (fold, value) {
            (Fold::Median, value) => {
                let number = Number::of(value).ok_or_else(|| EvalError::Defect(format!("median of {value:?}")))?;
                self.numbers.push(number);
            }
            (Fold::Min | Fold::Max, value) => {
                let better = match &self.best {
                    None => true,
                    Some(best) if fold == Fold::Min => compare(value, best)?.is_lt(),
                    Some(best) => compare(value, best)?.is_gt(),
                };
                if better {
                    self.best = Some(value.clone());
                }
            }
            (_, Value::Integer(number)) => self.integers += i128::from(*number),
            (_, Value::Decimal(number)) => {
                let before = Number::Decimal(self.decimals.unwrap_or_default());
                let sum = arithmetic(BinaryOp::Add, before, Number::Decimal(*number))?;
                self.decimals = sum.map(Number::decimal);
            }
            (_, other) => return Err(EvalError::Defect(format!("{fold:?} of {other:?}"))),
        }
        Ok(())
    }

    fn finish(self, fold: Fold, each: Option<&Ir>) -> Result<Value, EvalError> {
        Ok(match fold {
            Fold::Count => Value::Integer(self.count),
            Fold::Any => Value::Boolean(self.count > 0),
            Fold::All => Value::Boolean(self.others == 0),
            Fold::Min | Fold::Max | Fold::First | Fold::Only => self.best.unwrap_or_default(),
            Fold::List => Value::List(self.list),
            Fold::Join => Value::Text(self.joined.unwrap_or_default()),
            Fold::Median => self.median()?,
            Fold::Sum if self.count == 0 => match each.map(Ir::ty) {
                Some(Type::Decimal { .. } | Type::Money) => Value::Decimal(Decimal::ZERO),
                _ => Value::Integer(0),
            },
            Fold::Sum => self.sum()?.value(),
            Fold::Avg if self.count == 0 => Value::Null,
            Fold::Avg => {
                let mean = arithmetic(BinaryOp::Divide, self.sum()?, Number::Integer(self.count))?;
                mean.map_or(Value::Null, Number::value)
            }
        })
    }

    /// Decimal with 12 places, like a mean.
    fn median(mut self) -> Result<Value, EvalError> {
        self.numbers.sort_by(|a, b| a.compare(*b));
        let (count, middle) = (self.numbers.len(), self.numbers.len() / 2);
        let Some(high) = self.numbers.get(middle).copied() else { return Ok(Value::Null) };
        let count_of = |number: i64| Number::Decimal(Decimal::from(number));
        let (sum, of) = match count % 2 {
            1 => (Some(high), count_of(1)),
            _ => {
                let low = Number::Decimal(self.numbers[middle - 1].decimal());
                (arithmetic(BinaryOp::Add, low, Number::Decimal(high.decimal()))?, count_of(2))
            }
        };
        let mean = sum.map(|sum| arithmetic(BinaryOp::Divide, sum, of)).transpose()?.flatten();
        Ok(mean.map_or(Value::Null, Number::value))
    }

    fn sum(&self) -> Result<Number, EvalError> {
        let integers = i64::try_from(self.integers).map(Number::Integer).map_err(|_| EvalError::Overflow)?;
        match self.decimals {
            None => Ok(integers),
            Some(decimals) => {
                let sum = arithmetic(BinaryOp::Add, Number::Decimal(decimals), integers)?;
                Ok(sum.unwrap_or(integers))
            }
        }
    }
}
