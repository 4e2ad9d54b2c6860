//! `ldctl init`: a document to begin with, made from one of the examples. Those start a stub server,
//! so that they run as they stand; with `--host` it is left out.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::new_file;
use crate::action::{Surroundings, check, pretty, schema};
use crate::cli::{Init, Template};
use crate::console::Console;
use crate::error::{Error, Exit};
use crate::value::Value;
use crate::value::field::nearest;

/// Where a package has the schema.
const INSTALLED: &str = "/usr/share/ldctl/actions.json";

/// The schema's name beside a document.
const BESIDE: &str = "ldctl.schema.json";

/// The CSV file of the examples, its name beside a document, and its content.
const USERS: (&str, &str, &str) =
    ("examples/users.csv", "users.csv", include_str!("../../examples/users.csv"));

/// A password of the examples.
const SECRET: &str = "${env.SHOP_PASSWORD}";

fn source(template: Template) -> &'static str {
    match template {
        Template::Http => include_str!("../../examples/quickstart.json"),
        Template::Login => include_str!("../../examples/login-and-token.json"),
        Template::Csv => include_str!("../../examples/users-from-csv.json"),
        Template::OpenModel => include_str!("../../examples/open-model.json"),
        Template::Stages => include_str!("../../examples/stages.json"),
        Template::Gates => include_str!("../../examples/gates-in-ci.json"),
    }
}

pub(super) fn init(args: &Init, console: &mut Console) -> Result<Exit, Error> {
    let (template, file) = meant(args)?;
    new_file::must_be_json(file, "init")?;
    let broken =
        |why: &dyn std::fmt::Display| Error::usage(format!("the template is broken: {why}"));
    let example = Value::parse(source(template)).map_err(|error| broken(&error))?;
    let stdout = file.as_os_str() == "-";
    let directory = file.parent().filter(|_| !stdout).unwrap_or(Path::new("")).to_owned();
    let installed = Path::new(INSTALLED).exists();
    let schema_place = if installed { INSTALLED.to_owned() } else { format!("./{BESIDE}") };
    let users = beside(&directory, USERS.1);
    let mut document = document(&example, &schema_place, args.host.as_deref());
    rename(&mut document, USERS.0, &users);
    if args.host.is_none() {
        // The stub server takes any, and the document shall run as it stands.
        rename(&mut document, SECRET, "secret");
    }
    if let Some(host) = &args.host
        && let Some(finding) =
            check(&document, &Surroundings::unknown()).iter().find(|finding| finding.is_error())
    {
        return Err(Error::usage(format!("--host {host:?}: {}", finding.message)));
    }
    let text = pretty(document);
    if stdout {
        console.write(text.as_bytes());
        return Ok(Exit::Done);
    }
    new_file::write(file, &text, args.force)?;
    let mut written = vec![file.display().to_string()];
    let mut kept = Vec::new();
    let mut companion = |path: PathBuf, text: &str| -> Result<(), Error> {
        // What is there already is the user's.
        if args.force || !path.exists() {
            new_file::write(&path, text, args.force)?;
            written.push(path.display().to_string());
        } else {
            kept.push(path.display().to_string());
        }
        Ok(())
    };
    if template == Template::Csv {
        companion(directory.join(USERS.1), USERS.2)?;
    }
    if !installed {
        let schema = serde_json::to_string_pretty(&schema()).map_err(|error| broken(&error))?;
        companion(directory.join(BESIDE), &(schema + "\n"))?;
    }
    console.message(&format!("wrote {}", written.join(", ")));
    if !kept.is_empty() {
        console
            .message(&format!("kept {}, which was there (--force replaces it)", kept.join(", ")));
    }
    if text.contains(SECRET) {
        console.message("set the environment variable SHOP_PASSWORD before it runs");
    }
    let file = file.display();
    console.message(&match &args.host {
        Some(host) => format!("`ldctl run {file}` makes load on {host}"),
        None => {
            format!("`ldctl run {file}` makes load on a stub server; add --host URL for a target")
        }
    });
    Ok(Exit::Done)
}

/// The template and the file that are meant.
fn meant(args: &Init) -> Result<(Template, &Path), Error> {
    let Some(first) = &args.first else {
        return Err(Error::usage("name the file to write: `ldctl init FILE`"));
    };
    let name = first.to_str().unwrap_or_default();
    let template = Template::from_str(name, false);
    match (template, &args.second) {
        (Ok(template), Some(file)) => Ok((template, file)),
        (Ok(_), None) => Err(Error::usage(format!(
            "{name} is a template; name the file, too: `ldctl init {name} {name}.json` (or ./{name} \
             for a file of this name)"
        ))),
        (Err(_), None) => Ok((Template::Http, Path::new(first))),
        (Err(_), Some(_)) => {
            let names = Template::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
            let meant = nearest(name, names.iter().map(String::as_str));
            let meant = meant.map(|meant| format!(", did you mean {meant}?")).unwrap_or_default();
            Err(Error::usage(format!(
                "no template is called {name:?}{meant}; there are {}",
                names.join(", ")
            )))
        }
    }
}

/// The path of a file in the directory of a document, as the document names it.
fn beside(directory: &Path, name: &str) -> String {
    directory.join(name).display().to_string()
}

/// An example with another schema, and without its stub server where a host is given.
fn document(example: &Value, schema: &str, host: Option<&str>) -> Value {
    let actions = example.get("load_density").unwrap_or(example);
    let Value::List(actions) = actions else { return example.clone() };
    let mut actions = actions.clone();
    if let Some(host) = host {
        let is_stub = |action: &Value| matches!(action, Value::List(action) if action.first().and_then(Value::as_str).is_some_and(|name| name.ends_with("_stub_server")));
        actions.retain(|action| !is_stub(action));
        for action in &mut actions {
            if let Value::List(action) = action
                && let Some(Value::Dict(arguments)) = action.get_mut(1)
                && let Some(Value::Dict(detail)) = arguments.get_mut("user_detail_dict")
            {
                detail.insert("host".to_owned(), host.into());
            }
        }
    }
    Value::dict([("$schema", Value::from(schema)), ("load_density", Value::List(actions))])
}

/// Replaces a text wherever it stands.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Str(text) if text == from => *text = to.to_owned(),
        Value::List(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Dict(members) => members.values_mut().for_each(|member| rename(member, from, to)),
        _ => {}
    }
}
