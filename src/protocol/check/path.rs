//! The path of an assertion or extractor into the JSON of a response.

use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::memory::readable;
use crate::protocol::json_path::JsonPath;
use crate::value::{Invalid, Reader, Value};

/// What a value found in a response may take in memory, in bytes: it exists for a moment, one in each
/// worker.
const MAX_VALUE: usize = 16 << 20;

/// A path into a JSON text; parsed only once unless it has placeholders.
#[derive(Debug)]
pub(super) struct Path<T> {
    pub(super) written: T,
    parsed: Option<JsonPath>,
}

impl Path<Draft> {
    pub(super) fn parse(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        Ok(Self { written: compiler.template(field.text()?), parsed: None })
    }

    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<Path<Template>, Invalid> {
        let written = self.written.link(linker)?;
        let parsed = written.as_literal().map(JsonPath::new);
        Ok(Path { written, parsed })
    }
}

impl Path<Template> {
    /// Returns the value at the path, if there is one; the error says that it is too large.
    pub(super) fn find(&self, text: &[u8], scope: &mut Scope) -> Result<Option<Value>, String> {
        let found = match &self.parsed {
            Some(path) => path.find_within(text, MAX_VALUE),
            None => JsonPath::new(&self.written.text(scope)).find_within(text, MAX_VALUE),
        };
        found.map_err(|weight| {
            let (path, weight, most) =
                (self.written.written(), readable(weight), readable(MAX_VALUE));
            format!("the value at {path} would take {weight} of memory, the limit is {most}")
        })
    }
}
