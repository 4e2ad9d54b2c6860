//! A Redis task: its command, and what is expected of the reply. Parsing refuses what the document
//! alone shows to be wrong, linking refuses wrong constants, each with its place.

use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::resp::{Reply, command_into};
use crate::load::pacer;
use crate::load::predicate::Operand;
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::protocol::check::Checks;
use crate::protocol::http::{Proxies, Setting, SettingDraft};
use crate::protocol::labels::{Name, Naming};
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
pub(super) struct TaskDraft {
    /// Its place in the document.
    pub(super) place: String,
    command: Command,
    server: Draft,
    name: Draft,
    key: Draft,
    value: Draft,
    expect: Option<Operand<Draft>>,
    timeout: f64,
    setting: SettingDraft,
    checks: Checks<Draft>,
}

impl TaskDraft {
    /// Takes the fields of a Redis task.
    pub(super) fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        server: &str,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        if task.key.is_some() {
            return Err(task.fields.invalid("the tasks of a redis_user must be a list"));
        }
        let command = Command::parse(&fields.required("method")?)?;
        let name = fields.present("name").map(|field| field.value().to_text());
        let name = name.filter(|name| !name.is_empty()).map(|name| compiler.template(&name));
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
        let timeout = fields
            .or_default("timeout", |field| field.positive().and_then(|_| pacer::seconds(field)))?;
        Ok(Self {
            place: task.fields.pointer(),
            command,
            server: compiler.template(server),
            name: name.unwrap_or_else(|| Draft::literal(command.method)),
            key,
            value,
            expect,
            timeout,
            // Proxies of HTTP do not lead to a server of Redis.
            setting: SettingDraft::parse(fields, false, Some(Proxies::default()))?,
            checks: Checks::parse::<Reply>(fields, compiler)?,
        })
    }

    /// Links the task; returns also its TLS setting.
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<(Task, Setting), Invalid> {
        let task = Task {
            command: self.command,
            server: self.server.link(linker)?,
            address: None,
            name: self.name.link(linker)?,
            key: self.key.link(linker)?,
            value: self.value.link(linker)?,
            expect: self.expect.map(|value| value.link(linker)).transpose()?,
            timeout: Duration::from_secs_f64(self.timeout),
            timeout_text: format!("{}", self.timeout),
            setting: 0,
            checks: self.checks.link(linker)?,
        };
        Ok((task, self.setting.link(linker)?))
    }
}

/// A task, ready to run.
#[derive(Debug)]
pub(super) struct Task {
    command: Command,
    /// The URL of the server.
    pub(super) server: Template,
    /// The same, if it is constant.
    pub(super) address: Option<Arc<Address>>,
    name: Template,
    key: Template,
    value: Template,
    expect: Option<Operand>,
    pub(super) timeout: Duration,
    /// The timeout as in a record.
    pub(super) timeout_text: String,
    /// The index of its TLS setting in the driver.
    pub(super) setting: usize,
    pub(super) checks: Checks,
}

impl Task {
    /// The label of its steps.
    pub(super) fn naming<'a>(&'a self, server: &'a Template) -> Naming<'a> {
        Naming { method: "REDIS", url: server, name: Name::Written(&self.name) }
    }

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
