//! What people read about documents, in one form: concepts, commands, and the members of their
//! parameters at any depth. `ldctl explain` prints it, `docs/actions.md` and `man/ldctl-actions.5`
//! are made from it by a test. The facts are those of [`Declaration`] and [`Field`], by which
//! documents are read; only the concepts are prose, of `docs/concepts.md`.

mod answers;
mod concepts;
mod members;
mod text;

use super::command::Declaration;
use super::loaddensity;
use super::registry::{self, declarations};
use crate::protocol::{USERS, UserKind};
use crate::value::field::nearest;
use crate::value::{Field, Value};

pub use answers::{Answered, answers, users};
pub use concepts::{Concept, concepts};
pub(super) use members::protocols;
pub use members::{Group, groups, type_text};
pub use text::{overview, text};

/// What `ldctl explain` has a page about.
#[derive(Debug)]
pub enum Topic {
    /// A concept.
    Concept(&'static Concept),
    /// A command.
    Command(&'static Declaration),
    /// A kind of user.
    User(&'static UserKind),
    /// A parameter, or a member of one; several where objects of different kinds have it.
    Members {
        /// The command and the keys that lead to it, joined by dots.
        path: String,
        /// Each with the object that has it.
        found: Vec<(String, &'static Field)>,
    },
}

/// A name that there is no page about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {name:?}{}", self.hint())]
pub struct UnknownTopic {
    what: String,
    name: String,
    meant: Option<String>,
    others: String,
}

impl UnknownTopic {
    fn hint(&self) -> String {
        match &self.meant {
            Some(meant) => format!("; did you mean {meant}?"),
            None => self.others.clone(),
        }
    }
}

/// The page of a name: a concept, a command (`LD_` may be left out), or the path to a member such as
/// `LD_start_test.tasks.assertions`.
pub fn find(name: &str) -> Result<Topic, UnknownTopic> {
    let mut keys = name.split('.');
    let first = keys.next().unwrap_or_default();
    let keys: Vec<&str> = keys.collect();
    if keys.is_empty()
        && let Some(concept) =
            concepts().iter().find(|known| known.name.eq_ignore_ascii_case(first))
    {
        return Ok(Topic::Concept(concept));
    }
    if keys.is_empty()
        && let Some(user) = USERS.iter().find(|known| known.name.eq_ignore_ascii_case(first))
    {
        return Ok(Topic::User(user));
    }
    let Some(command) = command(first) else {
        // `tasks.assertions` is what people look for.
        if let Some(parameter) =
            members_of_test().find(|field| field.keys().any(|key| key == first))
        {
            return find(&format!(
                "{}.{}",
                super::command::START_TEST,
                name.replacen(first, parameter.name, 1)
            ));
        }
        if let (true, Some(path)) = (keys.is_empty(), meant(first)) {
            return find(&path);
        }
        return Err(unknown(first));
    };
    if keys.is_empty() {
        return Ok(Topic::Command(command));
    }
    let mut path = command.name().to_owned();
    let mut inside = vec![Group::of(command.parameters().unwrap_or_default())];
    let mut found: Vec<(String, &'static Field)> = Vec::new();
    for key in keys {
        let members = || {
            inside.iter().flat_map(|group| group.fields.iter().map(move |field| (group, *field)))
        };
        let having = members().filter(|(_, field)| field.keys().any(|known| known == key));
        found = having.map(|(group, field)| (group.title.clone(), field)).collect();
        if found.is_empty() {
            // Objects of different kinds share names.
            let mut names: Vec<&str> = Vec::new();
            for name in members().flat_map(|(_, field)| field.keys()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let others = match names.as_slice() {
                [] => "; it has no members".to_owned(),
                names => format!("; it has {}", names.join(", ")),
            };
            let meant = nearest(key, names.into_iter()).map(str::to_owned);
            return Err(UnknownTopic {
                what: format!("{path} has no member"),
                name: key.to_owned(),
                meant,
                others,
            });
        }
        path = format!("{path}.{key}");
        inside = found.iter().flat_map(|(_, field)| groups(&field.kind)).collect();
    }
    Ok(Topic::Members { path, found })
}

/// Words for what has another name here.
const SYNONYMS: [(&str, &str); 16] = [
    ("assertion", "checks"),
    ("check", "checks"),
    ("extractor", "checks"),
    ("gate", "gates"),
    ("threshold", "gates"),
    ("thresholds", "gates"),
    ("sla", "gates"),
    ("percentile", "gates"),
    ("p95", "gates"),
    ("weighted", "tasks"),
    ("scenario", "tasks"),
    ("vus", "LD_start_test.user_count"),
    ("duration", "LD_start_test.test_time"),
    ("open-model", "LD_start_test.arrival_rate"),
    ("open_model", "LD_start_test.arrival_rate"),
    ("variable", "placeholders"),
];

/// The name of a page that another word stands for: a synonym, or a member at any depth, of a test
/// before other commands.
fn meant(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    if let Some((_, name)) = SYNONYMS.iter().find(|(known, _)| *known == word) {
        return Some((*name).to_owned());
    }
    let test = registry::find(super::command::START_TEST);
    let mut commands = test.into_iter().chain(declarations());
    commands.find_map(|command| {
        let fields = Group::of(command.parameters().unwrap_or_default());
        member(&[fields], &word, MOST_DEPTH).map(|path| format!("{}.{path}", command.name()))
    })
}

/// How deep members are looked for.
const MOST_DEPTH: usize = 4;

/// The keys that lead to a member of this name, the shortest way first.
fn member(inside: &[Group], name: &str, depth: usize) -> Option<String> {
    let fields = || inside.iter().flat_map(|group| group.fields.iter().copied());
    if fields().any(|field| field.keys().any(|key| key == name)) {
        return Some(name.to_owned());
    }
    let depth = depth.checked_sub(1)?;
    fields().find_map(|field| {
        let path = member(&groups(&field.kind), name, depth)?;
        Some(format!("{}.{path}", field.name))
    })
}

fn members_of_test() -> impl Iterator<Item = &'static Field> {
    let test = registry::find(super::command::START_TEST);
    test.and_then(Declaration::parameters).unwrap_or_default().iter()
}

fn command(name: &str) -> Option<&'static Declaration> {
    declarations().find(|known| {
        let short = known.name().strip_prefix("LD_").unwrap_or(known.name());
        known.name().eq_ignore_ascii_case(name) || short.eq_ignore_ascii_case(name)
    })
}

fn unknown(name: &str) -> UnknownTopic {
    if loaddensity::is_command(name) {
        let why = match loaddensity::refused(name) {
            Some(why) => format!("; it is refused by design: {why}"),
            None => "; LoadDensity describes it, which runs it with --executor PYTHON".to_owned(),
        };
        let what = "ldctl itself has no command".to_owned();
        return UnknownTopic { what, name: name.to_owned(), meant: None, others: why };
    }
    let commands = declarations().flat_map(|known| {
        let whole = known.name();
        [Some(whole), whole.strip_prefix("LD_")]
            .into_iter()
            .flatten()
            .map(move |spelt| (spelt.to_lowercase(), whole))
    });
    let topics = concepts().iter().map(|concept| (concept.name.clone(), &*concept.name));
    let users = USERS.iter().map(|user| (user.name.to_owned(), user.name));
    let names: Vec<(String, &str)> = commands.chain(topics).chain(users).collect();
    let close = nearest(name, names.iter().map(|(spelt, _)| spelt.as_str()));
    let meant = close.and_then(|close| names.iter().find(|(spelt, _)| spelt == close));
    UnknownTopic {
        what: "no command or concept is called".to_owned(),
        name: name.to_owned(),
        meant: meant.map(|(_, name)| (*name).to_owned()),
        others: "; run `ldctl explain` for the list".to_owned(),
    }
}

/// All commands by family, and the concepts, as data for tools.
pub fn overview_value() -> Value {
    let named = |name: &str, summary: &str| {
        Value::dict([("name", Value::from(name)), ("summary", summary.into())])
    };
    let families = registry::families().iter().map(|family| {
        let commands = family.commands.iter().map(|known| named(known.name(), known.doc()));
        Value::dict([
            ("family", Value::from(family.title)),
            ("commands", Value::List(commands.collect())),
        ])
    });
    let topics = concepts().iter().map(|concept| named(&concept.name, &concept.summary()));
    Value::dict([
        ("families", Value::List(families.collect())),
        ("concepts", Value::List(topics.collect())),
    ])
}

/// A page as data for tools.
pub fn topic_value(topic: &Topic) -> Value {
    match topic {
        Topic::Concept(concept) => Value::dict([
            ("concept", Value::from(concept.name.as_str())),
            ("summary", concept.summary().into()),
            ("text", concept.text.into()),
        ]),
        Topic::Command(command) => {
            let manual = command.manual();
            let fields = command.parameters().unwrap_or_default();
            let parameters = fields.iter().map(field_value).collect();
            Value::dict([
                ("command", Value::from(command.name())),
                ("summary", command.doc().into()),
                ("text", manual.text.into()),
                ("parameters", Value::List(parameters)),
                ("returns", manual.returns.into()),
                ("example", json(manual.example)),
            ])
        }
        Topic::User(user) => {
            let options = user.options.iter().map(|name| Value::from(*name));
            let fields = user.fields.iter().copied().flatten().map(field_value);
            Value::dict([
                ("user", Value::from(user.name)),
                ("summary", user.doc.into()),
                ("arguments", Value::List(options.collect())),
                ("task", Value::List(fields.collect())),
            ])
        }
        Topic::Members { path, found } => {
            let members = found.iter().map(|(object, field)| {
                let mut value = field_value(field);
                if let (Value::Dict(members), false) = (&mut value, object.is_empty()) {
                    members.insert("object".to_owned(), object.as_str().into());
                }
                value
            });
            Value::dict([
                ("path", Value::from(path.as_str())),
                ("found", Value::List(members.collect())),
            ])
        }
    }
}

fn field_value(field: &'static Field) -> Value {
    let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
    let members = groups(&field.kind).into_iter().map(|group| {
        let names = group.fields.iter().map(|field| field.name.into()).collect();
        Value::dict([("object", Value::from(group.title)), ("members", Value::List(names))])
    });
    Value::dict([
        ("name", Value::from(field.name)),
        ("alias", text(field.alias.map(str::to_owned))),
        ("type", type_text(&field.kind).into()),
        ("required", field.is_required().into()),
        (
            "default",
            field.default.map_or_else(|| text(field.default_text()), |default| default.value()),
        ),
        ("unit", text(field.measured_in().map(str::to_owned))),
        ("summary", field.doc.into()),
        ("text", field.note.into()),
        ("example", json(field.example)),
        ("members", Value::List(members.collect())),
    ])
}

/// An example as a value; `null` where there is none.
fn json(text: &str) -> Value {
    Value::parse(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_path(name: &str, expected: &str) {
        match find(name).expect(name) {
            Topic::Members { path, found } => {
                assert!(!found.is_empty());
                assert_eq!(path, expected);
            }
            Topic::Command(command) => assert_eq!(command.name(), expected),
            Topic::Concept(concept) => assert_eq!(concept.name, expected),
            Topic::User(user) => assert_eq!(user.name, expected),
        }
    }

    #[test]
    fn a_page_is_found_by_concept_command_and_path() {
        check_path("placeholders", "placeholders");
        check_path("Tasks", "tasks");
        check_path("LD_start_test", "LD_start_test");
        check_path("redis_user", "redis_user");
        check_path("start_test", "LD_start_test");
        check_path("LD_start_test.user_count", "LD_start_test.user_count");
        check_path("start_test.tasks.assertions.type", "LD_start_test.tasks.assertions.type");
        check_path("tasks.extract.var", "LD_start_test.tasks.extract.var");
        check_path("wait_time.min", "LD_start_test.wait_time.min");
        check_path("LD_assert_sla.rules.op", "LD_assert_sla.rules.op");
        check_path("extract", "LD_start_test.tasks.extract");
        check_path("weight", "LD_start_test.tasks.weight");
        check_path("on_start", "LD_start_test.tasks.on_start");
        check_path("skip_if", "LD_start_test.tasks.skip_if");
        check_path("open-model", "LD_start_test.arrival_rate");
        check_path("weighted", "tasks");
        check_path("p95", "gates");
        check_path(
            "LD_start_test.user_detail_dict.base_url",
            "LD_start_test.user_detail_dict.base_url",
        );
    }

    #[test]
    fn a_member_of_tasks_is_found_for_each_kind_of_user() {
        let Ok(Topic::Members { found, .. }) = find("tasks.timeout") else { panic!("no member") };
        let objects: Vec<&str> = found.iter().map(|(object, _)| object.as_str()).collect();
        assert_eq!(
            objects,
            [
                "task of fast_http_user, http_user and async_http_user",
                "task of socket_user",
                "task of websocket_user",
                "task of sse_user",
                "task of redis_user",
                "task of mqtt_user",
                "task of grpc_user",
            ]
        );
    }

    #[track_caller]
    fn check_refusal(name: &str, expected: &str) {
        assert_eq!(find(name).expect_err(name).to_string(), expected);
    }

    #[test]
    fn a_wrong_name_gets_the_one_that_was_probably_meant() {
        check_refusal(
            "LD_strat_test",
            "no command or concept is called \"LD_strat_test\"; did you mean LD_start_test?",
        );
        check_refusal(
            "asert_sla",
            "no command or concept is called \"asert_sla\"; did you mean LD_assert_sla?",
        );
        check_refusal(
            "placeholder",
            "no command or concept is called \"placeholder\"; did you mean placeholders?",
        );
        check_refusal(
            "nothing",
            "no command or concept is called \"nothing\"; run `ldctl explain` for the list",
        );
        check_refusal(
            "LD_start_test.tasks.asertions",
            "LD_start_test.tasks has no member \"asertions\"; did you mean assertions?",
        );
        check_refusal(
            "wait_time.most",
            "LD_start_test.wait_time has no member \"most\"; it has min, max",
        );
        check_refusal(
            "LD_probe_rate_limit",
            "ldctl itself has no command \"LD_probe_rate_limit\"; LoadDensity describes it, which runs \
             it with --executor PYTHON",
        );
        check_refusal("LD_summary.", "LD_summary has no member \"\"; it has success, failures");
        check_refusal(
            "LD_start_test.seed.x",
            "LD_start_test.seed has no member \"x\"; it has no members",
        );
        let refusal = find("LD_start_test.tasks.zzzzzzzz").expect_err("no member").to_string();
        let (_, listed) = refusal.split_once("; it has ").expect("a list");
        let mut names: Vec<&str> = listed.split(", ").collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), all > 10), (all, true), "each once: {refusal}");
    }

    #[test]
    fn every_command_says_what_it_returns_and_shows_an_action_that_ldctl_accepts() {
        for command in declarations() {
            let manual = command.manual();
            assert!(!manual.returns.is_empty(), "{} says nothing of its result", command.name());
            if command.doc().starts_with("Refused") {
                continue;
            }
            let example = Value::parse(manual.example)
                .unwrap_or_else(|error| panic!("{}: {error}", command.name()));
            let named = matches!(&example, Value::List(action) if action.first() == Some(&command.name().into()));
            assert!(named, "{example:?}");
            let around = crate::action::Surroundings::unknown();
            let findings = crate::action::check(&Value::List(vec![example]), &around);
            let wrong: Vec<_> = findings.iter().filter(|finding| finding.is_error()).collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", command.name());
        }
    }
}
