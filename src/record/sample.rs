//! One request: as the driver records it, its label, and as it is read back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::redact;

/// Times are kept in ticks of this many nanoseconds: finer than any load test can distinguish, and
/// coarse enough that seven minutes fit in 32 bits.
pub const TICK_NANOS: u64 = 100;

/// The index of a label in its recorder's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LabelId(pub(super) u32);

/// The index of an error in its recorder's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorId(pub(super) u32);

/// The status of requests in protocols whose responses have none.
pub const NO_STATUS: u16 = u16::MAX;

/// One request, as the driver measured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its method, URL and name.
    pub label: LabelId,
    /// When it was sent, from the start of the run.
    pub start: Duration,
    /// How late it was sent compared with the schedule of an open model; zero in a closed one.
    pub delay: Duration,
    /// From sending to the last byte of the response.
    pub service: Duration,
    /// The protocol's status; 0 without a response, [`NO_STATUS`] where responses have none.
    pub status: u16,
    /// Bytes of the response's body.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<ErrorId>,
}

/// What a request is reported under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// `GET`, `POST`, …
    pub method: Arc<str>,
    /// The URL; as written in the document where its placeholders produce too many different ones.
    pub url: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Label {
    /// This label without secrets.
    pub(super) fn redacted(self) -> Self {
        let Self { method, url, name } = self;
        let keep = |text: Arc<str>, redact: fn(&str) -> Cow<'_, str>| match redact(&text) {
            Cow::Owned(changed) => changed.into(),
            Cow::Borrowed(_) => text,
        };
        Self {
            method: keep(method, redact::text),
            url: keep(url, redact::url),
            name: keep(name, redact::url),
        }
    }
}

/// One request, read back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Its method, URL and name.
    pub label: &'a Label,
    /// When it was sent, in seconds since the Unix epoch.
    pub start_time: f64,
    /// From sending to the last byte, in milliseconds.
    pub service_ms: f64,
    /// From the intended start to the last byte; the same as `service_ms` in a closed model.
    pub response_ms: f64,
    /// The protocol's status, where its responses have one; 0 without a response.
    pub status: Option<u16>,
    /// Bytes of the response's body.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// The response's body, if the run keeps those of failures.
    pub body: Option<&'a str>,
}

impl Row<'_> {
    /// Whether it failed.
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }
}
