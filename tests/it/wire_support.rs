//! A server in this process on a free port, with documents that a test makes up, and raw clients.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ldctl::action::InvalidDocument;
use ldctl::client::Endpoint;
use ldctl::counters::Counters;
use ldctl::event::{ActionResult, Event, PROTOCOL, Sink};
use ldctl::memory::Memory;
use ldctl::net::Listeners;
use ldctl::run::Submission;
use ldctl::server::{Execute, Handle, Job, Keyring, Limits, Secrets, Server, Unready, run};
use ldctl::value::Value;
use ldctl::wire::frame::Mode;
use ldctl::wire::tls::server_config;
use ldctl::wire::tls::{ClientTls, Identity};
use ldctl::wire::token::{Token, Tokens};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::make_private;

/// What ends a test that hangs; nothing is measured against it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const END: &str = "Return_Data_Over_JE\n";

/// Waits for a future, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

/// What a document does, given the value that was sent.
pub(crate) type Act = dyn Fn(&Value, &mut dyn Sink, &CancellationToken) + Send + Sync;

/// Runs documents of the test's own: every list that is not empty is one.
pub(crate) struct Script {
    runs: AtomicU64,
    pub(crate) memory: Arc<Memory>,
    act: Box<Act>,
}

impl Execute for Script {
    fn prepare(
        self: Arc<Self>,
        document: Value,
        _: Submission,
        cancel: &CancellationToken,
    ) -> Result<Job, Unready> {
        match &document {
            Value::Str(text) if text == "take long" => {
                while !cancel.is_cancelled() {
                    std::thread::yield_now();
                }
                return Err(Unready::Cancelled);
            }
            Value::List(actions) if !actions.is_empty() => {}
            Value::Str(text) if text == "panic" => panic!("asked for"),
            _ => return Err(InvalidDocument.into()),
        }
        Ok(Box::new(move |sink, cancel| {
            self.runs.fetch_add(1, Ordering::SeqCst);
            (self.act)(&document, sink, cancel);
        }))
    }

    fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory)
    }

    fn runs(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }
}

/// Gives every element of the document back as a result of its own.
pub(crate) fn echo(document: &Value, sink: &mut dyn Sink, _: &CancellationToken) {
    let Value::List(actions) = document else { return };
    sink.emit(Event::Accepted {
        protocol: PROTOCOL,
        run: 1,
        actions: actions.len(),
        name: None,
        state: None,
        queued: None,
    });
    for (index, action) in actions.iter().enumerate() {
        sink.emit(Event::Started { index, command: "echo".to_owned() });
        sink.result(&action.to_text(), result(index, action.clone()));
    }
    sink.emit(Event::Done {
        ok: true,
        failed: 0,
        elapsed_s: 0.5,
        run: None,
        state: None,
        message: None,
    });
}

/// A result of this value.
pub(crate) fn result(index: usize, value: Value) -> ActionResult {
    ActionResult::new(index, "echo", Ok(value))
}

/// A server that runs.
pub(crate) struct Served {
    pub(crate) port: u16,
    pub(crate) counters: Arc<Counters>,
    pub(crate) script: Arc<Script>,
    pub(crate) shutdown: CancellationToken,
    lines: Arc<Mutex<Vec<String>>>,
    ended: JoinHandle<()>,
    tls: Option<tempfile::TempDir>,
}

/// How a server is started.
pub(crate) struct Setup {
    server: Server,
    secrets: Secrets,
    script: Arc<Script>,
    tls: Option<tempfile::TempDir>,
}

/// A server whose documents [`echo`].
pub(crate) fn server() -> Setup {
    server_that(echo)
}

/// A server whose documents do this.
pub(crate) fn server_that(
    act: impl Fn(&Value, &mut dyn Sink, &CancellationToken) + Send + Sync + 'static,
) -> Setup {
    server_within(usize::MAX, act)
}

/// A server whose documents do this, under a ceiling for memory.
pub(crate) fn server_within(
    memory: usize,
    act: impl Fn(&Value, &mut dyn Sink, &CancellationToken) + Send + Sync + 'static,
) -> Setup {
    let memory = Memory::new(memory);
    let script = Arc::new(Script { runs: AtomicU64::new(0), memory, act: Box::new(act) });
    let server = Server::new(Arc::<Script>::clone(&script));
    Setup { server, secrets: Secrets::default(), script, tls: None }
}

impl Setup {
    pub(crate) fn framed_only(mut self) -> Self {
        self.server.framed_only = true;
        self
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.secrets.tokens = Tokens::new([&Token::new(token).expect("a token")]);
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.server.limits);
        self
    }

    /// With a certificate for `localhost`.
    pub(crate) fn tls(mut self) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a cert");
        std::fs::write(dir.path().join("crt"), made.cert.pem()).expect("a file");
        std::fs::write(dir.path().join("key"), made.signing_key.serialize_pem()).expect("a file");
        make_private(&dir.path().join("key"));
        let identity = Identity {
            cert: dir.path().join("crt"),
            key: dir.path().join("key"),
            credentials: false,
        };
        self.secrets.tls = Some(server_config(&identity, None).expect("a configuration"));
        self.tls = Some(dir);
        self
    }

    pub(crate) fn start(mut self) -> Served {
        let listeners = Listeners::bind("127.0.0.1", 0).expect("a free port");
        let port = listeners.port();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let said = Arc::clone(&lines);
        self.server.announce = Box::new(move |line| said.lock().expect("no panic").push(line));
        self.server.keyring = Keyring::new(self.secrets);
        let counters = Arc::clone(&self.server.counters);
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(run(listeners, Handle::new(self.server, shutdown.clone())));
        Served { port, counters, script: self.script, shutdown, lines, ended, tls: self.tls }
    }
}

impl Served {
    pub(crate) async fn connect(&self) -> TcpStream {
        soon(TcpStream::connect(("127.0.0.1", self.port))).await.expect("a server")
    }

    /// Sends these bytes and reads the reply to its end.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.expect("a server that listens");
        reply(stream).await
    }

    /// Whether a request of nobody's interest is answered.
    pub(crate) async fn is_well(&self) -> bool {
        self.exchange(frame("null")).await == terminator()
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.tls.as_ref().expect("a TLS server").path().join("crt")
    }

    pub(crate) fn endpoint(&self, mode: Mode) -> Endpoint {
        let tls = self.tls.is_some().then(|| ClientTls {
            ca: Some(self.certificate()),
            server_name: Some("localhost".to_owned()),
            ..ClientTls::default()
        });
        endpoint(self.port, mode, tls)
    }

    /// Waits for the end, and gives what it announced.
    pub(crate) async fn end(self) -> Vec<String> {
        soon(self.ended).await.expect("no panic");
        let lines = self.lines.lock().expect("no panic");
        lines.iter().map(|line| line.replace(&self.port.to_string(), "PORT")).collect()
    }
}

pub(crate) fn endpoint(port: u16, mode: Mode, tls: Option<ClientTls>) -> Endpoint {
    Endpoint { host: "127.0.0.1".to_owned(), port, mode, tls, connect_timeout: DEADLINE }
}

/// Reads a reply to its end.
pub(crate) async fn reply(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut reply = Vec::new();
    soon(stream.read_to_end(&mut reply)).await.expect("a proper end");
    String::from_utf8_lossy(&reply).into_owned()
}

pub(crate) fn frame(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = u32::try_from(body.len()).expect("a length");
    [&length.to_be_bytes()[..], body].concat()
}

/// The frames of a reply as text, one after the other.
pub(crate) fn frames<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let bytes: Vec<u8> = lines.into_iter().flat_map(frame).collect();
    String::from_utf8(bytes).expect("short frames")
}

pub(crate) fn terminator() -> String {
    frames([END])
}

/// Reads a counter.
pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
