//! One file per act: what a stimulus means, in terms of form sessions and workflow runs.

mod answer;
mod clocks;
mod comment;
mod create;
mod delete;
mod instance;
mod judge;
mod message;
mod scheduled;
mod start;
mod task;
mod timer;
mod undo;
mod update;
mod upsert;

pub(crate) use answer::answer;
pub(crate) use clocks::clocks;
pub(crate) use comment::comment;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use instance::instance;
pub(crate) use judge::judge;
pub(crate) use message::message;
pub(crate) use scheduled::scheduled;
pub(crate) use start::start;
pub(crate) use task::{pinned, task};
pub(crate) use timer::timer;
pub(crate) use undo::undo;
pub(crate) use update::update;
pub(crate) use upsert::upsert;

use uuid::Uuid;

use formwork_model::Key;

use crate::Stop;
use crate::access::{Projection, not_for};
use crate::record::Record;
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::viewer::ViewerKind;

/// The actor's projection of a form they may know of.
fn projection(turn: &Turn<'_>, form: &Key) -> Result<Projection, Stop> {
    let pack = turn.context.pack;
    let found = pack.forms().contains_key(form).then(|| Projection::new(pack, form, turn.actor(), None));
    match found.filter(Projection::exists) {
        Some(projection) => Ok(projection),
        None if turn.actor().kind == ViewerKind::Public => Err(forbidden(turn)),
        None => Err(turn.refuse(RejectionKind::NotFound, "form_not_found")),
    }
}

/// A stored record the actor may know of, and the same completed. Others are told that it does not exist.
fn known<'a>(turn: &Turn<'a>, projection: &Projection, id: Uuid) -> Result<(&'a Record, &'a Record), Stop> {
    let form = &projection.form().key;
    let (stored, full) = (turn.context.stored(form, id)?, turn.context.record(form, id)?);
    match (stored, full) {
        (Some(stored), Some(full)) if projection.reads(turn.context, full)? => Ok((stored, full)),
        _ => Err(turn.refuse(RejectionKind::NotFound, "record_not_found")),
    }
}

fn forbidden(turn: &Turn<'_>) -> Stop {
    Box::new(not_for(turn.actor())).into()
}
