//! What is kept of the probes at the loads at which a search may end. A record takes memory, so only
//! three are: those of the two largest loads that hold now, as one may be refuted just before time is
//! up or the search is stopped, and that of the largest one that was confirmed, to which the search
//! returns where larger ones have held by chance.

use crate::load::Search;

/// The last probes that held, by their loads.
#[derive(Debug)]
pub(super) struct Kept<T>(Vec<(f64, T)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Kept<T> {
    /// Keeps what there is of a probe that held; to be called after each probe, when the search knows
    /// of it.
    pub(super) fn note(&mut self, search: &Search, load: f64, held: Option<T>) {
        if let Some(held) = held {
            self.0.retain(|(known, _)| *known != load);
            self.0.push((load, held));
        }
        let ends = [search.held_at(), search.held_below(), search.confirmed_at()];
        self.0.retain(|(load, _)| ends.contains(&Some(*load)));
    }

    /// What there is of a probe at this load.
    pub(super) fn at(self, load: f64) -> Option<T> {
        self.0.into_iter().find(|(known, _)| *known == load).map(|(_, held)| held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::Bounds;

    /// Searches with these verdicts; returns the load that was found, the number of the last probe
    /// that held there, and that of the one that was kept.
    fn search(
        confirm: u32,
        mut holds: impl FnMut(f64) -> bool,
    ) -> (Option<f64>, [Option<usize>; 2]) {
        let bounds = Bounds { low: 10.0, high: 1000.0, tolerance: 0.05, confirm, whole: false };
        let (mut search, mut kept, mut held) = (Search::new(bounds), Kept::default(), Vec::new());
        for number in 1.. {
            let Some(load) = search.next() else { break };
            let verdict = holds(load);
            search.note(load, verdict);
            kept.note(&search, load, verdict.then_some(number));
            assert!(kept.0.len() <= 3, "{kept:?}");
            held.extend(verdict.then_some((load, number)));
        }
        let found = search.held_at();
        let last = held.iter().rev().find(|(load, _)| Some(*load) == found);
        (found, [last.map(|(_, number)| *number), found.and_then(|load| kept.at(load))])
    }

    #[test]
    fn a_larger_load_that_held_by_chance_does_not_take_the_place_of_the_found_one() {
        let mut chance = true;
        let holds = |load: f64| load <= 20.0 || load == 40.0 && std::mem::take(&mut chance);
        let (found, [last, kept]) = search(2, holds);
        assert!(found.is_some_and(|found| (19.0..=20.0).contains(&found)), "{found:?}");
        assert!(last.is_some() && kept == last, "{last:?} {kept:?}");
    }

    #[test]
    fn a_search_that_ends_right_after_a_refuted_load_has_the_record_of_the_one_below() {
        let bounds = Bounds { low: 10.0, high: 1000.0, tolerance: 0.5, confirm: 2, whole: false };
        let (mut search, mut kept) = (Search::new(bounds), Kept::default());
        let verdicts = [true, true, false, true, false];
        for (number, verdict) in (1..).zip(verdicts) {
            let load = search.next().expect("a load");
            search.note(load, verdict);
            kept.note(&search, load, verdict.then_some(number));
        }
        // 10, 20, 40, then twice between 20 and 40, where nothing was confirmed.
        assert_eq!((search.held_at(), search.confirmed_at()), (Some(20.0), None));
        assert_eq!(kept.at(20.0), Some(2));
    }

    proptest! {
        #[test]
        fn the_last_probe_at_the_found_load_is_kept_whatever_the_target_does(
            outcomes: u64,
            confirm in 1..5u32,
        ) {
            let mut random = fastrand::Rng::with_seed(outcomes);
            let (_, [last, kept]) = search(confirm, |load| load < 50.0 || random.bool());
            prop_assert_eq!(kept, last);
        }
    }
}
