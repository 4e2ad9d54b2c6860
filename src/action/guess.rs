//! What a file probably is that is not JSON: people write documents by hand, and hand over the wrong
//! file.

/// The first bytes of files that are not text, and what these are.
const MAGIC: [(&[u8], &str); 8] = [
    (b"\x7fELF", "a program"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x89PNG", "an image"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"MZ", "a program"),
];

/// A guess at bytes that are not UTF-8.
pub fn bytes(bytes: &[u8]) -> Option<String> {
    let utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let kind = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind);
    match kind {
        _ if utf_16 => Some("it looks like UTF-16, save it as UTF-8".to_owned()),
        Some(kind) => Some(format!("it looks like {kind}, a document is JSON")),
        None if bytes.contains(&0) => {
            Some("it looks like a binary file, a document is JSON".to_owned())
        }
        None => None,
    }
}

/// A guess at a text that is not JSON from this byte on, or that ends although more must follow.
pub fn syntax(text: &str, at: usize, ends: bool) -> Option<String> {
    if let Some(guess) = bytes(text.as_bytes()) {
        return Some(guess);
    }
    let begin = text.trim_start();
    let from = text.get(text.floor_char_boundary(at)..).unwrap_or_default();
    // A misspelled constant is seen at its second character or later.
    let line = text.get(..text.floor_char_boundary(at)).unwrap_or_default();
    let word_begin = line.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
    let word = text.get(text.ceil_char_boundary(word_begin)..).unwrap_or_default();
    let is_word = |name: &&str| {
        word.strip_prefix(*name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let guess = if begin.is_empty() {
        "the file is empty"
    } else if begin.starts_with('<') {
        "it looks like HTML or XML, a document is JSON"
    } else if is_yaml(begin) {
        "it looks like YAML, a document is JSON"
    } else if ends {
        "the text ends too early: a bracket, a brace or a quote is not closed"
    } else if from.starts_with('\'') {
        "strings have double quotes in JSON"
    } else if ["//", "/*", "#"].iter().any(|comment| from.starts_with(comment)) {
        "JSON has no comments, use a member \"//\" or take them out"
    } else if let Some(name) = ["None", "True", "False"].iter().find(|name| is_word(name)) {
        let json = if *name == "None" { "null".to_owned() } else { name.to_lowercase() };
        return Some(format!("{name} is Python, write {json}"));
    } else if ["NaN", "Infinity", "-Infinity"].iter().any(is_word) {
        "JSON has no such number"
    } else if from.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && from
            .trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
            .trim_start()
            .starts_with(':')
    {
        "names have double quotes in JSON"
    } else {
        return None;
    };
    Some(guess.to_owned())
}

/// Whether a text begins as YAML: with `---`, an element `- …`, a comment, or a member without quotes.
fn is_yaml(begin: &str) -> bool {
    let mut lines = begin.lines().map(str::trim_end).filter(|line| !line.starts_with('#'));
    let Some(first) = lines.find(|line| !line.is_empty()) else { return false };
    let key = first.split(": ").next().unwrap_or_default();
    let key = key.strip_suffix(':').unwrap_or(key);
    let is_key = !key.is_empty()
        && key.chars().all(|c| c.is_alphanumeric() || "_-. ".contains(c))
        && (first.contains(": ") || first.ends_with(':'));
    first == "---" || first.starts_with("--- ") || first.starts_with("- ") || is_key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{ParseError, Value};

    fn check(text: &str, expected: Option<&str>) {
        let Err(ParseError::Syntax(error)) = Value::parse(text) else { panic!("{text} is JSON") };
        let begin: usize = text.split_inclusive('\n').take(error.line() - 1).map(str::len).sum();
        let place = begin + error.column().saturating_sub(1);
        let guess = syntax(text, place, error.is_eof());
        assert_eq!(guess.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_text_of_another_kind_is_recognized() {
        let yaml = Some("it looks like YAML, a document is JSON");
        for text in ["- - LD_summary", "---\n- a", "# mine\nload_density:\n  - x", "a: 1\n"] {
            check(text, yaml);
        }
        check("<!doctype html>", Some("it looks like HTML or XML, a document is JSON"));
        check(" \n", Some("the file is empty"));
        check("%PDF-1.7", Some("it looks like a PDF, a document is JSON"));
        check("[1, \0", Some("it looks like a binary file, a document is JSON"));
        for text in ["[[\"LD_summary\"],\n", "{\"load_density\": [", "[\"LD_", "[[1]"] {
            check(
                text,
                Some("the text ends too early: a bracket, a brace or a quote is not closed"),
            );
        }
        check("[[\"LD_summary\",]]", None);
    }

    #[test]
    fn what_other_languages_allow_in_json_is_named() {
        check("[['LD_summary']]", Some("strings have double quotes in JSON"));
        let comments = Some("JSON has no comments, use a member \"//\" or take them out");
        for text in ["// mine\n[[\"LD_summary\"]]", "[ /* x */ 1]", "[1, # x\n2]"] {
            check(text, comments);
        }
        check("[{\"a\": None}]", Some("None is Python, write null"));
        check("[True]", Some("True is Python, write true"));
        check("[{\"a\": NaN}]", Some("JSON has no such number"));
        check("[{a: 1}]", Some("names have double quotes in JSON"));
    }

    #[test]
    fn bytes_that_are_no_text_are_recognized() {
        for (text, guess) in [
            (&b"\xff\xfe[\0"[..], "it looks like UTF-16, save it as UTF-8"),
            (b"\x7fELF\x02\xff", "it looks like a program, a document is JSON"),
            (b"\x1f\x8b\xff", "it looks like a gzip archive, a document is JSON"),
            (b"\xff\0", "it looks like a binary file, a document is JSON"),
        ] {
            assert_eq!(bytes(text).as_deref(), Some(guess));
        }
        assert_eq!(bytes(b"caf\xe9"), None);
    }
}
