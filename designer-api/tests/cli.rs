//! The command line as people and their build servers see it: what is printed, and whether it failed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the checkout").join(path)
}

fn formwork(arguments: &[&str], folder: &Path) -> (Output, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_formwork")).args(arguments).arg(folder).output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}

#[test]
fn a_diagnostic_has_code_place_pointer_carets_and_hint() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join("small");
    std::fs::create_dir_all(folder.join("forms")).expect("a folder");
    let pack = r#"{"version": "1.0.0", "title": "Small", "languages": ["en"], "timezone": "UTC"}"#;
    std::fs::write(folder.join("pack.json"), pack).expect("a file");
    let form = "{\n  \"label\": \"中文\",\n  \"fields\": {\"名\": {}, \"size\": {\"type\": \"txt\"}}\n}\n";
    std::fs::write(folder.join("forms/bag.json"), form).expect("a file");
    let (output, text) = formwork(&["check"], &folder);
    assert!(!output.status.success(), "{text}");
    let expected = "\
error[FW0113]: `txt` is not allowed here
  --> forms/bag.json:3:40  /fields/size/type
  |
3 |   \"fields\": {\"名\": {}, \"size\": {\"type\": \"txt\"}}
  |                                         ^^^^^
   = did you mean `text`?
";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("small: 2 files, "), "{text}");
}

#[test]
fn users_are_looked_after_at_the_machine() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let user = |arguments: &[&str]| {
        let all: Vec<&str> = ["user"].iter().chain(arguments).chain(&["--data"]).copied().collect();
        formwork(&all, scratch.path())
    };
    let (output, text) = user(&["add", "Root", "--name", "王芳", "--role", "admin"]);
    assert!(output.status.success(), "{text}");
    let password = text.trim().strip_prefix("root: ").expect("login and password").to_owned();
    assert_eq!(password.len(), 19, "{text}");
    for (arguments, said) in [
        (&["add", "root"][..], "/login: Somebody has this user name."),
        (&["add", "ben", "--role", "emperor"], "/roles/0: There is no such role."),
        (&["disable", "root"], "this is the last administrator"),
        (&["reset", "nobody"], "there is no user `nobody`"),
    ] {
        let (output, text) = user(arguments);
        assert!(!output.status.success() && text.contains(said), "{arguments:?}: {text}");
    }
    let (output, text) = user(&["change", "root", "--role", "auditor"]);
    assert!(output.status.success(), "{text}");
    let (_, text) = user(&["list"]);
    assert_eq!(text.trim(), "root  王芳  one-time password  roles admin,auditor  queues -  team -");
    let (_, text) = user(&["reset", "root"]);
    assert!(text.starts_with("root: ") && !text.contains(&password), "{text}");
    let (output, text) = user(&["token", "root", "--scope", "people", "--name", "ci"]);
    assert!(output.status.success() && text.contains("fw_"), "{text}");
    let (_, text) = user(&["tokens", "root"]);
    let id = text.split_whitespace().next().expect("a token").to_owned();
    assert!(user(&["revoke", "root", &id]).0.status.success());
    assert_eq!(user(&["tokens", "root"]).1.trim(), "");
}

#[test]
fn teams_are_looked_after_at_the_machine() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let run = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().chain(&["--data"]).copied().collect();
        formwork(&all, scratch.path())
    };
    assert!(run(&["user", "add", "ann"]).0.status.success());
    for (arguments, line) in [
        (&["team", "add", "north", "北组"][..], "north  北组  leads -  members -"),
        (&["team", "rename", "north", "North"], "north  North  leads -  members -"),
        (&["team", "join", "north", "ann", "--lead"], "north  North  leads ann  members ann"),
        (&["team", "list"], "north  North  leads ann  members ann"),
        (&["team", "join", "north", "ann"], "north  North  leads -  members ann"),
    ] {
        let (output, text) = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {text}");
        assert_eq!(text.trim(), line, "{arguments:?}");
    }
    for (arguments, said) in [
        (&["team", "add", "North", "x"][..], "/key: Small letters"),
        (&["team", "add", "north", "x"], "/key: There is a team of this key."),
        (&["team", "join", "west", "ann"], "there is no team `west`"),
        (&["team", "join", "north", "eve"], "there is no user `eve`"),
        (&["team", "remove", "north"], "somebody is of this team"),
    ] {
        let (output, text) = run(arguments);
        assert!(!output.status.success() && text.contains(said), "{arguments:?}: {text}");
    }
    assert_eq!(run(&["team", "leave", "north", "ann"]).1.trim(), "north  North  leads -  members -");
    assert_eq!(run(&["team", "remove", "north"]).1.trim(), "north: removed");
    assert_eq!(run(&["team", "list"]).1.trim(), "");
}

#[test]
fn cases_are_told_with_what_they_went_through() {
    let (output, text) = formwork(&["test"], &checkout("examples/hello"));
    assert!(output.status.success(), "{text}");
    for line in ["hello/approval: ok", "  branches        1 of 2; not approval.decide decline", "1 passed, 0 failed"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_filter_that_matches_no_case_fails() {
    let (output, text) = formwork(&["test", "--only", "zzz"], &checkout("examples/hello"));
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("no case has a key that contains `zzz`"), "{text}");
}

#[test]
fn a_case_that_fails_fails_the_command_and_shows_its_transcript() {
    let (output, text) = formwork(&["test", "--only", "wrong_value"], &checkout("tests/cases_bad/wrong"));
    assert!(!output.status.success(), "{text}");
    for line in ["wrong/wrong_value: FAILED", "ana creates request r: what A chair", "0 passed, 1 failed"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("    step 2: `r.state` is new instead of done"), "{text}");
}

/// `formwork schema form | head -1`: nobody reads the rest, and nothing is wrong.
#[test]
fn who_stops_reading_has_read_enough() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_formwork"))
        .args(["schema", "form"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
