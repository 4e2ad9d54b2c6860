//! A target that answers by rules, so that a document can be tried without a real one:
//! `LD_start_stub_server`, `LD_stop_stub_server`. It is HTTP/1.1 with keep-alive on a thread and a
//! runtime of its own, and listens on loopback only, because whoever can send a document could
//! otherwise open a port to the world.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::action::arguments::{Arguments, optional, required};
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::action::services::Service;
use crate::event::{Failure, FailureKind};
use crate::value::{Charset, Invalid, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_start_stub_server",
        &[required("rules"), optional("host"), optional("port")],
        start,
    ),
    Declaration::named("LD_stop_stub_server", &[], |_| Ok(Box::new(Stop))),
];

/// Its name among the services.
const SERVICE: &str = "stub server";

/// Connections that may wait to be accepted: a load test opens all its users' at once.
const BACKLOG: u32 = 1024;

/// How long to wait before the next accept when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The longest delay of an answer: a day.
const MAX_DELAY_MS: u64 = 86_400_000;

/// Which requests a rule answers, and with what.
#[derive(Debug, Clone)]
struct Rule {
    /// In capitals.
    method: String,
    target: Target,
    answer: Answer,
    delay: Duration,
}

#[derive(Debug, Clone)]
enum Target {
    Any,
    /// The whole request target, its query included.
    Exact(String),
    /// Searched anywhere in the request target.
    Pattern(regex::Regex),
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Debug)]
struct Start {
    rules: Vec<Rule>,
    host: String,
    address: IpAddr,
    port: u16,
}

fn start(given: &Arguments<'_>) -> Parsed {
    let rules = match given.present("rules") {
        None => Vec::new(),
        Some(rules) => rules.list()?.iter().map(rule).collect::<Result<_, _>>()?,
    };
    let (host, address) = match given.present("host") {
        None => ("127.0.0.1".to_owned(), IpAddr::from([127, 0, 0, 1])),
        Some(host) => (host.text()?.to_owned(), loopback(&host)?),
    };
    let port = match given.present("port") {
        None => 0,
        Some(port) => u16::try_from(port.integer(0)?)
            .map_err(|_| port.expected("a port of 0 (any free one) to 65535"))?,
    };
    Ok(Box::new(Start { rules, host, address, port }))
}

fn loopback(host: &Reader<'_>) -> Result<IpAddr, Invalid> {
    let address = match host.text()? {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        text => text.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    };
    address.filter(IpAddr::is_loopback).ok_or_else(|| {
        host.expected("a loopback address (127.0.0.1, ::1 or localhost): a stub server is not opened to the network")
    })
}

fn rule(reader: &Reader<'_>) -> Result<Rule, Invalid> {
    let mut members = reader.object()?;
    let method = match members.present("method") {
        None => "GET".to_owned(),
        Some(method) => method.text()?.to_uppercase(),
    };
    // Where both are given, the pattern decides, as in the reference.
    let path = members.present("path");
    let target = match (members.present("path_regex"), path) {
        (Some(pattern), _) => Target::Pattern(pattern.pattern()?),
        (None, Some(path)) => Target::Exact(path.text()?.to_owned()),
        (None, None) => Target::Any,
    };
    let answer = answer(&mut members)?;
    let delay = match members.present("delay_ms") {
        None => Duration::ZERO,
        Some(millis) => match millis.number()? {
            long if long > MAX_DELAY_MS as f64 => {
                return Err(millis.expected("a delay of at most a day (86400000 ms)"));
            }
            short => Duration::from_secs_f64(short / 1000.0),
        },
    };
    members.finish()?;
    Ok(Rule { method, target, answer, delay })
}

fn answer(members: &mut crate::value::Object<'_>) -> Result<Answer, Invalid> {
    let status = match members.present("status") {
        None => StatusCode::OK,
        Some(status) => u16::try_from(status.integer(0)?)
            .ok()
            .filter(|code| (200..1000).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .ok_or_else(|| status.expected("a status of 200 to 999"))?,
    };
    let mut headers = HeaderMap::new();
    if let Some(given) = members.present("headers") {
        for (name, value) in given.object()?.entries() {
            let text = value.value().to_text();
            let parsed = (HeaderName::try_from(name), HeaderValue::try_from(text));
            let (Ok(name), Ok(text)) = parsed else {
                return Err(value.expected("a header with a valid name and value"));
            };
            // Both are the server's own business and would contradict what it sends.
            if name != hyper::header::CONTENT_LENGTH && name != hyper::header::TRANSFER_ENCODING {
                headers.insert(name, text);
            }
        }
    }
    let json = members.optional("json");
    let text = members.optional("body").filter(|_| json.is_none());
    let body = match (json, text) {
        (Some(json), _) => {
            let kind = HeaderValue::from_static("application/json");
            headers.entry(CONTENT_TYPE).or_insert(kind);
            // As the reference spells it, so that the body has as many bytes as the reference's.
            Bytes::from(json.value().to_json(Charset::Ascii))
        }
        (None, Some(text)) => Bytes::from(text.text()?.to_owned()),
        (None, None) => Bytes::new(),
    };
    Ok(Answer { status, headers, body })
}

impl Command for Start {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { rules, host, address, port } = *self;
        let address = SocketAddr::new(address, port);
        context.start_service(SERVICE, || {
            StubServer::start(host, address, rules).map_err(|error| {
                let message = format!("the stub server cannot listen on {address}: {error}");
                Failure::new(FailureKind::Network, message)
            })
        })
    }
}

#[derive(Debug)]
struct Stop;

impl Command for Stop {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.stop_service(SERVICE);
        Ok(Value::Null)
    }
}

/// A stub server that listens. Dropping it closes every connection and waits for its thread.
#[derive(Debug)]
struct StubServer {
    host: String,
    port: u16,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Service for StubServer {
    fn value(&self) -> Value {
        Value::dict([
            ("host", Value::from(self.host.as_str())),
            ("port", Value::Int(self.port.into())),
        ])
    }
}

impl Drop for StubServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl StubServer {
    fn start(host: String, address: SocketAddr, rules: Vec<Rule>) -> io::Result<Self> {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let (ready, bound) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("stub".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            runtime.block_on(async {
                let listening =
                    listen(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
                match listening {
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                    Ok((bound, listener)) => {
                        let _ = ready.send(Ok(bound.port()));
                        serve(listener, rules.into(), stop).await;
                    }
                }
            });
        })?;
        let port = bound.recv().map_err(io::Error::other)??;
        Ok(Self { host, port, shutdown, thread: Some(thread) })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the token is cancelled; then the connections end with the set that owns them.
async fn serve(listener: TcpListener, rules: Arc<[Rule]>, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let rules = Arc::clone(&rules);
        connections.spawn(async move {
            let service = service_fn(|request| reply(&rules, request));
            // A client that breaks off is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn reply(rules: &[Rule], request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let rule = rules.iter().find(|rule| {
        rule.method == request.method().as_str()
            && match &rule.target {
                Target::Any => true,
                Target::Exact(path) => path == target,
                Target::Pattern(pattern) => pattern.is_match(target),
            }
    });
    let mut response = Response::new(Full::default());
    let Some(rule) = rule else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    };
    if !rule.delay.is_zero() {
        tokio::time::sleep(rule.delay).await;
    }
    *response.status_mut() = rule.answer.status;
    *response.headers_mut() = rule.answer.headers.clone();
    *response.body_mut() = Full::new(rule.answer.body.clone());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn started(rules: &str) -> StubServer {
        let rules = Value::parse(rules).expect("JSON");
        let rules = Reader::root(&rules).list().expect("a list");
        let rules = rules.iter().map(rule).collect::<Result<_, _>>().expect("rules");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        StubServer::start("127.0.0.1".to_owned(), any, rules).expect("a server")
    }

    /// Status line, and what follows the headers.
    fn ask(server: &StubServer, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a deadline");
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
        (head.to_lowercase(), body.to_owned())
    }

    fn check(rules: &str, request: &str, status: u16, body: &str) {
        let (head, got) = ask(&started(rules), request);
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{request}: {head}");
        assert_eq!(got, body, "{request}");
    }

    #[test]
    fn the_first_rule_that_fits_answers_and_others_are_not_found() {
        let rules = r#"[
            {"method": "post", "path": "/a", "status": 201, "body": "made"},
            {"path": "/a?q=1", "body": "query"},
            {"path_regex": "^/users/\\d+$", "json": {"id": 1, "ä": [1.0, 1e16, true]}},
            {"path": "/a", "status": 204}
        ]"#;
        check(rules, "POST /a", 201, "made");
        check(rules, "GET /a?q=1", 200, "query");
        check(rules, "GET /a?q=2", 404, "");
        check(rules, "GET /users/17", 200, r#"{"id": 1, "\u00e4": [1.0, 1e+16, true]}"#);
        check(rules, "GET /users/x", 404, "");
        check(rules, "GET /a", 204, "");
        check("[]", "GET /", 404, "");
        check("[{}]", "GET /whatever", 200, "");
    }

    #[test]
    fn headers_of_a_rule_are_sent_and_json_names_its_type() {
        let server = started(r#"[{"json": 1, "headers": {"X-K": 5}}]"#);
        let (head, body) = ask(&server, "GET /");
        assert!(head.contains("x-k: 5") && head.contains("content-type: application/json"));
        assert_eq!(body, "1");
    }

    #[test]
    fn a_dropped_server_frees_its_port_though_clients_hold_connections() {
        let server = started("[{}]");
        let port = server.port;
        let _idle = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        drop(server);
        TcpStream::connect(("127.0.0.1", port)).expect_err("nothing listens");
    }

    #[test]
    fn a_rule_that_cannot_be_kept_is_refused_with_its_place() {
        for (rules, refusal) in [
            (r#"[{"nope": 1}]"#, "/0/nope: unknown field"),
            (r#"[{"status": 99}]"#, "/0/status: expected a status of 200 to 999, got 99"),
            (r#"[{"delay_ms": -1}]"#, "/0/delay_ms: expected a number of at least 0, got -1"),
            (r#"[{"path_regex": "("}]"#, "/0/path_regex: not a regular expression: unclosed group"),
            (
                r#"[{"headers": {"a b": "x"}}]"#,
                "/0/headers/a b: expected a header with a valid name and value, got \"x\"",
            ),
        ] {
            let rules = Value::parse(rules).expect("JSON");
            let first = Reader::root(&rules).list().expect("a list").remove(0);
            assert_eq!(rule(&first).expect_err("refused").to_string(), refusal);
        }
    }
}
