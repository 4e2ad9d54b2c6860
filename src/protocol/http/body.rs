//! A task's request body: forms, multipart uploads, JSON or text, compiled to a template.

use super::fields::UPLOAD;
use super::flavor::Flavor;
use crate::load::template::{Compiler, Draft, Escape, Text};
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object, Reader, Value};

/// The longest request body, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

pub(super) fn parse_body(
    fields: &mut Object<'_>,
    flavor: Flavor,
    compiler: &mut Compiler,
    headers: &mut Vec<(String, Placed<Draft>)>,
) -> Result<Option<Placed<Draft>>, Invalid> {
    // As in Python, `data` without content gives way to `json`.
    let data = fields.present("data").filter(|field| field.value().is_truthy());
    let json = fields.present("json");
    let mut header = |name: &str, value: &str| {
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            headers.push((name.to_owned(), Placed::nowhere(Draft::literal(value))));
        }
    };
    let fast = flavor == Flavor::Fast;
    let (field, body) = if let Some(files) = fields.present("files") {
        let boundary = format!("ldctl-{:032x}", fastrand::u128(..));
        header("Content-Type", &format!("multipart/form-data; boundary={boundary}"));
        let body = multipart(&files, data.as_ref(), &boundary, compiler)?;
        (files, body)
    } else if let Some(data) = data {
        let body = match data.value() {
            Value::Dict(_) | Value::List(_) => {
                let charset = if fast { "; charset=utf-8" } else { "" };
                header("Content-Type", &format!("application/x-www-form-urlencoded{charset}"));
                form(&data, flavor, compiler)?
            }
            value => {
                if fast {
                    header("Content-Type", "text/plain; charset=utf-8");
                }
                compiler.template(&value.to_text())
            }
        };
        (data, body)
    } else if let Some(json) = json {
        header("Content-Type", "application/json");
        if fast {
            header("Accept", "application/json");
        }
        let body = compiler.json(json.value());
        (json, body)
    } else {
        return Ok(None);
    };
    let body = Placed::at(&field, body);
    check_body(&body)?;
    Ok(Some(body))
}

/// Refuses a body that is too long; its files count when they have been read.
pub(super) fn check_body<H>(body: &Placed<Text<H>>) -> Result<(), Invalid> {
    let length = body.value.written().len();
    if length > MAX_BODY {
        let message = format!("a request body of {length} bytes is over the limit of {MAX_BODY}");
        return Err(body.refusal(message));
    }
    Ok(())
}

/// Form fields (also a query's) from an object or from pairs.
pub(super) fn form(
    field: &Reader<'_>,
    flavor: Flavor,
    compiler: &mut Compiler,
) -> Result<Draft, Invalid> {
    let mut out = Draft::default();
    let mut pair = |key: &Draft, value: &Value, compiler: &mut Compiler| {
        if !out.is_empty() {
            out.push_literal("&");
        }
        out.push(key.clone());
        out.push_literal("=");
        out.push(compiler.escaped(&value.to_text(), Escape::Form));
    };
    let mut add = |key: Draft, value: &Value, compiler: &mut Compiler| match value {
        Value::List(items) if flavor != Flavor::Fast => {
            items.iter().for_each(|item| pair(&key, item, compiler));
        }
        Value::Null if flavor != Flavor::Fast => {}
        value => pair(&key, value, compiler),
    };
    match field.value() {
        // An object's keys are names: placeholders stand in values.
        Value::Dict(members) => members.iter().for_each(|(key, value)| {
            add(Draft::literal(Escape::Form.written(key)), value, compiler);
        }),
        Value::List(_) => {
            for item in field.list()? {
                let parts = item.list()?;
                let [key, value] = parts.as_slice() else {
                    return Err(item.expected("a pair [name, value]"));
                };
                let key = compiler.escaped(&key.value().to_text(), Escape::Form);
                add(key, value.value(), compiler);
            }
        }
        Value::Str(text) => return Ok(compiler.template(text)),
        _ => return Err(field.expected("an object or a list of pairs")),
    }
    Ok(out)
}

/// `multipart/form-data` (RFC 7578). A file is its content, `[filename, content]` or `[filename,
/// content, type]`, as Python's requests takes them, or `{"path": …}`, read from the data directory.
fn multipart(
    files: &Reader<'_>,
    data: Option<&Reader<'_>>,
    boundary: &str,
    compiler: &mut Compiler,
) -> Result<Draft, Invalid> {
    let mut out = Draft::default();
    if let Some(data) = data {
        for (name, value) in data.object()?.entries() {
            out.push_literal(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\""));
            out.push_literal(&disposition(name));
            out.push_literal("\"\r\n\r\n");
            out.push(compiler.template(&value.value().to_text()));
            out.push_literal("\r\n");
        }
    }
    for (name, file) in files.object()?.entries() {
        let (filename, content, kind) = upload(name, &file, compiler)?;
        out.push_literal(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\""));
        out.push_literal(&disposition(name));
        out.push_literal("\"; filename=\"");
        out.push_literal(&disposition(&filename));
        out.push_literal("\"\r\n");
        if let Some(kind) = kind {
            out.push_literal(&format!("Content-Type: {}\r\n", kind.replace(['\r', '\n'], " ")));
        }
        out.push_literal("\r\n");
        out.push(content);
        out.push_literal("\r\n");
    }
    out.push_literal(&format!("--{boundary}--\r\n"));
    Ok(out)
}

/// A name inside quotes, escaped as browsers do (the HTML standard's form-data encoding).
fn disposition(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// A file's name, content and type.
type Upload = (String, Draft, Option<String>);

fn upload(name: &str, file: &Reader<'_>, compiler: &mut Compiler) -> Result<Upload, Invalid> {
    match file.value() {
        Value::Str(content) => Ok((name.to_owned(), compiler.template(content), None)),
        Value::List(_) => {
            let parts = file.list()?;
            let text = |part: &Reader<'_>| part.text().map(str::to_owned);
            match parts.as_slice() {
                [filename, content] => {
                    Ok((text(filename)?, compiler.template(content.text()?), None))
                }
                [filename, content, kind] => {
                    Ok((text(filename)?, compiler.template(content.text()?), Some(text(kind)?)))
                }
                _ => Err(file.expected("[filename, content] or [filename, content, type]")),
            }
        }
        Value::Dict(_) => {
            let mut fields = file.fields(UPLOAD)?;
            let path = fields.required("path")?;
            let content = compiler.file(&path, path.text()?);
            let own = path.text()?.rsplit('/').next().unwrap_or(name).to_owned();
            let filename = fields.if_present("filename", |field| field.string())?.unwrap_or(own);
            let kind = fields.if_present("content_type", |field| field.string())?;
            fields.finish()?;
            Ok((filename, content, kind))
        }
        _ => Err(file.expected("a file's content, [filename, content] or {\"path\": …}")),
    }
}
