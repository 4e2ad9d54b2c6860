//! All sockets of this process: which addresses they may reach ([`Targets`]), how a connection is
//! made ([`Dialer`], [`dial()`]), which certificates TLS trusts ([`trust`]), the stream itself,
//! plain or encrypted, as one type ([`Stream`]), and listening sockets ([`Listeners`]), also with a
//! small HTTP server on top ([`http_service`]), and what all calls of gRPC have in common ([`grpc`]).

mod certificate;
mod datagrams;
pub(crate) mod descriptors;
mod dial;
pub mod grpc;
mod handshake;
pub mod http_service;
mod listen;
mod old_tls;
mod own_limit;
mod reserved;
mod route;
mod stream;
mod targets;
pub mod trust;

pub use datagrams::Datagrams;
pub use descriptors::Descriptors;
pub use dial::{DialError, Dialer, NoAddress, Tls, dial};
pub use handshake::{CertificateProblem, TlsProblem};
pub use listen::{BindError, Listener, Listeners, permitted};
pub use own_limit::OwnLimit;
pub use route::route;
pub use stream::Stream;
pub use targets::{AllowedTarget, InvalidTarget, Targets};
