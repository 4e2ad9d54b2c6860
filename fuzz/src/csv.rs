//! CSV sources: a file has the rows that the csv crate reads, each of them once or in turn, and a
//! table that was written is the table that is read.

use ldctl::load::CsvRows;

use super::support::options;

/// More columns or rows than these are not looked at.
const MOST: usize = 16;

/// The first byte chooses whether the rest is a file or a table (cells end with 0x1f, rows with
/// 0x1e) and whether rows come again.
pub fn check(data: &[u8]) {
    let ([choice, ..], bytes) = options::<3>(data);
    if choice & 1 == 0 {
        file(bytes, choice & 2 != 0);
    } else {
        table(&String::from_utf8_lossy(bytes));
    }
}

fn file(bytes: &[u8], cycle: bool) {
    let read = match CsvRows::read(bytes, cycle) {
        Ok(read) => read,
        Err(error) => {
            assert!(std::str::from_utf8(bytes).is_err(), "text is refused: {error}");
            return;
        }
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let mut rows = 0;
    for expected in reader.records() {
        let expected = expected.expect("text");
        assert_eq!(read.next_row(), Some(rows));
        for column in 0..=expected.len() {
            assert_eq!(read.cell(rows, column), expected.get(column).map(str::as_bytes));
        }
        rows += 1;
    }
    assert_eq!(read.cell(rows, 0), None);
    assert_eq!(read.next_row(), (cycle && rows > 0).then_some(0), "the first row follows the last");
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
        assert_eq!(read, row.iter().map(|cell| Some(cell.as_bytes())).collect::<Vec<_>>());
        assert_eq!(source.cell(index, row.len()), None);
    }
    assert_eq!(source.next_row(), None);
}
