//! A rule-based HTTP target, for trying a document without a real one: `LD_start_stub_server`,
//! `LD_stop_stub_server`. It is an [`HttpService`] with keep-alive. It listens only on loopback,
//! because anyone who can send a document could otherwise open a port to the world.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::action::services::Service;
use crate::error::reason;
use crate::event::{Failure, FailureKind};
use crate::net::http_service::{HttpService, Limits, RequestBody};
use crate::value::{Charset, Field, Invalid, Kind, Literal, Patterns, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_start_stub_server",
        "Starts an HTTP server that responds by rules and returns its address.",
        &[
            Field::required(
                "rules",
                Kind::List(&Kind::Object(&[RULE])),
                "Requests and their responses; the first matching rule applies.",
            ),
            Field::optional("host", LOOPBACK, "The loopback address to listen on.")
                .or(Literal::Text("127.0.0.1")),
            Field::optional("port", Kind::Port, "The port; 0 picks a free one.")
                .or(Literal::Int(0)),
        ],
        start,
    )
    .text(
        "It is a target for trying a document without the real one. It listens on loopback \
         only, and responds with 404 where no rule matches. It runs until LD_stop_stub_server, and belongs \
         to its run: as long as that is in progress, no other run uses or stops it.",
    )
    .returns("An object: `host` and `port`.")
    .example(
        r#"["LD_start_stub_server", {
  "port": 9941,
  "rules": [
    {"method": "POST", "path": "/login", "json": {"token": "t-1"}},
    {"path_regex": "^/items", "status": 200, "json": [], "delay_ms": 20}
  ]
}]"#,
    ),
    Declaration::named("LD_stop_stub_server", "Stops the stub server of this run, or one that an ended run has left.", &[], |_| Ok(Box::new(Stop)))
        .returns("`null`.")
        .example(r#"["LD_stop_stub_server"]"#),
];

/// As texts write it; longer spellings of IPv6 are rare.
const LOOPBACK: Kind = Kind::Matching(r"^(localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[?[0:]*:0*1\]?)$");

const RULE: &[Field] = &[
    Field::optional("method", Kind::Text, "The request's method.").or(Literal::Text("GET")),
    Field::optional("path", Kind::Text, "The whole request target, including its query.")
        .note("Without path and path_regex a rule matches every target.")
        .example("\"/items?limit=20\""),
    Field::optional(
        "path_regex",
        Kind::Text,
        "A regular expression that matches anywhere in the request target.",
    )
    .example("\"^/items/[0-9]+$\""),
    Field::optional("status", Kind::Between(200, 999), "The response's status.")
        .or(Literal::Int(200)),
    Field::optional("headers", Kind::MEMBERS, "The response's headers.")
        .example(r#"{"Content-Type": "text/plain"}"#),
    Field::optional("json", Kind::Any, "The response's body as JSON."),
    Field::optional("body", Kind::Text, "The response's body as text, where there is no json.")
        .not_null(),
    Field::optional(
        "delay_ms",
        Kind::Milliseconds,
        "The delay before the response, at most a day.",
    )
    .or(Literal::Int(0)),
];

/// Its name among the services.
const SERVICE: &str = "stub server";

/// As many connections as a load test opens; descriptors limit them. Request bodies are not read.
const LIMITS: Limits = Limits::DEFAULT;

/// The longest delay of a response: a day.
const MAX_DELAY_MS: u64 = 86_400_000;

/// The most rules of a stub server: each request is compared with them in turn.
const MAX_RULES: usize = 1000;

/// Which requests a rule matches, and its response.
#[derive(Debug, Clone)]
struct StubRule {
    /// In upper case.
    method: String,
    target: Target,
    answer: StubResponse,
    delay: Duration,
}

#[derive(Debug, Clone)]
enum Target {
    Any,
    /// The whole request target, including its query.
    Exact(String),
    /// Matches anywhere in the request target.
    Pattern(regex::Regex),
}

#[derive(Debug, Clone)]
struct StubResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Debug)]
struct Start {
    rules: Vec<StubRule>,
    host: String,
    address: IpAddr,
    port: u16,
}

fn start(given: &Arguments<'_>) -> Parsed {
    let rules = match given.present("rules") {
        None => Vec::new(),
        Some(field) => {
            let (rules, mut patterns) = (field.list()?, Patterns::default());
            if rules.len() > MAX_RULES {
                let count = rules.len();
                let message = format!("{count} rules exceed the limit of {MAX_RULES}");
                return Err(field.invalid(message));
            }
            rules.iter().map(|it| rule(it, &mut patterns)).collect::<Result<_, _>>()?
        }
    };
    let (host, address) = given.or_default("host", |host| Ok((host.string()?, loopback(host)?)))?;
    let port = given.or_default("port", |port| {
        u16::try_from(port.integer(0)?)
            .map_err(|_| port.expected("a port of 0 (any free one) to 65535"))
    })?;
    Ok(Box::new(Start { rules, host, address, port }))
}

fn loopback(host: &Reader<'_>) -> Result<IpAddr, Invalid> {
    let address = match host.text()? {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        text => text.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    };
    address.filter(IpAddr::is_loopback).ok_or_else(|| {
        host.expected(
            "a loopback address (127.0.0.1, ::1 or localhost): a stub server is not opened to \
         the network",
        )
    })
}

fn rule(reader: &Reader<'_>, patterns: &mut Patterns) -> Result<StubRule, Invalid> {
    let mut members = reader.fields(RULE)?;
    let method = members.or_default("method", |method| Ok(method.text()?.to_uppercase()))?;
    // If both are given, the pattern decides, as in the reference.
    let path = members.present("path");
    let target = match (members.present("path_regex"), path) {
        (Some(pattern), _) => Target::Pattern(patterns.compile(&pattern)?),
        (None, Some(path)) => Target::Exact(path.text()?.to_owned()),
        (None, None) => Target::Any,
    };
    let answer = answer(&mut members)?;
    let delay = members.or_default("delay_ms", |millis| match millis.number()? {
        long if long > MAX_DELAY_MS as f64 => {
            Err(millis.expected("a delay of at most a day (86400000 ms)"))
        }
        short => Ok(Duration::from_secs_f64(short / 1000.0)),
    })?;
    members.finish()?;
    Ok(StubRule { method, target, answer, delay })
}

fn answer(members: &mut crate::value::Object<'_>) -> Result<StubResponse, Invalid> {
    let status = members.or_default("status", |status| {
        u16::try_from(status.integer(0)?)
            .ok()
            .filter(|code| (200..1000).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .ok_or_else(|| status.expected("a status of 200 to 999"))
    })?;
    let mut headers = HeaderMap::new();
    if let Some(given) = members.present("headers") {
        for (name, value) in given.object()?.entries() {
            let text = value.value().to_text();
            let parsed = (HeaderName::try_from(name), HeaderValue::try_from(text));
            let (Ok(name), Ok(text)) = parsed else {
                return Err(value.expected("a header with a valid name and value"));
            };
            // The server sets both itself; others would contradict what it sends.
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
            // The reference's spelling, so that the body has the same length.
            Bytes::from(json.value().to_json(Charset::Ascii))
        }
        (None, Some(text)) => Bytes::from(text.text()?.to_owned()),
        (None, None) => Bytes::new(),
    };
    Ok(StubResponse { status, headers, body })
}

impl Command for Start {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { rules, host, address, port } = *self;
        let address = SocketAddr::new(address, port);
        context.start_own_service(SERVICE, || {
            StubServer::start(host, address, rules).map_err(|error| {
                let other = || ports(context).into_iter().find(|stub| stub.port == i64::from(port));
                let taken = other().filter(|_| error.kind() == io::ErrorKind::AddrInUse);
                let why = match taken.map(|stub| stub.run) {
                    Some(Some(run)) => format!("the stub server of run {run} uses this port"),
                    Some(None) => "another stub server uses this port".to_owned(),
                    None => reason(&error),
                };
                let message = format!("the stub server cannot listen on {address}: {why}");
                Failure::new(FailureKind::Network, message)
            })
        })
    }
}

/// A stub server that is running.
pub(super) struct Running {
    pub(super) port: i64,
    /// How many clients are connected to it.
    pub(super) clients: usize,
    /// The run it belongs to.
    run: Option<u64>,
}

/// The stub servers that are running.
pub(super) fn ports(context: &Context<'_>) -> Vec<Running> {
    let all = context.look_at_services(SERVICE).into_iter();
    let running = all.filter_map(|(run, value, clients)| match value.get("port")? {
        Value::Int(port) => Some(Running { port: *port, clients, run }),
        _ => None,
    });
    running.collect()
}

#[derive(Debug)]
struct Stop;

impl Command for Stop {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.stop_own_service(SERVICE);
        Ok(Value::Null)
    }
}

/// A running stub server.
#[derive(Debug)]
struct StubServer {
    host: String,
    service: HttpService,
}

impl Service for StubServer {
    fn value(&self) -> Value {
        Value::dict([
            ("host", Value::from(self.host.as_str())),
            ("port", Value::Int(self.service.address().port().into())),
        ])
    }

    fn connections(&self) -> usize {
        self.service.connections()
    }

    fn begin_to_stop(&mut self) {
        self.service.begin_to_stop();
    }

    fn stop_until(&mut self, deadline: Instant) -> bool {
        self.service.stop_until(deadline)
    }
}

impl StubServer {
    fn start(host: String, address: SocketAddr, rules: Vec<StubRule>) -> io::Result<Self> {
        let rules: Arc<[StubRule]> = rules.into();
        let respond = move |request| respond(Arc::clone(&rules), request);
        let service = HttpService::start("stub", address, LIMITS, respond)?;
        Ok(Self { host, service })
    }
}

/// Returns the response of the first matching rule.
async fn respond(rules: Arc<[StubRule]>, request: Request<RequestBody>) -> Response<Full<Bytes>> {
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
        return response;
    };
    if !rule.delay.is_zero() {
        tokio::time::sleep(rule.delay).await;
    }
    *response.status_mut() = rule.answer.status;
    *response.headers_mut() = rule.answer.headers.clone();
    *response.body_mut() = Full::new(rule.answer.body.clone());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn started(rules: &str) -> StubServer {
        let rules = Value::parse(rules).expect("JSON");
        let rules = Reader::root(&rules).list().expect("a list");
        let rules = rules
            .iter()
            .map(|it| rule(it, &mut Patterns::default()))
            .collect::<Result<_, _>>()
            .expect("rules");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        StubServer::start("127.0.0.1".to_owned(), any, rules).expect("a server")
    }

    /// Returns the response's head in lower case, and its body.
    fn ask(server: &StubServer, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(server.service.address()).expect("a connection");
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
    fn the_first_matching_rule_responds_and_other_requests_get_404() {
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
    fn headers_of_a_rule_are_sent_and_json_sets_the_content_type() {
        let server = started(r#"[{"json": 1, "headers": {"X-K": 5}}]"#);
        let (head, body) = ask(&server, "GET /");
        assert!(head.contains("x-k: 5") && head.contains("content-type: application/json"));
        assert_eq!(body, "1");
    }

    #[test]
    fn an_invalid_rule_is_refused_with_its_place() {
        for (rules, refusal) in [
            (
                r#"[{"nope": 1}]"#,
                "/0/nope: unknown field; expected method, path, path_regex, status, headers, json, body or \
                 delay_ms",
            ),
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
            assert_eq!(
                rule(&first, &mut Patterns::default()).expect_err("refused").to_string(),
                refusal
            );
        }
    }
}
