//! The page with the figures of the test in progress: `LD_start_dashboard`, `LD_stop_dashboard`. It
//! serves over several tests until it is stopped or replaced.

use std::time::Duration;

use super::exporters::{LOCAL, RunningExporter, Stop, failed, port, text};
use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::event::Failure;
use crate::metrics::dashboard::{Dashboard, Pace};
use crate::net::permitted;
use crate::value::{Field, Invalid, Kind, Literal, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_start_dashboard",
        "Serves a page with the live figures of the test in progress, or of the last one.",
        &[
            Field::optional("host", Kind::Text, "The address to listen on.").or(LOCAL),
            Field::optional("port", Kind::Port, "The port; 0 picks a free one.")
                .or(Literal::Int(8765)),
            Field::optional(
                "refresh_seconds",
                Kind::Timeout,
                "The interval between two snapshots, at most 3600; below 0.1 it is 0.1.",
            )
            .or(Literal::Float(1.0)),
            Field::optional(
                "window_seconds",
                Kind::Timeout,
                "The time that the rate and the mean latency are taken over, at most 3600.",
            )
            .or(Literal::Float(10.0)),
        ],
        start,
    )
    .text(
        "`/` is the page, `/snapshot` its figures as JSON, and `/events` the same as server-sent events. \
         It has no login and is read only. It serves until LD_stop_dashboard, over several tests; a second \
         start replaces it. Addresses beyond loopback need `--allow-listen`.",
    )
    .returns("In JSON output an object: `host` and `port`.")
    .example(r#"["LD_start_dashboard", {"port": 8765}]"#),
    Declaration::named("LD_stop_dashboard", "Stops serving the page.", &[], |_| {
        Ok(Box::new(Stop(DASHBOARD)))
    })
    .returns("`null`.")
    .example(r#"["LD_stop_dashboard"]"#),
];

/// The name of the service, used in failures.
const DASHBOARD: &str = "the dashboard";

/// The longest interval and window, in seconds.
const MAX_SECONDS: f64 = 3600.0;

#[derive(Debug)]
struct Start {
    host: String,
    port: u16,
    pace: Pace,
}

fn start(given: &Arguments<'_>) -> Parsed {
    let pace = Pace {
        refresh: given.or_default("refresh_seconds", seconds)?,
        window: given.or_default("window_seconds", seconds)?,
    };
    Ok(Box::new(Start { host: text(given, "host")?, port: port(given)?, pace }))
}

fn seconds(value: &Reader<'_>) -> Result<Duration, Invalid> {
    let seconds = value.positive()?;
    if seconds > MAX_SECONDS {
        return Err(value.expected(&format!("at most {MAX_SECONDS} seconds")));
    }
    // The shortest time is not nothing.
    Ok(Duration::from_secs_f64(seconds).max(Duration::from_nanos(1)))
}

impl Command for Start {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { host, port, pace } = *self;
        let refused = |error| failed(DASHBOARD, &format!("{host}:{port}"), &error);
        // Before the running one is stopped.
        let addresses = permitted(&host, port, &context.policy().listen).map_err(refused)?;
        // As in the reference, a second start replaces the first.
        context.stop_service(DASHBOARD);
        let value = context.start_service(DASHBOARD, || {
            let exporter =
                Dashboard::start(context.latest(), context.cumulative(), pace, &addresses)
                    .map_err(refused)?;
            let port = exporter.address().port();
            let value = Value::dict([
                ("host", Value::from(host.as_str())),
                ("port", i64::from(port).into()),
            ]);
            Ok(RunningExporter { exporter, value })
        })?;
        let text = as_python(&value);
        context.enrich(value, Vec::new());
        Ok(text.into())
    }
}

/// The text of the reference's result; what it says of a place in memory stands for the port.
fn as_python(value: &Value) -> String {
    let port = match value.get("port") {
        Some(Value::Int(port)) => *port,
        _ => 0,
    };
    format!(
        "<je_load_density.utils.dashboard.live_dashboard.LiveDashboardServer object at 0x7f{port:010x}>"
    )
}
