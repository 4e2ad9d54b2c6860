//! `ldctl fmt`: writes documents in one form, so that changes of them show what matters. A file is
//! replaced whole, and keeps its mode.

use super::document::{self, Taker};
use super::draft::Draft;
use crate::action::{Document, Finding, Located, pretty};
use crate::cli::Fmt;
use crate::console::Console;
use crate::error::{Error, Exit, reason};
use crate::load::TestLimits;
use crate::value::Syntax;

pub(super) fn fmt(args: &Fmt, console: &mut Console) -> Result<Exit, Error> {
    document::stdin_once(&args.files)?;
    // All are read before the first one is written.
    let mut changed = Vec::new();
    let mut printed = None;
    for path in &args.files {
        let (text, place) = document::load(path, Taker::Verb("fmt"))?;
        if Syntax::of(path) != Syntax::Json {
            return Err(Error::usage(format!(
                "{place}: only JSON is formatted: the comments of YAML and TOML would be lost"
            )));
        }
        let new = lines(&text, &place)?;
        let is_stdin = path.as_os_str() == "-";
        if is_stdin && !args.check {
            printed = Some(new);
        } else if new != text {
            changed.push((path, place, new));
        }
    }
    if let Some(text) = printed {
        console.write(text.as_bytes());
    }
    for (path, place, new) in &changed {
        if args.check {
            console.write(format!("{place}\n").as_bytes());
        } else {
            Draft::replace(path, new).map_err(|error| {
                Error::usage(format!("cannot write {place}: {}", reason(&error)))
            })?;
        }
    }
    Ok(if args.check && !changed.is_empty() { Exit::ActionFailed } else { Exit::Done })
}

fn lines(text: &str, place: &str) -> Result<String, Error> {
    let value = document::json(text, place)?;
    if document::infinite(&value).is_some() {
        let why = "a number in it is larger than any that is computed with";
        return Err(Error::usage(format!("{place}: {why}")));
    }
    if let Some(Located { finding, line, column, .. }) = document::repetition(&value, text) {
        let Finding { message, place: member, .. } = finding;
        return Err(Error::usage(format!("{place}:{line}:{column}: {member} {message}")));
    }
    Document::within(&value, TestLimits::default())
        .map_err(|_| Error::usage(format!("{place}: not a document, and not changed")))?;
    Ok(pretty(value))
}
