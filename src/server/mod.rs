//! The server: it accepts connections, serves each in its own task with deadlines, and ends on
//! request. [`crate::wire`] parses requests and an [`Execute`] runs them, whose events go back to
//! the session. Another way to the same server uses its [`Handle`]. The caller binds ([`Listeners::bind`]), chooses the [`Limits`] and decides when to
//! stop; nothing here reads a flag, a signal or a file.
//!
//! Invariants: every wait for a peer has a deadline; nothing is allocated for a claimed length
//! before its bytes arrive; a panic ends only one connection or one run and is counted.

mod budget;
mod execute;
mod failed_logins;
mod handle;
mod keyring;
mod limits;
mod links;
mod pipe;
mod report;
mod respond;
mod run_log;
mod session;
mod state;
mod transport;
mod writer;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::counters::Counters;
use crate::error::reason;
use crate::net::Listeners;
use crate::net::descriptors::{Purpose, admit};
use state::{Permit, ServerState};

pub use crate::action::RunPage;
pub use execute::{Execute, Followed, Job, Stored, Unready};
pub use handle::{Denied, Handle, Watching};
pub use keyring::{Keyring, ReloadError, Secrets};
pub use limits::Limits;
pub use links::{Links, local};
pub use state::{Announce, Server};

/// The first pause after a failed accept, and the longest; each failure doubles it.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// The shortest interval between two ticks of the accepting loop, whatever the deadlines are.
const MIN_BEAT: Duration = Duration::from_millis(10);

/// How much longer than its deadline an executor that closes is waited for. One that gives up at the
/// deadline still has to say what is lost, and threads of a busy machine are late.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until the handle's shutdown, which a quit request also triggers: then it stops accepting, cancels
/// runs, replies to waiting clients and stops what documents have left running, all of it within
/// [`Limits::shutdown`], and returns without waiting for idle peers. Works on a runtime of one thread or
/// many; documents run on its blocking threads, so the caller should not wait for those after a run that
/// ignores its cancellation.
pub async fn run(mut listeners: Listeners, handle: Handle) {
    let shared = handle.into_state();
    let shutdown = shared.shutdown.clone();
    shared.announce(format!("Server started on {}:{}", listeners.host(), listeners.port()));
    let mut sessions = JoinSet::new();
    serve(&mut listeners, &shared, &shutdown, &mut sessions).await;
    let deadline = Instant::now() + shared.limits().shutdown;
    tracing::info!(
        "shutdown: no new connections; {} s for the rest",
        shared.limits().shutdown.as_secs_f64()
    );
    drop(listeners);
    let idle = CancellationToken::new();
    tokio::join!(
        async {
            shared.wait_until_idle(deadline).await;
            tracing::info!("shutdown: no request is in progress");
            idle.cancel();
        },
        async {
            // Exporters send the figures of tests that have just ended, but do not wait for one that
            // does not, nor for a client that does not read.
            let _ = timeout_at(deadline - shared.limits().shutdown / 4, idle.cancelled()).await;
            let executor = Arc::clone(&shared.server.executor);
            let closing = spawn_blocking(move || executor.close(deadline.into_std()));
            let _ = timeout_at(deadline + LAST_WORDS, closing).await;
            tracing::info!("shutdown: what documents have started is stopped");
        },
    );
    sessions.shutdown().await;
    shared.announce("Server shutdown complete".to_owned());
}

/// Accepts connections until the shutdown.
async fn serve(
    listeners: &mut Listeners,
    shared: &Arc<ServerState>,
    shutdown: &CancellationToken,
    sessions: &mut JoinSet<()>,
) {
    let mut stopped = pin!(shutdown.cancelled());
    let shortest = shared.limits().request.min(shared.limits().handshake);
    let mut beat = interval((shortest / 4).max(MIN_BEAT));
    let mut backoff = BACKOFF.0;
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => return,
            accepted = listeners.accept() => match within(accepted, shared) {
                Ok((stream, peer)) => {
                    backoff = BACKOFF.0;
                    serve_or_reject(shared, stream, peer, sessions);
                    // When connections arrive faster than they are accepted, the branch below never
                    // runs, and the results of ended sessions would accumulate.
                    while let Some(ended) = sessions.try_join_next() {
                        shared.ended(ended);
                    }
                }
                Err(error) if is_peers_fault(&error) => {}
                // Out of file descriptors or memory. Others wait in the backlog.
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {}; retrying", reason(&error));
                    tokio::select! {
                        () = &mut stopped => return,
                        () = sleep(backoff) => {}
                    }
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            },
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => shared.ended(ended),
            // A new timer that is due before all others makes the runtime wake itself, with two
            // system calls. This one is always due before a new connection's deadlines.
            _ = beat.tick() => {}
        }
    }
}

/// Whether the connection was closed before it was accepted.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Rejects a connection that would take one of the last descriptors, which reports and databases
/// need, as if the system had not accepted it.
fn within(
    accepted: io::Result<(TcpStream, SocketAddr)>,
    shared: &ServerState,
) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = accepted?;
    if let Err(error) = admit(&stream, Purpose::Control) {
        Counters::count(&shared.counters().refused);
        session::reject_at_once(&stream, shared, &session::no_descriptors());
        return Err(error);
    }
    Ok((stream, peer))
}

/// Serves a connection in a task, or rejects it if there is no room.
fn serve_or_reject(
    shared: &Arc<ServerState>,
    stream: TcpStream,
    peer: SocketAddr,
    sessions: &mut JoinSet<()>,
) {
    Counters::count(&shared.counters().connections);
    tracing::info!("{peer}: connected");
    let peer = peer.ip();
    if let Some(permit) = Permit::take(shared, &shared.open) {
        spawn(shared, stream, peer, permit, false, sessions);
        return;
    }
    Counters::count(&shared.counters().refused);
    match Permit::take(shared, &shared.rejected) {
        Some(permit) => spawn(shared, stream, peer, permit, true, sessions),
        None => session::reject_at_once(&stream, shared, &session::no_room(shared)),
    }
}

fn spawn(
    shared: &Arc<ServerState>,
    stream: TcpStream,
    peer: IpAddr,
    permit: Permit,
    over_limit: bool,
    sessions: &mut JoinSet<()>,
) {
    if shared.secure {
        sessions.spawn(session::secure(stream, peer, permit, over_limit));
    } else {
        sessions.spawn(session::plain(stream, peer, permit, over_limit));
    }
}

#[cfg(test)]
mod tests;
