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
mod context;
mod coverage;
mod decision;
mod field;
mod form;
mod graph;
mod literal;
mod load;
mod material;
mod order;
mod pack;
mod report;
mod script;
mod shapes;
mod step;
mod table;
mod task;
mod template;
mod workflow;

#[cfg(test)]
pub(crate) mod tests;

use crate::diagnostic::{Diagnostic, Problems};
use crate::source::SourceMap;
use crate::{Key, Pack};

use context::Context;

/// Checks the files of a pack and compiles it. `key` is the pack's key, the name of its folder.
///
/// All problems of all stages come back at once, sorted by file and place. The pack is there exactly if none of them is
/// an error.
pub fn compile(key: &str, sources: &SourceMap) -> (Option<Pack>, Vec<Diagnostic>) {
    let mut problems = Problems::default();
    let documents = load::load(sources, &mut problems);
    let shapes = shapes::build(&documents);
    let context = Context::new(&documents, &shapes, problems);
    let contents = pack::compile(&context, Key::from(key), sources.hash());
    let problems = context.into_problems();
    let has_errors = problems.has_errors();
    let diagnostics = problems.finish(sources, &documents.trees);
    let contents = contents.filter(|_| !has_errors);
    (contents.map(|contents| Pack { contents }), diagnostics)
}
