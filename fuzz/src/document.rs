//! Documents: every action of one is read and checked without a fault, the lint finds its place, and
//! what would be refused is told in one line.

use ldctl::action::{Document, Severity, check as check_document, lint};
use ldctl::event::{Failure, FailureKind};
use ldctl::value::Value;

use super::support::one_line;

/// A document as JSON.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(document) = Value::parse(text) else { return };
    let (linted, checked) = (lint(&document), check_document(&document));
    assert!(checked.starts_with(&linted), "the check leaves out what the lint finds");
    let count = Document::parse(document.clone()).map(|document| document.len());
    for finding in &checked {
        one_line(finding.rule);
        assert!(!finding.message.starts_with("a fault in ldctl"), "{}", finding.message);
        one_line(&Failure::new(FailureKind::InvalidArgument, &*finding.message).to_python());
        let index =
            finding.location.strip_prefix("actions[").and_then(|rest| rest.split(']').next());
        match (index.map(str::parse::<usize>), &count) {
            (None, _) => assert_eq!((finding.rule, &*finding.location), ("invalid-shape", "")),
            (Some(Ok(index)), Ok(count)) => assert!(index < *count, "{}", finding.location),
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
