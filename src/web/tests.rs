//! Requests without sockets on a paused clock: what is delayed, and what is silent.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::action::{Executor, Policy};
use crate::event::{ActionResult, Event};
use crate::memory::Memory;
use crate::net::http_service::InUse;
use crate::run::{History, Runs, Submission};
use crate::server::{Execute, Keyring, Limits, Secrets, Server};
use crate::value::Map;
use crate::wire::token::{Token, Tokens};

/// A door without sockets.
struct Bench {
    executor: Arc<Executor>,
    router: axum::Router,
}

impl Bench {
    fn new(token: Option<&str>, limits: Limits) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let executor = Executor::new(Policy::inside(dir.path())).expect("an executor");
        Self::of(executor, token, limits)
    }

    fn of(executor: Executor, token: Option<&str>, limits: Limits) -> Self {
        let executor = Arc::new(executor);
        let token = token.map(|token| Token::new(token).expect("a token"));
        let tokens = Tokens::new(token.as_ref());
        let keyring = Keyring::new(Secrets { tokens, tls: None });
        let server =
            Server { keyring, limits, ..Server::new(Arc::clone(&executor) as Arc<dyn Execute>) };
        let site = Site {
            handle: Handle::new(server, CancellationToken::new()),
            hosts: Hosts::new("127.0.0.1", 80, &[], false),
            sessions: Sessions::default(),
            pages: Pages::default(),
            read_only: false,
        };
        Self { executor, router: routes::router(&Arc::new(site)) }
    }

    /// The response to a request of this client with this token, and how long it took.
    async fn get(&self, path: &str, from: &str, token: &str) -> (Response, Duration) {
        let address = SocketAddr::new(from.parse().expect("an address"), 1);
        let peer = Peer { address, local: address, in_use: InUse::none() };
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.extension(peer).body(Body::empty()).expect("a request");
        let begun = Instant::now();
        let response = routes::call(self.router.clone(), request).await;
        (response, begun.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn t81_each_wrong_token_over_http_is_answered_later_and_then_never_rightly() {
    let limits = Limits { free_failed_logins: 2, max_failed_logins: 15, ..Limits::default() };
    let bench = Bench::new(Some("s3cret"), limits);
    let stranger = "192.0.2.1";
    let mut delays = Vec::new();
    for _ in 0..15 {
        let (response, delay) = bench.get("/api/v1/runs", stranger, "wrong").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        delays.push(delay.as_millis());
    }
    assert_eq!(delays[..5], [0, 0, 50, 100, 150]);
    assert_eq!(delays[14], 500, "the longest");
    // Those of another client are not.
    let (response, delay) = bench.get("/api/v1/runs", "192.0.2.2", "s3cret").await;
    assert_eq!((response.status(), delay), (StatusCode::OK, Duration::ZERO));
    let (response, _) = bench.get("/api/v1/runs", stranger, "s3cret").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "it is locked out");
    let (response, _) = bench.get("/healthz", stranger, "wrong").await;
    assert_eq!(response.status(), StatusCode::OK, "nothing is asked of it there");
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_run_that_is_silent_have_a_comment_every_fifteen_seconds() {
    let bench = Bench::new(None, Limits::default());
    let run = bench.executor.table().submit(Submission::default(), &CancellationToken::new());
    let (response, _) = bench.get("/api/v1/runs/1/events", "127.0.0.1", "").await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut next = async || {
        let begun = Instant::now();
        let frame = body.frame().await.expect("a frame").expect("no error");
        let bytes = frame.into_data().expect("data");
        (String::from_utf8_lossy(&bytes).into_owned(), begun.elapsed())
    };
    for _ in 0..3 {
        assert_eq!(next().await, (":\n\n".to_owned(), events::SILENCE));
    }
    run.note(&Event::Alive);
    let (event, waited) = next().await;
    assert_eq!(
        (event.as_str(), waited),
        ("id: 1\ndata: {\"event\":\"alive\"}\n\n", Duration::ZERO)
    );
    assert_eq!(next().await, (":\n\n".to_owned(), Duration::from_secs(15)));
    run.note(&Event::DONE);
    assert!(next().await.0.starts_with("id: 2\ndata: {\"event\":\"done\""));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn t36_the_events_of_a_run_of_the_history_take_memory_until_they_are_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let (history, last) = History::open(&dir.path().join("history.db")).expect("a history");
    let memory = Memory::new(1 << 20);
    let policy = Policy { memory: Arc::clone(&memory), ..Policy::inside(dir.path()) };
    // What has ended is in the history only.
    let runs = Runs::new(1, 0, &memory).with_history(history, last);
    let executor = Executor::new(policy).expect("an executor").with_runs(runs);
    let bench = Bench::of(executor, None, Limits::default());
    let table = bench.executor.table();
    let run = table.submit(Submission::default(), &CancellationToken::new());
    run.note(&Event::Result(ActionResult::new(0, "a", Ok("x".repeat(300_000).into()))));
    run.note(&Event::DONE);
    table.finish(&run, 0, Map::new());
    run.store();
    drop(run);
    let before = memory.taken();
    let mut open = Vec::new();
    let refused = loop {
        let (response, _) = bench.get("/api/v1/runs/1/events", "127.0.0.1", "").await;
        match response.status() {
            StatusCode::OK => open.push(response),
            status => break status,
        }
    };
    assert_eq!((refused, open.len()), (StatusCode::SERVICE_UNAVAILABLE, 3));
    assert!(memory.taken() > before + 900_000, "{}", memory.taken());
    // Those that leave give it back.
    open.truncate(1);
    let sent = open.pop().expect("one").into_body().collect().await.expect("whole").to_bytes();
    assert!(sent.len() > 300_000 && sent.ends_with(b"}\n\n"), "{} bytes", sent.len());
    assert_eq!(memory.taken(), before);
}
