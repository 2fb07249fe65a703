//! `/imports/new?form=` and `/imports/{id}`: a file in five steps, from upload to taking it back. Every step is a page of
//! its own state: one may leave, come back, and do without scripts.

mod view;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Multipart, Path};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use uuid::Uuid;

use formwork_model::{Key, Pack};
use formwork_runtime::imports::{FILE_BYTES_MAX, ImportError, NewImport, Settings, may_import};

use super::errors::Refusal;
use super::visit::{Visit, see_other};
use crate::api::imports::{delimiter_of, own, target_of};
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::query::{first, parse};

/// What stands around a file in the body of a request.
const AROUND: usize = 1 << 20;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/imports/new", get(new).post(upload).layer(DefaultBodyLimit::max(FILE_BYTES_MAX + AROUND)))
        .route("/imports/{id}", get(show).post(act))
}

/// The form that `?form=` names, as this visitor may import into it; none where it names none.
fn wanted(visit: &Visit) -> Result<Option<(Arc<Pack>, Key)>, Problem> {
    let pairs = visit.pairs();
    let Some(name) = first(&pairs, "form") else { return Ok(None) };
    let (pack, form, _) = target_of(visit.engine(), name, None)?;
    if !may_import(&pack, &visit.viewer(&pack), &form) {
        return Err(Problem::not_found("form", name));
    }
    Ok(Some((pack, form)))
}

async fn new(visit: Visit) -> Result<Response, Refusal> {
    let wanted = wanted(&visit)?;
    view::new(&visit, wanted, None).await
}

/// Step 1: the file, or what was pasted.
async fn upload(visit: Visit, mut body: Multipart) -> Result<Response, Refusal> {
    let user = visit.user()?.clone();
    let Some((pack, form)) = wanted(&visit)? else { return Ok(see_other("/imports/new", None)) };
    let (mut name, mut file, mut definition) = (String::new(), Vec::new(), None);
    let unread = |error: axum::extract::multipart::MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ImportError::TooLarge(FILE_BYTES_MAX as u64 >> 20),
        _ => ImportError::Unreadable(error.body_text()),
    };
    let read = async {
        while let Some(part) = body.next_field().await.map_err(unread)? {
            let (of, called) = (part.name().unwrap_or_default().to_owned(), part.file_name().map(str::to_owned));
            let bytes = part.bytes().await.map_err(unread)?;
            match of.as_str() {
                "definition" if !bytes.is_empty() => definition = String::from_utf8(bytes.to_vec()).ok(),
                "file" if !bytes.is_empty() => (name, file) = (called.unwrap_or_default(), bytes.to_vec()),
                "text" if file.is_empty() && !bytes.trim_ascii().is_empty() => file = bytes.to_vec(),
                _ => {}
            }
        }
        Ok::<_, ImportError>(())
    };
    let begun = match read.await {
        Ok(()) => {
            let new = NewImport {
                form: form.clone(),
                definition: definition.map(Key::from),
                owner: Some(&user),
                language: visit.caller.language.clone(),
                name: if name.is_empty() { visit.say("import.pasted", &[]) } else { name },
                file: &file,
                encoding: None,
                delimiter: None,
                mapping: None,
            };
            visit.engine().begin_import(&pack, new).await
        }
        Err(error) => Err(error),
    };
    match begun {
        Ok(job) => Ok(see_other(&format!("/imports/{}", job.id), None)),
        Err(ImportError::Fault(fault)) => Err(fault.into()),
        Err(error) => view::new(&visit, Some((pack, form)), Some(&error)).await,
    }
}

async fn show(visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Refusal> {
    let job = own(visit.engine(), &visit.caller, id).await?;
    view::show(&visit, job, None).await
}

/// The buttons of steps 2 to 5.
async fn act(visit: Visit, Path(id): Path<Uuid>, body: Bytes) -> Result<Response, Refusal> {
    let engine = visit.engine();
    let job = own(engine, &visit.caller, id).await?;
    let pairs = parse(&body);
    let told = |settings: Settings| told(settings, &pairs);
    let done = match first(&pairs, "_act") {
        Some("read") => match engine.import_plan(&job).await {
            Ok(plan) => engine.set_import(&job, told(plan.settings)).await,
            Err(error) => Err(error),
        },
        Some("check") => match engine.import_plan(&job).await {
            Ok(plan) => match engine.set_import(&job, told(plan.settings)).await {
                Ok(()) => engine.check_import(&own(engine, &visit.caller, id).await?).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        },
        Some("edit") => match engine.import_plan(&job).await {
            Ok(plan) => engine.set_import(&job, plan.settings).await,
            Err(error) => Err(error),
        },
        Some("run") => engine.run_import(&job).await,
        Some("cancel") => engine.cancel_import(&job).await,
        Some("undo") => engine.undo_import(&job).await,
        _ => Ok(()),
    };
    match done {
        // It moved on by itself meanwhile: the page shows where it is.
        Ok(()) | Err(ImportError::NotNow(_)) => Ok(see_other(&format!("/imports/{id}"), None)),
        Err(ImportError::Fault(fault)) => Err(fault.into()),
        Err(error) => {
            let job = own(engine, &visit.caller, id).await?;
            view::show(&visit, job, Some(&error)).await
        }
    }
}

/// The settings as the form of step 2 says: `c0`, `c1` … hold the field of each column.
fn told(mut settings: Settings, pairs: &crate::view::query::Pairs) -> Settings {
    if let Some(encoding) = first(pairs, "encoding") {
        settings.encoding = encoding.to_owned();
    }
    if let Some(delimiter) = first(pairs, "delimiter").and_then(delimiter_of) {
        settings.delimiter = char::from(delimiter);
    }
    if settings.definition.is_none() && pairs.iter().any(|(name, _)| name == "key") {
        let columns = settings
            .header
            .iter()
            .enumerate()
            .filter_map(|(place, column)| Some((first(pairs, &format!("c{place}"))?.to_owned(), column.clone())));
        settings.mapping.columns = columns.collect();
        let key = first(pairs, "key").unwrap_or_default();
        settings.mapping.key = key.split(',').filter(|field| !field.is_empty()).map(str::to_owned).collect();
        settings.mapping.starts = first(pairs, "starts").is_some();
    }
    settings
}
