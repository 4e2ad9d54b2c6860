//! A master: a load test that other machines make. Its record is the sum of what its workers report, so
//! that everything made of a record sees the whole test.

mod conductor;
mod connection;
mod health;
mod options;
mod table;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::conductor::{Conducted, Conductor, Started};
pub use self::health::{Health, Status};
pub use self::options::MasterOptions;
use crate::error::reason;
use crate::load::shape::Shape;
use crate::load::{Progress, ProgressTicker, RunError, Runnable, note_users};
use crate::lock::lock;
use crate::memory;
use crate::net::Listeners;
use crate::record::Recording;
use crate::record::live::Live;

/// How often the caller looks at the test.
const WATCH: Duration = Duration::from_millis(50);

/// What becomes of a cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MasterOutcome {
    /// Its health at the end.
    pub health: Health,
    /// Why it could not go on.
    pub failure: Option<String>,
}

/// A load test that workers make.
#[derive(Debug)]
pub struct Master {
    /// Its workers.
    pub options: MasterOptions,
    /// Its users over time.
    pub shape: Shape,
    /// What becomes of it.
    pub outcome: Arc<Mutex<MasterOutcome>>,
}

impl Runnable for Master {
    fn run(
        self: Box<Self>,
        _: usize,
        live: &Arc<Live>,
        cancel: &CancellationToken,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError> {
        let Self { options, shape, outcome } = *self;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listeners = {
            let _inside = runtime.enter();
            listen(&options)?
        };
        let mut warnings = Vec::new();
        if options.allowed.is_empty()
            && let Some(open) = listeners.addresses().find(|address| !is_loopback(address))
        {
            let warning = format!(
                "workers are not authenticated: whoever reaches {open} takes part in the test; \
                 --worker-allow narrows it"
            );
            tracing::warn!("{warning}");
            warnings.push(warning);
        }
        let stop = cancel.child_token();
        // The cluster ends however this function returns.
        let _stops = stop.clone().drop_guard();
        let started = Started::default();
        let conductor = Conductor::new(options, shape, live, stop.clone(), Arc::clone(&started));
        let (done, conducted) = mpsc::channel();
        let conduct = move || {
            let _ = done.send(runtime.block_on(conductor.conduct(listeners)));
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("cluster".to_owned()).spawn(conduct)?;
        let mut curve = Vec::new();
        let mut ticker = ProgressTicker::default();
        let most = live.allowance().most_resident(memory::resident().unwrap_or_default());
        let conducted = loop {
            match conducted.recv_timeout(WATCH) {
                Ok(conducted) => break conducted,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    break Err("the master's thread crashed (a bug in ldctl)".to_owned());
                }
            }
            if let Some((since, _)) = started.get() {
                note_users(&mut curve, since.elapsed(), live.users());
                if let Some(progress) = ticker.read(since.elapsed(), live) {
                    live.allowance().check_resident(memory::resident(), most);
                    if let ControlFlow::Break(reason) = watch(&progress)
                        && !stop.is_cancelled()
                    {
                        warnings.push(reason);
                        stop.cancel();
                    }
                }
            }
            if live.allowance().exhausted().is_some() {
                stop.cancel();
            }
        };
        let _ = thread.join();
        let Conducted { recorder, health, warnings: more, failure } =
            conducted.map_err(RunError::Cluster)?;
        *lock(&outcome) = MasterOutcome { health, failure };
        warnings.extend(more);
        warnings.extend(live.allowance().exhausted().map(str::to_owned));
        warnings.extend(live.allowance().warnings());
        let at = started.get().map_or_else(std::time::SystemTime::now, |(_, at)| *at);
        let mut recording = Recording::new(at, vec![recorder]);
        warnings.extend(recording.beyond());
        recording.warnings = warnings;
        recording.peak_users = live.peak_users();
        recording.users = curve;
        Ok(recording)
    }
}

fn listen(options: &MasterOptions) -> Result<Listeners, RunError> {
    let MasterOptions { bind_host, bind_port, listen, .. } = options;
    let refused = |why: String| {
        RunError::Cluster(format!("cannot wait for workers on {bind_host}:{bind_port}: {why}"))
    };
    // What Locust writes for every address.
    let host = if bind_host == "*" { "0.0.0.0" } else { bind_host };
    crate::net::permitted(host, *bind_port, listen).map_err(|error| refused(reason(&error)))?;
    Listeners::bind(host, *bind_port).map_err(|error| refused(reason(&error.error)))
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
