//! The connections that the users of a test need, compared with the descriptors that there are for
//! them before the first user starts. What cannot be known then, such as a new connection for each
//! request, is limited when a connection is made ([`crate::net`]).

use std::thread;

use super::stub;
use crate::action::context::Context;
use crate::net::Descriptors;

/// The connections that the users of a test need at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connections {
    users: u64,
    /// Whether the other end of each is in this process, too.
    both_ends: bool,
    /// Whether each user makes requests all the time, which users of an open model do not.
    steady: bool,
    /// What there is for them.
    descriptors: Option<Descriptors>,
}

/// There cannot be a connection for each user.
#[derive(Debug, thiserror::Error)]
#[error("LD_start_test: {0}; use fewer users or raise the limit")]
pub(super) struct TooManyUsers(String);

/// So many users may share a descriptor, because not all of them may have a request in progress. If
/// there are more, most requests cannot be made.
const USERS_PER_DESCRIPTOR: u64 = 4;

/// Descriptors of a worker thread: its poller, its wake-up and its signals.
const OF_A_WORKER: u64 = 3;

impl Connections {
    /// The connections of a test with so many users, as far as they are known before it starts;
    /// `document` is the text of its action.
    pub(super) fn of(users: u64, steady: bool, document: &str, context: &Context<'_>) -> Self {
        let workers = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let stubs = stub::ports(context);
        let stub = stubs.into_iter().find(|stub| names_port(document, stub.port));
        let both_ends = stub.is_some();
        // Those that are connected to it give way to the test.
        let clients = stub.map_or(0, |stub| stub.clients as u64);
        let descriptors = Descriptors::now().map(|now| Descriptors {
            open: (now.open + OF_A_WORKER * workers).saturating_sub(clients),
            ..now
        });
        Self { users, both_ends, steady, descriptors }
    }

    /// Refuses users for whom there cannot be enough descriptors; returns a warning where there may
    /// not be enough.
    pub(super) fn check(self) -> Result<Option<String>, TooManyUsers> {
        let Self { users, both_ends, steady, descriptors } = self;
        let Some(descriptors) = descriptors else { return Ok(None) };
        let needed = users.saturating_mul(if both_ends { 2 } else { 1 });
        let free = descriptors.free();
        let why = if both_ends { " (two each: the stub server is in this process)" } else { "" };
        let people =
            if users == 1 { "1 user needs".to_owned() } else { format!("{users} users need") };
        let plural = if needed == 1 { "" } else { "s" };
        let sum = format!("{people} {needed} connection{plural}{why}; {descriptors}");
        let too_many = needed > free.saturating_mul(USERS_PER_DESCRIPTOR);
        if too_many || both_ends && steady && needed > free {
            return Err(TooManyUsers(sum));
        }
        let warning = format!("{sum}; requests without a connection fail on this side");
        Ok((steady && needed > free).then_some(warning))
    }
}

/// Whether a URL or host in a document has this port.
fn names_port(document: &str, port: i64) -> bool {
    let end = format!(":{port}");
    document.match_indices(&end).any(|(at, _)| {
        let after = document.get(at + end.len()..).unwrap_or_default();
        !after.starts_with(|next: char| next.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(users: u64, both_ends: bool, steady: bool) -> Result<Option<String>, String> {
        let descriptors = Some(Descriptors { limit: 20_000, open: 20 });
        let connections = Connections { users, both_ends, steady, descriptors };
        connections.check().map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_port_is_found_in_urls_and_hosts_but_not_in_longer_numbers() {
        let document = r#"["http://127.0.0.1:80801/", {"host": "h:8080"}]"#;
        for (port, named) in [(8080, true), (80_801, true), (808, false), (8081, false)] {
            assert_eq!(names_port(document, port), named, "{port}");
        }
    }

    #[test]
    fn t43_users_without_descriptors_are_refused_at_the_start_with_the_sum() {
        let left = "20000 descriptors less 80 kept back and 20 in use leave 19900 (ulimit -Hn)";
        let refusal = |connections: &str| {
            Err(format!("LD_start_test: {connections}; {left}; use fewer users or raise the limit"))
        };
        let why =
            "12000 users need 24000 connections (two each: the stub server is in this process)";
        assert_eq!(check(12_000, true, true), refusal(why));
        assert_eq!(check(100_000, false, false), refusal("100000 users need 100000 connections"));
        assert_eq!(check(9_000, true, true), Ok(None));
        assert_eq!(check(19_900, false, true), Ok(None));
        assert_eq!(check(50_000, false, false), Ok(None), "they are not all busy");
        let warning = format!(
            "30000 users need 30000 connections; {left}; requests without a connection fail on \
             this side"
        );
        assert_eq!(check(30_000, false, true), Ok(Some(warning)));
    }
}
