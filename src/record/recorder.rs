//! What one worker writes during a run: its rows, the tables that they refer to, and its
//! part of the live figures. Memory is taken with each chunk of rows and once a tick, never for a
//! request. When there is none for another chunk, requests are counted without rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::allowance::Allowance;
use super::beyond::{Beyond, OTHERS};
use super::live::{Detail, Detailed, Live, Unmerged, Window, Windowed};
use super::rows::{CHUNK, Rows};
use super::sample::{
    ErrorId, Label, LabelId, NO_STATUS, OTHER_ERRORS, OTHER_URLS, Row, Sample, Times,
};
use super::steps::Steps;
use super::tally::{Tally, Tapped};
use crate::memory::Share;
use crate::redact;

/// The most distinct error texts. A target that sends a different text in every response must not
/// fill the memory; later texts count under [`OTHER_ERRORS`].
const MAX_ERRORS: usize = 10_000;

/// The longest error text that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 1024;

/// The longest body of a failed request that is kept, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 4096;

/// How much memory the bodies of failed requests may take in one worker's record, in bytes; later
/// ones are not kept.
const MAX_BODIES_BYTES: usize = 64 * 1024 * 1024;

/// The most bytes of labels in one worker's record; further URLs are recorded as [`OTHER_URLS`].
const MAX_LABELS_BYTES: usize = 32 * 1024 * 1024;

/// What a label takes besides its texts, in bytes.
const LABEL_BYTES: usize = 160;

/// What a summary of the record takes for each row, in bytes, while it is made: the latency in all and
/// by name. It counts as taken, so that a summary always fits.
const SUMMARY_BYTES: usize = 16;

/// How much texts and bodies may grow before their memory is taken, in bytes. Rows take theirs with
/// each chunk.
const STEP: usize = 256 * 1024;

/// One worker's record of a run.
#[derive(Debug)]
pub struct Recorder {
    labels: Vec<Label>,
    label_ids: HashMap<Label, LabelId>,
    labels_bytes: usize,
    /// The series of `live` that each label belongs to.
    series: Vec<usize>,
    errors: Vec<Arc<str>>,
    error_ids: HashMap<Arc<str>, ErrorId>,
    errors_bytes: usize,
    table: Rows,
    bodies: HashMap<u64, Box<str>>,
    bodies_bytes: usize,
    /// Requests that were dropped at the end of the run, before their response.
    interrupted: u64,
    /// By the numbers of series.
    steps: Steps,
    /// The first label of each series.
    first_labels: Vec<usize>,
    live: Unmerged,
    /// The requests after the last row, once there is no room for more.
    beyond: Option<Box<Beyond>>,
    /// What has not been reported to another machine, where the run is.
    tapped: Option<Box<Tapped>>,
    /// What has not been added to the window of the run, if it has one.
    windowed: Option<Box<Windowed>>,
    /// What has not been added to what pages show of the run, if one is open.
    detailed: Option<Box<Detailed>>,
    allowance: Arc<Allowance>,
    share: Share,
    /// The rows of all records together are limited, too.
    rows: Option<Share>,
    /// Bytes of texts and bodies since memory was last taken.
    fresh: usize,
}

impl Default for Recorder {
    /// A record alone, without a ceiling for its memory.
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

impl Recorder {
    /// A record of the run with this allowance.
    pub fn new(allowance: &Arc<Allowance>) -> Self {
        Self {
            labels: Vec::new(),
            label_ids: HashMap::new(),
            labels_bytes: 0,
            series: Vec::new(),
            errors: Vec::new(),
            error_ids: HashMap::new(),
            errors_bytes: 0,
            table: Rows::default(),
            bodies: HashMap::new(),
            bodies_bytes: 0,
            interrupted: 0,
            steps: Steps::default(),
            first_labels: Vec::new(),
            live: Unmerged::default(),
            beyond: None,
            tapped: None,
            windowed: None,
            detailed: None,
            rows: allowance.rows(),
            share: allowance.share("records of the run"),
            allowance: Arc::clone(allowance),
            fresh: 0,
        }
    }

    /// Returns the index of a label; equal labels share one. Its texts are cut, and what is one too
    /// many shares the label of the others. Secrets are removed here, so that nothing made of the
    /// record holds one.
    pub fn label(&mut self, label: Label) -> LabelId {
        let label = label.redacted().shortened();
        if let Some(id) = self.label_ids.get(&label) {
            return *id;
        }
        let label = match self.allowance.admit(&label) {
            None => Label::others(),
            Some((method, name)) if self.reserve_label(label.text_bytes()) => {
                Label { method, name, ..label }
            }
            Some((method, name)) => Label { method, name, url: OTHER_URLS.into() },
        };
        if let Some(id) = self.label_ids.get(&label) {
            return *id;
        }
        let id = LabelId(u32::try_from(self.labels.len()).unwrap_or(u32::MAX));
        let series = self.live.series(&label);
        if series >= self.first_labels.len() {
            self.first_labels.push(self.labels.len());
        }
        self.series.push(series);
        if let Some(beyond) = &mut self.beyond {
            beyond.add_name(&label);
        }
        if let Some(windowed) = &mut self.windowed {
            windowed.extend(self.live.names_from(windowed.names()));
        }
        self.labels.push(label.clone());
        self.label_ids.insert(label, id);
        id
    }

    /// The texts of a label.
    pub fn label_of(&self, id: LabelId) -> Option<&Label> {
        self.labels.get(id.0 as usize)
    }

    /// Whether another label with so many bytes of text may be kept; counts them if so.
    pub fn reserve_label(&mut self, text: usize) -> bool {
        let bytes = self.labels_bytes + text + LABEL_BYTES;
        if bytes > MAX_LABELS_BYTES {
            return false;
        }
        self.grown(text + LABEL_BYTES);
        self.labels_bytes = bytes;
        true
    }

    /// Notes that further names of a task are recorded under the one in the document.
    pub fn merged_names(&self, written: &str) {
        self.allowance.merged(Label::cut(&redact::url(written)).into());
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
        let text: Arc<str> = text.into();
        self.errors_bytes += text.len() + LABEL_BYTES;
        self.grown(text.len() + LABEL_BYTES);
        self.errors.push(Arc::clone(&text));
        self.error_ids.insert(text, id);
        id
    }

    /// Records one request.
    pub fn record(&mut self, sample: Sample) {
        if let Some(series) = self.series.get(sample.label.0 as usize) {
            let latency = sample.service + sample.delay;
            self.live.record(*series, latency, sample.bytes, sample.error.is_some());
        }
        if !self.table.push(sample) {
            self.record_beyond(sample);
        }
    }

    /// Makes room for further rows, or counts the request without one.
    #[cold]
    fn record_beyond(&mut self, sample: Sample) {
        if self.beyond.is_none() {
            let Some(limit) = self.full() else {
                self.table.grow();
                self.table.push(sample);
                return self.settle();
            };
            let since = sample.start + sample.service;
            self.beyond = Some(Box::new(Beyond::new(since, limit, &self.live)));
        }
        if let (Some(beyond), Some(place)) =
            (&mut self.beyond, self.series.get(sample.label.0 as usize))
        {
            beyond.record(*place, &sample);
            self.windowed.iter_mut().for_each(|windowed| windowed.record(*place, &sample));
        }
        if let Some(tapped) = &mut self.tapped {
            tapped.record(&sample);
        }
    }

    /// Takes memory for another chunk of rows, or returns the option that leaves none.
    fn full(&mut self) -> Option<&'static str> {
        if self.rows.as_mut().is_some_and(|rows| rows.grow(CHUNK).is_err()) {
            return Some("--max-records");
        }
        // The first requests have rows as long as anything fits.
        let grown = match self.table.len() {
            0 => self.share.grow(Rows::CHUNK_BYTES),
            _ => self.share.grow_modestly(Rows::CHUNK_BYTES + CHUNK * SUMMARY_BYTES),
        };
        match grown {
            Ok(()) => None,
            Err(_) => {
                self.settle_rows();
                Some("--max-memory")
            }
        }
    }

    /// Gives back the rows that are taken and not there.
    fn settle_rows(&mut self) {
        if let Some(rows) = &mut self.rows {
            // Less always fits.
            let _ = rows.set(self.table.len());
        }
    }

    /// Whether requests were counted without rows: when the first of them ended, from the start of the
    /// run, and the option that limits rows.
    pub fn beyond(&self) -> Option<(Duration, &'static str)> {
        self.beyond.as_ref().map(|beyond| (beyond.since, beyond.limit))
    }

    pub(super) fn without_rows(&self) -> Option<&Beyond> {
        self.beyond.as_deref()
    }

    /// Counts that a virtual user made a request of one label right after one of another.
    pub fn step(&mut self, before: LabelId, after: LabelId) {
        if before == after {
            return;
        }
        let series = |label: LabelId| self.series.get(label.0 as usize).copied();
        if let (Some(before), Some(after)) = (series(before), series(after))
            && before != after
        {
            self.steps.count(before, after);
        }
    }

    /// The names of such requests, and how often one followed the other.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let name =
            |series: usize| self.first_labels.get(series).and_then(|label| self.labels.get(*label));
        self.steps.pairs().filter_map(move |(before, after, count)| {
            let (before, after) = (name(before)?.shown(), name(after)?.shown());
            (before != after).then_some((before, after, count))
        })
    }

    /// Keeps the body of the last recorded request, without its secrets.
    pub fn keep_body(&mut self, body: &str) {
        if self.beyond.is_some() {
            return;
        }
        let row = self.table.len() as u64;
        let cut = redact::cut(body, MAX_BODY_BYTES);
        if self.bodies_bytes + cut.len() <= MAX_BODIES_BYTES {
            self.bodies_bytes += cut.len();
            self.bodies.insert(row.saturating_sub(1), (&*cut).into());
            self.grown(cut.len());
        }
    }

    /// Adds the figures since the last merge to those of the run.
    pub fn merge_into(&mut self, live: &Live) {
        self.live.merge_into(live);
        if let Some(tally) = live.tally() {
            self.tap(tally);
        }
        if let Some(window) = live.window() {
            self.add_to(window);
        }
        if let Some(detail) = live.detail() {
            self.count_for(detail);
        }
        self.settle();
    }

    /// Adds the requests since the last call to the window of the run, as far as they belong there.
    fn add_to(&mut self, window: &Window) {
        let windowed = self.windowed.get_or_insert_with(|| Box::new(Windowed::new(window)));
        windowed.extend(self.live.names_from(windowed.names()));
        for sample in self.table.since(windowed.rows) {
            if let Some(place) = self.series.get(sample.label.0 as usize) {
                windowed.record(*place, &sample);
            }
        }
        windowed.rows = self.table.len();
        if let Err(full) = windowed.merge_into(window) {
            self.allowance.exhaust(full);
        }
    }

    /// Counts requests for pages, if somebody looks at one.
    fn count_for(&mut self, detail: &Detail) {
        let rows = self.table.len();
        let detailed = self.detailed.get_or_insert_with(|| Box::new(Detailed::new(rows)));
        if !detail.is_wanted() {
            return detailed.skip(rows);
        }
        let (first, count) = detailed.due(rows);
        // Rows are in the order in which requests ended.
        let last = (first + count).checked_sub(1);
        let last = last.and_then(|last| self.table.since(last).next());
        let end = last.map_or(Duration::ZERO, |last| last.start + last.service);
        let cell = detail.cell_at(end);
        for sample in self.table.since(first).take(count) {
            if let Some(place) = self.series.get(sample.label.0 as usize) {
                detailed.record(*place, &sample, cell);
            }
        }
        let without_rows = self.beyond.as_ref().map_or(0, |beyond| {
            detailed.record_beyond(beyond.requests(), beyond.errors_by_place())
        });
        let name = |place| {
            let series = self.live.at(place)?;
            Some((Arc::clone(&series.method), Arc::clone(&series.name)))
        };
        let error = |error: ErrorId| self.errors.get(error.0 as usize).cloned();
        detailed.merge_into(detail, without_rows, cell, name, error);
    }

    /// Counts the requests since the last call for reports to another machine.
    fn tap(&mut self, tally: &Tally) {
        let tapped = self.tapped.get_or_insert_with(|| Box::new(Tapped::new(tally.epoch())));
        self.table.since(tapped.rows).for_each(|sample| tapped.record(&sample));
        tapped.rows = self.table.len();
        let (labels, errors) = (&self.labels, &self.errors);
        let texts = |label: LabelId, error: Option<ErrorId>| {
            let error = match error {
                Some(id) => Some(errors.get(id.0 as usize)?),
                None => None,
            };
            Some((labels.get(label.0 as usize)?, error))
        };
        tapped.merge_into(tally, texts, &self.allowance);
    }

    /// Frees what only a run in progress needs: no more requests come.
    pub fn seal(&mut self) {
        self.table.seal();
        self.label_ids = HashMap::new();
        self.series = Vec::new();
        self.live = Unmerged::default();
        self.tapped = None;
        self.windowed = None;
        self.detailed = None;
        self.allowance = Arc::default();
        self.labels.shrink_to_fit();
        let texts = self.labels.iter().map(|label| label.text_bytes() + LABEL_BYTES);
        self.labels_bytes = texts.sum();
        self.bodies.shrink_to_fit();
        self.settle_rows();
        self.settle();
    }

    /// Counts growing texts and bodies.
    fn grown(&mut self, bytes: usize) {
        self.fresh += bytes;
        if self.fresh >= STEP {
            self.settle();
        }
    }

    /// Takes memory for what the record has become. The run ends soon if there is none left.
    #[cold]
    fn settle(&mut self) {
        self.fresh = 0;
        if let Err(full) = self.share.set(self.memory()) {
            self.allowance.exhaust(full);
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

    /// The number of requests, with and without rows.
    pub fn requests(&self) -> u64 {
        self.len() as u64 + self.beyond.as_ref().map_or(0, |beyond| beyond.requests())
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it holds no requests.
    pub fn is_empty(&self) -> bool {
        self.requests() == 0
    }

    pub(super) fn count_errors(&self, text: &str) -> u64 {
        let Some(id) = self.error_ids.get(text) else { return 0 };
        let rows = self.table.iter().filter(|sample| sample.error == Some(*id)).count() as u64;
        let beyond = self.beyond.iter().flat_map(|beyond| beyond.errors());
        rows + beyond
            .filter(|(_, error, _)| error == id)
            .map(|(.., times)| times.count)
            .sum::<u64>()
    }

    pub(super) fn memory(&self) -> usize {
        let summary = self.table.len() * SUMMARY_BYTES;
        let bodies = self.bodies_bytes + self.bodies.capacity() * size_of::<(u64, Box<str>)>();
        self.table.memory()
            + self.labels_bytes
            + self.errors_bytes
            + bodies
            + summary
            + self.live.bytes()
            + self.windowed.as_ref().map_or(0, |windowed| windowed.bytes())
            + self.beyond.as_ref().map_or(0, |beyond| beyond.bytes())
            + self.steps.memory()
    }

    pub(super) fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Each row.
    pub(super) fn samples(&self) -> impl Iterator<Item = Sample> {
        self.table.iter()
    }

    /// Label index, failed, response time in ticks: what a summary needs of each row. Without the
    /// requests that were sent earlier.
    pub(super) fn latencies(&self, since: Duration) -> impl Iterator<Item = (usize, bool, u64)> {
        self.table.latencies(since)
    }

    /// The failed requests: method, name and error, and how often and when it occurred.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&str, &str, &str, Times)> {
        let mut counts: HashMap<(LabelId, ErrorId), Times> = HashMap::new();
        for sample in self.table.iter() {
            if let Some(error) = sample.error {
                let times = Times::once(sample.start + sample.service);
                let known = counts.entry((sample.label, error));
                known.and_modify(|known| known.add(times)).or_insert(times);
            }
        }
        let text = |error: ErrorId| match error {
            OTHERS => Some(OTHER_ERRORS),
            error => self.errors.get(error.0 as usize).map(|text| &**text),
        };
        let rows = counts.into_iter().filter_map(move |((label, error), times)| {
            let label = self.labels.get(label.0 as usize)?;
            Some((&*label.method, &*label.name, text(error)?, times))
        });
        let beyond = self.beyond.iter().flat_map(|beyond| beyond.errors());
        rows.chain(beyond.filter_map(move |(series, error, times)| {
            Some((&*series.method, &*series.name, text(error)?, times))
        }))
    }

    /// The status of each request that has one; 0 without a response.
    pub(super) fn statuses(&self) -> impl Iterator<Item = u16> {
        self.table.iter().map(|sample| sample.status).filter(|status| *status != NO_STATUS)
    }

    pub(super) fn rows(&self, epoch: f64) -> impl Iterator<Item = Row<'_>> {
        self.table.iter().zip(0u64..).filter_map(move |(sample, row)| {
            let error = sample.error.and_then(|error| self.errors.get(error.0 as usize));
            Some(Row {
                label: self.labels.get(sample.label.0 as usize)?,
                start_time: epoch + sample.start.as_secs_f64(),
                service_ms: millis(sample.service),
                response_ms: millis(sample.service + sample.delay),
                status: (sample.status != NO_STATUS).then_some(sample.status),
                bytes: sample.bytes,
                error: error.map(Arc::as_ref),
                body: self.bodies.get(&row).map(Box::as_ref),
            })
        })
    }
}

/// Milliseconds, exact to the tick, so that they print with at most four decimals.
pub(super) fn millis(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::record::sample::{MAX_LABEL_BYTES, OTHER_NAMES};
    use crate::record::{Recording, Records};

    fn label(url: &str, name: &str) -> Label {
        Label { method: "GET".into(), url: url.into(), name: name.into() }
    }

    fn request(label: LabelId) -> Sample {
        Sample {
            label,
            start: Duration::ZERO,
            delay: Duration::ZERO,
            service: Duration::from_millis(1),
            status: 200,
            bytes: 1,
            error: None,
        }
    }

    #[test]
    fn t32_requests_with_too_many_names_share_a_row_and_all_of_them_are_counted() {
        let allowance = Arc::default();
        let mut workers = [Recorder::new(&allowance), Recorder::new(&allowance)];
        for number in 0..6000 {
            for worker in &mut workers {
                let label = worker.label(label("u", &format!("n {number}")));
                worker.record(request(label));
            }
        }
        let parts = workers.iter();
        let summary = crate::record::Summary::of(parts);
        assert_eq!((summary.requests, summary.per_name.len()), (12_000, 5001));
        let others = summary.per_name.iter().find(|name| &*name.name == OTHER_NAMES);
        assert_eq!(others.expect("the others").requests, 2000);
    }

    #[test]
    fn t35_labels_that_a_target_makes_long_are_cut_and_bounded_together() {
        let memory = Memory::unlimited();
        let mut worker = Recorder::new(&Arc::new(Allowance::of(&memory)));
        worker.labels_bytes = MAX_LABELS_BYTES - (1 << 20);
        let long = "x".repeat(5000);
        for number in 0..1000 {
            let label = worker.label(label(&format!("/{number}/{long}"), "item"));
            worker.record(request(label));
        }
        worker.settle();
        assert!(memory.taken() < MAX_LABELS_BYTES + (1 << 20), "{}", memory.taken());
        let rows: Vec<_> = worker.rows(0.0).map(|row| row.label.url.len()).collect();
        assert_eq!(rows.len(), 1000);
        assert!(rows.iter().all(|length| *length <= MAX_LABEL_BYTES));
        let last = worker.rows(0.0).last().expect("a row");
        assert_eq!((&*last.label.url, &*last.label.name), (OTHER_URLS, "item"));
    }

    #[test]
    fn t34_texts_and_bodies_take_memory_and_the_run_says_when_there_is_none() {
        let grow: [fn(&mut Recorder, usize); 3] = [
            |worker, turn| {
                worker.label(label(&format!("{turn} {}", "u".repeat(2000)), "n"));
            },
            |worker, turn| {
                worker.error(&format!("{turn} {}", "e".repeat(1000)));
            },
            |worker, _| {
                worker.record(request(LabelId(0)));
                worker.keep_body(&"b".repeat(4000));
            },
        ];
        for (kind, grow) in grow.into_iter().enumerate() {
            let memory = Memory::new(4 << 20);
            let allowance = Arc::new(Allowance::of(&memory));
            let mut worker = Recorder::new(&allowance);
            let mut turns = 0;
            while allowance.exhausted().is_none() {
                grow(&mut worker, turns);
                turns += 1;
                assert!(turns < 10_000, "the memory of {kind} is not counted");
            }
            let reason = allowance.exhausted().expect("a reason");
            assert!(reason.contains("records of the run: "), "{reason}");
            assert!(memory.taken() > 3 << 20, "{kind}: {}", memory.taken());
            drop(worker);
            assert_eq!(memory.taken(), 0);
        }
    }

    /// Two workers that record more requests than there is room for rows.
    fn filled(memory: &Arc<Memory>, each: u64) -> [Recorder; 2] {
        let allowance = Arc::new(Allowance::of(memory));
        let mut workers = [Recorder::new(&allowance), Recorder::new(&allowance)];
        for number in 0..each {
            for worker in &mut workers {
                // One name appears late.
                let name = if number > each - 10 { "late" } else { "early" };
                let label = worker.label(label("u", name));
                let error = (number % 4 == 0).then(|| worker.error("broken"));
                let (start, service) =
                    (Duration::from_millis(number), Duration::from_millis(number % 100));
                worker.record(Sample { start, service, error, ..request(label) });
                worker.keep_body("body");
            }
        }
        assert_eq!(allowance.exhausted(), None);
        workers.iter_mut().for_each(Recorder::seal);
        workers
    }

    fn recorded(workers: [Recorder; 2]) -> Records {
        let mut records = Records::default();
        records.push(Arc::new(Recording::new(std::time::UNIX_EPOCH, workers.into())));
        records
    }

    fn check_beyond(memory: &Arc<Memory>, limit: &str) {
        let each = 5 * CHUNK as u64;
        let (whole, partial) =
            (recorded(filled(&Memory::unlimited(), each)), recorded(filled(memory, each)));
        assert!((CHUNK..10 * CHUNK).contains(&partial.len()), "{} rows", partial.len());
        let (exact, counted) = (whole.summary(), partial.summary());
        assert_eq!((counted.requests, counted.failures), (2 * each, exact.failures));
        for (exact, counted) in exact.per_name.iter().zip(&counted.per_name) {
            assert_eq!((&exact.name, exact.requests), (&counted.name, counted.requests));
            assert_eq!(exact.latency.count, counted.latency.count);
            let (exact, counted) = (&exact.latency, &counted.latency);
            for (exact, counted) in [(exact.p50_ms, counted.p50_ms), (exact.p99_ms, counted.p99_ms)]
            {
                assert!((exact - counted).abs() <= exact * 0.02, "{counted} for {exact}");
            }
        }
        assert_eq!(counted.per_name.len(), 2);
        assert_eq!(whole.errors(9).kinds, partial.errors(9).kinds);
        let said = partial.recordings()[0].beyond().expect("a notice");
        let want = format!(" UTC on, requests are counted but not kept as rows ({limit})");
        assert!(said.starts_with("from 00:00:") && said.ends_with(&want), "{said}");
        let series = partial.series();
        assert_eq!(series.iter().map(|series| series.requests).sum::<u64>(), 2 * each);
        assert_eq!(whole.recordings()[0].beyond(), None);
        drop(partial);
        assert_eq!(memory.taken(), 0);
        assert_eq!(memory.rows().expect("a ceiling").taken(), 0);
    }

    #[test]
    fn t63_requests_beyond_the_ceiling_for_rows_are_counted_by_name_and_none_is_lost() {
        check_beyond(&Memory::with_records(usize::MAX, 3 * CHUNK), "--max-records");
    }

    #[test]
    fn t63_a_test_whose_rows_fill_the_memory_goes_on_with_histograms() {
        check_beyond(&Memory::new(2 << 20), "--max-memory");
    }

    #[test]
    fn t36_a_finished_record_keeps_only_what_reports_read() {
        let memory = Memory::unlimited();
        let mut worker = Recorder::new(&Arc::new(Allowance::of(&memory)));
        for number in 0..100 {
            let label = worker.label(label("u", &number.to_string()));
            worker.record(request(label));
        }
        worker.seal();
        assert!(memory.taken() < 100 * 300, "{}", memory.taken());
        assert_eq!(worker.rows(0.0).count(), 100);
        assert_eq!(worker.count_errors("x"), 0);
    }
}
