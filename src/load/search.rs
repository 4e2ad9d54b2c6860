//! The search for the largest load that a target bears: it grows from the least load until one does
//! not hold, halves the gap until it is small enough, and confirms both ends. It decides which load
//! is tried next; others make the load and judge it, so it needs neither a clock nor a target.
//!
//! A measurement is noisy: a load that holds once may fail the next time. Each load is therefore
//! judged by the majority of its probes, and an end counts as found only when it was confirmed. A
//! load whose verdict changes moves the gap, and the search continues.

/// The loads that were tried, and how they ended.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: Bounds,
    /// In ascending order of their loads.
    tried: Vec<Tried>,
}

/// Where the search looks, and how precisely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first load.
    pub low: f64,
    /// The largest load.
    pub high: f64,
    /// The gap between the load that holds and the one that does not, as a share of the first.
    pub tolerance: f64,
    /// How many probes must agree about each of the two.
    pub confirm: u32,
    /// Whether loads are whole numbers.
    pub whole: bool,
}

/// A load and its probes.
#[derive(Debug, Clone, Copy)]
struct Tried {
    load: f64,
    held: u32,
    failed: u32,
}

impl Tried {
    /// Whether it holds: in doubt it does not.
    fn holds(&self) -> bool {
        self.held > self.failed
    }

    fn is_confirmed(&self, by: u32) -> bool {
        by <= if self.holds() { self.held } else { self.failed }
    }
}

impl Search {
    /// A search that has tried nothing.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, tried: Vec::new() }
    }

    /// The load to try next; `None` when the search is over.
    pub fn next(&self) -> Option<f64> {
        let Bounds { low, high, confirm, .. } = self.bounds;
        let unless_confirmed = |tried: &Tried| (!tried.is_confirmed(confirm)).then_some(tried.load);
        match (self.largest(), self.smallest()) {
            (None, None) => Some(low),
            // Even the least load is too much.
            (None, Some(failed)) => unless_confirmed(failed),
            (Some(held), None) if held.load >= high => unless_confirmed(held),
            (Some(held), None) => Some((held.load * 2.0).min(high)),
            (Some(held), Some(failed)) => self
                .between(held.load, failed.load)
                .or_else(|| unless_confirmed(held))
                .or_else(|| unless_confirmed(failed)),
        }
    }

    /// Notes whether a load held.
    pub fn note(&mut self, load: f64, held: bool) {
        let place = self.tried.partition_point(|tried| tried.load < load);
        if self.tried.get(place).is_none_or(|tried| tried.load != load) {
            self.tried.insert(place, Tried { load, held: 0, failed: 0 });
        }
        if let Some(tried) = self.tried.get_mut(place) {
            match held {
                true => tried.held += 1,
                false => tried.failed += 1,
            }
        }
    }

    /// The largest load that holds, below every one that does not.
    pub fn held_at(&self) -> Option<f64> {
        self.largest().map(|tried| tried.load)
    }

    /// The load to which the search returns if the largest one that holds is refuted.
    pub fn held_below(&self) -> Option<f64> {
        let held: Vec<&Tried> = self.tried.iter().take_while(|tried| tried.holds()).collect();
        held.iter().rev().nth(1).map(|tried| tried.load)
    }

    /// The largest load that was confirmed to hold: the search ends there or above.
    pub fn confirmed_at(&self) -> Option<f64> {
        let confirm = self.bounds.confirm;
        let held = self.tried.iter().take_while(|tried| tried.holds());
        held.filter(|tried| tried.is_confirmed(confirm)).last().map(|tried| tried.load)
    }

    /// The smallest load that does not hold.
    pub fn failed_at(&self) -> Option<f64> {
        self.smallest().map(|tried| tried.load)
    }

    fn smallest(&self) -> Option<&Tried> {
        self.tried.iter().find(|tried| !tried.holds())
    }

    fn largest(&self) -> Option<&Tried> {
        self.tried.iter().take_while(|tried| tried.holds()).last()
    }

    /// A load in the middle of the gap, unless the gap is small enough. The middle of a relative gap
    /// is the geometric one; it is rounded to two digits of the gap, so that people can read it.
    fn between(&self, held: f64, failed: f64) -> Option<f64> {
        let gap = failed - held;
        if gap <= held * self.bounds.tolerance || self.bounds.whole && gap <= 1.0 {
            return None;
        }
        let digit = gap.log10().floor() as i32 - 1;
        let digit = if self.bounds.whole { digit.max(0) } else { digit };
        let middle = (held * failed).sqrt();
        // Dividing by a power of ten rounds better than multiplying by a negative one.
        let rounded = match 10f64.powi(digit.abs()) {
            unit if digit < 0 => (middle * unit).round() / unit,
            unit => (middle / unit).round() * unit,
        };
        // Whole numbers beside each other round to one of them.
        let rounded = if rounded <= held { rounded.floor() + 1.0 } else { rounded };
        let rounded = if rounded >= failed { rounded.ceil() - 1.0 } else { rounded };
        Some(rounded).filter(|rounded| *rounded > held && *rounded < failed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds =
        Bounds { low: 10.0, high: 10_000.0, tolerance: 0.05, confirm: 2, whole: false };

    /// Searches with this target; returns the loads in their order, and what was found.
    fn search(
        bounds: Bounds,
        mut holds: impl FnMut(f64) -> bool,
    ) -> (Vec<f64>, Option<f64>, Option<f64>) {
        let mut search = Search::new(bounds);
        let mut loads = Vec::new();
        while let Some(load) = search.next() {
            loads.push(load);
            assert!(loads.len() < 200, "no end: {loads:?}");
            search.note(load, holds(load));
        }
        (loads, search.held_at(), search.failed_at())
    }

    #[test]
    fn a_limit_is_found_by_growth_and_bisection_and_both_ends_are_confirmed() {
        let (loads, held, failed) = search(BOUNDS, |load| load <= 300.0);
        assert_eq!(
            loads,
            [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 230.0, 271.0, 294.0, 307.0, 294.0, 307.0]
        );
        assert_eq!((held, failed), (Some(294.0), Some(307.0)));
    }

    #[test]
    fn whole_numbers_stay_whole_and_end_beside_each_other() {
        let bounds = Bounds { low: 1.0, high: 100.0, confirm: 1, whole: true, ..BOUNDS };
        for limit in 1..100 {
            let (loads, held, failed) = search(bounds, |load| load <= f64::from(limit));
            assert!(loads.iter().all(|load| load.fract() == 0.0), "{loads:?}");
            let (held, failed) = (held.expect("held"), failed.expect("failed"));
            assert!(held <= f64::from(limit) && failed > f64::from(limit), "{held} {failed}");
            assert!(failed - held <= (held * 0.05).max(1.0), "{held} {failed}");
        }
    }

    #[test]
    fn a_limit_beyond_the_bounds_ends_the_search_there() {
        let (loads, held, failed) = search(BOUNDS, |_| true);
        assert_eq!((held, failed), (Some(10_000.0), None));
        assert_eq!(loads[loads.len() - 2..], [10_000.0, 10_000.0]);
        assert_eq!(search(BOUNDS, |_| false), (vec![10.0, 10.0], None, Some(10.0)));
    }

    #[test]
    fn a_load_that_failed_by_chance_does_not_end_the_search() {
        let mut chance = true;
        let (loads, held, failed) = search(BOUNDS, |load| match load {
            80.0 if chance => {
                chance = false;
                false
            }
            load => load <= 300.0,
        });
        assert!(held.is_some_and(|held| held > 280.0 && held <= 300.0), "{held:?} {loads:?}");
        assert!(failed.is_some_and(|failed| failed > 300.0), "{failed:?}");
    }

    #[test]
    fn a_load_that_held_by_chance_is_not_the_result() {
        let mut chance = true;
        let (loads, held, _) = search(BOUNDS, |load| match load {
            320.0 if chance => {
                chance = false;
                true
            }
            load => load <= 300.0,
        });
        assert!(held.is_some_and(|held| held > 280.0 && held <= 300.0), "{held:?} {loads:?}");
    }

    proptest! {
        #[test]
        fn any_limit_is_found_within_the_tolerance_in_a_known_number_of_probes(
            limit in 10.0..10_000f64,
            tolerance in 0.01..0.5f64,
            confirm in 1..4u32,
        ) {
            let bounds = Bounds { tolerance, confirm, ..BOUNDS };
            let (loads, held, failed) = search(bounds, |load| load <= limit);
            let (held, failed) = (held.expect("held"), failed.unwrap_or(f64::INFINITY));
            prop_assert!(held <= limit && limit < failed);
            if failed.is_finite() {
                prop_assert!(failed <= held * (1.0 + tolerance) + 1e-9, "{held} {failed}");
            }
            // Growth over ten doublings, the halvings of a factor of two, one more for rounding, and
            // the confirmations.
            let halvings = (std::f64::consts::LN_2 / tolerance.ln_1p()).log2().ceil().max(0.0);
            let most = 11.0 + halvings + 1.0 + f64::from(2 * (confirm - 1));
            prop_assert!(loads.len() as f64 <= most, "{} of {most}", loads.len());
        }

        #[test]
        fn a_search_ends_whatever_the_target_does(outcomes: u64, confirm in 1..4u32, whole: bool) {
            let bounds = Bounds { low: 1.0, high: 1000.0, confirm, whole, ..BOUNDS };
            let mut random = fastrand::Rng::with_seed(outcomes);
            let (loads, held, failed) = search(bounds, |_| random.bool());
            prop_assert!(loads.iter().all(|load| (1.0..=1000.0).contains(load)), "{loads:?}");
            prop_assert!(held.is_some() || failed.is_some());
        }
    }
}
