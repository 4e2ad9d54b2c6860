//! Locks that stay usable after a panic, and waiting for a thread with a deadline.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a thread is looked at that should end: the standard library has no wait with a
/// deadline.
const LOOK: Duration = Duration::from_millis(2);

/// A poisoned lock still holds a consistent value: nothing panics between two related writes.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the end of a thread, which has reported its own panic, at most until a deadline;
/// returns whether it has ended. If not, it is left behind.
pub(crate) fn join_until(thread: &mut Option<JoinHandle<()>>, deadline: Instant) -> bool {
    let Some(thread) = thread.take() else { return true };
    while !thread.is_finished() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        thread::sleep(left.min(LOOK));
    }
    true
}
