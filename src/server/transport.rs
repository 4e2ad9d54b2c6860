//! The byte streams of sessions, and how a connection becomes one: plain TCP as it is, TLS after a
//! handshake.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

#[cfg(target_os = "linux")]
use socket2::{SockRef, TcpKeepalive};
#[cfg(target_os = "linux")]
use tokio::io::Interest;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::state::ServerState;
use crate::counters::Counters;
use crate::error::reason;
use crate::wire::frame::{Mode, Opening};

/// The largest TLS record, in bytes (RFC 8446, section 5.1).
const RECORD: usize = 1 << 14;

/// The byte stream of a session.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether dropping it closes the stream properly.
    const CLOSES_ON_DROP: bool;

    /// Whether what the peer wrote in one call also arrives in one piece.
    const KEEPS_RECORDS: bool;

    /// Sends small writes immediately from now on.
    fn set_nodelay(&self);

    /// Acknowledges received data immediately. A peer with Nagle's algorithm (on by default) sends
    /// the rest of a request only then, and systems delay acknowledgements by 40 ms where they
    /// expect a response to carry them.
    fn acknowledge(&self) {}

    /// Returns when the connection is broken: reset, or without acknowledgements for too long. Where
    /// that cannot be observed, never.
    fn broken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// A peer that acknowledges nothing for so long is gone. Also sends probes when nothing else is
    /// sent.
    fn expect_acknowledgements(&self, _within: Duration) {}

    /// Buffers these bytes and the stream's end, for the next flush to send in one piece. Returns
    /// false if that is not possible; then nothing was buffered.
    fn write_and_close(&mut self, _bytes: &[u8]) -> bool {
        false
    }
}

impl Transport for TcpStream {
    const CLOSES_ON_DROP: bool = true;
    const KEEPS_RECORDS: bool = false;

    fn set_nodelay(&self) {
        // Fails only if the peer is gone.
        let _ = self.set_nodelay(true);
    }

    #[cfg(target_os = "linux")]
    async fn broken(&self) {
        while let Ok(ready) = self.ready(Interest::ERROR).await {
            if ready.is_error() {
                return;
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn expect_acknowledgements(&self, within: Duration) {
        let socket = SockRef::from(self);
        let third = within / 3;
        let probes = TcpKeepalive::new().with_time(third).with_interval(third).with_retries(2);
        // Without them the end is noticed later, by the system's own limits.
        let _ = socket.set_tcp_keepalive(&probes);
        let _ = socket.set_tcp_user_timeout(Some(within));
    }
}

/// Boxed: a TLS session is over a kilobyte.
pub(super) type Secured = Box<TlsStream<TcpStream>>;

impl Transport for Secured {
    const CLOSES_ON_DROP: bool = false;
    const KEEPS_RECORDS: bool = true;

    fn set_nodelay(&self) {
        Transport::set_nodelay(self.get_ref().0);
    }

    async fn broken(&self) {
        self.get_ref().0.broken().await;
    }

    fn expect_acknowledgements(&self, within: Duration) {
        self.get_ref().0.expect_acknowledgements(within);
    }

    fn acknowledge(&self) {
        // Fails only if the peer is gone.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = self.get_ref().0.set_quickack(true);
    }

    fn write_and_close(&mut self, bytes: &[u8]) -> bool {
        let (_, tls) = self.get_mut();
        // One record, which always fits after a flush.
        let taken = bytes.len() <= RECORD && tls.writer().write_all(bytes).is_ok();
        if taken {
            tls.send_close_notify();
        }
        taken
    }
}

/// The result of a TLS handshake.
pub(super) enum Handshake {
    /// The peer speaks TLS.
    Done(Secured),
    /// The peer speaks plain TCP, in this mode.
    Plain(TcpStream, Mode),
    /// Neither, or a timeout.
    Failed,
}

/// Performs a handshake within its time limit.
pub(super) async fn handshake(stream: TcpStream, shared: &ServerState) -> Handshake {
    let deadline = Instant::now() + shared.limits().handshake;
    let mut first = [0];
    let handshake = async {
        match stream.peek(&mut first).await {
            Ok(1..) => {}
            _ => return Handshake::Failed,
        }
        let [first] = first;
        match Opening::of(first) {
            Opening::Tls => accept(shared, stream).await,
            Opening::Framed => Handshake::Plain(stream, Mode::Framed),
            Opening::Legacy => Handshake::Plain(stream, Mode::Legacy),
        }
    };
    timeout_at(deadline, handshake).await.unwrap_or_else(|_| {
        Counters::count(&shared.counters().timeouts);
        Handshake::Failed
    })
}

async fn accept(shared: &ServerState, stream: TcpStream) -> Handshake {
    let Some(config) = shared.server.keyring.tls() else { return Handshake::Failed };
    match TlsAcceptor::from(config).accept(stream).await {
        Ok(stream) => {
            let session = stream.get_ref().1;
            let (version, suite) = (session.protocol_version(), session.negotiated_cipher_suite());
            tracing::debug!("TLS handshake: {version:?}, {:?}", suite.map(|suite| suite.suite()));
            Handshake::Done(Box::new(stream))
        }
        Err(error) => {
            tracing::debug!("TLS handshake failed: {}", reason(&error));
            Handshake::Failed
        }
    }
}
