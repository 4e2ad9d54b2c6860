//! Connecting to a host: resolve its name, check every address against [`Targets`], try the
//! addresses as RFC 8305 describes, then set up TLS where requested, all within one deadline. Every
//! outgoing connection of this process is made here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, UdpSocket, lookup_host};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, pki_types::ServerName};

use super::descriptors::{Purpose, admit};
use super::handshake::TlsProblem;
use super::old_tls::{self, Seen};
use super::{OwnLimit, Stream, Targets};
use crate::error::reason;

/// How long an attempt may take before the next address is tried in parallel (RFC 8305, section 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The most concurrent attempts: a name with a hundred addresses must not open a hundred sockets.
const MAX_ATTEMPTS: usize = 4;

/// How long a name's addresses are cached.
const RESOLVE_FOR: Duration = Duration::from_secs(30);

/// How long a probe of a host may take.
const LOOK: Duration = Duration::from_secs(1);

/// How long the absence of an address is cached, so that users without a target do not flood the
/// resolver.
const FAIL_FOR: Duration = Duration::from_secs(1);

/// The most cached names.
const MAX_NAMES: usize = 1024;

/// Lookups at once, over all load of this process: each takes a thread and a descriptor for as long
/// as the resolver is silent, also when nobody waits for it any longer.
static LOOKUPS: Semaphore = Semaphore::const_new(32);

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There is no address to connect to.
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    /// No address accepted a connection; this is the last failure, or the most informative one.
    #[error("cannot connect to {address}: {}", reason(source))]
    Connect {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// This machine has exhausted a resource: not a failure of the host.
    #[error("{}; {}", .0, .0.remedy())]
    Own(OwnLimit),
    /// The TLS handshake failed.
    #[error("TLS with {host} failed: {}", reason(source))]
    Tls {
        /// The host.
        host: String,
        /// Why.
        problem: TlsProblem,
        /// The library's error.
        source: io::Error,
    },
    /// The deadline passed.
    #[error("no connection to {host} in time")]
    Deadline {
        /// The host.
        host: String,
    },
}

impl From<DialError> for io::Error {
    fn from(error: DialError) -> Self {
        match &error {
            DialError::NoAddress(_) | DialError::Own(_) => Self::other(error),
            DialError::Connect { source, .. } | DialError::Tls { source, .. } => {
                Self::new(source.kind(), error)
            }
            DialError::Deadline { .. } => Self::new(io::ErrorKind::TimedOut, error),
        }
    }
}

/// Why a host has no address to connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// The name cannot be resolved.
    #[error("name resolution failed for {host}: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's error.
        why: String,
    },
    /// This machine lacks the resources to resolve the name.
    #[error("{}; {}", .0, .0.remedy())]
    Own(OwnLimit),
    /// Every address is refused; this is the first.
    #[error("target {address} is refused: {why}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: &'static str,
    },
}

impl DialError {
    fn connect(address: SocketAddr, source: io::Error) -> Self {
        match OwnLimit::of_connect(address, &source) {
            Some(limit) => Self::Own(limit),
            None => Self::Connect { address, source },
        }
    }
}

/// TLS for a connection: its configuration, and the name that the certificate must have.
pub type Tls = (Arc<ClientConfig>, ServerName<'static>);

/// Connects to a host before the deadline. A connection that documents ask for has `targets`, which
/// restrict its addresses, and does not take the last descriptors.
pub async fn dial(
    host: &str,
    port: u16,
    targets: Option<&Targets>,
    tls: Option<Tls>,
    deadline: Instant,
) -> Result<Stream, DialError> {
    within(deadline, host, async {
        let found = lookup_host((host, port)).await;
        let addresses = usable(host, found, targets)?;
        let purpose = targets.map(|_| Purpose::Dialled);
        open(host, &addresses, tls, purpose).await
    })
    .await
}

/// Connects for many users that share the same hosts: caches addresses.
#[derive(Debug)]
pub struct Dialer {
    targets: Targets,
    names: RefCell<Names>,
    /// The result of probing a host, so that a target is probed only once.
    looks: RefCell<HashMap<(Box<str>, u16), Seen>>,
}

/// When a name was resolved, and to what.
type Names = HashMap<(Box<str>, u16), (Instant, Result<Rc<[SocketAddr]>, NoAddress>)>;

impl Dialer {
    /// A dialer restricted to `targets`.
    pub fn new(targets: Targets) -> Self {
        Self { targets, names: RefCell::default(), looks: RefCell::default() }
    }

    /// Connects to a host before the deadline.
    pub async fn dial(
        &self,
        host: &str,
        port: u16,
        tls: Option<Tls>,
        deadline: Instant,
    ) -> Result<Stream, DialError> {
        within(deadline, host, async {
            let addresses = self.resolve(host, port).await?;
            match open(host, &addresses, tls, Some(Purpose::Dialled)).await {
                Err(DialError::Tls { host, problem, source }) if is_unexplained(&problem) => {
                    let problem = match self.look(&host, port, &addresses).await {
                        Seen::Problem(seen) => seen,
                        Seen::Tls | Seen::Nothing => problem,
                    };
                    Err(DialError::Tls { host, problem, source })
                }
                opened => opened,
            }
        })
        .await
    }

    /// A UDP socket to a host, connected, so that the system reports when nothing listens.
    pub async fn datagrams(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<UdpSocket, DialError> {
        within(deadline, host, async {
            let addresses = self.resolve(host, port).await?;
            let open = async |address| UdpSocket::from_std(datagram_socket(address)?);
            first(&addresses, open).await
        })
        .await
    }

    /// Speaks TLS with a host over a connection that leads to it, before the deadline.
    pub async fn secure(
        &self,
        host: &str,
        stream: Stream,
        tls: Tls,
        deadline: Instant,
    ) -> Result<Stream, DialError> {
        match stream {
            Stream::Plain(socket) => within(deadline, host, secure(host, socket, tls)).await,
            Stream::Tls(_) => {
                let source = io::Error::other("TLS within TLS is not supported");
                let problem = TlsProblem::Other(source.to_string());
                Err(DialError::Tls { host: host.to_owned(), problem, source })
            }
        }
    }

    /// Whether a host that closed a plain connection without a response speaks TLS; false also
    /// where that cannot be determined before the deadline.
    pub async fn speaks_tls(&self, host: &str, port: u16, deadline: Instant) -> bool {
        let looked = within(deadline, host, async {
            let addresses = self.resolve(host, port).await?;
            Ok(self.look(host, port, &addresses).await)
        });
        looked.await.is_ok_and(|seen| seen != Seen::Nothing)
    }

    async fn look(&self, host: &str, port: u16, addresses: &[SocketAddr]) -> Seen {
        let key = (host.into(), port);
        if let Some(seen) = self.looks.borrow().get(&key) {
            return seen.clone();
        }
        // Other tasks use the previous result in the meantime.
        self.looks.borrow_mut().insert(key.clone(), Seen::Nothing);
        let seen = probe(host, addresses).await;
        let mut looks = self.looks.borrow_mut();
        if looks.len() >= MAX_NAMES {
            looks.clear();
        }
        looks.insert(key, seen.clone());
        seen
    }

    /// What is known of a name, unless it is too old.
    fn cached(&self, key: &(Box<str>, u16)) -> Option<Result<Rc<[SocketAddr]>, NoAddress>> {
        let names = self.names.borrow();
        let (at, known) = names.get(key)?;
        let valid = if known.is_ok() { RESOLVE_FOR } else { FAIL_FOR };
        (at.elapsed() < valid).then(|| known.clone())
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Rc<[SocketAddr]>, NoAddress> {
        let key = (host.into(), port);
        if let Some(known) = self.cached(&key) {
            return known;
        }
        let found = match host.parse::<IpAddr>() {
            Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
            Err(_) => {
                let turn = LOOKUPS.acquire().await;
                // Whoever had the turn before may have asked for the same name.
                if let Some(known) = self.cached(&key) {
                    return known;
                }
                match turn {
                    Ok(turn) => lookup(host, port, turn).await,
                    Err(closed) => Err(io::Error::other(closed)),
                }
            }
        };
        let found = found.map(Vec::into_iter);
        let found = usable(host, found, Some(&self.targets)).map(Rc::from);
        let mut names = self.names.borrow_mut();
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        names.insert(key, (Instant::now(), found.clone()));
        found
    }
}

/// Asks the resolver, in a thread that keeps its turn until it has ended.
async fn lookup(
    host: &str,
    port: u16,
    turn: SemaphorePermit<'static>,
) -> io::Result<Vec<SocketAddr>> {
    let host = host.to_owned();
    let asking = spawn_blocking(move || {
        let _turn = turn;
        (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
    });
    asking.await.map_err(io::Error::other)?
}

async fn within<T>(
    deadline: Instant,
    host: &str,
    work: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    let late = |_| DialError::Deadline { host: host.to_owned() };
    timeout_at(deadline, work).await.map_err(late)?
}

/// The allowed addresses of a host, in the order in which to try them.
pub(super) fn usable(
    host: &str,
    found: io::Result<impl Iterator<Item = SocketAddr>>,
    targets: Option<&Targets>,
) -> Result<Vec<SocketAddr>, NoAddress> {
    let failed = |why: String| match OwnLimit::now(targets.map(|_| Purpose::Dialled)) {
        Some(limit) => NoAddress::Own(limit),
        None => NoAddress::Unresolved { host: host.to_owned(), why },
    };
    let mut refused = None;
    let mut usable = Vec::new();
    for address in found.map_err(|error| failed(reason(&error)))? {
        match targets.and_then(|targets| targets.refuses(host, address)) {
            None if usable.contains(&address) => {}
            None => usable.push(address),
            Some(why) => refused = refused.or(Some(NoAddress::Refused { address, why })),
        }
    }
    if usable.is_empty() {
        return Err(refused.unwrap_or_else(|| failed("no address".to_owned())));
    }
    Ok(interleaved(usable))
}

/// Alternates the address families for as long as both remain (RFC 8305, section 4). The resolver
/// sorts the addresses that this machine can reach first, IPv6 where possible (RFC 6724).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let six_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == six_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    loop {
        let before = ordered.len();
        ordered.extend(first.next());
        ordered.extend(second.next());
        if ordered.len() == before {
            return ordered;
        }
    }
}

async fn open(
    host: &str,
    addresses: &[SocketAddr],
    tls: Option<Tls>,
    purpose: Option<Purpose>,
) -> Result<Stream, DialError> {
    let socket = first(addresses, |address| connect(address, purpose)).await?;
    // Requests are written in one piece, so Nagle's algorithm would only delay them. After a
    // handshake they would even wait for a delayed acknowledgement, 40 ms on Linux.
    let _ = socket.set_nodelay(true);
    match tls {
        Some(tls) => secure(host, socket, tls).await,
        None => Ok(Stream::Plain(socket)),
    }
}

/// Connects to an address; a purpose limits the descriptors for it.
async fn connect(address: SocketAddr, purpose: Option<Purpose>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(purpose) = purpose {
        admit(&socket, purpose)?;
    }
    socket.connect(address).await
}

/// Performs the TLS handshake on a connection.
async fn secure(host: &str, socket: TcpStream, (config, name): Tls) -> Result<Stream, DialError> {
    match TlsConnector::from(config).connect(name, socket).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(source) => {
            let problem = TlsProblem::of(&source).unwrap_or_else(|| match source.kind() {
                io::ErrorKind::UnexpectedEof => TlsProblem::Closed,
                _ => TlsProblem::Other(reason(&source)),
            });
            Err(DialError::Tls { host: host.to_owned(), problem, source })
        }
    }
}

/// A connected, non-blocking UDP socket.
pub(super) fn datagram_socket(address: SocketAddr) -> io::Result<net::UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = net::UdpSocket::bind(any)?;
    admit(&socket, Purpose::Dialled)?;
    socket.connect(address)?;
    // When the send buffer is full, a datagram is dropped instead of blocking the thread.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Probes a host that closed the connection without a reason.
async fn probe(host: &str, addresses: &[SocketAddr]) -> Seen {
    let look = async {
        let socket = first(addresses, |address| connect(address, Some(Purpose::Dialled))).await;
        let mut socket = socket.ok()?;
        old_tls::look(&mut socket, host).await.ok()
    };
    timeout(LOOK, look).await.ok().flatten().unwrap_or(Seen::Nothing)
}

/// Whether a probe may reveal more.
fn is_unexplained(problem: &TlsProblem) -> bool {
    use TlsProblem::{Closed, NothingInCommon, Unexplained, Version};
    matches!(problem, Unexplained | NothingInCommon | Version(None) | Closed)
}

/// Returns the first address that connects. The next one is tried when one fails, or in parallel
/// when one takes too long; the first success cancels the others.
async fn first<T, F>(
    addresses: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> F,
) -> Result<T, DialError>
where
    F: Future<Output = io::Result<T>>,
{
    // The usual case.
    if let [address] = addresses {
        let address = *address;
        return connect(address).await.map_err(|source| DialError::connect(address, source));
    }
    let mut waiting = addresses.iter().copied();
    let mut attempts = Attempts(Vec::with_capacity(MAX_ATTEMPTS));
    let mut failure = None;
    loop {
        if attempts.0.len() < MAX_ATTEMPTS
            && let Some(address) = waiting.next()
        {
            attempts.0.push((address, Box::pin(connect(address))));
        }
        let next = waiting.len() > 0 && attempts.0.len() < MAX_ATTEMPTS;
        let mut delay = pin!(sleep(ATTEMPT_DELAY));
        let ended = poll_fn(|context| match attempts.poll(context) {
            Poll::Pending if next => delay.as_mut().poll(context).map(|()| None),
            ended => ended.map(Some),
        });
        match ended.await {
            // Start the next attempt.
            None => {}
            Some(None) => {
                let none = io::Error::from(io::ErrorKind::AddrNotAvailable);
                let nowhere = || (SocketAddr::from(([0, 0, 0, 0], 0)), none);
                let (address, source) = failure.unwrap_or_else(nowhere);
                return Err(DialError::connect(address, source));
            }
            Some(Some((_, Ok(connected)))) => return Ok(connected),
            // "No route to this address family" is less informative than what the other family
            // reported.
            Some(Some((address, Err(error)))) if failure.is_none() || !is_unroutable(&error) => {
                failure = Some((address, error));
            }
            Some(Some(_)) => {}
        }
    }
}

fn is_unroutable(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable)
}

/// Attempts in progress, oldest first.
struct Attempts<F>(Vec<(SocketAddr, Pin<Box<F>>)>);

impl<T, F: Future<Output = io::Result<T>>> Attempts<F> {
    /// The end of one attempt, or `None` when none is in progress.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<(SocketAddr, io::Result<T>)>> {
        let ended = self.0.iter_mut().enumerate().find_map(|(at, (_, attempt))| {
            match attempt.as_mut().poll(context) {
                Poll::Ready(outcome) => Some((at, outcome)),
                Poll::Pending => None,
            }
        });
        match ended {
            Some((at, outcome)) => Poll::Ready(Some((self.0.remove(at).0, outcome))),
            None if self.0.is_empty() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How an address behaves: connects or fails after this many milliseconds, or never responds.
    type Conduct = (&'static str, Option<(u64, Result<(), io::ErrorKind>)>);

    const CONNECTS: Option<(u64, Result<(), io::ErrorKind>)> = Some((0, Ok(())));
    const REFUSES: Option<(u64, Result<(), io::ErrorKind>)> =
        Some((0, Err(io::ErrorKind::ConnectionRefused)));
    const SILENT: Option<(u64, Result<(), io::ErrorKind>)> = None;

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().expect("an address"), 80)
    }

    /// Counts an attempt while it is in progress.
    struct Open<'a>(&'a Cell<usize>);

    impl Drop for Open<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    /// The result; when each address was tried, in milliseconds; and the total time.
    async fn tried(
        conducts: &[Conduct],
    ) -> (Result<SocketAddr, DialError>, Vec<(SocketAddr, u128)>, u128) {
        let begin = Instant::now();
        let (starts, open) = (RefCell::new(Vec::new()), Cell::new(0));
        let addresses: Vec<SocketAddr> = conducts.iter().map(|(ip, _)| address(ip)).collect();
        let (starts_of, open_now) = (&starts, &open);
        let connect = |to: SocketAddr| async move {
            starts_of.borrow_mut().push((to, begin.elapsed().as_millis()));
            open_now.set(open_now.get() + 1);
            assert!(open_now.get() <= MAX_ATTEMPTS, "too many at once");
            let _open = Open(open_now);
            let (_, conduct) = conducts.iter().find(|(ip, _)| address(ip) == to).expect("known");
            match conduct {
                None => std::future::pending().await,
                Some((millis, outcome)) => {
                    sleep(Duration::from_millis(*millis)).await;
                    outcome.map(|()| to).map_err(io::Error::from)
                }
            }
        };
        let outcome =
            tokio::time::timeout(Duration::from_secs(60), first(&addresses, connect)).await;
        assert_eq!(open.get(), 0, "the other attempts are dropped");
        (outcome.expect("an end"), starts.into_inner(), begin.elapsed().as_millis())
    }

    async fn check(conducts: &[Conduct], winner: &str, starts: &[u128], millis: u128) {
        let (outcome, tried, elapsed) = tried(conducts).await;
        assert_eq!(outcome.expect("connected"), address(winner));
        let order: Vec<SocketAddr> = tried.iter().map(|(address, _)| *address).collect();
        let want: Vec<SocketAddr> =
            conducts.iter().take(starts.len()).map(|(ip, _)| address(ip)).collect();
        assert_eq!(order, want);
        assert_eq!(tried.iter().map(|(_, at)| *at).collect::<Vec<_>>(), starts);
        assert_eq!(elapsed, millis);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_quarter_of_a_second_and_not_the_deadline() {
        check(&[("::1", SILENT), ("10.0.0.1", CONNECTS)], "10.0.0.1", &[0, 250], 250).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_is_tried_immediately_when_one_fails() {
        let late = Some((100, Err(io::ErrorKind::ConnectionReset)));
        let three = [("::1", REFUSES), ("10.0.0.1", late), ("::2", CONNECTS)];
        check(&three, "::2", &[0, 0, 100], 100).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_success_wins_even_if_its_attempt_started_earlier() {
        let slow = Some((300, Ok(())));
        check(&[("::1", slow), ("10.0.0.1", SILENT)], "::1", &[0, 250], 300).await;
        check(&[("::1", CONNECTS), ("10.0.0.1", CONNECTS)], "::1", &[0], 0).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_concurrent_attempts_is_limited() {
        let dies = Some((5_000, Err(io::ErrorKind::TimedOut)));
        let many = [
            ("::1", dies),
            ("10.0.0.1", SILENT),
            ("::2", SILENT),
            ("10.0.0.2", SILENT),
            ("::3", CONNECTS),
        ];
        check(&many, "::3", &[0, 250, 500, 750, 5_000], 5_000).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_names_the_last_failure_that_is_not_a_missing_route() {
        let unreachable = Some((0, Err(io::ErrorKind::NetworkUnreachable)));
        for (conducts, culprit) in [
            (&[("::1", unreachable), ("10.0.0.1", REFUSES)], "10.0.0.1"),
            (&[("10.0.0.1", REFUSES), ("::1", unreachable)], "10.0.0.1"),
            (&[("10.0.0.1", REFUSES), ("::1", REFUSES)], "::1"),
        ] {
            let error = tried(conducts).await.0.expect_err("no address connects").to_string();
            let at = address(culprit);
            assert_eq!(error, format!("cannot connect to {at}: connection refused"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_deadline_covers_all_attempts() {
        let deadline = Instant::now() + Duration::from_secs(3);
        let addresses = [address("::1"), address("10.0.0.1")];
        let connect = |_| std::future::pending::<io::Result<()>>();
        let error = within(deadline, "shop.test", first(&addresses, connect)).await;
        assert_eq!(error.expect_err("late").to_string(), "no connection to shop.test in time");
        assert_eq!(Instant::now(), deadline);
    }

    #[tokio::test]
    async fn a_request_does_not_wait_for_acknowledgements() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let deadline = Instant::now() + Duration::from_secs(60);
        let stream = dial("127.0.0.1", port, None, None, deadline).await.expect("a connection");
        let Stream::Plain(socket) = stream else { panic!("no TLS was asked for") };
        assert!(socket.nodelay().expect("an option"));
    }

    fn found(ips: &[&str], allowed: &[&str]) -> Result<Vec<String>, String> {
        let allowed = allowed.iter().map(|text| text.parse().expect("a target")).collect();
        let targets = Targets { own: Vec::new(), allowed };
        let all = Ok(ips.iter().map(|ip| address(ip)));
        let text = |all: Vec<SocketAddr>| all.iter().map(|each| each.ip().to_string()).collect();
        usable("h", all, Some(&targets)).map(text).map_err(|error| error.to_string())
    }

    #[test]
    fn address_families_alternate_starting_with_the_resolver_s_first() {
        for (resolved, ordered) in [
            (&["::1", "::2", "::3", "10.0.0.1"][..], &["::1", "10.0.0.1", "::2", "::3"][..]),
            (&["10.0.0.1", "10.0.0.2", "::1"], &["10.0.0.1", "::1", "10.0.0.2"]),
            (&["10.0.0.1", "10.0.0.1", "::1", "::1"], &["10.0.0.1", "::1"]),
            (&["::1"], &["::1"]),
        ] {
            let ordered = ordered.iter().map(|ip| (*ip).to_owned()).collect();
            assert_eq!(found(resolved, &[]), Ok(ordered), "{resolved:?}");
        }
    }

    #[test]
    fn every_address_of_a_name_is_checked_separately() {
        let all = ["10.0.0.1", "fe80::1", "10.9.0.1", "2001:db8::1"];
        let allowed = ["10.0.0.0/16", "2001:db8::/32"];
        let kept = ["10.0.0.1", "2001:db8::1"].map(str::to_owned).to_vec();
        assert_eq!(found(&all, &allowed), Ok(kept));
    }

    #[test]
    fn the_error_for_a_name_without_an_allowed_address_names_one_and_the_reason() {
        assert_eq!(
            found(&["fe80::1", "10.0.0.1"], &["192.0.2.1"]),
            Err("target [fe80::1]:80 is refused: link-local addresses hold metadata services"
                .to_owned())
        );
        assert_eq!(found(&[], &[]), Err("name resolution failed for h: no address".to_owned()));
    }

    #[tokio::test]
    async fn t48_a_lookup_waits_for_its_turn_and_learns_what_others_have_found() {
        let dialer = Dialer::new(Targets::default());
        let turns = LOOKUPS.acquire_many(32).await.expect("open");
        let mut asking = pin!(dialer.resolve("localhost", 9));
        let waits = poll_fn(|context| Poll::Ready(asking.as_mut().poll(context).is_pending()));
        assert!(waits.await, "no lookup without a turn");
        let found: Rc<[SocketAddr]> = Rc::from([address("192.0.2.1")]);
        let known = (Instant::now(), Ok(Rc::clone(&found)));
        dialer.names.borrow_mut().insert(("localhost".into(), 9), known);
        drop(turns);
        assert_eq!(asking.await, Ok(found));
        assert!(dialer.resolve("127.0.0.1", 9).await.is_ok(), "an address needs no turn");
    }

    #[tokio::test]
    async fn t48_no_more_than_a_limit_of_addresses_and_of_looks_is_kept() {
        let dialer = Dialer::new(Targets::default());
        for host in 0..MAX_NAMES + 10 {
            let host = format!("127.0.{}.{}", host / 256, host % 256);
            dialer.resolve(&host, 9).await.expect("an address");
            dialer.look(&host, 9, &[]).await;
            assert!(dialer.names.borrow().len() <= MAX_NAMES);
            assert!(dialer.looks.borrow().len() <= MAX_NAMES);
        }
        assert_eq!(dialer.names.borrow().len(), 10, "after the limit all begin anew");
    }
}
