//! Python's builtins that documents may call, which compute JSON values exactly like Python 3.11. A payload holds either positions or keywords, so
//! only the keywords of `print` and `round` can be useful; the others are refused like in Python.

mod arithmetic;
mod errors;
mod format;
mod number;
mod order;
mod spelling;

use crate::action::arguments::Call;
use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::value::{Map, Value};
use errors::{type_error, type_name, value_error};
use number::Number;

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::free("print", "Writes its arguments to the server's output.", |call| {
        Ok(Box::new(Print(line(call)?)))
    })
    .text("Arguments are separated by a blank. In `ldctl run` the line is part of the output.")
    .returns("`null`.")
    .example(r#"["print", ["warmed up"]]"#),
    Declaration::free("len", "Returns the length of a text, a list or an object.", |call| {
        computed(len(positions("len", call)?))
    })
    .returns("An integer.")
    .example(r#"["len", [[1, 2, 3]]]"#),
    Declaration::free("max", "Returns the largest of its arguments or of a list.", |call| {
        computed(extreme("max", call))
    })
    .returns("A number or a text.")
    .example(r#"["max", [[1, 3, 2]]]"#),
    Declaration::free("min", "Returns the smallest of its arguments or of a list.", |call| {
        computed(extreme("min", call))
    })
    .returns("A number or a text.")
    .example(r#"["min", [[1, 3, 2]]]"#),
    Declaration::free("sum", "Returns the sum of a list.", |call| {
        computed(sum(positions("sum", call)?))
    })
    .returns("A number.")
    .example(r#"["sum", [[1, 2, 3]]]"#),
    Declaration::free("round", "Rounds a number, half to even.", |call| computed(round(call)))
        .returns("A number.")
        .example(r#"["round", [2.567, 1]]"#),
    Declaration::free("abs", "Returns the absolute value of a number.", |call| {
        computed(abs(positions("abs", call)?))
    })
    .returns("A number.")
    .example(r#"["abs", [-3]]"#),
    Declaration::free("sorted", "Returns a list in ascending order.", |call| {
        computed(sorted(positions("sorted", call)?))
    })
    .returns("A list.")
    .example(r#"["sorted", [[3, 1, 2]]]"#),
    Declaration::free("all", "Returns whether all items of a list are true.", |call| {
        computed(truths("all", call).map(|truths| truths.into_iter().all(|truth| truth).into()))
    })
    .returns("`true` or `false`.")
    .example(r#"["all", [[1, true]]]"#),
    Declaration::free("any", "Returns whether an item of a list is true.", |call| {
        computed(truths("any", call).map(|truths| truths.into_iter().any(|truth| truth).into()))
    })
    .returns("`true` or `false`.")
    .example(r#"["any", [[0, 1]]]"#),
    Declaration::free("ascii", "Returns how Python writes a value, in ASCII.", |call| {
        computed(
            only("ascii", positions("ascii", call)?).map(|value| spelling::ascii(value).into()),
        )
    })
    .returns("A text.")
    .example(r#"["ascii", ["é"]]"#),
    Declaration::free("repr", "Returns how Python writes a value.", |call| {
        computed(only("repr", positions("repr", call)?).map(|value| value.to_repr().into()))
    })
    .returns("A text.")
    .example(r#"["repr", [["a", null]]]"#),
    Declaration::free(
        "callable",
        "Returns `false`: no value of a document is a function.",
        |call| computed(only("callable", positions("callable", call)?).map(|_| false.into())),
    )
    .returns("`false`.")
    .example(r#"["callable", ["len"]]"#),
    Declaration::free("bin", "Returns an integer in base 2.", |call| in_base("bin", call, 2, "0b"))
        .returns("A text.")
        .example(r#"["bin", [5]]"#),
    Declaration::free("oct", "Returns an integer in base 8.", |call| in_base("oct", call, 8, "0o"))
        .returns("A text.")
        .example(r#"["oct", [8]]"#),
    Declaration::free("hex", "Returns an integer in base 16.", |call| {
        in_base("hex", call, 16, "0x")
    })
    .returns("A text.")
    .example(r#"["hex", [255]]"#),
    Declaration::free("chr", "Returns the character of a code point.", |call| {
        computed(only("chr", positions("chr", call)?).and_then(spelling::chr).map(Value::from))
    })
    .returns("A text.")
    .example(r#"["chr", [8364]]"#),
    Declaration::free("ord", "Returns the code point of a character.", |call| {
        computed(only("ord", positions("ord", call)?).and_then(spelling::ord))
    })
    .returns("An integer.")
    .example(r#"["ord", ["€"]]"#),
    Declaration::free("divmod", "Returns quotient and rest of a division.", |call| {
        computed(arithmetic::divmod(positions("divmod", call)?))
    })
    .returns("Two numbers.")
    .example(r#"["divmod", [7, 2]]"#),
    Declaration::free("pow", "Returns a power, of integers also by a modulus.", |call| {
        computed(pow(call))
    })
    .returns("A number.")
    .example(r#"["pow", [2, 10]]"#),
    Declaration::free("format", "Returns a value in a format of Python, as `.2f`.", |call| {
        computed(format(positions("format", call)?))
    })
    .text("`n` is written as without a language: no separators, a point.")
    .returns("A text.")
    .example(r#"["format", [0.256, ".1%"]]"#),
];

/// A value that depends only on the arguments, computed when they are parsed.
#[derive(Debug)]
struct Computed(Value);

fn computed(value: Result<Value, Failure>) -> Result<Box<dyn Command>, Failure> {
    Ok(Box::new(Computed(value?)))
}

impl Command for Computed {
    fn run(self: Box<Self>, _context: &mut Context<'_>) -> Result<Value, Failure> {
        Ok(self.0)
    }
}

#[derive(Debug)]
struct Print(String);

impl Command for Print {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.print(&self.0);
        Ok(Value::Null)
    }
}

/// Returns what `print` writes, without its line end.
fn line(call: &Call<'_>) -> Result<String, Failure> {
    let keywords = match call {
        Call::Positional(values) => {
            return Ok(values.iter().map(Value::to_text).collect::<Vec<_>>().join(" "));
        }
        Call::Keywords(keywords) => *keywords,
    };
    for (key, value) in keywords {
        match (key.as_str(), value) {
            ("sep" | "end", Value::Null | Value::Str(_)) | ("file", Value::Null) | ("flush", _) => {
            }
            ("sep" | "end", other) => {
                let kind = type_name(other);
                return Err(type_error(format!("{key} must be None or a string, not {kind}")));
            }
            ("file", _) => return Err(type_error("print() writes to the server's output only")),
            _ => {
                let message = format!("'{key}' is an invalid keyword argument for print()");
                return Err(type_error(message));
            }
        }
    }
    let end = keywords.get("end").and_then(Value::as_str).unwrap_or("\n");
    Ok(end.strip_suffix('\n').unwrap_or(end).to_owned())
}

/// Returns the arguments of a function that takes only positional ones.
fn positions<'a>(name: &str, call: &'a Call<'_>) -> Result<&'a [Value], Failure> {
    match call {
        Call::Positional(values) => Ok(values),
        Call::Keywords(keywords) if keywords.is_empty() => Ok(&[]),
        Call::Keywords(_) => Err(type_error(format!("{name}() takes no keyword arguments"))),
    }
}

/// Returns the single argument of a function that takes one.
fn only<'a>(name: &str, arguments: &'a [Value]) -> Result<&'a Value, Failure> {
    match arguments {
        [only] => Ok(only),
        _ => {
            let given = arguments.len();
            Err(type_error(format!("{name}() takes exactly one argument ({given} given)")))
        }
    }
}

/// Whether each item of the single argument is true.
fn truths(name: &str, call: &Call<'_>) -> Result<Vec<bool>, Failure> {
    let items = iterate(only(name, positions(name, call)?)?)?;
    Ok(items.iter().map(Value::is_truthy).collect())
}

fn in_base(
    name: &str,
    call: &Call<'_>,
    base: u32,
    prefix: &str,
) -> Result<Box<dyn Command>, Failure> {
    let value = only(name, positions(name, call)?)?;
    computed(spelling::in_base(value, base, prefix).map(Value::from))
}

fn pow(call: &Call<'_>) -> Result<Value, Failure> {
    let missing = |name: &str, place: u8| {
        type_error(format!("pow() missing required argument '{name}' (pos {place})"))
    };
    match call {
        Call::Positional(arguments) => match &**arguments {
            [] => Err(missing("base", 1)),
            [_] => Err(missing("exp", 2)),
            [base, exponent] => arithmetic::pow(base, exponent, None),
            [base, exponent, modulus] => arithmetic::pow(base, exponent, Some(modulus)),
            more => {
                let given = more.len();
                Err(type_error(format!("pow() takes at most 3 arguments ({given} given)")))
            }
        },
        Call::Keywords(keywords) => {
            let known = ["base", "exp", "mod"];
            if let Some(key) = keywords.keys().find(|key| !known.contains(&key.as_str())) {
                let message = format!("'{key}' is an invalid keyword argument for pow()");
                return Err(type_error(message));
            }
            let base = keywords.get("base").ok_or_else(|| missing("base", 1))?;
            let exponent = keywords.get("exp").ok_or_else(|| missing("exp", 2))?;
            arithmetic::pow(base, exponent, keywords.get("mod"))
        }
    }
}

fn format(arguments: &[Value]) -> Result<Value, Failure> {
    let (value, specification) = match arguments {
        [] => return Err(type_error("format expected at least 1 argument, got 0")),
        [value] => (value, ""),
        [value, Value::Str(specification)] => (value, specification.as_str()),
        [_, other] => {
            let kind = type_name(other);
            return Err(type_error(format!("format() argument 2 must be str, not {kind}")));
        }
        more => {
            let given = more.len();
            return Err(type_error(format!("format expected at most 2 arguments, got {given}")));
        }
    };
    format::format(value, specification).map(Value::from)
}

fn len(arguments: &[Value]) -> Result<Value, Failure> {
    let length = match only("len", arguments)? {
        Value::Str(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Dict(members) => members.len(),
        other => {
            let message = format!("object of type '{}' has no len()", type_name(other));
            return Err(type_error(message));
        }
    };
    Ok(Value::from(length as u64))
}

fn abs(arguments: &[Value]) -> Result<Value, Failure> {
    let argument = only("abs", arguments)?;
    let number = Number::of(argument).ok_or_else(|| {
        type_error(format!("bad operand type for abs(): '{}'", type_name(argument)))
    })?;
    Ok(number.abs().into())
}

fn extreme(name: &str, call: &Call<'_>) -> Result<Value, Failure> {
    let arguments = match call {
        Call::Positional(arguments) => arguments,
        Call::Keywords(_) => &[][..],
    };
    let items = match arguments {
        [] => return Err(type_error(format!("{name} expected at least 1 argument, got 0"))),
        [iterable] => iterate(iterable)?,
        several => several.to_vec(),
    };
    let mut items = items.into_iter();
    let Some(mut best) = items.next() else {
        return Err(value_error(format!("{name}() arg is an empty sequence")));
    };
    for item in items {
        let better = match name {
            "max" => order::greater(&item, &best)?,
            _ => order::less(&item, &best)?,
        };
        if better {
            best = item;
        }
    }
    Ok(best)
}

fn sum(arguments: &[Value]) -> Result<Value, Failure> {
    let (items, start) = match arguments {
        [items] => (items, Value::Int(0)),
        [items, start] => (items, start.clone()),
        [] => return Err(type_error("sum() takes at least 1 positional argument (0 given)")),
        _ => {
            let given = arguments.len();
            return Err(type_error(format!("sum() takes at most 2 arguments ({given} given)")));
        }
    };
    let items = iterate(items)?;
    if let Value::Str(_) = start {
        return Err(type_error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    items.into_iter().try_fold(start, add)
}

/// Python's `left + right`, for the types that a sum accepts.
fn add(left: Value, right: Value) -> Result<Value, Failure> {
    match (left, right) {
        (Value::List(mut left), Value::List(right)) => {
            left.extend(right);
            Ok(Value::List(left))
        }
        (Value::List(_), right) => {
            let kind = type_name(&right);
            Err(type_error(format!("can only concatenate list (not \"{kind}\") to list")))
        }
        (left, right) => match (Number::of(&left), Number::of(&right)) {
            (Some(left), Some(right)) => left.add(right).map(Value::from),
            _ => {
                let (left, right) = (type_name(&left), type_name(&right));
                let message = format!("unsupported operand type(s) for +: '{left}' and '{right}'");
                Err(type_error(message))
            }
        },
    }
}

fn round(call: &Call<'_>) -> Result<Value, Failure> {
    let (number, digits) = match call {
        Call::Positional(arguments) => match &**arguments {
            [] => (None, None),
            [number] => (Some(number), None),
            [number, digits] => (Some(number), Some(digits)),
            _ => {
                let given = arguments.len();
                let message = format!("round() takes at most 2 arguments ({given} given)");
                return Err(type_error(message));
            }
        },
        Call::Keywords(keywords) => round_keywords(keywords)?,
    };
    let number =
        number.ok_or_else(|| type_error("round() missing required argument 'number' (pos 1)"))?;
    let value = Number::of(number).ok_or_else(|| {
        type_error(format!("type {} doesn't define __round__ method", type_name(number)))
    })?;
    let digits = match digits {
        None | Some(Value::Null) => None,
        Some(digits) => match Number::of(digits) {
            Some(Number::Int(digits)) => Some(number::clamp(&digits)),
            _ => {
                let kind = type_name(digits);
                let message = format!("'{kind}' object cannot be interpreted as an integer");
                return Err(type_error(message));
            }
        },
    };
    value.round(digits).map(Value::from)
}

fn round_keywords(keywords: &Map) -> Result<(Option<&Value>, Option<&Value>), Failure> {
    match keywords.keys().find(|key| !matches!(key.as_str(), "number" | "ndigits")) {
        None => Ok((keywords.get("number"), keywords.get("ndigits"))),
        Some(key) => {
            let message = format!("'{key}' is an invalid keyword argument for round()");
            Err(type_error(message))
        }
    }
}

fn sorted(arguments: &[Value]) -> Result<Value, Failure> {
    match arguments {
        [items] => order::sort(iterate(items)?).map(Value::List),
        _ => {
            let given = arguments.len();
            Err(type_error(format!("sorted expected 1 argument, got {given}")))
        }
    }
}

/// The items of a Python `for` loop over a value: list items, characters, keys.
fn iterate(value: &Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::List(items) => Ok(items.clone()),
        Value::Str(text) => {
            Ok(text.chars().map(|character| Value::Str(character.into())).collect())
        }
        Value::Dict(members) => Ok(members.keys().map(|key| Value::Str(key.clone())).collect()),
        other => Err(type_error(format!("'{}' object is not iterable", type_name(other)))),
    }
}
