//! The last line: how a document ended, in words that agree with the exit code.

use crate::console::figures::{counted, percent};
use crate::console::style::Role;
use crate::error::Exit;
use crate::record::Gaps;

/// The share of the planned iterations from which it is said that they were not made.
const NOT_MADE: f64 = 0.01;

/// What a document has shown so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tally {
    /// Tests with figures.
    pub(super) tests: u64,
    /// Those that searched for a load.
    pub(super) searches: u64,
    /// Their requests.
    pub(super) requests: u64,
    /// Those that failed.
    pub(super) failures: u64,
    /// Iterations that were planned.
    pub(super) planned: u64,
    /// Those that were planned and not made.
    pub(super) dropped: u64,
    /// What their requests lacked.
    pub(super) gaps: Gaps,
    /// Whether a gate has judged them.
    pub(super) unresolved_judged: bool,
    /// Gates that decide.
    pub(super) gates: u64,
    /// Those that do not hold.
    pub(super) broken: u64,
    /// Gates that were only evaluated and do not hold.
    pub(super) remarked: u64,
    /// Whether a test had no success.
    pub(super) no_success: bool,
    /// Actions that failed for other reasons.
    pub(super) failed: u64,
    /// Reports of the command line that were not written.
    pub(super) reports: u64,
    /// Why the run was stopped, if it was.
    pub(super) stopped: Option<String>,
}

impl Tally {
    /// The words, and whether they are good ones.
    pub(super) fn verdict(&self, exit: Exit) -> (Role, String) {
        let (role, words) = self.ended(exit);
        match (&self.stopped, exit) {
            (None, _) | (_, Exit::Interrupted | Exit::Busy) => (role, words),
            (Some(why), Exit::Done) if self.tests > 0 => {
                (Role::Warn, format!("{why}: the figures are partial"))
            }
            (Some(why), Exit::Done) => (Role::Warn, why.clone()),
            (Some(why), _) => (role, format!("{words}; {why}")),
        }
    }

    fn ended(&self, exit: Exit) -> (Role, String) {
        match exit {
            Exit::Done => self.success(),
            Exit::Interrupted if self.tests > 0 => {
                (Role::Bad, "interrupted: the figures are partial".to_owned())
            }
            Exit::Interrupted => (Role::Bad, "interrupted".to_owned()),
            Exit::Busy => (Role::Bad, "not run: another test is running".to_owned()),
            _ => (Role::Bad, format!("failed: {}", self.failure())),
        }
    }

    fn failure(&self) -> String {
        let mut reasons = Vec::new();
        if self.broken > 0 {
            let verb = if self.broken == 1 { "does" } else { "do" };
            reasons.push(format!(
                "{} of {} {verb} not hold",
                self.broken,
                counted(self.gates, "gate")
            ));
        }
        if self.no_success {
            reasons.push("no request succeeded".to_owned());
        } else if self.failures > 0 {
            reasons.push(self.failed_requests());
        }
        if self.reports > 0 {
            let verb = if self.reports == 1 { "was" } else { "were" };
            reasons.push(format!("{} {verb} not written", counted(self.reports, "report")));
        }
        if self.failed > 0 || reasons.is_empty() {
            let actions = counted(self.failed.max(1), "action");
            reasons.push(format!("{actions} failed"));
        }
        reasons.join(", ")
    }

    fn success(&self) -> (Role, String) {
        let not_made = self.dropped as f64 / self.planned.max(1) as f64;
        let mut words = match self.gates {
            0 if self.tests == self.searches || self.failures > 0 => "done".to_owned(),
            0 => "passed: no request failed".to_owned(),
            1 => "passed: the gate holds".to_owned(),
            gates => format!("passed: all {gates} gates hold"),
        };
        let mut remarks = Vec::new();
        match (self.failures, self.gates) {
            (0, _) => {}
            (_, 0) => remarks.push(self.failed_requests()),
            // The gates have judged them.
            (..) => words.push_str(&format!("; {}", self.failed_requests())),
        }
        remarks.extend(self.gaps.remark().filter(|_| !self.unresolved_judged));
        if self.remarked > 0 {
            let verb = if self.remarked == 1 { "does" } else { "do" };
            remarks.push(format!("{} {verb} not hold", counted(self.remarked, "evaluated gate")));
        }
        if not_made > NOT_MADE {
            let share = percent(not_made);
            remarks.push(format!("{share} % of the asked load was not made"));
        }
        if remarks.is_empty() {
            return (Role::Good, words);
        }
        (Role::Warn, format!("{words}, but {}", remarks.join(" and ")))
    }

    fn failed_requests(&self) -> String {
        let share = self.failures as f64 / self.requests.max(1) as f64;
        format!(
            "{} of {} failed ({} %)",
            self.failures,
            counted(self.requests, "request"),
            percent(share)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tally: Tally, exit: Exit, role: Role, words: &str) {
        assert_eq!(tally.verdict(exit), (role, words.to_owned()), "{tally:?}");
    }

    fn tally() -> Tally {
        Tally { tests: 1, requests: 1200, ..Tally::default() }
    }

    #[test]
    fn only_what_is_good_in_every_respect_is_green() {
        check(tally(), Exit::Done, Role::Good, "passed: no request failed");
        check(Tally { gates: 3, ..tally() }, Exit::Done, Role::Good, "passed: all 3 gates hold");
        check(Tally::default(), Exit::Done, Role::Good, "done");
        check(
            Tally { gates: 1, failures: 6, ..tally() },
            Exit::Done,
            Role::Good,
            "passed: the gate holds; 6 of 1200 requests failed (0.5 %)",
        );
    }

    #[test]
    fn failures_that_no_gate_judges_and_load_that_was_not_made_are_amber() {
        check(
            Tally { failures: 12, ..tally() },
            Exit::Done,
            Role::Warn,
            "done, but 12 of 1200 requests failed (1 %)",
        );
        check(
            Tally { planned: 800, dropped: 679, ..tally() },
            Exit::Done,
            Role::Warn,
            "passed: no request failed, but 84.9 % of the asked load was not made",
        );
        check(
            Tally { remarked: 1, ..tally() },
            Exit::Done,
            Role::Warn,
            "passed: no request failed, but 1 evaluated gate does not hold",
        );
    }

    #[test]
    fn requests_with_unresolved_placeholders_are_amber_unless_a_gate_has_judged_them() {
        let gaps = Gaps { requests: 400, placeholders: vec!["${item}".into()], extractions: 0 };
        let tally = Tally { gates: 3, gaps, ..tally() };
        check(
            tally.clone(),
            Exit::Done,
            Role::Warn,
            "passed: all 3 gates hold, but 400 requests were sent with ${item} unresolved",
        );
        let judged = Tally { unresolved_judged: true, ..tally };
        check(judged, Exit::Done, Role::Good, "passed: all 3 gates hold");
    }

    #[test]
    fn what_ends_with_another_code_than_0_is_red_and_has_its_reasons() {
        check(
            Tally { no_success: true, failures: 1200, ..tally() },
            Exit::ActionFailed,
            Role::Bad,
            "failed: no request succeeded",
        );
        check(
            Tally { gates: 2, broken: 1, failures: 600, failed: 1, ..tally() },
            Exit::ActionFailed,
            Role::Bad,
            "failed: 1 of 2 gates does not hold, 600 of 1200 requests failed (50 %), 1 action failed",
        );
        check(Tally::default(), Exit::ActionFailed, Role::Bad, "failed: 1 action failed");
        check(
            Tally { reports: 1, ..tally() },
            Exit::ActionFailed,
            Role::Bad,
            "failed: 1 report was not written",
        );
        check(
            Tally { reports: 2, failures: 12, failed: 1, ..tally() },
            Exit::ActionFailed,
            Role::Bad,
            "failed: 12 of 1200 requests failed (1 %), 2 reports were not written, 1 action failed",
        );
        check(tally(), Exit::Interrupted, Role::Bad, "interrupted: the figures are partial");
        check(Tally::default(), Exit::Busy, Role::Bad, "not run: another test is running");
    }

    #[test]
    fn no_tally_is_green_with_a_code_that_is_not_0() {
        for exit in [Exit::ActionFailed, Exit::Busy, Exit::Interrupted, Exit::Unreachable] {
            for tally in [Tally::default(), tally()] {
                assert_eq!(tally.verdict(exit).0, Role::Bad);
            }
        }
    }
}
