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
