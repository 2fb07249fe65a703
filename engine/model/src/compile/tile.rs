//! Tiles of boards.

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::tiles::{self, BoxWord, TileOptions};
use crate::documents::{Kind, fields};
use crate::expr::{Ir, Names, Position, Scope, TableRef, Type};
use crate::pack::analytics::{Preset, ProposedAction, Range, TaskBox, TileFilter, TileKind};

use super::context::{Context, is_path};
use super::{formula, pack, report};

/// How wide a tile is that does not say.
pub(super) fn default_width(options: &TileOptions) -> u8 {
    match options {
        TileOptions::Metric(_) => 3,
        TileOptions::Rules(_) | TileOptions::Form(_) => 4,
        TileOptions::Report(_) | TileOptions::List(_) | TileOptions::Tasks(_) => 6,
        TileOptions::Timeline(_) => 8,
        TileOptions::Text(_) | TileOptions::Record(_) => 12,
    }
}

/// Compiles a tile of a board, which may be the page of one record; none where it is wrong.
pub(super) fn compile(
    context: &Context<'_>,
    of: Option<&Key>,
    word: &str,
    options: &TileOptions,
    at: &At,
) -> Option<TileKind> {
    let maker = Maker { context, of, word, at };
    match options {
        TileOptions::Metric(tile) => maker.metric(tile),
        TileOptions::Report(tile) => maker.report(tile),
        TileOptions::List(tile) => maker.list(tile),
        TileOptions::Text(tile) => Some(TileKind::Text { text: context.text(&tile.text, &at.key("text")) }),
        TileOptions::Tasks(tile) => Some(TileKind::Tasks {
            tasks: match tile.tasks {
                BoxWord::Mine => TaskBox::Mine,
                BoxWord::Claimable => TaskBox::Claimable,
                BoxWord::Team => TaskBox::Team,
            },
        }),
        TileOptions::Record(tile) => maker.record(tile),
        TileOptions::Timeline(tile) => maker.timeline(tile),
        TileOptions::Rules(tile) => maker.rules(tile),
        TileOptions::Form(tile) => {
            maker.needs_record()?;
            maker.preset(&tile.form, &tile.set, at).map(TileKind::Form)
        }
    }
}

struct Maker<'a> {
    context: &'a Context<'a>,
    of: Option<&'a Key>,
    word: &'a str,
    at: &'a At,
}

impl Maker<'_> {
    fn metric(&self, tile: &tiles::Metric) -> Option<TileKind> {
        let exists = self.context.refers(Kind::Metric, &tile.metric, &self.at.key("metric"));
        let range = self.range(&tile.set);
        let filter = match exists {
            true => self.filter(tile.filter.as_ref(), self.counted_form([&tile.metric], tile.filter.is_some())?),
            false => None,
        };
        exists.then(|| TileKind::Metric { metric: tile.metric.as_str().into(), filter, range })
    }

    fn report(&self, tile: &tiles::Report) -> Option<TileKind> {
        let exists = self.context.refers(Kind::Report, &tile.report, &self.at.key("report"));
        let range = self.range(&tile.set);
        let metrics = self.context.documents.reports.get(tile.report.as_str()).map(|report| &report.body.metrics);
        let form = self.counted_form(metrics.into_iter().flatten(), tile.filter.is_some())?;
        let filter = self.filter(tile.filter.as_ref(), form);
        exists.then(|| TileKind::Report { report: tile.report.as_str().into(), filter, range })
    }

    fn list(&self, tile: &tiles::List) -> Option<TileKind> {
        let form: Key = tile.form.as_str().into();
        if !self.context.refers(Kind::Form, &form, &self.at.key("form")) {
            return None;
        }
        let exists = pack::view_exists(self.context, &form, &tile.view, &self.at.key("view"));
        let filter = self.filter(tile.filter.as_ref(), Some(form.clone()));
        exists.then(|| TileKind::List { form, view: tile.view.as_str().into(), filter, limit: tile.limit })
    }

    fn record(&self, tile: &tiles::Record) -> Option<TileKind> {
        let scope = self.context.scope(Position::Shown, self.needs_record()?);
        let mut paths = Vec::new();
        for (index, formula) in tile.fields.iter().enumerate() {
            let at = self.at.key("fields").index(index);
            let Some(expr) = self.context.check(formula, &scope, None, &at) else { continue };
            if is_path(&expr) {
                paths.push(expr);
            } else {
                let hint = "give the form a computed field, and name that".to_owned();
                self.context.error_hint("FW0403", &at, format!("`{}` is no field", expr.source), hint);
            }
        }
        Some(TileKind::Record { fields: paths })
    }

    fn timeline(&self, tile: &tiles::Timeline) -> Option<TileKind> {
        let of = self.needs_record()?;
        let mut sources = IndexMap::new();
        for (form, link) in &tile.sources {
            let at = self.at.key("sources").key(form);
            if !self.context.refers(Kind::Form, form, &at) {
                continue;
            }
            let table = self.context.shapes.tables.get(&TableRef::form(&Key::from(form.as_str())));
            let Some(table) = table else { continue };
            match table.fields.get(link.as_str()) {
                Some(field) if field.ty == Type::Link(of.clone()) => {
                    sources.insert(Key::from(form.as_str()), Key::from(link.as_str()));
                }
                Some(field) => {
                    let message = format!("`{form}.{link}` is {}, no link to `{of}`", field.ty);
                    self.context.error("FW0403", &at, message);
                }
                None => {
                    let links = table.fields.iter().filter(|(_, field)| field.ty == Type::Link(of.clone()));
                    let noun = format!("field of `{form}`");
                    self.context.unknown("FW0401", &at, &noun, link, links.map(|(key, _)| &**key));
                }
            }
        }
        Some(TileKind::Timeline { sources, limit: tile.limit })
    }

    fn rules(&self, tile: &tiles::Rules) -> Option<TileKind> {
        let of = self.needs_record()?;
        let at = self.at.key("decision");
        if !self.context.refers(Kind::Decision, &tile.decision, &at) {
            return None;
        }
        let decision = &self.context.documents.decisions.get(tile.decision.as_str())?.body;
        if decision.form != **of {
            let message = format!("`{}` decides about `{}`, this board is for `{of}`", tile.decision, decision.form);
            self.context.error("FW0403", &at, message);
            return None;
        }
        let mut actions = IndexMap::new();
        for (rule, action) in &tile.actions {
            let at = self.at.key("actions").key(rule);
            if !decision.rules.contains_key(rule) {
                let noun = format!("rule of `{}`", tile.decision);
                self.context.unknown("FW0401", &at, &noun, rule, decision.rules.keys().map(String::as_str));
                continue;
            }
            let files = match &action.form {
                Some(form) => self.preset(form, &action.set, &at),
                None if action.set.is_empty() => None,
                None => {
                    self.context.error("FW0405", &at.key("set"), "`set` fills a new record: name its `form`");
                    None
                }
            };
            let label = self.context.text(&action.label, &at.key("label"));
            let reason = self.context.text(&action.reason, &at.key("reason"));
            actions.insert(Key::from(rule.as_str()), ProposedAction { label, reason, files });
        }
        if let Some(rule) = decision.rules.keys().find(|rule| !tile.actions.contains_key(*rule)) {
            let message = format!("the rule `{rule}` of `{}` has no action", tile.decision);
            let hint = format!("say what to do where it hits: `\"{rule}\": {{\"label\": …, \"reason\": …}}`");
            self.context.error_hint("FW0401", &self.at.key("actions"), message, hint);
        }
        Some(TileKind::Rules { decision: tile.decision.as_str().into(), actions })
    }

    fn preset(&self, form: &str, set: &tiles::Presets, at: &At) -> Option<Preset> {
        if !self.context.refers(Kind::Form, form, &at.key("form")) {
            return None;
        }
        let form = Key::from(form);
        let table = self.context.shapes.tables.get(&TableRef::form(&form))?;
        let scope = self.preset_scope();
        let mut presets = IndexMap::new();
        for (key, given) in set {
            let at = at.key("set").key(key);
            let Some(field) = table.fields.get(key.as_str()) else {
                let noun = format!("field of `{form}`");
                self.context.unknown("FW0401", &at, &noun, key, table.fields.keys().map(|key| &**key));
                continue;
            };
            if !self.is_typed(&form, key) || matches!(field.ty, Type::Rows(_)) {
                self.context.error("FW0403", &at, format!("`{form}.{key}` is not for typing in"));
                continue;
            }
            if let Some(setting) = self.context.setting(given, &scope, &field.ty, &at) {
                presets.insert(Key::from(key.as_str()), setting);
            }
        }
        Some(Preset { form, set: presets })
    }

    /// Whether people may type the field: it is neither computed nor looked up nor numbered.
    fn is_typed(&self, form: &Key, field: &str) -> bool {
        let field = self.context.documents.forms.get(form).and_then(|form| form.body.fields.get(field));
        field.is_none_or(|field| {
            let made = matches!(field.options, fields::FieldOptions::Series(_) | fields::FieldOptions::Lookup(_));
            field.common.compute.is_none() && !made
        })
    }

    /// `record.x` of the board, and the user.
    fn preset_scope(&self) -> Scope<'_> {
        let scope = Scope::new(Position::Preset, self.context.shapes);
        match self.of {
            Some(of) => scope.row(Names::Record, TableRef::form(of)),
            None => scope,
        }
    }

    fn filter(&self, formula: Option<&crate::documents::common::Formula>, form: Option<Key>) -> Option<TileFilter> {
        let (formula, form) = (formula?, form?);
        let mut scope = self.context.scope(Position::Tile, &form);
        if let Some(of) = self.of {
            scope = scope.row(Names::Record, TableRef::form(of));
        }
        let at = self.at.key("where");
        let expr = self.context.check(formula, &scope, Some(&Type::Boolean), &at)?;
        let mut folds = false;
        expr.ir.walk(&mut |node| folds |= matches!(node, Ir::Fold(..)) && node.reads_frame(1));
        if folds {
            let hint = "give the form of the board a computed field, and compare that".to_owned();
            self.context.error_hint("FW0403", &at, "`record` cannot be used inside a list function here", hint);
            return None;
        }
        Some(TileFilter { form, expr })
    }

    /// The form whose records the metrics count, where one is known; nothing where a condition would have to be over two.
    fn counted_form<'m>(
        &self,
        metrics: impl IntoIterator<Item = &'m String>,
        is_narrowed: bool,
    ) -> Option<Option<Key>> {
        let counted = metrics.into_iter().flat_map(|metric| formula::counted(self.context, &metric.as_str().into()));
        let mut forms: Vec<Key> = counted.filter_map(|metric| self.form_of(&metric)).collect();
        forms.dedup();
        if let ([first, second, ..], true) = (forms.as_slice(), is_narrowed) {
            let message = format!("records of `{first}` and of `{second}` are counted: `where` can be over one form");
            self.context.error("FW0403", &self.at.key("where"), message);
            return None;
        }
        Some(forms.pop())
    }

    fn form_of(&self, metric: &str) -> Option<Key> {
        let metric = self.context.documents.metrics.get(metric)?;
        let dataset = self.context.documents.datasets.get(metric.body.common.dataset.as_deref()?)?;
        dataset.body.source.owner().map(Key::from)
    }

    fn range(&self, set: &tiles::Set) -> Option<Range> {
        let text = set.range.as_ref()?;
        report::range(self.context, text, &self.at.key("set").key("range"))
    }

    /// The form of the board's record; an error where the board has none.
    fn needs_record(&self) -> Option<&Key> {
        if self.of.is_none() {
            let message = format!("a tile `{}` is about the record of a board, and this board has none", self.word);
            let hint = "give the board `\"for\": \"<form>\"`".to_owned();
            self.context.error_at_key("FW0405", self.at, message, Some(hint));
        }
        self.of
    }
}
