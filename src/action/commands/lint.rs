//! What is suspicious in a document, without running it: `LD_lint_action`, `LD_lint_action_file`.

use crate::action::arguments::required;
use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::value::Value;

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named("LD_lint_action", &[required("actions")], |given| {
        Ok(Box::new(LintAction(given.required("actions")?.value().clone())))
    }),
    Declaration::named("LD_lint_action_file", &[required("path")], |given| {
        Ok(Box::new(LintFile(given.required("path")?.text()?.to_owned())))
    }),
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
        Ok(context.interpreter().lint(&context.files().read_json(&self.0)?))
    }
}
