//! One instance running to rest.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::workflow::{AssignTo, Assignment, Node, Target, Workflow};
use formwork_model::{Key, Pack, Value};

use crate::Stop;
use crate::change::{Event, Incident};
use crate::eval::RowView;
use crate::form::Session;
use crate::instance::{Instance, InstanceStatus, Token};
use crate::record::Record;
use crate::scene::{Context, Scene};
use crate::turn::Turn;
use crate::wire::fitted;

/// Most steps of one instance in one transaction.
const STEPS_MAX: u32 = 1_000;
/// Most activations of one instance.
const ACTIVATIONS_MAX: u64 = 100_000;

/// An instance while it runs.
pub(crate) struct Run<'t, 'a> {
    pub(super) turn: &'t mut Turn<'a>,
    /// The pack the instance is pinned to.
    pub(super) pack: &'a Arc<Pack>,
    pub(super) workflow: &'a Arc<Workflow>,
    /// The record it works on.
    pub(super) session: Option<&'t mut Session<'a>>,
    pub(super) instance: Instance,
    /// What the message carries that is being taken in.
    pub(super) event: Option<IndexMap<Key, Value>>,
    /// How the instance ends, if it ends now.
    pub(super) ending: Option<Key>,
    steps: u32,
}

/// A token that has arrived at a step.
pub(crate) struct Arrived<'a> {
    pub(super) node: &'a Node,
    pub(super) activation: u64,
}

/// What became of a token when its step acted.
pub(super) enum Moved<'a> {
    /// It left, along this arrow.
    On(&'a Target),
    /// It waits.
    Rests,
    /// It waits for these to join.
    Forks(Vec<Arrived<'a>>),
}

/// Why a run goes no further.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Facts are missing, or a defect of ours.
    Stop(Stop),
    /// An administrator must look at it.
    Incident {
        /// Where it stands.
        step: Key,
        /// What kind.
        code: &'static str,
        /// What happened.
        message: String,
    },
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Halt::Stop(stop)
    }
}

impl<'t, 'a> Run<'t, 'a> {
    pub(crate) fn new(
        turn: &'t mut Turn<'a>,
        pack: &'a Arc<Pack>,
        workflow: &'a Arc<Workflow>,
        session: Option<&'t mut Session<'a>>,
        instance: Instance,
    ) -> Self {
        Self { turn, pack, workflow, session, instance, event: None, ending: None, steps: 0 }
    }

    /// A token follows an arrow within a block (0 outside of all), and goes on until it and all that it set off rest or
    /// end. Branches run one after another in the order of the file.
    pub(crate) fn follow(&mut self, target: &'a Target, block: u64) -> Result<(), Halt> {
        let ready = self.reach(target, block)?.into_iter().collect();
        self.proceed(ready)
    }

    /// Tokens that have arrived go on until they rest or end.
    pub(super) fn proceed(&mut self, mut ready: Vec<Arrived<'a>>) -> Result<(), Halt> {
        while let Some(Arrived { node, activation }) = ready.pop() {
            // A sibling may have ended the block meanwhile.
            let Some(block) = self.token(activation).map(|token| token.block) else { continue };
            let moved = self.act(node, activation).and_then(|moved| match moved {
                Moved::On(target) => Ok(self.reach(target, block)?.into_iter().collect()),
                Moved::Rests => Ok(Vec::new()),
                Moved::Forks(heads) => Ok(heads),
            });
            match moved {
                Ok(next) => ready.extend(next.into_iter().rev()),
                Err(halt) => {
                    let waiting = ready.iter().map(|arrived| arrived.activation);
                    self.instance.state.pending.extend(waiting.chain([activation]));
                    return Err(halt);
                }
            }
        }
        Ok(())
    }

    /// A token arrives while the instance stands still: its step acts when somebody helps it on.
    pub(super) fn await_help(&mut self, target: &'a Target) -> Result<(), Halt> {
        if let Some(arrived) = self.reach(target, 0)? {
            // In front: the last is where it stands still, and a jump leads on from there.
            self.instance.state.pending.insert(0, arrived.activation);
        }
        Ok(())
    }

    /// Acts the steps that an incident stopped, as if their tokens had just arrived.
    pub(crate) fn retry(&mut self) -> Result<(), Halt> {
        let pending = std::mem::take(&mut self.instance.state.pending);
        let arrived = |activation: u64| self.resting(activation).map(|node| Arrived { node, activation });
        let ready = pending.into_iter().filter_map(arrived).collect();
        self.proceed(ready)
    }

    /// A token that an incident stopped goes on at another step, of its own block or one around it; the other stopped
    /// ones act.
    pub(crate) fn jump(&mut self, from: u64, to: &'a Key) -> Result<(), Halt> {
        let block = self.token(from).map_or(0, |token| token.block);
        self.instance.state.pending.retain(|activation| *activation != from);
        self.cancel_token(from, "jumped")?;
        let block = self.leave_blocks(to, block)?;
        let arrived = self.arrive(to, block)?;
        self.instance.state.pending.push(arrived.activation);
        self.retry()
    }

    /// Where an arrow leads: a token arrives there, or none where the arrow ends it.
    fn reach(&mut self, target: &'a Target, mut block: u64) -> Result<Option<Arrived<'a>>, Halt> {
        let mut target = target;
        loop {
            let key = match target {
                Target::Node(key) => key,
                Target::Leave(key) => {
                    block = self.leave_blocks(key, block)?;
                    key
                }
                Target::End | Target::Join => match self.ended(block, *target == Target::Join)? {
                    Some((next, outer)) => {
                        (target, block) = (next, outer);
                        continue;
                    }
                    None => return Ok(None),
                },
            };
            return self.arrive(key, block).map(Some);
        }
    }

    /// A token leaves a step: its outcome is known to what the step assigns, and nothing waits at it any more.
    pub(crate) fn leave(
        &mut self,
        node: &'a Node,
        activation: u64,
        outcome: Option<&str>,
        before: &'a [Assignment],
        data: Json,
    ) -> Result<(), Halt> {
        let at = self.turn.context.at;
        let actor = self.turn.actor().user;
        let left = self.instance.state.steps.entry(node.key.clone()).or_default();
        left.left_at = Some(at);
        left.outcome = outcome.map(str::to_owned);
        left.actor = actor;
        self.assign(&node.key, before)?;
        self.assign(&node.key, &node.set)?;
        self.instance.state.tokens.retain(|token| token.activation != activation);
        self.instance.state.returns.remove(&activation);
        self.disarm(node, activation);
        let mut data = data;
        if let Some(outcome) = outcome {
            data["outcome"] = json!(outcome);
        }
        self.note("step.left", Some((&node.key, activation)), data);
        Ok(())
    }

    /// Writes what the run came to: the instance as it is now, completed or with an incident.
    pub(crate) fn finish(mut self, result: Result<(), Halt>) -> Result<Uuid, Stop> {
        match result {
            Err(Halt::Stop(stop)) => return Err(stop),
            Err(Halt::Incident { step, code, message }) => {
                self.stop_at(&step)?;
                open_incident(self.turn, &mut self.instance, &step, code, message);
            }
            Ok(()) if self.instance.state.tokens.is_empty() => {
                self.instance.status = InstanceStatus::Completed;
                let outcome = self.ending.clone();
                self.note("instance.completed", None, json!({"outcome": outcome}));
            }
            Ok(()) => {}
        }
        let id = self.instance.id;
        self.turn.change.put_instance(self.instance);
        Ok(id)
    }

    /// The record is gone: everything ends, and is written.
    pub(crate) fn cancel(self, reason: &str) -> Result<(), Stop> {
        self.end(InstanceStatus::Cancelled, "instance.cancelled", reason, &[])
    }

    /// Whoever started it takes it back: everything ends, what the author says is assigned, and it is written.
    pub(crate) fn withdraw(self, set: &'a [Assignment]) -> Result<(), Stop> {
        self.end(InstanceStatus::Withdrawn, "instance.withdrawn", "withdrawn", set)
    }

    fn end(mut self, status: InstanceStatus, kind: &str, reason: &str, set: &'a [Assignment]) -> Result<(), Stop> {
        let done = self.cancel_all(reason).and_then(|()| self.assign(&Key::from("withdraw"), set));
        match done {
            Ok(()) => {}
            Err(Halt::Stop(stop)) => return Err(stop),
            Err(Halt::Incident { message, .. }) => return Err(Stop::Fault(message)),
        }
        self.instance.status = status;
        self.note(kind, None, json!({"reason": reason}));
        self.turn.change.put_instance(self.instance);
        Ok(())
    }

    /// What an expression of the workflow stands in.
    pub(super) fn with_scene<T>(&self, run: impl FnOnce(&Scene<'_>) -> T) -> T {
        let context = self.context();
        let record = self.session.as_ref().map(|session| self.laid_out(&context, session.record()));
        let old = self.session.as_ref().and_then(|session| session.old()).map(|old| self.laid_out(&context, old));
        let mut scene = Scene::new(context, record.iter().map(RowView::from).collect());
        scene.old = old.as_ref();
        scene.instance = Some(&self.instance);
        scene.event = self.event.as_ref();
        run(&scene)
    }

    /// The scene's answer; what an expression cannot do is an incident at the step.
    pub(super) fn evaluated<T>(&self, step: &Key, run: impl FnOnce(&Scene<'_>) -> Result<T, Stop>) -> Result<T, Halt> {
        match self.with_scene(run) {
            Err(Stop::Fault(message) | Stop::Overflow(message)) => Err(incident(step, "expression_failed", message)),
            Err(Stop::TooMany(too_many)) => {
                let message = format!("a look-up into `{}`: {}", too_many.form, too_many.told(self.pack, "en"));
                Err(incident(step, too_many.code(), message))
            }
            other => Ok(other?),
        }
    }

    /// Assigns in the order of the file, each seeing those before it; computed fields follow.
    pub(super) fn assign(&mut self, step: &Key, assignments: &'a [Assignment]) -> Result<(), Halt> {
        let mut wrote = false;
        for assignment in assignments {
            let value = self.evaluated(step, |scene| scene.setting(&assignment.value))?;
            match &assignment.to {
                AssignTo::Var(key) => {
                    let value = match self.workflow.vars.get(key) {
                        Some(var) => fitted(value, &var.ty).ok_or_else(|| too_large(step, key))?,
                        None => value,
                    };
                    self.instance.state.vars.insert(key.clone(), value);
                }
                AssignTo::Field(position) => {
                    let form = self.workflow.form.as_ref().and_then(|form| self.pack.forms().get(form));
                    let key = form.and_then(|form| form.fields.get(*position)).map(|field| field.key.clone());
                    // A field that has gone since the instance started is written no more.
                    let Some((session, key)) = self.session.as_mut().zip(key) else { continue };
                    let Some((place, field)) = session.form().field(&key) else { continue };
                    session.assign(place, fitted(value, field.ty()).ok_or_else(|| too_large(step, &key))?);
                    wrote = true;
                }
            }
        }
        if let Some(session) = self.session.as_mut().filter(|_| wrote) {
            session.derive()?;
            let needs = session.take_needs();
            if !needs.is_empty() {
                return Err(Stop::Need(needs).into());
            }
        }
        Ok(())
    }

    /// Adds a row of the instance's history.
    pub(super) fn note(&mut self, kind: &str, step: Option<(&Key, u64)>, data: Json) {
        let step = step.map(|(step, activation)| (step.clone(), activation));
        self.turn.event(kind, self.instance.record.clone(), Some(self.instance.id), step, data);
    }

    /// A token arrives at a step: what the step does is still to come.
    pub(super) fn arrive(&mut self, key: &Key, block: u64) -> Result<Arrived<'a>, Halt> {
        let workflow = self.workflow;
        let Some(node) = workflow.graph.nodes.get(key) else {
            return Err(Stop::Fault(format!("workflow `{}` has no step `{key}`", workflow.key)).into());
        };
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(incident(key, "runaway", format!("more than {STEPS_MAX} steps without a rest")));
        }
        let state = &mut self.instance.state;
        let activation = state.next_activation;
        if activation >= ACTIVATIONS_MAX {
            return Err(incident(key, "runaway", format!("more than {ACTIVATIONS_MAX} steps in one instance")));
        }
        state.next_activation += 1;
        state.tokens.push(Token { activation, step: node.key.clone(), block });
        let step = state.steps.entry(node.key.clone()).or_default();
        step.count += 1;
        step.entered_at = Some(self.turn.context.at);
        self.note("step.entered", Some((&node.key, activation)), json!({}));
        if let Some(stage) = node.stage.as_ref().filter(|stage| self.instance.state.stage.as_ref() != Some(*stage)) {
            self.instance.state.stage = Some(stage.clone());
            let data = json!({"workflow": self.workflow.key, "stage": stage});
            self.note("instance.staged", Some((&node.key, activation)), data);
        }
        Ok(Arrived { node, activation })
    }

    /// The step that failed is acted once more when it is retried: what it had begun is not done, nothing waits at it.
    fn stop_at(&mut self, step: &Key) -> Result<(), Stop> {
        let failed = self.instance.state.tokens.iter().rev().find(|token| token.step == *step);
        let failed = failed.map(|token| token.activation);
        self.instance.state.pending.extend(failed.filter(|failed| !self.instance.state.pending.contains(failed)));
        for activation in self.instance.state.pending.clone() {
            let Some(node) = self.resting(activation) else { continue };
            match self.cancel_inside(node, activation, "incident") {
                Err(Halt::Stop(stop)) => return Err(stop),
                Err(Halt::Incident { message, .. }) => return Err(Stop::Fault(message)),
                Ok(()) => self.disarm(node, activation),
            }
            let key = format!("{}:{step}:{activation}", self.instance.id);
            let change = &mut self.turn.change;
            change.outbox.retain(|message| !message.key.starts_with(&key));
            let sent = |event: &Event| {
                event.kind == "message.stored" && event.step.as_ref().is_some_and(|at| at.1 == activation)
            };
            change.events.retain(|event| event.instance != Some(self.instance.id) || !sent(event));
        }
        Ok(())
    }

    /// The live token of an activation.
    pub(super) fn token(&self, activation: u64) -> Option<&Token> {
        self.instance.state.tokens.iter().find(|token| token.activation == activation)
    }

    fn context(&self) -> Context<'a> {
        let running = self.turn.context;
        if self.pack.hash() == running.pack.hash() {
            return running;
        }
        Context { pack: self.pack, stored_as: Some(running.pack), completed: self.turn.pinned, ..running }
    }

    /// The record as the instance's own pack lays it out.
    fn laid_out(&self, context: &Context<'_>, record: &Record) -> Record {
        match self.workflow.form.as_ref().and_then(|form| self.pack.forms().get(form)) {
            Some(form) => context.laid_out(form, record),
            None => record.clone(),
        }
    }
}

/// Lets an instance stand still until an administrator looks at it.
pub(crate) fn open_incident(
    turn: &mut Turn<'_>,
    instance: &mut Instance,
    step: &Key,
    code: &'static str,
    message: String,
) {
    instance.status = InstanceStatus::Failed;
    let activation = instance.state.tokens.iter().rev().find(|token| token.step == *step).map(|token| token.activation);
    let data = json!({"code": code, "message": message});
    let at_step = Some((step.clone(), activation.unwrap_or(0)));
    turn.event("incident.opened", instance.record.clone(), Some(instance.id), at_step, data);
    let at = turn.context.at;
    turn.change.incidents.push(Incident { instance: instance.id, step: step.clone(), code, message, at });
}

pub(super) fn incident(step: &Key, code: &'static str, message: impl Into<String>) -> Halt {
    Halt::Incident { step: step.clone(), code, message: message.into() }
}

fn too_large(step: &Key, key: &Key) -> Halt {
    incident(step, "expression_failed", format!("the value for `{key}` is too large"))
}
