//! Fields: what every type shares. What a type has of its own is in `table.rs` and the functions at the end.

use std::collections::HashSet;

use indexmap::IndexMap;
use rust_decimal::Decimal;

use crate::diagnostic::At;
use crate::documents::common::Exact;
use crate::documents::fields::{self as author, FieldCommon, FieldOptions};
use crate::documents::{Kind, form};
use crate::expr::{Names, Position, Scope, TableRef, Type};
use crate::pack::form::{
    ChoiceOption, Compute, Field, FieldKind, Mask, OnDelete, SeriesPart, SeriesReset, Snapshot, WhenHidden,
};
use crate::{Key, Text};

use super::context::Context;
use super::load::Document;
use super::{shapes, table};

/// Names an expression uses for something else (`definitions.md` §2).
const RESERVED: [&str; 23] = [
    "id",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "old",
    "it",
    "outer",
    "parent",
    "record",
    "user",
    "settings",
    "now",
    "today",
    "row",
    "null",
    "true",
    "false",
    "not",
    "in",
    "and",
    "or",
];

/// A form or a child table whose fields are being compiled.
pub(super) struct Table<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    /// The form document.
    pub(super) document: &'c Document<form::Form>,
    /// The table.
    pub(super) reference: TableRef,
}

/// The fields of a form.
pub(super) fn compile_all(context: &Context<'_>, document: &Document<form::Form>) -> Vec<Field> {
    let table = Table { context, document, reference: TableRef::form(&document.key) };
    let at = document.at.key("fields");
    let mut former = HashSet::new();
    let fields: Vec<Field> = document
        .body
        .fields
        .iter()
        .filter_map(|(key, field)| {
            for old in &field.common.was {
                if document.body.fields.contains_key(old) || !former.insert(old.as_str()) {
                    let message = format!("`{old}` in `was` is, or was, another field");
                    context.error("FW0413", &at.key(key).key("was"), message);
                }
            }
            table.field(key, field, &at.key(key))
        })
        .collect();
    fields
}

impl<'a> Table<'_, 'a> {
    /// Compiles a field; nothing where its type has nothing to stand on.
    pub(super) fn field(&self, key: &str, field: &author::Field, at: &At) -> Option<Field> {
        let context = self.context;
        let common = &field.common;
        if RESERVED.contains(&key) {
            context.error_at_key("FW0406", at, format!("`{key}` is reserved"), None);
        }
        let kind = self.kind(key, &field.options, at)?;
        self.check_combination(common, &kind, at);
        let ty = kind.ty().clone();
        let rules = self.scope(Position::Condition);
        let values = self.scope(Position::Computed).stored(common.stored == Some(true));
        let defaults = self.scope(Position::Default);
        Some(Field {
            key: key.into(),
            label: context.label(common.label.as_ref(), key, at),
            help: common.help.as_ref().map(|help| context.text(help, &at.key("help"))),
            required: common.required,
            required_if: context.condition(common.required_if.as_ref(), &rules, &at.key("requiredIf")),
            visible_if: context.condition(common.visible_if.as_ref(), &rules, &at.key("visibleIf")),
            read_only: common.read_only,
            read_only_if: context.condition(common.read_only_if.as_ref(), &rules, &at.key("readOnlyIf")),
            when_hidden: match common.when_hidden {
                Some(author::WhenHidden::Keep) => WhenHidden::Keep,
                Some(author::WhenHidden::Clear) | None => WhenHidden::Clear,
            },
            default: common
                .default
                .as_ref()
                .and_then(|given| context.setting(given, &defaults, &ty, &at.key("default"))),
            compute: common.compute.as_ref().and_then(|formula| {
                let expr = context.check(formula, &values, Some(&ty), &at.key("compute"))?;
                Some(Compute { expr, stored: common.stored == Some(true) })
            }),
            tags: common.tags.iter().map(|tag| Key::from(tag.as_str())).collect(),
            mask: common
                .mask
                .map_or_else(Mask::default, |mask| Mask { keep_first: mask.keep_first, keep_last: mask.keep_last }),
            was: common.was.iter().map(|key| Key::from(key.as_str())).collect(),
            kind,
        })
    }

    /// The scope of expressions of this table.
    fn scope(&self, position: Position) -> Scope<'a> {
        self.named(Scope::new(position, self.context.shapes))
    }

    /// The names of this table, behind those there are.
    fn named(&self, scope: Scope<'a>) -> Scope<'a> {
        let scope = scope.row(Names::Fields, self.reference.clone());
        match self.reference.table {
            Some(_) => scope.row(Names::Parent, TableRef::form(&self.reference.form)),
            None => scope.old(self.reference.clone()),
        }
    }

    /// Keys that contradict each other or the type.
    fn check_combination(&self, common: &FieldCommon, kind: &FieldKind, at: &At) {
        let contradiction = |key: &str, why: String| {
            self.context.error_at_key("FW0405", &at.key(key), why, None);
        };
        let computed = common.compute.is_some();
        let name = kind.name();
        let rows = matches!(kind, FieldKind::Table { .. } | FieldKind::Backlink { .. });
        let derived = rows || matches!(kind, FieldKind::Lookup { .. } | FieldKind::Series { .. });
        if computed && derived {
            contradiction("compute", format!("a field of type `{name}` cannot be computed"));
        }
        if common.stored.is_some() && !computed {
            contradiction("stored", "`stored` belongs to a computed field".to_owned());
        }
        if common.default.is_some() && (computed || derived) {
            contradiction("default", "a value that follows from others has no default".to_owned());
        }
        let never_written = computed || (derived && !matches!(kind, FieldKind::Table { .. }));
        if common.required && never_written {
            contradiction("required", "nobody can fill in a value that follows from others".to_owned());
        }
        if common.required_if.is_some() && never_written {
            contradiction("requiredIf", "nobody can fill in a value that follows from others".to_owned());
        }
        if computed && matches!(kind, FieldKind::Choice { transitions: Some(_), .. }) {
            contradiction("transitions", "a computed value changes with what it follows from".to_owned());
        }
    }

    fn kind(&self, key: &str, options: &FieldOptions, at: &At) -> Option<FieldKind> {
        Some(match options {
            FieldOptions::Text(text) => self.text(text, at),
            FieldOptions::LongText(text) => FieldKind::LongText { max: text.max },
            FieldOptions::Integer(integer) => {
                self.ordered(integer.min, integer.max, at);
                FieldKind::Integer { min: integer.min, max: integer.max }
            }
            FieldOptions::Decimal(decimal) => {
                let (min, max) = self.limits(decimal.min.as_ref(), decimal.max.as_ref(), decimal.scale, at);
                FieldKind::Decimal { ty: Type::Decimal { scale: decimal.scale }, min, max }
            }
            FieldOptions::Money(money) => {
                let (min, max) = self.limits(money.min.as_ref(), money.max.as_ref(), 2, at);
                FieldKind::Money { min, max }
            }
            FieldOptions::Boolean(_) => FieldKind::Boolean,
            FieldOptions::Date(_) => FieldKind::Date,
            FieldOptions::Datetime(_) => FieldKind::DateTime,
            FieldOptions::Choice(choice) => self.choice(choice, at),
            FieldOptions::Link(link) => self.link(link, at)?,
            FieldOptions::Lookup(lookup) => self.lookup(key, lookup, at)?,
            FieldOptions::Table(rows) => table::compile(self, key, rows, at),
            FieldOptions::Backlink(backlink) => self.backlink(backlink, at)?,
            FieldOptions::Email(_) => FieldKind::Email,
            FieldOptions::Phone(phone) => FieldKind::Phone {
                region: match phone.region {
                    author::Region::Cn => "CN".to_owned(),
                },
            },
            FieldOptions::Series(series) => self.series(series, at)?,
            FieldOptions::Queue(_) => FieldKind::Queue,
            FieldOptions::User(_) => FieldKind::User,
        })
    }

    fn text(&self, text: &author::Text, at: &At) -> FieldKind {
        if let Some(pattern) = &text.pattern
            && let Err(error) = regex::Regex::new(pattern)
        {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            self.context.error("FW0408", &at.key("pattern"), format!("`{pattern}` is no regular expression: {reason}"));
        }
        FieldKind::Text { max: text.max, pattern: text.pattern.clone() }
    }

    fn choice(&self, choice: &author::Choice, at: &At) -> FieldKind {
        let mut former = HashSet::new();
        let options = choice
            .options
            .iter()
            .map(|(key, option)| {
                let at = at.key("options").key(key);
                for old in &option.was {
                    if choice.options.contains_key(old) || !former.insert(old.as_str()) {
                        let message = format!("`{old}` in `was` is, or was, another option");
                        self.context.error("FW0413", &at.key("was"), message);
                    }
                }
                let label = self.context.label(option.label.as_ref(), key, &at);
                let was = option.was.iter().map(|key| Key::from(key.as_str())).collect();
                (Key::from(key.as_str()), ChoiceOption { label, was })
            })
            .collect::<IndexMap<Key, ChoiceOption>>();
        let transitions = choice.transitions.as_ref().map(|steps| self.transitions(steps, &options, at));
        FieldKind::Choice { ty: Type::Choice(options.keys().cloned().collect()), options, transitions }
    }

    /// Both ends of each are options.
    fn transitions(
        &self,
        steps: &IndexMap<String, Vec<String>>,
        options: &IndexMap<Key, ChoiceOption>,
        at: &At,
    ) -> IndexMap<Key, Vec<Key>> {
        let at = at.key("transitions");
        let known = |key: &str, at: &At, at_key: bool| {
            if !options.contains_key(key) {
                let hint = crate::structure::did_you_mean(key, options.keys().map(|option| &**option));
                let message = format!("unknown option `{key}`");
                match at_key {
                    true => self.context.error_at_key("FW0401", at, message, hint),
                    false => self.context.error_hint("FW0401", at, message, hint),
                }
            }
        };
        for (from, into) in steps {
            known(from, &at.key(from), true);
            for (index, to) in into.iter().enumerate() {
                known(to, &at.key(from).index(index), false);
            }
        }
        let keys = |words: &[String]| words.iter().map(|word| Key::from(word.as_str())).collect();
        steps.iter().map(|(from, into)| (Key::from(from.as_str()), keys(into))).collect()
    }

    fn link(&self, link: &author::Link, at: &At) -> Option<FieldKind> {
        let to: Key = link.to.as_str().into();
        if !self.context.refers(Kind::Form, &link.to, &at.key("to")) {
            return None;
        }
        // The candidate in front of the record; bare names are the record's.
        let candidate = Scope::new(Position::Candidate, self.context.shapes).row(Names::It, TableRef::form(&to));
        let scope = self.named(candidate);
        Some(FieldKind::Link {
            ty: Type::Link(to),
            filter: self.context.condition(link.filter.as_ref(), &scope, &at.key("where")),
            on_delete: match link.on_delete {
                author::OnDelete::Restrict => OnDelete::Restrict,
                author::OnDelete::Clear => OnDelete::Clear,
            },
        })
    }

    fn lookup(&self, key: &str, lookup: &author::Lookup, at: &At) -> Option<FieldKind> {
        let context = self.context;
        let fields = &self.document.body.fields;
        let Some((via, _, link)) = fields.get_full(&lookup.via) else {
            if !self.was_cut(&lookup.via) {
                let known = fields.iter().filter(|(_, field)| matches!(field.options, FieldOptions::Link(_)));
                context.unknown("FW0401", &at.key("via"), "field", &lookup.via, known.map(|(key, _)| key.as_str()));
            }
            return None;
        };
        let FieldOptions::Link(link) = &link.options else {
            let message = format!("`{}` is a field of type `{}`, not a link", lookup.via, link.kind);
            context.error("FW0403", &at.key("via"), message);
            return None;
        };
        let target = context.documents.forms.get(link.to.as_str())?;
        let shape = context.shapes.tables.get(&TableRef::form(&target.key));
        let known = shape.is_some_and(|shape| shape.fields.contains_key(lookup.field.as_str()));
        if !known && shapes::looked_up_type(&lookup.field, &target.key).is_none() {
            let fields = target.body.fields.keys().map(String::as_str);
            context.unknown("FW0401", &at.key("field"), &format!("field of `{}`", target.key), &lookup.field, fields);
            return None;
        }
        let own = context.shapes.tables.get(&self.reference)?.fields.get(key)?;
        if matches!(own.ty, Type::Rows(_)) {
            context.error("FW0403", &at.key("field"), format!("`{}` holds rows", lookup.field));
            return None;
        }
        Some(FieldKind::Lookup {
            ty: own.ty.clone(),
            via,
            field: lookup.field.as_str().into(),
            snapshot: match lookup.snapshot {
                author::Snapshot::OnCreate => Snapshot::OnCreate,
                author::Snapshot::OnChange => Snapshot::OnChange,
                author::Snapshot::Live => Snapshot::Live,
            },
        })
    }

    fn backlink(&self, backlink: &author::Backlink, at: &At) -> Option<FieldKind> {
        let context = self.context;
        let at = at.key("from");
        let (form, field) = backlink.from.split_once('.')?;
        if !context.refers(Kind::Form, form, &at) {
            return None;
        }
        let other = context.documents.forms.get(form)?;
        let own = &self.document.key;
        let points_here =
            |field: &author::Field| matches!(&field.options, FieldOptions::Link(link) if link.to == **own);
        match other.body.fields.get(field) {
            Some(link) if points_here(link) => {}
            Some(_) => {
                context.error("FW0403", &at, format!("`{form}.{field}` is no link to `{own}`"));
                return None;
            }
            None if other.cut.contains(&format!("/fields/{field}")) => return None,
            None => {
                let links =
                    other.body.fields.iter().filter(|(_, field)| points_here(field)).map(|(key, _)| key.as_str());
                context.unknown("FW0401", &at, &format!("field of `{form}`"), field, links);
                return None;
            }
        }
        Some(FieldKind::Backlink { ty: Type::Rows(TableRef::form(&other.key)), link: field.into() })
    }

    fn series(&self, series: &author::Series, at: &At) -> Option<FieldKind> {
        let pattern = match series_parts(&series.pattern) {
            Ok(pattern) => pattern,
            Err(message) => {
                self.context.error("FW0408", &at.key("pattern"), message);
                return None;
            }
        };
        let reset = match series.reset {
            author::Reset::Never => SeriesReset::Never,
            author::Reset::Year => SeriesReset::Year,
            author::Reset::Month => SeriesReset::Month,
            author::Reset::Day => SeriesReset::Day,
        };
        let needed: &[SeriesPart] = match reset {
            SeriesReset::Never => &[],
            SeriesReset::Year => &[SeriesPart::Year],
            SeriesReset::Month => &[SeriesPart::Year, SeriesPart::Month],
            SeriesReset::Day => &[SeriesPart::Year, SeriesPart::Month, SeriesPart::Day],
        };
        if !needed.iter().all(|part| pattern.contains(part)) {
            let hint = "write the date it starts again with: `{yyyy}`, `{MM}`, `{dd}`".to_owned();
            let message = "a series that starts again would repeat its numbers";
            self.context.error_hint("FW0408", &at.key("pattern"), message, Some(hint));
        }
        Some(FieldKind::Series { pattern, reset })
    }

    fn limits(
        &self,
        min: Option<&Exact>,
        max: Option<&Exact>,
        scale: u8,
        at: &At,
    ) -> (Option<Decimal>, Option<Decimal>) {
        let limit = |given: Option<&Exact>, key: &str| {
            let value = super::literal::exact(&given?.0);
            if value.is_none_or(|value| value.normalize().scale() > u32::from(scale)) {
                self.context.error("FW0402", &at.key(key), format!("expected a decimal of at most {scale} places"));
            }
            value
        };
        let (least, greatest) = (limit(min, "min"), limit(max, "max"));
        self.ordered(least, greatest, at);
        (least, greatest)
    }

    fn ordered<T: PartialOrd>(&self, min: Option<T>, max: Option<T>, at: &At) {
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            self.context.error("FW0405", &at.key("min"), "`min` is greater than `max`");
        }
    }

    fn was_cut(&self, key: &str) -> bool {
        self.document.cut.contains(&format!("/fields/{key}"))
    }
}

/// `ST{yyyy}{MM}{dd}-{seq:6}` in parts; exactly one `{seq:n}`.
fn series_parts(pattern: &str) -> Result<Vec<SeriesPart>, String> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(SeriesPart::Text(rest[..open].to_owned()));
        }
        let close = rest[open..].find('}').ok_or_else(|| "a `{` is not closed".to_owned())? + open;
        parts.push(match &rest[open + 1..close] {
            "yyyy" => SeriesPart::Year,
            "MM" => SeriesPart::Month,
            "dd" => SeriesPart::Day,
            other => match other.strip_prefix("seq:").and_then(|digits| digits.parse().ok()) {
                Some(digits @ 1..=18) => SeriesPart::Sequence(digits),
                _ => return Err(format!("unknown part `{{{other}}}`; there are `{{yyyy}} {{MM}} {{dd}} {{seq:n}}`")),
            },
        });
        rest = &rest[close + 1..];
    }
    if !rest.is_empty() {
        parts.push(SeriesPart::Text(rest.to_owned()));
    }
    match parts.iter().filter(|part| matches!(part, SeriesPart::Sequence(_))).count() {
        1 => Ok(parts),
        found => Err(format!("a series has exactly one `{{seq:n}}`, this has {found}")),
    }
}

/// The label of a field for places that name none of their own.
pub(super) fn label_of(context: &Context<'_>, form: &Key, field: &str) -> Option<Text> {
    context.documents.forms.get(form)?.body.fields.get(field)?.common.label.clone()
}
