//! What entering each kind of step does.

use indexmap::IndexMap;
use serde_json::json;

use formwork_model::expr::{Expr, Type};
use formwork_model::pack::Setting;
use formwork_model::pack::workflow::{Action, Node, Target};
use formwork_model::{Key, Value};

use super::run::{Halt, Moved, Run, incident};
use super::script;
use crate::Stop;
use crate::decision::{Decided, evaluate, explanation};
use crate::wire::fitted;

impl<'a> Run<'_, 'a> {
    /// Does what the step does.
    pub(super) fn act(&mut self, node: &'a Node, activation: u64) -> Result<Moved<'a>, Halt> {
        let next = match &node.action {
            Action::User { assign, form } => {
                self.open_task(node, activation, assign, form)?;
                return self.rest(node, activation, Moved::Rests);
            }
            Action::Approval { who, form, .. } => match self.open_round(node, activation, who, form)? {
                Some(next) => next,
                None => return self.rest(node, activation, Moved::Rests),
            },
            Action::Wait { events } => {
                self.arm_one(node, activation, events)?;
                return self.rest(node, activation, Moved::Rests);
            }
            Action::Fork { branches, .. } => {
                let heads = self.fork(activation, branches)?;
                return self.rest(node, activation, Moved::Forks(heads));
            }
            Action::Choice { branches, otherwise } => self.choose(node, activation, branches, otherwise)?,
            Action::Decision { decision, none, next } => {
                self.decide(node, activation, decision, none.as_ref(), next)?
            }
            Action::Set { next } => {
                self.leave(node, activation, None, &[], json!({}))?;
                next
            }
            Action::Notify(step) => {
                self.send(node, activation, step)?;
                self.leave(node, activation, None, &[], json!({}))?;
                &step.next
            }
            Action::Script { script, inputs, outputs, next } => {
                self.run_script(node, script, inputs, outputs)?;
                self.leave(node, activation, None, &[], json!({}))?;
                next
            }
            Action::End { outcome } => {
                self.leave(node, activation, outcome.as_deref(), &[], json!({}))?;
                self.ending = outcome.clone();
                &Target::End
            }
            _ => return Err(Stop::Fault(format!("step `{}` is of a kind this release cannot run", node.key)).into()),
        };
        Ok(Moved::On(next))
    }

    /// The token waits, and so do the events at the boundary of its step.
    fn rest(&mut self, node: &'a Node, activation: u64, moved: Moved<'a>) -> Result<Moved<'a>, Halt> {
        self.arm(node, activation, &node.boundary)?;
        Ok(moved)
    }

    /// The first branch in file order that is true.
    fn choose(
        &mut self,
        node: &'a Node,
        activation: u64,
        branches: &'a IndexMap<Key, (Expr, Target)>,
        otherwise: &'a Target,
    ) -> Result<&'a Target, Halt> {
        for (branch, (condition, target)) in branches {
            if self.evaluated(&node.key, |scene| scene.holds(condition))? {
                self.leave(node, activation, Some(branch), &[], json!({}))?;
                return Ok(target);
            }
        }
        self.leave(node, activation, Some("else"), &[], json!({}))?;
        Ok(otherwise)
    }

    fn decide(
        &mut self,
        node: &'a Node,
        activation: u64,
        decision: &Key,
        none: Option<&'a Target>,
        next: &'a Target,
    ) -> Result<&'a Target, Halt> {
        let Some(table) = self.pack.decisions().get(decision) else {
            return Err(Stop::Fault(format!("there is no decision `{decision}`")).into());
        };
        match self.evaluated(&node.key, |scene| evaluate(table, scene))? {
            Decided::Rule { rule, outputs, inputs } => {
                let data = json!({"decision": explanation(table, &rule, &inputs, &outputs)});
                self.put_outputs(&node.key, outputs);
                self.leave(node, activation, Some(&rule), &[], data)?;
                Ok(next)
            }
            Decided::Nothing => match none {
                Some(target) => {
                    self.put_outputs(&node.key, IndexMap::new());
                    self.leave(
                        node,
                        activation,
                        Some("none"),
                        &[],
                        json!({"decision": {"key": decision, "rule": null}}),
                    )?;
                    Ok(target)
                }
                None => Err(incident(&node.key, "no_rule", format!("no rule of `{decision}` matches"))),
            },
            Decided::Ambiguous(rules) => {
                let rules: Vec<String> = rules.iter().map(|rule| format!("`{rule}`")).collect();
                let message = format!("several rules of `{decision}` match: {}", rules.join(", "));
                Err(incident(&node.key, "ambiguous_rules", message))
            }
        }
    }

    fn run_script(
        &mut self,
        node: &'a Node,
        script: &Key,
        inputs: &IndexMap<Key, Setting>,
        outputs: &IndexMap<Key, Type>,
    ) -> Result<(), Halt> {
        let Some(source) = self.pack.scripts().get(script) else {
            return Err(Stop::Fault(format!("there is no script `{script}`")).into());
        };
        let mut given = IndexMap::new();
        for (key, setting) in inputs {
            given.insert(key.clone(), self.evaluated(&node.key, |scene| scene.setting(setting))?);
        }
        match script::run(source, &given, outputs) {
            Ok(outputs) => {
                self.put_outputs(&node.key, outputs);
                Ok(())
            }
            Err(message) => Err(incident(&node.key, "script_failed", message)),
        }
    }

    /// Keeps the outputs of a step: its newest activation is what `step.<id>.<output>` reads.
    fn put_outputs(&mut self, step: &Key, outputs: IndexMap<Key, Value>) {
        let left = self.instance.state.steps.entry(step.clone()).or_default();
        left.outputs = outputs.into_iter().collect();
    }

    /// The value of a setting as a text; none where it is null.
    pub(super) fn text(&self, step: &Key, setting: &Setting) -> Result<Option<String>, Halt> {
        let value = self.evaluated(step, |scene| scene.setting(setting))?;
        Ok(match fitted(value, &Type::Text) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        })
    }
}
