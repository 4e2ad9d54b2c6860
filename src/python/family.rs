//! The processes of the children: what they take in memory together, and what they leave behind.
//!
//! A process of a child can leave its group (`setsid`) and outlive it. Where children are confined, the
//! system hands such processes to this one once their parents have ended, and they are ended with the
//! child. Confinement also marks them (`no_new_privs`, which is inherited and never lost), so that
//! processes which others have left to this one are not taken for them.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child as Process, Command, ExitStatus};
use std::sync::Mutex;

use crate::lock::lock;

/// The children that run, and what is left of those that do not.
#[derive(Debug)]
pub(super) struct Family {
    /// Whether this process gets what they leave behind.
    adopts: bool,
    /// Processes that it had before; a program that runs before `exec` may have started them.
    others: BTreeSet<u32>,
    /// The children, until they are reaped.
    living: Mutex<BTreeSet<u32>>,
}

impl Family {
    pub(super) fn new(confined: bool) -> Self {
        let adopts = confined && system::adopt();
        let others = system::children(std::process::id()).into_iter().collect();
        Self { adopts, others, living: Mutex::default() }
    }

    /// Starts a child.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Process> {
        let mut living = lock(&self.living);
        let process = command.spawn()?;
        living.insert(process.id());
        Ok(process)
    }

    /// Waits for the end of a child.
    pub(super) fn bury(&self, process: &mut Process) -> Option<ExitStatus> {
        // Its number can be another child's as soon as it is reaped.
        let mut living = lock(&self.living);
        let status = process.wait().ok();
        living.remove(&process.id());
        status
    }

    /// Ends what children have left behind.
    pub(super) fn end_orphans(&self) {
        if self.adopts {
            system::end_all(|| self.orphans());
        }
    }

    /// Asks what a child and its processes take in memory, in bytes; exactly only beyond `most`, which
    /// takes longer.
    pub(super) fn memory(&self, child: u32, most: usize) -> usize {
        let mut processes = self.orphans();
        processes.push(child);
        system::memory(processes, most)
    }

    fn orphans(&self) -> Vec<u32> {
        if !self.adopts {
            return Vec::new();
        }
        let living = lock(&self.living);
        let is_orphan = |process: &u32| !living.contains(process) && !self.others.contains(process);
        let children = system::children(std::process::id()).into_iter().filter(is_orphan);
        children.filter(|process| system::is_marked(*process)).collect()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::path::Path;
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::process::{
        Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_child_subreaper, waitid,
    };

    /// How long processes may take to end once they are killed.
    const LAST_BREATH: Duration = Duration::from_millis(500);

    /// Processes that are looked at for what they take.
    const MOST_PROCESSES: usize = 10_000;

    /// Whether this process now gets what its children leave behind.
    pub(super) fn adopt() -> bool {
        set_child_subreaper(Some(getpid())).is_ok()
    }

    /// The children of a process, also those that have ended and are not reaped.
    pub(super) fn children(process: u32) -> Vec<u32> {
        let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        let lists =
            threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists.flat_map(|list| numbers(&list)).collect()
    }

    fn numbers(text: &str) -> Vec<u32> {
        text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
    }

    /// Whether a process can gain no rights.
    pub(super) fn is_marked(process: u32) -> bool {
        let status = fs::read_to_string(format!("/proc/{process}/status"));
        status.is_ok_and(|text| text.lines().any(|line| line == "NoNewPrivs:\t1"))
    }

    /// Ends all of these, and what they leave behind in turn.
    pub(super) fn end_all(left: impl Fn() -> Vec<u32>) {
        let until = Instant::now() + LAST_BREATH;
        loop {
            let left = left();
            if left.is_empty() || Instant::now() >= until {
                return;
            }
            for process in left {
                let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) else {
                    continue;
                };
                let _ = kill_process(process, Signal::KILL);
                let reaped = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                let _ = waitid(WaitId::Pid(process), reaped);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What these and all that they have started take.
    pub(super) fn memory(mut processes: Vec<u32>, most: usize) -> usize {
        let mut next = 0;
        while let Some(process) = processes.get(next).filter(|_| next < MOST_PROCESSES) {
            let more = children(*process);
            processes.extend(more);
            next += 1;
        }
        let sum = |of: &dyn Fn(u32) -> usize| {
            processes.iter().fold(0_usize, |sum, process| sum.saturating_add(of(*process)))
        };
        let taken = sum(&resident);
        // Pages that several processes share are in the figure of each.
        if taken > most {
            sum(&|process| proportional(process).unwrap_or_else(|| resident(process)))
        } else {
            taken
        }
    }

    /// Pages that are of no file, in memory and swapped out, in bytes.
    fn resident(process: u32) -> usize {
        let names = ["RssAnon:", "RssShmem:", "VmSwap:"];
        figures(format!("/proc/{process}/status").as_ref(), &names).unwrap_or_default()
    }

    /// The same, where a page that several processes share is divided among them.
    fn proportional(process: u32) -> Option<usize> {
        let names = ["Pss_Anon:", "Pss_Shmem:", "SwapPss:"];
        figures(format!("/proc/{process}/smaps_rollup").as_ref(), &names)
    }

    /// The sum of these figures of a file, which are in KiB.
    fn figures(file: &Path, names: &[&str]) -> Option<usize> {
        let text = fs::read_to_string(file).ok()?;
        let of = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            let is_named = words.next().is_some_and(|name| names.contains(&name));
            words.next().filter(|_| is_named)?.parse::<usize>().ok()
        };
        let found: Vec<usize> = text.lines().filter_map(of).collect();
        (!found.is_empty()).then(|| found.iter().sum::<usize>().saturating_mul(1 << 10))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn adopt() -> bool {
        false
    }

    pub(super) fn children(_: u32) -> Vec<u32> {
        Vec::new()
    }

    pub(super) fn is_marked(_: u32) -> bool {
        false
    }

    pub(super) fn end_all(_: impl Fn() -> Vec<u32>) {}

    pub(super) fn memory(_: Vec<u32>, _: usize) -> usize {
        0
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    use super::*;

    /// Takes 40 MiB, shares them with three processes, and has one of these take 20 MiB more.
    const SHARING: &str = "
import mmap, os, sys
def take(size):
    taken = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, size, 4096): taken[page] = 1
    return taken
held = take(40 << 20)
ready, said = os.pipe()
for number in range(3):
    if os.fork() == 0:
        more = take(20 << 20) if number == 0 else None
        os.write(said, b'x')
        sys.stdin.read()
        os._exit(0)
taken = b''
while len(taken) < 3: taken += os.read(ready, 3)
print('ready', flush=True)
sys.stdin.read()
";

    #[test]
    fn t65_memory_that_processes_share_counts_once_and_that_of_each_counts() {
        let family = Family::new(false);
        let mut command = Command::new("python3");
        command.args(["-c", SHARING]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = family.spawn(&mut command).expect("a Python");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        // Each of the four has some MiB of its own besides.
        let mib = |most: usize| family.memory(process.id(), most) >> 20;
        assert!((60..110).contains(&mib(0)), "{}", mib(0));
        assert!(mib(1 << 40) >= 180, "{}", mib(1 << 40));
        drop(process.stdin.take());
        assert!(family.bury(&mut process).expect("a status").success());
    }
}
