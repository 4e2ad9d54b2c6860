//! What a message that was read takes in memory, in bytes: about, and not less by much.

use std::collections::BTreeMap;

use super::{Detail, Entry, ErrorEntry, FromWorker, Group, Stats};

/// What an entry of a map takes beside its key and value.
const NODE: usize = 16;

impl FromWorker {
    /// Bytes of the whole.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Stats(stats) => stats.size(),
                Self::SpawningComplete(counts) => classes(&counts.user_classes_count),
                Self::Heartbeat(beat) => beat.state.capacity(),
                Self::Exception(text) | Self::Other(text) => text.capacity(),
                Self::ClientReady(_) | Self::Spawning | Self::ClientStopped | Self::Quit => 0,
            }
    }
}

impl Stats {
    fn size(&self) -> usize {
        let Self { stats, stats_total, errors, user_classes_count, user_count: _, ldctl } = self;
        let of_error = |(key, error): (&String, &ErrorEntry)| {
            let ErrorEntry { name, method, error, .. } = error;
            let texts = key.capacity() + name.capacity() + method.capacity() + error.capacity();
            size_of::<(String, ErrorEntry)>() + NODE + texts
        };
        size_of::<Self>()
            + unused(stats)
            + stats.iter().chain([stats_total]).map(Entry::size).sum::<usize>()
            + errors.iter().map(of_error).sum::<usize>()
            + classes(user_classes_count)
            + ldctl.as_ref().map_or(0, Detail::size)
    }
}

impl Entry {
    fn size(&self) -> usize {
        let seconds = self.num_reqs_per_sec.len() + self.num_fail_per_sec.len();
        size_of::<Self>()
            + self.name.capacity()
            + self.method.capacity()
            + self.response_times.0.capacity() * size_of::<(f64, u64)>()
            + seconds * (size_of::<(i64, u64)>() + NODE)
    }
}

impl Detail {
    fn size(&self) -> usize {
        unused(&self.groups) + self.groups.iter().map(Group::size).sum::<usize>()
    }
}

impl Group {
    fn size(&self) -> usize {
        let Self { method, name, url, error, times, .. } = self;
        let error = error.as_ref().map_or(0, String::capacity);
        let texts = method.capacity() + name.capacity() + url.capacity() + error;
        size_of::<Self>() + texts + times.capacity() * size_of::<(u64, u64)>()
    }
}

/// The room of a list that has no element.
fn unused<T>(list: &Vec<T>) -> usize {
    (list.capacity() - list.len()) * size_of::<T>()
}

fn classes(classes: &BTreeMap<String, u64>) -> usize {
    classes.keys().map(|name| size_of::<(String, u64)>() + NODE + name.capacity()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::{Buckets, UserCounts, from_worker, read_worker};
    use super::*;

    #[test]
    fn t71_a_message_that_unfolds_counts_as_what_it_becomes() {
        let check = |message: FromWorker, least: usize, most: usize| {
            let bytes = from_worker(message, "a_1").expect("written");
            let size = read_worker(&bytes).expect("read").message.size();
            assert!((least..=most).contains(&size), "{size} of {} bytes", bytes.len());
        };
        check(FromWorker::Spawning, 1, 200);
        let of = |stats: Stats| FromWorker::Stats(Box::new(stats));
        let stats = vec![Entry::default(); 1000];
        let least = 1000 * size_of::<Entry>();
        check(of(Stats { stats, ..Stats::default() }), least, 2 * least);
        let groups = vec![Group { times: vec![(1, 1); 1000], ..Group::default() }; 10];
        let detail = Some(Detail { span: 1, groups });
        check(of(Stats { ldctl: detail, ..Stats::default() }), 160_000, 400_000);
        let response_times = Buckets(vec![(1.0, 1); 1000]);
        let num_reqs_per_sec = (0..1000).map(|second| (second, 1)).collect();
        let entry = Entry { response_times, num_reqs_per_sec, ..Entry::default() };
        check(of(Stats { stats_total: entry, ..Stats::default() }), 48_000, 160_000);
        let errors = (0..1000).map(|key| (key.to_string(), ErrorEntry::default())).collect();
        check(of(Stats { errors, ..Stats::default() }), 100_000, 300_000);
        let user_classes_count = (0..1000).map(|class| (class.to_string(), 1)).collect();
        let counts = UserCounts { user_classes_count, user_count: 1000 };
        check(FromWorker::SpawningComplete(counts), 40_000, 80_000);
    }
}
