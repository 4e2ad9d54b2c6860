//! The integration tests, in reading order: what the tree itself must hold, what the program says,
//! client and server, load, and bad ends.

// What is allowed in a test is allowed in what tests share.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, clippy::unwrap_used)]

mod support;

mod changelog;
mod generated;
mod layering;
mod readme;
mod reports;

mod transcripts;

mod bad_input;
mod control;
mod diagnosis;
mod endings;
mod load;
