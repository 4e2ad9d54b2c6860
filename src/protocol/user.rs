//! An entry of [`USERS`](super::USERS): a name, and how its tasks are parsed.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::trace::Tracer;
use crate::load;
use crate::memory::Memory;
use crate::net::Targets;
use crate::value::{Field, Invalid, Reader};

/// What the tasks of a test may reach, and how much of the responses they keep.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The allowed targets.
    pub targets: Targets,
    /// The most of a response that is kept, in bytes.
    pub max_body_bytes: usize,
    /// The ceiling for what they make the process hold.
    pub memory: Arc<Memory>,
    /// What is shown of their requests and responses, if anything is.
    pub tracer: Option<Tracer>,
    /// Ends what is done before the first request.
    pub cancel: CancellationToken,
}

/// Tasks of any protocol while they are parsed.
pub type AnyTasks = dyn load::AnyTasks<Reach>;

/// A test's parsed tasks.
pub type Workload = load::Workload<Reach>;

/// A user that documents may name in `user_detail_dict`.
#[derive(Debug)]
pub struct UserKind {
    /// Its name.
    pub name: &'static str,
    /// One sentence that describes its tasks.
    pub doc: &'static str,
    /// Arguments of `LD_start_test` that apply only to some users, including this one.
    pub options: &'static [&'static str],
    /// The fields of its tasks, besides the engine's own.
    pub fields: &'static [&'static [Field]],
    /// Starts to parse the tasks of such users.
    pub open: fn(&Setup<'_>) -> Result<Box<AnyTasks>, Invalid>,
}

/// The arguments of `LD_start_test` for all tasks of a test.
pub struct Setup<'a> {
    /// The default target of tasks.
    pub host: Option<Reader<'a>>,
    /// The arguments that a user's `options` name.
    pub options: Vec<(&'static str, Reader<'a>)>,
}

impl fmt::Debug for Setup<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Setup").field("host", &self.host).finish_non_exhaustive()
    }
}

impl<'a> Setup<'a> {
    /// Returns an argument that the user's `options` name, if it was given.
    pub(super) fn option(&self, name: &str) -> Option<&Reader<'a>> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }
}
