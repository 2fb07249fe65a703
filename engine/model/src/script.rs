//! Scripts: the one rhai engine that checks them and runs them. Bounded, without modules, `eval`, time or output; numbers
//! are whole or exact decimals, as everywhere in a pack: `1.5` is a decimal, there is no float.

use std::cell::Cell;
use std::sync::LazyLock;

use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, ParseError, Position, Scope};

/// Operations of one run.
const OPERATIONS_MAX: u64 = 1_000_000;
/// Bytes of a text.
const TEXT_MAX: usize = 64 * 1024;
/// Elements of a list or a map.
const ELEMENTS_MAX: usize = 10_000;

/// Bytes a script holds in its variables, about.
const HELD_MAX: usize = 8 << 20;
/// How often variables are read or written until they are weighed again: so much may grow by a text each unseen.
const WEIGHED_EVERY: u32 = 512;

/// A new engine.
pub fn engine() -> Engine {
    let mut engine = Engine::new();
    #[expect(deprecated, reason = "rhai marks its volatile interface so; the version stands still in Cargo.lock")]
    engine.on_var(|_, _, context| weigh(&context));
    engine
        .set_max_operations(OPERATIONS_MAX)
        .set_max_string_size(TEXT_MAX)
        .set_max_array_size(ELEMENTS_MAX)
        .set_max_map_size(ELEMENTS_MAX)
        .set_max_call_levels(32)
        .set_max_expr_depths(64, 32)
        .disable_symbol("eval")
        .on_print(|_| {})
        .on_debug(|_, _, _| {});
    engine
}

/// Stops a script that holds too much. The limits above are those of one value, and rhai checks them where a function gives
/// it back: `map[key] = text` grows unseen.
fn weigh(context: &EvalContext) -> Result<Option<Dynamic>, Box<EvalAltResult>> {
    thread_local! { static READ: Cell<u32> = const { Cell::new(0) } }
    let read = READ.replace(READ.get().wrapping_add(1));
    if !read.is_multiple_of(WEIGHED_EVERY) {
        return Ok(None);
    }
    let held: usize = context.scope().iter_raw().map(|(_, _, value)| weight(value)).sum();
    if held > HELD_MAX {
        return Err(EvalAltResult::ErrorDataTooLarge("Total of variables".to_owned(), Position::NONE).into());
    }
    Ok(None)
}

/// Bytes of a value, about.
fn weight(value: &Dynamic) -> usize {
    let inner = if let Ok(text) = value.as_immutable_string_ref() {
        text.len()
    } else if let Ok(list) = value.as_array_ref() {
        list.iter().map(weight).sum()
    } else if let Ok(map) = value.as_map_ref() {
        map.iter().map(|(key, value)| key.len() + weight(value)).sum()
    } else {
        0
    };
    size_of::<Dynamic>() + inner
}

/// What is wrong with a script, and where in its text. `inputs`: the variables it is given; none where nobody knows.
pub(crate) fn problem(source: &str, inputs: Option<&[&str]>) -> Option<(std::ops::Range<usize>, String)> {
    static LENIENT: LazyLock<Engine> = LazyLock::new(engine);
    static STRICT: LazyLock<Engine> = LazyLock::new(|| {
        let mut engine = engine();
        engine.set_strict_variables(true);
        engine
    });
    let mut scope = Scope::new();
    for input in inputs.into_iter().flatten() {
        scope.push_dynamic((*input).to_owned(), rhai::Dynamic::UNIT);
    }
    let checker = if inputs.is_some() { &STRICT } else { &LENIENT };
    let ParseError(kind, position) = checker.compile_with_scope(&scope, source).err()?;
    let message = kind.to_string();
    let message = message.trim_end_matches('.');
    let mut characters = message.chars();
    let message = characters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().collect::<String>() + characters.as_str());
    Some((place(source, position), message))
}

/// The word at a line and a column; the end of the text where the position is none.
fn place(source: &str, position: rhai::Position) -> std::ops::Range<usize> {
    let (Some(line), column) = (position.line(), position.position().unwrap_or(1)) else {
        return source.len()..source.len();
    };
    let before: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    let start = before + rest.char_indices().nth(column - 1).map_or(rest.trim_end().len(), |(at, _)| at);
    let is_word = |character: &char| character.is_alphanumeric() || *character == '_';
    let length: usize = source.get(start..).unwrap_or_default().chars().take_while(is_word).map(char::len_utf8).sum();
    start..start + length
}
