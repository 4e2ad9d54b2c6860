//! The client: connect, send a request, and iterate over the replies as they arrive. It holds at
//! most one reply in memory and has a timeout for every wait, whatever the server does. [`probe()`]
//! is a ping that diagnoses failures. Nothing here prints or chooses an exit code.

mod error;
mod probe;
mod report;

use std::io;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::event::Event;
use crate::net::{DialError, NoAddress, Stream, dial};
use crate::wire::dialect::{Decoded, Decoder, Reply};
use crate::wire::frame::{HEADER, MAX_REPLY, Mode, ReadBuffer, TERMINATOR};
use crate::wire::refusal::{ERROR, Refusal};
use crate::wire::request::Request;
use crate::wire::text::ends_the_reply;
use crate::wire::tls::{self, ClientTls};
use crate::wire::token::Token;

pub use crate::net::CertificateProblem;
pub use error::ClientError;
pub use probe::{
    PingReply, StatusReply, confirm, diagnose, link, ping, probe, quit, runs, status, stop,
};
pub use report::{ReportFault, report};

/// The default timeout of a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The size of one read, in bytes.
const CHUNK: usize = 64 * 1024;

/// The first two bytes of a TLS alert's record: what a TLS server sends to a client that does not
/// use TLS.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// A server's address, and how to connect to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// How requests are delimited.
    pub mode: Mode,
    /// The TLS settings, if the server uses TLS.
    pub tls: Option<ClientTls>,
    /// The timeout of the connection and the TLS handshake together.
    pub connect_timeout: Duration,
}

impl Endpoint {
    /// A server with framed requests over plain TCP.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            mode: Mode::Framed,
            tls: None,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// The address for people.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Connects, with TLS if configured.
    pub async fn connect(&self) -> Result<Connection<Stream>, ClientError> {
        // Files are read before anything is sent.
        let tls = match &self.tls {
            Some(settings) => Some(tls::client_config(settings, &self.host)?),
            None => None,
        };
        let deadline = Instant::now() + self.connect_timeout;
        let stream = dial(&self.host, self.port, None, tls, deadline).await;
        let stream = stream.map_err(|error| self.failed(error))?;
        Ok(Connection::new(stream, self.mode, self.address()))
    }

    /// Connects and sends one request; a request that is too long is refused first. `idle_timeout`
    /// is as in [`Connection::ask`].
    pub async fn ask(
        &self,
        request: Request<&RawValue>,
        token: Option<&Token>,
        idle_timeout: Duration,
    ) -> Result<Replies<Stream>, ClientError> {
        let request = request.to_bytes(self.mode, token)?;
        self.connect().await?.send(&request, token.is_some(), idle_timeout).await
    }

    /// Converts a failed connection to a client's error.
    fn failed(&self, error: DialError) -> ClientError {
        let address = self.address();
        match error {
            DialError::NoAddress(why) => ClientError::Unresolved {
                host: self.host.clone(),
                source: io::Error::other(match why {
                    NoAddress::Unresolved { why, .. } => why,
                    other => other.to_string(),
                }),
            },
            DialError::Connect { source, .. }
                if source.kind() == io::ErrorKind::ConnectionRefused =>
            {
                ClientError::NothingListens { address }
            }
            DialError::Connect { source, .. } => ClientError::Unreachable { address, source },
            DialError::Own(limit) => {
                ClientError::Unreachable { address, source: io::Error::other(limit) }
            }
            DialError::Tls { problem, source, .. } => {
                ClientError::handshake(address, problem, source)
            }
            DialError::Deadline { .. } => {
                ClientError::ConnectTimeout { address, after: self.connect_timeout }
            }
        }
    }
}

/// An open connection; it carries one request.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    mode: Mode,
    address: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection over any byte stream; `address` is for messages.
    pub fn new(stream: S, mode: Mode, address: String) -> Self {
        Self { stream, mode, address }
    }

    /// Sends the request. `idle_timeout` is the timeout of sending, and then of each complete
    /// reply: bytes that complete nothing do not extend it.
    pub async fn ask(
        self,
        request: Request<&RawValue>,
        token: Option<&Token>,
        idle_timeout: Duration,
    ) -> Result<Replies<S>, ClientError> {
        let request = request.to_bytes(self.mode, token)?;
        self.send(&request, token.is_some(), idle_timeout).await
    }

    async fn send(
        mut self,
        request: &[u8],
        has_token: bool,
        idle_timeout: Duration,
    ) -> Result<Replies<S>, ClientError> {
        let sending = async {
            self.stream.write_all(request).await?;
            self.stream.flush().await
        };
        match timeout(idle_timeout, sending).await {
            Err(_) => {
                return Err(ClientError::Timeout { address: self.address, after: idle_timeout });
            }
            // A server that refuses early may close before it has read everything; its refusal can
            // still be read.
            Ok(Err(error)) if closed_by_peer(&error) => {}
            Ok(sent) => sent.map_err(|source| ClientError::broken(&self.address, source))?,
        }
        Ok(Replies {
            stream: self.stream,
            mode: self.mode,
            address: self.address,
            has_token,
            idle_timeout,
            deadline: Instant::now() + idle_timeout,
            most: MAX_REPLY,
            buffer: ReadBuffer::default(),
            decoder: Decoder::default(),
            stage: Stage::Waiting,
            count: 0,
            speaks_events: false,
            may_end: false,
        })
    }
}

/// The progress of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No byte was received.
    Waiting,
    /// Some bytes were received.
    Receiving,
    /// The terminator was received.
    Terminated,
    /// The stream ended without a terminator.
    Closed,
}

/// A reply as it arrives. Dropping it closes the connection; the server decides whether the request
/// continues.
#[derive(Debug)]
pub struct Replies<S> {
    stream: S,
    mode: Mode,
    address: String,
    /// Whether the request had a token.
    has_token: bool,
    idle_timeout: Duration,
    /// When the next reply must be complete.
    deadline: Instant,
    /// The longest reply, in bytes: [`MAX_REPLY`].
    most: usize,
    buffer: ReadBuffer,
    decoder: Decoder,
    stage: Stage,
    /// How many replies were returned.
    count: usize,
    speaks_events: bool,
    /// Whether servers close without a terminator after the last line.
    may_end: bool,
}

impl<S: AsyncRead + Unpin> Replies<S> {
    /// Returns the next reply; `None` after the last. The end is the terminator or, from a server
    /// with text replies, the end of the stream: refusals of the token have no terminator. Dropping
    /// the future loses no data.
    pub async fn next(&mut self) -> Result<Option<Reply>, ClientError> {
        while !matches!(self.stage, Stage::Terminated | Stage::Closed) {
            match self.take()? {
                Some(Decoded::Reply(reply)) => {
                    self.note(&reply);
                    return Ok(Some(reply));
                }
                // An event of a later version shows that the server is alive.
                Some(Decoded::Unknown) => {
                    self.speaks_events = true;
                    self.deadline = Instant::now() + self.idle_timeout;
                }
                Some(Decoded::End) => self.stage = Stage::Terminated,
                None => self.fill().await?,
            }
        }
        Ok(None)
    }

    /// Whether the reply is complete: the terminator was received, or the stream ended after a line
    /// without one. False after the last reply means that the server crashed or does not speak this
    /// protocol.
    pub fn is_complete(&self) -> bool {
        self.stage == Stage::Terminated || (self.stage == Stage::Closed && self.may_end)
    }

    /// Returns the refusal of the whole request in a reply, if it is one. In the text dialect only
    /// the first line can be a refusal: a later one is a record that looks like it.
    pub fn refusal(&self, reply: &Reply) -> Option<ClientError> {
        let refusal = match reply {
            Reply::Event(Event::Error { kind, message }) => Refusal::new(*kind, message.clone()),
            Reply::Line(line) if self.count <= 1 => Refusal::of_line(line)?,
            _ => return None,
        };
        Some(ClientError::refused(self.address.clone(), refusal, self.has_token))
    }

    fn note(&mut self, reply: &Reply) {
        self.count += 1;
        self.deadline = Instant::now() + self.idle_timeout;
        match reply {
            Reply::Event(_) => self.speaks_events = true,
            Reply::Line(line) => self.may_end = ends_the_reply(line),
        }
    }

    /// Takes one complete frame or line.
    fn take(&mut self) -> Result<Option<Decoded>, ClientError> {
        if self.count == 0 && !self.check_opening()? {
            return Ok(None);
        }
        let too_long = |source| ClientError::ReplyLength { address: self.address.clone(), source };
        let (body, consumed) = match self.mode {
            Mode::Framed => match self.buffer.frame(self.most).map_err(too_long)? {
                Some(body) => (body, HEADER + body.len()),
                None => return Ok(None),
            },
            Mode::Legacy => match self.buffer.line(self.most).map_err(too_long)? {
                Some(line) => (line, line.len() + 1),
                None => return Ok(None),
            },
        };
        let decoded = self.decoder.read(body, self.mode);
        self.buffer.consume(consumed);
        Ok(Some(decoded))
    }

    /// Recognizes a peer of another kind by the first bytes of its reply; returns false while more
    /// bytes are needed. A frame's first byte is 0 or, for a reply of 16 MiB, 1.
    fn check_opening(&self) -> Result<bool, ClientError> {
        let address = || self.address.clone();
        let pending = self.buffer.pending();
        match (pending, self.mode) {
            (bytes, _) if bytes.starts_with(&TLS_ALERT) => {
                Err(ClientError::SpeaksTls { address: address() })
            }
            ([0x00, ..], Mode::Legacy) => Err(ClientError::FramedOnly { address: address() }),
            ([b' '..=b'~' | b'\r' | b'\n', ..], Mode::Framed) => {
                let legacy = [ERROR.as_bytes(), TERMINATOR.as_bytes()];
                if legacy.iter().any(|start| pending.starts_with(start)) {
                    Err(ClientError::LegacyOnly { address: address() })
                } else if legacy.iter().any(|start| start.starts_with(pending)) {
                    Ok(false)
                } else {
                    Err(ClientError::NotThisProtocol { address: address() })
                }
            }
            _ => Ok(true),
        }
    }

    async fn fill(&mut self) -> Result<(), ClientError> {
        let address = || self.address.clone();
        let filling = self.buffer.fill(&mut self.stream, CHUNK);
        let count = match timeout_at(self.deadline, filling).await {
            Err(_) => {
                return Err(ClientError::Timeout { address: address(), after: self.idle_timeout });
            }
            // The reference closes TLS connections without close_notify.
            Ok(Err(error)) if closed_by_peer(&error) => 0,
            Ok(read) => read.map_err(|source| ClientError::broken(&self.address, source))?,
        };
        if count > 0 {
            self.stage = Stage::Receiving;
            return Ok(());
        }
        if self.stage == Stage::Waiting {
            return Err(ClientError::NoReply { address: address() });
        }
        // Events always end with the terminator.
        if self.speaks_events || !self.buffer.pending().is_empty() {
            return Err(ClientError::Truncated { address: address() });
        }
        self.stage = Stage::Closed;
        Ok(())
    }
}

fn closed_by_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe | ConnectionAborted)
}

#[cfg(test)]
mod tests;
