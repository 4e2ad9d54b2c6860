//! `ldctl ping`: who answers, how fast, and if nobody does, why.

use std::time::{Duration, Instant};

use super::setup::block_on;
use super::{connection, signal, token};
use crate::cli::Ping;
use crate::client::{ClientError, Endpoint, Mode, Pong, probe};
use crate::console::Console;
use crate::counters::Counts;
use crate::error::{Error, Exit};
use crate::wire::token::Token;

/// The pause between two attempts of `--wait`.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn ping(args: &Ping, verbose: bool, console: &mut Console) -> Result<Exit, Error> {
    let timeout = Duration::from_secs_f64(args.timeout);
    let endpoint = connection::resolve(&args.connection, timeout, console)?;
    let token = token::resolve(&args.token, console)?;
    console.replies(args.output.into(), false);
    let wait = Duration::from_secs_f64(args.wait.unwrap_or_default());
    block_on(signal::unless_interrupted(async {
        let pong = persist(&endpoint, token.as_ref(), timeout, wait)
            .await
            .map_err(|error| connection::failure(&error))?;
        console.say(&line(&endpoint, &pong, verbose), &Answer::new(&endpoint, &pong));
        Ok(Exit::Done)
    }))
}

/// Probes until the server answers, until an answer that waiting does not change, or until the wait
/// is over. The first probe has its full timeout, a later one no more than what is left.
async fn persist(
    endpoint: &Endpoint,
    token: Option<&Token>,
    timeout: Duration,
    wait: Duration,
) -> Result<Pong, ClientError> {
    let begun = Instant::now();
    let mut patience = timeout;
    loop {
        let hurried = Endpoint { connect_timeout: patience, ..endpoint.clone() };
        match probe(&hurried, token, patience).await {
            Err(error) if error.is_transient() && begun.elapsed() < wait => {
                tracing::info!("{}", error.line());
                tokio::time::sleep(PAUSE).await;
                patience = timeout.min(wait.saturating_sub(begun.elapsed()).max(PAUSE));
            }
            answer => return answer,
        }
    }
}

/// What is known of the server, as JSON.
#[derive(serde::Serialize)]
struct Answer<'a> {
    event: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<u64>,
    #[serde(flatten)]
    counts: Option<Counts>,
    round_trip_ms: f64,
}

impl<'a> Answer<'a> {
    fn new(endpoint: &Endpoint, pong: &'a Pong) -> Self {
        Self {
            event: "pong",
            address: endpoint.address(),
            server: pong.server.as_deref(),
            version: pong.version.as_deref(),
            protocol: pong.protocol,
            uptime_s: pong.uptime.map(|uptime| uptime.as_secs_f64()),
            runs: pong.runs,
            counts: pong.counts,
            round_trip_ms: pong.round_trip.as_secs_f64() * 1000.0,
        }
    }
}

/// What is known of the server. The text dialect tells nothing of it; frames without events are the
/// Python server's.
fn line(endpoint: &Endpoint, pong: &Pong, verbose: bool) -> String {
    let mut line = match (&pong.server, endpoint.mode) {
        (Some(server), _) => server.clone(),
        (None, Mode::Framed) => "LoadDensity".to_owned(),
        (None, Mode::Legacy) => "a control server".to_owned(),
    };
    if let Some(version) = &pong.version {
        line.push_str(&format!(" {version}"));
    }
    line.push_str(&format!(" at {}", endpoint.address()));
    if let Some(uptime) = pong.uptime {
        line.push_str(&format!(", up {} s", uptime.as_secs()));
    }
    if let Some(runs) = pong.runs {
        line.push_str(&format!(", {runs} {}", if runs == 1 { "run" } else { "runs" }));
    }
    line.push_str(&format!(", {:.2} ms", pong.round_trip.as_secs_f64() * 1000.0));
    if let (true, Some(counts)) = (verbose, &pong.counts) {
        let Counts { connections, refused, auth_failures, timeouts, shed, panics } = counts;
        line.push_str(&format!(
            "; connections {connections}, refused {refused}, wrong tokens {auth_failures}, \
             timeouts {timeouts}, shed {shed}, panics {panics}"
        ));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: Mode, told: bool, expected: &str) {
        let (host, port) = ("localhost".to_owned(), 9940);
        let connect_timeout = Duration::from_secs(1);
        let endpoint = Endpoint { host, port, mode, tls: None, connect_timeout };
        let pong = Pong {
            server: told.then(|| "ldctl".to_owned()),
            version: told.then(|| "0.1.0".to_owned()),
            protocol: told.then_some(1),
            uptime: told.then_some(Duration::from_millis(12_300)),
            runs: told.then_some(1),
            counts: told.then_some(Counts { connections: 7, shed: 2, ..Counts::default() }),
            round_trip: Duration::from_micros(412),
        };
        assert_eq!(line(&endpoint, &pong, false), expected);
        let counted = "; connections 7, refused 0, wrong tokens 0, timeouts 0, shed 2, panics 0";
        let more = if told { counted } else { "" };
        assert_eq!(line(&endpoint, &pong, true), format!("{expected}{more}"));
    }

    #[test]
    fn the_line_says_what_is_known_of_the_server() {
        check(Mode::Framed, true, "ldctl 0.1.0 at localhost:9940, up 12 s, 1 run, 0.41 ms");
        check(Mode::Framed, false, "LoadDensity at localhost:9940, 0.41 ms");
        check(Mode::Legacy, false, "a control server at localhost:9940, 0.41 ms");
    }
}
