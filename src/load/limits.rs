//! The limits of one test: users, duration and tasks. They are checked where a test is parsed,
//! before any of it starts, and a refusal names the command-line option that raises the limit.

use crate::value::{Invalid, Reader};

/// The most virtual users that a limit may allow. A user costs memory and a socket.
pub const MOST_USERS: u64 = 1_000_000;

/// The longest test that a limit may allow, in seconds: thirty days.
pub const MOST_SECONDS: f64 = 30.0 * 24.0 * 3600.0;

/// The most tasks that a limit may allow. More than a request of 1 MiB holds.
pub const MOST_TASKS: usize = 1_000_000;

/// The longest text that placeholders make, in bytes: that of a request's body.
pub const MAX_TEXT: usize = 64 * 1024 * 1024;

/// The limits of one test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestLimits {
    /// Concurrent virtual users.
    pub users: u64,
    /// Seconds from the first user to the end. A test without a duration ends here.
    pub seconds: f64,
    /// Tasks.
    pub tasks: usize,
}

impl Default for TestLimits {
    /// Far beyond any honest test, so that they only catch mistakes and malice: one address has
    /// 65,535 ports for a target, and a machine usually 20,000 file descriptors; soak tests last a
    /// weekend; a browser recording has a few hundred tasks.
    fn default() -> Self {
        Self { users: 100_000, seconds: 7.0 * 24.0 * 3600.0, tasks: 10_000 }
    }
}

impl TestLimits {
    /// Parses a number of users.
    pub fn users(&self, field: &Reader<'_>) -> Result<u64, Invalid> {
        let users = field.integer(0)?;
        if users > self.users {
            let most = self.users;
            return Err(field.invalid(format!("{users} users exceed --max-users {most}")));
        }
        Ok(users)
    }

    /// Parses the length of a test, in seconds.
    pub fn length(&self, field: &Reader<'_>) -> Result<f64, Invalid> {
        self.later(0.0, field)
    }

    /// Parses the length of a part that begins `from` seconds after the start, and returns its end.
    pub fn later(&self, from: f64, field: &Reader<'_>) -> Result<f64, Invalid> {
        let until = from + field.number()?;
        if until > self.seconds {
            let (readable, most) = (readable(until), self.seconds);
            let sum = if from > 0.0 { " in all" } else { "" };
            return Err(field.invalid(format!("{readable} s{sum} exceed --max-test-time {most}")));
        }
        Ok(until)
    }

    /// Checks what a whole test asks for, defaults included; `place` names it in errors.
    pub fn test(&self, users: usize, seconds: f64, place: &str) -> Result<(), Invalid> {
        let (most_users, most_seconds) = (self.users, self.seconds);
        let message = if users as u64 > most_users {
            format!("the default of {users} users exceeds --max-users {most_users}")
        } else if seconds > most_seconds {
            format!("the default of {seconds} s exceeds --max-test-time {most_seconds}")
        } else {
            return Ok(());
        };
        Err(Invalid { pointer: place.to_owned(), message })
    }

    /// Checks a number of tasks, at the place of their list.
    pub fn tasks(&self, count: usize, list: &Reader<'_>) -> Result<(), Invalid> {
        if count > self.tasks {
            let most = self.tasks;
            return Err(list.invalid(format!("{count} tasks exceed --max-tasks {most}")));
        }
        Ok(())
    }
}

/// A number that stays readable at any size.
fn readable(seconds: f64) -> String {
    if seconds < 1e15 { seconds.to_string() } else { format!("{seconds:e}") }
}
