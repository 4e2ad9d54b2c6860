//! ldctl
pub mod action;
pub mod cli;
pub mod client;
pub mod command;
pub mod console;
pub mod error;
pub mod event;
pub mod load;
pub mod metrics;
pub mod protocol;
pub mod record;
pub mod report;
pub mod server;
pub mod trust;
pub mod value;
pub mod wire;
