//! Uploads as `multipart/form-data` (RFC 7578), byte for byte as Python's requests and urllib3
//! write them: the fields of `data`, then `files`, each an object or a list of pairs. A file is its
//! content, `[filename, content]`, `[filename, content, type]` or `[filename, content, type,
//! headers]`, or `{"path": …}`, which may also replace a content and is read from the data
//! directory.

use super::fields::{CONTENT, UPLOAD};
use super::form::pairs;
use crate::load::template::{Compiler, Draft, Escape};
use crate::value::{Invalid, Reader, Value};

/// The accepted forms of a field of `files`.
const FORMS: &str = "a file's content, [filename, content], [filename, content, type], [filename, \
                     content, type, headers] or {\"path\": …}";

/// The body of a form.
pub(super) fn multipart(
    files: &Reader<'_>,
    data: Option<&Reader<'_>>,
    boundary: &str,
    compiler: &mut Compiler,
) -> Result<Draft, Invalid> {
    let mut out = Draft::default();
    if let Some(data) = data {
        for (name, value) in pairs(data, Escape::Quoted, compiler)? {
            for text in texts(value.value()) {
                let content = compiler.template(&text);
                Part { content, ..Part::default() }.write(&name, boundary, &mut out);
            }
        }
    }
    for (name, file) in pairs(files, Escape::Quoted, compiler)? {
        if let Some(part) = Part::parse(&name, &file, compiler)? {
            part.write(&name, boundary, &mut out);
        }
    }
    out.push_literal(&format!("--{boundary}--\r\n"));
    Ok(out)
}

/// The texts of a field of `data`: one per item of a list, none for `null`.
fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| (!matches!(value, Value::Null)).then(|| value.to_text());
    match value {
        Value::List(items) => items.iter().filter_map(text).collect(),
        Value::Dict(members) => members.keys().cloned().collect(),
        value => text(value).into_iter().collect(),
    }
}

/// A part of a form.
#[derive(Debug, Default)]
struct Part {
    /// `None` for a field.
    filename: Option<Draft>,
    /// The header lines after `Content-Disposition`.
    headers: Vec<(String, Draft)>,
    content: Draft,
}

impl Part {
    /// Parses a part; `None` if there is nothing to send, as in requests.
    fn parse(
        name: &Draft,
        file: &Reader<'_>,
        compiler: &mut Compiler,
    ) -> Result<Option<Self>, Invalid> {
        match file.value() {
            Value::List(_) => Self::listed(file, compiler),
            Value::Dict(_) => Self::named(file, compiler).map(Some),
            _ => {
                let filename = Some(name.clone());
                let part = |content| Self { filename, headers: Vec::new(), content };
                Ok(content(file, compiler)?.map(part))
            }
        }
    }

    /// `[filename, content, type, headers]`, the last two optional.
    fn listed(file: &Reader<'_>, compiler: &mut Compiler) -> Result<Option<Self>, Invalid> {
        let parts = file.list()?;
        let ([filename, content], more) =
            parts.split_first_chunk().ok_or_else(|| file.expected(FORMS))?;
        let (kind, extra) = match more {
            [] => (None, None),
            [kind] => (Some(kind), None),
            [kind, extra] => (Some(kind), Some(extra)),
            _ => return Err(file.expected(FORMS)),
        };
        let filename = match filename.is_null() {
            true => None,
            false => Some(compiler.escaped(filename.text()?, Escape::Quoted)),
        };
        let mut headers = Vec::new();
        if let Some(kind) = kind.filter(|kind| !kind.is_null()) {
            headers.extend(header("Content-Type", kind, compiler)?);
        }
        if let Some(extra) = extra.filter(|extra| !extra.is_null()) {
            for (name, value) in extra.object()?.entries() {
                // urllib3 sets these three itself.
                let own = ["Content-Disposition", "Content-Type", "Content-Location"];
                if !own.contains(&name) {
                    headers.extend(header(name, &value, compiler)?);
                }
            }
        }
        Ok(self::content(content, compiler)?.map(|content| Self { filename, headers, content }))
    }

    /// `{"path": …, "filename": …, "content_type": …}`
    fn named(file: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        let mut fields = file.fields(UPLOAD)?;
        let path = fields.required("path")?;
        let content = compiler.file(&path, path.text()?);
        let filename = match fields.present("filename") {
            Some(field) => field.text()?,
            None => path.text()?.rsplit('/').next().unwrap_or_default(),
        };
        let filename = Some(compiler.escaped(filename, Escape::Quoted));
        let mut headers = Vec::new();
        if let Some(kind) = fields.present("content_type") {
            kind.text()?;
            headers.extend(header("Content-Type", &kind, compiler)?);
        }
        fields.finish()?;
        Ok(Self { filename, headers, content })
    }

    fn write(self, name: &Draft, boundary: &str, out: &mut Draft) {
        out.push_literal(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\""));
        out.push(name.clone());
        if let Some(filename) = self.filename {
            out.push_literal("\"; filename=\"");
            out.push(filename);
        }
        out.push_literal("\"\r\n");
        for (name, value) in self.headers {
            out.push_literal(&format!("{name}: "));
            out.push(value);
            out.push_literal("\r\n");
        }
        out.push_literal("\r\n");
        out.push(self.content);
        out.push_literal("\r\n");
    }
}

/// A file's content; `None` for `null`.
fn content(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Option<Draft>, Invalid> {
    Ok(match field.value() {
        Value::Null => None,
        Value::Dict(_) => {
            let mut fields = field.fields(CONTENT)?;
            let path = fields.required("path")?;
            let content = compiler.file(&path, path.text()?);
            fields.finish()?;
            Some(content)
        }
        Value::List(_) => return Err(field.expected("a file's content or {\"path\": …}")),
        value => Some(compiler.template(&value.to_text())),
    })
}

/// A header of a part; `None` without a value.
fn header(
    name: &str,
    value: &Reader<'_>,
    compiler: &mut Compiler,
) -> Result<Option<(String, Draft)>, Invalid> {
    if !value.value().is_truthy() {
        return Ok(None);
    }
    let text = value.value().to_text();
    if name.contains(['\r', '\n', ':']) || text.contains(['\r', '\n']) {
        return Err(value.expected("a header without line breaks"));
    }
    Ok(Some((name.to_owned(), compiler.template(&text))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::fixture::{check, check_as, sent};
    use super::super::flavor::Flavor;

    #[test]
    fn a_file_is_uploaded_as_a_form() {
        check(
            &json!({
                "method": "post", "url": "/up", "data": {"k": "${v}"},
                "files": {"a": {"path": "dir/up.txt"}, "b": ["n.csv", "1,2", "text/csv"], "c\"": "raw ${v}"},
            }),
            "POST /up HTTP/1.1\nContent-Type: multipart/form-data; boundary=B\n..\n\
             Content-Length: 497\n\n\
             --B\nContent-Disposition: form-data; name=\"k\"\n\nVAL\n\
             --B\nContent-Disposition: form-data; name=\"a\"; filename=\"up.txt\"\n\nfile é\n\
             --B\nContent-Disposition: form-data; name=\"b\"; filename=\"n.csv\"\n\
             Content-Type: text/csv\n\n1,2\n\
             --B\nContent-Disposition: form-data; name=\"c%22\"; filename=\"c%22\"\n\nraw VAL\n\
             --B--\n",
        );
    }

    #[test]
    fn an_upload_is_separated_by_the_boundary_that_the_task_names() {
        for (content_type, want) in [
            ("multipart/form-data; boundary=--mine", "----mine\r\n"),
            ("Multipart/Form-Data;charset=utf-8;Boundary=\"a b\"", "--a b\r\n"),
            // Not one that a body could have, or no upload's at all.
            ("multipart/form-data", "--ldctl-"),
            ("multipart/form-data; boundary=", "--ldctl-"),
            ("multipart/form-data; boundary=\u{e9}", "--ldctl-"),
            ("multipart/mixed; boundary=mine", "--ldctl-"),
        ] {
            let headers = json!({ "content-type": content_type });
            let task = json!({
                "method": "post", "url": "/", "headers": headers, "files": {"f": "x"},
            });
            let request = sent(Flavor::Fast, false, &task).expect("a request");
            let body = String::from_utf8_lossy(&request.body()).into_owned();
            assert!(body.starts_with(want), "{content_type}: {body}");
        }
    }

    /// The parts of an upload are those of Python's requests; `B` stands for the boundary.
    fn check_upload(fields: Json, want: &str) {
        let mut task = json!({"method": "post", "url": "/", "headers": {"Content-Type": "x"}});
        task.as_object_mut().expect("an object").extend(fields.as_object().expect("one").clone());
        let request = sent(Flavor::Requests, false, &task).expect("a request");
        let body = String::from_utf8_lossy(&request.body()).into_owned();
        let boundary = body.trim_end().rsplit("\r\n").next().expect("an end");
        let boundary = boundary.trim_matches('-').trim_end_matches("--");
        let want = want.replace('\n', "\r\n").replace("@ ", "Content-Disposition: form-data; ");
        assert_eq!(
            body.replace(boundary.trim_start_matches("ldctl-"), "").replace("ldctl-", "B"),
            want
        );
    }

    #[test]
    fn an_upload_has_the_same_parts_as_in_requests() {
        let files = |files: Json, want: &str| check_upload(json!({ "files": files }), want);
        files(json!({"f": "x"}), "--B\n@ name=\"f\"; filename=\"f\"\n\nx\n--B--\n");
        files(json!({"f": 7}), "--B\n@ name=\"f\"; filename=\"f\"\n\n7\n--B--\n");
        files(
            json!([["f", ["a.txt", "one", "text/plain"]], ["f", ["b.txt", "${v}", null]]]),
            "--B\n@ name=\"f\"; filename=\"a.txt\"\nContent-Type: text/plain\n\none\n\
             --B\n@ name=\"f\"; filename=\"b.txt\"\n\nVAL\n--B--\n",
        );
        files(json!({"f": [null, "hello"]}), "--B\n@ name=\"f\"\n\nhello\n--B--\n");
        files(json!({"f": ["a", null], "g": null}), "--B--\n");
        files(json!({"f": ["", "b", ""]}), "--B\n@ name=\"f\"; filename=\"\"\n\nb\n--B--\n");
        files(
            json!({"f": ["a.txt", "hello", "text/plain", {
                "X-Part": "${v}", "Content-Location": "z", "Content-Type": "no", "content-type": "lower", "E": "",
            }]}),
            "--B\n@ name=\"f\"; filename=\"a.txt\"\nContent-Type: text/plain\nX-Part: VAL\n\
             content-type: lower\n\nhello\n--B--\n",
        );
        files(
            json!({"f\"": ["q\"\r\n\\é${v}", {"path": "dir/up.txt"}, "text/x; a=\"b\""]}),
            "--B\n@ name=\"f%22\"; filename=\"q%22%0D%0A\\éVAL\"\nContent-Type: text/x; a=\"b\"\n\n\
             file é\n--B--\n",
        );
        for data in
            [json!({"a": [1, 2], "n": null, "b": true}), json!([["a", 1], ["a", 2], ["b", true]])]
        {
            check_upload(
                json!({"data": data, "files": {"f": ["p", "x"]}}),
                "--B\n@ name=\"a\"\n\n1\n--B\n@ name=\"a\"\n\n2\n--B\n@ name=\"b\"\n\nTrue\n\
                 --B\n@ name=\"f\"; filename=\"p\"\n\nx\n--B--\n",
            );
        }
        // Without any, as in Python, the body is that of `data`.
        check_as(
            Flavor::Requests,
            &json!({"method": "post", "url": "/", "files": {}, "data": {"a": 1}}),
            "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n..\n\
             Content-Length: 3\n\na=1",
        );
    }

    #[test]
    fn a_binary_file_is_uploaded_unchanged() {
        let task = json!({"method": "post", "url": "/", "files": {"f": {"path": "picture"}}});
        let request = sent(Flavor::Fast, true, &task).expect("a request");
        let found = memchr::memmem::find(&request.body(), b"\r\n\r\n\x89PNG\0\xff${v}\r\n--");
        assert!(found.is_some(), "{}", request.body().escape_ascii());
    }

    #[test]
    fn an_upload_that_requests_does_not_accept_is_refused_with_its_place() {
        const FORMS: &str = "expected a file's content, [filename, content], [filename, content, type], \
                             [filename, content, type, headers] or {\"path\": …}";
        for (files, why) in [
            (json!({"f": ["a"]}), format!("/f: {FORMS}, got a list of 1")),
            (json!({"f": [1, 2, 3, {}, 5]}), format!("/f: {FORMS}, got a list of 5")),
            (json!({"f": ["a", [1]]}), "/f/1: expected a file's content".to_owned()),
            (json!([["f"]]), "/0: expected a pair [name, value]".to_owned()),
            (json!("f"), ": expected an object or a list of pairs".to_owned()),
            (
                json!({"f": ["a", "b", "c\nd"]}),
                "/f/2: expected a header without line breaks".to_owned(),
            ),
        ] {
            let task = json!({"method": "post", "url": "/", "files": files});
            let got = sent(Flavor::Fast, false, &task).expect_err("no request");
            let start = why.split(", got").next().unwrap_or_default();
            assert!(got.starts_with(&format!("/tasks/0/files{start}")), "{got}");
        }
        let task = json!({"method": "post", "url": "/", "files": {"f": "x"}, "data": "text"});
        let got = sent(Flavor::Requests, false, &task).expect_err("no request");
        assert!(got.starts_with("/tasks/0/data: expected an object or a list of pairs"), "{got}");
    }
}
