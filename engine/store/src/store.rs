//! [`Store`], written once over what the engines do differently.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::change::{Event, OutboxMessage};
use formwork_core::clock::Clock;
use formwork_core::eval::{self, Environment};
use formwork_core::stimulus::Pass;
use formwork_core::trace::Trace;
use formwork_core::{Record, Viewer};
use formwork_model::expr::Ir;
use formwork_model::{Key, Pack};

use crate::codec::{self, DEPLOYMENT, EVENT, Reader};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_instant};
use crate::engine::{Command, Engine};
use crate::load::{Context, Load, Locking, RecordLoad, page};
use crate::statement::Select;
use crate::{
    Backlog, Change, ClaimedMessage, Committed, Delivery, Deploy, DeployFailure, Deployment, DueTimer, Failure, Fault,
    ImportJob, ImportRow, ImportRows, Kept, Migration, NotTogether, Question, StoppedInstance, Store, Submission, User,
    Waiting, backlog, clocks, imports, kept, people, work, write,
};

#[async_trait]
impl<E: Engine> Store for E {
    fn engine(&self) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
    }

    async fn submit(&self, submission: Submission) -> Result<Committed, Failure> {
        self.transact(submission).await
    }

    async fn submit_together(&self, submissions: Vec<Submission>) -> Result<Vec<Committed>, NotTogether> {
        self.transact_together(submissions).await
    }

    async fn ask(&self, pack: &Arc<Pack>, question: Question) -> Result<Json, Failure> {
        self.answer(pack, question).await
    }

    async fn seq(&self) -> Result<i64, Fault> {
        first_integer(self.rows(newest_change(self.dialect())).await?)
    }

    async fn written_seq(&self) -> Result<i64, Fault> {
        let sql = match self.dialect() {
            Dialect::Sqlite => "SELECT coalesce(max(seq), 0) FROM fw_change",
            Dialect::Postgres => "SELECT coalesce(max(txid), 0) FROM fw_change",
        };
        first_integer(self.rows(Select::new(sql.to_owned(), Vec::new(), [ColumnKind::Integer])).await?)
    }

    async fn migration(&self, deployed: Option<&Pack>, wanted: &Pack) -> Result<Migration, Fault> {
        crate::deployment::migration(self, deployed, wanted).await
    }

    async fn deploy(&self, deploy: Deploy<'_>) -> Result<i64, DeployFailure> {
        let number = self.migrate(deploy).await?;
        self.layouts().deployed(number);
        Ok(number)
    }

    async fn newest_deployment(&self) -> Result<i64, Fault> {
        let sql = "SELECT coalesce(max(number), 0) FROM fw_deployment".to_owned();
        first_integer(self.rows(Select::new(sql, Vec::new(), [ColumnKind::Integer])).await?)
    }

    async fn running(&self, pack: &str) -> Result<Vec<(Key, u64)>, Fault> {
        let sql = "SELECT workflow, count(*) FROM fw_instance WHERE pack = $1 AND status IN ('running', 'failed') \
                   GROUP BY workflow ORDER BY workflow"
            .to_owned();
        let params = vec![Bound::String(Some(pack.to_owned()))];
        let rows = self.rows(Select::new(sql, params, [ColumnKind::Text, ColumnKind::Integer])).await?;
        let counted = |row| {
            let mut row = Reader::new(row);
            Ok((row.key()?, u64::try_from(row.integer()?).unwrap_or_default()))
        };
        rows.into_iter().map(counted).collect()
    }

    async fn deployments(&self) -> Result<Vec<Deployment>, Fault> {
        let sql = format!(
            "SELECT {} FROM fw_deployment WHERE number IN (SELECT max(number) FROM fw_deployment GROUP BY pack) \
             OR number IN (SELECT max(number) FROM fw_deployment WHERE hash IN \
             (SELECT pack_hash FROM fw_instance WHERE status IN ('running', 'failed') UNION \
             SELECT calendar_version FROM fw_clock WHERE stopped_at IS NULL AND calendar IS NOT NULL) GROUP BY hash) ORDER BY number",
            DEPLOYMENT.columns
        );
        let rows = self.rows(Select::new(sql, Vec::new(), DEPLOYMENT.kinds)).await?;
        let mut deployments = rows.into_iter().map(codec::deployment).collect::<Result<Vec<_>, _>>()?;
        for deployment in &mut deployments {
            let sql = "SELECT path, content FROM fw_deployment_file WHERE number = $1 ORDER BY path".to_owned();
            let params = vec![Bound::BigInt(Some(deployment.number))];
            let rows = self.rows(Select::new(sql, params, [ColumnKind::Text, ColumnKind::Text])).await?;
            let file = |row| {
                let mut row = Reader::new(row);
                Ok((row.text()?, row.text()?))
            };
            deployment.files = rows.into_iter().map(file).collect::<Result<_, Fault>>()?;
        }
        if let Some(newest) = deployments.last() {
            self.layouts().deployed(newest.number);
        }
        Ok(deployments)
    }

    async fn put_user(&self, user: &User) -> Result<(), Fault> {
        people::put_user(self, user).await
    }

    async fn user_by_login(&self, login: &str) -> Result<Option<User>, Fault> {
        people::user_by_login(self, login).await
    }

    async fn user(&self, id: Uuid) -> Result<Option<User>, Fault> {
        people::user(self, id).await
    }

    async fn users(&self) -> Result<Vec<User>, Fault> {
        people::users(self).await
    }

    async fn put_settings(&self, user: Uuid, language: Option<&str>, theme: Option<&str>) -> Result<(), Fault> {
        people::put_settings(self, user, language, theme).await
    }

    async fn keep(&self, kept: &Kept) -> Result<(), Fault> {
        kept::keep(self, kept).await
    }

    async fn kept(&self, owner: Uuid, kind: &str, scope: &str, name: &str) -> Result<Option<Kept>, Fault> {
        kept::kept(self, owner, kind, scope, name).await
    }

    async fn kept_in(&self, kind: &str, scope: &str) -> Result<Vec<Kept>, Fault> {
        kept::kept_in(self, kind, scope).await
    }

    async fn forget(&self, owner: Uuid, kind: &str, scope: &str, name: &str) -> Result<bool, Fault> {
        kept::forget(self, owner, kind, scope, name).await
    }

    async fn session(&self, token_hash: &str, at: DateTime<Utc>) -> Result<Option<User>, Fault> {
        people::session(self, token_hash, at).await
    }

    async fn end_session(&self, token_hash: &str) -> Result<(), Fault> {
        people::end_session(self, token_hash).await
    }

    async fn token(&self, token_hash: &str, at: DateTime<Utc>) -> Result<Option<(User, Vec<String>)>, Fault> {
        people::token(self, token_hash, at).await
    }

    async fn answer_of(&self, actor: Uuid, key: &str) -> Result<Option<(String, Option<Json>)>, Fault> {
        write::request::answer_of(self, actor, key).await
    }

    async fn keep_answer(
        &self,
        actor: Uuid,
        key: &str,
        hash: &str,
        answer: &Json,
        at: DateTime<Utc>,
    ) -> Result<(), Fault> {
        write::request::keep_answer(self, actor, key, hash, answer, at).await
    }

    async fn due_timers(
        &self,
        at: DateTime<Utc>,
        after: Option<(DateTime<Utc>, Uuid)>,
        limit: u32,
    ) -> Result<Vec<DueTimer>, Fault> {
        work::due_timers(self, at, after, limit).await
    }

    async fn waiting_on(&self, records: &[Uuid]) -> Result<Vec<Waiting>, Fault> {
        work::waiting_on(self, records).await
    }

    async fn demo_begun(&self, pack: &str) -> Result<Option<DateTime<Utc>>, Fault> {
        work::demo_begun(self, pack).await
    }

    async fn set_demo_begun(&self, pack: &str, day: Option<DateTime<Utc>>) -> Result<(), Fault> {
        work::set_demo_begun(self, pack, day).await
    }

    async fn calendars_counted(&self, pack: &str) -> Result<Vec<(Key, String)>, Fault> {
        clocks::calendars_counted(self, pack).await
    }

    async fn move_calendar(&self, pack: &str, calendar: &str, from: &str, to: &str) -> Result<(), Fault> {
        clocks::move_calendar(self, pack, calendar, from, to).await
    }

    async fn clocks(&self, pack: &str, form: &str, records: Option<&[Uuid]>) -> Result<(i64, Vec<Clock>), Fault> {
        // The number first: what changes in between is asked for again by whoever follows the log.
        let seq = first_integer(self.rows(newest_change(self.dialect())).await?)?;
        Ok((seq, clocks::all(self, pack, form, records).await?))
    }

    async fn clocks_counted_by(
        &self,
        pack: &str,
        calendar: &str,
        version: &str,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<(Uuid, Key, Uuid)>, Fault> {
        clocks::clocks_counted_by(self, pack, calendar, version, after, limit).await
    }

    async fn next_due(&self, at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Fault> {
        work::next_due(self, at).await
    }

    async fn due_channels(&self, at: DateTime<Utc>) -> Result<Vec<Key>, Fault> {
        work::due_channels(self, at).await
    }

    async fn claim_messages(
        &self,
        channel: &str,
        at: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedMessage>, Fault> {
        work::claim_messages(self, channel, at, lease_until, limit).await
    }

    async fn settle_message(
        &self,
        key: &str,
        epoch: i64,
        delivery: &Delivery,
        at: DateTime<Utc>,
    ) -> Result<bool, Fault> {
        work::settle_message(self, key, epoch, delivery, at).await
    }

    async fn messages(&self, limit: u32) -> Result<Vec<(OutboxMessage, String, i32, Option<String>)>, Fault> {
        work::messages(self, limit).await
    }

    async fn stopped_instances(&self, limit: u32) -> Result<Vec<StoppedInstance>, Fault> {
        crate::incidents::stopped(self, limit).await
    }

    async fn pack_of_instance(&self, id: Uuid) -> Result<Option<Key>, Fault> {
        crate::incidents::pack_of(self, id).await
    }

    async fn move_schedule(
        &self,
        pack: &str,
        workflow: &str,
        start: &str,
        from: Option<DateTime<Utc>>,
        to: DateTime<Utc>,
    ) -> Result<bool, Fault> {
        work::move_schedule(self, pack, workflow, start, from, to).await
    }

    async fn schedule(&self, pack: &str, workflow: &str, start: &str) -> Result<Option<DateTime<Utc>>, Fault> {
        work::schedule(self, pack, workflow, start).await
    }

    async fn ids(
        &self,
        pack: &Arc<Pack>,
        form: &str,
        filter: Option<&Ir>,
        at: DateTime<Utc>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Uuid>, Fault> {
        let layout = self.layout(pack).await?;
        let filter = filter.map(|filter| bound(pack, form, filter, at)).transpose()?;
        let form: Key = form.into();
        let select = page::ids(self.dialect(), pack, &layout, &form, filter.as_ref(), after, limit)?;
        self.rows(select).await?.into_iter().map(|row| Reader::new(row).id()).collect()
    }

    async fn put_import(&self, job: &ImportJob, parts: Vec<String>) -> Result<(), Fault> {
        imports::put(self, job, parts).await
    }

    async fn import_job(&self, id: Uuid) -> Result<Option<ImportJob>, Fault> {
        imports::job(self, id).await
    }

    async fn imports_of(&self, owner: Uuid, limit: u32) -> Result<Vec<ImportJob>, Fault> {
        imports::of_owner(self, owner, limit).await
    }

    async fn import_file(&self, id: Uuid) -> Result<Vec<String>, Fault> {
        imports::file(self, id).await
    }

    async fn step_import(
        &self,
        id: Uuid,
        from: &[&str],
        to: &str,
        settings: Option<&Json>,
        at: DateTime<Utc>,
    ) -> Result<bool, Fault> {
        imports::step(self, id, from, to, settings, at).await
    }

    async fn claim_import(&self, at: DateTime<Utc>, lease_until: DateTime<Utc>) -> Result<Option<ImportJob>, Fault> {
        imports::claim(self, at, lease_until).await
    }

    async fn free_imports(&self) -> Result<(), Fault> {
        imports::free(self).await
    }

    async fn beat_import(
        &self,
        job: &ImportJob,
        at: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Option<String>, Fault> {
        imports::beat(self, job, at, lease_until).await
    }

    async fn end_import(&self, job: &ImportJob, at: DateTime<Utc>) -> Result<bool, Fault> {
        imports::end(self, job, at).await
    }

    async fn note_import_rows(&self, id: Uuid, pass: Pass, rows: &[ImportRow]) -> Result<(), Fault> {
        imports::note(self, id, pass, rows).await
    }

    async fn forget_import_rows(&self, id: Uuid, pass: Pass) -> Result<(), Fault> {
        imports::forget(self, id, pass).await
    }

    async fn import_outcomes(&self, id: Uuid, pass: Pass) -> Result<Vec<(i64, String)>, Fault> {
        imports::outcomes(self, id, pass).await
    }

    async fn import_rows(&self, id: Uuid, pass: Pass, which: &ImportRows) -> Result<Vec<ImportRow>, Fault> {
        imports::rows(self, id, pass, which).await
    }

    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, Fault> {
        crate::changes::after(self, after, limit).await
    }

    async fn traces(&self, after: i64, limit: u32) -> Result<Vec<(i64, Key, Trace)>, Fault> {
        crate::changes::traces(self, after, limit).await
    }

    async fn newest_trace(&self) -> Result<i64, Fault> {
        crate::changes::newest_trace(self).await
    }

    async fn scan(&self, pack: &Arc<Pack>, form: &str) -> Result<(i64, Vec<Record>), Fault> {
        let context = Context {
            dialect: self.dialect(),
            pack: pack.clone(),
            layout: self.layout(pack).await?,
            locking: Locking::None,
        };
        let load = RecordLoad::all(&context, form)?;
        let (loads, rows) = self.read(vec![load], newest_change(self.dialect())).await?;
        Ok((first_integer(rows)?, loaded(loads)))
    }

    async fn records(&self, pack: &Arc<Pack>, form: &str, ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        let context = Context {
            dialect: self.dialect(),
            pack: pack.clone(),
            layout: self.layout(pack).await?,
            locking: Locking::None,
        };
        let load = RecordLoad::read(&context, &form.into(), ids.to_vec())?;
        let (loads, _) = self.read(vec![load], newest_change(self.dialect())).await?;
        Ok(loaded(loads))
    }

    async fn events(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, Fault> {
        let sql = format!("SELECT {} FROM fw_event WHERE number > $1 ORDER BY number LIMIT {limit}", EVENT.columns);
        let rows = self.rows(Select::new(sql, vec![Bound::BigInt(Some(after))], EVENT.kinds)).await?;
        rows.into_iter().map(codec::event).collect()
    }

    async fn clean(&self, at: DateTime<Utc>) -> Result<(), Fault> {
        self.change(outdated(self.dialect(), at)).await.map(drop)
    }

    async fn backlog(&self, at: DateTime<Utc>) -> Result<Backlog, Fault> {
        backlog::backlog(self, at).await
    }

    async fn ready(&self) -> Result<i64, Fault> {
        let sql = "SELECT value FROM fw_meta WHERE name = 'schema'".to_owned();
        first_integer(self.rows(Select::new(sql, Vec::new(), [ColumnKind::Integer])).await?)
    }

    async fn close(&self) {
        self.shut().await;
    }
}

/// Days for which a repeated request gets its stored reply.
const REQUESTS_KEPT_DAYS: i64 = 30;
/// Days for which a draft that nobody goes on with is kept.
const DRAFTS_KEPT_DAYS: i64 = 90;
/// Days for which the audit log is kept.
const AUDIT_KEPT_DAYS: i64 = 730;
/// Days for which notices are kept, read or not.
const NOTICES_KEPT_DAYS: i64 = 90;
/// Days for which what was done to many can be undone at once.
const UNDO_KEPT_DAYS: i64 = 7;

/// Minutes for which traces are kept: every node has read them long before.
const TRACES_KEPT_MINUTES: i64 = 60;

/// Removes what nobody asks for any more: old replies, drafts, undos, traces and imports, sessions and tokens that are over, and
/// what the audit log has told for long enough.
fn outdated(dialect: Dialect, at: DateTime<Utc>) -> Vec<Command> {
    let before = |days| bind_instant(dialect, at - chrono::TimeDelta::days(days));
    let mut commands = vec![
        Command::new("DELETE FROM fw_request WHERE at < $1", vec![before(REQUESTS_KEPT_DAYS)]),
        Command::new("DELETE FROM fw_kept WHERE kind = 'draft' AND at < $1", vec![before(DRAFTS_KEPT_DAYS)]),
        Command::new("DELETE FROM fw_kept WHERE kind = 'undo' AND at < $1", vec![before(UNDO_KEPT_DAYS)]),
        Command::new(
            "DELETE FROM fw_trace WHERE at < $1",
            vec![bind_instant(dialect, at - chrono::TimeDelta::minutes(TRACES_KEPT_MINUTES))],
        ),
        Command::new("DELETE FROM fw_session WHERE until < $1", vec![bind_instant(dialect, at)]),
        Command::new("DELETE FROM fw_token WHERE until < $1", vec![bind_instant(dialect, at)]),
        Command::new("DELETE FROM fw_audit WHERE at < $1", vec![before(AUDIT_KEPT_DAYS)]),
        Command::new("DELETE FROM fw_notice WHERE at < $1", vec![before(NOTICES_KEPT_DAYS)]),
    ];
    commands.extend(imports::outdated(dialect, at));
    commands
}

/// The filter with everything computed that reads no row; the engine itself asks.
fn bound(pack: &Pack, form: &str, filter: &Ir, at: DateTime<Utc>) -> Result<Ir, Fault> {
    let system = Viewer::system("en");
    let environment = Environment::new(at, *pack.timezone(), &system, pack, &eval::Nothing);
    eval::bind(filter, &environment).map_err(|error| Fault::new(format!("binding a filter over `{form}`: {error:?}")))
}

/// The number of the newest change that every reader sees.
fn newest_change(dialect: Dialect) -> Select {
    let sql = match dialect {
        Dialect::Sqlite => "SELECT coalesce(max(seq), 0) FROM fw_change",
        Dialect::Postgres => {
            "SELECT coalesce(max(txid), 0) FROM fw_change \
             WHERE txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        }
    };
    Select::new(sql.to_owned(), Vec::new(), [ColumnKind::Integer])
}

pub(crate) fn first_integer(rows: Vec<crate::statement::Row>) -> Result<i64, Fault> {
    rows.into_iter().next().map_or_else(|| Err(Fault::new("a query without answer")), |row| Reader::new(row).integer())
}

fn loaded(loads: Vec<Load>) -> Vec<Record> {
    let records = loads.into_iter().filter_map(|load| match load {
        Load::Records(load) => Some(load.into_records()),
        Load::System(_) => None,
    });
    records.flatten().collect()
}
