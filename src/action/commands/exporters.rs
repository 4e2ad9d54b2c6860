//! Live figures for others: starting and stopping exporters. They read the merged figures, run on
//! their own threads, and go on from test to test until they are stopped.

use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::action::arguments::{Arguments, Parameter, optional};
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::action::services::Service;
use crate::error::reason;
use crate::event::{Failure, FailureKind};
use crate::metrics::Endpoint;
use crate::metrics::influx::{Influx, Transport};
use crate::metrics::otlp::Otlp;
use crate::metrics::prometheus::Prometheus;
use crate::metrics::statsd::Statsd;
use crate::value::{Invalid, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_start_prometheus_exporter",
        &[optional("port"), optional("addr")],
        start_prometheus,
    ),
    Declaration::named("LD_stop_prometheus_exporter", &[], |_| Ok(Box::new(Stop(PROMETHEUS)))),
    Declaration::named("LD_start_influxdb_sink", INFLUX_PARAMETERS, start_influx),
    Declaration::named("LD_stop_influxdb_sink", &[], |_| Ok(Box::new(Stop(INFLUX)))),
    Declaration::named(
        "LD_start_statsd_sink",
        &[optional("host"), optional("port"), optional("prefix")],
        start_statsd,
    ),
    Declaration::named("LD_stop_statsd_sink", &[], |_| Ok(Box::new(Stop(STATSD)))),
    Declaration::named("LD_start_opentelemetry_exporter", OTLP_PARAMETERS, start_otlp),
    Declaration::named("LD_stop_opentelemetry_exporter", &[], |_| Ok(Box::new(Stop(OTLP)))),
];

const INFLUX_PARAMETERS: &[Parameter] = &[
    optional("transport"),
    optional("host"),
    optional("port"),
    optional("url"),
    optional("token"),
    optional("measurement"),
    optional("timeout"),
];

const OTLP_PARAMETERS: &[Parameter] =
    &[optional("endpoint"), optional("service_name"), optional("export_interval_ms")];

/// The services' names, which failures show.
const PROMETHEUS: &str = "the Prometheus exporter";
const INFLUX: &str = "the InfluxDB sink";
const STATSD: &str = "the StatsD sink";
const OTLP: &str = "the OpenTelemetry exporter";

/// Where collectors listen by the OTLP specification.
const OTLP_ENDPOINT: &str = "http://127.0.0.1:4318";

/// The longest interval and timeout, in seconds: stopping an exporter waits for what it sends.
const MAX_SECONDS: f64 = 60.0;

fn text(given: &Arguments<'_>, name: &str, default: &str) -> Result<String, Invalid> {
    given.present(name).map_or(Ok(default.to_owned()), |value| value.text().map(str::to_owned))
}

fn port(given: &Arguments<'_>, default: u16) -> Result<u16, Invalid> {
    let Some(value) = given.present("port") else { return Ok(default) };
    let port = value.integer(0).ok().and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(|| value.expected("a port, 0 to 65535"))
}

fn endpoint(reader: &Reader<'_>) -> Result<Endpoint, Invalid> {
    reader.text()?.parse().map_err(|error: crate::metrics::InvalidEndpoint| {
        // Not shown: a URL may hold a token.
        reader.invalid(error.to_string())
    })
}

fn failed(service: &str, place: &str, error: &io::Error) -> Failure {
    let message =
        format!("{service} cannot use {place} ({}); change its address or port", reason(error));
    Failure::new(FailureKind::Network, message)
}

/// A running exporter and what its start command gives.
#[derive(Debug)]
struct Running<T> {
    _exporter: T,
    value: Value,
}

impl<T: std::fmt::Debug + Send> Service for Running<T> {
    fn value(&self) -> Value {
        self.value.clone()
    }
}

#[derive(Debug)]
struct Stop(&'static str);

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
    let host = text(given, "addr", "127.0.0.1")?;
    Ok(Box::new(StartPrometheus { host, port: port(given, 9646)? }))
}

impl Command for StartPrometheus {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { host, port } = *self;
        context.start_service(PROMETHEUS, || {
            let exporter = Prometheus::start(context.cumulative(), context.counters(), &host, port)
                .map_err(|error| failed(PROMETHEUS, &format!("{host}:{port}"), &error))?;
            let value = i64::from(exporter.address().port()).into();
            Ok(Running { _exporter: exporter, value })
        })
    }
}

#[derive(Debug)]
struct StartInflux {
    transport: Transport,
    measurement: String,
}

fn start_influx(given: &Arguments<'_>) -> Parsed {
    let transport = text(given, "transport", "udp")?.to_lowercase();
    let transport = match transport.as_str() {
        "udp" => {
            Transport::Udp { host: text(given, "host", "127.0.0.1")?, port: port(given, 8089)? }
        }
        "http" => {
            let url = given.present("url").ok_or_else(|| Invalid {
                pointer: "/url".to_owned(),
                message: "the transport \"http\" needs a URL".to_owned(),
            })?;
            let token = given.present("token");
            Transport::Http {
                endpoint: endpoint(&url)?,
                token: token
                    .map(|token| token.text().map(|token| Zeroizing::new(token.to_owned())))
                    .transpose()?,
                timeout: seconds(given, "timeout", 2.0)?,
            }
        }
        _ => {
            return Err(Invalid {
                pointer: "/transport".to_owned(),
                message: format!("unsupported transport: {transport}; use \"udp\" or \"http\""),
            });
        }
    };
    let measurement = text(given, "measurement", "loaddensity_request")?;
    Ok(Box::new(StartInflux { transport, measurement }))
}

fn seconds(given: &Arguments<'_>, name: &str, default: f64) -> Result<Duration, Invalid> {
    let Some(value) = given.present(name) else { return Ok(Duration::from_secs_f64(default)) };
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
            Ok(Running { _exporter: sink, value: Value::Null })
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
        host: text(given, "host", "127.0.0.1")?,
        port: port(given, 8125)?,
        prefix: text(given, "prefix", "loaddensity")?,
    }))
}

impl Command for StartStatsd {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { host, port, prefix } = *self;
        // As in the reference, a second start moves it.
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
            Ok(Running { _exporter: sink, value: Value::Null })
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
    let default = Value::from(OTLP_ENDPOINT);
    let interval = match given.present("export_interval_ms") {
        None => Duration::from_secs(5),
        Some(value) => {
            let millis = value.integer(1)?;
            if millis as f64 > MAX_SECONDS * 1000.0 {
                return Err(value.expected("at most 60000 milliseconds"));
            }
            Duration::from_millis(millis)
        }
    };
    Ok(Box::new(StartOtlp {
        endpoint: endpoint(&given.present("endpoint").unwrap_or_else(|| Reader::root(&default)))?,
        service_name: text(given, "service_name", "loaddensity")?,
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
            Ok(Running { _exporter: exporter, value: Value::Bool(true) })
        })
    }
}
