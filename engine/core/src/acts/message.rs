//! An event from outside: every instance that waits for it goes on, all in one transaction.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::pack::MessageKind;
use formwork_model::{Key, Value};

use super::task::pinned;
use super::timer::{Found, session};
use crate::Stop;
use crate::change::Reply;
use crate::facts::Need;
use crate::form::{Session, gather, invalid};
use crate::instance::{Instance, InstanceStatus, Subscription};
use crate::messages::message as sentence;
use crate::rejection::{FieldError, RejectionKind};
use crate::turn::Turn;
use crate::viewer::ViewerKind;
use crate::wire;
use crate::workflow::Run;

/// Longest id of a message, in characters.
const ID_MAX: usize = 200;

/// See the module. An id that was taken in before changes nothing.
pub(crate) fn message(
    turn: &mut Turn<'_>,
    name: &Key,
    key: &str,
    id: Option<&str>,
    data: &Map<String, Json>,
) -> Result<(), Stop> {
    let Some(kind) = turn.context.pack.messages().get(name).filter(|kind| may_send(turn, kind)) else {
        return Err(turn.refuse(RejectionKind::NotFound, "message_not_found"));
    };
    let carried = carried(turn, kind, data)?;
    if let Some(id) = id {
        if id.is_empty() || id.chars().count() > ID_MAX {
            return Err(turn.refuse(RejectionKind::Malformed, "malformed"));
        }
        let place = (name.clone(), id.to_owned());
        match turn.context.facts.messages.get(&place) {
            None => return Err(Stop::Need(vec![Need::Message(place.0, place.1)])),
            Some(true) => {
                turn.change.reply = Reply::Message(None);
                return Ok(());
            }
            Some(false) => turn.change.messages.push((place.0, place.1, turn.context.at)),
        }
    }
    let taken = hear(turn, name, key, &carried)?;
    turn.change.reply = Reply::Message(Some(taken));
    Ok(())
}

/// Whoever waits for that goes on. How many did.
pub(super) fn hear(turn: &mut Turn<'_>, name: &Key, key: &str, carried: &IndexMap<Key, Value>) -> Result<u32, Stop> {
    let place = (name.clone(), key.to_owned());
    let Some(waiting) = turn.context.facts.subscriptions.get(&place) else {
        return Err(Stop::Need(vec![Need::Subscriptions { name: place.0, key: place.1 }]));
    };
    deliver(turn, waiting, carried)
}

fn may_send(turn: &Turn<'_>, kind: &MessageKind) -> bool {
    let actor = turn.actor();
    actor.kind == ViewerKind::System || kind.from.iter().any(|role| actor.has_role(role))
}

/// What the message carries, by its declaration; nothing else.
fn carried(turn: &Turn<'_>, kind: &MessageKind, data: &Map<String, Json>) -> Result<IndexMap<Key, Value>, Stop> {
    let language = &turn.actor().language;
    let mut errors = Vec::new();
    let mut error = |key: &str, code: &str, limit: &str| {
        let message = sentence(language, code, key, limit);
        errors.push(FieldError { code: code.to_owned(), pointer: format!("/data/{key}"), message, hint: None });
    };
    for key in data.keys().filter(|key| !kind.data.contains_key(key.as_str())) {
        error(key, "unknown_field", "");
    }
    let mut carried = IndexMap::new();
    for (key, ty) in &kind.data {
        let json = data.get(&**key).unwrap_or(&Json::Null);
        match wire::parse_as(turn.context.pack, ty, json) {
            Some(value) => {
                carried.insert(key.clone(), value);
            }
            None => error(key, "wrong_type", &format!("{ty}")),
        }
    }
    match errors.is_empty() {
        true => Ok(carried),
        false => Err(Box::new(invalid(language, errors)).into()),
    }
}

/// Each instance consumes the message once, by the event that has waited longest. How many did.
fn deliver<'a>(turn: &mut Turn<'a>, waiting: &[Subscription], carried: &IndexMap<Key, Value>) -> Result<u32, Stop> {
    let instances = running(turn, waiting)?;
    let mut sessions: Vec<((Key, Uuid), Session<'a>)> = Vec::new();
    let mut needs = Vec::new();
    for instance in instances.iter().filter(|instance| instance.record.is_some()) {
        let known = |place: &(Key, Uuid)| sessions.iter().any(|(known, _)| known == place);
        if instance.record.as_ref().is_some_and(known) {
            continue;
        }
        if let Some(Found::Session(session)) = gather(&mut needs, session(turn, instance))? {
            sessions.extend(instance.record.clone().map(|place| (place, *session)));
        }
    }
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    let mut taken = 0;
    for instance in instances {
        let place = instance.record.as_ref();
        let session = sessions.iter_mut().find(|(known, _)| Some(known) == place).map(|(_, session)| session);
        if place.is_some() && session.is_none() {
            continue;
        }
        let mine = waiting.iter().filter(|subscription| subscription.instance == instance.id);
        taken += u32::from(take(turn, instance, session, mine, carried)?);
    }
    for (_, session) in &mut sessions {
        turn.write_or_refuse(session)?;
    }
    Ok(taken)
}

/// The instances that wait and run, each once.
fn running<'a>(turn: &Turn<'a>, waiting: &[Subscription]) -> Result<Vec<&'a Instance>, Stop> {
    let facts = turn.context.facts;
    let (mut ids, mut needs): (Vec<Uuid>, Vec<Need>) = (Vec::new(), Vec::new());
    for subscription in waiting.iter().filter(|waiting| waiting.pack == *turn.context.pack.key()) {
        let id = subscription.instance;
        if !ids.contains(&id) {
            ids.push(id);
            if !facts.instances.contains_key(&id) {
                needs.push(Need::Instance(id));
            }
        }
    }
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    let found = ids.into_iter().filter_map(|id| facts.instances.get(&id)?.as_ref());
    Ok(found.filter(|instance| instance.status == InstanceStatus::Running).collect())
}

fn take<'a, 's>(
    turn: &mut Turn<'a>,
    instance: &Instance,
    session: Option<&mut Session<'a>>,
    waiting: impl Iterator<Item = &'s Subscription>,
    carried: &IndexMap<Key, Value>,
) -> Result<bool, Stop> {
    let (pack, workflow) = pinned(turn, instance)?;
    let mut running = instance.clone();
    running.revision += 1;
    let mut run = Run::new(turn, pack, workflow, session, running);
    for subscription in waiting {
        match run.receive(subscription.activation, &subscription.event, carried.clone()) {
            Ok(false) => {}
            result => return run.finish(result.map(|_| ())).map(|_| true),
        }
    }
    Ok(false)
}
