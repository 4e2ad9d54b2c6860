//! A value and its place in the document: what is parsed before a test starts may turn out to be
//! wrong when it starts, and the refusal still names the place.

use crate::load::template::{Draft, Linker, Template};
use crate::value::{Invalid, Reader};

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: String,
}

impl<T> Placed<T> {
    /// The value of a field.
    pub(crate) fn at(field: &Reader<'_>, value: T) -> Self {
        Self { value, place: field.pointer() }
    }

    /// A value that the document does not contain.
    pub(crate) fn nowhere(value: T) -> Self {
        Self { value, place: String::new() }
    }

    /// Returns a refusal of the value.
    pub(crate) fn refusal(&self, message: impl Into<String>) -> Invalid {
        Invalid { pointer: self.place.clone(), message: message.into() }
    }
}

impl Placed<Draft> {
    /// Links the text.
    pub(crate) fn link(self, linker: &mut Linker<'_>) -> Result<Placed<Template>, Invalid> {
        Ok(Placed { value: self.value.link(linker)?, place: self.place })
    }
}
