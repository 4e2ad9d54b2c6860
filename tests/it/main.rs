//! The integration tests, in reading order: first what the tree itself must hold, then the program
//! from outside.

mod abuse;
mod changelog;
mod generated;
mod layering;
mod transcripts;
mod wire_server;
mod wire_support;
