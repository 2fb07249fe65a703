//! The invariants of the architecture, read off the manifests and the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the checkout").to_owned()
}

/// Every file below a folder with one of these endings, as (path from the root, text).
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() && !["node_modules", "dist", "target"].contains(&name.as_str()) {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let from_root = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
                found.push((from_root, fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing below {folder} ends with {endings:?}: the check would see nothing");
    found
}

/// The dependencies a crate's manifest names.
fn dependencies(crate_folder: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(crate_folder).join("Cargo.toml")).expect("a crate has a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let table = manifest["dependencies"].as_table().expect("a crate depends on something");
    table.keys().cloned().collect()
}

/// The code of a file without comments and test modules, so that words in prose do not count.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn pure_crates_do_no_input_and_output() {
    let forbidden = ["tokio", "sqlx", "rusqlite", "axum", "reqwest", "rand", "tempfile", "polars"];
    let words = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "SystemTime::now",
        "Utc::now",
        "Instant::now",
        "Uuid::now_v7",
        "Uuid::new_v4",
    ];
    for name in ["model", "core", "report"] {
        let held = dependencies(&format!("engine/{name}"));
        for forbidden in forbidden {
            assert!(!held.contains(forbidden), "engine/{name} is pure and must not depend on {forbidden}");
        }
        for (path, text) in files(&format!("engine/{name}/src"), &[".rs"]) {
            // Tests may read their data from files.
            if path.ends_with("tests.rs") || path.contains("/tests/") {
                continue;
            }
            for word in words {
                assert!(
                    !code(&text).contains(word),
                    "{path} uses {word}: time, ids, files and randomness are parameters"
                );
            }
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let allowed: [(&str, &[&str]); 6] = [
        ("model", &[]),
        ("core", &["model"]),
        ("report", &["model", "core"]),
        ("columnar", &["model", "core", "report"]),
        ("store", &["model", "core"]),
        ("runtime", &["model", "core", "report", "columnar", "store"]),
    ];
    for (name, below) in allowed {
        for dependency in dependencies(&format!("engine/{name}")) {
            if let Some(ours) = dependency.strip_prefix("formwork-") {
                assert!(below.contains(&ours), "engine/{name} must not depend on engine/{ours}");
            }
        }
    }
}

#[test]
fn heavy_and_foreign_words_stay_in_their_crate() {
    let crates = [
        "engine/model",
        "engine/core",
        "engine/report",
        "engine/columnar",
        "engine/store",
        "engine/runtime",
        "designer-api",
    ];
    let only: [(&str, &str); 5] = [
        ("polars", "engine/columnar"),
        ("rusqlite", "engine/store"),
        ("sqlx", "engine/store"),
        ("sea-query", "engine/store"),
        ("axum", "designer-api"),
    ];
    for (dependency, home) in only {
        for folder in crates.iter().filter(|folder| **folder != home) {
            assert!(!dependencies(folder).contains(dependency), "{dependency} belongs to {home}, not to {folder}");
        }
    }
    let statements = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE", "ALTER TABLE"];
    for folder in crates.iter().filter(|folder| **folder != "engine/store") {
        for (path, text) in files(&format!("{folder}/src"), &[".rs"]) {
            for statement in statements {
                assert!(!code(&text).contains(statement), "{path} holds SQL: `{statement}`");
            }
        }
    }
    for folder in crates.iter().filter(|folder| **folder != "designer-api") {
        for (path, text) in files(&format!("{folder}/src"), &[".rs"]) {
            assert!(!code(&text).contains("StatusCode"), "{path} knows HTTP status codes");
        }
    }
}

#[test]
fn a_pack_exists_only_if_it_was_checked() {
    let text = fs::read_to_string(root().join("engine/model/src/pack/mod.rs")).expect("the pack's module");
    let start = text.find("pub struct Pack").expect("the struct");
    let attributes = text[..start].lines().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    for attribute in attributes {
        for forbidden in ["Default", "Deserialize", "Clone"] {
            assert!(!attribute.contains(forbidden) || attribute.starts_with("///"), "Pack derives {forbidden}");
        }
    }
    let body = &text[start..start + text[start..].find('}').expect("its end")];
    assert!(!body.contains("pub contents") && body.contains("pub(crate) contents"), "Pack has a public field: {body}");
}

#[test]
fn no_word_of_a_packs_domain_in_engine_or_server() {
    let words = [
        "airline",
        "passenger",
        "flight",
        "baggage",
        "luggage",
        "miles",
        "loyalty",
        "boarding",
        "pnr",
        "frequent",
        "traveller",
        "airport",
        "航空",
        "航班",
        "行李",
        "里程",
        "旅客",
        "登机",
    ];
    let mut all = Vec::new();
    for folder in [
        "engine/model/src",
        "engine/core/src",
        "engine/report/src",
        "engine/columnar/src",
        "engine/store/src",
        "engine/runtime/src",
        "designer-api/src",
    ] {
        all.extend(files(folder, &[".rs"]));
    }
    all.extend(files("designer-api/templates", &[".html"]));
    all.extend(files("designer-api/locales", &[".json"]));
    all.extend(files("designer-api/web/src", &[".ts"]));
    for (path, text) in all {
        let lower = text.to_lowercase();
        for word in words {
            let found = lower.match_indices(word).any(|(at, _)| {
                let before = lower[..at].chars().next_back();
                !word.is_ascii() || !before.is_some_and(char::is_alphabetic)
            });
            assert!(!found, "{path} speaks of `{word}`: the engine knows no pack's domain");
        }
    }
}

#[test]
fn reads_take_a_viewer() {
    // The projection is the only maker of queries: `Query` has no public field and no public constructor.
    let text = fs::read_to_string(root().join("engine/core/src/read.rs")).expect("the query's module");
    let start = text.find("pub struct Query").expect("the struct");
    let body = &text[start..start + text[start..].find("\n}").expect("its end")];
    assert!(!body.lines().any(|line| line.trim_start().starts_with("pub ") && !line.contains("struct")), "{body}");
    assert!(!text.contains("pub fn new"), "a query is made by the access projection only");
}

#[test]
fn the_architecture_names_every_crate_and_every_path_it_names_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for folder in [
        "engine/model",
        "engine/core",
        "engine/report",
        "engine/columnar",
        "engine/store",
        "engine/runtime",
        "designer-api",
        "definitions",
        "examples",
        "tests",
    ] {
        assert!(text.contains(&format!("`{folder}")), "ARCHITECTURE.md does not name {folder}");
    }
    for path in quoted_paths(&text) {
        assert!(root().join(&path).exists(), "ARCHITECTURE.md names `{path}`, which is not there");
    }
    for file in ["README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{file} is missing"));
        for path in quoted_paths(&text) {
            assert!(root().join(&path).exists(), "{file} names `{path}`, which is not there");
        }
    }
}

/// `engine/core/src/decide.rs`: words in backticks that are paths of the project.
fn quoted_paths(text: &str) -> Vec<String> {
    let tops = ["engine/", "designer-api/", "definitions/", "examples/", "tests/", ".ci/"];
    let words = text.split('`').skip(1).step_by(2);
    words
        .filter(|word| tops.iter().any(|top| word.starts_with(top)) && !word.contains([' ', '*', '{', '<', '…']))
        .map(str::to_owned)
        .collect()
}

#[test]
fn files_can_be_read_in_a_sitting() {
    for folder in ["engine", "designer-api/src", "tests"] {
        for (path, text) in files(folder, &[".rs"]) {
            let lines = text.lines().count();
            assert!(lines <= 600, "{path} has {lines} lines: it wants to be two");
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Split, so that this file does not find itself.
    let marks =
        [["to", "do!("].concat(), ["unimpl", "emented!("].concat(), ["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    for folder in ["engine", "designer-api/src", "tests"] {
        for (path, text) in files(folder, &[".rs"]) {
            for mark in &marks {
                assert!(!text.contains(mark.as_str()), "{path} holds `{mark}`");
            }
        }
    }
}

#[test]
fn pages_carry_nothing_inline() {
    for (path, text) in files("designer-api/templates", &[".html"]) {
        for forbidden in [" style=", " onclick=", " onload=", "hx-on", "js:", "javascript:"] {
            assert!(!text.contains(forbidden), "{path} holds `{forbidden}`, which the content security policy forbids");
        }
        assert!(!text.contains("<script>"), "{path} holds an inline script");
    }
    for (path, text) in files("designer-api/web/src", &[".ts"]) {
        assert!(!text.contains("innerHTML"), "{path} uses innerHTML");
    }
    // A filter of htmx (`click[ctrlKey]`) is a script that is evaluated.
    for (path, text) in files("designer-api/templates", &[".html"]) {
        for trigger in text.split("hx-trigger").skip(1) {
            // `hx-trigger='change from:"input[name]"'`: a selector stands in quotes of the other kind, a filter does not.
            let Some(outer) = trigger.chars().find(|c| matches!(c, '"' | '\'')) else { continue };
            let value = trigger.split(outer).nth(1).unwrap_or_default();
            let inner = if outer == '"' { '\'' } else { '"' };
            let has_filter = value.split(inner).step_by(2).any(|outside| outside.contains('['));
            assert!(!has_filter, "{path}: the trigger `{value}` has a filter");
        }
    }
}

/// Keys that are put together from a part that is known and one that is not: `error.` + kind.
const PUT_TOGETHER: [&str; 29] = [
    "admin.language.",
    "admin.user.state.",
    "audit.data.",
    "audit.group.",
    "audit.kind.",
    "audit.which.",
    "audit.why.",
    "chart.mark.",
    "error.",
    "event.",
    "import.count.",
    "import.delimiter.",
    "import.encoding.",
    "import.problem.",
    "import.sentence.",
    "import.state.",
    "import.step.",
    "inbox.box.",
    "notice.",
    "noticed.",
    "outbox.state.",
    "people.problem.",
    "range.",
    "role.",
    "scope.",
    "system.",
    "task.resume.",
    "tile.",
    "timeline.",
];

#[test]
fn every_text_of_the_catalogue_is_used() {
    let sources: String =
        [("designer-api/src", ".rs"), ("designer-api/templates", ".html"), ("designer-api/web/src", ".ts")]
            .into_iter()
            .flat_map(|(folder, ending)| files(folder, &[ending]))
            .map(|(_, text)| text)
            .collect();
    let catalogue = formwork::i18n::catalogue("en");
    let is_named = |key: &str| sources.contains(&format!("\"{key}\"")) || sources.contains(&format!("'{key}'"));
    let is_put_together =
        |key: &str| PUT_TOGETHER.iter().any(|start| key.starts_with(start)) || key.starts_with("time.");
    let mut unused: Vec<_> = catalogue.keys().filter(|key| !is_named(key) && !is_put_together(key)).collect();
    unused.sort();
    assert!(unused.is_empty(), "nothing shows these texts: {unused:?}");
}

#[test]
fn colours_can_be_told_apart_in_both_schemes() {
    let tokens = files("designer-api/web/css", &["tokens.css"]).remove(0).1;
    for scheme in [0, 1] {
        let colour = |name: &str| {
            let start = format!("--{name}: light-dark(");
            let pair = tokens.split(&start).nth(1).and_then(|rest| rest.split(')').next()).expect("a token");
            luminance(pair.split(',').nth(scheme).expect("both schemes").trim())
        };
        let contrast = |one: f64, other: f64| (one.max(other) + 0.05) / (one.min(other) + 0.05);
        for ground in ["bg", "card", "tint"] {
            for text in ["ink", "dim", "brand", "ok", "warn", "bad"] {
                let found = contrast(colour(text), colour(ground));
                assert!(found >= 4.5, "{text} on {ground}, scheme {scheme}: {found:.2}");
            }
            let found = contrast(colour("edge"), colour(ground));
            assert!(found >= 3.0, "edge on {ground}, scheme {scheme}: {found:.2}");
        }
        for series in 1..=8 {
            let found = contrast(colour(&format!("c{series}")), colour("card"));
            assert!(found >= 3.0, "c{series} on card, scheme {scheme}: {found:.2}");
        }
        let found = contrast(colour("on-brand"), colour("brand"));
        assert!(found >= 4.5, "on-brand on brand, scheme {scheme}: {found:.2}");
    }
}

/// Relative luminance (WCAG 2.2) of `#rgb` or `#rrggbb`.
fn luminance(hex: &str) -> f64 {
    let digits = hex.trim_start_matches('#');
    let part = |at: usize| {
        let text = if digits.len() == 3 { digits[at..=at].repeat(2) } else { digits[2 * at..2 * at + 2].to_owned() };
        let share = f64::from(u8::from_str_radix(&text, 16).expect("hexadecimal")) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2)
}
