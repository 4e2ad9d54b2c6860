//! The messages of Locust's cluster protocol: MessagePack of `[type, data, node_id]`, typed both ways.
//! What is read is read leniently: unknown keys and types are ignored, and a number is a number
//! however it is written. What is written is exact, because a master dies of a malformed message.

mod lenient;
mod size;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use lenient::{
    Scalar, classes, count, entries, list, map, maybe_number, maybe_text, number, pairs, seconds,
    text,
};

/// Nesting beyond which nothing is read.
const DEPTH: usize = 32;

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is no message.
    #[error("not a message of a cluster: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// Something follows it.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

/// Why a message cannot be written. A bug, or a lack of memory.
#[derive(Debug, thiserror::Error)]
#[error("cannot write a message: {0}")]
pub struct EncodeError(#[from] rmp_serde::encode::Error);

/// A message and the worker that it is from or for.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<M> {
    /// The message.
    pub message: M,
    /// The worker.
    pub node: String,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq)]
pub enum FromWorker {
    /// It is there, and takes users.
    ClientReady(Version),
    /// It has received `spawn`.
    Spawning,
    /// It has carried it out.
    SpawningComplete(UserCounts),
    /// What it has measured since its last report.
    Stats(Box<Stats>),
    /// It is alive.
    Heartbeat(Heartbeat),
    /// It has carried out `stop`.
    ClientStopped,
    /// Its scenario failed outside of a request.
    Exception(String),
    /// It leaves.
    Quit,
    /// Something else.
    Other(String),
}

/// What a master says.
#[derive(Debug, Clone, PartialEq)]
pub enum FromMaster {
    /// The worker is registered.
    Ack(Ack),
    /// So many users are to run.
    Spawn(Box<Spawn>),
    /// All workers have carried it out.
    SpawningComplete(u64),
    /// It has received a heartbeat.
    Heartbeat,
    /// The test ends, and the worker stays.
    Stop,
    /// The worker ends.
    Quit,
    /// The connection is to be made anew.
    Reconnect,
    /// Something else.
    Other(String),
}

/// The version that a worker names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One that masters accept: a text, or -1.
    Accepted,
    /// None.
    Missing,
}

/// What a worker runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserCounts {
    /// Users by class.
    #[serde(deserialize_with = "classes")]
    pub user_classes_count: BTreeMap<String, u64>,
    /// All of them.
    #[serde(deserialize_with = "count")]
    pub user_count: u64,
}

/// A worker's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// `ready`, `spawning` or `running`.
    #[serde(deserialize_with = "text")]
    pub state: String,
    /// Percent of all cores.
    #[serde(deserialize_with = "number")]
    pub current_cpu_usage: f64,
    /// Bytes.
    #[serde(deserialize_with = "count")]
    pub current_memory_usage: u64,
}

/// What a worker learns when it is registered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ack {
    /// Its number.
    #[serde(deserialize_with = "count")]
    pub index: u64,
    /// The version of [`Detail`] that the master reads; masters other than ldctl read none.
    #[serde(deserialize_with = "count", skip_serializing_if = "is_zero")]
    pub ldctl: u64,
}

/// How many users are to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spawn {
    /// Seconds since the epoch; older commands than the last are ignored.
    #[serde(deserialize_with = "number")]
    pub timestamp: f64,
    /// Users by class, absolute.
    #[serde(deserialize_with = "classes")]
    pub user_classes_count: BTreeMap<String, u64>,
    /// The base of relative URLs.
    #[serde(deserialize_with = "maybe_text")]
    pub host: Option<String>,
    /// How long users may take to stop, in seconds.
    #[serde(deserialize_with = "number")]
    pub stop_timeout: f64,
    /// The master's options. They may hold credentials: they are not kept.
    pub parsed_options: Options,
}

/// An empty map; what is read is dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options;

impl Serialize for Options {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// What a worker has measured since its last report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// By method and name.
    #[serde(deserialize_with = "list")]
    pub stats: Vec<Entry>,
    /// All of them.
    pub stats_total: Entry,
    /// Errors, by a key that is the same for the same error of any worker.
    #[serde(deserialize_with = "map")]
    pub errors: BTreeMap<String, ErrorEntry>,
    /// Users by class.
    #[serde(deserialize_with = "classes")]
    pub user_classes_count: BTreeMap<String, u64>,
    /// All of them.
    #[serde(deserialize_with = "count")]
    pub user_count: u64,
    /// The same without loss, between ldctl and ldctl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldctl: Option<Detail>,
}

/// The figures of one method and name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The name; `Aggregated` of the total.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// The method; empty of the total.
    #[serde(deserialize_with = "text")]
    pub method: String,
    /// The end of the last request, in seconds since the epoch.
    #[serde(deserialize_with = "maybe_number")]
    pub last_request_timestamp: Option<f64>,
    /// The start of the interval, in seconds since the epoch.
    #[serde(deserialize_with = "number")]
    pub start_time: f64,
    /// Requests, with failed ones.
    #[serde(deserialize_with = "count")]
    pub num_requests: u64,
    /// Those without a time.
    #[serde(deserialize_with = "count")]
    pub num_none_requests: u64,
    /// Those that failed.
    #[serde(deserialize_with = "count")]
    pub num_failures: u64,
    /// The sum of their times, in milliseconds.
    #[serde(deserialize_with = "number")]
    pub total_response_time: f64,
    /// The longest, in milliseconds.
    #[serde(deserialize_with = "number")]
    pub max_response_time: f64,
    /// The shortest, in milliseconds.
    #[serde(deserialize_with = "maybe_number")]
    pub min_response_time: Option<f64>,
    /// Bytes.
    #[serde(deserialize_with = "count")]
    pub total_content_length: u64,
    /// Times in milliseconds, rounded, and how often each occurred.
    pub response_times: Buckets,
    /// Requests by the second in which they ended.
    #[serde(deserialize_with = "seconds")]
    pub num_reqs_per_sec: BTreeMap<i64, u64>,
    /// The failed ones.
    #[serde(deserialize_with = "seconds")]
    pub num_fail_per_sec: BTreeMap<i64, u64>,
}

/// One kind of error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorEntry {
    /// The name of its requests.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// Their method.
    #[serde(deserialize_with = "text")]
    pub method: String,
    /// Its text.
    #[serde(deserialize_with = "text")]
    pub error: String,
    /// How often it occurred.
    #[serde(deserialize_with = "count")]
    pub occurrences: u64,
    /// When it occurred first, in seconds since the epoch.
    #[serde(deserialize_with = "maybe_number")]
    pub first_seen: Option<f64>,
    /// When it occurred last.
    #[serde(deserialize_with = "maybe_number")]
    pub last_seen: Option<f64>,
}

/// What a report says beside Locust's figures, between ldctl and ldctl.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// The length of the interval, in milliseconds.
    #[serde(deserialize_with = "count")]
    pub span: u64,
    /// Requests, by label, status and error.
    #[serde(deserialize_with = "list")]
    pub groups: Vec<Group>,
}

/// Requests of one label with one outcome. Times are in ticks of 100 ns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// The method.
    #[serde(deserialize_with = "text")]
    pub method: String,
    /// The name.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// The URL.
    #[serde(deserialize_with = "text")]
    pub url: String,
    /// The status.
    #[serde(deserialize_with = "count")]
    pub status: u64,
    /// Why they failed.
    #[serde(deserialize_with = "maybe_text")]
    pub error: Option<String>,
    /// Bytes of their responses.
    #[serde(deserialize_with = "count")]
    pub bytes: u64,
    /// The shortest time.
    #[serde(deserialize_with = "count")]
    pub min: u64,
    /// The longest time.
    #[serde(deserialize_with = "count")]
    pub max: u64,
    /// The middle of each bucket, and how many times are in it.
    #[serde(deserialize_with = "pairs")]
    pub times: Vec<(u64, u64)>,
}

/// Rounded times in milliseconds and how often each occurred.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets(pub Vec<(f64, u64)>);

impl Serialize for Buckets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, count) in &self.0 {
            // As Locust's own: integers where they are.
            match key.fract() == 0.0 && (0.0..1e15).contains(key) {
                true => map.serialize_entry(&(*key as u64), count)?,
                false => map.serialize_entry(key, count)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Buckets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = entries::<D, Scalar, Scalar>(deserializer)?;
        let usable = |(key, count): (Scalar, Scalar)| {
            let key = key.number().filter(|key| key.is_finite() && *key >= 0.0)?;
            Some((key, count.count()))
        };
        Ok(Self(entries.into_iter().filter_map(usable).collect()))
    }
}

impl FromWorker {
    fn kind(&self) -> &str {
        match self {
            Self::ClientReady(_) => "client_ready",
            Self::Spawning => "spawning",
            Self::SpawningComplete(_) => "spawning_complete",
            Self::Stats(_) => "stats",
            Self::Heartbeat(_) => "heartbeat",
            Self::ClientStopped => "client_stopped",
            Self::Exception(_) => "exception",
            Self::Quit => "quit",
            Self::Other(kind) => kind,
        }
    }
}

impl FromMaster {
    fn kind(&self) -> &str {
        match self {
            Self::Ack(_) => "ack",
            Self::Spawn(_) => "spawn",
            Self::SpawningComplete(_) => "spawning_complete",
            Self::Heartbeat => "heartbeat",
            Self::Stop => "stop",
            Self::Quit => "quit",
            Self::Reconnect => "reconnect",
            Self::Other(kind) => kind,
        }
    }
}

/// A message as it stands between its type and the worker.
trait Message: Sized {
    fn kind(&self) -> &str;
    fn write<S: serde::ser::SerializeTuple>(&self, tuple: &mut S) -> Result<(), S::Error>;
    fn read<'de, A: SeqAccess<'de>>(kind: String, data: &mut A) -> Result<Self, A::Error>;
}

/// The version that a master accepts without a word.
const ANY_VERSION: i64 = -1;

impl Message for FromWorker {
    fn kind(&self) -> &str {
        Self::kind(self)
    }

    fn write<S: serde::ser::SerializeTuple>(&self, tuple: &mut S) -> Result<(), S::Error> {
        match self {
            Self::ClientReady(Version::Accepted) => tuple.serialize_element(&ANY_VERSION),
            Self::SpawningComplete(counts) => tuple.serialize_element(counts),
            Self::Stats(stats) => tuple.serialize_element(&**stats),
            Self::Heartbeat(heartbeat) => tuple.serialize_element(heartbeat),
            Self::Exception(text) => tuple
                .serialize_element(&BTreeMap::from([("msg", text.as_str()), ("traceback", "")])),
            _ => tuple.serialize_element(&()),
        }
    }

    fn read<'de, A: SeqAccess<'de>>(kind: String, data: &mut A) -> Result<Self, A::Error> {
        Ok(match kind.as_str() {
            "client_ready" => Self::ClientReady(match next::<Scalar, A>(data)? {
                Scalar::Text(version) if !version.is_empty() => Version::Accepted,
                Scalar::Int(ANY_VERSION) => Version::Accepted,
                _ => Version::Missing,
            }),
            "spawning_complete" => Self::SpawningComplete(next(data)?),
            "stats" => Self::Stats(Box::new(next(data)?)),
            "heartbeat" => Self::Heartbeat(next(data)?),
            "exception" => Self::Exception(next::<Exception, A>(data)?.msg),
            other => {
                next::<IgnoredAny, A>(data)?;
                match other {
                    "spawning" => Self::Spawning,
                    "client_stopped" => Self::ClientStopped,
                    "quit" => Self::Quit,
                    _ => Self::Other(kind),
                }
            }
        })
    }
}

impl Message for FromMaster {
    fn kind(&self) -> &str {
        Self::kind(self)
    }

    fn write<S: serde::ser::SerializeTuple>(&self, tuple: &mut S) -> Result<(), S::Error> {
        match self {
            Self::Ack(ack) => tuple.serialize_element(ack),
            Self::Spawn(spawn) => tuple.serialize_element(&**spawn),
            Self::SpawningComplete(users) => {
                tuple.serialize_element(&BTreeMap::from([("user_count", users)]))
            }
            _ => tuple.serialize_element(&()),
        }
    }

    fn read<'de, A: SeqAccess<'de>>(kind: String, data: &mut A) -> Result<Self, A::Error> {
        Ok(match kind.as_str() {
            // Masters up to 2.10.2 send nil.
            "ack" => Self::Ack(next::<Option<Ack>, A>(data)?.unwrap_or_default()),
            "spawn" => Self::Spawn(Box::new(next(data)?)),
            "spawning_complete" => {
                let counts = next::<Option<UserCounts>, A>(data)?;
                Self::SpawningComplete(counts.map_or(0, |counts| counts.user_count))
            }
            other => {
                next::<IgnoredAny, A>(data)?;
                match other {
                    "heartbeat" => Self::Heartbeat,
                    "stop" => Self::Stop,
                    "quit" => Self::Quit,
                    "reconnect" => Self::Reconnect,
                    _ => Self::Other(kind),
                }
            }
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Exception {
    #[serde(deserialize_with = "text")]
    msg: String,
}

fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(data: &mut A) -> Result<T, A::Error> {
    data.next_element()?.ok_or_else(|| serde::de::Error::custom("an array of three is expected"))
}

impl<M: Message> Serialize for Envelope<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(3)?;
        tuple.serialize_element(self.message.kind())?;
        self.message.write(&mut tuple)?;
        tuple.serialize_element(&self.node)?;
        tuple.end()
    }
}

impl<'de, M: Message> Deserialize<'de> for Envelope<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Three<M>(std::marker::PhantomData<M>);
        impl<'de, M: Message> Visitor<'de> for Three<M> {
            type Value = Envelope<M>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an array of three")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut data: A) -> Result<Envelope<M>, A::Error> {
                let kind = next::<String, A>(&mut data)?;
                let message = M::read(kind, &mut data)?;
                let node = next::<Scalar, A>(&mut data)?.text();
                match data.next_element::<IgnoredAny>()? {
                    None => Ok(Envelope { message, node }),
                    Some(_) => Err(serde::de::Error::custom("an array of three is expected")),
                }
            }
        }
        deserializer.deserialize_seq(Three(std::marker::PhantomData))
    }
}

/// Writes what a worker says.
pub fn from_worker(message: FromWorker, node: &str) -> Result<Vec<u8>, EncodeError> {
    encode(&Envelope { message, node: node.to_owned() })
}

/// Writes what a master says.
pub fn from_master(message: FromMaster, node: &str) -> Result<Vec<u8>, EncodeError> {
    encode(&Envelope { message, node: node.to_owned() })
}

/// Reads what a worker says.
pub fn read_worker(bytes: &[u8]) -> Result<Envelope<FromWorker>, DecodeError> {
    decode(bytes)
}

/// Reads what a master says.
pub fn read_master(bytes: &[u8]) -> Result<Envelope<FromMaster>, DecodeError> {
    decode(bytes)
}

fn encode<M: Message>(envelope: &Envelope<M>) -> Result<Vec<u8>, EncodeError> {
    Ok(rmp_serde::to_vec_named(envelope)?)
}

fn decode<M: Message>(bytes: &[u8]) -> Result<Envelope<M>, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    deserializer.set_max_depth(DEPTH);
    let envelope = Envelope::deserialize(&mut deserializer)?;
    match deserializer.get_ref().len() {
        0 => Ok(envelope),
        rest => Err(DecodeError::Trailing(rest)),
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
