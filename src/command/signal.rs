//! SIGINT, SIGTERM and SIGHUP: the only module that knows how this system asks a program to stop,
//! or to reload its files.

use crate::error::{Error, Exit, reason};

/// Receives requests to stop.
#[cfg(unix)]
pub(super) struct Interrupt {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupt {
    /// Starts to receive; before, the signal ends the program immediately.
    pub(super) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::usage(format!("cannot receive signals: {}", reason(&error)))
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next request to stop.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Receives requests to stop.
#[cfg(not(unix))]
pub(super) struct Interrupt;

#[cfg(not(unix))]
impl Interrupt {
    /// Starts to receive.
    pub(super) fn listen() -> Result<Self, Error> {
        Ok(Self)
    }

    /// Waits for the next request to stop; if none can be received, for ever.
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Receives requests to reload files.
#[cfg(unix)]
pub(super) struct ReloadSignal {
    hangup: tokio::signal::unix::Signal,
    /// Whether it was started at a terminal.
    terminal: bool,
}

#[cfg(unix)]
impl ReloadSignal {
    /// Starts to receive; before, the signal ends the program immediately.
    pub(super) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = signal(SignalKind::hangup())
            .map_err(|error| Error::usage(format!("cannot receive signals: {}", reason(&error))))?;
        Ok(Self { hangup, terminal: at_a_terminal() })
    }

    /// Waits for the next request; returns false if the terminal has hung up instead, which sends
    /// the same signal.
    pub(super) async fn next(&mut self) -> bool {
        self.hangup.recv().await.is_some() && (!self.terminal || at_a_terminal())
    }
}

/// Whether stdin is a terminal that is still open.
#[cfg(unix)]
fn at_a_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal()
}

/// Receives requests to reload files: there are none on this system.
#[cfg(not(unix))]
pub(super) struct ReloadSignal;

#[cfg(not(unix))]
impl ReloadSignal {
    /// Starts to receive.
    pub(super) fn listen() -> Result<Self, Error> {
        Ok(Self)
    }

    /// Waits for ever.
    pub(super) async fn next(&mut self) -> bool {
        std::future::pending().await
    }
}

/// Runs the work, unless a signal asks to stop first.
pub(super) async fn unless_interrupted(
    work: impl Future<Output = Result<Exit, Error>>,
) -> Result<Exit, Error> {
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        done = work => done,
        () = interrupt.next() => Ok(Exit::Interrupted),
    }
}
