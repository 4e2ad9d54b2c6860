//! A user's connection to an origin: made within the request's deadline, kept for the next request,
//! and closed as soon as the target or an error requires it. Reads use one buffer per worker, so
//! idle users hold none.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio_rustls::rustls::{ClientConfig, pki_types::ServerName};

use super::fault::Fault;
use super::head::LastHead;
use super::request::Outgoing;
use super::response::Response;
use super::target::Origin;
use crate::cold::cold_path;
use crate::net::{Dialer, Stream, Tls};
use crate::protocol::checked::Capture;
use crate::protocol::deadline::Deadline;
use crate::protocol::fault::ConnectionFault;

/// The size of one read. Larger than a TLS record and than almost every response.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// The start of a TLS alert record, which a TLS server sends to a client that does not use TLS.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// Connects to an origin before the deadline.
pub(crate) async fn connect(
    dialer: &Dialer,
    origin: &Origin,
    tls: Option<&Arc<ClientConfig>>,
    deadline: Instant,
) -> Result<Stream, Fault> {
    let tls = tls_for(origin, tls)?;
    dialer
        .dial(&origin.host, origin.port, tls, deadline)
        .await
        .map_err(|error| ConnectionFault::of_dial(error).into())
}

/// The TLS settings for an origin, if there is a configuration.
pub(crate) fn tls_for(
    origin: &Origin,
    config: Option<&Arc<ClientConfig>>,
) -> Result<Option<Tls>, Fault> {
    let Some(config) = config else { return Ok(None) };
    let name = ServerName::try_from(origin.host.to_string())
        .map_err(|error| ConnectionFault::Tls(error.to_string()))?;
    Ok(Some((Arc::clone(config), name)))
}

/// Sends a request and reads its response: a future that is written out, because it is what nearly all
/// users are waiting for, and its few fields are all that is looked at when a response arrives.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) stream: &'a mut Stream,
    pub(crate) request: Outgoing<'a>,
    pub(crate) response: &'a mut Response,
    pub(crate) deadline: &'a mut Deadline,
    pub(crate) scratch: &'a RefCell<Box<[u8]>>,
    /// The last head of the same task.
    pub(crate) last: &'a RefCell<LastHead>,
    pub(crate) capture: Capture,
    /// Whether the response has only a head (to a HEAD).
    pub(crate) head_only: bool,
    /// How much of the request is sent.
    pub(crate) sent: usize,
    /// Why the rest of it cannot be sent.
    pub(crate) unsent: Option<Fault>,
    /// Whether it is polled for the first time, by the poll of the task in which the request began.
    pub(crate) begins: bool,
}

impl Future for Exchange<'_> {
    type Output = Result<(), Fault>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = self.get_mut();
        match exchange.poll_exchange(context) {
            Poll::Pending => {}
            ready => return ready,
        }
        if std::mem::take(&mut exchange.begins) && exchange.deadline.is_armed(context) {
            return Poll::Pending;
        }
        exchange.deadline.poll(context).map(|()| Err(ConnectionFault::Deadline.into()))
    }
}

impl Exchange<'_> {
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut rest = self.request.rest(self.sent);
        while !rest.is_empty() && self.unsent.is_none() {
            match self.stream.poll_send(context, rest) {
                Poll::Ready(Ok(count)) => {
                    self.sent += count;
                    rest = self.request.rest(self.sent);
                }
                // The target may have responded before it read everything: the response counts.
                Poll::Ready(Err(error)) => {
                    cold_path();
                    self.unsent = Some(ConnectionFault::of_io(&error).into());
                }
                Poll::Pending => break,
            }
        }
        if let Stream::Tls(_) = self.stream
            && self.unsent.is_none()
            && let Poll::Ready(Err(error)) = Pin::new(&mut *self.stream).poll_flush(context)
        {
            self.unsent = Some(ConnectionFault::of_io(&error).into());
        }
        let outcome = ready!(self.poll_answer(context));
        if rest.is_empty() && self.unsent.is_none() {
            return Poll::Ready(outcome);
        }
        cold_path();
        // The target waits for the rest of this request, so no other may follow it.
        self.response.keep_alive = false;
        Poll::Ready(match (outcome, self.unsent.take()) {
            (Err(fault), Some(why)) if fault != ConnectionFault::Deadline.into() => Err(why),
            (outcome, _) => outcome,
        })
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut scratch = self.scratch.borrow_mut();
        loop {
            let count = match ready!(self.stream.poll_receive(context, &mut scratch)) {
                Ok(count) => count,
                Err(error) => return Poll::Ready(unreceived(&error, self.response)),
            };
            let bytes = scratch.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                cold_path();
                return Poll::Ready(self.response.end());
            }
            let mut last = self.last.borrow_mut();
            match last.feed(self.response, bytes, self.capture, self.head_only) {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(Fault::Malformed(_)) if bytes.starts_with(&TLS_ALERT) => {
                    cold_path();
                    return Poll::Ready(Err(Fault::SpeaksTls));
                }
                Err(fault) => {
                    cold_path();
                    return Poll::Ready(Err(fault));
                }
            }
            // A target that always has more data ready would keep the deadline's timer from being
            // polled.
            if count == scratch.len() && self.deadline.passed() {
                cold_path();
                return Poll::Ready(Err(ConnectionFault::Deadline.into()));
            }
        }
    }
}

/// What an error while a response is received comes to.
#[cold]
fn unreceived(error: &io::Error, response: &mut Response) -> Result<(), Fault> {
    match error.kind() {
        // A TLS peer that closes without close_notify: the framing decides whether the response is
        // truncated.
        io::ErrorKind::UnexpectedEof => response.end(),
        _ => Err(ConnectionFault::of_io(error).into()),
    }
}
