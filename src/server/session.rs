//! One connection: read a request, reply, close. It is generic over the byte stream; its idle state
//! is small, and rare state (a run, a lingering close) is boxed, because a server holds thousands
//! of idle sessions.

mod replies;

use std::net::IpAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::budget::BudgetShare;
use super::respond::{Bond, RequestBytes, Response, Submitted};
use super::state::{Active, Permit, ServerState};
use super::transport::{Handshake, Transport, handshake};
use crate::counters::Counters;
use crate::event::{ErrorKind, Event};
use crate::wire::dialect::{Dialect, ReplyFormat};
use crate::wire::frame::{
    HEADER, MAX_LEGACY, MAX_REQUEST, Mode, Opening, ReadBuffer, legacy_is_complete,
};
use crate::wire::op::Op;
use crate::wire::refusal::Refusal;
use crate::wire::request::{
    Incoming, Located, Reading, Rejection, Request, STEP, begins_with_token,
};
use crate::wire::token::Tokens;

/// The size of one read, in bytes. A legacy request fits.
const CHUNK: usize = MAX_LEGACY;

/// How long a connection over the limit may take to reveal its mode.
const REJECTION_TIMEOUT: Duration = Duration::from_millis(250);

/// How long, and for how many bytes, a closing connection keeps reading: unread bytes would make
/// the system reset the connection, and a reset destroys the reply.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 2 * MAX_REQUEST);

/// A fatal `protocol_version` alert in a TLS 1.0 record, which every version understands.
const NO_TLS_HERE: [u8; 7] = [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];

/// A plain connection. One over the limit gets a `busy` reply.
pub(super) async fn plain(stream: TcpStream, peer: IpAddr, permit: Permit, over_limit: bool) {
    Session::new(stream, peer, permit).serve(over_limit).await;
}

/// A connection that must speak TLS.
pub(super) async fn secure(stream: TcpStream, peer: IpAddr, permit: Permit, over_limit: bool) {
    match Box::pin(handshake(stream, &permit.shared)).await {
        Handshake::Done(stream) => Session::new(stream, peer, permit).serve(over_limit).await,
        Handshake::Plain(stream, mode) => {
            let mut session = Session::new(stream, peer, permit);
            Box::pin(session.refuse(mode, &Refusal::speaks_tls())).await;
        }
        Handshake::Failed => {}
    }
}

/// Sends a `busy` reply to a connection over a limit, without waiting.
pub(super) fn reject_at_once(stream: &TcpStream, shared: &ServerState, refusal: &Refusal) {
    if !shared.secure {
        let mode = if shared.server.framed_only { Mode::Framed } else { Mode::Legacy };
        let mut out = Vec::new();
        refusal.reply_into(mode, Dialect::Text, &mut out);
        let _ = stream.try_write(&out);
    }
}

/// The refusal of a connection that would take one of the last descriptors.
pub(super) fn no_descriptors() -> Refusal {
    Refusal::busy("no file descriptors are left for connections (ulimit -Hn)")
}

/// The refusal of a connection over the limit.
pub(super) fn no_room(shared: &ServerState) -> Refusal {
    let most = shared.limits().connections;
    Refusal::busy(&format!("all connections are taken (--max-connections {most})"))
}

/// Reads a small request.
fn read(body: &[u8], mode: Mode, tokens: &Tokens) -> Incoming<Located> {
    let mut reading = Reading::new(body, mode);
    loop {
        if let Some(incoming) = reading.step(tokens) {
            return incoming;
        }
    }
}

/// Reads a large request in steps, between which others have their turn; `None` if that panics.
/// Only a few are read at once, unless they have shown the token: it takes the time of this thread,
/// which small requests must not wait for.
async fn read_in_turns(
    shared: &ServerState,
    body: &[u8],
    mode: Mode,
    known: bool,
) -> Option<Incoming<Located>> {
    let _turn = if known { None } else { shared.large.acquire().await.ok() };
    let keyring = &shared.server.keyring;
    let mut reading = Reading::new(body, mode);
    loop {
        match contained(|| keyring.with_tokens(|tokens| reading.step(tokens)))? {
            Some(incoming) => return Some(incoming),
            None => let_others_run().await,
        }
    }
}

/// Lets other connections have their turn, and other processes: a client of this machine that has
/// just been answered may wait for the processor that this thread goes on to use.
async fn let_others_run() {
    std::thread::yield_now();
    yield_now().await;
}

/// Does what might panic.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// What was received from a peer.
enum Received {
    /// A whole request: the range of its body in the pending bytes.
    Request(Mode, Range<usize>),
    /// A request that is rejected.
    Refused(Mode, Refusal),
    /// The beginning of a request from a source that is locked out, to be refused after a delay.
    LockedOut(Mode, Duration),
    /// A TLS hello on a plain port.
    TlsHello,
    /// Nothing: the peer sent nothing, or left.
    Nothing,
}

/// The result of writing to a peer.
enum Sent {
    /// All was written.
    Whole,
    /// The peer is gone.
    Broken,
    /// The peer does not read.
    Late,
}

/// A parsed request and its response.
struct Planned {
    format: ReplyFormat,
    response: Response,
    /// How long the response is delayed.
    delay: Duration,
}

impl Planned {
    fn new(format: ReplyFormat, response: Response) -> Self {
        Self { format, response, delay: Duration::ZERO }
    }

    fn refused(mode: Mode, Rejection { refusal, dialect }: Rejection) -> Self {
        let format = ReplyFormat { mode, dialect, op: Op::Run };
        Self::new(format, Response::Now(vec![refusal.into()]))
    }

    fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// One connection.
pub(super) struct Session<S> {
    stream: S,
    buffer: ReadBuffer,
    share: BudgetShare,
    peer: IpAddr,
    permit: Permit,
}

impl<S> Drop for Session<S> {
    fn drop(&mut self) {
        self.share.release(&self.permit.shared.budget);
    }
}

impl<S: Transport> Session<S> {
    pub(super) fn new(stream: S, peer: IpAddr, permit: Permit) -> Self {
        Self { stream, buffer: ReadBuffer::default(), share: BudgetShare::default(), peer, permit }
    }

    fn shared(&self) -> &Arc<ServerState> {
        &self.permit.shared
    }

    /// Serves the connection to its end.
    pub(super) async fn serve(&mut self, over_limit: bool) {
        if over_limit {
            Box::pin(self.reject_connection()).await;
            return;
        }
        let received = self.read_request().await;
        // From here on the server waits for this session before it closes.
        let active = Active::new(self.shared());
        match received {
            Received::Request(mode, body) => self.answer(mode, body, active).await,
            Received::Refused(mode, refusal) => Box::pin(self.refuse(mode, &refusal)).await,
            Received::LockedOut(mode, delay) => {
                sleep(delay).await;
                Box::pin(self.refuse(mode, &Refusal::unauthorised())).await;
            }
            Received::TlsHello => {
                tracing::info!("{}: a TLS client, but this server does not use TLS", self.peer);
                Box::pin(self.close_with(&NO_TLS_HERE)).await;
            }
            Received::Nothing if S::CLOSES_ON_DROP => {}
            Received::Nothing => Box::pin(self.close(false, active)).await,
        }
    }

    /// Waits for a whole request.
    async fn read_request(&mut self) -> Received {
        let deadline = Instant::now() + self.shared().limits().request;
        let mut timer = pin!(sleep_until(deadline));
        // After a handshake the request follows the peer's last message.
        self.stream.acknowledge();
        loop {
            let room = MAX_LEGACY.saturating_sub(self.buffer.pending().len());
            let most = if self.mode() == Some(Mode::Framed) { CHUNK } else { room };
            let read = tokio::select! {
                biased;
                read = self.buffer.fill(&mut self.stream, most) => read,
                () = &mut timer => return self.deadline_passed(),
                () = self.share.evicted() => return self.gave_way(),
            };
            let first = match read {
                Err(_) => return Received::Nothing,
                Ok(0) => return self.stream_ended(),
                Ok(count) => count == self.buffer.pending().len(),
            };
            if let Some(refused) = first.then(|| self.locked_out()).flatten() {
                return refused;
            }
            if let Some(received) = self.classify() {
                return received;
            }
            if self.buffer.pending().len() > STEP {
                // However fast a peer sends, others have their turn.
                let_others_run().await;
            }
            self.stream.acknowledge();
            if self.mode() == Some(Mode::Legacy) {
                let limits = self.shared().limits();
                let idle =
                    if S::KEEPS_RECORDS { limits.idle_timeout_tls } else { limits.idle_timeout };
                timer.as_mut().reset(deadline.min(Instant::now() + idle));
            }
        }
    }

    fn mode(&self) -> Option<Mode> {
        self.buffer.pending().first().map(|first| match Opening::of(*first) {
            Opening::Framed => Mode::Framed,
            Opening::Legacy | Opening::Tls => Mode::Legacy,
        })
    }

    /// Classifies the bytes received so far; `None` if more are needed.
    fn classify(&mut self) -> Option<Received> {
        let shared = Arc::clone(self.shared());
        let Self { share, buffer, peer, .. } = self;
        let known = || {
            let body = buffer.pending().get(HEADER..).unwrap_or_default();
            shared.server.keyring.with_tokens(|tokens| begins_with_token(body, tokens))
        };
        if !share.grow(buffer.held(), *peer, known, &shared.budget) {
            return Some(self.gave_way());
        }
        let pending = self.buffer.pending();
        let first = *pending.first()?;
        let opening = Opening::of(first);
        if opening == Opening::Tls {
            return Some(Received::TlsHello);
        }
        // On a framed-only port any text is a frame with a wrong length.
        let text = first.is_ascii_graphic() || first.is_ascii_whitespace();
        if opening == Opening::Framed || shared.server.framed_only && !text {
            return match self.buffer.frame(MAX_REQUEST) {
                Ok(body) => {
                    body.map(|body| Received::Request(Mode::Framed, HEADER..HEADER + body.len()))
                }
                Err(bad) => Some(Received::Refused(Mode::Framed, bad.into())),
            };
        }
        if shared.server.framed_only {
            return Some(Received::Refused(Mode::Legacy, Refusal::framed_only()));
        }
        let complete = pending.len() >= MAX_LEGACY || legacy_is_complete(pending);
        complete.then(|| self.legacy_request())
    }

    /// The budget for incomplete requests is exhausted, and this one gives way to others.
    fn gave_way(&mut self) -> Received {
        let shared = self.shared();
        Counters::count(&shared.counters().shed);
        let most = shared.limits().request_bytes;
        let refusal =
            Refusal::busy(&format!("too many incomplete requests (--max-request-bytes {most})"));
        let mode = self.mode().unwrap_or(Mode::Framed);
        self.buffer.wipe();
        self.share.release(&self.permit.shared.budget);
        Received::Refused(mode, refusal)
    }

    /// Refuses a request from a source that is locked out, whatever it holds: before its rest has
    /// arrived, and without looking at it.
    fn locked_out(&self) -> Option<Received> {
        let shared = self.shared();
        let delay = shared.locked_out(self.peer)?;
        let opening = Opening::of(*self.buffer.pending().first()?);
        (opening != Opening::Tls).then_some(Received::LockedOut(self.mode()?, delay))
    }

    /// The request timed out, or a legacy client paused too long.
    fn deadline_passed(&self) -> Received {
        match self.mode() {
            Some(Mode::Legacy) if !self.shared().server.framed_only => {
                return self.legacy_request();
            }
            _ => Counters::count(&self.shared().counters().timeouts),
        }
        match self.mode() {
            Some(mode) => {
                let limit = self.shared().limits().request.as_secs_f64();
                let what =
                    format!("the request is not complete after {limit} s (--request-timeout)");
                Received::Refused(mode, Refusal::timeout(&what))
            }
            None => Received::Nothing,
        }
    }

    /// The peer has closed its side.
    fn stream_ended(&self) -> Received {
        match self.mode() {
            Some(Mode::Legacy) => self.legacy_request(),
            _ => Received::Nothing,
        }
    }

    /// All pending legacy text is the request.
    fn legacy_request(&self) -> Received {
        Received::Request(Mode::Legacy, 0..self.buffer.pending().len())
    }

    async fn answer(&mut self, mode: Mode, body: Range<usize>, active: Active) {
        let surplus = self.buffer.pending().len() > body.end;
        let shared = Arc::clone(self.shared());
        let incoming = {
            let body = self.buffer.pending().get(body.clone()).unwrap_or_default();
            if body.len() <= STEP {
                contained(|| shared.server.keyring.with_tokens(|tokens| read(body, mode, tokens)))
            } else {
                Box::pin(read_in_turns(&shared, body, mode, self.share.is_known())).await
            }
        };
        let planned =
            incoming.and_then(|incoming| contained(|| self.plan(incoming, mode, body.len())));
        let Planned { mut format, response, delay } = planned.unwrap_or_else(|| {
            Counters::count(&shared.counters().panics);
            Planned::refused(
                mode,
                Rejection { refusal: Refusal::unreadable(), dialect: Dialect::Text },
            )
        });
        let (response, bond) = match response {
            Response::Document(document, bond) => {
                let taken = Box::pin(self.take_document(document, body)).await;
                let response = taken.unwrap_or_else(|| {
                    format.op = Op::Quit;
                    Response::Now(vec![Event::DONE])
                });
                (response, bond)
            }
            other => (other, Bond::None),
        };
        self.buffer.wipe();
        self.share.release(&shared.budget);
        let events = match response {
            Response::Now(events) => events,
            Response::Job(job) => return Box::pin(self.run(job, bond, format, active)).await,
            Response::Follow(run) => return Box::pin(self.follow(&run, format, active)).await,
            Response::Document(..) => Vec::new(),
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let mut out = Vec::new();
        format.reply_into(&events, &mut out);
        if self.stream.write_and_close(&out) {
            self.send(&[]).await;
        } else {
            self.send(&out).await;
        }
        if format.op == Op::Quit {
            shared.announce("Now quit server".to_owned());
            shared.shutdown.cancel();
        }
        // Anything that is not JSON may be the start of something else, such as a browser's POST.
        let unread = surplus
            || matches!(events.as_slice(), [Event::Error { kind: ErrorKind::InvalidJson, .. }]);
        if unread || !S::CLOSES_ON_DROP {
            Box::pin(self.close(unread, active)).await;
        }
    }

    /// Waits for a document's turn, and makes a job of it that reads and runs it. `None` if the
    /// server shuts down meanwhile.
    async fn take_document(&mut self, document: Submitted, body: Range<usize>) -> Option<Response> {
        let shared = Arc::clone(self.shared());
        let admitted = tokio::select! {
            biased;
            admitted = shared.admit_document(body.len()) => admitted,
            () = shared.shutdown.cancelled() => return None,
        };
        Some(match admitted {
            Ok(place) => {
                let request = RequestBytes::new(self.buffer.take(), body);
                Response::Job(document.into_job(request, place, &shared))
            }
            Err(refusal) => {
                Counters::count(&shared.counters().shed);
                Response::Now(vec![refusal.into()])
            }
        })
    }

    /// Decides about a request of this length, and does everything that takes no time.
    fn plan(&self, incoming: Incoming<Located>, mode: Mode, length: usize) -> Planned {
        let shared = self.shared();
        // The reference's line says bytes but counts characters.
        shared.announce_request(incoming.characters);
        let request = match incoming.request {
            Ok(request) => request,
            Err(rejection) => return self.reject(rejection, mode, length),
        };
        let Request { op, dialect, .. } = request;
        let guarded = shared.is_guarded();
        if let Some(delay) = shared.locked_out(self.peer) {
            let refusal = Refusal::unauthorised();
            return Planned::refused(mode, Rejection { refusal, dialect }).delayed(delay);
        }
        // No run starts while the server is shutting down.
        let op = match shared.shutdown.is_cancelled() && request.document.is_some() {
            true => Op::Quit,
            false => op,
        };
        let token = if guarded { "with a valid token" } else { "without a token" };
        tracing::info!("{}: {} {token}", self.peer, op.name());
        tracing::debug!("{}: a request of {length} bytes ({mode:?}, {dialect:?})", self.peer);
        let response = shared.respond(Request { op, ..request }, self.peer);
        Planned::new(ReplyFormat { mode, dialect, op }, response)
    }

    /// Rejects a request of this length.
    fn reject(&self, mut rejection: Rejection, mode: Mode, length: usize) -> Planned {
        let shared = self.shared();
        let refusal = &mut rejection.refusal;
        tracing::info!("{}: refused: {:?}", self.peer, refusal.message);
        if refusal.kind == ErrorKind::Unauthorised {
            let delay = shared.failed_login(self.peer);
            return Planned::refused(mode, rejection).delayed(delay);
        }
        if mode == Mode::Legacy && length >= MAX_LEGACY {
            refusal.message = format!(
                "the request is longer than {MAX_LEGACY} bytes; send it in a frame ({})",
                refusal.message
            );
        }
        Planned::refused(mode, rejection)
    }

    async fn reject_connection(&mut self) {
        let first = timeout(REJECTION_TIMEOUT, self.buffer.fill(&mut self.stream, CHUNK)).await;
        let unknown = if self.shared().server.framed_only { Mode::Framed } else { Mode::Legacy };
        match first {
            Ok(Ok(0) | Err(_)) => {}
            Ok(_) | Err(_) => {
                self.refuse(self.mode().unwrap_or(unknown), &no_room(self.shared())).await
            }
        }
    }

    /// Refuses a request that was not read completely.
    async fn refuse(&mut self, mode: Mode, refusal: &Refusal) {
        tracing::info!("{}: refused: {:?}", self.peer, refusal.message);
        let mut out = Vec::new();
        refusal.reply_into(mode, Dialect::Text, &mut out);
        self.close_with(&out).await;
    }

    async fn close_with(&mut self, last: &[u8]) {
        let active = Active::new(self.shared());
        self.send(last).await;
        self.close(true, active).await;
    }

    /// Writes all bytes, or as many as the peer reads in time.
    async fn send(&mut self, bytes: &[u8]) -> Sent {
        tracing::debug!("{}: {} bytes to send", self.peer, bytes.len());
        let limit = self.shared().limits().write;
        let stream = &mut self.stream;
        let writing = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        match timeout(limit, writing).await {
            Ok(Ok(())) => Sent::Whole,
            Ok(Err(_)) => Sent::Broken,
            Err(_) => Sent::Late,
        }
    }

    /// Closes the stream properly, then discards what is still unread, unless the server is
    /// shutting down.
    async fn close(&mut self, unread: bool, active: Active) {
        let limit = self.shared().limits().write;
        let ended = timeout(limit, self.stream.shutdown()).await;
        drop(active);
        if !unread || !matches!(ended, Ok(Ok(()))) {
            return;
        }
        self.buffer.wipe();
        let taking = async {
            let mut taken = 0;
            while taken < LINGER.1 {
                match self.buffer.fill(&mut self.stream, CHUNK).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => taken += count,
                }
                // Thousands may linger, and each holds nothing.
                self.buffer.wipe();
            }
        };
        let _ = timeout(LINGER.0, taking).await;
    }
}
