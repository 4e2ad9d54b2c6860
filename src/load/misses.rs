//! What requests looked for in vain: placeholders without a value, and extractors that found nothing.
//! Each user counts its own, on the way of the miss alone; they are merged when it ends.

use super::limits::MAX_TEXT;
use crate::record::Gaps;

/// Different misses per user; further ones are not recorded.
const MOST: usize = 50;
const _: () = assert!(MOST <= u64::BITS as usize, "a bit for each");

/// What was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The value of a placeholder in a text that is sent, by its text in the document.
    Placeholder,
    /// That of one in a text that is not: in a name, or in what responses are compared with.
    Aside,
    /// A placeholder whose value made a text too long, by its text in the document.
    TooLong,
    /// What an extractor takes out of a response, by its description.
    Extraction,
}

/// One, and how often it came.
#[derive(Debug)]
struct Miss {
    kind: Kind,
    what: Box<str>,
    count: u64,
    /// Whether a request was sent with it.
    sent: bool,
}

/// Misses with how often they came.
#[derive(Debug, Default)]
pub struct Misses {
    each: Vec<Miss>,
    /// Those of this execution of a task: a bit for each by its place.
    latest: u64,
    /// Requests that were sent with a placeholder as it is written.
    requests: u64,
    /// Extractors that found nothing, those that are one too many for `each` included.
    extractions: u64,
}

impl Misses {
    /// Another execution of a task begins, or nothing of this one has been sent.
    pub fn begin(&mut self) {
        self.latest = 0;
    }

    /// Counts one.
    pub fn count(&mut self, kind: Kind, what: &str) {
        self.extractions += u64::from(kind == Kind::Extraction);
        if let Some(place) = self.add(kind, what, 1, false) {
            self.latest |= 1 << place;
        }
    }

    /// Counts a request that was sent with a placeholder as it is written.
    pub fn count_request(&mut self) {
        self.requests += 1;
        for (place, miss) in self.each.iter_mut().enumerate() {
            miss.sent |= self.latest >> place & 1 == 1;
        }
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        for Miss { kind, what, count, sent } in &other.each {
            self.add(*kind, what, *count, *sent);
        }
        self.requests += other.requests;
        self.extractions += other.extractions;
    }

    /// Adds so many of one; returns its place, if there is room for it.
    fn add(&mut self, kind: Kind, what: &str, count: u64, sent: bool) -> Option<usize> {
        let known = self.each.iter().position(|known| known.kind == kind && *known.what == *what);
        if known.is_none() && self.each.len() < MOST {
            self.each.push(Miss { kind, what: what.into(), count: 0, sent: false });
        }
        let place = known.unwrap_or(self.each.len().saturating_sub(1));
        let miss =
            self.each.get_mut(place).filter(|miss| miss.kind == kind && *miss.what == *what)?;
        miss.count += count;
        miss.sent |= sent;
        Some(place)
    }

    /// What requests lacked; `constants` are placeholders in tasks that have run, which were known to
    /// have no value before the first request.
    pub fn gaps<'a>(&self, constants: impl IntoIterator<Item = &'a str>) -> Gaps {
        let mut gaps =
            Gaps { requests: self.requests, extractions: self.extractions, ..Gaps::default() };
        if self.requests > 0 {
            let of_users =
                self.each.iter().filter(|miss| miss.kind == Kind::Placeholder && miss.sent);
            constants.into_iter().for_each(|what| gaps.name(what));
            of_users.for_each(|miss| gaps.name(&miss.what));
        }
        gaps
    }

    /// A warning for each, the most frequent first.
    pub fn warnings(mut self) -> Vec<String> {
        self.each.sort_by(|a, b| (b.count, a.kind, &a.what).cmp(&(a.count, b.kind, &b.what)));
        let warnings = self.each.iter().map(|Miss { kind, what, count, .. }| match kind {
            Kind::Placeholder => {
                format!("{what} had no value {count} times, and its text was used as it is written")
            }
            Kind::Aside => {
                format!("{what} had no value {count} times in a name or a check")
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
        let all = all.gaps(["${csv.u.x}"]);
        assert_eq!((all.requests, all.extractions), (2 * MOST as u64, 2 * MOST as u64));
        assert_eq!(all.placeholders, ["${csv.u.x}"]);
        assert_eq!(Misses::default().gaps(["${csv.u.x}"]), Gaps::default());
    }

    #[test]
    fn only_placeholders_that_were_sent_are_named() {
        let (mut all, mut one) = (Misses::default(), Misses::default());
        one.count(Kind::Placeholder, "${not_sent}");
        one.begin();
        one.count(Kind::Placeholder, "${sent}");
        one.count(Kind::Aside, "${compared}");
        one.count_request();
        one.begin();
        one.count(Kind::Placeholder, "${not_sent}");
        all.merge(&one);
        assert_eq!(all.gaps([]).placeholders, ["${sent}"]);
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
