//! A socket task: its target, its payload, and when the response is complete. Parsing refuses what
//! the document alone shows to be wrong, linking refuses wrong constants, each with its place.

use std::borrow::Cow;

use super::reply::{End, Reply};
use crate::load::predicate::Operand;
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template, Text};
use crate::protocol::check::Checks;
use crate::protocol::deadline::Timeout;
use crate::protocol::hex::decode;
use crate::protocol::labels::{Name, Naming};
use crate::protocol::placed::Placed;
use crate::protocol::step::{CommonDraft, StepDraft, check_url, name};
use crate::value::{Invalid, Object, Reader};

/// The default target: the reference's own.
const TARGET: &str = "127.0.0.1:9000";

/// The longest payload of a datagram, in bytes (RFC 768 over IPv4, without options).
const MAX_DATAGRAM: usize = 65_507;

/// The transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    const ALL: [(Self, &'static str); 2] = [(Self::Tcp, "tcp"), (Self::Udp, "udp")];

    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(transport, _)| transport)
    }

    /// Its name in documents.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// The default target of tasks: `tcp://host:port`, `udp://host:port` or `host:port`.
#[derive(Debug)]
pub(crate) struct Host {
    transport: Option<Transport>,
    target: Placed<String>,
}

impl Host {
    /// Parses a target.
    pub(super) fn parse(field: &Reader<'_>) -> Result<Self, Invalid> {
        let text = field.text()?;
        let (transport, text) = match text.split_once("://") {
            None => (None, text),
            Some((scheme, rest)) => match Transport::named(scheme) {
                Some(transport) => (Some(transport), rest),
                None => return Err(field.expected("host:port, tcp://host:port or udp://host:port")),
            },
        };
        Ok(Self { transport, target: Placed::at(field, text.to_owned()) })
    }
}

/// A parsed task.
#[derive(Debug)]
pub(crate) struct TaskDraft {
    transport: Transport,
    target: Placed<Draft>,
    /// `None` stands for transport and target.
    name: Option<Draft>,
    payload: Placed<Operand<Draft>>,
    end: End,
    terminator: Option<Placed<Draft>>,
    substring: Option<Draft>,
    keep: bool,
}

impl StepDraft for TaskDraft {
    type Defaults = Option<Host>;
    type Task = Task;

    fn parse(
        _: &TaskSource<'_>,
        fields: &mut Object<'_>,
        host: &Option<Host>,
        compiler: &mut Compiler,
    ) -> Result<(Self, CommonDraft), Invalid> {
        // The reference accepts it and ignores it.
        fields.present("method");
        let (transport, target) = target(fields, host.as_ref())?;
        let target = Placed { value: compiler.template(&target.value), place: target.place };
        if let Some(text) = target.value.as_literal() {
            split(text).map_err(|why| target.refusal(why))?;
        }
        let name = name(fields, compiler);
        let payload = payload(fields, transport, compiler)?;
        let checks = Checks::parse::<Reply>(fields, compiler)?;
        let length = fields.or_default("expect_bytes", |field| field.integer(0))?;
        let substring = fields.present("expect_substring");
        let substring = substring.map(|field| field.value().to_text());
        let substring = substring.filter(|text| !text.is_empty());
        let substring = substring.map(|text| compiler.aside(|compiler| compiler.template(&text)));
        let terminator =
            compiler.aside(|compiler| terminator(fields, transport, length, compiler))?;
        let keep = fields.present("keep");
        let end = match transport {
            _ if length > 0 => End::Length(length),
            Transport::Tcp if terminator.is_some() => End::Terminator,
            _ if substring.is_some() => End::Substring,
            _ if checks.is_empty() => End::AtOnce,
            Transport::Udp => End::Datagram,
            Transport::Tcp => End::Close,
        };
        let keep = match keep {
            Some(field) if field.boolean()? => {
                if end == End::Close {
                    return Err(field.invalid(
                        "\"keep\" needs \"expect_bytes\", \"read_until\" or \"expect_substring\": \
                         without them a response ends when the target closes the connection",
                    ));
                }
                true
            }
            _ => false,
        };
        let timeout = Timeout::parse(fields)?;
        Ok((
            Self { transport, target, name, payload, end, terminator, substring, keep },
            CommonDraft { timeout, setting: None, checks },
        ))
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<Task, Invalid> {
        let target = self.target.link(linker)?;
        check_url(&target, |text| split(text).map(drop))?;
        let payload = Placed { value: self.payload.value.link(linker)?, place: self.payload.place };
        let fixed = constant(&payload, self.transport)?;
        let terminator = self.terminator.map(|text| text.link(linker)).transpose()?;
        if let Some(terminator) = &terminator {
            check_terminator(terminator)?;
        }
        let substring = self.substring.map(|text| text.link(linker)).transpose()?;
        let ending = match self.end {
            End::Terminator => terminator.map(|text| Ending::Bytes(text.value)),
            End::Substring => substring.clone().map(Ending::Text),
            _ => None,
        };
        Ok(Task {
            transport: self.transport,
            method: match self.transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
            },
            target: target.value,
            name: self.name.map(|name| name.link(linker)).transpose()?,
            payload: payload.value,
            fixed,
            end: self.end,
            ending,
            substring,
            keep: self.keep,
        })
    }
}

/// The transport and target of a task.
fn target(
    fields: &mut Object<'_>,
    host: Option<&Host>,
) -> Result<(Transport, Placed<String>), Invalid> {
    let named = match fields.present("protocol") {
        None => None,
        Some(field) => {
            let found = Transport::named(field.text()?);
            Some(found.ok_or_else(|| field.choice(&["tcp", "udp"]))?)
        }
    };
    let field = match (fields.present("target"), fields.present("host")) {
        (Some(field), _) | (None, Some(field)) => field,
        (None, None) => {
            let transport = named.or(host.and_then(|host| host.transport));
            let target = host
                .map(|host| host.target.clone())
                .unwrap_or_else(|| Placed::nowhere(TARGET.to_owned()));
            return Ok((transport.unwrap_or(Transport::Tcp), target));
        }
    };
    let own = Host::parse(&field)?;
    match (named, own.transport) {
        (Some(named), Some(scheme)) if named != scheme => {
            Err(field.invalid(format!("it contradicts \"protocol\": {:?}", named.name())))
        }
        (named, scheme) => Ok((named.or(scheme).unwrap_or(Transport::Tcp), own.target)),
    }
}

/// Host and port of a target. An IPv6 address is written in brackets; the returned host has none.
pub(super) fn split(target: &str) -> Result<(&str, u16), String> {
    let wrong = |why: &str| format!("invalid target {target:?}: {why}");
    let (host, port) = match target.strip_prefix('[') {
        Some(rest) => {
            let parts = rest.split_once("]:").ok_or_else(|| wrong("expected [address]:port"))?;
            if parts.0.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(wrong("only an IPv6 address is written in brackets"));
            }
            parts
        }
        None => {
            let parts = target.split_once(':').ok_or_else(|| wrong("expected host:port"))?;
            if parts.1.contains(':') {
                return Err(wrong("an IPv6 address is written in brackets: [::1]:9000"));
            }
            parts
        }
    };
    let broken = |character: char| character.is_whitespace() || character.is_control();
    if host.is_empty() || host.contains(broken) || host.contains('/') {
        return Err(wrong("expected a host name or an address"));
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port > 0 => Ok((host, port)),
        _ => Err(wrong("expected a port from 1 to 65535")),
    }
}

/// The payload: text, or bytes written as `hex:00 ff`; values that are false in Python mean
/// nothing.
fn payload(
    fields: &mut Object<'_>,
    transport: Transport,
    compiler: &mut Compiler,
) -> Result<Placed<Operand<Draft>>, Invalid> {
    let Some(field) = fields.present("payload").filter(|field| field.value().is_truthy()) else {
        return Ok(Placed::nowhere(Operand::Value("".into())));
    };
    let payload = Placed::at(&field, Operand::compile(field.value(), compiler));
    constant(&payload, transport)?;
    Ok(payload)
}

/// Decodes a constant payload.
fn constant<T>(
    payload: &Placed<Operand<T>>,
    transport: Transport,
) -> Result<Option<Vec<u8>>, Invalid> {
    let Some(value) = payload.value.as_value() else { return Ok(None) };
    let text = value.to_text();
    let bytes = decode(text.as_bytes()).map_err(|why| payload.refusal(why))?.into_owned();
    if transport == Transport::Udp && bytes.len() > MAX_DATAGRAM {
        let length = bytes.len();
        return Err(payload
            .refusal(format!("{length} bytes exceed the limit of a datagram, {MAX_DATAGRAM}")));
    }
    Ok(Some(bytes))
}

fn decode_in_place(text: &mut Vec<u8>) -> Result<(), &'static str> {
    if let Cow::Owned(bytes) = decode(text)? {
        *text = bytes;
    }
    Ok(())
}

/// Parses the bytes that end a response.
fn terminator(
    fields: &mut Object<'_>,
    transport: Transport,
    length: u64,
    compiler: &mut Compiler,
) -> Result<Option<Placed<Draft>>, Invalid> {
    let Some(field) = fields.present("read_until") else { return Ok(None) };
    let text = field.text()?;
    if text.is_empty() {
        return Err(field.expected("a text that ends a response"));
    }
    if transport == Transport::Udp {
        return Err(field.invalid("\"read_until\" is for TCP: a datagram ends by itself"));
    }
    if length > 0 {
        return Err(field.invalid("\"read_until\" and \"expect_bytes\" exclude each other"));
    }
    let terminator = Placed::at(&field, compiler.template(text));
    check_terminator(&terminator)?;
    Ok(Some(terminator))
}

fn check_terminator<H>(terminator: &Placed<Text<H>>) -> Result<(), Invalid> {
    let Some(text) = terminator.value.as_literal() else { return Ok(()) };
    match decode(text.as_bytes()) {
        Ok(bytes) if bytes.is_empty() => Err(terminator.refusal("it is empty")),
        Ok(_) => Ok(()),
        Err(why) => Err(terminator.refusal(why)),
    }
}

/// The terminator of a response.
#[derive(Debug)]
enum Ending {
    /// Text.
    Text(Template),
    /// Bytes as documents write them.
    Bytes(Template),
}

/// A task, ready to run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(super) transport: Transport,
    /// `TCP` or `UDP`, as recorded.
    method: &'static str,
    pub(super) target: Template,
    name: Option<Template>,
    payload: Operand,
    /// The payload, if it is constant.
    pub(super) fixed: Option<Vec<u8>>,
    /// The condition that ends a response.
    pub(super) end: End,
    ending: Option<Ending>,
    pub(super) substring: Option<Template>,
    pub(super) keep: bool,
}

impl Task {
    /// The label of its steps.
    pub(super) fn naming(&self) -> Naming<'_> {
        let name = match (&self.name, self.transport) {
            (Some(name), _) => Name::Written(name),
            (None, Transport::Tcp) => Name::Of(|target| format!("tcp:{target}")),
            (None, Transport::Udp) => Name::Of(|target| format!("udp:{target}")),
        };
        Naming { method: self.method, url: &self.target, name }
    }

    /// Fills in the payload of this execution, unless it is constant.
    pub(super) fn fill(&self, scope: &mut Scope, out: &mut Vec<u8>) -> Result<(), &'static str> {
        out.clear();
        match &self.payload {
            Operand::Text(text) => text.fill(scope, out),
            other => out.extend_from_slice(other.value(scope).to_text().as_bytes()),
        }
        decode_in_place(out)
    }

    /// Whether more of a response than its length is needed, even without checks.
    pub(super) fn looks(&self) -> bool {
        self.ending.is_some() || self.substring.is_some()
    }

    /// Fills in the terminator of this execution; nothing if the response ends otherwise.
    pub(super) fn ending(&self, scope: &mut Scope, out: &mut Vec<u8>) -> Result<(), &'static str> {
        out.clear();
        match &self.ending {
            None => {}
            Some(Ending::Text(text)) => scope.aside(|scope| text.fill(scope, out)),
            Some(Ending::Bytes(text)) => {
                scope.aside(|scope| text.fill(scope, out));
                decode_in_place(out)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port() {
        for (target, want) in [
            ("h:9", Ok(("h", 9))),
            ("h.example.:65535", Ok(("h.example.", 65_535))),
            ("127.0.0.1:9000", Ok(("127.0.0.1", 9000))),
            ("[::1]:9", Ok(("::1", 9))),
            ("[::1]", Err("expected [address]:port")),
            ("[::1]9", Err("expected [address]:port")),
            ("[127.0.0.1]:9", Err("only an IPv6 address is written in brackets")),
            ("fe80::1:9", Err("an IPv6 address is written in brackets: [::1]:9000")),
            ("", Err("expected host:port")),
            (":9", Err("expected a host name or an address")),
            ("h /x:9", Err("expected a host name or an address")),
            ("h:", Err("expected a port from 1 to 65535")),
            ("h:65536", Err("expected a port from 1 to 65535")),
            ("h:9 ", Err("expected a port from 1 to 65535")),
        ] {
            let want = want.map_err(|why| format!("invalid target {target:?}: {why}"));
            assert_eq!(split(target), want);
        }
    }
}
