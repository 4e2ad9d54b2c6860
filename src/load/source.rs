//! Rows of a CSV file that virtual users share: each user takes the next one, without waiting for
//! the others.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A CSV file in memory, and the position of its users.
#[derive(Debug)]
pub struct CsvRows {
    columns: Vec<String>,
    rows: Vec<csv::StringRecord>,
    cycle: bool,
    next: AtomicUsize,
}

impl CsvRows {
    /// Reads a CSV file whose first row names the columns. Rows may be short; a missing cell is
    /// unresolved. With `cycle` the rows start over after the last one, otherwise they run out.
    pub fn read(from: impl Read, cycle: bool) -> Result<Self, csv::Error> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(from);
        let columns = reader.headers()?.iter().map(str::to_owned).collect();
        let rows = reader.records().collect::<Result<_, _>>()?;
        Ok(Self { columns, rows, cycle, next: AtomicUsize::new(0) })
    }

    /// The columns of a CSV file, from its first row.
    pub fn header(from: impl Read) -> Result<Vec<String>, csv::Error> {
        let mut reader = csv::Reader::from_reader(from);
        Ok(reader.headers()?.iter().map(str::to_owned).collect())
    }

    /// A column's place by its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Takes the index of the next row.
    pub fn next_row(&self) -> Option<usize> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if self.cycle {
            return turn.checked_rem(self.rows.len());
        }
        (turn < self.rows.len()).then_some(turn)
    }

    /// Returns a cell.
    pub fn cell(&self, row: usize, column: usize) -> Option<&str> {
        self.rows.get(row)?.get(column)
    }
}
