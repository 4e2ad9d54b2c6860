//! A byte stream that this process has opened, with or without TLS, as one enum: there is no
//! dynamic call between a request and its socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::{has_budget_remaining, poll_proceed};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ProtocolVersion;

use crate::cold::cold_path;

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

    /// Sends some bytes: as [`AsyncWrite::poll_write`], and cheaper for plain TCP, because the runtime's budget of
    /// the task is not asked where the socket has room.
    #[inline]
    pub fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => return encrypt(tls, context, bytes),
        };
        loop {
            match socket.try_io(Interest::WRITABLE, || system::send(socket, bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
            cold_path();
            ready!(socket.poll_write_ready(context))?;
        }
    }

    /// Receives some bytes, none at the end of the stream: as [`AsyncRead::poll_read`], and cheaper for plain TCP,
    /// because only what fills the buffer, and so may be followed by more at once, counts in the runtime's budget.
    #[inline]
    pub fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => return decrypt(tls, context, into),
        };
        if !has_budget_remaining() {
            cold_path();
            ready!(poll_proceed(context)).made_progress();
        }
        loop {
            let mut last = None;
            let outcome = socket.try_io(Interest::READABLE, || {
                let count = system::receive(socket, into)?;
                if !system::TELLS_OF_MORE || count == 0 || count == into.len() {
                    return Ok(count);
                }
                // All that had arrived: until the poller tells of more, nobody asks the kernel in vain.
                last = Some(count);
                Err(io::ErrorKind::WouldBlock.into())
            });
            match (last, outcome) {
                (Some(count), _) => return Poll::Ready(Ok(count)),
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, outcome) => {
                    cold_path();
                    if matches!(outcome, Ok(count) if count == into.len())
                        && let Poll::Ready(budget) = poll_proceed(context)
                    {
                        budget.made_progress();
                    }
                    return Poll::Ready(outcome);
                }
            }
            ready!(socket.poll_read_ready(context))?;
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

/// Sends over TLS. Apart from [`Stream::poll_send`], for what it needs of the processor's caches is nothing beside
/// the encryption, and much beside a plain request.
#[inline(never)]
fn encrypt(
    tls: &mut TlsStream<TcpStream>,
    context: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    Pin::new(tls).poll_write(context, bytes)
}

/// Receives over TLS; apart like [`encrypt`].
#[inline(never)]
fn decrypt(
    tls: &mut TlsStream<TcpStream>,
    context: &mut Context<'_>,
    into: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(into);
    ready!(Pin::new(tls).poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
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

/// What is asked of the operating system for plain TCP, without the C library's checks for the cancellation of
/// threads.
#[cfg(unix)]
mod system {
    use std::io;

    use rustix::net::{RecvFlags, SendFlags};
    use tokio::net::TcpStream;

    /// Whether the poller tells of bytes that arrive after a read that did not fill its buffer.
    pub(super) const TELLS_OF_MORE: bool =
        cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));

    pub(super) fn send(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        // As in the standard library.
        let flags =
            if cfg!(target_vendor = "apple") { SendFlags::empty() } else { SendFlags::NOSIGNAL };
        Ok(rustix::net::send(socket, bytes, flags)?)
    }

    pub(super) fn receive(socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(socket, into, RecvFlags::empty())?.0)
    }
}

/// What is asked of the operating system for plain TCP.
#[cfg(not(unix))]
mod system {
    use std::io;

    use tokio::net::TcpStream;

    pub(super) const TELLS_OF_MORE: bool = false;

    pub(super) fn send(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        socket.try_write(bytes)
    }

    pub(super) fn receive(socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        socket.try_read(into)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("a connection");
        (Stream::Plain(stream), listener.accept().await.expect("a connection").0)
    }

    async fn receive(stream: &mut Stream, into: &mut [u8]) -> usize {
        poll_fn(|context| stream.poll_receive(context, into)).await.expect("bytes")
    }

    #[tokio::test]
    async fn what_arrives_is_received_however_it_fills_the_buffer() {
        let (mut stream, mut peer) = pair().await;
        let mut buffer = [0; 8];
        for (sent, counts) in [
            (&b"short"[..], &[5][..]),
            (b"as long.", &[8]),
            (b"longer than it is", &[8, 8, 1]),
            (b"x", &[1]),
        ] {
            // It waits before the bytes come.
            let received = async {
                let mut all = Vec::new();
                for count in counts {
                    assert_eq!(receive(&mut stream, &mut buffer).await, *count);
                    all.extend_from_slice(&buffer[..*count]);
                }
                all
            };
            let send = async {
                tokio::task::yield_now().await;
                peer.write_all(sent).await.expect("room");
            };
            assert_eq!(tokio::join!(received, send).0, sent);
            let more = poll_fn(|context| Poll::Ready(stream.poll_receive(context, &mut buffer)));
            assert!(more.await.is_pending());
            assert!(!stream.has_unsolicited_input());
        }
        peer.write_all(b"last").await.expect("room");
        drop(peer);
        assert_eq!(receive(&mut stream, &mut buffer).await, 4);
        assert_eq!(receive(&mut stream, &mut buffer).await, 0, "the end");
        assert_eq!(receive(&mut stream, &mut buffer).await, 0, "still");
        assert!(stream.has_unsolicited_input());
    }

    #[tokio::test]
    async fn who_receives_on_and_on_gives_way_to_others() {
        let (mut stream, mut peer) = pair().await;
        peer.write_all(&[7; 1000]).await.expect("room");
        receive(&mut stream, &mut [0]).await;
        let mut received = 1;
        let mut buffer = [0];
        poll_fn(|context| {
            while stream.poll_receive(context, &mut buffer).is_ready() {
                received += 1;
            }
            Poll::Ready(())
        })
        .await;
        assert!((2..1000).contains(&received), "{received}");
        tokio::task::yield_now().await;
        while received < 1000 {
            assert_eq!(receive(&mut stream, &mut buffer).await, 1);
            received += 1;
        }
    }

    #[tokio::test]
    async fn what_finds_no_room_is_sent_when_there_is_some() {
        let (mut stream, mut peer) = pair().await;
        let bytes: Vec<u8> = (0..16u32 << 20).map(|number| (number % 251) as u8).collect();
        let waited = std::cell::Cell::new(false);
        let send = async {
            let mut sent = 0;
            while sent < bytes.len() {
                sent += poll_fn(|context| {
                    let outcome = stream.poll_send(context, &bytes[sent..]);
                    waited.set(waited.get() || outcome.is_pending());
                    outcome
                })
                .await
                .expect("a peer");
            }
            drop(stream);
        };
        let receive = async {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).await.expect("bytes");
            received
        };
        assert!(tokio::join!(send, receive).1 == bytes && waited.get());
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error_of_either() {
        let (mut stream, peer) = pair().await;
        socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO)).expect("set");
        drop(peer);
        let received = poll_fn(|context| stream.poll_receive(context, &mut [0; 8])).await;
        assert_eq!(received.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        let sent = poll_fn(|context| stream.poll_send(context, b"x")).await;
        assert_eq!(sent.map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
