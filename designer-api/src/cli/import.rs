//! `formwork import`: a file becomes records by an import definition of a deployed pack.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use formwork_runtime::Clock;
use formwork_runtime::imports::errors_csv;

use super::Outcome;
use super::environment::{File, StoreOptions, start_engine};

/// Import a file.
#[derive(Debug, Args)]
pub(super) struct ImportFile {
    /// The import definition: `tweets`, or `crm.tweets`
    import: String,
    /// A CSV file, also gzipped
    file: PathBuf,
    /// Where refused rows are written: line,code,pointer,value,message
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    #[command(flatten)]
    store: StoreOptions,
}

impl ImportFile {
    pub(super) async fn run(&self) -> Outcome {
        let bytes = std::fs::read(&self.file).with_context(|| format!("cannot read `{}`", self.file.display()))?;
        let engine = start_engine(&self.store, File::read()?, Clock::System).await?;
        let (pack, import) = engine
            .deployed()
            .find(&self.import, "import", |pack, key| pack.imports().get_key_value(key).map(|(key, _)| key.clone()))?;
        let bar = ProgressBar::new_spinner()
            .with_style(ProgressStyle::with_template("{spinner} {msg}  {elapsed}").expect("the template is valid"));
        bar.enable_steady_tick(Duration::from_millis(100));
        let done = engine
            .import(&pack, &import, &bytes, "en", &|done| {
                bar.set_message(format!("{} read, {} created, {} rejected", done.read, done.created, done.rejected));
            })
            .await?;
        bar.finish_and_clear();
        println!(
            "{} read: {} created, {} updated, {} unchanged, {} rejected",
            done.read, done.created, done.updated, done.skipped, done.rejected
        );
        match &self.errors {
            Some(path) => {
                std::fs::write(path, errors_csv(&done.errors))
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
            }
            None => {
                for error in done.errors.iter().take(10) {
                    println!("  line {}: {} {} {}", error.line, error.code, error.pointer, error.message);
                }
                if done.errors.len() > 10 {
                    println!("  … {} more; `--errors FILE` writes them all", done.errors.len() - 10);
                }
            }
        }
        engine.store().close().await;
        Ok(true)
    }
}
