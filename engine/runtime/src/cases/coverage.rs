//! What of a pack its cases went through.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use formwork_core::Viewer;
use formwork_model::pack::case::{CaseVerb, TaskAct};
use formwork_model::pack::workflow::Action;
use formwork_model::{Key, Pack};
use formwork_store::Fault;

use super::expect::EVENTS_MAX;
use super::world::World;

/// Parts of a pack: all there are, or those that were gone through.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// `complaint.handle`.
    steps: BTreeSet<String>,
    /// Ways out of steps: `complaint.handle ask`.
    branches: BTreeSet<String>,
    /// `routing.high_claim`.
    rules: BTreeSet<String>,
    /// Fields that a role wrote, or was expected to see: `ticket.phone as agent`.
    fields: BTreeSet<String>,
}

impl Coverage {
    /// Everything a pack has.
    pub fn whole(pack: &Pack) -> Self {
        let mut whole = Self::default();
        for (workflow, node) in pack
            .workflows()
            .values()
            .flat_map(|workflow| workflow.graph.nodes.values().map(move |node| (&workflow.key, node)))
        {
            whole.steps.insert(format!("{workflow}.{}", node.key));
            let ways: Vec<&str> = match &node.action {
                Action::User { form, .. } | Action::Approval { form, .. } => {
                    form.outcomes.keys().map(|key| &**key).collect()
                }
                Action::Choice { branches, .. } => branches.keys().map(|key| &**key).chain(["else"]).collect(),
                Action::Decision { none: Some(_), .. } => vec!["none"],
                Action::Wait { events } => events.keys().map(|key| &**key).collect(),
                _ => Vec::new(),
            };
            let ways = ways.into_iter().chain(node.boundary.keys().map(|key| &**key));
            whole.branches.extend(ways.map(|way| format!("{workflow}.{} {way}", node.key)));
        }
        for decision in pack.decisions().values() {
            whole.rules.extend(decision.rules.keys().map(|rule| format!("{}.{rule}", decision.key)));
        }
        for form in pack.forms().values() {
            for role in form.access.keys() {
                whole.fields.extend(form.fields.iter().map(|field| pair(&form.key, &field.key, role)));
            }
        }
        whole
    }

    /// Adds what another case went through.
    pub fn add(&mut self, other: &Self) {
        self.steps.extend(other.steps.iter().cloned());
        self.branches.extend(other.branches.iter().cloned());
        self.rules.extend(other.rules.iter().cloned());
        self.fields.extend(other.fields.iter().cloned());
    }

    /// Says how much of the whole this is, and what is missing.
    pub fn of<'a>(&'a self, whole: &'a Self) -> impl fmt::Display + 'a {
        Report { seen: self, whole }
    }

    /// The viewer named these fields, as whatever roles of theirs have access to the form.
    pub(super) fn saw<'k>(
        &mut self,
        pack: &Pack,
        viewer: &Viewer,
        form: &Key,
        fields: impl Iterator<Item = &'k String>,
    ) {
        let form = pack.form(form);
        let roles: Vec<&Key> = viewer.roles.iter().filter(|role| form.access.contains_key(*role)).collect();
        for (_, field) in fields.filter_map(|name| form.field(name)) {
            self.fields.extend(roles.iter().map(|role| pair(&form.key, &field.key, role)));
        }
    }
}

impl World<'_> {
    /// Counts the fields somebody writes, or tries to.
    pub(super) fn cover_values(&mut self, viewer: &Viewer, verb: &CaseVerb) {
        let (form, values) = match verb {
            CaseVerb::Create { form, values, .. } | CaseVerb::Evaluate { form, values } => (Some(form), values),
            CaseVerb::Update { record, values }
            | CaseVerb::Task {
                record, act: TaskAct::Complete { fields: values, .. } | TaskAct::Resolve(values), ..
            } => (self.records.get(record).map(|(form, _)| form), values),
            _ => return,
        };
        if let Some(form) = form.cloned() {
            self.coverage.saw(&self.pack, viewer, &form, values.keys());
        }
    }

    /// Counts the steps, ways and rules that the history tells of.
    pub(super) async fn cover_events(&mut self) -> Result<(), Fault> {
        let mut workflows = HashMap::new();
        for (_, event) in self.engine.store().events(0, EVENTS_MAX).await? {
            if event.kind == "instance.started" {
                workflows.insert(event.instance, event.data["workflow"].as_str().unwrap_or_default().to_owned());
            }
            let (Some((step, _)), Some(workflow)) = (&event.step, workflows.get(&event.instance)) else { continue };
            let place = format!("{workflow}.{step}");
            match event.kind.as_str() {
                "step.entered" => {
                    self.coverage.steps.insert(place);
                }
                "step.left" | "timer.fired" | "message.received" => {
                    let way = event.data["outcome"].as_str().or_else(|| event.data["event"].as_str());
                    self.coverage.branches.extend(way.map(|way| format!("{place} {way}")));
                    let decision = &event.data["decision"];
                    if let (Some(table), Some(rule)) = (decision["key"].as_str(), decision["rule"].as_str()) {
                        self.coverage.rules.insert(format!("{table}.{rule}"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn pair(form: &Key, field: &Key, role: &Key) -> String {
    format!("{form}.{field} as {role}")
}

struct Report<'a> {
    seen: &'a Coverage,
    whole: &'a Coverage,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, whole } = self;
        for (word, seen, whole, named) in [
            ("steps", &seen.steps, &whole.steps, true),
            ("branches", &seen.branches, &whole.branches, true),
            ("decision rules", &seen.rules, &whole.rules, true),
            ("fields by role", &seen.fields, &whole.fields, false),
        ] {
            let missing: Vec<&str> = whole.difference(seen).map(String::as_str).collect();
            write!(f, "  {word:<15} {} of {}", whole.len() - missing.len(), whole.len())?;
            if named && !missing.is_empty() {
                write!(f, "; not {}", missing.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
