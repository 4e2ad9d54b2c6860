//! The state that the sessions of a server share: settings, limits, counters, connection permits,
//! and the requests in progress that a shutdown waits for.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::execute::Execute;
use super::failed_logins::{Decision, FailedLogins};
use super::keyring::Keyring;
use super::limits::Limits;
use super::links::Links;
use crate::counters::Counters;
use crate::lock::lock;
use crate::memory::Memory;
use crate::wire::refusal::Refusal;
use crate::wire::token::Tokens;

/// Receives the lines for stdout. Connections call it, so it must not block.
pub type Announce = Box<dyn Fn(String) + Send + Sync>;

/// The settings of a server.
pub struct Server {
    /// The executor of documents.
    pub executor: Arc<dyn Execute>,
    /// Its tokens and its TLS; the caller may keep a clone, to replace them while it serves.
    pub keyring: Keyring,
    /// Whether only framed requests are served.
    pub framed_only: bool,
    /// Its limits.
    pub limits: Limits,
    /// Its counters; the caller may keep a clone.
    pub counters: Arc<Counters>,
    /// Receives its lines for stdout.
    pub announce: Announce,
}

impl Server {
    /// A server with an executor and defaults: no token, no TLS, both modes, no output.
    pub fn new(executor: Arc<dyn Execute>) -> Self {
        Self {
            executor,
            keyring: Keyring::default(),
            framed_only: false,
            limits: Limits::default(),
            counters: Arc::default(),
            announce: Box::new(|_| {}),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Server")
            .field("keyring", &self.keyring)
            .field("framed_only", &self.framed_only)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Connections over the limit that get a reply in their own mode; further ones get text
/// immediately.
const MAX_REJECTED: usize = 256;

/// Large requests without a known token that are read at once. One would do: a step of each is what
/// another request waits for.
const LARGE_AT_ONCE: usize = 2;

/// Lines about requests that are written at once, and per second in the long run.
const LINES: (f64, f64) = (1000.0, 20.0);

/// How many lines about requests may be written.
pub(super) struct Lines {
    left: f64,
    since: Instant,
    /// Those that were left out since the last one.
    left_out: u64,
}

impl Lines {
    fn new(now: Instant) -> Self {
        Self { left: LINES.0, since: now, left_out: 0 }
    }

    fn admit(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        self.left = (self.left + elapsed * LINES.1).min(LINES.0);
        self.since = now;
        if self.left < 1.0 {
            self.left_out += 1;
            return false;
        }
        self.left -= 1.0;
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            tracing::info!("{left_out} requests have no line on stdout: there are too many");
        }
        true
    }
}

/// Documents that are read at once. Reading takes a processor, and one is kept for the thread that
/// serves all connections. Small documents need not wait for large ones.
pub(super) struct Turns {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The longest small document, in bytes.
const SMALL: usize = 1024;

impl Turns {
    fn new() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let most = (processors - 1).max(1);
        Self { small: permits(most), large: permits(most) }
    }

    /// The turns of a document of so many bytes.
    pub(super) fn of(&self, bytes: usize) -> &Arc<Semaphore> {
        if bytes <= SMALL { &self.small } else { &self.large }
    }
}

/// The state that all connections share.
pub(super) struct ServerState {
    pub(super) server: Server,
    /// Whether it uses TLS, which cannot change.
    pub(super) secure: bool,
    pub(super) failed_logins: FailedLogins,
    pub(super) budget: Budget,
    pub(super) started: Instant,
    pub(super) shutdown: CancellationToken,
    /// One permit for each connection within the limit.
    pub(super) open: Arc<Semaphore>,
    /// One permit for each connection over the limit that gets a reply in its own mode.
    pub(super) rejected: Arc<Semaphore>,
    /// One permit for each document that is read or run.
    pub(super) documents: Arc<Semaphore>,
    /// The turns of documents to be read.
    pub(super) reading: Turns,
    /// One permit for each large request without a known token that is being read.
    pub(super) large: Semaphore,
    /// The ceiling that documents and replies take their shares from.
    pub(super) memory: Arc<Memory>,
    /// One permit for each connection that follows a run.
    pub(super) watchers: Arc<Semaphore>,
    /// Requests in progress; a shutdown waits for these.
    pub(super) active: AtomicUsize,
    pub(super) settled: Notify,
    /// Lines about requests.
    pub(super) lines: Mutex<Lines>,
    /// Links that log a browser in.
    pub(super) links: Links,
}

impl ServerState {
    pub(super) fn new(server: Server, shutdown: CancellationToken) -> Self {
        Self {
            secure: server.keyring.tls().is_some(),
            open: permits(server.limits.connections),
            rejected: permits(MAX_REJECTED),
            documents: permits(server.limits.documents),
            reading: Turns::new(),
            large: Semaphore::new(LARGE_AT_ONCE),
            memory: server.executor.memory(),
            watchers: permits(server.limits.watchers),
            failed_logins: FailedLogins::default(),
            budget: Budget::new(server.limits.request_bytes),
            started: Instant::now(),
            shutdown,
            active: AtomicUsize::new(0),
            settled: Notify::new(),
            lines: Mutex::new(Lines::new(Instant::now())),
            links: Links::default(),
            server,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.server.limits
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.server.counters
    }

    /// Whether requests must have a token.
    pub(super) fn is_guarded(&self) -> bool {
        self.server.keyring.with_tokens(Tokens::required)
    }

    /// The delay of the refusal, if this address is refused whatever token it sends.
    pub(super) fn locked_out(&self, peer: IpAddr) -> Option<Duration> {
        if !self.is_guarded() {
            return None;
        }
        self.failed_logins.locked_out(peer, self.limits())
    }

    /// Counts a wrong token from this address, and returns the delay of its refusal.
    pub(super) fn failed_login(&self, peer: IpAddr) -> Duration {
        Counters::count(&self.counters().auth_failures);
        match self.failed_logins.judge(peer, false, self.limits()) {
            Decision::Admitted => Duration::ZERO,
            Decision::Refused(delay) => delay,
        }
    }

    /// A place among those that follow runs.
    pub(super) fn watcher(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.watchers).try_acquire_owned().map_err(|_| {
            Counters::count(&self.counters().shed);
            let most = self.limits().watchers;
            Refusal::busy(&format!("too many watchers (--max-watchers {most})"))
        })
    }

    /// Announces a request, unless there have been too many: a line for each of 10,000 requests a
    /// second would be 26 GB a day.
    pub(super) fn announce_request(&self, characters: usize) {
        if lock(&self.lines).admit(Instant::now()) {
            self.announce(format!("Command received: {characters} bytes"));
        }
    }

    pub(super) fn announce(&self, line: String) {
        (self.server.announce)(line);
    }

    pub(super) fn ended(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            Counters::count(&self.counters().panics);
            tracing::error!("a connection crashed: {error}");
        }
    }

    /// Waits until no request is in progress, at most until a deadline.
    pub(super) async fn wait_until_idle(&self, deadline: Instant) {
        let settled = async {
            while self.active.load(Ordering::Acquire) > 0 {
                self.settled.notified().await;
            }
        };
        if timeout_at(deadline, settled).await.is_err() {
            let seconds = self.limits().shutdown.as_secs_f64();
            tracing::warn!(
                "a run did not end within {seconds} s (--shutdown-timeout); its reply is lost"
            );
        }
    }
}

fn permits(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

/// A permit for one connection, returned on drop, and the shared state.
pub(super) struct Permit {
    pub(super) shared: Arc<ServerState>,
    _permit: OwnedSemaphorePermit,
}

impl Permit {
    pub(super) fn take(shared: &Arc<ServerState>, of: &Arc<Semaphore>) -> Option<Self> {
        let permit = Arc::clone(of).try_acquire_owned().ok()?;
        Some(Self { shared: Arc::clone(shared), _permit: permit })
    }
}

/// A request in progress; a shutdown waits for it.
pub(super) struct Active(Arc<ServerState>);

impl Active {
    pub(super) fn new(shared: &Arc<ServerState>) -> Self {
        shared.active.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.settled.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_requests_is_not_a_flood_of_lines() {
        let start = Instant::now();
        let mut lines = Lines::new(start);
        let mut admitted = |seconds: u64| {
            let at = start + Duration::from_secs(seconds);
            (0..5000).filter(|_| lines.admit(at)).count()
        };
        assert_eq!((admitted(0), admitted(1), admitted(1000)), (1000, 20, 1000));
    }
}
