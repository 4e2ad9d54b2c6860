//! What the system lets the child do: documents can make it run any code, so that nothing in it can
//! hold them back. On Linux it reads only the data directory, Python and what programs of the system
//! need, writes only into the data directory, and sends no signals to others (Landlock); its memory is
//! limited everywhere where a process can be limited from outside.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::settings::{Settings, StartError};

/// Where programs of the system and their data lie; nothing there is secret.
const SYSTEM: [&str; 26] = [
    "/bin",
    "/dev/random",
    "/dev/urandom",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/lib",
    "/lib64",
    "/proc",
    "/run/systemd/resolve",
    "/sys/devices/system/cpu",
    "/usr",
];

/// Prints where an interpreter looks for code, one place a line.
const PLACES: &str = "import sys\nfor place in {sys.prefix, sys.base_prefix, sys.exec_prefix, \
                      *sys.path}:\n    if place.startswith('/'): print(place)";

/// The places that a confined child may read.
#[derive(Debug)]
pub(super) struct Places {
    readable: Vec<PathBuf>,
    directory: PathBuf,
}

impl Places {
    /// Asks the interpreter for its own, and refuses those that hold a secret.
    pub(super) fn of(settings: &Settings) -> Result<Self, StartError> {
        let shown = settings.interpreter.display().to_string();
        let directory = settings.directory.canonicalize().map_err(|error| {
            StartError::Confinement(shown.clone(), crate::error::reason(&error))
        })?;
        let output = Command::new(&settings.interpreter)
            .args(["-c", PLACES])
            .env_clear()
            .envs(settings.environment.iter().cloned())
            .current_dir(&settings.directory)
            .output()
            .map_err(|error| {
                StartError::Interpreter(shown.clone(), crate::error::reason(&error))
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let own = text.lines().map(Path::new);
        let readable = own.chain(SYSTEM.iter().map(Path::new)).chain([&*settings.interpreter]);
        let readable: Vec<PathBuf> =
            readable.filter_map(|place| place.canonicalize().ok()).collect();
        let places = Self { readable, directory };
        match places.exposed(&settings.secret_files) {
            Some(secret) => Err(StartError::Secret(shown, secret.display().to_string())),
            None => Ok(places),
        }
    }

    /// The first of these files that could be read.
    fn exposed<'a>(&self, files: &'a [PathBuf]) -> Option<&'a Path> {
        let within = |file: &Path| {
            let all = self.readable.iter().chain([&self.directory]);
            let real = file.canonicalize().ok();
            all.into_iter().any(|place| real.as_ref().is_some_and(|file| file.starts_with(place)))
        };
        files.iter().map(PathBuf::as_path).find(|file| within(file))
    }

    /// Keeps this thread, and the processes that it starts, to these places for the rest of its life.
    #[cfg(target_os = "linux")]
    pub(super) fn confine(&self) -> Result<(), String> {
        use landlock::{
            ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
            RulesetError, RulesetStatus, Scope,
        };
        let all = AccessFs::from_all(ABI::V5);
        let read = AccessFs::from_read(ABI::V5);
        let own = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
        let confined = || -> Result<RulesetStatus, RulesetError> {
            let rules = Ruleset::default().handle_access(all)?.scope(Scope::from_all(ABI::V6))?;
            let mut rules = rules.create()?;
            let null = Path::new("/dev/null").to_owned();
            let writable = [(&self.directory, own), (&null, read | AccessFs::WriteFile)];
            let readable = self.readable.iter().map(|place| (place, read));
            for (place, access) in readable.chain(writable) {
                if let Ok(open) = PathFd::new(place) {
                    let of_files = AccessFs::from_file(ABI::V5);
                    let access = if place.is_dir() { access } else { access & of_files };
                    rules = rules.add_rule(PathBeneath::new(open, access))?;
                }
            }
            Ok(rules.restrict_self()?.ruleset)
        };
        match confined() {
            Ok(RulesetStatus::NotEnforced) => Err("its kernel has no Landlock".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn confine(&self) -> Result<(), String> {
        Err("only Linux can".to_owned())
    }
}

/// Limits the memory of a process and of those that it starts.
#[cfg(target_os = "linux")]
pub(super) fn limit_memory(pid: u32, bytes: usize) -> std::io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let bytes = Some(bytes as u64);
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    prlimit(pid, Resource::Data, Rlimit { current: bytes, maximum: bytes })?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn limit_memory(_: u32, _: usize) -> std::io::Result<()> {
    Ok(())
}
