//! `--report FORMAT=FILE`: reports of a document that are written once it has ended, whatever became of
//! its actions. That they can be written is known before it runs.

use std::io;
use std::path::{Component, Path, PathBuf};

use clap::ValueEnum;
use tokio::task::JoinError;

use super::draft::Draft;
use super::report::Wanted;
use crate::action::Executor;
use crate::cli;
use crate::console::Console;
use crate::error::{Error, Exit, reason};
use crate::event::ReportFormat;

/// The format that is a database and no file of its own.
const DATABASE: &str = "db";

/// The reports of a command line.
#[derive(Debug, Default, Clone)]
pub(super) struct Reports {
    files: Vec<ReportFile>,
    /// Where the records go as a run of an SQLite file.
    pub(super) database: Option<PathBuf>,
}

/// A report and its file.
#[derive(Debug, Clone)]
struct ReportFile {
    name: String,
    format: ReportFormat,
    path: PathBuf,
}

/// What became of a report: what to say and what must be known of its figures, or why it was not
/// written.
pub(super) type Outcome = Result<(String, Vec<String>), String>;

impl Reports {
    /// Reads the options, and makes sure that the files can be written, each by one report, and that none
    /// is a document that is read.
    pub(super) fn resolve(options: &[String], documents: &[PathBuf]) -> Result<Self, Error> {
        let mut reports = Self::default();
        let mut taken = Vec::new();
        for text in options {
            let refused = |why: String| Error::usage(format!("--report {text:?}: {why}"));
            let (name, path) = match text.split_once('=') {
                Some((name, path)) if !path.is_empty() => (name, PathBuf::from(path)),
                _ => return Err(refused("expected FORMAT=FILE".to_owned())),
            };
            if path.as_os_str() == "-" {
                return Err(refused("stdout has the results; name a file".to_owned()));
            }
            let file = file_of(&path);
            if taken.contains(&file) {
                return Err(refused("another report has the same file".to_owned()));
            }
            if documents.iter().any(|document| file_of(document) == file) {
                return Err(refused("it would replace the document".to_owned()));
            }
            taken.push(file);
            if name == DATABASE {
                if reports.database.replace(path).is_some() {
                    return Err(refused("there is another database".to_owned()));
                }
                continue;
            }
            let format = cli::ReportFormat::from_str(name, false)
                .map_err(|_| refused(format!("no format is called {name:?}; {}", formats())))?;
            if path.is_dir() {
                return Err(refused("is a directory".to_owned()));
            }
            Draft::check(&path)
                .map_err(|error| refused(format!("cannot be written: {}", reason(&error))))?;
            reports.files.push(ReportFile { name: name.to_owned(), format: format.into(), path });
        }
        Ok(reports)
    }

    /// Whether there is none, not counting a database.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes the reports of the last run.
    pub(super) fn write(&self, executor: &Executor) -> Vec<Outcome> {
        let write = |file: &ReportFile| {
            let report = executor.report(None, file.format).map_err(|error| error.to_string())?;
            let written = Draft::write(&file.path, |out| executor.write_report(&report, out));
            written.map_err(|error| reason(&error))?;
            Ok(report.warnings)
        };
        self.files.iter().map(|file| file.outcome(write(file))).collect()
    }

    /// Fetches the reports of a run from its server.
    pub(super) async fn fetch(&self, of: &Wanted<'_>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for file in &self.files {
            let wanted = Wanted { format: file.format, ..*of };
            let fetched = wanted.into_file(&file.path).await;
            outcomes.push(file.outcome(fetched.map_err(|error| error.to_string())));
        }
        outcomes
    }
}

impl ReportFile {
    fn outcome(&self, written: Result<Vec<String>, String>) -> Outcome {
        let Self { name, path, .. } = self;
        let path = path.display();
        match written {
            Ok(warnings) => {
                let of = |text: String| format!("{name} report: {text}");
                Ok((format!("{name} report in {path}"), warnings.into_iter().map(of).collect()))
            }
            Err(why) => Err(format!("the {name} report {path} was not written: {why}")),
        }
    }
}

/// The file that a path leads to, however it is written.
fn file_of(path: &Path) -> PathBuf {
    let new = || {
        let whole = std::path::absolute(path).ok()?;
        Some(whole.parent()?.canonicalize().ok()?.join(whole.file_name()?))
    };
    path.canonicalize().ok().or_else(new).unwrap_or_else(|| path.to_owned())
}

/// The outcomes of reports that another thread has written, if it has.
pub(super) fn joined(written: Result<Vec<Outcome>, JoinError>) -> Vec<Outcome> {
    written.unwrap_or_else(|_| {
        vec![Err("the reports were not written: writing them crashed (a bug in ldctl)".to_owned())]
    })
}

/// Says what was written and what was not, and returns the exit code.
pub(super) fn tell(before: Exit, outcomes: &[Outcome], console: &mut Console) -> Exit {
    for outcome in outcomes {
        match outcome {
            Ok((text, warnings)) => {
                console.note(text);
                warnings.iter().for_each(|warning| console.advise(warning));
            }
            Err(text) => {
                console.error(text);
                console.report_missing();
            }
        }
    }
    match before {
        Exit::Done if outcomes.iter().any(Result::is_err) => Exit::ActionFailed,
        before => before,
    }
}

fn formats() -> String {
    let values =
        cli::ReportFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let mut names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
    names.push(DATABASE.to_owned());
    format!("the formats are {}", names.join(", "))
}

/// The path of a database as an action names it: in the data directory.
pub(super) fn inside(path: &Path, data_dir: &Path) -> Result<String, Error> {
    let refused = |why: &str| Error::usage(format!("--report db={}: {why}", path.display()));
    let unusable = |error: io::Error| refused(&reason(&error));
    let whole = std::path::absolute(path).map_err(unusable)?;
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Err(refused("is a directory"));
    };
    let parent = parent.canonicalize().map_err(unusable)?;
    let directory = data_dir.canonicalize().map_err(unusable)?;
    let inside = parent.strip_prefix(&directory).map_err(|_| {
        refused("is outside the directory of documents' files; name that with --data-dir")
    })?;
    let is_plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
    match inside.join(name).to_str().filter(|_| is_plain) {
        Some(path) => Ok(path.to_owned()),
        None => Err(refused("is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reports_never_share_a_file_and_none_is_a_document() {
        let directory = tempfile::tempdir().unwrap();
        let within = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(within("a.json"), "[]").unwrap();
        std::fs::create_dir(within("dir")).unwrap();
        let documents = [PathBuf::from(within("a.json")), PathBuf::from("-")];
        let resolve = |pairs: &[(&str, &str)]| {
            let options: Vec<String> =
                pairs.iter().map(|(format, name)| format!("{format}={}", within(name))).collect();
            Reports::resolve(&options, &documents).map(drop).map_err(|error| error.to_string())
        };
        let same = "another report has the same file";
        for (pairs, words) in [
            (&[("json", "x"), ("db", "x")][..], same),
            (&[("db", "x"), ("json", "x")], same),
            (&[("json", "x"), ("html", "./x")], same),
            (&[("json", "x"), ("html", "dir/../x")], same),
            (&[("db", "dir/x"), ("csv", "dir/./x")], same),
            (&[("json", "a.json")], "it would replace the document"),
            (&[("db", "dir/../a.json")], "it would replace the document"),
        ] {
            let refusal = resolve(pairs).expect_err("one file");
            assert!(refusal.ends_with(words), "{pairs:?}: {refusal}");
        }
        resolve(&[("json", "x"), ("html", "dir/x"), ("db", "y")]).unwrap();
    }

    #[tokio::test]
    async fn a_crash_while_reports_are_written_is_a_report_that_is_missing() {
        let crashed = tokio::task::spawn_blocking(|| panic!("a test")).await;
        let outcomes = joined(crashed);
        assert!(matches!(&outcomes[..], [Err(why)] if why.contains("crashed")), "{outcomes:?}");
        let mut console = Console::default();
        assert_eq!(tell(Exit::Done, &outcomes, &mut console), Exit::ActionFailed);
    }
}
