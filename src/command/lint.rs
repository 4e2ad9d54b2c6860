//! `ldctl lint`: checks documents for errors and likely mistakes, without running them.

use std::path::Path;

use super::document;
use crate::action::{Finding, Severity, advise, check};
use crate::cli::Lint;
use crate::console::Console;
use crate::error::{Error, Exit};

/// A finding as JSON: that of `LD_lint_action`, and its file.
#[derive(serde::Serialize)]
struct FileFinding<'a> {
    file: &'a str,
    rule: &'static str,
    severity: &'static str,
    message: &'a str,
    location: &'a str,
}

pub(super) fn lint(args: &Lint, console: &mut Console) -> Result<Exit, Error> {
    document::stdin_once(&args.files)?;
    console.replies(Some(args.output.into()), false);
    let mut exit = Exit::Done;
    for path in &args.files {
        let (text, file) = document::load(path)?;
        let document = document::parse(&text, &file)?;
        let columns = |file: &str| document::columns(Path::new("."), file);
        for finding in check(&document).into_iter().chain(advise(&document, &columns)) {
            if finding.severity == Severity::Error {
                exit = Exit::ActionFailed;
            }
            print_finding(&file, &finding, console);
        }
    }
    Ok(exit)
}

fn print_finding(file: &str, finding: &Finding, console: &mut Console) {
    let Finding { rule, severity, message, location } = finding;
    let severity = severity.text();
    let place = if location.is_empty() { file.to_owned() } else { format!("{file}: {location}") };
    let line = format!("{place}: {severity}: {message} [{rule}]");
    console.say(&line, &FileFinding { file, rule, severity, message, location });
}
