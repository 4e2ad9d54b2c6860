//! A byte stream that this process has opened, with or without TLS, as one enum: there is no
//! dynamic call between a request and its socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ProtocolVersion;

/// A connection to a server or target.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP. Boxed: a session takes about a kilobyte, and most users have none.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether data or the end of the stream has arrived that was not requested: such a connection
    /// cannot carry another request. Costs no system call unless the poller reports an event.
    pub fn has_unsolicited_input(&mut self) -> bool {
        match self {
            Self::Plain(socket) => match socket.try_read(&mut [0; 1]) {
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
                Ok(_) => true,
            },
            // It may be session tickets, which follow a handshake, or the peer's close_notify: only
            // TLS itself can read it.
            Self::Tls(tls) => {
                let mut context = Context::from_waker(Waker::noop());
                let mut byte = [0];
                Pin::new(tls).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_ready()
            }
        }
    }

    /// The peer's address, and the version of TLS.
    pub fn description(&self) -> String {
        let (socket, version) = match self {
            Self::Plain(socket) => (socket, None),
            Self::Tls(tls) => {
                let (socket, session) = tls.get_ref();
                (socket, session.protocol_version())
            }
        };
        let peer =
            socket.peer_addr().map_or_else(|_| "unknown".to_owned(), |peer| peer.to_string());
        match version {
            None => peer,
            Some(ProtocolVersion::TLSv1_2) => format!("{peer}, TLS 1.2"),
            Some(ProtocolVersion::TLSv1_3) => format!("{peer}, TLS 1.3"),
            Some(other) => format!("{peer}, {other:?}"),
        }
    }

    /// Whether TLS agreed on HTTP/2.
    pub fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
