//! The checked pack. A [`Pack`] exists only if every document in it was checked: it has no public fields, no default and
//! cannot be deserialised; the compiler makes it.

pub mod analytics;
pub mod calendar;
pub mod case;
pub mod decision;
pub mod form;
pub mod material;
pub mod public;
mod range;
pub mod sla;
pub mod workflow;

use std::sync::Arc;

use chrono_tz::Tz;
use indexmap::IndexMap;

use crate::expr::{Expr, Type};
use crate::value::Value;
use crate::{Key, Text};

use analytics::{Board, Dataset, Metric, Report};
use calendar::Calendar;
use case::Case;
use decision::Decision;
use form::Form;
use material::{Demo, Import, Seed, Template};
use workflow::Workflow;

/// A value of a definition: written out, or computed (`=…`).
#[derive(Debug, Clone)]
pub enum Setting {
    /// A constant.
    Literal(Value),
    /// An expression.
    Expr(Expr),
}

/// A checked pack.
#[derive(Debug)]
pub struct Pack {
    pub(crate) contents: Contents,
}

/// What a pack holds; filled by the compiler, read through [`Pack`].
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) key: Key,
    pub(crate) version: String,
    pub(crate) title: Text,
    pub(crate) hash: String,
    pub(crate) languages: Vec<String>,
    pub(crate) timezone: Tz,
    pub(crate) currency: String,
    pub(crate) roles: IndexMap<Key, Role>,
    pub(crate) queues: IndexMap<Key, Queue>,
    pub(crate) settings: IndexMap<Key, (Type, Value)>,
    pub(crate) channels: IndexMap<Key, Channel>,
    pub(crate) messages: IndexMap<Key, MessageKind>,
    pub(crate) nav: IndexMap<Key, NavGroup>,
    pub(crate) home: IndexMap<Key, NavTarget>,
    pub(crate) forms: IndexMap<Key, Arc<Form>>,
    pub(crate) workflows: IndexMap<Key, Arc<Workflow>>,
    pub(crate) calendars: IndexMap<Key, Arc<Calendar>>,
    pub(crate) decisions: IndexMap<Key, Arc<Decision>>,
    pub(crate) clocks: IndexMap<Key, Arc<Form>>,
    pub(crate) datasets: IndexMap<Key, Arc<Dataset>>,
    pub(crate) metrics: IndexMap<Key, Arc<Metric>>,
    pub(crate) reports: IndexMap<Key, Arc<Report>>,
    pub(crate) boards: IndexMap<Key, Arc<Board>>,
    pub(crate) templates: IndexMap<Key, Template>,
    pub(crate) scripts: IndexMap<Key, String>,
    pub(crate) imports: IndexMap<Key, Arc<Import>>,
    pub(crate) demos: IndexMap<Key, Arc<Demo>>,
    pub(crate) seeds: Vec<Seed>,
    pub(crate) cases: IndexMap<Key, Arc<Case>>,
}

macro_rules! read {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)*) => {
        impl Pack { $($(#[$doc])* pub fn $name(&self) -> &$ty { &self.contents.$name })* }
    };
}

read! {
    /// The folder's name: `crm`.
    key: Key;
    /// Semantic version.
    version: String;
    /// Shown to people.
    title: Text;
    /// SHA-256 over all files, hexadecimal: the identity of what runs.
    hash: String;
    /// Language tags, the first is the fallback.
    languages: Vec<String>;
    /// Zone of dates, buckets and schedules.
    timezone: Tz;
    /// ISO 4217 code of money.
    currency: String;
    /// Roles the pack declares.
    roles: IndexMap<Key, Role>;
    /// Queues.
    queues: IndexMap<Key, Queue>;
    /// `settings.x`: type and value.
    settings: IndexMap<Key, (Type, Value)>;
    /// Channels of messages.
    channels: IndexMap<Key, Channel>;
    /// Events from outside, by name.
    messages: IndexMap<Key, MessageKind>;
    /// Groups of the side bar.
    nav: IndexMap<Key, NavGroup>;
    /// Where a role lands; `*` is everybody.
    home: IndexMap<Key, NavTarget>;
    /// Forms.
    forms: IndexMap<Key, Arc<Form>>;
    /// Workflows.
    workflows: IndexMap<Key, Arc<Workflow>>;
    /// Business calendars.
    calendars: IndexMap<Key, Arc<Calendar>>;
    /// Decision tables.
    decisions: IndexMap<Key, Arc<Decision>>;
    /// The tables of clocks that datasets read, by [`analytics::clocks_key`].
    clocks: IndexMap<Key, Arc<Form>>;
    /// Datasets.
    datasets: IndexMap<Key, Arc<Dataset>>;
    /// Metrics.
    metrics: IndexMap<Key, Arc<Metric>>;
    /// Reports.
    reports: IndexMap<Key, Arc<Report>>;
    /// Boards.
    boards: IndexMap<Key, Arc<Board>>;
    /// Message templates.
    templates: IndexMap<Key, Template>;
    /// rhai sources by key.
    scripts: IndexMap<Key, String>;
    /// Import definitions.
    imports: IndexMap<Key, Arc<Import>>;
    /// Demo recipes.
    demos: IndexMap<Key, Arc<Demo>>;
    /// Seed rows.
    seeds: Vec<Seed>;
    /// Tests.
    cases: IndexMap<Key, Arc<Case>>;
}

impl Pack {
    /// The table a dataset reads: a form, or the clocks of one.
    pub fn table(&self, key: &str) -> Option<&Arc<Form>> {
        self.contents.forms.get(key).or_else(|| self.contents.clocks.get(key))
    }

    /// The form of that key; it exists, because the pack was checked.
    ///
    /// # Panics
    /// When the key is not of this pack: a defect of the caller.
    pub fn form(&self, key: &str) -> &Arc<Form> {
        self.contents.forms.get(key).unwrap_or_else(|| panic!("form `{key}` is not of pack `{}`", self.contents.key))
    }

    /// The metrics of that key that count rows: the metric itself, or those its formula comes down to, in order, each once.
    pub fn counted(&self, metric: &str) -> Vec<&Arc<Metric>> {
        let mut found: Vec<&Arc<Metric>> = Vec::new();
        let mut left: Vec<&str> = vec![metric];
        while let Some(key) = left.pop() {
            let Some(metric) = self.contents.metrics.get(key) else { continue };
            match &metric.measure {
                analytics::Measure::Formula(calculation) => {
                    left.extend(calculation.metrics().into_iter().rev().map(|key| &**key));
                }
                _ if found.iter().any(|known| known.key == metric.key) => {}
                _ => found.push(metric),
            }
        }
        found
    }

    /// `roles` and all they include, transitively, in the order of the pack.
    pub fn with_included_roles(&self, roles: &[Key]) -> Vec<Key> {
        let mut held: Vec<Key> = roles.to_vec();
        let mut next = 0;
        while next < held.len() {
            if let Some(role) = self.contents.roles.get(&held[next]) {
                for included in &role.includes {
                    if !held.contains(included) {
                        held.push(included.clone());
                    }
                }
            }
            next += 1;
        }
        held
    }
}

/// A role of the pack.
#[derive(Debug, Clone)]
pub struct Role {
    /// Shown to people.
    pub title: Text,
    /// Roles whose rights it has too.
    pub includes: Vec<Key>,
}

/// A queue of the pack.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Shown to people.
    pub title: Text,
    /// The role that leads it.
    pub lead: Option<Key>,
}

/// An event from outside that workflows wait for.
#[derive(Debug, Clone)]
pub struct MessageKind {
    /// Roles that may send it.
    pub from: Vec<Key>,
    /// What it carries.
    pub data: IndexMap<Key, Type>,
}

/// A channel of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// Where its messages go.
    pub kind: ChannelKind,
    /// The addresses it takes; absent: any.
    pub takes: Option<AddressKind>,
}

/// Kinds of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
}

impl AddressKind {
    /// Whether a text is such an address, as far as its form tells: enough to keep the two apart.
    pub fn fits(self, address: &str) -> bool {
        match self {
            AddressKind::Phone => {
                let digits = address.strip_prefix('+').unwrap_or(address);
                digits.chars().any(|c| c.is_ascii_digit())
                    && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')'))
            }
            AddressKind::Email => address.split_once('@').is_some_and(|(name, host)| {
                !name.is_empty() && !host.is_empty() && !host.contains('@') && !address.contains(char::is_whitespace)
            }),
        }
    }
}

/// Where messages of a channel go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// A signed POST to the address the environment gives.
    Webhook,
    /// A line in the outbox file of the data folder.
    File,
}

/// A group of the side bar.
#[derive(Debug, Clone)]
pub struct NavGroup {
    /// Shown to people.
    pub label: Text,
    /// Its entries.
    pub items: Vec<NavTarget>,
}

/// What `nav` and `home` lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NavTarget {
    /// A board.
    Board(Key),
    /// A form's records.
    Form(Key),
    /// A view of a form.
    View(Key, Key),
    /// A report.
    Report(Key),
    /// The inbox.
    Inbox,
}
