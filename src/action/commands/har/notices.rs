//! Warnings of an import: what the document leaves out, and what the recording lacks. One line per
//! kind, whatever the number of entries.

use indexmap::IndexMap;

use crate::action::import::notices::listed;

/// The findings of an import.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Entries with a matching URL.
    pub(super) entries: usize,
    left_out: IndexMap<String, usize>,
    /// Tasks whose requests had no response.
    pub(super) without_response: usize,
    /// `Cookie` headers.
    pub(super) cookies: usize,
    /// Headers whose name HTTP does not allow.
    pub(super) invalid_headers: usize,
    /// Requests with a body that the recording does not have.
    pub(super) missing_bodies: Vec<String>,
    /// Requests whose body is not text.
    pub(super) binary_bodies: Vec<String>,
    /// Uploaded files without recorded content.
    pub(super) missing_files: Vec<String>,
}

impl Notices {
    /// Counts an entry without a task.
    pub(super) fn leave_out(&mut self, reason: String) {
        *self.left_out.entry(reason).or_default() += 1;
    }

    /// Returns one line per kind.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.left_out.is_empty() {
            let total: usize = self.left_out.values().sum();
            let reasons = self.left_out.iter().map(|(reason, count)| format!("{reason}: {count}"));
            let reasons = reasons.collect::<Vec<_>>().join(", ");
            lines.push(format!("{total} of {} entries left out ({reasons})", self.entries));
        }
        let mut count = |text: &str, count: usize| {
            if count > 0 {
                lines.push(format!("{text}: {count}"));
            }
        };
        count(
            "requests without a response, imported without a status assertion",
            self.without_response,
        );
        count("Cookie headers left out (each virtual user keeps its own cookies)", self.cookies);
        count("headers left out because their names are not valid", self.invalid_headers);
        let mut list = |text: &str, names: &[String]| {
            if !names.is_empty() {
                lines.push(format!("{text}: {}", listed(names.iter())));
            }
        };
        list("request bodies that the recording does not have", &self.missing_bodies);
        list("binary request bodies left out (a document holds only text)", &self.binary_bodies);
        list("files whose content the recording does not have, sent empty", &self.missing_files);
        lines
    }
}
