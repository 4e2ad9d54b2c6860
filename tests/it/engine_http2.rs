//! HTTP/2 towards targets: agreed under TLS or by prior knowledge, the same requests and verdicts as
//! over HTTP/1.1, and targets that misbehave in frames.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::support::{Authority, Load, Request, Scripted, answer};

/// What a target does with a request.
#[derive(Debug, Clone)]
enum Does {
    /// Answers with a status, headers and a body.
    Answers(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Answers, and closes the connection in good order.
    AnswersLast,
    /// Resets the stream.
    Resets(Reason),
    /// Answers half a body and resets the stream.
    Breaks,
    /// Closes the connection in good order, this request unanswered.
    Leaves,
    /// Says nothing.
    Hangs,
}

/// A target that speaks HTTP/2 alone, by the h2 crate's server.
struct Target {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

type Script = Arc<dyn Fn(&Request) -> Does + Send + Sync>;

impl Target {
    fn start(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Request) -> Does + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let (stop, stopped) = oneshot::channel();
        let (told, address) = oneshot::channel();
        let (seen, connections) =
            (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(AtomicUsize::new(0)));
        let serving = {
            let (seen, connections) = (Arc::clone(&seen), Arc::clone(&connections));
            thread::spawn(move || {
                let runtime =
                    Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                    told.send(listener.local_addr().expect("an address")).expect("a test");
                    let accept = async {
                        let mut talking = JoinSet::new();
                        loop {
                            let (socket, _) = listener.accept().await.expect("a connection");
                            let number = connections.fetch_add(1, Ordering::SeqCst);
                            let (seen, script, tls) =
                                (Arc::clone(&seen), Arc::clone(&script), tls.clone());
                            talking.spawn(async move {
                                match tls {
                                    None => talk(socket, number, &seen, &script).await,
                                    Some(config) => {
                                        if let Ok(stream) =
                                            TlsAcceptor::from(config).accept(socket).await
                                        {
                                            talk(stream, number, &seen, &script).await;
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
            })
        };
        let address = address.blocking_recv().expect("an address");
        Self { address, seen, connections, stop: Some(stop), serving: Some(serving) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn secure_url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("requests").clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    seen: &Mutex<Vec<Request>>,
    script: &Script,
) {
    let Ok(mut session) = h2::server::handshake(stream).await else { return };
    let mut hanging = Vec::new();
    while let Some(Ok((request, mut respond))) = session.accept().await {
        let (head, mut body) = request.into_parts();
        let mut request = Request {
            connection,
            method: head.method.to_string(),
            target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: vec![(
                ":authority".to_owned(),
                head.uri.authority().map(ToString::to_string).unwrap_or_default(),
            )],
            body: Vec::new(),
        };
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        request
            .headers
            .extend(head.headers.iter().map(|(name, value)| (name.to_string(), text(value))));
        // The body moves with the session, so it is read beside it.
        let collect = async {
            while let Some(Ok(piece)) = body.data().await {
                request.body.extend_from_slice(&piece);
                let _ = body.flow_control().release_capacity(piece.len());
            }
        };
        tokio::select! {
            () = collect => {}
            _ = std::future::poll_fn(|context| session.poll_closed(context)) => return,
        }
        let does = script(&request);
        seen.lock().expect("requests").push(request);
        match does {
            Does::Hangs => hanging.push(respond),
            Does::AnswersLast | Does::Leaves => {
                session.graceful_shutdown();
                act(does, &mut respond);
            }
            does => act(does, &mut respond),
        }
    }
}

fn act(does: Does, respond: &mut SendResponse<Bytes>) {
    match does {
        Does::Answers(status, headers, body) => {
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let response = response.body(()).expect("a response");
            let Ok(mut stream) = respond.send_response(response, body.is_empty()) else { return };
            if !body.is_empty() {
                let _ = stream.send_data(body.into(), true);
            }
        }
        Does::Resets(reason) => respond.send_reset(reason),
        Does::Breaks => {
            let response = http::Response::builder().status(200).body(()).expect("a response");
            if let Ok(mut stream) = respond.send_response(response, false) {
                let _ = stream.send_data(Bytes::from_static(b"half"), false);
                stream.send_reset(Reason::INTERNAL_ERROR);
            }
        }
        Does::AnswersLast => {
            let response = http::Response::builder().status(200).body(()).expect("a response");
            let _ = respond.send_response(response, true);
        }
        Does::Leaves => respond.send_reset(Reason::REFUSED_STREAM),
        Does::Hangs => {}
    }
}

fn fine(request: &Request) -> Does {
    let headers = vec![("x-test", "v".to_owned()), ("set-cookie", "id=7; Path=/".to_owned())];
    let head = request.method == "HEAD";
    let body = if head { Vec::new() } else { [b"echo ", &*request.body].concat() };
    Does::Answers(200, headers, body)
}

#[test]
fn a_request_over_http2_contains_everything_its_task_specifies() {
    let target = Target::start(None, fine);
    let outcome = Load::once(json!([
        {"method": "post", "request_url": target.url() + "/p?q=1", "params": {"a": "b c"}, "headers": {"X-One": "1"},
         "auth": {"type": "bearer", "token": "t"}, "json": {"k": [1]},
         "assertions": [{"type": "status_code", "value": 200}, {"type": "header", "name": "X-Test", "value": "v"},
                        {"type": "contains", "value": "echo {\"k\": [1]}"}]},
        {"method": "get", "request_url": target.url() + "/next"},
        {"method": "head", "request_url": target.url()},
    ]))
    .with("http2", json!(true))
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let seen = target.seen();
    assert_eq!(
        (&*seen[0].method, &*seen[0].target, &*seen[0].text()),
        ("POST", "/p?q=1&a=b+c", "{\"k\": [1]}")
    );
    for (name, value) in [
        (":authority", target.url().replace("http://", "")),
        ("x-one", "1".to_owned()),
        ("authorization", "Bearer t".to_owned()),
        ("content-type", "application/json".to_owned()),
    ] {
        assert_eq!(seen[0].header(name), Some(value), "{name}");
    }
    assert_eq!(seen[1].header("cookie").as_deref(), Some("id=7"));
    assert_eq!((seen.len(), target.connections()), (3, 1));
}

#[test]
fn tls_agrees_on_the_protocol() {
    let authority = Authority::new();
    let new = Target::start(Some(authority.server(&[b"h2"])), fine);
    let old =
        Scripted::secure(authority.server(&[b"http/1.1"]), |_, wire| answer(wire, 200, &[], b""));
    let certificate = std::fs::read(authority.file("ca.pem")).expect("a file");
    let task = |url: String, http2: bool| json!({"method": "get", "request_url": url, "verify": "ca.pem", "http2": http2});
    let outcome = Load::once(json!([
        task(new.secure_url(), true),
        task(old.url_by_name(), true),
        task(old.url_by_name(), false)
    ]))
    .file("ca.pem", &certificate)
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!((new.seen().len(), old.seen().len()), (1, 2));
}

#[test]
fn redirects_stay_in_the_session() {
    let target = Target::start(None, |request| match &*request.target {
        "/away" => Does::Answers(302, vec![("location", "/landed".to_owned())], Vec::new()),
        _ => Does::Answers(200, Vec::new(), b"landed".to_vec()),
    });
    let outcome = Load::once(json!([
        {"method": "get", "request_url": target.url() + "/away", "http2": true,
         "assertions": [{"type": "contains", "value": "landed"}]},
    ]))
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!((target.seen().len(), target.connections()), (2, 1));
}

#[test]
fn large_bodies_pass_the_windows_both_ways() {
    let target = Target::start(None, fine);
    let body = "0123456789".repeat(600_000);
    let outcome = Load::over(
        json!([{"method": "post", "request_url": target.url(), "http2": true, "data": body, "timeout": 30}]),
        3,
    )
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert!(outcome.rows.iter().all(|row| row.bytes == 6_000_005), "{:?}", outcome.rows[0]);
    assert!(target.seen().iter().all(|request| request.body.len() == 6_000_000));
}

/// Every request fails for a reason that begins like this, and the next one is made.
fn check(does: Does, want: &str) {
    let target = Target::start(None, move |_| does.clone());
    let outcome = Load::over(
        json!([{"method": "post", "request_url": target.url(), "name": "sick", "http2": true, "timeout": 0.3}]),
        3,
    )
    .run();
    let error = outcome.error_of("sick");
    assert!(error.starts_with(want), "{error}");
    assert_eq!(target.seen().len(), outcome.rows.len());
}

#[test]
fn faults_of_streams_and_connections_are_classed() {
    check(
        Does::Resets(Reason::INTERNAL_ERROR),
        "HTTP/2 failed: the target reset the stream with INTERNAL_ERROR; its log may say why",
    );
    check(
        Does::Resets(Reason::REFUSED_STREAM),
        "HTTP/2: the target refused the request (REFUSED_STREAM); use fewer users or a lower rate, \
         or raise its limit of concurrent streams",
    );
    check(
        Does::Resets(Reason::HTTP_1_1_REQUIRED),
        "HTTP/2 failed: the target reset the stream with HTTP_1_1_REQUIRED; it accepts this request \
         only over HTTP/1.1: leave out \"http2\"",
    );
    check(
        Does::Resets(Reason::from(0x77)),
        "HTTP/2 failed: the target reset the stream with error 0x77",
    );
    check(Does::Breaks, "HTTP/2 failed: ");
    check(Does::Hangs, "timed out after 0.3 s");
}

#[test]
fn targets_with_and_without_the_protocol_have_different_errors() {
    let old = Scripted::raw(|mut socket, _| {
        let _ = std::io::Read::read(&mut socket, &mut [0; 1024]);
        let _ = std::io::Write::write_all(
            &mut socket,
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let outcome =
        Load::over(json!([{"method": "get", "request_url": old.url(), "name": "old", "http2": true, "timeout": 5}]), 2)
            .run();
    let error = outcome.error_of("old");
    let want = "HTTP/2 failed: the target's response is not HTTP/2; if it speaks only HTTP/1.1, leave \
                out \"http2\"";
    assert!(error == want || error.starts_with("connection "), "{error}");
}

#[test]
fn a_packed_body_is_read_and_a_closed_connection_is_not_used_again() {
    let target = Target::start(None, |_| {
        let headers = vec![("content-encoding", "br".to_owned())];
        // "hello" as RFC 7932, section 9.2 has it.
        Does::Answers(200, headers, b"\x0b\x02\x80hello\x03".to_vec())
    });
    let task = |headers: serde_json::Value| {
        json!({"method": "get", "request_url": target.url(), "http2": true, "headers": headers,
               "assertions": [{"type": "contains", "value": "hello"}]})
    };
    let close = task(json!({"Connection": "close"}));
    let outcome = Load::once(json!([task(json!({})), close, task(json!({})), close])).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert!(outcome.rows.iter().all(|row| row.bytes == 5), "{:?}", outcome.rows);
    assert_eq!((target.seen().len(), target.connections()), (4, 2));
}

#[test]
fn every_user_has_a_session_of_its_own_and_keeps_it() {
    let target = Target::start(None, fine);
    let task = json!([{"method": "get", "request_url": target.url(), "http2": true}]);
    let outcome = Load::over(task, 50).with("user_count", json!(5)).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!((target.seen().len(), target.connections()), (outcome.rows.len(), 5));
}

#[test]
fn a_session_that_ends_in_good_order_is_replaced_without_a_failure() {
    let target = Target::start(None, |_| Does::AnswersLast);
    let task = json!([{"method": "post", "request_url": target.url(), "http2": true, "data": "x"}]);
    let outcome = Load::over(task, 30).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(target.seen().len(), outcome.rows.len());
}

#[test]
fn a_request_that_is_refused_unprocessed_is_sent_once_more() {
    let turn = AtomicUsize::new(0);
    let target = Target::start(None, move |_| match turn.fetch_add(1, Ordering::SeqCst) {
        1 => Does::Leaves,
        _ => Does::Answers(200, Vec::new(), b"ok".to_vec()),
    });
    let task = json!({"method": "post", "request_url": target.url(), "http2": true});
    let outcome = Load::once(json!([task, task, task])).run();
    assert_eq!(outcome.errors(), [""; 0]);
}

#[test]
fn t41_a_long_body_is_sent_whole_over_http_2_with_and_without_placeholders() {
    let target = Target::start(None, |_| Does::Answers(200, Vec::new(), b"ok".to_vec()));
    let long = [vec![b'x'; 100_000], b"${var.v}".to_vec(), vec![b'y'; 100_000]].concat();
    let task = |headers: serde_json::Value| {
        json!({"method": "post", "url": target.url(), "http2": true, "headers": headers,
               "files": {"f": {"path": "long"}, "g": {"path": "constant"}}})
    };
    let mut constant = task(json!({}));
    constant["files"] = json!({"g": {"path": "constant"}});
    let outcome =
        Load::once(json!([task(json!({"X-Id": "${uuid()}"})), task(json!({})), constant]))
            .with("variables", json!({"v": "VAL"}))
            .file("long", &long)
            .file("constant", &[0xff; 70_000])
            .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let seen = target.seen();
    let text = "x".repeat(100_000) + "VAL" + &"y".repeat(100_000);
    for request in &seen {
        assert!(memchr::memmem::find(&request.body, &[0xff; 70_000]).is_some());
        assert!(request.body.starts_with(b"--ldctl-") && request.body.ends_with(b"--\r\n"));
        let length = request.body.len().to_string();
        assert_eq!(request.header("content-length"), Some(length));
    }
    let long = seen.iter().filter(|request| request.text().contains(&text)).count();
    assert_eq!((seen.len(), long), (3, 2));
}
