//! The opening handshake (RFC 6455, section 4): a request of HTTP/1.1, and the checks of its response.
//! The library's own handshake wants to own the stream; only its keys are used.

use httparse::{EMPTY_HEADER, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::address::Address;
use super::fault::Fault;
use crate::load::template::{Scope, Template};
use crate::net::Stream;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::{Request, write_opening};
use crate::protocol::trace::{Tracer, head_lines};

/// The longest head of the response, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers in it.
const MAX_HEADERS: usize = 128;

/// The start of a TLS alert record, which a TLS server sends to a client that does not use TLS.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// Headers that only the handshake sets.
pub(super) const OWN: [&str; 7] = [
    "Connection",
    "Host",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Upgrade",
];

/// What a handshake sends.
pub(super) struct Handshake {
    request: Request,
    key: String,
    /// The subprotocols that it offers.
    offered: String,
}

impl Handshake {
    /// Writes the request.
    pub(super) fn new(
        address: &Address,
        headers: &[(String, Template)],
        subprotocols: Option<&Template>,
        scope: &mut Scope,
    ) -> Result<Self, Fault> {
        let key = generate_key();
        let offered = subprotocols.map(|text| text.text(scope)).unwrap_or_default();
        let mut own = vec![
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", &*key),
            ("Sec-WebSocket-Version", "13"),
            ("Origin", &*address.site),
        ];
        if !offered.is_empty() {
            own.push(("Sec-WebSocket-Protocol", &*offered));
        }
        let mut request = Request::default();
        write_opening((&address.origin, &address.rest), &own, headers, scope, &mut request)?;
        Ok(Self { request, key, offered })
    }

    /// Sends the request and checks the response; returns the bytes that came after it.
    pub(super) async fn shake(
        &self,
        stream: &mut Stream,
        tracer: Option<&Tracer>,
    ) -> Result<Vec<u8>, Fault> {
        let io = |error: std::io::Error| Fault::from(ConnectionFault::of_io(&error));
        if let Some(tracer) = tracer {
            tracer.show(head_lines('>', self.request.head()));
        }
        stream.write_all(self.request.head()).await.map_err(io)?;
        stream.flush().await.map_err(io)?;
        let mut received = Vec::with_capacity(512);
        loop {
            let looked = received.len().saturating_sub(3);
            if stream.read_buf(&mut received).await.map_err(io)? == 0 {
                return Err(Fault::Lost);
            }
            if received.starts_with(&TLS_ALERT) {
                return Err(Fault::SpeaksTls);
            }
            let rest = received.get(looked..).unwrap_or_default();
            if let Some(at) = memchr::memmem::find(rest, b"\r\n\r\n") {
                let tail = received.split_off(looked + at + 4);
                if let Some(tracer) = tracer {
                    tracer.show(head_lines('<', &received));
                }
                return self.check(&received).map(|()| tail);
            }
            if received.len() > MAX_HEAD {
                return Err(Fault::Handshake("the response has no end"));
            }
        }
    }

    /// Checks the head of a response.
    fn check(&self, head: &[u8]) -> Result<(), Fault> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let status = match response.parse(head) {
            Ok(Status::Complete(_)) => response.code.unwrap_or(0),
            _ => return Err(Fault::Handshake("the response is not HTTP")),
        };
        if status != 101 {
            return Err(Fault::Status(status));
        }
        let values = |name: &'static str| {
            let named = response.headers.iter();
            let named = named.filter(move |header| header.name.eq_ignore_ascii_case(name));
            named.map(|header| header.value.trim_ascii())
        };
        let has = |name, token: &[u8]| {
            let mut parts = values(name).flat_map(|value| value.split(|byte| *byte == b','));
            parts.any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
        };
        if !has("Upgrade", b"websocket") {
            return Err(Fault::Handshake("no \"Upgrade: websocket\""));
        }
        if !has("Connection", b"upgrade") {
            return Err(Fault::Handshake("no \"Connection: Upgrade\""));
        }
        let accept = derive_accept_key(self.key.as_bytes());
        if !values("Sec-WebSocket-Accept").eq([accept.as_bytes()]) {
            return Err(Fault::Handshake("Sec-WebSocket-Accept does not match the key"));
        }
        if values("Sec-WebSocket-Extensions").any(|value| !value.is_empty()) {
            return Err(Fault::Handshake("an extension that was not offered"));
        }
        // A target that chooses none of them is accepted, as by the reference.
        let offers =
            |chosen: &[u8]| self.offered.split(',').any(|offer| offer.trim().as_bytes() == chosen);
        if values("Sec-WebSocket-Protocol").any(|chosen| !offers(chosen)) {
            return Err(Fault::Handshake("a subprotocol that was not offered"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::load::template::Template;

    fn handshake(subprotocols: &str) -> Handshake {
        let address = Address::parse("ws://u:p@h:8080/chat?x=1").expect("a URL");
        let offered = Template::literal(subprotocols);
        let headers = [
            ("X-A".to_owned(), Template::literal("1")),
            ("origin".to_owned(), Template::literal("http://page")),
        ];
        let mut scope = Scope::new(&Arc::default(), 1);
        let mut made =
            Handshake::new(&address, &headers, Some(&offered), &mut scope).expect("a request");
        // The example of RFC 6455, section 1.3.
        made.key = "dGhlIHNhbXBsZSBub25jZQ==".to_owned();
        made
    }

    #[test]
    fn the_request_has_what_the_protocol_needs_and_the_headers_of_the_task() {
        let made = handshake("a, b");
        let head = String::from_utf8_lossy(made.request.head()).into_owned();
        assert!(head.starts_with("GET /chat?x=1 HTTP/1.1\r\nUpgrade: websocket\r\n"), "{head}");
        for line in [
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: a, b",
            "Host: h:8080",
            "Authorization: Basic dTpw",
            "X-A: 1",
            "origin: http://page",
        ] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
        }
        assert!(!head.contains("Origin: http://h"), "{head}");
        let no = String::from_utf8_lossy(handshake("").request.head()).into_owned();
        assert!(!no.contains("Protocol"), "{no}");
    }

    #[test]
    fn a_response_that_does_not_open_a_websocket_is_refused() {
        let good = "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        let made = handshake("a, b");
        for (head, why) in [
            (format!("HTTP/1.1 101 x\r\n{good}\r\n"), None),
            (format!("HTTP/1.1 101 x\r\n{good}Sec-WebSocket-Protocol: b\r\n\r\n"), None),
            ("HTTP/1.1 401 No\r\n\r\n".to_owned(), Some("Handshake status 401 Unauthorized")),
            (format!("HTTP/1.1 200 x\r\n{good}\r\n"), Some("Handshake status 200 OK")),
            (
                "SSH-2.0\r\n\r\n".to_owned(),
                Some("Invalid WebSocket Header: the response is not HTTP"),
            ),
            (
                format!("HTTP/1.1 101 x\r\n{}\r\n", good.replace("WebSocket\r", "h2c\r")),
                Some("Invalid WebSocket Header: no \"Upgrade: websocket\""),
            ),
            (
                format!("HTTP/1.1 101 x\r\n{}\r\n", good.replace(", upgrade", "")),
                Some("Invalid WebSocket Header: no \"Connection: Upgrade\""),
            ),
            (
                format!("HTTP/1.1 101 x\r\n{}\r\n", good.replace("s3p", "s3q")),
                Some("Invalid WebSocket Header: Sec-WebSocket-Accept does not match the key"),
            ),
            (
                format!(
                    "HTTP/1.1 101 x\r\n{good}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
                ),
                Some("Invalid WebSocket Header: an extension that was not offered"),
            ),
            (
                format!("HTTP/1.1 101 x\r\n{good}Sec-WebSocket-Protocol: c\r\n\r\n"),
                Some("Invalid WebSocket Header: a subprotocol that was not offered"),
            ),
        ] {
            let found = made.check(head.as_bytes()).err().map(|fault| fault.to_string());
            assert_eq!(found.as_deref(), why, "{head}");
        }
    }
}
