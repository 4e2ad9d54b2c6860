//! Every request as a row of an Excel file: a zip archive of a few XML parts. It is written as it
//! goes, so that its memory does not grow with the number of requests.

use std::borrow::Cow;
use std::io::{self, Write};

use super::rows::{Outcome, in_order};
use super::xml::escaped;
use super::zip::Archive;
use crate::record::{Records, Row};

/// The columns.
pub const COLUMNS: [&str; 8] = [
    "outcome",
    "Method",
    "name",
    "test_url",
    "status_code",
    "response_time_ms",
    "response_length",
    "error",
];

/// The most rows of a sheet of Excel, the head among them.
pub const MAX_ROWS: usize = 1_048_576;

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="txt" ContentType="text/plain"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;

const ROOT: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;

const WORKBOOK: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Records" sheetId="1" r:id="rId1"/></sheets></workbook>"#;

const SHEETS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;

/// Writes at most `most` rows, the head among them: the failures, and as many successes as there is
/// room for.
pub fn write(
    records: &Records,
    label: Option<&str>,
    most: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut archive = Archive::new(out);
    let parts = [
        ("[Content_Types].xml", CONTENT_TYPES),
        ("_rels/.rels", ROOT),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", SHEETS),
    ];
    for (name, text) in parts {
        archive.file(name, |part| part.write_all(text.as_bytes()))?;
    }
    archive.file("xl/worksheets/sheet1.xml", |part| sheet(records, most, part))?;
    if let Some(label) = label {
        archive.file("docProps/loaddensity.txt", |part| part.write_all(label.as_bytes()))?;
    }
    archive.finish()
}

fn sheet(records: &Records, most: usize, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(
        br#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">"#,
    )?;
    for (column, name) in COLUMNS.into_iter().enumerate() {
        text(out, column, 1, name)?;
    }
    out.write_all(b"</row>")?;
    let room = most.saturating_sub(1);
    let failures = records.rows().filter(Row::failed).count().min(room);
    let (mut successes, mut failures, mut number) = (room - failures, failures, 1);
    for (outcome, row) in in_order(records) {
        let left = match outcome {
            Outcome::Success => &mut successes,
            Outcome::Failure => &mut failures,
        };
        let Some(fewer) = left.checked_sub(1) else { continue };
        *left = fewer;
        number += 1;
        write!(out, "<row r=\"{number}\">")?;
        text(out, 0, number, outcome.text())?;
        text(out, 1, number, &row.label.method)?;
        text(out, 2, number, &row.label.name)?;
        text(out, 3, number, &row.label.url)?;
        match row.status {
            Some(status) => write!(out, "<c r=\"E{number}\"><v>{status}</v></c>")?,
            None => text(out, 4, number, "")?,
        }
        let mut time = ryu::Buffer::new();
        let time = time.format(row.response_ms);
        write!(
            out,
            "<c r=\"F{number}\"><v>{time}</v></c><c r=\"G{number}\"><v>{}</v></c>",
            row.bytes
        )?;
        text(out, 7, number, row.error.unwrap_or_default())?;
        out.write_all(b"</row>")?;
    }
    out.write_all(b"</sheetData></worksheet>")
}

/// A cell of text. Formulas have cells of their own kind: none is computed from a text.
fn text(out: &mut dyn Write, column: usize, row: usize, text: &str) -> io::Result<()> {
    let column = char::from(b'A' + u8::try_from(column).unwrap_or(0));
    let kept: Cow<'_, str> = match text.contains(is_illegal) {
        true => text.replace(is_illegal, "").into(),
        false => text.into(),
    };
    // Blanks at the ends count.
    let space = if kept.trim() == kept { "" } else { " xml:space=\"preserve\"" };
    let kept = escaped(&kept);
    write!(out, "<c r=\"{column}{row}\" t=\"inlineStr\"><is><t{space}>{kept}</t></is></c>")
}

/// Characters that XML cannot hold are dropped, as in the reference.
fn is_illegal(character: char) -> bool {
    matches!(character, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::super::zip::tests::unzipped;
    use super::*;
    use crate::record::fixture::{hostile, records};

    /// The rows of the sheet: each cell as its reference and its text.
    fn rows(records: &Records, most: usize) -> Vec<Vec<(String, String)>> {
        let mut file = Vec::new();
        write(records, Some("a label"), most, &mut file).expect("written");
        let parts = unzipped(&file);
        let names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[4..], ["xl/worksheets/sheet1.xml", "docProps/loaddensity.txt"]);
        assert_eq!(parts[5].1, b"a label");
        let sheet = String::from_utf8(parts[4].1.clone()).expect("UTF-8");
        let cell =
            regex::Regex::new("<c r=\"([A-H][0-9]+)\"[^>]*>(?s:(.*?))</c>").expect("a pattern");
        let tag = regex::Regex::new("<[^>]*>").expect("a pattern");
        sheet
            .split("<row ")
            .skip(1)
            .map(|row| {
                let cells = cell.captures_iter(row).map(|found| {
                    let text = tag.replace_all(&found[2], "").into_owned();
                    let text = quick_xml::escape::unescape(&text).expect("escaped").into_owned();
                    (found[1].to_owned(), text)
                });
                cells.collect()
            })
            .collect()
    }

    #[test]
    fn every_request_is_a_row_below_the_head() {
        let records = records(&[
            ("POST", "http://x/", "", 0, 3.0, 0, Some(" bad <q>")),
            ("GET", "http://x/a?b&c", "n <1>", 200, 12.5, 3, None),
        ]);
        let found = rows(&records, MAX_ROWS);
        let texts =
            |row: usize| found[row].iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>();
        assert_eq!(texts(0), COLUMNS);
        assert_eq!(texts(1), ["success", "GET", "n <1>", "http://x/a?b&c", "200", "12.5", "3", ""]);
        assert_eq!(texts(2), ["failure", "POST", "", "http://x/", "0", "3.0", "0", " bad <q>"]);
        assert_eq!(found[2][7].0, "H3");
    }

    #[test]
    fn beyond_the_end_of_a_sheet_successes_are_left_out_first() {
        let ok = ("GET", "u", "n", 200, 1.0, 1, None);
        let records = records(&[ok, ("GET", "u", "n", 500, 1.0, 1, Some("bad")), ok, ok]);
        let outcomes = |most| -> Vec<String> {
            rows(&records, most).iter().skip(1).map(|row| row[0].1.clone()).collect()
        };
        assert_eq!(outcomes(3), ["success", "failure"]);
        assert_eq!(outcomes(2), ["failure"]);
        assert_eq!(outcomes(1), [""; 0]);
    }

    #[test]
    fn t23_hostile_texts_are_read_back_from_excel() {
        let found = rows(&hostile(), MAX_ROWS);
        for (row, hostile) in found.iter().skip(1).zip(crate::record::fixture::HOSTILE) {
            assert_eq!(row[7].1, hostile.replace('\u{1b}', ""));
        }
    }
}
