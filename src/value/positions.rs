//! Where parts of a value stand in its JSON text. Values keep no positions: a text is scanned a second
//! time when something has to be said about it, so a document without findings costs nothing.

use std::borrow::Cow;
use std::collections::HashSet;

use super::path::{Path, Step};

/// Where a part of a value stands, in bytes from the beginning of the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Its key, if it is a member.
    pub key: Option<usize>,
    /// The value.
    pub value: usize,
}

/// A text that is JSON, being scanned.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

/// Where paths lead in a text that is JSON: to the deepest part that is there. The last of several
/// members with one name counts, as when it is parsed.
pub fn positions(text: &str, paths: &[Path]) -> Vec<Position> {
    let mut found = vec![Position::default(); paths.len()];
    let wanted: Vec<usize> = (0..paths.len()).collect();
    Walk { text, at: 0 }.locate(None, 0, &wanted, paths, &mut found);
    found
}

/// The members whose names their objects have already had: their paths and positions, at most `most`.
pub fn repeated_members(text: &str, most: usize) -> Vec<(Path, Position)> {
    let mut found = Vec::new();
    Walk { text, at: 0 }.repeated(&mut Vec::new(), most, &mut found);
    found
}

/// The number of elements of the list that a text holds, or of the list that is this member of its
/// object; 0 if there is none. The text need not be JSON.
pub fn count_elements(text: &str, key: &str) -> usize {
    let mut walk = Walk { text, at: 0 };
    walk.blanks();
    match walk.byte() {
        Some(b'[') => walk.elements(|walk, _| walk.skip()),
        Some(b'{') => {
            let mut count = 0;
            walk.members(|walk, name, _| {
                walk.blanks();
                match walk.byte() {
                    Some(b'[') if name == key => count = walk.elements(|walk, _| walk.skip()),
                    _ => walk.skip(),
                }
            });
            count
        }
        _ => 0,
    }
}

/// Line and column of a byte, both counted from 1; a column is a character.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before.get(begin..).unwrap_or_default().chars().count() + 1)
}

impl<'a> Walk<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes a string and returns what it spells.
    fn string(&mut self) -> Cow<'a, str> {
        let begin = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.byte() {
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(b'"') => break,
                Some(_) => self.at += 1,
                None => return Cow::Borrowed(""),
            }
        }
        self.at += 1;
        let written = self.text.get(begin..self.at).unwrap_or_default();
        if escaped {
            serde_json::from_str(written).map_or(Cow::Borrowed(""), Cow::Owned)
        } else {
            Cow::Borrowed(written.trim_matches('"'))
        }
    }

    /// Passes a value without looking into it.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        loop {
            self.blanks();
            match self.byte() {
                None => return,
                Some(b'"') => drop(self.string()),
                Some(b'[' | b'{') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b']' | b'}') => {
                    if depth == 0 {
                        return;
                    }
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if depth == 0 => return,
                Some(b',' | b':') => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {
                    while !matches!(
                        self.byte(),
                        None | Some(
                            b',' | b':'
                                | b'"'
                                | b'['
                                | b']'
                                | b'{'
                                | b'}'
                                | b' '
                                | b'\t'
                                | b'\n'
                                | b'\r'
                        )
                    ) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Passes a list, each element with a function that passes it, and returns their number.
    fn elements(&mut self, mut each: impl FnMut(&mut Self, usize)) -> usize {
        self.at += 1;
        let mut index = 0;
        loop {
            self.blanks();
            match self.byte() {
                None => return index,
                Some(b']') => {
                    self.at += 1;
                    return index;
                }
                Some(b',') => self.at += 1,
                Some(_) => {
                    let before = self.at;
                    each(self, index);
                    index += 1;
                    if self.at == before {
                        return index;
                    }
                }
            }
        }
    }

    /// Passes an object, each value with a function that passes it, given its key and the key's
    /// position.
    fn members(&mut self, mut each: impl FnMut(&mut Self, &str, usize)) {
        self.at += 1;
        loop {
            self.blanks();
            match self.byte() {
                Some(b'"') => {
                    let place = self.at;
                    let key = self.string();
                    self.blanks();
                    if self.byte() != Some(b':') {
                        return;
                    }
                    self.at += 1;
                    each(self, &key, place);
                }
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return;
                }
                _ => return,
            }
        }
    }

    /// Passes a value that the wanted paths lead to or through, and notes where it stands.
    fn locate(
        &mut self,
        key: Option<usize>,
        depth: usize,
        wanted: &[usize],
        paths: &[Path],
        found: &mut [Position],
    ) {
        self.blanks();
        let position = Position { key, value: self.at };
        for path in wanted {
            if let Some(found) = found.get_mut(*path) {
                *found = position;
            }
        }
        let further = |next: &dyn Fn(&Step) -> bool| -> Vec<usize> {
            let leads = |path: &&usize| {
                paths.get(**path).and_then(|path| path.steps().get(depth)).is_some_and(next)
            };
            wanted.iter().filter(leads).copied().collect()
        };
        let mut below = |walk: &mut Self, key, wanted: Vec<usize>| match wanted.as_slice() {
            [] => walk.skip(),
            wanted => walk.locate(key, depth + 1, wanted, paths, found),
        };
        match self.byte() {
            Some(b'[') => {
                self.elements(|walk, index| {
                    let wanted = further(&|step| *step == Step::Element(index));
                    below(walk, None, wanted);
                });
            }
            Some(b'{') => self.members(|walk, name, place| {
                let wanted = further(&|step| matches!(step, Step::Member(key) if key == name));
                below(walk, Some(place), wanted);
            }),
            _ => self.skip(),
        }
    }

    fn repeated(&mut self, path: &mut Vec<Step>, most: usize, found: &mut Vec<(Path, Position)>) {
        self.blanks();
        match self.byte() {
            Some(b'[') => {
                self.elements(|walk, index| {
                    path.push(Step::Element(index));
                    walk.repeated(path, most, found);
                    path.pop();
                });
            }
            Some(b'{') => {
                let mut names = HashSet::new();
                self.members(|walk, name, place| {
                    path.push(Step::Member(name.to_owned()));
                    if !names.insert(name.to_owned()) && found.len() < most {
                        let position = Position { key: Some(place), value: place };
                        found.push((path.iter().cloned().collect(), position));
                    }
                    walk.repeated(path, most, found);
                    path.pop();
                });
            }
            _ => self.skip(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    const TEXT: &str = r#" [ {"a" : "é]", "b": [1, {"\u0063": -2.5e3, "x": {}}]},
        {"d": true, "d": [null, "\"}"]}, [] ]"#;

    fn check(pointer: &str, value: &str, key: Option<&str>) {
        let root = Value::parse(TEXT).expect("JSON");
        let found = positions(TEXT, &[Path::of_pointer(pointer, &root)]);
        let [Position { key: at_key, value: at }] = found[..] else { panic!("{found:?}") };
        assert!(TEXT[at..].starts_with(value), "{pointer}: {}", &TEXT[at..]);
        assert_eq!(at_key.is_some(), key.is_some(), "{pointer}");
        if let (Some(at), Some(key)) = (at_key, key) {
            assert!(TEXT[at..].starts_with(key), "{pointer}: {}", &TEXT[at..]);
        }
    }

    #[test]
    fn every_part_of_a_text_is_found_where_it_stands() {
        check("", "[ {", None);
        check("/0/a", "\"é]\"", Some("\"a\""));
        check("/0/b/0", "1,", None);
        check("/0/b/1/c", "-2.5e3", Some("\"\\u0063\""));
        check("/0/b/1/x", "{}", Some("\"x\""));
        check("/1/d/1", "\"\\\"}\"", None);
        check("/2", "[] ]", None);
    }

    #[test]
    fn what_is_not_there_is_found_at_the_deepest_part_around_it() {
        check("/0/b/1/missing/0", "{\"\\u0063\"", None);
        check("/1/d/7", "[null", Some("\"d\""));
        check("/9", "[ {", None);
    }

    #[test]
    fn a_repeated_member_is_found_at_its_second_key() {
        let found = repeated_members(TEXT, 10);
        let [(path, position)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (path.to_string().as_str(), position.value),
            ("[1].d", TEXT.rfind("\"d\"").unwrap())
        );
        assert_eq!(repeated_members(r#"{"a": 1, "a": 2, "a": 3}"#, 1).len(), 1);
    }

    #[test]
    fn elements_are_counted_without_parsing_them() {
        for (text, count) in [
            (TEXT, 3),
            ("[]", 0),
            (r#"{"x": [1, 2], "load_density": [[1], "],", {}, 4]}"#, 4),
            (r#"{"load_density": 1}"#, 0),
            ("[1, 2", 2),
            ("[1, }", 2),
            ("{\"a\"", 0),
            ("\"", 0),
            ("", 0),
        ] {
            assert_eq!(count_elements(text, "load_density"), count, "{text}");
        }
    }

    #[test]
    fn a_column_is_a_character() {
        assert_eq!(line_and_column("é\nab\u{1f600}c", 0), (1, 1));
        assert_eq!(line_and_column("é\nab\u{1f600}c", 9), (2, 4));
        assert_eq!(line_and_column("a", 7), (1, 2));
    }
}
