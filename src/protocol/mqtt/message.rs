//! Messages that a broker sends: kept until a step waits for them, and seen by its checks.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::topic::matches;
use crate::protocol::checked::{Checked, Unreadable};

/// How many messages a user keeps for later steps, and their size in bytes.
const KEPT: (usize, usize) = (1000, 1 << 20);

/// Why messages are dropped.
pub(super) const BOUND: &str = "a user keeps 1000, or 1 MiB, until a step receives them";

/// As many messages have room also while there are none.
const SMALL: usize = 16;

/// What a message takes beside its bytes.
const OWN: usize = size_of::<Message>();

/// A message. Its topic and its payload are one piece of memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    bytes: Vec<u8>,
    /// The length of its topic.
    topic: usize,
}

impl Message {
    pub(super) fn new(topic: &str, payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(topic.len() + payload.len());
        bytes.extend_from_slice(topic.as_bytes());
        bytes.extend_from_slice(payload);
        Self { bytes, topic: topic.len() }
    }

    pub(super) fn topic(&self) -> &str {
        let topic = self.bytes.get(..self.topic).unwrap_or_default();
        std::str::from_utf8(topic).unwrap_or_default()
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(self.topic..).unwrap_or_default()
    }

    fn size(&self) -> usize {
        OWN + self.bytes.len()
    }
}

impl Checked for Message {
    /// Bytes that are no text are replaced, as by the other users.
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        Ok(match String::from_utf8_lossy(self.payload()) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }
}

/// The messages that no step has received yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    kept: VecDeque<Message>,
    size: usize,
    /// How many were dropped since a step was told so.
    missed: u64,
}

impl Inbox {
    /// Their size in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether the next one would push out another.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= KEPT.0 || self.size >= KEPT.1
    }

    /// Adds a message. The oldest ones make room for it.
    pub(super) fn add(&mut self, message: Message) {
        while self.is_full() {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.size -= oldest.size();
            self.missed += 1;
        }
        self.size += message.size();
        self.kept.push_back(message);
    }

    /// How many were dropped; they are forgotten.
    pub(super) fn missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    /// Takes the oldest message, of a filter's topics if there is one.
    pub(super) fn take(&mut self, filter: Option<&str>) -> Option<Message> {
        let wanted =
            |message: &Message| filter.is_none_or(|filter| matches(filter, message.topic()));
        let at = self.kept.iter().position(wanted)?;
        let message = self.kept.remove(at)?;
        self.size -= message.size();
        if self.kept.is_empty() && self.kept.capacity() > SMALL {
            self.kept = VecDeque::new();
        }
        Some(message)
    }

    /// Whether the newest message is of a filter's topics.
    pub(super) fn ends_with(&self, filter: Option<&str>) -> bool {
        let newest = self.kept.back();
        newest.is_some_and(|message| filter.is_none_or(|filter| matches(filter, message.topic())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_by_topic_and_the_oldest_make_room() {
        let mut inbox = Inbox::default();
        for number in 0..KEPT.0 + 3 {
            inbox.add(Message::new(if number % 2 == 0 { "even" } else { "odd" }, b"x"));
        }
        assert_eq!((inbox.missed(), inbox.missed()), (3, 0));
        assert_eq!(inbox.take(None).map(|message| message.topic().to_owned()), Some("odd".into()));
        let evens = std::iter::from_fn(|| inbox.take(Some("even"))).count();
        let rest = std::iter::from_fn(|| inbox.take(None)).count();
        assert_eq!((evens, rest, inbox.size()), (500, 499, 0));
        inbox.add(Message::new("a", &vec![0; KEPT.1]));
        assert!(inbox.is_full());
        inbox.add(Message::new("b", b"x"));
        assert_eq!((inbox.missed(), inbox.ends_with(Some("b"))), (1, true));
        assert_eq!(inbox.take(Some("a")).map(|_| ()), None);
    }
}
