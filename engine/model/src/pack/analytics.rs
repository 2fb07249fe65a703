//! Checked datasets, metrics, reports and boards.

use indexmap::IndexMap;
use rust_decimal::Decimal;

use super::Setting;
use super::form::SortKey;
use crate::expr::Expr;
use crate::{Key, Text};

/// The key of the table of a form's clocks; no form can have it.
pub fn clocks_key(form: &str) -> Key {
    format!("{form}:clocks").into()
}

/// A typed source with times and dimensions: one row is one record of the form, or one clock of such a record.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// The table that is read: the form, or the table of its clocks.
    pub form: Key,
    /// The form whose records the rows are, or are of: theirs is the access.
    pub owner: Key,
    /// The rows it consists of.
    pub filter: Option<Expr>,
    /// Named instants and dates: expressions that are one field.
    pub times: IndexMap<Key, Expr>,
    /// The time a metric uses unless it says otherwise.
    pub time: Key,
    /// What metrics can be broken down by.
    pub dimensions: IndexMap<Key, Dimension>,
}

/// A dimension.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Shown to people.
    pub label: Text,
    /// A path over to-one links, or a computed value.
    pub expr: Expr,
    /// Ascending edges of half-open classes, for a numeric value.
    pub edges: Vec<Decimal>,
}

/// A number defined once.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// What it counts; none for a formula.
    pub source: Option<MetricSource>,
    /// What is aggregated.
    pub measure: Measure,
    /// How it is written.
    pub format: Format,
    /// What an empty cell holds.
    pub empty: Empty,
    /// Which direction is good; none is neutral.
    pub good: Option<Good>,
    /// A number that rests on fewer rows or values is not told; 0 where every one is.
    pub min_rows: u64,
}

/// The rows a metric counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSource {
    /// The dataset.
    pub dataset: Key,
    /// The time of the dataset it uses.
    pub time: Key,
}

/// What a metric aggregates.
#[derive(Debug, Clone)]
pub enum Measure {
    /// One aggregate.
    Single(Aggregate),
    /// One over the other; no value where the denominator is zero.
    Ratio {
        /// Above.
        num: Aggregate,
        /// Below.
        den: Aggregate,
    },
    /// Other metrics, calculated with.
    Formula(Calculation),
}

/// What is made of finished numbers. Without one there is none, but for `??`.
#[derive(Debug, Clone, PartialEq)]
pub enum Calculation {
    /// A constant.
    Number(Decimal),
    /// A metric.
    Metric(Key),
    /// The number with the other sign.
    Negate(Box<Calculation>),
    /// Two numbers.
    Binary(Operation, Box<Calculation>, Box<Calculation>),
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient; none by zero.
    Divide,
    /// The first, or the second where there is none.
    Else,
}

impl Calculation {
    /// The metrics it names, in order, each once.
    pub fn metrics(&self) -> Vec<&Key> {
        let mut found = Vec::new();
        self.name_metrics(&mut found);
        found
    }

    fn name_metrics<'a>(&'a self, found: &mut Vec<&'a Key>) {
        match self {
            Self::Number(_) => {}
            Self::Metric(metric) if found.contains(&metric) => {}
            Self::Metric(metric) => found.push(metric),
            Self::Negate(of) => of.name_metrics(found),
            Self::Binary(_, left, right) => {
                left.name_metrics(found);
                right.name_metrics(found);
            }
        }
    }
}

/// A partial aggregate.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Which.
    pub fold: AggregateFold,
    /// Of what; none for a count.
    pub compute: Option<Expr>,
    /// Only the rows for which this is true.
    pub filter: Option<Expr>,
}

/// Aggregates of this release. Those of counts and sums add up; all others are aggregated again at each grain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFold {
    /// Rows.
    Count,
    /// Different non-null values.
    CountDistinct,
    /// Σ of the non-null.
    Sum,
    /// Σ / n of the non-null.
    Avg,
    /// The least non-null.
    Min,
    /// The greatest non-null.
    Max,
    /// Between the two non-null values around the rank, by their distance.
    Percentile(Percent),
}

impl AggregateFold {
    /// Whether nothing may count as 0: what adds up and what is counted.
    pub fn may_be_zero(self) -> bool {
        matches!(self, Self::Count | Self::CountDistinct | Self::Sum)
    }
}

/// A share from 0 to 1, exactly: the percentage of a percentile over 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Percent {
    numerator: u64,
    denominator: u64,
}

impl Percent {
    /// Of a percentage; none outside 0 to 100, and beyond nine places.
    pub fn new(percentage: Decimal) -> Option<Self> {
        let percentage = percentage.normalize();
        let within = percentage >= Decimal::ZERO && percentage <= Decimal::ONE_HUNDRED && percentage.scale() <= 9;
        let denominator = within.then(|| 10_u64.pow(percentage.scale() + 2))?;
        Some(Self { numerator: u64::try_from(percentage.mantissa()).ok()?, denominator })
    }

    /// Where it lies among `n` values in order, counted from 0: the place below, the place above, and how far between them
    /// as a fraction. None among no values.
    pub fn rank(self, n: u64) -> Option<(u64, u64, (u64, u64))> {
        let position = u128::from(self.numerator) * u128::from(n.checked_sub(1)?);
        let denominator = u128::from(self.denominator);
        let below = u64::try_from(position / denominator).ok()?;
        let rest = u64::try_from(position % denominator).ok()?;
        Some((below, below + u64::from(rest > 0), (rest, self.denominator)))
    }
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Whole.
    Integer,
    /// With that many places.
    Decimal(u8),
    /// Times 100, with that many places.
    Percent(u8),
    /// In the pack's currency.
    Money,
    /// Milliseconds, as hours, minutes and seconds.
    Duration,
}

/// What an empty cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// 0.
    Zero,
    /// No value.
    None,
}

/// Which direction is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Good {
    /// More.
    Up,
    /// Less.
    Down,
}

/// A question with a layout.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// What is measured.
    pub metrics: Vec<Key>,
    /// The range where the reader gives none.
    pub range: Range,
    /// What it is broken down by, in order.
    pub by: IndexMap<Key, By>,
    /// Of which keys of `by` only the first are shown.
    pub top: IndexMap<Key, Top>,
    /// Whether a grand total is added.
    pub grand_total: bool,
    /// Column keys to sort by, with `true` for descending.
    pub sort: Vec<(Key, bool)>,
    /// Most rows; more are marked as truncated.
    pub limit: u32,
    /// Its picture.
    pub visual: Option<Visual>,
    /// The view that shows the records behind a number.
    pub drill: Option<Opens>,
}

/// The greatest values of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// How many.
    pub count: u32,
    /// The metric that ranks them, over the whole range.
    pub rank: Key,
    /// Whether the others are a row.
    pub other: bool,
}

/// A view that shows records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opens {
    /// The form.
    pub form: Key,
    /// The view.
    pub view: Key,
}

/// A picture of a report: columns of its table as channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Visual {
    /// How a number is drawn.
    pub mark: Mark,
    /// The key of `by` along the axis.
    pub x: Key,
    /// The metrics drawn, in order.
    pub y: Vec<Key>,
    /// The key of `by` that has a colour each.
    pub color: Option<Key>,
    /// A line across the picture.
    pub goal: Option<Decimal>,
}

/// How a number is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Points joined in order.
    Line,
    /// A line with what is below it filled.
    Area,
    /// Horizontal bars.
    Bar,
    /// Vertical bars.
    Column,
    /// Vertical bars, one upon the other.
    Stacked,
    /// Columns, and lines over an axis of their own.
    Combo,
    /// Shares of a whole.
    Pie,
}

impl Mark {
    /// As definitions write it.
    pub fn word(self) -> &'static str {
        match self {
            Mark::Line => "line",
            Mark::Area => "area",
            Mark::Bar => "bar",
            Mark::Column => "column",
            Mark::Stacked => "stacked",
            Mark::Combo => "combo",
            Mark::Pie => "pie",
        }
    }
}

/// What a report is broken down by.
#[derive(Debug, Clone)]
pub enum By {
    /// Buckets of the metrics' time.
    Grain(Grain),
    /// A dimension of every metric's dataset.
    Dimension(Key),
}

/// Sizes of time buckets, in the pack's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A civil day.
    Day,
    /// An ISO week.
    Week,
    /// A month.
    Month,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
}

/// A range of time, relative to the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// `last 13 weeks`: complete units before the current one.
    Last(u32, Grain),
    /// `this month`: from its start to the run.
    This(Grain),
    /// `past 24 hours`: trailing.
    Past(u32, Grain),
    /// `2026-01-01..2026-03-31`: local dates, both included.
    Dates(chrono::NaiveDate, chrono::NaiveDate),
    /// Everything.
    All,
}

/// A page of tiles.
#[derive(Debug, Clone)]
pub struct Board {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// The form whose records it is the page of.
    pub of: Option<Key>,
    /// Who may open it; everybody who is logged in where empty.
    pub roles: Vec<Key>,
    /// The range of all tiles that have none of their own.
    pub range: Option<Range>,
    /// The tiles in order.
    pub tiles: IndexMap<Key, Tile>,
}

/// A tile.
#[derive(Debug, Clone)]
pub struct Tile {
    /// Shown above it; that of its content where absent.
    pub label: Option<Text>,
    /// Of 12 columns.
    pub width: u8,
    /// What it shows.
    pub kind: TileKind,
}

/// What a tile shows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TileKind {
    /// One number.
    Metric {
        /// The metric.
        metric: Key,
        /// Only these records.
        filter: Option<TileFilter>,
        /// Instead of the board's range.
        range: Option<Range>,
    },
    /// A report.
    Report {
        /// The report.
        report: Key,
        /// Only these records.
        filter: Option<TileFilter>,
        /// Instead of its own range.
        range: Option<Range>,
    },
    /// Records of a view.
    List {
        /// The form.
        form: Key,
        /// The view.
        view: Key,
        /// Only these.
        filter: Option<TileFilter>,
        /// Most rows.
        limit: u32,
    },
    /// Words.
    Text {
        /// The words.
        text: Text,
    },
    /// Tasks of the reader.
    Tasks {
        /// `mine`, `claimable` or `team`.
        tasks: TaskBox,
    },
    /// Fields of the board's record.
    Record {
        /// Paths over the board's form.
        fields: Vec<Expr>,
    },
    /// What happened to the board's record and around it.
    Timeline {
        /// Forms whose records appear, each with its link to the board's form.
        sources: IndexMap<Key, Key>,
        /// Most items of a page.
        limit: u32,
    },
    /// What a decision proposes for the board's record.
    Rules {
        /// The decision, over the board's form.
        decision: Key,
        /// What each of its rules stands for.
        actions: IndexMap<Key, ProposedAction>,
    },
    /// A new record.
    Form(Preset),
}

/// A condition over the records of a form, in which `record.x` is the board's record.
#[derive(Debug, Clone)]
pub struct TileFilter {
    /// The form of the records.
    pub form: Key,
    /// The condition: frame 0 is such a record, frame 1 the board's.
    pub expr: Expr,
}

/// What to do where a rule hits.
#[derive(Debug, Clone)]
pub struct ProposedAction {
    /// What to do.
    pub label: Text,
    /// Why.
    pub reason: Text,
    /// The record to file for it.
    pub files: Option<Preset>,
}

/// A new record and what it starts with.
#[derive(Debug, Clone)]
pub struct Preset {
    /// The form.
    pub form: Key,
    /// Values by field; expressions are over the board's record, as frame 0.
    pub set: IndexMap<Key, Setting>,
}

/// A box of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskBox {
    /// Assigned to me.
    Mine,
    /// Nobody's, and I am a candidate.
    Claimable,
    /// Of the queues and teams I lead, whoever holds them.
    Team,
    /// What I have a copy of, done or not.
    Cc,
    /// What I completed.
    Done,
    /// Open, of what I started.
    Started,
}

/// The columns of a list.
pub type Columns = Vec<SortKey>;
