//! `--report FORMAT=FILE`: reports of a document that are written once it has ended, whatever became of
//! its actions. That they can be written is known before it runs.

use std::io;
use std::path::{Component, Path, PathBuf};

use clap::ValueEnum;

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

impl Reports {
    /// Reads the options, and makes sure that the files can be written.
    pub(super) fn resolve(options: &[String]) -> Result<Self, Error> {
        let mut reports = Self::default();
        for text in options {
            let refused = |why: String| Error::usage(format!("--report {text:?}: {why}"));
            let (name, path) = match text.split_once('=') {
                Some((name, path)) if !path.is_empty() => (name, PathBuf::from(path)),
                _ => return Err(refused("expected FORMAT=FILE".to_owned())),
            };
            if reports.files.iter().any(|file| file.path == path) {
                return Err(refused("another report has the same file".to_owned()));
            }
            if name == DATABASE {
                if reports.database.replace(path).is_some() {
                    return Err(refused("there is another database".to_owned()));
                }
                continue;
            }
            let format = cli::ReportFormat::from_str(name, false)
                .map_err(|_| refused(format!("no format is called {name:?}; {}", formats())))?;
            let cannot =
                |error: io::Error| refused(format!("cannot be written: {}", reason(&error)));
            if path.is_dir() {
                return Err(refused("is a directory".to_owned()));
            }
            Draft::check(&path).map_err(cannot)?;
            reports.files.push(ReportFile { name: name.to_owned(), format: format.into(), path });
        }
        Ok(reports)
    }

    /// Whether there is none, not counting a database.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes the reports of the last run. Returns what to say, and what went wrong.
    pub(super) fn write(&self, executor: &Executor) -> Vec<Result<String, String>> {
        let write = |file: &ReportFile| {
            let report = executor.report(None, file.format).map_err(|error| error.to_string())?;
            let written = Draft::write(&file.path, |out| executor.write_report(&report, out));
            written.map_err(|error| reason(&error))
        };
        let outcome = |file: &ReportFile| match write(file) {
            Ok(()) => Ok(file.told()),
            Err(why) => Err(file.failed(&why)),
        };
        self.files.iter().map(outcome).collect()
    }

    /// Fetches the reports of a run from its server.
    pub(super) async fn fetch(&self, of: &Wanted<'_>) -> Vec<Result<String, String>> {
        let mut outcomes = Vec::new();
        for file in &self.files {
            let wanted = Wanted { format: file.format, ..*of };
            outcomes.push(match wanted.into_file(&file.path).await {
                Ok(_) => Ok(file.told()),
                Err(error) => Err(file.failed(&error.to_string())),
            });
        }
        outcomes
    }
}

impl ReportFile {
    fn told(&self) -> String {
        format!("{} report in {}", self.name, self.path.display())
    }

    fn failed(&self, why: &str) -> String {
        format!("the {} report {} was not written: {why}", self.name, self.path.display())
    }
}

/// Says what was written and what was not, and returns the exit code.
pub(super) fn tell(
    before: Exit,
    outcomes: &[Result<String, String>],
    console: &mut Console,
) -> Exit {
    for outcome in outcomes {
        match outcome {
            Ok(text) => console.message(text),
            Err(text) => console.error(text),
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
