//! The integration tests, in reading order: what the tree itself must hold, what the program says,
//! client and server, load, and bad ends.

// The helpers of tests may fail as the tests do; clippy only spares functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;
mod wire_support;

mod changelog;
mod crash;
mod generated;
mod layering;
mod reports;
mod schema;

mod transcripts;

mod wire_server;

mod control;
mod diagnosis;

mod abuse;
