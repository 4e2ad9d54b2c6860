//! How a task reaches its target: one driver per protocol, each behind [`crate::load::driver`]'s
//! boundary, and [`USERS`], the table of users that documents may name. The engine decides when and
//! how often; [`Targets`](crate::net::Targets) decides where a test may connect to.

mod check;
mod checked;
mod deadline;
mod fault;
pub mod grpc;
mod hex;
pub mod http;
mod idle;
mod json_path;
mod labels;
pub mod mqtt;
mod own_limits;
mod placed;
pub mod redis;
mod socket;
pub mod sse;
mod step;
mod trace;
mod user;
mod websocket;

use self::step::StepTasks;
use crate::load::driver::Tasks as _;
use crate::value::{Invalid, Reader};

pub use checked::{Capture, MAX_BODY_BYTES, Unreadable};
pub use fault::ConnectionFault;
pub(crate) use http::PROXY;
pub use json_path::JsonPath;
pub use own_limits::own_limits;
pub use trace::Tracer;
pub use user::{AnyTasks, Reach, Setup, UserKind, Workload};

/// The users. The refusal of an unknown one and the schema's list are made from it, the README's is
/// checked against it.
///
/// A protocol is a folder or a file here. To add one:
///
/// 1. Implement [`StepProtocol`](step::StepProtocol) if a task is one step of its user, which leaves
///    one sample; [`socket`] is the smallest example. It says how tasks are parsed and linked, what
///    users keep, what a step does and what its failures mean. The list of tasks, and around each step
///    its deadline, label, verdict, record, pause and what `--once` shows, are in [`step`] for all of
///    them. A protocol whose tasks are more than that, such as [`http`] with its redirects, implements
///    [`Tasks`](crate::load::driver::Tasks), which parses its tasks, and
///    [`Driver`](crate::load::driver::Driver), which performs them. Assertions, placed texts and the
///    faults of connections are beside this file, connections in [`crate::net`]: nothing else may open
///    a socket, so that `--allow-target` holds.
/// 2. Declare its fields in a table, from which they are read and the schema is printed, and add a
///    row here.
/// 3. Write tests against real peers, also bad ones, in `tests/it/engine_NAME.rs`, and list it in
///    `tests/it/main.rs`. Add a list of tasks to `fuzz/corpus/plan`, after the byte that chooses the
///    user in `fuzz/src/plan.rs`.
/// 4. Refresh `schema/actions.json` (`TRYCMD=overwrite cargo test --test it`); add the row to the
///    README's table of users, and a line to CHANGELOG.md.
pub const USERS: &[UserKind] = &[
    UserKind {
        name: "fast_http_user",
        doc: "HTTP/1.1 and HTTP/2 requests, with the behaviour of Locust's FastHttpUser.",
        options: &["http2", "proxy"],
        fields: http::HttpTasks::FIELDS,
        open: |setup| http::HttpTasks::open(setup, http::Flavor::Fast),
    },
    UserKind {
        name: "http_user",
        doc: "HTTP/1.1 and HTTP/2 requests, with the behaviour of Python's requests.",
        options: &["http2", "proxy"],
        fields: http::HttpTasks::FIELDS,
        open: |setup| http::HttpTasks::open(setup, http::Flavor::Requests),
    },
    UserKind {
        name: "async_http_user",
        doc: "The same as `http_user`.",
        options: &["http2", "proxy"],
        fields: http::HttpTasks::FIELDS,
        open: |setup| http::HttpTasks::open(setup, http::Flavor::Httpx),
    },
    UserKind {
        name: "socket_user",
        doc: "Bytes over TCP or UDP, and the response.",
        options: &[],
        fields: StepTasks::<socket::Socket>::FIELDS,
        open: StepTasks::<socket::Socket>::open,
    },
    UserKind {
        name: "websocket_user",
        doc: "Messages over WebSocket, and those that come back.",
        options: &["proxy"],
        fields: StepTasks::<websocket::WebSocket>::FIELDS,
        open: StepTasks::<websocket::WebSocket>::open,
    },
    UserKind {
        name: "sse_user",
        doc: "Streams of events over HTTP (server-sent events), and waiting for events.",
        options: &["proxy"],
        fields: StepTasks::<sse::Sse>::FIELDS,
        open: StepTasks::<sse::Sse>::open,
    },
    UserKind {
        name: "redis_user",
        doc: "Commands of Redis, and their replies.",
        options: &["connection"],
        fields: StepTasks::<redis::Redis>::FIELDS,
        open: StepTasks::<redis::Redis>::open,
    },
    UserKind {
        name: "mqtt_user",
        doc: "Messages to an MQTT broker, and those that it sends.",
        options: &["connection"],
        fields: StepTasks::<mqtt::Mqtt>::FIELDS,
        open: StepTasks::<mqtt::Mqtt>::open,
    },
    UserKind {
        name: "grpc_user",
        doc: "Calls of gRPC, unary and streams, by types from a file or from the target.",
        options: &["connection", "proxy"],
        fields: StepTasks::<grpc::Grpc>::FIELDS,
        open: StepTasks::<grpc::Grpc>::open,
    },
];

/// Their names.
#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds does not compile")]
pub const USER_NAMES: [&str; USERS.len()] = {
    let mut names = [""; USERS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = USERS[at].name;
        at += 1;
    }
    names
};

impl UserKind {
    /// Returns the user that a field names.
    pub fn named(field: &Reader<'_>) -> Result<&'static Self, Invalid> {
        let name = field.text()?;
        let found = USERS.iter().find(|user| user.name == name);
        found.ok_or_else(|| field.choice(&USER_NAMES))
    }
}
