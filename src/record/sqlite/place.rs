//! Where a database is: a name in an open directory. Each use of it has a thread of its own that the
//! system keeps inside that directory; see the page of the module.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};

use super::super::file::{creating, is_same_file, reading};
use super::database::Database;
use super::error::DatabaseError;
use super::guard::Guard;
use crate::memory::Memory;

/// How often the waiting thread looks whether the command has to end.
const LOOK: Duration = Duration::from_millis(50);

/// How long a thread may take to end when it has to. One that waits in a call of the system, such as
/// of a file system that does not respond, is left alone then.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });

/// What the names of the files beside a database end with.
pub const COMPANIONS: [&str; 3] = [JOURNAL, "-wal", "-shm"];

const JOURNAL: &str = "-journal";

/// The end of a journal that names a journal of several databases, which SQLite would open, and
/// delete, wherever it is.
const OF_SEVERAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// A place for a database.
#[derive(Debug)]
pub struct Place {
    directory: Dir,
    /// Its path, without links.
    path: PathBuf,
    name: OsString,
    /// The database's name in errors.
    shown: String,
}

impl Place {
    /// A file of this name in an open directory with this path, which has no links in it; `shown` is
    /// its name in errors. The file and those beside it are regular or missing.
    pub fn new(directory: Dir, path: PathBuf, name: &OsStr, shown: &str) -> Self {
        Self { directory, path, name: name.to_owned(), shown: shown.to_owned() }
    }

    /// The place of a file anywhere, under its own name.
    pub fn of(file: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (file.parent(), file.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let path = parent.canonicalize()?;
        let directory = Dir::open_ambient_dir(&path, ambient_authority())?;
        Ok(Self::new(directory, path, name, &name.to_string_lossy()))
    }

    /// The path of the file; it may lead elsewhere at any moment.
    pub fn file(&self) -> PathBuf {
        self.path.join(&self.name)
    }

    /// Whether there is a file.
    pub fn exists(&self) -> bool {
        self.directory.symlink_metadata(&self.name).is_ok()
    }

    /// Reads from an existing file; `None` if there is none, which is a database without runs.
    pub fn read<T: Send + 'static>(
        self,
        guard: &Guard,
        memory: &Arc<Memory>,
        work: impl FnOnce(&mut Database) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<Option<T>, DatabaseError> {
        if !self.exists() {
            return Ok(None);
        }
        self.with(guard, memory, false, work).map(Some)
    }

    /// Writes to a file, which is created if it does not exist.
    pub fn write<T: Send + 'static>(
        self,
        guard: &Guard,
        memory: &Arc<Memory>,
        work: impl FnOnce(&mut Database) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        // By the open directory, so that SQLite creates nothing under a path. What prevents it, SQLite
        // reports.
        let created = self.directory.open_with(&self.name, &creating()).is_ok();
        self.with(guard, memory, created, work)
    }

    /// Does the work on a thread of its own. A file that was `created` for it goes again if the disk has
    /// no room for its first run.
    fn with<T: Send + 'static>(
        self,
        guard: &Guard,
        memory: &Arc<Memory>,
        created: bool,
        work: impl FnOnce(&mut Database) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let (done, result) = sync_channel(1);
        let (shown, ends) = (self.shown.clone(), guard.clone());
        let (guard, memory) = (guard.clone(), Arc::clone(memory));
        let thread = std::thread::Builder::new().name("database".to_owned()).spawn(move || {
            let outcome = self.opened(guard, &memory).and_then(|mut open| work(&mut open));
            if created && matches!(outcome, Err(DatabaseError::Disk { .. })) {
                self.remove();
            }
            let _ = done.send(outcome);
        });
        let thread = thread.map_err(|error| DatabaseError::Other {
            path: shown.clone(),
            detail: format!("no thread for it: {error}"),
        })?;
        let mut ended: Option<(DatabaseError, Instant)> = None;
        loop {
            match result.recv_timeout(LOOK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => match thread.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => return Err(DatabaseError::Stopped { path: shown }),
                },
                Err(RecvTimeoutError::Timeout) => {}
            }
            match ended.take() {
                Some((why, since)) if since.elapsed() >= GRACE => return Err(why),
                Some(known) => ended = Some(known),
                None => ended = ends.ended(&shown).map(|why| (why, Instant::now())),
            }
        }
    }

    /// Removes the file and those that SQLite keeps beside it.
    fn remove(&self) {
        for ending in COMPANIONS.into_iter().chain([""]) {
            let mut name = self.name.clone();
            name.push(ending);
            let _ = self.directory.remove_file(name);
        }
    }

    /// Confines this thread to the directory and opens the file there.
    fn opened(&self, guard: Guard, memory: &Arc<Memory>) -> Result<Database, DatabaseError> {
        let confined = confine(&self.directory).map_err(|why| DatabaseError::Other {
            path: self.shown.clone(),
            detail: format!("its thread cannot be kept inside the directory: {why}"),
        })?;
        self.check_journal()?;
        if !confined {
            self.check_path()?;
        }
        let database = Database::open(&self.file(), &self.shown, guard, memory)?;
        if !confined {
            self.check_path()?;
        }
        Ok(database)
    }

    /// Whether the path leads to the open directory and to the file in it.
    pub(super) fn check_path(&self) -> Result<(), DatabaseError> {
        let same = || -> io::Result<bool> {
            let directory = Metadata::from_just_metadata(std::fs::metadata(&self.path)?);
            let file = std::fs::symlink_metadata(self.file())?;
            let file = Metadata::from_just_metadata(file);
            Ok(is_same_file(&directory, &self.directory.dir_metadata()?)
                && is_same_file(&file, &self.directory.symlink_metadata(&self.name)?))
        };
        match same() {
            Ok(true) => Ok(()),
            _ => Err(DatabaseError::CannotOpen),
        }
    }

    /// Refuses a journal that names another.
    fn check_journal(&self) -> Result<(), DatabaseError> {
        let mut name = self.name.clone();
        name.push(JOURNAL);
        let end = || -> io::Result<[u8; 8]> {
            let mut journal = self.directory.open_with(&name, &reading())?;
            let mut end = [0; 8];
            journal.seek(SeekFrom::End(-8))?;
            journal.read_exact(&mut end)?;
            Ok(end)
        };
        if end().is_ok_and(|end| end == OF_SEVERAL) {
            let detail = "its journal belongs to a change of several databases".to_owned();
            return Err(DatabaseError::Foreign { path: self.shown.clone(), detail });
        }
        Ok(())
    }
}

/// Keeps this thread inside a directory for the rest of its life; returns whether the system can. It
/// fails where the system can but does not, as without descriptors.
#[cfg(target_os = "linux")]
pub(super) fn confine(directory: &Dir) -> Result<bool, String> {
    use landlock::{
        ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetError, RulesetStatus,
    };
    // What SQLite does with files, of all that there is.
    let needed = AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::ReadDir
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
        | AccessFs::Truncate;
    let confined = || -> Result<RulesetStatus, RulesetError> {
        let rules = Ruleset::default().handle_access(AccessFs::from_all(ABI::V3))?.create()?;
        let mut rules = rules.add_rule(PathBeneath::new(directory, needed))?;
        // SQLite seeds its random numbers with it.
        if let Ok(random) = PathFd::new("/dev/urandom") {
            rules = rules.add_rule(PathBeneath::new(random, AccessFs::ReadFile))?;
        }
        Ok(rules.restrict_self()?.ruleset)
    };
    match confined() {
        Ok(status) => Ok(status != RulesetStatus::NotEnforced),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_: &Dir) -> Result<bool, String> {
    Ok(false)
}
