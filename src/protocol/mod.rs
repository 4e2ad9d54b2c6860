//! How a task reaches its target: one driver per protocol, each behind [`crate::load::driver`]'s
//! boundary, and [`USERS`], the one table of the users that documents may name. Nothing here decides
//! when or how often. Where a test may go is for [`Targets`] to say.

mod check;
mod deadline;
mod fault;
pub mod http;
mod json_path;
mod labels;
mod placed;
mod user;

use crate::load::driver::Tasks as _;
use crate::value::{Invalid, Reader};

pub use check::Wanted;
pub use fault::ConnectionFault;
pub use json_path::JsonPath;
pub use user::{AnyTasks, Setup, UserKind, Workload};

/// The users. The refusal of an unknown one and the schema's list are made from it, the README's is
/// checked against it.
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
