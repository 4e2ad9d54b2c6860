//! What a text is, and who imports it.

use super::refusal::NotConverted;
use crate::action::import::{Import, jmeter, k6, openapi, postman};
use crate::value::Value;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A recording of a browser or proxy (HTTP Archive).
    Har,
    /// Commands of curl.
    Curl,
    /// An OpenAPI or Swagger document.
    OpenApi,
    /// A Postman collection.
    Postman,
    /// A k6 script.
    K6,
    /// A JMeter test plan.
    JMeter,
}

impl Source {
    /// What a text seems to be.
    pub(super) fn of(text: &str) -> Result<Self, NotConverted> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with('{') {
            return Self::of_json(text);
        }
        if text.starts_with('<') && text.contains("jmeterTestPlan") {
            return Ok(Self::JMeter);
        }
        let mut lines = text.lines();
        if lines.any(|line| ["openapi", "swagger"].iter().any(|key| is_key(line, key))) {
            return Ok(Self::OpenApi);
        }
        if k6::is_script(text) {
            return Ok(Self::K6);
        }
        if text.split_whitespace().any(|word| word == "curl" || word.ends_with("/curl")) {
            return Ok(Self::Curl);
        }
        let known = "a HAR recording, an OpenAPI document, a Postman collection, a JMeter test plan, a k6 script \
                     or commands of curl";
        Err(NotConverted(format!("this is not {known}")))
    }

    fn of_json(text: &str) -> Result<Self, NotConverted> {
        // What is broken is refused by the reader of recordings, with its place.
        let Ok(value) = Value::parse(text) else { return Ok(Self::Har) };
        Ok(match () {
            () if value.get("log").is_some() => Self::Har,
            () if openapi::is_openapi(&value) => Self::OpenApi,
            () if postman::is_collection(&value) => Self::Postman,
            () if value.get("load_density").is_some() => {
                return Err(NotConverted("this is a document already".to_owned()));
            }
            () => Self::Har,
        })
    }
}

/// Whether a line of YAML begins with a key.
fn is_key(line: &str, key: &str) -> bool {
    let line = line.trim_start_matches(['"', '\'']);
    let rest = line.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
    rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// Imports a text of another tool.
pub(super) fn import(text: &str, source: Source) -> Result<Import, NotConverted> {
    let text = text.trim_start_matches('\u{feff}');
    let import = match source {
        Source::Har | Source::Curl => return Ok(Import::default()),
        Source::OpenApi => {
            let spec = json_or_yaml(text)?;
            if !openapi::is_openapi(&spec) {
                let why = "not an OpenAPI document: it has neither \"openapi\" nor \"swagger\"";
                return Err(NotConverted(why.to_owned()));
            }
            openapi::import(&spec, None)
        }
        Source::Postman => {
            let collection =
                Value::parse(text).map_err(|error| NotConverted(format!("not JSON: {error}")))?;
            // The API of Postman wraps it.
            let collection = collection.get("collection").unwrap_or(&collection);
            if collection.get("item").is_none() {
                return Err(NotConverted(
                    "not a Postman collection: it has no \"item\"".to_owned(),
                ));
            }
            postman::import(collection)
        }
        Source::K6 => k6::import(text),
        Source::JMeter => jmeter::import(text),
    };
    import.map_err(|error| NotConverted(error.to_string()))
}

fn json_or_yaml(text: &str) -> Result<Value, NotConverted> {
    if text.trim_start().starts_with('{') {
        return Value::parse(text).map_err(|error| NotConverted(format!("not JSON: {error}")));
    }
    Value::parse_yaml(text).map_err(|error| NotConverted(format!("not YAML: {error}")))
}
