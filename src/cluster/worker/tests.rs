//! The conversation on a paused clock, with a master that follows a script.

use std::collections::BTreeMap;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::session::FIRST_CONTACT;
use super::*;
use crate::cluster::message::{
    Ack, FromMaster, FromWorker, Spawn, Stats, Version, from_master, read_worker,
};
use crate::cluster::zmtp::{Link, Socket, open};
use crate::record::live::Cumulative;
use crate::record::{Label, Recorder, Sample};

/// Connections come from the test.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Connect for Pipes {
    type Stream = DuplexStream;

    async fn connect(&mut self) -> Result<DuplexStream, ConnectError> {
        let refused = || ConnectError { text: "refused".to_owned(), is_final: false };
        self.0.try_recv().map_err(|_| refused())
    }

    fn master(&self) -> String {
        "test:5557".to_owned()
    }
}

/// A worker whose engine does nothing but what the test does.
struct Scene {
    commands: Arc<Commands>,
    live: Arc<Live>,
    recorder: Recorder,
    cancel: CancellationToken,
    ended: CancellationToken,
    dials: mpsc::UnboundedSender<DuplexStream>,
    session: JoinHandle<WorkerOutcome>,
}

fn scene(most_users: usize) -> Scene {
    let commands = Commands::new(most_users, None);
    let live = Arc::new(Live::feeding(Arc::new(Cumulative::default())));
    live.open_tally();
    let (cancel, ended) = (CancellationToken::new(), CancellationToken::new());
    let (dials, pipes) = mpsc::unbounded_channel();
    let session = Session::new(&commands, &live, cancel.clone(), ended.clone());
    let session = tokio::spawn(session.serve(Pipes(pipes)));
    let recorder = Recorder::new(live.allowance());
    Scene { commands, live, recorder, cancel, ended, dials, session }
}

impl Scene {
    /// The next connection of the worker.
    async fn connected(&self) -> Master {
        let (ours, theirs) = duplex(1 << 20);
        self.dials.send(ours).expect("a worker");
        let link = open(theirs, Socket::Router, b"", None).await.expect("a link");
        Master { node: String::from_utf8(link.identity.clone()).expect("UTF-8"), link, at: 1.0 }
    }

    /// A worker that has registered.
    async fn registered(&self) -> Master {
        let mut master = self.connected().await;
        assert_eq!(master.next().await, FromWorker::ClientReady(Version::Accepted));
        master.say(FromMaster::Ack(Ack::default())).await;
        master
    }

    /// The worker measures so many requests.
    fn measure(&mut self, count: u64) {
        let label = Label { method: "GET".into(), url: "u".into(), name: "n".into() };
        let label = self.recorder.label(label);
        for _ in 0..count {
            self.recorder.record(Sample {
                label,
                start: Duration::from_millis(5),
                delay: Duration::ZERO,
                service: Duration::from_millis(7),
                status: 200,
                bytes: 1,
                error: None,
            });
        }
        self.recorder.merge_into(&self.live);
    }

    async fn outcome(self) -> WorkerOutcome {
        timeout(Duration::from_secs(3600), self.session).await.expect("an end").expect("no panic")
    }
}

struct Master {
    link: Link<DuplexStream>,
    node: String,
    at: f64,
}

impl Master {
    async fn say(&mut self, message: FromMaster) {
        let bytes = from_master(message, &self.node).expect("written");
        self.link.writer.send(&bytes).await.expect("sent");
    }

    /// Commands users of two classes.
    async fn spawn(&mut self, first: u64, second: u64) {
        self.at += 1.0;
        let classes = [("A".to_owned(), first), ("B".to_owned(), second)];
        let spawn = Spawn {
            timestamp: self.at,
            user_classes_count: BTreeMap::from(classes),
            ..Spawn::default()
        };
        self.say(FromMaster::Spawn(Box::new(spawn))).await;
    }

    async fn any(&mut self) -> Option<FromWorker> {
        let message = self.link.reader.message().await.ok()?;
        let read = read_worker(&message).expect("a message");
        assert_eq!(read.node, self.node);
        Some(read.message)
    }

    /// The next message that is no heartbeat and no empty report. Heartbeats are answered.
    async fn next(&mut self) -> FromWorker {
        loop {
            match self.any().await.expect("a message") {
                FromWorker::Heartbeat(_) => self.say(FromMaster::Heartbeat).await,
                FromWorker::Stats(stats) if stats.stats_total.num_requests == 0 => {}
                message => return message,
            }
        }
    }

    async fn stats(&mut self) -> Stats {
        match self.next().await {
            FromWorker::Stats(stats) => *stats,
            other => panic!("no report: {other:?}"),
        }
    }

    async fn beat(&mut self) -> String {
        loop {
            if let FromWorker::Heartbeat(beat) = self.any().await.expect("a message") {
                return beat.state;
            }
        }
    }

    /// Users after a spawn, as the worker says.
    async fn complete(&mut self) -> (u64, Vec<u64>) {
        assert_eq!(self.next().await, FromWorker::Spawning);
        match self.next().await {
            FromWorker::SpawningComplete(counts) => {
                (counts.user_count, counts.user_classes_count.into_values().collect())
            }
            other => panic!("not complete: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn users_are_the_absolute_number_of_the_last_command_and_classes_are_echoed() {
    let scene = scene(100);
    let mut master = scene.registered().await;
    assert_eq!(master.beat().await, "ready");
    master.spawn(3, 0).await;
    assert_eq!(master.complete().await, (3, vec![3, 0]));
    assert_eq!(scene.commands.users(), 3);
    assert_eq!(master.beat().await, "running");
    master.spawn(2, 7).await;
    assert_eq!(master.complete().await, (9, vec![2, 7]));
    master.spawn(1, 0).await;
    assert_eq!(master.complete().await, (1, vec![1, 0]));
    assert_eq!(scene.commands.users(), 1);
    master.at -= 2.0;
    master.spawn(50, 0).await;
    assert_eq!(
        master.next_only_spawning().await,
        1,
        "an older command is acknowledged and dropped"
    );
    assert_eq!(scene.commands.users(), 1);
}

impl Master {
    /// How many messages other than heartbeats and reports come within two seconds; they say spawning.
    async fn next_only_spawning(&mut self) -> usize {
        let mut count = 0;
        while let Ok(message) = timeout(Duration::from_secs(2), self.next()).await {
            assert_eq!(message, FromWorker::Spawning);
            count += 1;
        }
        count
    }
}

#[tokio::test(start_paused = true)]
async fn t73_no_master_gets_more_users_than_the_limit_and_the_result_says_so() {
    let scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(8, 500).await;
    assert_eq!(master.complete().await, (10, vec![8, 2]), "what really runs is reported");
    master.spawn(u64::MAX, u64::MAX).await;
    assert_eq!(master.complete().await, (10, vec![10, 0]));
    scene.cancel.cancel();
    scene.ended.cancel();
    let outcome = scene.outcome().await;
    assert_eq!(outcome.peak, 10);
    assert_eq!(outcome.warnings, ["the master commanded 508 users; --max-users 10 allows no more"]);
}

#[tokio::test(start_paused = true)]
async fn reports_are_differences_and_come_every_three_seconds() {
    let mut scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(1, 0).await;
    master.complete().await;
    let began = Instant::now();
    for count in [5, 7, 1] {
        scene.measure(count);
        let stats = master.stats().await;
        assert_eq!((stats.stats_total.num_requests, stats.user_count), (count, 1));
        assert!(stats.ldctl.is_none(), "Locust does not read it");
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(6)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_reports_before_it_says_so_and_registers_again_with_no_users() {
    let mut scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(4, 0).await;
    master.complete().await;
    scene.measure(12);
    let _ = master.stats().await;
    scene.measure(3);
    master.say(FromMaster::Stop).await;
    let last = master.stats().await;
    assert_eq!((last.stats_total.num_requests, last.user_count), (3, 0));
    assert_eq!(last.user_classes_count.into_values().collect::<Vec<_>>(), [0, 0]);
    assert_eq!(master.next().await, FromWorker::ClientStopped);
    assert_eq!(master.next().await, FromWorker::ClientReady(Version::Accepted));
    assert_eq!(scene.commands.users(), 0);
    master.say(FromMaster::Ack(Ack::default())).await;
    assert_eq!(master.beat().await, "ready");
    master.spawn(2, 0).await;
    assert_eq!(master.complete().await, (2, vec![2, 0]), "the next test");
    assert!(!scene.session.is_finished(), "the process stays");
}

#[tokio::test(start_paused = true)]
async fn a_quit_is_answered_with_reports_alone_the_first_at_once() {
    let mut scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(4, 0).await;
    master.complete().await;
    scene.measure(12);
    let asked = Instant::now();
    master.say(FromMaster::Quit).await;
    assert_eq!(master.stats().await.stats_total.num_requests, 12);
    assert!(asked.elapsed() < Duration::from_millis(50), "a master waits half a second");
    scene.measure(2);
    assert_eq!(master.stats().await.stats_total.num_requests, 2);
    assert!(asked.elapsed() < Duration::from_millis(200));
    scene.measure(1);
    scene.ended.cancel();
    assert_eq!(master.stats().await.stats_total.num_requests, 1);
    let end = timeout(Duration::from_secs(9), async {
        while let Some(message) = master.any().await {
            match message {
                FromWorker::Heartbeat(_) => master.say(FromMaster::Heartbeat).await,
                other => panic!("{other:?}"),
            }
        }
    });
    end.await.expect("it leaves");
    let outcome = scene.outcome().await;
    assert_eq!(outcome.end, WorkerEnd::Quit);
    assert_eq!((outcome.measured, outcome.reported, outcome.confirmed), (15, 15, 15));
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_leaves_on_its_own_reports_and_says_so() {
    let mut scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(4, 0).await;
    master.complete().await;
    scene.measure(12);
    scene.cancel.cancel();
    assert_eq!(master.stats().await.stats_total.num_requests, 12);
    assert_eq!(scene.commands.users(), 0);
    scene.ended.cancel();
    assert_eq!(master.next().await, FromWorker::Quit);
    assert_eq!(scene.outcome().await.end, WorkerEnd::Left);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_cut_off_carries_on_and_says_what_may_be_missing() {
    let mut scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(4, 0).await;
    master.complete().await;
    scene.measure(100);
    assert_eq!(master.stats().await.stats_total.num_requests, 100);
    master.beat().await;
    master.say(FromMaster::Heartbeat).await;
    scene.measure(30);
    // Sent, and not confirmed.
    assert_eq!(master.stats().await.stats_total.num_requests, 30);
    let node = master.node.clone();
    drop(master);
    let mut again = scene.connected().await;
    assert_eq!(again.node, node, "the same identity");
    assert_eq!(again.beat().await, "running", "a heartbeat first");
    assert_eq!(scene.commands.users(), 4);
    again.say(FromMaster::Heartbeat).await;
    scene.measure(7);
    assert_eq!(again.stats().await.stats_total.num_requests, 7);
    again.say(FromMaster::Quit).await;
    scene.ended.cancel();
    while let Some(message) = again.any().await {
        if matches!(message, FromWorker::Heartbeat(_)) {
            again.say(FromMaster::Heartbeat).await;
        }
    }
    let outcome = scene.outcome().await;
    assert_eq!((outcome.measured, outcome.reported, outcome.confirmed), (137, 137, 107));
    let warnings = outcome.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(warnings[0], "the connection to the master was lost once");
    assert!(warnings[1].starts_with("measured 137 requests, reported 137 and confirmed 107"));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_master_gets_a_registration_and_no_users() {
    let mut scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(4, 0).await;
    master.complete().await;
    scene.measure(5);
    drop(master);
    let mut restarted = scene.connected().await;
    assert_eq!(restarted.beat().await, "running");
    // It ignores the heartbeat of a worker that it does not know.
    loop {
        match restarted.any().await.expect("a message") {
            FromWorker::ClientReady(Version::Accepted) => break,
            FromWorker::Heartbeat(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.commands.users(), 0);
    restarted.say(FromMaster::Ack(Ack::default())).await;
    assert_eq!(restarted.beat().await, "ready");
    restarted.at = 0.0;
    restarted.spawn(1, 0).await;
    assert_eq!(restarted.complete().await, (1, vec![1, 0]), "its clock may be another");
    scene.measure(2);
    let first = restarted.stats().await.stats_total.num_requests;
    assert_eq!(first, 2, "what was measured for the other is no part of this test");
}

#[tokio::test(start_paused = true)]
async fn a_registration_without_acknowledgement_is_repeated_under_another_identity() {
    let scene = scene(10);
    let mut first = scene.connected().await;
    assert_eq!(first.next().await, FromWorker::ClientReady(Version::Accepted));
    let second = scene.connected();
    while first.any().await.is_some() {}
    let mut second = second.await;
    assert_ne!(first.node, second.node);
    assert_eq!(second.next().await, FromWorker::ClientReady(Version::Accepted));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_made_anew_when_the_master_asks_for_it() {
    let scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(4, 0).await;
    master.complete().await;
    master.say(FromMaster::Reconnect).await;
    let mut again = scene.connected().await;
    assert_eq!((again.beat().await.as_str(), &again.node), ("running", &master.node));
    assert_eq!(scene.commands.users(), 4);
}

#[tokio::test(start_paused = true)]
async fn t70_a_master_that_asks_for_a_new_connection_each_time_gets_two_a_second() {
    let scene = scene(10);
    let mut master = scene.registered().await;
    let began = Instant::now();
    for _ in 0..10 {
        let (_, again) = tokio::join!(master.say(FromMaster::Reconnect), scene.connected());
        master = again;
    }
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_registration_is_ignored_after_a_long_test_has_a_minute_to_repeat_it() {
    let scene = scene(10);
    let mut master = scene.registered().await;
    let until = Instant::now() + 2 * FIRST_CONTACT;
    while Instant::now() < until {
        master.beat().await;
        master.say(FromMaster::Heartbeat).await;
    }
    master.say(FromMaster::Stop).await;
    assert_eq!(master.next().await, FromWorker::ClientStopped);
    assert_eq!(master.next().await, FromWorker::ClientReady(Version::Accepted));
    let again = scene.connected();
    while master.any().await.is_some() {}
    let mut again = again.await;
    assert_ne!(master.node, again.node);
    assert_eq!(again.next().await, FromWorker::ClientReady(Version::Accepted));
    again.say(FromMaster::Ack(Ack::default())).await;
    assert_eq!(again.beat().await, "ready");
}

#[tokio::test(start_paused = true)]
async fn a_silent_master_ends_the_work_after_a_minute() {
    let scene = scene(10);
    let mut master = scene.registered().await;
    master.spawn(4, 0).await;
    master.complete().await;
    let began = Instant::now();
    while master.any().await.is_some() {}
    let took = began.elapsed().as_secs();
    assert!((59..=61).contains(&took), "{took}");
    let commands = Arc::clone(&scene.commands);
    let outcome = scene.outcome().await;
    assert_eq!(outcome.end, WorkerEnd::Lost("the master has not answered for 60 s".to_owned()));
    assert_eq!(commands.users(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_vanished_master_ends_the_work_after_a_minute_and_one_that_never_was_after_five() {
    for (known, seconds) in [(true, 60), (false, 300)] {
        let scene = scene(10);
        if known {
            scene.registered().await.beat().await;
        }
        let began = Instant::now();
        let outcome = scene.outcome().await;
        let took = began.elapsed().as_secs();
        assert!((seconds - 2..=seconds + 2).contains(&took), "{took}");
        let WorkerEnd::Lost(why) = outcome.end else { panic!("{outcome:?}") };
        assert!(why.contains("test:5557") && why.contains("refused"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn t70_garbage_from_a_master_ends_nothing() {
    let mut scene = scene(10);
    let mut master = scene.registered().await;
    for garbage in
        [&b""[..], b"\xc1", b"\x93\x01\x02\x03", b"\x93\xa5spawn\xc0\xa1n", &[0x91; 3000]]
    {
        master.link.writer.send(garbage).await.expect("sent");
    }
    master.say(FromMaster::Other("new".to_owned())).await;
    master.spawn(1, 0).await;
    assert_eq!(master.complete().await, (1, vec![1, 0]));
    scene.measure(3);
    assert_eq!(master.stats().await.stats_total.num_requests, 3);
    scene.cancel.cancel();
    scene.ended.cancel();
    let outcome = scene.outcome().await;
    assert!(outcome.warnings.iter().any(|text| text.contains("could not be read")), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_master_of_ldctl_gets_the_figures_without_loss() {
    let mut scene = scene(10);
    let mut master = scene.connected().await;
    master.next().await;
    master.say(FromMaster::Ack(Ack { index: 3, ldctl: 1 })).await;
    scene.measure(9);
    let detail = master.stats().await.ldctl.expect("a detail");
    assert_eq!(detail.groups.len(), 1);
    assert_eq!(detail.groups[0].times, [(69_984, 9)], "ticks of 100 ns, the middle of a bucket");
    assert_eq!((detail.groups[0].min, detail.groups[0].status), (70_000, 200));
}
