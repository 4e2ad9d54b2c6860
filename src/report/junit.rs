//! JUnit XML for CI systems. The reference writes a testcase for each request; for real runs there
//! can be one for each name, or one for each gate. Such files have several schemas, and a suite
//! satisfies each of them: Jenkins' xUnit plugin (`junit-10.xsd`), Surefire
//! (`surefire-test-report.xsd`) and Ant (`JUnit.xsd`). Ant requires a suite's time stamp, host name
//! and output; Surefire's schema does not list these, and its readers ignore them.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use indexmap::IndexMap;
use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::kept::Kept;
use super::rows::{in_order, name_of};
use super::xml::{escaped, escaped_attribute};
use crate::record::Records;
use crate::record::gates::{GateResult, Rule};

/// What a testcase represents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Per {
    /// One request.
    #[default]
    Request,
    /// All requests of one method and name; it fails if one of them failed.
    Name,
    /// One gate.
    Rule,
}

/// Errors listed in the testcase of a name; further ones are counted.
const MAX_ERRORS: usize = 20;

/// Writes a test suite. The rules matter where a testcase represents a rule.
pub fn write(records: &Records, per: Per, rules: &[Rule], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer::new(out);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    match per {
        Per::Request => requests(records, &mut writer),
        Per::Name => names(records, &mut writer),
        Per::Rule => {
            let summary = records.summary();
            let verdicts: Vec<GateResult> = rules.iter().map(|rule| rule.judge(&summary)).collect();
            gates(records, &verdicts, &mut writer)
        }
    }
}

fn requests<W: Write>(records: &Records, writer: &mut Writer<W>) -> io::Result<()> {
    let failures = records.rows().filter(|row| row.failed()).count();
    Suite { span: span(records), tests: records.len(), failures, output: String::new() }.write(
        writer,
        |writer| {
            in_order(records).try_for_each(|(_, row)| {
                let seconds = row.response_ms / 1000.0;
                let error = row.error.map(|error| if error.is_empty() { NO_TEXT } else { error });
                testcase(writer, &row.label.method, name_of(&row), seconds, error.map(|e| (e, e)))
            })
        },
    )
}

/// The type of every failure; Surefire and Ant require one.
const FAILURE: &str = "failure";

/// The message of an error without a text.
const NO_TEXT: &str = "request failed";

/// The figures of one method and name.
#[derive(Default)]
struct SuiteCounts<'a> {
    requests: u64,
    failures: u64,
    seconds: f64,
    errors: IndexMap<&'a str, u64>,
}

/// Writes a testcase for each name of a run, from what is kept of it.
pub fn write_kept(kept: &Kept<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer::new(out);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut names: Names<'_> = IndexMap::new();
    for test in &kept.tests {
        let further = (test.further_names > 0).then_some(&test.further);
        for name in test.names.iter().chain(further) {
            let shown = if name.method.is_empty() { FURTHER } else { name.name };
            let totals = names.entry((name.method, shown)).or_default();
            totals.requests += name.requests;
            totals.failures += name.failures;
            totals.seconds += name.sum_ms / 1000.0;
        }
        for error in &test.errors {
            if let Some(totals) = names.get_mut(&(error.method, error.name)) {
                *totals.errors.entry(error.error).or_default() += error.count;
            }
        }
    }
    let started = kept.tests.first().and_then(|test| test.started).unwrap_or(UNIX_EPOCH);
    let seconds = kept.tests.iter().map(|test| test.seconds).sum();
    cases((started, seconds), names, &mut writer)
}

/// The name of those that have no testcase of their own.
const FURTHER: &str = "further names";

type Names<'a> = IndexMap<(&'a str, &'a str), SuiteCounts<'a>>;

fn names<W: Write>(records: &Records, writer: &mut Writer<W>) -> io::Result<()> {
    if records.are_partial() {
        return names_of_all(records, writer);
    }
    let mut names: Names<'_> = IndexMap::new();
    for row in records.rows() {
        let totals = names.entry((&row.label.method, name_of(&row))).or_default();
        totals.requests += 1;
        totals.seconds += row.response_ms / 1000.0;
        if let Some(error) = row.error {
            totals.failures += 1;
            *totals.errors.entry(error).or_default() += 1;
        }
    }
    cases(span(records), names, writer)
}

/// The same where some requests have no rows.
fn names_of_all<W: Write>(records: &Records, writer: &mut Writer<W>) -> io::Result<()> {
    let series = records.series();
    let mut names: Names<'_> = IndexMap::new();
    for series in series.iter().filter(|series| series.requests > 0) {
        let totals = names.entry((&series.method, &series.name)).or_default();
        totals.requests += series.requests;
        totals.failures += series.failures;
        totals.seconds += series.latency_sum_us as f64 / 1e6;
    }
    for error in records.errors(usize::MAX).kinds {
        if let Some(totals) = names.get_mut(&(error.method, error.name)) {
            *totals.errors.entry(error.error).or_default() += error.count;
        }
    }
    cases(span(records), names, writer)
}

/// Writes a suite with a testcase for each name.
fn cases<W: Write>(
    span: (SystemTime, f64),
    names: Names<'_>,
    writer: &mut Writer<W>,
) -> io::Result<()> {
    let failing = names.values().filter(|totals| totals.failures > 0).count();
    Suite { span, tests: names.len(), failures: failing, output: String::new() }.write(
        writer,
        |writer| {
            for ((method, name), mut totals) in names {
                let failures = totals.failures;
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
                let seconds = totals.seconds / totals.requests.max(1) as f64;
                testcase(writer, method, name, seconds, failure)?;
            }
            Ok(())
        },
    )
}

fn gates<W: Write>(
    records: &Records,
    verdicts: &[GateResult],
    writer: &mut Writer<W>,
) -> io::Result<()> {
    let failures = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let measured = |verdict: &GateResult| {
        let figure = verdict.actual.map(|actual| actual.to_string());
        let figure = figure.unwrap_or_else(|| "not measured".to_owned());
        format!("{}: {figure}\n", verdict.rule.title())
    };
    let output = verdicts.iter().map(measured).collect();
    Suite { span: span(records), tests: verdicts.len(), failures, output }.write(writer, |writer| {
        verdicts.iter().try_for_each(|verdict| {
            let reason = verdict.reason.as_str();
            let failure = (!verdict.passed).then_some((reason, reason));
            testcase(writer, "gate", &verdict.rule.title(), 0.0, failure)
        })
    })
}

/// A test suite without its testcases. Ant's schema forbids a zone in its time stamp, which is in UTC.
struct Suite {
    /// When it started, and how many seconds it took.
    span: (SystemTime, f64),
    tests: usize,
    failures: usize,
    /// What else there is to say.
    output: String,
}

impl Suite {
    fn write<W: Write>(
        self,
        writer: &mut Writer<W>,
        cases: impl FnOnce(&mut Writer<W>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (started, seconds) = self.span;
        let started = Timestamp::try_from(started).unwrap_or(Timestamp::UNIX_EPOCH);
        let started = started.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let mut start = BytesStart::new("testsuite");
        for (name, value) in [
            ("name", "loaddensity"),
            ("tests", &self.tests.to_string()),
            ("failures", &self.failures.to_string()),
            ("errors", "0"),
            ("skipped", "0"),
            ("time", &format!("{seconds:.3}")),
            ("timestamp", &started),
            ("hostname", &host_name()),
        ] {
            start.push_attribute((name, value));
        }
        writer.write_event(Event::Start(start))?;
        writer.write_event(Event::Empty(BytesStart::new("properties")))?;
        cases(writer)?;
        if self.output.is_empty() {
            writer.write_event(Event::Empty(BytesStart::new("system-out")))?;
        } else {
            writer.write_event(Event::Start(BytesStart::new("system-out")))?;
            writer.write_event(Event::Text(BytesText::from_escaped(escaped(&self.output))))?;
            writer.write_event(Event::End(BytesEnd::new("system-out")))?;
        }
        writer.write_event(Event::Empty(BytesStart::new("system-err")))?;
        writer.write_event(Event::End(BytesEnd::new("testsuite")))
    }
}

/// When the first run started (1970 without runs), and the seconds from the first request to the end
/// of the last.
fn span(records: &Records) -> (SystemTime, f64) {
    let started = records.recordings().first().map_or(UNIX_EPOCH, |run| run.started_at());
    let ends = records.rows().map(|row| (row.start_time, row.start_time + row.service_ms / 1000.0));
    let (first, last) = ends.fold((f64::INFINITY, 0.0_f64), |(first, last), (start, end)| {
        (first.min(start), last.max(end))
    });
    (started, (last - first).max(0.0))
}

/// The machine's name; `localhost`, as Ant's schema says, where it is not known.
fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Writes a testcase; a failure has a message and a text.
fn testcase<W: Write>(
    writer: &mut Writer<W>,
    class: &str,
    name: &str,
    seconds: f64,
    failure: Option<(&str, &str)>,
) -> io::Result<()> {
    // Built as text because the attributes are already escaped: `push_attribute` would escape them
    // again, except for line ends.
    let content = format!(
        "testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
        escaped_attribute(class),
        escaped_attribute(name)
    );
    let start = BytesStart::from_content(content, "testcase".len());
    let Some((message, text)) = failure else { return writer.write_event(Event::Empty(start)) };
    writer.write_event(Event::Start(start))?;
    let content = format!("failure message=\"{}\" type=\"{FAILURE}\"", escaped_attribute(message));
    writer.write_event(Event::Start(BytesStart::from_content(content, "failure".len())))?;
    writer.write_event(Event::Text(BytesText::from_escaped(escaped(text))))?;
    writer.write_event(Event::End(BytesEnd::new("failure")))?;
    writer.write_event(Event::End(BytesEnd::new("testcase")))
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;

    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::{hostile, records};
    use crate::value::Value;

    /// The suite's opening tag, and its last elements.
    fn suite(tests: usize, failures: usize, seconds: &str, cases: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuite name=\"loaddensity\" \
             tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{seconds}\" \
             timestamp=\"2023-11-14T22:13:20\" hostname=\"{}\"><properties/>{cases}<system-out/>\
             <system-err/></testsuite>",
            host_name()
        )
    }

    fn three() -> Records {
        records(&[
            ("POST", "http://x/", "", 0, 3.0, 0, Some("bad")),
            ("GET", "http://x/a", "n <1>", 200, 12.5, 3, None),
            ("POST", "http://x/", "", 200, 5.0, 0, None),
        ])
    }

    #[test]
    fn names_of_a_record_with_requests_beyond_its_rows_have_all_their_requests() {
        let records =
            crate::record::fixture::partial(&[("GET", "u", "late", 500, 2.0, 1, Some("x"))]);
        let xml = written(|out| write(&records, Per::Name, &[], out));
        assert!(xml.contains("name=\"late\"") && xml.contains("1 of 1 requests failed"), "{xml}");
        assert_eq!(xml.matches("<testcase").count(), 2, "{xml}");
    }

    #[test]
    fn every_request_is_a_testcase_successes_first() {
        assert_eq!(
            written(|out| write(&three(), Per::Request, &[], out)),
            suite(
                3,
                1,
                "0.013",
                "<testcase classname=\"GET\" name=\"n &lt;1&gt;\" time=\"0.013\"/>\
             <testcase classname=\"POST\" name=\"http://x/\" time=\"0.005\"/>\
             <testcase classname=\"POST\" name=\"http://x/\" time=\"0.003\">\
             <failure message=\"bad\" type=\"failure\">bad</failure></testcase>"
            )
        );
    }

    #[test]
    fn every_name_is_a_testcase_that_counts_its_errors() {
        assert_eq!(
            written(|out| write(&three(), Per::Name, &[], out)),
            suite(
                2,
                1,
                "0.013",
                "<testcase classname=\"POST\" name=\"http://x/\" time=\"0.004\">\
             <failure message=\"1 of 2 requests failed\" type=\"failure\">1 × bad</failure></testcase>\
             <testcase classname=\"GET\" name=\"n &lt;1&gt;\" time=\"0.013\"/>"
            )
        );
    }

    #[test]
    fn a_name_without_rows_is_the_same_testcase() {
        let live = crate::record::live::Live::default();
        crate::record::fixture::request(&live, "n", 4, 1, false);
        crate::record::fixture::request(&live, "n", 4, 1, true);
        let rows =
            [("GET", "u", "n", 200, 4.0, 1, None), ("GET", "u", "n", 0, 4.0, 1, Some("bad"))];
        let records = records(&rows);
        let value = crate::report::kept::tests::kept_of(&records, &live.series());
        let kept = Kept::read(&value).expect("a test");
        let cases = "<testcase classname=\"GET\" name=\"n\" time=\"0.004\">\
                     <failure message=\"1 of 2 requests failed\" type=\"failure\">1 × bad</failure>\
                     </testcase>";
        assert_eq!(written(|out| write_kept(&kept, out)), suite(1, 1, "4.000", cases));
        assert_eq!(
            written(|out| write(&records, Per::Name, &[], out)),
            suite(1, 1, "0.004", cases)
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
        assert!(
            text.contains(
                "<system-out>requests(overall) gte 3: 3\nfailure_rate(overall) lte 0: \
                 0.3333333333333333\n</system-out>"
            ),
            "{text}"
        );
        assert!(text.contains("name=\"requests(overall) gte 3\" time=\"0.000\"/>"), "{text}");
        assert!(
            text.contains(
                "<failure message=\"failure_rate(overall)=0.3333333333333333 not lte 0\" \
                 type=\"failure\">"
            ),
            "{text}"
        );
    }

    /// What a schema requires: attributes of a suite, of a testcase and of a failure, and a suite's
    /// first and last elements.
    struct Schema {
        suite: &'static [&'static str],
        case: &'static [&'static str],
        failure: &'static [&'static str],
        first: &'static [&'static str],
        last: &'static [&'static str],
    }

    const XUNIT: Schema = Schema {
        suite: &["name", "tests", "failures", "errors"],
        case: &["name"],
        failure: &[],
        first: &[],
        last: &[],
    };

    const SUREFIRE: Schema = Schema {
        suite: &["name", "tests", "errors", "skipped", "failures"],
        case: &["name", "time"],
        failure: &["type"],
        first: &[],
        last: &[],
    };

    const ANT: Schema = Schema {
        suite: &["name", "timestamp", "hostname", "tests", "failures", "errors", "time"],
        case: &["name", "classname", "time"],
        failure: &["type"],
        first: &["properties"],
        last: &["system-out", "system-err"],
    };

    #[test]
    fn every_report_satisfies_the_schemas_of_xunit_surefire_and_ant() {
        let rules = Value::parse(r#"[{"type": "failure_rate", "value": 0}]"#).expect("JSON");
        let rules = Rule::read_list(&crate::value::Reader::root(&rules)).expect("rules");
        let time = regex::Regex::new(r"^[0-9]+\.[0-9]{3}$").expect("a pattern");
        let stamp = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$").expect("a pattern");
        for (records, per) in [
            (three(), Per::Request),
            (three(), Per::Name),
            (three(), Per::Rule),
            (hostile(), Per::Request),
            (Records::default(), Per::Request),
        ] {
            let xml = written(|out| write(&records, per, &rules, out));
            let elements = elements(&xml);
            let (suite, children) = elements.split_first().expect("a suite");
            let inside: Vec<&str> = children.iter().map(|element| element.0.as_str()).collect();
            for schema in [XUNIT, SUREFIRE, ANT] {
                for (name, attributes) in &elements {
                    let required = match name.as_str() {
                        "testsuite" => schema.suite,
                        "testcase" => schema.case,
                        "failure" => schema.failure,
                        _ => &[],
                    };
                    let missing: Vec<_> =
                        required.iter().filter(|name| !attributes.contains_key(**name)).collect();
                    assert_eq!(missing, Vec::<&&str>::new(), "of {name} in {xml}");
                }
                assert!(inside.starts_with(schema.first) && inside.ends_with(schema.last), "{xml}");
            }
            for (_, attributes) in &elements {
                assert!(attributes.get("time").is_none_or(|text| time.is_match(text)), "{xml}");
            }
            assert!(stamp.is_match(&suite.1["timestamp"]), "{xml}");
            assert!(!suite.1["hostname"].is_empty(), "{xml}");
            let count = |wanted: &str| inside.iter().filter(|name| **name == wanted).count();
            assert_eq!(suite.1["tests"], count("testcase").to_string());
            assert_eq!(suite.1["failures"], count("failure").to_string());
        }
    }

    /// Every element and its attributes, in the order in which they begin.
    fn elements(xml: &str) -> Vec<(String, std::collections::HashMap<String, String>)> {
        let mut reader = Reader::from_str(xml);
        let mut elements = Vec::new();
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Eof => return elements,
                Event::Start(start) | Event::Empty(start) => {
                    let attributes = start.attributes().map(|attribute| {
                        let attribute = attribute.expect("an attribute");
                        (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
                    });
                    elements.push((start.name().as_ref().to_owned(), attributes.collect()));
                }
                _ => {}
            }
        }
    }
}
