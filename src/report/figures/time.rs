//! The time axis: tests follow each other without the pauses between them, and the whole is divided
//! into points of a round length.

use std::ops::RangeInclusive;
use std::time::{Duration, UNIX_EPOCH};

use super::{MAX_POINTS, Point};
use crate::record::live::WIDTHS;
use crate::record::{Recording, Row};

/// The time axis.
#[derive(Debug, PartialEq)]
pub(in crate::report) struct Axis {
    /// When each test begins, in seconds.
    pub(in crate::report) offsets: Vec<f64>,
    /// When the last one ends.
    pub(in crate::report) seconds: f64,
    /// Seconds per point.
    pub(in crate::report) width: f64,
    /// How many points there are.
    pub(in crate::report) count: usize,
}

impl Axis {
    /// For tests of these lengths in seconds.
    pub(in crate::report) fn of(lengths: &[f64]) -> Self {
        let mut seconds = 0.0;
        let offsets = lengths.iter().map(|length| {
            let offset = seconds;
            seconds += length;
            offset
        });
        let offsets = offsets.collect();
        let width = width(seconds);
        // A float's error must not make a point of its own.
        let count = ((seconds / width - 1e-6).ceil() as usize).max(1);
        Self { offsets, seconds, width, count }
    }

    /// The point of a moment.
    pub(in crate::report) fn place(&self, at: f64) -> usize {
        ((at / self.width) as usize).min(self.count - 1)
    }

    /// How long a point is: what is left over at the end is one of its own.
    pub(in crate::report) fn length(&self, place: usize) -> f64 {
        let rest = self.seconds - place as f64 * self.width;
        // A test of a single instant still has a rate.
        if place + 1 == self.count && rest > 0.0 { rest } else { self.width }
    }

    /// When a test and its last point end.
    pub(in crate::report) fn range(&self, test: usize) -> RangeInclusive<usize> {
        let begin = self.offsets.get(test).copied().unwrap_or_default();
        let end = self.offsets.get(test + 1).copied().unwrap_or(self.seconds);
        self.place(begin)..=self.place(end)
    }

    /// How many points are whole and end before the load does, give or take a tenth; at least one.
    /// After it only the slowest requests are left, and their figures would look like a collapse.
    pub(in crate::report) fn drawn(&self, end_of_load: Option<f64>) -> usize {
        let whole = |place: &usize| self.length(*place) >= self.width * 0.9;
        let within = |place: &usize| {
            let end = *place as f64 * self.width + self.length(*place);
            end_of_load.is_none_or(|load| end <= load + self.width * 0.1)
        };
        (0..self.count).take_while(|place| whole(place) && within(place)).count().max(1)
    }
}

/// The width of a point for tests of this many seconds.
fn width(seconds: f64) -> f64 {
    let fits = |width: &f64| seconds / width <= MAX_POINTS as f64;
    WIDTHS.into_iter().find(fits).unwrap_or(seconds / MAX_POINTS as f64)
}

/// Enters the users of one test: `counts` are the places at which their number changed. It holds
/// until it changes; a point shows the most that were there in it.
pub(in crate::report) fn hold_users(
    points: &mut [Point],
    test: RangeInclusive<usize>,
    counts: &[(usize, u32)],
) {
    let Some((_, mut held)) = counts.first().copied() else { return };
    let mut counts = counts.iter().peekable();
    for place in test {
        let mut most = held;
        while let Some((_, users)) = counts.next_if(|(at, _)| *at <= place) {
            most = most.max(*users);
            held = *users;
        }
        if let Some(point) = points.get_mut(place) {
            point.users = point.users.max(Some(most));
        }
    }
}

/// When a test stopped its users, in seconds since its start, where it counted them.
pub(super) fn end_of_load(recording: &Recording) -> Option<f64> {
    let end = recording.users.last().filter(|count| count.users == 0)?;
    Some(end.at.as_secs_f64())
}

/// When a request ended, in seconds since its test started.
pub(super) fn end_of(row: &Row<'_>, recording: &Recording) -> f64 {
    let epoch = recording.started_at().duration_since(UNIX_EPOCH);
    let start = row.start_time - epoch.unwrap_or(Duration::ZERO).as_secs_f64();
    (start + row.service_ms / 1000.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_a_round_width_and_a_limited_number() {
        for (seconds, want) in
            [(0.0, 0.1), (12.0, 0.1), (12.1, 0.25), (60.0, 0.5), (3600.0, 30.0), (1e9, 1e9 / 120.0)]
        {
            assert_eq!(width(seconds), want, "{seconds} s");
        }
    }

    #[test]
    fn a_number_of_users_holds_until_it_changes() {
        for (counts, want) in [
            (&[(0, 3), (0, 10), (7, 0)][..], [10; 8]),
            (&[(1, 4), (3, 9), (3, 2), (6, 0)], [4, 4, 4, 9, 2, 2, 2, 0]),
        ] {
            let mut points = vec![Point::default(); 8];
            hold_users(&mut points, 0..=7, counts);
            let users: Vec<_> = points.iter().filter_map(|point| point.users).collect();
            assert_eq!(users, want, "{counts:?}");
        }
    }

    #[test]
    fn a_curve_ends_with_the_last_whole_point_in_which_load_was_made() {
        for (seconds, end, want) in [
            (0.03, None, 1),
            (4.3, None, 4),
            (4.0, Some(4.03), 4),
            (4.3, Some(4.03), 4),
            (6.0, Some(4.03), 4),
            (6.0, Some(3.5), 3),
        ] {
            let count = (seconds as usize + usize::from(seconds % 1.0 > 0.0)).max(1);
            let axis = Axis { offsets: vec![0.0], seconds, width: 1.0, count };
            assert_eq!(axis.drawn(end), want, "{seconds} s, {end:?}");
        }
    }
}
