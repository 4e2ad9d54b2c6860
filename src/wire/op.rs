//! What a request can ask for: the one list of operations that client and server share.

/// An operation. On the wire a document's key is `command`, and every other operation is named by
/// the key `op`.
///
/// To add one:
///
/// 1. Here: a variant with one sentence, its name in [`Op::name`], and its row in [`Op::ALL`]. A
///    parameter of its own is a field of [`Request`](super::request::Request).
/// 2. `event.rs`: the event that its reply carries, unless one that exists will do. The compiler
///    then asks for its line in `wire/text.rs`, and for its numbers in `fuzz/src/support.rs`.
/// 3. `action/`: the method of the executor that does the work; `server/execute.rs`: the arm that
///    calls it. What may take time is a job, everything else is answered at once.
/// 4. `client/probe.rs`: a function that sends it and reads its reply.
/// 5. `command/`: a file for the verb, and its line in `cli.rs` and `command/mod.rs`.
/// 6. Help, man pages and completions are generated; `tests/it/generated.rs` says how. The README and
///    the table in [`wire`](super) describe it, and CHANGELOG.md has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Run a document; without one the reply is empty.
    Run,
    /// Say which server this is, without side effects.
    Ping,
    /// Say which test is running.
    Status,
    /// Stop the running test, and say what it was.
    Stop,
    /// Shut the server down.
    Quit,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Run, Self::Ping, Self::Status, Self::Stop, Self::Quit];

    /// The value of the key `op`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Ping => "ping",
            Self::Status => "status",
            Self::Stop => "stop",
            Self::Quit => "quit",
        }
    }

    /// The operation of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
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
