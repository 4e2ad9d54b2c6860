//! How a task reaches its target: one driver per protocol, each behind [`crate::load::driver`]'s
//! border. Nothing here decides when or how often.

pub mod http;
