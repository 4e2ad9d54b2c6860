//! A test in a cluster, from the first worker to the last report: waits for workers, deals users out to
//! them as the shape wants, counts what they report, and sends them home.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::{Door, Event, accept};
use super::health::Health;
use super::options::MasterOptions;
use super::table::{Reply, Table};
use crate::cluster::merge::absorb;
use crate::cluster::message::{FromMaster, FromWorker, Options, Spawn, Stats, from_master};
use crate::cluster::reminder::Reminder;
use crate::load::shape::Shape;
use crate::net::Listeners;
use crate::record::Recorder;
use crate::record::live::Live;

/// How often users are dealt out while their number changes, and workers are looked at.
const TICK: Duration = Duration::from_millis(250);

/// The interval of reports of workers that do not say theirs.
const REPORT: Duration = Duration::from_secs(3);

/// How long the end waits for workers that report at once.
const LAST_REPORT: Duration = Duration::from_millis(1500);

/// How long it waits for those that finish requests in progress.
const LAST_REQUESTS: Duration = Duration::from_secs(7);

/// How many events may wait to be handled.
const MOST_EVENTS: usize = 1024;

/// Workers that a message names.
const MOST_NAMED: usize = 5;

/// When the test has started, as the clocks say.
pub(super) type Started = Arc<OnceLock<(std::time::Instant, SystemTime)>>;

/// What a test in a cluster leaves.
#[derive(Debug)]
pub(super) struct Conducted {
    pub(super) recorder: Recorder,
    pub(super) health: Health,
    pub(super) warnings: Vec<String>,
    /// Why it could not go on.
    pub(super) failure: Option<String>,
}

/// A connection to a worker.
#[derive(Debug)]
struct Connection {
    id: String,
    outbox: mpsc::Sender<Vec<u8>>,
    close: CancellationToken,
}

/// The conductor of one test.
pub(super) struct Conductor {
    options: MasterOptions,
    shape: Shape,
    live: Arc<Live>,
    stop: CancellationToken,
    started: Started,
    table: Table,
    connections: HashMap<u64, Connection>,
    recorder: Recorder,
    /// When the test started.
    since: Option<Instant>,
    /// The users that the live figures show.
    shown: usize,
    /// The last timestamp of a command: each must be greater.
    clock: f64,
    exceptions: u64,
    first_exception: Option<String>,
    malformed: u64,
    /// Why the first report that is not counted is not.
    uncounted: Option<String>,
    /// Whether some report was rounded.
    rounded: bool,
    turned_away: u64,
}

impl Conductor {
    pub(super) fn new(
        options: MasterOptions,
        shape: Shape,
        live: &Arc<Live>,
        stop: CancellationToken,
        started: Started,
    ) -> Self {
        Self {
            table: Table::new(options.lost_after, Instant::now()),
            options,
            shape,
            recorder: Recorder::new(live.allowance()),
            live: Arc::clone(live),
            stop,
            started,
            connections: HashMap::new(),
            since: None,
            shown: 0,
            clock: 0.0,
            exceptions: 0,
            first_exception: None,
            malformed: 0,
            uncounted: None,
            rounded: false,
            turned_away: 0,
        }
    }

    /// Conducts the test. Fails if it cannot start.
    pub(super) async fn conduct(mut self, listeners: Listeners) -> Result<Conducted, String> {
        let (events, mut heard) = mpsc::channel(MOST_EVENTS);
        let door = Door {
            allowed: self.options.allowed.clone(),
            events,
            memory: Arc::clone(&self.options.memory),
        };
        let addresses: Vec<String> =
            listeners.addresses().map(|address| address.to_string()).collect();
        let accepting = tokio::spawn(accept(listeners, door));
        let outcome = self.wait(&mut heard, &addresses.join(", ")).await;
        let failure = match outcome {
            Ok(true) => self.run(&mut heard).await,
            Ok(false) => None,
            Err(why) => {
                self.quit(&mut heard).await;
                accepting.abort();
                return Err(why);
            }
        };
        self.quit(&mut heard).await;
        accepting.abort();
        self.show_users(0);
        self.recorder.merge_into(&self.live);
        self.recorder.seal();
        let warnings = self.warnings();
        let health = self.table.finish();
        Ok(Conducted { recorder: self.recorder, health, warnings, failure })
    }

    /// Waits for workers; returns whether the test is to start.
    async fn wait(
        &mut self,
        events: &mut mpsc::Receiver<Event>,
        addresses: &str,
    ) -> Result<bool, String> {
        let expected = self.options.expected.max(1);
        let mut reminder = Reminder::new();
        let deadline = Instant::now() + self.options.startup_timeout;
        let mut ticks = ticks();
        loop {
            tokio::select! {
                event = events.recv() => self.handle(event),
                _ = ticks.tick() => {}
                () = self.stop.cancelled() => return Ok(false),
            }
            let now = Instant::now();
            self.table.look(now);
            let ready = self.table.ready();
            if ready >= expected {
                return Ok(true);
            }
            if reminder.is_due() {
                let plural = if expected == 1 { "" } else { "s" };
                tracing::warn!(
                    "waiting for {expected} worker{plural} on {addresses}, {ready} connected"
                );
            }
            if now >= deadline {
                let seconds = self.options.startup_timeout.as_secs_f64();
                let mut why = format!(
                    "only {ready}/{expected} healthy ready workers joined within {seconds:?}s"
                );
                if let Some(refused) = self.refused() {
                    why = format!("{why}; {refused}");
                }
                if ready == 0 || !self.options.degraded {
                    return Err(why);
                }
                tracing::warn!("{why}");
                self.table.health.start_degraded(expected, why);
                return Ok(true);
            }
        }
    }

    /// The test; returns why it could not go on.
    async fn run(&mut self, events: &mut mpsc::Receiver<Event>) -> Option<String> {
        let now = Instant::now();
        self.since = Some(now);
        let _ = self.started.set((std::time::Instant::now(), SystemTime::now()));
        self.table.start(now);
        let end = self.shape.end().map(|length| now + length);
        let far = now + Duration::from_secs(100 * 365 * 24 * 3600);
        let mut ticks = ticks();
        loop {
            let ticked = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = sleep_until(end.unwrap_or(far)) => return None,
                _ = ticks.tick() => true,
                event = events.recv() => {
                    self.handle(event);
                    false
                }
            };
            if !ticked {
                continue;
            }
            let now = Instant::now();
            if !self.table.look(now) {
                return self.table.health.reason.clone();
            }
            self.deal(now);
            self.recorder.merge_into(&self.live);
        }
    }

    /// Tells workers how many users to run, where that has changed.
    fn deal(&mut self, now: Instant) {
        let elapsed = self.since.map_or(Duration::ZERO, |since| now.duration_since(since));
        let users = self.shape.users(elapsed) as u64;
        for (id, users) in self.table.deal(users, now) {
            let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.clock = epoch.as_secs_f64().max(self.clock + 1e-5);
            let spawn = Spawn {
                timestamp: self.clock,
                user_classes_count: BTreeMap::from([(self.options.class.clone(), users)]),
                host: self.options.host.clone(),
                stop_timeout: 0.0,
                parsed_options: Options,
            };
            if !self.say(&id, FromMaster::Spawn(Box::new(spawn))) {
                self.table.untold(&id);
            }
        }
        if self.table.becomes_complete() {
            let users = self.table.users();
            for (id, _) in self.table.connected() {
                self.say(&id, FromMaster::SpawningComplete(users));
            }
        }
        let users = usize::try_from(self.table.users()).unwrap_or(usize::MAX);
        self.show_users(users);
    }

    fn show_users(&mut self, users: usize) {
        self.live.change_users(self.shown, users);
        self.shown = users;
    }

    /// Sends the workers home, and waits for what they still have to report.
    async fn quit(&mut self, events: &mut mpsc::Receiver<Event>) {
        self.table.quit();
        for (id, _) in self.table.connected() {
            self.say(&id, FromMaster::Quit);
        }
        let now = Instant::now();
        let (soon, late) = (now + LAST_REPORT, now + LAST_REQUESTS);
        let mut ticks = ticks();
        loop {
            let now = Instant::now();
            let waits =
                self.table.awaits(true) && now < late || self.table.awaits(false) && now < soon;
            if !waits {
                break;
            }
            tokio::select! {
                event = events.recv() => self.handle(event),
                _ = ticks.tick() => self.recorder.merge_into(&self.live),
            }
        }
        // What has arrived.
        while let Ok(event) = events.try_recv() {
            self.handle(Some(event));
        }
    }

    fn handle(&mut self, event: Option<Event>) {
        let now = Instant::now();
        match event {
            None => {}
            Some(Event::Opened { number, id, outbox, close }) => {
                // A worker that has lost its connection comes back before this side knows.
                for other in self.connections.values().filter(|other| other.id == id) {
                    other.close.cancel();
                }
                self.connections.insert(number, Connection { id, outbox, close });
            }
            Some(Event::Gone(number)) => {
                self.connections.remove(&number);
                self.table.gone(number);
            }
            Some(Event::Heard(number, message, _held)) => self.hear(number, message, now),
            Some(Event::Unheard(number, full)) => {
                if let Some(connection) = self.connections.get(&number) {
                    let why = format!("worker {} is cut off: {full}", connection.id);
                    tracing::warn!("{why}");
                    self.uncounted.get_or_insert(why);
                }
            }
            Some(Event::Malformed(number, trailing)) => {
                self.malformed = self.malformed.saturating_add(1);
                if trailing && let Some(connection) = self.connections.get(&number) {
                    let id = connection.id.clone();
                    self.say(&id, FromMaster::Reconnect);
                }
            }
            Some(Event::Refused) => self.turned_away = self.turned_away.saturating_add(1),
        }
    }

    fn hear(&mut self, number: u64, message: FromWorker, now: Instant) {
        let Some(connection) = self.connections.get(&number) else { return };
        if connection.close.is_cancelled() {
            return;
        }
        let id = connection.id.clone();
        match self.table.hear(&id, number, message, now) {
            Reply::None => {}
            Reply::Say(message) => {
                self.answer(number, &id, message);
            }
            Reply::Count(stats) => self.count(&id, &stats, now),
            Reply::Exception(text) => {
                self.exceptions = self.exceptions.saturating_add(1);
                self.first_exception.get_or_insert(text);
            }
        }
    }

    fn count(&mut self, id: &str, stats: &Stats, now: Instant) {
        // Before the test there is nothing to count.
        let Some(since) = self.since else { return };
        match absorb(stats, now.duration_since(since), REPORT, &mut self.recorder) {
            Ok(requests) => self.rounded |= stats.ldctl.is_none() && requests > 0,
            Err(implausible) => {
                tracing::warn!("worker {id}: {implausible}");
                self.uncounted.get_or_insert(format!("worker {id}: {implausible}"));
            }
        }
    }

    /// Sends a message to a worker; returns whether it can be sent.
    fn say(&mut self, id: &str, message: FromMaster) -> bool {
        let connection = self.table.connection(id).or_else(|| {
            let open = self.connections.iter().find(|(_, open)| open.id == id);
            open.map(|(number, _)| *number)
        });
        connection.is_some_and(|connection| self.answer(connection, id, message))
    }

    fn answer(&mut self, number: u64, id: &str, message: FromMaster) -> bool {
        let Some(connection) = self.connections.get(&number) else { return false };
        let Ok(bytes) = from_master(message, id) else { return false };
        let sent = connection.outbox.try_send(bytes).is_ok();
        if !sent {
            // It does not read.
            connection.close.cancel();
        }
        sent
    }

    /// Who was not let in.
    fn refused(&self) -> Option<String> {
        (self.turned_away > 0).then(|| {
            format!(
                "{} connections from addresses that --worker-allow does not name were refused",
                self.turned_away
            )
        })
    }

    /// What the user should know.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let named = |ids: &mut dyn Iterator<Item = &String>| {
            let ids: Vec<&str> = ids.map(String::as_str).collect();
            let more = ids.len().saturating_sub(MOST_NAMED);
            let named = ids.get(..ids.len().min(MOST_NAMED)).unwrap_or_default().join(", ");
            if more > 0 { format!("{named} and {more} more") } else { named }
        };
        let affected = &self.table.health.affected_workers;
        if !affected.is_empty() {
            let ids = named(&mut affected.iter());
            warnings.push(format!(
                "{} workers were lost or left during the test, and their last requests may be \
                 missing: {ids}",
                affected.len()
            ));
        }
        let overloaded = &self.table.overloaded;
        if !overloaded.is_empty() {
            let ids = named(&mut overloaded.iter());
            warnings.push(format!(
                "the processors of {} workers were busier than 90 %, so latencies may be too high: \
                 {ids}",
                overloaded.len()
            ));
        }
        if self.rounded {
            warnings.push(
                "latencies of Python's workers are rounded to two digits, as Locust reports them"
                    .to_owned(),
            );
        }
        if self.exceptions > 0 {
            let first = self.first_exception.as_deref().unwrap_or_default();
            warnings.push(format!(
                "{} exceptions in the scenarios of workers, outside of requests; the first: {first}",
                self.exceptions
            ));
        }
        if self.malformed > 0 {
            warnings.push(format!("{} messages of workers could not be read", self.malformed));
        }
        if self.table.refused > 0 {
            warnings.push(format!("{} workers too many were not registered", self.table.refused));
        }
        warnings.extend(self.refused());
        warnings.extend(self.uncounted.clone());
        warnings
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
