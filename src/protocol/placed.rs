//! A value and its place in the document: what is read before a test starts may turn out to be wrong
//! when it does, and is then refused as if it had been read only now.

use crate::load::template::{Draft, Linker, Template};
use crate::value::{Invalid, Reader};

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: String,
}

impl<T> Placed<T> {
    /// What was made of a field.
    pub(crate) fn at(field: &Reader<'_>, value: T) -> Self {
        Self { value, place: field.pointer().to_owned() }
    }

    /// What the document does not say.
    pub(crate) fn nowhere(value: T) -> Self {
        Self { value, place: String::new() }
    }

    /// A refusal of it.
    pub(crate) fn refusal(&self, message: impl Into<String>) -> Invalid {
        Invalid { pointer: self.place.clone(), message: message.into() }
    }
}

impl Placed<Draft> {
    /// The text that runs.
    pub(crate) fn link(self, linker: &mut Linker<'_>) -> Result<Placed<Template>, Invalid> {
        Ok(Placed { value: self.value.link(linker)?, place: self.place })
    }
}
