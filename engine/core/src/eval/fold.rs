//! List functions: over the rows of a child table, or over the records that link here.

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
        let values = match rows {
            Rows::Table { frame: index, field } => {
                let parent = self.row(frame, *index)?;
                match parent.get(field.slot) {
                    Some(std::borrow::Cow::Borrowed(value)) => {
                        self.each(fold, each, value.rows().iter().map(RowView::from), frame)
                    }
                    _ => Err(EvalError::Defect(format!("the row has no `{}`", field.key))),
                }
            }
            Rows::Backlink { frame: index, link } => {
                let parent = self.row(frame, *index)?;
                let records = self.environment.records.backlink(link, parent.id());
                let records = records.map_err(|missing| EvalError::Missing(vec![missing]))?;
                self.each(fold, each, records.iter().map(|record| RowView::from(&**record)), frame)
            }
        };
        owned(values?.finish(fold, each)?)
    }

    /// Takes the rows one by one. Records that are missing are gathered over all rows, to be loaded at once.
    fn each(
        &self,
        fold: Fold,
        each: Option<&'a Ir>,
        rows: impl Iterator<Item = RowView<'a>>,
        outer: Option<&Frame<'_, 'a>>,
    ) -> Result<Gathered, EvalError> {
        let mut gathered = Gathered::default();
        let mut missing = Vec::new();
        for row in rows {
            let Some(each) = each else {
                gathered.count += 1;
                continue;
            };
            match self.value(each, Some(&Frame { row, outer })) {
                Ok(value) => gathered.add(fold, &value)?,
                Err(EvalError::Missing(more)) => missing.extend(more),
                Err(error) => return Err(error),
            }
        }
        if missing.is_empty() { Ok(gathered) } else { Err(EvalError::Missing(missing)) }
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
}

impl Gathered {
    fn add(&mut self, fold: Fold, value: &Value) -> Result<(), EvalError> {
        if matches!(fold, Fold::Count | Fold::Any | Fold::All) {
            let counter = if truth(value)? == Some(true) { &mut self.count } else { &mut self.others };
            *counter += 1;
            return Ok(());
        }
        if value.is_null() {
            return Ok(());
        }
        self.count += 1;
        match (fold, value) {
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
            Fold::Min | Fold::Max => self.best.unwrap_or_default(),
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
