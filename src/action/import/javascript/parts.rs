//! The parts of a script between its brackets and signs: expressions, and what runs not exactly once.

use std::collections::HashMap;
use std::ops::Range;

use super::scan::{Token, Word};

/// Methods of lists whose argument runs for each element.
const EACH: [&str; 2] = ["forEach", "map"];

/// How many words may be looked at for what runs not exactly once.
const MOST_WORDS: usize = 5_000_000;

/// Why a part of a script does not run exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::action::import) enum Branch {
    Loop,
    Condition,
}

/// The parts of a script that do not run exactly once; `None` if there are too many.
pub(in crate::action::import) fn branches(words: &[Token]) -> Option<Vec<(Range<usize>, Branch)>> {
    let brackets = Brackets::of(words);
    let mut left = MOST_WORDS;
    let mut found = Vec::new();
    for (at, token) in words.iter().enumerate() {
        let is_member = at.checked_sub(1).is_some_and(|at| {
            matches!(words.get(at), Some(Token { word: Word::Sign("." | "?."), .. }))
        });
        let (kind, from) = match &token.word {
            Word::Name(name) if is_member && EACH.contains(&name.as_str()) => {
                let Some(end) = brackets.closing(at + 1, "(") else { continue };
                found.push((at + 2..end, Branch::Loop));
                continue;
            }
            Word::Name(_) if is_member => continue,
            Word::Name(name) => match name.as_str() {
                "for" | "while" => (Branch::Loop, brackets.behind_head(at)),
                "do" => (Branch::Loop, Some(at + 1)),
                "if" | "switch" => (Branch::Condition, brackets.behind_head(at)),
                "catch" => (Branch::Condition, brackets.behind_head(at).or(Some(at + 1))),
                "else" => (Branch::Condition, Some(at + 1)),
                _ => continue,
            },
            // Its two values.
            Word::Sign("?") => (Branch::Condition, Some(at + 1)),
            _ => continue,
        };
        let Some(from) = from else { continue };
        // The inside of a block, or a statement.
        let range = match brackets.closing(from, "{") {
            Some(end) => from + 1..end,
            None => from..brackets.statement(from, &mut left)?,
        };
        found.push((range, kind));
    }
    Some(found)
}

/// The words of a script, and where each of its brackets is closed.
pub(in crate::action::import) struct Brackets<'a> {
    words: &'a [Token],
    closes: HashMap<usize, usize>,
}

impl<'a> Brackets<'a> {
    pub(in crate::action::import) fn of(words: &'a [Token]) -> Self {
        let mut open = Vec::new();
        let mut closes = HashMap::new();
        for (at, token) in words.iter().enumerate() {
            match token.word {
                Word::Sign("(" | "[" | "{") => open.push(at),
                Word::Sign(")" | "]" | "}") => {
                    closes.extend(open.pop().map(|open| (open, at)));
                }
                _ => {}
            }
        }
        // Those that are not closed reach to the end.
        closes.extend(open.into_iter().map(|open| (open, words.len())));
        Self { words, closes }
    }

    fn is_sign(&self, at: usize, wanted: &str) -> bool {
        matches!(self.words.get(at), Some(Token { word: Word::Sign(sign), .. }) if *sign == wanted)
    }

    fn is_name(&self, at: usize, wanted: &str) -> bool {
        matches!(self.words.get(at), Some(Token { word: Word::Name(name), .. }) if name == wanted)
    }

    /// Where the bracket is closed that stands at a place.
    pub(in crate::action::import) fn closing(&self, at: usize, bracket: &str) -> Option<usize> {
        self.closes.get(&at).copied().filter(|_| self.is_sign(at, bracket))
    }

    /// The place behind `(…)` of a keyword.
    fn behind_head(&self, keyword: usize) -> Option<usize> {
        let open = keyword + 1 + usize::from(self.is_name(keyword + 1, "await"));
        self.closing(open, "(").map(|end| end + 1)
    }

    /// The end of the statement that begins at a place; `None` if looking for it takes too long.
    fn statement(&self, from: usize, left: &mut usize) -> Option<usize> {
        let mut at = from;
        // Of statements inside of statements, the innermost one ends it.
        while ["for", "while", "if", "switch"].iter().any(|word| self.is_name(at, word)) {
            let Some(behind) = self.behind_head(at) else { break };
            if let Some(end) = self.closing(behind, "{") {
                return Some(end);
            }
            *left = left.checked_sub(1)?;
            at = behind;
        }
        let mut continues = true;
        while let Some(token) = self.words.get(at) {
            *left = left.checked_sub(1)?;
            let sign = match token.word {
                Word::Sign(sign) => sign,
                _ => "",
            };
            let ends = matches!(sign, "," | ";" | ")" | "]" | "}");
            if ends || (token.breaks && is_operand(sign) && !continues) {
                return Some(at);
            }
            if let Some(end) = self.closes.get(&at) {
                at = *end;
            }
            continues = !sign.is_empty() && !matches!(sign, "(" | "[" | "{");
            at += 1;
        }
        Some(self.words.len())
    }
}

/// Whether a word can begin a statement on a new line.
fn is_operand(sign: &str) -> bool {
    sign.is_empty() || matches!(sign, "{" | "[" | "(" | "!" | "...")
}

/// The places of signs outside of all brackets.
pub(in crate::action::import) fn outside(
    words: &[Token],
    wanted: impl Fn(&str) -> bool,
) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    words.iter().enumerate().filter_map(move |(at, token)| {
        let Word::Sign(sign) = token.word else { return None };
        match sign {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            sign => return (depth == 0 && wanted(sign)).then_some(at),
        }
        None
    })
}

/// The parts between signs that stand outside of all brackets.
pub(in crate::action::import) fn split(
    words: &[Token],
    wanted: impl Fn(&str) -> bool,
) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let mut from = 0;
    for at in outside(words, wanted) {
        parts.push(words.get(from..at).unwrap_or_default());
        from = at + 1;
    }
    parts.push(words.get(from..).unwrap_or_default());
    parts
}

/// The place of the bracket that closes the one at a place.
pub(in crate::action::import) fn closing(words: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in words.iter().enumerate().skip(open) {
        match token.word {
            Word::Sign("(" | "[" | "{") => depth += 1,
            Word::Sign(")" | "]" | "}") => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The first bracket that is not closed, and where it stands in the text.
pub(in crate::action::import) fn open_bracket(words: &[Token]) -> Option<(usize, &'static str)> {
    let mut open = Vec::new();
    for token in words {
        match token.word {
            Word::Sign(bracket @ ("(" | "[" | "{")) => open.push((token.start, bracket)),
            Word::Sign(")" | "]" | "}") => drop(open.pop()),
            _ => {}
        }
    }
    open.first().copied()
}

/// The expression that begins at a place: to a comma, a semicolon, a closing bracket or a line that
/// begins something else.
pub(in crate::action::import) fn expression(words: &[Token], from: usize) -> &[Token] {
    let mut depth = 0_usize;
    let mut continues = true;
    for (at, token) in words.iter().enumerate().skip(from) {
        let sign = match token.word {
            Word::Sign(sign) => sign,
            _ => "",
        };
        if depth == 0 {
            let ends = matches!(sign, "," | ";" | ")" | "]" | "}")
                || (token.breaks && is_operand(sign) && !continues);
            if ends {
                return words.get(from..at).unwrap_or_default();
            }
        }
        match sign {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        continues = !sign.is_empty() && !matches!(sign, ")" | "]" | "}");
    }
    words.get(from..).unwrap_or_default()
}
