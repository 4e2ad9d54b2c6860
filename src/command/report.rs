//! `ldctl report`: fetches the report of a run, to stdout or into a file.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use super::draft::Draft;
use super::setup::block_on;
use super::{connection, signal};
use crate::cli::Report;
use crate::client::{self, CONNECT_TIMEOUT, Endpoint, ReportFault};
use crate::console::Console;
use crate::error::{Error, Exit, reason};
use crate::escape::for_terminal;
use crate::event::ReportFormat;
use crate::wire::token::Token;

/// How long a piece may take by default: the first one comes when all requests are counted.
pub(super) const SILENCE: Duration = Duration::from_secs(600);

pub(super) fn report(args: &Report, console: &mut Console) -> Result<Exit, Error> {
    let format = ReportFormat::from(args.format);
    let terminal = io::stdout().is_terminal();
    let output = args.output.as_deref().filter(|path| path.as_os_str() != "-");
    if output.is_none() && terminal && format == ReportFormat::Html {
        return Err(Error::usage(
            "an HTML report is not for a terminal; name a file with -o, redirect stdout, or use \
             --format summary",
        ));
    }
    if let Some(path) = output {
        let why = match path.is_dir() {
            true => Err("it is a directory".to_owned()),
            false => Draft::check(path).map_err(|error| reason(&error)),
        };
        why.map_err(|why| Error::usage(format!("cannot write {}: {why}", path.display())))?;
    }
    let timeout = args.timeout.map(Duration::from_secs_f64);
    let patience = timeout.unwrap_or(CONNECT_TIMEOUT);
    let (endpoint, token) = connection::resolve(&args.connection, &args.token, patience, console)?;
    connection::framed(&endpoint, &args.connection, &[("ldctl report", true)])?;
    let wanted = Wanted {
        endpoint: &endpoint,
        token: token.as_ref(),
        run: args.run,
        format,
        silence: timeout.unwrap_or(SILENCE),
    };
    block_on(signal::unless_interrupted(async {
        let notes = match output {
            Some(path) => wanted.into_file(path).await?,
            None => {
                let mut print = |text: &str| {
                    if terminal {
                        console.write(for_terminal(text).as_bytes());
                    } else {
                        console.write(text.as_bytes());
                    }
                    Ok(())
                };
                wanted.into(&mut print).await?
            }
        };
        notes.iter().for_each(|note| console.warn(note));
        Ok(Exit::Done)
    }))
}

/// A report that a server is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) token: Option<&'a Token>,
    /// The number of its run; without, the one whose test runs, else the last.
    pub(super) run: Option<u64>,
    pub(super) format: ReportFormat,
    /// How long each piece may take.
    pub(super) silence: Duration,
}

impl Wanted<'_> {
    /// Fetches it into a file, which only this user can read. The file is there when it is whole; one
    /// that exists stays as it is until then. Returns what must be known of the figures.
    pub(super) async fn into_file(self, path: &Path) -> Result<Vec<String>, Error> {
        let fault = |error: io::Error| {
            Error::new(
                Exit::ActionFailed,
                format!("cannot write {}: {}", path.display(), reason(&error)),
            )
        };
        let mut draft = Draft::open(path).map_err(fault)?;
        let notes = self.into(&mut |text| draft.write_all(text.as_bytes())).await?;
        draft.keep().map_err(fault)?;
        Ok(notes)
    }

    async fn into(
        self,
        write: &mut dyn FnMut(&str) -> io::Result<()>,
    ) -> Result<Vec<String>, Error> {
        let Self { endpoint, token, run, format, silence } = self;
        match client::report(endpoint, token, run, format, silence, write).await {
            Ok(notes) => Ok(notes),
            Err(ReportFault::Client(error)) => {
                Err(connection::failure(&client::diagnose(endpoint, error).await))
            }
            Err(ReportFault::Write(error)) => {
                let why = format!("the report cannot be written: {}", reason(&error));
                Err(Error::new(Exit::ActionFailed, why))
            }
        }
    }
}
