//! What is known of the place where a document will run.

use std::fmt;

use crate::action::files::Files;
use crate::action::rules::Rules;

/// Where a document will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In this process.
    Here,
    /// Not known: it is only checked.
    Anywhere,
    /// On a server, which may be the reference's, and know more commands and users.
    Server,
}

/// The values of environment variables by name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is known of where a document will run.
pub struct Surroundings<'a> {
    /// Where that is.
    pub place: Where,
    /// By what it will be read.
    pub rules: Rules,
    /// The files that it may use.
    pub files: Option<&'a Files>,
    /// The environment that it may read.
    pub environment: Option<Environment<'a>>,
    /// Whether other documents run before it.
    pub later: bool,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Surroundings").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Surroundings<'_> {
    /// Nothing is known.
    pub fn unknown() -> Self {
        let rules = Rules::default();
        Self { place: Where::Anywhere, rules, files: None, environment: None, later: false }
    }
}
