//! Runs in an SQLite file, in exactly the reference's two tables, so that either program opens the
//! other's files. A run is one transaction: a reader finds all of it or nothing. A file that is
//! damaged, locked, of a newer format or from another program is refused before anything is
//! written.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, TransactionBehavior, params};

use super::diff::{Run, RunMetrics};
use super::{Records, Row};
use crate::value::{Map, Value};

/// How long a writer waits for another one: a run of a million requests takes less to write.
const PATIENCE: Duration = Duration::from_secs(5);

/// Page cache in KiB: enough for the inner pages of both indexes of a few million records, and a
/// bound on what a transaction keeps in memory before it spills to the file.
const CACHE_KIB: i64 = 32 * 1024;

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

/// The columns of each table that are read and written.
const TABLES: [(&str, &[&str]); 2] = [
    ("load_density_runs", &RUN_COLUMNS),
    (
        "load_density_records",
        &[
            "run_id",
            "outcome",
            "method",
            "test_url",
            "name",
            "status_code",
            "response_time_ms",
            "response_length",
            "error",
        ],
    ),
];

const RUN_COLUMNS: [&str; 4] = ["id", "started_at", "label", "metadata_json"];

const RECORD_COLUMNS: [&str; 8] = [
    "outcome",
    "method",
    "test_url",
    "name",
    "status_code",
    "response_time_ms",
    "response_length",
    "error",
];

/// The most records that [`Database::records`] returns: they become one value in memory.
pub const MAX_FETCH: usize = 100_000;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite's own words, because the reference replies with them: a directory that does not
    /// exist, or a missing permission.
    #[error("unable to open database file")]
    CannotOpen,
    /// Another process is writing to it.
    #[error("{path}: database is locked by another process; try again when it is done")]
    Locked {
        /// The file, as the caller named it.
        path: String,
    },
    /// It is not an SQLite file, or is damaged.
    #[error("{path}: {detail}; restore it from a copy or name another file")]
    Damaged {
        /// The file, as the caller named it.
        path: String,
        /// What SQLite says.
        detail: String,
    },
    /// It is an SQLite file of another program.
    #[error("{path}: {detail}; name another file")]
    Foreign {
        /// The file, as the caller named it.
        path: String,
        /// What does not match.
        detail: String,
    },
    /// A newer program has written it in a format version that is unknown here.
    #[error("{path}: has format {version}, this ldctl supports format 0; use a newer ldctl")]
    Newer {
        /// The file, as the caller named it.
        path: String,
        /// Its `user_version`.
        version: i64,
    },
    /// The disk is full or faulty.
    #[error("{path}: {detail}; free space on the disk, or check the system's log for disk errors")]
    Disk {
        /// The file, as the caller named it.
        path: String,
        /// SQLite's message: a full disk causes different ones, depending on what was written.
        detail: String,
    },
    /// A run has more records than one value may hold.
    #[error(
        "{path}: run {run} has more than {MAX_FETCH} records; read the table load_density_records \
         with sqlite3 instead"
    )]
    TooMany {
        /// The file, as the caller named it.
        path: String,
        /// The run's number.
        run: i64,
    },
    /// Any other error of SQLite, such as a read-only file.
    #[error("{path}: {detail}")]
    Other {
        /// The file, as the caller named it.
        path: String,
        /// SQLite's message.
        detail: String,
    },
}

impl DatabaseError {
    fn new(path: &str, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let detail = match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen) => Self::CannotOpen,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, detail }
            }
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Self::Disk { path, detail },
            _ => Self::Other { path, detail },
        }
    }
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// Its name in errors, as given by the caller.
    path: String,
}

impl Database {
    /// Opens a file for writing, or creates it. `shown` is its name in errors; `file` must be free
    /// of symbolic links.
    pub fn create(file: &Path, shown: &str) -> Result<Self, DatabaseError> {
        let writing = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        Self::open_with(file, shown, writing)
    }

    /// Opens a file for reading; `None` if it does not exist, which is a database without runs as
    /// long as its directory exists.
    pub fn open(file: &Path, shown: &str) -> Result<Option<Self>, DatabaseError> {
        if !file.exists() && file.parent().is_some_and(Path::is_dir) {
            return Ok(None);
        }
        // Not read-only: a file in WAL mode needs its shared-memory index, even for readers.
        Self::open_with(file, shown, OpenFlags::SQLITE_OPEN_READ_WRITE).map(Some)
    }

    fn open_with(file: &Path, shown: &str, flags: OpenFlags) -> Result<Self, DatabaseError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(file, flags)
            .map_err(|error| DatabaseError::new(shown, &error))?;
        let database = Self { connection, path: shown.to_owned() };
        database.check()?;
        Ok(database)
    }

    /// Checks the file before anything is written.
    fn check(&self) -> Result<(), DatabaseError> {
        let failed = |error| DatabaseError::new(&self.path, &error);
        self.connection.busy_timeout(PATIENCE).map_err(failed)?;
        let number = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get(0));
        let version: i64 = number("user_version").map_err(failed)?;
        let application: i64 = number("application_id").map_err(failed)?;
        if application != 0 {
            let detail = format!("belongs to another program (application_id {application})");
            return Err(DatabaseError::Foreign { path: self.path.clone(), detail });
        }
        if version != 0 {
            return Err(DatabaseError::Newer { path: self.path.clone(), version });
        }
        for (table, columns) in TABLES {
            let found = self.columns_of(table).map_err(failed)?;
            let missing = columns.iter().find(|column| !found.iter().any(|name| name == *column));
            if let Some(column) = missing.filter(|_| !found.is_empty()) {
                let detail = format!("its table {table} has no column {column}");
                return Err(DatabaseError::Foreign { path: self.path.clone(), detail });
            }
        }
        Ok(())
    }

    /// The names of a table's columns; empty if the table does not exist.
    fn columns_of(&self, table: &str) -> rusqlite::Result<Vec<String>> {
        let mut query = self.connection.prepare("SELECT name FROM pragma_table_info(?)")?;
        query.query_map([table], |row| row.get(0))?.collect()
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
        let path = self.path.clone();
        self.insert(records, started_at, label, metadata_json)
            .map_err(|error| DatabaseError::new(&path, &error))
    }

    fn insert(
        &mut self,
        records: &Records,
        started_at: &str,
        label: Option<&str>,
        metadata_json: &str,
    ) -> rusqlite::Result<i64> {
        // A file whose journal mode another process keeps in use stays in that mode: the result is
        // the same.
        self.connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
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

    /// The runs, newest first: `id`, `started_at`, `label`, `metadata_json`. A negative limit means
    /// no limit.
    pub fn runs(&self, limit: i64) -> Result<Vec<Value>, DatabaseError> {
        self.rows(
            "SELECT id, started_at, label, metadata_json FROM load_density_runs \
             ORDER BY id DESC LIMIT ?",
            &RUN_COLUMNS,
            [limit],
            usize::MAX,
        )
    }

    /// The records of a run, at most [`MAX_FETCH`]; empty if it does not exist.
    pub fn records(&self, run: i64) -> Result<Vec<Value>, DatabaseError> {
        let rows = self.rows(
            "SELECT outcome, method, test_url, name, status_code, response_time_ms, \
             response_length, error FROM load_density_records WHERE run_id = ? ORDER BY id",
            &RECORD_COLUMNS,
            [run],
            MAX_FETCH + 1,
        )?;
        if rows.len() > MAX_FETCH {
            return Err(DatabaseError::TooMany { path: self.path.clone(), run });
        }
        Ok(rows)
    }

    fn rows(
        &self,
        query: &str,
        names: &[&str],
        argument: [i64; 1],
        limit: usize,
    ) -> Result<Vec<Value>, DatabaseError> {
        let read = || -> rusqlite::Result<Vec<Value>> {
            if self.columns_of("load_density_runs")?.is_empty()
                || self.columns_of("load_density_records")?.is_empty()
            {
                return Ok(Vec::new());
            }
            let mut query = self.connection.prepare(query)?;
            let rows = query.query_map(argument, |row| {
                let members = names
                    .iter()
                    .enumerate()
                    .map(|(place, name)| Ok(((*name).to_owned(), value(row.get_ref(place)?))));
                Ok(Value::Dict(members.collect::<rusqlite::Result<Map>>()?))
            })?;
            rows.take(limit).collect()
        };
        read().map_err(|error| DatabaseError::new(&self.path, &error))
    }

    /// A run's figures by name, for [`super::diff::compare`].
    pub fn figures(&self, run: i64) -> Result<Run, DatabaseError> {
        let read = || -> rusqlite::Result<Run> {
            if self.columns_of("load_density_records")?.is_empty() {
                return Ok(Run::new());
            }
            let mut query = self.connection.prepare(
                "SELECT name, test_url, outcome, response_time_ms FROM load_density_records \
                 WHERE run_id = ?",
            )?;
            let mut rows = query.query([run])?;
            let mut names: BTreeMap<String, (u64, u64, Vec<f64>)> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let text = |place| row.get_ref(place).map(|cell| value(cell).to_text());
                let mut name = match row.get_ref(0)? {
                    ValueRef::Null => String::new(),
                    _ => text(0)?,
                };
                if name.is_empty() {
                    name = match row.get_ref(1)? {
                        ValueRef::Null => "unknown".to_owned(),
                        _ => text(1)?,
                    };
                }
                let (requests, failures, latencies) = names.entry(name).or_default();
                *requests += 1;
                *failures += u64::from(text(2)?.eq_ignore_ascii_case("failure"));
                latencies.extend(value(row.get_ref(3)?).as_f64());
            }
            let figures = names.into_iter().map(|(name, (requests, failures, mut latencies))| {
                (name, RunMetrics::of(requests, failures, &mut latencies))
            });
            Ok(figures.collect())
        };
        read().map_err(|error| DatabaseError::new(&self.path, &error))
    }
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

/// A cell as a value; in SQLite any cell can hold any type.
fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned().into()
        }
    }
}

#[cfg(test)]
mod tests;
