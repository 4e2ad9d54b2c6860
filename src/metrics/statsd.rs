//! Figures in the DogStatsD dialect over UDP, with the reference's metric names and tags. The
//! reference sends a packet for every request; this exporter sends the same counts and the same
//! latency distribution in a few lines per second: each count as one number, each distinct latency
//! once with a sample rate that stands for its number of occurrences.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Exporter;
use super::ticker::Ticker;
use super::udp::DatagramSink;
use crate::net::Targets;
use crate::record::live::{Cumulative, Series};

/// How often figures are sent.
const INTERVAL: Duration = Duration::from_secs(1);

/// A running sink.
#[derive(Debug)]
pub struct Statsd {
    ticker: Ticker,
}

impl Statsd {
    /// Starts to send what is recorded from now on.
    pub fn start(
        cumulative: Arc<Cumulative>,
        host: &str,
        port: u16,
        prefix: &str,
        targets: &Targets,
    ) -> io::Result<Self> {
        let mut lines = DatagramSink::to(host, port, targets)?;
        let prefix = prefix.trim_end_matches('.').to_owned();
        let ticker = Ticker::of_changes("statsd", &cumulative, INTERVAL, move |series, last| {
            for series in series.iter().filter(|series| series.requests > 0) {
                write_series(series, &prefix, &mut |line| lines.push(line));
            }
            lines.finish(last)
        })?;
        Ok(Self { ticker })
    }
}

impl Exporter for Statsd {
    fn begin_to_stop(&mut self) {
        self.ticker.begin_to_stop();
    }

    fn stop_until(&mut self, deadline: Instant) -> bool {
        self.ticker.stop_until(deadline)
    }
}

fn write_series(series: &Series, prefix: &str, push: &mut dyn FnMut(&str)) {
    let mut tags = String::from("method:");
    tag(&series.method, &mut tags);
    tags.push_str(",name:");
    tag(&series.name, &mut tags);
    let successes = series.requests - series.failures;
    for (count, outcome) in [(successes, "success"), (series.failures, "failure")] {
        if count > 0 {
            push(&format!("{prefix}.requests:{count}|c|#{tags},outcome:{outcome}"));
        }
    }
    let mut line = String::new();
    for (millis, count) in series.latencies_ms() {
        line.clear();
        let _ = write!(line, "{prefix}.request.latency:{millis}|ms{}|#{tags}", Rate(count));
        push(&line);
    }
    let mean = series.bytes / series.requests.max(1);
    push(&format!("{prefix}.response.size:{mean}|h{}|#{tags}", Rate(series.requests)));
}

/// The sample rate of a value that occurred this many times.
struct Rate(u64);

impl std::fmt::Display for Rate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 > 1 { write!(out, "|@{}", 1.0 / self.0 as f64) } else { Ok(()) }
    }
}

/// A tag's value: the protocol has no escapes, so its special characters become `_`, as in the
/// reference.
fn tag(value: &str, out: &mut String) {
    let plain = |character: char| match character {
        '|' | ',' | ':' | '#' => '_',
        control if control.is_control() => '_',
        other => other,
    };
    out.extend(value.chars().map(plain));
}

#[cfg(test)]
mod tests {
    use super::super::ticker::tests::request;
    use super::super::udp::tests::{received, receiver};
    use super::*;

    #[test]
    fn a_receiver_gets_counts_and_the_latency_distribution() {
        let (receiver, port) = receiver();
        let cumulative = Arc::new(Cumulative::default());
        let sink =
            Statsd::start(Arc::clone(&cumulative), "127.0.0.1", port, "load.", &Targets::default());
        let sink = sink.expect("started");
        request(&cumulative, "/a:b|c\n", 10, 100, false);
        request(&cumulative, "/a:b|c\n", 10, 200, true);
        drop(sink);
        let text = received(&receiver);
        let tags = "#method:GET,name:/a_b_c_";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("load.requests:1|c|{tags},outcome:success"));
        assert_eq!(lines[1], format!("load.requests:1|c|{tags},outcome:failure"));
        let latency = lines[2].strip_prefix("load.request.latency:").expect("a latency");
        let (millis, rest) = latency.split_once('|').expect("a type");
        assert!((9.9..10.2).contains(&millis.parse::<f64>().expect("a number")), "{millis}");
        assert_eq!(rest, format!("ms|@0.5|{tags}"));
        assert_eq!(lines[3..], [format!("load.response.size:150|h|@0.5|{tags}")]);
    }
}
