//! Files that ldctl writes for people: never over one that exists, unless it was told to.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, reason};

/// Writes a file; one that exists is replaced only if `force` is set.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(force).create(force).create_new(!force);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let path = path.display();
        Error::usage(match error.kind() {
            ErrorKind::AlreadyExists => format!("{path} exists; add --force to replace it"),
            _ => format!("cannot write {path}: {}", reason(&error)),
        })
    })
}
