//! The thread of an exporter that sends: at each tick, and once more at the end, it passes the
//! figures since the exporter started (or since the last tick) to a function that sends them. The
//! log gets one line when sending fails (a missing receiver usually stays missing for many ticks),
//! one when it works again, and one at the end for what never arrived.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::reason;
use crate::lock::join_until;
use crate::record::live::{Counted, Cumulative, Series};

/// The outcome of one tick.
#[derive(Debug)]
pub(super) enum Fate {
    /// There was nothing to send, or the outcome is unknown.
    Unknown,
    /// They were sent.
    Sent,
    /// They could not be sent; the next tick includes them.
    Kept(io::Error),
    /// This many datagrams were lost, in this tick or an earlier one.
    Lost(u64, io::Error),
}

impl From<io::Result<()>> for Fate {
    fn from(sent: io::Result<()>) -> Self {
        sent.map_or_else(Self::Kept, |()| Self::Sent)
    }
}

/// What the log already says about a receiver.
#[derive(Debug)]
struct Log {
    name: &'static str,
    failing: bool,
    lost: u64,
}

impl Log {
    fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            let name = self.name;
            let why = reason(error);
            tracing::warn!("{name}: figures cannot be sent, retrying: {why}");
        }
    }

    fn sent(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::warn!("{}: the receiver accepts figures again", self.name);
        }
    }

    fn end(&self, unsent: u64) {
        let name = self.name;
        if self.lost > 0 {
            tracing::warn!("{name}: {} datagrams with figures were lost", self.lost);
        }
        if unsent > 0 {
            tracing::warn!("{name}: the figures of {unsent} requests were never sent");
        }
    }
}

/// The thread; dropping this ends it after it has sent once more.
#[derive(Debug)]
pub(super) struct Ticker {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    name: &'static str,
}

impl Ticker {
    /// Starts a thread that calls `send` at each tick with the series that have changed since the last
    /// one that was sent, and with `last` set the final time. `send` must return within a bounded time.
    pub(super) fn of_changes(
        name: &'static str,
        cumulative: &Cumulative,
        interval: Duration,
        mut send: impl FnMut(&[Series], bool) -> Fate + Send + 'static,
    ) -> io::Result<Self> {
        let changes = cumulative.changes();
        Self::start(name, interval, move |last| {
            let figures = changes.take();
            let fate = send(&figures, last);
            if matches!(fate, Fate::Kept(_)) {
                changes.put_back(&figures);
            }
            (fate, figures.iter().map(|series| series.requests).sum())
        })
    }

    /// Starts a thread that calls `send` at each tick with the counts since its start.
    pub(super) fn of_counts(
        name: &'static str,
        cumulative: &Cumulative,
        interval: Duration,
        mut send: impl FnMut(&[Counted]) -> Fate + Send + 'static,
    ) -> io::Result<Self> {
        let counts = cumulative.from_now();
        Self::start(name, interval, move |_| {
            let figures = counts.counts();
            (send(&figures), figures.iter().map(|series| series.requests).sum())
        })
    }

    /// `send` returns its outcome, and how many requests it was about.
    fn start(
        name: &'static str,
        interval: Duration,
        mut send: impl FnMut(bool) -> (Fate, u64) + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let work = move || {
            let mut log = Log { name, failing: false, lost: 0 };
            loop {
                let last = stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout);
                let (fate, requests) = send(last);
                let mut unsent = 0;
                match fate {
                    Fate::Unknown => {}
                    Fate::Sent => log.sent(),
                    Fate::Kept(error) => {
                        log.failed(&error);
                        unsent = requests;
                    }
                    Fate::Lost(count, error) => {
                        log.failed(&error);
                        log.lost += count;
                    }
                }
                if last {
                    return log.end(unsent);
                }
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread), name })
    }

    /// Lets the thread send once more and end.
    pub(super) fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the end of the thread, at most until a deadline; then it is left behind, and
    /// figures that it has not sent are lost. Returns whether it has ended.
    pub(super) fn stop_until(&mut self, deadline: Instant) -> bool {
        self.begin_to_stop();
        let ended = join_until(&mut self.thread, deadline);
        if !ended {
            let name = self.name;
            tracing::warn!("{name}: the receiver does not respond; the last figures are lost");
        }
        ended
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.begin_to_stop();
        if let Some(thread) = self.thread.take() {
            // The thread has reported its own panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::record::fixture;
    use crate::record::live::Live;

    /// Adds a request of some run.
    pub(in crate::metrics) fn request(
        cumulative: &Arc<Cumulative>,
        name: &str,
        millis: u64,
        bytes: u64,
        failed: bool,
    ) {
        let live = Live::feeding(Arc::clone(cumulative));
        fixture::request(&live, name, millis, bytes, failed);
    }

    #[test]
    fn only_figures_since_the_start_are_sent_the_last_of_them_at_the_end() {
        let cumulative = Arc::new(Cumulative::default());
        request(&cumulative, "early", 1, 1, false);
        let sent = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sent);
        let hour = Duration::from_secs(3600);
        let ticker = Ticker::of_changes("test", &cumulative, hour, move |series, _| {
            let counts = series.iter().map(|series| (series.name.to_string(), series.requests));
            seen.lock().expect("sound").extend(counts);
            Fate::Sent
        })
        .expect("started");
        request(&cumulative, "late", 1, 1, false);
        drop(ticker);
        assert_eq!(*sent.lock().expect("sound"), [("late".to_owned(), 1)]);
    }

    #[test]
    fn t45_a_receiver_that_does_not_respond_is_left_behind_at_the_deadline() {
        let (respond, response) = channel::<()>();
        let hour = Duration::from_secs(3600);
        let mut ticker = Ticker::start("test", hour, move |_| {
            let _ = response.recv();
            (Fate::Sent, 0)
        })
        .expect("started");
        assert!(!ticker.stop_until(Instant::now()));
        // Does not wait either.
        drop(ticker);
        drop(respond);
    }

    #[test]
    fn figures_that_could_not_be_sent_are_sent_at_the_next_tick() {
        let cumulative = Arc::new(Cumulative::default());
        let (sender, receiver) = channel();
        let mut down = true;
        let tick = Duration::from_millis(1);
        let ticker = Ticker::of_changes("test", &cumulative, tick, move |series, _| {
            let requests: u64 = series.iter().map(|series| series.requests).sum();
            if requests == 0 {
                return Fate::Unknown;
            }
            if std::mem::take(&mut down) {
                return Fate::Kept(io::Error::other("down"));
            }
            sender.send(requests).map_err(io::Error::other).into()
        })
        .expect("started");
        request(&cumulative, "a", 1, 1, false);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(30)), Ok(1));
        drop(ticker);
        assert!(receiver.try_recv().is_err(), "sent once");
    }
}
