//! Blocks: tokens side by side, their join, and how what is not needed any more ends.
//!
//! ```text
//! fork: its token waits ─► a token for each branch, in the block of the fork's activation
//!       ▲                       │ join, end
//!       └── leaves and goes on ◄┴─ when enough have arrived, or none is left; the rest is cancelled
//! ```

use indexmap::IndexMap;
use serde_json::json;

use formwork_model::Key;
use formwork_model::pack::workflow::{Action, Join, Node, Target};

use super::run::{Arrived, Halt, Run};
use crate::Stop;
use crate::instance::TaskStatus;

impl<'a> Run<'_, 'a> {
    /// A token for the head of each branch, all in the block before the first of them acts.
    pub(super) fn fork(&mut self, activation: u64, branches: &'a IndexMap<Key, Key>) -> Result<Vec<Arrived<'a>>, Halt> {
        self.instance.state.blocks.insert(activation, 0);
        branches.values().map(|head| self.arrive(head, activation)).collect()
    }

    /// A token of the block has ended, at its join or elsewhere. Where the fork goes on and in which block, if that was
    /// what it waited for.
    pub(super) fn ended(&mut self, block: u64, joined: bool) -> Result<Option<(&'a Target, u64)>, Halt> {
        let Some(arrived) = self.instance.state.blocks.get_mut(&block) else { return Ok(None) };
        *arrived += u32::from(joined);
        let arrived = *arrived;
        let Some((node, Action::Fork { join, next, .. })) = self.resting(block).map(|node| (node, &node.action)) else {
            return Err(Stop::Fault(format!("block {block} of instance {} has no fork", self.instance.id)).into());
        };
        let empty = self.instance.state.tokens.iter().all(|token| token.block != block);
        let enough = matches!(join, Join::Need(need) if arrived >= *need);
        if !empty && !enough {
            return Ok(None);
        }
        let outer = self.token(block).map_or(0, |token| token.block);
        self.cancel_block(block, "joined")?;
        self.leave(node, block, None, &[], json!({"arrived": arrived}))?;
        Ok(Some((next, outer)))
    }

    /// Cancels the block, and those around it, up to the one that owns the step; that one's activation.
    pub(super) fn leave_blocks(&mut self, step: &Key, block: u64) -> Result<u64, Halt> {
        let graph = &self.workflow.graph;
        let owner = graph.nodes.get(step).and_then(|node| node.block.as_ref());
        let mut block = block;
        while block != 0 && self.token(block).map(|token| &token.step) != owner {
            let outer = self.token(block).map_or(0, |token| token.block);
            self.cancel_token(block, "left")?;
            block = outer;
        }
        Ok(block)
    }

    /// What was going on inside of a step that an event ends: its task, or its block.
    pub(super) fn cancel_inside(&mut self, node: &Node, activation: u64, reason: &str) -> Result<(), Halt> {
        match &node.action {
            Action::User { .. } => self.cancel_tasks(activation, reason),
            Action::Approval { .. } => {
                self.instance.state.rounds.remove(&activation);
                self.cancel_tasks(activation, reason)
            }
            Action::Fork { .. } => self.cancel_block(activation, reason),
            _ => Ok(()),
        }
    }

    /// Every token, with all that waits for it: the instance is over.
    pub(crate) fn cancel_all(&mut self, reason: &str) -> Result<(), Halt> {
        self.cancel_block(0, reason)
    }

    fn cancel_block(&mut self, block: u64, reason: &str) -> Result<(), Halt> {
        let inside = self.instance.state.tokens.iter().filter(|token| token.block == block);
        for activation in inside.map(|token| token.activation).collect::<Vec<_>>() {
            self.cancel_token(activation, reason)?;
        }
        self.instance.state.blocks.remove(&block);
        Ok(())
    }

    /// A token goes no further: nothing waits for it any more.
    pub(super) fn cancel_token(&mut self, activation: u64, reason: &str) -> Result<(), Halt> {
        let Some(node) = self.resting(activation) else { return Ok(()) };
        self.cancel_inside(node, activation, reason)?;
        self.disarm(node, activation);
        self.instance.state.tokens.retain(|token| token.activation != activation);
        self.instance.state.pending.retain(|pending| *pending != activation);
        self.instance.state.returns.remove(&activation);
        let at = self.turn.context.at;
        self.instance.state.steps.entry(node.key.clone()).or_default().left_at = Some(at);
        self.note("step.cancelled", Some((&node.key, activation)), json!({"reason": reason}));
        Ok(())
    }

    pub(super) fn cancel_tasks(&mut self, activation: u64, reason: &str) -> Result<(), Halt> {
        let open = self.turn.open_tasks(self.instance.id)?;
        for mut task in open.into_iter().filter(|task| task.activation == activation) {
            task.status = TaskStatus::Cancelled;
            task.closed = Some((self.turn.context.at, self.turn.actor().user));
            let data = json!({"task": task.id, "reason": reason});
            self.note("task.cancelled", Some((&task.step.clone(), activation)), data);
            self.turn.put_task(task);
        }
        Ok(())
    }
}
