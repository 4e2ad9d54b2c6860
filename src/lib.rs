//! Control server, client and load engine for LoadDensity action documents. This page is the map of
//! the code.
//!
//! # Modules
//!
//! ```text
//!                       main   parse, run, print the error, choose the exit code
//!                        │
//!            cli ──── command ──── console         one verb per file; the only printer
//!                 ┌──────┼───────────┐
//!               web      │           │             runs in a browser and over HTTP
//!                 │      │           │
//!              server    │         client          one session per connection; connect and ask
//!                 │ └────┼── wire ───┘             operations, frames, tokens, TLS, both dialects
//!                 └── action                       documents, commands, the executor
//!           ┌──────────┬─┴────────┬─────────┬─────────┐
//!        protocol     run      report    metrics   cluster   drivers; runs; finished records; live
//!           └──────┬───┴──────────┴─────────┴─────────┘       ones; tests on several machines
//!                load ──── record                  how load is generated; what was measured
//!
//!                python                            what is not native, in a process of its own
//!                 net                              every socket: dialling, listening, TLS, targets
//!                event                             what a running document emits
//!       value  error  escape  redact  counters  lock  memory  cold    used by every module
//! ```
//!
//! A module uses the modules below or beside it, never those above, and inside a module no two files
//! use each other. A test resolves every `use` and fails on a breach, on a circle, and on a permission
//! that no code needs.
//!
//! # Where to add something
//!
//! | to add | start at |
//! |---|---|
//! | a command (`LD_…`) | `FAMILIES` in `action/registry.rs` |
//! | an operation of the control connection | [`wire::op::Op`] |
//! | a protocol, that is a kind of virtual user | [`protocol::USERS`] |
//! | a name that LoadDensity knows | `action/loaddensity.rs` |
//! | a report format | [`report::FORMATS`] |
//! | a request over HTTP | `ROUTES` in `web/routes.rs` |
//!
//! The list of steps stands above each of them. Commands, arguments and task fields are declared once,
//! as [`value::Field`]s: the reader, the schema, lint and the tests for path arguments use the same
//! tables.
//!
//! # The way of a request
//!
//! Bytes become a frame or a legacy text ([`wire::frame`]), then a [`wire::request::Request`] whose
//! token has been checked; a session ([`server`]) hands its document to the executor ([`action`]),
//! which reads and checks every action before the first one runs. The protocol reads the tasks of a
//! load test once ([`protocol::USERS`]); when the test starts they are linked with what earlier
//! actions have registered or written. The test becomes a plan ([`load`]): *when to start* (pacer) ×
//! *what to do* (scenario and driver) × *when to stop* (shape), in one loop for all combinations, and
//! a run ([`run`]) with live figures and a record of its own. Each request leaves a sample in the
//! record ([`record`]), the source of summaries, reports and gates.
//!
//! The way back is one [`event::Sink`]. A session writes events as text lines or as JSON frames
//! ([`wire::dialect`]), `ldctl run` prints them, a test collects them; nothing below depends on which.
//!
//! # Reading order
//!
//! 1. [`value`], [`event`] and [`error`]: the vocabulary of everything else.
//! 2. [`wire`]: its page describes the protocol; [`server`] and [`client`] are the two ends, and
//!    [`web`] is another way to the server.
//! 3. [`action`]: documents, commands, placeholders, files.
//! 4. [`record`] and [`load`]: the engine; [`run`]: its runs; [`protocol`]: how a task reaches its
//!    target.
//!    [`python`] is where what is not native runs.
//! 5. [`report`] and [`metrics`]: what is made of a record; [`cluster`]: a test on several machines.
//! 6. [`net`]: the sockets below all of them.
//! 7. [`cli`], [`command`] and [`console`]: the program around it.
//!
//! # Decisions
//!
//! - What is not native runs in a child process per action, and this process stays the only owner of
//!   state: the child is handed variables and sources with a test, and streams its requests back
//!   ([`load::Streamed`]), so that nothing above `action` can tell the two kinds of test apart.
//! - A load test is erased at its plan ([`load::Runnable`]), not at its requests: the engine is generic
//!   over [`load::driver::Driver`], so a request costs no dynamic call.
//! - An unlinked text and a linked one are two types (`Draft` and `Template`), so a document is
//!   compiled once and cannot run before its variables, files and environment are known. What a
//!   protocol may reach is handed over at that moment ([`load::driver::Tasks::Reach`]): `load` knows no
//!   socket.
//! - Nested documents are read when they run, by the `Interpreter` that a command's context carries:
//!   that keeps commands below the executor.
//! - [`net::Stream`] is an enum of our own rather than a generic `Either`: besides reading and writing
//!   it answers whether a kept connection was disturbed, without a system call.
//! - A run is one execution of a document ([`run::Run`]): with events it sees only its own records and
//!   variables, while text replies keep the reference's rule, one state for all.
//! - Each test has its own live figures and feeds cumulative ones for exporters on its tick, so no
//!   reader subtracts what earlier runs left.
//!
//! # Invariants
//!
//! - The web door parses no document and has no rule of its own: it asks the server's executor.
//! - The text dialect is byte for byte the reference's; everything new needs `"reply": "events"`.
//! - A value from outside never ends a reply, leaves the data directory, or is interpreted by a
//!   terminal.
//! - A length from the wire is capped before anything is allocated for it, and every wait for a peer
//!   has a deadline.
//! - Tokens are compared as digests in constant time, never printed, and unreadable for documents.
//! - Documents are parsed at the edge: inside are types that cannot hold an invalid state, and a refusal
//!   names its place.
//! - The path of a load test's request takes no shared lock; threads are merged on a tick. Only where
//!   details are asked for (`-v`), failures and new connections do, until enough kinds are known.
//! - `record`, `report` and parsing never await; `load` is tested on a paused clock.
//! - Only `net` opens sockets and resolves names, and every way out passes [`net::Targets`].
//! - Every spawned task has an owner, a panic ends one connection or one run, and nothing below `main`
//!   exits the process.

pub mod action;
pub mod cli;
pub mod client;
pub mod cluster;
mod cold;
pub mod command;
pub mod console;
pub mod counters;
pub mod error;
pub mod escape;
pub mod event;
pub mod load;
mod lock;
pub mod memory;
pub mod metrics;
pub mod net;
pub mod protocol;
pub mod python;
pub mod record;
pub mod redact;
pub mod report;
pub mod run;
pub mod server;
pub mod value;
pub mod web;
pub mod wire;
