//! Likely mistakes in a document, found without running it: `LD_lint_action`,
//! `LD_lint_action_file`.

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::value::{Field, Kind, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_lint_action",
        "Returns the errors and likely mistakes in a document, without running it.",
        &[Field::required("actions", Kind::Any, "The document, valid or not.")],
        |given| Ok(Box::new(LintAction(given.required("actions")?.value().clone()))),
    )
    .returns("A list of objects: `rule`, `severity`, `message`, `location`.")
    .example(r#"["LD_lint_action", {"actions": [["LD_summary"]]}]"#),
    Declaration::named(
        "LD_lint_action_file",
        "Returns the errors and likely mistakes in a document file, without running it.",
        &[Field::required("path", Kind::Path, "The document's file.")],
        |given| Ok(Box::new(LintFile(given.required("path")?.string()?))),
    )
    .returns("A list of objects: `rule`, `severity`, `message`, `location`.")
    .example(r#"["LD_lint_action_file", {"path": "checkout.json"}]"#),
];

#[derive(Debug)]
struct LintAction(Value);

impl Command for LintAction {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        Ok(context.interpreter().lint(&self.0))
    }
}

#[derive(Debug)]
struct LintFile(String);

impl Command for LintFile {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let document = context.read_json(&self.0, 1, |_| Ok(()))?;
        Ok(context.interpreter().lint(&document))
    }
}
