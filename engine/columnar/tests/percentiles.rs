//! Percentiles, extremes and distinct counts against the plainest way to find them, and the values of reports.md §4 and §7.

#[path = "../../report/tests/shop/mod.rs"]
mod shop;

use std::collections::BTreeSet;

use formwork_columnar::{Columnar, Frame};
use formwork_model::Value;
use formwork_model::pack::analytics::Range;
use formwork_report::number::Number;
use formwork_report::{Budget, Executor, finish};
use proptest::prelude::*;
use rust_decimal::Decimal;

use shop::{at, id};

/// The value of a metric over sales of so many pieces, each sold by a customer of that number.
fn value(metric: &str, pieces: &[Option<i64>]) -> Option<Number> {
    let pack = shop::pack();
    let sale = |(index, pieces): (usize, &Option<i64>)| {
        let mut values = vec![("sold_at", Value::DateTime(at("2026-01-01T00:00:00Z")))];
        if let Some(pieces) = pieces {
            values.push(("pieces", Value::Integer(*pieces)));
            values.push(("amount", Value::Decimal(Decimal::from(*pieces))));
            values.push(("customer", Value::Id(id(u128::from(pieces.unsigned_abs())))));
        }
        shop::record(&pack, "sale", 100 + index as u128, "2026-01-01T00:00:00Z", &values)
    };
    let sales: Vec<_> = pieces.iter().enumerate().map(sale).collect();
    let plan = formwork_report::metric(&pack, metric, Range::All).expect("a metric");
    let plan = plan.police(&shop::viewer(&pack, "owner", &[])).expect("may ask");
    let frame = |form: &str, records: &[_]| Frame::new(pack.form(form).clone(), records).expect("values fit");
    let columnar = Columnar::new([frame("sale", &sales), frame("customer", &[])], None);
    let reference = shop::interpreter(&pack, sales);
    let of = |executor: &dyn Executor| {
        let partials = executor.run(&plan, at("2026-01-02T00:00:00Z"), &Budget::default()).expect("it runs");
        finish(&plan, &partials).expect("it finishes").metric_cell().value
    };
    let found = of(&reference);
    assert_eq!(found, of(&columnar), "{metric} of {pieces:?}");
    found
}

fn fraction(numerator: i128, denominator: u64) -> Option<Number> {
    let over = Number::of_units(numerator, 0).and_then(|above| above.over(Number::of_count(denominator)));
    over.expect("small numbers")
}

fn all(pieces: impl IntoIterator<Item = i64>) -> Vec<Option<i64>> {
    pieces.into_iter().map(Some).collect()
}

#[test]
fn engines_disagree_and_this_is_our_answer() {
    assert_eq!(value("p29", &all(0..=100)), fraction(29, 1));
    assert_eq!(value("median", &all(1..=4)), fraction(5, 2));
    // Beyond 2^53, where a float has no odd numbers.
    let odd = 9_007_199_254_740_993;
    assert_eq!(value("p29", &all([odd])), fraction(i128::from(odd), 1));
    assert_eq!(value("p90", &all([20, 45, 60, 75, 120, 300, 900, 3600])), fraction(1710, 1));
    assert_eq!(value("buyers", &[Some(1), None, Some(1), None]), fraction(1, 1));
    assert_eq!(value("least", &[]), None);
}

proptest! {
    #[test]
    fn a_percentile_lies_between_its_neighbours(pieces in prop::collection::vec(prop::option::of(-50_i64..50), 0..40)) {
        let mut sorted: Vec<i64> = pieces.iter().flatten().copied().collect();
        sorted.sort_unstable();
        let expected = |percent: usize| {
            let last = sorted.len().checked_sub(1)?;
            let hundredths = percent * last;
            let lower = i128::from(sorted[hundredths / 100]);
            let upper = i128::from(sorted[(hundredths / 100 + 1).min(last)]);
            fraction(lower * 100 + (upper - lower) * (hundredths % 100) as i128, 100)
        };
        prop_assert_eq!(value("p29", &pieces), expected(29));
        prop_assert_eq!(value("median", &pieces), expected(50));
        prop_assert_eq!(value("p90", &pieces), expected(90));
        let least = sorted.first().and_then(|least| fraction(i128::from(*least), 1));
        prop_assert_eq!(value("least", &pieces), least);
        let buyers: BTreeSet<u64> = sorted.iter().map(|pieces| pieces.unsigned_abs()).collect();
        prop_assert_eq!(value("buyers", &pieces), fraction(buyers.len() as i128, 1));
    }
}
