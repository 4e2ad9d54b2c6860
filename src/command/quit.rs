//! `ldctl quit`: tells a server to stop.

use std::time::Duration;

use super::{block_on, connection, signal, token};
use crate::cli::Quit;
use crate::client::{Ask, ClientError, Endpoint, Refusal, Reply};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::event::Event;
use crate::wire::reply::SHUTTING_DOWN;
use crate::wire::token::Token;

pub(super) fn quit(args: &Quit, console: &mut Console) -> Result<Exit, Error> {
    let timeout = Duration::from_secs_f64(args.timeout);
    let endpoint = connection::resolve(&args.connection, timeout, console)?;
    let token = token::resolve(&args.token, console)?;
    block_on(signal::unless_interrupted(async {
        end(&endpoint, token.as_ref(), timeout)
            .await
            .map_err(|error| connection::failure(&error))?;
        console.print(SHUTTING_DOWN);
        Ok(Exit::Done)
    }))
}

async fn end(
    endpoint: &Endpoint,
    token: Option<&Token>,
    timeout: Duration,
) -> Result<(), ClientError> {
    let mut replies = endpoint.connect().await?.ask(Ask::Quit, token, Some(timeout)).await?;
    while let Some(reply) = replies.next().await? {
        let address = endpoint.address();
        match reply {
            Reply::Event(Event::Error { kind, message }) => {
                return Err(ClientError::refused(address, Refusal::new(kind, message)));
            }
            Reply::Event(_) => {}
            Reply::Line(line) if line == SHUTTING_DOWN => {}
            Reply::Line(line) => {
                return Err(match Refusal::of_line(&line) {
                    Some(refusal) => ClientError::refused(address, refusal),
                    None => ClientError::NotThisProtocol { address },
                });
            }
        }
    }
    Ok(())
}
