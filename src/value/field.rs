//! The definitions of what documents may hold, as data: a [`Field`] is one argument of a command or
//! one member of an object, with its kind, its default and a sentence for people. The code that
//! reads a field looks it up by name ([`Object`](super::Object) knows its table), and the schema is
//! printed from the same table, so neither can have a field that the other lacks.

use super::Value;

/// An argument of a command or a member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// A second key with the same meaning, used if the first is missing.
    pub alias: Option<&'static str>,
    /// Whether it is required.
    pub required: Required,
    /// Its kind.
    pub kind: Kind,
    /// Whether `null` is refused, which is otherwise the same as missing.
    pub strict: bool,
    /// How it goes with another field.
    pub relation: Option<Relation>,
    /// The default. `None`: there is none, or it depends on other fields.
    pub default: Option<Literal>,
    /// The default in words, where it is no constant. Empty: there is none.
    pub fallback: &'static str,
    /// The unit of its number, where the kind does not say it.
    pub unit: Option<&'static str>,
    /// One sentence: what it does.
    pub doc: &'static str,
    /// More about it, for people. Empty: the sentence is all.
    pub note: &'static str,
    /// A value as JSON. Empty: none is shown.
    pub example: &'static str,
}

/// Whether a field is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Always.
    Always,
    /// Never; `null` is the same as missing.
    Never,
    /// If another field of its object has this value.
    When(&'static str, &'static str),
}

/// How a field goes with another one of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It needs the other.
    Needs(&'static str),
    /// They exclude each other.
    Excludes(&'static str),
}

/// A default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal {
    /// `true` or `false`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'static str),
    /// `[]`
    List,
    /// `{}`
    Object,
}

/// The kind of a field's value. A kind is as strict as a schema can express; the rest (a limit of
/// the server, two fields that exclude each other) is checked when the document is parsed.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any value.
    Any,
    /// Any text.
    Text,
    /// A non-empty text.
    Name,
    /// A text that matches a regular expression (ECMA-262, as in JSON Schema).
    Matching(&'static str),
    /// A file in the data directory.
    Path,
    /// A file in the data directory, by its name without extension.
    Stem,
    /// `true` or `false`.
    Boolean,
    /// A text, a number, `true`, `false` or `null`.
    Scalar,
    /// Any integer.
    Integer,
    /// An integer of at least 0.
    Count,
    /// An integer in a range, both ends included.
    Between(i64, i64),
    /// A port of this machine or of another; 0 picks a free one.
    Port,
    /// Any number.
    Real,
    /// A number of at least 0.
    Number,
    /// A duration in seconds, at least 0.
    Seconds,
    /// A duration in seconds, above 0.
    Timeout,
    /// A duration in milliseconds, at least 0.
    Milliseconds,
    /// A rate per second, above 0.
    Rate,
    /// This value and no other.
    Exactly(Literal),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of any length.
    List(&'static Kind),
    /// A list of a limited length.
    Items {
        /// The kind of its items.
        of: &'static Kind,
        /// The minimum length.
        least: usize,
        /// The maximum length; `None` for any.
        most: Option<usize>,
    },
    /// An object with these fields and no others; several tables may be combined.
    Object(&'static [&'static [Field]]),
    /// An object with these fields; other members are ignored.
    Open(&'static [&'static [Field]]),
    /// An object with these fields; other members are ignored with a warning, because they are mistakes.
    Advised(&'static [&'static [Field]]),
    /// An object with exactly one of these fields.
    OneField(&'static [Field]),
    /// An object whose keys the document chooses.
    Map {
        /// What its keys must match, as in [`Kind::Matching`]; `None` for any.
        keys: Option<&'static str>,
        /// The kind of its values.
        of: &'static Kind,
    },
    /// Any of these kinds.
    Either(&'static [Kind]),
    /// A kind that is used in several places; the schema defines it once, under this name.
    Named(&'static str, &'static Kind),
    /// A document of actions.
    Document,
    /// A test's tasks, in any of their forms; the fields of a task depend on the test's user.
    Tasks,
}

impl Kind {
    /// An object with any members.
    pub const MEMBERS: Self = Self::Map { keys: None, of: &Self::Any };

    /// A list of texts.
    pub const TEXTS: Self = Self::List(&Self::Text);

    /// The unit of its numbers, for people.
    pub fn unit(&self) -> Option<&'static str> {
        match self {
            Self::Seconds | Self::Timeout => Some("seconds"),
            Self::Milliseconds => Some("milliseconds"),
            Self::Rate => Some("per second"),
            _ => None,
        }
    }
}

impl Field {
    /// A required field.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { required: Required::Always, ..Self::optional(name, kind, doc) }
    }

    /// An optional field.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            alias: None,
            required: Required::Never,
            kind,
            strict: false,
            relation: None,
            default: None,
            fallback: "",
            unit: None,
            doc,
            note: "",
            example: "",
        }
    }

    /// Sets the default.
    pub const fn or(self, default: Literal) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Sets the default in words, where it is no constant.
    pub const fn otherwise(self, fallback: &'static str) -> Self {
        Self { fallback, ..self }
    }

    /// Sets the unit of its number, where the kind does not say it.
    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// Adds what people need to know beyond the sentence.
    pub const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Adds a value as JSON.
    pub const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// Adds a second key.
    pub const fn alias(self, name: &'static str) -> Self {
        Self { alias: Some(name), ..self }
    }

    /// Refuses `null`.
    pub const fn not_null(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Says how it goes with another field.
    pub const fn relation(self, relation: Relation) -> Self {
        Self { relation: Some(relation), ..self }
    }

    /// Requires it if another field of the object has this value.
    pub const fn when(self, field: &'static str, value: &'static str) -> Self {
        Self { required: Required::When(field, value), ..self }
    }

    /// Whether it is always required.
    pub fn is_required(&self) -> bool {
        self.required == Required::Always
    }

    /// The unit of its number, for people.
    pub fn measured_in(&self) -> Option<&'static str> {
        self.unit.or(self.kind.unit())
    }

    /// Its default as people read it.
    pub fn default_text(&self) -> Option<String> {
        match self.default {
            Some(default) => Some(serde_json::to_string(&default.value()).unwrap_or_default()),
            None if self.fallback.is_empty() => None,
            None => Some(self.fallback.to_owned()),
        }
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.name), self.alias].into_iter().flatten()
    }
}

impl Literal {
    /// The value itself.
    pub fn value(self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(value) => value.into(),
            Self::List => Value::List(Vec::new()),
            Self::Object => Value::Dict(super::Map::new()),
        }
    }
}

/// The one of these names that was probably meant by a wrong one: at most two typing errors away (a
/// missing, surplus, wrong or swapped character), and never more than a third of the name; or the only
/// one that it is a part of.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // No name is nearly as long, and the distance takes the product of the lengths.
    if wrong.len() > 64 {
        return None;
    }
    let lower = wrong.to_lowercase();
    let (mut close, mut longer) = (None, Vec::new());
    for name in names {
        let most = (name.chars().count() / 3).min(2);
        let errors = strsim::osa_distance(&lower, &name.to_lowercase());
        if errors <= most && close.is_none_or(|(fewest, _)| errors < fewest) {
            close = Some((errors, name));
        }
        let rest = name.strip_prefix(&*lower).or_else(|| name.strip_suffix(&*lower));
        if lower.len() > 2 && rest.is_some_and(|rest| rest.starts_with('_') || rest.ends_with('_'))
        {
            longer.push(name);
        }
    }
    match (close, longer.as_slice()) {
        (Some((_, name)), _) => Some(name),
        // `p95` for `latency_p95`, if it is the only one.
        (None, [name]) => Some(name),
        _ => None,
    }
}

/// The end of a message about a wrong name: the one that was probably meant, and all that there are.
pub fn alternatives(wrong: &str, names: &[&str]) -> String {
    let meant = nearest(wrong, names.iter().copied());
    let expected = any_of(names.iter().map(|name| (*name).to_owned()));
    match meant {
        Some(meant) => format!("; did you mean {meant:?}? expected {expected}"),
        None => format!("; expected {expected}"),
    }
}

/// `a, b or c`
pub(super) fn any_of(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_the_intended_name_and_an_unrelated_word_none() {
        let names = ["weight", "run_if", "url", "throttle"];
        for (wrong, meant) in [
            ("wieght", Some("weight")),
            ("Weight", Some("weight")),
            ("runif", Some("run_if")),
            ("throtle", Some("throttle")),
            ("urll", Some("url")),
            ("uri", Some("url")),
            ("ur", Some("url")),
            ("body", None),
            ("u", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names.into_iter()), meant, "{wrong}");
        }
        let figures = ["latency_p50", "latency_p95", "failure_rate"];
        for (wrong, meant) in
            [("p95", Some("latency_p95")), ("failure", Some("failure_rate")), ("latency", None)]
        {
            assert_eq!(nearest(wrong, figures.into_iter()), meant, "{wrong}");
        }
    }

    #[test]
    fn a_message_lists_the_alternatives() {
        assert_eq!(
            alternatives("got", &["get", "put"]),
            "; did you mean \"get\"? expected get or put"
        );
        assert_eq!(alternatives("fetch", &["a", "b", "c"]), "; expected a, b or c");
    }
}
