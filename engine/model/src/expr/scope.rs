//! What an expression may name: the tables it can stand in and the names around it.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::ir::{InstanceAttribute, Slot, StepAttribute};
use super::position::{Lookups, Names, Position};
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

/// The names in scope of one expression: what its [`Position`] lets it name, and what those names are here.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// The pack's tables.
    pub shapes: &'a Shapes,
    position: Position,
    /// Whether the field it computes is stored, which lets look-ups in.
    is_stored: bool,
    /// Rows in scope, innermost first; list functions push theirs in front.
    frames: Vec<TableRef>,
    /// What names a row.
    rows: Vec<(Names, u8)>,
    old: Option<TableRef>,
    workflow: Option<Arc<WorkflowNames>>,
    inputs: IndexMap<Key, Type>,
    event: Option<IndexMap<Key, Type>>,
    cell: Option<Type>,
}

impl<'a> Scope<'a> {
    /// What can be named at a position without more: settings, the clock, and what is the same for everybody there.
    pub fn new(position: Position, shapes: &'a Shapes) -> Self {
        Self {
            shapes,
            position,
            is_stored: false,
            frames: Vec::new(),
            rows: Vec::new(),
            old: None,
            workflow: None,
            inputs: IndexMap::new(),
            event: None,
            cell: None,
        }
    }

    /// The same position over one table more, behind those there are.
    pub fn row(mut self, names: Names, table: TableRef) -> Self {
        self.rows.push((names, self.frames.len() as u8));
        self.frames.push(table);
        self
    }

    /// Another name for the row in front.
    pub(crate) fn also(mut self, names: Names) -> Self {
        self.rows.push((names, 0));
        self
    }

    /// The table whose stored values `old.x` names.
    pub fn old(mut self, table: TableRef) -> Self {
        self.old = Some(table);
        self
    }

    /// The names of a workflow.
    pub fn workflow(mut self, names: Arc<WorkflowNames>) -> Self {
        self.workflow = Some(names);
        self
    }

    /// What the message carries.
    pub fn event(mut self, carried: Option<IndexMap<Key, Type>>) -> Self {
        self.event = carried;
        self
    }

    /// The inputs of the decision.
    pub fn inputs(mut self, inputs: IndexMap<Key, Type>) -> Self {
        self.inputs = inputs;
        self
    }

    /// The metrics of the pack: exact numbers.
    pub fn metrics(self, metrics: impl Iterator<Item = Key>) -> Self {
        self.inputs(metrics.map(|metric| (metric, Type::Decimal { scale: 12 })).collect())
    }

    /// Says that the field computed is stored.
    pub fn stored(mut self, is_stored: bool) -> Self {
        self.is_stored = is_stored;
        self
    }

    /// The same names for a cell over an input of that type.
    pub(super) fn cell(mut self, input: Type) -> Self {
        self.cell = Some(input);
        self
    }

    /// Whether the position knows these names at all.
    pub(super) fn has(&self, names: Names) -> bool {
        self.position.names().contains(&names)
    }

    /// Whether every node must lower to SQL.
    pub(super) fn lowers(&self) -> bool {
        self.position.lowers()
    }

    /// Whether look-ups may ask for records.
    pub(super) fn looks_up(&self) -> bool {
        match self.position.lookups() {
            Lookups::Never => false,
            Lookups::Stored => self.is_stored,
            Lookups::Always => true,
        }
    }

    /// The row whose fields are named bare.
    pub(super) fn bare(&self) -> Option<u8> {
        self.row_of(Names::Fields)
    }

    /// The words in front of the fields of rows.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = (&'static str, u8)> + '_ {
        let words = [("it", Names::It), ("record", Names::Record), ("parent", Names::Parent)];
        words.into_iter().filter_map(|(word, names)| Some((word, self.row_of(names)?)))
    }

    /// The table in a frame of the scope.
    pub(super) fn table(&self, frame: usize) -> Option<&TableRef> {
        self.frames.get(frame)
    }

    /// The table of `old.x`.
    pub(super) fn old_table(&self) -> Option<&TableRef> {
        self.old.as_ref().filter(|_| self.has(Names::Old))
    }

    /// `vars`, `step` and `instance`.
    pub(super) fn workflow_names(&self) -> Option<&Arc<WorkflowNames>> {
        self.workflow.as_ref().filter(|_| self.has(Names::Workflow))
    }

    /// The members of `event`.
    pub(super) fn carried(&self) -> Option<&IndexMap<Key, Type>> {
        self.event.as_ref().filter(|_| self.has(Names::Event))
    }

    /// The type of `?`.
    pub(super) fn cell_type(&self) -> Option<&Type> {
        self.cell.as_ref().filter(|_| self.has(Names::Cell))
    }

    /// The inputs of a decision, or the metrics of a formula, by name.
    pub(super) fn input_names(&self) -> impl Iterator<Item = (&Key, &Type)> {
        self.inputs.iter().filter(|_| self.has(Names::Inputs) || self.has(Names::Metrics))
    }

    fn row_of(&self, names: Names) -> Option<u8> {
        let named = self.rows.iter().find(|(known, _)| *known == names && self.has(names));
        named.map(|(_, frame)| *frame)
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
