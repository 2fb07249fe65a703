//! Functions over rows, and look-ups.

use std::cmp::Ordering;

use formwork_model::expr::ast::{Kind, Node};

use super::super::fixture::{ITEM, MARK};
use super::super::ratio::Ratio;
use super::{Found, Frame, Thing, TooLarge, Walker, best, order, small};

impl<'w> Walker<'w> {
    /// The rows a node names or chooses; nothing where it is a value.
    pub(super) fn rows(&self, node: &Node, frames: &[Frame<'w>]) -> Option<Result<Vec<Frame<'w>>, TooLarge>> {
        let item = &self.world.item;
        match &node.kind {
            Kind::Name(name) if name == "rows" => {
                Some(Ok(item.values[ITEM.len() - 2].rows().iter().map(Frame::Row).collect()))
            }
            Kind::Name(name) if name == "marks" => {
                Some(Ok(self.world.marks.iter().map(|mark| Frame::Record(&MARK, mark)).collect()))
            }
            Kind::Call(name, arguments) if name.text == "filter" || name.text == "take" => {
                let rows = self.rows(&arguments[0], frames)?;
                let count = match &arguments[1].kind {
                    Kind::Number(count) if name.text == "take" => Some(count.parse().expect("a number")),
                    _ => None,
                };
                Some(rows.and_then(|rows| self.chosen(rows, count, &arguments[arguments.len() - 1], frames)))
            }
            _ => None,
        }
    }

    /// The first so many by an order; where no number is given, those for which a condition is true.
    fn chosen(
        &self,
        rows: Vec<Frame<'w>>,
        count: Option<usize>,
        each: &Node,
        frames: &[Frame<'w>],
    ) -> Result<Vec<Frame<'w>>, TooLarge> {
        let mut left = Vec::new();
        for row in rows {
            let inner: Vec<Frame<'w>> = frames.iter().copied().chain([row]).collect();
            left.push((self.value(each, &inner)?, row));
        }
        let Some(count) = count else {
            return Ok(left.into_iter().filter(|(held, _)| held.is_true()).map(|(_, row)| row).collect());
        };
        let mut taken = Vec::new();
        while taken.len() < count && !left.is_empty() {
            // The least of those left, the earliest of equals; null only where nothing else is left.
            let mut least = 0;
            for place in 1..left.len() {
                let better = match (&left[place].0, &left[least].0) {
                    (Thing::Null, _) => false,
                    (_, Thing::Null) => true,
                    (a, b) => order(a, b)? == Some(Ordering::Less),
                };
                least = if better { place } else { least };
            }
            taken.push(left.remove(least).1);
        }
        Ok(taken)
    }

    pub(super) fn over_rows(&self, name: &str, rows: Vec<Frame<'w>>, more: &[Node], frames: &[Frame<'w>]) -> Found {
        let each = more.first();
        if name == "first" {
            let rows = self.chosen(rows, Some(1), &more[1], frames)?;
            let Some(row) = rows.first() else { return Ok(Thing::Null) };
            let inner: Vec<Frame<'w>> = frames.iter().copied().chain([*row]).collect();
            return self.value(&more[0], &inner);
        }
        let mut values = Vec::new();
        for row in rows {
            let inner: Vec<Frame<'w>> = frames.iter().copied().chain([row]).collect();
            values.push(each.map_or(Ok(Thing::Truth(true)), |each| self.value(each, &inner))?);
        }
        folded(name, values, more.get(1))
    }

    /// The values a look-up finds, in the order of the parties.
    pub(super) fn looked_up(&self, arguments: &[Node], frames: &[Frame<'w>]) -> Result<Vec<Thing>, TooLarge> {
        let mut values = Vec::new();
        for party in &self.world.parties {
            let inner: Vec<Frame<'w>> = frames.iter().copied().chain([Frame::It(party)]).collect();
            if self.value(&arguments[2], &inner)?.is_true() {
                values.push(self.value(&arguments[1], &inner)?);
            }
        }
        Ok(values)
    }
}

/// What a function over rows makes of the values in them; `more` is what goes between texts.
pub(super) fn folded(name: &str, values: Vec<Thing>, more: Option<&Node>) -> Found {
    let held = values.iter().filter(|value| value.is_true()).count();
    let numbers: Vec<Ratio> = values
        .iter()
        .filter_map(|value| match value {
            Thing::Number(number) => Some(*number),
            _ => None,
        })
        .collect();
    let total = numbers.iter().try_fold(Ratio::whole(0), |sum, number| sum.plus(*number)).ok_or(TooLarge);
    match name {
        "count" => Ok(Thing::Number(Ratio::whole(held as i128))),
        "any" => Ok(Thing::Truth(held > 0)),
        "all" => Ok(Thing::Truth(held == values.len())),
        "median" => median(numbers),
        "join" => {
            let Some(Kind::Text(between)) = more.map(|more| &more.kind) else { panic!("not generated: {more:?}") };
            let texts = values.iter().filter_map(|value| match value {
                Thing::Text(text) => Some(text.as_str()),
                _ => None,
            });
            Ok(Thing::Text(texts.collect::<Vec<_>>().join(between)))
        }
        "sum" => small(Some(total?)),
        "avg" if numbers.is_empty() => Ok(Thing::Null),
        "avg" => small(total?.over(Ratio::whole(numbers.len() as i128)).and_then(|mean| mean.rounded(12))),
        _ => best(name, values),
    }
}

fn median(mut left: Vec<Ratio>) -> Found {
    // Takes the least and the greatest away until the middle is left.
    while left.len() > 2 {
        for wanted in [Ordering::Less, Ordering::Greater] {
            let mut best = 0;
            for place in 1..left.len() {
                best = if left[place].order(left[best]).ok_or(TooLarge)? == wanted { place } else { best };
            }
            left.remove(best);
        }
    }
    let Some(first) = left.first() else { return Ok(Thing::Null) };
    let sum = left[1..].iter().try_fold(*first, |sum, number| sum.plus(*number)).ok_or(TooLarge)?;
    small(sum.over(Ratio::whole(left.len() as i128)).and_then(|mean| mean.rounded(12)))
}
