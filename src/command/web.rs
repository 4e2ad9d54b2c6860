//! The web door of `serve` and `run`: binds it, opens it, and says where it is.

use crate::cli::ListenAddress;
use crate::console::Console;
use crate::error::{Error, reason};
use crate::net::Listeners;
use crate::server::Handle;
use crate::web::{Door, Settings};

/// Listens, so that its addresses are known before anything runs.
pub(super) fn listen(address: &ListenAddress) -> Result<Listeners, Error> {
    let ListenAddress { host, port } = address;
    Listeners::bind(host, *port)
        .map_err(|failed| Error::usage(format!("--web {address}: {}", reason(&failed.error))))
}

/// Opens it, and prints its address.
pub(super) fn open(
    listeners: Listeners,
    settings: Settings,
    handle: &Handle,
    console: &mut Console,
) -> Result<Door, Error> {
    let door = Door::open(listeners, settings, handle.clone())
        .map_err(|error| Error::usage(format!("cannot open the web door: {}", reason(&error))))?;
    console.message(&format!("runs in a browser: {}/", door.url()));
    Ok(door)
}
