//! WebSocket tasks against real peers: messages that go out and come back, connections that last from
//! step to step, and peers that refuse, break off, or say too much.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ldctl::memory::Memory;
use serde_json::{Value as Json, json};
use socket2::SockRef;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::support::{Authority, Load, Peer, nowhere};

type Server<'a> = WebSocket<&'a mut TcpStream>;

/// A handshake that failed, without the stream that it borrows.
fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

/// A peer that opens each WebSocket and then follows the script.
fn peer(
    script: impl Fn(&mut Server<'_>) -> Result<(), tungstenite::Error> + Send + Sync + 'static,
) -> Peer {
    Peer::start(move |stream| {
        let mut socket = tungstenite::accept(stream).map_err(broken)?;
        script(&mut socket).map_err(io::Error::other)
    })
}

/// Gives every message back until the other side closes.
fn echo(socket: &mut Server<'_>) -> Result<(), tungstenite::Error> {
    loop {
        let message = socket.read()?;
        if message.is_text() || message.is_binary() {
            socket.send(message)?;
        }
    }
}

/// A peer that says this to the first message, and reads on.
fn saying(message: impl Into<Message>) -> Peer {
    let message = message.into();
    peer(move |socket| {
        socket.read()?;
        socket.send(message.clone())?;
        loop {
            socket.read()?;
        }
    })
}

/// Sends these bytes after the handshake, as they are.
fn raw(bytes: &'static [u8]) -> Peer {
    Peer::start(move |stream| {
        open(stream)?;
        stream.write_all(bytes)?;
        io::copy(stream, &mut io::sink()).map(drop)
    })
}

/// The server's side of the handshake.
fn open(stream: &mut TcpStream) -> io::Result<()> {
    tungstenite::accept(&mut *stream).map(drop).map_err(broken)
}

/// Reads a request and responds with this head; `KEY` stands for the right key.
fn responding(head: &'static str) -> Peer {
    Peer::start(move |stream| {
        let request = read_head(stream)?;
        let lines = request.lines();
        let mut keys = lines.filter_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let key = derive_accept_key(keys.next().unwrap_or_default().as_bytes());
        stream.write_all(head.replace("KEY", &key).replace('\n', "\r\n").as_bytes())?;
        io::copy(stream, &mut io::sink()).map(drop)
    })
}

fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

fn load(tasks: Json) -> Load {
    Load::once(tasks).with("user_detail_dict", json!({"user": "websocket_user"}))
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}/chat")
}

/// A task for a peer, with these fields.
fn task(address: SocketAddr, fields: Json) -> Json {
    let mut task = fields;
    task["request_url"] = json!(url(address));
    task
}

/// A step that sends and receives.
fn ask(address: SocketAddr, payload: &str) -> Json {
    task(address, json!({"method": "sendrecv", "payload": payload}))
}

/// The outcome of each step, `ok` or why it failed.
fn outcomes(load: Load) -> Vec<String> {
    let rows = load.run().rows.into_iter();
    rows.map(|row| row.error.unwrap_or_else(|| "ok".to_owned())).collect()
}

/// One step towards a peer fails for this reason; `ok` stands for none.
#[track_caller]
fn check(address: SocketAddr, fields: Json, want: &str) {
    assert_eq!(outcomes(load(json!([task(address, fields.clone())]))), [want], "{fields}");
}

const LOST: &str = "Connection to remote host was lost.";

#[test]
fn messages_go_out_and_come_back_over_one_connection() {
    let echo = peer(echo);
    let url = url(echo.address);
    let outcome = load(json!([
        {"method": "Connect", "request_url": url},
        {"payload": "pïng", "name": "n"},
        {"method": "recv", "expect": "ïn"},
        {"method": "SendRecv", "url": url, "payload": {"a": "${x}"}, "expect": 2},
        {"method": "close", "name": ""},
        {"method": "close"},
    ]))
    .with("variables", json!({"x": 2}))
    .run();
    let rows: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| (&*row.method, &*row.url, &*row.name, row.status, row.bytes, &row.error))
        .collect();
    assert_eq!(
        rows,
        [
            ("WS", &*url, &*url, None, 0, &None),
            ("WS", &*url, "n", None, 5, &None),
            ("WS", &*url, &*url, None, 5, &None),
            ("WS", &*url, &*url, None, 20, &None),
            ("WS", &*url, &*url, None, 0, &None),
            ("WS", "", "close", None, 0, &None),
        ]
    );
    assert_eq!(echo.connections(), 1);
}

#[test]
fn a_message_is_text_bytes_or_json() {
    let (sender, sent) = channel();
    let sender = Mutex::new(sender);
    let listening = peer(move |socket| {
        loop {
            let message = socket.read()?;
            sender.lock().expect("a lock").send(message).expect("a test");
        }
    });
    let text = |text: &str| Message::text(text);
    let bytes = |bytes: &[u8]| Message::binary(bytes.to_vec());
    let cases = [
        (json!({"payload": "hex:00"}), text("hex:00")),
        (json!({"payload": "${v}"}), text("it's \"é\"")),
        (json!({}), text("")),
        (json!({"payload": 0}), text("0")),
        (json!({"payload": [1, {"a": "${v}"}]}), text(r#"[1, {"a": "it's \"\u00e9\""}]"#)),
        (json!({"payload": "hex:00 fF", "binary": true}), bytes(b"\x00\xff")),
        (json!({"payload": "${h}", "binary": true}), bytes(b"\x01\x02")),
        (json!({"payload": "é", "binary": true}), bytes("é".as_bytes())),
    ];
    let tasks: Vec<_> =
        cases.iter().map(|(fields, _)| task(listening.address, fields.clone())).collect();
    let variables = json!({"v": "it's \"é\"", "h": "hex:0102"});
    assert!(outcomes(load(json!(tasks)).with("variables", variables)).iter().all(|it| it == "ok"));
    for (fields, want) in cases {
        assert_eq!(sent.recv().expect("a message"), want, "{fields}");
    }
    // The end of the test closes the connection in order.
    let gone = CloseFrame { code: CloseCode::Away, reason: "".into() };
    assert_eq!(sent.recv().expect("a message"), Message::Close(Some(gone)));
    let wrong = task(listening.address, json!({"payload": "${h}", "binary": true}));
    let outcome = outcomes(load(json!([wrong])).with("variables", json!({"h": "hex:1"})));
    let why = "invalid bytes: \"hex:\" takes pairs of hexadecimal digits, with or without spaces";
    assert_eq!(outcome, [why]);
}

#[test]
#[expect(clippy::result_large_err, reason = "the library's own type")]
fn the_handshake_has_the_headers_and_subprotocols_of_the_task() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let chatty = Peer::start(move |stream| {
        let choose = |request: &Request, mut response: Response| {
            let text = |name| {
                let value = request.headers().get(name).map(|value| value.to_str().expect("ASCII"));
                value.unwrap_or("none").to_owned()
            };
            let names = ["x-token", "origin", "authorization", "sec-websocket-protocol"];
            seen.lock().expect("a lock").push(names.map(text));
            if text("sec-websocket-protocol") != "none" {
                let chosen = "b".parse().expect("a value");
                response.headers_mut().insert("sec-websocket-protocol", chosen);
            }
            Ok(response)
        };
        let mut socket = tungstenite::accept_hdr(stream, choose).map_err(broken)?;
        let _ = socket.read();
        Ok(())
    });
    let (address, place) = (chatty.address, format!("http://{}", chatty.address));
    let with = json!({"method": "connect", "headers": {"X-Token": "t-${v}", "Origin": "http://page"},
                      "subprotocols": ["a", "${v}"]});
    let tasks = json!([
        task(address, with),
        {"method": "close"},
        {"method": "connect", "url": format!("ws://u:p@{address}")},
    ]);
    let outcome = outcomes(load(tasks).with("variables", json!({"v": "b"})));
    assert_eq!(outcome, ["ok"; 3]);
    let heads = heads.lock().expect("a lock").clone();
    let plain = ["none", &*place, "Basic dTpw", "none"].map(str::to_owned);
    assert_eq!(heads, [["t-b", "http://page", "none", "a, b"].map(str::to_owned), plain]);
}

#[test]
fn a_peer_that_opens_no_websocket_fails_the_step_by_its_reason() {
    let connect = json!({"method": "connect"});
    check(nowhere(), connect.clone(), "[Errno 111] Connection refused");
    const OPENS: &str = "HTTP/1.1 101 x\nUpgrade: websocket\nConnection: Upgrade\n";
    for (head, why) in [
        ("HTTP/1.1 401 x\nDate: now\n\n", "Handshake status 401 Unauthorized"),
        ("HTTP/1.1 200 OK\n\n", "Handshake status 200 OK"),
        ("HTTP/1.1 101 x\n\n", "Invalid WebSocket Header: no \"Upgrade: websocket\""),
        ("nonsense\n\n", "Invalid WebSocket Header: the response is not HTTP"),
    ] {
        check(responding(head).address, connect.clone(), why);
    }
    for (rest, why) in [
        ("Sec-WebSocket-Accept: KEY\n\n", "ok"),
        (
            "Sec-WebSocket-Accept: x\n\n",
            "Invalid WebSocket Header: Sec-WebSocket-Accept does not match the key",
        ),
        (
            "Sec-WebSocket-Accept: KEY\nSec-WebSocket-Protocol: x\n\n",
            "Invalid WebSocket Header: a subprotocol that was not offered",
        ),
        (
            "Sec-WebSocket-Accept: KEY\nSec-WebSocket-Extensions: permessage-deflate\n\n",
            "Invalid WebSocket Header: an extension that was not offered",
        ),
    ] {
        let head = Box::leak(format!("{OPENS}{rest}").into_boxed_str());
        check(responding(head).address, connect.clone(), why);
    }
    let silent = Peer::start(|stream| io::copy(stream, &mut io::sink()).map(drop));
    let soon = json!({"method": "connect", "timeout": 0.05});
    check(silent.address, soon, "Connection timed out");
    let closing = Peer::start(|stream| read_head(stream).map(drop));
    check(closing.address, connect.clone(), LOST);
    let endless = Peer::start(|stream| {
        stream.write_all(b"HTTP/1.1 101 x\r\n")?;
        loop {
            stream.write_all(b"X-Header: and another one\r\n")?;
        }
    });
    let why = "Invalid WebSocket Header: the response has no end";
    check(endless.address, connect.clone(), why);
    let alert = Peer::start(|stream| {
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(b"\x15\x03\x03\x00\x02\x02\x46")
    });
    check(alert.address, connect, "the target speaks TLS on this port; use wss://");
}

#[test]
fn a_close_frame_fails_the_step_that_meets_it_and_the_next_one_connects_again() {
    let turns = Arc::new(Mutex::new(0));
    let closing = peer(move |socket| {
        let turn = {
            let mut turn = turns.lock().expect("a lock");
            *turn += 1;
            *turn
        };
        if turn > 3 {
            return echo(socket);
        }
        socket.read()?;
        let frame = match turn {
            1 => Some(CloseFrame { code: CloseCode::Library(4001), reason: "bye now".into() }),
            2 => Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }),
            _ => None,
        };
        socket.close(frame)?;
        loop {
            socket.read()?;
        }
    });
    let asked = ask(closing.address, "x");
    let tasks = json!([asked, asked, asked, {"payload": "y"}, {"method": "recv"}]);
    assert_eq!(
        outcomes(load(tasks)),
        [
            "connection closed by the target: 4001 bye now",
            "connection closed by the target: 1000",
            "connection closed by the target without a code",
            "websocket connection not established",
            "websocket connection not established",
        ]
    );
    let tasks =
        json!([ask(closing.address, "x"), {"payload": "y"}, {"method": "recv", "expect": "y"}]);
    assert_eq!(outcomes(load(tasks)), ["ok"; 3]);
}

#[test]
fn an_end_between_steps_is_met_by_the_next_one_unless_it_connects() {
    // Closes at once after one message; the second connection stays.
    let turns = Arc::new(Mutex::new(0));
    let closing = peer(move |socket| {
        *turns.lock().expect("a lock") += 1;
        if *turns.lock().expect("a lock") % 2 == 0 {
            return echo(socket);
        }
        socket.send(Message::text("last words"))?;
        socket.close(None)?;
        loop {
            socket.read()?;
        }
    });
    // The first receives what was sent before the end, which is there when the second begins.
    let connect = task(closing.address, json!({"method": "connect"}));
    let receive = json!({"method": "recv"});
    let tasks = json!([connect, receive, receive, connect, ask(closing.address, "x")]);
    let gone = "connection closed by the target without a code";
    assert_eq!(outcomes(load(tasks)), ["ok", "ok", gone, "ok", "ok"]);
}

#[test]
fn a_connection_that_breaks_is_lost_and_what_breaks_the_protocol_is_named() {
    let receive = json!({"method": "recv"});
    let reset = Peer::start(|stream| {
        open(stream)?;
        // A message of ten bytes, of which two come.
        stream.write_all(b"\x81\x0aab")?;
        SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
    });
    check(reset.address, receive.clone(), LOST);
    let cut = Peer::start(|stream| {
        open(stream)?;
        stream.write_all(b"\x81\x0aab")
    });
    check(cut.address, receive.clone(), LOST);
    for (bytes, why) in [
        (&b"\x81\x81abcda"[..], "invalid WebSocket frame: Received a masked frame from server"),
        (b"\xc1\x01a", "invalid WebSocket frame: Reserved bits are non-zero"),
        (b"\x80\x01a", "invalid WebSocket frame: Continue frame but nothing to continue"),
        (b"\x81\x01\xff", "invalid WebSocket frame: text that is not UTF-8"),
        (b"\x83\x01a", "invalid WebSocket frame: Encountered invalid opcode: 3"),
    ] {
        check(raw(bytes).address, receive.clone(), why);
    }
    // A message of 2^40 bytes, and one in fragments that never ends.
    let long = "a message is longer than --max-body-bytes 4194304 allows";
    check(raw(b"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00").address, receive.clone(), long);
    let endless = Peer::start(|stream| {
        open(stream)?;
        let mut fragment = vec![0x02, 0x7e, 0x40, 0x00];
        loop {
            fragment.resize(4 + 0x4000, b'x');
            stream.write_all(&fragment)?;
            fragment[0] = 0;
        }
    });
    check(endless.address, receive.clone(), long);
    // Pings without end are answered, and are no message.
    let pings = Peer::start(|stream| {
        open(stream)?;
        let mut answers = stream.try_clone()?;
        std::thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
        loop {
            stream.write_all(&b"\x89\x00".repeat(1000))?;
        }
    });
    let mut soon = receive;
    soon["timeout"] = json!(0.1);
    check(pings.address, soon, "Connection timed out");
}

#[test]
fn a_step_that_times_out_closes_its_connection() {
    let (sender, late) = channel();
    let sender = Mutex::new(sender);
    let slow = peer(move |socket| {
        loop {
            let message = socket.read()?;
            if message == Message::text("slow") {
                let sender: Sender<Message> = sender.lock().expect("a lock").clone();
                // Whatever comes next shows that the client has given up.
                sender.send(socket.read()?).expect("a test");
                return Ok(());
            }
            socket.send(message)?;
        }
    });
    let mut asked = ask(slow.address, "slow");
    asked["timeout"] = json!(0.05);
    let tasks = json!([asked, ask(slow.address, "fast")]);
    assert_eq!(outcomes(load(tasks)), ["Connection timed out", "ok"]);
    assert!(late.recv().expect("an end").is_close());
    assert_eq!(slow.connections(), 2);
}

#[test]
fn a_step_with_another_url_connects_to_that_one() {
    let (one, other) = (peer(echo), peer(echo));
    let connect = |peer: &Peer| task(peer.address, json!({"method": "connect"}));
    let outcome = load(json!([
        connect(&one),
        connect(&one),
        ask(other.address, "x"),
        {"method": "sendrecv", "payload": "y"},
        ask(one.address, "z"),
    ]))
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(outcome.rows[3].url, url(other.address));
    assert_eq!((one.connections(), other.connections()), (2, 1));
}

#[test]
fn the_next_message_is_expected_or_any_one() {
    let noisy = || {
        peer(|socket| {
            socket.read()?;
            for text in ["notice", "another", "the response", "after"] {
                socket.send(Message::text(text))?;
            }
            echo(socket)
        })
    };
    let one = noisy();
    let first = task(one.address, json!({"method": "sendrecv", "expect": "response"}));
    let next = json!({"method": "recv", "expect": "another"});
    let outcome = outcomes(load(json!([first, next])));
    assert_eq!(outcome, ["expected 'response' in response", "ok"]);
    let one = noisy();
    let any = json!({"method": "sendrecv", "expect": "response", "match": "any"});
    let after = json!({"method": "recv", "expect": "after"});
    let outcome = load(json!([task(one.address, any.clone()), after])).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(outcome.rows[0].bytes, 6 + 7 + 12);
    // None of them is it: the connection is closed, as after any timeout.
    let one = noisy();
    let mut never = task(one.address, any);
    (never["expect"], never["timeout"]) = (json!("nope"), json!(1));
    let outcome = outcomes(load(json!([never, {"method": "recv"}])));
    let gone = "websocket connection not established";
    assert_eq!(outcome, ["expected 'nope' in response", gone]);
}

#[test]
fn assertions_and_extractors_see_the_message_and_a_failed_step_is_tried_again() {
    let login = saying(r#"{"token": "abc", "n": [1, 2]}"#);
    let echo = peer(echo);
    let mut logs_in = ask(login.address, "login");
    logs_in["assertions"] = json!([{"type": "json_path", "path": "n.1", "value": 2}]);
    logs_in["extract"] = json!([{"var": "t", "path": "token"}]);
    let mut uses = ask(echo.address, "use ${t}");
    uses["assertions"] = json!([{"type": "contains", "value": "use abc"}]);
    let mut wrong = ask(echo.address, "use ${t}");
    wrong["assertions"] = json!([{"type": "not_contains", "value": "${t}"}]);
    wrong["retry"] = json!({"flaky": 2, "base_delay": 0.001});
    let mut skipped = ask(echo.address, "x");
    skipped["skip_if"] = json!("${t}");
    let outcome = outcomes(load(json!([logs_in, uses, wrong, skipped])).until(5));
    let why = "body unexpectedly contains 'abc'";
    assert_eq!(outcome, ["ok", "ok", why, why, why]);
}

#[test]
fn an_idle_user_answers_pings() {
    let pinging = peer(|socket| {
        socket.read()?;
        socket.send(Message::Ping("p".into()))?;
        // Before or after the next message, which the user thinks about.
        let idle = socket.read()?.is_pong();
        while !idle && !socket.read()?.is_pong() {}
        socket.send(Message::text(if idle { "while idle" } else { "too late" }))?;
        echo(socket)
    });
    let tasks = json!([
        task(pinging.address, json!({"payload": "a", "think_time": 2.5})),
        {"payload": "b"},
        {"method": "recv", "expect": "while idle"},
    ]);
    assert_eq!(outcomes(load(tasks)), ["ok"; 3]);
}

#[test]
fn a_target_in_tls_is_reached_by_wss_and_verified() {
    let authority = Authority::new();
    let read = |name| std::fs::read(authority.file(name)).expect("a file");
    let chain = CertificateDer::pem_slice_iter(&read("server.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&read("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .expect("a certificate");
    let config = Arc::new(config);
    let secure = Peer::start(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let stream = StreamOwned::new(session, stream);
        let mut socket = tungstenite::accept(stream).map_err(broken)?;
        loop {
            let message = socket.read().map_err(io::Error::other)?;
            if message.is_text() {
                socket.send(message).map_err(io::Error::other)?;
            }
        }
    });
    let port = secure.address.port();
    let url = format!("wss://localhost:{port}/");
    let task = |verify: Json| json!({"method": "sendrecv", "url": url, "payload": "x".repeat(100_000), "verify": verify});
    let close = json!({"method": "close"});
    let tasks = json!([task(json!("ca.pem")), close, task(json!(false)), close, task(json!(true))]);
    let outcome = outcomes(load(tasks).file("ca.pem", &read("ca.pem")));
    assert_eq!(outcome[..4], ["ok"; 4]);
    assert!(outcome[4].starts_with("TLS failed: the certificate is not trusted"), "{outcome:?}");
    let plain = Peer::start(|stream| {
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let url = format!("wss://{}/", plain.address);
    let outcome = outcomes(load(json!([{"method": "connect", "url": url, "verify": false}])));
    assert_eq!(outcome, ["TLS failed: the target does not speak TLS on this port; use ws://"]);
}

#[test]
fn a_proxy_is_asked_for_a_tunnel() {
    let (sender, asked) = channel();
    let sender = Mutex::new(sender);
    // The proxy is also the target.
    let proxy = Peer::start(move |stream| {
        let head = read_head(stream)?;
        sender.lock().expect("a lock").send(head).expect("a test");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let mut socket = tungstenite::accept(stream).map_err(broken)?;
        echo(&mut socket).map_err(io::Error::other)
    });
    let task = json!({"method": "sendrecv", "url": "ws://far.example/chat", "payload": "x"});
    let through = json!(format!("http://{}", proxy.address));
    let load = load(json!([task])).with("proxy", through);
    assert_eq!(outcomes(load), ["ok"]);
    let head = asked.recv().expect("a request");
    assert!(head.starts_with("CONNECT far.example:80 HTTP/1.1\r\n"), "{head}");
}

#[test]
fn a_websocket_reaches_no_target_that_tests_may_not() {
    let target = peer(echo);
    let tasks = || json!([ask(target.address, "x")]);
    let refusal = |why: &str| format!("target {} is refused: {why}", target.address);
    let outcome = outcomes(load(tasks()).allowed(&["192.0.2.1"]));
    assert_eq!(outcome, [refusal("no --allow-target names it")]);
    let outcome = outcomes(load(tasks()).own(&[target.address]));
    assert_eq!(outcome, [refusal("it is this server's own port")]);
    assert_eq!(target.connections(), 0);
    assert_eq!(outcomes(load(tasks()).allowed(&["127.0.0.1"])), ["ok"]);
}

#[test]
fn t76_messages_take_their_share_of_memory_or_fail_and_give_it_back() {
    let memory = Memory::new(20 << 20);
    let large = saying(Message::binary(vec![b'x'; 3 << 20]));
    let asked = ask(large.address, "x");
    let outcome = outcomes(load(json!([asked.clone()])).under(&memory));
    assert_eq!(outcome, ["ok"]);
    let full = memory.share("something else");
    let mut full = full;
    full.grow((20 << 20) - (2 << 20) - memory.taken()).expect("room");
    let outcome = outcomes(load(json!([asked])).under(&memory));
    assert!(outcome[0].starts_with("WebSocket messages: "), "{outcome:?}");
    assert!(outcome[0].ends_with("(--max-memory)"), "{outcome:?}");
}

#[test]
fn a_step_that_a_simulated_network_loses_is_not_sent() {
    let target = peer(echo);
    let at = |scheme: &str| json!(format!("{scheme}://{}/", target.address));
    for (user, task) in [
        ("websocket_user", json!({"method": "connect", "url": at("ws")})),
        ("sse_user", json!({"method": "open", "url": at("http")})),
        ("redis_user", json!({"method": "get", "key": "k"})),
    ] {
        let host = json!({"user": user, "host": at("redis")});
        let host = if user == "redis_user" { host } else { json!({"user": user}) };
        let load = Load::once(json!([task]))
            .with("user_detail_dict", host)
            .after(json!(["LD_install_network_conditioner", {"loss_rate": 1}]));
        assert_eq!(outcomes(load), [ldctl::load::LOST], "{user}");
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_stop_does_not_wait_for_a_message_that_does_not_come() {
    let silent = peer(|socket| {
        loop {
            socket.read()?;
        }
    });
    // The first step is recorded; the second waits when the test is stopped.
    let waits = json!({"method": "recv", "timeout": 3600});
    let tasks = json!([task(silent.address, json!({"method": "connect"})), waits]);
    let begin = std::time::Instant::now();
    let outcome = load(tasks).until(1).run();
    assert_eq!(outcome.rows.len(), 1);
    // Requests have five seconds to end.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn a_wrong_task_is_refused_with_its_place_before_anything_is_sent() {
    let receives = "\"expect\", \"assertions\" and \"extract\" need the method recv or sendrecv: \
                    another one receives no message";
    for (task, why) in [
        (
            json!({"method": "frob"}),
            "/method: expected \"connect\", \"send\", \"recv\", \"sendrecv\" or \"close\", got \"frob\"",
        ),
        (json!({"url": "http://h/"}), "/url: scheme http is invalid"),
        (json!({"request_url": "h:9"}), "/request_url: scheme  is invalid"),
        (json!({"url": "ws://h:x"}), "/url: invalid URL \"ws://h:x\": invalid port number"),
        (
            json!({"payload": "hex:zz", "binary": true}),
            "/payload: \"hex:\" takes pairs of hexadecimal digits, with or without spaces",
        ),
        (json!({"expect": "x"}), &*format!("/expect: {receives}")),
        (json!({"assertions": [{"type": "contains", "value": "x"}]}), &*format!(": {receives}")),
        (
            json!({"method": "recv", "match": "any"}),
            "/match: \"any\" needs \"expect\": what it looks for",
        ),
        (
            json!({"method": "recv", "match": "last"}),
            "/match: expected \"first\" or \"any\", got \"last\"",
        ),
        (json!({"timeout": "abc"}), "/timeout: expected a number above 0, got \"abc\""),
        (
            json!({"headers": {"sec-websocket-key": "x"}}),
            "/headers/sec-websocket-key: the handshake sets it itself",
        ),
        (
            json!({"headers": {"Sec-WebSocket-Protocol": "x"}}),
            "/headers/Sec-WebSocket-Protocol: the handshake sets it itself; use \"subprotocols\"",
        ),
        (
            json!({"subprotocols": ["a b"]}),
            "/subprotocols/0: expected the name of a subprotocol, got \"a b\"",
        ),
        (
            json!({"method": "recv", "assertions": [{"type": "status_code", "value": 101}]}),
            "/assertions/0/type: \"status_code\" needs a protocol whose responses have one",
        ),
        (json!({"target": "h:1"}), "/target: unknown field"),
    ] {
        let refusal = load(json!([{}, task])).refusal();
        assert_eq!(refusal, format!("LD_start_test: /tasks/1{why}"), "{task}");
    }
    assert_eq!(
        load(json!({"get": {}})).refusal(),
        "LD_start_test: /tasks/get: the tasks of a websocket_user must be a list"
    );
    assert_eq!(
        load(json!([{}])).with("host", json!("http://h")).refusal(),
        "LD_start_test: /host: expected a URL that begins with ws:// or wss://, got \"http://h\""
    );
}

#[test]
fn a_url_is_that_of_the_task_on_the_host_or_the_host_itself() {
    let echo = peer(echo);
    let host = json!(format!("ws://{}", echo.address));
    let outcome = load(json!([
        {"method": "connect"},
        {"method": "sendrecv", "url": "/${v}?x", "payload": "a"},
        {"method": "connect", "url": "http${v}://h"},
    ]))
    .with("host", host.clone())
    .with("variables", json!({"v": "s"}))
    .run();
    assert_eq!(outcome.rows[0].url, host);
    assert_eq!(outcome.rows[1].url, format!("ws://{}/s?x", echo.address));
    assert_eq!(outcome.errors(), ["scheme https is invalid"]);
}
