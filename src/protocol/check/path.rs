//! The path of an assertion or extractor into the JSON of a response.

use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::memory::readable;
use crate::protocol::checked::{Body, Checked};
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
    /// Its number among the paths that several checks of a task look for.
    common: Option<usize>,
}

impl Path<Draft> {
    pub(super) fn parse(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        Ok(Self { written: compiler.template(field.text()?), parsed: None, common: None })
    }

    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<Path<Template>, Invalid> {
        let written = self.written.link(linker)?;
        let parsed = written.as_literal().map(JsonPath::new);
        Ok(Path { written, parsed, common: None })
    }
}

impl Path<Template> {
    /// Returns the value at the path, if there is one; the error says why the body cannot be searched,
    /// or that the value is too large.
    pub(super) fn find<R: Checked>(
        &self,
        body: &Body<'_, R>,
        scope: &mut Scope,
    ) -> Result<Option<Value>, String> {
        if let Some(found) = self.common.and_then(|number| body.found(number)) {
            return Ok(found);
        }
        let text = body.json()?;
        let found = match &self.parsed {
            Some(path) => path.find_within(text, MAX_VALUE),
            None => JsonPath::new(&self.written.text(scope)).find_within(text, MAX_VALUE),
        };
        let found = found.map_err(|weight| {
            let (path, weight, most) =
                (self.written.written(), readable(weight), readable(MAX_VALUE));
            format!("the value at {path} would take {weight} of memory, the limit is {most}")
        })?;
        if let Some(number) = self.common {
            body.keep_found(number, &found);
        }
        Ok(found)
    }
}

/// Numbers the paths that occur more than once, so that a body is searched once for each.
pub(super) fn number<'a>(paths: impl Iterator<Item = &'a mut Path<Template>>) {
    let mut paths: Vec<_> = paths.filter(|path| path.parsed.is_some()).collect();
    let mut numbers = 0..;
    while let Some(first) = paths.pop() {
        let mut number = None;
        for path in paths.iter_mut().filter(|path| path.parsed == first.parsed) {
            if path.common.is_none() {
                number = number.or_else(|| numbers.next());
                path.common = number;
            }
        }
        first.common = first.common.or(number);
    }
}
