//! Findings as a log of SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), which code
//! hosts show beside the lines.

use serde_json::{Value as Json, json};

use crate::action::Located;
use crate::action::Severity;
use crate::action::rule::RULES;

/// The log of a run of the linter: per file what was found.
pub(super) fn log(checked: &[(String, Vec<Located>)]) -> String {
    let rules =
        RULES.iter().map(|rule| json!({"id": rule.name, "shortDescription": {"text": rule.doc}}));
    let results =
        checked.iter().flat_map(|(file, found)| found.iter().map(|one| result(file, one)));
    let artifacts = checked
        .iter()
        .map(|(file, _)| json!({"location": {"uri": uri(file)}, "mimeType": "application/json"}));
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "ldctl",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.collect::<Vec<Json>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "artifacts": artifacts.collect::<Vec<Json>>(),
            "results": results.collect::<Vec<Json>>(),
        }],
    });
    format!("{log:#}\n")
}

fn result(file: &str, located: &Located) -> Json {
    let Located { finding, line, column, .. } = located;
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = finding.place.to_string();
    let text = match place.as_str() {
        "" => finding.message.clone(),
        place => format!("{place}: {}", finding.message),
    };
    let mut physical = json!({"artifactLocation": {"uri": uri(file)}});
    if let (true, Some(members)) = (*line > 0, physical.as_object_mut()) {
        members.insert("region".to_owned(), json!({"startLine": line, "startColumn": column}));
    }
    let mut location = json!({"physicalLocation": physical});
    if let (false, Some(members)) = (place.is_empty(), location.as_object_mut()) {
        members.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": place}]));
    }
    json!({
        "ruleId": finding.rule.name,
        "ruleIndex": RULES.iter().position(|rule| *rule == finding.rule),
        "level": level,
        "message": {"text": text},
        "locations": [location],
    })
}

/// A path as a reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;
    use crate::action::{Overrides, Surroundings};

    #[test]
    fn the_log_has_the_required_members_of_the_standard() {
        let text = "[[\"LD_nope\"], [\"LD_assert_sla\",\n {\"rules\": []}], 7]";
        let found = document::findings(
            &document::Source::json(text),
            &Overrides::default(),
            &Surroundings::unknown(),
        );
        let broken = document::findings(
            &document::Source::json("["),
            &Overrides::default(),
            &Surroundings::unknown(),
        );
        let log = log(&[("a b/ä.json".to_owned(), found), ("-".to_owned(), broken)]);
        let log: Json = serde_json::from_str(&log).expect("JSON");
        assert_eq!(log["version"], "2.1.0");
        let runs = log["runs"].as_array().expect("runs");
        let [run] = &runs[..] else { panic!("{runs:?}") };
        assert_eq!(run["tool"]["driver"]["name"], "ldctl");
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), 4, "{results:?}");
        for result in results {
            let message = result["message"]["text"].as_str().expect("a text");
            assert!(!message.is_empty());
            assert!(["error", "warning"].contains(&result["level"].as_str().expect("a level")));
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(rules[index]["shortDescription"]["text"].is_string());
            let place = &result["locations"][0]["physicalLocation"];
            assert!(place["artifactLocation"]["uri"].is_string());
            assert!(place["region"]["startLine"].as_u64() >= Some(1));
            assert!(place["region"]["startColumn"].as_u64() >= Some(1));
        }
        let place = &results[1]["locations"][0];
        assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "a%20b/%C3%A4.json");
        assert_eq!(place["physicalLocation"]["region"], json!({"startLine": 2, "startColumn": 12}));
        assert_eq!(place["logicalLocations"][0]["fullyQualifiedName"], "actions[1].rules");
    }
}
