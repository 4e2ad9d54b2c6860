//! How each command and each user of LoadDensity is answered: the table behind `docs/commands.md`.

use crate::action::loaddensity::{COMMANDS, USERS, refused};
use crate::action::registry;
use crate::protocol::USER_NAMES;

/// What answers a command or makes the requests of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// This program itself.
    Native,
    /// LoadDensity, in the executor's Python.
    Executor,
    /// Nothing; the text says why.
    Refused(&'static str),
}

/// The commands of LoadDensity 0.0.79, in its own order.
pub fn answers() -> impl Iterator<Item = (&'static str, Answered)> {
    COMMANDS.iter().map(|name| {
        let answered = match (refused(name), registry::find(name)) {
            (Some(why), _) => Answered::Refused(why),
            (None, Some(_)) => Answered::Native,
            (None, None) => Answered::Executor,
        };
        (*name, answered)
    })
}

/// Its users.
pub fn users() -> impl Iterator<Item = (&'static str, Answered)> {
    USERS.iter().map(|name| {
        let native = USER_NAMES.contains(name);
        (*name, if native { Answered::Native } else { Answered::Executor })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_native_command_of_loaddensity_is_answered_natively_or_refused() {
        let answered = |wanted: &str| {
            answers().find(|(name, _)| *name == wanted).map(|(_, answered)| answered)
        };
        assert_eq!(answers().count(), 149);
        assert_eq!(answered("LD_start_test"), Some(Answered::Native));
        assert_eq!(answered("LD_probe_rate_limit"), Some(Answered::Executor));
        assert!(matches!(answered("LD_start_socket_server"), Some(Answered::Refused(_))));
        for (name, answered) in answers() {
            let native = registry::commands().any(|known| known == name) && refused(name).is_none();
            assert_eq!(answered == Answered::Native, native, "{name}");
        }
        assert!(users().any(|user| user == ("socket_user", Answered::Native)));
    }
}
