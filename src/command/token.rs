//! Where the token comes from: the command line's choice becomes a [`Token`], or the absence of one.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use crate::cli::{TOKEN_VARIABLE, TokenSource};
use crate::console::Console;
use crate::error::{Error, reason};
use crate::wire::token::Token;

/// The longest token file that is read, in bytes: a token that did not fit a request would be useless.
const LONGEST_FILE: u64 = 64 * 1024;

/// The token that the command line names, or that the environment holds.
pub(super) fn resolve(source: &TokenSource, console: &mut Console) -> Result<Option<Token>, Error> {
    if let Some(variable) = &source.token_env {
        let text = variable_text(variable)?.ok_or_else(|| {
            Error::usage(format!("{variable} is not set: export it, or drop --token-env"))
        })?;
        return checked(text, &format!("the variable {variable}")).map(Some);
    }
    if let Some(path) = &source.token_file {
        return checked(read(path)?, &format!("the file {}", path.display())).map(Some);
    }
    if source.token_prompt {
        let text = console.secret("Token: ").map_err(|error| {
            Error::usage(format!("cannot ask for the token: {}", reason(&error)))
        })?;
        return checked(text, "the answer").map(Some);
    }
    if let Some(text) = &source.token {
        let token = checked(text.clone(), "--token")?;
        console.warn(
            "--token shows the token to every user of this machine; \
             --token-env and --token-file do not",
        );
        return Ok(Some(token));
    }
    match variable_text(TOKEN_VARIABLE)? {
        Some(text) => checked(text, &format!("the variable {TOKEN_VARIABLE}")).map(Some),
        None => Ok(None),
    }
}

/// The variables that hold the token, which no document may read.
pub(super) fn variables(source: &TokenSource) -> Vec<String> {
    let mut names = vec![TOKEN_VARIABLE.to_owned()];
    names.extend(source.token_env.clone().filter(|name| name != TOKEN_VARIABLE));
    names
}

fn variable_text(name: &str) -> Result<Option<String>, Error> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::usage(format!("the variable {name} is not UTF-8: a token must be")))
        }
    }
}

fn checked(text: String, place: &str) -> Result<Token, Error> {
    Token::new(text).map_err(|_| {
        Error::usage(format!(
            "the token from {place} is empty: give it a value, or leave the token out"
        ))
    })
}

/// A token file's text without the line end that an editor leaves.
fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |error: io::Error| {
        Error::usage(format!("cannot read the token file {}: {}", path.display(), reason(&error)))
    };
    // Before opening as well: opening a FIFO would wait for a writer.
    check(path, &path.metadata().map_err(unreadable)?)?;
    let file = File::open(path).map_err(unreadable)?;
    check(path, &file.metadata().map_err(unreadable)?)?;
    let mut text = String::new();
    file.take(LONGEST_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(Error::usage(format!(
            "the token file {} has more than {LONGEST_FILE} bytes: give one that holds the token alone",
            path.display()
        )));
    }
    let end = text.strip_suffix('\n').map_or(text.len(), |line| line.trim_end_matches('\r').len());
    text.truncate(end);
    Ok(text)
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    if !metadata.is_file() {
        return Err(Error::usage(format!("the token file {} is no regular file", path.display())));
    }
    if readable_by_others(metadata) {
        return Err(Error::usage(format!(
            "other users can read the token file {0}: chmod 600 {0}",
            path.display()
        )));
    }
    Ok(())
}

#[cfg(unix)]
fn readable_by_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o044 != 0
}

/// Elsewhere the file's access list is the owner's business.
#[cfg(not(unix))]
fn readable_by_others(_metadata: &Metadata) -> bool {
    false
}
