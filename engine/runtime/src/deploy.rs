//! Check, plan, deploy. A deploy takes the hash of a plan somebody looked at; it is refused when the plan made now is
//! another one. The store asks again inside the transaction, so nothing slips in between.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use thiserror::Error;

use formwork_core::ids::seed_of;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, Rejection, Stimulus, Viewer};
use formwork_model::compile;
use formwork_model::diagnostic::{Diagnostic, Severity};
use formwork_model::plan::{self, Blocked, Change, ChangeClass};
use formwork_model::source::SourceMap;
use formwork_model::{Key, Pack};
use formwork_store::{Deploy, DeployFailure, Deployment, Fault, Migration, Step};

use crate::Engine;
use crate::people::By;

/// Plans whose files are kept, so that a deploy needs only their hash. An older one is sent with its files.
const PLANS_KEPT: usize = 16;

/// The files of a pack.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The pack's key.
    pub pack: String,
    /// Path → text.
    pub files: Vec<(String, String)>,
}

/// What a deploy would change.
#[derive(Debug)]
pub struct Planned {
    pack: Arc<Pack>,
    before: Option<Arc<Pack>>,
    plan: plan::Plan,
    migration: Migration,
    /// Instances that run, by workflow.
    running: Vec<(Key, u64)>,
    warnings: Vec<Diagnostic>,
}

/// The files of the plans made last, by hash.
#[derive(Debug, Default)]
pub(crate) struct Plans(Mutex<VecDeque<(String, Arc<Bundle>)>>);

/// Why a pack was not planned or deployed.
#[derive(Debug, Error)]
pub enum DeployError {
    /// It does not check.
    #[error("the pack has errors")]
    Invalid(Vec<Diagnostic>),
    /// The files of that plan are not at hand.
    #[error("there is no plan of that hash: send the files, too")]
    UnknownPlan,
    /// The plan made now is another one than was looked at.
    #[error("what is deployed has changed since the plan")]
    PlanStale(Box<Planned>),
    /// The plan holds something that cannot be done.
    #[error("the plan is blocked: {}", in_words(.0))]
    Blocked(Vec<Blocked>),
    /// A seed row was refused, and with it the deployment.
    #[error("row {row} of `data/{form}.json`: {rejection}")]
    Seed {
        /// The form.
        form: Key,
        /// Counted from 0.
        row: usize,
        /// Why.
        rejection: Box<Rejection>,
    },
    /// Us or the world.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn in_words(blocked: &[Blocked]) -> String {
    blocked.iter().map(|blocked| format!("`{}`: {}", blocked.at, blocked.message)).collect::<Vec<_>>().join("; ")
}

impl Bundle {
    /// Checks the files: the pack, if there is no error, and every diagnostic.
    pub fn check(&self) -> (Option<Pack>, Vec<Diagnostic>) {
        let sources: SourceMap = self.files.iter().cloned().collect();
        compile(&self.pack, &sources)
    }
}

impl Plans {
    fn keep(&self, hash: &str, bundle: &Bundle) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| known != hash);
        kept.push_back((hash.to_owned(), Arc::new(bundle.clone())));
        if kept.len() > PLANS_KEPT {
            kept.pop_front();
        }
    }

    fn find(&self, pack: &str, hash: &str) -> Option<Arc<Bundle>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, bundle)| known == hash && bundle.pack == pack).map(|(_, bundle)| bundle.clone())
    }
}

impl Planned {
    /// The identity of this plan.
    pub fn hash(&self) -> &str {
        &self.migration.digest
    }

    /// The plan as the API shows it: `{hash, version, changes, access, running, blocked, warnings, catalogue}`.
    pub fn body(&self) -> Json {
        let books = self.migration.steps.iter().filter(|step| is_books(step)).flat_map(|step| &step.sql);
        json!({
            "hash": self.hash(),
            "version": self.pack.version(),
            "changes": self.changes(),
            "access": self.plan.access,
            "running": self.running(),
            "blocked": self.blocked(),
            "warnings": self.warnings(),
            "catalogue": books.collect::<Vec<_>>(),
        })
    }

    /// Changes of definitions with the statements that carry them out; statements of their own stand at the end.
    fn changes(&self) -> Vec<Json> {
        let mut shown: Vec<(&str, ChangeClass, Json)> = Vec::new();
        for Change { class, at, detail } in &self.plan.changes {
            let mut body = json!({"class": class, "at": at, "rows": 0, "sql": []});
            if let Some(detail) = detail {
                body["detail"] = json!(detail);
            }
            shown.push((at, *class, body));
        }
        for step in self.migration.steps.iter().filter(|step| !is_books(step)) {
            let place = home(&shown, step).unwrap_or_else(|| {
                let body = json!({"class": step.class, "at": step.at, "rows": 0, "sql": []});
                shown.push((&step.at, step.class, body));
                shown.len() - 1
            });
            let body = &mut shown[place].2;
            // Several statements over the same records: they are counted once.
            body["rows"] = json!(step.rows.max(body["rows"].as_u64().unwrap_or_default()));
            if let Json::Array(sql) = &mut body["sql"] {
                sql.extend(step.sql.iter().map(|sql| json!(sql)));
            }
        }
        shown.into_iter().map(|(_, _, body)| body).collect()
    }

    /// Instances are pinned: a deployment is for those that start after it.
    fn running(&self) -> Vec<Json> {
        let changed = self.before.as_ref().is_some_and(|before| before.hash() != self.pack.hash());
        let running = self.running.iter().filter(|_| changed);
        running
            .map(|(workflow, instances)| {
                json!({"workflow": workflow, "instances": instances, "effect": "stay on their version"})
            })
            .collect()
    }

    fn blocked(&self) -> Vec<Blocked> {
        self.plan.blocked.iter().chain(&self.migration.blocked).cloned().collect()
    }

    fn warnings(&self) -> Vec<Json> {
        let later = self.migration.later.iter().map(|at| {
            json!({
                "severity": "warning",
                "at": at,
                "message": "no statement can fill this: records there are keep no value until they are saved next",
            })
        });
        self.warnings.iter().map(|warning| json!(warning)).chain(later).collect()
    }
}

/// The store's own books, which are nobody's change.
fn is_books(step: &Step) -> bool {
    step.at == "catalogue"
}

/// The change a step belongs to: of its place and class, of its place, or of the nearest place around it.
fn home(shown: &[(&str, ChangeClass, Json)], step: &Step) -> Option<usize> {
    let exact = |class: Option<ChangeClass>| {
        shown.iter().position(|(at, other, _)| *at == step.at && class.is_none_or(|class| class == *other))
    };
    let around = || {
        let holds = |at: &str| step.at.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
        let places = shown.iter().enumerate().filter(|(_, (at, class, _))| *class == step.class && holds(at));
        places.max_by_key(|(_, (at, ..))| at.len()).map(|(place, _)| place)
    };
    exact(Some(step.class)).or_else(|| exact(None)).or_else(around)
}

impl Engine {
    /// What deploying these files would change.
    pub async fn plan(&self, bundle: &Bundle) -> Result<Planned, DeployError> {
        let (pack, diagnostics) = bundle.check();
        let Some(pack) = pack else { return Err(DeployError::Invalid(diagnostics)) };
        self.follow().await?;
        let before = self.deployed().pack(&bundle.pack).cloned();
        let plan = plan::plan(before.as_deref(), &pack);
        // What the definitions forbid has no statements.
        let migration = match plan.blocked.is_empty() {
            true => self.store().migration(before.as_deref(), &pack).await?,
            false => Migration::none(before.as_deref(), &pack),
        };
        let running = self.store().running(&bundle.pack).await?;
        let warnings = diagnostics.into_iter().filter(|found| found.severity == Severity::Warning).collect();
        let planned = Planned { pack: Arc::new(pack), before, plan, migration, running, warnings };
        self.plans.keep(planned.hash(), bundle);
        Ok(planned)
    }

    /// Deploys what the plan of that hash says. Without files, those of the plan are taken.
    pub async fn deploy(
        &self,
        pack: &str,
        files: Option<Vec<(String, String)>>,
        plan_hash: &str,
        by: &By,
    ) -> Result<Deployment, DeployError> {
        let bundle = match files {
            Some(files) => Arc::new(Bundle { pack: pack.to_owned(), files }),
            None => self.plans.find(pack, plan_hash).ok_or(DeployError::UnknownPlan)?,
        };
        let planned = self.plan(&bundle).await?;
        if planned.hash() != plan_hash {
            return Err(DeployError::PlanStale(Box::new(planned)));
        }
        self.carry_out(&bundle, planned, by).await
    }

    /// Deploys without a look at the plan, as packs named on the command line are: only if nothing is lost. The same
    /// files again change nothing.
    pub async fn deploy_if_safe(&self, bundle: &Bundle) -> Result<(), DeployError> {
        let planned = self.plan(bundle).await?;
        let same = planned.before.as_ref().is_some_and(|before| before.hash() == planned.pack.hash());
        if same && planned.migration.steps.is_empty() {
            return Ok(());
        }
        self.carry_out(bundle, planned, &By::command_line()).await.map(drop)
    }

    async fn carry_out(&self, bundle: &Bundle, planned: Planned, by: &By) -> Result<Deployment, DeployError> {
        let blocked = planned.blocked();
        if !blocked.is_empty() {
            return Err(DeployError::Blocked(blocked));
        }
        let (places, seeds) = self.seeds(&planned.pack);
        let deploy = Deploy {
            deployed: planned.before.as_deref(),
            wanted: &planned.pack,
            digest: planned.hash(),
            files: &bundle.files,
            seeds,
            at: self.clock().now(),
            audit: Some(self.told(
                by,
                "pack.deployed",
                planned.pack.key(),
                json!({"version": planned.pack.version(), "hash": planned.pack.hash()}),
            )),
        };
        match self.store().deploy(deploy).await {
            Ok(_) => {}
            Err(DeployFailure::Stale) => return Err(DeployError::PlanStale(Box::new(self.plan(bundle).await?))),
            Err(DeployFailure::Blocked(blocked)) => return Err(DeployError::Blocked(vec![*blocked])),
            Err(DeployFailure::Seed { row, rejection }) => {
                let (form, row) = places[row].clone();
                return Err(DeployError::Seed { form, row, rejection });
            }
            Err(DeployFailure::Fault(fault)) => return Err(fault.into()),
        }
        self.reload().await?;
        let deployed = self.deployed();
        let deployment = deployed.deployments.get(planned.pack.key()).cloned();
        deployment.ok_or_else(|| Fault::new("a deployment vanished").into())
    }

    /// Seed rows are upserted by their form's natural key at every deployment, in its transaction: (form, row) of each,
    /// and what happens.
    fn seeds(&self, pack: &Pack) -> (Vec<(Key, usize)>, Vec<Stimulus>) {
        let language = pack.languages().first().map_or("en", String::as_str);
        let rows = pack.seeds().iter().flat_map(|seed| seed.rows.iter().enumerate().map(move |row| (seed, row)));
        rows.map(|(seed, (number, values))| {
            let (form, by) = (seed.form.clone(), pack.form(&seed.form).natural_key.clone());
            let act = Act::Upsert { form, by, values: values.clone(), effects: Effects::NONE };
            // The same row is the same record wherever the pack is deployed at the same instant.
            let ids = seed_of(&format!("seed row {} {} {number}", pack.key(), seed.form));
            let stimulus = Stimulus { at: self.clock().now(), seed: ids, actor: Viewer::system(language), act };
            ((seed.form.clone(), number), stimulus)
        })
        .unzip()
    }
}
