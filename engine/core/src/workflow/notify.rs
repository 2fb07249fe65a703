//! Messages: rendered now, stored in the outbox of this transaction, sent after it.

use std::sync::LazyLock;

use chrono::DateTime;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, escape_formatter};
use serde_json::{Map, json};

use formwork_model::Key;
use formwork_model::pack::material::Template;
use formwork_model::pack::workflow::{Node, NotifyStep};

use super::run::{Halt, Run, incident};
use crate::Stop;
use crate::change::OutboxMessage;
use crate::wire::render;

/// Instructions of a template.
const FUEL: u64 = 100_000;
/// Longest message, in bytes.
const BYTES_MAX: usize = 64 * 1024;

impl<'a> Run<'_, 'a> {
    /// One row of the outbox, or a row of history that says why not.
    pub(super) fn send(&mut self, node: &'a Node, activation: u64, step: &NotifyStep) -> Result<(), Halt> {
        let place = Some((&node.key, activation));
        if !self.instance.state.notify {
            self.note("message.skipped", place, json!({"template": step.template, "reason": "off"}));
            return Ok(());
        }
        let Some(to) = self.text(&node.key, &step.to)? else {
            self.note("message.skipped", place, json!({"template": step.template, "reason": "no address"}));
            return Ok(());
        };
        let Some(channel) = step.channels.iter().find(|channel| self.takes(channel, &to)) else {
            self.note("message.skipped", place, json!({"template": step.template, "reason": "no channel"}));
            return Ok(());
        };
        let Some(template) = self.pack.templates().get(&step.template) else {
            return Err(Stop::Fault(format!("there is no template `{}`", step.template)).into());
        };
        let text = self.rendered(&node.key, step, template)?;
        let (subject, body) =
            match text.strip_prefix("Subject:").map(|rest| rest.split_once('\n').unwrap_or((rest, ""))) {
                Some((subject, body)) => (Some(subject.trim().to_owned()), body.trim_start_matches('\n').to_owned()),
                None => (None, text),
            };
        let message = OutboxMessage {
            key: format!("{}:{}:{activation}", self.instance.id, node.key),
            pack: self.pack.key().clone(),
            channel: channel.clone(),
            template: step.template.clone(),
            to,
            subject,
            body,
            instance: self.instance.id,
            record: self.instance.record.clone(),
            created_at: self.turn.context.at,
        };
        let data = json!({"template": message.template, "channel": message.channel, "key": message.key});
        self.note("message.stored", place, data);
        self.turn.change.outbox.push(message);
        Ok(())
    }

    fn takes(&self, channel: &Key, to: &str) -> bool {
        self.pack.channels().get(channel).is_some_and(|channel| channel.takes.is_none_or(|kind| kind.fits(to)))
    }

    fn rendered(&self, step: &Key, notify: &NotifyStep, template: &Template) -> Result<String, Halt> {
        let language = match &notify.language {
            Some(language) => self.text(step, language)?,
            None => None,
        };
        let text = template.text(language.as_deref().unwrap_or_default());
        // All a template reads: what the step names, and the check has seen.
        let mut data = Map::new();
        for (key, setting) in &notify.data {
            let value = self.evaluated(step, |scene| scene.setting(setting))?;
            let ty = match setting {
                formwork_model::pack::Setting::Expr(expr) => expr.ty.clone(),
                formwork_model::pack::Setting::Literal(_) => formwork_model::expr::Type::Null,
            };
            data.insert(key.to_string(), render(&value, &ty));
        }
        let context = json!({"data": data});
        let zone = *self.pack.timezone();
        let mut environment = ENVIRONMENT.clone();
        // `{{ data.due_by | local }}`: an instant as people of the pack read it.
        environment.add_filter("local", move |text: String| match DateTime::parse_from_rfc3339(&text) {
            Ok(at) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
            Err(_) => text,
        });
        let rendered = environment.render_str(text, Serde(context));
        let rendered = rendered.map_err(|error| incident(step, "template_failed", format!("{error:#}")))?;
        if rendered.len() > BYTES_MAX {
            return Err(incident(step, "template_failed", format!("the message is longer than {BYTES_MAX} bytes")));
        }
        Ok(rendered)
    }
}

/// Templates of a pack are not ours: bounded, nothing to include, null prints nothing.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_formatter(|out, state, value| {
        if value.is_none() || value.is_undefined() {
            return Ok(());
        }
        match bool::try_from(value.clone()) {
            Ok(flag) if value.kind() == minijinja::value::ValueKind::Bool => {
                out.write_str(if flag { "true" } else { "false" }).map_err(minijinja::Error::from)
            }
            _ => escape_formatter(out, state, value),
        }
    });
    environment
});
