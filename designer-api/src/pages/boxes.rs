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

/// Tasks counted for a tab.
const COUNT_MAX: u32 = 99;
/// The boxes in the order of the tabs.
pub(super) const BOXES: [(&str, TaskBox); 4] =
    [("mine", TaskBox::Mine), ("claimable", TaskBox::Claimable), ("team", TaskBox::Team), ("done", TaskBox::Done)];

/// The lines of a box, each with its task.
pub(super) fn lines(visit: &Visit, name: &str, open: Option<Uuid>, answer: &Json) -> Vec<(Json, Line)> {
    let open = open.map(|id| id.to_string());
    let deployed = visit.engine().deployed();
    let items = answer["items"].as_array().into_iter().flatten().filter_map(|item| {
        let pack = deployed.pack(item["pack"].as_str()?)?;
        let (viewer, local) = (visit.viewer(pack), visit.local(pack));
        let id = plain(&item["id"]);
        let active = open.as_ref() == Some(&id);
        let href = address("/inbox", [("box", name), ("task", id.as_str())]);
        Some((item.clone(), line(item, href, active, visit.scribe(pack, &viewer, &local))))
    });
    items.collect()
}

/// The boxes as tabs; counted where the whole page is drawn.
pub(super) async fn tabs(visit: &Visit, active: &str) -> Result<Vec<Tab>, Refusal> {
    let mut tabs = Vec::new();
    for (name, tasks) in BOXES {
        let count = match (tasks, &visit.block) {
            (TaskBox::Done, _) | (_, Some(_)) => String::new(),
            _ => count_text(
                &visit.engine().tasks(Some(visit.user()?), &visit.caller.language, tasks, COUNT_MAX, None).await?,
            ),
        };
        let label = visit.say(&format!("inbox.box.{name}"), &[]);
        tabs.push(Tab { label, href: address("/inbox", [("box", name)]), active: name == active, count });
    }
    Ok(tabs)
}

/// A chip for the queues on the page, where there are several.
pub(super) fn queue_bar(visit: &Visit, name: &str, answer: &Json) -> Bar {
    let pairs = visit.pairs();
    let chosen = first(&pairs, "f.queue").unwrap_or_default().to_owned();
    let mut options: Vec<Choice> = Vec::new();
    let deployed = visit.engine().deployed();
    for item in answer["items"].as_array().into_iter().flatten() {
        let (Some(queue), Some(pack)) =
            (item["queue"].as_str(), item["pack"].as_str().and_then(|key| deployed.pack(key)))
        else {
            continue;
        };
        if !options.iter().any(|option| option.value == queue) {
            let title = pack.queues().get(queue).map_or(queue, |queue| queue.title.get(&visit.caller.language));
            let label = title.to_owned();
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
