//! Scripts of a collection, as far as their usual lines go: an expected status becomes an assertion, and
//! a variable that is set from the response an extractor. Everything else is listed.

use std::ops::Range;

use super::super::javascript::{Brackets, Token, Word, branches, split, tokens};
use super::super::lookup::{elements, list, text};
use super::super::status_assertion;
use super::super::steps::steps;
use super::{Checks, Reader};
use crate::value::Value;

/// The most checks, variables and calls of a script.
const MAX_CHECKS: usize = 100;

impl Reader {
    /// The scripts of an item or of a folder around it.
    pub(super) fn scripts(&mut self, place: &Value) -> Checks {
        let mut checks = Checks::default();
        for event in list(place, "event") {
            let source = event.get("script").map(source).unwrap_or_default();
            let words = tokens(&source);
            if words.as_ref().is_ok_and(Vec::is_empty) {
                continue;
            }
            match words {
                Ok(words) if text(event, "listen") == Some("test") => {
                    let brackets = Brackets::of(&words);
                    let script = Script { source: &source, words: &words, brackets };
                    self.test(&script, &mut checks);
                }
                Ok(_) => self.import.notices.leave_out("script before a request"),
                Err(why) => self.import.notices.say(why.to_string()),
            }
        }
        checks
    }

    fn test(&mut self, script: &Script<'_>, checks: &mut Checks) {
        let mut known = 0;
        let mut lost = 0;
        let apart = script.apart();
        let is_certain = |at: usize| {
            apart.as_ref().is_some_and(|apart| !apart.iter().any(|range| range.contains(&at)))
        };
        let mut bodies = Vec::new();
        let statements = (0..script.words.len()).filter_map(|at| Some((at, script.statement(at)?)));
        for (number, (at, statement)) in statements.enumerate() {
            if number >= MAX_CHECKS {
                lost += 1;
                break;
            }
            match statement {
                Statement::Status(status) if is_certain(at) => {
                    known += 1;
                    checks.assertions.push(status_assertion(status));
                }
                Statement::Status(_) | Statement::Check => lost += 1,
                Statement::Body(name) => bodies.push(name),
                Statement::Set(name, value) => match extractor(name, value, &bodies) {
                    Some(extractor) => {
                        known += 1;
                        checks.extractors.push(extractor);
                    }
                    None => self.import.notices.note("variables that scripts compute", name),
                },
                Statement::Call(name) => self.import.notices.leave_out(format!("call of {name}")),
            }
        }
        // A line of its own for each of them would promise too much.
        if known == 0 || lost > 0 {
            self.import.notices.leave_out("script after a request (or checks in it)");
        }
    }
}

/// A script, and its words.
struct Script<'a> {
    source: &'a str,
    words: &'a [Token],
    brackets: Brackets<'a>,
}

/// What begins at a word.
enum Statement<'a> {
    /// A status is expected, and nothing else will do.
    Status(i64),
    /// Something else is expected.
    Check,
    /// A name for the body of the response.
    Body(&'a str),
    /// A variable that is set, and its value as it is written.
    Set(&'a str, &'a str),
    /// A call that changes what follows.
    Call(&'a str),
}

impl<'a> Script<'a> {
    /// The parts that do not run exactly once; `None` if they cannot be told.
    fn apart(&self) -> Option<Vec<Range<usize>>> {
        let mut apart: Vec<Range<usize>> =
            branches(self.words)?.into_iter().map(|(range, _)| range).collect();
        for at in 0..self.words.len() {
            let (names, end) = self.chain(at);
            if names == ["pm", "test", "skip"] {
                apart.extend(self.brackets.closing(end, "(").map(|close| end..close));
            }
        }
        Some(apart)
    }

    fn statement(&self, at: usize) -> Option<Statement<'a>> {
        let (names, end) = self.chain(at);
        Some(match names.as_slice() {
            ["pm", "response", "to", rest @ ..] => match (rest, self.arguments(end)) {
                (["have", "status"], Some(([status], _))) => self.expected(status),
                _ => Statement::Check,
            },
            ["pm", "expect"] => self.expectation(end).unwrap_or(Statement::Check),
            ["tests"] if self.is_sign(end, "[") => {
                let behind = self.brackets.closing(end, "[")? + 1;
                let (_, end) = self.chain(behind + 1);
                let value = self.words.get(behind + 1..end + 2).unwrap_or_default();
                match self.comparison(value) {
                    Some(status) if self.is_sign(behind, "=") && self.ends(end + 2) => {
                        self.expected(status)
                    }
                    _ => Statement::Check,
                }
            }
            ["pm", "environment" | "collectionVariables" | "globals" | "variables", "set"]
            | ["postman", "setEnvironmentVariable" | "setGlobalVariable"] => {
                let (arguments, _) = self.arguments(end)?;
                let (name, value) = match split(arguments, |sign| sign == ",").as_slice() {
                    [[Token { word: Word::Text(name), .. }], value] => (name, *value),
                    _ => return None,
                };
                Statement::Set(name, self.written(value))
            }
            ["pm", "sendRequest"] => Statement::Call("pm.sendRequest"),
            ["pm", "execution", "setNextRequest"] | ["postman", "setNextRequest"] => {
                Statement::Call("setNextRequest")
            }
            [name] if self.is_sign(end, "=") => {
                let (names, end) = self.chain(end + 1);
                let (arguments, end) = self.arguments(end)?;
                let is_body = match (names.as_slice(), arguments) {
                    (["pm", "response", "json"], []) => true,
                    (["JSON", "parse"], [Token { word: Word::Name(name), .. }]) => {
                        name == "responseBody"
                    }
                    _ => false,
                };
                (is_body && self.ends(end)).then_some(Statement::Body(name))?
            }
            _ => return None,
        })
    }

    /// `pm.expect(…).to.…(…)`, whose first bracket is at a place.
    fn expectation(&self, open: usize) -> Option<Statement<'a>> {
        let (subject, behind) = self.arguments(open)?;
        let (names, end) = self.chain(behind + 1);
        let argument = self.arguments(end).map(|(argument, _)| argument);
        let names = match names.as_slice() {
            ["to", "be", rest @ ..] | ["to", rest @ ..] if self.is_sign(behind, ".") => rest,
            _ => return None,
        };
        let equals = matches!(names, ["eql" | "equal" | "equals" | "eq"]);
        match (subject, argument) {
            (subject, Some([status])) if equals && self.is_code(subject) => {
                Some(self.expected(status))
            }
            (subject, Some([Token { word: Word::Name(word), .. }])) if equals && word == "true" => {
                Some(self.expected(self.comparison(subject)?))
            }
            (subject, None) if names == ["true"] => Some(self.expected(self.comparison(subject)?)),
            _ => None,
        }
    }

    /// `pm.response.code === 200`, and nothing else.
    fn comparison(&self, words: &'a [Token]) -> Option<&'a Token> {
        match words {
            [code @ .., Token { word: Word::Sign("===" | "=="), .. }, status] => {
                self.is_code(code).then_some(status)
            }
            _ => None,
        }
    }

    fn is_code(&self, words: &'a [Token]) -> bool {
        matches!(self.written(words), "pm.response.code" | "responseCode.code")
    }

    fn expected(&self, status: &Token) -> Statement<'a> {
        match status.word {
            Word::Number(status) if (100.0..600.0).contains(&status) && status.fract() == 0.0 => {
                Statement::Status(status as i64)
            }
            _ => Statement::Check,
        }
    }

    /// A name and its members, and the place behind them; none in the middle of others.
    fn chain(&self, at: usize) -> (Vec<&'a str>, usize) {
        let mut names = Vec::new();
        let mut end = at;
        if at.checked_sub(2).is_some_and(|name| self.is_name(name) && self.is_sign(at - 1, ".")) {
            return (names, end);
        }
        while let Some(Token { word: Word::Name(name), .. }) = self.words.get(end) {
            names.push(name.as_str());
            end += 1;
            if !self.is_sign(end, ".") {
                break;
            }
            end += 1;
        }
        (names, end)
    }

    /// What stands in the round brackets that open at a place, and the place behind them.
    fn arguments(&self, open: usize) -> Option<(&'a [Token], usize)> {
        let end = self.brackets.closing(open, "(")?;
        Some((self.words.get(open + 1..end)?, end + 1))
    }

    /// Whether a statement ends before a place.
    fn ends(&self, at: usize) -> bool {
        self.is_sign(at, ";")
            || self.is_sign(at, "}")
            || self.words.get(at).is_none_or(|next| next.breaks)
    }

    fn is_sign(&self, at: usize, wanted: &str) -> bool {
        matches!(self.words.get(at), Some(Token { word: Word::Sign(sign), .. }) if *sign == wanted)
    }

    fn is_name(&self, at: usize) -> bool {
        matches!(self.words.get(at), Some(Token { word: Word::Name(_), .. }))
    }

    /// Words as they are written.
    fn written(&self, words: &[Token]) -> &'a str {
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return "" };
        self.source.get(first.start..last.end).unwrap_or_default()
    }
}

/// The text of a script: one, or a line each.
fn source(script: &Value) -> String {
    match script.get("exec") {
        Some(Value::Str(code)) => code.clone(),
        Some(lines) => {
            let lines: Vec<&str> = elements(lines).iter().filter_map(Value::as_str).collect();
            lines.join("\n")
        }
        None => String::new(),
    }
}

/// The text of a literal; none of what is more than one.
fn literal(written: &str) -> Option<&str> {
    let quoted = |quote: char| {
        let text = written.strip_prefix(quote)?.strip_suffix(quote)?;
        (!text.contains([quote, '\\'])).then_some(text)
    };
    quoted('"').or_else(|| quoted('\''))
}

/// An extractor of what a variable is set to.
fn extractor(name: &str, value: &str, bodies: &[&str]) -> Option<Value> {
    let header =
        value.strip_prefix("pm.response.headers.get(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(header) = header {
        let header = literal(header.trim())?;
        return Some(Value::dict([
            ("var", Value::from(name)),
            ("from", "header".into()),
            ("name", header.into()),
        ]));
    }
    let direct = value.strip_prefix("pm.response.json()");
    let named = || bodies.iter().filter_map(|body| value.strip_prefix(body));
    let path = direct.into_iter().chain(named()).find_map(steps)?;
    Some(Value::dict([("var", Value::from(name)), ("path", path.into())]))
}
