//! From documents to a checked [`Pack`]: names are resolved, expressions typed, graphs walked. One file per kind.
//!
//! Nothing stops at the first problem. What cannot be compiled is left out and the rest goes on; a pack comes out only
//! if nothing was left out.

mod access;
mod analytics;
mod blocks;
mod board;
mod calendar;
mod case;
mod clocks;
mod context;
mod coverage;
mod decision;
mod demo;
mod field;
mod form;
mod formula;
mod graph;
mod literal;
mod load;
mod material;
mod order;
mod pack;
mod public;
mod report;
mod script;
mod shapes;
mod sla;
mod step;
mod table;
mod task;
mod template;
mod tile;
mod visual;
mod workflow;

#[cfg(test)]
pub(crate) mod tests;

use crate::diagnostic::{At, Diagnostic, Problems};
use crate::documents::common::KEY_PATTERN;
use crate::source::SourceMap;
use crate::{Key, Pack};

use context::Context;

/// Checks the files of a pack and compiles it. `key` is the pack's key, the name of its folder.
///
/// All problems of all stages come back at once, sorted by file and place. The pack is there exactly if none of them is
/// an error.
pub fn compile(key: &str, sources: &SourceMap) -> (Option<Pack>, Vec<Diagnostic>) {
    let mut problems = Problems::default();
    check_key(key, &mut problems);
    let documents = load::load(sources, &mut problems);
    let shapes = shapes::build(&documents);
    let context = Context::new(&documents, &shapes, problems);
    let contents = pack::compile(&context, Key::from(key), sources.hash(key));
    let problems = context.into_problems();
    let has_errors = problems.has_errors();
    let diagnostics = problems.finish(sources, &documents.trees);
    let contents = contents.filter(|_| !has_errors);
    (contents.map(|contents| Pack { contents }), diagnostics)
}

/// The key starts the names of the pack's tables: it is one, and it is no prefix that somebody else has.
fn check_key(key: &str, problems: &mut Problems) {
    let taken = ["fw", "sqlite"].into_iter().find(|taken| key.split('_').next() == Some(taken));
    let (message, hint) = match taken {
        _ if !load::is_key(key) => {
            (format!("`{key}` is no key of a pack"), format!("the name of its folder must match `{KEY_PATTERN}`"))
        }
        Some(taken) => (
            format!("`{key}` is no key of a pack"),
            format!("tables whose names start with `{taken}_` are not a pack's: name the folder otherwise"),
        ),
        None => return,
    };
    problems.error("FW0105", &At::file("pack.json"), message, Some(hint));
}
