//! A WebSocket task: its step, its message, and what is expected of the received one. Parsing refuses
//! what the document alone shows to be wrong, linking refuses wrong constants, each with its place.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use tungstenite::protocol::Message;

use super::address::{Address, is_scheme};
use super::handshake::OWN;
use super::reply::Reply;
use crate::load::pacer;
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template, Text};
use crate::protocol::check::Checks;
use crate::protocol::hex;
use crate::protocol::http::{Setting, SettingDraft, link_headers, parse_headers, proxies};
use crate::protocol::labels::{Name, Naming};
use crate::protocol::placed::Placed;
use crate::protocol::step::{Defaults, check_url, method, name, url_or};
use crate::value::{Invalid, Object, Reader, Value};

/// The longest message that is sent, in bytes.
const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

/// The step of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
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

    /// The name of steps without one: the URL, or the method where there is none.
    fn naming(self) -> fn(&str) -> String {
        match self {
            Self::Connect => |url| url_or(url, "connect"),
            Self::Send => |url| url_or(url, "send"),
            Self::Recv => |url| url_or(url, "recv"),
            Self::SendRecv => |url| url_or(url, "sendrecv"),
            Self::Close => |url| url_or(url, "close"),
        }
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
pub(super) struct TaskDraft {
    /// Its place in the document.
    pub(super) place: String,
    method: Method,
    /// `None` stands for the user's connection, or else the host.
    url: Option<Placed<Draft>>,
    host: Option<Draft>,
    name: Option<Draft>,
    payload: Placed<Draft>,
    binary: bool,
    expect: Option<Draft>,
    any: bool,
    timeout: f64,
    headers: Vec<(String, Placed<Draft>)>,
    subprotocols: Option<Draft>,
    setting: SettingDraft,
    checks: Checks<Draft>,
}

impl TaskDraft {
    /// Takes the fields of a WebSocket task.
    pub(super) fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        defaults: &Defaults,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        if task.key.is_some() {
            return Err(task.fields.invalid("the tasks of a websocket_user must be a list"));
        }
        let method = fields.or_default("method", |field| method(field, &Method::ALL))?;
        let url = defaults.url(fields, compiler, check)?;
        let host = defaults.host.as_deref().map(|host| compiler.template(host));
        let name = name(fields, compiler);
        let binary = fields.or_default("binary", |field| field.boolean())?;
        let payload = payload(fields, binary, compiler)?;
        let expect = fields.present("expect");
        let any = match fields.present("match") {
            None => false,
            Some(field) => match field.text()? {
                "first" => false,
                "any" if expect.is_none() => {
                    return Err(field.invalid("\"any\" needs \"expect\": what it looks for"));
                }
                "any" => true,
                _ => return Err(field.choice(&["first", "any"])),
            },
        };
        let checks = Checks::parse::<Reply>(fields, compiler)?;
        if !method.receives() && (expect.is_some() || !checks.is_empty()) {
            let place = expect.as_ref().unwrap_or(&task.fields);
            return Err(place.invalid(
                "\"expect\", \"assertions\" and \"extract\" need the method recv or sendrecv: \
                 another one receives no message",
            ));
        }
        let via = proxies(fields, defaults.proxies.as_ref())?;
        let expect = expect
            .map(|field| compiler.aside(|compiler| compiler.template(&field.value().to_text())));
        let timeout = fields
            .or_default("timeout", |field| field.positive().and_then(|_| pacer::seconds(field)))?;
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
        Ok(Self {
            place: task.fields.pointer(),
            method,
            url,
            host,
            name,
            payload,
            binary,
            expect,
            any,
            timeout,
            headers,
            subprotocols: subprotocols(fields, compiler)?,
            setting: SettingDraft::parse(fields, false, via)?,
            checks,
        })
    }

    /// Links the task; returns also its TLS and proxy setting.
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<(Task, Setting), Invalid> {
        let url = self.url.map(|url| url.link(linker)).transpose()?;
        if let Some(url) = &url {
            check_url(url, check)?;
        }
        let payload = self.payload.link(linker)?;
        check_payload(&payload, self.binary)?;
        let payload = match payload.value.as_literal() {
            Some(text) => Payload::Fixed(
                message(text.as_bytes().to_vec(), self.binary)
                    .map_err(|why| payload.refusal(why))?,
            ),
            None => Payload::Varying(payload.value),
        };
        let task = Task {
            method: self.method,
            url: url.map(|url| url.value),
            host: self.host.map(|host| host.link(linker)).transpose()?,
            name: self.name.map(|name| name.link(linker)).transpose()?,
            payload,
            binary: self.binary,
            expect: self.expect.map(|text| text.link(linker)).transpose()?,
            any: self.any,
            timeout: Duration::from_secs_f64(self.timeout),
            headers: link_headers(self.headers, linker)?,
            subprotocols: self.subprotocols.map(|text| text.link(linker)).transpose()?,
            setting: 0,
            checks: self.checks.link(linker)?,
        };
        Ok((task, self.setting.link(linker)?))
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
    check_payload(&payload, binary)?;
    Ok(payload)
}

/// Refuses a message that is too long, or whose constant bytes are none.
fn check_payload<H>(payload: &Placed<Text<H>>, binary: bool) -> Result<(), Invalid> {
    let length = payload.value.written_length();
    if length > MAX_PAYLOAD {
        let message = format!("a message of {length} bytes exceeds the limit of {MAX_PAYLOAD}");
        return Err(payload.refusal(message));
    }
    match payload.value.as_literal() {
        Some(text) if binary => match hex::decode(text.as_bytes()) {
            Ok(_) => Ok(()),
            Err(why) => Err(payload.refusal(why)),
        },
        _ => Ok(()),
    }
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
pub(super) struct Task {
    pub(super) method: Method,
    pub(super) url: Option<Template>,
    pub(super) host: Option<Template>,
    name: Option<Template>,
    payload: Payload,
    binary: bool,
    /// A text that the received message must contain.
    pub(super) expect: Option<Template>,
    /// Whether messages without it are skipped.
    pub(super) any: bool,
    pub(super) timeout: Duration,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) subprotocols: Option<Template>,
    /// The index of its TLS and proxy setting in the driver.
    pub(super) setting: usize,
    pub(super) checks: Checks,
}

impl Task {
    /// The label of its steps.
    pub(super) fn naming<'a>(&'a self, none: &'a Template) -> Naming<'a> {
        let name = match &self.name {
            Some(name) => Name::Written(name),
            None => Name::Of(self.method.naming()),
        };
        let url = self.url.as_ref().or(self.host.as_ref()).unwrap_or(none);
        Naming { method: "WS", url, name }
    }

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
