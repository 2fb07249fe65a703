//! Work for people: tasks opened, done, signed, returned.

use indexmap::IndexMap;
use serde_json::json;
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::workflow::{
    APPROVED, Action, Assign, AssignRule, IfEmpty, Mode, Node, Outcome, REJECTED, Resume, Target, TaskForm,
};

use super::run::{Halt, Run, incident};
use crate::Stop;
use crate::instance::{Pool, Signature, Task, TaskStatus, WayBack};

/// Rules of last resort that follow one another, at most.
const RULES_MAX: u32 = 8;

impl<'a> Run<'_, 'a> {
    /// A task for whoever the rule names.
    pub(super) fn open_task(
        &mut self,
        node: &'a Node,
        activation: u64,
        rule: &'a AssignRule,
        form: &'a TaskForm,
    ) -> Result<(), Halt> {
        let barred = self.barred(node, form)?;
        let nobody = || incident(&node.key, "empty_assignee", "the task would be nobody's");
        let (pool, assignee) = self.assigned(node, rule, &barred)?.ok_or_else(nobody)?;
        self.put(node, activation, form, (pool, assignee), barred, None).map(|_| ())
    }

    /// A task for each signer. Where the approval goes at once, if nobody is left to decide.
    pub(super) fn open_round(
        &mut self,
        node: &'a Node,
        activation: u64,
        who: &'a IndexMap<Key, AssignRule>,
        form: &'a TaskForm,
    ) -> Result<Option<&'a Target>, Halt> {
        let barred = self.barred(node, form)?;
        // Signatures that were given before the task was returned.
        let given = self.instance.state.rounds.remove(&activation).unwrap_or_default();
        let mut round = Vec::new();
        for (signer, rule) in who {
            if let Some(kept) = given.iter().find(|known| known.signer == *signer && known.approved.is_some()) {
                round.push(kept.clone());
                continue;
            }
            let (task, approved) = match self.assigned(node, rule, &barred)? {
                Some(to) => (Some(self.put(node, activation, form, to, barred.clone(), Some(signer))?), None),
                None => {
                    let data = json!({"signer": signer, "reason": "nobody"});
                    self.note("signature.skipped", Some((&node.key, activation)), data);
                    (None, Some(true))
                }
            };
            round.push(Signature { signer: signer.clone(), task, approved });
        }
        self.instance.state.rounds.insert(activation, round);
        self.settle_round(node, activation)
    }

    /// A task is done: its outcome assigns, the token goes on.
    pub(crate) fn complete(&mut self, task: &Task, key: &str, outcome: &'a Outcome) -> Result<(), Halt> {
        let node = self.node_of(task)?;
        let block = self.token(task.activation).map_or(0, |token| token.block);
        let back = self.instance.state.returns.get(&task.activation).cloned();
        let next = match &node.action {
            Action::Approval { .. } => {
                let round = self.instance.state.rounds.entry(task.activation).or_default();
                for signature in round.iter_mut().filter(|signature| signature.task == Some(task.id)) {
                    signature.approved = Some(key == APPROVED);
                }
                match self.settle_round(node, task.activation)? {
                    Some(next) => next,
                    None => return Ok(()),
                }
            }
            _ => {
                self.leave(node, task.activation, Some(key), &outcome.set, json!({"task": task.id}))?;
                &outcome.next
            }
        };
        match back {
            Some(back) => self.go_back(back, block),
            None => self.follow(next, block),
        }
    }

    /// A task is sent back: its step and every block up to the target's ends, and runs again from there; or only the
    /// target does, and then this step goes on where it was.
    pub(crate) fn send_back(&mut self, task: &Task, to: &'a Key, resume: Resume) -> Result<(), Halt> {
        let node = self.node_of(task)?;
        let block = self.token(task.activation).map_or(0, |token| token.block);
        let state = &self.instance.state;
        let back = (resume == Resume::BackToMe).then(|| WayBack {
            step: node.key.clone(),
            round: state.rounds.get(&task.activation).cloned().unwrap_or_default(),
            then: state.returns.get(&task.activation).cloned().map(Box::new),
        });
        self.cancel_inside(node, task.activation, "returned")?;
        self.leave(node, task.activation, Some("returned"), &[], json!({"task": task.id, "to": to}))?;
        let block = self.leave_blocks(to, block)?;
        let arrived = self.arrive(to, block)?;
        self.instance.state.returns.extend(back.map(|back| (arrived.activation, back)));
        self.proceed(vec![arrived])
    }

    /// A returned task is done: whoever returned it goes on.
    fn go_back(&mut self, back: WayBack, block: u64) -> Result<(), Halt> {
        let arrived = self.arrive(&back.step, block)?;
        let state = &mut self.instance.state;
        if !back.round.is_empty() {
            state.rounds.insert(arrived.activation, back.round);
        }
        state.returns.extend(back.then.map(|then| (arrived.activation, *then)));
        self.proceed(vec![arrived])
    }

    /// Whether somebody has decided anything yet.
    pub(crate) fn is_decided(&self) -> bool {
        let tasks = self.workflow.graph.nodes.values().filter(|node| node.task_form().is_some());
        let left = |node: &Node| self.instance.state.steps.get(&node.key).is_some_and(|step| step.outcome.is_some());
        let signed = |signature: &Signature| signature.task.is_some() && signature.approved.is_some();
        tasks.into_iter().any(left) || self.instance.state.rounds.values().flatten().any(signed)
    }

    /// Whether a token was ever at the step.
    pub(crate) fn has_reached(&self, step: &Key) -> bool {
        self.instance.state.steps.get(step).is_some_and(|step| step.count > 0)
    }

    fn node_of(&self, task: &Task) -> Result<&'a Node, Halt> {
        let gone = || Stop::Fault(format!("task {} stands at no token", task.id));
        Ok(self.resting(task.activation).ok_or_else(gone)?)
    }

    /// Counts the signatures (workflow.md §2.3); where the approval goes, once they decide. The rest is cancelled then.
    fn settle_round(&mut self, node: &'a Node, activation: u64) -> Result<Option<&'a Target>, Halt> {
        let Action::Approval { mode, veto, form, .. } = &node.action else { return Ok(None) };
        let round = self.instance.state.rounds.get(&activation).map(Vec::as_slice).unwrap_or_default();
        let Some(approved) = verdict(*mode, *veto, round) else { return Ok(None) };
        let key = if approved { APPROVED } else { REJECTED };
        let Some(outcome) = form.outcomes.get(key) else {
            return Err(Stop::Fault(format!("approval `{}` has no outcome `{key}`", node.key)).into());
        };
        self.cancel_tasks(activation, "decided")?;
        self.instance.state.rounds.remove(&activation);
        self.leave(node, activation, Some(key), &outcome.set, json!({}))?;
        Ok(Some(&outcome.next))
    }

    /// Who gets the task: the pool, and who holds it at once. None where nobody can and that is allowed.
    fn assigned(
        &self,
        node: &'a Node,
        rule: &'a AssignRule,
        barred: &[Uuid],
    ) -> Result<Option<(Pool, Option<Uuid>)>, Halt> {
        let mut rule = rule;
        for _ in 0..RULES_MAX {
            if let Some(found) = self.found(node, &rule.who, barred)? {
                return Ok(Some(found));
            }
            rule = match &rule.if_empty {
                IfEmpty::Incident => break,
                IfEmpty::Skip => return Ok(None),
                IfEmpty::Assign(next) => next,
            };
        }
        Err(incident(&node.key, "empty_assignee", "the task would be nobody's"))
    }

    fn found(&self, node: &'a Node, assign: &'a Assign, barred: &[Uuid]) -> Result<Option<(Pool, Option<Uuid>)>, Halt> {
        let context = self.turn.context;
        Ok(match assign {
            Assign::Role(role) => Some((Pool::Role(role.clone()), None)),
            Assign::Queue(queue) => {
                let queue = self.text(&node.key, queue)?;
                let known = queue.filter(|queue| context.pack.queues().contains_key(queue.as_str()));
                known.map(|queue| (Pool::Queue(Key::from(queue)), None))
            }
            Assign::Team(team) => {
                let Some(team) = self.text(&node.key, team)?.map(Key::from) else { return Ok(None) };
                context.team(&team)?.is_some().then_some((Pool::Team(team), None))
            }
            Assign::User(user) => {
                let user = self.evaluated(&node.key, |scene| scene.setting(user))?.as_id();
                let Some(user) = user.filter(|user| !barred.contains(user)) else { return Ok(None) };
                context.user(user)?.filter(|facts| facts.active).map(|_| (Pool::Person, Some(user)))
            }
        })
    }

    /// Four eyes: who may not do it.
    fn barred(&self, node: &'a Node, form: &'a TaskForm) -> Result<Vec<Uuid>, Halt> {
        let mut barred = Vec::new();
        for person in &form.not {
            barred.extend(self.evaluated(&node.key, |scene| scene.setting(person))?.as_id());
        }
        Ok(barred)
    }

    fn put(
        &mut self,
        node: &'a Node,
        activation: u64,
        form: &'a TaskForm,
        (pool, assignee): (Pool, Option<Uuid>),
        barred: Vec<Uuid>,
        signer: Option<&Key>,
    ) -> Result<Uuid, Halt> {
        let due_at =
            form.due.as_ref().map(|due| self.after(&node.key, &due.after, due.business.as_ref())).transpose()?;
        let task = Task {
            id: self.turn.ids.next(),
            instance: self.instance.id,
            workflow: self.workflow.key.clone(),
            pack_hash: self.instance.pack_hash.clone(),
            activation,
            step: node.key.clone(),
            record: self.instance.record.clone(),
            pool,
            assignee,
            owner: None,
            starter: self.instance.started_by,
            barred,
            signer: signer.cloned(),
            status: TaskStatus::Open,
            created_at: self.turn.context.at,
            due_at,
            closed: None,
            outcome: None,
            copies: Vec::new(),
            reminders: Vec::new(),
        };
        let id = task.id;
        let data = json!({"task": task.id, "pool": task.pool, "assignee": task.assignee});
        self.note("task.created", Some((&node.key, activation)), data);
        self.turn.put_task(task);
        Ok(id)
    }
}

/// Whether the signatures approve or reject; none while they do neither.
///
/// N signers, A approvals, R rejections. `all`: A = N; with veto the first R rejects, without when all have acted.
/// `any`: A ≥ 1; with veto the first R rejects, without when R = N.
fn verdict(mode: Mode, veto: bool, round: &[Signature]) -> Option<bool> {
    let count = |vote: bool| round.iter().filter(|signature| signature.approved == Some(vote)).count();
    let (signers, approvals, rejections) = (round.len(), count(true), count(false));
    let approved = match mode {
        Mode::All => approvals == signers,
        Mode::Any => approvals >= 1,
    };
    let rejected = match (mode, veto) {
        (_, true) => rejections >= 1,
        (Mode::All, false) => rejections >= 1 && approvals + rejections == signers,
        (Mode::Any, false) => rejections == signers,
    };
    if approved { Some(true) } else { rejected.then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_decide_as_the_table_says() {
        let round = |votes: &str| -> Vec<Signature> {
            let vote = |letter| match letter {
                'a' => Some(true),
                'r' => Some(false),
                _ => None,
            };
            let signature = |letter| Signature { signer: "s".into(), task: None, approved: vote(letter) };
            votes.chars().map(signature).collect()
        };
        for (mode, veto, votes, expected) in [
            (Mode::All, true, "...", None),
            (Mode::All, true, "aa.", None),
            (Mode::All, true, "aaa", Some(true)),
            (Mode::All, true, "ar.", Some(false)),
            (Mode::All, false, "ar.", None),
            (Mode::All, false, "ara", Some(false)),
            (Mode::Any, true, ".a.", Some(true)),
            (Mode::Any, true, ".r.", Some(false)),
            (Mode::Any, false, ".r.", None),
            (Mode::Any, false, "rra", Some(true)),
            (Mode::Any, false, "rrr", Some(false)),
        ] {
            assert_eq!(verdict(mode, veto, &round(votes)), expected, "{mode:?} {veto} {votes}");
        }
    }
}
