//! What a check finds: a rule, how bad it is, the place, and what to change there.

use std::fmt;

use super::rule::Rule;
use crate::action::lint::Severity;
use crate::action::{listed, registry};
use crate::redact;
use crate::value::{Path, Position, Step, Syntax, Value, line_and_column};

/// A place in a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The action; `None` for the whole document.
    action: Option<usize>,
    /// The part of its arguments, by name.
    path: Path,
    /// Whether the key is meant, not the value.
    of_key: bool,
    /// Where it is in the text, if that is known.
    at: Option<Position>,
}

impl Place {
    /// An action.
    pub fn action(index: usize) -> Self {
        Self { action: Some(index), ..Self::default() }
    }

    /// A part of its arguments.
    #[must_use]
    pub fn with(&self, path: Path) -> Self {
        Self { path, ..self.clone() }
    }

    /// A member of this part.
    #[must_use]
    pub fn member(&self, key: &str) -> Self {
        self.with(self.path.member(key))
    }

    /// An element of this part.
    #[must_use]
    pub fn element(&self, index: usize) -> Self {
        self.with(self.path.element(index))
    }

    /// The key of this part.
    #[must_use]
    pub fn key(self) -> Self {
        Self { of_key: true, ..self }
    }

    /// The action's index, if it is in one.
    pub fn index(&self) -> Option<usize> {
        self.action
    }

    /// The same place, without a number of actions before it.
    #[must_use]
    pub fn without(self, before: usize) -> Self {
        Self { action: self.action.map(|action| action.saturating_sub(before)), ..self }
    }

    /// The part of the arguments.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place of a part of a document, whose position in the text is known.
    pub fn of_document(path: &Path, position: Position, document: &Value) -> Self {
        let steps = path.steps();
        let listed = usize::from(matches!(document, Value::Dict(_)));
        let at = Some(position);
        let Some(Step::Element(action)) = steps.get(listed) else {
            return Self { path: path.clone(), of_key: true, at, ..Self::default() };
        };
        let mut below = steps.get(listed + 2..).unwrap_or_default().to_vec();
        let payload = payload(document, *action);
        if let (Some((Value::List(_), name)), Some(Step::Element(position))) =
            (payload, below.first())
            && let Some(field) = argument(name, |at, _| at == *position)
        {
            below = std::iter::once(Step::Member(field.1.to_owned()))
                .chain(below.into_iter().skip(1))
                .collect();
        }
        Self { action: Some(*action), path: below.into_iter().collect(), of_key: true, at }
    }

    /// The path in the document's value.
    fn in_document(&self, document: &Value) -> Path {
        let mut steps = Vec::new();
        if matches!(document, Value::Dict(_)) && self.action.is_some() {
            steps.push(Step::Member(listed::KEY.to_owned()));
        }
        let Some(action) = self.action else { return self.path.clone() };
        steps.push(Step::Element(action));
        let mut below = self.path.steps().to_vec();
        if let Some(first) = below.first_mut() {
            steps.push(Step::Element(1));
            if let (Some((Value::List(_), name)), Step::Member(key)) =
                (payload(document, action), &*first)
                && let Some((position, _)) = argument(name, |_, name| name == key)
            {
                *first = Step::Element(position);
            }
        }
        steps.into_iter().chain(below).collect()
    }
}

/// The arguments of an action, and its command.
fn payload(document: &Value, action: usize) -> Option<(&Value, &str)> {
    let Some(Value::List(elements)) = listed::listed(document).get(action) else {
        return None;
    };
    Some((elements.get(1)?, elements.first()?.as_str()?))
}

/// A parameter of a command, with its position.
fn argument(
    command: &str,
    is_meant: impl Fn(usize, &str) -> bool,
) -> Option<(usize, &'static str)> {
    let fields = registry::find(command)?.parameters()?;
    let mut named = fields.iter().map(|field| field.name).enumerate();
    named.find(|(position, name)| is_meant(*position, name))
}

impl fmt::Display for Place {
    /// `actions[0].tasks[2].weight`; nothing for the whole document.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(action) = self.action else { return self.path.fmt(out) };
        write!(out, "actions[{action}]")?;
        match self.path.steps().first() {
            None => Ok(()),
            Some(Step::Element(_)) => self.path.fmt(out),
            Some(Step::Member(_)) => write!(out, ".{}", self.path),
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its rule.
    pub rule: &'static Rule,
    /// Its severity.
    pub severity: Severity,
    /// What is wrong and what to change.
    pub message: String,
    /// Where.
    pub place: Place,
}

impl Finding {
    /// A finding; secrets are taken out of its message.
    pub fn new(
        rule: &'static Rule,
        severity: Severity,
        message: impl Into<String>,
        place: Place,
    ) -> Self {
        let message = redact::owned(message.into());
        Self { rule, severity, message, place }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Line and column of each finding in the document's text, which is of this syntax.
pub fn located(
    findings: &[Finding],
    document: &Value,
    text: &str,
    syntax: Syntax,
) -> Vec<(usize, usize)> {
    let paths: Vec<Path> =
        findings.iter().map(|finding| finding.place.in_document(document)).collect();
    let found = if paths.is_empty() { Vec::new() } else { syntax.positions(text, &paths) };
    let of = |(finding, found): (&Finding, Position)| {
        let position = finding.place.at.unwrap_or(found);
        let key = position.key.filter(|_| finding.place.of_key);
        line_and_column(text, key.unwrap_or(position.value))
    };
    findings.iter().zip(found).map(of).collect()
}
