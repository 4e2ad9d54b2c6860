//! `ldctl lint`: checks documents for errors and likely mistakes, without running them.

use std::path::Path;

use super::document::{self, Source, Taker, Unread};
use super::sarif;
use crate::action::{FileAccess, Files, Located, Overrides, Rules, Surroundings, Where};
use crate::cli::{Format, Lint, LintOutput};
use crate::console::Console;
use crate::error::{Error, Exit};

pub(super) fn lint(args: &Lint, console: &mut Console) -> Result<Exit, Error> {
    document::stdin_once(&args.files)?;
    let files = Files::open(Path::new(".")).ok().map(|files| files.allowing(FileAccess::All));
    let check = |source: &Source| {
        let around = Surroundings {
            place: Where::Anywhere,
            rules: Rules::default(),
            files: files.as_ref(),
            environment: None,
            later: false,
        };
        document::findings(source, &Overrides::default(), &around)
    };
    let mut checked = Vec::new();
    // What cannot be read hides nothing of what can.
    let mut unread = false;
    if let Some(text) = &args.json {
        checked.push(("--json".to_owned(), check(&Source::json(text))));
    }
    for path in &args.files {
        match document::load_document(path, Taker::Verb("lint")) {
            Ok((source, name)) => checked.push((name, check(&source))),
            Err(Unread::Text { name, fault }) => checked.push((name, vec![fault.located()])),
            Err(Unread::File(error)) => {
                console.error(&error.to_string());
                unread = true;
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
    Ok(match (unread, is_wrong) {
        (true, _) => Exit::Usage,
        (false, true) => Exit::ActionFailed,
        (false, false) => Exit::Done,
    })
}

fn print_finding(file: &str, located: &Located, console: &mut Console) {
    console.say(&located.text(file), &located.of_file(file));
}
