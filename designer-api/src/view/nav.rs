//! The side bar: what each pack's `nav` names, as far as this viewer may open it.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use formwork_core::{Viewer, ViewerKind};
use formwork_model::pack::NavTarget;
use formwork_model::{Key, Pack};
use formwork_runtime::Engine;
use formwork_runtime::boards::may_open;

use super::seen::{may_read, path_of};

/// A group of the side bar (templates/layout/app.html).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    pub(crate) label: String,
    pub(crate) items: Vec<Item>,
}

/// An entry.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Item {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) icon: &'static str,
    pub(crate) active: bool,
    pub(crate) count: String,
    pub(crate) phone: bool,
    pub(crate) key: String,
}

/// Most entries of the bar at the bottom of a phone.
const PHONE_MAX: usize = 4;

/// The groups for one viewer; `last` is no pack's; `path` is the page one is on, with its query.
pub(crate) fn groups(engine: &Engine, packs: &[(Arc<Pack>, Viewer)], last: Option<Group>, path: &str) -> Vec<Group> {
    let mut groups = Vec::new();
    for (pack, viewer) in packs {
        let language = &viewer.language;
        let declared = pack.nav().values().map(|group| (group.label.get(language).to_owned(), group.items.clone()));
        let mut wanted: Vec<(String, Vec<NavTarget>)> = declared.collect();
        if wanted.is_empty() {
            wanted.push((pack.title().get(language).to_owned(), all(pack)));
        }
        for (label, targets) in wanted {
            let items: Vec<Item> = targets.iter().filter_map(|target| item(engine, pack, viewer, target)).collect();
            if !items.is_empty() {
                groups.push(Group { label, items });
            }
        }
    }
    groups.extend(last);
    only_one_inbox(&mut groups);
    mark_active(&mut groups, path);
    give_keys(&mut groups);
    mark_phone(&mut groups);
    groups
}

/// Where a target leads; none where the viewer may not open it.
pub(crate) fn address(engine: &Engine, pack: &Arc<Pack>, viewer: &Viewer, target: &NavTarget) -> Option<String> {
    let path = |kind: &str, key: &Key, has: fn(&Pack, &str) -> bool| path_of(engine, pack, kind, key, has);
    match target {
        NavTarget::Inbox => (viewer.kind == ViewerKind::Person).then(|| "/inbox".to_owned()),
        NavTarget::Board(key) => {
            let board = pack.boards().get(key).filter(|board| may_open(board, viewer));
            board.map(|_| path("boards", key, |pack, key| pack.boards().contains_key(key)))
        }
        NavTarget::Form(form) => {
            may_read(pack, viewer, form).then(|| path("records", form, |pack, key| pack.forms().contains_key(key)))
        }
        NavTarget::View(form, view) => may_read(pack, viewer, form).then(|| {
            let path = path("records", form, |pack, key| pack.forms().contains_key(key));
            format!("{path}?view={view}")
        }),
        NavTarget::Report(key) => {
            may_run(pack, viewer, key).then(|| path("reports", key, |pack, key| pack.reports().contains_key(key)))
        }
    }
}

/// Whether the viewer reads records of every form a report counts.
fn may_run(pack: &Arc<Pack>, viewer: &Viewer, report: &str) -> bool {
    let Some(report) = pack.reports().get(report) else { return false };
    let datasets =
        report.metrics.iter().flat_map(|metric| pack.counted(metric)).filter_map(|metric| metric.source.as_ref());
    let datasets = datasets.map(|source| &source.dataset);
    datasets.filter_map(|dataset| pack.datasets().get(dataset)).all(|dataset| may_read(pack, viewer, &dataset.owner))
}

fn item(engine: &Engine, pack: &Arc<Pack>, viewer: &Viewer, target: &NavTarget) -> Option<Item> {
    let href = address(engine, pack, viewer, target)?;
    let language = viewer.language.as_str();
    let (label, icon) = match target {
        NavTarget::Inbox => (crate::i18n::text(language, "nav.inbox").to_owned(), "inbox"),
        NavTarget::Board(key) => (pack.boards().get(key)?.label.get(language).to_owned(), "board"),
        NavTarget::Form(form) => (pack.form(form).label.get(language).to_owned(), "form"),
        NavTarget::View(form, view) => (pack.form(form).views.get(view)?.label.get(language).to_owned(), "form"),
        NavTarget::Report(key) => (pack.reports().get(key)?.label.get(language).to_owned(), "report"),
    };
    Some(Item { label, href, icon, active: false, count: String::new(), phone: false, key: String::new() })
}

/// Without a `nav`: the inbox, boards, forms that have views, reports.
fn all(pack: &Pack) -> Vec<NavTarget> {
    // A board of a form is the page of its records.
    let boards = pack.boards().iter().filter(|(_, board)| board.of.is_none());
    let boards = boards.map(|(key, _)| NavTarget::Board(key.clone()));
    let forms =
        pack.forms().iter().filter(|(_, form)| !form.views.is_empty()).map(|(key, _)| NavTarget::Form(key.clone()));
    let reports = pack.reports().keys().cloned().map(NavTarget::Report);
    let inbox = (!pack.workflows().is_empty()).then_some(NavTarget::Inbox);
    inbox.into_iter().chain(boards).chain(forms).chain(reports).collect()
}

/// Several packs name one and the same inbox.
fn only_one_inbox(groups: &mut Vec<Group>) {
    let mut seen = HashSet::new();
    for group in &mut *groups {
        group.items.retain(|item| seen.insert(item.href.clone()));
    }
    groups.retain(|group| !group.items.is_empty());
}

/// The entry of the page one is on: the same address, else that of the form as a whole.
fn mark_active(groups: &mut [Group], path: &str) {
    let (page, query) = path.split_once('?').unwrap_or((path, ""));
    let view = query.split('&').find(|pair| pair.starts_with("view="));
    let exact = match view {
        Some(view) => format!("{page}?{view}"),
        None => page.to_owned(),
    };
    let is_above = |href: &str| page.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
    let mut items: Vec<&mut Item> = groups.iter_mut().flat_map(|group| &mut group.items).collect();
    let found = items.iter().position(|item| item.href == exact);
    let found = found.or_else(|| items.iter().position(|item| page == item.href || is_above(&item.href)));
    if let Some(item) = found.and_then(|index| items.get_mut(index)) {
        item.active = true;
    }
}

/// `g` and a letter: of the address's last part, the first that is free.
fn give_keys(groups: &mut [Group]) {
    let mut taken = HashSet::new();
    for item in groups.iter_mut().flat_map(|group| &mut group.items) {
        let name = item.href.rsplit(['/', '=']).next().unwrap_or_default();
        let free = name.chars().filter(char::is_ascii_lowercase).find(|letter| taken.insert(*letter));
        item.key = free.map(String::from).unwrap_or_default();
    }
}

/// On a phone: the first of each kind, then the next ones.
fn mark_phone(groups: &mut [Group]) {
    let mut kinds = HashSet::new();
    let mut left = PHONE_MAX;
    for item in groups.iter_mut().flat_map(|group| &mut group.items) {
        if left > 0 && kinds.insert(item.icon) {
            item.phone = true;
            left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups_of(hrefs: &[&str]) -> Vec<Group> {
        let item = |href: &&str| Item {
            label: String::new(),
            href: (*href).to_owned(),
            icon: "form",
            active: false,
            count: String::new(),
            phone: false,
            key: String::new(),
        };
        vec![Group { label: String::new(), items: hrefs.iter().map(item).collect() }]
    }

    fn active(hrefs: &[&str], path: &str) -> Vec<String> {
        let mut groups = groups_of(hrefs);
        mark_active(&mut groups, path);
        groups.remove(0).items.into_iter().filter(|item| item.active).map(|item| item.href).collect()
    }

    #[test]
    fn one_entry_is_active() {
        let nav = ["/inbox", "/records/ticket?view=mine", "/records/ticket?view=all", "/records/customer"];
        assert_eq!(active(&nav, "/records/ticket?q=x&view=all"), ["/records/ticket?view=all"]);
        assert_eq!(active(&nav, "/records/ticket/0199"), [""; 0]);
        assert_eq!(active(&nav, "/records/customer?view=all"), ["/records/customer"]);
        assert_eq!(active(&nav, "/records/customer/0199/edit"), ["/records/customer"]);
        assert_eq!(active(&nav, "/inbox?box=team"), ["/inbox"]);
        assert!(active(&nav, "/home").is_empty());
    }

    #[test]
    fn letters_are_given_once() {
        let mut groups = groups_of(&["/inbox", "/records/item?view=it", "/records/ii"]);
        give_keys(&mut groups);
        let keys: Vec<&str> = groups[0].items.iter().map(|item| item.key.as_str()).collect();
        assert_eq!(keys, ["i", "t", ""]);
    }
}
