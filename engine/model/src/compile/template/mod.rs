//! Templates: their syntax, the names and filters in them, and that each language of the pack has one.

mod scan;

use std::collections::HashSet;
use std::ops::Range;

use indexmap::IndexMap;
use minijinja::{Environment, ErrorKind};

use crate::Key;
use crate::diagnostic::At;
use crate::documents::common::{Given, Keyed};
use crate::documents::steps::StepOptions;
use crate::documents::{Kind, workflow};
use crate::pack::material::Template;
use crate::structure::did_you_mean;

use super::context::Context;
use scan::Word;

/// What a template reads: the step says what a message gives away, and nothing else is there.
const ROOT: &str = "data";
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

/// What the steps that send the template give it; nothing where a workflow cannot be read.
fn uses<'d>(context: &Context<'d>, template: &str) -> Option<Vec<&'d Keyed<Given>>> {
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
                uses.push(&notify.data);
            }
        }
    }
    Some(uses)
}

fn check(context: &Context<'_>, text: &str, uses: Option<&[&Keyed<Given>]>, at: &At) {
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
        let Some((wrong, message, hint)) = unknown(&segments, uses) else { continue };
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
fn unknown(segments: &[&str], uses: Option<&[&Keyed<Given>]>) -> Option<(usize, String, Option<String>)> {
    let (root, name) = (segments[0], segments.get(1));
    if root != ROOT {
        let given = segments.last().unwrap_or(&root);
        let hint = format!(
            "a template reads `data` only: `\"data\": {{\"{given}\": \"=…\"}}` in the step, `data.{given}` here"
        );
        return Some((0, format!("unknown name `{root}`"), Some(hint)));
    }
    let given = uses?.iter().find(|given| name.is_some_and(|name| !given.contains_key(*name)))?;
    let hint = did_you_mean(name?, given.keys().map(String::as_str));
    Some((1, format!("no `{}` in the `data` of a step that sends this", name?), hint))
}

/// What a step gives and no text reads does nothing.
pub(super) fn unread(context: &Context<'_>, key: &str, texts: &IndexMap<String, String>, data: &Keyed<Given>, at: &At) {
    let environment = Environment::new();
    let mut read = HashSet::new();
    for text in texts.values() {
        // What does not parse is told where it stands.
        let Ok(template) = environment.template_from_str(text) else { return };
        read.extend(template.undeclared_variables(true));
    }
    if read.contains(ROOT) {
        return;
    }
    let is_read = |name: &str| {
        let path = format!("{ROOT}.{name}");
        read.iter().any(|read| *read == path || read.starts_with(&format!("{path}.")))
    };
    for name in data.keys().filter(|name| !is_read(name)) {
        let message = format!("no text of the template `{key}` reads `data.{name}`");
        context.error_at_key("FW0417", &at.key(name), message, None);
    }
}
