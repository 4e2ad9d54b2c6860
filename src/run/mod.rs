//! Runs as objects. A [`Run`] is one execution of one document: its number, its state, the load test
//! that it runs, and its [`Journal`] of events. [`Runs`] is the table of all of them: those in
//! progress, those that wait for their turn, and the last that have ended. Nothing here parses
//! documents or knows the wire.

mod history;
mod info;
mod journal;
mod latest;
mod runs;
mod series;
mod test;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, State};
use crate::lock::lock;
use crate::memory::{Memory, Share};
use crate::record::gates::Rule;
use crate::record::{Recording, Records};
use crate::value::{Map, Value};
use series::Series;

pub use history::{History, HistoryError};
pub use info::{busy, progress};
pub use journal::{Journal, event_bytes};
pub use latest::Latest;
pub use runs::{KEPT_RUNS, Lease, Runs, Stopped, TESTS_AT_ONCE};
pub use test::{Snapshot, Test};

/// The parameters of a run.
#[derive(Debug, Default)]
pub struct Submission {
    /// A name for people.
    pub name: Option<String>,
    /// What its document is called: the name of its file.
    pub file: Option<String>,
    /// The address that requests it.
    pub peer: Option<String>,
    /// The connection that holds it, if it must end when that is gone.
    pub hold: Option<Arc<Hold>>,
    /// How long it waits for the place of another test. Without, its test is refused as busy.
    pub patience: Option<Duration>,
    /// Whether its document is refused when there is no place for its test.
    pub at_once: bool,
    /// How much its events show of the requests of its tests: 0 to 2.
    pub detail: u8,
    /// Whether it sees only its own records and variables once it holds a test. The reference's
    /// documents see those of all.
    pub isolated: bool,
    /// Its document as JSON, without secrets, for whoever keeps it.
    pub document: Option<String>,
}

/// A connection that holds a run: the run ends when the connection is gone. The connection exists
/// before the run does.
#[derive(Debug, Default)]
pub struct Hold {
    /// The run owns this, so this does not keep the run.
    run: OnceLock<Weak<Run>>,
    gone: AtomicBool,
}

impl Hold {
    /// The connection is gone: ends its run, now or as soon as there is one.
    pub fn let_go(&self) {
        self.gone.store(true, Ordering::SeqCst);
        if let Some(run) = self.run.get().and_then(Weak::upgrade) {
            run.lose();
        }
    }

    fn bind(&self, run: &Arc<Run>) {
        let _ = self.run.set(Arc::downgrade(run));
        if self.gone.load(Ordering::SeqCst) {
            run.lose();
        }
    }
}

/// One execution of one document.
#[derive(Debug)]
pub struct Run {
    number: u64,
    submission: Submission,
    submitted: SystemTime,
    cancel: CancellationToken,
    inner: Mutex<Inner>,
    /// The number of events so far; watchers wait for its changes.
    events: watch::Sender<u64>,
    history: Option<Arc<History>>,
    /// Its document without secrets, where these are kept, and its memory.
    document: Option<(String, Share)>,
}

/// What changes while it runs.
#[derive(Debug)]
struct Inner {
    state: State,
    /// When its first action started.
    started: Option<(SystemTime, Instant)>,
    ended: Option<SystemTime>,
    took: Option<Duration>,
    /// Its load test; the last one, if it has several.
    test: Option<Arc<Test>>,
    /// The records of its tests, as long as they are kept.
    records: Vec<Weak<Recording>>,
    /// The gates that they were judged by.
    gates: Vec<Rule>,
    failed: usize,
    /// Why it ends early: [`State::Cancelled`] or [`State::Lost`].
    ending: Option<State>,
    message: Option<String>,
    journal: Journal,
    series: Series,
    /// The figures of its tests, once it has ended.
    figures: Option<Value>,
    /// Their memory.
    share: Share,
}

impl Run {
    fn new(
        number: u64,
        mut submission: Submission,
        cancel: CancellationToken,
        memory: &Arc<Memory>,
        history: Option<Arc<History>>,
        keeps_document: bool,
    ) -> Arc<Self> {
        let document = submission.document.take();
        let stored = document.clone().filter(|_| history.is_some());
        let document = document.filter(|_| keeps_document).and_then(|document| {
            let mut share = memory.share("the document of a run");
            // What does not fit is not kept.
            share.grow(document.len()).is_ok().then_some((document, share))
        });
        let run = Arc::new(Self {
            number,
            submission,
            submitted: SystemTime::now(),
            cancel,
            inner: Mutex::new(Inner {
                state: State::Running,
                started: None,
                ended: None,
                took: None,
                test: None,
                records: Vec::new(),
                gates: Vec::new(),
                failed: 0,
                ending: None,
                message: None,
                journal: Journal::new(memory),
                series: Series::default(),
                figures: None,
                share: memory.share("figures of an ended run"),
            }),
            events: watch::Sender::new(0),
            history,
            document,
        });
        // Before anybody learns its number.
        if let Some(history) = &run.history {
            history.begin(&run.info(), stored.as_deref());
        }
        if let Some(hold) = &run.submission.hold {
            hold.bind(&run);
        }
        run
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.submission.name.as_deref()
    }

    /// What its document is called.
    pub fn file(&self) -> Option<&str> {
        self.submission.file.as_deref()
    }

    /// Cancelled when it should end early.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether it sees only its own records and variables.
    pub fn is_isolated(&self) -> bool {
        self.submission.isolated
    }

    /// How much its events show of the requests of its tests.
    pub fn detail(&self) -> u8 {
        self.submission.detail
    }

    /// How long it waits for the place of another test.
    pub fn patience(&self) -> Option<Duration> {
        self.submission.patience
    }

    /// Its document as JSON, without secrets, if it is kept.
    pub fn document(&self) -> Option<&str> {
        self.document.as_ref().map(|(document, _)| document.as_str())
    }

    /// Its state.
    pub fn state(&self) -> State {
        let inner = lock(&self.inner);
        match inner.state {
            State::Running if self.cancel.is_cancelled() => State::Stopping,
            state => state,
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        lock(&self.inner).state.is_final()
    }

    /// Its load test; the last one, if it has several.
    pub fn test(&self) -> Option<Arc<Test>> {
        lock(&self.inner).test.clone()
    }

    /// Its first action starts.
    pub fn start(&self) {
        let mut inner = lock(&self.inner);
        inner.started.get_or_insert_with(|| (SystemTime::now(), Instant::now()));
        if inner.state == State::Queued {
            inner.state = State::Running;
        }
        drop(inner);
        if let Some(history) = &self.history {
            history.update(&self.info());
        }
    }

    /// How many of its actions have failed so far.
    pub fn failed(&self) -> usize {
        lock(&self.inner).failed
    }

    /// Adds an event to its journal.
    pub fn note(&self, event: &Event) {
        let mut inner = lock(&self.inner);
        if let Event::Result(result) = event
            && !result.ok
        {
            inner.failed += 1;
            if let (None, Some(failure)) = (&inner.message, &result.error) {
                inner.message = Some(failure.message.lines().next().unwrap_or("").to_owned());
            }
        }
        if let Event::Error { message, .. } = event {
            inner.message = Some(message.clone());
        }
        if let Event::Progress(progress) = event {
            inner.series.push(progress);
        }
        let count = inner.journal.push(event);
        drop(inner);
        if let (Some(history), Event::Result(_)) = (&self.history, event) {
            history.event(self.number, count, event);
        }
        self.events.send_replace(count);
    }

    /// The events after number `after`, with their numbers, and whether more can follow. The first
    /// call has `after` 0. A reader that is behind gets the newest progress only.
    pub fn events_after(&self, after: u64) -> (Vec<(u64, Arc<Event>)>, bool) {
        let inner = lock(&self.inner);
        (inner.journal.after(after), !inner.journal.is_complete())
    }

    /// The number of its newest event; 0 before the first.
    pub fn newest_event(&self) -> u64 {
        lock(&self.inner).journal.count()
    }

    /// Whether more events can follow.
    pub fn may_continue(&self) -> bool {
        !lock(&self.inner).journal.is_complete()
    }

    /// Changes whenever there are new events.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// Ends it because its connection is gone.
    fn lose(&self) {
        self.end_early(State::Lost, "its client left");
    }

    /// Cancels it; the first reason counts. Returns whether it was still in progress.
    fn end_early(&self, state: State, why: &str) -> bool {
        let mut inner = lock(&self.inner);
        if inner.state.is_final() {
            return false;
        }
        if inner.ending.is_none() {
            inner.ending = Some(state);
            inner.message = Some(why.to_owned());
        }
        drop(inner);
        self.cancel.cancel();
        true
    }

    fn set_queued(&self) {
        lock(&self.inner).state = State::Queued;
    }

    fn begin_test(&self, test: Arc<Test>) {
        lock(&self.inner).test = Some(test);
    }

    /// Its test has ended with this record. It is there as long as it is kept elsewhere.
    pub fn note_records(&self, recording: &Arc<Recording>) {
        lock(&self.inner).records.push(Arc::downgrade(recording));
    }

    /// Keeps the gates that its tests were judged by, for reports.
    pub fn keep_gates(&self, gates: &[Rule]) {
        lock(&self.inner).gates = gates.to_vec();
    }

    /// The gates that its tests were judged by.
    pub fn gates(&self) -> Vec<Rule> {
        lock(&self.inner).gates.clone()
    }

    /// The records of its tests, if all of them are still kept.
    pub fn records(&self) -> Option<Records> {
        let parts = lock(&self.inner).records.clone();
        let mut records = Records::default();
        for part in &parts {
            records.push(part.upgrade()?);
        }
        Some(records).filter(|_| !parts.is_empty())
    }

    /// The course of its tests so far; empty once it has ended, as it is among its figures then.
    pub fn course(&self) -> Value {
        lock(&self.inner).series.to_value()
    }

    /// The figures of its tests, once it has ended, if they fitted into the memory.
    pub fn figures(&self) -> Option<Value> {
        lock(&self.inner).figures.clone()
    }

    /// Why it was stopped, if it was.
    pub fn why_stopped(&self) -> Option<String> {
        let inner = lock(&self.inner);
        let was_stopped = matches!(inner.state, State::Cancelled | State::Lost);
        inner.message.clone().filter(|_| was_stopped)
    }

    /// Sets its last state.
    fn finish(&self, failed: usize, figures: Map) -> State {
        let mut inner = lock(&self.inner);
        let state = match inner.ending {
            Some(state) => state,
            None if self.cancel.is_cancelled() => {
                let is_of_server = self.submission.peer.is_some();
                let why = if is_of_server { "the server was shut down" } else { "interrupted" };
                inner.message = Some(why.to_owned());
                State::Cancelled
            }
            None if failed == 0 => State::Passed,
            None => State::Failed,
        };
        inner.failed = failed;
        if state == State::Passed {
            inner.message = None;
        }
        inner.state = state;
        inner.ended = Some(SystemTime::now());
        inner.took = Some(inner.started.map_or(Duration::ZERO, |(_, since)| since.elapsed()));
        if inner.test.is_some() {
            let mut figures = figures;
            let series = std::mem::take(&mut inner.series).to_value();
            figures.insert("series".to_owned(), series);
            let figures = Value::Dict(figures);
            // What does not fit is not kept.
            inner.figures = inner.share.set(figures.weight()).is_ok().then_some(figures);
        }
        state
    }

    /// Writes its end into the history. Its last event is in its journal.
    pub fn store(&self) {
        let Some(history) = &self.history else { return };
        let (events, _) = self.events_after(0);
        let figures = self.figures().map_or_else(|| "null".to_owned(), |figures| json(&figures));
        let events = events.iter().map(|(number, event)| (*number, &**event));
        history.end(&self.info(), events, &figures);
    }
}

/// Plain data always serializes.
fn json(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::live::Live;

    #[test]
    fn a_document_is_kept_only_where_it_is_asked_for_and_fits() {
        let kept = |memory: usize, keeps: bool| {
            let memory = Memory::new(memory);
            let document = Some("x".repeat(1000));
            let submission = Submission { document, ..Submission::default() };
            let run = Run::new(1, submission, CancellationToken::new(), &memory, None, keeps);
            (run.document().map(str::len), memory.taken() >= 1000)
        };
        assert_eq!(kept(100_000, true), (Some(1000), true));
        assert_eq!(kept(100_000, false), (None, false));
        assert_eq!(kept(500, true), (None, false));
    }

    #[test]
    fn t36_the_figures_of_an_ended_run_take_memory_and_are_not_kept_beyond_it() {
        let finished = |memory: &Arc<Memory>| {
            let run =
                Run::new(1, Submission::default(), CancellationToken::new(), memory, None, false);
            run.begin_test(Arc::new(Test::new("test".to_owned(), None, Live::default())));
            let figures = Map::from_iter([("tests".to_owned(), "x".repeat(10_000).into())]);
            run.finish(0, figures);
            run
        };
        let memory = Memory::new(100_000);
        let run = finished(&memory);
        assert!(run.figures().is_some());
        assert!((10_000..20_000).contains(&memory.taken()), "{}", memory.taken());
        drop(run);
        assert_eq!(memory.taken(), 0);
        assert_eq!(finished(&Memory::new(5000)).figures(), None);
    }
}
