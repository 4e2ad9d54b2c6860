//! Values as text: `ascii`, `bin`, `chr`, `format`, `hex`, `oct`, `ord`.

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

/// The widest text that is made.
const MAX_WIDTH: usize = 10_000;

/// A format specification (Python's mini-language).
#[derive(Debug, Default)]
struct Specification {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Specification {
    fn parse(text: &str) -> Option<Self> {
        let mut found = Self::default();
        let mut rest: Vec<char> = text.chars().rev().collect();
        let is_align = |character: Option<&char>| character.is_some_and(|c| "<>=^".contains(*c));
        let at = |rest: &[char], back: usize| {
            rest.len().checked_sub(back).and_then(|at| rest.get(at)).copied()
        };
        if is_align(at(&rest, 2).as_ref()) {
            found.fill = rest.pop();
            found.align = rest.pop();
        } else if is_align(rest.last()) {
            found.align = rest.pop();
        }
        let take = |wanted: &str, rest: &mut Vec<char>| {
            rest.last().is_some_and(|next| wanted.contains(*next)).then(|| rest.pop()).flatten()
        };
        found.sign = take("+- ", &mut rest);
        found.alternate = take("#", &mut rest).is_some();
        if take("0", &mut rest).is_some() {
            found.fill = found.fill.or(Some('0'));
            found.align = found.align.or(Some('='));
        }
        let number = |rest: &mut Vec<char>| -> Option<usize> {
            let mut digits = String::new();
            while rest.last().is_some_and(char::is_ascii_digit) {
                digits.extend(rest.pop());
            }
            if digits.is_empty() { None } else { digits.parse().ok().or(Some(usize::MAX)) }
        };
        found.width = number(&mut rest).unwrap_or(0);
        found.grouping = take(",_", &mut rest);
        if take(".", &mut rest).is_some() {
            found.precision = Some(number(&mut rest)?);
        }
        found.kind = rest.pop();
        rest.is_empty().then_some(found)
    }
}

/// Python's `format(value, specification)`.
pub(super) fn format(value: &Value, specification: &str) -> Result<String, Failure> {
    if specification.is_empty() {
        return Ok(value.to_text());
    }
    let kind = type_name(value);
    if !matches!(value, Value::Str(_)) && Number::of(value).is_none() {
        return Err(type_error(format!("unsupported format string passed to {kind}.__format__")));
    }
    let invalid = || {
        value_error(format!(
            "Invalid format specifier '{specification}' for object of type '{kind}'"
        ))
    };
    let spec = Specification::parse(specification).ok_or_else(invalid)?;
    if spec.width > MAX_WIDTH || spec.precision.is_some_and(|precision| precision > MAX_WIDTH) {
        return Err(value_error("Too many decimal digits in format string"));
    }
    if spec.grouping.is_some() && spec.fill == Some('0') && spec.align == Some('=') {
        return Err(value_error("zeros in groups are not supported"));
    }
    let unknown = |code: char| {
        value_error(format!("Unknown format code '{code}' for object of type '{kind}'"))
    };
    if let Value::Str(text) = value {
        return match spec.kind {
            None | Some('s') => text_as(text, &spec).ok_or_else(invalid),
            Some(code) => Err(unknown(code)),
        };
    }
    let number = Number::of(value).ok_or_else(invalid)?;
    let (negative, digits, prefix) = match (number, spec.kind) {
        (Number::Int(number), None | Some('d' | 'b' | 'o' | 'x' | 'X')) => {
            if spec.precision.is_some() {
                return Err(value_error("Precision not allowed in integer format specifier"));
            }
            let (base, prefix) = match spec.kind {
                Some('b') => (2, "0b"),
                Some('o') => (8, "0o"),
                Some('x') => (16, "0x"),
                Some('X') => (16, "0X"),
                _ => (10, ""),
            };
            let digits = number.magnitude().to_str_radix(base);
            let digits = if spec.kind == Some('X') { digits.to_uppercase() } else { digits };
            let step = if base == 10 { 3 } else { 4 };
            let prefix = if spec.alternate { prefix } else { "" };
            (number.is_negative(), grouped(&digits, spec.grouping, step), prefix)
        }
        (number, Some(code @ ('f' | 'F' | 'e' | 'E' | '%'))) => {
            let number = number.float()?;
            let digits = float_as(number.abs(), code, spec.precision.unwrap_or(6));
            (number.is_sign_negative() && !number.is_nan(), grouped(&digits, spec.grouping, 3), "")
        }
        (Number::Float(number), None) if spec.precision.is_none() => {
            let digits = Value::Float(number.abs()).to_text();
            (number.is_sign_negative() && !number.is_nan(), grouped(&digits, spec.grouping, 3), "")
        }
        (_, Some(code @ ('g' | 'G' | 'n' | 'c'))) => {
            return Err(value_error(format!("the format code '{code}' is not supported")));
        }
        (_, Some(code)) => return Err(unknown(code)),
        (_, None) => return Err(value_error("a precision needs a format code, as in '.2f'")),
    };
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    let (fill, align) = (spec.fill.unwrap_or(' '), spec.align.unwrap_or('>'));
    if align == '=' {
        let used = sign.len() + prefix.len();
        return Ok(format!(
            "{sign}{prefix}{}",
            padded(&digits, fill, '>', spec.width.saturating_sub(used))
        ));
    }
    Ok(padded(&format!("{sign}{prefix}{digits}"), fill, align, spec.width))
}

fn text_as(text: &str, spec: &Specification) -> Option<String> {
    let plain = spec.sign.is_none() && !spec.alternate && spec.grouping.is_none();
    if !plain || spec.align == Some('=') {
        return None;
    }
    let cut: String = text.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
    Some(padded(&cut, spec.fill.unwrap_or(' '), spec.align.unwrap_or('<'), spec.width))
}

fn float_as(number: f64, code: char, precision: usize) -> String {
    if !number.is_finite() {
        let text = if number.is_nan() { "nan" } else { "inf" };
        let text = if code.is_ascii_uppercase() { text.to_uppercase() } else { text.to_owned() };
        return if code == '%' { text + "%" } else { text };
    }
    match code {
        '%' => format!("{:.precision$}%", number * 100.0),
        'e' | 'E' => {
            let text = format!("{number:.precision$e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}{code}{sign}{exponent:0>2}")
        }
        _ => format!("{number:.precision$}"),
    }
}

/// Digits before the point in groups.
fn grouped(digits: &str, separator: Option<char>, step: usize) -> String {
    let Some(separator) = separator else { return digits.to_owned() };
    let end = digits.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(digits.len());
    let end = digits.find('e').filter(|_| digits.contains('.')).map_or(end, |at| at.min(end));
    let (whole, rest) = digits.split_at(end);
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(step) {
            out.push(separator);
        }
        out.push(digit);
    }
    out + rest
}

fn padded(text: &str, fill: char, align: char, width: usize) -> String {
    let room = width.saturating_sub(text.chars().count());
    let left = match align {
        '<' => 0,
        '^' => room / 2,
        _ => room,
    };
    let fill = |count: usize| fill.to_string().repeat(count);
    format!("{}{text}{}", fill(left), fill(room - left))
}
