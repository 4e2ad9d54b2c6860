//! The regular expressions of one list in a document: compiling one may take a thousand times the
//! memory and time of its text, so their number, length and size are limited.

use regex::{Regex, RegexBuilder};

use super::reader::{Invalid, Reader};

/// The most patterns in a list.
const MOST: usize = 200;

/// The longest pattern, in bytes: `\w` alone, two of them, is 700 ranges of characters.
const LONGEST: usize = 4096;

/// The sizes that a compiled pattern is tried with, in bytes. The first one that suffices is what it
/// counts. `\w{64}` takes 3 MiB.
const SIZES: [usize; 3] = [1 << 16, 1 << 19, 1 << 22];

/// What all patterns of a list may take, in bytes: a few tenths of a second of work.
const TOTAL: usize = 16 << 20;

/// What one thread may keep for a pattern while it is matched, in bytes.
const CACHE: usize = 1 << 19;

/// Compiles the patterns of one list.
#[derive(Debug)]
pub struct Patterns {
    count: usize,
    left: usize,
}

impl Default for Patterns {
    fn default() -> Self {
        Self { count: 0, left: TOTAL }
    }
}

impl Patterns {
    /// Compiles a pattern. The parser's error spans several lines; a refusal contains only the last
    /// one, the reason.
    pub fn compile(&mut self, field: &Reader<'_>) -> Result<Regex, Invalid> {
        let text = field.text()?;
        self.count += 1;
        if self.count > MOST {
            return Err(field.invalid(format!("a list holds at most {MOST} patterns")));
        }
        if text.len() > LONGEST {
            let length = text.len();
            let message = format!("a pattern has at most {LONGEST} bytes, this one {length}");
            return Err(field.invalid(message));
        }
        let mut last = None;
        for size in SIZES {
            if size > self.left {
                let message = "the patterns of a list are too large together; shorten this one or \
                               those before it";
                return Err(field.invalid(message));
            }
            let built = RegexBuilder::new(text).size_limit(size).dfa_size_limit(CACHE).build();
            match built {
                Ok(pattern) => {
                    self.left -= size;
                    return Ok(pattern);
                }
                Err(regex::Error::CompiledTooBig(_)) => last = built.err(),
                Err(error) => return Err(refusal(field, &error)),
            }
        }
        Err(last.map_or_else(|| field.invalid("not a regular expression"), |e| refusal(field, &e)))
    }
}

fn refusal(field: &Reader<'_>, error: &regex::Error) -> Invalid {
    let picture = error.to_string();
    let reason = picture.lines().last().unwrap_or_default().trim_start_matches("error: ");
    field.invalid(format!("not a regular expression: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn check(text: &str) -> Result<Regex, String> {
        let value = Value::from(text);
        let pattern = Patterns::default().compile(&Reader::at(&value, "/p"));
        pattern.map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_wrong_pattern_is_refused_in_one_line() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            ("a\nb(?P<", "unclosed capture group name"),
            ("a{1000000000}", "Compiled regex exceeds size limit of 4194304 bytes."),
        ] {
            let refusal = check(pattern).expect_err("refused");
            assert_eq!(refusal, format!("/p: not a regular expression: {reason}"));
        }
        assert!(check("^a+$").is_ok_and(|pattern| pattern.is_match("aa")));
        assert!(check(r"^token=(\w{40})$").is_ok());
    }

    #[test]
    fn t29_patterns_are_limited_in_length_in_number_and_in_what_they_take_together() {
        let long = check(&"a".repeat(LONGEST + 1)).expect_err("refused");
        assert_eq!(long, "/p: a pattern has at most 4096 bytes, this one 4097");
        let compile = |text: &str| {
            let (value, mut patterns) = (Value::from(text), Patterns::default());
            let compiled = |_: &usize| patterns.compile(&Reader::at(&value, "/p")).is_ok();
            (0..MOST + 10).take_while(compiled).count()
        };
        assert_eq!(compile("^/users/[0-9]+$"), MOST);
        assert_eq!(compile(r"\w{40}"), TOTAL / (1 << 22));
    }
}
