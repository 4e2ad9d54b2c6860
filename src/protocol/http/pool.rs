//! A user's open connections, for the next request to the same origin with the same settings.

use std::rc::Rc;
use std::sync::Arc;

use super::h2::Http2Session;
use super::proxy::Proxy;
use super::target::Origin;
use crate::net::Stream;

/// How many connections a user keeps, to different origins.
const MAX_CONNECTIONS: usize = 8;

/// The pooled connections.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<PooledConnection>);

impl Pool {
    /// Takes the connection to an origin, if there is one that can carry another request.
    pub(super) fn take(&mut self, origin: &Rc<Origin>, tls: usize) -> Option<PooledConnection> {
        let at = self.0.iter().position(|pooled| {
            pooled.tls == tls && (Rc::ptr_eq(&pooled.origin, origin) || pooled.origin == *origin)
        })?;
        let mut pooled = self.0.swap_remove(at);
        (!pooled.transport.is_closed()).then_some(pooled)
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&mut self, pooled: PooledConnection) {
        if self.0.len() >= MAX_CONNECTIONS {
            self.0.swap_remove(0);
        }
        self.0.push(pooled);
    }
}

/// A connection that can carry another request.
#[derive(Debug)]
pub(super) struct PooledConnection {
    pub(super) origin: Rc<Origin>,
    /// The index of its setting.
    pub(super) tls: usize,
    /// The proxy for plain requests, which carry whole URLs.
    pub(super) via: Option<Arc<Proxy>>,
    pub(super) transport: Transport,
}

/// The protocol of a connection.
#[derive(Debug)]
pub(super) enum Transport {
    Http1(Stream),
    Http2(Http2Session),
}

impl Transport {
    /// Whether it cannot carry another request.
    fn is_closed(&mut self) -> bool {
        match self {
            Self::Http1(stream) => stream.has_unsolicited_input(),
            Self::Http2(session) => session.ended(),
        }
    }
}
