//! Check, plan, deploy. A deploy takes the hash of a plan somebody looked at; it is refused when the plan made now is
//! another one.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use formwork_core::Act;
use formwork_core::stimulus::Effects;
use formwork_model::Pack;
use formwork_model::compile;
use formwork_model::diagnostic::{Diagnostic, Severity};
use formwork_model::plan::{self, ChangeClass};
use formwork_model::source::SourceMap;
use formwork_store::{Deployment, Failure, Fault, Step};

use crate::Engine;

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
    plan: plan::Plan,
    steps: Vec<Step>,
    warnings: Vec<Diagnostic>,
    hash: String,
}

/// Why a pack was not planned or deployed.
#[derive(Debug, Error)]
pub enum DeployError {
    /// It does not check.
    #[error("the pack has errors")]
    Invalid(Vec<Diagnostic>),
    /// The plan made now is another one than was looked at.
    #[error("what is deployed has changed since the plan")]
    PlanStale(Box<Planned>),
    /// The plan holds something that cannot be done.
    #[error("the plan is blocked: {}", .0.join("; "))]
    Blocked(Vec<String>),
    /// Us or the world.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Bundle {
    /// Checks the files: the pack, if there is no error, and every diagnostic.
    pub fn check(&self) -> (Option<Pack>, Vec<Diagnostic>) {
        let sources: SourceMap = self.files.iter().cloned().collect();
        compile(&self.pack, &sources)
    }
}

impl Planned {
    /// The identity of this plan.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether anything would change.
    pub fn is_empty(&self) -> bool {
        self.plan.changes.is_empty() && self.plan.access.is_empty() && self.steps.is_empty()
    }

    /// The plan as the API shows it: `{hash, changes, access, running, blocked, warnings}`.
    pub fn body(&self) -> Json {
        json!({
            "hash": self.hash,
            "version": self.pack.version(),
            "changes": self.changes(),
            "access": self.plan.access,
            "running": [],
            "blocked": self.blocked(),
            "warnings": self.warnings,
        })
    }

    /// Changes of definitions with the statements that carry them out; statements of their own stand at the end.
    fn changes(&self) -> Vec<Json> {
        let mut changes = Vec::new();
        let mut used = vec![false; self.steps.len()];
        for change in &self.plan.changes {
            let mut body = json!({"class": change.class, "at": change.at, "rows": null, "sql": []});
            for (index, step) in self.steps.iter().enumerate().filter(|(_, step)| step.at == change.at) {
                used[index] = true;
                body["rows"] = json!(step.rows);
                body["sql"] = json!(step.sql);
            }
            changes.push(body);
        }
        for (step, _) in self.steps.iter().zip(&used).filter(|(_, used)| !**used) {
            changes.push(json!({"class": "add", "at": step.at, "rows": step.rows, "sql": step.sql}));
        }
        changes
    }

    fn blocked(&self) -> Vec<String> {
        let dropped = self.plan.changes.iter().filter(|change| change.class == ChangeClass::Drop);
        dropped.map(|change| format!("`{}` would lose data", change.at)).collect()
    }
}

impl Engine {
    /// What deploying these files would change.
    pub async fn plan(&self, bundle: &Bundle) -> Result<Planned, DeployError> {
        let (pack, diagnostics) = bundle.check();
        let Some(pack) = pack else { return Err(DeployError::Invalid(diagnostics)) };
        let deployed = self.deployed();
        let before = deployed.pack(&bundle.pack);
        let plan = plan::plan(before.map(|pack| &**pack), &pack);
        let steps = self.store().migration(before.map(|pack| &**pack), &pack).await?;
        let mut hash = Sha256::new();
        hash.update(before.map_or("", |pack| pack.hash()));
        hash.update(pack.hash());
        for step in &steps {
            hash.update(format!("{}{:?}", step.at, step.sql));
        }
        let hash = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let warnings = diagnostics.into_iter().filter(|found| found.severity == Severity::Warning).collect();
        Ok(Planned { pack: Arc::new(pack), plan, steps, warnings, hash })
    }

    /// Deploys what the plan of that hash says.
    pub async fn deploy(&self, bundle: &Bundle, plan_hash: &str) -> Result<Deployment, DeployError> {
        let planned = self.plan(bundle).await?;
        if planned.hash != plan_hash {
            return Err(DeployError::PlanStale(Box::new(planned)));
        }
        self.carry_out(bundle, planned).await
    }

    /// Deploys without a look at the plan, as packs named on the command line are: only if nothing is lost. The same
    /// files again change nothing.
    pub async fn deploy_if_safe(&self, bundle: &Bundle) -> Result<(), DeployError> {
        let planned = self.plan(bundle).await?;
        let same = self.deployed().pack(&bundle.pack).is_some_and(|pack| pack.hash() == planned.pack.hash());
        if same && planned.steps.is_empty() {
            return Ok(());
        }
        self.carry_out(bundle, planned).await.map(drop)
    }

    async fn carry_out(&self, bundle: &Bundle, planned: Planned) -> Result<Deployment, DeployError> {
        let blocked = planned.blocked();
        if !blocked.is_empty() {
            return Err(DeployError::Blocked(blocked));
        }
        let deployed = self.deployed();
        let before = deployed.pack(&bundle.pack).map(|pack| &**pack);
        self.store().deploy(before, &planned.pack, &bundle.files, self.clock().now()).await?;
        self.reload().await?;
        self.plant_seeds(&bundle.pack).await?;
        let deployed = self.deployed();
        let deployment = deployed.deployments.get(planned.pack.key()).cloned();
        deployment.ok_or_else(|| Fault { context: "a deployment vanished".to_owned(), source: None }.into())
    }

    /// Seed rows are upserted by their form's natural key at every deploy.
    async fn plant_seeds(&self, pack: &str) -> Result<(), Fault> {
        let Some(pack) = self.deployed().pack(pack).cloned() else { return Ok(()) };
        for seed in pack.seeds() {
            let by = pack.form(&seed.form).natural_key.clone();
            for row in &seed.rows {
                let (form, by, values) = (seed.form.clone(), by.clone(), row.clone());
                let act = Act::Upsert { form, by, values, effects: Effects::NONE };
                self.submit_as_system(&pack, act).await.map_err(|failure| match failure {
                    Failure::Fault(fault) => fault,
                    other => Fault { context: format!("a seed row of `{}`: {other}", seed.form), source: None },
                })?;
            }
        }
        Ok(())
    }
}
