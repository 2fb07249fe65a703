//! Steps: from what an author wrote to a node of the graph.

use indexmap::IndexMap;

use crate::diagnostic::At;
use crate::documents::Kind;
use crate::documents::common::{Given, Keyed};
use crate::documents::decision::Hit;
use crate::documents::steps::{self as author, Assignments, Step, StepOptions};
use crate::expr::duration::parse_iso;
use crate::expr::{self, Position, Scope, TableRef, Type};
use crate::pack::Setting;
use crate::pack::form::{Form, FormKind};
use crate::pack::workflow::{
    Action, AssignTo, Assignment, CommentBy, Event, Join, Node, NotifyStep, Target, Timer, Trigger,
};
use crate::value::Duration;
use crate::{Key, Value};

use super::workflow::Flow;
use super::{decision, form, template};

/// The node of a step; nothing where it has nothing to stand on.
pub(super) fn compile(flow: &Flow<'_, '_>, key: &str, step: &Step, at: &At) -> Option<Node> {
    let context = flow.context;
    let compiler = StepCompiler { flow, step, at };
    let goes_on = matches!(
        step.options,
        StepOptions::Decision(_)
            | StepOptions::Set(_)
            | StepOptions::Notify(_)
            | StepOptions::Script(_)
            | StepOptions::Parallel(_)
    );
    if step.common.next.is_some() && !goes_on {
        let message = format!("a `{}` step has no `next` of its own", step.kind);
        context.error_at_key("FW0405", &at.key("next"), message, None);
    }
    let set = compiler.assignments(&step.common.set, &at.key("set"));
    let action = match &step.options {
        StepOptions::User(step) => compiler.user(step),
        StepOptions::Approval(step) => compiler.approval(step),
        StepOptions::Choice(step) => compiler.choice(step),
        StepOptions::Decision(step) => compiler.decision(step),
        StepOptions::Set(_) => compiler.next().map(|next| Action::Set { next }),
        StepOptions::Notify(step) => compiler.notify(step),
        StepOptions::Wait(step) => compiler.wait(step),
        StepOptions::Parallel(step) => compiler.parallel(step),
        StepOptions::Script(step) => compiler.script(step),
        StepOptions::End(step) => Some(Action::End { outcome: step.outcome.as_deref().map(Key::from) }),
    };
    let label = context.label(step.common.label.as_ref(), key, at);
    let stage = step.common.stage.as_ref().map(|stage| flow.stage(stage, &at.key("stage")));
    let boundary = compiler.boundary(&step.common.boundary, &at.key("boundary"));
    Some(Node { key: key.into(), label, stage, action: action?, set, block: None, boundary })
}

pub(super) struct StepCompiler<'c, 'f, 'a> {
    pub(super) flow: &'c Flow<'f, 'a>,
    step: &'c Step,
    pub(super) at: &'c At,
}

impl StepCompiler<'_, '_, '_> {
    fn next(&self) -> Option<Target> {
        // The schema demands the key where a step goes on.
        self.step.common.next.as_ref().map(|next| self.flow.target(next, &self.at.key("next")))
    }

    fn choice(&self, step: &author::Choice) -> Option<Action> {
        let at = self.at;
        let mut branches = IndexMap::new();
        for (key, branch) in &step.branches {
            let at = at.key("branches").key(key);
            let next = self.flow.target(&branch.next, &at.key("next"));
            let scope = self.flow.scope();
            let condition = self.flow.context.check(&branch.condition, &scope, Some(&Type::Boolean), &at.key("if"));
            if let Some(condition) = condition {
                branches.insert(Key::from(key.as_str()), (condition, next));
            }
        }
        let otherwise = self.flow.target(&step.otherwise, &at.key("else"));
        (branches.len() == step.branches.len()).then_some(Action::Choice { branches, otherwise })
    }

    fn decision(&self, step: &author::Decision) -> Option<Action> {
        let context = self.flow.context;
        let at = self.at.key("decision");
        let next = self.next();
        let none = step.none.as_ref().map(|none| self.flow.target(none, &self.at.key("none")));
        if !context.refers_as("FW0306", Kind::Decision, &step.decision, &at) {
            return None;
        }
        let decision = context.documents.decisions.get(step.decision.as_str()).map(|document| &document.body);
        if decision.is_some_and(|decision| matches!(decision.hit, Hit::Collect)) {
            let message = format!("`{}` collects proposals; a step needs one answer", step.decision);
            context.error_hint("FW0306", &at, message, "give the decision `\"hit\": \"first\"`".to_owned());
        }
        let form = decision.map(|decision| &decision.form);
        if let (Some(form), Some(own)) = (form, self.flow.form)
            && **form != *own.key
        {
            let message = format!("`{}` decides about `{form}`, this workflow is for `{}`", step.decision, own.key);
            context.error("FW0306", &at, message);
        }
        Some(Action::Decision { decision: step.decision.as_str().into(), none, next: next? })
    }

    fn notify(&self, step: &author::Notify) -> Option<Action> {
        let context = self.flow.context;
        let at = self.at;
        let next = self.next();
        let to = context.setting(&step.to, &self.flow.scope(), &Type::Text, &at.key("to"));
        for (index, channel) in step.channels.iter().enumerate() {
            let Some(pack) = &context.documents.pack else { break };
            if !pack.body.channels.contains_key(channel) {
                let known = pack.body.channels.keys().map(String::as_str);
                context.unknown("FW0306", &at.key("channels").index(index), "channel", channel, known);
            }
        }
        match context.documents.templates.get(step.template.as_str()) {
            Some(texts) => template::unread(context, &step.template, texts, &step.data, &at.key("data")),
            None => {
                let known = context.documents.templates.keys().map(|key| &**key);
                context.unknown("FW0306", &at.key("template"), "template", &step.template, known);
            }
        }
        let language = step.language.as_ref();
        let language =
            language.and_then(|given| context.setting(given, &self.flow.scope(), &Type::Text, &at.key("language")));
        Some(Action::Notify(Box::new(NotifyStep {
            to: to?,
            channels: step.channels.iter().map(|channel| Key::from(channel.as_str())).collect(),
            template: step.template.as_str().into(),
            language,
            data: self.values(&step.data, &at.key("data")),
            next: next?,
        })))
    }

    fn wait(&self, step: &author::Wait) -> Option<Action> {
        let at = self.at.key("events");
        for (key, event) in &step.events {
            if event.interrupt.is_some() {
                let message = "`interrupt` belongs to an event of a `boundary`";
                self.flow.context.error_at_key("FW0405", &at.key(key).key("interrupt"), message, None);
            }
        }
        let events = self.events(&step.events, &at);
        (events.len() == step.events.len()).then_some(Action::Wait { events })
    }

    /// What may happen while the step waits: only a step that does can have a boundary.
    fn boundary(&self, events: &Keyed<author::Event>, at: &At) -> IndexMap<Key, Event> {
        let context = self.flow.context;
        let options = &self.step.options;
        if !events.is_empty()
            && !matches!(
                options,
                StepOptions::User(_) | StepOptions::Approval(_) | StepOptions::Wait(_) | StepOptions::Parallel(_)
            )
        {
            let message = format!("a `{}` step never waits: nothing can happen at its boundary", self.step.kind);
            context.error_at_key("FW0312", at, message, None);
        }
        if let StepOptions::Wait(wait) = options {
            for key in events.keys().filter(|key| wait.events.contains_key(*key)) {
                let message = format!("`{key}` is an event of the step already");
                context.error_at_key("FW0405", &at.key(key), message, None);
            }
        }
        self.events(events, at)
    }

    fn events(&self, events: &Keyed<author::Event>, at: &At) -> IndexMap<Key, Event> {
        let mut compiled = IndexMap::new();
        for (key, event) in events {
            let at = at.key(key);
            let scope = self.flow.scope_at(Position::Event).event(self.carried(event));
            let set = assigned_in(self.flow, &event.set, &scope, &at.key("set"));
            let next = self.flow.target(&event.next, &at.key("next"));
            if let Some(trigger) = self.trigger(event, &scope, &at) {
                let interrupt = event.interrupt.unwrap_or(true);
                compiled.insert(Key::from(key.as_str()), Event { trigger, interrupt, set, next });
            }
        }
        compiled
    }

    /// What the message of an event carries.
    fn carried(&self, event: &author::Event) -> Option<IndexMap<Key, Type>> {
        if event.comment.is_some() {
            return Some(IndexMap::from([(Key::from("text"), Type::Text)]));
        }
        let declared = self.flow.context.documents.pack.as_ref().map(|pack| &pack.body.messages)?;
        Some(super::pack::carried(declared.get(event.message.as_ref()?)?))
    }

    /// A public comment, as the message it is to whoever waits for one.
    fn comment(&self, by: author::CommentByWord, at: &At) -> Option<Trigger> {
        let by = match by {
            author::CommentByWord::Staff => CommentBy::Staff,
            author::CommentByWord::Public => CommentBy::Public,
        };
        let Some(form) = self.flow.form else {
            self.flow.context.error("FW0306", at, "a comment is on a record: say which form's, by `for`");
            return None;
        };
        if form.track().is_none() {
            let message = format!("nobody follows records of `{}` without logging in", form.key);
            self.flow.context.error_hint(
                "FW0318",
                &at.key("comment"),
                message,
                Some("give the form `public.track`".to_owned()),
            );
        }
        let key = expr::check("record.id", &self.flow.scope(), None).ok()?;
        Some(Trigger::Message { name: by.message(), key, filter: None })
    }

    fn parallel(&self, step: &author::Parallel) -> Option<Action> {
        let at = self.at.key("branches");
        let branches = step.branches.iter().map(|(branch, head)| {
            let head = self.flow.step(head, &[], &at.key(branch));
            (Key::from(branch.as_str()), head)
        });
        let branches: IndexMap<Key, Key> = branches.collect();
        let join = match step.join {
            author::Join::All => Join::All,
            author::Join::Need(need) => {
                if usize::try_from(need).is_ok_and(|need| need > branches.len()) {
                    let message = format!("{need} of {} branches can never arrive", branches.len());
                    self.flow.context.error("FW0304", &self.at.key("join"), message);
                }
                Join::Need(need)
            }
        };
        Some(Action::Fork { branches, join, next: self.next()? })
    }

    fn trigger(&self, event: &author::Event, scope: &Scope<'_>, at: &At) -> Option<Trigger> {
        let context = self.flow.context;
        if event.message.is_none() {
            for (present, key) in [(event.key.is_some(), "key"), (event.condition.is_some(), "if")] {
                if present {
                    let message = format!("`{key}` belongs to an event with `message`");
                    context.error_at_key("FW0405", &at.key(key), message, None);
                }
            }
        }
        if event.after.is_none() {
            for (present, key) in [(event.calendar.is_some(), "calendar"), (event.round.is_some(), "round")] {
                if present {
                    context.error_at_key(
                        "FW0405",
                        &at.key(key),
                        format!("`{key}` belongs to an event with `after`"),
                        None,
                    );
                }
            }
        }
        if event.by.is_some() != event.comment.is_some() {
            let key = if event.by.is_some() { "by" } else { "comment" };
            context.error_at_key("FW0405", &at.key(key), "`comment` and `by` belong together", None);
        }
        let own = self.flow.scope();
        match (&event.after, &event.until, &event.message) {
            _ if event.comment.is_some() => {
                if event.after.is_some() || event.until.is_some() || event.message.is_some() {
                    let message = "exactly one of `after`, `until`, `message` and `comment` is needed";
                    context.error_at_key("FW0117", at, message, None);
                }
                self.comment(event.by?, at)
            }
            (Some(after), None, None) => {
                let setting = context.setting(after, &own, &Type::Duration, &at.key("after"))?;
                let business = self.business(event.calendar.as_deref(), event.round, at);
                if business.is_some()
                    && matches!(&setting, Setting::Literal(Value::Duration(duration)) if duration.months != 0)
                {
                    context.error("FW0313", &at.key("after"), "a calendar has no months or years");
                }
                Some(Trigger::Timer(Timer::After(setting, business)))
            }
            (None, Some(until), None) => match context.setting(until, &own, &Type::DateTime, &at.key("until"))? {
                Setting::Expr(expr) => Some(Trigger::Timer(Timer::Until(expr))),
                Setting::Literal(_) => {
                    let hint = "write `=` and an expression, such as `=record.due_at`".to_owned();
                    let message = "a fixed instant is the same for every record";
                    context.error_hint("FW0402", &at.key("until"), message, Some(hint));
                    None
                }
            },
            (None, None, Some(name)) => self.message(name, event, &own, scope, at),
            _ => {
                if !self.flow.is_cut_in(at) {
                    let message = "exactly one of `after`, `until`, `message` and `comment` is needed";
                    context.error_at_key("FW0117", at, message, None);
                }
                None
            }
        }
    }

    fn message(
        &self,
        name: &str,
        event: &author::Event,
        own: &Scope<'_>,
        scope: &Scope<'_>,
        at: &At,
    ) -> Option<Trigger> {
        let context = self.flow.context;
        let declared = context.documents.pack.as_ref().map(|pack| &pack.body.messages)?;
        if !declared.contains_key(name) {
            let known = declared.keys().map(String::as_str);
            context.unknown("FW0306", &at.key("message"), "message", name, known);
            return None;
        }
        let Some(key) = &event.key else {
            let hint = Some("the usual key is the record's: `\"key\": \"record.id\"`".to_owned());
            context.error_at_key("FW0117", at, "an event with `message` needs a `key`", hint);
            return None;
        };
        let key = context.check(key, own, None, &at.key("key"));
        let filter = context.condition(event.condition.as_ref(), scope, &at.key("if"));
        Some(Trigger::Message { name: name.into(), key: key?, filter })
    }

    fn script(&self, step: &author::Script) -> Option<Action> {
        let context = self.flow.context;
        let at = self.at;
        let next = self.next();
        let known = &context.documents.scripts;
        if !known.contains_key(step.script.as_str()) {
            context.unknown("FW0306", &at.key("script"), "script", &step.script, known.keys().map(|key| &**key));
        }
        let mut outputs = IndexMap::new();
        for (key, word) in &step.outputs {
            match decision::named_type(word) {
                Some(ty) => {
                    outputs.insert(Key::from(key.as_str()), ty);
                }
                None => {
                    let words = decision::TYPE_WORDS.into_iter();
                    context.unknown("FW0306", &at.key("out").key(key), "type", word, words);
                }
            }
        }
        let inputs = self.values(&step.inputs, &at.key("in"));
        Some(Action::Script { script: step.script.as_str().into(), inputs, outputs, next: next? })
    }

    fn values(&self, given: &Keyed<Given>, at: &At) -> IndexMap<Key, Setting> {
        let scope = self.flow.scope();
        given
            .iter()
            .filter_map(|(key, given)| {
                let setting = self.flow.context.free_setting(given, &scope, &at.key(key))?;
                Some((Key::from(key.as_str()), setting))
            })
            .collect()
    }

    /// `set`: fields of the record that may be written, and variables.
    pub(super) fn assignments(&self, given: &Assignments, at: &At) -> Vec<Assignment> {
        assigned(self.flow, given, at)
    }

    pub(super) fn field(&self, name: &str, at: &At) -> Option<usize> {
        let form = self.flow.form?;
        form::position(self.flow.context, &form.key, &form.fields, name, at)
    }

    pub(super) fn duration(&self, text: &str, at: &At) -> Option<Duration> {
        let duration = parse_iso(text);
        if duration.is_none() {
            let hint = Some("write a duration as `P2D` or `PT4H`".to_owned());
            self.flow.context.error_hint("FW0402", at, format!("`{text}` is no duration"), hint);
        }
        duration
    }
}

/// `set`: fields of the record that may be written, and variables.
pub(super) fn assigned(flow: &Flow<'_, '_>, given: &Assignments, at: &At) -> Vec<Assignment> {
    assigned_in(flow, given, &flow.scope(), at)
}

fn assigned_in(flow: &Flow<'_, '_>, given: &Assignments, scope: &Scope<'_>, at: &At) -> Vec<Assignment> {
    let mut compiled = Vec::new();
    for (name, given) in given {
        let at = at.key(name);
        let Some((to, ty)) = assignable(flow, name, &at) else { continue };
        if let Some(value) = flow.context.setting(given, scope, &ty, &at) {
            compiled.push(Assignment { to, value });
        }
    }
    compiled
}

fn assignable(flow: &Flow<'_, '_>, name: &str, at: &At) -> Option<(AssignTo, Type)> {
    let context = flow.context;
    if let Some(var) = name.strip_prefix("vars.") {
        let vars = &flow.names.vars;
        let Some(ty) = vars.get(var) else {
            let hint = crate::structure::did_you_mean(var, vars.keys().map(|key| &**key));
            context.error_at_key("FW0306", at, format!("unknown variable `{var}`"), hint);
            return None;
        };
        return Some((AssignTo::Var(var.into()), ty.clone()));
    }
    let Some(form) = flow.form else {
        context.error_at_key("FW0306", at, format!("there is no record with a field `{name}`"), None);
        return None;
    };
    let Some((position, field)) = form.field(name) else {
        unknown_field(flow, form, name, at);
        return None;
    };
    if field.is_derived() || matches!(field.ty(), Type::Rows(_)) {
        let why = if field.is_derived() { "follows from other values" } else { "holds rows" };
        context.error_at_key("FW0308", at, format!("`{name}` {why}: a step cannot set it"), None);
        return None;
    }
    if form.kind == FormKind::Log {
        let message = format!("`{}` is a log, its entries are only added: a step cannot set `{name}`", form.key);
        context.error_at_key("FW0308", at, message, None);
        return None;
    }
    Some((AssignTo::Field(position), field.ty().clone()))
}

fn unknown_field(flow: &Flow<'_, '_>, form: &Form, name: &str, at: &At) {
    let shape = flow.context.shapes.tables.get(&TableRef::form(&form.key));
    if shape.is_some_and(|shape| shape.fields.contains_key(name)) {
        return;
    }
    let hint = crate::structure::did_you_mean(name, form.fields.iter().map(|field| &*field.key));
    flow.context.error_at_key("FW0306", at, format!("unknown field `{name}`"), hint);
}
