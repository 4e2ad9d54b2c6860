//! An HTTP server that we did not write, as a target that counts its requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// The target; it ends with the test.
pub(crate) struct Target {
    port: u16,
    requests: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Target {
    /// Answers `GET /` with `hello` on a free loopback port.
    pub(crate) fn start() -> Self {
        let requests = Arc::new(AtomicU64::new(0));
        let counter = requests.clone();
        let (stop, stopped) = oneshot::channel();
        let (told, port) = std::sync::mpsc::channel();
        let serving = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let port = listener.local_addr().expect("an address").port();
                told.send(port).expect("somebody waits");
                let app = Router::new().route("/", get(hello)).with_state(counter);
                tokio::select! {
                    served = axum::serve(listener, app).into_future() => served.expect("serving"),
                    _ = stopped => {}
                }
            });
        });
        let port = port.recv().expect("a port");
        Self { port, requests, stop: Some(stop), serving: Some(serving) }
    }

    /// Its URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

async fn hello(State(requests): State<Arc<AtomicU64>>) -> &'static str {
    requests.fetch_add(1, Ordering::SeqCst);
    "hello"
}
