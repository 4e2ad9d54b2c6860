//! When a wait for the other side is to be mentioned again: a cluster that comes together at once needs no
//! words.

use std::time::Duration;

use tokio::time::Instant;

/// The first time.
const FIRST: Duration = Duration::from_secs(1);

/// From one time to the next.
const EVERY: Duration = Duration::from_secs(30);

/// When a wait is mentioned.
#[derive(Debug)]
pub(super) struct Reminder {
    next: Instant,
}

impl Reminder {
    /// The wait begins.
    pub(super) fn new() -> Self {
        Self { next: Instant::now() + FIRST }
    }

    /// Whether it is time.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now >= self.next;
        if due {
            self.next = now + EVERY;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_mentioned_after_a_second_and_every_thirty_seconds_from_then_on() {
        let mut reminder = Reminder::new();
        let mut mentioned = Vec::new();
        for second in 0..65 {
            if reminder.is_due() {
                mentioned.push(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(mentioned, [1, 31, 61]);
    }
}
