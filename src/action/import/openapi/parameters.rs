//! The parameters of an operation: those of the path are variables; of the others those that it needs.

use std::collections::HashSet;

use super::super::examples::of_schema;
use super::super::lookup::{is_true, list, members, object, text};
use super::super::{Import, set_in};
use super::Operation;
use crate::value::{Map, Value};

/// Headers that an API documents elsewhere: OpenAPI says that they are no parameters.
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

impl<'a> Operation<'a> {
    /// Those of the operation and of its path.
    fn described(&self) -> Vec<&'a Value> {
        let mut known = HashSet::new();
        let all = list(self.operation, "parameters").iter().chain(list(self.item, "parameters"));
        let all = all.map(|parameter| self.api.resolved(parameter));
        // Those of the operation take precedence.
        let first = all.filter(|one| known.insert((text(one, "name"), text(one, "in"))));
        first.filter(|one| members(one).is_some()).collect()
    }

    /// Those that Swagger 2 has for a body.
    pub(super) fn form_parameters(&self, place: &str) -> Vec<&'a Value> {
        self.described().into_iter().filter(|one| text(one, "in") == Some(place)).collect()
    }

    /// The value of a parameter, and whether the API gives it.
    pub(super) fn value_of(&self, parameter: &'a Value) -> (Value, bool) {
        let example = parameter.get("example").or_else(|| parameter.get("x-example"));
        let several = || object(parameter, "examples").next();
        let example = example.or_else(|| self.api.resolved(several()?.1).get("value"));
        match (example, parameter.get("schema")) {
            (Some(example), _) => match self.api.spend(example.weight()) {
                Some(()) => (example.clone(), true),
                None => (Value::Null, false),
            },
            (None, Some(schema)) => of_schema(self.api, schema),
            // Swagger 2 describes it where it is.
            (None, None) => of_schema(self.api, parameter),
        }
    }

    pub(super) fn parameters(&self, task: &mut Map, import: &mut Import) {
        let mut described = HashSet::new();
        for parameter in self.described() {
            let (Some(name), Some(place)) = (text(parameter, "name"), text(parameter, "in")) else {
                continue;
            };
            if place != "path" && !is_true(parameter, "required") {
                if ["query", "header", "cookie"].contains(&place) {
                    import.notices.leave_out("optional parameter");
                }
                continue;
            }
            let (value, given) = self.value_of(parameter);
            match place {
                "path" => {
                    described.insert(name);
                    import.path_variable(name, value, given);
                }
                "query" => {
                    import.made_up_if(!given, name);
                    let value = match value {
                        Value::List(items)
                            if self.api.old || text(parameter, "style").is_some() =>
                        {
                            items.iter().map(Value::to_text).collect::<Vec<_>>().join(",").into()
                        }
                        value => value,
                    };
                    set_in(task, "params", name, value);
                }
                "header" if NO_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) => {}
                "header" => {
                    import.made_up_if(!given, name);
                    set_in(task, "headers", name, value.to_text());
                }
                "cookie" => {
                    import.made_up_if(!given, name);
                    set_in(task, "cookies", name, value.to_text());
                }
                _ => {}
            }
        }
        let in_path = self.path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0));
        for name in in_path.filter(|name| !name.is_empty() && !described.contains(name)) {
            import.path_variable(name, "1".into(), false);
        }
    }
}

impl Import {
    fn path_variable(&mut self, name: &str, value: Value, given: bool) {
        let value = match value {
            value @ (Value::Str(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)) => value,
            _ => "1".into(),
        };
        if given {
            self.made_up.shift_remove(name);
            self.variables.entry(name.to_owned()).or_insert(value);
        } else if !self.variables.contains_key(name) {
            self.made_up.entry(name.to_owned()).or_insert(value);
        }
    }

    fn made_up_if(&mut self, made_up: bool, name: &str) {
        if made_up {
            self.notices.note("parameters whose values were made up", name);
        }
    }
}
