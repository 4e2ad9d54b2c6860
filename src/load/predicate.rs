//! `run_if` and `skip_if`: a condition over a user's variables, compiled once.

use std::borrow::Cow;

use super::template::{Compiler, Scope, Template};
use crate::value::{Invalid, Reader, Value};

/// A condition.
#[derive(Debug)]
pub enum Predicate {
    /// Always the same.
    Constant(bool),
    /// Text that is neither blank nor a word for no, after its placeholders are filled in.
    Truthy(Template),
    /// Two values that are equal.
    Equals(Operand, Operand),
    /// Two values that are not.
    NotEquals(Operand, Operand),
    /// A value that a list (or a text) holds.
    In(Operand, Operand),
}

/// A value with placeholders.
#[derive(Debug)]
pub enum Operand {
    /// Without any.
    Value(Value),
    /// A text with some.
    Text(Template),
    /// A list with some in it.
    List(Vec<Operand>),
    /// An object with some in it.
    Dict(Vec<(String, Operand)>),
}

/// Words that stand for no.
const FALSE_WORDS: [&str; 6] = ["", "false", "0", "no", "none", "null"];

impl Predicate {
    /// Reads `run_if` or `skip_if`.
    pub fn parse(field: &Reader<'_>, compiler: &mut Compiler<'_>) -> Result<Self, Invalid> {
        match field.value() {
            Value::Bool(value) => Ok(Self::Constant(*value)),
            Value::Int(value) => Ok(Self::Constant(*value != 0)),
            Value::Str(text) => Ok(Self::Truthy(compiler.template(text))),
            Value::Dict(_) => Self::operator(field, compiler),
            _ => Err(field.expected("true, false, an integer, a string or {\"equals\": [a, b]}")),
        }
    }

    fn operator(field: &Reader<'_>, compiler: &mut Compiler<'_>) -> Result<Self, Invalid> {
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
            _ => Err(operand.invalid(
                "unknown condition; the conditions are equals, not_equals, in and truthy",
            )),
        }
    }

    /// Whether it holds for this user now.
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

impl Operand {
    /// A value whose texts may hold placeholders.
    pub fn compile(value: &Value, compiler: &mut Compiler<'_>) -> Self {
        match value {
            Value::Str(text) => {
                let template = compiler.template(text);
                match template.as_literal() {
                    Some(text) => Self::Value(text.into()),
                    None => Self::Text(template),
                }
            }
            Value::List(items) => {
                let items: Vec<Self> =
                    items.iter().map(|item| Self::compile(item, compiler)).collect();
                let fixed = items.iter().all(|item| item.as_value().is_some());
                if fixed { Self::Value(value.clone()) } else { Self::List(items) }
            }
            Value::Dict(members) => {
                let members: Vec<(String, Self)> = members
                    .iter()
                    .map(|(key, member)| (key.clone(), Self::compile(member, compiler)))
                    .collect();
                let fixed = members.iter().all(|(_, member)| member.as_value().is_some());
                if fixed { Self::Value(value.clone()) } else { Self::Dict(members) }
            }
            value => Self::Value(value.clone()),
        }
    }

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

    /// The value, when it has no placeholder.
    pub fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
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

    use super::super::template::{Names, Space};
    use super::*;

    fn holds(condition: &str) -> Result<bool, Invalid> {
        let value = Value::parse(condition).expect("JSON");
        let mut names = Names::default();
        names.set(Space::Var, "on", &true.into());
        names.set(Space::Var, "off", &false.into());
        names.set(Space::Var, "status", &"ok".into());
        let mut compiler = Compiler::new(names, &|_| None);
        let predicate = Predicate::parse(&Reader::at(&value, "/run_if"), &mut compiler)?;
        Ok(predicate.holds(&mut Scope::new(&Arc::new(compiler.names), 1)))
    }

    #[test]
    fn conditions_hold_as_the_reference_has_them() {
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
        ] {
            assert_eq!(holds(condition), Ok(want), "{condition}");
        }
    }

    #[test]
    fn a_wrong_condition_is_refused_with_its_place() {
        assert_eq!(
            holds(r#"{"eq": [1, 1]}"#).unwrap_err().to_string(),
            "/run_if/eq: unknown condition; the conditions are equals, not_equals, in and truthy"
        );
        assert_eq!(
            holds(r#"{"equals": [1]}"#).unwrap_err().to_string(),
            "/run_if/equals: expected a list of two values, got [1]"
        );
    }
}
