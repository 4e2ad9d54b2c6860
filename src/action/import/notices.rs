//! What an import leaves out or cannot know, one line per kind, whatever the number of requests.

use indexmap::{IndexMap, IndexSet};

use crate::redact;

/// How many names a line lists.
const MAX_NAMES: usize = 5;

/// The longest name in a line, in characters.
const MAX_NAME: usize = 80;

/// The findings of an import.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// Whole lines.
    lines: IndexSet<String>,
    /// Kinds with the names of what they are about.
    named: IndexMap<String, IndexSet<String>>,
    /// Kinds of things that were left out, and how often.
    left_out: IndexMap<String, usize>,
}

impl Notices {
    /// Adds a line, unless it is there.
    pub(crate) fn say(&mut self, line: impl Into<String>) {
        self.lines.insert(line.into());
    }

    /// Adds a name to the line about a kind.
    pub(crate) fn note(&mut self, kind: &str, name: impl Into<String>) {
        self.named.entry(kind.to_owned()).or_default().insert(name.into());
    }

    /// Adds names to the line about a kind.
    pub(crate) fn many(&mut self, kind: &str, names: impl IntoIterator<Item = String>) {
        names.into_iter().for_each(|name| self.note(kind, name));
    }

    /// Counts something that was left out.
    pub(crate) fn leave_out(&mut self, what: impl Into<String>) {
        *self.left_out.entry(what.into()).or_default() += 1;
    }

    /// One line per kind, without secrets of URLs and commands that they name.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.left_out.is_empty() {
            let each: Vec<String> = self
                .left_out
                .iter()
                .map(|(what, count)| format!("{} ({count})", shown(what)))
                .collect();
            lines.push(format!("left out: {}", each.join(", ")));
        }
        lines.extend(self.lines.iter().cloned());
        lines.extend(
            self.named.iter().map(|(kind, names)| format!("{kind}: {}", listed(names.iter()))),
        );
        lines.into_iter().map(redact::owned).collect()
    }
}

/// The first few names. They come from files of others, so control characters are escaped.
pub(crate) fn listed<'a>(mut names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let shown: Vec<String> = names.by_ref().take(MAX_NAMES).map(|name| shown(name)).collect();
    let mut text = shown.join(", ");
    if names.len() > 0 {
        text.push_str(&format!(" and {} more", names.len()));
    }
    text
}

/// The beginning of a name, without control characters.
fn shown(name: &str) -> String {
    let plain = |letter: char| {
        let kept = matches!(letter, '"' | '\'' | '\\');
        letter.escape_debug().skip(usize::from(kept))
    };
    let mut shown: String = name.chars().take(MAX_NAME).flat_map(plain).collect();
    if name.chars().nth(MAX_NAME).is_some() {
        shown.push('…');
    }
    shown
}
