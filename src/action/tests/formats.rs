use super::*;

const TEST: &str = r#"["LD_start_test", {"tasks": [{"url": "/", "method": "get"}]}]"#;

#[test]
fn a_file_is_formatted_and_keeps_every_member() {
    let text = format!(r#"{{"load_density": [{TEST}], "metadata": {{"é": 1.0}}}}"#);
    let bench = Bench::new().with_file("a.json", &text);
    let lines = bench.lines(r#"[["LD_format_action_file", ["a.json", 1]]]"#);
    let expected = "{\n \"load_density\": [\n  [\n   \"LD_start_test\",\n   {\n    \"tasks\": [\n     {\n      \
                    \"method\": \"get\",\n      \"url\": \"/\"\n     }\n    ]\n   }\n  ]\n ],\n \
                    \"metadata\": {\n  \"é\": 1.0\n }\n}\n";
    assert_eq!(lines, [expected]);
    let written = std::fs::read_to_string(bench.dir.path().join("a.json")).expect("a file");
    assert_eq!(written, expected);
}

#[test]
fn a_text_that_is_not_json_is_refused() {
    check(
        r#"[["LD_format_action_string", ["[1"]]]"#,
        &["ValueError('the text is not JSON: EOF while parsing a list at line 1 column 2')"],
    );
}

#[test]
fn documents_are_written_and_read_as_yaml_and_toml() {
    let document = format!(r#"{{"load_density": [{TEST}], "none": [], "text": "a\nb"}}"#);
    let value = Value::parse(&document).expect("JSON").to_text();
    for format in ["yaml", "toml"] {
        Bench::new().check(
            &format!(
                r#"[["LD_write_action_{format}", ["a.{format}", {document}]],
                    ["LD_read_action_{format}", ["a.{format}"]]]"#
            ),
            &["None", &value],
        );
    }
    check(
        r#"[["LD_write_action_toml", ["a.toml", [1]]], ["LD_write_action_toml", ["a.toml", {"a": null}]]]"#,
        &[
            "TypeError('LD_write_action_toml: TOML root must be a dict')",
            "TypeError('unsupported TOML scalar type: NoneType')",
        ],
    );
}

#[test]
fn a_file_that_is_not_yaml_or_toml_is_refused_with_its_place() {
    let bench = Bench::new().with_file("a.yaml", "a: 1\nb: *x\n").with_file("a.toml", "a =\n");
    let lines = bench
        .lines(r#"[["LD_read_action_yaml", ["a.yaml"]], ["LD_read_action_toml", ["a.toml"]]]"#);
    assert!(
        lines[0].contains("is not YAML: ") && lines[0].contains(" at line 2 column 4"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("is not TOML: ") && lines[1].contains(" at line 1 column "),
        "{lines:?}"
    );
}

#[test]
fn in_an_assumed_directory_only_documents_are_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["a.yaml", "a.toml", "a.json"] {
        std::fs::write(dir.path().join(name), "{\"mine\": 1}").expect("written");
    }
    let policy = Policy { access: FileAccess::Assumed, ..Policy::inside(dir.path()) };
    let executor = Executor::new(policy).expect("an executor");
    let json = r#"[["LD_write_action_yaml", ["a.yaml", {}]], ["LD_write_action_toml", ["a.toml", {}]],
                   ["LD_format_action_file", ["a.json"]], ["LD_write_action_yaml", ["b.yaml", [["LD_summary"]]]],
                   ["LD_write_action_yaml", ["b.yaml", [["LD_summary"]]]]]"#;
    let document = Document::parse(Value::parse(json).expect("JSON")).expect("a document");
    let outcome = executor.execute(document, &mut |_| (), &CancellationToken::new());
    assert_eq!(outcome.failed, 3);
}
