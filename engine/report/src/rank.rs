//! A plan from question to answer: first which values are shown, then the numbers.

use chrono::{DateTime, Utc};

use crate::fault::Fault;
use crate::finish::finish;
use crate::partial::{Budget, Executor};
use crate::plan::{Plan, Policed};
use crate::table::Table;

/// Runs and finishes a plan; what ranks its dimensions first.
///
/// # Errors
/// [`Fault`].
pub fn answer(
    executor: &dyn Executor,
    plan: Plan<Policed>,
    as_of: DateTime<Utc>,
    budget: &Budget,
) -> Result<Table, Fault> {
    let ranked = plan.rankings().map(|ranking| finish(ranking, &executor.run(ranking, as_of, budget)?));
    let ranked = ranked.collect::<Result<Vec<_>, Fault>>()?;
    let plan = plan.ranked(&ranked);
    finish(&plan, &executor.run(&plan, as_of, budget)?)
}
