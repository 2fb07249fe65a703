//! What a decision table leaves out, which two rules claim the same case, and which rule none is left for.
//!
//! Every input is tried at a few telling values: each option of a choice, each queue, both booleans, each text a cell
//! names and one that none does, each limit that a cell names with a value on either side, and null where the input may
//! be null. Values that no cell tells apart count once. A table whose cells ask more than that is not examined, and that
//! is said.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::steps::StepOptions;
use crate::expr::ir::{BinaryOp, Fold, Name, Root, Slot, UnaryOp};
use crate::expr::{Ir, Type};
use crate::pack::decision::{Cell, Decision, Hit};
use crate::value::Value;

use super::context::Context;

/// Most combinations tried.
const COMBINATIONS_MAX: usize = 1_000_000;
/// Stands for every text that no cell names.
const OTHER_TEXT: &str = "anything else";

/// Examines a table; false where it cannot be examined (which is said).
pub(super) fn check(context: &Context<'_>, decision: &Decision, at: &At) -> bool {
    let mut search = match columns(context, decision) {
        Ok(columns) => Search::new(decision, columns),
        Err(why) => {
            not_examined(context, at, &why);
            return false;
        }
    };
    search.visit(&mut Vec::new(), &Rules::all(decision.rules.len()));
    if search.tried > COMBINATIONS_MAX {
        not_examined(context, at, "it has too many combinations");
        return false;
    }
    // A table of proposals may have nothing to propose.
    let may_be_silent = decision.hit == Hit::Collect || always_has_none(context, &decision.key);
    if let Some(case) = search.gap.filter(|_| !may_be_silent) {
        let hint = Some("add a rule whose cells are all `-`, or a `none` to the steps that use the table".to_owned());
        let message = format!("no rule matches {}", words(decision, &case));
        context.warning("FW0503", &at.key("rules"), message, hint);
    }
    if let Some((case, one, two)) = search.overlap {
        let (one, two) = (rule_key(decision, one), rule_key(decision, two));
        let message = format!("`{one}` and `{two}` both match {}", words(decision, &case));
        context.error_at_key("FW0504", &at.key("rules").key(two), message, None);
    }
    for index in 0..decision.rules.len() {
        if !search.reached.has(index) {
            let key = rule_key(decision, index);
            let hint = match decision.hit {
                Hit::First => "the rules before it match whatever it matches",
                Hit::Unique | Hit::Any | Hit::Collect => "its cells contradict what the inputs can be",
            };
            let message = format!("the rule `{key}` can never hit");
            context.error_at_key("FW0501", &at.key("rules").key(key), message, Some(hint.to_owned()));
        }
    }
    true
}

fn not_examined(context: &Context<'_>, at: &At, why: &str) {
    let hint = Some("prove it by cases: nobody looked for gaps and for rules that never hit".to_owned());
    context.warning("FW0505", &at.key("rules"), format!("the table is not examined: {why}"), hint);
}

fn rule_key(decision: &Decision, index: usize) -> &str {
    decision.rules.get_index(index).map_or("", |(key, _)| key)
}

/// Whether every step that uses the table goes on where no rule matches.
fn always_has_none(context: &Context<'_>, decision: &Key) -> bool {
    let workflows = context.documents.workflows.values();
    let steps = workflows.flat_map(|workflow| workflow.body.steps.values());
    let mut uses = steps.filter_map(|step| match &step.options {
        StepOptions::Decision(step) if *step.decision == **decision => Some(step.none.is_some()),
        _ => None,
    });
    uses.next() == Some(true) && uses.all(|has_none| has_none)
}

/// A set of rules by position.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Rules(Vec<u64>);

impl Rules {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn all(count: usize) -> Self {
        let mut all = Self::none(count);
        (0..count).for_each(|index| all.add(index));
        all
    }

    fn add(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn has(&self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }

    fn both(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 64).filter(|index| self.has(*index))
    }
}

/// Values of an input, each with the rules whose cell it satisfies.
type Column = Vec<(Value, Rules)>;

struct Search {
    hit: Hit,
    columns: Vec<Column>,
    tried: usize,
    gap: Option<Vec<Value>>,
    overlap: Option<(Vec<Value>, usize, usize)>,
    reached: Rules,
}

impl Search {
    fn new(decision: &Decision, columns: Vec<Column>) -> Self {
        let reached = Rules::none(decision.rules.len());
        Self { hit: decision.hit, columns, tried: 0, gap: None, overlap: None, reached }
    }

    /// Tries every value of the next input under those chosen; `left` are the rules that match them.
    fn visit(&mut self, chosen: &mut Vec<Value>, left: &Rules) {
        self.tried += 1;
        if self.tried > COMBINATIONS_MAX {
            return;
        }
        let mut hits = left.iter();
        let Some(first) = hits.next() else {
            if self.gap.is_none() {
                let rest = self.columns[chosen.len()..].iter().map(|column| column[0].0.clone());
                self.gap = Some(chosen.iter().cloned().chain(rest).collect());
            }
            return;
        };
        let Some(column) = self.columns.get(chosen.len()).cloned() else {
            self.reached.add(first);
            for other in hits.filter(|_| self.hit != Hit::First) {
                self.reached.add(other);
                if self.hit == Hit::Unique && self.overlap.is_none() {
                    self.overlap = Some((chosen.clone(), first, other));
                }
            }
            return;
        };
        for (value, rules) in &column {
            chosen.push(value.clone());
            self.visit(chosen, &left.both(rules));
            chosen.pop();
        }
    }
}

/// The telling values of every input; why an input has none.
fn columns(context: &Context<'_>, decision: &Decision) -> Result<Vec<Column>, String> {
    let mut columns = Vec::new();
    for (index, (key, input)) in decision.inputs.iter().enumerate() {
        let cells: Vec<&Cell> = decision.rules.values().filter_map(|rule| rule.cells.get(index)).collect();
        let mut values = if cells.iter().all(|cell| matches!(cell, Cell::Any)) {
            vec![Value::Null]
        } else {
            let values = samples(context, &input.ty, &constants(&cells));
            let mut values = values.ok_or_else(|| format!("`{key}` is {}", input.ty))?;
            if may_be_null(context, &decision.form, &input.ir) {
                values.push(Value::Null);
            }
            values
        };
        let mut column: Column = Vec::new();
        for value in values.drain(..) {
            let mut rules = Rules::none(decision.rules.len());
            for (rule, cell) in cells.iter().enumerate() {
                let matches = match cell {
                    Cell::Any => true,
                    Cell::Test(expr) => holds(&expr.ir, &value)
                        .ok_or_else(|| {
                            format!(
                                "the cell of `{}` for `{key}` is more than a comparison with constants",
                                rule_key(decision, rule)
                            )
                        })?
                        .unwrap_or(false),
                };
                if matches {
                    rules.add(rule);
                }
            }
            if !column.iter().any(|(_, known)| *known == rules) {
                column.push((value, rules));
            }
        }
        columns.push(column);
    }
    Ok(columns)
}

/// What the cells of an input compare it with.
fn constants(cells: &[&Cell]) -> Vec<Value> {
    let mut found = Vec::new();
    for cell in cells {
        if let Cell::Test(expr) = cell {
            expr.ir.walk(&mut |node| {
                if let Ir::Literal(value) = node
                    && !value.is_null()
                    && !found.contains(value)
                {
                    found.push(value.clone());
                }
            });
        }
    }
    found
}

/// Values to try; none for a type with too many kinds of them.
fn samples(context: &Context<'_>, ty: &Type, constants: &[Value]) -> Option<Vec<Value>> {
    let keys = |keys: &[Key]| keys.iter().map(|key| Value::Text(key.to_string())).collect();
    Some(match ty {
        Type::Choice(options) => keys(options),
        Type::Queue => keys(&context.shapes.queues),
        Type::Boolean => vec![Value::Boolean(false), Value::Boolean(true)],
        Type::Text => {
            let texts = constants.iter().filter(|value| value.as_text().is_some()).cloned();
            texts.chain([Value::Text(OTHER_TEXT.to_owned())]).collect()
        }
        Type::Link(_) | Type::User => vec![Value::Id(Uuid::nil())],
        Type::Date => {
            let day = TimeDelta::days(1);
            let dates: Vec<NaiveDate> = constants
                .iter()
                .filter_map(|value| match value {
                    Value::Date(date) => Some(*date),
                    _ => None,
                })
                .collect();
            around(dates, NaiveDate::default(), |date, steps| date + day * steps, |a, b| a + (b - a) / 2)
                .into_iter()
                .map(Value::Date)
                .collect()
        }
        Type::DateTime => {
            let second = TimeDelta::seconds(1);
            let instants: Vec<DateTime<Utc>> = constants.iter().filter_map(Value::as_datetime).collect();
            around(instants, DateTime::UNIX_EPOCH, |at, steps| at + second * steps, |a, b| a + (b - a) / 2)
                .into_iter()
                .map(Value::DateTime)
                .collect()
        }
        ty if ty.is_numeric() => {
            let numbers: Vec<Decimal> = constants.iter().filter_map(number).collect();
            around(numbers, Decimal::ZERO, |number, steps| number + Decimal::from(steps), |a, b| (a + b) / Decimal::TWO)
                .into_iter()
                .map(Value::Decimal)
                .collect()
        }
        _ => return None,
    })
}

/// Each limit, and a value below, between and above them; any value where there is no limit.
fn around<T: Ord + Copy>(
    mut limits: Vec<T>,
    any: T,
    step: impl Fn(T, i32) -> T,
    between: impl Fn(T, T) -> T,
) -> Vec<T> {
    limits.sort();
    limits.dedup();
    let (Some(first), Some(last)) = (limits.first().copied(), limits.last().copied()) else { return vec![any] };
    let mut values = vec![step(first, -1)];
    for pair in limits.windows(2) {
        values.extend([pair[0], between(pair[0], pair[1])]);
    }
    values.extend([last, step(last, 1)]);
    values
}

/// Whether an input may be null: not where a field must always hold a value, and not what counts or compares.
fn may_be_null(context: &Context<'_>, form: &Key, ir: &Ir) -> bool {
    match ir {
        Ir::Literal(value) => value.is_null(),
        Ir::Field(path) if path.hops.is_empty() && path.root == Root::Frame(0) => match path.field.slot {
            Slot::Field(_) => {
                let document = context.documents.forms.get(form);
                let field = document.and_then(|document| document.body.fields.get(&*path.field.key));
                field.is_none_or(|field| !field.common.required || field.common.visible_if.is_some())
            }
            Slot::CreatedBy | Slot::UpdatedBy => true,
            _ => false,
        },
        Ir::Fold(Fold::Count | Fold::Sum | Fold::Any | Fold::All, ..) | Ir::In(..) | Ir::InList(..) => false,
        Ir::Binary(BinaryOp::Equal | BinaryOp::NotEqual, ..) => false,
        Ir::Binary(BinaryOp::Coalesce, a, b) => may_be_null(context, form, a) && may_be_null(context, form, b),
        _ => true,
    }
}

/// Whether a condition over the cell is true, three-valued; nothing where it is more than is understood here.
fn holds(ir: &Ir, cell: &Value) -> Option<Option<bool>> {
    Some(match ir {
        Ir::Literal(Value::Boolean(flag)) => Some(*flag),
        Ir::Name(Name::Cell) => match cell {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        },
        Ir::Unary(UnaryOp::Not, inner) => holds(inner, cell)?.map(|value| !value),
        Ir::Binary(BinaryOp::And, a, b) => match (holds(a, cell)?, holds(b, cell)?) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Ir::Binary(BinaryOp::Or, a, b) => match (holds(a, cell)?, holds(b, cell)?) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Ir::Binary(op, a, b) => compare(*op, operand(a, cell)?, operand(b, cell)?)?,
        Ir::In(value, members) => {
            let value = operand(value, cell)?;
            let mut found = false;
            for member in members {
                found |= compare(BinaryOp::Equal, value, operand(member, cell)?)? == Some(true);
            }
            Some(found)
        }
        _ => return None,
    })
}

fn operand<'a>(ir: &'a Ir, cell: &'a Value) -> Option<&'a Value> {
    match ir {
        Ir::Literal(value) => Some(value),
        Ir::Name(Name::Cell) => Some(cell),
        _ => None,
    }
}

fn compare(op: BinaryOp, a: &Value, b: &Value) -> Option<Option<bool>> {
    let accept: fn(Ordering) -> bool = match op {
        BinaryOp::Equal => return Some(Some(a.is_same(b))),
        BinaryOp::NotEqual => return Some(Some(!a.is_same(b))),
        BinaryOp::Less => Ordering::is_lt,
        BinaryOp::LessEqual => Ordering::is_le,
        BinaryOp::Greater => Ordering::is_gt,
        BinaryOp::GreaterEqual => Ordering::is_ge,
        _ => return None,
    };
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Some(None),
        // One text stands for all others: whether it comes before or after says nothing of them.
        (Value::Text(_), Value::Text(_)) => None,
        _ => a.order(b).map(|order| Some(accept(order))),
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(whole) => Some(Decimal::from(*whole)),
        Value::Decimal(exact) => Some(*exact),
        _ => None,
    }
}

/// `category = 'late', amount = 4`, inputs nobody tests left out.
fn words(decision: &Decision, case: &[Value]) -> String {
    let mut parts = Vec::new();
    for (index, (key, value)) in decision.inputs.keys().zip(case).enumerate() {
        if decision.rules.values().all(|rule| matches!(rule.cells.get(index), Some(Cell::Any))) {
            continue;
        }
        parts.push(match value {
            Value::Null => format!("{key} = null"),
            Value::Text(text) if text == OTHER_TEXT => format!("{key} = {OTHER_TEXT}"),
            Value::Text(text) => format!("{key} = '{text}'"),
            Value::Boolean(flag) => format!("{key} = {flag}"),
            Value::Decimal(exact) => format!("{key} = {}", exact.normalize()),
            Value::Date(date) => format!("{key} = {date}"),
            Value::DateTime(at) => format!("{key} = {}", at.to_rfc3339()),
            _ => format!("{key} = something"),
        });
    }
    if parts.is_empty() { "anything".to_owned() } else { parts.join(", ") }
}
