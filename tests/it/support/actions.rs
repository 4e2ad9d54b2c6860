//! Actions made from the definitions of the commands: every argument and field, one at a time, with
//! values that a test chooses by their kind.

use ldctl::action::declarations;
use ldctl::load::scenario::{FORM, STEP};
use ldctl::protocol::USERS;
use ldctl::value::{Field, Kind};
use serde_json::{Value, json};

/// Chooses values for a kind.
type Pick<'a> = &'a dyn Fn(&Kind) -> Vec<Value>;

/// For every place of every command's arguments, also inside them, and every value that is picked for
/// its kind: an action with that value there, and otherwise with what must be given.
pub(crate) fn actions_with(pick: Pick<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    for command in declarations() {
        let fields = command.parameters().unwrap_or_default();
        let is_test = fields.iter().any(|field| field.name == "test_time");
        for mut arguments in objects(fields, pick) {
            // A test that runs shall end.
            if is_test && arguments.get("test_time").is_none() {
                arguments["test_time"] = json!(0.05);
            }
            found.push(json!([command.name(), arguments]));
        }
        if command.name() == "LD_start_test" {
            found.extend(other_users(command.name(), fields, pick));
        }
    }
    found
}

/// The users whose tasks are those of the default one.
const HTTP: [&str; 3] = ["fast_http_user", "http_user", "async_http_user"];

/// A host for each of the others; nothing listens there.
const HOSTS: [(&str, &str); 6] = [
    ("socket_user", "tcp://127.0.0.1:1"),
    ("websocket_user", "ws://127.0.0.1:1"),
    ("sse_user", "http://127.0.0.1:1"),
    ("redis_user", "redis://127.0.0.1:1"),
    ("mqtt_user", "127.0.0.1:1"),
    ("grpc_user", "127.0.0.1:1"),
];

/// Tests of the other users, with a picked value in one place of a task.
fn other_users(command: &str, fields: &[Field], pick: Pick<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    for user in USERS.iter().filter(|user| !HTTP.contains(&user.name)) {
        let host = HOSTS.iter().find(|(name, _)| *name == user.name);
        let (_, host) = host.unwrap_or_else(|| panic!("add a host for {}", user.name));
        for task in objects(&[user.fields.concat(), STEP.to_vec()].concat(), pick) {
            let mut arguments = example_of(fields);
            arguments.insert("test_time".to_owned(), json!(0.05));
            let detail = json!({"user": user.name, "host": host});
            arguments.insert("user_detail_dict".to_owned(), detail);
            arguments.insert("tasks".to_owned(), json!([whole(user.name, task)]));
            found.push(json!([command, arguments]));
        }
    }
    found
}

/// A task with what its kind of user asks for besides required fields.
fn whole(user: &str, mut task: Value) -> Value {
    if user == "mqtt_user" && task.get("topic").is_none() {
        task["topic"] = json!("a/b");
    }
    if user == "grpc_user" && task.get("include").is_some() && task.get("proto").is_none() {
        // What is imported is read as this is.
        let folder = task["include"].as_str().map(|folder| format!("{folder}/"));
        task["proto"] = json!(format!("{}a.proto", folder.unwrap_or_default()));
    }
    task
}

/// Objects of these fields with a picked value in one place each.
fn objects(fields: &[Field], pick: Pick<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    for field in fields {
        for value in values(&field.kind, pick) {
            for key in field.keys() {
                let mut members = example_of(fields);
                members.retain(|name, _| field.keys().all(|own| own != name));
                members.insert(key.to_owned(), value.clone());
                found.push(Value::Object(members));
            }
        }
    }
    found
}

/// What is picked for a kind, and values of the kind with something picked inside.
fn values(kind: &Kind, pick: Pick<'_>) -> Vec<Value> {
    let inside = match kind {
        Kind::List(of) => lists(values(of, pick), 1),
        Kind::Items { of, least, .. } => lists(values(of, pick), *least),
        Kind::Object(tables) | Kind::Open(tables) | Kind::Advised(tables) => {
            objects(&tables.concat(), pick)
        }
        Kind::OneField(table) => {
            let of = |field: &Field| {
                let values = values(&field.kind, pick).into_iter();
                values.map(|value| json!({field.name: value})).collect::<Vec<_>>()
            };
            table.iter().flat_map(of).collect()
        }
        Kind::Map { of, .. } => {
            values(of, pick).into_iter().map(|value| json!({"x": value})).collect()
        }
        Kind::Either(kinds) => kinds.iter().flat_map(|kind| values(kind, pick)).collect(),
        Kind::Named(_, kind) => values(kind, pick),
        Kind::Tasks => {
            // The default user's; `other_users` has those of the others.
            let users = USERS.iter().filter(|user| HTTP.contains(&user.name));
            let tables = users.map(|user| [user.fields.concat(), STEP.to_vec()].concat());
            let tasks = tables.flat_map(|fields| objects(&fields, pick)).collect();
            let mut forms = objects(FORM, pick);
            forms.extend(lists(tasks, 1));
            forms
        }
        _ => Vec::new(),
    };
    let mut found: Vec<Value> = Vec::new();
    for value in pick(kind).into_iter().chain(inside) {
        // Users of one protocol have the same tasks, and kinds that exclude each other the same values.
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn lists(items: Vec<Value>, length: usize) -> Vec<Value> {
    items.into_iter().map(|item| json!(vec![item; length.max(1)])).collect()
}

/// What must be given of these fields. A test needs tasks, too.
fn example_of(fields: &[Field]) -> serde_json::Map<String, Value> {
    let needed =
        fields.iter().filter(|field| field.is_required() || matches!(field.kind, Kind::Tasks));
    needed.map(|field| (field.name.to_owned(), example(&field.kind))).collect()
}

/// A value of a kind.
fn example(kind: &Kind) -> Value {
    match kind {
        Kind::Any | Kind::Text | Kind::Name | Kind::Path | Kind::Stem | Kind::Scalar => json!("x"),
        Kind::Matching(pattern) => {
            let pattern = regex::Regex::new(pattern).expect("a pattern");
            let texts = ["x", "get", "unary", "http://127.0.0.1:1/"];
            let found = texts.iter().find(|text| pattern.is_match(text));
            json!(found.unwrap_or_else(|| panic!("add a text that {pattern} matches")))
        }
        Kind::Boolean => json!(true),
        Kind::Between(least, _) => json!(least),
        Kind::Exactly(literal) => serde_json::to_value(literal.value()).expect("JSON"),
        Kind::OneOf(texts) => json!(texts[0]),
        Kind::List(_) => json!([]),
        Kind::Items { of, least, .. } => json!(vec![example(of); *least]),
        Kind::Object(tables) | Kind::Open(tables) | Kind::Advised(tables) => {
            Value::Object(example_of(&tables.concat()))
        }
        Kind::OneField(table) => json!({table[0].name: example(&table[0].kind)}),
        Kind::Map { .. } => json!({}),
        Kind::Either(kinds) => example(&kinds[0]),
        Kind::Named(_, kind) => example(kind),
        Kind::Document => json!([["len", ["x"]]]),
        Kind::Tasks => json!([{"method": "get", "url": "/"}]),
        Kind::Integer
        | Kind::Count
        | Kind::Port
        | Kind::Real
        | Kind::Number
        | Kind::Seconds
        | Kind::Timeout
        | Kind::Milliseconds
        | Kind::Rate => json!(1),
    }
}
