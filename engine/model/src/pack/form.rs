//! Checked forms.

use indexmap::IndexMap;
use rust_decimal::Decimal;

use super::Setting;
use super::public::{Public, Track};
use crate::expr::bounds::of_limits;
use crate::expr::ir::Slot;
use crate::expr::{Expr, Type};
use crate::{Key, Text};

/// A checked form: a table with its fields, rules, access, views and layout.
#[derive(Debug, Clone)]
pub struct Form {
    /// The form's key.
    pub key: Key,
    /// Ordinary records, or entries that are only added.
    pub kind: FormKind,
    /// Shown to people.
    pub label: Text,
    /// The title of a record, over its fields; the id where absent.
    pub title: Option<Expr>,
    /// Keys this form had before.
    pub was: Vec<Key>,
    /// The fields, in the order of the file; a record's values stand in this order.
    pub fields: Vec<Field>,
    /// The fields that name a record in files and URLs, unique together.
    pub natural_key: Vec<usize>,
    /// Rules over the whole record.
    pub rules: IndexMap<Key, Rule>,
    /// What must be unique.
    pub uniques: IndexMap<Key, Unique>,
    /// Indexes asked for.
    pub indexes: Vec<Vec<SortKey>>,
    /// By role. A role that is not there may do nothing.
    pub access: IndexMap<Key, Access>,
    /// Saved ways to look at the records.
    pub views: IndexMap<Key, View>,
    /// Sections of the page; one section with all fields where the author gave none.
    pub layout: IndexMap<Key, Section>,
    /// Pages for people who are not logged in.
    pub public: Option<Public>,
    /// The order in which derived values are computed: each after those it reads. Positions in `fields` of computed
    /// fields, of lookups, and of tables whose rows have computed fields (then in the table's own `compute_order`).
    pub compute_order: Vec<usize>,
}

impl Form {
    /// The position and the field of that key.
    pub fn field(&self, key: &str) -> Option<(usize, &Field)> {
        self.fields.iter().enumerate().find(|(_, field)| &*field.key == key)
    }

    /// How its records are followed by people who are not logged in; none where they are not.
    pub fn track(&self) -> Option<&Track> {
        self.public.as_ref()?.track.as_ref()
    }
}

/// What kind of form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormKind {
    /// Ordinary records.
    Table,
    /// Entries that are only added: none is ever changed or deleted.
    Log,
}

/// A checked field.
#[derive(Debug, Clone)]
pub struct Field {
    /// The field's key.
    pub key: Key,
    /// Shown to people; the key where the author gave none.
    pub label: Text,
    /// A sentence of help.
    pub help: Option<Text>,
    /// What the field holds, with the limits of its type.
    pub kind: FieldKind,
    /// Must hold a value whenever it is visible.
    pub required: bool,
    /// Must hold a value whenever it is visible and this is true.
    pub required_if: Option<Expr>,
    /// Hidden unless this is true. A hidden field is never validated.
    pub visible_if: Option<Expr>,
    /// Never written by people.
    pub read_only: bool,
    /// Not written by people while this is true.
    pub read_only_if: Option<Expr>,
    /// What happens to the value while the field is hidden.
    pub when_hidden: WhenHidden,
    /// The value of a new record.
    pub default: Option<Setting>,
    /// The value follows from others; never accepted from outside.
    pub compute: Option<Compute>,
    /// Tags that `access` may name as `#tag`.
    pub tags: Vec<Key>,
    /// How the value is shown at level `mask`.
    pub mask: Mask,
    /// Keys this field had before.
    pub was: Vec<Key>,
}

impl Field {
    /// The type of the field in expressions.
    pub fn ty(&self) -> &Type {
        self.kind.ty()
    }

    /// Whether the value is stored in a column of its own (or, for a child table, in a table of its own).
    pub fn is_stored(&self) -> bool {
        match &self.kind {
            FieldKind::Backlink { .. } => false,
            FieldKind::Lookup { snapshot, .. } => *snapshot != Snapshot::Live,
            _ => self.compute.as_ref().is_none_or(|compute| compute.stored),
        }
    }

    /// For a number: no value is greater, in units of its last place; none where its limits do not say.
    pub fn bound(&self) -> Option<i128> {
        match &self.kind {
            _ if self.compute.is_some() => None,
            FieldKind::Integer { min, max } => of_limits(min.map(Into::into), max.map(Into::into), 0),
            FieldKind::Decimal { ty: Type::Decimal { scale }, min, max } => of_limits(*min, *max, *scale),
            FieldKind::Money { min, max } => of_limits(*min, *max, 2),
            _ => None,
        }
    }

    /// Whether people never write it: computed, looked up, numbered or a backlink.
    pub fn is_derived(&self) -> bool {
        self.compute.is_some()
            || matches!(self.kind, FieldKind::Lookup { .. } | FieldKind::Series { .. } | FieldKind::Backlink { .. })
    }
}

/// A computed value.
#[derive(Debug, Clone)]
pub struct Compute {
    /// The expression.
    pub expr: Expr,
    /// Computed on save and stored in a column; otherwise on reading.
    pub stored: bool,
}

/// What a field holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FieldKind {
    /// One line of text.
    Text {
        /// Most code points.
        max: u32,
        /// A regular expression the whole text must match.
        pattern: Option<String>,
    },
    /// Text of several lines.
    LongText {
        /// Most code points.
        max: u32,
    },
    /// A whole number.
    Integer {
        /// Least value.
        min: Option<i64>,
        /// Greatest value.
        max: Option<i64>,
    },
    /// An exact decimal.
    Decimal {
        /// The type, with its scale.
        ty: Type,
        /// Least value.
        min: Option<Decimal>,
        /// Greatest value.
        max: Option<Decimal>,
    },
    /// An amount in the pack's currency, two places.
    Money {
        /// Least value.
        min: Option<Decimal>,
        /// Greatest value.
        max: Option<Decimal>,
    },
    /// True or false.
    Boolean,
    /// A civil date.
    Date,
    /// An instant.
    DateTime,
    /// One of the options.
    Choice {
        /// The type, with the keys.
        ty: Type,
        /// The options in order.
        options: IndexMap<Key, ChoiceOption>,
        /// What each option may change into; any into any where absent, none where an option is not named.
        transitions: Option<IndexMap<Key, Vec<Key>>>,
    },
    /// A record of another form.
    Link {
        /// The type, with the form.
        ty: Type,
        /// Which records may be chosen: frame 0 is the candidate (`it`), frame 1 the record.
        filter: Option<Expr>,
        /// What happens when the other record is deleted.
        on_delete: OnDelete,
    },
    /// A field of the linked record.
    Lookup {
        /// The type of the field looked up.
        ty: Type,
        /// Position of the link field.
        via: usize,
        /// Key of the field in the linked form.
        field: Key,
        /// When the value is taken.
        snapshot: Snapshot,
    },
    /// Child rows.
    Table {
        /// The type, naming the child table.
        ty: Type,
        /// The fields of a row.
        fields: Vec<Field>,
        /// Most rows.
        max_rows: u32,
        /// What must be unique among the rows of one record: key → positions.
        uniques: IndexMap<Key, Vec<usize>>,
        /// The order in which the computed fields of a row are computed. Positions in `fields`.
        compute_order: Vec<usize>,
    },
    /// Records of another form that link here. Shown and counted, never written.
    Backlink {
        /// The type, naming the other form.
        ty: Type,
        /// The other form's link field.
        link: Key,
    },
    /// An e-mail address, stored in lower case.
    Email,
    /// A phone number, stored in E.164.
    Phone {
        /// ISO 3166 region of numbers written without a country code.
        region: String,
    },
    /// A running number.
    Series {
        /// Its parts.
        pattern: Vec<SeriesPart>,
        /// When counting starts again.
        reset: SeriesReset,
    },
    /// A queue of the pack.
    Queue,
    /// A user.
    User,
}

impl FieldKind {
    /// The type in expressions.
    pub fn ty(&self) -> &Type {
        match self {
            FieldKind::Text { .. }
            | FieldKind::LongText { .. }
            | FieldKind::Email
            | FieldKind::Phone { .. }
            | FieldKind::Series { .. } => &Type::Text,
            FieldKind::Integer { .. } => &Type::Integer,
            FieldKind::Decimal { ty, .. }
            | FieldKind::Choice { ty, .. }
            | FieldKind::Link { ty, .. }
            | FieldKind::Lookup { ty, .. }
            | FieldKind::Table { ty, .. }
            | FieldKind::Backlink { ty, .. } => ty,
            FieldKind::Money { .. } => &Type::Money,
            FieldKind::Boolean => &Type::Boolean,
            FieldKind::Date => &Type::Date,
            FieldKind::DateTime => &Type::DateTime,
            FieldKind::Queue => &Type::Queue,
            FieldKind::User => &Type::User,
        }
    }

    /// The word of the definition language: `text`, `long_text`, `integer` …
    pub fn name(&self) -> &'static str {
        match self {
            FieldKind::Text { .. } => "text",
            FieldKind::LongText { .. } => "long_text",
            FieldKind::Integer { .. } => "integer",
            FieldKind::Decimal { .. } => "decimal",
            FieldKind::Money { .. } => "money",
            FieldKind::Boolean => "boolean",
            FieldKind::Date => "date",
            FieldKind::DateTime => "datetime",
            FieldKind::Choice { .. } => "choice",
            FieldKind::Link { .. } => "link",
            FieldKind::Lookup { .. } => "lookup",
            FieldKind::Table { .. } => "table",
            FieldKind::Backlink { .. } => "backlink",
            FieldKind::Email => "email",
            FieldKind::Phone { .. } => "phone",
            FieldKind::Series { .. } => "series",
            FieldKind::Queue => "queue",
            FieldKind::User => "user",
        }
    }

    /// The fields of a row, for a child table.
    pub fn rows(&self) -> &[Field] {
        match self {
            FieldKind::Table { fields, .. } => fields,
            _ => &[],
        }
    }
}

/// An option of a choice.
#[derive(Debug, Clone)]
pub struct ChoiceOption {
    /// Shown to people.
    pub label: Text,
    /// Keys this option had before.
    pub was: Vec<Key>,
}

/// What happens to a hidden field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenHidden {
    /// It becomes null.
    Clear,
    /// It stays.
    Keep,
}

/// What deleting a record does to the links pointing at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// Deleting is refused while links point here.
    Restrict,
    /// The links become null.
    Clear,
}

/// When a lookup takes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// Once, on creation (or when the link is first filled).
    OnCreate,
    /// Whenever the link changes.
    OnChange,
    /// At reading: never stored.
    Live,
}

/// A part of a series pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeriesPart {
    /// Fixed text.
    Text(String),
    /// `{yyyy}`.
    Year,
    /// `{MM}`.
    Month,
    /// `{dd}`.
    Day,
    /// `{seq:6}`: at least that many digits.
    Sequence(u8),
}

/// When a series starts again from 1, in the pack's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesReset {
    /// Never.
    Never,
    /// Each year.
    Year,
    /// Each month.
    Month,
    /// Each day.
    Day,
}

/// How a masked value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mask {
    /// Code points kept at the start.
    pub keep_first: u8,
    /// Code points kept at the end.
    pub keep_last: u8,
}

/// A rule over the record.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Broken when this is false (null counts as false).
    pub check: Expr,
    /// The field it is reported at; the record where absent.
    pub at: Option<Key>,
    /// What is said.
    pub message: Text,
}

/// What must be unique among the records of the form. Nulls are distinct.
#[derive(Debug, Clone)]
pub struct Unique {
    /// Positions of the fields.
    pub fields: Vec<usize>,
    /// Only among records for which this is true.
    pub filter: Option<Expr>,
}

/// A field to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// Its key.
    pub key: Key,
    /// Its place.
    pub slot: Slot,
    /// Greatest first.
    pub descending: bool,
}

/// What a role may do with a form.
#[derive(Debug, Clone)]
pub struct Access {
    /// Which records it reads.
    pub read: Condition,
    /// Whether it creates.
    pub create: bool,
    /// Which records it updates: the condition holds before and after.
    pub update: Condition,
    /// Which records it deletes.
    pub delete: Condition,
    /// The level of each field in the order of the form's fields, precedence applied (key over `#tag` over `*`) and
    /// derived fields lowered to their sources.
    pub levels: Vec<Level>,
    /// The level of each field of each child table, by position of the table field.
    pub row_levels: IndexMap<usize, Vec<Level>>,
    /// The level of the record's title: the lowest of the fields it is made of.
    pub title: Level,
}

/// A row condition of `access`.
#[derive(Debug, Clone)]
pub enum Condition {
    /// No record.
    Never,
    /// Every record.
    Always,
    /// The records for which this is true.
    When(Expr),
}

/// What a role may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It does not exist.
    None,
    /// Its shape is shown.
    Mask,
    /// It is shown.
    Read,
    /// It is shown and written.
    Write,
}

impl Level {
    /// The word of the definition language: `none`, `mask`, `read`, `write`.
    pub fn word(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Mask => "mask",
            Level::Read => "read",
            Level::Write => "write",
        }
    }
}

/// A saved list.
#[derive(Debug, Clone)]
pub struct View {
    /// Shown to people; the key where absent.
    pub label: Text,
    /// Columns: slots and keys, in order.
    pub columns: Vec<SortKey>,
    /// Which records.
    pub filter: Option<Expr>,
    /// In which order; newest first where absent.
    pub sort: Vec<SortKey>,
}

/// A section of the page.
#[derive(Debug, Clone)]
pub struct Section {
    /// Shown to people.
    pub label: Text,
    /// Positions of fields, side by side in a row.
    pub rows: Vec<Vec<usize>>,
}
