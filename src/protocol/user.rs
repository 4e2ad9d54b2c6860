//! What a user is to [`USERS`](super::USERS): a name, and how its tasks are read.

use std::fmt;

use crate::load;
use crate::net::Targets;
use crate::value::{Field, Invalid, Reader};

/// What the tasks of a test may reach, and how much they keep of what comes back.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Where they may go.
    pub targets: Targets,
    /// The most of a response that is kept, in bytes.
    pub max_body_bytes: usize,
}

/// Tasks of whatever protocol while they are read.
pub type AnyTasks = dyn load::AnyTasks<Reach>;

/// A test's tasks as they were read.
pub type Workload = load::Workload<Reach>;

/// A user that documents may name in `user_detail_dict`.
#[derive(Debug)]
pub struct UserKind {
    /// Its name.
    pub name: &'static str,
    /// One sentence: what its tasks are.
    pub doc: &'static str,
    /// Arguments of `LD_start_test` that only some users take and it does.
    pub options: &'static [&'static str],
    /// The fields of their tasks, besides the engine's own.
    pub fields: &'static [&'static [Field]],
    /// Begins to read the tasks of such users.
    pub open: fn(&Setup<'_>) -> Result<Box<AnyTasks>, Invalid>,
}

/// What `LD_start_test` says of all tasks of a test.
pub struct Setup<'a> {
    /// Where tasks go that do not say.
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
    /// An argument that the user's `options` name, if it was given.
    pub(super) fn option(&self, name: &str) -> Option<&Reader<'a>> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }
}
