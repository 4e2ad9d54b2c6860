//! Makes the probes of a search and judges them. A load that was not made as asked does not hold: its
//! figures would be those of a smaller one.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use super::arguments::{FindBreakingPoint, Varied, seconds};
use super::kept::Kept;
use crate::action::command::{Command, FIND_BREAKING_POINT};
use crate::action::commands::start::{self, Figures, Measured, Unmeasured};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind, title};
use crate::load::Search;
use crate::protocol::own_limits;
use crate::record::gates::clearly_broken;
use crate::record::{ErrorCount, Gaps, Recording, Records, Summary};
use crate::run::Lease;
use crate::value::{Reader, Value};

/// The share of a load that may be missing.
const MISSING: f64 = 0.01;

/// What is said where the largest load holds.
const BOUNDED: &str = "the largest load of the search holds: raise \"high\" to find the limit";

/// How often a pause looks whether the search was stopped.
const LOOK: Duration = Duration::from_millis(50);

/// Warnings of probes that are repeated.
const MOST_WARNINGS: usize = 20;

/// One probe, judged.
#[derive(Debug, Clone, PartialEq)]
struct Probe {
    load: f64,
    /// Why it does not hold.
    broken: Option<String>,
    /// Whether its target has served no request at all.
    dead: bool,
    requests: u64,
    failures: u64,
    p95_ms: f64,
    /// Requests per second.
    rate: f64,
}

impl Probe {
    fn to_value(&self, varied: Varied) -> Value {
        Value::dict([
            ("load", amount(self.load, varied)),
            ("held", self.broken.is_none().into()),
            ("reason", self.broken.as_deref().unwrap_or_default().into()),
            ("requests", self.requests.into()),
            ("failures", self.failures.into()),
            ("p95_ms", self.p95_ms.into()),
            ("rate", self.rate.into()),
        ])
    }

    /// For those who watch.
    fn line(&self, number: usize, varied: Varied) -> String {
        let Self { load, broken, requests, p95_ms, .. } = self;
        let verdict = match broken {
            None => "holds".to_owned(),
            Some(reason) => format!("does not hold: {reason}"),
        };
        format!(
            "probe {number}: {load} {} {verdict} ({requests} requests, p95 {p95_ms:.1} ms)",
            varied.unit()
        )
    }
}

fn amount(load: f64, varied: Varied) -> Value {
    match varied {
        Varied::Rate => load.into(),
        Varied::Users => Value::from(load as u64),
    }
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Found,
    High,
    Low,
    MaxTime,
    Stopped,
}

impl Ended {
    fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::High => "high",
            Self::Low => "low",
            Self::MaxTime => "max_time",
            Self::Stopped => "stopped",
        }
    }
}

/// The record of a probe that held, and its figures.
type Held = (Records, Figures);

/// What is known so far.
struct Known<'a> {
    command: &'a FindBreakingPoint,
    search: Search,
    probes: Vec<Probe>,
    kept: Kept<Held>,
    /// What the requests of all probes lacked.
    gaps: Gaps,
    warnings: Vec<String>,
    since: Instant,
}

impl Command for FindBreakingPoint {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let step = seconds(self.load.step_time);
        let mut lease = context.claim_run(FIND_BREAKING_POINT, Some(step))?;
        context.make_room(0);
        let mut known = Known {
            search: Search::new(self.bounds),
            command: &self,
            probes: Vec::new(),
            kept: Kept::default(),
            gaps: Gaps::default(),
            warnings: Vec::new(),
            since: Instant::now(),
        };
        let ended = known.search(context, &mut lease);
        drop(lease);
        // What ended it early does not take away what is known.
        known.conclude(ended, context)
    }
}

impl Known<'_> {
    fn search(
        &mut self,
        context: &mut Context<'_>,
        lease: &mut Lease<'_>,
    ) -> Result<Ended, Failure> {
        let FindBreakingPoint { load, settle, max_time, .. } = self.command;
        let step = seconds(load.step_time);
        while let Some(amount) = self.search.next() {
            let number = self.probes.len() + 1;
            let pause = if number == 1 { Duration::ZERO } else { *settle };
            // There is always time for the first one.
            if number > 1 && self.since.elapsed() + pause + step > *max_time {
                return Ok(Ended::MaxTime);
            }
            if !wait(pause, context) {
                return Ok(Ended::Stopped);
            }
            let name = format!("{FIND_BREAKING_POINT}: probe {number} at {amount}");
            lease.next(name, Some(step), number);
            let Some((probe, held)) = self.probe(amount, context, lease)? else {
                return Ok(Ended::Stopped);
            };
            if context.detail() > 0 {
                context.show(vec![probe.line(number, load.varied)]);
            }
            self.search.note(amount, probe.broken.is_none());
            self.kept.note(&self.search, amount, held);
            self.probes.push(probe);
        }
        Ok(match (self.search.held_at(), self.search.failed_at()) {
            (None, _) => Ended::Low,
            (Some(_), None) => Ended::High,
            (Some(_), Some(_)) => Ended::Found,
        })
    }

    /// Makes a load and judges it; returns its record too, if it holds. `None` if it was stopped.
    fn probe(
        &mut self,
        amount: f64,
        context: &mut Context<'_>,
        lease: &Lease<'_>,
    ) -> Result<Option<(Probe, Option<Held>)>, Failure> {
        let FindBreakingPoint { load, gate, limits, test, .. } = self.command;
        let mut test = load.test(&Reader::at(test, "/test"), amount, *limits).map_err(invalid)?;
        if self.probes.is_empty() {
            test.register(context)?;
        }
        let (warm_up, mut early) = (seconds(load.warm_up), false);
        lease.test().live().open_window(warm_up);
        let measured = test.measure(context, lease, &mut |progress| {
            let broken = clearly_broken(gate, progress.live.window()?)?;
            early = true;
            Some(format!("ended early: {broken}"))
        });
        let measured = match measured {
            Ok(measured) => measured,
            Err(Unmeasured::TooManyUsers(why)) => {
                let (load, broken, dead) = (amount, Some(why.to_string()), false);
                let (requests, failures, p95_ms, rate) = (0, 0, 0.0, 0.0);
                let probe = Probe { load, broken, dead, requests, failures, p95_ms, rate };
                return Ok(Some((probe, None)));
            }
            Err(Unmeasured::Failed(failure)) => return Err(failure),
        };
        if measured.cancelled {
            return Ok(None);
        }
        if let Some(reason) = measured.exhausted {
            return Err(Failure::new(FailureKind::Refused, reason));
        }
        let summary = measured.recording.summary_since(warm_up);
        let judged = summary.iterations.span.saturating_sub(warm_up).as_secs_f64();
        let gates = self.broken_gates(&summary);
        // Where the last requests have mended the figure for which it ended, that is no reason.
        let aborted = measured.aborted.as_ref().filter(|_| !early || gates.is_some());
        let dead = no_success(&measured.recording, &summary);
        let is_dead = dead.is_some();
        let broken = dead
            .or_else(|| aborted.cloned())
            .or_else(|| self.not_made(&measured, &summary))
            .or(gates);
        self.gaps.add(&measured.recording.gaps);
        self.warn(amount, &measured);
        let probe = Probe {
            load: amount,
            dead: is_dead,
            requests: summary.requests,
            failures: summary.failures,
            p95_ms: summary.overall.p95_ms,
            rate: if judged > 0.0 { summary.requests as f64 / judged } else { 0.0 },
            broken,
        };
        let held = probe.broken.is_none().then(|| {
            let figures = measured.figures(lease);
            (Records::of(measured.recording.into()), figures)
        });
        Ok(Some((probe, held)))
    }

    /// Why a load does not hold, whatever its gate says.
    fn not_made(&self, measured: &Measured, summary: &Summary) -> Option<String> {
        let load = self.command.load;
        if let Some(limit) = own_limits(&measured.recording).into_iter().next() {
            return Some(format!("the load was not made: {limit}"));
        }
        let made = summary.iterations;
        // The last one of a probe may be late by chance.
        if made.dropped > 1 && made.dropped_share() > MISSING {
            let why = match made.starting {
                0 => "all users were busy".to_owned(),
                left => format!("{left} users had not ended on_start, for which arrivals wait"),
            };
            return Some(format!(
                "the load was not made: {} of {} iterations never started, because {why}",
                made.dropped, made.planned
            ));
        }
        if load.varied == Varied::Users && made.started == 0 {
            return Some("the load was not made: no iteration started".to_owned());
        }
        if summary.requests == summary.failures {
            return Some(match summary.requests {
                0 => "no request was made after the warm-up".to_owned(),
                all => format!("none of {all} requests succeeded"),
            });
        }
        let waiting = summary.interrupted;
        if waiting as f64 > summary.requests as f64 * MISSING {
            return Some(format!("{waiting} requests had no response when the probe ended"));
        }
        None
    }

    /// Why the gate does not hold.
    fn broken_gates(&self, summary: &Summary) -> Option<String> {
        let verdicts = self.command.gate.iter().map(|rule| rule.judge(summary));
        let reasons = verdicts.filter(|verdict| !verdict.passed).map(|verdict| verdict.reason);
        let reasons: Vec<String> = reasons.collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Notes what a probe warns about, unless that is why it does not hold.
    fn warn(&mut self, amount: f64, measured: &Measured) {
        let told = ["planned iterations never started", "had no response", "ended early"];
        // What passes before the warm-up ends is not judged.
        let is_before = measured.recording.iterations.waited <= seconds(self.command.load.warm_up);
        let on_start = is_before.then_some("had ended on_start");
        for warning in &measured.recording.warnings {
            let is_told = told.iter().chain(&on_start).any(|told| warning.contains(told));
            if !is_told && self.warnings.len() < MOST_WARNINGS {
                let unit = self.command.load.varied.unit();
                self.warnings.push(format!("at {amount} {unit}: {warning}"));
            }
        }
    }

    fn conclude(
        self,
        ended: Result<Ended, Failure>,
        context: &mut Context<'_>,
    ) -> Result<Value, Failure> {
        let varied = self.command.load.varied;
        let (held, failed) = (self.search.held_at(), self.search.failed_at());
        let name = ended.as_ref().copied().unwrap_or(Ended::Stopped);
        let end = |load: Option<f64>| load.map_or(Value::Null, |load| amount(load, varied));
        let probes = self.probes.iter().map(|probe| probe.to_value(varied));
        let value = Value::dict([
            ("value", end(held)),
            ("unit", varied.unit().into()),
            ("held_at", end(held)),
            ("failed_at", end(failed)),
            ("probes", Value::List(probes.collect())),
            ("seconds", self.since.elapsed().as_secs_f64().into()),
            ("bounded", matches!(name, Ended::High | Ended::Low).into()),
            ("ended", name.name().into()),
            ("unresolved", self.gaps.to_value()),
        ]);
        let so_far = self.so_far(held, failed);
        let mut warnings = self.warnings;
        match held.and_then(|load| self.kept.at(load)) {
            Some((records, figures)) => {
                start::keep(context, &records, figures);
            }
            None if held.is_some() => {
                warnings.push("the records of this load were not kept: probe it again".to_owned());
            }
            None => {}
        }
        let failure = match (ended, held) {
            (Err(failure), _) => {
                Failure::new(failure.kind, format!("{}; {so_far}", failure.message))
            }
            (Ok(Ended::Stopped), _) => {
                Failure::new(FailureKind::Cancelled, format!("stopped; {so_far}"))
            }
            (Ok(Ended::MaxTime), None) => {
                Failure::new(FailureKind::Gate, format!("max_time ended the search; {so_far}"))
            }
            (Ok(_), None) => Failure::new(FailureKind::Gate, so_far),
            (Ok(ended), Some(_)) => {
                let remark = match ended {
                    Ended::MaxTime => Some(format!("max_time ended the search; {so_far}")),
                    Ended::High => Some(BOUNDED.to_owned()),
                    Ended::Found | Ended::Low | Ended::Stopped => None,
                };
                context.warn(remark.into_iter().chain(warnings).collect());
                return Ok(value);
            }
        };
        context.warn(warnings);
        context.explain(value);
        Err(failure)
    }

    /// The ends of the gap in words.
    fn so_far(&self, held: Option<f64>, failed: Option<f64>) -> String {
        let unit = self.command.load.varied.unit();
        let why = |load: f64| {
            let probe = self.probes.iter().rev().find(|probe| probe.load == load);
            let reason = probe.and_then(|probe| probe.broken.as_deref());
            reason.map_or_else(String::new, |reason| format!(" ({reason})"))
        };
        match (held, failed) {
            (None, None) => "nothing is known yet".to_owned(),
            (Some(held), None) => format!("{held} {unit} held"),
            (Some(held), Some(failed)) => {
                format!("{held} {unit} held, {failed} did not{}", why(failed))
            }
            (None, Some(failed)) => {
                let is_dead = self.probes.iter().all(|probe| probe.dead);
                let advice = if is_dead { "check the target" } else { "lower \"low\"" };
                format!("even {failed} {unit} did not hold{}; {advice}", why(failed))
            }
        }
    }
}

/// What is said of a probe in which the target has served no request, not even in the warm-up; nothing
/// where that is the fault of this machine.
fn no_success(recording: &Recording, judged: &Summary) -> Option<String> {
    let errors = recording.errors(1);
    let failed = errors.requests();
    if judged.requests != judged.failures
        || failed != recording.requests()
        || !own_limits(recording).is_empty()
    {
        return None;
    }
    let waiting = recording.interrupted();
    match errors.kinds.first() {
        Some(ErrorCount { count, method, name, error, .. }) => {
            Some(format!("no request succeeded: {count} × {}: {error}", title(method, name)))
        }
        None if waiting > 0 => {
            Some(format!("no request succeeded: {waiting} had no response when the probe ended"))
        }
        None => None,
    }
}

fn invalid(why: impl Display) -> Failure {
    Failure::new(FailureKind::InvalidArgument, format!("{FIND_BREAKING_POINT}: {why}"))
}

/// Waits; returns whether the search was not stopped.
fn wait(pause: Duration, context: &Context<'_>) -> bool {
    let since = Instant::now();
    while !context.cancel().is_cancelled() {
        match pause.checked_sub(since.elapsed()) {
            None | Some(Duration::ZERO) => return true,
            Some(left) => thread::sleep(left.min(LOOK)),
        }
    }
    false
}
