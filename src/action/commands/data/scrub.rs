//! Personal data in texts, replaced by names that tell nothing and are equal for equal data: addresses
//! of mail, cards, telephones, IPv4 addresses, and members with telling names. The reference finds
//! them with expressions that look around; this finds the same without.

use std::sync::LazyLock;

use blake2::digest::consts::U4;
use blake2::{Blake2b, Digest};
use regex::Regex;

use crate::value::Value;

/// An address of mail, without what may stand before it.
static EMAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[a-zA-Z0-9._%+\-]+@[a-zA-Z0-9.\-]+\.[a-zA-Z]{2,}").ok());

static IPV4: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b").ok());

/// Names of members whose texts are secrets.
static SECRET: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(token|secret|password|api[_-]?key)").ok());

static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\d$").ok());

/// How many digits a card has.
const CARD: (usize, usize) = (13, 19);

/// How many digits a telephone number has at least.
const PHONE: (usize, usize) = (8, usize::MAX);

/// A value without personal data, at any depth.
pub(super) fn scrubbed(value: &Value) -> Value {
    match value {
        Value::Str(text) => text_without(text).into(),
        Value::List(items) => Value::List(items.iter().map(scrubbed).collect()),
        Value::Dict(members) => {
            let scrubbed = members.iter().map(|(name, value)| {
                let is_secret = SECRET.as_ref().is_none_or(|secret| secret.is_match(name));
                let value = match value {
                    Value::Str(text) if is_secret => stand_in("secret", text).into(),
                    other => scrubbed(other),
                };
                (name.clone(), value)
            });
            Value::Dict(scrubbed.collect())
        }
        other => other.clone(),
    }
}

/// A text without personal data.
pub(super) fn text_without(text: &str) -> String {
    let text = without_mail(text);
    // Every card would be a telephone number, too.
    let text = without_numbers(&text, CARD, "card");
    let text = without_numbers(&text, PHONE, "phone");
    match IPV4.as_ref() {
        Some(pattern) => pattern
            .replace_all(&text, |found: &regex::Captures<'_>| stand_in("ip", &found[0]))
            .into_owned(),
        None => text,
    }
}

/// What stands for some data: the same for the same data.
fn stand_in(kind: &str, data: &str) -> String {
    let digest = Blake2b::<U4>::digest(data.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}_{hex}")
}

fn without_mail(text: &str) -> String {
    let Some(pattern) = EMAIL.as_ref() else { return text.to_owned() };
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte);
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(found) = pattern.find_at(text, at) {
        let before = found.start().checked_sub(1).and_then(|before| text.as_bytes().get(before));
        if before.copied().is_some_and(is_local) {
            // It would begin inside a word; none begins before its sign.
            at = found.start() + found.as_str().find('@').unwrap_or(1);
            continue;
        }
        out.push_str(text.get(kept..found.start()).unwrap_or_default());
        out.push_str(&stand_in("email", found.as_str()));
        (kept, at) = (found.end(), found.end());
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    out
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
        || !character.is_ascii()
            && character.is_numeric()
            && DIGIT
                .as_ref()
                .is_some_and(|digit| digit.is_match(character.encode_utf8(&mut [0; 4])))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Replaces numbers of so many digits, between which single blanks or dashes may stand.
fn without_numbers(text: &str, digits: (usize, usize), kind: &str) -> String {
    let (mut out, mut kept) = (String::new(), 0);
    let mut before = None;
    let mut at = 0;
    while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let may_begin = before.is_none_or(|before| !is_word(before) && before != '+');
        let end = may_begin.then(|| number_end(text, at, digits, kind == "phone")).flatten();
        let Some(end) = end else {
            before = Some(character);
            at += character.len_utf8();
            continue;
        };
        let number = text.get(at..end).unwrap_or_default();
        out.push_str(text.get(kept..at).unwrap_or_default());
        out.push_str(&stand_in(kind, number));
        before = number.chars().next_back();
        (kept, at) = (end, end);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    out
}

/// Where the longest number ends that begins here and is followed by no word.
fn number_end(
    text: &str,
    begin: usize,
    (least, most): (usize, usize),
    plus: bool,
) -> Option<usize> {
    let mut at = begin;
    if plus && text.get(at..)?.starts_with('+') {
        at += 1;
    }
    let (mut count, mut found) = (0, None);
    while count < most {
        let rest = text.get(at..)?;
        let gap = usize::from(count > 0 && rest.starts_with([' ', '-']));
        let Some(digit) = rest.get(gap..)?.chars().next().filter(|next| is_digit(*next)) else {
            break;
        };
        at += gap + digit.len_utf8();
        count += 1;
        let follows = text.get(at..)?.chars().next();
        if count >= least && follows.is_none_or(|next| !is_word(next)) {
            found = Some(at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_replaced_as_in_the_reference() {
        // Made by the reference.
        for (text, expected) in [
            ("mail a.b@c.test now", "mail email_b7a1ef07 now"),
            ("4111 1111 1111 1111", "card_2886dd3b"),
            ("+48 123-456-789", "phone_1c750fc1"),
            ("from 10.0.0.1", "from ip_62dfa9ef"),
            ("", ""),
            ("nothing here: 1234567", "nothing here: 1234567"),
        ] {
            assert_eq!(text_without(text), expected);
        }
        let kinds = |text: &str| -> String {
            let pattern = Regex::new("_[0-9a-f]{8}").expect("a pattern");
            pattern.replace_all(&text_without(text), "").into_owned()
        };
        for (text, expected) in [
            ("call +48 123-456-789.", "call phone."),
            ("4111 1111 1111 1111 x", "card x"),
            ("12345678901234567890 1", "phone"),
            ("x12345678", "x12345678"),
            ("12345678x", "12345678x"),
            ("12 345678 9x", "phone 9x"),
            ("++12345678", "++12345678"),
            ("from 10.0.0.1 to 1.2.3", "from ip to 1.2.3"),
            ("a@b.com_x@c.de", "email_x@c.de"),
            ("%%@x %a@b.cd", "%%@x email"),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
        assert_eq!(text_without("a@b.cd"), text_without("a@b.cd"));
        assert_ne!(text_without("a@b.cd"), text_without("b@b.cd"));
    }

    #[test]
    fn long_texts_take_no_longer_than_their_length_asks_for() {
        for text in ["a".repeat(1 << 20), "1 ".repeat(1 << 19), "a@".repeat(1 << 19)] {
            let _ = text_without(&text);
        }
    }

    #[test]
    fn members_with_telling_names_are_replaced_whole() {
        let value =
            Value::parse(r#"{"Token": "x", "apiKey": 5, "a": [{"user_password": ""}], "b": null}"#);
        let scrubbed = scrubbed(&value.expect("JSON")).to_text();
        let secret = stand_in("secret", "x");
        let empty = stand_in("secret", "");
        assert_eq!(
            scrubbed,
            format!(
                "{{'Token': '{secret}', 'apiKey': 5, 'a': [{{'user_password': '{empty}'}}], 'b': None}}"
            )
        );
    }
}
