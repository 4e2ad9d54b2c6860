//! The packets of MQTT 3.1.1 and 5 as a client uses them (OASIS, mqtt-v3.1.1 and mqtt-v5.0; sections
//! are those of version 5 where both have one).
//!
//! It is our own because the codecs on offer do not keep what a load generator promises about bad
//! peers: that of rumqttc (five crates, a whole client) takes a whole packet of version 5 whose list of
//! properties is cut off for an incomplete one, and waits; it reads properties beyond their end, refuses
//! DISCONNECT without a reason, and hides the numbers of reason codes. Others panic where a packet
//! cannot be written, or bring seven crates. All of them copy every topic.

mod properties;
pub mod reason;
mod received;
mod sent;
mod wire;

pub use self::properties::Properties;
pub use self::received::{Ack, AckKind, Codes, ConnAck, Packet, Publish, parse};
pub use self::sent::{
    Connect, DISCONNECT, Message, PINGREQ, ack, again, subscribe_into, unsubscribe_into,
};
pub use self::wire::{MAX_STRING, Malformed, TooLong, Version};
