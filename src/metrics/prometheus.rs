//! Figures for Prometheus: a separate HTTP server whose `/metrics` returns the OpenMetrics text
//! format, with the reference's metric names, labels and buckets. The counters grow for as long as
//! the process lives, even when exporters are restarted or records cleared.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Exporter;
use super::scrape::{Format, Writer};
use crate::counters::{Counters, Counts};
use crate::memory::{Full, Share};
use crate::net::http_service::{HttpService, Limits, RequestBody};
use crate::record::live::{Counted, Cumulative, LATENCY_BOUNDS_MS, SIZE_BOUNDS};

pub use super::scrape::Scrape;

/// Concurrent scrapes; each has five seconds to send a request without a body.
const LIMITS: Limits = Limits { connections: 32, first: Duration::from_secs(5), ..Limits::DEFAULT };

/// The media type of the OpenMetrics text format, which Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The media type of the older Prometheus text format, for every other client.
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A running exporter.
#[derive(Debug)]
pub struct Prometheus(HttpService);

impl Prometheus {
    /// Listens on the first of these addresses that is free, or on a free port where theirs is 0.
    /// `counters` adds those of a control server.
    pub fn start(
        cumulative: Arc<Cumulative>,
        counters: Option<Arc<Counters>>,
        addresses: &[SocketAddr],
    ) -> io::Result<Self> {
        let figures = ScrapeSource::new(cumulative, counters);
        let respond = move |request| std::future::ready(answer(&request, &figures));
        HttpService::start("prometheus", addresses, LIMITS, respond).map(Self)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

impl Exporter for Prometheus {
    fn begin_to_stop(&mut self) {
        self.0.begin_to_stop();
    }

    fn stop_until(&mut self, deadline: Instant) -> bool {
        self.0.stop_until(deadline)
    }
}

/// What a scrape returns.
#[derive(Debug)]
pub struct ScrapeSource {
    cumulative: Arc<Cumulative>,
    counters: Option<Arc<Counters>>,
}

impl ScrapeSource {
    /// These figures, and the counters of a control server if there is one.
    pub fn new(cumulative: Arc<Cumulative>, counters: Option<Arc<Counters>>) -> Self {
        Self { cumulative, counters }
    }

    /// The response to a scrape, in the format that its headers ask for.
    pub fn respond(&self, headers: &HeaderMap) -> Response<Scrape> {
        let (format, kind) = match accepts_open_metrics(headers) {
            true => (Format::Open, OPEN_METRICS),
            false => (Format::Older, PLAIN),
        };
        match self.scrape(format) {
            Ok(scrape) => response(StatusCode::OK, kind, scrape),
            Err(full) => self.plain(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n")),
        }
    }

    fn plain(&self, status: StatusCode, text: String) -> Response<Scrape> {
        response(status, "text/plain", Scrape::of(text, self.share()))
    }

    fn scrape(&self, format: Format) -> Result<Scrape, Full> {
        let memory = self.cumulative.memory();
        let server = self.counters.as_ref().map(|counters| ServerFigures {
            counts: counters.read(),
            memory: memory.taken(),
            most_memory: memory.most(),
        });
        let mut writer = Writer::new(format, self.share());
        // It fails where the text does not fit, which the writer remembers.
        let _ = encode(&mut writer, self.cumulative.counts(), server);
        writer.finish()
    }

    fn share(&self) -> Share {
        self.cumulative.memory().share("a scrape of the figures")
    }
}

fn answer(request: &Request<RequestBody>, figures: &ScrapeSource) -> Response<Scrape> {
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/metrics" if get => figures.respond(request.headers()),
        "/metrics" => {
            figures.plain(StatusCode::METHOD_NOT_ALLOWED, "use GET /metrics\n".to_owned())
        }
        _ => figures.plain(StatusCode::NOT_FOUND, "the figures are at /metrics\n".to_owned()),
    }
}

fn response(status: StatusCode, kind: &'static str, body: Scrape) -> Response<Scrape> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}

fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(hyper::header::ACCEPT).iter();
    accepted.any(|value| value.to_str().is_ok_and(|text| text.contains("openmetrics-text")))
}

/// The figures of a control server itself.
#[derive(Debug, Clone, Copy)]
pub struct ServerFigures {
    /// Its counters.
    pub counts: Counts,
    /// Bytes that are taken of its memory.
    pub memory: usize,
    /// The ceiling in bytes.
    pub most_memory: usize,
}

/// The figures in the OpenMetrics text format, with those of a server where there is one.
pub fn text(
    series: Vec<Counted>,
    server: Option<ServerFigures>,
) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    encode(&mut text, series, server)?;
    Ok(text)
}

fn encode(
    out: &mut impl std::fmt::Write,
    series: Vec<Counted>,
    server: Option<ServerFigures>,
) -> std::fmt::Result {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(SeriesCopy(series)));
    if let Some(server) = server {
        registry.register_collector(Box::new(server));
    }
    prometheus_client::encoding::text::encode(out, &registry)
}

/// One scrape's copy of the figures.
#[derive(Debug)]
struct SeriesCopy(Vec<Counted>);

impl Collector for SeriesCopy {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        // The format adds `_total`.
        let mut family = encoder.encode_descriptor(
            "loaddensity_requests",
            "Requests made by load tests",
            None,
            MetricType::Counter,
        )?;
        for series in &self.0 {
            let successes = series.requests - series.failures;
            for (outcome, count) in [("success", successes), ("failure", series.failures)] {
                if count > 0 {
                    let labels = [
                        ("request_type", &*series.method),
                        ("name", &*series.name),
                        ("outcome", outcome),
                    ];
                    family
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, _, f64>(&count, None)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "loaddensity_request_latency_ms",
            "Time from the intended start to the last byte, in milliseconds",
            None,
            MetricType::Histogram,
        )?;
        for series in &self.0 {
            // The encoder writes the last bound as `+Inf`.
            let bounds = LATENCY_BOUNDS_MS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(series.latencies).collect();
            let sum = series.latency_sum_us as f64 / 1000.0;
            family.encode_family(&labels(series))?.encode_histogram::<NoLabelSet>(
                sum,
                series.requests,
                &buckets,
                None,
            )?;
        }
        let mut family = encoder.encode_descriptor(
            "loaddensity_response_bytes",
            "Size of the response bodies in bytes",
            None,
            MetricType::Histogram,
        )?;
        for series in &self.0 {
            let bounds = SIZE_BOUNDS.iter().map(|bound| *bound as f64).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(series.sizes).collect();
            family.encode_family(&labels(series))?.encode_histogram::<NoLabelSet>(
                series.bytes as f64,
                series.requests,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

/// The format adds `_total` to counters.
impl Collector for ServerFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Counts { connections, refused, auth_failures, timeouts, shed, panics } = self.counts;
        for (name, help, count) in [
            ("ldctl_connections", "Connections that the control server accepted", connections),
            (
                "ldctl_connections_refused",
                "Connections over the limit, which got a busy reply",
                refused,
            ),
            ("ldctl_auth_failures", "Requests with a wrong token", auth_failures),
            ("ldctl_timeouts", "Handshakes and requests that timed out", timeouts),
            (
                "ldctl_shed",
                "Requests dropped for lack of memory and replies dropped because the client did not read",
                shed,
            ),
            ("ldctl_panics", "Faults of the server that were contained", panics),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        for (name, help, bytes) in [
            ("ldctl_memory_bytes", "Memory in use, as far as it is counted", self.memory),
            ("ldctl_memory_limit_bytes", "The ceiling for it (--max-memory)", self.most_memory),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&u64::try_from(bytes).unwrap_or(u64::MAX))?;
        }
        Ok(())
    }
}

fn labels(series: &Counted) -> [(&str, &str); 2] {
    [("request_type", &*series.method), ("name", &*series.name)]
}

#[cfg(test)]
mod tests {
    const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    use std::net::{IpAddr, Ipv4Addr};

    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::super::ticker::tests::request;
    use super::*;
    use crate::memory::Memory;

    fn get(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5";
        let head =
            format!("{request} HTTP/1.1\r\n{accept}\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    #[test]
    fn a_scrape_returns_counters_and_histograms_with_the_names_of_the_reference() {
        let cumulative = Arc::new(Cumulative::default());
        request(&cumulative, "a \"b\"\n\\", 7, 100, false);
        request(&cumulative, "a \"b\"\n\\", 20_000, 2_000_000, true);
        let exporter = Prometheus::start(cumulative, None, &[LOCAL]).expect("started");
        let answer = get(exporter.address(), "GET /metrics");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(OPEN_METRICS), "{answer}");
        let labels = r#"request_type="GET",name="a \"b\"\n\\""#;
        for line in [
            "# TYPE loaddensity_requests counter".to_owned(),
            format!("loaddensity_requests_total{{{labels},outcome=\"success\"}} 1"),
            format!("loaddensity_requests_total{{{labels},outcome=\"failure\"}} 1"),
            format!("loaddensity_request_latency_ms_sum{{{labels}}} 20007.0"),
            format!("loaddensity_request_latency_ms_count{{{labels}}} 2"),
            format!("loaddensity_request_latency_ms_bucket{{le=\"5.0\",{labels}}} 0"),
            format!("loaddensity_request_latency_ms_bucket{{le=\"10.0\",{labels}}} 1"),
            format!("loaddensity_request_latency_ms_bucket{{le=\"10000.0\",{labels}}} 1"),
            format!("loaddensity_request_latency_ms_bucket{{le=\"+Inf\",{labels}}} 2"),
            format!("loaddensity_response_bytes_bucket{{le=\"64.0\",{labels}}} 0"),
            format!("loaddensity_response_bytes_bucket{{le=\"256.0\",{labels}}} 1"),
            format!("loaddensity_response_bytes_bucket{{le=\"1048576.0\",{labels}}} 1"),
            format!("loaddensity_response_bytes_bucket{{le=\"+Inf\",{labels}}} 2"),
            "# EOF".to_owned(),
        ] {
            assert!(answer.lines().any(|found| found == line), "{line}\nis not in\n{answer}");
        }
    }

    #[test]
    fn the_older_format_names_the_counter_as_its_samples() {
        let cumulative = Arc::new(Cumulative::default());
        request(&cumulative, "# TYPE loaddensity_requests x", 7, 100, false);
        let source = ScrapeSource { cumulative, counters: None };
        let text = source.scrape(Format::Older).expect("room").text();
        assert!(text.contains("# TYPE loaddensity_requests_total counter\n"), "{text}");
        assert!(!text.contains("# EOF"));
        let label = "name=\"# TYPE loaddensity_requests x\",outcome=\"success\"} 1\n";
        assert!(text.contains(label), "{text}");
    }

    #[test]
    fn a_scrape_of_a_control_server_includes_its_counters() {
        let counters = Arc::new(Counters::default());
        for _ in 0..3 {
            Counters::count(&counters.connections);
        }
        Counters::count(&counters.auth_failures);
        let cumulative = Arc::new(Cumulative::new(&Memory::new(1 << 30)));
        let exporter = Prometheus::start(cumulative, Some(counters), &[LOCAL]).expect("started");
        let answer = get(exporter.address(), "GET /metrics");
        let counters: Vec<&str> = answer
            .lines()
            .filter(|line| line.starts_with("ldctl_") || line.starts_with("# TYPE ldctl_"))
            .collect();
        assert_eq!(
            counters,
            [
                "# TYPE ldctl_connections counter",
                "ldctl_connections_total 3",
                "# TYPE ldctl_connections_refused counter",
                "ldctl_connections_refused_total 0",
                "# TYPE ldctl_auth_failures counter",
                "ldctl_auth_failures_total 1",
                "# TYPE ldctl_timeouts counter",
                "ldctl_timeouts_total 0",
                "# TYPE ldctl_shed counter",
                "ldctl_shed_total 0",
                "# TYPE ldctl_panics counter",
                "ldctl_panics_total 0",
                "# TYPE ldctl_memory_bytes gauge",
                "ldctl_memory_bytes 0",
                "# TYPE ldctl_memory_limit_bytes gauge",
                "ldctl_memory_limit_bytes 1073741824",
            ]
        );
    }

    #[test]
    fn t37_scrapes_take_memory_until_they_are_read_and_are_refused_beyond_it() {
        let memory = Memory::new(1 << 20);
        let cumulative = Arc::new(Cumulative::new(&memory));
        (0..100).for_each(|name| request(&cumulative, &name.to_string(), 1, 1, false));
        let source = ScrapeSource { cumulative: Arc::clone(&cumulative), counters: None };
        let before = memory.taken();
        let scrape = source.scrape(Format::Open).expect("room");
        let length = scrape.text().len();
        assert!(memory.taken() >= before + length && length > 100_000, "{length}");
        let mut unread = vec![scrape];
        let full = loop {
            match source.scrape(Format::Open) {
                Ok(scrape) => unread.push(scrape),
                Err(full) => break full,
            }
        };
        assert!(full.to_string().starts_with("a scrape of the figures: "), "{full}");
        assert!(unread.len() < 10);
        let exporter = Prometheus::start(cumulative, None, &[LOCAL]).expect("started");
        let refused = get(exporter.address(), "GET /metrics");
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.ends_with("are in use (--max-memory)\n"), "{refused}");
        drop(unread);
        assert_eq!(memory.taken(), before);
        assert!(get(exporter.address(), "GET /metrics").starts_with("HTTP/1.1 200 "));
    }

    #[test]
    fn responses_to_other_paths_and_methods_name_the_right_one() {
        let exporter = Prometheus::start(Arc::default(), None, &[LOCAL]).expect("started");
        assert!(get(exporter.address(), "GET /").starts_with("HTTP/1.1 404"));
        assert!(get(exporter.address(), "POST /metrics").starts_with("HTTP/1.1 405"));
    }
}
