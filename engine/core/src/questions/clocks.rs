//! The clocks of a record, as they stand now.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::Level;
use formwork_model::pack::sla::Sla;
use formwork_model::{Key, Pack};

use super::records::{existing, readable};
use super::tasks::PinnedPacks;
use crate::Stop;
use crate::access::Projection;
use crate::clock::{Clock, ClockState, Counting, Segment};
use crate::facts::{Facts, Need};
use crate::scene::{Completed, Context};
use crate::viewer::Viewer;
use crate::wire::instant_text;

/// The clocks of a record the viewer reads, what is due first in front: `{"items": [{"sla", "label", "workflow",
/// "instance", "cycle", "state", "runs", "budget_ms", "consumed_ms", "remaining_ms", "elapsed_ms", "paused_ms",
/// "started_at", "due_at", "next_rung_at", "stopped_at", "breached_at", "calendar", "provisional", "is_open", "turns_at",
/// "rungs": [{"key", "at" | null, "is_reached"}], "split": {value: consumed_ms}}]}`. A clock that shows in a field the
/// viewer does not read is not there for them.
pub fn record_clocks(
    pack: &Arc<Pack>,
    packs: &PinnedPacks,
    viewer: &Viewer,
    form: &Key,
    id: Uuid,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let projection = existing(pack, viewer, form)?;
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    readable(context, &projection, id)?;
    let place = (form.clone(), id);
    let (Some(clocks), Some(segments)) = (facts.clocks.get(&place), facts.clock_segments.get(&place)) else {
        let needs = vec![Need::Clocks(form.clone(), id), Need::ClockSegments(form.clone(), id)];
        return Err(Stop::Need(needs));
    };
    let mut shown: Vec<&Clock> = clocks.iter().collect();
    // What is still to be stopped first, and of that what is due first; then the newest.
    shown.sort_by_key(|clock| {
        let due = clock.due_at.map_or(i64::MAX, |due| due.timestamp_micros());
        (!clock.is_open(), if clock.is_open() { due } else { -clock.since.timestamp_micros() })
    });
    let teller = Teller { pack, packs, viewer, projection: &projection, at };
    let items = shown.into_iter().filter_map(|clock| teller.clock(clock, segments)).collect();
    Ok(json!({"items": Json::Array(items)}))
}

/// The clocks of many records that are still to be stopped, what is due first in front: `{record: [clock …]}`, clocks as in
/// [`record_clocks`] without `rungs` and `split`. Records the viewer does not read are not there.
pub fn open_clocks(
    pack: &Arc<Pack>,
    packs: &PinnedPacks,
    viewer: &Viewer,
    form: &Key,
    ids: &[Uuid],
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let projection = existing(pack, viewer, form)?;
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    let (mut needs, mut found) = (Vec::new(), serde_json::Map::new());
    let teller = Teller { pack, packs, viewer, projection: &projection, at };
    for id in ids {
        match readable(context, &projection, *id) {
            Ok(_) => {}
            Err(Stop::Need(more)) => {
                needs.extend(more);
                continue;
            }
            Err(_) => continue,
        }
        let Some(clocks) = facts.clocks.get(&(form.clone(), *id)) else {
            needs.push(Need::Clocks(form.clone(), *id));
            continue;
        };
        let mut open: Vec<&Clock> = clocks.iter().filter(|clock| clock.is_open()).collect();
        open.sort_by_key(|clock| clock.due_at.map_or(i64::MAX, |due| due.timestamp_micros()));
        let told: Vec<Json> = open.into_iter().filter_map(|clock| Some(teller.brief(clock)?.1)).collect();
        if !told.is_empty() {
            found.insert(id.to_string(), Json::Array(told));
        }
    }
    if needs.is_empty() { Ok(Json::Object(found)) } else { Err(Stop::Need(needs)) }
}

struct Teller<'a> {
    pack: &'a Arc<Pack>,
    packs: &'a PinnedPacks,
    viewer: &'a Viewer,
    projection: &'a Projection,
    at: DateTime<Utc>,
}

impl Teller<'_> {
    /// A clock with its rungs, and the time told apart.
    fn clock(&self, clock: &Clock, segments: &[Segment]) -> Option<Json> {
        let (sla, mut told) = self.brief(clock)?;
        let ahead = self.counting(clock).and_then(|counting| clock.ahead(sla, counting)).unwrap_or_default();
        let rungs = sla.rungs.keys().map(|key| {
            let at = ahead.iter().find(|(_, rung)| *rung == key).map(|(at, _)| instant_text(*at));
            json!({"key": key, "at": at, "is_reached": clock.fired.contains(key)})
        });
        told["rungs"] = rungs.collect();
        told["split"] = json!(split(clock, segments));
        Some(told)
    }

    /// A clock as it stands, if the viewer sees it.
    fn brief(&self, clock: &Clock) -> Option<(&Sla, Json)> {
        let (owner, sla) = self.definition(clock)?;
        if !self.is_seen(owner, clock, sla) {
            return None;
        }
        let counting = self.counting(clock);
        let consumed = match counting.filter(|_| clock.runs && clock.is_open()) {
            Some(counting) => clock.consumed_ms + counting.open_ms(clock.since, self.at).unwrap_or(0),
            None => clock.consumed_ms,
        };
        let is_bound = clock.state != ClockState::Unbound;
        let instant = |at: Option<DateTime<Utc>>| at.map(instant_text);
        let turns = counting.filter(|_| clock.runs && clock.is_open()).and_then(|counting| counting.turn(self.at));
        let told = json!({
            "sla": clock.sla,
            "label": sla.label.get(&self.viewer.language),
            "workflow": clock.workflow,
            "instance": clock.instance,
            "cycle": clock.cycle,
            "state": clock.state.name(),
            "runs": clock.runs,
            "budget_ms": is_bound.then_some(clock.budget_ms),
            "consumed_ms": consumed,
            "remaining_ms": (is_bound && clock.is_open()).then(|| clock.budget_ms - consumed),
            "elapsed_ms": clock.elapsed_ms(self.at),
            "paused_ms": clock.paused_ms + if clock.is_paused() { (self.at - clock.since).num_milliseconds() } else { 0 },
            "started_at": instant_text(clock.started_at),
            "due_at": instant(clock.due_at),
            "next_rung_at": instant(clock.next_rung_at),
            "stopped_at": instant(clock.stopped_at),
            "breached_at": instant(clock.breached_at),
            "calendar": clock.calendar,
            "calendar_label": clock.calendar.as_ref()
                .and_then(|key| self.pack.calendars().get(key)).map(|calendar| calendar.label.get(&self.viewer.language)),
            "provisional": clock.provisional,
            "is_open": turns.is_some_and(|(is_open, _)| is_open),
            "turns_at": turns.and_then(|(_, at)| at).map(instant_text),
        });
        Some((sla, told))
    }

    /// The clock in the version of its workflow that its instance is pinned to, else in the running one.
    fn definition(&self, clock: &Clock) -> Option<(&Arc<Pack>, &Sla)> {
        let packs = [self.pack].into_iter().chain(self.packs.values());
        packs.filter_map(|pack| Some((pack, pack.workflows().get(&clock.workflow)?.sla.get(&clock.sla)?))).next()
    }

    /// Whether the viewer reads the fields that the clock writes.
    fn is_seen(&self, owner: &Pack, clock: &Clock, sla: &Sla) -> bool {
        let form = owner.forms().get(&clock.record.0);
        [sla.due, sla.status].into_iter().flatten().all(|position| {
            let key = form.and_then(|form| form.fields.get(position)).map(|field| &field.key);
            let place = key.and_then(|key| self.projection.form().field(key)).map(|(place, _)| place);
            place.is_none_or(|place| self.projection.levels().field(place) >= Level::Read)
        })
    }

    fn counting(&self, clock: &Clock) -> Option<Counting<'_>> {
        let Some(key) = &clock.calendar else { return Some(Counting::Always(*self.pack.timezone())) };
        let version = self.packs.get(&clock.calendar_version).unwrap_or(self.pack);
        let calendar = version.calendars().get(key).or_else(|| self.pack.calendars().get(key))?;
        Some(Counting::Open(calendar))
    }
}

/// Open time by what it is told apart by; what runs now is not in it yet.
fn split(clock: &Clock, segments: &[Segment]) -> BTreeMap<String, i64> {
    let mut split = BTreeMap::new();
    let runs = segments.iter().filter(|segment| segment.clock == clock.id && segment.kind == "run");
    for segment in runs.filter(|segment| segment.split.is_some()) {
        *split.entry(segment.split.clone().unwrap_or_default()).or_insert(0) += segment.consumed_ms;
    }
    split
}
