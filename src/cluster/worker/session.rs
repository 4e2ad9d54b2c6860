//! The conversation of a worker with its master, over as many connections as it takes. Everything that
//! waits is a state of one loop: nothing that is awaited inside a handler can delay a heartbeat.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::outcome::{WorkerEnd, WorkerOutcome};
use crate::cluster::message::{
    FromMaster, FromWorker, Heartbeat, Spawn, UserCounts, Version, from_worker, read_master,
};
use crate::cluster::reminder::Reminder;
use crate::cluster::report::{Interval, requests, stats};
use crate::cluster::usage::{self, Usage};
use crate::cluster::zmtp::{Link, Socket, open, send_all};
use crate::load::Commands;
use crate::record::live::Live;
use crate::record::{Outcome, Tally};

/// How often the worker says that it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// How often it reports.
const REPORT: Duration = Duration::from_secs(3);

/// How often what is pending is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long it tries to reach a master that it has never reached: Locust's 60 times 5 s.
pub(super) const FIRST_CONTACT: Duration = Duration::from_secs(300);

/// How long a master may be silent: Locust's MASTER_HEARTBEAT_TIMEOUT.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the exchange of greetings may take.
const GREETING: Duration = Duration::from_secs(5);

/// The pause before another attempt to connect.
const REDIAL: Duration = Duration::from_millis(500);

/// How long a registration may wait for its acknowledgement.
const ACK: Duration = Duration::from_secs(5);

/// How long the master that a worker comes back to may take for a heartbeat; one that was restarted
/// ignores it.
const SAME: Duration = Duration::from_millis(1500);

/// How long users may take to finish their requests after `stop`, unless the master allows more.
const STOP: Duration = Duration::from_secs(5);

/// The longest time that a master may give them.
const MOST_STOP: Duration = Duration::from_secs(600);

/// How long the end waits for the test, which gives requests in progress 5 s.
const END: Duration = Duration::from_secs(7);

/// How long it waits for the answer to the last heartbeat.
const LAST: Duration = Duration::from_millis(500);

/// How many messages may wait to be sent: as many as in ZeroMQ.
const MOST_WAITING: usize = 1000;

/// The classes that are echoed at most.
const MOST_CLASSES: usize = 1000;

/// Makes connections to a master.
pub(super) trait Connect {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// One attempt.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Stream, ConnectError>>;

    /// The master, for messages.
    fn master(&self) -> String;
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct ConnectError {
    pub(super) text: String,
    /// Whether another attempt is of no use.
    pub(super) is_final: bool,
}

/// What the worker is to its master.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Registration {
    /// It has connected again, and asks whether the master is the same.
    Probing {
        until: Instant,
    },
    /// It has registered.
    Waiting {
        until: Instant,
    },
    Registered,
}

/// The state that heartbeats carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Running,
}

/// A `stop` that is being carried out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stopping {
    /// Users finish their requests, and drop them after this.
    Users { drop_at: Instant, pause: Duration },
    /// The worker registers again after this.
    Pause { until: Instant },
}

/// The end, once it has begun.
#[derive(Debug)]
struct Leaving {
    end: WorkerEnd,
    /// Nothing waits longer.
    until: Instant,
    /// Once the last report is sent: how many heartbeats were sent then, and until when an answer to
    /// the last is awaited.
    last: Option<(u64, Instant)>,
}

/// What follows a connection.
enum Step {
    /// The end.
    End(WorkerEnd),
    /// Another connection, after a pause: also for a master that asks for one each time.
    Again,
}

/// One connection.
struct Line {
    outbox: mpsc::Sender<Vec<u8>>,
    registration: Registration,
    beats_sent: u64,
    beats_answered: u64,
    /// Requests reported on this connection and not confirmed, with the heartbeats sent before.
    pending: VecDeque<(u64, u64)>,
}

/// A worker's part of a cluster.
pub(super) struct Session {
    commands: Arc<Commands>,
    live: Arc<Live>,
    /// The run should end.
    cancel: CancellationToken,
    /// The test has ended.
    ended: CancellationToken,
    node: String,
    /// Whether the master reads what ldctl adds to a report.
    detail: bool,
    /// Whether the master knows this name.
    known: bool,
    /// Whether a master has known any.
    met: bool,
    heard: Instant,
    state: State,
    classes: BTreeMap<String, u64>,
    last_spawn: f64,
    /// How long the master lets users finish.
    stop_timeout: Duration,
    /// When the last report was made, from the Unix epoch.
    reported_at: Duration,
    stopping: Option<Stopping>,
    leaving: Option<Leaving>,
    usage: Usage,
    outcome: WorkerOutcome,
    lost: u32,
    refused: u32,
}

fn epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Session {
    pub(super) fn new(
        commands: &Arc<Commands>,
        live: &Arc<Live>,
        cancel: CancellationToken,
        ended: CancellationToken,
    ) -> Self {
        Self {
            commands: Arc::clone(commands),
            live: Arc::clone(live),
            cancel,
            ended,
            node: new_node(),
            detail: false,
            known: false,
            met: false,
            heard: Instant::now(),
            state: State::Ready,
            classes: BTreeMap::new(),
            last_spawn: 0.0,
            stop_timeout: Duration::ZERO,
            reported_at: epoch(),
            stopping: None,
            leaving: None,
            usage: Usage::new(),
            outcome: WorkerOutcome {
                end: WorkerEnd::Left,
                measured: 0,
                reported: 0,
                confirmed: 0,
                peak: 0,
                warnings: Vec::new(),
            },
            lost: 0,
            refused: 0,
        }
    }

    /// Works for the master until one of both ends it.
    pub(super) async fn serve<C: Connect>(mut self, mut connect: C) -> WorkerOutcome {
        // Of the thread that runs this, whose clock may be a test's.
        self.heard = Instant::now();
        let mut until = self.heard + FIRST_CONTACT;
        let end = loop {
            let link = match self.connect(&mut connect, until).await {
                Ok(link) => link,
                Err(end) => break end,
            };
            match self.converse(link, &connect.master()).await {
                Step::End(end) => break end,
                Step::Again => {
                    if self.met {
                        until = self.heard + SILENCE;
                        self.lost += 1;
                        tracing::warn!("the connection to the master is lost; trying again");
                    }
                    sleep(REDIAL).await;
                }
            }
        };
        self.commands.end();
        self.conclude(end)
    }

    fn conclude(mut self, end: WorkerEnd) -> WorkerOutcome {
        let left: u64 = self.take().iter().map(|outcome| outcome.figures.requests).sum();
        self.outcome.measured = self.outcome.measured.saturating_add(left);
        if self.lost > 0 && matches!(end, WorkerEnd::Quit | WorkerEnd::Left) {
            let times =
                if self.lost == 1 { "once".to_owned() } else { format!("{} times", self.lost) };
            self.outcome.warnings.push(format!("the connection to the master was lost {times}"));
        }
        if self.refused > 0 {
            let refused = self.refused;
            self.outcome
                .warnings
                .push(format!("{refused} messages of the master could not be read"));
        }
        WorkerOutcome { end, ..self.outcome }
    }

    /// Connects, as often as it takes until a moment.
    async fn connect<C: Connect>(
        &mut self,
        connect: &mut C,
        until: Instant,
    ) -> Result<Link<C::Stream>, WorkerEnd> {
        let mut why = "it has closed the connection or not acknowledged this worker".to_owned();
        let mut reminder = Reminder::new();
        loop {
            if Instant::now() >= until {
                let master = connect.master();
                return Err(WorkerEnd::Lost(match self.met {
                    true => format!("the master at {master} has not answered for 60 s: {why}"),
                    false => format!("no master at {master} within 5 minutes: {why}"),
                }));
            }
            let attempt = async {
                let stream = connect.connect().await?;
                let greeted = open(stream, Socket::Dealer, self.node.as_bytes(), None);
                let not_final = |text: String| ConnectError { text, is_final: false };
                match timeout(GREETING, greeted).await {
                    Ok(link) => link.map_err(|error| not_final(error.to_string())),
                    Err(_) => Err(not_final("it does not greet".to_owned())),
                }
            };
            let attempted = tokio::select! {
                attempted = attempt => attempted,
                () = self.cancel.cancelled() => return Err(WorkerEnd::Left),
                () = self.ended.cancelled() => return Err(WorkerEnd::Left),
            };
            match attempted {
                Ok(link) => return Ok(link),
                Err(error) if error.is_final => return Err(WorkerEnd::Lost(error.text)),
                Err(error) => why = error.text,
            }
            if !self.met && reminder.is_due() {
                let left = until.saturating_duration_since(Instant::now()).as_secs().div_ceil(60);
                tracing::warn!(
                    "no master at {} yet ({why}); trying for {left} min more (--master-host, \
                     --master-port)",
                    connect.master()
                );
            }
            tokio::select! {
                () = sleep(REDIAL) => {}
                () = self.cancel.cancelled() => return Err(WorkerEnd::Left),
                () = self.ended.cancelled() => return Err(WorkerEnd::Left),
            }
        }
    }

    /// One connection, to its end.
    async fn converse<S>(&mut self, link: Link<S>, master: &str) -> Step
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Link { mut reader, writer, .. } = link;
        let (outbox, waiting) = mpsc::channel(MOST_WAITING);
        let writing = tokio::spawn(send_all(writer, waiting));
        let now = Instant::now();
        let mut line = Line {
            outbox,
            registration: Registration::Waiting { until: now + ACK },
            beats_sent: 0,
            beats_answered: 0,
            pending: VecDeque::new(),
        };
        if self.known {
            line.registration = Registration::Probing { until: now + SAME };
            self.beat(&mut line);
        } else {
            self.say(&line, FromWorker::ClientReady(Version::Accepted));
        }
        let every = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut beats, mut reports, mut looks) = (every(BEAT), every(REPORT), every(LOOK));
        let step = loop {
            let step = tokio::select! {
                biased;
                message = reader.message() => match message {
                    Ok(message) => self.hear(&mut line, &message, master),
                    Err(error) => {
                        tracing::debug!("the master's connection: {error}");
                        Some(self.cut())
                    }
                },
                _ = beats.tick() => {
                    if line.registration == Registration::Registered {
                        self.beat(&mut line);
                    }
                    None
                }
                _ = reports.tick() => {
                    if line.registration == Registration::Registered && self.leaving.is_none() {
                        self.report(&mut line);
                    }
                    None
                }
                _ = looks.tick() => self.look(&mut line),
                () = line.outbox.closed() => Some(self.cut()),
            };
            if let Some(step) = step {
                break step;
            }
        };
        drop(line);
        if matches!(step, Step::End(_)) {
            finish(writing).await;
        } else {
            // What waits to be sent belongs to a connection that is of no use.
            writing.abort();
        }
        step
    }

    /// What follows the loss of a connection.
    fn cut(&mut self) -> Step {
        match self.leaving.take() {
            Some(leaving) => Step::End(leaving.end),
            None => Step::Again,
        }
    }

    /// Handles a message.
    fn hear(&mut self, line: &mut Line, message: &[u8], master: &str) -> Option<Step> {
        let message = match read_master(message) {
            Ok(read) => read.message,
            Err(error) => {
                self.refused = self.refused.saturating_add(1);
                tracing::debug!("a message of the master: {error}");
                return None;
            }
        };
        self.heard = Instant::now();
        match message {
            FromMaster::Ack(ack) => {
                if !self.known {
                    tracing::info!("worker {} of the master at {master}", ack.index);
                }
                (self.known, self.met, self.detail) = (true, true, ack.ldctl > 0);
                line.registration = Registration::Registered;
            }
            FromMaster::Heartbeat => self.answered(line),
            FromMaster::Spawn(spawn) => self.spawn(line, *spawn),
            FromMaster::Stop if self.leaving.is_none() => self.stop(),
            FromMaster::Quit => self.leave(line, WorkerEnd::Quit),
            FromMaster::Reconnect => return Some(Step::Again),
            FromMaster::Stop | FromMaster::SpawningComplete(_) => {}
            FromMaster::Other(kind) => {
                tracing::debug!("a message {kind:?} of the master is ignored")
            }
        }
        None
    }

    /// A heartbeat was answered: the master has received everything that was sent before it.
    fn answered(&mut self, line: &mut Line) {
        line.beats_answered += 1;
        while let Some((before, requests)) = line.pending.front().copied()
            && before < line.beats_answered
        {
            line.pending.pop_front();
            self.outcome.confirmed += requests;
        }
        if matches!(line.registration, Registration::Probing { .. }) {
            line.registration = Registration::Registered;
        }
    }

    /// Makes the users as many as the master wants, at once.
    fn spawn(&mut self, line: &mut Line, spawn: Spawn) {
        self.say(line, FromWorker::Spawning);
        if spawn.timestamp <= self.last_spawn || self.leaving.is_some() {
            return;
        }
        self.last_spawn = spawn.timestamp;
        if self.state == State::Ready {
            // What was measured for an earlier master is no part of this test.
            let before: u64 = self.take().iter().map(|outcome| outcome.figures.requests).sum();
            self.outcome.measured += before;
            self.reported_at = epoch();
        }
        let seconds = spawn.stop_timeout.clamp(0.0, MOST_STOP.as_secs_f64());
        self.stop_timeout = Duration::from_secs_f64(seconds);
        self.stopping = None;
        // Whoever commands users knows this worker.
        line.registration = Registration::Registered;
        let all =
            spawn.user_classes_count.values().fold(0u64, |sum, users| sum.saturating_add(*users));
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        let granted = self.commands.set(all);
        if granted < all && self.outcome.warnings.is_empty() {
            let warning =
                format!("the master commanded {all} users; --max-users {granted} allows no more");
            tracing::warn!("{warning}");
            self.outcome.warnings.push(warning);
        }
        self.outcome.peak = self.outcome.peak.max(granted);
        let mut left = granted as u64;
        let classes = spawn.user_classes_count.into_iter().take(MOST_CLASSES);
        self.classes = classes
            .map(|(class, users)| {
                let users = users.min(left);
                left -= users;
                (class, users)
            })
            .collect();
        self.state = State::Running;
        self.say(line, FromWorker::SpawningComplete(self.users()));
    }

    fn stop(&mut self) {
        self.commands.set(0);
        self.classes.values_mut().for_each(|users| *users = 0);
        let (pause, now) = (self.stop_timeout, Instant::now());
        self.stopping = Some(Stopping::Users { drop_at: now + STOP.max(pause), pause });
    }

    /// The end begins: what there is is reported at once, because a master waits half a second.
    fn leave(&mut self, line: &mut Line, end: WorkerEnd) {
        if self.leaving.is_some() {
            return;
        }
        if line.registration == Registration::Registered {
            self.report(line);
        }
        self.commands.end();
        self.leaving = Some(Leaving { end, until: Instant::now() + END, last: None });
    }

    /// Looks at what is pending.
    fn look(&mut self, line: &mut Line) -> Option<Step> {
        let now = Instant::now();
        if self.leaving.is_none() && (self.cancel.is_cancelled() || self.ended.is_cancelled()) {
            self.leave(line, WorkerEnd::Left);
        }
        if self.leaving.is_some() {
            return self.look_at_the_end(line, now);
        }
        match line.registration {
            Registration::Probing { until } if now >= until => {
                // A restarted master: it knows nothing of this worker's users.
                self.commands.set(0);
                self.classes.clear();
                self.state = State::Ready;
                self.last_spawn = 0.0;
                self.say(line, FromWorker::ClientReady(Version::Accepted));
                line.registration = Registration::Waiting { until: now + ACK };
            }
            Registration::Waiting { until } if now >= until => {
                // The master may still hold a connection with this identity, and ignore this one.
                self.node = new_node();
                self.known = false;
                return Some(Step::Again);
            }
            _ => {}
        }
        if self.known && now.duration_since(self.heard) >= SILENCE {
            return Some(Step::End(WorkerEnd::Lost(
                "the master has not answered for 60 s".to_owned(),
            )));
        }
        self.look_at_the_stop(line, now);
        None
    }

    fn look_at_the_stop(&mut self, line: &mut Line, now: Instant) {
        match self.stopping {
            Some(Stopping::Users { pause, .. }) if self.commands.busy() == 0 => {
                // Before client_stopped, or the master takes them for those of the next test.
                self.report(line);
                self.say(line, FromWorker::ClientStopped);
                self.stopping = Some(Stopping::Pause { until: now + pause });
            }
            Some(Stopping::Users { drop_at, .. }) if now >= drop_at => {
                self.commands.drop_unfinished();
            }
            Some(Stopping::Pause { until }) if now >= until => {
                self.stopping = None;
                self.say(line, FromWorker::ClientReady(Version::Accepted));
                self.state = State::Ready;
                line.registration = Registration::Waiting { until: now + ACK };
            }
            _ => {}
        }
    }

    fn look_at_the_end(&mut self, line: &mut Line, now: Instant) -> Option<Step> {
        let leaving = self.leaving.as_ref()?;
        let (until, last) = (leaving.until, leaving.last);
        if let Some((beats, until)) = last {
            let confirmed = line.beats_answered >= beats;
            return (confirmed || now >= until).then(|| self.cut());
        }
        let is_over = self.ended.is_cancelled() || now >= until;
        if line.registration != Registration::Registered {
            return is_over.then(|| self.cut());
        }
        if is_over {
            self.report(line);
            self.beat(line);
            if self.leaving.as_ref().is_some_and(|leaving| leaving.end == WorkerEnd::Left) {
                // Never as an answer to quit: LoadDensity would list the worker as lost.
                self.say(line, FromWorker::Quit);
            }
            let last = Some((line.beats_sent, now + LAST));
            self.leaving.iter_mut().for_each(|leaving| leaving.last = last);
        } else {
            self.report_what_there_is(line);
        }
        None
    }

    fn users(&self) -> UserCounts {
        let user_count = self.classes.values().sum();
        UserCounts { user_classes_count: self.classes.clone(), user_count }
    }

    fn beat(&mut self, line: &mut Line) {
        let state = match self.state {
            State::Ready => "ready",
            State::Running => "running",
        };
        let (state, current_cpu_usage) = (state.to_owned(), self.usage.percent());
        let current_memory_usage = usage::memory();
        let beat = Heartbeat { state, current_cpu_usage, current_memory_usage };
        self.say(line, FromWorker::Heartbeat(beat));
        line.beats_sent += 1;
    }

    fn take(&self) -> Vec<Outcome> {
        self.live.tally().map(Tally::take).unwrap_or_default()
    }

    /// Reports what was measured since the last report.
    fn report(&mut self, line: &mut Line) {
        let outcomes = self.take();
        self.report_these(line, &outcomes);
    }

    fn report_what_there_is(&mut self, line: &mut Line) {
        let outcomes = self.take();
        if !outcomes.is_empty() {
            self.report_these(line, &outcomes);
        }
    }

    fn report_these(&mut self, line: &mut Line, outcomes: &[Outcome]) {
        let started = self.live.tally().map_or(Duration::ZERO, Tally::epoch);
        let interval = Interval { epoch: started, from: self.reported_at, to: epoch() };
        self.reported_at = interval.to;
        let stats = stats(outcomes, interval, self.users(), self.detail);
        let count = requests(&stats);
        self.outcome.measured += count;
        if self.say(line, FromWorker::Stats(Box::new(stats))) {
            self.outcome.reported += count;
            line.pending.push_back((line.beats_sent, count));
        }
    }

    /// Sends a message; returns whether it can be sent. What a master does not read for long is
    /// dropped, as ZeroMQ would.
    fn say(&self, line: &Line, message: FromWorker) -> bool {
        match from_worker(message, &self.node) {
            Ok(bytes) => line.outbox.try_send(bytes).is_ok(),
            Err(error) => {
                tracing::error!("{error}");
                false
            }
        }
    }
}

/// A name that no other worker has; what is before the mark is taken for the machine.
fn new_node() -> String {
    format!("{}_{}", usage::host(), Uuid::new_v4().simple())
}

/// Waits until everything is sent, but not for ever.
async fn finish(mut writing: JoinHandle<()>) {
    if timeout(LAST, &mut writing).await.is_err() {
        writing.abort();
    }
}
