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

/// How often an error occurred, and when requests with it ended, from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// When the first of them ended.
    pub first: Duration,
    /// When the last of them ended.
    pub last: Duration,
}

impl Times {
    pub(super) fn once(at: Duration) -> Self {
        Self { count: 1, first: at, last: at }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// The longest URL, name or method of a label, in bytes: a target may decide what is in a URL, and
/// reports repeat it for every request.
pub const MAX_LABEL_BYTES: usize = 2048;

/// Ends a text that was cut.
const CUT: &str = "…";

/// The name of requests whose own name is one too many for the run.
pub const OTHER_NAMES: &str = "other names (more than 5000, or 1 MiB of them)";

/// Their method and URL.
pub(super) const OTHER_METHODS: &str = "*";

/// The URL of requests whose own is one too many.
pub(super) const OTHER_URLS: &str = "*";

/// The text of errors that are too many.
pub(super) const OTHER_ERRORS: &str = "other errors (more than 10000 different texts in this run)";

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
    /// What a request is reported under: its name, or its URL without one.
    pub fn shown(&self) -> &str {
        if self.name.is_empty() { &self.url } else { &self.name }
    }

    /// This label without secrets.
    pub(super) fn redacted(self) -> Self {
        let Self { method, url, name } = self;
        let keep = |text: Arc<str>, redact: fn(&str) -> Cow<'_, str>| {
            let whole = text.len() <= 4 * MAX_LABEL_BYTES;
            let kept = if whole { redact(&text) } else { redact::cut(&text, MAX_LABEL_BYTES + 1) };
            match kept {
                Cow::Borrowed(kept) if kept.len() == text.len() => text,
                kept => kept.into(),
            }
        };
        Self {
            method: keep(method, redact::text),
            url: keep(url, redact::url),
            name: keep(name, redact::url),
        }
    }

    /// A URL, name or method as a label has it: cut at [`MAX_LABEL_BYTES`].
    pub fn cut(text: &str) -> Cow<'_, str> {
        if text.len() <= MAX_LABEL_BYTES {
            return Cow::Borrowed(text);
        }
        let end = text.floor_char_boundary(MAX_LABEL_BYTES - CUT.len());
        Cow::Owned([text.get(..end).unwrap_or_default(), CUT].concat())
    }

    /// With each text cut.
    pub(super) fn shortened(self) -> Self {
        let short = |text: Arc<str>| match Self::cut(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(cut) => cut.into(),
        };
        let Self { method, url, name } = self;
        Self { method: short(method), url: short(url), name: short(name) }
    }

    /// Requests whose name is one too many.
    pub(super) fn others() -> Self {
        Self { method: OTHER_METHODS.into(), url: OTHER_URLS.into(), name: OTHER_NAMES.into() }
    }

    /// Bytes of its texts; other labels may share some of them.
    pub(super) fn text_bytes(&self) -> usize {
        self.method.len() + self.url.len() + self.name.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t35_the_texts_of_a_label_are_cut_at_two_kibibytes_between_characters() {
        for text in ["", "short", &"x".repeat(MAX_LABEL_BYTES), &"ż".repeat(MAX_LABEL_BYTES / 2)] {
            assert_eq!(Label::cut(text), text);
        }
        for text in ["x".repeat(200_000), "ż".repeat(1025), format!("x{}", "\u{1f600}".repeat(999))]
        {
            let cut = Label::cut(&text);
            assert!((2040..=MAX_LABEL_BYTES).contains(&cut.len()), "{}", cut.len());
            let kept = cut.strip_suffix(CUT).expect("a mark at the end");
            assert!(text.starts_with(kept));
            assert_eq!(Label::cut(&cut), cut);
        }
    }
}
