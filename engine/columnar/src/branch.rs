//! Runs one branch: policy, filter, bucket, keys, aggregates. What the engine cannot evaluate is evaluated by the core on
//! the rows that are left, and the trace says so.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use formwork_model::expr::Ir;
use formwork_model::expr::ir::BinaryOp;
use formwork_model::pack::analytics::{AggregateFold, Percent};
use formwork_model::{Key, Pack, Value};
use formwork_report::interpret;
use formwork_report::number::power_of_ten;
use formwork_report::partial::{BranchPartials, GroupKey, Partial};
use formwork_report::plan::{AggregateSpec, Branch, BranchKey};
use formwork_report::reads::Reads;
use formwork_report::rows::{Rows, Source};
use formwork_report::virtuals::virtuals;
use formwork_report::{Budget, Fault, Plan, Refusal, scale};
use polars::prelude::{
    DataFrame, DataType, Expr, Int128Chunked, IntoLazy, IntoSeries, NULL, NewChunkedArray, Series, UInt32Chunked, col,
    len, lit, when,
};

use crate::column::{Held, date_of_days};
use crate::engine;
use crate::executor::BranchTrace;
use crate::frame::Frame;
use crate::keys::{BUCKET, KeyColumn, bucket_column, class_column};
use crate::layout::name;
use crate::lower::{Lowered, Shape, data_type, lower, typed_lit};
use crate::working::Working;

const TIME: &str = "time";
/// A sum of fewer bits than this cannot leave 128.
const SUM_BITS_MAX: u32 = 126;

/// Everything a branch needs to run.
pub(crate) struct Run<'a> {
    pub(crate) pack: &'a Pack,
    pub(crate) branch: &'a Branch,
    pub(crate) frames: &'a HashMap<Key, Frame>,
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) budget: &'a Budget,
    pub(crate) trace: BranchTrace,
}

/// How an aggregate is read from the grouped columns: its number (or, for a percentile, its numbers) and its count.
struct AggregateColumns {
    units: Option<String>,
    count: String,
}

impl Run<'_> {
    /// The partials of the branch.
    pub(crate) fn run(&mut self, rows: &Rows) -> Result<BranchPartials, Fault> {
        let mut working = Working::new(self.frames, self.branch.form(), &self.own_columns(), rows)?;
        self.trace.rows_scanned = working.height();
        self.restrict(&mut working, rows)?;
        self.trace.rows_kept = working.height();
        let shape = self.time(&mut working, rows)?;
        let buckets = self.branch.buckets(self.pack, self.as_of, || self.extent(&working, shape))?;
        let bucketed = bucket_column(working.series(TIME)?, shape, &buckets)?;
        working.add(bucketed)?;
        working.filter(col(BUCKET).is_not_null())?;
        let mut keys = Vec::new();
        for (index, key) in self.branch.keys().iter().enumerate() {
            keys.push(self.key(&mut working, rows, key, &key_name(index))?);
        }
        let specs = self.branch.aggregates();
        let mut bits_max = 0;
        let mut aggregates = Vec::new();
        let mut prepared = Vec::new();
        for (index, spec) in specs.iter().enumerate().filter(|(_, spec)| !spec.hidden) {
            let bits = self.aggregate(&mut working, rows, spec, index, &mut prepared, &mut aggregates)?;
            bits_max = bits_max.max(bits);
        }
        if bits_max + (usize::BITS - working.height().leading_zeros()) > SUM_BITS_MAX {
            self.trace.row_by_row.push("sums that may leave 128 bits".to_owned());
            return self.row_by_row(rows);
        }
        working.compute(prepared)?;
        let grouped = group(working.columns(), keys.len(), aggregates)?;
        if grouped.height() > self.budget.groups_max {
            return Err(Refusal::TooManyGroups(self.budget.groups_max).into());
        }
        let groups = self.decode(&grouped, &keys)?;
        Ok(BranchPartials { buckets, groups })
    }

    /// The columns of the form itself that any expression reads.
    fn own_columns(&self) -> Vec<String> {
        let mut reads = Reads::touched();
        self.branch.all_expressions().for_each(|ir| reads.add(self.pack, ir));
        let own =
            reads.fields.iter().filter(|field| field.table.form == *self.branch.form() && field.table.table.is_none());
        let Some(table) = self.pack.table(self.branch.form()) else { return Vec::new() };
        let layout = crate::layout::Layout::new(table);
        let mut names: Vec<String> =
            own.filter(|field| layout.column(field.slot).is_some()).map(|field| name(field.slot)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Keeps the rows that policy and filter keep: first what the engine can evaluate, the rest on what is left.
    fn restrict(&mut self, working: &mut Working, rows: &Rows) -> Result<(), Fault> {
        let mut conditions = Vec::new();
        for ir in [Some(self.branch.policy()), self.branch.filter()].into_iter().flatten() {
            conjuncts(rows.bound(ir)?, &mut conditions);
        }
        let mut lowered: Option<Expr> = None;
        let mut left = Vec::new();
        for condition in conditions {
            match &condition {
                Ir::Literal(value) if value.is_true() => {}
                Ir::Literal(_) => return working.filter(lit(false)),
                _ => match lower(&condition, rows, working, self.pack)? {
                    Some(Lowered { expr, shape: Shape::Boolean, .. }) => {
                        lowered = Some(lowered.map_or(expr.clone(), |before| before.and(expr)));
                    }
                    _ => left.push(condition),
                },
            }
        }
        if let Some(predicate) = lowered {
            working.filter(predicate)?;
        }
        for condition in left {
            self.trace.row_by_row.push(format!("condition {}", shown(&condition)));
            let values = working.values(&condition)?;
            working.keep(values.iter().map(Value::is_true))?;
        }
        Ok(())
    }

    /// Adds the time column, without the rows that have none.
    fn time(&mut self, working: &mut Working, rows: &Rows) -> Result<Shape, Fault> {
        let bound = rows.bound(self.branch.time())?;
        let shape = if self.branch.time_is_date() { Shape::Date } else { Shape::Instant };
        match lower(&bound, rows, working, self.pack)? {
            Some(lowered) if lowered.shape == shape => working.compute(vec![lowered.expr.alias(TIME)])?,
            _ => {
                self.trace.row_by_row.push("time".to_owned());
                let held = if self.branch.time_is_date() { Held::Date } else { Held::Instant };
                let values = working.values(self.branch.time())?;
                working.add(held.column(TIME, values.iter())?)?;
            }
        }
        working.filter(col(TIME).is_not_null())?;
        Ok(shape)
    }

    /// The first and last time at hand.
    fn extent(&self, working: &Working, shape: Shape) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, Fault> {
        let times = working.series(TIME)?.cast(&DataType::Int64).map_err(engine)?;
        let times = times.i64().map_err(engine)?;
        let instant = |units: i64| match shape {
            Shape::Date => {
                let date = i32::try_from(units).ok().and_then(date_of_days).map(Value::Date);
                date.and_then(|date| interpret::instant_of(self.pack, &date))
            }
            _ => DateTime::from_timestamp_micros(units),
        };
        let first = times.iter().flatten().min().and_then(instant);
        Ok(first.zip(times.iter().flatten().max().and_then(instant)))
    }

    /// Adds a dimension's column.
    fn key(&mut self, working: &mut Working, rows: &Rows, key: &BranchKey, name: &str) -> Result<KeyColumn, Fault> {
        let bound = rows.bound(&key.ir)?;
        if let Some(Lowered { expr, shape, .. }) = lower(&bound, rows, working, self.pack)?
            && shape != Shape::Null
        {
            working.compute(vec![expr.cast(data_type(shape)).alias(name)])?;
            if key.kept.is_some() {
                return self.kept_key(working, key, shape, name);
            }
            if let Shape::Number { places, .. } = shape
                && !key.edges.is_empty()
            {
                let classes = class_column(working.series(name)?, places, &key.edges, name)?;
                working.add(classes)?;
                return Ok(KeyColumn::Class);
            }
            return Ok(KeyColumn::Plain(shape));
        }
        self.trace.row_by_row.push(format!("dimension `{}`", key.dimension));
        let mut codes = HashMap::new();
        let mut dictionary = Vec::new();
        let mut column = Vec::with_capacity(working.height());
        for value in working.values(&key.ir)? {
            let key = key.key_of(&value)?;
            let code = *codes.entry(key.clone()).or_insert_with(|| {
                dictionary.push(key);
                u32::try_from(dictionary.len() - 1).unwrap_or(u32::MAX)
            });
            column.push(Some(code));
        }
        working.add(UInt32Chunked::from_iter_options(name.into(), column.into_iter()).into_series())?;
        Ok(KeyColumn::Code(dictionary))
    }

    /// A dimension of which only some values are told apart: as codes, value by value.
    fn kept_key(&self, working: &mut Working, key: &BranchKey, shape: Shape, name: &str) -> Result<KeyColumn, Fault> {
        let mut plain = KeyColumn::Plain(shape);
        if let Shape::Number { places, .. } = shape
            && !key.edges.is_empty()
        {
            let classes = class_column(working.series(name)?, places, &key.edges, name)?;
            working.add(classes)?;
            plain = KeyColumn::Class;
        }
        let column = working.series(name)?;
        let mut codes = HashMap::new();
        let mut dictionary = Vec::new();
        let mut coded = Vec::with_capacity(working.height());
        for row in 0..working.height() {
            let told = key.told(plain.decode(column, row, &key.ty)?);
            let code = *codes.entry(told.clone()).or_insert_with(|| {
                dictionary.push(told);
                u32::try_from(dictionary.len() - 1).unwrap_or(u32::MAX)
            });
            coded.push(Some(code));
        }
        working.add(UInt32Chunked::from_iter_options(name.into(), coded.into_iter()).into_series())?;
        Ok(KeyColumn::Code(dictionary))
    }

    /// Prepares the columns of an aggregate and says how to fold them; the bits of the largest number summed.
    fn aggregate(
        &mut self,
        working: &mut Working,
        rows: &Rows,
        spec: &AggregateSpec,
        index: usize,
        prepared: &mut Vec<Expr>,
        folds: &mut Vec<Expr>,
    ) -> Result<u32, Fault> {
        let names = aggregate_columns(index, spec);
        let mask = self.mask(working, rows, spec, index)?;
        let Some(compute) = spec.compute.as_ref().filter(|_| spec.fold != AggregateFold::Count) else {
            folds.push(match mask {
                None => len().alias(names.count.as_str()),
                Some(mask) => {
                    let marked = format!("mark{index}");
                    prepared.push(mask.alias(marked.as_str()));
                    col(marked.as_str()).sum().alias(names.count.as_str())
                }
            });
            return Ok(0);
        };
        let value = format!("value{index}");
        if spec.fold == AggregateFold::CountDistinct {
            let codes = self.codes(working, rows, spec, compute, index)?;
            prepared.push(masked(codes, mask, &DataType::UInt32).alias(value.as_str()));
            folds.push(col(value.as_str()).drop_nulls().n_unique().alias(names.count.as_str()));
            return Ok(0);
        }
        let (units, bits) = self.units(working, rows, compute, spec.scale, index)?;
        prepared.push(masked(units, mask, &DataType::Int128).alias(value.as_str()));
        let values = || col(value.as_str());
        let folded = match spec.fold {
            AggregateFold::Min => values().min(),
            AggregateFold::Max => values().max(),
            // The whole list: two of its values are chosen when it is read, by integers.
            AggregateFold::Percentile(_) => values(),
            _ => values().sum(),
        };
        folds.push(folded.alias(format!("units{index}").as_str()));
        folds.push(values().count().alias(names.count.as_str()));
        // Only sums grow.
        Ok(if matches!(spec.fold, AggregateFold::Sum | AggregateFold::Avg) { bits } else { 0 })
    }

    /// What is counted once each, as numbers without meaning: equal values have equal ones.
    fn codes(
        &mut self,
        working: &mut Working,
        rows: &Rows,
        spec: &AggregateSpec,
        compute: &Ir,
        index: usize,
    ) -> Result<Expr, Fault> {
        let bound = rows.bound(compute)?;
        let name = format!("code{index}");
        let column = match lower(&bound, rows, working, self.pack)? {
            Some(Lowered { shape: Shape::Null, .. }) => vec![None; working.height()],
            Some(lowered) => {
                let of = format!("of{index}");
                working.compute(vec![lowered.expr.cast(data_type(lowered.shape)).alias(of.as_str())])?;
                codes_of(working.series(&of)?, lowered.shape)?
            }
            None => {
                self.trace.row_by_row.push(format!("distinct {}", shown(&bound)));
                let values = working.values(compute)?;
                let keys = values.iter().map(|value| spec.distinct_key(value)).collect::<Result<Vec<_>, _>>()?;
                codes(keys.into_iter())
            }
        };
        working.add(UInt32Chunked::from_iter_options(name.as_str().into(), column.into_iter()).into_series())?;
        Ok(col(name.as_str()))
    }

    /// The condition of an aggregate, never null; none where it has none.
    fn mask(
        &mut self,
        working: &mut Working,
        rows: &Rows,
        spec: &AggregateSpec,
        index: usize,
    ) -> Result<Option<Expr>, Fault> {
        let Some(filter) = &spec.filter else { return Ok(None) };
        let bound = rows.bound(filter)?;
        if let Some(Lowered { expr, shape: Shape::Boolean, .. }) = lower(&bound, rows, working, self.pack)? {
            return Ok(Some(expr.fill_null(lit(false))));
        }
        self.trace.row_by_row.push(format!("condition {}", shown(&bound)));
        let values: Vec<Value> = working.values(filter)?.iter().map(|value| Value::Boolean(value.is_true())).collect();
        let name = format!("filter{index}");
        working.add(Held::Boolean.column(&name, values.iter())?)?;
        Ok(Some(col(name.as_str())))
    }

    /// What is summed, as integers of `10^-places`, and the bits of the largest.
    fn units(
        &mut self,
        working: &mut Working,
        rows: &Rows,
        compute: &Ir,
        places: u8,
        index: usize,
    ) -> Result<(Expr, u32), Fault> {
        let bound = rows.bound(compute)?;
        if let Some(lowered) = lower(&bound, rows, working, self.pack)?
            && let Some((expr, bits)) = at_places(lowered, places)
        {
            return Ok((expr, bits));
        }
        self.trace.row_by_row.push(format!("number {}", shown(&bound)));
        let values = working.values(compute)?;
        let units = values.iter().map(|value| scale::units(value, places)).collect::<Result<Vec<_>, _>>()?;
        let largest = units.iter().flatten().map(|units| units.unsigned_abs()).max().unwrap_or(0);
        let name = format!("computed{index}");
        working.add(Int128Chunked::from_iter_options(name.as_str().into(), units.into_iter()).into_series())?;
        Ok((col(name.as_str()), u128::BITS - largest.leading_zeros()))
    }

    /// The groups of the grouped columns.
    fn decode(&self, grouped: &DataFrame, keys: &[KeyColumn]) -> Result<BTreeMap<GroupKey, Vec<Partial>>, Fault> {
        let series =
            |name: &str| Ok::<_, Fault>(grouped.column(name).map_err(engine)?.as_materialized_series().clone());
        let buckets = series(BUCKET)?;
        let buckets = buckets.u32().map_err(engine)?;
        let key_columns = (0..keys.len()).map(|index| series(&key_name(index))).collect::<Result<Vec<_>, _>>()?;
        let mut groups: BTreeMap<GroupKey, Vec<Partial>> = BTreeMap::new();
        let mut order = Vec::with_capacity(grouped.height());
        for row in 0..grouped.height() {
            let bucket = buckets.get(row).ok_or_else(|| Fault::Engine("a group without a bucket".to_owned()))? as usize;
            let columns = keys.iter().zip(&key_columns).zip(self.branch.keys());
            let keys = columns.map(|((key, column), of)| key.decode(column, row, &of.ty)).collect::<Result<_, _>>()?;
            order.push(GroupKey { bucket, keys });
        }
        let count = self.branch.aggregates().len();
        for key in &order {
            groups.insert(key.clone(), vec![Partial::default(); count]);
        }
        for (index, spec) in self.branch.aggregates().iter().enumerate().filter(|(_, spec)| !spec.hidden) {
            let names = aggregate_columns(index, spec);
            let counts = series(&names.count)?.cast(&DataType::UInt64).map_err(engine)?;
            let counts = counts.u64().map_err(engine)?;
            let units = names.units.as_deref().map(series).transpose()?;
            for (row, key) in order.iter().enumerate() {
                let Some(partial) = groups.get_mut(key).and_then(|partials| partials.get_mut(index)) else { continue };
                partial.n = counts.get(row).unwrap_or(0);
                match (&units, spec.fold) {
                    (None, _) => {}
                    (Some(lists), AggregateFold::Percentile(percent)) => {
                        (partial.units, partial.upper) = around(lists, row, percent)?;
                    }
                    (Some(units), _) => partial.units = units.i128().map_err(engine)?.get(row).unwrap_or(0),
                }
            }
        }
        Ok(groups)
    }

    /// The whole branch by the reference interpreter: for sums near the limit, which it checks one by one.
    fn row_by_row(&self, rows: &Rows) -> Result<BranchPartials, Fault> {
        let frame = self.frames.get(self.branch.form()).ok_or_else(|| Fault::NotLoaded(self.branch.form().clone()))?;
        let records = frame.records()?;
        interpret::aggregate(self.pack, self.branch, rows, records.into_iter(), self.as_of, self.budget)
    }
}

/// A run's branch, through the plan: its rows are evaluated for the plan's viewer.
pub(crate) fn rows<'a>(
    plan: &'a Plan<formwork_report::plan::Policed>,
    branch: &'a Branch,
    as_of: DateTime<Utc>,
    source: &'a dyn Source,
) -> Rows<'a> {
    // Fields that are computed by computed fields are read too, however deep.
    let inner = virtuals(plan.pack(), branch.all_expressions());
    let expressions = branch.all_expressions().chain(inner.iter().map(|defined| &defined.ir));
    Rows::new(plan.pack(), plan.viewer(), as_of, source, expressions)
}

/// Groups by bucket and dimensions. The bucket is a key even where there is one: 128-bit numbers cannot group alone (see
/// `tests/engine.rs`).
fn group(columns: &DataFrame, key_count: usize, folds: Vec<Expr>) -> Result<DataFrame, Fault> {
    let keys: Vec<Expr> =
        std::iter::once(col(BUCKET)).chain((0..key_count).map(|index| col(key_name(index).as_str()))).collect();
    columns.clone().lazy().group_by(keys).agg(folds).collect().map_err(engine)
}

/// Splits `a and b and c`: a row is kept if each part is true.
fn conjuncts(ir: Ir, found: &mut Vec<Ir>) {
    match ir {
        Ir::Binary(BinaryOp::And, left, right) => {
            conjuncts(*left, found);
            conjuncts(*right, found);
        }
        other => found.push(other),
    }
}

/// A lowered number with exactly these places; none if that would round.
fn at_places(lowered: Lowered, places: u8) -> Option<(Expr, u32)> {
    let Shape::Number { places: from, bits, .. } = lowered.shape else { return None };
    let more = u32::from(places.checked_sub(from)?);
    let bits = bits + (more * 10).div_ceil(3);
    let power = power_of_ten(more).ok()?;
    (bits <= SUM_BITS_MAX).then(|| (lowered.expr * typed_lit(power), bits))
}

fn aggregate_columns(index: usize, spec: &AggregateSpec) -> AggregateColumns {
    let counts = matches!(spec.fold, AggregateFold::Count | AggregateFold::CountDistinct);
    let units = !counts && spec.compute.is_some();
    AggregateColumns { units: units.then(|| format!("units{index}")), count: format!("count{index}") }
}

/// The value where the condition of the aggregate is true, else null.
fn masked(value: Expr, mask: Option<Expr>, ty: &DataType) -> Expr {
    let value = value.cast(ty.clone());
    match mask {
        None => value,
        Some(mask) => when(mask).then(value).otherwise(lit(NULL).cast(ty.clone())),
    }
}

/// The two values around the rank, from a group's list.
fn around(lists: &Series, row: usize, percent: Percent) -> Result<(i128, i128), Fault> {
    let Some(list) = lists.list().map_err(engine)?.get_as_series(row) else { return Ok((0, 0)) };
    let mut values: Vec<i128> = list.i128().map_err(engine)?.iter().flatten().collect();
    let Some((below, above, _)) = percent.rank(values.len() as u64) else { return Ok((0, 0)) };
    let place = usize::try_from(below).map_err(|_| Fault::Overflow)?;
    let (_, lower, greater) = values.select_nth_unstable(place);
    let lower = *lower;
    let upper = if above == below { lower } else { greater.iter().min().copied().unwrap_or(lower) };
    Ok((lower, upper))
}

/// A number for each different value of a column; null has none.
fn codes_of(column: &Series, shape: Shape) -> Result<Vec<Option<u32>>, Fault> {
    Ok(match shape {
        Shape::Boolean => codes(column.bool().map_err(engine)?.iter()),
        Shape::Text => codes(column.str().map_err(engine)?.iter()),
        Shape::Date => codes(column.i32().map_err(engine)?.iter()),
        Shape::Instant => codes(column.i64().map_err(engine)?.iter()),
        Shape::Id | Shape::Number { .. } | Shape::Null => codes(column.i128().map_err(engine)?.iter()),
    })
}

fn codes<T: std::hash::Hash + Eq>(values: impl Iterator<Item = Option<T>>) -> Vec<Option<u32>> {
    let mut known = HashMap::new();
    let mut code = |value: T| {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        *known.entry(value).or_insert(next)
    };
    values.map(|value| value.map(&mut code)).collect()
}

fn key_name(index: usize) -> String {
    format!("key{index}")
}

/// An expression in a few words, for the trace.
fn shown(ir: &Ir) -> String {
    let mut fields = Vec::new();
    ir.walk(&mut |node| match node {
        Ir::Field(path) => fields.push(path.field.key.to_string()),
        Ir::Fold(_, rows, _) => {
            fields.push(rows.field().key.to_string());
        }
        _ => {}
    });
    format!("over {}", fields.join(", "))
}
