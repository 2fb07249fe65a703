//! The one projection: what a viewer may see of a form, and do with it.
//!
//! ```text
//! (pack, form, viewer, open task) ─► Projection ─► row predicate ─► Query   (lists; the store runs nothing else)
//!                                        ├───────► project           (bodies: absent, masked, shown)
//!                                        └───────► Levels            (what a submission may write)
//! ```

mod around;
mod hops;
mod mask;
mod options;
mod project;
mod query;
mod shapes;

use std::collections::HashMap;
use std::sync::Arc;

use formwork_model::expr::Ir;
use formwork_model::expr::ir::BinaryOp;
use formwork_model::pack::form::{Access, Condition, Form, Level};
use formwork_model::pack::workflow::TaskForm;
use formwork_model::{Key, Pack, Value};

use crate::Stop;
use crate::instance::Task;
use crate::record::Record;
use crate::scene::{Context, Scene};
use crate::viewer::{Viewer, ViewerKind};

pub use around::{Around, Narrowed, narrowed};
pub(crate) use around::{name_of, paths};
pub(crate) use hops::{rebuilt, within_rights};
pub(crate) use mask::mask_text;
pub use mask::masked;
pub(crate) use options::link_options;
pub(crate) use project::Presenter;
pub use query::{LIMIT_MAX, ListRequest, cursor_behind, query};
pub(crate) use query::{and, bound_for, check_fields, cursor_after, not_for};
pub use shapes::shapes;

/// What one viewer may see of one form and do with it, in one place for every path.
#[derive(Debug, Clone)]
pub struct Projection {
    pack: Arc<Pack>,
    form: Arc<Form>,
    viewer: Viewer,
    levels: Levels,
    title: Level,
    /// Held by the holder of an open task on the record, whatever the roles say of the row.
    reads_by_task: bool,
}

/// The level of each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    fields: Vec<Level>,
    rows: HashMap<usize, Vec<Level>>,
}

impl Levels {
    /// The level of a field, by position.
    pub fn field(&self, position: usize) -> Level {
        self.fields.get(position).copied().unwrap_or(Level::None)
    }

    /// The level of a field of a child row: never above that of its table.
    pub fn row_field(&self, position: usize, place: usize) -> Level {
        let own = self.rows.get(&position).and_then(|fields| fields.get(place)).copied();
        own.unwrap_or(Level::Write).min(self.field(position))
    }
}

/// What is asked of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Read,
    Update,
    Delete,
}

impl Projection {
    /// What the viewer may do with that form of the pack; with a user step, what its holder may do while the task is
    /// open.
    ///
    /// # Panics
    /// When the form is not of the pack: a defect of the caller.
    pub fn new(pack: &Arc<Pack>, form: &Key, viewer: &Viewer, task: Option<&TaskGrants>) -> Self {
        let form = pack.form(form).clone();
        let accesses: Vec<&Access> = held(&form, viewer).collect();
        let is_system = viewer.kind == ViewerKind::System;
        let best = |level: fn(&Access, usize) -> Level, position: usize| match is_system {
            true => Level::Write,
            false => accesses.iter().map(|access| level(access, position)).max().unwrap_or(Level::None),
        };
        let own = |access: &Access, position: usize| access.levels.get(position).copied().unwrap_or(Level::None);
        let mut fields: Vec<Level> = (0..form.fields.len()).map(|position| best(own, position)).collect();
        let mut rows: HashMap<usize, Vec<Level>> = HashMap::new();
        for (position, field) in form.fields.iter().enumerate().filter(|(_, field)| !field.kind.rows().is_empty()) {
            let of_row = |access: &&Access, place: usize| {
                let declared = access.row_levels.get(&position).and_then(|levels| levels.get(place)).copied();
                declared.unwrap_or_else(|| own(access, position))
            };
            let level = |place: usize| match is_system {
                true => Level::Write,
                false => accesses.iter().map(|access| of_row(access, place)).max().unwrap_or(Level::None),
            };
            rows.insert(position, (0..field.kind.rows().len()).map(level).collect());
        }
        if let Some(task) = task {
            task.apply(&form, &mut fields, &mut rows);
        }
        let title = match is_system {
            true => Level::Write,
            false => accesses.iter().map(|access| access.title).max().unwrap_or(Level::None),
        };
        Self {
            pack: pack.clone(),
            form,
            viewer: viewer.clone(),
            levels: Levels { fields, rows },
            title,
            reads_by_task: task.is_some(),
        }
    }

    /// The form.
    pub fn form(&self) -> &Arc<Form> {
        &self.form
    }

    /// For whom.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// The level of each field.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// The level of the record's title.
    pub fn title(&self) -> Level {
        self.title
    }

    /// Whether the viewer has anything to do with the form at all; if not, it does not exist for them.
    pub fn exists(&self) -> bool {
        self.viewer.kind == ViewerKind::System || self.reads_by_task || held(&self.form, &self.viewer).next().is_some()
    }

    /// Whether the viewer is here as the holder of a task.
    pub(crate) fn is_by_task(&self) -> bool {
        self.reads_by_task
    }

    /// Whether the viewer may file records.
    pub fn can_create(&self) -> bool {
        self.viewer.kind == ViewerKind::System || held(&self.form, &self.viewer).any(|access| access.create)
    }

    /// Whether the viewer could read some record.
    pub fn can_read(&self) -> bool {
        self.may(Right::Read)
    }

    /// Whether the viewer could update some record.
    pub fn can_update(&self) -> bool {
        self.may(Right::Update)
    }

    /// Whether the viewer could delete some record.
    pub fn can_delete(&self) -> bool {
        self.may(Right::Delete)
    }

    /// The condition of the rows the viewer reads: over frame 0, with `user.…` inside.
    pub fn row_predicate(&self) -> Ir {
        self.predicate(Right::Read)
    }

    /// Whether the viewer reads this record (completed, see [`crate::scene`]).
    pub(crate) fn reads(&self, context: Context<'_>, record: &Record) -> Result<bool, Stop> {
        if self.reads_by_task {
            return Ok(true);
        }
        self.holds(Right::Read, context, record)
    }

    /// Whether the viewer may update this record as it is; asked before and after the change.
    pub(crate) fn updates(&self, context: Context<'_>, record: &Record) -> Result<bool, Stop> {
        self.holds(Right::Update, context, record)
    }

    /// Whether the viewer may delete this record.
    pub(crate) fn deletes(&self, context: Context<'_>, record: &Record) -> Result<bool, Stop> {
        self.holds(Right::Delete, context, record)
    }

    fn holds(&self, right: Right, context: Context<'_>, record: &Record) -> Result<bool, Stop> {
        match self.predicate(right) {
            Ir::Literal(value) => Ok(value.is_true()),
            predicate => Scene::over(context.for_viewer(&self.viewer).as_it_is(), record).holds_ir(&predicate),
        }
    }

    fn may(&self, right: Right) -> bool {
        self.predicate(right) != Ir::Literal(Value::Boolean(false))
    }

    fn predicate(&self, right: Right) -> Ir {
        condition(&self.form, &self.viewer, right)
    }
}

/// The condition of the rows of a form that a viewer reads, see [`Projection::row_predicate`].
pub(crate) fn row_condition(form: &Form, viewer: &Viewer) -> Ir {
    condition(form, viewer, Right::Read)
}

/// The row conditions of all roles held, or-ed.
fn condition(form: &Form, viewer: &Viewer, right: Right) -> Ir {
    let condition = declared(form, viewer, right);
    if viewer.kind == ViewerKind::Public { hops::for_public(&condition) } else { condition }
}

fn declared(form: &Form, viewer: &Viewer, right: Right) -> Ir {
    let literal = |value| Ir::Literal(Value::Boolean(value));
    if viewer.kind == ViewerKind::System {
        return literal(true);
    }
    let mut predicate = literal(false);
    for access in held(form, viewer) {
        let condition = match right {
            Right::Read => &access.read,
            Right::Update => &access.update,
            Right::Delete => &access.delete,
        };
        match condition {
            Condition::Never => {}
            Condition::Always => return literal(true),
            Condition::When(expr) if predicate == literal(false) => predicate = expr.ir.clone(),
            Condition::When(expr) => {
                predicate = Ir::Binary(BinaryOp::Or, Box::new(predicate), Box::new(expr.ir.clone()));
            }
        }
    }
    predicate
}

fn held<'f>(form: &'f Form, viewer: &Viewer) -> impl Iterator<Item = &'f Access> {
    let roles = viewer.roles.clone();
    form.access.iter().filter(move |(role, _)| roles.contains(role)).map(|(_, access)| access)
}

/// Levels inside an open task (workflow.md §1.2): a named field has exactly the level given, above or below that of the
/// role; `*` lowers the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskGrants {
    named: HashMap<Key, Level>,
    others: Option<Level>,
}

impl TaskGrants {
    /// The grants of a step; its positions are those of `form`, the form as the instance's own pack has it.
    pub fn new(step: &TaskForm, form: &Form) -> Self {
        let named = step
            .levels
            .iter()
            .filter_map(|(position, level)| form.fields.get(*position).map(|field| (field.key.clone(), *level)));
        Self { named: named.collect(), others: step.others }
    }

    /// The grants of a task as [`crate::questions::task`] tells them: fields its step names, with their levels.
    pub fn told(named: impl IntoIterator<Item = (Key, Level)>) -> Self {
        Self { named: named.into_iter().collect(), others: None }
    }

    /// The grants of a task: by its step in the workflow of that name; none where there is no such step any more.
    pub(crate) fn of_task(pack: &Pack, task: &Task) -> Option<Self> {
        let workflow = pack.workflows().get(&task.workflow)?;
        let step = workflow.graph.nodes.get(&task.step)?.task_form()?;
        Some(Self::new(step, pack.forms().get(workflow.form.as_ref()?)?))
    }

    /// The same, to be read only.
    pub(crate) fn to_read(&self) -> Self {
        let named = self.named.iter().map(|(field, level)| (field.clone(), (*level).min(Level::Read)));
        Self { named: named.collect(), others: Some(self.others.unwrap_or(Level::Read).min(Level::Read)) }
    }

    /// Whether the step names the field.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.named.contains_key(field)
    }

    fn apply(&self, form: &Form, fields: &mut [Level], rows: &mut HashMap<usize, Vec<Level>>) {
        for (position, field) in form.fields.iter().enumerate() {
            match self.named.get(&field.key) {
                Some(level) => {
                    fields[position] = if field.is_derived() { (*level).min(Level::Read) } else { *level };
                    // A granted table is granted with its rows.
                    if let Some(places) = rows.get_mut(&position) {
                        places.iter_mut().for_each(|place| *place = (*place).max(*level));
                    }
                }
                None => {
                    if let Some(most) = self.others {
                        fields[position] = fields[position].min(most);
                    }
                }
            }
        }
    }
}
