//! What a terminal can show: colours and characters. Colour never carries a meaning alone: there is a
//! word or a symbol beside it.

use crate::cli::Color;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing in particular.
    Plain,
    /// A title.
    Strong,
    /// Beside the point.
    Soft,
    /// Success.
    Good,
    /// Something to look at.
    Warn,
    /// A failure.
    Bad,
}

/// The colours and characters of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    color: bool,
    unicode: bool,
}

impl Style {
    /// Neither colours nor characters beyond ASCII.
    pub(super) const PLAIN: Self = Self { color: false, unicode: false };

    /// The style of a stream; `variable` reads the environment.
    pub(super) fn of(
        color: Color,
        terminal: bool,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR").is_some() => false,
            Color::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            Color::Auto => terminal && !is_dumb(variable),
        };
        // The first of them that is set decides, as in the C library.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let unicode = match locale {
            Some(locale) => locale.to_ascii_lowercase().replace('-', "").contains("utf8"),
            None => cfg!(windows),
        };
        Self { color, unicode }
    }

    /// The text with the escape sequences of its role.
    pub(super) fn paint(self, role: Role, text: &str) -> String {
        let code = match role {
            _ if !self.color || text.is_empty() => return text.to_owned(),
            Role::Plain => return text.to_owned(),
            Role::Strong => "1",
            Role::Soft => "2",
            Role::Good => "32",
            Role::Warn => "33",
            Role::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// The symbol of a verdict.
    pub(super) fn symbol(self, role: Role) -> &'static str {
        match (role, self.unicode) {
            (Role::Good, true) => "✓",
            (Role::Good, false) => "ok",
            (Role::Bad, true) => "✗",
            (Role::Bad, false) => "FAILED",
            _ => "!",
        }
    }

    /// What stands for the part that was cut out.
    pub(super) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// A bar of which so many steps are done.
    pub(super) fn bar(self, done: usize, steps: usize) -> String {
        let done = done.min(steps);
        match self.unicode {
            true => "█".repeat(done) + &"░".repeat(steps - done),
            false => format!("[{}{}]", "#".repeat(done), "-".repeat(steps - done)),
        }
    }

    /// The sign between a count and what is counted.
    pub(super) fn times(self) -> &'static str {
        if self.unicode { "×" } else { "x" }
    }

    /// What stands for a figure that is not known.
    pub(super) fn dash(self) -> &'static str {
        if self.unicode { "–" } else { "-" }
    }
}

/// Whether a terminal may interpret no escape sequences: it is said so, or nothing is known of it. On
/// Windows no variable names it.
pub(super) fn is_dumb(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    match variable("TERM").filter(|term| !term.is_empty()) {
        Some(term) => term == "dumb",
        None => cfg!(unix),
    }
}

#[cfg(test)]
impl Style {
    /// Characters beyond ASCII, and no colours.
    pub(super) const UNICODE: Self = Self { color: false, unicode: true };

    /// Everything.
    pub(super) const RICH: Self = Self { color: true, unicode: true };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(color: Color, terminal: bool, environment: &[(&str, &str)], expected: (bool, bool)) {
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let style = Style::of(color, terminal, &variable);
        assert_eq!((style.color, style.unicode), expected, "{color:?} {terminal} {environment:?}");
    }

    #[test]
    fn colours_are_for_terminals_and_the_users_wish_counts_first() {
        let term = ("TERM", "xterm");
        check(Color::Auto, true, &[term], (true, false));
        check(Color::Auto, false, &[term], (false, false));
        check(Color::Auto, true, &[term, ("NO_COLOR", "1")], (false, false));
        check(Color::Auto, true, &[term, ("NO_COLOR", "")], (true, false));
        check(Color::Auto, true, &[("TERM", "dumb")], (false, false));
        check(Color::Auto, true, &[], (cfg!(windows), false));
        check(Color::Auto, true, &[("TERM", "")], (cfg!(windows), false));
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "1")], (true, false));
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "0")], (false, false));
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], (false, false));
        check(Color::Always, false, &[("NO_COLOR", "1"), ("TERM", "dumb")], (true, false));
        check(Color::Never, true, &[("CLICOLOR_FORCE", "1")], (false, false));
    }

    #[cfg(not(windows))]
    #[test]
    fn only_a_utf_8_locale_has_characters_beyond_ascii() {
        let check = |environment: &[(&str, &str)], unicode| {
            check(Color::Never, true, environment, (false, unicode));
        };
        check(&[("LANG", "en_US.UTF-8")], true);
        check(&[("LANG", "C.utf8")], true);
        check(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], false);
        check(&[("LC_ALL", ""), ("LC_CTYPE", "de_DE.UTF-8"), ("LANG", "C")], true);
        check(&[("LANG", "de_DE.ISO-8859-1")], false);
        check(&[], false);
    }

    #[test]
    fn a_verdict_can_be_read_without_colours() {
        for style in [Style::PLAIN, Style::UNICODE] {
            let symbols = [Role::Good, Role::Warn, Role::Bad].map(|role| style.symbol(role));
            assert_eq!(symbols.iter().collect::<std::collections::HashSet<_>>().len(), 3);
            assert_eq!(style.paint(Role::Bad, "x"), "x");
        }
        assert_eq!(Style::RICH.paint(Role::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
