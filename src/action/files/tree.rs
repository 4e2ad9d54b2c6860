//! The files below a directory.

use std::io;
use std::path::{Path, PathBuf};

use super::{Files, SECRET, failure, is_hidden, refusal};
use crate::action::policy::FileAccess;
use crate::event::Failure;

/// Entries of directories that are looked at below one.
const MAX_ENTRIES: usize = 100_000;

/// Directories within each other that are looked into.
const MAX_DEPTH: usize = 32;

impl Files {
    /// Creates a directory and those above it, unless it exists.
    pub fn make_directory(&self, path: &str) -> Result<(), Failure> {
        let inside = self.relative(path)?;
        if inside.as_os_str().is_empty() || self.is_directory(path, &inside)? {
            return Ok(());
        }
        if inside.components().count() > MAX_DEPTH {
            return Err(refusal(path, "is too deep: directories are made up to 32 levels"));
        }
        let existing = inside.ancestors().skip(1).find(|above| self.dir.exists(above));
        self.check_links(path, existing.unwrap_or(Path::new("")))?;
        self.dir.create_dir_all(&inside).map_err(|error| failure(path, &error))
    }

    /// Whether there is a directory at a path inside; anything else there is refused.
    fn is_directory(&self, path: &str, inside: &Path) -> Result<bool, Failure> {
        self.check_links(path, inside)?;
        match self.dir.metadata(inside) {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(found) if self.is_secret(&found) => Err(refusal(path, SECRET)),
            Ok(_) => Err(refusal(path, "is no directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failure(path, &error)),
        }
    }

    /// The regular files below a directory whose names have an ending, by their paths from it, in order;
    /// hidden ones only where documents may use them. Links to directories are not followed. At most
    /// `most`, and whether there are more. `None` if the directory does not exist.
    pub fn below(
        &self,
        path: &str,
        ending: &str,
        most: usize,
    ) -> Result<Option<(Vec<String>, bool)>, Failure> {
        let inside = match self.relative(path)? {
            whole if whole.as_os_str().is_empty() => PathBuf::from("."),
            part => part,
        };
        if !self.is_directory(path, &inside)? {
            return Ok(None);
        }
        let root = self.dir.open_dir(&inside).map_err(|error| failure(path, &error))?;
        let (mut found, mut seen) = (Vec::new(), 0);
        let mut directories = vec![(PathBuf::new(), root)];
        while let Some((at, directory)) = directories.pop() {
            let entries = directory.entries().map_err(|error| failure(path, &error))?;
            for entry in entries {
                let entry = entry.map_err(|error| failure(path, &error))?;
                seen += 1;
                if seen > MAX_ENTRIES {
                    return Ok(Some((sorted(found), true)));
                }
                let place = at.join(entry.file_name());
                if self.access != FileAccess::All && is_hidden(&place) {
                    continue;
                }
                let kind = entry.file_type().map_err(|error| failure(path, &error))?;
                if kind.is_dir() && place.components().count() < MAX_DEPTH {
                    if let Ok(opened) = entry.open_dir() {
                        directories.push((place, opened));
                    }
                } else if !kind.is_dir()
                    && place.to_str().is_some_and(|place| place.ends_with(ending))
                {
                    if found.len() == most {
                        return Ok(Some((sorted(found), true)));
                    }
                    found.push(place.to_string_lossy().into_owned());
                }
            }
        }
        Ok(Some((sorted(found), false)))
    }
}

fn sorted(mut paths: Vec<String>) -> Vec<String> {
    paths.sort_unstable();
    paths
}

#[cfg(test)]
mod tests {
    use super::super::tests::data_dir;

    #[test]
    fn directories_are_made_inside_and_not_without_end() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        for path in ["a/b/", "a/b", ".", "c"] {
            files.make_directory(path).expect(path);
        }
        assert!(data.join("a/b").is_dir() && data.join("c").is_dir());
        std::fs::write(data.join("file"), "kept").expect("written");
        for path in ["../x", "file", "file/x", ".x", "", &"x/".repeat(33), &"x/".repeat(2048)] {
            files.make_directory(path).expect_err(path);
        }
        assert!(!data.join("x").exists());
    }

    #[cfg(unix)]
    #[test]
    fn files_are_listed_by_their_ending_and_neither_hidden_ones_nor_those_behind_links() {
        let (dir, files) = data_dir();
        let data = dir.path().join("data");
        for directory in ["a/b", ".git"] {
            std::fs::create_dir_all(data.join(directory)).expect("a directory");
        }
        for file in ["z.json", "a/x.json", "a/b/y.json", "a/.h.json", ".git/g.json", "a/t.txt"] {
            std::fs::write(data.join(file), "{}").expect("written");
        }
        std::os::unix::fs::symlink(dir.path(), data.join("up")).expect("a link");
        let list = |path: &str, most| files.below(path, ".json", most).expect(path);
        let all = Some((vec!["a/b/y.json".into(), "a/x.json".into(), "z.json".into()], false));
        assert_eq!(list(".", 9), all);
        assert_eq!(list(data.to_str().expect("text"), 9), all);
        assert_eq!(list("a/", 9), Some((vec!["b/y.json".into(), "x.json".into()], false)));
        assert!(list(".", 2).is_some_and(|(found, more)| found.len() == 2 && more));
        assert_eq!(list("none", 9), None);
        for path in ["..", "up", "/etc", "z.json", ".git", "", "a/../.."] {
            files.below(path, ".json", 9).expect_err(path);
        }
    }
}
