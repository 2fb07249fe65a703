//! What an expression may name: the tables it can stand in and the names around it.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::ir::{InstanceAttribute, Slot, StepAttribute};
use super::types::{TableRef, Type};
use crate::Key;

/// Roles every pack has without declaring them (`definitions.md` §3).
pub(crate) const BUILT_IN_ROLES: [&str; 5] = ["public", "designer", "publisher", "admin", "auditor"];

/// The tables of a pack as far as expressions need them; made from the documents before any expression is checked.
#[derive(Debug, Default)]
pub struct Shapes {
    /// Forms and child tables.
    pub tables: HashMap<TableRef, TableShape>,
    /// Queue keys, for comparisons with queues.
    pub queues: Vec<Key>,
    /// Role keys, for `has_role`.
    pub roles: Vec<Key>,
    /// `settings.x`.
    pub settings: IndexMap<Key, Type>,
    /// Keys of business calendars.
    pub calendars: Vec<Key>,
}

/// A table's declared fields. The system fields (`id version created_at …`) are implied.
#[derive(Debug, Default, Clone)]
pub struct TableShape {
    /// By key, in order.
    pub fields: IndexMap<Key, FieldShape>,
}

/// A field as expressions see it.
#[derive(Debug, Clone)]
pub struct FieldShape {
    /// Its place.
    pub slot: Slot,
    /// Its type; [`Type::Rows`] for child tables and backlinks.
    pub ty: Type,
    /// For a backlink: the link field of the other form.
    pub backlink: Option<Key>,
    /// Whether it has a column: computed and live fields have none and do not lower to SQL by themselves.
    pub stored: bool,
    /// For a number: no value is greater, in units of its last place; none where its limits do not say.
    pub bound: Option<i128>,
}

/// The names in scope of one expression.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// The pack's tables.
    pub shapes: &'a Shapes,
    /// Rows in scope, innermost first; list functions push theirs in front.
    pub frames: Vec<TableRef>,
    /// The frame bare field names refer to; none where fields must be written with a prefix (workflows: `record.x`).
    pub bare: Option<u8>,
    /// Words that name a frame: `it`, `record`, `parent`.
    pub prefixes: Vec<(&'static str, u8)>,
    /// Whether `old.x` is in scope: the stored values of that table.
    pub old: Option<TableRef>,
    /// Whether `user.…` is in scope.
    pub user: bool,
    /// Names of a workflow, in workflow expressions.
    pub workflow: Option<Arc<WorkflowNames>>,
    /// Inputs by name, in decision outputs.
    pub inputs: IndexMap<Key, Type>,
    /// `event.x`: what a message carries, where it arrives.
    pub event: Option<IndexMap<Key, Type>>,
    /// The type of `?`, in decision cells.
    pub cell: Option<Type>,
    /// Columns of the import (`row.x`); every name is allowed where this is true.
    pub columns: bool,
    /// Demo recipes: `i as_of rng ref pick`.
    pub demo: bool,
    /// Whether a link may be compared with the id of a record, in quotes: for callers, who were told ids.
    pub ids: bool,
    /// Whether every node must lower to SQL: row rules, filters, views.
    pub must_lower: bool,
    /// Whether `lookup` and `lookup_all` may ask for records: where loading happens.
    pub lookups: bool,
}

impl<'a> Scope<'a> {
    /// A scope with nothing but the pack's settings, `now`, `today` and these frames; bare names are frame 0.
    pub fn new(shapes: &'a Shapes, frames: Vec<TableRef>) -> Self {
        let bare = (!frames.is_empty()).then_some(0);
        Self {
            shapes,
            frames,
            bare,
            prefixes: Vec::new(),
            old: None,
            user: false,
            workflow: None,
            inputs: IndexMap::new(),
            event: None,
            cell: None,
            columns: false,
            demo: false,
            ids: false,
            must_lower: false,
            lookups: false,
        }
    }
}

/// `vars.x`, `step.x.y` and `instance.x` of a workflow.
#[derive(Debug, Default)]
pub struct WorkflowNames {
    /// Variables.
    pub vars: IndexMap<Key, Type>,
    /// Steps and their declared outputs.
    pub steps: IndexMap<Key, IndexMap<Key, Type>>,
}

impl StepAttribute {
    /// The names, for suggestions.
    pub const NAMES: [&'static str; 6] = ["active", "count", "entered_at", "left_at", "outcome", "actor"];

    /// The attribute of that name and its type.
    pub fn of_name(name: &str) -> Option<(Self, Type)> {
        let attribute = match name {
            "active" => Self::Active,
            "count" => Self::Count,
            "entered_at" => Self::EnteredAt,
            "left_at" => Self::LeftAt,
            "outcome" => Self::Outcome,
            "actor" => Self::Actor,
            _ => return None,
        };
        Some((attribute, attribute.ty()))
    }

    /// Its type.
    pub fn ty(self) -> Type {
        match self {
            Self::Active => Type::Boolean,
            Self::Count => Type::Integer,
            Self::EnteredAt | Self::LeftAt => Type::DateTime,
            Self::Outcome => Type::Text,
            Self::Actor => Type::User,
        }
    }
}

impl InstanceAttribute {
    /// The names, for suggestions.
    pub const NAMES: [&'static str; 4] = ["id", "key", "started_at", "started_by"];

    /// The attribute of that name and its type.
    pub fn of_name(name: &str) -> Option<(Self, Type)> {
        let attribute = match name {
            "id" => Self::Id,
            "key" => Self::Key,
            "started_at" => Self::StartedAt,
            "started_by" => Self::StartedBy,
            _ => return None,
        };
        Some((attribute, attribute.ty()))
    }

    /// Its type.
    pub fn ty(self) -> Type {
        match self {
            Self::Id | Self::Key => Type::Text,
            Self::StartedAt => Type::DateTime,
            Self::StartedBy => Type::User,
        }
    }
}

impl Slot {
    /// The fields every record of a form has, for suggestions.
    pub const SYSTEM: [&'static str; 6] = ["id", "version", "created_at", "created_by", "updated_at", "updated_by"];

    /// The place and the type of a field every record of that form has.
    pub fn of_system(name: &str, form: &Key) -> Option<(Self, Type)> {
        Some(match name {
            "id" => (Self::Id, Type::Link(form.clone())),
            "version" => (Self::Version, Type::Integer),
            "created_at" => (Self::CreatedAt, Type::DateTime),
            "created_by" => (Self::CreatedBy, Type::User),
            "updated_at" => (Self::UpdatedAt, Type::DateTime),
            "updated_by" => (Self::UpdatedBy, Type::User),
            _ => return None,
        })
    }
}
