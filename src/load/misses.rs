//! What requests looked for in vain: placeholders without a value, and extractors that found nothing.
//! Each user counts its own, on the way of the miss alone; they are merged when it ends.

use super::limits::MAX_TEXT;

/// Different misses per user; further ones are not recorded.
const MOST: usize = 50;

/// What was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The value of a placeholder, by its text in the document.
    Placeholder,
    /// A placeholder whose value made a text too long, by its text in the document.
    TooLong,
    /// What an extractor takes out of a response, by its description.
    Extraction,
}

/// Misses with how often they came.
#[derive(Debug, Default)]
pub struct Misses(Vec<(Kind, Box<str>, u64)>);

impl Misses {
    /// Counts one.
    pub fn count(&mut self, kind: Kind, what: &str) {
        self.add(kind, what, 1);
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        for (kind, what, count) in &other.0 {
            self.add(*kind, what, *count);
        }
    }

    fn add(&mut self, kind: Kind, what: &str, count: u64) {
        let known = self.0.iter_mut().find(|(known, text, _)| *known == kind && **text == *what);
        match known {
            Some((_, _, counted)) => *counted += count,
            None => {
                self.0.push((kind, what.into(), count));
                self.0.truncate(MOST);
            }
        }
    }

    /// A warning for each, the most frequent first.
    pub fn warnings(mut self) -> Vec<String> {
        self.0.sort_by(|a, b| (b.2, a.0, &a.1).cmp(&(a.2, b.0, &b.1)));
        let warnings = self.0.iter().map(|(kind, what, count)| match kind {
            Kind::Placeholder => {
                format!("{what} had no value {count} times, and its text was used as it is written")
            }
            Kind::TooLong => {
                format!("{what} made a text longer than {} MiB {count} times", MAX_TEXT >> 20)
            }
            Kind::Extraction => format!("extract {what} in {count} responses"),
        });
        warnings.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_of_all_users_are_told_once_each_the_most_frequent_first() {
        let (mut all, mut one) = (Misses::default(), Misses::default());
        one.count(Kind::Placeholder, "${token}");
        one.count(Kind::Extraction, "token: nothing at data.token");
        one.count(Kind::Placeholder, "${token}");
        all.merge(&one);
        all.merge(&one);
        assert_eq!(
            all.warnings(),
            [
                "${token} had no value 4 times, and its text was used as it is written",
                "extract token: nothing at data.token in 2 responses",
            ]
        );
    }
}
