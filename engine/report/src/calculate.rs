//! Formulas: finished numbers at the same place, calculated with exactly.

use formwork_model::pack::analytics::{Calculation, Measure, Metric, Operation};
use formwork_model::{Key, Pack};

use crate::cell::{Cell, State};
use crate::fault::Fault;
use crate::number::Number;

/// The cell of a metric from those of the metrics that count rows.
pub(crate) fn cell(pack: &Pack, metric: &Metric, counted: &dyn Fn(&Key) -> Result<Cell, Fault>) -> Result<Cell, Fault> {
    let Measure::Formula(calculation) = &metric.measure else { return counted(&metric.key) };
    let mut cells = Vec::new();
    for key in calculation.metrics() {
        let cell = match pack.metrics().get(key) {
            Some(metric) => cell(pack, metric, counted)?,
            None => Cell::no_data(),
        };
        cells.push((key, cell));
    }
    let any = |state: State| cells.iter().any(|(_, cell)| cell.state == state);
    if any(State::Hidden) {
        return Ok(Cell::hidden());
    }
    // It rests on no more than the weakest of its numbers.
    let n = cells.iter().map(|(_, cell)| cell.n).min().unwrap_or(0);
    let value = number(calculation, &|key| cells.iter().find(|(known, _)| *known == key)?.1.value)?;
    let state = match value {
        None if any(State::Suppressed) => State::Suppressed,
        None => State::NoData,
        Some(_) if any(State::Provisional) => State::Provisional,
        Some(_) => State::Ok,
    };
    Ok(Cell { value, n, parts: None, state }.told(metric.min_rows))
}

fn number(calculation: &Calculation, of: &dyn Fn(&Key) -> Option<Number>) -> Result<Option<Number>, Fault> {
    Ok(match calculation {
        Calculation::Number(number) => {
            Some(Number::of_units(number.mantissa(), u8::try_from(number.scale()).map_err(|_| Fault::Overflow)?)?)
        }
        Calculation::Metric(metric) => of(metric),
        Calculation::Negate(operand) => number(operand, of)?.map(|number| Number::ZERO.minus(number)).transpose()?,
        Calculation::Binary(operation, left, right) => {
            let (left, right) = (number(left, of)?, number(right, of)?);
            match (operation, left, right) {
                (Operation::Else, left, right) => left.or(right),
                (_, None, _) | (_, _, None) => None,
                (Operation::Add, Some(left), Some(right)) => Some(left.plus(right)?),
                (Operation::Subtract, Some(left), Some(right)) => Some(left.minus(right)?),
                (Operation::Multiply, Some(left), Some(right)) => Some(left.times(right)?),
                (Operation::Divide, Some(left), Some(right)) => left.over(right)?,
            }
        }
    })
}
