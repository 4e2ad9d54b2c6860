//! Checks of responses: `check(response, {'is ok': (r) => r.status === 200})`. A comparison of the status,
//! or a text that the body must hold, becomes an assertion; any other condition is listed.

use super::super::javascript::{Token, Word, closing, outside, split};
use super::super::{add, status_assertion};
use super::value::Js;
use super::{Check, Script};
use crate::value::Value;

impl Script<'_> {
    /// A call whose bracket opens at a place. Names mean what they mean there.
    pub(super) fn check(&mut self, open: usize) {
        let arguments = self.inside(open);
        let request = match split(self.slice(arguments.clone()), |sign| sign == ",").first() {
            Some([Token { word: Word::Name(name), .. }]) => match self.names.get(name) {
                Some(Js::Response(number)) => Some(*number),
                _ => None,
            },
            _ => None,
        };
        self.checks.push(Check { arguments, request });
    }

    /// Adds what all of them expect to the requests.
    pub(super) fn apply_checks(&mut self) {
        for Check { arguments, request } in std::mem::take(&mut self.checks) {
            let call = self.calls.iter().find(|call| match request {
                Some(number) => (call.first..call.first + call.count).contains(&number),
                // `check(http.get(…), {…})`
                None => arguments.contains(&call.words.start),
            });
            let call = call.map(|call| (call.first, call.count));
            let parts = split(self.slice(arguments), |sign| sign == ",");
            let subject = match parts.first() {
                Some([Token { word: Word::Name(name), .. }]) => Some(name.as_str()),
                _ => None,
            };
            let checks = match parts.get(1).copied() {
                Some(
                    [
                        Token { word: Word::Sign("{"), .. },
                        inside @ ..,
                        Token { word: Word::Sign("}"), .. },
                    ],
                ) => split(inside, |sign| sign == ","),
                other => vec![other.unwrap_or_default()],
            };
            for check in checks.into_iter().filter(|check| !check.is_empty()) {
                let (expected, all) = expected(check, subject);
                // Those of several requests are not told apart.
                match call {
                    Some((first, 1)) => {
                        if let Some(request) = self.requests().get_mut(first) {
                            let task = &mut request.task;
                            expected.into_iter().for_each(|one| add(task, "assertions", one));
                        }
                        if !all {
                            self.import.notices.leave_out("check without a counterpart");
                        }
                    }
                    Some(_) => self.import.notices.leave_out("check of a batch"),
                    None => self.import.notices.leave_out("check without a counterpart"),
                }
            }
        }
    }
}

/// What a member of a check expects, and whether that is all of it. `subject` is a name of the response.
fn expected(check: &[Token], subject: Option<&str>) -> (Vec<Value>, bool) {
    let nothing = (Vec::new(), false);
    let [_, Token { word: Word::Sign(":"), .. }, function @ ..] = check else { return nothing };
    let Some((parameter, body)) = returned(function) else { return nothing };
    let body = bare(body);
    // Of alternatives none is certain.
    if outside(body, |sign| matches!(sign, "||" | "??" | "?" | "=>" | "," | ";")).next().is_some() {
        return nothing;
    }
    let is_response = |name: &str| Some(name) == parameter || Some(name) == subject;
    let mut found = Vec::new();
    let mut all = true;
    for part in split(body, |sign| sign == "&&") {
        match bare(part) {
            // That there is a response at all.
            [Token { word: Word::Name(name), .. }] if is_response(name) => {}
            part => match assertion(part, &is_response) {
                Some(assertion) => found.push(assertion),
                None => all = false,
            },
        }
    }
    (found, all)
}

fn assertion(words: &[Token], is_response: &dyn Fn(&str) -> bool) -> Option<Value> {
    let words: Vec<&Word> = words.iter().map(|token| &token.word).collect();
    match words.as_slice() {
        [
            Word::Name(response),
            Word::Sign("." | "?."),
            Word::Name(part),
            Word::Sign("===" | "=="),
            Word::Number(status),
        ]
        | [
            Word::Number(status),
            Word::Sign("===" | "=="),
            Word::Name(response),
            Word::Sign("." | "?."),
            Word::Name(part),
        ] if part == "status" && is_response(response) => {
            let code = *status as i64;
            let is_status = (100..600).contains(&code) && status.fract() == 0.0;
            is_status.then(|| status_assertion(code))
        }
        [
            Word::Name(response),
            Word::Sign("." | "?."),
            Word::Name(part),
            Word::Sign("." | "?."),
            Word::Name(method),
            Word::Sign("("),
            Word::Text(held),
            Word::Sign(")"),
        ] if part == "body" && method == "includes" && is_response(response) => Some(Value::dict(
            [("type", "contains"), ("value", held)].map(|(key, value)| (key, Value::from(value))),
        )),
        _ => None,
    }
}

/// The parameter of a function, and the expression that it returns.
fn returned(function: &[Token]) -> Option<(Option<&str>, &[Token])> {
    let arrow = outside(function, |sign| sign == "=>").next();
    let (parameters, body) = match (arrow, function) {
        (Some(at), _) => (function.get(..at)?, function.get(at + 1..)?),
        (None, [Token { word: Word::Name(word), .. }, rest @ ..]) if word == "function" => {
            let open = rest.iter().position(|token| token.word == Word::Sign("("))?;
            let end = closing(rest, open)?;
            (rest.get(open..=end)?, rest.get(end + 1..)?)
        }
        _ => return None,
    };
    let parameter = match bare(parameters) {
        [Token { word: Word::Name(name), .. }] => Some(name.as_str()),
        _ => None,
    };
    let body = match body {
        [
            Token { word: Word::Sign("{"), .. },
            Token { word: Word::Name(word), .. },
            expression @ ..,
            Token { word: Word::Sign("}"), .. },
        ] if word == "return" => match expression {
            [expression @ .., Token { word: Word::Sign(";"), .. }] => expression,
            expression => expression,
        },
        [Token { word: Word::Sign("{"), .. }, ..] => return None,
        body => body,
    };
    Some((parameter, body))
}

/// Words without round brackets around all of them.
fn bare(mut words: &[Token]) -> &[Token] {
    while let [
        Token { word: Word::Sign("("), .. },
        inside @ ..,
        Token { word: Word::Sign(")"), .. },
    ] = words
        && closing(words, 0) == Some(words.len() - 1)
    {
        words = inside;
    }
    words
}
