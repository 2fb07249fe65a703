//! Roles and queues in the reader's language, and refusals about people in words.

use formwork_runtime::Engine;
use formwork_store::Failure;

use crate::i18n;

/// The title of a role: that of the pack that declares it, that of the platform, else its key.
pub(crate) fn role_title(engine: &Engine, language: &str, key: &str) -> String {
    let deployed = engine.deployed();
    let declared = deployed.packs.iter().find_map(|pack| pack.roles().get(key));
    match declared {
        Some(role) => role.title.get(language).to_owned(),
        None => i18n::catalogue(language).get(&format!("role.{key}")).cloned().unwrap_or_else(|| key.to_owned()),
    }
}

/// The title of a queue: that of the pack that declares it, else its key.
pub(crate) fn queue_title(engine: &Engine, language: &str, key: &str) -> String {
    let deployed = engine.deployed();
    let declared = deployed.packs.iter().find_map(|pack| pack.queues().get(key));
    declared.map_or_else(|| key.to_owned(), |queue| queue.title.get(language).to_owned())
}

/// What is wrong, in the reader's language; the code where it has no words.
pub(crate) fn problem_text(language: &str, code: &str) -> String {
    let text = i18n::catalogue(language).get(&format!("people.problem.{code}"));
    text.cloned().unwrap_or_else(|| code.replace('_', " "))
}

/// The refusal with its messages in the caller's language.
pub(crate) fn worded(language: &str, mut failure: Failure) -> Failure {
    if let Failure::Rejected(rejection) = &mut failure {
        for error in &mut rejection.errors {
            error.message = problem_text(language, &error.code);
        }
    }
    failure
}
