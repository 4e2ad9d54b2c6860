//! Rate limiting of failed authentications per source: the first few are free, replies to further
//! ones are delayed, and after many the source is refused for minutes, even with the right token.
//! This machine itself is only delayed, never refused, so that an operator cannot be locked out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::limits::Limits;

/// Remembered sources; beyond them all new ones share one entry, so that memory stays bounded.
const MOST_SOURCES: usize = 4096;

/// The address of the shared entry. No client has it.
const STRANGERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The additional delay per failed authentication.
const STEP: Duration = Duration::from_millis(50);

/// The longest delay. Below a second, a usual timeout of scripts.
const LONGEST: Duration = Duration::from_millis(500);

/// Failed authentications per source.
#[derive(Debug, Default)]
pub(super) struct FailedLogins {
    sources: Mutex<HashMap<IpAddr, PeerRecord>>,
}

#[derive(Debug, Clone, Copy)]
struct PeerRecord {
    wrong: u32,
    last: Instant,
}

/// The decision about a request with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Accept it.
    Admitted,
    /// Refuse it after a delay.
    Refused(Duration),
}

impl FailedLogins {
    /// Decides about a request from an address, with a right or wrong token.
    pub(super) fn judge(&self, from: IpAddr, right: bool, limits: &Limits) -> Decision {
        let now = Instant::now();
        let from = source(from);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |source: &PeerRecord| now - source.last < limits.failed_login_memory;
        let wrong = |sources: &HashMap<IpAddr, PeerRecord>, from| {
            sources.get(from).filter(|source| fresh(source)).map_or(0, |source| source.wrong)
        };
        let locked = wrong(&sources, &from) >= limits.max_failed_logins && !from.is_loopback();
        if right && !locked {
            return Decision::Admitted;
        }
        let mut key = from;
        if !sources.contains_key(&key) && sources.len() >= MOST_SOURCES {
            sources.retain(|_, source| fresh(source));
            if sources.len() >= MOST_SOURCES {
                key = STRANGERS;
            }
        }
        let wrong = wrong(&sources, &key).saturating_add(1);
        // Attempts during a lockout do not count, so that it ends.
        if !locked {
            sources.insert(key, PeerRecord { wrong, last: now });
        }
        Decision::Refused((STEP * wrong.saturating_sub(limits.free_failed_logins)).min(LONGEST))
    }

    /// The delay of the refusal, if this address is refused whatever token it sends.
    pub(super) fn locked_out(&self, from: IpAddr, limits: &Limits) -> Option<Duration> {
        match self.judge(from, true, limits) {
            Decision::Admitted => None,
            Decision::Refused(delay) => Some(delay),
        }
    }
}

/// The source of an address, for whatever is counted per source: for IPv6 its /64 network, because a host owns at least that much.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { free_failed_logins: 3, max_failed_logins: 8, ..Limits::default() }
    }

    fn after(failed_logins: &FailedLogins, from: &str, wrong: u32) -> Decision {
        let from = from.parse().expect("an address");
        let mut verdict = Decision::Admitted;
        for _ in 0..wrong {
            verdict = failed_logins.judge(from, false, &limits());
        }
        verdict
    }

    fn right(failed_logins: &FailedLogins, from: &str) -> Decision {
        failed_logins.judge(from.parse().expect("an address"), true, &limits())
    }

    #[tokio::test(start_paused = true)]
    async fn t11_a_burst_is_free_then_replies_are_delayed() {
        let failed_logins = FailedLogins::default();
        assert_eq!(after(&failed_logins, "192.0.2.1", 3), Decision::Refused(Duration::ZERO));
        assert_eq!(
            after(&failed_logins, "192.0.2.1", 2),
            Decision::Refused(Duration::from_millis(100))
        );
        assert_eq!(right(&failed_logins, "192.0.2.1"), Decision::Admitted);
    }

    #[tokio::test(start_paused = true)]
    async fn t11_after_many_failures_a_source_is_refused_for_minutes() {
        let failed_logins = FailedLogins::default();
        after(&failed_logins, "192.0.2.1", 8);
        assert!(matches!(right(&failed_logins, "192.0.2.1"), Decision::Refused(_)));
        assert_eq!(right(&failed_logins, "192.0.2.2"), Decision::Admitted);
        tokio::time::advance(Duration::from_secs(301)).await;
        assert_eq!(right(&failed_logins, "192.0.2.1"), Decision::Admitted);
    }

    #[tokio::test(start_paused = true)]
    async fn t11_a_right_token_from_this_machine_is_never_refused() {
        let failed_logins = FailedLogins::default();
        for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            after(&failed_logins, loopback, 1000);
            assert_eq!(right(&failed_logins, loopback), Decision::Admitted);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn t11_an_ipv6_network_counts_as_one_source() {
        let failed_logins = FailedLogins::default();
        after(&failed_logins, "2001:db8::1", 8);
        assert!(matches!(right(&failed_logins, "2001:db8::2"), Decision::Refused(_)));
        assert_eq!(right(&failed_logins, "2001:db8:0:1::1"), Decision::Admitted);
    }

    #[tokio::test(start_paused = true)]
    async fn t11_memory_is_bounded_however_many_sources_guess() {
        let failed_logins = FailedLogins::default();
        for network in 0..2 * MOST_SOURCES as u32 {
            let from = IpAddr::from((0x0a00_0000 + network).to_be_bytes());
            failed_logins.judge(from, false, &limits());
        }
        assert!(failed_logins.sources.lock().expect("no panic").len() <= MOST_SOURCES + 1);
    }
}
