//! What outlives a connection, for a client that asks for that with `"clean": false` (section 4.1): a
//! message whose acknowledgement is missing is sent again, with its identifier (section 4.4); a message
//! with QoS 2 that the broker sends again is not received twice; and messages that no step has received
//! stay. If the broker says that it has no session, everything is forgotten.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::address::Address;
use super::codec::{AckKind, Publish, Version, ack, again};
use super::message::{Inbox, Message};
use crate::memory::Held;

/// How a connection begins.
pub(super) struct Opening {
    pub(super) version: Version,
    /// CONNECT, with the password.
    pub(super) packet: Vec<u8>,
    /// Whether its session begins anew, and ends with it.
    pub(super) clean: bool,
    /// Seconds.
    pub(super) keep_alive: u16,
    /// The name of the client.
    pub(super) client_id: String,
}

/// Shown without the password.
impl fmt::Debug for Opening {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Opening").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The state of a session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) inbox: Inbox,
    /// Messages with QoS 2 that the broker may send again.
    unreleased: BTreeSet<u16>,
    last_id: u16,
    sending: Option<Sending>,
}

/// A message of a step that the broker has not acknowledged to the end.
#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) id: u16,
    pub(super) qos: u8,
    /// Whether the broker has it, and is told to release it.
    pub(super) released: bool,
    /// PUBLISH, once the connection has been left.
    pub(super) packet: Bytes,
}

impl Session {
    /// A packet identifier that no other packet has.
    pub(super) fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    /// Begins to send a message that is acknowledged.
    pub(super) fn send(&mut self, id: u16, qos: u8) {
        self.sending = Some(Sending { id, qos, released: false, packet: Bytes::new() });
    }

    /// The broker has the message: from now on only its release is sent again.
    pub(super) fn release(&mut self) {
        if let Some(sending) = &mut self.sending {
            (sending.released, sending.packet) = (true, Bytes::new());
        }
    }

    /// The broker has acknowledged the message to the end.
    pub(super) fn sent(&mut self) {
        self.sending = None;
    }

    /// The message that is to be sent again.
    pub(super) fn sending(&self) -> Option<&Sending> {
        self.sending.as_ref()
    }

    /// Keeps a message and queues what acknowledges it; `false` if it is known (section 4.3.3).
    pub(super) fn receive(&mut self, message: &Publish<'_>, queued: &mut Vec<u8>) -> bool {
        let mut is_new = true;
        if let Some(id) = message.id {
            let kind = if message.qos == 1 { AckKind::PubAck } else { AckKind::PubRec };
            is_new = message.qos == 1 || self.unreleased.insert(id);
            queued.extend_from_slice(&ack(kind, id));
        }
        if is_new {
            self.inbox.add(Message::new(message.topic, message.payload));
        }
        is_new
    }

    /// The broker does not send this message again; queues what acknowledges that.
    pub(super) fn released(&mut self, id: u16, queued: &mut Vec<u8>) {
        self.unreleased.remove(&id);
        queued.extend_from_slice(&ack(AckKind::PubComp, id));
    }

    /// What it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let packet = self.sending.as_ref().map_or(0, |sending| sending.packet.len());
        // A number of a set takes up to eight bytes.
        self.inbox.size() + 8 * self.unreleased.len() + packet
    }
}

/// The session of a client that has left its connection.
#[derive(Debug)]
pub(super) struct Kept {
    address: Arc<Address>,
    opening: Rc<Opening>,
    session: Session,
    /// Counts it.
    _held: Held,
}

impl Kept {
    /// Keeps a session whose last step sent this packet, unless its client begins a new one each time.
    pub(super) fn of(
        address: &Arc<Address>,
        opening: &Rc<Opening>,
        mut session: Session,
        packet: &mut Vec<u8>,
        mut held: Held,
    ) -> Option<Self> {
        if opening.clean {
            return None;
        }
        if let Some(sending) = &mut session.sending
            && !sending.released
            && sending.packet.is_empty()
        {
            sending.packet = again(std::mem::take(packet)).into();
        }
        if held.set(session.size()).is_err() {
            // There is no room for the message. Its identifier is not used again before long.
            session.sending = None;
        }
        Some(Self {
            address: Arc::clone(address),
            opening: Rc::clone(opening),
            session,
            _held: held,
        })
    }

    /// The session, if it is that of this client at this broker.
    pub(super) fn resumed(self, address: &Address, opening: &Opening) -> Option<Session> {
        let is_same = *self.address == *address
            && self.opening.client_id == opening.client_id
            && self.opening.version == opening.version;
        (is_same && !opening.clean).then_some(self.session)
    }
}
