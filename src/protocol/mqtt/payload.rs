//! What a message says: text as it is, bytes, or JSON.

use bytes::Bytes;

use super::fault::Fault;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::protocol::hex;
use crate::protocol::placed::Placed;
use crate::protocol::step::check_message;
use crate::value::{Invalid, Object, Reader, Value};

/// A parsed payload.
#[derive(Debug)]
pub(super) struct PayloadDraft {
    text: Placed<Draft>,
    binary: bool,
}

impl PayloadDraft {
    /// Takes `payload` and `binary`.
    pub(super) fn parse(fields: &mut Object<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        let binary = fields.or_default("binary", |field| field.boolean())?;
        let text = match fields.present("payload") {
            None => Placed::nowhere(Draft::default()),
            Some(field) => {
                let text = match field.value() {
                    Value::Dict(_) | Value::List(_) => compiler.json(field.value()),
                    value => compiler.template(&value.to_text()),
                };
                Placed::at(&field, text)
            }
        };
        check_message(&text, binary)?;
        Ok(Self { text, binary })
    }

    /// Links it.
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<Payload, Invalid> {
        let text = self.text.link(linker)?;
        check_message(&text, self.binary)?;
        Ok(match text.value.as_literal() {
            None => Payload::Varying(text.value, self.binary),
            Some(constant) => {
                let bytes = constant.as_bytes();
                Payload::Fixed(match self.binary {
                    false => Bytes::copy_from_slice(bytes),
                    true => {
                        let bytes = hex::decode(bytes).map_err(|why| text.refusal(why))?;
                        Bytes::from(bytes.into_owned())
                    }
                })
            }
        })
    }
}

/// What a message says, ready to be filled in.
#[derive(Debug)]
pub(super) enum Payload {
    /// The same every time; users share it.
    Fixed(Bytes),
    /// With placeholders, and whether it may be bytes.
    Varying(Template, bool),
}

impl Payload {
    /// The bytes of this execution, for which there is a buffer.
    pub(super) fn fill<'a>(
        &'a self,
        scope: &mut Scope,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Fault> {
        match self {
            Self::Fixed(bytes) => Ok(bytes),
            Self::Varying(text, binary) => {
                buffer.clear();
                text.fill(scope, buffer);
                if *binary {
                    let decoded = hex::decode(buffer);
                    let decoded =
                        decoded.map_err(|why| Fault::Task(format!("invalid bytes: {why}")))?;
                    let decoded = decoded.into_owned();
                    *buffer = decoded;
                }
                Ok(buffer)
            }
        }
    }
}

/// The quality of service that a field names.
pub(super) fn qos(field: &Reader<'_>) -> Result<u8, Invalid> {
    let number = match (field.integer(0), field.value()) {
        (Ok(number), _) => u8::try_from(number).ok(),
        (Err(_), Value::Str(text)) => text.trim().parse().ok(),
        (Err(_), _) => None,
    };
    // The words of the reference's client.
    number.filter(|qos| *qos <= 2).ok_or_else(|| field.invalid("Invalid QoS level."))
}
