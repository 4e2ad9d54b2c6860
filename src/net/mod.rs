//! The byte streams of this process: where they may lead ([`Targets`]), whom TLS trusts ([`trust`]),
//! and the stream itself, plain or encrypted, as one type ([`Stream`]).

mod stream;
mod targets;
pub mod trust;

pub use stream::Stream;
pub use targets::{AllowedTarget, InvalidTarget, Targets};
