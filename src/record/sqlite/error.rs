//! Why a database cannot be used, in words for people.

use std::time::Duration;

use rusqlite::ErrorCode;

use crate::memory::Full;

/// The most rows that one value may hold.
pub const MAX_FETCH: usize = 100_000;

/// The most names of a run that is compared: their figures are far more than a reply holds.
pub(super) const MAX_NAMES: usize = 50_000;

/// The most bytes that they may take as text: a reply holds half of it.
pub(super) const MAX_BYTES: usize = 32 << 20;

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
    /// The memory of the process does not suffice.
    #[error("{path}: {full}")]
    Full {
        /// The file, as the caller named it.
        path: String,
        /// What does not fit.
        full: Full,
    },
    /// The rows are more than one value may hold.
    #[error("{path}: {what} take more than {} MiB; ask for fewer", MAX_BYTES >> 20)]
    TooLarge {
        /// The file, as the caller named it.
        path: String,
        /// What was read.
        what: &'static str,
    },
    /// A run has more names than a comparison may hold.
    #[error("{path}: run {run} has more than {MAX_NAMES} names; compare it with sqlite3 instead")]
    TooManyNames {
        /// The file, as the caller named it.
        path: String,
        /// The run's number.
        run: i64,
    },
    /// A client or the operator has stopped the command, or the server ends.
    #[error("{path}: the command was stopped")]
    Stopped {
        /// The file, as the caller named it.
        path: String,
    },
    /// It took longer than any database of ours.
    #[error("{path}: took longer than {} s and was ended", took.as_secs())]
    TooLong {
        /// The file, as the caller named it.
        path: String,
        /// How long it could take.
        took: Duration,
    },
    /// SQLite was interrupted; [`Database`](super::Database) says why.
    #[error("interrupted")]
    Interrupted,
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
    pub(super) fn new(path: &str, error: &rusqlite::Error) -> Self {
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
            Some(ErrorCode::OperationInterrupted) => Self::Interrupted,
            _ => Self::Other { path, detail },
        }
    }
}
