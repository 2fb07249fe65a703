//! The left side of the inbox: boxes, their lines, and the chips that narrow them.

use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::facts::BoxPage;
use formwork_model::Key;
use formwork_model::pack::analytics::TaskBox;

use super::errors::Refusal;
use super::shell::count_text;
use super::visit::Visit;
use crate::view::cell::plain;
use crate::view::field::{Choice, Tab};
use crate::view::filters::{Bar, Filter, Hidden};
use crate::view::posted::Posted;
use crate::view::query::{Pairs, address, changed, first, pairs};
use crate::view::task::{Line, line};

/// Tasks of a page.
pub(super) const LINES: u32 = 50;
/// Tasks counted for a tab.
const COUNT_MAX: u32 = 99;
/// The boxes in the order of the tabs.
pub(super) const BOXES: [(&str, TaskBox); 6] = [
    ("mine", TaskBox::Mine),
    ("claimable", TaskBox::Claimable),
    ("team", TaskBox::Team),
    ("cc", TaskBox::Cc),
    ("done", TaskBox::Done),
    ("started", TaskBox::Started),
];

/// What the inbox is narrowed to; it stays while one goes from task to task.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen {
    queue: Option<Key>,
    workflow: Option<Key>,
}

impl Chosen {
    /// As the address of the inbox says it, or, where a task was posted, the address it came from.
    pub(super) fn of(visit: &Visit, posted: Option<&Posted>) -> Self {
        match posted {
            Some(posted) => {
                Self::read(&posted.back().and_then(|path| path.parse().ok()).map_or_else(Pairs::new, |uri| pairs(&uri)))
            }
            None => Self::read(&visit.pairs()),
        }
    }

    fn read(pairs: &Pairs) -> Self {
        let key = |name| first(pairs, name).map(Key::from);
        Self { queue: key("f.queue"), workflow: key("f.workflow") }
    }

    /// The tasks of a box, narrowed so.
    pub(super) fn page(&self, tasks: TaskBox, limit: u32) -> BoxPage {
        BoxPage { queue: self.queue.clone(), workflow: self.workflow.clone(), ..BoxPage::first(tasks, limit) }
    }

    /// The inbox narrowed so, with a task open.
    pub(super) fn address(&self, name: &str, open: Option<Uuid>) -> String {
        let open = open.map(|id| id.to_string());
        let pairs = [("box", Some(name)), ("task", open.as_deref())].into_iter().chain(self.pairs());
        address("/inbox", pairs.filter_map(|(name, value)| Some((name, value?))))
    }

    fn pairs(&self) -> [(&'static str, Option<&str>); 2] {
        [("f.queue", self.queue.as_deref()), ("f.workflow", self.workflow.as_deref())]
    }
}

/// The lines of a box, each with its task.
pub(super) fn lines(
    visit: &Visit,
    name: &str,
    open: Option<Uuid>,
    chosen: &Chosen,
    items: &[Json],
) -> Vec<(Json, Line)> {
    let open = open.map(|id| id.to_string());
    let deployed = visit.engine().deployed();
    let lines = items.iter().filter_map(|item| {
        let pack = deployed.pack(item["pack"].as_str()?)?;
        let (viewer, local) = (visit.viewer(pack), visit.local(pack));
        let id = plain(&item["id"]);
        let active = open.as_ref() == Some(&id);
        let href = chosen.address(name, id.parse().ok());
        Some((item.clone(), line(item, href, active, visit.scribe(pack, &viewer, &local))))
    });
    lines.collect()
}

/// The boxes as tabs; counted where the whole page is drawn.
pub(super) async fn tabs(visit: &Visit, active: &str) -> Result<Vec<Tab>, Refusal> {
    let mut tabs = Vec::new();
    for (name, tasks) in BOXES {
        let is_counted = visit.draws_main() || visit.block.as_deref() == Some("boxes");
        let count = match (tasks, is_counted) {
            (TaskBox::Done | TaskBox::Cc | TaskBox::Started, _) | (_, false) => String::new(),
            _ => count_text(
                &visit
                    .engine()
                    .tasks(Some(visit.user()?), &visit.caller.language, BoxPage::first(tasks, COUNT_MAX))
                    .await?,
            ),
        };
        let label = visit.say(&format!("inbox.box.{name}"), &[]);
        tabs.push(Tab { label, href: address("/inbox", [("box", name)]), active: name == active, count });
    }
    Ok(tabs)
}

/// Chips for the queues one serves and those on the page, and for the workflows on the page: where there are several.
pub(super) fn bar(visit: &Visit, name: &str, chosen: &Chosen, items: &[Json]) -> Bar {
    let deployed = visit.engine().deployed();
    let language = &*visit.caller.language;
    let served = visit.caller.user.iter().flat_map(|user| &user.facts.queues).map(|queue| &**queue);
    let queues = served.chain(items.iter().filter_map(|item| item["queue"].as_str()));
    let queue = |key: &str| {
        let known = deployed.packs.iter().find_map(|pack| pack.queues().get(key));
        known.map(|queue| queue.title.get(language).to_owned())
    };
    let workflows = items.iter().filter_map(|item| item["workflow"].as_str());
    let workflow = |key: &str| {
        let known = deployed.packs.iter().find_map(|pack| pack.workflows().get(key));
        known.map(|workflow| workflow.label.get(language).to_owned())
    };
    let queue = options(queues, chosen.queue.as_deref(), queue);
    let workflow = options(workflows, chosen.workflow.as_deref(), workflow);
    let both =
        [("queue", visit.say("task.queue", &[]), queue), ("workflow", visit.say("task.workflow", &[]), workflow)];
    let filters = both.into_iter().filter_map(|(key, label, options)| {
        let chosen = options.iter().find(|option| option.selected);
        if options.len() < 2 && chosen.is_none() {
            return None;
        }
        let name = format!("f.{key}");
        let pairs = visit.pairs();
        Some(Filter {
            key: key.to_owned(),
            kind: "range",
            label,
            active: chosen.is_some(),
            text: chosen.map(|option| option.label.clone()).unwrap_or_default(),
            clear: changed("/inbox", &pairs, |pair| pair == name || matches!(pair, "after" | "task"), &[]),
            name,
            options,
            ..Filter::default()
        })
    });
    let filters: Vec<Filter> = filters.collect();
    let is_narrowed = filters.iter().any(|filter| filter.active);
    Bar {
        action: "/inbox".to_owned(),
        hidden: vec![Hidden { name: "box".to_owned(), value: name.to_owned() }],
        filters,
        clear: if is_narrowed { address("/inbox", [("box", name)]) } else { String::new() },
        ..Bar::default()
    }
}

/// Each key once, with its label; those that nobody knows are left out, but for what was chosen.
fn options<'a>(
    keys: impl Iterator<Item = &'a str>,
    chosen: Option<&'a str>,
    label: impl Fn(&str) -> Option<String>,
) -> Vec<Choice> {
    let mut options: Vec<Choice> = Vec::new();
    for key in keys.chain(chosen) {
        if options.iter().any(|option| option.value == key) {
            continue;
        }
        let selected = chosen == Some(key);
        if let Some(label) = label(key).or_else(|| selected.then(|| key.to_owned())) {
            options.push(Choice { value: key.to_owned(), label, selected });
        }
    }
    options
}
