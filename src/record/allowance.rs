//! What one run may keep: a bounded number of different names, which its workers share, and memory.
//! A run whose memory does not fit under the ceiling ends early, with everything it has measured;
//! dropping rows instead would make its reports wrong.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, OnceLock};

use super::sample::{Label, OTHER_NAMES};
use crate::lock::lock;
use crate::memory::{Full, Memory, Share};

/// The most different names of a run, and of the figures that exporters read. People read no more in
/// a report, and a scrape of as many takes at most 40 MB of text; a name per id or row of a file is
/// usually a mistake.
pub(super) const MOST_NAMES: usize = 5000;

/// The most bytes of different names and methods: 200 for each name.
pub(super) const MOST_NAME_BYTES: usize = 1 << 20;

/// The most further names that are told apart, to say how many there were.
const MOST_COUNTED: usize = 100_000;

/// What one run may keep.
#[derive(Debug)]
pub struct Allowance {
    memory: Arc<Memory>,
    names: Mutex<Names>,
    exhausted: OnceLock<String>,
}

#[derive(Debug, Default)]
struct Names {
    /// Methods and names.
    known: HashSet<(Arc<str>, Arc<str>)>,
    text: usize,
    /// Hashes of those that did not fit.
    others: HashSet<u64>,
    hasher: RandomState,
    /// Names of tasks that had too many of their own.
    tasks: HashSet<Arc<str>>,
}

impl Default for Allowance {
    /// Without a ceiling for memory.
    fn default() -> Self {
        Self::of(&Memory::unlimited())
    }
}

impl Allowance {
    /// The allowance of a run under this ceiling.
    pub fn of(memory: &Arc<Memory>) -> Self {
        let (names, exhausted) = (Mutex::default(), OnceLock::new());
        Self { memory: Arc::clone(memory), names, exhausted }
    }

    pub(super) fn share(&self, what: &'static str) -> Share {
        self.memory.share(what)
    }

    /// The method and name of a label, in texts that all workers share; `None` for one too many.
    pub(super) fn admit(&self, label: &Label) -> Option<(Arc<str>, Arc<str>)> {
        let mut names = lock(&self.names);
        let key = (Arc::clone(&label.method), Arc::clone(&label.name));
        if let Some((method, name)) = names.known.get(&key) {
            return Some((Arc::clone(method), Arc::clone(name)));
        }
        let text = key.0.len() + key.1.len();
        if names.known.len() < MOST_NAMES && names.text + text <= MOST_NAME_BYTES {
            names.text += text;
            names.known.insert(key.clone());
            return Some(key);
        }
        if names.others.len() < MOST_COUNTED {
            let hash = names.hasher.hash_one(&key);
            names.others.insert(hash);
        }
        None
    }

    /// Notes that further names of a task are recorded under the one in the document.
    pub(super) fn merged(&self, written: Arc<str>) {
        let mut names = lock(&self.names);
        if names.tasks.len() < MOST_NAMES {
            names.tasks.insert(written);
        }
    }

    /// The run must end: its memory does not fit. The first reason is kept.
    pub(super) fn exhaust(&self, full: Full) {
        let _ = self.exhausted.set(format!("the run ended early for lack of memory: {full}"));
    }

    /// The run must end if the process takes more memory than the ceiling, whatever is counted, and
    /// more than `before`, the memory it took when the run began: the system's allocator keeps some
    /// of what was freed.
    pub fn check_resident(&self, resident: Option<usize>, before: Option<usize>) {
        let most = self.memory.most().max(before.unwrap_or_default());
        if let Some(resident) = resident.filter(|resident| *resident > most) {
            self.exhaust(Full {
                what: "memory of the process",
                wanted: resident - most,
                taken: most,
                most: self.memory.most(),
            });
        }
    }

    /// Why the run must end early, if it must.
    pub fn exhausted(&self) -> Option<&str> {
        self.exhausted.get().map(String::as_str)
    }

    /// What the user should know about the names.
    pub fn warnings(&self) -> Vec<String> {
        let names = lock(&self.names);
        let mut warnings = Vec::new();
        let others = names.others.len();
        if others > 0 {
            let more = if others < MOST_COUNTED { "" } else { "more than " };
            warnings.push(format!(
                "{more}{others} names beyond the first {} are recorded as {OTHER_NAMES:?}; give \
                 requests that differ in an id one name",
                names.known.len()
            ));
        }
        let mut tasks: Vec<&str> = names.tasks.iter().map(|name| &**name).collect();
        tasks.sort_unstable();
        if let Some(first) = tasks.first() {
            let further = match tasks.len() {
                1 => String::new(),
                tasks => format!(" and {} other tasks", tasks - 1),
            };
            warnings.push(format!(
                "{first:?}{further} had more than 1000 different URLs and names in a worker; the \
                 rest are recorded under the name in the document"
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str) -> Label {
        Label { method: "GET".into(), url: "u".into(), name: name.into() }
    }

    #[test]
    fn t32_a_run_says_how_many_names_were_too_many() {
        let allowance = Allowance::default();
        for number in 0..MOST_NAMES + 7 {
            let admitted = allowance.admit(&label(&number.to_string())).is_some();
            assert_eq!(admitted, number < MOST_NAMES);
        }
        assert!(allowance.admit(&label("0")).is_some(), "a known name stays");
        assert!(allowance.admit(&label("5001")).is_none());
        let [warning] = &allowance.warnings()[..] else { panic!("one warning") };
        assert!(warning.starts_with("7 names beyond the first 5000 are recorded as "), "{warning}");
    }

    #[test]
    fn t34_a_process_above_the_ceiling_ends_the_run_unless_it_was_above_before() {
        let end = |resident: usize, before: usize| {
            let allowance = Allowance::of(&Memory::new(100 << 20));
            allowance.check_resident(Some(resident << 20), Some(before << 20));
            allowance.exhausted().map(str::to_owned)
        };
        assert_eq!(end(100, 10), None);
        assert_eq!(end(140, 150), None);
        let want = "the run ended early for lack of memory: memory of the process: 20 MiB more do \
                    not fit, 100 MiB of 100 MiB are in use (--max-memory)";
        assert_eq!(end(120, 10).as_deref(), Some(want));
    }
}
