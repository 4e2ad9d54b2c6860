//! The server: it accepts connections, gives each a task with deadlines of its own, and ends when it
//! is told to. What a connection asks for is read by [`crate::wire`] and run by an [`Execute`],
//! whose events go back to the session that asked. The caller binds ([`Listeners::bind`]), chooses
//! the [`Limits`] and decides when to stop; nothing here reads a flag, a signal or a file.
//!
//! Invariants: nothing waits for a silent peer without a deadline; what a peer claims is never
//! allocated before it is sent; a panic ends one connection or one run and is counted.

mod execute;
mod failed_logins;
mod keyring;
mod limits;
mod pipe;
mod session;
mod transport;
mod writer;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::counters::Counters;
use crate::error::reason;
use crate::net::Listeners;
use failed_logins::FailedLogins;
use limits::Budget;

pub use execute::{Execute, Job};
pub use keyring::{Keyring, ReloadError, Secrets};
pub use limits::Limits;

/// Takes the lines that belong on stdout. It is called by connections and must not block.
pub type Announce = Box<dyn Fn(String) + Send + Sync>;

/// What a server is.
pub struct Server {
    /// Who runs documents.
    pub executor: Arc<dyn Execute>,
    /// Its tokens and its TLS; the caller may keep a clone, to replace them while it serves.
    pub keyring: Keyring,
    /// Whether only framed requests are served.
    pub framed_only: bool,
    /// What it allows.
    pub limits: Limits,
    /// What happened; the caller may keep a clone.
    pub counters: Arc<Counters>,
    /// Where its lines for stdout go.
    pub announce: Announce,
}

impl Server {
    /// A server with an executor and nothing else: no token, no TLS, both modes, silent.
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

/// What all connections share.
struct Shared {
    server: Server,
    /// Whether it speaks TLS, which no replacement of its secrets changes.
    secure: bool,
    failed_logins: FailedLogins,
    budget: Budget,
    begun: Instant,
    shutdown: CancellationToken,
    /// One permit for each connection that may be open.
    open: Arc<Semaphore>,
    /// One permit for each connection over the limit that may be told so.
    rejected: Arc<Semaphore>,
    /// Requests that were taken and not yet answered; a closing server waits for these.
    active: AtomicUsize,
    settled: Notify,
}

/// Connections over the limit that are told so in their own mode; more are told at once, as text.
const MAX_REJECTED: usize = 256;

/// The first pause after a failed accept, and the longest; each failure doubles it.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// The shortest time between two beats of the accepting loop, whatever the deadlines are.
const MIN_BEAT: Duration = Duration::from_millis(10);

/// Serves until `shutdown`, which a quit request also triggers: then it stops accepting, cancels
/// what runs, answers those who wait within [`Limits::shutdown`], and returns without waiting for
/// idle peers. Runs on a runtime of one thread or many; documents run on its blocking threads, so
/// that after a run that ignores its cancellation the caller should not wait for those threads.
pub async fn run(listeners: Listeners, server: Server, shutdown: CancellationToken) {
    let shared = Arc::new(Shared::new(server, shutdown.clone()));
    shared.announce(format!("Server started on {}:{}", listeners.host(), listeners.port()));
    let mut sessions = JoinSet::new();
    serve(&listeners, &shared, &shutdown, &mut sessions).await;
    drop(listeners);
    shared.settle().await;
    sessions.shutdown().await;
    shared.announce("Server shutdown complete".to_owned());
}

/// Accepts until the shutdown.
async fn serve(
    listeners: &Listeners,
    shared: &Arc<Shared>,
    shutdown: &CancellationToken,
    sessions: &mut JoinSet<()>,
) {
    let mut stopped = pin!(shutdown.cancelled());
    let shortest = shared.limits().request.min(shared.limits().handshake);
    let mut beat = interval((shortest / 4).max(MIN_BEAT));
    let mut next = 0;
    let mut backoff = BACKOFF.0;
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => return,
            accepted = accept(&listeners.sockets, &mut next) => match accepted {
                Ok((stream, peer)) => {
                    backoff = BACKOFF.0;
                    shared.admit(stream, peer, sessions);
                    // While connections come faster than they are taken, the branch below never
                    // gets its turn, and what is left of ended sessions would pile up.
                    while let Some(ended) = sessions.try_join_next() {
                        shared.ended(ended);
                    }
                }
                Err(error) if is_peers_fault(&error) => {}
                // Descriptors or memory are exhausted. The connection waits in the backlog.
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {}; trying again", reason(&error));
                    tokio::select! {
                        () = &mut stopped => return,
                        () = sleep(backoff) => {}
                    }
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            },
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => shared.ended(ended),
            // A timer that is due before all others makes the runtime wake itself, with two system
            // calls. This one is always due before a new connection's deadlines.
            _ = beat.tick() => {}
        }
    }
}

/// Accepts from whichever socket has a connection, taking turns.
async fn accept(sockets: &[TcpListener], next: &mut usize) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|context| {
        for offset in 0..sockets.len() {
            let turn = (*next + offset) % sockets.len();
            if let Some(Poll::Ready(accepted)) =
                sockets.get(turn).map(|socket| socket.poll_accept(context))
            {
                *next = turn + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// The connection was gone before it was accepted.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

impl Shared {
    fn new(server: Server, shutdown: CancellationToken) -> Self {
        Self {
            secure: server.keyring.tls().is_some(),
            open: permits(server.limits.connections),
            rejected: permits(MAX_REJECTED),
            failed_logins: FailedLogins::default(),
            budget: Budget::new(server.limits.request_bytes),
            begun: Instant::now(),
            shutdown,
            active: AtomicUsize::new(0),
            settled: Notify::new(),
            server,
        }
    }

    fn limits(&self) -> &Limits {
        &self.server.limits
    }

    fn counters(&self) -> &Counters {
        &self.server.counters
    }

    fn announce(&self, line: String) {
        (self.server.announce)(line);
    }

    /// Gives a connection a task, or tells it that there is no room.
    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, sessions: &mut JoinSet<()>) {
        Counters::count(&self.counters().connections);
        let peer = peer.ip();
        if let Some(permit) = Permit::take(self, &self.open) {
            self.spawn(stream, peer, permit, false, sessions);
            return;
        }
        Counters::count(&self.counters().refused);
        match Permit::take(self, &self.rejected) {
            Some(permit) => self.spawn(stream, peer, permit, true, sessions),
            None => session::reject_at_once(&stream, self),
        }
    }

    fn spawn(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        permit: Permit,
        over_limit: bool,
        sessions: &mut JoinSet<()>,
    ) {
        if self.secure {
            sessions.spawn(session::secure(stream, peer, permit, over_limit));
        } else {
            sessions.spawn(session::plain(stream, peer, permit, over_limit));
        }
    }

    fn ended(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            Counters::count(&self.counters().panics);
            tracing::error!("a connection broke: {error}");
        }
    }

    /// Waits until every request that was taken is answered.
    async fn settle(&self) {
        let settled = async {
            while self.active.load(Ordering::Acquire) > 0 {
                self.settled.notified().await;
            }
        };
        if timeout(self.limits().shutdown, settled).await.is_err() {
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

/// Permission for one connection, given back on drop, and what it shares with the others.
struct Permit {
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Permit {
    fn take(shared: &Arc<Shared>, of: &Arc<Semaphore>) -> Option<Self> {
        let permit = Arc::clone(of).try_acquire_owned().ok()?;
        Some(Self { shared: Arc::clone(shared), _permit: permit })
    }
}

/// A request that was taken; the server waits for it when it closes.
struct Active(Arc<Shared>);

impl Active {
    fn new(shared: &Arc<Shared>) -> Self {
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
mod tests;
