//! `formwork import`: a file becomes records of a deployed pack, by an import definition or column by column. The import is
//! kept: what breaks off goes on with `--resume`, and `--undo` takes it back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use formwork_core::stimulus::Pass;
use formwork_runtime::imports::{Counts, Mapping, NewImport, Settings, encoding_named, errors_csv};
use formwork_runtime::{Clock, Engine};
use formwork_store::ImportJob;

use super::Outcome;
use super::environment::{File, StoreOptions, start_engine};
use crate::api::imports::{delimiter_of, pass_of, target_of};

/// Errors that are printed.
const SHOWN: usize = 10;
/// How often one looks how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// Import a file.
#[derive(Debug, Args)]
pub(super) struct ImportFile {
    /// A form, or an import definition: `ticket`, `tweets`, `crm.tweets`
    #[arg(required_unless_present_any = ["resume", "undo"])]
    target: Option<String>,
    /// A CSV file, also gzipped
    #[arg(required_unless_present_any = ["resume", "undo"])]
    file: Option<PathBuf>,
    /// Which column goes into which field of the form; guessed from the header where absent
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// The fields that find a record that is there already, parted by commas; guessed where absent
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    key: Option<Vec<String>>,
    /// Start workflows for new records (a definition says so itself)
    #[arg(long)]
    starts: bool,
    /// utf-8 or gb18030; told from the file where absent
    #[arg(long)]
    encoding: Option<String>,
    /// The character between columns, or `tab`; told from the file where absent
    #[arg(long)]
    delimiter: Option<String>,
    /// Only look what would happen; nothing is written
    #[arg(long)]
    dry_run: bool,
    /// Go on with an import that broke off
    #[arg(long, value_name = "ID", conflicts_with_all = ["target", "undo"])]
    resume: Option<Uuid>,
    /// Take an import back, as far as nothing was changed since
    #[arg(long, value_name = "ID", conflicts_with = "target")]
    undo: Option<Uuid>,
    /// Where refused rows are written: line,code,pointer,value,message
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    #[command(flatten)]
    store: StoreOptions,
}

impl ImportFile {
    pub(super) async fn run(&self) -> Outcome {
        let engine = start_engine(&self.store, File::read()?, Clock::System).await?;
        let result = self.import(&engine).await;
        engine.store().close().await;
        result
    }

    async fn import(&self, engine: &Arc<Engine>) -> Outcome {
        let job = match self.resume.or(self.undo) {
            Some(id) => known(engine, id).await?,
            None => self.begin(engine).await?,
        };
        if self.undo.is_some() {
            engine.undo_import(&job).await?;
        } else if self.dry_run {
            engine.check_import(&job).await?;
        } else if !matches!(job.state.as_str(), "running" | "cancelling") {
            engine.run_import(&job).await?;
        }
        println!("import {}", job.id);
        let job = watched(engine, job).await?;
        report(&job)?;
        let errors = self.errors_of(engine, &job).await?;
        match &self.errors {
            Some(path) => std::fs::write(path, errors_csv(&errors))
                .with_context(|| format!("cannot write `{}`", path.display()))?,
            None => {
                for error in errors.iter().take(SHOWN) {
                    println!("  line {}: {} {} {}", error.line, error.code, error.pointer, error.message);
                }
                if errors.len() > SHOWN {
                    println!("  … {} more; `--errors FILE` writes them all", errors.len() - SHOWN);
                }
            }
        }
        Ok(job.state != "failed")
    }

    async fn begin(&self, engine: &Arc<Engine>) -> anyhow::Result<ImportJob> {
        let (Some(target), Some(file)) = (&self.target, &self.file) else { bail!("name a form and a file") };
        let bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let (pack, form, definition) =
            target_of(engine, target, None).map_err(|rejection| anyhow::anyhow!(rejection.title))?;
        let encoding = match self.encoding.as_deref() {
            Some(name) => Some(encoding_named(name).with_context(|| format!("`{name}` is no encoding"))?),
            None => None,
        };
        let delimiter = match self.delimiter.as_deref() {
            Some(text) => Some(delimiter_of(text).with_context(|| format!("`{text}` cannot stand between columns"))?),
            None => None,
        };
        let mut mapping = None;
        if !self.map.is_empty() {
            let pairs = self.map.iter().map(|pair| {
                let (field, column) = pair.split_once('=').with_context(|| format!("`{pair}` is no FIELD=COLUMN"))?;
                Ok((field.to_owned(), column.to_owned()))
            });
            let columns = pairs.collect::<anyhow::Result<_>>()?;
            mapping = Some(Mapping { columns, key: self.key.clone().unwrap_or_default(), starts: self.starts });
        }
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let language = "en".to_owned();
        let new =
            NewImport { form, definition, owner: None, language, name, file: &bytes, encoding, delimiter, mapping };
        Ok(engine.begin_import(&pack, new).await?)
    }

    /// All errors, in the order of the file.
    async fn errors_of(
        &self,
        engine: &Engine,
        job: &ImportJob,
    ) -> anyhow::Result<Vec<formwork_runtime::imports::RowError>> {
        let (pass, mut errors, mut after) = (pass_of(job), Vec::new(), None);
        loop {
            let (more, next) = engine.import_errors(job, pass, after, 1_000).await?;
            errors.extend(more);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(errors),
            }
        }
    }
}

async fn known(engine: &Engine, id: Uuid) -> anyhow::Result<ImportJob> {
    engine.store().import_job(id).await?.with_context(|| format!("there is no import {id}"))
}

/// Works on the import, with a bar, until it is at rest.
async fn watched(engine: &Arc<Engine>, job: ImportJob) -> anyhow::Result<ImportJob> {
    let settings: Settings = serde_json::from_value(job.settings.clone())?;
    let style = "{bar:30} {pos}/{len} rows  {per_sec}  {eta} left  {msg}";
    let bar =
        ProgressBar::new(settings.rows).with_style(ProgressStyle::with_template(style).expect("the template is valid"));
    loop {
        let work = engine.clone();
        let mut working = tokio::spawn(async move { work.work_imports().await });
        loop {
            let done = tokio::time::timeout(LOOK, &mut working).await;
            let now = known(engine, job.id).await?;
            let counts: Counts = serde_json::from_value(now.counts.clone())?;
            let tally = match pass_of(&now) {
                Pass::Check => &counts.check,
                Pass::Run => &counts.run,
                Pass::Undo => &counts.undo,
            };
            bar.set_position(tally.read);
            bar.set_message(format!("{} rejected", tally.rejected + tally.left));
            if let Ok(worked) = done {
                worked??;
                break;
            }
        }
        let now = known(engine, job.id).await?;
        if !matches!(now.state.as_str(), "checking" | "running" | "cancelling" | "undoing") {
            bar.finish_and_clear();
            return Ok(now);
        }
        // Its lease has not ended yet: whoever worked on it died a moment ago.
        tokio::time::sleep(LOOK).await;
    }
}

fn report(job: &ImportJob) -> anyhow::Result<()> {
    let counts: Counts = serde_json::from_value(job.counts.clone())?;
    if let Some(problem) = &job.problem {
        println!("{}: {problem}", job.state);
    }
    let (tally, would) = match pass_of(job) {
        Pass::Undo => {
            println!("{} rows taken back, {} left as they are", counts.undo.undone, counts.undo.left);
            return Ok(());
        }
        Pass::Check => (&counts.check, "would be "),
        Pass::Run => (&counts.run, ""),
    };
    println!(
        "{} read: {would}{} created, {} updated, {} unchanged, {} skipped, {} rejected",
        tally.read, tally.created, tally.updated, tally.unchanged, tally.skipped, tally.rejected
    );
    Ok(())
}
