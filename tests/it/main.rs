//! The integration tests, in reading order: what the tree itself must hold, what the program says,
//! client and server, load, and bad ends.

// The helpers of tests may fail as the tests do; clippy only spares functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

mod changelog;
mod generated;
mod layering;
mod schema;
mod transcripts;
mod wire_support;
mod wire_server;
mod control;
mod diagnosis;
mod bad_input;
mod endings;
mod load;
mod crash;
mod reports;
mod abuse;
