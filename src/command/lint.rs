//! `ldctl lint`: checks documents for errors and likely mistakes, without running them.

use std::path::Path;

use super::document::{self, Located, Source};
use super::sarif;
use crate::action::{FileAccess, Files, Overrides, Rules, Surroundings, Where};
use crate::cli::{Format, Lint, LintOutput};
use crate::console::Console;
use crate::error::{Error, Exit};

/// A finding as JSON.
#[derive(serde::Serialize)]
struct FileFinding<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    rule: &'static str,
    severity: &'static str,
    message: &'a str,
    location: String,
}

pub(super) fn lint(args: &Lint, console: &mut Console) -> Result<Exit, Error> {
    document::stdin_once(&args.files)?;
    let files = Files::open(Path::new(".")).ok().map(|files| files.allowing(FileAccess::All));
    let mut checked = Vec::new();
    let mut check = |source: &Source, name: String| {
        let around = Surroundings {
            place: Where::Anywhere,
            rules: Rules::default(),
            files: files.as_ref(),
            environment: None,
            later: false,
        };
        checked.push((name, document::findings(source, &Overrides::default(), &around)));
    };
    match &args.json {
        Some(text) => check(&Source::json(text), "--json".to_owned()),
        None => {
            for path in &args.files {
                let (source, name) = document::load_document(path)?;
                check(&source, name);
            }
        }
    }
    match args.output {
        LintOutput::Sarif => console.write(sarif::log(&checked).as_bytes()),
        LintOutput::Text => console.replies(Some(Format::Text), false),
        LintOutput::Json => console.replies(Some(Format::Json), false),
    }
    let found =
        || checked.iter().flat_map(|(file, found)| found.iter().map(move |one| (file, one)));
    if args.output != LintOutput::Sarif {
        found().for_each(|(file, located)| print_finding(file, located, console));
    }
    let is_wrong = found().any(|(_, located)| located.finding.is_error());
    Ok(if is_wrong { Exit::ActionFailed } else { Exit::Done })
}

fn print_finding(file: &str, located: &Located, console: &mut Console) {
    let Located { finding, line, column } = located;
    let object = FileFinding {
        file,
        line: *line,
        column: *column,
        rule: finding.rule.name,
        severity: finding.severity.text(),
        message: &finding.message,
        location: finding.place.to_string(),
    };
    console.say(&located.text(file), &object);
}
