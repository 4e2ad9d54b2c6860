//! The fields of the JSON report as XML elements below `xml_data`, as in the reference. The JUnit
//! report uses the same escaping.

use std::borrow::Cow;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::json::{fields, key};
use super::rows::Outcome;
use crate::record::Records;

const ROOT: &str = "xml_data";

/// Writes the records with this outcome, one tab per level.
pub fn write(records: &Records, outcome: Outcome, out: &mut dyn Write) -> io::Result<()> {
    write_each(records, &[outcome], out)
}

/// Writes all records below one element, successes first.
pub fn write_all(records: &Records, out: &mut dyn Write) -> io::Result<()> {
    write_each(records, &Outcome::BOTH, out)
}

fn write_each(records: &Records, outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer::new_with_indent(out, b'\t', 1);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", None, None)))?;
    elements(records, outcomes, &mut writer)?;
    writer.get_mut().write_all(b"\n")
}

/// The same on one line and without a declaration, as the reference returns it as a value.
pub fn value(records: &Records, outcome: Outcome) -> io::Result<String> {
    let mut writer = Writer::new(Vec::new());
    elements(records, &[outcome], &mut writer)?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn elements<W: Write>(
    records: &Records,
    outcomes: &[Outcome],
    writer: &mut Writer<W>,
) -> io::Result<()> {
    let rows = |outcome: &Outcome| {
        let outcome = *outcome;
        outcome.rows(records).zip(1u64..).map(move |(row, number)| (outcome, row, number))
    };
    let mut rows = outcomes.iter().flat_map(rows).peekable();
    if rows.peek().is_none() {
        return writer.write_event(Event::Empty(BytesStart::new(ROOT)));
    }
    writer.write_event(Event::Start(BytesStart::new(ROOT)))?;
    for (outcome, row, number) in rows {
        let key = key(outcome, number);
        writer.write_event(Event::Start(BytesStart::new(&key)))?;
        for (name, text) in fields(outcome, &row) {
            element(writer, name, &text)?;
        }
        writer.write_event(Event::End(BytesEnd::new(&key)))?;
    }
    writer.write_event(Event::End(BytesEnd::new(ROOT)))
}

fn element<W: Write>(writer: &mut Writer<W>, name: &str, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return writer.write_event(Event::Empty(BytesStart::new(name)));
    }
    writer.write_event(Event::Start(BytesStart::new(name)))?;
    writer.write_event(Event::Text(BytesText::from_escaped(escaped(text))))?;
    writer.write_event(Event::End(BytesEnd::new(name)))
}

/// A text between tags. A carriage return becomes a character reference, because a parser would
/// turn it into a line feed.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, |character| match character {
        '\r' => Some("&#13;"),
        '\n' | '\t' => None,
        other => common(other),
    })
}

/// A text in an attribute, where a parser would turn line ends and tabs into spaces.
pub(super) fn escaped_attribute(text: &str) -> Cow<'_, str> {
    replaced(text, |character| match character {
        '"' => Some("&quot;"),
        '\'' => Some("&apos;"),
        '\r' => Some("&#13;"),
        '\n' => Some("&#10;"),
        '\t' => Some("&#9;"),
        other => common(other),
    })
}

fn common(character: char) -> Option<&'static str> {
    match character {
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        // Characters that XML 1.0 cannot hold at all (section 2.2).
        '\u{0}'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => Some("\u{fffd}"),
        _ => None,
    }
}

fn replaced(text: &str, by: impl Fn(char) -> Option<&'static str>) -> Cow<'_, str> {
    if text.chars().all(|character| by(character).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match by(character) {
            Some(replacement) => out.push_str(replacement),
            None => out.push(character),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::records;

    #[test]
    fn a_record_is_an_element_with_an_element_per_field() {
        let records = records(&[("POST", "http://x/", "", 0, 3.0, 0, Some("a < b"))]);
        assert_eq!(
            written(|out| write(&records, Outcome::Failure, out)),
            "<?xml version=\"1.0\"?>\n<xml_data>\n\t<Failure_Test1>\n\t\t<Method>POST</Method>\n\
             \t\t<test_url>http://x/</test_url>\n\t\t<name/>\n\
             \t\t<status_code>0</status_code>\n\t\t<error>a &lt; b</error>\n\
             \t</Failure_Test1>\n</xml_data>\n"
        );
        assert_eq!(value(&records, Outcome::Success).expect("written"), "<xml_data/>");
    }
}
