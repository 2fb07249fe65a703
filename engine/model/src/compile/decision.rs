//! Decision tables: cells, values, and rules that can never hit.

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::{Kind, decision as author};
use crate::expr::{Expr, Position, Scope, TableRef, Type};
use crate::pack::decision::{Cell, Decision, DecisionRule, Hit};

use super::context::Context;
use super::coverage;
use super::load::Document;
use super::shapes::FREE_SCALE;

/// Compiles the table. Parts that are wrong are reported and left out.
pub(super) fn compile(context: &Context<'_>, document: &Document<author::Decision>) -> Decision {
    let author = &document.body;
    let at = &document.at;
    let form: Key = author.form.as_str().into();
    context.refers(Kind::Form, &form, &at.key("for"));
    let outputs = outputs(context, author, &at.key("outputs"));
    let mut table = TableInputs { inputs: IndexMap::new(), types: Vec::new() };
    for (key, formula) in &author.inputs {
        let scope = context.scope(Position::Input, &form);
        let checked = context.check(formula, &scope, None, &at.key("inputs").key(key));
        table.types.push(checked.as_ref().map_or(Type::Null, |expr| expr.ty.clone()));
        table.inputs.insert(Key::from(key.as_str()), checked);
    }
    let mut rules = IndexMap::new();
    for (key, rule) in &author.rules {
        let at = at.key("rules").key(key);
        if let Some(compiled) = rule_of(context, rule, &table, &outputs, &at) {
            rules.insert(Key::from(key.as_str()), compiled);
        }
    }
    let hit = match author.hit {
        author::Hit::First => Hit::First,
        author::Hit::Unique => Hit::Unique,
        author::Hit::Any => Hit::Any,
        author::Hit::Collect => Hit::Collect,
    };
    let compiled = Decision {
        key: document.key.clone(),
        label: context.text(&author.label, &at.key("label")),
        form,
        hit,
        inputs: table.inputs.into_iter().filter_map(|(key, expr)| Some((key, expr?))).collect(),
        outputs: outputs.into_iter().filter_map(|(key, ty)| Some((key, ty?))).collect(),
        rules,
    };
    let complete = compiled.rules.len() == author.rules.len() && compiled.inputs.len() == author.inputs.len();
    let is_examined = complete && document.cut.is_empty() && coverage::check(context, &compiled, at);
    if !is_examined && hit == Hit::First {
        never_hit(context, author, &at.key("rules"));
    }
    compiled
}

/// Inputs with their types; an input that is wrong agrees with every cell.
struct TableInputs {
    inputs: IndexMap<Key, Option<Expr>>,
    types: Vec<Type>,
}

fn rule_of(
    context: &Context<'_>,
    rule: &author::DecisionRule,
    table: &TableInputs,
    outputs: &IndexMap<Key, Option<Type>>,
    at: &At,
) -> Option<DecisionRule> {
    let counted = |found: usize, wanted: usize, noun: &str, key: &str| {
        if found != wanted {
            context.error("FW0502", &at.key(key), format!("expected {wanted} {noun}; found {found}"));
        }
        found == wanted
    };
    let cells_fit = counted(rule.cells.len(), table.types.len(), "cells, one for each input", "if");
    let values_fit = counted(rule.then.len(), outputs.len(), "values, one for each output", "then");
    let cell_scope = Scope::new(Position::Cell, context.shapes);
    let mut cells = Vec::new();
    for (index, (cell, ty)) in rule.cells.iter().zip(&table.types).enumerate() {
        if *ty == Type::Null {
            continue;
        }
        let checked = context.check_cell(cell, &cell_scope, ty, &at.key("if").index(index))?;
        cells.push(checked.map_or(Cell::Any, Cell::Test));
    }
    let inputs = table.inputs.keys().cloned().zip(table.types.iter().cloned()).collect();
    let value_scope = Scope::new(Position::Output, context.shapes).inputs(inputs);
    let mut values = Vec::new();
    for (index, (formula, ty)) in rule.then.iter().zip(outputs.values()).enumerate() {
        let Some(ty) = ty else { continue };
        let checked = context.check(formula, &value_scope, Some(ty), &at.key("then").index(index));
        values.extend(checked);
    }
    (cells_fit && values_fit).then_some(DecisionRule { cells, outputs: values })
}

/// `form.field` has the type of that field; a type name is itself.
fn outputs(context: &Context<'_>, author: &author::Decision, at: &At) -> IndexMap<Key, Option<Type>> {
    author
        .outputs
        .iter()
        .map(|(key, word)| (Key::from(key.as_str()), output_type(context, word, &at.key(key))))
        .collect()
}

fn output_type(context: &Context<'_>, word: &str, at: &At) -> Option<Type> {
    let Some((form, field)) = word.split_once('.') else {
        let ty = named_type(word);
        if ty.is_none() {
            let hint = "write `form.field` or one of duration, text, integer, decimal, boolean".to_owned();
            context.error_hint("FW0401", at, format!("unknown type `{word}`"), Some(hint));
        }
        return ty;
    };
    if !context.refers(Kind::Form, form, at) {
        return None;
    }
    let shape = context.shapes.tables.get(&TableRef::form(&form.into()))?;
    match shape.fields.get(field) {
        Some(field) => Some(field.ty.clone()),
        None => {
            context.unknown("FW0401", at, &format!("field of `{form}`"), field, shape.fields.keys().map(|key| &**key));
            None
        }
    }
}

/// The words [`named_type`] knows.
pub(super) const TYPE_WORDS: [&str; 8] =
    ["text", "integer", "decimal", "money", "boolean", "date", "datetime", "duration"];

/// A type by its word, for outputs of decisions and scripts.
pub(super) fn named_type(word: &str) -> Option<Type> {
    Some(match word {
        "text" => Type::Text,
        "integer" => Type::Integer,
        "decimal" => Type::Decimal { scale: FREE_SCALE },
        "money" => Type::Money,
        "boolean" => Type::Boolean,
        "date" => Type::Date,
        "datetime" => Type::DateTime,
        "duration" => Type::Duration,
        _ => return None,
    })
}

/// The types of a decision's outputs, for the workflows that use it. Says nothing: [`compile`] does.
pub(super) fn output_types(context: &Context<'_>, decision: &author::Decision) -> IndexMap<Key, Type> {
    let ty = |word: &str| match word.split_once('.') {
        None => named_type(word),
        Some((form, field)) => {
            let shape = context.shapes.tables.get(&TableRef::form(&form.into()))?;
            shape.fields.get(field).map(|field| field.ty.clone())
        }
    };
    decision.outputs.iter().map(|(key, word)| (key.as_str().into(), ty(word).unwrap_or(Type::Null))).collect()
}

/// Rules behind one that matches whatever they match, in a table that cannot be examined. Compared by what is written: a cell covers another if it is `-`
/// or the same text; a list of values covers each part of it.
fn never_hit(context: &Context<'_>, author: &author::Decision, at: &At) {
    let rules: Vec<(&String, &author::DecisionRule)> = author.rules.iter().collect();
    for (index, (key, rule)) in rules.iter().enumerate() {
        let covering = rules[..index].iter().find(|(_, earlier)| {
            earlier.cells.len() == rule.cells.len()
                && earlier.cells.iter().zip(&rule.cells).all(|(wide, narrow)| covers(&wide.0, &narrow.0))
        });
        if let Some((earlier, _)) = covering {
            let hint = format!("`{earlier}` stands before it and matches the same cases");
            context.error_at_key("FW0501", &at.key(key), format!("the rule `{key}` can never hit"), Some(hint));
        }
    }
}

fn covers(wide: &str, narrow: &str) -> bool {
    let (wide, narrow) = (wide.trim(), narrow.trim());
    if wide == "-" || wide == narrow {
        return true;
    }
    let literals = |cell: &str| -> Option<Vec<String>> {
        cell.split(',')
            .map(|part| {
                let part = part.trim();
                let is_text = part.len() >= 2 && part.starts_with('\'') && part.ends_with('\'');
                (is_text || part.parse::<f64>().is_ok()).then(|| part.to_owned())
            })
            .collect()
    };
    match (literals(wide), literals(narrow)) {
        (Some(wide), Some(narrow)) => narrow.iter().all(|value| wide.contains(value)),
        _ => false,
    }
}
