//! The figures of the page, computed in two passes over the rows: the first determines how long the
//! runs took and which names matter, the second fills fixed-size histograms. So memory depends on
//! the number of names and errors shown, which is bounded, and not on the number of requests.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::record::{Recording, Records, Row};
use crate::report::rows::name_of;

/// Names with their own row; the busiest are chosen, the others share one.
const MAX_NAMES: usize = 150;

/// Errors with their own row.
const MAX_ERRORS: usize = 50;

/// Points of a curve: as many as can be distinguished in a chart of this width.
const MAX_BUCKETS: f64 = 120.0;

/// Widths of a point, in seconds, that make axes easy to read.
const WIDTHS: [f64; 16] = [
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
    86400.0,
];

/// Latencies in microseconds. It grows with the slowest value: 3 significant digits need 40 KiB up
/// to a second.
#[derive(Debug, Clone)]
pub(super) struct Latency(Option<Histogram<u32>>);

impl Latency {
    fn new(digits: u8) -> Self {
        Self(Histogram::new(digits).ok())
    }

    fn record(&mut self, millis: f64) {
        if let Some(histogram) = &mut self.0 {
            // Only values beyond 2^64 are out of range; a float cast saturates.
            let _ = histogram.record((millis * 1000.0).round() as u64);
        }
    }

    fn percentile(&self, percentile: f64) -> Option<f64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(histogram.value_at_percentile(percentile) as f64 / 1000.0)
    }

    /// The distinct latencies in milliseconds with their number of occurrences.
    pub(super) fn counts(&self) -> impl Iterator<Item = (f64, u64)> {
        self.0.iter().flat_map(|histogram| {
            histogram.iter_recorded().map(|step| {
                (step.value_iterated_to() as f64 / 1000.0, step.count_since_last_iteration())
            })
        })
    }
}

/// The figures of a set of requests.
#[derive(Debug, Clone)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) bytes: u64,
    sum_ms: f64,
    pub(super) max_ms: f64,
    pub(super) latency: Latency,
}

impl Totals {
    fn new(digits: u8) -> Self {
        Self {
            requests: 0,
            failures: 0,
            bytes: 0,
            sum_ms: 0.0,
            max_ms: 0.0,
            latency: Latency::new(digits),
        }
    }

    fn record(&mut self, row: &Row<'_>) {
        self.requests += 1;
        self.failures += u64::from(row.failed());
        self.bytes = self.bytes.saturating_add(row.bytes);
        self.sum_ms += row.response_ms;
        self.max_ms = self.max_ms.max(row.response_ms);
        self.latency.record(row.response_ms);
    }

    /// A percentile of the latencies in milliseconds; `None` of nothing. A step of the histogram may
    /// end beyond the slowest request.
    pub(super) fn percentile(&self, percentile: f64) -> Option<f64> {
        Some(self.latency.percentile(percentile)?.min(self.max_ms))
    }

    pub(super) fn mean_ms(&self) -> f64 {
        self.sum_ms / self.requests.max(1) as f64
    }

    pub(super) fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Name<'a> {
    /// `None` for the row that the names beyond [`MAX_NAMES`] share.
    pub(super) label: Option<(&'a str, &'a str)>,
    pub(super) totals: Totals,
}

/// One point in time: the requests that ended in it.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// Its start, in seconds since the first run started, without the pauses between runs.
    pub(super) start: f64,
    /// How long it is, in seconds: the last one may be shorter than the others.
    pub(super) length: f64,
    pub(super) totals: Totals,
    /// The most users during it, where the run counted them.
    pub(super) users: Option<u32>,
}

/// One error text.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) text: &'a str,
    pub(super) count: u64,
    /// Method and name of the first request with this error.
    pub(super) first: (&'a str, &'a str),
    /// Whether other requests had it too.
    pub(super) several: bool,
}

/// All figures of the page.
#[derive(Debug)]
pub(super) struct PageData<'a> {
    pub(super) total: Totals,
    /// The total duration of the runs, in seconds.
    pub(super) seconds: f64,
    /// Seconds per point.
    pub(super) width: f64,
    buckets: Vec<Bucket>,
    /// How many of `buckets` are whole and lie within the time in which load was made. After it only
    /// the slowest requests are left, and their figures would look like a collapse.
    drawn: usize,
    /// Busiest first.
    pub(super) names: Vec<Name<'a>>,
    /// How many names share the last row of `names`.
    pub(super) further_names: usize,
    /// Most frequent first.
    pub(super) errors: Vec<Group<'a>>,
    /// The number of error texts without a row, and of their occurrences.
    pub(super) further_errors: (usize, u64),
    pub(super) most_users: Option<u32>,
}

impl<'a> PageData<'a> {
    pub(super) fn of(records: &'a Records) -> Self {
        let recordings = records.recordings();
        // Runs follow each other without the pauses between them.
        let mut offsets = Vec::with_capacity(recordings.len());
        let mut seconds = 0.0;
        let mut counts: HashMap<(&str, &str), u64> = HashMap::new();
        let mut errors: HashMap<&str, Group<'_>> = HashMap::new();
        for recording in recordings {
            offsets.push(seconds);
            let mut length: f64 = 0.0;
            for row in recording.rows() {
                let label = (&*row.label.method, name_of(&row));
                length = length.max(end_of(&row, recording));
                *counts.entry(label).or_default() += 1;
                if let Some(text) = row.error {
                    let group = errors.entry(text).or_insert(Group {
                        text,
                        count: 0,
                        first: label,
                        several: false,
                    });
                    group.count += 1;
                    group.several |= group.first != label;
                }
            }
            seconds += length;
        }
        let (places, mut names, further_names) = places(counts);
        let width = width(seconds);
        let mut buckets = buckets(seconds, width);
        let last = buckets.len().saturating_sub(1);
        let place_of = |at: f64| ((at / width) as usize).min(last);
        let mut total = Totals::new(3);
        let ends = offsets.iter().skip(1).copied().chain([seconds]);
        for ((recording, offset), end) in recordings.iter().zip(&offsets).zip(ends) {
            for row in recording.rows() {
                total.record(&row);
                let place = places.get(&(&*row.label.method, name_of(&row)));
                let place = place.copied().unwrap_or(MAX_NAMES);
                if let Some(name) = names.get_mut(place) {
                    name.totals.record(&row);
                }
                let place = place_of(offset + end_of(&row, recording));
                if let Some(bucket) = buckets.get_mut(place) {
                    bucket.totals.record(&row);
                }
            }
            let counts = recording.users.iter();
            let counts: Vec<_> = counts
                .map(|count| (place_of(offset + count.at.as_secs_f64()), count.users))
                .collect();
            hold_users(&mut buckets, place_of(*offset)..=place_of(end), &counts);
        }
        let drawn = drawn(&buckets, width, end_of_load(recordings, &offsets));
        let most_users = buckets.iter().filter_map(|bucket| bucket.users).max();
        let (errors, further_errors) = most_frequent(errors.into_values().collect());
        Self {
            total,
            seconds,
            width,
            buckets,
            drawn,
            names,
            further_names,
            errors,
            further_errors,
            most_users,
        }
    }
}

impl PageData<'_> {
    /// The points of the curves.
    pub(super) fn points(&self) -> &[Bucket] {
        self.buckets.get(..self.drawn).unwrap_or_default()
    }
}

/// Points of equal length; what is left over at the end is one of its own.
fn buckets(seconds: f64, width: f64) -> Vec<Bucket> {
    // A float's error must not make a point of its own.
    let count = ((seconds / width - 1e-6).ceil() as usize).max(1);
    (0..count)
        .map(|place| {
            let start = place as f64 * width;
            let length = if place + 1 == count { seconds - start } else { width };
            // A run of a single instant still has a rate.
            let length = if length > 0.0 { length } else { width };
            Bucket { start, length, totals: Totals::new(2), users: None }
        })
        .collect()
}

/// Enters the users of one run: `counts` are the places at which their number changed. It holds until
/// it changes; a point shows the most that were there in it.
fn hold_users(buckets: &mut [Bucket], run: RangeInclusive<usize>, counts: &[(usize, u32)]) {
    let Some((_, mut held)) = counts.first().copied() else { return };
    let mut counts = counts.iter().peekable();
    for place in run {
        let mut most = held;
        while let Some((_, users)) = counts.next_if(|(at, _)| *at <= place) {
            most = most.max(*users);
            held = *users;
        }
        if let Some(bucket) = buckets.get_mut(place) {
            bucket.users = bucket.users.max(Some(most));
        }
    }
}

/// When the last run stopped its users, in seconds of the time axis, where it counted them.
fn end_of_load(recordings: &[Arc<Recording>], offsets: &[f64]) -> Option<f64> {
    let (last, offset) = recordings.last().zip(offsets.last())?;
    let end = last.users.last().filter(|count| count.users == 0)?;
    Some(offset + end.at.as_secs_f64())
}

/// How many points are whole and end before the load does, give or take a tenth; at least one.
fn drawn(buckets: &[Bucket], width: f64, end_of_load: Option<f64>) -> usize {
    let whole = |bucket: &&Bucket| bucket.length >= width * 0.9;
    let within = |bucket: &&Bucket| {
        end_of_load.is_none_or(|end| bucket.start + bucket.length <= end + width * 0.1)
    };
    buckets.iter().take_while(|bucket| whole(bucket) && within(bucket)).count().max(1)
}

/// When a request ended, in seconds since its run started.
fn end_of(row: &Row<'_>, recording: &Recording) -> f64 {
    let epoch = recording.started_at().duration_since(std::time::UNIX_EPOCH);
    let start = row.start_time - epoch.unwrap_or(Duration::ZERO).as_secs_f64();
    (start + row.service_ms / 1000.0).max(0.0)
}

/// The width of a point for runs of this many seconds.
fn width(seconds: f64) -> f64 {
    let fits = |width: &f64| seconds / width <= MAX_BUCKETS;
    WIDTHS.into_iter().find(fits).unwrap_or(seconds / MAX_BUCKETS)
}

type Places<'a> = HashMap<(&'a str, &'a str), usize>;

/// The table's rows, the row of each method and name, and how many names share the last row.
fn places<'a>(counts: HashMap<(&'a str, &'a str), u64>) -> (Places<'a>, Vec<Name<'a>>, usize) {
    let mut order: Vec<_> = counts.into_iter().collect();
    order.sort_unstable_by(|(a, many), (b, more)| more.cmp(many).then(a.cmp(b)));
    let further = order.len().saturating_sub(MAX_NAMES);
    let mut places = Places::new();
    let mut names = Vec::new();
    for (place, (label, _)) in order.into_iter().take(MAX_NAMES).enumerate() {
        places.insert(label, place);
        names.push(Name { label: Some(label), totals: Totals::new(3) });
    }
    if further > 0 {
        names.push(Name { label: None, totals: Totals::new(3) });
    }
    (places, names, further)
}

fn most_frequent(mut groups: Vec<Group<'_>>) -> (Vec<Group<'_>>, (usize, u64)) {
    groups.sort_unstable_by(|a, b| b.count.cmp(&a.count).then(a.text.cmp(b.text)));
    let further = groups.split_off(groups.len().min(MAX_ERRORS));
    let count = further.iter().map(|group| group.count).sum();
    (groups, (further.len(), count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::records;

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
            let mut points = buckets(8.0, 1.0);
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
            assert_eq!(drawn(&buckets(seconds, 1.0), 1.0, end), want, "{seconds} s, {end:?}");
        }
    }

    #[test]
    fn no_percentile_is_beyond_the_slowest_request() {
        let records = records(&[("GET", "u", "a", 200, 2.2401, 1, None)]);
        let total = PageData::of(&records).total;
        assert!(total.latency.percentile(99.9) > Some(total.max_ms));
        assert_eq!(total.percentile(99.9), Some(2.2401));
    }

    #[test]
    fn names_beyond_the_busiest_share_a_row_and_no_request_is_lost() {
        let names: Vec<String> = (0..MAX_NAMES + 5).map(|number| format!("n{number:03}")).collect();
        let mut rows: Vec<_> =
            names.iter().map(|name| ("GET", "u", name.as_str(), 200, 1.0, 1, None)).collect();
        rows.push(("GET", "u", "n154", 200, 1.0, 1, None));
        let records = records(&rows);
        let figures = PageData::of(&records);
        assert_eq!(figures.names.len(), MAX_NAMES + 1);
        assert_eq!(figures.further_names, 5);
        assert_eq!(figures.names[0].label, Some(("GET", "n154")));
        let counted: u64 = figures.names.iter().map(|name| name.totals.requests).sum();
        assert_eq!(counted, rows.len() as u64);
        let timed: u64 = figures.buckets.iter().map(|bucket| bucket.totals.requests).sum();
        assert_eq!(timed, rows.len() as u64);
    }

    #[test]
    fn errors_are_grouped_by_text_most_frequent_first() {
        let records = records(&[
            ("GET", "u", "a", 500, 1.0, 1, Some("rare")),
            ("GET", "u", "a", 500, 1.0, 1, Some("often")),
            ("GET", "u", "b", 500, 1.0, 1, Some("often")),
        ]);
        let figures = PageData::of(&records);
        let groups: Vec<_> = figures
            .errors
            .iter()
            .map(|group| (group.text, group.count, group.first.1, group.several))
            .collect();
        assert_eq!(groups, [("often", 2, "a", true), ("rare", 1, "a", false)]);
    }
}
