//! `formwork test`: the cases of packs, each over an empty embedded store of its own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use async_trait::async_trait;
use clap::Args;

use formwork_runtime::cases::{Coverage, Host, play};
use formwork_store::{Fault, SqliteStore, Store, sqlite};

use super::{Folder, Outcome, definitions, print};

/// Play cases.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Folders of packs
    #[arg(required = true, value_name = "PACK")]
    packs: Vec<Folder>,
    /// Only cases whose key contains this
    #[arg(long)]
    only: Option<String>,
    /// Print every transcript, not only those of failures
    #[arg(long, short)]
    verbose: bool,
}

impl Test {
    pub(super) async fn run(&self) -> Outcome {
        let (mut passed, mut failed) = (0, 0);
        let wanted = |key: &str| self.only.as_deref().is_none_or(|only| key.contains(only));
        for folder in &self.packs {
            let bundle = definitions::read(folder)?;
            let (pack, found) = bundle.check();
            let Some(pack) = pack.map(Arc::new) else {
                print::diagnostics(&bundle.files, &found);
                return Ok(false);
            };
            let scratch = tempfile::tempdir()?;
            let host = Scratch { folder: scratch.path().to_owned() };
            let mut coverage = Coverage::default();
            for case in pack.cases().values().filter(|case| wanted(&case.key)) {
                let played = play(&host, &pack, &bundle.files, case).await?;
                let verdict = if played.failures.is_empty() { "ok" } else { "FAILED" };
                print::line(format_args!("{}/{}: {verdict}", bundle.pack, played.case))?;
                if self.verbose || !played.failures.is_empty() {
                    print::line(played.transcript.iter().map(|line| format!("    {line}\n")).collect::<String>())?;
                }
                for failure in &played.failures {
                    print::line(format_args!("    {failure}"))?;
                }
                if played.failures.is_empty() {
                    passed += 1
                } else {
                    failed += 1
                }
                coverage.add(&played.coverage);
            }
            if self.only.is_none() {
                let told = coverage.of(&Coverage::whole(&pack)).to_string();
                print::line(format_args!("coverage of {}:\n{}", bundle.pack, told.trim_end()))?;
            }
        }
        print::line(format_args!("{passed} passed, {failed} failed"))?;
        if passed + failed == 0 {
            match &self.only {
                Some(only) => bail!("no case has a key that contains `{only}`"),
                None => bail!("there are no cases"),
            }
        }
        Ok(failed == 0)
    }
}

/// Stores in a folder that goes when the command ends.
struct Scratch {
    folder: PathBuf,
}

#[async_trait]
impl Host for Scratch {
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>, Fault> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder)
            .map_err(|error| Fault { context: "a scratch folder".to_owned(), source: Some(Box::new(error)) })?;
        Ok(Arc::new(SqliteStore::open(&folder, sqlite::Options::default())?))
    }

    fn message_file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.messages.jsonl"))
    }
}
