//! CSV sources: a file gives the same rows however it is read, each of them once or in turn, and a
//! table that was written is the table that is read.

use std::io::{self, Read};

use ldctl::load::CsvRows;

use super::support::{Pieces, options};

/// More columns or rows than these are not looked at.
const MOST: usize = 16;

/// The first byte chooses whether the rest is a file or a table (cells end with 0x1f, rows with
/// 0x1e) and whether rows come again; the second and third are sizes of pieces.
pub fn check(data: &[u8]) {
    let ([choice, sizes @ ..], bytes) = options::<3>(data);
    if choice & 1 == 0 {
        file(bytes, choice & 2 != 0, sizes);
    } else {
        table(&String::from_utf8_lossy(bytes));
    }
}

fn file(bytes: &[u8], cycle: bool, sizes: [u8; 2]) {
    // The csv crate takes no notice of a byte order mark that comes in pieces, and takes one that
    // comes alone for the end. The product reads from memory, where neither happens.
    let [first, second] = sizes;
    let sizes = [if bytes.starts_with(b"\xef\xbb\xbf") { first.max(4) } else { first }, second];
    let whole = CsvRows::read(bytes, cycle);
    let pieces = CsvRows::read(Reading(Pieces::new(bytes, sizes)), cycle);
    let (whole, pieces) = match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => (whole, pieces),
        (Err(error), Err(_)) => {
            assert!(std::str::from_utf8(bytes).is_err(), "text is refused: {error}");
            return;
        }
        (whole, pieces) => panic!("{whole:?} and {pieces:?}"),
    };
    let mut rows = 0;
    // A row takes at least its line end.
    for turn in 0..=bytes.len() {
        let row = whole.next_row();
        assert_eq!(row, pieces.next_row());
        match row {
            None => break,
            Some(row) if row < turn => break,
            Some(row) => assert_eq!(row, turn),
        }
        rows += 1;
        for column in 0..MOST {
            assert_eq!(whole.cell(turn, column), pieces.cell(turn, column));
        }
    }
    assert!(rows <= bytes.len());
    if cycle && rows > 0 {
        assert_eq!(whole.next_row(), Some(1 % rows), "the second row follows the first");
    } else {
        assert_eq!(whole.next_row(), None);
    }
}

fn table(text: &str) {
    let rows: Vec<Vec<&str>> = text
        .split('\u{1e}')
        .take(MOST)
        .map(|row| row.split('\u{1f}').take(MOST).collect())
        .collect();
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    rows.iter().for_each(|row| writer.write_record(row).expect("written"));
    let written = writer.into_inner().expect("written");
    let source = CsvRows::read(written.as_slice(), false).expect("a CSV file");
    let Some((header, rows)) = rows.split_first() else { return };
    // A byte order mark before the first name is no part of it, and may leave nothing of the row.
    if header.concat().starts_with('\u{feff}') {
        return;
    }
    for name in header {
        assert_eq!(source.column(name), header.iter().position(|known| known == name));
    }
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(source.next_row(), Some(index));
        let read: Vec<_> = (0..row.len()).map(|column| source.cell(index, column)).collect();
        assert_eq!(read, row.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(source.cell(index, row.len()), None);
    }
    assert_eq!(source.next_row(), None);
}

/// A file that gives what it has in pieces.
struct Reading<'a>(Pieces<'a>);

impl Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Pieces are of at most 255 bytes, which every reader's buffer holds.
        let piece = self.0.next().unwrap_or_default();
        into[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}
