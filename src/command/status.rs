//! `ldctl status`, `ldctl stop` and `ldctl runs`: show and stop what a server runs and has run.

use std::time::Duration;

use tokio::time::sleep;

use super::setup::block_on;
use super::{connection, signal};
use crate::cli::{Asking, RunState, Runs, Status, Stop};
use crate::client::{self, ClientError, Endpoint, StatusReply};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::escape::one_line;
use crate::event::{self, Event, State};
use crate::wire::token::Token;

/// How often a watched run is looked at.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) fn status(args: &Status, console: &mut Console) -> Result<Exit, Error> {
    let needs = [("the number of a run", args.run.is_some())];
    ask(&args.asking, &needs, console, async |server, console| {
        let mut run = args.run;
        loop {
            let reply =
                client::status(&server.endpoint, server.token(), run, server.timeout).await?;
            let (state, number) = match &reply {
                StatusReply::Status(status) => {
                    (status.state, status.run.as_ref().map(|info| info.run))
                }
                StatusReply::Line(_) => (State::Idle, None),
            };
            let last =
                !args.watch || number.is_none() || state.is_final() || state == State::Stopped;
            let in_place = match &reply {
                StatusReply::Status(status) => !last && console.watch(status),
                StatusReply::Line(_) => false,
            };
            if !in_place {
                print(&reply, console);
            }
            if last {
                return Ok(());
            }
            // What ends meanwhile is shown with its end. A server without runs cannot say it.
            run = run.or_else(|| number.filter(|_| knows_runs(&reply)));
            sleep(PERIOD).await;
        }
    })
}

pub(super) fn stop(args: &Stop, console: &mut Console) -> Result<Exit, Error> {
    let needs = [("the number of a run", args.run.is_some())];
    ask(&args.asking, &needs, console, async |server, console| {
        let (endpoint, token) = (&server.endpoint, server.token());
        if args.run.is_some() {
            let before = client::status(endpoint, token, args.run, server.timeout).await?;
            if matches!(&before, StatusReply::Status(status) if status.state.is_final()) {
                console.message("the run had ended before; nothing is stopped");
                print(&before, console);
                return Ok(());
            }
        }
        let reply = client::stop(endpoint, token, args.run, server.timeout).await?;
        print(&reply, console);
        Ok(())
    })
}

pub(super) fn runs(args: &Runs, console: &mut Console) -> Result<Exit, Error> {
    let state = args.state.map(State::from);
    ask(&args.asking, &[("ldctl runs", true)], console, async |server, console| {
        let (endpoint, timeout) = (&server.endpoint, server.timeout);
        let runs = client::runs(endpoint, server.token(), args.limit, state, timeout).await?;
        console.runs(runs);
        Ok(())
    })
}

/// Only servers with runs send when they were submitted.
fn knows_runs(reply: &StatusReply) -> bool {
    match reply {
        StatusReply::Status(event::Status { run: Some(info), .. }) => info.submitted.is_some(),
        StatusReply::Status(_) | StatusReply::Line(_) => false,
    }
}

fn print(reply: &StatusReply, console: &mut Console) {
    match reply {
        StatusReply::Status(status) => {
            console.say(&one_line(&status.to_string()), &Event::Status(status.clone()));
        }
        StatusReply::Line(line) => console.reply_line(line, true),
    }
}

impl From<RunState> for State {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Queued => Self::Queued,
            RunState::Running => Self::Running,
            RunState::Stopping => Self::Stopping,
            RunState::Passed => Self::Passed,
            RunState::Failed => Self::Failed,
            RunState::Cancelled => Self::Cancelled,
            RunState::Lost => Self::Lost,
            RunState::Interrupted => Self::Interrupted,
        }
    }
}

/// The server that is asked.
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    token: Option<Token>,
    pub(super) timeout: Duration,
}

impl Asked {
    pub(super) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

pub(super) fn ask(
    args: &Asking,
    needs: &[(&str, bool)],
    console: &mut Console,
    ask: impl AsyncFn(&Asked, &mut Console) -> Result<(), ClientError>,
) -> Result<Exit, Error> {
    let timeout = Duration::from_secs_f64(args.timeout);
    let (endpoint, token) = connection::resolve(&args.connection, &args.token, timeout, console)?;
    connection::framed(&endpoint, &args.connection, needs)?;
    console.replies(Some(args.output.into()), false);
    let asked = Asked { endpoint, token, timeout };
    block_on(signal::unless_interrupted(async {
        match ask(&asked, console).await {
            Ok(()) => Ok(Exit::Done),
            Err(error) => Err(connection::failure(&client::diagnose(&asked.endpoint, error).await)),
        }
    }))
}
