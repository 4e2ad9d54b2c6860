//! JavaScript as far as imports read it without running it: the words of a script, and its parts.

mod parts;
mod scan;

pub(super) use self::parts::{
    Brackets, Branch, branches, closing, expression, open_bracket, outside, split,
};
pub(super) use self::scan::{Token, Word, tokens, unescaped};
