//! Files that documents name. All of them lie in the data directory: they are opened relative to it
//! (cap-std resolves every step below an open directory, so neither `..` nor a link can leave it),
//! read up to a limit, and written without a name, synced, named and renamed. A program that is killed
//! leaves nothing; only where the file system knows no files without a name, or between the last two
//! steps, a file stays whose name is a UUID. Nothing removes it: a user's file may be named like that.

mod log;
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn data_dir() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().expect("a directory");
        let inside = dir.path().join("data");
        std::fs::create_dir(&inside).expect("a directory");
        let files = Files::open(&inside).expect("a data directory");
        (dir, files)
    }

    #[test]
    fn a_missing_permission_and_a_way_out_have_messages_of_their_own() {
        let permission = io::Error::from_raw_os_error(13);
        assert_eq!(permission.kind(), io::ErrorKind::PermissionDenied);
        let said = failure("r.html", &permission).message;
        assert_eq!(said, "\"r.html\" cannot be used: Permission denied");
        let out = io::Error::new(io::ErrorKind::PermissionDenied, "a path led outside");
        let said = failure("r.html", &out).message;
        assert!(said.starts_with("\"r.html\" leads out of the data directory; "), "{said}");
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let (dir, files) = data_dir();
        let write =
            |text: &str| files.write_atomically("a.txt", |out| out.write_all(text.as_bytes()));
        assert_eq!(write("old").expect("written"), Path::new("a.txt"));
        let broken = files.write_atomically("a.txt", |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(
            broken.expect_err("refused").message,
            "\"a.txt\" cannot be used: the disk is full"
        );
        assert_eq!(files.read("a.txt").expect("readable"), b"old");
        write("new").expect("written");
        assert_eq!(files.read("./a.txt").expect("readable"), b"new");
        let names = std::fs::read_dir(dir.path().join("data")).expect("readable");
        assert_eq!(names.count(), 1, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn t58_hidden_files_and_what_links_lead_to_are_no_files_for_documents() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        for place in [".ssh", "seen", "seen/.git"] {
            std::fs::create_dir(data.join(place)).expect("a directory");
            std::fs::write(data.join(place).join("key"), "secret").expect("a file");
        }
        std::fs::write(data.join(".env"), "secret").expect("a file");
        for (link, to) in [("keys", ".ssh"), ("key.csv", ".ssh/key"), ("up", "seen/.git")] {
            std::os::unix::fs::symlink(to, data.join(link)).expect("a link");
        }
        let absolute = data.join(".env").display().to_string();
        let paths = [
            ".env",
            "./.env",
            ".ssh/key",
            "seen/.git/key",
            "keys/key",
            "key.csv",
            "up/key",
            &absolute,
        ];
        for path in paths {
            let refused = files.read(path).expect_err(path);
            assert!(refused.message.contains(" is hidden "), "{path}: {refused}");
        }
        for path in [".new", ".ssh/new", "keys/new", "seen/.git/new"] {
            let written = files.write_atomically(path, |out| out.write_all(b"x"));
            let refused = written.expect_err(path);
            assert!(refused.message.contains(" is hidden "), "{path}: {refused}");
            files.place(path).expect_err(path);
        }
        files.make_directories("keys/more/new").expect_err("refused");
        assert!(!data.join(".ssh/more").exists());
        assert_eq!(files.read("seen/key").expect("readable"), b"secret");
        let all = files.allowing(FileAccess::All);
        for path in paths {
            assert_eq!(all.read(path).expect(path), b"secret");
        }
        let none = all.allowing(FileAccess::Nothing("it is a test".to_owned()));
        assert_eq!(
            none.read("seen/key").expect_err("refused").message,
            "\"seen/key\" cannot be used: documents have no data directory, because it is a test; \
             name one with --data-dir"
        );
    }

    #[test]
    fn t58_in_a_directory_that_is_only_assumed_reports_replace_nothing_but_reports() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        for (name, text) in [
            ("own.json", "{\"name\": \"x\", \"engines\": {}}"),
            ("old.json", "{\"totals\": 1}"),
            ("empty", "{}\n"),
        ] {
            std::fs::write(data.join(name), text).expect("a file");
        }
        let signs = ["\"totals\""];
        for path in ["own.json", "old.json", "empty", "new"] {
            files.may_replace(path, &signs).expect(path);
        }
        let files = files.allowing(FileAccess::Assumed);
        for path in ["old.json", "empty", "new"] {
            files.may_replace(path, &signs).expect(path);
        }
        let refused = files.may_replace("own.json", &signs).expect_err("refused");
        assert!(refused.message.starts_with("\"own.json\" exists and is no such report"));
    }

    #[test]
    fn an_absolute_path_inside_is_the_same_file() {
        let (dir, files) = data_dir();
        files.write_atomically("a.txt", |out| out.write_all(b"x")).expect("written");
        let absolute = dir.path().join("data/a.txt");
        let absolute = absolute.to_str().expect("text");
        assert_eq!(files.read(absolute).expect("readable"), b"x");
        assert!(files.place(absolute).expect("inside").exists());
    }

    #[test]
    fn t16_paths_that_lead_out_are_refused_and_nothing_outside_changes() {
        let (dir, files) = data_dir();
        let outside = dir.path().join("outside.txt");
        std::fs::write(&outside, "kept").expect("written");
        let data = dir.path().join("data");
        std::os::unix::fs::symlink(&outside, data.join("link")).expect("a link");
        std::os::unix::fs::symlink(dir.path(), data.join("up")).expect("a link");
        std::fs::create_dir(data.join("sub")).expect("a directory");
        let long = "x".repeat(4096);
        let long_name = "x".repeat(300);
        for path in [
            "../outside.txt",
            "../../x",
            "sub/../../outside.txt",
            outside.to_str().expect("text"),
            "/abs",
            "a\0b",
            "link",
            "up/outside.txt",
            "up/new.txt",
            &long,
            &long_name,
            "",
            ".",
            "sub",
            "sub/",
            "missing/a.txt",
        ] {
            let written = files.write_atomically(path, |out| out.write_all(b"hacked"));
            let refused = written.expect_err(path);
            assert_eq!(refused.kind, FailureKind::File, "{path}");
        }
        assert_eq!(std::fs::read(&outside).expect("readable"), b"kept");
        let names = std::fs::read_dir(dir.path()).expect("readable");
        assert_eq!(names.count(), 2, "nothing new outside");
    }

    #[test]
    fn t17_only_small_regular_files_inside_are_read() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        std::os::unix::fs::symlink("/etc/shadow", data.join("shadow")).expect("a link");
        std::os::unix::fs::symlink("/dev/zero", data.join("zero")).expect("a link");
        std::os::unix::net::UnixListener::bind(data.join("socket")).expect("a socket");
        let fifo = std::process::Command::new("mkfifo").arg(data.join("fifo")).status();
        assert!(fifo.expect("mkfifo").success());
        let large = std::fs::File::create(data.join("large")).expect("a file");
        large.set_len(1 << 30).expect("a sparse file");
        for path in ["/etc/shadow", "/dev/zero", "shadow", "zero", "socket", "fifo", "large", "no"]
        {
            let refused = files.read(path).expect_err(path);
            assert_eq!(refused.kind, FailureKind::File, "{path}");
            assert!(refused.message.contains(path), "{}", refused.message);
        }
        assert_eq!(
            files.read("large").expect_err("too large").message,
            "\"large\" is too large: 1073741824 bytes, the limit is 64 MiB"
        );
    }

    #[test]
    fn t49_what_is_exchanged_while_it_is_opened_is_read_and_written_inside_or_not_at_all() {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use std::sync::atomic::{AtomicBool, Ordering};

        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        let outside = dir.path().join("outside");
        for directory in [&outside, &data.join("sub")] {
            std::fs::create_dir(directory).expect("a directory");
            let inside = if *directory == outside { "outside" } else { "inside" };
            std::fs::write(directory.join("a"), inside).expect("written");
        }
        std::os::unix::fs::symlink(&outside, data.join("link")).expect("a link");
        std::fs::write(data.join("file"), "inside").expect("written");
        let fifo = std::process::Command::new("mkfifo").arg(data.join("fifo")).status();
        assert!(fifo.expect("mkfifo").success());
        let done = AtomicBool::new(false);
        let (read, refused) = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for (one, other) in [("sub", "link"), ("file", "fifo")] {
                        let (one, other) = (data.join(one), data.join(other));
                        renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).expect("done");
                    }
                }
            });
            let (mut read, mut refused) = (0, 0);
            for number in 0..2000 {
                // A FIFO that is opened for reading would wait for its writer for ever.
                for path in ["sub/a", "file"] {
                    match files.read(path) {
                        Ok(text) => {
                            assert_eq!(text, b"inside");
                            read += 1;
                        }
                        Err(_) => refused += 1,
                    }
                }
                let _ = files.write_atomically(&format!("sub/{}", number % 8), |out| {
                    out.write_all(b"inside")
                });
                let _ = files.make_directories(&format!("sub/d{}/x", number % 8));
            }
            done.store(true, Ordering::Relaxed);
            (read, refused)
        });
        assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
        let names = std::fs::read_dir(outside).expect("readable");
        assert_eq!(names.count(), 1, "nothing new outside");
    }

    #[test]
    fn t25_a_secret_file_cannot_be_read_or_replaced_by_any_name() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        let token = data.join("token");
        let files = files.without(&[token.clone(), dir.path().join("missing")]);
        std::fs::write(&token, "first").expect("written");
        std::fs::hard_link(&token, data.join("hard")).expect("a link");
        std::os::unix::fs::symlink("token", data.join("soft")).expect("a link");
        // A rotated token is a new file.
        for text in ["first", "second"] {
            for path in ["token", "./token", "hard", "soft"] {
                let refused = files.read(path).expect_err(path);
                assert_eq!(refused.message, format!("{path:?} {SECRET}"));
                files.place(path).expect_err(path);
                let written = files.write_atomically(path, |out| out.write_all(b"hacked"));
                written.expect_err(path);
            }
            assert_eq!(std::fs::read(&token).expect("readable"), text.as_bytes());
            std::fs::remove_file(data.join("hard")).expect("removed");
            std::fs::write(data.join("new"), "second").expect("written");
            std::fs::rename(data.join("new"), &token).expect("renamed");
            std::fs::hard_link(&token, data.join("hard")).expect("a link");
        }
        std::fs::write(data.join("other"), "open").expect("written");
        assert_eq!(files.read("other").expect("readable"), b"open");
    }

    #[test]
    fn t16_directories_are_created_only_inside() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        std::os::unix::fs::symlink(dir.path(), data.join("up")).expect("a link");
        std::fs::write(data.join("file"), "kept").expect("written");
        files.make_directories("a/b/c.json").expect("made");
        files.make_directories("a/b/c.json").expect("found");
        files.make_directories("c.json").expect("nothing to make");
        assert!(data.join("a/b").is_dir() && !data.join("a/b/c.json").exists());
        for path in ["../new/a", "up/new/a", "file/new/a", "/new/a", "a/\0/b", ""] {
            files.make_directories(path).expect_err(path);
        }
        let names = std::fs::read_dir(dir.path()).expect("readable");
        assert_eq!(names.count(), 1, "nothing new outside");
    }

    #[test]
    fn a_database_path_is_resolved_only_inside() {
        let (dir, files) = data_dir();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("data/up")).expect("a link");
        std::os::unix::fs::symlink("../x.db", dir.path().join("data/x.db")).expect("a link");
        for path in ["../x.db", "up/x.db", "x.db", "no/such/dir/runs.db"] {
            files.place(path).expect_err(path);
        }
        let lacking: Vec<bool> = ["no/x.db", "x.db", "../no/x.db", "up/no/x.db"]
            .into_iter()
            .map(|path| files.lacks_directory(path))
            .collect();
        assert_eq!(lacking, [true, false, false, true]);
        assert!(!files.place("runs.db").expect("inside").exists());
        for ending in COMPANIONS {
            let beside = dir.path().join(format!("data/runs.db{ending}"));
            std::os::unix::fs::symlink("../outside", &beside).expect("a link");
            let refused = files.place("runs.db").expect_err(ending);
            assert_eq!(
                refused.message,
                format!("\"runs.db{ending}\" is a symbolic link; name the file itself")
            );
            std::fs::remove_file(beside).expect("removed");
        }
    }
}
