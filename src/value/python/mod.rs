//! Python's rules for values, each in one place: how `str()` and `repr()` print one, how
//! `json.dumps` writes one, the error of `json.loads` for a text that is not JSON, and which values
//! `bool()` considers true. The rules come from Python's data model and the recorded replies of
//! LoadDensity 0.0.79; the tests contain Python's own results.

mod fault;
mod json;
mod repr;
mod truth;

pub use fault::{Extent, FaultText, json_fault, piece};
pub use json::{Charset, JsonOut, json_into, json_text_into};
pub use repr::{quote, quoted_into};
