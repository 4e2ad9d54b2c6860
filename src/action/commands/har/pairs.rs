//! Names and values in recordings: headers, queries and forms are lists of them; some recorders
//! write them percent-encoded and others decoded.

use crate::load::template::Escape;
use crate::protocol::http::percent_decode;
use crate::value::{Invalid, Reader, Value};

/// A name and its value.
pub(super) type Pair = (String, String);

/// A list of `{"name": …, "value": …}`.
pub(super) fn pairs<'a>(place: &Reader<'a>) -> Result<Vec<(&'a str, String)>, Invalid> {
    place.list()?.iter().map(|item| pair(item)).collect()
}

fn pair<'a>(place: &Reader<'a>) -> Result<(&'a str, String), Invalid> {
    let mut item = place.object()?;
    let name = item.if_present("name", Reader::text)?.unwrap_or_default();
    let value = item.if_present("value", scalar)?.unwrap_or_default();
    Ok((name, value))
}

/// A string, or a number or boolean as one: some recorders write lengths as numbers.
pub(super) fn scalar(field: &Reader<'_>) -> Result<String, Invalid> {
    match field.value() {
        Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Rows(_) => {
            Err(field.expected("a string"))
        }
        value => Ok(value.to_text()),
    }
}

/// Decodes pairs of unknown encoding: they count as encoded if all of them could be and one must
/// be.
pub(super) fn plain<N: AsRef<str>>(pairs: Vec<(N, String)>) -> Vec<Pair> {
    let both = || pairs.iter().flat_map(|(name, value)| [name.as_ref(), value]);
    let encoded = both().all(could_be_encoded) && both().any(|text| text.contains('%'));
    let decoded =
        |text: &str| percent_decode(&text.replace('+', " ")).unwrap_or_else(|| text.to_owned());
    let pairs = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_str()));
    match encoded {
        true => pairs.map(|(name, value)| (decoded(name), decoded(value))).collect(),
        false => pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// Fields as the text of a form.
pub(super) fn form_text(pairs: &[Pair]) -> String {
    let written = pairs.iter().map(|(name, value)| {
        format!("{}={}", Escape::Form.written(name), Escape::Form.written(value))
    });
    written.collect::<Vec<_>>().join("&")
}

/// Whether a text could be the encoded form of another.
fn could_be_encoded(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~*+%!'()".contains(&byte);
    text.bytes().all(allowed) && percent_decode(text).is_some()
}

/// Whether a name occurs twice.
pub(super) fn repeats<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.windows(2).any(|two| two.first() == two.last())
}
