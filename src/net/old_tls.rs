//! A probe of a server whose TLS handshake failed without a reason: would the handshake have begun
//! with the cipher suites that are not supported here? It sends a ClientHello and reads the first
//! record of the response; it never completes a handshake.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::handshake::TlsProblem;

/// TLS 1.2 cipher suites: those that ldctl supports, then those with forward secrecy that it does
/// not support (CBC, Diffie-Hellman), then those without forward secrecy. Servers choose the best
/// or the first.
const SUITES: [u16; 28] = [
    0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0x009e, 0x009f, 0x0067, 0x006b, 0x0033, 0x0039,
    0xc023, 0xc024, 0xc027, 0xc028, 0xc009, 0xc00a, 0xc013, 0xc014, 0x009c, 0x009d, 0x003c, 0x003d,
    0x002f, 0x0035, 0x000a, 0x0005,
];

/// How many of [`SUITES`] ldctl supports, and how many have forward secrecy.
const SPOKEN: usize = 6;
const WITH_SECRECY: usize = 20;

const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;
const SERVER_HELLO: u8 = 2;

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing.
    Nothing,
    /// The server speaks TLS.
    Tls,
    /// The server speaks TLS, and this is why not with ldctl.
    Problem(TlsProblem),
}

/// Returns what the response to a hello with other suites shows.
pub(super) async fn look(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
) -> io::Result<Seen> {
    stream.write_all(&hello(host)).await?;
    stream.flush().await?;
    // Type, version and length of a record; type and length of a message; version, random number.
    let mut head = [0; 5 + 4 + 2 + 32];
    stream.read_exact(head.get_mut(..7).unwrap_or_default()).await?;
    let [kind, _, _, _, _, message, ..] = head;
    if kind == ALERT {
        return Ok(Seen::Tls);
    }
    if (kind, message) != (HANDSHAKE, SERVER_HELLO) {
        return Ok(Seen::Nothing);
    }
    stream.read_exact(head.get_mut(7..).unwrap_or_default()).await?;
    let version = match head {
        [_, _, _, _, _, _, _, _, _, 3, 0, ..] => Some("SSL 3.0"),
        [_, _, _, _, _, _, _, _, _, 3, 1, ..] => Some("TLS 1.0"),
        [_, _, _, _, _, _, _, _, _, 3, 2, ..] => Some("TLS 1.1"),
        _ => None,
    };
    if version.is_some() {
        return Ok(Seen::Problem(TlsProblem::Version(version)));
    }
    let session = stream.read_u8().await?;
    stream.read_exact(&mut vec![0; usize::from(session)]).await?;
    let suite = stream.read_u16().await?;
    Ok(match SUITES.iter().position(|known| *known == suite) {
        // The handshake failed for another reason.
        Some(..SPOKEN) => Seen::Tls,
        Some(WITH_SECRECY..) => Seen::Problem(TlsProblem::NoForwardSecrecy),
        Some(_) | None => Seen::Problem(TlsProblem::NothingInCommon),
    })
}

/// A TLS 1.2 ClientHello (RFC 5246, section 7.4.1.2).
fn hello(host: &str) -> Vec<u8> {
    let mut extensions = Vec::new();
    // An address is not a server name (RFC 6066, section 3).
    if host.parse::<std::net::IpAddr>().is_err() {
        let name = [&[0][..], &sized(host.as_bytes())].concat();
        extensions.extend(extension(0, &sized(&name)));
    }
    // X25519, P-256, P-384, P-521; uncompressed points; all usual signature schemes.
    extensions.extend(extension(10, &sized(&[0, 0x1d, 0, 0x17, 0, 0x18, 0, 0x19])));
    extensions.extend(extension(11, &[1, 0]));
    let signatures = [4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1, 2, 3, 2, 1];
    extensions.extend(extension(13, &sized(&signatures)));
    let mut body = vec![3, 3];
    body.extend((0..32).map(|_| fastrand::u8(..)));
    body.push(0);
    body.extend(sized(&SUITES.map(u16::to_be_bytes).concat()));
    body.extend([1, 0]);
    body.extend(sized(&extensions));
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &sized(&message)].concat()
}

/// Bytes behind a two-byte length.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn extension(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[0, kind][..], &sized(content)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the result of probing a server that sends these bytes.
    async fn check(reply: &[u8], expected: Seen) {
        let (mut near, mut far) = tokio::io::duplex(1024);
        far.write_all(reply).await.expect("room");
        assert_eq!(look(&mut near, "h").await.expect("a reply"), expected);
    }

    fn server_hello(version: [u8; 2], suite: u16) -> Vec<u8> {
        let body = [&version[..], &[7; 32], &[2, 9, 9], &suite.to_be_bytes(), &[0]].concat();
        let message = [&[SERVER_HELLO, 0][..], &sized(&body)].concat();
        [&[HANDSHAKE, 3, 3][..], &sized(&message)].concat()
    }

    #[tokio::test]
    async fn the_response_shows_what_the_server_supports() {
        check(&server_hello([3, 3], 0x002f), Seen::Problem(TlsProblem::NoForwardSecrecy)).await;
        check(&server_hello([3, 3], 0xc013), Seen::Problem(TlsProblem::NothingInCommon)).await;
        check(&server_hello([3, 3], 0xc02f), Seen::Tls).await;
        check(&server_hello([3, 1], 0x002f), Seen::Problem(TlsProblem::Version(Some("TLS 1.0"))))
            .await;
        check(&[ALERT, 3, 3, 0, 2, 2, 70], Seen::Tls).await;
        check(b"HTTP/1.1 400 Bad Request", Seen::Nothing).await;
    }
}
