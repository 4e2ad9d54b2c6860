//! The service manager, if one started this process: the sockets it passes on, and the
//! notifications to it. Uses systemd's protocol; without its variables in the environment, and on
//! other systems, nothing here does anything. Notifications are sent from the runtime's own thread,
//! so that they stop when the event loop hangs and the manager's watchdog notices.

use std::convert::Infallible;
use std::net::TcpListener;

use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// The status of the server, in one line for `systemctl status`.
pub(super) type StatusLine<'a> = &'a dyn Fn() -> String;

/// The listening sockets that were passed on; empty if the process was started by hand. Changes the
/// environment: call it before any thread starts.
pub(super) fn sockets() -> Result<Vec<TcpListener>, Error> {
    system::sockets()
}

/// Notifies that the server is ready, then of its status, regularly that it is alive, and once that
/// it stops. Never returns.
pub(super) async fn attend(status: StatusLine<'_>, shutdown: &CancellationToken) -> Infallible {
    system::attend(status, shutdown).await
}

/// Notifies that a reload begins; until [`reloaded`] the service counts as reloading.
pub(super) fn reloading() {
    system::reloading();
}

/// Notifies that a reload has ended, whether or not it changed anything.
pub(super) fn reloaded() {
    system::reloaded();
}

#[cfg(target_os = "linux")]
mod system {
    use std::convert::Infallible;
    use std::net::TcpListener;
    use std::pin::pin;
    use std::time::Duration;

    use listenfd::ListenFd;
    use sd_notify::NotifyState;
    use socket2::SockRef;
    use tokio::time::{MissedTickBehavior, interval};
    use tokio_util::sync::CancellationToken;

    use super::StatusLine;
    use crate::error::{Error, reason};
    use crate::escape::one_line;

    /// How often the status is checked unless a watchdog requires more: `systemctl status` is read
    /// by people. It is sent only if it has changed.
    const GLANCE: Duration = Duration::from_secs(1);

    pub(super) fn sockets() -> Result<Vec<TcpListener>, Error> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..handed.len() {
            let socket = handed.take_tcp_listener(index).map_err(|error| unusable(&error))?;
            sockets.extend(socket);
        }
        for socket in &sockets {
            // `Accept=yes` passes on a connection; accepting from it would fail for ever.
            match SockRef::from(socket).is_listener() {
                Ok(true) => {}
                Ok(false) => {
                    return Err(Error::usage(
                        "the service manager handed over a socket that does not listen; say \
                         Accept=no in the socket unit",
                    ));
                }
                Err(error) => return Err(unusable(&error)),
            }
        }
        Ok(sockets)
    }

    fn unusable(error: &std::io::Error) -> Error {
        Error::usage(format!(
            "cannot use a socket from the service manager ({}); ListenStream= in the socket unit must \
             name TCP ports or addresses",
            reason(error)
        ))
    }

    pub(super) async fn attend(status: StatusLine<'_>, shutdown: &CancellationToken) -> Infallible {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return std::future::pending().await;
        }
        // A line end would begin a new assignment, such as `MAINPID=1`, and a status may contain
        // names that a document chose.
        let status = || one_line(&status()).into_owned();
        let mut reported = status();
        notify(&[NotifyState::Ready, NotifyState::Status(&reported)]);
        let watchdog = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        // Half the limit is what sd_watchdog_enabled(3) recommends.
        let mut alive = watchdog.map(|limit| interval(limit / 2));
        if let Some(alive) = &mut alive {
            alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut glance = interval(GLANCE);
        glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = pin!(shutdown.cancelled());
        let mut stopped = false;
        loop {
            tokio::select! {
                () = &mut stopping, if !stopped => {
                    stopped = true;
                    notify(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
                }
                () = tick(&mut alive) => notify(&[NotifyState::Watchdog]),
                _ = glance.tick(), if !stopped => {
                    let now = status();
                    if now != reported {
                        notify(&[NotifyState::Status(&now)]);
                        reported = now;
                    }
                }
            }
        }
    }

    async fn tick(interval: &mut Option<tokio::time::Interval>) {
        match interval {
            Some(interval) => {
                interval.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    pub(super) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("the monotonic clock cannot be read: {}", reason(&error)),
        }
    }

    pub(super) fn reloaded() {
        notify(&[NotifyState::Ready]);
    }

    /// Failing to notify the manager is no reason to stop serving.
    fn notify(states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!("cannot notify the service manager: {}", reason(&error));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::convert::Infallible;
    use std::net::TcpListener;

    use tokio_util::sync::CancellationToken;

    use super::StatusLine;
    use crate::error::Error;

    #[allow(clippy::unnecessary_wraps, reason = "the other system's can fail")]
    pub(super) fn sockets() -> Result<Vec<TcpListener>, Error> {
        Ok(Vec::new())
    }

    pub(super) async fn attend(_: StatusLine<'_>, _: &CancellationToken) -> Infallible {
        std::future::pending().await
    }

    pub(super) fn reloading() {}

    pub(super) fn reloaded() {}
}
