//! `ldctl send` and `ldctl attach`: sends a checked document to a server, or asks for the events of
//! a run, and prints the replies as they arrive, in either dialect.

use std::pin::{Pin, pin};
use std::slice;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::time::sleep;

use super::cluster;
use super::connection;
use super::document::{self, Source, Taker};
use super::fan_out;
use super::overrides;
use super::report::Wanted;
use super::report_files::{self, Reports};
use super::setup::block_on;
use super::signal::Interrupt;
use crate::action::{Surroundings, Where, environment};
use crate::cli::{Attach, Send};
use crate::client::{CONNECT_TIMEOUT, ClientError, Endpoint, confirm, diagnose, stop};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::{ErrorKind, Event, FailureKind, ReportFormat, State};
use crate::load::{MOST_SECONDS, MOST_TASKS, MOST_USERS, TestLimits};
use crate::value::Value;
use crate::wire::dialect::Reply;
use crate::wire::frame::Mode;
use crate::wire::op::Op;
use crate::wire::parameters::{MOST_DETAIL, Parameters, check_name};
use crate::wire::refusal::Refusal;
use crate::wire::request::Request;
use crate::wire::text::read_failure;
use crate::wire::token::Token;

/// How long the request to stop a run may take: the server waits up to 8 s for its test.
const STOPPING: Duration = Duration::from_secs(12);

/// How long a control server may take for its first reply or for one to a ping, unless there is a
/// timeout: it accepts a document at once, and one without events replies to pings while it runs.
const CONFIRMATION: Duration = CONNECT_TIMEOUT;

/// How much of that passes before the ping is sent, and before it is said that the server is silent.
const QUIET: Duration = Duration::from_secs(2);

pub(super) fn send(args: &Send, verbose: u8, console: &mut Console) -> Result<Exit, Error> {
    if !args.fan_out.is_empty() {
        return fan_out::send(args, verbose, console);
    }
    cluster::needs_master(&args.overrides.cluster)?;
    // Files, the environment and the limits are the server's.
    let limits = TestLimits { users: MOST_USERS, seconds: MOST_SECONDS, tasks: MOST_TASKS };
    let rules = limits.into();
    let around = Surroundings { place: Where::Server, rules, ..Surroundings::unknown() };
    let overrides = overrides::resolve(&args.overrides, None)?;
    let local = match (&args.json, &args.file) {
        (Some(text), _) => document::of_text(&Source::json(text), "--json", &overrides, &around)?,
        (None, Some(path)) => document::read(path, Taker::Verb("send"), &overrides, &around)?,
        (None, None) => {
            return Err(Error::usage("no document; name a file, - for stdin, or give --json"));
        }
    };
    overrides::must_be_taken(&overrides, slice::from_ref(&local))?;
    let reports = Reports::resolve(&args.overrides.report, args.file.as_slice())?;
    if reports.database.is_some() {
        return Err(Error::usage("--report db= is for run; LD_persist_records writes on a server"));
    }
    if args.detach && !reports.is_empty() {
        return Err(Error::usage(
            "--detach waits for no report; run ldctl report when it has ended",
        ));
    }
    console.replies(args.printing.output, args.printing.quiet);
    if !args.checking.no_check {
        document::without_errors(slice::from_ref(&local), "sent", console)?;
    }
    let timeout = args.timeout.map(Duration::from_secs_f64);
    let patience = timeout.unwrap_or(CONNECT_TIMEOUT);
    let (endpoint, token) = connection::resolve(&args.connection, &args.token, patience, console)?;
    let needs = [
        ("--name", args.name.is_some()),
        ("--detach", args.detach),
        ("--queue", args.queue.is_some()),
        ("--report", !reports.is_empty()),
    ];
    connection::framed(&endpoint, &args.connection, &needs)?;
    if endpoint.mode == Mode::Legacy && verbose > 0 {
        console.advise("a server sends no details (-v) to an unframed request");
    }
    console.document(&local.name);
    local.warn(console);
    let names =
        Value::parse(local.written.get()).map(|document| environment(&document, Vec::new()));
    if let Some(names) = names.ok().filter(|names| !names.is_empty()) {
        console.note(&format!(
            "{}: the server must have these environment variables, and allow them (ldctl serve \
             --allow-env): {}",
            local.name,
            names.join(", ")
        ));
    }
    let parameters = Parameters {
        name: args.name.clone(),
        detach: args.detach,
        queue: args.queue.map(Duration::from_secs_f64),
        ..Parameters::default()
    };
    let needs_runs = parameters != Parameters::default();
    let file = args.file.as_deref().map(document::name).filter(|file| check_name(file).is_ok());
    let parameters = Parameters { verbose: verbose.min(MOST_DETAIL), file, ..parameters };
    let request = Request::run(&*local.written).with(parameters);
    let role = if args.detach { Role::Detach } else { Role::Hold };
    let silence = timeout.unwrap_or(connection::SILENCE);
    let talk = Talk {
        endpoint: &endpoint,
        token: token.as_ref(),
        silence,
        confirmation: CONFIRMATION.min(silence),
        role,
        needs_runs,
    };
    block_on(converse(talk, request, &reports, console))
}

pub(super) fn attach(args: &Attach, console: &mut Console) -> Result<Exit, Error> {
    let timeout = args.timeout.map(Duration::from_secs_f64);
    let patience = timeout.unwrap_or(CONNECT_TIMEOUT);
    let (endpoint, token) = connection::resolve(&args.connection, &args.token, patience, console)?;
    connection::framed(&endpoint, &args.connection, &[("ldctl attach", true)])?;
    console.replies(args.printing.output, args.printing.quiet);
    let parameters = Parameters { run: args.run, ..Parameters::default() };
    let request = Request::new(Op::Attach).with(parameters);
    let silence = timeout.unwrap_or(connection::SILENCE);
    let (role, needs_runs) = (Role::Watch, true);
    let talk = Talk {
        endpoint: &endpoint,
        token: token.as_ref(),
        silence,
        confirmation: CONFIRMATION.min(silence),
        role,
        needs_runs,
    };
    block_on(converse(talk, request, &Reports::default(), console))
}

/// What the connection is to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The run ends with it.
    Hold,
    /// It ends when the run is accepted.
    Detach,
    /// Another one requested the run.
    Watch,
}

/// A server, and how to talk to it.
#[derive(Clone, Copy)]
struct Talk<'a> {
    endpoint: &'a Endpoint,
    token: Option<&'a Token>,
    silence: Duration,
    /// How long its first reply may take, or that to a ping which asks whether it is a control server.
    confirmation: Duration,
    role: Role,
    /// Whether the request says something that only servers with runs understand.
    needs_runs: bool,
}

async fn converse(
    talk: Talk<'_>,
    request: Request<&RawValue>,
    reports: &Reports,
    console: &mut Console,
) -> Result<Exit, Error> {
    let mut interrupt = Interrupt::listen()?;
    let mut listener = Listener::new(talk, console);
    let outcome = listener.listen(request, &mut interrupt).await;
    let failure = match outcome {
        Ok(exit) => {
            let exit = fetch(reports, exit, &mut listener, &mut interrupt).await?;
            if listener.ended {
                listener.console.verdict(exit);
            }
            return Ok(exit);
        }
        // A reply that has begun identifies the port; without one a diagnosis may.
        Err(error) if listener.received => error,
        Err(error) => diagnose(talk.endpoint, error).await,
    };
    Err(connection::failure(&failure))
}

/// Fetches the reports of a run that has ended.
async fn fetch(
    reports: &Reports,
    exit: Exit,
    listener: &mut Listener<'_>,
    interrupt: &mut Interrupt,
) -> Result<Exit, Error> {
    // Who has left at once waits for no report either.
    if reports.is_empty() || !listener.done && exit == Exit::Interrupted {
        return Ok(exit);
    }
    let Talk { endpoint, token, silence, .. } = listener.talk;
    let Some(run) = listener.run.filter(|_| listener.done) else {
        listener.console.error("this server does not know runs: there is no report; upgrade it");
        listener.console.report_missing();
        return Ok(if exit == Exit::Done { Exit::ActionFailed } else { exit });
    };
    let (run, format) = (Some(run), ReportFormat::Html);
    let wanted = Wanted { endpoint, token, run, format, silence };
    tokio::select! {
        outcomes = reports.fetch(&wanted) => {
            Ok(report_files::tell(exit, &outcomes, listener.console))
        }
        () = interrupt.stop() => Ok(Exit::Interrupted),
    }
}

/// Another request to the server, in progress.
type Pending<'a> = Pin<Box<dyn Future<Output = Result<(), ClientError>> + 'a>>;

/// What is awaited of a server.
enum Next {
    Reply(Result<Option<Reply>, ClientError>),
    Interrupt,
    /// The run was stopped, or could not be.
    Stopped(Result<(), ClientError>),
    /// It has not replied for a while.
    Quiet,
    /// Whether it is a control server.
    Confirmed(Result<(), ClientError>),
}

/// Prints replies and keeps what the exit code depends on.
struct Listener<'a> {
    talk: Talk<'a>,
    console: &'a mut Console,
    started: Instant,
    /// Whether any reply was received.
    received: bool,
    /// The run's number, from a server that knows runs.
    run: Option<u64>,
    /// Whether the server has reported the end, as in the event dialect.
    done: bool,
    failed: usize,
    busy: bool,
    /// Whether the reply has ended, so that a verdict is due.
    ended: bool,
}

impl<'a> Listener<'a> {
    fn new(talk: Talk<'a>, console: &'a mut Console) -> Self {
        let started = Instant::now();
        let (received, run, done, failed, busy, ended) = (false, None, false, 0, false, false);
        Self { talk, console, started, received, run, done, failed, busy, ended }
    }

    async fn listen(
        &mut self,
        request: Request<&RawValue>,
        interrupt: &mut Interrupt,
    ) -> Result<Exit, ClientError> {
        let Talk { endpoint, token, silence, confirmation, role, .. } = self.talk;
        let mut replies = tokio::select! {
            replies = endpoint.ask(request, token, silence) => replies?,
            () = interrupt.stop() => return Ok(Exit::Interrupted),
        };
        let mut stopping: Option<Pending<'_>> = None;
        let quiet = QUIET.min(confirmation / 2);
        let mut falling_quiet: Option<Pending<'_>> = Some(Box::pin(async move {
            sleep(quiet).await;
            Ok(())
        }));
        let mut confirming: Option<Pending<'_>> = None;
        let mut interrupted = false;
        loop {
            let next = {
                let mut reply = pin!(replies.next());
                loop {
                    let next = tokio::select! {
                        biased;
                        reply = &mut reply => Next::Reply(reply),
                        () = interrupt.stop() => Next::Interrupt,
                        stopped = poll_some(&mut stopping) => Next::Stopped(stopped),
                        _ = poll_some(&mut falling_quiet) => Next::Quiet,
                        confirmed = poll_some(&mut confirming) => Next::Confirmed(confirmed),
                    };
                    match next {
                        Next::Reply(reply) => break reply,
                        Next::Stopped(Ok(())) => stopping = None,
                        Next::Quiet => {
                            falling_quiet = None;
                            let left = confirmation.saturating_sub(quiet);
                            confirming = Some(Box::pin(confirm(endpoint, token, quiet, left)));
                            // Shortly before a timeout it is not worth a line.
                            if quiet == QUIET {
                                let address = endpoint.address();
                                self.console
                                    .note(&format!("{address}: no reply yet; still waiting"));
                            }
                        }
                        Next::Confirmed(confirmed) => {
                            confirming = None;
                            confirmed?;
                        }
                        Next::Stopped(Err(error)) => {
                            self.console.warn(&format!("the run cannot be stopped: {error}"));
                            return Ok(Exit::Interrupted);
                        }
                        Next::Interrupt if interrupted => {
                            self.console.warn("leaving at once; the server stops the run");
                            return Ok(Exit::Interrupted);
                        }
                        Next::Interrupt => {
                            let Some(run) = self.interrupted() else {
                                return Ok(Exit::Interrupted);
                            };
                            interrupted = true;
                            stopping = Some(Box::pin(async move {
                                stop(endpoint, token, Some(run), STOPPING).await.map(|_| ())
                            }));
                        }
                    }
                }
            };
            let Some(reply) = next? else { break };
            self.received = true;
            (falling_quiet, confirming) = (None, None);
            // What follows the acceptance of a run is about the run, up to its end.
            let refusal = replies.refusal(&reply).filter(|_| self.run.is_none());
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
        match role {
            Role::Watch if !self.received => {
                let what = Op::Attach.name();
                Err(ClientError::UnknownRequest { address: endpoint.address(), what })
            }
            Role::Detach if !self.done && self.run.is_some() => Ok(Exit::Done),
            _ if interrupted => {
                self.end();
                Ok(Exit::Interrupted)
            }
            _ => Ok(self.end()),
        }
    }

    /// The user wants to leave. Returns the run to stop first.
    fn interrupted(&mut self) -> Option<u64> {
        let address = self.talk.endpoint.address();
        match (self.talk.role, self.run) {
            (Role::Watch, run) => {
                let run = run.map_or_else(String::new, |run| format!(" {run}"));
                self.console.message(&format!("run{run} goes on at {address}"));
                None
            }
            (Role::Hold | Role::Detach, Some(run)) => {
                let again = match self.console.stderr().is_terminal() {
                    true => "press Ctrl-C again to leave without its results",
                    false => "a second signal leaves without its results",
                };
                self.console.message(&format!("stopping run {run}; {again}"));
                Some(run)
            }
            (Role::Hold | Role::Detach, None) if !self.received => {
                self.console.warn(&format!(
                    "{address} has not confirmed the document; if it runs there, `ldctl stop` with the \
                     same options stops its test"
                ));
                None
            }
            (Role::Hold | Role::Detach, None) => {
                self.console.warn(&format!(
                    "the document keeps running at {address}; `ldctl stop` with the same options \
                     stops its test"
                ));
                None
            }
        }
    }

    /// Keeps the number of the run that was accepted. A server that does not report a state ignores
    /// what the request says about runs.
    fn accepted(&mut self, run: u64, state: Option<State>) {
        if state.is_some() {
            self.run = Some(run);
            if self.talk.role == Role::Detach {
                self.console.number(run);
            }
        } else {
            self.without_runs();
        }
    }

    fn without_runs(&mut self) {
        if std::mem::take(&mut self.talk.needs_runs) {
            self.console.warn(
                "this server does not know runs: --name, --detach and --queue have no effect; \
                 upgrade it",
            );
        }
    }

    fn event(&mut self, event: &Event) {
        self.console.event(event);
        match event {
            Event::Result(result) if !result.ok => {
                self.failed += 1;
                let kind = result.error.as_ref().map(|error| error.kind);
                self.busy |= kind == Some(FailureKind::Busy);
            }
            Event::Accepted { run, state, .. } => self.accepted(*run, *state),
            Event::Error { kind: ErrorKind::Internal, message } if self.run.is_some() => {
                self.console.error(message);
                self.failed = self.failed.max(1);
            }
            Event::Error { message, .. } if self.run.is_some() => self.console.warn(message),
            Event::Done { ok, failed, .. } => {
                self.failed = self.failed.max(*failed).max(usize::from(!ok));
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
        self.without_runs();
        let failure = read_failure(line);
        self.failed += usize::from(failure.is_some());
        self.busy |= failure == Some(FailureKind::Busy);
        self.console.reply_line(line, failure.is_none());
    }

    /// The end of the reply; prints the event of it where the server has sent none.
    fn end(&mut self) -> Exit {
        self.ended = true;
        let (ok, failed) = (self.failed == 0, self.failed);
        if !self.done {
            let elapsed_s = self.started.elapsed().as_secs_f64();
            self.console.event(&Event::Done {
                ok,
                failed,
                elapsed_s,
                run: None,
                state: None,
                message: None,
            });
        }
        match failed {
            _ if self.busy => Exit::Busy,
            0 => Exit::Done,
            _ => Exit::ActionFailed,
        }
    }
}

/// Completes with a future that may not be there.
async fn poll_some(future: &mut Option<Pending<'_>>) -> Result<(), ClientError> {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::wire::frame::{frame_into, terminator_into};

    /// Far below what a test may take: the peers here reply at once or never.
    const SHORT: Duration = Duration::from_millis(50);

    async fn listen_to(port: u16, silence: Duration) -> Result<Exit, ClientError> {
        listen_as(Mode::Legacy, port, silence).await
    }

    async fn listen_as(mode: Mode, port: u16, silence: Duration) -> Result<Exit, ClientError> {
        let endpoint = Endpoint { mode, ..Endpoint::new("127.0.0.1", port) };
        let (token, role, needs_runs) = (None, Role::Hold, false);
        let talk =
            Talk { endpoint: &endpoint, token, silence, confirmation: SHORT, role, needs_runs };
        let mut console = Console::default();
        console.replies(None, true);
        let document = serde_json::value::to_raw_value("[[\"LD_summary\"]]").expect("JSON");
        let mut interrupt = Interrupt::listen().expect("signals");
        let mut listener = Listener::new(talk, &mut console);
        listener.listen(Request::run(&*document), &mut interrupt).await
    }

    #[tokio::test]
    async fn a_peer_that_replies_neither_to_a_document_nor_to_a_ping_is_no_control_server() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = silent.local_addr().expect("an address").port();
        let error = listen_to(port, connection::SILENCE).await.expect_err("nothing replies");
        assert_eq!(
            error.to_string(),
            format!(
                "127.0.0.1:{port}: no reply within 0.05 s; not a control server? check --host and \
                 --port, or wait longer with --timeout"
            )
        );
        assert_eq!(connection::failure(&error).exit(), Exit::Unreachable);
    }

    #[tokio::test]
    async fn a_server_that_replies_to_pings_may_take_its_time_for_a_document() {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = server.local_addr().expect("an address").port();
        let serve = async {
            let (mut first, _) = server.accept().await.expect("the document");
            let (mut second, _) = server.accept().await.expect("the ping");
            let mut request = [0; 256];
            let _ = second.read(&mut request).await.expect("a request");
            second.write_all(b"Return_Data_Over_JE\n").await.expect("sent");
            // Once the client has the reply to its ping, it has closed that connection.
            let _ = second.read_to_end(&mut Vec::new()).await;
            first.write_all(b"None\nReturn_Data_Over_JE\n").await.expect("sent");
            first
        };
        let (exit, _first) = tokio::join!(listen_to(port, connection::SILENCE), serve);
        assert_eq!(exit.expect("a reply"), Exit::Done);
    }

    #[tokio::test]
    async fn an_error_within_a_run_ends_neither_its_events_nor_their_exit_code() {
        let accepted = r#"{"event":"accepted","protocol":1,"run":7,"actions":1,"state":"running"}"#;
        let error = |kind| format!(r#"{{"event":"error","kind":"{kind}","message":"m"}}"#);
        let done = |ok: bool| {
            format!(r#"{{"event":"done","ok":{ok},"failed":{},"elapsed_s":1.0}}"#, u8::from(!ok))
        };
        for (replies, exit) in [
            // A run that crashes, and one of whose events some are not kept.
            (vec![error("internal"), done(false)], Exit::ActionFailed),
            (vec![error("limit"), done(true)], Exit::Done),
            // The connection of a client that holds a run that crashes.
            (vec![error("internal")], Exit::ActionFailed),
        ] {
            let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = server.local_addr().expect("an address").port();
            let mut bytes = Vec::new();
            for body in std::iter::once(accepted).chain(replies.iter().map(String::as_str)) {
                frame_into(body.as_bytes(), &mut bytes);
            }
            terminator_into(Mode::Framed, &mut bytes);
            let serve = async {
                let (mut stream, _) = server.accept().await.expect("the document");
                stream.write_all(&bytes).await.expect("sent");
                let _ = stream.read_to_end(&mut Vec::new()).await;
            };
            let listening = listen_as(Mode::Framed, port, connection::SILENCE);
            let (found, ()) = tokio::join!(listening, serve);
            assert_eq!(found.expect("a reply"), exit, "{replies:?}");
        }
    }
}
