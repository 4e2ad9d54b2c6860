//! A finished record as text, one file per format. Every format is a function from [`Records`] to a
//! writer; it reads the columns and writes as it goes, so its memory does not grow with the number
//! of requests (the page in [`html`] aggregates first). The caller chooses where the text goes: a
//! file inside the data directory, a value, a pipe.

pub mod allure;
pub mod csv;
pub mod figures;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod kept;
mod options;
mod rows;
pub mod sarif;
pub mod service_map;
pub mod summary;
pub mod xlsx;
pub mod xml;
mod zip;

use std::fmt;
use std::io::{self, Write};

use crate::record::Records;
use crate::record::gates::RULES;
use crate::value::{Field, Kind, Literal};
pub use figures::{Baseline, Facts};
pub use junit::Per;
pub use kept::Kept;
pub use options::Options;
pub use rows::Outcome;

/// The formats. To add one:
///
/// 1. write `report/NAME.rs`: a function from [`Records`] to a writer, with a test of what it writes
///    for a few requests;
/// 2. add a row here; the command, its place in the schema and the tests of files follow from it;
/// 3. define in the test below how the format is read back, because it writes hostile texts in
///    every format; give it a number in `fuzz/src/names.rs`, which writes arbitrary texts;
/// 4. refresh the generated files (`TRYCMD=overwrite cargo test --test it`), and add a line to
///    CHANGELOG.md.
pub const FORMATS: &[Format] = &[
    Format {
        command: "LD_generate_html_report",
        doc: "Writes a page for people: the verdict, figures and charts.",
        parameters: &[
            name("html_name", DEFAULT_NAME),
            Field::optional(
                "rules",
                RULES,
                "Gates that decide the verdict; those of LD_assert_sla before it by default.",
            )
            .or(Literal::List),
            Field::optional(
                "label",
                Kind::Text,
                "A label for people; that of LD_persist_records before it by default.",
            ),
            Field::optional(
                "baseline",
                Kind::Either(&[Kind::Integer, Kind::Name]),
                "A stored run to compare with: its number, the label of the newest such run, or \
                 \"latest\", the default with a database_path; a run that this document has stored is not \
                 compared with itself.",
            ),
            Field::optional(
                "database_path",
                Kind::Path,
                "The SQLite file of the baseline; that of LD_persist_records before it by default.",
            ),
            Field::optional(
                "tolerance",
                Kind::Number,
                "How much worse a figure may be, as a share of the baseline's.",
            )
            .or(Literal::Float(0.1)),
        ],
        example: r#"["LD_generate_html_report", {"html_name": "checkout",
  "rules": [{"type": "failure_rate", "value": 0.01}]}]"#,
        ending: "html",
        signs: &["<title>Load test report</title>", "<meta name=\"generator\" content=\"ldctl "],
        empty: Empty::NoPage,
        content: Content::Whole(|records, options, out| html::write(records, options, out)),
    },
    Format {
        command: "LD_generate_json_report",
        doc: "Writes every request as JSON, one file for the successes and one for the failures.",
        parameters: &[name("json_file_name", DEFAULT_NAME)],
        example: r#"["LD_generate_json_report", {"json_file_name": "checkout"}]"#,
        ending: "json",
        signs: &["\"Success_Test1\"", "\"Failure_Test1\""],
        empty: Empty::NoRecords,
        content: Content::Halves(json::write),
    },
    Format {
        command: "LD_generate_xml_report",
        doc: "Writes every request as XML, one file for the successes and one for the failures.",
        parameters: &[name("xml_file_name", DEFAULT_NAME)],
        example: r#"["LD_generate_xml_report", {"xml_file_name": "checkout"}]"#,
        ending: "xml",
        signs: &["<xml_data"],
        empty: Empty::NoRecords,
        content: Content::Halves(xml::write),
    },
    Format {
        command: "LD_generate_csv_report",
        doc: "Writes every request as a row of a CSV file.",
        parameters: &[name("csv_name", DEFAULT_NAME)],
        example: r#"["LD_generate_csv_report", {"csv_name": "checkout"}]"#,
        ending: "csv",
        signs: &["outcome,Method,test_url,name,"],
        empty: Empty::Written,
        content: Content::Whole(|records, _, out| csv::write(records, out)),
    },
    Format {
        command: "LD_generate_summary_report",
        doc: "Writes the figures of LD_summary as JSON.",
        parameters: &[name("report_name", "loaddensity-summary")],
        example: r#"["LD_generate_summary_report", {"report_name": "checkout"}]"#,
        ending: "json",
        signs: &["\"totals\""],
        empty: Empty::Written,
        content: Content::Whole(|records, _, out| summary::write(records, out)),
    },
    Format {
        command: "LD_generate_junit_report",
        doc: "Writes JUnit XML for CI systems.",
        parameters: &[
            name("report_name", "loaddensity-junit"),
            Field::optional(
                "per",
                Kind::OneOf(&["request", "name", "rule"]),
                "What a testcase represents.",
            )
            .otherwise("a rule if there are rules, else a request"),
            Field::optional(
                "rules",
                RULES,
                "Gates, for testcases that represent rules; those of LD_assert_sla before it by \
                 default.",
            )
            .or(Literal::List),
        ],
        example: r#"["LD_generate_junit_report", {"report_name": "checkout", "per": "rule",
  "rules": [{"type": "failure_rate", "value": 0.01}]}]"#,
        ending: "xml",
        signs: &["<testsuite"],
        empty: Empty::Written,
        content: Content::Whole(|records, options, out| {
            junit::write(records, options.per, &options.rules, out)
        }),
    },
];

/// A format and the command that writes it.
#[derive(Debug)]
pub struct Format {
    /// The command's name.
    pub command: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// The command's parameters. The first is the file's name; `rules` and `per` become [`Options`].
    pub parameters: &'static [Field],
    /// An action that writes one, as JSON.
    pub example: &'static str,
    /// The file's extension.
    pub ending: &'static str,
    /// Texts near the beginning of every file of this format and of the reference's; one suffices.
    pub signs: &'static [&'static str],
    /// What it does with no records.
    pub empty: Empty,
    /// How it writes the records.
    pub content: Content,
}

/// What a format does with no records; commands reply in the reference's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// It writes an empty report.
    Written,
    /// It fails: there is nothing to show on a page.
    NoPage,
    /// It fails: there is nothing to report.
    NoRecords,
}

/// Writes all records.
type Whole = fn(&Records, &Options, &mut dyn Write) -> io::Result<()>;

/// Writes the records with one outcome.
type Half = fn(&Records, Outcome, &mut dyn Write) -> io::Result<()>;

/// The files of a format.
#[derive(Clone, Copy)]
pub enum Content {
    /// One file.
    Whole(Whole),
    /// A file for the successes and one for the failures.
    Halves(Half),
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Halves(_) => "Halves",
        })
    }
}

/// The reference's default.
const DEFAULT_NAME: &str = "default_name";

const fn name(parameter: &'static str, default: &'static str) -> Field {
    Field::optional(parameter, Kind::Stem, "The file's name without its extension.")
        .or(Literal::Text(default))
        .note(
            "The extension is appended. The file is in the data directory, and replaces an \
         older one.",
        )
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;
    use crate::record::fixture::{HOSTILE, records};
    use crate::value::{Map, Value};

    /// Returns what a format's function writes.
    pub(crate) fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    /// The texts of each request (its URL, its name, its error) as a parser of the format reads
    /// them back; texts that the format leaves out are missing.
    fn read_back(command: &str, text: &str) -> Vec<Vec<String>> {
        match command {
            "LD_generate_csv_report" => cells(text),
            "LD_generate_json_report" => json_texts(text),
            "LD_generate_summary_report" => json_names(text),
            "LD_generate_xml_report" => elements(text),
            "LD_generate_junit_report" => attributes(text),
            "LD_generate_html_report" => page_texts(text),
            other => panic!("define how {other} is read back"),
        }
    }

    fn cells(text: &str) -> Vec<Vec<String>> {
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let rows = reader.records().map(|row| {
            let row = row.expect("CSV");
            let texts = [2, 3, 7].into_iter().filter_map(|column| row.get(column));
            texts
                .map(|cell| {
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
                    cell.strip_prefix('\'').unwrap_or(cell).to_owned()
                })
                .collect()
        });
        rows.collect()
    }

    fn json(text: &str) -> Map {
        match Value::parse(text).expect("JSON") {
            Value::Dict(members) => members,
            other => panic!("{other:?}"),
        }
    }

    fn json_texts(text: &str) -> Vec<Vec<String>> {
        let texts = |entry: &Value| {
            let fields = ["test_url", "name", "error"].into_iter();
            fields.filter_map(|field| entry.get(field)).map(Value::to_text).collect()
        };
        json(text).values().map(texts).collect()
    }

    fn json_names(text: &str) -> Vec<Vec<String>> {
        match &json(text)["per_name"] {
            Value::Dict(names) => names.keys().map(|name| vec![name.clone()]).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn elements(xml: &str) -> Vec<Vec<String>> {
        let mut reader = Reader::from_str(xml);
        let (mut rows, mut current) = (Vec::<Vec<String>>::new(), None::<String>);
        let is_text = |name: &str| ["test_url", "name", "error"].contains(&name);
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Start(start) if start.name().as_ref() == "Method" => rows.push(Vec::new()),
                Event::Start(start) if is_text(start.name().as_ref()) => {
                    current = Some(String::new());
                }
                Event::Text(text) => {
                    if let Some(current) = &mut current {
                        current.push_str(&text.xml10_content());
                    }
                }
                Event::GeneralRef(reference) => {
                    if let Some(current) = &mut current {
                        let name = format!("&{};", &*reference);
                        current.push_str(&quick_xml::escape::unescape(&name).expect("known"));
                    }
                }
                Event::End(end) if is_text(end.name().as_ref()) => {
                    rows.last_mut().expect("a record").extend(current.take());
                }
                Event::Eof => return rows,
                _ => {}
            }
        }
    }

    fn attributes(xml: &str) -> Vec<Vec<String>> {
        let mut reader = Reader::from_str(xml);
        let mut rows = Vec::<Vec<String>>::new();
        loop {
            let (Event::Start(start) | Event::Empty(start)) =
                (match reader.read_event().expect("well-formed") {
                    Event::Eof => return rows,
                    event => event,
                })
            else {
                continue;
            };
            let attribute = |name: &str| {
                let found = start.try_get_attribute(name).expect("attributes");
                let raw = found.expect("the attribute").value;
                quick_xml::escape::unescape(&raw).expect("escaped").into_owned()
            };
            match start.name().as_ref() {
                "testcase" => rows.push(vec![attribute("name")]),
                "failure" => rows.last_mut().expect("a testcase").push(attribute("message")),
                _ => {}
            }
        }
    }

    /// The page holds every text as text, and nothing that loads a resource.
    fn page_texts(page: &str) -> Vec<Vec<String>> {
        assert_eq!(page.matches("<script").count(), 1);
        for outside in ["src=", "href=", "url(", "@import", "<link", "<img", "<iframe"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'"));
        let found = HOSTILE.iter().filter(|text| {
            let escaped = maud::html! { (text) }.into_string();
            page.contains(&format!(">{escaped}<"))
        });
        found.map(|text| vec![(*text).to_owned()]).collect()
    }

    /// XML cannot hold every character.
    fn holdable(format: &Format, text: &str) -> String {
        if format.ending == "xml" { text.replace('\u{1b}', "\u{fffd}") } else { text.to_owned() }
    }

    #[test]
    fn every_report_has_a_sign_of_its_format() {
        let full = records(&[
            ("GET", "u", "n", 200, 1.5, 10, None),
            ("GET", "u", "n", 0, 1.5, 10, Some("e")),
        ]);
        for format in FORMATS {
            for records in [&full, &Records::default()] {
                if records.is_empty() && format.empty != Empty::Written {
                    continue;
                }
                let texts = match format.content {
                    Content::Whole(write) => {
                        vec![written(|out| write(records, &Options::default(), out))]
                    }
                    Content::Halves(write) => [Outcome::Success, Outcome::Failure]
                        .map(|half| written(|out| write(records, half, out)))
                        .to_vec(),
                };
                for text in texts {
                    let begin = &text[..text.floor_char_boundary(1024)];
                    // A half without requests.
                    let has = begin == "{}" || format.signs.iter().any(|sign| begin.contains(sign));
                    assert!(has, "{}: {begin}", format.command);
                }
            }
        }
        let none = records(&[("GET", "u", "n", 200, 1.5, 10, None)]);
        assert_eq!(written(|out| json::write(&none, Outcome::Failure, out)), "{}");
    }

    #[test]
    fn t23_hostile_texts_are_read_back_unchanged_from_every_format() {
        let failed = HOSTILE.iter().map(|text| ("GET", *text, *text, 500, 1.5, 10, Some(*text)));
        let passed = HOSTILE.iter().map(|text| ("GET", *text, *text, 200, 1.5, 10, None));
        let records = records(&failed.chain(passed).collect::<Vec<_>>());
        for format in FORMATS {
            let texts = match format.content {
                Content::Whole(write) => {
                    vec![written(|out| write(&records, &Options::default(), out))]
                }
                Content::Halves(write) => [Outcome::Success, Outcome::Failure]
                    .map(|half| written(|out| write(&records, half, out)))
                    .to_vec(),
            };
            for text in texts {
                let rows = read_back(format.command, &text);
                assert!(
                    !rows.is_empty() && rows.len().is_multiple_of(HOSTILE.len()),
                    "{format:?}: {rows:?}"
                );
                for (row, hostile) in rows.iter().zip(HOSTILE.iter().cycle()) {
                    let want = holdable(format, hostile);
                    let unharmed = row.iter().filter(|text| !text.is_empty());
                    assert!(unharmed.clone().count() > 0, "{format:?}: {row:?}");
                    unharmed.for_each(|text| assert_eq!(*text, want, "{}", format.command));
                }
            }
        }
    }
}
