//! Files that ldctl writes for people: never over one that exists, unless it was told to, and then whole.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::draft::Draft;
use crate::error::{Error, reason};
use crate::value::Syntax;

/// Writes a file; one that exists is replaced only if `force` is set.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<(), Error> {
    let written = match force && path.exists() {
        true => Draft::replace(path, text),
        false => create(path, text),
    };
    written.map_err(|error| {
        let path = path.display();
        Error::usage(match error.kind() {
            ErrorKind::AlreadyExists => format!("{path} exists; add --force to replace it"),
            _ => format!("cannot write {path}: {}", reason(&error)),
        })
    })
}

/// Refuses a file of another syntax: a document is written as JSON.
pub(super) fn must_be_json(path: &Path, verb: &str) -> Result<(), Error> {
    match Syntax::of(path) {
        Syntax::Json => Ok(()),
        _ => {
            let json = path.with_extension("json");
            Err(Error::usage(format!("{verb} writes JSON; name the file {}", json.display())))
        }
    }
}

/// Writes a new file; what could not be written whole is removed.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}
