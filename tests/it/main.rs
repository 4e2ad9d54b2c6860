//! The integration tests, in reading order: what the tree itself must hold, what the program says,
//! client and server, load, and bad ends.

mod support;

mod changelog;
mod generated;
mod layering;
mod reports;

mod transcripts;

mod bad_input;
mod control;
mod diagnosis;
mod endings;
mod load;
