//! When an iteration starts. Closed model: a user waits after each iteration, so a slow target
//! slows the load. Open model: iterations start at a rate, whatever the target does, and latency
//! counts from the intended start, so that a stalled target is not hidden (coordinated omission).

use std::cell::{Cell, OnceCell, RefCell};
use std::time::Duration;

use super::limits::{MOST_SECONDS, TestLimits};
use super::seed::seed_of;
use crate::value::{Field, Invalid, Kind, Literal, Reader, Value};

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

/// What `distribution` may be.
const DISTRIBUTIONS: [&str; 2] = ["constant", "poisson"];

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
    Field::optional(
        "distribution",
        Kind::OneOf(&DISTRIBUTIONS),
        "How the starts are spread: at even distances, or at random as independent visitors come.",
    )
    .note(
        "`poisson` draws each distance from an exponential distribution; a `seed` repeats them on as \
         many cores.",
    )
    .or(Literal::Text("constant")),
    Field::optional("exact", Kind::Boolean, "Whether starts use a timer of the kernel.")
        .note(
            "On Linux. It starts iterations about a tenth of a millisecond after they are due, and \
             wakes the processor for each: a few microseconds of CPU, in some virtual machines more \
             than fifty. Without it they start up to a millisecond late.",
        )
        .or(Literal::Bool(true)),
    Field::optional(
        "polling",
        Kind::Boolean,
        "Whether the last half of a millisecond before each start is waited for by polling.",
    )
    .note(
        "No processor has to be woken at that moment: iterations start some ten microseconds after they \
         are due, also in virtual machines. It takes half a millisecond of CPU for each start that has \
         nothing else to do before it, and from 2,000 starts per second and core all of it. With \
         `\"exact\": false` it is one and a half, because that timer may be a millisecond late.",
    )
    .or(Literal::Bool(false)),
];

/// How the starts of an open model are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Distribution {
    /// At even distances.
    #[default]
    Constant,
    /// At independent, exponentially distributed distances: a Poisson process.
    Poisson,
}

/// What starts are timed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Timer {
    /// The runtime's timers, of a millisecond.
    #[default]
    Coarse,
    /// The kernel's, where there is one.
    Exact,
}

/// The starts of an open model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many per second, over all users.
    pub per_second: f64,
    /// How they are spread.
    pub distribution: Distribution,
    /// What they are timed by.
    pub timer: Timer,
    /// Whether the last stretch before each is waited for by polling.
    pub polling: bool,
}

impl From<f64> for Rate {
    fn from(per_second: f64) -> Self {
        let (distribution, timer) = (Distribution::default(), Timer::default());
        Self { per_second, distribution, timer, polling: false }
    }
}

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
    Open(Rate),
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
        let distribution = match fields.present("distribution") {
            None => Distribution::default(),
            Some(field) => match field.text()? {
                "constant" => Distribution::Constant,
                "poisson" => Distribution::Poisson,
                _ => return Err(field.choice(&DISTRIBUTIONS)),
            },
        };
        let exact = fields.or_default("exact", |field| field.boolean())?;
        let polling = fields.or_default("polling", |field| field.boolean())?;
        fields.finish()?;
        let timer = if exact { Timer::Exact } else { Timer::Coarse };
        Ok((Self::Open(Rate { per_second: rate, distribution, timer, polling }), users))
    }
}

/// One worker's share of an open model's arrivals, which its next free user takes. At even distances,
/// arrival `k` of the whole test starts `k/rate` after they begin, and belongs to worker `k % workers`;
/// random ones are drawn by each worker for itself, at its part of the rate.
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
    /// Random distances.
    random: Option<RefCell<Gaps>>,
}

/// The most arrivals that are drawn again to count them; of so many the mean is as good.
const MOST_DRAWN: u64 = 20_000_000;

/// The distances of a Poisson process.
#[derive(Debug, Clone)]
struct Gaps {
    seed: u64,
    random: fastrand::Rng,
    /// The mean, in seconds.
    mean: f64,
    /// The time of the last arrival, in seconds after the first could come.
    last: f64,
}

impl Gaps {
    fn new(seed: u64, mean: f64) -> Self {
        Self { seed, random: fastrand::Rng::with_seed(seed), mean, last: 0.0 }
    }

    /// The same from the start.
    fn again(&self) -> Self {
        Self::new(self.seed, self.mean)
    }

    /// How many come before this time, in seconds.
    fn count_before(mut self, time: f64) -> u64 {
        let mut count = 0;
        while self.next() < time {
            count += 1;
            if count >= MOST_DRAWN {
                return count + ((time - self.last) / self.mean) as u64;
            }
        }
        count
    }

    /// The time of the next arrival.
    fn next(&mut self) -> f64 {
        // 1 - x is in (0, 1], whose logarithm is finite.
        self.last += -(1.0 - self.random.f64()).ln() * self.mean;
        self.last
    }
}

impl Arrivals {
    /// The arrivals of worker number `worker` among `workers`, of `most` in all; `seed` determines
    /// those at random.
    pub fn new(rate: Rate, worker: usize, workers: usize, most: Option<u64>, seed: u64) -> Self {
        let (next, workers) = (Cell::new(worker as u64), workers.max(1));
        let most = most.unwrap_or(u64::MAX);
        let random = (rate.distribution == Distribution::Poisson).then(|| {
            // Not one of those that users have.
            let seed = seed_of(!seed, worker as u64);
            RefCell::new(Gaps::new(seed, workers as f64 / rate.per_second))
        });
        let (rate, begun) = (rate.per_second, OnceCell::new());
        Self { rate, number: worker, next, workers, most, begun, random }
    }

    /// Lets them begin so long after the start of the test, unless they have begun.
    pub(super) fn begin(&self, at: Duration) {
        self.begun.get_or_init(|| at);
    }

    /// Which worker takes them, and how many there are.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.number, self.workers)
    }

    /// Whether that was called.
    pub(super) fn have_begun(&self) -> bool {
        self.begun.get().is_some()
    }

    /// How many are due in a test of this length. Where they have not begun before its end, as many as
    /// if they had begun with it: they never started.
    pub(super) fn planned(&self, length: Duration) -> u64 {
        let time = length.saturating_sub(self.waited(length)).as_secs_f64();
        let most = share(self.most, self.number, self.workers);
        match &self.random {
            None => share(((self.rate * time) as u64).min(self.most), self.number, self.workers),
            Some(gaps) => gaps.borrow().again().count_before(time).min(most),
        }
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
        let after = match &self.random {
            None => turn as f64 / self.rate,
            Some(gaps) => gaps.borrow_mut().next(),
        };
        // At a very low rate it overflows a duration; no test lasts that long.
        Some(begun + Duration::from_secs_f64(after.min(FAR)))
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
        let workers = [0, 1].map(|number| Arrivals::new(10.0.into(), number, 2, Some(100), 1));
        let taken = |worker: &Arrivals| std::iter::from_fn(|| worker.take()).collect::<Vec<_>>();
        let mut starts = workers.iter().flat_map(taken).collect::<Vec<Duration>>();
        starts.sort();
        let even: Vec<Duration> = (0..100u32).map(|k| Duration::from_millis(100) * k).collect();
        assert_eq!(starts, even);
    }

    #[test]
    fn arrivals_that_begin_later_are_fewer_by_those_before() {
        for (at, planned) in
            [(None, [5, 5]), (Some(0), [5, 5]), (Some(250), [4, 3]), (Some(2000), [5, 5])]
        {
            let workers = [0, 1].map(|number| Arrivals::new(10.0.into(), number, 2, Some(100), 1));
            for (worker, planned) in workers.iter().zip(planned) {
                let at = at.map(Duration::from_millis);
                at.into_iter().for_each(|at| worker.begin(at));
                assert_eq!(worker.planned(Duration::from_secs(1)), planned, "{at:?}");
                let first = Duration::from_millis(100) * worker.number as u32;
                assert_eq!(worker.take(), Some(at.unwrap_or_default() + first));
            }
        }
    }

    #[test]
    fn random_arrivals_are_those_of_a_poisson_process_and_are_counted_as_they_come() {
        let rate = Rate { distribution: Distribution::Poisson, ..1000.0.into() };
        let length = Duration::from_secs(100);
        let workers = [0, 1].map(|number| Arrivals::new(rate, number, 2, None, 7));
        let planned: u64 = workers.iter().map(|worker| worker.planned(length)).sum();
        let taken = |worker: &Arrivals| {
            std::iter::from_fn(|| worker.take()).take_while(|due| *due < length).collect::<Vec<_>>()
        };
        let mut starts = workers.iter().flat_map(taken).collect::<Vec<_>>();
        starts.sort();
        assert_eq!(starts.len() as u64, planned);
        assert_eq!(workers.iter().map(|worker| worker.planned(length)).sum::<u64>(), planned);
        // The standard deviation of the count is 316, that of the mean of the gaps' squares is small.
        assert!((98_500..101_500).contains(&planned), "{planned}");
        let gaps: Vec<f64> = starts.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "as large as the mean");
        let again = Arrivals::new(rate, 0, 2, Some(5), 7);
        let first: Vec<_> = std::iter::from_fn(|| again.take()).collect();
        assert_eq!(first, taken(&Arrivals::new(rate, 0, 2, None, 7))[..3], "by the seed");
        assert_eq!(again.planned(length), 3, "the share of five");
    }

    #[test]
    fn a_document_says_how_the_starts_are_spread_and_timed() {
        let (constant, poisson) = (Distribution::Constant, Distribution::Poisson);
        for (more, distribution, timer, polling) in [
            ("", constant, Timer::Exact, false),
            (r#", "distribution": "poisson""#, poisson, Timer::Exact, false),
            (r#", "distribution": "constant", "exact": false"#, constant, Timer::Coarse, false),
            (r#", "polling": true"#, constant, Timer::Exact, true),
            (r#", "exact": false, "polling": true"#, constant, Timer::Coarse, true),
        ] {
            let field = format!(r#"{{"rate": 20, "max_users": 3{more}}}"#);
            let field = Value::parse(&field).expect("JSON");
            let read = Pacing::open(&Reader::root(&field), &TestLimits::default()).expect("a rate");
            let rate = Rate { per_second: 20.0, distribution, timer, polling };
            assert_eq!(read, (Pacing::Open(rate), 3));
        }
    }

    #[test]
    fn an_arrival_that_overflows_a_duration_is_later_than_any_test() {
        let arrivals = Arrivals::new(f64::MIN_POSITIVE.into(), 0, 1, None, 1);
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
