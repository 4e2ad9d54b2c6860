//! `ldctl quit`: shuts a server down.

use std::time::Duration;

use super::setup::block_on;
use super::{connection, signal};
use crate::cli::Quit;
use crate::client;
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::wire::text::SHUTTING_DOWN;

pub(super) fn quit(args: &Quit, console: &mut Console) -> Result<Exit, Error> {
    let timeout = Duration::from_secs_f64(args.timeout);
    let (endpoint, token) = connection::resolve(&args.connection, &args.token, timeout, console)?;
    block_on(signal::unless_interrupted(async {
        if let Err(error) = client::quit(&endpoint, token.as_ref(), timeout).await {
            return Err(connection::failure(&client::diagnose(&endpoint, error).await));
        }
        console.print(SHUTTING_DOWN);
        Ok(Exit::Done)
    }))
}
