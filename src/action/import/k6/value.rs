//! The values of expressions, as far as they are known without running the script: literals, constants,
//! `JSON.stringify`, and texts whose parts are variables.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::super::javascript::{Token, Word, closing, outside, split, tokens, unescaped};
use super::super::placeholders::computed;
use crate::value::{Map, Value};

/// How deep expressions may be.
const MAX_DEPTH: usize = 24;

/// What a value may take in memory, in bytes: constants that double each other would grow without end.
const MAX_WEIGHT: usize = 256 << 10;

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Js {
    /// A value, whose texts may hold placeholders.
    Known(Value),
    /// The text of a value as JSON.
    Json(Value),
    /// A response, by the number of its request.
    Response(usize),
    /// Something that only running the script would tell.
    Unknown,
}

impl Js {
    /// As a text.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Known(Value::Str(text)) => Some(text.clone()),
            Self::Known(value @ (Value::Int(_) | Value::Float(_) | Value::Bool(_))) => {
                Some(value.to_text())
            }
            Self::Json(value) => Some(value.to_json(crate::value::Charset::Unicode)),
            _ => None,
        }
    }

    pub(super) fn value(&self) -> Option<&Value> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }
}

/// The names of a script, with what they are; whichever function they belong to.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<String, Js>,
    /// Those whose values have parts that only running the script would tell.
    partly: HashSet<String>,
    /// Whether the value that was asked for last has such parts.
    is_computed: Cell<bool>,
}

impl Names {
    pub(super) fn set(&mut self, name: &str, value: Js) {
        self.known.insert(name.to_owned(), value);
        self.partly.remove(name);
    }

    /// Gives a name the value of an expression.
    pub(super) fn define(&mut self, name: &str, expression: &[Token]) {
        let value = self.value(expression);
        self.set(name, value);
        if self.is_computed() {
            self.partly.insert(name.to_owned());
        }
    }

    /// Whether what a name means has such parts.
    pub(super) fn is_name_computed(&self, name: &str) -> bool {
        self.partly.contains(name)
    }

    /// Whether the value that was asked for last has parts that only running the script would tell: they
    /// are variables, or left out.
    pub(super) fn is_computed(&self) -> bool {
        self.is_computed.get()
    }

    /// Gives a name the meaning that it had; returns the one that it has.
    pub(super) fn restore(&mut self, name: &str, before: Option<Js>) -> Option<Js> {
        match before {
            Some(before) => self.known.insert(name.to_owned(), before),
            None => self.known.remove(name),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Js> {
        self.known.get(name)
    }

    /// The value of an expression.
    pub(super) fn value(&self, expression: &[Token]) -> Js {
        self.is_computed.set(false);
        self.at(expression, 0)
    }

    fn at(&self, words: &[Token], depth: usize) -> Js {
        let value = self.unbounded(words, depth);
        match &value {
            Js::Known(known) | Js::Json(known) if known.weight() > MAX_WEIGHT => Js::Unknown,
            _ => value,
        }
    }

    fn unbounded(&self, words: &[Token], depth: usize) -> Js {
        if depth > MAX_DEPTH || words.is_empty() {
            return Js::Unknown;
        }
        if outside(words, |sign| matches!(sign, "=>" | "?" | "&&" | "==" | "===" | "!=" | "!=="))
            .next()
            .is_some()
        {
            return Js::Unknown;
        }
        let choices = split(words, |sign| matches!(sign, "||" | "??"));
        if choices.len() > 1 {
            return self.choice(&choices, depth);
        }
        let sums = split(words, |sign| sign == "+");
        if sums.len() > 1 {
            return self.sum(&sums, depth);
        }
        if let Some(at) = operator(words, &["-"]).or_else(|| operator(words, &["*", "/", "%"])) {
            return self.result(words, at, depth);
        }
        match words {
            [Token { word: Word::Sign("-"), .. }, Token { word: Word::Number(number), .. }] => {
                Js::Known(Value::of_number(-number))
            }
            [
                Token { word: Word::Sign("("), .. },
                inside @ ..,
                Token { word: Word::Sign(")"), .. },
            ] if closing(words, 0) == Some(words.len() - 1) => self.at(inside, depth + 1),
            [
                Token { word: Word::Sign("{"), .. },
                inside @ ..,
                Token { word: Word::Sign("}"), .. },
            ] => self.object(inside, depth),
            [
                Token { word: Word::Sign("["), .. },
                inside @ ..,
                Token { word: Word::Sign("]"), .. },
            ] => {
                let mut list = Vec::new();
                let items = split(inside, |sign| sign == ",").into_iter();
                for (number, item) in items.filter(|item| !item.is_empty()).enumerate() {
                    match item {
                        [Token { word: Word::Sign("..."), .. }, more @ ..] => {
                            match self.at(more, depth + 1) {
                                Js::Known(Value::List(more)) => list.extend(more),
                                _ => self.is_computed.set(true),
                            }
                        }
                        item => list.push(self.member(&number.to_string(), item, depth)),
                    }
                }
                Js::Known(Value::List(list))
            }
            _ => self.chain(words, depth),
        }
    }

    /// `a || b`: a variable of the environment gives way to the default beside it.
    fn choice(&self, choices: &[&[Token]], depth: usize) -> Js {
        let values: Vec<Js> = choices.iter().map(|choice| self.at(choice, depth + 1)).collect();
        let of_environment =
            |value: &Js| value.text().is_some_and(|text| text.starts_with("${env."));
        if values.contains(&Js::Unknown) {
            self.is_computed.set(true);
        }
        let fixed = values.iter().find(|value| **value != Js::Unknown && !of_environment(value));
        fixed
            .or_else(|| values.iter().find(|value| **value != Js::Unknown))
            .cloned()
            .unwrap_or(Js::Unknown)
    }

    fn sum(&self, parts: &[&[Token]], depth: usize) -> Js {
        let values: Vec<Js> = parts.iter().map(|part| self.at(part, depth + 1)).collect();
        let numbers: Option<Vec<f64>> =
            values.iter().map(|value| value.value().and_then(Value::as_f64)).collect();
        if let Some(numbers) = numbers {
            return Js::Known(Value::of_number(numbers.iter().sum()));
        }
        let mut out = String::new();
        for (value, part) in values.iter().zip(parts) {
            match value.text().or_else(|| placeholder(part)) {
                Some(text) => out.push_str(&text),
                None => return Js::Unknown,
            }
        }
        Js::Known(out.into())
    }

    /// The result of a calculation with the operator at a place.
    fn result(&self, words: &[Token], at: usize, depth: usize) -> Js {
        let (Some(left), Some(right)) = (words.get(..at), words.get(at + 1..)) else {
            return Js::Unknown;
        };
        let number = |words| self.at(words, depth + 1).value().and_then(Value::as_f64);
        let (Some(left), Some(right)) = (number(left), number(right)) else { return Js::Unknown };
        let result = match words.get(at).map(|token| &token.word) {
            Some(Word::Sign("-")) => left - right,
            Some(Word::Sign("*")) => left * right,
            Some(Word::Sign("/")) => left / right,
            _ => left % right,
        };
        match result.is_finite() {
            true => Js::Known(Value::of_number(result)),
            false => Js::Unknown,
        }
    }

    /// A value inside another; what is not known is a variable.
    fn member(&self, name: &str, words: &[Token], depth: usize) -> Value {
        let value = self.at(words, depth + 1);
        let text = value.text();
        match value {
            Js::Known(value) => value,
            Js::Json(_) => text.into(),
            Js::Response(_) => self.computed(name).into(),
            Js::Unknown => placeholder(words).unwrap_or_else(|| self.computed(name)).into(),
        }
    }

    /// A variable for a member whose value the script computes.
    fn computed(&self, name: &str) -> String {
        self.is_computed.set(true);
        computed(name)
    }

    fn object(&self, inside: &[Token], depth: usize) -> Js {
        let mut members = Map::new();
        for member in split(inside, |sign| sign == ",") {
            match member {
                [] => {}
                [Token { word: Word::Sign("..."), .. }, rest @ ..] => {
                    match self.at(rest, depth + 1) {
                        Js::Known(Value::Dict(more)) => members.extend(more),
                        Js::Known(Value::Null) => {}
                        _ => self.is_computed.set(true),
                    }
                }
                [Token { word: Word::Name(name), .. }] => {
                    members.insert(name.clone(), self.member(name, member, depth));
                }
                // `[key]: value`
                [Token { word: Word::Sign("["), .. }, rest @ ..] => {
                    let known = closing(member, 0).and_then(|end| {
                        let (key, value) = (rest.get(..end - 1)?, rest.get(end..)?);
                        let [Token { word: Word::Sign(":"), .. }, value @ ..] = value else {
                            return None;
                        };
                        Some((self.at(key, depth + 1).text()?, value))
                    });
                    match known {
                        Some((key, value)) => {
                            let value = self.member(&key, value, depth);
                            members.insert(key, value);
                        }
                        None => self.is_computed.set(true),
                    }
                }
                [key, Token { word: Word::Sign(":"), .. }, value @ ..] => {
                    let key = match &key.word {
                        Word::Name(key) | Word::Text(key) | Word::Template(key) => key.clone(),
                        Word::Number(number) => Value::of_number(*number).to_text(),
                        _ => {
                            self.is_computed.set(true);
                            continue;
                        }
                    };
                    let value = self.member(&key, value, depth);
                    members.insert(key, value);
                }
                _ => self.is_computed.set(true),
            }
        }
        Js::Known(Value::Dict(members))
    }

    /// A name or a literal, with what follows it: members, calls.
    fn chain(&self, words: &[Token], depth: usize) -> Js {
        let [first, rest @ ..] = words else { return Js::Unknown };
        match (&first.word, rest) {
            (Word::Text(text), []) => Js::Known(text.as_str().into()),
            (Word::Number(number), []) => Js::Known(Value::of_number(*number)),
            (Word::Template(text), []) => self.template(text, depth),
            (Word::Name(name), rest) => self.named(name, rest, depth),
            _ => Js::Unknown,
        }
    }

    fn named(&self, name: &str, rest: &[Token], depth: usize) -> Js {
        let signs: Vec<&str> = rest
            .iter()
            .map(|token| match &token.word {
                Word::Sign(sign) => *sign,
                Word::Name(name) => name.as_str(),
                _ => "",
            })
            .collect();
        match (name, signs.as_slice()) {
            ("true" | "false", []) => return Js::Known((name == "true").into()),
            ("null" | "undefined", []) => return Js::Known(Value::Null),
            ("__ENV", [".", variable]) => return Js::Known(format!("${{env.{variable}}}").into()),
            ("__ENV", ["[", _, "]"]) => {
                if let Some(Token { word: Word::Text(variable), .. }) = rest.get(1) {
                    return Js::Known(format!("${{env.{variable}}}").into());
                }
            }
            ("JSON", [".", "stringify", "(", .., ")"]) => {
                let arguments = rest.get(3..rest.len().saturating_sub(1)).unwrap_or_default();
                let first =
                    split(arguments, |sign| sign == ",").first().copied().unwrap_or_default();
                return match self.at(first, depth + 1) {
                    Js::Known(value) => Js::Json(value),
                    _ => Js::Unknown,
                };
            }
            ("http", [".", "url"]) => {}
            ("http", [".", "url", ..]) => {
                if let [_, _, Token { word: Word::Template(text), .. }] = rest {
                    return self.template(text, depth);
                }
            }
            ("uuidv4", ["(", ")"]) => return Js::Known("${uuid()}".into()),
            ("randomIntBetween", ["(", .., ")"]) => {
                let arguments = rest.get(1..rest.len() - 1).unwrap_or_default();
                let bounds = split(arguments, |sign| sign == ",");
                let bounds: Option<Vec<i64>> = bounds
                    .iter()
                    .map(|bound| match self.at(bound, depth + 1) {
                        Js::Known(Value::Int(bound)) => Some(bound),
                        _ => None,
                    })
                    .collect();
                if let Some([low, high]) = bounds.as_deref() {
                    return Js::Known(format!("${{randint({low}, {high})}}").into());
                }
            }
            ("String", ["(", .., ")"]) => {
                return self.at(rest.get(1..rest.len() - 1).unwrap_or_default(), depth + 1);
            }
            ("encodeURIComponent" | "encodeURI", ["(", .., ")"]) => {
                let inside = rest.get(1..rest.len() - 1).unwrap_or_default();
                let text = self.at(inside, depth + 1).text().or_else(|| placeholder(inside));
                let kept = if name == "encodeURI" { "-_.!~*'();/?:@&=+$,#" } else { "-_.!~*'()" };
                return text.map_or(Js::Unknown, |text| Js::Known(escaped(&text, kept).into()));
            }
            (_, [".", "toString", "(", ")"]) => return self.named(name, &[], depth + 1),
            _ => {}
        }
        if self.partly.contains(name) {
            self.is_computed.set(true);
        }
        let Some(Js::Known(known)) = self.known.get(name) else {
            return match rest {
                [] => self.known.get(name).cloned().unwrap_or(Js::Unknown),
                _ => Js::Unknown,
            };
        };
        // Members of a constant.
        let mut at = known;
        let mut rest = rest;
        loop {
            let key = match rest {
                [] => return Js::Known(at.clone()),
                [
                    Token { word: Word::Sign("."), .. },
                    Token { word: Word::Name(key), .. },
                    more @ ..,
                ]
                | [
                    Token { word: Word::Sign("["), .. },
                    Token { word: Word::Text(key), .. },
                    Token { word: Word::Sign("]"), .. },
                    more @ ..,
                ] => {
                    rest = more;
                    key
                }
                _ => return Js::Unknown,
            };
            match at.get(key) {
                Some(member) => at = member,
                None => return Js::Unknown,
            }
        }
    }

    /// A template: its texts, and its placeholders as texts or variables.
    fn template(&self, text: &str, depth: usize) -> Js {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(&unescaped(before));
            // Of brackets inside, the outer one ends it.
            let mut open = 1_usize;
            let end = after.char_indices().find(|(_, character)| {
                match character {
                    '{' => open += 1,
                    '}' => open -= 1,
                    _ => {}
                }
                open == 0
            });
            let Some((end, _)) = end else { return Js::Unknown };
            let (inside, behind) = after.split_at(end);
            let Ok(words) = tokens(inside) else { return Js::Unknown };
            match self.at(&words, depth + 1).text().or_else(|| placeholder(&words)) {
                Some(value) => out.push_str(&value),
                None => return Js::Unknown,
            }
            rest = behind.get(1..).unwrap_or_default();
        }
        out.push_str(&unescaped(rest));
        Js::Known(out.into())
    }
}

/// The last place of an operator between two values, outside of all brackets.
fn operator(words: &[Token], wanted: &[&str]) -> Option<usize> {
    let ends_value = |at: usize| match words.get(at).map(|token| &token.word) {
        Some(Word::Sign(sign)) => matches!(*sign, ")" | "]" | "}"),
        word => word.is_some(),
    };
    outside(words, |sign| wanted.contains(&sign))
        .filter(|at| at.checked_sub(1).is_some_and(ends_value))
        .last()
}

/// A text as a part of a URL. What variables hold is not known yet.
fn escaped(text: &str, kept: &str) -> String {
    if text.contains("${") {
        return text.to_owned();
    }
    let mut out = String::new();
    for byte in text.bytes() {
        let letter = char::from(byte);
        match byte.is_ascii_alphanumeric() || kept.contains(letter) {
            true => out.push(letter),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A variable for what is not known, named by its last member.
pub(super) fn placeholder(words: &[Token]) -> Option<String> {
    let mut last = None;
    for token in words {
        match &token.word {
            Word::Name(name) => last = Some(name),
            Word::Sign("." | "?.") => {}
            _ => return None,
        }
    }
    last.map(|name| format!("${{{name}}}"))
}
