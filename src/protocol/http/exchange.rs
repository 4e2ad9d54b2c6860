//! One request and its response: over a pooled connection if there is one, otherwise over a new one,
//! possibly through a proxy; repeated if the response is a digest challenge.

use std::rc::Rc;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::attempt::Attempt;
use super::connection::Exchange;
use super::digest::{self, Challenge};
use super::fault::Fault;
use super::h2::Http2Session;
use super::pool::{PooledConnection, Transport};
use super::proxy::Proxy;
use super::target::Origin;
use super::task::Authorization;
use super::trace;
use super::way::Way;
use crate::cold::cold_path;
use crate::memory::Held;
use crate::net::Stream;
use crate::protocol::checked::Capture;
use crate::protocol::fault::ConnectionFault;

/// What is left of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// What its response asks for: to keep cookies, and to follow a redirect.
    Consequences,
    /// To send it.
    All,
}

impl Attempt<'_> {
    /// The exchange over the connection that is open, if there is one and the request needs no more than
    /// that. Nearly all requests are like this; all others have a future of their own on the heap, so that
    /// the state of ten thousand users stays small.
    #[inline]
    pub(super) fn over_open(&mut self, origin: &Rc<Origin>) -> Option<Exchange<'_>> {
        if self.task.uses_digest() || self.tracer.is_some() {
            return None;
        }
        let capture = self.capture();
        let user = &mut *self.user;
        let request = self.task.request(&user.request);
        Some(Exchange {
            stream: user.connections.direct(origin, self.task.tls)?,
            request: request.outgoing(),
            response: &mut user.response,
            deadline: &mut user.deadline,
            scratch: &self.worker.scratch,
            last: &self.cache.head,
            capture,
            head_only: request.is_head(),
            sent: 0,
            unsent: None,
            begins: true,
        })
    }

    /// What is left after such an exchange.
    #[inline]
    pub(super) fn left_after(&mut self, outcome: Result<(), Fault>) -> Result<Left, Fault> {
        let user = &mut *self.user;
        let lasts = user.response.keep_alive && !self.task.request(&user.request).closes();
        if (outcome.is_err() || !lasts)
            && let Some(pooled) = user.connections.take_last()
            && outcome.is_ok()
        {
            cold_path();
            self.worker.see_off(pooled);
        }
        if let Err(fault) = outcome {
            cold_path();
            if self.stale(&fault) {
                self.user.response.clear();
                return Ok(Left::All);
            }
            return Err(fault);
        }
        if self.has_consequences() {
            cold_path();
            return Ok(Left::Consequences);
        }
        Ok(Left::Nothing)
    }

    /// The parts of the response that are needed.
    fn capture(&self) -> Capture {
        let mut capture = self.task.capture;
        capture.body |= self.virtual_user.keeps_bodies();
        capture
    }

    /// One request and its response, repeated if the first response is a digest challenge.
    pub(super) async fn exchange(&mut self, origin: Rc<Origin>) -> Result<(), Fault> {
        if self.task.uses_digest() {
            // Boxed: few of the requests that come here need it.
            return Box::pin(self.exchange_with_digest(origin)).await;
        }
        self.send(origin).await
    }

    /// Sends a request and responds to the origin's challenge, if there is one.
    async fn exchange_with_digest(&mut self, origin: Rc<Origin>) -> Result<(), Fault> {
        if self.user.request.is_empty()
            && let Some(fixed) = &self.task.fixed
        {
            self.user.request.clone_from(&fixed.request);
        }
        if !self.user.request.carries_secrets() {
            return self.send(origin).await;
        }
        if self.user.challenge.as_ref().is_some_and(|known| known.origin == origin) {
            self.sign()?;
        }
        self.send(Rc::clone(&origin)).await?;
        if self.user.response.status != 401 {
            return Ok(());
        }
        let headers = self.user.response.headers.iter();
        let asked = headers
            .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
            .find_map(|(_, value)| Challenge::read(value, &origin));
        let Some(challenge) = asked else { return Ok(()) };
        self.user.challenge = Some(Box::new(challenge));
        self.keep_cookies(&origin)?;
        self.sign()?;
        self.user.response.clear();
        self.send(origin).await
    }

    /// Adds the response to the challenge to the request.
    fn sign(&mut self) -> Result<(), Fault> {
        let Some(Authorization::Digest { username, password }) = &self.task.authorization else {
            return Ok(());
        };
        let Some(challenge) = &mut self.user.challenge else { return Ok(()) };
        let scope = &mut self.virtual_user.scope;
        let (name, password) = (username.text(scope), password.text(scope));
        let user = digest::User { name: &name, password: &password };
        let own = format!("{:016x}", fastrand::u64(..));
        let request = &mut self.user.request;
        let value = challenge.answer(user, request.method(), request.target(), &own);
        if value.contains(|c: char| c.is_control()) {
            return Err(Fault::Header("Authorization".to_owned()));
        }
        request.authorize(&value, self.task.http2);
        Ok(())
    }

    /// One request and its response over a pooled or a new connection.
    async fn send(&mut self, origin: Rc<Origin>) -> Result<(), Fault> {
        if let Some(pooled) = self.user.connections.take(&origin, self.task.tls) {
            match self.exchange_over(pooled).await {
                Err(fault) if self.stale(&fault) => self.user.response.clear(),
                outcome => return outcome,
            }
        }
        let fresh = self.connect(Rc::clone(&origin)).await?;
        let direct = fresh.via.is_none();
        match self.exchange_over(fresh).await {
            // A TLS server that ignores plain text closes like this. Boxed, because it is rare.
            Err(fault @ Fault::Connection(ConnectionFault::Closed)) if direct && !origin.tls => {
                Err(if Box::pin(self.speaks_tls(&origin)).await { Fault::SpeaksTls } else { fault })
            }
            outcome => outcome,
        }
    }

    /// Whether an origin that closed the connection without a response speaks TLS.
    async fn speaks_tls(&self, origin: &Origin) -> bool {
        let deadline = self.user.deadline.at().unwrap_or_else(Instant::now);
        self.user.response.status == 0
            && self.worker.dialer.speaks_tls(&origin.host, origin.port, deadline).await
    }

    /// Whether a pooled connection closed without any response at the moment it was used. That is a
    /// race, not a failure, so a request that is safe to repeat is repeated over a new connection
    /// (RFC 9112, section 9.3.1).
    fn stale(&self, fault: &Fault) -> bool {
        let ended = match fault {
            Fault::Unsent(_) => return true,
            Fault::Connection(ConnectionFault::Closed | ConnectionFault::Reset) => true,
            _ => false,
        };
        let untouched = self.user.response.status == 0;
        let method = self.task.request(&self.user.request).method();
        let repeatable = matches!(method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS");
        ended && untouched && repeatable
    }

    async fn exchange_over(&mut self, mut pooled: PooledConnection) -> Result<(), Fault> {
        let mut capture = self.capture();
        let user = &mut *self.user;
        let request = self.task.request(&user.request);
        let http2 = matches!(pooled.transport, Transport::Http2(_));
        if let Some(tracer) = self.tracer {
            capture = Capture { head: true, body: true };
            tracer.show(trace::request(request, &pooled.origin.authority, http2));
        }
        match &mut pooled.transport {
            Transport::Http1(stream) => {
                let outgoing = match &pooled.via {
                    None => request.outgoing(),
                    Some(proxy) => {
                        proxy.write(&pooled.origin, request, &mut user.proxied);
                        // As large again as the request.
                        user.held.set(user.request.capacity() + user.proxied.capacity())?;
                        request.outgoing_as(&user.proxied)
                    }
                };
                let exchange = Exchange {
                    stream,
                    request: outgoing,
                    response: &mut user.response,
                    deadline: &mut user.deadline,
                    scratch: &self.worker.scratch,
                    last: &self.cache.head,
                    capture,
                    head_only: request.is_head(),
                    sent: 0,
                    unsent: None,
                    begins: false,
                };
                exchange.await?;
            }
            Transport::Http2(session) => {
                let deadline = user.deadline.at().unwrap_or_else(Instant::now);
                // The message has a copy of what is not shared.
                if user.request.capacity() > Held::SMALL {
                    user.held.set(2 * user.request.capacity())?;
                }
                let message = self.task.message(&user.request, &pooled.origin)?;
                let exchange = session.exchange(message, &mut user.response, capture);
                // Boxed: it is larger than all the rest, which new connections of HTTP/1.1 need, too.
                timeout_at(deadline, Box::pin(exchange))
                    .await
                    .map_err(|_| ConnectionFault::Deadline)??;
            }
        }
        if let Some(tracer) = self.tracer {
            tracer.show(trace::response(&user.response, http2));
        }
        if user.response.keep_alive && !request.closes() {
            user.connections.keep(pooled);
        } else {
            self.worker.see_off(pooled);
        }
        Ok(())
    }

    async fn connect(&mut self, origin: Rc<Origin>) -> Result<PooledConnection, Fault> {
        let deadline = self.user.deadline.at().unwrap_or_else(Instant::now);
        let way = Way {
            dialer: &self.worker.dialer,
            targets: self.targets,
            setting: self.settings.get(self.task.tls),
            deadline,
        };
        let (stream, via) = way.open(&origin, self.task.http2).await?;
        self.kept(origin, via, stream, deadline).await
    }

    /// The pooled or new connection, ready for requests.
    async fn kept(
        &self,
        origin: Rc<Origin>,
        via: Option<Arc<Proxy>>,
        stream: Stream,
        deadline: Instant,
    ) -> Result<PooledConnection, Fault> {
        let http2 = if origin.tls { stream.is_http2() } else { self.task.http2 };
        if let Some(trace) = self.virtual_user.trace() {
            trace.connection(&origin.authority, || {
                let through = via.as_ref().map_or("", |_| " (a proxy)");
                let protocol = if http2 { "HTTP/2" } else { "HTTP/1.1" };
                format!("{}{through}, {protocol}", stream.description())
            });
        }
        let transport = if http2 {
            let opening = Box::pin(Http2Session::open(stream));
            Transport::Http2(
                timeout_at(deadline, opening).await.map_err(|_| ConnectionFault::Deadline)??,
            )
        } else {
            Transport::Http1(stream)
        };
        Ok(PooledConnection { origin, tls: self.task.tls, via, transport })
    }
}
