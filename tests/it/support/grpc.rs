//! A peer that speaks gRPC over the h2 crate's server, and does with each call what a script says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) messages: Vec<Vec<u8>>,
}

impl Call {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the peer does with a call.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Sends messages, and ends with a status.
    Ends(Vec<Vec<u8>>, &'static str, &'static str),
    /// Responds with this HTTP status, these headers, bytes and trailers.
    Says(
        u16,
        Vec<(&'static str, &'static str)>,
        Vec<u8>,
        Option<Vec<(&'static str, &'static str)>>,
    ),
    /// The same as `Ends` with OK, and closes the connection in good order.
    EndsLast(Vec<Vec<u8>>),
    /// Closes the connection in good order, this call not made.
    Leaves,
    /// Resets the stream.
    Resets(Reason),
    /// Says nothing.
    Hangs,
    /// Sends this message again and again.
    Floods(Vec<u8>),
}

impl Does {
    /// A message, and OK.
    pub(crate) fn one(message: Vec<u8>) -> Self {
        Self::Ends(vec![message], "0", "")
    }
}

/// A message behind its prefix.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// The messages of framed bytes.
fn unframed(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes[1..5].try_into().expect("a length")) as usize;
        found.push(bytes[5..5 + length].to_vec());
        bytes = &bytes[5 + length..];
    }
    found
}

/// A `HelloReply`, or a `HelloRequest`.
pub(crate) fn hello(text: &str, count: u8) -> Vec<u8> {
    let mut out = Vec::new();
    if !text.is_empty() {
        out.extend([0x0a, u8::try_from(text.len()).expect("short")]);
        out.extend(text.as_bytes());
    }
    if count > 0 {
        out.extend([0x10, count]);
    }
    out
}

type Script = Arc<dyn Fn(&Call) -> Does + Send + Sync>;

/// The peer.
pub(crate) struct GrpcPeer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Call>>>,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl GrpcPeer {
    pub(crate) fn start(script: impl Fn(&Call) -> Does + Send + Sync + 'static) -> Self {
        Self::over(None, script)
    }

    pub(crate) fn over(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Call) -> Does + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let (stop, stopped) = oneshot::channel();
        let (told, address) = oneshot::channel();
        let (seen, connections) =
            (Arc::<Mutex<Vec<Call>>>::default(), Arc::new(AtomicUsize::new(0)));
        let (calls, count) = (Arc::clone(&seen), Arc::clone(&connections));
        let serving = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                told.send(listener.local_addr().expect("an address")).expect("a test");
                let accept = async {
                    let mut talking = JoinSet::new();
                    loop {
                        let (socket, _) = listener.accept().await.expect("a connection");
                        count.fetch_add(1, Ordering::SeqCst);
                        let (calls, script) = (Arc::clone(&calls), Arc::clone(&script));
                        let tls = tls.clone();
                        talking.spawn(async move {
                            match tls {
                                None => talk(socket, calls, script).await,
                                Some(config) => {
                                    let accepted = TlsAcceptor::from(config).accept(socket).await;
                                    if let Ok(stream) = accepted {
                                        talk(stream, calls, script).await;
                                    }
                                }
                            }
                        });
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address.blocking_recv().expect("an address");
        Self { address, seen, connections, stop: Some(stop), serving: Some(serving) }
    }

    /// As a task names it.
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    /// The calls so far.
    pub(crate) fn seen(&self) -> Vec<Call> {
        self.seen.lock().expect("calls").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for GrpcPeer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: Arc<Mutex<Vec<Call>>>,
    script: Script,
) {
    let Ok(mut session) = h2::server::handshake(stream).await else { return };
    let mut acting = JoinSet::new();
    while let Some(Ok((request, mut respond))) = session.accept().await {
        let (head, mut body) = request.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers: Vec<(String, String)> =
            head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let authority = head.uri.authority().map(ToString::to_string);
        headers.push((":authority".to_owned(), authority.unwrap_or_default()));
        let mut bytes = Vec::new();
        // The body moves with the session, so it is read beside it.
        let collect = async {
            while let Some(Ok(piece)) = body.data().await {
                bytes.extend_from_slice(&piece);
                let _ = body.flow_control().release_capacity(piece.len());
            }
        };
        tokio::select! {
            () = collect => {}
            _ = std::future::poll_fn(|context| session.poll_closed(context)) => return,
        }
        let call = Call { path: head.uri.path().to_owned(), headers, messages: unframed(&bytes) };
        let does = script(&call);
        seen.lock().expect("calls").push(call);
        match does {
            Does::EndsLast(messages) => {
                session.graceful_shutdown();
                acting.spawn(act(Does::Ends(messages, "0", ""), respond));
            }
            Does::Leaves => {
                session.graceful_shutdown();
                respond.send_reset(Reason::REFUSED_STREAM);
            }
            does => drop(acting.spawn(act(does, respond))),
        }
    }
}

async fn act(does: Does, mut respond: SendResponse<Bytes>) {
    let ok = |headers: &[(&'static str, &'static str)]| {
        let mut response = Response::builder().status(200);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).expect("a response")
    };
    let grpc = [("content-type", "application/grpc"), ("x-head", "before")];
    match does {
        Does::Ends(messages, status, message) => {
            let Ok(mut stream) = respond.send_response(ok(&grpc), false) else { return };
            for one in messages {
                let _ = stream.send_data(framed(&one).into(), false);
            }
            let trailers =
                [("grpc-status", status), ("grpc-message", message), ("x-tail", "after")];
            let _ = stream.send_trailers(map(&trailers));
        }
        Does::Says(status, headers, bytes, trailers) => {
            let mut response = ok(&headers);
            *response.status_mut() = status.try_into().expect("a status");
            let ends = bytes.is_empty() && trailers.is_none();
            let Ok(mut stream) = respond.send_response(response, ends) else { return };
            if !bytes.is_empty() {
                let _ = stream.send_data(bytes.into(), trailers.is_none());
            }
            if let Some(trailers) = trailers {
                let _ = stream.send_trailers(map(&trailers));
            }
        }
        Does::Resets(reason) => respond.send_reset(reason),
        Does::Floods(message) => {
            let Ok(mut stream) = respond.send_response(ok(&grpc), false) else { return };
            let message = Bytes::from(framed(&message));
            loop {
                stream.reserve_capacity(message.len());
                let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
                if !matches!(room, Some(Ok(_))) || stream.send_data(message.clone(), false).is_err()
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
        Does::Hangs => {
            // Until the client gives up.
            let _ = std::future::poll_fn(|context| respond.poll_reset(context)).await;
        }
        Does::EndsLast(_) | Does::Leaves => {}
    }
}

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    pairs
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// Says hello to whoever calls.
pub(crate) fn greeter() -> GrpcPeer {
    GrpcPeer::start(|call| {
        let name = call.messages.first().map(Vec::as_slice).unwrap_or_default();
        let name = name.get(2..2 + usize::from(*name.get(1).unwrap_or(&0))).unwrap_or_default();
        Does::one(hello(&format!("hi {}", String::from_utf8_lossy(name)), 0))
    })
}
