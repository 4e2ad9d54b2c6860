//! Files that documents name. All of them lie in the data directory: they are opened relative to it
//! (cap-std resolves every step below an open directory, so neither `..` nor a link can leave it),
//! read up to a limit, and written without a name, synced, named and renamed. A program that is killed
//! leaves nothing; only where the file system knows no files without a name, or between the last two
//! steps, a file stays whose name is a UUID. Nothing removes it: a user's file may be named like that.

mod log;
#[cfg(test)]
mod tests;
mod tree;

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Deref;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use cap_tempfile::TempFile;

use super::policy::FileAccess;
use crate::error::reason;
use crate::event::{Failure, FailureKind};
use crate::memory::{Full, Memory, Share};
use crate::net::OwnLimit;
use crate::record::file::{is_same_file, reading};
use crate::record::sqlite::{COMPANIONS, Place};

/// The largest file that a document may read into memory. A CSV of a million rows is about half of
/// it; anything larger is a mistake or an attack.
pub const MAX_READ_BYTES: u64 = 64 * 1024 * 1024;

/// The longest accepted path, in bytes: Linux's own limit.
const MAX_PATH_BYTES: usize = 4095;

/// The data directory.
pub struct Files {
    dir: Dir,
    /// Its path without links, to distinguish absolute paths inside from those outside.
    root: PathBuf,
    /// Its path as the operator wrote it, made absolute.
    spelled: PathBuf,
    access: FileAccess,
    /// Files that documents may not access, wherever they are.
    secret: Vec<PathBuf>,
}

/// The content of a file, with its share of the ceiling for memory.
#[derive(Debug)]
pub struct Content {
    bytes: Vec<u8>,
    share: Share,
}

impl Content {
    /// The bytes, and the share, which is to be kept as long as they are.
    pub fn into_parts(self) -> (Vec<u8>, Share) {
        (self.bytes, self.share)
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Files").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Files {
    /// The files of a directory.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        Ok(Self {
            dir: Dir::open_ambient_dir(data_dir, ambient_authority())?,
            root: data_dir.canonicalize()?,
            spelled: std::path::absolute(data_dir)?,
            access: FileAccess::Visible,
            secret: Vec::new(),
        })
    }

    /// Sets which of its files documents may use.
    pub fn allowing(mut self, access: FileAccess) -> Self {
        self.access = access;
        self
    }

    /// Excludes these files from reading and replacing, by whatever name or link.
    pub fn without(mut self, secret: &[PathBuf]) -> Self {
        self.secret.extend_from_slice(secret);
        self
    }

    /// Reads a whole file of at most [`MAX_READ_BYTES`], with a share of the ceiling for memory.
    pub fn read_within(&self, path: &str, memory: &Arc<Memory>) -> Result<Content, Failure> {
        let file = self.open_for_read(path)?;
        let length = file.metadata().map_err(|error| failure(path, &error))?.len();
        if length > MAX_READ_BYTES {
            return Err(too_large(path, length));
        }
        let full = |full: Full| Failure::new(FailureKind::Refused, format!("{path:?}: {full}"));
        let mut share = memory.share("files");
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        share.grow(length).map_err(full)?;
        let mut bytes = Vec::with_capacity(length);
        // One byte more than allowed, in case the file grows while it is read.
        let taken = file.take(MAX_READ_BYTES + 1).read_to_end(&mut bytes);
        taken.map_err(|error| failure(path, &error))?;
        if bytes.len() as u64 > MAX_READ_BYTES {
            return Err(too_large(path, bytes.len() as u64));
        }
        share.set(bytes.capacity()).map_err(full)?;
        Ok(Content { bytes, share })
    }

    /// Reads a whole file.
    #[cfg(test)]
    fn read(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.read_within(path, &Memory::new(usize::MAX)).map(|content| content.into_parts().0)
    }

    /// Opens a regular file of any size.
    pub fn open_for_read(&self, path: &str) -> Result<std::fs::File, Failure> {
        let inside = self.inside(path)?;
        self.check_links(path, &inside)?;
        // Checked before opening, because opening a device may do something; checked again
        // afterwards, because it may have been replaced in between. Opening never waits, not even for
        // the writer of a FIFO.
        let kind = self.dir.metadata(&inside).map_err(|error| failure(path, &error))?;
        if !kind.is_file() {
            return Err(not_regular(path));
        }
        let file = self
            .dir
            .open_with(&inside, &reading())
            .map_err(|error| failure(path, &error))?
            .into_std();
        let metadata = Metadata::from_file(&file).map_err(|error| failure(path, &error))?;
        if !metadata.is_file() {
            return Err(not_regular(path));
        }
        if self.is_secret(&metadata) {
            return Err(refusal(path, SECRET));
        }
        Ok(file)
    }

    /// Writes a file under a temporary name in its directory, syncs it and renames it: readers of
    /// `path` find the old file or the whole new one. Returns the path as the document wrote it.
    pub fn write_atomically(
        &self,
        path: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<PathBuf, Failure> {
        let inside = self.inside(path)?;
        let (parent, name) = self.parent(path, &inside)?;
        self.replaceable(&parent, name).map_err(|why| refusal(path, why))?;
        let work = || -> io::Result<()> {
            let mut temporary = TempFile::new(&parent)?;
            make_private(&temporary, &parent, name)?;
            let mut buffered = BufWriter::new(temporary.as_file_mut());
            write(&mut buffered)?;
            buffered.flush()?;
            drop(buffered);
            temporary.as_file().sync_all()?;
            temporary.replace(name)?;
            // The rename is durable once the directory is synced.
            parent.open(".")?.sync_all()
        };
        work().map_err(|error| failure(path, &error))?;
        Ok(PathBuf::from(path))
    }

    /// Whether there is nothing under a path that lies inside.
    pub fn is_missing(&self, path: &str) -> Result<bool, Failure> {
        let inside = self.inside(path)?;
        let found = self.dir.symlink_metadata(&inside);
        Ok(found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound))
    }

    /// Checks that a file could be written now; nothing is left behind.
    pub fn check_writable(&self, path: &str) -> Result<(), Failure> {
        let inside = self.inside(path)?;
        let (parent, name) = self.parent(path, &inside)?;
        self.replaceable(&parent, name).map_err(|why| refusal(path, why))?;
        TempFile::new(&parent).map(|_| ()).map_err(|error| failure(path, &error))
    }

    /// Checks that a report with one of these signs near its beginning may take the place of a file.
    /// Where the operator has not named the directory, only files with such a sign are replaced, and
    /// empty ones.
    pub fn may_replace(&self, path: &str, signs: &[&str]) -> Result<(), Failure> {
        let inside = self.inside(path)?;
        if self.access != FileAccess::Assumed || !self.dir.exists(&inside) {
            return Ok(());
        }
        let mut begin = Vec::with_capacity(SIGN_BYTES);
        let file = self.open_for_read(path)?;
        let read = file.take(SIGN_BYTES as u64).read_to_end(&mut begin);
        read.map_err(|error| failure(path, &error))?;
        let has = |sign: &&str| memchr::memmem::find(&begin, sign.as_bytes()).is_some();
        // Nothing is lost with an empty file or object.
        if matches!(begin.trim_ascii(), b"" | b"{}") || signs.iter().any(has) {
            return Ok(());
        }
        Err(refusal(
            path,
            "exists and is no such report; give another name, or name a directory for documents with \
             --data-dir",
        ))
    }

    /// Creates the missing directories of a path.
    pub fn make_directories(&self, path: &str) -> Result<(), Failure> {
        let inside = self.inside(path)?;
        let existing = inside.ancestors().skip(1).find(|above| self.dir.exists(above));
        self.check_links(path, existing.unwrap_or(Path::new("")))?;
        match inside.parent() {
            Some(parent) if parent != Path::new("") => {
                self.dir.create_dir_all(parent).map_err(|error| failure(path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Returns the place of a database that may not exist yet. Its directory exists and lies inside;
    /// the file itself, and those that SQLite keeps beside it, are regular or missing.
    pub fn place(&self, path: &str) -> Result<Place, Failure> {
        let inside = self.inside(path)?;
        let name = inside.file_name().ok_or_else(|| refusal(path, "does not name a file"))?;
        let parent = match inside.parent() {
            Some(parent) if parent != Path::new("") => {
                self.check_links(path, parent)?;
                self.dir.canonicalize(parent).map_err(|error| failure(path, &error))?
            }
            _ => PathBuf::new(),
        };
        let dir = if parent.as_os_str().is_empty() {
            self.dir.try_clone()
        } else {
            self.dir.open_dir(&parent)
        };
        let dir = dir.map_err(|error| failure(path, &error))?;
        self.replaceable(&dir, name).map_err(|why| refusal(path, why))?;
        for ending in COMPANIONS {
            let mut beside = name.to_owned();
            beside.push(ending);
            let beside = self.replaceable(&dir, &beside);
            beside.map_err(|why| refusal(&format!("{path}{ending}"), why))?;
        }
        Ok(Place::new(dir, self.root.join(parent), name, path))
    }

    /// Returns a name, relative to the data directory, that is equal for all paths of one existing
    /// file.
    pub fn identity(&self, path: &str) -> Result<PathBuf, Failure> {
        self.dir.canonicalize(self.inside(path)?).map_err(|error| failure(path, &error))
    }

    /// Whether a path lies inside and its directory does not exist.
    pub fn lacks_directory(&self, path: &str) -> bool {
        let Ok(inside) = self.inside(path) else { return false };
        let parent = inside.parent().filter(|parent| *parent != Path::new(""));
        parent.is_some_and(|parent| !self.dir.exists(parent))
    }

    /// The open directory of a file inside, and the file's name.
    fn parent<'a>(&self, path: &str, inside: &'a Path) -> Result<(Dir, &'a OsStr), Failure> {
        let name = inside.file_name().ok_or_else(|| refusal(path, "does not name a file"))?;
        let parent = match inside.parent() {
            Some(parent) if parent != Path::new("") => {
                self.check_links(path, parent)?;
                self.dir.open_dir(parent)
            }
            _ => self.dir.try_clone(),
        };
        Ok((parent.map_err(|error| failure(path, &error))?, name))
    }

    /// Returns the path of a file relative to the data directory.
    fn inside(&self, path: &str) -> Result<PathBuf, Failure> {
        let clean = self.relative(path)?;
        if clean.as_os_str().is_empty() || path.ends_with('/') {
            return Err(refusal(path, "is a directory; name a file"));
        }
        Ok(clean)
    }

    /// Returns the path relative to the data directory. Everything that the text alone shows is
    /// refused here, with its reason; cap-std handles links.
    fn relative(&self, path: &str) -> Result<PathBuf, Failure> {
        if let FileAccess::Nothing(why) = &self.access {
            let why = format!("cannot be used: documents have no data directory, because {why}");
            return Err(refusal(path, &format!("{why}; name one with --data-dir")));
        }
        if path.is_empty() {
            return Err(refusal(path, "is empty; name a file"));
        }
        if path.len() > MAX_PATH_BYTES {
            let head: String = path.chars().take(40).collect();
            return Err(refusal(&format!("{head}…"), "is longer than 4095 bytes"));
        }
        if path.contains('\0') {
            return Err(refusal(path, "contains a NUL character"));
        }
        let written = Path::new(path);
        let relative = if written.is_absolute() {
            let inside = [&self.root, &self.spelled];
            let inside = inside.into_iter().find_map(|root| written.strip_prefix(root).ok());
            inside.ok_or_else(|| refusal(path, OUTSIDE))?
        } else {
            written
        };
        let mut clean = PathBuf::new();
        for component in relative.components() {
            match component {
                Component::Normal(step) => clean.push(step),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(refusal(path, OUTSIDE));
                }
            }
        }
        if self.access != FileAccess::All && is_hidden(&clean) {
            return Err(refusal(path, HIDDEN));
        }
        Ok(clean)
    }

    /// Refuses a link to a hidden file or directory.
    fn check_links(&self, path: &str, inside: &Path) -> Result<(), Failure> {
        if self.access == FileAccess::All {
            return Ok(());
        }
        match self.dir.canonicalize(inside) {
            Ok(found) if is_hidden(&found) => Err(refusal(path, HIDDEN)),
            // Opening it reports the error.
            _ => Ok(()),
        }
    }

    /// Checks whether a file of this name may be created or replaced.
    fn replaceable(&self, dir: &Dir, name: &OsStr) -> Result<(), &'static str> {
        match dir.symlink_metadata(name) {
            Ok(found) if self.is_secret(&found) => Err(SECRET),
            Ok(found) if found.is_file() => Ok(()),
            Ok(found) if found.is_dir() => Err("is a directory; name a file"),
            Ok(found) if found.is_symlink() => Err("is a symbolic link; name the file itself"),
            Ok(_) => Err("is a device, FIFO or socket; name a regular file"),
            // The write itself reports other problems (no permission, a name too long).
            Err(_) => Ok(()),
        }
    }

    /// Whether documents may not access this file. The secret files are looked up each time,
    /// because a rotated token or key is a new file under the old name.
    fn is_secret(&self, found: &Metadata) -> bool {
        self.secret.iter().any(|path| {
            std::fs::metadata(path)
                .is_ok_and(|secret| is_same_file(&Metadata::from_just_metadata(secret), found))
        })
    }
}

/// Gives a file that has no content yet its mode: it is for its owner alone, whatever the umask, or
/// as for the file that it replaces where that is stricter.
#[cfg(unix)]
fn make_private(file: &TempFile<'_>, dir: &Dir, name: &OsStr) -> io::Result<()> {
    use cap_std::fs::{Permissions, PermissionsExt};
    let old = dir.symlink_metadata(name).map_or(PRIVATE, |found| found.permissions().mode());
    file.as_file().set_permissions(Permissions::from_mode(old & PRIVATE))
}

/// Read and written by its owner alone.
#[cfg(unix)]
const PRIVATE: u32 = 0o600;

/// On other systems the directory's access list decides.
#[cfg(not(unix))]
fn make_private(_: &TempFile<'_>, _: &Dir, _: &OsStr) -> io::Result<()> {
    Ok(())
}

/// Whether a step of a path begins with a dot.
fn is_hidden(path: &Path) -> bool {
    path.components().any(|step| match step {
        Component::Normal(step) => step.as_encoded_bytes().starts_with(b"."),
        _ => false,
    })
}

/// The beginning of a file in which the sign of a report stands, in bytes.
const SIGN_BYTES: usize = 1024;

const HIDDEN: &str = "is hidden (a name in it begins with a dot), and documents of a server may not \
                      use such files; name another file";

const OUTSIDE: &str =
    "leads out of the data directory; name a file inside it, without `..`, or change --data-dir";

const SECRET: &str =
    "is the server's own token, key or certificate, which no document may use; name another file";

fn refusal(path: &str, why: &str) -> Failure {
    Failure::new(FailureKind::File, format!("{path:?} {why}"))
}

fn not_regular(path: &str) -> Failure {
    refusal(path, "is not a regular file")
}

fn too_large(path: &str, bytes: u64) -> Failure {
    let limit = MAX_READ_BYTES >> 20;
    refusal(path, &format!("is too large: {bytes} bytes, the limit is {limit} MiB"))
}

fn failure(path: &str, error: &io::Error) -> Failure {
    if error.kind() != io::ErrorKind::NotFound
        && let Some(limit) = OwnLimit::of_files()
    {
        return refusal(path, &format!("cannot be used: {limit}; {}", limit.remedy()));
    }
    match error.kind() {
        io::ErrorKind::NotFound => {
            refusal(path, "does not exist in the data directory (or its directory does not)")
        }
        // cap-std's own error has no number of the system.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => refusal(path, OUTSIDE),
        _ => refusal(path, &format!("cannot be used: {}", reason(error))),
    }
}
