//! What the requests of tests lacked of their data: values of placeholders, and what extractors looked
//! for.

use crate::value::Value;

/// Placeholders that are named.
const MOST: usize = 20;

/// What requests lacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Requests that were sent with a placeholder as it is written, because it had no value.
    pub requests: u64,
    /// Those placeholders, as they are written.
    pub placeholders: Vec<String>,
    /// Extractors that found nothing.
    pub extractions: u64,
}

impl Gaps {
    /// Adds those of another test.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.extractions += other.extractions;
        other.placeholders.iter().for_each(|placeholder| self.name(placeholder));
    }

    /// Names a placeholder, unless there are enough.
    pub fn name(&mut self, placeholder: &str) {
        let is_known = self.placeholders.iter().any(|known| known == placeholder);
        if self.placeholders.len() < MOST && !is_known {
            self.placeholders.push(placeholder.to_owned());
        }
    }

    /// As a member of a test's summary.
    pub fn to_value(&self) -> Value {
        let placeholders = self.placeholders.iter().map(|text| text.as_str().into()).collect();
        Value::dict([
            ("requests", Value::from(self.requests)),
            ("placeholders", Value::List(placeholders)),
            ("failed_extractions", self.extractions.into()),
            ("remark", self.remark().into()),
        ])
    }

    /// Reads the member of a summary.
    pub fn of_value(value: &Value) -> Self {
        let count = |key| value.get(key).and_then(Value::as_f64).map_or(0, |count| count as u64);
        let placeholders = match value.get("placeholders") {
            Some(Value::List(texts)) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        Self {
            requests: count("requests"),
            placeholders: placeholders.into_iter().take(MOST).map(str::to_owned).collect(),
            extractions: count("failed_extractions"),
        }
    }

    /// What the reader of a verdict must know; `None` if requests lacked nothing.
    pub fn remark(&self) -> Option<String> {
        let count = match self.requests {
            0 => return None,
            1 => "1 request was".to_owned(),
            count => format!("{count} requests were"),
        };
        let which = match self.placeholders.as_slice() {
            [] => "placeholders".to_owned(),
            [one] => one.clone(),
            [one, other] => format!("{one} and {other}"),
            [first, others @ ..] => format!("{first} and {} others", others.len()),
        };
        Some(format!("{count} sent with {which} unresolved"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_names_the_placeholders_and_counts_the_requests() {
        let gaps = |requests, placeholders: &[&str]| {
            let placeholders = placeholders.iter().map(|text| (*text).to_owned()).collect();
            Gaps { requests, placeholders, extractions: 3 }
        };
        for (gaps, remark) in [
            (gaps(0, &[]), None),
            (gaps(1, &["${a}"]), Some("1 request was sent with ${a} unresolved")),
            (
                gaps(400, &["${a}", "${b}"]),
                Some("400 requests were sent with ${a} and ${b} unresolved"),
            ),
            (
                gaps(2, &["${a}", "${b}", "${c}"]),
                Some("2 requests were sent with ${a} and 2 others unresolved"),
            ),
        ] {
            assert_eq!(gaps.remark().as_deref(), remark);
            assert_eq!(Gaps::of_value(&gaps.to_value()), gaps);
        }
    }

    #[test]
    fn the_gaps_of_several_tests_are_one() {
        let mut all = Gaps { requests: 1, placeholders: vec!["${a}".to_owned()], extractions: 2 };
        let both = vec!["${a}".to_owned(), "${b}".to_owned()];
        all.add(&Gaps { requests: 2, placeholders: both.clone(), extractions: 0 });
        assert_eq!(all, Gaps { requests: 3, placeholders: both, extractions: 2 });
    }
}
