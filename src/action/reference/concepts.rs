//! The concepts: the sections of `docs/concepts.md`.

use std::sync::LazyLock;

/// Their text, in Markdown: a heading `## NAME` begins each section.
const SOURCE: &str = include_str!("../../../docs/concepts.md");

/// A section of the concepts.
#[derive(Debug)]
pub struct Concept {
    /// Its name, in lower case.
    pub name: String,
    /// Its text, without the heading.
    pub text: &'static str,
}

impl Concept {
    /// Its first sentence, on one line.
    pub fn summary(&self) -> String {
        let paragraph = self.text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let end = paragraph.find(['.', ':']).unwrap_or(paragraph.len());
        format!("{}.", paragraph.get(..end).unwrap_or_default().replace('`', ""))
    }
}

/// All concepts, in the order in which they are to be read.
pub fn concepts() -> &'static [Concept] {
    static CONCEPTS: LazyLock<Vec<Concept>> = LazyLock::new(|| {
        let sections = SOURCE.split("\n## ").skip(1);
        let section = |section: &'static str| {
            let (heading, text) = section.split_once('\n')?;
            Some(Concept { name: heading.trim().to_lowercase(), text: text.trim() })
        };
        sections.filter_map(section).collect()
    });
    &CONCEPTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::faker::Faker;
    use crate::protocol::USER_NAMES;
    use crate::record::gates::NAMES;

    fn text(name: &str) -> &'static str {
        concepts().iter().find(|concept| concept.name == name).expect(name).text
    }

    #[test]
    fn the_concepts_name_every_user_gate_and_faker_that_there_is() {
        let named = |section: &str, name: &str| text(section).contains(&format!("`{name}`"));
        for user in USER_NAMES {
            assert!(named("users", user), "{user}");
        }
        for gate in NAMES {
            assert!(named("gates", gate), "{gate}");
        }
        for faker in Faker::NAMES {
            assert!(named("placeholders", faker), "{faker}");
        }
    }

    #[test]
    fn a_concept_begins_with_a_sentence_that_says_what_it_is_about() {
        let names: Vec<&str> = concepts().iter().map(|concept| &*concept.name).collect();
        assert_eq!(
            names,
            [
                "documents",
                "users",
                "tasks",
                "shapes",
                "placeholders",
                "checks",
                "gates",
                "records",
                "files"
            ]
        );
        assert_eq!(concepts()[1].summary(), "A test starts virtual users.");
        assert!(concepts().iter().all(|concept| concept.summary().len() < 120));
    }
}
