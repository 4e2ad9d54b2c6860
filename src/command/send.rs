//! `ldctl send`: a document that was checked here goes to a server, and its replies are printed as
//! they arrive, whichever dialect they are in.

use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::document::{self, Local, TestTimes};
use super::{block_on, connection, signal, token};
use crate::cli::Send;
use crate::client::{Ask, ClientError, Endpoint, Refusal, Reply};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::{Event, FailureKind};
use crate::wire::token::Token;

/// How long a connection may take when nothing else is said.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may say nothing when nothing else is said. LoadDensity's own says nothing
/// until the last action has ended, so a long test must fit.
const SILENCE: Duration = Duration::from_secs(3600);

pub(super) fn send(args: &Send, console: &mut Console) -> Result<Exit, Error> {
    let local = match (&args.json, &args.file) {
        (Some(text), _) => document::check(text.clone(), "--json")?,
        (None, Some(path)) => document::read(path)?,
        (None, None) => return Err(Error::usage("no document: name a file, or give --json")),
    };
    let timeout = args.timeout.map(Duration::from_secs_f64);
    let endpoint = connection::resolve(&args.connection, timeout.unwrap_or(CONNECT), console)?;
    let token = token::resolve(&args.token, console)?;
    console.replies(args.printing.output.into(), args.printing.quiet);
    let silence = timeout.unwrap_or(SILENCE);
    block_on(signal::unless_interrupted(converse(
        &endpoint,
        token.as_ref(),
        &local,
        silence,
        console,
    )))
}

async fn converse(
    endpoint: &Endpoint,
    token: Option<&Token>,
    local: &Local,
    silence: Duration,
    console: &mut Console,
) -> Result<Exit, Error> {
    let document: &RawValue = serde_json::from_str(&local.text)
        .map_err(|error| Error::usage(format!("the document is not JSON: {error}")))?;
    let failure = |error: ClientError| connection::failure(&error);
    let connection = endpoint.connect().await.map_err(failure)?;
    let mut replies =
        connection.ask(Ask::Command(document), token, Some(silence)).await.map_err(failure)?;
    let mut listener = Listener::new(&local.test_times, console);
    while let Some(reply) = replies.next().await.map_err(failure)? {
        listener.hear(reply);
    }
    listener.verdict(endpoint).map_err(failure)
}

/// Prints replies and keeps what the exit code depends on.
struct Listener<'a> {
    test_times: &'a TestTimes,
    console: &'a mut Console,
    begun: Instant,
    failed: usize,
    busy: bool,
    refusal: Option<Refusal>,
    dialect: Option<Dialect>,
}

/// What the server speaks, and in the event dialect whether it has come to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Lines,
    Events { done: bool },
}

impl<'a> Listener<'a> {
    fn new(test_times: &'a TestTimes, console: &'a mut Console) -> Self {
        Self {
            test_times,
            console,
            begun: Instant::now(),
            failed: 0,
            busy: false,
            refusal: None,
            dialect: None,
        }
    }

    fn hear(&mut self, reply: Reply) {
        match reply {
            Reply::Event(event) => self.event(event),
            Reply::Line(line) => self.line(&line),
        }
    }

    fn event(&mut self, event: Event) {
        self.console.event(&event, self.test_times.of(&event));
        let mut done = false;
        match event {
            Event::Result(result) if !result.ok => {
                self.failed += 1;
                self.busy |= result.error.is_some_and(|error| error.kind == FailureKind::Busy);
            }
            Event::Error { kind, message } => {
                self.refusal = Some(Refusal::new(kind, message));
                done = true;
            }
            Event::Done { failed, .. } => {
                self.failed = self.failed.max(failed);
                done = true;
            }
            _ => {}
        }
        self.dialect = Some(Dialect::Events { done });
    }

    /// A line of the text dialect. A refusal comes alone, before any record.
    fn line(&mut self, line: &str) {
        if self.dialect.is_none()
            && let Some(refusal) = Refusal::of_line(line)
        {
            let (kind, message) = (refusal.kind, refusal.message.clone());
            self.console.event(&Event::Error { kind, message }, None);
            self.refusal = Some(refusal);
        } else {
            let ok = !is_exception(line);
            self.failed += usize::from(!ok);
            self.console.reply_line(line, ok);
        }
        self.dialect = Some(Dialect::Lines);
    }

    fn verdict(self, endpoint: &Endpoint) -> Result<Exit, ClientError> {
        if let Some(refusal) = self.refusal {
            return Err(ClientError::refused(endpoint.address(), refusal));
        }
        match self.dialect {
            Some(Dialect::Events { done: false }) => {
                return Err(ClientError::Truncated { address: endpoint.address() });
            }
            Some(Dialect::Events { done: true }) => {}
            // The end, which the event dialect has of itself.
            Some(Dialect::Lines) | None => {
                let (ok, failed) = (self.failed == 0, self.failed);
                let elapsed_s = self.begun.elapsed().as_secs_f64();
                self.console.event(&Event::Done { ok, failed, elapsed_s }, None);
            }
        }
        Ok(match self.failed {
            _ if self.busy => Exit::Busy,
            0 => Exit::Done,
            _ => Exit::ActionFailed,
        })
    }
}

/// Whether a line is an exception as Python's `repr()` writes it: `KeyError('x')`.
fn is_exception(line: &str) -> bool {
    let Some((name, arguments)) = line.split_once('(') else { return false };
    let named = name.ends_with("Error") || name.ends_with("Exception");
    named
        && arguments.ends_with(')')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_an_exception_is_a_failure() {
        for line in [
            "LoadDensityTestExecuteException(\"executor received invalid data ['LD_nope']\")",
            "KeyError('x')",
            "TimeoutError()",
            "sqlite3.OperationalError('no such table: x')",
        ] {
            assert!(is_exception(line), "{line}");
        }
        for line in ["None", "{'error': 'KeyError(1)'}", "an Error (of a kind)", "Error", "Error("]
        {
            assert!(!is_exception(line), "{line}");
        }
    }
}
