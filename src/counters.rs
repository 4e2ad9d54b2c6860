//! The counters of a server. The server increments them; a ping's reply and an exporter read them.
//! They are a module of their own because those do not depend on each other.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Events since the server started. Counters only grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Accepted connections.
    pub connections: AtomicU64,
    /// Connections over the limit, which got a `busy` reply.
    pub refused: AtomicU64,
    /// Failed authentications.
    pub auth_failures: AtomicU64,
    /// Handshakes and requests that timed out.
    pub timeouts: AtomicU64,
    /// Requests dropped because of the budget for request bytes, and replies dropped because the
    /// client did not read.
    pub shed: AtomicU64,
    /// Panics in a connection, a run or an action; each was contained.
    pub panics: AtomicU64,
}

impl Counters {
    /// Increments a counter.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads all counters. They are read one after the other: a connection accepted in between may
    /// be in one and not yet in another.
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

/// [`Counters`] at one moment, as in a ping's reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Accepted connections.
    pub connections: u64,
    /// Connections over the limit, which got a `busy` reply.
    pub refused: u64,
    /// Failed authentications.
    pub auth_failures: u64,
    /// Handshakes and requests that timed out.
    pub timeouts: u64,
    /// Requests dropped for lack of memory, and replies dropped because the client did not read.
    pub shed: u64,
    /// Panics that were contained.
    pub panics: u64,
}
