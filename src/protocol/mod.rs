//! How a task reaches its target: one driver per protocol, each behind [`crate::load::driver`]'s
//! boundary, and [`USERS`], the one table of the users that documents may name. Nothing here decides
//! when or how often. Where a test may go is for [`Targets`] to say.

mod check;
mod deadline;
pub mod http;
mod json_path;
mod labels;

use crate::load;
use crate::load::driver::Tasks as _;
use crate::net::Targets;
use crate::value::{Field, Invalid, Reader};

pub use check::Wanted;
pub use json_path::JsonPath;

/// Tasks of whatever protocol while they are read.
pub type AnyTasks = dyn load::AnyTasks<Targets>;

/// A test's tasks as they were read.
pub type Workload = load::Workload<Targets>;

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

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Setup").field("host", &self.host).finish_non_exhaustive()
    }
}

impl<'a> Setup<'a> {
    fn option(&self, name: &str) -> Option<&Reader<'a>> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }
}

/// The users. The refusal of an unknown one, the schema and the README are made from it or checked
/// against it.
pub const USERS: &[UserKind] = &[
    UserKind {
        name: "fast_http_user",
        doc: "HTTP/1.1 and HTTP/2 requests, in the habits of Locust's FastHttpUser.",
        options: &["http2"],
        fields: http::HttpTasks::FIELDS,
        open: |setup| http::HttpTasks::open(setup, http::Flavor::Fast),
    },
    UserKind {
        name: "http_user",
        doc: "HTTP/1.1 and HTTP/2 requests, in the habits of Python's requests.",
        options: &["http2"],
        fields: http::HttpTasks::FIELDS,
        open: |setup| http::HttpTasks::open(setup, http::Flavor::Requests),
    },
    UserKind {
        name: "async_http_user",
        doc: "The same as http_user.",
        options: &["http2"],
        fields: http::HttpTasks::FIELDS,
        open: |setup| http::HttpTasks::open(setup, http::Flavor::Httpx),
    },
];

/// Their names.
#[expect(clippy::indexing_slicing, reason = "a constant: what is out of bounds does not compile")]
pub const USER_NAMES: [&str; USERS.len()] = {
    let mut names = [""; USERS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = USERS[at].name;
        at += 1;
    }
    names
};

impl UserKind {
    /// The user that a field names.
    pub fn named(field: &Reader<'_>) -> Result<&'static Self, Invalid> {
        let name = field.text()?;
        let found = USERS.iter().find(|user| user.name == name);
        found.ok_or_else(|| field.expected(&any_of(USERS.iter().map(|user| user.name))))
    }
}

/// `"a", "b" or "c"`
fn any_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
