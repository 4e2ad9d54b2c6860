//! What one run may keep: a bounded number of different names, which its workers share, and memory.
//! When its rows do not fit it goes on with histograms alone. When even these do not, it ends early,
//! with everything it has measured.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, OnceLock};

use super::sample::{Label, OTHER_NAMES};
use crate::lock::lock;
use crate::memory::{Full, Memory, Share, readable};

/// The most different names of a run, and of the figures that exporters read. People read no more in
/// a report, and a scrape of as many takes at most 40 MB of text; a name per id or row of a file is
/// usually a mistake.
pub(super) const MOST_NAMES: usize = 5000;

/// The most bytes of different names and methods: 200 for each name.
pub(super) const MOST_NAME_BYTES: usize = 1 << 20;

/// What the system's allocator may keep of freed memory beside a small ceiling, in bytes.
const KEPT_BY_ALLOCATOR: usize = 128 << 20;

/// What users, connections and threads of an ordinary run take without being counted, in bytes.
const NOT_COUNTED: usize = 64 << 20;

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

    /// An empty share of the rows of requests that are kept in all.
    pub(super) fn rows(&self) -> Option<Share> {
        self.memory.rows()
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

    /// What the process may become while the run lasts, whatever is counted, if it takes `resident`
    /// bytes when the run begins: what is free then, and something for what is not counted. The
    /// system's allocator keeps some of what was freed, so a process may begin above the ceiling.
    pub fn most_resident(&self, resident: usize) -> usize {
        let most = self.memory.most();
        let free = most.saturating_sub(self.memory.taken());
        let above = most.saturating_add((most / 2).max(KEPT_BY_ALLOCATOR));
        resident.saturating_add(free).saturating_add(NOT_COUNTED).min(above.max(resident))
    }

    /// The run must end if the process takes more than it may.
    pub fn check_resident(&self, resident: Option<usize>, most: usize) {
        if let Some(resident) = resident.filter(|resident| *resident > most) {
            let _ = self.exhausted.set(format!(
                "the run ended early for lack of memory: the process takes {}, of which {} are \
                 counted; --max-memory {} allows it {}",
                readable(resident),
                readable(self.memory.taken()),
                readable(self.memory.most()),
                readable(most)
            ));
        }
    }

    /// The run has ended: forgets the names.
    pub(super) fn conclude(&self) {
        *lock(&self.names) = Names::default();
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
    fn t34_a_process_that_grows_by_more_than_what_is_free_ends_the_run() {
        const MIB: usize = 1 << 20;
        let memory = Memory::new(1000 * MIB);
        let mut counted = memory.share("records");
        counted.grow(100 * MIB).expect("room");
        let allowance = Allowance::of(&memory);
        for (before, most) in [(10, 974), (300, 1264), (1450, 1500), (2000, 2000)] {
            assert_eq!(allowance.most_resident(before * MIB), most * MIB, "{before}");
        }
        allowance.check_resident(None, 0);
        allowance.check_resident(Some(910 * MIB), 910 * MIB);
        assert_eq!(allowance.exhausted(), None);
        allowance.check_resident(Some(911 * MIB), 910 * MIB);
        let want = "the run ended early for lack of memory: the process takes 911 MiB, of which 100 \
                    MiB are counted; --max-memory 1000 MiB allows it 910 MiB";
        assert_eq!(allowance.exhausted(), Some(want));
    }
}
