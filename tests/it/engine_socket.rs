//! Socket tasks against real peers over TCP and UDP: bytes that go out and come back, connections
//! that are kept, and peers that answer too little, too slowly or not at all.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::{Value as Json, json};
use socket2::SockRef;

use crate::support::{Load, Peer, nowhere};

/// Gives everything back as it comes.
fn echo(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
    }
}

fn echoing() -> Peer {
    Peer::start(echo)
}

/// Reads until the other side closes.
fn swallow(stream: &mut TcpStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}

/// Reads something, and then says this.
fn saying(bytes: &'static [u8]) -> impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync {
    move |stream| {
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(bytes)
    }
}

/// A UDP peer: each datagram is answered with what the script makes of it, until an empty one ends it.
struct UdpPeer {
    address: SocketAddr,
    answering: Option<JoinHandle<()>>,
}

impl UdpPeer {
    fn start(script: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("an address");
        let answering = thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok((count, from)) = socket.recv_from(&mut buffer) {
                if &buffer[..count] == b"end" {
                    return;
                }
                for answer in script(&buffer[..count]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, answering: Some(answering) }
    }

    fn echo() -> Self {
        Self::start(|datagram| vec![datagram.to_vec()])
    }
}

impl Drop for UdpPeer {
    fn drop(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let _ = socket.send_to(b"end", self.address);
        if let Some(answering) = self.answering.take() {
            answering.join().expect("a peer");
        }
    }
}

fn load(tasks: Json) -> Load {
    Load::once(tasks).with("user_detail_dict", json!({"user": "socket_user"}))
}

fn again(tasks: Json, requests: u64) -> Load {
    Load::over(tasks, requests).with("user_detail_dict", json!({"user": "socket_user"}))
}

/// A task for a peer, with these fields.
fn task(address: SocketAddr, fields: Json) -> Json {
    let mut task = fields;
    task["target"] = json!(address.to_string());
    task
}

/// One step towards a peer fails for this reason; the empty reason is none.
fn check(address: SocketAddr, fields: Json, want: &str) {
    let outcome = load(json!([task(address, fields.clone())])).run();
    let error = outcome.rows[0].error.as_deref().unwrap_or_default();
    assert_eq!(error, want, "{fields}");
}

/// One step towards a TCP peer that says this, and then closes.
fn check_said(bytes: &'static [u8], fields: Json, want: &str) {
    check(Peer::start(saying(bytes)).address, fields, want);
}

#[test]
fn bytes_go_out_and_come_back_over_tcp_and_udp() {
    let (tcp, udp) = (echoing(), UdpPeer::echo());
    let outcome = load(json!([
        task(tcp.address, json!({"payload": "pïng", "expect_bytes": 5})),
        task(udp.address, json!({"protocol": "UDP", "payload": "ping", "expect_bytes": 2})),
        task(tcp.address, json!({"payload": "unread", "name": "n", "method": "frob"})),
        task(udp.address, json!({"protocol": "udp"})),
    ]))
    .run();
    let rows: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| (&*row.method, &*row.url, &*row.name, row.status, row.bytes, &row.error))
        .collect();
    let (tcp, udp) = (tcp.address.to_string(), udp.address.to_string());
    let (tcp_name, udp_name) = (format!("tcp:{tcp}"), format!("udp:{udp}"));
    assert_eq!(
        rows,
        [
            ("TCP", &*tcp, &*tcp_name, None, 10, &None),
            ("UDP", &*udp, &*udp_name, None, 8, &None),
            ("TCP", &*tcp, "n", None, 6, &None),
            ("UDP", &*udp, &*udp_name, None, 0, &None),
        ]
    );
}

#[test]
fn a_payload_is_text_bytes_or_a_value_as_python_prints_it() {
    for (payload, sent) in [
        (json!("text"), &b"text"[..]),
        (json!("hex:00 ff\n0A"), b"\x00\xff\n"),
        (json!("${h}"), b"\x01\x02"),
        (json!({"a": "${x}"}), b"{'a': \"it's\"}"),
        (json!(12), b"12"),
        (json!([]), b""),
        (json!(0), b""),
    ] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let peer = {
            let seen = Arc::clone(&seen);
            Peer::start(move |stream| {
                stream.read_to_end(&mut seen.lock().expect("bytes")).map(drop)
            })
        };
        let fields = json!({"payload": payload});
        let outcome = load(json!([task(peer.address, fields)]))
            .with("variables", json!({"h": "hex:0102", "x": "it's"}))
            .run();
        assert_eq!(outcome.errors(), [""; 0]);
        drop(peer);
        assert_eq!(*seen.lock().expect("bytes"), sent, "{payload}");
    }
}

#[test]
fn a_response_that_is_too_short_fails() {
    check_said(b"abc", json!({"payload": "x", "expect_bytes": 100}), "expected 100 bytes, got 3");
    check_said(b"abcd", json!({"payload": "x", "expect_bytes": 4}), "");
    check_said(b"abcdef", json!({"payload": "x", "expect_bytes": 4}), "");
    let udp = UdpPeer::echo();
    let fields = json!({"protocol": "udp", "payload": "abc", "expect_bytes": 100});
    check(udp.address, fields, "expected 100 bytes, got 3");
}

#[test]
fn a_response_is_read_until_the_expected_text_is_found() {
    let pieces = |stream: &mut TcpStream| {
        let _ = stream.read(&mut [0; 4096])?;
        for piece in ["one t", "w", "o three"] {
            stream.write_all(piece.as_bytes())?;
            stream.flush()?;
        }
        // It goes on as long as the other side does.
        swallow(stream)
    };
    let peer = Peer::start(pieces);
    check(peer.address, json!({"payload": "x", "expect_substring": "two"}), "");
    check(peer.address, json!({"payload": "x", "read_until": "hex:77 6f"}), "");
    check_said(
        b"one",
        json!({"payload": "x", "expect_substring": "two"}),
        "expected 'two' in response",
    );
    check_said(b"one", json!({"payload": "x", "read_until": "\n"}), "expected '\\n' in response");
    let both = json!({"payload": "x", "expect_bytes": 3, "expect_substring": 2});
    check_said(b"1 2", both.clone(), "");
    check_said(b"1 3", both, "expected '2' in response");
    let noisy = UdpPeer::start(|_| vec![b"notice".to_vec(), b"the answer".to_vec()]);
    let fields = json!({"protocol": "udp", "payload": "x", "expect_substring": "answer"});
    check(noisy.address, fields, "");
}

#[test]
fn a_peer_that_is_silent_slow_or_gone_fails_in_time_and_by_its_name() {
    let silent = Peer::start(swallow);
    let fields = json!({"payload": "x", "expect_bytes": 1, "timeout": 0.05});
    check(silent.address, fields.clone(), "timed out after 0.05 s");
    let silent = UdpPeer::start(|_| Vec::new());
    let mut datagram = fields.clone();
    datagram["protocol"] = json!("udp");
    check(silent.address, datagram.clone(), "timed out after 0.05 s");
    // It always has one more byte: each read is in time, all of them are not.
    let drip = Peer::start(|stream| {
        loop {
            stream.write_all(b".")?;
        }
    });
    let fields = json!({"expect_substring": "!", "timeout": 0.05});
    let outcome = load(json!([task(drip.address, fields)])).run();
    let error = outcome.rows[0].error.as_deref().expect("a failure");
    let ends = ["timed out after 0.05 s", "expected '!' in the first 4194304 bytes"];
    assert!(ends.contains(&error), "{error}");

    let reset = Peer::start(|stream| {
        let _ = stream.read(&mut [0; 1])?;
        SockRef::from(&*stream).set_linger(Some(std::time::Duration::ZERO))
    });
    let fields = json!({"payload": "xyz", "expect_bytes": 1});
    check(reset.address, fields.clone(), "connection reset by the target");
    check(nowhere(), fields, "connection refused");
    datagram["timeout"] = json!(30);
    check(nowhere(), datagram, "connection refused");
}

#[test]
fn a_peer_that_answers_while_it_reads_does_not_stop_the_exchange() {
    let length = 8 * 1024 * 1024;
    let fields = json!({"payload": "x".repeat(length), "expect_bytes": length, "timeout": 60});
    check(echoing().address, fields, "");
}

#[test]
fn a_connection_is_kept_for_as_long_as_nothing_is_left_on_it() {
    // An answer of two lines to every line.
    let chatty = |stream: &mut TcpStream| loop {
        if stream.read(&mut [0; 4096])? == 0 {
            return Ok(());
        }
        stream.write_all(b"one\ntwo\n")?;
    };
    let line = json!({"payload": "x\n", "keep": true, "read_until": "\n"});
    let whole = json!({"payload": "x\n", "keep": true, "expect_bytes": 8});
    let anew = json!({"payload": "x\n", "expect_bytes": 8});
    for (fields, connections) in [(line, 10), (whole, 1), (anew, 10)] {
        let peer = Peer::start(chatty);
        let outcome = again(json!([task(peer.address, fields.clone())]), 10).run();
        assert_eq!(outcome.errors(), [""; 0]);
        let per_ten = peer.connections() * 10 / outcome.rows.len();
        assert_eq!(per_ten.max(1), connections, "{fields}");
    }
    // The peer closes after each answer.
    let closing = Peer::start(saying(b"12345678"));
    let fields = json!({"payload": "x", "keep": true, "expect_bytes": 8});
    let outcome = again(json!([task(closing.address, fields)]), 10).run();
    assert!(outcome.rows.iter().any(|row| row.error.is_none()), "{outcome:?}");
    assert!(closing.connections() > 1);
    let udp = UdpPeer::echo();
    let fields = json!({"protocol": "udp", "payload": "x", "keep": true, "expect_bytes": 1});
    assert_eq!(again(json!([task(udp.address, fields)]), 10).run().errors(), [""; 0]);
}

#[test]
fn assertions_and_extractors_see_the_response() {
    let peer = Peer::start(saying(br#"{"token": "abc", "n": [1, 2]}"#));
    let udp = UdpPeer::echo();
    let outcome = load(json!([
        task(peer.address, json!({
            "payload": "login", "assertions": [{"type": "json_path", "path": "n.1", "value": 2}],
            "extract": [{"var": "t", "path": "token"}],
        })),
        task(udp.address, json!({
            "protocol": "udp", "payload": "use ${t}",
            "assertions": [{"type": "contains", "value": "use abc"}],
        })),
        task(udp.address, json!({
            "protocol": "udp", "payload": "use ${t}", "name": "wrong",
            "assertions": [{"type": "not_contains", "value": "${t}"}],
        })),
        task(udp.address, json!({"protocol": "udp", "payload": "x", "name": "skipped", "skip_if": "${t}"})),
    ]))
    .until(3)
    .run();
    assert_eq!(outcome.errors(), ["body unexpectedly contains 'abc'"]);
    assert_eq!(outcome.rows.len(), 3);
}

#[test]
fn a_failed_step_is_tried_again_as_its_task_says() {
    let turn = AtomicUsize::new(0);
    let peer = Peer::start(move |stream| {
        let _ = stream.read(&mut [0; 8])?;
        let answer: &[u8] = if turn.fetch_add(1, Ordering::SeqCst) < 2 { b"no" } else { b"yes" };
        stream.write_all(answer)
    });
    let fields =
        json!({"payload": "x", "expect_bytes": 3, "retry": {"flaky": 5, "base_delay": 0.001}});
    let outcome = load(json!([task(peer.address, fields)])).until(3).run();
    let errors: Vec<_> = outcome.rows.iter().map(|row| row.error.as_deref()).collect();
    let short = Some("expected 3 bytes, got 2");
    assert_eq!(errors, [short, short, None]);
}

#[test]
fn a_target_comes_from_the_task_or_else_from_the_host_of_the_test() {
    let (tcp, udp) = (echoing(), UdpPeer::echo());
    let step = json!({"payload": "x", "expect_bytes": 1});
    let from = |host: String, step: &Json| {
        let outcome = load(json!([step])).with("host", json!(host)).run();
        assert_eq!(outcome.errors(), [""; 0]);
        outcome.rows[0].name.clone()
    };
    assert_eq!(from(tcp.address.to_string(), &step), format!("tcp:{}", tcp.address));
    assert_eq!(from(format!("udp://{}", udp.address), &step), format!("udp:{}", udp.address));
    let own = json!({"payload": "x", "expect_bytes": 1, "host": format!("TCP://{}", tcp.address)});
    assert_eq!(from("udp://h:1".to_owned(), &own), format!("tcp:{}", tcp.address));
    let placed = json!({"payload": "x", "expect_bytes": 1, "target": "127.0.0.1:${port}"});
    let outcome =
        load(json!([placed])).with("variables", json!({"port": tcp.address.port()})).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(outcome.rows[0].url, tcp.address.to_string());
    let outcome = load(json!([placed])).with("variables", json!({"port": "x"})).run();
    let why = "invalid target \"127.0.0.1:x\": expected a port from 1 to 65535";
    assert_eq!(outcome.errors(), [why]);
}

#[test]
fn an_ipv6_target_stands_in_brackets() {
    let Ok(peer) = Peer::at("[::1]:0", echo) else {
        eprintln!("this machine has no IPv6");
        return;
    };
    check(peer.address, json!({"payload": "x", "expect_bytes": 1}), "");
}

#[test]
fn a_socket_reaches_no_target_that_tests_may_not() {
    let (tcp, udp) = (echoing(), UdpPeer::echo());
    let steps = |name: &str| {
        json!([
            task(tcp.address, json!({"payload": name, "expect_bytes": 1})),
            task(udp.address, json!({"protocol": "udp", "payload": name, "expect_bytes": 1})),
        ])
    };
    let refusal = |address: SocketAddr, why: &str| format!("target {address} is refused: {why}");
    let both = |why: &str| [refusal(tcp.address, why), refusal(udp.address, why)];
    let outcome = load(steps("x")).allowed(&["192.0.2.1"]).run();
    assert_eq!(outcome.errors(), both("no --allow-target names it"));
    let outcome = load(steps("x")).own(&[tcp.address, udp.address]).run();
    assert_eq!(outcome.errors(), both("it is this server's own port"));
    assert_eq!(tcp.connections(), 0);
    assert_eq!(load(steps("x")).allowed(&["127.0.0.1"]).run().errors(), [""; 0]);
}

#[test]
fn a_wrong_task_is_refused_with_its_place_before_anything_is_sent() {
    for (task, why) in [
        (json!({"protocol": "sctp"}), "/protocol: expected \"tcp\" or \"udp\", got \"sctp\""),
        (json!({"target": "h"}), "/target: invalid target \"h\": expected host:port"),
        (
            json!({"target": "::1:9"}),
            "/target: invalid target \"::1:9\": an IPv6 address is written in brackets: [::1]:9000",
        ),
        (
            json!({"host": "[h]:9"}),
            "/host: invalid target \"[h]:9\": only an IPv6 address is written in brackets",
        ),
        (
            json!({"target": "h:0"}),
            "/target: invalid target \"h:0\": expected a port from 1 to 65535",
        ),
        (
            json!({"target": "h:+9"}),
            "/target: invalid target \"h:+9\": expected a port from 1 to 65535",
        ),
        (
            json!({"target": "http://h:9"}),
            "/target: expected host:port, tcp://host:port or udp://host:port, got \"http://h:9\"",
        ),
        (
            json!({"protocol": "tcp", "target": "udp://h:9"}),
            "/target: it contradicts \"protocol\": \"tcp\"",
        ),
        (
            json!({"payload": "hex:zz"}),
            "/payload: \"hex:\" takes pairs of hexadecimal digits, with or without spaces",
        ),
        (
            json!({"payload": "hex:123"}),
            "/payload: \"hex:\" takes pairs of hexadecimal digits, with or without spaces",
        ),
        (
            json!({"protocol": "udp", "payload": "x".repeat(65_508)}),
            "/payload: 65508 bytes exceed the limit of a datagram, 65507",
        ),
        (json!({"expect_bytes": -1}), "/expect_bytes: expected an integer of at least 0, got -1"),
        (
            json!({"expect_bytes": 1, "read_until": "x"}),
            "/read_until: \"read_until\" and \"expect_bytes\" exclude each other",
        ),
        (
            json!({"protocol": "udp", "read_until": "x"}),
            "/read_until: \"read_until\" is for TCP: a datagram ends by itself",
        ),
        (json!({"read_until": "hex: "}), "/read_until: it is empty"),
        (json!({"timeout": "abc"}), "/timeout: expected a number above 0, got \"abc\""),
        (
            json!({"keep": true, "assertions": [{"type": "contains", "value": "x"}]}),
            "/keep: \"keep\" needs \"expect_bytes\", \"read_until\" or \"expect_substring\": without \
             them a response ends when the target closes the connection",
        ),
        (
            json!({"assertions": [{"type": "status_code", "value": 200}]}),
            "/assertions/0/type: \"status_code\" needs a protocol whose responses have one",
        ),
        (json!({"request_url": "/"}), "/request_url: unknown field"),
        (json!({"weight": "x"}), "/weight: expected an integer of at least 0, got \"x\""),
    ] {
        let refusal = load(json!([{}, task])).refusal();
        assert_eq!(refusal, format!("LD_start_test: /tasks/1{why}"), "{task}");
    }
    assert_eq!(
        load(json!({"get": {}})).refusal(),
        "LD_start_test: /tasks/get: the tasks of a socket_user must be a list"
    );
    assert_eq!(
        load(json!([{}])).with("http2", json!(true)).refusal(),
        "LD_start_test: /http2: a socket_user has no such option"
    );
    assert_eq!(
        load(json!([{}])).with("host", json!("ws://h")).refusal(),
        "LD_start_test: /host: expected host:port, tcp://host:port or udp://host:port, got \"ws://h\""
    );
}
