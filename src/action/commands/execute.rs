//! Documents inside documents: `LD_execute_action`, `LD_execute_files`; and the reference's
//! commands that ldctl refuses by design.

use crate::action::arguments::{Arguments, Call};
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::value::{Field, Kind, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_execute_action",
        "Runs a document inside this one and returns the results by action.",
        &[Field::required("action_list", Kind::Document, "The document.")],
        execute_action,
    )
    .returns(
        "An object: the key `execute: ` and the action as text, and what the action returned, \
         for each action.",
    )
    .example(r#"["LD_execute_action", {"action_list": [["LD_clear_records"], ["LD_summary"]]}]"#),
    Declaration::named(
        "LD_execute_files",
        "Runs documents from files in order and returns the results by file and action.",
        &[Field::required("execute_files_list", Kind::List(&Kind::Path), "The files.")],
        execute_files,
    )
    .text("The files are in the data directory, and are read when the action runs.")
    .returns("A list with one such object per file, as LD_execute_action returns it.")
    .example(r#"["LD_execute_files", {"execute_files_list": ["login.json", "checkout.json"]}]"#),
    Declaration::free(
        "LD_add_package_to_executor",
        "Refused: would load Python code.",
        |_: &Call<'_>| {
            Err(refused(
                "LD_add_package_to_executor loads code into the server and is refused by design; \
                 put what it should do into actions",
            ))
        },
    )
    .returns("Nothing: it always fails."),
    Declaration::free(
        "LD_start_socket_server",
        "Refused: would start a second server without protection.",
        |_: &Call<'_>| {
            Err(refused(
                "LD_start_socket_server opens a second, unprotected server and is refused by \
                 design; start another `ldctl serve`",
            ))
        },
    )
    .returns("Nothing: it always fails."),
];

fn refused(message: &str) -> Failure {
    Failure::new(FailureKind::Refused, message)
}

#[derive(Debug)]
struct ExecuteAction(Value);

fn execute_action(given: &Arguments<'_>) -> Parsed {
    Ok(Box::new(ExecuteAction(given.required("action_list")?.value().clone())))
}

impl Command for ExecuteAction {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.interpreter().execute(&self.0, None, context)
    }
}

#[derive(Debug)]
struct ExecuteFiles(Vec<String>);

fn execute_files(given: &Arguments<'_>) -> Parsed {
    let list = given.required("execute_files_list")?.list()?;
    let paths = list.iter().map(|path| path.string()).collect::<Result<_, _>>()?;
    Ok(Box::new(ExecuteFiles(paths)))
}

impl Command for ExecuteFiles {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let results = self.0.iter().map(|path| {
            if context.cancel().is_cancelled() {
                let message = format!("{path:?} was not run: the document was cancelled");
                return Err(Failure::new(FailureKind::Cancelled, message));
            }
            execute_file(path, context)
        });
        results.collect::<Result<Vec<_>, _>>().map(Value::List)
    }
}

fn execute_file(path: &str, context: &mut Context<'_>) -> Result<Value, Failure> {
    // The value, and the actions that are read from it.
    let value = context.read_json(path, 2, |_| Ok(()))?;
    let file = context.files().identity(path)?;
    if context.interpreter().is_executing(&file) {
        let message = format!("{path:?} would run itself; take it out of its own list");
        return Err(Failure::new(FailureKind::InvalidFile, message));
    }
    context.interpreter().execute(&value, Some(file), context)
}
