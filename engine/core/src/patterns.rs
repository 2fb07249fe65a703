//! Compiled regular expressions. They are literals of definitions, checked by the compiler, so there are few; each thread
//! keeps its own, for those of one expression share a lock badly.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

/// Most patterns a thread keeps compiled.
const PATTERNS_MAX: usize = 512;

/// Whether the pattern occurs in the text; none where it is no regular expression.
pub(crate) fn occurs(pattern: &str, text: &str) -> Option<bool> {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
    }
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(regex) = compiled.get(pattern) {
            return Some(regex.is_match(text));
        }
        let regex = Regex::new(pattern).ok()?;
        if compiled.len() >= PATTERNS_MAX {
            compiled.clear();
        }
        let occurs = regex.is_match(text);
        compiled.insert(pattern.to_owned(), regex);
        Some(occurs)
    })
}

/// Whether the pattern matches the whole text; none where it is no regular expression.
pub(crate) fn is_whole(pattern: &str, text: &str) -> Option<bool> {
    occurs(&format!(r"\A(?:{pattern})\z"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_occurs_or_is_the_whole_and_both_may_be_asked_in_turn() {
        for _ in 0..2 {
            assert_eq!(
                (occurs("a|b", "xay"), is_whole("a|b", "xay"), is_whole("a|b", "b")),
                (Some(true), Some(false), Some(true))
            );
        }
        assert_eq!(occurs("(", "("), None);
    }

    #[test]
    fn more_patterns_than_are_kept() {
        for number in 0..=PATTERNS_MAX {
            assert_eq!(occurs(&format!("^{number}$"), &number.to_string()), Some(true));
        }
        assert_eq!(occurs("^0$", "1"), Some(false));
    }
}
