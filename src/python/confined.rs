//! The step between the server and a confined child: this program itself, started anew, which limits
//! what it may do and then becomes the interpreter (`exec`).
//!
//! A thread of the server that limits itself before it starts the child would be simpler, but would leave
//! that thread with the child's own limits: the kernel lets processes with the same limits trace and
//! signal each other, and a thread has the memory of its whole process.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

/// The first argument of the program when it is started for this.
pub const CONFINED: &str = "__confined";

const READABLE: &str = "r";
const WRITABLE: &str = "w";
const PROGRAM: &str = "--";

/// What a confined process may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) readable: Vec<PathBuf>,
    pub(super) writable: Vec<PathBuf>,
}

impl Reach {
    /// The command that becomes `program` with this reach; arguments that are added are those of
    /// `program`.
    pub(super) fn command(&self, launcher: &OsStr, program: &OsStr) -> Command {
        let mut command = Command::new(launcher);
        command.arg(CONFINED);
        self.readable.iter().for_each(|place| {
            command.arg(READABLE).arg(place);
        });
        self.writable.iter().for_each(|place| {
            command.arg(WRITABLE).arg(place);
        });
        command.arg(PROGRAM).arg(program);
        command
    }

    /// Reads the arguments after [`CONFINED`]: the reach, and what follows it.
    fn read(mut words: impl Iterator<Item = OsString>) -> (Self, Vec<OsString>) {
        let mut reach = Self::default();
        while let Some(kind) = words.next().filter(|kind| kind != PROGRAM) {
            let list = if kind == WRITABLE { &mut reach.writable } else { &mut reach.readable };
            list.extend(words.next().map(PathBuf::from));
        }
        (reach, words.collect())
    }
}

/// Limits this process to what the arguments after [`CONFINED`] allow, and becomes the program that they
/// name. Returns only if that fails; the reason is written to stdout as the child's own would be.
pub fn become_confined(words: impl Iterator<Item = OsString>) {
    let (reach, program) = Reach::read(words);
    let why = match system::confine(&reach) {
        Ok(()) => system::exec(&program),
        Err(why) => why,
    };
    let line = serde_json::json!({ "failed": why });
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::OsString;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use landlock::{
        ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetError, RulesetStatus, Scope,
    };
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

    use super::Reach;
    use crate::error::reason;

    /// Keeps this process, and those that it starts or becomes, to its reach.
    pub(super) fn confine(reach: &Reach) -> Result<(), String> {
        drop_capabilities().map_err(|error| reason(&std::io::Error::from(error)))?;
        match landlocked(reach) {
            Ok(RulesetStatus::NotEnforced) => Err("its kernel has no Landlock".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn landlocked(reach: &Reach) -> Result<RulesetStatus, RulesetError> {
        let all = AccessFs::from_all(ABI::V5);
        let read = AccessFs::from_read(ABI::V5);
        let own = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
        let rules = Ruleset::default().handle_access(all)?.scope(Scope::from_all(ABI::V6))?;
        let mut rules = rules.create()?;
        let null = Path::new("/dev/null").to_owned();
        let readable = reach.readable.iter().map(|place| (place, read));
        let writable = reach.writable.iter().map(|place| (place, own));
        let null = [(&null, read | AccessFs::WriteFile)];
        for (place, access) in readable.chain(writable).chain(null) {
            if let Ok(open) = PathFd::new(place) {
                let of_files = AccessFs::from_file(ABI::V5);
                let access = if place.is_dir() { access } else { access & of_files };
                rules = rules.add_rule(PathBeneath::new(open, access))?;
            }
        }
        // This sets no_new_privs as well.
        Ok(rules.restrict_self()?.ruleset)
    }

    /// Leaves root with nothing but the right to files of others, which the rules about files bound.
    /// With no_new_privs an `exec` gives nothing back.
    fn drop_capabilities() -> rustix::io::Result<()> {
        let held = capabilities(None)?;
        let kept = held.permitted & CapabilitySet::DAC_OVERRIDE;
        let inheritable = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })
    }

    /// Becomes a program; returns why it cannot.
    pub(super) fn exec(program: &[OsString]) -> String {
        let Some((name, arguments)) = program.split_first() else {
            return "no program is named".to_owned();
        };
        reason(&Command::new(name).args(arguments).exec())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::ffi::OsString;

    use super::Reach;

    pub(super) fn confine(_: &Reach) -> Result<(), String> {
        Err("only Linux can".to_owned())
    }

    pub(super) fn exec(_: &[OsString]) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_read_as_it_is_handed_over_and_the_program_keeps_its_arguments() {
        let reach = Reach {
            readable: vec!["/usr".into(), "--".into(), "w".into()],
            writable: vec!["/data".into()],
        };
        let mut command = reach.command(OsStr::new("ldctl"), OsStr::new("/bin/sh"));
        command.args(["-c", "--", "r"]);
        let mut words = command.get_args().map(OsStr::to_owned);
        assert_eq!(words.next().as_deref(), Some(OsStr::new(CONFINED)));
        let (read, program) = Reach::read(words);
        assert_eq!(read, reach);
        assert_eq!(program, ["/bin/sh", "-c", "--", "r"]);
    }
}
