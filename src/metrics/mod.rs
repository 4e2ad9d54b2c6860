//! Exporters of live figures: Prometheus scrapes them, browsers look at them; InfluxDB, StatsD and
//! OpenTelemetry collectors receive them. Each exporter has its own thread and reads the merged figures of
//! [`crate::record::live::Cumulative`]; none touches the request path, and a slow or missing
//! receiver delays only its own exporter. A document names the receiver, and documents come over a
//! socket, so exporters may reach only the addresses that load tests may reach. Dropping an
//! exporter sends the remaining figures and stops it.

pub mod dashboard;
mod grpc;
mod http;
pub mod influx;
pub mod otlp;
pub mod prometheus;
mod scrape;
pub mod statsd;
mod ticker;
mod udp;

use std::time::Instant;

pub use http::{Endpoint, InvalidEndpoint, post};

/// A running exporter. Dropping it stops it, and waits until it has sent what is left.
pub trait Exporter {
    /// Asks it to stop, without waiting.
    fn begin_to_stop(&mut self);

    /// Waits for its end, at most until a deadline; then it is left behind, with the figures that it
    /// has not sent. Returns whether it has ended.
    fn stop_until(&mut self, deadline: Instant) -> bool;
}
