//! Assertions: what a response must contain. The failure texts are the reference's.

use super::path::Path;
use crate::load::predicate::Operand;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::protocol::checked::{Body, Checked, lacks};
use crate::value::field::alternatives;
use crate::value::{Field, Invalid, Kind, Reader, Value};

const TYPES: [&str; 5] = ["status_code", "contains", "not_contains", "json_path", "header"];

pub(super) const ASSERTION: &[Field] = &[
    Field::required("type", Kind::OneOf(&TYPES), "What to check.").note(
        "`status_code`; `contains` and `not_contains`: a text in the body; `json_path`: a \
         value in the body; `header`.",
    ),
    Field::required("value", Kind::Any, "The expected value."),
    Field::optional("path", Kind::Text, "For json_path: the path in the body.")
        .note("Keys and list indices, joined by dots, or as JSONPath: `$.items[0].id`.")
        .example("\"items.0.id\"")
        .when("type", "json_path"),
    Field::optional("name", Kind::Text, "For header: its name.").when("type", "header"),
];

/// A condition on a response.
#[derive(Debug)]
pub(super) enum Assertion<T> {
    Status {
        want: T,
        /// The same, if it is constant.
        number: Option<u16>,
        place: Box<str>,
    },
    Contains(Operand<T>),
    ContainsNot(Operand<T>),
    Json {
        path: Path<T>,
        value: Operand<T>,
    },
    Header {
        name: T,
        value: Operand<T>,
    },
}

impl Assertion<Draft> {
    pub(super) fn parse<R: Checked>(
        field: &Reader<'_>,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        let mut fields = field.fields(ASSERTION)?;
        let kind = fields.required("type")?;
        let value = fields.required("value")?;
        let assertion = match kind.text()?.to_ascii_lowercase().as_str() {
            "status_code" if R::HAS_STATUS => {
                let want = status(&value, compiler)?;
                Self::Status { want, number: None, place: value.pointer().into() }
            }
            "contains" => Self::Contains(Operand::compile(value.value(), compiler)),
            "not_contains" => Self::ContainsNot(Operand::compile(value.value(), compiler)),
            "json_path" => {
                let path = Path::parse(&fields.required("path")?, compiler)?;
                Self::Json { path, value: Operand::compile(value.value(), compiler) }
            }
            "header" if R::HAS_HEADERS => Self::Header {
                name: compiler.template(fields.required("name")?.text()?),
                value: Operand::compile(value.value(), compiler),
            },
            known @ ("status_code" | "header") => return Err(lacks(&kind, known)),
            unknown => {
                let known = alternatives(unknown, &TYPES);
                return Err(kind.invalid(format!("unknown assertion {unknown:?}{known}")));
            }
        };
        fields.finish()?;
        Ok(assertion)
    }

    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<Assertion<Template>, Invalid> {
        Ok(match self {
            Self::Status { want, place, .. } => {
                let want = want.link(linker)?;
                let number = want.as_literal().and_then(number);
                if want.as_literal().is_some() && number.is_none() {
                    let message = format!("expected an HTTP status, got {:?}", want.written());
                    return Err(Invalid { pointer: place.into(), message });
                }
                Assertion::Status { want, number, place }
            }
            Self::Contains(value) => Assertion::Contains(value.link(linker)?),
            Self::ContainsNot(value) => Assertion::ContainsNot(value.link(linker)?),
            Self::Json { path, value } => {
                Assertion::Json { path: path.link(linker)?, value: value.link(linker)? }
            }
            Self::Header { name, value } => {
                Assertion::Header { name: name.link(linker)?, value: value.link(linker)? }
            }
        })
    }
}

impl Assertion<Template> {
    /// Its type in documents, and what it looks at.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Status { want, .. } => format!("status_code {}", want.written()),
            Self::Contains(_) => "contains".to_owned(),
            Self::ContainsNot(_) => "not_contains".to_owned(),
            Self::Json { path, .. } => format!("json_path {}", path.written.written()),
            Self::Header { name, .. } => format!("header {}", name.written()),
        }
    }

    pub(super) fn check<R: Checked>(
        &self,
        body: &Body<'_, R>,
        scope: &mut Scope,
    ) -> Result<(), String> {
        match self.fails(body, scope)? {
            None => Ok(()),
            Some(reason) => Err(reason),
        }
    }

    /// Returns why it fails; the error says why it cannot be checked.
    fn fails<R: Checked>(
        &self,
        body: &Body<'_, R>,
        scope: &mut Scope,
    ) -> Result<Option<String>, String> {
        Ok(match self {
            Self::Status { want, number: known, .. } => {
                let got = body.response.status().unwrap_or(0);
                if *known == Some(got) {
                    return Ok(None);
                }
                let want = want.text(scope);
                (number(&want) != Some(got))
                    .then(|| format!("status_code expected {want}, got {got}"))
            }
            Self::Contains(want) => {
                let want = want.value(scope);
                (!holds(body.text()?, &want))
                    .then(|| format!("body does not contain {}", want.to_repr()))
            }
            Self::ContainsNot(want) => {
                let want = want.value(scope);
                holds(body.text()?, &want)
                    .then(|| format!("body unexpectedly contains {}", want.to_repr()))
            }
            Self::Json { path, value } => {
                let got = path.find(body, scope)?.unwrap_or_default();
                if value.as_value().is_some_and(|want| want.equals(&got)) {
                    return Ok(None);
                }
                let want = value.value(scope);
                (!want.equals(&got)).then(|| {
                    let (want, got) = (want.to_repr(), got.to_repr());
                    format!("json_path {} expected {want}, got {got}", path.written.text(scope))
                })
            }
            Self::Header { name, value } => {
                let name = name.text(scope);
                let got = body.response.header(&name).map_or(Value::Null, Value::Str);
                let want = value.value(scope);
                (!want.equals(&got)).then(|| {
                    let (want, got) = (want.to_repr(), got.to_repr());
                    format!("header {name} expected {want}, got {got}")
                })
            }
        })
    }
}

/// Whether a text contains a value as Python's `str()` writes it.
fn holds(text: &[u8], value: &Value) -> bool {
    match value {
        Value::Str(part) => contains(text, part.as_bytes()),
        value => contains(text, value.to_text().as_bytes()),
    }
}

/// Whether a byte string contains another.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || memchr::memmem::find(text, part).is_some()
}

fn status(value: &Reader<'_>, compiler: &mut Compiler) -> Result<Draft, Invalid> {
    let template = compiler.template(&value.value().to_text());
    let wrong = template.as_literal().is_some_and(|text| number(text).is_none());
    if wrong { Err(value.expected("an HTTP status")) } else { Ok(template) }
}

/// A status, also in the spelling `200.0`.
fn number(text: &str) -> Option<u16> {
    text.trim().trim_end_matches(".0").parse().ok()
}
