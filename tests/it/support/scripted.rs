//! A target that answers by a script and keeps what it was asked: plain or over TLS, as well-behaved
//! or as hostile as the script is. It reads requests by hand, so that a test sees the bytes that
//! came, and one thread per connection makes it simple; all of them end with the target.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use super::DEADLINE;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One request, as it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Request {
    /// Which connection it came over, counted from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header's value; several are joined with `|`.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join("|"))
    }

    /// Its body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What happens to a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another request may come.
    Keep,
    /// It is closed.
    Close,
}

/// A byte stream to whoever tests.
pub(crate) trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

type Script = dyn Fn(&Request, &mut dyn Wire) -> io::Result<Next> + Send + Sync;

/// How many connections have been closed; others can wait for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closed(Arc<(Mutex<usize>, Condvar)>);

impl Closed {
    /// Waits until so many are.
    pub(crate) fn wait_for(&self, count: usize) {
        let closed = self.0.0.lock().expect("a count");
        let waited = self.0.1.wait_timeout_while(closed, DEADLINE, |closed| *closed < count);
        assert!(!waited.expect("a count").1.timed_out(), "connections stay open");
    }

    fn count(&self) {
        *self.0.0.lock().expect("a count") += 1;
        self.0.1.notify_all();
    }
}

/// The target.
pub(crate) struct Scripted {
    address: std::net::SocketAddr,
    scheme: &'static str,
    seen: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    open: Arc<Mutex<HashMap<usize, TcpStream>>>,
    closed: Closed,
    accepting: Option<JoinHandle<()>>,
}

impl Scripted {
    /// A target that answers each request by the script.
    pub(crate) fn start(
        script: impl Fn(&Request, &mut dyn Wire) -> io::Result<Next> + Send + Sync + 'static,
    ) -> Self {
        Self::over("127.0.0.1:0", None, script)
    }

    /// The same behind TLS.
    pub(crate) fn secure(
        config: Arc<ServerConfig>,
        script: impl Fn(&Request, &mut dyn Wire) -> io::Result<Next> + Send + Sync + 'static,
    ) -> Self {
        Self::over("127.0.0.1:0", Some(config), script)
    }

    /// The same at an address of its own.
    pub(crate) fn over(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Request, &mut dyn Wire) -> io::Result<Next> + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let scheme = if tls.is_some() { "https" } else { "http" };
        Self::accept(address, scheme, move |socket, connection, seen| {
            let talk = |wire: &mut dyn Wire| converse(wire, connection, &seen, &*script);
            let _ = match &tls {
                None => talk(&mut &socket),
                Some(config) => secure(socket, config, talk),
            };
        })
    }

    /// A target that treats connections by hand: it need not even read.
    pub(crate) fn raw(body: impl Fn(TcpStream, usize) + Send + Sync + Clone + 'static) -> Self {
        Self::accept("127.0.0.1:0", "http", move |socket, connection, _| body(socket, connection))
    }

    fn accept(
        address: &str,
        scheme: &'static str,
        body: impl Fn(TcpStream, usize, Arc<Mutex<Vec<Request>>>) + Send + Sync + Clone + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (connections, closed) = (Arc::new(AtomicUsize::new(0)), Closed::default());
        let open: Arc<Mutex<HashMap<usize, TcpStream>>> = Arc::default();
        let accepting = {
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            let (connections, closed) = (Arc::clone(&connections), closed.clone());
            let open = Arc::clone(&open);
            thread::spawn(move || {
                let mut talking: Vec<JoinHandle<()>> = Vec::new();
                for socket in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let socket = socket.expect("a connection");
                    let _ = socket.set_nodelay(true);
                    let number = connections.fetch_add(1, Ordering::SeqCst);
                    let copy = socket.try_clone().expect("a socket");
                    open.lock().expect("sockets").insert(number, copy);
                    let (body, seen) = (body.clone(), Arc::clone(&seen));
                    let (open, closed) = (Arc::clone(&open), closed.clone());
                    talking.push(thread::spawn(move || {
                        body(socket, number, seen);
                        open.lock().expect("sockets").remove(&number);
                        closed.count();
                    }));
                }
                talking.into_iter().for_each(|thread| drop(thread.join()));
            })
        };
        Self { address, scheme, seen, connections, stop, open, closed, accepting: Some(accepting) }
    }

    /// Its URL by address, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Its URL by name.
    pub(crate) fn url_by_name(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("requests").clone()
    }

    /// How many of its connections are closed.
    pub(crate) fn closed(&self) -> Closed {
        self.closed.clone()
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for socket in self.open.lock().expect("sockets").values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        // Whoever waits for a connection gets one, and looks.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn secure(
    socket: TcpStream,
    config: &Arc<ServerConfig>,
    talk: impl FnOnce(&mut dyn Wire) -> io::Result<()>,
) -> io::Result<()> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let outcome = talk(&mut stream);
    stream.conn.send_close_notify();
    let _ = stream.flush();
    let _ = stream.sock.shutdown(Shutdown::Write);
    outcome
}

/// Reads requests and answers them until the script or the peer ends it.
fn converse(
    wire: &mut dyn Wire,
    connection: usize,
    seen: &Mutex<Vec<Request>>,
    script: &Script,
) -> io::Result<()> {
    while let Some(request) = read_request(wire, connection)? {
        seen.lock().expect("requests").push(request.clone());
        if script(&request, wire)? == Next::Close {
            break;
        }
    }
    Ok(())
}

fn read_request(wire: &mut dyn Wire, connection: usize) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if wire.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut request = Request { connection, method, target, headers, body: Vec::new() };
    // A script that wants to answer before it has read everything says so in the path.
    if !request.target.starts_with("/early") {
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        request.body.resize(length, 0);
        wire.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

/// Writes a whole answer.
pub(crate) fn answer(
    wire: &mut dyn Wire,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Next> {
    let mut bytes = format!("HTTP/1.1 {status} Scripted\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    wire.write_all(&bytes)?;
    wire.flush()?;
    Ok(Next::Keep)
}

/// Writes bytes as they are, and closes.
pub(crate) fn say(wire: &mut dyn Wire, bytes: &[u8]) -> io::Result<Next> {
    wire.write_all(bytes)?;
    wire.flush()?;
    Ok(Next::Close)
}
