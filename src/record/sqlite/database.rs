//! An open database: writing a run, and reading runs, records and figures piecewise. Whatever is
//! read takes its share of the memory of the process before it grows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Statement, TransactionBehavior,
    params,
};

use super::super::diff::{Run, RunMetrics};
use super::super::{Records, Row};
use super::error::{DatabaseError, MAX_BYTES, MAX_FETCH, MAX_NAMES};
use super::foreign::{self, RECORD_COLUMNS, RUN_COLUMNS, TABLES};
use super::guard::Guard;
use crate::memory::{Full, Memory, Share};
use crate::value::{Cell, Rows, Value};

/// Page cache of a writer in KiB: enough for the inner pages of both indexes of a few million
/// records, and a bound on what a transaction keeps in memory before it spills to the file.
const CACHE_KIB: usize = 32 * 1024;

/// Its least cache, where memory is short.
const LEAST_CACHE_KIB: usize = 1024;

/// The least heap of SQLite, in bytes.
const LEAST_HEAP: usize = 64 << 20;

/// Bytes that figures may grow by before they are taken from the share.
const STEP: usize = 64 * 1024;

/// What a name takes in a comparison, in bytes: its figures in both runs as a value.
pub(super) const NAME_BYTES: usize = 2048;

/// The tables and indexes.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS load_density_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at TEXT NOT NULL,
    label TEXT,
    metadata_json TEXT
);
CREATE TABLE IF NOT EXISTS load_density_records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    method TEXT,
    test_url TEXT,
    name TEXT,
    status_code TEXT,
    response_time_ms REAL,
    response_length INTEGER,
    error TEXT,
    FOREIGN KEY (run_id) REFERENCES load_density_runs(id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_records_run_id ON load_density_records(run_id);
CREATE INDEX IF NOT EXISTS idx_records_name ON load_density_records(name);
";

/// An open database.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
    /// Its name in errors, as given by the caller.
    path: String,
    guard: Guard,
    memory: Arc<Memory>,
}

impl Database {
    /// Opens a file that exists. `shown` is its name in errors; `file` must be free of symbolic links.
    pub(super) fn open(
        file: &Path,
        shown: &str,
        guard: Guard,
        memory: &Arc<Memory>,
    ) -> Result<Self, DatabaseError> {
        // Never read-only: a file in WAL mode needs its shared-memory index, even for readers.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(file, flags)
            .map_err(|error| DatabaseError::new(shown, &error))?;
        let (path, memory) = (shown.to_owned(), Arc::clone(memory));
        let mut database = Self { connection, path, guard, memory };
        database.check()?;
        Ok(database)
    }

    /// Checks the file before anything is written.
    fn check(&mut self) -> Result<(), DatabaseError> {
        let watched = self.guard.watch(&mut self.connection);
        watched.map_err(|error| self.failed(&error))?;
        self.guard.set_opening(true);
        let heap = (self.memory.most() / 2).max(LEAST_HEAP);
        foreign::distrust(&self.connection, heap).map_err(|error| self.failed(&error))?;
        foreign::check(&self.connection, &self.path).map_err(|error| self.explained(error))?;
        self.guard.set_opening(false);
        Ok(())
    }

    pub(super) fn failed(&self, error: &rusqlite::Error) -> DatabaseError {
        self.explained(DatabaseError::new(&self.path, error))
    }

    /// Why SQLite was interrupted, or stopped waiting for a lock.
    fn explained(&self, error: DatabaseError) -> DatabaseError {
        let ended = || self.guard.ended(&self.path);
        match error {
            DatabaseError::Locked { .. } => ended().unwrap_or(error),
            DatabaseError::Interrupted => ended().unwrap_or_else(|| DatabaseError::Foreign {
                path: self.path.clone(),
                detail: "it has too many tables".to_owned(),
            }),
            other => other,
        }
    }

    /// Writes all records as one run and returns its number. On return either all of it is in the
    /// file, synced, or nothing.
    pub fn persist(
        &mut self,
        records: &Records,
        started_at: &str,
        label: Option<&str>,
        metadata_json: &str,
    ) -> Result<i64, DatabaseError> {
        let most = (self.memory.most() / 8 / 1024).clamp(LEAST_CACHE_KIB, CACHE_KIB);
        let mut share = self.memory.share("the cache of a database");
        let cache = if share.grow(most * 1024).is_ok() { most } else { LEAST_CACHE_KIB };
        self.insert(records, started_at, label, metadata_json, cache)
            .map_err(|error| self.failed(&error))
    }

    fn insert(
        &mut self,
        records: &Records,
        started_at: &str,
        label: Option<&str>,
        metadata_json: &str,
        cache_kib: usize,
    ) -> rusqlite::Result<i64> {
        // A file that another process uses stays in its journal mode: the result is the same. SQLite does
        // not wait for its turn to change it, even where another is just doing that.
        match self.connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error) if is_busy(&error) => {}
            set => set?,
        }
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "cache_size", format!("-{cache_kib}"))?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute(
            "INSERT INTO load_density_runs (started_at, label, metadata_json) VALUES (?, ?, ?)",
            params![started_at, label, metadata_json],
        )?;
        let run = transaction.last_insert_rowid();
        {
            let mut insert = transaction.prepare(
                "INSERT INTO load_density_records (run_id, outcome, method, test_url, name, \
                 status_code, response_time_ms, response_length, error) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            let (successes, failures) =
                (records.rows().filter(|row| !row.failed()), records.rows().filter(Row::failed));
            successes.chain(failures).try_for_each(|row| insert_row(&mut insert, run, &row))?;
        }
        transaction.commit()?;
        Ok(run)
    }

    /// The runs, newest first: `id`, `started_at`, `label`, `metadata_json`; and whether there are more
    /// than one value may hold. A negative limit means no limit.
    pub fn runs(&self, limit: i64) -> Result<(Rows, bool), DatabaseError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(MAX_FETCH + 1);
        let (rows, left) = self.rows(
            "SELECT id, started_at, label, metadata_json FROM load_density_runs \
             ORDER BY id DESC LIMIT ?",
            &RUN_COLUMNS,
            [i64::try_from(limit).unwrap_or(i64::MAX)],
            "runs",
        )?;
        Ok((rows, left))
    }

    /// The records of a run, at most [`MAX_FETCH`]; empty if it does not exist.
    pub fn records(&self, run: i64) -> Result<Rows, DatabaseError> {
        let (rows, left) = self.rows(
            "SELECT outcome, method, test_url, name, status_code, response_time_ms, \
             response_length, error FROM load_density_records WHERE run_id = ? ORDER BY id",
            &RECORD_COLUMNS,
            [run],
            "records of a run",
        )?;
        match left {
            true => Err(DatabaseError::TooMany { path: self.path.clone(), run }),
            false => Ok(rows),
        }
    }

    /// At most [`MAX_FETCH`] rows, and whether there are more.
    pub(super) fn rows(
        &self,
        query: &str,
        names: &'static [&'static str],
        arguments: impl Params,
        what: &'static str,
    ) -> Result<(Rows, bool), DatabaseError> {
        let mut rows = Rows::new(names, self.memory.share(what));
        if !self.has_tables()? {
            return Ok((rows, false));
        }
        let failed = |error| self.failed(&error);
        let mut query = self.prepared(query)?;
        let mut found = query.query(arguments).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            if rows.len() == MAX_FETCH {
                return Ok((rows, true));
            }
            for place in 0..names.len() {
                let text;
                let cell = match row.get_ref(place).map_err(failed)? {
                    ValueRef::Null => Cell::Null,
                    ValueRef::Integer(number) => Cell::Int(number),
                    ValueRef::Real(number) => Cell::Float(number),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        text = String::from_utf8_lossy(bytes);
                        Cell::Text(&text)
                    }
                };
                rows.push(cell).map_err(|full| self.full(full))?;
            }
            if rows.text_bytes() > MAX_BYTES {
                return Err(self.too_large(what));
            }
        }
        Ok((rows, false))
    }

    pub(super) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    pub(super) fn too_large(&self, what: &'static str) -> DatabaseError {
        DatabaseError::TooLarge { path: self.path.clone(), what }
    }

    pub(super) fn too_many_names(&self, run: i64) -> DatabaseError {
        DatabaseError::TooManyNames { path: self.path.clone(), run }
    }

    pub(super) fn full(&self, full: Full) -> DatabaseError {
        DatabaseError::Full { path: self.path.clone(), full }
    }

    /// Whether the file has our tables.
    pub(super) fn has_tables(&self) -> Result<bool, DatabaseError> {
        for (table, _) in TABLES {
            let query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
            let found = self.connection.query_row(query, [table], |_| Ok(())).optional();
            if found.map_err(|error| self.failed(&error))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Prepares a query that returns rows as it finds them: sorting would hold all of them.
    pub(super) fn prepared(&self, query: &str) -> Result<Statement<'_>, DatabaseError> {
        let plan = || -> rusqlite::Result<bool> {
            let mut plan = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?;
            let mut steps = plan.raw_query();
            while let Some(step) = steps.next()? {
                if step.get::<_, String>(3)?.contains("TEMP B-TREE") {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        if plan().map_err(|error| self.failed(&error))? {
            let detail =
                "its tables do not keep their rows in the order of their numbers".to_owned();
            return Err(DatabaseError::Foreign { path: self.path.clone(), detail });
        }
        self.connection.prepare(query).map_err(|error| self.failed(&error))
    }

    /// The newest run, before another if given, that fits: its number.
    pub fn newest(
        &self,
        before: Option<i64>,
        mut fits: impl FnMut(i64, Option<&str>) -> bool,
    ) -> Result<Option<i64>, DatabaseError> {
        if !self.has_tables()? {
            return Ok(None);
        }
        let failed = |error| self.failed(&error);
        let mut query = self
            .prepared("SELECT id, label FROM load_density_runs WHERE id <= ? ORDER BY id DESC")?;
        let last = before.map_or(i64::MAX, |before| before.saturating_sub(1));
        let mut found = query.query([last]).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            let label = match row.get_ref(1).map_err(failed)? {
                ValueRef::Text(label) => std::str::from_utf8(label).ok(),
                _ => None,
            };
            if let ValueRef::Integer(run) = row.get_ref(0).map_err(failed)?
                && fits(run, label)
            {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    /// A run's figures by name, for [`compare`](super::super::diff::compare), with the memory that a
    /// comparison of them takes.
    pub fn figures(&self, run: i64) -> Result<(Run, Share), DatabaseError> {
        let (names, mut share) = self.latencies(run)?;
        let kept = kept_bytes(&names);
        let figures = names.into_iter().map(|(name, (requests, failures, mut latencies))| {
            (name, RunMetrics::of(requests, failures, &mut latencies))
        });
        let figures = figures.collect();
        share.set(kept).map_err(|full| self.full(full))?;
        Ok((figures, share))
    }

    /// [`Self::figures`], and those over all names.
    pub fn figures_with_total(&self, run: i64) -> Result<(Run, RunMetrics, Share), DatabaseError> {
        let (names, mut share) = self.latencies(run)?;
        let kept = kept_bytes(&names);
        let count = names.values().map(|(_, _, latencies)| latencies.len()).sum::<usize>();
        share.grow(count * size_of::<f64>()).map_err(|full| self.full(full))?;
        let mut all = Vec::with_capacity(count);
        let (mut requests_of_all, mut failures_of_all) = (0, 0);
        let mut figures = Run::new();
        for (name, (requests, failures, mut latencies)) in names {
            requests_of_all += requests;
            failures_of_all += failures;
            figures.insert(name, RunMetrics::of(requests, failures, &mut latencies));
            all.append(&mut latencies);
        }
        let total = RunMetrics::of(requests_of_all, failures_of_all, &mut all);
        drop(all);
        share.set(kept).map_err(|full| self.full(full))?;
        Ok((figures, total, share))
    }

    /// A run's latencies by name, with their memory.
    fn latencies(&self, run: i64) -> Result<(Latencies, Share), DatabaseError> {
        let mut share = self.memory.share("the figures of a run");
        if !self.has_tables()? {
            return Ok((Latencies::new(), share));
        }
        let failed = |error| self.failed(&error);
        let mut query = self.prepared(
            "SELECT name, test_url, outcome, response_time_ms FROM load_density_records \
             WHERE run_id = ?",
        )?;
        let mut found = query.query([run]).map_err(failed)?;
        let mut names = Latencies::new();
        // What the share has beyond what is used of it.
        let mut spare = 0_usize;
        let mut take = |bytes: usize, share: &mut Share| -> Result<(), DatabaseError> {
            if spare < bytes {
                let more = bytes.max(STEP);
                share.grow(more).map_err(|full| self.full(full))?;
                spare += more;
            }
            spare -= bytes;
            Ok(())
        };
        while let Some(row) = found.next().map_err(failed)? {
            let text = |place| row.get_ref(place).map(text_of);
            let mut name = match row.get_ref(0).map_err(failed)? {
                ValueRef::Null => Cow::Borrowed(""),
                _ => text(0).map_err(failed)?,
            };
            if name.is_empty() {
                name = match row.get_ref(1).map_err(failed)? {
                    ValueRef::Null => Cow::Borrowed("unknown"),
                    _ => text(1).map_err(failed)?,
                };
            }
            if !names.contains_key(&*name) {
                if names.len() == MAX_NAMES {
                    return Err(self.too_many_names(run));
                }
                take(NAME_BYTES + 2 * name.len(), &mut share)?;
                names.insert(name.clone().into_owned(), Default::default());
            }
            let Some((requests, failures, latencies)) = names.get_mut(&*name) else { continue };
            *requests += 1;
            *failures += u64::from(text(2).map_err(failed)?.eq_ignore_ascii_case("failure"));
            let latency = match row.get_ref(3).map_err(failed)? {
                ValueRef::Integer(number) => Some(number as f64),
                ValueRef::Real(number) => Some(number),
                _ => None,
            };
            if let Some(latency) = latency {
                // A vector that grows doubles.
                take(2 * size_of::<f64>(), &mut share)?;
                latencies.push(latency);
            }
        }
        Ok((names, share))
    }
}

/// Requests, failures and latencies by name.
type Latencies = BTreeMap<String, (u64, u64, Vec<f64>)>;

/// What a comparison of these names takes.
fn kept_bytes(names: &Latencies) -> usize {
    names.keys().map(|name| NAME_BYTES + 2 * name.len()).sum()
}

fn insert_row(insert: &mut Statement<'_>, run: i64, row: &Row<'_>) -> rusqlite::Result<()> {
    let mut status = itoa::Buffer::new();
    insert.execute(params![
        run,
        if row.failed() { "failure" } else { "success" },
        &*row.label.method,
        &*row.label.url,
        &*row.label.name,
        row.status.map(|code| status.format(code)),
        row.response_ms,
        i64::try_from(row.bytes).unwrap_or(i64::MAX),
        row.error,
    ])?;
    Ok(())
}

/// A cell's text; in SQLite any cell can hold any type.
pub(super) fn text_of(cell: ValueRef<'_>) -> Cow<'_, str> {
    match cell {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes),
        ValueRef::Null => Value::Null.to_text().into(),
        ValueRef::Integer(number) => Value::from(number).to_text().into(),
        ValueRef::Real(number) => Value::from(number).to_text().into(),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
