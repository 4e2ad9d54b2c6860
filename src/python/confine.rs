//! What the system lets the child do: documents can make it run any code, so that nothing in it can
//! hold them back. On Linux it reads only the data directory, Python and what programs of the system
//! need, writes only into the data directory, and traces and signals no others (Landlock); its memory is
//! limited everywhere where a process can be limited from outside.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use super::confined::Reach;
use super::settings::{Settings, StartError};
use super::wire::{self, Line};
use crate::error::reason;

/// Where programs of the system and their data lie; nothing there is secret. Of `/proc` only what is
/// about the machine and the child itself: the environment of the server is in there, too.
const SYSTEM: [&str; 29] = [
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
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/run/systemd/resolve",
    "/sys/devices/system/cpu",
    "/usr",
];

/// The process itself, whichever opens it; it is no fixed place.
const ITSELF: &str = "/proc/self";

/// Prints where an interpreter and what is installed for it lie, one place a line, without running any of
/// that (`-I -S`).
const OWN: &str = "import os, site, sys\n\
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path}\n\
    around = os.path.dirname(os.path.dirname(sys.executable))\n\
    if os.path.exists(os.path.join(around, 'pyvenv.cfg')): places.add(around)\n\
    places.update(site.getsitepackages([*places]))\n\
    for place in places: print(place)\n\
    print('user:' + site.getusersitepackages())";

/// What [`OWN`] writes before the place of packages that a user has installed for himself.
const OF_USER: &str = "user:";

/// Prints where it looks for code once all of that has been read.
const ALL: &str = "import sys\nfor place in {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path}: print(place)";

/// Links that are followed in one path, as the system does.
const MOST_LINKS: usize = 40;

/// The places that a confined child may use.
#[derive(Debug)]
pub(super) struct Places {
    interpreter: PathBuf,
    reach: Reach,
}

impl Places {
    /// Asks the interpreter for its own, and refuses those that documents could change or that hold a
    /// secret.
    pub(super) fn of(settings: &Settings) -> Result<Self, StartError> {
        let shown = settings.interpreter.display().to_string();
        let confinement = |why: String| StartError::Confinement(shown.clone(), why);
        let directory = settings.directory.canonicalize();
        let directory = directory.map_err(|error| confinement(reason(&error)))?;
        let interpreter = found(&settings.interpreter, &settings.environment);
        // Before it runs for the first time, without limits.
        let changeable = |place: &Path| StartError::Changeable(place.display().to_string());
        if passes(&interpreter, &directory) {
            return Err(changeable(&interpreter));
        }
        let mut asking = Command::new(&interpreter);
        asking.args(["-I", "-S", "-c", OWN]);
        let failed = |error| StartError::Interpreter(shown.clone(), reason(&error));
        let said = answer(asking, settings).map_err(failed)?;
        let own = places(&said);
        if let Some(place) = own.iter().find(|place| passes(place, &directory)) {
            return Err(changeable(place));
        }
        let of_user = said.lines().filter_map(|line| line.strip_prefix(OF_USER)).map(PathBuf::from);
        let of_user = of_user.filter(|place| !passes(place, &directory));
        let system = SYSTEM.iter().map(PathBuf::from);
        let all = own.into_iter().chain(of_user).chain(system).chain([interpreter.clone()]);
        let mut readable: Vec<PathBuf> =
            all.filter_map(|place| place.canonicalize().ok()).collect();
        exposed(&readable, &directory, settings)?;
        readable.push(PathBuf::from(ITSELF));
        let mut reach = Reach { readable, writable: Vec::new() };
        // What is installed runs its own code (`.pth`), and may name places inside the data directory,
        // which are out of reach now.
        let mut asking = reach.command(settings.launcher.as_os_str(), interpreter.as_os_str());
        asking.args(["-c", ALL]);
        let said = answer(asking, settings).map_err(|error| confinement(reason(&error)))?;
        if let Some(Line::Failed(why)) =
            said.lines().next().and_then(|line| wire::read(line.as_bytes()))
        {
            return Err(confinement(why));
        }
        let more = places(&said).into_iter().filter_map(|place| place.canonicalize().ok());
        reach.readable.extend(more);
        exposed(&reach.readable, &directory, settings)?;
        reach.writable.push(directory);
        Ok(Self { interpreter, reach })
    }

    /// The command that becomes the interpreter, limited to these places.
    pub(super) fn command(&self, settings: &Settings) -> Command {
        self.reach.command(settings.launcher.as_os_str(), self.interpreter.as_os_str())
    }
}

/// What a program prints in the child's environment.
fn answer(mut command: Command, settings: &Settings) -> std::io::Result<String> {
    command.env_clear().envs(settings.environment.iter().cloned()).current_dir("/");
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn places(lines: &str) -> Vec<PathBuf> {
    lines.lines().map(PathBuf::from).filter(|place| place.is_absolute()).collect()
}

/// Fails for the first secret file in these places.
fn exposed(readable: &[PathBuf], directory: &Path, settings: &Settings) -> Result<(), StartError> {
    let within = |file: &&PathBuf| {
        let real = file.canonicalize().ok();
        let mut all = readable.iter().map(PathBuf::as_path).chain([directory]);
        all.any(|place| real.as_ref().is_some_and(|file| file.starts_with(place)))
    };
    match settings.secret_files.iter().find(within) {
        Some(secret) => {
            let shown = settings.interpreter.display().to_string();
            Err(StartError::Secret(shown, secret.display().to_string()))
        }
        None => Ok(()),
    }
}

/// Where a program lies, which may be a name in `PATH`.
fn found(program: &Path, environment: &[(OsString, OsString)]) -> PathBuf {
    let path = environment.iter().find(|(name, _)| name == "PATH");
    let folders = path.filter(|_| program.components().count() == 1).map(|(_, path)| path);
    let mut places = folders.into_iter().flat_map(std::env::split_paths).map(|at| at.join(program));
    let place = places.find(|place| place.is_file()).unwrap_or_else(|| program.to_owned());
    std::path::absolute(&place).unwrap_or(place)
}

/// Whether something in a directory decides where a path leads: the path, or a link on the way, lies
/// inside. The directory has no links.
fn passes(path: &Path, directory: &Path) -> bool {
    let mut ahead: VecDeque<OsString> = parts(path).collect();
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(part) = ahead.pop_front() {
        let next = match part.as_os_str() {
            part if part == OsStr::new("..") => at.parent().unwrap_or(&at).to_owned(),
            part => at.join(part),
        };
        if next.starts_with(directory) {
            return true;
        }
        match next.read_link() {
            Ok(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return false;
                }
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                parts(&target).rev().for_each(|part| ahead.push_front(part));
            }
            Err(_) => at = next,
        }
    }
    false
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        _ => None,
    })
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn t69_a_path_is_changeable_where_any_part_of_its_way_lies_in_the_directory() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path().canonicalize().expect("a path");
        let data = root.join("data");
        std::fs::create_dir_all(data.join("bin")).expect("made");
        std::fs::create_dir_all(root.join("opt")).expect("made");
        std::fs::write(root.join("opt/python"), "").expect("written");
        let link = |target: &str, at: &str| symlink(target, root.join(at)).expect("a link");
        link("../../opt/python", "data/bin/python");
        link("../data/bin/python", "opt/through");
        link("../data/bin", "opt/bin");
        link("python", "opt/python3");
        link("loop", "opt/loop");
        for (path, expected) in [
            ("opt/python", false),
            ("opt/python3", false),
            ("opt/loop", false),
            ("data/../opt/python", true),
            ("data/bin/python", true),
            ("opt/through", true),
            ("opt/bin/python", true),
            ("data", true),
            ("data2/python", false),
        ] {
            assert_eq!(passes(&root.join(path), &data), expected, "{path}");
        }
    }
}
