//! Names and values from an object or a list of pairs: the fields of a form, a query or an upload.

use super::flavor::Flavor;
use crate::load::template::{Compiler, Draft, Escape};
use crate::value::{Invalid, Reader, Value};

/// Form fields (also of a query) from an object or a list of pairs.
pub(super) fn form(
    field: &Reader<'_>,
    flavor: Flavor,
    compiler: &mut Compiler,
) -> Result<Draft, Invalid> {
    let mut out = Draft::default();
    let mut names = 0;
    let mut pair = |key: &Draft, value: &Value, compiler: &mut Compiler| {
        // A name is repeated with each value of a list.
        names += key.written_length();
        if names > MOST_NAMES {
            return;
        }
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
    if let Value::Str(text) = field.value() {
        return Ok(compiler.template(text));
    }
    for (key, value) in pairs(field, Escape::Form, compiler)? {
        add(key, value.value(), compiler);
    }
    if names > MOST_NAMES {
        let most = MOST_NAMES >> 20;
        return Err(field.invalid(format!("the repeated names take more than {most} MiB")));
    }
    Ok(out)
}

/// What all names of a form may take, in bytes; a request has at most a mebibyte.
const MOST_NAMES: usize = 4 << 20;

/// Names and values from an object or a list of pairs, the names already escaped.
pub(super) fn pairs<'a>(
    field: &Reader<'a>,
    escape: Escape,
    compiler: &mut Compiler,
) -> Result<Vec<(Draft, Reader<'a>)>, Invalid> {
    match field.value() {
        // An object's keys are names: only values hold placeholders.
        Value::Dict(_) => {
            let members = field.object()?.entries().into_iter();
            Ok(members.map(|(key, value)| (Draft::literal(escape.written(key)), value)).collect())
        }
        Value::List(_) => {
            let mut pairs = Vec::new();
            for item in field.list()? {
                let Ok([key, value]) = <[Reader<'a>; 2]>::try_from(item.list()?) else {
                    return Err(item.expected("a pair [name, value]"));
                };
                pairs.push((compiler.escaped(&key.value().to_text(), escape), value));
            }
            Ok(pairs)
        }
        _ => Err(field.expected("an object or a list of pairs")),
    }
}
