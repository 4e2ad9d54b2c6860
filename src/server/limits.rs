//! What a server allows ([`Limits`]), and the bytes of requests that it holds for clients it does not
//! know yet ([`Budget`]).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What a server allows. The defaults suit a host that other people use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; more are told `busy` and closed.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a whole request may take to arrive, from the connection or the handshake on.
    pub request: Duration,
    /// How long a legacy client may pause within a request. Legacy text has no length, so that a
    /// pause after an unfinished document is its end.
    pub idle_timeout: Duration,
    /// The same under TLS, where it is shorter: a legacy request fits one record, and TLS hands
    /// records over whole, so only a client that writes in pieces pauses at all.
    pub idle_timeout_tls: Duration,
    /// Bytes of memory for requests that are still arriving, over all connections.
    pub request_bytes: usize,
    /// Bytes of a reply that wait for a client that reads slowly.
    pub reply_queue: usize,
    /// Bytes of one reply in the text dialect, which is gathered until the document has ended.
    pub reply_bytes: usize,
    /// How long a run waits for a client that does not read before it drops the reply.
    pub stall_timeout: Duration,
    /// How long one piece of a reply may take to be sent.
    pub write: Duration,
    /// How long a closing server waits for what it does to end.
    pub shutdown: Duration,
    /// Wrong tokens from one source before its answers are delayed.
    pub free_failed_logins: u32,
    /// Wrong tokens from one source before it is refused altogether, unless it is this machine.
    pub max_failed_logins: u32,
    /// How long such a source is refused, and how long a wrong token is remembered.
    pub failed_login_memory: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What 20,000 descriptors, a usual limit, leave.
            connections: 19_900,
            handshake: Duration::from_secs(5),
            request: Duration::from_secs(10),
            idle_timeout: Duration::from_millis(750),
            idle_timeout_tls: Duration::from_millis(150),
            request_bytes: 64 << 20,
            reply_queue: 1 << 20,
            reply_bytes: 64 << 20,
            stall_timeout: Duration::from_secs(1),
            write: Duration::from_secs(10),
            shutdown: Duration::from_secs(10),
            free_failed_logins: 10,
            max_failed_logins: 100,
            failed_login_memory: Duration::from_secs(300),
        }
    }
}

/// Memory that no connection needs to ask for, in bytes: small requests get through even while the
/// budget is spent.
pub(super) const FREE: usize = 4096;

/// The bytes that may still be held.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// One connection's part of the budget.
#[derive(Debug, Default)]
pub(super) struct BudgetShare {
    bytes: usize,
}

impl BudgetShare {
    /// Grows to what is held beyond [`FREE`]; false when the budget is spent.
    pub(super) fn grow(&mut self, held: usize, budget: &Budget) -> bool {
        let more = held.saturating_sub(FREE).saturating_sub(self.bytes);
        if more > 0 && !budget.take(more) {
            return false;
        }
        self.bytes += more;
        true
    }

    /// Gives everything back.
    pub(super) fn release(&mut self, budget: &Budget) {
        budget.give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_pass_a_spent_budget_and_what_is_released_is_there_again() {
        let budget = Budget::new(10_000);
        let (mut large, mut other) = (BudgetShare::default(), BudgetShare::default());
        assert!(large.grow(FREE + 9_000, &budget));
        assert!(!other.grow(FREE + 2_000, &budget));
        assert!(other.grow(FREE, &budget));
        large.release(&budget);
        assert!(other.grow(FREE + 2_000, &budget));
    }
}
