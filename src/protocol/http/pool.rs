//! A user's open connections, for the next request to the same origin with the same settings.

use std::rc::Rc;
use std::sync::Arc;

use super::h2::Http2Session;
use super::proxy::Proxy;
use super::target::Origin;
use crate::net::Stream;

/// How many connections a user keeps, to different origins.
const MAX_CONNECTIONS: usize = 8;

/// The pooled connections. The one that was used last is apart: most users have no other, and what they
/// touch for each request should lie together.
#[derive(Debug, Default)]
pub(super) struct Pool {
    last: Option<PooledConnection>,
    /// The others, the one used longest ago first.
    others: Vec<PooledConnection>,
}

impl Pool {
    /// Takes the connection to an origin, if there is one that can carry another request.
    pub(super) fn take(&mut self, origin: &Rc<Origin>, tls: usize) -> Option<PooledConnection> {
        self.find(origin, tls)?;
        self.last.take()
    }

    /// The stream to an origin that carries HTTP/1.1 without a proxy, if there is one that can carry another
    /// request. It stays here until [`Self::take_last`].
    #[inline]
    pub(super) fn direct(&mut self, origin: &Rc<Origin>, tls: usize) -> Option<&mut Stream> {
        match self.find(origin, tls)? {
            PooledConnection { transport: Transport::Http1(stream), via: None, .. } => Some(stream),
            _ => None,
        }
    }

    /// Makes the connection to an origin the last one, if there is one that can carry another request.
    #[inline]
    fn find(&mut self, origin: &Rc<Origin>, tls: usize) -> Option<&mut PooledConnection> {
        if !self.last.as_ref().is_some_and(|pooled| pooled.leads_to(origin, tls)) {
            let at = self.others.iter().position(|pooled| pooled.leads_to(origin, tls))?;
            let found = self.others.remove(at);
            self.others.extend(self.last.replace(found));
        }
        self.last.take_if(|pooled| pooled.transport.is_closed());
        self.last.as_mut()
    }

    /// Gives away the connection that was used last.
    pub(super) fn take_last(&mut self) -> Option<PooledConnection> {
        self.last.take()
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&mut self, pooled: PooledConnection) {
        self.others.extend(self.last.replace(pooled));
        if self.others.len() >= MAX_CONNECTIONS {
            self.others.remove(0);
        }
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

impl PooledConnection {
    fn leads_to(&self, origin: &Rc<Origin>, tls: usize) -> bool {
        self.tls == tls && (Rc::ptr_eq(&self.origin, origin) || self.origin == *origin)
    }
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
