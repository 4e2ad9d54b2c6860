//! What stands between a test and its figures: limits of this machine, TLS that is old or odd, proxies,
//! exporters without a receiver, tokens from every source.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::{default_provider, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::support::{
    Authority, Load, Running, Scripted, Server, after, answer, ldctl, program, signal,
};

/// A server's side of TLS with whatever certificate.
fn showing(chain: &str, key: &str) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let shown = CertifiedKey::new(chain, any_supported_type(&key).expect("a key"));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    Arc::new(config)
}

fn fine(config: Arc<ServerConfig>) -> Scripted {
    Scripted::secure(config, |_, wire| answer(wire, 200, &[], b"fine"))
}

fn get(name: &str, url: String, more: Value) -> Value {
    let mut task = json!({"method": "get", "request_url": url, "name": name});
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

/// The output of `ldctl run` after a line of shell: 100 users, each of whom keeps a connection.
fn crowded(shell: &str) -> (String, String) {
    let target = Scripted::start(|_, wire| answer(wire, 200, &[], b"fine"));
    let dir = tempfile::tempdir().expect("a directory");
    let document = json!([
        ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user"}, "user_count": 100, "spawn_rate": 1000,
            "test_time": 1, "tasks": [{"method": "get", "request_url": target.url()}],
        }],
        ["LD_generate_json"],
        ["LD_generate_html_report", {"html_name": "page"}],
    ]);
    let path = dir.path().join("document.json");
    fs::write(&path, document.to_string()).expect("a file");
    let done = after(shell)
        .args(["run", "--output", "json", "--data-dir"])
        .args([dir.path(), &path])
        .output()
        .expect("the program");
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap_or_default();
    (String::from_utf8(done.stdout).expect("text"), page)
}

#[test]
fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let (out, _) = crowded("ulimit -Sn 64");
    assert!(!out.contains("own limit") && !out.contains("connection"), "{out}");
}

#[test]
fn descriptors_that_run_out_are_no_failures_of_the_target() {
    let (out, page) = crowded("ulimit -n 128");
    assert!(out.contains("ldctl's own limit: no file descriptors left"), "{out}");
    for text in [&out, &page] {
        let told = "requests failed on this side and not at the target: no file descriptors left \
                    in this process; raise the hard limit of open files";
        assert_eq!(text.matches(told).count().min(2), text.matches(told).count(), "{text}");
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn a_certificate_of_version_1_is_taken_where_it_is_named_or_anybody_is_trusted() {
    let (chain, key) = (include_str!("recordings/v1.pem"), include_str!("recordings/v1.key"));
    let target = fine(showing(chain, key));
    let outcome = Load::once(json!([
        get("anybody", target.url(), json!({"verify": false})),
        get("named", target.url_by_name(), json!({"verify": "v1.pem"})),
        get("misnamed", target.url(), json!({"verify": "v1.pem"})),
        get("unknown", target.url_by_name(), json!({})),
    ]))
    .file("v1.pem", chain.as_bytes())
    .run();
    assert_eq!(outcome.errors().len(), 2, "{outcome:?}");
    assert_eq!(
        outcome.error_of("misnamed"),
        "TLS failed: the certificate is not trusted: it is for another name; use one of its names \
         in the URL"
    );
    assert!(outcome.error_of("unknown").contains("version 1"), "{outcome:?}");
}

#[test]
fn the_signature_of_a_key_that_is_not_the_certificates_is_refused_even_where_anybody_is_trusted() {
    let key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let target = fine(showing(include_str!("recordings/v1.pem"), &key));
    let task = get("stolen", target.url(), json!({"verify": false}));
    assert!(Load::once(json!([task])).run().error_of("stolen").starts_with("TLS failed: "));
}

#[test]
fn a_servers_own_certificate_is_trusted_for_its_own_name() {
    let authority = Authority::new();
    let read = |name| fs::read_to_string(authority.file(name)).expect("a file");
    let leaf = read("server.pem");
    let target = fine(showing(&leaf, &read("server.key")));
    let outcome = Load::once(json!([
        get("named", target.url_by_name(), json!({"verify": "leaf.pem"})),
        get("misnamed", target.url(), json!({"verify": "leaf.pem"})),
    ]))
    .file("leaf.pem", leaf.as_bytes())
    .run();
    assert_eq!(outcome.errors().len(), 1, "{outcome:?}");
    assert!(outcome.error_of("misnamed").contains("it is for another name"), "{outcome:?}");
}

/// A server that refuses the first hello with an alert and the next with another reply.
fn old(reply: &'static [u8]) -> Scripted {
    Scripted::raw(move |mut socket: TcpStream, connection| {
        let _ = socket.read(&mut [0; 4096]);
        let refusal = [0x15, 3, 3, 0, 2, 2, 40];
        let _ = socket.write_all(if connection == 0 { &refusal } else { reply });
        while socket.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
    })
}

#[test]
fn an_old_server_is_named_by_its_dialect() {
    // Hellos of TLS 1.2 with TLS_RSA_WITH_AES_128_CBC_SHA, and of TLS 1.0.
    const RSA: &[u8] = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03\
        01234567890123456789012345678901\x00\x00\x2f\x00";
    const OLD: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
        01234567890123456789012345678901\x00\x00\x2f\x00";
    for (reply, error) in [
        (
            RSA,
            "TLS failed: the server offers only cipher suites without forward secrecy, which ldctl \
             does not support",
        ),
        (OLD, "TLS failed: the target speaks TLS 1.0, ldctl only TLS 1.2 and 1.3"),
        (
            &[0x15, 3, 3, 0, 2, 2, 40],
            "TLS failed: the target refused the handshake: it may want a client certificate \
             (\"cert\"), or there is no cipher suite in common",
        ),
    ] {
        let target = old(reply);
        let url = target.url().replace("http:", "https:");
        let outcome = Load::once(json!([get("old", url, json!({"verify": false}))])).run();
        assert_eq!(outcome.error_of("old"), error);
    }
}

#[test]
fn a_plain_request_to_a_port_of_tls_says_so() {
    let authority = Authority::new();
    let read = |name| fs::read_to_string(authority.file(name)).expect("a file");
    let target = fine(showing(&read("server.pem"), &read("server.key")));
    let alert = Scripted::raw(|mut socket, _| {
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(&[0x15, 3, 1, 0, 2, 2, 10]);
    });
    let outcome = Load::once(json!([
        get("closes", target.url().replace("https:", "http:"), json!({})),
        get("alerts", alert.url(), json!({})),
    ]))
    .run();
    for name in ["closes", "alerts"] {
        let error = outcome.error_of(name);
        assert_eq!(error, "the target speaks TLS on this port; use https://");
    }
}

#[test]
fn a_token_means_the_same_whatever_way_it_comes() {
    let server = Server::start(&[], Some("sesame\n"));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    fs::write(&file, "sesame\r\n").expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    let ping = || ldctl().args(["ping", "--port", &server.port()]);
    ping().arg("--token-file").arg(&file).assert().success();
    ping().env("LOAD_DENSITY_SOCKET_TOKEN", "sesame").assert().success();
    ping().args(["--token", "sesame\n"]).assert().success();
    ping().args(["--token", "sesame "]).assert().code(2);
}

/// A proxy that keeps request lines and opens tunnels to whatever it is asked for.
fn proxy(seen: &Arc<Mutex<Vec<String>>>) -> Scripted {
    let seen = Arc::clone(seen);
    Scripted::raw(move |mut socket, _| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if !socket.read(&mut byte).is_ok_and(|count| count > 0) {
                return;
            }
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        seen.lock().expect("lines").push(head.clone());
        if !head.contains("Proxy-Authorization: Basic dTpw") {
            let refusal = "HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n";
            let _ = socket.write_all(refusal.as_bytes());
            return;
        }
        let Some(target) = head.strip_prefix("CONNECT ") else {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nvia");
            return;
        };
        let far = TcpStream::connect(target.split(' ').next().expect("a target"));
        let mut far = far.expect("the target");
        let _ = socket.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
        let (mut near, mut back) = (socket.try_clone().expect("a"), far.try_clone().expect("b"));
        thread::spawn(move || drop(std::io::copy(&mut back, &mut near)));
        let _ = std::io::copy(&mut socket, &mut far);
        let _ = far.shutdown(std::net::Shutdown::Both);
    })
}

#[test]
fn a_proxy_gets_whole_urls_and_opens_tunnels() {
    let seen = Arc::default();
    let proxy = proxy(&seen);
    let authority = Authority::new();
    let read = |name| fs::read_to_string(authority.file(name)).expect("a file");
    let secure = fine(showing(&read("server.pem"), &read("server.key")));
    let via = proxy.url().replace("http://", "http://u:p@");
    let outcome = Load::once(json!([
        get("plain", "http://far.test:81/a?b".to_owned(), json!({"proxy": via})),
        get("tunnel", secure.url(), json!({"proxy": {"https": via}, "verify": false})),
        get("unknown", secure.url(), json!({"proxy": proxy.url(), "verify": false})),
        get("direct", secure.url(), json!({"proxy": false, "verify": false})),
        get(
            "near",
            secure.url(),
            json!({"proxy": {"all": via, "no_proxy": "127.0.0.0/8"}, "verify": false})
        ),
        get("gone", secure.url(), json!({"proxy": "http://127.0.0.1:1"})),
        get("hidden", "http://169.254.169.254/".to_owned(), json!({"proxy": via})),
    ]))
    .run();
    let address = proxy.url().replace("http://", "");
    let target = secure.url().replace("https://", "");
    assert_eq!(
        outcome.error_of("unknown"),
        format!("proxy {address} refuses a tunnel to {target}: 407 Proxy Authentication Required")
    );
    assert_eq!(outcome.error_of("gone"), "proxy 127.0.0.1:1: connection refused");
    assert!(outcome.error_of("hidden").starts_with("target 169.254.169.254 is refused"));
    assert_eq!(outcome.errors().len(), 3, "{outcome:?}");
    let seen = seen.lock().expect("lines");
    assert!(seen[0].starts_with("GET http://far.test:81/a?b HTTP/1.1\r\n"), "{seen:?}");
    assert!(seen[0].contains("\r\nHost: far.test:81\r\n"), "{seen:?}");
    assert!(seen[1].starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{seen:?}");
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn run_heeds_the_environments_proxy_and_serve_says_that_it_does_not() {
    let seen = Arc::default();
    let proxy = proxy(&seen);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("document.json");
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"user": "http_user"}, "user_count": 1, "test_time": 0.2, "wait_time": 9,
        "tasks": [{"method": "get", "request_url": "http://far.test/a"}],
    }]]);
    fs::write(&path, document.to_string()).expect("a file");
    let url = proxy.url().replace("http://", "http://u:p@");
    ldctl().arg("run").arg(&path).env("http_proxy", &url).assert().success();
    assert!(seen.lock().expect("lines")[0].starts_with("GET http://far.test/a HTTP/1.1\r\n"));
    let serve = |args: &[&str]| {
        let mut command = program(&[&["serve", "--port", "0"], args].concat());
        Server::listening(Running::of(command.env("http_proxy", &url).stdin(Stdio::null())))
    };
    serve(&[]).talk_with("--allow-env http_proxy");
    let allowed = serve(&["--allow-env", "http_proxy"]);
    signal("TERM", allowed.id());
    let (_, _, talk) = allowed.end();
    assert!(!talk.iter().any(|line| line.contains("proxy")), "{talk:?}");
}

#[test]
fn a_digest_is_sent_when_it_was_asked_for_and_from_the_start_thereafter() {
    let target = Scripted::start(|request, wire| {
        if request.header("authorization").is_some() {
            return answer(wire, 200, &[], &request.body);
        }
        let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256";
        answer(wire, 401, &[("WWW-Authenticate", challenge)], b"who?")
    });
    let auth = json!({"type": "digest", "username": "u\"", "password": "p"});
    let outcome = Load::over(
        json!([{"method": "post", "request_url": target.url() + "/a?b", "data": "body", "auth": auth,
                "assertions": [{"type": "contains", "value": "body"}]}]),
        3,
    )
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let seen = target.seen();
    assert_eq!(seen[0].header("authorization"), None);
    for (count, request) in (1..).zip(&seen[1..3]) {
        let header = request.header("authorization").expect("a digest");
        let begin =
            "Digest username=\"u\\\"\", realm=\"r\", nonce=\"n\", uri=\"/a?b\", response=\"";
        assert!(header.starts_with(begin), "{header}");
        assert!(header.contains(&format!("qop=auth, nc=0000000{count}, cnonce=\"")), "{header}");
        assert_eq!(request.text(), "body");
    }
}
