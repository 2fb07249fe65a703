//! Scripts: pure rhai over values, bounded, without modules, `eval`, time or output.

use std::collections::HashMap;
use std::sync::{LazyLock, RwLock};

use chrono::{DateTime, NaiveDate, Utc};
use indexmap::IndexMap;
use rhai::{AST, Dynamic, Engine, Map, Scope};
use rust_decimal::Decimal;

use formwork_model::expr::Type;
use formwork_model::expr::duration::{format_iso, parse_iso};
use formwork_model::{Key, Value};

use crate::wire::{fitted, instant_text};

/// Most scripts kept compiled.
const COMPILED_MAX: usize = 256;

/// Runs a script with these variables; the map it ends with gives the outputs. What is wrong, in words.
///
/// Decimals and money are exact decimals in the script; dates, instants and durations are ISO 8601 text, ids are text.
pub(super) fn run(
    source: &str,
    inputs: &IndexMap<Key, Value>,
    outputs: &IndexMap<Key, Type>,
) -> Result<IndexMap<Key, Value>, String> {
    let script = compiled(source)?;
    let mut scope = Scope::new();
    for (key, value) in inputs {
        scope.push_dynamic(key.to_string(), given(value));
    }
    let result = ENGINE.eval_ast_with_scope::<Dynamic>(&mut scope, &script).map_err(|error| error.to_string())?;
    let map = result.try_cast::<Map>().ok_or("the script does not end with a map `#{…}`")?;
    let mut taken = IndexMap::new();
    for (key, ty) in outputs {
        let value = map.get(&**key).cloned().unwrap_or(Dynamic::UNIT);
        let value = taken_as(value, ty).ok_or_else(|| format!("the script's `{key}` is no {ty}"))?;
        taken.insert(key.clone(), value);
    }
    Ok(taken)
}

static ENGINE: LazyLock<Engine> = LazyLock::new(formwork_model::script::engine);

/// The script, compiled once.
fn compiled(source: &str) -> Result<AST, String> {
    static COMPILED: LazyLock<RwLock<HashMap<String, AST>>> = LazyLock::new(RwLock::default);
    if let Some(known) = COMPILED.read().ok().and_then(|known| known.get(source).cloned()) {
        return Ok(known);
    }
    let script = ENGINE.compile(source).map_err(|error| error.to_string())?;
    if let Ok(mut known) = COMPILED.write() {
        if known.len() >= COMPILED_MAX {
            known.clear();
        }
        known.insert(source.to_owned(), script.clone());
    }
    Ok(script)
}

fn given(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Decimal(value) => Dynamic::from_decimal(*value),
        Value::Text(text) => text.clone().into(),
        Value::Date(date) => date.to_string().into(),
        Value::DateTime(at) => instant_text(*at).into(),
        Value::Duration(duration) => format_iso(duration).into(),
        Value::Id(id) => id.to_string().into(),
        Value::List(values) => values.iter().map(given).collect::<Vec<Dynamic>>().into(),
        Value::Rows(rows) => rows.iter().map(|row| row.id.to_string().into()).collect::<Vec<Dynamic>>().into(),
    }
}

fn taken_as(value: Dynamic, ty: &Type) -> Option<Value> {
    if value.is_unit() {
        return Some(Value::Null);
    }
    let text = |value: Dynamic| value.into_string().ok();
    Some(match ty {
        Type::Boolean => Value::Boolean(value.as_bool().ok()?),
        Type::Integer => Value::Integer(value.as_int().ok()?),
        Type::Decimal { .. } | Type::Money => return fitted(Value::Decimal(number(&value)?), ty),
        Type::Date => Value::Date(text(value)?.parse::<NaiveDate>().ok()?),
        Type::DateTime => Value::DateTime(text(value)?.parse::<DateTime<Utc>>().ok()?),
        Type::Duration => Value::Duration(parse_iso(&text(value)?)?),
        Type::Choice(keys) => {
            let word = text(value)?;
            keys.iter().any(|key| **key == *word).then_some(Value::Text(word))?
        }
        Type::Link(_) | Type::User => Value::Id(text(value)?.parse().ok()?),
        _ => Value::Text(text(value)?),
    })
}

fn number(value: &Dynamic) -> Option<Decimal> {
    value.as_decimal().ok().or_else(|| value.as_int().ok().map(Decimal::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(pairs: &[(&str, Type)]) -> IndexMap<Key, Type> {
        pairs.iter().map(|(key, ty)| (Key::from(*key), ty.clone())).collect()
    }

    #[test]
    fn computes_exactly_and_gives_declared_types() {
        let inputs = IndexMap::from([(Key::from("amount"), Value::Decimal("0.10".parse().unwrap()))]);
        let source = "let total = amount + amount + amount; #{ total: total, large: total > 1, days: \"P2D\" }";
        let wanted = outputs(&[("total", Type::Money), ("large", Type::Boolean), ("days", Type::Duration)]);
        let found = run(source, &inputs, &wanted).unwrap();
        assert_eq!(found["total"], Value::Decimal("0.3".parse().unwrap()));
        assert_eq!(found["large"], Value::Boolean(false));
        assert_eq!(
            found["days"],
            Value::Duration(formwork_model::value::Duration { months: 0, days: 2, milliseconds: 0 })
        );
    }

    #[test]
    fn knows_no_floats() {
        let wanted = outputs(&[("sum", Type::Money)]);
        let found = run("#{ sum: 0.1 + 0.2 }", &IndexMap::new(), &wanted).unwrap();
        assert_eq!(found["sum"], Value::Decimal("0.3".parse().unwrap()));
        assert!(run("#{ sum: to_float(1) }", &IndexMap::new(), &wanted).is_err());
    }

    #[test]
    fn is_bounded_and_cannot_reach_out() {
        for (source, part) in [
            ("loop { }", "operations"),
            ("let s = \"x\"; loop { s += s; }", "Length of string"),
            ("eval(\"1\")", "eval"),
            ("import \"x\" as y; #{}", "import"),
            ("1", "does not end with a map"),
            ("#{ n: \"word\" }", "is no integer"),
        ] {
            let told = run(source, &IndexMap::new(), &outputs(&[("n", Type::Integer)])).unwrap_err();
            assert!(told.contains(part), "{source}: {told}");
        }
    }
}
