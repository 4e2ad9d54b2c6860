//! A document without its secrets, for whoever must not see the tokens and passwords in it.

use super::Value;
use crate::redact::{self, REDACTED, names_secret};

impl Value {
    /// This value without secrets: members with telling names, pairs that begin with such a name,
    /// and what [`redact::url`] finds in texts. Placeholders stay, because they only name a secret.
    pub fn redacted(&self) -> Self {
        match self {
            Self::Str(text) => Self::Str(redact::url(text).into_owned()),
            Self::List(items) => match items.as_slice() {
                [Self::Str(name), Self::Str(secret)] if names_secret(name) => {
                    Self::List(vec![name.as_str().into(), hidden(&Self::from(secret.as_str()))])
                }
                items => Self::List(items.iter().map(Self::redacted).collect()),
            },
            Self::Tuple(items) => Self::Tuple(items.iter().map(Self::redacted).collect()),
            Self::Dict(members) => Self::Dict(
                members
                    .iter()
                    .map(|(name, value)| {
                        let secret = names_secret(name);
                        let value = if secret { hidden(value) } else { value.redacted() };
                        (redact::text(name).into_owned(), value)
                    })
                    .collect(),
            ),
            other => other.clone(),
        }
    }
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
            serde_json::to_string(&document.redacted()).expect("JSON"),
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
