//! k6 scripts, as far as they can be read without running them: calls of `http`, their checks, pauses and
//! groups, and the options. What a script computes is a variable, or is listed.

mod checks;
mod options;
mod request;
mod value;

use std::ops::Range;

use self::options::Functions;
use self::value::{Js, Names};
use super::javascript::{
    Branch, Token, Word, branches, closing, expression, open_bracket, split, tokens,
};
use super::load::rounded;
use super::steps::steps;
use super::{Import, NotImported, Request, Test, add};
use crate::value::Value;

/// How many words may be looked at, those inside of others again.
const MOST_WORDS: usize = 5_000_000;

/// Functions of a script that run outside of iterations.
const APART: [&str; 2] = ["setup", "teardown"];

/// Whether a text is a script of k6.
pub(crate) fn is_script(text: &str) -> bool {
    let quoted = |module: &str| {
        ['"', '\''].iter().any(|quote| text.contains(&format!("{quote}{module}{quote}")))
    };
    quoted("k6/http") || quoted("k6")
}

/// The requests of a script, a test for each of its scenarios. Fails where there is none, and something
/// in it says why.
pub(crate) fn import(source: &str) -> Result<Import, NotImported> {
    let Found { mut import, functions, names, open, computed } = read(source)?;
    let open = open.map(|(line, bracket)| format!("line {line}: `{bracket}` is not closed"));
    if import.tests.iter().all(|test| test.requests.is_empty()) {
        let computed = computed.map(|at| {
            let line = line(source, at);
            format!("line {line}: the URL is computed; write it as text")
        });
        if let Some(why) = computed.or(open) {
            return Err(NotImported(why));
        }
    } else if let Some(open) = open {
        import.notices.say(open);
    }
    let options = names.get("options").and_then(Js::value).cloned().unwrap_or_default();
    options::apply(&options, import, &functions)
}

/// The requests of a script in their order, in one test.
pub(crate) fn import_as_one(source: &str) -> Result<Import, NotImported> {
    let Found { mut import, names, .. } = read(source)?;
    let options = names.get("options").and_then(Js::value).cloned().unwrap_or_default();
    options::apply_to_one(&options, &mut import);
    Ok(import)
}

/// What a script has.
struct Found {
    import: Import,
    functions: Functions,
    names: Names,
    /// The first bracket that is not closed, and its line.
    open: Option<(usize, &'static str)>,
    /// Where the first URL stands that the script computes.
    computed: Option<usize>,
}

fn read(source: &str) -> Result<Found, NotImported> {
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
        checks: Vec::new(),
        awaited: None,
        shadowed: Vec::new(),
        computed: None,
        seen: 0,
    };
    script.read()?;
    script.finish()?;
    if script.names.is_name_computed("options") {
        script.import.notices.say("options that the script computes are left out");
    }
    let functions = script.requests_of_functions();
    let open = open_bracket(&words).map(|(at, bracket)| (line(source, at), bracket));
    let Script { import, names, computed, .. } = script;
    Ok(Found { import, functions, names, open, computed })
}

/// The line of a place in a script, from 1.
fn line(source: &str, at: usize) -> usize {
    source.get(..at).map_or(0, |before| before.matches('\n').count()) + 1
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

/// A call of `check`.
#[derive(Debug)]
struct Check {
    /// The words of its arguments.
    arguments: Range<usize>,
    /// The number of the request whose response it is about, if a name says so.
    request: Option<usize>,
}

/// A name for a response whose request is still to be read.
#[derive(Debug)]
struct Awaited {
    name: String,
    /// Where the words of the call begin.
    at: usize,
    /// What follows the call: nothing, or the part of the response that is meant.
    part: Range<usize>,
}

struct Script<'a> {
    source: &'a str,
    words: &'a [Token],
    names: Names,
    import: Import,
    calls: Vec<Call>,
    groups: Vec<(Range<usize>, String)>,
    functions: Vec<(Range<usize>, String)>,
    checks: Vec<Check>,
    /// What is to be named by the next call.
    awaited: Option<Awaited>,
    /// What names meant before the parameters of a function took them, and where the function ends.
    shadowed: Vec<(usize, String, Option<Js>)>,
    /// Where the first URL stands that the script computes.
    computed: Option<usize>,
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
            while let Some((_, name, before)) = self.shadowed.pop_if(|(end, ..)| *end <= at) {
                self.names.restore(&name, before);
            }
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
                    let first = self.requests().len();
                    self.call(at)?;
                    self.named(at, first);
                }
                "check" if self.is_sign(at + 1, "(") => self.check(at + 1),
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
                _ => {}
            }
        }
        Ok(())
    }

    /// `name = …`, also of constants.
    fn assign(&mut self, name: &str, from: usize) {
        let value = expression(self.words, from);
        self.seen += value.len();
        // A call of http in it is read when its words come.
        let from = from + usize::from(self.name_at(from) == Some("await"));
        if self.name_at(from) == Some("http")
            && self.is_sign(from + 1, ".")
            && self.name_at(from + 2) != Some("url")
            && self.is_sign(from + 3, "(")
        {
            let behind = self.inside(from + 3).end + 1;
            let end = value.last().map_or(0, |last| last.end);
            let part = self.words.get(behind..).unwrap_or_default();
            let part = part.iter().take_while(|word| word.end <= end).count();
            let part = behind..behind + part;
            self.awaited = Some(Awaited { name: name.to_owned(), at: from, part });
            self.names.set(name, Js::Unknown);
            return;
        }
        if let Some((number, extractor)) = self.extracted(name, value) {
            self.extract(name, number, extractor);
            return;
        }
        // A function of its own is a function.
        if matches!(value, [Token { word: Word::Name(word), .. }, ..] if word == "function" || word == "async")
            || value.iter().any(|token| token.word == Word::Sign("=>"))
        {
            let body = (from..from + value.len()).find(|at| self.is_sign(*at, "{"));
            if let Some(body) = body {
                let inside = self.inside(body);
                self.shadow(from..body, inside.end);
                self.functions.push((inside, name.to_owned()));
            }
        }
        self.names.define(name, value);
    }

    /// Gives a response its name, once its request is known; without a request it is not known.
    fn named(&mut self, at: usize, first: usize) {
        let Some(Awaited { name, part, .. }) = self.awaited.take_if(|awaited| awaited.at == at)
        else {
            return;
        };
        if self.requests().len() == first {
            return;
        }
        if part.is_empty() {
            self.names.set(&name, Js::Response(first));
        } else if let [
            Token { word: Word::Sign("."), .. },
            Token { word: Word::Name(what), .. },
            rest @ ..,
        ] = self.slice(part)
            && let Some(extractor) = self.part(&name, what, rest)
        {
            self.extract(&name, first, extractor);
        }
    }

    /// Takes a variable out of the response of a request.
    fn extract(&mut self, name: &str, number: usize, extractor: Value) {
        if let Some(request) = self.requests().get_mut(number) {
            add(&mut request.task, "extract", extractor);
        }
        self.names.set(name, Js::Known(format!("${{{name}}}").into()));
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
        Some((number, self.part(name, part, rest)?))
    }

    /// An extractor of a part of a response.
    fn part(&self, name: &str, part: &str, rest: &[Token]) -> Option<Value> {
        match (part, rest) {
            (
                "json",
                [
                    Token { word: Word::Sign("("), .. },
                    Token { word: Word::Text(path), .. },
                    Token { word: Word::Sign(")"), .. },
                ],
            ) => Some(of_path(name, path)),
            (
                "json",
                [
                    Token { word: Word::Sign("("), .. },
                    Token { word: Word::Sign(")"), .. },
                    rest @ ..,
                ],
            ) => Some(of_path(name, &self.path(rest)?)),
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
                Some(Value::dict(members.map(|(key, value)| (key, Value::from(value)))))
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
        let parameters = self.inside(open);
        let body = parameters.end + 1;
        if self.is_sign(body, "{") {
            let name = named.unwrap_or("default").to_owned();
            let inside = self.inside(body);
            self.shadow(parameters, inside.end);
            self.functions.push((inside, name));
        }
    }

    /// Parameters are not known, whatever their names mean outside of the function.
    fn shadow(&mut self, parameters: Range<usize>, end: usize) {
        for token in self.slice(parameters) {
            if let Word::Name(name) = &token.word
                && self.names.get(name).is_some()
            {
                let before = self.names.restore(name, None);
                self.shadowed.push((end, name.clone(), before));
            }
        }
    }

    /// What is known when everything has been read: checks, groups, what does not run exactly once.
    fn finish(&mut self) -> Result<(), NotImported> {
        let branches = branches(self.words).ok_or_else(too_many)?;
        let ranges = self.groups.len() + branches.len() + self.functions.len() + self.checks.len();
        if self.calls.len().saturating_mul(ranges) > MOST_WORDS {
            return Err(too_many());
        }
        self.apply_checks();
        let calls = std::mem::take(&mut self.calls);
        for call in &calls {
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
            for (range, branch) in &branches {
                if within(range) {
                    let kind = match branch {
                        Branch::Loop => "loops whose requests run once",
                        Branch::Condition => "conditions whose requests always run",
                    };
                    let at = self.words.get(range.start).map_or(0, |word| word.start);
                    let line = line(self.source, at);
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

fn too_many() -> NotImported {
    NotImported("the script has too many calls in too many blocks".to_owned())
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

#[cfg(test)]
mod tests;
