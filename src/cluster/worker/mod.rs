//! A worker: a load test whose users a master commands. The engine runs as in any test, in its own
//! threads; the conversation with the master has a thread of its own, so that no load delays it. Record,
//! summary and reports are those of a local test.

mod outcome;
mod session;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::outcome::{WorkerEnd, WorkerOutcome};
use self::session::{Connect, ConnectError, Session};
use crate::load::{Commands, Progress, RunError, Runnable};
use crate::net::{DialError, Dialer, NoAddress, Stream, Targets};
use crate::record::Recording;
use crate::record::live::Live;

/// How long one attempt to connect may take.
const DIAL: Duration = Duration::from_secs(5);

/// Which master a worker works for.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The addresses that may be reached.
    pub targets: Targets,
}

/// A load test as part of a cluster.
#[derive(Debug)]
pub struct Worker {
    /// The test, whose users are commanded by these.
    pub test: Box<dyn Runnable>,
    /// The commands.
    pub commands: Arc<Commands>,
    /// The master.
    pub options: WorkerOptions,
    /// What becomes of it.
    pub outcome: Arc<OnceLock<WorkerOutcome>>,
}

impl Runnable for Worker {
    fn run(
        self: Box<Self>,
        workers: usize,
        live: &Arc<Live>,
        cancel: &CancellationToken,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError> {
        let Self { test, commands, options, outcome } = *self;
        live.open_tally();
        let ended = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let session = Session::new(&commands, live, cancel.clone(), ended.clone());
        let talk = move || {
            // However it ends, the test does not go on without it.
            let _end = EndOf(commands);
            let outcome = runtime.block_on(session.serve(Dialled::new(options)));
            // A name that is still being resolved must not delay the end.
            runtime.shutdown_background();
            outcome
        };
        let thread = thread::Builder::new().name("cluster".to_owned()).spawn(talk)?;
        let recording = test.run(workers, live, cancel, watch);
        ended.cancel();
        let said = thread.join();
        let mut recording = recording?;
        match said {
            Ok(said) => {
                recording.warnings.extend(said.warnings());
                let _ = outcome.set(said);
            }
            Err(_) => {
                recording.warnings.push("the worker's thread crashed (a bug in ldctl)".into())
            }
        }
        Ok(recording)
    }
}

/// Ends a test when it is dropped.
struct EndOf(Arc<Commands>);

impl Drop for EndOf {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Connections over TCP.
struct Dialled {
    dialer: Dialer,
    host: String,
    port: u16,
}

impl Dialled {
    fn new(options: WorkerOptions) -> Self {
        let WorkerOptions { host, port, targets } = options;
        Self { dialer: Dialer::new(targets), host, port }
    }
}

impl Connect for Dialled {
    type Stream = Stream;

    async fn connect(&mut self) -> Result<Stream, ConnectError> {
        let deadline = Instant::now() + DIAL;
        self.dialer.dial(&self.host, self.port, None, deadline).await.map_err(|error| {
            // Another attempt would be refused as well.
            let is_final = matches!(error, DialError::NoAddress(NoAddress::Refused { .. }));
            ConnectError { text: error.to_string(), is_final }
        })
    }

    fn master(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}
