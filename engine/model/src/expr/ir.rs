//! The typed intermediate form of an expression: what the checker makes and every back end reads.

use super::types::{TableRef, Type};
use crate::Key;
use crate::value::Value;

/// A checked expression: its author's text, its type and its IR.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// The text the author wrote.
    pub source: String,
    /// The type of the result.
    pub ty: Type,
    /// The checked tree.
    pub ir: Ir,
}

/// A node of the typed tree. Names are resolved; numeric literals have the type of the other side.
#[derive(Debug, Clone, PartialEq)]
pub enum Ir {
    /// A constant.
    Literal(Value),
    /// A field of a row in scope, reached over to-one links: `customer.tier` is one hop and the field `tier`.
    Field(FieldPath),
    /// A name that is no field: `now`, `user.id`, `vars.x`, `step.route.queue`.
    Name(Name),
    /// `not a` or `-a`.
    Unary(UnaryOp, Box<Ir>),
    /// `a op b`; arithmetic, comparison, `and`, `or`, `??`.
    Binary(BinaryOp, Box<Ir>, Box<Ir>),
    /// `a in [b, c]` with the members written out; null-safe.
    In(Box<Ir>, Vec<Ir>),
    /// `a in user.queues`: membership in a list value; null-safe.
    InList(Box<Ir>, Box<Ir>),
    /// A list written out.
    List(Vec<Ir>),
    /// A scalar function of the closed list.
    Call(Function, Vec<Ir>),
    /// A function over rows: `sum(items, claimed)`. `each` is evaluated with the row as frame 0.
    Fold(Fold, Rows, Option<Box<Ir>>),
}

/// A field of a row in scope.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPath {
    /// Where the path starts.
    pub root: Root,
    /// Links followed before the last field; each is a link field of the table reached so far.
    pub hops: Vec<FieldRef>,
    /// The field read.
    pub field: FieldRef,
    /// Its type.
    pub ty: Type,
}

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// A row in scope: 0 is the innermost (the row of a list function, `it`, or the record itself), 1 the one around it.
    Frame(u8),
    /// The stored values of the record, before this change; null when it is being created.
    Old,
}

/// A field in its table: a declared one by its position, or one every record has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldRef {
    /// The table.
    pub table: TableRef,
    /// The field's key.
    pub key: Key,
    /// Its place.
    pub slot: Slot,
}

/// The place of a field's value in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Index into the record's values.
    Field(usize),
    /// The record's id.
    Id,
    /// The record's version, counted from 1.
    Version,
    /// When it was created.
    CreatedAt,
    /// Who created it.
    CreatedBy,
    /// When it was last changed.
    UpdatedAt,
    /// Who changed it last.
    UpdatedBy,
}

/// Names that are no field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// The instant of the stimulus.
    Now,
    /// The date of [`Name::Now`] in the pack's zone.
    Today,
    /// The acting user's id; null for the public and the system.
    UserId,
    /// The acting user's role keys.
    UserRoles,
    /// The queues the acting user serves.
    UserQueues,
    /// The team the acting user is a member of; null where they are of none.
    UserTeam,
    /// The teams the acting user leads.
    UserLeads,
    /// `settings.x`.
    Setting(Key),
    /// `vars.x` of a workflow.
    Var(Key),
    /// `instance.x`.
    Instance(InstanceAttribute),
    /// `step.handle.actor`.
    Step(Key, StepAttribute),
    /// `step.route.queue`: a declared output of a decision, script or user step.
    Output(Key, Key),
    /// `event.x`: what a message carries.
    Event(Key),
    /// An input of the decision, by name (in outputs), or a metric (in formulas).
    Input(Key),
    /// `?` in a decision cell.
    Cell,
    /// `row.name` of an import: the text in that column, null when empty.
    Column(String),
    /// `i` of a demo recipe: the number of the row, from 0.
    Index,
    /// `as_of` of a demo recipe, an instant.
    AsOf,
}

/// What `instance.x` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceAttribute {
    /// The instance's id.
    Id,
    /// Its start key.
    Key,
    /// When it started.
    StartedAt,
    /// Who started it.
    StartedBy,
}

/// What `step.<id>.x` can name beside the step's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepAttribute {
    /// Whether a token is on the step.
    Active,
    /// How often it was entered.
    Count,
    /// When it was entered last.
    EnteredAt,
    /// When it was left last.
    LeftAt,
    /// The outcome or event chosen last.
    Outcome,
    /// Who completed it last.
    Actor,
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// Three-valued negation.
    Not,
    /// Arithmetic negation.
    Negate,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// Three-valued and.
    And,
    /// Three-valued or.
    Or,
    /// Null-safe equality: never null.
    Equal,
    /// Null-safe inequality: never null.
    NotEqual,
    /// Less; null on null.
    Less,
    /// Less or equal.
    LessEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterEqual,
    /// Sum; also text + text, datetime + duration, date + duration.
    Add,
    /// Difference; also datetime − duration.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient: decimal with 12 places; by zero null.
    Divide,
    /// Floor modulo; by zero null.
    Modulo,
    /// The left side, or the right one where it is null.
    Coalesce,
}

/// A function over rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// How many rows (for which `each` is true).
    Count,
    /// Sum of the non-null; 0 for none.
    Sum,
    /// Least non-null; null for none.
    Min,
    /// Greatest non-null; null for none.
    Max,
    /// Mean of the non-null; null for none.
    Avg,
    /// Whether `each` is true for some row.
    Any,
    /// Whether `each` is true for every row.
    All,
    /// The middle of the non-null, the mean of the two middle ones where there are two; null for none.
    Median,
    /// The value of the first row; null for none.
    First,
    /// The texts that are not null, joined; `each` is a list of the text and of what goes between.
    Join,
    /// The value in the only row; null for none, an error for more than one.
    Only,
    /// The value in each row, as a list.
    List,
}

/// The rows a fold runs over.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// A child table of the row in that frame.
    Table {
        /// The frame holding the record.
        frame: u8,
        /// The table field.
        field: FieldRef,
    },
    /// Records of another form whose link points to the record in that frame. They need loading.
    Backlink {
        /// The frame holding the record.
        frame: u8,
        /// The link field of the other form.
        link: FieldRef,
    },
    /// The records of a form for which the condition holds, evaluated with the record as frame 0. They need loading.
    Found {
        /// The id of the form's records, which stands for the form.
        id: FieldRef,
        /// The condition: what it reads of the record lowers to SQL.
        condition: Box<Ir>,
    },
    /// `filter(rows, condition)`: those for which the condition, evaluated in the row, is true.
    Filtered(Box<Rows>, Box<Ir>),
    /// `take(rows, n, order)`: the first so many by the value of `order` in the row, null last.
    Taken(Box<Rows>, u32, Box<Ir>),
}

impl Rows {
    /// The table, backlink or form that the rows come from.
    pub fn origin(&self) -> &Rows {
        match self {
            Rows::Table { .. } | Rows::Backlink { .. } | Rows::Found { .. } => self,
            Rows::Filtered(rows, _) | Rows::Taken(rows, ..) => rows.origin(),
        }
    }

    /// The field that holds the rows, the link field of the form they are records of, or the id of that form.
    pub fn field(&self) -> &FieldRef {
        match self {
            Rows::Table { field, .. } | Rows::Backlink { link: field, .. } | Rows::Found { id: field, .. } => field,
            Rows::Filtered(rows, _) | Rows::Taken(rows, ..) => rows.field(),
        }
    }

    /// What is evaluated in each row to choose them.
    pub fn each(&self, visit: &mut dyn FnMut(&Ir)) {
        match self {
            Rows::Table { .. } | Rows::Backlink { .. } => {}
            Rows::Found { condition, .. } => visit(condition),
            Rows::Filtered(rows, each) | Rows::Taken(rows, _, each) => {
                rows.each(visit);
                visit(each);
            }
        }
    }

    /// The same rows, chosen by other expressions.
    pub fn map<'a, E>(&'a self, change: &mut dyn FnMut(&'a Ir) -> Result<Ir, E>) -> Result<Rows, E> {
        Ok(match self {
            Rows::Table { .. } | Rows::Backlink { .. } => self.clone(),
            Rows::Found { id, condition } => Rows::Found { id: id.clone(), condition: Box::new(change(condition)?) },
            Rows::Filtered(rows, each) => Rows::Filtered(Box::new(rows.map(change)?), Box::new(change(each)?)),
            Rows::Taken(rows, count, each) => Rows::Taken(Box::new(rows.map(change)?), *count, Box::new(change(each)?)),
        })
    }
}

/// Scalar functions: the closed list of this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// `len(text)`: code points.
    Len,
    /// `lower(text)`.
    Lower,
    /// `upper(text)`.
    Upper,
    /// `trim(text)`: white space at both ends.
    Trim,
    /// `contains(text, part)`: literal.
    Contains,
    /// `starts_with(text, prefix)`.
    StartsWith,
    /// `ends_with(text, suffix)`.
    EndsWith,
    /// `matches(text, 'regex')`: the pattern is a literal.
    Matches,
    /// `replace(text, from, to)`: literal, all.
    Replace,
    /// `substr(text, from, count)`: from 0, code points.
    Substr,
    /// `last(text, n)`: the last n code points.
    Last,
    /// `text(x)`.
    Text,
    /// `number(text)`: decimal, null when it is none.
    Number,
    /// `abs(x)`.
    Abs,
    /// `round(x, n)`: half away from zero.
    Round,
    /// `floor(x)`: integer.
    Floor,
    /// `ceil(x)`: integer.
    Ceil,
    /// `min(a, b, …)` of scalars: the least non-null.
    Least,
    /// `max(a, b, …)` of scalars: the greatest non-null.
    Greatest,
    /// `clamp(x, low, high)`.
    Clamp,
    /// `date(text)` or `date(text, 'format')`: null when it is none.
    Date,
    /// `datetime(text)` or `datetime(text, 'format')`: null when it is none.
    Datetime,
    /// `days(n)`: a duration of civil days.
    Days,
    /// `hours(n)`.
    Hours,
    /// `minutes(n)`.
    Minutes,
    /// `months(n)`.
    Months,
    /// `date_add(d, duration)`.
    DateAdd,
    /// `start_of('month', t)`: of an instant (pack's zone) or a date.
    StartOf,
    /// `weekday(d)`: 1 Monday … 7 Sunday.
    Weekday,
    /// `local_date(t, 'zone')`.
    LocalDate,
    /// `days_between(a, b)` of dates: b − a.
    DaysBetween,
    /// `hours_between(a, b)` of instants: decimal, b − a.
    HoursBetween,
    /// `years_between(a, b)` of dates: whole years.
    YearsBetween,
    /// `business_time(a, b, 'calendar')`: a duration, how long the calendar is open from a to b.
    BusinessTime,
    /// `when(c1, v1, c2, v2, …, otherwise)`.
    When,
    /// `coalesce(a, b, …)`.
    Coalesce,
    /// `has_role('x')`.
    HasRole,
    /// `hash(text)`: SHA-256, hexadecimal.
    Hash,
    /// `bucket(text, n)`: 0 … n−1, from the first eight bytes of SHA-256.
    Bucket,
    /// `rng(n)`: demo recipes only; 0 … n−1, stable per seed, row and place.
    Rng,
    /// `ref('form', k)`: demo recipes only; the k-th generated record of a form.
    Ref,
    /// `pick(list, n)`: demo recipes only; element n modulo the length.
    Pick,
}
