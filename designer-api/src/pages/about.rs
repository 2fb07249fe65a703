//! Tiles about the record of a board: its fields, its timeline, what to do next, a new record for it.

use serde::Serialize;
use serde_json::Value as Json;

use formwork_model::Key;
use formwork_model::pack::form::Level;
use formwork_runtime::timeline::KINDS;

use super::tiles::{Gatherer, Tile};
use crate::view::cell::{Scribe, plain};
use crate::view::field::{Field, Link};
use crate::view::format::Local;
use crate::view::history;
use crate::view::query::{Pairs, address, changed, first};
use crate::view::seen::Seen;

/// A kind of item one may look at alone.
#[derive(Debug, Serialize)]
pub(super) struct Chip {
    label: String,
    href: String,
    active: bool,
}

/// What to do, and why.
#[derive(Debug, Serialize)]
pub(super) struct Proposal {
    rule: String,
    label: String,
    reason: String,
    act: String,
    href: String,
}

/// Where a tile's proposals are accepted and dismissed, and how it is called there.
#[derive(Debug, Default, Serialize)]
pub(super) struct Judged {
    action: String,
    board: String,
    tile: String,
    back: String,
}

/// The fields of a tile `record`, to read.
pub(super) fn fields(scribe: Scribe<'_>, body: &Json) -> Vec<Field> {
    let fields = body["fields"].as_array().into_iter().flatten();
    fields.filter_map(|told| field(scribe, told)).collect()
}

fn field(scribe: Scribe<'_>, told: &Json) -> Option<Field> {
    let path = told["path"].as_str()?;
    let form = scribe.pack.forms().get_key_value(told["form"].as_str()?)?.0;
    let seen = Seen::new(scribe.pack, form, scribe.viewer);
    let key = told["key"].as_str()?;
    let id = format!("t/{path}");
    let field = match seen.form.field(key) {
        Some((_, field)) => Field {
            kind: field.kind.name(),
            label: field.label.get(&scribe.local.language).to_owned(),
            shown: scribe.cell(&seen, field, &told["value"], level(told)),
            ..Field::default()
        },
        // One of those every record has.
        None => Field {
            kind: "text",
            label: scribe.local.say(&format!("system.{key}"), &[]),
            shown: scribe.system(&told["value"]),
            ..Field::default()
        },
    };
    Some(Field { id, pointer: format!("/{path}"), readonly: true, visible: true, ..field })
}

fn level(told: &Json) -> Level {
    if told["level"] == "mask" { Level::Mask } else { Level::Read }
}

/// A timeline with its kinds as chips; one may comment on the record above it.
pub(super) fn timeline(gatherer: &Gatherer<'_>, tile: Tile, key: &str, body: &Json) -> Tile {
    let Some((seen, id)) = gatherer.about else { return tile };
    let prefix = format!("{key}.");
    Tile {
        chips: chips(gatherer.scribe.local, gatherer.path, gatherer.pairs, &prefix),
        events: history::timeline(body, seen, gatherer.scribe),
        comment: format!("{}/{id}/comments", seen.path(gatherer.scribe.engine)),
        key: gatherer.scribe.engine.new_id().to_string(),
        is_followed: seen.is_followed(),
        older: older(gatherer.path, gatherer.pairs, &prefix, body),
        ..tile
    }
}

/// The kinds of a timeline, each with its address; names in it begin so.
pub(super) fn chips(local: &Local, path: &str, pairs: &Pairs, prefix: &str) -> Vec<Chip> {
    let (name, after) = (format!("{prefix}kind"), format!("{prefix}after"));
    let chosen = first(pairs, &name);
    let leaves = |other: &str| other == name || other == after;
    let all = Chip {
        label: local.say("timeline.all", &[]),
        href: changed(path, pairs, leaves, &[]),
        active: chosen.is_none(),
    };
    let kinds = KINDS.iter().map(|kind| Chip {
        label: local.say(&format!("timeline.{kind}"), &[]),
        href: changed(path, pairs, leaves, &[(&name, kind)]),
        active: chosen == Some(*kind),
    });
    [all].into_iter().chain(kinds).collect()
}

/// The address of what comes behind a page of a timeline; "" where nothing does.
pub(super) fn older(path: &str, pairs: &Pairs, prefix: &str, body: &Json) -> String {
    let name = format!("{prefix}after");
    let next = body["next"].as_str().map(|next| changed(path, pairs, |other| other == name, &[(&name, next)]));
    next.unwrap_or_default()
}

/// Next best actions.
pub(super) fn rules(gatherer: &Gatherer<'_>, tile: Tile, key: &str, body: &Json) -> Tile {
    let Some((seen, id)) = gatherer.about else { return tile };
    let items = body["items"].as_array().into_iter().flatten();
    let proposals: Vec<Proposal> = items
        .map(|item| {
            let act = preset(gatherer, item);
            Proposal {
                rule: plain(&item["rule"]),
                label: plain(&item["label"]),
                reason: plain(&item["reason"]),
                act: act.as_ref().map(|act| act.label.clone()).unwrap_or_default(),
                href: act.map(|act| act.href).unwrap_or_default(),
            }
        })
        .collect();
    if proposals.is_empty() {
        return Tile { state: "empty", message: gatherer.say("tile.rules.none"), ..tile };
    }
    let judged = Judged {
        action: format!("{}/{id}/suggestions", seen.path(gatherer.scribe.engine)),
        board: gatherer.board.key.to_string(),
        tile: key.to_owned(),
        back: changed(gatherer.path, gatherer.pairs, |_| false, &[]),
    };
    Tile { proposals, judged, key: gatherer.scribe.engine.new_id().to_string(), ..tile }
}

/// The form for a new record, with what it starts with in its address.
pub(super) fn preset(gatherer: &Gatherer<'_>, body: &Json) -> Option<Link> {
    let scribe = gatherer.scribe;
    let form: &Key = scribe.pack.forms().get_key_value(body["form"].as_str()?)?.0;
    let seen = Seen::new(scribe.pack, form, scribe.viewer);
    let values = body["values"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let pairs: Vec<(String, String)> = values.map(|(key, value)| (format!("/{key}"), plain(value))).collect();
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let label = scribe.local.inside(seen.form.label.get(&scribe.local.language));
    Some(Link {
        label: scribe.local.say("record.new", &[("form", &label)]),
        href: address(&format!("{}/new", seen.path(scribe.engine)), pairs),
    })
}
