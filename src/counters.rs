//! What a server counts while it serves. The server counts, whoever answers for it reads: a ping's
//! answer, an exporter. It stands apart, because neither knows the other.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What happened since the server started. Everything only grows.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections that were accepted.
    pub connections: AtomicU64,
    /// Connections over the limit, told `busy`.
    pub refused: AtomicU64,
    /// Requests with a wrong token.
    pub auth_failures: AtomicU64,
    /// Handshakes and requests that timed out.
    pub timeouts: AtomicU64,
    /// Requests given up because of the budget for request bytes, and replies dropped because the
    /// client did not read.
    pub shed: AtomicU64,
    /// Panics in a connection, a run or an action; each was contained.
    pub panics: AtomicU64,
}

impl Counters {
    /// Counts one more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them now. They are read one after the other: a connection that is accepted meanwhile
    /// may be in one and not yet in another.
    pub fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: read(&self.connections),
            refused: read(&self.refused),
            auth_failures: read(&self.auth_failures),
            timeouts: read(&self.timeouts),
            shed: read(&self.shed),
            panics: read(&self.panics),
        }
    }
}

/// [`Counters`] at one moment, as a ping's answer tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections over the limit, told `busy`.
    pub refused: u64,
    /// Requests with a wrong token.
    pub auth_failures: u64,
    /// Handshakes and requests that timed out.
    pub timeouts: u64,
    /// Requests given up for want of memory, and replies dropped because the client did not read.
    pub shed: u64,
    /// Panics that were contained.
    pub panics: u64,
}
