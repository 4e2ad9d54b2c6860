//! A socket connection, and one exchange over it: a payload is sent, a response is received.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::reply::{End, Progress, Reply};
use super::task::Transport;
use crate::net::{Dialer, Stream};
use crate::protocol::fault::ConnectionFault;

/// The size of one read: larger than any datagram.
pub(super) const SCRATCH: usize = 64 * 1024;

/// A TCP or UDP socket.
#[derive(Debug)]
pub(super) enum Connection {
    Tcp(Stream),
    Udp(UdpSocket),
}

impl Connection {
    /// Connects before the deadline.
    pub(super) async fn open(
        dialer: &Dialer,
        transport: Transport,
        (host, port): (&str, u16),
        deadline: Instant,
    ) -> Result<Self, ConnectionFault> {
        let opened = match transport {
            Transport::Tcp => dialer.dial(host, port, None, deadline).await.map(Self::Tcp),
            Transport::Udp => dialer.datagrams(host, port, deadline).await.map(Self::Udp),
        };
        opened.map_err(ConnectionFault::of_dial)
    }

    /// Whether data or the end of the stream has arrived that was not requested: the next exchange
    /// would mistake it for its response.
    pub(super) fn has_unsolicited_input(&mut self) -> bool {
        match self {
            Self::Tcp(stream) => stream.has_unsolicited_input(),
            Self::Udp(socket) => match socket.try_recv(&mut [0; 1]) {
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
                Ok(_) => true,
            },
        }
    }

    /// Sends a payload and receives the response; returns its progress.
    pub(super) async fn exchange(
        &mut self,
        payload: &[u8],
        reply: &mut Reply,
        end: End,
        scratch: &RefCell<Box<[u8]>>,
    ) -> Result<Progress, ConnectionFault> {
        let outcome = match self {
            Self::Udp(socket) => datagrams(socket, payload, reply, end, scratch).await,
            Self::Tcp(stream) => {
                let progress = if end == End::AtOnce { Progress::Whole } else { Progress::More };
                let mut exchange = Exchange { stream, unsent: payload, progress, reply, end };
                poll_fn(|context| exchange.poll(context, scratch)).await
            }
        };
        outcome.map_err(|error| ConnectionFault::of_io(&error))
    }
}

/// Sends a datagram, even an empty one, and receives those of the response.
async fn datagrams(
    socket: &UdpSocket,
    payload: &[u8],
    reply: &mut Reply,
    end: End,
    scratch: &RefCell<Box<[u8]>>,
) -> io::Result<Progress> {
    socket.send(payload).await?;
    if end == End::AtOnce {
        return Ok(Progress::Whole);
    }
    loop {
        // If nothing listens there, the socket reports an error without becoming readable.
        let ready = socket.ready(Interest::READABLE | Interest::ERROR).await?;
        if ready.is_error() {
            let error = || socket.take_error()?.map_or(Err(io::ErrorKind::WouldBlock.into()), Err);
            match socket.try_io(Interest::ERROR, error) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => outcome?,
            }
        }
        let scratch = &mut scratch.borrow_mut();
        match socket.try_recv(scratch) {
            Ok(count) => {
                let datagram = scratch.get(..count).unwrap_or_default();
                if reply.datagram(datagram, end) == Progress::Whole {
                    return Ok(Progress::Whole);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// An exchange over a stream. Sends and receives at the same time: a target that responds while it
/// still reads would otherwise stop at a full buffer, and so would this side.
struct Exchange<'a> {
    stream: &'a mut Stream,
    /// The unsent part of the payload.
    unsent: &'a [u8],
    progress: Progress,
    reply: &'a mut Reply,
    end: End,
}

impl Exchange<'_> {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        scratch: &RefCell<Box<[u8]>>,
    ) -> Poll<io::Result<Progress>> {
        let sent = self.poll_send(context)?;
        if self.progress == Progress::More {
            self.progress = ready!(self.poll_receive(context, &mut scratch.borrow_mut()))?;
            if self.progress == Progress::More {
                // The target has closed: no more of the response will arrive, whatever is unsent.
                return Poll::Ready(Ok(Progress::More));
            }
        }
        sent.map(|()| Ok(self.progress))
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let count = ready!(Pin::new(&mut *self.stream).poll_write(context, self.unsent))?;
            self.unsent = self.unsent.get(count..).unwrap_or_default();
        }
        Poll::Ready(Ok(()))
    }

    /// Receives until the response is complete; [`Progress::More`] means that it ended earlier.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut [u8],
    ) -> Poll<io::Result<Progress>> {
        loop {
            let room = usize::try_from(self.reply.room(self.end)).unwrap_or(usize::MAX);
            let length = room.min(scratch.len());
            let mut buffer = ReadBuf::new(scratch.get_mut(..length).unwrap_or_default());
            ready!(Pin::new(&mut *self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                let whole = self.end == End::Close;
                return Poll::Ready(Ok(if whole { Progress::Whole } else { Progress::More }));
            }
            let progress = self.reply.feed(buffer.filled(), self.end);
            if progress != Progress::More {
                return Poll::Ready(Ok(progress));
            }
        }
    }
}
