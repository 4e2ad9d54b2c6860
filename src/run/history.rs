//! Runs in an SQLite file, so that they are found again after a restart. A run is written when it is
//! accepted, each result when it is there, and the rest at its end, each in a transaction of its own:
//! a server that is killed loses at most what it measured since the last of them, and the next one
//! finds the run as interrupted. The file belongs to one server at a time. A file that is damaged,
//! locked, of a newer format or from another program is refused and stays as it is.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::event::{Event, RunInfo, State, Status};
use crate::lock::lock;

/// Distinguishes the file from those of other programs: "ldct".
const APPLICATION: i64 = 0x6c64_6374;

/// The version of the tables.
const FORMAT: i64 = 1;

/// Runs that the file keeps; older ones are removed.
const MOST_RUNS: i64 = 100_000;

/// How often older ones are looked for, in runs.
const PRUNING: u64 = 100;

/// The page cache in KiB.
const CACHE_KIB: i64 = 4 * 1024;

const SCHEMA: &str = "
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    info TEXT NOT NULL,
    document TEXT,
    figures TEXT
);
CREATE INDEX runs_by_state ON runs (state, number);
CREATE TABLE events (
    run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
";

/// Why a history cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct HistoryError {
    path: PathBuf,
    why: String,
}

/// The runs in a file.
#[derive(Debug)]
pub struct History {
    connection: Mutex<Connection>,
    path: PathBuf,
    /// Whether a failure to write has been reported since the last success.
    failing: AtomicBool,
}

impl History {
    /// Opens a file, or creates it, and returns the highest number in it. Runs that had not ended
    /// become interrupted.
    pub fn open(path: &Path) -> Result<(Self, u64), HistoryError> {
        let failed =
            |error: rusqlite::Error| HistoryError { path: path.to_owned(), why: reason(&error) };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        check(&connection, path)?;
        set_up(&connection).map_err(failed)?;
        let history = Self {
            connection: Mutex::new(connection),
            path: path.to_owned(),
            failing: AtomicBool::new(false),
        };
        let last = history.recover().map_err(failed)?;
        Ok((history, last))
    }

    /// Its files: the database, and those that SQLite keeps beside it.
    pub fn files(path: &Path) -> [PathBuf; 4] {
        ["", "-wal", "-shm", "-journal"].map(|ending| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            name.into()
        })
    }

    /// Marks what an earlier server left, and returns the highest number.
    fn recover(&self) -> rusqlite::Result<u64> {
        let mut connection = lock(&self.connection);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let open: Vec<(i64, String)> = {
            let mut query = transaction.prepare(
                "SELECT number, info FROM runs WHERE state IN ('queued', 'running', 'stopping')",
            )?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?
        };
        for (number, info) in open {
            let mut info: RunInfo = parsed(&info)?;
            info.message = Some("the server ended while it ran".to_owned());
            transaction.execute(
                "UPDATE runs SET state = ?, info = ? WHERE number = ?",
                params![State::Interrupted.name(), json(&info), number],
            )?;
        }
        let last: Option<i64> =
            transaction.query_row("SELECT max(number) FROM runs", [], |row| row.get(0))?;
        transaction.commit()?;
        Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
    }

    /// Writes a run that was accepted. Its document must hold no secrets.
    pub fn begin(&self, status: &Status, document: Option<&str>) {
        let Some(info) = &status.run else { return };
        self.write(|connection| {
            connection.execute(
                "INSERT INTO runs (number, state, info, document) VALUES (?, ?, ?, ?)",
                params![number(info.run), status.state.name(), json(&**info), document],
            )?;
            if info.run % PRUNING == 0 {
                prune(connection, info.run)?;
            }
            Ok(())
        });
    }

    /// Writes the state and the figures of a run so far.
    pub fn update(&self, status: &Status) {
        let Some(info) = &status.run else { return };
        self.write(|connection| {
            connection.execute(
                "UPDATE runs SET state = ?, info = ? WHERE number = ?",
                params![status.state.name(), json(&**info), number(info.run)],
            )?;
            Ok(())
        });
    }

    /// Writes an event of a run.
    pub fn event(&self, run: u64, position: u64, event: &Event) {
        self.write(|connection| {
            let mut insert = connection
                .prepare("INSERT OR REPLACE INTO events (run, number, event) VALUES (?, ?, ?)")?;
            insert.execute(params![number(run), number(position), json(event)])?;
            Ok(())
        });
    }

    /// Writes the end of a run: its last state, all its events, and the figures of its tests.
    pub fn end<'a>(
        &self,
        status: &Status,
        events: impl IntoIterator<Item = (u64, &'a Event)>,
        figures: &str,
    ) {
        let Some(info) = &status.run else { return };
        let run = number(info.run);
        self.write(|connection| {
            connection.execute("DELETE FROM events WHERE run = ?", [run])?;
            let mut insert =
                connection.prepare("INSERT INTO events (run, number, event) VALUES (?, ?, ?)")?;
            for (position, event) in events {
                insert.execute(params![run, number(position), json(event)])?;
            }
            connection.execute(
                "UPDATE runs SET state = ?, info = ?, figures = ? WHERE number = ?",
                params![status.state.name(), json(&**info), figures, run],
            )?;
            Ok(())
        });
    }

    /// The newest runs, at most `limit`, in this state if one is given.
    pub fn list(&self, limit: usize, state: Option<State>) -> Result<Vec<Status>, HistoryError> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT state, info FROM runs WHERE ?1 IS NULL OR state = ?1 \
                 ORDER BY number DESC LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = query.query_map(params![state.map(State::name), limit], status)?;
            rows.collect()
        })
    }

    /// The run with this number.
    pub fn find(&self, run: u64) -> Result<Option<Status>, HistoryError> {
        self.read(|connection| {
            let mut query = connection.prepare("SELECT state, info FROM runs WHERE number = ?")?;
            query.query_row([number(run)], status).optional()
        })
    }

    /// The events of a run as JSON with their numbers, in their order.
    pub fn events(&self, run: u64) -> Result<Vec<(u64, String)>, HistoryError> {
        self.read(|connection| {
            let mut query = connection
                .prepare("SELECT number, event FROM events WHERE run = ? ORDER BY number")?;
            let event = |row: &rusqlite::Row<'_>| {
                Ok((u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0), row.get(1)?))
            };
            query.query_map([number(run)], event)?.collect()
        })
    }

    /// The document of a run, without its secrets, and the figures of its tests, as JSON.
    pub fn details(&self, run: u64) -> Result<[Option<String>; 2], HistoryError> {
        self.read(|connection| {
            let mut query =
                connection.prepare("SELECT document, figures FROM runs WHERE number = ?")?;
            let found = query.query_row([number(run)], |row| Ok([row.get(0)?, row.get(1)?]));
            Ok(found.optional()?.unwrap_or_default())
        })
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        read(&lock(&self.connection))
            .map_err(|error| HistoryError { path: self.path.clone(), why: reason(&error) })
    }

    /// Writes in one transaction. A run goes on without its history: the log has the reason once.
    fn write(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        let mut connection = lock(&self.connection);
        let written = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                write(&transaction)?;
                transaction.commit()
            });
        match written {
            Ok(()) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::warn!("the history {} can be written again", self.path.display());
                }
            }
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(
                    "the history {} cannot be written, runs are missing in it: {}",
                    self.path.display(),
                    reason(&error)
                );
            }
            Err(_) => {}
        }
    }
}

/// Refuses what is not a history, before anything is written.
fn check(connection: &Connection, path: &Path) -> Result<(), HistoryError> {
    let refused = |why: String| HistoryError { path: path.to_owned(), why };
    let failed = |error: rusqlite::Error| refused(reason(&error));
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed)
    };
    // One server at a time: the second finds the file locked.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    let (application, format) = (number("application_id")?, number("user_version")?);
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    match (application, format) {
        (0, 0) if objects == 0 => return Ok(()),
        (APPLICATION, FORMAT) => {}
        (APPLICATION, newer) => {
            return Err(refused(format!(
                "has format {newer}, this ldctl supports format {FORMAT}; use a newer ldctl or name \
                 another file"
            )));
        }
        _ => return Err(refused("is not a history of ldctl; name another file".to_owned())),
    }
    let sound: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if sound != "ok" {
        return Err(refused(format!("is damaged ({sound}); move it away or restore a copy")));
    }
    Ok(())
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format == 0 {
        let all = format!(
            "BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION}; \
             PRAGMA user_version = {FORMAT}; COMMIT;"
        );
        connection.execute_batch(&all)?;
    }
    Ok(())
}

fn prune(connection: &Connection, newest: u64) -> rusqlite::Result<()> {
    let oldest = number(newest).saturating_sub(MOST_RUNS);
    connection.execute("DELETE FROM runs WHERE number <= ?", [oldest])?;
    Ok(())
}

fn status(row: &rusqlite::Row<'_>) -> rusqlite::Result<Status> {
    let (state, info): (String, String) = (row.get(0)?, row.get(1)?);
    let state = State::of_run(&state).unwrap_or(State::Other);
    Ok(Status { state, run: Some(Box::new(parsed(&info)?)) })
}

fn parsed(info: &str) -> rusqlite::Result<RunInfo> {
    serde_json::from_str(info).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// Plain data always serializes.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Numbers of runs never reach the sign bit.
fn number(run: u64) -> i64 {
    i64::try_from(run).unwrap_or(i64::MAX)
}

/// What is wrong, and what to do.
fn reason(error: &rusqlite::Error) -> String {
    let detail = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "is in use by another server; name another file".to_owned()
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            format!("is damaged or no database ({detail}); move it away or name another file")
        }
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
            format!("{detail}; free space on the disk, or check the system's log for disk errors")
        }
        _ => detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ActionResult;
    use crate::value::Value;

    fn run(number: u64, state: State) -> Status {
        let info = RunInfo { run: number, rps: Some(1.5e-7), ..RunInfo::default() };
        Status { state, run: Some(Box::new(info)) }
    }

    fn states(history: &History) -> Vec<(u64, State)> {
        let all = history.list(9, None).expect("readable");
        all.iter()
            .map(|status| (status.run.as_ref().map_or(0, |info| info.run), status.state))
            .collect()
    }

    #[test]
    fn what_was_running_when_the_server_ended_is_interrupted_and_numbers_go_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history.db");
        let (history, last) = History::open(&path).expect("a new file");
        assert_eq!(last, 0);
        history.begin(&run(1, State::Running), None);
        history.begin(&run(2, State::Queued), Some("[]"));
        history.begin(&run(3, State::Running), None);
        let done = [(1, &Event::DONE)];
        history.end(&run(1, State::Passed), done, "{}");
        drop(history);
        let (history, last) = History::open(&path).expect("the same file");
        assert_eq!(last, 3);
        use State::{Interrupted, Passed};
        assert_eq!(states(&history), [(3, Interrupted), (2, Interrupted), (1, Passed)]);
        let lost = history.find(2).expect("readable").expect("there").run.expect("a run");
        assert_eq!(lost.message.as_deref(), Some("the server ended while it ran"));
        assert_eq!(lost.rps, Some(1.5e-7));
        assert_eq!(history.details(1).expect("readable"), [None, Some("{}".to_owned())]);
        assert_eq!(history.list(9, Some(Passed)).expect("readable").len(), 1);
        assert!(history.find(4).expect("readable").is_none());
    }

    #[test]
    fn results_are_there_before_the_end_of_their_run() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history.db");
        let (history, _) = History::open(&path).expect("a new file");
        history.begin(&run(1, State::Running), None);
        let result = ActionResult::new(0, "abs", Ok(Value::Int(7)));
        history.event(1, 4, &Event::Result(result));
        drop(history);
        let (history, _) = History::open(&path).expect("the same file");
        let events = history.events(1).expect("readable");
        assert_eq!((events.len(), events[0].0), (1, 4));
        assert!(events[0].1.contains(r#""value":7"#), "{events:?}");
    }

    #[test]
    fn t62_a_file_that_is_no_history_is_refused_and_stays_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        std::fs::write(
            file("text"),
            "not a database, but long enough to be read as one".repeat(99),
        )
        .expect("a file");
        let foreign = Connection::open(file("foreign")).expect("a database");
        foreign.execute_batch("CREATE TABLE t (a); PRAGMA application_id = 7").expect("a table");
        let newer = Connection::open(file("newer")).expect("a database");
        let newer_format = format!(
            "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 9; CREATE TABLE t (a)"
        );
        newer.execute_batch(&newer_format).expect("a table");
        drop((foreign, newer));
        for (name, why) in [
            ("text", "is damaged or no database"),
            ("foreign", "is not a history of ldctl"),
            ("newer", "has format 9, this ldctl supports format 1"),
            ("missing/history.db", "unable to open database file"),
        ] {
            let before = std::fs::read(file(name)).ok();
            let error = History::open(&file(name)).map(|_| ()).expect_err(name).to_string();
            assert!(error.contains(why) && error.contains(name), "{name}: {error}");
            assert_eq!(std::fs::read(file(name)).ok(), before, "{name} was changed");
        }
    }

    #[test]
    fn t62_a_second_server_cannot_use_the_same_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history.db");
        let (_history, _) = History::open(&path).expect("a new file");
        let error = History::open(&path).map(|_| ()).expect_err("in use").to_string();
        assert!(error.contains("in use by another server"), "{error}");
    }

    #[test]
    fn t64_the_oldest_runs_give_way() {
        let directory = tempfile::tempdir().expect("a directory");
        let (history, _) = History::open(&directory.path().join("h.db")).expect("a new file");
        let number = MOST_RUNS as u64 + PRUNING;
        history.begin(&run(1, State::Passed), None);
        history.begin(&run(number, State::Running), None);
        assert_eq!(states(&history), [(number, State::Running)]);
    }
}
