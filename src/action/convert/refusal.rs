//! Why a text cannot be converted.

use crate::value::Invalid;

/// Why a text cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotConverted(pub(super) String);

impl From<Invalid> for NotConverted {
    fn from(invalid: Invalid) -> Self {
        Self(invalid.to_string())
    }
}
