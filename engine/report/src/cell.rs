//! A finished cell: a number with its basis and its state.

use formwork_model::pack::analytics::{Aggregate, AggregateFold, Empty, Measure, Metric, Percent};

use crate::fault::Fault;
use crate::number::Number;
use crate::partial::Partial;
use crate::plan::AggregateSpec;

/// A finished cell. `value` is exact; it is rounded when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The number; none where there is none to show.
    pub value: Option<Number>,
    /// How many rows or values it rests on: those of the denominator for a ratio.
    pub n: u64,
    /// For a ratio: what is above and below.
    pub parts: Option<(Number, Number)>,
    /// What kind of cell.
    pub state: State,
}

/// What kind of cell; every renderer shows each in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A number.
    Ok,
    /// There is nothing to tell.
    NoData,
    /// The viewer may not see it.
    Hidden,
    /// A number whose period is still running.
    Provisional,
    /// It rests on too few rows to be told.
    Suppressed,
}

impl State {
    /// The word of the API: `ok`, `no_data`, `hidden`, `provisional`, `suppressed`.
    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::NoData => "no_data",
            State::Hidden => "hidden",
            State::Provisional => "provisional",
            State::Suppressed => "suppressed",
        }
    }
}

impl Cell {
    /// A cell the viewer may not see.
    pub fn hidden() -> Self {
        Self { value: None, n: 0, parts: None, state: State::Hidden }
    }

    /// A cell with nothing to tell.
    pub(crate) fn no_data() -> Self {
        Self { value: None, n: 0, parts: None, state: State::NoData }
    }

    /// The same, without its number where it rests on fewer rows than are asked for.
    pub(crate) fn told(self, min_rows: u64) -> Self {
        match self.value.is_some() && self.n < min_rows {
            true => Self { value: None, parts: None, state: State::Suppressed, ..self },
            false => self,
        }
    }

    /// The cell of a metric from its partials (one, or two for a ratio; none where no row fell into the group).
    ///
    /// # Errors
    /// [`Fault::Overflow`].
    pub(crate) fn of(
        metric: &Metric,
        specs: &[AggregateSpec],
        partials: &[Partial],
        running: bool,
    ) -> Result<Self, Fault> {
        let partial = |index: usize| partials.get(index).copied().unwrap_or_default();
        let scale = |index: usize| specs.get(index).map_or(0, |spec| spec.scale);
        let (value, n, parts) = match &metric.measure {
            Measure::Single(aggregate) => {
                let (value, n) = single(aggregate, partial(0), scale(0), metric.empty)?;
                (value, n, None)
            }
            Measure::Ratio { num, den } => {
                let above = amount(num, partial(0), scale(0))?;
                let below = amount(den, partial(1), scale(1))?;
                (above.over(below)?, partial(1).n, Some((above, below)))
            }
            Measure::Formula(_) => (None, 0, None),
        };
        let state = match (value, running) {
            (None, _) => State::NoData,
            (Some(_), true) => State::Provisional,
            (Some(_), false) => State::Ok,
        };
        Ok(Self { value, n, parts, state }.told(metric.min_rows))
    }
}

/// The value of one aggregate. Nothing is 0 only for what adds up or counts, and only where the metric says so; a mean, an
/// extreme or a percentile of nothing is never 0.
fn single(aggregate: &Aggregate, partial: Partial, scale: u8, empty: Empty) -> Result<(Option<Number>, u64), Fault> {
    let value = match (aggregate.fold, partial.n, empty) {
        (AggregateFold::Avg, n, _) => Number::of_units(partial.units, scale)?.over(Number::of_count(n))?,
        (AggregateFold::Percentile(percent), n, _) => percentile(percent, partial, n, scale)?,
        (AggregateFold::Min | AggregateFold::Max, 0, _) | (_, 0, Empty::None) => None,
        _ => Some(amount(aggregate, partial, scale)?),
    };
    Ok((value, partial.n))
}

/// Between the two values around the rank, by their distance: exact, and the same for every executor.
fn percentile(percent: Percent, partial: Partial, n: u64, scale: u8) -> Result<Option<Number>, Fault> {
    let Some((_, _, (rest, whole))) = percent.rank(n) else { return Ok(None) };
    let lower = Number::of_units(partial.units, scale)?;
    let distance = Number::of_units(partial.upper, scale)?.minus(lower)?;
    let share = Number::of_count(rest).over(Number::of_count(whole))?.unwrap_or(Number::ZERO);
    lower.plus(distance.times(share)?).map(Some)
}

/// What an aggregate comes to: rows or values for counts, otherwise the number.
fn amount(aggregate: &Aggregate, partial: Partial, scale: u8) -> Result<Number, Fault> {
    match aggregate.fold {
        AggregateFold::Count | AggregateFold::CountDistinct => Ok(Number::of_count(partial.n)),
        _ => Number::of_units(partial.units, scale),
    }
}
