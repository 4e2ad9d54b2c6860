//! The languages in which a document can be written, each with its parser and the positions of its parts.

use super::parse::ParseError;
use super::path::Path;
use super::positions::{Position, positions};
use super::syntax_error::SyntaxError;
use super::{Value, toml, yaml};

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// TOML.
    Toml,
}

impl Syntax {
    /// The syntax of a file, by its ending.
    pub fn of(path: &std::path::Path) -> Self {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Self::Yaml,
            "toml" => Self::Toml,
            _ => Self::Json,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Yaml => "YAML",
            Self::Toml => "TOML",
        }
    }

    /// Parses a text; the error names line and column.
    pub fn parse(self, text: &str) -> Result<Value, SyntaxError> {
        match self {
            Self::Json => Value::parse(text).map_err(|error| {
                let (line, column) = match &error {
                    ParseError::Syntax(error) => (error.line(), error.column()),
                    _ => (1, 1),
                };
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or_default().to_owned();
                SyntaxError { what, line, column }
            }),
            Self::Yaml => Value::parse_yaml(text),
            Self::Toml => Value::parse_toml(text),
        }
    }

    /// Where paths lead in a text of this syntax: to the deepest part that is there.
    pub fn positions(self, text: &str, paths: &[Path]) -> Vec<Position> {
        match self {
            Self::Json => positions(text, paths),
            Self::Yaml => yaml::positions(text, paths),
            Self::Toml => toml::positions(text, paths),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_part_is_found_in_every_syntax() {
        let json =
            r#"{"load_density": [["LD_start_test", {"tasks": [{"é": 1}, {"weight": "x"}]}]]}"#;
        let yaml = "# ä comment\nload_density:\n- - LD_start_test\n  - tasks:\n    - {é: 1}\n    - weight: x\n";
        let toml = "# ä comment\nload_density = [\n  [\"LD_start_test\",\n   {tasks = [{\"é\" = 1}, {weight = \"x\"}]}]\n]\n";
        let root = Value::parse(json).expect("JSON");
        let pointers = [
            ("", 0, 0, 0),
            ("/load_density/0", 18, 30, 30),
            ("/load_density/0/1/tasks/0", 49, 58, 65),
            ("/load_density/0/1/tasks/1/weight", 70, 73, 87),
            ("/load_density/0/1/tasks/1/missing", 59, 67, 77),
        ];
        for (syntax, text) in [(Syntax::Json, json), (Syntax::Yaml, yaml), (Syntax::Toml, toml)] {
            assert_eq!(syntax.parse(text).as_ref(), Ok(&root), "{}", syntax.name());
            for (pointer, ..) in pointers {
                let found = syntax.positions(text, &[Path::of_pointer(pointer, &root)]);
                let [Position { key, value }] = found[..] else { panic!("{found:?}") };
                let rest = &text[value..];
                let begins = match pointer.rsplit('/').next() {
                    Some("weight") => rest.trim_start_matches('"').starts_with('x'),
                    Some("missing") => {
                        rest.trim_start_matches('{').trim_start_matches('"').starts_with("weight")
                    }
                    Some("0") if pointer.len() > 16 => {
                        rest.trim_start_matches('{').trim_start_matches('"').starts_with('é')
                    }
                    Some("0") => {
                        rest.trim_start_matches(['[', '-', ' ', '"']).starts_with("LD_start_test")
                    }
                    _ => true,
                };
                assert!(begins, "{} {pointer}: {rest}", syntax.name());
                let key = key.map(|key| text[key..].trim_start_matches('"').starts_with("weight"));
                assert_eq!(key.is_some(), pointer.ends_with("weight"), "{}", syntax.name());
                assert_ne!(key, Some(false), "{}", syntax.name());
            }
        }
    }
}
