//! What an answer must hold and what is taken out of it: assertions, whose failure texts are the
//! reference's, and extractors, which run only after all assertions held.

use std::borrow::Cow;

use super::answer::{Answer, Wanted};
use super::decode;
use crate::load::predicate::Operand;
use crate::load::template::{Compiler, Scope, Slot, Space, Template};
use crate::protocol::JsonPath;
use crate::value::{Invalid, Reader, Value};

/// The most assertions and extractors a task may have, each.
const MOST: usize = 1000;

/// Something an answer must hold.
#[derive(Debug)]
enum Assertion {
    Status(Template),
    Contains(Operand),
    ContainsNot(Operand),
    Json { path: Place, value: Operand },
    Header { name: Template, value: Operand },
}

/// A place in a JSON text; parsed once unless it has placeholders.
#[derive(Debug)]
struct Place {
    written: Template,
    parsed: Option<JsonPath>,
}

impl Place {
    fn parse(field: &Reader<'_>, compiler: &mut Compiler<'_>) -> Result<Self, Invalid> {
        let written = compiler.template(field.text()?);
        let parsed = written.as_literal().map(JsonPath::new);
        Ok(Self { written, parsed })
    }

    fn find(&self, text: &Text<'_>, scope: &mut Scope) -> Option<Value> {
        match &self.parsed {
            Some(path) => path.find(&text.0),
            None => JsonPath::new(&self.written.text(scope)).find(&text.0),
        }
    }
}

/// Something taken out of an answer.
#[derive(Debug)]
struct Extractor {
    from: Source,
    slot: Slot,
}

#[derive(Debug)]
enum Source {
    Json(Place),
    Header(Template),
    Status,
}

/// A task's assertions and extractors.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    assertions: Vec<Assertion>,
    extractors: Vec<Extractor>,
}

impl Checks {
    /// Reads `assertions` and `extract`.
    pub(crate) fn parse(
        assertions: Option<Reader<'_>>,
        extract: Option<Reader<'_>>,
        compiler: &mut Compiler<'_>,
    ) -> Result<Self, Invalid> {
        let mut checks = Self::default();
        for field in list(assertions)? {
            checks.assertions.push(Assertion::parse(&field, compiler)?);
        }
        for field in list(extract)? {
            checks.extractors.push(Extractor::parse(&field, compiler)?);
        }
        Ok(checks)
    }

    /// Whether an answer's status alone decides.
    pub(crate) fn status_decides(&self) -> bool {
        self.assertions.is_empty()
    }

    /// What of an answer they look at.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            head: self.assertions.iter().any(|check| matches!(check, Assertion::Header { .. }))
                || self.extractors.iter().any(|taken| matches!(taken.from, Source::Header(_))),
            body: self
                .assertions
                .iter()
                .any(|check| !matches!(check, Assertion::Status(_) | Assertion::Header { .. }))
                || self.extractors.iter().any(|taken| matches!(taken.from, Source::Json(_))),
        }
    }

    /// Why the answer fails, if it does; otherwise takes out what the extractors want.
    pub(crate) fn run(&self, answer: &Answer, scope: &mut Scope) -> Option<String> {
        if self.assertions.is_empty() && self.extractors.is_empty() {
            return None;
        }
        let text = Text::of(answer);
        for assertion in &self.assertions {
            if let Some(reason) = assertion.fails(answer, &text, scope) {
                return Some(reason);
            }
        }
        for extractor in &self.extractors {
            extractor.take(answer, &text, scope);
        }
        None
    }
}

fn list(field: Option<Reader<'_>>) -> Result<Vec<Reader<'_>>, Invalid> {
    let Some(field) = field else { return Ok(Vec::new()) };
    let list = field.list()?;
    if list.len() > MOST {
        return Err(field.invalid(format!("{} are over the limit of {MOST}", list.len())));
    }
    Ok(list)
}

/// An answer's body, unpacked when it is first looked at.
struct Text<'a>(Cow<'a, [u8]>);

impl<'a> Text<'a> {
    fn of(answer: &'a Answer) -> Self {
        Self(decode::body(answer).unwrap_or_default())
    }

    /// Whether it contains a value as Python's `str()` writes it.
    fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Str(text) => self.contains(text.as_bytes()),
            value => self.contains(value.to_text().as_bytes()),
        }
    }

    fn contains(&self, needle: &[u8]) -> bool {
        needle.is_empty() || memchr::memmem::find(&self.0, needle).is_some()
    }
}

impl Assertion {
    fn parse(field: &Reader<'_>, compiler: &mut Compiler<'_>) -> Result<Self, Invalid> {
        let mut fields = field.object()?;
        let kind = fields.required("type")?;
        let value = fields.required("value")?;
        let assertion = match kind.text()?.to_ascii_lowercase().as_str() {
            "status_code" => Self::Status(status(&value, compiler)?),
            "contains" => Self::Contains(Operand::compile(value.value(), compiler)),
            "not_contains" => Self::ContainsNot(Operand::compile(value.value(), compiler)),
            "json_path" => {
                let path = Place::parse(&fields.required("path")?, compiler)?;
                Self::Json { path, value: Operand::compile(value.value(), compiler) }
            }
            "header" => Self::Header {
                name: compiler.template(fields.required("name")?.text()?),
                value: Operand::compile(value.value(), compiler),
            },
            unknown => return Err(kind.invalid(format!("unknown assertion {unknown:?}"))),
        };
        fields.finish()?;
        Ok(assertion)
    }

    fn fails(&self, answer: &Answer, text: &Text<'_>, scope: &mut Scope) -> Option<String> {
        match self {
            Self::Status(want) => {
                let got = answer.status;
                let holds = |want: &str| number(want) == Some(got);
                match want.as_literal() {
                    Some(want) if holds(want) => return None,
                    _ => {}
                }
                let want = want.text(scope);
                (!holds(&want)).then(|| format!("status_code expected {want}, got {got}"))
            }
            Self::Contains(want) => {
                let want = want.value(scope);
                (!text.holds(&want)).then(|| format!("body does not contain {}", want.to_repr()))
            }
            Self::ContainsNot(want) => {
                let want = want.value(scope);
                text.holds(&want).then(|| format!("body unexpectedly contains {}", want.to_repr()))
            }
            Self::Json { path, value } => {
                let got = path.find(text, scope).unwrap_or_default();
                if value.as_value().is_some_and(|want| want.equals(&got)) {
                    return None;
                }
                let want = value.value(scope);
                (!want.equals(&got)).then(|| {
                    let (want, got) = (want.to_repr(), got.to_repr());
                    format!("json_path {} expected {want}, got {got}", path.written.text(scope))
                })
            }
            Self::Header { name, value } => {
                let name = name.text(scope);
                let got = header(answer, &name).map_or(Value::Null, Value::Str);
                let want = value.value(scope);
                (!want.equals(&got)).then(|| {
                    let (want, got) = (want.to_repr(), got.to_repr());
                    format!("header {name} expected {want}, got {got}")
                })
            }
        }
    }
}

fn status(value: &Reader<'_>, compiler: &mut Compiler<'_>) -> Result<Template, Invalid> {
    let template = compiler.template(&value.value().to_text());
    let wrong = template.as_literal().is_some_and(|text| number(text).is_none());
    if wrong { Err(value.expected("an HTTP status")) } else { Ok(template) }
}

/// A status, also where it is written as `200.0`.
fn number(text: &str) -> Option<u16> {
    text.trim().trim_end_matches(".0").parse().ok()
}

/// A header's value by its name in any case; several are joined (RFC 9110, section 5.3).
fn header(answer: &Answer, name: &str) -> Option<String> {
    let mut values = answer.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let (_, first) = values.next()?;
    Some(values.fold(first.clone(), |all, (_, value)| format!("{all}, {value}")))
}

impl Extractor {
    fn parse(field: &Reader<'_>, compiler: &mut Compiler<'_>) -> Result<Self, Invalid> {
        let mut fields = field.object()?;
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
            None => Source::Json(Place::parse(&fields.required("path")?, compiler)?),
            Some(from) => match from.text()?.to_ascii_lowercase().as_str() {
                "json_path" => Source::Json(Place::parse(&fields.required("path")?, compiler)?),
                "header" => Source::Header(compiler.template(fields.required("name")?.text()?)),
                "status_code" => Source::Status,
                unknown => {
                    return Err(from.invalid(format!(
                        "unknown extractor {unknown:?}; expected json_path, header or status_code"
                    )));
                }
            },
        };
        let slot = compiler.names.slot(space, name.text()?);
        fields.finish()?;
        Ok(Self { from, slot })
    }

    fn take(&self, answer: &Answer, text: &Text<'_>, scope: &mut Scope) {
        match &self.from {
            Source::Json(path) => match path.find(text, scope) {
                None | Some(Value::Null) => {}
                Some(Value::Str(value)) => scope.set(self.slot, &value),
                Some(value) => scope.set(self.slot, &value.to_text()),
            },
            Source::Header(name) => {
                if let Some(value) = header(answer, &name.text(scope)) {
                    scope.set(self.slot, &value);
                }
            }
            Source::Status => scope.set(self.slot, itoa::Buffer::new().format(answer.status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::load::template::Names;

    fn answer() -> Answer {
        let mut answer = Answer::default();
        answer.status = 500;
        answer.body = br#"{"a": {"b": [1, 2]}, "s": "it's"}"#.to_vec();
        answer.headers = vec![("x-one".into(), "v".into()), ("X-One".into(), "w".into())];
        answer
    }

    fn run(
        assertions: &str,
        extract: &str,
        show: &str,
    ) -> Result<(Option<String>, String), Invalid> {
        let assertions = Value::parse(assertions).expect("JSON");
        let extract = Value::parse(extract).expect("JSON");
        let mut names = Names::default();
        names.set(Space::Var, "x", &"2".into());
        let mut compiler = Compiler::new(names, &|_| None);
        let checks = Checks::parse(
            Some(Reader::at(&assertions, "/tasks/2/assertions")),
            Some(Reader::at(&extract, "/tasks/2/extract")),
            &mut compiler,
        )?;
        let show = compiler.template(show);
        let mut scope = Scope::new(&Arc::new(compiler.names), 1);
        let reason = checks.run(&answer(), &mut scope);
        Ok((reason, show.text(&mut scope)))
    }

    fn reason(assertion: &str) -> Option<String> {
        run(&format!("[{assertion}]"), "[]", "").expect("checks").0
    }

    #[test]
    fn failures_read_as_the_reference_writes_them() {
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
    fn extractors_take_only_after_all_assertions_held() {
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
}
