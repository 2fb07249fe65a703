//! Access: the level of each field for each role, precedence applied and derived values lowered to their sources.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::common::{Formula, Keyed, LevelWord, Rows};
use crate::documents::form;
use crate::expr::ir::{FieldRef, Slot};
use crate::expr::{Ir, Position, TableRef, Type, references};
use crate::pack::form::{Access, Condition, Field, FieldKind, Form, Level};

use super::context::{BUILT_IN_ROLES, Context};

/// The access of a form, by role.
pub(super) fn compile(
    context: &Context<'_>,
    form: &Form,
    roles: &Keyed<form::Access>,
    at: &At,
) -> IndexMap<Key, Access> {
    let mut compiled = IndexMap::new();
    for (role, access) in roles {
        let at = at.key(role);
        if !role_exists(context, role, &at) {
            continue;
        }
        check_names(context, form, access, &at.key("fields"));
        let condition = |rows: &Rows, key: &str| condition(context, &form.key, rows, &at.key(key));
        let declared = |table: &[Field], floor: Option<Level>| -> Vec<Level> {
            table.iter().map(|field| declared(&access.fields, field, floor)).collect()
        };
        let levels = declared(&form.fields, None);
        let row_levels = form
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| matches!(field.kind, FieldKind::Table { .. }))
            .map(|(position, field)| (position, declared(field.kind.rows(), Some(levels[position]))))
            .collect();
        let access = Access {
            read: condition(&access.read, "read"),
            create: access.create,
            update: condition(&access.update, "update"),
            delete: condition(&access.delete, "delete"),
            levels,
            row_levels,
            title: Level::Read,
        };
        compiled.insert(Key::from(role.as_str()), access);
    }
    compiled
}

fn role_exists(context: &Context<'_>, role: &str, at: &At) -> bool {
    let declared = || context.shapes.roles.iter().map(|role| &**role);
    let exists = declared().chain(BUILT_IN_ROLES).any(|known| known == role);
    if !exists && context.documents.pack.is_some() {
        let hint = crate::structure::did_you_mean(role, declared().chain(BUILT_IN_ROLES));
        context.error_at_key("FW0401", at, format!("unknown role `{role}`"), hint);
    }
    exists
}

fn condition(context: &Context<'_>, form: &Key, rows: &Rows, at: &At) -> Condition {
    match rows {
        Rows::All(true) => Condition::Always,
        Rows::All(false) => Condition::Never,
        Rows::When(source) => {
            let scope = context.scope(Position::Rows, form);
            let checked = context.check(&Formula(source.clone()), &scope, Some(&Type::Boolean), at);
            checked.map_or(Condition::Never, Condition::When)
        }
    }
}

/// Every name in `fields` is a field, a tag some field has, or `*`.
fn check_names(context: &Context<'_>, form: &Form, access: &form::Access, at: &At) {
    let all = || form.fields.iter().flat_map(|field| std::iter::once(field).chain(field.kind.rows()));
    for name in access.fields.keys() {
        let at = at.key(name);
        if name == "*" {
            continue;
        }
        if let Some(tag) = name.strip_prefix('#') {
            let tags: Vec<&str> = all().flat_map(|field| field.tags.iter().map(|tag| &**tag)).collect();
            if !tags.contains(&tag) {
                let hint = crate::structure::did_you_mean(tag, tags.into_iter());
                context.error_at_key("FW0401", &at, format!("no field has the tag `{tag}`"), hint);
            }
        } else if form.field(name).is_none() {
            let shape = context.shapes.tables.get(&TableRef::form(&form.key));
            if !shape.is_some_and(|shape| shape.fields.contains_key(name.as_str())) {
                let known = form.fields.iter().map(|field| &*field.key);
                let hint = crate::structure::did_you_mean(name, known);
                context.error_at_key("FW0401", &at, format!("unknown field `{name}`"), hint);
            }
        }
    }
}

/// The level an access block gives a field: key over `#tag` (the lowest of several) over `*`.
///
/// The fields of a child row have that of their table (`floor`), lowered by their own tags.
fn declared(words: &IndexMap<String, LevelWord>, field: &Field, floor: Option<Level>) -> Level {
    let tagged = field.tags.iter().filter_map(|tag| words.get(&format!("#{tag}"))).copied().map(level).min();
    if let Some(floor) = floor {
        return tagged.map_or(floor, |tagged| tagged.min(floor));
    }
    words
        .get(&*field.key)
        .copied()
        .map(level)
        .or(tagged)
        .or_else(|| words.get("*").copied().map(level))
        .unwrap_or(Level::None)
}

/// The level a word means.
pub(super) fn level(word: LevelWord) -> Level {
    match word {
        LevelWord::None => Level::None,
        LevelWord::Mask => Level::Mask,
        LevelWord::Read => Level::Read,
        LevelWord::Write => Level::Write,
    }
}

/// Lowers what is derived to the lowest level of its sources, over all forms: a computed field, a lookup and the title
/// never show a role what it may not read itself.
pub(super) fn lower_derived(context: &Context<'_>, forms: &mut IndexMap<Key, Form>) {
    let roles: Vec<Key> =
        forms.values().flat_map(|form| form.access.keys().cloned()).collect::<HashSet<_>>().into_iter().collect();
    let lowered: Vec<(Key, Key, Access)> = roles
        .iter()
        .flat_map(|role| {
            let view = RoleView { forms, held: held_roles(context, role) };
            forms
                .values()
                .filter_map(|form| Some((form.key.clone(), role.clone(), view.lower(form, form.access.get(role)?))))
                .collect::<Vec<_>>()
        })
        .collect();
    for (form, role, access) in lowered {
        if let Some(form) = forms.get_mut(&form) {
            form.access.insert(role, access);
        }
    }
}

/// A role and all it includes.
fn held_roles(context: &Context<'_>, role: &Key) -> Vec<Key> {
    let mut held = vec![role.clone()];
    let mut next = 0;
    let Some(pack) = &context.documents.pack else { return held };
    while next < held.len() {
        if let Some(role) = pack.body.roles.get(&*held[next]) {
            for included in &role.includes {
                if !held.iter().any(|known| **known == **included) {
                    held.push(included.as_str().into());
                }
            }
        }
        next += 1;
    }
    held
}

/// What a holder of a role may see of every form.
struct RoleView<'a> {
    forms: &'a IndexMap<Key, Form>,
    held: Vec<Key>,
}

impl RoleView<'_> {
    fn lower(&self, form: &Form, access: &Access) -> Access {
        let mut access = access.clone();
        for (position, field) in form.fields.iter().enumerate() {
            if let Some(ceiling) = self.ceiling(form, field, &mut HashSet::new()) {
                access.levels[position] = access.levels[position].min(ceiling);
            }
            let Some(levels) = access.row_levels.get_mut(&position) else { continue };
            for (index, child) in field.kind.rows().iter().enumerate() {
                if let Some(ceiling) = self.ceiling(form, child, &mut HashSet::new()) {
                    levels[index] = levels[index].min(ceiling);
                }
            }
        }
        access.title = match &form.title {
            Some(title) => self.lowest(&title.ir, &mut HashSet::new()),
            None => Level::Read,
        };
        access
    }

    /// The highest level a derived field can have; none where the field is not derived.
    fn ceiling(&self, form: &Form, field: &Field, seen: &mut HashSet<FieldRef>) -> Option<Level> {
        if let Some(compute) = &field.compute {
            return Some(self.lowest(&compute.expr.ir, seen).min(Level::Read));
        }
        match &field.kind {
            FieldKind::Lookup { via, field: target, .. } => {
                let link = form.fields.get(*via)?;
                let Type::Link(to) = link.ty() else { return Some(Level::None) };
                let table = TableRef::form(&form.key);
                let via = FieldRef { table, key: link.key.clone(), slot: Slot::Field(*via) };
                let other = self.forms.get(to)?;
                let slot = other.field(target).map_or(Slot::Id, |(position, _)| Slot::Field(position));
                let target = FieldRef { table: TableRef::form(to), key: target.clone(), slot };
                Some(self.level(&via, seen).min(self.level(&target, seen)).min(Level::Read))
            }
            FieldKind::Series { .. } | FieldKind::Backlink { .. } => Some(Level::Read),
            _ => None,
        }
    }

    fn lowest(&self, ir: &Ir, seen: &mut HashSet<FieldRef>) -> Level {
        references(ir).iter().map(|reference| self.level(&reference.field, seen)).min().unwrap_or(Level::Read)
    }

    /// The level of a field for the holder of these roles: the best of them, lowered if it is derived itself.
    fn level(&self, field: &FieldRef, seen: &mut HashSet<FieldRef>) -> Level {
        let Some(form) = self.forms.get(&field.table.form) else { return Level::None };
        let blocks: Vec<&Access> = self.held.iter().filter_map(|role| form.access.get(role)).collect();
        let Slot::Field(position) = field.slot else {
            return if blocks.is_empty() { Level::None } else { Level::Read };
        };
        let (declared, source) = match &field.table.table {
            None => {
                let best = blocks.iter().filter_map(|access| access.levels.get(position)).max();
                (best, form.fields.get(position))
            }
            Some(table) => {
                let Some((parent, rows)) = form.field(table) else { return Level::None };
                let best = blocks.iter().filter_map(|access| access.row_levels.get(&parent)?.get(position)).max();
                (best, rows.kind.rows().get(position))
            }
        };
        let declared = declared.copied().unwrap_or(Level::None);
        let Some(source) = source else { return declared };
        // A cycle is an error of its own; here it only must not run for ever.
        if !seen.insert(field.clone()) {
            return declared;
        }
        let ceiling = self.ceiling(form, source, seen);
        seen.remove(field);
        ceiling.map_or(declared, |ceiling| declared.min(ceiling))
    }
}

/// Positions of the fields a name of a level list means: a field, `#tag`; nothing for `*`.
pub(super) fn positions(context: &Context<'_>, form: &Form, name: &str, at: &At) -> Vec<usize> {
    if let Some(tag) = name.strip_prefix('#') {
        let tagged: Vec<usize> = (0..form.fields.len())
            .filter(|position| form.fields[*position].tags.iter().any(|known| &**known == tag))
            .collect();
        if tagged.is_empty() {
            context.error_at_key("FW0306", at, format!("no field has the tag `{tag}`"), None);
        }
        return tagged;
    }
    match form.field(name) {
        Some((position, _)) => vec![position],
        None => {
            let shape = context.shapes.tables.get(&TableRef::form(&form.key));
            if !shape.is_some_and(|shape| shape.fields.contains_key(name)) {
                let hint = crate::structure::did_you_mean(name, form.fields.iter().map(|field| &*field.key));
                context.error_at_key("FW0306", at, format!("unknown field `{name}`"), hint);
            }
            Vec::new()
        }
    }
}
