//! What this process uses of the machine, as workers report it.

use std::time::{Duration, Instant};

use crate::memory;

/// How much of the machine's processors this process uses, between two looks.
#[derive(Debug)]
pub(super) struct Usage {
    last: (Instant, Duration),
    cores: f64,
}

impl Usage {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        Self { last: (Instant::now(), cpu_time()), cores }
    }

    /// Percent of all cores since the last call: masters warn above 90, whatever the number of cores.
    pub(super) fn percent(&mut self) -> f64 {
        let now = (Instant::now(), cpu_time());
        let passed = now.0.duration_since(self.last.0).as_secs_f64();
        let used = now.1.saturating_sub(self.last.1).as_secs_f64();
        self.last = now;
        if passed <= 0.0 { 0.0 } else { (used / passed / self.cores * 100.0).clamp(0.0, 100.0) }
    }
}

/// Bytes that this process takes; 0 where the system does not say.
pub(super) fn memory() -> u64 {
    memory::resident().unwrap_or_default() as u64
}

/// The time that the processors have spent on this process; 0 where the system does not say.
fn cpu_time() -> Duration {
    #[cfg(unix)]
    {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::try_from(spent).unwrap_or_default()
    }
    #[cfg(not(unix))]
    Duration::ZERO
}

/// The name of this machine, without the mark that ends it in the names of workers.
pub(super) fn host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    let name: String = name.chars().filter(char::is_ascii_graphic).take(100).collect();
    match name.replace('_', "-") {
        name if name.is_empty() => "ldctl".to_owned(),
        name => name,
    }
}
