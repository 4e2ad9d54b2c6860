//! When a command that uses a database has to end: when it is stopped, when its document is cancelled,
//! when it takes too long. SQLite asks between its steps and while it waits for a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use super::error::DatabaseError;

/// The longest use of a database that reads. A comparison of two runs of ten million requests takes a
/// quarter of it.
const READING: Duration = Duration::from_secs(60);

/// The longest that a reader takes whose document was cancelled before: its results are still
/// wanted, but a server that is shutting down waits for them.
const LAST: Duration = Duration::from_secs(5);

/// A writer is not stopped before: what it writes would be lost.
const WRITING: Duration = Duration::from_secs(60);

/// How long a writer waits for another one: a run of a million requests takes less to write.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest pause between two looks at a lock.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Steps of SQLite's machine between two questions; a million take some ten milliseconds.
const STEPS: i32 = 1000;

/// Questions, each after [`STEPS`], until the tables of the file must be known. Ours take one, a
/// thousand tables a dozen.
const OPENING: u64 = 50;

/// When to end.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Cancelled when it has to end.
    stops: Vec<CancellationToken>,
    /// No stop counts before.
    from: Instant,
    /// The last moment, and the time that there was.
    last: Option<(Instant, Duration)>,
    opening: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
}

impl Guard {
    /// For a command that reads: it ends when it is stopped, when its document is cancelled
    /// meanwhile, and after a minute.
    pub fn reading(document: &CancellationToken, stop: CancellationToken) -> Self {
        let started = Instant::now();
        let (stops, limit) = match document.is_cancelled() {
            true => (vec![stop], LAST),
            false => (vec![stop, document.clone()], READING),
        };
        Self::new(stops, started, Some((started + limit, limit)))
    }

    /// For a command that writes: a document that is cancelled still stores its results. It ends only
    /// when it, or its document meanwhile, is stopped, and has taken a minute.
    pub fn writing(document: &CancellationToken, stop: CancellationToken) -> Self {
        let document = Some(document.clone()).filter(|document| !document.is_cancelled());
        let stops = document.into_iter().chain([stop]).collect();
        Self::new(stops, Instant::now() + WRITING, None)
    }

    pub(super) fn new(
        stops: Vec<CancellationToken>,
        from: Instant,
        last: Option<(Instant, Duration)>,
    ) -> Self {
        let (opening, asked) = (Arc::default(), Arc::default());
        Self { stops, from, last, opening, asked }
    }

    /// Why it has to end now, if it has.
    pub(super) fn ended(&self, path: &str) -> Option<DatabaseError> {
        let (path, now) = (path.to_owned(), Instant::now());
        if now >= self.from && self.stops.iter().any(CancellationToken::is_cancelled) {
            return Some(DatabaseError::Stopped { path });
        }
        let (_, took) = self.last.filter(|(last, _)| now >= *last)?;
        Some(DatabaseError::TooLong { path, took })
    }

    fn has_ended(&self) -> bool {
        self.ended("").is_some()
    }

    /// Makes SQLite ask.
    pub(super) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let guard = self.clone();
        connection.progress_handler(
            STEPS,
            Some(move || {
                let asked = guard.asked.fetch_add(1, Ordering::Relaxed);
                guard.has_ended() || asked > OPENING && guard.opening.load(Ordering::Relaxed)
            }),
        )?;
        let guard = self.clone();
        let mut since = Instant::now();
        connection.busy_handler(Some(move |asked: i32| {
            if asked == 0 {
                since = Instant::now();
            }
            if guard.has_ended() || since.elapsed() >= PATIENCE {
                return false;
            }
            let pause = Duration::from_millis(1 << asked.clamp(0, 8));
            std::thread::sleep(pause.min(LONGEST_PAUSE));
            true
        }))
    }

    /// Sets whether the tables of the file are being looked at, which is short.
    pub(super) fn set_opening(&self, opening: bool) {
        self.asked.store(0, Ordering::Relaxed);
        self.opening.store(opening, Ordering::Relaxed);
    }
}
