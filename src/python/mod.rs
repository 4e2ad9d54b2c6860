//! The executor's Python: a child process in which LoadDensity itself runs what is not native here.
//! `bridge.py` is the program in the child; a file of ours, so that nothing has to be installed beside
//! the package.
//!
//! The child owns no state that outlives a call: a test brings its variables and sources along, and
//! what it measures is streamed back ([`Answer::Rows`]). What it may do is limited by the system and
//! not by it, because documents can make it run any code ([`Settings`]): its environment, its files,
//! its memory, its process group. It is started again after its end, whatever ended it.

mod child;
mod confine;
mod confined;
mod engine;
mod family;
mod settings;
mod shared;
mod stderr;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

/// The program in the child.
pub const BRIDGE: &str = include_str!("bridge.py");

pub use confined::{CONFINED, become_confined};
pub use engine::{Call, Python, Step};
pub use settings::{Settings, StartError};
pub use wire::{About, Answer, Raised, Row};
