//! Values as YAML: what PyYAML's safe loader reads, with anchors, aliases and merged mappings, but
//! bounded, because a few lines of aliases can unfold to more than any memory holds.

mod scalar;
mod write;

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::path::{Path, Step};
use super::positions::Position;
use super::syntax_error::SyntaxError;
use super::weight::{ALLOCATION, MEMBER};
use super::{Charset, Map, Value};

/// The deepest nesting, as in JSON.
const MAX_DEPTH: usize = 128;

/// What all aliases of a text may unfold to, in bytes.
const MAX_ALIASES: usize = 16 << 20;

/// The prefix of YAML's own tags.
const CORE: &str = "tag:yaml.org,2002:";

/// The key of members that are merged into a mapping.
const MERGE: &str = "<<";

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        let marker = error.marker();
        Self { what: error.info().to_owned(), line: marker.line(), column: marker.col() + 1 }
    }
}

fn wrong(span: Span, what: impl Into<String>) -> SyntaxError {
    SyntaxError { what: what.into(), line: span.start.line(), column: span.start.col() + 1 }
}

impl Value {
    /// Parses a text of one YAML document; an empty one is `null`.
    pub fn parse_yaml(text: &str) -> Result<Self, SyntaxError> {
        let mut reader = Reader { aliased: aliased(text), ..Reader::default() };
        for event in Parser::new_from_str(text) {
            let (event, span) = event?;
            reader.take(event, span)?;
        }
        Ok(reader.root.unwrap_or_default())
    }

    /// The value as YAML, in block style.
    pub fn to_yaml(&self) -> String {
        write::text(self)
    }
}

/// Where paths lead in a text that is YAML: to the deepest part that is there. What an alias stands for
/// is where the alias is.
pub(super) fn positions(text: &str, paths: &[Path]) -> Vec<Position> {
    let mut walk = Walk { paths, found: vec![Position::default(); paths.len()], open: Vec::new() };
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        walk.take(&event, span.start.index());
    }
    let mut found = walk.found;
    let mut places: Vec<&mut usize> = found
        .iter_mut()
        .flat_map(|position| position.key.as_mut().into_iter().chain([&mut position.value]))
        .collect();
    places.sort();
    // The parser counts characters.
    let mut bytes = text.char_indices().map(|(at, _)| at).enumerate().peekable();
    for place in places {
        while bytes.next_if(|(character, _)| character < place).is_some() {}
        *place = bytes.peek().map_or(text.len(), |(_, at)| *at);
    }
    found
}

/// A walk over the events of a text, with the paths that lead to or through each open collection.
struct Walk<'a> {
    paths: &'a [Path],
    found: Vec<Position>,
    open: Vec<Around>,
}

/// An open collection.
struct Around {
    wanted: Vec<usize>,
    /// The element that comes next, or the key that waits for its value, with its place.
    next: Next,
}

enum Next {
    Element(usize),
    Key,
    Member(String, usize),
}

impl Walk<'_> {
    fn take(&mut self, event: &Event<'_>, at: usize) {
        match event {
            Event::Scalar(text, ..) => {
                if let Some(Around { next: next @ Next::Key, .. }) = self.open.last_mut() {
                    *next = Next::Member(text.to_string(), at);
                } else {
                    self.arrive(at);
                }
            }
            Event::Alias(_) => drop(self.arrive(at)),
            Event::SequenceStart(..) => {
                let wanted = self.arrive(at);
                self.open.push(Around { wanted, next: Next::Element(0) });
            }
            Event::MappingStart(..) => {
                let wanted = self.arrive(at);
                self.open.push(Around { wanted, next: Next::Key });
            }
            Event::SequenceEnd | Event::MappingEnd => drop(self.open.pop()),
            _ => {}
        }
    }

    /// Notes a value for the paths that lead to or through it, and returns them.
    fn arrive(&mut self, at: usize) -> Vec<usize> {
        let depth = self.open.len();
        let Some(around) = self.open.last_mut() else {
            self.found.fill(Position { key: None, value: at });
            return (0..self.paths.len()).collect();
        };
        let (step, key) = match std::mem::replace(&mut around.next, Next::Key) {
            Next::Element(index) => {
                around.next = Next::Element(index + 1);
                (Step::Element(index), None)
            }
            Next::Member(name, key) => (Step::Member(name), Some(key)),
            // A key that is a collection; no path has one.
            Next::Key => {
                around.next = Next::Member(String::new(), at);
                return Vec::new();
            }
        };
        let leads = |path: &&usize| {
            self.paths.get(**path).and_then(|path| path.steps().get(depth - 1)) == Some(&step)
        };
        let wanted: Vec<usize> = around.wanted.iter().filter(leads).copied().collect();
        for path in &wanted {
            if let Some(found) = self.found.get_mut(*path) {
                *found = Position { key, value: at };
            }
        }
        wanted
    }
}

/// A collection that is not complete yet.
enum Open {
    List { anchor: usize, items: Vec<Value> },
    Dict { anchor: usize, merged: Map, members: Map, key: Option<Key> },
}

/// A key that waits for its value.
enum Key {
    Name(String),
    Merge,
}

/// The anchors that aliases name. Only these are kept: every level of a text may have an anchor, and
/// copies of all levels would take many times the memory of the text.
fn aliased(text: &str) -> HashSet<usize> {
    if !text.contains('*') {
        return HashSet::new();
    }
    let events = Parser::new_from_str(text).map_while(Result::ok);
    let named = events.filter_map(|(event, _)| match event {
        Event::Alias(anchor) => Some(anchor),
        _ => None,
    });
    named.collect()
}

/// The memory that the values of a YAML text take when they are built, in bytes, estimated. Aliases are
/// counted by their limit.
pub fn yaml_weight(text: &str) -> usize {
    let each = size_of::<Value>();
    let mut has_aliases = false;
    let events = Parser::new_from_str(text).map_while(Result::ok);
    let sum = events.fold(each, |sum, (event, _)| {
        let more = match event {
            Event::Scalar(text, ..) => ALLOCATION + text.len() + 2 * MEMBER,
            // The least room of a list and of a mapping.
            Event::SequenceStart(..) => ALLOCATION + 4 * each,
            Event::MappingStart(..) => 4 * (ALLOCATION + MEMBER),
            Event::Alias(_) => {
                has_aliases = true;
                2 * MEMBER
            }
            _ => 0,
        };
        sum.saturating_add(more)
    });
    // What is aliased is kept once more.
    sum.saturating_add(if has_aliases { 2 * MAX_ALIASES } else { 0 })
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    /// Anchors that aliases name.
    aliased: HashSet<usize>,
    anchors: HashMap<usize, Value>,
    unfolded: usize,
    root: Option<Value>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(wrong(span, "a second document")),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let is_merge = plain && tag.is_none() && text == MERGE;
                if is_merge && self.begins_merge() {
                    return Ok(());
                }
                let value =
                    scalar(&text, plain, tag.as_deref()).map_err(|what| wrong(span, what))?;
                self.complete(value, anchor, span)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor);
                let value = known.ok_or_else(|| wrong(span, "an alias inside what it names"))?;
                let value = value.clone();
                self.unfold(&value, span)?;
                self.complete(value, 0, span)
            }
            Event::SequenceStart(anchor, tag) => {
                collection(tag.as_deref(), "seq").map_err(|what| wrong(span, what))?;
                self.begin(Open::List { anchor, items: Vec::new() }, span)
            }
            Event::MappingStart(anchor, tag) => {
                collection(tag.as_deref(), "map").map_err(|what| wrong(span, what))?;
                let (merged, members) = (Map::new(), Map::new());
                self.begin(Open::Dict { anchor, merged, members, key: None }, span)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { anchor, items }) => self.complete(items.into(), anchor, span),
                Some(Open::Dict { anchor, mut merged, members, .. }) => {
                    merged.extend(members);
                    self.complete(Value::Dict(merged), anchor, span)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Counts a copy of a value.
    fn unfold(&mut self, value: &Value, span: Span) -> Result<(), SyntaxError> {
        self.unfolded = self.unfolded.saturating_add(value.weight());
        if self.unfolded > MAX_ALIASES {
            let what = format!("aliases unfold to more than {} MiB", MAX_ALIASES >> 20);
            return Err(wrong(span, what));
        }
        Ok(())
    }

    fn begin(&mut self, open: Open, span: Span) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(wrong(span, format!("more than {MAX_DEPTH} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    /// Whether a scalar `<<` is the key of what is merged.
    fn begins_merge(&mut self) -> bool {
        match self.open.last_mut() {
            Some(Open::Dict { key: key @ None, .. }) => {
                *key = Some(Key::Merge);
                true
            }
            _ => false,
        }
    }

    /// Adds a complete value to the collection that it is in.
    fn complete(&mut self, value: Value, anchor: usize, span: Span) -> Result<(), SyntaxError> {
        if self.aliased.contains(&anchor) {
            self.unfold(&value, span)?;
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Dict { merged, members, key, .. }) => match key.take() {
                None => *key = Some(Key::Name(name(value).map_err(|what| wrong(span, what))?)),
                Some(Key::Name(name)) => {
                    members.insert(name, value);
                }
                Some(Key::Merge) => merge(merged, value).map_err(|what| wrong(span, what))?,
            },
        }
        Ok(())
    }
}

/// A key as JSON has it: text.
fn name(key: Value) -> Result<String, String> {
    match key {
        Value::Str(text) => Ok(text),
        Value::List(_) | Value::Dict(_) => Err(format!("a key is {}", key.kind())),
        other => Ok(other.to_json(Charset::Unicode)),
    }
}

/// Adds the members of a mapping, or of each of a list; what is there already stays.
fn merge(into: &mut Map, value: Value) -> Result<(), String> {
    let several = match value {
        Value::List(several) => several,
        one => vec![one],
    };
    for one in several {
        let Value::Dict(members) = one else {
            return Err(format!("expected a mapping to merge, got {}", one.kind()));
        };
        for (name, value) in members {
            into.entry(name).or_insert(value);
        }
    }
    Ok(())
}

/// The name of a tag among YAML's own.
fn core(tag: &Tag) -> Option<&str> {
    match &*tag.handle {
        CORE => Some(&tag.suffix),
        _ => tag.suffix.strip_prefix(CORE),
    }
}

fn unknown(tag: &Tag) -> String {
    format!("the tag {}{} has no value", tag.handle, tag.suffix)
}

fn scalar(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return Ok(if plain { scalar::resolved(text) } else { text.into() });
    };
    let value = match core(tag) {
        // `! text` is not resolved.
        None if tag.suffix.is_empty() || (tag.handle.is_empty() && tag.suffix == "!") => {
            Some(text.into())
        }
        Some("str" | "timestamp") => Some(text.into()),
        Some("int") => scalar::integer(text),
        Some("float") => scalar::float(text).or_else(|| text.parse().ok().map(Value::Float)),
        Some("null") => Some(Value::Null),
        Some("bool") => scalar::special(text).filter(|value| matches!(value, Value::Bool(_))),
        _ => None,
    };
    value.ok_or_else(|| unknown(tag))
}

fn collection(tag: Option<&Tag>, kind: &str) -> Result<(), String> {
    match tag {
        Some(tag) if core(tag) != Some(kind) => Err(unknown(tag)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(yaml: &str, json: &str) {
        let found = Value::parse_yaml(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        assert_eq!(found, Value::parse(json).expect("JSON"), "{yaml}");
    }

    #[test]
    fn anchors_that_no_alias_names_cost_nothing_and_copies_of_others_are_bounded() {
        let nested = |begin: &str, end: &str| {
            let open: String = (0..100).map(|level| format!("&a{level} [")).collect();
            format!("[{begin}{open}{}{}{end}]", "1,".repeat(200_000), "]".repeat(100))
        };
        Value::parse_yaml(&nested("", "")).expect("YAML");
        let named: String = (0..100).map(|level| format!(",*a{level}")).collect();
        let error = Value::parse_yaml(&nested("", &named)).expect_err("too much");
        assert!(error.to_string().starts_with("aliases unfold to more than 16 MiB"), "{error}");
    }

    #[test]
    fn a_text_is_weighed_at_least_as_heavy_as_its_values() {
        for unit in ["[1],", "{a},", "{a: [b]},", "'x',", "12,", "[[[]]],"] {
            let text = format!("[{}]", unit.repeat(5000));
            let (estimated, built) =
                (yaml_weight(&text), Value::parse_yaml(&text).expect("YAML").weight());
            assert!(estimated >= built, "{unit}: {estimated} for {built}");
            assert!(estimated <= 12 * built + 1000, "{unit}: {estimated} for {built}");
        }
    }

    #[test]
    fn a_document_is_read() {
        check("", "null");
        check(
            "# smoke\nload_density:\n- - LD_start_test\n  - user_count: 5\n    tasks:\n    - {method: get, url: 'http://x/'}\n",
            r#"{"load_density": [["LD_start_test", {"user_count": 5,
                "tasks": [{"method": "get", "url": "http://x/"}]}]]}"#,
        );
        check(
            "a: |\n  one\n  two\nb: >-\n  one\n  two\n",
            r#"{"a": "one\ntwo\n", "b": "one two"}"#,
        );
        check(
            "1: a\ntrue: b\nnull: c\n1.5: d\n",
            r#"{"1": "a", "true": "b", "null": "c", "1.5": "d"}"#,
        );
        check("a: 1\na: 2\n", r#"{"a": 2}"#);
        check(
            "- !!str 5\n- !!int '7'\n- !!float 3\n- '5'\n- !!bool yes\n",
            r#"["5", 7, 3.0, "5", true]"#,
        );
    }

    #[test]
    fn aliases_and_merged_mappings_are_unfolded() {
        check(
            "base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3, z: *b}\n",
            r#"{"base": {"x": 1, "y": 2}, "more": {"x": 1, "y": 3, "z": {"x": 1, "y": 2}}}"#,
        );
        check(
            "- &a {x: 1}\n- &b {x: 2, y: 2}\n- <<: [*a, *b]\n",
            r#"[{"x": 1}, {"x": 2, "y": 2}, {"x": 1, "y": 2}]"#,
        );
        check("- <<\n- {a: <<}\n", r#"["<<", {"a": "<<"}]"#);
    }

    #[track_caller]
    fn check_refusal(yaml: &str, expected: &str) {
        let error = Value::parse_yaml(yaml).expect_err(yaml).to_string();
        assert!(error.starts_with(expected), "{yaml}: {error}");
    }

    #[test]
    fn what_has_no_value_in_json_is_refused_with_its_place() {
        check_refusal(
            "a: !!python/name:os.system x",
            "the tag tag:yaml.org,2002:python/name:os.system has no value at line 1 column 4",
        );
        check_refusal("a: !x {}", "the tag !x has no value");
        check_refusal("a: 1\n---\nb: 2\n", "a second document at line 2");
        check_refusal("[a, b]: 1", "a key is a list");
        check_refusal("a: *none", "");
        check_refusal("a: [1", "");
        check_refusal("<<: 5", "expected a mapping to merge, got an integer");
    }

    #[test]
    fn a_few_lines_do_not_fill_the_memory_and_deep_nesting_does_not_end_the_program() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        check_refusal(&bomb, "aliases unfold to more than 16 MiB");
        check_refusal(&"[".repeat(200), "more than 128 levels");
        check_refusal(&"- ".repeat(100_000), "more than 128 levels");
        // The scanner has a limit of its own.
        check_refusal(&"[".repeat(100_000), "");
        check_refusal("a: &a [*a]", "an alias inside what it names");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>()
                .prop_filter("a number", |number| number.is_finite())
                .prop_map(Value::Float),
            "\\PC{0,12}".prop_map(Value::Str),
            "[ -~\n\t\u{85}\u{2028}\u{feff}\u{0}\u{1b}]{0,12}".prop_map(Value::Str),
            "(yes|No|~|1:30|0x1f|1e3|- a|a: b|a #b|<<|=|---|&a|\\*a|!a|%a|@a|`a|'|\"|,|\\?)"
                .prop_map(Value::Str),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec(("[ -~]{0,6}", inner), 0..4)
                    .prop_map(|members| Value::Dict(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in values()) {
            let text = value.to_yaml();
            prop_assert_eq!(Value::parse_yaml(&text), Ok(value), "{}", text);
        }

        #[test]
        fn no_text_ends_the_program(text in "[-a:,{}\\[\\]&*!|>'\"%@` #?\n\t<0-9]{0,60}") {
            let _ = Value::parse_yaml(&text);
        }
    }
}
