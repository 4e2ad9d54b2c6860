//! `ldctl send`: sends a checked document to a server, and prints its replies as they arrive, in
//! either dialect.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::document;
use super::setup::block_on;
use super::{connection, signal};
use crate::cli::Send;
use crate::client::{CONNECT_TIMEOUT, ClientError, Endpoint, diagnose};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::{Event, FailureKind};
use crate::load::TestLimits;
use crate::wire::dialect::Reply;
use crate::wire::refusal::Refusal;
use crate::wire::request::Request;
use crate::wire::text::read_failure;
use crate::wire::token::Token;

/// The default timeout of replies. LoadDensity's own server sends nothing until the last action has
/// ended, so a long test must fit.
const SILENCE: Duration = Duration::from_secs(3600);

pub(super) fn send(args: &Send, console: &mut Console) -> Result<Exit, Error> {
    // The limits are for the server to enforce.
    let limits = TestLimits::default();
    let local = match (&args.json, &args.file) {
        (Some(text), _) => document::check(text, "--json", limits, &|_| None)?,
        (None, Some(path)) => document::read(path, limits, &|_| None)?,
        (None, None) => {
            return Err(Error::usage("no document; name a file, - for stdin, or give --json"));
        }
    };
    let timeout = args.timeout.map(Duration::from_secs_f64);
    let patience = timeout.unwrap_or(CONNECT_TIMEOUT);
    let (endpoint, token) = connection::resolve(&args.connection, &args.token, patience, console)?;
    console.replies(args.printing.output, args.printing.quiet);
    console.document(&local.name);
    local.warn(console);
    let silence = timeout.unwrap_or(SILENCE);
    let sent = Cell::new(false);
    let exit = block_on(signal::unless_interrupted(converse(
        &endpoint,
        token.as_ref(),
        &local.written,
        silence,
        &sent,
        console,
    )))?;
    if exit == Exit::Interrupted && sent.get() {
        console.warn(&format!(
            "the document keeps running at {}; `ldctl stop` with the same options stops its test",
            endpoint.address()
        ));
    }
    Ok(exit)
}

async fn converse(
    endpoint: &Endpoint,
    token: Option<&Token>,
    document: &RawValue,
    silence: Duration,
    sent: &Cell<bool>,
    console: &mut Console,
) -> Result<Exit, Error> {
    let mut listener = Listener::new(sent, console);
    let outcome = listener.listen(endpoint, Request::run(document), token, silence).await;
    let failure = match outcome {
        Ok(exit) => return Ok(exit),
        // A reply that has begun identifies the port; without one a diagnosis may.
        Err(error) if listener.received => error,
        Err(error) => diagnose(endpoint, error).await,
    };
    Err(connection::failure(&failure))
}

/// Prints replies and keeps what the exit code depends on.
struct Listener<'a> {
    /// Whether the document has been sent.
    sent: &'a Cell<bool>,
    console: &'a mut Console,
    started: Instant,
    /// Whether any reply was received.
    received: bool,
    /// Whether the server has reported the end, as in the event dialect.
    done: bool,
    failed: usize,
    busy: bool,
}

impl<'a> Listener<'a> {
    fn new(sent: &'a Cell<bool>, console: &'a mut Console) -> Self {
        let started = Instant::now();
        Self { sent, console, started, received: false, done: false, failed: 0, busy: false }
    }

    async fn listen(
        &mut self,
        endpoint: &Endpoint,
        request: Request<&RawValue>,
        token: Option<&Token>,
        silence: Duration,
    ) -> Result<Exit, ClientError> {
        let mut replies = endpoint.ask(request, token, silence).await?;
        self.sent.set(true);
        while let Some(reply) = replies.next().await? {
            self.received = true;
            let refusal = replies.refusal(&reply);
            match reply {
                Reply::Event(event) => self.event(&event),
                Reply::Line(line) if refusal.is_some() => self.refused(&line),
                Reply::Line(line) => self.line(&line),
            }
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
        }
        if !replies.is_complete() {
            return Err(ClientError::Truncated { address: endpoint.address() });
        }
        Ok(self.verdict())
    }

    fn event(&mut self, event: &Event) {
        self.console.event(event);
        match event {
            Event::Result(result) if !result.ok => {
                self.failed += 1;
                let kind = result.error.as_ref().map(|error| error.kind);
                self.busy |= kind == Some(FailureKind::Busy);
            }
            Event::Done { failed, .. } => {
                self.failed = self.failed.max(*failed);
                self.done = true;
            }
            _ => {}
        }
    }

    /// Handles a line of the text dialect that refuses the request. With text output it goes only
    /// to stderr.
    fn refused(&mut self, line: &str) {
        if let Some(Refusal { kind, message }) = Refusal::of_line(line) {
            self.console.event(&Event::Error { kind, message });
        }
    }

    fn line(&mut self, line: &str) {
        let failure = read_failure(line);
        self.failed += usize::from(failure.is_some());
        self.busy |= failure == Some(FailureKind::Busy);
        self.console.reply_line(line, failure.is_none());
    }

    fn verdict(&mut self) -> Exit {
        let (ok, failed) = (self.failed == 0, self.failed);
        if !self.done {
            let elapsed_s = self.started.elapsed().as_secs_f64();
            self.console.event(&Event::Done { ok, failed, elapsed_s, run: None, state: None });
        }
        match failed {
            _ if self.busy => Exit::Busy,
            0 => Exit::Done,
            _ => Exit::ActionFailed,
        }
    }
}
