//! What a token waits for beside people: points in time, and messages.

use chrono::{DateTime, TimeDelta, Utc};
use indexmap::IndexMap;
use serde_json::json;
use uuid::Uuid;

use formwork_model::expr::{Expr, Type};
use formwork_model::pack::workflow::{Business, Event, Node, Timer, Trigger};
use formwork_model::value::Duration;
use formwork_model::{Key, Value};

use super::run::{Halt, Run, incident};
use crate::calendar;
use crate::eval::time::add_to_instant;
use crate::ids::Ids;
use crate::instance::{Instance, Subscription, TimerRow};
use crate::wire::render;

/// Longest a timer may run (workflow.md §4).
const HORIZON: TimeDelta = TimeDelta::days(3_653);

impl<'a> Run<'_, 'a> {
    /// Arms the events of a wait; the first that fires wins. A wait for nothing would stand still for ever.
    pub(super) fn arm_one(
        &mut self,
        node: &'a Node,
        activation: u64,
        events: &'a IndexMap<Key, Event>,
    ) -> Result<(), Halt> {
        match self.arm(node, activation, events)? {
            0 => Err(incident(&node.key, "never_due", "no event of the wait can ever fire")),
            _ => Ok(()),
        }
    }

    /// Arms events; one whose time is null never fires. How many were armed.
    pub(super) fn arm(
        &mut self,
        node: &'a Node,
        activation: u64,
        events: &'a IndexMap<Key, Event>,
    ) -> Result<usize, Halt> {
        let mut armed = 0;
        for (event, armed_by) in events {
            let due_at = match &armed_by.trigger {
                Trigger::Message { name, key, .. } => {
                    armed += usize::from(self.subscribe(node, activation, event, name, key)?);
                    continue;
                }
                Trigger::Timer(timer) => self.due_at(&node.key, timer)?,
            };
            let Some(due_at) = due_at else { continue };
            armed += 1;
            if due_at - self.turn.context.at > HORIZON {
                return Err(incident(&node.key, "timer_horizon", format!("`{event}` would fire after {due_at}")));
            }
            self.turn.change.timers_set.push(TimerRow {
                id: wait_id(&self.instance, activation, event),
                instance: self.instance.id,
                pack: self.pack.key().clone(),
                activation,
                event: event.clone(),
                due_at,
            });
        }
        Ok(armed)
    }

    /// Nothing waits at the activation any more.
    pub(super) fn disarm(&mut self, node: &Node, activation: u64) {
        for (key, event) in node.waits_for().into_iter().flatten().chain(&node.boundary) {
            self.disarm_event(activation, key, event);
        }
    }

    fn disarm_event(&mut self, activation: u64, key: &Key, event: &Event) {
        let id = wait_id(&self.instance, activation, key);
        match event.trigger {
            Trigger::Timer(_) => self.turn.disarm(id),
            Trigger::Message { .. } => self.turn.unsubscribe(id),
        }
    }

    /// Waits for a message; not where its key is null.
    fn subscribe(
        &mut self,
        node: &'a Node,
        activation: u64,
        event: &Key,
        name: &Key,
        key: &'a Expr,
    ) -> Result<bool, Halt> {
        let value = self.evaluated(&node.key, |scene| scene.value(key))?;
        let Some(key) = message_key(&value, &key.ty) else { return Ok(false) };
        self.turn.change.subscriptions_set.push(Subscription {
            id: wait_id(&self.instance, activation, event),
            instance: self.instance.id,
            pack: self.pack.key().clone(),
            activation,
            event: event.clone(),
            name: name.clone(),
            key,
        });
        Ok(true)
    }

    /// A message arrives: whether the event waits for what it carries. Then it fires.
    pub(crate) fn receive(&mut self, activation: u64, key: &Key, carried: IndexMap<Key, Value>) -> Result<bool, Halt> {
        let Some(node) = self.resting(activation) else { return Ok(false) };
        let Some(Trigger::Message { filter, .. }) = node.event(key).map(|event| &event.trigger) else {
            return Ok(false);
        };
        self.event = Some(carried);
        if let Some(filter) = filter
            && !self.evaluated(&node.key, |scene| scene.holds(filter))?
        {
            return Ok(false);
        }
        self.settle()?;
        self.fire(activation, key)
    }

    /// An event fires: the winner of a wait moves its token on; one at a boundary ends the step, or sends a second token
    /// on its way. False where the token is gone.
    pub(crate) fn fire(&mut self, activation: u64, key: &Key) -> Result<bool, Halt> {
        let Some(node) = self.resting(activation) else { return Ok(false) };
        let Some(event) = node.event(key) else { return Ok(false) };
        let block = self.token(activation).map_or(0, |token| token.block);
        let kind = match event.trigger {
            Trigger::Timer(_) => "timer.fired",
            Trigger::Message { .. } => "message.received",
        };
        self.note(kind, Some((&node.key, activation)), json!({"event": key}));
        if event.interrupt {
            self.cancel_inside(node, activation, key)?;
            self.leave(node, activation, Some(key), &event.set, json!({}))?;
        } else {
            // A message may come again, a point in time not.
            if matches!(event.trigger, Trigger::Timer(_)) {
                self.disarm_event(activation, key, event);
            }
            self.assign(&node.key, &event.set)?;
        }
        self.follow(&event.next, block)?;
        Ok(true)
    }

    /// The step a live token rests at.
    pub(crate) fn resting(&self, activation: u64) -> Option<&'a Node> {
        let token = self.instance.state.tokens.iter().find(|token| token.activation == activation)?;
        self.workflow.graph.nodes.get(&token.step)
    }

    fn due_at(&self, step: &Key, timer: &Timer) -> Result<Option<DateTime<Utc>>, Halt> {
        match timer {
            Timer::After(setting, business) => match self.evaluated(step, |scene| scene.setting(setting))? {
                Value::Duration(duration) => self.after(step, &duration, business.as_ref()).map(Some),
                _ => Ok(None),
            },
            Timer::Until(expr) => Ok(self.evaluated(step, |scene| scene.value(expr))?.as_datetime()),
        }
    }

    /// Counted from when the step was entered: a step that is retried is not late by that. Without a calendar, months
    /// and days are civil in the pack's zone, times elapsed.
    pub(super) fn after(
        &self,
        step: &Key,
        duration: &Duration,
        business: Option<&Business>,
    ) -> Result<DateTime<Utc>, Halt> {
        let context = self.turn.context;
        let entered = self.instance.state.steps.get(step).and_then(|state| state.entered_at);
        let entered = entered.unwrap_or(context.at);
        let due = match business {
            None => add_to_instant(entered, duration, *context.pack.timezone()),
            // Calendars are always the current ones.
            Some(business) => match context.pack.calendars().get(&business.calendar) {
                Some(calendar) => calendar::add(calendar, entered, duration, business.day_end),
                None => return Err(incident(step, "no_calendar", format!("calendar `{}` is gone", business.calendar))),
            },
        };
        due.ok_or_else(|| incident(step, "timer_horizon", "the time is out of range"))
    }
}

/// What tells messages apart, as a text; none where it is null.
fn message_key(value: &Value, ty: &Type) -> Option<String> {
    match render(value, ty) {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The id of a timer or subscription follows from what it is, so that it can be ended without being loaded.
fn wait_id(instance: &Instance, activation: u64, event: &Key) -> Uuid {
    Ids::named(instance.started_at, &format!("{}:{activation}:{event}", instance.id))
}
