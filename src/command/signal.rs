//! The signals: the only module that knows how this system asks a program to stop, to reload its
//! files, or to report its status. Signals that have no meaning here do not end a program that holds
//! records.

use crate::error::{Error, Exit, reason};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To stop: SIGINT, SIGTERM or SIGQUIT.
    Stop,
    /// For a status line: SIGUSR1.
    Status,
}

/// Receives requests to stop and for a status line.
#[cfg(unix)]
pub(super) struct Interrupt {
    status: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupt {
    /// Starts to receive; before, the signal ends the program immediately. From then on SIGUSR2,
    /// SIGALRM and SIGIO are ignored.
    pub(super) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::SignalKind;
        for ignored in [SignalKind::user_defined2(), SignalKind::alarm(), SignalKind::io()] {
            // The handler stays when the receiver is gone.
            drop(listen(ignored)?);
        }
        Ok(Self {
            status: listen(SignalKind::user_defined1())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            quit: listen(SignalKind::quit())?,
        })
    }

    /// Waits for the next request.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.quit.recv() => Asked::Stop,
            _ = self.status.recv() => Asked::Status,
        }
    }
}

#[cfg(unix)]
fn listen(kind: tokio::signal::unix::SignalKind) -> Result<tokio::signal::unix::Signal, Error> {
    tokio::signal::unix::signal(kind)
        .map_err(|error| Error::usage(format!("cannot receive signals: {}", reason(&error))))
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
    pub(super) async fn next(&mut self) -> Asked {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Asked::Stop
    }
}

impl Interrupt {
    /// Waits for the next request to stop; there is no status to print.
    pub(super) async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
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
        let hangup = listen(tokio::signal::unix::SignalKind::hangup())?;
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
        () = interrupt.stop() => Ok(Exit::Interrupted),
    }
}
