//! Where the engine deviates from our semantics: each row of reports.md §4 that concerns it, pinned. A red test after an
//! upgrade says what has moved; the rule beside it says why our lowering does not care, or has to.

use polars::prelude::*;

fn frame(columns: Vec<Column>) -> LazyFrame {
    DataFrame::new_infer_height(columns).expect("equal lengths").lazy()
}

fn one<T>(result: LazyFrame, read: impl Fn(&Series) -> T) -> T {
    let frame = result.collect().expect("it runs");
    read(frame.columns()[0].as_materialized_series())
}

fn int128(number: i128) -> Expr {
    lit(Scalar::from(number))
}

#[test]
fn distinct_counts_null_and_the_sum_of_nothing_is_zero() {
    // Rule: drop nulls first; carry n, the finaliser decides by `empty`.
    let values = || frame(vec![Column::new("a".into(), [Some(1_i64), None])]);
    let distinct = one(values().select([col("a").n_unique()]), |series| series.u32().expect("u32").get(0));
    assert_eq!(distinct, Some(2));
    let sum =
        one(values().filter(col("a").gt(lit(5))).select([col("a").sum()]), |series| series.i64().expect("i64").get(0));
    assert_eq!(sum, Some(0));
}

#[test]
fn sixty_four_bits_wrap_and_a_hundred_and_twenty_eight_do_not() {
    // Rule: Int128 first.
    let values = || frame(vec![Column::new("a".into(), [i64::MAX, i64::MAX])]);
    let wrapped = one(values().select([col("a").sum()]), |series| series.i64().expect("i64").get(0));
    assert_eq!(wrapped, Some(-2));
    let exact =
        one(values().select([col("a").cast(DataType::Int128).sum()]), |series| series.i128().expect("i128").get(0));
    assert_eq!(exact, Some(i128::from(i64::MAX) * 2));
    let grouped = values().with_columns([lit(1).alias("k"), col("a").cast(DataType::Int128)]).group_by([col("k")]);
    let exact = one(grouped.agg([col("a").sum()]).select([col("a")]), |series| series.i128().expect("i128").get(0));
    assert_eq!(exact, Some(i128::from(i64::MAX) * 2));
    let product =
        frame(vec![Column::new("a".into(), [i64::MAX])]).select([col("a").cast(DataType::Int128) * int128(4)]);
    assert_eq!(one(product, |series| series.i128().expect("i128").get(0)), Some(i128::from(i64::MAX) * 4));
}

#[test]
fn plain_comparison_drops_null_and_the_null_safe_one_keeps_it() {
    // Rule: `eq_missing` and its negation, never `eq` and `neq`.
    let values = || frame(vec![Column::new("a".into(), [Some("a"), Some("b"), None])]);
    let kept = |predicate: Expr| values().filter(predicate).collect().expect("it runs").height();
    assert_eq!(kept(col("a").neq(lit("a"))), 1);
    assert_eq!(kept(col("a").eq_missing(lit("a")).not()), 2);
    assert_eq!(kept(col("a").neq_missing(lit("a"))), 2);
}

#[test]
fn and_and_or_are_three_valued() {
    // Rule: lowered as they are.
    let all = [Some(true), Some(false), None];
    let pairs: Vec<_> = all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))).collect();
    let column = |name: &str, values: Vec<Option<bool>>| Column::new(name.into(), values);
    let values = frame(vec![
        column("a", pairs.iter().map(|(a, _)| *a).collect()),
        column("b", pairs.iter().map(|(_, b)| *b).collect()),
    ]);
    let found = values.select([
        col("a").and(col("b")).alias("and"),
        col("a").or(col("b")).alias("or"),
        col("a").not().alias("not"),
    ]);
    let found = found.collect().expect("it runs");
    let read = |name: &str| {
        let values = found.column(name).expect("a column").bool().expect("booleans").clone();
        values.iter().collect::<Vec<_>>()
    };
    let (t, f, n) = (Some(true), Some(false), None);
    assert_eq!(read("and"), [t, f, n, f, f, f, n, f, n]);
    assert_eq!(read("or"), [t, t, t, t, f, n, t, n, n]);
    assert_eq!(read("not"), [f, f, f, t, t, t, n, n, n]);
}

#[test]
fn a_null_condition_chooses_otherwise() {
    // Rule: filled with false all the same, so that nothing rests on it.
    let values = frame(vec![Column::new("a".into(), [Some(true), Some(false), None])]);
    let chosen = values.select([when(col("a")).then(lit(1_i64)).otherwise(lit(0_i64)).cast(DataType::Int64)]);
    let read = one(chosen, |series| series.i64().expect("i64").iter().collect::<Vec<_>>());
    assert_eq!(read, [Some(1), Some(0), Some(0)]);
}

#[test]
fn text_is_ordered_by_code_point_and_counted_in_code_points() {
    let values = || frame(vec![Column::new("a".into(), ["Z", "a", "É", "中", "a\u{301}"])]);
    let below = one(values().select([col("a").lt(lit("a\u{302}"))]), |series| {
        series.bool().expect("booleans").iter().collect::<Vec<_>>()
    });
    assert_eq!(below, [Some(true), Some(true), Some(false), Some(false), Some(true)]);
    let lengths = one(values().select([col("a").str().len_chars()]), |series| {
        series.u32().expect("u32").iter().collect::<Vec<_>>()
    });
    assert_eq!(lengths, [Some(1), Some(1), Some(1), Some(1), Some(2)]);
}

#[test]
fn prefixes_and_suffixes_are_literal() {
    // `contains` is a pattern here, and its literal form is a feature we do not build: it is left to the core.
    let values = frame(vec![Column::new("a".into(), [Some("abc"), Some("a.c"), None])]);
    let found = values
        .select([col("a").str().starts_with(lit("a.")).alias("s"), col("a").str().ends_with(lit(".c")).alias("e")]);
    let found = found.collect().expect("it runs");
    for name in ["s", "e"] {
        let read: Vec<_> = found.column(name).expect("a column").bool().expect("booleans").iter().collect();
        assert_eq!(read, [Some(false), Some(true), None], "{name}");
    }
}

#[test]
fn division_is_not_ours() {
    // 7/2 is a float or 3, 1/0 is infinite: quotients are the finaliser's and the core's.
    let values = frame(vec![Column::new("a".into(), [7_i64])]);
    let quotient = values.select([col("a").true_div(lit(2_i64))]).collect().expect("it runs");
    assert_eq!(quotient.columns()[0].dtype(), &DataType::Float64);
}

#[test]
fn numbers_of_128_bits_group_beside_another_key() {
    // Rule: the bucket is always a key, so that 128 bits never group alone: that needs a feature we do not build.
    let ids = Int128Chunked::from_iter_options(
        "id".into(),
        [Some(i128::MAX), Some(i128::MIN), None, Some(i128::MAX)].into_iter(),
    );
    let values = || frame(vec![ids.clone().into_series().into(), Column::new("bucket".into(), [0_u32, 0, 0, 0])]);
    let grouped = values().group_by([col("bucket"), col("id")]).agg([len().alias("n")]).collect().expect("it runs");
    let (ids, counts) = (grouped.column("id").expect("ids"), grouped.column("n").expect("counts"));
    let pairs = ids.i128().expect("i128").iter().zip(counts.u32().expect("u32").iter());
    let mut found: Vec<_> = pairs.collect();
    found.sort();
    assert_eq!(found, [(None, Some(1)), (Some(i128::MIN), Some(1)), (Some(i128::MAX), Some(2))]);
    let alone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        values().group_by([col("id")]).agg([len()]).collect()
    }));
    assert!(alone.is_err(), "grouping 128 bits alone works now: the rule may go");
}
