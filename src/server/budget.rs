//! The memory of incomplete requests, over all connections. When it is exhausted, a request gives
//! way: the oldest of the source that holds most, and only if no source holds any, the oldest whose
//! first bytes have shown the token. So strangers who never finish their requests take memory from
//! each other, and neither from smaller sources nor from clients with the token.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::failed_logins::source;
use crate::lock::lock;

/// Memory per connection outside the budget, in bytes: small requests pass even when the budget is
/// exhausted.
pub(super) const FREE: usize = 4096;

/// The holders that give way to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Group {
    /// A source of requests that have not shown a token.
    Source(IpAddr),
    /// All that have.
    Known,
}

impl Group {
    fn of(peer: IpAddr, known: bool) -> Self {
        if known { Self::Known } else { Self::Source(source(peer)) }
    }
}

/// The budget.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    held: usize,
    /// What requests hold that have given way, until their connections have freed it.
    leaving: HashMap<u64, usize>,
    leaving_bytes: usize,
    /// The number of the next holder: a lower one is older.
    next: u64,
    groups: HashMap<Group, Holders>,
    /// The sources by what they hold.
    sizes: BTreeSet<(usize, IpAddr)>,
}

/// The requests of one group, oldest first.
#[derive(Debug, Default)]
struct Holders {
    bytes: usize,
    requests: BTreeMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    bytes: usize,
    evicted: Arc<Notify>,
}

/// One connection's share of the budget; it holds nothing while its request is small.
#[derive(Debug, Default)]
pub(super) struct BudgetShare(Option<Box<Held>>);

#[derive(Debug)]
struct Held {
    number: u64,
    group: Group,
    evicted: Arc<Notify>,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ledger: Mutex::default() }
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        lock(&self.ledger).held
    }
}

impl BudgetShare {
    /// Whether its request has shown the token.
    pub(super) fn is_known(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.group == Group::Known)
    }

    /// Grows to the bytes held beyond [`FREE`], if others give way or there is room; false if this
    /// request must give way itself. `known` says, the first time, whether it has shown a token.
    pub(super) fn grow(
        &mut self,
        held: usize,
        peer: IpAddr,
        known: impl FnOnce() -> bool,
        budget: &Budget,
    ) -> bool {
        // Buffers that grow leave gaps in the heap, about a quarter.
        let bytes = held.saturating_sub(FREE) / 4 * 5;
        if bytes == 0 {
            return true;
        }
        if self.0.is_none() {
            let group = Group::of(peer, known());
            let mut ledger = lock(&budget.ledger);
            let (number, evicted) = (ledger.next, Arc::new(Notify::new()));
            ledger.next += 1;
            let holder = Holder { bytes: 0, evicted: Arc::clone(&evicted) };
            ledger.groups.entry(group).or_default().requests.insert(number, holder);
            self.0 = Some(Box::new(Held { number, group, evicted }));
        }
        let Some(share) = &self.0 else { return false };
        let mut ledger = lock(&budget.ledger);
        ledger.set(share.group, share.number, bytes) && ledger.shrink(budget.most, share)
    }

    /// Waits until the request has given way to another.
    pub(super) async fn evicted(&self) {
        match &self.0 {
            Some(held) => held.evicted.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Returns all bytes to the budget.
    pub(super) fn release(&mut self, budget: &Budget) {
        if let Some(share) = self.0.take() {
            let mut ledger = lock(&budget.ledger);
            if ledger.remove(share.group, share.number).is_none() {
                let freed = ledger.leaving.remove(&share.number).unwrap_or_default();
                ledger.leaving_bytes -= freed;
            }
        }
    }
}

impl Ledger {
    /// Records what a request holds; false if it has given way already.
    fn set(&mut self, group: Group, number: u64, bytes: usize) -> bool {
        let Some(holders) = self.groups.get_mut(&group) else { return false };
        let Some(holder) = holders.requests.get_mut(&number) else { return false };
        let before = holders.bytes;
        holders.bytes = before - holder.bytes + bytes;
        self.held = self.held - holder.bytes + bytes;
        holder.bytes = bytes;
        let after = holders.bytes;
        self.resize(group, before, after);
        true
    }

    /// Makes requests give way until the rest fits; false if the newest must.
    fn shrink(&mut self, most: usize, newest: &Held) -> bool {
        while self.held > most {
            let group = match self.sizes.last() {
                Some((_, source)) => Group::Source(*source),
                None => Group::Known,
            };
            let oldest = self.groups.get(&group).and_then(|it| it.requests.keys().next().copied());
            let Some(number) = oldest else { return false };
            let Some(holder) = self.remove(group, number) else { return false };
            self.leaving.insert(number, holder.bytes);
            self.leaving_bytes += holder.bytes;
            if number == newest.number {
                return false;
            }
            holder.evicted.notify_one();
        }
        // Faster than memory is freed, strangers take none.
        let crowded = self.held + self.leaving_bytes > most + most / 16;
        newest.group == Group::Known || !crowded
    }

    fn remove(&mut self, group: Group, number: u64) -> Option<Holder> {
        let holders = self.groups.get_mut(&group)?;
        let holder = holders.requests.remove(&number)?;
        let before = holders.bytes;
        holders.bytes -= holder.bytes;
        self.held -= holder.bytes;
        let (after, is_empty) = (holders.bytes, holders.requests.is_empty());
        if is_empty {
            self.groups.remove(&group);
        }
        self.resize(group, before, after);
        Some(holder)
    }

    fn resize(&mut self, group: Group, before: usize, after: usize) {
        if let Group::Source(source) = group {
            self.sizes.remove(&(before, source));
            if after > 0 {
                self.sizes.insert((after, source));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: &str = "192.0.2.1";

    fn take(budget: &Budget, from: &str, bytes: usize, known: bool) -> (BudgetShare, bool) {
        let mut share = BudgetShare::default();
        let fits =
            share.grow(FREE + bytes / 5 * 4, from.parse().expect("an address"), || known, budget);
        (share, fits)
    }

    /// Whether the request has given way.
    fn gave_way(share: &BudgetShare) -> bool {
        let waiting = std::pin::pin!(share.evicted());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::future::Future::poll(waiting, &mut context).is_ready()
    }

    #[test]
    fn t30_small_requests_pass_an_exhausted_budget_and_released_bytes_return_to_it() {
        let budget = Budget::new(10_000);
        let (mut large, fits) = take(&budget, STRANGER, 9_000, true);
        assert!(fits);
        let (refused, fits) = take(&budget, STRANGER, 2_000, false);
        assert!(!fits && !gave_way(&large) && !gave_way(&refused), "a stranger displaces nobody");
        assert!(take(&budget, STRANGER, 0, false).1);
        large.release(&budget);
        assert!(take(&budget, STRANGER, 2_000, false).1);
    }

    #[test]
    fn t30_the_oldest_request_of_the_source_that_holds_most_gives_way() {
        let budget = Budget::new(10_000);
        let (small, _) = take(&budget, "192.0.2.9", 3_000, false);
        let (first, _) = take(&budget, STRANGER, 2_000, false);
        let (second, _) = take(&budget, STRANGER, 2_000, false);
        let (mut other, fits) = take(&budget, "192.0.2.5", 3_500, false);
        assert!(fits && gave_way(&first) && !gave_way(&second) && !gave_way(&small));
        assert_eq!(budget.held(), 8_500);
        // What holds most itself gives way itself.
        assert!(!other.grow(FREE + 4_800, [192, 0, 2, 5].into(), || false, &budget));
        assert_eq!(budget.held(), 5_000);
    }

    #[test]
    fn t30_an_ipv6_network_counts_as_one_source() {
        let budget = Budget::new(10_000);
        let (one, _) = take(&budget, "2001:db8::1", 3_000, false);
        let (two, _) = take(&budget, "2001:db8::2", 3_000, false);
        let (single, _) = take(&budget, "2001:db8:0:1::1", 4_000, false);
        let (_newest, fits) = take(&budget, "2001:db8:0:2::1", 500, false);
        assert!(fits && gave_way(&one) && !gave_way(&two) && !gave_way(&single));
    }

    #[test]
    fn t30_strangers_give_way_to_requests_that_have_shown_the_token_and_never_the_reverse() {
        let budget = Budget::new(10_000);
        let strangers: Vec<_> = (1..=10)
            .map(|host| take(&budget, &format!("192.0.2.{host}"), 1_000, false).0)
            .collect();
        let known: Vec<_> = (0..5).map(|_| take(&budget, STRANGER, 2_000, true)).collect();
        assert!(known.iter().all(|(share, fits)| *fits && !gave_way(share)));
        assert!(strangers.iter().all(gave_way));
        assert!(!take(&budget, STRANGER, 100, false).1);
        let (_newest, fits) = take(&budget, STRANGER, 2_000, true);
        let gone: Vec<_> = known.iter().map(|(share, _)| gave_way(share)).collect();
        assert!(fits);
        assert_eq!(gone, [true, false, false, false, false], "the oldest");
    }

    #[test]
    fn nothing_is_left_behind_when_all_shares_are_released() {
        let budget = Budget::new(10_000);
        let mut shares: Vec<_> = (0..50_u32)
            .map(|n| take(&budget, &format!("192.0.2.{}", n % 7), 700, n % 3 == 0).0)
            .collect();
        shares.iter_mut().for_each(|share| share.release(&budget));
        let ledger = lock(&budget.ledger);
        assert!(
            ledger.held == 0
                && ledger.leaving_bytes == 0
                && ledger.groups.is_empty()
                && ledger.sizes.is_empty()
        );
    }
}
