//! The source of the token: resolves the command line's choice to a [`Token`], or none. Every
//! source holds one token on a line, or two while it is being replaced: the current one, which
//! clients send, and below it the old one, which servers still accept. A line's end is not part of
//! a token, so that a file, a variable filled from it, and typed input mean the same.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{core_dump, credential};
use crate::cli::{TOKEN_VARIABLE, TokenSource};
use crate::console::Console;
use crate::error::{Error, reason};
use crate::wire::guarded::{Content, GuardError, Guarded};
use crate::wire::token::Token;

/// The largest token file that is read, in bytes: a token that does not fit in a request would be
/// useless.
const LONGEST_FILE: usize = 64 * 1024;

/// The current token and the old one.
const MOST_TOKENS: usize = 2;

/// Where tokens were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenOrigin {
    /// There is no token.
    Nowhere,
    /// A file named on the command line.
    File(PathBuf),
    /// A file in systemd's credentials directory.
    Credential(PathBuf),
    /// A source that cannot be read again: "the variable X".
    Once(String),
}

/// Returns the token that a client sends.
pub(super) fn resolve(source: &TokenSource, console: &mut Console) -> Result<Option<Token>, Error> {
    let (tokens, _) = find(source, console)?;
    Ok(tokens.into_iter().next())
}

/// Returns the tokens that a server accepts, and where they were found: as the command line says,
/// otherwise in systemd's credentials, otherwise in the environment. In any case, this process no
/// longer dumps core.
pub(super) fn find(
    source: &TokenSource,
    console: &mut Console,
) -> Result<(Vec<Token>, TokenOrigin), Error> {
    core_dump::prevent();
    if let Some(variable) = &source.token_env {
        if variable.is_empty() {
            return Err(Error::usage(format!(
                "--token-env= names no variable; write --token-env=NAME, or --token-env alone for \
                 {TOKEN_VARIABLE}"
            )));
        }
        let text = variable_text(variable)?.ok_or_else(|| {
            Error::usage(format!("{variable} is not set; export it, or drop --token-env"))
        })?;
        return once(text, format!("the variable {variable}"));
    }
    if let Some(path) = &source.token_file {
        return TokenOrigin::File(path.clone()).read();
    }
    if source.token_prompt {
        let text = console.secret("Token: ").map_err(|error| {
            Error::usage(format!(
                "cannot ask for the token on a terminal ({}); give it with --token-env or \
                 --token-file",
                reason(&error)
            ))
        })?;
        return once(text, "the answer".to_owned());
    }
    if let Some(text) = &source.token {
        let found = once(text.clone(), "--token".to_owned())?;
        console.warn(
            "--token shows the token to every user of this machine; \
             --token-env and --token-file do not",
        );
        return Ok(found);
    }
    if let Some(path) = credential::find(credential::TOKEN)? {
        return TokenOrigin::Credential(path).read();
    }
    match variable_text(TOKEN_VARIABLE)? {
        Some(text) => once(text, format!("the variable {TOKEN_VARIABLE}")),
        None => Ok((Vec::new(), TokenOrigin::Nowhere)),
    }
}

impl TokenOrigin {
    /// Reads the tokens, if they are in a file; at least one, or an error.
    pub(super) fn tokens(&self) -> Result<Option<Vec<Token>>, Error> {
        let (path, content) = match self {
            Self::Nowhere | Self::Once(_) => return Ok(None),
            Self::File(path) => (path, Content::Secret),
            Self::Credential(path) => (path, Content::Credential),
        };
        let file = path.display();
        let (text, tokens) = (format!("the token file {file}"), format!("the file {file}"));
        parse(&read(path, content)?, &Source { text: &text, tokens: &tokens }).map(Some)
    }

    fn read(self) -> Result<(Vec<Token>, Self), Error> {
        let tokens = self.tokens()?;
        Ok((tokens.unwrap_or_default(), self))
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
            Err(Error::usage(format!("the variable {name} is not UTF-8, which a token must be")))
        }
    }
}

fn once(text: String, place: String) -> Result<(Vec<Token>, TokenOrigin), Error> {
    let tokens = parse(&Zeroizing::new(text), &Source { text: &place, tokens: &place })?;
    Ok((tokens, TokenOrigin::Once(place)))
}

/// The names of a text of tokens: as a text with lines, and as the source of tokens.
struct Source<'a> {
    text: &'a str,
    tokens: &'a str,
}

/// Parses the tokens of a text, one per line. Surrounding blanks are more often left by an editor
/// than part of a token, so they are refused, as control characters are anywhere.
fn parse(text: &str, source: &Source<'_>) -> Result<Vec<Token>, Error> {
    let Source { text: place, tokens } = source;
    let empty = || {
        Error::usage(format!(
            "the token from {tokens} is empty; give it a value, or leave the token out"
        ))
    };
    if text.lines().all(str::is_empty) {
        return Err(empty());
    }
    if text.lines().count() > MOST_TOKENS {
        return Err(Error::usage(format!(
            "{place} has more than {MOST_TOKENS} lines; give the token on the first \
             and, while it is being replaced, the old one on the second"
        )));
    }
    let token = |(number, line): (usize, &str)| {
        let unseen = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
        let refused = |what| Err(Error::usage(format!("line {} of {place} {what}", number + 1)));
        if line.chars().all(unseen) {
            return refused("is blank; remove it");
        }
        if line.starts_with(unseen) || line.ends_with(unseen) {
            return refused("begins or ends with a blank or an invisible character; remove that");
        }
        if line.contains(char::is_control) {
            return refused("has a control character in it; remove that");
        }
        Token::new(line).map_err(|_| empty())
    };
    text.lines().enumerate().map(token).collect()
}

fn read(path: &Path, content: Content) -> Result<Zeroizing<String>, Error> {
    let file = path.display();
    let text = Guarded { path, what: "the token file", content }.read(LONGEST_FILE);
    let mut bytes = text.map_err(|error| {
        Error::usage(match error {
            GuardError::Open(text) => text,
            GuardError::NotRegular => format!("the token file {file} is {error}"),
            GuardError::TooLong(_) => {
                format!("the token file {file} has {error}; give one that holds the token alone")
            }
            GuardError::Io(_) => format!("cannot read the token file {file}: {error}"),
        })
    })?;
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        Error::usage(format!("cannot read the token file {file}: it is not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        match parse(text, &Source { text: "the token file t", tokens: "the file t" }) {
            Ok(tokens) => Ok(tokens.iter().map(|token| token.expose().to_owned()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_file_holds_the_current_token_and_optionally_the_old_one_below() {
        for text in ["new", "new\n", "new\r\n"] {
            assert_eq!(read(text).expect("a token"), ["new"], "{text:?}");
        }
        for text in ["new\nold", "new\nold\n", "new\r\nold\r\n"] {
            assert_eq!(read(text).expect("tokens"), ["new", "old"], "{text:?}");
        }
        assert_eq!(read("with a blank").expect("a token"), ["with a blank"]);
        assert_eq!(read("nön-ÄSCII €").expect("a token"), ["nön-ÄSCII €"]);
    }

    #[test]
    fn a_variable_follows_the_same_rules_as_a_file() {
        let read = |text: &str| {
            let found = once(text.to_owned(), "the variable V".to_owned());
            found.map(|(tokens, _)| tokens.iter().map(|token| token.expose().to_owned()).collect())
        };
        for text in ["sesame", "sesame\n", "sesame\r\n"] {
            let tokens: Vec<String> = read(text).expect("a token");
            assert_eq!(tokens, ["sesame"], "{text:?}");
        }
        assert_eq!(read("new\nold\n").expect("tokens"), ["new", "old"]);
        for (text, refusal) in [
            ("", "the token from the variable V is empty; give it a value, or leave the token out"),
            (
                "\n",
                "the token from the variable V is empty; give it a value, or leave the token out",
            ),
            (
                "sesame ",
                "line 1 of the variable V begins or ends with a blank or an invisible character; \
                 remove that",
            ),
            ("ses\0ame", "line 1 of the variable V has a control character in it; remove that"),
        ] {
            assert_eq!(read(text).expect_err("refused").to_string(), refusal, "{text:?}");
        }
    }

    #[test]
    fn a_file_without_one_or_two_tokens_is_refused_with_the_line() {
        let empty = "the token from the file t is empty; give it a value, or leave the token out";
        let blank = |line| format!("line {line} of the token file t is blank; remove it");
        let padded = |line| {
            format!(
                "line {line} of the token file t begins or ends with a blank or an invisible \
                 character; remove that"
            )
        };
        for (text, refusal) in [
            ("", empty.to_owned()),
            ("\n", empty.to_owned()),
            ("\r\n\r\n", empty.to_owned()),
            ("  \n", blank(1)),
            ("\t", blank(1)),
            ("\nold", blank(1)),
            ("new\n\n", blank(2)),
            ("new\n \u{a0}", blank(2)),
            (" new", padded(1)),
            ("new\r", padded(1)),
            ("\u{feff}new", padded(1)),
            ("new\nold ", padded(2)),
            (
                "n\0ew",
                "line 1 of the token file t has a control character in it; remove that".to_owned(),
            ),
            (
                "a\nb\nc",
                "the token file t has more than 2 lines; give the token on the first and, while it \
                 is being replaced, the old one on the second"
                    .to_owned(),
            ),
        ] {
            assert_eq!(read(text), Err(refusal), "{text:?}");
        }
    }
}
