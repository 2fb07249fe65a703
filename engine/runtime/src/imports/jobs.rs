//! Imports that are kept: begun, told what to do, started, stopped, taken back; by those who may file the records.

use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use formwork_core::stimulus::Pass;
use formwork_core::{Projection, Viewer};
use formwork_model::pack::material::{Encoding, Import};
use formwork_model::{Key, Pack};
use formwork_store::{Fault, ImportJob, ImportRow, ImportRows, User};

use super::sheet::BYTES_MAX;
use super::{
    ImportError, Imported, Mapping, Reading, RowError, Sheet, encoding_name, encoding_named, mapping, unpacked,
};
use crate::Engine;

/// Most bytes of an uploaded file.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a piece of a stored file, before base64.
const PART: usize = 768 << 10;
/// Longest name of a file, in characters.
const NAME_MAX: usize = 200;
/// Imports of a user in which an earlier mapping is looked for.
const REMEMBERED: u32 = 50;

/// What an import is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The definition of the pack; by hand where absent.
    pub definition: Option<Key>,
    /// `utf-8`, `gb18030`.
    pub encoding: String,
    /// Between columns.
    pub delimiter: char,
    /// The columns of the file.
    pub header: Vec<String>,
    /// Rows of the file.
    pub rows: u64,
    /// By hand: which column goes where.
    pub mapping: Mapping,
    /// Language errors are told in.
    pub language: String,
}

/// How far an import is, by pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// What would happen.
    pub check: Tally,
    /// What has happened.
    pub run: Tally,
    /// What was taken back.
    pub undo: Tally,
}

/// How far one pass is. Every row read is one of the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows done with.
    pub read: u64,
    /// Rows that created a record.
    pub created: u64,
    /// Rows that changed one and created none.
    pub updated: u64,
    /// Rows whose records held these values already.
    pub unchanged: u64,
    /// Rows the definition leaves out.
    pub skipped: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Rows taken back.
    pub undone: u64,
    /// Rows that could not be taken back.
    pub left: u64,
    /// When this stretch of work began.
    pub began_at: Option<DateTime<Utc>>,
    /// Rows that were done with by then.
    pub began_with: u64,
    /// When the pass ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Stretches of work that broke off without a row done.
    #[serde(default)]
    pub tries: u32,
}

impl Tally {
    /// The tally of a run under way, on top of what earlier stretches have done.
    pub(super) fn plus(&self, done: &Imported) -> Self {
        Self {
            read: self.read + done.read,
            created: self.created + done.created,
            updated: self.updated + done.updated,
            unchanged: self.unchanged + done.unchanged,
            skipped: self.skipped + done.skipped,
            rejected: self.rejected + done.rejected,
            ..self.clone()
        }
    }

    /// Adds rows of an outcome.
    pub(super) fn count(&mut self, outcome: &str) {
        let place = match outcome {
            "created" => &mut self.created,
            "updated" => &mut self.updated,
            "unchanged" => &mut self.unchanged,
            "skipped" => &mut self.skipped,
            "undone" => &mut self.undone,
            "left" => &mut self.left,
            _ => &mut self.rejected,
        };
        *place += 1;
        self.read += 1;
    }

    /// Rows a second since this stretch began, and seconds left until `total` rows are done with; none too early to tell.
    pub fn pace(&self, total: u64, now: DateTime<Utc>) -> Option<(f64, u64)> {
        let spent = (self.ended_at.unwrap_or(now) - self.began_at?).num_milliseconds() as f64 / 1000.0;
        let done = self.read.saturating_sub(self.began_with) as f64;
        (spent > 0.0 && done > 0.0).then(|| {
            let rate = done / spent;
            (rate, (total.saturating_sub(self.read) as f64 / rate).ceil() as u64)
        })
    }
}

/// A file to be imported.
pub struct NewImport<'a> {
    /// The form it is begun for.
    pub form: Key,
    /// The definition of the pack; by hand where absent.
    pub definition: Option<Key>,
    /// Whose import it is; none for the operator at the machine, who acts as the engine itself.
    pub owner: Option<&'a User>,
    /// Language errors are told in.
    pub language: String,
    /// Name of the file.
    pub name: String,
    /// The file, possibly gzipped.
    pub file: &'a [u8],
    /// Its encoding; told from its bytes where absent.
    pub encoding: Option<Encoding>,
    /// Between its columns; told from its rows where absent.
    pub delimiter: Option<u8>,
    /// Which column goes where; guessed where absent.
    pub mapping: Option<Mapping>,
}

/// Whether the viewer may import into a form: whoever may file or change its records.
pub fn may_import(pack: &Arc<Pack>, viewer: &Viewer, form: &Key) -> bool {
    let projection = pack.forms().contains_key(form).then(|| Projection::new(pack, form, viewer, None));
    projection.is_some_and(|projection| projection.can_create() || projection.can_update())
}

/// An import and everything needed to go on with it.
pub struct Plan {
    /// The pack as it is deployed now.
    pub pack: Arc<Pack>,
    /// In whose name rows are written.
    pub viewer: Viewer,
    /// What it is to do.
    pub settings: Settings,
    /// How far it is.
    pub counts: Counts,
}

impl Plan {
    /// The import as it would run.
    pub fn import(&self, form: &Key) -> Result<Arc<Import>, ImportError> {
        let import = match &self.settings.definition {
            Some(key) => {
                let found = self.pack.imports().get(key);
                found.ok_or_else(|| ImportError::Unknown(key.to_string()))?.clone()
            }
            None => Arc::new(self.settings.mapping.import(&self.pack, &self.viewer, form)?),
        };
        if let Some(feed) = import.into.iter().find(|feed| !may_import(&self.pack, &self.viewer, &feed.form)) {
            return Err(ImportError::Forbidden(feed.form.to_string()));
        }
        mapping::complete(&import, &self.settings.header)?;
        Ok(import)
    }

    /// How the file is read.
    pub fn reading(&self) -> Reading {
        let encoding = encoding_named(&self.settings.encoding).unwrap_or(Encoding::Utf8);
        let delimiter = u8::try_from(self.settings.delimiter).unwrap_or(b',');
        Reading { encoding, delimiter }
    }
}

impl Engine {
    /// Takes a file in: it is read, its columns are mapped as far as can be guessed, and it is kept as a draft.
    pub async fn begin_import(&self, pack: &Arc<Pack>, new: NewImport<'_>) -> Result<ImportJob, ImportError> {
        let viewer = self.importer(pack, new.owner, &new.language);
        if !may_import(pack, &viewer, &new.form) {
            return Err(ImportError::Forbidden(new.form.to_string()));
        }
        if new.file.len() > FILE_BYTES_MAX {
            return Err(ImportError::TooLarge(FILE_BYTES_MAX as u64 >> 20));
        }
        let definition = match &new.definition {
            Some(key) => Some(pack.imports().get(key).ok_or_else(|| ImportError::Unknown(key.to_string()))?),
            None => None,
        };
        let bytes = unpacked(new.file)?;
        let encoding = new.encoding.or(definition.and_then(|import| import.encoding));
        let delimiter = new.delimiter.or(definition.and_then(|import| import.delimiter));
        let sheet = Sheet::new(&bytes, Reading::of(&bytes, encoding, delimiter))?;
        let mapping = match (new.mapping, definition) {
            (Some(mapping), _) => mapping,
            (None, Some(_)) => Mapping::default(),
            (None, None) => {
                let earlier = self.earlier_mapping(new.owner, pack.key(), &new.form).await?;
                Mapping::guess(pack, &viewer, &new.form, &sheet, earlier.as_ref())
            }
        };
        let settings = Settings {
            definition: new.definition,
            encoding: encoding_name(sheet.reading().encoding).to_owned(),
            delimiter: char::from(sheet.reading().delimiter),
            rows: sheet.count(),
            header: sheet.header.clone(),
            mapping,
            language: new.language,
        };
        let now = self.clock().now();
        let job = ImportJob {
            id: self.new_id(),
            owner: new.owner.map(|user| user.id),
            pack: pack.key().clone(),
            form: new.form,
            name: new.name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect(),
            size: i64::try_from(new.file.len()).unwrap_or(i64::MAX),
            state: "draft".to_owned(),
            settings: json!(settings),
            counts: json!(Counts::default()),
            problem: None,
            created_at: now,
            updated_at: now,
            epoch: 0,
        };
        self.store().put_import(&job, packed(new.file)?).await?;
        Ok(job)
    }

    /// The pack, the viewer and the settings of an import; refused where its pack or its owner is gone.
    pub async fn import_plan(&self, job: &ImportJob) -> Result<Plan, ImportError> {
        let deployed = self.deployed();
        let pack = deployed.pack(&job.pack).ok_or_else(|| ImportError::Unknown(job.pack.to_string()))?.clone();
        let read = |error: serde_json::Error| Fault {
            context: format!("reading import {}", job.id),
            source: Some(error.into()),
        };
        let settings: Settings = serde_json::from_value(job.settings.clone()).map_err(read)?;
        let counts: Counts = serde_json::from_value(job.counts.clone()).map_err(read)?;
        let owner = match job.owner {
            Some(id) => {
                let user = self.store().user(id).await?.filter(|user| user.facts.active);
                Some(user.ok_or_else(|| ImportError::Forbidden(job.form.to_string()))?)
            }
            None => None,
        };
        let viewer = self.importer(&pack, owner.as_ref(), &settings.language);
        Ok(Plan { pack, viewer, settings, counts })
    }

    /// Its file, unpacked.
    pub async fn import_bytes(&self, id: Uuid) -> Result<Vec<u8>, ImportError> {
        let mut packed = Vec::new();
        for part in self.store().import_file(id).await? {
            let bytes = STANDARD.decode(part);
            packed.extend(
                bytes.map_err(|error| Fault {
                    context: "reading a stored file".to_owned(),
                    source: Some(error.into()),
                })?,
            );
        }
        let mut bytes = Vec::new();
        let read = GzDecoder::new(packed.as_slice()).take(BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| ImportError::Unreadable(error.to_string()))?;
        Ok(bytes)
    }

    /// Reads a draft anew, with another encoding, delimiter, definition or mapping.
    pub async fn set_import(&self, job: &ImportJob, mut settings: Settings) -> Result<(), ImportError> {
        let plan = self.import_plan(job).await?;
        let is_read_anew = settings.encoding != plan.settings.encoding || settings.delimiter != plan.settings.delimiter;
        if is_read_anew {
            let bytes = self.import_bytes(job.id).await?;
            let wanted = Plan { settings: settings.clone(), ..plan };
            let sheet = Sheet::new(&bytes, wanted.reading())?;
            settings.rows = sheet.count();
            settings.header = sheet.header.clone();
            settings.mapping = Mapping::guess(&wanted.pack, &wanted.viewer, &job.form, &sheet, Some(&settings.mapping));
        }
        self.step(job, &["draft", "checked"], "draft", Some(&settings)).await
    }

    /// Has it looked at: what would happen, row by row; nothing is written.
    pub async fn check_import(&self, job: &ImportJob) -> Result<(), ImportError> {
        self.import_plan(job).await?.import(&job.form)?;
        self.step(job, &["draft", "checked"], "checking", None).await
    }

    /// Has it run, or go on where it broke off.
    pub async fn run_import(&self, job: &ImportJob) -> Result<(), ImportError> {
        self.import_plan(job).await?.import(&job.form)?;
        self.step(job, &["draft", "checked", "cancelled", "failed"], "running", None).await
    }

    /// Has it stop after the rows under way.
    pub async fn cancel_import(&self, job: &ImportJob) -> Result<(), ImportError> {
        if self.step(job, &["checking"], "draft", None).await.is_ok() {
            return Ok(());
        }
        self.step(job, &["running"], "cancelling", None).await
    }

    /// Has it taken back, as far as nothing was changed since.
    pub async fn undo_import(&self, job: &ImportJob) -> Result<(), ImportError> {
        let counts = self.import_plan(job).await?.counts;
        if counts.run.created + counts.run.updated == 0 {
            return Err(ImportError::NotNow(job.state.clone()));
        }
        self.step(job, &["done", "cancelled", "failed"], "undoing", None).await
    }

    async fn step(
        &self,
        job: &ImportJob,
        from: &[&str],
        to: &str,
        settings: Option<&Settings>,
    ) -> Result<(), ImportError> {
        let settings = settings.map(|settings| json!(settings));
        if !self.store().step_import(job.id, from, to, settings.as_ref(), self.clock().now()).await? {
            return Err(ImportError::NotNow(job.state.clone()));
        }
        self.due.wake_imports();
        Ok(())
    }

    /// What is wrong with the rows of an import, in the order of the file, after the row of that number: of the run, or
    /// of the check where it did not run yet. With it the number to go on after.
    pub async fn import_errors(
        &self,
        job: &ImportJob,
        pass: Pass,
        after: Option<i64>,
        limit: u32,
    ) -> Result<(Vec<RowError>, Option<i64>), Fault> {
        let which = ImportRows { told: true, after, limit, ..ImportRows::default() };
        let rows = self.store().import_rows(job.id, pass, &which).await?;
        let next = (rows.len() == limit as usize).then(|| rows.last().map(|row| row.row)).flatten();
        Ok((rows.iter().flat_map(errors_of).collect(), next))
    }

    /// In whose name rows are written: the user's, or the engine's own.
    fn importer(&self, pack: &Arc<Pack>, owner: Option<&User>, language: &str) -> Viewer {
        owner.map_or_else(|| Viewer::system(language), |user| self.viewer(pack, Some(user), language))
    }

    /// The mapping the user made last for that form.
    async fn earlier_mapping(&self, owner: Option<&User>, pack: &Key, form: &Key) -> Result<Option<Mapping>, Fault> {
        let Some(owner) = owner else { return Ok(None) };
        let earlier = self.store().imports_of(owner.id, REMEMBERED).await?;
        let mut settings = earlier
            .into_iter()
            .filter(|job| job.pack == *pack && job.form == *form && job.state != "draft")
            .filter_map(|job| serde_json::from_value::<Settings>(job.settings).ok());
        Ok(settings.find(|settings| settings.definition.is_none()).map(|settings| settings.mapping))
    }
}

/// The errors kept with a row.
pub(super) fn errors_of(row: &ImportRow) -> Vec<RowError> {
    serde_json::from_value(row.errors.clone()).unwrap_or_default()
}

/// The file in pieces of text, gzipped if it is not.
fn packed(file: &[u8]) -> Result<Vec<String>, Fault> {
    let failed = |error: std::io::Error| Fault { context: "packing a file".to_owned(), source: Some(error.into()) };
    let packed = match file.starts_with(&[0x1F, 0x8B]) {
        true => file.to_vec(),
        false => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(file).map_err(failed)?;
            encoder.finish().map_err(failed)?
        }
    };
    Ok(packed.chunks(PART).map(|part| STANDARD.encode(part)).collect())
}
