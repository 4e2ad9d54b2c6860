//! Names, URLs and errors in reports and metrics: whatever a target or document puts into them, each
//! format reads back as the same text, in its own place, and no spreadsheet runs it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ldctl::metrics::prometheus;
use ldctl::record::live::{Counted, Live};
use ldctl::record::{Label, MAX_LABEL_BYTES, Recorder, Recording, Records, Sample};
use ldctl::redact;
use ldctl::report::{self, Outcome, Per};
use quick_xml::events::Event;
use serde_json::Value;

use super::support::options;

/// What a record keeps of an error's text, in bytes.
const MAX_ERROR_BYTES: usize = 1024;

/// The first byte chooses the format; the rest is a method, a URL, a name and an error with 0x1f
/// between them. Each format has fixed numbers out of sixteen: a new one takes some of them over, and
/// all other inputs of the corpus keep their meaning.
pub fn check(data: &[u8]) {
    let ([choice], text) = options::<1>(data);
    // Longer labels are cut, and what stands for a secret may be longer than that.
    let text = String::from_utf8_lossy(text.get(..MAX_LABEL_BYTES / 4).unwrap_or(text));
    let mut parts = text.splitn(4, '\u{1f}');
    let [method, url, name, error] = [(); 4].map(|()| parts.next().unwrap_or_default());
    let mut recorder = Recorder::default();
    let label = Label { method: method.into(), url: url.into(), name: name.into() };
    let label = recorder.label(label);
    let error_id = recorder.error(error);
    let [method, url, name] =
        [redact::text(method), redact::url(url), redact::url(name)].map(Cow::into_owned);
    let error = redact::cut(error, MAX_ERROR_BYTES);
    let [method, url, name, error] = [&*method, &*url, &*name, &*error];
    let start = Duration::from_millis(5);
    recorder.record(Sample {
        label,
        start,
        delay: Duration::ZERO,
        service: Duration::from_millis(12),
        status: 500,
        bytes: 100,
        error: Some(error_id),
    });
    let live = Live::default();
    recorder.merge_into(&live);
    let mut records = Records::default();
    records.push(Arc::new(Recording::new(UNIX_EPOCH, vec![recorder])));
    let texts = [method, url, name, error];
    match choice % 16 {
        0 | 4 | 8 | 12 => exported(&live, method, name),
        1 | 5 | 9 | 13 => table(&records, texts),
        2 | 6 | 10 | 14 => json(&records, texts),
        _ => xml(&records, texts),
    }
}

/// Every sample is a line of its own with the labels that were given.
fn exported(live: &Live, method: &str, name: &str) {
    let text =
        prometheus::text(live.series().iter().map(Counted::from).collect(), None).expect("text");
    let mut samples = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (labels, value) = labels(line).unwrap_or_else(|| panic!("{line:?}"));
        let found =
            |key: &str| labels.iter().find(|(name, _)| name == key).map(|(_, text)| &**text);
        assert_eq!((found("request_type"), found("name")), (Some(method), Some(name)), "{line:?}");
        value.parse::<f64>().unwrap_or_else(|error| panic!("{line:?}: {error}"));
        samples += 1;
    }
    // One counter, and two histograms of a sum, a count, and 12 or 9 buckets.
    assert_eq!(samples, 1 + 2 + 12 + 2 + 9, "{text}");
    assert!(text.ends_with("# EOF\n"));
}

/// Name and unescaped value of each label of a sample, and the sample's value.
fn labels(line: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut rest = line.split_once('{')?.1;
    let mut labels = Vec::new();
    loop {
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next()? {
                (end, '"') => break end,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    plain @ ('"' | '\\') => plain,
                    _ => return None,
                }),
                (_, plain) => value.push(plain),
            }
        };
        labels.push((name.to_owned(), value));
        rest = quoted.get(end + 1..)?;
        if let Some(value) = rest.strip_prefix("} ") {
            return Some((labels, value));
        }
        rest = rest.strip_prefix(',')?;
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out).expect("written to memory");
    out
}

/// Every text is one cell, with at most an apostrophe in front.
fn table(records: &Records, texts: [&str; 4]) {
    let text = written(|out| report::csv::write(records, out));
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("a table");
    let [row] = rows.as_slice() else { panic!("{} rows", rows.len()) };
    for (place, text) in [1, 2, 3, 7].into_iter().zip(texts) {
        let cell = row.get(place).expect("a cell");
        assert!(cell == text || cell.strip_prefix('\'') == Some(text), "{text:?}: {cell:?}");
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a formula: {cell:?}");
    }
}

fn json(records: &Records, texts: [&str; 4]) {
    let text = written(|out| report::json::write(records, Outcome::Failure, out));
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    let mut held = Vec::new();
    gather(&report, &mut held);
    for text in texts {
        assert!(held.contains(&text), "{text:?} is not in {held:?}");
    }
}

fn gather<'a>(value: &'a Value, held: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => held.push(text),
        Value::Array(items) => items.iter().for_each(|item| gather(item, held)),
        Value::Object(members) => members.values().for_each(|member| gather(member, held)),
        _ => {}
    }
}

/// Both XML reports are well-formed, have the same elements whatever is in them, and hold the texts
/// (of which XML cannot say every character).
fn xml(records: &Records, texts: [&str; 4]) {
    let report = written(|out| report::xml::write(records, Outcome::Failure, out));
    let (elements, held) = parsed(&report);
    assert_eq!(elements, 2 + 5, "{}", String::from_utf8_lossy(&report));
    for text in texts.into_iter().filter(|text| text.chars().all(sayable)) {
        assert!(text.is_empty() || held.iter().any(|held| held == text), "{text:?}: {held:?}");
    }
    let cases = written(|out| report::junit::write(records, Per::Request, &[], out));
    let (elements, held) = parsed(&cases);
    // testsuite, properties, testcase, failure, system-out and system-err.
    assert_eq!(elements, 6, "{}", String::from_utf8_lossy(&cases));
    let error = texts[3];
    assert!(!error.chars().all(sayable) || held.iter().any(|held| held.contains(error)));
}

/// XML 1.0, section 2.2.
fn sayable(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// How many elements an XML text has, and its texts and attributes.
fn parsed(xml: &[u8]) -> (usize, Vec<String>) {
    let text = std::str::from_utf8(xml).expect("UTF-8");
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut elements, mut texts) = (0, vec![String::new()]);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
            Event::Eof => return (elements, texts),
            Event::Start(tag) | Event::Empty(tag) => {
                elements += 1;
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap_or_else(|error| panic!("{error}: {text}"));
                    let value = quick_xml::escape::unescape(&attribute.value);
                    texts
                        .push(value.unwrap_or_else(|error| panic!("{error}: {text}")).into_owned());
                }
                texts.push(String::new());
            }
            Event::End(_) => texts.push(String::new()),
            Event::Text(part) => {
                texts.last_mut().expect("a text").push_str(&part);
            }
            Event::GeneralRef(reference) => {
                let character = quick_xml::escape::unescape(&format!("&{};", &*reference))
                    .unwrap_or_else(|error| panic!("{error}: {text}"))
                    .into_owned();
                texts.last_mut().expect("a text").push_str(&character);
            }
            _ => {}
        }
    }
}
