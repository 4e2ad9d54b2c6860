//! The metadata of calls: names in lower case, values in ASCII, or base64 where the name ends in `-bin`.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::load::template::{Compiler, Draft, Linker, Scope, Template, Text};
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Reader, Value};

/// With or without padding; it is sent without, as gRPC asks.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Names that only the call itself sets.
const OWN: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The metadata of a task while it is parsed, and when it is linked.
pub(super) type MetadataDraft = Vec<(HeaderName, Placed<Draft>)>;
pub(super) type Metadata = Vec<(HeaderName, Template)>;

/// Parses `metadata`.
pub(super) fn parse(
    field: Option<&Reader<'_>>,
    compiler: &mut Compiler,
) -> Result<MetadataDraft, Invalid> {
    let Some(field) = field else { return Ok(Vec::new()) };
    match field.value() {
        Value::Dict(_) => {
            let entries = field.object()?.entries().into_iter();
            let given = entries.filter(|(_, value)| !value.is_null());
            given.map(|(name, value)| entry(name, &value, compiler)).collect()
        }
        Value::List(_) => {
            let pair = |field: &Reader<'_>| match field.list()?.as_slice() {
                [name, value] => entry(&name.value().to_text(), value, compiler),
                _ => Err(field.expected("[name, value]")),
            };
            field.list()?.iter().map(pair).collect()
        }
        _ => Err(field.expected("an object or a list of pairs")),
    }
}

fn entry(
    name: &str,
    value: &Reader<'_>,
    compiler: &mut Compiler,
) -> Result<(HeaderName, Placed<Draft>), Invalid> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let lower = name.to_ascii_lowercase();
    let parsed = HeaderName::from_bytes(lower.as_bytes()).ok();
    let Some(parsed) = parsed.filter(|_| name.bytes().all(known)) else {
        return Err(value.invalid("a name of metadata has letters, digits, and _ . - alone"));
    };
    if OWN.contains(&&*lower) || lower.starts_with("grpc-") {
        return Err(value.invalid(format!("the call sets {lower} itself")));
    }
    if matches!(value.value(), Value::Dict(_) | Value::List(_)) {
        return Err(value.expected("text"));
    }
    let text = Placed::at(value, compiler.template(&value.value().to_text()));
    check(&parsed, &text)?;
    Ok((parsed, text))
}

/// Refuses a constant value that cannot be sent.
fn check<H>(name: &HeaderName, value: &Placed<Text<H>>) -> Result<(), Invalid> {
    match value.value.as_literal() {
        Some(text) => written(name, text.as_bytes()).map(drop).map_err(|why| value.refusal(why)),
        None => Ok(()),
    }
}

/// Links it.
pub(super) fn link(draft: MetadataDraft, linker: &mut Linker<'_>) -> Result<Metadata, Invalid> {
    let linked = draft.into_iter().map(|(name, value)| {
        let value = value.link(linker)?;
        check(&name, &value)?;
        Ok((name, value.value))
    });
    linked.collect()
}

/// Whether it is the same in every call.
pub(super) fn is_constant(metadata: &Metadata) -> bool {
    metadata.iter().all(|(_, value)| value.is_constant())
}

/// Adds the metadata of a call; the error says what cannot be sent.
pub(super) fn fill(
    metadata: &Metadata,
    scope: &mut Scope,
    headers: &mut HeaderMap,
) -> Result<(), String> {
    let mut text = Vec::new();
    for (name, value) in metadata {
        text.clear();
        value.fill(scope, &mut text);
        let value = written(name, &text).map_err(|why| format!("metadata {name}: {why}"))?;
        headers.try_append(name.clone(), value).map_err(|_| "too much metadata".to_owned())?;
    }
    Ok(())
}

/// A value as it is sent.
fn written(name: &HeaderName, text: &[u8]) -> Result<HeaderValue, &'static str> {
    if name.as_str().ends_with("-bin") {
        let bytes = BASE64.decode(text).map_err(|_| "expected base64")?;
        return HeaderValue::try_from(BASE64.encode(bytes)).map_err(|_| "it is too long");
    }
    let printable = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let value = HeaderValue::from_bytes(text.trim_ascii()).ok().filter(|_| printable);
    value.ok_or("expected printable ASCII; a name that ends in -bin takes any bytes, as base64")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fields::CALL;
    use super::*;
    use crate::load::template::Bindings;

    fn sent(metadata: &str) -> Result<Vec<(String, String)>, String> {
        let task = Value::parse(&format!(r#"{{"metadata": {metadata}}}"#)).expect("JSON");
        let mut compiler = Compiler::default();
        let mut fields = Reader::at(&task, "").fields(CALL).map_err(|why| why.to_string())?;
        let given = fields.present("metadata");
        let draft = parse(given.as_ref(), &mut compiler).map_err(|why| why.to_string())?;
        let variable = |name: &str| (name == "v").then(|| "a\nb".to_owned());
        let bindings = Bindings { variable: &variable, ..Bindings::NONE };
        let mut linker = Linker::new(compiler, bindings);
        let metadata = link(draft, &mut linker).map_err(|why| why.to_string())?;
        let mut scope = Scope::new(&Arc::new(linker.names()), 1);
        let mut headers = HeaderMap::new();
        fill(&metadata, &mut scope, &mut headers)?;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    #[test]
    fn metadata_is_an_object_or_a_list_of_pairs_in_lower_case() {
        let pairs = |pairs: &[(&str, &str)]| {
            Ok(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>())
        };
        for (metadata, expected) in [
            (r#"{"X-Token": "a b", "n": 7}"#, pairs(&[("x-token", "a b"), ("n", "7")])),
            (r#"[[7, true]]"#, pairs(&[("7", "True")])),
            (r#"[["a", "1"], ["a", "2"]]"#, pairs(&[("a", "1"), ("a", "2")])),
            (r#"{"x-bin": "AAE="}"#, pairs(&[("x-bin", "AAE")])),
            (r#"{"x-bin": "AAE"}"#, pairs(&[("x-bin", "AAE")])),
            ("null", pairs(&[])),
        ] {
            assert_eq!(sent(metadata), expected, "{metadata}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_place() {
        for (metadata, why) in [
            (r#"{"a b": "1"}"#, "/metadata/a b: a name of metadata has letters"),
            (r#"{"Te": "1"}"#, "/metadata/Te: the call sets te itself"),
            (
                r#"{"grpc-timeout": "1S"}"#,
                "/metadata/grpc-timeout: the call sets grpc-timeout itself",
            ),
            (r#"{"a": "é"}"#, "/metadata/a: expected printable ASCII"),
            (r#"{"a-bin": "%"}"#, "/metadata/a-bin: expected base64"),
            (r#"[["a"]]"#, "/metadata/0: expected [name, value]"),
            (r#"[["a", {}]]"#, "/metadata/0/1: expected text"),
            (r#""x""#, "/metadata: expected an object or a list of pairs"),
            (r#"{"a": "${v}"}"#, "metadata a: expected printable ASCII"),
        ] {
            let refusal = sent(metadata).expect_err(metadata);
            assert!(refusal.starts_with(why), "{metadata}: {refusal}");
        }
    }
}
