//! A small HTTP/1.1 server for what this process publishes: its own thread and runtime, a function
//! from request to response, and limits on what clients may use. Dropping it closes every
//! connection and waits for the thread.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::listen::bind_one;

/// How long to wait before the next accept when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The body of a request; reading it fails beyond [`Limits::body`].
pub type RequestBody = Limited<Incoming>;

/// What clients of a service may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Concurrent connections; others wait to be accepted.
    pub connections: usize,
    /// How long the head of a request may take, counted from the connection or the last response.
    /// `None` also allows idle connections.
    pub head: Option<Duration>,
    /// Bytes of a request's body.
    pub body: usize,
}

/// A running service.
#[derive(Debug)]
pub struct HttpService {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl HttpService {
    /// Listens on the first of these addresses that is free, or on any free port where theirs is 0.
    /// `name` is the name of the thread.
    pub fn start<H, F, B>(
        name: &'static str,
        addresses: impl ToSocketAddrs,
        limits: Limits,
        handler: H,
    ) -> io::Result<Self>
    where
        H: Fn(Request<RequestBody>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            bind_first(addresses)?
        };
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = serve(name, listener, limits, handler.into()) => {}
                }
            });
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpService {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // The thread has reported its own panic.
            let _ = thread.join();
        }
    }
}

fn bind_first(addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses.to_socket_addrs()? {
        match bind_one(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Accepts connections for ever; they end when the set that owns them is dropped.
async fn serve<H, F, B>(name: &'static str, listener: TcpListener, limits: Limits, handler: Arc<H>)
where
    H: Fn(Request<RequestBody>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < limits.connections => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors: open connections must end first.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let handler = Arc::clone(&handler);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = handler(request.map(|body| Limited::new(body, limits.body)));
            async move { Ok::<_, std::convert::Infallible>(response.await) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("{name}: a connection ended early: {error}");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use http_body_util::{BodyExt, Full};
    use hyper::StatusCode;

    use super::*;

    const WIDE: Limits = Limits { connections: 8, head: None, body: 4 };

    /// Returns the body of each request.
    fn echo(limits: Limits) -> HttpService {
        let handler = |request: Request<RequestBody>| async move {
            let read = request.into_body().collect().await;
            let (status, body) = match read {
                Ok(body) => (StatusCode::OK, body.to_bytes()),
                Err(_) => (StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
            };
            let mut response = Response::new(Full::new(body));
            *response.status_mut() = status;
            response
        };
        HttpService::start("echo", ("127.0.0.1", 0), limits, handler).expect("started")
    }

    fn connect(service: &HttpService) -> TcpStream {
        let stream = TcpStream::connect(service.address()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a deadline");
        stream
    }

    fn post(mut stream: TcpStream, body: &str) -> String {
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
        let request = format!("{head}connection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response);
        response
    }

    #[test]
    fn a_handler_gets_the_body_up_to_the_limit() {
        let service = echo(WIDE);
        let fits = post(connect(&service), "four");
        assert!(fits.starts_with("HTTP/1.1 200 ") && fits.ends_with("\r\n\r\nfour"), "{fits}");
        let long = post(connect(&service), "fives");
        assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
    }

    #[test]
    fn a_client_that_sends_no_request_is_closed_at_the_deadline() {
        let service = echo(Limits { head: Some(Duration::from_millis(1)), ..WIDE });
        let mut silent = connect(&service);
        assert_eq!(silent.read(&mut [0]).expect("an end"), 0);
    }

    #[test]
    fn more_connections_than_allowed_wait_for_those_that_are_served() {
        let service = echo(Limits { connections: 1, ..WIDE });
        let mut held = connect(&service);
        let mut next = connect(&service);
        let get = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        next.write_all(get).expect("sent");
        // One thread serves both, so it would have served the other between these lines.
        for _ in 0..20 {
            held.write_all(get).expect("sent");
            assert!(held.read(&mut [0; 1024]).expect("a response") > 0);
        }
        next.set_nonblocking(true).expect("set");
        let early = next.read(&mut [0]).expect_err("no response yet");
        assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
        next.set_nonblocking(false).expect("set");
        drop(held);
        assert_eq!(next.read(&mut [0]).expect("a response"), 1);
    }

    #[test]
    fn a_dropped_service_frees_its_port_even_with_open_connections() {
        let service = echo(WIDE);
        let address = service.address();
        let _idle = connect(&service);
        drop(service);
        std::net::TcpListener::bind(address).expect("the port is free");
    }
}
