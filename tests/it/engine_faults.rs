//! Targets that fail, lie or attack: each fault is classed with a stable text, and the test goes on.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::{Load, Next, Running, Scripted, Wire, answer, high_water, say, signal};

/// Every request fails for this reason, and the test goes on to the next.
fn check(target: &Scripted, want: &str) {
    check_url(&target.url(), want);
}

fn check_url(url: &str, want: &str) {
    let healthy = Scripted::start(|_, wire| answer(wire, 200, &[], b"fine"));
    let outcome = Load::over(
        json!([
            {"method": "post", "request_url": url, "name": "sick", "data": "body"},
            {"method": "get", "request_url": healthy.url(), "name": "healthy"},
        ]),
        6,
    )
    .run();
    assert_eq!(outcome.error_of("sick"), want);
    let well = outcome.rows.iter().filter(|row| row.name == "healthy" && row.error.is_none());
    let (well, sick) = (well.count(), outcome.errors().len());
    // The end may come between the two.
    assert_eq!((well, well), (healthy.seen().len(), outcome.rows.len() / 2), "{sick} failed");
}

/// A target that says this once it has read the request, and closes.
fn saying(bytes: &'static [u8]) -> Scripted {
    Scripted::start(move |_, wire| say(wire, bytes))
}

/// An address where nothing listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[test]
fn f10_a_target_without_a_listener_refuses_the_connection() {
    check_url(&nowhere(), "connection refused");
}

#[test]
fn f11_a_name_that_does_not_resolve_is_named() {
    let outcome = Load::over(
        json!([{"method": "get", "request_url": "http://name.invalid/", "name": "lost", "timeout": 30}]),
        3,
    )
    .run();
    let error = outcome.error_of("lost");
    assert!(error.starts_with("name resolution failed for name.invalid: "), "{error}");
}

#[test]
fn metadata_services_are_out_of_reach() {
    for (url, address) in [
        ("http://169.254.169.254/latest", "169.254.169.254:80"),
        ("http://[fe80::1]/", "[fe80::1]:80"),
    ] {
        let outcome = Load::once(json!([{"method": "get", "request_url": url}])).run();
        let want =
            format!("target {address} is refused: link-local addresses hold metadata services");
        assert_eq!(outcome.errors(), [want]);
    }
}

#[test]
fn a_redirect_does_not_lead_to_a_metadata_service() {
    let target = Scripted::start(|_, wire| {
        answer(wire, 302, &[("Location", "http://169.254.169.254/latest")], b"")
    });
    let outcome = Load::once(json!([{"method": "get", "request_url": target.url()}])).run();
    assert_eq!(
        outcome.errors(),
        ["target 169.254.169.254:80 is refused: link-local addresses hold metadata services"]
    );
}

#[test]
fn f10_a_silent_target_times_out() {
    let silent = Scripted::start(|_, wire| {
        let _ = wire.read(&mut [0]);
        Ok(Next::Close)
    });
    let outcome = Load::over(
        json!([{"method": "get", "request_url": silent.url(), "name": "silent", "timeout": 0.05}]),
        3,
    )
    .with("user_count", json!(3))
    .run();
    assert_eq!(outcome.error_of("silent"), "timed out after 0.05 s");
    assert_eq!(silent.connections(), outcome.rows.len(), "a late answer would be another's");
}

#[test]
fn f10_a_target_that_sends_single_bytes_times_out() {
    let drip = Scripted::start(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        // Until the other side gives up.
        loop {
            wire.write_all(&[b'.'; 100])?;
            std::thread::yield_now();
        }
    });
    let task =
        json!([{"method": "get", "request_url": drip.url(), "name": "drip", "timeout": 0.001}]);
    assert_eq!(Load::over(task, 3).run().error_of("drip"), "timed out after 0.001 s");
}

#[test]
fn t22_an_endless_response_ends_with_the_timeout_and_its_bytes_are_counted() {
    let endless = Scripted::start(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let block = vec![b'x'; 1 << 20];
        loop {
            wire.write_all(&block)?;
        }
    });
    let outcome = Load::over(
        json!([{"method": "get", "request_url": endless.url(), "name": "endless", "timeout": 0.2}]),
        2,
    )
    .run();
    assert_eq!(outcome.error_of("endless"), "timed out after 0.2 s");
    assert!(outcome.rows.iter().all(|row| row.bytes > 0 && row.status == Some(200)));
}

#[test]
fn f10_a_reset_and_a_close_have_different_errors() {
    // A socket that is closed with unread bytes resets its connection.
    let reset = Scripted::raw(|socket, _| {
        let _ = socket.peek(&mut [0]);
    });
    check(&reset, "connection reset by the target");
    check(&saying(b""), "connection closed before a response");
}

#[test]
fn f10_a_truncated_response_is_a_failure() {
    for half in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 2",
    ] {
        check(&saying(half), "connection closed in the middle of a response");
    }
}

#[test]
fn garbage_is_called_so() {
    for (garbage, why) in [
        (&b"SSH-2.0-OpenSSH_9.6\r\n\r\n"[..], "no status line"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "no status line"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "no status line"),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", "a header cannot be read"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "Content-Length is not a number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length is not a number"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "Content-Length is not a number",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two lengths"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "a chunk has no size"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
            "a chunk's size is too large",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "a chunk is longer than its size",
        ),
    ] {
        check(&saying(garbage), &format!("invalid HTTP response: {why}"));
    }
}

/// A target that begins an answer like this and then says the same for ever.
fn repeating(begin: &'static [u8], again: &'static [u8]) -> Scripted {
    Scripted::start(move |_, wire| {
        wire.write_all(begin)?;
        loop {
            wire.write_all(again)?;
        }
    })
}

#[test]
fn t22_endless_response_heads_are_refused_at_the_limit() {
    let limit = "the response header exceeds the limit of 65536 bytes or 128 headers";
    for (begin, again) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], &b"X-A: b\r\n"[..]),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"bbbbbbbbbbbbbbbbbbbbbbbb"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 ", b"OKOKOKOKOKOKOKOKOKOKOKOK"),
    ] {
        check(&repeating(begin, again), limit);
    }
    check(
        &repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"xxxxxxxxxxxxxxxx"),
        "invalid HTTP response: a chunk's line is too long",
    );
}

/// A process of its own asks for one answer, which `send` writes, and looks for a text in it. Gives
/// the recorded outcome and size, and the memory that the process had when all was sent, in KiB.
fn flat(send: impl Fn(&mut dyn Wire) -> io::Result<Next> + Send + Sync + 'static) -> (String, u64) {
    let (told, pid) = sync_channel::<u32>(1);
    let memory = Arc::new(AtomicU64::new(0));
    let target = {
        let (memory, pid) = (Arc::clone(&memory), Mutex::new((pid, None)));
        Scripted::start(move |request, wire| {
            let (receiver, known) = &mut *pid.lock().expect("a process");
            let pid = *known.get_or_insert_with(|| receiver.recv().expect("a process"));
            if request.target == "/large" {
                let next = send(wire)?;
                memory.store(high_water(pid), Ordering::SeqCst);
                return Ok(next);
            }
            // What came before is recorded by now.
            signal("INT", pid);
            answer(wire, 200, &[], b"")
        })
    };
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let contains = json!([{"type": "contains", "value": "needle"}]);
    let document = json!([
        ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
            "user_count": 1, "test_time": null, "wait_time": 1000,
            "tasks": [{"method": "get", "request_url": "/large", "name": "large", "assertions": contains},
                      {"method": "get", "request_url": "/done"}]}],
        ["LD_generate_csv_report", {"csv_name": "report"}]
    ]);
    std::fs::write(path("document.json"), document.to_string()).expect("a file");
    let running = Running::start(&["run", &path("document.json"), "--data-dir", &path("")], None);
    told.send(running.id()).expect("a target");
    running.end();
    let report = std::fs::read_to_string(path("report.csv")).expect("a report");
    let row = report.lines().find(|line| line.contains(",large,")).expect("a request");
    let fields: Vec<&str> = row.split(',').collect();
    (format!("{} {} {}", fields[0], fields[6], fields[7]), memory.load(Ordering::SeqCst))
}

/// More than the program ever needs, far less than an answer that was kept whole.
const FLAT_KIB: u64 = 128 * 1024;

#[test]
fn t22_a_body_of_4_gib_is_counted_but_not_kept() {
    const LENGTH: u64 = 4 << 30;
    let (row, memory) = flat(|wire| {
        write!(wire, "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")?;
        let block = vec![b'x'; 1 << 20];
        for _ in 0..LENGTH >> 20 {
            wire.write_all(&block)?;
        }
        Ok(Next::Keep)
    });
    let why = "the body is longer than --max-body-bytes 4194304 allows and was not checked";
    assert_eq!(row, format!("failure {LENGTH} {why}"));
    assert!(memory < FLAT_KIB, "{memory} KiB");
}

#[test]
fn t22_a_decompression_bomb_is_counted_but_not_kept() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        gzip.write_all(&zeros).expect("gzip");
    }
    let bomb = gzip.finish().expect("gzip");
    let (row, memory) = flat(move |wire| answer(wire, 200, &[("Content-Encoding", "gzip")], &bomb));
    let why = "the body is longer than --max-body-bytes 4194304 allows and was not checked";
    assert_eq!(row, format!("failure {} {why}", 256 << 20));
    assert!(memory < FLAT_KIB, "{memory} KiB");
}
