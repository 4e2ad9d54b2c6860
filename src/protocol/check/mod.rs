//! Checks of a response: assertions, whose failure texts are the reference's, and extractors, which
//! run only if all assertions passed. They see a response of any protocol through [`Checked`].

mod assertion;
mod extractor;
mod path;

use tokio::task::yield_now;

pub(crate) use self::assertion::contains;
use self::assertion::{ASSERTION, Assertion};
use self::extractor::{EXTRACTOR, ExtractFrom, Extractor};
use super::checked::{Body, Capture, Checked};
use crate::load::MAX_TEXT;
use crate::load::template::{Compiler, Draft, Linker, Scope, Slot, Template};
use crate::value::{Field, Invalid, Kind, Object, Reader};

/// The most assertions, and the most extractors, of a task.
const MOST: usize = 1000;

/// `assertions` and `extract` of a task whose responses have a status and headers.
pub(crate) const CHECKS: &[Field] = &[
    Field::optional(
        "assertions",
        Kind::List(&Kind::Named("assertion", &Kind::Object(&[ASSERTION]))),
        "Assertions about the response; the request fails if one does not hold.",
    )
    .note(
        "Without assertions a request fails if its status is 400 or more; with them only \
         if one fails.",
    )
    .example(
        r#"[{"type": "status_code", "value": 200}, {"type": "contains",
  "value": "welcome"}]"#,
    ),
    Field::optional(
        "extract",
        Kind::List(&Kind::Named("extractor", &Kind::Object(&[EXTRACTOR]))),
        "Values to extract from the response into variables if all assertions hold.",
    )
    .note("Later tasks of the same virtual user use them as `${NAME}`.")
    .example(
        r#"[{"var": "token", "path": "data.token"}, {"var": "id", "from": "header",
  "name": "X-Id"}]"#,
    ),
];

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
        compiler.aside(|compiler| {
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
        })
    }

    /// Links the checks.
    pub(crate) fn link(self, linker: &mut Linker<'_>) -> Result<Checks, Invalid> {
        let Self { assertions, extractors } = self;
        let mut checks = Checks {
            assertions: assertions
                .into_iter()
                .map(|assertion| assertion.link(linker))
                .collect::<Result<_, _>>()?,
            extractors: extractors
                .into_iter()
                .map(|extractor| extractor.link(linker))
                .collect::<Result<_, _>>()?,
        };
        let Checks { assertions, extractors } = &mut checks;
        let asserted = assertions.iter_mut().filter_map(|assertion| match assertion {
            Assertion::Json { path, .. } => Some(path),
            _ => None,
        });
        let extracted = extractors.iter_mut().filter_map(|extractor| match &mut extractor.from {
            ExtractFrom::Json(path) => Some(path),
            _ => None,
        });
        path::number(asserted.chain(extracted));
        Ok(checks)
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

    /// Whether a status is expected, so that any may be right.
    pub(crate) fn expect_status(&self) -> bool {
        self.assertions.iter().any(|assertion| matches!(assertion, Assertion::Status { .. }))
    }

    /// The variables that are extracted.
    pub(crate) fn variables(&self) -> impl Iterator<Item = Slot> {
        self.extractors.iter().map(|extractor| extractor.slot)
    }

    /// Returns why the response fails, if it does; otherwise extracts the variables.
    #[inline]
    pub(crate) fn run<R: Checked>(&self, response: &R, scope: &mut Scope) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        scope.begin_checks();
        self.check(&Body::of(response), scope).err()
    }
}

/// How many bytes are looked at before other users have their turn: a few milliseconds.
const LONG: usize = 1 << 20;

impl Checks {
    /// Whether [`Self::run`] takes long for a body of this length.
    pub(crate) fn take_long(&self, bytes: usize) -> bool {
        bytes.saturating_mul(self.assertions.len() + self.extractors.len()) > LONG
    }

    /// [`Self::run`], with the turns of other users in between.
    pub(crate) async fn run_in_turns<R: Checked>(
        &self,
        response: &R,
        scope: &mut Scope,
    ) -> Option<String> {
        scope.begin_checks();
        let body = Body::of(response);
        for assertion in &self.assertions {
            if let Err(why) = assertion.check(&body, scope) {
                return Some(why);
            }
            yield_now().await;
        }
        for extractor in &self.extractors {
            if let Err(why) = extractor.take(&body, scope) {
                return Some(why);
            }
            yield_now().await;
        }
        None
    }

    /// [`Self::run`] for a response whose body has this length; with turns if it takes long.
    pub(crate) async fn judge<R: Checked>(
        &self,
        response: &R,
        length: usize,
        scope: &mut Scope,
    ) -> Result<(), String> {
        let wrong = match self.take_long(length) {
            // Boxed, because it is rare.
            true => Box::pin(self.run_in_turns(response, scope)).await,
            false => self.run(response, scope),
        };
        wrong.map_or(Ok(()), Err)
    }

    /// What each check says of a response, one line for each.
    pub(crate) fn explain<R: Checked>(&self, response: &R, scope: &mut Scope) -> Vec<String> {
        scope.begin_checks();
        let body = Body::of(response);
        let mut lines: Vec<String> = Vec::new();
        let mut failed = false;
        for assertion in &self.assertions {
            let outcome = assertion.check(&body, scope);
            failed |= outcome.is_err();
            lines.push(match outcome {
                Ok(()) => format!("✓ {}", assertion.kind()),
                Err(why) => format!("✗ {why}"),
            });
        }
        for extractor in self.extractors.iter().filter(|_| !failed) {
            lines.push(extractor.explain(&body, scope));
        }
        lines
    }

    fn check<R: Checked>(&self, body: &Body<'_, R>, scope: &mut Scope) -> Result<(), String> {
        for assertion in &self.assertions {
            assertion.check(body, scope)?;
        }
        for extractor in &self.extractors {
            extractor.take(body, scope)?;
        }
        if scope.is_too_long() {
            return Err(format!("a check's text is longer than {} MiB", MAX_TEXT >> 20));
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use super::super::checked::Unreadable;
    use super::*;
    use crate::load::template::Bindings;
    use crate::value::Value;

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
    fn checks_of_the_same_paths_find_what_each_of_them_would() {
        let extract = r#"[{"var": "n", "path": "a.b.1"}, {"var": "s", "path": "s"}, {"var": "b", "path": "a.b"},
                          {"var": "m", "path": "a.b.1"}, {"var": "none", "path": "a.c"}, {"var": "c", "path": "a.b"}]"#;
        let assertions = r#"[{"type": "json_path", "path": "s", "value": "it's"},
                             {"type": "json_path", "path": "a.b.1", "value": 2},
                             {"type": "json_path", "path": "a.c", "value": null},
                             {"type": "json_path", "path": "a.b.${x}", "value": null}]"#;
        let (reason, text) =
            run(assertions, extract, "${n} ${m} ${s} ${b} ${c} ${none}").expect("checks");
        assert_eq!((reason, text.as_str()), (None, "2 2 it's [1, 2] [1, 2] ${none}"));
    }

    #[test]
    fn unknown_checks_are_refused_with_their_place() {
        let refusal = |assertions, extract| run(assertions, extract, "").unwrap_err().to_string();
        assert_eq!(
            refusal(r#"[{"type": "status", "value": 1}]"#, "[]"),
            "/tasks/2/assertions/0/type: unknown assertion \"status\"; did you mean \"status_code\"? \
             expected status_code, contains, not_contains, json_path or header"
        );
        assert_eq!(
            refusal("[]", r#"[{"var": "x", "from": "cookie"}]"#),
            "/tasks/2/extract/0/from: unknown extractor \"cookie\"; expected json_path, \
         header or status_code"
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
