//! The tree walker: operators, paths and names.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use formwork_model::Value;
use formwork_model::expr::ir::{BinaryOp, FieldPath, Ir, Name, Root, UnaryOp};
use formwork_model::value::Duration;

use super::number::{Number, arithmetic};
use super::rows::RowView;
use super::{COST_MAX, Environment, EvalError, duration, time};

/// A value, borrowed from the expression, a row or the environment where it can be.
pub(super) type Found<'a> = Result<Cow<'a, Value>, EvalError>;

/// Rows pushed by list functions, innermost first; the environment's rows come after them.
#[derive(Clone, Copy)]
pub(super) struct Frame<'f, 'a> {
    pub(super) row: RowView<'a>,
    pub(super) outer: Option<&'f Frame<'f, 'a>>,
}

pub(super) struct Evaluator<'a> {
    pub(super) environment: &'a Environment<'a>,
    cost: Cell<u32>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(environment: &'a Environment<'a>) -> Self {
        Self { environment, cost: Cell::new(0) }
    }

    pub(super) fn top(&self, ir: &'a Ir) -> Result<Value, EvalError> {
        self.value(ir, None).map(Cow::into_owned)
    }

    pub(super) fn value(&self, ir: &'a Ir, frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        self.cost.set(self.cost.get() + 1);
        if self.cost.get() > COST_MAX {
            return Err(EvalError::Cost);
        }
        match ir {
            Ir::Literal(value) => Ok(Cow::Borrowed(value)),
            Ir::Field(path) => self.field(path, frame),
            Ir::Name(name) => self.name(name),
            Ir::Unary(op, inner) => unary(*op, &*self.value(inner, frame)?),
            Ir::Binary(op, left, right) => self.binary(*op, left, right, frame),
            Ir::In(value, items) => {
                let value = self.value(value, frame)?;
                for item in items {
                    if value.is_same(&*self.value(item, frame)?) {
                        return owned(Value::Boolean(true));
                    }
                }
                owned(Value::Boolean(false))
            }
            Ir::InList(value, list) => self.in_list(value, list, frame),
            Ir::List(items) => {
                let items: Result<Vec<Value>, EvalError> =
                    items.iter().map(|item| self.value(item, frame).map(Cow::into_owned)).collect();
                owned(Value::List(items?))
            }
            Ir::Call(function, arguments) => self.call(*function, arguments, frame),
            Ir::Fold(fold, rows, each) => self.fold(*fold, rows, each.as_deref(), frame),
        }
    }

    fn in_list(&self, value: &'a Ir, list: &'a Ir, frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        // The acting user's own lists are looked into where they are: row rules ask for them on every record.
        let keys = match list {
            Ir::Name(Name::UserQueues) => Some(&self.environment.viewer.queues),
            Ir::Name(Name::UserRoles) => Some(&self.environment.viewer.roles),
            Ir::Name(Name::UserLeads) => Some(&self.environment.viewer.leads),
            _ => None,
        };
        if let Some(keys) = keys {
            let value = self.value(value, frame)?;
            let found = value.as_text().is_some_and(|text| keys.iter().any(|key| **key == *text));
            return owned(Value::Boolean(found));
        }
        let (value, list) = both(self.value(value, frame), self.value(list, frame))?;
        let found = match &*list {
            Value::List(items) => items.iter().any(|item| value.is_same(item)),
            _ => false,
        };
        owned(Value::Boolean(found))
    }

    /// The row in that frame.
    pub(super) fn row(&self, frame: Option<&Frame<'_, 'a>>, index: u8) -> Result<RowView<'a>, EvalError> {
        let mut left = usize::from(index);
        let mut at = frame;
        while let Some(frame) = at {
            if left == 0 {
                return Ok(frame.row);
            }
            left -= 1;
            at = frame.outer;
        }
        let row = self.environment.rows.get(left).copied();
        row.ok_or_else(|| EvalError::Defect(format!("there is no row in frame {index}")))
    }

    fn field(&self, path: &'a FieldPath, frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        let mut row = match path.root {
            Root::Frame(index) => self.row(frame, index)?,
            Root::Old => match self.environment.old {
                Some(old) => old,
                None => return owned(Value::Null),
            },
        };
        for (index, hop) in path.hops.iter().enumerate() {
            let Some(id) = slot(&row, hop)?.as_id() else {
                return owned(Value::Null);
            };
            let next = path.hops.get(index + 1).unwrap_or(&path.field);
            let found = self.environment.records.record_for(&next.table.form, id, next);
            row = match found.map_err(|missing| EvalError::Missing(vec![missing]))? {
                Some(row) => row,
                None => return owned(Value::Null),
            };
        }
        slot(&row, &path.field)
    }

    fn name(&self, name: &Name) -> Found<'a> {
        let environment = self.environment;
        let viewer = environment.viewer;
        let keys =
            |keys: &[formwork_model::Key]| Value::List(keys.iter().map(|key| Value::Text(key.to_string())).collect());
        owned(match name {
            Name::Now => Value::DateTime(environment.now),
            Name::Today => Value::Date(environment.now.with_timezone(&environment.zone).date_naive()),
            Name::UserId => viewer.user.map_or(Value::Null, Value::Id),
            Name::UserRoles => keys(&viewer.roles),
            Name::UserQueues => keys(&viewer.queues),
            Name::UserTeam => viewer.team.as_ref().map_or(Value::Null, |team| Value::Text(team.to_string())),
            Name::UserLeads => keys(&viewer.leads),
            Name::Cell => match environment.cell {
                Some(value) => return Ok(Cow::Borrowed(value)),
                None => return Err(EvalError::Defect("`?` has no value here".to_owned())),
            },
            other => match environment.names.value(other) {
                Some(value) => value,
                None => return Err(EvalError::Defect(format!("{other:?} has no value here"))),
            },
        })
    }

    fn binary(&self, op: BinaryOp, left: &'a Ir, right: &'a Ir, frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        use BinaryOp as B;
        // These do not look at the right side unless it matters: it may need records that are not at hand.
        match op {
            B::And | B::Or => return self.logic(op == B::Or, left, right, frame),
            B::Coalesce => {
                let value = self.value(left, frame)?;
                return if value.is_null() { self.value(right, frame) } else { Ok(value) };
            }
            _ => {}
        }
        let (a, b) = both(self.value(left, frame), self.value(right, frame))?;
        match op {
            B::Equal => return owned(Value::Boolean(a.is_same(&b))),
            B::NotEqual => return owned(Value::Boolean(!a.is_same(&b))),
            _ if a.is_null() || b.is_null() => return owned(Value::Null),
            _ => {}
        }
        let order = |accept: fn(Ordering) -> bool| Ok(Value::Boolean(accept(compare(&a, &b)?)));
        let value = match op {
            B::Less => order(Ordering::is_lt),
            B::LessEqual => order(Ordering::is_le),
            B::Greater => order(Ordering::is_gt),
            B::GreaterEqual => order(Ordering::is_ge),
            _ => self.arithmetic(op, &a, &b),
        };
        owned(value?)
    }

    /// Three-valued: `decides` (true for `or`) on either side decides; else null wins over the other.
    fn logic(&self, decides: bool, left: &'a Ir, right: &'a Ir, frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        let a = truth(&*self.value(left, frame)?)?;
        if a == Some(decides) {
            return owned(Value::Boolean(decides));
        }
        let b = truth(&*self.value(right, frame)?)?;
        owned(match (a, b) {
            (_, Some(b)) if b == decides => Value::Boolean(decides),
            (Some(_), Some(_)) => Value::Boolean(!decides),
            _ => Value::Null,
        })
    }

    fn arithmetic(&self, op: BinaryOp, a: &Value, b: &Value) -> Result<Value, EvalError> {
        use BinaryOp::{Add, Divide, Subtract};
        if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
            return Ok(arithmetic(op, a, b)?.map_or(Value::Null, Number::value));
        }
        match (op, a, b) {
            (Divide, Value::Duration(a), Value::Duration(b)) => duration::quotient(a, b),
            (Add, Value::Text(a), Value::Text(b)) => Ok(Value::Text(format!("{a}{b}"))),
            (Add, a, Value::Duration(b)) => self.add(a, b),
            (Subtract, a, Value::Duration(b)) => self.add(a, &duration::negated(b)?),
            _ => Err(EvalError::Defect(format!("{op:?} of {a:?} and {b:?}"))),
        }
    }

    /// A time or a duration plus a duration.
    pub(super) fn add(&self, to: &Value, by: &Duration) -> Result<Value, EvalError> {
        let sum = match to {
            Value::Date(date) => time::add_to_date(*date, by).map(Value::Date),
            Value::DateTime(at) => time::add_to_instant(*at, by, self.environment.zone).map(Value::DateTime),
            Value::Duration(to) => duration::sum(to, by).map(Value::Duration),
            other => return Err(EvalError::Defect(format!("a duration added to {other:?}"))),
        };
        sum.ok_or(EvalError::Overflow)
    }
}

pub(super) fn owned<'a>(value: Value) -> Found<'a> {
    Ok(Cow::Owned(value))
}

/// Both values; where both lack records, all of them are named, so that they are loaded at once.
pub(super) fn both<A, B>(a: Result<A, EvalError>, b: Result<B, EvalError>) -> Result<(A, B), EvalError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(EvalError::Missing(mut a)), Err(EvalError::Missing(b))) => {
            a.extend(b);
            Err(EvalError::Missing(a))
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// The order of two values that are not null.
pub(super) fn compare(a: &Value, b: &Value) -> Result<Ordering, EvalError> {
    a.order(b).ok_or_else(|| EvalError::Defect(format!("{a:?} compared with {b:?}")))
}

/// True, false or null.
pub(super) fn truth(value: &Value) -> Result<Option<bool>, EvalError> {
    match value {
        Value::Boolean(value) => Ok(Some(*value)),
        Value::Null => Ok(None),
        other => Err(EvalError::Defect(format!("{other:?} is no condition"))),
    }
}

fn slot<'a>(row: &RowView<'a>, field: &formwork_model::expr::ir::FieldRef) -> Found<'a> {
    row.get(field.slot).ok_or_else(|| EvalError::Defect(format!("the row has no `{}`", field.key)))
}

fn unary<'a>(op: UnaryOp, value: &Value) -> Found<'a> {
    owned(match (op, value) {
        (_, Value::Null) => Value::Null,
        (UnaryOp::Not, value) => truth(value)?.map_or(Value::Null, |value| Value::Boolean(!value)),
        (UnaryOp::Negate, Value::Duration(of)) => Value::Duration(duration::negated(of)?),
        (UnaryOp::Negate, value) => match Number::of(value) {
            Some(number) => number.negated()?.value(),
            None => return Err(EvalError::Defect(format!("minus {value:?}"))),
        },
    })
}
