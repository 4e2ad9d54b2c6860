//! A running record for others: Prometheus asks for it, InfluxDB, StatsD and OpenTelemetry
//! collectors get it sent. Each exporter has a thread of its own and reads the merged figures of
//! [`crate::record::live::Live`]; none meets the request path, and one whose receiver is slow or
//! gone delays nobody but itself. Dropping an exporter sends what is left, and stops it.

mod http;
pub mod influx;
pub mod otlp;
pub mod prometheus;
pub mod statsd;
mod ticker;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

pub use http::{Endpoint, InvalidEndpoint};

/// Why an address of a host must not be sent to, if it must not. Figures are sent where a document says, and a
/// document comes over a socket.
pub type Guard = Arc<dyn Fn(&str, SocketAddr) -> Option<&'static str> + Send + Sync>;

/// The first address of a host that the guard lets pass.
fn allowed(
    host: &str,
    addresses: impl IntoIterator<Item = SocketAddr>,
    guard: &Guard,
) -> io::Result<SocketAddr> {
    let mut why = "the name has no address";
    for address in addresses {
        match guard(host, address) {
            None => return Ok(address),
            Some(refusal) => why = refusal,
        }
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}
