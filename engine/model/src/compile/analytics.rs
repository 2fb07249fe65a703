//! Datasets and metrics.

use indexmap::IndexMap;
use rust_decimal::Decimal;

use crate::diagnostic::At;
use crate::documents::common::Formula;
use crate::documents::metrics::{self, MetricOptions};
use crate::documents::{Kind, dataset as author};
use crate::expr::ir::BinaryOp;
use crate::expr::{Expr, Ir, Position, Scope, TableRef, Type};
use crate::pack::analytics::{
    Aggregate, AggregateFold, Dataset, Dimension, Empty, Format, Good, Measure, Metric, MetricSource, Percent,
};
use crate::{Key, Text};

use super::context::{Context, is_path};
use super::load::Document;
use super::{field, formula, literal};

/// Compiles a dataset; nothing where its form is unknown.
pub(super) fn dataset(context: &Context<'_>, document: &Document<author::Dataset>) -> Option<Dataset> {
    let author = &document.body;
    let at = &document.at;
    let label = context.text(&author.label, &at.key("label"));
    let (form, owner) = table(context, &author.source, &at.key("source"))?;
    let scope = source_scope(context, &form);
    let mut times = IndexMap::new();
    for (key, source) in &author.times {
        let at = at.key("times").key(key);
        let checked = context.check(&Formula(source.clone()), &scope, None, &at);
        if let Some(expr) = checked {
            if !is_path(&expr) || !matches!(expr.ty, Type::Date | Type::DateTime) {
                context.error("FW0403", &at, format!("`{source}` is no field of type `date` or `datetime`"));
            }
            times.insert(Key::from(key.as_str()), expr);
        }
    }
    if !author.times.contains_key(&author.time) {
        context.unknown("FW0401", &at.key("time"), "time", &author.time, author.times.keys().map(String::as_str));
    }
    let mut dimensions = IndexMap::new();
    for (key, dimension) in &author.dimensions {
        if let Some(compiled) = dimension_of(context, &form, key, dimension, &scope, &at.key("dimensions").key(key)) {
            dimensions.insert(Key::from(key.as_str()), compiled);
        }
    }
    Some(Dataset {
        key: document.key.clone(),
        label,
        filter: context.condition(author.filter.as_ref(), &scope, &at.key("where")),
        time: author.time.as_str().into(),
        times,
        dimensions,
        form,
        owner,
    })
}

/// The table a dataset reads and the form it is of.
fn table(context: &Context<'_>, source: &author::DatasetSource, at: &At) -> Option<(Key, Key)> {
    let (Some(table), Some(owner)) = (source.table(), source.owner().map(Key::from)) else {
        context.error_at_key("FW0117", at, "exactly one of `form` and `clocks` is needed", None);
        return None;
    };
    let at = at.key(if source.clocks.is_some() { "clocks" } else { "form" });
    if !context.refers(Kind::Form, &owner, &at) {
        return None;
    }
    if !context.shapes.tables.contains_key(&TableRef::form(&table)) {
        let hint = "give a workflow of the form a clock: `\"sla\": {…}`".to_owned();
        context.error_hint("FW0405", &at, format!("no workflow of `{owner}` has a clock"), hint);
        return None;
    }
    Some((table, owner))
}

/// Expressions of datasets and metrics: over the form, the same for every reader. What does not run on columns runs row by
/// row, so that everything is allowed.
fn source_scope<'a>(context: &Context<'a>, form: &Key) -> Scope<'a> {
    context.scope(Position::Source, form)
}

fn dimension_of(
    context: &Context<'_>,
    form: &Key,
    key: &str,
    dimension: &author::Dimension,
    scope: &Scope<'_>,
    at: &At,
) -> Option<Dimension> {
    let (expr, default_label) = match (&dimension.field, &dimension.compute) {
        (Some(field), None) => {
            let expr = context.check(&Formula(field.clone()), scope, None, &at.key("field"))?;
            if !is_path(&expr) || matches!(expr.ty, Type::Rows(_)) {
                context.error("FW0403", &at.key("field"), format!("`{field}` is no field of one record"));
            }
            let label = match &expr.ir {
                Ir::Field(path) => field::label_of(context, &path.field.table.form, &path.field.key),
                _ => None,
            };
            (expr, label.or_else(|| field::label_of(context, form, field)))
        }
        (None, Some(formula)) => (context.check(formula, scope, None, &at.key("compute"))?, None),
        _ => {
            context.error_at_key("FW0117", at, "exactly one of `field` and `compute` is needed", None);
            return None;
        }
    };
    if let Type::Link(to) = &expr.ty
        && !context.documents.forms.contains_key(to)
    {
        context.error("FW0403", at, "a clock is not told apart by its id");
    }
    let edges = edges(context, dimension, &expr, &at.key("edges"));
    let label = match (&dimension.label, default_label) {
        (Some(label), _) => context.text(label, &at.key("label")),
        (None, Some(label)) => label,
        (None, None) => Text::from(key),
    };
    Some(Dimension { label, expr, edges })
}

fn edges(context: &Context<'_>, dimension: &author::Dimension, expr: &Expr, at: &At) -> Vec<Decimal> {
    let edges: Vec<Decimal> = dimension.edges.iter().filter_map(|edge| literal::exact(&edge.0)).collect();
    if !edges.is_empty() && !expr.ty.is_numeric() {
        context.error("FW0403", at, format!("classes need a number, this is {}", expr.ty));
    }
    if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        context.error("FW0405", at, "edges must ascend");
    }
    edges
}

/// Compiles a metric; nothing where its dataset is unknown or what it aggregates is wrong.
pub(super) fn metric(context: &Context<'_>, document: &Document<metrics::Metric>) -> Option<Metric> {
    let author = &document.body;
    let (common, at) = (&author.common, &document.at);
    let label = context.text(&common.label, &at.key("label"));
    if let MetricOptions::Calculated(formula) = &author.options {
        let measure = Measure::Formula(formula::compile(context, document, formula)?);
        return Some(finished(context, document, label, None, measure));
    }
    let Some(of) = &common.dataset else {
        context.error_at_key("FW0111", at, "`dataset` is missing", None);
        return None;
    };
    if !context.refers(Kind::Dataset, of, &at.key("dataset")) {
        return None;
    }
    let dataset = &context.documents.datasets.get(of.as_str())?.body;
    // What is wrong with its source is told of the dataset.
    let form = dataset.source.table().filter(|table| context.shapes.tables.contains_key(&TableRef::form(table)))?;
    let time = common.time.as_ref().unwrap_or(&dataset.time);
    if !dataset.times.contains_key(time) {
        let known = dataset.times.keys().map(String::as_str);
        context.unknown("FW0401", &at.key("time"), &format!("time of `{of}`"), time, known);
    }
    let scope = source_scope(context, &form);
    let filter = context.condition(common.filter.as_ref(), &scope, &at.key("where"));
    let number = |formula: &Formula, at: &At| {
        let expr = context.check(formula, &scope, None, at)?;
        if !expr.ty.is_numeric() {
            context.error("FW0403", at, format!("a number is needed, this is {}", expr.ty));
        }
        Some(expr)
    };
    let single = |fold, compute: Option<Expr>| Measure::Single(Aggregate { fold, compute, filter: filter.clone() });
    let measure = match &author.options {
        MetricOptions::Count(_) => single(AggregateFold::Count, None),
        MetricOptions::Sum(sum) => single(AggregateFold::Sum, Some(number(&sum.compute, &at.key("compute"))?)),
        MetricOptions::Avg(avg) => single(AggregateFold::Avg, Some(number(&avg.compute, &at.key("compute"))?)),
        MetricOptions::Min(min) => single(AggregateFold::Min, Some(number(&min.compute, &at.key("compute"))?)),
        MetricOptions::Max(max) => single(AggregateFold::Max, Some(number(&max.compute, &at.key("compute"))?)),
        MetricOptions::CountDistinct(distinct) => {
            let at = at.key("compute");
            let expr = context.check(&distinct.compute, &scope, None, &at)?;
            if matches!(expr.ty, Type::Rows(_) | Type::List(_) | Type::Duration | Type::Null) {
                context.error("FW0403", &at, format!("one value is needed, this is {}", expr.ty));
            }
            single(AggregateFold::CountDistinct, Some(expr))
        }
        MetricOptions::Percentile(percentile) => {
            let percent = literal::exact(&percentile.percent.0).and_then(Percent::new);
            if percent.is_none() {
                let hint = "write `90`, or `\"99.9\"` where it is no whole number".to_owned();
                context.error_hint("FW0405", &at.key("percent"), "a percentage is 0 to 100", hint);
            }
            let compute = number(&percentile.compute, &at.key("compute"))?;
            single(AggregateFold::Percentile(percent?), Some(compute))
        }
        MetricOptions::Ratio(ratio) => {
            let side = |part: &metrics::Part, at: At| -> Option<Aggregate> {
                let own = context.condition(part.filter.as_ref(), &scope, &at.key("where"));
                let (fold, compute) = match (part.kind, &part.compute) {
                    (metrics::PartKind::Count, None) => (AggregateFold::Count, None),
                    (metrics::PartKind::Count, Some(_)) => {
                        context.error_at_key("FW0405", &at.key("compute"), "a count computes nothing", None);
                        (AggregateFold::Count, None)
                    }
                    (metrics::PartKind::Sum, Some(formula)) => {
                        (AggregateFold::Sum, Some(number(formula, &at.key("compute"))?))
                    }
                    (metrics::PartKind::Sum, None) => {
                        context.error_at_key("FW0111", &at, "`compute` is missing", None);
                        return None;
                    }
                };
                Some(Aggregate { fold, compute, filter: both(filter.clone(), own) })
            };
            let (num, den) = (side(&ratio.num, at.key("num")), side(&ratio.den, at.key("den")));
            Measure::Ratio { num: num?, den: den? }
        }
        MetricOptions::Calculated(_) => return None,
    };
    let source = MetricSource { dataset: of.as_str().into(), time: time.as_str().into() };
    Some(finished(context, document, label, Some(source), measure))
}

/// The metric with the keys all types share.
fn finished(
    context: &Context<'_>,
    document: &Document<metrics::Metric>,
    label: Text,
    source: Option<MetricSource>,
    measure: Measure,
) -> Metric {
    let (author, at) = (&document.body, &document.at);
    let common = &author.common;
    if let (Some(metrics::Empty::Zero), Measure::Single(aggregate)) = (common.empty, &measure)
        && !aggregate.fold.may_be_zero()
    {
        let message = format!("a `{}` of nothing is not 0", author.kind);
        context.error_hint("FW0405", &at.key("empty"), message, "leave `empty` out".to_owned());
    }
    Metric {
        key: document.key.clone(),
        label,
        source,
        min_rows: common.min_rows.unwrap_or(0),
        format: common.format.as_deref().and_then(format_of).unwrap_or_else(|| default_format(&measure)),
        empty: match common.empty {
            Some(metrics::Empty::Zero) => Empty::Zero,
            Some(metrics::Empty::None) => Empty::None,
            None => match &measure {
                Measure::Single(aggregate) if aggregate.fold.may_be_zero() => Empty::Zero,
                _ => Empty::None,
            },
        },
        good: common.good.map(|good| match good {
            metrics::Good::Up => Good::Up,
            metrics::Good::Down => Good::Down,
        }),
        measure,
    }
}

/// Both conditions at once.
fn both(a: Option<Expr>, b: Option<Expr>) -> Option<Expr> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Expr {
            source: format!("({}) and ({})", a.source, b.source),
            ty: Type::Boolean,
            ir: Ir::Binary(BinaryOp::And, Box::new(a.ir), Box::new(b.ir)),
        }),
        (a, b) => a.or(b),
    }
}

fn format_of(word: &str) -> Option<Format> {
    Some(match word.split_once(':') {
        None if word == "integer" => Format::Integer,
        None if word == "money" => Format::Money,
        None if word == "duration" => Format::Duration,
        Some(("decimal", places)) => Format::Decimal(places.parse().ok()?),
        Some(("percent", places)) => Format::Percent(places.parse().ok()?),
        _ => return None,
    })
}

fn default_format(measure: &Measure) -> Format {
    let aggregate = match measure {
        Measure::Single(aggregate) => aggregate,
        Measure::Ratio { .. } => return Format::Percent(1),
        Measure::Formula(_) => return Format::Decimal(2),
    };
    match (aggregate.fold, aggregate.compute.as_ref().map(|expr| &expr.ty)) {
        (AggregateFold::Count | AggregateFold::CountDistinct, _) => Format::Integer,
        (_, Some(Type::Money)) => Format::Money,
        (AggregateFold::Sum | AggregateFold::Min | AggregateFold::Max, Some(Type::Integer)) => Format::Integer,
        (AggregateFold::Sum | AggregateFold::Min | AggregateFold::Max, Some(Type::Decimal { scale })) => {
            Format::Decimal(*scale)
        }
        _ => Format::Decimal(2),
    }
}
