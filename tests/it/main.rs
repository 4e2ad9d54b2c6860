//! The integration tests, in reading order: first what the tree itself must hold, then the program
//! from outside.

mod changelog;
mod generated;
mod layering;
mod reports;
mod transcripts;
