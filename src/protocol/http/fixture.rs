//! Test support: the request that a task of a document sends.

use std::sync::Arc;

use serde_json::Value as Json;

use super::draft::{Defaults, TaskDraft};
use super::fault::Fault;
use super::fields::FIELDS;
use super::flavor::Flavor;
use super::request::{Request, RequestLine};
use super::target::Origin;
use super::task::method;
use crate::load::scenario::{STEP, TaskSource};
use crate::load::template::{Bindings, Compiler, Filled, Linker, Scope};
use crate::value::{Reader, Value};

/// The request of a task in a document.
pub(super) fn sent(flavor: Flavor, http2: bool, task: &Json) -> Result<Request, String> {
    let task = Value::parse(&task.to_string()).expect("JSON");
    let place = Reader::at(&task, "/tasks/0");
    let base = "http://h:8080/".to_owned();
    let defaults = Defaults { base, flavor, http2, proxies: None };
    let bindings = Bindings {
        variable: &|name| {
            let text = match name {
                "v" => "VAL",
                "evil" => "a\r\nX-Evil: 1",
                "scheme" => "http://h:8080",
                "m" => "Put",
                _ => return None,
            };
            Some(text.to_owned())
        },
        environment: &|name| match name {
            "evil" => Some("a\nb".to_owned()),
            "m" => Some("fetch".to_owned()),
            "p" => Some("/p".to_owned()),
            "u" => Some("http://h:port/".to_owned()),
            _ => None,
        },
        read_file: &|path| match path {
            "dir/up.txt" => Ok("file é".into()),
            "picture" => Ok(b"\x89PNG\0\xff${v}".to_vec()),
            "long" => Ok([vec![b'x'; 40_000], b"${v}".to_vec(), vec![b'y'; 40_000]].concat()),
            "large" => Ok(vec![b'x'; 64 * 1024 * 1024]),
            _ => Err("no such file".to_owned()),
        },
        ..Bindings::NONE
    };
    let mut compiler = Compiler::default();
    let mut fields = place.fields(STEP).map_err(|invalid| invalid.to_string())?;
    for table in FIELDS {
        fields = fields.and(table);
    }
    let source = TaskSource { key: None, fields: place };
    let linked = TaskDraft::parse(&source, &mut fields, &defaults, &mut compiler);
    let linked = linked.and_then(|draft| {
        fields.finish()?;
        let mut linker = Linker::new(compiler, bindings);
        let (task, _) = draft.link(&mut linker)?;
        Ok((task, linker.names()))
    });
    let (task, names) = linked.map_err(|invalid| invalid.to_string())?;
    if let Some(fixed) = task.fixed {
        return Ok(fixed.request);
    }
    let mut scope = Scope::new(&Arc::new(names), 7);
    let url = task.url.fill(&mut scope, &[]);
    let write = |scope: &mut Scope| {
        let method = method(&task.method, scope)?;
        let (origin, rest) = Origin::split(&url)?;
        let (origin, credentials) = (&origin, origin.credentials.as_deref());
        let (body, secrets, first) = (true, true, true);
        let line =
            RequestLine { method, origin, rest, credentials, jar: None, body, secrets, first };
        let (mut scratch, mut request) = (Filled::default(), Request::default());
        let body = task.fill_body(scope, &mut scratch);
        task.write(&line, scope, body, &mut request).map(|()| request)
    };
    write(&mut scope).map_err(|fault: Fault| fault.to_string())
}

/// The headers of every request whose task does not set them.
const OWN: &str = concat!(
    "Host: h:8080\nUser-Agent: ldctl/",
    env!("CARGO_PKG_VERSION"),
    "\nAccept: */*\nAccept-Encoding: gzip, deflate, br, zstd\n"
);

/// Checks that a task sends these bytes; `..` stands for [`OWN`], `\n` for HTTP's line break,
/// and `B` for the boundary of a form. The parts that HTTP/2 uses must yield the same bytes.
pub(super) fn check_as(flavor: Flavor, task: &Json, want: &str) {
    let want = want.replace("..\n", OWN).replace('\n', "\r\n");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let boundary = text.split("boundary=").nth(1).and_then(|text| text.lines().next());
        boundary.map_or(text.clone(), |boundary| text.replace(boundary, "B"))
    };
    let request = sent(flavor, false, task).expect("a request");
    assert_eq!(text(&request.bytes()), want);
    assert_eq!(request.headers().count(), 0);

    let request = sent(flavor, true, task).expect("a request");
    let mut parts = format!("{} {} HTTP/1.1\r\n", request.method(), request.target()).into_bytes();
    for (name, value) in request.headers() {
        parts.extend([name, b": ", value, b"\r\n"].concat());
    }
    parts.extend([b"\r\n", &*request.body()].concat());
    assert_eq!(text(&parts), want);
}

/// The same for `fast_http_user`.
pub(super) fn check(task: &Json, want: &str) {
    check_as(Flavor::Fast, task, want);
}
