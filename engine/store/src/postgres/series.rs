//! Series numbers, allotted in blocks outside the transaction, so that submissions never wait for one another's numbers.
//!
//! A node keeps what is left of its block; numbers of submissions that were refused are handed out again. Gaps come only
//! from a node that stops, and from a submission of which nobody knows whether it was committed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::{PgConnection, PgPool};

use super::run::{Counter, select};
use crate::Fault;
use crate::codec::Reader;
use crate::dialect::{Bound, ColumnKind};
use crate::load::SeriesKey;
use crate::statement::Select;

/// Numbers taken from the database at once.
const BLOCK: i64 = 32;

/// (pack, form, field, period).
type Counted = (String, SeriesKey);

/// The numbers at hand.
#[derive(Debug, Default)]
pub(super) struct Series {
    free: Mutex<HashMap<Counted, BTreeSet<i64>>>,
    /// One node fetches one block at a time.
    fetching: tokio::sync::Mutex<()>,
}

impl Series {
    /// The lowest number at hand, or the first of a new block.
    pub(super) async fn next(
        &self,
        pool: &PgPool,
        counter: &Counter,
        pack: &str,
        key: &SeriesKey,
    ) -> Result<i64, Fault> {
        let counted = (pack.to_owned(), key.clone());
        if let Some(number) = self.take(&counted) {
            return Ok(number);
        }
        let _alone = self.fetching.lock().await;
        if let Some(number) = self.take(&counted) {
            return Ok(number);
        }
        let last = fetch(pool, counter, pack, key).await?;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.entry(counted).or_default().extend(last - BLOCK + 2..=last);
        Ok(last - BLOCK + 1)
    }

    /// Numbers that were not used after all.
    pub(super) fn give_back(&self, pack: &str, numbers: &HashMap<SeriesKey, i64>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, number) in numbers {
            free.entry((pack.to_owned(), key.clone())).or_default().insert(*number);
        }
    }

    fn take(&self, counted: &Counted) -> Option<i64> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = free.get_mut(counted)?;
        let number = numbers.pop_first();
        if numbers.is_empty() {
            // Periods pass; what is used up is forgotten.
            free.remove(counted);
        }
        number
    }
}

async fn fetch(pool: &PgPool, counter: &Counter, pack: &str, key: &SeriesKey) -> Result<i64, Fault> {
    let acquired = pool.acquire().await;
    let mut connection = acquired.map_err(|error| Fault::of("taking numbers of a series", error))?;
    count_on(&mut connection, counter, pack, key, BLOCK).await
}

/// Counts on by so many, and returns the last number.
pub(super) async fn count_on(
    connection: &mut PgConnection,
    counter: &Counter,
    pack: &str,
    key: &SeriesKey,
    by: i64,
) -> Result<i64, Fault> {
    let sql = format!(
        "INSERT INTO fw_series (pack, form, field, period, last) VALUES ($1, $2, $3, $4, {by}) \
         ON CONFLICT (pack, form, field, period) DO UPDATE SET last = fw_series.last + {by} RETURNING last"
    );
    let params = [pack, &key.form, &key.field, &key.period].map(|text| Bound::String(Some(text.to_owned())));
    let block = Select::new(sql, params.to_vec(), [ColumnKind::Integer]);
    let rows = select(connection, counter, &block).await;
    let rows = rows.map_err(|error| Fault::of("taking numbers of a series", error))?;
    rows.into_iter().next().map_or_else(|| Err(Fault::new("a series without number")), |row| Reader::new(row).integer())
}
