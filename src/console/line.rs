//! Lines for people: pieces of text with roles, as wide as a terminal shows them. Everything from
//! outside is escaped when it becomes a piece.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::{Role, Style};
use crate::escape::one_line;
use crate::redact;

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<(Role, String)>);

impl Line {
    /// A line of one piece.
    pub(super) fn of(role: Role, text: &str) -> Self {
        Self::default().with(role, text)
    }

    /// Adds a piece.
    #[must_use]
    pub(super) fn with(mut self, role: Role, text: &str) -> Self {
        self.0.push((role, one_line(text).into_owned()));
        self
    }

    /// The line with the escape sequences of its roles.
    pub(super) fn render(&self, style: Style) -> String {
        let line: String = self.0.iter().map(|(role, text)| style.paint(*role, text)).collect();
        // Columns that are empty at the end of a line are not written.
        if self.0.last().is_some_and(|(role, _)| *role == Role::Plain) {
            line.trim_end().to_owned()
        } else {
            line
        }
    }

    /// Its text.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        self.render(Style::PLAIN)
    }
}

/// A text as it is shown: on one line, without what a terminal interprets, and without secrets.
pub(super) fn shown(text: &str) -> String {
    one_line(&redact::text(text)).into_owned()
}

/// How many columns a terminal needs for a text that is shown.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a text that is shown out of its middle, so that it fits: beginning and end tell names apart.
pub(super) fn fit(text: &str, room: usize, style: Style) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mark = style.ellipsis();
    let Some(left) = room.checked_sub(width(mark)) else {
        return head(text, room).to_owned();
    };
    let front = head(text, left.div_ceil(2));
    let back = tail(text.get(front.len()..).unwrap_or_default(), left - width(front));
    format!("{front}{mark}{back}")
}

/// As much of the beginning as fits.
fn head(text: &str, room: usize) -> &str {
    let mut end = 0;
    for (start, c) in text.char_indices() {
        let next = start + c.len_utf8();
        match text.get(..next) {
            Some(front) if width(front) <= room => end = next,
            _ => break,
        }
    }
    text.get(..end).unwrap_or_default()
}

/// As much of the end as fits.
fn tail(text: &str, room: usize) -> &str {
    let mut begin = text.len();
    for (start, _) in text.char_indices().rev() {
        match text.get(start..) {
            Some(back) if width(back) <= room => begin = start,
            _ => break,
        }
    }
    // An accent without its letter would go to what stands before it.
    text.get(begin..).unwrap_or_default().trim_start_matches(|c: char| c.width() == Some(0))
}

/// The text on lines that fit, broken between words; what is beyond `most` lines is cut.
pub(super) fn wrap(text: &str, room: usize, most: usize, style: Style) -> Vec<String> {
    let room = room.max(1);
    let mut lines = Vec::new();
    let words = text.trim_start_matches(' ');
    let mut line = " ".repeat((text.len() - words.len()).min(room / 2));
    for word in words.split(' ') {
        let begins = line.trim_start_matches(' ').is_empty();
        let joined = if begins { format!("{line}{word}") } else { format!("{line} {word}") };
        if width(&joined) <= room {
            line = joined;
            continue;
        }
        if !begins {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while width(rest) > room {
            // A character that is wider than the whole line is left out.
            let front = head(rest, room);
            let skipped = rest.chars().next().map_or(0, char::len_utf8);
            if !front.is_empty() {
                lines.push(front.to_owned());
            }
            rest = rest.get(front.len().max(skipped)..).unwrap_or_default();
        }
        line = rest.to_owned();
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let mark = style.ellipsis();
            *last = format!("{}{mark}", head(last, room.saturating_sub(width(mark))));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_in_its_middle_by_the_columns_that_it_takes() {
        let check = |text: &str, room, expected: &str| {
            let cut = fit(text, room, Style::UNICODE);
            assert_eq!(cut, expected);
            assert!(width(&cut) <= room, "{cut}");
        };
        check("GET /items", 10, "GET /items");
        check("GET /items/all", 10, "GET /…/all");
        check("日本語の名前です", 9, "日本…です");
        check("e\u{301}e\u{301}e\u{301}e\u{301}", 3, "e\u{301}…e\u{301}");
        check("abc", 1, "…");
        check("abc", 0, "");
        assert_eq!(fit("GET /items/all", 10, Style::PLAIN), "GET ...all");
        assert_eq!(fit("abcdef", 2, Style::PLAIN), "ab");
    }

    #[test]
    fn a_long_text_continues_on_lines_that_fit_up_to_a_limit() {
        let wrapped = |text, room, most| wrap(text, room, most, Style::UNICODE);
        assert_eq!(wrapped("one two three", 7, 9), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4, 9), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("one two three four", 7, 2), ["one two", "three…"]);
        assert_eq!(wrapped("one two three", 3, 2), ["one", "tw…"]);
        assert_eq!(wrapped("日本語", 1, 9), [""]);
        assert_eq!(wrapped("", 9, 9), [""]);
        assert_eq!(wrapped("  2 of ten", 8, 9), ["  2 of", "ten"]);
    }

    #[test]
    fn t23_what_is_shown_has_no_character_that_a_terminal_interprets_and_no_secret() {
        assert_eq!(Line::of(Role::Plain, "\u{1b}[2J a\nb").text(), "\\x1b[2J a\\nb");
        let text = shown("\u{1b}[2J a\nb http://u:p@h/?token=s3cret");
        assert!(text.starts_with("\\x1b[2J a\\nb "), "{text}");
        assert!(!text.contains("s3cret") && !text.contains("u:p"), "{text}");
    }
}
