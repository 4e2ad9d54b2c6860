//! `run_if` and `skip_if`: a condition over a user's variables, parsed once. Its texts depend on
//! the stage: drafts until the test starts, then templates.

use std::borrow::Cow;

use super::template::{Compiler, Draft, Linker, Scope, Template, Text};
use crate::value::field::alternatives;
use crate::value::{Field, Invalid, Kind, Map, Reader, Value};

/// The fields of a condition in documents.
pub const CONDITION: Kind = Kind::Named(
    "condition",
    &Kind::Either(&[
        Kind::Boolean,
        Kind::Integer,
        Kind::Text,
        Kind::OneField(&[
            Field::optional("equals", PAIR, "Whether two values are equal.").not_null(),
            Field::optional("not_equals", PAIR, "Whether two values differ.").not_null(),
            Field::optional(
                "in",
                PAIR,
                "Whether the second value, a list or a text, contains the first.",
            )
            .not_null(),
            Field::optional("truthy", Kind::Any, "Whether the value counts as true."),
        ]),
    ]),
);

const PAIR: Kind = Kind::Items { of: &Kind::Any, least: 2, most: Some(2) };

/// A condition.
#[derive(Debug)]
pub enum Predicate<T = Template> {
    /// A constant.
    Constant(bool),
    /// A text that, with placeholders filled in, is neither blank nor a negative word.
    Truthy(T),
    /// Two values that are equal.
    Equals(Operand<T>, Operand<T>),
    /// Two values that differ.
    NotEquals(Operand<T>, Operand<T>),
    /// A value that a list or a text contains.
    In(Operand<T>, Operand<T>),
}

/// A value that may hold placeholders.
#[derive(Debug)]
pub enum Operand<T = Template> {
    /// A value without placeholders.
    Value(Value),
    /// A text with placeholders.
    Text(T),
    /// A list with placeholders in it.
    List(Vec<Operand<T>>),
    /// An object with placeholders in it.
    Dict(Vec<(String, Operand<T>)>),
}

/// Words that mean false.
const FALSE_WORDS: [&str; 6] = ["", "false", "0", "no", "none", "null"];

impl Predicate<Draft> {
    /// Parses `run_if` or `skip_if`.
    pub fn parse(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        match field.value() {
            Value::Bool(value) => Ok(Self::Constant(*value)),
            Value::Int(value) => Ok(Self::Constant(*value != 0)),
            Value::Str(text) => Ok(Self::Truthy(compiler.template(text))),
            Value::Dict(_) => Self::operator(field, compiler),
            _ => Err(field.expected("true, false, an integer, a string or {\"equals\": [a, b]}")),
        }
    }

    fn operator(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        let mut fields = field.object()?;
        let entries = fields.entries();
        let [(operator, operand)] = entries.as_slice() else {
            return Err(field.expected("one of equals, not_equals, in, truthy"));
        };
        if operator.eq_ignore_ascii_case("truthy") {
            return Ok(match operand.value() {
                Value::Str(text) => Self::Truthy(compiler.template(text)),
                value => Self::Constant(value.is_truthy()),
            });
        }
        let pair = operand.list()?;
        let [left, right] = pair.as_slice() else {
            return Err(operand.expected("a list of two values"));
        };
        let left = Operand::compile(left.value(), compiler);
        let right = Operand::compile(right.value(), compiler);
        match operator.to_ascii_lowercase().as_str() {
            "equals" => Ok(Self::Equals(left, right)),
            "not_equals" => Ok(Self::NotEquals(left, right)),
            "in" => Ok(Self::In(left, right)),
            unknown => {
                let known = alternatives(unknown, &["equals", "not_equals", "in", "truthy"]);
                Err(operand.invalid(format!("unknown condition {unknown:?}{known}")))
            }
        }
    }

    /// Links the condition.
    pub fn link(self, linker: &mut Linker<'_>) -> Result<Predicate, Invalid> {
        Ok(match self {
            Self::Constant(value) => Predicate::Constant(value),
            Self::Truthy(text) => Predicate::Truthy(text.link(linker)?),
            Self::Equals(left, right) => Predicate::Equals(left.link(linker)?, right.link(linker)?),
            Self::NotEquals(left, right) => {
                Predicate::NotEquals(left.link(linker)?, right.link(linker)?)
            }
            Self::In(left, right) => Predicate::In(left.link(linker)?, right.link(linker)?),
        })
    }
}

impl Predicate {
    /// Whether it currently holds for this user.
    pub fn holds(&self, scope: &mut Scope) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Truthy(template) => truthy(&template.text(scope)),
            Self::Equals(left, right) => left.value(scope).equals(&right.value(scope)),
            Self::NotEquals(left, right) => !left.value(scope).equals(&right.value(scope)),
            Self::In(left, right) => match (&*left.value(scope), &*right.value(scope)) {
                (value, Value::List(items)) => items.iter().any(|item| item.equals(value)),
                (Value::Str(part), Value::Str(text)) => text.contains(part),
                (Value::Str(key), Value::Dict(members)) => members.contains_key(key),
                _ => false,
            },
        }
    }
}

impl<H> Operand<Text<H>> {
    fn text(text: Text<H>) -> Self {
        match text.as_literal() {
            Some(text) => Self::Value(text.into()),
            None => Self::Text(text),
        }
    }

    fn list(items: Vec<Self>) -> Self {
        let fixed: Option<Vec<Value>> = items.iter().map(|item| item.as_value().cloned()).collect();
        fixed.map_or(Self::List(items), |items| Self::Value(items.into()))
    }

    fn dict(members: Vec<(String, Self)>) -> Self {
        let fixed =
            |(key, member): &(String, Self)| Some((key.clone(), member.as_value()?.clone()));
        let fixed: Option<Map> = members.iter().map(fixed).collect();
        fixed.map_or(Self::Dict(members), |members| Self::Value(Value::Dict(members)))
    }
}

impl<T> Operand<T> {
    /// The value, if it has no placeholder.
    pub fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl Operand<Draft> {
    /// A value whose texts may hold placeholders.
    pub fn compile(value: &Value, compiler: &mut Compiler) -> Self {
        match value {
            Value::Str(text) => Self::text(compiler.template(text)),
            Value::List(items) => {
                Self::list(items.iter().map(|item| Self::compile(item, compiler)).collect())
            }
            Value::Dict(members) => Self::dict(
                members
                    .iter()
                    .map(|(key, member)| (key.clone(), Self::compile(member, compiler)))
                    .collect(),
            ),
            value => Self::Value(value.clone()),
        }
    }

    /// Links the value.
    pub fn link(self, linker: &mut Linker<'_>) -> Result<Operand, Invalid> {
        Ok(match self {
            Self::Value(value) => Operand::Value(value),
            Self::Text(text) => Operand::text(text.link(linker)?),
            Self::List(items) => Operand::list(
                items.into_iter().map(|item| item.link(linker)).collect::<Result<_, _>>()?,
            ),
            Self::Dict(members) => Operand::dict(
                members
                    .into_iter()
                    .map(|(key, member)| Ok((key, member.link(linker)?)))
                    .collect::<Result<_, Invalid>>()?,
            ),
        })
    }
}

impl Operand {
    /// The value with its placeholders filled in.
    pub fn value(&self, scope: &mut Scope) -> Cow<'_, Value> {
        match self {
            Self::Value(value) => Cow::Borrowed(value),
            Self::Text(template) => Cow::Owned(Value::Str(template.text(scope))),
            Self::List(items) => {
                let items = items.iter().map(|item| item.value(scope).into_owned());
                Cow::Owned(items.collect::<Vec<_>>().into())
            }
            Self::Dict(members) => {
                let member = |(key, member): &(String, Self)| {
                    (key.clone(), member.value(scope).into_owned())
                };
                Cow::Owned(Value::Dict(members.iter().map(member).collect()))
            }
        }
    }
}

fn truthy(text: &str) -> bool {
    let text = text.trim();
    let unresolved = text.starts_with("${") && text.ends_with('}');
    !unresolved && !FALSE_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::template::Bindings;
    use super::*;

    fn holds(condition: &str) -> Result<bool, Invalid> {
        let value = Value::parse(condition).expect("JSON");
        let variables = [("on", "True"), ("off", "False"), ("status", "ok")];
        let mut compiler = Compiler::default();
        let predicate = Predicate::parse(&Reader::at(&value, "/run_if"), &mut compiler)?;
        let bindings = Bindings {
            variable: &|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, text)| (*text).to_owned())
            },
            environment: &|name| (name == "ON").then(|| "1".to_owned()),
            ..Bindings::NONE
        };
        let mut linker = Linker::new(compiler, bindings);
        let predicate = predicate.link(&mut linker)?;
        Ok(predicate.holds(&mut Scope::new(&Arc::new(linker.names()), 1)))
    }

    #[test]
    fn conditions_hold_as_in_the_reference() {
        for (condition, want) in [
            ("true", true),
            ("0", false),
            ("2", true),
            ("\"${var.on}\"", true),
            ("\"${var.off}\"", false),
            ("\"${var.unset}\"", false),
            ("\" No \"", false),
            ("\"x\"", true),
            (r#"{"equals": ["${var.status}", "ok"]}"#, true),
            (r#"{"not_equals": ["${var.status}", "ok"]}"#, false),
            (r#"{"equals": [1, 1.0]}"#, true),
            (r#"{"in": ["${var.status}", ["a", "ok"]]}"#, true),
            (r#"{"in": ["k", "ok"]}"#, true),
            (r#"{"equals": [{"a": ["${var.status}"]}, {"a": ["ok"]}]}"#, true),
            (r#"{"truthy": "${var.off}"}"#, false),
            (r#"{"truthy": []}"#, false),
            (r#"{"in": ["1", ["${env.ON}", {"a": "${env.ON}"}]]}"#, true),
            ("\"${env.OFF}\"", false),
        ] {
            assert_eq!(holds(condition), Ok(want), "{condition}");
        }
    }

    #[test]
    fn a_wrong_condition_is_refused_with_its_place() {
        assert_eq!(
            holds(r#"{"eq": [1, 1]}"#).unwrap_err().to_string(),
            "/run_if/eq: unknown condition \"eq\"; expected equals, not_equals, in or truthy"
        );
        assert_eq!(
            holds(r#"{"equals": [1]}"#).unwrap_err().to_string(),
            "/run_if/equals: expected a list of two values, got [1]"
        );
    }
}
