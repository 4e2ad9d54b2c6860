//! Removal of secrets from reports: which members, parameters and texts hold one. A report is
//! passed on to people who must not see the tokens and passwords of the document that it shows.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::value::Value;

/// The replacement for a secret.
const REDACTED: &str = "[redacted]";

/// A document without its secrets: members with telling names, pairs that begin with such a name,
/// and what [`without_secrets`] finds in texts. Placeholders stay, because they only name a secret.
pub(super) fn redacted(value: &Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(without_secrets(text)),
        Value::List(items) => match items.as_slice() {
            [Value::Str(name), Value::Str(secret)] if is_secret(name) => {
                Value::List(vec![name.as_str().into(), hidden(&Value::from(secret.as_str()))])
            }
            items => Value::List(items.iter().map(redacted).collect()),
        },
        Value::Dict(members) => Value::Dict(
            members
                .iter()
                .map(|(name, value)| {
                    let value = if is_secret(name) { hidden(value) } else { redacted(value) };
                    (name.clone(), value)
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

/// A text without the secrets that the preceding characters reveal.
pub(super) fn without_secrets(text: &str) -> String {
    let Some(pattern) = SECRET_TEXT.as_ref() else { return REDACTED.to_owned() };
    let replace = |found: &Captures<'_>| {
        let kept = ["scheme", "name", "url"].into_iter().find_map(|group| found.name(group));
        let at = if found.name("url").is_some() { "@" } else { "" };
        format!("{}{REDACTED}{at}", kept.map_or("", |kept| kept.as_str()))
    };
    pattern.replace_all(text, replace).into_owned()
}

/// Names of members and parameters that hold secrets.
static SECRET_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(^|[^a-z])(authorization|cookies?|pass(word|wd|phrase)?|pwd|secret|token|",
        r"api[_-]?key|access[_-]?key|private[_-]?key|credentials?|session[_-]?id|signature|jwt|otp)s?$",
    ))
    .ok()
});

/// Secrets inside a text: credentials in a URL, parameters with such names, HTTP credentials.
static SECRET_TEXT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?P<url>://)[^/@\s?#]+@",
        r"|(?P<scheme>\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{6,}",
        r"|(?P<name>[a-z0-9_.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|",
        r"signature|credentials?|session[_-]?id)=)[^&\s;#]+",
    ))
    .ok()
});

fn is_secret(name: &str) -> bool {
    SECRET_NAME.as_ref().is_none_or(|pattern| pattern.is_match(name))
}

/// The value of a member with a telling name.
fn hidden(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Str(text) if text.starts_with("${") && text.find('}') == Some(text.len() - 1) => {
            value.clone()
        }
        _ => REDACTED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_documents_are_hidden_but_placeholders_are_not() {
        let document = Value::parse(
            r#"{"headers": {"Authorization": "Bearer abcdefgh", "X-Api-Key": "k", "Accept": "a"},
                "auth": {"type": "basic", "username": "u", "password": "p"},
                "params": [["token", "t"], ["page", "1"]], "cookies": {"a": "b"},
                "json": {"password": "${env.PASSWORD}", "passenger": "x", "notes": ["Basic dXNlcjpw"]},
                "request_url": "http://u:p@host/x?access_token=abc&y=1", "data": "user=a&password=b",
                "verify": true}"#,
        )
        .expect("JSON");
        assert_eq!(
            serde_json::to_string(&redacted(&document)).expect("JSON"),
            concat!(
                r#"{"headers":{"Authorization":"[redacted]","X-Api-Key":"[redacted]","Accept":"a"},"#,
                r#""auth":{"type":"basic","username":"u","password":"[redacted]"},"#,
                r#""params":[["token","[redacted]"],["page","1"]],"cookies":"[redacted]","#,
                r#""json":{"password":"${env.PASSWORD}","passenger":"x","notes":["Basic [redacted]"]},"#,
                r#""request_url":"http://[redacted]@host/x?access_token=[redacted]&y=1","#,
                r#""data":"user=a&password=[redacted]","verify":true}"#,
            )
        );
    }
}
