//! What is found in the text of a document, with lines and columns: that it is no JSON, or what a check
//! remarks on.

use std::borrow::Cow;

use serde::Serialize;

use super::check::rule::NOT_JSON;
use super::check::{Finding, MOST_ACTIONS, Place, Surroundings, check, located, repeated};
use super::guess;
use super::lint::Severity;
use crate::value::{ParseError, Syntax, Value, count_elements, line_and_column};

/// A finding, and where it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Located {
    /// What is found.
    pub finding: Finding,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// The option of the command line that it is about, and not the file.
    pub option: Option<Cow<'static, str>>,
}

impl Located {
    /// The finding in one line, as compilers print theirs.
    pub fn text(&self, file: &str) -> String {
        let Self { finding, line, column, option } = self;
        let Finding { rule, severity, message, place } = finding;
        let (severity, rule) = (severity.text(), rule.name);
        if let Some(option) = option {
            return format!("{file}: {severity}: {option}: {message} [{rule}]");
        }
        let place = place.to_string();
        let separator = if place.is_empty() { "" } else { ": " };
        format!("{file}:{line}:{column}: {severity}: {place}{separator}{message} [{rule}]")
    }

    /// The finding for programs.
    pub fn of_file<'a>(&'a self, file: &'a str) -> FileFinding<'a> {
        let Self { finding, line, column, .. } = self;
        FileFinding {
            file,
            line: *line,
            column: *column,
            rule: finding.rule.name,
            severity: finding.severity.text(),
            message: &finding.message,
            location: finding.place.to_string(),
        }
    }
}

/// A finding as JSON.
#[derive(Debug, Serialize)]
pub struct FileFinding<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    rule: &'static str,
    severity: &'static str,
    message: &'a str,
    location: String,
}

/// Checks the text of a document, whatever is wrong with it.
pub fn check_text(text: &str, around: &Surroundings<'_>) -> Vec<Located> {
    match parse_document(text) {
        Ok(value) => {
            let found = check(&value, around).into_iter().map(|finding| (finding, None));
            placed(found.collect(), &value, text, (Syntax::Json, text))
        }
        Err(fault) => vec![fault.located()],
    }
}

/// Findings, each with the option of the command line that it is about, and what is repeated, in the
/// order of their places. `json` is the text of the document; what was written is in another syntax
/// perhaps, and has the places.
pub fn placed(
    found: Vec<(Finding, Option<Cow<'static, str>>)>,
    document: &Value,
    json: &str,
    (syntax, text): (Syntax, &str),
) -> Vec<Located> {
    let (mut findings, mut options): (Vec<Finding>, Vec<_>) = found.into_iter().unzip();
    // Neither YAML nor TOML has a member twice.
    findings.append(&mut repeated(document, json));
    options.resize(findings.len(), None);
    let places = located(&findings, document, text, syntax);
    let placed = findings.into_iter().zip(places).zip(options);
    let placed = placed.map(|((finding, (line, column)), option)| {
        // What is of the command line stands before what is in the file.
        let (line, column) = if option.is_some() { (0, 0) } else { (line, column) };
        Located { finding, line, column, option }
    });
    let mut all: Vec<Located> = placed.collect();
    all.sort_by_key(|located| (located.line, located.column));
    all
}

/// Why a text is not one of its syntax, and where.
#[derive(Debug)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Why.
    pub message: String,
}

impl Fault {
    /// As what a check finds.
    pub fn located(self) -> Located {
        let Self { line, column, message } = self;
        let finding = Finding::new(NOT_JSON, Severity::Error, message, Place::default());
        Located { finding, line, column, option: None }
    }
}

/// Parses a text as JSON.
pub fn parse(text: &str) -> Result<Value, Fault> {
    let at = |at: usize, message: String| {
        let (line, column) = line_and_column(text, at);
        Fault { line, column, message: format!("not JSON: {message}") }
    };
    if text.starts_with('\u{feff}') {
        return Err(at(0, "a byte order mark; save the file as UTF-8 without it".to_owned()));
    }
    Value::parse(text).map_err(|error| match error {
        ParseError::Syntax(error) => {
            // serde_json counts bytes.
            let begin = text.split_inclusive('\n').take(error.line().saturating_sub(1));
            let begin: usize = begin.map(str::len).sum();
            let place = begin + error.column().saturating_sub(1);
            let words = error.to_string();
            let words = words.split(" at line ").next().unwrap_or_default();
            let hint = guess::syntax(text, place, error.is_eof()).map(|hint| format!("; {hint}"));
            at(place, format!("{words}{}", hint.unwrap_or_default()))
        }
        error => at(0, error.to_string()),
    })
}

/// Parses a document, unless it has far too many actions.
pub fn parse_document(text: &str) -> Result<Value, Fault> {
    let actions = count_elements(text, "load_density");
    if actions > MOST_ACTIONS {
        let (line, column) = line_and_column(text, 0);
        let message =
            format!("{actions} actions exceed the limit of {MOST_ACTIONS}; use LD_execute_files");
        return Err(Fault { line, column, message });
    }
    parse(text)
}
