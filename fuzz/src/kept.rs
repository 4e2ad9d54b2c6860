//! What a history keeps of a run, in a file that others may have written: whatever stands in it, its
//! reports are made, are bounded, and hold its texts as texts.

use ldctl::report::kept::Kept;
use ldctl::report::{html, junit, summary};
use ldctl::value::Value;
use quick_xml::events::Event;

/// More than any page: its names, errors and document are limited.
const LONGEST_PAGE: usize = 2_000_000;

/// The bytes are the figures of a run as JSON.
pub fn check(data: &[u8]) {
    let Ok(value) = Value::parse(&String::from_utf8_lossy(data)) else { return };
    let Some(kept) = Kept::read(&value) else { return };
    let mut page = Vec::new();
    html::draw(&kept.figures(), &[], &mut page).expect("memory");
    let page = String::from_utf8(page).expect("UTF-8");
    assert_eq!(page.matches("<script").count(), 1, "a script");
    assert!(page.len() < LONGEST_PAGE, "{} bytes", page.len());
    let mut suite = Vec::new();
    junit::write_kept(&kept, &mut suite).expect("memory");
    let suite = String::from_utf8(suite).expect("UTF-8");
    let mut reader = quick_xml::Reader::from_str(&suite);
    while reader.read_event().expect("well-formed") != Event::Eof {}
    let mut figures = Vec::new();
    summary::write_kept(&kept, &mut figures).expect("memory");
    assert!(serde_json::from_slice::<serde_json::Value>(&figures).is_ok());
}
