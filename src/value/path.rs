//! The way to a part of a value: member by member and element by element. Its text is that of
//! messages, `tasks[0].assertions[1].op`; a JSON pointer does not say which of its steps are
//! elements, so it becomes a path only together with the value.

use std::fmt;

use super::Value;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// An element of a list.
    Element(usize),
}

/// The steps from a value to a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Step>);

impl Path {
    /// The path to a member of this part.
    #[must_use]
    pub fn member(&self, key: &str) -> Self {
        self.then(Step::Member(key.to_owned()))
    }

    /// The path to an element of this part.
    #[must_use]
    pub fn element(&self, index: usize) -> Self {
        self.then(Step::Element(index))
    }

    /// The path with one more step.
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The path that a JSON pointer stands for in a value. A key that is not there becomes a member, so
    /// that the place of a missing one can be named too.
    pub fn of_pointer(pointer: &str, root: &Value) -> Self {
        let mut steps = Vec::new();
        let mut at = Some(root);
        for token in pointer.split('/').skip(1) {
            let step = match (at, token.parse()) {
                (Some(Value::List(_)), Ok(index)) => Step::Element(index),
                _ => Step::Member(token.replace("~1", "/").replace("~0", "~")),
            };
            at = at.and_then(|value| step.of(value));
            steps.push(step);
        }
        Self(steps)
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path without its last step; `None` for the value itself.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// The key that it ends with.
    pub fn key(&self) -> Option<&str> {
        match self.0.last()? {
            Step::Member(key) => Some(key),
            Step::Element(_) => None,
        }
    }

    /// Whether it is `above`, or leads into it.
    pub fn is_within(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    /// The part of a value that it leads to.
    pub fn of<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, step| step.of(value))
    }

    /// The same, to change it.
    pub fn of_mut<'v>(&self, root: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(root, |value, step| match (step, value) {
            (Step::Member(key), Value::Dict(members)) => members.get_mut(key),
            (Step::Element(index), Value::List(elements)) => elements.get_mut(*index),
            _ => None,
        })
    }
}

impl Step {
    fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self, value) {
            (Self::Member(key), Value::Dict(members)) => members.get(key),
            (Self::Element(index), Value::List(elements)) => elements.get(*index),
            _ => None,
        }
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<T: IntoIterator<Item = Step>>(steps: T) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(key) if index == 0 => write!(out, "{key}")?,
                Step::Member(key) => write!(out, ".{key}")?,
                Step::Element(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, pointer: &str, text: &str, found: Option<&str>) {
        let value = Value::parse(json).expect("JSON");
        let path = Path::of_pointer(pointer, &value);
        let part = path.of(&value).map(Value::to_repr);
        assert_eq!((path.to_string().as_str(), part.as_deref()), (text, found), "{pointer}");
    }

    #[test]
    fn a_pointer_becomes_the_path_that_people_write() {
        let json = r#"{"tasks": [{"0": 1, "a/b": [2]}]}"#;
        check(json, "", "", Some("{'tasks': [{'0': 1, 'a/b': [2]}]}"));
        check(json, "/tasks/0/0", "tasks[0].0", Some("1"));
        check(json, "/tasks/0/a~1b/0", "tasks[0].a/b[0]", Some("2"));
        check(json, "/tasks/7/x", "tasks[7].x", None);
    }
}
