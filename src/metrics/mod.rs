//! A running record for others: Prometheus asks for it, InfluxDB, StatsD and OpenTelemetry
//! collectors get it sent. Each exporter has a thread of its own and reads the merged figures of
//! [`crate::record::live::Cumulative`]; none meets the request path, and one whose receiver is slow or
//! gone delays nobody but itself. Figures are sent where a document says, which comes over a socket, so
//! they go to no address that a load test may not reach either. Dropping an exporter sends what is
//! left, and stops it.

mod grpc;
mod http;
pub mod influx;
pub mod otlp;
pub mod prometheus;
pub mod statsd;
mod ticker;
mod udp;

pub use http::{Endpoint, InvalidEndpoint};
