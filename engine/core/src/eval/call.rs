//! The scalar functions.

use std::borrow::Cow;

use chrono::{Datelike, SecondsFormat};
use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::duration::format_iso;
use formwork_model::expr::ir::{BinaryOp, Function};
use formwork_model::expr::times::{Moment, parse_date, parse_datetime};
use formwork_model::value::Duration;
use rust_decimal::{Decimal, RoundingStrategy};
use sha2::{Digest, Sha256};

use super::number::{Number, QUOTIENT_PLACES, arithmetic};
use super::run::{Evaluator, Found, Frame, both, compare, owned};
use super::{EvalError, time};
use crate::{calendar, patterns};

const MICROSECONDS_PER_HOUR: i64 = 3_600_000_000;
const MILLISECONDS_PER_MINUTE: i64 = 60_000;

impl<'a> Evaluator<'a> {
    pub(super) fn call(&self, function: Function, arguments: &'a [Ir], frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        match function {
            Function::When => return self.when(arguments, frame),
            Function::Coalesce => {
                for argument in arguments {
                    let value = self.value(argument, frame)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                return owned(Value::Null);
            }
            Function::Least | Function::Greatest => return self.extreme(function, arguments, frame),
            Function::Pick => return self.pick(arguments, frame),
            _ => {}
        }
        let values = self.arguments(arguments, frame)?;
        if values.iter().any(|value| value.is_null()) {
            return owned(Value::Null);
        }
        owned(self.plain(function, &values)?)
    }

    /// The arguments' values; records missing are gathered over all of them.
    fn arguments(&self, arguments: &'a [Ir], frame: Option<&Frame<'_, 'a>>) -> Result<Vec<Cow<'a, Value>>, EvalError> {
        let mut values = Ok(Vec::with_capacity(arguments.len()));
        for argument in arguments {
            values = both(values, self.value(argument, frame)).map(|(mut values, value)| {
                values.push(value);
                values
            });
            if let Err(error) = &values
                && !matches!(error, EvalError::Missing(_))
            {
                return values;
            }
        }
        values
    }

    fn when(&self, arguments: &'a [Ir], frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        let Some((otherwise, pairs)) = arguments.split_last() else {
            return Err(EvalError::Defect("`when` without arguments".to_owned()));
        };
        for pair in pairs.chunks_exact(2) {
            if self.value(&pair[0], frame)?.is_true() {
                return self.value(&pair[1], frame);
            }
        }
        self.value(otherwise, frame)
    }

    fn extreme(&self, function: Function, arguments: &'a [Ir], frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        let mut best: Option<Cow<'a, Value>> = None;
        for value in self.arguments(arguments, frame)? {
            if value.is_null() {
                continue;
            }
            let better = match &best {
                None => true,
                Some(best) if function == Function::Least => compare(&value, best)?.is_lt(),
                Some(best) => compare(&value, best)?.is_gt(),
            };
            if better {
                best = Some(value);
            }
        }
        best.map_or_else(|| owned(Value::Null), Ok)
    }

    fn pick(&self, arguments: &'a [Ir], frame: Option<&Frame<'_, 'a>>) -> Found<'a> {
        let [list, index] = arguments else {
            return Err(EvalError::Defect("`pick` takes a list and a number".to_owned()));
        };
        let index = match &*self.value(index, frame)? {
            Value::Integer(index) => *index,
            _ => return owned(Value::Null),
        };
        let place = |count: usize| match i64::try_from(count) {
            Ok(count) if count > 0 => Some(index.rem_euclid(count) as usize),
            _ => None,
        };
        // Only the element picked is evaluated.
        if let Ir::List(items) = list {
            return match place(items.len()) {
                Some(place) => self.value(&items[place], frame),
                None => owned(Value::Null),
            };
        }
        let list = self.value(list, frame)?;
        let picked = match &*list {
            Value::List(items) => place(items.len()).map(|place| items[place].clone()),
            _ => None,
        };
        owned(picked.unwrap_or_default())
    }

    /// Functions whose arguments are all evaluated and not null.
    fn plain(&self, function: Function, values: &[Cow<'a, Value>]) -> Result<Value, EvalError> {
        use Function as F;
        let values: [Option<&Value>; 3] = [0, 1, 2].map(|index| values.get(index).map(|value| &**value));
        let zone = self.environment.zone;
        match (function, values) {
            (F::Text, [Some(value), ..]) => Ok(Value::Text(shown(value)?)),
            (F::Date, [Some(Value::DateTime(at)), ..]) => Ok(Value::Date(at.with_timezone(&zone).date_naive())),
            (F::Datetime, [Some(Value::Text(text)), format, _]) => {
                Ok(match parse_datetime(text, format.and_then(Value::as_text)) {
                    Some(Moment::Instant(at)) => Value::DateTime(at),
                    Some(Moment::Local(local)) => time::at_local(local, zone).map_or(Value::Null, Value::DateTime),
                    None => Value::Null,
                })
            }
            (F::BusinessTime, [Some(Value::DateTime(a)), Some(Value::DateTime(b)), Some(Value::Text(key))]) => {
                let calendar = self.environment.names.calendar(key);
                let calendar = calendar.ok_or_else(|| EvalError::Defect(format!("there is no calendar `{key}`")))?;
                duration(
                    calendar::between(calendar, *a, *b).map(|open| Duration::of_milliseconds(open.num_milliseconds())),
                )
            }
            (F::DateAdd, [Some(at), Some(Value::Duration(duration)), _]) => self.add(at, duration),
            (F::StartOf, [Some(Value::Text(unit)), Some(Value::DateTime(at)), _]) => {
                time::start_of_instant(unit, *at, zone).map(Value::DateTime).ok_or(EvalError::Overflow)
            }
            (F::StartOf, [Some(Value::Text(unit)), Some(Value::Date(date)), _]) => {
                // A date is the start of every shorter unit in it.
                let start = if matches!(unit.as_str(), "minute" | "hour") {
                    Some(*date)
                } else {
                    time::start_of_date(unit, *date)
                };
                start.map(Value::Date).ok_or(EvalError::Overflow)
            }
            (F::Weekday, [Some(Value::DateTime(at)), ..]) => Ok(weekday(at.with_timezone(&zone).date_naive())),
            (F::HasRole, [Some(Value::Text(role)), ..]) => Ok(Value::Boolean(self.environment.viewer.has_role(role))),
            (F::Rng, [Some(Value::Integer(below)), Some(Value::Integer(place)), _]) => {
                if *below < 1 {
                    return Ok(Value::Null);
                }
                let drawn = self.environment.names.random(*place, *below);
                drawn.map(Value::Integer).ok_or_else(|| EvalError::Defect("`rng` has no seed here".to_owned()))
            }
            (F::Ref, [Some(Value::Text(form)), Some(which), _]) => {
                let found = self.environment.names.reference(form, which);
                found.ok_or_else(|| EvalError::Defect("`ref` has no records here".to_owned()))
            }
            (function, values) => match values {
                [Some(Value::Text(text)), second, third] => of_text(function, text, second, third),
                [Some(first), second, third] => of_values(function, first, second, third),
                _ => Err(unfit(function)),
            },
        }
    }
}

/// Functions of a text.
fn of_text(function: Function, text: &str, second: Option<&Value>, third: Option<&Value>) -> Result<Value, EvalError> {
    use Function as F;
    let other = second.and_then(Value::as_text);
    let boolean =
        |test: fn(&str, &str) -> bool| other.map(|other| Value::Boolean(test(text, other))).ok_or(unfit(function));
    match (function, second, third) {
        (F::Len, ..) => Ok(Value::Integer(text.chars().count() as i64)),
        (F::Lower, ..) => Ok(Value::Text(text.to_lowercase())),
        (F::Upper, ..) => Ok(Value::Text(text.to_uppercase())),
        (F::Trim, ..) => Ok(Value::Text(text.trim().to_owned())),
        (F::Contains, ..) => boolean(|text, part| text.contains(part)),
        (F::StartsWith, ..) => boolean(|text, start| text.starts_with(start)),
        (F::EndsWith, ..) => boolean(|text, end| text.ends_with(end)),
        (F::Matches, ..) => {
            let pattern = other.ok_or(unfit(function))?;
            let occurs = patterns::occurs(pattern, text);
            occurs.map(Value::Boolean).ok_or_else(|| EvalError::Defect(format!("no pattern `{pattern}`")))
        }
        (F::Replace, Some(Value::Text(from)), Some(Value::Text(to))) => {
            Ok(Value::Text(if from.is_empty() { text.to_owned() } else { text.replace(from, to) }))
        }
        (F::Substr, Some(Value::Integer(from)), Some(Value::Integer(count))) => {
            Ok(Value::Text(substr(text, i128::from(*from), i128::from(*count))))
        }
        (F::Last, Some(Value::Integer(count)), _) => {
            let length = text.chars().count() as i128;
            Ok(Value::Text(substr(text, length - i128::from(*count), i128::from(*count))))
        }
        (F::Number, ..) => Ok(number(text).map_or(Value::Null, Value::Decimal)),
        (F::Date, ..) => Ok(parse_date(text, other).map_or(Value::Null, Value::Date)),
        (F::Hash, ..) => {
            Ok(Value::Text(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()))
        }
        (F::Bucket, Some(Value::Integer(count)), _) => Ok(bucket(text, *count).map_or(Value::Null, Value::Integer)),
        _ => Err(unfit(function)),
    }
}

/// Functions of numbers, times and durations.
fn of_values(
    function: Function,
    first: &Value,
    second: Option<&Value>,
    third: Option<&Value>,
) -> Result<Value, EvalError> {
    use Function as F;
    match (function, first, second, third) {
        (F::Abs | F::Round | F::Floor | F::Ceil | F::Clamp, ..) => of_number(function, first, second, third),
        (F::Days, Value::Integer(n), ..) => {
            duration(i32::try_from(*n).ok().map(|days| Duration { days, ..Duration::default() }))
        }
        (F::Months, Value::Integer(n), ..) => {
            duration(i32::try_from(*n).ok().map(|months| Duration { months, ..Duration::default() }))
        }
        (F::Hours, Value::Integer(n), ..) => {
            duration(n.checked_mul(60 * MILLISECONDS_PER_MINUTE).map(Duration::of_milliseconds))
        }
        (F::Minutes, Value::Integer(n), ..) => {
            duration(n.checked_mul(MILLISECONDS_PER_MINUTE).map(Duration::of_milliseconds))
        }
        (F::Weekday, Value::Date(date), ..) => Ok(weekday(*date)),
        (F::LocalDate, Value::DateTime(at), Some(Value::Text(zone)), _) => {
            let zone: chrono_tz::Tz = zone.parse().map_err(|_| EvalError::Defect(format!("no time zone `{zone}`")))?;
            Ok(Value::Date(at.with_timezone(&zone).date_naive()))
        }
        (F::DaysBetween, Value::Date(a), Some(Value::Date(b)), _) => {
            Ok(Value::Integer(b.signed_duration_since(*a).num_days()))
        }
        (F::HoursBetween, Value::DateTime(a), Some(Value::DateTime(b)), _) => {
            let elapsed = b.signed_duration_since(*a).num_microseconds().ok_or(EvalError::Overflow)?;
            let hours = arithmetic(BinaryOp::Divide, Number::Integer(elapsed), Number::Integer(MICROSECONDS_PER_HOUR))?;
            Ok(hours.map_or(Value::Null, Number::value))
        }
        (F::YearsBetween, Value::Date(a), Some(Value::Date(b)), _) => Ok(Value::Integer(time::years_between(*a, *b))),
        _ => Err(unfit(function)),
    }
}

fn of_number(
    function: Function,
    first: &Value,
    second: Option<&Value>,
    third: Option<&Value>,
) -> Result<Value, EvalError> {
    let at = |value: Option<&Value>| value.and_then(Number::of).ok_or(unfit(function));
    let x = at(Some(first))?;
    let found = match function {
        Function::Abs => x.absolute()?,
        Function::Floor => x.floor()?,
        Function::Ceil => x.ceiling()?,
        Function::Round => match second {
            None => x.rounded(0),
            Some(Value::Integer(places)) => x.rounded(u32::try_from(*places).map_err(|_| unfit(function))?),
            Some(_) => return Err(unfit(function)),
        },
        _ => {
            let (low, high) = (at(second)?, at(third)?);
            let x = if x.compare(high).is_gt() { high } else { x };
            if x.compare(low).is_lt() { low } else { x }
        }
    };
    Ok(found.value())
}

fn shown(value: &Value) -> Result<String, EvalError> {
    Ok(match value {
        Value::Text(text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) if number.is_zero() => "0".to_owned(),
        Value::Decimal(number) => number.normalize().to_string(),
        Value::Date(date) => date.to_string(),
        Value::DateTime(at) => at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        Value::Duration(duration) => format_iso(duration),
        Value::Id(id) => id.to_string(),
        Value::Null | Value::List(_) | Value::Rows(_) => return Err(EvalError::Defect(format!("text of {value:?}"))),
    })
}

fn number(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
    let written = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !written(whole) || !written(places) {
        return None;
    }
    let number = Decimal::from_str_exact(text).ok()?;
    let number = number.round_dp_with_strategy(QUOTIENT_PLACES, RoundingStrategy::MidpointAwayFromZero);
    Some(if number.is_zero() { Decimal::ZERO } else { number })
}

fn substr(text: &str, from: i128, count: i128) -> String {
    let end = from + count.max(0);
    let skipped = from.max(0).min(text.len() as i128);
    let taken = (end - skipped).clamp(0, text.len() as i128);
    text.chars().skip(skipped as usize).take(taken as usize).collect()
}

fn bucket(text: &str, count: i64) -> Option<i64> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    let digest = Sha256::digest(text.as_bytes());
    let first = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    i64::try_from(first % count).ok()
}

fn duration(found: Option<Duration>) -> Result<Value, EvalError> {
    found.map(Value::Duration).ok_or(EvalError::Overflow)
}

fn weekday(date: chrono::NaiveDate) -> Value {
    Value::Integer(i64::from(date.weekday().number_from_monday()))
}

fn unfit(function: Function) -> EvalError {
    EvalError::Defect(format!("{function:?} does not take these arguments"))
}
