//! Local documents, checked before anything is sent or run: readable, UTF-8, JSON, a list of actions,
//! and without errors that are known before. A refusal names the file, the line and the column.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::value::{RawValue, to_raw_value};

use crate::action::rule::{HARDCODED_URL, NOT_A_DOCUMENT, OVERSIZE_BODY, Rule, STALE_RECORDS};
use crate::action::{
    self, Applied, Document, Fault, Finding, Located, Overrides, Surroundings, Unused, check,
    guess, located, meant_url, parse, parse_document, repeated,
};
use crate::console::Console;
use crate::error::{Error, reason};
use crate::value::{Path as ValuePath, Syntax, SyntaxError, Value, line_and_column};

/// The largest document that is read, in bytes. Servers accept only far smaller ones; this guards
/// against a wrong file name (`/dev/zero`).
const LARGEST: u64 = 64 * 1024 * 1024;

/// Rules that only `ldctl lint` remarks on: matters of style, and records that are this document's or
/// the server's to keep.
const LINT_ONLY: [&Rule; 3] = [STALE_RECORDS, HARDCODED_URL, OVERSIZE_BODY];

/// A document that can be run.
pub(super) struct Local {
    /// As written, or as overridden.
    pub(super) written: Box<RawValue>,
    /// As it will be run.
    pub(super) document: Document,
    /// What messages call it.
    pub(super) name: String,
    /// Whether something in it takes the overrides.
    pub(super) taken: bool,
    /// Variables of the command line that it does not use.
    pub(super) unused: Vec<Unused>,
    /// What the overrides do not reach, or replace.
    notes: Vec<String>,
    /// What is wrong with it, and what it will probably not do as it was meant.
    findings: Vec<Located>,
}

impl Local {
    /// The document on lines, as it will be run.
    pub(super) fn pretty(&self) -> String {
        let written = self.written.get();
        let value = serde_json::from_str::<serde_json::Value>(written);
        let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
        pretty.unwrap_or_else(|_| written.to_owned())
    }

    /// Prints what is known before it runs: once it has run, an hour may have passed.
    pub(super) fn warn(&self, console: &mut Console) {
        for note in &self.notes {
            console.advise(&format!("{}: {note}", self.name));
        }
        for located in &self.findings {
            console.finding(&located.text(&self.name), false);
        }
    }
}

/// Refuses documents with errors, and prints all of them; `what` is not done then.
pub(super) fn without_errors(
    locals: &[Local],
    what: &str,
    console: &mut Console,
) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for local in locals {
        let errors = local.findings.iter().filter(|located| located.finding.is_error()).count();
        if errors == 0 {
            continue;
        }
        for located in &local.findings {
            console.finding(&located.text(&local.name), located.finding.is_error());
        }
        let plural = if errors == 1 { "" } else { "s" };
        wrong.push(format!("{} has {errors} error{plural}", local.name));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong = wrong.join(", ");
    Err(Error::usage(format!("{wrong}; nothing was {what} (--no-check does it all the same)")))
}

/// Reads the document at a path for a verb; `-` means stdin.
pub(super) fn read(
    path: &Path,
    verb: Taker,
    overrides: &Overrides,
    around: &Surroundings<'_>,
) -> Result<Local, Error> {
    let (source, name) = load_document(path, verb)?;
    of_text(&source, &name, overrides, around)
}

/// Refuses a list that contains stdin twice, because it is empty the second time.
pub(super) fn stdin_once(paths: &[PathBuf]) -> Result<(), Error> {
    match paths.iter().filter(|path| path.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err(Error::usage("`-` is given more than once: stdin can be read only once")),
    }
}

/// The name of a document in messages.
pub(super) fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() }
}

/// The text of a document: the JSON of it, and what stands in the file.
pub(super) struct Source {
    json: String,
    /// What the JSON has been made of.
    original: Option<(Syntax, String)>,
}

impl Source {
    /// A text that is JSON.
    pub(super) fn json(text: &str) -> Self {
        Self { json: text.to_owned(), original: None }
    }

    /// What findings have their lines in.
    fn shown(&self) -> (Syntax, &str) {
        match &self.original {
            Some((syntax, text)) => (*syntax, text),
            None => (Syntax::Json, &self.json),
        }
    }
}

/// Who takes a file, for the advice where there is none of this name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taker {
    /// `ldctl run`, which takes URLs as well.
    Run,
    /// Another verb.
    Verb(&'static str),
    /// The value of an option.
    Option,
}

impl Taker {
    /// What was probably meant by a name that is not one of a file.
    fn advice(self, text: &str) -> Option<String> {
        let url = meant_url(text);
        match self {
            Self::Run if text.contains("://") => {
                Some("; write http:// or https:// for a URL".to_owned())
            }
            Self::Run => url.map(|url| format!("; for a URL write {url}")),
            Self::Verb(verb) => (url.is_some() || text.contains("://")).then(|| {
                format!("; `ldctl {verb}` takes a file, and `ldctl run URL` makes load on a URL")
            }),
            Self::Option => None,
        }
    }
}

/// Why there is no text of a document.
#[derive(Debug)]
pub(super) enum Unread {
    /// The file cannot be read.
    File(Error),
    /// What it holds is not a text of its syntax.
    Text {
        /// The name of the file in messages.
        name: String,
        /// Why.
        fault: Fault,
    },
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::File(error) => error,
            Unread::Text { name, fault } => refused(fault, &name),
        }
    }
}

/// Reads the document at a path, and its name in messages. YAML and TOML become JSON.
pub(super) fn load_document(path: &Path, taker: Taker) -> Result<(Source, String), Unread> {
    let (text, name) = load(path, taker)?;
    let syntax = Syntax::of(path);
    if syntax == Syntax::Json {
        return Ok((Source { json: text, original: None }, name));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match json_of(text, syntax) {
        Ok(json) => Ok((Source { json, original: Some((syntax, text.to_owned())) }, name)),
        Err(fault) => Err(Unread::Text { name, fault }),
    }
}

/// The JSON of a text in another syntax.
fn json_of(text: &str, syntax: Syntax) -> Result<String, Fault> {
    let value = syntax.parse(text).map_err(|SyntaxError { what, line, column }| {
        let message = format!("not {}: {what}", syntax.name());
        Fault { line, column, message }
    })?;
    let at = |path: ValuePath, message: String| {
        let position = syntax.positions(text, &[path]).first().map_or(0, |found| found.value);
        let (line, column) = line_and_column(text, position);
        Fault { line, column, message }
    };
    if let Some(number) = infinite(&value) {
        let path = infinite_at(&value, &ValuePath::default()).unwrap_or_default();
        return Err(at(path, format!("not a document: JSON has no number {number}")));
    }
    let json = serde_json::to_string(&value);
    json.map_err(|error| at(ValuePath::default(), format!("not JSON: {error}")))
}

/// A number that JSON does not have.
pub(super) fn infinite(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number).filter(|number| !number.is_finite()),
        Value::List(items) => items.iter().find_map(infinite),
        Value::Dict(members) => members.values().find_map(infinite),
        _ => None,
    }
}

/// The way to it.
fn infinite_at(value: &Value, path: &ValuePath) -> Option<ValuePath> {
    match value {
        Value::Float(number) => (!number.is_finite()).then(|| path.clone()),
        Value::List(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| infinite_at(item, &path.element(index)))
        }
        Value::Dict(members) => {
            members.iter().find_map(|(key, member)| infinite_at(member, &path.member(key)))
        }
        _ => None,
    }
}

/// Reads the text at a path; returns also its name in messages.
pub(super) fn load(path: &Path, taker: Taker) -> Result<(String, String), Unread> {
    let stdin = path.as_os_str() == "-";
    let name = name(path);
    let bytes = if stdin { bytes(io::stdin()) } else { File::open(path).and_then(bytes) };
    let bytes = bytes.map_err(|error| {
        let meant = path.to_str().filter(|_| error.kind() == io::ErrorKind::NotFound);
        let advice = meant.and_then(|text| taker.advice(text)).unwrap_or_default();
        Unread::File(Error::usage(format!("cannot read {name}: {}{advice}", reason(&error))))
    })?;
    if bytes.len() as u64 > LARGEST {
        let why = format!("{name}: larger than {LARGEST} bytes is not a document");
        return Err(Unread::File(Error::usage(why)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, name)),
        Err(error) => Err(Unread::Text { name, fault: not_utf8(&error) }),
    }
}

/// Parses a text as JSON; `name` is what messages call it.
pub(super) fn json(text: &str, name: &str) -> Result<Value, Error> {
    parse(text).map_err(|fault| refused(fault, name))
}

/// Checks a document, whatever is wrong with it; `overrides` are not in its text.
pub(super) fn findings(
    source: &Source,
    overrides: &Overrides,
    around: &Surroundings<'_>,
) -> Vec<Located> {
    match parse_document(&source.json) {
        Ok(mut value) => {
            let original = overrides.original(&value);
            let applied = overrides.apply(&mut value).unwrap_or_default();
            let original = original.as_ref().unwrap_or(&value);
            let changed = Changed { value: &value, original, overrides, applied: &applied };
            all(&changed, source, around)
        }
        Err(fault) => vec![fault.located()],
    }
}

/// The first member of a text whose name is repeated: only the last of them counts.
pub(super) fn repetition(value: &Value, text: &str) -> Option<Located> {
    let findings = repeated(value, text);
    let places = located(&findings, value, text, Syntax::Json);
    let mut placed = findings.into_iter().zip(places);
    placed.next().map(|(finding, (line, column))| Located { finding, line, column, option: None })
}

/// A document with what the command line changes in it.
struct Changed<'a> {
    value: &'a Value,
    original: &'a Value,
    overrides: &'a Overrides,
    applied: &'a Applied,
}

/// All findings, in the order of their places.
fn all(changed: &Changed<'_>, source: &Source, around: &Surroundings<'_>) -> Vec<Located> {
    let Changed { value, original, overrides, applied } = changed;
    let found = check(value, around).into_iter().map(|finding| {
        let option = overrides.option_at(&finding.place, applied);
        let place = finding.place.without(applied.before);
        (Finding { place, ..finding }, option)
    });
    action::placed(found.collect(), original, &source.json, source.shown())
}

/// A refusal of a text that is called `name`.
fn refused(fault: Fault, name: &str) -> Error {
    let Fault { line, column, message } = fault;
    Error::usage(format!("{name}:{line}:{column}: {message}"))
}

/// Reads a document from its text; `name` is what messages call it.
pub(super) fn of_text(
    source: &Source,
    name: &str,
    overrides: &Overrides,
    around: &Surroundings<'_>,
) -> Result<Local, Error> {
    let mut value = parse_document(&source.json).map_err(|fault| refused(fault, name))?;
    let original = overrides.original(&value);
    let applied = overrides.apply(&mut value);
    let applied = applied.map_err(|why| Error::usage(format!("{name}: {why}")))?;
    let original = original.as_ref().unwrap_or(&value);
    let changed = Changed { value: &value, original, overrides, applied: &applied };
    let mut findings = all(&changed, source, around);
    let Applied { taken, mut notes, unused, .. } = applied;
    if taken {
        // After the check, whose findings have their places in the text.
        notes.extend(overrides.without_judgement(&mut value));
    }
    let written = match overrides.is_empty() {
        true => serde_json::from_str(&source.json),
        false => to_raw_value(&value),
    };
    let written = written.map_err(|error| Error::usage(format!("{name}: not JSON: {error}")))?;
    findings.retain(|located| !LINT_ONLY.contains(&located.finding.rule));
    if let Some(Located { finding, line, column, .. }) =
        findings.iter().find(|located| located.finding.rule == NOT_A_DOCUMENT)
    {
        return Err(Error::usage(format!("{name}:{line}:{column}: {}", finding.message)));
    }
    let document = Document::within(&value, around.rules)
        .map_err(|invalid| Error::usage(format!("{name}: {invalid}")))?;
    let name = name.to_owned();
    Ok(Local { written, document, name, taken, unused, notes, findings })
}

fn bytes(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_utf8(error: &std::string::FromUtf8Error) -> Fault {
    let bytes = error.as_bytes();
    let good = bytes.get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let text = String::from_utf8_lossy(good);
    let (line, column) = line_and_column(&text, text.len());
    let hint = guess::bytes(bytes).map(|hint| format!("; {hint}")).unwrap_or_default();
    Fault { line, column, message: format!("not UTF-8{hint}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::MOST_ACTIONS;

    #[track_caller]
    fn check_refusal(text: &str, expected: &str) {
        let error =
            of_text(&Source::json(text), "a.json", &Overrides::default(), &Surroundings::unknown())
                .err()
                .expect("a refusal");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_text_that_is_not_json_is_refused_with_line_and_column() {
        check_refusal("[\n  [\"LD_summary\",]\n]", "a.json:2:17: not JSON: trailing comma");
        check_refusal("[[\"é\", x]]", "a.json:1:8: not JSON: expected value");
    }

    #[test]
    fn the_error_for_a_byte_order_mark_names_it() {
        check_refusal(
            "\u{feff}[[\"LD_summary\"]]",
            "a.json:1:1: not JSON: a byte order mark; save the file as UTF-8 without it",
        );
    }

    #[test]
    fn json_that_is_not_a_document_is_refused() {
        let expected = "not a document: expected a list of actions that is not empty, or an object \
                        with that list under \"load_density\"";
        check_refusal("{\"load_density\": []}", &format!("a.json:1:1: {expected}"));
        check_refusal(
            "\n {\"load-density\": [[\"LD_summary\"]]}",
            &format!("a.json:2:2: {expected}; did you mean that by \"load-density\"?"),
        );
    }

    #[test]
    fn what_other_tools_keep_is_sent_to_convert() {
        for (text, what) in [
            ("{\"log\": {\"entries\": []}}", "a HAR recording"),
            ("{\"openapi\": \"3.1.0\"}", "an OpenAPI document"),
            ("{\"swagger\": \"2.0\", \"paths\": {}}", "an OpenAPI document"),
            ("{\"info\": {}, \"item\": []}", "a Postman collection"),
        ] {
            let why = "is not a document; `ldctl convert` makes one of it";
            check_refusal(text, &format!("a.json:1:1: {what} {why}"));
        }
    }

    #[test]
    fn a_document_of_too_many_actions_is_refused_before_it_is_parsed() {
        let text = format!("[{}1]", "[\"LD_summary\"],".repeat(MOST_ACTIONS));
        check_refusal(
            &text,
            "a.json:1:1: 200001 actions exceed the limit of 200000; use LD_execute_files",
        );
    }

    #[test]
    fn the_error_for_invalid_utf_8_names_line_and_column() {
        let error = String::from_utf8(b"[\n \xff]".to_vec()).expect_err("not UTF-8");
        let Fault { line, column, message } = not_utf8(&error);
        assert_eq!((line, column, message.as_str()), (2, 2, "not UTF-8"));
    }
}
