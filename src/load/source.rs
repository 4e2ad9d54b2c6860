//! Rows of a CSV file that virtual users share: each user takes the next one, without waiting for
//! the others. A file becomes one block of bytes of about its own size ([`CsvTable`]), which all
//! sources of that content share ([`CsvTables`]).

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use csv_core::ReadRecordResult;
use sha2::{Digest as _, Sha256};

use crate::lock::lock;
use crate::memory::{Full, Memory, Share};

/// The most columns. Cells of a row beyond them are dropped: no placeholder can name them.
const MOST_COLUMNS: usize = 16_384;

/// Columns that a message lists.
const MOST_LISTED: usize = 20;

/// What marks may take of a table: one in so many of its bytes.
const MARKS: usize = 8;

/// Why a file is not a source.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// It is not text.
    #[error("it is not a CSV file: line {0} is not UTF-8")]
    Text(usize),
    /// Its first row is too long.
    #[error("its first row has more than {MOST_COLUMNS} columns")]
    Columns,
    /// It does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
}

/// The content of a CSV file. Each row is a head, the ends of its cells, and their text without
/// quotes: a byte more than in the file for rows of less than 256 bytes. Every so many rows a mark
/// leads to one.
pub struct CsvTable {
    bytes: Vec<u8>,
    /// The positions of the rows 0, `stride`, 2 × `stride`, …; row 0 has the names of the columns.
    marks: Vec<u32>,
    stride: usize,
    /// Rows besides row 0.
    rows: usize,
    /// What it takes of the ceiling.
    share: Share,
}

/// Without its content.
impl fmt::Debug for CsvTable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, rows, .. } = self;
        out.debug_struct("CsvTable")
            .field("bytes", &bytes.len())
            .field("rows", rows)
            .finish_non_exhaustive()
    }
}

impl CsvTable {
    /// Parses the content of a file, whose first row names the columns. Rows may be short or long.
    pub fn read(text: &[u8], memory: &Arc<Memory>) -> Result<Self, CsvError> {
        if let Err(error) = std::str::from_utf8(text) {
            let before = text.get(..error.valid_up_to()).unwrap_or_default();
            return Err(CsvError::Text(memchr::memchr_iter(b'\n', before).count() + 1));
        }
        let mut table = Self {
            bytes: Vec::new(),
            marks: Vec::new(),
            stride: 1,
            rows: 0,
            share: memory.share("CSV sources"),
        };
        table.room(text.len())?;
        let mut parser = Parser::new(text, memory);
        let mut number = 0;
        while parser.next_row()? {
            if number == 0 && parser.surplus {
                return Err(CsvError::Columns);
            }
            table.push(number, parser.cells())?;
            number += 1;
        }
        table.rows = number.saturating_sub(1);
        table.bytes.shrink_to_fit();
        table.marks.shrink_to_fit();
        table.count()?;
        Ok(table)
    }

    /// A column's place by its name.
    fn column(&self, name: &str) -> Option<usize> {
        self.names().position(|column| column == name.as_bytes())
    }

    /// The names of the columns.
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        let row = self.row(0);
        (0..).map_while(move |column| row?.cell(column))
    }

    /// A row, from 1 on; row 0 has the names of the columns.
    #[inline]
    fn row(&self, number: usize) -> Option<Row<'_>> {
        let mark = *self.marks.get(number / self.stride)?;
        let mut row = Row::at(self.bytes.get(usize::try_from(mark).ok()?..)?)?;
        for _ in 0..number % self.stride {
            row = Row::at(row.text.get(row.end(row.cells)?..)?)?;
        }
        Some(row)
    }

    /// Appends a row.
    fn push(&mut self, number: usize, (ends, text): (&[usize], &[u8])) -> Result<(), CsvError> {
        if number.is_multiple_of(self.stride) {
            // Positions fit: a file has at most 64 MiB.
            self.marks.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
            if self.marks.len() * size_of::<u32>() * MARKS > self.bytes.len() + 4096 {
                self.stride *= 2;
                let mut even = false;
                self.marks.retain(|_| {
                    even = !even;
                    even
                });
            }
        }
        let width = Width::of(text.len());
        let mut head = ends.len() << 2 | width.code();
        self.room(8 + ends.len() * width.bytes() + text.len())?;
        while head >= 0x80 {
            self.bytes.push((head & 0x7f) as u8 | 0x80);
            head >>= 7;
        }
        self.bytes.push(head as u8);
        for end in ends {
            self.bytes.extend(end.to_le_bytes().iter().take(width.bytes()));
        }
        self.bytes.extend_from_slice(text);
        Ok(())
    }

    /// Makes room for more bytes.
    fn room(&mut self, more: usize) -> Result<(), Full> {
        if self.bytes.capacity() - self.bytes.len() < more {
            let more = more.max(self.bytes.capacity() / 8);
            self.share.set(self.bytes.len() + more + self.marks.capacity() * size_of::<u32>())?;
            self.bytes.reserve_exact(more);
        }
        Ok(())
    }

    /// Takes what it holds of the ceiling.
    fn count(&mut self) -> Result<(), Full> {
        let marks = self.marks.capacity() * size_of::<u32>();
        self.share.set(self.bytes.capacity() + marks + size_of::<Self>())
    }
}

/// How many bytes the end of a cell takes.
#[derive(Clone, Copy)]
enum Width {
    One,
    Two,
    Four,
}

impl Width {
    fn of(length: usize) -> Self {
        match length {
            0..0x100 => Self::One,
            0x100..0x1_0000 => Self::Two,
            _ => Self::Four,
        }
    }

    fn code(self) -> usize {
        match self {
            Self::One => 0,
            Self::Two => 1,
            Self::Four => 2,
        }
    }

    fn bytes(self) -> usize {
        1 << self.code()
    }
}

/// A row of a table.
#[derive(Clone, Copy)]
struct Row<'t> {
    /// How many cells it has.
    cells: usize,
    ends: &'t [u8],
    width: Width,
    /// The text of its cells, and what follows the row.
    text: &'t [u8],
}

impl<'t> Row<'t> {
    #[inline]
    fn at(mut bytes: &'t [u8]) -> Option<Self> {
        let (mut head, mut shift) = (0, 0);
        loop {
            let (byte, rest) = bytes.split_first()?;
            head |= usize::from(byte & 0x7f) << shift;
            (bytes, shift) = (rest, shift + 7);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let width = match head & 3 {
            0 => Width::One,
            1 => Width::Two,
            _ => Width::Four,
        };
        let cells = head >> 2;
        let (ends, text) = bytes.split_at_checked(cells * width.bytes())?;
        Some(Self { cells, ends, width, text })
    }

    /// Where the first `cells` cells end in the text.
    #[inline]
    fn end(&self, cells: usize) -> Option<usize> {
        let Some(last) = cells.checked_sub(1) else { return Some(0) };
        Some(match self.width {
            Width::One => usize::from(*self.ends.get(last)?),
            Width::Two => {
                let ends = self.ends.get(last * 2..)?;
                usize::from(u16::from_le_bytes(*ends.first_chunk()?))
            }
            Width::Four => {
                let ends = self.ends.get(last * 4..)?;
                usize::try_from(u32::from_le_bytes(*ends.first_chunk()?)).ok()?
            }
        })
    }

    #[inline]
    fn cell(&self, column: usize) -> Option<&'t [u8]> {
        if column >= self.cells {
            return None;
        }
        self.text.get(self.end(column)?..self.end(column + 1)?)
    }
}

/// Splits a text into rows; blank lines are none.
struct Parser<'t> {
    core: csv_core::Reader,
    rest: &'t [u8],
    /// The text of the current row's cells, and room for more.
    text: Vec<u8>,
    /// Where its cells end.
    ends: Vec<usize>,
    /// How many it has.
    cells: usize,
    /// Whether it had more than [`MOST_COLUMNS`].
    surplus: bool,
    /// The text and the ends of dropped cells.
    dropped: ([u8; 1024], [usize; 64]),
    /// What `text` takes of the ceiling.
    share: Share,
}

impl<'t> Parser<'t> {
    fn new(text: &'t [u8], memory: &Arc<Memory>) -> Self {
        Self {
            core: csv_core::Reader::new(),
            rest: text,
            text: vec![0; 1024],
            ends: vec![0; MOST_COLUMNS],
            cells: 0,
            surplus: false,
            dropped: ([0; 1024], [0; 64]),
            share: memory.share("a row of a CSV source"),
        }
    }

    /// Reads the next row; returns `false` at the end.
    fn next_row(&mut self) -> Result<bool, Full> {
        (self.cells, self.surplus) = (0, false);
        let mut length = 0;
        loop {
            let (text, ends) = match self.surplus {
                false => (
                    self.text.get_mut(length..).unwrap_or_default(),
                    self.ends.get_mut(self.cells..).unwrap_or_default(),
                ),
                true => (&mut self.dropped.0[..], &mut self.dropped.1[..]),
            };
            let (result, read, written, ended) = self.core.read_record(self.rest, text, ends);
            self.rest = self.rest.get(read..).unwrap_or_default();
            if !self.surplus {
                length += written;
                self.cells += ended;
            }
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.surplus => {}
                ReadRecordResult::OutputFull => {
                    self.share.set(self.text.len() * 2)?;
                    self.text.resize(self.text.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => self.surplus = true,
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// The ends of the current row's cells, and their text.
    fn cells(&self) -> (&[usize], &[u8]) {
        let ends = self.ends.get(..self.cells).unwrap_or_default();
        let length = ends.last().copied().unwrap_or(0);
        (ends, self.text.get(..length).unwrap_or_default())
    }
}

/// The tables in use, by the digest of their file's content: one copy for all sources that read the
/// same bytes.
#[derive(Debug, Default)]
pub struct CsvTables(Mutex<HashMap<[u8; 32], Weak<CsvTable>>>);

impl CsvTables {
    /// Returns the table of a file's content.
    pub fn of(&self, content: &[u8], memory: &Arc<Memory>) -> Result<Arc<CsvTable>, CsvError> {
        let digest = Sha256::digest(content).into();
        if let Some(known) = lock(&self.0).get(&digest).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let table = Arc::new(CsvTable::read(content, memory)?);
        let mut tables = lock(&self.0);
        // Another document may have read the same meanwhile.
        if let Some(known) = tables.get(&digest).and_then(Weak::upgrade) {
            return Ok(known);
        }
        tables.retain(|_, table| table.strong_count() > 0);
        tables.insert(digest, Arc::downgrade(&table));
        Ok(table)
    }
}

/// The rows of a table, and the position of its users.
#[derive(Debug)]
pub struct CsvRows {
    table: Arc<CsvTable>,
    cycle: bool,
    next: AtomicUsize,
    /// Which part of how many equal ones its users take rows of, from 0.
    part: (usize, usize),
}

impl CsvRows {
    /// A missing cell is unresolved. With `cycle` the rows start over after the last one, otherwise
    /// they run out.
    pub fn new(table: Arc<CsvTable>, cycle: bool) -> Self {
        Self { table, cycle, next: AtomicUsize::new(0), part: (0, 1) }
    }

    /// Only every so many rows, from one of the first on: each row is in one of the parts.
    #[must_use]
    pub fn part(self, part: usize, parts: usize) -> Self {
        Self { part: (part, parts.max(1)), ..self }
    }

    /// How many rows its users take.
    fn taken(&self) -> usize {
        let (part, parts) = self.part;
        self.table.rows.saturating_sub(part).div_ceil(parts)
    }

    /// The rows of a text.
    pub fn read(text: &[u8], cycle: bool) -> Result<Self, CsvError> {
        let table = CsvTable::read(text, &Memory::new(usize::MAX))?;
        Ok(Self::new(Arc::new(table), cycle))
    }

    /// The columns of a CSV file, from its first row.
    pub fn header(from: impl Read) -> Result<Vec<String>, csv::Error> {
        let mut reader = csv::Reader::from_reader(from);
        Ok(reader.headers()?.iter().map(str::to_owned).collect())
    }

    /// A column's place by its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.table.column(name)
    }

    /// The names of the first columns, for a message.
    pub fn columns(&self) -> String {
        let mut names = self.table.names().map(|name| String::from_utf8_lossy(name).into_owned());
        let mut listed: Vec<String> = names.by_ref().take(MOST_LISTED).collect();
        listed.extend(names.next().map(|_| "…".to_owned()));
        listed.join(", ")
    }

    /// Takes the index of the next row.
    pub fn next_row(&self) -> Option<usize> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let (part, parts) = self.part;
        let rows = self.taken();
        let turn = if self.cycle { turn.checked_rem(rows)? } else { turn };
        (turn < rows).then(|| part + turn * parts)
    }

    /// Returns a cell's text, in UTF-8.
    pub fn cell(&self, row: usize, column: usize) -> Option<&[u8]> {
        if row >= self.table.rows {
            return None;
        }
        self.table.row(row + 1)?.cell(column)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn memory() -> Arc<Memory> {
        Memory::new(1 << 30)
    }

    /// The cells of all rows, and of none after them.
    fn cells(text: &[u8]) -> Vec<Vec<String>> {
        let rows = CsvRows::read(text, false).expect("a source");
        let text = |cell: &[u8]| String::from_utf8(cell.to_vec()).expect("text");
        let row = |row| (0..).map_while(|column| rows.cell(row, column)).map(text).collect();
        assert_eq!(rows.cell(rows.table.rows, 0), None);
        (0..rows.table.rows).map(row).collect()
    }

    /// The same by the csv crate.
    fn expected(text: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
        let rows = reader.records().map(|row| row.expect("a row"));
        rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn each_row_is_in_one_of_the_parts_and_parts_start_over_by_themselves() {
        let text = b"a\n0\n1\n2\n3\n4\n5\n6\n";
        let taken = |part, parts, cycle| {
            let rows = CsvRows::read(text, cycle).expect("a source").part(part, parts);
            (0..4).map(|_| rows.next_row()).collect::<Vec<_>>()
        };
        assert_eq!(taken(0, 3, false), [Some(0), Some(3), Some(6), None]);
        assert_eq!(taken(1, 3, false), [Some(1), Some(4), None, None]);
        assert_eq!(taken(2, 3, true), [Some(2), Some(5), Some(2), Some(5)]);
        assert_eq!(taken(7, 9, true), [None; 4], "there are fewer rows than parts");
        assert_eq!(taken(0, 1, false), [Some(0), Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn quotes_line_ends_byte_order_marks_and_short_and_long_rows_are_read_as_before() {
        for text in [
            "",
            "a",
            "a\n",
            "a,b\n1,2\n3,4",
            "\u{feff}a,b\r\n1,2\r\n\r\n3\r\n4,5,6\r\n",
            "a,b\n\"x,\"\"y\"\"\",\"line\nbreak\"\n,\n\"\",\"\"\n\"open",
            "a\n\n\n1\n\n2\n",
            "é,ü\nö,\u{1f600}\n",
        ] {
            assert_eq!(cells(text.as_bytes()), expected(text.as_bytes()), "{text:?}");
        }
        let rows = CsvRows::read("\u{feff}a,\"b\"\"\",c\n".as_bytes(), true).expect("a source");
        assert_eq!(
            [rows.column("a"), rows.column("b\""), rows.column("d")],
            [Some(0), Some(1), None]
        );
        assert_eq!((rows.columns(), rows.next_row()), ("a, b\", c".to_owned(), None));
        let error = CsvRows::read(b"a\n1\n\xff\n", true).expect_err("no text");
        assert_eq!(error.to_string(), "it is not a CSV file: line 3 is not UTF-8");
    }

    proptest! {
        #[test]
        fn any_text_has_the_rows_that_the_csv_crate_reads(text in "[ab,\"\r\né]{0,80}", times in 1..40_usize) {
            let text = text.repeat(times);
            prop_assert_eq!(cells(text.as_bytes()), expected(text.as_bytes()));
        }

        #[test]
        fn cells_of_any_length_are_found(lengths in proptest::collection::vec(0..70_000_usize, 1..6), times in 1..20) {
            let row: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let row = row.join(",") + "|\n";
            let text = row.repeat(usize::try_from(times).expect("a number"));
            prop_assert_eq!(cells(text.as_bytes()), expected(text.as_bytes()));
        }
    }

    #[test]
    fn t38_a_table_takes_no_more_than_twice_its_file() {
        let wide = format!("{}\n", "1,".repeat(3000)).repeat(100);
        let blank = format!("{}\n", ",".repeat(10_000)).repeat(50);
        for (rows, what) in [
            ("1\n".repeat(1_000_000), "rows of a digit"),
            (",\n".repeat(500_000), "rows of two empty cells"),
            ("1,2\n".repeat(500_000), "rows of two digits"),
            ("name,\"street 12, somewhere\",2026-11-25\n".repeat(50_000), "rows of text"),
            (wide, "wide rows"),
            (blank, "wide rows without text"),
            (format!("{}\n", "x".repeat(300)).repeat(10_000), "long cells"),
        ] {
            let (text, memory) = (format!("a,b\n{rows}"), memory());
            let table = CsvTable::read(text.as_bytes(), &memory).expect("a table");
            let (taken, allowed) = (memory.taken(), text.len() * 2);
            assert!(taken <= allowed, "{what}: {taken} for {}", text.len());
            drop(table);
            assert_eq!(memory.taken(), 0);
        }
    }

    #[test]
    fn t38_names_of_one_content_share_one_table_while_one_of_them_uses_it() {
        let (tables, memory) = (CsvTables::default(), memory());
        let text = format!("a,b\n{}", "1,2\n".repeat(10_000));
        let table = || tables.of(text.as_bytes(), &memory).expect("a table");
        let first = CsvRows::new(table(), true);
        let once = memory.taken();
        let others: Vec<_> = (0..100).map(|_| CsvRows::new(table(), false)).collect();
        assert_eq!(memory.taken(), once);
        assert_eq!(
            (first.next_row(), first.next_row(), others[0].next_row()),
            (Some(0), Some(1), Some(0))
        );
        let _changed = tables.of(b"a\n1\n", &memory).expect("another table");
        assert!(memory.taken() > once);
        drop((first, others));
        assert!(memory.taken() < once);
        let _again = table();
        assert_eq!(lock(&tables.0).len(), 2, "tables without users are forgotten");
    }

    #[test]
    fn t38_a_table_over_the_ceiling_is_refused_and_takes_nothing() {
        let memory = Memory::new(1 << 20);
        let text = format!("a\n{}", "x".repeat(2 << 20));
        let error = CsvTable::read(text.as_bytes(), &memory).expect_err("refused").to_string();
        assert!(error.starts_with("CSV sources: 2 MiB more do not fit"), "{error}");
        assert!(error.ends_with("(--max-memory)"), "{error}");
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn t38_columns_are_limited_and_surplus_cells_of_a_row_are_dropped() {
        let commas = ",".repeat(5_000_000);
        let error = CsvTable::read(commas.as_bytes(), &memory()).expect_err("refused");
        assert_eq!(error.to_string(), "its first row has more than 16384 columns");
        let most = ",".repeat(MOST_COLUMNS - 1);
        assert!(CsvTable::read(most.as_bytes(), &memory()).is_ok());
        let memory = memory();
        let text = format!("a,b\n1,2{commas}\n3,4\n");
        let rows = CsvRows::new(
            Arc::new(CsvTable::read(text.as_bytes(), &memory).expect("a table")),
            true,
        );
        assert_eq!((rows.cell(0, 1), rows.cell(1, 1)), (Some(&b"2"[..]), Some(&b"4"[..])));
        assert!(memory.taken() < 1 << 17, "{}", memory.taken());
    }
}
