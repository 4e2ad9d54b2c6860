//! The operations of a request: one list that client and server share.

use std::fmt;

/// An operation. On the wire, the key of a document is `command`; the key `op` names every other
/// operation.
///
/// To add one:
///
/// 1. Here: a variant with one sentence, its name in [`Op::name`], and its row in [`Op::ALL`]. A
///    parameter of its own is a field of [`Request`](super::request::Request).
/// 2. `event.rs`: the event of its reply, unless an existing one fits. The compiler then asks for its
///    line in `wire/text.rs`, its numbers in `fuzz/src/support.rs`, and its name in
///    `wire/dialect/tests.rs`, which also needs an example.
/// 3. `server/respond.rs`: the arm that answers it, immediately, or with a job where it may take time.
///    What the executor does or knows is a method of [`Execute`](crate::server::Execute), in
///    `server/execute.rs`.
/// 4. `client/probe.rs`: a function that sends it and reads its reply, exported by `client/mod.rs`.
/// 5. `command/`: a file for the verb, and its lines in `cli/` and `command/mod.rs`.
/// 6. `tests/cmd/help.md`: a line `$ ldctl VERB --help`. Its output, man pages and completions are
///    generated (`TRYCMD=overwrite cargo test --test it`). The README and the table in
///    [`wire`](super) describe the operation, and CHANGELOG.md has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Run a document; without one the reply is empty.
    Run,
    /// Identify the server, without side effects.
    Ping,
    /// Report a run: the one whose test runs, unless the request names another.
    Status,
    /// Stop a run, and report its last status.
    Stop,
    /// List the newest runs.
    Runs,
    /// Send the events of a run from its beginning to its end.
    Attach,
    /// Send the report of a run.
    Report,
    /// Make a link that logs a browser in, once, to a run or to all of them.
    Link,
    /// Shut the server down.
    Quit,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Run,
        Self::Ping,
        Self::Status,
        Self::Stop,
        Self::Runs,
        Self::Attach,
        Self::Report,
        Self::Link,
        Self::Quit,
    ];

    /// The value of the key `op`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Ping => "ping",
            Self::Status => "status",
            Self::Stop => "stop",
            Self::Runs => "runs",
            Self::Attach => "attach",
            Self::Report => "report",
            Self::Link => "link",
            Self::Quit => "quit",
        }
    }

    /// Whether only events can describe its reply, so that it needs a framed request.
    pub fn needs_events(self) -> bool {
        matches!(self, Self::Runs | Self::Attach | Self::Report | Self::Link)
    }

    /// Returns the operation of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_name() {
        for op in Op::ALL {
            assert_eq!(Op::from_name(op.name()), Some(op));
        }
        assert_eq!(Op::from_name("Ping"), None);
    }
}
