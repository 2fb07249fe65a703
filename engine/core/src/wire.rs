//! Values as callers write and read them: JSON ↔ [`Value`], by the kind of the field (api.md, bodies).
//!
//! ```text
//! JSON ─► parse ─► Input: a value, or a natural key still to be looked up ─► limits (on the final record)
//! Value ─► render ─► JSON: decimals and money as text, dates ISO 8601, instants RFC 3339
//! ```
//! No number passes through a float: a JSON float is taken by its shortest text, and refused where it has more digits
//! than a float can hold.

use chrono::{DateTime, NaiveDate, SecondsFormat, SubsecRound, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value as Json};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::eval::time::at_local;
use crate::patterns::is_whole;

use formwork_model::expr::Type;
use formwork_model::expr::duration::{format_iso, parse_iso};
use formwork_model::expr::times::{Moment, parse_datetime};
use formwork_model::pack::form::{Field, FieldKind};
use formwork_model::{Pack, Value};

/// Digits a JSON float may have and still be taken: more cannot be told apart by a 64-bit float.
const FLOAT_DIGITS_MAX: usize = 15;
/// Most digits of a number in all, so that both stores hold it exactly.
const DIGITS_MAX: u32 = 18;
/// Longest e-mail address (RFC 5321).
const EMAIL_MAX: usize = 254;

/// What a caller wrote for a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A value of the field's type.
    Value(Value),
    /// A link by the natural key of the other form: its fields, as on the wire.
    NaturalKey(Map<String, Json>),
}

/// Why a value does not fit its field: the code of the refusal, and the limit or word it ran into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// `wrong_type`, `too_long`, `pattern` …
    pub code: &'static str,
    /// For the message.
    pub limit: String,
}

impl Misfit {
    /// A misfit with its limit.
    pub fn new(code: &'static str, limit: impl ToString) -> Self {
        Self { code, limit: limit.to_string() }
    }
}

/// Reads a value of one of the types that have no field: of what a message carries. None where it is no such value.
pub fn parse_as(pack: &Pack, ty: &Type, json: &Json) -> Option<Value> {
    let text = || json.as_str().filter(|text| !text.contains('\0'));
    match ty {
        _ if json.is_null() => Some(Value::Null),
        Type::Text => text().map(|text| Value::Text(text.to_owned())),
        Type::Integer => integer(json).map(Value::Integer),
        Type::Decimal { scale } => decimal(json, u32::from(*scale))?.ok(),
        Type::Money => decimal(json, 2)?.ok(),
        Type::Boolean => boolean(json),
        Type::Date => date(text()?),
        Type::DateTime => instant(pack, text()?),
        Type::Duration => parse_iso(text()?).map(Value::Duration),
        _ => None,
    }
}

/// Reads the value of a scalar field. Null and empty text are no value. Limits are not looked at, see [`limits`].
pub fn parse(pack: &Pack, field: &Field, json: &Json) -> Result<Input, Misfit> {
    if json.is_null() || json.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(Input::Value(Value::Null));
    }
    if json.as_str().is_some_and(|text| text.contains('\0')) {
        return Err(Misfit::new("null_character", ""));
    }
    let wrong = || Misfit::new("wrong_type", field.kind.name());
    let text = || json.as_str().ok_or_else(wrong);
    let value = match &field.kind {
        FieldKind::Text { pattern: Some(_), .. } => Value::Text(folded(text()?)),
        FieldKind::Text { .. } | FieldKind::LongText { .. } | FieldKind::Series { .. } => {
            Value::Text(text()?.to_owned())
        }
        FieldKind::Integer { .. } => Value::Integer(integer(json).ok_or_else(wrong)?),
        FieldKind::Decimal { ty: Type::Decimal { scale }, .. } => {
            decimal(json, u32::from(*scale)).ok_or_else(wrong)??
        }
        FieldKind::Decimal { .. } | FieldKind::Money { .. } => decimal(json, 2).ok_or_else(wrong)??,
        FieldKind::Boolean => boolean(json).ok_or_else(wrong)?,
        FieldKind::Date => date(text()?).ok_or_else(wrong)?,
        FieldKind::DateTime => instant(pack, text()?).ok_or_else(wrong)?,
        FieldKind::Choice { options, .. } => key(text()?, |key| options.contains_key(key))?,
        FieldKind::Queue => key(text()?, |key| pack.queues().contains_key(key))?,
        FieldKind::Email => email(text()?)?,
        FieldKind::Phone { region } => phone(text()?, region)?,
        FieldKind::User => Value::Id(id(json).ok_or_else(wrong)?),
        FieldKind::Link { ty, .. } => return link(pack, ty, json).ok_or_else(wrong),
        _ => return Err(wrong()),
    };
    Ok(Input::Value(value))
}

/// The first limit of its field that the value breaks.
pub fn limits(field: &Field, value: &Value) -> Option<Misfit> {
    match (&field.kind, value) {
        (FieldKind::Text { max, pattern }, Value::Text(text)) => too_long(text, *max).or_else(|| match pattern {
            Some(pattern) if is_whole(pattern, text) != Some(true) => Some(Misfit::new("pattern", pattern)),
            _ => None,
        }),
        (FieldKind::LongText { max }, Value::Text(text)) => too_long(text, *max),
        (FieldKind::Integer { min, max }, Value::Integer(value)) => out_of(value, min, max),
        (FieldKind::Decimal { min, max, .. } | FieldKind::Money { min, max }, Value::Decimal(value)) => {
            out_of(value, min, max)
        }
        (FieldKind::Table { max_rows, .. }, Value::Rows(rows)) if rows.len() > *max_rows as usize => {
            Some(Misfit::new("too_many_rows", max_rows))
        }
        _ => None,
    }
}

/// The value as a field of that type stores it: integers become decimals where those are stored, decimals are rounded
/// half away from zero to the scale, instants cut to microseconds. None where a number has more digits than can be stored.
pub fn fitted(value: Value, ty: &Type) -> Option<Value> {
    let decimal = match (value, ty) {
        (Value::Integer(value), Type::Decimal { .. } | Type::Money) => Decimal::from(value),
        (Value::Decimal(value), Type::Decimal { .. } | Type::Money) => value,
        (Value::DateTime(at), _) => return Some(Value::DateTime(at.trunc_subsecs(6))),
        (other, _) => return Some(other),
    };
    let scale = scale_of(ty);
    let rounded = decimal.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
    is_storable(rounded, scale).then_some(Value::Decimal(rounded.normalize()))
}

/// The value as callers read it. Links and users are bare ids here; the projection adds their titles.
pub fn render(value: &Value, ty: &Type) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(value) => match ty {
            Type::Decimal { .. } | Type::Money => Json::String(decimal_text(Decimal::from(*value), ty)),
            _ => Json::from(*value),
        },
        Value::Decimal(value) => Json::String(decimal_text(*value, ty)),
        Value::Text(text) => Json::String(text.clone()),
        Value::Date(date) => Json::String(date.to_string()),
        Value::DateTime(at) => Json::String(instant_text(*at)),
        Value::Duration(duration) => Json::String(format_iso(duration)),
        Value::Id(id) => Json::String(id.to_string()),
        Value::List(values) => {
            let inner = match ty {
                Type::List(inner) => inner,
                other => other,
            };
            Json::Array(values.iter().map(|value| render(value, inner)).collect())
        }
        Value::Rows(rows) => Json::Array(rows.iter().map(|row| Json::String(row.id.to_string())).collect()),
    }
}

/// An instant as RFC 3339 in UTC, without needless fractions.
pub fn instant_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Full-width letters and digits become plain ones (NFKC), blanks at the ends go: what input methods leave behind in
/// numbers, codes and patterns.
pub fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().trim().to_owned()
}

/// An id, bare or as `{"id"}`.
pub fn id(json: &Json) -> Option<Uuid> {
    let text = json.as_str().or_else(|| json.get("id")?.as_str())?;
    text.trim().parse().ok()
}

fn link(pack: &Pack, ty: &Type, json: &Json) -> Option<Input> {
    if let Some(id) = id(json) {
        return Some(Input::Value(Value::Id(id)));
    }
    if let Some(Json::Object(key)) = json.get("key") {
        return Some(Input::NaturalKey(key.clone()));
    }
    // A form named by one field may be referred to by that field alone: `"VIP"`.
    let Type::Link(form) = ty else { return None };
    let form = pack.forms().get(form)?;
    match (form.natural_key.as_slice(), json) {
        ([position], Json::String(_) | Json::Number(_)) => {
            Some(Input::NaturalKey(Map::from_iter([(form.fields[*position].key.to_string(), json.clone())])))
        }
        _ => None,
    }
}

/// The digits of a JSON number or of a text; none where they went through a float that could not hold them.
fn digits(json: &Json) -> Option<String> {
    match json {
        Json::Number(number) if number.is_f64() => {
            let text = number.to_string();
            let count = text.chars().filter(char::is_ascii_digit).count();
            (count <= FLOAT_DIGITS_MAX && !text.contains(['e', 'E'])).then_some(text)
        }
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => {
            let text = folded(text);
            let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
            let plain = unsigned.starts_with(|c: char| c.is_ascii_digit())
                && unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            plain.then_some(text)
        }
        _ => None,
    }
}

fn integer(json: &Json) -> Option<i64> {
    let digits = digits(json)?;
    digits.trim_start_matches('+').strip_suffix(".0").unwrap_or(&digits).parse().ok()
}

fn decimal(json: &Json, scale: u32) -> Option<Result<Value, Misfit>> {
    let value = Decimal::from_str_exact(digits(json)?.trim_start_matches('+')).ok()?.normalize();
    if value.scale() > scale {
        return Some(Err(Misfit::new("too_precise", scale)));
    }
    if !is_storable(value, scale) {
        return Some(Err(Misfit::new("too_large", "9".repeat((DIGITS_MAX - scale) as usize))));
    }
    Some(Ok(Value::Decimal(value)))
}

/// Whether the number, scaled to an integer, fits 64 bits with certainty.
fn is_storable(value: Decimal, scale: u32) -> bool {
    let whole_max = Decimal::from_i128_with_scale(10_i128.pow(DIGITS_MAX - scale.min(DIGITS_MAX)), 0);
    value.abs() < whole_max
}

fn boolean(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(value) => Some(Value::Boolean(*value)),
        Json::String(text) if text == "true" => Some(Value::Boolean(true)),
        Json::String(text) if text == "false" => Some(Value::Boolean(false)),
        _ => None,
    }
}

fn date(text: &str) -> Option<Value> {
    let text = folded(text);
    (text.len() == 10).then(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().map(Value::Date))?
}

/// With an offset, an instant; without, a local time of the pack's zone, as [`at_local`] reads it.
fn instant(pack: &Pack, text: &str) -> Option<Value> {
    let at = match parse_datetime(&folded(text), None)? {
        Moment::Instant(at) => at,
        Moment::Local(local) => at_local(local, *pack.timezone())?,
    };
    Some(Value::DateTime(at.trunc_subsecs(6)))
}

fn key(text: &str, exists: impl Fn(&str) -> bool) -> Result<Value, Misfit> {
    match exists(text) {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(Misfit::new("unknown_option", text)),
    }
}

fn email(text: &str) -> Result<Value, Misfit> {
    let address = folded(text).to_lowercase();
    let valid = address.len() <= EMAIL_MAX
        && !address.contains(char::is_whitespace)
        && address.matches('@').count() == 1
        && address.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && host.split('.').all(|label| !label.is_empty())
        });
    if valid { Ok(Value::Text(address)) } else { Err(Misfit::new("email", "")) }
}

/// E.164. Numbers without a country code are read as mobile numbers of the region; of others it must be written.
fn phone(text: &str, region: &str) -> Result<Value, Misfit> {
    let folded = folded(text);
    let (international, rest) = match folded.strip_prefix('+').or_else(|| folded.strip_prefix("00")) {
        Some(rest) => (true, rest),
        None => (false, folded.as_str()),
    };
    let digits: String = rest.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect();
    let misfit = Err(Misfit::new("phone", ""));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return misfit;
    }
    let is_mobile = |digits: &str| digits.len() == 11 && digits.starts_with('1');
    if international {
        let fits = match digits.strip_prefix("86") {
            Some(national) if national.starts_with('1') => is_mobile(national),
            _ => (7..=15).contains(&digits.len()) && !digits.starts_with('0'),
        };
        return if fits { Ok(Value::Text(format!("+{digits}"))) } else { misfit };
    }
    match region {
        "CN" if is_mobile(&digits) => Ok(Value::Text(format!("+86{digits}"))),
        _ => misfit,
    }
}

fn too_long(text: &str, max: u32) -> Option<Misfit> {
    (text.chars().count() > max as usize).then(|| Misfit::new("too_long", max))
}

fn out_of<N: PartialOrd + ToString>(value: &N, min: &Option<N>, max: &Option<N>) -> Option<Misfit> {
    match (min, max) {
        (Some(min), _) if value < min => Some(Misfit::new("too_small", min.to_string())),
        (_, Some(max)) if value > max => Some(Misfit::new("too_large", max.to_string())),
        _ => None,
    }
}

fn scale_of(ty: &Type) -> u32 {
    match ty {
        Type::Decimal { scale } => u32::from(*scale),
        _ => 2,
    }
}

fn decimal_text(value: Decimal, ty: &Type) -> String {
    match ty {
        Type::Decimal { .. } | Type::Money => {
            let scale = scale_of(ty);
            let mut value = value.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
            value.rescale(scale);
            value.to_string()
        }
        _ => value.normalize().to_string(),
    }
}
