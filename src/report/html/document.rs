//! What a page shows of a document: its beginning, without secrets.

use maud::{Markup, html};

use super::text;
use crate::redact;
use crate::report::figures::Figures;
use crate::value::{Map, Value};

/// Bytes of HTML for the documents.
const DOCUMENT_ROOM: usize = 40_000;

/// The most different documents that the page looks through.
const MOST_DOCUMENTS: usize = 100;

/// What the page can show of a document. A record keeps this instead of the document.
pub fn document(document: &Value) -> String {
    let mut room = DOCUMENT_ROOM;
    let beginning = beginning(document, &mut room);
    let mut text = serde_json::to_string_pretty(&beginning.redacted()).unwrap_or_default();
    // A little more than the page shows, so that it marks the end as cut.
    text.truncate(text.floor_char_boundary(DOCUMENT_ROOM + 10));
    text.shrink_to_fit();
    text
}

/// The members of a value that `room` bytes of text can hold.
fn beginning(value: &Value, room: &mut usize) -> Value {
    match value {
        Value::Str(text) => {
            *room = room.saturating_sub(text.len());
            if text.len() <= DOCUMENT_ROOM {
                return text.as_str().into();
            }
            // Of a longer beginning, so that a secret at the end is recognized.
            let head = text.get(..text.floor_char_boundary(4 * DOCUMENT_ROOM)).unwrap_or_default();
            let mut clean = redact::url(head).into_owned();
            clean.truncate(clean.floor_char_boundary(DOCUMENT_ROOM));
            clean.into()
        }
        Value::List(items) => {
            let mut kept = Vec::new();
            for item in items {
                if *room == 0 {
                    break;
                }
                *room = room.saturating_sub(1);
                kept.push(beginning(item, room));
            }
            kept.into()
        }
        Value::Dict(members) => {
            let mut kept = Map::new();
            for (name, item) in members {
                if *room == 0 {
                    break;
                }
                *room = room.saturating_sub(1 + name.len());
                kept.insert(name.clone(), beginning(item, room));
            }
            Value::Dict(kept)
        }
        other => other.clone(),
    }
}

/// The documents that were run; one that ran several times appears once.
pub(super) fn documents(figures: &Figures) -> Markup {
    let mut documents: Vec<String> = Vec::new();
    for test in figures.tests.iter().rev() {
        let Some(text) = &test.document else { continue };
        if !documents.contains(text) {
            documents.push(text.clone());
        }
        if documents.len() >= MOST_DOCUMENTS {
            break;
        }
    }
    documents.reverse();
    html! {
        @if !documents.is_empty() {
            h2 { "What was run" }
            details class="document" {
                summary { "The action as it was run, without secrets" }
            pre { code { (text::cut(&documents.join("\n\n"), DOCUMENT_ROOM)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    use super::super::tests::page;
    use super::*;
    use crate::record::{Recording, Records};

    #[test]
    fn t36_a_record_keeps_the_beginning_of_a_huge_document_and_no_secret_of_it() {
        let variables: String = (0..50_000).map(|n| format!(r#""k{n}": "v","#)).collect();
        let json = format!(r#"[{{"token": "s3cret", {variables} "password": "s3cret"}}]"#);
        let text = document(&Value::parse(&json).expect("JSON"));
        assert!(text.capacity() <= DOCUMENT_ROOM + 10, "{}", text.capacity());
        assert!(text.len() > DOCUMENT_ROOM && text.contains("\"k100\": \"v\""), "{}", text.len());
        assert!(!text.contains("s3cret"));
        let url = format!("http://u:{}s3cret@host/", "p".repeat(DOCUMENT_ROOM - 20));
        assert!(!document(&Value::from(url)).contains("ppp"));
    }

    #[test]
    fn the_document_is_shown_without_secrets() {
        let mut recording = Recording::new(UNIX_EPOCH, Vec::new());
        let action = Value::parse(
            r#"[["LD_start_test", {"tasks": [{"headers": {"Authorization": "Bearer hunter2hunter2"}}]}]]"#,
        )
        .expect("JSON");
        recording.document = Some(document(&action));
        let mut records = Records::default();
        records.push(Arc::new(recording));
        let page = page(&records, &[]);
        assert!(page.contains("LD_start_test") && page.contains("[redacted]"));
        assert!(!page.contains("hunter2"));
    }
}
