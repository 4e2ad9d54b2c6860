//! ldctl
pub mod action;
pub mod error;
pub mod event;
pub mod load;
pub mod record;
pub mod report;
pub mod value;
