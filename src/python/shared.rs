//! What the threads of a child share with those that wait for its responses.

use std::collections::HashMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, OnceLock};

use super::wire::Answer;
use crate::lock::lock;
use crate::redact;

/// The process, and those who wait.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) waiting: Mutex<Waiting>,
    /// Its process, until it is reaped.
    pub(super) process: Mutex<Option<u32>>,
    /// Why it is made to end; the first reason counts.
    pub(super) sentence: OnceLock<String>,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) by_id: HashMap<u64, SyncSender<Answer>>,
    /// Why it has ended, once it has.
    pub(super) ended: Option<String>,
}

impl Shared {
    pub(super) fn end(&self, why: &str) {
        let _ = self.sentence.set(why.to_owned());
        self.kill();
    }

    /// Ends the processes of its group.
    pub(super) fn kill(&self) {
        // Not reaped as long as the lock is held, so that its number is no other process's.
        if let Some(process) = *lock(&self.process) {
            kill_group(process);
        }
    }

    /// Hands a response on; waits where its receiver is slow.
    pub(super) fn hand_on(&self, id: u64, answer: Answer) {
        let last = answer.is_last();
        let mut waiting = lock(&self.waiting);
        let receiver = match last {
            true => waiting.by_id.remove(&id),
            false => waiting.by_id.get(&id).cloned(),
        };
        drop(waiting);
        if let Some(receiver) = receiver {
            let _ = receiver.send(answer);
        }
    }

    /// Ends all calls with a reason, unless it has been made to end for another.
    pub(super) fn conclude(&self, why: String) {
        let why = redact::owned(self.sentence.get().cloned().unwrap_or(why));
        let mut waiting = lock(&self.waiting);
        waiting.ended.get_or_insert(why);
        waiting.by_id.clear();
    }
}

#[cfg(unix)]
pub(super) fn pid(process: u32) -> Option<rustix::process::Pid> {
    i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw)
}

#[cfg(unix)]
fn kill_group(process: u32) {
    if let Some(pid) = pid(process) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_: u32) {}
