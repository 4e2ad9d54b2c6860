//! What one worker writes during a run: its columns, the tables that the columns refer to, and its
//! share of the live figures.

use std::collections::HashMap;
use std::time::Duration;

use super::columns::Columns;
use super::live::Share;
use super::sample::{ErrorId, Label, LabelId, NO_STATUS, Row, Sample};
use crate::redact;

/// The most distinct error texts. A target that sends a different text in every response must not
/// fill the memory; later texts count under [`OTHER_ERRORS`].
const MAX_ERRORS: usize = 10_000;

/// The text of errors over the limit.
const OTHER_ERRORS: &str = "other errors (more than 10000 different texts in this run)";

/// The longest error text that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 1024;

/// The longest body of a failed request that is kept, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 4096;

/// How much memory the bodies of failed requests may take in one worker's record, in bytes; later
/// ones are not kept.
const MAX_BODIES_BYTES: usize = 64 * 1024 * 1024;

/// One worker's record of a run.
#[derive(Debug, Default)]
pub struct Recorder {
    labels: Vec<Label>,
    label_ids: HashMap<Label, LabelId>,
    /// The series of `live` that each label belongs to.
    series: Vec<usize>,
    errors: Vec<Box<str>>,
    error_ids: HashMap<Box<str>, ErrorId>,
    columns: Columns,
    bodies: HashMap<u64, Box<str>>,
    bodies_bytes: usize,
    /// Requests that were dropped at the end of the run, before their response.
    interrupted: u64,
    live: Share,
}

impl Recorder {
    /// Returns the index of a label; equal labels share one. Secrets are removed here, so that
    /// nothing made of the record holds one.
    pub fn label(&mut self, label: Label) -> LabelId {
        let label = label.redacted();
        if let Some(id) = self.label_ids.get(&label) {
            return *id;
        }
        let id = LabelId(u32::try_from(self.labels.len()).unwrap_or(u32::MAX));
        self.series.push(self.live.series(&label));
        self.labels.push(label.clone());
        self.label_ids.insert(label, id);
        id
    }

    /// Returns the index of an error text without its secrets; equal texts share one.
    pub fn error(&mut self, text: &str) -> ErrorId {
        // Found as it is, unless it is new or holds a secret.
        let head = text.get(..text.floor_char_boundary(MAX_ERROR_BYTES)).unwrap_or_default();
        if let Some(id) = self.error_ids.get(head) {
            return *id;
        }
        let text = redact::cut(text, MAX_ERROR_BYTES);
        let text = if self.errors.len() >= MAX_ERRORS && !self.error_ids.contains_key(&*text) {
            OTHER_ERRORS
        } else {
            &text
        };
        if let Some(id) = self.error_ids.get(text) {
            return *id;
        }
        let id = ErrorId(u32::try_from(self.errors.len()).unwrap_or(u32::MAX));
        self.errors.push(text.into());
        self.error_ids.insert(text.into(), id);
        id
    }

    /// Records one request.
    pub fn record(&mut self, sample: Sample) {
        if let Some(series) = self.series.get(sample.label.0 as usize) {
            let latency = sample.service + sample.delay;
            self.live.record(*series, latency, sample.bytes, sample.error.is_some());
        }
        self.columns.push(sample);
    }

    /// Keeps the body of the last recorded request, without its secrets.
    pub fn keep_body(&mut self, body: &str) {
        let row = self.columns.len() as u64;
        let cut = redact::cut(body, MAX_BODY_BYTES);
        if self.bodies_bytes + cut.len() <= MAX_BODIES_BYTES {
            self.bodies_bytes += cut.len();
            self.bodies.insert(row.saturating_sub(1), (&*cut).into());
        }
    }

    /// Counts a request that was dropped at the end of the run, before its response. It is neither a
    /// success nor a failure, and has no row.
    pub fn interrupt(&mut self) {
        self.interrupted += 1;
    }

    /// How many were.
    pub fn interrupted(&self) -> u64 {
        self.interrupted
    }

    /// The figures since the last merge.
    pub fn live(&mut self) -> &mut Share {
        &mut self.live
    }

    /// The number of requests.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether it holds no requests.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn count_errors(&self, text: &str) -> usize {
        let Some(id) = self.error_ids.get(text) else { return 0 };
        self.columns.iter().filter(|sample| sample.error == Some(*id)).count()
    }

    pub(super) fn memory(&self) -> usize {
        self.columns.memory()
    }

    pub(super) fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Label index, failed, response time: what a summary needs of each row.
    pub(super) fn latencies(&self) -> impl Iterator<Item = (usize, bool, Duration)> {
        self.columns.iter().map(|sample| {
            (sample.label.0 as usize, sample.error.is_some(), sample.service + sample.delay)
        })
    }

    /// The failed requests: how many of each label had each error.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&Label, &str, u64)> {
        let mut counts: HashMap<(LabelId, ErrorId), u64> = HashMap::new();
        for sample in self.columns.iter() {
            if let Some(error) = sample.error {
                *counts.entry((sample.label, error)).or_default() += 1;
            }
        }
        counts.into_iter().filter_map(|((label, error), count)| {
            let label = self.labels.get(label.0 as usize)?;
            Some((label, &**self.errors.get(error.0 as usize)?, count))
        })
    }

    pub(super) fn rows(&self, epoch: f64) -> impl Iterator<Item = Row<'_>> {
        self.columns.iter().zip(0u64..).filter_map(move |(sample, row)| {
            let error = sample.error.and_then(|error| self.errors.get(error.0 as usize));
            Some(Row {
                label: self.labels.get(sample.label.0 as usize)?,
                start_time: epoch + sample.start.as_secs_f64(),
                service_ms: millis(sample.service),
                response_ms: millis(sample.service + sample.delay),
                status: (sample.status != NO_STATUS).then_some(sample.status),
                bytes: sample.bytes,
                error: error.map(Box::as_ref),
                body: self.bodies.get(&row).map(Box::as_ref),
            })
        })
    }
}

/// Milliseconds, exact to the tick, so that they print with at most four decimals.
pub(super) fn millis(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1e6
}
