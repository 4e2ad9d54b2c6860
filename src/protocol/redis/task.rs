//! A Redis task: its command, and what is expected of the reply. Parsing refuses what the document
//! alone shows to be wrong, linking refuses wrong constants, each with its place.

use std::sync::Arc;

use super::address::Address;
use super::resp::{Reply, command_into};
use crate::load::predicate::Operand;
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::protocol::check::Checks;
use crate::protocol::deadline::Timeout;
use crate::protocol::http::{Proxies, SettingDraft};
use crate::protocol::placed::Placed;
use crate::protocol::step::{CommonDraft, StepDraft, name};
use crate::value::{Invalid, Object, Reader, Value};

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Command {
    /// Its name in documents.
    method: &'static str,
    /// Its name in the protocol.
    verb: &'static [u8],
    /// Whether it takes a value.
    has_value: bool,
}

const COMMANDS: [Command; 7] = [
    Command { method: "get", verb: b"GET", has_value: false },
    Command { method: "set", verb: b"SET", has_value: true },
    Command { method: "incr", verb: b"INCR", has_value: false },
    Command { method: "lpush", verb: b"LPUSH", has_value: true },
    Command { method: "rpop", verb: b"RPOP", has_value: false },
    Command { method: "delete", verb: b"DEL", has_value: false },
    Command { method: "exists", verb: b"EXISTS", has_value: false },
];

impl Command {
    fn parse(field: &Reader<'_>) -> Result<Self, Invalid> {
        let name = field.text()?;
        let found = COMMANDS.into_iter().find(|known| known.method.eq_ignore_ascii_case(name));
        found.ok_or_else(|| field.choice(&COMMANDS.map(|known| known.method)))
    }
}

/// A parsed task.
#[derive(Debug)]
pub(crate) struct TaskDraft {
    command: Command,
    server: Draft,
    name: Draft,
    key: Draft,
    value: Draft,
    expect: Option<Operand<Draft>>,
}

impl StepDraft for TaskDraft {
    type Defaults = Placed<String>;
    type Task = Task;

    fn parse(
        _: &TaskSource<'_>,
        fields: &mut Object<'_>,
        server: &Placed<String>,
        compiler: &mut Compiler,
    ) -> Result<(Self, CommonDraft), Invalid> {
        let command = Command::parse(&fields.required("method")?)?;
        let name = name(fields, compiler).unwrap_or_else(|| Draft::literal(command.method));
        let key = fields.required("key")?;
        if key.is_null() || matches!(key.value(), Value::Dict(_) | Value::List(_)) {
            return Err(key.expected("a key"));
        }
        let key = compiler.template(&key.value().to_text());
        let value = match fields.present("value") {
            Some(field) if !command.has_value => {
                let method = command.method;
                return Err(field.invalid(format!("the method {method} takes no value")));
            }
            Some(field) => match field.value() {
                Value::Dict(_) | Value::List(_) => compiler.json(field.value()),
                value => compiler.template(&value.to_text()),
            },
            None => Draft::default(),
        };
        let expect = fields.present("expect");
        let expect = expect
            .map(|field| compiler.aside(|compiler| Operand::compile(field.value(), compiler)));
        let timeout = Timeout::parse(fields)?;
        let server = compiler.template(&server.value);
        // Proxies of HTTP do not lead to a server of Redis.
        let setting = Some(SettingDraft::parse(fields, false, Some(Proxies::default()))?);
        let checks = Checks::parse::<Reply>(fields, compiler)?;
        Ok((
            Self { command, server, name, key, value, expect },
            CommonDraft { timeout, setting, checks },
        ))
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<Task, Invalid> {
        Ok(Task {
            command: self.command,
            server: self.server.link(linker)?,
            address: None,
            name: self.name.link(linker)?,
            key: self.key.link(linker)?,
            value: self.value.link(linker)?,
            expect: self.expect.map(|value| value.link(linker)).transpose()?,
        })
    }
}

/// A task, ready to run.
#[derive(Debug)]
pub(crate) struct Task {
    command: Command,
    /// The URL of the server.
    pub(super) server: Template,
    /// The same, if it is constant.
    pub(super) address: Option<Arc<Address>>,
    pub(super) name: Template,
    key: Template,
    value: Template,
    expect: Option<Operand>,
}

impl Task {
    /// Writes the command of this execution.
    pub(super) fn fill(&self, scope: &mut Scope, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        scratch.clear();
        self.key.fill(scope, scratch);
        let key = scratch.len();
        self.value.fill(scope, scratch);
        let (key, value) = scratch.split_at(key);
        out.clear();
        match self.command.has_value {
            true => command_into(&[self.command.verb, key, value], out),
            false => command_into(&[self.command.verb, key], out),
        }
    }

    /// Returns why a reply is not the expected one, in the words of the reference.
    pub(super) fn unexpected(&self, reply: &Reply, scope: &mut Scope) -> Option<String> {
        let expected = scope.aside(|scope| self.expect.as_ref().map(|text| text.value(scope)))?;
        let (text, wanted) = (reply.as_python(), expected.to_text());
        let ok = matches!(reply, Reply::Status(status) if *status == wanted);
        (text != wanted && !ok).then(|| {
            let (expected, got) = (expected.to_repr(), Value::from(&*text).to_repr());
            format!("redis expected {expected}, got {got}")
        })
    }
}
