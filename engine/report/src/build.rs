//! From a definition to an open plan: which branches to run, and how their aggregates are laid out.
//!
//! Metrics over the same dataset and time share a branch: their `where` sits inside the aggregate. A total is the same
//! branch with no keys, a comparison the same branch over another period (reports.md §2.2).

use std::sync::Arc;

use formwork_core::access::Narrowed;
use formwork_model::expr::ir::BinaryOp;
use formwork_model::expr::{Ir, Type};
use formwork_model::pack::analytics::{
    Aggregate, AggregateFold, By, Dataset, Dimension, Grain, Measure, Metric, Range, Report, TileKind,
};
use formwork_model::{Key, Pack, Text};

use crate::fault::Refusal;
use crate::plan::{
    AggregateSpec, Branch, BranchKey, ByColumn, ByKind, MetricColumn, Open, Placement, Plan, Shape, SortColumn, no_row,
};
use crate::range::Period;
use crate::scale;

/// The plan of one metric over a range, beside the same range earlier.
///
/// # Errors
/// [`Refusal::Unknown`].
pub fn metric(pack: &Arc<Pack>, key: &str, range: Range) -> Result<Plan<Open>, Refusal> {
    let metric = metric_of(pack, key)?;
    let mut builder = Builder::new(pack, None, Vec::new(), range.clone());
    let rows = builder.place(&metric, Role::Rows);
    let previous = (range != Range::All).then(|| builder.place(&metric, Role::Previous));
    let shape = Shape {
        key: metric.key.clone(),
        label: metric.label.clone(),
        by: Vec::new(),
        metrics: vec![MetricColumn { metric, rows, total: None, previous, hidden: false }],
        sort: Vec::new(),
        limit: 1,
        range,
        visual: None,
    };
    Ok(Plan::open(pack.clone(), builder.branches, shape))
}

/// The plan of a report; `range` instead of its own, if given.
///
/// # Errors
/// [`Refusal::Unknown`], [`Refusal::SecondGrain`], [`Refusal::NoDimension`].
pub fn report(pack: &Arc<Pack>, key: &str, range: Option<Range>) -> Result<Plan<Open>, Refusal> {
    let unknown = || Refusal::Unknown { kind: "report", key: key.to_owned() };
    let report = pack.reports().get(key).ok_or_else(unknown)?.clone();
    let metrics = report.metrics.iter().map(|key| metric_of(pack, key)).collect::<Result<Vec<_>, _>>()?;
    let grain = grain_of(&report)?;
    let dimensions = dimensions_of(pack, &report, &metrics)?;
    let range = range.unwrap_or_else(|| report.range.clone());
    let mut builder = Builder::new(pack, grain, dimensions, range.clone());
    let columns = metrics
        .into_iter()
        .map(|metric| MetricColumn {
            rows: builder.place(&metric, Role::Rows),
            total: report.grand_total.then(|| builder.place(&metric, Role::Total)),
            previous: None,
            hidden: false,
            metric,
        })
        .collect();
    let shape = Shape {
        key: report.key.clone(),
        label: report.label.clone(),
        by: by_columns(pack, &report),
        metrics: columns,
        sort: sort_columns(&report),
        limit: report.limit as usize,
        range,
        visual: report.visual.clone(),
    };
    Ok(Plan::open(pack.clone(), builder.branches, shape))
}

/// The plan of a board's tile, if it shows numbers. `range` is the reader's choice for the board; a tile's own `set`
/// stands above it, the board's default below it. `narrowed` is the tile's `where` as the viewer may ask it.
///
/// # Errors
/// As [`metric`] and [`report`].
pub fn tile(
    pack: &Arc<Pack>,
    board: &str,
    tile: &str,
    range: Option<Range>,
    narrowed: Option<&Narrowed>,
) -> Result<Option<Plan<Open>>, Refusal> {
    let unknown = |kind, key: &str| Refusal::Unknown { kind, key: key.to_owned() };
    let board = pack.boards().get(board).ok_or_else(|| unknown("board", board))?;
    let content = &board.tiles.get(tile).ok_or_else(|| unknown("tile", tile))?.kind;
    let of_board = range.or_else(|| board.range.clone());
    let mut plan = match content {
        TileKind::Metric { metric: key, range, .. } => {
            metric(pack, key, range.clone().or(of_board).unwrap_or(Range::All))?
        }
        TileKind::Report { report: key, range, .. } => report(pack, key, range.clone().or(of_board))?,
        _ => return Ok(None),
    };
    if let Some(narrowed) = narrowed {
        plan.branches.iter_mut().for_each(|branch| narrow(branch, narrowed));
    }
    Ok(Some(plan))
}

/// Leaves the rows for which the condition holds; of another form none, so that nothing is counted that was not meant.
fn narrow(branch: &mut Branch, narrowed: &Narrowed) {
    let condition = if branch.form == *narrowed.form() { narrowed.ir().clone() } else { no_row() };
    branch.filter = Some(match branch.filter.take() {
        Some(filter) => Ir::Binary(BinaryOp::And, Box::new(filter), Box::new(condition)),
        None => condition,
    });
}

/// What a branch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Rows,
    Total,
    Previous,
}

/// Collects branches; equal ones are shared.
struct Builder<'a> {
    pack: &'a Pack,
    grain: Option<Grain>,
    dimensions: Vec<Key>,
    range: Range,
    roles: Vec<Role>,
    branches: Vec<Branch>,
}

impl<'a> Builder<'a> {
    fn new(pack: &'a Pack, grain: Option<Grain>, dimensions: Vec<Key>, range: Range) -> Self {
        Self { pack, grain, dimensions, range, roles: Vec::new(), branches: Vec::new() }
    }

    /// Adds a metric's aggregates to the branch of that role, and says where they are.
    fn place(&mut self, metric: &Metric, role: Role) -> Placement {
        let shared =
            self.branches.iter().zip(&self.roles).position(|(branch, of)| {
                *of == role && branch.dataset == metric.dataset && branch.time_key == metric.time
            });
        let branch = shared.unwrap_or_else(|| {
            self.branches.push(self.branch(metric, role));
            self.roles.push(role);
            self.branches.len() - 1
        });
        let aggregates = &mut self.branches[branch].aggregates;
        let first = aggregates.len();
        match &metric.measure {
            Measure::Single(single) => aggregates.push(spec(single)),
            Measure::Ratio { num, den } => aggregates.extend([spec(num), spec(den)]),
        }
        Placement { branch, first }
    }

    fn branch(&self, metric: &Metric, role: Role) -> Branch {
        let dataset = &self.pack.datasets()[&metric.dataset];
        let time = &dataset.times[&metric.time];
        let keyed = role == Role::Rows;
        let keys = self.dimensions.iter().filter(|_| keyed).map(|key| branch_key(dataset, key)).collect();
        Branch {
            dataset: dataset.key.clone(),
            form: dataset.form.clone(),
            time_key: metric.time.clone(),
            time: time.ir.clone(),
            time_is_date: time.ty == Type::Date,
            range: self.range.clone(),
            period: if role == Role::Previous { Period::Previous } else { Period::Current },
            grain: self.grain.filter(|_| keyed),
            keys,
            filter: dataset.filter.as_ref().map(|filter| filter.ir.clone()),
            policy: no_row(),
            aggregates: Vec::new(),
        }
    }
}

fn branch_key(dataset: &Dataset, key: &Key) -> BranchKey {
    let dimension = &dataset.dimensions[key];
    BranchKey {
        dimension: key.clone(),
        ir: dimension.expr.ir.clone(),
        ty: dimension.expr.ty.clone(),
        edges: dimension.edges.clone(),
    }
}

fn spec(aggregate: &Aggregate) -> AggregateSpec {
    let compute = aggregate.compute.as_ref().filter(|_| aggregate.fold != AggregateFold::Count);
    AggregateSpec {
        fold: aggregate.fold,
        compute: compute.map(|expr| expr.ir.clone()),
        filter: aggregate.filter.as_ref().map(|expr| expr.ir.clone()),
        ty: compute.map(|expr| expr.ty.clone()),
        scale: compute.map_or(0, |expr| scale::places(&expr.ir)),
        hidden: false,
    }
}

fn metric_of(pack: &Pack, key: &str) -> Result<Arc<Metric>, Refusal> {
    pack.metrics().get(key).cloned().ok_or_else(|| Refusal::Unknown { kind: "metric", key: key.to_owned() })
}

fn grain_of(report: &Report) -> Result<Option<Grain>, Refusal> {
    let mut grains = report.by.iter().filter_map(|(key, by)| match by {
        By::Grain(grain) => Some((key, *grain)),
        By::Dimension(_) => None,
    });
    let first = grains.next().map(|(_, grain)| grain);
    match grains.next() {
        Some((key, _)) => Err(Refusal::SecondGrain(key.clone())),
        None => Ok(first),
    }
}

/// The dimensions of a report in order; each is one of every metric's dataset.
fn dimensions_of(pack: &Pack, report: &Report, metrics: &[Arc<Metric>]) -> Result<Vec<Key>, Refusal> {
    let mut dimensions = Vec::new();
    for by in report.by.values() {
        let By::Dimension(dimension) = by else { continue };
        if let Some(metric) =
            metrics.iter().find(|metric| !pack.datasets()[&metric.dataset].dimensions.contains_key(dimension))
        {
            return Err(Refusal::NoDimension {
                metric: metric.key.clone(),
                dataset: metric.dataset.clone(),
                dimension: dimension.clone(),
            });
        }
        dimensions.push(dimension.clone());
    }
    Ok(dimensions)
}

/// The columns that tell rows apart; label, type and classes are those of the first metric's dataset.
fn by_columns(pack: &Pack, report: &Report) -> Vec<ByColumn> {
    let dataset = report.metrics.first().map(|metric| &pack.datasets()[&pack.metrics()[metric].dataset]);
    let dimension = |key: &Key| -> Option<&Dimension> { dataset.and_then(|dataset| dataset.dimensions.get(key)) };
    let mut position = 0;
    let mut columns = Vec::new();
    for (key, by) in &report.by {
        let column = match by {
            By::Grain(grain) => ByColumn { key: key.clone(), label: grain_label(*grain), kind: ByKind::Grain(*grain) },
            By::Dimension(of) => {
                let Some(dimension) = dimension(of) else { continue };
                let (expr, edges) = (dimension.expr.clone(), dimension.edges.clone());
                let kind = ByKind::Dimension { position, expr, edges };
                position += 1;
                ByColumn { key: key.clone(), label: dimension.label.clone(), kind }
            }
        };
        columns.push(column);
    }
    columns
}

fn sort_columns(report: &Report) -> Vec<(SortColumn, bool)> {
    let column = |key: &Key| {
        let by = report.by.get_index_of(key).map(SortColumn::By);
        by.or_else(|| report.metrics.iter().position(|metric| metric == key).map(SortColumn::Metric))
    };
    report.sort.iter().filter_map(|(key, descending)| Some((column(key)?, *descending))).collect()
}

/// The heading of a time column.
fn grain_label(grain: Grain) -> Text {
    let (english, chinese) = match grain {
        Grain::Hour => ("Hour", "小时"),
        Grain::Day => ("Day", "日"),
        Grain::Week => ("Week", "周"),
        Grain::Month => ("Month", "月"),
        Grain::Quarter => ("Quarter", "季度"),
        Grain::Year => ("Year", "年"),
    };
    let languages = [("en".to_owned(), english.to_owned()), ("zh-CN".to_owned(), chinese.to_owned())];
    Text::Languages(languages.into_iter().collect())
}
