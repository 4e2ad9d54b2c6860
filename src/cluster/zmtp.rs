//! ZMTP 3.0, as far as Locust's cluster protocol needs it: a DEALER and a ROUTER end, the mechanism
//! NULL, and messages of one frame. Generic over streams. A length from the peer is capped before
//! anything is allocated for it, and a buffer grows with what has arrived, not with what is announced.
//! The version is 3.0, so that the peer sends no PING.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;

use crate::error::reason;
use crate::memory::{Full, Share};

/// The largest frame: a report with thousands of names takes a few MiB.
pub const MAX_FRAME: usize = 16 << 20;

/// The largest command: READY with an identity of 255 bytes, and some properties more.
const MAX_COMMAND: usize = 4096;

/// The most frames of one message. All but the first are ignored.
const MAX_FRAMES: usize = 16;

/// The longest identity.
const MAX_IDENTITY: usize = 255;

/// The size of a greeting.
const GREETING: usize = 64;

/// The mechanism, padded to its 20 bytes.
const NULL: &[u8; 20] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Flags of a frame: another one follows; the size has eight bytes; it is a command.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// How much is read at a time, in bytes.
const CHUNK: usize = 8192;

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// Of a worker.
    Dealer,
    /// Of a master.
    Router,
}

impl Socket {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Dealer => b"DEALER",
            Self::Router => b"ROUTER",
        }
    }

    /// The types that the peer may have.
    fn accepts(self, peer: &[u8]) -> bool {
        match self {
            Self::Dealer => peer == b"ROUTER" || peer == b"DEALER" || peer == b"REP",
            Self::Router => peer == b"DEALER" || peer == b"ROUTER" || peer == b"REQ",
        }
    }
}

/// Why a connection cannot be used any further.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The system's error, or the end of the stream.
    #[error("{}", reason(.0))]
    Io(#[from] io::Error),
    /// The peer speaks something else.
    #[error("the peer does not speak ZMTP 3: {0}")]
    Protocol(&'static str),
    /// The peer refused the connection.
    #[error("the peer refused the connection")]
    Refused,
    /// A frame is larger than allowed.
    #[error("a frame of {0} bytes exceeds the limit of {MAX_FRAME}")]
    TooLarge(u64),
    /// There is no memory for what the peer sends.
    #[error("{0}")]
    Full(#[from] Full),
}

/// Both directions of a connection, and the peer's identity.
#[derive(Debug)]
pub struct Link<S> {
    /// What arrives.
    pub reader: Reader<ReadHalf<S>>,
    /// What is sent.
    pub writer: Writer<WriteHalf<S>>,
    /// The peer's identity; empty if it has none.
    pub identity: Vec<u8>,
}

/// Greets the peer and exchanges READY. Frames that arrive take their memory from `share`. The caller
/// limits the time.
pub async fn open<S: AsyncRead + AsyncWrite>(
    stream: S,
    socket: Socket,
    identity: &[u8],
    share: Option<Share>,
) -> Result<Link<S>, LinkError> {
    let (reader, writer) = split(stream);
    let mut reader = Reader { stream: reader, buffer: Vec::new(), used: 0, share };
    let mut writer = Writer { stream: writer, buffer: Vec::new() };
    let greet = async {
        writer.stream.write_all(&greeting()).await?;
        writer.stream.flush().await?;
        writer.frame(COMMAND, &ready(socket, identity)).await.map_err(LinkError::Io)
    };
    let hear = async {
        reader.greeting().await?;
        loop {
            let (flags, body) = reader.frame(MAX_COMMAND).await?;
            if flags & COMMAND == 0 {
                return Err(LinkError::Protocol("a message before READY"));
            }
            if body.starts_with(b"\x05ERROR") {
                return Err(LinkError::Refused);
            }
            if let Some(properties) = body.strip_prefix(b"\x05READY") {
                return peer(properties, socket);
            }
        }
    };
    // Both at once: neither end waits for the other to read.
    let ((), identity) = tokio::try_join!(greet, hear)?;
    Ok(Link { reader, writer, identity })
}

fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    let parts = [(0, &b"\xff"[..]), (9, b"\x7f\x03\x00"), (12, NULL)];
    for (at, part) in parts {
        if let Some(place) = greeting.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
    }
    greeting
}

/// Our READY.
fn ready(socket: Socket, identity: &[u8]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [(&b"Socket-Type"[..], socket.name()), (b"Identity", identity)] {
        body.push(name.len() as u8);
        body.extend_from_slice(name);
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    body
}

/// The identity in the properties of a READY, whose socket type must fit.
fn peer(mut properties: &[u8], socket: Socket) -> Result<Vec<u8>, LinkError> {
    let mut fits = false;
    let mut identity = Vec::new();
    while !properties.is_empty() {
        let (name, value, rest) =
            property(properties).ok_or(LinkError::Protocol("a malformed READY"))?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            fits = socket.accepts(value);
        } else if name.eq_ignore_ascii_case(b"Identity") {
            if value.len() > MAX_IDENTITY {
                return Err(LinkError::Protocol("an identity of more than 255 bytes"));
            }
            identity = value.to_vec();
        }
        properties = rest;
    }
    if fits { Ok(identity) } else { Err(LinkError::Protocol("another type of socket")) }
}

/// The name and value of the first property, and what follows.
fn property(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((name, value, rest))
}

/// What arrives.
#[derive(Debug)]
pub struct Reader<R> {
    stream: R,
    buffer: Vec<u8>,
    /// How much of the buffer has been taken.
    used: usize,
    share: Option<Share>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// The next message. It may be dropped while it waits and called again.
    pub async fn message(&mut self) -> Result<Vec<u8>, LinkError> {
        loop {
            if let Some(message) = self.complete()? {
                return Ok(message);
            }
            self.fill().await?;
        }
    }

    /// A message that has arrived as a whole; commands before it are dropped.
    fn complete(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        let mut first = None;
        let (mut frames, mut at) = (0, self.used);
        while let Some((flags, body)) = header(self.buffer.get(at..), MAX_FRAME)? {
            let from = at + body.start;
            let Some(bytes) = self.buffer.get(from..at + body.end) else { return Ok(None) };
            let end = at + body.end;
            if flags & COMMAND != 0 {
                (self.used, at) = (end, end);
                continue;
            }
            frames += 1;
            first.get_or_insert(from..from + bytes.len());
            if flags & MORE == 0 {
                let first = first.and_then(|first| self.buffer.get(first)).unwrap_or_default();
                let message = first.to_vec();
                self.used = end;
                return Ok(Some(message));
            }
            if frames >= MAX_FRAMES || end - self.used > MAX_FRAME {
                return Err(LinkError::Protocol("a message of too many frames"));
            }
            at = end;
        }
        Ok(None)
    }

    /// The next frame of at most so many bytes: its flags and body.
    async fn frame(&mut self, most: usize) -> Result<(u8, Vec<u8>), LinkError> {
        loop {
            if let Some((flags, body)) = header(self.buffer.get(self.used..), most)?
                && let Some(bytes) = self.buffer.get(self.used + body.start..self.used + body.end)
            {
                let bytes = bytes.to_vec();
                self.used += body.end;
                return Ok((flags, bytes));
            }
            self.fill().await?;
        }
    }

    async fn greeting(&mut self) -> Result<(), LinkError> {
        loop {
            let arrived = &self.buffer;
            let is = |at: usize, byte: u8| arrived.get(at).is_none_or(|found| *found == byte);
            if !is(0, 0xff) || !is(9, 0x7f) {
                return Err(LinkError::Protocol("no greeting"));
            }
            if arrived.get(10).is_some_and(|major| *major < 3) {
                return Err(LinkError::Protocol("an older version"));
            }
            if let Some(greeting) = arrived.get(..GREETING) {
                if greeting.get(12..32) != Some(&NULL[..]) {
                    return Err(LinkError::Protocol("another mechanism than NULL"));
                }
                self.used = GREETING;
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Reads more; drops what has been taken.
    async fn fill(&mut self) -> Result<(), LinkError> {
        self.buffer.drain(..self.used);
        self.used = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > 4 * CHUNK {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(CHUNK);
        if let Some(share) = &mut self.share {
            share.set(self.buffer.capacity())?;
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }
}

/// Flags and the place of the body of the frame that begins here, once its header is there.
type Header = Option<(u8, std::ops::Range<usize>)>;

fn header(bytes: Option<&[u8]>, most: usize) -> Result<Header, LinkError> {
    let Some((flags, rest)) = bytes.and_then(<[u8]>::split_first) else { return Ok(None) };
    if flags & !(MORE | LONG | COMMAND) != 0 {
        return Err(LinkError::Protocol("unknown flags"));
    }
    let (start, length) = match (flags & LONG != 0, rest.first_chunk::<8>(), rest.first()) {
        (true, Some(length), _) => (9, u64::from_be_bytes(*length)),
        (false, _, Some(length)) => (2, u64::from(*length)),
        _ => return Ok(None),
    };
    match usize::try_from(length) {
        Ok(length) if length <= most => Ok(Some((*flags, start..start + length))),
        _ => Err(LinkError::TooLarge(length)),
    }
}

/// What is sent.
#[derive(Debug)]
pub struct Writer<W> {
    stream: W,
    buffer: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Sends a message of one frame. Once dropped before its end, the connection is of no further use.
    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.frame(0, message).await
    }

    /// Says that no more follows.
    pub async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    async fn frame(&mut self, flags: u8, body: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        frame_into(flags, body, &mut self.buffer);
        self.stream.write_all(&self.buffer).await?;
        if self.buffer.capacity() > 4 * CHUNK {
            self.buffer = Vec::new();
        }
        self.stream.flush().await
    }
}

/// Sends what waits, until there is no more to come, and says so.
pub async fn send_all<W: AsyncWrite + Unpin>(
    mut writer: Writer<W>,
    mut waiting: mpsc::Receiver<Vec<u8>>,
) {
    while let Some(message) = waiting.recv().await {
        if writer.send(&message).await.is_err() {
            return;
        }
    }
    let _ = writer.close().await;
}

fn frame_into(flags: u8, body: &[u8], into: &mut Vec<u8>) {
    match u8::try_from(body.len()) {
        Ok(length) => into.extend_from_slice(&[flags, length]),
        Err(_) => {
            into.push(flags | LONG);
            into.extend_from_slice(&(body.len() as u64).to_be_bytes());
        }
    }
    into.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::memory::Memory;

    async fn pair(size: usize) -> (Link<DuplexStream>, Link<DuplexStream>) {
        let (worker, master) = duplex(size);
        let worker = open(worker, Socket::Dealer, b"host_1", None);
        let master = open(master, Socket::Router, b"", None);
        let (worker, master) = tokio::join!(worker, master);
        (worker.expect("a worker's end"), master.expect("a master's end"))
    }

    #[tokio::test]
    async fn both_ends_exchange_messages_of_any_size_through_a_narrow_stream() {
        let (mut worker, mut master) = pair(7).await;
        assert_eq!(
            (worker.identity.as_slice(), master.identity.as_slice()),
            (&b""[..], &b"host_1"[..])
        );
        let messages: Vec<Vec<u8>> =
            [0usize, 1, 255, 256, 70_000].iter().map(|size| vec![*size as u8; *size]).collect();
        let send = async {
            for message in &messages {
                worker.writer.send(message).await.expect("sent");
            }
        };
        let receive = async {
            let mut received = Vec::new();
            while received.len() < messages.len() {
                received.push(master.reader.message().await.expect("a message"));
            }
            received
        };
        let ((), received) = tokio::join!(send, receive);
        assert_eq!(received, messages);
        master.writer.send(b"back").await.expect("sent");
        assert_eq!(worker.reader.message().await.expect("a message"), b"back");
        drop(worker);
        let end = master.reader.message().await.expect_err("an end");
        assert!(matches!(end, LinkError::Io(_)), "{end}");
    }

    /// A dealer of libzmq 4.3.5 as it greets a peer of version 3.0, with the identity `b"cafe_1"`.
    const LIBZMQ: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x04\x2f\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x06cafe_1";

    /// What our master makes of bytes that a peer sends.
    async fn receives(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>), LinkError> {
        let (mut peer, master) = duplex(1 << 20);
        peer.write_all(bytes).await.expect("sent");
        peer.shutdown().await.expect("closed");
        let mut link = open(master, Socket::Router, b"", None).await?;
        let mut messages = Vec::new();
        loop {
            match link.reader.message().await {
                Ok(message) => messages.push(message),
                Err(LinkError::Io(_)) => return Ok((link.identity, messages)),
                Err(error) => return Err(error),
            }
        }
    }

    #[tokio::test]
    async fn a_greeting_of_libzmq_and_frames_in_all_forms_are_understood() {
        let frames: &[u8] =
            b"\0\x02hi\x04\x06\x04PINGx\x02\0\0\0\0\0\0\0\x03abc\x01\x01a\x01\x01b\0\x01c";
        let (identity, messages) = receives(&[LIBZMQ, frames].concat()).await.expect("understood");
        assert_eq!(identity, b"cafe_1");
        assert_eq!(messages, [&b"hi"[..], b"abc", b"a"], "of several frames the first counts");
    }

    #[tokio::test]
    async fn t70_garbage_in_any_phase_ends_the_connection_with_its_reason() {
        let huge = [&b"\x02"[..], &u64::MAX.to_be_bytes()].concat();
        let above = [&b"\x02"[..], &(MAX_FRAME as u64 + 1).to_be_bytes()].concat();
        let parts = b"\x01\0".repeat(MAX_FRAMES);
        for (bytes, reason) in [
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "no greeting"),
            (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01".to_vec(), "an older version"),
            (
                [&LIBZMQ[..12], b"CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", &LIBZMQ[32..]].concat(),
                "than NULL",
            ),
            ([&LIBZMQ[..64], b"\0\x01x"].concat(), "a message before READY"),
            ([&LIBZMQ[..64], b"\x04\x09\x05READY\x0bSo"].concat(), "a malformed READY"),
            (
                [&LIBZMQ[..64], b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB"].concat(),
                "type of socket",
            ),
            ([&LIBZMQ[..64], b"\x04\x08\x05ERROR\x01x"].concat(), "refused the connection"),
            ([&LIBZMQ[..64], b"\x06\0\0\0\0\0\x01\0\0"].concat(), "a frame of 65536 bytes"),
            ([LIBZMQ, &huge].concat(), "exceeds the limit"),
            ([LIBZMQ, &above].concat(), "exceeds the limit"),
            ([LIBZMQ, b"\xf0\x01x"].concat(), "unknown flags"),
            ([LIBZMQ, &parts].concat(), "too many frames"),
        ] {
            let error = receives(&bytes).await.expect_err(reason).to_string();
            assert!(error.contains(reason), "{error:?} instead of {reason:?}");
        }
    }

    #[tokio::test]
    async fn t71_a_frame_takes_memory_as_it_arrives_and_none_for_what_it_announces() {
        let memory = Memory::new(1 << 20);
        let (mut peer, master) = duplex(1 << 22);
        peer.write_all(LIBZMQ).await.expect("sent");
        let share = Some(memory.share("frames"));
        let mut link = open(master, Socket::Router, b"", share).await.expect("a link");
        peer.write_all(&[&b"\x02"[..], &(MAX_FRAME as u64).to_be_bytes()].concat())
            .await
            .expect("sent");
        peer.write_all(&[0; 100]).await.expect("sent");
        let waiting =
            tokio::time::timeout(std::time::Duration::from_millis(1), link.reader.message());
        assert!(waiting.await.is_err(), "it is not complete");
        assert!(memory.taken() < 100_000, "{}", memory.taken());
        peer.write_all(&vec![0; 2 << 20]).await.expect("sent");
        let error = link.reader.message().await.expect_err("no memory");
        assert!(matches!(error, LinkError::Full(_)), "{error}");
        drop(link);
        assert_eq!(memory.taken(), 0);
    }
}
