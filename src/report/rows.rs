//! The requests of a record as reports list them.

use crate::record::{Records, Row};

/// The outcome of a request, which is also the part of a two-part report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Requests without an error.
    Success,
    /// Requests with one.
    Failure,
}

impl Outcome {
    /// Both, in the order of the reference's reports, which keep the records in two lists.
    pub(super) const BOTH: [Self; 2] = [Self::Success, Self::Failure];

    /// Its spelling in reports.
    pub fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The requests with this outcome.
    pub(super) fn rows(self, records: &Records) -> impl Iterator<Item = Row<'_>> {
        records.rows().filter(move |row| row.failed() == (self == Self::Failure))
    }
}

/// Every request with its outcome, successes first.
pub(super) fn in_order(records: &Records) -> impl Iterator<Item = (Outcome, Row<'_>)> {
    Outcome::BOTH
        .into_iter()
        .flat_map(move |outcome| outcome.rows(records).map(move |row| (outcome, row)))
}

/// What a request is reported under: its name, or its URL without one.
pub(super) fn name_of<'a>(row: &Row<'a>) -> &'a str {
    row.label.shown()
}

/// A status as Python's `str()` writes it.
pub(super) fn status_text(status: Option<u16>) -> String {
    status.map_or_else(|| "None".to_owned(), |status| status.to_string())
}
