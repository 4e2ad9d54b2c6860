//! The way for others to the executor, the tokens and the limits of a server: the web door uses them
//! through this handle, so that both doors share one table of failed authentications, one budget of
//! documents and watchers, and one end.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::execute::{Execute, Job, Unready};
use super::keyring::Keyring;
use super::limits::Limits;
use super::links::Links;
use super::respond::{RequestBytes, Submitted};
use super::run_log::RunLog;
use super::state::{Active, Server, ServerState};
use crate::counters::Counters;
use crate::event::{ActionResult, Event, Sink};
use crate::memory::Memory;
use crate::run::Submission;
use crate::wire::refusal::Refusal;

/// The shared state of a server.
#[derive(Clone)]
pub struct Handle(Arc<ServerState>);

/// A refusal because of the token, and how long its response waits.
#[derive(Debug)]
pub struct Denied {
    /// Why.
    pub refusal: Refusal,
    /// The delay.
    pub delay: Duration,
}

/// A place among those that follow runs. A shutdown waits for it.
pub struct Watching {
    _permit: OwnedSemaphorePermit,
    _active: Active,
}

impl Handle {
    /// The state of a server that ends with `shutdown`.
    pub fn new(server: Server, shutdown: CancellationToken) -> Self {
        Self(Arc::new(ServerState::new(server, shutdown)))
    }

    pub(super) fn into_state(self) -> Arc<ServerState> {
        self.0
    }

    /// The executor.
    pub fn executor(&self) -> Arc<dyn Execute> {
        Arc::clone(&self.0.server.executor)
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        self.0.limits()
    }

    /// The ceiling for memory.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.0.memory
    }

    /// The tokens and the TLS configuration.
    pub fn keyring(&self) -> &Keyring {
        &self.0.server.keyring
    }

    /// The links that log a browser in.
    pub fn links(&self) -> &Links {
        &self.0.links
    }

    /// Whether requests must have a token.
    pub fn is_guarded(&self) -> bool {
        self.0.is_guarded()
    }

    /// Waits until no request is in progress, but not for long.
    pub async fn idle(&self, limit: Duration) {
        let settled = async {
            while self.0.active.load(Ordering::Acquire) > 0 {
                self.0.settled.notified().await;
            }
        };
        let _ = timeout(limit, settled).await;
    }

    /// Judges the token of a request, which counts failures as for a request on the socket.
    pub fn admit(&self, peer: IpAddr, token: Option<&str>) -> Result<(), Denied> {
        if !self.is_guarded() {
            return Ok(());
        }
        if let Some(delay) = self.0.locked_out(peer) {
            return Err(Denied { refusal: Refusal::unauthorised(), delay });
        }
        let Some(token) = token else {
            return Err(Denied { refusal: Refusal::token_required(), delay: Duration::ZERO });
        };
        if self.keyring().with_tokens(|tokens| tokens.accepts(token)) {
            return Ok(());
        }
        Err(Denied { refusal: Refusal::unauthorised(), delay: self.0.failed_login(peer) })
    }

    /// A place for a client that follows a run.
    pub fn watch(&self) -> Result<Watching, Refusal> {
        Ok(Watching { _permit: self.0.watcher()?, _active: Active::new(&self.0) })
    }

    /// Waits for a place for a document; the job reads and runs it.
    pub async fn submit(
        &self,
        document: Zeroizing<Vec<u8>>,
        submission: Submission,
    ) -> Result<Job, Refusal> {
        let shared = &self.0;
        // No run starts while the server is shutting down.
        let place = tokio::select! {
            biased;
            () = shared.shutdown.cancelled() => return Err(Unready::Cancelled.into()),
            place = shared.admit_document(document.len()) => place,
        };
        let place = place.inspect_err(|_| Counters::count(&shared.counters().shed))?;
        let submitted = Submitted::whole(&document, submission);
        let body = 0..document.len();
        Ok(submitted.into_job(RequestBytes::new(document, body), place, shared))
    }

    /// Starts a job on a thread of its own; a shutdown waits for it. A panic is counted, and drops the
    /// sink.
    pub fn start(&self, peer: IpAddr, job: Job, sink: impl Sink + Send + 'static) {
        let shared = Arc::clone(&self.0);
        // The sink learns of its end.
        drop(spawn_blocking(move || {
            let _active = Active::new(&shared);
            let mut sink = Logged { log: RunLog::new(peer), sink };
            let run = AssertUnwindSafe(|| job(&mut sink, &shared.shutdown));
            if catch_unwind(run).is_err() {
                Counters::count(&shared.counters().panics);
            }
        }));
    }
}

/// Writes what a server logs of a run.
struct Logged<S> {
    log: RunLog,
    sink: S,
}

impl<S: Sink> Sink for Logged<S> {
    fn emit(&mut self, event: Event) {
        self.log.note(&event);
        self.sink.emit(event);
    }

    fn is_open(&self) -> bool {
        self.sink.is_open()
    }

    fn result(&mut self, _action: &str, result: ActionResult) {
        for warning in &result.warnings {
            tracing::warn!("{warning}");
        }
        let event = Event::Result(result);
        self.log.note(&event);
        self.sink.emit(event);
    }
}
