//! From a definition to an open plan: which branches to run, and how their aggregates are laid out.
//!
//! Metrics over the same dataset and time share a branch: their `where` sits inside the aggregate. A total is the same
//! branch with no keys, a comparison the same branch over another period (reports.md §2.2).

use std::sync::Arc;

use formwork_core::access::Narrowed;
use formwork_model::expr::ir::BinaryOp;
use formwork_model::expr::{Ir, Type};
use formwork_model::pack::analytics::{
    Aggregate, AggregateFold, By, Dataset, Dimension, Grain, Measure, Metric, MetricSource, Range, Report, TileKind,
};
use formwork_model::{Key, Pack, Text};

use crate::fault::Refusal;
use crate::plan::{
    AggregateSpec, Branch, BranchKey, ByColumn, ByKind, MetricColumn, Open, Part, Placement, Plan, Ranking, Shape,
    SortColumn, no_row,
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
    let parts = builder.parts(&metric, false, range != Range::All);
    let shape = Shape {
        key: metric.key.clone(),
        label: metric.label.clone(),
        by: Vec::new(),
        metrics: vec![MetricColumn { metric, parts, hidden: false }],
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
    let rankings = rankings(pack, &report, &dimensions, &range)?;
    let mut builder = Builder::new(pack, grain, dimensions, range.clone());
    let columns = metrics
        .into_iter()
        .map(|metric| MetricColumn { parts: builder.parts(&metric, report.grand_total, false), hidden: false, metric })
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
    let mut plan = Plan::open(pack.clone(), builder.branches, shape);
    plan.rankings = rankings;
    Ok(plan)
}

/// The questions which values of a dimension are shown.
fn rankings(
    pack: &Arc<Pack>,
    report: &Report,
    dimensions: &[Key],
    range: &Range,
) -> Result<Vec<Ranking<Open>>, Refusal> {
    let mut rankings = Vec::new();
    for (key, top) in &report.top {
        let Some(By::Dimension(dimension)) = report.by.get(key) else { continue };
        let Some(position) = dimensions.iter().position(|known| known == dimension) else { continue };
        let metric = metric_of(pack, &top.rank)?;
        let mut builder = Builder::new(pack, None, vec![dimension.clone()], range.clone());
        let parts = builder.parts(&metric, false, false);
        let mut by = by_columns(pack, report);
        by.retain(|column| column.key == *key);
        for column in &mut by {
            if let ByKind::Dimension { position, .. } = &mut column.kind {
                *position = 0;
            }
        }
        let shape = Shape {
            key: report.key.clone(),
            label: report.label.clone(),
            by,
            metrics: vec![MetricColumn { metric, parts, hidden: false }],
            sort: vec![(SortColumn::Metric(0), true)],
            limit: top.count as usize,
            range: range.clone(),
            visual: None,
        };
        rankings.push(Ranking { position, plan: Plan::open(pack.clone(), builder.branches, shape) });
    }
    Ok(rankings)
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
        let ranked = plan.rankings.iter_mut().flat_map(|ranking| &mut ranking.plan.branches);
        plan.branches.iter_mut().chain(ranked).for_each(|branch| narrow(pack, branch, narrowed));
    }
    Ok(Some(plan))
}

/// Leaves the rows for which the condition holds; of another form none, so that nothing is counted that was not meant.
fn narrow(pack: &Pack, branch: &mut Branch, narrowed: &Narrowed) {
    let condition = match branch.owner == *narrowed.form() {
        true => branch.of_owner(pack, narrowed.ir()).unwrap_or_else(no_row),
        false => no_row(),
    };
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

    /// Places what a metric counts, with a total and a comparison where they are wanted.
    fn parts(&mut self, metric: &Metric, total: bool, previous: bool) -> Vec<Part> {
        let counted = self.pack.counted(&metric.key);
        let sources = counted.into_iter().filter_map(|metric| Some((metric, metric.source.as_ref()?)));
        let place = |(metric, source): (&Arc<Metric>, &MetricSource)| Part {
            rows: self.place(metric, source, Role::Rows),
            total: total.then(|| self.place(metric, source, Role::Total)),
            previous: previous.then(|| self.place(metric, source, Role::Previous)),
            metric: metric.clone(),
        };
        sources.map(place).collect()
    }

    /// Adds a metric's aggregates to the branch of that role, and says where they are.
    fn place(&mut self, metric: &Metric, source: &MetricSource, role: Role) -> Placement {
        let shared =
            self.branches.iter().zip(&self.roles).position(|(branch, of)| {
                *of == role && branch.dataset == source.dataset && branch.time_key == source.time
            });
        let branch = shared.unwrap_or_else(|| {
            self.branches.push(self.branch(source, role));
            self.roles.push(role);
            self.branches.len() - 1
        });
        let aggregates = &mut self.branches[branch].aggregates;
        let first = aggregates.len();
        match &metric.measure {
            Measure::Single(single) => aggregates.push(spec(single)),
            Measure::Ratio { num, den } => aggregates.extend([spec(num), spec(den)]),
            Measure::Formula(_) => {}
        }
        Placement { branch, first }
    }

    fn branch(&self, source: &MetricSource, role: Role) -> Branch {
        let dataset = &self.pack.datasets()[&source.dataset];
        let time = &dataset.times[&source.time];
        let keyed = role == Role::Rows;
        let keys = self.dimensions.iter().filter(|_| keyed).map(|key| branch_key(dataset, key)).collect();
        Branch {
            dataset: dataset.key.clone(),
            form: dataset.form.clone(),
            owner: dataset.owner.clone(),
            time_key: source.time.clone(),
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
        kept: None,
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
        for (metric, source) in sources(pack, metrics) {
            if !pack.datasets()[&source.dataset].dimensions.contains_key(dimension) {
                let (metric, dataset) = (metric.key.clone(), source.dataset.clone());
                return Err(Refusal::NoDimension { metric, dataset, dimension: dimension.clone() });
            }
        }
        dimensions.push(dimension.clone());
    }
    Ok(dimensions)
}

/// What the metrics count, and the metric that says so.
fn sources<'a>(
    pack: &'a Pack,
    metrics: &'a [Arc<Metric>],
) -> impl Iterator<Item = (&'a Arc<Metric>, &'a MetricSource)> {
    let counted = metrics.iter().flat_map(|metric| pack.counted(&metric.key));
    counted.filter_map(|metric| Some((metric, metric.source.as_ref()?)))
}

/// The columns that tell rows apart; label, type and classes are those of the first metric's dataset.
fn by_columns(pack: &Pack, report: &Report) -> Vec<ByColumn> {
    let metrics: Vec<Arc<Metric>> = report.metrics.iter().map(|metric| pack.metrics()[metric].clone()).collect();
    let dataset = sources(pack, &metrics).next().map(|(_, source)| &pack.datasets()[&source.dataset]);
    let dimension = |key: &Key| -> Option<&Dimension> { dataset.and_then(|dataset| dataset.dimensions.get(key)) };
    let mut position = 0;
    let mut columns = Vec::new();
    for (key, by) in &report.by {
        let column = match by {
            By::Grain(grain) => ByColumn { key: key.clone(), label: grain_label(*grain), kind: ByKind::Grain(*grain) },
            By::Dimension(of) => {
                let Some(dimension) = dimension(of) else { continue };
                let (expr, edges) = (dimension.expr.clone(), dimension.edges.clone());
                let other = report.top.get(key).is_none_or(|top| top.other);
                let kind = ByKind::Dimension { position, expr, edges, other };
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
