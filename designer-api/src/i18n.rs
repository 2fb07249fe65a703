//! The catalogue of texts: `locales/<language>.json`, flat keys.

use std::collections::HashMap;
use std::sync::OnceLock;

/// The languages of the pages.
pub const LANGUAGES: [&str; 2] = ["zh-CN", "en"];

/// The text of a key in a language; the key itself where there is none (a test finds those).
pub fn text<'a>(language: &str, key: &'a str) -> &'a str {
    catalogue(language).get(key).map_or(key, String::as_str)
}

/// All texts of a language; English for one we do not speak.
pub fn catalogue(language: &str) -> &'static HashMap<String, String> {
    static ZH: OnceLock<HashMap<String, String>> = OnceLock::new();
    static EN: OnceLock<HashMap<String, String>> = OnceLock::new();
    match language {
        "zh-CN" => ZH.get_or_init(|| parse(include_str!("../locales/zh-CN.json"))),
        _ => EN.get_or_init(|| parse(include_str!("../locales/en.json"))),
    }
}

fn parse(json: &str) -> HashMap<String, String> {
    serde_json::from_str(json).expect("the catalogue is a flat map of texts; a test reads it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn both_languages_have_the_same_keys() {
        let keys = |language| catalogue(language).keys().collect::<BTreeSet<_>>();
        assert_eq!(keys("zh-CN"), keys("en"));
    }
}
