//! The events of a run, from which watchers are served, however late they come. Progress is thinned
//! to [`MOST_PROGRESS`] events, evenly over the run, so that a run of a week costs no more than one of
//! ten minutes. Results are kept up to [`MOST_BYTES`]; what is left out is counted.

use std::sync::Arc;

use crate::event::{ErrorKind, Event};
use crate::memory::{Memory, Share};
use crate::value::Value;

/// The most events of progress that are kept.
const MOST_PROGRESS: u64 = 600;

/// The most memory that events other than progress take, in bytes, estimated.
const MOST_BYTES: usize = 2 << 20;

/// The estimated memory of an event without its texts and values, in bytes.
const EVENT_BYTES: usize = 300;

/// The events of a run. Each has a number, from 1; numbers of events that were thinned out are
/// missing.
#[derive(Debug)]
pub struct Journal {
    entries: Vec<Entry>,
    /// How many events there were.
    count: u64,
    /// How many of them were progress.
    progress: u64,
    /// Progress whose ordinal is a multiple of this is kept, and the newest.
    stride: u64,
    bytes: usize,
    left_out: u64,
    complete: bool,
    share: Share,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Of progress: how many there were before it.
    ordinal: Option<u64>,
    event: Arc<Event>,
}

impl Default for Journal {
    /// Without a ceiling for its memory.
    fn default() -> Self {
        Self::new(&Memory::unlimited())
    }
}

impl Journal {
    /// An empty journal that takes its memory here.
    pub(super) fn new(memory: &Arc<Memory>) -> Self {
        Self {
            entries: Vec::new(),
            count: 0,
            progress: 0,
            stride: 1,
            bytes: 0,
            left_out: 0,
            complete: false,
            share: memory.share("events of a run"),
        }
    }

    /// Adds an event and returns its number. `Done` is the last.
    pub(super) fn push(&mut self, event: &Event) -> u64 {
        let is_progress = matches!(event, Event::Progress(_) | Event::Queued(_));
        if is_progress {
            self.make_room(self.progress);
            self.add(event.clone(), Some(self.progress));
            self.progress += 1;
            // These are bounded: where they do not fit, they are kept and not counted.
            let progress = self.entries.iter().filter(|entry| entry.ordinal.is_some()).count();
            let _ = self.share.set(self.bytes + progress * EVENT_BYTES);
            return self.count;
        }
        if matches!(event, Event::Done { .. }) {
            if self.left_out > 0 {
                let message = format!(
                    "{} events of this run are not kept, because they exceed {MOST_BYTES} bytes or \
                     --max-memory",
                    self.left_out
                );
                self.add(Event::Error { kind: ErrorKind::Limit, message }, None);
            }
            self.add(event.clone(), None);
            self.complete = true;
            return self.count;
        }
        let bytes = event_bytes(event);
        if self.bytes + bytes > MOST_BYTES || self.share.grow(bytes).is_err() {
            self.left_out += 1;
            return self.count;
        }
        self.bytes += bytes;
        self.add(event.clone(), None);
        self.count
    }

    fn add(&mut self, event: Event, ordinal: Option<u64>) {
        self.count += 1;
        self.entries.push(Entry { number: self.count, ordinal, event: Arc::new(event) });
    }

    /// Makes room for the progress with this ordinal.
    fn make_room(&mut self, ordinal: u64) {
        // What was kept only as the newest.
        let newest = self.entries.iter().rposition(|entry| entry.ordinal.is_some());
        if let Some(at) = newest
            && self
                .entries
                .get(at)
                .and_then(|entry| entry.ordinal)
                .is_some_and(|ordinal| ordinal % self.stride != 0)
        {
            self.entries.remove(at);
        }
        if ordinal / self.stride >= MOST_PROGRESS {
            self.stride *= 2;
            let stride = self.stride;
            self.entries.retain(|entry| entry.ordinal.is_none_or(|ordinal| ordinal % stride == 0));
        }
    }

    /// The events after this number. A reader that has begun (`after` above 0) and is behind gets
    /// the newest progress only.
    pub(super) fn after(&self, after: u64) -> Vec<(u64, Arc<Event>)> {
        let start = self.entries.partition_point(|entry| entry.number <= after);
        let new = self.entries.get(start..).unwrap_or_default();
        let newest = new.iter().rev().find(|entry| entry.ordinal.is_some());
        let newest = newest.map(|entry| entry.number).filter(|_| after > 0);
        let wanted = |entry: &&Entry| {
            newest.is_none_or(|newest| entry.ordinal.is_none() || entry.number == newest)
        };
        let new = new.iter().filter(wanted);
        new.map(|entry| (entry.number, Arc::clone(&entry.event))).collect()
    }

    /// The number of the newest event; 0 before the first.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether no event follows.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }
}

/// The estimated memory of an event, in bytes.
pub fn event_bytes(event: &Event) -> usize {
    EVENT_BYTES + weight(event)
}

/// The same of its texts and values.
fn weight(event: &Event) -> usize {
    match event {
        Event::Result(result) => {
            result.value.as_ref().map_or(0, Value::weight)
                + result.text.as_ref().map_or(0, String::len)
                + result.warnings.iter().map(String::len).sum::<usize>()
                + result.error.as_ref().map_or(0, |failure| failure.message.len())
        }
        Event::Error { message, .. } => message.len(),
        Event::Detail { text, .. } => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ActionResult, Progress};

    fn progress(elapsed_s: f64) -> Event {
        Event::Progress(Progress { elapsed_s, ..Progress::default() })
    }

    fn result(index: usize) -> Event {
        Event::Result(ActionResult::new(index, "a", Ok(Value::Null)))
    }

    fn seconds(events: &[(u64, Arc<Event>)]) -> Vec<f64> {
        let second = |event: &Event| match event {
            Event::Progress(progress) => Some(progress.elapsed_s),
            _ => None,
        };
        events.iter().filter_map(|(_, event)| second(event)).collect()
    }

    #[test]
    fn progress_is_thinned_evenly_and_results_are_all_kept() {
        let mut journal = Journal::default();
        for second in 0..10_000 {
            journal.push(&progress(f64::from(second)));
            if second % 1000 == 0 {
                journal.push(&result(second as usize));
            }
        }
        let all = journal.after(0);
        let kept = seconds(&all);
        let most = MOST_PROGRESS as usize;
        assert!((most / 2..=most).contains(&kept.len()), "{}", kept.len());
        assert_eq!(all.len() - kept.len(), 10);
        assert_eq!((kept[0], kept.last().copied()), (0.0, Some(9999.0)));
        let gaps: Vec<_> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[..gaps.len() - 1].iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "out of order");
    }

    #[test]
    fn a_reader_that_is_behind_gets_the_newest_progress_and_every_result() {
        let mut journal = Journal::default();
        let first = journal.push(&progress(1.0));
        for second in 2..9 {
            journal.push(&progress(f64::from(second)));
            journal.push(&result(second as usize));
        }
        let new = journal.after(first);
        assert_eq!(seconds(&new), [8.0]);
        assert_eq!(new.len(), 8);
        assert_eq!(seconds(&journal.after(0)).len(), 8, "a new reader gets the whole course");
        assert!(!journal.is_complete());
        let last = journal.push(&Event::DONE);
        assert!(journal.is_complete());
        assert!(journal.after(last).is_empty());
    }

    #[test]
    fn t36_events_that_do_not_fit_under_the_ceiling_are_left_out_and_counted() {
        let memory = Memory::new(10_000);
        let mut journal = Journal::new(&memory);
        for index in 0..100 {
            journal.push(&result(index));
        }
        journal.push(&Event::DONE);
        assert!((9000..=10_000).contains(&memory.taken()), "{}", memory.taken());
        let events = journal.after(0);
        let Event::Error { message, .. } = &*events[events.len() - 2].1 else {
            panic!("{:?}", events.last())
        };
        assert!(message.contains(" events of this run are not kept"), "{message}");
        drop(journal);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn events_over_the_limit_are_left_out_and_counted() {
        let mut journal = Journal::default();
        let large = ActionResult::new(0, "a", Ok("x".repeat(MOST_BYTES / 3).into()));
        for _ in 0..5 {
            journal.push(&Event::Result(large.clone()));
        }
        journal.push(&result(5));
        journal.push(&Event::DONE);
        let events = journal.after(0);
        assert_eq!(events.len(), 5, "two large, one small, the notice, the end");
        let Event::Error { message, .. } = &*events[3].1 else { panic!("{:?}", events[3]) };
        assert!(message.starts_with("3 events of this run are not kept"), "{message}");
        assert!(matches!(&*events[4].1, Event::Done { .. }));
    }
}
