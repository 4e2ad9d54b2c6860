//! The received message, as assertions and extractors see it.

use std::borrow::Cow;

use bytes::Bytes;

use super::connection::Received;
use crate::protocol::checked::{Checked, Unreadable};

/// The message that a step received, if any.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    data: Bytes,
    is_text: bool,
}

impl Reply {
    /// The message itself.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Takes a message.
    pub(super) fn set(&mut self, received: Received) {
        (self.data, self.is_text) = (received.data, received.is_text);
    }

    /// Gives the message back.
    pub(super) fn clear(&mut self) {
        self.data = Bytes::new();
    }
}

impl Checked for Reply {
    /// Bytes that are no text are replaced, as by the reference.
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        Ok(match self.is_text {
            true => Cow::Borrowed(&self.data),
            false => match String::from_utf8_lossy(&self.data) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
        })
    }
}
