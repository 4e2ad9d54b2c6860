//! How the program ends: one exit code per cause, and the error that carries it up to `main`.
//!
//! A message has one form, in which only the second part is always present:
//! `place: what is wrong (why); what to do`. It never contains the system's error number.

use std::fmt;

/// The exit codes. The code alone tells a script what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// An action failed, or the output could not be written.
    ActionFailed = 1,
    /// The command line or a local file is wrong; nothing was sent.
    Usage = 2,
    /// The server cannot be reached, TLS failed, timed out, or not a control server.
    Unreachable = 3,
    /// The token was refused.
    Refused = 4,
    /// The server is busy.
    Busy = 5,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the program: the exit code, and one line that says what to change.
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    message: String,
}

impl Error {
    /// An error with its exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A wrong command line or local file.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A server that does not reply as it should.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, message)
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// An error and all its sources in one line, without repetitions.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = reason(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let text = reason(cause);
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}

/// An error's text without the system's number (` (os error 2)`), also where it quotes an I/O
/// error.
pub fn reason(error: &(impl fmt::Display + ?Sized)) -> String {
    let text = error.to_string();
    let mut pieces = text.split(" (os error ");
    let mut words = pieces.next().unwrap_or_default().to_owned();
    pieces.filter_map(|piece| piece.split_once(')')).for_each(|(_, rest)| words.push_str(rest));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_no_number() {
        let missing = std::fs::metadata("no/such/file").expect_err("no file");
        assert!(!reason(&missing).contains("os error"), "{}", reason(&missing));
        assert_eq!(reason(&std::io::Error::from(std::io::ErrorKind::BrokenPipe)), "broken pipe");
        for (text, words) in [
            ("gone (os error 2)", "gone"),
            (
                "I/O error: gone (os error 2); give another (os error -5)",
                "I/O error: gone; give another",
            ),
            ("cut (os error 1", "cut"),
        ] {
            assert_eq!(reason(text), words);
        }
    }

    #[test]
    fn a_chain_names_each_cause_once_and_without_numbers() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read a.json{0}")]
        struct Outer(String, #[source] std::io::Error);
        let missing = || std::fs::metadata("no/such/file").expect_err("no file");
        let words = reason(&missing());
        assert_eq!(chain(&Outer(String::new(), missing())), format!("cannot read a.json: {words}"));
        let said = format!(" ({words})");
        assert_eq!(chain(&Outer(said.clone(), missing())), format!("cannot read a.json{said}"));
    }
}
