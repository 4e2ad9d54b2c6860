//! `ldctl status` and `ldctl stop`: show and stop the test that a server is running.

use std::time::Duration;

use super::setup::block_on;
use super::{connection, signal};
use crate::cli::Status;
use crate::client::{self, ClientError, StatusReply};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::Event;

pub(super) fn status(args: &Status, console: &mut Console) -> Result<Exit, Error> {
    ask(args, console, async |endpoint, token, timeout| {
        client::status(endpoint, token, timeout).await
    })
}

pub(super) fn stop(args: &Status, console: &mut Console) -> Result<Exit, Error> {
    ask(args, console, async |endpoint, token, timeout| {
        client::stop(endpoint, token, timeout).await
    })
}

fn ask(
    args: &Status,
    console: &mut Console,
    ask: impl AsyncFn(
        &client::Endpoint,
        Option<&crate::wire::token::Token>,
        Duration,
    ) -> Result<StatusReply, ClientError>,
) -> Result<Exit, Error> {
    let timeout = Duration::from_secs_f64(args.timeout);
    let (endpoint, token) = connection::resolve(&args.connection, &args.token, timeout, console)?;
    console.replies(args.output, false);
    block_on(signal::unless_interrupted(async {
        match ask(&endpoint, token.as_ref(), timeout).await {
            Ok(StatusReply::Status(status)) => {
                console.say(&status.to_string(), &Event::Status(status.clone()));
            }
            Ok(StatusReply::Line(line)) => console.reply_line(&line, true),
            Err(error) => {
                return Err(connection::failure(&client::diagnose(&endpoint, error).await));
            }
        }
        Ok(Exit::Done)
    }))
}
