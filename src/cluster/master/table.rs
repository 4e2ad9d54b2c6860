//! The workers of a master: who is there, in which state, and how many users each is to run. No socket
//! and no clock of its own: the caller says when something happens.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use super::health::Health;
use crate::cluster::message::{Ack, FromMaster, FromWorker, Stats, UserCounts, Version};

/// The version of the reports that ldctl writes for ldctl.
const DETAIL: u64 = 1;

/// How long a worker whose connection is gone may take to come back, before its users go to others.
const CUT_OFF: Duration = Duration::from_secs(5);

/// How long the workers have for what they were told, before less is insufficient.
const SETTLE: Duration = Duration::from_secs(5);

/// Percent of all cores from which a worker does not measure well.
const BUSY: f64 = 90.0;

/// The most workers that are remembered.
const MOST_WORKERS: usize = 10_000;

/// The state of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Spawning,
    Running,
    /// No heartbeat for too long. One brings it back.
    Lost,
    /// It has left.
    Left,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Spawning | Self::Running => "running",
            Self::Lost => "lost",
            Self::Left => "stopped",
        }
    }

    fn is_there(self) -> bool {
        !matches!(self, Self::Lost | Self::Left)
    }
}

/// A worker.
#[derive(Debug)]
struct Node {
    index: u64,
    connection: Option<u64>,
    state: State,
    heard: Instant,
    /// The users that it reports.
    users: u64,
    /// The users that it was told to run, on this connection.
    told: Option<u64>,
    busy: bool,
    /// Whether it reports without loss, as ldctl does.
    is_ldctl: bool,
    /// Whether its last report after the end has come.
    done: bool,
}

/// What a message leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// Nothing.
    None,
    /// An answer.
    Say(FromMaster),
    /// Requests to count.
    Count(Box<Stats>),
    /// Something went wrong in a worker's scenario.
    Exception(String),
}

/// All workers.
#[derive(Debug)]
pub(super) struct Table {
    nodes: IndexMap<String, Node>,
    lost_after: Duration,
    /// Whether the test has started.
    started: bool,
    /// Whether the workers were told to leave.
    quitting: bool,
    pub(super) health: Health,
    /// The users that are wanted, and since when.
    wanted: (u64, Instant),
    /// Whether the workers were told that they are complete.
    complete: bool,
    /// Workers whose processors were too busy.
    pub(super) overloaded: Vec<String>,
    pub(super) refused: usize,
}

impl Table {
    /// No workers yet.
    pub(super) fn new(lost_after: Duration, now: Instant) -> Self {
        Self {
            nodes: IndexMap::new(),
            lost_after,
            started: false,
            quitting: false,
            health: Health::default(),
            wanted: (0, now),
            complete: false,
            overloaded: Vec::new(),
            refused: 0,
        }
    }

    /// Handles what a worker says over a connection.
    pub(super) fn hear(
        &mut self,
        id: &str,
        connection: u64,
        message: FromWorker,
        now: Instant,
    ) -> Reply {
        if let FromWorker::ClientReady(version) = message {
            return self.register(id, connection, version, now);
        }
        let started = self.started && !self.quitting;
        let Some(node) = self.nodes.get_mut(id) else {
            return match message {
                // A worker of an earlier master, whose users are not wanted.
                FromWorker::Spawning | FromWorker::SpawningComplete(_) => {
                    Reply::Say(FromMaster::Quit)
                }
                _ => Reply::None,
            };
        };
        node.heard = now;
        if node.connection != Some(connection) {
            node.connection = Some(connection);
            // What it was told may not have arrived.
            node.told = None;
        }
        match message {
            FromWorker::Spawning => node.state = State::Spawning,
            FromWorker::SpawningComplete(UserCounts { user_count, .. }) => {
                (node.state, node.users) = (State::Running, user_count);
            }
            FromWorker::Stats(stats) => {
                node.users = stats.user_count;
                node.is_ldctl |= stats.ldctl.is_some();
                node.done |= self.quitting && stats.user_count == 0;
                return Reply::Count(stats);
            }
            FromWorker::Heartbeat(beat) => {
                if node.state == State::Lost {
                    tracing::warn!("worker {id} is back");
                    node.told = None;
                }
                if node.state != State::Left {
                    node.state = match beat.state.as_str() {
                        "spawning" => State::Spawning,
                        "running" => State::Running,
                        _ => State::Ready,
                    };
                }
                if beat.current_cpu_usage > BUSY && !node.busy {
                    node.busy = true;
                    self.overloaded.push(id.to_owned());
                }
                return Reply::Say(FromMaster::Heartbeat);
            }
            FromWorker::ClientStopped | FromWorker::Quit => {
                (node.state, node.users, node.done) = (State::Left, 0, true);
                if started {
                    tracing::warn!("worker {id} has left");
                    self.health.affected_workers.insert(id.to_owned());
                }
            }
            FromWorker::Exception(text) => return Reply::Exception(text),
            FromWorker::ClientReady(_) | FromWorker::Other(_) => {}
        }
        Reply::None
    }

    fn register(&mut self, id: &str, connection: u64, version: Version, now: Instant) -> Reply {
        if version == Version::Missing || id.is_empty() || self.quitting {
            return Reply::None;
        }
        if self.nodes.len() >= MOST_WORKERS && !self.nodes.contains_key(id) {
            self.refused += 1;
            return Reply::None;
        }
        let index = self.nodes.len() as u64;
        let node = self.nodes.entry(id.to_owned()).or_insert_with(|| Node {
            index,
            connection: None,
            state: State::Ready,
            heard: now,
            users: 0,
            told: None,
            busy: false,
            is_ldctl: false,
            done: false,
        });
        tracing::info!("worker {} has joined: {id}", node.index);
        (node.state, node.heard, node.users) = (State::Ready, now, 0);
        (node.connection, node.told, node.done) = (Some(connection), None, false);
        Reply::Say(FromMaster::Ack(Ack { index: node.index, ldctl: DETAIL }))
    }

    /// A connection is gone. Its worker may come back over another.
    pub(super) fn gone(&mut self, connection: u64) {
        let lost = self.nodes.values_mut().filter(|node| node.connection == Some(connection));
        lost.for_each(|node| node.connection = None);
    }

    /// How many workers can begin a test.
    pub(super) fn ready(&self) -> u64 {
        let ready = |node: &&Node| node.state == State::Ready && node.connection.is_some();
        self.nodes.values().filter(ready).count() as u64
    }

    /// The test starts.
    pub(super) fn start(&mut self, now: Instant) {
        self.started = true;
        self.wanted.1 = now;
        self.health.start();
    }

    /// So many users are wanted: what to tell whom. Workers that are lost or late change the shares of
    /// all.
    pub(super) fn deal(&mut self, users: u64, now: Instant) -> Vec<(String, u64)> {
        if users != self.wanted.0 {
            self.wanted = (users, now);
            self.complete = false;
        }
        self.health.target_users = users;
        let there = self.in_turn();
        let (count, mut told) = (there.len() as u64, Vec::new());
        for (turn, id) in (0..).zip(there) {
            let share = users / count + u64::from(turn < users % count);
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            if node.connection.is_some() && node.told != Some(share) {
                node.told = Some(share);
                // What others have to take over takes its time, too.
                self.wanted.1 = now;
                told.push((id, share));
            }
        }
        told
    }

    /// It could not be told: it is told again.
    pub(super) fn untold(&mut self, id: &str) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.told = None;
        }
    }

    /// The workers that are there, one of each machine in turn.
    fn in_turn(&self) -> Vec<String> {
        let mut ids: Vec<&String> =
            self.nodes.iter().filter(|(_, node)| node.state.is_there()).map(|(id, _)| id).collect();
        ids.sort_unstable();
        let mut of_host: BTreeMap<&str, u64> = BTreeMap::new();
        let mut turns: Vec<(u64, &String)> = Vec::with_capacity(ids.len());
        for id in ids {
            let host = id.split('_').next().unwrap_or_default();
            let turn = of_host.entry(host).or_default();
            turns.push((*turn, id));
            *turn += 1;
        }
        turns.sort_unstable();
        turns.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// Looks for workers that are lost, and judges the whole. Returns whether the test can go on.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        for (id, node) in &mut self.nodes {
            let silent = now.duration_since(node.heard);
            let most = match node.connection {
                Some(_) => self.lost_after,
                None => self.lost_after.min(CUT_OFF),
            };
            if node.state.is_there() && silent > most {
                tracing::warn!("worker {id} is lost");
                (node.state, node.users, node.told) = (State::Lost, 0, None);
                if self.started && !self.quitting {
                    self.health.affected_workers.insert(id.clone());
                }
            }
        }
        self.health.workers =
            self.nodes.iter().map(|(id, node)| (id.clone(), node.state.text())).collect();
        self.health.reported_users = self.users();
        if !self.started || self.quitting {
            return true;
        }
        let healthy = self.nodes.values().filter(|node| node.state.is_there()).count() as u64;
        let settled = now.duration_since(self.wanted.1) >= SETTLE;
        let insufficient = settled && self.users() < self.wanted.0;
        self.health.judge(healthy, insufficient || !self.overloaded.is_empty())
    }

    /// The users that all workers report.
    pub(super) fn users(&self) -> u64 {
        self.nodes.values().fold(0, |sum, node| sum.saturating_add(node.users))
    }

    /// Whether all users are there and the workers do not know it yet; they are told once.
    pub(super) fn becomes_complete(&mut self) -> bool {
        let complete = !self.complete && self.users() == self.wanted.0 && self.wanted.0 > 0;
        self.complete |= complete;
        complete
    }

    /// The workers that can be told something, and their connections.
    pub(super) fn connected(&self) -> Vec<(String, u64)> {
        let connected = |(id, node): (&String, &Node)| Some((id.clone(), node.connection?));
        self.nodes.iter().filter_map(connected).collect()
    }

    /// The connection of a worker.
    pub(super) fn connection(&self, id: &str) -> Option<u64> {
        self.nodes.get(id)?.connection
    }

    /// The workers are told to leave.
    pub(super) fn quit(&mut self) {
        self.quitting = true;
    }

    /// Whether some worker may still report: one of ldctl finishes requests in progress, others have done
    /// so at once.
    pub(super) fn awaits(&self, ldctl: bool) -> bool {
        self.nodes.values().any(|node| {
            let reports = node.state.is_there() && node.connection.is_some();
            // Its connection is closed when it has nothing more to say.
            reports && node.is_ldctl == ldctl && (ldctl || !node.done)
        })
    }

    /// Everything has ended.
    pub(super) fn finish(&mut self) -> Health {
        self.health.stop();
        self.health.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::message::Heartbeat;

    const LOST: Duration = Duration::from_secs(15);

    fn ready(table: &mut Table, id: &str, connection: u64, now: Instant) -> Reply {
        table.hear(id, connection, FromWorker::ClientReady(Version::Accepted), now)
    }

    fn beat(table: &mut Table, id: &str, connection: u64, now: Instant) {
        let beat = Heartbeat { state: "running".to_owned(), ..Heartbeat::default() };
        let reply = table.hear(id, connection, FromWorker::Heartbeat(beat), now);
        assert_eq!(reply, Reply::Say(FromMaster::Heartbeat));
    }

    fn complete(table: &mut Table, id: &str, connection: u64, users: u64, now: Instant) {
        let counts = UserCounts { user_count: users, ..UserCounts::default() };
        table.hear(id, connection, FromWorker::SpawningComplete(counts), now);
    }

    fn seconds(now: Instant, seconds: u64) -> Instant {
        now + Duration::from_secs(seconds)
    }

    /// A table of these workers, on connections 0, 1, …
    fn table(ids: &[&str]) -> (Table, Instant) {
        let now = Instant::now();
        let mut table = Table::new(LOST, now);
        for (connection, id) in (0..).zip(ids) {
            assert!(matches!(
                ready(&mut table, id, connection, now),
                Reply::Say(FromMaster::Ack(_))
            ));
        }
        assert_eq!(table.ready(), ids.len() as u64);
        table.start(now);
        (table, now)
    }

    fn dealt(table: &mut Table, users: u64, now: Instant) -> Vec<(String, u64)> {
        let mut told = table.deal(users, now);
        told.sort();
        told
    }

    fn told(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(id, users)| ((*id).to_owned(), *users)).collect()
    }

    #[test]
    fn users_go_to_one_worker_of_each_machine_before_a_second_of_any() {
        let (mut table, now) = table(&["b_1", "a_1", "a_2", "a_3"]);
        assert_eq!(
            dealt(&mut table, 2, now),
            told(&[("a_1", 1), ("a_2", 0), ("a_3", 0), ("b_1", 1)])
        );
        assert_eq!(dealt(&mut table, 3, now), told(&[("a_2", 1)]), "only who changes is told");
        assert_eq!(
            dealt(&mut table, 10, now),
            told(&[("a_1", 3), ("a_2", 2), ("a_3", 2), ("b_1", 3)])
        );
        assert_eq!(dealt(&mut table, 10, now), []);
        assert_eq!(dealt(&mut table, 0, now).len(), 4);
    }

    #[test]
    fn the_users_of_a_lost_worker_go_to_the_others_and_come_back_with_it() {
        let (mut table, now) = table(&["a_1", "b_1"]);
        dealt(&mut table, 10, now);
        complete(&mut table, "a_1", 0, 5, now);
        complete(&mut table, "b_1", 1, 5, now);
        assert!(table.becomes_complete() && !table.becomes_complete());
        let later = seconds(now, 14);
        beat(&mut table, "a_1", 0, later);
        assert!(table.look(later));
        assert_eq!(dealt(&mut table, 10, later), [], "it is only late");
        let later = seconds(now, 16);
        assert!(table.look(later));
        assert_eq!(dealt(&mut table, 10, later), told(&[("a_1", 10)]));
        assert_eq!(table.health.workers["b_1"], "lost");
        assert_eq!(table.users(), 5);
        beat(&mut table, "b_1", 1, later);
        assert_eq!(dealt(&mut table, 10, later), told(&[("a_1", 5), ("b_1", 5)]));
        assert!(table.health.affected_workers.contains("b_1"));
        assert!(!table.look(seconds(now, 60)), "all are lost");
        assert_eq!(table.finish().status.text(), "failed");
    }

    #[test]
    fn a_worker_whose_connection_is_gone_has_five_seconds_to_come_back() {
        let (mut table, now) = table(&["a_1", "b_1"]);
        dealt(&mut table, 10, now);
        table.gone(1);
        table.look(seconds(now, 4));
        assert_eq!(dealt(&mut table, 10, seconds(now, 4)), []);
        beat(&mut table, "b_1", 7, seconds(now, 4));
        assert_eq!(dealt(&mut table, 10, seconds(now, 4)), told(&[("b_1", 5)]), "told again");
        table.gone(7);
        beat(&mut table, "a_1", 0, seconds(now, 10));
        table.look(seconds(now, 10));
        assert_eq!(dealt(&mut table, 10, seconds(now, 10)), told(&[("a_1", 10)]));
    }

    #[test]
    fn a_worker_that_joins_late_takes_its_share() {
        let (mut table, now) = table(&["a_1"]);
        dealt(&mut table, 10, now);
        ready(&mut table, "b_1", 1, now);
        assert_eq!(dealt(&mut table, 10, now), told(&[("a_1", 5), ("b_1", 5)]));
        table.hear("a_1", 0, FromWorker::Quit, now);
        assert_eq!(dealt(&mut table, 10, now), told(&[("b_1", 10)]));
        assert!(table.health.affected_workers.contains("a_1"));
    }

    #[test]
    fn a_worker_that_is_not_known_is_sent_away_or_ignored() {
        let now = Instant::now();
        let mut table = Table::new(LOST, now);
        assert_eq!(table.hear("x_1", 0, FromWorker::Spawning, now), Reply::Say(FromMaster::Quit));
        let beat = FromWorker::Heartbeat(Heartbeat::default());
        assert_eq!(table.hear("x_1", 0, beat, now), Reply::None);
        assert_eq!(
            table.hear("x_1", 0, FromWorker::ClientReady(Version::Missing), now),
            Reply::None
        );
        assert_eq!(table.ready(), 0);
    }

    #[test]
    fn t71_no_more_workers_are_remembered_than_there_can_be() {
        let now = Instant::now();
        let mut table = Table::new(LOST, now);
        for number in 0..MOST_WORKERS as u64 + 5 {
            ready(&mut table, &format!("a_{number}"), number, now);
        }
        assert_eq!((table.nodes.len(), table.refused), (MOST_WORKERS, 5));
    }

    #[test]
    fn too_few_users_and_busy_processors_degrade_the_test_until_they_are_there() {
        let (mut table, now) = table(&["a_1"]);
        dealt(&mut table, 10, now);
        complete(&mut table, "a_1", 0, 4, now);
        assert!(table.look(seconds(now, 1)));
        assert_eq!(table.health.status.text(), "running", "it has time");
        beat(&mut table, "a_1", 0, seconds(now, 9));
        table.look(seconds(now, 9));
        assert_eq!(table.health.status.text(), "degraded");
        complete(&mut table, "a_1", 0, 10, seconds(now, 9));
        table.look(seconds(now, 9));
        assert_eq!(table.health.status.text(), "running");
        let busy = Heartbeat { current_cpu_usage: 97.0, ..Heartbeat::default() };
        table.hear("a_1", 0, FromWorker::Heartbeat(busy), seconds(now, 10));
        table.look(seconds(now, 10));
        assert_eq!((table.health.status.text(), table.overloaded.len()), ("degraded", 1));
    }
}
