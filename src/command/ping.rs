//! `ldctl ping`: who answers, how fast, and if nobody does, why.

use std::time::{Duration, Instant};

use super::{block_on, connection, signal, token};
use crate::cli::Ping;
use crate::client::{ClientError, Endpoint, Mode, Pong, probe};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::wire::token::Token;

/// The pause between two attempts of `--wait`.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn ping(args: &Ping, console: &mut Console) -> Result<Exit, Error> {
    let timeout = Duration::from_secs_f64(args.timeout);
    let endpoint = connection::resolve(&args.connection, timeout, console)?;
    let token = token::resolve(&args.token, console)?;
    let wait = Duration::from_secs_f64(args.wait.unwrap_or_default());
    block_on(signal::unless_interrupted(async {
        let pong = persist(&endpoint, token.as_ref(), timeout, wait)
            .await
            .map_err(|error| connection::failure(&error))?;
        console.print(&line(&endpoint, &pong));
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

/// What is known of the server. The text dialect tells nothing of it; frames without events are the
/// Python server's.
fn line(endpoint: &Endpoint, pong: &Pong) -> String {
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
            round_trip: Duration::from_micros(412),
        };
        assert_eq!(line(&endpoint, &pong), expected);
    }

    #[test]
    fn the_line_says_what_is_known_of_the_server() {
        check(Mode::Framed, true, "ldctl 0.1.0 at localhost:9940, up 12 s, 1 run, 0.41 ms");
        check(Mode::Framed, false, "LoadDensity at localhost:9940, 0.41 ms");
        check(Mode::Legacy, false, "a control server at localhost:9940, 0.41 ms");
    }
}
