//! Values as TOML. A document is one table; a date becomes text, because JSON has none.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use num_bigint::BigInt;
use num_traits::{Num, ToPrimitive};

use super::path::{Path, Step};
use super::positions::Position;
use super::syntax_error::SyntaxError;
use super::{MAX_INTEGER_DIGITS, Map, Value};

/// Why a value cannot be written as TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoToml {
    /// The document is no object.
    #[error("TOML root must be a dict")]
    Root,
    /// It holds a `null`, which TOML does not have.
    #[error("unsupported TOML scalar type: NoneType")]
    Null,
}

impl Value {
    /// Parses a text of TOML; the error names line and column.
    pub fn parse_toml(text: &str) -> Result<Self, SyntaxError> {
        if depth(text) > MAX_DEPTH {
            return Err(SyntaxError::at(text, 0, format!("more than {MAX_DEPTH} levels")));
        }
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            SyntaxError::at(text, at, error.message().lines().next().unwrap_or_default())
        })?;
        self::table(table.into_inner(), text)
    }

    /// The value, which is an object, as TOML: a line for each member.
    pub fn to_toml(&self) -> Result<String, NoToml> {
        let Self::Dict(members) = self else { return Err(NoToml::Root) };
        let mut out = String::new();
        for (key, value) in members {
            written_key(key, &mut out);
            out.push_str(" = ");
            written(value, &mut out)?;
            out.push('\n');
        }
        Ok(out)
    }
}

/// The deepest nesting, as in JSON and YAML.
const MAX_DEPTH: usize = 128;

/// The memory that the values of a TOML text take while it is parsed, in bytes, estimated: lists of one
/// number each are the worst, four bytes of text for two allocations of the parser's and two of ours.
pub fn toml_weight(text: &str) -> usize {
    text.len().saturating_mul(160)
}

/// The levels of the deepest value, or more. The parser limits inline tables and the parts of a dotted
/// key one by one, and together they would nest deeper than a stack.
fn depth(text: &str) -> usize {
    let bytes = text.as_bytes();
    // Levels above the innermost open collection, and of its entry's key.
    let (mut open, mut key, mut header): (Vec<usize>, usize, usize) = (Vec::new(), 1, 0);
    let (mut at, mut deepest) = (0, 0);
    let mut in_key = true;
    let mut begins_line = true;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let level = open.last().copied().unwrap_or(header);
        match byte {
            b'#' => {
                at +=
                    bytes.get(at..).unwrap_or_default().iter().take_while(|b| **b != b'\n').count()
            }
            b'"' | b'\'' => at = string_end(bytes, at - 1),
            b'.' if in_key => key += 1,
            b'=' => in_key = false,
            b',' => (key, in_key) = (1, true),
            b'\n' => {
                if open.is_empty() {
                    (key, in_key) = (1, true);
                }
                begins_line = true;
                continue;
            }
            b'[' if open.is_empty() && begins_line => {
                let line = bytes.get(at..).unwrap_or_default().iter().take_while(|b| **b != b'\n');
                header = 2 + line.filter(|b| **b == b'.').count();
                at +=
                    bytes.get(at..).unwrap_or_default().iter().take_while(|b| **b != b'\n').count();
            }
            b'[' | b'{' => {
                open.push(level + key);
                (key, in_key) = (1, byte == b'{');
            }
            b']' | b'}' => {
                open.pop();
                (key, in_key) = (1, false);
            }
            b' ' | b'\t' | b'\r' => continue,
            _ => {}
        }
        begins_line = false;
        deepest = deepest.max(open.last().copied().unwrap_or(header) + key);
    }
    deepest
}

/// Where the string that begins here ends.
fn string_end(bytes: &[u8], begin: usize) -> usize {
    let rest = bytes.get(begin..).unwrap_or_default();
    let quote = rest.first().copied().unwrap_or_default();
    let fence = rest.iter().take_while(|byte| **byte == quote).count();
    let fence = match fence {
        // Empty.
        2 => return begin + 2,
        3.. => 3,
        _ => 1,
    };
    let mut at = fence;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            byte if byte == quote => {
                let run = rest.get(at..).unwrap_or_default().iter().take_while(|b| **b == quote);
                let run = run.count();
                if run >= fence {
                    // Up to two quotes may stand before the fence.
                    return begin + at + if fence == 3 { run.min(5) } else { 1 };
                }
                at += run;
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where paths lead in a text that is TOML: to the deepest part that is there.
pub(super) fn positions(text: &str, paths: &[Path]) -> Vec<Position> {
    let Ok(root) = DeTable::parse(text) else { return vec![Position::default(); paths.len()] };
    paths.iter().map(|path| position(root.get_ref(), path.steps())).collect()
}

fn position(root: &DeTable<'_>, steps: &[Step]) -> Position {
    let mut found = Position::default();
    let Some((Step::Member(first), mut steps)) = steps.split_first() else { return found };
    let mut member = root.get_key_value(first.as_str());
    while let Some((key, value)) = member.take() {
        let mut value: &Spanned<DeValue<'_>> = value;
        found = Position { key: Some(key.span().start), value: value.span().start };
        while let Some((step, rest)) = steps.split_first() {
            steps = rest;
            match (step, value.get_ref()) {
                (Step::Element(index), DeValue::Array(items)) => {
                    let Some(item) = items.get(*index) else { return found };
                    value = item;
                    found = Position { key: None, value: value.span().start };
                }
                (Step::Member(key), DeValue::Table(table)) => {
                    member = table.get_key_value(key.as_str());
                    break;
                }
                _ => return found,
            }
        }
    }
    found
}

fn table(table: DeTable<'_>, text: &str) -> Result<Value, SyntaxError> {
    let members = table.into_iter().map(|(key, value)| {
        let key = key.into_inner().into_owned();
        self::value(value, text).map(|value| (key, value))
    });
    members.collect::<Result<Map, _>>().map(Value::Dict)
}

fn value(value: Spanned<DeValue<'_>>, whole: &str) -> Result<Value, SyntaxError> {
    let wrong = |at: usize, what: String| SyntaxError::at(whole, at, what);
    let at = value.span().start;
    Ok(match value.into_inner() {
        DeValue::String(text) => text.into_owned().into(),
        DeValue::Boolean(truth) => truth.into(),
        DeValue::Datetime(moment) => moment.to_string().into(),
        DeValue::Integer(number) => {
            let text = number.as_str();
            let parsed = BigInt::from_str_radix(text, number.radix()).ok();
            let parsed = parsed.filter(|_| text.len() <= MAX_INTEGER_DIGITS);
            let parsed = parsed.ok_or_else(|| wrong(at, format!("{text:.20} is no integer")))?;
            parsed.to_i64().map_or(Value::Big(parsed), Value::Int)
        }
        DeValue::Float(number) => {
            let text = number.as_str();
            let parsed = text.parse().map(Value::Float);
            parsed.map_err(|_| wrong(at, format!("{text:.20} is no number")))?
        }
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| self::value(item, whole));
            items.collect::<Result<Vec<_>, _>>()?.into()
        }
        DeValue::Table(members) => table(members, whole)?,
    })
}

fn written(value: &Value, out: &mut String) -> Result<(), NoToml> {
    match value {
        Value::Null => return Err(NoToml::Null),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Str(text) => quoted(text, out),
        Value::List(items) | Value::Tuple(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                written(item, out)?;
            }
            out.push(']');
        }
        Value::Dict(members) => {
            out.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                written_key(key, out);
                out.push_str(" = ");
                written(item, out)?;
            }
            out.push('}');
        }
        // Python writes numbers as TOML does.
        number => out.push_str(&number.to_repr()),
    }
    Ok(())
}

fn written_key(key: &str, out: &mut String) {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match !key.is_empty() && key.bytes().all(is_bare) {
        true => out.push_str(key),
        false => quoted(key, out),
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_document_is_read_in_its_order() {
        let text = "z = 1\nload_density = [[\"LD_start_test\", {user_count = 5, x.y = 0x1f}]]\n\
                    [metadata]\nname = 'a'\nwhen = 2026-01-01T10:00:00Z\nrate = 1e3\nbig = 123_456\n";
        let json = r#"{"z": 1, "load_density": [["LD_start_test", {"user_count": 5, "x": {"y": 31}}]],
            "metadata": {"name": "a", "when": "2026-01-01T10:00:00Z", "rate": 1000.0, "big": 123456}}"#;
        let value = Value::parse_toml(text).expect("TOML");
        assert_eq!(value.to_text(), Value::parse(json).expect("JSON").to_text());
    }

    #[test]
    fn a_text_that_is_not_toml_is_refused_with_its_place() {
        let error = Value::parse_toml("a = 1\nb = \n").expect_err("refused");
        assert_eq!((error.line, error.column), (2, 5), "{error}");
        let error = Value::parse_toml(&format!("a = [1,\n {}]", "9".repeat(5000)));
        let error = error.expect_err("an integer beyond the limit");
        assert_eq!((error.line, error.column), (2, 2), "{error}");
        for text in ["a = 1\na = 2", "a = [", "= 1", "a = 1979-13-45"] {
            Value::parse_toml(text).expect_err(text);
        }
        Value::parse_toml(&format!("a = {}", "[".repeat(100_000))).expect_err("too deep");
    }

    #[test]
    fn keys_lists_and_tables_together_are_as_deep_as_in_json() {
        // Each of them is within what the parser allows.
        let key = vec!["a"; 60].join(".");
        let nested =
            format!("{key} = {}{key} = 1{}", format!("{{ {key} = ").repeat(60), "}".repeat(60));
        let under = format!("[{key}]\n{key} = {{ {key} = 1 }}");
        for text in [&*nested, &*under] {
            assert_eq!(Value::parse_toml(text).expect_err("too deep").what, "more than 128 levels");
        }
        let strings = "a = [\"[[[\", '{{', \"\"\"[\"[\"\"\"\", 1.5, {b.c = '\\'}] # [[[[\n[d.e]\nf = '[' # ]\n";
        assert_eq!((depth(strings), depth("a = 1"), depth("a.b = [[{c = 1}]]")), (4, 1, 5));
        Value::parse_toml(strings).expect("TOML");
    }

    #[test]
    fn what_toml_lacks_is_refused() {
        let written = |json: &str| Value::parse(json).expect("JSON").to_toml();
        assert_eq!(written("[1]"), Err(NoToml::Root));
        assert_eq!(written(r#"{"a": [{"b": null}]}"#), Err(NoToml::Null));
        let odd = r#"{"a b": "x\"\\\n\u0001é", "c": {"d.e": [1, 1.5, true, 1e22]}}"#;
        let expected =
            "\"a b\" = \"x\\\"\\\\\\n\\u0001é\"\nc = {\"d.e\" = [1, 1.5, true, 1e+22]}\n";
        assert_eq!(written(odd), Ok(expected.to_owned()));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(Value::Float),
            "\\PC{0,12}".prop_map(Value::Str),
            "[ -~\n\t\r\u{85}\u{0}\u{7f}\u{1b}]{0,12}".prop_map(Value::Str),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec(("[ -~]{0,6}", inner), 0..4)
                    .prop_map(|members| Value::Dict(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in values()) {
            let value = Value::dict([("a", value)]);
            let text = value.to_toml().expect("a table");
            prop_assert_eq!(Value::parse_toml(&text), Ok(value), "{}", text);
        }
    }
}
