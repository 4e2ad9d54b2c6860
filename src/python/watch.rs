//! What is watched of a running child besides its lines: its end, which a process that it leaves behind
//! can hide by keeping its output open, and the memory of all its processes, which the system limits
//! only for each and only where it is not shared.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::family::Family;
use super::shared::Shared;
use crate::memory::readable;

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How long reading may take to come to its end once the process has ended.
const REST: Duration = Duration::from_secs(3);

/// The threads that watch.
#[derive(Debug)]
pub(super) struct Watch {
    /// Dropped when all has been read.
    reading: Sender<()>,
    end: JoinHandle<()>,
}

impl Watch {
    /// Watches a process.
    pub(super) fn start(
        process: u32,
        memory: usize,
        shared: &Arc<Shared>,
        family: &Arc<Family>,
    ) -> io::Result<Self> {
        let (running, ended) = channel::<()>();
        let (reading, read) = channel();
        let (of_memory, own) = (Arc::clone(shared), Arc::clone(family));
        let look = move || see_to_memory(process, memory, &of_memory, &own, &ended);
        thread::Builder::new().name("python-memory".to_owned()).spawn(look)?;
        let (shared, family) = (Arc::clone(shared), Arc::clone(family));
        let end = thread::Builder::new().name("python-end".to_owned()).spawn(move || {
            wait_for_end(process);
            drop(running);
            shared.kill();
            family.end_orphans();
            if read.recv_timeout(REST) == Err(RecvTimeoutError::Timeout) {
                shared
                    .conclude("it ended, and what it left behind keeps its output open".to_owned());
            }
        })?;
        Ok(Self { reading, end })
    }

    /// Waits until the process has ended and nothing is left of it.
    pub(super) fn join(self) {
        drop(self.reading);
        let _ = self.end.join();
    }
}

/// Ends a process with all others of its group where they take too much, until it has ended.
fn see_to_memory(
    process: u32,
    most: usize,
    shared: &Shared,
    family: &Family,
    ended: &Receiver<()>,
) {
    while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let taken = family.memory(process, most);
        if taken > most {
            let (taken, most) = (readable(taken), readable(most));
            shared.end(&format!("its processes took {taken}, more than --executor-memory {most}"));
        }
    }
}

/// Waits for the end of a process; it is not reaped by this.
#[cfg(unix)]
fn wait_for_end(process: u32) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let Some(process) = super::shared::pid(process) else { return };
    while matches!(waitid(WaitId::Pid(process), options), Err(rustix::io::Errno::INTR)) {}
}

#[cfg(not(unix))]
fn wait_for_end(_: u32) {}
