//! Starting and stopping the exporters of live figures. They read the merged figures, run on their
//! own threads, and continue across tests until they are stopped.

use std::io;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::action::services::Service;
use crate::error::reason;
use crate::event::{Failure, FailureKind};
use crate::metrics::influx::{Influx, Transport};
use crate::metrics::otlp::Otlp;
use crate::metrics::prometheus::Prometheus;
use crate::metrics::statsd::Statsd;
use crate::metrics::{Endpoint, Exporter};
use crate::net::permitted;
use crate::value::{Field, Invalid, Kind, Literal, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_start_prometheus_exporter",
        "Serves the live figures to Prometheus and returns the port.",
        &[
            Field::optional("port", Kind::Port, "The port; 0 picks a free one.")
                .or(Literal::Int(9646)),
            Field::optional("addr", Kind::Text, "The address to listen on.").or(LOCAL),
        ],
        start_prometheus,
    )
    .text(
        "It serves until LD_stop_prometheus_exporter, over several tests. Addresses beyond \
         loopback need `--allow-listen`.",
    )
    .returns("The port.")
    .example(r#"["LD_start_prometheus_exporter", {"port": 9646}]"#),
    Declaration::named("LD_stop_prometheus_exporter", "Stops serving Prometheus.", &[], |_| {
        Ok(Box::new(Stop(PROMETHEUS)))
    })
    .returns("`null`.")
    .example(r#"["LD_stop_prometheus_exporter"]"#),
    Declaration::named(
        "LD_start_influxdb_sink",
        "Sends the live figures to InfluxDB every second.",
        INFLUX_FIELDS,
        start_influx,
    )
    .text(
        "With `\"transport\": \"udp\"` it sends to `host` and `port`; with `\"http\"` to `url`, \
         which is required then.",
    )
    .returns("`null`.")
    .example(
        r#"["LD_start_influxdb_sink", {"transport": "http",
  "url": "http://localhost:8086/api/v2/write?org=load&bucket=tests",
  "token": "TOKEN"}]"#,
    ),
    Declaration::named("LD_stop_influxdb_sink", "Stops sending to InfluxDB.", &[], |_| {
        Ok(Box::new(Stop(INFLUX)))
    })
    .returns("`null`.")
    .example(r#"["LD_stop_influxdb_sink"]"#),
    Declaration::named(
        "LD_start_statsd_sink",
        "Sends the live figures to StatsD every second.",
        &[
            Field::optional("host", Kind::Text, "The host of StatsD.").or(LOCAL),
            Field::optional("port", Kind::Port, "Its port.").or(Literal::Int(8125)),
            Field::optional("prefix", Kind::Text, "The prefix of the metric names.")
                .or(Literal::Text("loaddensity")),
        ],
        start_statsd,
    )
    .returns("`null`.")
    .example(
        r#"["LD_start_statsd_sink", {"host": "127.0.0.1", "port": 8125,
  "prefix": "shop"}]"#,
    ),
    Declaration::named("LD_stop_statsd_sink", "Stops sending to StatsD.", &[], |_| {
        Ok(Box::new(Stop(STATSD)))
    })
    .returns("`null`.")
    .example(r#"["LD_stop_statsd_sink"]"#),
    Declaration::named(
        "LD_start_opentelemetry_exporter",
        "Sends the live figures to an OpenTelemetry collector (OTLP over gRPC or HTTP).",
        OTLP_FIELDS,
        start_otlp,
    )
    .returns("`true`.")
    .example(
        r#"["LD_start_opentelemetry_exporter", {"endpoint": "http://127.0.0.1:4318",
  "service_name": "checkout-load"}]"#,
    ),
    Declaration::named(
        "LD_stop_opentelemetry_exporter",
        "Stops sending to the collector.",
        &[],
        |_| Ok(Box::new(Stop(OTLP))),
    )
    .returns("`null`.")
    .example(r#"["LD_stop_opentelemetry_exporter"]"#),
];

/// This machine.
pub(super) const LOCAL: Literal = Literal::Text("127.0.0.1");

const HTTP_URL: Kind = Kind::Matching("^[Hh][Tt][Tt][Pp][Ss]?://");

const INFLUX_FIELDS: &[Field] = &[
    Field::optional(
        "transport",
        Kind::Matching("^([Uu][Dd][Pp]|[Hh][Tt][Tt][Pp])$"),
        "\"udp\", which takes host and port, or \"http\", which takes url, token and timeout.",
    )
    .or(Literal::Text("udp")),
    Field::optional("host", Kind::Text, "The host of InfluxDB.").or(LOCAL),
    Field::optional("port", Kind::Port, "Its UDP port.").or(Literal::Int(8089)),
    Field::optional(
        "url",
        HTTP_URL,
        "The URL to write to, with the bucket or database in its query.",
    )
    .note("Required with http."),
    Field::optional("token", Kind::Text, "The API token, with http."),
    Field::optional("measurement", Kind::Text, "The measurement's name.")
        .or(Literal::Text("loaddensity_request")),
    Field::optional("timeout", Kind::Timeout, "Timeout of one write, at most 60.")
        .note("With http.")
        .or(Literal::Float(2.0)),
];

const OTLP_FIELDS: &[Field] = &[
    // The collector's address in the OTLP specification.
    Field::optional("endpoint", HTTP_URL, "The collector's URL.")
        .or(Literal::Text("http://127.0.0.1:4318")),
    Field::optional("service_name", Kind::Text, "The service name of the figures.")
        .or(Literal::Text("loaddensity")),
    Field::optional(
        "export_interval_ms",
        Kind::Between(1, 60_000),
        "The interval between exports.",
    )
    .unit("milliseconds")
    .or(Literal::Int(5000)),
];

/// The names of the services, used in failures.
const PROMETHEUS: &str = "the Prometheus exporter";
const INFLUX: &str = "the InfluxDB sink";
const STATSD: &str = "the StatsD sink";
const OTLP: &str = "the OpenTelemetry exporter";

/// The longest interval and timeout, in seconds: stopping an exporter waits for its last export.
const MAX_SECONDS: f64 = 60.0;

pub(super) fn text(given: &Arguments<'_>, name: &str) -> Result<String, Invalid> {
    given.or_default(name, |value| value.string())
}

pub(super) fn port(given: &Arguments<'_>) -> Result<u16, Invalid> {
    given.or_default("port", |value| {
        let port = value.integer(0).ok().and_then(|port| u16::try_from(port).ok());
        port.ok_or_else(|| value.expected("a port, 0 to 65535"))
    })
}

fn endpoint(reader: &Reader<'_>) -> Result<Endpoint, Invalid> {
    reader.text()?.parse().map_err(|error: crate::metrics::InvalidEndpoint| {
        // Not printed: a URL may hold a token.
        reader.invalid(error.to_string())
    })
}

pub(super) fn failed(service: &str, place: &str, error: &io::Error) -> Failure {
    let message =
        format!("{service} cannot use {place} ({}); change its address or port", reason(error));
    Failure::new(FailureKind::Network, message)
}

/// A running exporter and the result of its start command.
#[derive(Debug)]
pub(super) struct RunningExporter<T> {
    pub(super) exporter: T,
    pub(super) value: Value,
}

impl<T: Exporter + std::fmt::Debug + Send> Service for RunningExporter<T> {
    fn value(&self) -> Value {
        self.value.clone()
    }

    fn begin_to_stop(&mut self) {
        self.exporter.begin_to_stop();
    }

    fn stop_until(&mut self, deadline: Instant) -> bool {
        self.exporter.stop_until(deadline)
    }
}

#[derive(Debug)]
pub(super) struct Stop(pub(super) &'static str);

impl Command for Stop {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.stop_service(self.0);
        Ok(Value::Null)
    }
}

#[derive(Debug)]
struct StartPrometheus {
    host: String,
    port: u16,
}

fn start_prometheus(given: &Arguments<'_>) -> Parsed {
    let host = text(given, "addr")?;
    Ok(Box::new(StartPrometheus { host, port: port(given)? }))
}

impl Command for StartPrometheus {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { host, port } = *self;
        let refused = |error| failed(PROMETHEUS, &format!("{host}:{port}"), &error);
        // Resolved before, because starting services take turns.
        let addresses = permitted(&host, port, &context.policy().listen).map_err(refused)?;
        context.start_service(PROMETHEUS, || {
            let exporter = Prometheus::start(context.cumulative(), context.counters(), &addresses)
                .map_err(refused)?;
            let value = i64::from(exporter.address().port()).into();
            Ok(RunningExporter { exporter, value })
        })
    }
}

#[derive(Debug)]
struct StartInflux {
    transport: Transport,
    measurement: String,
}

fn start_influx(given: &Arguments<'_>) -> Parsed {
    let transport = text(given, "transport")?.to_lowercase();
    let transport = match transport.as_str() {
        "udp" => Transport::Udp { host: text(given, "host")?, port: port(given)? },
        "http" => {
            let url = given.present("url").ok_or_else(|| Invalid {
                pointer: "/url".to_owned(),
                message: "the transport \"http\" needs a URL".to_owned(),
            })?;
            Transport::Http {
                endpoint: endpoint(&url)?,
                token: given.if_present("token", |token| token.string().map(Zeroizing::new))?,
                timeout: given.or_default("timeout", timeout)?,
            }
        }
        _ => {
            return Err(Invalid {
                pointer: "/transport".to_owned(),
                message: format!("unsupported transport: {transport}; use \"udp\" or \"http\""),
            });
        }
    };
    let measurement = text(given, "measurement")?;
    Ok(Box::new(StartInflux { transport, measurement }))
}

fn timeout(value: &Reader<'_>) -> Result<Duration, Invalid> {
    let seconds = value.positive()?;
    if seconds > MAX_SECONDS {
        return Err(value.expected(&format!("at most {MAX_SECONDS} seconds")));
    }
    Ok(Duration::from_secs_f64(seconds))
}

impl Command for StartInflux {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { transport, measurement } = *self;
        context.start_service(INFLUX, || {
            let place = match &transport {
                Transport::Udp { host, port } => format!("{host}:{port}"),
                Transport::Http { endpoint, .. } => format!("{endpoint:?}"),
            };
            let sink = Influx::start(
                context.cumulative(),
                transport,
                &measurement,
                &context.policy().targets,
            )
            .map_err(|error| failed(INFLUX, &place, &error))?;
            Ok(RunningExporter { exporter: sink, value: Value::Null })
        })
    }
}

#[derive(Debug)]
struct StartStatsd {
    host: String,
    port: u16,
    prefix: String,
}

fn start_statsd(given: &Arguments<'_>) -> Parsed {
    Ok(Box::new(StartStatsd {
        host: text(given, "host")?,
        port: port(given)?,
        prefix: text(given, "prefix")?,
    }))
}

impl Command for StartStatsd {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { host, port, prefix } = *self;
        // As in the reference, a second start replaces the first.
        context.stop_service(STATSD);
        context.start_service(STATSD, || {
            let sink = Statsd::start(
                context.cumulative(),
                &host,
                port,
                &prefix,
                &context.policy().targets,
            )
            .map_err(|error| failed(STATSD, &format!("{host}:{port}"), &error))?;
            Ok(RunningExporter { exporter: sink, value: Value::Null })
        })
    }
}

#[derive(Debug)]
struct StartOtlp {
    endpoint: Endpoint,
    service_name: String,
    interval: Duration,
}

fn start_otlp(given: &Arguments<'_>) -> Parsed {
    let interval = given.or_default("export_interval_ms", |value| {
        let millis = value.integer(1)?;
        if millis as f64 > MAX_SECONDS * 1000.0 {
            return Err(value.expected("at most 60000 milliseconds"));
        }
        Ok(Duration::from_millis(millis))
    })?;
    Ok(Box::new(StartOtlp {
        endpoint: given.or_default("endpoint", endpoint)?,
        service_name: text(given, "service_name")?,
        interval,
    }))
}

impl Command for StartOtlp {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { endpoint, service_name, interval } = *self;
        context.start_service(OTLP, || {
            let place = format!("{endpoint:?}");
            let exporter = Otlp::start(
                context.cumulative(),
                endpoint,
                &service_name,
                interval,
                &context.policy().targets,
            )
            .map_err(|error| failed(OTLP, &place, &error))?;
            Ok(RunningExporter { exporter, value: Value::Bool(true) })
        })
    }
}
