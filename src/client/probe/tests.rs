use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use tokio::io::{AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::*;
use crate::client::CertificateProblem;
use crate::wire::dialect::{Dialect, ReplyFormat};
use crate::wire::frame;
use crate::wire::frame::{MAX_REQUEST, Opening, ReadBuffer};
use crate::wire::request::{Incoming, Rejection};
use crate::wire::tls::{Identity, server_config};
use crate::wire::token::Tokens;

const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The deadline of every test.
const DEADLINE: Duration = Duration::from_secs(60);

/// How a listener behaves.
#[derive(Clone)]
enum Conduct {
    /// Replies to requests of this mode, and closes on others.
    Serve { mode: Mode, tokens: Tokens, dialect: Dialect },
    /// Sends these bytes, whatever it receives, and closes.
    Say(&'static [u8]),
}

impl Conduct {
    fn serve(mode: Mode) -> Self {
        Self::Serve { mode, tokens: Tokens::none(), dialect: Dialect::Text }
    }

    async fn act<S: AsyncRead + AsyncWrite + Unpin>(self, mut stream: S) -> io::Result<()> {
        let mut buffer = ReadBuffer::default();
        buffer.fill(&mut stream, MAX_REQUEST).await?;
        let mut out = Vec::new();
        match self {
            Self::Say(bytes) => out.extend_from_slice(bytes),
            Self::Serve { mode, tokens, dialect } => {
                let bytes =
                    match (mode, Opening::of(buffer.pending().first().copied().unwrap_or(1))) {
                        (Mode::Framed, Opening::Framed) => {
                            while buffer.frame(MAX_REQUEST).map_err(io::Error::other)?.is_none() {
                                buffer.fill(&mut stream, MAX_REQUEST).await?;
                            }
                            buffer.pending().get(frame::HEADER..).unwrap_or_default()
                        }
                        (Mode::Legacy, _) => buffer.pending(),
                        _ => return Ok(()),
                    };
                match Incoming::read(bytes, mode, &tokens).request {
                    Err(Rejection { refusal, .. }) => refusal.reply_into(mode, dialect, &mut out),
                    Ok(Request { op, .. }) => {
                        let events = match op {
                            Op::Quit => vec![Event::DONE],
                            Op::Ping => vec![Event::Pong(own_pong())],
                            _ => Vec::new(),
                        };
                        ReplyFormat { mode, dialect, op }.reply_into(&events, &mut out);
                    }
                }
            }
        }
        stream.write_all(&out).await?;
        stream.shutdown().await
    }
}

fn own_pong() -> Pong {
    let (server, version) = ("ldctl".to_owned(), "1.2.3".to_owned());
    Pong { server, version, protocol: 1, uptime_s: 2.5, runs: 7, counts: None }
}

/// A listener on a free port, and the endpoint for it with frames. It ends with the test.
async fn listen(conduct: Conduct, tls: Option<Arc<ServerConfig>>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_connection(conduct.clone(), stream, tls.clone()));
        }
    });
    Endpoint::new("127.0.0.1", port)
}

async fn serve_connection(conduct: Conduct, stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
    // A client that closes early does not fail the test.
    match tls {
        None => conduct.act(stream).await.ok(),
        Some(config) => match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => conduct.act(stream).await.ok(),
            Err(_) => None,
        },
    };
}

/// Writes a key that only its owner can read, as keys must be.
fn write_key(path: &Path, key: &KeyPair) {
    fs::write(path, key.serialize_pem()).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a file");
    }
}

/// An authority, and the certificates it has signed.
struct Authority {
    directory: tempfile::TempDir,
    key: KeyPair,
    params: CertificateParams,
}

impl Authority {
    fn new() -> Self {
        Self::named("test authority")
    }

    fn named(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).expect("a certificate");
        fs::write(directory.path().join("ca.crt"), own.pem()).expect("a file");
        Self { directory, key, params }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn sign(&self, name: &str, years: Range<i32>) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let issuer = Issuer::from_params(&self.params, &self.key);
        let cert = params.signed_by(&key, &issuer).expect("a certificate");
        let identity = Identity {
            cert: self.path(&format!("{name}-{}.crt", years.start)),
            key: self.path(&format!("{name}-{}.key", years.start)),
            credentials: false,
        };
        fs::write(&identity.cert, cert.pem()).expect("a file");
        write_key(&identity.key, &key);
        identity
    }

    fn trusted(&self) -> ClientTls {
        ClientTls { ca: Some(self.path("ca.crt")), ..ClientTls::default() }
    }

    fn server(&self) -> Arc<ServerConfig> {
        server_config(&self.sign("127.0.0.1", 2020..3020), None).expect("TLS")
    }
}

async fn probed(endpoint: &Endpoint, token: Option<&str>) -> Result<PingReply, ClientError> {
    let token = token.map(|text| Token::new(text).expect("a token"));
    timeout(DEADLINE, probe(endpoint, token.as_ref(), IDLE_TIMEOUT)).await.expect("a reply in time")
}

/// The error's line, with the address replaced.
async fn fault(endpoint: &Endpoint, token: Option<&str>) -> String {
    let error = probed(endpoint, token).await.expect_err("an error");
    error.line().replace(&endpoint.address(), "HERE")
}

fn legacy(endpoint: &Endpoint) -> Endpoint {
    Endpoint { mode: Mode::Legacy, ..endpoint.clone() }
}

fn secured(endpoint: &Endpoint, tls: ClientTls) -> Endpoint {
    Endpoint { tls: Some(tls), ..endpoint.clone() }
}

#[tokio::test]
async fn a_server_with_event_replies_identifies_itself() {
    let serve =
        Conduct::Serve { mode: Mode::Framed, tokens: Tokens::none(), dialect: Dialect::Events };
    let answered = probed(&listen(serve, None).await, None).await.expect("a pong");
    assert_eq!(answered.pong, Some(own_pong()));
}

#[tokio::test]
async fn a_server_with_text_replies_does_not_identify_itself() {
    for mode in [Mode::Framed, Mode::Legacy] {
        let endpoint = listen(Conduct::serve(mode), None).await;
        let answered = probed(&Endpoint { mode, ..endpoint }, None).await.expect("a pong");
        assert_eq!(answered.pong, None);
    }
}

#[tokio::test]
async fn a_port_without_a_listener_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().expect("an address").port());
    drop(listener);
    let line =
        "HERE: nothing listens there; start a server (ldctl serve), or check --host and --port";
    assert_eq!(fault(&endpoint, None).await, line);
}

#[tokio::test]
async fn a_port_that_accepts_only_the_other_mode_is_reported() {
    let framed = listen(Conduct::serve(Mode::Framed), None).await;
    let line = "HERE: this port accepts framed requests only; drop --legacy";
    assert_eq!(fault(&legacy(&framed), None).await, line);
    let text = listen(Conduct::serve(Mode::Legacy), None).await;
    let line = "HERE: this port accepts legacy requests only; add --legacy";
    assert_eq!(fault(&text, None).await, line);
}

#[tokio::test]
async fn a_tls_port_is_reported() {
    let endpoint = listen(Conduct::serve(Mode::Framed), Some(Authority::new().server())).await;
    let line = "HERE: the port speaks TLS; add --tls";
    assert_eq!(fault(&endpoint, None).await, line);
    assert_eq!(fault(&legacy(&endpoint), None).await, line);
}

#[tokio::test]
async fn a_tls_port_that_closes_plain_connections_is_reported() {
    // Some TLS servers close plain connections without an alert.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().expect("an address").port());
    let config = Authority::new().server();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut first = [0];
            if stream.peek(&mut first).await.is_ok() && Opening::of(first[0]) == Opening::Tls {
                tokio::spawn(serve_connection(
                    Conduct::serve(Mode::Framed),
                    stream,
                    Some(config.clone()),
                ));
            }
        }
    });
    assert_eq!(fault(&endpoint, None).await, "HERE: the port speaks TLS; add --tls");
}

#[tokio::test]
async fn a_plain_port_is_reported() {
    let authority = Authority::new();
    let tls = authority.trusted();
    for mode in [Mode::Framed, Mode::Legacy] {
        let plain = listen(Conduct::serve(mode), None).await;
        let line = "HERE: the port does not speak TLS; leave out --tls";
        assert_eq!(fault(&secured(&plain, tls.clone()), None).await, line);
        assert_eq!(fault(&legacy(&secured(&plain, tls.clone())), None).await, line);
    }
}

#[tokio::test]
async fn a_trusted_certificate_lets_the_ping_through() {
    let authority = Authority::new();
    let endpoint = listen(Conduct::serve(Mode::Framed), Some(authority.server())).await;
    probed(&secured(&endpoint, authority.trusted()), None).await.expect("a pong");
}

/// Why the server's certificate is not trusted.
async fn problem(identity: &Identity, tls: ClientTls) -> CertificateProblem {
    let config = server_config(identity, None).expect("TLS");
    let endpoint = listen(Conduct::serve(Mode::Framed), Some(config)).await;
    match probed(&secured(&endpoint, tls), None).await {
        Err(ClientError::NotTrusted { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_with_its_reason() {
    let (authority, stranger) = (Authority::new(), Authority::named("stranger"));
    let good = authority.sign("127.0.0.1", 2020..3020);
    assert_eq!(problem(&good, stranger.trusted()).await, CertificateProblem::UnknownIssuer);
    let anew = Authority::new();
    assert_eq!(problem(&good, anew.trusted()).await, CertificateProblem::UnknownIssuer);
    let old = authority.sign("127.0.0.1", 1980..1990);
    assert_eq!(problem(&old, authority.trusted()).await, CertificateProblem::Expired);
    let young = authority.sign("127.0.0.1", 2900..3900);
    assert_eq!(problem(&young, authority.trusted()).await, CertificateProblem::NotValidYet);
    let other = authority.sign("other.example", 2020..3020);
    let reason = problem(&other, authority.trusted()).await;
    assert!(reason.to_string().contains("other.example"), "{reason}");
    assert!(matches!(reason, CertificateProblem::WrongName { .. }), "{reason:?}");
}

#[tokio::test]
async fn the_certificate_of_an_authority_on_a_server_must_be_trusted_itself() {
    let (authority, stranger) = (Authority::new(), Authority::named("stranger"));
    let (cert, key) = (authority.path("ca.crt"), authority.path("ca.key"));
    write_key(&key, &authority.key);
    let own = Identity { cert, key, credentials: false };
    assert_eq!(problem(&own, stranger.trusted()).await, CertificateProblem::Authority);
    // Then only its name is wrong: it has none.
    let reason = problem(&own, authority.trusted()).await;
    assert_eq!(reason, CertificateProblem::WrongName { names: Vec::new() });
}

#[tokio::test]
async fn a_missing_client_certificate_is_reported() {
    let authority = Authority::new();
    let identity = authority.sign("127.0.0.1", 2020..3020);
    let config = server_config(&identity, Some(&authority.path("ca.crt"))).expect("TLS");
    let endpoint = listen(Conduct::serve(Mode::Framed), Some(config)).await;
    let shown = |identity| ClientTls { identity: Some(identity), ..authority.trusted() };

    let line =
        "HERE: the server requires a client certificate; give one with --tls-cert and --tls-key";
    assert_eq!(fault(&secured(&endpoint, authority.trusted()), None).await, line);

    for other in [Authority::named("stranger"), Authority::new()] {
        let own = shown(other.sign("client.example", 2020..3020));
        let error = probed(&secured(&endpoint, own), None).await.expect_err("an error");
        assert!(matches!(error, ClientError::ClientCertificateRejected { .. }), "{error:?}");
    }

    let own = shown(authority.sign("client.example", 2020..3020));
    probed(&secured(&endpoint, own), None).await.expect("a pong");
}

#[tokio::test]
async fn a_missing_or_wrong_token_is_reported() {
    let tokens = Tokens::new([&Token::new("s3cret").expect("a token")]);
    for (mode, dialect) in [
        (Mode::Legacy, Dialect::Text),
        (Mode::Framed, Dialect::Text),
        (Mode::Framed, Dialect::Events),
    ] {
        let serve = Conduct::Serve { mode, tokens: tokens.clone(), dialect };
        let endpoint = Endpoint { mode, ..listen(serve, None).await };
        let line = "HERE: the server requires a token; give it with --token-env or --token-file";
        assert_eq!(fault(&endpoint, None).await, line);
        let line = "HERE: the token is wrong; give the server's with --token-env or --token-file";
        assert_eq!(fault(&endpoint, Some("guess")).await, line);
        probed(&endpoint, Some("s3cret")).await.expect("a pong");
    }
}

#[tokio::test]
async fn another_kind_of_service_is_reported() {
    let line = "HERE: not a control server; check --host and --port";
    let web = listen(Conduct::Say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), None).await;
    assert_eq!(fault(&web, None).await, line);
    assert_eq!(fault(&legacy(&web), None).await, line);
}

#[tokio::test]
async fn a_port_that_closes_every_connection_is_not_explained() {
    let mute = listen(Conduct::Say(b""), None).await;
    let line = fault(&mute, None).await;
    assert!(line.starts_with("HERE: closed without a reply; check"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn t24_a_silent_server_times_out() {
    let (near, _far) = duplex(1024);
    let connection = Connection::new(near, Mode::Framed, "there:1".to_owned());
    let error = pong(connection, None, IDLE_TIMEOUT).await.expect_err("a timeout");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_silent_port_is_not_diagnosed_beyond_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().expect("an address").port());
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let probe = probe(&endpoint, None, Duration::from_millis(100));
    // A diagnosis would take twice two seconds.
    let error =
        timeout(DIAGNOSIS_TIMEOUT, probe).await.expect("no diagnosis").expect_err("a timeout");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    server.abort();
}

#[tokio::test]
async fn t24_a_server_that_never_ends_its_reply_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().expect("an address").port());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut applause = Vec::new();
        frame::frame_into(br#"{"event": "applause"}"#, &mut applause);
        while stream.write_all(&applause).await.is_ok() {}
    });
    let ping = ping(&endpoint, None, Duration::from_millis(100));
    let error = timeout(DEADLINE, ping).await.expect("no hang").expect_err("a timeout");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    timeout(DEADLINE, server).await.expect("no hang").expect("a server");
}

#[tokio::test]
async fn a_quit_succeeds_if_the_server_confirms_it_in_either_dialect() {
    for (mode, dialect) in [
        (Mode::Legacy, Dialect::Text),
        (Mode::Framed, Dialect::Text),
        (Mode::Framed, Dialect::Events),
    ] {
        let serve = Conduct::Serve { mode, tokens: Tokens::none(), dialect };
        let endpoint = Endpoint { mode, ..listen(serve, None).await };
        let quit = timeout(DEADLINE, quit(&endpoint, None, IDLE_TIMEOUT)).await.expect("in time");
        assert!(quit.is_ok(), "{mode:?} {dialect:?}: {quit:?}");
    }
}

#[tokio::test]
async fn a_quit_without_a_confirmation_fails() {
    let endpoint = legacy(&listen(Conduct::Say(b"Return_Data_Over_JE\n"), None).await);
    let quit = timeout(DEADLINE, quit(&endpoint, None, IDLE_TIMEOUT)).await.expect("in time");
    assert!(matches!(quit, Err(ClientError::NotThisProtocol { .. })), "{quit:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_port_is_diagnosed_in_the_time_of_one_attempt() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let second = Duration::from_secs(1);
    for (connect_timeout, most) in [(10 * second, DIAGNOSIS_TIMEOUT), (second, second)] {
        let plain = Endpoint { connect_timeout, ..Endpoint::new("127.0.0.1", port) };
        let any = ClientTls { insecure: true, ..ClientTls::default() };
        for endpoint in [secured(&plain, any), plain] {
            let began = Instant::now();
            assert!(look(&endpoint).await.is_none());
            let took = began.elapsed();
            assert!(took <= most + Duration::from_millis(10), "{took:?} of {most:?}");
        }
    }
}
