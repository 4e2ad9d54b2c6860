//! Imports from other tools: OpenAPI, Postman, k6, JMeter and curl as tasks and documents, and the
//! generators that make whole documents of them. What a task cannot express becomes one of the result's
//! warnings.

use super::formats::read_as;
use super::test_document::{Load, SPAWN_RATE, TEST_TIME, USER, USER_COUNT, action, document};
use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::action::import::{Import, NotImported, curl, jmeter, k6, openapi, postman};
use crate::event::{Failure, FailureKind};
use crate::memory::Full;
use crate::value::{Field, Invalid, Kind, Literal, Map, Reader, Syntax, Value, yaml_weight};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_curl_to_task",
        "Returns a command of curl as a task.",
        &[Field::required("command", Kind::Text, "The command, on one line or several.")
            .example(r#""curl -L http://localhost:8080/items""#)],
        |given| {
            let command = given.required("command")?.string()?;
            Ok(Box::new(Curl(command)))
        },
    )
    .text(
        "Files of bodies and cookies are not read. `ldctl convert` also sets what curl sends by \
         itself, and replaces secrets.",
    )
    .returns("A task.")
    .example(r#"["LD_curl_to_task", {"command": "curl -d '{\"name\": \"ann\"}' http://localhost:8080/users"}]"#),
    Declaration::named(
        "LD_load_openapi",
        "Returns the content of an OpenAPI file.",
        &[file("\"api.yaml\"")],
        |given| load(given, Form::OpenApi),
    )
    .text("It is YAML if its name ends in `.yaml` or `.yml`, else JSON.")
    .returns("The API as an object.")
    .example(r#"["LD_load_openapi", {"file_path": "api.yaml"}]"#),
    Declaration::named(
        "LD_openapi_to_tasks",
        "Returns the operations of an API as the tasks of a test.",
        &[
            SPEC,
            Field::optional("base_url", Kind::Text, "The URL of the API, in place of its own server."),
        ],
        |given| {
            let base = given.if_present("base_url", |base| base.string())?;
            tasks(given, "spec", Source::OpenApi(base))
        },
    )
    .text(OPENAPI)
    .returns("A list of tasks.")
    .example(
        r#"["LD_openapi_to_tasks", {"spec": {"openapi": "3.0.3", "paths": {"/items": {"get": {}}}}}]"#,
    ),
    Declaration::named(
        "LD_openapi_to_action_json",
        "Returns the operations of an API as a document with a test.",
        &[SPEC, USER, USER_COUNT, SPAWN_RATE, TEST_TIME],
        |given| action_json(given, "spec", Source::OpenApi(None)),
    )
    .text(OPENAPI)
    .returns("A document.")
    .example(
        r#"["LD_openapi_to_action_json", {"spec": {"openapi": "3.0.3", "paths": {"/items": {"get": {}}}}}]"#,
    ),
    Declaration::named(
        "LD_load_postman_collection",
        "Returns the content of a file with a Postman collection.",
        &[file("\"shop.postman_collection.json\"")],
        |given| load(given, Form::Postman),
    )
    .returns("The collection as an object.")
    .example(r#"["LD_load_postman_collection", {"file_path": "shop.postman_collection.json"}]"#),
    Declaration::named(
        "LD_postman_to_tasks",
        "Returns the requests of a Postman collection as the tasks of a test.",
        &[COLLECTION],
        |given| tasks(given, "collection", Source::Postman),
    )
    .text(POSTMAN)
    .returns("A list of tasks.")
    .example(
        r#"["LD_postman_to_tasks", {"collection": {"item": [
  {"name": "items", "request": {"method": "GET", "url": "http://localhost:8080/items"}}]}}]"#,
    ),
    Declaration::named(
        "LD_postman_to_action_json",
        "Returns the requests of a Postman collection as a document with a test.",
        &[COLLECTION, USER, USER_COUNT, SPAWN_RATE, TEST_TIME],
        |given| action_json(given, "collection", Source::Postman),
    )
    .text(POSTMAN)
    .returns("A document.")
    .example(
        r#"["LD_postman_to_action_json", {"collection": {"item": [
  {"name": "items", "request": {"method": "GET", "url": "http://localhost:8080/items"}}]}}]"#,
    ),
    Declaration::named(
        "LD_load_k6_script",
        "Returns the text of a file with a k6 script.",
        &[file("\"script.js\"")],
        |given| load(given, Form::Text),
    )
    .returns("The text.")
    .example(r#"["LD_load_k6_script", {"file_path": "script.js"}]"#),
    Declaration::named(
        "LD_k6_script_to_tasks",
        "Returns the requests of a k6 script as the tasks of a test.",
        &[SCRIPT],
        |given| tasks(given, "source", Source::K6),
    )
    .text(K6)
    .returns("A list of tasks.")
    .example(r#"["LD_k6_script_to_tasks", {"source": "http.get('http://localhost:8080/items');"}]"#),
    Declaration::named(
        "LD_k6_script_to_action_json",
        "Returns the requests of a k6 script as a document with a test.",
        &[SCRIPT, USER, USER_COUNT, SPAWN_RATE, TEST_TIME],
        |given| action_json(given, "source", Source::K6),
    )
    .text(K6)
    .returns("A document.")
    .example(
        r#"["LD_k6_script_to_action_json", {"source": "http.get('http://localhost:8080/items');"}]"#,
    ),
    Declaration::named(
        "LD_load_jmeter_jmx",
        "Returns the text of a file with a JMeter test plan.",
        &[file("\"plan.jmx\"")],
        |given| load(given, Form::Text),
    )
    .returns("The text, which is XML.")
    .example(r#"["LD_load_jmeter_jmx", {"file_path": "plan.jmx"}]"#),
    Declaration::named(
        "LD_jmeter_to_tasks",
        "Returns the HTTP samplers of a JMeter test plan as the tasks of a test.",
        &[PLAN],
        |given| tasks(given, "root", Source::JMeter),
    )
    .text(JMETER)
    .returns("A list of tasks.")
    .example(r#"["LD_jmeter_to_tasks", {"root": "plan.jmx"}]"#),
    Declaration::named(
        "LD_jmeter_to_action_json",
        "Returns the HTTP samplers of a JMeter test plan as a document with a test.",
        &[PLAN, USER, USER_COUNT, SPAWN_RATE, TEST_TIME],
        |given| action_json(given, "root", Source::JMeter),
    )
    .text(JMETER)
    .returns("A document.")
    .example(r#"["LD_jmeter_to_action_json", {"root": "plan.jmx", "user_count": 5}]"#),
    Declaration::named(
        "LD_generate_from_openapi",
        "Returns a document with a test of an API in a file, and a summary.",
        &[
            Field::required("openapi_path", Kind::Path, "The file, in the data directory.")
                .example("\"api.yaml\""),
            USER,
            USER_COUNT_20,
            SPAWN_RATE,
            TEST_TIME,
            VARIABLES,
            Field::optional("base_url", Kind::Text, "The URL of the API, in place of its own server."),
        ],
        |given| {
            let path = given.required("openapi_path")?.string()?;
            let base = given.if_present("base_url", |base| base.string())?;
            let source = Given::File(path, Source::OpenApi(base));
            generate(given, source)
        },
    )
    .text(OPENAPI)
    .returns("A document.")
    .example(
        r#"["LD_generate_from_openapi", {"openapi_path": "api.yaml", "base_url": "http://localhost:8080"}]"#,
    ),
    Declaration::named(
        "LD_generate_from_curls",
        "Returns a document with a test of commands of curl, and a summary.",
        &[
            Field::required("curls", Kind::TEXTS, "The commands.")
                .example(r#"["curl http://localhost:8080/items"]"#),
            USER,
            USER_COUNT_20,
            SPAWN_RATE,
            TEST_TIME,
            VARIABLES,
        ],
        |given| {
            let curls = given.required("curls")?;
            let curls = curls.list()?.iter().map(|one| one.string()).collect::<Result<_, _>>()?;
            generate(given, Given::Commands(curls))
        },
    )
    .text("A command that is broken is left out, with a warning.")
    .returns("A document.")
    .example(r#"["LD_generate_from_curls", {"curls": ["curl http://localhost:8080/items"]}]"#),
];

const OPENAPI: &str = "OpenAPI 3 and Swagger 2. Parameters of paths are variables (`${var.id}`); required \
    parameters and bodies have the values of examples, or made by their schemas; credentials are variables of \
    the environment. On the command line `ldctl convert` does this for a file, and also sets the host.";

const POSTMAN: &str = "Versions 2.0 and 2.1. Postman's `{{name}}` are variables (`${var.name}`). Expected \
    statuses and variables that scripts set from a response are kept; everything else in scripts is listed. On \
    the command line `ldctl convert` does this for a file, and also replaces secrets and sets the host.";

const K6: &str = "The script is read and not run: literals, constants, `JSON.stringify`, templates, options, \
    checks of the status, groups. What it computes is listed. On the command line `ldctl convert` does this for a \
    file, and makes a test of each scenario.";

const JMETER: &str = "Headers, defaults, credentials, assertions, extractors and the load of the thread group \
    are taken from the tree around a sampler. On the command line `ldctl convert` does this for a file, and makes \
    a test of each thread group.";

const SPEC: Field =
    Field::required("spec", Kind::MEMBERS, "The API, as returned by LD_load_openapi.");

const COLLECTION: Field = Field::required(
    "collection",
    Kind::MEMBERS,
    "The collection, as returned by LD_load_postman_collection.",
);

const SCRIPT: Field =
    Field::required("source", Kind::Text, "The script, as returned by LD_load_k6_script.");

const PLAN: Field = Field::required(
    "root",
    Kind::Text,
    "The test plan: its XML, as returned by LD_load_jmeter_jmx, or a file in the data directory.",
)
.example("\"plan.jmx\"");

const USER_COUNT_20: Field =
    Field::optional("user_count", Kind::Any, "The number of users.").or(Literal::Int(20));

const VARIABLES: Field = Field::optional(
    "variables",
    Kind::MEMBERS,
    "Variables to set before the test, as LD_register_variables does.",
);

const fn file(example: &'static str) -> Field {
    Field::required("file_path", Kind::Path, "The file, in the data directory.").example(example)
}

/// What a byte of a script or of XML may become, in bytes, when it is taken apart.
const UNFOLDED: usize = 40;

/// The form of a file.
#[derive(Debug, Clone, Copy)]
enum Form {
    OpenApi,
    Postman,
    Text,
}

fn load(given: &Arguments<'_>, form: Form) -> Parsed {
    Ok(Box::new(LoadFile { path: given.required("file_path")?.string()?, form }))
}

#[derive(Debug)]
struct LoadFile {
    path: String,
    form: Form,
}

impl Command for LoadFile {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        match self.form {
            Form::OpenApi => read_openapi(context, &self.path),
            Form::Postman => context.read_json(&self.path, 1, |_| Ok(())),
            Form::Text => read_text(context, &self.path).map(Value::Str),
        }
    }
}

fn read_openapi(context: &mut Context<'_>, path: &str) -> Result<Value, Failure> {
    let lower = path.to_lowercase();
    if lower.ends_with(".yaml") || lower.ends_with(".yml") {
        return read_as(context, path, Syntax::Yaml, yaml_weight);
    }
    context.read_json(path, 1, |_| Ok(()))
}

/// Reads a text; its share is kept with the result.
fn read_text(context: &mut Context<'_>, path: &str) -> Result<String, Failure> {
    let content = context.read(path)?;
    let (bytes, share) = content.into_parts();
    context.hold(share);
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Failure::new(FailureKind::InvalidFile, format!("{path:?} is not UTF-8 (byte {valid})"))
    })
}

/// What is imported.
#[derive(Debug)]
enum Source {
    /// With the URL in place of its server.
    OpenApi(Option<String>),
    Postman,
    K6,
    JMeter,
}

/// Where it comes from.
#[derive(Debug)]
enum Given {
    Value(Value, Source),
    File(String, Source),
    Commands(Vec<String>),
}

impl Given {
    fn import(self, context: &mut Context<'_>) -> Result<Import, Failure> {
        let import = match self {
            Self::Value(value, source) => source.import(&value, context)?,
            Self::File(path, source) => {
                let value = read_openapi(context, &path)?;
                source.import(&value, context)?
            }
            Self::Commands(commands) => {
                let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
                curl::tasks(&commands).map_err(refused)?
            }
        };
        let mut share = context.memory().share("imported requests");
        share.grow(import.weight()).map_err(|full| full_memory(&full))?;
        context.hold(share);
        Ok(import)
    }
}

impl Source {
    /// An argument, which is an object or a text.
    fn value(&self, argument: &Reader<'_>) -> Result<Value, Invalid> {
        match (self, argument.value()) {
            (Self::OpenApi(_) | Self::Postman, value @ Value::Dict(_)) => Ok(value.clone()),
            (Self::K6 | Self::JMeter, _) => argument.string().map(Value::Str),
            (Self::OpenApi(_), _) => {
                Err(argument.expected("an API, as returned by LD_load_openapi"))
            }
            (Self::Postman, _) => {
                Err(argument.expected("a collection, as returned by LD_load_postman_collection"))
            }
        }
    }

    fn import(self, value: &Value, context: &mut Context<'_>) -> Result<Import, Failure> {
        let text = value.as_str().unwrap_or_default();
        let import = match self {
            Self::OpenApi(base) => openapi::import(value, base.as_deref()),
            Self::Postman => postman::import(value),
            Self::K6 => {
                unfolding(context, text)?;
                k6::import_as_one(text)
            }
            Self::JMeter if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') => {
                unfolding(context, text)?;
                jmeter::import(text.trim_start_matches('\u{feff}'))
            }
            Self::JMeter => {
                let text = read_text(context, text)?;
                unfolding(context, &text)?;
                jmeter::import(text.trim_start_matches('\u{feff}'))
            }
        };
        import.map_err(refused)
    }
}

/// Takes a share for what a text becomes when it is taken apart.
fn unfolding(context: &mut Context<'_>, text: &str) -> Result<(), Failure> {
    let mut share = context.memory().share("parts of a text");
    share.grow(text.len().saturating_mul(UNFOLDED)).map_err(|full| full_memory(&full))?;
    context.hold(share);
    Ok(())
}

fn full_memory(full: &Full) -> Failure {
    Failure::new(FailureKind::Refused, full.to_string())
}

fn refused(why: NotImported) -> Failure {
    Failure::new(FailureKind::InvalidValue, why.to_string())
}

fn tasks(given: &Arguments<'_>, name: &str, source: Source) -> Parsed {
    Ok(Box::new(Tasks(Given::Value(source.value(&given.required(name)?)?, source))))
}

#[derive(Debug)]
struct Tasks(Given);

impl Command for Tasks {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let import = self.0.import(context)?;
        let (tasks, notices) = import.into_tasks();
        context.warn(notices.lines());
        Ok(Value::List(tasks))
    }
}

fn action_json(given: &Arguments<'_>, name: &str, source: Source) -> Parsed {
    let value = source.value(&given.required(name)?)?;
    Ok(Box::new(ActionJson { given: Given::Value(value, source), load: Load::read(given)? }))
}

#[derive(Debug)]
struct ActionJson {
    given: Given,
    load: Load,
}

impl Command for ActionJson {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { given, load } = *self;
        let mut import = given.import(context)?;
        let own = import.tests.first_mut().map(|test| std::mem::take(&mut test.load));
        let more = Extras::take(&mut import);
        let (tasks, notices) = import.into_tasks();
        context.warn(notices.lines());
        let mut test = load.test(tasks, own.unwrap_or_default());
        test.extend(more.of_test);
        let mut actions = vec![action("LD_start_test", test)];
        actions.extend(more.gates);
        Ok(document(actions))
    }
}

/// What an import has beside its tasks.
struct Extras {
    /// Variables and CSV sources.
    of_test: Map,
    gates: Option<Value>,
}

impl Extras {
    fn take(import: &mut Import) -> Self {
        let variables = std::mem::take(&mut import.variables);
        let sources = std::mem::take(&mut import.sources);
        let gates = std::mem::take(&mut import.gates);
        let mut of_test = Map::new();
        if !variables.is_empty() {
            of_test.insert("variables".to_owned(), Value::Dict(variables));
        }
        if !sources.is_empty() {
            of_test.insert("csv_sources".to_owned(), Value::List(sources));
        }
        let rules = |rules| Map::from([("rules".to_owned(), Value::List(rules))]);
        let gates = (!gates.is_empty()).then(|| action("LD_assert_sla", rules(gates)));
        Self { of_test, gates }
    }
}

fn generate(given: &Arguments<'_>, source: Given) -> Parsed {
    let variables = given.if_present("variables", |variables| match variables.value() {
        Value::Dict(members) => Ok(members.clone()),
        _ => Err(variables.expected("an object")),
    })?;
    let variables = variables.unwrap_or_default();
    Ok(Box::new(Generate { given: source, load: Load::read(given)?, variables }))
}

#[derive(Debug)]
struct Generate {
    given: Given,
    load: Load,
    variables: Map,
}

impl Command for Generate {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { given, load, variables } = *self;
        let mut import = given.import(context)?;
        // Those of the call take precedence.
        let mut registered = std::mem::take(&mut import.variables);
        registered.extend(variables);
        let (tasks, notices) = import.into_tasks();
        context.warn(notices.lines());
        let mut actions = Vec::new();
        if !registered.is_empty() {
            let arguments = Map::from([("variables".to_owned(), Value::Dict(registered))]);
            actions.push(action("LD_register_variables", arguments));
        }
        actions.push(action(
            "LD_start_test",
            Map::from([
                ("user_detail_dict".to_owned(), Value::dict([("user", load.user)])),
                ("user_count".to_owned(), load.user_count),
                ("spawn_rate".to_owned(), load.spawn_rate),
                ("test_time".to_owned(), load.test_time),
                ("tasks".to_owned(), tasks.into()),
            ]),
        ));
        let summary = Map::from([("report_name".to_owned(), Value::from("summary"))]);
        actions.push(action("LD_generate_summary_report", summary));
        Ok(document(actions))
    }
}

#[derive(Debug)]
struct Curl(String);

impl Command for Curl {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let (task, notices) = curl::task(&self.0).map_err(refused)?;
        context.warn(notices.lines());
        Ok(Value::Dict(task))
    }
}
