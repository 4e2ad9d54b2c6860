//! What a page shows of a run in progress beside the figures of its names: errors, statuses, and curves of
//! all requests and of its names. It is counted while somebody looks, by each worker from its own rows
//! and once a tick, so the path of a request has no part in it. Rows from before the first look are counted
//! a few at a time, so that a look at a long run does not hold up its load.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use super::curve::{Cell, Curve, UNIT_MILLIS, cell_of, level_of};
use super::series::Key;
use crate::lock::lock;
use crate::memory::{Memory, Share};
use crate::record::sample::{ErrorId, NO_STATUS, OTHER_ERRORS, Sample, Times};

/// How long after a look it is still counted.
const LOOKED: Duration = Duration::from_secs(10);

/// The most rows from before that a worker counts in a tick: about a millisecond.
const CATCH_UP: usize = 20_000;

/// The most names with a curve: more than a report draws, because the busiest are known only at its end.
const MOST_CURVES: usize = 150;

/// The most different errors, by name and text; further ones share one for each name.
const MOST_ERRORS: usize = 10_000;

/// What an entry of the table of errors takes, in bytes; its texts are those of the record.
const ERROR_BYTES: usize = 130;

/// Errors that stay when the run has ended.
const MOST_KEPT_ERRORS: usize = 100;

/// What is counted for pages.
#[derive(Debug)]
pub struct Detail {
    opened: Instant,
    /// When somebody looked last, in milliseconds since it was opened.
    looked: AtomicU64,
    /// How long cells are, as a number of a width.
    level: AtomicUsize,
    /// Requests that are counted here.
    counted: AtomicU64,
    /// Requests without rows.
    without_rows: AtomicU64,
    /// Workers that have rows from before to count.
    behind: AtomicUsize,
    total: Mutex<Curve>,
    curves: Mutex<HashMap<Key, Arc<Mutex<Curve>>>>,
    /// Why names have no curves.
    refused: Mutex<Option<String>>,
    is_refused: AtomicBool,
    statuses: Mutex<BTreeMap<u16, Answered>>,
    errors: Mutex<IndexMap<ErrorKey, Times>>,
    share: Mutex<Share>,
}

/// Method, name and error.
type ErrorKey = (Arc<str>, Arc<str>, Arc<str>);

/// The requests of a name that failed with one error.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Their method.
    pub method: Arc<str>,
    /// Their name.
    pub name: Arc<str>,
    /// What was wrong.
    pub error: Arc<str>,
    /// How often, and when.
    pub times: Times,
}

/// The requests with one status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answered {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
}

impl Detail {
    pub(super) fn new(memory: &Arc<Memory>) -> Self {
        Self {
            opened: Instant::now(),
            looked: AtomicU64::new(0),
            level: AtomicUsize::new(0),
            counted: AtomicU64::new(0),
            without_rows: AtomicU64::new(0),
            behind: AtomicUsize::new(0),
            total: Mutex::default(),
            curves: Mutex::default(),
            refused: Mutex::default(),
            is_refused: AtomicBool::new(false),
            statuses: Mutex::default(),
            errors: Mutex::default(),
            share: Mutex::new(memory.share("errors and curves for a page")),
        }
    }

    /// Somebody looks at it.
    pub(super) fn look(&self) {
        self.looked.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }

    /// Whether somebody has looked at it a moment ago.
    pub(in crate::record) fn is_wanted(&self) -> bool {
        let since = self.now().saturating_sub(self.looked.load(Ordering::Relaxed));
        since <= LOOKED.as_millis() as u64
    }

    /// How many requests are counted here, with rows and without.
    pub fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed) + self.without_rows()
    }

    /// How many of them have no rows: they are in no curve and have no status.
    pub fn without_rows(&self) -> u64 {
        self.without_rows.load(Ordering::Relaxed)
    }

    /// Whether nearly all requests up to now are counted, of so many.
    pub fn is_complete(&self, requests: u64) -> bool {
        self.behind.load(Ordering::Relaxed) == 0 && self.counted() * 10 >= requests * 9
    }

    /// The requests by status; 0 are those without a response.
    pub fn statuses(&self) -> BTreeMap<u16, Answered> {
        lock(&self.statuses).clone()
    }

    /// The errors, in no order.
    pub fn errors(&self) -> Vec<Failed> {
        let errors = lock(&self.errors);
        let failed = errors.iter().map(|((method, name, error), times)| Failed {
            method: Arc::clone(method),
            name: Arc::clone(name),
            error: Arc::clone(error),
            times: *times,
        });
        failed.collect()
    }

    /// The curve of all requests.
    pub fn total(&self) -> Curve {
        lock(&self.total).clone()
    }

    /// The curve of a name, if it has one.
    pub fn curve(&self, method: &str, name: &str) -> Option<Curve> {
        let key = (method.into(), name.into());
        let curve = Arc::clone(lock(&self.curves).get(&key)?);
        Some(lock(&curve).clone())
    }

    /// Whether a name has a curve.
    pub fn has_curve(&self, method: &str, name: &str) -> bool {
        lock(&self.curves).contains_key(&(method.into(), name.into()))
    }

    /// Why names have no curves, if there was no memory for them.
    pub fn refused(&self) -> Option<String> {
        lock(&self.refused).clone()
    }

    /// The run has ended: its sums stay, and its most frequent errors.
    pub(super) fn conclude(&self) {
        lock(&self.curves).clear();
        {
            let mut errors = lock(&self.errors);
            errors.sort_unstable_by(|_, a, _, b| b.count.cmp(&a.count));
            errors.truncate(MOST_KEPT_ERRORS);
            errors.shrink_to_fit();
        }
        // Less always fits.
        self.settle();
    }

    /// Takes memory for what was added. Where it does not fit, names have no curves.
    fn settle(&self) {
        let curves: Vec<_> = lock(&self.curves).values().cloned().collect();
        let of_names: usize = curves.iter().map(|curve| lock(curve).bytes()).sum();
        let sums = lock(&self.total).bytes() + lock(&self.errors).len() * ERROR_BYTES;
        let mut share = lock(&self.share);
        if let Err(full) = share.set(of_names + sums) {
            self.is_refused.store(true, Ordering::Relaxed);
            *lock(&self.refused) = Some(full.to_string());
            lock(&self.curves).clear();
            // The sums are little: where they do not fit, they are there nevertheless.
            let _ = share.set(sums);
        }
    }

    /// How long cells are, in units, when requests end so long after the start of the run.
    pub(in crate::record) fn cell_at(&self, end: Duration) -> u64 {
        let level = level_of(end.as_millis() as u64 / UNIT_MILLIS);
        cell_of(self.level.fetch_max(level, Ordering::Relaxed).max(level))
    }

    fn curve_of(&self, key: Key) -> Slot {
        if self.is_refused.load(Ordering::Relaxed) {
            return Slot::None;
        }
        let mut curves = lock(&self.curves);
        if curves.len() >= MOST_CURVES && !curves.contains_key(&key) {
            return Slot::None;
        }
        Slot::Curve(Arc::clone(curves.entry(key).or_default()))
    }
}

/// Where the curve of a name is.
#[derive(Debug, Default)]
enum Slot {
    #[default]
    Unknown,
    None,
    Curve(Arc<Mutex<Curve>>),
}

/// The requests of a name since the last tick.
#[derive(Debug, Default)]
struct Fresh {
    slot: Slot,
    /// The cells by their beginning, the latest last.
    cells: Vec<(u64, Cell)>,
}

/// What one worker has counted since its last tick.
#[derive(Debug, Default)]
pub(in crate::record) struct Detailed {
    /// Rows that are counted.
    rows: usize,
    /// Rows that there were at the last tick.
    seen: usize,
    /// Rows that were counted since the last merge.
    fresh: u64,
    is_behind: bool,
    /// By the places of the worker's names.
    names: Vec<Fresh>,
    /// Those of them with requests.
    touched: Vec<usize>,
    statuses: Vec<(u16, Answered)>,
    errors: HashMap<(usize, ErrorId), Times>,
    /// How often each error of a request without a row was counted already, and those requests.
    told: HashMap<(usize, ErrorId), u64>,
    told_requests: u64,
}

impl Detailed {
    /// Of a worker that has this many rows.
    pub(in crate::record) fn new(rows: usize) -> Self {
        Self { seen: rows, ..Self::default() }
    }

    /// The worker has this many rows, which nobody wants to see.
    pub(in crate::record) fn skip(&mut self, rows: usize) {
        self.seen = rows;
    }

    /// Which rows are to be counted now: the first, and how many.
    pub(in crate::record) fn due(&mut self, rows: usize) -> (usize, usize) {
        let most = rows - self.seen + CATCH_UP;
        let (first, count) = (self.rows, (rows - self.rows).min(most));
        (self.rows, self.seen) = (first + count, rows);
        self.fresh += count as u64;
        (first, count)
    }

    /// Counts a request of the name at a place; cells are this long.
    pub(in crate::record) fn record(&mut self, place: usize, sample: &Sample, cell: u64) {
        let failed = sample.error.is_some();
        let end = sample.start + sample.service;
        if place >= self.names.len() {
            self.names.resize_with(place + 1, Fresh::default);
        }
        if let Some(name) = self.names.get_mut(place) {
            if name.cells.is_empty() {
                self.touched.push(place);
            }
            let begin = end.as_millis() as u64 / UNIT_MILLIS / cell * cell;
            let micros = (sample.service + sample.delay).as_micros() as u64;
            match name.cells.iter_mut().rev().find(|(known, _)| *known == begin) {
                Some((_, known)) => known.record(micros, failed),
                None => {
                    let mut new = Cell::default();
                    new.record(micros, failed);
                    name.cells.push((begin, new));
                }
            }
        }
        if sample.status != NO_STATUS {
            let of = |known: &&mut (u16, Answered)| known.0 == sample.status;
            let known = match self.statuses.iter_mut().find(of) {
                Some((_, known)) => known,
                None => {
                    self.statuses.push((sample.status, Answered::default()));
                    let Some((_, known)) = self.statuses.last_mut() else { return };
                    known
                }
            };
            known.requests += 1;
            known.failures += u64::from(failed);
        }
        if let Some(error) = sample.error {
            let times = Times::once(end);
            let known = self.errors.entry((place, error));
            known.and_modify(|known| known.add(times)).or_insert(times);
        }
    }

    /// Counts the errors of requests without rows: how often each has occurred, and all such requests.
    pub(in crate::record) fn record_beyond(
        &mut self,
        requests: u64,
        errors: impl Iterator<Item = (usize, ErrorId, Times)>,
    ) -> u64 {
        for (place, error, times) in errors {
            let told = self.told.entry((place, error)).or_default();
            let new = Times { count: times.count - *told, ..times };
            *told = times.count;
            if new.count > 0 {
                let known = self.errors.entry((place, error));
                known.and_modify(|known| known.add(new)).or_insert(new);
            }
        }
        let new = requests - self.told_requests;
        self.told_requests = requests;
        new
    }

    /// Moves them to those of all workers. `name` has the method and name of a place, `error` a text.
    pub(in crate::record) fn merge_into(
        &mut self,
        detail: &Detail,
        without_rows: u64,
        cell: u64,
        name: impl Fn(usize) -> Option<Key>,
        error: impl Fn(ErrorId) -> Option<Arc<str>>,
    ) {
        let is_refused = detail.is_refused.load(Ordering::Relaxed);
        let mut total = lock(&detail.total);
        for place in self.touched.drain(..) {
            let Some(fresh) = self.names.get_mut(place) else { continue };
            if is_refused {
                fresh.slot = Slot::None;
            } else if matches!(fresh.slot, Slot::Unknown) {
                fresh.slot = name(place).map_or(Slot::None, |key| detail.curve_of(key));
            }
            if let Slot::Curve(curve) = &fresh.slot {
                let mut curve = lock(curve);
                fresh.cells.iter().for_each(|(begin, added)| curve.add(*begin, cell, added));
            }
            for (begin, added) in fresh.cells.drain(..) {
                total.add(begin, cell, &added);
            }
        }
        drop(total);
        {
            let mut statuses = lock(&detail.statuses);
            for (status, added) in self.statuses.drain(..) {
                let known = statuses.entry(status).or_default();
                known.requests += added.requests;
                known.failures += added.failures;
            }
        }
        if !self.errors.is_empty() {
            let mut errors = lock(&detail.errors);
            for ((place, id), times) in self.errors.drain() {
                let Some((method, name)) = name(place) else { continue };
                let text = error(id).unwrap_or_else(|| OTHER_ERRORS.into());
                let mut key = (method, name, text);
                if errors.len() >= MOST_ERRORS && !errors.contains_key(&key) {
                    key.2 = OTHER_ERRORS.into();
                }
                errors.entry(key).and_modify(|known| known.add(times)).or_insert(times);
            }
        }
        detail.counted.fetch_add(std::mem::take(&mut self.fresh), Ordering::Relaxed);
        detail.without_rows.fetch_add(without_rows, Ordering::Relaxed);
        let is_behind = self.rows < self.seen;
        match (self.is_behind, is_behind) {
            (false, true) => drop(detail.behind.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(detail.behind.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
        self.is_behind = is_behind;
        detail.settle();
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::record::live::{Cumulative, Live};
    use crate::record::rows::CHUNK;
    use crate::record::{Errors, Label, Recorder};

    /// Records a request that ends so many milliseconds after the start of the run.
    fn record(worker: &mut Recorder, name: &str, status: u16, end: u64, error: Option<&str>) {
        let label =
            worker.label(Label { method: "GET".into(), url: "u".into(), name: name.into() });
        let error = error.map(|text| worker.error(text));
        let (start, service) = (Duration::from_millis(end - 1), Duration::from_millis(1));
        let (delay, bytes) = (Duration::ZERO, 1);
        worker.record(Sample { label, start, delay, service, status, bytes, error });
    }

    /// Name, error and count, the most frequent first.
    fn errors(detail: &Detail) -> Vec<(String, String, u64)> {
        let failed = detail.errors();
        let errors = Errors::so_far(&failed, SystemTime::UNIX_EPOCH, usize::MAX);
        let kinds = errors.kinds.iter();
        kinds.map(|kind| (kind.name.to_owned(), kind.error.to_owned(), kind.count)).collect()
    }

    fn requests(curve: &Curve) -> u64 {
        curve.points(86400.0).iter().map(|point| point.requests).sum()
    }

    #[test]
    fn errors_statuses_and_curves_of_all_workers_are_counted_from_the_first_look_on_with_what_was_before()
     {
        let live = Live::default();
        let mut workers = [Recorder::default(), Recorder::default()];
        for worker in &mut workers {
            record(worker, "a", 200, 100, None);
            record(worker, "b", 503, 150, Some("busy"));
            worker.merge_into(&live);
        }
        assert!(live.detail().is_none(), "nobody has looked");
        let detail = live.look_at_detail();
        for worker in &mut workers {
            record(worker, "b", 503, 1150, Some("busy"));
            record(worker, "b", NO_STATUS, 1200, Some("odd"));
            worker.merge_into(&live);
            worker.merge_into(&live);
        }
        assert_eq!((detail.counted(), detail.is_complete(8)), (8, true));
        let statuses: Vec<_> = detail.statuses().into_iter().collect();
        let answered = |requests, failures| Answered { requests, failures };
        assert_eq!(statuses, [(200, answered(2, 0)), (503, answered(4, 4))]);
        let of = |error: &str, count| ("b".to_owned(), error.to_owned(), count);
        assert_eq!(errors(detail), [of("busy", 4), of("odd", 2)]);
        let busy = detail.errors().into_iter().find(|failed| &*failed.error == "busy");
        let Times { first, last, .. } = busy.expect("it").times;
        assert_eq!((first.as_millis(), last.as_millis()), (150, 1150));
        let points = detail.curve("GET", "b").expect("a curve").points(0.1);
        let busy: Vec<_> = points.iter().map(|point| point.requests).collect();
        assert_eq!((busy[1], busy[11], busy[12], points[1].failures), (2, 2, 2, 2));
        assert_eq!(requests(&detail.total()), 8);
        assert!(detail.curve("POST", "b").is_none() && !detail.has_curve("GET", "c"));
    }

    #[test]
    fn rows_from_before_the_first_look_are_counted_a_few_in_each_tick() {
        let (live, mut worker) = (Live::default(), Recorder::default());
        let many = 2 * CATCH_UP as u64 + 7;
        (1..=many).for_each(|end| record(&mut worker, "a", 200, end, None));
        worker.merge_into(&live);
        let detail = live.look_at_detail();
        for (ticks, want) in [(1, 20_000), (2, 40_000), (3, many)] {
            worker.merge_into(&live);
            assert_eq!((detail.counted(), detail.is_complete(many)), (want, ticks == 3));
        }
        let points = detail.total().points(0.5);
        assert!(points[..80].iter().skip(1).all(|point| point.requests == 500), "{points:?}");
    }

    #[test]
    fn nothing_is_counted_while_nobody_looks_and_nothing_is_lost() {
        let (live, mut worker) = (Live::default(), Recorder::default());
        let detail = live.look_at_detail();
        record(&mut worker, "a", 200, 5, None);
        worker.merge_into(&live);
        detail.looked.store(0, Ordering::Relaxed);
        let later =
            Detail { opened: detail.opened - 2 * LOOKED, ..Detail::new(&Memory::unlimited()) };
        assert!(!later.is_wanted() && detail.is_wanted());
        later.look();
        assert!(later.is_wanted());
        let mut detailed = Detailed::new(100);
        detailed.skip(1000);
        assert_eq!(detailed.due(1010), (0, 1010));
        assert_eq!((detail.counted(), requests(&detail.total())), (1, 1));
    }

    #[test]
    fn t110_different_errors_and_names_are_bounded_and_no_request_is_lost() {
        let memory = Memory::unlimited();
        let live = Live::feeding(Arc::new(Cumulative::new(&memory)));
        let detail = live.look_at_detail();
        let mut workers = [Recorder::new(live.allowance()), Recorder::new(live.allowance())];
        for (number, worker) in workers.iter_mut().enumerate() {
            for error in 0..MOST_ERRORS as u64 {
                let text = format!("{number} {error}");
                record(worker, &format!("n{}", error % 400), 500, error + 1, Some(&text));
            }
            worker.merge_into(&live);
        }
        let all = errors(detail);
        let sum: u64 = all.iter().map(|(.., count)| count).sum();
        assert_eq!(sum, 2 * MOST_ERRORS as u64);
        assert!(all.len() <= MOST_ERRORS + 400, "{}", all.len());
        assert_eq!(all[0].1, OTHER_ERRORS);
        assert_eq!(lock(&detail.curves).len(), MOST_CURVES);
        assert_eq!(requests(&detail.total()), 2 * MOST_ERRORS as u64);
        live.conclude();
        assert_eq!(lock(&detail.errors).len(), MOST_KEPT_ERRORS);
        assert!(lock(&detail.curves).is_empty());
    }

    #[test]
    fn t110_names_have_no_curves_where_there_is_no_memory_for_them_and_the_run_goes_on() {
        let memory = Memory::new(2 << 20);
        let live = Live::feeding(Arc::new(Cumulative::new(&memory)));
        let detail = live.look_at_detail();
        let mut worker = Recorder::new(live.allowance());
        record(&mut worker, "a", 200, 1, None);
        worker.merge_into(&live);
        assert!(detail.has_curve("GET", "a"));
        let mut others = memory.share("others");
        others.grow(memory.most() - memory.taken() - (40 << 10)).expect("room");
        for name in 0..10 {
            record(&mut worker, &name.to_string(), 200, 6000, None);
        }
        worker.merge_into(&live);
        let why = detail.refused().expect("no room");
        assert!(why.starts_with("errors and curves for a page: "), "{why}");
        assert!(!detail.has_curve("GET", "a") && live.allowance().exhausted().is_none());
        assert_eq!(requests(&detail.total()), 11);
        drop(others);
        worker.merge_into(&live);
        assert!(!detail.has_curve("GET", "a"), "they do not come back in part");
    }

    #[test]
    fn errors_of_requests_without_rows_are_counted_once() {
        let memory = Memory::with_records(usize::MAX, CHUNK);
        let live = Live::feeding(Arc::new(Cumulative::new(&memory)));
        let detail = live.look_at_detail();
        let mut worker = Recorder::new(live.allowance());
        for end in 1..=CHUNK as u64 + 50 {
            record(&mut worker, "a", 500, end, Some("broken"));
        }
        for _ in 0..3 {
            worker.merge_into(&live);
        }
        assert!(worker.beyond().is_some());
        assert_eq!(errors(detail), [("a".to_owned(), "broken".to_owned(), CHUNK as u64 + 50)]);
        assert_eq!((detail.without_rows(), detail.counted()), (50, CHUNK as u64 + 50));
    }
}
