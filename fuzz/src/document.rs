//! Documents: every action of one is read and checked without a fault, the lint finds its place, and
//! what would be refused is told in one line.

use ldctl::action::rule::NOT_A_DOCUMENT;
use ldctl::action::{Document, Severity, Surroundings, check as check_document, lint, located};
use ldctl::event::{Failure, FailureKind};
use ldctl::value::{Syntax, Value};

use super::support::one_line;

/// A document as JSON.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(document) = Value::parse(text) else { return };
    let (linted, checked) = (lint(&document), check_document(&document, &Surroundings::unknown()));
    let wrong = checked.iter().any(|finding| finding.severity == Severity::Error);
    let linted_wrong = linted.iter().any(|finding| finding.severity == Severity::Error);
    assert!(wrong || !linted_wrong, "the check leaves out what the lint finds");
    let places = located(&checked, &document, text, Syntax::Json);
    assert_eq!(places.len(), checked.len());
    // The same document in other syntaxes; TOML has no lists at its root, and no null.
    let yaml = located(&checked, &document, &document.to_yaml(), Syntax::Yaml);
    assert_eq!(yaml.len(), checked.len());
    if let Ok(toml) = document.to_toml() {
        assert_eq!(located(&checked, &document, &toml, Syntax::Toml).len(), checked.len());
    }
    let count = Document::parse(document.clone()).map(|document| document.len());
    for finding in &checked {
        one_line(finding.rule.name);
        assert!(!finding.message.starts_with("a fault in ldctl"), "{}", finding.message);
        one_line(&Failure::new(FailureKind::InvalidArgument, &*finding.message).to_python());
        let location = finding.place.to_string();
        let index = location.strip_prefix("actions[").and_then(|rest| rest.split(']').next());
        match (index.map(str::parse::<usize>), &count) {
            (None, _) => assert_eq!((finding.rule, &*location), (NOT_A_DOCUMENT, "")),
            (Some(Ok(index)), Ok(count)) => assert!(index < *count, "{location}"),
            (Some(place), count) => panic!("{place:?} of {count:?}"),
        }
    }
    match count {
        Ok(count) => assert!(count > 0),
        Err(invalid) => {
            assert!(checked.iter().any(|finding| finding.severity == Severity::Error));
            one_line(&invalid.to_string());
        }
    }
}
