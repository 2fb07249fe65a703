//! What the pages of an import show (templates/pages/imports).

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use formwork_core::Viewer;
use formwork_core::change::Written;
use formwork_core::stimulus::Pass;
use formwork_model::{Key, Pack};
use formwork_runtime::imports::{
    DELIMITERS, ImportError, Plan, RowError, Sheet, Tally, keys_of, may_import, targets_of,
};
use formwork_store::{ImportJob, ImportRows};

use super::super::errors::Refusal;
use super::super::shell::Page;
use super::super::visit::Visit;
use crate::api::imports::pass_of;
use crate::view::field::Link;
use crate::view::seen::path_of;

/// Sample rows shown of a column, and errors and records on a page.
const SAMPLES: usize = 3;
const ERRORS_SHOWN: u32 = 50;
const RECORDS_SHOWN: u32 = 20;
const RECENT: u32 = 10;
/// Most characters of a cell that are shown.
const VALUE_SHOWN: usize = 80;

/// Step 1.
#[derive(Debug, Serialize)]
struct NewView {
    action: String,
    forms: Vec<Link>,
    definitions: Vec<Choice>,
    recent: Vec<Recent>,
    limit: String,
    problem: String,
}

#[derive(Debug, Serialize)]
struct Recent {
    label: String,
    href: String,
    state: String,
}

/// Something to choose.
#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

/// Steps 2 to 5.
#[derive(Debug, Serialize)]
struct ImportView {
    href: String,
    steps: Vec<Step>,
    state: String,
    /// What is going on or came of it, in words.
    sentence: String,
    file: String,
    problem: String,
    live: bool,
    encodings: Vec<Choice>,
    delimiters: Vec<Choice>,
    definition: String,
    columns: Vec<Column>,
    keys: Vec<Choice>,
    starts: bool,
    numbers: Vec<Number>,
    progress: Option<Progress>,
    errors: Vec<ErrorRow>,
    more_errors: bool,
    errors_href: String,
    records: Vec<Link>,
    can: Vec<&'static str>,
    run: String,
    list: Option<Link>,
}

#[derive(Debug, Serialize)]
struct Step {
    label: String,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Column {
    place: usize,
    name: String,
    samples: String,
    fields: Vec<Choice>,
}

#[derive(Debug, Serialize)]
struct Number {
    label: String,
    value: String,
    tone: &'static str,
}

#[derive(Debug, Serialize)]
struct Progress {
    value: u64,
    max: u64,
    text: String,
}

#[derive(Debug, Serialize)]
struct ErrorRow {
    line: String,
    field: String,
    value: String,
    message: String,
}

pub(super) async fn new(
    visit: &Visit,
    wanted: Option<(Arc<Pack>, Key)>,
    problem: Option<&ImportError>,
) -> Result<Response, Refusal> {
    let user = visit.user()?.clone();
    let language = visit.caller.language.clone();
    let deployed = visit.engine().deployed();
    let mut view = NewView {
        action: String::new(),
        forms: Vec::new(),
        definitions: Vec::new(),
        recent: Vec::new(),
        limit: (formwork_runtime::imports::FILE_BYTES_MAX >> 20).to_string(),
        problem: problem.map(|problem| words(visit, problem)).unwrap_or_default(),
    };
    let mut page = Page { title: visit.say("import.title", &[]), ..Page::default() };
    if let Some((pack, form)) = &wanted {
        let viewer = visit.viewer(pack);
        let label = pack.form(form).label.get(&language).to_owned();
        let list = path_of(visit.engine(), pack, "records", form, |pack, key| pack.forms().contains_key(key));
        view.action = list.replacen("/records/", "/imports/new?form=", 1);
        let fits = pack.imports().values().filter(|import| {
            import.into.iter().any(|feed| feed.form == *form)
                && import.into.iter().all(|feed| may_import(pack, &viewer, &feed.form))
        });
        let definitions = fits.map(|import| Choice {
            value: import.key.to_string(),
            label: import.label.get(&language).to_owned(),
            chosen: false,
        });
        view.definitions = definitions.collect();
        page.title = visit.say("import.into", &[("form", &label)]);
        page.breadcrumb = vec![Link { label, href: list }];
    } else {
        for pack in &deployed.packs {
            let viewer = visit.viewer(pack);
            let forms = pack.forms().iter().filter(|(key, _)| may_import(pack, &viewer, key));
            view.forms.extend(forms.map(|(key, form)| {
                let path = path_of(visit.engine(), pack, "records", key, |pack, key| pack.forms().contains_key(key));
                let href = path.replacen("/records/", "/imports/new?form=", 1);
                Link { label: form.label.get(&language).to_owned(), href }
            }));
        }
    }
    for job in visit.engine().store().imports_of(user.id, RECENT).await? {
        let label = match deployed.pack(&job.pack).and_then(|pack| pack.forms().get(&job.form)) {
            Some(form) => format!("{} · {}", form.label.get(&language), job.name),
            None => job.name.clone(),
        };
        let state = visit.say(&format!("import.state.{}", job.state), &[]);
        view.recent.push(Recent { label, href: format!("/imports/{}", job.id), state });
    }
    if problem.is_some() {
        (page.rejected, page.status) = (true, StatusCode::UNPROCESSABLE_ENTITY);
    }
    Ok(visit.draw("pages/imports/new.html", page, "import", view).await?)
}

pub(super) async fn show(visit: &Visit, job: ImportJob, problem: Option<&ImportError>) -> Result<Response, Refusal> {
    let plan = visit.engine().import_plan(&job).await?;
    let language = &visit.caller.language;
    let label = plan.pack.form(&job.form).label.get(language).to_owned();
    let list = path_of(visit.engine(), &plan.pack, "records", &job.form, |pack, key| pack.forms().contains_key(key));
    let view = ImportPage { visit, job: &job, plan: &plan }.view(problem).await?;
    let page = Page {
        title: visit.say("import.into", &[("form", &label)]),
        breadcrumb: vec![Link { label, href: list.clone() }],
        place: Some(list),
        rejected: problem.is_some(),
        status: if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK },
        ..Page::default()
    };
    Ok(visit.draw("pages/imports/import.html", page, "import", view).await?)
}

struct ImportPage<'a> {
    visit: &'a Visit,
    job: &'a ImportJob,
    plan: &'a Plan,
}

impl ImportPage<'_> {
    async fn view(&self, problem: Option<&ImportError>) -> Result<ImportView, Refusal> {
        let (job, plan, visit) = (self.job, self.plan, self.visit);
        let state = job.state.as_str();
        let is_draft = state == "draft";
        let pass = pass_of(job);
        let tally = match pass {
            Pass::Check => &plan.counts.check,
            Pass::Run => &plan.counts.run,
            Pass::Undo => &plan.counts.undo,
        };
        let (errors, more) = match is_draft {
            true => (Vec::new(), None),
            false => visit.engine().import_errors(job, pass, None, ERRORS_SHOWN).await?,
        };
        let live = matches!(state, "checking" | "running" | "cancelling" | "undoing");
        let told = problem.map(|problem| words(visit, problem));
        let kept = job.problem.as_ref().map(|code| visit.say(&format!("import.problem.{code}"), &[]));
        let list =
            path_of(visit.engine(), &plan.pack, "records", &job.form, |pack, key| pack.forms().contains_key(key));
        let created = self.number(plan.counts.check.created + plan.counts.check.updated);
        Ok(ImportView {
            href: format!("/imports/{}", job.id),
            steps: self.steps(),
            state: state.to_owned(),
            sentence: visit.say(&format!("import.sentence.{state}"), &[]),
            file: self.file(),
            problem: told.or(kept).unwrap_or_default(),
            live,
            encodings: self.choices(&["utf-8", "gb18030"], &plan.settings.encoding, "import.encoding."),
            delimiters: DELIMITERS
                .into_iter()
                .map(|byte| self.delimiter(char::from(byte)))
                .chain(
                    (!DELIMITERS.contains(&(plan.settings.delimiter as u8)))
                        .then(|| self.delimiter(plan.settings.delimiter)),
                )
                .collect(),
            definition: self.definition(),
            columns: if is_draft && plan.settings.definition.is_none() { self.columns().await? } else { Vec::new() },
            keys: self.keys(),
            starts: plan.settings.mapping.starts,
            numbers: if is_draft { Vec::new() } else { self.numbers(pass, tally) },
            progress: live.then(|| self.progress(pass, tally)),
            more_errors: more.is_some(),
            errors: errors.into_iter().map(|error| self.error(error)).collect(),
            errors_href: format!("/api/imports/{}/errors.csv?bom=true", job.id),
            records: if matches!(state, "done" | "cancelled" | "failed") { self.records().await? } else { Vec::new() },
            can: self.can(),
            run: visit.say("import.run", &[("n", &created)]),
            list: Some(Link { label: visit.say("import.open_list", &[]), href: list }),
        })
    }

    /// The five steps, and where one is.
    fn steps(&self) -> Vec<Step> {
        let at = match self.job.state.as_str() {
            "draft" => 1,
            "checking" | "checked" => 2,
            "running" | "cancelling" => 3,
            _ => 4,
        };
        let names = ["upload", "map", "check", "run", "result"];
        let steps = names.iter().enumerate().map(|(place, name)| Step {
            label: self.visit.say(&format!("import.step.{name}"), &[]),
            state: match place.cmp(&at) {
                std::cmp::Ordering::Less => "done",
                std::cmp::Ordering::Equal => "current",
                std::cmp::Ordering::Greater => "",
            },
        });
        steps.collect()
    }

    fn file(&self) -> String {
        let settings = &self.plan.settings;
        let size = match self.job.size {
            size if size < 1 << 20 => format!("{} KB", (size + 1023) / 1024),
            size => format!("{} MB", size >> 20),
        };
        let rows = self.visit.say("import.rows", &[("n", &self.number(settings.rows))]);
        let encoding = self.visit.say(&format!("import.encoding.{}", settings.encoding), &[]);
        format!("{} · {size} · {rows} · {encoding}", self.job.name)
    }

    fn choices(&self, values: &[&str], chosen: &str, words: &str) -> Vec<Choice> {
        let choice = |value: &&str| Choice {
            value: (*value).to_owned(),
            label: self.visit.say(&format!("{words}{value}"), &[]),
            chosen: *value == chosen,
        };
        values.iter().map(choice).collect()
    }

    fn delimiter(&self, character: char) -> Choice {
        let word = match character {
            ',' => "comma",
            '\t' => "tab",
            ';' => "semicolon",
            '|' => "bar",
            _ => "other",
        };
        let value = if character == '\t' { "tab".to_owned() } else { character.to_string() };
        let label = self.visit.say(&format!("import.delimiter.{word}"), &[("c", &value)]);
        Choice { value, label, chosen: character == self.plan.settings.delimiter }
    }

    fn definition(&self) -> String {
        let language = &self.visit.caller.language;
        let key = self.plan.settings.definition.as_ref();
        key.and_then(|key| self.plan.pack.imports().get(key))
            .map(|import| import.label.get(language).to_owned())
            .unwrap_or_default()
    }

    /// Each column with what its first rows hold, and the fields it may go into.
    async fn columns(&self) -> Result<Vec<Column>, Refusal> {
        let (plan, language) = (self.plan, &self.visit.caller.language);
        let bytes = self.visit.engine().import_bytes(self.job.id).await?;
        let sheet = Sheet::new(&bytes, plan.reading())?;
        let samples = sheet.sample(SAMPLES);
        let fields = targets_of(&plan.pack, &plan.viewer, &self.job.form);
        let columns = sheet.header.iter().enumerate().map(|(place, name)| {
            let cells = samples.iter().map(|row| row[place].trim()).filter(|cell| !cell.is_empty());
            let cells: Vec<String> = cells.map(|cell| cell.chars().take(40).collect()).collect();
            let chosen = plan.settings.mapping.columns.iter().find(|(_, column)| *column == name);
            let chosen = chosen.map(|(field, _)| field.as_str()).unwrap_or_default();
            let choices = fields.iter().map(|field| Choice {
                value: field.key.to_string(),
                label: field.label.get(language).to_owned(),
                chosen: *field.key == *chosen,
            });
            Column { place, name: name.clone(), samples: cells.join(" · "), fields: choices.collect() }
        });
        Ok(columns.collect())
    }

    fn keys(&self) -> Vec<Choice> {
        let language = &self.visit.caller.language;
        let form = self.plan.pack.form(&self.job.form);
        let known: Vec<_> = targets_of(&self.plan.pack, &self.plan.viewer, &self.job.form);
        let mut keys = vec![Choice {
            value: String::new(),
            label: self.visit.say("import.key.none", &[]),
            chosen: self.plan.settings.mapping.key.is_empty(),
        }];
        for key in keys_of(form) {
            let fields: Vec<_> = key.iter().map(|&at| &form.fields[at]).collect();
            if !fields.iter().all(|field| known.iter().any(|known| known.key == field.key)) {
                continue;
            }
            let names: Vec<&str> = fields.iter().map(|field| &*field.key).collect();
            let labels: Vec<&str> = fields.iter().map(|field| field.label.get(language)).collect();
            let label = self.visit.say("import.key.by", &[("fields", &labels.join(&self.visit.say("ui.comma", &[])))]);
            keys.push(Choice { value: names.join(","), label, chosen: self.plan.settings.mapping.key == names });
        }
        keys
    }

    fn numbers(&self, pass: Pass, tally: &Tally) -> Vec<Number> {
        let number = |word: &str, value: u64, tone| Number {
            label: self.visit.say(&format!("import.count.{word}"), &[]),
            value: self.number(value),
            tone: if value == 0 { "" } else { tone },
        };
        match pass {
            Pass::Undo => vec![number("undone", tally.undone, "ok"), number("left", tally.left, "warn")],
            _ => vec![
                number("created", tally.created, "ok"),
                number("updated", tally.updated, "ok"),
                number("unchanged", tally.unchanged, ""),
                number("skipped", tally.skipped, ""),
                number("rejected", tally.rejected, "bad"),
            ],
        }
    }

    fn progress(&self, pass: Pass, tally: &Tally) -> Progress {
        let run = &self.plan.counts.run;
        let max = if pass == Pass::Undo { run.created + run.updated } else { self.plan.settings.rows };
        let now = self.visit.engine().clock().now();
        let done = self.visit.say("import.done_of", &[("n", &self.number(tally.read)), ("all", &self.number(max))]);
        let text = match tally.pace(max, now) {
            Some((rate, seconds)) => {
                let rate = self.number(rate.round() as u64);
                let left = match seconds {
                    0..60 => self.visit.say("import.seconds", &[("n", &seconds.to_string())]),
                    _ => self.visit.say("import.minutes", &[("n", &seconds.div_ceil(60).to_string())]),
                };
                self.visit.say("import.pace", &[("done", &done), ("rate", &rate), ("left", &left)])
            }
            None => done,
        };
        Progress { value: tally.read.min(max), max: max.max(1), text }
    }

    fn error(&self, error: RowError) -> ErrorRow {
        let language = &self.visit.caller.language;
        let mut parts = error.pointer.split('/').skip(1);
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let (form, field) = match second {
            Some(field) => (first, field),
            None => (&*self.job.form, first),
        };
        let known = self.plan.pack.forms().get(form).and_then(|form| form.field(field));
        let label = known.map_or(field, |(_, field)| field.label.get(language));
        let value = match error.value.char_indices().nth(VALUE_SHOWN) {
            Some((end, _)) => format!("{}…", &error.value[..end]),
            None => error.value,
        };
        ErrorRow { line: error.line.to_string(), field: label.to_owned(), value, message: error.message }
    }

    /// Records of the first rows that were written, with titles as far as the visitor may read them.
    async fn records(&self) -> Result<Vec<Link>, Refusal> {
        let which = ImportRows { outcomes: vec!["created", "updated"], limit: RECORDS_SHOWN, ..ImportRows::default() };
        let mut links = Vec::new();
        let viewer: Viewer = self.visit.viewer(&self.plan.pack);
        for row in self.visit.engine().store().import_rows(self.job.id, Pass::Run, &which).await? {
            for record in row.records.iter().filter(|record| record.outcome != Written::Unchanged) {
                let read = self.visit.engine().record(&self.plan.pack, &viewer, &record.form, record.id).await;
                let Ok(read) = read else { continue };
                let path = path_of(self.visit.engine(), &self.plan.pack, "records", &record.form, |pack, key| {
                    pack.forms().contains_key(key)
                });
                let form = self.plan.pack.form(&record.form).label.get(&self.visit.caller.language);
                let title = read["title"].as_str().filter(|title| !title.is_empty()).unwrap_or(form);
                links.push(Link { label: title.to_owned(), href: format!("{path}/{}", record.id) });
            }
        }
        Ok(links)
    }

    fn can(&self) -> Vec<&'static str> {
        let run = &self.plan.counts.run;
        let wrote = run.created + run.updated > 0;
        let mut can = match self.job.state.as_str() {
            "draft" => vec!["check"],
            "checked" if self.plan.counts.check.created + self.plan.counts.check.updated > 0 => vec!["run", "edit"],
            "checked" => vec!["edit"],
            "checking" | "running" => vec!["cancel"],
            "cancelled" | "failed" => vec!["resume"],
            _ => Vec::new(),
        };
        if wrote && matches!(self.job.state.as_str(), "done" | "cancelled" | "failed") {
            can.push("undo");
        }
        can
    }

    fn number(&self, value: u64) -> String {
        let digits = value.to_string();
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }
}

/// What is wrong, in the reader's language; what only this case knows stands behind.
fn words(visit: &Visit, error: &ImportError) -> String {
    let what = visit.say(&format!("import.problem.{}", error.code()), &[]);
    match error {
        ImportError::MissingColumns { missing, .. } => format!("{what} {}", missing.replace('`', "")),
        ImportError::Mapping(text) | ImportError::Unreadable(text) => format!("{what} ({text})"),
        _ => what,
    }
}
