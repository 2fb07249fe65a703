//! The clocks of a form's workflows as a table that datasets read: one row a clock, in one of its cycles.

use indexmap::IndexMap;

use crate::documents::common::Keyed;
use crate::expr::ir::Slot;
use crate::expr::scope::{FieldShape, TableShape};
use crate::expr::{TableRef, Type};
use crate::pack::analytics::clocks_key;
use crate::pack::form::{ChoiceOption, Field, FieldKind, Form, FormKind, Mask, OnDelete, WhenHidden};
use crate::pack::sla::STATES;
use crate::{Key, Text};

use super::load::Documents;

/// The words of a state, as pages show them.
const STATE_WORDS: [(&str, &str); 6] = [
    ("Nothing to keep", "无时限"),
    ("Running", "计时中"),
    ("Paused", "已暂停"),
    ("Met", "已达成"),
    ("Breached", "已超时"),
    ("Cancelled", "已取消"),
];

/// The table of the clocks of that form; none where no workflow of it has one.
pub(super) fn form(documents: &Documents, of: &Key) -> Option<Form> {
    let mut slas = IndexMap::new();
    for workflow in documents.workflows.values().filter(|workflow| workflow.body.form.as_deref() == Some(&**of)) {
        slas.extend(options(&workflow.body.sla));
    }
    if slas.is_empty() {
        return None;
    }
    let states = STATES.iter().zip(STATE_WORDS);
    let states = states.map(|(key, (english, chinese))| (Key::from(*key), option(words(english, chinese))));
    let integer = || FieldKind::Integer { min: None, max: None };
    let link = FieldKind::Link { ty: Type::Link(of.clone()), filter: None, on_delete: OnDelete::Restrict };
    let fields = [
        ("record", "Record", "记录", link),
        ("sla", "Clock", "时钟", choice(slas)),
        ("cycle", "Cycle", "轮次", integer()),
        ("state", "State", "状态", choice(states.collect())),
        ("budget", "Budget", "时限", integer()),
        ("consumed", "Time used", "已用时间", integer()),
        ("wall", "Time passed", "历时", integer()),
        ("paused", "Time paused", "暂停时间", integer()),
        ("split", "Part", "分段", FieldKind::Text { max: 1_000, pattern: None }),
        ("started", "Started", "开始", FieldKind::DateTime),
        ("due", "Due", "到期", FieldKind::DateTime),
        ("stopped", "Stopped", "停止", FieldKind::DateTime),
        ("breached", "Breached", "超时", FieldKind::DateTime),
        ("settled", "Settled", "判定", FieldKind::DateTime),
    ];
    let fields = fields.into_iter().map(|(key, english, chinese, kind)| field(key, words(english, chinese), kind));
    Some(Form {
        key: clocks_key(of),
        kind: FormKind::Log,
        label: words("Clocks", "时钟"),
        title: None,
        was: Vec::new(),
        fields: fields.collect(),
        natural_key: Vec::new(),
        rules: IndexMap::new(),
        uniques: IndexMap::new(),
        indexes: Vec::new(),
        access: IndexMap::new(),
        views: IndexMap::new(),
        layout: IndexMap::new(),
        public: None,
        compute_order: Vec::new(),
    })
}

/// The same for expressions.
pub(super) fn shape(form: &Form) -> (TableRef, TableShape) {
    let shape = |(index, field): (usize, &Field)| {
        let ty = field.ty().clone();
        (field.key.clone(), FieldShape { slot: Slot::Field(index), ty, backlink: None, stored: true, bound: None })
    };
    let fields = form.fields.iter().enumerate().map(shape).collect();
    (TableRef::form(&form.key), TableShape { fields })
}

fn options(slas: &Keyed<crate::documents::sla::Sla>) -> impl Iterator<Item = (Key, ChoiceOption)> + '_ {
    slas.iter().map(|(key, sla)| (Key::from(key.as_str()), option(sla.label.clone())))
}

fn option(label: Text) -> ChoiceOption {
    ChoiceOption { label, was: Vec::new() }
}

fn choice(options: IndexMap<Key, ChoiceOption>) -> FieldKind {
    let ty = Type::Choice(options.keys().cloned().collect());
    FieldKind::Choice { ty, options, transitions: None }
}

fn field(key: &str, label: Text, kind: FieldKind) -> Field {
    Field {
        key: key.into(),
        label,
        help: None,
        kind,
        required: false,
        required_if: None,
        visible_if: None,
        read_only: true,
        read_only_if: None,
        when_hidden: WhenHidden::Keep,
        default: None,
        compute: None,
        tags: Vec::new(),
        mask: Mask::default(),
        was: Vec::new(),
    }
}

fn words(english: &str, chinese: &str) -> Text {
    let languages = [("en".to_owned(), english.to_owned()), ("zh-CN".to_owned(), chinese.to_owned())];
    Text::Languages(languages.into_iter().collect())
}
