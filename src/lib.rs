//! Control server, client and load engine for LoadDensity action documents. This page is the map of
//! the code.
//!
//! # The picture
//!
//! ```text
//!                       main   parse, run, print the error, choose the exit code
//!                        │
//!            cli ──── command ──── console        one verb per file; the only printer
//!                 ┌──────┼───────────┐
//!              server    │         client         a session per connection; connect and ask
//!                 │ │    │           │
//!                 │ └────┼── wire ───┘            frames, requests, tokens, TLS, both reply dialects
//!                 └── action                      a document becomes commands; the executor
//!           ┌──────────┬─┴────────┬──────────┐
//!        protocol     run      report    metrics   drivers; runs; records as text; live figures
//!           └──────┬───┴──────────┴──────────┘
//!                 load ──── record                how load is made; what happened
//!
//!                       net                       every socket: targets, dialling, TLS, a small HTTP server
//!                      event                      what a document's run emits: for action and all above
//!           value  error  escape  counters  lock   used by every module
//! ```
//!
//! A module uses what is below or beside it, never what is above; a test reads the `use` lines.
//!
//! # The way of a request
//!
//! Bytes become a frame or a legacy text ([`wire::frame`]), that becomes a typed request with its
//! token checked ([`wire::request`]), and a session ([`server`]) hands its document to the executor
//! ([`action`]). There every action is read and checked before the first runs. The tasks of a load
//! test are read by their protocol ([`protocol::USERS`]), and linked when the test starts with what
//! the actions before it have brought about. The test becomes a plan ([`load`]): *when to start*
//! (pacer) × *what to do* (scenario and driver) × *when to stop* (shape), in one loop for all of them,
//! and a run ([`run`]) with live figures of its own. Each request leaves a sample in the record
//! ([`record`]), from which summaries, reports and gates are made.
//!
//! The way back is one [`event::Sink`]. A session writes events as text lines or as JSON frames
//! ([`wire::dialect`]), `ldctl run` prints them, a test collects them; nothing below depends on which.
//!
//! # The order in which to read
//!
//! 1. [`value`], [`event`] and [`error`]: what everything else speaks in.
//! 2. [`wire`]: its page describes the protocol; [`server`] and [`client`] are the two ends.
//! 3. [`action`]: documents, commands, placeholders, files.
//! 4. [`record`] and [`load`]: the engine, and [`run`], its runs; then [`protocol`], how a task reaches
//!    its target.
//! 5. [`report`] and [`metrics`]: what is made of a record.
//! 6. [`cli`], [`command`] and [`console`]: the program around it.
//!
//! # Invariants
//!
//! - The text dialect gives the reference's bytes; what is new is asked for with `"reply": "events"`.
//! - A value from outside never ends a reply, leaves the data directory, or is interpreted by a terminal.
//! - A length from the wire is capped before anything is allocated for it, and every wait for a peer
//!   has a deadline.
//! - A token is compared as a digest in constant time, is never printed, and no document can read it.
//! - Documents are parsed at the edge: inside are types that cannot be wrong, and a refusal names
//!   its place.
//! - On the way of a load test's request there is no shared lock; threads are merged on a tick.
//! - `record`, `report` and parsing never await; `load` knows no socket and is tested on a paused
//!   clock.
//! - Every spawned task has an owner, a panic ends one connection or one run, and nothing but `main`
//!   chooses an exit code for the process.

pub mod action;
pub mod cli;
pub mod client;
pub mod command;
pub mod console;
pub mod counters;
pub mod error;
pub mod escape;
pub mod event;
pub mod load;
mod lock;
pub mod metrics;
pub mod net;
pub mod protocol;
pub mod record;
pub mod report;
pub mod run;
pub mod server;
pub mod value;
pub mod wire;
