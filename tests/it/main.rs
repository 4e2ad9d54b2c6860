//! The integration tests, in reading order: what the tree itself must hold, what the program says,
//! client and server, load, and bad ends.

// The helpers of tests may fail as the tests do; clippy only spares functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

mod abuse;
mod bad_input;
mod changelog;
mod control;
mod crash;
mod diagnosis;
mod endings;
mod generated;
mod layering;
mod load;
mod reports;
mod schema;
mod transcripts;
mod wire_server;
mod wire_support;
