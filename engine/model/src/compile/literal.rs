//! Values written in files: are they of the type their place wants?

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::expr::duration::parse_iso;
use crate::expr::{Shapes, Type};
use crate::structure::did_you_mean;
use crate::value::Value;

/// Why a literal does not fit.
pub(crate) struct Misfit {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The value of a literal of that type. Decimals are whole numbers or text (`"0.5"`), never floats; dates, instants and
/// durations are ISO 8601 text; choices and queues are their keys.
pub(crate) fn parse(json: &Json, ty: &Type, shapes: &Shapes) -> Result<Value, Misfit> {
    let value = match (ty, json) {
        (_, Json::Null) => Some(Value::Null),
        // A field of which nothing is known any more: its own problem is reported already.
        (Type::Null, _) => Some(Value::Null),
        (Type::Text, Json::String(text)) => Some(Value::Text(text.clone())),
        (Type::Integer, Json::Number(number)) => number.as_i64().map(Value::Integer),
        (Type::Decimal { scale }, json) => return decimal(json, u32::from(*scale), ty),
        (Type::Money, json) => return decimal(json, 2, ty),
        (Type::Boolean, Json::Bool(flag)) => Some(Value::Boolean(*flag)),
        (Type::Date, Json::String(text)) => text.parse::<NaiveDate>().ok().map(Value::Date),
        (Type::DateTime, Json::String(text)) => text.parse::<DateTime<Utc>>().ok().map(Value::DateTime),
        (Type::Duration, Json::String(text)) => parse_iso(text).map(Value::Duration),
        (Type::Choice(keys), Json::String(word)) => return key(word, "option", keys.iter().map(|key| &**key)),
        (Type::Queue, Json::String(word)) => return key(word, "queue", shapes.queues.iter().map(|key| &**key)),
        _ => None,
    };
    value.ok_or_else(|| misfit(json, ty))
}

/// The value of a literal where any type will do.
pub(crate) fn free(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => return Err(format!("`{number}` is no whole number; write a decimal as text: `\"{number}\"`")),
        },
        Json::Array(_) | Json::Object(_) => return Err("a single value is expected here".to_owned()),
    })
}

/// A decimal written as a number or as text, for limits such as `min`.
pub(crate) fn exact(json: &Json) -> Option<Decimal> {
    match json {
        // The text of a JSON number, so that no float comes between.
        Json::Number(number) => number.to_string().parse().ok(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn decimal(json: &Json, scale: u32, ty: &Type) -> Result<Value, Misfit> {
    let is_float = matches!(json, Json::Number(number) if number.as_i64().is_none());
    if is_float {
        let hint = Some(format!("write it as text: `\"{json}\"`"));
        return Err(Misfit { message: format!("`{json}` is no exact decimal: numbers of JSON are rounded"), hint });
    }
    let Some(value) = exact(json) else { return Err(misfit(json, ty)) };
    if value.normalize().scale() > scale {
        return Err(Misfit { message: format!("`{value}` has more than {scale} places"), hint: None });
    }
    Ok(Value::Decimal(value))
}

fn key<'a>(word: &str, noun: &str, known: impl Iterator<Item = &'a str>) -> Result<Value, Misfit> {
    let known: Vec<&str> = known.collect();
    if known.contains(&word) {
        return Ok(Value::Text(word.to_owned()));
    }
    Err(Misfit { message: format!("unknown {noun} `{word}`"), hint: did_you_mean(word, known.into_iter()) })
}

fn misfit(json: &Json, ty: &Type) -> Misfit {
    let hint = match ty {
        Type::Date => Some("write a date as `\"2026-01-31\"`".to_owned()),
        Type::DateTime => Some("write an instant as `\"2026-01-31T09:00:00+08:00\"`".to_owned()),
        Type::Duration => Some("write a duration as `\"P2D\"` or `\"PT4H\"`".to_owned()),
        Type::Link(_) | Type::User => {
            Some("a record has no name in a definition; write `=` and an expression".to_owned())
        }
        _ => None,
    };
    Misfit { message: format!("`{json}` is no {ty}"), hint }
}
