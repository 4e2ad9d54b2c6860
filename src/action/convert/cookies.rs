//! Cookies that a browser had before the recording began: those that requests send and no recorded
//! response has set. Each virtual user keeps the others by itself.

use std::collections::{HashMap, HashSet};

use super::hosts::origin;
use crate::value::{Map, Value};

/// By the origin of the requests that send them.
pub(super) fn carried(har: &Value) -> HashMap<String, Map> {
    let entries = har.get("log").and_then(|log| log.get("entries"));
    let Some(Value::List(entries)) = entries else { return HashMap::new() };
    let set: HashSet<&str> = entries
        .iter()
        .flat_map(|entry| values(entry, "response", "set-cookie"))
        .flat_map(str::lines)
        .filter_map(|cookie| Some(cookie.split_once('=')?.0.trim()))
        .collect();
    let mut found: HashMap<String, Map> = HashMap::new();
    for entry in entries {
        let url =
            entry.get("request").and_then(|request| request.get("url")).and_then(Value::as_str);
        let Some((origin, _)) = url.and_then(origin) else { continue };
        let cookies = found.entry(origin).or_default();
        let pairs = values(entry, "request", "cookie").flat_map(|header| header.split(';'));
        for (name, value) in pairs.filter_map(|pair| pair.trim().split_once('=')) {
            if !set.contains(name) && !cookies.contains_key(name) {
                cookies.insert(name.to_owned(), value.into());
            }
        }
    }
    found
}

/// The values of a header of an entry's request or response.
fn values<'a>(entry: &'a Value, half: &str, header: &str) -> impl Iterator<Item = &'a str> {
    let headers = match entry.get(half).and_then(|half| half.get("headers")) {
        Some(Value::List(headers)) => headers.as_slice(),
        _ => &[],
    };
    let named = move |pair: &&Value, header: &str| {
        let name = pair.get("name").and_then(Value::as_str);
        name.is_some_and(|name| name.eq_ignore_ascii_case(header))
    };
    let header = header.to_owned();
    let headers = headers.iter().filter(move |pair| named(pair, &header));
    headers.filter_map(|pair| pair.get("value").and_then(Value::as_str))
}
