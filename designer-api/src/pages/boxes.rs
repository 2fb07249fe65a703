//! The left side of the inbox: boxes, their lines, and the chip for queues.

use serde_json::Value as Json;
use uuid::Uuid;

use formwork_model::pack::analytics::TaskBox;

use super::errors::Refusal;
use super::shell::count_text;
use super::visit::Visit;
use crate::view::cell::plain;
use crate::view::field::{Choice, Tab};
use crate::view::filters::{Bar, Filter, Hidden};
use crate::view::query::{address, first};
use crate::view::task::{Line, line};

/// Tasks of a page.
const LINES: u32 = 50;
/// Most pages of the store looked through for one page of a queue.
const LOOKS_MAX: u32 = 20;
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

/// A page of a box and what stands behind it: where a queue is chosen, only its tasks count.
pub(super) async fn page_of(
    visit: &Visit,
    tasks: TaskBox,
    queue: &str,
    mut after: Option<Uuid>,
) -> Result<(Vec<Json>, Option<String>), Refusal> {
    let (user, language) = (visit.user()?, &visit.caller.language);
    let mut found = Vec::new();
    for _ in 0..LOOKS_MAX {
        let answer = visit.engine().tasks(Some(user), language, tasks, LINES, after).await?;
        let items = answer["items"].as_array().into_iter().flatten();
        found.extend(items.filter(|item| queue.is_empty() || item["queue"] == queue).cloned());
        let next = answer["next"].as_str();
        after = next.and_then(|next| next.parse().ok());
        if found.len() > LINES as usize {
            found.truncate(LINES as usize);
            let last = found.last().and_then(|task| task["id"].as_str()).map(str::to_owned);
            return Ok((found, last));
        }
        if queue.is_empty() || after.is_none() {
            return Ok((found, next.map(str::to_owned)));
        }
    }
    Ok((found, after.map(|after| after.to_string())))
}

/// The lines of a box, each with its task.
pub(super) fn lines(visit: &Visit, name: &str, open: Option<Uuid>, items: &[Json]) -> Vec<(Json, Line)> {
    let open = open.map(|id| id.to_string());
    let deployed = visit.engine().deployed();
    let queue = first(&visit.pairs(), "f.queue").map(str::to_owned);
    let lines = items.iter().filter_map(|item| {
        let pack = deployed.pack(item["pack"].as_str()?)?;
        let (viewer, local) = (visit.viewer(pack), visit.local(pack));
        let id = plain(&item["id"]);
        let active = open.as_ref() == Some(&id);
        let chosen = queue.as_deref().map(|queue| ("f.queue", queue));
        let href = address("/inbox", [("box", name), ("task", id.as_str())].into_iter().chain(chosen));
        Some((item.clone(), line(item, href, active, visit.scribe(pack, &viewer, &local))))
    });
    lines.collect()
}

/// The boxes as tabs; counted where the whole page is drawn.
pub(super) async fn tabs(visit: &Visit, active: &str) -> Result<Vec<Tab>, Refusal> {
    let mut tabs = Vec::new();
    for (name, tasks) in BOXES {
        let count = match (tasks, visit.draws_main()) {
            (TaskBox::Done | TaskBox::Cc | TaskBox::Started, _) | (_, false) => String::new(),
            _ => count_text(
                &visit.engine().tasks(Some(visit.user()?), &visit.caller.language, tasks, COUNT_MAX, None).await?,
            ),
        };
        let label = visit.say(&format!("inbox.box.{name}"), &[]);
        tabs.push(Tab { label, href: address("/inbox", [("box", name)]), active: name == active, count });
    }
    Ok(tabs)
}

/// A chip for the queues one serves and those on the page, where there are several.
pub(super) fn queue_bar(visit: &Visit, name: &str, chosen: &str, items: &[Json]) -> Bar {
    let mut options: Vec<Choice> = Vec::new();
    let deployed = visit.engine().deployed();
    let served = visit.caller.user.iter().flat_map(|user| &user.facts.queues).map(|queue| &**queue);
    let here = items.iter().filter_map(|item| item["queue"].as_str());
    for queue in served.chain(here).chain(Some(chosen).filter(|chosen| !chosen.is_empty())) {
        if options.iter().any(|option| option.value == queue) {
            continue;
        }
        if let Some(known) = deployed.packs.iter().find_map(|pack| pack.queues().get(queue)) {
            let label = known.title.get(&visit.caller.language).to_owned();
            options.push(Choice { value: queue.to_owned(), label, selected: queue == chosen });
        }
    }
    if options.len() < 2 && chosen.is_empty() {
        return Bar::default();
    }
    let clear = address("/inbox", [("box", name)]);
    let text = options.iter().find(|option| option.selected).map(|option| option.label.clone()).unwrap_or_default();
    let active = !chosen.is_empty();
    let filter = Filter {
        key: "queue".to_owned(),
        kind: "range",
        label: visit.say("task.queue", &[]),
        name: "f.queue".to_owned(),
        options,
        active,
        text,
        clear: clear.clone(),
        ..Filter::default()
    };
    Bar {
        action: "/inbox".to_owned(),
        hidden: vec![Hidden { name: "box".to_owned(), value: name.to_owned() }],
        filters: vec![filter],
        clear: if active { clear } else { String::new() },
        ..Bar::default()
    }
}
