//! An MQTT task: its step, its message, and what is expected of the received one. Parsing refuses
//! what the document alone shows to be wrong, linking refuses wrong constants, each with its place.

use std::borrow::Cow;
use std::sync::Arc;

use super::address::{Address, DEFAULT};
use super::codec::{Message as Sent, Properties, Version};
use super::fault::Fault;
use super::message::Message;
use super::opening::{Given, OpeningDraft, OpeningText};
use super::payload::{Payload, PayloadDraft, qos};
use super::topic::{check_filter, check_name};
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template, Text};
use crate::memory::Held;
use crate::protocol::deadline::Timeout;
use crate::protocol::http::{Proxies, SettingDraft};
use crate::protocol::placed::Placed;
use crate::protocol::step::{CommonDraft, Expected, StepDraft, check_url, name};
use crate::protocol::user::Setup;
use crate::value::{Invalid, Object, Reader};

/// The settings of all tasks of a test.
#[derive(Debug)]
pub(crate) struct Defaults {
    broker: Placed<String>,
    /// The fields of connections.
    given: Option<Given>,
}

impl Defaults {
    /// Parses the host and `connection`.
    pub(super) fn parse(setup: &Setup<'_>) -> Result<Self, Invalid> {
        let broker = match &setup.host {
            None => Placed::nowhere(DEFAULT.to_owned()),
            Some(field) => {
                let broker = Placed::at(field, field.text()?.trim().to_owned());
                if !broker.value.contains("${") {
                    check(&broker.value).map_err(|why| broker.refusal(why))?;
                }
                broker
            }
        };
        let given = setup.option("connection").map(Given::read).transpose()?;
        Ok(Self { broker, given })
    }
}

/// Whether a constant broker is one.
fn check(broker: &str) -> Result<(), String> {
    Address::parse(broker).map(drop)
}

/// The step of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Connect,
    Publish,
    Subscribe,
    Unsubscribe,
    Receive,
    Disconnect,
}

impl Method {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Connect, "connect"),
        (Self::Publish, "publish"),
        (Self::Subscribe, "subscribe"),
        (Self::Unsubscribe, "unsubscribe"),
        (Self::Receive, "receive"),
        (Self::Disconnect, "disconnect"),
    ];

    fn parse(field: &Reader<'_>) -> Result<(Self, &'static str), Invalid> {
        let name = field.text()?;
        let found = Self::ALL.into_iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.ok_or_else(|| field.choice(&Self::ALL.map(|(_, name)| name)))
    }

    /// Whether it cannot do without a topic.
    fn needs_topic(self) -> bool {
        matches!(self, Self::Publish | Self::Subscribe | Self::Unsubscribe)
    }

    /// Whether its topic can be what it must be; the error says why not.
    pub(super) fn check(self, topic: &str) -> Result<(), &'static str> {
        match self {
            Self::Publish => check_name(topic),
            Self::Subscribe | Self::Unsubscribe | Self::Receive => check_filter(topic),
            Self::Connect | Self::Disconnect => Ok(()),
        }
    }
}

/// A parsed task.
#[derive(Debug)]
pub(crate) struct TaskDraft {
    method: Method,
    /// `None` stands for the user's connection, or else the default.
    broker: Option<Placed<Draft>>,
    default: Placed<Draft>,
    topic: Option<Placed<Draft>>,
    name: Draft,
    payload: PayloadDraft,
    qos: u8,
    retain: bool,
    expected: Expected<Draft>,
    opening: OpeningDraft,
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
        let (method, word) = fields.or_default("method", Method::parse)?;
        let broker = match (fields.present("broker"), fields.present("host")) {
            (None, None) => None,
            (Some(field), _) | (None, Some(field)) => {
                let broker = Placed::at(&field, compiler.template(field.text()?.trim()));
                check_url(&broker, check)?;
                Some(broker)
            }
        };
        let default = Placed {
            value: compiler.template(&defaults.broker.value),
            place: defaults.broker.place.clone(),
        };
        let topic = fields.present("topic");
        if topic.is_none() && method.needs_topic() {
            return Err(task.fields.invalid(format!("the method {word} needs a \"topic\"")));
        }
        let written = topic.as_ref().map(|field| field.text()).transpose()?.unwrap_or_default();
        let name = name(fields, compiler).unwrap_or_else(|| {
            compiler.aside(|compiler| compiler.template(&format!("{word}:{written}")))
        });
        let topic = topic.map(|field| Placed::at(&field, compiler.template(written)));
        if let Some(topic) = &topic {
            check_topic(method, topic)?;
        }
        let payload = PayloadDraft::parse(fields, compiler)?;
        let qos = fields.or_default("qos", qos)?;
        let retain = fields.or_default("retain", |field| field.boolean())?;
        let receivers = (method != Method::Receive).then_some("receive");
        let (expected, checks) =
            Expected::parse::<Message>(&task.fields, fields, receivers, compiler)?;
        let timeout = Timeout::parse(fields)?;
        let opening = OpeningDraft::parse(fields, defaults.given.as_ref(), compiler)?;
        // Proxies of HTTP do not lead to a broker.
        let setting = Some(SettingDraft::parse(fields, false, Some(Proxies::default()))?);
        Ok((
            Self { method, broker, default, topic, name, payload, qos, retain, expected, opening },
            CommonDraft { timeout, setting, checks },
        ))
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<Task, Invalid> {
        let mut broker = |broker: Placed<Draft>| {
            let broker = broker.link(linker)?;
            check_url(&broker, check)?;
            Ok::<_, Invalid>(Broker::new(broker.value))
        };
        let (named, default) = (self.broker.map(&mut broker).transpose()?, broker(self.default)?);
        let topic = self.topic.map(|topic| topic.link(linker)).transpose()?;
        if let Some(topic) = &topic {
            check_topic(self.method, topic)?;
        }
        Ok(Task {
            method: self.method,
            broker: named,
            default,
            topic: topic.map(|topic| topic.value),
            name: self.name.link(linker)?,
            payload: self.payload.link(linker)?,
            qos: self.qos,
            retain: self.retain,
            expected: self.expected.link(linker)?,
            opening: self.opening.link(linker)?,
        })
    }
}

/// Refuses a constant topic that is none.
fn check_topic<H>(method: Method, topic: &Placed<Text<H>>) -> Result<(), Invalid> {
    let Some(text) = topic.value.as_literal() else { return Ok(()) };
    method.check(text).map_err(|why| topic.refusal(why))
}

/// A broker of a task.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) text: Template,
    /// It, if it is constant.
    constant: Option<Arc<Address>>,
}

impl Broker {
    fn new(text: Template) -> Self {
        let constant = text.as_literal().and_then(|text| Address::parse(text).ok()).map(Arc::new);
        Self { text, constant }
    }

    /// The broker of this execution, or why it is none.
    pub(super) fn address(&self, scope: &mut Scope) -> Result<Arc<Address>, String> {
        match &self.constant {
            Some(address) => Ok(Arc::clone(address)),
            None => Address::parse(&self.text.text(scope)).map(Arc::new),
        }
    }

    /// Its text without secrets, if it is constant and this one.
    pub(super) fn shows(&self, address: &Address) -> Option<&str> {
        let constant = self.constant.as_ref()?;
        (constant.shown == address.shown).then_some(&*constant.shown)
    }
}

/// A task, ready to run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(super) method: Method,
    pub(super) broker: Option<Broker>,
    pub(super) default: Broker,
    topic: Option<Template>,
    pub(super) name: Template,
    payload: Payload,
    pub(super) qos: u8,
    retain: bool,
    /// What the received message must contain.
    pub(super) expected: Expected,
    pub(super) opening: OpeningText,
}

/// What a message is written from, which the users of a worker share.
#[derive(Debug, Default)]
pub(super) struct Parts {
    payload: Vec<u8>,
    properties: Properties,
}

impl Task {
    /// The topic of this execution, if it has one.
    pub(super) fn topic(&self, scope: &mut Scope) -> Result<Option<Cow<'_, str>>, Fault> {
        let Some(topic) = &self.topic else { return Ok(None) };
        let filled = topic.filled(scope);
        if topic.as_literal().is_none() {
            self.method.check(&filled).map_err(|why| Fault::Task(why.to_owned()))?;
        }
        Ok(Some(filled))
    }

    /// Writes the message of this execution, and returns the length of its payload.
    pub(super) fn write(
        &self,
        (version, id): (Version, u16),
        topic: &str,
        scope: &mut Scope,
        parts: &mut Parts,
        out: &mut Vec<u8>,
    ) -> Result<u64, Fault> {
        let properties = &mut parts.properties;
        properties.clear();
        if version == Version::V5 {
            self.opening.properties.of_message(scope, properties)?;
        } else if self.opening.properties.are_of_message() {
            let why = "\"properties\" of a message need MQTT 5, and the connection has 3.1.1";
            return Err(Fault::Task(why.to_owned()));
        }
        let payload = self.payload.fill(scope, &mut parts.payload)?;
        let Self { qos, retain, .. } = *self;
        out.clear();
        let message = Sent { topic: topic.as_bytes(), payload, qos, retain, properties };
        message.write(version, id, out)?;
        Ok(payload.len() as u64)
    }
}

impl Parts {
    /// Gives a large buffer back.
    pub(super) fn settle(&mut self) {
        if self.payload.capacity() > Held::SMALL {
            self.payload = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn a_method_is_found_in_any_case() {
        let value = Value::from("UnSubscribe");
        let parsed = Method::parse(&Reader::at(&value, "/method")).expect("a method");
        assert_eq!(parsed, (Method::Unsubscribe, "unsubscribe"));
    }
}
