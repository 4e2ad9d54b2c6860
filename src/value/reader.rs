//! Reading a document into typed settings: a [`Reader`] is a value together with its place, so that
//! every refusal can name it as a JSON pointer (`/tasks/2/weight: expected a positive integer, got
//! "x"`). An [`Object`] takes its members one by one and refuses what is left over.

use regex::Regex;

use super::field::{Field, nearest};
use super::{Map, Value};

/// A refusal: the place in the document (a JSON pointer, RFC 6901) and what should stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if pointer.is_empty() { String::new() } else { format!("{pointer}: ") })]
pub struct Invalid {
    /// The JSON pointer; empty for the whole document.
    pub pointer: String,
    /// What is wrong there, and what should stand there.
    pub message: String,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    value: &'a Value,
    pointer: String,
}

impl<'a> Reader<'a> {
    /// The root of a document.
    pub fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    /// A value at a known place.
    pub fn at(value: &'a Value, pointer: impl Into<String>) -> Self {
        Self { value, pointer: pointer.into() }
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Where it stands.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// A refusal of this value, in the caller's words.
    pub fn invalid(&self, message: impl Into<String>) -> Invalid {
        Invalid { pointer: self.pointer.clone(), message: message.into() }
    }

    /// A refusal that says what was expected and what stands there.
    pub fn expected(&self, what: &str) -> Invalid {
        self.invalid(format!("expected {what}, got {}", brief(self.value)))
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// A text.
    pub fn text(&self) -> Result<&'a str, Invalid> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// A regular expression. The parser draws a picture over several lines and says the reason in
    /// the last, which is all that a refusal takes.
    pub fn pattern(&self) -> Result<Regex, Invalid> {
        Regex::new(self.text()?).map_err(|error| {
            let picture = error.to_string();
            let reason = picture.lines().last().unwrap_or_default().trim_start_matches("error: ");
            self.invalid(format!("not a regular expression: {reason}"))
        })
    }

    /// A text of one's own.
    pub fn string(&self) -> Result<String, Invalid> {
        self.text().map(str::to_owned)
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Result<bool, Invalid> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A whole number of at least `least`; a float without a fraction counts (`50.0`).
    pub fn integer(&self, least: u64) -> Result<u64, Invalid> {
        let whole = match self.value {
            Value::Int(value) => u64::try_from(*value).ok(),
            Value::Float(value) if value.fract() == 0.0 && (0.0..9e15).contains(value) => {
                Some(*value as u64)
            }
            _ => None,
        };
        whole.filter(|value| *value >= least).ok_or_else(|| {
            self.expected(match least {
                0 => "an integer of at least 0",
                1 => "a positive integer",
                _ => "a larger integer",
            })
        })
    }

    /// A finite number of at least 0 (seconds, rates).
    pub fn number(&self) -> Result<f64, Invalid> {
        self.value
            .as_f64()
            .filter(|value| value.is_finite() && *value >= 0.0)
            .ok_or_else(|| self.expected("a number of at least 0"))
    }

    /// A finite number above 0.
    pub fn positive(&self) -> Result<f64, Invalid> {
        self.value
            .as_f64()
            .filter(|value| value.is_finite() && *value > 0.0)
            .ok_or_else(|| self.expected("a number above 0"))
    }

    /// The items of a list.
    pub fn list(&self) -> Result<Vec<Reader<'a>>, Invalid> {
        match self.value {
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, value)| Reader {
                    value,
                    pointer: format!("{}/{index}", self.pointer),
                })
                .collect()),
            _ => Err(self.expected("a list")),
        }
    }

    /// An object whose members are taken one by one. Where it has a table of fields, open it with
    /// [`Reader::fields`].
    pub fn object(&self) -> Result<Object<'a>, Invalid> {
        match self.value {
            Value::Dict(members) => Ok(Object {
                members,
                pointer: self.pointer.clone(),
                taken: Vec::new(),
                tables: Vec::new(),
            }),
            _ => Err(self.expected("an object")),
        }
    }

    /// An object with the fields of a table; [`Object::and`] adds another.
    pub fn fields(&self, table: &'static [Field]) -> Result<Object<'a>, Invalid> {
        self.object().map(|object| object.and(table))
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object<'a> {
    members: &'a Map,
    pointer: String,
    taken: Vec<&'a str>,
    /// The fields that it may have; none where it was opened without a table.
    tables: Vec<&'static [Field]>,
}

impl<'a> Object<'a> {
    /// The object with the fields of one more table.
    pub fn and(mut self, table: &'static [Field]) -> Self {
        self.tables.push(table);
        self
    }

    /// A member, if it is there (`null` counts as there).
    pub fn optional(&mut self, key: &str) -> Option<Reader<'a>> {
        self.declared(key);
        let (key, value) = self.members.get_key_value(key)?;
        self.taken.push(key);
        Some(Reader { value, pointer: format!("{}/{}", self.pointer, escape(key)) })
    }

    /// A member, unless it is missing or `null`.
    pub fn present(&mut self, key: &str) -> Option<Reader<'a>> {
        self.optional(key).filter(|reader| !reader.is_null())
    }

    /// A member that must be there.
    pub fn required(&mut self, key: &str) -> Result<Reader<'a>, Invalid> {
        self.optional(key).ok_or_else(|| self.missing(key))
    }

    /// What a member says, unless it is missing or `null`.
    pub fn if_present<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Reader<'a>) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        self.present(key).map(|reader| read(&reader)).transpose()
    }

    /// What a member says; where it is missing or `null`, what its table has as its default.
    pub fn or_default<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Reader<'_>) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        match self.present(key) {
            Some(reader) => read(&reader),
            None => {
                let default = self.declared(key).and_then(|field| field.default);
                let value = default.ok_or_else(|| self.missing(key))?.value();
                read(&Reader::at(&value, format!("{}/{}", self.pointer, escape(key))))
            }
        }
    }

    fn missing(&self, key: &str) -> Invalid {
        Invalid { pointer: self.pointer.clone(), message: format!("missing {key:?}") }
    }

    /// A key's field. What is read without being declared would be missing in the schema: every test
    /// that comes by here fails.
    fn declared(&self, key: &str) -> Option<&'static Field> {
        let mut fields = self.tables.iter().flat_map(|table| table.iter());
        let field = fields.find(|field| field.keys().any(|known| known == key));
        debug_assert!(
            field.is_some() || self.tables.is_empty(),
            "the field {key:?} is read at {:?} and no table declares it",
            self.pointer
        );
        field
    }

    /// Every member with its place, in order; nothing is left over afterwards.
    pub fn entries(&mut self) -> Vec<(&'a str, Reader<'a>)> {
        self.taken.extend(self.members.keys().map(String::as_str));
        self.members
            .iter()
            .map(|(key, value)| {
                let pointer = format!("{}/{}", self.pointer, escape(key));
                (key.as_str(), Reader { value, pointer })
            })
            .collect()
    }

    /// Refuses members that nobody took.
    pub fn finish(self) -> Result<(), Invalid> {
        let Some(key) = self.members.keys().find(|key| !self.taken.contains(&key.as_str())) else {
            return Ok(());
        };
        let known = self.tables.iter().flat_map(|table| table.iter()).flat_map(Field::keys);
        let meant = nearest(key, known).map(|name| format!("; did you mean {name:?}?"));
        Err(Invalid {
            pointer: format!("{}/{}", self.pointer, escape(key)),
            message: format!("unknown field{}", meant.unwrap_or_default()),
        })
    }
}

/// A key as a step of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A value as an error message shows it: JSON, cut to a readable length.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 60;
    let json = match value {
        // JSON writes it as null, which stands elsewhere.
        Value::Float(number) if !number.is_finite() => number.to_string(),
        value => serde_json::to_string(value).unwrap_or_else(|_| value.kind().to_owned()),
    };
    if json.chars().count() <= LONGEST {
        return json;
    }
    let cut: String = json.chars().take(LONGEST).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Kind, Literal};

    #[test]
    fn a_refusal_names_the_place_and_what_is_expected() {
        let value = Value::parse(r#"{"tasks": [{"weight": "x"}]}"#).expect("JSON");
        let mut root = Reader::root(&value).object().expect("an object");
        let tasks = root.required("tasks").and_then(|tasks| tasks.list()).expect("a list");
        let mut task = tasks[0].object().expect("an object");
        let refusal = task.required("weight").and_then(|weight| weight.integer(1)).unwrap_err();
        assert_eq!(refusal.to_string(), "/tasks/0/weight: expected a positive integer, got \"x\"");
    }

    #[test]
    fn a_wrong_pattern_is_refused_in_one_line() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            ("a\nb(?P<", "unclosed capture group name"),
            ("a{1000000000}", "Compiled regex exceeds size limit of 10485760 bytes."),
        ] {
            let value = Value::from(pattern);
            let refusal = Reader::at(&value, "/p").pattern().unwrap_err().to_string();
            assert_eq!(refusal, format!("/p: not a regular expression: {reason}"));
        }
        assert!(Reader::root(&Value::from("^a+$")).pattern().is_ok_and(|p| p.is_match("aa")));
    }

    #[test]
    fn what_is_left_over_is_refused_with_an_escaped_pointer() {
        let value = Value::parse(r#"{"a/b": 1}"#).expect("JSON");
        let refusal = Reader::root(&value).object().and_then(Object::finish).unwrap_err();
        assert_eq!(refusal.to_string(), "/a~1b: unknown field");
    }

    const FIELDS: &[Field] = &[
        Field::optional("weight", Kind::Count, "How often.").or(Literal::Int(1)),
        Field::required("request_url", Kind::Name, "Where.").alias("url"),
    ];

    fn check_fields(json: &str, weight: Result<u64, &str>) {
        let value = Value::parse(json).expect("JSON");
        let found = Reader::at(&value, "/tasks/2").fields(FIELDS).and_then(|mut fields| {
            let weight = fields.or_default("weight", |field| field.integer(0))?;
            fields.present("url");
            fields.finish()?;
            Ok(weight)
        });
        assert_eq!(found.map_err(|invalid| invalid.to_string()), weight.map_err(str::to_owned));
    }

    #[test]
    fn what_is_left_out_has_the_default_of_its_table() {
        check_fields("{}", Ok(1));
        check_fields(r#"{"weight": null, "url": "/"}"#, Ok(1));
        check_fields(r#"{"weight": 5}"#, Ok(5));
        let refusal = "/tasks/2/weight: expected an integer of at least 0, got \"x\"";
        check_fields(r#"{"weight": "x"}"#, Err(refusal));
    }

    #[test]
    fn an_unknown_field_names_the_one_that_was_meant() {
        let meant = "/tasks/2/wieght: unknown field; did you mean \"weight\"?";
        check_fields(r#"{"wieght": 5}"#, Err(meant));
        check_fields(r#"{"colour": 5}"#, Err("/tasks/2/colour: unknown field"));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "the field \"colour\" is read at \"/x\" and no table declares it")]
    fn a_field_that_is_read_and_not_declared_fails_the_test_that_reads_it() {
        let value = Value::parse("{}").expect("JSON");
        let _ = Reader::at(&value, "/x").fields(FIELDS).map(|mut fields| fields.present("colour"));
    }
}
