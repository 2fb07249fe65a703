//! The naive evaluator: walks the author's tree by name, without types, IR or the engine's arithmetic.
//!
//! It is written from the text of the language definition, not from the code it checks. Where its fractions grow so
//! large that the engine may round or refuse, it gives up ([`TooLarge`]) and the case says nothing.

use std::cmp::Ordering;

use chrono::Datelike;
use formwork_core::Record;
use formwork_model::Value;
use formwork_model::expr::ast::{Kind, Node};
use formwork_model::expr::ir::{BinaryOp, UnaryOp};
use formwork_model::expr::parser::parse;
use formwork_model::value::Row;

use super::civil::{DAY, add_months, civil_of, day_of, from_local, month_length, to_local, weekday};
use super::fixture::{ITEM, MARK, PARTY, ROW, World};
use super::ratio::Ratio;

/// A value as the naive evaluator sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Thing {
    /// Null.
    Null,
    /// True or false.
    Truth(bool),
    /// A number; integers and decimals are the same.
    Number(Ratio),
    /// Text and keys.
    Text(String),
    /// A date, as days since 1970-01-01.
    Day(i64),
    /// An instant, as microseconds since 1970.
    Moment(i64),
    /// Months, days, milliseconds.
    Span(i64, i64, i64),
    /// A record or a user.
    Id(u128),
    /// A list.
    Many(Vec<Thing>),
}

/// A number became too large for the comparison to say anything.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

type Found = Result<Thing, TooLarge>;

/// The value of an expression over the world's item.
pub fn evaluate(source: &str, world: &World) -> Found {
    let (node, problems) = parse(source);
    assert!(problems.is_empty(), "{source}: {problems:?}");
    Walker { world, eager: false }.value(&node, &[Frame::Record(&ITEM, &world.item)])
}

/// Whether some part of the expression is or becomes too large, be it one whose value is never asked for: a back end that
/// evaluates all parts of all rows, as databases may, can then refuse where walking one row does not.
pub fn is_large_somewhere(source: &str, world: &World) -> bool {
    let (node, _) = parse(source);
    Walker { world, eager: true }.value(&node, &[Frame::Record(&ITEM, &world.item)]).is_err()
}

impl Thing {
    /// An engine's value, to be compared.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Thing::Null,
            Value::Boolean(value) => Thing::Truth(*value),
            Value::Integer(number) => Thing::Number(Ratio::whole(i128::from(*number))),
            Value::Decimal(number) => Ratio::parse(&number.to_string()).map_or(Thing::Null, Thing::Number),
            Value::Text(text) => Thing::Text(text.clone()),
            Value::Date(date) => {
                Thing::Day(day_of(i64::from(date.year()), i64::from(date.month()), i64::from(date.day())))
            }
            Value::DateTime(at) => Thing::Moment(at.timestamp_micros()),
            Value::Duration(span) => Thing::Span(i64::from(span.months), i64::from(span.days), span.milliseconds),
            Value::Id(id) => Thing::Id(id.as_u128()),
            Value::List(items) => Thing::Many(items.iter().map(Thing::of).collect()),
            Value::Rows(_) => Thing::Null,
        }
    }

    /// Whether it is true, not false and not null.
    pub fn is_true(&self) -> bool {
        *self == Thing::Truth(true)
    }

    /// The value as an author writes it; nothing for what has no literal.
    pub fn literal(&self) -> Option<String> {
        Some(match self {
            Thing::Null => "null".to_owned(),
            Thing::Truth(truth) => truth.to_string(),
            Thing::Number(number) => number.digits()?,
            Thing::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Thing::Day(day) => {
                let (year, month, day) = civil_of(*day);
                format!("date('{year:04}-{month:02}-{day:02}')")
            }
            Thing::Moment(at) => {
                let at = chrono::DateTime::from_timestamp_micros(*at)?;
                format!("datetime('{}')", at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
            }
            Thing::Span(..) | Thing::Id(_) | Thing::Many(_) => return None,
        })
    }
}

#[derive(Clone, Copy)]
enum Frame<'w> {
    Record(&'static [&'static str], &'w Record),
    Row(&'w Row),
}

impl<'w> Frame<'w> {
    fn field(&self, name: &str) -> Thing {
        let (names, values): (&[&str], &[Value]) = match self {
            Frame::Record(names, record) => (names, &record.values),
            Frame::Row(row) => (&ROW, &row.values),
        };
        if let Some(index) = names.iter().position(|known| *known == name) {
            return Thing::of(&values[index]);
        }
        let Frame::Record(_, record) = self else { panic!("a row has no `{name}`") };
        match name {
            "id" => Thing::Id(record.id.as_u128()),
            "version" => Thing::Number(Ratio::whole(i128::from(record.version))),
            "created_at" => Thing::Moment(record.created_at.timestamp_micros()),
            "updated_at" => Thing::Moment(record.updated_at.timestamp_micros()),
            "created_by" => record.created_by.map_or(Thing::Null, |id| Thing::Id(id.as_u128())),
            "updated_by" => record.updated_by.map_or(Thing::Null, |id| Thing::Id(id.as_u128())),
            other => panic!("no field `{other}`"),
        }
    }
}

struct Walker<'w> {
    world: &'w World,
    /// Whether parts that decide nothing are evaluated too.
    eager: bool,
}

impl<'w> Walker<'w> {
    /// `frames` are the rows in scope, the innermost last.
    fn value(&self, node: &Node, frames: &[Frame<'w>]) -> Found {
        Ok(match &node.kind {
            Kind::Null => Thing::Null,
            Kind::Boolean(value) => Thing::Truth(*value),
            Kind::Number(digits) => Ratio::parse(digits).map(Thing::Number).ok_or(TooLarge)?,
            Kind::Text(text) => Thing::Text(text.clone()),
            Kind::Name(_) | Kind::Member(..) => match self.path(&words(node), frames) {
                Thing::Number(number) if self.eager => small(Some(number))?,
                found => found,
            },
            Kind::List(items) => Thing::Many(self.all(items, frames)?),
            Kind::Unary(UnaryOp::Not, inner) => match self.value(inner, frames)? {
                Thing::Truth(value) => Thing::Truth(!value),
                _ => Thing::Null,
            },
            Kind::Unary(UnaryOp::Negate, inner) => match self.value(inner, frames)? {
                Thing::Number(number) => small(Some(number.negative()))?,
                Thing::Span(months, days, milliseconds) => Thing::Span(-months, -days, -milliseconds),
                _ => Thing::Null,
            },
            Kind::Binary(op, left, right) => self.binary(*op, left, right, frames)?,
            Kind::In { negated, value, list } => {
                let value = self.value(value, frames)?;
                let found = match self.value(list, frames)? {
                    Thing::Many(items) => items.contains(&value),
                    _ => false,
                };
                Thing::Truth(found != *negated)
            }
            Kind::Call(name, arguments) => self.call(&name.text, arguments, frames)?,
            Kind::Missing | Kind::Cell | Kind::Index(..) => panic!("not generated: {node:?}"),
        })
    }

    fn all(&self, nodes: &[Node], frames: &[Frame<'w>]) -> Result<Vec<Thing>, TooLarge> {
        nodes.iter().map(|node| self.value(node, frames)).collect()
    }

    fn path(&self, words: &[&str], frames: &[Frame<'w>]) -> Thing {
        match words {
            ["now"] => Thing::Moment(self.world.now.timestamp_micros()),
            ["today"] => Thing::Day(self.local_day(self.world.now.timestamp_micros())),
            ["user", "id"] => Thing::Id(900),
            ["user", "roles"] => Thing::Many(vec![Thing::Text("clerk".to_owned())]),
            ["user", "queues"] => Thing::Many(vec![Thing::Text("desk".to_owned())]),
            ["outer", rest @ ..] => self.follow(rest, &frames[frames.len() - 2]),
            words => self.follow(words, &frames[frames.len() - 1]),
        }
    }

    fn follow(&self, words: &[&str], frame: &Frame<'w>) -> Thing {
        let [first, rest @ ..] = words else { return Thing::Null };
        let found = frame.field(first);
        if rest.is_empty() {
            return found;
        }
        let Thing::Id(id) = found else { return Thing::Null };
        if *first == "item" {
            return self.follow(rest, &Frame::Record(&ITEM, &self.world.item));
        }
        match self.world.parties.iter().find(|party| party.id.as_u128() == id) {
            Some(party) => self.follow(rest, &Frame::Record(&PARTY, party)),
            None => Thing::Null,
        }
    }

    fn binary(&self, op: BinaryOp, left: &Node, right: &Node, frames: &[Frame<'w>]) -> Found {
        use BinaryOp as B;
        let a = self.value(left, frames)?;
        if self.eager {
            self.value(right, frames)?;
        }
        // What the left side decides alone: the right side may be too large to be looked at.
        match (op, &a) {
            (B::And, Thing::Truth(false)) | (B::Or, Thing::Truth(true)) => return Ok(a),
            (B::Coalesce, a) if *a != Thing::Null => return Ok(a.clone()),
            _ => {}
        }
        let b = self.value(right, frames)?;
        let truth = |value: Option<bool>| value.map_or(Thing::Null, Thing::Truth);
        Ok(match op {
            B::Coalesce => b,
            B::Equal => Thing::Truth(a == b),
            B::NotEqual => Thing::Truth(a != b),
            B::And if b == Thing::Truth(false) => Thing::Truth(false),
            B::Or if b == Thing::Truth(true) => Thing::Truth(true),
            _ if a == Thing::Null || b == Thing::Null => Thing::Null,
            B::And | B::Or => b,
            B::Less => truth(order(&a, &b)?.map(Ordering::is_lt)),
            B::LessEqual => truth(order(&a, &b)?.map(Ordering::is_le)),
            B::Greater => truth(order(&a, &b)?.map(Ordering::is_gt)),
            B::GreaterEqual => truth(order(&a, &b)?.map(Ordering::is_ge)),
            _ => self.arithmetic(op, a, b)?,
        })
    }

    fn arithmetic(&self, op: BinaryOp, a: Thing, b: Thing) -> Found {
        use BinaryOp as B;
        match (op, a, b) {
            (B::Add, Thing::Text(a), Thing::Text(b)) => Ok(Thing::Text(a + b.as_str())),
            (B::Divide | B::Modulo, _, Thing::Number(Ratio { above: 0, .. })) => Ok(Thing::Null),
            (op, Thing::Number(a), Thing::Number(b)) => small(match op {
                B::Add => a.plus(b),
                B::Subtract => a.plus(b.negative()),
                B::Multiply => a.times(b),
                B::Divide => a.over(b).and_then(|quotient| quotient.rounded(12)),
                _ => a.over(b).and_then(|quotient| a.plus(b.times(Ratio::whole(quotient.floor()))?.negative())),
            }),
            (B::Subtract, a, Thing::Span(months, days, milliseconds)) => {
                Ok(self.later(a, -months, -days, -milliseconds))
            }
            (_, a, Thing::Span(months, days, milliseconds)) => Ok(self.later(a, months, days, milliseconds)),
            (op, a, b) => panic!("{op:?} of {a:?} and {b:?}"),
        }
    }

    /// Months, then days on the local clock, then elapsed time.
    fn later(&self, from: Thing, months: i64, days: i64, milliseconds: i64) -> Thing {
        match from {
            Thing::Day(day) => Thing::Day(add_months(day, months) + days + (milliseconds * 1_000).div_euclid(DAY)),
            Thing::Moment(at) if (months, days) == (0, 0) => Thing::Moment(at + milliseconds * 1_000),
            Thing::Moment(at) => {
                let local = to_local(at, self.world.zone);
                let day = add_months(local.div_euclid(DAY), months) + days;
                let at = from_local(day * DAY + local.rem_euclid(DAY), self.world.zone);
                Thing::Moment(at + milliseconds * 1_000)
            }
            Thing::Span(a, b, c) => Thing::Span(a + months, b + days, c + milliseconds),
            other => other,
        }
    }

    fn local_day(&self, at: i64) -> i64 {
        to_local(at, self.world.zone).div_euclid(DAY)
    }

    fn call(&self, name: &str, arguments: &[Node], frames: &[Frame<'w>]) -> Found {
        if let Some(rows) = arguments.first().and_then(|rows| self.rows(rows, frames)) {
            return self.over_rows(name, rows?, &arguments[1..], frames);
        }
        if self.eager {
            self.all(arguments, frames)?;
        }
        if name == "when" {
            let mut rest = arguments;
            while let [condition, value, more @ ..] = rest {
                if self.value(condition, frames)?.is_true() {
                    return self.value(value, frames);
                }
                rest = more;
            }
            return rest.first().map_or(Ok(Thing::Null), |otherwise| self.value(otherwise, frames));
        }
        if name == "coalesce" {
            for argument in arguments {
                let found = self.value(argument, frames)?;
                if found != Thing::Null {
                    return Ok(found);
                }
            }
            return Ok(Thing::Null);
        }
        let values = self.all(arguments, frames)?;
        if name == "min" || name == "max" {
            return best(name, values);
        }
        if values.contains(&Thing::Null) {
            return Ok(Thing::Null);
        }
        self.scalar(name, &values)
    }

    /// The rows a node names or chooses; nothing where it is a value.
    fn rows(&self, node: &Node, frames: &[Frame<'w>]) -> Option<Result<Vec<Frame<'w>>, TooLarge>> {
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

    fn over_rows(&self, name: &str, rows: Vec<Frame<'w>>, more: &[Node], frames: &[Frame<'w>]) -> Found {
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
                let Kind::Text(between) = &more[1].kind else { panic!("not generated: {more:?}") };
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

    fn scalar(&self, name: &str, values: &[Thing]) -> Found {
        use Thing::{Day, Id, Moment, Number, Span, Text, Truth};
        let whole = |number: i128| Ok(Number(Ratio::whole(number)));
        let zone = self.world.zone;
        match (name, values) {
            ("has_role", [Text(role)]) => Ok(Truth(role == "clerk")),
            ("len", [Text(text)]) => whole(text.chars().count() as i128),
            ("upper", [Text(text)]) => Ok(Text(text.chars().flat_map(char::to_uppercase).collect())),
            ("matches", [Text(text), Text(pattern)]) => Ok(Truth(match pattern.strip_prefix('^') {
                Some(start) => text.find(start) == Some(0),
                None => text.matches(pattern.as_str()).count() > 0,
            })),
            ("lower", [Text(text)]) => Ok(Text(text.to_lowercase())),
            ("trim", [Text(text)]) => Ok(Text(text.trim_matches(char::is_whitespace).to_owned())),
            ("contains", [Text(text), Text(part)]) => Ok(Truth(text.find(part.as_str()).is_some())),
            ("starts_with", [Text(text), Text(start)]) => Ok(Truth(text.bytes().take(start.len()).eq(start.bytes()))),
            ("ends_with", [Text(text), Text(end)]) => Ok(Truth(text.strip_suffix(end.as_str()).is_some())),
            ("replace", [Text(text), Text(from), Text(_)]) if from.is_empty() => Ok(Text(text.clone())),
            ("replace", [Text(text), Text(from), Text(to)]) => {
                Ok(Text(text.split(from.as_str()).collect::<Vec<_>>().join(to)))
            }
            ("substr", [Text(text), Number(from), Number(count)]) => Ok(Text(part(text, from.above, count.above))),
            ("last", [Text(text), Number(count)]) => {
                Ok(Text(part(text, text.chars().count() as i128 - count.above, count.above)))
            }
            ("text", [Text(text)]) => Ok(Text(text.clone())),
            ("text", [Truth(value)]) => Ok(Text(value.to_string())),
            ("text", [Number(number)]) => number.digits().map(Text).ok_or(TooLarge),
            ("text", [Day(day)]) => {
                let (year, month, day) = civil_of(*day);
                Ok(Text(format!("{year:04}-{month:02}-{day:02}")))
            }
            ("text", [Id(id)]) => Ok(Text(format!("{id:x}"))),
            ("number", [Text(text)]) => match Ratio::parse(text.trim()) {
                Some(number) => small(number.rounded(12)),
                None => Ok(Thing::Null),
            },
            ("abs", [Number(number)]) if number.above < 0 => small(Some(number.negative())),
            ("abs", [Number(number)]) => Ok(Number(*number)),
            ("round", [Number(number)]) => small(number.rounded(0)),
            ("round", [Number(number), Number(places)]) => small(number.rounded(places.above as u32)),
            ("floor", [Number(number)]) => whole(number.floor()),
            ("ceil", [Number(number)]) => whole(-number.negative().floor()),
            ("clamp", [x, low, high]) => {
                let x = if order(x, high)?.is_some_and(Ordering::is_gt) { high } else { x };
                Ok(if order(x, low)?.is_some_and(Ordering::is_lt) { low } else { x }.clone())
            }
            ("date", [Moment(at)]) => Ok(Day(self.local_day(*at))),
            ("date", [Text(text)]) => Ok(day_written(text.trim()).map_or(Thing::Null, Day)),
            ("datetime", [Text(text)]) => {
                Ok(Thing::of(&Value::DateTime(text.parse().unwrap_or_else(|_| panic!("not generated: {text}")))))
            }
            ("days", [Number(n)]) => Ok(Span(0, n.above as i64, 0)),
            ("months", [Number(n)]) => Ok(Span(n.above as i64, 0, 0)),
            ("hours", [Number(n)]) => Ok(Span(0, 0, n.above as i64 * 3_600_000)),
            ("minutes", [Number(n)]) => Ok(Span(0, 0, n.above as i64 * 60_000)),
            ("date_add", [from, Span(months, days, milliseconds)]) => {
                Ok(self.later(from.clone(), *months, *days, *milliseconds))
            }
            ("start_of", [Text(unit), Day(day)]) => Ok(Day(start(unit, *day))),
            // Within the hour nothing is looked up: what the local clock shows beyond it is taken off.
            ("start_of", [Text(unit), Moment(at)]) if unit == "minute" || unit == "hour" => {
                let length = if unit == "hour" { 3_600_000_000 } else { 60_000_000 };
                Ok(Moment(at - to_local(*at, zone).rem_euclid(length)))
            }
            ("start_of", [Text(unit), Moment(at)]) => {
                Ok(Moment(from_local(start(unit, self.local_day(*at)) * DAY, zone)))
            }
            ("weekday", [Day(day)]) => whole(i128::from(weekday(*day))),
            ("weekday", [Moment(at)]) => whole(i128::from(weekday(self.local_day(*at)))),
            ("local_date", [Moment(at), Text(zone)]) => {
                let zone = zone.parse().unwrap_or(chrono_tz::Tz::UTC);
                Ok(Day(to_local(*at, zone).div_euclid(DAY)))
            }
            ("days_between", [Day(a), Day(b)]) => whole(i128::from(b - a)),
            ("hours_between", [Moment(a), Moment(b)]) => {
                small(Ratio::new(i128::from(b - a), 3_600_000_000).and_then(|hours| hours.rounded(12)))
            }
            ("years_between", [Day(a), Day(b)]) => {
                let (early, late, sign) = if a <= b { (*a, *b, 1) } else { (*b, *a, -1) };
                let years = (1..).take_while(|years| add_months(early, years * 12) <= late).count();
                whole(sign * years as i128)
            }
            (name, values) => panic!("not generated: {name} of {values:?}"),
        }
    }
}

/// The words of `a.b.c`.
fn words(node: &Node) -> Vec<&str> {
    match &node.kind {
        Kind::Name(name) => vec![name],
        Kind::Member(base, word) => {
            let mut found = words(base);
            found.push(&word.text);
            found
        }
        other => panic!("not generated: {other:?}"),
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

/// A number the engine must hold exactly; larger ones are left out of the comparison.
fn small(number: Option<Ratio>) -> Found {
    let number = number.ok_or(TooLarge)?;
    let fits = number.floor().unsigned_abs() < 10_u128.pow(12) && number.below <= 10_i128.pow(14);
    if fits { Ok(Thing::Number(number)) } else { Err(TooLarge) }
}

fn order(a: &Thing, b: &Thing) -> Result<Option<Ordering>, TooLarge> {
    Ok(match (a, b) {
        (Thing::Number(a), Thing::Number(b)) => Some(a.order(*b).ok_or(TooLarge)?),
        // By code point.
        (Thing::Text(a), Thing::Text(b)) => Some(a.chars().cmp(b.chars())),
        (Thing::Day(a), Thing::Day(b)) | (Thing::Moment(a), Thing::Moment(b)) => Some(a.cmp(b)),
        _ => None,
    })
}

/// The least or greatest that is not null.
fn best(name: &str, values: Vec<Thing>) -> Found {
    let wanted = if name == "min" { Ordering::Less } else { Ordering::Greater };
    let mut best = Thing::Null;
    for value in values {
        if value != Thing::Null && (best == Thing::Null || order(&value, &best)? == Some(wanted)) {
            best = value;
        }
    }
    Ok(best)
}

fn part(text: &str, from: i128, count: i128) -> String {
    let inside = |place: i128| place >= from && place - from < count;
    text.chars().enumerate().filter(|(place, _)| inside(*place as i128)).map(|(_, letter)| letter).collect()
}

fn start(unit: &str, day: i64) -> i64 {
    let (year, month, _) = civil_of(day);
    match unit {
        "week" => day - (weekday(day) - 1),
        "month" => day_of(year, month, 1),
        "quarter" => day_of(year, month - (month - 1) % 3, 1),
        "year" => day_of(year, 1, 1),
        _ => day,
    }
}

fn day_written(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    if [year.len(), month.len(), day.len()] != [4, 2, 2] || !text.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let exists = (1..=12).contains(&month) && day >= 1 && day <= month_length(year, month);
    exists.then(|| day_of(year, month, day))
}
