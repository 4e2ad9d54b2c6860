//! How a task reaches its target: one driver per protocol, each behind [`crate::load::driver`]'s
//! border. Nothing here decides when or how often. Where a test may go is for [`crate::net::Targets`]
//! to say.

mod deadline;
pub mod http;
mod json_path;

pub use json_path::JsonPath;
