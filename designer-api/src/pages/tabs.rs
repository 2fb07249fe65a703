//! Tabs of a record's page: what stands in it, what links to it, all that happened, and its changes. Each is an address.

use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_model::pack::form::FieldKind;
use formwork_runtime::timeline::TimelineRequest;

use super::about::{Chip, chips, older};
use super::errors::Refusal;
use super::visit::Visit;
use crate::api::problem::Problem;
use crate::view::cell::Scribe;
use crate::view::field::Tab;
use crate::view::history::{Event, events, timeline};
use crate::view::query::{changed, first};
use crate::view::seen::Seen;

/// Events below the fields; the others have a tab of their own.
const LATEST: u32 = 8;
/// Parameters of the address that belong to one tab.
const OWN: [&str; 4] = ["tab", "kind", "after", "before"];

/// A part of a record's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// Its fields and child rows, and what happened last.
    Details,
    /// Records that link to it.
    Related,
    /// What happened to it, and the records that came to link to it.
    Timeline,
    /// Its changes, field by field.
    History,
}

impl Part {
    const ALL: [(&'static str, &'static str, Self); 4] = [
        ("details", "record.tab.details", Self::Details),
        ("related", "record.tab.related", Self::Related),
        ("timeline", "record.tab.timeline", Self::Timeline),
        ("history", "record.tab.history", Self::History),
    ];

    /// The one the address names; the first where it names none.
    pub(super) fn of(visit: &Visit) -> Result<Self, Problem> {
        let pairs = visit.pairs();
        let Some(name) = first(&pairs, "tab") else { return Ok(Self::Details) };
        let found = Self::ALL.into_iter().find(|(key, ..)| *key == name);
        found.map(|(.., part)| part).ok_or_else(|| Problem::not_found("tab", name))
    }
}

/// The tabs of a record; that of what links to it only where its form says that something may.
pub(super) fn tabs(visit: &Visit, seen: &Seen, record: &Json, part: Part) -> Vec<Tab> {
    let linked = seen.form.layout.values().flat_map(|section| section.rows.iter().flatten());
    let linked = linked.map(|position| &seen.form.fields[*position]).filter_map(|field| {
        let is_backlink = matches!(field.kind, FieldKind::Backlink { .. });
        record.get(&*field.key).filter(|_| is_backlink).and_then(Json::as_array).map(Vec::len)
    });
    let linked: Vec<usize> = linked.collect();
    let pairs = visit.pairs();
    let shown = Part::ALL.into_iter().filter(|(.., other)| *other != Part::Related || !linked.is_empty());
    let tabs = shown.map(|(key, label, other)| {
        let named: &[(&str, &str)] = if other == Part::Details { &[] } else { &[("tab", key)] };
        let count = match linked.iter().sum::<usize>() {
            count if other == Part::Related && count > 0 => visit.anywhere().number(&count.to_string()),
            _ => String::new(),
        };
        Tab {
            label: visit.say(label, &[]),
            href: changed(visit.uri.path(), &pairs, |name| OWN.contains(&name), named),
            active: other == part,
            count,
        }
    });
    tabs.collect()
}

/// What happened, as far as a tab shows it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Happened {
    chips: Vec<Chip>,
    events: Vec<Event>,
    /// Where the rest stands, and how the way there is called; "" where nothing is left.
    older: String,
    more: String,
}

/// What happened to a record, for one of its tabs.
pub(super) async fn happened(
    visit: &Visit,
    seen: &Seen,
    scribe: Scribe<'_>,
    id: Uuid,
    part: Part,
) -> Result<Happened, Refusal> {
    let (path, pairs, engine) = (visit.uri.path(), visit.pairs(), visit.engine());
    let (pack, viewer, form) = (&seen.pack, &seen.viewer, &seen.form.key);
    Ok(match part {
        Part::Related => Happened::default(),
        Part::Details => {
            let request = TimelineRequest { limit: LATEST, ..TimelineRequest::default() };
            let body = engine.timeline(pack, viewer, form, id, request).await?;
            let all = || changed(path, &pairs, |name| OWN.contains(&name), &[("tab", "timeline")]);
            Happened {
                events: timeline(&body, seen, scribe),
                older: body["next"].as_str().map(|_| all()).unwrap_or_default(),
                more: visit.say("record.timeline.all", &[]),
                ..Happened::default()
            }
        }
        Part::Timeline => {
            let kinds = first(&pairs, "kind").map(str::to_owned).into_iter().collect();
            let after = first(&pairs, "after").map(str::to_owned);
            let request = TimelineRequest { kinds, after, ..TimelineRequest::default() };
            let body = engine.timeline(pack, viewer, form, id, request).await?;
            Happened {
                chips: chips(scribe.local, path, &pairs, ""),
                events: timeline(&body, seen, scribe),
                older: older(path, &pairs, "", &body),
                more: visit.say("timeline.older", &[]),
            }
        }
        Part::History => {
            let before = first(&pairs, "before").and_then(|before| before.parse().ok());
            let mut body = engine.history(pack, viewer, form, id, before).await?;
            let next = body["next"].as_i64().map(|next| next.to_string());
            if let Some(items) = body["items"].as_array_mut() {
                items.retain(|item| item["kind"].as_str().is_some_and(|kind| kind.starts_with("record.")));
            }
            let older = next.map(|next| changed(path, &pairs, |name| name == "before", &[("before", &next)]));
            Happened {
                events: events(&body, seen, scribe),
                older: older.unwrap_or_default(),
                more: visit.say("timeline.older", &[]),
                ..Happened::default()
            }
        }
    })
}
