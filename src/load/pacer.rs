//! When an iteration starts. Closed model: a user waits after each iteration, so a slow target
//! slows the load. Open model: iterations start at a rate, whatever the target does, and latency
//! counts from the intended start, so that a stalled target is not hidden (coordinated omission).

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use super::limits::{MOST_SECONDS, TestLimits};
use crate::value::{Field, Invalid, Kind, Reader, Value};

/// The highest rate of an open model, in iterations per second.
const MAX_RATE: f64 = 10_000_000.0;

/// Later than the end of any test, in seconds.
const FAR: f64 = 2.0 * MOST_SECONDS;

/// The fields of a [`Wait`] in documents.
pub const WAIT: Kind =
    Kind::Named("wait", &Kind::Either(&[Kind::Seconds, Kind::Object(&[WAIT_RANGE])]));

const WAIT_RANGE: &[Field] = &[
    Field::optional("min", Kind::Seconds, "The shortest wait.").otherwise("0"),
    Field::optional("max", Kind::Seconds, "The longest wait.").otherwise("min"),
];

/// The fields of an open model in documents.
pub const ARRIVALS: &[Field] = &[
    Field::required("rate", Kind::Rate, "Iterations started per second, over all users."),
    Field::required(
        "max_users",
        Kind::Between(1, i64::MAX),
        "How many users share the arrivals, and so how many iterations run at once.",
    )
    .note(
        "An iteration that finds no free user starts late; one that never starts counts \
         as dropped.",
    ),
];

/// A duration, or a range to draw one from each time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wait {
    min: f64,
    max: f64,
}

impl Wait {
    /// LoadDensity's fixed wait between a user's iterations: 0.1 to 0.2 s.
    pub const DEFAULT: Self = Self { min: 0.1, max: 0.2 };

    /// Seconds, or `{"min": seconds, "max": seconds}`.
    pub fn parse(field: &Reader<'_>) -> Result<Self, Invalid> {
        let Value::Dict(_) = field.value() else {
            let seconds = seconds(field)?;
            return Ok(Self { min: seconds, max: seconds });
        };
        let mut fields = field.fields(WAIT_RANGE)?;
        let min = fields.present("min").map_or(Ok(0.0), |min| seconds(&min))?;
        let max = fields.present("max").map_or(Ok(min), |max| seconds(&max))?;
        fields.finish()?;
        if max < min {
            return Err(field.invalid(format!("max ({max}) is less than min ({min})")));
        }
        Ok(Self { min, max })
    }

    /// The shortest and the longest, in seconds.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.min, self.max)
    }

    /// Draws a duration; `None` when there is nothing to wait for.
    pub fn draw(&self, random: &mut fastrand::Rng) -> Option<Duration> {
        if self.max <= 0.0 {
            return None;
        }
        let seconds = self.min + (self.max - self.min) * random.f64();
        Some(Duration::from_secs_f64(seconds))
    }
}

/// Parses a wait in seconds, no longer than any test.
pub(crate) fn seconds(field: &Reader<'_>) -> Result<f64, Invalid> {
    let seconds = field.number()?;
    if seconds > MOST_SECONDS {
        return Err(
            field.invalid(format!("{seconds} s exceed the limit of {MOST_SECONDS} s (30 days)"))
        );
    }
    Ok(seconds)
}

/// When iterations start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pacing {
    /// A user's next iteration starts after a wait.
    Closed(Wait),
    /// Iterations start at a rate over all users.
    Open {
        /// Iterations per second.
        rate: f64,
    },
}

impl Pacing {
    /// Parses `arrival_rate`: the pacing and the number of users that share the arrivals.
    pub fn open(field: &Reader<'_>, limits: &TestLimits) -> Result<(Self, u64), Invalid> {
        let mut fields = field.fields(ARRIVALS)?;
        let place = fields.required("rate")?;
        let rate = place.positive()?;
        if rate > MAX_RATE {
            return Err(place.invalid(format!("{rate} per second exceeds the limit of {MAX_RATE}")));
        }
        let place = fields.required("max_users")?;
        place.integer(1)?;
        let users = limits.users(&place)?;
        fields.finish()?;
        Ok((Self::Open { rate }, users))
    }
}

/// One worker's share of an open model's arrivals. Arrival `k` of the whole test starts `k/rate` after
/// they begin, and belongs to worker `k % workers`, whose next free user takes it.
#[derive(Debug, Clone)]
pub struct Arrivals {
    rate: f64,
    number: usize,
    next: Cell<u64>,
    workers: usize,
    /// How many the whole test has.
    most: u64,
    /// When they begin, if not with the test.
    begun: OnceCell<Duration>,
}

impl Arrivals {
    /// The arrivals of worker number `worker` among `workers`, of `most` in all.
    pub fn new(rate: f64, worker: usize, workers: usize, most: Option<u64>) -> Self {
        let (next, workers) = (Cell::new(worker as u64), workers.max(1));
        let most = most.unwrap_or(u64::MAX);
        Self { rate, number: worker, next, workers, most, begun: OnceCell::new() }
    }

    /// Lets them begin so long after the start of the test, unless they have begun.
    pub(super) fn begin(&self, at: Duration) {
        self.begun.get_or_init(|| at);
    }

    /// Whether that was called.
    pub(super) fn have_begun(&self) -> bool {
        self.begun.get().is_some()
    }

    /// How many there are less in a test of this length than if they had begun with it. Where they
    /// have not begun before its end, none of them is left out: they never started.
    pub(super) fn omitted(&self, length: Duration) -> u64 {
        let planned = |time: Duration| {
            let all = (self.rate * time.as_secs_f64()) as u64;
            share(all.min(self.most), self.number, self.workers)
        };
        planned(length) - planned(length.saturating_sub(self.waited(length)))
    }

    /// How much of a test of this length passed before they began; nothing where they never did.
    pub(super) fn waited(&self, length: Duration) -> Duration {
        self.begun.get().copied().filter(|begun| *begun < length).unwrap_or_default()
    }

    /// Takes the next arrival: its intended start, counted from the start of the test. `None` after
    /// the last one.
    pub fn take(&self) -> Option<Duration> {
        let turn = self.next.get();
        if turn >= self.most {
            return None;
        }
        self.next.set(turn + self.workers as u64);
        let begun = self.begun.get().copied().unwrap_or_default();
        // At a very low rate it overflows a duration; no test lasts that long.
        Some(begun + Duration::from_secs_f64((turn as f64 / self.rate).min(FAR)))
    }
}

/// The share of one of `workers` in all iterations.
pub(super) fn share(all: u64, number: usize, workers: usize) -> u64 {
    let (number, workers) = (number as u64, workers.max(1) as u64);
    all / workers + u64::from(number < all % workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_the_arrivals_evenly() {
        let workers = [0, 1].map(|number| Arrivals::new(10.0, number, 2, Some(100)));
        let taken = |worker: &Arrivals| std::iter::from_fn(|| worker.take()).collect::<Vec<_>>();
        let mut starts = workers.iter().flat_map(taken).collect::<Vec<Duration>>();
        starts.sort();
        let even: Vec<Duration> = (0..100u32).map(|k| Duration::from_millis(100) * k).collect();
        assert_eq!(starts, even);
    }

    #[test]
    fn arrivals_that_begin_later_are_fewer_by_those_before() {
        for (at, omitted) in
            [(None, [0, 0]), (Some(0), [0, 0]), (Some(250), [1, 2]), (Some(2000), [0, 0])]
        {
            let workers = [0, 1].map(|number| Arrivals::new(10.0, number, 2, Some(100)));
            for (worker, omitted) in workers.iter().zip(omitted) {
                let at = at.map(Duration::from_millis);
                at.into_iter().for_each(|at| worker.begin(at));
                assert_eq!(worker.omitted(Duration::from_secs(1)), omitted, "{at:?}");
                let first = Duration::from_millis(100) * worker.number as u32;
                assert_eq!(worker.take(), Some(at.unwrap_or_default() + first));
            }
        }
    }

    #[test]
    fn an_arrival_that_overflows_a_duration_is_later_than_any_test() {
        let arrivals = Arrivals::new(f64::MIN_POSITIVE, 0, 1, None);
        assert_eq!(arrivals.take(), Some(Duration::ZERO));
        assert_eq!(arrivals.take(), Some(Duration::from_secs_f64(FAR)));
    }

    #[test]
    fn each_wait_is_drawn_from_its_range() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..1000 {
            let wait = Wait::DEFAULT.draw(&mut random).expect("a wait").as_secs_f64();
            assert!((0.1..=0.2).contains(&wait), "{wait}");
        }
        assert_eq!(Wait { min: 0.0, max: 0.0 }.draw(&mut random), None);
    }
}
