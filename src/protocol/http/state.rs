//! The state that outlives a request: of a worker, for all its users, and of one user.

use std::cell::RefCell;
use std::rc::Rc;

use super::connection::SCRATCH;
use super::cookies::Jar;
use super::digest::Challenge;
use super::pool::Pool;
use super::request::Request;
use super::response::Response;
use super::target::{Origin, Origins};
use crate::load::template::Slot;
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
    pub(super) tasks: Vec<RefCell<TaskCache>>,
}

impl Worker {
    /// The state of a worker for this many tasks.
    pub(super) fn new(dialer: Dialer, tasks: usize) -> Self {
        Self {
            dialer,
            scratch: RefCell::new(vec![0; SCRATCH].into()),
            origins: RefCell::default(),
            tasks: (0..tasks).map(|_| RefCell::default()).collect(),
        }
    }
}

/// A worker's cache for one task.
#[derive(Debug, Default)]
pub(super) struct TaskCache {
    /// Origin and label of its constant request, once it has been sent.
    pub(super) fixed: Option<(Rc<Origin>, LabelId)>,
    pub(super) labels: Labels,
}

/// What one user keeps between requests.
#[derive(Debug, Default)]
pub struct User {
    pub(super) connections: Pool,
    pub(super) jar: Option<Box<Jar>>,
    /// The pages that variables were extracted from, if a task may follow a link.
    pub(super) pages: Vec<(Slot, String)>,
    pub(super) request: Request,
    pub(super) body: Vec<u8>,
    /// The request in the form for a proxy.
    pub(super) proxied: Vec<u8>,
    pub(super) challenge: Option<Box<Challenge>>,
    pub(super) response: Response,
    pub(super) deadline: Deadline,
    /// Whether a request is in progress.
    pub(super) in_flight: bool,
    pub(super) back_off: BackOff,
}

impl User {
    /// The state of a user that keeps at most this much of a body, in bytes.
    pub(super) fn keeping(max_body_bytes: usize) -> Self {
        Self { response: Response::keeping(max_body_bytes), ..Self::default() }
    }
}
