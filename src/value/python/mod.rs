//! Python's rules for values, each in one place: how `str()` and `repr()` print one, how
//! `json.dumps` writes one, what `json.loads` says of a text that is none, and which ones `bool()` takes for true. Source of the rules: Python's
//! data model and the recorded replies of LoadDensity 0.0.79. The tests hold Python's own answers.

mod fault;
mod json;
mod repr;
mod truth;

pub use fault::json_fault;
pub use json::{Charset, JsonOut, json_into, json_text_into};
pub use repr::{quote, quoted_into};
