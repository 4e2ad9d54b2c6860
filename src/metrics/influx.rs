//! Figures as InfluxDB line protocol, over UDP or HTTP, with the reference's measurement and tags.
//! The reference writes a point for every request; this exporter writes one point per second for
//! each method and name, with counts, the mean latency (`latency_ms`) and percentiles.

use std::fmt::{self, Write};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Exporter;
use super::http::{Client, Endpoint};
use super::ticker::{Fate, Ticker};
use super::udp::DatagramSink;
use crate::net::Targets;
use crate::record::live::{Cumulative, Series};

/// How often points are written.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where points go.
pub enum Transport {
    /// Datagrams to a host and port.
    Udp {
        /// The receiver's host.
        host: String,
        /// Its port.
        port: u16,
    },
    /// `POST` to a write URL of InfluxDB.
    Http {
        /// The URL.
        endpoint: Endpoint,
        /// The token of `Authorization: Token …`; never printed.
        token: Option<zeroize::Zeroizing<String>>,
        /// How long a write may take.
        timeout: Duration,
    },
}

/// Without the token.
impl fmt::Debug for Transport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { host, port } => write!(out, "Udp({host}:{port})"),
            Self::Http { endpoint, .. } => write!(out, "Http({endpoint:?})"),
        }
    }
}

/// A running sink.
#[derive(Debug)]
pub struct Influx {
    ticker: Ticker,
}

impl Influx {
    /// Starts to write what is recorded from now on.
    pub fn start(
        cumulative: Arc<Cumulative>,
        transport: Transport,
        measurement: &str,
        targets: &Targets,
    ) -> io::Result<Self> {
        let mut send = sender(transport, targets)?;
        let measurement = escaped(measurement, &[',', ' ']);
        let ticker = Ticker::of_changes("influxdb", &cumulative, INTERVAL, move |series, last| {
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let busy = series.iter().filter(|series| series.requests > 0);
            let lines: Vec<String> =
                busy.map(|series| point(series, &measurement, nanos)).collect();
            send(&lines, last)
        })?;
        Ok(Self { ticker })
    }
}

impl Exporter for Influx {
    fn begin_to_stop(&mut self) {
        self.ticker.begin_to_stop();
    }

    fn stop_until(&mut self, deadline: Instant) -> bool {
        self.ticker.stop_until(deadline)
    }
}

type Send = Box<dyn FnMut(&[String], bool) -> Fate + std::marker::Send>;

fn sender(transport: Transport, targets: &Targets) -> io::Result<Send> {
    Ok(match transport {
        Transport::Udp { host, port } => {
            let mut socket = DatagramSink::to(&host, port, targets)?;
            Box::new(move |lines, last| {
                lines.iter().for_each(|line| socket.push(line));
                socket.finish(last)
            })
        }
        Transport::Http { endpoint, token, timeout } => {
            let mut client = Client::new(endpoint, targets.clone(), timeout)?;
            let authorization =
                token.map(|token| zeroize::Zeroizing::new(format!("Token {}", *token)));
            Box::new(move |lines, _| {
                if lines.is_empty() {
                    return Fate::Unknown;
                }
                let mut headers = vec![("content-type", "text/plain; charset=utf-8")];
                headers
                    .extend(authorization.as_ref().map(|value| ("authorization", value.as_str())));
                client.post(&headers, lines.join("\n").into_bytes()).map(|_| ()).into()
            })
        }
    })
}

/// One point.
fn point(series: &Series, measurement: &str, nanos: u128) -> String {
    let mut line = measurement.to_owned();
    for (key, value) in [("request_type", &series.method), ("name", &series.name)] {
        // A tag without a value is a syntax error.
        if !value.is_empty() {
            let _ = write!(line, ",{key}={}", escaped(value, &[',', ' ', '=']));
        }
    }
    let _ = write!(
        line,
        " requests={}i,failures={}i,response_bytes={}i,latency_ms={},latency_p50_ms={},\
         latency_p95_ms={},latency_p99_ms={} {nanos}",
        series.requests,
        series.failures,
        series.bytes,
        series.latency_sum_us as f64 / 1000.0 / series.requests.max(1) as f64,
        series.percentile_ms(50.0),
        series.percentile_ms(95.0),
        series.percentile_ms(99.0),
    );
    line
}

/// A name or tag with special characters escaped. A line end would end the point, and a trailing
/// backslash would escape what follows; neither can be written, so both are replaced.
fn escaped(text: &str, special: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if special.contains(&character) {
            out.push('\\');
        }
        out.push(if character.is_control() { '_' } else { character });
    }
    if out.ends_with('\\') {
        out.push('_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::http::tests::collector;
    use super::super::ticker::tests::request;
    use super::super::udp::tests::{received, receiver};
    use super::*;

    fn without_time(line: &str) -> &str {
        let (point, nanos) = line.rsplit_once(' ').expect("a time");
        assert!(nanos.parse::<u64>().expect("nanoseconds") > 1_600_000_000_000_000_000);
        point
    }

    #[test]
    fn a_receiver_of_datagrams_gets_a_point_for_each_name() {
        let (receiver, port) = receiver();
        let cumulative = Arc::new(Cumulative::default());
        let udp = Transport::Udp { host: "127.0.0.1".to_owned(), port };
        let sink = Influx::start(Arc::clone(&cumulative), udp, "load test", &Targets::default());
        let sink = sink.expect("started");
        request(&cumulative, "a b,c=d\n\\", 16, 100, false);
        request(&cumulative, "a b,c=d\n\\", 16, 200, true);
        drop(sink);
        let text = received(&receiver);
        let point = without_time(&text);
        assert!(
            point.starts_with(
                "load\\ test,request_type=GET,name=a\\ b\\,c\\=d_\\_ \
                 requests=2i,failures=1i,response_bytes=300i,latency_ms=16,latency_p50_ms=16."
            ),
            "{point}"
        );
    }

    #[test]
    fn the_token_is_not_shown() {
        let http = Transport::Http {
            endpoint: "https://x.test/write?p=q".parse().expect("a URL"),
            token: Some("sesame".to_owned().into()),
            timeout: INTERVAL,
        };
        assert_eq!(format!("{http:?}"), "Http(Endpoint(https://x.test))");
    }

    #[test]
    fn a_server_gets_points_with_the_token() {
        let collector = collector(204);
        let cumulative = Arc::new(Cumulative::default());
        let http = Transport::Http {
            endpoint: collector.url("/api/v2/write?bucket=b").parse().expect("a URL"),
            token: Some("sesame".to_owned().into()),
            timeout: Duration::from_secs(30),
        };
        let sink = Influx::start(Arc::clone(&cumulative), http, "m", &Targets::default())
            .expect("started");
        request(&cumulative, "a", 16, 100, false);
        drop(sink);
        let got = collector.next();
        assert_eq!(got.target, "/api/v2/write?bucket=b");
        assert_eq!(got.header("authorization"), Some("Token sesame"));
        let body = String::from_utf8(got.body).expect("text");
        assert!(
            without_time(&body).starts_with("m,request_type=GET,name=a requests=1i,"),
            "{body}"
        );
    }
}
