//! A user's connection to an origin: made under the request's deadline, kept for the next request,
//! and given up as soon as the target or an error says so. Reading goes through one buffer per
//! worker, so an idle user holds none.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, pki_types::ServerName};

use super::answer::{Answer, Wanted};
use super::fault::Fault;
use super::target::Origin;
use crate::net::{Stream, Targets};
use crate::protocol::deadline::Deadline;

/// How much one read takes in. Larger than a TLS record and than nearly every answer.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// How long a worker remembers a name's addresses.
const RESOLVE_FOR: Duration = Duration::from_secs(30);

/// The most names that a worker remembers.
const MAX_NAMES: usize = 1024;

/// How long a worker remembers that a name could not be resolved, so that users without a target
/// do not flood the resolver.
const FAIL_FOR: Duration = Duration::from_secs(1);

/// What a worker remembers of names.
type Addresses = HashMap<(Box<str>, u16), (Instant, Result<Vec<SocketAddr>, Fault>)>;

/// Makes connections for one worker's users.
#[derive(Debug)]
pub(crate) struct Connector {
    targets: Targets,
    addresses: RefCell<Addresses>,
}

impl Connector {
    /// A connector that keeps to `targets`.
    pub(crate) fn new(targets: Targets) -> Self {
        Self { targets, addresses: RefCell::default() }
    }

    /// Connects to an origin before the deadline.
    pub(crate) async fn connect(
        &self,
        origin: &Origin,
        tls: Option<&Arc<ClientConfig>>,
        deadline: Instant,
    ) -> Result<Stream, Fault> {
        timeout_at(deadline, self.open(origin, tls)).await.map_err(|_| Fault::Deadline)?
    }

    async fn open(
        &self,
        origin: &Origin,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Stream, Fault> {
        let socket = self.dial(origin).await?;
        // A request is one write: waiting to fill a segment would only delay it.
        let _ = socket.set_nodelay(true);
        let Some(config) = tls else { return Ok(Stream::Plain(socket)) };
        let name = ServerName::try_from(origin.host.to_string())
            .map_err(|error| Fault::Tls(error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, socket).await;
        match stream {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Fault::Tls("connection closed in the handshake".to_owned()))
            }
            Err(error) => Err(Fault::Tls(error.to_string())),
        }
    }

    async fn dial(&self, origin: &Origin) -> Result<TcpStream, Fault> {
        let mut last = None;
        for address in self.resolve(origin).await? {
            match TcpStream::connect(address).await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = Some(Fault::of_connect(&error)),
            }
        }
        Err(last.unwrap_or(Fault::Refused))
    }

    async fn resolve(&self, origin: &Origin) -> Result<Vec<SocketAddr>, Fault> {
        let key = (origin.host.clone(), origin.port);
        if let Some((at, known)) = self.addresses.borrow().get(&key)
            && at.elapsed() < if known.is_ok() { RESOLVE_FOR } else { FAIL_FOR }
        {
            return known.clone();
        }
        let found = self.look_up(origin).await;
        let mut addresses = self.addresses.borrow_mut();
        if addresses.len() >= MAX_NAMES {
            addresses.clear();
        }
        addresses.insert(key, (Instant::now(), found.clone()));
        found
    }

    async fn look_up(&self, origin: &Origin) -> Result<Vec<SocketAddr>, Fault> {
        let failed = |why: String| Fault::Resolve { host: origin.host.to_string(), why };
        let found = tokio::net::lookup_host((&*origin.host, origin.port)).await;
        let all: Vec<SocketAddr> = found.map_err(|error| failed(error.to_string()))?.collect();
        let refuses = |address: &SocketAddr| self.targets.refuses(&origin.host, *address);
        let refused = all
            .iter()
            .find_map(|address| refuses(address).map(|why| Fault::Forbidden(*address, why)));
        let allowed: Vec<SocketAddr> =
            all.into_iter().filter(|address| refuses(address).is_none()).collect();
        if allowed.is_empty() {
            return Err(refused.unwrap_or_else(|| failed("no address".to_owned())));
        }
        Ok(allowed)
    }
}

/// Sends a request and reads its answer.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) stream: &'a mut Stream,
    pub(crate) request: &'a [u8],
    pub(crate) answer: &'a mut Answer,
    pub(crate) deadline: &'a mut Deadline,
    pub(crate) scratch: &'a RefCell<Box<[u8]>>,
    pub(crate) wanted: Wanted,
    /// Whether the answer has a head only (to a HEAD).
    pub(crate) head_only: bool,
}

impl Exchange<'_> {
    /// Does it.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let (mut sent, mut unsent) = (0, None);
        poll_fn(|context| {
            match self.poll(context, &mut sent, &mut unsent) {
                Poll::Ready(outcome) => return Poll::Ready(outcome),
                Poll::Pending => {}
            }
            self.deadline.poll(context).map(|()| Err(Fault::Deadline))
        })
        .await
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        sent: &mut usize,
        unsent: &mut Option<Fault>,
    ) -> Poll<Result<(), Fault>> {
        while *sent < self.request.len() && unsent.is_none() {
            let rest = self.request.get(*sent..).unwrap_or_default();
            match Pin::new(&mut *self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(count)) => *sent += count,
                // It may have answered before it read all: the answer counts.
                Poll::Ready(Err(error)) => *unsent = Some(Fault::of_io(&error)),
                Poll::Pending => break,
            }
        }
        if let Stream::Tls(_) = self.stream
            && unsent.is_none()
            && let Poll::Ready(Err(error)) = Pin::new(&mut *self.stream).poll_flush(context)
        {
            *unsent = Some(Fault::of_io(&error));
        }
        let outcome = ready!(self.poll_answer(context));
        if *sent < self.request.len() || unsent.is_some() {
            // The target waits for the rest of this request: no other may follow it.
            self.answer.keep_alive = false;
        }
        Poll::Ready(match (outcome, unsent.take()) {
            (Err(fault), Some(why)) if fault != Fault::Deadline => Err(why),
            (outcome, _) => outcome,
        })
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut scratch = self.scratch.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut *self.stream).poll_read(context, &mut buffer)) {
                Ok(()) => {}
                // A TLS peer that ends without saying so: whether that cuts the answer short, its
                // framing decides.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(self.answer.end());
                }
                Err(error) => return Poll::Ready(Err(Fault::of_io(&error))),
            }
            let more = buffer.remaining() == 0;
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(self.answer.end());
            }
            match self.answer.feed(bytes, self.wanted, self.head_only) {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(fault) => return Poll::Ready(Err(fault)),
            }
            // A target that always has more ready would never let the deadline's timer be polled.
            if more && self.deadline.passed() {
                return Poll::Ready(Err(Fault::Deadline));
            }
        }
    }
}
