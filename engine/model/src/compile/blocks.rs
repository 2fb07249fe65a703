//! Blocks: which steps a `parallel` owns (workflow.md §1.1). Ownership is computed from the arrows, never written down.
//!
//! ```text
//! heads ─► every step reachable from them, up to `join`, is the block's own;
//! an arrow from outside into the block, or out of it without `leave`, gives a step two owners: FW0304
//! ```

use std::collections::{HashMap, VecDeque};

use crate::Key;
use crate::diagnostic::At;
use crate::pack::workflow::{Action, Graph, Node, Target};

use super::context::Context;
use super::graph::targets;

/// Gives each node its block. Tokens come in by the entries, which stand at the top.
pub(super) fn assign(context: &Context<'_>, entries: &[&Target], graph: &mut Graph, at: &At) {
    let at = at.key("steps");
    let mut owners: HashMap<Key, Option<Key>> = HashMap::new();
    let mut open: VecDeque<(Key, Option<Key>, Option<Key>)> = VecDeque::new();
    let mut said = Vec::new();
    for entry in entries {
        if let Target::Node(key) = entry {
            open.push_back((key.clone(), None, None));
        }
    }
    while let Some((key, owner, from)) = open.pop_front() {
        let Some(node) = graph.nodes.get(&key) else { continue };
        if let Some(known) = owners.get(&key) {
            if *known != owner && !said.contains(&key) {
                let way = from.map_or_else(|| "a start or a rung".to_owned(), |from| format!("the step `{from}`"));
                let message = format!("{way} leads to `{key}`, which is {}", placed(known.as_ref()));
                let hint = "a way out of a block is `join`, `end` or `{\"leave\": …}`; none leads into it".to_owned();
                context.error_at_key("FW0304", &at.key(&key), message, Some(hint));
                said.push(key);
            }
            continue;
        }
        owners.insert(key.clone(), owner.clone());
        if let Action::Fork { branches, .. } = &node.action {
            open.extend(branches.values().map(|head| (head.clone(), Some(key.clone()), Some(key.clone()))));
        }
        for target in targets(node) {
            if let Target::Node(next) = target {
                open.push_back((next.clone(), owner.clone(), Some(key.clone())));
            }
        }
    }
    // What only a `leave` leads to is still to be placed, outside of the block that is left.
    place_left(graph, &mut owners, &mut open);
    for (key, node) in &mut graph.nodes {
        node.block = owners.get(key).cloned().flatten();
    }
    for node in graph.nodes.values() {
        words(context, graph, node, &at.key(&node.key));
    }
}

/// Steps that only a `leave` leads to stand at the top: no block owns them.
fn place_left(
    graph: &Graph,
    owners: &mut HashMap<Key, Option<Key>>,
    open: &mut VecDeque<(Key, Option<Key>, Option<Key>)>,
) {
    let left = graph.nodes.values().flat_map(targets).filter_map(|target| match target {
        Target::Leave(key) => Some(key.clone()),
        _ => None,
    });
    open.extend(left.filter(|key| !owners.contains_key(key)).map(|key| (key, None, None)).collect::<Vec<_>>());
    while let Some((key, ..)) = open.pop_front() {
        let Some(node) = graph.nodes.get(&key).filter(|_| !owners.contains_key(&key)) else { continue };
        owners.insert(key.clone(), None);
        open.extend(targets(node).into_iter().filter_map(|target| match target {
            Target::Node(next) => Some((next.clone(), None, None)),
            _ => None,
        }));
    }
}

/// `join` and `leave` stand in a block, and `leave` leads out of it.
fn words(context: &Context<'_>, graph: &Graph, node: &Node, at: &At) {
    for target in targets(node) {
        match (target, &node.block) {
            (Target::Join, None) => {
                let message = format!("`{}` stands in no block: there is nothing to join", node.key);
                context.error_at_key("FW0304", at, message, None);
            }
            (Target::Leave(_), None) => {
                let message = format!("`{}` stands in no block: there is nothing to leave", node.key);
                context.error_at_key("FW0304", at, message, None);
            }
            (Target::Leave(to), Some(block)) => {
                let wanted = graph.nodes.get(to).and_then(|node| node.block.as_ref());
                if !around(graph, block).any(|outer| outer == wanted) {
                    let message = format!("`leave` leads out of `{block}`, but `{to}` is {}", placed(wanted));
                    context.error_at_key("FW0304", at, message, None);
                }
            }
            _ => {}
        }
    }
}

/// What is around a block, from the inside out; the top is none.
pub(super) fn around<'g>(graph: &'g Graph, block: &'g Key) -> impl Iterator<Item = Option<&'g Key>> {
    let owner = |key: &Key| graph.nodes.get(key).and_then(|node| node.block.as_ref());
    std::iter::successors(Some(owner(block)), move |inner| inner.map(owner))
}

fn placed(block: Option<&Key>) -> String {
    block.map_or_else(|| "in no block".to_owned(), |block| format!("in the block of `{block}`"))
}
