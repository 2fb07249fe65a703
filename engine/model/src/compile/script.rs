//! Scripts: that rhai can read them, and that every variable is given to them.

use crate::diagnostic::At;
use crate::documents::steps::StepOptions;
use crate::documents::{Kind, steps};
use crate::script::problem;

use super::context::Context;

/// Checks every script.
pub(super) fn check(context: &Context<'_>) {
    for (key, source) in &context.documents.scripts {
        let given = given(context, key);
        let given: Option<Vec<&str>> = given.as_ref().map(|words| words.iter().map(|word| &**word).collect());
        if let Some((span, message)) = problem(source, given.as_deref()) {
            context.error_at_bytes("FW0416", &At::file(&format!("scripts/{key}.rhai")), span, message);
        }
    }
}

/// The variables that every step gives to the script; nothing where no step uses it or a workflow cannot be read.
fn given<'d>(context: &Context<'d>, script: &str) -> Option<Vec<&'d str>> {
    let documents = context.documents;
    let readable = !documents.broken.iter().any(|(kind, _)| *kind == Kind::Workflow)
        && documents.workflows.values().all(|workflow| workflow.cut.is_empty());
    let steps = documents.workflows.values().flat_map(|workflow| workflow.body.steps.values());
    let mut uses = steps.filter_map(|step: &steps::Step| match &step.options {
        StepOptions::Script(step) if step.script == script => Some(&step.inputs),
        _ => None,
    });
    let mut common: Vec<&str> = uses.next().filter(|_| readable)?.keys().map(String::as_str).collect();
    for inputs in uses {
        common.retain(|word| inputs.contains_key(*word));
    }
    Some(common)
}
