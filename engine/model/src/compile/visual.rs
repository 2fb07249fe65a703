//! Pictures of reports: whether what a mark says is true of the numbers.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::report::{MarkWord, Report as AuthorReport, Visual as AuthorVisual};
use crate::expr::Type;
use crate::pack::analytics::{Aggregate, AggregateFold, By, Dataset, Format, Mark, Measure, Metric, Visual};

use super::context::Context;
use super::load::Document;
use super::{formula, literal};

/// The columns of the report, as far as they could be compiled.
pub(super) struct Columns<'a> {
    pub(super) by: &'a IndexMap<Key, By>,
    pub(super) metrics: &'a [Key],
    pub(super) all: &'a IndexMap<Key, Arc<Metric>>,
    pub(super) datasets: &'a IndexMap<Key, Arc<Dataset>>,
}

/// Compiles a picture; none where it is wrong.
pub(super) fn compile(
    context: &Context<'_>,
    author: &AuthorVisual,
    document: &Document<AuthorReport>,
    columns: &Columns<'_>,
) -> Option<Visual> {
    let at = document.at.key("visual");
    let keys = || document.body.by.keys().map(String::as_str);
    let mut known = true;
    for (name, channel) in [("x", Some(&author.x)), ("color", author.color.as_ref())] {
        let Some(key) = channel.filter(|key| !document.body.by.contains_key(key.as_str())) else { continue };
        context.unknown("FW0401", &at.key(name), "key of `by`", key, keys());
        known = false;
    }
    for (index, key) in author.y.iter().enumerate() {
        if !document.body.metrics.contains(key) {
            let metrics = document.body.metrics.iter().map(String::as_str);
            context.unknown("FW0401", &at.key("y").index(index), "metric of this report", key, metrics);
            known = false;
        }
    }
    let visual = Visual {
        mark: mark(author.mark),
        x: author.x.as_str().into(),
        y: author.y.iter().map(|key| Key::from(key.as_str())).collect(),
        color: author.color.as_deref().map(Key::from),
        goal: author.goal.as_ref().and_then(|goal| literal::exact(&goal.0)),
    };
    // What is missing or broken itself is told already; nothing can be said of a picture of it.
    let drawn: Vec<&Metric> = visual.y.iter().filter_map(|key| columns.all.get(key)).map(|metric| &**metric).collect();
    let whole = known && drawn.len() == visual.y.len() && columns.by.len() == document.body.by.len();
    if !whole || visual.y.iter().any(|key| !columns.metrics.contains(key)) {
        return None;
    }
    Checker { context, at: &at, visual: &visual, drawn, columns }.check();
    Some(visual)
}

fn mark(word: MarkWord) -> Mark {
    match word {
        MarkWord::Line => Mark::Line,
        MarkWord::Area => Mark::Area,
        MarkWord::Bar => Mark::Bar,
        MarkWord::Column => Mark::Column,
        MarkWord::Stacked => Mark::Stacked,
        MarkWord::Combo => Mark::Combo,
        MarkWord::Pie => Mark::Pie,
    }
}

struct Checker<'a> {
    context: &'a Context<'a>,
    at: &'a At,
    visual: &'a Visual,
    drawn: Vec<&'a Metric>,
    columns: &'a Columns<'a>,
}

impl Checker<'_> {
    fn check(&self) {
        self.channels();
        match self.visual.mark {
            Mark::Line | Mark::Area => {
                self.ordered();
                self.one_unit();
            }
            Mark::Bar | Mark::Column => self.one_unit(),
            Mark::Stacked => {
                self.adds_up();
                self.one_unit();
                if self.visual.y.len() == 1 && self.visual.color.is_none() {
                    self.refuse(
                        "mark",
                        "nothing is stacked here",
                        Some("add `color` or a second metric, or use `column`"),
                    );
                }
            }
            Mark::Combo => self.combo(),
            Mark::Pie => {
                self.adds_up();
                if self.visual.y.len() > 1 || self.visual.color.is_some() {
                    self.refuse("mark", "a pie shows one metric by one key", Some("use `stacked` or `bar`"));
                }
            }
        }
        if self.visual.goal.is_some() && matches!(self.visual.mark, Mark::Pie | Mark::Combo | Mark::Stacked) {
            let message = format!("a goal stands on an axis of one number, and `{}` has none", self.visual.mark.word());
            self.refuse("goal", message, None);
        }
    }

    /// Every key of the report is a channel, each its own; colour tells keys apart or metrics, not both.
    fn channels(&self) {
        let Visual { x, y, color, .. } = self.visual;
        if color.as_ref() == Some(x) {
            self.refuse("color", format!("`{x}` is along the axis already"), None);
        }
        if color.is_some() && y.len() > 1 {
            let hint = "draw one metric, or leave `color` out";
            self.refuse("color", "one colour cannot tell both metrics and keys apart", Some(hint));
        }
        let left = self.columns.by.keys().find(|key| *key != x && Some(*key) != color.as_ref());
        if let Some(left) = left {
            let message = format!("the rows also differ by `{left}`, which is not in the picture");
            let hint = format!("add `\"color\": \"{left}\"`, or take it out of `by`");
            self.refuse("x", message, Some(&hint));
        }
    }

    /// A line joins what follows one another.
    fn ordered(&self) {
        let key = &self.visual.x;
        let Some(By::Dimension(dimension)) = self.columns.by.get(key) else { return };
        let sources = self.drawn.iter().flat_map(|metric| formula::counted(self.context, &metric.key));
        let mut sources = sources.filter_map(|metric| self.columns.all.get(&metric)?.source.clone());
        let dataset = sources.next().and_then(|source| self.columns.datasets.get(&source.dataset));
        let Some(dimension) = dataset.and_then(|dataset| dataset.dimensions.get(dimension)) else { return };
        let ty = &dimension.expr.ty;
        if dimension.edges.is_empty() && !ty.is_numeric() && !matches!(ty, Type::Date | Type::DateTime) {
            let message = format!("`{key}` has no order a line could follow: it is {ty}");
            let hint = "use `bar` or `column`; a line needs a grain, classes, numbers or dates";
            self.refuse("x", message, Some(hint));
        }
    }

    /// One axis has one unit.
    fn one_unit(&self) {
        self.same_unit(0);
    }

    fn same_unit(&self, from: usize) {
        let mut rest = self.drawn.iter().enumerate().skip(from);
        let Some((_, first)) = rest.next() else { return };
        if let Some((index, other)) = rest.find(|(_, metric)| unit(metric.format) != unit(first.format)) {
            let message = format!(
                "`{}` is in {}, `{}` in {}: they cannot share an axis",
                first.key,
                unit(first.format),
                other.key,
                unit(other.format)
            );
            let hint = "use `combo`, which has two axes, or leave one out";
            self.context.error_hint("FW0420", &self.at.key("y").index(index), message, hint.to_owned());
        }
    }

    /// The first metric has an axis, the others share the second.
    fn combo(&self) {
        self.ordered();
        self.same_unit(1);
        if self.visual.y.len() < 2 || self.visual.color.is_some() {
            let hint = "name two metrics, without `color`";
            self.refuse("mark", "a combo shows a metric as columns and others as lines", Some(hint));
        }
    }

    /// Only counts and sums make a whole.
    fn adds_up(&self) {
        for (index, metric) in self.drawn.iter().enumerate() {
            let adds = matches!(
                &metric.measure,
                Measure::Single(Aggregate { fold: AggregateFold::Count | AggregateFold::Sum, .. })
            );
            if !adds {
                let message = format!("`{}` is no count and no sum: its parts do not add up", metric.key);
                let hint = "use `bar`, `column` or `line`".to_owned();
                self.context.error_hint("FW0420", &self.at.key("y").index(index), message, hint);
            }
        }
    }

    fn refuse(&self, key: &str, message: impl Into<String>, hint: Option<&str>) {
        self.context.error_hint("FW0420", &self.at.key(key), message, hint.map(str::to_owned));
    }
}

fn unit(format: Format) -> &'static str {
    match format {
        Format::Integer | Format::Decimal(_) => "numbers",
        Format::Percent(_) => "percent",
        Format::Money => "money",
        Format::Duration => "time",
    }
}
