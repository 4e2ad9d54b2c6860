//! The figures of `LD_summary` as a JSON document, indented by two spaces as in the reference.

use std::io::{self, Write};

use super::kept::Kept;
use crate::record::Records;

/// Writes the summary of all records with what the reference does not say.
pub fn write_details(records: &Records, out: &mut dyn Write) -> io::Result<()> {
    Ok(serde_json::to_writer_pretty(out, &records.summary().to_details())?)
}

/// Writes the summary that is kept of a run.
pub fn write_kept(kept: &Kept<'_>, out: &mut dyn Write) -> io::Result<()> {
    Ok(serde_json::to_writer_pretty(out, kept.summary)?)
}

/// Writes the summary of all records.
pub fn write(records: &Records, out: &mut dyn Write) -> io::Result<()> {
    Ok(serde_json::to_writer_pretty(out, &records.summary().to_value())?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::records;
    use crate::value::Value;

    #[test]
    fn the_document_equals_the_result_of_the_command() {
        let records = records(&[
            ("GET", "http://x/", "n", 200, 12.5, 3, None),
            ("GET", "http://x/", "n", 0, 3.0, 0, Some("bad")),
        ]);
        let text = written(|out| write(&records, out));
        assert!(text.starts_with("{\n  \"totals\": {\n    \"requests\": 2,"), "{text}");
        assert_eq!(Value::parse(&text).expect("JSON"), records.summary().to_value());
    }
}
