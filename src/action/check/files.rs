//! Files that a document names: what it reads must be there, unless an earlier action writes it, and
//! what it writes must have a directory. Known before a test runs, instead of after it.

use std::collections::HashSet;
use std::io::Read;

use super::finding::{Finding, Place};
use super::rule::{DOUBLED_EXTENSION, Rule, UNREADABLE_FILE, UNWRITABLE_FILE};
use crate::action::files::Files;
use crate::action::lint::Severity;
use crate::event::Failure;
use crate::load::CsvRows;
use crate::report::{Content, FORMATS, Format, Outcome};
use crate::value::{Path, Value};

/// As much of a CSV file as is read for the names of its columns, in bytes.
const LONGEST_HEADER: u64 = 64 * 1024;

/// The files of a document.
pub(super) struct DocumentFiles<'a> {
    /// Those of the machine; `None` if it will run elsewhere.
    files: Option<&'a Files>,
    /// How bad it is that one cannot be used.
    severity: Severity,
    /// What earlier actions have written.
    written: HashSet<String>,
    /// Whether other documents may have written any.
    opaque: bool,
    findings: Vec<Finding>,
}

impl<'a> DocumentFiles<'a> {
    pub(super) fn new(files: Option<&'a Files>, severity: Severity, opaque: bool) -> Self {
        Self { files, severity, written: HashSet::new(), opaque, findings: Vec::new() }
    }

    /// What was found since the last call.
    pub(super) fn take(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Other documents have run.
    pub(super) fn may_have_changed(&mut self) {
        self.opaque = true;
    }

    /// The columns of a CSV file, if they can be read.
    pub(super) fn columns(&self, path: &str) -> Option<Vec<String>> {
        let file = self.files?.open_for_read(path).ok()?;
        CsvRows::header(file.take(LONGEST_HEADER)).ok()
    }

    /// The document reads this file.
    pub(super) fn reads(&mut self, path: Option<&str>, place: Place) {
        let (Some(path), Some(files), false) = (path, self.files, self.opaque) else { return };
        if !self.written.contains(path)
            && let Err(failure) = files.open_for_read(path)
        {
            self.found(UNREADABLE_FILE, failure, place);
        }
    }

    /// The document writes this file.
    pub(super) fn writes(&mut self, path: &str, place: Place) {
        self.written.insert(path.to_owned());
        if let (Some(files), false) = (self.files, self.opaque)
            && let Err(failure) = files.check_writable(path)
        {
            self.found(UNWRITABLE_FILE, failure, place);
        }
    }

    fn found(&mut self, rule: &'static Rule, failure: Failure, place: Place) {
        let mut message = failure.message;
        if self.severity == Severity::Warning {
            message.push_str("; `ldctl run` refuses the document here");
        }
        self.findings.push(Finding::new(rule, self.severity, message, place));
    }

    /// The document writes a report of this name.
    pub(super) fn report(&mut self, format: &Format, name: &str, place: &Place) {
        let ending = format.ending;
        let paths = match format.content {
            Content::Whole(_) => vec![format!("{name}.{ending}")],
            Content::Halves(_) => [Outcome::Success, Outcome::Failure]
                .map(|outcome| format!("{name}_{}.{ending}", outcome.text()))
                .into(),
        };
        if let Some(stem) = name.strip_suffix(&format!(".{ending}")) {
            let become_ = paths.join(" and ");
            let message = format!("the report becomes {become_}; write {stem:?}");
            let finding =
                Finding::new(DOUBLED_EXTENSION, Severity::Warning, message, place.clone());
            self.findings.push(finding);
        }
        for (index, path) in paths.iter().enumerate() {
            let before = self.findings.len();
            self.writes(path, place.clone());
            // The halves of a report lie in one directory.
            if index > 0 {
                self.findings.truncate(before);
            }
        }
    }

    /// The files of a task: uploads, certificates, keys and types.
    pub(super) fn task(&mut self, task: &Value, place: &Place) {
        if let Some(uploads) = task.get("files") {
            self.uploads(uploads, &place.member("files"));
        }
        for key in ["verify", "cert", "client_cert", "descriptor_set", "proto"] {
            let place = place.member(key);
            match task.get(key) {
                Some(Value::Str(path)) => self.reads(Some(path), place),
                Some(Value::List(paths)) => {
                    for (index, path) in paths.iter().enumerate() {
                        self.reads(path.as_str(), place.element(index));
                    }
                }
                _ => {}
            }
        }
    }

    fn uploads(&mut self, value: &Value, place: &Place) {
        match value {
            Value::Dict(members) => {
                for (key, member) in members {
                    let place = place.member(key);
                    match (key.as_str(), member) {
                        ("path", Value::Str(path)) => self.reads(Some(path), place),
                        _ => self.uploads(member, &place),
                    }
                }
            }
            Value::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.uploads(element, &place.element(index));
                }
            }
            _ => {}
        }
    }
}

/// The format that a command writes.
pub(super) fn format(command: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.command == command)
}

/// The path of a file's argument.
pub(super) fn argument(name: &str) -> Path {
    Path::default().member(name)
}
