//! A user's connection to a broker. Packets are received into the worker's buffer, so an idle
//! connection has none of its own. Messages are acknowledged and kept wherever they come between the
//! packets that a step waits for; pings go out when they are due, during a step and between steps.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::codec::{AckKind, DISCONNECT, PINGREQ, Packet, Version, ack, parse, reason};
use super::fault::Fault;
use super::message::{BOUND, Message};
use super::session::{Kept, Opening, Sending, Session};
use crate::memory::{Full, Held, Memory};
use crate::net::Stream;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::idle::Tended;

/// What one read receives into; a worker's connections share it.
pub(super) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// The size of one read.
pub(super) const SCRATCH: usize = 64 * 1024;

/// The most that is queued for a broker that does not read, in bytes: until it does, nothing is
/// read from it either.
const MOST_QUEUED: usize = 64 * 1024;

/// The least time between two pings, and how long the response to one may take at least.
const PING: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// A connection, or one that has ended while no step used it.
pub(crate) struct Connection {
    pub(super) address: Arc<Address>,
    opening: Rc<Opening>,
    stream: Stream,
    scratch: Scratch,
    /// What has arrived and is not parsed yet, after `parsed` bytes that are.
    received: Vec<u8>,
    parsed: usize,
    /// What is to be sent beside the packets of steps, after `written` bytes that are.
    queued: Vec<u8>,
    written: usize,
    session: Session,
    /// The longest time without a packet that the broker accepts; zero for any.
    keep_alive: Duration,
    sent: Instant,
    /// When a ping was sent that has no response yet.
    pinged: Option<Instant>,
    /// Whether a part of a packet is sent.
    torn: bool,
    /// Why it ended.
    ended: Option<Fault>,
    /// The longest payload, in bytes.
    limit: usize,
    held: Held,
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What a broker sent.
#[derive(Debug)]
enum Event {
    /// The response to a ping.
    Pong,
    Connected {
        /// Whether the broker has a session of the client.
        session: bool,
        code: u8,
        reason: String,
        keep_alive: Option<u16>,
    },
    Message,
    Acknowledged {
        kind: AckKind,
        id: u16,
        code: u8,
        reason: String,
    },
    Subscribed {
        id: u16,
        code: u8,
        reason: String,
    },
    Unsubscribed {
        id: u16,
        code: u8,
        reason: String,
    },
}

impl Event {
    /// The fault of a step that it says nothing about.
    fn unexpected(&self) -> Fault {
        Fault::Unexpected(match self {
            Self::Connected { .. } => "CONNACK",
            Self::Message => "PUBLISH",
            Self::Pong => "PINGRESP",
            Self::Acknowledged { kind, .. } => kind.name(),
            Self::Subscribed { .. } => "SUBACK",
            Self::Unsubscribed { .. } => "UNSUBACK",
        })
    }
}

impl Connection {
    /// A connection over a stream, which [`Self::greet`] begins. It goes on with a session if there is one.
    pub(super) fn new(
        stream: Stream,
        (address, opening): (&Arc<Address>, &Rc<Opening>),
        kept: Option<Kept>,
        scratch: &Scratch,
        limit: usize,
        memory: &Arc<Memory>,
    ) -> Self {
        Self {
            address: Arc::clone(address),
            opening: Rc::clone(opening),
            stream,
            scratch: Rc::clone(scratch),
            received: Vec::new(),
            parsed: 0,
            queued: Vec::new(),
            written: 0,
            session: kept.and_then(|kept| kept.resumed(address, opening)).unwrap_or_default(),
            keep_alive: Duration::ZERO,
            sent: Instant::now(),
            pinged: None,
            torn: true,
            ended: None,
            limit,
            held: memory.held("MQTT messages"),
        }
    }

    /// Introduces the client, and brings to its end what an earlier connection of the session left.
    pub(super) async fn greet(&mut self, until: Instant) -> Result<(), Fault> {
        let opening = Rc::clone(&self.opening);
        self.send(&opening.packet).await?;
        match self.event(until).await? {
            Event::Connected { code: 0, session: true, .. } if opening.clean => {
                Err(self.end(Fault::Unexpected("CONNACK of an old session")))
            }
            Event::Connected { code: 0, session, keep_alive, .. } => {
                let seconds = keep_alive.unwrap_or(opening.keep_alive);
                self.keep_alive = Duration::from_secs(u64::from(seconds));
                if session {
                    // Without one of this test's own it is an empty one: an earlier test has left it.
                    return self.resume(until).await;
                }
                self.session = Session::default();
                Ok(())
            }
            Event::Connected { code, reason, .. } => {
                let why = reason::of_connack(self.version(), code);
                Err(self.end(Fault::Unaccepted(with_text(why, &reason))))
            }
            other => Err(self.end(other.unexpected())),
        }
    }

    /// Sends again what the broker has not acknowledged (section 4.4). What it refuses now has failed its
    /// step already.
    async fn resume(&mut self, until: Instant) -> Result<(), Fault> {
        let Some(Sending { id, qos, released, packet }) = self.session.sending().cloned() else {
            return Ok(());
        };
        let outcome = match released {
            true => self.complete(id, until).await,
            false => {
                self.send(&packet).await?;
                self.acknowledge(id, qos, until).await
            }
        };
        match outcome {
            Err(fault) if fault.breaks() => Err(fault),
            _ => Ok(()),
        }
    }

    /// Leaves it. Its session is kept where the client asks for that; `packet` is what it sent last.
    pub(super) fn leave(mut self: Box<Self>, packet: &mut Vec<u8>) -> Option<Kept> {
        let (session, held) = (std::mem::take(&mut self.session), std::mem::take(&mut self.held));
        Kept::of(&self.address, &self.opening, session, packet, held)
    }

    /// The version of its protocol.
    pub(super) fn version(&self) -> Version {
        self.opening.version
    }

    /// The stream's address and TLS.
    pub(super) fn description(&self) -> String {
        format!("{}, {}", self.stream.description(), self.version().name())
    }

    /// Why it ended, if it did.
    pub(super) fn ended(&self) -> Option<&Fault> {
        self.ended.as_ref()
    }

    /// A packet identifier that no other packet has.
    pub(super) fn next_id(&mut self) -> u16 {
        self.session.next_id()
    }

    /// Sends a packet, after what is queued.
    pub(super) async fn send(&mut self, packet: &[u8]) -> Result<(), Fault> {
        if let Some(fault) = &self.ended {
            return Err(fault.clone());
        }
        let mut left = packet;
        let outcome = poll_fn(|context| {
            ready!(self.poll_queued(context))?;
            while !left.is_empty() {
                let count = ready!(Pin::new(&mut self.stream).poll_write(context, left))?;
                left = left.get(count..).unwrap_or_default();
                self.torn = !left.is_empty();
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
            }
            Pin::new(&mut self.stream).poll_flush(context)
        })
        .await;
        self.sent = Instant::now();
        outcome.map_err(|error| self.lost(&error))
    }

    /// Sends a message of this identifier, and waits until the broker has it, as its quality of service
    /// says.
    pub(super) async fn publish(
        &mut self,
        packet: &[u8],
        (id, qos): (u16, u8),
        until: Instant,
    ) -> Result<(), Fault> {
        if qos == 0 {
            return self.send(packet).await;
        }
        self.session.send(id, qos);
        self.send(packet).await?;
        self.acknowledge(id, qos, until).await
    }

    async fn acknowledge(&mut self, id: u16, qos: u8, until: Instant) -> Result<(), Fault> {
        let kind = if qos == 1 { AckKind::PubAck } else { AckKind::PubRec };
        let outcome = self.acknowledged(kind, id, until).await;
        if qos == 1 || matches!(outcome, Err(Fault::Rejected(..))) {
            return self.sent(outcome);
        }
        outcome?;
        self.session.release();
        self.complete(id, until).await
    }

    async fn complete(&mut self, id: u16, until: Instant) -> Result<(), Fault> {
        self.send(&ack(AckKind::PubRel, id)).await?;
        let outcome = self.acknowledged(AckKind::PubComp, id, until).await;
        self.sent(outcome)
    }

    /// The broker has said how a message ended, unless the connection broke before.
    fn sent(&mut self, outcome: Result<(), Fault>) -> Result<(), Fault> {
        if !outcome.as_ref().is_err_and(Fault::breaks) {
            self.session.sent();
        }
        outcome
    }

    async fn acknowledged(
        &mut self,
        wanted: AckKind,
        of: u16,
        until: Instant,
    ) -> Result<(), Fault> {
        loop {
            match self.event(until).await? {
                Event::Message => {}
                Event::Acknowledged { kind, id, code, reason } if kind == wanted && id == of => {
                    return judged("publish", code, &reason);
                }
                other => return Err(self.end(other.unexpected())),
            }
        }
    }

    /// Waits until the broker has accepted a subscription of this identifier, or its end.
    pub(super) async fn subscribed(
        &mut self,
        ends: bool,
        of: u16,
        until: Instant,
    ) -> Result<(), Fault> {
        loop {
            match self.event(until).await? {
                Event::Message => {}
                Event::Subscribed { id, code, reason } if !ends && id == of => {
                    return judged("subscribe", code, &reason);
                }
                Event::Unsubscribed { id, code, reason } if ends && id == of => {
                    return judged("unsubscribe", code, &reason);
                }
                other => return Err(self.end(other.unexpected())),
            }
        }
    }

    /// Receives the next message, of a filter's topics if there is one; the others are kept.
    pub(super) async fn message(
        &mut self,
        filter: Option<&str>,
        until: Instant,
    ) -> Result<Message, Fault> {
        let mut has_one = true;
        loop {
            match self.session.inbox.missed() {
                0 => {}
                missed => return Err(Fault::Missed(missed, BOUND)),
            }
            if let Some(message) = has_one.then(|| self.session.inbox.take(filter)).flatten() {
                // Less always fits.
                let _ = self.hold();
                return Ok(message);
            }
            match self.event(until).await? {
                Event::Message => has_one = self.session.inbox.ends_with(filter),
                other => return Err(self.end(other.unexpected())),
            }
        }
    }

    /// Says goodbye, which keeps the broker from publishing the will, and closes the stream.
    pub(super) async fn disconnect(&mut self) -> Result<(), Fault> {
        self.send(&DISCONNECT).await?;
        self.abandon();
        // The broker may close it first.
        let _ = poll_fn(|context| Pin::new(&mut self.stream).poll_shutdown(context)).await;
        Ok(())
    }

    /// The end of a step that leaves the connection to the next one: what it has queued is sent.
    pub(super) fn settle(&mut self) {
        let _ = self.poll_queued(&mut Context::from_waker(Waker::noop()));
    }

    /// It is dropped without a goodbye: the broker publishes the will.
    pub(super) fn abandon(&mut self) {
        self.torn = true;
    }

    /// Waits for what the broker sends next; pings meanwhile.
    async fn event(&mut self, until: Instant) -> Result<Event, Fault> {
        loop {
            self.ping()?;
            let due = self.ping_due().filter(|due| *due < until);
            let event = poll_fn(|context| self.poll_event(context));
            let event = match due {
                None => event.await,
                Some(due) => match timeout_at(due, event).await {
                    Ok(event) => event,
                    Err(_) => continue,
                },
            };
            // After the response to a ping another one is due.
            if !matches!(event, Ok(Event::Pong)) {
                return event;
            }
        }
    }

    /// When the next ping is to be sent, or the response to the last one is late.
    fn ping_due(&self) -> Option<Instant> {
        if self.keep_alive.is_zero() {
            return None;
        }
        Some(match self.pinged {
            // Half of the time, or a second before it is over: so often idle connections are tended.
            None => {
                let early = self.keep_alive.saturating_sub(Duration::from_secs(1));
                self.sent + early.min(self.keep_alive / 2).max(PING.0)
            }
            Some(pinged) => pinged + self.keep_alive.max(PING.1),
        })
    }

    /// Queues a ping if it is due.
    fn ping(&mut self) -> Result<(), Fault> {
        let now = Instant::now();
        if self.ping_due().is_none_or(|due| now < due) {
            return Ok(());
        }
        if self.pinged.is_some() {
            return Err(self.end(Fault::Silent));
        }
        self.queued.extend_from_slice(&PINGREQ);
        (self.pinged, self.sent) = (Some(now), now);
        Ok(())
    }

    /// Receives until something has come that a step may wait for.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, Fault>> {
        if let Some(fault) = &self.ended {
            return Poll::Ready(Err(fault.clone()));
        }
        loop {
            match self.take() {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) => {}
                Err(fault) => return Poll::Ready(Err(self.end(fault))),
            }
            if let Poll::Ready(Err(error)) = self.poll_queued(context) {
                return Poll::Ready(Err(self.lost(&error)));
            }
            if self.queued.len() - self.written > MOST_QUEUED {
                return Poll::Pending;
            }
            if let Err(fault) = ready!(self.poll_read(context)) {
                return Poll::Ready(Err(self.end(fault)));
            }
        }
    }

    /// Takes what has arrived, up to the next packet that a step may wait for.
    fn take(&mut self) -> Result<Option<Event>, Fault> {
        let event = loop {
            let bytes = self.received.get(self.parsed..).unwrap_or_default();
            let Some((packet, length)) = parse(bytes, self.opening.version, self.limit)? else {
                break None;
            };
            self.parsed += length;
            break Some(match packet {
                Packet::ConnAck(it) => Event::Connected {
                    session: it.session,
                    code: it.code,
                    reason: it.reason.to_owned(),
                    keep_alive: it.keep_alive,
                },
                Packet::Publish(message) => {
                    match self.session.receive(&message, &mut self.queued) {
                        true => Event::Message,
                        false => continue,
                    }
                }
                Packet::Ack(it) if it.kind == AckKind::PubRel => {
                    self.session.released(it.id, &mut self.queued);
                    continue;
                }
                Packet::Ack(it) => Event::Acknowledged {
                    kind: it.kind,
                    id: it.id,
                    code: it.code,
                    reason: it.reason.to_owned(),
                },
                Packet::SubAck(it) => Event::Subscribed {
                    id: it.id,
                    code: it.codes.first().copied().unwrap_or_default(),
                    reason: it.reason.to_owned(),
                },
                Packet::UnsubAck(it) => Event::Unsubscribed {
                    id: it.id,
                    code: it.codes.first().copied().unwrap_or_default(),
                    reason: it.reason.to_owned(),
                },
                Packet::PingResp => {
                    self.pinged = None;
                    Event::Pong
                }
                Packet::Disconnect(code, text) => {
                    return Err(Fault::Closed(with_text(reason::of(code), text)));
                }
            });
        };
        if event.is_none() && self.parsed > 0 {
            self.received.drain(..self.parsed);
            self.parsed = 0;
            if self.received.is_empty() && self.received.capacity() > Held::SMALL {
                self.received = Vec::new();
            }
        }
        self.hold()?;
        Ok(event)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut scratch = self.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
        let arrived = match read {
            Ok(()) => buffer.filled(),
            // A TLS target that closes without close_notify.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => &[],
            Err(error) => return Poll::Ready(Err(ConnectionFault::of_io(&error).into())),
        };
        if arrived.is_empty() {
            return Poll::Ready(Err(match self.received.is_empty() {
                true => ConnectionFault::Closed.into(),
                false => ConnectionFault::Truncated.into(),
            }));
        }
        self.received.extend_from_slice(arrived);
        drop(scratch);
        Poll::Ready(self.hold().map_err(Fault::Full))
    }

    /// Sends what is queued, as far as the socket takes it.
    fn poll_queued(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = self.queued.get(self.written..).filter(|left| !left.is_empty()) {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, left))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.torn = true;
            if self.written == self.queued.len() {
                self.queued.clear();
                (self.written, self.torn, self.sent) = (0, false, Instant::now());
                return Pin::new(&mut self.stream).poll_flush(context);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Counts what it holds.
    fn hold(&mut self) -> Result<(), Full> {
        let own = self.received.capacity() + self.queued.capacity();
        self.held.set(own + self.session.size())
    }

    /// Ends it.
    fn end(&mut self, fault: Fault) -> Fault {
        self.ended.insert(fault).clone()
    }

    /// Ends it because it could not be written to. What the broker said before is the better reason.
    fn lost(&mut self, error: &io::Error) -> Fault {
        let mut context = Context::from_waker(Waker::noop());
        let said = loop {
            match self.take() {
                Ok(Some(_)) => {}
                Ok(None) => match self.poll_read(&mut context) {
                    Poll::Ready(Ok(())) => {}
                    _ => break None,
                },
                Err(fault) => break Some(fault),
            }
        };
        self.end(said.unwrap_or_else(|| ConnectionFault::of_io(error).into()))
    }
}

impl Tended for Connection {
    /// Keeps and acknowledges messages as long as there is room for them, pings, and notices its end.
    /// Waits for nothing.
    fn tend(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while self.ended.is_none() && !self.session.inbox.is_full() {
            match self.poll_event(&mut context) {
                Poll::Ready(Ok(Event::Message | Event::Pong)) => {}
                Poll::Ready(Ok(other)) => drop(self.end(other.unexpected())),
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        if self.session.inbox.is_full() && self.pinged.is_some() {
            // The response may be behind messages that have no room.
            self.pinged = Some(Instant::now());
        }
        if self.ended.is_none() {
            let _ = self.ping();
        }
        self.settle();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.ended.is_none() && !self.torn && self.queued.is_empty() {
            let mut context = Context::from_waker(Waker::noop());
            let stream = Pin::new(&mut self.stream);
            if let Poll::Ready(Ok(_)) = stream.poll_write(&mut context, &DISCONNECT) {
                let _ = Pin::new(&mut self.stream).poll_flush(&mut context);
            }
        }
    }
}

/// The outcome that a reason code means.
fn judged(method: &'static str, code: u8, text: &str) -> Result<(), Fault> {
    match code {
        0..0x80 => Ok(()),
        code => Err(Fault::Rejected(method, with_text(reason::of(code), text))),
    }
}

/// A reason, and the broker's own text for it.
fn with_text(reason: String, text: &str) -> String {
    match text {
        "" => reason,
        text => format!("{reason}: {text}"),
    }
}
