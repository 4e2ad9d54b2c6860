//! The credentials of requests: their own, or those of the folder or collection around them.

use std::borrow::Cow;

use super::super::lookup::{scalar, text};
use super::super::{bearer, has_header, set_in};
use super::{Auth, Reader, settings_of};
use crate::value::{Map, Value};

impl Reader {
    /// That of a place, or what the place inherits.
    pub(super) fn auth<'a>(&mut self, place: &Value, inherited: &'a Auth) -> Cow<'a, Auth> {
        let Some(auth) = place.get("auth").filter(|auth| **auth != Value::Null) else {
            return Cow::Borrowed(inherited);
        };
        let Some(kind) = text(auth, "type") else { return Cow::Borrowed(inherited) };
        let given = auth.get(kind).map(settings_of).unwrap_or_default();
        let mut value = |name: &str| {
            let value = given.get(name).and_then(scalar).unwrap_or_default();
            self.filled(&value)
        };
        Cow::Owned(match kind {
            "noauth" => Auth::None,
            "basic" | "digest" => Auth::Member(Value::dict([
                ("type", Value::from(kind)),
                ("username", value("username").into()),
                ("password", value("password").into()),
            ])),
            "bearer" => Auth::Member(bearer(&value("token"))),
            "oauth2" => {
                let token = value("accessToken");
                let token = if token.is_empty() { "${env.TOKEN}".to_owned() } else { token };
                Auth::Member(bearer(&token))
            }
            "apikey" => Auth::Key {
                name: value("key"),
                value: value("value"),
                in_query: given.get("in").and_then(Value::as_str) == Some("query"),
            },
            other => {
                self.import.notices.leave_out(format!("authentication {other}"));
                Auth::None
            }
        })
    }

    pub(super) fn credentials(&mut self, auth: &Auth, task: &mut Map) {
        match auth {
            Auth::None => {}
            // A header by hand takes precedence.
            Auth::Member(_) if has_header(task, "authorization") => {}
            Auth::Member(auth) => {
                task.insert("auth".to_owned(), auth.clone());
            }
            Auth::Key { name, .. } if name.is_empty() => {}
            Auth::Key { name, value, in_query } => {
                self.import.credentials.insert(name.clone());
                set_in(task, if *in_query { "params" } else { "headers" }, name, value.as_str());
            }
        }
    }
}
