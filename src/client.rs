//! The client: connect, ask, and iterate over the replies as they arrive. It keeps at most one frame
//! in memory and waits no longer than it is told, whatever the server does. [`probe`] is the ping
//! that finds out why it failed. Nothing here prints or chooses an exit code beyond
//! [`ClientError::exit`].

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, CertificateError};

use crate::error::{Exit, chain};
use crate::event::{ErrorKind, Event};
use crate::wire::frame::{BadLength, HEADER, Inbox, MAX_REPLY, MAX_REQUEST};
use crate::wire::reply::{Decoded, Decoder};
use crate::wire::stream::Stream;
use crate::wire::tls::{self, TlsError};
use crate::wire::token::Token;

pub use crate::wire::frame::Mode;
pub use crate::wire::reply::{Refusal, Reply};
pub use crate::wire::request::{Ask, TooLong};
pub use crate::wire::tls::{ClientTls, Identity};

/// What is taken from the stream at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// The first byte of a TLS alert's record: what a TLS server says to a client that speaks plain TCP.
const TLS_ALERT: u8 = 0x15;

/// Where a server listens, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// How requests are delimited.
    pub mode: Mode,
    /// TLS, if the server speaks it.
    pub tls: Option<ClientTls>,
    /// How long the connection and the TLS handshake may take together.
    pub connect_timeout: Duration,
}

impl Endpoint {
    /// The address as a person writes it.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Connects, with TLS where it is asked for.
    pub async fn connect(&self) -> Result<Connection<Stream>, ClientError> {
        let stream = timeout(self.connect_timeout, self.open()).await.unwrap_or_else(|_| {
            Err(ClientError::ConnectTimeout {
                address: self.address(),
                after: self.connect_timeout,
            })
        })?;
        Ok(Connection::new(stream, self.mode, self.address()))
    }

    async fn open(&self) -> Result<Stream, ClientError> {
        // Files are read before anything is sent.
        let secure = match &self.tls {
            Some(settings) => Some(tls::client_config(settings, &self.host)?),
            None => None,
        };
        let plain = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|source| ClientError::Unreachable { address: self.address(), source })?;
        let Some((config, name)) = secure else {
            return Ok(Stream::Plain(plain));
        };
        let secured = TlsConnector::from(config)
            .connect(name, plain)
            .await
            .map_err(|error| handshake_error(self.address(), error))?;
        Ok(Stream::Tls(Box::new(secured)))
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

    /// Sends the request. `idle` is the longest that the server may say nothing, from here to the
    /// end of the reply; `None` waits for ever.
    pub async fn ask(
        mut self,
        ask: Ask<'_>,
        token: Option<&Token>,
        idle: Option<Duration>,
    ) -> Result<Replies<S>, ClientError> {
        let request = ask.to_bytes(self.mode, token)?;
        let sending = async {
            self.stream.write_all(&request).await?;
            self.stream.flush().await
        };
        match within(idle, sending).await {
            None => return Err(ClientError::Timeout { address: self.address, idle }),
            // A server that refuses early may close before it has read everything; what it had to
            // say is still to be read.
            Some(Err(error)) if closed_by_peer(&error) => {}
            Some(sent) => sent.map_err(|source| broken(&self.address, source))?,
        }
        Ok(Replies {
            stream: self.stream,
            mode: self.mode,
            address: self.address,
            idle,
            inbox: Inbox::default(),
            decoder: Decoder::default(),
            progress: Progress::Waiting,
        })
    }
}

/// How far a reply has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing was received.
    Waiting,
    /// Something was.
    Receiving,
    /// The terminator, or the end of the stream.
    Ended,
}

/// A reply as it arrives.
#[derive(Debug)]
pub struct Replies<S> {
    stream: S,
    mode: Mode,
    address: String,
    idle: Option<Duration>,
    inbox: Inbox,
    decoder: Decoder,
    progress: Progress,
}

impl<S: AsyncRead + Unpin> Replies<S> {
    /// The next piece; `None` after the last. The reply ends with the terminator or with the
    /// stream, for refusals of the token have no terminator. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Reply>, ClientError> {
        while self.progress != Progress::Ended {
            match self.take()? {
                Some(Decoded::Reply(reply)) => return Ok(Some(reply)),
                Some(Decoded::Unknown) => {}
                Some(Decoded::End) => self.progress = Progress::Ended,
                None => self.fill().await?,
            }
        }
        Ok(None)
    }

    /// Takes one frame or line that is there.
    fn take(&mut self) -> Result<Option<Decoded>, ClientError> {
        self.check_mode()?;
        let (body, consumed) = match self.mode {
            Mode::Framed => match self.inbox.frame(MAX_REPLY)? {
                Some(body) => (body, HEADER + body.len()),
                None => return Ok(None),
            },
            Mode::Legacy => match self.inbox.line(MAX_REPLY)? {
                Some(line) => (line, line.len() + 1),
                None => return Ok(None),
            },
        };
        let decoded = self.decoder.read(body, self.mode);
        self.inbox.consume(consumed);
        Ok(Some(decoded))
    }

    /// A peer of another kind shows in the first bytes of its answer.
    fn check_mode(&self) -> Result<(), ClientError> {
        let address = || self.address.clone();
        match (self.inbox.pending(), self.mode) {
            ([TLS_ALERT, 0x03, ..], _) => Err(ClientError::SpeaksTls { address: address() }),
            ([0x00, ..], Mode::Legacy) => Err(ClientError::FramedOnly { address: address() }),
            // As a length this would be over a gigabyte.
            ([first, ..], Mode::Framed) if first.is_ascii_graphic() => {
                Err(ClientError::LegacyOnly { address: address() })
            }
            _ => Ok(()),
        }
    }

    async fn fill(&mut self) -> Result<(), ClientError> {
        let count = match within(self.idle, self.inbox.fill(&mut self.stream, CHUNK)).await {
            None => {
                return Err(ClientError::Timeout {
                    address: self.address.clone(),
                    idle: self.idle,
                });
            }
            // The reference closes TLS connections without saying so.
            Some(Err(error)) if closed_by_peer(&error) => 0,
            Some(read) => read.map_err(|source| broken(&self.address, source))?,
        };
        if count > 0 {
            self.progress = Progress::Receiving;
            return Ok(());
        }
        let address = || self.address.clone();
        match (self.progress, self.inbox.pending().is_empty()) {
            (Progress::Waiting, _) => Err(ClientError::NoReply { address: address() }),
            (_, false) => Err(ClientError::Truncated { address: address() }),
            (_, true) => {
                self.progress = Progress::Ended;
                Ok(())
            }
        }
    }
}

/// Who answered a ping.
#[derive(Debug, Clone, PartialEq)]
pub struct Pong {
    /// The server's name; `None` from a server without the event dialect, as the Python one.
    pub server: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Seconds since it started.
    pub uptime_s: Option<f64>,
    /// Documents that it has taken.
    pub runs: Option<u64>,
    /// From the first packet to the end of the answer.
    pub round_trip: Duration,
}

/// Pings without side effects. When it fails, the error says why, if need be after a second look at
/// the port in other ways.
pub async fn probe(
    endpoint: &Endpoint,
    token: Option<&Token>,
    idle: Duration,
) -> Result<Pong, ClientError> {
    match ping(endpoint, token, idle).await {
        Err(error) if error.is_puzzling() => {
            // A second look never takes long: the first one has waited already.
            let look = timeout(idle.min(LOOK), look(endpoint)).await.ok().flatten();
            Err(look.unwrap_or(error))
        }
        other => other,
    }
}

/// The longest second look.
const LOOK: Duration = Duration::from_secs(3);

async fn ping(
    endpoint: &Endpoint,
    token: Option<&Token>,
    idle: Duration,
) -> Result<Pong, ClientError> {
    let begun = Instant::now();
    let connection = endpoint.connect().await?;
    let mut replies = connection.ask(Ask::Ping, token, Some(idle)).await?;
    let mut pong = Pong {
        server: None,
        version: None,
        uptime_s: None,
        runs: None,
        round_trip: Duration::ZERO,
    };
    while let Some(reply) = replies.next().await? {
        let address = endpoint.address();
        match reply {
            Reply::Event(Event::Pong { server, version, uptime_s, runs, .. }) => {
                pong.server = Some(server);
                pong.version = Some(version);
                pong.uptime_s = Some(uptime_s);
                pong.runs = Some(runs);
            }
            Reply::Event(Event::Error { kind, message }) => {
                return Err(ClientError::refused(address, Refusal::new(kind, message)));
            }
            Reply::Line(line) => {
                return Err(match Refusal::of_line(&line) {
                    Some(refusal) => ClientError::refused(address, refusal),
                    None => ClientError::NotThisProtocol { address },
                });
            }
            Reply::Event(_) => {}
        }
    }
    pong.round_trip = begun.elapsed();
    Ok(pong)
}

/// Why a port did not answer: it is asked in the ways that the endpoint does not name. Only pings
/// without a token are sent, and no certificate is trusted with anything.
async fn look(endpoint: &Endpoint) -> Option<ClientError> {
    let address = endpoint.address();
    let other = |mode, tls| Endpoint { mode, tls, ..endpoint.clone() };
    if endpoint.tls.is_some() {
        if answers(&other(endpoint.mode, None)).await {
            return Some(ClientError::NotTls { address });
        }
    } else {
        let any = ClientTls { insecure: true, ..ClientTls::default() };
        match other(endpoint.mode, Some(any)).connect().await {
            Ok(_) => return Some(ClientError::SpeaksTls { address }),
            // Only a TLS server sends alerts.
            Err(ClientError::Handshake { source, .. }) if is_alert(&source) => {
                return Some(ClientError::SpeaksTls { address });
            }
            Err(_) => {}
        }
    }
    let (mode, error) = match endpoint.mode {
        Mode::Framed => (Mode::Legacy, ClientError::LegacyOnly { address }),
        Mode::Legacy => (Mode::Framed, ClientError::FramedOnly { address }),
    };
    answers(&other(mode, endpoint.tls.clone())).await.then_some(error)
}

/// Whether a ping gets any answer of this protocol.
async fn answers(endpoint: &Endpoint) -> bool {
    match ping(endpoint, None, LOOK).await {
        Ok(_) | Err(ClientError::Refused { .. }) => true,
        Err(ClientError::FramedOnly { .. } | ClientError::LegacyOnly { .. }) => true,
        Err(_) => false,
    }
}

/// Why a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens, or nothing can be reached.
    #[error("{address}: cannot connect; check that a server listens there (ldctl serve)")]
    Unreachable {
        /// The server.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection or the handshake takes too long.
    #[error("{address}: no connection within {} s; check the address, or --tls", after.as_secs_f64())]
    ConnectTimeout {
        /// The server.
        address: String,
        /// How long it was waited.
        after: Duration,
    },
    /// TLS cannot be set up on this side.
    #[error(transparent)]
    TlsSetup(#[from] TlsError),
    /// The certificate is not trusted.
    #[error(
        "{address}: the server's certificate is not trusted ({reason}); name its authority with --tls-ca, or its name with --tls-server-name"
    )]
    NotTrusted {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The handshake failed for another reason.
    #[error(
        "{address}: the TLS handshake failed; check that the port speaks TLS, and the client certificate if it wants one"
    )]
    Handshake {
        /// The server.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A plain client on a TLS port.
    #[error("{address}: the port speaks TLS; add --tls")]
    SpeaksTls {
        /// The server.
        address: String,
    },
    /// A TLS client on a plain port.
    #[error("{address}: the port does not speak TLS; leave out --tls")]
    NotTls {
        /// The server.
        address: String,
    },
    /// A legacy client on a port that takes only frames.
    #[error("{address}: the port takes only framed requests; leave out --legacy")]
    FramedOnly {
        /// The server.
        address: String,
    },
    /// A framed client on a port that takes only legacy requests.
    #[error("{address}: the port takes only legacy requests; add --legacy")]
    LegacyOnly {
        /// The server.
        address: String,
    },
    /// Something else listens there.
    #[error("{address}: the answer is not of this protocol; check the port")]
    NotThisProtocol {
        /// The server.
        address: String,
    },
    /// The server says nothing for too long.
    #[error("{address}: no answer within {} s; raise --timeout, or check the server", idle.unwrap_or_default().as_secs_f64())]
    Timeout {
        /// The server.
        address: String,
        /// How long it was waited.
        idle: Option<Duration>,
    },
    /// The server closed without a word.
    #[error("{address}: closed without an answer; check --tls and --legacy, or the server's log")]
    NoReply {
        /// The server.
        address: String,
    },
    /// The server closed within a frame or line.
    #[error("{address}: the connection ended within a reply; check the server's log")]
    Truncated {
        /// The server.
        address: String,
    },
    /// The connection broke.
    #[error("{address}: the connection broke; check the server's log")]
    Broken {
        /// The server.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The request is too long for any server.
    #[error("{}", too_long_text(_0))]
    TooLong(#[from] TooLong),
    /// A frame or line of the reply is longer than this client holds.
    #[error("a reply cannot be read: {0}; the server is hostile or speaks another protocol")]
    ReplyLength(#[from] BadLength),
    /// The server refuses.
    #[error("{address}: {}", refusal_text(refusal))]
    Refused {
        /// The server.
        address: String,
        /// What it said.
        refusal: Refusal,
    },
}

fn too_long_text(refusal: &TooLong) -> String {
    let framed = refusal.most >= MAX_REQUEST;
    format!("{refusal}; send it in parts{}", if framed { "" } else { ", or leave out --legacy" })
}

fn refusal_text(refusal: &Refusal) -> String {
    match refusal.kind {
        ErrorKind::TokenRequired => {
            "the server wants a token; give one with --token-env or --token-file".into()
        }
        ErrorKind::Unauthorised => {
            "the token is wrong; give the server's with --token-env or --token-file".into()
        }
        _ => refusal.message.clone(),
    }
}

impl ClientError {
    /// A server's refusal, or what it really says about the port.
    pub fn refused(address: String, refusal: Refusal) -> Self {
        match refusal.is_speaks_tls() {
            true => Self::SpeaksTls { address },
            false => Self::Refused { address, refusal },
        }
    }

    /// The exit code for it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::TlsSetup(_) | Self::TooLong(_) => Exit::Usage,
            Self::Refused { refusal, .. } => match refusal.kind {
                ErrorKind::TokenRequired | ErrorKind::Unauthorised => Exit::Refused,
                ErrorKind::Busy => Exit::Busy,
                ErrorKind::InvalidJson | ErrorKind::InvalidDocument | ErrorKind::Limit => {
                    Exit::ActionFailed
                }
                _ => Exit::Unreachable,
            },
            _ => Exit::Unreachable,
        }
    }

    /// Whether trying again later may help: `ping --wait` goes on after these.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::ConnectTimeout { .. }
                | Self::Timeout { .. }
                | Self::NoReply { .. }
                | Self::Truncated { .. }
                | Self::Broken { .. }
        ) || self.exit() == Exit::Busy
    }

    /// Whether a second look at the port may say more.
    fn is_puzzling(&self) -> bool {
        matches!(
            self,
            Self::NoReply { .. }
                | Self::Handshake { .. }
                | Self::ConnectTimeout { .. }
                | Self::Timeout { .. }
                | Self::Broken { .. }
                | Self::Truncated { .. }
                | Self::ReplyLength(_)
        )
    }

    /// The error with all its causes in one line.
    pub fn line(&self) -> String {
        chain(self)
    }
}

/// The future's value, or `None` when it takes longer than `idle`.
async fn within<T>(idle: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match idle {
        Some(idle) => timeout(idle, future).await.ok(),
        None => Some(future.await),
    }
}

fn closed_by_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe | ConnectionAborted)
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn is_alert(error: &io::Error) -> bool {
    matches!(rustls_error(error), Some(rustls::Error::AlertReceived(_)))
}

/// An error on an open connection. In TLS 1.3 a server refuses the client's certificate only after
/// the client's handshake is done.
fn broken(address: &str, source: io::Error) -> ClientError {
    let address = address.to_owned();
    match is_alert(&source) {
        true => ClientError::Handshake { address, source },
        false => ClientError::Broken { address, source },
    }
}

fn handshake_error(address: String, source: io::Error) -> ClientError {
    use rustls::Error::{InvalidCertificate, InvalidMessage};
    match rustls_error(&source) {
        Some(InvalidCertificate(reason)) => {
            ClientError::NotTrusted { address, reason: untrusted(reason) }
        }
        Some(InvalidMessage(_)) => ClientError::NotTls { address },
        _ => ClientError::Handshake { address, source },
    }
}

fn untrusted(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => "unknown authority".to_owned(),
        other => other.to_string(),
    }
}
