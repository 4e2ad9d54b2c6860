//! Placeholders: what is filled in stays inside its JSON string or form field whatever it is, what
//! cannot be resolved stays as it was written, and the environment gives only what it is asked for.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use ldctl::load::CsvRows;
use ldctl::load::template::{Bindings, Compiler, Draft, Escape, Linker, Scope, Space, Template};
use ldctl::value::Value;

use super::support::options;

/// What the variables hold: text that would break out of where it is put.
const HOSTILE: &str = "\"},]&x=%20\\\r\n${a}\u{1f600}\u{0}";

/// One row, so that each execution gets the same; its last cell is missing.
static ROWS: LazyLock<Arc<CsvRows>> = LazyLock::new(|| {
    Arc::new(CsvRows::read(&b"x,y,w\n1,\"a\"\"b\nc\"\n"[..], true).expect("a CSV file"))
});

/// The first byte seeds the randomness; the rest is a text with placeholders.
pub fn check(data: &[u8]) {
    let ([seed], text) = options::<1>(data);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let asked = RefCell::new(Vec::new());
    let environment = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        (name == "HOME").then(|| HOSTILE.to_owned())
    };
    let mut compiler = Compiler::default();
    let session = compiler.slot(Space::Session, "b");
    let raw = compiler.template(text);
    let json = compiler.json(&Value::from(text));
    let form = compiler.escaped(text, Escape::Form);
    assert_eq!(raw.written(), text, "a draft is what was written");
    let bindings = Bindings {
        variable: &|name| (name == "a").then(|| HOSTILE.to_owned()),
        source: &|name| (name == "s").then(|| Arc::clone(&ROWS)),
        environment: &environment,
        ..Bindings::NONE
    };
    let mut linker = Linker::new(compiler, bindings);
    let mut link = |draft: Draft| draft.link(&mut linker).expect("no text names a file");
    let (raw, json, form) = (link(raw), link(json), link(form));
    let names = Arc::new(linker.names());
    let fill = |template: &Template| {
        let mut scope = Scope::new(&names, u64::from(seed));
        scope.set(session, HOSTILE).expect("kept");
        scope.begin();
        template.text(&mut scope)
    };

    if !text.contains("${") {
        assert_eq!(raw.as_literal(), Some(text));
    }
    if !asked.borrow().iter().any(|name| name == "HOME") {
        assert_eq!(raw.written(), text, "without the environment a template is what was written");
    }
    for name in asked.borrow().iter() {
        assert!(text.contains(&**name), "{name:?} was asked for and not written");
    }
    // Only the clock makes one filling differ from the next.
    if text.to_ascii_lowercase().contains("now") {
        return;
    }
    let filled = fill(&raw);
    assert_eq!(fill(&raw), filled, "the same seed gives the same text");
    let quoted = fill(&json);
    assert!(quoted.is_ascii());
    assert_eq!(Value::parse(&quoted).ok(), Some(Value::Str(filled.clone())), "{quoted}");
    let form = fill(&form);
    assert!(form.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-~+%".contains(&byte)));
    assert_eq!(unquote_plus(&form), filled);
}

/// Python's `unquote_plus`, of what has only whole escapes.
fn unquote_plus(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                let digits = std::str::from_utf8(&digits).expect("ASCII");
                bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
