//! The good client: connect, ping, close, one after the other at a fixed pace, with the time that
//! each took.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ldctl::client::{ClientError, Connection};
use ldctl::event::Event;
use ldctl::net::Stream;
use ldctl::value::Value;
use ldctl::wire::dialect::Reply;
use ldctl::wire::frame::Mode;
use ldctl::wire::op::Op;
use ldctl::wire::request::Request;
use ldctl::wire::tls::ClientTls;
use ldctl::wire::tls::client_config;
use ldctl::wire::token::Token;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// The token of the server.
pub(crate) const TOKEN: &str = "the token of this bench";

/// From the start of one ping to the next, unless the first takes longer.
const PACE: Duration = Duration::from_millis(5);

/// What a ping may take before it counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the good client pings, with its files read already.
pub(crate) struct Client {
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    token: Token,
}

/// How a client trusts the server of this bench.
pub(crate) fn connector(certificate: &Path) -> (TlsConnector, ServerName<'static>) {
    let tls = ClientTls { ca: Some(certificate.to_owned()), ..ClientTls::default() };
    let (config, name) = client_config(&tls, "localhost").expect("a certificate");
    (config.into(), name)
}

impl Client {
    /// A client of this port, by TLS where there is a certificate.
    pub(crate) fn new(port: u16, certificate: Option<&Path>) -> Self {
        let token = Token::new(TOKEN).expect("a token");
        Self { port, tls: certificate.map(connector), token }
    }

    async fn open(&self) -> io::Result<Stream> {
        let plain = TcpStream::connect(("127.0.0.1", self.port)).await?;
        plain.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Stream::Plain(plain),
            Some((connector, name)) => {
                Stream::Tls(Box::new(connector.connect(name.clone(), plain).await?))
            }
        })
    }

    /// Whether the whole answer came.
    async fn ping(&self) -> Result<bool, ClientError> {
        let opened = tokio::time::timeout(PATIENCE, self.open()).await;
        let Ok(Ok(stream)) = opened else { return Ok(false) };
        let connection = Connection::new(stream, Mode::Framed, "the server".to_owned());
        let mut replies =
            connection.ask(Request::new(Op::Ping), Some(&self.token), PATIENCE).await?;
        let mut heard = 0;
        while replies.next().await?.is_some() {
            heard += 1;
        }
        Ok(heard == 1 && replies.is_complete())
    }

    /// Starts a stub server, and returns its port.
    pub(crate) async fn start_stub(&self) -> u16 {
        let stream = self.open().await.expect("a connection");
        let connection = Connection::new(stream, Mode::Framed, "the server".to_owned());
        let document: Box<RawValue> =
            serde_json::from_str(r#"[["LD_start_stub_server", {"rules": []}]]"#).expect("JSON");
        let asked = connection.ask(Request::run(&*document), Some(&self.token), PATIENCE).await;
        let mut replies = asked.expect("a reply");
        let mut port = None;
        while let Some(reply) = replies.next().await.expect("a reply") {
            if let Reply::Event(Event::Result(result)) = reply {
                let value = result.value.expect("a result");
                port = value.get("port").and_then(Value::as_f64);
            }
        }
        port.expect("a port") as u16
    }

    /// So many pings.
    pub(crate) async fn pings(&self, count: usize) -> Pings {
        let mut left = count;
        self.pings_until(move || {
            left = left.saturating_sub(1);
            left == 0
        })
        .await
    }

    /// Pings until it is enough; at least one.
    pub(crate) async fn pings_until(&self, mut enough: impl FnMut() -> bool) -> Pings {
        let mut pings = Pings::default();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let started = Instant::now();
            let answered = matches!(self.ping().await, Ok(true));
            pings.note(started.elapsed(), answered);
            if enough() {
                return pings;
            }
        }
    }
}

/// What came of many pings.
pub(crate) struct Pings {
    /// Of those answered, in nanoseconds.
    times: Histogram<u64>,
    sent: u64,
}

impl Default for Pings {
    fn default() -> Self {
        let most = 2 * PATIENCE.as_nanos() as u64;
        Self { times: Histogram::new_with_max(most, 3).expect("bounds"), sent: 0 }
    }
}

impl Pings {
    fn note(&mut self, time: Duration, answered: bool) {
        self.sent += 1;
        if answered {
            self.times.saturating_record(time.as_nanos() as u64);
        }
    }

    /// Takes others in.
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.times += other.times;
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn answered(&self) -> u64 {
        self.times.len()
    }

    pub(crate) fn percentile(&self, at: f64) -> Duration {
        Duration::from_nanos(self.times.value_at_percentile(at))
    }

    pub(crate) fn millis(time: Duration) -> String {
        format!("{:.3} ms", time.as_secs_f64() * 1000.0)
    }
}

impl fmt::Display for Pings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} pings, {} answered:", self.sent, self.answered())?;
        for (name, at) in [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("max", 100.0)] {
            write!(out, " {name} {}", Self::millis(self.percentile(at)))?;
        }
        Ok(())
    }
}
