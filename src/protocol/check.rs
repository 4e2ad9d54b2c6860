//! Checks of a response: assertions, whose failure texts are the reference's, and extractors, which
//! run only if all assertions passed. They see a response of any protocol through [`Checked`].

use std::borrow::Cow;
use std::cell::OnceCell;

use super::MAX_BODY_BYTES;
use super::json_path::JsonPath;
use crate::load::misses::Kind as Miss;
use crate::load::predicate::Operand;
use crate::load::template::{Compiler, Draft, Linker, Scope, Slot, Space, Template};
use crate::value::{Field, Invalid, Kind, Literal, Object, Reader, Value};

/// The most assertions, and the most extractors, of a task.
const MOST: usize = 1000;

/// `assertions` and `extract` of a task whose responses have a status and headers.
pub(crate) const CHECKS: &[Field] = &[
    Field::optional(
        "assertions",
        Kind::List(&Kind::Named("assertion", &Kind::Object(&[ASSERTION]))),
        "Assertions about the response; the request fails if one does not hold.",
    ),
    Field::optional(
        "extract",
        Kind::List(&Kind::Named("extractor", &Kind::Object(&[EXTRACTOR]))),
        "Values to extract from the response into variables if all assertions hold.",
    ),
];

const ASSERTION: &[Field] = &[
    Field::required(
        "type",
        Kind::OneOf(&["status_code", "contains", "not_contains", "json_path", "header"]),
        "What to check.",
    ),
    Field::required("value", Kind::Any, "The expected value."),
    Field::optional("path", Kind::Text, "For json_path: the path in the body, such as items.0.id.")
        .when("type", "json_path"),
    Field::optional("name", Kind::Text, "For header: its name.").when("type", "header"),
];

const EXTRACTOR: &[Field] = &[
    Field::required("var", Kind::Name, "The variable's name."),
    Field::optional(
        "from",
        Kind::OneOf(&["json_path", "header", "status_code"]),
        "What to extract.",
    )
    .or(Literal::Text("json_path")),
    Field::optional(
        "scope",
        Kind::OneOf(&["var", "session"]),
        "Whether it sets ${var.NAME} or ${session.NAME}.",
    )
    .or(Literal::Text("var")),
    Field::optional("path", Kind::Text, "For json_path: the path in the body, such as items.0.id.")
        .when("from", "json_path"),
    Field::optional("name", Kind::Text, "For header: its name.").when("from", "header"),
];

/// A response, as assertions and extractors see it.
pub(crate) trait Checked {
    /// Whether responses of the protocol have a status.
    const HAS_STATUS: bool;
    /// Whether they have headers.
    const HAS_HEADERS: bool;

    /// The status, if the protocol has one.
    fn status(&self) -> Option<u16>;

    /// A header's value, by its name in any case.
    fn header(&self, name: &str) -> Option<String>;

    /// The body as UTF-8 text, decoded.
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable>;

    /// The same for a body that should be JSON.
    fn json(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        self.text()
    }
}

/// How much of a response's body is kept, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(MAX_BODY_BYTES)
    }
}

/// Why a body cannot be checked. No check passes for such a body, not even that it does not contain
/// something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than the kept part.
    #[error("the body is longer than --max-body-bytes {0} allows and was not checked")]
    OverLimit(usize),
    /// Its content coding cannot be decoded.
    #[error("the body cannot be unpacked: {0}")]
    Packed(String),
    /// Its charset is not supported.
    #[error("the body cannot be decoded: charset \"{0}\" is not supported")]
    Charset(String),
}

/// A response's body, decoded at most once and only for a check that needs it.
struct Body<'a, R> {
    response: &'a R,
    text: OnceCell<Result<Cow<'a, [u8]>, Unreadable>>,
    json: OnceCell<Result<Cow<'a, [u8]>, Unreadable>>,
}

impl<'a, R: Checked> Body<'a, R> {
    fn of(response: &'a R) -> Self {
        Self { response, text: OnceCell::new(), json: OnceCell::new() }
    }

    fn text(&self) -> Result<&[u8], String> {
        let text = self.text.get_or_init(|| self.response.text());
        text.as_deref().map_err(Unreadable::to_string)
    }

    fn json(&self) -> Result<&[u8], String> {
        let text = self.json.get_or_init(|| self.response.json());
        text.as_deref().map_err(Unreadable::to_string)
    }
}

/// The parts of a response that checks need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capture {
    /// Its headers.
    pub head: bool,
    /// Its body.
    pub body: bool,
}

/// A condition on a response.
#[derive(Debug)]
enum Assertion<T> {
    Status { want: T, place: Box<str> },
    Contains(Operand<T>),
    ContainsNot(Operand<T>),
    Json { path: Path<T>, value: Operand<T> },
    Header { name: T, value: Operand<T> },
}

/// A path into a JSON text; parsed only once unless it has placeholders.
#[derive(Debug)]
struct Path<T> {
    written: T,
    parsed: Option<JsonPath>,
}

impl Path<Draft> {
    fn parse(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        Ok(Self { written: compiler.template(field.text()?), parsed: None })
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<Path<Template>, Invalid> {
        let written = self.written.link(linker)?;
        let parsed = written.as_literal().map(JsonPath::new);
        Ok(Path { written, parsed })
    }
}

impl Path<Template> {
    fn find(&self, text: &[u8], scope: &mut Scope) -> Option<Value> {
        match &self.parsed {
            Some(path) => path.find(text),
            None => JsonPath::new(&self.written.text(scope)).find(text),
        }
    }
}

/// A value extracted from a response.
#[derive(Debug)]
struct Extractor<T> {
    from: ExtractFrom<T>,
    slot: Slot,
    /// Variable and place as the document has them, for the count of those that found nothing.
    described: Box<str>,
}

#[derive(Debug)]
enum ExtractFrom<T> {
    Json(Path<T>),
    Header(T),
    Status,
}

/// A task's assertions and extractors.
#[derive(Debug)]
pub(crate) struct Checks<T = Template> {
    assertions: Vec<Assertion<T>>,
    extractors: Vec<Extractor<T>>,
}

impl Checks<Draft> {
    /// Takes `assertions` and `extract` from a task whose responses are an `R`.
    pub(crate) fn parse<R: Checked>(
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        let assertions = list(fields.present("assertions"))?;
        let extractors = list(fields.present("extract"))?;
        Ok(Self {
            assertions: assertions
                .iter()
                .map(|field| Assertion::parse::<R>(field, compiler))
                .collect::<Result<_, _>>()?,
            extractors: extractors
                .iter()
                .map(|field| Extractor::parse::<R>(field, compiler))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Links the checks.
    pub(crate) fn link(self, linker: &mut Linker<'_>) -> Result<Checks, Invalid> {
        let Self { assertions, extractors } = self;
        Ok(Checks {
            assertions: assertions
                .into_iter()
                .map(|assertion| assertion.link(linker))
                .collect::<Result<_, _>>()?,
            extractors: extractors
                .into_iter()
                .map(|extractor| extractor.link(linker))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl<T> Checks<T> {
    /// Whether there are no checks.
    pub(crate) fn is_empty(&self) -> bool {
        self.assertions.is_empty() && self.extractors.is_empty()
    }

    /// The parts of a response that they need.
    pub(crate) fn capture(&self) -> Capture {
        let header = |assertion: &Assertion<T>| matches!(assertion, Assertion::Header { .. });
        let status = |assertion: &Assertion<T>| matches!(assertion, Assertion::Status { .. });
        Capture {
            head: self.assertions.iter().any(header)
                || self.extractors.iter().any(|taken| matches!(taken.from, ExtractFrom::Header(_))),
            body: self.assertions.iter().any(|assertion| !header(assertion) && !status(assertion))
                || self.extractors.iter().any(|taken| matches!(taken.from, ExtractFrom::Json(_))),
        }
    }
}

impl Checks {
    /// Whether a response's status alone decides.
    pub(crate) fn status_decides(&self) -> bool {
        self.assertions.is_empty()
    }

    /// The variables that are extracted.
    pub(crate) fn variables(&self) -> impl Iterator<Item = Slot> {
        self.extractors.iter().map(|extractor| extractor.slot)
    }

    /// Returns why the response fails, if it does; otherwise extracts the variables.
    pub(crate) fn run<R: Checked>(&self, response: &R, scope: &mut Scope) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        self.check(&Body::of(response), scope).err()
    }
}

impl Checks {
    fn check<R: Checked>(&self, body: &Body<'_, R>, scope: &mut Scope) -> Result<(), String> {
        for assertion in &self.assertions {
            assertion.check(body, scope)?;
        }
        for extractor in &self.extractors {
            extractor.take(body, scope)?;
        }
        Ok(())
    }
}

fn list(field: Option<Reader<'_>>) -> Result<Vec<Reader<'_>>, Invalid> {
    let Some(field) = field else { return Ok(Vec::new()) };
    let list = field.list()?;
    if list.len() > MOST {
        return Err(field.invalid(format!("{} exceed the limit of {MOST}", list.len())));
    }
    Ok(list)
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

impl Assertion<Draft> {
    fn parse<R: Checked>(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        let mut fields = field.fields(ASSERTION)?;
        let kind = fields.required("type")?;
        let value = fields.required("value")?;
        let assertion = match kind.text()?.to_ascii_lowercase().as_str() {
            "status_code" if R::HAS_STATUS => {
                Self::Status { want: status(&value, compiler)?, place: value.pointer().into() }
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
            unknown => return Err(kind.invalid(format!("unknown assertion {unknown:?}"))),
        };
        fields.finish()?;
        Ok(assertion)
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<Assertion<Template>, Invalid> {
        Ok(match self {
            Self::Status { want, place } => {
                let want = want.link(linker)?;
                if want.as_literal().is_some_and(|text| number(text).is_none()) {
                    let message = format!("expected an HTTP status, got {:?}", want.written());
                    return Err(Invalid { pointer: place.into(), message });
                }
                Assertion::Status { want, place }
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
    fn check<R: Checked>(&self, body: &Body<'_, R>, scope: &mut Scope) -> Result<(), String> {
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
            Self::Status { want, .. } => {
                let got = body.response.status().unwrap_or(0);
                let holds = |want: &str| number(want) == Some(got);
                match want.as_literal() {
                    Some(want) if holds(want) => return Ok(None),
                    _ => {}
                }
                let want = want.text(scope);
                (!holds(&want)).then(|| format!("status_code expected {want}, got {got}"))
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
                let got = path.find(body.json()?, scope).unwrap_or_default();
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

/// The refusal of a check for something that the protocol's responses do not have.
fn lacks(kind: &Reader<'_>, what: &str) -> Invalid {
    kind.invalid(format!("{what:?} needs a protocol whose responses have one"))
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

impl Extractor<Draft> {
    fn parse<R: Checked>(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
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
                _ => return Err(scope.expected("\"var\" or \"session\"")),
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
                    return Err(from.invalid(format!(
                        "unknown extractor {unknown:?}; expected json_path, header or status_code"
                    )));
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

    fn link(self, linker: &mut Linker<'_>) -> Result<Extractor<Template>, Invalid> {
        let from = match self.from {
            ExtractFrom::Json(path) => ExtractFrom::Json(path.link(linker)?),
            ExtractFrom::Header(name) => ExtractFrom::Header(name.link(linker)?),
            ExtractFrom::Status => ExtractFrom::Status,
        };
        Ok(Extractor { from, slot: self.slot, described: self.described })
    }
}

impl Extractor<Template> {
    fn take<R: Checked>(&self, body: &Body<'_, R>, scope: &mut Scope) -> Result<(), String> {
        let response = body.response;
        match &self.from {
            ExtractFrom::Json(path) => match path.find(body.json()?, scope) {
                None | Some(Value::Null) => scope.miss(Miss::Extraction, &self.described),
                Some(Value::Str(value)) => scope.set(self.slot, &value),
                Some(value) => scope.set(self.slot, &value.to_text()),
            },
            ExtractFrom::Header(name) => match response.header(&name.text(scope)) {
                Some(value) => scope.set(self.slot, &value),
                None => scope.miss(Miss::Extraction, &self.described),
            },
            ExtractFrom::Status => {
                let status = response.status().unwrap_or(0);
                scope.set(self.slot, itoa::Buffer::new().format(status));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::load::template::Bindings;

    /// A response of a protocol that has everything, or only a text.
    struct Canned<const WHOLE: bool>;

    impl<const WHOLE: bool> Checked for Canned<WHOLE> {
        const HAS_STATUS: bool = WHOLE;
        const HAS_HEADERS: bool = WHOLE;

        fn status(&self) -> Option<u16> {
            WHOLE.then_some(500)
        }

        fn header(&self, name: &str) -> Option<String> {
            name.eq_ignore_ascii_case("x-one").then(|| "v, w".to_owned())
        }

        fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
            Ok(Cow::Borrowed(br#"{"a": {"b": [1, 2]}, "s": "it's"}"#))
        }
    }

    fn run_on<const WHOLE: bool>(
        task: &str,
        show: &str,
    ) -> Result<(Option<String>, String), Invalid> {
        let task = Value::parse(task).expect("JSON");
        let mut compiler = Compiler::default();
        let mut fields = Reader::at(&task, "/tasks/2").fields(CHECKS)?;
        let checks = Checks::parse::<Canned<WHOLE>>(&mut fields, &mut compiler)?;
        fields.finish()?;
        let show = compiler.template(show);
        let bindings = Bindings {
            variable: &|name| (name == "x").then(|| "2".to_owned()),
            environment: &|name| (name == "S").then(|| "soon".to_owned()),
            ..Bindings::NONE
        };
        let mut linker = Linker::new(compiler, bindings);
        let (checks, show) = (checks.link(&mut linker)?, show.link(&mut linker)?);
        let mut scope = Scope::new(&Arc::new(linker.names()), 1);
        let reason = checks.run(&Canned::<WHOLE>, &mut scope);
        Ok((reason, show.text(&mut scope)))
    }

    fn run(
        assertions: &str,
        extract: &str,
        show: &str,
    ) -> Result<(Option<String>, String), Invalid> {
        run_on::<true>(&format!(r#"{{"assertions": {assertions}, "extract": {extract}}}"#), show)
    }

    fn reason(assertion: &str) -> Option<String> {
        run(&format!("[{assertion}]"), "[]", "").expect("checks").0
    }

    #[test]
    fn failure_texts_equal_those_of_the_reference() {
        for (assertion, want) in [
            (r#"{"type": "status_code", "value": 200}"#, Some("status_code expected 200, got 500")),
            (r#"{"type": "status_code", "value": "500"}"#, None),
            (r#"{"type": "status_code", "value": 500.0}"#, None),
            (r#"{"type": "contains", "value": "x"}"#, Some("body does not contain 'x'")),
            (r#"{"type": "contains", "value": "it's"}"#, None),
            (r#"{"type": "contains", "value": 7}"#, Some("body does not contain 7")),
            (
                r#"{"type": "not_contains", "value": "it's"}"#,
                Some("body unexpectedly contains \"it's\""),
            ),
            (r#"{"type": "json_path", "path": "a.b.0", "value": 1.0}"#, None),
            (
                r#"{"type": "json_path", "path": "a.b.1", "value": "${x}"}"#,
                Some("json_path a.b.1 expected '2', got 2"),
            ),
            (
                r#"{"type": "json_path", "path": "a.c", "value": 1}"#,
                Some("json_path a.c expected 1, got None"),
            ),
            (
                r#"{"type": "json_path", "path": "a.b.${x}", "value": 1}"#,
                Some("json_path a.b.2 expected 1, got None"),
            ),
            (r#"{"type": "header", "name": "X-ONE", "value": "v, w"}"#, None),
            (
                r#"{"type": "header", "name": "X", "value": "a"}"#,
                Some("header X expected 'a', got None"),
            ),
        ] {
            assert_eq!(reason(assertion).as_deref(), want, "{assertion}");
        }
    }

    #[test]
    fn extractors_run_only_if_all_assertions_passed() {
        let extract = r#"[{"var": "n", "path": "a.b.1"}, {"var": "h", "from": "header", "name": "x-one"},
                          {"var": "c", "from": "status_code", "scope": "session"}]"#;
        let show = "${n} ${h} ${session.c} ${c}";
        let (_, text) = run("[]", extract, show).expect("checks");
        assert_eq!(text, "2 v, w 500 ${c}");
        let (_, text) =
            run(r#"[{"type": "contains", "value": "no"}]"#, extract, show).expect("checks");
        assert_eq!(text, "${n} ${h} ${session.c} ${c}");
    }

    #[test]
    fn unknown_checks_are_refused_with_their_place() {
        let refusal = |assertions, extract| run(assertions, extract, "").unwrap_err().to_string();
        assert_eq!(
            refusal(r#"[{"type": "status", "value": 1}]"#, "[]"),
            "/tasks/2/assertions/0/type: unknown assertion \"status\""
        );
        assert_eq!(
            refusal("[]", r#"[{"var": "x", "from": "cookie"}]"#),
            "/tasks/2/extract/0/from: unknown extractor \"cookie\"; expected json_path, header or status_code"
        );
    }
    #[test]
    fn checks_the_protocol_does_not_support_and_wrong_constants_are_refused() {
        let refusal = |task| run_on::<false>(task, "").unwrap_err().to_string();
        assert_eq!(
            refusal(r#"{"assertions": [{"type": "status_code", "value": 200}]}"#),
            "/tasks/2/assertions/0/type: \"status_code\" needs a protocol whose responses have one"
        );
        assert_eq!(
            refusal(r#"{"extract": [{"var": "h", "from": "header", "name": "a"}]}"#),
            "/tasks/2/extract/0/from: \"header\" needs a protocol whose responses have one"
        );
        assert_eq!(
            run(r#"[{"type": "status_code", "value": "${env.S}"}]"#, "[]", "")
                .unwrap_err()
                .to_string(),
            "/tasks/2/assertions/0/value: expected an HTTP status, got \"soon\""
        );
    }
}
