//! The rows: 32 bytes per request, in chunks, so that a growing record is never copied. A value too
//! large for its cell goes to a side table, which is empty except in unusual runs.

use std::time::Duration;

use super::sample::{ErrorId, LabelId, Sample, TICK_NANOS};

/// Rows in a chunk, 256 KiB each: a short run wastes little and a long one rarely allocates.
pub(super) const CHUNK: usize = 8192;

/// The memory of a row, in bytes.
const ROW_BYTES: usize = size_of::<Cells>();

/// Marks a cell whose value is in the side table.
const WIDE: u32 = u32::MAX;

/// A row: what is written for a request lies together, and so does what is read of it.
#[derive(Debug, Clone, Copy)]
struct Cells {
    start: u64,
    service: u32,
    delay: u32,
    bytes: u32,
    label: u32,
    /// The error's index plus one; 0 means no error.
    error: u32,
    status: u16,
}

/// Values that do not fit 32 bits, by row; rows only grow, so it stays sorted.
#[derive(Debug, Default)]
struct WideValues(Vec<(u64, u64)>);

impl WideValues {
    fn narrow(&mut self, row: u64, value: u64) -> u32 {
        match u32::try_from(value) {
            Ok(narrow) if narrow != WIDE => narrow,
            _ => {
                self.0.push((row, value));
                WIDE
            }
        }
    }

    fn widen(&self, row: u64, cell: u32) -> u64 {
        if cell != WIDE {
            return u64::from(cell);
        }
        let found = self.0.binary_search_by_key(&row, |(row, _)| *row);
        found.ok().and_then(|at| self.0.get(at)).map_or(u64::from(WIDE), |(_, value)| *value)
    }
}

/// Every request of one worker.
#[derive(Debug, Default)]
pub struct Rows {
    chunks: Vec<Vec<Cells>>,
    rows: u64,
    wide_service: WideValues,
    wide_delay: WideValues,
    wide_bytes: WideValues,
}

impl Rows {
    /// The memory of a chunk, in bytes.
    pub(super) const CHUNK_BYTES: usize = CHUNK * ROW_BYTES;

    /// Adds room for a chunk of rows.
    pub(super) fn grow(&mut self) {
        self.chunks.push(Vec::with_capacity(CHUNK));
    }

    /// Adds a row if there is room for it; returns whether there was.
    pub(super) fn push(&mut self, sample: Sample) -> bool {
        let Some(chunk) = self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) else {
            return false;
        };
        let row = self.rows;
        self.rows += 1;
        chunk.push(Cells {
            start: ticks(sample.start),
            service: self.wide_service.narrow(row, ticks(sample.service)),
            delay: self.wide_delay.narrow(row, ticks(sample.delay)),
            bytes: self.wide_bytes.narrow(row, sample.bytes),
            label: sample.label.0,
            error: sample.error.map_or(0, |error| error.0 + 1),
            status: sample.status,
        });
        true
    }

    /// Frees what the last chunk does not use: no more rows come.
    pub(super) fn seal(&mut self) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.shrink_to_fit();
        }
        self.chunks.shrink_to_fit();
        let sides = [&mut self.wide_service, &mut self.wide_delay, &mut self.wide_bytes];
        sides.into_iter().for_each(|side| side.0.shrink_to_fit());
    }

    pub(super) fn len(&self) -> usize {
        self.rows as usize
    }

    pub(super) fn memory(&self) -> usize {
        let side = [&self.wide_service, &self.wide_delay, &self.wide_bytes];
        let last = self.chunks.last().map_or(0, Vec::capacity);
        (self.chunks.len().saturating_sub(1) * CHUNK + last) * ROW_BYTES
            + side.iter().map(|side| side.0.capacity() * 16).sum::<usize>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Sample> {
        self.since(0)
    }

    /// Label index, failed, and latency in ticks, of the rows that were sent at least so long after the
    /// start of the run.
    pub(super) fn latencies(&self, since: Duration) -> impl Iterator<Item = (usize, bool, u64)> {
        let since = ticks(since);
        let rows = self.chunks.iter().flatten().zip(0..);
        rows.filter(move |(cells, _)| cells.start >= since).map(|(cells, row)| {
            let service = self.wide_service.widen(row, cells.service);
            let latency = service + self.wide_delay.widen(row, cells.delay);
            (cells.label as usize, cells.error != 0, latency)
        })
    }

    /// The rows from this number on.
    pub(super) fn since(&self, row: usize) -> impl Iterator<Item = Sample> {
        let before = row / CHUNK;
        let rows = self.chunks.iter().skip(before).flatten().zip((before * CHUNK) as u64..);
        rows.skip(row % CHUNK).map(|(cells, row)| Sample {
            start: span(cells.start),
            service: span(self.wide_service.widen(row, cells.service)),
            delay: span(self.wide_delay.widen(row, cells.delay)),
            bytes: self.wide_bytes.widen(row, cells.bytes),
            label: LabelId(cells.label),
            error: cells.error.checked_sub(1).map(ErrorId),
            status: cells.status,
        })
    }
}

fn ticks(span: Duration) -> u64 {
    // 2^64 ns are 584 years.
    span.as_nanos() as u64 / TICK_NANOS
}

fn span(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(TICK_NANOS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_back_as_pushed_across_chunks_and_beyond_32_bits() {
        let mut rows = Rows::default();
        let samples: Vec<Sample> = (0..2 * CHUNK as u64 + 3)
            .map(|row| Sample {
                start: Duration::from_micros(row),
                service: Duration::from_secs(if row % 1000 == 7 { 7200 } else { 0 }),
                delay: Duration::from_secs(if row % 1000 == 8 { 3600 } else { 0 }),
                bytes: if row % 1000 == 9 { 1 << 40 } else { row },
                label: LabelId(row as u32),
                error: (row % 1000 < 2).then_some(ErrorId(row as u32 % 2)),
                status: 200,
            })
            .collect();
        let mut chunks = 0;
        for sample in &samples {
            if !rows.push(*sample) {
                rows.grow();
                chunks += 1;
                assert!(rows.push(*sample), "there is room");
            }
        }
        assert!(rows.iter().eq(samples.iter().copied()));
        for row in [1, 1007, CHUNK, 2 * CHUNK + 1, samples.len(), samples.len() + CHUNK] {
            assert!(rows.since(row).eq(samples.iter().copied().skip(row)), "{row}");
        }
        let since = Duration::from_micros(CHUNK as u64);
        let latency =
            |sample: &Sample| (sample.service + sample.delay).as_nanos() as u64 / TICK_NANOS;
        let kept = samples.iter().filter(|sample| sample.start >= since);
        let kept =
            kept.map(|sample| (sample.label.0 as usize, sample.error.is_some(), latency(sample)));
        assert!(rows.latencies(since).eq(kept));
        assert_eq!((rows.len(), chunks), (samples.len(), 3));
        let before = rows.memory();
        rows.seal();
        assert!(rows.iter().eq(samples.iter().copied()));
        assert!(rows.memory() < before - 200_000, "{} of {before}", rows.memory());
    }

    #[test]
    fn a_million_rows_take_at_most_forty_bytes_each() {
        let mut rows = Rows::default();
        for row in 0..1_000_000 {
            if row % CHUNK as u64 == 0 {
                rows.grow();
            }
            rows.push(Sample {
                start: Duration::from_micros(row),
                service: Duration::from_micros(50),
                delay: Duration::ZERO,
                bytes: 17,
                label: LabelId(0),
                error: None,
                status: 200,
            });
        }
        assert!(rows.memory() <= 40 * 1_000_000, "{} bytes", rows.memory());
    }
}
