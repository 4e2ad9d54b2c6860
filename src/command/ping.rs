//! `ldctl ping`: which server replies, how fast, and why there is no reply.

use std::time::{Duration, Instant};

use super::setup::block_on;
use super::{connection, signal};
use crate::cli::Ping;
use crate::client::{ClientError, Endpoint, PingReply, probe};
use crate::console::Console;
use crate::counters::Counts;
use crate::error::{Error, Exit};
use crate::escape::one_line;
use crate::event::Pong;
use crate::wire::frame::Mode;
use crate::wire::token::Token;

/// The pause between two attempts of `--wait`.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn ping(args: &Ping, verbose: bool, console: &mut Console) -> Result<Exit, Error> {
    let timeout = Duration::from_secs_f64(args.timeout);
    let mut server = args.connection.clone();
    server.server = args.address.clone().or(server.server);
    let (endpoint, token) = connection::resolve(&server, &args.token, timeout, console)?;
    console.replies(Some(args.output.into()), false);
    let wait = Duration::from_secs_f64(args.wait.unwrap_or_default());
    block_on(signal::unless_interrupted(async {
        let answered = persist(&endpoint, token.as_ref(), timeout, wait)
            .await
            .map_err(|error| connection::failure(&error))?;
        let text = line(&endpoint, &answered, verbose);
        // The server's name and version come from outside.
        console.say(&one_line(&text), &PingOutput::new(&endpoint, &answered));
        Ok(Exit::Done)
    }))
}

/// Probes until the server replies, until an error that waiting does not change, or until the wait
/// is over. The first probe has its full timeout, later ones at most the remaining time.
async fn persist(
    endpoint: &Endpoint,
    token: Option<&Token>,
    timeout: Duration,
    wait: Duration,
) -> Result<PingReply, ClientError> {
    let started = Instant::now();
    let mut remaining = timeout;
    loop {
        let limited = Endpoint { connect_timeout: remaining, ..endpoint.clone() };
        match probe(&limited, token, remaining).await {
            Err(error) if error.is_transient() && started.elapsed() < wait => {
                tracing::info!("{}", error.line());
                tokio::time::sleep(PAUSE).await;
                remaining = timeout.min(wait.saturating_sub(started.elapsed()).max(PAUSE));
            }
            answer => return answer,
        }
    }
}

/// The known properties of the server, as JSON.
#[derive(serde::Serialize)]
struct PingOutput<'a> {
    event: &'static str,
    address: String,
    #[serde(flatten)]
    pong: Option<&'a Pong>,
    round_trip_ms: f64,
}

impl<'a> PingOutput<'a> {
    fn new(endpoint: &Endpoint, answered: &'a PingReply) -> Self {
        Self {
            event: "pong",
            address: endpoint.address(),
            pong: answered.pong.as_ref(),
            round_trip_ms: answered.round_trip.as_secs_f64() * 1000.0,
        }
    }
}

/// The known properties of the server, as a line. The text dialect reveals none; frames without
/// events mean the Python server.
fn line(endpoint: &Endpoint, answered: &PingReply, verbose: bool) -> String {
    let (address, took) = (endpoint.address(), answered.round_trip.as_secs_f64() * 1000.0);
    let Some(pong) = &answered.pong else {
        let server = match endpoint.mode {
            Mode::Framed => "LoadDensity",
            Mode::Legacy => "a control server",
        };
        return format!("{server} at {address}, {took:.2} ms");
    };
    let Pong { server, version, uptime_s, runs, counts, .. } = pong;
    let (uptime, unit) = (uptime_s.trunc(), if *runs == 1 { "run" } else { "runs" });
    let mut line =
        format!("{server} {version} at {address}, up {uptime} s, {runs} {unit}, {took:.2} ms");
    if let (true, Some(counts)) = (verbose, counts) {
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

    fn check(mode: Mode, with_pong: bool, expected: &str) {
        let (host, port) = ("localhost".to_owned(), 9940);
        let connect_timeout = Duration::from_secs(1);
        let endpoint = Endpoint { host, port, mode, tls: None, connect_timeout };
        let pong = with_pong.then(|| Pong {
            server: "ldctl".to_owned(),
            version: "0.1.0".to_owned(),
            protocol: 1,
            uptime_s: 12.9,
            runs: 1,
            counts: Some(Counts { connections: 7, shed: 2, ..Counts::default() }),
        });
        let answered = PingReply { pong, round_trip: Duration::from_micros(412) };
        assert_eq!(line(&endpoint, &answered, false), expected);
        let counted = "; connections 7, refused 0, wrong tokens 0, timeouts 0, shed 2, panics 0";
        let more = if with_pong { counted } else { "" };
        assert_eq!(line(&endpoint, &answered, true), format!("{expected}{more}"));
    }

    #[test]
    fn the_line_shows_what_is_known_about_the_server() {
        check(Mode::Framed, true, "ldctl 0.1.0 at localhost:9940, up 12 s, 1 run, 0.41 ms");
        check(Mode::Framed, false, "LoadDensity at localhost:9940, 0.41 ms");
        check(Mode::Legacy, false, "a control server at localhost:9940, 0.41 ms");
    }
}
