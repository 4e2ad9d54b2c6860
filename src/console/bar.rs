//! The progress bar on stderr during a test: a bar if the duration is known, otherwise a spinner.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::event::Progress;

/// A bar's steps per second of the test.
const STEPS: f64 = 10.0;

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(200);

/// At most one bar, that of the running test.
#[derive(Default)]
pub(super) struct Bar {
    shown: Option<ProgressBar>,
}

impl Bar {
    /// Shows the progress of a test.
    pub(super) fn show(&mut self, progress: &Progress) {
        let bar = self.shown.get_or_insert_with(|| {
            let bar = match progress.remaining_s {
                Some(left) => ProgressBar::new(steps(progress.elapsed_s + left))
                    .with_style(style("{prefix:>6} {bar:24} {percent:>3}%  {msg}")),
                None => ProgressBar::new_spinner().with_style(style("{prefix:>6} {spinner} {msg}")),
            };
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_position(steps(progress.elapsed_s));
        bar.set_prefix(format!("{:.0} s", progress.elapsed_s));
        bar.set_message(figures(progress));
    }

    /// Removes the bar.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

fn steps(seconds: f64) -> u64 {
    (seconds * STEPS) as u64
}

/// An invalid template would result in indicatif's default; the test below parses them.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn figures(progress: &Progress) -> String {
    let Progress { users, requests, failures, rps, p50_ms, p95_ms, .. } = progress;
    format!(
        "{users} users  {requests} requests  {failures} failed  {rps:.0}/s  \
         p50 {p50_ms:.1} ms  p95 {p95_ms:.1} ms"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_fit_one_line() {
        let progress = Progress {
            users: 50,
            requests: 1234,
            failures: 2,
            rps: 411.3,
            p50_ms: 1.26,
            p95_ms: 3.0,
            ..Progress::default()
        };
        assert_eq!(
            figures(&progress),
            "50 users  1234 requests  2 failed  411/s  p50 1.3 ms  p95 3.0 ms"
        );
    }

    #[test]
    fn a_test_of_known_duration_has_a_bar_of_that_length() {
        let mut bar = Bar::default();
        let remaining_s = Some(1.0);
        bar.show(&Progress { elapsed_s: 1.0, remaining_s, ..Progress::default() });
        let shown = bar.shown.as_ref().expect("a bar");
        assert_eq!((shown.position(), shown.length()), (10, Some(20)));
    }
}
