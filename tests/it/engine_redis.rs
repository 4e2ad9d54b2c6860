//! Redis tasks against a small server in this process, and against peers that are none.
//! `tests/compare/websocket.py` asks a real one.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use ldctl::memory::Memory;
use serde_json::{Value as Json, json};

use crate::support::{Load, Peer, nowhere};

/// The commands that a server has seen, without their payloads' bytes.
type Seen = Arc<Mutex<Vec<Vec<String>>>>;

/// Reads a command: a list of byte strings.
fn command(stream: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut line = String::new();
    let mut number = |stream: &mut dyn BufRead, sign: char| {
        line.clear();
        stream.read_line(&mut line)?;
        let digits = line.trim_end().strip_prefix(sign).ok_or(io::ErrorKind::UnexpectedEof)?;
        digits.parse::<usize>().map_err(io::Error::other)
    };
    let count = number(stream, '*')?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let mut part = vec![0; number(stream, '$')? + 2];
        stream.read_exact(&mut part)?;
        part.truncate(part.len() - 2);
        parts.push(String::from_utf8(part).map_err(io::Error::other)?);
    }
    Ok(parts)
}

/// A server that wants the password `s3cret` if it is given one at all.
fn server() -> (Peer, Seen) {
    let seen = Seen::default();
    let data = Arc::new(Mutex::new(HashMap::<String, String>::new()));
    let kept = Arc::clone(&seen);
    let peer = Peer::start(move |stream| {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let parts = command(&mut reader)?;
            kept.lock().expect("a lock").push(parts.clone());
            let mut data = data.lock().expect("a lock");
            let words: Vec<&str> = parts.iter().map(String::as_str).collect();
            let bulk = |text: Option<String>| match text {
                Some(text) => format!("${}\r\n{text}\r\n", text.len()),
                None => "$-1\r\n".to_owned(),
            };
            let reply = match words.as_slice() {
                ["AUTH", .., "s3cret"] | ["SELECT", "2"] => "+OK\r\n".to_owned(),
                ["AUTH", ..] => "-WRONGPASS invalid username-password pair\r\n".to_owned(),
                ["SELECT", _] => "-ERR DB index is out of range\r\n".to_owned(),
                ["SET", key, value] => {
                    data.insert((*key).to_owned(), (*value).to_owned());
                    "+OK\r\n".to_owned()
                }
                ["GET" | "RPOP", key] => bulk(data.get(*key).cloned()),
                ["EXISTS", key] => format!(":{}\r\n", i32::from(data.contains_key(*key))),
                ["DEL", key] => format!(":{}\r\n", i32::from(data.remove(*key).is_some())),
                ["LPUSH", ..] => "-WRONGTYPE wrong kind of value\r\n".to_owned(),
                ["INCR", _] => ":1\r\n".to_owned(),
                _ => "-ERR unknown command\r\n".to_owned(),
            };
            drop(data);
            stream.write_all(reply.as_bytes())?;
        }
    });
    (peer, seen)
}

fn load(url: String, tasks: Json) -> Load {
    Load::once(tasks)
        .with("user_detail_dict", json!({"user": "redis_user"}))
        .with("connection", json!({"url": url}))
}

fn url(peer: &Peer) -> String {
    format!("redis://{}/0", peer.address)
}

/// The outcome of each step, `ok` or why it failed.
fn outcomes(load: Load) -> Vec<String> {
    let rows = load.run().rows.into_iter();
    rows.map(|row| row.error.unwrap_or_else(|| "ok".to_owned())).collect()
}

#[test]
fn commands_are_sent_over_one_connection_and_replies_are_checked() {
    let (peer, seen) = server();
    let outcome = load(
        url(&peer),
        json!([
            {"method": "SET", "key": "k:${n}", "value": "pïng", "expect": "True"},
            {"method": "get", "key": "k:${n}", "name": "read", "expect": "p${i}ng"},
            {"method": "set", "key": "j", "value": {"a": ["${n}"]}, "expect": "OK"},
            {"method": "get", "key": "j", "assertions": [{"type": "json_path", "path": "a.0", "value": "7"}],
             "extract": [{"var": "x", "path": "a.0"}]},
            {"method": "exists", "key": "j", "expect": 1},
            {"method": "delete", "key": "j", "expect": "${x}"},
            {"method": "get", "key": "j", "expect": ""},
            {"method": "incr", "key": "c", "assertions": [{"type": "contains", "value": "1"}]},
            {"method": "lpush", "key": "q"},
            {"method": "rpop", "key": "q"},
        ]),
    )
    .with("variables", json!({"n": 7, "i": "ï"}))
    .run();
    let shown = url(&peer);
    let rows: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| (&*row.method, &*row.url, &*row.name, row.status, row.bytes))
        .collect();
    let row = |name, bytes| ("REDIS", &*shown, name, None, bytes);
    assert_eq!(
        rows,
        [
            row("set", 1),
            row("read", 5),
            row("set", 1),
            row("get", 12),
            row("exists", 1),
            row("delete", 1),
            row("get", 0),
            row("incr", 1),
            row("lpush", 0),
            row("rpop", 0),
        ]
    );
    let errors = ["redis expected '7', got '1'", "WRONGTYPE wrong kind of value"];
    assert_eq!(outcome.errors(), errors);
    assert_eq!(peer.connections(), 1);
    let seen = seen.lock().expect("a lock");
    assert_eq!(seen[0], ["SET", "k:7", "pïng"]);
    assert_eq!(seen[2], ["SET", "j", r#"{"a": ["7"]}"#]);
}

#[test]
fn a_user_logs_in_and_selects_its_database_and_no_password_is_shown() {
    let (peer, seen) = server();
    let get = json!([{"method": "get", "key": "k"}, {"method": "get", "key": "k"}]);
    let of = |user: &str, database: u8| format!("redis://{user}@{}/{database}", peer.address);
    let outcome = load(of(":${password}", 2), get.clone())
        .with("variables", json!({"password": "s3cret"}))
        .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert!(outcome.rows.iter().all(|row| row.url == format!("redis://{}/2", peer.address)));
    assert_eq!(
        *seen.lock().expect("a lock"),
        [&["AUTH", "s3cret"][..], &["SELECT", "2"], &["GET", "k"], &["GET", "k"]]
    );
    let wrong = "WRONGPASS invalid username-password pair";
    assert_eq!(outcomes(load(of("ann:wrong", 2), get.clone())), [wrong; 2]);
    assert_eq!(outcomes(load(of(":s3cret", 9), get)), ["DB index is out of range"; 2]);
}

#[test]
fn a_peer_that_is_no_server_fails_the_step_and_is_left() {
    let saying = |text: &'static [u8]| {
        Peer::start(move |stream: &mut TcpStream| {
            let _ = stream.read(&mut [0; 4096])?;
            stream.write_all(text)?;
            io::copy(stream, &mut io::sink()).map(drop)
        })
    };
    let get = json!([{"method": "get", "key": "k", "timeout": 0.5}]);
    let check = |text: &'static [u8], why: &str| {
        let peer = saying(text);
        assert_eq!(outcomes(load(url(&peer), get.clone())), [why]);
    };
    check(b"HTTP/1.1 400\r\n", "invalid reply: it begins with none of + - : $ *");
    check(b"*1\r\n", "invalid reply: a list");
    check(b"+OK\r\n+OK\r\n", "more than the reply came");
    check(b"$5000000\r\n", "a reply is longer than --max-body-bytes 4194304 allows");
    check(b"$10\r\nab", "timed out after 0.5 s");
    check(b"", "timed out after 0.5 s");
    let closing = Peer::start(|stream| stream.read(&mut [0; 4096]).map(drop));
    assert_eq!(outcomes(load(url(&closing), get.clone())), ["connection closed before a response"]);
    let refused = load(format!("redis://{}", nowhere()), get.clone());
    assert_eq!(outcomes(refused), ["connection refused"]);
    let plain = saying(b"-ERR unknown command\r\n");
    let outcome = outcomes(load(format!("rediss://{}", plain.address), get.clone()));
    assert_eq!(outcome, ["TLS failed: the target does not speak TLS on this port; use redis://"]);
    let (peer, _) = server();
    let outcome = outcomes(load(url(&peer), get).allowed(&["192.0.2.1"]));
    let why = format!("target {} is refused: no --allow-target names it", peer.address);
    assert_eq!(outcome, [why]);
}

#[test]
fn t76_replies_take_their_share_of_memory_or_fail_and_give_it_back() {
    let large = || {
        Peer::start(|stream: &mut TcpStream| {
            let _ = stream.read(&mut [0; 4096])?;
            stream.write_all(b"$3000000\r\n")?;
            stream.write_all(&vec![b'x'; 3_000_000])?;
            stream.write_all(b"\r\n")?;
            io::copy(stream, &mut io::sink()).map(drop)
        })
    };
    let get = json!([{"method": "get", "key": "k"}]);
    let memory = Memory::new(20 << 20);
    let peer = large();
    let outcome = load(url(&peer), get.clone()).under(&memory).run();
    assert_eq!((outcome.rows[0].bytes, &outcome.rows[0].error), (3_000_000, &None));
    let mut rest = memory.share("something else");
    rest.grow((18 << 20) - memory.taken()).expect("room");
    let peer = large();
    let outcome = outcomes(load(url(&peer), get).under(&memory));
    assert!(outcome[0].starts_with("replies: "), "{outcome:?}");
    drop(rest);
    assert_eq!(memory.taken(), 0, "it is given back");
}

#[test]
fn a_wrong_task_is_refused_with_its_place_before_anything_is_sent() {
    let good = json!({"method": "get", "key": "k"});
    let refusal = |tasks: Json| load("redis://h".to_owned(), tasks).refusal();
    for (task, why) in [
        (
            json!({"method": "keys", "key": "*"}),
            "/method: expected \"get\", \"set\", \"incr\", \"lpush\", \"rpop\", \"delete\" or \"exists\", got \"keys\"",
        ),
        (json!({"method": "get"}), ": missing \"key\""),
        (json!({"method": "get", "key": null}), "/key: expected a key, got null"),
        (json!({"method": "get", "key": "k", "value": 1}), "/value: the method get takes no value"),
        (json!({"method": "get", "key": "k", "url": "/"}), "/url: unknown field"),
    ] {
        let refusal = refusal(json!([good, task]));
        assert!(refusal.starts_with(&format!("LD_start_test: /tasks/1{why}")), "{refusal}");
    }
    assert_eq!(
        refusal(json!({"get": {"key": "k"}})),
        "LD_start_test: /tasks/get: the tasks of a redis_user must be a list"
    );
    assert_eq!(
        load("http://u:s3cret@h".to_owned(), json!([good])).refusal(),
        "LD_start_test: /connection/url: expected a URL that begins with redis:// or rediss://"
    );
    let refusal = load("redis://h".to_owned(), json!([good]))
        .with("user_detail_dict", json!({"user": "socket_user"}))
        .refusal();
    assert!(refusal.starts_with("LD_start_test: /connection: connection "), "{refusal}");
}
