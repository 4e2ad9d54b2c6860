//! How a task's connection begins: the version, who the client is, what it leaves behind, and the
//! properties of MQTT 5.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use super::address::Address;
use super::codec::{Connect, Message, Properties, Version};
use super::fault::Fault;
use super::fields::{OPENING, PROPERTIES, WILL};
use super::payload::{Payload, PayloadDraft, qos};
use super::session::Opening;
use super::topic::check_name;
use crate::load::MAX_TEXT;
use crate::load::template::{Compiler, Draft, Linker, Scope, Template, Text};
use crate::protocol::hex;
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object, Reader, Value};

/// The members of `connection`, for all tasks of a test.
#[derive(Debug)]
pub(super) struct Given(Placed<Value>);

impl Given {
    /// Takes them as they are; each task parses them.
    pub(super) fn read(field: &Reader<'_>) -> Result<Self, Invalid> {
        let mut fields = field.fields(OPENING)?;
        OpeningDraft::parse(&mut fields, None, &mut Compiler::default())?;
        fields.finish()?;
        Ok(Self(Placed::at(field, field.value().clone())))
    }

    fn fields(&self) -> Result<Object<'_>, Invalid> {
        Reader::at(&self.0.value, &*self.0.place).fields(OPENING)
    }
}

/// A parsed opening.
#[derive(Debug)]
pub(super) struct OpeningDraft {
    /// Whether the task itself has fields of it.
    own: bool,
    version: Version,
    username: Option<Draft>,
    password: Option<Draft>,
    client_id: Option<Draft>,
    keep_alive: u16,
    clean: bool,
    will: Option<WillDraft>,
    /// Those of the task itself, and those of all tasks.
    properties: [Option<PropertiesText<Draft>>; 2],
}

#[derive(Debug)]
struct WillDraft {
    topic: Placed<Draft>,
    payload: PayloadDraft,
    qos: u8,
    retain: bool,
}

/// The texts of a task's own fields, or else of those of all tasks.
struct Source<'a, 'b, 'c> {
    own: &'b mut Object<'a>,
    given: Option<Object<'c>>,
}

impl<'c> Source<'_, '_, 'c> {
    /// Takes a field, which a task's own goes before.
    fn take<T>(
        &mut self,
        key: &str,
        mut parse: impl FnMut(&Reader<'_>) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        let own = self.own.if_present(key, |field| parse(field))?;
        let given = self.given.as_mut().map(|given| given.if_present(key, |field| parse(field)));
        Ok(own.or(given.transpose()?.flatten()))
    }
}

impl OpeningDraft {
    /// Takes the fields of a connection from a task.
    pub(super) fn parse(
        fields: &mut Object<'_>,
        given: Option<&Given>,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        let place = |key: &str, fields: &mut Object<'_>| fields.optional(key).is_some();
        let own = OPENING
            .iter()
            .flat_map(|field| field.keys())
            .any(|key| key != "properties" && place(key, fields));
        let given = given.map(Given::fields).transpose()?;
        let mut source = Source { own: fields, given };
        let version = source.take("version", version)?.unwrap_or(Version::V3);
        let mut text = |key: &str, source: &mut Source<'_, '_, '_>| {
            let found = source.take(key, |field| {
                let text = scalar(field)?;
                Ok((field.pointer(), compiler.template(&text)))
            })?;
            Ok::<_, Invalid>(found.filter(|(_, text)| !text.is_empty()))
        };
        let username = text("username", &mut source)?;
        let password = text("password", &mut source)?;
        let client_id = text("client_id", &mut source)?;
        if let (Some((pointer, _)), None, Version::V3) = (&password, &username, version) {
            let message = "\"password\" needs \"username\" in MQTT 3.1.1".to_owned();
            return Err(Invalid { pointer: pointer.clone(), message });
        }
        let seconds = |field: &Reader<'_>| {
            let seconds = field.integer(0).ok().and_then(|seconds| u16::try_from(seconds).ok());
            seconds.ok_or_else(|| field.expected("seconds from 0 to 65535"))
        };
        let keep_alive = source.take("keepalive", seconds)?.unwrap_or(60);
        let clean = source.take("clean", |field| field.boolean())?;
        let clean = match source.take("clean_session", |field| field.boolean())? {
            other if clean.is_none() => other,
            _ => clean,
        };
        let will = source.take("will", |field| WillDraft::parse(field, compiler))?;
        let mut read = |field: &Reader<'_>| PropertiesText::parse(field, compiler);
        let properties = [
            source.own.if_present("properties", &mut read)?,
            match &mut source.given {
                Some(given) => given.if_present("properties", &mut read)?,
                None => None,
            },
        ];
        Ok(Self {
            own,
            version,
            username: username.map(|(_, text)| text),
            password: password.map(|(_, text)| text),
            client_id: client_id.map(|(_, text)| text),
            keep_alive,
            clean: clean.unwrap_or(true),
            will,
            properties,
        })
    }

    /// Links it.
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<OpeningText, Invalid> {
        let mut text = |text: Option<Draft>| text.map(|text| text.link(linker)).transpose();
        let (username, password) = (text(self.username)?, text(self.password)?);
        let client_id = text(self.client_id)?;
        let [properties, given] = self.properties.map(|properties| match properties {
            Some(properties) => properties.link(linker),
            None => Ok(PropertiesText::default()),
        });
        Ok(OpeningText {
            own: self.own,
            version: self.version,
            username,
            password,
            client_id,
            keep_alive: self.keep_alive,
            clean: self.clean,
            will: self.will.map(|will| will.link(linker)).transpose()?,
            properties: properties?,
            given: given?,
        })
    }
}

/// The version that a field names.
fn version(field: &Reader<'_>) -> Result<Version, Invalid> {
    match field.value() {
        Value::Int(5) => Ok(Version::V5),
        Value::Str(text) if text == "5" => Ok(Version::V5),
        Value::Str(text) if text == "3.1.1" => Ok(Version::V3),
        _ => Err(field.expected("\"3.1.1\" or 5")),
    }
}

/// The text of what is no list and no object.
fn scalar(field: &Reader<'_>) -> Result<String, Invalid> {
    match field.value() {
        Value::Dict(_) | Value::List(_) => Err(field.expected("a text")),
        value => Ok(value.to_text()),
    }
}

impl WillDraft {
    fn parse(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        let mut fields = field.fields(WILL)?;
        let topic = fields.required("topic")?;
        let topic = Placed::at(&topic, compiler.template(topic.text()?));
        check_topic(&topic)?;
        let will = Self {
            topic,
            payload: PayloadDraft::parse(&mut fields, compiler)?,
            qos: fields.or_default("qos", qos)?,
            retain: fields.or_default("retain", |field| field.boolean())?,
        };
        fields.finish()?;
        Ok(will)
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<Will, Invalid> {
        let topic = self.topic.link(linker)?;
        check_topic(&topic)?;
        let payload = self.payload.link(linker)?;
        Ok(Will { topic: topic.value, payload, qos: self.qos, retain: self.retain })
    }
}

fn check_topic<H>(topic: &Placed<Text<H>>) -> Result<(), Invalid> {
    let Some(text) = topic.value.as_literal() else { return Ok(()) };
    check_name(text).map_err(|why| topic.refusal(why))
}

/// How a task's connection begins, ready to be filled in.
#[derive(Debug)]
pub(super) struct OpeningText {
    /// Whether the task itself has fields of it.
    pub(super) own: bool,
    version: Version,
    username: Option<Template>,
    password: Option<Template>,
    client_id: Option<Template>,
    keep_alive: u16,
    clean: bool,
    will: Option<Will>,
    /// Those of the task itself, which are its message's, too.
    pub(super) properties: PropertiesText,
    /// Those of all tasks.
    given: PropertiesText,
}

#[derive(Debug)]
struct Will {
    topic: Template,
    payload: Payload,
    qos: u8,
    retain: bool,
}

impl OpeningText {
    /// What the first packet says in this execution; `tells` is whether the names and values of the
    /// task are the connection's.
    pub(super) fn fill(
        &self,
        address: &Address,
        tells: bool,
        scope: &mut Scope,
    ) -> Result<Opening, Fault> {
        let mut filled = |text: &Option<Template>| text.as_ref().map(|text| text.text(scope));
        let (username, password) = (filled(&self.username), filled(&self.password));
        let client_id = filled(&self.client_id).unwrap_or_else(own_name);
        let (username, password) = match (&address.login, username) {
            (Some((user, password)), None) => (Some(user.clone()), password.clone()),
            (_, username) => (username, password),
        };
        let mut properties = Properties::default();
        if self.version == Version::V5 {
            let Self { properties: own, given, .. } = self;
            if let Some(seconds) = own.session_expiry.or(given.session_expiry) {
                properties.session_expiry(seconds);
            }
            let told = if tells && !own.user.is_empty() { own } else { given };
            told.of_user(scope, &mut properties)?;
        }
        let none = Properties::default();
        let mut will_texts = (Vec::new(), Vec::new());
        let will = match &self.will {
            None => None,
            Some(will) => {
                let (topic, payload) = &mut will_texts;
                will.topic.fill(scope, topic);
                let topic = std::str::from_utf8(topic).map_err(|_| "Invalid topic.");
                let topic = topic.and_then(|topic| check_name(topic).map(|()| topic));
                let topic = topic.map_err(|why| Fault::Task(why.to_owned()))?;
                let payload = will.payload.fill(scope, payload)?;
                let Will { qos, retain, .. } = *will;
                Some(Message { topic: topic.as_bytes(), payload, qos, retain, properties: &none })
            }
        };
        if scope.is_too_long() {
            return Err(Fault::Task(format!("its texts exceed {} MiB", MAX_TEXT >> 20)));
        }
        let mut packet = Vec::new();
        let connect = Connect {
            version: self.version,
            client_id: client_id.as_bytes(),
            clean: self.clean,
            keep_alive: self.keep_alive,
            username: username.as_deref().map(str::as_bytes),
            password: password.as_deref().map(str::as_bytes),
            will,
            properties: &properties,
        };
        connect.write(&mut packet)?;
        packet.shrink_to_fit();
        let Self { version, keep_alive, clean, .. } = *self;
        Ok(Opening { version, packet, clean, keep_alive, client_id })
    }
}

/// A name for a client without one. Two of this process are never the same.
fn own_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static FIRST: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    // Not by the test's seed: tests of other machines with the same one have other names.
    let first = FIRST.get_or_init(|| fastrand::Rng::new().u32(..));
    let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    format!("loaddensity-{number:08x}")
}

/// Properties of MQTT 5, with or without placeholders that are resolved.
#[derive(Debug)]
pub(super) struct PropertiesText<T = Template> {
    user: Vec<(String, T)>,
    content_type: Option<T>,
    response_topic: Option<T>,
    correlation_data: Option<T>,
    message_expiry: Option<u32>,
    session_expiry: Option<u32>,
}

impl<T> Default for PropertiesText<T> {
    fn default() -> Self {
        Self {
            user: Vec::new(),
            content_type: None,
            response_topic: None,
            correlation_data: None,
            message_expiry: None,
            session_expiry: None,
        }
    }
}

impl PropertiesText<Draft> {
    fn parse(field: &Reader<'_>, compiler: &mut Compiler) -> Result<Self, Invalid> {
        let mut fields = field.fields(PROPERTIES)?;
        let mut user = Vec::new();
        if let Some(pairs) = fields.present("user") {
            let mut pairs = pairs.object()?;
            for (name, value) in pairs.entries() {
                user.push((name.to_owned(), compiler.template(&scalar(&value)?)));
            }
        }
        let mut text =
            |key: &str| fields.if_present(key, |field| Ok(compiler.template(&scalar(field)?)));
        let (content_type, response_topic) = (text("content_type")?, text("response_topic")?);
        let correlation_data = text("correlation_data")?;
        let seconds = |field: &Reader<'_>| {
            let seconds = field.integer(0).ok().and_then(|seconds| u32::try_from(seconds).ok());
            seconds.ok_or_else(|| field.expected("seconds from 0 to 4294967295"))
        };
        let message_expiry = fields.if_present("message_expiry", seconds)?;
        let session_expiry = fields.if_present("session_expiry", seconds)?;
        fields.finish()?;
        Ok(Self {
            user,
            content_type,
            response_topic,
            correlation_data,
            message_expiry,
            session_expiry,
        })
    }

    fn link(self, linker: &mut Linker<'_>) -> Result<PropertiesText, Invalid> {
        let mut text = |text: Option<Draft>| text.map(|text| text.link(linker)).transpose();
        let (content_type, response_topic) = (text(self.content_type)?, text(self.response_topic)?);
        let correlation_data = text(self.correlation_data)?;
        let user = self.user.into_iter().map(|(name, value)| Ok((name, value.link(linker)?)));
        Ok(PropertiesText {
            user: user.collect::<Result<_, Invalid>>()?,
            content_type,
            response_topic,
            correlation_data,
            message_expiry: self.message_expiry,
            session_expiry: self.session_expiry,
        })
    }
}

impl PropertiesText {
    /// Whether a message has some of them.
    pub(super) fn are_of_message(&self) -> bool {
        !self.user.is_empty()
            || self.content_type.is_some()
            || self.response_topic.is_some()
            || self.correlation_data.is_some()
            || self.message_expiry.is_some()
    }

    /// Those of a message.
    pub(super) fn of_message(&self, scope: &mut Scope, out: &mut Properties) -> Result<(), Fault> {
        if let Some(seconds) = self.message_expiry {
            out.message_expiry(seconds);
        }
        if let Some(text) = &self.content_type {
            out.content_type(text.filled(scope).as_bytes())?;
        }
        if let Some(topic) = &self.response_topic {
            let topic = topic.filled(scope);
            check_name(&topic).map_err(|why| Fault::Task(why.to_owned()))?;
            out.response_topic(topic.as_bytes())?;
        }
        if let Some(data) = &self.correlation_data {
            let data: Cow<'_, str> = data.filled(scope);
            let bytes = hex::decode(data.as_bytes());
            out.correlation_data(
                &bytes.map_err(|why| Fault::Task(format!("invalid bytes: {why}")))?,
            )?;
        }
        self.of_user(scope, out)
    }

    fn of_user(&self, scope: &mut Scope, out: &mut Properties) -> Result<(), Fault> {
        for (name, value) in &self.user {
            out.user(name.as_bytes(), value.filled(scope).as_bytes())?;
        }
        Ok(())
    }
}
