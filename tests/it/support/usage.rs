//! What a process uses, read from `/proc`: the honest place to see what an attack costs a server,
//! and room for the crowds that attack it.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a process has open.
pub(crate) fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).expect("a process").count()
}

/// Memory that a process holds, in KiB.
pub(crate) fn resident(process: u32) -> u64 {
    of_status(process, "VmRSS:")
}

/// The most memory that a process has ever held, in KiB.
pub(crate) fn high_water(process: u32) -> u64 {
    of_status(process, "VmHWM:")
}

fn of_status(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with(name)).expect(name);
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
}

/// Lets this process, and those that it starts from here on, have as many descriptors as it may:
/// often the limit is 1,024, and a crowd is about as many.
pub(crate) fn room_for_a_crowd() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("a limit up to the hard one");
}
