//! An open WebSocket. The library parses and writes frames; the stream is ours, and lent to it for
//! each call, so that idle users need neither a task nor wakers of their own. What a target makes it
//! hold is counted as it arrives.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, WebSocketContext};

use super::fault::Fault;
use crate::memory::{Full, Held, Memory};
use crate::net::Stream;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::idle::Tended;

/// The size of one read, which each connection has a buffer for: ten thousand idle users take 40 MB.
const READ: usize = 4 * 1024;

/// Messages that are kept for the next step if no step waits for them, and their size in bytes.
/// Further ones wait in the socket.
const EARLY: (usize, usize) = (64, 64 * 1024);

/// The room that a frame's head takes beside its payload, in bytes.
const HEAD: usize = 14;

/// A message of a target.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) data: Bytes,
    /// Whether it was sent as text.
    pub(super) is_text: bool,
}

/// An open WebSocket, or one that has ended while no step used it.
pub(crate) struct Connection {
    /// The URL that it was opened for.
    pub(super) url: Box<str>,
    stream: Stream,
    context: WebSocketContext,
    /// The longest message, in bytes.
    limit: usize,
    early: VecDeque<Received>,
    /// Their size.
    early_size: usize,
    /// Why it ended.
    ended: Option<Fault>,
    intake: Intake,
    /// The largest message that was sent: the library keeps a buffer for it.
    sent: usize,
}

/// What has arrived of the message that is being received.
struct Intake {
    bytes: usize,
    /// The largest so far: the library keeps its buffer.
    most: usize,
    /// What is held besides.
    besides: usize,
    held: Held,
}

impl Intake {
    fn hold(&mut self) -> Result<(), Full> {
        self.held.set(self.most + self.besides)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Connection {
    /// A WebSocket after its handshake, with the bytes that came after it.
    pub(super) fn new(
        url: &str,
        stream: Stream,
        tail: Vec<u8>,
        limit: usize,
        memory: &Arc<Memory>,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit));
        let context = match tail.is_empty() {
            true => WebSocketContext::new(Role::Client, Some(config)),
            false => WebSocketContext::from_partially_read(tail, Role::Client, Some(config)),
        };
        let held = memory.held("WebSocket messages");
        Self {
            url: url.into(),
            stream,
            context,
            limit,
            early: VecDeque::new(),
            early_size: 0,
            ended: None,
            intake: Intake { bytes: 0, most: 0, besides: 0, held },
            sent: 0,
        }
    }

    /// Why it ended, if it did and nothing that it received before is left.
    pub(super) fn ended(&self) -> Option<&Fault> {
        self.ended.as_ref().filter(|_| self.early.is_empty())
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), Fault> {
        self.sent = self.sent.max(message.len() + HEAD);
        self.count_besides()?;
        let mut unsent = Some(message);
        poll_fn(|context| self.poll_send(context, &mut unsent)).await
    }

    /// Receives the next message.
    pub(super) async fn receive(&mut self) -> Result<Received, Fault> {
        poll_fn(|context| {
            if let Some(received) = self.early.pop_front() {
                self.early_size -= received.data.len();
                return Poll::Ready(Ok(received));
            }
            self.poll_read(context)
        })
        .await
    }

    /// Closes it, and waits until the target has closed it, too.
    pub(super) async fn close(mut self) -> Result<(), Fault> {
        if self.has_ended() {
            return Ok(());
        }
        let mut goodbye = Some(Message::Close(Some(frame(CloseCode::Normal))));
        let outcome = poll_fn(|context| {
            let sent = self.poll_send(context, &mut goodbye)?;
            // What was under way is of no interest any longer.
            while ready!(self.poll_read(context)).is_ok() {}
            let _ = sent;
            Poll::Ready(Ok(()))
        });
        match outcome.await {
            // It is closed, whoever was first.
            Ok(()) | Err(Fault::Closed { .. } | Fault::Lost) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn count_besides(&mut self) -> Result<(), Full> {
        self.intake.besides = self.early_size + self.sent;
        self.intake.hold()
    }

    /// Sends a message as far as the socket takes it; `message` is taken at the first call.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), Fault>> {
        if let Some(fault) = &self.ended {
            return Poll::Ready(Err(fault.clone()));
        }
        let mut io = Io { stream: &mut self.stream, context, intake: &mut self.intake };
        let written = match message.take() {
            Some(message) => self.context.write(&mut io, message),
            None => Ok(()),
        };
        let outcome = match written {
            // It is in the library's buffer, which is written again below.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            written => written,
        };
        match outcome.and_then(|()| self.context.flush(&mut io)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(self.end(error))),
        }
    }

    /// Receives a message from the socket.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Received, Fault>> {
        if let Some(fault) = &self.ended {
            return Poll::Ready(Err(fault.clone()));
        }
        let mut io = Io { stream: &mut self.stream, context, intake: &mut self.intake };
        loop {
            let received = match self.context.read(&mut io) {
                Ok(Message::Text(text)) => Received { data: text.into(), is_text: true },
                Ok(Message::Binary(data)) => Received { data, is_text: false },
                Ok(Message::Close(frame)) => {
                    // The library has queued the reply.
                    let _ = self.context.flush(&mut io);
                    let code = frame.as_ref().map(|frame| frame.code.into());
                    let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                    let fault = Fault::Closed { code, reason };
                    return Poll::Ready(Err(self.ended.insert(fault).clone()));
                }
                // The library answers pings with its next call.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                    io.intake.bytes = 0;
                    continue;
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(self.end(error))),
            };
            io.intake.bytes = 0;
            return Poll::Ready(Ok(received));
        }
    }

    /// Ends it with a fault of the library; tells the target where the protocol wants that (RFC 6455,
    /// section 7.1.7).
    fn end(&mut self, error: Error) -> Fault {
        let (fault, code) = match error {
            Error::Io(error) => (of_io(&error), None),
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                (Fault::Long(self.limit), Some(CloseCode::Size))
            }
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => (Fault::Lost, None),
            Error::Utf8(_) => {
                (Fault::Frame("text that is not UTF-8".to_owned()), Some(CloseCode::Invalid))
            }
            Error::Protocol(problem) => {
                (Fault::Frame(problem.to_string()), Some(CloseCode::Protocol))
            }
            other => (Fault::Frame(other.to_string()), None),
        };
        if let Some(code) = code {
            self.say_goodbye(code);
        }
        self.ended.insert(fault).clone()
    }

    /// Sends a close frame if the socket takes it at once.
    fn say_goodbye(&mut self, code: CloseCode) {
        let mut context = Context::from_waker(Waker::noop());
        let Self { stream, intake, .. } = self;
        let mut io = Io { stream, context: &mut context, intake };
        let _ = self.context.close(&mut io, Some(frame(code)));
    }
}

impl Tended for Connection {
    /// Reads what has arrived while no step used it: answers pings, keeps a few messages for the next
    /// step, and notices its end. Waits for nothing.
    fn tend(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while self.ended.is_none() && self.early.len() < EARLY.0 && self.early_size < EARLY.1 {
            let Poll::Ready(Ok(received)) = self.poll_read(&mut context) else { break };
            // A copy, so that it does not keep the library's larger buffer.
            let data = Bytes::copy_from_slice(&received.data);
            self.early_size += data.len();
            self.early.push_back(Received { data, ..received });
        }
        if let Err(full) = self.count_besides() {
            // Without them the next step would wait for a message that has come.
            (self.early_size, self.early) = (0, VecDeque::new());
            self.ended.get_or_insert(full.into());
            let _ = self.count_besides();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.ended.is_none() && self.context.can_write() {
            self.say_goodbye(CloseCode::Away);
        }
    }
}

fn frame(code: CloseCode) -> CloseFrame {
    CloseFrame { code, reason: "".into() }
}

/// The fault of a read or a write.
fn of_io(error: &io::Error) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Full>()) {
        Some(full) => Fault::Full(*full),
        None => ConnectionFault::of_io(error).into(),
    }
}

/// A stream as the library uses it: what would wait fails with `WouldBlock`.
struct Io<'a, 'b> {
    stream: &'a mut Stream,
    context: &'a mut Context<'b>,
    intake: &'a mut Intake,
}

impl Read for Io<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut into = ReadBuf::new(into);
        match Pin::new(&mut *self.stream).poll_read(self.context, &mut into) {
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            // A TLS target that closes without close_notify.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(0);
            }
            Poll::Ready(outcome) => outcome?,
        }
        let count = into.filled().len();
        self.intake.bytes += count;
        if self.intake.bytes > self.intake.most {
            self.intake.most = self.intake.bytes;
            self.intake.hold().map_err(io::Error::other)?;
        }
        Ok(count)
    }
}

impl Write for Io<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = Pin::new(&mut *self.stream).poll_write(self.context, bytes);
        ready_or_would_block(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        ready_or_would_block(Pin::new(&mut *self.stream).poll_flush(self.context))
    }
}

fn ready_or_would_block<T>(outcome: Poll<io::Result<T>>) -> io::Result<T> {
    match outcome {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
