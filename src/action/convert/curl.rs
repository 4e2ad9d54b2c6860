//! Commands of curl as recorded requests. A text may hold several; the options of each become an entry of
//! a recording, and what a recording cannot say becomes members of the task.

use super::refusal::NotConverted;
use crate::action::commands::har::{RecordedRequest, recorded};
use crate::action::import::curl::{Call, commands, dict, files, part, words};
use crate::load::template::Escape;
use crate::value::{Map, Reader, Value};

/// The requests of a text with commands of curl, and what is lost.
pub(super) fn requests(text: &str) -> Result<(Vec<RecordedRequest>, Vec<String>), NotConverted> {
    let words = words(text).ok_or_else(|| NotConverted("a quote is not closed".to_owned()))?;
    let starts = commands(&words);
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(words.len());
        let command = words.get(start + 1..end).unwrap_or_default();
        let place = |why: String| match starts.len() {
            1 => NotConverted(why),
            _ => NotConverted(format!("command {}: {why}", number + 1)),
        };
        let call = Call::read(command).map_err(place)?;
        for url in call.urls.clone() {
            let (entry, more) = call.entry(&url).map_err(place)?;
            let entries = Value::dict([("entries", Value::List(vec![entry]))]);
            let (requests, losses) =
                recorded(&Reader::at(&Value::dict([("log", entries)]), ""), |_| true)?;
            notes.extend(losses.into_iter().filter(|loss| loss.contains("left out")));
            for mut request in requests {
                request.task.extend(more.clone());
                found.push(request);
            }
        }
    }
    // Cookies are sent as they were given, in a header.
    notes.retain(|note| !note.starts_with("Cookie"));
    Ok((found, notes))
}

impl Call {
    /// An entry of a recording, and members of the task that it cannot say.
    fn entry(&self, url: &str) -> Result<(Value, Map), String> {
        let mut url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let mut headers: Vec<(String, String)> = Vec::new();
        for header in self.all("header") {
            let (name, value) =
                header.split_once(':').ok_or_else(|| format!("-H {header:?} has no colon"))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        for (option, name) in [("user-agent", "User-Agent"), ("referer", "Referer")] {
            headers.extend(self.last(option).map(|value| (name.to_owned(), value.to_owned())));
        }
        headers.extend(
            self.last("oauth2-bearer")
                .map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))),
        );
        let (body, json) = self.body()?;
        let default =
            match (self.has("head"), body.is_some() || self.has("form") || self.has("form-string"))
            {
                (true, _) => "HEAD",
                (_, true) if !self.has("get") => "POST",
                _ => "GET",
            };
        let method = self.last("request").unwrap_or(default);
        let has = |headers: &[(String, String)], name: &str| {
            headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let mut request = vec![("method", Value::from(method))];
        match body {
            Some(body) if self.has("get") => {
                let joint = if url.contains('?') { '&' } else { '?' };
                let at = url.find('#').unwrap_or(url.len());
                url.insert_str(at, &format!("{joint}{body}"));
            }
            Some(body) => {
                let kind =
                    if json { "application/json" } else { "application/x-www-form-urlencoded" };
                for (name, wanted) in [("Content-Type", true), ("Accept", json)] {
                    if wanted && !has(&headers, name) {
                        headers.push((name.to_owned(), kind.to_owned()));
                    }
                }
                let given =
                    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
                let kind = given.map_or(kind, |(_, kind)| kind.as_str()).to_owned();
                let content = match fields(&body).filter(|_| kind.contains("form-urlencoded")) {
                    Some(fields) => ("params", fields),
                    None => ("text", body.into()),
                };
                let post = Value::dict([("mimeType", Value::from(kind)), content]);
                request.push(("postData", post));
            }
            None => {}
        }
        request.push(("url", url.as_str().into()));
        let more = self.members(&headers)?;
        let pair = |(name, value): (String, String)| {
            Value::dict([("name", Value::from(name)), ("value", value.into())])
        };
        request.push(("headers", headers.into_iter().map(pair).collect::<Vec<_>>().into()));
        Ok((Value::dict([("request", dict(request))]), more))
    }

    /// The body, and whether `--json` gave it.
    fn body(&self) -> Result<(Option<String>, bool), String> {
        let mut parts: Vec<String> = Vec::new();
        let mut json = false;
        for (option, value) in &self.options {
            let part = match *option {
                "data" | "data-ascii" => file(value)?.map(|text| text.replace(['\r', '\n'], "")),
                "data-binary" => file(value)?,
                "json" => {
                    json = true;
                    // Several are written after each other.
                    let part = file(value)?.unwrap_or_else(|| value.clone());
                    match parts.last_mut() {
                        Some(last) => last.push_str(&part),
                        None => parts.push(part),
                    }
                    continue;
                }
                "data-raw" => None,
                "data-urlencode" => Some(encoded(value)?),
                _ => continue,
            };
            parts.push(part.unwrap_or_else(|| value.clone()));
        }
        Ok(((!parts.is_empty()).then(|| parts.join("&")), json))
    }

    /// Members of the task beside its request.
    fn members(&self, headers: &[(String, String)]) -> Result<Map, String> {
        let mut task = Map::new();
        let mut set = |key: &str, value: Value| task.insert(key.to_owned(), value);
        // The import leaves cookies to the virtual user; here they were given by hand.
        let given = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let cookie =
            given.map(|(_, value)| value.clone()).or(self.last("cookie").map(str::to_owned));
        if let Some(cookie) = cookie {
            if !cookie.contains('=') {
                return Err(format!(
                    "-b {cookie:?} is a file of cookies; give the cookies themselves"
                ));
            }
            let pairs = cookie.split(';').filter_map(|pair| pair.trim().split_once('='));
            set(
                "cookies",
                Value::Dict(pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()),
            );
        }
        if let Some(user) = self.last("user") {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let kind = if self.has("digest") { "digest" } else { "basic" };
            set(
                "auth",
                Value::dict([
                    ("type", Value::from(kind)),
                    ("username", name.into()),
                    ("password", password.into()),
                ]),
            );
        }
        let mut parts = Vec::new();
        for (option, form) in self.options.iter().filter(|(option, _)| option.starts_with("form")) {
            let (name, value) =
                form.split_once('=').ok_or_else(|| format!("-F {form:?} has no ="))?;
            parts.push((name.to_owned(), part(value, *option == "form-string")));
        }
        if !parts.is_empty() {
            set("files", files(parts));
        }
        if self.has("insecure") {
            set("verify", false.into());
        } else if let Some(authority) = self.last("cacert") {
            set("verify", authority.into());
        }
        match (self.last("cert"), self.last("key")) {
            (Some(cert), Some(key)) => set("cert", Value::List(vec![cert.into(), key.into()])),
            (Some(cert), None) => set("cert", cert.into()),
            _ => None,
        };
        if !self.has("location") {
            set("allow_redirects", false.into());
        }
        if self.has("http2") {
            set("http2", true.into());
        }
        if let Some(proxy) = self.last("proxy") {
            let proxy =
                if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
            set("proxy", proxy.into());
        }
        if let Some(seconds) = self.last("max-time") {
            let seconds: f64 =
                seconds.parse().map_err(|_| format!("-m {seconds:?} is no number of seconds"))?;
            set("timeout", seconds.into());
        }
        Ok(task)
    }
}

/// A body as the fields of a form, if it is one that a browser could have written.
fn fields(body: &str) -> Option<Value> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%+&=._~*-".contains(&byte);
    if !body.bytes().all(plain) || body.split('&').any(|field| !field.contains('=')) {
        return None;
    }
    let fields = url::form_urlencoded::parse(body.as_bytes()).map(|(name, value)| {
        let (name, value) = (Value::from(&*name), Value::from(&*value));
        Value::dict([("name", name), ("value", value)])
    });
    Some(Value::List(fields.collect()))
}

/// The content of the file that `@FILE` names.
fn file(value: &str) -> Result<Option<String>, String> {
    let Some(path) = value.strip_prefix('@') else { return Ok(None) };
    let text = std::fs::read_to_string(path);
    text.map(Some).map_err(|error| format!("cannot read {path}: {}", crate::error::reason(&error)))
}

/// The value of `--data-urlencode`: `name=content`, `=content`, `name@file` or `content`.
fn encoded(value: &str) -> Result<String, String> {
    let escaped = |text: &str| Escape::Form.written(text);
    Ok(match value.find(['=', '@']) {
        None => escaped(value),
        Some(at) => {
            let (name, rest) = value.split_at(at);
            let content = match rest.strip_prefix('=') {
                Some(content) => content.to_owned(),
                None => file(rest)?.unwrap_or_default(),
            };
            if name.is_empty() {
                escaped(&content)
            } else {
                format!("{name}={}", escaped(&content))
            }
        }
    })
}
