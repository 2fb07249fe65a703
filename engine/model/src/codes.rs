//! The codes of diagnostics. Each has a page in `engine/model/codes/`.

/// The page of a code: what it means, an example that is wrong, and the same put right. `FW0203` and `fw0203` are one.
pub fn explain(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_uppercase();
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, page)| *page)
}

/// All codes, ascending.
pub fn all() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

const PAGES: &[(&str, &str)] = &[];
