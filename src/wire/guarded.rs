//! Files that decide who may use a server and who it is: tokens, keys, certificates. They are read
//! only if no other user can read or replace them, as OpenSSH's StrictModes demands of its files: the
//! file and every directory above it belong to root or to this user, nobody else may write to them,
//! and what is secret nobody else may read. Server and client read them here, at the start and on
//! every reload.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::reason;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A token or a key, which only its owner may read. Where root owns the file and this user is
    /// another, its group may read it: this process could not otherwise.
    Secret,
    /// Certificates, which everybody may read and nobody else may replace.
    Public,
    /// A credential from systemd, which guards it by a directory for this service alone.
    Credential,
}

/// A file and what it is.
#[derive(Debug, Clone, Copy)]
pub struct Guarded<'a> {
    /// Its path.
    pub path: &'a Path,
    /// What people call it: "the token file".
    pub what: &'static str,
    /// What it holds.
    pub content: Content,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// It cannot be read.
    #[error("{}", reason(.0))]
    Io(#[from] io::Error),
    /// It is a directory, a device, a FIFO or a socket.
    #[error("not a regular file")]
    NotRegular,
    /// It is longer than what it should hold.
    #[error("more than {0} bytes")]
    TooLong(usize),
    /// Other users could read or replace it. The text names it and the command to run.
    #[error("{0}")]
    Open(String),
}

impl Guarded<'_> {
    /// Reads at most `most` bytes, if only root and this user can replace them. The file is opened
    /// once, and what is checked is what is open.
    pub fn read(&self, most: usize) -> Result<Zeroizing<Vec<u8>>, GuardError> {
        let found = self.path.canonicalize()?;
        let file = open(&found)?;
        let length = file.metadata()?;
        if !length.is_file() {
            return Err(GuardError::NotRegular);
        }
        self.check(&found, &file)?;
        // Allocated in one piece: bytes that are moved leave copies of themselves behind.
        let room = usize::try_from(length.len()).unwrap_or(most).min(most) + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.take(room as u64).read_to_end(&mut bytes)?;
        match bytes.len() {
            read if read > most => Err(GuardError::TooLong(most)),
            // It grew while it was read.
            read if read == room => Err(io::Error::from(io::ErrorKind::ResourceBusy).into()),
            _ => Ok(bytes),
        }
    }

    /// On other systems the owner manages the access lists.
    #[cfg(not(unix))]
    fn check(&self, _: &Path, _: &File) -> Result<(), GuardError> {
        Ok(())
    }

    /// Checks an open file and the directories above it.
    #[cfg(unix)]
    fn check(&self, found: &Path, file: &File) -> Result<(), GuardError> {
        use std::os::unix::fs::MetadataExt;
        if self.content == Content::Credential {
            return Ok(());
        }
        let own = rustix::process::geteuid().as_raw();
        let (shown, what) = (self.path.display(), self.what);
        let opened = file.metadata()?;
        let seen = Seen { owner: opened.uid(), mode: opened.mode() };
        if let Some(Problem { who, remedy }) = seen.as_file(self.content, own) {
            return Err(GuardError::Open(format!("{who} {what} {shown}; run {remedy} {shown}")));
        }
        // Where the name stands as well as where links lead from there.
        let named = std::path::absolute(self.path)?;
        for directory in named.ancestors().skip(1).chain(found.ancestors().skip(1)) {
            let metadata = directory.metadata()?;
            let seen = Seen { owner: metadata.uid(), mode: metadata.mode() };
            if let Some(Problem { who, remedy }) = seen.as_directory(own) {
                let directory = directory.display();
                return Err(GuardError::Open(format!(
                    "{who} {directory}, above {what} {shown}; run {remedy} {directory}, or move the \
                     file"
                )));
            }
        }
        // A directory that was closed to others only now may have led to another file before.
        let now = found.metadata()?;
        if (now.dev(), now.ino()) != (opened.dev(), opened.ino()) {
            let text = format!("{what} {shown} was replaced while it was read; try again");
            return Err(GuardError::Open(text));
        }
        Ok(())
    }
}

/// Opens a file that no link leads to, and does not wait for the writer of a FIFO.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Owner and mode of a file or a directory.
#[cfg(unix)]
#[derive(Debug, Clone, Copy)]
struct Seen {
    owner: u32,
    mode: u32,
}

/// What is wrong with a file or a directory, and the command that changes it.
#[cfg(unix)]
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    who: String,
    remedy: String,
}

#[cfg(unix)]
impl Seen {
    /// What is wrong with a file, for the user `own`.
    fn as_file(self, content: Content, own: u32) -> Option<Problem> {
        let roots = self.owner == 0 && own != 0;
        let (readable, remedy) = match content {
            Content::Secret if roots => (0o004, "chmod 640"),
            Content::Secret => (0o044, "chmod 600"),
            Content::Public | Content::Credential => (0, "chmod go-w"),
        };
        let problem = |who: &str| Some(Problem { who: who.to_owned(), remedy: remedy.to_owned() });
        match self.mode {
            _ if self.is_foreign(own) => Some(self.foreign(own)),
            mode if mode & readable != 0 => problem("other users can read"),
            mode if mode & 0o022 != 0 => problem("other users can write to"),
            _ => None,
        }
    }

    /// The same for a directory above one. Where it is sticky others can add files, but replace none
    /// of this user's.
    fn as_directory(self, own: u32) -> Option<Problem> {
        const STICKY: u32 = 0o1000;
        if self.is_foreign(own) {
            return Some(self.foreign(own));
        }
        let writable = self.mode & 0o022 != 0 && self.mode & STICKY == 0;
        writable.then(|| Problem {
            who: "other users can write to".to_owned(),
            remedy: "chmod go-w".to_owned(),
        })
    }

    fn is_foreign(self, own: u32) -> bool {
        self.owner != 0 && self.owner != own
    }

    fn foreign(self, own: u32) -> Problem {
        let Self { owner, .. } = self;
        Problem { who: format!("another user (uid {owner}) owns"), remedy: format!("chown {own}") }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    const OWN: u32 = 1000;

    #[test]
    fn t57_a_secret_belongs_to_root_or_this_user_who_alone_reads_and_writes_it() {
        let check = |owner, mode: u32, content, expected: Option<&str>| {
            let problem = Seen { owner, mode: 0o100_000 | mode }.as_file(content, OWN);
            let problem = problem.map(|Problem { who, remedy }| format!("{who} it: {remedy}"));
            assert_eq!(problem.as_deref(), expected, "{owner} {mode:o} {content:?}");
        };
        for mode in [0o600, 0o400, 0o700] {
            check(OWN, mode, Content::Secret, None);
            check(0, mode, Content::Secret, None);
        }
        for mode in [0o640, 0o604, 0o644, 0o444, 0o666, 0o777] {
            check(OWN, mode, Content::Secret, Some("other users can read it: chmod 600"));
        }
        for mode in [0o620, 0o602, 0o622] {
            check(OWN, mode, Content::Secret, Some("other users can write to it: chmod 600"));
            check(OWN, mode, Content::Public, Some("other users can write to it: chmod go-w"));
        }
        check(OWN, 0o644, Content::Public, None);
        // Without the group's bit this process could not read it.
        check(0, 0o640, Content::Secret, None);
        check(0, 0o644, Content::Secret, Some("other users can read it: chmod 640"));
        check(0, 0o660, Content::Secret, Some("other users can write to it: chmod 640"));
        for content in [Content::Secret, Content::Public] {
            let foreign = "another user (uid 1001) owns it: chown 1000";
            check(1001, 0o600, content, Some(foreign));
        }
    }

    #[test]
    fn t57_directories_above_a_secret_belong_to_root_or_this_user_who_alone_writes_to_them() {
        for (owner, mode, safe) in [
            (OWN, 0o755, true),
            (0, 0o755, true),
            (0, 0o1777, true),
            (OWN, 0o1777, true),
            (OWN, 0o775, false),
            (0, 0o757, false),
            (1001, 0o755, false),
            (1001, 0o1777, false),
        ] {
            let problem = Seen { owner, mode: 0o040_000 | mode }.as_directory(OWN);
            assert_eq!(problem.is_none(), safe, "{owner} {mode:o}: {problem:?}");
        }
    }

    #[test]
    fn t57_a_link_leads_to_the_file_and_the_directories_that_are_checked() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().canonicalize().expect("a directory");
        let (open, closed) = (root.join("open"), root.join("closed"));
        for place in [&open, &closed] {
            fs::create_dir(place).expect("a directory");
            fs::write(place.join("token"), "s3cret").expect("a file");
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(place.join("token"), private).expect("a file");
        }
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("a directory");
        symlink(open.join("token"), closed.join("outwards")).expect("a link");
        symlink(&closed, open.join("inwards")).expect("a link");
        let read = |path: PathBuf| {
            let file = Guarded { path: &path, what: "the token file", content: Content::Secret };
            file.read(100).map(|bytes| bytes.to_vec()).map_err(|error| error.to_string())
        };
        assert_eq!(read(closed.join("token")), Ok(b"s3cret".to_vec()));
        let refusal = read(closed.join("outwards")).expect_err("refused");
        let text = |shown: &Path| {
            let (open, shown) = (open.display(), shown.display());
            format!(
                "other users can write to {open}, above the token file {shown}; run chmod go-w {open}, \
                 or move the file"
            )
        };
        assert_eq!(refusal, text(&closed.join("outwards")));
        assert_eq!(read(open.join("token")).expect_err("refused"), text(&open.join("token")));
        let inwards = open.join("inwards/token");
        assert_eq!(read(inwards.clone()).expect_err("refused"), text(&inwards));
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).expect("a directory");
        assert_eq!(read(inwards), Ok(b"s3cret".to_vec()));
    }

    #[test]
    fn what_is_no_small_regular_file_is_refused_at_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let fifo = directory.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("ran").success());
        let read = |path: &Path| {
            let file = Guarded { path, what: "the token file", content: Content::Credential };
            file.read(10).expect_err("refused").to_string()
        };
        for path in [&*fifo, directory.path(), Path::new("/dev/zero")] {
            assert_eq!(read(path), "not a regular file", "{}", path.display());
        }
        fs::write(directory.path().join("long"), [b'x'; 11]).expect("a file");
        assert_eq!(read(&directory.path().join("long")), "more than 10 bytes");
    }
}
