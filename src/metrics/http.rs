//! One `POST` at a time to a collector, from a thread that may block: HTTP/1.1 or gRPC, over TCP or
//! TLS. Each request opens its own connection and has one deadline.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Builder;
use hyper::{Request, Uri, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::{ClientConfig, pki_types::ServerName};

use super::grpc::{self, CallError};
use crate::net::trust::{self, Trust};
use crate::net::{Stream, Targets, dial};

/// The `User-Agent` of exports.
const AGENT: &str = concat!("ldctl/", env!("CARGO_PKG_VERSION"));

/// An `http://` or `https://` URL to export to.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(url::Url);

/// Why a text is not an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL that begins with http:// or https://")]
pub struct InvalidEndpoint;

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let url = url::Url::parse(text).map_err(|_| InvalidEndpoint)?;
        let known = matches!(url.scheme(), "http" | "https") && url.has_host();
        if known { Ok(Self(url)) } else { Err(InvalidEndpoint) }
    }
}

/// Without user, password and query, which may hold secrets.
impl fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Endpoint({})", self.origin())
    }
}

impl Endpoint {
    /// Sets this path on a URL without one.
    pub fn or_path(mut self, path: &str) -> Self {
        if self.0.path() == "/" {
            self.0.set_path(path);
        }
        self
    }

    /// Its scheme, host and port, without what may be secret.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether the URL has a path.
    pub(super) fn has_path(&self) -> bool {
        self.0.path() != "/"
    }

    /// The port of the URL.
    pub(super) fn port(&self) -> Option<u16> {
        self.0.port_or_known_default()
    }
}

/// Sends one body to an endpoint and returns the response's status; any but 2xx is an error.
pub fn post(
    endpoint: Endpoint,
    targets: Targets,
    timeout: Duration,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> io::Result<u16> {
    let status = Client::new(endpoint, targets, timeout)?.post(headers, body)?;
    Ok(status.as_u16())
}

/// Sends to one endpoint.
pub(super) struct Client {
    url: url::Url,
    host: String,
    port: u16,
    /// For HTTP/1.1 and for gRPC.
    tls: Option<[Arc<ClientConfig>; 2]>,
    targets: Targets,
    timeout: Duration,
    runtime: Runtime,
}

/// The runtime of a client. Its end does not wait for a resolver that is silent.
struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    fn new() -> io::Result<Self> {
        Ok(Self(Some(tokio::runtime::Builder::new_current_thread().enable_all().build()?)))
    }

    fn block_on<T, E: From<io::Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(runtime) = &self.0 else {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        };
        runtime.block_on(work)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    /// A client for the calling thread. Does not connect yet.
    pub(super) fn new(endpoint: Endpoint, targets: Targets, timeout: Duration) -> io::Result<Self> {
        let Endpoint(url) = endpoint;
        let host = url.host_str().unwrap_or_default();
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port_or_known_default().unwrap_or(80),
            tls: match url.scheme() {
                "https" => Some([tls(&[])?, tls(&[b"h2".to_vec()])?]),
                _ => None,
            },
            url,
            targets,
            timeout,
            runtime: Runtime::new()?,
        })
    }

    /// Sends a body and returns the response's status; any but 2xx is an error.
    pub(super) fn post(
        &mut self,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> io::Result<hyper::StatusCode> {
        let request = self.request(headers, body)?;
        self.runtime.block_on(async {
            let deadline = Instant::now() + self.timeout;
            let within = timeout_at(deadline, self.exchange(request, deadline)).await;
            within.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }

    /// Calls a gRPC method and returns the response's message.
    pub(super) fn call(&mut self, method: &str, message: &[u8]) -> Result<Bytes, CallError> {
        let origin = &self.url[..url::Position::BeforePath];
        let origin = origin.replacen(&self.url[..url::Position::BeforeHost], "", 1);
        let uri = format!("{}://{origin}{method}", self.url.scheme());
        let request = self.with_user(Request::post(uri).header("user-agent", AGENT));
        let request = request.body(()).map_err(io::Error::other)?;
        self.runtime.block_on(async {
            let deadline = Instant::now() + self.timeout;
            let call = async {
                let stream = self.connect(1, deadline).await?;
                grpc::call(stream, request, message).await
            };
            let within = timeout_at(deadline, call).await;
            within.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }

    fn request(&self, headers: &[(&str, &str)], body: Vec<u8>) -> io::Result<Request<Full<Bytes>>> {
        let target = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::post(target.parse::<Uri>().map_err(io::Error::other)?)
            .header("host", authority)
            .header("user-agent", AGENT);
        request = self.with_user(request);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::from(body)).map_err(io::Error::other)
    }

    /// A request with the user and password of the URL, if it has any.
    fn with_user(&self, request: Builder) -> Builder {
        use base64::Engine as _;
        if self.url.username().is_empty() {
            return request;
        }
        let pair = format!("{}:{}", self.url.username(), self.url.password().unwrap_or(""));
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        request.header("authorization", format!("Basic {encoded}"))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> io::Result<hyper::StatusCode> {
        let stream = self.connect(0, deadline).await?;
        let status = send(stream, request).await?;
        if status.is_success() {
            return Ok(status);
        }
        Err(io::Error::other(format!("the receiver responded with {status}")))
    }

    /// Connects; `config` is the index of the TLS configuration.
    async fn connect(&self, config: usize, deadline: Instant) -> io::Result<Stream> {
        let tls = match self.tls.as_ref().and_then(|configs| configs.get(config)) {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                Some((Arc::clone(config), name))
            }
        };
        let targets = Some(&self.targets);
        Ok(dial(&self.host, self.port, targets, tls, deadline).await?)
    }
}

async fn send(stream: Stream, request: Request<Full<Bytes>>) -> io::Result<hyper::StatusCode> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Both in this task: the connection is driven while the response is awaited, and dropped after.
    let response = sender.send_request(request);
    tokio::pin!(connection, response);
    let ended = tokio::select! {
        response = &mut response => {
            return response.map(|response| response.status()).map_err(not_http);
        }
        ended = &mut connection => ended,
    };
    // It may have read the response and the end of the stream at once.
    match (response.await, ended) {
        (Ok(response), _) => Ok(response.status()),
        (Err(_), Ok(())) => {
            let text = "the receiver closed the connection without a response";
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
        }
        (Err(_), Err(error)) => Err(not_http(error)),
    }
}

/// The error for a peer that does not speak HTTP/1.1.
fn not_http(error: hyper::Error) -> io::Error {
    if error.is_parse() || error.is_incomplete_message() {
        let text = format!("the receiver does not speak HTTP/1.1 ({error})");
        return io::Error::new(io::ErrorKind::InvalidData, text);
    }
    io::Error::other(error)
}

fn tls(protocols: &[Vec<u8>]) -> io::Result<Arc<ClientConfig>> {
    let config = trust::client(&Trust::Platform).map_err(io::Error::other)?;
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = protocols.to_vec();
    Ok(Arc::new(config))
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;
    use std::sync::mpsc::{Receiver, channel};

    use axum::body::to_bytes;
    use axum::http::StatusCode;

    use super::*;

    /// A request that a collector received.
    #[derive(Debug)]
    pub(in crate::metrics) struct Got {
        pub(in crate::metrics) target: String,
        headers: axum::http::HeaderMap,
        pub(in crate::metrics) body: Vec<u8>,
    }

    impl Got {
        pub(in crate::metrics) fn header(&self, name: &str) -> Option<&str> {
            self.headers.get(name)?.to_str().ok()
        }
    }

    /// A server that keeps what it receives.
    pub(in crate::metrics) struct Collector {
        address: SocketAddr,
        got: Receiver<Got>,
        _runtime: tokio::runtime::Runtime,
    }

    impl Collector {
        pub(in crate::metrics) fn url(&self, path: &str) -> String {
            format!("http://{}{path}", self.address)
        }

        pub(in crate::metrics) fn next(&self) -> Got {
            self.got.recv_timeout(Duration::from_secs(30)).expect("a request")
        }
    }

    /// A collector on a free port that responds to every request with one status.
    pub(in crate::metrics) fn collector(status: u16) -> Collector {
        let (keep, got) = channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let address = listener.local_addr().expect("an address");
        let status = StatusCode::from_u16(status).expect("a status");
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let keep = keep.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.expect("a body").to_vec();
                let target = head.uri.to_string();
                let _ = keep.send(Got { target, headers: head.headers, body });
                status
            }
        });
        runtime.spawn(async move { axum::serve(listener, app).await });
        Collector { address, got, _runtime: runtime }
    }

    fn post(url: &str, targets: Targets) -> io::Result<u16> {
        let endpoint = url.parse().expect("a URL");
        super::post(
            endpoint,
            targets,
            Duration::from_secs(30),
            &[("x-test", "1")],
            b"body".to_vec(),
        )
    }

    #[test]
    fn a_body_arrives_with_its_headers() {
        let collector = collector(200);
        let url = collector.url("/a?b=c").replace("http://", "http://u:p@");
        post(&url, Targets::default()).expect("sent");
        let got = collector.next();
        assert_eq!((got.target.as_str(), got.body.as_slice()), ("/a?b=c", &b"body"[..]));
        assert_eq!(got.header("x-test"), Some("1"));
        assert_eq!(got.header("authorization"), Some("Basic dTpw"));
    }

    #[test]
    fn a_receiver_that_closes_after_its_response_has_answered() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        // Response and end of the stream come at once, as from Python's `http.server`: whether the
        // client sees them at once is a race, which it must win every time.
        const POSTS: usize = 50;
        let serving = std::thread::spawn(move || {
            for _ in 0..POSTS {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut request = Vec::new();
                let mut chunk = [0; 1024];
                while !request.ends_with(b"body") {
                    let read = stream.read(&mut chunk).expect("a request");
                    request.extend_from_slice(&chunk[..read]);
                }
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").expect("written");
            }
        });
        for _ in 0..POSTS {
            post(&url, Targets::default()).expect("sent");
        }
        serving.join().expect("no panic");
    }

    #[test]
    fn a_refusal_is_an_error_that_names_the_status() {
        let collector = collector(401);
        let error = post(&collector.url("/"), Targets::default()).expect_err("refused");
        assert_eq!(error.to_string(), "the receiver responded with 401 Unauthorized");
    }

    #[test]
    fn no_connection_is_made_to_an_address_that_is_not_allowed() {
        let collector = collector(200);
        let targets =
            Targets { own: Vec::new(), allowed: vec!["192.0.2.1".parse().expect("a target")] };
        let error = post(&collector.url("/"), targets).expect_err("refused").to_string();
        assert!(error.ends_with(" is refused: no --allow-target names it"), "{error}");
        assert!(collector.got.try_recv().is_err());
    }

    #[test]
    fn an_endpoint_is_a_web_address_and_shows_no_secret() {
        for text in ["", "x", "file:///etc/passwd", "ftp://x/"] {
            assert_eq!(Endpoint::from_str(text), Err(InvalidEndpoint), "{text}");
        }
        let endpoint: Endpoint = "https://u:p@x.test:8/w?token=t".parse().expect("a URL");
        assert_eq!(format!("{endpoint:?}"), "Endpoint(https://x.test:8)");
    }
}
