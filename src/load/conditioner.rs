//! A simulated network between virtual users and their target: latency, jitter, loss. It stands in
//! the engine, so that it works for every kind of user. A task that it does not concern has none,
//! and its requests cost a look at an `Option`.

use std::time::Duration;

use super::limits::MOST_SECONDS;

/// Why a request fails that was lost.
pub const LOST: &str = "lost in the simulated network";

/// A simulated network.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditioner {
    /// The latency that it adds, in milliseconds.
    pub latency_ms: f64,
    /// How much that varies in both directions, in milliseconds.
    pub jitter_ms: f64,
    /// The share of the requests that it loses.
    pub loss_rate: f64,
    /// A text that the name of a task must hold, as the document writes it; its URL without a name.
    pub name_filter: Option<String>,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Passage {
    pub(super) delay: Duration,
    pub(super) lost: bool,
}

impl Conditioner {
    /// The longest latency, in milliseconds: that of the longest test.
    pub const MOST_MS: f64 = MOST_SECONDS * 1000.0;

    /// Whether it concerns a task of this name.
    pub fn concerns(&self, name: &str) -> bool {
        self.name_filter.as_deref().is_none_or(|part| name.contains(part))
    }

    pub(super) fn draw(&self, random: &mut fastrand::Rng) -> Passage {
        let spread = match self.jitter_ms {
            jitter if jitter > 0.0 => (random.f64() * 2.0 - 1.0) * jitter,
            _ => 0.0,
        };
        let millis = (self.latency_ms + spread).max(0.0);
        Passage {
            delay: Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX),
            lost: self.loss_rate > 0.0 && random.f64() < self.loss_rate,
        }
    }

    /// What it does, for those who read the figures.
    pub fn in_words(&self) -> String {
        let Self { latency_ms, jitter_ms, loss_rate, name_filter } = self;
        let of = name_filter.as_ref().map(|part| format!(" of tasks whose name holds {part:?}"));
        format!(
            "a simulated network adds {latency_ms} ms (jitter {jitter_ms} ms) to requests{} and \
             loses {} % of them (LD_install_network_conditioner)",
            of.unwrap_or_default(),
            // Not 7.000000000000001.
            (loss_rate * 1e6).round() / 1e4
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Conditioner =
        Conditioner { latency_ms: 0.0, jitter_ms: 0.0, loss_rate: 0.0, name_filter: None };

    #[test]
    fn latencies_lie_within_the_jitter_and_losses_have_their_share() {
        let network = Conditioner { latency_ms: 50.0, jitter_ms: 20.0, loss_rate: 0.25, ..NONE };
        let mut random = fastrand::Rng::with_seed(7);
        let drawn: Vec<Passage> = (0..10_000).map(|_| network.draw(&mut random)).collect();
        let millis = drawn.iter().map(|passage| passage.delay.as_secs_f64() * 1000.0);
        let (least, most) = millis.fold((f64::MAX, 0.0f64), |(least, most), millis| {
            (least.min(millis), most.max(millis))
        });
        assert!((30.0..31.0).contains(&least) && (69.0..70.0).contains(&most), "{least} {most}");
        let lost = drawn.iter().filter(|passage| passage.lost).count();
        assert!((2300..2700).contains(&lost), "{lost}");
    }

    #[test]
    fn jitter_beyond_the_latency_never_goes_below_zero_and_certain_loss_loses_all() {
        let network = Conditioner { jitter_ms: 20.0, loss_rate: 1.0, ..NONE };
        let mut random = fastrand::Rng::with_seed(7);
        let drawn: Vec<Passage> = (0..100).map(|_| network.draw(&mut random)).collect();
        assert!(drawn.iter().all(|passage| passage.lost));
        assert!(drawn.iter().any(|passage| passage.delay.is_zero()));
        assert_eq!(NONE.draw(&mut random), Passage { delay: Duration::ZERO, lost: false });
    }

    #[test]
    fn it_concerns_tasks_whose_name_holds_the_filter() {
        let network = Conditioner { name_filter: Some("log".to_owned()), ..NONE };
        let concerned = ["login", "/blog", "list", ""].map(|name| network.concerns(name));
        assert_eq!(concerned, [true, true, false, false]);
        assert!(NONE.concerns("list"));
    }
}
