//! JUnit XML for CI systems. A testcase for each request is what the reference writes; for real runs
//! there is one for each name, or one for each gate.

use std::io::{self, Write};

use indexmap::IndexMap;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::rows::{in_order, name_of};
use super::xml::{escaped, escaped_attribute};
use crate::record::Records;
use crate::record::gates::{Rule, Verdict};

/// What a testcase stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Per {
    /// One request.
    #[default]
    Request,
    /// All requests of one method and name; it fails where one of them failed.
    Name,
    /// One gate.
    Rule,
}

/// Errors of one name that its testcase lists; further ones are counted.
const MAX_ERRORS: usize = 20;

/// Writes a test suite. The rules count where a testcase stands for one.
pub fn write(records: &Records, per: Per, rules: &[Rule], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer::new(out);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    match per {
        Per::Request => requests(records, &mut writer),
        Per::Name => names(records, &mut writer),
        Per::Rule => {
            let summary = records.summary();
            let verdicts: Vec<Verdict> = rules.iter().map(|rule| rule.judge(&summary)).collect();
            gates(&verdicts, &mut writer)
        }
    }
}

fn requests<W: Write>(records: &Records, writer: &mut Writer<W>) -> io::Result<()> {
    let failures = records.rows().filter(|row| row.failed()).count();
    suite(records.len(), failures, writer, |writer| {
        in_order(records).try_for_each(|(_, row)| {
            let seconds = row.response_ms / 1000.0;
            let error = row.error.map(|error| if error.is_empty() { NO_TEXT } else { error });
            testcase(writer, &row.label.method, name_of(&row), seconds, error.map(|e| (e, e)))
        })
    })
}

/// What stands where an error has no text.
const NO_TEXT: &str = "request failed";

#[derive(Default)]
struct Totals<'a> {
    requests: u64,
    seconds: f64,
    errors: IndexMap<&'a str, u64>,
}

fn names<W: Write>(records: &Records, writer: &mut Writer<W>) -> io::Result<()> {
    let mut names: IndexMap<(&str, &str), Totals<'_>> = IndexMap::new();
    for row in records.rows() {
        let totals = names.entry((&row.label.method, name_of(&row))).or_default();
        totals.requests += 1;
        totals.seconds += row.response_ms / 1000.0;
        if let Some(error) = row.error {
            *totals.errors.entry(error).or_default() += 1;
        }
    }
    let failing = names.values().filter(|totals| !totals.errors.is_empty()).count();
    suite(names.len(), failing, writer, |writer| {
        for ((method, name), mut totals) in names {
            let failures: u64 = totals.errors.values().sum();
            let message = format!("{failures} of {} requests failed", totals.requests);
            totals.errors.sort_by(|_, a, _, b| b.cmp(a));
            let mut lines: Vec<String> = totals
                .errors
                .iter()
                .take(MAX_ERRORS)
                .map(|(error, count)| format!("{count} × {error}"))
                .collect();
            if totals.errors.len() > MAX_ERRORS {
                lines.push(format!("{} further errors", totals.errors.len() - MAX_ERRORS));
            }
            let text = lines.join("\n");
            let failure = (failures > 0).then_some((message.as_str(), text.as_str()));
            testcase(writer, method, name, totals.seconds / totals.requests as f64, failure)?;
        }
        Ok(())
    })
}

fn gates<W: Write>(verdicts: &[Verdict], writer: &mut Writer<W>) -> io::Result<()> {
    let failures = verdicts.iter().filter(|verdict| !verdict.passed).count();
    suite(verdicts.len(), failures, writer, |writer| {
        verdicts.iter().try_for_each(|verdict| {
            let reason = verdict.reason.as_str();
            let failure = (!verdict.passed).then_some((reason, reason));
            testcase(writer, "gate", &verdict.rule.title(), 0.0, failure)
        })
    })
}

fn suite<W: Write>(
    tests: usize,
    failures: usize,
    writer: &mut Writer<W>,
    cases: impl FnOnce(&mut Writer<W>) -> io::Result<()>,
) -> io::Result<()> {
    let mut start = BytesStart::new("testsuite");
    start.push_attribute(("name", "loaddensity"));
    start.push_attribute(("tests", tests.to_string().as_str()));
    start.push_attribute(("failures", failures.to_string().as_str()));
    writer.write_event(Event::Start(start))?;
    cases(writer)?;
    writer.write_event(Event::End(BytesEnd::new("testsuite")))
}

/// Writes a testcase; a failure is its message and its text.
fn testcase<W: Write>(
    writer: &mut Writer<W>,
    class: &str,
    name: &str,
    seconds: f64,
    failure: Option<(&str, &str)>,
) -> io::Result<()> {
    // Built as text because the attributes are escaped already: `push_attribute` would do it again,
    // and leaves line ends as they are.
    let content = format!(
        "testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
        escaped_attribute(class),
        escaped_attribute(name)
    );
    let start = BytesStart::from_content(content, "testcase".len());
    let Some((message, text)) = failure else { return writer.write_event(Event::Empty(start)) };
    writer.write_event(Event::Start(start))?;
    let content = format!("failure message=\"{}\"", escaped_attribute(message));
    writer.write_event(Event::Start(BytesStart::from_content(content, "failure".len())))?;
    writer.write_event(Event::Text(BytesText::from_escaped(escaped(text))))?;
    writer.write_event(Event::End(BytesEnd::new("failure")))?;
    writer.write_event(Event::End(BytesEnd::new("testcase")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::records;
    use crate::value::Value;

    fn three() -> Records {
        records(&[
            ("POST", "http://x/", "", 0, 3.0, 0, Some("bad")),
            ("GET", "http://x/a", "n <1>", 200, 12.5, 3, None),
            ("POST", "http://x/", "", 200, 5.0, 0, None),
        ])
    }

    #[test]
    fn every_request_is_a_testcase_successes_first() {
        assert_eq!(
            written(|out| write(&three(), Per::Request, &[], out)),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <testsuite name=\"loaddensity\" tests=\"3\" failures=\"1\">\
             <testcase classname=\"GET\" name=\"n &lt;1&gt;\" time=\"0.013\"/>\
             <testcase classname=\"POST\" name=\"http://x/\" time=\"0.005\"/>\
             <testcase classname=\"POST\" name=\"http://x/\" time=\"0.003\">\
             <failure message=\"bad\">bad</failure></testcase></testsuite>"
        );
    }

    #[test]
    fn every_name_is_a_testcase_that_counts_its_errors() {
        assert_eq!(
            written(|out| write(&three(), Per::Name, &[], out)),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <testsuite name=\"loaddensity\" tests=\"2\" failures=\"1\">\
             <testcase classname=\"POST\" name=\"http://x/\" time=\"0.004\">\
             <failure message=\"1 of 2 requests failed\">1 × bad</failure></testcase>\
             <testcase classname=\"GET\" name=\"n &lt;1&gt;\" time=\"0.013\"/></testsuite>"
        );
    }

    #[test]
    fn every_gate_is_a_testcase_with_its_reason() {
        let json = Value::parse(
            r#"[{"type": "requests", "op": "gte", "value": 3}, {"type": "failure_rate", "value": 0}]"#,
        )
        .expect("JSON");
        let rules = Rule::read_list(&crate::value::Reader::root(&json)).expect("rules");
        let text = written(|out| write(&three(), Per::Rule, &rules, out));
        assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
        assert!(text.contains("name=\"requests(overall) gte 3\" time=\"0.000\"/>"), "{text}");
        assert!(
            text.contains(
                "<failure message=\"failure_rate(overall)=0.3333333333333333 not lte 0\">"
            ),
            "{text}"
        );
    }
}
