//! Changes of workflows: steps that come, go or become another kind.

use crate::pack::Pack;
use crate::pack::workflow::Workflow;

use super::{ChangeClass, Plan};

/// Adds the changes of all workflows. They concern new instances only: a running one is pinned to its version.
pub(super) fn compare(deployed: Option<&Pack>, wanted: &Pack, plan: &mut Plan) {
    let before = |key: &str| deployed.and_then(|deployed| deployed.workflows().get(key));
    for workflow in wanted.workflows().values() {
        match before(&workflow.key) {
            None => plan.push(ChangeClass::Add, format!("workflows/{}", workflow.key), None),
            Some(before) => steps(before, workflow, plan),
        }
    }
    for workflow in deployed.into_iter().flat_map(|deployed| deployed.workflows().values()) {
        if !wanted.workflows().contains_key(&workflow.key) {
            plan.push(ChangeClass::Hide, format!("workflows/{}", workflow.key), None);
        }
    }
}

fn steps(before: &Workflow, wanted: &Workflow, plan: &mut Plan) {
    let at = |key: &str| format!("workflows/{}/steps/{key}", wanted.key);
    for node in wanted.graph.nodes.values() {
        match before.graph.nodes.get(&node.key) {
            None => plan.push(ChangeClass::Add, at(&node.key), None),
            Some(old) if old.action.name() != node.action.name() => {
                let detail = format!("{} → {}", old.action.name(), node.action.name());
                plan.push(ChangeClass::Convert, at(&node.key), Some(detail));
            }
            Some(_) => {}
        }
    }
    for key in wanted.sla.keys() {
        let at = format!("workflows/{}/sla/{key}", wanted.key);
        if !before.sla.contains_key(key) {
            plan.push(ChangeClass::Add, at, None);
        }
    }
    for key in before.sla.keys().filter(|key| !wanted.sla.contains_key(*key)) {
        plan.push(ChangeClass::Hide, format!("workflows/{}/sla/{key}", wanted.key), None);
    }
    for node in before.graph.nodes.values() {
        if !wanted.graph.nodes.contains_key(&node.key) {
            plan.push(ChangeClass::Hide, at(&node.key), None);
        }
    }
}
