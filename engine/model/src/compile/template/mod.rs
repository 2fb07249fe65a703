//! Templates: their syntax, the names and filters in them, and that each language of the pack has one.

mod scan;

use std::ops::Range;

use indexmap::IndexMap;
use minijinja::{Environment, ErrorKind};

use crate::Key;
use crate::diagnostic::At;
use crate::documents::common::{Given, Keyed};
use crate::documents::steps::StepOptions;
use crate::documents::{Kind, workflow};
use crate::expr::ir::Slot;
use crate::expr::scope::FieldShape;
use crate::expr::{TableRef, Type};
use crate::pack::material::Template;
use crate::structure::did_you_mean;

use super::context::Context;
use scan::Word;

/// What a template may name.
const ROOTS: [&str; 3] = ["record", "data", "instance"];
/// What is known of the instance.
const INSTANCE: [&str; 4] = ["id", "key", "started_at", "workflow"];
/// Filters the platform adds to those of minijinja.
const OWN_FILTERS: [&str; 1] = ["local"];

/// Compiles every template.
pub(super) fn compile(context: &Context<'_>) -> IndexMap<Key, Template> {
    let languages = context.documents.pack.as_ref().map(|pack| pack.body.languages.clone()).unwrap_or_default();
    let mut compiled = IndexMap::new();
    for (key, texts) in &context.documents.templates {
        let uses = uses(context, key);
        for (language, text) in texts {
            let at = At::file(&format!("templates/{key}.{language}.txt"));
            check(context, text, uses.as_deref(), &at);
            if !languages.contains(language) && !languages.is_empty() {
                let hint = did_you_mean(language, languages.iter().map(String::as_str));
                context.warning("FW0412", &at, format!("`{language}` is no language of the pack"), hint);
            }
        }
        for language in languages.iter().filter(|language| !texts.contains_key(*language)) {
            let (first, _) = texts.first().map_or(("", ""), |(language, text)| (language.as_str(), text.as_str()));
            let at = At::file(&format!("templates/{key}.{first}.txt"));
            context.warning("FW0412", &at, format!("the template `{key}` is missing in {language}"), None);
        }
        let mut texts = texts.clone();
        // The order of the pack's languages, so that the first is the fallback.
        texts.sort_by_cached_key(|language, _| {
            (languages.iter().position(|known| known == language).unwrap_or(usize::MAX), language.clone())
        });
        compiled.insert(key.clone(), Template { key: key.clone(), texts });
    }
    compiled
}

/// A step that sends the template: the form its record is of, and what it gives as `data`.
struct Use<'d> {
    form: Option<&'d str>,
    data: &'d Keyed<Given>,
}

/// The steps that send the template; nothing where a workflow cannot be read.
fn uses<'d>(context: &Context<'d>, template: &str) -> Option<Vec<Use<'d>>> {
    let documents = context.documents;
    let is_whole = |workflow: &super::load::Document<workflow::Workflow>| workflow.cut.is_empty();
    if documents.broken.iter().any(|(kind, _)| *kind == Kind::Workflow) || !documents.workflows.values().all(is_whole) {
        return None;
    }
    let mut uses = Vec::new();
    for workflow in documents.workflows.values() {
        for step in workflow.body.steps.values() {
            if let StepOptions::Notify(notify) = &step.options
                && notify.template == template
            {
                uses.push(Use { form: workflow.body.form.as_deref(), data: &notify.data });
            }
        }
    }
    Some(uses)
}

fn check(context: &Context<'_>, text: &str, uses: Option<&[Use<'_>]>, at: &At) {
    let mut environment = Environment::new();
    environment.add_filter(OWN_FILTERS[0], |text: String| text);
    if let Err(error) = environment.add_template("template", text) {
        let line = error.line().unwrap_or(1);
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let length = text[start..].lines().next().map_or(0, str::len);
        let span = error.range().unwrap_or(start..start + length);
        let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        return context.error_at_bytes("FW0411", at, span, message);
    }
    for (word, span) in scan::words(text) {
        check_word(context, &environment, word, span, at);
    }
    let mut names: Vec<String> = environment
        .get_template("template")
        .map(|template| template.undeclared_variables(true).into_iter().collect())
        .unwrap_or_default();
    names.sort();
    for name in names {
        let segments: Vec<&str> = name.split('.').collect();
        if environment.globals().any(|(global, _)| global == segments[0]) {
            continue;
        }
        let Some((wrong, message, hint)) = unknown(context, &segments, uses) else { continue };
        for start in scan::occurrences(text, &name) {
            let before: usize = segments[..wrong].iter().map(|segment| segment.len() + 1).sum();
            let span = start + before..start + before + segments[wrong].len();
            context.error_at_bytes_hint("FW0417", at, span, message.clone(), hint.clone());
        }
    }
}

/// Filters, tests and tags are looked up only when they are reached: here each is tried.
fn check_word(context: &Context<'_>, environment: &Environment<'_>, word: Word<'_>, span: Range<usize>, at: &At) {
    let fails_with = |kind: ErrorKind, source: String| {
        environment.render_str(&source, ()).err().is_some_and(|error| error.kind() == kind)
    };
    let message = match word {
        Word::Filter(name) if fails_with(ErrorKind::UnknownFilter, format!("{{{{ '' | {name} }}}}")) => {
            format!("unknown filter `{name}`")
        }
        Word::Test(name) if fails_with(ErrorKind::UnknownTest, format!("{{{{ '' is {name} }}}}")) => {
            format!("unknown test `{name}`")
        }
        Word::Tag(name) => format!("`{name}` needs another template: a template stands alone"),
        _ => return,
    };
    let known = ["upper", "lower", "title", "trim", "default", "join", "length", "first", "last", "round", "replace"];
    let hint = match word {
        Word::Filter(name) => did_you_mean(name, known.into_iter().chain(OWN_FILTERS)),
        _ => None,
    };
    context.error_at_bytes_hint("FW0417", at, span, message, hint);
}

/// Which segment of a name leads nowhere, in words.
fn unknown(
    context: &Context<'_>,
    segments: &[&str],
    uses: Option<&[Use<'_>]>,
) -> Option<(usize, String, Option<String>)> {
    let root = segments[0];
    if !ROOTS.contains(&root) {
        let hint =
            did_you_mean(root, ROOTS.into_iter()).or_else(|| Some("there are `record`, `data`, `instance`".to_owned()));
        return Some((0, format!("unknown name `{root}`"), hint));
    }
    let name = *segments.get(1)?;
    match root {
        "record" => uses?.iter().find_map(|used| unknown_in_record(context, used.form, &segments[1..])),
        "data" => {
            let used = uses?.iter().find(|used| !used.data.contains_key(name))?;
            let hint = did_you_mean(name, used.data.keys().map(String::as_str));
            Some((1, format!("no `{name}` in the `data` of a step that sends this"), hint))
        }
        _ if INSTANCE.contains(&name) => None,
        _ => {
            let hint = did_you_mean(name, INSTANCE.into_iter());
            Some((1, format!("unknown attribute `{name}` of the instance"), hint))
        }
    }
}

fn unknown_in_record(
    context: &Context<'_>,
    form: Option<&str>,
    path: &[&str],
) -> Option<(usize, String, Option<String>)> {
    let name = path[0];
    let Some(form) = form else {
        return Some((0, "a step that sends this has no record".to_owned(), None));
    };
    let shape = context.shapes.tables.get(&TableRef::form(&form.into()))?;
    let is_shown = |field: &FieldShape| field.backlink.is_none();
    let ty = match shape.fields.get(name).filter(|field| is_shown(field)) {
        Some(field) => field.ty.clone(),
        None => match Slot::of_system(name, &form.into()) {
            Some((_, ty)) => ty,
            None => {
                let known = shape.fields.iter().filter(|(_, field)| is_shown(field)).map(|(key, _)| &**key);
                let hint = did_you_mean(name, known.chain(Slot::SYSTEM));
                return Some((1, format!("unknown field `{name}` of `{form}`"), hint));
            }
        },
    };
    let member = *path.get(1)?;
    let known: &[&str] = match ty {
        Type::Null | Type::Rows(_) => return None,
        Type::Link(_) | Type::User if name != "id" => &["id", "title"],
        _ => &[],
    };
    let hint = did_you_mean(member, known.iter().copied()).or_else(|| {
        (!known.is_empty()).then(|| "a template sees the `id` and the `title` of what a field links to".to_owned())
    });
    (!known.contains(&member)).then(|| (2, format!("`{name}` has no `{member}`"), hint))
}
