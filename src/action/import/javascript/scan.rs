//! The words of a script: enough of JavaScript's lexical grammar to tell texts, comments and brackets
//! apart.

use super::super::NotImported;

/// The most words of a script.
const MOST: usize = 1 << 20;

/// The longest regular expression, in characters.
const MAX_PATTERN: usize = 2000;

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::action::import) enum Word {
    /// A name or a keyword.
    Name(String),
    /// A text in quotes, without its escapes.
    Text(String),
    /// What stands between backticks, as it is written.
    Template(String),
    Number(f64),
    /// An operator or a bracket.
    Sign(&'static str),
    /// A regular expression, or a character that no script has.
    Other,
}

/// A word and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::action::import) struct Token {
    pub(in crate::action::import) word: Word,
    pub(in crate::action::import) start: usize,
    pub(in crate::action::import) end: usize,
    /// Whether a line ends before it.
    pub(in crate::action::import) breaks: bool,
}

/// The operators and brackets, longer ones first.
const SIGNS: [&str; 53] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=",
    "<=", ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "**", "<<", ">>",
    "{", "}", "(", ")", "[", "]", ";", ",", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "!",
    "~", "?", ":", "=",
];

/// The words of a script.
pub(in crate::action::import) fn tokens(source: &str) -> Result<Vec<Token>, NotImported> {
    let mut found: Vec<Token> = Vec::new();
    let mut at = 0;
    let mut breaks = false;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            breaks |= first == '\n';
            at += first.len_utf8();
            continue;
        }
        if rest.starts_with("//") || (at == 0 && rest.starts_with("#!")) {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        if rest.starts_with("/*") {
            at += rest.get(2..).and_then(|rest| rest.find("*/")).map_or(rest.len(), |end| end + 4);
            continue;
        }
        let (word, length) = word(rest, first, found.last().map(|last| &last.word));
        found.push(Token { word, start: at, end: at + length, breaks });
        if found.len() > MOST {
            return Err(NotImported(format!("a script has at most {MOST} words")));
        }
        at += length;
        breaks = false;
    }
    Ok(found)
}

fn word(rest: &str, first: char, last: Option<&Word>) -> (Word, usize) {
    match first {
        '"' | '\'' => {
            let length = quoted(rest, first);
            (Word::Text(unescaped(inside(rest, length, first))), length)
        }
        '`' => {
            let length = template(rest);
            (Word::Template(inside(rest, length, first).to_owned()), length)
        }
        '0'..='9' => number(rest),
        '.' if rest.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) => {
            number(rest)
        }
        '/' if begins_value(last) => (Word::Other, pattern(rest)),
        first if first.is_alphabetic() || first == '_' || first == '$' => {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
            let name = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
            (Word::Name(name.to_owned()), name.len())
        }
        '.' if !rest.starts_with("...") => (Word::Sign("."), 1),
        first => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            Some(sign) => (Word::Sign(sign), sign.len()),
            None => (Word::Other, first.len_utf8()),
        },
    }
}

/// What stands between the quotes of a text; the last may be missing.
fn inside(rest: &str, length: usize, quote: char) -> &str {
    let whole = rest.get(1..length).unwrap_or_default();
    whole.strip_suffix(quote).unwrap_or(whole)
}

/// The length of a text in quotes, to its end or that of its line.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '\n' if !escaped => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            character if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a template, whose placeholders may hold templates.
fn template(rest: &str) -> usize {
    let mut escaped = false;
    // The templates that are open, each with the brackets open in its placeholder.
    let mut open: Vec<Option<usize>> = vec![None];
    let mut before = ' ';
    for (at, character) in rest.char_indices().skip(1) {
        let inside = open.last_mut();
        match (character, inside) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            ('{', Some(holes @ None)) if before == '$' => *holes = Some(1),
            ('{', Some(Some(depth))) => *depth += 1,
            ('}', Some(holes @ Some(1))) => *holes = None,
            ('}', Some(Some(depth))) => *depth -= 1,
            ('`', Some(Some(_))) => open.push(None),
            ('`', Some(None)) => {
                open.pop();
                if open.is_empty() {
                    return at + 1;
                }
            }
            _ => {}
        }
        before = character;
    }
    rest.len()
}

fn number(rest: &str) -> (Word, usize) {
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)];
    let lower = rest.get(..2).unwrap_or_default().to_ascii_lowercase();
    if let Some((_, radix)) = radix.iter().find(|(prefix, _)| *prefix == lower) {
        let digits = rest.get(2..).unwrap_or_default();
        let length =
            digits.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(digits.len());
        let text = digits.get(..length).unwrap_or_default().replace('_', "");
        let value = i64::from_str_radix(&text, *radix).unwrap_or_default();
        return (Word::Number(value as f64), length + 2);
    }
    let mut length = 0;
    let mut before = ' ';
    for (at, character) in rest.char_indices() {
        let sign = matches!(character, '+' | '-') && matches!(before, 'e' | 'E');
        if !(character.is_ascii_alphanumeric() || matches!(character, '.' | '_') || sign) {
            break;
        }
        before = character;
        length = at + character.len_utf8();
    }
    let text = rest.get(..length).unwrap_or_default().replace('_', "");
    (Word::Number(text.trim_end_matches('n').parse().unwrap_or_default()), length.max(1))
}

/// Whether a slash begins a regular expression: after what cannot end a value.
fn begins_value(last: Option<&Word>) -> bool {
    match last {
        None => true,
        Some(Word::Sign(sign)) => !matches!(*sign, ")" | "]" | "}" | "++" | "--"),
        Some(Word::Name(name)) => matches!(name.as_str(), "return" | "typeof" | "case" | "in"),
        Some(_) => false,
    }
}

/// The length of a regular expression, with its flags.
fn pattern(rest: &str) -> usize {
    let (mut escaped, mut class) = (false, false);
    for (at, character) in rest.char_indices().skip(1).take(MAX_PATTERN) {
        match character {
            '\n' => return 1,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '/' if !class => {
                let flags = rest.get(at + 1..).unwrap_or_default();
                let flags = flags.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(flags.len());
                return at + 1 + flags;
            }
            _ => {}
        }
    }
    1
}

/// A text without its escapes.
pub(in crate::action::import) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('0') => out.push('\0'),
            Some('\n') | None => {}
            Some('u' | 'x') if letters.as_str().is_empty() => {}
            Some(kind @ ('u' | 'x')) => {
                let (length, code) = match letters.as_str().strip_prefix('{') {
                    Some(braced) if kind == 'u' => {
                        let end = braced.char_indices().take(8).find(|(_, c)| *c == '}');
                        let end = end.map_or(0, |(end, _)| end);
                        (end + 2, braced.get(..end).unwrap_or_default())
                    }
                    _ => {
                        let length = if kind == 'u' { 4 } else { 2 };
                        (length, letters.as_str().get(..length).unwrap_or_default())
                    }
                };
                out.extend(u32::from_str_radix(code, 16).ok().and_then(char::from_u32));
                let rest = letters.as_str().get(length..).unwrap_or_default();
                letters = rest.chars();
            }
            Some(other) => out.push(other),
        }
    }
    out
}
