//! Figures for an OpenTelemetry collector, as OTLP over HTTP with protobuf. The messages are the
//! project's own (`opentelemetry-proto`); the SDK around them is not used, for it aggregates single
//! measurements, and here they have been aggregated already where that costs least. Sums and
//! histograms are cumulative since the exporter began, with the reference's names and attributes.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::http::{Client, Endpoint};
use super::prometheus::{LATENCY_BOUNDS_MS, latency_buckets};
use super::ticker::{Span, Ticker};
use crate::net::Targets;
use crate::record::live::{Cumulative, SIZE_BOUNDS, Series};

/// The path of metrics below a collector's address (OTLP specification, "OTLP/HTTP Request").
const PATH: &str = "/v1/metrics";

/// How long an export may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A running exporter.
#[derive(Debug)]
pub struct Otlp {
    _ticker: Ticker,
}

impl Otlp {
    /// Begins to export what is recorded from now on. An endpoint without a path gets the standard
    /// one.
    pub fn start(
        cumulative: Arc<Cumulative>,
        endpoint: Endpoint,
        service_name: &str,
        interval: Duration,
        targets: &Targets,
    ) -> io::Result<Self> {
        let mut client = Client::new(endpoint.or_path(PATH), targets.clone(), TIMEOUT)?;
        let service_name = service_name.to_owned();
        let started = nanos();
        let ticker =
            Ticker::start("opentelemetry", cumulative, interval, Span::Beginning, move |series| {
                let message = export(series, &service_name, started, nanos());
                let headers = [("content-type", "application/x-protobuf")];
                client.post(&headers, message.encode_to_vec())
            })?;
        Ok(Self { _ticker: ticker })
    }
}

fn nanos() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

fn export(series: &[Series], service: &str, started: u64, now: u64) -> ExportMetricsServiceRequest {
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
        let buckets = latency_buckets(series).map(|(_, count)| count).collect();
        let sum = series.latency_sum_us as f64 / 1000.0;
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
            "Size of the answers' bodies",
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

fn counts(series: &Series, started: u64, now: u64) -> impl Iterator<Item = NumberDataPoint> {
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
    series: &Series,
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

fn attributes(series: &Series) -> Vec<KeyValue> {
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
    use super::super::http::tests::collector;
    use super::super::ticker::tests::request;
    use super::*;

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
