//! Path confinement: no name, however it is spelled, reads, resolves or replaces anything outside
//! the data directory.

use std::cell::LazyCell;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use ldctl::action::Files;
use ldctl::memory::Memory;
use tempfile::TempDir;

use super::support::{one_line, options};

/// What every file outside holds.
const OUTSIDE: &[u8] = b"outside";

/// What every file inside holds.
const INSIDE: &[u8] = b"inside";

/// A directory with a data directory in it, links that lead out and around, and files that must
/// never be reached.
struct Place {
    _outer: TempDir,
    root: PathBuf,
    files: Files,
}

impl Place {
    fn new() -> io::Result<Self> {
        let outer = tempfile::tempdir()?;
        let top = outer.path().canonicalize()?;
        let root = top.join("data");
        fs::create_dir_all(root.join("sub/deep"))?;
        fs::write(top.join("secret"), OUTSIDE)?;
        fs::write(top.join("data2"), OUTSIDE)?;
        for name in ["a", "b.csv", "sub/a", "sub/deep/a", "..a", "a ", "secret"] {
            fs::write(root.join(name), INSIDE)?;
        }
        for (name, to) in [
            ("out", "../secret"),
            ("up", ".."),
            ("abs", top.to_str().unwrap_or_default()),
            ("shadow", "/etc/shadow"),
            ("loop", "loop"),
            ("in", "sub/a"),
            ("around", "sub/../a"),
            ("sub/up", ".."),
            ("sub/upup", "../.."),
        ] {
            link(Path::new(to), &root.join(name))?;
        }
        Ok(Self { files: Files::open(&root)?, root, _outer: outer })
    }
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// The first byte chooses what is done with the path, which is the rest; 0x01 in it stands for the
/// absolute path of the data directory.
pub fn check(data: &[u8]) {
    thread_local! {
        static PLACE: LazyCell<Place> = LazyCell::new(|| Place::new().expect("a directory"));
    }
    let ([choice], path) = options::<1>(data);
    let Ok(path) = std::str::from_utf8(path) else { return };
    PLACE.with(|place| {
        let path = path.replace('\u{1}', &place.root.to_string_lossy());
        act(choice % 5, &path, place);
    });
}

fn act(choice: u8, path: &str, place: &Place) {
    let files = &place.files;
    let failure = match choice {
        0 => files
            .read_within(path, &Memory::new(usize::MAX))
            .map(|bytes| assert_eq!(&*bytes, INSIDE, "{path:?}")),
        1 => files.place(path).map(|found| within(&found.file(), path, place)),
        2 => files.identity(path).map(|found| within(&place.root.join(found), path, place)),
        3 => {
            if files.lacks_directory(path) {
                // Such a directory can be made: it must lie inside.
                assert!(!steps_out(path, place), "{path:?}");
            }
            return;
        }
        _ => {
            let stopped = || io::Error::other("stopped");
            let written = files.write_atomically(path, |_| Err(stopped()));
            written.map(|found| panic!("{found:?} was written"))
        }
    };
    if let Err(failure) = failure {
        one_line(&failure.to_python());
        one_line(&failure.message);
        assert!(failure.message.len() < 3 * path.len() * 4 + 200, "{}", failure.message);
    }
}

/// A path that was found lies inside, and so does what it leads to.
fn within(found: &Path, written: &str, place: &Place) {
    let plain = found.components().all(|step| !matches!(step, Component::ParentDir));
    assert!(plain && found.starts_with(&place.root), "{written:?}: {found:?}");
    // What does not exist yet will be made in a directory that does.
    let led = found.canonicalize().or_else(|_| found.parent().unwrap_or(found).canonicalize());
    assert!(led.is_ok_and(|led| led.starts_with(&place.root)), "{written:?}: {found:?}");
}

/// Whether a path leads out by its spelling alone.
fn steps_out(path: &str, place: &Place) -> bool {
    let path = Path::new(path);
    let relative = if path.is_absolute() {
        let Ok(relative) = path.strip_prefix(&place.root) else { return true };
        relative
    } else {
        path
    };
    relative.components().any(|step| matches!(step, Component::ParentDir))
}
