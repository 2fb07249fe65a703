//! Types of expressions and of fields.

use std::fmt;
use std::sync::Arc;

use crate::Key;

/// The static type of an expression or a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// The literal `null`; agrees with every type.
    Null,
    /// Text of any kind (also long text, e-mail, phone and series).
    Text,
    /// A checked 64-bit integer.
    Integer,
    /// An exact decimal with this many places where it is stored.
    Decimal {
        /// Places after the point.
        scale: u8,
    },
    /// An amount in the pack's currency, two places.
    Money,
    /// True or false.
    Boolean,
    /// A civil date.
    Date,
    /// An instant.
    DateTime,
    /// Months, days, milliseconds.
    Duration,
    /// One of these keys; compared with keys only, and those are checked.
    Choice(Arc<[Key]>),
    /// A link to a record of this form.
    Link(Key),
    /// A user.
    User,
    /// A queue of the pack.
    Queue,
    /// A list of scalars (`user.roles`, a list literal).
    List(Box<Type>),
    /// Rows: a child table, or records found by a backlink. Only list functions take them.
    Rows(TableRef),
}

/// A table that expressions can stand in: a form, or a child table of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableRef {
    /// The form.
    pub form: Key,
    /// The child table's field in it, if this is a child table.
    pub table: Option<Key>,
}

impl TableRef {
    /// The form itself.
    pub fn form(form: &Key) -> Self {
        Self { form: form.clone(), table: None }
    }
}

impl Type {
    /// Whether arithmetic is defined on it.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Type::Integer | Type::Decimal { .. } | Type::Money)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Null => write!(f, "null"),
            Type::Text => write!(f, "text"),
            Type::Integer => write!(f, "integer"),
            Type::Decimal { .. } => write!(f, "decimal"),
            Type::Money => write!(f, "money"),
            Type::Boolean => write!(f, "boolean"),
            Type::Date => write!(f, "date"),
            Type::DateTime => write!(f, "datetime"),
            Type::Duration => write!(f, "duration"),
            Type::Choice(_) => write!(f, "choice"),
            Type::Link(form) => write!(f, "link to `{form}`"),
            Type::User => write!(f, "user"),
            Type::Queue => write!(f, "queue"),
            Type::List(of) => write!(f, "list of {of}"),
            Type::Rows(table) => match &table.table {
                Some(field) => write!(f, "rows of `{}.{field}`", table.form),
                None => write!(f, "records of `{}`", table.form),
            },
        }
    }
}
