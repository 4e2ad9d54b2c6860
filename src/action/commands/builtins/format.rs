//! `format`: Python's mini-language for integers, floats and texts, as CPython 3.11 reads and writes
//! it without a locale, its refusals included.

use num_traits::{Signed, ToPrimitive};

use super::errors::{type_error, type_name, value_error};
use super::number::Number;
use crate::event::Failure;
use crate::value::Value;

/// The widest text, and the most decimals, that are made.
const MOST: usize = 10_000;

/// Decimals where the specification does not say how many.
const DECIMALS: usize = 6;

/// Python's `format(value, specification)`.
pub(super) fn format(value: &Value, specification: &str) -> Result<String, Failure> {
    if specification.is_empty() {
        return Ok(value.to_text());
    }
    let kind = type_name(value);
    match (value, Number::of(value)) {
        (Value::Str(text), _) => {
            let spec = Specification::parse(specification, kind, 's', '<')?;
            text_as(text, &spec, kind)
        }
        (_, Some(Number::Int(number))) => {
            let spec = Specification::parse(specification, kind, 'd', '>')?;
            match spec.code {
                'b' | 'c' | 'd' | 'o' | 'x' | 'X' | 'n' => integer_as(&number, &spec),
                code if is_of_floats(code) => float_as(Number::Int(number).float()?, &spec),
                code => Err(unknown(code, kind)),
            }
        }
        (_, Some(Number::Float(number))) => {
            let spec = Specification::parse(specification, kind, REPR, '>')?;
            match spec.code {
                REPR | 'n' => float_as(number, &spec),
                code if is_of_floats(code) => float_as(number, &spec),
                code => Err(unknown(code, kind)),
            }
        }
        (_, None) => {
            Err(type_error(format!("unsupported format string passed to {kind}.__format__")))
        }
    }
}

/// Stands for a float without a code.
const REPR: char = '\0';

fn is_of_floats(code: char) -> bool {
    "eEfFgG%".contains(code)
}

/// A code as Python's messages have it.
fn shown(code: char) -> String {
    match code {
        '!'..='\x7f' => code.to_string(),
        code => format!("\\x{:x}", u32::from(code)),
    }
}

fn unknown(code: char, kind: &str) -> Failure {
    value_error(format!("Unknown format code '{}' for object of type '{kind}'", shown(code)))
}

/// A format specification.
#[derive(Debug)]
struct Specification {
    fill: char,
    align: char,
    sign: Option<char>,
    /// `z`: no negative zero.
    positive_zero: bool,
    alternate: bool,
    width: usize,
    /// The separator of groups.
    separator: Option<char>,
    precision: Option<usize>,
    code: char,
}

/// The rest of a specification.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// Takes the next character if it is one of these.
    fn take(&mut self, wanted: &str) -> Option<char> {
        let next = self.0.chars().next().filter(|next| wanted.contains(*next))?;
        self.0 = self.0.get(next.len_utf8()..).unwrap_or_default();
        Some(next)
    }

    /// Takes a number, if there is one.
    fn number(&mut self) -> Result<Option<usize>, Failure> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse().ok().filter(|number| *number <= MOST);
        let number = number.ok_or_else(|| value_error(TOO_MANY_DIGITS))?;
        Ok(Some(number))
    }
}

const TOO_MANY_DIGITS: &str = "Too many decimal digits in format string";

impl Specification {
    fn parse(text: &str, kind: &str, code: char, align: char) -> Result<Self, Failure> {
        let is_align = |c: char| "<>=^".contains(c);
        let mut characters = text.chars();
        let (first, second) = (characters.next(), characters.next());
        let mut rest = Rest(text);
        let (mut fill, mut given_align) = (None, None);
        if let (Some(character), Some(second)) = (first, second)
            && is_align(second)
        {
            (fill, given_align) = (Some(character), Some(second));
            rest = Rest(characters.as_str());
        } else {
            given_align = rest.take("<>=^").or(given_align);
        }
        let sign = rest.take("+- ");
        let positive_zero = rest.take("z").is_some();
        let alternate = rest.take("#").is_some();
        let mut align_by_zero = None;
        if fill.is_none() && rest.take("0").is_some() {
            fill = Some('0');
            align_by_zero = (align == '>').then_some('=');
        }
        let width = rest.number()?.unwrap_or(0);
        let both = || value_error("Cannot specify both ',' and '_'.");
        let mut separator = rest.take(",");
        if let Some(underscore) = rest.take("_") {
            if separator.replace(underscore).is_some() {
                return Err(both());
            }
            if rest.0.starts_with(',') {
                return Err(both());
            }
        }
        let mut precision = None;
        if rest.take(".").is_some() {
            let missing = || value_error("Format specifier missing precision");
            precision = Some(rest.number()?.ok_or_else(missing)?);
        }
        let mut last = rest.0.chars();
        let code = last.next().unwrap_or(code);
        if last.next().is_some() {
            let message = format!("Invalid format specifier '{text}' for object of type '{kind}'");
            return Err(value_error(message));
        }
        if let Some(separator) = separator {
            let fits = match code {
                'd' | REPR => true,
                'b' | 'o' | 'x' | 'X' => separator == '_',
                code => is_of_floats(code),
            };
            if !fits {
                let message = format!("Cannot specify '{separator}' with '{}'.", shown(code));
                return Err(value_error(message));
            }
        }
        Ok(Self {
            fill: fill.unwrap_or(' '),
            align: given_align.or(align_by_zero).unwrap_or(align),
            sign,
            positive_zero,
            alternate,
            width,
            separator,
            precision,
            code,
        })
    }

    /// Puts a text to its place.
    fn padded(&self, text: &str) -> String {
        self.laid_out("", text)
    }

    /// Puts a text to its place; with `=` the filling stands after what is `before` it.
    fn laid_out(&self, before: &str, text: &str) -> String {
        let used = before.chars().count() + text.chars().count();
        let room = self.width.saturating_sub(used);
        let fill = |count: usize| self.fill.to_string().repeat(count);
        match self.align {
            '<' => format!("{before}{text}{}", fill(room)),
            '^' => format!("{}{before}{text}{}", fill(room / 2), fill(room - room / 2)),
            '=' => format!("{before}{}{text}", fill(room)),
            _ => format!("{}{before}{text}", fill(room)),
        }
    }

    /// Puts a number to its place: its sign and prefix, the digits before the point, and the rest.
    fn number(&self, negative: bool, prefix: &str, digits: &str, rest: &str) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let before = format!("{sign}{prefix}");
        // Filling zeros belong to the digits, and so to their groups.
        let least = match (self.fill, self.align) {
            ('0', '=') => self.width.saturating_sub(before.len() + rest.len()),
            _ => 0,
        };
        let step = match self.code {
            'b' | 'o' | 'x' | 'X' => 4,
            _ => 3,
        };
        let digits = match digits {
            "" => String::new(),
            digits => grouped(digits, self.separator, step, least),
        };
        self.laid_out(&before, &(digits + rest))
    }
}

/// Digits in groups, with zeros before them until they are at least so wide.
fn grouped(digits: &str, separator: Option<char>, step: usize, least: usize) -> String {
    let mut out: Vec<char> = Vec::new();
    let mut digits = digits.chars().rev();
    let mut count = 0;
    loop {
        let digit = match digits.next() {
            Some(digit) => digit,
            None if out.len() < least => '0',
            None => break,
        };
        if let Some(separator) = separator
            && count > 0
            && count % step == 0
        {
            out.push(separator);
        }
        out.push(digit);
        count += 1;
    }
    out.iter().rev().collect()
}

fn text_as(text: &str, spec: &Specification, kind: &str) -> Result<String, Failure> {
    if spec.code != 's' {
        return Err(unknown(spec.code, kind));
    }
    let wrong = match spec.sign {
        Some(' ') => Some("Space not allowed in string format specifier"),
        Some(_) => Some("Sign not allowed in string format specifier"),
        None if spec.positive_zero => {
            Some("Negative zero coercion (z) not allowed in string format specifier")
        }
        None if spec.alternate => Some("Alternate form (#) not allowed in string format specifier"),
        None if spec.align == '=' => Some("'=' alignment not allowed in string format specifier"),
        None => None,
    };
    if let Some(wrong) = wrong {
        return Err(value_error(wrong));
    }
    let cut: String = text.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
    Ok(spec.padded(&cut))
}

fn integer_as(number: &num_bigint::BigInt, spec: &Specification) -> Result<String, Failure> {
    if spec.precision.is_some() {
        return Err(value_error("Precision not allowed in integer format specifier"));
    }
    if spec.positive_zero {
        let message = "Negative zero coercion (z) not allowed in integer format specifier";
        return Err(value_error(message));
    }
    if spec.code == 'c' {
        return character(number, spec);
    }
    let (base, prefix) = match spec.code {
        'b' => (2, "0b"),
        'o' => (8, "0o"),
        'x' => (16, "0x"),
        'X' => (16, "0X"),
        _ => (10, ""),
    };
    let digits = number.magnitude().to_str_radix(base);
    let digits = if spec.code == 'X' { digits.to_uppercase() } else { digits };
    let prefix = if spec.alternate { prefix } else { "" };
    Ok(spec.number(number.is_negative(), prefix, &digits, ""))
}

fn character(number: &num_bigint::BigInt, spec: &Specification) -> Result<String, Failure> {
    if spec.sign.is_some() {
        return Err(value_error("Sign not allowed with integer format specifier 'c'"));
    }
    if spec.alternate {
        let message = "Alternate form (#) not allowed with integer format specifier 'c'";
        return Err(value_error(message));
    }
    let code = number.to_i64();
    let code = code.ok_or_else(|| value_error("Python int too large to convert to C long"))?;
    let code = u32::try_from(code).ok().filter(|code| *code < 0x11_0000);
    let code = code.ok_or_else(|| value_error("%c arg not in range(0x110000)"))?;
    let character = char::from_u32(code).ok_or_else(|| {
        value_error(format!("%c arg 0x{code:x} is half a character, which JSON does not have"))
    })?;
    Ok(spec.padded(&character.to_string()))
}

fn float_as(number: f64, spec: &Specification) -> Result<String, Failure> {
    let number = if spec.code == '%' { number * 100.0 } else { number };
    let (size, alternate) = (number.abs(), spec.alternate);
    let text = match (spec.code, spec.precision) {
        _ if size.is_nan() => "nan".to_owned(),
        _ if size.is_infinite() => "inf".to_owned(),
        // Without a code it is repr, or shortened to so many digits.
        (REPR, None) => pointed(Value::Float(size).to_text(), alternate),
        (REPR, Some(precision)) => general(size, precision, alternate, true),
        ('g' | 'G' | 'n', precision) => {
            general(size, precision.unwrap_or(DECIMALS), alternate, false)
        }
        ('e' | 'E', precision) => {
            pointed(scientific(size, precision.unwrap_or(DECIMALS)), alternate)
        }
        (_, precision) => {
            let precision = precision.unwrap_or(DECIMALS);
            pointed(format!("{size:.precision$}"), alternate)
        }
    };
    let text = if spec.code.is_ascii_uppercase() { text.to_uppercase() } else { text };
    let is_zero = !text.contains(|c: char| c.is_ascii_digit() && c != '0')
        && text.contains(|c: char| c.is_ascii_digit());
    // The exponent of zero is zero, too.
    let negative = number.is_sign_negative()
        && !number.is_nan()
        && !(spec.positive_zero && (is_zero || size == 0.0));
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let rest = if spec.code == '%' { format!("{rest}%") } else { rest.to_owned() };
    Ok(spec.number(negative, "", digits, &rest))
}

/// With a point even where no digits follow it, if that is wanted.
fn pointed(text: String, wanted: bool) -> String {
    if !wanted || text.contains('.') {
        return text;
    }
    let end = text.find('e').unwrap_or(text.len());
    let (digits, exponent) = text.split_at(end);
    format!("{digits}.{exponent}")
}

/// `1.50e+03`
fn scientific(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    with_exponent(digits, exponent.parse().unwrap_or(0))
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// So many digits, with an exponent where the number is very large or small; without zeros at the end,
/// unless they are wanted. As a `float`, it has at least one digit after the point.
fn general(number: f64, precision: usize, zeros: bool, float: bool) -> String {
    let precision = precision.max(1);
    let text = format!("{number:.*e}", precision - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    if !zeros {
        digits.truncate(digits.trim_end_matches('0').len().max(1));
    }
    // Where the point stands among the digits.
    let point = exponent + 1;
    let most = i32::try_from(precision).unwrap_or(i32::MAX) - i32::from(float);
    if point <= -4 || point > most {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() && !zeros { "" } else { "." };
        return with_exponent(&format!("{first}{point}{rest}"), exponent);
    }
    let (whole, rest) = match usize::try_from(point).ok().filter(|point| *point > 0) {
        Some(point) => {
            while digits.len() < point {
                digits.push('0');
            }
            let (whole, rest) = digits.split_at(point);
            (whole.to_owned(), rest.to_owned())
        }
        None => {
            let before = "0".repeat(usize::try_from(-point).unwrap_or(0));
            ("0".to_owned(), before + &digits)
        }
    };
    match rest.as_str() {
        "" if float => format!("{whole}.0"),
        "" if zeros => format!("{whole}."),
        "" => whole,
        rest => format!("{whole}.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_cpython_writes_them() {
        for (value, specification, written) in [
            ("12345.678", ".2e", "1.23e+04"),
            ("1234567.0", ".3", "1.23e+06"),
            ("100000.0", ".6", "1e+05"),
            ("12.0", ".3", "12.0"),
            ("12.0", "#.3g", "12.0"),
            ("1e-5", "g", "1e-05"),
            ("1e22", ",g", "1e+22"),
            ("123456789.0", "n", "1.23457e+08"),
            ("-0.01", "z.1f", "0.0"),
            ("1.5", "#.0%", "150.%"),
            ("1234.5", "012,", "00,001,234.5"),
            ("1234", "08,", "0,001,234"),
            ("255", "#010_x", "0x000_00ff"),
            ("255", "010_b", "0_1111_1111"),
            ("5", " z#020_.3f", " 000_000_000_005.000"),
            ("8364", "*^5c", "**€**"),
            ("true", "5", "    1"),
            ("\"ab\"", "*<05", "ab***"),
        ] {
            let value = Value::parse(value).expect("JSON");
            let found = format(&value, specification).expect(specification);
            assert_eq!(found, written, "{value:?} {specification}");
        }
    }

    #[test]
    fn a_specification_that_python_refuses_is_refused_in_its_words() {
        for (value, specification, refusal) in [
            ("5", "5,_d", "Cannot specify both ',' and '_'."),
            ("5", ",x", "Cannot specify ',' with 'x'."),
            ("5", ".", "Format specifier missing precision"),
            ("5", "xx", "Invalid format specifier 'xx' for object of type 'int'"),
            ("5", "+c", "Sign not allowed with integer format specifier 'c'"),
            ("-1", "c", "%c arg not in range(0x110000)"),
            ("1.5", "é", "Unknown format code '\\xe9' for object of type 'float'"),
            ("\"a\"", "=5", "'=' alignment not allowed in string format specifier"),
            ("5", "10001", "Too many decimal digits in format string"),
        ] {
            let value = Value::parse(value).expect("JSON");
            let refused = format(&value, specification).expect_err(specification);
            assert_eq!(refused.message, refusal, "{value:?} {specification}");
        }
    }
}
