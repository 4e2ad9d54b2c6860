//! Calls of `http` as tasks.

use super::super::javascript::{Token, split};
use super::super::lookup::{members, object, scalar, text};
use super::super::placeholders::has_computed;
use super::super::{NotImported, Request, set_in};
use super::value::{Js, placeholder};
use super::{Call, Script};
use crate::value::{Map, Value};

/// What is said of requests whose values only running the script would tell.
const COMPUTED: &str = "requests with values that the script computes (variables, or left out)";

/// Methods of the module.
const METHODS: [&str; 11] = [
    "get",
    "post",
    "put",
    "patch",
    "del",
    "delete",
    "head",
    "options",
    "request",
    "batch",
    "asyncRequest",
];

/// Functions of the module whose results are parts of requests.
const OF_VALUES: [&str; 3] = ["url", "file", "expectedStatuses"];

impl Script<'_> {
    /// A call whose words begin at a place.
    pub(super) fn call(&mut self, at: usize) -> Result<(), NotImported> {
        let Some(method) = self.name_at(at + 2) else { return Ok(()) };
        if !METHODS.contains(&method) {
            if !OF_VALUES.contains(&method) {
                self.import.notices.leave_out(format!("call of http.{method}"));
            }
            return Ok(());
        }
        let inside = self.inside(at + 3);
        let end = inside.end + 1;
        let arguments = split(self.slice(inside), |sign| sign == ",");
        let first = self.requests().len();
        match method {
            "batch" => self.batch(&arguments)?,
            "request" | "asyncRequest" => {
                let method = arguments.first().map(|method| self.names.value(method).text());
                let method = method.flatten().unwrap_or_else(|| "get".to_owned());
                self.request(&method, arguments.get(1..).unwrap_or_default(), true)?;
            }
            "get" | "head" => self.request(method, &arguments, false)?,
            method => self.request(method, &arguments, true)?,
        }
        let count = self.requests().len() - first;
        if count > 0 {
            self.calls.push(Call { words: at..end, first, count });
        }
        Ok(())
    }

    fn request(
        &mut self,
        method: &str,
        arguments: &[&[Token]],
        body: bool,
    ) -> Result<(), NotImported> {
        let address = arguments.first().copied().unwrap_or_default();
        let Some(url) = self.names.value(address).text().or_else(|| placeholder(address)) else {
            let written = self.written(address).to_owned();
            self.computed = self.computed.or(address.first().map(|word| word.start));
            self.import.notices.note("requests left out, because their URLs are computed", written);
            return Ok(());
        };
        let mut computed = self.names.is_computed();
        let (content, params) = match body {
            true => (arguments.get(1), arguments.get(2)),
            false => (None, arguments.get(1)),
        };
        let mut value = |words: Option<&&[Token]>| {
            let value = self.names.value(words.filter(|words| !words.is_empty())?);
            computed |= self.names.is_computed();
            Some(value)
        };
        let (content, params) = (value(content), value(params));
        if computed {
            self.import.notices.note(COMPUTED, url.as_str());
        }
        self.push(method, url, content, params)
    }

    /// Several requests at once: they run one after the other here.
    fn batch(&mut self, arguments: &[&[Token]]) -> Result<(), NotImported> {
        let list = arguments.first().map(|list| self.names.value(list));
        let requests: Vec<Value> = match list {
            Some(Js::Known(Value::List(items))) => items,
            Some(Js::Known(Value::Dict(members))) => {
                members.into_iter().map(|(_, value)| value).collect()
            }
            _ => {
                self.import.notices.leave_out("http.batch of a list that is computed");
                return Ok(());
            }
        };
        if self.names.is_computed() {
            self.import.notices.note(COMPUTED, "http.batch");
        }
        self.import.notices.say("http.batch: its requests run one after the other");
        for request in requests {
            let known = |value: Option<&Value>| {
                value.filter(|value| **value != Value::Null).cloned().map(Js::Known)
            };
            let (method, url, body, params) = match &request {
                Value::List(items) => (items.first(), items.get(1), items.get(2), items.get(3)),
                Value::Dict(_) => {
                    let part = |key: &str| request.get(key);
                    (part("method"), part("url"), part("body"), part("params"))
                }
                url => (None, Some(url), None, None),
            };
            let method = method.and_then(scalar).unwrap_or_else(|| "get".to_owned());
            match url.and_then(scalar).filter(|url| !has_computed(url) && !has_computed(&method)) {
                Some(url) => self.push(&method, url, known(body), known(params))?,
                None => self.import.notices.leave_out("request of a batch that is computed"),
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        method: &str,
        url: String,
        body: Option<Js>,
        params: Option<Js>,
    ) -> Result<(), NotImported> {
        let method = match method.to_lowercase() {
            del if del == "del" => "delete".to_owned(),
            method => method,
        };
        if !crate::protocol::http::METHODS.contains(&method.to_uppercase().as_str()) {
            self.import.notices.leave_out(format!("method {method}"));
            return Ok(());
        }
        let mut task = Map::new();
        task.insert("method".to_owned(), method.into());
        task.insert("request_url".to_owned(), url.as_str().into());
        match body {
            None | Some(Js::Known(Value::Null)) => {}
            Some(Js::Json(value)) if value != Value::Null => {
                task.insert("json".to_owned(), value);
            }
            Some(Js::Known(Value::Dict(fields))) => {
                let fields = fields.into_iter().map(|(name, value)| (name, value.to_text().into()));
                task.insert("data".to_owned(), Value::Dict(fields.collect()));
            }
            Some(Js::Known(value @ Value::Str(_))) => {
                task.insert("data".to_owned(), value);
            }
            Some(Js::Known(value)) => {
                task.insert("data".to_owned(), value.to_text().into());
            }
            Some(_) => self.import.notices.note("requests whose bodies are computed", url.as_str()),
        }
        match params {
            None | Some(Js::Known(Value::Null)) => {}
            Some(Js::Known(params)) => self.params(&params, &mut task),
            Some(_) => self.import.notices.note("requests whose params are computed", url),
        }
        self.import.push(Request { task, pause: None })
    }

    fn params(&mut self, params: &Value, task: &mut Map) {
        for (key, value) in members(params).into_iter().flatten() {
            match key.as_str() {
                "headers" | "cookies" => {
                    for (name, value) in members(value).into_iter().flatten() {
                        if let Some(value) = scalar(value) {
                            set_in(task, key, name, value);
                        }
                    }
                }
                "tags" => {
                    if let Some(name) = text(value, "name") {
                        task.insert("name".to_owned(), name.into());
                    }
                    if object(params, "tags").any(|(tag, _)| tag != "name") {
                        self.import.notices.leave_out("tag");
                    }
                }
                "timeout" => {
                    if let Some(seconds) =
                        super::options::seconds(value).filter(|seconds| *seconds > 0.0)
                    {
                        task.insert("timeout".to_owned(), Value::of_number(seconds));
                    }
                }
                "redirects" if value.as_f64() == Some(0.0) => {
                    task.insert("allow_redirects".to_owned(), false.into());
                }
                "redirects" | "responseType" => {}
                other => self.import.notices.leave_out(format!("param {other}")),
            }
        }
    }

    /// Puts the groups around a call before the names of its requests.
    pub(super) fn prefix(&mut self, call: &Call, groups: &str) {
        let Call { first, count, .. } = *call;
        for request in self.requests().iter_mut().skip(first).take(count) {
            let task = &mut request.task;
            let part = |key: &str| task.get(key).map(Value::to_text).unwrap_or_default();
            let own = match task.get("name") {
                Some(name) => name.to_text(),
                None => {
                    let url = part("request_url");
                    let path = url.split_once("://").map_or(url.as_str(), |(_, rest)| {
                        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
                    });
                    let path = path.split(['?', '#']).next().unwrap_or_default();
                    format!("{} {path}", part("method").to_uppercase())
                }
            };
            task.insert("name".to_owned(), format!("{groups}: {own}").into());
        }
    }

    /// Words as they are written.
    fn written(&self, words: &[Token]) -> &str {
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return "" };
        self.source.get(first.start..last.end).unwrap_or_default()
    }
}
