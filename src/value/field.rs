//! What a document may hold, as data: a [`Field`] is one argument of a command or one member of an
//! object, with its kind, its default and a sentence for people. The reader of the field asks for it
//! by its name ([`Object`](super::Object) knows its table), and the schema is printed from the same
//! table, so neither can have a field that the other lacks.

use super::Value;

/// An argument of a command or a member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// A second key with the same meaning, which counts where the first is missing.
    pub alias: Option<&'static str>,
    /// Whether it must be given.
    pub required: Required,
    /// What it may be.
    pub kind: Kind,
    /// What counts where it is left out. `None`: nothing does, or what counts depends on others.
    pub default: Option<Literal>,
    /// One sentence: what it does.
    pub doc: &'static str,
}

/// Whether a field must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// It must.
    Always,
    /// It may be left out, and `null` is the same.
    Never,
    /// Where another field of its object has this value.
    When(&'static str, &'static str),
}

/// A default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal {
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
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

/// What a field may be. A kind is as strict as a schema can be; what it cannot say (a limit of the
/// server, two fields that exclude each other) is refused when the document is read.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any value.
    Any,
    /// Any text.
    Text,
    /// A text that is not empty.
    Name,
    /// A text that a regular expression (ECMA-262, as JSON Schema has them) finds.
    Matching(&'static str),
    /// A file in the data directory.
    Path,
    /// A file in the data directory, by its name without the ending.
    Stem,
    /// `true` or `false`.
    Boolean,
    /// A text, a number, `true`, `false` or `null`.
    Scalar,
    /// Any whole number.
    Integer,
    /// A whole number of at least 0.
    Count,
    /// A whole number in a range, both ends included.
    Between(i64, i64),
    /// A port of this machine or of another; 0 picks a free one.
    Port,
    /// Any number.
    Real,
    /// A number of at least 0.
    Number,
    /// A span of time in seconds, at least 0.
    Seconds,
    /// A span of time in seconds, above 0.
    Timeout,
    /// A span of time in milliseconds, at least 0.
    Milliseconds,
    /// A number per second, above 0.
    Rate,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of any length.
    List(&'static Kind),
    /// A list of so many items.
    Items {
        /// What they are.
        of: &'static Kind,
        /// How many at least.
        least: usize,
        /// How many at most; `None` for any number.
        most: Option<usize>,
    },
    /// An object with these fields and no others; a table may be put together from several.
    Object(&'static [&'static [Field]]),
    /// An object with these fields, whose other members are ignored.
    Open(&'static [&'static [Field]]),
    /// An object with exactly one of these fields.
    OneField(&'static [Field]),
    /// An object whose keys are names that the document chooses.
    Map {
        /// What its keys match, as in [`Kind::Matching`]; `None` for any.
        keys: Option<&'static str>,
        /// What their values are.
        of: &'static Kind,
    },
    /// Any of these.
    Either(&'static [Kind]),
    /// A kind that is used in several places; the schema defines it once, under its name.
    Named(&'static str, &'static Kind),
    /// A document of actions.
    Document,
    /// A test's tasks, in any of their forms; the fields of one depend on the test's user.
    Tasks,
}

impl Kind {
    /// An object with any members.
    pub const MEMBERS: Self = Self::Map { keys: None, of: &Self::Any };

    /// A list of texts.
    pub const TEXTS: Self = Self::List(&Self::Text);

    /// What its numbers count, for people.
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
    /// A field that must be given.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, alias: None, required: Required::Always, kind, default: None, doc }
    }

    /// A field that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, alias: None, required: Required::Never, kind, default: None, doc }
    }

    /// With what counts where it is left out.
    pub const fn or(self, default: Literal) -> Self {
        Self { default: Some(default), ..self }
    }

    /// With a second key.
    pub const fn alias(self, name: &'static str) -> Self {
        Self { alias: Some(name), ..self }
    }

    /// Required where another field of the object has this value.
    pub const fn when(self, field: &'static str, value: &'static str) -> Self {
        Self { required: Required::When(field, value), ..self }
    }

    /// Whether it always must be given.
    pub fn is_required(&self) -> bool {
        self.required == Required::Always
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

/// The one of these names that somebody probably meant by a wrong one: at most two typing errors
/// away (a missing, surplus, wrong or swapped character), and never more than a third of the name.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = names.filter_map(|name| {
        let most = (name.chars().count() / 3).min(2);
        let errors = strsim::osa_distance(&wrong.to_lowercase(), name);
        (errors <= most).then_some((errors, name))
    });
    close.min_by_key(|(errors, _)| *errors).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_the_name_that_was_meant_and_another_word_finds_none() {
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
    }
}
