//! Requests that carry an idempotency key: the same request gets the reply it got before.

use serde_json::Value as Json;

use formwork_core::{Rejection, RejectionKind};

use crate::codec::{Reader, reply_of};
use crate::dialect::{Bound, ColumnKind};
use crate::statement::{Row, Select};
use crate::{Committed, Failure};

/// The query for an earlier request.
pub(crate) fn stored_request(actor: &str, key: &str) -> Select {
    let sql = "SELECT hash, reply, seq FROM fw_request WHERE actor = $1 AND request_key = $2".to_owned();
    let params = vec![Bound::String(Some(actor.to_owned())), Bound::String(Some(key.to_owned()))];
    Select::new(sql, params, [ColumnKind::Text, ColumnKind::Json, ColumnKind::Integer])
}

/// The reply of an earlier request; refused where the request was another one.
pub(crate) fn committed_before(row: Row, hash: &str) -> Result<Committed, Failure> {
    let mut row = Reader::new(row);
    if row.text()? != hash {
        let title = "the idempotency key was used for another request";
        let rejection = Rejection::new(RejectionKind::Invalid, "idempotency_key_reused", title);
        return Err(Failure::Rejected(Box::new(rejection)));
    }
    let reply = reply_of(&row.document::<Json>()?)?;
    Ok(Committed { reply, seq: row.integer()?, replayed: true })
}
