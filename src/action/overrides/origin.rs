//! Which option a part of a changed document is of, so that what is wrong with it is said of the option
//! and not of a place that the file does not have.

use std::borrow::Cow;

use super::{Applied, Overrides};
use crate::action::Place;
use crate::value::{Step, Value};

impl Overrides {
    /// The document as it is written, if something is to change it.
    pub fn original(&self, document: &Value) -> Option<Value> {
        (!self.is_empty()).then(|| document.clone())
    }

    /// The option that a place in the changed document comes from.
    pub fn option_at(&self, place: &Place, applied: &Applied) -> Option<Cow<'static, str>> {
        let index = place.index().filter(|_| !self.is_empty())?;
        let after = index.checked_sub(applied.before + applied.own);
        if after == Some(0) && self.gates.len() > 1 {
            let gate = place.path().steps().iter().find_map(|step| match step {
                Step::Element(number) => self.gates.get(*number),
                Step::Member(_) => None,
            });
            if let Some((written, _)) = gate {
                return Some(format!("--gate {written:?}").into());
            }
        }
        self.option(index, place, applied).map(Cow::Borrowed)
    }

    fn option(&self, index: usize, place: &Place, applied: &Applied) -> Option<&'static str> {
        if index < applied.before {
            return Some("--var");
        }
        let after = index.checked_sub(applied.before + applied.own);
        match after {
            Some(0) if !self.gates.is_empty() => return Some("--gate"),
            Some(_) => return Some("--report"),
            None => {}
        }
        let mut path = place.path().steps().iter().filter_map(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::Element(_) => None,
        });
        let first = path.next()?;
        // The test of a search.
        let first = if first == "test" { path.next()? } else { first };
        match first {
            "host" => self.target.as_ref().map(|(option, _)| *option),
            "user_count" => self.users.map(|_| "--users"),
            "spawn_rate" => self.spawn_rate.map(|_| "--spawn-rate"),
            "test_time" => self.test_time.map(|_| "--test-time"),
            "arrival_rate" => match path.next() {
                Some("max_users") => self.users.map(|_| "--users"),
                _ => self.rate.map(|_| "--rate"),
            },
            "seed" => self.seed.map(|_| "--seed"),
            "variables" => {
                let name = path.next()?;
                self.variables.iter().any(|(own, _)| own == name).then_some("--var")
            }
            other => {
                let cluster = self.cluster.as_ref()?;
                let mut names = cluster.arguments.iter().map(|(name, _)| *name);
                names.any(|name| name == other).then_some(cluster.option)
            }
        }
    }
}
