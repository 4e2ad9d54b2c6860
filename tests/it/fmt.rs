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
    for (name, text, expected) in [
        ("a.yaml", "a: [1\n", "a.yaml: not YAML: "),
        ("a.yaml", "- .inf\n", "a.yaml: not a document: JSON has no number inf"),
        ("a.toml", "a = \n", "a.toml: not TOML: "),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        for verb in ["run", "lint"] {
            let refused = ldctl().arg(verb).arg(&path).assert().code(2);
            let said = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
            assert!(said.contains(expected), "{verb} {name}: {said}");
        }
    }
}
