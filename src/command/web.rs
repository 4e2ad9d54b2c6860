//! The web door of `serve` and `run`: binds it, opens it, and says where it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::cli::ListenAddress;
use crate::console::Console;
use crate::error::{Error, reason};
use crate::net::Listeners;
use crate::server::{Execute, Handle, Server};
use crate::web::{Door, Settings};

/// How long the end of the program waits for connections whose requests have ended.
const CLOSE: Duration = Duration::from_millis(500);

/// How long the end of `run` waits for browsers, which are told of the end of the run.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// A door that is open, and what it leads to.
pub(super) struct Opened {
    door: Door,
    handle: Handle,
}

/// Listens, so that its addresses are known before anything runs.
pub(super) fn listen(address: &ListenAddress) -> Result<Listeners, Error> {
    let ListenAddress { host, port } = address;
    Listeners::bind(host, *port).map_err(|failed| {
        Error::usage(format!("--web {address}: {}", failed.why("--web", "--web")))
    })
}

/// Listens on this machine only.
pub(super) fn listen_here(address: &ListenAddress) -> Result<Listeners, Error> {
    let listeners = listen(address)?;
    if listeners.addresses().all(|address| address.ip().is_loopback()) {
        return Ok(listeners);
    }
    Err(Error::usage(format!(
        "--web {address} is open to the network, and `ldctl run` has no token; use localhost, or \
         `ldctl serve --web` with a token"
    )))
}

/// Opens it, and prints its address.
pub(super) fn open(
    listeners: Listeners,
    settings: Settings,
    handle: Handle,
    console: &mut Console,
) -> Result<Opened, Error> {
    let door = Door::open(listeners, settings, handle.clone())
        .map_err(|error| Error::usage(format!("cannot open the web door: {}", reason(&error))))?;
    console.message(&format!("runs in a browser: {}/", door.url()));
    Ok(Opened { door, handle })
}

/// Opens it to the runs of an executor that has no server.
pub(super) fn show(
    listeners: Listeners,
    executor: Arc<dyn Execute>,
    console: &mut Console,
) -> Result<Opened, Error> {
    let handle = Handle::new(Server::new(executor), CancellationToken::new());
    open(listeners, Settings { read_only: true, ..Settings::default() }, handle, console)
}

impl Opened {
    /// Closes it without waiting.
    pub(super) fn abandon(self) {
        self.door.close(Instant::now());
    }

    /// Closes it when those who watch have seen the end, but waits only briefly.
    pub(super) async fn close(self) {
        self.handle.idle(LAST_EVENTS).await;
        self.door.close(Instant::now() + CLOSE);
    }
}
