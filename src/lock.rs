//! Locks that a panic cannot take away from the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A poisoned lock still holds whole values: nothing panics between two related writes.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
