//! A server with a web door, and a client of HTTP that shows what came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use ldctl::wire::tls::{ClientTls, client_config};
use serde_json::Value;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use super::{DEADLINE, Server};

/// A server and its door.
pub(crate) struct Door {
    pub(crate) server: Server,
    /// Host and port.
    pub(crate) host: String,
    token: Option<String>,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    without_host: bool,
}

/// A response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A GET of a path.
pub(crate) fn get(path: &str) -> Asked {
    asked("GET", path)
}

/// A POST of a text to a path.
pub(crate) fn post(path: &str, body: &str) -> Asked {
    Asked { body: body.as_bytes().to_vec(), ..asked("POST", path) }
}

/// Another method.
pub(crate) fn asked(method: &str, path: &str) -> Asked {
    Asked { method: method.to_owned(), path: path.to_owned(), ..Asked::default() }
}

impl Asked {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this host instead of the one that it goes to.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.without_host = true;
        self.header("Host", host)
    }

    fn bytes(&self, host: &str, version: &str) -> Vec<u8> {
        let Self { method, path, headers, body, without_host } = self;
        let mut text = format!("{method} {path} HTTP/{version}\r\n");
        if !without_host {
            text += &format!("Host: {host}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if method == "POST" {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text += "Connection: close\r\n\r\n";
        [text.as_bytes(), body].concat()
    }
}

impl Answer {
    /// The values of a header, joined with `|`.
    pub(crate) fn header(&self, name: &str) -> String {
        let is_it = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let values: Vec<&str> =
            self.headers.iter().filter(is_it).map(|(_, value)| value.as_str()).collect();
        values.join("|")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The kind and the message of an error.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let error = &self.json()["error"];
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        (self.status, text("kind"), text("message"))
    }
}

impl Door {
    /// Starts a server with a door on loopback.
    pub(crate) fn open(args: &[&str], token: Option<&str>) -> Self {
        let server = Server::start(&[&["--web", "127.0.0.1:0"], args].concat(), token);
        let url = server.talk_with("runs in a browser: ");
        // Whatever it is called.
        let port = url.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
        let host = format!("127.0.0.1:{port}");
        Self { server, host, token: token.map(str::to_owned) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.host.parse().expect("an address")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).expect("a door");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream
    }

    /// Asks with the token, if there is one.
    pub(crate) fn ask(&self, asked: Asked) -> Answer {
        let asked = match &self.token {
            Some(token) => asked.header("Authorization", &format!("Bearer {token}")),
            None => asked,
        };
        self.ask_bare(&asked)
    }

    /// Asks with what the test has given.
    pub(crate) fn ask_bare(&self, asked: &Asked) -> Answer {
        exchange(self.connect(), &asked.bytes(&self.host, "1.1"))
    }

    /// Asks over TLS.
    pub(crate) fn ask_tls(&self, asked: &Asked, ca: &str) -> Answer {
        let tls = ClientTls { ca: Some(ca.into()), ..ClientTls::default() };
        let (config, name) = client_config(&tls, "localhost").expect("files");
        let session = ClientConnection::new(Arc::clone(&config), name).expect("a session");
        let host = self.host.replace("127.0.0.1", "localhost");
        exchange(StreamOwned::new(session, self.connect()), &asked.bytes(&host, "1.1"))
    }

    /// Follows events: the lines of the response as they come, without its head.
    pub(crate) fn follow(&self, asked: Asked) -> impl Iterator<Item = String> + use<> {
        let asked = match &self.token {
            Some(token) => asked.header("Authorization", &format!("Bearer {token}")),
            None => asked,
        };
        let mut stream = self.connect();
        // Without chunks.
        stream.write_all(&asked.bytes(&self.host, "1.0")).expect("a door");
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let first = lines.next().expect("a response");
        assert!(first.contains(" 200 "), "{first}");
        lines.skip_while(|line| !line.is_empty()).skip(1)
    }
}

/// Sends bytes and reads the whole response.
pub(crate) fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Answer {
    // It may be refused before it is whole.
    let _ = stream.write_all(bytes);
    let _ = stream.flush();
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    answer(&all)
}

fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut answer =
        Answer { status: status.expect("a status"), headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding") == "chunked" {
        answer.body = whole(&answer.body);
    }
    answer
}

/// The body of chunks.
fn whole(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a length");
        let length = std::str::from_utf8(&rest[..end]).expect("a length");
        let length = usize::from_str_radix(length, 16).expect("a length");
        rest = &rest[end + 2..];
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[..length]);
        rest = &rest[length + 2..];
    }
}
