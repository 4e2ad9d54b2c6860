//! k6 scripts, as far as they can be read without running them: calls of `http`, their checks, pauses and
//! groups, and the options. What a script computes is a variable, or is listed.

mod options;
mod request;
mod scan;
mod value;

use std::ops::Range;

use self::options::Functions;
use self::scan::{Token, Word, tokens};
use self::value::{Js, Names, closing, expression, split};
use super::load::rounded;
use super::steps::steps;
use super::{Import, NotImported, Request, Test, add};
use crate::value::Value;

/// How many words may be looked at, those inside of others again.
const MOST_WORDS: usize = 5_000_000;

/// Functions of a script that run outside of iterations.
const APART: [&str; 2] = ["setup", "teardown"];

/// Words that begin what a document does not have.
const BRANCHES: [(&str, &str); 4] = [
    ("for", "loops whose requests run once"),
    ("while", "loops whose requests run once"),
    ("if", "conditions whose requests always run"),
    ("switch", "conditions whose requests always run"),
];

/// Whether a text is a script of k6.
pub(crate) fn is_script(text: &str) -> bool {
    let quoted = |module: &str| {
        ['"', '\''].iter().any(|quote| text.contains(&format!("{quote}{module}{quote}")))
    };
    quoted("k6/http") || quoted("k6")
}

/// The requests of a script, a test for each of its scenarios.
pub(crate) fn import(source: &str) -> Result<Import, NotImported> {
    let (import, functions, names) = read(source)?;
    let options = names.get("options").and_then(Js::value).cloned().unwrap_or_default();
    options::apply(&options, import, &functions)
}

/// The requests of a script in their order, in one test.
pub(crate) fn import_as_one(source: &str) -> Result<Import, NotImported> {
    let (mut import, _, names) = read(source)?;
    let options = names.get("options").and_then(Js::value).cloned().unwrap_or_default();
    options::apply_to_one(&options, &mut import);
    Ok(import)
}

fn read(source: &str) -> Result<(Import, Functions, Names), NotImported> {
    let words = tokens(source)?;
    let mut import = Import::default();
    import.tests.push(Test::default());
    let mut script = Script {
        source,
        words: &words,
        names: Names::default(),
        import,
        calls: Vec::new(),
        groups: Vec::new(),
        functions: Vec::new(),
        branches: Vec::new(),
        seen: 0,
    };
    script.read()?;
    script.finish()?;
    let functions = script.requests_of_functions();
    Ok((script.import, functions, script.names))
}

/// A call of `http`.
#[derive(Debug)]
struct Call {
    /// Its words.
    words: Range<usize>,
    /// How many requests it makes, and the number of the first.
    first: usize,
    count: usize,
}

struct Script<'a> {
    source: &'a str,
    words: &'a [Token],
    names: Names,
    import: Import,
    calls: Vec<Call>,
    groups: Vec<(Range<usize>, String)>,
    functions: Vec<(Range<usize>, String)>,
    branches: Vec<(Range<usize>, &'static str)>,
    /// How many words have been looked at.
    seen: usize,
}

impl<'a> Script<'a> {
    fn name_at(&self, at: usize) -> Option<&'a str> {
        match &self.words.get(at)?.word {
            Word::Name(name) => Some(name),
            _ => None,
        }
    }

    fn is_sign(&self, at: usize, wanted: &str) -> bool {
        matches!(self.words.get(at), Some(Token { word: Word::Sign(sign), .. }) if *sign == wanted)
    }

    /// The words between a bracket and the one that closes it.
    fn inside(&mut self, open: usize) -> Range<usize> {
        let inside = open + 1..closing(self.words, open).unwrap_or(self.words.len());
        self.seen += inside.len();
        inside
    }

    fn slice(&self, range: Range<usize>) -> &'a [Token] {
        self.words.get(range).unwrap_or_default()
    }

    fn read(&mut self) -> Result<(), NotImported> {
        for at in 0..self.words.len() {
            let Some(name) = self.name_at(at) else { continue };
            if self.seen > MOST_WORDS {
                return Err(NotImported("the calls of the script are nested too deep".to_owned()));
            }
            // Members are no names.
            if at > 0 && (self.is_sign(at - 1, ".") || self.is_sign(at - 1, "?.")) {
                continue;
            }
            if self.is_sign(at + 1, "=") {
                self.assign(name, at + 2);
                continue;
            }
            match name {
                "http" if self.is_sign(at + 1, ".") && self.is_sign(at + 3, "(") => {
                    self.call(at)?
                }
                "sleep" if self.is_sign(at + 1, "(") => self.sleep(at + 1),
                "group" if self.is_sign(at + 1, "(") => {
                    let inside = self.inside(at + 1);
                    let name = split(self.slice(inside.clone()), |sign| sign == ",");
                    let name = name.first().map(|name| self.names.value(name));
                    if let Some(name) = name.and_then(|name| name.text()) {
                        self.groups.push((inside, name));
                    }
                }
                "function" => self.function(at),
                "SharedArray" if self.is_sign(at + 1, "(") => {
                    self.import.notices.leave_out("SharedArray (see csv_sources)");
                }
                "ws" | "grpc" | "browser" if self.is_sign(at + 1, ".") => {
                    self.import.notices.leave_out(format!("call of {name}"));
                }
                word => {
                    let branch = BRANCHES.iter().find(|(known, _)| *known == word);
                    if let Some((_, kind)) = branch.filter(|_| self.is_sign(at + 1, "(")) {
                        let body = self.inside(at + 1).end + 1;
                        if self.is_sign(body, "{") {
                            let inside = self.inside(body);
                            self.branches.push((inside, kind));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// `name = …`, also of constants.
    fn assign(&mut self, name: &str, from: usize) {
        let value = expression(self.words, from);
        self.seen += value.len();
        // A call of http in it is read when its words come; its request will be the next.
        if let [
            Token { word: Word::Name(http), .. },
            Token { word: Word::Sign("."), .. },
            Token { word: Word::Name(method), .. },
            ..,
        ] = value
            && http == "http"
            && method != "url"
        {
            let number = self.import.tests.last().map_or(0, |test| test.requests.len());
            self.names.set(name, Js::Response(number));
            return;
        }
        if let Some((number, extractor)) = self.extracted(name, value) {
            let requests = self.import.tests.last_mut().map(|test| &mut test.requests);
            if let Some(request) = requests.and_then(|requests| requests.get_mut(number)) {
                add(&mut request.task, "extract", extractor);
            }
            self.names.set(name, Js::Known(format!("${{{name}}}").into()));
            return;
        }
        // A function of its own is a function.
        if matches!(value, [Token { word: Word::Name(word), .. }, ..] if word == "function" || word == "async")
            || value.iter().any(|token| token.word == Word::Sign("=>"))
        {
            let body = (from..from + value.len()).find(|at| self.is_sign(*at, "{"));
            if let Some(body) = body {
                let inside = self.inside(body);
                self.functions.push((inside, name.to_owned()));
            }
        }
        let value = self.names.value(value);
        self.names.set(name, value);
    }

    /// `response.json('data.token')` and the like, as an extractor.
    fn extracted(&self, name: &str, value: &[Token]) -> Option<(usize, Value)> {
        let [
            Token { word: Word::Name(response), .. },
            Token { word: Word::Sign("."), .. },
            Token { word: Word::Name(part), .. },
            rest @ ..,
        ] = value
        else {
            // `JSON.parse(response.body).token`
            return None;
        };
        if response == "JSON" && part == "parse" {
            let [
                Token { word: Word::Sign("("), .. },
                Token { word: Word::Name(response), .. },
                _,
                Token { word: Word::Name(body), .. },
                Token { word: Word::Sign(")"), .. },
                rest @ ..,
            ] = rest
            else {
                return None;
            };
            let number = self.response(response).filter(|_| body == "body")?;
            return Some((number, of_path(name, &self.path(rest)?)));
        }
        let number = self.response(response)?;
        match (part.as_str(), rest) {
            (
                "json",
                [
                    Token { word: Word::Sign("("), .. },
                    Token { word: Word::Text(path), .. },
                    Token { word: Word::Sign(")"), .. },
                ],
            ) => Some((number, of_path(name, path))),
            (
                "json",
                [
                    Token { word: Word::Sign("("), .. },
                    Token { word: Word::Sign(")"), .. },
                    rest @ ..,
                ],
            ) => Some((number, of_path(name, &self.path(rest)?))),
            (
                "headers",
                [
                    Token { word: Word::Sign("["), .. },
                    Token { word: Word::Text(header), .. },
                    Token { word: Word::Sign("]"), .. },
                ],
            )
            | (
                "headers",
                [Token { word: Word::Sign("."), .. }, Token { word: Word::Name(header), .. }],
            ) => {
                let members = [("var", name), ("from", "header"), ("name", header)];
                Some((number, Value::dict(members.map(|(key, value)| (key, Value::from(value))))))
            }
            _ => None,
        }
    }

    fn response(&self, name: &str) -> Option<usize> {
        match self.names.get(name) {
            Some(Js::Response(number)) => Some(*number),
            _ => None,
        }
    }

    /// Members after a value, as they are written: `.data[0].id`
    fn path(&self, rest: &[Token]) -> Option<String> {
        let (first, last) = (rest.first()?, rest.last()?);
        steps(self.source.get(first.start..last.end)?)
    }

    fn sleep(&mut self, open: usize) {
        let inside = self.inside(open);
        let inside = self.slice(inside);
        let pause = match self.names.value(inside) {
            Js::Known(value) if value.as_f64().is_some() => value.as_f64().map(rounded),
            Js::Known(Value::Str(text)) => randint(&text)
                .map(|(low, high)| Value::dict([("min", rounded(low)), ("max", rounded(high))])),
            _ => None,
        };
        match (pause, self.import.last()) {
            (Some(pause), Some(request)) if request.pause.is_none() => request.pause = Some(pause),
            (Some(_), _) => self.import.notices.leave_out("sleep without a request before it"),
            (None, _) => self.import.notices.leave_out("sleep for a time that is computed"),
        }
    }

    fn function(&mut self, at: usize) {
        let named = self.name_at(at + 1);
        let open = at + 1 + usize::from(named.is_some());
        if !self.is_sign(open, "(") {
            return;
        }
        let body = self.inside(open).end + 1;
        if self.is_sign(body, "{") {
            let name = named.unwrap_or("default").to_owned();
            let inside = self.inside(body);
            self.functions.push((inside, name));
        }
    }

    /// What is known when everything has been read: checks, groups, branches.
    fn finish(&mut self) -> Result<(), NotImported> {
        let ranges = self.groups.len() + self.branches.len() + self.functions.len();
        if self.calls.len().saturating_mul(ranges) > MOST_WORDS {
            return Err(NotImported("the script has too many calls in too many blocks".to_owned()));
        }
        let calls = std::mem::take(&mut self.calls);
        for (index, call) in calls.iter().enumerate() {
            let next = calls.get(index + 1).map_or(self.words.len(), |next| next.words.start);
            let between = self.slice(call.words.end..next);
            self.checks(call, between);
            let within = |range: &Range<usize>| range.contains(&call.words.start);
            let groups: Vec<String> = self
                .groups
                .iter()
                .filter(|(range, _)| within(range))
                .map(|(_, name)| name.clone())
                .collect();
            if !groups.is_empty() {
                self.prefix(call, &groups.join(" / "));
            }
            for (range, kind) in &self.branches {
                if within(range) {
                    let line =
                        self.source.get(..self.words.get(range.start).map_or(0, |word| word.start));
                    let line = line.map_or(0, |before| before.matches('\n').count()) + 1;
                    self.import.notices.note(kind, format!("line {line}"));
                }
            }
            for apart in APART {
                if self.functions.iter().any(|(range, name)| name == apart && within(range)) {
                    self.import
                        .notices
                        .note("functions whose requests are part of each iteration", apart);
                }
            }
        }
        self.calls = calls;
        Ok(())
    }

    fn requests_of_functions(&self) -> Functions {
        let mut found = Functions::new();
        for call in &self.calls {
            for (range, name) in &self.functions {
                if range.contains(&call.words.start) {
                    found
                        .entry(name.clone())
                        .or_default()
                        .extend(call.first..call.first + call.count);
                }
            }
        }
        found
    }

    fn requests(&mut self) -> &mut [Request] {
        self.import.tests.last_mut().map_or(&mut [], |test| &mut test.requests)
    }
}

fn of_path(name: &str, path: &str) -> Value {
    Value::dict([("var", name), ("path", path)].map(|(key, value)| (key, Value::from(value))))
}

/// The bounds of our own random integer.
fn randint(text: &str) -> Option<(f64, f64)> {
    let bounds = text.strip_prefix("${randint(")?.strip_suffix(")}")?;
    let (low, high) = bounds.split_once(',')?;
    Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
}
