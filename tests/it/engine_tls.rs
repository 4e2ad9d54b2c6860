//! TLS towards targets: who is trusted, who we are, and handshakes that go wrong.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::support::{Authority, Load, Next, Scripted, answer, say};

/// A server's side of TLS, with a certificate chain and a key in PEM; `clients` is the authority
/// that clients must prove themselves to.
fn config(chain: &str, key: &str, clients: Option<&str>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(authority).expect("PEM")).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                Arc::new(ring::default_provider()),
            );
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    Arc::new(builder.with_single_cert(chain, key).expect("a certificate"))
}

/// The server's side with the authority's own certificate for `localhost`.
fn signed(authority: &Authority, clients: Option<&str>) -> Arc<ServerConfig> {
    let read = |name| std::fs::read_to_string(authority.file(name)).expect("a file");
    config(&read("server.pem"), &read("server.key"), clients)
}

/// Files of an authority as a test's own files.
fn with_files(load: Load, authority: &Authority) -> Load {
    ["ca.pem", "other-ca.pem", "client.pem", "client.key"].into_iter().fold(load, |load, name| {
        load.file(name, &std::fs::read(authority.file(name)).expect("a file"))
    })
}

#[test]
fn a_url_whose_certificate_is_not_trusted_is_hinted_at_the_option() {
    let scripted = fine(signed(&Authority::new(), None));
    let run = ["run", &scripted.url_by_name(), "-n", "1", "-o", "json"];
    let output = crate::support::ldctl().args(run).output().expect("the program");
    let told = String::from_utf8_lossy(&output.stdout);
    let hint = "no trusted authority has signed it; trust anyone with --insecure\"";
    assert!(told.contains(hint), "{told}");
}

fn fine(config: Arc<ServerConfig>) -> Scripted {
    Scripted::secure(config, |_, wire| answer(wire, 200, &[], b"fine"))
}

fn task(name: &str, url: String, more: serde_json::Value) -> serde_json::Value {
    let mut task = json!({"method": "get", "request_url": url, "name": name});
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

#[test]
fn a_target_is_trusted_for_its_certificate_and_its_name_alone() {
    let authority = Authority::new();
    let target = fine(signed(&authority, None));
    let load = Load::once(json!([
        task("trusted", target.url_by_name(), json!({"verify": "ca.pem"})),
        task("unknown", target.url_by_name(), json!({})),
        task("other", target.url_by_name(), json!({"verify": "other-ca.pem"})),
        task("misnamed", target.url(), json!({"verify": "ca.pem"})),
        task("anybody", target.url(), json!({"verify": false})),
    ]));
    let outcome = with_files(load, &authority).run();
    for name in ["unknown", "other"] {
        assert_eq!(
            outcome.error_of(name),
            "TLS failed: the certificate is not trusted: no trusted authority has signed it; name \
             its authority with \"verify\": \"ca.pem\", or trust anyone with \"verify\": false",
            "{name}"
        );
    }
    let misnamed = outcome.error_of("misnamed");
    assert!(
        misnamed.starts_with(
            "TLS failed: the certificate is not trusted: it is for another name (localhost"
        ),
        "{misnamed}"
    );
    let fine: Vec<&str> =
        outcome.rows.iter().filter(|row| row.error.is_none()).map(|row| &*row.name).collect();
    assert_eq!(fine, ["trusted", "anybody"]);
    assert_eq!(target.seen().len(), 2);
}

#[test]
fn a_certificate_that_has_expired_or_signed_itself_is_refused() {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a host name");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = params.self_signed(&key).expect("a certificate").pem();
    let target = fine(config(&expired, &key.serialize_pem(), None));
    let outcome = Load::once(json!([
        task("own", target.url_by_name(), json!({"verify": "own.pem"})),
        task("platform", target.url_by_name(), json!({})),
    ]))
    .file("own.pem", expired.as_bytes())
    .run();
    for name in ["own", "platform"] {
        let error = outcome.error_of(name);
        assert!(error.starts_with("TLS failed: the certificate is not trusted: "), "{error}");
    }
    assert_eq!(target.seen().len(), 0);
}

#[test]
fn a_user_proves_itself_with_its_own_certificate() {
    let authority = Authority::new();
    let target = fine(signed(&authority, Some(&authority.file("ca.pem"))));
    let load = Load::once(json!([
        task("nobody", target.url_by_name(), json!({"verify": "ca.pem"})),
        task(
            "client",
            target.url_by_name(),
            json!({"verify": "ca.pem", "cert": ["client.pem", "client.key"]})
        ),
        task(
            "alias",
            target.url_by_name(),
            json!({"verify": "ca.pem", "client_cert": ["client.pem", "client.key"]})
        ),
    ]));
    let outcome = with_files(load, &authority).run();
    let nobody = outcome.error_of("nobody");
    assert_eq!(
        nobody,
        "TLS failed: the target requires a client certificate; name one with \"cert\""
    );
    assert_eq!(outcome.errors().len(), 1);
    assert_eq!(target.seen().len(), 2);
}

#[test]
fn a_target_that_speaks_no_tls_fails_the_handshake() {
    let plain = Scripted::raw(|mut socket, _| {
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        let _ = std::io::Read::read(&mut socket, &mut [0; 1024]);
    });
    let silent = Scripted::raw(|mut socket, _| {
        while std::io::Read::read(&mut socket, &mut [0; 1024]).is_ok_and(|count| count > 0) {}
    });
    let closing = Scripted::raw(|mut socket, _| {
        let _ = std::io::Read::read(&mut socket, &mut [0; 4096]);
    });
    let secure = |target: &Scripted| target.url().replace("http:", "https:");
    let outcome = Load::once(json!([
        task("plain", secure(&plain), json!({"verify": false})),
        task("silent", secure(&silent), json!({"verify": false, "timeout": 0.1})),
        task("closing", secure(&closing), json!({"verify": false})),
        task("refused", "https://127.0.0.1:1/".to_owned(), json!({})),
    ]))
    .run();
    assert_eq!(
        outcome.error_of("plain"),
        "TLS failed: the target does not speak TLS on this port; use http://"
    );
    assert_eq!(outcome.error_of("silent"), "timed out after 0.1 s");
    assert_eq!(outcome.error_of("closing"), "TLS failed: connection closed in the handshake");
    assert_eq!(outcome.error_of("refused"), "connection refused");
}

#[test]
fn connections_are_kept_over_tls_and_large_bodies_arrive_whole() {
    let authority = Authority::new();
    let target = Scripted::secure(signed(&authority, None), |request, wire| {
        answer(wire, 200, &[], &request.body)
    });
    let body = "0123456789".repeat(100_000);
    let load = Load::over(
        json!([{"method": "post", "request_url": target.url_by_name(), "verify": "ca.pem", "data": body,
                "assertions": [{"type": "contains", "value": body}]}]),
        8,
    );
    let outcome = with_files(load, &authority).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!((target.connections(), target.seen().len()), (1, outcome.rows.len()));
}

#[test]
fn a_body_without_a_length_needs_no_goodbye() {
    let authority = Authority::new();
    let target = Scripted::secure(signed(&authority, None), |_, wire| {
        say(wire, b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    });
    let load = Load::over(
        json!([{"method": "get", "request_url": target.url_by_name(), "verify": "ca.pem",
                "assertions": [{"type": "contains", "value": "until the end"}]}]),
        5,
    );
    assert_eq!(with_files(load, &authority).run().errors(), [""; 0]);
}

#[test]
fn a_goodbye_on_an_idle_connection_is_heard_before_the_next_request() {
    let authority = Authority::new();
    // The target says goodbye after its answer; the gate answers when it has. Neither may be sent
    // twice, so nothing hides a request over the ended connection.
    let target = Scripted::secure(signed(&authority, None), |_, wire| {
        answer(wire, 200, &[], b"").map(|_| Next::Close)
    });
    let (closed, turn) = (target.closed(), AtomicUsize::new(0));
    let gate = Scripted::start(move |_, wire| {
        closed.wait_for(turn.fetch_add(1, Ordering::SeqCst) + 1);
        answer(wire, 200, &[], b"")
    });
    let load = Load::over(
        json!([
            {"method": "post", "request_url": target.url_by_name(), "verify": "ca.pem"},
            {"method": "post", "request_url": gate.url()},
        ]),
        20,
    );
    let outcome = with_files(load, &authority).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(target.connections(), target.seen().len());
}
