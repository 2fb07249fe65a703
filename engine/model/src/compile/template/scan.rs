//! The words of a template that its syntax tree does not give away: filters, tests, tags.

use std::ops::Range;

/// A word in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'t> {
    /// `… | name`.
    Filter(&'t str),
    /// `… is name`, `… is not name`.
    Test(&'t str),
    /// A tag that needs a second template.
    Tag(&'t str),
}

/// Tags that name other templates.
const FOREIGN_TAGS: [&str; 4] = ["include", "import", "from", "extends"];

/// The words and their places. The text has been parsed, so every bracket closes.
pub(super) fn words(text: &str) -> Vec<(Word<'_>, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('{').map(|offset| at + offset) {
        let close = match text.get(start..start + 2) {
            Some("{#") => {
                at = text[start..].find("#}").map_or(text.len(), |end| start + end + 2);
                continue;
            }
            Some("{{") => "}}",
            Some("{%") => "%}",
            _ => {
                at = start + 1;
                continue;
            }
        };
        let end = code(text, start + 2, close, &mut found);
        let is_mark = |character: char| character.is_whitespace() || character == '-' || character == '+';
        let tag = text[start + 2..end].trim_end_matches(close).trim_matches(is_mark);
        at = match (close, tag) {
            ("%}", "raw") => text[end..].find("endraw").map_or(text.len(), |raw| end + raw),
            _ => end,
        };
    }
    found
}

/// Reads the inside of a bracket; where it ends.
fn code<'t>(text: &'t str, start: usize, close: &str, found: &mut Vec<(Word<'t>, Range<usize>)>) -> usize {
    let mut previous = ["", ""];
    let mut at = start;
    let mut is_first = true;
    while at < text.len() {
        let rest = &text[at..];
        let Some(next) = rest.chars().next() else { break };
        if rest.starts_with(close) {
            return at + close.len();
        }
        let length = if next == '"' || next == '\'' {
            string(rest, next)
        } else if is_name(next) {
            rest.find(|character| !is_name(character)).unwrap_or(rest.len())
        } else {
            next.len_utf8()
        };
        let word = &rest[..length];
        at += length;
        if word.trim().is_empty() || (is_first && (word == "-" || word == "+")) {
            continue;
        }
        let place = at - length..at;
        if is_name(next) {
            match previous {
                [_, "|"] => found.push((Word::Filter(word), place)),
                [_, "is"] if word != "not" => found.push((Word::Test(word), place)),
                ["is", "not"] => found.push((Word::Test(word), place)),
                _ if is_first && close == "%}" && FOREIGN_TAGS.contains(&word) => found.push((Word::Tag(word), place)),
                // `{% filter upper %}`.
                [_, "filter"] if close == "%}" => found.push((Word::Filter(word), place)),
                _ => {}
            }
        }
        is_first = false;
        previous = [previous[1], word];
    }
    text.len()
}

/// How long the string is that starts here.
fn string(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            other if other == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Where a name stands, as a whole.
pub(super) fn occurrences(text: &str, name: &str) -> Vec<usize> {
    let is_part = |character: Option<char>| character.is_some_and(|character| is_name(character) || character == '.');
    text.match_indices(name)
        .filter(|(at, _)| {
            let (before, after) = (text[..*at].chars().next_back(), text[at + name.len()..].chars().next());
            !is_part(before) && !after.is_some_and(is_name)
        })
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_tree_hides() {
        for (text, expected) in [
            ("a | b", vec![]),
            ("{{ a | upper }} | b", vec![Word::Filter("upper")]),
            ("{{ a|default('x | y')|trim }}", vec![Word::Filter("default"), Word::Filter("trim")]),
            ("{%- if a is not none and b is odd -%}", vec![Word::Test("none"), Word::Test("odd")]),
            ("{# {{ a | b }} #}{% raw %}{{ a | b }}{% endraw %}{{ a | c }}", vec![Word::Filter("c")]),
            ("{% filter lower %}X{% endfilter %}", vec![Word::Filter("lower")]),
            ("{% include 'x' %}{{ include }}", vec![Word::Tag("include")]),
            ("{ {{ '\\'}}' | f }}", vec![Word::Filter("f")]),
        ] {
            let found: Vec<Word<'_>> = words(text).into_iter().map(|(word, _)| word).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
