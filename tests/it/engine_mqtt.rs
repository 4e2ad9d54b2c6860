//! MQTT tasks against mosquitto, with passwords, access lists, TLS and both versions of the protocol,
//! and against brokers that refuse, break off, or say what they should not.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ldctl::memory::Memory;
use serde_json::{Value as Json, json};
use socket2::SockRef;

use crate::support::{Authority, Load, Peer, Running, installed, ldctl, nowhere};

/// A mosquitto of the test's own.
struct Mosquitto {
    address: SocketAddr,
    running: Running,
    directory: tempfile::TempDir,
}

impl Mosquitto {
    /// Starts one with these settings, in which `DIR` is the directory of these files; `None` where it is
    /// not installed.
    fn start(settings: &str, files: &[(&str, &[u8])]) -> Option<Self> {
        if !installed("mosquitto") {
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).expect("a file");
        }
        let path = directory.path().display().to_string();
        loop {
            let address = nowhere();
            let own = settings.replace("DIR", &path);
            // Run by root it would give that up, and could not read the files.
            let text = format!("user root\nlistener {} 127.0.0.1\n{own}\n", address.port());
            let file = directory.path().join("mosquitto.conf");
            std::fs::write(&file, text).expect("a file");
            let mut command = Command::new("mosquitto");
            let running = Running::of(command.arg("-v").arg("-c").arg(file).stdin(Stdio::null()));
            // The port may be another one's by now.
            let line = loop {
                let line = running.talk_with("");
                if ["running", "in use"].iter().any(|end| line.contains(end)) {
                    break line;
                }
            };
            if line.contains("running") {
                return Some(Self { address, running, directory });
            }
        }
    }

    fn open() -> Option<Self> {
        Self::start("allow_anonymous true", &[])
    }

    /// Makes a file of passwords.
    fn password(file: &std::path::Path, user: &str, password: &str) {
        let mut command = Command::new("mosquitto_passwd");
        command.args(["-b", "-c"]).arg(file).args([user, password]);
        assert!(command.output().expect("mosquitto_passwd").status.success());
    }

    /// A load on it.
    fn load(&self, tasks: Json) -> Load {
        load(self.address, tasks)
    }

    /// Its log until a line with this text.
    fn logged(&self, text: &str) -> String {
        self.running.talk_with(text)
    }
}

fn load(address: SocketAddr, tasks: Json) -> Load {
    let detail = json!({"user": "mqtt_user", "host": address.to_string()});
    Load::once(tasks).with("user_detail_dict", detail)
}

/// The outcome of each step, `ok` or why it failed.
fn outcomes(load: Load) -> Vec<String> {
    let rows = load.run().rows.into_iter();
    rows.map(|row| row.error.unwrap_or_else(|| "ok".to_owned())).collect()
}

/// Reads a packet: its first byte, and what follows the length.
fn packet(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let (mut byte, mut length, mut shift) = ([0], 0, 0);
    stream.read_exact(&mut byte)?;
    let first = byte[0];
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}

/// A broker that accepts clients, and then follows the script.
fn broker(script: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Peer {
    Peer::start(move |stream| {
        packet(stream)?;
        stream.write_all(&[0x20, 2, 0, 0])?;
        script(stream)
    })
}

fn drain(stream: &mut TcpStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}

/// A broker that says this to the first packet after CONNECT, and reads on.
fn saying(bytes: impl Into<Vec<u8>>) -> Peer {
    let bytes = bytes.into();
    broker(move |stream| {
        packet(stream)?;
        stream.write_all(&bytes)?;
        drain(stream)
    })
}

/// One step towards a broker fails for this reason; `ok` stands for none.
#[track_caller]
fn check(peer: &Peer, step: Json, want: &str) {
    assert_eq!(outcomes(load(peer.address, json!([step.clone()]))), [want], "{step}");
}

fn connect(soon: bool) -> Json {
    json!({"method": "connect", "timeout": if soon { 0.1 } else { 5.0 }})
}

/// A message with QoS 1.
fn publish() -> Json {
    json!({"topic": "a", "payload": "x", "qos": 1})
}

#[test]
fn messages_go_to_mosquitto_and_come_back_over_one_connection() {
    let Some(broker) = Mosquitto::open() else { return };
    let outcome = broker
        .load(json!([
            {"method": "connect", "client_id": "one"},
            {"method": "Subscribe", "topic": "a/#", "qos": 2},
            {"topic": "a/text", "payload": "pïng ${n}"},
            {"topic": "a/json", "payload": {"n": ["${n}"]}, "qos": "1"},
            {"topic": "a/number", "payload": 7, "qos": 2, "name": "seven"},
            {"topic": "a/bytes", "payload": "hex:00 ff", "binary": true},
            {"topic": "a/none", "payload": null},
            {"method": "receive", "topic": "a/json", "expect": "7",
             "assertions": [{"type": "json_path", "path": "n.0", "value": "7"}],
             "extract": [{"var": "x", "path": "n.0"}]},
            {"method": "receive", "expect": "pïng ${x}"},
            {"method": "receive", "topic": "+/number", "expect": 7},
            {"method": "receive", "assertions": [{"type": "contains", "value": "\u{fffd}"}]},
            {"method": "receive", "topic": "a/none"},
            {"method": "unsubscribe", "topic": "a/#"},
            {"topic": "a/text", "payload": "not for me", "qos": 1},
            {"method": "receive", "timeout": 0.3},
        ]))
        .with("variables", json!({"n": 7}))
        .run();
    let url = broker.address.to_string();
    let rows: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| (&*row.method, &*row.url, &*row.name, row.status, row.bytes))
        .collect();
    let row = |name, bytes| ("MQTT", &*url, name, None, bytes);
    assert_eq!(
        rows,
        [
            row("connect:", 0),
            row("Subscribe:a/#".replace('S', "s").leak(), 0),
            row("publish:a/text", 7),
            row("publish:a/json", 12),
            row("seven", 1),
            row("publish:a/bytes", 2),
            row("publish:a/none", 0),
            row("receive:a/json", 12),
            row("receive:", 7),
            row("receive:+/number", 1),
            row("receive:", 2),
            row("receive:a/none", 0),
            row("unsubscribe:a/#", 0),
            row("publish:a/text", 10),
            row("receive:", 0),
        ]
    );
    assert_eq!(outcome.errors(), ["timed out after 0.3 s"]);
    broker.logged("as one (p2, c1, k60)");
    broker.logged("Received PUBLISH from one (d0, q0, r0, m0, 'a/text'");
    broker.logged("Received PUBLISH from one (d0, q1, r0, m2, 'a/json'");
    broker.logged("Received PUBLISH from one (d0, q2, r0, m3, 'a/number'");
    broker.logged("Received PUBREL from one (Mid: 3)");
    broker.logged("Received PUBCOMP from one");
}

#[test]
fn mqtt_5_has_properties_and_says_why_it_refuses() {
    let acl = b"user ann\ntopic readwrite a/#\n";
    let Some(broker) = Mosquitto::start(
        "allow_anonymous false\npassword_file DIR/passwords\nacl_file DIR/acl",
        &[("passwords", b""), ("acl", acl)],
    ) else {
        return;
    };
    Mosquitto::password(&broker.directory.path().join("passwords"), "ann", "s3cret");
    crate::support::signal("HUP", broker.running.id());
    broker.logged("Reloading config");
    let with = |version: Json, password: &str| json!({"username": "ann", "password": password, "version": version});
    let tasks = json!([
        {"method": "subscribe", "topic": "a/+", "qos": 1},
        {"topic": "a/b", "payload": "x", "qos": 1,
         "properties": {"user": {"k": "${v}"}, "content_type": "text/plain", "message_expiry": 9,
                        "response_topic": "a/c", "correlation_data": "hex:00ff", "session_expiry": 1}},
        {"method": "receive", "expect": "x"},
        {"topic": "b", "qos": 1},
        {"topic": "b", "qos": 0},
        {"topic": "a/none", "qos": 1},
    ]);
    let load = broker.load(tasks).with("variables", json!({"v": 1}));
    let outcome = outcomes(load.with("connection", with(json!(5), "s3cret")));
    let denied = "publish refused: not authorised (135)";
    assert_eq!(outcome, ["ok", "ok", "ok", denied, "ok", "ok"]);
    let connects = || json!([{"method": "connect"}]);
    for (version, why) in [
        (json!("3.1.1"), "connection refused: not authorised (5)"),
        (json!("5"), "connection refused: not authorised (135)"),
    ] {
        let load = broker.load(connects()).with("connection", with(version, "wrong"));
        assert_eq!(outcomes(load), [why]);
    }
    assert_eq!(
        outcomes(broker.load(connects())),
        ["connection refused: not authorised (5)"],
        "who has no name"
    );
    // In the URL, and in a task.
    let url = format!("mqtt://ann:s3cret@{}", broker.address);
    let outcome = broker
        .load(json!([
            {"method": "connect", "broker": url},
            {"method": "disconnect"},
            {"method": "connect", "username": "ann", "password": "${p}"},
            {"topic": "a/b", "qos": 2},
        ]))
        .with("variables", json!({"p": "s3cret"}))
        .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(outcome.rows[0].url, format!("mqtt://{}", broker.address));
    // Nothing shows the password.
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"user": "mqtt_user"}, "user_count": 1, "test_time": 1,
        "tasks": [{"broker": url, "topic": "a/b", "payload": "hello", "qos": 1},
                  {"method": "connect", "broker": broker.address.to_string(), "username": "ann", "password": "s3cret"}],
    }]])
    .to_string();
    for args in [["run", "--once", "--json"], ["run", "-v", "--json"]] {
        let output = ldctl().args(args).arg(&document).output().expect("ldctl runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).expect("UTF-8");
        assert!(!said.contains("s3cret"), "{said}");
        if args[1] == "--once" {
            for line in [
                "> CONNECT, MQTT 3.1.1, client loaddensity-",
                "> PUBLISH a/b, QoS 1\n> hello\n",
                "task 2 passed",
            ] {
                assert!(said.contains(line), "{line:?} in {said}");
            }
        }
    }
}

#[test]
fn a_broker_in_tls_is_reached_by_mqtts_and_verified() {
    let authority = Authority::new();
    let read = |name| std::fs::read(authority.file(name)).expect("a file");
    let (ca, chain, key) = (read("ca.pem"), read("server.pem"), read("server.key"));
    let Some(broker) = Mosquitto::start(
        "allow_anonymous true\ncertfile DIR/server.pem\nkeyfile DIR/server.key",
        &[("server.pem", &chain), ("server.key", &key)],
    ) else {
        return;
    };
    let port = broker.address.port();
    let url = format!("mqtts://localhost:{port}");
    let task = |verify: Json| json!({"broker": url, "topic": "a", "qos": 1, "payload": "x".repeat(100_000), "verify": verify});
    let leave = json!({"method": "disconnect"});
    let tasks = json!([task(json!("ca.pem")), leave, task(json!(false)), leave, task(json!(true))]);
    let outcome = outcomes(broker.load(tasks).file("ca.pem", &ca));
    assert_eq!(outcome[..4], ["ok"; 4]);
    assert!(outcome[4].starts_with("TLS failed: the certificate is not trusted"), "{outcome:?}");
    // What connects again does so as the user did before.
    let again = json!([
        {"method": "connect", "broker": url, "verify": "ca.pem"},
        {"method": "receive", "timeout": 0.1},
        {"topic": "a", "qos": 1},
    ]);
    let outcome = outcomes(broker.load(again).file("ca.pem", &ca));
    assert_eq!(outcome, ["ok", "timed out after 0.1 s", "ok"]);
    let plain = Peer::start(|stream| {
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let url = format!("mqtts://{}", plain.address);
    let step = json!({"method": "connect", "broker": url, "verify": false});
    let why = "TLS failed: the target does not speak TLS on this port; use mqtt://";
    assert_eq!(outcomes(load(plain.address, json!([step]))), [why]);
}

#[test]
fn the_will_is_published_if_a_connection_breaks_and_not_if_it_ends() {
    let Some(broker) = Mosquitto::open() else { return };
    let will = json!({"topic": "state/${id}", "payload": {"gone": true}, "qos": 1, "retain": true});
    let asks =
        json!({"method": "receive", "topic": "state/${id}", "expect": "true", "timeout": 0.3});
    let run = |ends: Json, version: Json, id: u8| {
        let tasks = json!([
            {"method": "connect", "will": will, "version": version, "properties": {"session_expiry": 0}},
            ends,
            {"method": "disconnect"},
            {"method": "subscribe", "topic": "state/#"},
            asks,
        ]);
        outcomes(broker.load(tasks).with("variables", json!({"id": id})))
    };
    let late = "timed out after 0.3 s";
    assert_eq!(run(json!({"method": "publish", "topic": "a"}), json!("3.1.1"), 1)[4], late);
    let breaks = json!({"method": "receive", "timeout": 0.3});
    for (version, id) in [(json!("3.1.1"), 2), (json!(5), 3)] {
        assert_eq!(run(breaks.clone(), version, id), ["ok", late, "ok", "ok", "ok"]);
    }
}

#[test]
fn an_idle_user_and_one_that_waits_ping_the_broker() {
    let Some(broker) = Mosquitto::open() else { return };
    // Mosquitto ends a connection after one and a half times this.
    let tasks = json!([
        {"method": "connect", "keepalive": 1, "client_id": "idle", "think_time": 3.5},
        {"topic": "a", "qos": 1},
        {"method": "subscribe", "topic": "b"},
        {"method": "receive", "topic": "b", "timeout": 3.5},
        {"method": "connect", "keepalive": 1, "client_id": "other"},
    ]);
    let late = "timed out after 3.5 s";
    assert_eq!(outcomes(broker.load(tasks)), ["ok", "ok", "ok", late, "ok"]);
    broker.logged("as idle (");
    broker.logged("Received PINGREQ from idle");
    broker.logged("Received PUBLISH from idle");
    broker.logged("Received PINGREQ from idle");
    // It ended because the step timed out.
    broker.logged("Client idle ");
}

#[test]
fn users_have_names_of_their_own_and_a_session_is_kept_where_it_shall_be() {
    let Some(broker) = Mosquitto::open() else { return };
    let outcome = broker
        .load(json!([{"topic": "a", "qos": 1}]))
        .with("user_count", json!(20))
        .until(20)
        .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let name = |line: String| {
        let at = line.find("as loaddensity-").expect("a name");
        line[at + 3..].split(' ').next().expect("a name").to_owned()
    };
    let names: std::collections::BTreeSet<String> =
        (0..20).map(|_| name(broker.logged("as loaddensity-"))).collect();
    assert_eq!(names.len(), 20);
    assert!(names.iter().all(|name| name.len() == 20), "{names:?}");
    // A message that comes while nobody is connected.
    let keeps = json!({"method": "connect", "client_id": "k", "clean": false, "version": 5, "properties": {"session_expiry": 60}});
    let outcome = outcomes(broker.load(json!([
        keeps,
        {"method": "subscribe", "topic": "kept", "qos": 1},
        {"method": "disconnect"},
        {"topic": "kept", "payload": "for later", "qos": 1},
        {"method": "disconnect"},
        keeps,
        {"method": "receive", "expect": "later"},
    ])));
    assert_eq!(outcome, ["ok"; 7]);
}

#[test]
fn a_broker_that_does_not_accept_a_client_fails_the_step_by_its_reason() {
    let refused = outcomes(load(nowhere(), json!([connect(false)])));
    assert_eq!(refused, ["[Errno 111] Connection refused"]);
    let answering = |bytes: &'static [u8]| {
        Peer::start(move |stream| {
            packet(stream)?;
            stream.write_all(bytes)?;
            drain(stream)
        })
    };
    for (bytes, why) in [
        (&[0x20, 2, 0, 4][..], "connection refused: bad user name or password (4)"),
        (&[0x20, 2, 0, 9], "connection refused: unknown reason (9)"),
        (&[0x20, 2, 9, 0], "invalid packet: its flags are wrong"),
        (&[0x20, 0x80, 0x80, 0x80, 0x80], "invalid packet: its length has no end"),
        (&[0x90, 3, 0, 1, 0], "unexpected packet: SUBACK"),
        (b"HTTP/1.1 400 Bad Request", "invalid packet: its flags are wrong"),
    ] {
        check(&answering(bytes), connect(false), why);
    }
    let v5 = json!({"method": "connect", "version": 5});
    let told = &[0x20, 8, 0, 0x89, 5, 0x1f, 0, 2, b'n', b'o'];
    check(&answering(told), v5.clone(), "connection refused: server busy (137): no");
    let older = "connection refused: unacceptable protocol version (1)";
    check(&answering(&[0x20, 2, 0, 1]), v5, older);
    check(&answering(b""), connect(true), "timed out after 0.1 s");
    check(&answering(&[0x20, 2]), connect(true), "timed out after 0.1 s");
    let closing = Peer::start(|stream| packet(stream).map(drop));
    check(&closing, connect(false), "connection closed before a response");
    let cut = Peer::start(|stream| {
        packet(stream)?;
        stream.write_all(&[0x20, 2, 0])
    });
    check(&cut, connect(false), "connection closed in the middle of a response");
    let reset = Peer::start(|stream| {
        packet(stream)?;
        stream.write_all(&[0x20, 2, 0])?;
        SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
    });
    check(&reset, connect(false), "connection reset by the target");
}

#[test]
fn a_broker_that_breaks_the_protocol_is_named_and_left() {
    let receive = json!({"method": "receive", "topic": "a"});
    let subscribe = json!({"method": "subscribe", "topic": "a"});
    for (step, bytes, why) in [
        (publish(), &[0x40, 2, 0, 9][..], "unexpected packet: PUBACK"),
        (publish(), &[0x50, 2, 0, 1], "unexpected packet: PUBREC"),
        (publish(), &[0x20, 2, 0, 0], "unexpected packet: CONNACK"),
        (publish(), &[0x40, 2, 0, 0], "invalid packet: its identifier is 0"),
        (publish(), &[0x40, 1, 0], "invalid packet: it ends too early"),
        (publish(), &[0x40, 0xff, 0xff, 0xff, 0x7f], "invalid packet: it is too long"),
        (subscribe.clone(), &[0x90, 3, 0, 1, 0x80], "subscribe refused: unspecified error (128)"),
        (subscribe, &[0xb0, 2, 0, 1], "unexpected packet: UNSUBACK"),
        (publish(), &[0x82, 0], "invalid packet: only clients send its type"),
    ] {
        check(&saying(bytes), step, why);
    }
    let pushing = |bytes: Vec<u8>| {
        broker(move |stream| {
            stream.write_all(&bytes)?;
            drain(stream)
        })
    };
    let long = "a message is longer than --max-body-bytes 4194304 allows";
    check(&pushing(b"\x30\xff\xff\xff\x7f\0\x01a".to_vec()), receive.clone(), long);
    check(
        &pushing(vec![0x30, 3, 0, 1, 0xff]),
        receive.clone(),
        "invalid packet: a text that is not UTF-8",
    );
    // A packet that never ends, one that is cut off, and one that is reset.
    let endless = broker(|stream| {
        stream.write_all(b"\x30\xff\xff\x7f\0\x01a")?;
        loop {
            stream.write_all(b"x")?;
            std::thread::yield_now();
        }
    });
    let mut soon = receive.clone();
    soon["timeout"] = json!(0.2);
    check(&endless, soon, "timed out after 0.2 s");
    let cut = broker(|stream| stream.write_all(b"\x30\x09\0\x01a"));
    check(&cut, receive.clone(), "connection closed in the middle of a response");
    let reset = broker(|stream| {
        packet(stream)?;
        stream.write_all(b"\x30\x09\0\x01a")?;
        SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
    });
    check(&reset, publish(), "connection reset by the target");
    // The next step has another connection.
    let never = broker(drain);
    let mut late = publish();
    late["timeout"] = json!(0.1);
    let tasks = json!([late, {"topic": "a"}, late]);
    let why = "timed out after 0.1 s";
    assert_eq!(outcomes(load(never.address, tasks)), [why, "ok", why]);
    assert_eq!(never.connections(), 2);
}

#[test]
fn an_end_between_steps_is_met_by_the_next_one_unless_it_connects() {
    let goodbye = || {
        Peer::start(|stream| {
            packet(stream)?;
            stream.write_all(&[0x20, 3, 0, 0, 0])?;
            packet(stream)?;
            // A message, and the end.
            stream.write_all(b"\x30\x05\0\x01a\0x\xe0\x01\x8e")
        })
    };
    let first =
        |method: &str| json!({"method": method, "topic": "a", "version": 5, "think_time": 0.3});
    let one = goodbye();
    let tasks = json!([
        first("publish"),
        {"method": "receive", "expect": "x"},
        {"topic": "a"},
        {"topic": "a"},
    ]);
    let gone = "connection closed by the broker: session taken over (142)";
    assert_eq!(outcomes(load(one.address, tasks)), ["ok", "ok", gone, "ok"]);
    assert_eq!(one.connections(), 2);
    let other = goodbye();
    let tasks = json!([first("publish"), {"method": "connect"}, {"topic": "a"}]);
    assert_eq!(outcomes(load(other.address, tasks)), ["ok"; 3]);
}

/// Reads packets until the end, and hands them on without pings.
fn watched() -> (Peer, Receiver<(u8, Vec<u8>)>) {
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let peer = Peer::start(move |stream| {
        // One connection after the other, so that the order of packets is that in which they were sent.
        let sender = sender.lock().expect("a lock");
        loop {
            let (first, body) = packet(stream)?;
            let id = |at: usize| [body[at], body[at + 1]];
            match first >> 4 {
                // The level of the protocol follows its name.
                1 if body[6] == 5 => stream.write_all(&[0x20, 3, 0, 0, 0])?,
                1 => stream.write_all(&[0x20, 2, 0, 0])?,
                8 => stream.write_all(&[&[0x90, 3][..], &id(0), &[1]].concat())?,
                _ => {}
            }
            sender.send((first, body)).expect("a test");
            if first == 0xe0 {
                return Ok(());
            }
        }
    });
    (peer, seen)
}

#[test]
fn the_first_packet_says_who_the_client_is_and_the_last_one_goodbye() {
    let (peer, seen) = watched();
    let tasks = json!([
        {"method": "connect", "client_id": "c-${n}", "username": "ann", "password": "s3cret",
         "keepalive": 9, "clean_session": false,
         "will": {"topic": "w", "payload": "hex:00", "binary": true, "qos": 1, "retain": true}},
        {"topic": "a", "payload": "x", "retain": true},
    ]);
    let outcome = outcomes(load(peer.address, tasks).with("variables", json!({"n": 7})));
    assert_eq!(outcome, ["ok"; 2]);
    let next = || seen.recv().expect("a packet");
    let connect = b"\0\x04MQTT\x04\xec\0\x09\0\x03c-7\0\x01w\0\x01\0\0\x03ann\0\x06s3cret";
    assert_eq!(next(), (0x10, connect.to_vec()));
    assert_eq!(next(), (0x31, b"\0\x01ax".to_vec()));
    assert_eq!(next(), (0xe0, Vec::new()), "the end of the test");
}

#[test]
fn connections_have_the_properties_of_the_test_and_messages_those_of_their_task() {
    let (peer, seen) = watched();
    let tasks = json!([
        {"topic": "a", "payload": "x", "properties": {"user": {"m": "${v}"}}},
        {"method": "disconnect"},
        {"method": "connect", "properties": {"user": {"c": "2"}}},
    ]);
    let given = json!({"version": 5, "client_id": "c", "properties": {"session_expiry": 9, "user": {"t": 1}}});
    let load = load(peer.address, tasks).with("variables", json!({"v": 7}));
    assert_eq!(outcomes(load.with("connection", given)), ["ok"; 3]);
    let connect = |pair: &[u8]| {
        [&b"\0\x04MQTT\x05\x02\0\x3c\x0c\x11\0\0\0\x09\x26"[..], pair, b"\0\x01c"].concat()
    };
    let next = || seen.recv().expect("a packet");
    assert_eq!(next(), (0x10, connect(b"\0\x01t\0\x011")));
    assert_eq!(next(), (0x30, b"\0\x01a\x07\x26\0\x01m\0\x017x".to_vec()));
    assert_eq!(next(), (0xe0, Vec::new()));
    assert_eq!(next(), (0x10, connect(b"\0\x01c\0\x012")));
}

#[test]
fn messages_with_qos_are_acknowledged_and_those_with_qos_2_are_one() {
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let peer = broker(move |stream| {
        packet(stream)?;
        // Twice the same message, and after its release another one of that number.
        let twice =
            b"\x34\x06\0\x01a\0\x071\x3c\x06\0\x01a\0\x071\x62\x02\0\x07\x34\x06\0\x01a\0\x072";
        stream.write_all(&[twice, &b"\x32\x06\0\x01a\0\x083"[..]].concat())?;
        for _ in 0..5 {
            sender.lock().expect("a lock").send(packet(stream)?).expect("a test");
        }
        drain(stream)
    });
    let receive = |text: u8| json!({"method": "receive", "expect": text});
    let tasks = json!([{"topic": "a", "think_time": 0.3}, receive(1), receive(2), receive(3)]);
    assert_eq!(outcomes(load(peer.address, tasks)), ["ok"; 4]);
    let acks: Vec<_> = (0..5).map(|_| seen.recv().expect("a packet")).collect();
    let ack = |first, id| (first, vec![0, id]);
    assert_eq!(acks, [ack(0x50, 7), ack(0x50, 7), ack(0x70, 7), ack(0x50, 7), ack(0x40, 8)]);
}

/// CONNACK of a broker that has the session of the client, and of one that has none.
const KNOWN: &[u8] = &[0x20, 2, 1, 0];
const UNKNOWN: &[u8] = &[0x20, 2, 0, 0];

/// A broker that says this to each packet of its first connections, and then closes them; the tasks run
/// against it. Returns their outcomes, and the first byte of each packet with the number after its topic or
/// at its beginning.
fn resumed(
    script: Vec<Vec<&'static [u8]>>,
    connection: &Json,
    tasks: Json,
) -> (Vec<String>, Vec<(u8, u8)>) {
    let connections = Mutex::new(script.into_iter());
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let peer = Peer::start(move |stream| {
        let replies = connections.lock().expect("a lock").next().unwrap_or_default();
        for reply in replies {
            let (first, body) = packet(stream)?;
            let at = if first >> 4 == 3 { 4 } else { 1 };
            let id = if first >> 4 == 1 { 0 } else { *body.get(at).unwrap_or(&0) };
            sender.lock().expect("a lock").send((first, id)).expect("a test");
            stream.write_all(reply)?;
        }
        Ok(())
    });
    let outcome = outcomes(load(peer.address, tasks).with("connection", connection.clone()));
    drop(peer);
    (outcome, seen.try_iter().collect())
}

#[test]
fn a_message_that_was_not_acknowledged_is_sent_again_in_its_session_and_only_there() {
    const CLOSED: &str = "connection closed before a response";
    let message = |qos: u8| json!({"topic": "a", "payload": "x", "qos": qos});
    let keeps = json!({"client_id": "c", "clean": false});
    let (ack, rec, comp) = (&[0x40, 2, 0, 1][..], &[0x50, 2, 0, 1][..], &[0x70, 2, 0, 1][..]);
    let (ack_2, rec_2, comp_2) = (&[0x40, 2, 0, 2][..], &[0x50, 2, 0, 2][..], &[0x70, 2, 0, 2][..]);
    let connect = (0x10, 0);
    for (qos, first, then, want) in [
        // Without PUBACK or PUBREC, PUBLISH is sent again, and the next message has its own number.
        (
            1,
            vec![&b""[..]],
            vec![KNOWN, ack, ack_2],
            vec![(0x32, 1), connect, (0x3a, 1), (0x32, 2)],
        ),
        (
            2,
            vec![b""],
            vec![KNOWN, rec, comp, rec_2, comp_2],
            vec![(0x34, 1), connect, (0x3c, 1), (0x62, 1), (0x34, 2), (0x62, 2)],
        ),
        // Without PUBCOMP, PUBREL is.
        (
            2,
            vec![rec, b""],
            vec![KNOWN, comp, rec_2, comp_2],
            vec![(0x34, 1), (0x62, 1), connect, (0x62, 1), (0x34, 2), (0x62, 2)],
        ),
        // A broker without the session knows no message: nothing is sent again.
        (2, vec![b""], vec![UNKNOWN, rec, comp], vec![(0x34, 1), connect, (0x34, 1), (0x62, 1)]),
    ] {
        let first = [vec![UNKNOWN], first].concat();
        let tasks = json!([message(qos), message(qos)]);
        let (outcome, seen) = resumed(vec![first, then], &keeps, tasks);
        assert_eq!(outcome, [CLOSED, "ok"], "{want:x?}");
        assert_eq!(seen, [vec![connect], want].concat());
    }
    // As often as the connection breaks, and with the bytes of the message that was not acknowledged.
    let again = vec![KNOWN, b""];
    let script = vec![vec![UNKNOWN, b""], again.clone(), again, vec![KNOWN, rec, comp, ack_2]];
    let tasks = json!([message(2), message(1), message(1), message(1)]);
    let (outcome, seen) = resumed(script, &keeps, tasks);
    assert_eq!(outcome, [CLOSED, CLOSED, CLOSED, "ok"]);
    let (sent, again) = (vec![connect, (0x34, 1)], vec![connect, (0x3c, 1)]);
    let last = vec![connect, (0x3c, 1), (0x62, 1), (0x32, 2)];
    assert_eq!(seen, [sent, again.clone(), again, last].concat());
    // A clean start forgets the session, and so does another client.
    for tasks in [
        json!([message(2), {"topic": "a", "payload": "x", "qos": 2, "clean": true}]),
        json!([message(2), {"topic": "a", "payload": "x", "qos": 2, "client_id": "d"}]),
    ] {
        let known = if tasks[1]["clean"] == true { UNKNOWN } else { KNOWN };
        let (outcome, seen) =
            resumed(vec![vec![UNKNOWN, b""], vec![known, rec, comp]], &keeps, tasks);
        assert_eq!(outcome, [CLOSED, "ok"]);
        assert_eq!(seen, [connect, (0x34, 1), connect, (0x34, 1), (0x62, 1)]);
    }
    let (outcome, _) = resumed(vec![vec![KNOWN]], &json!({"client_id": "c"}), json!([message(1)]));
    assert_eq!(outcome, ["unexpected packet: CONNACK of an old session"]);
}

#[test]
fn a_message_with_qos_2_is_received_once_although_its_connection_broke() {
    let connection = |clean: bool| json!({"client_id": "c", "clean": clean});
    let receive = json!({"method": "receive", "timeout": 0.3});
    let tasks = || {
        let step =
            |method: &str, pause| json!({"method": method, "topic": "a", "think_time": pause});
        let expects = |text: u8| json!({"method": "receive", "expect": text});
        // The second step acknowledges what came after the first, and the third one meets the end.
        let begin = [step("publish", 0.3), step("connect", 0.3), step("connect", 0.0)];
        let then = [step("publish", 0.0), expects(1), expects(2), receive.clone()];
        json!([begin.to_vec(), then.to_vec()].concat())
    };
    let script = |known| {
        let message = b"\x34\x06\0\x01a\0\x071";
        // Again, then its release, and another one of that number.
        let again = b"\x3c\x06\0\x01a\0\x071\x62\x02\0\x07\x34\x06\0\x01a\0\x072";
        vec![vec![UNKNOWN, message, b""], vec![known, again, b"", b"", b"", b""]]
    };
    let late = "timed out after 0.3 s";
    let (outcome, seen) = resumed(script(KNOWN), &connection(false), tasks());
    assert_eq!(outcome, ["ok", "ok", "ok", "ok", "ok", "ok", late]);
    let rec = (0x50, 7);
    let acks: Vec<_> = seen.into_iter().filter(|(first, _)| first >> 4 > 4).collect();
    assert_eq!(acks, [rec, rec, (0x70, 7), rec]);
    let (outcome, _) = resumed(script(UNKNOWN), &connection(true), tasks());
    assert_eq!(outcome, ["ok", "ok", "ok", "ok", "ok", "ok", late]);
}

#[test]
fn messages_of_other_topics_are_kept_and_those_without_the_expected_text_skipped() {
    let pushing = || {
        broker(|stream| {
            for (topic, text) in
                [("b", "early"), ("a", "notice"), ("a", "the response"), ("b", "later")]
            {
                let length = 3 + text.len() as u8;
                stream.write_all(
                    &[&[0x30, length, 0, 1], topic.as_bytes(), text.as_bytes()].concat(),
                )?;
            }
            drain(stream)
        })
    };
    let one = pushing();
    let tasks = json!([
        {"method": "receive", "topic": "a", "expect": "response"},
        {"method": "receive", "topic": "a", "expect": "response"},
        {"method": "receive", "topic": "+", "expect": "early"},
        {"method": "receive", "expect": "later"},
    ]);
    let missing = "expected 'response' in response";
    assert_eq!(outcomes(load(one.address, tasks)), [missing, "ok", "ok", "ok"]);
    let one = pushing();
    let any = json!({"method": "receive", "topic": "a", "expect": "response", "match": "any"});
    let mut never = any.clone();
    (never["expect"], never["timeout"]) = (json!("nope"), json!(0.2));
    let outcome = outcomes(load(one.address, json!([any, {"method": "receive"}])));
    assert_eq!(outcome, ["ok", "ok"]);
    let outcome = outcomes(load(one.address, json!([never])));
    assert_eq!(outcome, ["expected 'nope' in response"]);
}

#[test]
fn a_user_keeps_a_thousand_messages_and_says_how_many_it_dropped() {
    let flooding = broker(|stream| {
        packet(stream)?;
        stream.write_all(&b"\x30\x04\0\x01ax".repeat(1500))?;
        stream.write_all(&[0x40, 2, 0, 1])?;
        drain(stream)
    });
    let receive = json!({"method": "receive", "expect": "x"});
    let outcome = outcomes(load(flooding.address, json!([publish(), receive, receive])));
    let dropped =
        "500 messages were dropped before: a user keeps 1000, or 1 MiB, until a step receives them";
    assert_eq!(outcome, ["ok", dropped, "ok"]);
    // Without end, while the step waits for something else.
    let endless = broker(|stream| {
        packet(stream)?;
        let mut answers = stream.try_clone()?;
        std::thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
        loop {
            stream.write_all(&b"\x32\x06\0\x01a\0\x01x".repeat(1000))?;
        }
    });
    let mut soon = publish();
    soon["timeout"] = json!(0.2);
    check(&endless, soon, "timed out after 0.2 s");
    // One that sends and never reads: what is to be acknowledged does not grow.
    let deaf = broker(|stream| {
        packet(stream)?;
        loop {
            stream.write_all(&b"\x32\x06\0\x01a\0\x01x".repeat(1000))?;
        }
    });
    let mut soon = publish();
    soon["timeout"] = json!(0.5);
    check(&deaf, soon, "timed out after 0.5 s");
}

#[test]
fn a_broker_that_does_not_answer_pings_is_left() {
    let silent = broker(drain);
    let waits = json!({"method": "receive", "keepalive": 1, "timeout": 60});
    check(&silent, waits, "no response to a ping");
}

#[test]
fn t76_messages_of_brokers_take_their_share_of_memory_or_fail_and_give_it_back() {
    let large = || {
        broker(|stream| {
            let size = 3_000_000;
            let length = [
                (size + 3) & 0x7f | 0x80,
                (size + 3) >> 7 & 0x7f | 0x80,
                (size + 3) >> 14 & 0x7f | 0x80,
                (size + 3) >> 21,
            ];
            stream
                .write_all(&[&[0x30][..], &length.map(|byte| byte as u8), b"\0\x01a"].concat())?;
            stream.write_all(&vec![b'x'; size])?;
            drain(stream)
        })
    };
    let receive = json!([{"method": "receive"}]);
    let memory = Memory::new(20 << 20);
    let peer = large();
    let outcome = load(peer.address, receive.clone()).under(&memory).run();
    assert_eq!((outcome.rows[0].bytes, &outcome.rows[0].error), (3_000_000, &None));
    let mut rest = memory.share("something else");
    rest.grow((18 << 20) - memory.taken()).expect("room");
    let peer = large();
    let outcome = outcomes(load(peer.address, receive).under(&memory));
    assert!(outcome[0].starts_with("MQTT messages: "), "{outcome:?}");
    drop(rest);
    assert_eq!(memory.taken(), 0, "it is given back");
}

#[test]
fn mqtt_reaches_no_target_that_tests_may_not_and_a_lost_step_is_not_sent() {
    let target = broker(drain);
    let tasks = || json!([{"topic": "a"}]);
    let refusal = |why: &str| format!("target {} is refused: {why}", target.address);
    let refused = outcomes(load(target.address, tasks()).allowed(&["192.0.2.1"]));
    assert_eq!(refused, [refusal("no --allow-target names it")]);
    let lost = load(target.address, tasks())
        .after(json!(["LD_install_network_conditioner", {"loss_rate": 1}]));
    assert_eq!(outcomes(lost), [ldctl::load::LOST]);
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_stop_does_not_wait_for_a_message_that_does_not_come() {
    let silent = broker(drain);
    let tasks = json!([connect(false), {"method": "receive", "timeout": 3600}]);
    let begin = std::time::Instant::now();
    let outcome = load(silent.address, tasks).until(1).run();
    assert_eq!(outcome.rows.len(), 1);
    // Requests have five seconds to end.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn what_depends_on_variables_is_checked_when_it_is_known() {
    let peer = broker(drain);
    let tasks = json!([
        {"topic": "a/${v}"},
        {"method": "subscribe", "topic": "a/${v}/b"},
        {"broker": "${v}"},
        {"topic": "a", "payload": "${h}", "binary": true},
        {"topic": "a", "properties": {"user": {"a": "b"}}},
        {"topic": "a"},
    ])
    .to_string()
    .replace(r#"{"broker""#, r#"{"topic":"a","broker""#);
    let tasks: Json = serde_json::from_str(&tasks).expect("JSON");
    let variables = json!({"v": "#", "h": "hex:1"});
    assert_eq!(
        outcomes(load(peer.address, tasks).with("variables", variables)),
        [
            "Publish topic cannot contain wildcards.",
            "Invalid subscription filter.",
            "invalid broker: no host",
            "invalid bytes: \"hex:\" takes pairs of hexadecimal digits, with or without spaces",
            "\"properties\" of a message need MQTT 5, and the connection has 3.1.1",
            "ok",
        ]
    );
    assert_eq!(peer.connections(), 1, "they leave the connection");
}

#[test]
fn a_wrong_task_is_refused_with_its_place_before_anything_is_sent() {
    let good = json!({"topic": "a"});
    for (task, why) in [
        (json!({"method": "frob", "topic": "a"}), "/method: expected \"connect\", \"publish\", "),
        (json!({}), ": the method publish needs a \"topic\""),
        (json!({"topic": ""}), "/topic: Invalid topic."),
        (json!({"topic": "a/+"}), "/topic: Publish topic cannot contain wildcards."),
        (json!({"method": "subscribe", "topic": "#/a"}), "/topic: Invalid subscription filter."),
        (json!({"topic": "a", "qos": 3}), "/qos: Invalid QoS level."),
        (json!({"topic": "a", "qos": "x"}), "/qos: Invalid QoS level."),
        (
            json!({"topic": "a", "retain": "false"}),
            "/retain: expected true or false, got \"false\"",
        ),
        (json!({"topic": "a", "broker": "http://h"}), "/broker: expected a broker as host:port, "),
        (json!({"topic": "a", "host": "h:x"}), "/host: invalid broker: invalid port number"),
        (json!({"topic": "a", "version": 4}), "/version: expected \"3.1.1\" or 5, got 4"),
        (
            json!({"topic": "a", "password": "s3cret"}),
            "/password: \"password\" needs \"username\" in MQTT 3.1.1",
        ),
        (
            json!({"topic": "a", "keepalive": 65_536}),
            "/keepalive: expected seconds from 0 to 65535, got 65536",
        ),
        (
            json!({"topic": "a", "will": {"topic": "#"}}),
            "/will/topic: Publish topic cannot contain wildcards.",
        ),
        (json!({"topic": "a", "will": {"topic": "b", "x": 1}}), "/will/x: unknown field"),
        (
            json!({"topic": "a", "properties": {"user": 1}}),
            "/properties/user: expected an object, got 1",
        ),
        (
            json!({"topic": "a", "payload": "hex:0", "binary": true}),
            "/payload: \"hex:\" takes pairs of ",
        ),
        (
            json!({"topic": "a", "expect": "x"}),
            "/expect: \"expect\", \"assertions\" and \"extract\" need the method receive",
        ),
        (
            json!({"method": "receive", "match": "any"}),
            "/match: \"any\" needs \"expect\": what it looks for",
        ),
        (json!({"topic": "a", "url": "x"}), "/url: unknown field"),
    ] {
        let refusal = load(nowhere(), json!([good, task])).refusal();
        assert!(refusal.starts_with(&format!("LD_start_test: /tasks/1{why}")), "{refusal}");
        assert!(!refusal.contains("s3cret"), "{refusal}");
    }
    let refusal = load(nowhere(), json!([good])).with("connection", json!({"qos": 1})).refusal();
    assert!(refusal.starts_with("LD_start_test: /connection/qos: unknown field"), "{refusal}");
    let refusal = load(nowhere(), json!({"get": good})).refusal();
    assert_eq!(refusal, "LD_start_test: /tasks/get: the tasks of an mqtt_user must be a list");
    let detail = json!({"user": "mqtt_user", "host": "ftp://u:s3cret@h"});
    let refusal = Load::once(json!([good])).with("user_detail_dict", detail).refusal();
    let why = "expected a broker as host:port, mqtt://host:port or mqtts://host:port";
    assert_eq!(refusal, format!("LD_start_test: /user_detail_dict/host: {why}"));
}
