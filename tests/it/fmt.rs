//! `ldctl fmt`, and documents that are not JSON.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::ldctl;

const UGLY: &str = r#"{"load_density":[["LD_start_test",{"user_detail_dict":{},"tasks":[{"url":"/","method":"get"}]}]],"metadata":{"é":1}}"#;

const PRETTY: &str = r#"{
  "load_density": [
    [
      "LD_start_test",
      {
        "user_detail_dict": {},
        "tasks": [
          {
            "method": "get",
            "url": "/"
          }
        ]
      }
    ]
  ],
  "metadata": {
    "é": 1
  }
}
"#;

#[test]
fn a_file_is_formatted_in_place_and_keeps_its_mode() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.json");
    fs::write(&path, UGLY).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).expect("a mode");
    let check = || ldctl().args(["fmt", "--check"]).arg(&path).assert();
    check().code(1).stdout_eq(format!("{}\n", path.display()));
    assert_eq!(fs::read_to_string(&path).expect("a file"), UGLY);
    ldctl().arg("fmt").arg(&path).assert().code(0).stdout_eq("");
    assert_eq!(fs::read_to_string(&path).expect("a file"), PRETTY);
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o664);
    check().code(0).stdout_eq("");
    assert_eq!(fs::read_dir(&dir).expect("a directory").count(), 1);
}

#[test]
fn stdin_is_formatted_to_stdout() {
    ldctl().args(["fmt", "-"]).stdin(UGLY).assert().code(0).stdout_eq(PRETTY);
    ldctl().args(["fmt", "--check", "-"]).stdin(PRETTY).assert().code(0).stdout_eq("");
    ldctl().args(["fmt", "--check", "-"]).stdin(UGLY).assert().code(1).stdout_eq("stdin\n");
}

#[test]
fn what_is_no_document_is_not_changed_nor_is_any_other_file_then() {
    let dir = tempfile::tempdir().expect("a directory");
    let ugly = dir.path().join("a.json");
    for (name, text) in [
        ("b.json", "{\"name\":\"x\"}"),
        ("c.json", "[["),
        ("d.yaml", "- - LD_summary # why\n"),
        ("e.json", "[[\"print\",[1e999]]]"),
    ] {
        let other = dir.path().join(name);
        fs::write(&ugly, UGLY).expect("written");
        fs::write(&other, text).expect("written");
        ldctl().arg("fmt").arg(&ugly).arg(&other).assert().code(2);
        assert_eq!(fs::read_to_string(&ugly).expect("a file"), UGLY);
        assert_eq!(fs::read_to_string(&other).expect("a file"), text);
    }
}

#[test]
fn documents_in_yaml_and_toml_are_run_and_checked_like_json() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("a.yaml", "load_density:\n- - print\n  - [ran yes]\n"),
        ("a.yml", "# one action\n- [print, [ran yes]]\n"),
        ("a.TOML", "load_density = [[\"print\", [\"ran yes\"]]]\n"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        let ran = ldctl().arg("run").arg(&path).assert().code(0);
        let said = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
        assert!(said.contains("ran yes"), "{name}: {said}");
        ldctl().arg("lint").arg(&path).assert().code(0).stdout_eq("");
        fs::write(&path, text.replace("print", "LD_nope")).expect("written");
        ldctl().arg("lint").arg(&path).assert().code(1);
    }
}

#[test]
fn a_document_that_is_not_yaml_or_toml_is_refused_with_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text, place, expected) in [
        ("a.yaml", "a: [1\n", "a.yaml:2:1: ", "not YAML: "),
        ("a.yaml", "- 1\n- .inf\n", "a.yaml:2:3: ", "not a document: JSON has no number inf"),
        ("a.toml", "a = \n", "a.toml:1:5: ", "not TOML: "),
        ("a.toml", "a = 1\n\nb = [inf]", "a.toml:3:6: ", "not a document: JSON has no number inf"),
        ("a.json", "[\n[", "a.json:2:1: ", "not JSON: EOF while parsing a list"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        let refused = ldctl().arg("run").arg(&path).assert().code(2);
        let said = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(said.contains(&format!("{place}{expected}")), "{name}: {said}");
        let found = ldctl().arg("lint").arg(&path).assert().code(1).stderr_eq("");
        let said = String::from_utf8_lossy(&found.get_output().stdout).into_owned();
        assert!(said.contains(&format!("{place}error: {expected}")), "{name}: {said}");
    }
    let path = dir.path().join("b.json");
    fs::write(&path, b"[\n \xff]").expect("written");
    let found = ldctl().arg("lint").arg(&path).assert().code(1);
    let said = String::from_utf8_lossy(&found.get_output().stdout).into_owned();
    assert!(said.contains("b.json:2:2: error: not UTF-8"), "{said}");
}

#[test]
fn a_file_that_cannot_be_read_hides_no_finding_of_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.json"), "[[\"LD_nope\"]]").expect("written");
    fs::write(dir.path().join("b.yaml"), "- [\n").expect("written");
    let lint = |output: &str| {
        let files = ["missing.json", "a.json", "b.yaml", "."];
        let line = ldctl().current_dir(dir.path()).args(["lint", "-o", output]).args(files);
        let ended = line.assert().code(2);
        let told = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
        assert!(told.contains("error: cannot read missing.json: No such file"), "{told}");
        assert!(told.contains("error: cannot read .: Is a directory"), "{told}");
        String::from_utf8_lossy(&ended.get_output().stdout).into_owned()
    };
    let said = lint("text");
    assert!(said.contains("a.json:1:2: error: ") && said.contains("b.yaml:"), "{said}");
    assert_eq!(lint("json").lines().count(), 2);
    let log: serde_json::Value = serde_json::from_str(&lint("sarif")).expect("JSON");
    assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(2), "{log}");
}

#[test]
fn a_repeated_member_is_refused_and_nothing_is_printed_before_all_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.json");
    let twice = "[[\"LD_start_test\",\n {\"a\": 1, \"a\": 2}]]";
    fs::write(&path, twice).expect("written");
    let refused = ldctl().args(["fmt", "-"]).arg(&path).stdin(UGLY).assert().code(2).stdout_eq("");
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    let words = "a.json:2:11: actions[0].a is there already, and the last one counts; take one out";
    assert!(told.contains(words), "{told}");
    assert_eq!(fs::read_to_string(&path).expect("a file"), twice);
}

#[test]
fn a_url_that_a_verb_takes_for_a_file_is_sent_to_run() {
    for verb in ["send", "lint", "fmt", "convert"] {
        for url in ["http://localhost:1/x", "https://h", "localhost:8080"] {
            let refused = ldctl().args([verb, url]).assert().code(2);
            let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
            let advice =
                format!("; `ldctl {verb}` takes a file, and `ldctl run URL` makes load on a URL\n");
            assert!(told.ends_with(&advice), "{told}");
        }
        let refused = ldctl().args([verb, "missing.json"]).assert().code(2);
        let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(!told.contains("URL"), "{told}");
    }
    let refused = ldctl().args(["run", "ws://h"]).assert().code(2);
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(told.ends_with("; write http:// or https:// for a URL\n"), "{told}");
}
