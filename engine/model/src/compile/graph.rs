//! What the arrows of a workflow make: steps nobody reaches, ways that never end, loops that never wait.

use std::collections::HashSet;

use crate::diagnostic::At;
use crate::pack::workflow::{Action, Graph, Node, Resume, Target};

use super::blocks;
use super::context::Context;

/// FW0301, FW0302 and FW0303 of `workflow.md` §1.6.
pub(super) fn check(context: &Context<'_>, entries: &[&Target], graph: &Graph, at: &At) {
    let at = at.key("steps");
    let arrows = Arrows::of(graph);
    let reached = arrows.reached_from(entries.iter().filter_map(|entry| position(graph, entry)));
    let ends = arrows.that_end();
    let mut said_endless = false;
    for (index, key) in graph.nodes.keys().enumerate() {
        let at = at.key(key);
        if !reached.contains(&index) {
            context.error_at_key("FW0301", &at, format!("no way leads to the step `{key}`"), None);
        } else if !ends.contains(&index) && !said_endless {
            // One is enough: all steps on the same way have the same fault.
            said_endless = true;
            context.error_at_key("FW0302", &at, format!("no way leads from the step `{key}` to an end"), None);
        }
    }
    for node in graph.nodes.values() {
        returns(context, graph, &arrows, node, &at.key(&node.key));
    }
    for cycle in arrows.cycles_without_wait(graph) {
        let words: Vec<String> =
            cycle.iter().chain(cycle.first()).map(|index| format!("`{}`", graph.nodes[*index].key)).collect();
        let first = &graph.nodes[cycle[0]].key;
        let message = format!("a loop that never waits: {}", words.join(" → "));
        let hint = Some("let a task or a `wait` step stand in it".to_owned());
        context.error_at_key("FW0303", &at.key(first), message, hint);
    }
}

/// A task can only go back to a step that leads to it, in its own block or one around it.
fn returns(context: &Context<'_>, graph: &Graph, arrows: &Arrows, node: &Node, at: &At) {
    let to = node.task_form().into_iter().flat_map(|form| &form.return_to).enumerate();
    for (index, key) in to {
        let at = at.key("return").key("to").index(index);
        let Some(target) = graph.nodes.get_index_of(key) else { continue };
        let block = graph.nodes[target].block.as_ref();
        let own = graph.nodes.get_index_of(&node.key).unwrap_or(usize::MAX);
        if !arrows.reached_from([target].into_iter()).contains(&own) || target == own {
            let message = format!("`{key}` does not come before `{}`", node.key);
            context.error("FW0317", &at, message);
        } else if node.block.as_ref() != block
            && !node.block.as_ref().is_some_and(|own| blocks::around(graph, own).any(|outer| outer == block))
        {
            let message = format!("`{key}` stands in a block that `{}` is not in", node.key);
            context.error("FW0317", &at, message);
        } else if node.task_form().is_some_and(|form| form.resume.contains(&Resume::BackToMe))
            && (node.block.as_ref() != block || graph.nodes[target].task_form().is_none())
        {
            let message = format!("`back_to_me` needs a task of the same block to return to; `{key}` is none");
            context.error("FW0317", &at, message);
        }
    }
}

/// Where the arrows of a node lead.
pub(crate) fn targets(node: &Node) -> Vec<&Target> {
    let mut targets: Vec<&Target> = match &node.action {
        Action::User { form, .. } | Action::Approval { form, .. } => {
            form.outcomes.values().map(|outcome| &outcome.next).collect()
        }
        Action::Choice { branches, otherwise } => branches.values().map(|(_, next)| next).chain([otherwise]).collect(),
        Action::Decision { none, next, .. } => none.iter().chain([next]).collect(),
        Action::Set { next } | Action::Script { next, .. } | Action::Fork { next, .. } => vec![next],
        Action::Notify(step) => vec![&step.next],
        Action::Wait { events } => events.values().map(|event| &event.next).collect(),
        Action::End { .. } => Vec::new(),
    };
    targets.extend(node.boundary.values().map(|event| &event.next));
    targets
}

fn position(graph: &Graph, target: &Target) -> Option<usize> {
    match target {
        Target::Node(key) | Target::Leave(key) => graph.nodes.get_index_of(key),
        Target::End | Target::Join => None,
    }
}

/// The nodes a token may be on after this one; the heads of a fork, too.
fn after(graph: &Graph, node: &Node) -> Vec<usize> {
    let mut after: Vec<usize> = targets(node).into_iter().filter_map(|target| position(graph, target)).collect();
    if let Action::Fork { branches, .. } = &node.action {
        after.extend(branches.values().filter_map(|head| graph.nodes.get_index_of(head)));
    }
    after
}

struct Arrows {
    /// Nodes each node leads to.
    next: Vec<Vec<usize>>,
    /// Nodes that can end the token themselves.
    ending: Vec<bool>,
    /// Of forks: what follows their join, which alone says whether they lead to an end.
    only: Vec<Option<Option<usize>>>,
}

impl Arrows {
    fn of(graph: &Graph) -> Self {
        let nodes = graph.nodes.values();
        let next = nodes.clone().map(|node| after(graph, node));
        // At a join a token ends, too: whether the workflow does is asked of the fork.
        let ends = |to: &Target| matches!(to, Target::End | Target::Join);
        let ending =
            nodes.clone().map(|node| matches!(node.action, Action::End { .. }) || targets(node).into_iter().any(ends));
        let only = nodes.clone().map(|node| match &node.action {
            Action::Fork { next, .. } => Some(position(graph, next)),
            _ => None,
        });
        Self { next: next.collect(), ending: ending.collect(), only: only.collect() }
    }

    fn reached_from(&self, first: impl Iterator<Item = usize>) -> HashSet<usize> {
        let mut open: Vec<usize> = first.collect();
        let mut reached = HashSet::new();
        while let Some(index) = open.pop() {
            if reached.insert(index) {
                open.extend(&self.next[index]);
            }
        }
        reached
    }

    fn that_end(&self) -> HashSet<usize> {
        let mut ends: HashSet<usize> = (0..self.next.len()).filter(|index| self.ending[*index]).collect();
        loop {
            let more: Vec<usize> =
                (0..self.next.len()).filter(|index| !ends.contains(index) && self.leads_to(*index, &ends)).collect();
            if more.is_empty() {
                return ends;
            }
            ends.extend(more);
        }
    }

    fn leads_to(&self, index: usize, ends: &HashSet<usize>) -> bool {
        match self.only[index] {
            Some(joined) => joined.is_some_and(|next| ends.contains(&next)),
            None => self.next[index].iter().any(|to| ends.contains(to)),
        }
    }

    /// One loop for each way back, among the steps that never wait.
    fn cycles_without_wait(&self, graph: &Graph) -> Vec<Vec<usize>> {
        let waits = |index: usize| graph.nodes[index].waits();
        let mut cycles = Vec::new();
        let mut done = HashSet::new();
        for start in 0..self.next.len() {
            self.walk(start, &waits, &mut Vec::new(), &mut done, &mut cycles);
        }
        cycles
    }

    fn walk(
        &self,
        index: usize,
        waits: &dyn Fn(usize) -> bool,
        path: &mut Vec<usize>,
        done: &mut HashSet<usize>,
        cycles: &mut Vec<Vec<usize>>,
    ) {
        if waits(index) || done.contains(&index) {
            return;
        }
        if let Some(start) = path.iter().position(|open| *open == index) {
            cycles.push(path[start..].to_vec());
            return;
        }
        path.push(index);
        for next in &self.next[index] {
            self.walk(*next, waits, path, done, cycles);
        }
        path.pop();
        done.insert(index);
    }
}
