//! One line per request, successes first, in the reference's columns (RFC 4180, CRLF). A cell that
//! a spreadsheet would interpret as a formula gets a leading apostrophe, which is the only change
//! ever made to a text.

use std::io::{self, Write};

use super::rows::in_order;
use crate::escape::csv_cell;
use crate::record::Records;

/// The columns.
pub const COLUMNS: [&str; 8] = [
    "outcome",
    "Method",
    "test_url",
    "name",
    "status_code",
    "response_time_ms",
    "response_length",
    "error",
];

/// Writes all records.
pub fn write(records: &Records, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS)?;
    let (mut status, mut length) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut time = ryu::Buffer::new();
    for (outcome, row) in in_order(records) {
        writer.write_record([
            outcome.text().as_bytes(),
            csv_cell(&row.label.method).as_bytes(),
            csv_cell(&row.label.url).as_bytes(),
            csv_cell(&row.label.name).as_bytes(),
            row.status.map_or("", |code| status.format(code)).as_bytes(),
            time.format(row.response_ms).as_bytes(),
            length.format(row.bytes).as_bytes(),
            csv_cell(row.error.unwrap_or_default()).as_bytes(),
        ])?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::records;

    #[test]
    fn successes_precede_failures_in_the_columns_of_the_reference() {
        let records = records(&[
            ("POST", "http://x/", "", 0, 3.0, 0, Some("bad \"q\"\nx")),
            ("GET", "http://x/a?b&c", "n <1>", 200, 12.5, 3, None),
        ]);
        assert_eq!(
            written(|out| write(&records, out)),
            "outcome,Method,test_url,name,status_code,response_time_ms,response_length,error\r\n\
             success,GET,http://x/a?b&c,n <1>,200,12.5,3,\r\n\
             failure,POST,http://x/,,0,3.0,0,\"bad \"\"q\"\"\nx\"\r\n"
        );
    }
}
