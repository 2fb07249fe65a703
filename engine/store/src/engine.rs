//! What the two engines do differently; everything else of [`crate::Store`] is written once, over this.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value as Json;

use formwork_model::Pack;

use crate::catalogue::Catalogue;
use crate::codec::Reader;
use crate::deployment::{Deploy, DeployFailure};
use crate::dialect::{Bound, ColumnKind, Dialect};
use crate::layout::PackLayout;
use crate::load::Load;
use crate::statement::{Row, Select};
use crate::{Committed, Failure, Fault, NotTogether, Question, Submission};

/// A statement that changes rows of system tables.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) sql: String,
    pub(crate) params: Vec<Bound>,
    /// Whether those behind it are left undone where it touches nothing.
    pub(crate) guards: bool,
}

/// An engine.
#[async_trait]
pub(crate) trait Engine: Send + Sync + 'static {
    fn dialect(&self) -> Dialect;

    fn layouts(&self) -> &Layouts;

    async fn transact(&self, submission: Submission) -> Result<Committed, Failure>;

    /// All of one pack in one transaction, alone; all or none.
    async fn transact_together(&self, submissions: Vec<Submission>) -> Result<Vec<Committed>, NotTogether>;

    /// Answers a question on one snapshot.
    async fn answer(&self, pack: &Arc<Pack>, question: Question) -> Result<Json, Failure>;

    /// Reads on one snapshot: the loads, and after them the query.
    async fn read(&self, loads: Vec<Load>, select: Select) -> Result<(Vec<Load>, Vec<Row>), Fault>;

    /// Changes in one transaction; the numbers of rows touched, as far as no guard stood in the way.
    async fn change(&self, commands: Vec<Command>) -> Result<Vec<u64>, Fault>;

    /// A change that returns rows, in a transaction of its own.
    async fn change_rows(&self, select: Select) -> Result<Vec<Row>, Fault>;

    /// Runs the migration and records the deployment, in one transaction, alone.
    async fn migrate(&self, deploy: Deploy<'_>) -> Result<i64, DeployFailure>;

    async fn shut(&self);

    /// Rows of one query.
    async fn rows(&self, select: Select) -> Result<Vec<Row>, Fault> {
        Ok(self.read(Vec::new(), select).await?.1)
    }

    /// The catalogue as it is.
    async fn catalogue(&self) -> Result<Catalogue, Fault> {
        let [entries, indexes] = Catalogue::selects();
        Catalogue::of_rows(self.rows(entries).await?, self.rows(indexes).await?)
    }

    /// The pack over the tables of this database.
    async fn layout(&self, pack: &Pack) -> Result<Arc<PackLayout>, Fault> {
        if let Some(layout) = self.layouts().get(pack.hash()) {
            return Ok(layout);
        }
        let layout = Arc::new(PackLayout::new(pack, &self.catalogue().await?)?);
        self.layouts().put(pack.hash(), layout.clone());
        Ok(layout)
    }

    /// The same for somebody who may hold an older pack, of which the tables may know no more.
    async fn layout_now(&self, pack: &Pack) -> Result<Arc<PackLayout>, Failure> {
        match self.layout(pack).await {
            Ok(layout) => Ok(layout),
            Err(fault) => match newest_hash(self.rows(newest(pack.key())).await?)? {
                Some(deployed) if deployed != *pack.hash() => Err(Failure::Outdated),
                _ => Err(fault.into()),
            },
        }
    }
}

/// Layouts by hash of the pack, made when first needed and forgotten at every deployment.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    known: Mutex<(HashMap<String, Arc<PackLayout>>, i64)>,
}

impl Layouts {
    fn get(&self, hash: &str) -> Option<Arc<PackLayout>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.get(hash).cloned()
    }

    fn put(&self, hash: &str, layout: Arc<PackLayout>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.insert(hash.to_owned(), layout);
    }

    /// Forgets all layouts if that deployment was not seen before (another node may have made it).
    pub(crate) fn deployed(&self, number: i64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.1 != number {
            *known = (HashMap::new(), number);
        }
    }
}

/// The query for the hash of what is deployed of a pack.
pub(crate) fn newest(pack: &str) -> Select {
    let sql = "SELECT hash FROM fw_deployment WHERE pack = $1 ORDER BY number DESC LIMIT 1".to_owned();
    Select::new(sql, vec![Bound::String(Some(pack.to_owned()))], [ColumnKind::Text])
}

/// Its answer; none where the pack was never deployed.
pub(crate) fn newest_hash(rows: Vec<Row>) -> Result<Option<String>, Fault> {
    rows.into_iter().next().map(|row| Reader::new(row).text()).transpose()
}

impl Command {
    pub(crate) fn new(sql: impl Into<String>, params: Vec<Bound>) -> Self {
        Self { sql: sql.into(), params, guards: false }
    }

    /// Those behind it are done only if this one touches something.
    pub(crate) fn guarding(sql: impl Into<String>, params: Vec<Bound>) -> Self {
        Self { guards: true, ..Self::new(sql, params) }
    }
}
