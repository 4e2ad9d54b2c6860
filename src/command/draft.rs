//! Files that appear when they are whole: written beside their name and renamed, so that a full disk, a
//! fault or a signal leaves what was there before. A symbolic link stays one: the file that it leads to
//! is replaced.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// How often another name is tried, if one is taken.
const ATTEMPTS: usize = 10;

/// A file that is not complete yet; removed unless it is kept.
#[derive(Debug)]
pub(super) struct Draft {
    file: File,
    /// Where it is, and where it shall be; none for what is written in its place.
    renaming: Option<(PathBuf, PathBuf)>,
}

impl Draft {
    /// Begins a file at a path, which only this user can read. What is not a file, such as /dev/null or a
    /// pipe, cannot be replaced: it is written in its place.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self { file, renaming: None });
        }
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if path.file_name().is_none() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut attempts = 1;
        loop {
            let draft = path.with_file_name(format!(".ldctl-{:08x}", fastrand::u32(..)));
            match options.open(&draft) {
                Ok(file) => return Ok(Self { file, renaming: Some((draft, path)) }),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && attempts < ATTEMPTS =>
                {
                    attempts += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes sure that a file can be written, and leaves everything as it is.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            // Opening a pipe would wait for its reader.
            Ok(found) if !found.is_file() => Ok(()),
            _ => Self::open(path).map(drop),
        }
    }

    /// Writes a file.
    pub(super) fn write(
        path: &Path,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        Self::open(path)?.filled(content)
    }

    /// Writes a file in place of another, whose mode it takes.
    pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
        let draft = Self::open(path)?;
        if draft.renaming.is_some() {
            draft.file.set_permissions(mode(path)?)?;
        }
        draft.filled(|out| out.write_all(text.as_bytes()))
    }

    fn filled(mut self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut out = BufWriter::new(&mut self.file);
        content(&mut out)?;
        out.flush()?;
        drop(out);
        self.keep()
    }

    /// Ends the file: it is there from now on.
    pub(super) fn keep(mut self) -> io::Result<()> {
        if let Some((draft, path)) = &self.renaming {
            self.file.sync_all()?;
            fs::rename(draft, path)?;
            self.renaming = None;
        }
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some((draft, _)) = &self.renaming {
            let _ = fs::remove_file(draft);
        }
    }
}

fn mode(path: &Path) -> io::Result<Permissions> {
    fs::metadata(path).map(|found| found.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in a directory.
    fn names(directory: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<String> =
            directory.read_dir().unwrap().map(|entry| name(entry).unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_could_not_be_filled_is_what_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let full = |out: &mut dyn Write| {
            out.write_all(b"half of it")?;
            out.flush()?;
            Err(io::ErrorKind::StorageFull.into())
        };
        Draft::write(&path, full).unwrap_err();
        assert_eq!(names(directory.path()), [""; 0]);
        fs::write(&path, "before").unwrap();
        Draft::write(&path, full).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        Draft::check(&path).unwrap();
        assert_eq!(names(directory.path()), ["a"]);
        Draft::write(&path, |out| out.write_all(b"after")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(names(directory.path()), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_one_and_what_it_leads_to_is_replaced_with_its_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let [within, link] = ["within", "link"].map(|name| directory.path().join(name));
        fs::create_dir(&within).unwrap();
        let file = within.join("a");
        fs::write(&file, "before").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        Draft::replace(&link, "after").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        Draft::write(&link, |out| out.write_all(b"private")).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(link.is_symlink());
        assert_eq!((names(&within), names(directory.path()).len()), (vec!["a".to_owned()], 2));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_file_is_written_in_its_place() {
        Draft::replace(Path::new("/dev/null"), "text").unwrap();
        Draft::check(Path::new("/dev/null")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
