//! SIGINT, SIGTERM and SIGHUP: the one place that knows how this system asks a program to stop, or to
//! read its files again.

use crate::error::{Error, Exit, reason};

/// Hears requests to stop from here on.
#[cfg(unix)]
pub(super) struct Interrupt {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupt {
    /// Begins to listen; until here a signal ends the program at once.
    pub(super) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::usage(format!("cannot hear signals: {}", reason(&error))))
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

/// Hears requests to stop from here on.
#[cfg(not(unix))]
pub(super) struct Interrupt;

#[cfg(not(unix))]
impl Interrupt {
    /// Begins to listen.
    pub(super) fn listen() -> Result<Self, Error> {
        Ok(Self)
    }

    /// Waits for the next request to stop; where none can be heard, for ever.
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Hears requests to read files again, from here on.
#[cfg(unix)]
pub(super) struct ReloadSignal {
    hangup: tokio::signal::unix::Signal,
    /// Whether it began at a terminal.
    terminal: bool,
}

#[cfg(unix)]
impl ReloadSignal {
    /// Begins to listen; until here the signal ends the program at once.
    pub(super) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = signal(SignalKind::hangup())
            .map_err(|error| Error::usage(format!("cannot hear signals: {}", reason(&error))))?;
        Ok(Self { hangup, terminal: at_a_terminal() })
    }

    /// Waits for the next request; false when there was none, but the terminal has hung up. The
    /// signal is the same.
    pub(super) async fn next(&mut self) -> bool {
        self.hangup.recv().await.is_some() && (!self.terminal || at_a_terminal())
    }
}

/// Whether stdin is a terminal that somebody still holds.
#[cfg(unix)]
fn at_a_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal()
}

/// Hears requests to read files again: nobody can make one here.
#[cfg(not(unix))]
pub(super) struct ReloadSignal;

#[cfg(not(unix))]
impl ReloadSignal {
    /// Begins to listen.
    pub(super) fn listen() -> Result<Self, Error> {
        Ok(Self)
    }

    /// Waits for ever.
    pub(super) async fn next(&mut self) -> bool {
        std::future::pending().await
    }
}

/// Does the work, unless a signal asks to stop first.
pub(super) async fn unless_interrupted(
    work: impl Future<Output = Result<Exit, Error>>,
) -> Result<Exit, Error> {
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        done = work => done,
        () = interrupt.next() => Ok(Exit::Interrupted),
    }
}
