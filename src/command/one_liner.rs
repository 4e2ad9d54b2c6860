//! `ldctl run URL`: reads the options into the document that it runs.

use std::path::{Path, PathBuf};

use super::document::{self, Taker};
use crate::action::{OneLiner, RequestBody, Surroundings, check, is_url};
use crate::cli::Run;
use crate::error::Error;
use crate::event::Event;
use crate::value::Value;

/// The document of the URL on the command line, if there is one; refuses what fits no file or no URL.
pub(super) fn resolve(args: &Run, users: Option<u64>) -> Result<Option<String>, Error> {
    let is_url = |path: &&PathBuf| path.to_str().is_some_and(is_url);
    let mut urls = args.files.iter().filter(is_url);
    if let Some(host) = args.one_liner.header.iter().find(|text| is_url(&&PathBuf::from(text))) {
        return Err(Error::usage(format!(
            "-H {host:?} is no header, which is NAME: VALUE; for the target use --host {host}"
        )));
    }
    let Some(url) = urls.next().and_then(|path| path.to_str()) else {
        return match args.one_liner.options().first() {
            Some(option @ &"--requests") => Err(Error::usage(format!(
                "{option} is for a URL, and there is none; in a document it is \"iterations\" of \
                 LD_start_test"
            ))),
            Some(option) => Err(Error::usage(format!(
                "{option} is for a URL, and there is none; documents say it in their tasks"
            ))),
            None => Ok(None),
        };
    };
    if urls.next().is_some() {
        return Err(Error::usage("more than one URL; run them one after the other"));
    }
    if args.files.len() > 1 {
        return Err(Error::usage("a URL and files are not run together; give one or the other"));
    }
    let target = [("--host", &args.host), ("--target", &args.overrides.target)];
    if let Some((option, _)) = target.into_iter().find(|(_, given)| given.is_some()) {
        return Err(Error::usage(format!("{option} is for documents; a URL has its host")));
    }
    let given = &args.one_liner;
    let one = OneLiner {
        url: url.to_owned(),
        method: given.method.clone(),
        headers: given.header.iter().map(|text| header(text)).collect::<Result<_, _>>()?,
        body: body(args)?,
        http2: given.http2,
        insecure: given.insecure,
        requests: given.requests,
        users,
    };
    let document = one.document().map_err(Error::usage)?;
    let findings = check(&document, &Surroundings::unknown());
    match findings.iter().find(|finding| finding.is_error()) {
        Some(finding) => Err(Error::usage(finding.message.clone())),
        None => {
            serde_json::to_string(&document).map(Some).map_err(|why| Error::usage(why.to_string()))
        }
    }
}

/// What hints about a document's members mean in options.
const OPTIONS: [(&str, &str); 5] = [
    (
        "name its authority with \"verify\": \"ca.pem\", or trust anyone with \"verify\": false",
        "trust anyone with --insecure",
    ),
    (
        "name it with \"verify\": \"cert.pem\", or trust anyone with \"verify\": false",
        "trust anyone with --insecure",
    ),
    ("leave out \"http2\"", "leave out --http2"),
    ("raise max_users or lower the rate", "raise --users or lower --rate"),
    ("use fewer users or a lower rate", "lower --users or --rate"),
];

/// Writes the hints of a result for those who have no document.
pub(super) fn hint_at_options(event: &mut Event) {
    let Event::Result(result) = event else { return };
    result.warnings.iter_mut().for_each(in_options);
    if let Some(failure) = &mut result.error {
        in_options(&mut failure.message);
    }
    if let Some(value) = &mut result.value {
        in_value(value);
    }
}

fn in_value(value: &mut Value) {
    match value {
        Value::Str(text) => in_options(text),
        Value::List(items) => items.iter_mut().for_each(in_value),
        Value::Dict(members) => members.values_mut().for_each(in_value),
        _ => {}
    }
}

fn in_options(text: &mut String) {
    for (member, option) in OPTIONS {
        if text.contains(member) {
            *text = text.replace(member, option);
        }
    }
}

fn header(text: &str) -> Result<(String, String), Error> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Error::usage(format!("--header {text:?}: expected NAME: VALUE"))),
    }
}

fn body(args: &Run) -> Result<Option<RequestBody>, Error> {
    if let Some(text) = &args.one_liner.data {
        return Ok(Some(RequestBody::Text(content(text, "--data")?.0)));
    }
    let Some(text) = &args.one_liner.json_body else { return Ok(None) };
    let (text, place) = content(text, "--json-body")?;
    document::json(&text, &place).map(RequestBody::Json).map(Some)
}

/// The text itself or, after an @, that of a file, and its name in messages.
fn content(text: &str, option: &str) -> Result<(String, String), Error> {
    match text.strip_prefix('@') {
        Some(path) => Ok(document::load(Path::new(path), Taker::Option)?),
        None => Ok((text.to_owned(), option.to_owned())),
    }
}
