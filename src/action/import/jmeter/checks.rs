//! What stands around a sampler: assertions, extractors and timers.

use super::super::load::rounded;
use super::super::steps::steps;
use super::super::{add, status_assertion};
use super::Reader;
use super::tree::Node;
use crate::value::{Map, Value};

/// Kinds of a comparison, as JMeter's bits.
const MATCH: i64 = 1;
const CONTAINS: i64 = 2;
const NOT: i64 = 4;
const EQUALS: i64 = 8;
const SUBSTRING: i64 = 16;
const OR: i64 = 32;

impl Reader {
    /// Adds one of them to a task.
    pub(super) fn around(&mut self, node: &Node, task: &mut Map, pause: &mut Option<Value>) {
        match node.tag.as_str() {
            "AuthManager" => self.credentials(node, task),
            "CookieManager" => self.cookies(node, task),
            "ResponseAssertion" => self.assertion(node, task),
            "JSONPathAssertion" => self.json_assertion(node, task),
            "JSONPostProcessor" => self.extractor(node, task),
            "ConstantTimer"
            | "UniformRandomTimer"
            | "GaussianRandomTimer"
            | "PoissonRandomTimer" => {
                self.timer(node, pause);
            }
            "RegexExtractor" | "DurationAssertion" => self.lost(node),
            _ => {}
        }
    }

    fn lost(&mut self, node: &Node) {
        self.import
            .notices
            .note("elements without a counterpart", format!("{} ({})", node.name(), node.tag));
    }

    fn assertion(&mut self, node: &Node, task: &mut Map) {
        let kind = node
            .property("Assertion.test_type")
            .and_then(|kind| kind.trim().parse().ok())
            .unwrap_or(CONTAINS);
        let field =
            node.property("Assertion.test_field").unwrap_or("Assertion.response_data").trim();
        // The name of the collection is misspelt in JMeter itself.
        let texts = ["Asserion.test_strings", "Assertion.test_strings"];
        let texts: Vec<&str> = texts
            .iter()
            .flat_map(|name| node.collection(name))
            .map(|text| text.text.as_str())
            .filter(|text| !text.is_empty())
            .collect();
        if texts.is_empty() || kind & OR != 0 && texts.len() > 1 {
            self.lost(node);
            return;
        }
        for text in texts {
            let literal = kind & SUBSTRING != 0 || kind & (MATCH | CONTAINS) != 0 && is_plain(text);
            let made = match field {
                "Assertion.response_code" if kind & NOT == 0 => {
                    let status: Option<i64> = text.trim().parse().ok();
                    status.filter(|status| (100..600).contains(status)).map(status_assertion)
                }
                "Assertion.response_data" | "Assertion.response_data_as_document"
                    if literal && kind & (EQUALS | MATCH) == 0 =>
                {
                    let name = if kind & NOT == 0 { "contains" } else { "not_contains" };
                    let value = self.functions.filled(text);
                    Some(Value::dict([("type", Value::from(name)), ("value", value.into())]))
                }
                _ => None,
            };
            match made {
                Some(assertion) => add(task, "assertions", assertion),
                None => self.lost(node),
            }
        }
    }

    fn json_assertion(&mut self, node: &Node, task: &mut Map) {
        let path = node.property("JSON_PATH").and_then(json_path);
        let value = node.property("EXPECTED_VALUE");
        let plain = node.is_true("JSONVALIDATION")
            && !node.is_true("EXPECT_NULL")
            && !node.is_true("INVERT");
        let regex = node.property("ISREGEX") != Some("false");
        match (path, value) {
            (Some(path), Some(value)) if plain && (!regex || is_plain(value)) => {
                let value =
                    Value::parse(value).unwrap_or_else(|_| self.functions.filled(value).into());
                let assertion =
                    [("type", Value::from("json_path")), ("path", path.into()), ("value", value)];
                add(task, "assertions", Value::dict(assertion));
            }
            _ => self.lost(node),
        }
    }

    fn extractor(&mut self, node: &Node, task: &mut Map) {
        let parts = |name: &str| {
            let given = node.property(name).unwrap_or_default();
            given.split(';').map(|part| part.trim().to_owned()).collect::<Vec<_>>()
        };
        let (names, paths) =
            (parts("JSONPostProcessor.referenceNames"), parts("JSONPostProcessor.jsonPathExprs"));
        let (numbers, defaults) =
            (parts("JSONPostProcessor.match_numbers"), parts("JSONPostProcessor.defaultValues"));
        for (index, (name, path)) in names.iter().zip(&paths).enumerate() {
            let at = |given: &[String]| given.get(index).cloned().unwrap_or_default();
            let (number, default) = (at(&numbers), at(&defaults));
            match json_path(path).filter(|_| !name.is_empty()) {
                Some(path) => {
                    // Such a path leads to one value: the first, or any.
                    if !matches!(number.as_str(), "" | "0" | "1") {
                        let kind = "extractors whose match numbers are left out";
                        self.import.notices.note(kind, name.as_str());
                    }
                    if !default.is_empty() {
                        let kind = "extractors whose default values are left out";
                        self.import.notices.note(kind, name.as_str());
                    }
                    let extractor = [("var", Value::from(name.as_str())), ("path", path.into())];
                    add(task, "extract", Value::dict(extractor));
                }
                None => self.lost(node),
            }
        }
    }

    fn timer(&mut self, node: &Node, pause: &mut Option<Value>) {
        let number = |name: &str| node.property(name).and_then(|text| self.number(text));
        let delay = number("ConstantTimer.delay").unwrap_or(0.0).max(0.0) / 1000.0;
        let range = number("RandomTimer.range").unwrap_or(0.0).max(0.0) / 1000.0;
        // Several timers add up.
        let of = |value: &Value, key: &str| value.get(key).unwrap_or(value).as_f64().unwrap_or(0.0);
        let (low, high) =
            pause.as_ref().map_or((0.0, 0.0), |known| (of(known, "min"), of(known, "max")));
        let (low, high) = match node.tag.as_str() {
            "ConstantTimer" => (low + delay, high + delay),
            "GaussianRandomTimer" => (low + (delay - range).max(0.0), high + delay + range),
            _ => (low + delay, high + delay + range),
        };
        *pause = match high > low {
            true => Some(Value::dict([("min", rounded(low)), ("max", rounded(high))])),
            false => (low > 0.0).then(|| rounded(low)),
        };
    }
}

/// Whether a pattern means itself.
fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['\\', '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$'])
}

/// A path of JSONPath without wildcards and filters, as `data.0.id`.
fn json_path(path: &str) -> Option<String> {
    let path = path.trim().strip_prefix('$')?;
    steps(path)
}
