//! Frames that Locust 2.47 wrote, and what lenience means.

use proptest::prelude::*;
use serde::de::{MapAccess, SeqAccess, Visitor};

use super::*;

/// Any MessagePack, with numbers as Python compares them.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Nil,
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("anything")
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Tree, E> {
                Ok(Tree::Number(f64::from(u8::from(truth))))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
                Ok(Tree::Number(number as f64))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
                Ok(Tree::Number(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
                Ok(Tree::Number(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Nil)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut data: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(one) = data.next_element()? {
                    list.push(one);
                }
                Ok(Tree::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut data: A) -> Result<Tree, A::Error> {
                let mut map = Vec::new();
                while let Some(one) = data.next_entry()? {
                    map.push(one);
                }
                map.sort_by_key(|(key, _)| format!("{key:?}"));
                Ok(Tree::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn tree(bytes: &[u8]) -> Tree {
    rmp_serde::from_slice(bytes).expect("MessagePack")
}

/// A recorded frame; the corpus has one byte before it.
macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../../fuzz/corpus/cluster/", $name, ".bin"))
            .get(1..)
            .expect("a frame")
    };
}

/// Reads a worker's frame; what is written of it has the same values.
fn worker(bytes: &[u8]) -> FromWorker {
    let read = read_worker(bytes).expect("a message");
    assert!(read.node.contains('_'), "{}", read.node);
    let written = from_worker(read.message.clone(), &read.node).expect("written");
    // The version is always -1, and of unknown messages only the type is kept.
    if !matches!(read.message, FromWorker::ClientReady(_) | FromWorker::Other(_)) {
        assert_eq!(tree(&written), tree(bytes));
    }
    read.message
}

fn master(bytes: &[u8]) -> FromMaster {
    let read = read_master(bytes).expect("a message");
    let written = from_master(read.message.clone(), &read.node).expect("written");
    // A master's options are not kept.
    if !matches!(read.message, FromMaster::Spawn(_)) {
        assert_eq!(tree(&written), tree(bytes));
    }
    read.message
}

#[test]
fn every_frame_of_a_locust_worker_is_read_and_written_with_the_same_values() {
    assert_eq!(
        worker(recorded!("worker_client_ready")),
        FromWorker::ClientReady(Version::Accepted)
    );
    assert_eq!(worker(recorded!("worker_spawning")), FromWorker::Spawning);
    assert_eq!(worker(recorded!("worker_quit")), FromWorker::Quit);
    assert_eq!(worker(recorded!("worker_logs")), FromWorker::Other("logs".to_owned()));
    let FromWorker::Heartbeat(beat) = worker(recorded!("worker_heartbeat")) else {
        panic!("no beat")
    };
    assert_eq!((beat.state.as_str(), beat.current_memory_usage), ("running", 0));
    let FromWorker::SpawningComplete(counts) = worker(recorded!("worker_spawning_complete")) else {
        panic!("no counts")
    };
    assert_eq!((counts.user_count, counts.user_classes_count.get("Shopper")), (4, Some(&4)));
    let FromWorker::Stats(idle) = worker(recorded!("worker_stats_idle")) else {
        panic!("no stats")
    };
    assert_eq!((idle.stats.len(), idle.stats_total.min_response_time), (0, None));
    let FromWorker::Stats(stats) = worker(recorded!("worker_stats")) else { panic!("no stats") };
    let sums = |entry: &Entry| {
        let timed: u64 = entry.response_times.0.iter().map(|(_, count)| count).sum();
        let seconds: u64 = entry.num_reqs_per_sec.values().sum();
        assert_eq!((timed, seconds), (entry.num_requests, entry.num_requests), "{entry:?}");
        entry.num_requests
    };
    assert_eq!(stats.stats.iter().map(sums).sum::<u64>(), sums(&stats.stats_total));
    let error = stats.errors.values().next().expect("an error");
    assert_eq!((error.name.as_str(), error.method.as_str()), ("/buy", "POST"));
    assert_eq!(error.error, "ValueError('no stock')");
    assert_eq!(error.occurrences, stats.stats_total.num_failures);
}

#[test]
fn every_frame_of_a_locust_master_is_read_and_written_with_the_same_values() {
    assert_eq!(master(recorded!("master_ack")), FromMaster::Ack(Ack::default()));
    assert_eq!(master(recorded!("master_heartbeat")), FromMaster::Heartbeat);
    assert_eq!(master(recorded!("master_quit")), FromMaster::Quit);
    assert_eq!(master(recorded!("master_spawning_complete")), FromMaster::SpawningComplete(4));
    let FromMaster::Spawn(spawn) = master(recorded!("master_spawn")) else { panic!("no users") };
    assert_eq!(spawn.user_classes_count.get("Shopper"), Some(&2));
    assert_eq!((&spawn.host, spawn.stop_timeout), (&None, 0.0));
    assert!(spawn.timestamp > 1.7e9, "{}", spawn.timestamp);
}

#[test]
fn a_worker_writes_what_masters_do_not_die_of() {
    let ready = from_worker(FromWorker::ClientReady(Version::Accepted), "h_1").expect("written");
    assert_eq!(ready, b"\x93\xacclient_ready\xff\xa3h_1", "the version is the integer -1");
    let times = Buckets(vec![(0.0, 1), (3400.0, 2), (0.25, 3)]);
    let entry = Entry { response_times: times, ..Entry::default() };
    let stats = Stats { stats_total: entry, ..Stats::default() };
    let Tree::List(parts) =
        tree(&from_worker(FromWorker::Stats(Box::new(stats)), "h_1").expect("written"))
    else {
        panic!("no list")
    };
    let Some(Tree::Map(data)) = parts.get(1) else { panic!("no map") };
    let keys: Vec<&Tree> = data.iter().map(|(key, _)| key).collect();
    let text = |text: &str| Tree::Text(text.to_owned());
    let want = ["errors", "stats", "stats_total", "user_classes_count", "user_count"].map(text);
    assert_eq!(keys, want.iter().collect::<Vec<_>>(), "no key of ours unless the master reads it");
    let Some((_, Tree::Map(total))) = data.get(2) else { panic!("no total") };
    assert_eq!(total.len(), 14);
    let of = |name: &str| total.iter().find(|(key, _)| *key == text(name)).map(|(_, value)| value);
    assert_eq!(of("min_response_time"), Some(&Tree::Nil), "0 would stick as the minimum");
    assert_eq!(of("last_request_timestamp"), Some(&Tree::Nil));
    let Some(Tree::Map(times)) = of("response_times") else { panic!("no times") };
    assert!(times.iter().all(|(key, _)| matches!(key, Tree::Number(_))), "{times:?}");
}

#[test]
fn values_of_unexpected_types_are_as_good_as_none() {
    // {"stats": nil, "stats_total": {"num_requests": "x", "name": 7, "min_response_time": [1]}, 5: 6}
    let data = b"\x83\xa5stats\xc0\xabstats_total\x83\xacnum_requests\xa1x\xa4name\x07\
        \xb1min_response_time\x91\x01\xa1x\x06";
    let frame = [&b"\x93\xa5stats"[..], data, b"\xa1n"].concat();
    let FromWorker::Stats(stats) = read_worker(&frame).expect("read").message else {
        panic!("no stats")
    };
    assert_eq!((stats.stats.len(), stats.stats_total.num_requests), (0, 0));
    assert_eq!((stats.stats_total.name.as_str(), stats.stats_total.min_response_time), ("7", None));
    let later = read_master(b"\x93\xa9new_thing\x81\xa1a\x91\xc3\xc0").expect("read");
    assert_eq!(later.message, FromMaster::Other("new_thing".to_owned()));
    let old = read_master(b"\x93\xa3ack\xc0\xa1n").expect("read");
    assert_eq!(old.message, FromMaster::Ack(Ack::default()), "masters up to 2.10.2 send nil");
}

#[test]
fn t70_what_is_no_message_is_refused() {
    let deep = [&b"\x93\xa1x"[..], &[0x91; 5000], b"\x01\xa1n"].concat();
    let many = [&b"\x93\xa5stats\x81\xa5stats\xdd\xff\xff\xff\xff"[..], &[0x80; 200_000]].concat();
    for bytes in [
        &b""[..],
        b"\xc1",
        b"\x92\xa4quit\xc0",
        b"\x94\xa4quit\xc0\xa1n\xc0",
        b"\x80",
        b"\xdb\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff\xa4quit",
        &deep,
        &many,
    ] {
        assert!(read_worker(bytes).is_err() && read_master(bytes).is_err(), "{bytes:?}");
    }
    let trailing = read_worker(b"\x93\xa4quit\xc0\xa1n\x01\x02").expect_err("refused");
    assert!(matches!(trailing, DecodeError::Trailing(2)), "{trailing}");
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let times = prop::collection::vec((0u32..100_000, any::<u64>()), 0..20);
    let seconds = prop::collection::btree_map(any::<i32>(), any::<u64>(), 0..5);
    (any::<String>(), any::<u64>(), times, seconds, prop::option::of(0.0..1e9)).prop_map(
        |(name, num_requests, times, seconds, min_response_time)| Entry {
            name,
            num_requests,
            min_response_time,
            response_times: Buckets(
                times.into_iter().map(|(ms, count)| (f64::from(ms) / 4.0, count)).collect(),
            ),
            num_reqs_per_sec: seconds
                .into_iter()
                .map(|(at, count)| (i64::from(at), count))
                .collect(),
            ..Entry::default()
        },
    )
}

proptest! {
    #[test]
    fn any_report_is_read_back_as_it_was_written(
        stats in prop::collection::vec(any_entry(), 0..4),
        stats_total in any_entry(),
        times in prop::collection::vec(any::<(u64, u64)>(), 0..20),
        error in any::<Option<String>>(),
    ) {
        let group = Group { error, times, ..Group::default() };
        let ldctl = Some(Detail { groups: vec![group], ..Detail::default() });
        let message = FromWorker::Stats(Box::new(Stats { stats, stats_total, ldctl, ..Stats::default() }));
        let written = from_worker(message.clone(), "host_1").expect("written");
        prop_assert_eq!(read_worker(&written).expect("read").message, message);
    }
}
