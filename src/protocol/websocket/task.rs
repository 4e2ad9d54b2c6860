//! A WebSocket task: its step, its message, and what is expected of the received one. Parsing refuses
//! what the document alone shows to be wrong, linking refuses wrong constants, each with its place.

use std::borrow::Cow;

use bytes::Bytes;
use tungstenite::protocol::Message;

use super::address::{Address, is_scheme};
use super::handshake::OWN;
use super::reply::Reply;
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template};
use crate::protocol::deadline::Timeout;
use crate::protocol::hex;
use crate::protocol::http::{SettingDraft, link_headers, parse_headers, proxies};
use crate::protocol::placed::Placed;
use crate::protocol::step::{
    CommonDraft, Defaults, Expected, StepDraft, Target, TargetDraft, check_message,
};
use crate::value::{Invalid, Object, Reader, Value};

/// The step of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Connect,
    Send,
    Recv,
    SendRecv,
    Close,
}

impl Method {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Connect, "connect"),
        (Self::Send, "send"),
        (Self::Recv, "recv"),
        (Self::SendRecv, "sendrecv"),
        (Self::Close, "close"),
    ];

    /// Whether it sends a message.
    pub(super) fn sends(self) -> bool {
        matches!(self, Self::Send | Self::SendRecv)
    }

    /// Whether it receives a message.
    pub(super) fn receives(self) -> bool {
        matches!(self, Self::Recv | Self::SendRecv)
    }
}

/// Parses the host of a test.
pub(super) fn host(field: &Reader<'_>) -> Result<String, Invalid> {
    let text = field.text()?.trim();
    let scheme = text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme));
    if !scheme && !text.contains("${") {
        return Err(field.expected("a URL that begins with ws:// or wss://"));
    }
    Ok(text.to_owned())
}

/// Whether a constant URL is one.
fn check(url: &str) -> Result<(), String> {
    Address::parse(url).map(drop).map_err(|why| why.to_string())
}

/// A parsed task.
#[derive(Debug)]
pub(crate) struct TaskDraft {
    method: Method,
    target: TargetDraft,
    payload: Placed<Draft>,
    binary: bool,
    expected: Expected<Draft>,
    headers: Vec<(String, Placed<Draft>)>,
    subprotocols: Option<Draft>,
}

impl StepDraft for TaskDraft {
    type Defaults = Defaults;
    type Task = Task;

    fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        defaults: &Defaults,
        compiler: &mut Compiler,
    ) -> Result<(Self, CommonDraft), Invalid> {
        let (method, target) = TargetDraft::parse(&Method::ALL, fields, defaults, compiler, check)?;
        let binary = fields.or_default("binary", |field| field.boolean())?;
        let payload = payload(fields, binary, compiler)?;
        let receivers = (!method.receives()).then_some("recv or sendrecv");
        let (expected, checks) =
            Expected::parse::<Reply>(&task.fields, fields, receivers, compiler)?;
        let via = proxies(fields, defaults.proxies.as_ref())?;
        let timeout = Timeout::parse(fields)?;
        let headers = parse_headers(fields, compiler)?;
        if let Some((name, value)) = headers.iter().find(|(name, _)| {
            OWN.iter().any(|own| own.eq_ignore_ascii_case(name) && *own != "Host")
        }) {
            let hint = match name.eq_ignore_ascii_case("Sec-WebSocket-Protocol") {
                true => "; use \"subprotocols\"",
                false => "",
            };
            return Err(value.refusal(format!("the handshake sets it itself{hint}")));
        }
        let subprotocols = subprotocols(fields, compiler)?;
        let setting = Some(SettingDraft::parse(fields, false, via)?);
        Ok((
            Self { method, target, payload, binary, expected, headers, subprotocols },
            CommonDraft { timeout, setting, checks },
        ))
    }

    fn link(mut self, linker: &mut Linker<'_>) -> Result<Task, Invalid> {
        let url = self.target.link_url(linker, check)?;
        let payload = self.payload.link(linker)?;
        check_message(&payload, self.binary)?;
        let payload = match payload.value.as_literal() {
            Some(text) => Payload::Fixed(
                message(text.as_bytes().to_vec(), self.binary)
                    .map_err(|why| payload.refusal(why))?,
            ),
            None => Payload::Varying(payload.value),
        };
        Ok(Task {
            method: self.method,
            target: self.target.link(url, linker)?,
            payload,
            binary: self.binary,
            expected: self.expected.link(linker)?,
            headers: link_headers(self.headers, linker)?,
            subprotocols: self.subprotocols.map(|text| text.link(linker)).transpose()?,
        })
    }
}

/// The message that is sent: text as it is, everything else as JSON.
fn payload(
    fields: &mut Object<'_>,
    binary: bool,
    compiler: &mut Compiler,
) -> Result<Placed<Draft>, Invalid> {
    let Some(field) = fields.present("payload") else {
        return Ok(Placed::nowhere(Draft::default()));
    };
    let text = match field.value() {
        Value::Str(text) => compiler.template(text),
        other => compiler.json(other),
    };
    let payload = Placed::at(&field, text);
    check_message(&payload, binary)?;
    Ok(payload)
}

/// The subprotocols as their header has them.
fn subprotocols(
    fields: &mut Object<'_>,
    compiler: &mut Compiler,
) -> Result<Option<Draft>, Invalid> {
    let Some(field) = fields.present("subprotocols") else { return Ok(None) };
    let names = match field.value() {
        Value::Str(_) => vec![field],
        _ => field.list()?,
    };
    let mut header = Draft::default();
    for name in &names {
        let text = name.text()?;
        let token = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&byte);
        if text.is_empty() || !text.contains("${") && !text.bytes().all(token) {
            return Err(name.expected("the name of a subprotocol"));
        }
        if !header.is_empty() {
            header.push_literal(", ");
        }
        header.push(compiler.template(text));
    }
    Ok((!header.is_empty()).then_some(header))
}

/// A message of these bytes.
fn message(bytes: Vec<u8>, binary: bool) -> Result<Message, &'static str> {
    if binary {
        return Ok(Message::Binary(match hex::decode(&bytes)? {
            Cow::Borrowed(_) => bytes.into(),
            Cow::Owned(decoded) => decoded.into(),
        }));
    }
    let text = Bytes::from(bytes).try_into().map_err(|_| "the message is not UTF-8")?;
    Ok(Message::Text(text))
}

/// The message of a task.
#[derive(Debug)]
enum Payload {
    /// The same every time; users share it.
    Fixed(Message),
    /// With placeholders.
    Varying(Template),
}

/// A task, ready to run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(super) method: Method,
    pub(super) target: Target,
    payload: Payload,
    binary: bool,
    /// What the received message must contain.
    pub(super) expected: Expected,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) subprotocols: Option<Template>,
}

impl Task {
    /// The message of this execution.
    pub(super) fn message(&self, scope: &mut Scope) -> Result<Message, &'static str> {
        match &self.payload {
            Payload::Fixed(message) => Ok(message.clone()),
            Payload::Varying(text) => {
                let mut bytes = Vec::with_capacity(text.written_length());
                text.fill(scope, &mut bytes);
                message(bytes, self.binary)
            }
        }
    }
}
