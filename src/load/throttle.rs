//! `throttle`: a rate that all users with the same key share, across workers. The generic cell rate
//! algorithm: one number says when the next request would conform, and a compare-and-swap advances
//! it, so nothing waits for a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A shared rate.
#[derive(Debug)]
pub struct Throttle {
    /// Nanoseconds between two requests at the full rate.
    interval: u64,
    /// Nanoseconds by which a burst may exceed the rate.
    tolerance: u64,
    /// When the next request conforms, in nanoseconds from the start of the run.
    next: AtomicU64,
}

impl Throttle {
    /// `rps` requests per second; up to `burst` may start immediately.
    pub fn new(rps: f64, burst: u64) -> Self {
        let interval = (1e9 / rps).max(1.0) as u64;
        let tolerance = interval.saturating_mul(burst.saturating_sub(1));
        Self { interval, tolerance, next: AtomicU64::new(0) }
    }

    /// Books the next request, and returns how long after `now` it may start.
    pub fn book(&self, now: Duration) -> Duration {
        let now = now.as_nanos() as u64;
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let from = next.max(now);
            let after = from.saturating_add(self.interval);
            match self.next.compare_exchange_weak(next, after, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => {
                    let start = from.saturating_sub(self.tolerance);
                    return Duration::from_nanos(start.saturating_sub(now));
                }
                Err(moved) => next = moved,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_starts_immediately_and_the_rest_at_the_rate() {
        let throttle = Throttle::new(10.0, 3);
        let waits: Vec<u128> = (0..6).map(|_| throttle.book(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        assert_eq!(throttle.book(Duration::from_secs(9)), Duration::ZERO);
    }
}
