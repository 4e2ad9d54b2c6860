//! A curve over time: requests, failures and latencies in cells of equal length. Cells are joined while
//! the run grows, so that a curve of any length has a bounded number of them, and each point of an axis
//! consists of whole cells.

use crate::record::stats::interpolate;

/// Widths of a point, in seconds, that make axes easy to read.
pub const WIDTHS: [f64; 16] = [
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
    86400.0,
];

/// Points of a curve: as many as can be distinguished in a chart.
pub const MOST_POINTS: usize = 120;

/// The length of cells is a multiple of this, as are the widths: 50 ms.
pub(super) const UNIT_MILLIS: u64 = 50;

/// A point has two cells at most.
const MOST_CELLS: usize = 2 * MOST_POINTS;

/// The highest bits of a latency that count: its bucket is at most 1 % away from it.
const BITS: u32 = 7;

/// The units of each width from one on.
fn units_from(level: usize) -> impl Iterator<Item = u64> {
    WIDTHS.iter().skip(level).map(|width| (width * 1000.0).round() as u64 / UNIT_MILLIS)
}

/// The least width, by its number, at which this many units fit a chart.
pub(super) fn level_of(units: u64) -> usize {
    let mut widths = units_from(0);
    let found = widths.position(|width| units < width * MOST_POINTS as u64);
    found.unwrap_or(WIDTHS.len() - 1)
}

/// The longest cell of which the points of this width and all larger ones consist, in units.
pub(super) fn cell_of(level: usize) -> u64 {
    let divisor = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    units_from(level).fold(0, divisor).max(1)
}

/// Latencies in buckets.
#[derive(Debug, Clone, Default)]
struct Spread(Vec<(u32, u32)>);

impl Spread {
    fn count(&mut self, bucket: u32, count: u32) {
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    *known = known.saturating_add(count);
                }
            }
            Err(at) => self.0.insert(at, (bucket, count)),
        }
    }

    fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, count)| self.count(*bucket, *count));
    }

    /// The median, the 95th and the 99th percentile in milliseconds.
    fn percentiles(&self) -> Option<[f64; 3]> {
        let mut below = 0;
        let upto: Vec<(usize, u32)> = self
            .0
            .iter()
            .map(|(bucket, count)| {
                below += *count as usize;
                (below, *bucket)
            })
            .collect();
        let at = |index: usize| {
            let place = upto.partition_point(|(upto, _)| *upto <= index);
            upto.get(place).map_or(0.0, |(_, bucket)| f64::from(*bucket) / 1000.0)
        };
        (below > 0).then(|| [50.0, 95.0, 99.0].map(|percentile| interpolate(below, percentile, at)))
    }
}

/// The middle of the bucket of a latency, both in microseconds; what is longer than an hour is an hour.
fn bucket(micros: u64) -> u32 {
    let micros = micros.clamp(1, 3_600_000_000);
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(BITS);
    (micros >> shift << shift) as u32 + (1 << shift >> 1)
}

/// The requests of a cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    requests: u64,
    failures: u64,
    latencies: Spread,
}

impl Cell {
    pub(super) fn record(&mut self, micros: u64, failed: bool) {
        self.requests += 1;
        self.failures += u64::from(failed);
        self.latencies.count(bucket(micros), 1);
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.latencies.add(&other.latencies);
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.latencies.0.capacity() * size_of::<(u32, u32)>()
    }
}

/// A point of an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CurvePoint {
    /// Requests that ended in it.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// The median, the 95th and the 99th percentile of the latency in milliseconds, exact to 1 %; `None`
    /// without requests.
    pub percentiles: Option<[f64; 3]>,
}

/// A curve.
#[derive(Debug, Clone)]
pub struct Curve {
    /// The units of a cell.
    cell: u64,
    cells: Vec<Cell>,
    /// The memory of the cells.
    bytes: usize,
}

impl Default for Curve {
    fn default() -> Self {
        Self { cell: cell_of(0), cells: Vec::new(), bytes: 0 }
    }
}

impl Curve {
    /// Adds the requests of a cell that begins at a unit. Cells become as long as this one.
    pub(super) fn add(&mut self, begin: u64, length: u64, cell: &Cell) {
        self.widen(length);
        let place = ((begin / self.cell) as usize).min(MOST_CELLS);
        if place >= self.cells.len() {
            self.bytes += (place + 1 - self.cells.len()) * size_of::<Cell>();
            self.cells.resize_with(place + 1, Cell::default);
        }
        if let Some(known) = self.cells.get_mut(place) {
            let before = known.bytes();
            known.add(cell);
            self.bytes += known.bytes() - before;
        }
    }

    /// Joins cells to this length, if they are shorter.
    fn widen(&mut self, length: u64) {
        let together = (length / self.cell).max(1) as usize;
        if together == 1 {
            return;
        }
        let joined = self.cells.chunks(together).map(|cells| {
            let mut sum = Cell::default();
            cells.iter().for_each(|cell| sum.add(cell));
            sum.latencies.0.shrink_to_fit();
            sum
        });
        self.cells = joined.collect();
        self.cell = length;
        self.bytes = self.cells.iter().map(Cell::bytes).sum();
    }

    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its points, each this many seconds wide: one of [`WIDTHS`] at which the whole curve fits a chart.
    pub fn points(&self, width: f64) -> Vec<CurvePoint> {
        let units = (width * 1000.0).round() as u64 / UNIT_MILLIS;
        let together = (units / self.cell).max(1) as usize;
        let points = self.cells.chunks(together).map(|cells| {
            let mut sum = Cell::default();
            cells.iter().for_each(|cell| sum.add(cell));
            let Cell { requests, failures, latencies } = sum;
            CurvePoint { requests, failures, percentiles: latencies.percentiles() }
        });
        points.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_any_length_has_few_cells_and_each_point_of_its_axis_consists_of_whole_ones() {
        let (mut curve, mut cell) = (Curve::default(), Cell::default());
        cell.record(10_000, true);
        // A request every second, for two days.
        for second in 0..172_800_u64 {
            let unit = second * 1000 / UNIT_MILLIS;
            let length = cell_of(level_of(unit));
            curve.add(unit / length * length, length, &cell);
            assert!(curve.cells.len() <= MOST_CELLS);
            assert_eq!(curve.bytes(), curve.cells.iter().map(Cell::bytes).sum::<usize>());
        }
        for width in [1800.0, 3600.0] {
            let points = curve.points(width);
            assert_eq!(points.len(), (172_800.0 / width) as usize);
            assert!(points.iter().all(|point| point.requests == width as u64), "{width}");
            assert_eq!((points[3].failures, points[3].percentiles.is_some()), (width as u64, true));
        }
        for level in 0..WIDTHS.len() {
            let cell = cell_of(level);
            assert!(units_from(level).all(|units| units % cell == 0), "{level}");
            assert!(units_from(level).next().is_some_and(|units| units / cell <= 2), "{level}");
        }
    }

    #[test]
    fn percentiles_are_exact_to_a_percent() {
        let (mut curve, mut cell) = (Curve::default(), Cell::default());
        (1..=1000).for_each(|millis| cell.record(millis * 1000, false));
        curve.add(0, 1, &cell);
        let found = curve.points(0.1)[0].percentiles.expect("latencies");
        for (found, want) in found.into_iter().zip([500.5, 950.05, 990.01]) {
            assert!((found - want).abs() <= want * 0.01, "{found} for {want}");
        }
        assert_eq!(Curve::default().points(0.1), []);
        for micros in (0..5000).chain([123_456, 999_999_999, u64::MAX]) {
            let near = micros.clamp(1, 3_600_000_000);
            assert!(u64::from(bucket(micros)).abs_diff(near) * 100 <= near, "{micros}");
        }
    }
}
