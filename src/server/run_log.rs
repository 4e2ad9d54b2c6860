//! What a server's log says of a run: its actions, how long they took, and why they failed.

use std::net::IpAddr;
use std::time::Instant;

use crate::event::Event;

/// The log of one reply.
pub(super) struct RunLog {
    peer: IpAddr,
    run: u64,
    /// When the action in progress started.
    since: Instant,
}

impl RunLog {
    pub(super) fn new(peer: IpAddr) -> Self {
        Self { peer, run: 0, since: Instant::now() }
    }

    /// Logs an event. Names of commands come from the document, texts of failures are redacted.
    pub(super) fn note(&mut self, event: &Event) {
        let Self { peer, run, .. } = *self;
        match event {
            Event::Accepted { run, name, actions, .. } => {
                self.run = *run;
                let name = name.as_ref().map_or_else(String::new, |name| format!(" {name:?}"));
                tracing::info!("{peer}: run {run}{name} accepted: {actions} actions");
            }
            Event::Started { index, command } => {
                self.since = Instant::now();
                tracing::info!("{peer}: run {run}: actions[{index}] {command:?} starts");
            }
            Event::Result(result) => {
                let took = self.since.elapsed().as_secs_f64();
                let index = result.index;
                match &result.error {
                    None => {
                        tracing::info!("{peer}: run {run}: actions[{index}] done after {took:.3} s")
                    }
                    Some(failure) => tracing::info!(
                        "{peer}: run {run}: actions[{index}] failed after {took:.3} s: {:?}",
                        failure.message
                    ),
                }
            }
            Event::Done { failed, elapsed_s, run: Some(run), state, .. } => {
                let state = state.map_or("ended", |state| state.name());
                tracing::info!(
                    "{peer}: run {run} {state} after {elapsed_s:.3} s, failed actions: {failed}"
                );
            }
            Event::Error { message, .. } => tracing::info!("{peer}: refused: {message:?}"),
            _ => {}
        }
    }
}
