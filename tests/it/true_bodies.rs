//! Bodies and connections as real targets have them: packed, in other charsets, too long, uploads of
//! any bytes, and what either side says of the connection. Each kind's details have their tests beside
//! the code.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::{Load, Next, Scripted, answer, ldctl, say};

/// Whether a text is in the body, and whether it is not: both as their own request.
fn both(url: &str, text: &str) -> Value {
    let task = |kind: &str| json!({"method": "get", "request_url": url, "name": kind, "assertions": [{"type": kind, "value": text}]});
    json!([task("contains"), task("not_contains"), {
        "method": "get", "request_url": url, "name": "extract", "extract": [{"var": "x", "path": "x"}],
    }])
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("gzip");
    encoder.finish().expect("gzip")
}

fn serving(headers: &'static [(&'static str, &'static str)], body: Vec<u8>) -> Scripted {
    Scripted::start(move |_, wire| answer(wire, 200, headers, &body))
}

#[test]
fn a_body_that_cannot_be_decoded_fails_both_contains_and_not_contains() {
    let whole = gzip("state: ERROR in step 3\n".repeat(40).as_bytes());
    for (headers, body, why) in [
        (
            &[("Content-Encoding", "gzip")][..],
            whole[..whole.len() - 12].to_vec(),
            "the body cannot be unpacked: its gzip data is cut short",
        ),
        (
            &[("Content-Encoding", "x-unheard")],
            whole.clone(),
            "the body cannot be unpacked: its coding \"x-unheard\" is not supported",
        ),
        (
            &[("Content-Type", "text/plain; charset=ebcdic-cp-us")],
            b"\xc5\xd9\xd9\xd6\xd9".to_vec(),
            "the body cannot be decoded: charset \"ebcdic-cp-us\" is not supported",
        ),
        (
            &[],
            [&vec![b'a'; 5 << 20][..], b"ERROR"].concat(),
            "the body is longer than --max-body-bytes 4194304 allows and was not checked",
        ),
    ] {
        let target = serving(headers, body);
        assert_eq!(Load::once(both(&target.url(), "ERROR")).run().errors(), [why; 3]);
        let unchecked = json!([{"method": "get", "request_url": target.url()}]);
        assert_eq!(Load::once(unchecked).run().errors(), [""; 0]);
    }
}

#[test]
fn a_body_is_checked_and_measured_after_decoding() {
    let text = "日本 ".repeat(1000);
    let (encoded, _, _) = encoding_rs::SHIFT_JIS.encode(&text);
    let packed = zstd::bulk::compress(&gzip(&encoded), 1).expect("zstd");
    let headers = &[
        ("Content-Encoding", "gzip, zstd"),
        ("Content-Type", "text/plain; Charset=\"Shift_JIS\""),
    ];
    let target = serving(headers, packed);
    let outcome = Load::once(both(&target.url(), "日本 日本")).run();
    assert_eq!(outcome.errors(), ["body unexpectedly contains '日本 日本'"]);
    assert!(outcome.rows.iter().all(|row| row.bytes == encoded.len() as u64));
    assert!(target.seen().iter().all(|request| {
        request.header("Accept-Encoding").as_deref() == Some("gzip, deflate, br, zstd")
    }));
}

#[test]
fn the_limit_of_bodies_is_an_option() {
    let target = serving(&[], [&[b'a'; 100][..], b" end"].concat());
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("test.json");
    let test = json!({
        "user_detail_dict": {"user": "fast_http_user"}, "user_count": 1, "spawn_rate": 10,
        "test_time": 0.2, "wait_time": 30,
        "tasks": [{"method": "get", "request_url": target.url(),
                   "assertions": [{"type": "contains", "value": "end"}]}],
    });
    std::fs::write(&file, json!([["LD_start_test", test], ["LD_generate_json"]]).to_string())
        .expect("a file");
    let path = file.display().to_string();
    for (limit, told) in [("103", true), ("104", false)] {
        let run =
            ldctl().args(["run", &path, "--max-body-bytes", limit]).assert().code(i32::from(told));
        let output = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
        assert_eq!(output.contains("longer than --max-body-bytes 103 allows"), told, "{output}");
    }
}

#[test]
fn any_bytes_are_uploaded_as_they_are() {
    let target = serving(&[], b"ok".to_vec());
    let picture: Vec<u8> = (0..=255).collect();
    let task = json!([{"method": "post", "request_url": target.url(), "files": [
        ["f", {"path": "a.png"}], ["f", ["b.png", {"path": "a.png"}, "image/png"]],
    ]}]);
    let outcome = Load::once(task).file("a.png", &picture).run();
    assert_eq!(outcome.errors(), [""; 0]);
    let seen = target.seen();
    let body = &seen[0].body;
    let found = body.windows(picture.len()).filter(|part| *part == picture).count();
    assert_eq!(found, 2, "{}", body.escape_ascii());
}

#[test]
fn a_connection_that_the_task_closes_is_not_used_again() {
    for (headers, per_request) in [
        (json!({"Connection": "close"}), true),
        (json!({"connection": "Keep-Alive, Close"}), true),
        (json!({"Connection": "keep-alive"}), false),
    ] {
        let target = serving(&[], b"ok".to_vec());
        let task = json!([{"method": "get", "request_url": target.url(), "headers": headers}]);
        let outcome = Load::over(task, 5).run();
        assert_eq!(outcome.errors(), [""; 0]);
        let all = target.seen().len();
        assert_eq!(target.connections(), if per_request { all } else { 1 }, "{headers}");
    }
}

#[test]
fn a_connection_that_a_later_task_closes_is_not_used_again() {
    let target = serving(&[], b"ok".to_vec());
    let task = |headers| json!({"method": "get", "request_url": target.url(), "headers": headers});
    let tasks = json!([task(json!({})), task(json!({"Connection": "close"}))]);
    let outcome = Load::over(tasks, 6).run();
    assert_eq!(outcome.errors(), [""; 0]);
    let used: Vec<usize> = target.seen().iter().map(|request| request.connection).collect();
    let expected: Vec<usize> = (0..used.len()).map(|number| number / 2).collect();
    assert_eq!(used, expected);
}

#[test]
fn a_user_keeps_its_connections_to_several_targets() {
    let targets = [(); 3].map(|()| serving(&[], b"ok".to_vec()));
    let tasks = targets.each_ref().map(|to| json!({"method": "get", "request_url": to.url()}));
    let outcome = Load::over(json!(tasks), 9).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert!(targets[0].seen().len() >= 3);
    assert_eq!(targets.each_ref().map(Scripted::connections), [1; 3]);
}

#[test]
fn every_request_over_a_connection_to_a_proxy_has_a_whole_url() {
    let proxy = serving(&[], b"ok".to_vec());
    let task = json!([{"method": "get", "request_url": "http://far.test/a", "proxy": proxy.url()}]);
    let outcome = Load::over(task, 4).run();
    assert_eq!(outcome.errors(), [""; 0]);
    let seen = proxy.seen();
    assert!(seen.iter().all(|request| request.target == "http://far.test/a"), "{seen:?}");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn old_forms_of_heads_and_interim_responses_are_accepted() {
    let target = Scripted::start(|_, wire| {
        say(
            wire,
            b"HTTP/1.1 103 Early Hints\r\nLink: <x>;\r\n rel=y\r\n\r\n\
              HTTP/1.1 200 OK\r\nX-Policy: one;\r\n  two\r\nX-B : three\r\n\
              Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        )
        .map(|_| Next::Keep)
    });
    let check = |name: &str, value: &str| json!({"type": "header", "name": name, "value": value});
    let task = json!([{"method": "get", "request_url": target.url(), "assertions": [
        check("X-Policy", "one; two"), check("X-B", "three"), {"type": "contains", "value": "ok"},
    ]}]);
    let outcome = Load::over(task, 3).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(target.connections(), 1);
}

#[test]
fn a_request_without_a_response_has_the_status_0() {
    let task = json!([{"method": "get", "request_url": "http://127.0.0.1:1/"}]);
    assert_eq!(Load::once(task).run().rows[0].status, Some(0));
}
