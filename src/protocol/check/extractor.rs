//! Extractors: what is taken from a response into variables.

use super::path::Path;
use crate::load::misses::Kind as Miss;
use crate::load::template::{Compiler, Draft, Linker, Scope, Slot, Space, Template};
use crate::protocol::checked::{Body, Checked, lacks};
use crate::redact;
use crate::value::field::alternatives;
use crate::value::{Field, Invalid, Kind, Literal, Reader, Value};

const SOURCES: [&str; 3] = ["json_path", "header", "status_code"];

pub(super) const EXTRACTOR: &[Field] = &[
    Field::required("var", Kind::Name, "The variable's name.")
        .note(
            "The value belongs to the virtual user that got it, until it gets another; it is \
         not seen by other users or later tests.",
        )
        .example("\"token\""),
    Field::optional("from", Kind::OneOf(&SOURCES), "What to extract.")
        .or(Literal::Text("json_path")),
    Field::optional(
        "scope",
        Kind::OneOf(&["var", "session"]),
        "Whether it sets ${var.NAME} or ${session.NAME}.",
    )
    .or(Literal::Text("var")),
    Field::optional("path", Kind::Text, "For json_path: the path in the body.")
        .note("Keys and list indices, joined by dots, or as JSONPath: `$.items[0].id`.")
        .example("\"data.token\"")
        .when("from", "json_path"),
    Field::optional("name", Kind::Text, "For header: its name.").when("from", "header"),
];

/// A value extracted from a response.
#[derive(Debug)]
pub(super) struct Extractor<T> {
    pub(super) from: ExtractFrom<T>,
    pub(super) slot: Slot,
    /// Variable and place as the document has them, for the count of those that found nothing.
    described: Box<str>,
}

#[derive(Debug)]
pub(super) enum ExtractFrom<T> {
    Json(Path<T>),
    Header(T),
    Status,
}

impl Extractor<Draft> {
    pub(super) fn parse<R: Checked>(
        field: &Reader<'_>,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        let mut fields = field.fields(EXTRACTOR)?;
        let name = fields.required("var")?;
        if name.text()?.is_empty() {
            return Err(name.expected("a variable's name"));
        }
        let space = match fields.present("scope") {
            None => Space::Var,
            Some(scope) => match scope.text()? {
                "var" => Space::Var,
                "session" => Space::Session,
                _ => return Err(scope.choice(&["var", "session"])),
            },
        };
        let from = match fields.present("from") {
            None => ExtractFrom::Json(Path::parse(&fields.required("path")?, compiler)?),
            Some(from) => match from.text()?.to_ascii_lowercase().as_str() {
                "json_path" => ExtractFrom::Json(Path::parse(&fields.required("path")?, compiler)?),
                "header" if R::HAS_HEADERS => {
                    ExtractFrom::Header(compiler.template(fields.required("name")?.text()?))
                }
                "status_code" if R::HAS_STATUS => ExtractFrom::Status,
                known @ ("status_code" | "header") => return Err(lacks(&from, known)),
                unknown => {
                    let known = alternatives(unknown, &SOURCES);
                    return Err(from.invalid(format!("unknown extractor {unknown:?}{known}")));
                }
            },
        };
        let slot = compiler.slot(space, name.text()?);
        let nothing = match &from {
            ExtractFrom::Json(path) => format!("nothing at {}", path.written.written()),
            ExtractFrom::Header(name) => format!("no header {}", name.written()),
            ExtractFrom::Status => "no status".to_owned(),
        };
        let described = format!("{}: {nothing}", name.text()?).into();
        fields.finish()?;
        Ok(Self { from, slot, described })
    }

    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<Extractor<Template>, Invalid> {
        let from = match self.from {
            ExtractFrom::Json(path) => ExtractFrom::Json(path.link(linker)?),
            ExtractFrom::Header(name) => ExtractFrom::Header(name.link(linker)?),
            ExtractFrom::Status => ExtractFrom::Status,
        };
        Ok(Extractor { from, slot: self.slot, described: self.described })
    }
}

impl Extractor<Template> {
    /// The variable's name.
    fn variable(&self) -> &str {
        self.described.split(": ").next().unwrap_or_default()
    }

    /// What it takes from a response, in words.
    pub(super) fn explain<R: Checked>(&self, body: &Body<'_, R>, scope: &mut Scope) -> String {
        let found = match &self.from {
            ExtractFrom::Status => Ok(body.response.status().map(|status| status.to_string())),
            _ => self.find(body, scope),
        };
        let name = self.variable();
        match found {
            Ok(Some(_)) if redact::names_secret(name) => format!("{name} = {}", redact::REDACTED),
            Ok(Some(value)) => format!("{name} = {value:?}"),
            Ok(None) => self.described.to_string(),
            Err(why) => format!("{name}: {why}"),
        }
    }

    /// What it finds in the body or the headers.
    fn find<R: Checked>(
        &self,
        body: &Body<'_, R>,
        scope: &mut Scope,
    ) -> Result<Option<String>, String> {
        Ok(match &self.from {
            ExtractFrom::Json(path) => match path.find(body, scope)? {
                None | Some(Value::Null) => None,
                Some(Value::Str(value)) => Some(value),
                Some(value) => Some(value.to_text()),
            },
            ExtractFrom::Header(name) => body.response.header(&name.text(scope)),
            ExtractFrom::Status => None,
        })
    }

    pub(super) fn take<R: Checked>(
        &self,
        body: &Body<'_, R>,
        scope: &mut Scope,
    ) -> Result<(), String> {
        let set = match &self.from {
            ExtractFrom::Status => {
                let status = body.response.status().unwrap_or(0);
                Some(scope.set(self.slot, itoa::Buffer::new().format(status)))
            }
            _ => self.find(body, scope)?.map(|value| scope.set(self.slot, &value)),
        };
        match set {
            Some(set) => set.map_err(|why| format!("extract {}: {why}", self.variable()))?,
            None => scope.miss(Miss::Extraction, &self.described),
        }
        Ok(())
    }
}
