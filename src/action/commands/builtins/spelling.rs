//! Values as text: `ascii`, `bin`, `chr`, `hex`, `oct`, `ord`.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use super::errors::{type_error, type_name, value_error};
use super::number::Number;
use crate::event::Failure;
use crate::value::Value;

/// `repr`, with everything but ASCII escaped.
pub(super) fn ascii(value: &Value) -> String {
    let mut out = String::new();
    for character in value.to_repr().chars() {
        match u32::from(character) {
            ..0x80 => out.push(character),
            code @ ..0x100 => out.push_str(&format!("\\x{code:02x}")),
            code @ ..0x10000 => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}

fn integer(value: &Value) -> Result<BigInt, Failure> {
    match Number::of(value) {
        Some(Number::Int(number)) => Ok(number),
        _ => {
            let kind = type_name(value);
            Err(type_error(format!("'{kind}' object cannot be interpreted as an integer")))
        }
    }
}

/// An integer in another base, with its prefix.
pub(super) fn in_base(value: &Value, base: u32, prefix: &str) -> Result<String, Failure> {
    let number = integer(value)?;
    let sign = if number.is_negative() { "-" } else { "" };
    Ok(format!("{sign}{prefix}{}", number.magnitude().to_str_radix(base)))
}

/// The character of a code point.
pub(super) fn chr(value: &Value) -> Result<String, Failure> {
    let code = integer(value)?.to_u32();
    let code = code.filter(|code| *code < 0x11_0000);
    let code = code.ok_or_else(|| value_error("chr() arg not in range(0x110000)"))?;
    char::from_u32(code).map(String::from).ok_or_else(|| {
        value_error(format!("chr() arg 0x{code:x} is half a character, which JSON does not have"))
    })
}

/// The code point of a character.
pub(super) fn ord(value: &Value) -> Result<Value, Failure> {
    let Value::Str(text) = value else {
        let kind = type_name(value);
        return Err(type_error(format!("ord() expected string of length 1, but {kind} found")));
    };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(Value::Int(i64::from(u32::from(character)))),
        _ => {
            let length = text.chars().count();
            let message =
                format!("ord() expected a character, but string of length {length} found");
            Err(type_error(message))
        }
    }
}
