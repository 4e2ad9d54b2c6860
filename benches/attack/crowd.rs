//! The attackers, all on one thread: each opens a connection, does what it does until the server
//! closes it, and comes again. They arrive evenly over a few seconds, so that their deadlines do not
//! all pass in the same moment, and cost little themselves, for the server shares their machine.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ldctl::wire::frame::frame_into;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::client::{TOKEN, connector};

/// Over which the attackers arrive.
const ARRIVAL: Duration = Duration::from_secs(5);

/// Between two bytes of a request.
const DRIP: Duration = Duration::from_secs(2);

/// Between two resets of one attacker: with the fifth part of 1,000 connections, 12,000 a minute.
const RESETS: Duration = Duration::from_secs(1);

/// Between two large requests of one attacker: some 25 a second of each kind from a thousand.
const LARGE: Duration = Duration::from_secs(5);

/// Before an attacker whom the server does not take comes again.
const PAUSE: Duration = Duration::from_millis(100);

/// Idle connections that are being opened at once.
const OPENING: usize = 64;

/// The beginning of a TLS ClientHello.
const HALF_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// A frame that claims a mebibyte, and one byte of it.
const CLAIM: &[u8] = b"\0\x10\0\0[";

/// What an attacker does, by the numbers of the abuse cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Sends nothing, where TLS is spoken after the handshake.
    T1,
    /// Sends a byte every two seconds, where TLS is spoken after the handshake.
    T2,
    /// Half a hello, then silence; every second sends nothing at all.
    T3,
    /// Half a hello, then a reset.
    T4,
    /// Claims a mebibyte and sends a byte of it, where TLS is spoken after the handshake.
    T6,
    /// Sends a mebibyte of JSON without the token, and every second with a wrong one.
    T27,
    /// Has the token, and sends patterns that take long to compile.
    T29,
    /// Sends half a mebibyte of a request that it never finishes.
    T30,
    /// Connects to a stub server of a document's and sends nothing.
    Stub,
    /// Sends half a request and keeps the connection.
    Idle,
}

/// Who attacks what.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// The server's port
    #[arg(long)]
    pub(crate) port: u16,
    /// Attackers
    #[arg(long)]
    pub(crate) connections: usize,
    /// The server's certificate, where it speaks TLS
    #[arg(long)]
    pub(crate) certificate: Option<PathBuf>,
    /// The port of a stub server
    #[arg(long)]
    pub(crate) stub: Option<u16>,
    /// What they do, taking turns
    #[arg(long, value_delimiter = ',')]
    pub(crate) kinds: Vec<Kind>,
}

impl Plan {
    /// The mixed attack. T3 needs a server that speaks TLS.
    pub(crate) fn attack(
        port: u16,
        connections: usize,
        certificate: Option<&std::path::Path>,
        stub: u16,
    ) -> Self {
        let mut kinds = vec![Kind::T1, Kind::T2, Kind::T4, Kind::T6];
        kinds.extend([Kind::T27, Kind::T29, Kind::T30, Kind::Stub]);
        if certificate.is_some() {
            kinds.push(Kind::T3);
        }
        let certificate = certificate.map(Into::into);
        Self { port, connections, certificate, stub: Some(stub), kinds }
    }

    /// Idle connections.
    pub(crate) fn idle(
        port: u16,
        connections: usize,
        certificate: Option<&std::path::Path>,
    ) -> Self {
        let certificate = certificate.map(Into::into);
        Self { port, connections, certificate, stub: None, kinds: vec![Kind::Idle] }
    }

    /// The kinds as text, and as an argument.
    pub(crate) fn kinds(&self) -> String {
        let names = self.kinds.iter().filter_map(|kind| kind.to_possible_value());
        names.map(|name| name.get_name().to_owned()).collect::<Vec<_>>().join(",")
    }
}

/// What all attackers share.
struct Attack {
    plan: Plan,
    server: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    requests: Requests,
    opened: Cell<u64>,
    failed: Cell<u64>,
    there: Cell<usize>,
}

/// The large requests.
struct Requests {
    bare: Vec<u8>,
    wrong: Vec<u8>,
    patterns: Vec<u8>,
    half: Vec<u8>,
}

impl Requests {
    fn new() -> Self {
        let framed = |body: String| {
            let mut out = Vec::new();
            frame_into(body.as_bytes(), &mut out);
            out
        };
        let list = format!("[{}]", vec![r#"{"":0}"#; 149_000].join(","));
        let rules = vec![r#"{"path_regex": "(\\w{40})x"}"#; 100].join(",");
        let mut half = framed("[".repeat(1 << 20));
        half.truncate(1 << 19);
        Self {
            wrong: framed(format!(r#"{{"token": "wrong", "command": {list}}}"#)),
            bare: framed(list),
            patterns: framed(format!(
                r#"{{"token": "{TOKEN}", "command": [["LD_start_stub_server", {{"rules": [{rules}]}}]]}}"#
            )),
            half,
        }
    }
}

/// Attacks: waits for a line on stdin, says `there` when all have arrived, goes on to the end of
/// stdin, and says what it did.
pub(crate) async fn attack(plan: Plan) {
    let mut stdin = std::io::stdin();
    stdin.read_exact(&mut [0]).expect("a line");
    let tls = plan.certificate.as_deref().map(connector);
    let (opened, failed, there) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let server = server(plan.port).await;
    let requests = Requests::new();
    let attack = Rc::new(Attack { plan, server, tls, requests, opened, failed, there });
    let crowd = LocalSet::new();
    let started = Instant::now();
    let mut stopped = tokio::task::spawn_blocking(move || drop(stdin.read(&mut [0])));
    let attacking = crowd.run_until(async {
        if attack.plan.kinds == [Kind::Idle] {
            attack.hold(&mut stopped).await;
        } else {
            attack.mob(started, &mut stopped).await;
        }
    });
    attacking.await;
    let (opened, failed) = (attack.opened.get(), attack.failed.get());
    println!("{opened} connections opened, {failed} not taken");
}

/// The crowd comes over IPv6 where there is any, and the good client over IPv4: with most ports of
/// one pair of addresses taken, the system takes milliseconds to find it a free one.
async fn server(port: u16) -> SocketAddr {
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    match TcpStream::connect(six).await {
        Ok(_) => six,
        Err(_) => (Ipv4Addr::LOCALHOST, port).into(),
    }
}

fn say_there() {
    println!("there");
    std::io::stdout().flush().expect("a reader");
}

type Stopped = tokio::task::JoinHandle<()>;

impl Attack {
    async fn mob(self: &Rc<Self>, started: Instant, stopped: &mut Stopped) {
        let count = self.plan.connections;
        for index in 0..count {
            let attack = Rc::clone(self);
            tokio::task::spawn_local(async move {
                sleep(ARRIVAL.mul_f64(index as f64 / count as f64)).await;
                let kind = attack.plan.kinds[index % attack.plan.kinds.len()];
                let silent = (index / attack.plan.kinds.len()).is_multiple_of(2);
                loop {
                    attack.once(kind, silent).await;
                }
            });
        }
        sleep((started + ARRIVAL).saturating_duration_since(Instant::now())).await;
        say_there();
        let _ = stopped.await;
    }

    async fn hold(self: &Rc<Self>, stopped: &mut Stopped) {
        for opener in 0..OPENING {
            let attack = Rc::clone(self);
            tokio::task::spawn_local(async move {
                let mut held = Vec::new();
                for _ in (opener..attack.plan.connections).step_by(OPENING) {
                    if let Some(mut stream) = attack.connect().await
                        && stream.write_all(CLAIM).await.is_ok()
                    {
                        held.push(stream);
                    }
                    attack.there.set(attack.there.get() + 1);
                }
                std::future::pending::<()>().await;
                drop(held);
            });
        }
        while self.there.get() < self.plan.connections {
            sleep(PAUSE).await;
        }
        say_there();
        let _ = stopped.await;
    }

    /// One connection, to its end.
    async fn once(&self, kind: Kind, silent: bool) {
        match kind {
            Kind::T3 | Kind::T4 => {
                let Some(mut stream) = self.reach().await else { return };
                if kind == Kind::T4 || !silent {
                    let _ = stream.write_all(HALF_HELLO).await;
                }
                if kind == Kind::T4 {
                    let _ = stream.set_zero_linger();
                    drop(stream);
                    sleep(RESETS).await;
                } else {
                    heard_out(&mut stream).await;
                }
            }
            Kind::Stub => {
                let port = self.plan.stub.expect("a stub server");
                if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                    self.opened.set(self.opened.get() + 1);
                    heard_out(&mut stream).await;
                }
                // It may be closed at once where too many are there.
                sleep(PAUSE).await;
            }
            Kind::T27 | Kind::T29 | Kind::T30 => {
                let Some(mut stream) = self.connect().await else { return };
                let bytes = match (kind, silent) {
                    (Kind::T27, true) => &self.requests.bare,
                    (Kind::T27, false) => &self.requests.wrong,
                    (Kind::T29, _) => &self.requests.patterns,
                    _ => &self.requests.half,
                };
                let _ = stream.write_all(bytes).await;
                heard_out(&mut stream).await;
                drop(stream);
                sleep(LARGE).await;
            }
            Kind::T1 | Kind::T2 | Kind::T6 | Kind::Idle => {
                let Some(mut stream) = self.connect().await else { return };
                match kind {
                    Kind::T2 => {
                        // A frame of 255 bytes, which never comes.
                        for byte in [0, 0, 0, 255].into_iter().chain(std::iter::repeat(b'[')) {
                            if stream.write_all(&[byte]).await.is_err()
                                || timeout(DRIP, heard_out(&mut stream)).await.is_ok()
                            {
                                break;
                            }
                        }
                    }
                    Kind::T6 => {
                        let _ = stream.write_all(CLAIM).await;
                        heard_out(&mut stream).await;
                    }
                    _ => heard_out(&mut stream).await,
                }
            }
        }
    }

    /// A TCP connection; `None`, after a pause, where there is none.
    async fn reach(&self) -> Option<TcpStream> {
        match TcpStream::connect(self.server).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                self.opened.set(self.opened.get() + 1);
                Some(stream)
            }
            Err(_) => self.not_taken().await,
        }
    }

    /// A connection that can carry a request.
    async fn connect(&self) -> Option<Box<dyn Wire>> {
        let stream = self.reach().await?;
        let Some((connector, name)) = &self.tls else { return Some(Box::new(stream)) };
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Some(Box::new(stream)),
            Err(_) => self.not_taken().await,
        }
    }

    async fn not_taken<T>(&self) -> Option<T> {
        self.failed.set(self.failed.get() + 1);
        sleep(PAUSE).await;
        None
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

/// Waits until the server has closed, whatever it says.
async fn heard_out(stream: &mut (impl AsyncRead + Unpin + ?Sized)) {
    let mut ignored = [0; 256];
    while matches!(stream.read(&mut ignored).await, Ok(1..)) {}
}
