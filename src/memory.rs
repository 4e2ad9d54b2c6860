//! The ceiling for the memory of the process (`--max-memory`), and the shares that what holds memory
//! takes of it: records, live figures, sources, bodies, documents, replies. A share that does not
//! fit is refused with its name and the figures; the holder then refuses or drops what it would have
//! kept. Shares count what is held, not what the allocator keeps, so the ceiling is not exact: its
//! default leaves half of the machine.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cold::cold_path;

/// The least ceiling, in bytes. A server at rest takes about 6 MB.
pub const LEAST: usize = 16 << 20;

/// Rows of requests that are kept in all by default: some 600 MB.
pub const RECORDS: usize = 20_000_000;

/// Rows that a test finds room for at its start: a chunk for each of eight workers.
const ROOM: usize = 65_536;

/// The least number of rows that a ceiling allows: twelve chunks. Workers beyond the twelfth have
/// histograms alone then.
pub const LEAST_RECORDS: usize = 100_000;

/// The ceiling where neither a control group nor the machine says how much memory there is.
const UNKNOWN: usize = 1 << 30;

/// The ceiling, and what is taken of it.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    taken: AtomicUsize,
    /// The ceiling for rows of requests, which counts rows.
    rows: Option<Arc<Memory>>,
}

/// Memory that does not fit under the ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what}: {} more do not fit, {} of {} are in use (--max-memory)",
    readable(*.wanted), readable(*.taken), readable(*.most)
)]
pub struct Full {
    /// What it is for.
    pub what: &'static str,
    /// Bytes that were asked for.
    pub wanted: usize,
    /// Bytes that are taken.
    pub taken: usize,
    /// The ceiling in bytes.
    pub most: usize,
}

impl Memory {
    /// A ceiling of so many bytes, and the default for rows of requests.
    pub fn new(most: usize) -> Arc<Self> {
        Self::with_records(most, RECORDS)
    }

    /// The default: half of the memory that the control group, or the machine, allows.
    pub fn of_machine() -> Arc<Self> {
        Self::new(half_of_machine())
    }

    /// A ceiling of so many bytes, and of so many rows of requests.
    pub fn with_records(most: usize, records: usize) -> Arc<Self> {
        let rows = Self { most: records, taken: AtomicUsize::new(0), rows: None };
        Arc::new(Self { most, taken: AtomicUsize::new(0), rows: Some(Arc::new(rows)) })
    }

    /// No ceiling, where nothing outside decides how much is held.
    pub fn unlimited() -> Arc<Self> {
        Self::with_records(usize::MAX, usize::MAX)
    }

    /// An empty share of the rows of requests; it counts rows instead of bytes.
    pub fn rows(&self) -> Option<Share> {
        self.rows.as_ref().map(|rows| rows.share("rows of requests"))
    }

    /// How many rows of requests have to give way so that a test in progress finds room for the next:
    /// an eighth is kept free for it, and a little of a small ceiling.
    pub fn excess_rows(&self) -> usize {
        let free = |most: usize| (most / 8).max(ROOM).min(most / 2);
        let of = |rows: &Arc<Self>| rows.taken().saturating_sub(rows.most - free(rows.most));
        self.rows.as_ref().map_or(0, of)
    }

    /// Whether more than half is taken: results that are kept give way to what is to come.
    pub fn is_scarce(&self) -> bool {
        self.taken() > self.most / 2
    }

    /// The ceiling in bytes.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Bytes that are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// An empty share; `what` names it in refusals.
    pub fn share(self: &Arc<Self>, what: &'static str) -> Share {
        Share { memory: Arc::clone(self), what, bytes: 0 }
    }

    /// An empty share for what is mostly small and changes often.
    pub fn held(self: &Arc<Self>, what: &'static str) -> Held {
        Held(Some(self.share(what)))
    }

    fn take(&self, what: &'static str, wanted: usize, most: usize) -> Result<(), Full> {
        let grown = |taken: usize| taken.checked_add(wanted).filter(|sum| *sum <= most);
        match self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown) {
            Ok(_) => Ok(()),
            Err(taken) => Err(Full { what, wanted, taken, most: self.most }),
        }
    }

    fn give(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes taken by one holder, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Arc<Memory>,
    what: &'static str,
    bytes: usize,
}

impl Share {
    /// Takes more bytes; on an error the share is as it was.
    pub fn grow(&mut self, more: usize) -> Result<(), Full> {
        self.memory.take(self.what, more, self.memory.most)?;
        self.bytes += more;
        Ok(())
    }

    /// Takes more bytes only if an eighth of the ceiling stays free: of what can do with less.
    pub fn grow_modestly(&mut self, more: usize) -> Result<(), Full> {
        let most = self.memory.most - self.memory.most / 8;
        self.memory.take(self.what, more, most)?;
        self.bytes += more;
        Ok(())
    }

    /// Takes or gives back until it holds `bytes`.
    pub fn set(&mut self, bytes: usize) -> Result<(), Full> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.grow(more),
            None => {
                self.memory.give(self.bytes - bytes);
                self.bytes = bytes;
                Ok(())
            }
        }
    }

    /// What is taken of its ceiling by all.
    pub fn taken(&self) -> usize {
        self.memory.taken()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.give(self.bytes);
    }
}

/// What one of many holds and changes often, such as a virtual user's buffers. It is counted only where
/// it is large, and in steps, so that most changes touch nothing that threads share. The default
/// counts nothing.
#[derive(Debug, Default)]
pub struct Held(Option<Share>);

impl Held {
    /// Holding less is not counted: 100,000 users then hold less than a gigabyte uncounted.
    pub const SMALL: usize = 8 << 10;

    /// The step in which holding more is counted.
    const STEP: usize = 4 << 10;

    /// Takes or gives back until it holds `bytes`; on an error it is as it was.
    #[inline]
    pub fn set(&mut self, bytes: usize) -> Result<(), Full> {
        let counted = match bytes {
            0..=Self::SMALL => 0,
            bytes => bytes.next_multiple_of(Self::STEP),
        };
        match &mut self.0 {
            Some(share) if share.bytes != counted => {
                cold_path();
                share.set(counted)
            }
            _ => Ok(()),
        }
    }

    /// Holds only a buffer that is no longer needed, and gives it back unless it is small.
    #[inline]
    pub fn settle(&mut self, buffer: &mut Vec<u8>) {
        if buffer.capacity() > Self::SMALL {
            *buffer = Vec::new();
        }
        // Less always fits.
        let _ = self.set(buffer.capacity());
    }
}

/// Half of what the control group or the machine has, in bytes.
pub fn half_of_machine() -> usize {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = group_limits(&groups, Path::new("/sys/fs/cgroup"), |path| {
        fs::read_to_string(path).ok()?.trim().parse().ok()
    });
    let all = limits.chain(physical()).min();
    all.map_or(UNKNOWN, |bytes| usize::try_from(bytes / 2).unwrap_or(usize::MAX)).max(LEAST)
}

/// The limits of the control groups in the lines of `/proc/self/cgroup`, and of those above them.
/// Version 2 has `memory.max`, version 1 `memory.limit_in_bytes` below its controller's directory; a
/// group without a limit has the text `max` or a huge number.
fn group_limits<'a>(
    groups: &'a str,
    root: &'a Path,
    read: impl Fn(&Path) -> Option<u64> + Copy + 'a,
) -> impl Iterator<Item = u64> + 'a {
    groups.lines().flat_map(move |line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next().unwrap_or("-"), parts.next().unwrap_or_default());
        let (below, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let own = below.join(group.trim_start_matches('/'));
        let levels = own.ancestors().take_while(|level| level.starts_with(&below));
        levels.filter_map(|level| read(&level.join(file))).collect()
    })
}

/// The memory of the machine in bytes.
#[cfg(target_os = "linux")]
pub fn physical() -> Option<u64> {
    let system = rustix::system::sysinfo();
    let units = usize::try_from(system.totalram).ok()?;
    let bytes = units.checked_mul(usize::try_from(system.mem_unit).ok()?)?;
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

/// The memory of the machine in bytes.
#[cfg(not(target_os = "linux"))]
pub fn physical() -> Option<u64> {
    None
}

/// The memory that this process takes for itself, in bytes, where the system says: not the program's
/// own text, which is a file. It includes what the allocator keeps of what was freed.
pub fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    resident_in(&status)
}

fn resident_in(status: &str) -> Option<usize> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Bytes for people: `34.2 MiB`.
pub fn readable(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let tenths = (bytes as f64 / unit as f64 * 10.0).round() / 10.0;
    format!("{tenths} {name}")
}

/// Parses a size: bytes, or a number with `KiB`, `MiB` or `GiB` (also `K`, `M`, `G`).
pub fn parse(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err("expected a size such as 256MiB or 2GiB".to_owned()),
    };
    let number: usize =
        digits.trim().parse().map_err(|_| "expected a size such as 256MiB or 2GiB".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "it is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn shares_fit_under_the_ceiling_and_return_what_they_took() {
        let memory = Memory::new(100);
        let (mut a, mut b) = (memory.share("a"), memory.share("b"));
        a.grow(60).expect("room");
        let full = b.grow(41).expect_err("full");
        assert_eq!(full, Full { what: "b", wanted: 41, taken: 60, most: 100 });
        b.grow(40).expect("room");
        a.set(10).expect("less always fits");
        assert_eq!((memory.taken(), a.bytes(), b.bytes()), (50, 10, 40));
        assert!(b.set(91).is_err() && b.bytes() == 40);
        drop((a, b));
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn what_is_held_is_counted_in_steps_where_it_is_large() {
        let memory = Memory::new(64 << 10);
        let mut held = memory.held("buffers");
        for (bytes, counted) in
            [(0, 0), (8 << 10, 0), ((8 << 10) + 1, 12 << 10), (12 << 10, 12 << 10), (1, 0)]
        {
            held.set(bytes).expect("room");
            assert_eq!(memory.taken(), counted, "{bytes}");
        }
        held.set(60 << 10).expect("room");
        held.set(65 << 10).expect_err("full");
        assert_eq!(memory.taken(), 60 << 10);
        Held::default().set(usize::MAX >> 1).expect("not counted");
    }

    #[test]
    fn a_refusal_says_what_does_not_fit_the_figures_and_the_option() {
        let full = Full { what: "users.csv", wanted: 3 << 20, taken: 1536 << 10, most: 1 << 30 };
        let text = "users.csv: 3 MiB more do not fit, 1.5 MiB of 1 GiB are in use (--max-memory)";
        assert_eq!(full.to_string(), text);
    }

    #[test]
    fn the_smallest_limit_of_a_control_group_and_those_above_it_counts() {
        let files = HashMap::from([
            ("/g/memory.max", 900),
            ("/g/a/memory.max", 500),
            ("/g/a/b/memory.max", 700),
            ("/g/memory/x/memory.limit_in_bytes", 300),
        ]);
        let least = |groups: &str| {
            let read = |path: &Path| files.get(path.to_str()?).copied();
            group_limits(groups, Path::new("/g"), read).min()
        };
        assert_eq!(least("0::/a/b\n"), Some(500));
        assert_eq!(least("0::/\n"), Some(900));
        assert_eq!(least("5:cpu:/x\n4:memory,hugetlb:/x\n0::/none\n"), Some(300));
        assert_eq!(least("1:name=systemd:/\n"), None);
    }

    #[test]
    fn the_memory_of_the_process_is_read_from_its_status() {
        let status = "Name:\tldctl\nVmRSS:\t    9000 kB\nRssAnon:\t    2048 kB\nRssFile:\t 1 kB\n";
        assert_eq!(resident_in(status), Some(2 << 20));
        assert_eq!(resident_in("Name:\tldctl\n"), None);
        assert_eq!(resident().is_some(), cfg!(target_os = "linux"));
    }

    #[test]
    fn sizes_are_parsed_with_and_without_a_unit() {
        for (text, bytes) in
            [("4096", 4096), ("64k", 65_536), ("256MiB", 256 << 20), ("2 GiB", 2 << 30)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5GiB", "-1", "1TiBs", "99999999999GiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
