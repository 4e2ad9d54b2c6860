//! How a task reaches its target: one driver per protocol, each behind [`crate::load::driver`]'s
//! border. Nothing here decides when or how often. Where a test may go is for [`Targets`] to say.

pub mod http;
mod targets;

pub use targets::{AllowedTarget, InvalidTarget, Targets};
