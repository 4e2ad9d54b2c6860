//! The text that a message must contain which a step receives, and whether messages without it are skipped.

use super::fields::compared;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::protocol::check::{Checks, contains};
use crate::protocol::checked::Checked;
use crate::value::{Field, Invalid, Kind, Literal, Object, Reader, quote};

/// Its fields.
pub(crate) const EXPECTED: &[Field] = &[
    Field::optional("expect", Kind::Scalar, "A text that the received message must contain."),
    Field::optional(
        "match",
        Kind::OneOf(&["first", "any"]),
        "Which message must contain it: the next one, or any until the timeout.",
    )
    .note("With any, the messages before it are skipped.")
    .or(Literal::Text("first")),
];

/// What is expected, with placeholders.
#[derive(Debug)]
pub(crate) struct Expected<T = Template> {
    text: Option<T>,
    /// Whether messages without it are skipped.
    any: bool,
}

impl Expected<Draft> {
    /// Takes it and the checks from a task, which has none of them unless it receives a message: with
    /// `receivers`, the methods that do, it is refused.
    pub(crate) fn parse<R: Checked>(
        task: &Reader<'_>,
        fields: &mut Object<'_>,
        receivers: Option<&str>,
        compiler: &mut Compiler,
    ) -> Result<(Self, Checks<Draft>), Invalid> {
        let expect = fields.present("expect");
        let any = any(fields, expect.is_some())?;
        let checks = Checks::parse::<R>(fields, compiler)?;
        if let Some(receivers) = receivers
            && (expect.is_some() || !checks.is_empty())
        {
            return Err(expect.as_ref().unwrap_or(task).invalid(format!(
                "\"expect\", \"assertions\" and \"extract\" need the method {receivers}: another one \
                 receives no message"
            )));
        }
        let text = expect.map(|field| compared(&field, compiler));
        Ok((Self { text, any }, checks))
    }

    pub(crate) fn link(self, linker: &mut Linker<'_>) -> Result<Expected, Invalid> {
        let text = self.text.map(|text| text.link(linker)).transpose()?;
        Ok(Expected { text, any: self.any })
    }
}

impl Expected {
    /// Begins to wait.
    pub(crate) fn begin(&self, scope: &mut Scope) -> Expecting {
        let text = self.text.as_ref().map(|text| scope.aside(|scope| text.text(scope)));
        Expecting { text, any: self.any, skipped: false }
    }
}

/// What is expected in one step.
#[derive(Debug)]
pub(crate) struct Expecting {
    text: Option<String>,
    any: bool,
    /// Whether a message was skipped.
    skipped: bool,
}

/// What a message is for a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The expected one.
    Right,
    /// One before it.
    Skipped,
    /// Not the expected one, and why.
    Wrong(String),
}

impl Expecting {
    /// Looks at a message.
    pub(crate) fn fit(&mut self, message: &[u8]) -> Fit {
        match &self.text {
            Some(text) if !contains(message, text.as_bytes()) => {
                self.skipped |= self.any;
                if self.any { Fit::Skipped } else { Fit::Wrong(missing(text)) }
            }
            _ => Fit::Right,
        }
    }

    /// What is missing after the deadline, unless no message has come at all.
    pub(crate) fn missing(&self) -> Option<String> {
        self.text.as_deref().filter(|_| self.skipped).map(missing)
    }
}

fn missing(text: &str) -> String {
    format!("expected {} in response", quote(text))
}

/// Takes `match`.
fn any(fields: &mut Object<'_>, expects: bool) -> Result<bool, Invalid> {
    let Some(field) = fields.present("match") else { return Ok(false) };
    match field.text()? {
        "first" => Ok(false),
        "any" if expects => Ok(true),
        "any" => Err(field.invalid("\"any\" needs \"expect\": what it looks for")),
        _ => Err(field.choice(&["first", "any"])),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_message_without_the_text_is_wrong_or_skipped() {
        let mut scope = Scope::new(&Arc::default(), 0);
        let mut expecting = |text: Option<&str>, any| {
            Expected { text: text.map(Template::literal), any }.begin(&mut scope)
        };
        let mut nothing = expecting(None, false);
        assert_eq!((nothing.fit(b"x"), nothing.missing()), (Fit::Right, None));
        let mut first = expecting(Some("b"), false);
        assert_eq!(first.fit(b"abc"), Fit::Right);
        assert_eq!(first.fit(b"x"), Fit::Wrong("expected 'b' in response".to_owned()));
        assert_eq!(first.missing(), None);
        let mut any = expecting(Some("b"), true);
        assert_eq!(any.missing(), None, "no message has come");
        assert_eq!((any.fit(b"x"), any.fit(b"b")), (Fit::Skipped, Fit::Right));
        assert_eq!(any.missing().as_deref(), Some("expected 'b' in response"));
    }
}
