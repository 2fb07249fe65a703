//! Random well-typed expressions, as text: what an author could have written.

use proptest::prelude::*;
use proptest::sample::select;

/// The types expressions are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// True, false, null.
    Boolean,
    /// Integers.
    Integer,
    /// Decimals.
    Decimal,
    /// Amounts.
    Money,
    /// Texts.
    Text,
    /// Dates.
    Date,
    /// Instants.
    DateTime,
    /// Keys of the choice `kind`.
    Kind,
}

const SORTS: [Sort; 8] =
    [Sort::Boolean, Sort::Integer, Sort::Decimal, Sort::Money, Sort::Text, Sort::Date, Sort::DateTime, Sort::Kind];

/// Which back end the expressions must be able to run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The whole language.
    Rust,
    /// Row rules and filters.
    Sql,
    /// Datasets, on columns.
    Polars,
    /// Datasets, row by row: everything but look-ups.
    Rows,
}

/// Expressions over `item` for that back end, nested at most so deep, with their type.
pub fn expressions(backend: Backend, depth: usize) -> impl Strategy<Value = (Sort, String)> {
    let item = Grown::with_folds(backend, depth, &Inner::new(backend, depth.saturating_sub(1)));
    let all: Vec<_> = SORTS.iter().map(|sort| item.of(*sort).prop_map(move |text| (*sort, text))).collect();
    proptest::strategy::Union::new(all)
}

/// Conditions over `item` for that back end.
pub fn conditions(backend: Backend, depth: usize) -> impl Strategy<Value = String> {
    Grown::with_folds(backend, depth, &Inner::new(backend, depth.saturating_sub(1))).of(Sort::Boolean)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Item,
    Row,
    Mark,
    /// The party a look-up looks at.
    It,
}

/// What stands in the rows of functions over them.
struct Inner {
    row: Grown,
    mark: Grown,
    /// In look-ups, whose conditions run in the database.
    it: Grown,
}

impl Inner {
    fn new(backend: Backend, depth: usize) -> Self {
        Self {
            row: Grown::new(backend, Place::Row, depth),
            mark: Grown::new(backend, Place::Mark, depth),
            it: Grown::new(Backend::Sql, Place::It, depth),
        }
    }
}

/// One strategy per sort.
struct Grown {
    by_sort: Vec<BoxedStrategy<String>>,
}

impl Grown {
    fn new(backend: Backend, place: Place, depth: usize) -> Self {
        (0..depth).fold(Self::leaves(place), |below, _| below.grow(backend, None))
    }

    fn with_folds(backend: Backend, depth: usize, inner: &Inner) -> Self {
        (0..depth).fold(Self::leaves(Place::Item), |below, _| below.grow(backend, Some(inner)))
    }

    fn leaves(place: Place) -> Self {
        let by_sort = SORTS.map(|sort| {
            let mut texts = literals(sort).to_vec();
            // Fields are more telling than literals.
            for field in fields(place, sort) {
                texts.extend([*field, *field]);
            }
            select(texts).prop_map(str::to_owned).boxed()
        });
        Self { by_sort: by_sort.to_vec() }
    }

    fn of(&self, sort: Sort) -> BoxedStrategy<String> {
        let index = SORTS.iter().position(|known| *known == sort).unwrap_or_default();
        self.by_sort[index].clone()
    }

    /// One level more.
    fn grow(&self, backend: Backend, inner: Option<&Inner>) -> Self {
        let by_sort = SORTS.map(|sort| {
            let mut shapes: Vec<(u32, BoxedStrategy<String>)> = vec![(2, self.of(sort))];
            for (least, template) in templates(sort) {
                if runs_in(*least, backend) {
                    shapes.push((1, self.filled(template)));
                }
            }
            if let Some(inner) = inner.filter(|_| backend != Backend::Polars) {
                for (least, of, template) in folds(sort) {
                    if runs_in(*least, backend) {
                        let of = match *of {
                            "row" => &inner.row,
                            "mark" => &inner.mark,
                            _ => &inner.it,
                        };
                        shapes.push((1, of.filled(template)));
                    }
                }
            }
            proptest::strategy::Union::new_weighted(shapes).boxed()
        });
        Self { by_sort: by_sort.to_vec() }
    }

    /// A template with its holes (`B I D M T Y Z K` between braces) filled, each in parentheses.
    fn filled(&self, template: &'static str) -> BoxedStrategy<String> {
        let holes: Vec<Sort> =
            template.split('{').skip(1).filter_map(|part| part.chars().next()).map(sort_of).collect();
        let parts: Vec<BoxedStrategy<String>> = holes.iter().map(|sort| self.of(*sort)).collect();
        parts
            .prop_map(move |values| {
                let mut values = values.into_iter();
                let mut pieces = template.split('{');
                let mut text = pieces.next().unwrap_or_default().to_owned();
                for piece in pieces {
                    text.push_str(&format!("({})", values.next().unwrap_or_default()));
                    text.push_str(piece.get(2..).unwrap_or_default());
                }
                text
            })
            .boxed()
    }
}

/// Where a template runs: `*` everywhere, `p` not in SQL, `r` in Rust only, `l` there where records can be loaded.
fn runs_in(least: char, backend: Backend) -> bool {
    match least {
        '*' => true,
        'p' => backend != Backend::Sql,
        's' => backend != Backend::Polars,
        'r' => matches!(backend, Backend::Rust | Backend::Rows),
        _ => backend == Backend::Rust,
    }
}

fn sort_of(letter: char) -> Sort {
    match letter {
        'B' => Sort::Boolean,
        'I' => Sort::Integer,
        'D' => Sort::Decimal,
        'M' => Sort::Money,
        'T' => Sort::Text,
        'Y' => Sort::Date,
        'Z' => Sort::DateTime,
        _ => Sort::Kind,
    }
}

fn literals(sort: Sort) -> &'static [&'static str] {
    match sort {
        Sort::Boolean => &["true", "false"],
        Sort::Integer => &["0", "1", "-7", "3"],
        Sort::Decimal => &["0.5", "-2.25", "1.0001"],
        Sort::Money => &[],
        Sort::Text => &["''", "'a'", "'芳'", r"'it\'s'"],
        Sort::Date => &["date('2024-02-29')", "today"],
        Sort::DateTime => &["now", "datetime('2026-03-29T00:30:00Z')"],
        Sort::Kind => &["'red'", "'blue'"],
    }
}

fn fields(place: Place, sort: Sort) -> &'static [&'static str] {
    match (place, sort) {
        (Place::Item, Sort::Boolean) => &[
            "flag",
            "mark",
            "queue in user.queues",
            "owner == null",
            "created_by == user.id",
            "'clerk' in user.roles",
            "has_role('lead')",
        ],
        (Place::Item, Sort::Integer) => &["n", "m", "owner.level", "owner.boss.level", "version"],
        (Place::Item, Sort::Decimal) => &["d", "e"],
        (Place::Item, Sort::Money) => &["price", "cost"],
        (Place::Item, Sort::Text) => &["a", "b", "owner.name"],
        (Place::Item, Sort::Date) => &["day", "until", "owner.since"],
        (Place::Item, Sort::DateTime) => &["at", "then", "created_at"],
        (Place::Item, Sort::Kind) => &["kind"],
        (Place::Row, Sort::Boolean) => &["ok", "outer.flag"],
        (Place::Row, Sort::Integer) => &["q", "outer.n"],
        (Place::Row, Sort::Decimal) => &["outer.d"],
        (Place::Row, Sort::Money) => &["sum", "outer.price"],
        (Place::Row, Sort::Text) => &["t", "outer.a"],
        (Place::Row, Sort::Date) => &["outer.day"],
        (Place::Row, Sort::DateTime) => &["outer.at"],
        (Place::Row, Sort::Kind) => &["outer.kind"],
        (Place::Mark, Sort::Integer) => &["points", "outer.m"],
        (Place::Mark, Sort::Text) => &["note", "item.a"],
        (Place::Mark, Sort::Money) => &["outer.cost"],
        (Place::Mark, Sort::Boolean) => &["outer.mark"],
        (Place::Mark, Sort::Decimal) => &["item.e"],
        (Place::Mark, Sort::Date) => &["outer.until"],
        (Place::Mark, Sort::DateTime) => &["outer.then"],
        (Place::Mark, Sort::Kind) => &["outer.kind"],
        (Place::It, Sort::Boolean) => &["flag", "it.boss == owner", "it.id == owner", "it.since == null"],
        (Place::It, Sort::Integer) => &["it.level", "it.boss.level", "m", "owner.level"],
        (Place::It, Sort::Decimal) => &["d"],
        (Place::It, Sort::Money) => &["cost"],
        (Place::It, Sort::Text) => &["it.name", "it.boss.name", "a", "owner.name"],
        (Place::It, Sort::Date) => &["it.since", "day"],
        (Place::It, Sort::DateTime) => &["it.created_at", "at"],
        (Place::It, Sort::Kind) => &["kind"],
    }
}

/// What may be built of each sort, with the back ends it runs in.
fn templates(sort: Sort) -> &'static [(char, &'static str)] {
    match sort {
        Sort::Boolean => &[
            ('*', "{B} and {B}"),
            ('*', "{B} or {B}"),
            ('*', "not {B}"),
            ('*', "{I} == {I}"),
            ('*', "{I} != {D}"),
            ('*', "{D} < {M}"),
            ('*', "{M} >= {M}"),
            ('*', "{M} > 12.5"),
            ('*', "{T} == {T}"),
            ('*', "{T} != {T}"),
            ('*', "{T} < {T}"),
            ('*', "{Y} <= {Y}"),
            ('*', "{Z} > {Z}"),
            ('*', "{K} == 'red'"),
            ('*', "{K} != {K}"),
            ('*', "{K} in ['red', null]"),
            ('*', "{I} not in [1, {I}, null]"),
            ('*', "{T} in ['a', {T}]"),
            ('*', "{Y} == null"),
            ('*', "{B} != null"),
            ('*', "{B} ?? {B}"),
            ('*', "contains({T}, {T})"),
            ('*', "starts_with({T}, {T})"),
            ('*', "ends_with({T}, 'a')"),
            ('r', "matches({T}, '^a')"),
            ('r', "matches({T}, '芳')"),
            ('*', "when({B}, {B}, {B})"),
            ('r', "business_time({Z}, {Z}, 'desk') > hours({I} % 3000)"),
            ('r', "hours({I} % 100) == days({I} % 4)"),
        ],
        Sort::Integer => &[
            ('*', "{I} + {I}"),
            ('*', "{I} - {I}"),
            ('*', "-{I}"),
            ('*', "{I} * {I}"),
            ('*', "{I} % {I}"),
            ('*', "{I} ?? {I}"),
            ('*', "when({B}, {I}, 4)"),
            ('*', "len({T})"),
            ('*', "abs({I})"),
            ('*', "min({I}, {I})"),
            ('*', "max({I}, 2, {I})"),
            ('*', "clamp({I}, {I}, {I})"),
            ('*', "floor({D})"),
            ('*', "ceil({D})"),
            ('*', "days_between({Y}, {Y})"),
            ('r', "years_between({Y}, {Y})"),
            ('r', "weekday({Z})"),
            ('r', "weekday({Y})"),
            ('r', "bucket({T}, {I})"),
        ],
        Sort::Decimal => &[
            ('*', "{D} + {I}"),
            ('*', "{D} - {D}"),
            ('*', "{D} * {I}"),
            ('*', "{D} * {D}"),
            ('p', "{I} / {I}"),
            ('p', "{D} / {I}"),
            ('p', "{M} / {M}"),
            ('*', "{D} % {D}"),
            ('*', "coalesce({D}, {D}, 1)"),
            ('*', "when({B}, {D}, {I})"),
            ('*', "round({D})"),
            ('*', "round({D}, 2)"),
            ('*', "abs({D})"),
            ('p', "hours_between({Z}, {Z})"),
            ('r', "business_time({Z}, {Z}, 'desk') / hours(1)"),
            ('r', "months({I} % 5) / (days({I} % 9) + minutes({I} % 99))"),
            ('r', "number({T})"),
        ],
        Sort::Money => &[
            ('*', "{M} + {M}"),
            ('*', "{M} - {M}"),
            ('*', "{M} ?? 0"),
            ('*', "when({B}, {M}, null)"),
            ('*', "{M} * {I}"),
            ('p', "round({M} / {I}, 2)"),
            ('*', "max({M}, {M})"),
        ],
        Sort::Text => &[
            ('*', "{T} + {T}"),
            ('*', "{T} ?? {T}"),
            ('*', "min({T}, {T})"),
            ('*', "when({B}, {T}, {T})"),
            ('r', "lower({T})"),
            ('r', "upper({T})"),
            ('s', "trim({T})"),
            ('s', "replace({T}, {T}, {T})"),
            ('s', "substr({T}, {I}, {I})"),
            ('s', "last({T}, {I})"),
            ('r', "text({I})"),
            ('r', "text({D})"),
            ('r', "text({Y})"),
            ('r', "text({B})"),
            ('r', "text({K})"),
            ('r', "hash({T})"),
        ],
        Sort::Date => &[
            ('*', "{Y} ?? {Y}"),
            ('*', "max({Y}, {Y})"),
            ('*', "when({B}, {Y}, {Y})"),
            ('r', "date({Z})"),
            ('r', "date(trim({T}))"),
            ('r', "date(trim({T}), '%Y-%m-%d')"),
            // The day of one, the month of another: sometimes there is no such date.
            (
                'r',
                "date(substr(text({Y}), 8, 2) + '/' + substr(text({Y}), 5, 2) + '/' + substr(text({Y}), 0, 4), '%d/%m/%Y')",
            ),
            ('r', "local_date({Z}, 'America/Havana')"),
            ('r', "{Y} + days({I} % 400)"),
            ('r', "{Y} - months({I} % 30)"),
            ('p', "start_of('week', {Y})"),
            ('p', "start_of('quarter', {Y})"),
        ],
        Sort::DateTime => &[
            ('*', "{Z} ?? {Z}"),
            ('*', "min({Z}, {Z})"),
            ('*', "when({B}, {Z}, {Z})"),
            ('r', "{Z} + days({I} % 400)"),
            ('r', "{Z} + hours({I} % 2000)"),
            ('r', "date_add({Z}, months({I} % 30) + minutes({I} % 500))"),
            ('p', "start_of('day', {Z})"),
            ('p', "start_of('month', {Z})"),
            ('p', "start_of('minute', {Z})"),
        ],
        Sort::Kind => &[('*', "{K} ?? 'green'"), ('*', "when({B}, {K}, 'red')")],
    }
}

/// Functions over rows: the place of their second argument, and the whole.
fn folds(sort: Sort) -> &'static [(char, &'static str, &'static str)] {
    match sort {
        Sort::Boolean => &[
            ('s', "row", "any(rows, {B})"),
            ('s', "row", "all(rows, {B})"),
            ('s', "mark", "any(marks, {B})"),
            ('l', "it", "any(lookup_all(party, {B}, {B}))"),
            ('l', "it", "b in lookup_all(party, {T}, {B})"),
        ],
        Sort::Integer => &[
            ('s', "row", "count(rows, {B})"),
            ('s', "mark", "count(marks, {B})"),
            ('s', "row", "sum(rows, {I})"),
            ('s', "mark", "max(marks, {I})"),
            ('r', "row", "first(rows, {I}, {T})"),
            ('r', "mark", "count(filter(marks, {B}), {B})"),
            ('l', "it", "count(lookup_all(party, {T}, {B}))"),
            ('l', "it", "lookup(party, {I}, it.id == owner and {B})"),
        ],
        Sort::Decimal => &[
            ('r', "row", "avg(rows, {I})"),
            ('r', "row", "median(rows, {D})"),
            ('l', "it", "avg(lookup_all(party, {D}, {B}))"),
            ('r', "row", "median(take(rows, 2, {I}), {I})"),
            ('s', "row", "sum(rows, {D})"),
        ],
        Sort::Money => &[
            ('r', "row", "sum(filter(rows, {B}), {M})"),
            ('r', "row", "first(filter(rows, {B}), {M}, {M})"),
            ('l', "it", "sum(lookup_all(party, {M}, {B}))"),
            ('s', "row", "sum(rows, {M})"),
            ('s', "row", "min(rows, {M})"),
        ],
        Sort::Text => &[
            ('s', "row", "max(rows, {T})"),
            ('r', "row", "join(rows, {T}, ', ')"),
            ('l', "it", "join(lookup_all(party, {T}, {B}), '/')"),
            ('r', "row", "join(take(filter(rows, {B}), 3, {Y}), {T}, '')"),
        ],
        Sort::Date => &[('r', "row", "first(rows, {Y}, {Z})"), ('l', "it", "max(lookup_all(party, {Y}, {B}))")],
        Sort::DateTime => &[('l', "it", "lookup(party, {Z}, it.id == owner.boss and {B})")],
        Sort::Kind => &[],
    }
}
