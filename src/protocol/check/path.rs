//! The path of an assertion or extractor into the JSON of a response.

use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::protocol::json_path::JsonPath;
use crate::value::{Invalid, Reader, Value};

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
    pub(super) fn find(&self, text: &[u8], scope: &mut Scope) -> Option<Value> {
        match &self.parsed {
            Some(path) => path.find(text),
            None => JsonPath::new(&self.written.text(scope)).find(text),
        }
    }
}
