//! Commands of pack authors: check, fmt, schema, explain, plan, deploy.

use anyhow::{Context, bail};
use clap::Args;

use formwork_model::documents::Kind;
use formwork_model::{codes, fmt, schema};
use formwork_runtime::Clock;
use formwork_runtime::deploy::{Bundle, DeployError, Planned};
use formwork_runtime::files::read_pack;
use formwork_runtime::people::By;

use super::environment::{File, StoreOptions, start_engine};
use super::{Folder, Outcome, print};

/// Packs by folder.
#[derive(Debug, Args)]
pub(super) struct Packs {
    /// Folders of packs
    #[arg(required = true, value_name = "PACK")]
    packs: Vec<Folder>,
}

impl Packs {
    pub(super) fn check(&self) -> Outcome {
        let mut errors = 0;
        for folder in &self.packs {
            let bundle = read(folder)?;
            let (_, found) = bundle.check();
            let here = print::diagnostics(&bundle.files, &found);
            errors += here;
            let warnings = found.len() - here;
            println!("{}: {} files, {here} errors, {warnings} warnings", bundle.pack, bundle.files.len());
        }
        Ok(errors == 0)
    }
}

/// The canonical layout.
#[derive(Debug, Args)]
pub(super) struct Fmt {
    #[command(flatten)]
    packs: Packs,
    /// Change nothing, name the files that differ
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub(super) fn run(&self) -> Outcome {
        let mut well = true;
        for folder in &self.packs.packs {
            let bundle = read(folder)?;
            for (path, text) in bundle.files.iter().filter(|(path, _)| path.ends_with(".json")) {
                match fmt::format(text) {
                    Ok(formatted) if formatted == *text => {}
                    Ok(_) if self.check => {
                        println!("{}/{path} is not in the canonical layout: run `formwork fmt`", folder.display());
                        well = false;
                    }
                    Ok(formatted) => {
                        std::fs::write(folder.join(path), formatted).with_context(|| format!("cannot write {path}"))?;
                        println!("{}/{path}", folder.display());
                    }
                    Err(mut diagnostic) => {
                        diagnostic.file.clone_from(path);
                        print::diagnostics(&bundle.files, &[diagnostic]);
                        well = false;
                    }
                }
            }
        }
        Ok(well)
    }
}

/// The JSON Schema of a kind.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// pack, form, workflow, …; all kinds are listed where it is absent
    kind: Option<String>,
}

impl Schema {
    pub(super) fn run(&self) -> Outcome {
        let names = || Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" ");
        match &self.kind {
            None => print::line(names())?,
            Some(name) => {
                let kind = Kind::ALL.iter().find(|kind| kind.name() == name);
                let Some(kind) = kind else { bail!("there is no kind `{name}`; there are {}", names()) };
                print::line(serde_json::to_string_pretty(&schema::schema(*kind))?)?;
            }
        }
        Ok(true)
    }
}

/// The page of a code.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// For example FW0203
    code: String,
}

impl Explain {
    pub(super) fn run(&self) -> Outcome {
        let code = self.code.to_uppercase();
        let Some(page) = codes::explain(&code) else { bail!("there is no code `{code}`") };
        print::line(page)?;
        Ok(true)
    }
}

/// Plan or deploy a pack.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    /// Folder of the pack
    #[arg(value_name = "PACK")]
    pack: Folder,
    #[command(flatten)]
    store: StoreOptions,
}

impl Deploy {
    pub(super) async fn plan(&self) -> Outcome {
        let engine = start_engine(&self.store, File::read()?, Clock::System).await?;
        let bundle = read(&self.pack)?;
        let planned = planned(&bundle, engine.plan(&bundle).await)?;
        if let Some(planned) = &planned {
            print::line(serde_json::to_string_pretty(&planned.body())?)?;
        }
        engine.store().close().await;
        Ok(planned.is_some())
    }

    pub(super) async fn deploy(&self) -> Outcome {
        let engine = start_engine(&self.store, File::read()?, Clock::System).await?;
        let bundle = read(&self.pack)?;
        let Some(plan) = planned(&bundle, engine.plan(&bundle).await)? else { return Ok(false) };
        let by = By::command_line();
        let deployment = engine.deploy(&bundle.pack, Some(bundle.files.clone()), plan.hash(), &by).await?;
        println!("deployed {} {} as deployment {}", deployment.pack, deployment.version, deployment.number);
        engine.store().close().await;
        Ok(true)
    }
}

/// Reads the files of a pack.
pub(super) fn read(folder: &Folder) -> anyhow::Result<Bundle> {
    let (pack, files) = read_pack(folder)?;
    Ok(Bundle { pack, files })
}

/// The plan; none (and the diagnostics printed) when the pack has errors.
fn planned(bundle: &Bundle, planned: Result<Planned, DeployError>) -> anyhow::Result<Option<Planned>> {
    match planned {
        Ok(planned) => Ok(Some(planned)),
        Err(DeployError::Invalid(found)) => {
            print::diagnostics(&bundle.files, &found);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
