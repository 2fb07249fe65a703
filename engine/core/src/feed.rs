//! A row of a file and the records it feeds: decided one after the other, each seeing what the ones before it made, and
//! written together or not at all.
//!
//! ```text
//! facts ─► upsert the first ─► facts + what it made ─► upsert the second ─► … ─► one change set
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::{Key, Pack, Value};

use crate::change::{ChangeSet, FedRecord, FedRow, RecordChange, Reply, Written};
use crate::facts::{Facts, Need};
use crate::form::invalid;
use crate::ids::Ids;
use crate::instance::InstanceStatus;
use crate::rejection::{FieldError, RejectionKind};
use crate::scene::{Completed, Context};
use crate::stimulus::{Act, Effects, Feeding, Mark, Stimulus};
use crate::turn::Turn;
use crate::{Stop, acts, wire};

/// A number no series has come to: what a row that is only looked at is numbered with.
const NUMBER_FORESEEN: i64 = 1_000_000_000_000_000;

/// One row being decided.
pub(crate) struct Row<'a> {
    pub(crate) pack: &'a Arc<Pack>,
    pub(crate) packs: &'a HashMap<String, Arc<Pack>>,
    pub(crate) stimulus: &'a Stimulus,
    pub(crate) at: DateTime<Utc>,
    /// What is known, and what the records before made of it.
    known: Facts,
    ids: Ids,
    change: ChangeSet,
}

impl<'a> Row<'a> {
    pub(crate) fn new(
        pack: &'a Arc<Pack>,
        packs: &'a HashMap<String, Arc<Pack>>,
        stimulus: &'a Stimulus,
        at: DateTime<Utc>,
        facts: &Facts,
    ) -> Self {
        let ids = Ids::new(at, stimulus.seed);
        Self { pack, packs, stimulus, at, known: facts.clone(), ids, change: ChangeSet::default() }
    }

    /// See [`Act::Feed`].
    pub(crate) fn feed(
        mut self,
        entries: &[Feeding],
        effects: Effects,
        mark: Option<&Mark>,
    ) -> Result<ChangeSet, Stop> {
        let (mut fed, mut needs, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            let mut values = entry.values.clone();
            let linked = entry.links.iter().all(|(field, to)| match fed.get(*to) {
                Some(Some(FedRecord { id, .. })) => values.insert(field.to_string(), json!(id)).is_none(),
                _ => false,
            });
            // What waits for a record that lacks facts or was refused says nothing of its own.
            let done = match linked {
                true => self.one(|turn| acts::upsert(turn, &entry.form, &entry.by, &values, effects)),
                false => Ok(None),
            };
            match done {
                Ok(done) => fed.push(done),
                Err(Stop::Need(more)) => {
                    needs.extend(more);
                    fed.push(None);
                }
                Err(Stop::Reject(rejection)) if rejection.kind == RejectionKind::Invalid => {
                    errors.extend(rejection.errors.into_iter().map(|error| match entries.len() {
                        1 => error,
                        _ => FieldError { pointer: format!("/{}{}", entry.form, error.pointer), ..error },
                    }));
                    fed.push(None);
                }
                Err(stop) => return Err(stop),
            }
        }
        if !needs.is_empty() {
            return Err(Stop::Need(needs));
        }
        if !errors.is_empty() {
            return Err(Box::new(invalid(&self.stimulus.actor.language, errors)).into());
        }
        let records: Vec<FedRecord> = fed.into_iter().flatten().collect();
        Ok(self.finish(outcome(&records), records, mark))
    }

    /// See [`Act::Unfeed`]: what was done last is taken back first.
    pub(crate) fn unfeed(mut self, records: &[FedRecord], mark: &Mark) -> Result<ChangeSet, Stop> {
        let mut undone = Vec::new();
        for record in records.iter().rev() {
            let (form, id, version) = (&record.form, record.id, Some(record.version));
            let done = match (record.outcome, &record.before) {
                (Written::Unchanged, _) => continue,
                (Written::Created, _) => self.one(|turn| acts::delete(turn, form, id, version))?,
                (Written::Updated, Some(before)) => self.one(|turn| acts::update(turn, form, id, version, before))?,
                (Written::Updated, None) => return Err(self.cannot_be_restored()),
            };
            undone.extend(done);
        }
        Ok(self.finish("undone", undone, Some(mark)))
    }

    fn cannot_be_restored(&self) -> Stop {
        let language = &self.stimulus.actor.language;
        let title = crate::messages::message(language, "not_restorable", "", "");
        Box::new(crate::Rejection::new(RejectionKind::Conflict, "not_restorable", title)).into()
    }

    /// Decides one record over what is known so far; what it changes is known to the next. What became of the record,
    /// none where it is gone.
    fn one(&mut self, act: impl FnOnce(&mut Turn<'_>) -> Result<(), Stop>) -> Result<Option<FedRecord>, Stop> {
        let (kept, pinned) = (Completed::default(), Completed::default());
        let mut turn = Turn {
            context: Context::new(self.pack, &self.known, self.at, &self.stimulus.actor, &kept),
            packs: self.packs,
            pinned: &pinned,
            ids: self.ids.clone(),
            change: ChangeSet::default(),
        };
        match act(&mut turn) {
            Err(Stop::TooMany(too_many)) => {
                return Err(Box::new(too_many.refusal(self.pack, &self.stimulus.actor.language)).into());
            }
            done => done?,
        }
        let Turn { ids, change, .. } = turn;
        self.ids = ids;
        for record in &change.records {
            learn(&mut self.known, self.pack, record);
        }
        learn_work(&mut self.known, &change);
        let done = match &change.reply {
            Reply::Record { form, id, version, outcome } => Some(FedRecord {
                form: form.clone(),
                id: *id,
                version: *version,
                outcome: *outcome,
                before: before(self.pack, *id, &change.records),
            }),
            _ => None,
        };
        self.change.absorb(change);
        Ok(done)
    }

    fn finish(mut self, outcome: &'static str, records: Vec<FedRecord>, mark: Option<&Mark>) -> ChangeSet {
        self.change.reply = Reply::Fed(records.clone());
        self.change.fed = mark.map(|mark| FedRow { mark: mark.clone(), outcome, records });
        self.change
    }
}

/// What feeding a row would come to: decided, and never written. Series are not counted on for it.
///
/// # Errors
/// As [`crate::decide`].
pub fn foresee(
    pack: &Arc<Pack>,
    packs: &HashMap<String, Arc<Pack>>,
    stimulus: &Stimulus,
    facts: &Facts,
) -> Result<Reply, Stop> {
    let mut known = facts.clone();
    loop {
        let Act::Feed { entries, effects, .. } = &stimulus.act else {
            return Err(Stop::Fault("only rows of files are foreseen".to_owned()));
        };
        let row = Row::new(pack, packs, stimulus, stimulus.at.trunc_subsecs(6), &known);
        let needs = match row.feed(entries, *effects, None) {
            Err(Stop::Need(needs)) => needs,
            done => return done.map(|change| change.reply),
        };
        let (series, others): (Vec<Need>, Vec<Need>) =
            needs.into_iter().partition(|need| matches!(need, Need::Series { .. }));
        if series.is_empty() {
            return Err(Stop::Need(others));
        }
        for need in series {
            if let Need::Series { form, field, period } = need {
                known.series.insert((form, field, period), NUMBER_FORESEEN);
            }
        }
    }
}

/// What becomes of a row: the most that became of any of its records.
pub fn outcome(records: &[FedRecord]) -> &'static str {
    let any = |outcome: Written| records.iter().any(|record| record.outcome == outcome);
    match (any(Written::Created), any(Written::Updated)) {
        (true, _) => "created",
        (_, true) => "updated",
        _ => "unchanged",
    }
}

/// The facts as they are after the change.
fn learn(facts: &mut Facts, pack: &Pack, change: &RecordChange) {
    let id = change.id();
    facts.add_record(change.form.clone(), id, change.after.clone());
    let Some(form) = pack.forms().get(&change.form) else { return };
    for ((of, link, to), rows) in &mut facts.backlinks {
        if *of != change.form {
            continue;
        }
        rows.retain(|row| row.id != id);
        let holds = |after: &&crate::Record| {
            let value = form.field(link).and_then(|(position, _)| after.values.get(position));
            value.and_then(Value::as_id) == Some(*to)
        };
        rows.extend(change.after.as_ref().filter(holds).map(|after| Arc::new(after.clone())));
    }
}

/// The instances and clocks as they are after the change, of records whose were asked for.
fn learn_work(facts: &mut Facts, change: &ChangeSet) {
    for instance in &change.instances {
        let Some(known) = instance.record.as_ref().and_then(|record| facts.record_instances.get_mut(record)) else {
            continue;
        };
        known.retain(|known| known.id != instance.id);
        if matches!(instance.status, InstanceStatus::Running | InstanceStatus::Failed) {
            known.push(instance.clone());
        }
    }
    for clock in &change.clocks {
        if let Some(known) = facts.clocks.get_mut(&clock.record) {
            known.retain(|known| known.id != clock.id);
            known.push(clock.clone());
        }
    }
}

/// The values the record had before it was changed; none where it was not, or holds rows that changed.
fn before(pack: &Pack, id: Uuid, changes: &[RecordChange]) -> Option<Map<String, Json>> {
    let change = changes.iter().find(|change| change.id() == id)?;
    let (old, new) = (change.before.as_ref()?, change.after.as_ref()?);
    let fields = &pack.forms().get(&change.form)?.fields;
    let changed = fields.iter().enumerate().filter(|(place, field)| {
        !field.is_derived() && field.is_stored() && old.values.get(*place) != new.values.get(*place)
    });
    changed
        .map(|(place, field)| match old.values.get(place)? {
            Value::Rows(_) => None,
            value => Some((field.key.to_string(), wire::render(value, field.ty()))),
        })
        .collect()
}

/// The key of a form and the rest of a pointer into a row that feeds several.
pub fn split_pointer(pointer: &str) -> Option<(Key, &str)> {
    let rest = pointer.strip_prefix('/')?;
    let (form, _) = rest.split_once('/')?;
    Some((form.into(), &rest[form.len()..]))
}
