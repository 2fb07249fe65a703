//! Forms: fields, rules, uniqueness, views and layout. Access and the order of computing have files of their own.

use indexmap::IndexMap;

use crate::diagnostic::At;
use crate::documents::common::{Formula, Keyed};
use crate::documents::form as author;
use crate::expr::ir::{Ir, Slot};
use crate::expr::{Expr, Position, TableRef, Type};
use crate::pack::form::{Condition, Field, FieldKind, Form, FormKind, OnDelete, Rule, Section, SortKey, Unique, View};
use crate::{Key, Text};

use super::context::Context;
use super::load::Document;
use super::{access, field, order, public};

/// Compiles the form. Parts that are wrong are reported and left out.
pub(super) fn compile(context: &Context<'_>, document: &Document<author::Form>) -> Form {
    let author = &document.body;
    let at = &document.at;
    let fields = field::compile_all(context, document);
    let table = FormTable { context, form: &document.key, fields: &fields };
    let mut form = Form {
        key: document.key.clone(),
        kind: match author.kind {
            author::FormKind::Table => FormKind::Table,
            author::FormKind::Log => FormKind::Log,
        },
        label: context.text(&author.label, &at.key("label")),
        title: table.title(author.title.as_ref(), &at.key("title")),
        was: author.was.iter().map(|key| Key::from(key.as_str())).collect(),
        natural_key: table.stored(&author.natural_key, &at.key("naturalKey")),
        rules: table.rules(&author.rules, &at.key("rules")),
        uniques: table.uniques(&author.unique, &at.key("unique")),
        indexes: table.indexes(&author.indexes, &at.key("indexes")),
        access: IndexMap::new(),
        views: table.views(&author.views, &at.key("views")),
        layout: table.layout(&author.layout, &at.key("layout")),
        public: None,
        compute_order: order::compute_order(context, &document.key, &fields, &at.key("fields")),
        fields,
    };
    form.access = access::compile(context, &form, &author.access, &at.key("access"));
    form.public = author.public.as_ref().map(|public| public::compile(context, &form, public, &at.key("public")));
    if form.kind == FormKind::Log {
        only_added(context, &form, at);
    }
    form
}

/// What would change or delete entries of a log.
fn only_added(context: &Context<'_>, form: &Form, at: &At) {
    for (role, access) in &form.access {
        for (rows, word) in [(&access.update, "update"), (&access.delete, "delete")] {
            if !matches!(rows, Condition::Never) {
                let message = format!("entries of a log are only added: `{word}` has no meaning");
                context.error_at_key("FW0405", &at.key("access").key(role).key(word), message, None);
            }
        }
    }
    for field in &form.fields {
        if matches!(&field.kind, FieldKind::Link { on_delete: OnDelete::Clear, .. }) {
            let at = at.key("fields").key(&field.key).key("onDelete");
            context.error("FW0405", &at, "entries of a log are only added: a link of one cannot be cleared");
        }
    }
}

/// A form being compiled, its fields done.
struct FormTable<'c, 'a> {
    context: &'c Context<'a>,
    form: &'c Key,
    fields: &'c [Field],
}

impl FormTable<'_, '_> {
    fn title(&self, title: Option<&Formula>, at: &At) -> Option<Expr> {
        let scope = self.context.scope(Position::Title, self.form);
        self.context.check(title?, &scope, Some(&Type::Text), at)
    }

    fn rules(&self, rules: &Keyed<author::Rule>, at: &At) -> IndexMap<Key, Rule> {
        let scope = self.context.scope(Position::Rule, self.form).old(TableRef::form(self.form));
        let mut compiled = IndexMap::new();
        for (key, rule) in rules {
            let at = at.key(key);
            let message = self.context.text(&rule.message, &at.key("message"));
            let place = rule.at.as_ref().and_then(|field| self.position(field, &at.key("at")));
            let check = self.context.check(&rule.check, &scope, Some(&Type::Boolean), &at.key("check"));
            if let Some(check) = check {
                let at = place.map(|position| self.fields[position].key.clone());
                compiled.insert(key.as_str().into(), Rule { check, at, message });
            }
        }
        compiled
    }

    fn uniques(&self, uniques: &Keyed<author::Unique>, at: &At) -> IndexMap<Key, Unique> {
        let scope = self.context.scope(Position::Unique, self.form);
        let mut compiled = IndexMap::new();
        for (key, unique) in uniques {
            let at = at.key(key);
            let fields = self.stored(&unique.fields, &at.key("fields"));
            let filter = self.context.condition(unique.filter.as_ref(), &scope, &at.key("where"));
            if let Some(filter) = &filter {
                self.own_columns_only(filter, &at.key("where"));
            }
            compiled.insert(key.as_str().into(), Unique { fields, filter });
        }
        compiled
    }

    /// An index sees one row: no other table.
    fn own_columns_only(&self, filter: &Expr, at: &At) {
        let mut outside = None;
        filter.ir.walk(&mut |node| match node {
            Ir::Field(path) if !path.hops.is_empty() => outside = Some("a field of another record"),
            Ir::Fold(..) => outside = Some("rows of another table"),
            _ => {}
        });
        if let Some(what) = outside {
            self.context.error("FW0403", at, format!("the condition of `unique` cannot use {what}"));
        }
    }

    fn indexes(&self, indexes: &[Vec<String>], at: &At) -> Vec<Vec<SortKey>> {
        indexes.iter().enumerate().map(|(index, keys)| self.sort_keys(keys, &at.index(index), true)).collect()
    }

    fn views(&self, views: &Keyed<author::View>, at: &At) -> IndexMap<Key, View> {
        let scope = self.context.scope(Position::Rows, self.form);
        let mut compiled = IndexMap::new();
        for (key, view) in views {
            let at = at.key(key);
            let compiled_view = View {
                label: self.context.label(view.label.as_ref(), key, &at),
                columns: self.sort_keys(&view.columns, &at.key("columns"), false),
                filter: self.context.condition(view.filter.as_ref(), &scope, &at.key("where")),
                sort: self.sort_keys(&view.sort, &at.key("sort"), true),
            };
            compiled.insert(key.as_str().into(), compiled_view);
        }
        compiled
    }

    /// The sections of the page; one with all fields where the author gave none.
    fn layout(&self, layout: &Keyed<author::Section>, at: &At) -> IndexMap<Key, Section> {
        if layout.is_empty() {
            let rows = (0..self.fields.len()).map(|position| vec![position]).collect();
            return IndexMap::from([("all".into(), Section { label: Text::from(""), rows })]);
        }
        let mut placed = std::collections::HashMap::new();
        let mut compiled = IndexMap::new();
        for (key, section) in layout {
            let at = at.key(key);
            let mut rows = Vec::new();
            for (index, row) in section.rows.iter().enumerate() {
                let at = at.key("rows").index(index);
                let mut positions = Vec::new();
                for (index, field) in row.iter().enumerate() {
                    let Some(position) = self.position(field, &at.index(index)) else { continue };
                    if placed.insert(position, ()).is_some() {
                        self.context.error("FW0405", &at.index(index), format!("`{field}` is placed twice"));
                    }
                    positions.push(position);
                }
                rows.push(positions);
            }
            compiled.insert(
                key.as_str().into(),
                Section { label: self.context.label(section.label.as_ref(), key, &at), rows },
            );
        }
        compiled
    }

    /// Positions of fields that have a column.
    fn stored(&self, keys: &[String], at: &At) -> Vec<usize> {
        let mut positions = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let Some(position) = self.position(key, &at.index(index)) else { continue };
            let field = &self.fields[position];
            if !field.is_stored() || matches!(field.ty(), Type::Rows(_)) {
                self.context.error("FW0403", &at.index(index), format!("`{key}` has no column of its own"));
            }
            positions.push(position);
        }
        positions
    }

    /// Fields and system fields by name; `-` in front is descending where a direction makes sense.
    fn sort_keys(&self, words: &[String], at: &At, directed: bool) -> Vec<SortKey> {
        let mut keys = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let at = at.index(index);
            let (name, descending) = match word.strip_prefix('-') {
                Some(name) if directed => (name, true),
                _ => (word.as_str(), false),
            };
            let slot = match Slot::of_system(name, self.form) {
                Some((slot, _)) => slot,
                None => {
                    let Some(position) = self.position(name, &at) else { continue };
                    if directed && matches!(self.fields[position].ty(), Type::Rows(_)) {
                        self.context.error("FW0403", &at, format!("`{name}` holds rows: it has no order"));
                    }
                    Slot::Field(position)
                }
            };
            keys.push(SortKey { key: name.into(), slot, descending });
        }
        keys
    }

    fn position(&self, key: &str, at: &At) -> Option<usize> {
        position(self.context, self.form, self.fields, key, at)
    }
}

/// The position of a field; an error if the form has none of that name. A field that was cut out is no error.
pub(super) fn position(context: &Context<'_>, form: &Key, fields: &[Field], key: &str, at: &At) -> Option<usize> {
    let found = fields.iter().position(|field| &*field.key == key);
    if found.is_none() {
        let known = context.shapes.tables.get(&TableRef::form(form));
        if !known.is_some_and(|table| table.fields.contains_key(key)) {
            context.unknown("FW0401", at, "field", key, fields.iter().map(|field| &*field.key));
        }
    }
    found
}
