//! Decision tables: which rule hits, what it gives, and why (workflow.md §6).

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use formwork_model::pack::decision::{Cell, Decision, Hit};
use formwork_model::{Key, Value};

use crate::Stop;
use crate::scene::Scene;
use crate::wire::{fitted, render};

/// What a decision came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decided {
    /// This rule, with these outputs.
    Rule {
        /// Its key.
        rule: Key,
        /// By name.
        outputs: IndexMap<Key, Value>,
        /// What was seen.
        inputs: IndexMap<Key, Value>,
    },
    /// No rule matched.
    Nothing,
    /// Several rules matched where one may (`unique`), or they do not agree (`any`).
    Ambiguous(Vec<Key>),
}

/// The rules that match, with what each gives, and what was seen.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// In the order of the file; only the first where the policy says so.
    pub(crate) hits: Vec<(Key, IndexMap<Key, Value>)>,
    /// What was seen.
    inputs: IndexMap<Key, Value>,
}

/// The rules of a decision that match, in a scene whose frame 0 is the record.
pub(crate) fn hits(decision: &Decision, scene: &Scene<'_>) -> Result<Hits, Stop> {
    let mut inputs = IndexMap::new();
    for (key, expr) in &decision.inputs {
        inputs.insert(key.clone(), scene.value(expr)?);
    }
    let mut hits: Vec<(Key, IndexMap<Key, Value>)> = Vec::new();
    for (key, rule) in &decision.rules {
        if !matches(&rule.cells, &inputs, scene)? {
            continue;
        }
        let mut within = scene.clone();
        within.inputs = Some(&inputs);
        let mut outputs = IndexMap::new();
        for ((name, ty), expr) in decision.outputs.iter().zip(&rule.outputs) {
            let too_large = || Stop::Overflow(format!("output `{name}` of rule `{key}` is too large"));
            outputs.insert(name.clone(), fitted(within.value(expr)?, ty).ok_or_else(too_large)?);
        }
        hits.push((key.clone(), outputs));
        if decision.hit == Hit::First {
            break;
        }
    }
    Ok(Hits { hits, inputs })
}

/// The one answer of a decision, in a scene whose frame 0 is the record.
pub(crate) fn evaluate(decision: &Decision, scene: &Scene<'_>) -> Result<Decided, Stop> {
    let Hits { hits, inputs } = hits(decision, scene)?;
    let agree = hits.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let ambiguous = match decision.hit {
        Hit::First => false,
        // The checker lets no step use a table that collects.
        Hit::Unique | Hit::Collect => hits.len() > 1,
        Hit::Any => !agree,
    };
    if ambiguous {
        return Ok(Decided::Ambiguous(hits.into_iter().map(|(rule, _)| rule).collect()));
    }
    Ok(match hits.into_iter().next() {
        Some((rule, outputs)) => Decided::Rule { rule, outputs, inputs },
        None => Decided::Nothing,
    })
}

/// Why: the rule, the inputs seen, the outputs given; kept in the history of the step.
pub(crate) fn explanation(
    decision: &Decision,
    rule: &Key,
    inputs: &IndexMap<Key, Value>,
    outputs: &IndexMap<Key, Value>,
) -> Json {
    let seen = inputs.iter().zip(decision.inputs.values());
    let seen = Map::from_iter(seen.map(|((key, value), expr)| (key.to_string(), render(value, &expr.ty))));
    let given = outputs.iter().zip(decision.outputs.values());
    let given = Map::from_iter(given.map(|((key, value), ty)| (key.to_string(), render(value, ty))));
    json!({"key": decision.key, "rule": rule, "inputs": seen, "outputs": given})
}

fn matches(cells: &[Cell], inputs: &IndexMap<Key, Value>, scene: &Scene<'_>) -> Result<bool, Stop> {
    for (cell, input) in cells.iter().zip(inputs.values()) {
        let Cell::Test(expr) = cell else { continue };
        let mut within = scene.clone();
        within.inputs = Some(inputs);
        within.cell = Some(input);
        if !within.holds(expr)? {
            return Ok(false);
        }
    }
    Ok(true)
}
