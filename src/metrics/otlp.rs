//! Figures for an OpenTelemetry collector, as OTLP over gRPC or over HTTP with protobuf; the URL
//! decides (OTLP specification, "OTLP Exporter"): port 4317 means gRPC, port 4318 or a path means
//! HTTP. The message types are the project's own (`opentelemetry-proto`). Its SDK is not used: it
//! aggregates single measurements, and these are already aggregated where that is cheapest. Sums
//! and histograms are cumulative since the exporter started, with the reference's names and
//! attributes.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::Exporter;
use super::grpc::CallError;
use super::http::{Client, Endpoint};
use super::ticker::Ticker;
use crate::net::Targets;
use crate::record::live::{Counted, Cumulative, LATENCY_BOUNDS_MS, SIZE_BOUNDS};

/// The metrics path of a collector (OTLP specification, "OTLP/HTTP Request").
const PATH: &str = "/v1/metrics";

/// The gRPC method that accepts metrics.
const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// How long an export may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A running exporter.
#[derive(Debug)]
pub struct Otlp {
    ticker: Ticker,
}

impl Otlp {
    /// Starts to export what is recorded from now on. An endpoint without a path gets the standard
    /// one.
    pub fn start(
        cumulative: Arc<Cumulative>,
        endpoint: Endpoint,
        service_name: &str,
        interval: Duration,
        targets: &Targets,
    ) -> io::Result<Self> {
        let mut sender = Sender::new(endpoint, targets)?;
        let service_name = service_name.to_owned();
        let started = nanos();
        let ticker = Ticker::of_counts("opentelemetry", &cumulative, interval, move |series| {
            let message = export(series, &service_name, started, nanos());
            sender.send(message.encode_to_vec()).into()
        })?;
        Ok(Self { ticker })
    }
}

impl Exporter for Otlp {
    fn begin_to_stop(&mut self) {
        self.ticker.begin_to_stop();
    }

    fn stop_until(&mut self, deadline: Instant) -> bool {
        self.ticker.stop_until(deadline)
    }
}

/// The protocol of a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Grpc,
    Http,
    /// The URL does not decide: try gRPC first, as the reference does, then HTTP.
    Unknown,
}

impl Protocol {
    fn of(endpoint: &Endpoint) -> Self {
        match endpoint.port() {
            _ if endpoint.has_path() => Self::Http,
            Some(4318) => Self::Http,
            Some(4317) => Self::Grpc,
            _ => Self::Unknown,
        }
    }
}

/// Sends messages to a collector.
struct Sender {
    client: Client,
    protocol: Protocol,
}

impl Sender {
    fn new(endpoint: Endpoint, targets: &Targets) -> io::Result<Self> {
        let protocol = Protocol::of(&endpoint);
        let client = Client::new(endpoint.or_path(PATH), targets.clone(), TIMEOUT)?;
        Ok(Self { client, protocol })
    }

    fn send(&mut self, message: Vec<u8>) -> io::Result<()> {
        if self.protocol != Protocol::Http {
            match self.client.call(METHOD, &message) {
                Ok(reply) => {
                    self.protocol = Protocol::Grpc;
                    return accepted(&reply);
                }
                Err(CallError::NotGrpc(_)) if self.protocol == Protocol::Unknown => {}
                Err(CallError::Broken(error)) => return Err(error),
                Err(error @ CallError::Refused(_)) => return Err(io::Error::other(error)),
                Err(error @ CallError::NotGrpc(_)) => {
                    let advice = "name port 4318 or the path /v1/metrics for OTLP over HTTP";
                    return Err(io::Error::other(format!("{error}; {advice}")));
                }
            }
        }
        let headers = [("content-type", "application/x-protobuf")];
        self.client.post(&headers, message).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => io::Error::other(format!(
                "{error}; if the port speaks gRPC, as 4317 does, leave the path out of the URL"
            )),
            _ => error,
        })?;
        self.protocol = Protocol::Http;
        Ok(())
    }
}

/// Whether a collector accepted everything it was sent.
fn accepted(reply: &[u8]) -> io::Result<()> {
    let reply = ExportMetricsServiceResponse::decode(reply).map_err(io::Error::other)?;
    match reply.partial_success {
        Some(partial) if partial.rejected_data_points > 0 => Err(io::Error::other(format!(
            "the receiver rejected {} data points: {}",
            partial.rejected_data_points, partial.error_message
        ))),
        _ => Ok(()),
    }
}

fn nanos() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

fn export(
    series: &[Counted],
    service: &str,
    started: u64,
    now: u64,
) -> ExportMetricsServiceRequest {
    let metric = |name: &str, unit: &str, description: &str, data| Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let busy = || series.iter().filter(|series| series.requests > 0);
    let requests = busy().flat_map(|series| counts(series, started, now)).collect();
    let latencies = busy().map(|series| {
        let sum = series.latency_sum_us as f64 / 1000.0;
        let buckets = series.latencies.to_vec();
        point(series, (started, now), sum, LATENCY_BOUNDS_MS.to_vec(), buckets)
    });
    let sizes = busy().map(|series| {
        let bounds = SIZE_BOUNDS.iter().map(|bound| *bound as f64).collect();
        point(series, (started, now), series.bytes as f64, bounds, series.sizes.to_vec())
    });
    let metrics = vec![
        metric(
            "loaddensity.requests",
            "1",
            "Requests made by load tests",
            metric::Data::Sum(Sum {
                data_points: requests,
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
        ),
        metric(
            "loaddensity.request.latency",
            "ms",
            "Time from the intended start to the last byte",
            histogram(latencies.collect()),
        ),
        metric(
            "loaddensity.response.size",
            "By",
            "Size of the response bodies",
            histogram(sizes.collect()),
        ),
    ];
    let scope = InstrumentationScope {
        name: "loaddensity".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let resource =
        Resource { attributes: vec![attribute("service.name", service)], ..Resource::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn histogram(data_points: Vec<HistogramDataPoint>) -> metric::Data {
    metric::Data::Histogram(Histogram {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
    })
}

fn counts(series: &Counted, started: u64, now: u64) -> impl Iterator<Item = NumberDataPoint> {
    let successes = series.requests - series.failures;
    let outcomes = [("success", successes), ("failure", series.failures)];
    outcomes.into_iter().filter(|(_, count)| *count > 0).map(move |(outcome, count)| {
        let mut attributes = attributes(series);
        attributes.push(attribute("outcome", outcome));
        NumberDataPoint {
            attributes,
            start_time_unix_nano: started,
            time_unix_nano: now,
            value: Some(number_data_point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
            ..NumberDataPoint::default()
        }
    })
}

fn point(
    series: &Counted,
    (started, now): (u64, u64),
    sum: f64,
    explicit_bounds: Vec<f64>,
    bucket_counts: Vec<u64>,
) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(series),
        start_time_unix_nano: started,
        time_unix_nano: now,
        count: series.requests,
        sum: Some(sum),
        explicit_bounds,
        bucket_counts,
        ..HistogramDataPoint::default()
    }
}

fn attributes(series: &Counted) -> Vec<KeyValue> {
    vec![attribute("request_type", &series.method), attribute("name", &series.name)]
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::grpc;
    use super::super::http::tests::collector;
    use super::super::ticker::tests::request;
    use super::*;

    #[test]
    fn the_url_decides_the_protocol() {
        for (url, protocol) in [
            ("http://c:4317", Protocol::Grpc),
            ("http://c:4317/", Protocol::Grpc),
            ("https://c:4318", Protocol::Http),
            ("http://c:4317/v1/metrics", Protocol::Http),
            ("http://c:9999/otlp", Protocol::Http),
            ("http://c:9999", Protocol::Unknown),
        ] {
            assert_eq!(Protocol::of(&url.parse().expect("a URL")), protocol, "{url}");
        }
    }

    fn send(url: &str, protocol: Protocol) -> (io::Result<()>, Protocol) {
        let endpoint = url.parse().expect("a URL");
        let mut sender = Sender::new(endpoint, &Targets::default()).expect("a sender");
        sender.protocol = protocol;
        let sent = sender.send(b"figures".to_vec());
        (sent, sender.protocol)
    }

    #[test]
    fn a_refusal_by_a_grpc_collector_is_an_error() {
        for protocol in [Protocol::Grpc, Protocol::Unknown] {
            let collector = grpc::tests::collector("0");
            let (sent, found) = send(&collector.url, protocol);
            sent.expect("sent");
            assert_eq!(found, Protocol::Grpc);
            let call = collector.calls.recv_timeout(Duration::from_secs(30)).expect("a call");
            assert_eq!(call, (METHOD.to_owned(), b"figures".to_vec()));
        }
        let collector = grpc::tests::collector("7");
        let refusal = send(&collector.url, Protocol::Grpc).0.expect_err("refused").to_string();
        assert_eq!(refusal, "the receiver refused the call: gRPC status 7 why");
    }

    #[test]
    fn an_error_of_each_protocol_says_how_to_choose_the_other() {
        let collector = collector(200);
        let refusal = send(&collector.url(""), Protocol::Grpc).0.expect_err("no gRPC").to_string();
        assert!(refusal.contains("port 4318"), "{refusal}");
        let collector = grpc::tests::collector("0");
        let refusal = send(&collector.url, Protocol::Http).0.expect_err("no HTTP").to_string();
        assert!(refusal.contains("gRPC"), "{refusal}");
    }

    #[test]
    fn a_collector_gets_sums_and_histograms_since_the_beginning() {
        let collector = collector(200);
        let cumulative = Arc::new(Cumulative::default());
        request(&cumulative, "a", 1, 1, false);
        let endpoint = collector.url("").parse().expect("a URL");
        let hour = Duration::from_secs(3600);
        let exporter =
            Otlp::start(Arc::clone(&cumulative), endpoint, "shop", hour, &Targets::default());
        let exporter = exporter.expect("started");
        request(&cumulative, "a", 7, 100, false);
        request(&cumulative, "a", 20_000, 2_000_000, true);
        drop(exporter);
        let got = collector.next();
        assert_eq!(got.target, "/v1/metrics");
        assert_eq!(got.header("content-type"), Some("application/x-protobuf"));
        let message = ExportMetricsServiceRequest::decode(got.body.as_slice()).expect("protobuf");
        let resource = &message.resource_metrics[0];
        let service = resource.resource.as_ref().expect("a resource").attributes.clone();
        assert_eq!(service, [attribute("service.name", "shop")]);
        let metrics = &resource.scope_metrics[0].metrics;
        let Some(metric::Data::Sum(requests)) = &metrics[0].data else { panic!("a sum") };
        assert!(requests.is_monotonic && requests.data_points.len() == 2);
        let Some(metric::Data::Histogram(latency)) = &metrics[1].data else {
            panic!("a histogram")
        };
        let point = &latency.data_points[0];
        assert_eq!((point.count, point.sum), (2, Some(20_007.0)));
        assert_eq!(point.bucket_counts, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(point.explicit_bounds.len() + 1, point.bucket_counts.len());
        let Some(metric::Data::Histogram(size)) = &metrics[2].data else { panic!("a histogram") };
        assert_eq!(size.data_points[0].bucket_counts, [0, 1, 0, 0, 0, 0, 0, 0, 1]);
    }
}
