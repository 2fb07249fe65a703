//! From partial aggregates to a finished table: align, spine, totals, ratios, comparison, sort, limit. One implementation
//! for every executor.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use formwork_model::expr::{Expr, Ir, Type};
use formwork_model::pack::analytics::Grain;
use formwork_model::pack::form::FieldKind;
use formwork_model::{Key, Pack, Text};

use crate::buckets::BUCKETS_MAX;
use crate::calculate;
use crate::cell::Cell;
use crate::civil;
use crate::fault::{Fault, Refusal};
use crate::partial::{BranchPartials, DimensionKey, GroupKey, Partial, Partials};
use crate::plan::{ByColumn, ByKind, MetricColumn, Part, Placement, Plan, Policed, SortColumn};
use crate::range::{self, Period};
use crate::reads;
use crate::table::{Comparison, KeyColumn, KeyKind, NumberColumn, Row, RowKey, Table, Verdict};

/// Most rows before the limit: the spine of many keys over many buckets is refused, not cut.
const ROWS_MAX: usize = 200_000;

/// Finishes a run.
///
/// # Errors
/// [`Fault::Overflow`]; [`Fault::Refused`] for more than 200,000 rows before the limit.
pub fn finish(plan: &Plan<Policed>, partials: &Partials) -> Result<Table, Fault> {
    let shape = &plan.shape;
    let zone = *plan.pack.timezone();
    let interval = range::resolve(&shape.range, Period::Current, zone, partials.as_of)?;
    let mut rows = rows(plan, partials)?;
    sort(&mut rows, &shape.sort);
    let row_count = rows.len();
    rows.truncate(shape.limit);
    Ok(Table {
        key: shape.key.clone(),
        label: shape.label.clone(),
        by: shape.by.iter().map(|column| key_column(&plan.pack, column)).collect(),
        metrics: shape.metrics.iter().map(number_column).collect(),
        total: total(plan, partials)?,
        previous: previous(plan, partials, rows.first())?,
        rows,
        row_count,
        range: range::text(&shape.range),
        visual: shape.visual.clone(),
        from: interval.and_then(|interval| interval.from),
        to: interval.and_then(|interval| interval.to),
        zone,
        as_of: partials.as_of,
        as_of_seq: partials.as_of_seq,
    })
}

/// Where a row stands before it is laid out: its bucket's label and its dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    label: Option<NaiveDateTime>,
    keys: Vec<DimensionKey>,
}

/// All rows, in the order of their keys.
fn rows(plan: &Plan<Policed>, partials: &Partials) -> Result<Vec<Row>, Fault> {
    let aligned: Vec<BTreeMap<Place, &[Partial]>> = partials.branches.iter().map(align).collect();
    let running = running_labels(plan, partials);
    let mut rows = Vec::new();
    for place in spine(plan, partials, &aligned)? {
        let part = |part: &Part| {
            let found = aligned.get(part.rows.branch).and_then(|branch| branch.get(&place)).copied();
            // A bucket no branch knows lies between the data of two branches: it is over.
            part_cell(plan, part, part.rows, found, running.get(&place.label).copied().unwrap_or(false))
        };
        let cell = |column: &MetricColumn| column_cell(plan, column, &part);
        let cells = plan.shape.metrics.iter().map(cell).collect::<Result<Vec<_>, _>>()?;
        rows.push(Row { keys: row_keys(&plan.shape.by, &place), cells });
    }
    rows.sort_by(|a, b| a.keys.cmp(&b.keys));
    Ok(rows)
}

/// The groups of a branch by what they mean: branches count buckets on their own.
fn align(branch: &BranchPartials) -> BTreeMap<Place, &[Partial]> {
    let label = |bucket: usize| branch.buckets.buckets().get(bucket).and_then(|bucket| bucket.label);
    let place = |group: &GroupKey| Place { label: label(group.bucket), keys: group.keys.clone() };
    branch.groups.iter().map(|(group, partials)| (place(group), partials.as_slice())).collect()
}

/// Every place of the answer: each set of dimensions that occurs, at each bucket.
fn spine(
    plan: &Plan<Policed>,
    partials: &Partials,
    aligned: &[BTreeMap<Place, &[Partial]>],
) -> Result<Vec<Place>, Fault> {
    let row_branches: BTreeSet<usize> = parts(plan).map(|part| part.rows.branch).collect();
    let occurring = row_branches.iter().filter_map(|branch| aligned.get(*branch)).flat_map(BTreeMap::keys);
    let mut keys: BTreeSet<&[DimensionKey]> = occurring.map(|place| place.keys.as_slice()).collect();
    if !plan.shape.by.iter().any(|column| matches!(column.kind, ByKind::Dimension { .. })) {
        keys.insert(&[]);
    }
    for column in &plan.shape.by {
        if let ByKind::Dimension { position, other: false, .. } = column.kind {
            keys.retain(|keys| keys.get(position) != Some(&DimensionKey::Other));
        }
    }
    let labels = labels(plan, partials, &row_branches)?;
    if keys.len().saturating_mul(labels.len()) > ROWS_MAX {
        return Err(Refusal::TooManyGroups(ROWS_MAX).into());
    }
    let place = |label: &Option<NaiveDateTime>, keys: &&[DimensionKey]| Place { label: *label, keys: keys.to_vec() };
    Ok(labels.iter().flat_map(|label| keys.iter().map(move |keys| place(label, keys))).collect())
}

/// The bucket labels of the answer, without gaps also where two branches cover different times.
fn labels(
    plan: &Plan<Policed>,
    partials: &Partials,
    row_branches: &BTreeSet<usize>,
) -> Result<Vec<Option<NaiveDateTime>>, Fault> {
    let Some(grain) = grain(plan) else { return Ok(vec![None]) };
    let buckets = row_branches.iter().filter_map(|branch| partials.branches.get(*branch));
    let known: BTreeSet<_> = buckets.flat_map(|branch| branch.buckets.buckets()).filter_map(|b| b.label).collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return Ok(Vec::new()) };
    let mut labels = Vec::new();
    let mut label = *first;
    while label <= *last {
        if labels.len() == BUCKETS_MAX {
            return Err(Refusal::TooManyBuckets.into());
        }
        labels.push(Some(label));
        label = civil::step(label, grain, 1).ok_or(Refusal::OutOfCalendar)?;
    }
    Ok(labels)
}

fn running_labels(plan: &Plan<Policed>, partials: &Partials) -> BTreeMap<Option<NaiveDateTime>, bool> {
    let branches = parts(plan).filter_map(|part| partials.branches.get(part.rows.branch));
    let buckets = branches.flat_map(|branch| branch.buckets.buckets());
    buckets.map(|bucket| (bucket.label, bucket.running)).collect()
}

fn grain(plan: &Plan<Policed>) -> Option<Grain> {
    plan.shape.by.iter().find_map(|column| match column.kind {
        ByKind::Grain(grain) => Some(grain),
        ByKind::Dimension { .. } => None,
    })
}

/// The keys of a row in the order of the report's columns.
fn row_keys(by: &[ByColumn], place: &Place) -> Vec<RowKey> {
    let key = |column: &ByColumn| match &column.kind {
        ByKind::Grain(_) => RowKey::Time(place.label.unwrap_or_default()),
        ByKind::Dimension { position, .. } => {
            RowKey::Value(place.keys.get(*position).cloned().unwrap_or(DimensionKey::Null))
        }
    };
    by.iter().map(key).collect()
}

fn parts(plan: &Plan<Policed>) -> impl Iterator<Item = &Part> {
    plan.shape.metrics.iter().flat_map(|column| &column.parts)
}

/// The cell of a column from those of its parts.
fn column_cell(
    plan: &Plan<Policed>,
    column: &MetricColumn,
    of: &dyn Fn(&Part) -> Result<Cell, Fault>,
) -> Result<Cell, Fault> {
    if column.hidden {
        return Ok(Cell::hidden());
    }
    let counted = |metric: &Key| match column.parts.iter().find(|part| part.metric.key == *metric) {
        Some(part) => of(part),
        None => Ok(Cell::no_data()),
    };
    calculate::cell(&plan.pack, &column.metric, &counted)
}

/// A metric's cell from the partials of a group of its branch.
fn part_cell(
    plan: &Plan<Policed>,
    part: &Part,
    placement: Placement,
    found: Option<&[Partial]>,
    running: bool,
) -> Result<Cell, Fault> {
    let specs = plan.branches[placement.branch].aggregates().get(placement.first..).unwrap_or_default();
    let partials = found.and_then(|found| found.get(placement.first..)).unwrap_or_default();
    Cell::of(&part.metric, specs, partials, running)
}

/// The cell of a branch without keys and grain.
fn lone_cell(plan: &Plan<Policed>, partials: &Partials, part: &Part, at: Placement) -> Result<Cell, Fault> {
    let branch = partials.branches.get(at.branch);
    let found = branch.and_then(|branch| branch.groups.values().next()).map(Vec::as_slice);
    let running = branch.is_some_and(|branch| branch.buckets.buckets().iter().any(|bucket| bucket.running));
    part_cell(plan, part, at, found, running)
}

/// The cell of a column from lone ones; none where it has no such placements.
fn lone_column(
    plan: &Plan<Policed>,
    partials: &Partials,
    column: &MetricColumn,
    placement: fn(&Part) -> Option<Placement>,
) -> Result<Option<Cell>, Fault> {
    if column.parts.iter().any(|part| placement(part).is_none()) {
        return Ok(None);
    }
    let of = |part: &Part| match placement(part) {
        Some(placement) => lone_cell(plan, partials, part, placement),
        None => Ok(Cell::no_data()),
    };
    column_cell(plan, column, &of).map(Some)
}

/// The grand total, aggregated at its own grain: never a sum of rows.
fn total(plan: &Plan<Policed>, partials: &Partials) -> Result<Option<Vec<Cell>>, Fault> {
    let cells = plan.shape.metrics.iter().map(|column| lone_column(plan, partials, column, |part| part.total));
    cells.collect::<Result<Option<Vec<_>>, _>>()
}

/// The comparison of a metric with the range before.
fn previous(plan: &Plan<Policed>, partials: &Partials, row: Option<&Row>) -> Result<Option<Comparison>, Fault> {
    let [column] = plan.shape.metrics.as_slice() else { return Ok(None) };
    let previous = lone_column(plan, partials, column, |part| part.previous)?;
    let (Some(cell), Some(current)) = (previous, row.and_then(|row| row.cells.first())) else { return Ok(None) };
    let delta = current.value.zip(cell.value).map(|(now, before)| now.minus(before)).transpose()?;
    let relative = delta.zip(cell.value).map(|(delta, before)| delta.over(before)).transpose()?.flatten();
    let verdict = Verdict::of(delta, column.metric.good);
    Ok(Some(Comparison { cell, delta, relative, verdict }))
}

/// Sorts by the report's columns; what has no value is last in both directions, ties stay in the order of the keys.
fn sort(rows: &mut [Row], by: &[(SortColumn, bool)]) {
    rows.sort_by(|a, b| {
        let orders = by.iter().map(|(column, descending)| match column {
            SortColumn::By(index) => {
                let (a, b) = (a.keys.get(*index), b.keys.get(*index));
                ordered(a.filter(|key| !is_null(key)), b.filter(|key| !is_null(key)), *descending)
            }
            SortColumn::Metric(index) => {
                let value = |row: &Row| row.cells.get(*index).and_then(|cell| cell.value);
                ordered(value(a), value(b), *descending)
            }
        });
        // What is left over stands last, however much it is.
        let others = is_other(a).cmp(&is_other(b));
        orders.fold(Ordering::Equal, Ordering::then).then(others)
    });
    // The columns in front of it still come first.
    if by.first().is_none_or(|(column, _)| matches!(column, SortColumn::Metric(_))) {
        rows.sort_by_key(is_other);
    }
}

fn is_other(row: &Row) -> bool {
    row.keys.contains(&RowKey::Value(DimensionKey::Other))
}

fn is_null(key: &RowKey) -> bool {
    matches!(key, RowKey::Value(DimensionKey::Null))
}

fn ordered<T: Ord>(a: Option<T>, b: Option<T>, descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn key_column(pack: &Pack, column: &ByColumn) -> KeyColumn {
    let (kind, options) = match &column.kind {
        ByKind::Grain(grain) => (KeyKind::Time(*grain), Vec::new()),
        ByKind::Dimension { edges, .. } if !edges.is_empty() => (KeyKind::Class(edges.clone()), Vec::new()),
        ByKind::Dimension { expr, .. } => (KeyKind::Value(expr.ty.clone()), options(pack, expr)),
    };
    KeyColumn { key: column.key.clone(), label: column.label.clone(), kind, options }
}

/// Labels of the keys of a choice field or of queues; a computed choice has its keys only.
fn options(pack: &Pack, expr: &Expr) -> Vec<(Key, Text)> {
    if expr.ty == Type::Queue {
        return pack.queues().iter().map(|(key, queue)| (key.clone(), queue.title.clone())).collect();
    }
    let Ir::Field(path) = &expr.ir else { return Vec::new() };
    let declared = pack.table(&path.field.table.form).and_then(|form| reads::declared(form, &path.field));
    match declared.map(|field| &field.kind) {
        Some(FieldKind::Choice { options, .. }) => {
            options.iter().map(|(key, option)| (key.clone(), option.label.clone())).collect()
        }
        _ => Vec::new(),
    }
}

fn number_column(column: &MetricColumn) -> NumberColumn {
    NumberColumn {
        key: column.metric.key.clone(),
        label: column.metric.label.clone(),
        format: column.metric.format,
        good: column.metric.good,
        hidden: column.hidden,
    }
}

impl Table {
    /// The one cell of a metric.
    pub fn metric_cell(&self) -> Cell {
        let cell = self.rows.first().and_then(|row| row.cells.first()).cloned();
        cell.unwrap_or_else(Cell::no_data)
    }
}
