//! The parameters of an operation: those of the path are variables; of the others those that it needs.

use std::collections::HashSet;

use super::super::examples::of_schema;
use super::super::lookup::{is_true, list, members, object, scalar, text};
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
                    let value = match value {
                        Value::List(_) | Value::Dict(_) => {
                            simple(&value, is_true(parameter, "explode")).into()
                        }
                        value => value,
                    };
                    import.path_variable(name, value, given);
                }
                "query" => {
                    import.made_up_if(!given, name);
                    for (name, value) in self.query(parameter, name, value) {
                        set_in(task, "params", &name, value);
                    }
                }
                "header" if NO_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) => {}
                "header" => {
                    import.made_up_if(!given, name);
                    set_in(task, "headers", name, simple(&value, is_true(parameter, "explode")));
                }
                "cookie" => {
                    import.made_up_if(!given, name);
                    set_in(task, "cookies", name, simple(&value, false));
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

impl Operation<'_> {
    /// A value in a query, as the API wants lists and objects to be written.
    fn query(&self, parameter: &Value, name: &str, value: Value) -> Vec<(String, Value)> {
        let style = text(parameter, "style").unwrap_or("form");
        // Swagger 2 has its own words for it.
        let collection = text(parameter, "collectionFormat").unwrap_or("csv");
        let separator = match (self.api.old, collection, style) {
            (true, "ssv", _) | (false, _, "spaceDelimited") => " ",
            (true, "tsv", _) => "\t",
            (true, "pipes", _) | (false, _, "pipeDelimited") => "|",
            _ => ",",
        };
        let repeats = match self.api.old {
            true => collection == "multi",
            // So it is for forms, unless the API says otherwise.
            false => parameter
                .get("explode")
                .map_or(style == "form", |explode| *explode == Value::Bool(true)),
        };
        match value {
            Value::List(items) if repeats => {
                let items = items.iter().map(|item| simple(item, false).into()).collect();
                vec![(name.to_owned(), Value::List(items))]
            }
            Value::Dict(members) if style == "deepObject" => {
                let member = |(key, value): (String, Value)| {
                    (format!("{name}[{key}]"), simple(&value, false).into())
                };
                members.into_iter().map(member).collect()
            }
            Value::Dict(members) if repeats => {
                let member = |(key, value): (String, Value)| (key, simple(&value, false).into());
                members.into_iter().map(member).collect()
            }
            Value::List(_) | Value::Dict(_) => {
                vec![(name.to_owned(), delimited(&value, separator, ",").into())]
            }
            value => vec![(name.to_owned(), value)],
        }
    }
}

/// A value as the style `simple` has it: `a,b`; of an object `key,value` or, exploded, `key=value`.
fn simple(value: &Value, explode: bool) -> String {
    delimited(value, ",", if explode { "=" } else { "," })
}

fn delimited(value: &Value, separator: &str, equals: &str) -> String {
    let text = |value: &Value| {
        scalar(value).unwrap_or_else(|| value.to_json(crate::value::Charset::Unicode))
    };
    let parts: Vec<String> = match value {
        Value::List(items) => items.iter().map(text).collect(),
        Value::Dict(members) => {
            members.iter().map(|(key, value)| format!("{key}{equals}{}", text(value))).collect()
        }
        value => return text(value),
    };
    parts.join(separator)
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
