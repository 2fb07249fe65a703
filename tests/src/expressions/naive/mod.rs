//! The naive evaluator: walks the author's tree by name, without types, IR or the engine's arithmetic.
//!
//! It is written from the text of the language definition, not from the code it checks. Where its fractions grow so
//! large that the engine may round or refuse, it gives up ([`TooLarge`]) and the case says nothing.

mod rows;
mod scalar;
mod sha256;

use std::cmp::Ordering;

use chrono::Datelike;
use formwork_core::Record;
use formwork_model::Value;
use formwork_model::expr::ast::{Kind, Node};
use formwork_model::expr::ir::{BinaryOp, UnaryOp};
use formwork_model::expr::parser::parse;
use formwork_model::value::Row;

use super::civil::{DAY, add_months, civil_of, day_of, from_local, to_local};
use super::fixture::{ITEM, PARTY, ROW, World};
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
    /// The party a look-up looks at: only `it` names it.
    It(&'w Record),
}

impl<'w> Frame<'w> {
    fn field(&self, name: &str) -> Thing {
        let (names, values): (&[&str], &[Value]) = match self {
            Frame::Record(names, record) => (names, &record.values),
            Frame::Row(row) => (&ROW, &row.values),
            Frame::It(party) => (&PARTY, &party.values),
        };
        if let Some(index) = names.iter().position(|known| *known == name) {
            return Thing::of(&values[index]);
        }
        let (Frame::Record(_, record) | Frame::It(record)) = self else { panic!("a row has no `{name}`") };
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
            ["it", rest @ ..] => {
                let it = frames.iter().rev().find(|frame| matches!(frame, Frame::It(_)));
                self.follow(rest, it.expect("a look-up around"))
            }
            words => {
                let mut named = frames.iter().rev().filter(|frame| !matches!(frame, Frame::It(_)));
                let (levels, rest) = match words {
                    ["outer", rest @ ..] => (1, rest),
                    words => (0, words),
                };
                self.follow(rest, named.nth(levels).expect("a row around"))
            }
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
            B::Equal => Thing::Truth(same(&a, &b)),
            B::NotEqual => Thing::Truth(!same(&a, &b)),
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
            (B::Divide, Thing::Span(a, b, c), Thing::Span(d, e, f)) => match length(d, e, f) {
                0 => Ok(Thing::Null),
                below => small(Ratio::new(length(a, b, c), below).and_then(|often| often.rounded(12))),
            },
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
        if name == "lookup" || name == "lookup_all" {
            let mut found = self.looked_up(arguments, frames)?;
            return Ok(match (name, found.len()) {
                ("lookup_all", _) => Thing::Many(found),
                (_, 0) => Thing::Null,
                (_, 1) => found.remove(0),
                _ => panic!("not generated: {found:?}"),
            });
        }
        if let Some(Kind::Call(inner, looked)) = arguments.first().map(|first| &first.kind)
            && inner.text == "lookup_all"
        {
            let found = self.looked_up(looked, frames)?;
            return match name {
                "count" => Ok(Thing::Number(Ratio::whole(found.len() as i128))),
                _ => rows::folded(name, found, arguments.get(1)),
            };
        }
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

/// A number the engine must hold exactly; larger ones are left out of the comparison.
fn small(number: Option<Ratio>) -> Found {
    let number = number.ok_or(TooLarge)?;
    let fits = number.floor().unsigned_abs() < 10_u128.pow(12) && number.below <= 10_i128.pow(14);
    if fits { Ok(Thing::Number(number)) } else { Err(TooLarge) }
}

/// How long a duration is, in milliseconds: a month has thirty days, a day twenty-four hours.
fn length(months: i64, days: i64, milliseconds: i64) -> i128 {
    let hours = (i128::from(months) * 30 + i128::from(days)) * 24;
    hours * 3_600_000 + i128::from(milliseconds)
}

fn same(a: &Thing, b: &Thing) -> bool {
    match (a, b) {
        (Thing::Span(a, b, c), Thing::Span(d, e, f)) => length(*a, *b, *c) == length(*d, *e, *f),
        _ => a == b,
    }
}

fn order(a: &Thing, b: &Thing) -> Result<Option<Ordering>, TooLarge> {
    Ok(match (a, b) {
        (Thing::Number(a), Thing::Number(b)) => Some(a.order(*b).ok_or(TooLarge)?),
        // By code point.
        (Thing::Text(a), Thing::Text(b)) => Some(a.chars().cmp(b.chars())),
        (Thing::Span(a, b, c), Thing::Span(d, e, f)) => Some(length(*a, *b, *c).cmp(&length(*d, *e, *f))),
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
