//! Warnings about the limits of the machine that runs a test: requests that failed because of them
//! are not failures of the target, and are recognized by their error text.

use std::fmt;
use std::time::Duration;

use tokio::time::sleep;

use crate::net::OwnLimit;
use crate::record::Recording;

/// The error of a request that this machine could not make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnError(pub(crate) OwnLimit);

impl fmt::Display for OwnError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ldctl's own limit: {}", self.0)
    }
}

/// The first pause after this machine has exhausted a resource, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Keeps a user from repeatedly requesting a resource that this machine has exhausted.
#[derive(Debug, Default)]
pub(crate) struct BackOff(Duration);

impl BackOff {
    /// Waits, longer each time until [`BackOff::reset`].
    pub(crate) async fn wait(&mut self) {
        self.0 = (self.0 * 2).clamp(PAUSES.0, PAUSES.1);
        sleep(self.0).await;
    }

    /// The resource is available again: the next wait is the shortest.
    pub(crate) fn reset(&mut self) {
        self.0 = Duration::ZERO;
    }
}

/// Returns a warning for each limit that a run hit, with the number of requests and the remedy.
pub fn own_limits(recording: &Recording) -> Vec<String> {
    let total = recording.requests();
    let warn = |limit: OwnLimit| {
        let count = recording.count_errors(&OwnError(limit).to_string());
        (count > 0).then(|| {
            format!(
                "{count} of {total} requests failed on this side and not at the target: {limit}; {}",
                limit.remedy()
            )
        })
    };
    OwnLimit::ALL.into_iter().filter_map(warn).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::record::fixture::recorder;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_second_and_begin_anew_once_the_resource_is_available() {
        let mut back_off = BackOff::default();
        let mut pauses = Vec::new();
        for round in 0..8 {
            if round == 6 {
                back_off.reset();
            }
            let start = tokio::time::Instant::now();
            back_off.wait().await;
            pauses.push(start.elapsed().as_millis());
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 50, 100]);
    }

    #[test]
    fn requests_that_failed_on_this_machine_are_counted_separately() {
        let (ports, files) = (OwnError(OwnLimit::Ports), OwnError(OwnLimit::Descriptors));
        let (ports, files) = (ports.to_string(), files.to_string());
        let part = |errors: &[Option<&str>]| {
            let rows: Vec<_> =
                errors.iter().map(|error| ("GET", "u", "n", 0, 1.0, 0, *error)).collect();
            recorder(&rows)
        };
        let parts =
            vec![part(&[Some(&files), Some("connection refused"), None]), part(&[Some(&files)])];
        let warnings = own_limits(&Recording::new(SystemTime::now(), parts));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let begin = "2 of 4 requests failed on this side and not at the target: no file \
                     descriptors left in this process; ";
        assert!(warnings[0].starts_with(begin), "{warnings:?}");
        let both = vec![part(&[Some(&files), Some(&ports)])];
        assert_eq!(own_limits(&Recording::new(SystemTime::now(), both)).len(), 2);
    }
}
