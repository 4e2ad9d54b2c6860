//! A request for a handler, and what it may use: the executor through the server's handle, with jobs on
//! threads of their own, so that no request delays another.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::http::request::Parts;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::access::{self, Access, Hosts};
use super::drawn::Pages;
use super::error::Problem;
use super::sessions::Sessions;
use crate::event::{ErrorKind, Event, Sink};
use crate::memory::{Full, Share};
use crate::net::http_service::Peer;
use crate::server::{Handle, Job};
use crate::value::{Map, Value};
use crate::wire::frame::MAX_REQUEST;
use crate::wire::parameters::Parameters;
use crate::wire::refusal::Refusal;

/// What all requests share.
pub(super) struct Site {
    pub(super) handle: Handle,
    pub(super) hosts: Hosts,
    pub(super) sessions: Sessions,
    pub(super) pages: Pages,
    pub(super) read_only: bool,
}

/// What a handler returns.
pub(super) type Answer = Result<Response, Problem>;

/// An answer that is being made.
pub(super) type Handled = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A handler of requests.
pub(super) type Handler = fn(Call) -> Handled;

/// A request that was let in.
pub(super) struct Call {
    pub(super) site: Arc<Site>,
    pub(super) peer: Peer,
    pub(super) head: Parts,
    /// Behind a lock only because a body cannot be shared between threads.
    pub(super) body: Mutex<Body>,
    /// The parts of its path that vary, by name.
    pub(super) path: Vec<(String, String)>,
}

impl Call {
    /// Lets a request in, or waits with its refusal.
    pub(super) async fn admitted(self, access: Access) -> Result<Self, Problem> {
        let Site { handle, hosts, sessions, read_only, .. } = &*self.site;
        let judged = access::judge(access, &self.head, self.from(), handle, hosts, sessions);
        let refused = match judged {
            Ok(()) if *read_only && access == Access::Change => Err(Problem::read_only()),
            judged => judged,
        };
        match refused {
            Ok(()) => Ok(self),
            Err(problem) => {
                tokio::time::sleep(problem.delay).await;
                Err(problem)
            }
        }
    }

    /// The client's address.
    pub(super) fn from(&self) -> IpAddr {
        self.peer.address.ip().to_canonical()
    }

    /// A part of its path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The number of a run in its path.
    pub(super) fn number(&self, name: &str) -> Result<u64, Problem> {
        number(self.part(name)).ok_or_else(Problem::not_found)
    }

    /// What its query says about runs, in the words of the socket.
    pub(super) fn parameters(&self, taken: &[&str]) -> Result<Parameters, Problem> {
        let query = self.head.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let pairs = pairs.filter(|(key, _)| taken.contains(&&**key));
        let mut members: Map =
            pairs.map(|(key, text)| (key.to_string(), value(&key, &text))).collect();
        Ok(Parameters::take(&mut members)?)
    }

    /// The body, which must arrive in time and is at most as long as a request on the socket.
    pub(super) async fn body(&mut self) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let limit = self.site.handle.limits().request;
        let memory = self.site.handle.memory().share("the body of a request");
        let reading = timeout(limit, read(self.taken(), memory));
        reading.await.unwrap_or_else(|_| {
            let seconds = limit.as_secs_f64();
            let what = format!("the request is not complete after {seconds} s (--request-timeout)");
            Err(Refusal::timeout(&what).into())
        })
    }

    fn taken(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first event of a job, unless that is a refusal.
    pub(super) async fn ask(&self, job: Job) -> Result<Event, Problem> {
        let (sender, first) = oneshot::channel();
        self.site.handle.start(self.from(), job, First(Some(sender)));
        match first.await {
            Ok(Event::Error { kind, message }) => Err(Refusal::new(kind, message).into()),
            Ok(event) => Ok(event),
            Err(_) => Err(Problem::crashed()),
        }
    }

    /// Does what blocks its thread.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Problem> {
        match spawn_blocking(work).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Problem::crashed()),
        }
    }
}

/// A decimal number from 1, without a sign or leading zeros.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

/// The value of a parameter: a number where one is meant.
fn value(key: &str, text: &str) -> Value {
    if matches!(key, "name" | "state") {
        return text.into();
    }
    let number = text.parse::<i64>().map(Value::Int);
    number.or_else(|_| text.parse::<f64>().map(Value::Float)).unwrap_or_else(|_| text.into())
}

/// How much of a body that is too long is read and dropped, so that its client sees the refusal: as
/// much again as it may have.
const DROPPED: usize = MAX_REQUEST;

async fn read(mut body: Body, mut share: Share) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let (mut bytes, mut seen) = (Zeroizing::new(Vec::new()), 0);
    if body.size_hint().lower() > (MAX_REQUEST + DROPPED) as u64 {
        return Err(Problem::too_large(MAX_REQUEST));
    }
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Refusal::new(ErrorKind::InvalidJson, "the body ends too early"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen > MAX_REQUEST + DROPPED {
            break;
        }
        if seen <= MAX_REQUEST {
            let full = |full: Full| Refusal::busy(&full.to_string());
            share.grow(data.len()).map_err(full)?;
            bytes.extend_from_slice(&data);
        }
    }
    if seen > MAX_REQUEST { Err(Problem::too_large(MAX_REQUEST)) } else { Ok(bytes) }
}

/// Passes on the first event of a job.
struct First(Option<oneshot::Sender<Event>>);

impl Sink for First {
    fn emit(&mut self, event: Event) {
        if let Some(first) = self.0.take() {
            // Whoever asked may have left.
            drop(first.send(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[tokio::test]
    async fn t90_a_body_takes_memory_as_it_arrives_and_is_refused_beyond_its_limits() {
        let memory = Memory::new(MAX_REQUEST + 10);
        let of = |length: usize| read(Body::from(vec![b'x'; length]), memory.share("a body"));
        for length in [0, 1, MAX_REQUEST] {
            assert_eq!(of(length).await.expect("it fits").len(), length);
        }
        for length in [MAX_REQUEST + 1, MAX_REQUEST + DROPPED, 10 * MAX_REQUEST] {
            let status = of(length).await.expect_err("too long").status;
            assert_eq!(status.as_u16(), 413, "{length}");
        }
        let mut others = memory.share("others");
        others.grow(100).expect("room");
        assert_eq!(of(MAX_REQUEST).await.expect_err("no room").status.as_u16(), 503);
        drop(others);
        assert_eq!(memory.taken(), 0);
    }
}
