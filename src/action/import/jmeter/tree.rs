//! A test plan as a tree of elements. Entities of a document's own are not expanded, and nothing that it
//! refers to is read.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::super::NotImported;

/// The deepest nesting.
const MAX_DEPTH: usize = 256;

/// An element.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) tag: String,
    attributes: Vec<(String, String)>,
    /// Its own text.
    pub(super) text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// Parses a text; returns the outermost element.
    pub(super) fn parse(text: &str) -> Result<Self, NotImported> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            let at = reader.buffer_position();
            let broken = |why: String| NotImported(format!("not XML: {why} (byte {at})"));
            let event = reader.read_event().map_err(|error| broken(error.to_string()))?;
            match event {
                Event::Start(start) => {
                    if open.len() > MAX_DEPTH {
                        return Err(broken(format!("nested deeper than {MAX_DEPTH} levels")));
                    }
                    open.push(Self::begun(&start).map_err(broken)?);
                }
                Event::Empty(start) => {
                    let node = Self::begun(&start).map_err(broken)?;
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(node);
                    }
                }
                Event::End(_) => {
                    let node = open.pop().unwrap_or_default();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => {
                            return Err(broken("an element ends that has not begun".to_owned()));
                        }
                    }
                }
                Event::Text(text) => Self::add(&mut open, &text.xml10_content()),
                Event::CData(text) => Self::add(&mut open, &text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let known = match reference.resolve_char_ref() {
                        Ok(Some(character)) => Some(character),
                        _ => entity(&reference),
                    };
                    let character = known.ok_or_else(|| {
                        broken(format!("the entity &{}; is not known", &*reference))
                    })?;
                    Self::add(&mut open, character.encode_utf8(&mut [0; 4]));
                }
                Event::Eof if open.len() > 1 => {
                    return Err(broken("it ends inside an element".to_owned()));
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let root = open.pop().unwrap_or_default();
        root.children
            .into_iter()
            .next()
            .ok_or_else(|| NotImported("not XML: no element".to_owned()))
    }

    fn begun(start: &BytesStart<'_>) -> Result<Self, String> {
        let mut node = Self { tag: start.name().as_ref().to_owned(), ..Self::default() };
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value =
                quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?;
            node.attributes.push((attribute.key.0.to_owned(), value.into_owned()));
        }
        Ok(node)
    }

    fn add(open: &mut [Self], text: &str) {
        if let Some(node) = open.last_mut() {
            node.text.push_str(text);
        }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it takes part in the test.
    pub(super) fn is_enabled(&self) -> bool {
        self.attribute("enabled") != Some("false")
    }

    /// Its name, as people see it.
    pub(super) fn name(&self) -> &str {
        self.attribute("testname").unwrap_or(&self.tag)
    }

    /// A property of any kind, without blanks around it; nothing of an empty one.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        let kinds = ["stringProp", "boolProp", "intProp", "longProp", "doubleProp", "floatProp"];
        let mut properties =
            self.children.iter().filter(|child| kinds.contains(&child.tag.as_str()));
        let found = properties.find(|child| {
            // Those of numbers have their name in an element.
            child.attribute("name").or_else(|| child.child("name").map(|name| name.text.as_str()))
                == Some(name)
        })?;
        let value = found.child("value").unwrap_or(found);
        Some(value.text.as_str()).filter(|text| !text.trim().is_empty())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.property(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// A child of this tag.
    pub(super) fn child(&self, tag: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.tag == tag)
    }

    /// A child that is a property of elements, by its name.
    pub(super) fn element(&self, name: &str) -> Option<&Self> {
        let mut kinds = self.children.iter().filter(|child| child.tag == "elementProp");
        kinds.find(|child| child.attribute("name") == Some(name))
    }

    /// What a collection among its properties holds.
    pub(super) fn collection(&self, name: &str) -> &[Self] {
        let mut kinds = self.children.iter().filter(|child| child.tag == "collectionProp");
        kinds
            .find(|child| child.attribute("name") == Some(name))
            .map_or(&[], |found| &found.children)
    }

    /// What stands in a tree: each element with the tree that belongs to it.
    pub(super) fn elements(&self) -> Vec<(&Self, Option<&Self>)> {
        let mut found: Vec<(&Self, Option<&Self>)> = Vec::new();
        for child in &self.children {
            if child.tag != "hashTree" {
                found.push((child, None));
            } else if let Some((_, tree)) = found.last_mut().filter(|(_, tree)| tree.is_none()) {
                *tree = Some(child);
            }
        }
        found
    }
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}
