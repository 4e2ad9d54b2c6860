//! The integration tests, in reading order: what the tree itself must hold, what the program says,
//! client and server, load, and bad ends.

mod support;
mod wire_support;

mod changelog;
mod generated;
mod layering;
mod reports;

mod transcripts;

mod wire_server;

mod control;
mod diagnosis;

mod abuse;
