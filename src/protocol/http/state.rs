//! The state that outlives a request: of a worker, for all its users, and of one user.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::connection::SCRATCH;
use super::cookies::Jar;
use super::digest::Challenge;
use super::head::LastHead;
use super::parting::Parting;
use super::pool::{Pool, PooledConnection, Transport};
use super::request::Request;
use super::response::Response;
use super::target::{Origin, Origins};
use crate::cold::cold_path;
use crate::load::template::{Filled, Slot};
use crate::memory::{Full, Held, Memory};
use crate::net::Dialer;
use crate::protocol::deadline::Deadline;
use crate::protocol::labels::Labels;
use crate::protocol::own_limits::BackOff;
use crate::record::LabelId;

/// What the users of one worker share.
#[derive(Debug)]
pub struct Worker {
    pub(super) dialer: Dialer,
    pub(super) scratch: RefCell<Box<[u8]>>,
    pub(super) origins: RefCell<Origins>,
    /// Connections that end.
    pub(super) parting: Parting,
    pub(super) tasks: Vec<TaskCache>,
    /// The body of a request while it is written.
    pub(super) body: RefCell<Filled>,
}

impl Worker {
    /// The state of a worker for this many tasks.
    pub(super) fn new(dialer: Dialer, tasks: usize) -> Self {
        Self {
            dialer,
            scratch: RefCell::new(vec![0; SCRATCH].into()),
            origins: RefCell::default(),
            parting: Parting::default(),
            tasks: (0..tasks).map(|_| TaskCache::default()).collect(),
            body: RefCell::default(),
        }
    }
}

impl Worker {
    /// Closes a connection that can carry no more requests.
    pub(super) fn see_off(&self, pooled: PooledConnection) {
        if let Transport::Http1(stream) = pooled.transport {
            self.parting.see_off(stream);
        }
    }
}

/// A worker's cache for one task.
#[derive(Debug, Default)]
pub(super) struct TaskCache {
    /// Origin and label of its constant request, once it has been sent.
    pub(super) fixed: OnceCell<(Rc<Origin>, LabelId)>,
    pub(super) labels: RefCell<Labels>,
    pub(super) head: RefCell<LastHead>,
}

/// What one user keeps between requests.
#[derive(Debug, Default)]
pub struct User {
    pub(super) connections: Pool,
    pub(super) jar: Option<Box<Jar>>,
    /// The pages that variables were extracted from, if a task may follow a link.
    pub(super) pages: Vec<(Slot, String)>,
    /// The length of their URLs.
    pages_length: usize,
    pub(super) request: Request,
    /// The request in the form for a proxy.
    pub(super) proxied: Vec<u8>,
    /// What its requests take of the ceiling for memory, and what its cookies take.
    pub(super) held: Held,
    pub(super) jar_held: Held,
    pub(super) challenge: Option<Box<Challenge>>,
    pub(super) response: Response,
    pub(super) deadline: Deadline,
    /// Whether a request is in progress.
    pub(super) in_flight: bool,
    pub(super) back_off: BackOff,
}

impl User {
    /// The state of a user that keeps at most this much of a body, in bytes, under the ceiling.
    pub(super) fn keeping(max_body_bytes: usize, memory: &Arc<Memory>) -> Self {
        Self {
            response: Response::keeping(max_body_bytes, memory),
            held: memory.held("requests"),
            jar_held: memory.held("cookies"),
            ..Self::default()
        }
    }

    /// Makes sure that a request with so many bytes in its body fits into memory.
    #[inline]
    pub(super) fn expect(&mut self, body: usize) -> Result<(), Full> {
        if body > Held::SMALL {
            self.held.set(self.request.capacity().max(body) + self.pages_length)?;
        }
        Ok(())
    }

    /// Counts what its requests hold.
    #[inline]
    pub(super) fn hold(&mut self) -> Result<(), Full> {
        let requests = self.request.capacity() + self.proxied.capacity();
        self.held.set(requests + self.pages_length)
    }

    /// Counts the pages that variables were extracted from.
    pub(super) fn count_pages(&mut self) -> Result<(), Full> {
        self.pages_length = self.pages.iter().map(|(_, page)| page.capacity()).sum();
        self.hold()
    }

    /// Gives back what the last request and its response needed, except small buffers.
    #[inline]
    pub(super) fn settle(&mut self) {
        self.response.clear();
        if self.request.capacity() > Held::SMALL {
            cold_path();
            self.request = Request::default();
        }
        if self.proxied.capacity() > Held::SMALL {
            cold_path();
            self.proxied = Vec::new();
        }
        // Less always fits.
        let _ = self.hold();
    }
}
