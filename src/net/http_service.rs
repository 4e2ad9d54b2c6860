//! A small HTTP/1.1 server for what this process publishes, with or without TLS: its own thread and
//! runtime, a function from request to response, and limits on what clients may use. Dropping it closes every
//! connection and waits for the thread.
//!
//! Clients that hold connections cannot keep others out: a connection has deadlines for its first
//! request, between requests and for reading a response, and where there is no room for another, the
//! one that has been idle for longest is closed, first those that have never sent a request.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use super::descriptors::{Descriptors, Purpose, admit};
use super::listen::{Listeners, bind_one};
use crate::lock::join_until;

/// How long to wait before the next accept when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How long a connection must have been idle to be closed for another: between two requests of a
/// busy client there is less.
const IDLE_AT_LEAST: Duration = Duration::from_secs(1);

/// The longest head of a request, in bytes: what a connection can make this process hold.
const MAX_HEAD: usize = 32 * 1024;

/// The body of a request; reading it fails beyond [`Limits::body`].
pub type RequestBody = Limited<Incoming>;

/// What clients of a service may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Concurrent connections, if there are descriptors for so many; others wait until one has ended
    /// or is idle.
    pub connections: usize,
    /// How long the head of the first request may take, counted from the connection.
    pub first: Duration,
    /// How long a connection may be idle after a response, and the head of the next request take.
    pub idle: Duration,
    /// How long a client may take to read what waits for it.
    pub write: Duration,
    /// Bytes of a request's body.
    pub body: usize,
}

impl Limits {
    /// The deadlines of the control port, and idle connections as long as most servers keep them.
    pub const DEFAULT: Self = Self {
        connections: usize::MAX,
        first: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(10),
        body: 0,
    };
}

/// Where a request comes from: an extension of every request.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The address of this process that it has reached.
    pub local: SocketAddr,
    /// Keeps the connection from being closed for another: a response that lasts holds a clone.
    pub in_use: InUse,
}

/// A connection is in use as long as this exists.
#[derive(Debug, Clone)]
pub struct InUse(#[expect(dead_code, reason = "it is held")] Arc<Busy>);

#[cfg(test)]
impl InUse {
    /// Of no connection.
    pub(crate) fn none() -> Self {
        Self(Arc::new(Busy::new(&Arc::new(Activity::new()))))
    }
}

/// The TLS configuration of the next handshake. It may change, but not between some and none.
pub type Handshakes = Box<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

/// A running service.
#[derive(Debug)]
pub struct HttpService {
    address: SocketAddr,
    open: Arc<AtomicUsize>,
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
        let bind = || bind_first(addresses).and_then(Listeners::one);
        Self::serving(name, bind, Box::new(|| None), limits, handler)
    }

    /// Serves on sockets that listen already. [`RequestBody`] is limited as well.
    pub fn over<H, F, B>(
        name: &'static str,
        listeners: Listeners,
        tls: Handshakes,
        limits: Limits,
        handler: H,
    ) -> io::Result<Self>
    where
        H: Fn(Request<RequestBody>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let sockets = listeners.into_std()?;
        Self::serving(name, || Listeners::inherited(sockets), tls, limits, handler)
    }

    /// `bind` is called where sockets belong to this service.
    fn serving<H, F, B>(
        name: &'static str,
        bind: impl FnOnce() -> io::Result<Listeners>,
        tls: Handshakes,
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
        let listeners = {
            let _inside = runtime.enter();
            bind()?
        };
        let address = listeners.addresses().next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let share = Descriptors::now().map(|now| now.of_a_listener().max(1));
        let share = share.and_then(|share| usize::try_from(share).ok()).unwrap_or(usize::MAX);
        let limits = Limits { connections: limits.connections.min(share), ..limits };
        let open = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&open);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = serve(name, listeners, tls, limits, &count, handler.into()) => {}
                }
            });
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { address, open, stop, thread: Some(thread) })
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Closes all connections.
    pub fn begin_to_stop(&mut self) {
        self.stop.cancel();
    }

    /// Waits for the end of the thread, at most until a deadline; then it is left behind. Returns
    /// whether it has ended.
    pub fn stop_until(&mut self, deadline: std::time::Instant) -> bool {
        self.begin_to_stop();
        join_until(&mut self.thread, deadline)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpService {
    fn drop(&mut self) {
        self.begin_to_stop();
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
async fn serve<H, F, B>(
    name: &'static str,
    mut listeners: Listeners,
    tls: Handshakes,
    limits: Limits,
    count: &AtomicUsize,
    handler: Arc<H>,
) where
    H: Fn(Request<RequestBody>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut open = Open { limits, connections: JoinSet::new(), activities: Vec::new(), beyond: 0 };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(MAX_HEAD);
    // Accepted, and served as soon as there is room.
    let mut next = None::<(TcpStream, SocketAddr, bool)>;
    loop {
        tokio::select! {
            Some(ended) = open.connections.join_next() => open.ended(ended.unwrap_or(false)),
            accepted = listeners.accept(), if next.is_none() => match accepted {
                Ok((stream, peer)) => {
                    let beyond = admit(&stream, Purpose::Accepted).is_err();
                    next = Some((stream, peer, beyond));
                }
                // Out of file descriptors: open connections must end first.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            () = sleep(ACCEPT_PAUSE), if next.is_some() => open.make_room(),
        }
        count.store(open.connections.len() + usize::from(next.is_some()), Ordering::Relaxed);
        let taken = next.take_if(|(_, _, beyond)| open.has_room(*beyond));
        let Some((stream, address, beyond)) = taken else { continue };
        let Ok(local) = stream.local_addr() else { continue };
        let _ = stream.set_nodelay(true);
        let activity = open.begin(beyond);
        let (handler, used) = (Arc::clone(&handler), Arc::clone(&activity));
        let service = service_fn(move |request: Request<Incoming>| {
            let in_use = InUse(Arc::new(Busy::new(&used)));
            let mut request = request.map(|body| Limited::new(body, limits.body));
            request.extensions_mut().insert(Peer { address, local, in_use: in_use.clone() });
            let response = handler(request);
            async move {
                let response = response.await;
                drop(in_use);
                Ok::<_, Infallible>(response)
            }
        });
        let (stream, http) = (Timed::new(stream, limits.write), http.clone());
        let config = tls();
        let connection = async move {
            let ended = match config {
                None => http.serve_connection(TokioIo::new(stream), service).await,
                Some(config) => match TlsAcceptor::from(config).accept(stream).await {
                    Ok(stream) => http.serve_connection(TokioIo::new(stream), service).await,
                    Err(error) => return tracing::debug!("{name}: no TLS handshake: {error}"),
                },
            };
            if let Err(error) = ended {
                tracing::debug!("{name}: a connection ended early: {error}");
            }
        };
        open.connections.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = activity.must_end(limits.first) => {
                    tracing::debug!("{name}: an idle connection was closed");
                }
            }
            beyond
        });
    }
}

/// The open connections of a service.
struct Open {
    limits: Limits,
    /// Whether each was beyond the descriptors for such connections.
    connections: JoinSet<bool>,
    activities: Vec<Weak<Activity>>,
    /// How many are: at most one, which the others wait for.
    beyond: usize,
}

impl Open {
    fn has_room(&self, beyond: bool) -> bool {
        self.connections.len() < self.limits.connections && !(beyond && self.beyond > 0)
    }

    fn begin(&mut self, beyond: bool) -> Arc<Activity> {
        self.beyond += usize::from(beyond);
        if self.activities.len() > 2 * self.connections.len() + 16 {
            self.activities.retain(|activity| activity.strong_count() > 0);
        }
        let activity = Arc::new(Activity::new());
        self.activities.push(Arc::downgrade(&activity));
        activity
    }

    fn ended(&mut self, beyond: bool) {
        self.beyond -= usize::from(beyond).min(self.beyond);
    }

    /// Closes the connection that is worth least, once it has been idle for long enough. One that is
    /// worth more does not give way because it got there first.
    fn make_room(&self) {
        let live = self.activities.iter().filter_map(Weak::upgrade);
        let idle = live.filter_map(|activity| Some((activity.idle()?, activity)));
        if let Some(((_, idle), activity)) = idle.max_by_key(|(worth, _)| *worth)
            && u128::from(idle) >= IDLE_AT_LEAST.as_millis()
        {
            activity.end.notify_one();
        }
    }
}

/// What a connection has done.
#[derive(Debug)]
struct Activity {
    since: Instant,
    /// Requests whose response is being made.
    in_progress: AtomicUsize,
    requested: AtomicBool,
    /// When the last response was made, in milliseconds.
    last: AtomicU64,
    end: Notify,
}

impl Activity {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            in_progress: AtomicUsize::new(0),
            requested: AtomicBool::new(false),
            last: AtomicU64::new(0),
            end: Notify::new(),
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How idle it is, unless a response is being made: those without any request before others, then
    /// the time.
    fn idle(&self) -> Option<(bool, u64)> {
        let idle = self.elapsed().saturating_sub(self.last.load(Ordering::Relaxed));
        let silent = !self.requested.load(Ordering::Relaxed);
        (self.in_progress.load(Ordering::Relaxed) == 0).then_some((silent, idle))
    }

    /// Waits until the connection makes room for another, or its first request is late.
    async fn must_end(&self, first: Duration) {
        let late = async {
            sleep_until(self.since + first).await;
            if self.requested.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.end.notified() => {}
            () = late => {}
        }
    }
}

/// A request whose response is being made.
#[derive(Debug)]
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.requested.store(true, Ordering::Relaxed);
        activity.in_progress.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.last.store(self.0.elapsed(), Ordering::Relaxed);
        self.0.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream whose peer must read what is written within a time, counted from when it did not.
struct Timed {
    stream: TcpStream,
    limit: Duration,
    late: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn new(stream: TcpStream, limit: Duration) -> Self {
        Self { stream, limit, late: None }
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.limit;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(late.as_mut().poll(context));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.poll_late(context).map(Err),
            written => written,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, bytes) {
            Poll::Pending => self.poll_late(context).map(Err),
            written => written,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything has been written: the peer reads.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.late = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use http_body_util::{BodyExt, Full};
    use hyper::StatusCode;

    use super::*;

    const WIDE: Limits = Limits { connections: 8, body: 4, ..Limits::DEFAULT };

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
    fn t47_a_request_with_a_head_that_is_too_long_is_refused() {
        let service = echo(WIDE);
        let mut stream = connect(&service);
        let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(8 * MAX_HEAD));
        let _ = stream.write_all(long.as_bytes());
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response);
        assert!(response.starts_with("HTTP/1.1 431 ") || response.is_empty(), "{response}");
    }

    #[test]
    fn a_client_that_sends_no_request_is_closed_at_the_deadline() {
        let service = echo(Limits { first: Duration::from_millis(1), ..WIDE });
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

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[test]
    fn t47_an_idle_connection_gives_way_and_one_without_a_request_before_others() {
        let service = echo(Limits { connections: 3, ..WIDE });
        let mut user = connect(&service);
        user.write_all(GET).expect("sent");
        assert!(user.read(&mut [0; 1024]).expect("a response") > 0);
        // The user has been idle for long enough before they have.
        std::thread::sleep(IDLE_AT_LEAST / 2);
        let (mut first, mut second) = (connect(&service), connect(&service));
        let mut late = connect(&service);
        late.write_all(GET).expect("sent");
        assert!(late.read(&mut [0; 1024]).expect("a response") > 0, "a silent one gives way");
        let mut later = connect(&service);
        later.write_all(GET).expect("sent");
        assert!(later.read(&mut [0; 1024]).expect("a response") > 0);
        for silent in [&mut first, &mut second] {
            assert_eq!(silent.read(&mut [0]).expect("an end"), 0);
        }
        user.write_all(GET).expect("sent");
        assert!(user.read(&mut [0; 1024]).expect("a response") > 0, "one that is used stays");
    }

    #[test]
    fn t47_a_client_that_does_not_read_its_response_is_closed_at_the_deadline() {
        let body = Bytes::from(vec![0; 32 << 20]);
        let handler = move |_: Request<RequestBody>| {
            let body = body.clone();
            async move { Response::new(Full::new(body)) }
        };
        let limits = Limits { write: Duration::from_millis(50), ..WIDE };
        let service =
            HttpService::start("large", ("127.0.0.1", 0), limits, handler).expect("started");
        let mut slow = connect(&service);
        slow.write_all(GET).expect("sent");
        // Any request of another client takes its turn on the same thread, after the deadline.
        let closed = Instant::now() + limits.write * 2;
        while Instant::now() < closed {
            let mut other = connect(&service);
            other.write_all(GET).expect("sent");
            assert!(other.read(&mut [0; 1024]).expect("a response") > 0);
        }
        let mut all = Vec::new();
        let ended = slow.read_to_end(&mut all);
        assert!(ended.is_err() || all.len() < 32 << 20, "{} bytes", all.len());
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
