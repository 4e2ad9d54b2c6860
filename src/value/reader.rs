//! Parses a document into typed settings: a [`Reader`] is a value together with its place, so that
//! every refusal can name it as a JSON pointer (`/tasks/2/weight: expected a positive integer, got
//! "x"`). An [`Object`] hands out its members one by one and refuses the rest.

use std::cell::RefCell;
use std::rc::Rc;

use num_bigint::Sign;

use super::field::{Field, any_of, nearest};
use super::{Map, Value};
use crate::redact::{self, REDACTED};

/// A refusal: the place in the document (a JSON pointer, RFC 6901) and what is expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if pointer.is_empty() { String::new() } else { format!("{pointer}: ") })]
pub struct Invalid {
    /// The JSON pointer; empty for the whole document.
    pub pointer: String,
    /// What is wrong, and what is expected.
    pub message: String,
}

/// The places of numbers that the document leaves to variables, as JSON pointers.
pub type Awaited = Rc<RefCell<Vec<String>>>;

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    value: &'a Value,
    place: Place<'a>,
}

/// Where a value is. It shares its beginning with its neighbours and becomes a text only when it is
/// needed, for a list of many elements may be deep inside others, or below a long key.
#[derive(Debug, Clone)]
struct Place<'a> {
    around: Option<Rc<Place<'a>>>,
    step: Step<'a>,
}

#[derive(Debug, Clone)]
enum Step<'a> {
    /// A place that is known as a JSON pointer, and where the numbers below it are noted that a
    /// variable gives.
    Root(Rc<str>, Option<Awaited>),
    Member(&'a str),
    Element(usize),
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let mut pointer = self.around.as_ref().map(|around| around.pointer()).unwrap_or_default();
        match &self.step {
            Step::Root(text, _) => pointer.push_str(text),
            Step::Member(key) => {
                pointer.push('/');
                pointer.push_str(&escape(key));
            }
            Step::Element(index) => pointer.push_str(&format!("/{index}")),
        }
        pointer
    }

    fn awaited(&self) -> Option<&Awaited> {
        match (&self.step, &self.around) {
            (Step::Root(_, awaited), _) => awaited.as_ref(),
            (_, Some(around)) => around.awaited(),
            (_, None) => None,
        }
    }
}

impl<'a> Reader<'a> {
    /// The root of a document.
    pub fn root(value: &'a Value) -> Self {
        Self::at(value, "")
    }

    /// A value at a known place.
    pub fn at(value: &'a Value, pointer: impl Into<Rc<str>>) -> Self {
        Self { value, place: Place { around: None, step: Step::Root(pointer.into(), None) } }
    }

    /// [`Self::at`], and numbers may be written as placeholders: each is read as 1, and its place is
    /// noted in `awaited`. What was read is of no use then; it is read again with their values.
    pub fn awaiting(value: &'a Value, pointer: impl Into<Rc<str>>, awaited: &Awaited) -> Self {
        let step = Step::Root(pointer.into(), Some(Rc::clone(awaited)));
        Self { value, place: Place { around: None, step } }
    }

    /// Whether a variable gives this number when the action starts; notes its place.
    pub fn awaits_number(&self) -> bool {
        let Value::Str(text) = self.value else { return false };
        let inner = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let Some(awaited) =
            inner.and_then(|name| self.place.awaited().filter(|_| !name.contains('}')))
        else {
            return false;
        };
        awaited.borrow_mut().push(self.pointer());
        true
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Its place.
    pub fn pointer(&self) -> String {
        self.place.pointer()
    }

    /// A refusal of this value, with the caller's message.
    pub fn invalid(&self, message: impl Into<String>) -> Invalid {
        Invalid { pointer: self.pointer(), message: message.into() }
    }

    /// A refusal that says what was expected and what was found.
    pub fn expected(&self, what: &str) -> Invalid {
        let got = if self.holds_secret() { REDACTED.to_owned() } else { brief(self.value) };
        self.invalid(format!("expected {what}, got {got}"))
    }

    /// A refusal that says which texts are accepted, and which one was probably meant.
    pub fn choice(&self, names: &[&str]) -> Invalid {
        let quoted = names.iter().map(|name| format!("{name:?}"));
        let mut invalid = self.expected(&any_of(quoted));
        let meant = self.value.as_str().and_then(|wrong| nearest(wrong, names.iter().copied()));
        if let Some(meant) = meant {
            invalid.message.push_str(&format!("; did you mean {meant:?}?"));
        }
        invalid
    }

    /// Whether its place says that it is a secret. `auth` may be misspelled as a pair or a text.
    fn holds_secret(&self) -> bool {
        let pointer = self.pointer();
        let mut places = pointer.split('/');
        let plain = matches!(self.value, Value::Null | Value::Bool(_) | Value::Dict(_));
        !plain && (pointer.ends_with("/auth") || places.any(redact::names_secret))
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Parses a text.
    pub fn text(&self) -> Result<&'a str, Invalid> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// Parses a text, as an owned string.
    pub fn string(&self) -> Result<String, Invalid> {
        self.text().map(str::to_owned)
    }

    /// Parses `true` or `false`.
    pub fn boolean(&self) -> Result<bool, Invalid> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Parses an integer of at least `least`; a float without a fraction is accepted (`50.0`).
    pub fn integer(&self, least: u64) -> Result<u64, Invalid> {
        if self.awaits_number() {
            return Ok(least.max(1));
        }
        let whole = match self.value {
            Value::Int(value) => u64::try_from(*value).ok(),
            Value::Big(value) => match u64::try_from(value) {
                Ok(value) => Some(value),
                Err(_) if value.sign() == Sign::Minus => None,
                Err(_) => return Err(self.expected(&format!("an integer of at most {}", u64::MAX))),
            },
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

    /// Parses a finite number of at least 0 (seconds, rates).
    pub fn number(&self) -> Result<f64, Invalid> {
        if self.awaits_number() {
            return Ok(1.0);
        }
        self.value
            .as_f64()
            .filter(|value| value.is_finite() && *value >= 0.0)
            .ok_or_else(|| self.expected("a number of at least 0"))
    }

    /// Parses a finite number above 0.
    pub fn positive(&self) -> Result<f64, Invalid> {
        if self.awaits_number() {
            return Ok(1.0);
        }
        self.value
            .as_f64()
            .filter(|value| value.is_finite() && *value > 0.0)
            .ok_or_else(|| self.expected("a number above 0"))
    }

    /// Parses a list.
    pub fn list(&self) -> Result<Vec<Reader<'a>>, Invalid> {
        match self.value {
            Value::List(items) => {
                let around = Rc::new(self.place.clone());
                let step = |(index, value)| Reader {
                    value,
                    place: Place { around: Some(Rc::clone(&around)), step: Step::Element(index) },
                };
                Ok(items.iter().enumerate().map(step).collect())
            }
            _ => Err(self.expected("a list")),
        }
    }

    /// Parses an object whose members are taken one by one. If it has a table of fields, use
    /// [`Reader::fields`].
    pub fn object(&self) -> Result<Object<'a>, Invalid> {
        match self.value {
            Value::Dict(members) => Ok(Object {
                members,
                place: Rc::new(self.place.clone()),
                taken: Vec::new(),
                all_taken: false,
                tables: Vec::new(),
            }),
            _ => Err(self.expected("an object")),
        }
    }

    /// Parses an object with the fields of a table; [`Object::and`] adds another.
    pub fn fields(&self, table: &'static [Field]) -> Result<Object<'a>, Invalid> {
        self.object().map(|object| object.and(table))
    }
}

/// An object that is being parsed.
#[derive(Debug)]
pub struct Object<'a> {
    members: &'a Map,
    place: Rc<Place<'a>>,
    taken: Vec<&'a str>,
    all_taken: bool,
    /// The fields that it may have; empty if it was opened without a table.
    tables: Vec<&'static [Field]>,
}

impl<'a> Object<'a> {
    /// Adds the fields of another table.
    pub fn and(mut self, table: &'static [Field]) -> Self {
        self.tables.push(table);
        self
    }

    /// Takes a member, if present (`null` counts as present).
    pub fn optional(&mut self, key: &str) -> Option<Reader<'a>> {
        self.declared(key);
        let (key, value) = self.members.get_key_value(key)?;
        self.taken.push(key);
        Some(Reader { value, place: member(&self.place, key) })
    }

    /// Takes a member, unless it is missing or `null`.
    pub fn present(&mut self, key: &str) -> Option<Reader<'a>> {
        self.optional(key).filter(|reader| !reader.is_null())
    }

    /// Takes a required member.
    pub fn required(&mut self, key: &str) -> Result<Reader<'a>, Invalid> {
        self.optional(key).ok_or_else(|| self.missing(key))
    }

    /// Parses a member, unless it is missing or `null`.
    pub fn if_present<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Reader<'a>) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        self.present(key).map(|reader| read(&reader)).transpose()
    }

    /// Parses a member, or the default of its table if it is missing or `null`.
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
                read(&Reader { value: &value, place: member(&self.place, key) })
            }
        }
    }

    fn missing(&self, key: &str) -> Invalid {
        Invalid { pointer: self.place.pointer(), message: format!("missing {key:?}") }
    }

    /// A key's field. A member that is read without being declared would be missing in the schema:
    /// every test that reads it fails.
    fn declared(&self, key: &str) -> Option<&'static Field> {
        let mut fields = self.tables.iter().flat_map(|table| table.iter());
        let field = fields.find(|field| field.keys().any(|known| known == key));
        debug_assert!(
            field.is_some() || self.tables.is_empty(),
            "the field {key:?} is read at {:?} and no table declares it",
            self.place.pointer()
        );
        field
    }

    /// Takes every member with its place, in order.
    pub fn entries(&mut self) -> Vec<(&'a str, Reader<'a>)> {
        self.all_taken = true;
        let place = |key| member(&self.place, key);
        let entry = |(key, value): (&'a String, &'a Value)| {
            (key.as_str(), Reader { value, place: place(key) })
        };
        self.members.iter().map(entry).collect()
    }

    /// Refuses the members that were not taken.
    pub fn finish(self) -> Result<(), Invalid> {
        // Only members of a table are taken one by one, so these are few.
        let left = |key: &&String| !self.all_taken && !self.taken.contains(&key.as_str());
        let Some(key) = self.members.keys().find(left) else { return Ok(()) };
        let known = || self.tables.iter().flat_map(|table| table.iter()).flat_map(Field::keys);
        let hint = match (nearest(key, known()), known().count()) {
            (Some(name), _) => format!("; did you mean {name:?}?"),
            (None, 1..=MOST_LISTED) => {
                format!("; expected {}", any_of(known().map(str::to_owned)))
            }
            _ => String::new(),
        };
        Err(Invalid {
            pointer: member(&self.place, key).pointer(),
            message: format!("unknown field{hint}"),
        })
    }
}

fn member<'b>(around: &Rc<Place<'b>>, key: &'b str) -> Place<'b> {
    Place { around: Some(Rc::clone(around)), step: Step::Member(key) }
}

/// The most fields that the refusal of an unknown one lists.
const MOST_LISTED: usize = 12;

/// The longest key in a JSON pointer, in bytes. The rest of a longer one is left out.
const LONGEST_KEY: usize = 200;

/// A key as a step of a JSON pointer.
fn escape(key: &str) -> String {
    let cut = key.get(..key.floor_char_boundary(LONGEST_KEY)).unwrap_or(key);
    let more = if cut.len() < key.len() { "…" } else { "" };
    cut.replace('~', "~0").replace('/', "~1") + more
}

/// A value for an error message: JSON, cut to a readable length.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 60;
    let json = match value {
        // JSON writes it as null, which would be misleading.
        Value::Float(number) if !number.is_finite() => number.to_string(),
        value => serde_json::to_string(value).unwrap_or_else(|_| value.kind().to_owned()),
    };
    // Before it is cut, because a secret is recognized by what surrounds it.
    let json = redact::head(&json, 16 * LONGEST);
    if json.chars().count() <= LONGEST {
        return json.into_owned();
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
    fn a_long_key_is_cut_in_a_place() {
        let value = Value::parse(&format!(r#"{{"{}": [1]}}"#, "é".repeat(300))).expect("JSON");
        let mut object = Reader::root(&value).object().expect("an object");
        let (_, list) = object.entries().remove(0);
        let refusal = list.list().expect("a list")[0].text().expect_err("a number");
        assert_eq!(refusal.pointer, format!("/{}…/0", "é".repeat(100)));
    }

    #[test]
    fn remaining_members_are_refused_with_an_escaped_pointer() {
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
    fn a_missing_member_has_the_default_of_its_table() {
        check_fields("{}", Ok(1));
        check_fields(r#"{"weight": null, "url": "/"}"#, Ok(1));
        check_fields(r#"{"weight": 5}"#, Ok(5));
        let refusal = "/tasks/2/weight: expected an integer of at least 0, got \"x\"";
        check_fields(r#"{"weight": "x"}"#, Err(refusal));
    }

    #[test]
    fn the_refusal_of_an_unknown_field_suggests_the_intended_one() {
        let meant = "/tasks/2/wieght: unknown field; did you mean \"weight\"?";
        check_fields(r#"{"wieght": 5}"#, Err(meant));
        let fields = "/tasks/2/colour: unknown field; expected weight, request_url or url";
        check_fields(r#"{"colour": 5}"#, Err(fields));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "the field \"colour\" is read at \"/x\" and no table declares it")]
    fn reading_an_undeclared_field_fails_the_test() {
        let value = Value::parse("{}").expect("JSON");
        let _ = Reader::at(&value, "/x").fields(FIELDS).map(|mut fields| fields.present("colour"));
    }

    #[test]
    fn integers_beyond_64_bits_are_refused_with_the_largest() {
        let read = |json: &str| {
            let value = Value::parse(json).expect("JSON");
            Reader::root(&value).integer(0).map_err(|invalid| invalid.message)
        };
        assert_eq!(read("9223372036854775808"), Ok(1 << 63));
        assert_eq!(read("18446744073709551615"), Ok(u64::MAX));
        let refusal = "expected an integer of at most 18446744073709551615, got ";
        assert_eq!(read("18446744073709551616"), Err(format!("{refusal}18446744073709551616")));
        let negative = read("-18446744073709551616").expect_err("refused");
        assert!(negative.starts_with("expected an integer of at least 0"), "{negative}");
    }
}
