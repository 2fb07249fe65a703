//! `pack.json`, and all the parts together.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::At;
use crate::documents::common::Keyed;
use crate::documents::{Kind, pack as author};
use crate::expr::Type;
use crate::pack::form::Form;
use crate::pack::{AddressKind, Channel, ChannelKind, Contents, MessageKind, NavGroup, NavTarget, Queue, Role};
use crate::{Key, Value};

use super::context::{BUILT_IN_ROLES, Context};
use super::load::{Document, Folder};
use super::{
    access, analytics, board, calendar, case, clocks, decision, demo, form, material, report, script, shapes, template,
    workflow,
};

/// Compiles everything. Nothing where there is no `pack.json` to read.
pub(super) fn compile(context: &Context<'_>, key: Key, hash: String) -> Option<Contents> {
    let documents = context.documents;
    let forms = forms(context);
    let datasets = each(&documents.datasets, |document| analytics::dataset(context, document));
    let metrics = each(&documents.metrics, |document| analytics::metric(context, document));
    let contents = Parts {
        workflows: each(&documents.workflows, |document| workflow::compile(context, document, &forms)),
        calendars: each(&documents.calendars, |document| calendar::compile(context, document)),
        decisions: each(&documents.decisions, |document| Some(decision::compile(context, document))),
        reports: each(&documents.reports, |document| Some(report::compile(context, document, &datasets, &metrics))),
        boards: each(&documents.boards, |document| Some(board::compile(context, document))),
        datasets,
        metrics,
        imports: each(&documents.imports, |document| material::import(context, document, &forms)),
    };
    let demos = each(&documents.demos, |document| demo::compile(context, document, &forms, &contents.workflows));
    let templates = template::compile(context);
    let seeds = material::seeds(context, &forms);
    script::check(context);
    let cases = case::all(context, &forms);
    let document = documents.pack.as_ref()?;
    let (author, at) = (&document.body, &document.at);
    requires(context, &author.requires, &at.key("requires"));
    Some(Contents {
        key,
        version: author.version.clone(),
        title: context.text(&author.title, &at.key("title")),
        hash,
        languages: author.languages.clone(),
        timezone: timezone(context, &author.timezone, &at.key("timezone")),
        currency: author.currency.clone(),
        roles: roles(context, document),
        queues: queues(context, &author.queues, &at.key("queues")),
        settings: settings(context, &author.settings, &at.key("settings")),
        channels: author.channels.iter().map(|(key, author)| (Key::from(key.as_str()), channel(author))).collect(),
        messages: messages(context, &author.messages, &at.key("messages")),
        nav: nav(context, &author.nav, &at.key("nav")),
        home: home(context, &author.home, &at.key("home")),
        forms: forms.into_iter().map(|(key, form)| (key, Arc::new(form))).collect(),
        workflows: contents.workflows,
        calendars: contents.calendars,
        decisions: contents.decisions,
        clocks: documents
            .forms
            .keys()
            .filter_map(|form| clocks::form(documents, form))
            .map(|table| (table.key.clone(), Arc::new(table)))
            .collect(),
        datasets: contents.datasets,
        metrics: contents.metrics,
        reports: contents.reports,
        boards: contents.boards,
        templates,
        scripts: documents.scripts.clone(),
        imports: contents.imports,
        demos: in_order(demos),
        seeds,
        cases,
    })
}

/// Compiled before `pack.json` is looked at, so that their problems are told even without one.
struct Parts {
    workflows: IndexMap<Key, Arc<crate::pack::workflow::Workflow>>,
    calendars: IndexMap<Key, Arc<crate::pack::calendar::Calendar>>,
    decisions: IndexMap<Key, Arc<crate::pack::decision::Decision>>,
    datasets: IndexMap<Key, Arc<crate::pack::analytics::Dataset>>,
    metrics: IndexMap<Key, Arc<crate::pack::analytics::Metric>>,
    reports: IndexMap<Key, Arc<crate::pack::analytics::Report>>,
    boards: IndexMap<Key, Arc<crate::pack::analytics::Board>>,
    imports: IndexMap<Key, Arc<crate::pack::material::Import>>,
}

fn each<A, C>(folder: &Folder<A>, compile: impl Fn(&Document<A>) -> Option<C>) -> IndexMap<Key, Arc<C>> {
    folder.iter().filter_map(|(key, document)| Some((key.clone(), Arc::new(compile(document)?)))).collect()
}

fn messages(
    context: &Context<'_>,
    messages: &IndexMap<String, author::Message>,
    at: &At,
) -> IndexMap<Key, MessageKind> {
    let compile = |(name, message): (&String, &author::Message)| {
        let at = at.key(name);
        for (index, role) in message.from.iter().enumerate() {
            context.role("FW0306", role, &at.key("from").index(index));
        }
        for (key, word) in message.data.iter().filter(|(_, word)| decision::named_type(word).is_none()) {
            context.unknown("FW0306", &at.key("data").key(key), "type", word, decision::TYPE_WORDS.into_iter());
        }
        let from = message.from.iter().map(|role| Key::from(role.as_str())).collect();
        (Key::from(name.as_str()), MessageKind { from, data: carried(message) })
    };
    messages.iter().map(compile).collect()
}

/// What a message carries; nothing is said of unknown types.
pub(super) fn carried(message: &author::Message) -> IndexMap<Key, Type> {
    let typed = |(key, word): (&String, &String)| Some((Key::from(key.as_str()), decision::named_type(word)?));
    message.data.iter().filter_map(typed).collect()
}

fn forms(context: &Context<'_>) -> IndexMap<Key, Form> {
    let mut forms: IndexMap<Key, Form> =
        context.documents.forms.iter().map(|(key, document)| (key.clone(), form::compile(context, document))).collect();
    former_forms(context, &forms);
    access::lower_derived(context, &mut forms);
    forms
}

fn former_forms(context: &Context<'_>, forms: &IndexMap<Key, Form>) {
    for form in forms.values() {
        for was in &form.was {
            if forms.contains_key(was) {
                let at = At::file(&format!("forms/{}.json", form.key)).key("was");
                context.error("FW0413", &at, format!("`{was}` in `was` is the key of another form"));
            }
        }
    }
}

/// Recipes run by their `order`, then by name.
fn in_order(
    mut demos: IndexMap<Key, Arc<crate::pack::material::Demo>>,
) -> IndexMap<Key, Arc<crate::pack::material::Demo>> {
    demos.sort_by(|a, left, b, right| left.order.cmp(&right.order).then_with(|| a.cmp(b)));
    demos
}

fn requires(context: &Context<'_>, requires: &author::Requires, at: &At) {
    let Some(wanted) = requires.formwork.as_deref().and_then(|range| range.strip_prefix(">=")) else { return };
    let own = env!("CARGO_PKG_VERSION");
    let numbers = |version: &str| -> Vec<u64> { version.split('.').map(|part| part.parse().unwrap_or(0)).collect() };
    let (mut needed, have) = (numbers(wanted), numbers(own));
    needed.resize(have.len().max(needed.len()), 0);
    if needed > have {
        context.error("FW0415", &at.key("formwork"), format!("the pack needs Formwork {wanted}, this is {own}"));
    }
}

pub(super) fn timezone(context: &Context<'_>, name: &str, at: &At) -> chrono_tz::Tz {
    name.parse().unwrap_or_else(|_| {
        let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let hint =
            crate::structure::did_you_mean(name, known).or_else(|| Some("for example `Asia/Shanghai`".to_owned()));
        context.error_hint("FW0408", at, format!("`{name}` is no time zone"), hint);
        chrono_tz::UTC
    })
}

fn roles(context: &Context<'_>, document: &Document<author::Pack>) -> IndexMap<Key, Role> {
    let at = document.at.key("roles");
    let mut roles: IndexMap<Key, Role> = IndexMap::new();
    for (key, role) in &document.body.roles {
        let at = at.key(key);
        if BUILT_IN_ROLES.contains(&key.as_str()) {
            context.error_at_key("FW0406", &at, format!("the role `{key}` is built in"), None);
        }
        for (index, included) in role.includes.iter().enumerate() {
            context.role("FW0401", included, &at.key("includes").index(index));
        }
        let includes = role.includes.iter().map(|key| Key::from(key.as_str())).collect();
        roles.insert(key.as_str().into(), Role { title: context.text(&role.title, &at.key("title")), includes });
    }
    for (key, role) in &roles {
        // A role that is in what its own includes include goes round.
        let mut reached: Vec<Key> = role.includes.clone();
        let mut next = 0;
        while next < reached.len() {
            let further = roles.get(&reached[next]).map(|role| role.includes.clone()).unwrap_or_default();
            reached.extend(further.into_iter().filter(|key| !reached.contains(key)).collect::<Vec<_>>());
            next += 1;
        }
        if reached.contains(key) {
            context.error("FW0404", &at.key(key).key("includes"), format!("the role `{key}` includes itself"));
        }
    }
    roles
}

fn queues(context: &Context<'_>, queues: &Keyed<author::Queue>, at: &At) -> IndexMap<Key, Queue> {
    queues
        .iter()
        .map(|(key, queue)| {
            let at = at.key(key);
            if let Some(lead) = &queue.lead {
                context.role("FW0401", lead, &at.key("lead"));
            }
            let lead = queue.lead.as_deref().map(Key::from);
            (Key::from(key.as_str()), Queue { title: context.text(&queue.title, &at.key("title")), lead })
        })
        .collect()
}

fn settings(
    context: &Context<'_>,
    settings: &Keyed<author::SettingEntry>,
    at: &At,
) -> IndexMap<Key, (crate::expr::Type, Value)> {
    settings
        .iter()
        .map(|(key, setting)| {
            let ty = shapes::setting_type(setting.kind);
            let value = context.literal(&setting.default, &ty, &at.key(key).key("default")).unwrap_or_default();
            (Key::from(key.as_str()), (ty, value))
        })
        .collect()
}

fn channel(channel: &author::Channel) -> Channel {
    let kind = match channel.kind {
        author::ChannelType::Webhook => ChannelKind::Webhook,
        author::ChannelType::File => ChannelKind::File,
    };
    let takes = channel.takes.map(|takes| match takes {
        author::AddressKind::Phone => AddressKind::Phone,
        author::AddressKind::Email => AddressKind::Email,
    });
    Channel { kind, takes }
}

fn nav(context: &Context<'_>, groups: &Keyed<author::NavEntry>, at: &At) -> IndexMap<Key, NavGroup> {
    groups
        .iter()
        .map(|(key, group)| {
            let at = at.key(key);
            let items = group
                .items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| target(context, item, &at.key("items").index(index)))
                .collect();
            (Key::from(key.as_str()), NavGroup { label: context.text(&group.label, &at.key("label")), items })
        })
        .collect()
}

fn home(context: &Context<'_>, home: &IndexMap<String, String>, at: &At) -> IndexMap<Key, NavTarget> {
    let mut compiled = IndexMap::new();
    for (role, item) in home {
        let at = at.key(role);
        if role != "*" {
            context.role("FW0401", role, &at);
        }
        if let Some(target) = target(context, item, &at) {
            compiled.insert(role.as_str().into(), target);
        }
    }
    compiled
}

/// `board:key`, `form:key`, `view:form.view`, `report:key`, `inbox`.
fn target(context: &Context<'_>, word: &str, at: &At) -> Option<NavTarget> {
    if word == "inbox" {
        return Some(NavTarget::Inbox);
    }
    let exists = |kind: Kind, key: &str| context.refers(kind, key, at).then(|| Key::from(key));
    match word.split_once(':') {
        Some(("board", key)) => {
            let key = exists(Kind::Board, key)?;
            let of = context.documents.boards.get(&key).and_then(|board| board.body.of.as_ref());
            if let Some(of) = of {
                let hint = format!("write `form:{of}`: the board opens with each of its records");
                context.error_hint("FW0403", at, format!("`{word}` is the page of one record"), hint);
                return None;
            }
            Some(NavTarget::Board(key))
        }
        Some(("form", key)) => exists(Kind::Form, key).map(NavTarget::Form),
        Some(("report", key)) => exists(Kind::Report, key).map(NavTarget::Report),
        Some(("view", path)) => {
            let (form, view) = path.split_once('.').unwrap_or((path, ""));
            let form = exists(Kind::Form, form)?;
            view_exists(context, &form, view, at).then(|| NavTarget::View(form, view.into()))
        }
        _ => {
            let hint = "write `board:key`, `form:key`, `view:form.view`, `report:key` or `inbox`".to_owned();
            context.error_hint("FW0408", at, format!("`{word}` leads nowhere"), Some(hint));
            None
        }
    }
}

/// Whether a form has that view; an error if not.
pub(super) fn view_exists(context: &Context<'_>, form: &Key, view: &str, at: &At) -> bool {
    let Some(document) = context.documents.forms.get(form) else { return false };
    let exists = document.body.views.contains_key(view);
    if !exists && !document.cut.contains(&format!("/views/{view}")) {
        let known = document.body.views.keys().map(String::as_str);
        context.unknown("FW0401", at, &format!("view of `{form}`"), view, known);
    }
    exists
}
