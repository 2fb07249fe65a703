//! Reports, and the ranges they and the boards are asked for.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::At;
use crate::documents::report::{By as AuthorBy, GrainWord, Params, Report as AuthorReport, Total};
use crate::documents::{Kind, dataset};
use crate::pack::analytics::{By, Dataset, Grain, Metric, Opens, Range, Report, Top};
use crate::{Key, documents::metrics};

use super::context::Context;
use super::load::Document;
use super::{formula, pack, visual};

/// Most rows where a report says nothing.
const LIMIT_DEFAULT: u32 = 1_000;

/// Compiles a report. Parts that are wrong are reported and left out.
pub(super) fn compile(
    context: &Context<'_>,
    document: &Document<AuthorReport>,
    datasets: &IndexMap<Key, Arc<Dataset>>,
    metrics_of: &IndexMap<Key, Arc<Metric>>,
) -> Report {
    let author = &document.body;
    let at = &document.at;
    let mut metrics = Vec::new();
    for (index, key) in author.metrics.iter().enumerate() {
        if context.refers(Kind::Metric, key, &at.key("metrics").index(index)) {
            metrics.push(Key::from(key.as_str()));
        }
    }
    let by = breakdown(context, document, &metrics, &at.key("by"));
    let columns = visual::Columns { by: &by, metrics: &metrics, all: metrics_of, datasets };
    let picture = author.visual.as_ref();
    let visual = picture.and_then(|picture| visual::compile(context, picture, document, &columns));
    Report {
        key: document.key.clone(),
        label: context.text(&author.label, &at.key("label")),
        range: params_range(context, &author.params, &at.key("params")).unwrap_or(Range::All),
        sort: sort(context, author, &at.key("sort")),
        top: tops(context, author, &at.key("by")),
        grand_total: author.totals.iter().any(|total| matches!(total, Total::Grand)),
        limit: author.limit.unwrap_or(LIMIT_DEFAULT),
        drill: drill(context, author, &metrics, &at.key("drill").key("open")),
        metrics,
        by,
        visual,
    }
}

/// The rows of the view are those that a number counts, so it leaves none out, and they are of one form.
fn drill(context: &Context<'_>, author: &AuthorReport, metrics: &[Key], at: &At) -> Option<Opens> {
    let open = &author.drill.as_ref()?.open;
    let form = Key::from(open.form.as_str());
    if !context.refers(Kind::Form, &form, &at.key("form"))
        || !pack::view_exists(context, &form, &open.view, &at.key("view"))
    {
        return None;
    }
    let view = context.documents.forms.get(&form).and_then(|form| form.body.views.get(&open.view));
    if view.is_some_and(|view| view.filter.is_some()) {
        let message = format!("the view `{}` leaves records out that a number counts", open.view);
        context.error_hint("FW0405", &at.key("view"), message, "name a view without `where`".to_owned());
    }
    for metric in &counted(context, metrics) {
        let Some(other) = dataset_of(context, metric).and_then(|dataset| dataset.body.source.table()) else {
            continue;
        };
        if other != form {
            let message = match other.split_once(':') {
                Some((of, _)) => format!("`{metric}` counts clocks of `{of}`, not records"),
                None => format!("`{metric}` counts records of `{other}`"),
            };
            context.error("FW0405", &at.key("form"), message);
        }
    }
    Some(Opens { form, view: open.view.as_str().into() })
}

/// The range of `params`, where there is one.
pub(super) fn params_range(context: &Context<'_>, params: &Params, at: &At) -> Option<Range> {
    let given = params.range.as_ref()?;
    range(context, &given.default, &at.key("range").key("default"))
}

/// A range; an error where it is none.
pub(super) fn range(context: &Context<'_>, text: &str, at: &At) -> Option<Range> {
    let range = Range::parse(text);
    if range.is_none() {
        let hint = "write `last 13 weeks`, `this month`, `past 24 hours`, `2026-01-01..2026-03-31` or `all`".to_owned();
        context.error_hint("FW0408", at, format!("`{text}` is no range of time"), Some(hint));
    }
    range
}

fn breakdown(context: &Context<'_>, document: &Document<AuthorReport>, metrics: &[Key], at: &At) -> IndexMap<Key, By> {
    let mut compiled = IndexMap::new();
    for (key, by) in &document.body.by {
        let at = at.key(key);
        match by {
            AuthorBy { grain: Some(word), dimension: None, top: None, rank: None, other: None } => {
                compiled.insert(Key::from(key.as_str()), By::Grain(grain(*word)));
            }
            AuthorBy { grain: Some(_), dimension: None, .. } => {
                let hint = "give it to a dimension".to_owned();
                context.error_hint("FW0405", &at.key("grain"), "buckets of time have no first ones", hint);
            }
            AuthorBy { grain: None, dimension: Some(dimension), .. } => {
                conformed(context, metrics, dimension, &at.key("dimension"));
                compiled.insert(Key::from(key.as_str()), By::Dimension(dimension.as_str().into()));
            }
            _ if document.is_cut_in(&at) => {}
            _ => context.error_at_key("FW0117", &at, "exactly one of `grain` and `dimension` is needed", None),
        }
    }
    if compiled.values().filter(|by| matches!(by, By::Grain(_))).count() > 1 {
        context.error("FW0405", at, "a report has at most one `grain`");
    }
    compiled
}

/// The keys of which only the first values are shown.
fn tops(context: &Context<'_>, author: &AuthorReport, at: &At) -> IndexMap<Key, Top> {
    let mut tops = IndexMap::new();
    for (key, by) in author.by.iter().filter(|(_, by)| by.dimension.is_some()) {
        let at = at.key(key);
        let rank = by.rank.as_ref().or(author.metrics.first());
        match (by.top, rank) {
            (Some(count), Some(rank)) => {
                if !author.metrics.contains(rank) {
                    let known = author.metrics.iter().map(String::as_str);
                    context.unknown("FW0401", &at.key("rank"), "metric of this report", rank, known);
                    continue;
                }
                let other = by.other.unwrap_or(false);
                tops.insert(Key::from(key.as_str()), Top { count, rank: rank.as_str().into(), other });
            }
            _ => {
                for (word, _) in
                    [("rank", by.rank.is_some()), ("other", by.other.is_some())].into_iter().filter(|(_, is)| *is)
                {
                    let hint = "say how many with `top`".to_owned();
                    context.error_hint("FW0405", &at.key(word), format!("`{word}` is of no use without `top`"), hint);
                }
            }
        }
    }
    tops
}

/// Every metric must have the dimension, and it must mean the same for all (`reports.md` §1.4).
fn conformed(context: &Context<'_>, metrics: &[Key], dimension: &str, at: &At) {
    let mut meaning: Option<(&Key, Option<Key>, &dataset::Dimension)> = None;
    for metric in &counted(context, metrics) {
        let Some(dataset) = dataset_of(context, metric) else { continue };
        let Some(found) = dataset.body.dimensions.get(dimension) else {
            if !dataset.cut.iter().any(|pointer| pointer == &format!("/dimensions/{dimension}")) {
                let known = dataset.body.dimensions.keys().map(String::as_str);
                let noun = format!("dimension of metric `{metric}` (dataset `{}`)", dataset.key);
                context.unknown("FW0401", at, &noun, dimension, known);
            }
            continue;
        };
        let form = field_form(&dataset.body.source, found);
        match meaning {
            None => meaning = Some((metric, form, found)),
            Some((first, ref first_form, one)) => {
                let same = one.compute == found.compute && one.edges == found.edges;
                let same_field = own_field(one) == own_field(found) && form == *first_form;
                if !same || !same_field {
                    let message = format!("`{dimension}` means different things for `{first}` and `{metric}`");
                    context.error("FW0405", at, message);
                }
            }
        }
    }
}

/// The form a dimension's field is read from: `record.x` of a clock is a field of the record.
fn field_form(source: &dataset::DatasetSource, dimension: &dataset::Dimension) -> Option<Key> {
    match (&source.clocks, &dimension.field) {
        (Some(clocks), Some(field)) if field.starts_with("record.") => Some(clocks.as_str().into()),
        _ => source.table(),
    }
}

fn own_field(dimension: &dataset::Dimension) -> Option<&str> {
    dimension.field.as_deref().map(|field| field.strip_prefix("record.").unwrap_or(field))
}

/// The metrics that count rows behind these.
fn counted(context: &Context<'_>, metrics: &[Key]) -> Vec<Key> {
    metrics.iter().flat_map(|metric| formula::counted(context, metric)).collect()
}

fn dataset_of<'a>(context: &Context<'a>, metric: &str) -> Option<&'a Document<dataset::Dataset>> {
    let metric: &Document<metrics::Metric> = context.documents.metrics.get(metric)?;
    context.documents.datasets.get(metric.body.common.dataset.as_deref()?)
}

fn sort(context: &Context<'_>, author: &AuthorReport, at: &At) -> Vec<(Key, bool)> {
    let mut keys = Vec::new();
    for (index, word) in author.sort.iter().enumerate() {
        let (name, descending) = word.strip_prefix('-').map_or((word.as_str(), false), |name| (name, true));
        let known = || author.by.keys().chain(&author.metrics).map(String::as_str);
        if known().any(|key| key == name) {
            keys.push((Key::from(name), descending));
        } else {
            context.unknown("FW0401", &at.index(index), "column", name, known());
        }
    }
    keys
}

fn grain(word: GrainWord) -> Grain {
    match word {
        GrainWord::Hour => Grain::Hour,
        GrainWord::Day => Grain::Day,
        GrainWord::Week => Grain::Week,
        GrainWord::Month => Grain::Month,
        GrainWord::Quarter => Grain::Quarter,
        GrainWord::Year => Grain::Year,
    }
}
