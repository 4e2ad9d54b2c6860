//! Places in JSON as other tools write them.

use std::sync::LazyLock;

use regex::Regex;

/// A place in the body: `.data[0].id`
static STEPS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^(?:\.\w+|\[\d+\]|\[["'][\w-]+["']\])+$"#).ok());

/// `.data[0]["id"]` as `data.0.id`
pub(super) fn steps(text: &str) -> Option<String> {
    let text = text.trim().replace("?.", ".");
    if !STEPS.as_ref()?.is_match(&text) {
        return None;
    }
    let parts = text.split(['.', '[', ']', '"', '\'']).filter(|part| !part.is_empty());
    Some(parts.collect::<Vec<_>>().join("."))
}
