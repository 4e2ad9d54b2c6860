//! What requests look like, for people who look for a mistake: the first connection to each host, the
//! first failure of each kind, and the first requests. A test that nobody looks at has none, and its
//! requests cost a look at an `Option`.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::escape::one_line;
use crate::lock::lock;
use crate::record::{Label, NO_STATUS};
use crate::redact;

/// Requests that have a line of their own.
const MOST_REQUESTS: u64 = 100;

/// Kinds of failure, and hosts, that have one.
const MOST_KINDS: usize = 50;

/// How much of a response body is shown, in bytes.
const BODY: usize = 200;

/// How much of an error is shown, in bytes.
const ERROR: usize = 500;

/// What is shown of a test. All its users share one.
#[derive(Debug)]
pub struct Trace {
    /// Whether requests are shown, and not only failures.
    requests: bool,
    count: AtomicU64,
    /// Whether no further kind of failure, and no further host, has a line: what is looked at without
    /// the lock, which all workers share.
    has_failures: AtomicBool,
    has_hosts: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Lines that nobody has taken yet.
    lines: Vec<String>,
    failures: HashSet<String>,
    hosts: HashSet<String>,
}

/// A request that has ended.
pub(super) struct Ended<'a> {
    pub(super) label: &'a Label,
    pub(super) status: u16,
    pub(super) took: Duration,
    pub(super) bytes: u64,
    pub(super) error: Option<&'a str>,
    pub(super) body: &'a [u8],
}

impl Trace {
    /// What is shown with so much detail: nothing for 0, also the first requests for 2.
    pub fn new(detail: u8) -> Option<Arc<Self>> {
        (detail > 0).then(|| {
            Arc::new(Self {
                requests: detail > 1,
                count: AtomicU64::new(0),
                has_failures: AtomicBool::new(false),
                has_hosts: AtomicBool::new(false),
                inner: Mutex::default(),
            })
        })
    }

    /// A connection was made.
    pub fn connection(&self, host: &str, describe: impl FnOnce() -> String) {
        if self.has_hosts.load(Ordering::Relaxed) {
            return;
        }
        let mut inner = lock(&self.inner);
        if inner.hosts.contains(host) {
            return;
        }
        inner.hosts.insert(host.to_owned());
        inner.lines.push(format!("first connection to {host}: {}", describe()));
        self.has_hosts.store(inner.hosts.len() >= MOST_KINDS, Ordering::Relaxed);
    }

    /// A request has ended.
    #[cold]
    pub(super) fn request(&self, ended: &Ended<'_>) {
        if let Some(error) = ended.error {
            self.failure(ended, error);
        }
        if self.requests && self.count.fetch_add(1, Ordering::Relaxed) < MOST_REQUESTS {
            let Ended { label, bytes, error, .. } = ended;
            let error = error.map(|error| format!(": {}", shown(error, ERROR)));
            lock(&self.inner).lines.push(format!(
                "{} {} {}, {bytes} bytes{}",
                label.method,
                one_line(&label.url),
                outcome(ended),
                error.unwrap_or_default()
            ));
        }
    }

    fn failure(&self, ended: &Ended<'_>, error: &str) {
        if self.has_failures.load(Ordering::Relaxed) {
            return;
        }
        let mut inner = lock(&self.inner);
        let kind = error.get(..error.floor_char_boundary(ERROR)).unwrap_or_default();
        if inner.failures.contains(kind) || inner.failures.len() >= MOST_KINDS {
            return;
        }
        inner.failures.insert(kind.to_owned());
        self.has_failures.store(inner.failures.len() >= MOST_KINDS, Ordering::Relaxed);
        let Ended { label, body, .. } = ended;
        let body = match shown(&String::from_utf8_lossy(body), BODY) {
            body if body.is_empty() => body,
            body => format!("; the response begins {body}"),
        };
        inner.lines.push(format!(
            "first failure: {} {} {}: {}{body}",
            label.method,
            one_line(&label.url),
            outcome(ended),
            shown(error, ERROR)
        ));
    }

    /// Takes the lines since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.inner).lines)
    }

    /// How many requests had no line.
    pub fn rest(&self) -> Option<String> {
        let rest = self.count.load(Ordering::Relaxed).saturating_sub(MOST_REQUESTS);
        (rest > 0).then(|| format!("{rest} further requests are not shown"))
    }
}

fn outcome(ended: &Ended<'_>) -> String {
    let status = match ended.status {
        0 => "had no response, ended".to_owned(),
        NO_STATUS => "ended".to_owned(),
        status => status.to_string(),
    };
    format!("{status} after {:.1} ms", ended.took.as_secs_f64() * 1000.0)
}

/// The beginning of a text, on one line and without secrets.
fn shown(text: &str, most: usize) -> String {
    one_line(&redact::cut(text, most)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(trace: &Trace, status: u16, error: Option<&str>, body: &str) {
        let label = Label { method: "GET".into(), url: "http://h/a".into(), name: "a".into() };
        let (took, body) = (Duration::from_micros(1500), body.as_bytes());
        trace.request(&Ended { label: &label, status, took, bytes: 7, error, body });
    }

    #[test]
    fn the_first_failure_of_each_kind_is_shown_with_the_beginning_of_its_response() {
        let trace = Trace::new(1).expect("a trace");
        end(&trace, 200, None, "");
        end(&trace, 500, Some("500"), "{\"password\": \"s3cret\",\n \"x\": 1}");
        end(&trace, 500, Some("500"), "another");
        end(&trace, 0, Some("connection refused"), "");
        let lines = trace.take();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].starts_with(
                "first failure: GET http://h/a 500 after 1.5 ms: 500; the response begins {"
            ),
            "{}",
            lines[0]
        );
        assert!(!lines[0].contains("s3cret") && !lines[0].contains('\n'), "{}", lines[0]);
        assert_eq!(
            lines[1],
            "first failure: GET http://h/a had no response, ended after 1.5 ms: connection refused"
        );
        assert_eq!((trace.take().len(), trace.rest()), (0, None));
    }

    #[test]
    fn the_first_requests_have_lines_and_the_others_are_counted() {
        let trace = Trace::new(2).expect("a trace");
        (0..MOST_REQUESTS + 3).for_each(|_| end(&trace, 200, None, "x"));
        let lines = trace.take();
        assert_eq!(lines.len() as u64, MOST_REQUESTS);
        assert_eq!(lines[0], "GET http://h/a 200 after 1.5 ms, 7 bytes");
        assert_eq!(trace.rest().as_deref(), Some("3 further requests are not shown"));
    }

    #[test]
    fn kinds_and_hosts_are_bounded() {
        let trace = Trace::new(1).expect("a trace");
        for number in 0..1000 {
            end(&trace, 500, Some(&format!("error {number}")), "");
            trace.connection(&format!("host-{number}"), || "an address".to_owned());
        }
        trace.connection("host-0", || "an address".to_owned());
        // From here on nothing takes the lock.
        let held = lock(&trace.inner);
        end(&trace, 500, Some("one more"), "");
        trace.connection("one more", || "an address".to_owned());
        drop(held);
        assert_eq!(trace.take().len(), 2 * MOST_KINDS);
        assert!(Trace::new(0).is_none());
    }
}
