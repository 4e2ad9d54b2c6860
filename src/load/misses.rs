//! What requests looked for in vain: placeholders without a value, and extractors that found nothing.
//! Each user counts its own, on the way of the miss alone; they are merged when it ends.

use super::limits::MAX_TEXT;
use crate::record::Gaps;

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
pub struct Misses {
    each: Vec<(Kind, Box<str>, u64)>,
    /// Requests that were sent with a placeholder as it is written.
    requests: u64,
    /// Extractors that found nothing, those that are one too many for `each` included.
    extractions: u64,
}

impl Misses {
    /// Counts one.
    pub fn count(&mut self, kind: Kind, what: &str) {
        self.extractions += u64::from(kind == Kind::Extraction);
        self.add(kind, what, 1);
    }

    /// Counts a request that was sent with a placeholder as it is written.
    pub fn count_request(&mut self) {
        self.requests += 1;
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        for (kind, what, count) in &other.each {
            self.add(*kind, what, *count);
        }
        self.requests += other.requests;
        self.extractions += other.extractions;
    }

    fn add(&mut self, kind: Kind, what: &str, count: u64) {
        let known = self.each.iter_mut().find(|(known, text, _)| *known == kind && **text == *what);
        match known {
            Some((_, _, counted)) => *counted += count,
            None => {
                self.each.push((kind, what.into(), count));
                self.each.truncate(MOST);
            }
        }
    }

    /// What requests lacked; `constants` are placeholders that were known to have no value before the
    /// first request.
    pub fn gaps(&self, constants: &[Box<str>]) -> Gaps {
        let of_users = self.each.iter().filter(|(kind, ..)| *kind == Kind::Placeholder);
        let of_users = of_users.map(|(_, what, _)| what);
        let mut placeholders: Vec<String> =
            constants.iter().chain(of_users).map(|what| what.to_string()).collect();
        if self.requests == 0 {
            placeholders.clear();
        }
        Gaps { requests: self.requests, placeholders, extractions: self.extractions }
    }

    /// A warning for each, the most frequent first.
    pub fn warnings(mut self) -> Vec<String> {
        self.each.sort_by(|a, b| (b.2, a.0, &a.1).cmp(&(a.2, b.0, &b.1)));
        let warnings = self.each.iter().map(|(kind, what, count)| match kind {
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
    fn every_request_and_extraction_counts_however_many_kinds_there_are() {
        let mut misses = Misses::default();
        for number in 0..2 * MOST {
            misses.count(Kind::Extraction, &format!("x{number}: nothing at a"));
            misses.count_request();
        }
        let mut all = Misses::default();
        all.merge(&misses);
        let all = all.gaps(&["${csv.u.x}".into()]);
        assert_eq!((all.requests, all.extractions), (2 * MOST as u64, 2 * MOST as u64));
        assert_eq!(all.placeholders, ["${csv.u.x}"]);
        assert_eq!(Misses::default().gaps(&["${csv.u.x}".into()]), Gaps::default());
    }

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
