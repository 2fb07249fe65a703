//! Clocks of a workflow: conditions, what they write, and the points on their way.

use indexmap::IndexMap;

use crate::diagnostic::At;
use crate::documents::Kind;
use crate::documents::common::Keyed;
use crate::documents::sla::{self as author, RebaseWord, ReopenWord};
use crate::expr::Type;
use crate::expr::duration::parse_iso;
use crate::pack::Setting;
use crate::pack::form::{Field, FieldKind};
use crate::pack::sla::{Again, BREACH, Rung, RungAt, STATES, Sla};
use crate::pack::workflow::Target;
use crate::{Key, Value};

use super::workflow::Flow;

/// Most percent of a budget a rung may stand at.
const PERCENT_MAX: u32 = 10_000;
/// Percent of the budget at which a clock is breached.
const WHOLE: u32 = 100;

/// Compiles the clocks; those that are not whole are left out.
pub(super) fn compile(flow: &Flow<'_, '_>, clocks: &Keyed<author::Sla>, at: &At) -> IndexMap<Key, Sla> {
    if !clocks.is_empty() && flow.form.is_none() {
        flow.context.error("FW0306", at, "a clock belongs to a record: say which form's, by `for`");
        return IndexMap::new();
    }
    let mut compiled: IndexMap<Key, Sla> = IndexMap::new();
    for (key, clock) in clocks {
        let at = at.key(key);
        let Some(sla) = one(flow, key, clock, &at) else { continue };
        for (place, word) in [(sla.due, "due"), (sla.status, "status")] {
            let of = |other: &&Sla| place.is_some() && [other.due, other.status].contains(&place);
            if let Some(other) = compiled.values().find(of) {
                let message = format!("the clock `{}` writes this field already", other.key);
                flow.context.error("FW0405", &at.key(word), message);
            }
        }
        compiled.insert(sla.key.clone(), sla);
    }
    compiled
}

fn one(flow: &Flow<'_, '_>, key: &str, clock: &author::Sla, at: &At) -> Option<Sla> {
    let context = flow.context;
    let scope = flow.scope();
    let condition = |formula, word| context.condition(formula, &scope, &at.key(word));
    let start_if = condition(Some(&clock.start_if), "startIf");
    let stop_if = condition(Some(&clock.stop_if), "stopIf");
    let pause_if = condition(clock.pause_if.as_ref(), "pauseIf");
    let cancel_if = condition(clock.cancel_if.as_ref(), "cancelIf");
    let budget = context.setting(&clock.budget, &scope, &Type::Duration, &at.key("budget"));
    let calendar = match &clock.calendar {
        None => None,
        Some(given) => Some(calendar(flow, given, at)?),
    };
    if clock.round.is_some() && clock.calendar.is_none() {
        context.error_at_key("FW0405", &at.key("round"), "`round` belongs to a `calendar`", None);
    }
    if clock.cycles == Some(true) && clock.on_reopen.is_some() {
        let message = "a clock with `cycles` begins anew by its `startIf`: `onReopen` has no meaning";
        context.error_at_key("FW0405", &at.key("onReopen"), message, None);
    }
    if calendar.is_some() && matches!(&budget, Some(Setting::Literal(Value::Duration(budget))) if budget.months != 0) {
        context.error("FW0313", &at.key("budget"), "a calendar has no months or years");
    }
    let rungs = rungs(flow, clock, at);
    Some(Sla {
        key: key.into(),
        label: context.text(&clock.label, &at.key("label")),
        start_if: start_if?,
        stop_if: stop_if?,
        pause_if,
        cancel_if,
        budget: budget?,
        calendar,
        day_end: clock.round.is_some(),
        due: clock.due.as_deref().and_then(|name| {
            let wanted = |field: &Field| matches!(field.kind, FieldKind::DateTime);
            written(flow, name, &at.key("due"), "holds no point in time", wanted)
        }),
        status: clock.status.as_deref().and_then(|name| {
            let message = format!("cannot hold every state of a clock: {}", STATES.join(", "));
            written(flow, name, &at.key("status"), &message, holds_states)
        }),
        rebases: clock.rebase != Some(RebaseWord::Never),
        again: match (clock.cycles, clock.on_reopen) {
            (Some(true), _) => Again::Cycle,
            (_, Some(ReopenWord::New)) => Again::New,
            _ => Again::Continue,
        },
        split: clock.split.as_deref().and_then(|name| {
            let (position, field) = field(flow, name, &at.key("split"))?;
            if !field.is_stored() || !field.kind.rows().is_empty() {
                let message = format!("the time cannot be told apart by `{name}`");
                context.error("FW0405", &at.key("split"), message);
            }
            Some(position)
        }),
        rungs,
    })
}

fn calendar(flow: &Flow<'_, '_>, given: &crate::documents::common::Given, at: &At) -> Option<Setting> {
    let at = at.key("calendar");
    let setting = flow.context.setting(given, &flow.scope(), &Type::Text, &at)?;
    match &setting {
        Setting::Literal(Value::Text(key)) if !flow.context.refers_as("FW0306", Kind::Calendar, key, &at) => None,
        _ => Some(setting),
    }
}

fn holds_states(field: &Field) -> bool {
    match &field.kind {
        FieldKind::Text { .. } => true,
        FieldKind::Choice { options, transitions, .. } => {
            transitions.is_none() && STATES.iter().all(|state| options.contains_key(*state))
        }
        _ => false,
    }
}

fn field<'f>(flow: &'f Flow<'_, '_>, name: &str, at: &At) -> Option<(usize, &'f Field)> {
    let form = flow.form?;
    let found = form.field(name);
    if found.is_none() {
        flow.context.unknown("FW0306", at, "field", name, form.fields.iter().map(|field| &*field.key));
    }
    found
}

/// A field that the clock writes.
fn written(flow: &Flow<'_, '_>, name: &str, at: &At, misfit: &str, fits: impl Fn(&Field) -> bool) -> Option<usize> {
    let (position, field) = field(flow, name, at)?;
    if field.is_derived() {
        flow.context.error("FW0308", at, format!("`{name}` follows from other fields and cannot be set"));
    } else if !fits(field) {
        flow.context.error("FW0405", at, format!("`{name}` {misfit}"));
    }
    Some(position)
}

/// FW0314: `breach` is there, at the whole budget, and no two are at one point.
fn rungs(flow: &Flow<'_, '_>, clock: &author::Sla, at: &At) -> IndexMap<Key, Rung> {
    let context = flow.context;
    let at = at.key("rungs");
    let mut rungs: IndexMap<Key, Rung> = IndexMap::new();
    for (key, rung) in &clock.rungs {
        let at = at.key(key);
        let step = rung.step.as_ref().map(|step| Target::Node(flow.step(step, &[], &at.key("do"))));
        let Some(point) = point(flow, &rung.at, &at.key("at")) else { continue };
        if clock.calendar.is_some() && matches!(point, RungAt::Due(after) if after.months != 0) {
            context.error("FW0313", &at.key("at"), "a calendar has no months or years");
        }
        if let Some((other, _)) = rungs.iter().find(|(_, other)| other.at == point) {
            context.error("FW0314", &at.key("at"), format!("`{other}` is at this point already"));
        }
        rungs.insert(Key::from(key.as_str()), Rung { at: point, step });
    }
    let is_cut = flow.is_cut_in(&at) || rungs.len() != clock.rungs.len();
    match rungs.get(BREACH) {
        Some(breach) if breach.at != RungAt::Percent(WHOLE) => {
            context.error("FW0314", &at.key(BREACH).key("at"), "`breach` is at `100%`: that is when the time is up");
        }
        None if !is_cut => {
            let hint = Some("add `\"breach\": {\"at\": \"100%\"}`".to_owned());
            context.error_at_key("FW0314", &at, "the rung `breach` is missing", hint);
        }
        _ => {}
    }
    rungs
}

fn point(flow: &Flow<'_, '_>, text: &str, at: &At) -> Option<RungAt> {
    let point = match text.strip_suffix('%') {
        Some(percent) => {
            percent.parse().ok().filter(|percent| (1..=PERCENT_MAX).contains(percent)).map(RungAt::Percent)
        }
        None => parse_iso(text).map(|after| match after == crate::value::Duration::default() {
            true => RungAt::Percent(WHOLE),
            false => RungAt::Due(after),
        }),
    };
    if point.is_none() {
        let hint = Some("write `80%`, or `-PT1H` for an hour before it is due".to_owned());
        flow.context.error_hint("FW0402", at, format!("`{text}` is no point on the way"), hint);
    }
    point
}
